"""What limits remember and read back: a reading that fails leaves nothing behind, and what is remembered has a bound."""

from dataclasses import replace

import pytest

from execsvc.app import riskspawn
from execsvc.app.riskday import DAY_NS, DayBook
from execsvc.app.riskspawn import Spawned
from execsvc.domain.errors import Busy, Fault, Reason
from execsvc.domain.market import EventTimes, Side
from execsvc.domain.order import Seen, Status, VenueOrder
from execsvc.domain.riskrules import RiskScope
from tests.support.risks import lifted, risk_desk
from tests.support.simloop import run_sim
from tests.support.world import ME, limit, world
from tests.unit.app.risk_parts import D, fill
from tests.unit.app.test_risk_evasions import CLOSE, standing_order


@pytest.mark.parametrize("fails", [1, 3])
def test_what_was_heard_while_a_reading_failed_is_not_heard_again(fails):
    """An order that came during it and ended after it is not open; the journal is listened to once, whatever the tries."""

    async def main():
        async with world(rules=lifted(max_open_orders=9)) as here:
            await here.risk.restore()
            late = risk_desk(here.store, here.catalog, None, here.clock, rules=lifted(max_open_orders=5))
            listening = len(here.store._listeners._listeners)

            async def failing(_):
                placed.append((await here.place(f"c-{len(placed)}")).order)
                await here.clock.sleep(0)
                raise Busy(Fault(Reason.STORE_UNAVAILABLE, "disk gone"))

            placed, unsettled = [], here.store.amends.unsettled
            here.store.amends.unsettled = failing
            for _ in range(fails):
                with pytest.raises(Busy):
                    await late.restore()
            here.store.amends.unsettled = unsettled
            for order in placed:
                gone = VenueOrder(order.venue_order_id, None, Status.CANCELLED)
                await here.store.record(order.key, Seen(gone), here.clock.wall_ns())
            await here.clock.sleep(0)
            assert listening == len(here.store._listeners._listeners)
            await late.restore()
            assert (fails, "0", listening + 1) == (
                len(placed),
                late.usage(ME)[0].used,
                len(here.store._listeners._listeners),
            )

    run_sim(main())


@pytest.mark.parametrize(("made_ns", "day"), [(DAY_NS - 1, 0), (None, 1)], ids=["Kraken says when", "nobody says when"])
def test_a_fill_counts_for_the_day_on_which_it_was_made_not_heard_of(made_ns, day):
    """Where Kraken tells no time, the day it was heard of is the best there is."""
    book = DayBook([RiskScope()])
    book.fill(replace(fill(1, Side.BUY, "100", "1", 0), times=EventTimes(made_ns, DAY_NS + 1)))
    filled = [book.totals(RiskScope(), each * DAY_NS).filled for each in range(2)]
    assert [{"USD": D(100)} if each == day else {} for each in range(2)] == filled


def test_no_more_parents_of_closes_are_remembered_than_the_bound(monkeypatch):
    """The one that was heard of longest ago is forgotten first."""
    monkeypatch.setattr(riskspawn, "REMEMBERED_MAX", 2)
    spawned = Spawned("main", None)
    parents = [
        replace(standing_order(replace(limit(), conditional_close=CLOSE)), venue_order_id=f"O{n}") for n in range(3)
    ]
    for each in (*parents[:2], parents[0], parents[2]):
        spawned.caller_of(each)
    fills = [replace(fill(n, Side.SELL, "1", "1", 0, caller=""), venue_order_id=f"O{n}") for n in range(3)]
    assert ("<Spawned 2 orders>", [ME.name, "", ME.name]) == (
        repr(spawned),
        [spawned.named(each).caller for each in fills],
    )
