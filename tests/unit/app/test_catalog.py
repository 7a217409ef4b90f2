"""Any spelling in, one symbol out."""

import asyncio
from dataclasses import replace

import pytest

from execsvc.app.catalog import Catalog
from execsvc.domain.errors import Busy, Declined, Reason, refuse
from tests.support.simloop import SimClock, run_sim
from tests.support.venue import BTC_USD, ScriptedCatalogVenue

ETH_USD = replace(BTC_USD, symbol="ETH/USD", base="ETH", venue_symbols=("ETHUSD", "XETHZUSD"))
ETH_BTC = replace(BTC_USD, symbol="ETH/BTC", base="ETH", quote="BTC", venue_symbols=("ETHXBT", "XETHXXBT", "ETH/XBT"))


def filled(*instruments):
    async def main():
        catalog = Catalog(ScriptedCatalogVenue(instruments or (BTC_USD, ETH_USD, ETH_BTC)), SimClock())
        await catalog.refresh()
        return catalog

    return run_sim(main())


@pytest.mark.parametrize(
    "spelling", ["BTC/USD", "btc/usd", "BTC-USD", "BTCUSD", "XBT/USD", "XBTUSD", "xxbtzusd", " BTC/USD "]
)
def test_every_unambiguous_spelling_means_the_canonical_pair(spelling):
    """Kraken's names and the common ones."""
    assert filled().instrument(spelling).symbol == "BTC/USD"


@pytest.mark.parametrize(("spelling", "first"), [("BTC/USX", "BTC/USD"), ("ETH/UDS", "ETH/USD"), ("BTC", "BTC/USD")])
def test_an_unknown_pair_is_answered_with_near_spellings(spelling, first):
    """The caller is offered what it probably meant, at most three."""
    with pytest.raises(Declined) as caught:
        filled().instrument(spelling)
    told = caught.value.fault.metadata
    assert (caught.value.reason, told["symbol"]) == (Reason.UNKNOWN_SYMBOL, spelling)
    assert told["suggestions"].split(",")[0] == first
    assert len(told["suggestions"].split(",")) <= 3


def test_every_unknown_symbol_of_a_list_is_named_with_its_path():
    """One round trip mends the whole request."""
    with pytest.raises(Declined) as caught:
        filled().all_of(("BTC/USD", "FOO/BAR", "ETHXBT", "NO/NO"))
    assert [bad.path for bad in caught.value.fault.fields] == ["symbols[1]", "symbols[3]"]


def test_a_symbol_named_twice_counts_once():
    """Spellings of one pair are one pair."""
    assert [each.symbol for each in filled().all_of(("XBTUSD", "BTC/USD", "ETH/USD"))] == ["BTC/USD", "ETH/USD"]


def test_an_ambiguous_spelling_is_refused():
    """What two pairs claim belongs to neither; canonical symbols always win."""
    catalog = filled(replace(BTC_USD, venue_symbols=("SAME",)), replace(ETH_USD, venue_symbols=("SAME", "BTC/USD")))
    assert catalog.instrument("BTC/USD").symbol == "BTC/USD"
    with pytest.raises(Declined):
        catalog.instrument("SAME")


def test_before_the_first_reading_everything_is_unreachable():
    """Nothing is guessed about pairs."""
    with pytest.raises(Busy) as caught:
        Catalog(ScriptedCatalogVenue(), SimClock()).instrument("BTC/USD")
    assert caught.value.reason is Reason.VENUE_UNREACHABLE


def test_a_failed_refresh_keeps_what_is_held_and_is_tried_again():
    """The service keeps running on what it knows and recovers by itself."""

    async def main():
        clock = SimClock()
        venue = ScriptedCatalogVenue()
        catalog = Catalog(venue, clock)
        answers = [refuse(Reason.VENUE_UNREACHABLE, "down"), refuse(Reason.VENUE_UNREACHABLE, "down")]
        instruments = venue.instruments

        async def failing():
            if answers:
                raise answers.pop()
            return await instruments()

        venue.instruments = failing
        import asyncio

        keeping = asyncio.ensure_future(catalog.keep_fresh())
        await clock.sleep(0.5)
        assert not catalog.ready
        await clock.sleep(2)
        assert catalog.instrument("XBTUSD").symbol == "BTC/USD"
        keeping.cancel()

    run_sim(main())


def test_rules_that_are_too_old_place_nothing():
    """Half an hour without a refresh: reads go on, placements are refused as not sent."""

    async def main():
        clock = SimClock()
        catalog = Catalog(ScriptedCatalogVenue(), clock)
        await catalog.refresh()
        await clock.sleep(1799)
        catalog.demand_fresh()
        await clock.sleep(2)
        with pytest.raises(Busy):
            catalog.demand_fresh()
        assert catalog.instrument("BTC/USD").symbol == "BTC/USD"

    run_sim(main())


def indexed_by(*answers):
    """A catalog that has been learning indexes for an hour and a half, by these answers in turn; and how often it asked."""

    async def main():
        clock, venue, asked = SimClock(), ScriptedCatalogVenue((BTC_USD, ETH_USD)), []
        catalog = Catalog(venue, clock)

        async def indexed():
            asked.append(clock.monotonic())
            answer = answers[min(len(asked), len(answers)) - 1]
            if isinstance(answer, Exception):
                raise answer
            return answer

        venue.indexed = indexed
        learning = asyncio.ensure_future(catalog.keep_indexes())
        await clock.sleep(1)
        await catalog.refresh()
        await clock.sleep(5400)
        await catalog.refresh()
        learning.cancel()
        return {each.symbol: each.has_index for each in catalog.instruments()}, [at - asked[0] for at in asked]

    return run_sim(main())


def test_indexes_are_learned_beside_the_tables():
    """Told before or after a table is read, an index belongs to its pair; a pair that is not named stays unknown."""
    told, asked = indexed_by({"BTC/USD": False}, {"BTC/USD": True, "GONE/USD": True})
    assert ({"BTC/USD": True, "ETH/USD": None}, [0.0, 3600.0]) == (told, asked)


def test_indexes_that_cannot_be_read_are_asked_for_again():
    """A minute later; what was known stays."""
    down = refuse(Reason.VENUE_UNREACHABLE, "down")
    told, asked = indexed_by(down, down, {"ETH/USD": True}, down)
    assert ({"BTC/USD": None, "ETH/USD": True}, [0.0, 60.0, 120.0]) == (told, asked[:3])
    assert 3720.0 == asked[3]
