"""The configuration file: what it says and where, its accounts; every mistake in it is told with its place."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.settings import AccountSettings, KeySource, SettingsRefused, load
from execsvc.settings.sources import lines_of
from tests.support.configs import HOME, TWO, VENUE, only, read, wrong

EXAMPLE = Path("docs/examples/execsvc.toml")


# ---- sources ---------------------------------------------------------------------------------------------------------


def test_the_environment_wins_over_the_file_and_the_command_line_over_both():
    """Whoever starts it has the last word."""
    text = 'log_level = "debug"'
    assert ["debug", "warning", "error"] == [
        read(text).log_level,
        read(text, {"EXECSVC_LOG_LEVEL": "warning"}).log_level,
        read(text, {"EXECSVC_LOG_LEVEL": "warning"}, EXECSVC_LOG_LEVEL="error").log_level,
    ]


def test_the_file_says_things_in_its_own_words():
    """True, numbers and tables, not texts of them."""
    found = read('demo = true\nseed = 7\ndeadline_floor = 2.5\nrest_costs = { ClosedOrders = 1 }\nhttp_listen = "off"')
    assert (True, 7, 2.5, {"ClosedOrders": 1}, None) == (
        found.demo,
        found.seed,
        found.deadline_floor_s,
        found.rest_costs,
        found.http,
    )


def test_where_each_setting_was_said_is_kept():
    """For `config show`: the file with its line, the environment, the command line."""
    found = read('\nlog_level = "debug"\n[accounts.main]\ntier = "pro"', {"EXECSVC_SEED": "1"}, EXECSVC_DEMO="on")
    assert {
        "EXECSVC_LOG_LEVEL": "execsvc.toml:2",
        "accounts.main": "execsvc.toml:3",
        "accounts.main.tier": "execsvc.toml:4",
        "EXECSVC_SEED": "environment",
        "EXECSVC_DEMO": "command line",
    } == dict(found.origins)


def test_every_problem_is_told_at_once():
    """Of the file's settings, its sections and the environment together."""
    text = 'tier = "gold"\nlisten = 5\n[accounts.main]\nteir = "pro"\n[callers.x]\npermissions = ["fly"]\n[risk]\nx = 1'
    assert 6 == len(wrong(text, {"EXECSVC_TYPO": "1"}))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('\nlog_levle = "debug"', "execsvc.toml:2: log_levle: no such key; did you mean log_level?"),
        ("[acounts.main]", "execsvc.toml:1: acounts: no such key; did you mean accounts?"),
        ('[accounts.main]\nteir = "pro"', "execsvc.toml:2: accounts.main.teir: no such key; did you mean tier?"),
        ('[tls]\ncert = "x"', "execsvc.toml:2: tls.cert: no such key; did you mean cert_file?"),
        (
            "[risk]\nmax_notional = 1",
            "execsvc.toml:2: risk.max_notional: no such key; did you mean max_open_notional?",
        ),
        ('tier = "gold"', "execsvc.toml:1: tier = gold: must be one of starter, intermediate, pro, unlimited"),
        ("seed = true", "execsvc.toml:1: seed: a whole number, of at most 18 digits"),
        ("demo = 1", "execsvc.toml:1: demo: true or false"),
        (
            '[accounts.main]\ndead_mans_switch = "60"',
            'execsvc.toml:2: accounts.main.dead_mans_switch: a whole number, not "60"',
        ),
        ("[callers.a]\nweight = 2", "execsvc.toml:1: callers.a: permissions is missing"),
        ("[callers.a]\npermissions = [1]", "execsvc.toml:2: callers.a.permissions[0]: text, in quotes, not 1"),
        ('[callers.a]\npermissions = "x"', 'execsvc.toml:2: callers.a.permissions: a list, written in [ ], not "x"'),
        ("[risk]\nmax_open_orders = 2.5", "execsvc.toml:2: risk.max_open_orders: a whole number, not 2.5"),
        ('[risk]\nmax_order_notional = "a"', 'execsvc.toml:2: risk.max_order_notional: a number, not "a"'),
        ("[risk]\nmax_order_notional = true", "execsvc.toml:2: risk.max_order_notional: a number, not true"),
        ("[risk]\nshadow = { a = 1 }", "execsvc.toml:2: risk.shadow: a list, written in [ ], not a table"),
        (
            "[risk]\nduplicates = 2026-01-01",
            "execsvc.toml:2: risk.duplicates: one of warn, refuse, off, not a date or time",
        ),
        (
            "seed = 1\n[tls]\ncert_file = 'a'",
            "execsvc.toml:3: tls.cert_file: TLS needs a certificate and its key; tls.key_file not set",
        ),
        ("dead_mans_switch = 5", "execsvc.toml:1: dead_mans_switch = 5: 0 or 15 to 3600 seconds"),
        (
            "seed = 1\nretention_days = 500",
            "execsvc.toml:2: retention_days = 500: must not be above id_retention_days, which is 400",
        ),
        (
            "caller_weights = { a = 101 }",
            "execsvc.toml:1: caller_weights: 'a=101' is not name=figure with a figure from 1 to 100, each name once",
        ),
        (
            "kraken_ws_url = 'ws://127.0.0.1:1'\nkraken_rest_url = 'http://127.0.0.1:1'",
            "execsvc.toml:2: kraken_rest_url: give all three venue addresses or none; kraken_ws_auth_url not set",
        ),
        (
            "[accounts.main]\n[accounts.MAIN]",
            "execsvc.toml:2: accounts.MAIN: only capitals tell it from main; choose another name",
        ),
        (
            "[callers.a]\npermissions = []\n[callers.A]\npermissions = []",
            "execsvc.toml:3: callers.A: only capitals tell it from a; choose another name",
        ),
    ],
)
def test_a_mistake_is_told_with_line_path_and_remedy(text, said):
    """One sentence that needs no manual."""
    assert said == only(wrong(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed = 1\na = = 1", "execsvc.toml:2: not TOML: Invalid value, in column 5"),
        ("seed = 1\nfoo", "execsvc.toml:2: not TOML: Expected '=' after a key"),
        ("seed = 1" + "0" * 5000, "execsvc.toml: not TOML: a whole number has at most 18 digits"),
        ("a = " + "[" * 100_000, "execsvc.toml: not TOML: lists within lists"),
    ],
)
def test_what_is_not_toml_is_said_with_its_place(text, said):
    """In front, as of every problem, as far as the parser tells it."""
    assert only(wrong(text)).startswith(said)


@pytest.mark.parametrize(
    "figure", ["0.1e400", "1e999999999", "1e99999999999999999999", "1e18", "1e-19", "9" * 30, "0x" + "f" * 5000]
)
@pytest.mark.parametrize(
    "place", ["seed", "deadline_floor", "max_order_notional", "risk.max_order_notional", "risk.max_open_orders"]
)
def test_no_number_has_more_digits_than_the_contract(place, figure):
    """It is a problem in a line, not a process that runs out of memory."""
    problem = only(wrong(f"{place} = {figure}"))
    assert (f"execsvc.toml:1: {place}", True) == (problem[: len(place) + 16], len(problem) < 200)


@pytest.mark.parametrize("text", ['"0.1e400"', '"1e18"', "1e400", "0.0000000000000000001"])
def test_a_callers_largest_order_is_held_to_the_same_digits(text):
    """Whether it is written as a number or as text."""
    told = only(wrong(f"[callers.a]\npermissions = []\nmax_order_notional = {text}"))
    assert "execsvc.toml:3: callers.a.max_order_notional: at most 18 digits before the point and 18 behind it" == told


@pytest.mark.parametrize("key", ["api_secret", "api_key", "secret", "private_key", "password", "token", "API-Secret"])
def test_a_secret_in_the_file_is_refused_with_what_to_do_and_not_repeated(key):
    """A file that is copied, committed and shown is no place for one."""
    said = only(wrong(f'[accounts.main]\n{key} = "kQH5HW/8p1uGOVjbgWA7"'))
    assert said.startswith(f"execsvc.toml:2: accounts.main.{key}: a secret has no place in this file")
    assert "kQH5HW" not in said


@pytest.mark.parametrize("name", ["EXECSVC_CLEAR_HALT", "EXECSVC_CONFIG"])
def test_what_is_meant_for_one_start_cannot_be_written_down(name):
    """A halt that a file clears would never hold again."""
    key = name.removeprefix("EXECSVC_").lower()
    assert f"execsvc.toml:1: {key}: no such key" in only(wrong(f'{key} = "x"'))


def test_paths_go_from_the_files_own_folder():
    """However and wherever execsvc is started."""
    found = read('tokens = "tokens.toml"\n[tls]\ncert_file = "a.pem"\nkey_file = "/b.pem"')
    assert Path("/etc/execsvc/tokens.toml") == found.tokens
    assert (Path("/etc/execsvc/a.pem"), Path("/b.pem")) == (found.tls.certificate, found.tls.key)


def test_a_file_that_others_can_write_is_refused(tmp_path):
    """Whoever writes it grants himself rights."""
    path = tmp_path / "execsvc.toml"
    path.write_text("seed = 5")
    path.chmod(0o646)
    with pytest.raises(SettingsRefused, match="chmod o-w"):
        load(HOME, overrides={"EXECSVC_CONFIG": str(path)}, dev=False)
    path.chmod(0o644)
    assert 5 == load({**HOME, "EXECSVC_CONFIG": str(path)}, overrides={}, dev=False).seed


@pytest.mark.parametrize("raw", [None, b"\xff\xfe", b"#" * (1 << 20) + b"\n"])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path, raw):
    """Absent, not text, or far too large."""
    path = tmp_path / "execsvc.toml"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(SettingsRefused) as refused:
        load(HOME, overrides={"EXECSVC_CONFIG": str(path)}, dev=False)
    assert only(refused.value.problems).startswith(f"{path}: ")


def test_lines_are_known_of_keys_sections_and_rows():
    """Rows of one name are counted from 0."""
    text = 'a = 1\n[b.c]\n"d" = 2\n\n[[e.f]]\ng = 1\n[[e.f]]\n  g = 2'
    expected = {"a": 1, "b.c": 2, "b.c.d": 3, "e.f[0]": 5, "e.f[0].g": 6, "e.f[1]": 7, "e.f[1].g": 8}
    assert expected == lines_of(text)


def ends_well(text):
    """Whether it is settings, or problems that are told."""
    try:
        return read(text).accounts
    except SettingsRefused as refused:
        return refused.problems


@given(st.text(alphabet="[]{}=.\"'ab_\n #:-1", max_size=60))
def test_no_text_is_worse_than_refused(text):
    """Whatever stands in the file, it is settings or a list of problems."""
    assert ends_well(text)


VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(-9, 9), st.sampled_from(['"x"', '""', "nan", "inf", "1e400", "2026-01-01"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2).map(lambda each: "[" + ", ".join(map(_toml, each)) + "]"),
        inner.map(lambda each: "{ a = " + _toml(each) + " }"),
    ),
    max_leaves=4,
)
PLACES = [
    *[
        "mode",
        "listen",
        "seed",
        "demo",
        "max_order_notional",
        "rest_costs",
        "accounts",
        "callers",
        "risk",
        "tls",
        "risk.rules",
    ],
    *[
        "accounts.a.tier",
        "accounts.a.key_file",
        "callers.a.permissions",
        "callers.a.weight",
        "callers.a.max_order_notional",
    ],
    *["risk.max_order_notional", "risk.shadow", "risk.duplicates", "tls.cert_file", "callers.a.sides"],
]


def _toml(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


@given(st.sampled_from(PLACES), VALUES)
def test_a_value_of_any_kind_in_any_place_is_settings_or_problems(place, value):
    """No kind of value reaches code that did not expect it."""
    assert ends_well(f"{place} = {_toml(value)}")


# ---- accounts --------------------------------------------------------------------------------------------------------


def test_accounts_have_keys_of_their_own():
    """By file each, in the order they were written."""
    assert (
        AccountSettings("main", KeySource(Path("/etc/execsvc/main.key"), Path("/etc/execsvc/main.secret"))),
        AccountSettings("hedge", KeySource(Path("/keys/hedge.key"), Path("/keys/hedge.secret"))),
    ) == read(TWO, VENUE).accounts


def test_an_account_has_its_own_figures_in_place_of_the_common_ones():
    """Of which the environment's are the last word for all."""
    text = 'tier = "pro"\ndead_mans_switch = 30\n[accounts.a]\ntier = "starter"\n[accounts.b]\ndead_mans_switch = 0'
    assert [("a", "starter", 30), ("b", "pro", 0)] == [
        (each.name, each.tier, each.dead_man_s) for each in read(text).accounts
    ]
    told = read(text, {"EXECSVC_TIER": "intermediate", "EXECSVC_DEAD_MANS_SWITCH": "60"}).accounts
    assert [("intermediate", 60)] * 2 == [(each.tier, each.dead_man_s) for each in told]


def test_a_single_account_may_have_its_key_from_the_environment():
    """Which wins over the file, as everywhere."""
    text = '[accounts.desk]\nkey_file = "a"\nsecret_file = "b"'
    (account,) = read(text, {**VENUE, "KRAKEN_API_KEY_FILE": "/k", "KRAKEN_API_SECRET_FILE": "/s"}).accounts
    assert AccountSettings("desk", KeySource(Path("/k"), Path("/s"))) == account


def test_of_several_accounts_the_environment_is_nobodys_key():
    """It does not say which one it means."""
    assert only(wrong(TWO, {**VENUE, "KRAKEN_API_KEY": "x"})).startswith(
        "KRAKEN_API_KEY: of which of several accounts?"
    )


def test_an_account_without_a_key_is_named():
    """The path says where to write it."""
    text = TWO.replace('secret_file = "/keys/hedge.secret"', "")
    assert "accounts.hedge: secret_file is missing" in only(wrong(text, VENUE))


def test_systemds_credentials_stand_for_files():
    """What lies in their folder is read when the keys are."""
    found = read("[accounts.a]\n[accounts.b]", {**VENUE, "CREDENTIALS_DIRECTORY": "/run/credentials/execsvc"})
    assert [KeySource(None, None)] * 2 == [each.keys for each in found.accounts]


def test_two_accounts_cannot_share_a_key():
    """Each would undo the other's count of calls."""
    text = TWO.replace("/keys/hedge.key", "main.key")
    told = "execsvc.toml:6: accounts.hedge.key_file: is that of main; each account has a key of its own"
    assert told == only(wrong(text, VENUE))


@pytest.mark.parametrize("name", ['"a b"', '"*"', '""', '"' + "x" * 65 + '"'])
def test_an_accounts_name_is_one_word(name):
    """It goes into names of files, rights and metrics."""
    assert "an account's name is" in wrong(f"[accounts.{name}]")[0]


@pytest.mark.parametrize("seconds", [1, 14, 3601, -1])
def test_a_dead_mans_switch_is_off_or_within_its_bounds(seconds):
    """It is refreshed three times within its time."""
    assert "0 or 15 to 3600 seconds" in only(wrong(f"[accounts.a]\ndead_mans_switch = {seconds}"))


def test_no_live_account_is_without_limits():
    """At Kraken there is none."""
    text = TWO.replace('key_file = "main.key"', 'key_file = "main.key"\ntier = "unlimited"')
    problem = only(wrong(text, {"EXECSVC_MODE": "live", "EXECSVC_MAX_ORDER_NOTIONAL": "1"}))
    assert "execsvc.toml:4: accounts.main.tier: no account at Kraken is without limits" in problem


# ---- the example -----------------------------------------------------------------------------------------------------


def test_the_example_is_settings():
    """Two accounts, four callers, five rules, TLS, tokens; nothing in it is wrong."""
    found = load(HOME, overrides={"EXECSVC_CONFIG": str(EXAMPLE)}, dev=False)
    assert ["main", "hedge"] == [each.name for each in found.accounts]
    assert ["momentum", "hedger", "risk", "dashboard"] == [each.name for each in found.callers]
    assert (5, True, True) == (len(found.risk.rules), found.tls is not None, found.tokens is not None)
