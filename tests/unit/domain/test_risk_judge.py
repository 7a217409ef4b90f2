"""The verdict on one order: at a limit it passes, above it is refused, and where a figure is missing it is refused too."""

from dataclasses import replace
from decimal import Decimal

import pytest

from execsvc.domain.collar import Market
from execsvc.domain.errors import Reason
from execsvc.domain.market import Side
from execsvc.domain.risk import ANEW, CLOSES, EASES, NO_WORSE, Seen, Used, Verdict, Wish, judge, refusal
from execsvc.domain.riskrules import ADDING_UP, AMOUNTS, LIMITS, Bound, RiskScope
from execsvc.domain.spec import ConditionalClose, OrderType
from tests.support.specs import spec

D = Decimal
AT_100 = Market(D(99), D(101), D(50))
SEEN = Seen("BTC/USD", AT_100, D(60), D("0.5"))
UNUSED = Used(D(0))
OF_A_SIZE = sorted({*ADDING_UP, "max_order_notional", "max_order_quantity", "max_volume_share"} - {"max_open_orders"})
BLIND = Seen("BTC/USD", None, None, None, ("BTC/USD",))
WHOLE = spec(OrderType.MARKET, full_position=True, leverage=2)
REOPENING = replace(WHOLE, conditional_close=ConditionalClose(OrderType.STOP_LOSS, trigger_price=D(50)))
EASING = spec(OrderType.MARKET, reduce_only=True, leverage=2)


def verdict_on(name, limit, order=None, seen=SEEN, used=None, before=None):
    bound = Bound(name, D(limit), RiskScope())
    (found,) = judge([bound], Wish(order or spec(limit_price=D(98)), before), seen, lambda _: used or UNUSED)
    return found


@pytest.mark.parametrize(
    ("name", "limit", "order", "used"),
    [
        ("max_order_notional", "60", None, None),
        ("max_order_quantity", "0.5", None, None),
        ("max_limit_distance", "0.02", None, None),
        ("max_marketable_distance", "0.03", spec(limit_price=D(103)), None),
        ("max_volume_share", "0.01", None, None),
        ("max_open_orders", "3", None, "3"),
        ("max_open_notional", "100", None, "100"),
        ("max_daily_notional", "100", None, "100"),
        ("max_daily_loss", "100.01", None, "100"),
    ],
)
def test_at_a_limit_an_order_passes_and_a_hair_above_it_does_not(name, limit, order, used):
    """A loss that has reached its limit is one too many."""
    used = Used(D(used or 0))
    less = D(limit) * D("0.9999") if name != "max_open_orders" else D(limit) - 1
    assert (True, False) == tuple(verdict_on(name, each, order, used=used).passed for each in (limit, less))


def test_a_loss_that_has_reached_its_limit_refuses():
    """What comes after it could only add to it."""
    assert verdict_on("max_daily_loss", "100", used=Used(D(100))).passed is False


@pytest.mark.parametrize("name", [each for each in AMOUNTS if each != "max_orders_per_s"])
def test_without_a_figure_an_order_is_refused_and_told_what_is_missing(name):
    """Fail closed, whatever the limit."""
    found = verdict_on(name, "100", seen=BLIND, used=Used(None, ("BTC/USD",)))
    assert (False, ("BTC/USD",), "") == (found.passed, found.missing, found.value)
    assert "no live price of BTC/USD" in found.message


def test_a_share_too_small_for_two_places_is_told_all_the_same():
    """In words and as the value: nothing is not above nothing."""
    vast = replace(SEEN, market=replace(AT_100, volume=D(8_000_000)), quantity=D("0.05"))
    found = verdict_on("max_volume_share", "0.000000001", seen=vast)
    assert (False, "0.00000000625") == (found.passed, found.value)
    assert found.message == (
        "order quantity 0.05 is 0.000000625 % of the 24 h volume of BTC/USD, above the limit of 0.0000001 %"
    )


@pytest.mark.parametrize(
    ("name", "limit", "seen", "value"),
    [
        ("max_order_notional", "60", replace(SEEN, notional=D("60.001")), "60.001"),
        ("max_limit_distance", "0.02", SEEN, "0.0200004"),
    ],
)
def test_what_is_a_hair_above_a_limit_is_not_told_as_the_limit(name, limit, seen, value):
    """A refusal that says the same figure twice explains nothing."""
    found = verdict_on(name, limit, spec(limit_price=D("97.99996")), seen)
    assert (False, value) == (found.passed, found.value)


def test_a_sum_names_the_orders_own_part_and_an_amend_only_the_whole():
    """Of an amend it is not known apart: what is left of the order counts, and at the dearer of both."""
    order = verdict_on("max_daily_notional", "100", used=Used(D(130)))
    amend = verdict_on("max_daily_notional", "100", spec(limit_price=D(99)), used=Used(D(130)), before=STANDING)
    assert "70.00 USD used and 60.00 USD of this order make 130.00 USD, above" in order.message
    assert "130.00 USD with the order as amended, above" in amend.message


def test_whoever_has_lost_too_much_is_told_what_passes_and_that_does():
    """What a refusal advises is no dead end."""
    refused = verdict_on("max_daily_loss", "100", used=Used(D(100)))
    assert (False, True) == (refused.passed, "reduce_only without a conditional close passes" in refused.message)
    assert verdict_on("max_daily_loss", "100", EASING, used=Used(D(100))).passed is True


def test_of_a_pair_that_nobody_trades_no_order_has_a_share():
    """A share of nothing is nothing."""
    still = replace(SEEN, market=replace(AT_100, volume=D(0)))
    assert (False, "") == (
        verdict_on("max_volume_share", "1", seen=still).passed,
        verdict_on("max_volume_share", "1", seen=still).value,
    )


@pytest.mark.parametrize("name", OF_A_SIZE)
def test_a_whole_position_is_held_back_by_no_amount(name):
    """Its size is Kraken's to know, and it only closes what is there."""
    found = verdict_on(name, "0.0001", WHOLE, seen=BLIND, used=Used(D(9)))
    assert (True, CLOSES) == (found.passed, found.message)


@pytest.mark.parametrize("seen", [SEEN, BLIND], ids=["with a price", "without"])
@pytest.mark.parametrize("name", OF_A_SIZE)
def test_a_position_that_is_opened_anew_is_refused_by_every_amount_for_its_size(name, seen):
    """Not for a price that is missing: no price that comes in would help."""
    found = verdict_on(name, "1000000", REOPENING, seen=seen)
    assert (False, ANEW, ()) == (found.passed, found.message, found.missing)


@pytest.mark.parametrize("name", sorted(ADDING_UP - {"max_open_orders"}))
def test_what_is_used_being_known_does_not_help_an_order_that_nobody_can_reckon(name):
    """Its own part is missing, and a loss is not to grow by what has no price either."""
    found = verdict_on(name, "1000000", seen=BLIND, used=Used(D(9)))
    assert (False, ("BTC/USD",)) == (found.passed, found.missing)


@pytest.mark.parametrize(
    ("name", "passes"),
    [(name, True) for name in sorted(ADDING_UP - {"max_open_orders"})]
    + [("max_open_orders", False), ("max_order_notional", False), ("max_order_quantity", False)],
)
def test_what_only_eases_a_position_is_held_back_by_no_limit_of_what_is_at_stake(name, passes):
    """A fat finger is one all the same, and an open order is open."""
    found = verdict_on(name, "0.0001", EASING, used=Used(D(9)))
    assert (passes, passes) == (found.passed, found.message == EASES)


# ---- amends ----------------------------------------------------------------------------------------------------------

STANDING = spec(limit_price=D(80), base_quantity=D(9))  # far away, and too large for every limit below
SMALLER = replace(STANDING, base_quantity=D(8))
TIGHT = [(name, "0.0001") for name in AMOUNTS if name != "max_orders_per_s"]


@pytest.mark.parametrize(("name", "limit"), TIGHT)
def test_an_amend_that_only_shrinks_is_refused_by_no_limit(name, limit):
    """Whatever the order itself breaks, with or without a price to see it."""
    for seen in (replace(SEEN, grows=False), replace(BLIND, grows=False)):
        found = verdict_on(name, limit, SMALLER, seen, Used(D(900), grew=False), STANDING)
        assert (True, NO_WORSE) == (found.passed, found.message)


@pytest.mark.parametrize(("price", "passed"), [(85, True), (80, True), (79, False), (96, True)])
def test_an_amend_may_bring_a_price_nearer_and_not_further_away(price, passed):
    """Past the limit only what was further away before is let through."""
    wished = replace(STANDING, limit_price=D(price))
    assert passed is verdict_on("max_limit_distance", "0.05", wished, before=STANDING).passed


def test_an_amend_that_grows_is_held_to_what_it_becomes():
    """As an order of that size."""
    larger = replace(STANDING, base_quantity=D(10))
    seen = replace(SEEN, notional=D(800), quantity=D(10))
    assert (False, False) == tuple(
        verdict_on(name, "9.5", larger, seen, before=STANDING).passed
        for name in ("max_order_notional", "max_order_quantity")
    )


# ---- the refusal -----------------------------------------------------------------------------------------------------


def made(name, *, passed=False, shadow=False, missing=(), retry_after_s=None):
    return Verdict(name, RiskScope("ann"), "7", "5", passed, shadow, f"{name} is so", missing, retry_after_s)


def test_a_refusal_names_the_first_limit_against_it_with_its_figures():
    """And the others by name; nothing was sent, the id is free."""
    fault = refusal([made("max_open_orders", passed=True), made("max_order_notional"), made("max_open_notional")])
    assert Reason.RISK_REFUSED is fault.reason
    assert {
        "check": "max_order_notional",
        "value": "7",
        "limit": "5",
        "unit": "USD",
        "scope": "caller ann, every pair",
        "also": "max_open_notional",
        "id_used": "false",
    } == dict(fault.metadata)


def test_what_only_watches_refuses_nothing():
    """Nor does what passes."""
    assert refusal([made("max_open_orders", shadow=True), made("max_open_notional", passed=True)]) is None


def test_a_caller_that_is_too_fast_is_told_how_long():
    """A reason of its own, for it heals by waiting."""
    fault = refusal([made("max_orders_per_s", retry_after_s=0.25)])
    assert (Reason.CALLER_QUOTA, 0.25) == (fault.reason, fault.retry_after_s)


def test_a_missing_price_is_named_in_the_refusal():
    """There is no figure then, and the limit is of no use to whoever reads it."""
    told = refusal([made("max_open_notional", missing=("EUR/USD", "BTC/EUR"))]).metadata
    assert ("EUR/USD, BTC/EUR", "") == (told["missing"], told["limit"])


def test_every_amount_has_a_judge():
    """But for the pace, which is its keeper's."""
    judged = {
        each.name
        for each in judge(
            [Bound(name, D(1), RiskScope()) for name in LIMITS],
            Wish(spec(limit_price=D(98))),
            SEEN,
            lambda _: Used(D(0)),
        )
    }
    assert set(LIMITS) - {"max_orders_per_s", "duplicates"} == judged


def test_sides_are_judged_alike():
    """A sale far above the market is as far away as a purchase far below it."""
    assert [False, False] == [
        verdict_on("max_limit_distance", "0.05", spec(side=side, limit_price=price)).passed
        for side, price in ((Side.BUY, D(90)), (Side.SELL, D(110)))
    ]
