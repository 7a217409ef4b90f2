"""The floors of the house: the import contracts hold, each is seen to break, and the picture shows them."""

import itertools
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
CONTRACTS = {contract["name"]: contract for contract in CONFIG["contracts"]}
FLOORS = [re.split(r"\s*\|\s*", floor) for floor in next(iter(CONTRACTS.values()))["layers"]]

# One import per contract that its sentence forbids: the file it stands in, and the line.
VIOLATIONS = {
    "Floors: imports go down; neighbours do not know each other": [
        ("execsvc/app/desk.py", "import execsvc.rpc"),  # up
        ("execsvc/kraken/rest.py", "import execsvc.store"),  # sideways
        ("execsvc/attic/box.py", "import execsvc.domain"),  # a room without a floor
    ],
    "Adapters implement ports; they never reach into the use cases": [("execsvc/kraken/rest.py", "import execsvc.app")],
    "The web door stands on rpc alone": [("execsvc/web/app.py", "import execsvc.kraken")],
    "The paper exchange is sealed": [
        ("execsvc/paper/ledger.py", "import execsvc.domain"),
        ("execsvc/paper/ledger.py", "import execsvc_client"),
    ],
    "Wire types are opened at the rpc edge only": [("execsvc/app/desk.py", "import execsvc_api.v1")],
    "The client knows the wire, not the server": [("execsvc_client/call.py", "import execsvc.domain")],
    "Inside: no gRPC, no sockets, no SQL": [
        ("execsvc/domain/order.py", "import grpc"),
        ("execsvc/app/desk.py", "import sqlite3"),
        ("execsvc/kraken/rest.py", "import aiohttp"),
    ],
    "No cycles between siblings anywhere": [("execsvc/app/desk.py", "import execsvc.app.hub")],
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def miniature(tmp_path: Path) -> Path:
    """A tree with every room of the contracts and a few lawful imports, under the project's own configuration."""
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    rooms = [f"execsvc/{room}" for floor in FLOORS for room in floor if room != "__main__"]
    for package in ("execsvc", "execsvc_api", "execsvc_api/v1", "execsvc_client", *rooms):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    for path, line in {
        "execsvc/__main__.py": "import execsvc.cli",
        "execsvc/cli/run.py": "import execsvc.compose, execsvc_client",
        "execsvc/web/connect.py": "import execsvc.rpc.gate",
        "execsvc/rpc/gate.py": "import execsvc.app.desk, execsvc_api.v1, grpc",
        "execsvc/app/desk.py": "import execsvc.ports, execsvc.domain",
        "execsvc/app/hub.py": "import execsvc.app.desk",
        "execsvc/kraken/rest.py": "import execsvc.ports",
        "execsvc_client/call.py": "import execsvc_api.v1",
    }.items():
        (tmp_path / path).write_text(line + "\n")
    return tmp_path


def test_this_tree_keeps_every_contract():
    """Nothing in the service or the client imports against the floors."""
    ran = lint_imports(ROOT)
    assert f"{len(CONTRACTS)} kept, 0 broken" in ran.stdout, ran.stdout + ran.stderr


def test_the_miniature_keeps_every_contract(miniature: Path):
    """Lawful imports are left alone, so that what breaks below is the violation."""
    ran = lint_imports(miniature)
    assert f"{len(CONTRACTS)} kept, 0 broken" in ran.stdout, ran.stdout + ran.stderr


def test_every_contract_has_a_violation():
    """A contract that is never seen to break may be one that cannot."""
    assert list(CONTRACTS) == list(VIOLATIONS)


@pytest.mark.parametrize(
    ("contract", "path", "line"),
    [(contract, path, line) for contract, imports in VIOLATIONS.items() for path, line in imports],
)
def test_a_contract_breaks_when_violated(contract: str, path: str, line: str, miniature: Path):
    """Each contract reports the import that its sentence forbids."""
    file = miniature / path
    file.parent.mkdir(exist_ok=True)
    (file.parent / "__init__.py").touch()
    with file.open("a") as text:
        text.write(line + "\n")
    ran = lint_imports(miniature)
    assert 1 == ran.returncode, ran.stdout + ran.stderr
    assert re.search(rf"^{re.escape(contract)} BROKEN", ran.stdout, re.MULTILINE), ran.stdout


def test_the_picture_shows_the_contracts():
    """The drawing of the floors in ARCHITECTURE.md has every room of the contracts, higher floors above lower ones."""
    page = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    picture = page.partition("## The floors")[2].partition("```")[2].partition("```")[0].splitlines()
    heights = [
        {next(number for number, line in enumerate(picture) if re.search(rf"\b{room}\b", line)) for room in floor}
        for floor in FLOORS
    ]
    for above, below in itertools.pairwise(heights):
        assert max(above) <= min(below), (above, below)


# --- what `execsvc --help` may import ------------------------------------------------------------------
HEAVY = {"grpc", "aiohttp", "structlog", "textual", "opentelemetry", "google", "uvloop"}


def modules_after(code: str) -> tuple[int, set[str]]:
    """The exit code of a Python program, and the top-level packages it had loaded when it ended."""
    watch = (
        "import json, sys\n"
        f"try:\n    {code}\n    ended = 0\n"
        "except SystemExit as end:\n    ended = end.code or 0\n"
        "print('\\n' + json.dumps([ended, sorted({name.partition('.')[0] for name in sys.modules})]))\n"
    )
    ran = subprocess.run([sys.executable, "-c", watch], cwd=ROOT, capture_output=True, text=True, check=False)
    assert 0 == ran.returncode, ran.stderr
    ended, names = json.loads(ran.stdout.splitlines()[-1])
    return ended, set(names)


def test_help_imports_nothing_heavy():
    """`execsvc --help` answers without loading gRPC, aiohttp, telemetry or a terminal toolkit."""
    ended, loaded = modules_after(
        "import runpy; sys.argv = ['execsvc', '--help']; runpy.run_module('execsvc', run_name='__main__')"
    )
    assert (0, set()) == (ended, loaded & HEAVY)
    assert "typer" in loaded


def test_a_heavy_import_is_seen():
    """The look at what is loaded finds a heavy package when there is one."""
    assert {"aiohttp"} == modules_after("import aiohttp")[1] & HEAVY
