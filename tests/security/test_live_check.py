"""The live check against an exchange on loopback: everything well, then each line made to refuse or to warn."""

import asyncio
import socket
import time

import pytest

from execsvc.domain.caller import Grant
from execsvc.domain.rights import rights_of
from execsvc.domain.token import Token
from execsvc.paper.auth import PERMISSIONS
from execsvc.runtime.tokenfile import create
from tests.security.audit_rig import set_modes
from tests.security.live_rig import LiveRig, exchange_of

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def exchange():
    with exchange_of() as made:
        yield made


@pytest.fixture
def rig(tmp_path, exchange, monkeypatch):
    return LiveRig(tmp_path, exchange, monkeypatch)


def test_a_sound_set_up_passes_every_line_and_names_the_command_that_starts_live(rig):
    """Exit 0, no line refuses, and the last word is how to start."""
    said = rig.check()
    assert (0, [*range(1, 12)]) == (said.code, [*said.verdicts]), said.out
    assert {"ok", "warn"} == {*said.verdicts.values()}, said.out
    assert ["ok"] * 7 == [said.verdicts[number] for number in (1, 2, 4, 6, 7, 8, 9)], said.out
    assert "EXECSVC_MODE=live execsvc serve" == said.report["start"]


def test_nothing_is_placed(rig, exchange):
    """The exchange has taken no order and holds none; the trial carried validate, or it would be there."""
    rig.check()
    assert [] == exchange.ask("GET", "/orders")["orders"]
    assert {"GetApiKeyInfo", "AddOrder", "GetWebSocketsToken"} == {*exchange.calls()}


def test_it_can_be_run_again_and_again(rig):
    """Its nonces are the store's, so a second run, and a start after it, find nobody else on the key."""
    assert [0, 0] == [rig.check().code for _ in range(2)]


def test_the_doctor_tells_the_same_findings_when_it_is_asked_to(rig):
    """With --live, beside what it finds of gateway and machine; nothing is placed then either."""
    rig.exchange.key.nonce_window = 10
    said = rig.check("--live", verb=("doctor",), EXECSVC_TARGET="127.0.0.1:1")
    told = [
        each["what"] for each in said.report["findings"] if each["place"] == "live check" and each["verdict"] == "fail"
    ]
    assert (1, ["its nonce window is 10"], []) == (said.code, told, rig.exchange.ask("GET", "/orders")["orders"])


def test_the_table_says_the_same_in_words(rig):
    """Eleven lines, each with its verdict, and the command at the end."""
    out = rig.check(output="table").out
    assert [*range(1, 12)] == [int(line[:2]) for line in out.splitlines() if line[:2].strip().isdigit()]
    assert "start it:  EXECSVC_MODE=live execsvc serve" == out.splitlines()[-1]
    assert rig.exchange.key.api_secret not in out


def refused(rig, number, *named, **environ):
    """The line refuses and says why; so does the check."""
    said = rig.check(**environ)
    assert (3, "fail", None) == (said.code, said.verdicts[number], said.report["start"]), said.out
    for word in named:
        assert word in said.words(number), said.out
    return said


# ---- settings and key -------------------------------------------------------------------------------------------


def test_paper_mode_is_refused_and_the_other_lines_are_looked_at_all_the_same(rig):
    """Before the mode is changed, everything else can be seen to be right."""
    said = refused(rig, 1, "EXECSVC_MODE", EXECSVC_MODE=None)
    assert {"ok", "warn"} == {verdict for number, verdict in said.verdicts.items() if number > 1}, said.out


@pytest.mark.parametrize("name", ["KRAKEN_API_KEY_FILE", "EXECSVC_MAX_ORDER_NOTIONAL"])
def test_a_start_that_lacks_what_live_needs_is_refused(rig, name):
    """Mode, key source, largest order: all three."""
    refused(rig, 1, name.removesuffix("_FILE"), **{name: None})


def test_without_a_key_all_that_needs_none_is_looked_at(rig):
    """Clock, pairs, store, doors and callers; no signed call is made, and each line that wants one says why."""
    said = refused(rig, 1, "KRAKEN_API_KEY", KRAKEN_API_KEY_FILE=None, KRAKEN_API_SECRET_FILE=None)
    assert {2: "not_looked_at", 3: "not_looked_at", 4: "not_looked_at", 7: "not_looked_at", 8: "not_looked_at"} == {
        number: verdict for number, verdict in said.verdicts.items() if verdict == "not_looked_at"
    }
    assert ("ok", "ok", "ok", "ok") == tuple(said.verdicts[number] for number in (5, 6, 9, 10)), said.out
    assert (True, []) == ("line 1 comes first" in said.words(2), rig.exchange.calls())


def test_addresses_that_cannot_be_used_are_asked_nothing_and_the_rest_is_looked_at(rig):
    """Least of all with a signature: plaintext beyond this machine would show it."""
    said = refused(rig, 1, "plain text", EXECSVC_KRAKEN_REST_URL="http://example.org")
    assert ("ok", "ok", "not_looked_at", "not_looked_at") == tuple(said.verdicts[number] for number in (9, 10, 2, 6))
    assert ([], True) == (rig.exchange.calls(), "addresses that cannot be used" in said.words(2))


@pytest.mark.parametrize("name", ["EXECSVC_STORE", "EXECSVC_STOR"])
def test_a_store_that_was_not_named_as_it_can_be_is_not_replaced_by_the_usual_one(rig, name):
    """Nonces out of another store than the one that is meant would look like another program's."""
    said = rig.check(**{"EXECSVC_STORE": None, "HOME": str(rig.home), name: "mysql://x"})
    assert (3, [], False) == (said.code, rig.exchange.calls(), (rig.home / ".local").exists()), said.out
    assert ("ok", "ok", "not_looked_at", True) == (
        said.verdicts[6],
        said.verdicts[10],
        said.verdicts[4],
        "line 9" in said.words(4),
    ), said.out


def test_a_file_in_which_nothing_can_be_read_leaves_all_unlooked(rig):
    """It may have named another store, other addresses, other keys."""
    config = rig.home / "execsvc.toml"
    config.write_text("store =")
    said = refused(rig, 1, "execsvc.toml:1: not TOML", EXECSVC_CONFIG=str(config))
    assert ({"not_looked_at"}, []) == (
        {verdict for number, verdict in said.verdicts.items() if number != 1},
        rig.exchange.calls(),
    )


def test_a_problem_of_the_files_limits_leaves_no_line_unlooked(rig):
    """It is told with its place, and key, exchange and store are looked at all the same."""
    config = rig.home / "execsvc.toml"
    config.write_text("[risk]\nmax_open_orders = 2.5\n")
    said = refused(rig, 1, "execsvc.toml:2: risk.max_open_orders", EXECSVC_CONFIG=str(config))
    assert {"ok", "warn"} == {verdict for number, verdict in said.verdicts.items() if number > 1}, said.out


def test_a_key_file_that_others_can_read_is_refused(rig):
    """The rule is named, the secret is not."""
    (rig.home / "secret").chmod(0o644)
    said = refused(rig, 2, "0600")
    (rig.home / "secret").chmod(0o600)
    assert rig.exchange.key.api_secret not in said.out + said.err


def test_a_secret_that_is_not_the_keys_is_refused(rig):
    """Kraken does not accept the signature."""
    (rig.home / "secret").write_text("bm90IHRoZSBzZWNyZXQ=")
    refused(rig, 2, "main")


def test_a_key_that_may_withdraw_is_refused(rig):
    """Whatever else is right."""
    rig.exchange.key.permissions = (*PERMISSIONS, "withdraw-funds")
    refused(rig, 3, "withdraw-funds", "make a key")


def test_a_right_that_is_missing_is_refused_by_its_name_at_kraken(rig):
    """What to tick is said in Kraken's own words."""
    rig.exchange.key.permissions = tuple(each for each in PERMISSIONS if each != "close-trades")
    refused(rig, 3, "close-trades", "Cancel & close orders")


def test_a_needless_right_is_a_warning(rig):
    """The key works; less would do."""
    rig.exchange.key.permissions = (*PERMISSIONS, "deposit-funds")
    said = rig.check()
    assert (0, "warn") == (said.code, said.verdicts[3])
    assert "deposit-funds" in said.words(3)


def test_a_nonce_window_is_refused(rig):
    """It would take away the proof that an order was not placed."""
    rig.exchange.key.nonce_window = 10
    refused(rig, 4, "window is 10", "set it to 0")


def test_another_user_of_the_key_is_refused(rig):
    """Kraken refuses nonces that are fresh here: somebody's were higher."""
    assert 0 == rig.check().code
    rig.exchange.key.nonce += 10**15
    refused(rig, 4, "another program uses it", "a key of its own")


# ---- the exchange -----------------------------------------------------------------------------------------------


def test_a_pair_that_is_not_online_is_a_warning(rig):
    """It may be online again by the time live starts."""
    rig.exchange.ask("POST", "/market", {"symbol": "BTC/USD", "status": "cancel_only"})
    said = rig.check()
    assert (0, "warn", True) == (said.code, said.verdicts[5], "cancel_only" in said.words(5))


def test_a_pair_that_nobody_knows_is_a_warning(rig):
    """A typo in a pair is seen before it is traded."""
    said = rig.check("--pair", "BTC/USD", "--pair", "BTC/USDX")
    assert ("warn", True) == (said.verdicts[5], "BTC/USDX" in said.words(5))


def test_maintenance_is_told_and_nothing_can_be_tried(rig):
    """While the exchange takes no signed call, the lines that need one are no pass."""
    rig.exchange.fault(kind="maintenance")
    said = rig.check()
    assert (3, True) == (said.code, "maintenance" in said.words(5)), said.out


def test_a_tier_that_kraken_counts_otherwise_is_a_warning(rig):
    """The lower limits are in force; the setting is wrong."""
    said = rig.check(EXECSVC_TIER="pro")
    assert ("warn", True) == (said.verdicts[5], "EXECSVC_TIER=intermediate" in said.words(5)), said.out


@pytest.mark.parametrize(("off_ms", "verdict"), [(3_000, "warn"), (-20_000, "fail")])
def test_a_clock_that_is_off_warns_and_from_five_seconds_refuses(rig, off_ms, verdict):
    """Deadlines are told in Kraken's time."""
    rig.exchange.fault(kind="clock_skew", ms=off_ms)
    said = rig.check()
    assert (verdict, 3 if verdict == "fail" else 0) == (said.verdicts[6], said.code), said.out


def test_an_order_that_kraken_would_not_take_is_refused(rig):
    """What Kraken says of it is told."""
    rig.exchange.fault(kind="error", call="AddOrder", error="EOrder:Reduce only:No position exists", times="always")
    refused(rig, 7, "BTC/USD")


def test_an_account_that_cannot_pay_is_a_warning(rig):
    """The key may place; that is what the line is about."""
    rig.exchange.fault(kind="error", call="AddOrder", error="EOrder:Insufficient funds", times="always")
    said = rig.check()
    assert ("warn", 0) == (said.verdicts[7], said.code), said.out


def test_a_stream_without_a_token_is_refused(rig):
    """The key's right to the WebSocket is missing at the exchange."""
    rig.exchange.fault(kind="error", call="GetWebSocketsToken", error="EGeneral:Permission denied", times="always")
    refused(rig, 8, "WebSocket", "Permission denied")


def test_a_private_address_that_hangs_up_is_refused(rig):
    """The other road is there, this one is not."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{nobody.getsockname()[1]}/v2"
        refused(rig, 8, "main", "cannot connect", EXECSVC_KRAKEN_WS_AUTH_URL=url)


def test_an_exchange_that_is_not_there_is_refused_and_no_line_passes_unseen(rig):
    """What could not be asked is no pass."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        said = refused(rig, 2, EXECSVC_KRAKEN_REST_URL=url)
    assert {3: "not_looked_at", 4: "not_looked_at", 5: "fail", 6: "not_looked_at"} == {
        number: said.verdicts[number] for number in (3, 4, 5, 6)
    }


# ---- what execsvc stands on -------------------------------------------------------------------------------------


def test_a_store_that_cannot_be_used_is_refused_and_no_signed_call_is_made(rig):
    """Nonces come from the store: without it the key is left alone."""
    rig.store.write_text("not a database" * 100)
    said = refused(rig, 9, "execsvc.db")
    assert ([], "not_looked_at") == (rig.exchange.calls(), said.verdicts[2])


def test_a_running_gateway_is_left_alone(rig):
    """Two users of one key are the sin that the check looks for: it takes the store's lock or goes away."""
    from execsvc.store import place

    held = place.claim(rig.store)
    try:
        said = refused(rig, 9, "execsvc is running", "execsvc status")
    finally:
        held.release()
    assert ([], "not_looked_at") == (rig.exchange.calls(), said.verdicts[4])


def test_a_backup_beside_the_store_is_seen(rig, tmp_path):
    """A store with orders in it and no backup is told; one that is there is not."""
    from execsvc.compose.liveplaces import store_facts

    rig.check()
    now_ns = rig.store.stat().st_mtime_ns
    assert store_facts(rig.store, now_ns).backup_age_s is None
    (tmp_path / "execsvc.db.backup-1").write_text("x")
    assert store_facts(rig.store, now_ns + 3 * 10**9).backup_age_s < 4


def test_a_public_address_without_tls_is_refused(rig):
    """Such a start does not come up; the other lines are looked at all the same."""
    said = refused(rig, 10, "0.0.0.0:50051", EXECSVC_LISTEN="0.0.0.0:50051")
    assert {"ok", "warn"} == {verdict for number, verdict in said.verdicts.items() if number != 10}


def test_tokens_that_are_off_are_refused(rig):
    """In live mode somebody must be asked who he is."""
    said = rig.check(EXECSVC_TOKENS="off")
    assert (3, True) == (said.code, "EXECSVC_TOKENS" in said.words(10)), said.out


def test_a_kill_switch_that_was_tried_is_seen(rig):
    """A trading mode in the journal, whether it was lifted since or not."""
    rig.check()
    asyncio.run(set_modes(rig.store))
    assert "the kill switch was tried" in rig.check().words(11)


def test_tokens_without_an_end_or_bounds_are_warned_of_and_narrow_ones_are_not(rig):
    """By their public id; what the settings bound a caller by counts as well."""
    day = 86_400 * 10**9

    def token(name, expires_ns, **bounds):
        rights = rights_of(["market", "trade:main"], Grant(frozenset(), **bounds))
        return Token(name, "bot", "ab" * 32, 1, expires_ns, rights)

    wide = token("00000001", None)
    narrow = token("00000002", time.time_ns() + 30 * day, symbols=frozenset({"BTC/USD"}), orders_per_s=2)
    create(rig.home / "tokens.toml", [wide, narrow], {})
    words = rig.check().words(11)
    assert ("token 00000001 of bot: no expiry, no pairs named, no limit of its own" in words, "00000002" in words) == (
        True,
        False,
    ), words


def test_every_account_of_the_file_is_looked_at(rig):
    """Each with its own key; what is wrong with one is told with its name."""
    other = rig.exchange.server.exchange.venue.keys.make("second", (*PERMISSIONS, "withdraw-funds"), now=1)
    keyring = rig.exchange.server.exchange.venue.keys
    keyring._keys["S" * 56] = other
    other.api_key = "S" * 56
    for name, secret in (("key2", other.api_key), ("secret2", other.api_secret)):
        (rig.home / name).write_text(secret)
        (rig.home / name).chmod(0o600)
    config = rig.home / "execsvc.toml"
    config.write_text(
        "[accounts.main]\nkey_file = 'key'\nsecret_file = 'secret'\n"
        "[accounts.second]\nkey_file = 'key2'\nsecret_file = 'secret2'\n"
    )
    said = rig.check("--config", str(config), KRAKEN_API_KEY_FILE=None, KRAKEN_API_SECRET_FILE=None)
    told = {(each["about"], each["verdict"]) for each in said.line(3)["findings"]}
    assert ({("main", "ok"), ("second", "fail")}, None) == (told, said.report["start"]), said.out


def test_a_dead_mans_switch_that_nobody_chose_is_a_warning_and_a_choice_is_none(rig):
    """Off on purpose is a choice."""
    assert [True, False, False] == [
        "no dead man's switch was chosen" in rig.check(EXECSVC_DEAD_MANS_SWITCH=said).words(11)
        for said in (None, "0", "60")
    ]


def test_a_collector_that_is_not_there_is_a_warning(rig):
    """Traces that go nowhere are told before they are missed."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        said = rig.check(OTEL_EXPORTER_OTLP_ENDPOINT=url)
    assert ("warn", True) == (said.verdicts[11], "collector does not answer" in said.words(11))
