"""The public session, frame by frame: samples in, market events out."""

from decimal import Decimal

import pytest
from feed_parts import Link, S, sample
from hypothesis import given
from hypothesis import strategies as st
from kraken_parts import vector
from test_kraken_ladder import NaiveBook

from execsvc.domain.errors import ProtocolBroken
from execsvc.domain.market import (
    Beat,
    BookSeen,
    BookTopic,
    Desynced,
    LinkUp,
    ModeSeen,
    TickerSeen,
    TickerTopic,
    TopicRefused,
    VenueMode,
)
from execsvc.kraken.feed import RESYNC_PAUSE_S, RESYNCS_MAX

BOOK = BookTopic("BTC/USD", 10)
TICKER = TickerTopic("ALGO/USD")


def book_frame(kind, bids, asks, model, *, checksum=None):
    rows = [[{"price": float(price), "qty": float(quantity)} for price, quantity in side] for side in (bids, asks)]
    data = {"symbol": "BTC/USD", "bids": rows[0], "asks": rows[1], "timestamp": "2023-10-06T17:35:55.440295Z"}
    return {
        "channel": "book",
        "type": kind,
        "data": [data | {"checksum": model.checksum() if checksum is None else checksum}],
    }


def live_book(link, *topics):
    link.requests()
    model = NaiveBook(10, 1, 8)
    asks = [(Decimal("100.5"), Decimal(1)), (Decimal("101.0"), Decimal(2))]
    model.apply([], asks)
    link.gets(book_frame("snapshot", [], asks, model))
    return model


def test_link_up_comes_first():
    """Before any snapshot."""
    link = Link(BOOK)
    assert [LinkUp(100 * S)] == link.opened


def test_requests_are_krakens_own_words():
    """Books with depth, tickers on every best-price change, snapshots, a number to answer by."""
    assert [
        {
            "method": "subscribe",
            "params": {"channel": "book", "symbol": ["BTC/USD"], "depth": 10, "snapshot": True},
            "req_id": 1,
        },
        {
            "method": "subscribe",
            "params": {"channel": "ticker", "symbol": ["ALGO/USD"], "event_trigger": "bbo", "snapshot": True},
            "req_id": 2,
        },
    ] == Link(BOOK, TICKER).requests()


def test_ticker_samples_become_pictures():
    """Snapshot, then update; digits as printed; venue and receive time."""
    link = Link(TICKER)
    link.requests()
    (snapshot,) = link.sees(sample("ws_ticker_snapshot"))
    (update,) = link.sees(sample("ws_ticker_update"))
    assert isinstance(snapshot, TickerSeen)
    assert (True, False) == (snapshot.snapshot, update.snapshot)
    ticker = update.ticker
    assert ("0.10025", "740.0", "-0.00017") == (str(ticker.bid_price), str(ticker.bid_quantity), str(ticker.change_24h))
    assert (1_695_632_671_742_648_000, link.wall) == (ticker.times.venue_ns, ticker.times.receive_ns)


def test_book_snapshot_sample_becomes_a_book():
    """The published frame, checksum and all."""
    link = Link(BOOK)
    link.requests()
    (seen,) = link.sees(sample("ws_book_snapshot"))
    assert isinstance(seen, BookSeen)
    assert (True, 10, 10, 3310070434) == (seen.snapshot, len(seen.bids), len(seen.asks), seen.checksum)
    assert seen.view().bids[0].price == Decimal("45283.5")


def test_status_sample_tells_the_mode():
    """online, and a word we do not know is no news."""
    link = Link()
    assert [ModeSeen(VenueMode.ONLINE)] == link.sees(sample("ws_status"))
    assert link.sees({"channel": "status", "type": "update", "data": [{"system": "sleepy"}]}) == []


@pytest.mark.parametrize(
    "name", ["ws_heartbeat", "ws_pong", "ws_instrument_update", "ws_trade_snapshot", "ws_ohlc_update"]
)
def test_frames_without_news_are_beats(name):
    """Heartbeats, pongs, channels not asked for: the link is alive."""
    link = Link()
    assert [Beat] == [type(event) for event in link.gets(sample(name))]


def test_busy_link_beats_too():
    """Kraken's heartbeat comes only in silence: at least every half second a frame is told as a beat."""
    link = Link(TICKER)
    link.requests()
    link.gets(sample("ws_ticker_snapshot"), after=1.0)
    assert [False, False, True] == [
        any(isinstance(event, Beat) for event in link.gets(sample("ws_ticker_update"), after=0.2)) for _ in range(3)
    ]


def test_wrong_checksum_voids_the_book_and_asks_anew():
    """Desynced; what comes before the new snapshot is no news; then the new snapshot."""
    link = Link(BOOK)
    model = live_book(link)
    (desynced,) = link.sees(book_frame("update", [], [(Decimal("100.5"), Decimal(3))], model, checksum=7))
    assert isinstance(desynced, Desynced)
    assert desynced.topic == BOOK
    (leaving,) = link.requests()
    assert leaving["method"] == "unsubscribe"
    assert link.sees(book_frame("update", [], [], model)) == []
    link.gets({"method": "unsubscribe", "success": True, "req_id": leaving["req_id"], "result": {"symbol": "BTC/USD"}})
    (asking,) = link.requests()
    assert asking["method"] == "subscribe"
    (again,) = link.sees(book_frame("snapshot", *model.sorted(), model))
    assert (True, 2) == (again.snapshot, len(again.asks))


def desync(link, model, kind="update"):
    (desynced,) = link.sees(book_frame(kind, [], [], model, checksum=7))
    assert isinstance(desynced, Desynced)
    (leaving,) = link.requests()
    link.gets({"method": "unsubscribe", "success": True, "req_id": leaving["req_id"], "result": {"symbol": "BTC/USD"}})


@pytest.mark.parametrize("heals_between", [True, False])
def test_book_that_keeps_failing_is_asked_for_more_slowly(heals_between):
    """Whether snapshots fail or the updates after them; and the pair's decimals are doubted then."""
    link = Link(BOOK)
    model = live_book(link)
    desync(link, model)
    for _ in range(RESYNCS_MAX):
        assert not link.session.doubts_decimals
        assert len(link.requests()) == 1
        if heals_between:
            link.gets(book_frame("snapshot", *model.sorted(), model))
        desync(link, model, "update" if heals_between else "snapshot")
    assert link.session.doubts_decimals
    assert link.requests() == []
    link.now += RESYNC_PAUSE_S
    assert len(link.requests()) == 1


def test_failures_far_apart_are_healed_at_once():
    """Four in an hour are no pattern."""
    link = Link(BOOK)
    model = live_book(link)
    for _ in range(RESYNCS_MAX + 1):
        desync(link, model)
        assert len(link.requests()) == 1
        link.gets(book_frame("snapshot", *model.sorted(), model), after=1.0)
        for _ in range(30):
            link.gets(sample("ws_heartbeat"), after=1.0)
    assert not link.session.doubts_decimals


def test_refused_symbol_is_told():
    """As recorded: no result, symbol on top; the topic that was wished is named."""
    topic = TickerTopic("FOO/BAR")
    link = Link(topic)
    (asked,) = link.requests()
    frame = vector("ws_subscribe_error_unsupported_pair") | {"req_id": asked["req_id"]}
    assert [TopicRefused(topic, "Currency pair not supported FOO/BAR")] == link.sees(frame)


def test_second_depth_on_one_connection_is_refused():
    """Book frames name no depth: two could not be told apart."""
    link = Link(BOOK, BookTopic("BTC/USD", 100))
    (refused,) = link.sees(sample("ws_heartbeat"))
    assert refused.topic == BookTopic("BTC/USD", 100)
    assert [10] == [request["params"]["depth"] for request in link.requests()]


def test_new_connection_subscribes_everything_anew():
    """Old books are forgotten, updates before the snapshot are no news."""
    link = Link(BOOK)
    model = live_book(link)
    link.session.opened(link.now, link.wall)
    assert link.sees(book_frame("update", [], [], model)) == []
    assert [["BTC/USD"]] == [request["params"]["symbol"] for request in link.requests()]


def test_renewed_topic_gets_a_fresh_snapshot():
    """On request, without any fault."""
    link = Link(BOOK)
    live_book(link)
    link.session.renew(BOOK)
    assert [request["method"] for request in link.requests()] == ["unsubscribe"]


def test_unwished_book_rewished_at_once_gets_a_snapshot():
    """Its ladder was let go: updates are no news, and it is subscribed anew."""
    link = Link(BOOK)
    model = live_book(link)
    link.session.want(frozenset())
    link.session.want(frozenset({BOOK}))
    assert link.sees(book_frame("update", [], [], model)) == []
    assert [request["method"] for request in link.requests()] == ["unsubscribe"]


def test_book_wished_at_another_depth_is_subscribed_anew():
    """Updates of the old depth are no news for the new one."""
    link = Link(BOOK)
    model = live_book(link)
    link.session.want(frozenset({BookTopic("BTC/USD", 100)}))
    assert link.sees(book_frame("update", [], [], model)) == []
    assert [request["method"] for request in link.requests()] == ["unsubscribe"]


def test_silence_ends_the_link():
    """No frame for five seconds; before that, pings."""
    link = Link(BOOK)
    link.says()
    link.now += 2.0
    assert [message["method"] for message in link.says()] == ["ping"]
    assert not link.session.ended
    link.now += 3.0
    link.says()
    assert "no frame" in link.session.ended


def test_pong_tells_krakens_time():
    """To the microsecond: the first ping goes out with the first requests."""
    link = Link()
    (ping,) = link.says()
    link.gets(
        {
            "method": "pong",
            "req_id": ping["req_id"],
            "time_in": "1970-01-01T00:02:40.5Z",
            "time_out": "1970-01-01T00:02:40.5Z",
        }
    )
    assert link.venue_time.reading(link.wall).offset_s == pytest.approx(60.5, abs=0.02)


NOT_A_NUMBER = sample("ws_ticker_snapshot").replace(b'"low":0.09979', b'"low":"NaN"')


@pytest.mark.parametrize(
    "frame",
    [
        b"no json",
        b"[]",
        b'{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD"}]}',
        b'{"channel":"ticker","type":"update","data":{}}',
        b'{"channel":"book","type":"snapshot"}',
        NOT_A_NUMBER,
    ],
)
def test_unreadable_frame_is_broken(frame):
    """It is refused whole; the loop drops the link."""
    link = Link(BOOK, TICKER)
    link.requests()
    with pytest.raises(ProtocolBroken):
        link.gets(frame)


FRAMES = [
    sample(name) for name in ("ws_ticker_snapshot", "ws_book_snapshot", "ws_status", "ws_subscribe_book_ack", "ws_pong")
]


@given(st.sampled_from(FRAMES), st.data())
def test_mangled_frames_are_events_or_broken(frame, data):
    """Any published frame with a piece replaced by anything: events or ProtocolBroken."""
    start = data.draw(st.integers(0, len(frame)))
    end = data.draw(st.integers(start, min(len(frame), start + 12)))
    mangled = frame[:start] + data.draw(st.binary(max_size=8)) + frame[end:]
    link = Link(BOOK, TICKER)
    link.requests()
    try:
        events = link.gets(mangled)
    except ProtocolBroken:
        return
    assert events
