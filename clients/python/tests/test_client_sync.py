"""The synchronous client on scripted answers and trailers: errors, doubt, its own repeats, streams.

Retries by service config and pushback live in gRPC's core, which this channel replaces; they are tested on a real
server (test_client_place.py). Method kinds are held against the descriptors here as well: the channel is asked by them.
"""

import threading
import time
from concurrent.futures import Future

import grpc_testing
import pytest
from execsvc_api.v1 import (
    account_service_pb2,
    admin_service_pb2,
    market_data_service_pb2,
    order_service_pb2,
)
from execsvc_client import (
    Connected,
    Disconnected,
    FeedState,
    InDoubt,
    InvalidRequest,
    LiveRefused,
    NotAllowed,
    NotPlaced,
    OrderStatus,
    OutcomeUnknown,
    Placed,
    StateChanged,
    SyncClient,
    Throttled,
    TickerUpdate,
    Unavailable,
)
from grpc import StatusCode

ORDERS = order_service_pb2.DESCRIPTOR.services_by_name["OrderService"].methods_by_name
ADMIN = admin_service_pb2.DESCRIPTOR.services_by_name["AdminService"].methods_by_name
ACCOUNT = account_service_pb2.DESCRIPTOR.services_by_name["AccountService"].methods_by_name
MARKET = market_data_service_pb2.DESCRIPTOR.services_by_name["MarketDataService"].methods_by_name
PAPER = (("x-execsvc-mode", "paper"),)


class World:
    """A fake channel, a clock that moves only when somebody sleeps, and a thread for the caller."""

    def __init__(self, **options) -> None:
        self.channel = grpc_testing.channel(
            [service for file in (order_service_pb2, admin_service_pb2, account_service_pb2, market_data_service_pb2)
             for service in file.DESCRIPTOR.services_by_name.values()],
            grpc_testing.strict_real_time(),
        )  # fmt: skip
        self.now = 0.0
        self.slept = []
        self.client = SyncClient(channel=self.channel, **options)
        self.client.link.clock = lambda: self.now
        self.client.link.sleep = self._sleep

    def _sleep(self, seconds) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def run(self, call, *args, **options) -> Future:
        """Start a call of the client."""
        done: Future = Future()

        def work() -> None:
            try:
                done.set_result(call(*args, **options))
            except Exception as error:  # noqa: BLE001 - handed to whoever waits
                done.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        return done

    def take(self, method):
        """The next call of a method, as (metadata, request, rpc)."""
        metadata, request, rpc = self.channel.take_unary_unary(method)
        return dict(metadata), request, rpc

    def answer(self, method, response, trailers=PAPER):
        """Answer the next call of a method; gives its request."""
        _, request, rpc = self.take(method)
        rpc.terminate(response, trailers, StatusCode.OK, "")
        return request

    def refuse(self, method, failure):
        """Fail the next call of a method; gives its request."""
        _, request, rpc = self.take(method)
        own = PAPER if failure.reason else ()  # what others say does not name our mode
        rpc.terminate(None, (*own, *failure.trailers()), failure.code, failure.message)
        return request

    def paper(self) -> None:
        """Answer the question for the mode."""
        self.answer(ADMIN["GetServerInfo"], admin_service_pb2.GetServerInfoResponse(venue="paper"))


@pytest.fixture
def world():
    return World()


def buy(world, **options):
    return world.run(world.client.buy, "BTC/USD", quantity="0.001", limit_price="60000.0", **options)


def test_place(world, placed):
    """The mode is asked once, then the order goes out and comes back as a value."""
    done = buy(world, client_order_id="c-1")
    world.paper()
    request = world.answer(ORDERS["PlaceOrder"], placed("c-1"))
    result = done.result(5)
    assert ("c-1", "0.001") == (request.client_order_id, request.spec.base_quantity)
    assert isinstance(result, Placed)
    again = buy(world)
    world.answer(ORDERS["PlaceOrder"], placed())
    assert isinstance(again.result(5), Placed)


def test_errors_are_decoded(world, fail):
    """Reason, metadata, bad fields and ids are read off the trailers."""
    done = buy(world)
    world.paper()
    world.refuse(
        ORDERS["PlaceOrder"],
        fail(
            StatusCode.INVALID_ARGUMENT,
            "INVALID_REQUEST",
            "two bad fields",
            {"id_used": "false", "request_id": "r-1", "venue": "paper"},
            fields=(("spec.symbol", "unknown"), ("spec.limit.limit_price", "off tick")),
        ),
    )
    error = done.exception(5)
    assert isinstance(error, InvalidRequest)
    assert ("INVALID_REQUEST", False, "r-1") == (error.reason, error.id_used, error.request_id)
    assert ["spec.symbol", "spec.limit.limit_price"] == [bad.path for bad in error.violations]
    assert "spec.limit.limit_price: off tick" in str(error)
    assert error.trace_id
    assert error.trace_id in str(error)


def test_retry_after_is_read(world, fail):
    """RetryInfo becomes retry_after, in seconds; a used id says so."""
    done = buy(world)
    world.paper()
    world.refuse(
        ORDERS["PlaceOrder"],
        fail(StatusCode.RESOURCE_EXHAUSTED, "VENUE_RATE_LIMITED", metadata={"id_used": "true"}, retry_after=2.5),
    )
    error = done.exception(5)
    assert isinstance(error, Throttled)
    assert (2.5, True) == (error.retry_after, error.id_used)


def test_garbled_details_are_nobodys_word(world):
    """Details that cannot be read leave the outcome open."""
    done = buy(world, timeout=0.2)
    world.paper()
    _, _, rpc = world.take(ORDERS["PlaceOrder"])
    rpc.terminate(None, (("grpc-status-details-bin", b"\xff\xff\xff"),), StatusCode.FAILED_PRECONDITION, "?")
    assert isinstance(done.exception(5), OutcomeUnknown)


def test_in_doubt(world, placed, order):
    """IN_DOUBT is InDoubt; resolve() asks until the truth is there."""
    done = buy(world, client_order_id="c-1")
    world.paper()
    world.answer(ORDERS["PlaceOrder"], placed("c-1", "IN_DOUBT"))
    result = done.result(5)
    assert isinstance(result, InDoubt)
    with pytest.raises(AttributeError, match="not known yet"):
        _ = result.order_id
    resolved = world.run(result.resolve, 30)
    request = world.answer(ORDERS["GetOrder"], order_service_pb2.GetOrderResponse(order=order("c-1", "IN_DOUBT")))
    assert request.order.client_order_id == "c-1"
    _, _, stream = world.channel.take_unary_stream(ORDERS["SubscribeOrders"])
    truth = order("c-1", "OPEN", version=2)
    stream.send_response(order_service_pb2.SubscribeOrdersResponse(order=truth))
    world.answer(ORDERS["GetOrder"], order_service_pb2.GetOrderResponse(order=truth))
    assert resolved.result(5).order.status is OrderStatus.OPEN


def test_doubt_that_ends_not_placed(world, order):
    """A proof of absence is raised as NotPlaced."""
    resolved = world.run(world.client.resolve, "c-1", 30)
    world.answer(ORDERS["GetOrder"], order_service_pb2.GetOrderResponse(order=order("c-1", "NOT_PLACED")))
    assert isinstance(resolved.exception(5), NotPlaced)


def test_lost_answer_is_repeated_with_the_same_request(world, fail, placed):
    """Three repeats at most, each the same request, each after a longer wait; then OutcomeUnknown."""
    done = buy(world, client_order_id="c-1")
    world.paper()
    sent = []
    for attempt in range(4):
        if attempt:
            world.paper()  # a lost connection may have been the gateway's: what is there now?
        sent.append(world.refuse(ORDERS["PlaceOrder"], fail(StatusCode.INTERNAL, message="RST_STREAM")))
    error = done.exception(5)
    assert isinstance(error, OutcomeUnknown)
    assert error.client_order_id == "c-1"
    assert all(each == sent[0] for each in sent)
    assert 3 == len(world.slept)
    for wait, longest in zip(world.slept, (0.1, 0.2, 0.4), strict=True):
        assert longest / 2 <= wait <= longest


def test_repeat_that_is_answered_settles_it(world, fail, placed):
    """A repeat answered from the journal is the answer."""
    done = buy(world)
    world.paper()
    world.refuse(ORDERS["PlaceOrder"], fail(StatusCode.UNKNOWN, message="proxy"))
    world.paper()
    world.answer(ORDERS["PlaceOrder"], order_service_pb2.PlaceOrderResponse(order=placed().order, replayed=True))
    result = done.result(5)
    assert isinstance(result, Placed)
    assert result.replayed


def test_repeat_that_finds_no_permission_keeps_the_outcome_open(world, fail):
    """An answer that does not speak of the order does not end the doubt about its first attempt."""
    done = buy(world)
    world.paper()
    world.refuse(ORDERS["PlaceOrder"], fail(StatusCode.UNKNOWN, message="proxy"))
    world.paper()
    world.refuse(ORDERS["PlaceOrder"], fail(StatusCode.UNAUTHENTICATED, "TOKEN_INVALID"))
    assert isinstance(done.exception(5), OutcomeUnknown)


def test_repeat_never_outlives_the_callers_time(world, fail):
    """With too little time left for another attempt there is none."""
    done = buy(world, timeout=0.3)
    world.paper()
    world.refuse(ORDERS["PlaceOrder"], fail(StatusCode.INTERNAL, message="RST_STREAM"))
    assert isinstance(done.exception(5), OutcomeUnknown)
    assert world.slept == []


def test_own_refusals_are_not_repeated(world, fail):
    """What execsvc itself said is final for this call."""
    done = buy(world)
    world.paper()
    world.refuse(ORDERS["PlaceOrder"], fail(StatusCode.UNAVAILABLE, "SHUTTING_DOWN", metadata={"id_used": "false"}))
    assert isinstance(done.exception(5), Unavailable)
    assert world.slept == []


def test_reads_are_typed_and_not_repeated(world, fail):
    """A failed read is Unavailable or what its code says, never OutcomeUnknown."""
    done = world.run(world.client.balances)
    world.refuse(ACCOUNT["ListBalances"], fail(StatusCode.UNAVAILABLE, message="Socket closed"))
    assert isinstance(done.exception(5), Unavailable)
    done = world.run(world.client.balances)
    world.refuse(ACCOUNT["ListBalances"], fail(StatusCode.UNAUTHENTICATED, "TOKEN_INVALID"))
    assert isinstance(done.exception(5), NotAllowed)


@pytest.mark.parametrize(("mode", "venue"), [("live", "kraken"), ("", "kraken"), ("", ""), ("LIVE", "paper")])
def test_what_is_not_plainly_paper_is_live(world, mode, venue):
    """A mode that is not the word paper is refused, whatever the venue says."""
    done = buy(world)
    trailers = (("x-execsvc-mode", mode),) if mode else ()
    world.answer(ADMIN["GetServerInfo"], admin_service_pb2.GetServerInfoResponse(venue=venue), trailers)
    assert isinstance(done.exception(5), LiveRefused)


def test_floats_are_refused_before_anything_is_sent(world):
    """A float raises on the spot."""
    with pytest.raises(TypeError, match="quantity is a float"):
        world.client.buy("BTC/USD", quantity=0.1, limit_price=1)


def test_timeout_must_leave_time(world):
    """A call without any time is a mistake, and nothing is sent."""
    with pytest.raises(ValueError, match="timeout is 0"):
        world.client.balances(timeout=0)


def test_pages_are_asked_for_one_by_one(world, order):
    """The next page is asked for when the reader gets there, with the same question and the token."""
    reader = world.client.orders("BTC/USD", statuses=[OrderStatus.OPEN], page_size=1)
    first = world.run(next, reader)
    request = world.answer(
        ORDERS["ListOrders"], order_service_pb2.ListOrdersResponse(orders=[order("c-1")], next_page_token="p2")
    )
    assert ("", "BTC/USD", [4]) == (request.page_token, request.symbol, list(request.statuses))
    assert first.result(5).client_order_id == "c-1"
    second = world.run(next, reader, None)
    request = world.answer(ORDERS["ListOrders"], order_service_pb2.ListOrdersResponse(orders=[order("c-2")]))
    assert ("p2", "BTC/USD") == (request.page_token, request.symbol)
    assert second.result(5).client_order_id == "c-2"
    assert world.run(next, reader, None).result(5) is None


def test_watch_reconnects(world, fail):
    """The iterator tells of the loss, waits, opens the stream again and goes on."""
    kind = market_data_service_pb2.SubscribeTickersResponse
    stream = world.client.watch("BTC/USD")

    def serve(bid):
        _, _, rpc = world.channel.take_unary_stream(MARKET["SubscribeTickers"])
        opened = kind()
        opened.accepted.stream_id = "s-1"
        rpc.send_response(opened)
        beat = kind()
        beat.meta.feed_state = 1
        beat.heartbeat.SetInParent()
        rpc.send_response(beat)
        update = kind()
        update.update.tickers.add(symbol="BTC/USD", bid_price=bid)
        rpc.send_response(update)
        return rpc

    def take(count):
        return [next(stream) for _ in range(count)]

    got = world.run(take, 3)
    rpc = serve("1")
    opened, state, update = got.result(5)
    assert isinstance(opened, Connected)
    assert state == StateChanged(FeedState.LIVE, ())
    assert isinstance(update, TickerUpdate)
    got = world.run(take, 4)
    rpc.terminate((), StatusCode.UNAVAILABLE, "Socket closed")
    rpc = serve("2")
    lost, again, _, update = got.result(5)
    assert isinstance(lost, Disconnected)
    assert world.slept == [lost.retry_in]
    assert isinstance(again, Connected)
    assert str(update.ticker.bid_price) == "2"
    rpc.terminate((), StatusCode.UNAVAILABLE, "")
    stream.close()


def test_silence_is_a_loss(world, monkeypatch):
    """A blocked read is cut off when nothing is heard for three heartbeats and a bit."""
    monkeypatch.setattr("execsvc_client._sync_watch.Watchdog.LOOK", 0.01)
    stream = world.client.watch("BTC/USD", heartbeat=1)
    got = world.run(next, stream)
    world.channel.take_unary_stream(MARKET["SubscribeTickers"])
    for _ in range(500):
        if got.done():
            break
        world.now += 0.5
        time.sleep(0.01)
    lost = got.result(5)
    assert isinstance(lost, Disconnected)
    assert "nothing was heard for 5 s" in lost.error.message
    stream.close()


def test_a_slow_reader_keeps_its_stream(world, monkeypatch):
    """The clock of silence stands while the reader works."""
    monkeypatch.setattr("execsvc_client._sync_watch.Watchdog.LOOK", 0.01)
    kind = market_data_service_pb2.SubscribeTickersResponse
    stream = world.client.watch("BTC/USD")
    got = world.run(next, stream)
    _, _, rpc = world.channel.take_unary_stream(MARKET["SubscribeTickers"])
    opened = kind()
    opened.accepted.stream_id = "s-1"
    rpc.send_response(opened)
    assert isinstance(got.result(5), Connected)
    world.now += 3600
    update = kind()
    update.update.tickers.add(symbol="BTC/USD", bid_price="1")
    rpc.send_response(update)
    assert isinstance(world.run(next, stream).result(5), TickerUpdate)
    stream.close()


def test_closing_the_client_ends_its_streams(world):
    """A stream of a client that was closed ends, and does not try to come back."""
    stream = world.client.watch("BTC/USD")
    got = world.run(list, stream)
    _, _, rpc = world.channel.take_unary_stream(MARKET["SubscribeTickers"])
    world.client.link.closed = True
    rpc.terminate((), StatusCode.CANCELLED, "Channel closed!")
    assert got.result(5) == []
    assert world.slept == []


def test_closed_channel_is_closed():
    """The client closes the channel it was given."""
    closed = []

    class Channel:
        def close(self) -> None:
            closed.append(True)

    with SyncClient(channel=Channel()):
        pass
    assert closed == [True]
