"""config check, show and schema: what is wrong and an exit code, what is in force and whence, what may be written."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from execsvc.domain.riskrules import RiskRule
from execsvc.settings.names import NAMES
from execsvc.settings.schema import DRAFT, schema
from tests.support.certs import Authority
from tests.support.configs import VENUE
from tests.support.tokens import baked, token_file

EXAMPLE = Path("docs/examples/execsvc.toml")


@pytest.fixture
def place(tmp_path):
    """The example with every file that it names."""
    for name in ("main.key", "main.secret", "hedge.key", "hedge.secret"):
        file = tmp_path / "keys" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("c2VjcmV0\n")
        file.chmod(0o600)
    tls = Authority(tmp_path / "tls", "callers-ca")
    leaf = tls.leaf("server")
    tls.certificate.rename(tmp_path / "tls" / "callers-ca.pem")
    leaf.certificate.rename(tmp_path / "tls" / "server.pem")
    path = tmp_path / "execsvc.toml"
    path.write_text(EXAMPLE.read_text())
    return path


def test_a_whole_configuration_is_one_line_and_exit_0(execsvc, place):
    """How many of what, and which money."""
    said = execsvc("config", "check", str(place))
    assert (0, f"{place}: live mode, 2 account(s), 4 caller(s), 5 rule(s); nothing wrong\n") == (said.code, said.out)


def test_every_problem_is_a_line_and_exit_3(execsvc, place):
    """On stderr; nothing is said on stdout."""
    place.write_text(place.read_text().replace('tier = "pro"', 'tier = "gold"').replace("weight = 3", "wieght = 3"))
    said = execsvc("config", "check", str(place))
    assert (3, "") == (said.code, said.out)
    assert [
        "execsvc.toml:20: accounts.main.tier: must be one of starter, intermediate, pro, unlimited",
        "execsvc.toml:46: callers.risk.wieght: no such key; did you mean weight?",
    ] == said.err.splitlines()


def test_a_key_file_that_others_can_read_is_a_problem(execsvc, place):
    """As serve would say; the content is not repeated."""
    (place.parent / "keys" / "main.secret").chmod(0o644)
    said = execsvc("config", "check", str(place))
    assert 3 == said.code
    assert said.err.startswith("execsvc.toml:19: accounts.main.secret_file: ")
    assert "c2VjcmV0" not in said.err


@pytest.mark.parametrize("name", ["keys/hedge.key", "tls/server.key"])
def test_a_file_that_is_not_there_is_a_problem(execsvc, place, name):
    """With the key of the configuration that names it."""
    (place.parent / name).unlink()
    said = execsvc("config", "check", str(place))
    assert (3, 1) == (said.code, len(said.err.splitlines()))
    assert str(place.parent / name) in said.err


def test_what_is_allowed_and_seldom_meant_is_a_warning(execsvc, place):
    """It says a fact and refuses nothing."""
    text = place.read_text().replace('client_ca_file = "tls/callers-ca.pem"', "")
    place.write_text(text.replace('symbols = ["BTC/USD", "ETH/USD"]', ""))
    said = execsvc("config", "check", str(place))
    assert 0 == said.code
    assert "warning: callers have certificates, but tls.client_ca_file is not set: they prove nothing" in said.err
    assert "warning: callers.momentum: may trade every pair" in said.err


def test_a_certificate_that_serve_would_refuse_is_a_problem(execsvc, place):
    """A key that is another's, told with the line of the file."""
    Authority(place.parent / "tls", "other").leaf("server")
    said = execsvc("config", "check", str(place))
    assert (3, 1) == (said.code, len(said.err.splitlines()))
    assert re.match(r"execsvc\.toml:\d+: tls: .*server\.pem, .*server\.key: not a certificate and its key", said.err)


def test_keys_that_were_not_looked_at_are_told(execsvc, place):
    """The built-in exchange needs none: what is wrong with them shows in live mode only."""
    place.write_text(place.read_text().replace('mode = "live"', 'mode = "paper"'))
    (place.parent / "keys" / "main.key").unlink()
    said = execsvc("config", "check", str(place))
    assert (0, True) == (said.code, "warning: the built-in exchange needs no key" in said.err)


@pytest.mark.parametrize(("named", "warned"), [("momntum", True), ("momentum", False), ("bot", False)])
def test_a_rule_for_a_caller_nobody_knows_is_a_warning(execsvc, place, named, warned):
    """Neither a section nor a token has that name; a rule for it bounds nobody."""
    tokens = token_file(place.parent / "state" / "tokens.toml", baked("bot", "market")[0])
    text = place.read_text().replace('"/var/lib/execsvc/tokens.toml"', f'"{tokens}"')
    place.write_text(text.replace('caller = "momentum"', f'caller = "{named}"'))
    said = execsvc("config", "check", str(place))
    told = f"no caller {named!r} has a section or a token: the rule bounds nobody yet; did you mean momentum?"
    assert (0, warned) == (said.code, told in said.err)


def test_the_file_is_that_of_the_environment_where_none_is_named(execsvc, place, monkeypatch):
    """As for serve."""
    monkeypatch.setenv("EXECSVC_CONFIG", str(place))
    assert execsvc("config", "check").out.startswith(f"{place}: live mode")


def test_what_is_in_force_is_shown_with_its_place(execsvc, place, monkeypatch):
    """The environment's, the file's by line, and defaults; keys by their files alone."""
    monkeypatch.setenv("EXECSVC_LOG_LEVEL", "debug")
    told = {row["name"]: row for row in json.loads(execsvc("config", "show", str(place), "--output", "json").out)}
    assert ("debug", "environment") == (told["EXECSVC_LOG_LEVEL"]["value"], told["EXECSVC_LOG_LEVEL"]["origin"])
    assert ("live", "execsvc.toml:5") == (told["EXECSVC_MODE"]["value"], told["EXECSVC_MODE"]["origin"])
    assert ("90", "default") == (told["EXECSVC_RETENTION_DAYS"]["value"], told["EXECSVC_RETENTION_DAYS"]["origin"])
    key = told["accounts.hedge.key_file"]
    assert (str(place.parent / "keys" / "hedge.key"), "execsvc.toml:24") == (key["value"], key["origin"])
    assert "account hedge, symbol BTC/USD: max_order_quantity 0.5" == told["risk.rules[1]"]["value"]
    assert "execsvc.toml:53" == told["risk"]["origin"]


def test_where_the_key_is_read_from_is_shown_in_words(execsvc, place, monkeypatch):
    """Its file with the place that names it; that it is not used on paper; the environment, never what stands in it."""

    def key_file(text):
        place.write_text(text)
        rows = json.loads(execsvc("config", "show", str(place), "--output", "json").out)
        return next((row["value"], row["origin"]) for row in rows if row["name"] == "accounts.main.key_file")

    named = '[accounts.main]\nkey_file = "/k"\nsecret_file = "/s"\n'
    paper = [key_file(named), key_file("seed = 1")]
    for name, value in VENUE.items():
        monkeypatch.setenv(name, value)
    venue = [key_file(named)]
    monkeypatch.setenv("KRAKEN_API_KEY", "not-to-be-seen")
    monkeypatch.setenv("KRAKEN_API_SECRET_FILE", "/other")
    assert [
        ("not used: the built-in exchange needs no key", f"{place.name}:2"),
        ("none", "default"),
        ("/k", f"{place.name}:2"),
        ("KRAKEN_API_KEY itself", "environment"),
    ] == [*paper, *venue, key_file("seed = 1")]


def test_what_outranks_an_accounts_own_figure_is_where_it_is_from(execsvc, place, monkeypatch):
    """The environment's word for all accounts, else the line of the account's own, else the common one's."""
    place.write_text("dead_mans_switch = 30\n" + place.read_text())
    monkeypatch.setenv("EXECSVC_TIER", "starter")
    told = {row["name"]: row for row in json.loads(execsvc("config", "show", str(place), "--output", "json").out)}
    names = ("accounts.main.tier", "accounts.main.dead_mans_switch", "accounts.hedge.dead_mans_switch")
    assert [("starter", "environment"), ("60", "execsvc.toml:22"), ("30", "execsvc.toml:1")] == [
        (told[name]["value"], told[name]["origin"]) for name in names
    ]


def test_every_setting_is_shown(execsvc, place):
    """One that is in force and not shown would be looked for in vain."""
    told = {row["name"] for row in json.loads(execsvc("config", "show", str(place), "--output", "json").out)}
    of_accounts = {"EXECSVC_TIER", "EXECSVC_DEAD_MANS_SWITCH", "EXECSVC_MAX_ORDER_NOTIONAL"}
    assert {each.name for each in NAMES} - of_accounts == {name for name in told if name.startswith("EXECSVC_")}


def test_rules_have_the_places_they_were_written_in(execsvc, place, monkeypatch):
    """That of the environment comes first and takes nobody's place."""
    monkeypatch.setenv("EXECSVC_MAX_ORDER_NOTIONAL", "10")
    told = {row["name"]: row for row in json.loads(execsvc("config", "show", str(place), "--output", "json").out)}
    assert ("every order: max_order_notional 10", "environment") == (
        told["EXECSVC_MAX_ORDER_NOTIONAL"]["value"],
        told["EXECSVC_MAX_ORDER_NOTIONAL"]["origin"],
    )
    assert told["risk.rules[3]"]["value"].startswith("caller hedger: ")


# ---- the schema ------------------------------------------------------------------------------------------------------


def fits(value, shape, defs):
    """Whether a value is what the schema allows: the part of draft 2020-12 that ours is written with."""
    if "$ref" in shape:
        return fits(value, defs[shape["$ref"].rpartition("/")[2]], defs)
    if "anyOf" in shape:
        return any(fits(value, each, defs) for each in shape["anyOf"])
    if "enum" in shape or "const" in shape:
        return value in shape.get("enum", [shape.get("const")])
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": int | float}
    if not isinstance(value, kinds[shape["type"]]) or (isinstance(value, bool) and shape["type"] != "boolean"):
        return False
    if isinstance(value, dict):
        more = shape.get("additionalProperties", True)
        rows = shape.get("properties", {})
        known = all(name in rows or (more is not False and fits(each, more, defs)) for name, each in value.items())
        needed = set(shape.get("required", ())) <= value.keys()
        return known and needed and all(fits(each, rows[name], defs) for name, each in value.items() if name in rows)
    if isinstance(value, list):
        return all(fits(each, shape["items"], defs) for each in value)
    if isinstance(value, str):
        return len(value) >= shape.get("minLength", 0)
    low, high = shape.get("minimum", value), shape.get("maximum", value)
    return low <= value <= high and value > shape.get("exclusiveMinimum", value - 1)


def allowed(text):
    made = schema()
    return fits(tomllib.loads(text), made, made["$defs"])


def test_the_schema_is_printed_as_json(execsvc):
    """For an editor, with the draft it is written in."""
    assert schema() == json.loads(execsvc("config", "schema").out)
    assert "https://json-schema.org/draft/2020-12/schema" == schema()["$schema"] == DRAFT


def test_the_example_fits_the_schema():
    """What the page shows is what an editor lets pass."""
    assert allowed(EXAMPLE.read_text())


@pytest.mark.parametrize(
    "text",
    [
        "lsten = '127.0.0.1:1'",
        "demo = 1",
        "seed = -1",
        "deadline_floor = 20",
        "tier = 'gold'",
        "[accounts.main]\napi_secret = 'x'",
        "[callers.x]\nweight = 1",
        "[callers.x]\npermissions = []\nsides = ['long']",
        "[risk]\nmax_open_orders = 'many'",
        "[risk]\nsymbol = 'BTC/USD'",
        "[[risk.rules]]\nmax_notional = 1",
        "[risk]\nshadow = ['max_notional']",
        "[tls]\ncert = 'x'",
    ],
)
def test_what_the_reader_refuses_by_shape_the_schema_refuses_too(text):
    """An editor marks it before anything is started."""
    assert not allowed(text)


def test_the_schema_has_every_limit_and_every_key():
    """A limit that is added to the rules can be written down, and is known to editors."""
    made = schema()
    assert set(RiskRule.__dataclass_fields__) == made["$defs"]["RiskRule"]["properties"].keys()
    keys = {each.file_key for each in NAMES if each.in_file and "." not in each.file_key}
    assert keys | {"tls", "accounts", "callers", "risk"} == made["properties"].keys()
