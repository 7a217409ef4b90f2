"""Lines astray: a message that breaks off, a stranger's message, a token that has died; once, and where asked."""

import json

import pytest

from execsvc.paper.mishap import Fault
from tests.unit.paper.paperbench import NS, Bench


def arm(bench, **fault):
    bench.exchange.fault(Fault(**fault), bench.now)


@pytest.fixture
def bench():
    bench = Bench(pairs=("BTC/USD", "ETH/USD"), warm_up_s=0)
    for symbol in ("BTC/USD", "ETH/USD"):
        rows = [(f"{price}.0", "1000") for price in (100, 101)]
        bench.book(bids=rows[:1], asks=rows[1:], symbol=symbol)
    return bench


def following(bench, *channels, symbols=("BTC/USD", "ETH/USD")):
    socket = bench.open()
    for channel in channels:
        socket.ask("subscribe", channel=channel, symbol=list(symbols))
    socket.frames()
    return socket


def stir(bench, symbol):
    bench.take("buy", "1", symbol=symbol)


def test_cut_frame(bench):
    """The next message breaks off at half its text, after all that was queued, and the connection is cut."""
    socket = following(bench, "ticker")
    stir(bench, "BTC/USD")
    arm(bench, kind="cut_frame")
    stir(bench, "ETH/USD")
    torn = socket.line.torn
    assert (1006, ["BTC/USD"]) == (socket.line.closed, [frame["data"][0]["symbol"] for frame in socket.frames()])
    assert "ETH/USD" == json.loads(torn.text)["data"][0]["symbol"]
    assert (torn.text[: len(torn.text) // 2].encode(), len(torn.text)) == (torn.part, torn.size)


def test_nothing_follows_a_cut_frame(bench):
    """After the cut nothing is queued any more, and other lines go on."""
    first, second = following(bench, "ticker"), following(bench, "ticker")
    arm(bench, kind="cut_frame")
    stir(bench, "BTC/USD")
    stir(bench, "BTC/USD")
    bench.wait(3)
    assert ([], 2) == (first.texts(), len(second.frames("ticker")))
    assert (1006, None) == (first.line.closed, second.line.closed)


@pytest.mark.parametrize(
    ("fault", "cut"),
    [
        ({"symbol": "ETH/USD"}, ["heartbeat", "ticker BTC/USD", "book BTC/USD"]),
        ({"channel": "book"}, ["heartbeat", "ticker BTC/USD"]),
        ({"channel": "book", "symbol": "ETH/USD"}, ["heartbeat", "ticker BTC/USD", "book BTC/USD", "ticker ETH/USD"]),
        ({"channel": "heartbeat"}, []),
        ({"skip": 2}, ["heartbeat", "ticker BTC/USD"]),
        ({"line": "private"}, ["heartbeat", "ticker BTC/USD", "book BTC/USD", "ticker ETH/USD", "book ETH/USD"]),
    ],
)
def test_cut_frame_where_asked(bench, fault, cut):
    """Line, channel, symbol and skip choose the message that breaks off; what comes before it is whole."""
    socket = following(bench, "ticker", "book")
    arm(bench, kind="cut_frame", **fault)
    bench.wait(1)
    stir(bench, "BTC/USD")
    stir(bench, "ETH/USD")
    names = [
        f"{frame['channel']} {frame['data'][0]['symbol']}" if "data" in frame else frame["channel"]
        for frame in socket.frames()
    ]
    assert (cut, fault.get("line") != "private") == (names, socket.line.closed == 1006)


def test_cut_execution_is_about_its_symbol(bench):
    """On a private line the symbol is the order's."""
    socket = bench.executions()
    socket.frames()
    arm(bench, kind="cut_frame", channel="executions", symbol="ETH/USD")
    bench.order(price="90", volume="0.1")
    assert (2, None) == (len(socket.frames("executions")), socket.line.torn)
    bench.order(pair="ETHUSD", price="90", volume="0.1")
    assert "ETH/USD" == json.loads(socket.line.torn.text)["data"][0]["symbol"]


def test_answer_may_be_cut(bench):
    """Without channel and symbol an acknowledgement may be what breaks off."""
    socket = bench.open()
    socket.frames()
    arm(bench, kind="cut_frame")
    socket.ask("subscribe", 7, channel="ticker", symbol=["BTC/USD"])
    assert (7, []) == (json.loads(socket.line.torn.text)["req_id"], socket.texts())


def test_torn_line_is_forgotten_like_any_other(bench):
    """Once its owner has carried the cut out, the exchange knows the line no more."""
    socket = following(bench, "ticker")
    arm(bench, kind="cut_frame")
    stir(bench, "BTC/USD")
    assert socket.line.waiting
    bench.exchange.close(socket.line)
    assert (1006, {}) == (socket.line.closed, bench.exchange.audience.lines)


def test_rate_of_cut_frames(bench):
    """With a rate about that share of the messages breaks off."""
    arm(bench, kind="cut_frame", channel="status", rate=0.25, times="always")
    torn = [bench.open().line.torn is not None for _ in range(400)]
    assert 70 < torn.count(True) < 130


def test_unknown_channel(bench):
    """A message of a channel nobody knows goes out before the next one, once; the line lives on."""
    socket = following(bench, "ticker")
    arm(bench, kind="unknown_channel", channel="ticker", symbol="BTC/USD")
    for symbol in ("ETH/USD", "BTC/USD", "BTC/USD"):
        stir(bench, symbol)
    assert ["ticker", "weather", "ticker", "ticker"] == [frame["channel"] for frame in socket.frames()]
    assert socket.line.closed is None


def test_unknown_channel_on_the_private_line(bench):
    """The stranger's message costs no sequence number of the executions."""
    public, private = following(bench, "ticker"), bench.executions()
    private.frames()
    arm(bench, kind="unknown_channel", line="private", times=2)
    bench.order(price="90", volume="0.1")
    bench.wait(1)
    frames = private.frames()
    assert ["weather", "executions", "weather", "executions"] == [frame["channel"] for frame in frames[:4]]
    assert [2, 3] == [frame["sequence"] for frame in frames if frame["channel"] == "executions"]
    assert ["heartbeat"] == [frame["channel"] for frame in public.frames()]


def subscribed(bench, socket, token):
    socket.ask("subscribe", 1, channel="executions", token=token)
    return next(frame for frame in socket.frames() if frame.get("method") == "subscribe")


def test_expired_token(bench):
    """The next subscription with a token is refused as Kraken refuses it; that token is dead, a fresh one is good."""
    token = bench.ok("GetWebSocketsToken")["token"]
    arm(bench, kind="token_expired")
    socket = bench.open("private")
    refused = subscribed(bench, socket, token)
    assert ("ESession:Invalid session", False) == (refused["error"], refused["success"])
    assert "ESession:Invalid session" == subscribed(bench, socket, token)["error"]
    assert subscribed(bench, socket, bench.ok("GetWebSocketsToken")["token"])["success"]


def test_expired_token_leaves_rest_and_running_lines_alone(bench):
    """A line that follows already goes on, and private calls pass."""
    socket = bench.executions()
    socket.frames()
    arm(bench, kind="token_expired", times="always")
    bench.order(price="90", volume="0.1")
    assert 2 == len(socket.frames("executions"))


def test_status_for_a_while(bench):
    """A status with for_ms ends by itself, and every line is told of both; a later status is not ended by it."""
    socket = bench.open()
    socket.frames()
    arm(bench, kind="status", status="cancel_only", for_ms=2000)
    bench.wait(2)
    assert ["cancel_only", "online"] == [frame["data"][0]["system"] for frame in socket.frames("status")]
    arm(bench, kind="maintenance", for_ms=2000)
    bench.exchange.clear_faults(bench.now)
    arm(bench, kind="maintenance")
    bench.wait(3)
    assert "maintenance" == bench.venue.engine.system


@pytest.mark.parametrize(
    ("fault", "skipped"), [({"symbol": "ETH/USD"}, [2, 3, 5, 6]), ({"line": "private"}, [3, 4, 5, 6])]
)
def test_skipped_number_where_asked(bench, fault, skipped):
    """The message that skips a number can be chosen by symbol; its line and channel may be named."""
    socket = bench.executions()
    socket.frames()
    arm(bench, kind="skip_sequence", channel="executions", **fault)
    bench.order(price="90", volume="0.1")
    bench.order(pair="ETHUSD", price="90", volume="0.1")
    assert skipped == [frame["sequence"] for frame in socket.frames("executions")]


def test_messages_are_not_counted_on_closed_lines(bench):
    """A message that goes nowhere is no occasion."""
    socket = following(bench, "ticker")
    socket.line.close()
    arm(bench, kind="cut_frame")
    stir(bench, "BTC/USD")
    assert [1] == [row["left"] for row in bench.venue.faults.listed(bench.now)]


def test_beat_of_a_line_goes_on_after_a_strangers_message(bench):
    """A stranger's message counts as something said: the next heartbeat is a second later."""
    socket = following(bench, "ticker")
    bench.wait(0.5)
    arm(bench, kind="unknown_channel")
    stir(bench, "BTC/USD")
    socket.frames()
    bench.now += NS - 1
    bench.exchange.advance(bench.now)
    assert [] == socket.frames()
    bench.exchange.advance(bench.now + 1)
    assert ["heartbeat"] == [frame["channel"] for frame in socket.frames()]
