"""What placing would say: rounding as an offer, rules, limits, the counter, and a verdict that agrees with all of them."""

from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.app.catalog import STALE_AFTER_S, Catalog
from execsvc.app.fees import FeeBook
from execsvc.app.preview import SYMBOL, Preview, rounded_spec, rule_breaches
from execsvc.domain import money
from execsvc.domain.errors import Declined, Fault, Reason
from execsvc.domain.ids import OrderKey
from execsvc.domain.instrument import InstrumentStatus
from execsvc.domain.market import EventTimes, Side, Ticker
from execsvc.domain.pairrules import pair_faults
from execsvc.domain.riskrules import DuplicateAction
from execsvc.domain.spec import ConditionalClose, Offset, OrderSpec, OrderType
from execsvc.ports import CallClass, CapacityAnswer, CapacityQuestion
from execsvc.store.memory import MemoryStore
from tests.support.risks import lifted, risk_desk
from tests.support.setrates import PAIR, SetRates
from tests.support.simloop import SimClock, run_sim
from tests.support.specs import spec as wish
from tests.support.specs import specs as every_spec
from tests.support.statements import ScriptedStatements
from tests.support.venue import BTC_USD, ScriptedCatalogVenue
from tests.support.world import ME, limit, new_disk

QUANTITY, PRICE = "spec.base_quantity", "spec.limit.limit_price"
NOW_NS = 1_700_000_000_000_000_000
ONE = Decimal(1)
ETH_EUR = replace(BTC_USD, symbol="ETH/EUR", base="ETH", quote="EUR", venue_symbols=("ETHEUR",))
COARSE = replace(
    BTC_USD, quantity_increment=Decimal("0.05"), price_increment=Decimal("0.5"), min_quantity=Decimal("0.1")
)


class Feeds:
    """Pictures that are live, by symbol."""

    def __init__(self):
        self.live = {}
        self.followed = []

    @contextmanager
    def tickers(self, symbols, _delivery):
        self.followed += symbols
        yield

    def set(self, symbol, bid, ask, read_ns=7):
        figures = [None if each is None else Decimal(each) for each in (bid, ask)]
        self.live[symbol] = Ticker(
            symbol, figures[0], ONE, figures[1], ONE, ONE, ONE, ONE, ONE, ONE, None, EventTimes(None, read_ns)
        )

    def live_ticker(self, symbol):
        return self.live.get(symbol)


class Here:
    """A preview and everything it looks at, for a test to set."""

    def __init__(self, limit_usd=None, instruments=(BTC_USD, ETH_EUR), rules=None):
        self.clock = SimClock()
        self.catalog = Catalog(ScriptedCatalogVenue(instruments), self.clock)
        self.feeds = Feeds()
        self.rates = SetRates()
        self.closed = self.refused = None
        self.questions = []
        self.objection = None
        self.statements = ScriptedStatements()
        limit = None if limit_usd is None else Decimal(limit_usd)
        store = MemoryStore(new_disk())
        self.risk = risk_desk(
            store, self.catalog, self.feeds, self.clock, rules=rules or lifted(max_order_notional=limit)
        )
        self.preview = Preview(
            catalog=self.catalog,
            feeds=self.feeds,
            risk=self.risk,
            rates=self.rates,
            clock=self.clock,
            refusal=self._refusal,
            ask=self._asked,
            fees=FeeBook(self.statements, self.catalog, self.clock),
        )

    def _refusal(self, who, spec):
        self.refused = (who, spec)
        return self.closed

    async def _asked(self, spec, instrument, by, caller):
        self.questions.append((spec, instrument.symbol, by, caller))
        return self.objection


def looked(spec, change=None, **parts):
    async def main():
        here = Here(**parts)
        await here.catalog.refresh()
        if change is not None:
            change(here)
        return here.preview.look(ME, spec)

    return run_sim(main())


def market(side=Side.BUY, quantity="0.001", symbol="BTC/USD"):
    return OrderSpec(symbol, side, Decimal(quantity), OrderType.MARKET)


# ---- the guard against twins ----------------------------------------------------------------------------------------


def test_a_twin_that_would_be_refused_would_not_go_now():
    """The plan is placing's own word, the guard's included."""
    spec = limit("0.001", "60000.0")
    rules = lifted(duplicates=DuplicateAction.REFUSE)

    def said(here):
        here.risk.reserve(ME, OrderKey("main", ME.name, "c-1"), BTC_USD, spec)

    alone, twin = looked(spec, rules=rules), looked(spec, said, rules=rules)
    assert ((True, ["duplicates"]), (False, ["duplicates"])) == (
        (alone.placeable, [each.name for each in alone.checks]),
        (twin.placeable, [each.name for each in twin.checks]),
    )


# ---- the plain case --------------------------------------------------------------------------------------------------


def test_an_order_that_is_in_order_would_go_as_it_is():
    """Equal to what was given, but for the spelling of the pair; nothing stands against it."""
    spec = replace(limit("0.0010", "60000.00"), symbol="xbtusd")
    found = looked(spec)
    assert (True, replace(spec, symbol="BTC/USD"), (), ()) == (
        found.placeable,
        found.rounded,
        found.breaches,
        found.checks,
    )
    assert "0.0010" == str(found.rounded.base_quantity)


def test_the_counter_of_the_pair_is_told_with_the_price_in_points():
    """One question about one placement, the pair's counter as it stands."""
    here = Here()

    async def main():
        await here.catalog.refresh()
        return here.preview.look(ME, limit()), here.clock.wall_ns()

    found, now_ns = run_sim(main())
    assert (ONE, PAIR, 0.0, now_ns) == (found.cost, found.counter, found.wait_s, found.as_of_ns)
    assert [CapacityQuestion(CallClass.PLACE, "BTC/USD")] == here.rates.asked


def test_an_unknown_pair_is_refused_as_placing_would():
    """UNKNOWN_SYMBOL at spec.symbol."""
    with pytest.raises(Declined) as caught:
        looked(replace(limit(), symbol="FOO/USD"))
    assert (Reason.UNKNOWN_SYMBOL, [SYMBOL]) == (caught.value.reason, [bad.path for bad in caught.value.fault.fields])


# ---- rounding --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "60000.5"), (Side.SELL, "60001.0")])
def test_a_price_between_two_ticks_goes_to_the_passive_one(side, price):
    """A buyer pays no more than it said, a seller takes no less."""
    found = rounded_spec(COARSE, limit("0.1", "60000.7", side=side))
    assert Decimal(price) == found.limit_price


def test_a_quantity_between_two_lots_goes_down():
    """Never more than was asked for."""
    assert Decimal("0.15") == rounded_spec(COARSE, limit("0.19", "60000")).base_quantity


@pytest.mark.parametrize("spec", [limit("0.01", "60000"), limit("0.1", "0.1")])
def test_what_would_become_zero_stays(spec):
    """There is no order of nothing, nor a price of nothing: the breach then says that rounding mends nothing."""
    found = rounded_spec(COARSE, spec)
    assert (spec, False) == (found, any(each.fixed_by_rounding for each in rule_breaches(COARSE, spec, found, NOW_NS)))


DECIMALS = st.decimals("0.000000000000000001", "999999999", places=18)
STEPS = st.sampled_from([Decimal(each) for each in ("0.00000001", "0.05", "0.1", "0.5", "1", "25")])


@given(quantity=DECIMALS, price=DECIMALS, lot=STEPS, tick=STEPS, side=st.sampled_from(Side))
def test_rounding_is_passive_close_and_done_once(quantity, price, lot, tick, side):
    """Never against the caller, less than a step away, on the step unless that is zero, and the same when done again."""
    instrument = replace(BTC_USD, quantity_increment=lot, price_increment=tick)
    spec = OrderSpec("BTC/USD", side, quantity, OrderType.LIMIT, price)
    found = rounded_spec(instrument, spec)
    assert quantity - lot < found.base_quantity <= quantity
    assert (0 <= found.limit_price - price < tick) if side is Side.SELL else (0 <= price - found.limit_price < tick)
    assert money.is_multiple(found.base_quantity, lot) or quantity < lot
    assert money.is_multiple(found.limit_price, tick) or price < tick
    assert found == rounded_spec(instrument, found)


@given(quantity=DECIMALS, price=DECIMALS, lot=STEPS, tick=STEPS, side=st.sampled_from(Side))
def test_what_rounding_leaves_is_what_placing_the_rounded_order_would_refuse(quantity, price, lot, tick, side):
    """The breaches that are not mended are exactly the rules that the rounded order breaks."""
    instrument = replace(BTC_USD, quantity_increment=lot, price_increment=tick)
    spec = OrderSpec("BTC/USD", side, quantity, OrderType.LIMIT, price)
    found = rounded_spec(instrument, spec)
    left = pair_faults(instrument, found, NOW_NS)
    breaches = [each for each in rule_breaches(instrument, spec, found, NOW_NS) if not each.fixed_by_rounding]
    assert sorted(fault.reason for fault in left) == sorted(each.reason for each in breaches)


OFF = Decimal("100.7")


@pytest.mark.parametrize(
    ("order_type", "side", "trigger"),
    [
        (OrderType.STOP_LOSS, Side.BUY, "101.0"),
        (OrderType.STOP_LOSS, Side.SELL, "100.5"),
        (OrderType.TAKE_PROFIT, Side.BUY, "100.5"),
        (OrderType.TAKE_PROFIT, Side.SELL, "101.0"),
    ],
)
def test_a_trigger_between_two_ticks_goes_to_where_it_fires_later(order_type, side, trigger):
    """A stop to buy waits for the price to rise, one to sell for it to fall; a take-profit the other way round."""
    found = rounded_spec(COARSE, wish(order_type, side=side, trigger_price=OFF))
    assert Decimal(trigger) == found.trigger_price


@pytest.mark.parametrize(("side", "limit_offset"), [(Side.BUY, "-101.0"), (Side.SELL, "-100.5")])
def test_the_distances_of_a_trailing_stop_are_rounded_too(side, limit_offset):
    """It follows from further away, and its limit goes to the passive side; a percentage stays as it is."""
    given_ = wish(OrderType.TRAILING_STOP, side=side, offset=Offset(OFF), limit_offset=Offset(-OFF))
    found = rounded_spec(COARSE, given_)
    assert (Offset(Decimal("101.0")), Offset(Decimal(limit_offset))) == (found.offset, found.limit_offset)
    in_percent = replace(given_, offset=Offset(Decimal("1.234"), percent=True))
    assert in_percent.offset == rounded_spec(COARSE, in_percent).offset


def test_a_close_is_rounded_as_an_order_of_the_other_side():
    """The close of a buy sells."""
    close = ConditionalClose(OrderType.LIMIT, limit_price=OFF)
    assert Decimal("101.0") == rounded_spec(COARSE, wish(conditional_close=close)).conditional_close.limit_price


@pytest.mark.parametrize(("shown", "rounded"), [("0.07", "0.10"), ("0.48", "0.45")])
def test_what_an_iceberg_shows_goes_up_to_what_there_is(shown, rounded):
    """Rounded down it might be too little of the whole."""
    found = rounded_spec(COARSE, wish(base_quantity=Decimal("0.49"), display_quantity=Decimal(shown)))
    assert Decimal(rounded) == found.display_quantity


def test_what_is_to_be_spent_goes_down_to_the_quotes_digits():
    """Never more than was asked for."""
    found = rounded_spec(COARSE, wish(OrderType.MARKET, quote_quantity=Decimal("100.123456789")))
    assert Decimal("100.12345") == found.quote_quantity


@given(every_spec(), st.sampled_from([BTC_USD, COARSE]))
def test_rounding_any_order_is_done_once(spec, instrument):
    """The same when done again, and nothing but figures changes."""
    found = rounded_spec(instrument, spec)
    assert found == rounded_spec(instrument, found)
    assert content_of(spec) == content_of(found)


def content_of(spec):
    """All that is no figure."""
    return (spec.order_type, spec.side, spec.time_in_force, spec.leverage, spec.conditional_close is None, spec.label)


# ---- rules -----------------------------------------------------------------------------------------------------------


def test_a_breach_has_field_value_and_bound():
    """Both off: the lot and the tick, each with its own path; rounding mends them, so the rounded order would go."""
    found = looked(limit("0.1900000001", "60000.77"))
    assert [
        (QUANTITY, Reason.TICK_SIZE_VIOLATED, "0.1900000001", "0.00000001", True),
        (PRICE, Reason.TICK_SIZE_VIOLATED, "60000.77", "0.1", True),
    ] == [(each.field, each.reason, each.value, each.bound, each.fixed_by_rounding) for each in found.breaches]
    assert (True, Decimal("0.19"), Decimal("60000.7")) == (
        found.placeable,
        found.rounded.base_quantity,
        found.rounded.limit_price,
    )


@pytest.mark.parametrize(
    ("spec", "value", "bound"),
    [(limit("0.00001", "60000"), "0.00001", "0.0001"), (limit("0.001", "10.0"), "0.0100", "0.5")],
    ids=["quantity", "cost"],
)
def test_too_little_is_told_in_the_unit_of_its_bound(spec, value, bound):
    """The least quantity beside a quantity, the least cost beside a cost; rounding mends neither."""
    found = looked(spec)
    assert [(QUANTITY, Reason.ORDER_MINIMUM_NOT_MET, value, bound, False)] == [
        (each.field, each.reason, each.value, each.bound, each.fixed_by_rounding) for each in found.breaches
    ]
    assert not found.placeable


def test_a_rule_broken_only_by_rounding_is_told_too():
    """Rounded down the order is worth too little: a caller must learn why it would not go."""
    spec = limit("0.149", "4.0")  # 0.596 as given, 0.4 when rounded; at least 0.5
    found = looked(spec, instruments=(replace(COARSE, quantity_increment=Decimal("0.1")),))
    assert [(Reason.TICK_SIZE_VIOLATED, True), (Reason.ORDER_MINIMUM_NOT_MET, False)] == [
        (each.reason, each.fixed_by_rounding) for each in found.breaches
    ]
    assert ("0.40", False) == (found.breaches[1].value, found.placeable)


def test_an_order_that_is_too_small_is_not_mended_by_becoming_smaller():
    """Worth too little as given, too little of it when rounded: the first is told, and that rounding does not help."""
    found = looked(limit("0.13", "1.0"), instruments=(replace(COARSE, min_quantity=Decimal("0.12")),))
    assert [(Reason.TICK_SIZE_VIOLATED, True), (Reason.ORDER_MINIMUM_NOT_MET, False)] == [
        (each.reason, each.fixed_by_rounding) for each in found.breaches
    ]
    assert ("0.130", "0.5") == (found.breaches[1].value, found.breaches[1].bound)


def test_a_pair_that_takes_no_orders_is_told_by_its_status():
    """At spec.symbol, with the status as the bound."""
    found = looked(limit(), instruments=(replace(BTC_USD, status=InstrumentStatus.CANCEL_ONLY),))
    (breach,) = found.breaches
    assert (SYMBOL, Reason.INSTRUMENT_STATUS, "BTC/USD", "CANCEL_ONLY", False) == (
        breach.field,
        breach.reason,
        breach.value,
        breach.bound,
        found.placeable,
    )


# ---- what stands against any order -----------------------------------------------------------------------------------


def test_a_closed_desk_is_a_breach_of_no_field():
    """The reason the desk gives, in its words."""

    def close(here):
        here.closed = Fault(Reason.TRADING_HALTED, "trading is halted", {"id_used": "false"})

    (breach,) = (found := looked(limit(), close)).breaches
    assert ("", Reason.TRADING_HALTED, "trading is halted", False) == (
        breach.field,
        breach.reason,
        breach.message,
        found.placeable,
    )


def test_the_desk_is_asked_about_the_caller_and_the_order_that_would_go():
    """Rights and modes depend on both, and the rounded order is the one that would be placed."""
    asked = []
    looked(limit("0.1900000001", "60000.77"), asked.append)
    who, spec = asked[0].refused
    assert (ME, Decimal("0.19000000"), Decimal("60000.7")) == (who, spec.base_quantity, spec.limit_price)


def test_rules_that_are_too_old_stand_against_placing():
    """As placing would say: VENUE_UNREACHABLE."""

    async def main():
        here = Here()
        await here.catalog.refresh()
        await here.clock.sleep(STALE_AFTER_S + 1)
        return here.preview.look(ME, limit())

    found = run_sim(main())
    assert ([Reason.VENUE_UNREACHABLE], False) == ([each.reason for each in found.breaches], found.placeable)


def test_a_full_counter_is_a_wait_and_no_breach():
    """Waiting heals it; until then the order would not be sent."""

    def fill(here):
        here.rates.answer = CapacityAnswer(0, 0.43, 0.43)

    found = looked(limit(), fill)
    assert ((), 0.43, False) == (found.breaches, found.wait_s, found.placeable)


def test_too_many_open_orders_are_a_breach_that_no_wait_heals():
    """VENUE_ORDER_LIMIT with the number and the most."""

    def crowd(here):
        here.rates.answer = CapacityAnswer(0, None, 0.43)
        here.rates.pair = replace(PAIR, open_orders=80)

    found = looked(limit(), crowd)
    assert [(Reason.VENUE_ORDER_LIMIT, "80", "80")] == [
        (each.reason, each.value, each.bound) for each in found.breaches
    ]
    assert (None, False) == (found.wait_s, found.placeable)


def test_a_lane_that_is_stopped_is_never_without_blaming_the_order():
    """No wait, no breach of a rule: not placeable."""

    def stop(here):
        here.rates.answer = CapacityAnswer(0, None, None)

    found = looked(limit(), stop)
    assert ((), None, False) == (found.breaches, found.wait_s, found.placeable)


def asked_too(objection):
    """A look with Kraken's word on it, and what it was asked."""

    async def main():
        here = Here()
        await here.catalog.refresh()
        here.objection = objection
        looked_at = here.preview.look(ME, limit("0.1900000001", "60000.77"))
        return await here.preview.asked(looked_at, 5.0, "me"), here.questions

    return run_sim(main())


@pytest.mark.parametrize("objection", [None, Fault(Reason.MARGIN_REFUSED, "no margin")])
def test_krakens_word_is_about_the_rounded_order(objection):
    """An objection stands against placing; none adds nothing."""
    found, questions = asked_too(objection)
    assert (True, objection, objection is None) == (found.venue_asked, found.objection, found.placeable)
    assert [(found.rounded, "BTC/USD", 5.0, "me")] == questions


# ---- worth and limits ------------------------------------------------------------------------------------------------


def reckoned(spec, bid="58000", ask="60000"):
    return looked(spec, lambda here: here.feeds.set("BTC/USD", bid, ask)).worth


@pytest.mark.parametrize(
    ("spec", "notional", "price"),
    [
        (wish(OrderType.MARKET, quote_quantity=Decimal("100.5")), "100.5", None),
        (wish(OrderType.STOP_LOSS, trigger_price=Decimal(61000)), "30805.00", "61610.00"),
        (
            wish(OrderType.STOP_LOSS, trigger_price=Decimal(61000), limit_price=Decimal(61500)),
            "30750.0",
            "61500",
        ),
        (wish(OrderType.TRAILING_STOP, offset=Offset(Decimal(1000))), "30805.00", "61610.00"),
        (wish(OrderType.TRAILING_STOP, offset=Offset(Decimal(5), percent=True)), "31815.00", "63630.00"),
        (wish(OrderType.TRAILING_STOP, side=Side.SELL, offset=Offset(Decimal(1000))), "29290.00", "58580.00"),
    ],
    ids=["in quote", "stop", "stop limit", "trail up", "trail up in percent", "trail down"],
)
def test_every_type_is_reckoned_at_what_it_may_cost(spec, notional, price):
    """What is spent; a limit; a trigger or a touch plus the cap, from where a trailing stop would fire."""
    found = reckoned(spec)
    assert (Decimal(notional), None if price is None else Decimal(price)) == (found.notional, found.price)


def test_a_whole_position_has_no_worth_and_no_limit_holds_it_back():
    """Its size is Kraken's to know, and it only ever closes what is there."""
    spec = wish(OrderType.MARKET, full_position=True, leverage=2)
    found = looked(spec, limit_usd="1", instruments=(replace(BTC_USD, leverage_buy=(2,)),))
    assert (None, True, [("", True)]) == (
        found.worth,
        found.placeable,
        [(each.value, each.passed) for each in found.checks],
    )


def test_an_order_in_quote_is_held_against_the_limit_without_a_price():
    """It says itself what it may cost."""
    found = looked(wish(OrderType.MARKET, quote_quantity=Decimal("100.5")), limit_usd="100")
    assert [("100.50", "100", False)] == [(each.value, each.limit, each.passed) for each in found.checks]


def test_a_limit_order_is_reckoned_at_its_own_price():
    """Nothing was read for it, so there is no time of reading."""
    worth = looked(limit("0.001", "60000.0")).worth
    assert (Decimal(60), Decimal("60000.0"), None) == (worth.notional, worth.price, worth.read_ns)


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "60600.00"), (Side.SELL, "58580.00")])
def test_a_market_order_is_reckoned_at_the_touch_and_the_slippage_cap(side, price):
    """Notional is that price times the quantity; the time is when the touch was read."""
    found = looked(market(side), lambda here: here.feeds.set("BTC/USD", "58000", "60000"))
    assert (Decimal(price), Decimal(price) * Decimal("0.001"), 7, True) == (
        found.worth.price,
        found.worth.notional,
        found.worth.read_ns,
        found.placeable,
    )


@pytest.mark.parametrize("ask", [None, "no ticker"])
def test_without_a_live_price_a_market_order_has_no_worth(ask):
    """Nothing is guessed; without a limit it would be placed all the same."""

    def change(here):
        if ask is None:
            here.feeds.set("BTC/USD", "1", None)

    found = looked(market(), change)
    assert (None, True) == (found.worth, found.placeable)


@pytest.mark.parametrize(("quantity", "passed", "value"), [("0.001", True, "60.00"), ("0.0011", False, "66.00")])
def test_the_risk_desks_verdict_is_told_with_its_figures(quantity, passed, value):
    """Passed or not, with the order's figure beside the bound; a failed check keeps the order from going."""
    found = looked(limit(quantity, "60000.0"), limit_usd="60")
    (check,) = found.checks
    assert ("max_order_notional", passed, value, "60", passed) == (
        check.name,
        check.passed,
        check.value,
        check.limit,
        found.placeable,
    )
    assert f"order notional {value} USD is {'within' if passed else 'above'} the limit of 60 USD" in check.message


def test_the_rounded_order_is_what_is_checked():
    """As given it is over the limit, as it would go it is not."""
    spec = limit("0.19", "100.0")
    found = looked(spec, limit_usd="15", instruments=(replace(COARSE, quantity_increment=Decimal("0.1")),))
    assert ([True], True, Decimal("0.1")) == (
        [each.passed for each in found.checks],
        found.placeable,
        found.rounded.base_quantity,
    )


def test_another_quote_is_valued_in_dollars():
    """Over the live ticker of QUOTE/USD, while the notional stays in quote units."""
    spec = replace(limit("1", "100.0"), symbol="ETH/EUR")
    found = looked(spec, lambda here: here.feeds.set("EUR/USD", "1", "1.20"), limit_usd="119")
    assert (Decimal("100.0"), "120.00", False) == (found.worth.notional, found.checks[0].value, found.placeable)


def test_a_limit_without_a_price_refuses_and_has_no_figure():
    """A missing figure refuses; the check says so and has no value."""
    found = looked(market(), limit_usd="60")
    (check,) = found.checks
    assert (False, "", "60", False) == (check.passed, check.value, check.limit, found.placeable)
    assert "no live price" in check.message


def test_the_largest_figures_of_the_contract_can_be_looked_at():
    """Eighteen digits times eighteen do not overflow."""
    figure = "9" * 18
    assert str(int(figure) ** 2) == str(looked(limit(figure, figure)).worth.notional)
