"""What the counters leave room for, asked with pairs in any spelling."""

from dataclasses import replace
from decimal import Decimal

import pytest

from execsvc.app.catalog import Catalog
from execsvc.app.limits import AccountLimits
from execsvc.app.risk import CallerLimit
from execsvc.domain.errors import Busy, Declined, Reason
from execsvc.ports import CallClass, CapacityQuestion
from execsvc.store.memory import MemoryStore
from tests.support.risks import lifted, risk_desk
from tests.support.setrates import KEY, PAIR, SetRates
from tests.support.simloop import SimClock, run_sim
from tests.support.venue import BTC_USD, ScriptedCatalogVenue
from tests.support.world import ME, new_disk

ETH_USD = replace(BTC_USD, symbol="ETH/USD", base="ETH", venue_symbols=("ETHUSD",))


def told(spellings=(), questions=(), *, rates=None, limit=None, filled=True):
    async def main():
        clock = SimClock()
        catalog = Catalog(ScriptedCatalogVenue((BTC_USD, ETH_USD)), clock)
        if filled:
            await catalog.refresh()
        store = MemoryStore(new_disk())
        risk = risk_desk(store, catalog, None, clock, rules=lifted(max_order_notional=limit))
        report = AccountLimits(rates or SetRates(), catalog, risk, clock).tell(spellings, questions, ME)
        return report, clock.wall_ns()

    return run_sim(main())


def placing(symbol, count=1):
    return CapacityQuestion(CallClass.PLACE, symbol, count)


def test_counters_are_asked_for_by_symbol_whatever_the_spelling():
    """Each pair once, in the order of the request."""
    rates = SetRates()
    report, now_ns = told(("ethusd", "XBTUSD", "ETH/USD"), rates=rates)
    assert ([("ETH/USD", "BTC/USD")], now_ns, "intermediate") == (rates.looked_at, report.as_of_ns, report.tier)
    assert (KEY, replace(PAIR, name="ETH/USD"), PAIR) == report.counters


def test_without_names_every_pair_used_so_far_is_told():
    """Then the pairs need not even be known yet."""
    rates = SetRates()
    rates.used = ("ETH/USD",)
    report, _ = told(rates=rates, filled=False)
    assert (KEY, replace(PAIR, name="ETH/USD")) == report.counters


def test_questions_are_answered_in_their_order_with_their_symbols():
    """A question about a pair names it as the answer does, one about the key is passed on as it is."""
    rates = SetRates()
    read = CapacityQuestion(CallClass.READ, count=3)
    report, _ = told(questions=(placing("btc-usd", 7), read, placing("ETHUSD")), rates=rates)
    assert [placing("BTC/USD", 7), read, placing("ETH/USD")] == rates.asked == [asked for asked, _ in report.answers]
    assert [rates.answer] * 3 == [answer for _, answer in report.answers]


def test_every_unknown_pair_of_the_questions_is_named_by_its_path():
    """A question without a pair does not shift the paths of those after it."""
    questions = (placing("FOO/USD"), CapacityQuestion(CallClass.READ), placing("BTC/USD"), placing("BAR/USD"))
    with pytest.raises(Declined) as caught:
        told(questions=questions)
    assert (Reason.UNKNOWN_SYMBOL, ["queries[0].symbol", "queries[3].symbol"]) == (
        caught.value.reason,
        [bad.path for bad in caught.value.fault.fields],
    )


def test_a_refused_question_has_asked_nothing():
    """Pairs are looked up before any counter is."""
    rates = SetRates()
    with pytest.raises(Declined):
        told(questions=(placing("BTC/USD"), placing("FOO/USD")), rates=rates)
    assert ([], []) == (rates.asked, rates.looked_at)


@pytest.mark.parametrize(("spellings", "questions"), [(("BTC/USD",), ()), ((), (placing("BTC/USD"),))])
def test_while_no_pair_is_known_none_can_be_asked_about(spellings, questions):
    """The exchange has not answered yet: VENUE_UNREACHABLE, never "unknown pair"."""
    with pytest.raises(Busy) as caught:
        told(spellings, questions, filled=False)
    assert Reason.VENUE_UNREACHABLE is caught.value.reason


def test_the_largest_notional_is_the_callers_one_limit():
    """With the digits it was set with; where none is set none is told."""
    report, _ = told(limit=Decimal("1000.50"))
    without, _ = told()
    assert ((CallerLimit("max_order_notional", "1000.50"),), ()) == (report.caller_limits, without.caller_limits)
