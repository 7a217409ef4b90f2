"""The kill switch through the real door: what is asked for and told, whose orders it stops, and what still passes."""

import asyncio

import grpc
import pytest
from execsvc_api.v1 import admin_service_pb2 as admin
from execsvc_api.v1 import limits_pb2 as limits
from execsvc_api.v1 import order_pb2 as order
from execsvc_api.v1 import order_service_pb2 as orders

from execsvc.domain.caller import Permission, alike
from tests.rpc.stage import placement, refused, taken_apart
from tests.rpc.stage import stage as open_stage
from tests.support.venue import Fate

TRADING = (Permission.TRADE, Permission.CANCEL)
CALLERS = {
    "bot": alike("bot", TRADING, ("main",)),
    "ann": alike("ann", TRADING, ("main",)),
    "risk": alike("risk", (Permission.KILL, Permission.ACCOUNT), ("main",)),
    "root": alike("root", Permission, ("main",)),
}
EVERYTHING = limits.TradingScope(everything=True)
INFO = admin.GetServerInfoRequest()


class ByName:
    """Recognises whom the header names."""

    revision, problems = 0, ()

    def recognise(self, meta, peer, names=()):
        return CALLERS[meta["x-caller"]]

    def knows(self, caller):
        return caller in CALLERS

    def describe(self):
        return "a test"


def by(name):
    return (("x-caller", name),)


@pytest.fixture
async def stage():
    async with open_stage(callers=ByName()) as built:
        yield built


def put(stage, mode, scope=EVERYTHING, *, who="root", comment="news"):
    request = admin.SetTradingModeRequest(scope=scope, mode=f"TRADING_MODE_{mode}", comment=comment)
    return stage.admin.SetTradingMode(request, timeout=5, metadata=by(who))


def place(stage, name, who="bot"):
    return stage.orders.PlaceOrder(placement(name), timeout=5, metadata=by(who))


def cancel(stage, name, who="bot"):
    request = orders.CancelOrderRequest(order=orders.OrderRef(client_order_id=name))
    return stage.orders.CancelOrder(request, timeout=5, metadata=by(who))


async def test_a_halt_is_told_word_for_word(stage):
    """What was before (nothing), what is now and by whom, and how many orders were asked to go."""
    await place(stage, "one")
    told = await put(stage, "HALTED", who="risk")
    assert (False, EVERYTHING, limits.TRADING_MODE_HALTED, "news", "risk", 1) == (
        told.HasField("previous"),
        told.current.scope,
        told.current.mode,
        told.current.comment,
        told.current.set_by,
        told.cancel_requested_count,
    )
    assert told.current.set_time.seconds > 1_700_000_000
    again = await put(stage, "CANCEL_ONLY", comment="calmer")
    assert (limits.TRADING_MODE_HALTED, "risk", limits.TRADING_MODE_CANCEL_ONLY) == (
        again.previous.mode,
        again.previous.set_by,
        again.current.mode,
    )


async def test_an_order_that_a_halt_cancelled_says_so_to_its_caller(stage):
    """In GetOrder and in its story: what was halted, by whom, and why."""
    await place(stage, "one")
    await put(stage, "HALTED", who="risk", comment="fat finger")
    await cancel(stage, "one")  # answered once it is gone
    ref = orders.OrderRef(client_order_id="one")
    told = await stage.orders.ExplainOrder(orders.ExplainOrderRequest(order=ref), timeout=5, metadata=by("bot"))
    error = told.order.end_error
    words = "trading was HALTED for everything by risk: fat finger"
    assert (order.ORDER_STATUS_CANCELLED, grpc.StatusCode.FAILED_PRECONDITION.value[0], "TRADING_HALTED", words) == (
        *(told.order.status, error.code, error.reason, error.message),
    )
    assert {"mode": "HALTED", "scope": "everything", "comment": "fat finger", "by": "risk"} == dict(error.metadata)
    steps = [(each.text, each.error.reason) for each in told.events if words in each.text]
    assert [(f"A cancel was asked for: {words}; it is pursued until the order has ended.", "TRADING_HALTED")] == steps


async def test_a_halted_callers_order_never_leaves_and_its_cancel_does(stage):
    """Its own orders are stopped and its cancels pass; another caller trades on."""
    await place(stage, "one")
    await put(stage, "CANCEL_ONLY", limits.TradingScope(caller="bot"), who="risk")
    sent = len(stage.venue.sends)
    refusal = await refused(place(stage, "two"))
    assert (grpc.StatusCode.FAILED_PRECONDITION, "TRADING_HALTED") == (refusal.code, refusal.reason)
    told = {name: refusal.metadata[name] for name in ("mode", "scope", "comment", "id_used")}
    assert {
        "mode": "CANCEL_ONLY",
        "scope": "account main, caller bot",
        "comment": "news",
        "id_used": "false",
    } == told
    assert sent == len(stage.venue.sends)
    assert order.ORDER_STATUS_OPEN == (await place(stage, "three", "ann")).order.status
    assert (await cancel(stage, "one")).order.cancel_requested
    await stage.eventually(lambda: 1 == len(stage.venue.cancels))


async def test_a_halt_in_the_midst_of_placing_lets_nothing_in_afterwards(stage):
    """Of 64 placements, some milliseconds apart, none is accepted after the halt was answered; those that were go."""
    stage.venue.plan.extend(Fate(arrives_s=0.001 * number, answers_s=0.05 + 0.001 * number) for number in range(64))
    placing = [asyncio.ensure_future(_placed(stage, number)) for number in range(64)]
    await stage.eventually(lambda: len(stage.venue.sends) >= 8)
    await put(stage, "HALTED", who="risk")
    accepted = len(stage.venue.accepted)
    outcomes = await asyncio.gather(*placing)
    assert accepted == len(stage.venue.accepted)
    assert {"placed", "TRADING_HALTED"} == set(outcomes)
    assert outcomes.count("placed") == accepted
    await stage.eventually(lambda: {"CANCELLED"} == {report.status.name for report, _ in stage.venue.orders.values()})


async def _placed(stage, number):
    await asyncio.sleep(0.004 * number)
    try:
        await place(stage, f"p-{number}")
    except grpc.aio.AioRpcError as error:
        return taken_apart(error).reason
    return "placed"


async def test_two_scopes_stand_side_by_side(stage):
    """Lifting one leaves the other; the strictest counts as long as both stand."""
    bot = limits.TradingScope(caller="bot")
    await put(stage, "REDUCE_ONLY", bot)
    await put(stage, "CANCEL_ONLY")
    assert "CANCEL_ONLY" == (await refused(place(stage, "one"))).metadata["mode"]
    await put(stage, "NORMAL")
    assert "REDUCE_ONLY" == (await refused(place(stage, "one"))).metadata["mode"]
    assert order.ORDER_STATUS_OPEN == (await place(stage, "one", "ann")).order.status
    await put(stage, "NORMAL", bot)
    assert order.ORDER_STATUS_OPEN == (await place(stage, "one")).order.status


async def test_lifting_needs_admin(stage):
    """With kill alone a halt can be set and not be taken back."""
    await put(stage, "HALTED", who="risk")
    refusal = await refused(put(stage, "NORMAL", who="risk"))
    assert (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING", "admin") == (
        refusal.code,
        refusal.reason,
        refusal.metadata["permission"],
    )
    assert "PERMISSION_MISSING" == (await refused(put(stage, "HALTED", who="bot"))).reason


async def test_server_info_tells_the_modes_that_touch_the_caller(stage):
    """The halted one sees why, another does not, who may halt sees all of its accounts."""
    await put(stage, "HALTED", limits.TradingScope(account="main", caller="bot"), who="risk")
    shown = {
        name: [each.scope.caller for each in (await stage.admin.GetServerInfo(INFO, metadata=by(name))).trading_modes]
        for name in ("bot", "ann", "risk")
    }
    assert {"bot": ["bot"], "ann": [], "risk": ["bot"]} == shown


@pytest.mark.parametrize(
    ("who", "fields", "shown"),
    [
        ("bot", {}, ["HALTED bot", "REDUCE_ONLY *", "NORMAL bot"]),
        ("bot", {"symbols": ["ETH/USD"]}, ["HALTED bot", "NORMAL bot"]),
        ("ann", {}, ["REDUCE_ONLY *"]),
        ("root", {"scope": orders.ORDER_SCOPE_ALL_CALLERS}, ["HALTED bot", "REDUCE_ONLY *", "NORMAL bot"]),
    ],
)
async def test_a_follower_of_orders_is_told_of_the_modes_that_touch_it(stage, who, fields, shown):
    """As they are set and lifted, each with its resume token; one that narrows to pairs, of those pairs."""
    stream = stage.orders.SubscribeOrders(orders.SubscribeOrdersRequest(**fields), metadata=by(who))
    while not (await stream.read()).HasField("snapshot"):
        pass
    bot = limits.TradingScope(caller="bot")
    await put(stage, "HALTED", bot)
    await put(stage, "REDUCE_ONLY", limits.TradingScope(symbol="BTC/USD"))
    await put(stage, "NORMAL", bot)
    told = []
    while len(told) < len(shown):
        message = await asyncio.wait_for(stream.read(), 3)
        if message.HasField("trading_mode"):
            assert message.resume_token
            entry = message.trading_mode
            told.append(f"{limits.TradingMode.Name(entry.mode)[13:]} {entry.scope.caller or '*'}")
    assert shown == told
    stream.cancel()


async def test_a_store_that_is_down_is_told_and_the_halt_is_in_force(stage):
    """UNAVAILABLE, with in_force=true: repeat it until it is durable; nothing is placed meanwhile."""
    stage.store.outage = True
    refusal = await refused(put(stage, "HALTED", who="risk"))
    assert (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", "true", "HALTED") == (
        refusal.code,
        refusal.reason,
        refusal.metadata["in_force"],
        refusal.metadata["mode"],
    )
    stage.store.outage = False
    assert "TRADING_HALTED" == (await refused(place(stage, "one"))).reason
    assert limits.TRADING_MODE_HALTED == (await put(stage, "HALTED", who="risk")).current.mode


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"mode": 4, "comment": "x"}, "scope"),
        ({"scope": {}, "mode": 4, "comment": "x"}, "scope.account"),
        ({"scope": {"everything": True, "caller": "a"}, "mode": 4, "comment": "x"}, "scope.everything"),
        ({"scope": {"symbol": "B" * 33}, "mode": 4, "comment": "x"}, "scope.symbol"),
        ({"scope": {"caller": "c" * 65}, "mode": 4, "comment": "x"}, "scope.caller"),
        ({"scope": {"everything": True}, "comment": "x"}, "mode"),
        ({"scope": {"everything": True}, "mode": 9, "comment": "x"}, "mode"),
        ({"scope": {"everything": True}, "mode": 4}, "comment"),
        ({"scope": {"everything": True}, "mode": 4, "comment": " "}, "comment"),
        ({"scope": {"everything": True}, "mode": 4, "comment": "x" * 257}, "comment"),
        ({"scope": {"everything": True}, "mode": 4, "comment": "red\x1b[31m"}, "comment"),
    ],
)
async def test_a_request_that_cannot_be_meant_names_its_field(stage, request_, field):
    """Nothing is set."""
    request = admin.SetTradingModeRequest(**request_)
    refusal = await refused(stage.admin.SetTradingMode(request, timeout=5, metadata=by("root")))
    assert ("INVALID_REQUEST", [field], ()) == (
        refusal.reason,
        list(refusal.bad),
        stage.house.modes.entries,
    )


async def test_a_pair_may_be_spelt_as_kraken_does(stage):
    """It is told in its canonical spelling; one that is not known is refused by its field."""
    told = await put(stage, "HALTED", limits.TradingScope(symbol="XBTUSD"))
    assert "BTC/USD" == told.current.scope.symbol
    assert "UNKNOWN_SYMBOL" == (await refused(put(stage, "HALTED", limits.TradingScope(symbol="NO/PE")))).reason


async def test_a_caller_nobody_knows_is_told(stage):
    """Neither may anybody come by that name, nor has anybody placed an order by it; it is halted all the same."""
    strange = await put(stage, "HALTED", limits.TradingScope(caller="bto"))
    known = await put(stage, "HALTED", limits.TradingScope(caller="bot"))
    assert (True, limits.TRADING_MODE_HALTED) == (strange.caller_unknown, strange.current.mode)
    assert not known.caller_unknown


async def test_a_caller_of_old_orders_is_known(stage, monkeypatch):
    """Its token is revoked, and its orders are in the journal."""
    await place(stage, "one", who="ann")
    monkeypatch.setattr(ByName, "knows", lambda *_: False)
    told = [
        (await put(stage, "CANCEL_ONLY", limits.TradingScope(caller=name))).caller_unknown for name in ("ann", "bot")
    ]
    assert [False, True] == told
