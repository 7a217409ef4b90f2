"""What is decided without a connection: repeats, backoff, the book, and when an order is worth asking for again."""

from decimal import Decimal

import pytest
from execsvc_api.v1 import market_data_pb2, order_service_pb2
from execsvc_client import (
    Conflict,
    FeedState,
    NotAllowed,
    OutcomeUnknown,
    Refused,
    ServerFault,
    Throttled,
    Unavailable,
)
from execsvc_client._chance import jitter, new_client_order_id
from execsvc_client._errors import ExecsvcError, Facts
from execsvc_client._ladder import Ladder
from execsvc_client._orders import read_order
from execsvc_client._repeat import Attempts, Backoff, after_lost_answer
from execsvc_client._settling import Listener
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st


def facts(code=StatusCode.UNAVAILABLE, reason="", **more):
    return Facts(code, "no", reason, **more)


@given(st.floats(min_value=0.001, max_value=100))
def test_jitter_keeps_at_least_half(wait):
    """A jittered wait lies between half and all of what was asked for."""
    assert wait / 2 <= jitter(wait) <= wait


@given(st.integers(min_value=0, max_value=10), st.floats(min_value=0, max_value=10))
def test_repeats_are_bounded_in_number_and_time(repeats, left):
    """Only a lost answer is repeated, at most three times, and only if there is time for an answer."""
    lost = OutcomeUnknown(facts())
    wait = after_lost_answer(lost, repeats, left)
    if wait is None:
        assert repeats >= 3 or left < 0.1 * 2**repeats + 0.25
    else:
        assert repeats < 3
        assert wait + 0.25 <= left
    assert after_lost_answer(Unavailable(facts(reason="NOT_OWNER")), repeats, left) is None


@pytest.mark.parametrize("code", [StatusCode.DEADLINE_EXCEEDED, StatusCode.CANCELLED])
def test_time_that_is_up_is_not_repeated(code):
    """After the caller's own deadline there is nothing left to repeat in."""
    assert after_lost_answer(OutcomeUnknown(facts(code)), 0, 10) is None


@pytest.mark.parametrize(
    ("later", "raised"),
    [
        (Unavailable(facts(reason="SHUTTING_DOWN")), OutcomeUnknown),
        (NotAllowed(facts(StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")), OutcomeUnknown),
        (ServerFault(facts(StatusCode.INTERNAL, "INTERNAL")), OutcomeUnknown),
        (Refused(facts(StatusCode.FAILED_PRECONDITION, "INSUFFICIENT_FUNDS")), Refused),
        (Conflict(facts(StatusCode.ALREADY_EXISTS, "CLIENT_ORDER_ID_REUSED")), Conflict),
        (Unavailable(facts(reason="VENUE_LOCKED_OUT", metadata={"id_used": "true"})), Unavailable),
    ],
    ids=lambda value: getattr(value, "reason", getattr(value, "__name__", "")),
)
def test_after_a_loss_only_the_journal_ends_the_doubt(later, raised):
    """A later answer counts if it speaks of the order; "not now" leaves the outcome of the first attempt open."""
    attempts = Attempts(10, now=0)
    attempts.next(OutcomeUnknown(facts()), now=1)
    with pytest.raises(raised):
        attempts.next(later, now=2)


def test_no_time_left_says_what_is_true():
    """Time up before the first attempt: nothing was sent. Time up after a loss: nobody knows."""
    with pytest.raises(Unavailable, match="nothing was sent"):
        Attempts(1, now=0).left(now=1)
    attempts = Attempts(10, now=0)
    attempts.next(OutcomeUnknown(facts()), now=1)
    with pytest.raises(OutcomeUnknown):
        attempts.left(now=10)


def test_backoff_doubles_up_to_a_bound():
    """Waits grow from 0.1 s to 5 s and start anew after a success; what the server asks for is kept at least."""
    backoff = Backoff()
    waits = [backoff.after(Unavailable(facts())) for _ in range(12)]
    for attempt, wait in enumerate(waits):
        longest = min(5.0, 0.1 * 2**attempt)
        assert longest / 2 <= wait <= longest
    backoff.succeeded()
    assert backoff.after(Unavailable(facts())) <= 0.1
    assert backoff.after(Unavailable(facts(reason="NOT_OWNER", retry_after=30.0))) == 30.0


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (Throttled(facts(StatusCode.RESOURCE_EXHAUSTED, "SLOW_CONSUMER")), True),
        (Throttled(facts(StatusCode.RESOURCE_EXHAUSTED, "CALLER_QUOTA", retry_after=1.0)), True),
        (Throttled(facts(StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS")), False),
        (ServerFault(facts(StatusCode.INTERNAL)), True),
        (ServerFault(facts(StatusCode.INTERNAL, "INTERNAL")), False),
        (NotAllowed(facts(StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")), False),
    ],
    ids=lambda value: getattr(value, "reason", str(value)),
)
def test_backoff_gives_up_on_what_does_not_pass(error, passes):
    """A stream is opened again after what passes by itself, and after nothing else."""
    assert passes == (Backoff().after(error) is not None)


def test_ids_are_fresh():
    """Each intent has an id of its own, in the contract's grammar."""
    ids = {new_client_order_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(each) == 36 and not each.startswith("ext-") for each in ids)


def test_errors_show_what_is_known():
    """The text names code, reason, wait and ids; the class is in the repr."""
    error = ExecsvcError(facts(reason="X", retry_after=0.5, client_order_id="c-1", request_id="r", trace_id="t"))
    assert str(error) == "UNAVAILABLE / X: no (retry after 0.5 s; client order id c-1; request r; trace t)"
    assert repr(Unavailable(facts())) == "<Unavailable UNAVAILABLE: no>"


# --- the book ----------------------------------------------------------------------------------------------------

levels = st.dictionaries(st.integers(1, 30), st.integers(1, 9), max_size=8)
changes = st.lists(st.dictionaries(st.integers(1, 30), st.integers(0, 9), max_size=4), max_size=8)


def wire(given):
    return [market_data_pb2.PriceLevel(price=str(price), quantity=str(quantity)) for price, quantity in given.items()]


@given(levels, changes, st.booleans())
def test_ladder_is_a_dictionary_in_order(start, deltas, bids):
    """Whatever is changed, each side is the levels that are left, best first."""
    ladder, held = Ladder("BTC/USD"), dict(start)
    side = "bids" if bids else "asks"
    ladder.reset(market_data_pb2.BookSnapshot(symbol="BTC/USD", version=1, depth=100, **{side: wire(start)}))
    for version, delta in enumerate(deltas, start=2):
        assert ladder.apply(market_data_pb2.BookDelta(version=version, **{side: wire(delta)}))
        held.update(delta)
        held = {price: quantity for price, quantity in held.items() if quantity}
    book = ladder.view(FeedState.LIVE)
    shown = [(int(level.price), int(level.quantity)) for level in getattr(book, side)]
    assert sorted(held.items(), reverse=bids) == shown


@pytest.mark.parametrize("version", [1, 3, 0])
def test_ladder_takes_the_next_delta_only(version):
    """A version that is not the next one voids the book until a snapshot."""
    ladder = Ladder("BTC/USD")
    ladder.reset(market_data_pb2.BookSnapshot(version=1, depth=10))
    assert not ladder.apply(market_data_pb2.BookDelta(version=version))
    assert not ladder.is_valid
    assert not ladder.apply(market_data_pb2.BookDelta(version=2))


def test_ladder_shows_no_more_than_its_depth():
    """Levels past the depth are held, not shown."""
    ladder = Ladder("BTC/USD")
    ladder.reset(market_data_pb2.BookSnapshot(version=1, depth=2, asks=wire({1: 1, 2: 1, 3: 1})))
    assert [Decimal(1), Decimal(2)] == [level.price for level in ladder.view(FeedState.LIVE).asks]


# --- waiting for an order ----------------------------------------------------------------------------------------


def message(order=None, *, snapshot=None, complete=True, fill=None):
    found = order_service_pb2.SubscribeOrdersResponse()
    if order is not None:
        found.order.CopyFrom(order)
    elif fill is not None:
        found.fill.client_order_id = fill
    else:
        found.snapshot.orders.extend(snapshot or [])
        found.snapshot.complete = complete
    return found


def test_listener_knows_what_is_worth_asking_for(order):
    """A newer version or a fill of this order: ask. Another order, the same version: wait. Not there: cannot tell."""
    mine = order("c-1", "IN_DOUBT")

    def hears(*messages):
        listener = Listener(read_order(mine))
        return [listener.hears(each) for each in messages]

    newer, same, other = order("c-1", "OPEN", version=2), order("c-1", "IN_DOUBT"), order("c-2", "OPEN", version=9)
    other.order_id = "OTHER"
    assert [None, True] == hears(message(same), message(newer))
    assert [None, True] == hears(message(other), message(fill="c-1"))
    assert [None, None, True] == hears(message(snapshot=[same], complete=False), message(snapshot=[]), message(newer))
    assert [None, False] == hears(message(snapshot=[other], complete=False), message(snapshot=[]))
    assert [True] == hears(message(snapshot=[newer]))
