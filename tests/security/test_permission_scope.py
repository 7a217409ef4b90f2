"""Whose orders a permission reaches, and what a grant narrows: over a real server, by token and by certificate.

Own orders need no more than the method's permission; others' are seen with `account` and changed with `kill` (promises.md
section 9). The table of methods is test_permission_table.py's.
"""

from dataclasses import replace
from decimal import Decimal

import grpc
import pytest
import pytest_asyncio
from execsvc_api.v1 import order_pb2

from execsvc.domain.caller import Grant
from execsvc.domain.market import Side
from execsvc.domain.spec import OrderType
from tests.security.permission_rig import Holder, by_both, by_token

BOUNDS = Grant(frozenset(), frozenset({"BTC/USD"}), frozenset({Side.BUY}), frozenset({OrderType.LIMIT}), Decimal(100))
TRADER = ("market", "account:main", "trade:main", "cancel:main")
HOLDERS = {
    each.name: each
    for each in (
        Holder("owner", TRADER),
        Holder("trader", ("trade:main", "cancel:main")),
        Holder("reader", ("account:main",)),
        Holder("witness", ("account:main", "trade:main", "cancel:main")),
        Holder("blind", ("trade:main", "cancel:main", "kill:main")),
        Holder("risk", ("account:main", "trade:main", "cancel:main", "kill:main")),
        Holder("boss", ("account:main", "kill:main", "admin")),
        Holder("figurehead", ("account:main", "admin")),
        Holder("elsewhere", ("account:spare", "trade:spare", "cancel:spare", "kill:spare"), default="spare"),
        Holder("bounded", TRADER, BOUNDS),
    )
}
OWN, ALL, ACCOUNT = (f"ORDER_SCOPE_{name}" for name in ("OWN", "ALL_CALLERS", "ACCOUNT"))
HIDDEN, MISSING = "ORDER_NOT_FOUND", "PERMISSION_MISSING"


def spec(**fields):
    given = {"symbol": "BTC/USD", "side": "SIDE_BUY", "baseQuantity": "0.001", "limit": {"limitPrice": "60000.0"}}
    merged = given | fields
    return {name: value for name, value in merged.items() if value is not None}


def placement(client_order_id="one", **fields):
    return {"account": "main", "clientOrderId": client_order_id, "spec": spec(**fields)}


@pytest_asyncio.fixture
async def order(gateway):
    """An order of `owner`, open at the exchange."""
    placed = await gateway.guest("owner").ask("OrderService/PlaceOrder", placement())
    assert (order_pb2.ORDER_STATUS_OPEN, "owner") == (placed.answer.order.status, placed.answer.order.caller)
    return placed.answer.order


def refs(order):
    """Both ways to name another's order."""
    return {"orderId": order.order_id}, {"clientOrderId": "one", "caller": "owner"}


# ---- seeing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GetOrder", "ExplainOrder"])
async def test_anothers_order_is_seen_with_account_alone(gateway, order, method):
    """By either id: who has not `account` does not even learn that it is there; who has sees it whole."""
    found = {
        name: {
            (await gateway.guest(name).ask(f"OrderService/{method}", {"account": "main", "order": ref})).reason
            for ref in refs(order)
        }
        for name in ("owner", "trader", "blind", "reader", "witness", "risk")
    }
    seen, hidden = {"OK"}, {HIDDEN}
    expected = {"owner": seen, "trader": hidden, "blind": hidden, "reader": seen, "witness": seen, "risk": seen}
    assert expected == found


@pytest.mark.parametrize("scope", [ALL, ACCOUNT])
async def test_listing_everybodys_orders_needs_account(gateway, order, scope):
    """OWN is one's own with `trade` alone; the wider scopes need `account`."""
    request = {"account": "main", "scope": scope}
    denied = await gateway.guest("trader").ask("OrderService/ListOrders", request)
    listed = await gateway.guest("reader").ask("OrderService/ListOrders", request)
    mine = await gateway.guest("trader").ask("OrderService/ListOrders", request | {"scope": OWN})
    assert (grpc.StatusCode.PERMISSION_DENIED, MISSING, "account") == (
        denied.refusal.code,
        denied.reason,
        denied.refusal.metadata["permission"],
    )
    assert ([order.order_id], []) == ([each.order_id for each in listed.answer.orders], list(mine.answer.orders))


@pytest.mark.parametrize("scope", [ALL, ACCOUNT])
async def test_following_everybodys_orders_needs_account(gateway, scope):
    """The same of the stream."""
    request = {"account": "main", "scope": scope}
    found = {
        name: (await gateway.guest(name).ask("OrderService/SubscribeOrders", request)).reason
        for name in ("trader", "blind", "reader", "risk")
    }
    assert {"trader": MISSING, "blind": MISSING, "reader": "OK", "risk": "OK"} == found


async def test_two_callers_may_use_one_id(gateway, order):
    """client_order_id is the caller's own: the same one is another order, and each finds its own by it."""
    second = await gateway.guest("trader").ask("OrderService/PlaceOrder", placement())
    assert ("OK", "trader") == (second.reason, second.answer.order.caller)
    own = await gateway.guest("trader").ask("OrderService/GetOrder", {"order": {"clientOrderId": "one"}})
    assert second.answer.order.order_id == own.answer.order.order_id != order.order_id


# ---- changing --------------------------------------------------------------------------------------------------------


async def test_anothers_order_is_cancelled_with_kill_alone(gateway, order):
    """`cancel` ends one's own; another's needs `kill` too, and `account` to be known at all."""
    found = {}
    for name in ("trader", "blind", "witness", "elsewhere", "risk"):
        for ref in refs(order):
            came = await gateway.guest(name).ask("OrderService/CancelOrder", {"account": "main", "order": ref})
            found.setdefault(name, []).append(came.reason)
        if name != "risk":
            assert [] == gateway.venue.cancels
    assert {
        "trader": [HIDDEN] * 2,
        "blind": [HIDDEN] * 2,
        "witness": [MISSING] * 2,
        "elsewhere": ["ACCOUNT_NOT_GRANTED"] * 2,
        "risk": ["OK"] * 2,
    } == found
    assert 1 == len(gateway.venue.cancels)


async def test_a_list_of_cancels_is_judged_one_by_one(gateway, order):
    """CancelOrders answers each row by the same rule, and one that is not granted does not hold up the rest."""
    own = await gateway.guest("witness").ask("OrderService/PlaceOrder", placement("mine"))
    listed = [{"orderId": order.order_id}, {"orderId": own.answer.order.order_id}]
    came = await gateway.guest("witness").ask("OrderService/CancelOrders", {"account": "main", "orders": listed})
    assert [("error", MISSING), ("order", "")] == [
        (row.WhichOneof("outcome"), row.error.reason) for row in came.answer.results
    ]
    killed = await gateway.guest("risk").ask("OrderService/CancelOrders", {"account": "main", "orders": listed[:1]})
    assert ["order"] == [row.WhichOneof("outcome") for row in killed.answer.results]


async def test_anothers_order_is_amended_with_kill_alone(gateway, order):
    """The same of AmendOrder, beside its own permission trade."""
    wish = {"account": "main", "order": {"orderId": order.order_id}, "limitPrice": "59000.0"}
    found = {
        name: (await gateway.guest(name).ask("OrderService/AmendOrder", wish | {"requestId": name})).reason
        for name in ("trader", "witness", "boss", "risk")
    }
    assert {"trader": HIDDEN, "witness": MISSING, "boss": MISSING, "risk": "OK"} == found


@pytest.mark.parametrize("scope", [ALL, ACCOUNT])
async def test_cancelling_everybodys_orders_needs_kill(gateway, order, scope):
    """OWN touches nobody else's; the wider scopes need `kill`, and then reach them."""
    request = {"account": "main", "allSymbols": True, "scope": scope}
    for name in ("trader", "witness"):
        assert MISSING == (await gateway.guest(name).ask("OrderService/CancelAllOrders", request)).reason
        own = await gateway.guest(name).ask("OrderService/CancelAllOrders", request | {"scope": OWN})
        assert ("OK", 0) == (own.reason, own.answer.requested_count)
    assert ([], 0) == (gateway.venue.cancels + gateway.venue.cancel_batches, gateway.venue.cleared)
    assert "OK" == (await gateway.guest("risk").ask("OrderService/CancelAllOrders", request)).reason
    assert gateway.venue.cancels + gateway.venue.cancel_batches or gateway.venue.cleared


async def test_a_switch_over_the_whole_account_needs_kill(gateway):
    """SetDeadMansSwitch of scope ACCOUNT can end others' orders, and Kraken's timer is not touched without the right."""
    request = {"account": "main", "timeout": "60s", "scope": ACCOUNT}
    assert MISSING == (await gateway.guest("witness").ask("OrderService/SetDeadMansSwitch", request)).reason
    assert [] == gateway.venue.timers
    assert "OK" == (await gateway.guest("risk").ask("OrderService/SetDeadMansSwitch", request)).reason
    assert 1 == len(gateway.venue.timers)


async def test_cancelling_on_disconnect_needs_cancel(gateway):
    """A stream or session that ends orders when it is lost needs `cancel`, beside what opens it."""
    stream = await gateway.guest("reader").ask(
        "OrderService/SubscribeOrders", {"account": "main", "cancelOnDisconnect": True}
    )
    assert (MISSING, "cancel") == (stream.reason, stream.refusal.metadata["permission"])
    open_ = {"requestNumber": 1, "open": {"account": "main", "cancelOnDisconnect": True}}
    assert "OK" == (await gateway.guest("trader").ask("OrderService/OrderSession", open_)).reason


# ---- the kill switch -------------------------------------------------------------------------------------------------


async def test_loosening_a_mode_needs_admin_beside_kill(gateway):
    """`kill` halts; back to more freedom, by a little or all the way, needs both, and neither is enough alone."""

    async def set_mode(name, mode):
        request = {"scope": {"account": "main"}, "mode": f"TRADING_MODE_{mode}", "comment": "as the test wants it"}
        return (await gateway.guest(name).ask("AdminService/SetTradingMode", request)).reason

    steps = [
        ("risk", "REDUCE_ONLY"),
        ("risk", "HALTED"),
        ("risk", "REDUCE_ONLY"),
        ("risk", "NORMAL"),
        ("figurehead", "NORMAL"),
        ("figurehead", "HALTED"),
        ("elsewhere", "HALTED"),
        ("boss", "CANCEL_ONLY"),
        ("boss", "NORMAL"),
    ]
    denied = [MISSING, MISSING, MISSING, MISSING, "ACCOUNT_NOT_GRANTED"]
    assert ["OK", "OK", *denied, "OK", "OK"] == [await set_mode(*step) for step in steps]


async def test_whoever_is_halted_may_still_cancel(gateway, order):
    """A halt takes `trade` away from everybody, and `cancel` from nobody."""
    halt = {"scope": {"caller": "owner"}, "mode": "TRADING_MODE_CANCEL_ONLY", "comment": "as the test wants it"}
    assert "OK" == (await gateway.guest("risk").ask("AdminService/SetTradingMode", halt)).reason
    owner = gateway.guest("owner")
    assert "TRADING_HALTED" == (await owner.ask("OrderService/PlaceOrder", placement("two"))).reason
    assert "OK" == (await owner.ask("OrderService/CancelOrder", {"order": {"clientOrderId": "one"}})).reason
    assert "OK" == (await gateway.guest("trader").ask("OrderService/PlaceOrder", placement("two"))).reason


# ---- a grant that is narrowed ----------------------------------------------------------------------------------------

MARKET = {"limit": None, "market": {}}
BEYOND = {
    "another symbol": ({"symbol": "ETH/USD"}, "SYMBOL_NOT_GRANTED"),
    "another spelling of it": ({"symbol": "XETHZUSD"}, "SYMBOL_NOT_GRANTED"),
    "the other side": ({"side": "SIDE_SELL"}, MISSING),
    "another type": (MARKET, MISSING),
    "too large": ({"baseQuantity": "0.002"}, "RISK_REFUSED"),
}


@pytest.mark.parametrize("case", BEYOND)
async def test_what_is_beyond_the_grant_is_not_placed(gateway, case):
    """Alone, in a batch, in a session: refused with the grant's own reason, the id left free, nothing sent."""
    fields, reason = BEYOND[case]
    guest = gateway.guest("bounded")
    alone = await guest.ask("OrderService/PlaceOrder", placement(**fields))
    entries = [{"clientOrderId": name, "spec": spec(**fields)} for name in ("two", "three")]
    batch = await guest.ask("OrderService/PlaceOrders", {"account": "main", "entries": entries})
    _, session = await guest.session({"place": placement("four", **fields)})
    assert [reason] * 3 == [alone.reason, batch.reason, session.error.reason]
    assert ["false"] * 3 == [
        alone.refusal.metadata["id_used"],
        batch.refusal.metadata["id_used"],
        session.error.metadata["id_used"],
    ]
    assert [] == gateway.venue.sends + gateway.venue.batches


async def test_what_is_within_the_grant_is_placed(gateway):
    """The same caller places what its grant names, in any of Kraken's spellings."""
    guest = gateway.guest("bounded")
    came = [
        await guest.ask("OrderService/PlaceOrder", placement(name, symbol=symbol))
        for name, symbol in (("one", "BTC/USD"), ("two", "XBTUSD"))
    ]
    _, session = await guest.session({"place": placement("four")})
    assert ["OK", "OK", "place"] == [*(each.reason for each in came), session.WhichOneof("event")]


async def test_an_amend_does_not_grow_beyond_the_grant(gateway):
    """The largest order of a grant holds for what an order becomes, too."""
    guest = gateway.guest("bounded")
    assert "OK" == (await guest.ask("OrderService/PlaceOrder", placement())).reason
    wish = {"account": "main", "order": {"clientOrderId": "one"}, "requestId": "r", "baseQuantity": "0.002"}
    assert "RISK_REFUSED" == (await guest.ask("OrderService/AmendOrder", wish)).reason
    smaller = wish | {"requestId": "s", "baseQuantity": "0.0015"}
    assert "OK" == (await guest.ask("OrderService/AmendOrder", smaller)).reason


async def test_a_preview_says_what_the_grant_says(gateway):
    """PreviewOrder finds an order beyond the grant not placeable, and one within it placeable."""
    guest = gateway.guest("bounded")
    judged = {}
    for case, (fields, _) in {"within": ({}, ""), **BEYOND}.items():
        came = await guest.ask("OrderService/PreviewOrder", {"account": "main", "spec": spec(**fields)})
        judged[case] = came.answer.placeable
    assert {"within": True, **dict.fromkeys(BEYOND, False)} == judged


async def test_the_server_says_what_is_granted(gateway):
    """GetServerInfo tells each caller its own name and rights, symbols included, and nobody else's."""
    found = {}
    for name in ("bounded", "boss", "elsewhere"):
        answer = (await gateway.guest(name).ask("AdminService/GetServerInfo", {})).answer
        told = [each for each in answer.grants if each.permissions]
        grants = {each.account: (each.is_default, set(each.permissions), list(each.symbols)) for each in told}
        found[name] = (answer.caller, grants)
    assert {
        "bounded": (
            "bounded",
            {"": (False, {"market"}, []), "main": (True, {"account", "trade", "cancel"}, ["BTC/USD"])},
        ),
        "boss": ("boss", {"": (False, {"admin"}, []), "main": (True, {"account", "kill"}, [])}),
        "elsewhere": ("elsewhere", {"spare": (True, {"account", "trade", "cancel", "kill"}, [])}),
    } == found


# ---- who it is -------------------------------------------------------------------------------------------------------

PROXY_SAYS = (
    ("x-forwarded-user", "owner"),
    ("x-forwarded-client-cert", "DNS=owner"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x-consumer-username", "owner"),
    ("x-jwt-payload", "owner"),
    ("x-client-name", "owner"),
)


async def test_no_header_but_authorization_makes_a_caller(tmp_path):
    """What a proxy may say of a user, or a caller of itself, changes nothing: it lets nobody in and makes nobody another."""
    async with by_token(tmp_path, tuple(HOLDERS.values())) as gateway:
        nobody = await gateway.stranger(*PROXY_SAYS).ask("AdminService/GetServerInfo", {})
        trader = gateway.guest("trader")
        trader.metadata = (*trader.metadata, *PROXY_SAYS)
        told = await trader.ask("AdminService/GetServerInfo", {})
    assert (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID", "trader") == (
        nobody.refusal.code,
        nobody.reason,
        told.answer.caller,
    )


# ---- token and certificate together ----------------------------------------------------------------------------------


async def test_a_token_narrows_what_a_certificate_may_do(authority, tmp_path):
    """With both, a call needs both: the certificate trades, its caller's reading token does not, another's is nobody's."""
    owner = HOLDERS["owner"]
    tokens = (
        Holder("reading", ("account:main", "kill:main"), of="owner"),
        replace(HOLDERS["trader"], name="foreign", of="trader"),
    )
    async with by_both(authority, tmp_path, owner, tokens) as gateway:
        found = {
            name: (
                (await gateway.guest(name).ask("OrderService/PlaceOrder", placement(name))).reason,
                (await gateway.guest(name).ask("AccountService/ListBalances", {})).reason,
                (await gateway.guest(name).ask("AdminService/GetServerInfo", {})).reason,
            )
            for name in ("without", "reading", "foreign")
        }
        halt = {"scope": {"account": "main"}, "mode": "TRADING_MODE_HALTED", "comment": "why"}
        widened = (await gateway.guest("reading").ask("AdminService/SetTradingMode", halt)).reason
    assert {
        "without": ("OK", "OK", "OK"),
        "reading": (MISSING, "OK", "OK"),
        "foreign": ("TOKEN_INVALID",) * 3,
    } == found
    assert MISSING == widened  # the token has kill, the certificate has not


async def test_behind_a_proxys_certificate_everybody_is_who_their_token_says(authority, tmp_path):
    """A verified certificate that is no caller's opens the line and nothing else: the token says who it is."""
    tokens = (HOLDERS["owner"], HOLDERS["reader"])
    async with by_both(authority, tmp_path, Holder("edge", ()), tokens, known=False) as gateway:
        found = {
            name: (await gateway.guest(name).ask("OrderService/PlaceOrder", placement(name))).reason
            for name in ("owner", "reader", "without")
        }
        told = (await gateway.guest("owner").ask("AdminService/GetServerInfo", {})).answer.caller
    assert ({"owner": "OK", "reader": MISSING, "without": "TOKEN_INVALID"}, "owner") == (found, told)
