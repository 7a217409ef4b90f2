"""Ways around a limit that were tried, and are none: what a hostile caller with a narrow token would think of."""

from dataclasses import replace
from decimal import Decimal

import pytest

from execsvc.app.riskpace import ALIKE_MAX
from execsvc.domain.caller import Permission, alike
from execsvc.domain.errors import ExecsvcError
from execsvc.domain.ids import OrderKey
from execsvc.domain.intent import Intent
from execsvc.domain.market import Side
from execsvc.domain.order import Seen, Status, VenueOrder, submitted
from execsvc.domain.riskrules import DuplicateAction, RiskRule, RiskRules
from execsvc.domain.spec import ConditionalClose, OrderSpec, OrderType, content_hash
from tests.support.amends import AmendWorld
from tests.support.risks import lifted
from tests.support.simloop import run_sim
from tests.support.venue import BTC_USD
from tests.support.world import ME, limit, new_disk
from tests.unit.app.risk_parts import fill, traded
from tests.unit.app.test_risk import checked

D = Decimal
ONE = D(1)
OTHER = alike("other", frozenset(Permission), ("main",))
CLOSE = ConditionalClose(OrderType.STOP_LOSS, trigger_price=D(50))


def standing_order(spec):
    """One of ours, in the book."""
    intent = Intent(OrderKey("main", ME.name, "c-1"), spec, 0, "main", "", wire_id_of=lambda _: "w-1")
    return replace(submitted(intent, 0), status=Status.OPEN)


def stop(order_type, side, trigger, price=None):
    figures = {} if price is None else {"limit_price": D(price)}
    return OrderSpec("BTC/USD", side, ONE, order_type, trigger_price=D(trigger), **figures)


# ---- what an order is worth ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "worth"),
    [
        (stop(OrderType.STOP_LOSS, Side.BUY, 1), "102.01"),
        (stop(OrderType.TAKE_PROFIT, Side.SELL, 1), "99.99"),
        (stop(OrderType.TAKE_PROFIT, Side.SELL, 1, 1), "99.00"),
        (stop(OrderType.STOP_LOSS, Side.BUY, 1, 2), "2.00"),
        (stop(OrderType.STOP_LOSS, Side.BUY, 110), "111.10"),
        (stop(OrderType.TAKE_PROFIT, Side.SELL, 110), "111.10"),
        (stop(OrderType.STOP_LOSS, Side.SELL, 90), "90.90"),
        (stop(OrderType.TAKE_PROFIT, Side.BUY, 90), "90.90"),
    ],
    ids=[
        "stop bought below the market",
        "profit taken below the market",
        "profit taken below it at a limit",
        "a limit is the most that a buyer pays",
        "stop that waits",
        "profit that waits",
        "stop sold that waits",
        "profit bought that waits",
    ],
)
def test_a_trigger_that_fires_at_once_is_worth_what_it_fires(order, worth):
    """A trigger on the wrong side of the market makes an order no cheaper than the market is."""

    def script(here):
        here.feeds.set("BTC/USD", 99, 101)
        assert worth == here.refusal(order).metadata["value"]

    checked(script, lifted(max_order_notional=ONE))


@pytest.mark.parametrize(
    "order",
    [
        limit("1", "2.0", side=Side.SELL),
        stop(OrderType.STOP_LOSS, Side.BUY, 1),
        stop(OrderType.TAKE_PROFIT, Side.SELL, 1),
    ],
    ids=["sale", "stop", "profit"],
)
def test_what_may_be_worth_the_market_needs_a_price_of_it(order):
    """Its own word is only the least that it may be worth: without a picture it is refused."""

    def script(here):
        assert "BTC/USD" == here.refusal(order).metadata["missing"]
        here.feeds.set("BTC/USD", 1, 2)
        assert here.refusal(order) is None

    checked(script, lifted(max_order_notional=D(100)))


def test_where_nobody_bids_a_limit_is_all_that_a_sale_is_worth():
    """A picture without a bid says so; a stop that may fire needs one all the same, whatever fires it then."""

    def script(here):
        here.feeds.set("BTC/USD", None, 101)
        assert "2.00" == here.refusal(limit("1", "2.0", side=Side.SELL)).metadata["value"]
        assert "BTC/USD" == here.refusal(stop(OrderType.TAKE_PROFIT, Side.SELL, 1)).metadata["missing"]

    checked(script, lifted(max_order_notional=ONE))


# ---- what closes and opens anew --------------------------------------------------------------------------------------


@pytest.mark.parametrize("limits", [{"max_open_notional": D(10)}, {"max_daily_notional": D(10)}])
def test_what_closes_and_opens_anew_is_held_to_what_is_at_stake(limits):
    """Each fill of an order with a conditional close places another one, which nothing keeps from opening."""

    def script(here):
        here.feeds.set("BTC/USD", 99, 101)
        easing = replace(limit("1", "100.0"), reduce_only=True, leverage=2)
        assert (None, *limits) == (
            here.refusal(easing),
            here.refusal(replace(easing, conditional_close=CLOSE)).metadata["check"],
        )

    checked(script, lifted(**limits))


def test_a_position_that_is_closed_and_opened_anew_has_no_size_to_be_held_to():
    """Nobody knows how large the new one is, so every amount refuses it."""

    def script(here):
        here.feeds.set("BTC/USD", 99, 101)
        whole = replace(limit("1", "100.0"), base_quantity=None, full_position=True, leverage=2)
        anew = here.refusal(replace(whole, conditional_close=CLOSE))
        assert (None, "max_order_notional", "max_order_quantity, max_volume_share, max_open_notional") == (
            here.refusal(whole),
            anew.metadata["check"],
            anew.metadata["also"],
        )

    limits = {"max_order_notional": D(10), "max_order_quantity": ONE, "max_volume_share": ONE}
    checked(script, lifted(**limits, max_open_notional=D(10)))


def test_an_order_that_eases_makes_no_room_for_another_one_under_its_id():
    """Held for what only eases, an id does not let through what is at stake."""

    def script(here):
        easing = replace(limit("1", "100.0"), reduce_only=True, leverage=2)
        here.reserve(easing, key="c-1")
        assert "max_open_notional" == here.refusal(limit("0.9", "100.0"), key="c-1").metadata["check"]

    checked(script, lifted(max_open_notional=D(10)))


# ---- pace and twins --------------------------------------------------------------------------------------------------


def test_a_repeat_does_not_make_the_guard_forget():
    """The same id again places nothing, and what it gives back is only its own."""

    def script(here):
        here.reserve(limit(), key="c-1").placed()
        here.reserve(limit(), key="c-1").release()
        assert "'c-1'" in here.refusal(limit(), key="c-2").message

    checked(script, lifted(duplicates=DuplicateAction.REFUSE))


def test_what_nothing_came_of_takes_nothing_along_that_was_said_since():
    """Held until the window was over, and given up after another id had said the same: that one is remembered."""

    async def script(here):
        held = here.reserve(limit(), key="c-1")
        await here.clock.sleep(60.0)
        here.reserve(limit(), key="c-2").placed()
        held.release()
        assert "'c-2'" in here.refusal(limit(), key="c-3").message

    checked(script, lifted(duplicates=DuplicateAction.REFUSE))


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("ends", ["given up", "placed"])
def test_an_id_that_was_held_twice_is_forgotten_when_both_are_given_up(first, ends):
    """In either order, and not while one of them was placed."""

    def script(here):
        held = [here.reserve(limit(), key="c-1") for _ in range(2)]
        held[first].release()
        if ends == "placed":
            held[1 - first].placed()
            assert "'c-1'" in here.refusal(limit(), key="c-2").message
        else:
            held[1 - first].release()
            assert here.refusal(limit(), key="c-2") is None

    checked(script, lifted(duplicates=DuplicateAction.REFUSE))


def test_of_what_says_the_same_no_more_is_remembered_than_a_batch():
    """However often it is said; and the last of it counts."""

    def script(here):
        for n in range(3 * ALIKE_MAX):
            here.reserve(limit(), key=f"c-{n}").placed()
        (said,) = here.desk._pace.twins(ME.name).said.values()
        assert [f"c-{n}" for n in range(2 * ALIKE_MAX, 3 * ALIKE_MAX)] == [each.client_order_id for each in said]

    checked(script, lifted(duplicates=DuplicateAction.WARN))


def test_a_turn_given_back_late_is_no_second_one():
    """What was held until the bucket was full again had its turn back by then."""

    async def script(here):
        held = [here.reserve(limit(), key=f"held-{n}") for n in range(15)]
        await here.clock.sleep(60.0)
        for n in range(15):
            here.reserve(limit(), key=f"c-{n}")
        for each in held:
            each.release()
        assert "max_orders_per_s" == here.refusal(limit()).metadata["check"]

    checked(script, lifted(max_orders_per_s=2))


def test_a_limit_that_is_enforced_and_watched_takes_one_turn():
    """Two rules of one figure look at one bucket."""
    rules = RiskRules(
        (
            *lifted().rules,
            RiskRule(max_orders_per_s=2),
            RiskRule(max_orders_per_s=2, shadow=frozenset({"max_orders_per_s"})),
        )
    )

    def script(here):
        assert [None] * 15 == [here.refusal(limit()) for _ in range(15)]

    checked(script, rules)


# ---- amends ----------------------------------------------------------------------------------------------------------


def test_whoever_amends_anothers_order_is_held_to_its_own_limits_too():
    """Through another's order, or one that was placed by hand, nobody grows what it may not place itself."""
    rules = RiskRules((*lifted().rules, RiskRule(caller="other", max_order_notional=D(50), max_orders_per_s=1)))

    async def script(here):
        here.feeds.set("BTC/USD", 99, 101)
        standing = standing_order(limit("0.1", "100.0"))
        grown = limit("0.9", "100.0")
        assert ("max_order_notional", None) == (
            refused(here, OTHER, standing, grown),
            refused(here, ME, standing, grown),
        )
        told = [refused(here, OTHER, standing, limit("0.2", "100.0")) for _ in range(16)]
        assert [*[None] * 15, "max_orders_per_s"] == told

    checked(script, rules)


def test_an_amend_that_changes_neither_size_nor_price_waits_for_its_turn():
    """What it shows of itself makes no order smaller: an endless row of such amends is held back."""

    async def script(here):
        standing = standing_order(limit("0.1", "100.0"))
        shown = replace(standing.spec, display_quantity=D("0.05"))
        told = [refused(here, ME, standing, shown) for _ in range(16)]
        assert [*[None] * 15, "max_orders_per_s"] == told
        assert refused(here, ME, standing, limit("0.05", "100.0")) is None

    checked(script, lifted(max_orders_per_s=1))


def refused(here, who, order, wished):
    """The limit that refuses such an amend; None: none does."""
    try:
        here.desk.reserve_amend(who, order, BTC_USD, wished)
    except ExecsvcError as refusal:
        return refusal.fault.metadata["check"]
    return None


# ---- what a conditional close placed ----------------------------------------------------------------------------------


@pytest.mark.parametrize("parent_is_gone", [False, True], ids=["parent open", "parent filled"])
def test_what_a_conditional_close_placed_counts_for_its_parents_caller(parent_is_gone):
    """Open, filled, and after a restart: a loss that is made by a close is the caller's as much as any."""
    mine = RiskRule(caller="local", max_open_orders=9, max_daily_notional=D(9999))
    theirs = RiskRule(caller="other", max_open_orders=9, max_daily_notional=D(9999))
    rules = RiskRules((*lifted().rules, mine, theirs))
    close = ConditionalClose(OrderType.LIMIT, limit_price=D(61000))

    async def main():
        disk = new_disk()
        first = await AmendWorld(disk, rules=rules).start()
        await first.risk.restore()
        parent = (await first.place("c-1", replace(limit("0.002"), conditional_close=close))).order
        now_ns = first.clock.wall_ns()
        await first.store.adopt(child_of(parent, "O8"), now_ns)
        if parent_is_gone:
            gone = VenueOrder(parent.venue_order_id, None, Status.FILLED, filled_quantity=D("0.002"))
            await first.store.record(parent.key, Seen(gone), now_ns)
        await first.store.adopt(child_of(parent, "O9"), now_ns)
        sold = replace(fill(1, Side.SELL, "61000", "0.001", now_ns, caller=""), venue_order_id="O9")
        await traded(first, sold, replace(sold, fill_id="T2", venue_order_id="O7"))
        ended = VenueOrder("O9", None, Status.FILLED, filled_quantity=D("0.001"))
        await first.store.record(OrderKey("main", "", "ext-O9"), Seen(ended), now_ns)
        await first.clock.sleep(0)
        open_now = (1 if parent_is_gone else 2, 61 + (60 if parent_is_gone else 180))
        assert [str(open_now[0]), f"{open_now[1]}.00"] == [each.used for each in first.risk.usage(ME)]
        await first.kill()
        second = AmendWorld(disk, venue=first.venue, clock=first.clock, rules=rules)
        await second.catalog.refresh()
        await second.risk.restore()
        assert first.risk.usage(ME) == second.risk.usage(ME)
        assert ["0", "0.00"] == [each.used for each in second.risk.usage(OTHER)]
        await second.kill()

    run_sim(main())


def child_of(parent, order_id):
    """As Kraken places one for a fill, and as it is known here."""
    spec = replace(limit(side=Side.SELL), limit_price=D(60000))
    return replace(
        parent,
        key=OrderKey("main", "", f"ext-{order_id}"),
        spec=spec,
        content_hash=content_hash("main", spec),
        venue_order_id=order_id,
        venue_client_id="",
        parent_order_id=parent.venue_order_id,
        version=1,
    )
