"""What buf says of the contract: style, format, and what a release may not take away."""

import shutil
from pathlib import Path

import pytest

from tests.house.contract_source import ROOT, buf

CONFIG = """\
version: v2
modules:
  - path: proto
lint:
  use:
    - STANDARD
    - COMMENTS
breaking:
  use:
    - FILE
"""


@pytest.mark.parametrize(
    "arguments",
    [("lint",), ("format", "--diff", "--exit-code"), ("breaking", "--against", "proto/contract.binpb")],
    ids=["lint", "format", "breaking"],
)
def test_buf_has_nothing_to_say(arguments: tuple[str, ...]) -> None:
    """Lint, format and compatibility with the last release hold without exceptions."""
    found = buf(*arguments)
    assert (found.returncode, found.stdout.decode(), found.stderr.decode()) == (0, "", "")


def test_lint_has_no_exceptions() -> None:
    """buf.yaml asks for all of STANDARD and COMMENTS, breaking by FILE, and excuses nothing; nor does a file."""
    assert (ROOT / "buf.yaml").read_text("utf-8") == CONFIG
    assert not [p.name for p in (ROOT / "proto").rglob("*.proto") if "buf:lint" in p.read_text("utf-8")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("bool maker = 12;", "bool is_maker = 12;"),
        ("bool maker = 12;", "bool maker = 15;"),
        ("bool maker = 12;", "string maker = 12;"),
        ("SIDE_SELL = 2;", "SIDE_SHORT = 2;"),
    ],
    ids=["rename a field", "renumber a field", "retype a field", "rename a value"],
)
def test_breaking_is_noticed(tmp_path: Path, old: str, new: str) -> None:
    """A change that breaks a caller of the last release fails against its image."""
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    shutil.copytree(ROOT / "proto", tmp_path / "proto")
    changed = [path for path in (tmp_path / "proto").rglob("*.proto") if old in path.read_text("utf-8")]
    assert len(changed) == 1
    changed[0].write_text(changed[0].read_text("utf-8").replace(old, new), "utf-8")
    assert buf("breaking", "--against", str(ROOT / "proto" / "contract.binpb"), cwd=tmp_path).returncode == 100
