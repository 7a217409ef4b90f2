"""What many readers are told alike is written once, under each reader's own meta, and never told to anybody else."""

from dataclasses import replace
from decimal import Decimal

from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import market_data_pb2 as market
from execsvc_api.v1 import market_data_service_pb2 as service
from execsvc_api.v1 import order_service_pb2 as orders
from hypothesis import given
from hypothesis import strategies as st

from execsvc.app.topics import BookChange
from execsvc.domain.market import EventTimes, Level
from execsvc.rpc.convert import market as convert
from execsvc.rpc.convert.streams import BODIES_BYTES, BODIES_MAX, Bodies, Written

KIND = service.SubscribeTickersResponse
CHANGE = BookChange("BTC/USD", 10, False, (Level(Decimal(1), Decimal(2)),), (), 7, 99, EventTimes(1, 2))


def batch(symbol="BTC/USD"):
    return service.TickerBatch(tickers=[market.Ticker(symbol=symbol)])


@given(
    seq=st.integers(1, 2**64 - 1),
    at=st.integers(0, 2**40),
    folded=st.integers(0, 2**32 - 1),
    state=st.sampled_from(common.FeedState.values()),
    symbols=st.lists(st.text(), max_size=3),
)
def test_meta_and_body_one_after_the_other_are_the_whole_message(seq, at, folded, state, symbols):
    """Byte for byte what the message is when it is written in one piece."""
    meta = common.StreamMeta(seq=seq, conflated_count=folded, feed_state=state)
    meta.send_time.seconds = at
    held = service.TickerBatch(tickers=[market.Ticker(symbol=each) for each in symbols])
    body = Bodies().of(KIND, {"update": held})
    assert KIND(meta=meta, update=held).SerializeToString() == KIND(meta=meta).SerializeToString() + body


def test_the_same_event_is_written_once():
    """The second reader gets the very bytes that the first one got."""
    bodies, held = Bodies(), batch()
    assert bodies.of(KIND, {"update": held}) is bodies.of(KIND, {"update": held})


def test_one_event_in_two_places_is_two_bodies():
    """What is an update for one and a snapshot for the other is told to each as what it is for it."""
    bodies, held = Bodies(), batch()
    told = [KIND.FromString(bodies.of(KIND, {name: held})).WhichOneof("event") for name in ("update", "snapshot")]
    assert ["update", "snapshot"] == told


def test_what_stands_beside_an_event_is_every_readers_own():
    """A message with a resume token is not kept: the next reader's token is another."""
    bodies, held = Bodies(), orders.OrderSnapshot(complete=True)
    kind = orders.SubscribeOrdersResponse
    told = [kind.FromString(bodies.of(kind, {"snapshot": held, "resume_token": each})) for each in ("one", "two")]
    assert (["one", "two"], 0) == ([each.resume_token for each in told], len(bodies))


def test_events_stay_right_when_many_come_and_go():
    """Ids of events that are gone may be used again: none of them brings back old bytes."""
    bodies, names = Bodies(), [f"S{number}" for number in range(10 * BODIES_MAX)]
    told = [KIND.FromString(bodies.of(KIND, {"update": batch(name)})).update.tickers[0].symbol for name in names]
    assert names == told


def test_no_more_bodies_than_a_bound_are_kept():
    """However many events there are."""
    bodies = Bodies()
    for number in range(3 * BODIES_MAX):
        bodies.of(KIND, {"update": batch(f"S{number}")})
    assert 0 < len(bodies) <= BODIES_MAX


def test_no_more_bytes_than_a_bound_are_kept():
    """Deep books and long batches do not stay by the dozen."""
    bodies = Bodies()
    for _ in range(8):
        bodies.of(KIND, {"update": batch("S" * (BODIES_BYTES // 3))})
    assert 0 < len(bodies) <= 3


def test_a_change_of_a_book_is_converted_once_for_all_its_readers():
    """The second reader gets the message that the first one got."""
    assert convert.delta(CHANGE) is convert.delta(CHANGE)


def test_an_equal_change_is_another_one():
    """A change is known by itself: no reader waits for levels to be compared."""
    other = replace(CHANGE, version=8)
    assert (7, 8) == (convert.delta(CHANGE).version, convert.delta(other).version)
    assert convert.delta(replace(CHANGE)) is not convert.delta(CHANGE)


def test_a_written_message_shows_no_figures():
    """Whoever logs one sees its size only."""
    assert "<Written 6 bytes>" == repr(Written(b"secret"))
