"""What limits add up: open orders, doubts, fills of the day; through restarts, past midnight, and never against a cancel."""

import asyncio
from dataclasses import replace

import pytest

from execsvc.app.riskday import DayBook
from execsvc.domain.errors import Busy, Fault, Reason, refuse
from execsvc.domain.ids import OrderKey, OrderRef
from execsvc.domain.market import Side
from execsvc.domain.order import Seen, Status, VenueOrder
from execsvc.domain.riskrules import DuplicateAction, RiskRule, RiskRules, RiskScope
from execsvc.domain.spec import OrderSpec, OrderType
from tests.support.amends import AmendFate, AmendWorld
from tests.support.risks import SetPrices, lifted, risk_desk
from tests.support.simloop import run_sim
from tests.support.venue import FreeRoom
from tests.support.world import ME, limit, new_disk, world
from tests.unit.app.risk_parts import DAY_NS, LOST, D, fill, gathered, in_world, timing, told, traded

# ---- what is open ----------------------------------------------------------------------------------------------------


def test_a_doubt_counts_as_open_until_it_is_proved_absent():
    """Then there is room again."""

    async def scenario(here):
        here.venue.plan.append(LOST)
        await here.place("c-1", timeout_s=3.0)
        assert "max_open_orders" == await told(here.place("c-2"))
        await here.clock.sleep(30.0)
        assert Status.NOT_PLACED is (await here.store.get(OrderKey("main", "local", "c-1"))).status
        assert "OK" == await told(here.place("c-2"))

    in_world(scenario, rules=lifted(max_open_orders=1))


@pytest.mark.parametrize("end", [Status.CANCELLED, Status.FILLED, Status.EXPIRED])
def test_an_order_that_has_ended_counts_no_longer(end):
    """Whichever way."""

    async def scenario(here):
        order = (await here.place("c-1")).order
        report = VenueOrder(order.venue_order_id, None, end, filled_quantity=D("0.001"), filled_cost=D(60))
        await here.store.record(order.key, Seen(report), here.clock.wall_ns())
        assert "OK" == await told(here.place("c-2"))

    in_world(scenario, rules=lifted(max_open_orders=1, max_open_notional=D(60)))


def test_what_has_filled_counts_no_longer_as_open():
    """The rest does."""

    async def scenario(here):
        order = (await here.place("c-1", limit("0.002"))).order
        report = VenueOrder(order.venue_order_id, None, Status.OPEN, filled_quantity=D("0.0015"), filled_cost=D(90))
        await here.store.record(order.key, Seen(report), here.clock.wall_ns())
        assert "30.00" == here.risk.usage(ME)[0].used

    in_world(scenario, rules=lifted(max_open_notional=D(1000)))


def test_orders_that_were_placed_elsewhere_count_for_all_callers_together():
    """And for no caller."""
    rules = RiskRules((*lifted(max_open_orders=10).rules, RiskRule(caller="local", max_open_orders=10)))

    async def scenario(here):
        await here.risk.restore()
        order = (await here.place("c-1")).order
        outside = replace(order, key=OrderKey("main", "", "ext-O9"), venue_order_id="O9", venue_client_id="", version=1)
        await here.store.adopt(outside, here.clock.wall_ns())
        await here.clock.sleep(0)
        assert ["2", "1"] == [each.used for each in here.risk.usage(ME)]

    in_world(scenario, rules=rules)


def test_a_market_order_counts_at_what_it_was_reckoned_at():
    """The touch and the slippage cap, of when it came in."""

    async def scenario(here):
        here.venue.plan.append(LOST)
        await here.place("c-1", OrderSpec("BTC/USD", Side.BUY, D("0.001"), OrderType.MARKET), timeout_s=3.0)
        here.risk._prices._feeds.set("BTC/USD", "1", "2")
        assert "60.60" == here.risk.usage(ME)[0].used

    in_world(scenario, rules=lifted(max_open_notional=D(1000)), feeds=SetPrices(BTC_USD=("59999", "60000")))


# ---- restarts and days -----------------------------------------------------------------------------------------------


def test_a_restart_forgets_nothing_that_is_open_or_was_traded_today():
    """Orders, doubts, amends under way and the day's fills are read back before the first order."""
    rules = lifted(max_open_orders=3, max_open_notional=D(1000), max_daily_notional=D(5000))

    async def main():
        disk = new_disk()
        first = await AmendWorld(disk, rules=rules).start()
        await first.place("c-1")
        first.venue.plan.append(LOST)
        await first.place("c-2", timeout_s=3.0)
        first.exchange.plan.append(AmendFate(arrives_s=None, answers_s=None))
        await first.amend("r-1", base_quantity="0.005", timeout_s=3.0)
        now_ns = first.clock.wall_ns()
        await traded(first, fill(1, Side.BUY, "100", "2", now_ns), fill(2, Side.SELL, "100", "1", now_ns - 2 * DAY_NS))
        await first.clock.sleep(0)
        before = first.risk.usage(ME)
        await first.kill()
        second = AmendWorld(disk, venue=first.venue, clock=first.clock, rules=rules)
        await second.catalog.refresh()
        assert False is second.risk.ready
        await second.risk.restore()
        assert before == second.risk.usage(ME)
        assert {"max_open_orders": "2", "max_open_notional": "360.00", "max_daily_notional": "560.00"} == {
            each.name: each.used for each in before
        }
        await second.kill()

    run_sim(main())


def test_what_is_written_while_the_journal_is_read_back_counts_as_it_is_at_the_end():
    """An order that ends, one that opens and a fill meanwhile: the newer word stands, and nothing is counted twice."""
    rules = lifted(max_open_orders=9, max_daily_notional=D(5000))

    async def scenario(here):
        await here.risk.restore()
        old = (await here.place("c-1")).order
        late = risk_desk(here.store, here.catalog, None, here.clock, rules=rules)
        read_back = here.store.in_status

        async def slowly(*given):
            found = await read_back(*given)
            now_ns = here.clock.wall_ns()
            gone = VenueOrder(old.venue_order_id, None, Status.CANCELLED)
            await here.store.record(old.key, Seen(gone), now_ns)
            await traded(here, fill(1, Side.BUY, "100", "1", now_ns))
            await here.place("c-2", limit("0.002"))
            return found

        here.store.in_status = slowly
        await late.restore()
        await here.clock.sleep(0)
        assert ["1", "220.00"] == [each.used for each in late.usage(ME)]
        assert late.usage(ME) == here.risk.usage(ME)

    in_world(scenario, rules=rules)


def test_the_day_is_found_in_a_long_journal():
    """Only what lies around midnight and after it is read."""
    rules = lifted(max_daily_notional=D(10**9))

    async def main():
        disk = new_disk()
        first = await AmendWorld(disk, rules=rules).start()
        await first.risk.restore()
        order = (await first.place("c-1", limit("1"))).order
        for n in range(300):
            if n == 200:
                await first.clock.sleep(2 * 24 * 3600)
            at_ns = first.clock.wall_ns()
            quantity = D(n + 1) / 1000
            report = VenueOrder(order.venue_order_id, None, Status.OPEN, filled_quantity=quantity)
            await first.store.record_fill(fill(n, Side.BUY, "10", "1", at_ns), order.key, Seen(report), at_ns)
        await first.kill()
        second = AmendWorld(disk, venue=first.venue, clock=first.clock, rules=rules)
        reads = []
        after = second.store.after

        async def counted(account, position, most):
            reads.append(position)
            return await after(account, position, most)

        second.store.after = counted
        await second.risk.restore()
        left = (1 - D(300) / 1000) * 60000
        assert f"{1000 + left:.2f}" == second.risk.usage(ME)[0].used
        assert (True, True) == (len(reads) < 15, reads[-1] > 390)
        await second.kill()

    run_sim(main())


@pytest.mark.parametrize("ahead_s", [2, 0])
def test_a_fill_counts_for_its_own_day_whichever_clock_is_ahead(ahead_s):
    """Kraken's midnight comes before ours or ours before Kraken's: what was filled around it is counted once, in its day."""

    async def scenario(here):
        await here.risk.restore()
        await here.clock.sleep((DAY_NS - here.clock.wall_ns() % DAY_NS) / 1e9 - 1)
        midnight_ns = here.clock.wall_ns() + 10**9
        await traded(here, fill(1, Side.BUY, "100", "3", midnight_ns - 2 * 10**9))
        if not ahead_s:
            await here.clock.sleep(2)
        await traded(here, fill(2, Side.BUY, "100", "2", midnight_ns + 10**6))
        await here.clock.sleep(ahead_s)
        assert "200.00" == here.risk.usage(ME)[0].used

    in_world(scenario, rules=lifted(max_daily_notional=D(1000)))


def test_a_clock_that_goes_back_over_midnight_forgets_neither_day():
    """Each is as it was."""
    book = DayBook([RiskScope()])
    book.fill(fill(1, Side.BUY, "100", "1", DAY_NS - 5))
    book.fill(fill(2, Side.BUY, "100", "2", DAY_NS + 1))
    spent = [book.totals(RiskScope(), at_ns).filled for at_ns in (DAY_NS - 3, DAY_NS + 3, DAY_NS - 2)]
    assert [{"USD": D(100)}, {"USD": D(200)}, {"USD": D(100)}] == spent


def test_no_more_days_are_kept_than_clocks_can_disagree_about():
    """Of a day that is long over nothing is left, and nothing of it comes back."""
    book = DayBook([RiskScope()])
    for day in range(9):
        book.fill(fill(day, Side.BUY, "100", "1", day * DAY_NS))
    book.fill(fill(99, Side.BUY, "100", "1", DAY_NS))
    assert "<DayBook 3 fills of days [6, 7, 8], 1 scopes>" == repr(book)


def test_midnight_begins_a_new_day():
    """By UTC, and by Kraken's time of the fill."""

    async def scenario(here):
        await here.risk.restore()
        await traded(here, fill(1, Side.BUY, "100", "2", here.clock.wall_ns()))
        await here.clock.sleep(0)
        assert "200.00" == here.risk.usage(ME)[0].used
        await here.clock.sleep(24 * 3600)
        late = here.clock.wall_ns() - DAY_NS
        await traded(here, fill(2, Side.BUY, "100", "3", late), fill(3, Side.BUY, "100", "1", here.clock.wall_ns()))
        await here.clock.sleep(0)
        assert "100.00" == here.risk.usage(ME)[0].used

    in_world(scenario, rules=lifted(max_daily_notional=D(1000)))


def test_the_days_loss_is_that_of_its_fills_marked_at_the_mid_less_fees():
    """A purchase that is worth less now, a sale above cost, fees; once it reaches the limit nothing more is placed."""

    async def scenario(here):
        prices = here.risk._prices._feeds
        now_ns = here.clock.wall_ns()
        await here.risk.restore()
        await traded(
            here,
            fill(1, Side.BUY, "100", "3", now_ns, fee="0.5"),
            fill(2, Side.SELL, "110", "1", now_ns, fee="0.5", caller="other"),
        )
        await here.clock.sleep(0)
        prices.set("BTC/USD", "89", "91")
        # Bought for 300, sold for 110, two are left at 90; a dollar of fees: 11 are lost.
        assert "11.00" == here.risk.usage(ME)[0].used
        assert "OK" == await told(here.place("c-1"))
        prices.set("BTC/USD", "80", "82")
        assert ("29.00", "max_daily_loss") == (here.risk.usage(ME)[0].used, await told(here.place("c-2")))
        prices.shown.clear()
        assert ("", "max_daily_loss") == (here.risk.usage(ME)[0].used, await told(here.place("c-3")))
        prices.set("BTC/USD", "200", "202")
        assert ("0.00", "OK") == (here.risk.usage(ME)[0].used, await told(here.place("c-4")))

    in_world(scenario, rules=lifted(max_daily_loss=D(29)), feeds=SetPrices())


def test_a_journal_that_cannot_be_read_takes_no_order():
    """Fail closed; the next order asks again."""

    async def scenario(here):
        async def failing(*_):
            raise Busy(Fault(Reason.STORE_UNAVAILABLE, "disk gone"))

        reading, here.store.in_status = here.store.in_status, failing
        assert ("STORE_UNAVAILABLE", False) == (await told(here.place("c-1")), here.risk.ready)
        here.store.in_status = reading
        assert ("OK", True) == (await told(here.place("c-1")), here.risk.ready)
        await here.place("c-2")
        assert "2" == here.risk.usage(ME)[0].used

    async def main():
        async with world(rules=lifted(max_open_orders=5)) as here:
            await scenario(here)

    run_sim(main())


def test_what_was_read_before_a_reading_failed_is_read_anew():
    """An order that ended between two tries is not counted for ever."""

    async def main():
        async with world(rules=lifted(max_open_orders=1, max_daily_notional=D(9999))) as here:
            order = (await here.place("c-1")).order
            late = risk_desk(here.store, here.catalog, None, here.clock, rules=lifted(max_open_orders=5))

            async def failing(_):
                raise Busy(Fault(Reason.STORE_UNAVAILABLE, "disk gone"))

            unsettled, here.store.amends.unsettled = here.store.amends.unsettled, failing
            with pytest.raises(Busy):
                await late.restore()
            here.store.amends.unsettled = unsettled
            gone = VenueOrder(order.venue_order_id, None, Status.CANCELLED)
            await here.store.record(order.key, Seen(gone), here.clock.wall_ns())
            await late.restore()
            assert "0" == late.usage(ME)[0].used

    run_sim(main())


def test_a_loss_that_is_reached_while_an_order_waits_for_room_keeps_it_back():
    """Once it is reached nothing more is placed, whenever it came in."""

    async def scenario(here):
        room, granted = FreeRoom(), here.venue.rates.room

        async def late(*asked):
            here.venue.rates.room = granted
            await traded(here, fill(1, Side.BUY, "100", "1", here.clock.wall_ns(), fee="50"))
            await here.clock.sleep(1.0)
            return room

        async def full(*asked):
            here.venue.rates.room = late
            raise refuse(Reason.LOCAL_RATE_LIMITED, "the counter is full", retry_after_s=0.7)

        here.venue.rates.room = full
        told_of = await told(here.desk.place(ME, "c-1", limit("0.1", "100.0"), timing(here, queue_s=3.0)))
        assert ("max_daily_loss", [], 1, 0) == (told_of, here.venue.sends, room.released, here.risk.held)

    in_world(scenario, rules=lifted(max_daily_loss=D(29)), feeds=SetPrices(BTC_USD=("99", "101")))


# ---- cancels ---------------------------------------------------------------------------------------------------------


def test_cancels_pass_whatever_is_used_up():
    """Every limit at its end, no price, the pace exhausted: each order can still be cancelled, as fast as one likes."""
    rules = lifted(
        max_order_notional=D(60),
        max_order_quantity=D("0.001"),
        max_open_orders=15,
        max_open_notional=D(900),
        max_daily_notional=D(900),
        max_daily_loss=D(1),
        max_orders_per_s=1,
        max_limit_distance=D("0.01"),
        max_marketable_distance=D("0.01"),
        max_volume_share=D("0.1"),
        duplicate_window_ms=500,
        duplicates=DuplicateAction.REFUSE,
    )

    async def scenario(here):
        for n in range(15):
            await here.place(f"c-{n}", limit("0.001", f"{60000 - n}.0"))
        here.risk._prices._feeds.shown.clear()
        await traded(here, fill(1, Side.BUY, "60000", "1", here.clock.wall_ns(), fee="500"))
        await here.clock.sleep(0)
        refused = (await gathered(here.place("one more"))).popitem()[0]
        assert refused in {
            "max_limit_distance",
            "max_order_notional",
            "max_open_orders",
            "max_daily_loss",
            "max_orders_per_s",
        }
        cancels = [here.desk.cancel(ME, OrderRef(client_order_id=f"c-{n}"), 99.0) for n in range(15)]
        ended = await asyncio.gather(*cancels)
        assert {Status.CANCELLED} == {each.status for each in ended}

    in_world(scenario, rules=rules, feeds=SetPrices(BTC_USD=("60000", "60001")))
