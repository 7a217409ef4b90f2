"""The order stream through a real server: nothing lost, each state told, resumed from the last token that may be trusted."""

from client_stream_parts import (
    LIVE,
    ORDERS,
    STALE,
    accepted,
    heartbeat,
    in_state,
    order_message,
    snapshot_message,
    take,
)
from execsvc_api.v1 import order_service_pb2
from execsvc_client import (
    Client,
    Connected,
    Disconnected,
    FeedState,
    FillUpdate,
    Gap,
    Heartbeat,
    ModeUpdate,
    OpenOrders,
    OrderUpdate,
    StateChanged,
    TradingMode,
)
from grpc import StatusCode


async def test_orders_stream_resumes_from_the_last_token(gateway, fail, order):
    """After a cut the stream is reopened with the token of the last message, and says that nothing was missed."""
    kind = order_service_pb2.SubscribeOrdersResponse
    fill = order_service_pb2.SubscribeOrdersResponse(resume_token="t-3")
    fill.fill.fill_id, fill.fill.price, fill.fill.quantity, fill.fill.cost = "f-1", "1", "2", "2"
    gateway.script(
        ORDERS,
        [
            accepted(kind),
            snapshot_message([order("c-1")], "t-1", complete=False),
            snapshot_message([order("c-2")], "t-2"),
            fill,
            fail(StatusCode.UNAVAILABLE, "SHUTTING_DOWN"),
        ],
        [accepted(kind), order_message(order("c-1", "FILLED", version=2), "t-4"), 30],
    )
    async with Client(gateway.target) as client:
        events = await take(client.orders_stream(), 6)
    opened, snapshot, filled, lost, again, update = events
    assert (Connected("s-1", "e-1"), Connected("s-1", "e-1", resumed=True)) == (opened, again)
    assert isinstance(snapshot, OpenOrders)
    assert ["c-1", "c-2"] == [each.client_order_id for each in snapshot.orders]
    assert isinstance(filled, FillUpdate)
    assert isinstance(lost, Disconnected)
    assert isinstance(update, OrderUpdate)
    assert update.resume_token == "t-4"
    first, second = gateway.seen(ORDERS)
    assert not first.request.HasField("resume_token")
    assert second.request.resume_token == "t-3"


async def test_orders_stream_does_not_resume_inside_a_snapshot(gateway, fail, order):
    """A cut in the middle of the snapshot starts over: its token would skip the orders not sent yet."""
    kind = order_service_pb2.SubscribeOrdersResponse
    gateway.script(
        ORDERS,
        [
            accepted(kind),
            snapshot_message([order("c-1")], "t-1", complete=False),
            fail(StatusCode.UNAVAILABLE, "SHUTTING_DOWN"),
        ],
        [accepted(kind), snapshot_message([order("c-1"), order("c-2")], "t-2"), 30],
    )
    async with Client(gateway.target) as client:
        events = await take(client.orders_stream(), 4)
    assert not gateway.seen(ORDERS)[1].request.HasField("resume_token")
    snapshot = events[3]
    assert isinstance(snapshot, OpenOrders)
    assert len(snapshot.orders) == 2


async def test_orders_stream_with_an_expired_token_starts_over(gateway, fail, order):
    """A token that is too old is dropped: a snapshot follows, and Connected says that it was not resumed."""
    kind = order_service_pb2.SubscribeOrdersResponse
    gateway.script(
        ORDERS,
        [fail(StatusCode.OUT_OF_RANGE, "RESUME_TOKEN_EXPIRED")],
        [accepted(kind), snapshot_message([order("c-1")], "t-9"), 30],
    )
    async with Client(gateway.target) as client:
        events = await take(client.orders_stream(resume_token="t-old"), 3)
    lost, opened, _ = events
    assert isinstance(lost, Disconnected)
    assert opened == Connected("s-1", "e-1", resumed=False)
    assert ["t-old", ""] == [call.request.resume_token for call in gateway.seen(ORDERS)]


async def test_orders_stream_tells_modes_gaps_and_states(gateway, order):
    """A trading mode, a hole and a change of state come as events of their own; no token is kept between gap and snapshot."""
    kind = order_service_pb2.SubscribeOrdersResponse
    mode = kind(resume_token="t-2")
    mode.trading_mode.mode, mode.trading_mode.comment = 4, "stop"
    gap = kind(resume_token="t-3")
    gap.gap.reason = 1
    script = [
        accepted(kind),
        snapshot_message([], "t-1"),
        mode,
        heartbeat(kind, STALE),
        gap,
        order_message(order("c-1"), "t-4"),
        snapshot_message([order("c-1")], "t-5"),
        30,
    ]
    gateway.script(ORDERS, script)
    async with Client(gateway.target) as client:
        events = await take(client.orders_stream(heartbeats=True, symbols=["BTC/USD"]), 8)
    assert [Connected, OpenOrders, ModeUpdate, StateChanged, Heartbeat, Gap, OrderUpdate, OpenOrders] == [
        type(event) for event in events
    ]
    assert ("t-1", "t-2", "t-2", "t-5") == tuple(events[at].resume_token for at in (1, 2, 6, 7))
    assert events[2].entry.mode is TradingMode.HALTED
    assert ["BTC/USD"] == list(gateway.seen(ORDERS)[0].request.symbols)


async def test_orders_stream_tells_the_state_with_every_message(gateway, order):
    """From `accepted` on: a change is an event before what came in it, once, and each piece of news has its state."""
    kind = order_service_pb2.SubscribeOrdersResponse
    script = [
        in_state(accepted(kind), STALE),
        in_state(snapshot_message([], "t-1"), STALE),
        in_state(order_message(order("c-1"), "t-2"), LIVE),
        heartbeat(kind, LIVE),
        in_state(order_message(order("c-2"), "t-3"), LIVE),
        30,
    ]
    gateway.script(ORDERS, script)
    async with Client(gateway.target) as client:
        events = await take(client.orders_stream(symbols=["BTC/USD"]), 6)
    assert [
        *(Connected, StateChanged(FeedState.STALE, ("BTC/USD",)), (OpenOrders, FeedState.STALE)),
        *(StateChanged(FeedState.LIVE, ()), (OrderUpdate, FeedState.LIVE), (OrderUpdate, FeedState.LIVE)),
    ] == [
        event
        if isinstance(event, StateChanged)
        else (type(event), event.state)
        if hasattr(event, "state")
        else Connected
        for event in events
    ]


async def test_orders_stream_tells_a_state_once_however_its_pairs_are_spelled(gateway, order):
    """The first message has them as they were asked for, a heartbeat as the gateway names them."""
    kind = order_service_pb2.SubscribeOrdersResponse
    script = [
        in_state(accepted(kind), STALE),
        heartbeat(kind, STALE, ["BTC/USD"]),
        in_state(order_message(order("c-1"), "t-1"), STALE),
        heartbeat(kind, LIVE),
        30,
    ]
    gateway.script(ORDERS, script)
    async with Client(gateway.target) as client:
        events = await take(client.orders_stream(symbols=["XBTUSD"]), 4)
    assert [Connected, StateChanged(FeedState.STALE, ("XBTUSD",)), OrderUpdate, StateChanged(FeedState.LIVE, ())] == [
        event if isinstance(event, StateChanged) else type(event) for event in events
    ]


async def test_orders_stream_tells_the_state_of_each_connection(gateway, fail, order):
    """What the lost one said is forgotten: the new one says it again."""
    kind = order_service_pb2.SubscribeOrdersResponse
    gateway.script(
        ORDERS,
        [in_state(accepted(kind), LIVE), fail(StatusCode.UNAVAILABLE, "SHUTTING_DOWN")],
        [in_state(accepted(kind), LIVE), 30],
    )
    async with Client(gateway.target) as client:
        events = await take(client.orders_stream(), 5)
    live = StateChanged(FeedState.LIVE, ())
    assert [Connected, live, Disconnected, Connected, live] == [
        event if isinstance(event, StateChanged) else type(event) for event in events
    ]


async def test_slow_reader_reopens_with_its_token_at_once(gateway, fail, order):
    """SLOW_CONSUMER is reopened with the token and without waiting."""
    kind = order_service_pb2.SubscribeOrdersResponse
    slow = fail(StatusCode.RESOURCE_EXHAUSTED, "SLOW_CONSUMER", pushback_ms=-1)
    gateway.script(ORDERS, [accepted(kind), snapshot_message([], "t-1"), slow], [accepted(kind), 30])
    async with Client(gateway.target) as client:
        events = await take(client.orders_stream(), 4)
    assert isinstance(events[2], Disconnected)
    assert events[2].retry_in == 0
    assert gateway.seen(ORDERS)[1].request.resume_token == "t-1"
