"""The verbs of tokens: what is baked, what is refused and why, what a list never shows, and what is taken back."""

import io
import json
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from execsvc.cli.main import run
from execsvc.domain.caller import Permission
from execsvc.rpc.bearer import digest
from execsvc.runtime.tokenfile import read
from tests.support.tokens import baked, token_file

CONFIG = """
[accounts.main]
[accounts.hedge]
[callers.bot]
permissions = ["market", "account:main", "trade:main", "cancel:main"]
symbols = ["BTC/USD", "ETH/USD"]
order_types = ["limit"]
max_order_notional = "500"
orders_per_s = 5
"""
OLD, OLD_TEXT = baked("old", "market", "account:*", note="of last year")


@dataclass(frozen=True)
class Said:
    """What one command line did."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def path(tmp_path, monkeypatch):
    place = token_file(tmp_path / "state" / "tokens.toml", OLD)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("EXECSVC_TOKENS", str(place))
    return place


@pytest.fixture
def bake(capsys):
    """`token bake …`: its stdout hands a secret over, so it is kept from the watch for secrets that get out."""

    def call(*arguments):
        handed = io.StringIO()
        with redirect_stdout(handed):
            code = run(["token", "bake", *arguments])
        return Said(code, handed.getvalue(), capsys.readouterr().err)

    return call


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A gateway with two accounts and one configured caller."""
    file = tmp_path / "execsvc.toml"
    file.write_text(CONFIG)
    file.chmod(0o600)
    monkeypatch.setenv("EXECSVC_CONFIG", str(file))


def newest(path):
    return read(path)[-1]


# ---- bake ------------------------------------------------------------------------------------------------------------


def test_the_token_is_on_stdout_alone(bake, path):
    """One line, ready for a file; who and what it is, is said beside. The file holds its hash."""
    said = bake("bot", "--like", "viewer")
    text = said.out.removesuffix("\n")
    made = newest(path)
    assert (0, digest(text), "bot", False) == (said.code, made.sha256, made.caller, text in said.err)
    assert f"baked {made.id} for bot into {path}: market account:main; ends" in said.err


def test_a_token_ends_after_ninety_days_unless_said_otherwise(bake, path):
    """12h is twelve hours; for ever must be said."""
    ends = []
    for said in ([], ["--expires", "12h"], ["--expires", "never"]):
        assert 0 == bake("bot", "--like", "signal", *said).code
        made = newest(path)
        ends.append(None if made.expires_ns is None else (made.expires_ns - made.created_ns) / 1e9)
    assert [90 * 86_400, 12 * 3_600, None] == ends


@pytest.mark.parametrize("span", ["90", "d", "0d", "-1d", "1w", "forever", "9999999999d", "\u0661d", "4000d", ""])
def test_a_life_that_is_none_is_refused(bake, path, span):
    """Nothing is baked then. An empty one is as if it were not said."""
    said = bake("bot", "--like", "signal", "--expires", span)
    assert (2 if span else 0) == said.code
    assert (not span) == (read(path) != (OLD,))


@pytest.mark.parametrize(
    ("like", "words"),
    [
        ("viewer", "market account:main"),
        ("signal", "market"),
        ("trader", "market account:main trade:main cancel:main"),
        ("risk", "market account:main cancel:main kill:main"),
        ("admin", "market admin account:main trade:main cancel:main kill:main"),
    ],
)
def test_bundles_are_of_the_only_account(bake, path, like, words):
    """Spelt out in the file."""
    bake("x", "--like", like)
    assert words == " ".join(newest(path).rights.words())


def test_rights_are_narrowed_by_what_is_said(bake, path):
    """Words, pairs, sides, types, notional, rate: by commas or one by one."""
    words = ("--permissions", "market,trade", "--permissions", "cancel:main")
    bounds = ("--pairs", "btc/usd,ETH/USD", "--sides", "buy", "--types", "limit,stop-loss", "--max-notional", "250.50")
    said = bake("bot", *words, *bounds, "--rate", "2", "--note", "tries", "-o", "json")
    assert {
        "id": newest(path).id,
        "caller": "bot",
        "permissions": ["market", "trade:main", "cancel:main"],
        "symbols": ["BTC/USD", "ETH/USD"],
        "sides": ["buy"],
        "order_types": ["limit", "stop-loss"],
        "max_order_notional": "250.50",
        "orders_per_s": 2,
        "default_account": "",
        "last_used_time": None,
        "note": "tries",
    } == {name: value for name, value in said.json.items() if name not in {"token", "created_time", "expire_time"}}
    assert digest(said.json["token"]) == newest(path).sha256


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["bot"], "say what bot may do"),
        (["bot", "--like", "boss"], "--like boss"),
        (["bot", "--like", "viewer", "--permissions", "market"], "exclude one another"),
        (["bot", "--permissions", "root"], "no such permission"),
        (["bot", "--permissions", "market:main"], "belongs to no account"),
        (["bot", "--like", "trader", "--account", "hedge"], "no account hedge"),
        (["bot", "--like", "trader", "--pairs", "XBT/USD"], "write BTC/USD"),
        (["bot", "--like", "trader", "--pairs", "BTCUSD"], "BASE/QUOTE"),
        (["bot", "--like", "trader", "--sides", "both"], "one of buy, sell"),
        (["bot", "--like", "trader", "--types", "iceberg"], "one of market"),
        (["bot", "--like", "trader", "--max-notional", "1e6"], "not a decimal"),
        (["bot", "--like", "trader", "--max-notional", "0.1e400"], "not a decimal"),
        (["bot", "--like", "trader", "--max-notional", "9" * 19], "not a decimal"),
        (["bot", "--like", "trader", "--max-notional", "0.0"], "would refuse every order"),
        (["OLD", "--like", "viewer"], "only capitals tell it from the caller old"),
        (["bot", "--like", "trader", "--default-account", "hedge"], "default account 'hedge'"),
        (["bot", "--like", "trader", "--note", "a\nb"], "--note"),
        (["bot", "--like", "trader", "--note", "x" * 201], "--note"),
        (["local", "--like", "viewer"], "the house's own name"),
        (["a b", "--like", "viewer"], "a caller's name"),
    ],
)
def test_what_cannot_be_meant_is_refused(bake, path, words, told):
    """Exit 2, a sentence, no token, and the file as it was."""
    said = bake(*words)
    assert (2, "", (OLD,)) == (said.code, said.out, read(path))
    assert told in said.err


def test_the_token_goes_to_a_file_of_its_own(bake, path, tmp_path):
    """0600, and not to stdout."""
    out = tmp_path / "bot.token"
    said = bake("bot", "--like", "viewer", "--out", str(out))
    assert (f"{out}\n", "0o600", newest(path).sha256) == (
        said.out,
        oct(out.stat().st_mode & 0o777),
        digest(out.read_text().strip()),
    )


def test_no_file_is_written_over(bake, path, tmp_path):
    """And what cannot be kept is not put in force."""
    out = tmp_path / "bot.token"
    out.write_text("mine")
    said = bake("bot", "--like", "viewer", "--out", str(out))
    assert (3, "mine", (OLD,)) == (said.code, out.read_text(), read(path))
    assert "is there already" in said.err


def test_a_token_that_cannot_be_registered_leaves_no_file(bake, path, tmp_path):
    """A secret that is good for nothing would only be believed in."""
    path.chmod(0o644)
    out = tmp_path / "bot.token"
    said = bake("bot", "--like", "viewer", "--out", str(out))
    assert (3, False) == (said.code, out.exists())
    assert "mode 0644" in said.err


def test_tokens_long_over_leave_with_the_next_change(bake, path):
    """For a month they are still listed, so that a caller which fails can be explained."""
    now_ns = round(datetime.now(UTC).timestamp()) * 10**9
    day_ns = 86_400 * 10**9
    lately, long_ago = (
        baked(name, "market", expires_ns=now_ns - days * day_ns)[0] for name, days in (("a", 29), ("b", 31))
    )
    path.unlink()
    (path.parent / "admin.token").unlink()
    token_file(path, lately, long_ago)
    bake("bot", "--like", "viewer")
    assert ["a", "bot"] == [each.caller for each in read(path)]


# ---- configured callers ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("config")
def test_a_configured_caller_gets_what_its_configuration_says(bake, path):
    """Written into the token too, so that it does not widen when the section is taken out one day."""
    said = bake("bot", "--pairs", "BTC/USD")
    rights = newest(path).rights
    bounds = rights.bounds()
    assert (0, "market account:main trade:main cancel:main", {"BTC/USD"}, "500", 5) == (
        said.code,
        " ".join(rights.words()),
        set(bounds.symbols),
        str(bounds.max_order_notional),
        bounds.orders_per_s,
    )


@pytest.mark.usefixtures("config")
def test_wider_than_configured_is_refused_with_the_difference(bake, path):
    """Every one of them, at once; nothing is baked."""
    said = bake(
        "bot",
        "--permissions",
        "market,admin,trade:main,kill:hedge",
        "--pairs",
        "SOL/USD",
        "--rate",
        "9",
    )
    assert (2, (OLD,)) == (said.code, read(path))
    for difference in (
        "admin",
        "kill:hedge",
        "pairs SOL/USD, at most BTC/USD, ETH/USD on main",
        "orders a second 9, at most 5",
    ):
        assert difference in said.err


@pytest.mark.usefixtures("config")
def test_with_several_accounts_which_ones_must_be_said(bake, path):
    """Unless no permission of the bundle belongs to one. A star is every one there will be."""
    unsaid = bake("new", "--like", "trader")
    signal = bake("new", "--like", "signal")
    both = bake("new", "--like", "viewer", "--account", "main,hedge", "--default-account", "main")
    every = bake("new", "--like", "viewer", "--account", "*")
    assert (2, 0, 0, 0) == tuple(each.code for each in (unsaid, signal, both, every))
    assert "--account main|hedge" in unsaid.err
    *_, third, fourth = read(path)
    assert (["market", "account:hedge", "account:main"], "main", ["market", "account:*"]) == (
        list(third.rights.words()),
        third.rights.default,
        list(fourth.rights.words()),
    )


# ---- list ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("config")
def test_a_caller_that_only_capitals_tell_from_a_configured_one_is_refused(bake, path):
    """Its token would have none of the bounds that the other one is held to."""
    said = bake("Bot", "--like", "trader", "--account", "main")
    assert (2, (OLD,)) == (said.code, read(path))
    assert "only capitals tell it from the caller bot" in said.err


def test_the_list_tells_whose_what_and_until_when(execsvc, path):
    """In plain columns."""
    path.with_name("tokens.toml.used").write_text(json.dumps({OLD.id: "2026-11-26T07:00:00Z"}))
    said = execsvc("token", "list")
    head, row = said.out.splitlines()
    assert ["id", "caller", "rights", "bounds", "baked", "ends", "last", "used", "note"] == head.split()
    for shown in (OLD.id, "old", "market account:*", "2026-09-21 14:13", "never", "2026-11-26 07:00", "of last year"):
        assert shown in row


def test_the_list_is_json_for_a_script(execsvc):
    """One value, or one a line."""
    (entry,) = execsvc("token", "list", "-o", "json").json
    assert [entry] == execsvc("token", "list", "-o", "jsonl").lines
    assert (OLD.id, ["market", "account:*"], None) == (entry["id"], entry["permissions"], entry["expire_time"])


def test_a_token_that_is_over_is_told_as_over(execsvc, path):
    """So that a caller which fails is explained."""
    past_ns = round((datetime.now(UTC) - timedelta(days=1)).timestamp()) * 10**9
    path.unlink()
    (path.parent / "admin.token").unlink()
    token_file(path, baked("gone", "market", expires_ns=past_ns)[0])
    assert "over since" in execsvc("token", "list").out


@pytest.mark.parametrize("form", ["table", "json", "jsonl"])
def test_no_form_shows_secret_or_hash(execsvc, form):
    """Neither is anybody's to see again."""
    said = execsvc("token", "list", "-o", form)
    assert (True, False, False) == (OLD.id in said.out, OLD.sha256 in said.out, OLD_TEXT in said.out + said.err)


# ---- revoke ----------------------------------------------------------------------------------------------------------


def test_revoked_tokens_leave_the_file(execsvc, bake, path):
    """Several at once; the others stay."""
    for _ in range(2):
        bake("bot", "--like", "viewer")
    _, second, third = read(path)
    said = execsvc("token", "revoke", OLD.id, third.id, "-o", "json")
    assert (0, (second,), {"revoked": sorted([OLD.id, third.id])}) == (said.code, read(path), said.json)


def test_an_unknown_id_revokes_nothing(execsvc, path):
    """A slip of the pen must not look like a revocation."""
    said = execsvc("token", "revoke", OLD.id, "00000000")
    assert (2, (OLD,)) == (said.code, read(path))
    assert "no token 00000000" in said.err


def test_revoking_nothing_is_a_mistake(execsvc):
    """It says where ids are to be found."""
    said = execsvc("token", "revoke")
    assert (2, True) == (said.code, "execsvc token list" in said.err)


# ---- the file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [("list",), ("revoke", "00000000"), ("bake", "bot", "--like", "viewer")])
def test_without_a_file_there_is_nothing_to_work_on(execsvc, path, verb):
    """A file that no gateway reads is not begun by mistake."""
    path.unlink()
    said = execsvc("token", *verb)
    assert (3, False) == (said.code, path.exists())
    assert "execsvc serve writes it at its first start" in said.err


def test_where_tokens_are_off_it_says_so(execsvc, monkeypatch):
    """With what to do."""
    monkeypatch.setenv("EXECSVC_TOKENS", "off")
    said = execsvc("token", "list")
    assert (3, True) == (said.code, "--file" in said.err)


def test_another_file_can_be_named(execsvc, tmp_path):
    """Over the environment."""
    other = token_file(tmp_path / "other.toml", baked("ann", "market")[0])
    assert ["ann"] == [each["caller"] for each in execsvc("token", "list", "--file", str(other), "-o", "json").json]


def test_settings_that_cannot_be_used_are_told(execsvc, monkeypatch):
    """The accounts and callers that tokens are held to are unknown then."""
    monkeypatch.setenv("EXECSVC_TIER", "gold")
    said = execsvc("token", "list")
    assert (3, True) == (said.code, "EXECSVC_TIER" in said.err)


def test_bundles_name_every_permission_somewhere(bake, path):
    """A permission that no bundle has would be given to nobody by its name."""
    bake("x", "--like", "admin")
    rights = newest(path).rights
    held = rights.unbound | rights.grants["main"].permissions
    assert frozenset(Permission) == held


@pytest.mark.parametrize("word", ["trade:mian", "trade:mian,market", "kill:x"])
def test_a_word_for_an_account_that_there_is_not_is_refused(bake, path, word):
    """A token that may trade nowhere is a typo; which accounts there are is said."""
    said = bake("bot", "--permissions", word)
    assert (2, (OLD,)) == (said.code, read(path))
    assert "no account" in said.err
    assert "there are main" in said.err


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (("--max-notional", "-5"), "--max-notional -5: must not be negative"),
        (("--pairs", "BTCUSD"), "--pairs 'BTCUSD': write a pair as BASE/QUOTE"),
        (("--sides", "long"), "--sides 'long': one of buy, sell"),
        (("--types", "lmit"), "--types 'lmit': one of "),
    ],
)
def test_what_is_wrong_with_a_bound_names_its_option(bake, path, typed, told):
    """A line with several of them would leave one guessing."""
    said = bake("bot", "--like", "trader", *typed)
    assert (2, (OLD,), True) == (said.code, read(path), told in said.err)


def test_a_named_file_needs_no_settings(path, capsys, monkeypatch):
    """Whoever takes a token back in a hurry is not asked for the rest of the gateway's settings."""
    monkeypatch.setenv("EXECSVC_LISTN", "a typo")
    codes = [run(["token", "list", "--file", str(path)]), run(["token", "revoke", OLD.id, "--file", str(path)])]
    assert ([0, 0], ()) == (codes, read(path))
    assert "revoked" in capsys.readouterr().err


def test_settings_that_cannot_be_used_say_that_a_file_will_do(path, capsys, monkeypatch):
    """And leave everything as it was."""
    monkeypatch.setenv("EXECSVC_LISTN", "a typo")
    assert (3, (OLD,)) == (run(["token", "revoke", OLD.id]), read(path))
    assert "or name the file of tokens with --file" in capsys.readouterr().err


def test_a_live_gateways_token_is_taken_back_without_its_keys(path, monkeypatch):
    """They are systemd's to hand over, and to the service alone."""
    monkeypatch.setenv("EXECSVC_MODE", "live")
    assert (0, ()) == (run(["token", "revoke", OLD.id]), read(path))
