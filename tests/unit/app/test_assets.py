"""The asset that a spelling means: plain code, Kraken's id, Kraken's short name; never a guess."""

import pytest

from execsvc.app.account import asset_of
from execsvc.domain.errors import Declined, Reason
from execsvc.domain.instrument import Asset, AssetStatus


def asset(plain, venue_asset, venue_name=""):
    return Asset(plain, AssetStatus.ENABLED, 10, 5, None, venue_asset, venue_name)


ASSETS = (asset("BTC", "XXBT", "XBT"), asset("USD", "ZUSD", "USD"), asset("DOT.S", "DOT.S", "DOT.S"), asset("X", "BTC"))


@pytest.mark.parametrize(
    ("spelling", "plain"),
    [("BTC", "BTC"), ("btc", "BTC"), ("XXBT", "BTC"), (" xbt ", "BTC"), ("zusd", "USD"), ("dot.s", "DOT.S")],
)
def test_every_spelling_of_kraken_s_is_taken(spelling, plain):
    """In any case; a plain code wins over another asset's id of the same letters."""
    assert plain == asset_of(spelling, ASSETS).asset


def test_an_unknown_asset_names_the_nearest():
    """UNKNOWN_SYMBOL with the field, the spelling and what may have been meant."""
    with pytest.raises(Declined) as refused:
        asset_of("USDD", ASSETS)
    fault = refused.value.fault
    assert (Reason.UNKNOWN_SYMBOL, "USDD", "USD", ["asset"]) == (
        fault.reason,
        fault.metadata["symbol"],
        fault.metadata["suggestions"].split(",")[0],
        [each.path for each in fault.fields],
    )
