"""The limits of an account: what is reserved, refused, observed and told, and what happens where there is no price."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from execsvc.app.catalog import Catalog
from execsvc.app.risk import CallerLimit
from execsvc.app.riskprices import ARRIVES_S, FOLLOWED_MAX
from execsvc.domain.caller import Permission, alike
from execsvc.domain.errors import ExecsvcError, Reason
from execsvc.domain.ids import OrderKey
from execsvc.domain.market import Side
from execsvc.domain.riskrules import DuplicateAction, RiskRule, RiskRules
from execsvc.domain.spec import OrderSpec, OrderType
from execsvc.store.memory import MemoryStore
from tests.support.risks import SetPrices, lifted, risk_desk
from tests.support.simloop import SimClock, run_sim
from tests.support.venue import BTC_USD, ScriptedCatalogVenue
from tests.support.world import ME, limit, new_disk

ONE = Decimal(1)
MANY = [
    replace(BTC_USD, symbol=f"A{n}/USD", base=f"A{n}", venue_symbols=(f"A{n}USD",)) for n in range(FOLLOWED_MAX + 1)
]
ETH_EUR = replace(BTC_USD, symbol="ETH/EUR", base="ETH", quote="EUR", venue_symbols=("ETHEUR",))
EUR_USD = replace(BTC_USD, symbol="EUR/USD", base="EUR", quote="USD", venue_symbols=("EURUSD",))
DOLLARS_100 = lifted(max_order_notional=Decimal(100))


class Here:
    """A risk desk over an empty journal, and prices that a test sets."""

    def __init__(self, rules):
        self.clock = SimClock()
        self.feeds = SetPrices()
        self.observed = []
        self.catalog = Catalog(ScriptedCatalogVenue((BTC_USD, ETH_EUR, EUR_USD, *MANY)), self.clock)
        store = MemoryStore(new_disk())
        self.desk = risk_desk(store, self.catalog, self.feeds, self.clock, rules=rules, observed=self.observed)
        self.placed = 0

    def reserve(self, spec, *, instrument=BTC_USD, who=ME, key=None):
        self.placed += 1
        return self.desk.reserve(who, OrderKey("main", who.name, key or f"c-{self.placed}"), instrument, spec)

    def refusal(self, spec, **parts):
        try:
            self.reserve(spec, **parts)
        except ExecsvcError as refused:
            return refused.fault
        return None


def checked(script, rules=DOLLARS_100):
    async def main():
        here = Here(rules)
        await here.catalog.refresh()
        await here.desk.restore()
        found = script(here)
        if asyncio.iscoroutine(found):
            found = await found
        return found

    return run_sim(main())


def market(symbol="BTC/USD", side=Side.BUY):
    return OrderSpec(symbol, side, ONE, OrderType.MARKET)


# ---- prices ----------------------------------------------------------------------------------------------------------


def test_an_order_without_a_price_is_refused_and_the_pair_followed():
    """Once for each pair: the next order meets a price."""

    def script(here):
        first, second = here.refusal(market()), here.refusal(market())
        assert (Reason.RISK_REFUSED, "BTC/USD", ["BTC/USD"]) == (
            first.reason,
            first.metadata["missing"],
            here.feeds.followed,
        )
        assert ("followed from now on" in first.message, first) == (True, second)
        here.feeds.set("BTC/USD", 50, 50)
        assert here.refusal(market()) is None

    checked(script)


def test_the_quote_in_dollars_is_followed_where_it_is_what_is_missing():
    """An order in euros needs two prices."""

    def script(here):
        here.feeds.set("ETH/EUR", 50, 50)
        assert "EUR/USD" in here.refusal(market("ETH/EUR"), instrument=ETH_EUR).message
        assert ["EUR/USD"] == here.feeds.followed

    checked(script)


def test_no_more_pairs_are_followed_than_the_bound():
    """The one that was wanted longest ago goes first."""

    def script(here):
        for each in (*MANY[:-1], MANY[0], MANY[-1]):
            here.refusal(market(each.symbol), instrument=each)
        assert FOLLOWED_MAX == len(here.feeds.followed)
        assert (False, True, True) == tuple(MANY[n].symbol in here.feeds.followed for n in (1, 0, -1))

    checked(script)


@pytest.mark.parametrize("missing", ["room", "pair"])
def test_what_cannot_be_followed_is_refused_all_the_same(missing):
    """Without a promise that a moment later it would be otherwise."""

    def script(here):
        here.feeds.full = missing == "room"
        here.feeds.set("A0/XYZ", 50, 50)
        strange = replace(MANY[0], symbol="A0/XYZ", quote="XYZ") if missing == "pair" else BTC_USD
        fault = here.refusal(market(strange.symbol), instrument=strange)
        assert (Reason.RISK_REFUSED, False, []) == (fault.reason, "followed" in fault.message, here.feeds.followed)

    checked(script)


@pytest.mark.parametrize(("after_s", "came"), [(0.5, True), (ARRIVES_S + 1, False)])
def test_a_first_price_is_waited_for_a_moment(after_s, came):
    """And no longer; a pair that was followed before is not waited for at all."""

    async def script(here):
        fault = here.refusal(market())
        asyncio.get_running_loop().call_later(after_s, here.feeds.set, "BTC/USD", 50, 50)
        pairs = (fault.metadata["missing"],)
        assert came is await here.desk.arrive(pairs, by=100.0)
        assert abs(here.clock.monotonic() - min(after_s, ARRIVES_S)) < 0.05  # seconds
        here.feeds.shown.clear()
        await here.clock.sleep(ARRIVES_S)
        before = here.clock.monotonic()
        assert (False, before) == (await here.desk.arrive(pairs, by=100.0), here.clock.monotonic())

    checked(script)


def test_one_side_of_a_book_is_no_market():
    """There is no mid to hold a price against."""

    def script(here):
        here.feeds.set("BTC/USD", 60000, None)
        assert "BTC/USD" == here.refusal(limit()).metadata["missing"]

    checked(script, lifted(max_limit_distance=Decimal("0.05")))


def test_a_sale_below_the_bid_is_reckoned_at_the_bid():
    """It may get that, so a low limit is no way around the notional."""

    def script(here):
        here.feeds.set("BTC/USD", "60100", "60110")
        told = [here.refusal(limit("0.001", price, side=Side.SELL)) for price in ("57500.0", "60100.0", "60200.0")]
        assert ["60.10", "60.10", "60.20"] == [each.metadata["value"] for each in told]

    checked(script, lifted(max_order_notional=Decimal(60)))


# ---- what adds up ----------------------------------------------------------------------------------------------------


def test_a_reservation_counts_until_it_is_given_back():
    """At the limit one more is refused; then there is room again."""

    def script(here):
        first, _ = here.reserve(limit()), here.reserve(limit())
        assert ("max_open_orders", "3", "2", 2) == (
            *(here.refusal(limit()).metadata[name] for name in ("check", "value", "limit")),
            here.desk.held,
        )
        first.release()
        first.release()
        assert (None, 2) == (here.refusal(limit()), here.desk.held)

    checked(script, lifted(max_open_orders=2))


def test_the_same_id_is_not_counted_twice():
    """A repeat that is on its way with the first adds nothing: the journal answers it."""

    def script(here):
        for _ in range(3):
            here.reserve(limit(), key="c-1")
        assert here.refusal(limit(), key="c-2") is not None

    checked(script, lifted(max_open_orders=1))


def test_a_rule_of_one_caller_counts_that_callers_orders_alone():
    """And one without a caller all of them together."""
    rules = RiskRules((replace(lifted(max_open_orders=3).rules[0]), RiskRule(caller="ann", max_open_orders=1)))
    ann, bob = (alike(name, frozenset(Permission), ("main",)) for name in ("ann", "bob"))

    def script(here):
        told = [here.refusal(limit(), who=who) for who in (ann, ann, bob, bob, bob)]
        scopes = [each and each.metadata["scope"] for each in told]
        assert [None, "caller ann, every pair", None, None, "every caller, every pair"] == scopes

    checked(script, rules)


def test_a_refusal_by_the_days_notional_takes_the_sum_apart():
    """What was used before, what this order adds and what is left are those of the books."""

    def script(here):
        here.reserve(limit("0.001", "60000.0"))
        assert (
            "today's notional of every caller, every pair: 60.00 USD used and 80.00 USD of this order make 140.00 USD, above "
            "the limit of 100 USD; 40.00 USD is left, and the day ends at 00:00 UTC; nothing was sent"
        ) == here.refusal(limit("0.002", "40000.0")).message
        assert here.refusal(limit("0.001", "40000.0")) is None

    checked(script, lifted(max_daily_notional=Decimal(100)))


def test_open_notional_is_that_of_every_order_in_scope():
    """In dollars, at each order's own price."""

    def script(here):
        here.reserve(limit("0.001", "60000.0"))
        here.reserve(limit("0.002", "20000.0"))
        assert "100.01" == here.refusal(limit("0.0000001", "100000.0")).metadata["value"]

    checked(script, lifted(max_open_notional=Decimal(100)))


def test_only_the_limits_of_this_account_are_its_own():
    """A rule of another account is not looked at, and needs no journal to be read."""
    rules = RiskRules((*lifted().rules, RiskRule(account="other", max_open_orders=0)))

    def script(here):
        assert (True, None) == (here.desk.ready, here.refusal(limit()))

    checked(script, rules)


@pytest.mark.parametrize("spelling", ["BTC/USD", "XBT/USD", "XBTUSD"])
def test_a_rule_may_spell_its_pair_as_kraken_does(spelling):
    """It holds all the same."""

    def script(here):
        here.reserve(limit())
        assert "max_open_orders" == here.refusal(limit()).metadata["check"]
        assert "BTC/USD" == here.desk.usage(ME)[-1].symbol

    checked(script, RiskRules((*lifted().rules, RiskRule(symbol=spelling, max_open_orders=1))))


def test_a_rule_of_a_pair_that_is_not_listed_is_told_to_a_person():
    """Nothing is held to it, so nobody should rely on it."""

    def script(here):
        assert [("risk.no_such_pair", {"symbol": "BCT/USD", "account": "main"})] == here.observed

    checked(script, RiskRules((*lifted().rules, RiskRule(symbol="BCT/USD", max_order_quantity=ONE))))


# ---- pace and twins --------------------------------------------------------------------------------------------------


def test_a_caller_that_is_too_fast_is_told_when_to_come_back_and_then_goes():
    """The burst is a whole batch; the wait is exact; another caller is not held back."""

    async def script(here):
        for _ in range(15):
            here.reserve(limit())
        fault = here.refusal(limit())
        assert (Reason.CALLER_QUOTA, "max_orders_per_s", 0.5) == (
            fault.reason,
            fault.metadata["check"],
            round(fault.retry_after_s, 9),
        )
        other = alike("other", frozenset(Permission), ("main",))
        assert here.refusal(limit(), who=other) is None
        await here.clock.sleep(fault.retry_after_s)
        assert (None, Reason.CALLER_QUOTA) == (here.refusal(limit()), here.refusal(limit()).reason)

    checked(script, lifted(max_orders_per_s=2))


@pytest.mark.parametrize(("rate", "words"), [(1, "1 order a second"), (2, "2 orders a second")])
def test_a_pace_is_told_in_words(rate, words):
    """One order is not several."""

    def script(here):
        for _ in range(15):
            here.reserve(limit())
        assert here.refusal(limit()).message.startswith(f"caller {ME.name} may place {words}: the next one may go in ")

    checked(script, lifted(max_orders_per_s=rate))


def test_what_is_not_placed_gives_its_turn_back():
    """Only orders count for the pace."""

    def script(here):
        for _ in range(100):
            here.reserve(limit()).release()
        assert here.refusal(limit()) is None

    checked(script, lifted(max_orders_per_s=2))


def test_a_grants_pace_narrows_the_rules():
    """Whichever is slower."""
    slow = alike("slow", frozenset(Permission), ("main",))
    slow = replace(slow, grants={"main": replace(slow.grants["main"], orders_per_s=1)})

    def script(here):
        for _ in range(15):
            here.reserve(limit(), who=slow)
        assert 1.0 == round(here.refusal(limit(), who=slow).retry_after_s, 9)

    checked(script, lifted(max_orders_per_s=100))


@pytest.mark.parametrize(("after_s", "twin"), [(0.0, "c-1"), (0.5, "c-1"), (0.51, "")])
def test_a_twin_within_the_window_is_refused_where_a_rule_says_so(after_s, twin):
    """And names the other id."""

    async def script(here):
        here.reserve(limit(), key="c-1")
        await here.clock.sleep(after_s)
        fault = here.refusal(limit(), key="c-2")
        assert twin == ("" if fault is None else "c-1" if "'c-1' within 500 ms" in fault.message else fault.message)

    checked(script, lifted(duplicates=DuplicateAction.REFUSE))


@pytest.mark.parametrize(
    "other",
    [limit(price="60000.1"), limit("0.002"), limit(side=Side.SELL), market()],
    ids=["price", "size", "side", "type"],
)
def test_what_differs_in_anything_is_no_twin(other):
    """Nor is the same order under the same id: that is a repeat."""

    def script(here):
        here.reserve(limit(), key="c-1")
        assert [None, None] == [here.refusal(other, key="c-2"), here.refusal(limit(), key="c-1")]

    checked(script, lifted(duplicates=DuplicateAction.REFUSE))


def test_a_twin_of_what_was_never_placed_is_none():
    """Its reservation was given back."""

    def script(here):
        here.reserve(limit(), key="c-1").release()
        assert here.refusal(limit(), key="c-2") is None

    checked(script, lifted(duplicates=DuplicateAction.REFUSE))


@pytest.mark.parametrize("action", [DuplicateAction.REFUSE, DuplicateAction.WARN])
def test_a_look_says_of_a_twin_what_placing_it_would(action):
    """The limit is listed beside the others: passed, refused or only observed."""

    def script(here):
        before = here.desk.look(ME, BTC_USD, limit())
        here.reserve(limit(), key="c-1")
        after = here.desk.look(ME, BTC_USD, limit())
        observed = action is DuplicateAction.WARN
        assert [("duplicates", True, observed), ("duplicates", False, observed)] == [
            (each.name, each.passed, each.shadow) for each in (*before, *after)
        ]
        assert "the same order came as 'c-1' within 500 ms" == after[0].message

    checked(script, lifted(duplicates=action))


def test_a_look_notes_nothing_in_the_guard():
    """What was only looked at is no twin of what is placed next, and whoever only looks is not remembered."""

    def script(here):
        here.desk.look(ME, BTC_USD, limit())
        assert "<Pace of 0 callers, 0 buckets>" == repr(here.desk._pace)
        assert here.refusal(limit(), key="c-1") is None

    checked(script, lifted(duplicates=DuplicateAction.REFUSE))


# ---- observed and told -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "check"),
    [
        (lifted(max_open_orders=0, shadow=frozenset({"max_open_orders"})), "max_open_orders"),
        (lifted(duplicates=DuplicateAction.WARN), "duplicates"),
    ],
    ids=["in shadow", "a warning"],
)
def test_what_is_only_observed_is_told_once_the_order_is_placed(rules, check):
    """In the order's story each time, and in the log no more than once a second of one caller."""

    def script(here):
        steps = []
        here.desk.note = lambda key, step: steps.append((key.client_order_id, step.text[:15]))
        here.reserve(limit()).release()
        assert ([], []) == (steps, here.observed)
        holds = [here.reserve(limit()) for _ in range(3)]
        for hold in holds:
            hold.placed()
        assert [(each, "Only observed: ") for each in ("c-2", "c-3", "c-4")][-len(steps) :] == steps
        assert [("risk.observed", check)] == [(event, facts["check"]) for event, facts in here.observed]

    checked(script, rules)


def test_a_loop_that_repeats_itself_is_logged_once_a_second():
    """By limit and caller."""

    async def script(here):
        for after_s in (0.0, 0.9, 0.2, 5.0):
            await here.clock.sleep(after_s)
            here.reserve(limit()).placed()
        assert 3 == len(here.observed)

    checked(script, lifted(max_open_orders=0, shadow=frozenset({"max_open_orders"})))


def test_a_look_takes_nothing():
    """Every verdict, as often as one likes."""

    def script(here):
        for _ in range(50):
            told = here.desk.look(ME, BTC_USD, limit())
            assert [("max_open_orders", True, "1"), ("max_orders_per_s", True, "")] == [
                (each.name, each.passed, each.value) for each in told
            ]
        assert 0 == here.desk.held

    checked(script, lifted(max_open_orders=1, max_orders_per_s=2))


def test_the_callers_limits_are_told_with_what_is_used():
    """Each bound that matches the caller on any pair, in its unit, with whose orders it is for."""
    rules = RiskRules(
        (
            *lifted(max_order_notional=Decimal("1000.50"), max_open_orders=5, max_open_notional=Decimal(900)).rules,
            RiskRule(symbol="ETH/EUR", max_open_orders=2, shadow=frozenset({"max_open_orders"})),
            RiskRule(caller="somebody else", max_open_orders=1),
            RiskRule(caller=ME.name, symbol="BTC/USD", max_open_orders=3),
        )
    )

    def script(here):
        here.reserve(limit("0.001", "60000.0"))
        assert (
            CallerLimit("max_order_notional", "1000.50"),
            CallerLimit("max_open_orders", "5", used="1"),
            CallerLimit("max_open_orders", "2", symbol="ETH/EUR", used="0", shadow=True),
            CallerLimit("max_open_orders", "3", symbol="BTC/USD", used="1", caller=ME.name),
            CallerLimit("max_open_notional", "900", used="60.00"),
        ) == here.desk.usage(ME)

    checked(script, rules)
