"""Values and doubles for the store's tests: seeded chance, a still clock, intents, fills, Hypothesis strategies."""

import hashlib
import itertools
from dataclasses import replace
from decimal import Decimal

from hypothesis import strategies as st

from execsvc.domain.account import AssetAmount, Fill
from execsvc.domain.errors import Fault, FieldViolation, Reason
from execsvc.domain.feesum import FeeSum
from execsvc.domain.ids import OrderKey, wire_id
from execsvc.domain.intent import Intent
from execsvc.domain.market import EventTimes, Side
from execsvc.domain.order import Order, Status, VenueOrder, submitted
from execsvc.domain.spec import OrderSpec, OrderType
from execsvc.domain.story import Step, StepKind
from tests.support.specs import specs as every_spec

SECRET = b"i" * 32


class Chance:
    """Entropy from a seed."""

    def __init__(self, seed="seed"):
        self._seed = seed
        self._draws = itertools.count()

    def token(self, size):
        return hashlib.shake_128(f"{self._seed}/{next(self._draws)}".encode()).digest(size)

    def uniform(self):
        return int.from_bytes(self.token(4)) / 2**32

    def branch(self, name):
        return Chance(f"{self._seed}:{name}")


class StillClock:
    """A clock that stands; the store only asks for the time of its birth."""

    def wall_ns(self):
        return 1_700_000_000_000_000_000


def key_of(name="a", *, caller="bot", account="main"):
    return OrderKey(account, caller, name)


def spec_of(quantity="0.50", *, symbol="BTC/USD", price="50000.0"):
    return OrderSpec(symbol, Side.BUY, Decimal(quantity), OrderType.LIMIT, Decimal(price))


def intent_of(key=None, spec=None, *, wires=None):
    """An intent; `wires` maps attempts to wire ids, where the derived ones will not do."""
    key = key or key_of()
    name = (lambda attempt: wire_id(SECRET, key, attempt)) if wires is None else wires.__getitem__
    return Intent(key, spec or spec_of(), 5_000, "trade-key", "0af7651916cd43dd8448eb211c80319c", name)


def elsewhere(venue_order_id="OTX-9", *, account="main", status=Status.OPEN, now_ns=1_000, **changed):
    """An order that was placed elsewhere, as it is first seen."""
    key = OrderKey(account, "", f"ext-{venue_order_id}")
    blank = replace(submitted(intent_of(key), now_ns), venue_client_id="", key_label="", trace_id="")
    return replace(blank, status=status, venue_order_id=venue_order_id, **changed)


def fill_of(fill_id="T1", *, account="main", venue_order_id="OTX-1", quantity="0.20"):
    return Fill(
        fill_id=fill_id,
        account=account,
        caller="bot",
        venue_order_id=venue_order_id,
        client_order_id="a",
        symbol="BTC/USD",
        side=Side.BUY,
        price=Decimal("50000.0"),
        quantity=Decimal(quantity),
        cost=Decimal("10000.00"),
        fees=(AssetAmount("USD", Decimal("26.0000")),),
        maker=False,
        times=EventTimes(7_000, 7_001),
    )


def report_of(venue_order_id="OTX-1", *, status=Status.OPEN, filled=None):
    return VenueOrder(venue_order_id, None, status, None if filled is None else Decimal(filled))


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
names = st.text("abcXYZ019._-/", min_size=1, max_size=12)
instants = st.integers(0, 2**62)
amounts = st.builds(
    lambda digits, places: Decimal((0, tuple(map(int, str(digits))), -places)),
    st.integers(0, 10**18),
    st.integers(0, 18),
)
fees = st.lists(st.builds(AssetAmount, names, amounts), max_size=3).map(tuple)
faults = st.builds(
    Fault,
    st.sampled_from(Reason),
    words,
    st.dictionaries(words, words, max_size=3),
    st.lists(st.builds(FieldViolation, words, words), max_size=2).map(tuple),
    st.none() | st.floats(0, 1e6),
)
specs = every_spec(symbols=names, labels=words)
orders = st.builds(
    Order,
    key=st.builds(OrderKey, names, names, names),
    spec=specs,
    status=st.sampled_from(Status),
    content_hash=st.binary(min_size=32, max_size=32),
    attempt=st.integers(0, 9),
    venue_client_id=names,
    key_label=words,
    entry_deadline_ns=instants,
    trace_id=words,
    create_time_ns=instants,
    update_time_ns=instants,
    version=st.integers(1, 10**6),
    venue_order_id=names,
    cancel_requested=st.booleans(),
    filled_quantity=amounts,
    filled_cost=amounts,
    fees=fees,
    open_time_ns=st.none() | instants,
    end_fault=st.none() | faults,
    corrected_from=st.none() | st.sampled_from(Status),
    fees_of_fills=st.builds(FeeSum, amounts, fees),
    fees_in_total=st.builds(FeeSum, amounts, fees),
    current_trigger_price=st.none() | amounts,
    triggered=st.booleans(),
    parent_order_id=words,
)
steps = st.builds(
    Step,
    instants,
    st.sampled_from(StepKind),
    words,
    attempt=st.integers(0, 9),
    took_ns=st.none() | instants,
    waited_for=words,
    verdict=words,
    status=st.none() | st.sampled_from(Status),
    fault=st.none() | faults,
    trace_id=words,
    venue_ns=st.none() | instants,
)
fills = st.builds(
    Fill,
    fill_id=names,
    account=names,
    caller=words,
    venue_order_id=names,
    client_order_id=words,
    symbol=names,
    side=st.sampled_from(Side),
    price=amounts,
    quantity=amounts,
    cost=amounts,
    fees=fees,
    maker=st.booleans(),
    times=st.builds(EventTimes, st.none() | instants, instants),
)
