"""The Python client against the real door: what one says the other understands, word for word."""

import asyncio
from contextlib import aclosing
from decimal import Decimal

import pytest
from execsvc_client import (
    Client,
    Connected,
    Disconnected,
    FeedState,
    InDoubt,
    InvalidRequest,
    NotFound,
    OpenOrders,
    OrderStatus,
    OrderUpdate,
    Placed,
    Refused,
    StateChanged,
    SyncClient,
    TickerUpdate,
    raw,
)

from execsvc.domain.errors import Fault, Reason
from execsvc.domain.market import BookTopic, LinkDown
from tests.rpc.stage import balance, book, link_up, seen
from tests.support.venue import Fate

LIMIT = {"quantity": "0.001", "limit_price": "60000.0"}


@pytest.fixture
async def client(stage):
    async with Client(stage.door.address) as made:
        yield made


async def take(stream, count):
    found = []
    async with aclosing(stream) as events, asyncio.timeout(10):
        async for event in events:
            found.append(event)
            if len(found) == count:
                break
    return found


async def test_an_order_from_its_placing_to_its_end(client, stage):
    """Placed, found by either id, listed, cancelled, waited for: one story, exact to the digit."""
    placed = await client.buy("XBTUSD", quantity=Decimal("0.00100"), limit_price="60000.0", client_order_id="c-1")
    assert isinstance(placed, Placed)
    assert (OrderStatus.OPEN, "BTC/USD", "0.00100", Decimal("60000.0")) == (
        placed.order.status,
        placed.order.symbol,
        str(placed.order.quantity),
        placed.order.limit_price,
    )
    assert placed.order == await client.get_order("c-1") == await client.get_order(order_id=placed.order.order_id)
    assert ["c-1"] == [each.client_order_id async for each in client.orders(statuses=[OrderStatus.OPEN])]
    await client.cancel(placed)
    ended = await client.wait_for_terminal("c-1", timeout=5)
    assert ended.status is OrderStatus.CANCELLED
    assert len(stage.venue.accepted) == 1


async def test_the_same_intent_twice_is_one_order(client, stage):
    """The same id and content is answered from the journal."""
    await client.buy("BTC/USD", client_order_id="c-1", **LIMIT)
    again = await client.buy("BTC/USD", client_order_id="c-1", quantity="0.0010", limit_price="60000")
    assert isinstance(again, Placed)
    assert (True, 1) == (again.replayed, len(stage.venue.sends))


async def test_a_lost_reply_is_one_order_in_the_end(client, stage):
    """The exchange's answer is lost: doubt first, then the truth, and one order at the exchange."""
    stage.venue.patience_s, stage.venue.lag_s = 0.1, 1.0  # queries see it too late for the caller's half second
    stage.tasks.start("resolver", stage.resolver.run())
    stage.venue.plan.append(Fate(answers_s=None))
    result = await client.buy("BTC/USD", client_order_id="c-1", timeout=0.5, **LIMIT)
    assert isinstance(result, InDoubt)
    resolved = await result.resolve(timeout=20)
    assert (OrderStatus.OPEN, 1) == (resolved.order.status, len(stage.venue.accepted))


async def test_refusals_are_typed_with_their_figures(client, stage):
    """Off tick, an unknown pair, a refusal of the exchange: each its class, with what would pass."""
    with pytest.raises(InvalidRequest) as off_tick:
        await client.buy("BTC/USD", quantity="0.001", limit_price="60000.01")
    assert ("TICK_SIZE_VIOLATED", "0.1", False) == (
        off_tick.value.reason,
        off_tick.value.metadata["increment"],
        off_tick.value.id_used,
    )
    assert "spec.limit.limit_price" in {bad.path for bad in off_tick.value.violations}
    with pytest.raises(NotFound, match="UNKNOWN_SYMBOL") as unknown:
        await client.tickers(["NOPE/USD"])
    assert unknown.value.metadata["suggestions"]
    stage.venue.plan.append(Fate(refusal=Fault(Reason.INSUFFICIENT_FUNDS, "too little USD", {"asset": "USD"})))
    with pytest.raises(Refused) as refused:
        await client.buy("BTC/USD", **LIMIT)
    assert ("INSUFFICIENT_FUNDS", True) == (refused.value.reason, refused.value.id_used)
    assert len(refused.value.request_id) > 0


async def test_the_gateway_says_that_it_is_paper(client):
    """The mode travels in the trailers, the rest in the answer; the kill switch is there."""
    info = await client.server_info()
    assert ("paper", "paper", "local") == (info.mode, info.venue, info.caller)
    assert frozenset() == info.unimplemented_methods
    told = await raw.call(
        client,
        "SetTradingMode",
        {"scope": {"everything": True}, "mode": "TRADING_MODE_NORMAL", "comment": "nothing to lift"},
    )
    assert "nothing to lift" == told["current"]["comment"]
    assert (await client.venue_status()).accounts[0].account == "main"


async def test_balances_and_rules(client, stage):
    """What is held and what an order must meet."""
    stage.venue.held = [balance("USD", "100.50", "0.5")]
    (held,) = await client.balances()
    assert (Decimal("100.50"), Decimal("100.0")) == (held.total, held.available)
    assert ["BTC/USD", "ETH/USD"] == [each.symbol for each in await client.instruments()]


async def test_watching_tickers(client, stage):
    """Snapshot, update, and a lost link to the exchange told at once."""
    got = asyncio.ensure_future(take(client.watch("BTC/USD"), 5))
    await stage.tell(link_up(), seen("BTC/USD", "100", snapshot=True))
    await stage.tell(seen("BTC/USD", "101"))
    await stage.clock.sleep(1.2)
    await stage.tell(LinkDown("gone"))
    events = await got
    assert isinstance(events[0], Connected)
    prices = [str(event.ticker.bid_price) for event in events if isinstance(event, TickerUpdate)]
    assert "101" in prices
    states = [event.state for event in events if isinstance(event, StateChanged)]
    assert FeedState.LIVE in states
    assert states[-1] != FeedState.LIVE


async def test_a_book_that_is_kept(client, stage):
    """The snapshot and each change come as the whole book, fresh while the feed is."""
    got = asyncio.ensure_future(take(client.book_stream("BTC/USD"), 2))
    await stage.eventually(lambda: stage.public.feeds and BookTopic("BTC/USD", 10) in stage.public.feeds[0].topics)
    await stage.tell(link_up(), book("BTC/USD", 10, "100", snapshot=True), book("BTC/USD", 10, "99", snapshot=False))
    first, second = await got
    assert (False, ["100"]) == (first.stale, [str(level.price) for level in first.book.bids])
    assert ["100", "99"] == [str(level.price) for level in second.book.bids]


async def test_order_events_resume_where_they_were_left(client):
    """Each stream tells the feed's state first; one with the last token then exactly what happened since."""
    await client.buy("BTC/USD", client_order_id="c-1", **LIMIT)
    opened, first, snapshot = await take(client.orders_stream(), 3)
    assert (False, FeedState.STALE, ["c-1"]) == (
        opened.resumed,
        first.state,
        [each.client_order_id for each in snapshot.orders],
    )
    assert isinstance(snapshot, OpenOrders)
    await client.buy("BTC/USD", client_order_id="c-2", **LIMIT)
    connected, again, update = await take(client.orders_stream(resume_token=snapshot.resume_token), 3)
    assert connected.resumed
    assert StateChanged(FeedState.STALE, ()) == again
    assert isinstance(update, OrderUpdate)
    assert update.order.client_order_id == "c-2"


async def test_a_drain_is_a_loss_that_is_told(client, stage):
    """When the gateway stops its streams say so, and wait for it to come back."""
    events = client.watch("BTC/USD")
    async with aclosing(events), asyncio.timeout(10):
        assert isinstance(await anext(events), Connected)
        await stage.door.stop(0.2)
        async for event in events:
            if isinstance(event, Disconnected):
                break


async def test_the_synchronous_client_says_the_same(stage):
    """The same names over the same door, without an event loop."""

    def trade():
        with SyncClient(stage.door.address) as client:
            placed = client.buy("BTC/USD", client_order_id="c-1", **LIMIT)
            client.cancel(placed)
            return client.wait_for_terminal("c-1", timeout=5), next(client.orders_stream())

    ended, opened = await asyncio.to_thread(trade)
    assert ended.status is OrderStatus.CANCELLED
    assert isinstance(opened, Connected)
