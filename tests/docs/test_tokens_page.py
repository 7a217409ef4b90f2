"""docs/guides/tokens.md: bundles, methods, options and figures are those of the code."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from execsvc.cli.main import app
from execsvc.cli.token import GONE_AFTER_DAYS
from execsvc.cli.tokenwish import life_ns
from execsvc.compose.identity import FIRST
from execsvc.domain.caller import UNBOUND, Grant, Permission
from execsvc.domain.rights import BUNDLES, RESERVED, rights_of
from execsvc.domain.token import DAY_NS, LIFE_DAYS
from execsvc.rpc import quotas
from execsvc.rpc.permits import PERMITS
from execsvc.runtime.tokenregistry import LOOK_S, USED_EVERY_S
from execsvc.settings import ConfigText, from_sources

PAGE = Path("docs/guides/tokens.md").read_text()
TOKEN = get_command(app).commands["token"]


def test_the_bundles_are_those_of_the_code():
    """Each with its permissions, in the order of the contract."""
    rows = re.findall(r"^\| `(\w+)` \| ((?:`\w+` ?)+) \| [^|]+ \|$", PAGE, re.MULTILINE)
    assert {name: set(words) for name, words in BUNDLES.items()} == {
        name: {Permission(word) for word in re.findall(r"`(\w+)`", words)} for name, words in rows
    }


def test_every_method_has_the_row_of_its_permission():
    """As permits.py has it; `any token` where none is named."""
    rows = dict(re.findall(r"^\| `(\w+/\w+)` \| (.+) \|$", PAGE, re.MULTILINE))
    assert {
        permit.short: " or ".join(f"`{word}`" for word in sorted(each.value for each in permit.permissions))
        or "any token"
        for permit in PERMITS.values()
    } == rows


def test_every_option_of_bake_is_explained():
    """Those that say what the token is; the rest is said by every verb's help."""
    options = {name for each in TOKEN.commands["bake"].params for name in each.opts if name.startswith("--")}
    told = set(re.findall(r"`(--[a-z-]+)`", PAGE))
    assert options - {"--file", "--config", "--output"} <= told
    assert told - {"--token-file"} <= options


@pytest.mark.parametrize("verb", sorted(set(re.findall(r"execsvc token (\w+)", PAGE))))
def test_every_verb_of_the_page_can_be_typed(verb):
    """Bake, list, revoke."""
    assert verb in TOKEN.commands


def test_the_callers_section_can_be_used():
    """The example is read as it stands, and means what the page says."""
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    loaded = from_sources({}, {}, ConfigText(Path("execsvc.toml"), "[accounts.main]\n" + example), dev=False)
    (caller,) = loaded.callers
    assert (("momentum.desk.example",), {"BTC/USD", "ETH/USD"}) == (
        caller.certificates,
        set(caller.grants["main"].symbols),
    )


def test_the_figures_are_those_in_force():
    """Bounds, spans, names: each where the page tells it."""
    assert f"{quotas.MAX_STREAMS:,} streams open" in PAGE
    assert f"{quotas.MAX_CALLS} calls in flight, and apart from these {quotas.MAX_CANCELS} cancels" in PAGE
    assert (1, 0.5, 60.0) == (PAGE.count("twice a second"), LOOK_S, USED_EVERY_S)
    assert f"stays in the list for {GONE_AFTER_DAYS} days" in PAGE
    assert life_ns("", LIFE_DAYS) == life_ns("90d", 1) == 90 * DAY_NS
    assert all(f"`{name}.token`" in PAGE for name in FIRST)
    assert all(f"`{name}`" in PAGE for name in RESERVED)


def test_permissions_without_an_account_are_the_two_that_the_page_names():
    """And the other words are refused without one."""
    assert {Permission.MARKET, Permission.ADMIN} == UNBOUND
    assert "`market` and `admin` belong to no account" in PAGE
    assert Grant(frozenset({Permission.TRADE})) == rights_of(["trade:*"]).grants["*"]
