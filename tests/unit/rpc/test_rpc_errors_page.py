"""docs/reference/errors.md is what the table of reasons says."""

import re

import pytest

from execsvc.domain.errors import Reason
from execsvc.rpc.status import CODES
from tools import docs

PAGE = docs.ROOT / "docs" / "reference" / "errors.md"


def test_the_page_is_as_the_table_says():
    """The committed page is the generator's output, to the letter."""
    assert docs.errors_page() == PAGE.read_text()


def test_every_reason_has_one_anchor_in_lower_case():
    """Error messages link to #reason: each is there once; besides them only the categories that are no reason."""
    anchors = re.findall(r'<a id="([^"]+)"></a>', PAGE.read_text())
    reasons = {reason.name.lower() for reason in Reason}
    assert sorted(reasons | docs.CATEGORIES.keys()) == sorted(anchors)


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
def test_a_reason_stands_under_its_code(reason):
    """Whoever looks up a reason reads the code above it."""
    before = PAGE.read_text().partition(f"### {reason.name}\n")[0]
    assert CODES[reason].name == re.findall(r"^## ([A-Z_]+) ", before, re.MULTILINE)[-1]


def test_every_code_in_use_says_what_to_do():
    """No code without a next step, and no step for a code that is never sent."""
    assert set(CODES.values()) == set(docs.NEXT)


def test_check_finds_a_page_that_differs(tmp_path, monkeypatch, capsys):
    """--check fails on a stale page and writes nothing; without it the page is written."""
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    page = tmp_path / "docs/reference/errors.md"
    assert (1, False) == (docs.main(["--check"]), page.exists())
    assert "docs/reference/errors.md" in capsys.readouterr().out
    assert (0, 0) == (docs.main([]), docs.main(["--check"]))
    page.write_text("stale")
    assert 1 == docs.main(["--check"])
