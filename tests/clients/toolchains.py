"""What the tests of the other languages share: building their clients outside of the tree, and running them.

A language whose toolchain is missing is skipped by name; with CI_REQUIRE_TOOLCHAINS=1 that is a failure.
"""

import asyncio
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Below the patience of a quickstart: one that is done and lingers is found out.
RUN_TIMEOUT_S = 25


def _tool() -> ModuleType:
    """Load tools/gen_clients.py, which is a script and no package."""
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        return importlib.import_module("gen_clients")
    finally:
        sys.path.pop(0)


gen_clients = _tool()


def demand(*programs: str) -> None:
    """Skip, or fail where toolchains are required, unless all these programs are here."""
    if not (absent := gen_clients.missing(programs)):
        return
    reason = f"no {', '.join(absent)} here"
    if gen_clients.required():
        pytest.fail(f"{reason}, and {gen_clients.REQUIRED}=1", pytrace=False)
    pytest.skip(reason)


def call(*command: str | Path, cwd: Path, **env: str) -> str:
    """Run a build step; fails the test with all the step said."""
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | env, check=False, capture_output=True, text=True, timeout=RUN_TIMEOUT_S * 5
    )
    if done.returncode:
        pytest.fail(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}", pytrace=False)
    return done.stdout + done.stderr


def code_block(page: Path, language: str) -> str:
    """Give the one block of a language that a page has."""
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return block


def build_typescript(scratch: Path) -> Path:
    """Compile a copy of the TypeScript client and its README, strictly; gives the copy, with its output in dist."""
    demand("node", "npm")
    home = scratch / "typescript"
    shutil.copytree(gen_clients.TYPESCRIPT, home, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (home / "node_modules").symlink_to(gen_clients.typescript_modules(), target_is_directory=True)
    (home / "examples" / "readme.ts").write_text(code_block(home / "README.md", "ts"), "utf-8")
    call("npm", "run", "--silent", "build", cwd=home)
    return home


def build_go(scratch: Path, example: str) -> Path:
    """Compile one of the Go examples; gives the program."""
    demand("go")
    program = scratch / example
    call("go", "build", "-o", program, f"./examples/{example}", cwd=gen_clients.GO)
    return program


@dataclass(frozen=True)
class Run:
    """One run of an example: what it printed, line by line, what it complained about, and its exit code."""

    steps: list[dict[str, Any]]
    stderr: str
    exit_code: int

    def names(self) -> list[str]:
        """Give the steps' names, a name that repeats in a row once."""
        names = [step["step"] for step in self.steps]
        return [name for index, name in enumerate(names) if index == 0 or names[index - 1] != name]

    def step(self, name: str) -> dict[str, Any]:
        """Give the first step of that name."""
        return next(step for step in self.steps if step["step"] == name)


async def run(command: list[str], target: str, *arguments: str, **identity: str) -> Run:
    """Run an example against a gateway, with nothing of ours in its environment but the address, and whose it is."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("EXECSVC_", "KRAKEN_"))}
    process = await asyncio.create_subprocess_exec(
        *command,
        *arguments,
        env=env | {"EXECSVC_TARGET": target} | identity,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), RUN_TIMEOUT_S)
    except TimeoutError:
        process.kill()
        out, err = await process.communicate()
        pytest.fail(f"{command[0]} hangs\n{out.decode()}{err.decode()}", pytrace=False)
    steps = [json.loads(line) for line in out.decode().splitlines()]
    return Run(steps, err.decode(), process.returncode if process.returncode is not None else -1)
