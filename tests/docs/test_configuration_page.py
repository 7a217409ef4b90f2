"""The page of the configuration is made from the settings: every name is on it, and it is as they are now."""

import re
from pathlib import Path

from execsvc.settings.names import CLIENT_NAMES, KEY_NAMES, NAMES
from tools.config_page import config_page

PAGE = Path("docs/reference/configuration.md")
SOURCES = [*Path("execsvc").rglob("*.py"), *Path("clients/python/execsvc_client").glob("*.py")]


def test_the_page_is_as_the_settings_say():
    """tools/docs.py writes it."""
    assert config_page() == PAGE.read_text()


def test_every_name_is_on_the_page_and_on_no_other_list():
    """Once each: a name that is the daemon's and the client's would be two things."""
    names = [*(each.name for each in NAMES), *KEY_NAMES, *CLIENT_NAMES]
    assert len(names) == len(set(names))
    assert set(names) <= set(re.findall(r"^\| `([A-Z_]+)` \|", PAGE.read_text(), re.MULTILINE))


def test_no_name_is_read_that_the_page_does_not_have():
    """Whatever the code asks of the environment, a person can look up."""
    read = {name for path in SOURCES for name in re.findall(r'"(EXECSVC_[A-Z_]*[A-Z])"', path.read_text())}
    known = {*(each.name for each in NAMES), *CLIENT_NAMES, "EXECSVC_HEALTH_LISTEN"}
    assert [] == [name for name in sorted(read) if not any(each.startswith(name) for each in known)]
