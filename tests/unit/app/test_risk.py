"""The largest order, and what happens where there is no price to value one with."""

from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

import pytest

from execsvc.app.catalog import Catalog
from execsvc.app.risk import FOLLOWED_MAX, Limits, RiskDesk
from execsvc.domain.errors import ExecsvcError, Fault, Reason, error_of
from execsvc.domain.market import EventTimes, Side, Ticker
from execsvc.domain.spec import OrderSpec, OrderType
from tests.support.simloop import SimClock, run_sim
from tests.support.venue import BTC_USD, ScriptedCatalogVenue
from tests.support.world import ME

ONE = Decimal(1)
MANY = [
    replace(BTC_USD, symbol=f"A{n}/USD", base=f"A{n}", venue_symbols=(f"A{n}USD",)) for n in range(FOLLOWED_MAX + 1)
]
ETH_EUR = replace(BTC_USD, symbol="ETH/EUR", base="ETH", quote="EUR", venue_symbols=("ETHEUR",))
EUR_USD = replace(BTC_USD, symbol="EUR/USD", base="EUR", quote="USD", venue_symbols=("EURUSD",))


class Feeds:
    """Who is followed now, in the order they came; nobody has a price until it is set."""

    def __init__(self):
        self.followed = []
        self.prices = {}
        self.full = False

    @contextmanager
    def tickers(self, symbols, _delivery):
        if self.full:
            raise error_of(Fault(Reason.TOO_MANY_STREAMS, "no more"))
        self.followed += symbols
        yield
        for each in symbols:
            self.followed.remove(each)

    def live_ticker(self, symbol):
        price = self.prices.get(symbol)
        times = EventTimes(None, 7)
        return price and Ticker(symbol, price, ONE, price, ONE, ONE, ONE, ONE, ONE, ONE, None, times)


def market(symbol):
    return OrderSpec(symbol, Side.BUY, ONE, OrderType.MARKET)


def checked(script):
    """Runs a script with a risk desk of 100 dollars, its feeds, and `refusal(instrument)` of a market order of one."""

    async def main():
        catalog = Catalog(ScriptedCatalogVenue((BTC_USD, ETH_EUR, EUR_USD, *MANY)), SimClock())
        await catalog.refresh()
        feeds = Feeds()
        desk = RiskDesk(Limits(Decimal(100)), catalog, feeds)

        def refusal(instrument):
            try:
                desk.check(ME, instrument, market(instrument.symbol))
            except ExecsvcError as refused:
                return refused.fault
            return None

        script(feeds, refusal)

    run_sim(main())


def test_an_order_without_a_price_is_refused_and_the_pair_followed():
    """Once for each pair: the next order meets a price."""

    def script(feeds, refusal):
        first, second = refusal(BTC_USD), refusal(BTC_USD)
        assert (Reason.RISK_REFUSED, True, ["BTC/USD"]) == (
            *(first.reason, "followed from now on" in first.message and first == second, feeds.followed),
        )
        feeds.prices["BTC/USD"] = Decimal(50)
        assert refusal(BTC_USD) is None

    checked(script)


def test_the_quote_in_dollars_is_followed_where_it_is_what_is_missing():
    """An order in euros needs two prices."""

    def script(feeds, refusal):
        feeds.prices["ETH/EUR"] = Decimal(50)
        assert "EUR/USD" in refusal(ETH_EUR).message
        assert ["EUR/USD"] == feeds.followed

    checked(script)


def test_no_more_pairs_are_followed_than_the_bound():
    """The one that was wanted longest ago goes first."""

    def script(feeds, refusal):
        for each in (*MANY[:-1], MANY[0], MANY[-1]):
            refusal(each)
        assert FOLLOWED_MAX == len(feeds.followed)
        assert (False, True, True) == tuple(MANY[n].symbol in feeds.followed for n in (1, 0, -1))

    checked(script)


@pytest.mark.parametrize("missing", ["room", "pair"])
def test_what_cannot_be_followed_is_refused_all_the_same(missing):
    """Without a promise that a moment later it would be otherwise."""

    def script(feeds, refusal):
        feeds.full = missing == "room"
        feeds.prices["A0/XYZ"] = Decimal(50)
        strange = replace(MANY[0], symbol="A0/XYZ", quote="XYZ") if missing == "pair" else BTC_USD
        fault = refusal(strange)
        assert (Reason.RISK_REFUSED, False, []) == (fault.reason, "followed" in fault.message, feeds.followed)

    checked(script)
