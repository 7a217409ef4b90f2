"""Generates the committed code of the TypeScript and Go clients, and checks that it is what the contract says.

Stubs come from `buf generate` with local plugins only, whose exact versions the clients themselves pin: package.json for
TypeScript, tools.mod with tools.sum for Go. The retry policy, clients/retry.json, is copied to where each language can
embed it. Needs Node with npm and Go; a language whose toolchain is missing is skipped by name, unless
CI_REQUIRE_TOOLCHAINS=1 says that none may be missing. Python's code is made by tools/gen.py.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import gen

ROOT = gen.ROOT
PROTO = ROOT / "proto"
RETRY = ROOT / "clients" / "retry.json"
TYPESCRIPT = ROOT / "clients" / "typescript"
GO = ROOT / "clients" / "go"
# What npm installs is kept here, outside of the sources, and used by the tests as well.
MODULES = ROOT / ".codegen" / "typescript"
REQUIRED = "CI_REQUIRE_TOOLCHAINS"

RETRY_MODULE = """\
// Written by tools/gen_clients.py from clients/retry.json. DO NOT EDIT.

export const serviceConfig = {json} as const;
"""


@dataclass(frozen=True)
class Language:
    """A language, the programs without which nothing can be made for it, and what is committed for it."""

    name: str
    programs: tuple[str, ...]
    targets: tuple[gen.Target, ...]


def missing(programs: tuple[str, ...]) -> list[str]:
    """Name the programs that are not on the path."""
    return [program for program in programs if shutil.which(program) is None]


def required() -> bool:
    """Say whether a missing toolchain is a failure here."""
    return os.environ.get(REQUIRED) == "1"


def call(*command: str | Path, cwd: Path) -> None:
    """Run a generator; its words go to stderr. Raises GenerationError."""
    done = subprocess.run(command, cwd=cwd, check=False, stdout=sys.stderr)
    if done.returncode:
        raise gen.GenerationError(f"failed: {' '.join(map(str, command))}")


def buf() -> str:
    """Find buf beside this Python, in the project's environment or on the path. Raises GenerationError."""
    for place in (Path(sys.executable).parent, ROOT / ".venv" / "bin"):
        if (found := shutil.which("buf", path=place)) is not None:
            return found
    if (found := shutil.which("buf")) is not None:
        return found
    raise gen.GenerationError("no buf: run `make setup` first")


def generate(client: Path, out: Path, *, cwd: Path) -> None:
    """Run the plugins that the client's buf.gen.yaml names, from the folder they are found from."""
    call(buf(), "generate", PROTO, "--template", client / "buf.gen.yaml", "--output", out, cwd=cwd)


def typescript_modules() -> Path:
    """Install what package.json pins, unless that is done already; gives the folder node_modules."""
    wanted = (TYPESCRIPT / "package.json").read_text("utf-8") + (TYPESCRIPT / ".npmrc").read_text("utf-8")
    stamp = MODULES / ".ready"
    modules = MODULES / "node_modules"
    if stamp.is_file() and stamp.read_text("utf-8") == wanted and modules.is_dir():
        return modules
    stamp.unlink(missing_ok=True)
    shutil.rmtree(modules, ignore_errors=True)
    MODULES.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", ".npmrc"):
        shutil.copyfile(TYPESCRIPT / name, MODULES / name)
    call("npm", "install", "--no-package-lock", "--loglevel=error", cwd=MODULES)
    stamp.write_text(wanted, "utf-8")
    return modules


def make_typescript(home: Path) -> None:
    """Write src/gen: messages and services by protoc-gen-es, and the retry policy as a module."""
    modules = typescript_modules()
    with tempfile.TemporaryDirectory() as scratch:
        generate(TYPESCRIPT, Path(scratch), cwd=modules.parent)
        shutil.copytree(Path(scratch, "src", "gen"), home)
    module = RETRY_MODULE.format(json=RETRY.read_text("utf-8").strip())
    (home / "retry.ts").write_text(module, "utf-8")


def make_go(home: Path) -> None:
    """Write the package execsvcv1: messages by protoc-gen-go, services by protoc-gen-go-grpc."""
    with tempfile.TemporaryDirectory() as scratch:
        generate(GO, Path(scratch), cwd=GO)
        shutil.copytree(Path(scratch, "execsvc"), home)


def make_go_retry(home: Path) -> None:
    """Copy the retry policy: go:embed reads nothing outside of the module."""
    shutil.copyfile(RETRY, home)


LANGUAGES = (
    Language(
        "typescript",
        ("node", "npm"),
        (gen.Target("typescript", Path("clients/typescript/src/gen"), make_typescript),),
    ),
    Language(
        "go",
        ("go",),
        (
            gen.Target("go", Path("clients/go/execsvc"), make_go),
            gen.Target("go retry policy", Path("clients/go/retry.json"), make_go_retry),
        ),
    ),
)


def run(language: Language, *, check: bool) -> int:
    """Bring one language up to date or check it; gives the number of drifted files. Raises GenerationError."""
    if absent := missing(language.programs):
        if required():
            raise gen.GenerationError(f"{language.name}: no {', '.join(absent)} here, and {REQUIRED}=1")
        print(f"skipped: {language.name} (no {', '.join(absent)} here)")
        return 0
    found = sum(gen.run(target, check=check) for target in language.targets)
    if not found:
        print(f"as generated: {language.name}")
    return found


def main() -> int:
    """Exit 0: all is as generated, or skipped by name; 1: drift; 2: generation failed."""
    names = [language.name for language in LANGUAGES]
    parser = argparse.ArgumentParser(description="Generate the committed code of the TypeScript and Go clients.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail on any drift")
    parser.add_argument("languages", nargs="*", metavar="language", help="only these: " + ", ".join(names))
    options = parser.parse_args()
    if unknown := set(options.languages) - set(names):
        parser.error(f"unknown language: {', '.join(sorted(unknown))}")
    chosen = [language for language in LANGUAGES if not options.languages or language.name in options.languages]
    try:
        drifted = sum(run(language, check=options.check) for language in chosen)
    except gen.GenerationError as error:
        print(error, file=sys.stderr)
        return 2
    if drifted and options.check:
        print(f"{drifted} files are not as generated: run `python tools/gen_clients.py`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
