"""Fee rates kept for a minute, and what an order would cost at them; in virtual time."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.app.catalog import Catalog
from execsvc.app.fees import FRESH_S, FeeBook, FeeEstimate, estimated
from execsvc.app.worth import Worth
from execsvc.domain.account import FeeRate, FeeSchedule
from execsvc.domain.errors import Busy, Declined, Reason, refuse
from execsvc.domain.market import Side
from execsvc.domain.spec import FeePreference, OrderSpec, OrderType
from tests.support.simloop import SimClock, run_sim
from tests.support.venue import BTC_USD, ScriptedCatalogVenue

ETH_USD = replace(BTC_USD, symbol="ETH/USD", base="ETH", venue_symbols=("ETHUSD",))
D = Decimal
BUY = OrderSpec("BTC/USD", Side.BUY, D("0.5"), OrderType.LIMIT, D("60000"))
RATE = FeeRate("BTC/USD", D("0.0025"), D("0.0040"), None)


class Statements:
    """Rates that rise by one basis point with each question, so that a kept one is told from a new one."""

    def __init__(self, clock):
        self._clock = clock
        self.asked = []
        self.failure = None
        self.takes_s = 0.0

    async def fees(self, instruments, by, *, caller=""):
        self.asked.append([each.symbol for each in instruments])
        await self._clock.sleep(min(self.takes_s, by - self._clock.monotonic()))
        if self.failure is not None:
            raise self.failure
        if self.takes_s and self._clock.monotonic() >= by:
            raise refuse(Reason.READ_TIMEOUT, "too slow")
        rate = D("0.0001") * len(self.asked)
        return FeeSchedule(tuple(FeeRate(each.symbol, rate, rate, None) for each in instruments), D(7), "USD")


def kept(act):
    """What `act(book, statements, clock)` gives."""

    async def run():
        clock = SimClock()
        statements = Statements(clock)
        catalog = Catalog(ScriptedCatalogVenue((BTC_USD, ETH_USD)), clock)
        await catalog.refresh()
        return await act(FeeBook(statements, catalog, clock), statements, clock)

    return run_sim(run())


@pytest.mark.parametrize(("after_s", "questions"), [(FRESH_S - 0.1, 1), (FRESH_S, 2)])
def test_a_rate_is_asked_for_again_after_a_minute(after_s, questions):
    """Not before."""

    async def act(book, statements, clock):
        await book.schedule(["BTC/USD"], clock.monotonic() + 5)
        await clock.sleep(after_s)
        told = await book.schedule(["BTC/USD"], clock.monotonic() + 5)
        return len(statements.asked), told.rates[0].taker_rate

    assert (questions, D("0.0001") * questions) == kept(act)


def test_only_what_is_not_kept_is_asked_for():
    """And the answer is in the order of the question, with the newest volume."""

    async def act(book, statements, clock):
        await book.schedule(["BTC/USD"], clock.monotonic() + 5)
        told = await book.schedule(["ETHUSD", "XXBTZUSD"], clock.monotonic() + 5)
        return statements.asked, [each.symbol for each in told.rates], (told.volume, told.volume_asset)

    assert ([["BTC/USD"], ["ETH/USD"]], ["ETH/USD", "BTC/USD"], (D(7), "USD")) == kept(act)


def test_a_minute_is_counted_from_the_question():
    """A slow answer is as old as its question."""

    async def act(book, statements, clock):
        statements.takes_s = 4.0
        await book.schedule(["BTC/USD"], clock.monotonic() + 50)
        await clock.sleep(FRESH_S - 4.0)
        await book.schedule(["BTC/USD"], clock.monotonic() + 50)
        return len(statements.asked)

    assert 2 == kept(act)


def test_rates_that_cannot_be_read_are_no_rates():
    """The reason comes through; nothing old is told in their place."""

    async def act(book, statements, clock):
        await book.schedule(["BTC/USD"], clock.monotonic() + 5)
        await clock.sleep(FRESH_S)
        statements.failure = refuse(Reason.LOCAL_RATE_LIMITED, "full")
        with pytest.raises(Busy):
            await book.schedule(["BTC/USD"], clock.monotonic() + 5)

    kept(act)


def test_an_unknown_pair_is_refused_before_anything_is_asked():
    """UNKNOWN_SYMBOL."""

    async def act(book, statements, clock):
        with pytest.raises(Declined) as refused:
            await book.schedule(["BTC/USD", "NO/PE"], clock.monotonic() + 5)
        return refused.value.reason, statements.asked

    assert (Reason.UNKNOWN_SYMBOL, []) == kept(act)


@pytest.mark.parametrize(
    "reason", [Reason.LOCAL_RATE_LIMITED, Reason.VENUE_PERMISSION_MISSING, Reason.VENUE_ERROR, Reason.VENUE_UNREACHABLE]
)
def test_an_estimate_fails_nobody(reason):
    """Where rates cannot be had there is none."""

    async def act(book, statements, clock):
        statements.failure = refuse(reason, "no")
        return await book.estimate(BTC_USD, BUY, Worth(D(30000), D(60000)), clock.monotonic() + 5)

    assert kept(act) is None


def test_an_estimate_does_not_wait_for_long():
    """A second, however much time there is."""

    async def act(book, statements, clock):
        statements.takes_s = 30.0
        began = clock.monotonic()
        found = await book.estimate(BTC_USD, BUY, None, clock.monotonic() + 20)
        return found, clock.monotonic() - began

    assert (None, 1.0) == kept(act)


# ---- what an order would cost ------------------------------------------------------------------------------------


def test_a_fee_is_the_rate_of_the_notional_in_the_quote():
    """30,000 dollars at 25 and 40 basis points, to the decimals of a cost."""
    worth = Worth(D(30000), D(60000))
    assert FeeEstimate("USD", D("0.0025"), D("0.0040"), D("75.00000"), D("120.00000")) == estimated(
        RATE, BTC_USD, BUY, worth
    )


def test_a_fee_in_the_base_is_the_rate_of_the_quantity():
    """Half a bitcoin's; of an order sized in dollars what they buy at the price it is reckoned with."""
    wanted = replace(BUY, fee_preference=FeePreference.BASE)
    sized = OrderSpec(
        "BTC/USD", Side.BUY, None, OrderType.MARKET, quote_quantity=D(30000), fee_preference=FeePreference.BASE
    )
    expected = FeeEstimate("BTC", D("0.0025"), D("0.0040"), D("0.00125000"), D("0.00200000"))
    assert [expected, expected] == [
        estimated(RATE, BTC_USD, each, Worth(D(30000), D(60000))) for each in (wanted, sized)
    ]


def test_without_a_price_there_are_rates_and_no_fees():
    """Never zero."""
    assert FeeEstimate("USD", D("0.0025"), D("0.0040"), None, None) == estimated(RATE, BTC_USD, BUY, None)


def test_a_rebate_is_a_fee_below_zero():
    """What one is paid for resting."""
    rebate = replace(RATE, maker_rate=D("-0.0002"))
    assert D("-6.00000") == estimated(rebate, BTC_USD, BUY, Worth(D(30000), D(60000))).maker_fee


@given(
    st.decimals(min_value=0, max_value=10**18, places=8, allow_nan=False),
    st.decimals(min_value=-1, max_value=1, places=6, allow_nan=False),
)
def test_a_fee_of_any_size_is_exact_to_the_last_decimal(notional, rate):
    """No figure is too large for the arithmetic: half a unit of the last decimal is the most it is off."""
    fee = estimated(replace(RATE, maker_rate=rate), BTC_USD, BUY, Worth(notional, D(1))).maker_fee
    exact = int(notional.scaleb(8)) * int(rate.scaleb(6))
    assert abs(int(fee.scaleb(5)) * 10**9 - exact) <= 10**9 // 2
