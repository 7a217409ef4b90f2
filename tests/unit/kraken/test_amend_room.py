"""Room for amends: priced by the order's age, exact waits that age makes shorter, and how young an amend makes an order."""

import asyncio
from decimal import Decimal

import pytest
from executions_parts import Told, frame, gets, session
from hypothesis import given
from hypothesis import strategies as st
from rate_parts import with_rates
from room_parts import at_door

from execsvc.domain.amend import AmendIntent, AmendKey, Applied, submitted
from execsvc.domain.errors import Broken, Busy
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import Acknowledged
from execsvc.domain.order import submitted as order_of
from execsvc.kraken.amendroom import amend_room, ask_amend
from execsvc.kraken.costs import TIERS, Act, engine_cost
from execsvc.kraken.counters import LATE_COUNT_S
from execsvc.kraken.pairs import PairCounter
from execsvc.ports import KnownAmend
from tests.support.amends import wish_of
from tests.unit.store.samples import intent_of

ORDER = "O1"
LIFE_S = 1000.0  # the process has run so long when it starts to count
PRICES = {0.0: 4, 4.999: 4, 5.0: 3, 9.999: 3, 10.0: 2, 14.999: 2, 15.0: 1, 300.0: 1}  # kraken.md 3.2: fixed and by age


def ask(here, caller="me", by=0.0, order=ORDER):
    return ask_amend(here.door, here.clock, order, caller, by)


async def wait_of(call):
    with pytest.raises(Busy) as refused:
        await call
    return refused.value.fault


# ---- the price ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("age_s", "points"), PRICES.items())
def test_an_amend_is_priced_by_the_age_of_its_order(age_s, points):
    """As the table of the venue says, fixed part and age together."""

    async def scenario(here):
        here.pair.seen_open(ORDER, 0.0)
        await here.clock.sleep(age_s)
        before = here.pair.counter.headroom(here.clock.monotonic())
        await ask(here)
        return before - here.pair.counter.headroom(here.clock.monotonic())

    assert points == at_door(scenario, 57)


def test_an_order_of_unknown_age_is_as_young_as_can_be():
    """The dearest price is the safe one."""

    async def scenario(here):
        await ask(here, order="never seen")
        return here.pair.counter.headroom(0.0)

    assert Decimal(53) == at_door(scenario, 57)


def test_no_cap_of_open_orders_is_asked():
    """An amend opens none."""

    async def scenario(here):
        here.pair.open_orders_max = 0
        await ask(here)
        return here.pair.open_orders(0.0)

    assert 0 == at_door(scenario, 9)


# ---- waits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "age_s", "wait_s"),
    [
        (4, 0.0, None),
        (3, 0.0, 1.0),  # one point decays before the price falls
        (0, 0.0, 4.0),
        (3, 4.5, 0.5),  # the price falls before a point decays
        (0, 14.0, 1.0),  # in a second it costs 1, and there is one
        (0, 60.0, 1.0),
    ],
)
def test_the_wait_is_exact_and_counts_that_age_makes_it_cheaper(left, age_s, wait_s):
    """Whichever comes first: room for the price of now, or a lower price."""

    async def scenario(here):
        here.pair.seen_open(ORDER, -age_s)
        if wait_s is None:
            await ask(here)
            return None
        fault = await wait_of(ask(here))
        assert "an amend of an order of this age costs" in fault.message
        await here.clock.sleep(fault.retry_after_s)
        await ask(here)
        return fault.retry_after_s

    told = at_door(scenario, left)
    assert wait_s is told is None or wait_s == pytest.approx(told, abs=1e-5)


def test_a_caller_that_waits_gets_its_room_as_soon_as_there_is_some():
    """In its turn, at the price of that moment."""

    async def scenario(here):
        here.pair.seen_open(ORDER, -14.0)
        await ask(here, by=10.0)
        return here.clock.monotonic()

    assert 1.0 == pytest.approx(at_door(scenario, 0), abs=1e-4)


def test_amends_and_placements_stand_in_one_line():
    """Nobody overtakes whoever was promised a place before."""

    async def scenario(here):
        here.pair.seen_open(ORDER, -60.0)
        amending = asyncio.ensure_future(ask(here, "one", 100.0))
        await asyncio.sleep(0)
        placing = here.waiting("two")
        await amending
        first = here.clock.monotonic()
        await placing
        return first, here.clock.monotonic()

    assert (1.0, 2.0) == pytest.approx(at_door(scenario, 0), abs=1e-4)


# ---- ends -----------------------------------------------------------------------------------------------------------


def aged(end, *, order_age_s=60.0):
    """The order's age seen from the counter at 0, 1 and 40 s after an amend that ended so."""

    async def scenario(here):
        pair, clock = here.pair, here.clock
        pair.seen_open(ORDER, -order_age_s)
        room = await ask(here)
        flying = pair.age_s(ORDER, 0.0)
        end(room)
        ages = []
        for at in (0.0, 1.0, 40.0):
            await clock.sleep(at - clock.monotonic())
            ages.append(pair.age_s(ORDER, clock.monotonic()))
        return flying, ages, pair.counter.level(clock.monotonic())

    return at_door(scenario, 57)


ENDS = {
    "applied": (lambda room: room.ended(applied=True), [0, 1, 40]),
    "refused": (lambda room: room.ended(applied=False), [60, 61, 100]),
    "unsent": (lambda room: room.release(), [60, 61, 100]),
    "in doubt": (lambda room: room.in_doubt(30.0), [0, 0, 10]),
}


@pytest.mark.parametrize(("end", "ages"), ENDS.values(), ids=ENDS)
def test_an_order_is_as_old_as_its_last_amend_can_be(end, ages):
    """While an amend flies the order may be new; afterwards it is as its end says, the youngest that can be."""
    flying, told, _ = aged(end)
    assert (0, ages) == (flying, told)


def test_every_end_is_told_once():
    """A later word changes nothing: what was sent is not given back."""

    async def scenario(here):
        room = await ask(here)
        room.ended(applied=True)
        room.release()
        room.in_doubt(50.0)
        return here.pair.counter.level(0.0)

    assert Decimal(4) == at_door(scenario, 57)


def test_what_was_never_sent_is_free_for_others():
    """Whoever waits hears of it."""

    async def scenario(here):
        room = await ask(here)
        waits = asyncio.ensure_future(ask(here, "two", 100.0))
        await asyncio.sleep(0)
        room.release()
        await waits
        return here.clock.monotonic()

    assert 0.0 == at_door(scenario, 4)


def test_an_order_that_has_ended_is_forgotten():
    """Ages are kept of orders that are open."""
    pair = PairCounter("BTC/USD", TIERS["starter"])
    pair.amended(ORDER, 5.0)
    pair.seen_ended(ORDER, 6.0)
    pair.amended(ORDER, 7.0)
    assert {} == pair._amended


def test_room_of_another_house_is_refused():
    """It would be charged to nobody."""
    with pytest.raises(Broken):
        amend_room(object())


@given(age=st.integers(0, 400), later_s=st.integers(0, 400))
def test_the_steps_of_a_price_are_the_table_read_forwards(age, later_s):
    """At every later moment the lowest price told by then is the venue's price of that age."""
    pair = PairCounter("BTC/USD", TIERS["starter"])
    pair.seen_open(ORDER, 0.0)
    told = min(points for after_s, points in pair.amend_steps(ORDER, float(age)) if after_s <= later_s)
    assert engine_cost(Act.AMEND, float(age + later_s)) == told


# ---- what the stream and earlier lives tell -----------------------------------------------------------------------


def test_an_amend_that_the_stream_shows_makes_the_order_young():
    """Also one that a person made: cancelling it costs by that."""
    counts = Told()
    private = session(counts)
    order = {"order_id": ORDER, "symbol": "BTC/USD", "side": "buy", "exec_type": "new", "order_status": "new"}
    gets(private, frame([order], 1, "snapshot"))
    gets(private, frame([{"order_id": ORDER, "exec_type": "amended", "order_status": "new"}], 2))
    assert ("amended", "BTC/USD", ORDER) in counts


def known(request_id, *, entry_s, event=None, wall_ns):
    key = OrderKey("main", "me", "c-1")
    order = order_of(intent_of(key), 1).apply(Acknowledged(ORDER), 2)
    intent = AmendIntent(AmendKey(key, request_id), wish_of(limit_price="59000"), wall_ns + int(entry_s * 1e9), "")
    amend = submitted(intent, order, wall_ns)
    return KnownAmend(amend if event is None else amend.apply(event, wall_ns), order)


def resumed(after_s=0.0, **parts):
    """Level and age so long after a start at which one amend was known."""

    async def scenario(rig):
        await rig.clock.sleep(LIFE_S)
        rig.pair().seen_open(ORDER, 0.0)
        rig.rates.resume_amends([known("r-1", wall_ns=rig.clock.wall_ns(), **parts)], rig.clock.wall_ns())
        await rig.clock.sleep(after_s)
        return rig.level(), rig.pair().age_s(ORDER, rig.clock.monotonic())

    return with_rates(scenario)


def test_amends_of_an_earlier_life_are_still_counted():
    """At the dearest price, sinking from when it must have been in; the order is no older than that."""
    assert (Decimal(3), 1.0) == resumed(entry_s=-1.0, event=Applied("T1"))


def test_an_amend_in_doubt_of_an_earlier_life_may_be_counted_late():
    """Its points do not sink before Kraken can take it no more."""
    assert (Decimal(4), 0.0) == resumed(after_s=LATE_COUNT_S, entry_s=4.0)
