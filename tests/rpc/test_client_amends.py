"""The Python clients against the real door: an order changed in place, asked twice, refused, lost and found again."""

import asyncio
from decimal import Decimal

import pytest
from execsvc_api.v1 import order_service_pb2 as orders
from execsvc_client import (
    Amended,
    AmendInDoubt,
    Client,
    Conflict,
    InvalidRequest,
    NotFound,
    NotPlaced,
    OrderUpdate,
    OutcomeUnknown,
    Refused,
    SyncClient,
    Throttled,
)
from execsvc_client._amend_calls import told
from execsvc_client._amends import amend_order

from execsvc.domain.errors import Fault, Reason, refuse
from tests.support.amends import AmendFate, ScriptedAmends

LIMIT = {"quantity": "0.001", "limit_price": "60000.0", "client_order_id": "c-1"}
LOST = AmendFate(answers_s=None)
GONE = AmendFate(arrives_s=None, answers_s=None)


@pytest.fixture
async def exchange(stage):
    """The exchange's side of amends; what is in doubt is looked for."""
    stage.venue.patience_s = 0.1
    stage.venue.amends = ScriptedAmends(stage.venue, stage.clock, stage.tasks)
    stage.tasks.start("amend doubts", stage.house.amends.doubts.run())
    return stage.venue.amends


@pytest.fixture
async def client(stage, exchange):
    async with Client(stage.door.address) as made:
        yield made


async def refused(call, kind):
    with pytest.raises(kind) as caught:
        await call
    return caught.value


async def test_an_order_is_changed_in_place(client, exchange):
    """Quantity and price, exact to the digit; the id stays, the version rises."""
    placed = await client.buy("BTC/USD", **LIMIT)
    result = await client.amend(placed, quantity="0.0020", limit_price=Decimal("59000.5"))
    assert isinstance(result, Amended)
    assert (Decimal("0.002"), Decimal("59000.5"), placed.order.order_id, placed.order.version + 1) == (
        result.order.quantity,
        result.order.limit_price,
        result.order.order_id,
        result.order.version,
    )
    assert ([result.request_id], False) == (exchange.sends, result.replayed)
    assert result.order == await client.get_order("c-1")


async def test_an_amend_is_told_on_the_order_stream(client):
    """As a new state of the order."""
    placed = await client.buy("BTC/USD", **LIMIT)
    stream = client.orders_stream()
    async with asyncio.timeout(5):
        await anext(stream)
        told = asyncio.ensure_future(_until_version(stream, placed.order.version + 1))
        await client.amend("c-1", limit_price="59000")
        assert Decimal(59000) == (await told).limit_price
    await stream.aclose()


async def _until_version(stream, version):
    async for event in stream:
        if isinstance(event, OrderUpdate) and event.order.version == version:
            return event.order
    raise AssertionError("the stream ended")


async def test_the_same_request_again_is_not_sent(client, exchange):
    """By its request_id, figures by value; other figures under it are a conflict."""
    await client.buy("BTC/USD", **LIMIT)
    await client.amend("c-1", limit_price="59000", request_id="r-1")
    again = await client.amend("c-1", limit_price="59000.00", request_id="r-1")
    assert (True, "r-1", ["r-1"]) == (again.replayed, again.request_id, exchange.sends)
    reused = await refused(client.amend("c-1", limit_price="59001", request_id="r-1"), Conflict)
    assert ("CLIENT_ORDER_ID_REUSED", True) == (reused.reason, reused.id_used)
    assert ["r-1"] == exchange.sends


async def test_a_version_seen_is_a_condition(client, exchange):
    """VERSION_MISMATCH tells the order's version; nothing was sent and the request_id is free."""
    placed = await client.buy("BTC/USD", **LIMIT)
    wrong = await refused(client.amend("c-1", limit_price="59000", request_id="r-1", if_version=99), Conflict)
    assert ("VERSION_MISMATCH", str(placed.order.version), False, []) == (
        wrong.reason,
        wrong.metadata["version"],
        wrong.id_used,
        exchange.sends,
    )
    right = await client.amend("c-1", limit_price="59000", request_id="r-1", if_version=placed.order.version)
    assert Decimal(59000) == right.order.limit_price


async def test_refusals_are_typed_with_their_figures(client, exchange):
    """Off tick, an unknown order, one that ended, a full counter, Kraken's own no: each its class."""
    await client.buy("BTC/USD", **LIMIT)
    off_tick = await refused(client.amend("c-1", limit_price="59000.01"), InvalidRequest)
    assert ("TICK_SIZE_VIOLATED", "0.1", ["limit_price"]) == (
        off_tick.reason,
        off_tick.metadata["increment"],
        [bad.path for bad in off_tick.violations],
    )
    assert "ORDER_NOT_FOUND" == (await refused(client.amend("never", limit_price="59000"), NotFound)).reason
    exchange.room_refusals.extend([refuse(Reason.LOCAL_RATE_LIMITED, "full", retry_after_s=0.05)] * 4)  # all repeats
    full = await refused(client.amend("c-1", limit_price="59000"), Throttled)
    assert (0.05, False, []) == (full.retry_after, full.id_used, exchange.sends)
    exchange.plan.append(AmendFate(refusal=Fault(Reason.INSUFFICIENT_FUNDS, "too little", {"asset": "USD"})))
    poor = await refused(client.amend("c-1", quantity="9"), Refused)
    assert ("INSUFFICIENT_FUNDS", True) == (poor.reason, poor.id_used)
    await client.cancel("c-1")
    ended = await refused(client.amend("c-1", limit_price="59000"), Refused)
    assert ("ORDER_TERMINAL", "CANCELLED") == (ended.reason, ended.metadata["status"])


@pytest.mark.parametrize(
    ("asked", "words"),
    [({}, "say what is to be changed"), ({"limit_price": 0.1}, "float"), ({"price": "1"}, "unknown option: price")],
)
async def test_what_cannot_be_meant_is_refused_before_anything_is_sent(client, exchange, asked, words):
    """Nothing to change, a float, an option there is not."""
    with pytest.raises(TypeError, match=words):
        await client.amend("c-1", **asked)
    assert [] == exchange.sends


# ---- doubt -----------------------------------------------------------------------------------------------------------


async def test_a_lost_answer_is_doubt_and_then_the_truth(client, exchange):
    """AmendInDoubt, neither true nor false, with the order as it was; resolve() gives the order as it is, sent once."""
    exchange.lag_s = 0.8
    await client.buy("BTC/USD", **LIMIT)
    exchange.plan.append(LOST)
    doubt = await client.amend("c-1", limit_price="59000", request_id="r-1", timeout=0.5)
    assert isinstance(doubt, AmendInDoubt)
    with pytest.raises(TypeError, match="r-1 is not known yet"):
        bool(doubt)
    assert Decimal(60000) == doubt.so_far.limit_price
    found = await doubt.resolve(timeout=10)
    assert (Decimal(59000), "r-1", ["r-1"]) == (found.order.limit_price, found.request_id, exchange.sends)


async def test_an_amend_that_never_arrived_is_proved_so(client, exchange, stage):
    """NotPlaced: the order is as it was, and the change may be asked for anew under another request_id."""
    stage.house.visibility.bound_s = 0.1
    await client.buy("BTC/USD", **LIMIT)
    exchange.plan.append(GONE)
    doubt = await client.amend("c-1", limit_price="59000", request_id="r-1", timeout=0.5)
    gone = await refused(doubt.resolve(timeout=10), NotPlaced)
    assert ("NOT_PLACED", True, ["r-1"]) == (gone.reason, gone.id_used, exchange.sends)
    anew = await client.amend("c-1", limit_price="59000")
    assert Decimal(59000) == anew.order.limit_price


async def test_time_that_is_up_before_the_truth_is_told(client, exchange):
    """OutcomeUnknown, and the doubt may be asked again."""
    exchange.lag_s = 1.5
    await client.buy("BTC/USD", **LIMIT)
    exchange.plan.append(LOST)
    doubt = await client.amend("c-1", limit_price="59000", timeout=0.5)
    unknown = await refused(doubt.resolve(timeout=0.4), OutcomeUnknown)
    assert "is still not known after 0.4 s" in unknown.message
    assert Decimal(59000) == (await doubt.resolve(timeout=10)).order.limit_price


async def test_asking_for_a_doubt_never_sends(client, exchange):
    """Of a request_id that the gateway does not know, nothing was ever sent: NotPlaced, and the id is free."""
    placed = await client.buy("BTC/USD", **LIMIT)
    request = amend_order("", "c-1", "", {"limit_price": "59000", "request_id": "r-1"})
    in_doubt = orders.AmendOrderResponse(order=placed.order.wire, state=orders.AMEND_STATE_IN_DOUBT)
    gone = await refused(told(client.link, request, in_doubt).resolve(timeout=5), NotPlaced)
    assert (False, []) == (gone.id_used, exchange.sends)
    assert ["r-1"] == [(await client.amend("c-1", limit_price="59000", request_id="r-1")).request_id]


# ---- the synchronous client ----------------------------------------------------------------------------------------


async def test_the_synchronous_client_does_the_same(stage, exchange):
    """Amended, AmendInDoubt, its truth, and a proof of absence."""
    exchange.lag_s = 0.6

    def work():
        with SyncClient(stage.door.address) as client:
            client.buy("BTC/USD", **LIMIT)
            plain = client.amend("c-1", limit_price="59000")
            exchange.plan.append(LOST)
            lost = client.amend("c-1", limit_price="58000", timeout=0.5)
            found = lost.resolve(10)
            exchange.lag_s, stage.house.visibility.bound_s = 0.0, 0.1
            exchange.plan.append(GONE)
            gone = client.amend("c-1", limit_price="57000", timeout=0.5)
            try:
                gone.resolve(10)
            except NotPlaced as proof:
                return plain, lost, found, proof
            raise AssertionError("it was told as applied")

    plain, lost, found, proof = await asyncio.to_thread(work)
    assert (Decimal(59000), Decimal(58000)) == (plain.order.limit_price, found.order.limit_price)
    assert (AmendInDoubt, "NOT_PLACED", 3) == (type(lost), proof.reason, len(exchange.sends))
