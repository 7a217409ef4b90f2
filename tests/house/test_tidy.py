"""tools/tidy.py judged by what it must find, what it must leave alone, and by this tree."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools import tidy

ROOT = Path(__file__).parents[2]
ROOM = '"""What this room is for.\n\nAnd what it is not.\n"""\n\n'
# Words that may not stand in any file of the project, this one included.
UNDONE, HOST, HOME, SCRATCH = "TO" + "DO", "pypi" + ".org", "/" + "home/ann/keys", "/" + "tmp/x"


def rules_found(path: str, code: str) -> list[str]:
    return [finding.rule for finding in tidy.judge(path, ROOM + code)]


BROKEN = [
    # time, chance, waiting
    ("world", "execsvc/app/desk.py", "import time\nt = time.monotonic()\n"),
    ("world", "execsvc/app/desk.py", "from time import time_ns as now\nt = now()\n"),
    ("world", "execsvc/kraken/lane.py", "import time as clock\nread = clock.perf_counter\n"),
    ("world", "execsvc/domain/order.py", "import datetime\nt = datetime.datetime.now(datetime.UTC)\n"),
    ("world", "execsvc/domain/order.py", "from datetime import datetime\nt = datetime.utcnow()\n"),
    ("world", "execsvc/store/audit.py", "from datetime import date\nt = date.today()\n"),
    ("world", "execsvc/app/hub.py", "import random\nx = random.random()\n"),
    ("world", "execsvc/app/hub.py", "from uuid import uuid4\nx = uuid4()\n"),
    ("world", "execsvc/kraken/nonce.py", "import os\nx = os.urandom(8)\n"),
    ("world", "execsvc/app/callers.py", "import secrets\nx = secrets.token_hex()\n"),
    ("world", "execsvc/app/feeds.py", "import asyncio\nasync def f():\n    await asyncio.sleep(1)\n"),
    (
        "world",
        "execsvc/app/feeds.py",
        "import asyncio\nasync def f():\n    async with asyncio.timeout(1):\n        g()\n",
    ),
    ("world", "execsvc/app/feeds.py", "from asyncio import timeout_at as until\nx = until(3.0)\n"),
    ("world", "execsvc/kraken/rest.py", "import asyncio\nx = asyncio.wait_for(g(), 1)\n"),
    ("world", "execsvc/rpc/streams.py", "import asyncio\nx = asyncio.create_task(g())\n"),
    ("world", "execsvc/rpc/streams.py", "import asyncio\nx = asyncio.ensure_future(g())\n"),
    ("world", "execsvc/store/writer.py", "import asyncio\nx = asyncio.get_event_loop().time()\n"),
    (
        "world",
        "execsvc/store/writer.py",
        "import asyncio\nloop = asyncio.get_running_loop()\nx = loop.call_later(1, g)\n",
    ),
    ("world", "execsvc/paper/market.py", "import random\nx = random.Random()\n"),
    ("world", "execsvc/paper/market.py", "import random\nx = random.uniform(1, 2)\n"),
    ("world", "execsvc/paper/matching.py", "import time\nx = time.time()\n"),
    ("world", "execsvc/cli/look.py", "import time\nx = time.time()\n"),
    ("world", "execsvc/compose.py", "import asyncio\nx = asyncio.create_task(g())\n"),
    # one home for each of these
    ("imports", "execsvc/app/desk.py", "from opentelemetry.sdk.trace import TracerProvider\n"),
    ("imports", "execsvc/compose.py", "import opentelemetry.exporter.prometheus\n"),
    ("imports", "execsvc/domain/order.py", "import asyncio\n"),
    ("imports", "tests/unit/app/test_desk.py", "from unittest import mock\n"),
    ("imports", "tests/unit/app/test_desk.py", "from unittest.mock import AsyncMock\n"),
    ("imports", "tests/rpc/test_orders.py", "import grpc_testing\n"),
    # errors
    ("broad_except", "execsvc/app/desk.py", "try:\n    f()\nexcept Exception:\n    g()\n"),
    ("broad_except", "execsvc/app/desk.py", "try:\n    f()\nexcept (ValueError, BaseException) as e:\n    g(e)\n"),
    ("broad_except", "execsvc/app/desk.py", "try:\n    f()\nexcept Exception as e:\n    raise ValueError from e\n"),
    ("broad_except", "execsvc/kraken/rest.py", "try:\n    f()\nexcept:\n    g()\n"),
    ("broad_except", "execsvc/rpc/server.py", "try:\n    f()\nexcept* Exception:\n    g()\n"),
    (
        "broad_except",
        "clients/python/execsvc_client/_call.py",
        "import builtins\ntry:\n    f()\nexcept builtins.Exception:\n    g()\n",
    ),
    ("broad_except", "tools/gen.py", "from contextlib import suppress\nwith suppress(Exception):\n    f()\n"),
    ("servicers", "execsvc/rpc/orders.py", "async def f():\n    try:\n        g()\n    finally:\n        h()\n"),
    ("servicers", "execsvc/rpc/admin.py", "def f():\n    try:\n        g()\n    except* ValueError:\n        h()\n"),
    # money
    ("money", "execsvc/domain/money.py", "x = float('1.1')\n"),
    ("money", "execsvc/kraken/decode.py", "def f(row):\n    return float(row['price'])  # quick\n"),
    # the domain waits for nothing
    ("still_domain", "execsvc/domain/risk.py", "async def f():\n    return 1\n"),
    # a module says its purpose
    ("placeholders", "execsvc/app/desk.py", "def f():\n    raise NotImplementedError\n"),
    ("placeholders", "execsvc/app/desk.py", "def f():\n    raise NotImplementedError('later')\n"),
    ("placeholders", "execsvc/app/desk.py", "def f():\n    pass\n"),
    ("placeholders", "execsvc/app/desk.py", "class A:\n    async def f(self):\n        '''Say.'''\n        ...\n"),
    ("placeholders", "clients/python/execsvc_client/_errors.py", "class E(ValueError):\n    pass\n"),
    (
        "placeholders",
        "execsvc/ports.py",
        "class P(Protocol):\n    def f(self):\n        def g():\n            pass\n        return g\n",
    ),
    # tests that do not run
    ("skips", "tests/unit/test_a.py", "import pytest\n@pytest.mark.skip\ndef test_a():\n    f()\n"),
    ("skips", "tests/unit/test_a.py", "import pytest\n@pytest.mark.skipif(True)\ndef test_a():\n    f()\n"),
    ("skips", "tests/unit/test_a.py", "import pytest\n@pytest.mark.xfail(strict=True)\ndef test_a():\n    f()\n"),
    ("skips", "tests/unit/test_a.py", "import pytest\ndef test_a():\n    pytest.skip('')\n"),
    ("skips", "clients/python/tests/test_a.py", "import pytest\nx = pytest.importorskip('asyncpg')\n"),
    ("skips", "tests/unit/test_a.py", "import pytest\npytestmark = pytest.mark.skip\n"),
    ("skips", "tests/unit/test_a.py", "import unittest\n@unittest.skip\ndef test_a():\n    f()\n"),
    # silenced checkers
    ("suppressions", "execsvc/app/desk.py", "x = f()  # noqa\n"),
    ("suppressions", "execsvc/app/desk.py", "x = f()  # noqa: S603\n"),
    ("suppressions", "tests/unit/test_a.py", "x = f()  # type: ignore\n"),
    ("suppressions", "tests/unit/test_a.py", "x = f()  # type: ignore[misc]\n"),
    ("suppressions", "tools/gen.py", "x = f()  # type: ignore[misc]  # noqa: S603\n"),
    ("suppressions", "execsvc/app/desk.py", "# ruff: noqa\n"),
    ("suppressions", "execsvc/app/desk.py", "# mypy: ignore-errors\n"),
    # any text
    ("words", "execsvc/app/desk.py", f"# {UNDONE}: later\n"),
    ("words", "docs/guide.md", f"see {HOME}\n"),
    ("words", "tests/unit/test_a.py", f"x = '{SCRATCH}'\n"),
    ("words", "clients/typescript/package.json", f'{{"resolved": "https://{HOST}/x"}}\n'),
    ("drawers", "execsvc/app/utils.py", "x = 1\n"),
    ("drawers", "execsvc/core/desk.py", "x = 1\n"),
    ("drawers", "clients/python/execsvc_client/_base.py", "x = 1\n"),
]


@pytest.mark.parametrize(("rule", "path", "code"), BROKEN)
def test_a_broken_rule_is_found(rule: str, path: str, code: str):
    """Each way of breaking a rule is found under the name of that rule and of no other."""
    assert {rule} == set(rules_found(path, code))


KEPT = [
    ("execsvc/store/memory.py", "import asyncio\nloop = asyncio.get_running_loop()\nx = loop.call_later(1, g)\n"),
    ("execsvc/runtime/clock.py", "import time, asyncio\nx = time.monotonic()\ny = asyncio.sleep(1)\n"),
    ("execsvc/paper/server.py", "import time, asyncio\nx = time.time_ns()\ny = asyncio.create_task(g())\n"),
    ("execsvc/paper/market.py", "import random\ndef f(seed):\n    return random.Random(seed)\n"),
    ("execsvc/cli/run.py", "import asyncio, time\nx = time.monotonic()\ny = asyncio.run(g())\nz = asyncio.sleep(1)\n"),
    ("execsvc/app/desk.py", "import asyncio\nx = asyncio.Event()\ny = asyncio.TaskGroup()\n"),
    ("execsvc/app/desk.py", "from datetime import datetime\nx = datetime.fromtimestamp(3)\n"),
    ("execsvc/app/desk.py", "def f(time):\n    return time.monotonic()\n"),
    ("execsvc/app/desk.py", "from .clock import sleep\nx = sleep(1)\n"),
    ("execsvc/runtime/otel.py", "from opentelemetry.sdk.trace import TracerProvider\n"),
    ("execsvc/app/desk.py", "from opentelemetry import trace\n"),
    ("tests/unit/runtime/test_http.py", "from unittest.mock import patch\n"),
    ("clients/python/tests/test_sync.py", "import grpc_testing\n"),
    ("execsvc/rpc/gate.py", "try:\n    f()\nexcept Exception:\n    g()\n"),
    ("execsvc/app/desk.py", "try:\n    f()\nexcept (ValueError, MyException):\n    g()\n"),
    ("execsvc/app/desk.py", "try:\n    f()\nexcept BaseException:\n    g()\n    raise\n"),
    ("execsvc/rpc/gate.py", "def f():\n    try:\n        g()\n    finally:\n        h()\n"),
    ("execsvc/kraken/venuetime.py", "x = float(y)  # seconds since the epoch\n"),
    ("execsvc/cli/output.py", "x = float('1')\n"),
    ("execsvc/ports.py", "class P(Protocol):\n    async def f(self):\n        '''Say.'''\n    def g(self): ...\n"),
    ("execsvc/app/desk.py", "import typing\n@typing.overload\ndef f(x): ...\ndef f(x):\n    return x\n"),
    ("execsvc/domain/errors.py", "class E(ValueError):\n    '''Why.'''\n"),
    ("tests/unit/test_a.py", "import pytest\n@pytest.mark.skipif(True, reason='install go')\ndef test_a():\n    f()\n"),
    ("tests/unit/test_a.py", "import pytest\ndef test_a(tool):\n    pytest.skip(f'{tool} is not installed')\n"),
    ("tests/unit/test_a.py", "def test_a():\n    skip()\n"),
    ("execsvc/app/desk.py", "x = f()  # noqa: S603 - starts our own program\n"),
    ("execsvc/app/desk.py", "x = f()  # type: ignore[misc]  # the generated base has no types\n"),
    ("tools/gen.py", "x = f()  # type: ignore[misc]  # noqa: S603 - both: the stub lies\n"),
    ("execsvc/app/desk.py", "x = '# noqa'\n"),
    ("docs/guide.md", "relative/home/ann/ and ~/home and execsvc/tmp/ are fine\n"),
    ("tests/unit/test_settings.py", f"x = '{HOME}'\n"),
    ("tests/vectors/sample.json", f'"{UNDONE} {HOST} {HOME}"\n'),
    ("proto/execsvc/v1/common.proto", "// the file's name is part of the contract\n"),
]


@pytest.mark.parametrize(("path", "code"), KEPT)
def test_a_kept_rule_is_left_alone(path: str, code: str):
    """What the house allows is not reported."""
    assert [] == rules_found(path, code)


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("execsvc/app/desk.py", '"""One line."""\n', ["purpose"]),
        ("execsvc/app/desk.py", "x = 1\n", ["purpose"]),
        ("execsvc/app/desk.py", '"""One.\n\nTwo.\n"""\n', []),
        ("execsvc/app/__init__.py", '"""One line."""\n', []),
        ("execsvc/app/__init__.py", "", ["purpose"]),
        ("tests/unit/test_a.py", "", []),
    ],
)
def test_a_module_says_its_purpose(path: str, text: str, expected: list[str]):
    """Two lines of docstring in a module of the service, one in a package."""
    assert expected == [finding.rule for finding in tidy.judge(path, text)]


def test_a_finding_names_line_and_replacement():
    """A person reads where it is, which rule it is, and what to do instead."""
    [finding] = tidy.judge("execsvc/app/desk.py", ROOM + "import time\nx = time.time()\n")
    assert "execsvc/app/desk.py:7: world: time.time: ask the Clock that was handed in" in str(finding)


def test_every_rule_is_seen_to_bite():
    """No rule stands in the tables that no example above breaks."""
    broken = {rule for rule, _, _ in BROKEN} | {"purpose"}
    assert broken == {rule.check.__name__ for rule in (*tidy.PYTHON_RULES, *tidy.TEXT_RULES)}


def test_large_files_and_functions_are_places_to_look():
    """Past 400 lines of file or 40 of function tidy points, and one line less it does not."""
    body = "".join(f"    x{n} = {n}\n" for n in range(40))
    long_function, short_function = f"def f():\n{body}", f"def f():\n{body.removesuffix('    x39 = 39' + chr(10))}"
    assert [(1, "a function of 41 lines")] == list(tidy.large(tidy.File("execsvc/a.py", long_function)))
    assert [] == list(tidy.large(tidy.File("execsvc/a.py", short_function)))
    assert [1] == [line for line, _ in tidy.large(tidy.File("execsvc/a.py", "x = 1\n" * 401))]
    assert [] == list(tidy.large(tidy.File("execsvc/a.py", "x = 1\n" * 400)))


def test_sizes_never_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A place to look at is printed and the exit code stays 0."""
    (tmp_path / "execsvc").mkdir()
    (tmp_path / "execsvc" / "long.py").write_text(ROOM + "x = 1\n" * 500)
    assert 0 == tidy.main(["--sizes", "--root", str(tmp_path)])
    assert "execsvc/long.py:1: look: 505 lines" in capsys.readouterr().out


def test_one_finding_fails_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The program prints each finding and exits 1; an unpacked archive without git is judged as well."""
    (tmp_path / "execsvc").mkdir()
    (tmp_path / "execsvc" / "late.py").write_text(ROOM + "import time\nx = time.time()\n")
    assert 1 == tidy.main(["--root", str(tmp_path)])
    assert "execsvc/late.py:7: world" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed: the tracked-files half cannot run")
def test_what_git_ignores_is_not_judged(tmp_path: Path):
    """In a repository new files are judged before they are added, and ignored ones never."""
    (tmp_path / ".gitignore").write_text("ignored.py\n")
    (tmp_path / "ignored.py").write_text("x = 1\n")
    (tmp_path / "new.py").write_text("x = 1\n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\0")
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    assert [".gitignore", "new.py"] == [file.path for file in tidy.project_files(tmp_path)]


def test_this_tree_is_tidy():
    """The project keeps its own rules, judged by the program as a person runs it, without site packages."""
    ran = subprocess.run(
        [sys.executable, "-I", "-S", str(ROOT / "tools" / "tidy.py")], capture_output=True, text=True, check=False
    )
    assert (0, "") == (ran.returncode, ran.stderr), ran.stdout
