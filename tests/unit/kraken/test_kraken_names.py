"""Spellings: whatever is unambiguous is understood, whatever is not is left alone, and near misses get three offers."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kraken_parts import ASSETS, known_names, result_of, vector

from execsvc.domain.instrument import Asset, AssetStatus
from execsvc.kraken import tables
from execsvc.kraken.names import Names, spellings
from tests.support.venue import BTC_USD


def both_pairs():
    names = Names()
    assets = (*ASSETS, Asset("ETH", AssetStatus.ENABLED, 10, 5, None, "XETH"))
    names.learn_assets(assets)
    names.learn_instruments(tables.instruments(result_of("rest_AssetPairs"), assets))
    return names


@pytest.mark.parametrize(
    "spelling", ["BTC/USD", "XBTUSD", "XXBTZUSD", "XBT/USD", "BTCUSD", "xbtusd", "btc/usd", " XXBT/ZUSD ", "XXBT/ZUSD"]
)
def test_every_unambiguous_spelling_is_understood(spelling):
    """Id, altname, WebSocket names old and new, in any case."""
    assert both_pairs().symbol(spelling) == "BTC/USD"


@pytest.mark.parametrize("spelling", ["", "BTC", "BTCUSDT", "USD/BTC", "XBT-USD-X"])
def test_what_means_no_pair_means_none(spelling):
    """Nothing is guessed."""
    assert both_pairs().symbol(spelling) is None


def test_symbols_of_pairs_are_canonical():
    """ETH/XBT is ETH/BTC here."""
    assert both_pairs().symbol("ETHXBT") == "ETH/BTC"


@pytest.mark.parametrize(
    ("code", "plain"),
    [
        ("XXBT", "BTC"),
        ("ZUSD", "USD"),
        ("XBT", "BTC"),
        ("XDG", "DOGE"),
        ("XBT.M", "BTC.M"),
        ("USD.M", "USD.M"),
        ("DOT.S", "DOT.S"),
        ("ETH2.S", "ETH2.S"),
        ("SOL", "SOL"),
    ],
)
def test_assets_have_plain_codes_with_their_suffix(code, plain):
    """Legacy ids through the table, suffixes kept, unknown codes untouched."""
    assert plain == both_pairs().asset(code)


@pytest.mark.parametrize("typo", ["BTC/UDS", "XBTUSDD", "btcusd.", "BTX/USD"])
def test_near_misses_offer_what_was_meant_first(typo):
    """The nearest of at most three."""
    offers = both_pairs().suggest(typo)
    assert offers[0] == "BTC/USD"
    assert len(offers) <= 3


def test_nonsense_gets_no_offer():
    """Far from everything: nothing."""
    assert both_pairs().suggest("§§§§") == ()


NAMES_OF_PAIRS = st.dictionaries(
    st.sampled_from(["A/B", "C/D", "E/F", "G/H"]),
    st.lists(st.sampled_from(["x", "y", "z", "A/B", "C/D", "q"]), min_size=1, max_size=5),
)


@given(NAMES_OF_PAIRS)
def test_spelling_shared_by_two_pairs_means_neither(drawn):
    """Each pair's key is its own; any other spelling survives only where one pair has it."""
    named = {symbol: (f"key-{symbol}", *spelled) for symbol, spelled in drawn.items()}
    result = spellings(named)
    for symbol, spelled in result.items():
        assert spelled[0] == f"key-{symbol}"
        for name in spelled[1:]:
            assert [name in other for other in named.values()].count(True) == 1
            assert name not in named


def test_canonical_symbol_beats_any_other_meaning():
    """A pair whose nickname is another pair's symbol does not take it over."""
    odd = replace(BTC_USD, symbol="ODD/USD", venue_symbols=("ODDUSD", "BTC/USD"))
    names = known_names()
    names.learn_instruments((odd, BTC_USD))
    assert names.symbol("BTC/USD") == "BTC/USD"


def test_spellings_that_differ_in_case_only_must_be_exact():
    """Folded they would mean two pairs, so folded they mean none."""
    names = known_names()
    lower, upper = (
        replace(BTC_USD, symbol="a/USD", venue_symbols=("aUSD",)),
        replace(BTC_USD, symbol="A/USD", venue_symbols=("AUSD",)),
    )
    names.learn_instruments((lower, upper))
    assert ("a/USD", "A/USD", None) == (names.symbol("aUSD"), names.symbol("AUSD"), names.symbol("aUsd"))


def test_learning_replaces_what_was_known():
    """A delisted pair is forgotten."""
    names = both_pairs()
    names.learn_instruments((BTC_USD,))
    assert names.symbol("ETHXBT") is None


def test_pair_of_unlisted_assets_keeps_their_codes():
    """A pair that came before its assets is still named, by the ids' own codes."""
    (pair, *_) = tables.instruments(json.dumps(vector("rest_AssetPairs_tokenized")["result"]).encode(), ASSETS)
    assert (pair.symbol, pair.tokenized) == ("AAPLx/USD", True)
