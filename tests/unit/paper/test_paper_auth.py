import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.paper.auth import PERMISSIONS, Key, Keyring, signature
from execsvc.paper.chance import stream
from execsvc.paper.restface import Request
from execsvc.paper.words import Refused
from tests.unit.paper.paperbench import NS, START, Bench, read, vector


@pytest.mark.parametrize("case", vector("auth_signature_vectors.json"), ids=lambda case: case["kind"])
def test_published_signatures(case):
    """The published signature, and the two computed the same way, come out byte for byte."""
    secret = base64.b64decode(case["private_key"])
    assert case["api_sign"] == signature(secret, case["path"], case["nonce"], case["body"].encode())


def fresh_key(window=0):
    return Key("k", "PAPERx", "c2VjcmV0", PERMISSIONS, 0, window)


@given(st.lists(st.integers(0, 50), max_size=60))
def test_nonce_strictly_rises(nonces):
    """With window 0 exactly the nonces above every accepted one pass."""
    key, highest = fresh_key(), 0
    for nonce in nonces:
        try:
            key.spend(str(nonce))
            accepted = True
        except Refused:
            accepted = False
        assert (nonce > highest) == accepted
        highest = max(highest, nonce)


@given(st.lists(st.integers(1, 40), max_size=60), st.integers(1, 10))
def test_nonce_window(nonces, window):
    """With a window an unused nonce slightly below the highest passes once, and no nonce passes twice."""
    key, highest, used = fresh_key(window), 0, set()
    for nonce in nonces:
        try:
            key.spend(str(nonce))
            accepted = True
        except Refused:
            accepted = False
        assert (nonce > highest - window and nonce not in used) == accepted
        if accepted:
            used.add(nonce)
            highest = max(highest, nonce)


@pytest.mark.parametrize("nonce", ["", "x", "-5", "1.5", " 7", "٣", str(1 << 64), "9" * 5000])
def test_nonce_must_be_unsigned_64_bit(bench, nonce):
    """A nonce that is no unsigned 64-bit number is refused as a nonce, not as a signature."""
    answer = read(bench.ticket("Balance", nonce=nonce))
    assert ["EAPI:Invalid nonce"] == answer["error"]


def test_largest_nonce_passes(bench):
    """The largest unsigned 64-bit nonce is accepted, and nothing after it."""
    assert [] == read(bench.ticket("Balance", nonce=(1 << 64) - 1))["error"]
    assert ["EAPI:Invalid nonce"] == read(bench.ticket("Balance", nonce=(1 << 64) - 1))["error"]


def test_refused_arguments_spend_the_nonce(bench):
    """Once key and signature hold the nonce is spent, even when the arguments are refused."""
    assert ["EQuery:Unknown asset pair"] == read(bench.ticket("AddOrder", {"pair": "NOPE"}, nonce=5000))["error"]
    assert ["EAPI:Invalid nonce"] == read(bench.ticket("Balance", nonce=5000))["error"]


def test_wrong_signature_keeps_the_nonce(bench):
    """A request whose signature is wrong does not spend its nonce."""
    wrong = bench.ticket("Balance", nonce=5000, headers={"api-sign": "AAAA"})
    assert ["EAPI:Invalid signature"] == read(wrong)["error"]
    assert [] == read(bench.ticket("Balance", nonce=5000))["error"]


@pytest.mark.parametrize("headers", [{"api-key": ""}, {"api-key": "PAPERnobody"}])
def test_unknown_key(bench, headers):
    """A key the exchange never made is told so before anything else is looked at."""
    assert ["EAPI:Invalid key"] == read(bench.ticket("Balance", headers=headers))["error"]


@pytest.mark.parametrize("sign", ["", "é", "====", "\udcff"])
def test_garbled_signature(bench, sign):
    """A signature that is not even base64 is an invalid signature."""
    assert ["EAPI:Invalid signature"] == read(bench.ticket("Balance", headers={"api-sign": sign}))["error"]


def test_every_byte_of_the_body_is_signed(bench):
    """The same fields with one space more have another signature."""
    ticket = bench.ticket("Balance", encoding="json")
    assert [] == read(ticket)["error"]
    body = b'{"nonce":  "9000"}'
    signed = bench.ticket("Balance", encoding="json", nonce=9000).outcome
    assert signed is not None
    headers = {"user-agent": "b", "api-key": bench.key.api_key, "content-type": "application/json"}
    good = signature(base64.b64decode(bench.key.api_secret), "/0/private/Balance", "9001", b'{"nonce": "9001"}')
    request = Request("POST", "/0/private/Balance", "", headers | {"api-sign": good}, body.replace(b"9000", b"9001"))
    assert ["EAPI:Invalid signature"] == read(bench.exchange.http(request, bench.now))["error"]


CALLS = {
    "Balance": {"query-funds"},
    "BalanceEx": {"query-funds"},
    "OpenOrders": {"query-open-trades"},
    "ClosedOrders": {"query-closed-trades"},
    "QueryOrders": {"query-open-trades", "query-closed-trades"},
    "TradesHistory": {"query-closed-trades"},
    "AddOrder": {"modify-trades"},
    "CancelOrder": {"modify-trades", "close-trades"},
    "GetWebSocketsToken": {"create-ws-token"},
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("permission", PERMISSIONS)
def test_permission_of_every_call(bench, call, permission):
    """A key with one permission may make exactly the calls that need it."""
    key = bench.venue.keys.make("one", (permission,), now=bench.now)
    denied = bench.private(call, key=key)["error"] == ["EGeneral:Permission denied"]
    assert (permission not in CALLS[call]) == denied


def test_key_info_needs_no_permission(bench):
    """Any key may ask about itself, in camelCase, its own nonce being the last one accepted."""
    key = bench.venue.keys.make("bare", (), now=bench.now, nonce_window=7)
    info = bench.private("GetApiKeyInfo", key=key)["result"]
    assert ("bare", str(bench.nonce), "7", []) == (
        info["apiKeyName"],
        info["nonce"],
        info["nonceWindow"],
        info["permissions"],
    )


def test_key_info_in_snake_case():
    """With the other style the names are those of the recorded fixture."""
    bench = Bench(pairs=("BTC/USD",), key_info_style="snake")
    assert set(vector("rest_GetApiKeyInfo.json")["result"]) == set(bench.ok("GetApiKeyInfo"))


def test_keys_are_marked_and_seeded():
    """Keys start with PAPER, never repeat, and one seed makes the same ones."""
    first, second = (Keyring(stream(1, "keys")) for _ in range(2))
    made = [first.make(name, (), now=0) for name in "ab"]
    assert [key.api_key for key in made] == [second.make(name, (), now=0).api_key for name in "ab"]
    assert all(key.api_key.startswith("PAPER") and len(key.api_key) == 56 for key in made)
    assert 64 == len(base64.b64decode(made[0].api_secret))


def test_secret_is_not_shown():
    """The secret is in no repr."""
    assert "c2VjcmV0" not in repr(fresh_key())


def test_token_expires_unless_used(bench):
    """A WebSocket token is good for 15 minutes unused, and for ever once used."""
    unused, used = (bench.ok("GetWebSocketsToken")["token"] for _ in range(2))
    bench.venue.keys.redeem(used, START + 899 * NS)
    late = START + 900 * NS
    assert bench.key is bench.venue.keys.redeem(used, late)
    with pytest.raises(Refused, match="ESession:Invalid session"):
        bench.venue.keys.redeem(unused, late)


def test_tokens_are_bounded(bench):
    """A client that only ever asks for tokens cannot make the exchange remember more than a thousand."""
    first = bench.ok("GetWebSocketsToken")["token"]
    for _ in range(1000):
        bench.venue.keys.issue(bench.venue.mint.token(), bench.key, bench.now)
    with pytest.raises(Refused):
        bench.venue.keys.redeem(first, bench.now)
