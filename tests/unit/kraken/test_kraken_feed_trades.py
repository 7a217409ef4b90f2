"""Trades and candles of the public session, frame by frame: samples in, market events out."""

from decimal import Decimal

import pytest
from feed_parts import Link, sample
from hypothesis import given
from hypothesis import strategies as st
from kraken_parts import vector

from execsvc.domain.errors import ProtocolBroken
from execsvc.domain.market import Beat, CandlesSeen, CandleTopic, Side, TopicRefused, TradesSeen, TradeTopic
from execsvc.kraken.subscriptions import QUIET_S

TRADES = TradeTopic("MATIC/USD")
CANDLES = CandleTopic("MATIC/USD", 300)


def live(*topics):
    link = Link(*topics)
    link.requests()
    return link


def answer(request, symbol="MATIC/USD", *, error=""):
    outcome = {"error": error, "success": False, "symbol": symbol} if error else {"success": True}
    result = {} if error else {"result": {"channel": request["params"]["channel"], "symbol": symbol}}
    return {"method": request["method"], "req_id": request["req_id"], **outcome, **result}


def test_requests_are_krakens_own_words():
    """Trades with their snapshot (it is not asked for by itself), candles with the interval as in the published request."""
    trades, candles = sorted(Link(TRADES, CANDLES).requests(), key=lambda each: each["params"]["channel"], reverse=True)
    assert {"channel": "trade", "symbol": ["MATIC/USD"], "snapshot": True} == trades["params"]
    assert vector("ws_subscribe_ohlc_request")["params"] == candles["params"]


def test_giving_up_names_the_interval():
    """Kraken would not know which of several was meant."""
    link = live(CANDLES, CandleTopic("MATIC/USD", 60))
    link.session.want(frozenset({CandleTopic("MATIC/USD", 60)}))
    (leaving,) = link.requests()
    expected = {"channel": "ohlc", "symbol": ["MATIC/USD"], "interval": 5}
    assert ("unsubscribe", expected) == (leaving["method"], leaving["params"])


def test_trade_samples_become_trades():
    """Snapshot, then update; digits as printed; the taker's side; venue and receive time."""
    link = live(TRADES)
    (snapshot,) = link.sees(sample("ws_trade_snapshot"))
    (update,) = link.sees(sample("ws_trade_update"))
    assert [(TRADES, True, ["4665846", "4665847"]), (TRADES, False, ["4665906"])] == [
        (each.topic, each.snapshot, [trade.trade_id for trade in each.trades]) for each in (snapshot, update)
    ]
    (trade,) = update.trades
    assert (Side.SELL, "0.5117", "40.0") == (trade.taker_side, str(trade.price), str(trade.quantity))
    assert (1_695_628_177_708_706_000, link.wall) == (trade.times.venue_ns, trade.times.receive_ns)


def test_trades_of_several_symbols_in_one_frame_are_told_apart():
    """Those that are not wished are no news."""
    link = live(TRADES, TradeTopic("BTC/USD"))
    frame = vector("ws_trade_update")
    row = frame["data"][0]
    rows = [row | {"symbol": symbol, "trade_id": n} for n, symbol in enumerate(["BTC/USD", "MATIC/USD", "ETH/USD"])]
    seen = link.sees(frame | {"data": [*rows, rows[0] | {"trade_id": 9}]})
    assert [("BTC/USD", ["0", "9"]), ("MATIC/USD", ["1"])] == [
        (each.topic.symbol, [trade.trade_id for trade in each.trades]) for each in seen
    ]


def test_a_trade_before_the_snapshot_is_news():
    """It is no older than the subscription, whatever order the frames come in."""
    link = live(TRADES)
    assert [TradesSeen] == [type(each) for each in link.sees(sample("ws_trade_update"))]


def test_the_candle_sample_becomes_a_candle():
    """Digits as printed, times in nanoseconds, interval in seconds; not closed, for Kraken does not say it."""
    link = live(CANDLES)
    link.gets(vector("ws_ohlc_update") | {"type": "snapshot"})
    (seen,) = link.sees(sample("ws_ohlc_update"))
    (candle,) = seen.candles
    assert (CANDLES, False, 300, 1_696_436_700 * 10**9, False) == (
        seen.topic,
        seen.snapshot,
        candle.interval_s,
        candle.open_time_ns,
        candle.closed,
    )
    figures = (candle.open_price, candle.high_price, candle.low_price, candle.close_price, candle.volume, candle.vwap)
    assert ["0.5624", "0.5628", "0.5622", "0.5627", "30927.68066226", "0.5626"] == [str(each) for each in figures]
    assert 12 == candle.trade_count


def test_intervals_of_one_symbol_are_told_apart():
    """By the interval in the row; one that is not wished is no news."""
    link = live(CANDLES, CandleTopic("MATIC/USD", 60))
    frame = vector("ws_ohlc_update") | {"type": "snapshot"}
    row = frame["data"][0]
    seen = link.sees(frame | {"data": [row | {"interval": interval} for interval in (1, 5, 15)]})
    assert [60, 300] == [each.topic.interval_s for each in seen]


def test_a_candle_before_its_snapshot_is_no_news():
    """Nobody knows yet what it changes."""
    assert [] == live(CANDLES).sees(sample("ws_ohlc_update"))


@pytest.mark.parametrize(("topic", "kind"), [(TRADES, TradesSeen), (CANDLES, CandlesSeen)])
def test_a_confirmed_topic_that_stays_quiet_has_an_empty_snapshot(topic, kind):
    """A market in which nobody has traded: live after a second, told once; the first rows after it are news."""
    link = Link(topic)
    (request,) = link.requests()
    assert [] == link.sees(answer(request))
    assert [] == link.sees(sample("ws_heartbeat"), after=QUIET_S / 2)
    (seen,) = link.sees(sample("ws_heartbeat"), after=QUIET_S)
    assert kind(topic, (), snapshot=True, receive_ns=link.wall) == seen
    assert [] == link.sees(sample("ws_heartbeat"), after=QUIET_S)
    name = "ws_trade_update" if topic == TRADES else "ws_ohlc_update"
    assert [(kind, False)] == [(type(each), each.snapshot) for each in link.sees(sample(name))]


def test_a_refused_topic_is_told_by_itself():
    """One interval of one symbol is refused; the same symbol's other interval and its trades are not."""
    link = Link(TRADES, CANDLES, CandleTopic("MATIC/USD", 60))
    request = next(each for each in link.requests() if each["params"].get("interval") == 5)
    refused = link.sees(answer(request, error="Currency pair not supported MATIC/USD"))
    assert [TopicRefused(CANDLES, "Currency pair not supported MATIC/USD")] == refused
    assert [TradesSeen] == [type(each) for each in link.sees(sample("ws_trade_snapshot"))]


def test_a_new_connection_asks_for_trades_anew():
    """With its snapshot, so that what was missed can be told."""
    link = live(TRADES)
    link.gets(sample("ws_trade_snapshot"))
    link.session.opened(link.now, link.wall)
    assert [("trade", True)] == [(each["params"]["channel"], each["params"]["snapshot"]) for each in link.requests()]


def changed(name, **fields):
    frame = vector(name)
    return frame | {"type": "snapshot", "data": [frame["data"][0] | fields]}


@pytest.mark.parametrize(
    "frame",
    [
        changed("ws_trade_update", side="both"),
        changed("ws_trade_update", price=-1),
        changed("ws_trade_update", timestamp="yesterday"),
        changed("ws_trade_update", trade_id="one"),
        changed("ws_ohlc_update", interval_begin=""),
        changed("ws_ohlc_update", trades=-1),
        changed("ws_ohlc_update", high="NaN"),
        {"channel": "trade", "type": "update"},
        {"channel": "ohlc", "type": "update", "data": {}},
    ],
)
def test_unreadable_frame_is_broken(frame):
    """It is refused whole; the loop drops the link."""
    link = live(TRADES, CANDLES)
    with pytest.raises(ProtocolBroken):
        link.gets(frame)


FRAMES = [sample(name) for name in ("ws_trade_snapshot", "ws_trade_update", "ws_ohlc_update")]


@given(st.sampled_from(FRAMES), st.data())
def test_mangled_frames_are_events_or_broken(frame, data):
    """Any published frame with a piece replaced by anything: events or ProtocolBroken, and no figure below zero."""
    start = data.draw(st.integers(0, len(frame)))
    end = data.draw(st.integers(start, min(len(frame), start + 12)))
    link = live(TRADES, CANDLES)
    try:
        events = link.gets(frame[:start] + data.draw(st.binary(max_size=8)) + frame[end:])
    except ProtocolBroken:
        return
    assert events
    for event in events:
        match event:
            case TradesSeen():
                assert all(min(each.price, each.quantity) >= Decimal(0) for each in event.trades)
            case CandlesSeen():
                assert all(min(each.low_price, each.volume) >= Decimal(0) for each in event.candles)
            case _:
                assert isinstance(event, Beat)
