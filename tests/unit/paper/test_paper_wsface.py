"""The WebSocket v2 protocol without sockets: acknowledgements, snapshots, news, heartbeats, executions."""

import json

import pytest

from execsvc.paper.control import MarketMove, move_market
from execsvc.paper.line import OUTBOX_MAX
from tests.unit.paper.paperbench import Bench, kinds, vector


def keys(frame):
    return set(frame)


def test_status_comes_first(bench):
    """The first frame of every line is the status, its connection id larger than a float can hold."""
    for kind in ("public", "private"):
        (frame,) = bench.open(kind).frames()
        assert kinds(vector("ws_status.json")) == kinds(frame)
        assert "online" == frame["data"][0]["system"]
        assert frame["data"][0]["connection_id"] > 2**53


@pytest.mark.parametrize(
    ("channel", "params", "ack", "snapshot"),
    [
        ("book", {"depth": 10}, "ws_subscribe_book_ack.json", "ws_book_snapshot.json"),
        ("ticker", {}, "ws_subscribe_ticker_ack.json", "ws_ticker_snapshot.json"),
        ("trade", {"snapshot": True}, None, "ws_trade_snapshot.json"),
        ("ohlc", {"interval": 5}, None, "ws_ohlc_update.json"),
    ],
)
def test_subscribe_in_the_samples_shape(ladder, channel, params, ack, snapshot):
    """A symbol is acknowledged, then sends its snapshot, both with the names and types of the samples."""
    ladder.take("buy", "0.1")
    socket = ladder.open()
    socket.frames()
    socket.ask("subscribe", 7, channel=channel, symbol=["BTC/USD"], **params)
    answer, first = socket.frames()
    assert (7, True, "subscribe") == (answer["req_id"], answer["success"], answer["method"])
    if ack:
        sample = kinds(vector(ack))
        assert {name: answer["result"][name] for name in vector(ack)["result"] if name != "symbol"} == {
            name: value for name, value in vector(ack)["result"].items() if name != "symbol"
        }
        assert sample.keys() <= answer.keys()
    assert "snapshot" == first["type"]
    assert kinds(vector(snapshot)["data"])[0].items() <= kinds(first["data"])[0].items()


def test_instrument_in_the_samples_shape(bench):
    """The instrument snapshot has assets and pairs with every field of the sample, as numbers where it has numbers."""
    socket = bench.open()
    socket.ask("subscribe", 79, channel="instrument", snapshot=True)
    _, answer, frame = socket.frames()
    assert vector("ws_instrument_subscribe_ack.json")["result"] == answer["result"]
    assert kinds(vector("ws_instrument_snapshot.json")) == kinds(frame)
    listed = {pair["symbol"]: pair for pair in frame["data"]["pairs"]}
    assert ["BTC/USD", "ETH/BTC", "ETH/USD"] == sorted(listed)
    assert (1, 8, 0.1, 0.00005) == tuple(
        listed["BTC/USD"][name] for name in ("price_precision", "qty_precision", "price_increment", "qty_min")
    )


def test_one_ack_per_symbol(bench):
    """Several symbols are acknowledged one by one, unknown ones refused on their own, then the snapshots follow."""
    socket = bench.open()
    socket.frames()
    socket.ask("subscribe", 3, channel="ticker", symbol=["BTC/USD", "FOO/BAR", "ETH/USD", "XBT/USD"])
    frames = socket.frames()
    assert [True, False, True, False] == [frame["success"] for frame in frames[:4]]
    assert {3} == {frame["req_id"] for frame in frames[:4]}
    assert ["BTC/USD", "ETH/USD"] == [frame["data"][0]["symbol"] for frame in frames[4:]]
    sample = vector("ws_subscribe_error_unsupported_pair.json")
    assert keys(sample) == keys(frames[1])
    assert (sample["error"], sample["symbol"]) == (frames[1]["error"], frames[1]["symbol"])


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"channel": "horoscope", "symbol": ["BTC/USD"]}, "Subscription name invalid"),
        ({"symbol": ["BTC/USD"]}, "Subscription name invalid"),
        ({"channel": "book", "symbol": ["BTC/USD"], "depth": 11}, "Subscription depth not supported"),
        ({"channel": "ohlc", "symbol": ["BTC/USD"], "interval": 2}, "Subscription ohlc interval not supported"),
        ({"channel": "ticker", "symbol": ["BTC/USD"], "event_trigger": "x"}, "Event trigger not supported"),
        ({"channel": "ticker"}, "Symbol(s) not provided"),
        ({"channel": "ticker", "symbol": "BTC/USD"}, "Symbol(s) not provided"),
        (
            {"channel": "executions", "token": "x"},
            "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com",
        ),
    ],
)
def test_refused_subscriptions(bench, params, error):
    """A request that cannot be met is refused in one frame and changes nothing."""
    socket = bench.open()
    socket.frames()
    socket.ask("subscribe", 5, **params)
    (answer,) = socket.frames()
    assert (error, False, 5) == (answer["error"], answer["success"], answer["req_id"])
    assert not socket.line.subscribed


def test_private_line_has_no_market_data(bench):
    """Market data on the private endpoint is refused."""
    socket = bench.open("private")
    socket.frames()
    socket.ask("subscribe", channel="ticker", symbol=["BTC/USD"])
    assert "Public market data" in socket.frames()[0]["error"]


def test_subscribing_twice(bench):
    """A symbol is followed once: a second subscription is refused, at another depth too."""
    socket = bench.open()
    socket.ask("subscribe", channel="book", symbol=["BTC/USD"])
    socket.frames()
    socket.ask("subscribe", channel="book", symbol=["BTC/USD"], depth=100)
    assert "Already subscribed" == socket.frames()[0]["error"]


def test_unsubscribe_ends_the_news(bench):
    """After an unsubscribe nothing more comes; doing it again is an error under the method subscribe."""
    socket = bench.open()
    socket.ask("subscribe", channel="ticker", symbol=["BTC/USD"])
    socket.frames()
    socket.ask("unsubscribe", 4, channel="ticker", symbol=["BTC/USD"])
    answer = socket.frames()[0]
    sample = vector("ws_unsubscribe_ticker_ack.json")
    assert (sample["result"] | {"symbol": "BTC/USD"}, True) == (answer["result"], answer["success"])
    bench.take("buy", "0.1")
    assert [] == socket.frames("ticker")
    socket.ask("unsubscribe", 123456789, channel="ticker", symbol=["BTC/USD"])
    sample = vector("ws_subscribe_error_not_found.json")
    refused = socket.frames()[0]
    assert keys(sample) == keys(refused)
    assert {name: sample[name] for name in ("error", "method", "req_id", "success", "symbol")} == {
        name: refused[name] for name in ("error", "method", "req_id", "success", "symbol")
    }


def test_ping(bench):
    """A ping is answered with its req_id and both times."""
    socket = bench.open()
    socket.frames()
    socket.ask("ping", 101)
    (pong,) = socket.frames()
    assert kinds(vector("ws_pong.json")) == kinds(pong)
    assert ("pong", 101) == (pong["method"], pong["req_id"])


@pytest.mark.parametrize("text", ["", "{", "[]", '"hello"', "{}", '{"method": 5}', '{"method":"dance"}'])
def test_garbage_is_answered(bench, text):
    """What is no request is refused, and the line goes on."""
    socket = bench.open()
    socket.frames()
    socket.send(text)
    assert [False] == [frame["success"] for frame in socket.frames()]
    socket.ask("ping", 1)
    assert "pong" == socket.frames()[0]["method"]


def test_req_id_that_is_no_number_is_not_echoed(bench):
    """Only integers correlate."""
    socket = bench.open()
    socket.frames()
    socket.send('{"method":"ping","req_id":"abc"}')
    assert "req_id" not in socket.frames()[0]


def test_heartbeat_only_in_silence(bench):
    """A subscribed line beats once a second when it said nothing else, and not before its first subscription."""
    socket = bench.open()
    bench.wait(5)
    assert [] == socket.frames("heartbeat")
    socket.ask("subscribe", channel="book", symbol=["BTC/USD"])
    socket.frames()
    bench.wait(3)
    assert [vector("ws_heartbeat.json")] * 3 == socket.frames()
    bench.wait(0.5)
    bench.book(bids=[("90000.0", "1")], asks=[("90001.0", "1")])
    bench.wait(0.9)
    assert ["book"] == [frame["channel"] for frame in socket.frames()]
    bench.wait(0.1)
    assert ["heartbeat"] == [frame["channel"] for frame in socket.frames()]


def test_idle_line_is_closed(bench):
    """A line that subscribes to nothing and says nothing is closed after a minute; one that pings is not."""
    idle, pinging = bench.open(), bench.open()
    for _ in range(2):
        bench.wait(40)
        pinging.ask("ping")
    assert idle.line.closed is not None
    assert pinging.line.closed is None


def test_slow_reader_is_cut_off(bench):
    """A client that does not read is closed instead of filling the exchange's memory."""
    socket = bench.open()
    for _ in range(OUTBOX_MAX + 2):
        socket.ask("ping")
    assert 1008 == socket.line.closed
    assert [] == socket.texts()


def test_ticker_on_trades_or_on_best_prices(ladder):
    """The default ticker speaks when something traded, the other when the best prices moved."""
    trades, bbo = ladder.open(), ladder.open()
    trades.ask("subscribe", channel="ticker", symbol=["BTC/USD"])
    bbo.ask("subscribe", channel="ticker", symbol=["BTC/USD"], event_trigger="bbo")
    for socket in (trades, bbo):
        socket.frames()
    ladder.take("buy", "0.5")
    assert (1, 0) == (len(trades.frames("ticker")), len(bbo.frames("ticker")))
    ladder.book(bids=[("100.0", "1")], asks=[("100.5", "1")])
    assert (0, 1) == (len(trades.frames("ticker")), len(bbo.frames("ticker")))
    ladder.take("buy", "1")
    assert (1, 1) == (len(trades.frames("ticker")), len(bbo.frames("ticker")))


def test_ticker_figures(ladder):
    """The ticker carries the book's best prices and the last trade."""
    ladder.take("sell", "0.25")
    socket = ladder.open()
    socket.ask("subscribe", channel="ticker", symbol=["BTC/USD"])
    row = socket.frames("ticker")[0]["data"][0]
    assert (100.0, 0.75, 101.0, 1.0, 100.0) == tuple(row[name] for name in ("bid", "bid_qty", "ask", "ask_qty", "last"))


def test_trades_of_one_order_come_together(ladder):
    """A taker that eats three levels is one message of three trades with rising ids."""
    socket = ladder.open()
    socket.ask("subscribe", channel="trade", symbol=["BTC/USD"])
    assert [] == socket.frames("trade")
    ladder.take("buy", "4")
    (frame,) = socket.frames("trade")
    assert [(101.0, 1.0), (102.0, 2.0), (103.0, 1.0)] == [(row["price"], row["qty"]) for row in frame["data"]]
    ids = [row["trade_id"] for row in frame["data"]]
    assert [ids[0], ids[0] + 1, ids[0] + 2] == ids
    assert {("buy", "market")} == {(row["side"], row["ord_type"]) for row in frame["data"]}


def test_trade_snapshot_is_the_last_fifty(ladder):
    """The trade snapshot holds at most fifty trades, the newest."""
    for _ in range(60):
        ladder.take("buy", "0.001")
    socket = ladder.open()
    socket.ask("subscribe", channel="trade", symbol=["BTC/USD"], snapshot=True)
    rows = socket.frames("trade")[0]["data"]
    newest = ladder.venue.listing("XBTUSD").tape.prints[-1].id
    assert (50, newest) == (len(rows), rows[-1]["trade_id"])


def test_ohlc_update_is_the_open_candle(ladder):
    """A trade sends the candle that is open, once per interval followed."""
    socket = ladder.open()
    for interval in (1, 60):
        socket.ask("subscribe", channel="ohlc", symbol=["BTC/USD"], interval=interval)
    socket.frames()
    ladder.take("buy", "2")
    frames = socket.frames("ohlc")
    assert [1, 60] == [frame["data"][0]["interval"] for frame in frames]
    assert {("update", 1, 102.0)} == {
        (frame["type"], len(frame["data"]), frame["data"][0]["close"]) for frame in frames
    }


def test_own_order_shows_in_the_book(ladder):
    """A resting order changes its level, and its cancel changes it back."""
    socket = ladder.open()
    socket.ask("subscribe", channel="book", symbol=["BTC/USD"])
    socket.frames()
    txid = ladder.order(price="100", volume="0.5")
    assert [{"price": 100.0, "qty": 1.5}] == socket.frames("book")[0]["data"][0]["bids"]
    ladder.ok("CancelOrder", txid=txid)
    assert [{"price": 100.0, "qty": 1.0}] == socket.frames("book")[0]["data"][0]["bids"]


def test_status_change_reaches_every_line(bench):
    """A new system status is told to everybody, a new market status to the followers of instrument."""
    public, private = bench.open(), bench.open("private")
    public.ask("subscribe", channel="instrument")
    for socket in (public, private):
        socket.frames()
    bench.exchange.set_system("maintenance", bench.now)
    for socket in (public, private):
        assert "maintenance" == socket.frames("status")[0]["data"][0]["system"]
    bench.exchange.set_market_status(bench.venue.listing("BTC/USD"), "cancel_only", bench.now)
    (frame,) = public.frames("instrument")
    assert ([], "BTC/USD", "cancel_only") == (
        frame["data"]["assets"],
        frame["data"]["pairs"][0]["symbol"],
        frame["data"]["pairs"][0]["status"],
    )
    assert [] == private.frames()


def test_executions_ack_in_the_samples_shape(bench):
    """The executions subscription is acknowledged as in the sample, with the tier's counter limit."""
    socket = bench.executions(snap_orders=True, snap_trades=True)
    _, answer, snapshot = socket.frames()
    assert vector("ws_executions_subscribe_ack.json")["result"] == answer["result"]
    assert ("snapshot", [], 1) == (snapshot["type"], snapshot["data"], snapshot["sequence"])


@pytest.mark.parametrize("token", ["wrong", "", None, 5])
def test_wrong_token(bench, token):
    """A token the exchange did not issue opens nothing."""
    socket = bench.open("private")
    socket.frames()
    socket.ask("subscribe", 1, channel="executions", token=token)
    assert "ESession:Invalid session" == socket.frames()[0]["error"]


def test_token_of_a_key_without_the_right(bench):
    """A token is worth what its key may do."""
    key = bench.venue.keys.make("token-only", ("create-ws-token",), now=bench.now)
    token = bench.private("GetWebSocketsToken", key=key)["result"]["token"]
    socket = bench.open("private")
    socket.frames()
    socket.ask("subscribe", channel="executions", token=token)
    assert "EGeneral:Permission denied" == socket.frames()[0]["error"]


def test_life_of_an_order(ladder):
    """An order that fills in parts is told as pending_new, new, trades, filled, in sequence without a gap."""
    socket = ladder.executions()
    socket.frames()
    ladder.order(price="102", volume="2.5", userref="3")
    frames = socket.frames("executions")
    rows = [frame["data"][0] for frame in frames]
    assert ["pending_new", "new", "trade", "trade", "filled"] == [row["exec_type"] for row in rows]
    assert ["pending_new", "new", "partially_filled", "partially_filled", "filled"] == [
        row["order_status"] for row in rows
    ]
    assert [2, 3, 4, 5, 6] == [frame["sequence"] for frame in frames]
    assert {3} == {row["order_userref"] for row in rows}
    assert ([1.0, 2.5], [101.0, 254.0]) == (
        [row["cum_qty"] for row in rows[2:4]],
        [row["cum_cost"] for row in rows[2:4]],
    )
    for place, sample in ((1, "ws_executions_new.json"), (2, "ws_executions_trade.json")):
        assert kinds(vector(sample)["data"][0]).items() <= kinds(rows[place]).items()
    whole = kinds(vector("ws_executions_pending_new.json")["data"][0])
    assert {name: kind for name, kind in whole.items() if name != "stop_price"}.items() <= kinds(rows[0]).items()


def test_maker_fill_is_told(ladder):
    """A resting order that is taken is told as maker, with its fee and the client id."""
    socket = ladder.executions()
    ladder.order(price="100.5", volume="1", cl_ord_id="rest", oflags="post")
    socket.frames()
    ladder.take("sell", "0.4")
    (frame,) = socket.frames("executions")
    row = frame["data"][0]
    assert ("trade", "m", "rest", 0.4) == (row["exec_type"], row["liquidity_ind"], row["cl_ord_id"], row["last_qty"])
    assert [{"asset": "USD", "qty": 0.1005}] == row["fees"]


def test_end_of_an_order_is_told(ladder):
    """Cancel and expiry are told with what was filled until then and the reason."""
    socket = ladder.executions()
    first = ladder.order(price="101", volume="1.5")
    ladder.order(price="90", timeinforce="GTD", expiretm="+10")
    socket.frames()
    ladder.ok("CancelOrder", txid=first)
    ladder.wait(10)
    canceled, expired = (frame["data"][0] for frame in socket.frames("executions"))
    assert ("canceled", "User requested", 1.0) == (canceled["exec_type"], canceled["reason"], canceled["cum_qty"])
    assert ("expired", "expired", 0.0) == (expired["exec_type"], expired["order_status"], expired["cum_qty"])


def test_snapshot_of_open_orders_and_trades(ladder):
    """A later subscriber sees the open orders and the last fills, and what is partly filled says so."""
    ladder.order(price="101", volume="1.5")
    ladder.order(price="95", volume="1")
    (frame,) = ladder.executions(snap_trades=True).frames("executions")
    assert [("new", "partially_filled"), ("new", "new"), ("trade", "partially_filled")] == [
        (row["exec_type"], row["order_status"]) for row in frame["data"]
    ]
    assert [] == [f for f in ladder.executions(snap_orders=False).frames() if f.get("channel") == "executions"]


def test_quiet_executions(ladder):
    """Without order_status only new, filled, canceled and expired are told, the sequence still without a gap."""
    socket = ladder.executions(order_status=False)
    socket.frames()
    ladder.order(price="102", volume="2.5")
    frames = socket.frames("executions")
    assert ["new", "filled"] == [frame["data"][0]["exec_type"] for frame in frames]
    assert [2, 3] == [frame["sequence"] for frame in frames]


def test_executions_end_with_unsubscribe(ladder):
    """After an unsubscribe no executions come, and a second one is refused."""
    socket = ladder.executions()
    socket.frames()
    socket.ask("unsubscribe", channel="executions")
    assert vector("ws_executions_unsubscribe_ack.json")["result"] == socket.frames()[0]["result"]
    ladder.order(price="95")
    assert [] == socket.frames()
    socket.ask("unsubscribe", channel="executions")
    assert "Subscription Not Found" == socket.frames()[0]["error"]


def test_executions_are_followed_once(ladder):
    """A second subscription to executions on one line is refused, and the first goes on."""
    socket = ladder.executions()
    socket.frames()
    socket.ask("subscribe", channel="executions", token=ladder.ok("GetWebSocketsToken")["token"])
    assert "Already subscribed" == socket.frames()[0]["error"]
    ladder.order(price="95")
    assert 2 == len(socket.frames("executions"))


def test_unsubscribe_from_nonsense(bench):
    """An unsubscribe that names no channel is refused in one frame."""
    socket = bench.open()
    socket.frames()
    socket.ask("unsubscribe", 8, channel="horoscope", symbol=["BTC/USD"])
    (answer,) = socket.frames()
    assert ("Subscription name invalid", False, 8) == (answer["error"], answer["success"], answer["req_id"])


def test_numbers_in_executions_keep_their_zeros(ladder):
    """Quantities and prices are JSON numbers with all their places."""
    socket = ladder.executions()
    socket.texts()
    ladder.order(price="95", volume="0.1")
    text = socket.texts()[0]
    assert '"order_qty":0.10000000' in text
    assert '"limit_price":95.0' in text


def test_closed_line_leaves_nothing_behind(bench):
    """When the last follower goes, so does the feed; others go on."""
    first, second = bench.open(), bench.open()
    for socket in (first, second):
        socket.ask("subscribe", channel="book", symbol=["BTC/USD"])
        socket.frames()
    bench.exchange.close(first.line)
    move_market(bench.exchange, MarketMove(symbol="BTC/USD", price="90000.0"), bench.now)
    assert ([], 1) == (first.frames(), len(second.frames("book")))
    bench.exchange.close(second.line)
    assert ({}, {}) == (bench.exchange.audience.lines, bench.exchange.audience._followers)
    assert {} == bench.exchange.audience._books


def test_live_book_for_two_depths():
    """On a moving market every update of every depth carries the checksum of what its reader has."""
    from tests.unit.paper.test_paper_checksum import Reader

    bench = Bench(frozen=False, pairs=("BTC/USD", "ETH/BTC"))
    for depth in (10, 100):
        socket = bench.open()
        socket.ask("subscribe", channel="book", symbol=["BTC/USD"], depth=depth)
        reader = Reader(depth)
        for _ in range(40):
            bench.wait(0.25)
            for text in socket.texts():
                if json.loads(text).get("channel") == "book":
                    reader.read(text)
        assert list(reader.sides["bids"].items()) == bench.venue.listing("BTC/USD").book.bids.top(depth)
