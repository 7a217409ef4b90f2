"""Pair rules an order must meet."""

from dataclasses import replace
from decimal import Decimal

import pytest

from execsvc.domain.errors import Reason
from execsvc.domain.instrument import Instrument, InstrumentStatus
from execsvc.domain.market import Side
from execsvc.domain.pairrules import pair_faults
from execsvc.domain.spec import ConditionalClose, Offset, OrderType, TimeInForce, TriggerReference
from tests.support.specs import KINDS, spec

PAIR = Instrument(
    symbol="BTC/USD",
    base="BTC",
    quote="USD",
    status=InstrumentStatus.ONLINE,
    price_increment=Decimal("0.1"),
    price_decimals=1,
    quantity_increment=Decimal("0.00000001"),
    quantity_decimals=8,
    min_quantity=Decimal("0.0001"),
    min_cost=Decimal("0.5"),
    cost_decimals=5,
    leverage_buy=(2, 3),
    leverage_sell=(2,),
)
D = Decimal
NOW_NS = 1_790_000_000_000_000_000
SECOND_NS, DAY_NS = 10**9, 86_400 * 10**9


def faults(quantity="0.001", price="60000.0", *, post_only=False, pair=PAIR):
    parts = {"base_quantity": Decimal(quantity), "post_only": post_only}
    if price is None:
        return pair_faults(pair, spec(OrderType.MARKET, **parts), NOW_NS)
    return pair_faults(pair, spec(limit_price=Decimal(price), **parts), NOW_NS)


def test_an_order_within_the_rules_has_no_fault():
    """Tick, lot, minimum, cost and status hold."""
    assert faults() == ()


@pytest.mark.parametrize(("price", "nearest"), [("60000.05", "60000.0"), ("60000.06", "60000.1"), ("0.14", "0.1")])
def test_an_off_tick_price_is_refused_with_increment_and_nearest(price, nearest):
    """Prices are never rounded silently; the caller is offered the nearest."""
    (fault,) = faults(quantity="10", price=price)
    assert fault.reason is Reason.TICK_SIZE_VIOLATED
    assert (fault.metadata["increment"], fault.metadata["nearest"]) == ("0.1", nearest)
    assert [bad.path for bad in fault.fields] == ["spec.limit.limit_price"]


def test_a_quantity_finer_than_the_lot_is_refused():
    """More decimals than the pair has are named, not cut."""
    (fault,) = faults(quantity="0.001000001")
    assert (fault.reason, fault.metadata["nearest"]) == (Reason.TICK_SIZE_VIOLATED, "0.00100000")


@pytest.mark.parametrize(("quantity", "refused"), [("0.0001", False), ("0.00009999", True)])
def test_the_least_quantity_is_inclusive(quantity, refused):
    """Exactly the minimum passes, one lot less does not."""
    assert [fault.metadata for fault in faults(quantity)] == (
        [{"min_quantity": "0.0001", "symbol": "BTC/USD"}] if refused else []
    )


@pytest.mark.parametrize(("price", "refused"), [("50.0", False), ("49.9", True)])
def test_the_least_cost_is_inclusive_for_limit_orders(price, refused):
    """Quantity times price must reach the cost minimum of the pair."""
    assert [fault.reason for fault in faults("0.01", price)] == ([Reason.ORDER_MINIMUM_NOT_MET] if refused else [])


def test_a_market_orders_cost_is_left_to_the_exchange():
    """Its price is not known here, so only its quantity is judged."""
    assert faults("0.0001", None) == ()


@pytest.mark.parametrize(
    ("status", "price", "post_only", "refused"),
    [
        (InstrumentStatus.CANCEL_ONLY, "60000.0", True, True),
        (InstrumentStatus.REDUCE_ONLY, "60000.0", False, True),
        (InstrumentStatus.POST_ONLY, "60000.0", True, False),
        (InstrumentStatus.POST_ONLY, "60000.0", False, True),
        (InstrumentStatus.LIMIT_ONLY, "60000.0", False, False),
        (InstrumentStatus.LIMIT_ONLY, None, False, True),
        (InstrumentStatus.MAINTENANCE, "60000.0", False, True),
    ],
)
def test_the_pairs_status_decides_what_may_be_sent(status, price, post_only, refused):
    """Cancel-only takes nothing, post-only only resting orders, limit-only no market orders."""
    found = faults(price=price, post_only=post_only, pair=replace(PAIR, status=status))
    assert [fault.reason for fault in found] == ([Reason.INSTRUMENT_STATUS] if refused else [])


def test_every_broken_rule_is_told_at_once():
    """A caller mends all of it in one go."""
    found = faults(quantity="0.000000001", price="0.15")
    assert {fault.reason for fault in found} == {Reason.TICK_SIZE_VIOLATED, Reason.ORDER_MINIMUM_NOT_MET}
    assert len(found) == 3


# ---- every type ------------------------------------------------------------------------------------------------------


def paths(wish, **pair):
    """Where the order breaks a rule, and which."""
    found = pair_faults(replace(PAIR, **pair), wish, NOW_NS)
    return [(fault.reason, *(bad.path for bad in fault.fields)) for fault in found]


OFF = D("100.05")
TICK, INVALID = Reason.TICK_SIZE_VIOLATED, Reason.INVALID_REQUEST


@pytest.mark.parametrize(
    ("wish", "path"),
    [
        (spec(OrderType.STOP_LOSS, trigger_price=OFF), "spec.trigger.trigger_price"),
        (spec(OrderType.STOP_LOSS, trigger_price=D(1), limit_price=OFF), "spec.trigger.limit_price"),
        (spec(OrderType.TAKE_PROFIT, trigger_price=OFF), "spec.trigger.trigger_price"),
        (spec(OrderType.TRAILING_STOP, offset=Offset(OFF)), "spec.trailing_stop.offset.absolute"),
        (
            spec(OrderType.TRAILING_STOP, offset=Offset(D(1)), limit_offset=Offset(-OFF)),
            "spec.trailing_stop.limit_offset.absolute",
        ),
        (spec(display_quantity=D("0.1000000001")), "spec.limit.display_quantity"),
        (spec(OrderType.MARKET, quote_quantity=D("1.000001")), "spec.quote_quantity"),
        (
            spec(conditional_close=ConditionalClose(OrderType.LIMIT, limit_price=OFF)),
            "spec.conditional_close.limit.limit_price",
        ),
        (
            spec(conditional_close=ConditionalClose(OrderType.STOP_LOSS, trigger_price=OFF)),
            "spec.conditional_close.trigger.trigger_price",
        ),
        (
            spec(conditional_close=ConditionalClose(OrderType.TRAILING_STOP, offset=Offset(OFF))),
            "spec.conditional_close.trailing_stop.offset.absolute",
        ),
    ],
)
def test_every_figure_is_on_its_grid(wish, path):
    """Prices and distances on the tick, base quantities on the lot, quote quantities on the quote's digits."""
    assert [(TICK, path)] == paths(wish)


def test_a_percentage_has_no_grid():
    """It is no price; Kraken works one out."""
    assert [] == paths(spec(OrderType.TRAILING_STOP, offset=Offset(D("1.2345"), percent=True)))


@pytest.mark.parametrize("name", sorted(KINDS))
def test_an_order_of_each_kind_within_the_rules_passes(name):
    """No rule of one kind stands in another's way."""
    assert [] == paths(KINDS[name], has_index=True, leverage_sell=(2, 3))


@pytest.mark.parametrize(("amount", "refused"), [("0.50000", False), ("0.49999", True)])
def test_the_least_cost_is_that_of_an_order_sized_by_cost(amount, refused):
    """Exactly the minimum passes."""
    found = paths(spec(OrderType.MARKET, quote_quantity=D(amount)))
    assert ([(Reason.ORDER_MINIMUM_NOT_MET, "spec.quote_quantity")] if refused else []) == found


@pytest.mark.parametrize(
    ("shown", "refused"), [("0.1", False), ("0.09999999", True), ("1.5", False), ("1.50000001", True)]
)
def test_an_iceberg_shows_a_fifteenth_and_no_more_than_there_is(shown, refused):
    """From 1/15 of the quantity up to all of it."""
    found = paths(spec(base_quantity=D("1.5"), display_quantity=D(shown)))
    assert ([(INVALID, "spec.limit.display_quantity")] if refused else []) == found


@pytest.mark.parametrize(
    ("side", "leverage", "refused"),
    [(Side.BUY, 3, False), (Side.BUY, 4, True), (Side.SELL, 2, False), (Side.SELL, 3, True), (Side.SELL, 0, False)],
)
def test_a_leverage_is_one_of_the_pairs_for_the_side(side, leverage, refused):
    """0 is spot, and always allowed."""
    assert ([(INVALID, "spec.leverage")] if refused else []) == paths(spec(side=side, leverage=leverage))


def test_a_settlement_may_have_the_leverage_of_the_other_side():
    """It goes against the position, which was opened from there."""
    assert [] == paths(replace(KINDS["settle position"], side=Side.SELL))


def test_a_pair_without_leverage_says_so():
    """Rather than naming an empty list."""
    (fault,) = pair_faults(replace(PAIR, leverage_buy=()), spec(leverage=2), NOW_NS)
    assert "spec.leverage: BTC/USD cannot be traded with leverage on this side" == fault.message


@pytest.mark.parametrize("has_index", [True, False, None])
def test_only_a_pair_with_an_index_is_triggered_by_it(has_index):
    """The last price is always there."""
    wish = replace(KINDS["stop"], trigger_reference=TriggerReference.INDEX)
    wanted = [] if has_index is not False else [(Reason.TRIGGER_INDEX_UNAVAILABLE, "spec.trigger.reference")]
    assert wanted == paths(wish, has_index=has_index)


@pytest.mark.parametrize(
    ("ahead_ns", "refused"),
    [(5 * SECOND_NS - 1, True), (5 * SECOND_NS, False), (30 * DAY_NS, False), (30 * DAY_NS + 1, True), (-1, True)],
)
def test_a_date_is_five_seconds_to_a_month_ahead(ahead_ns, refused):
    """Both bounds inclusive."""
    wish = spec(time_in_force=TimeInForce.GTD, expire_time_ns=NOW_NS + ahead_ns)
    assert ([(INVALID, "spec.expire_time")] if refused else []) == paths(wish)


def test_a_date_is_judged_as_kraken_will_read_it():
    """In whole seconds, cut off: nearly six seconds ahead are five there, and a nanosecond later too few."""
    wish = spec(time_in_force=TimeInForce.GTD, expire_time_ns=NOW_NS + 5_999_999_999)
    assert [] == [each.message for each in pair_faults(PAIR, wish, NOW_NS)]
    assert ["spec.expire_time"] == [bad.path for fault in pair_faults(PAIR, wish, NOW_NS + 1) for bad in fault.fields]


@pytest.mark.parametrize(
    ("ahead_ns", "refused"), [(0, True), (1, False), (30 * DAY_NS, False), (30 * DAY_NS + 1, True)]
)
def test_a_start_is_ahead_by_at_most_a_month(ahead_ns, refused):
    """A start that has passed would be no start."""
    assert ([(INVALID, "spec.start_time")] if refused else []) == paths(spec(start_time_ns=NOW_NS + ahead_ns))


def test_an_order_does_not_end_before_it_begins():
    """The end is later than the start."""
    wish = spec(start_time_ns=NOW_NS + DAY_NS, time_in_force=TimeInForce.GTD, expire_time_ns=NOW_NS + DAY_NS)
    assert [(INVALID, "spec.expire_time")] == paths(wish)


@pytest.mark.parametrize(
    ("status", "wish", "refused"),
    [
        (InstrumentStatus.REDUCE_ONLY, spec(leverage=2, reduce_only=True), False),
        (InstrumentStatus.REDUCE_ONLY, KINDS["settle position"], False),
        (InstrumentStatus.REDUCE_ONLY, spec(leverage=2), True),
        (InstrumentStatus.LIMIT_ONLY, KINDS["stop"], True),
        (InstrumentStatus.LIMIT_ONLY, KINDS["stop limit"], False),
        (InstrumentStatus.LIMIT_ONLY, KINDS["trailing stop limit"], False),
        (InstrumentStatus.POST_ONLY, KINDS["stop limit"], True),
    ],
)
def test_the_pairs_status_is_held_against_every_type(status, wish, refused):
    """Reducing orders where only those go, orders with a limit where the market takes no others."""
    assert ([(Reason.INSTRUMENT_STATUS,)] if refused else []) == paths(wish, status=status)
