"""The errors page has an anchor for whatever the command line points at."""

import re
from pathlib import Path

from execsvc.cli import exits
from tools import docs

PAGE = Path("docs/reference/errors.md").read_text()
ANCHORS = set(re.findall(r'<a id="([a-z_]+)">', PAGE))


def test_every_reason_and_category_has_an_anchor():
    """The envelope's `docs` is never a dead end."""
    assert {name.lower() for name in exits.BY_REASON} | exits.CATEGORIES <= ANCHORS


def test_every_exit_code_and_category_is_explained():
    """The page's tables are total over the codes and categories in use."""
    used = {row.exit for row in (*exits.BY_REASON.values(), *exits.BY_CODE.values(), exits.OUTCOME_UNKNOWN)}
    assert used <= docs.EXITS.keys()
    assert exits.CATEGORIES == docs.CATEGORIES.keys()
