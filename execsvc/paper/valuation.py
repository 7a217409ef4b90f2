"""What the account's money is worth in another currency, now: one price for every question of equity and volume.

An asset is priced by the last trade of its pair with the US dollar; only where there is no such pair by the makers'
opinion. Pure arithmetic on Decimals; nothing here is booked anywhere.
"""

from collections.abc import Mapping
from decimal import Decimal

from .figures import NS
from .listing import Listing
from .pairs import Asset
from .prices import Prices

USD = "ZUSD"


class Valuation:
    """Prices of whole units of assets; instants are on the exchange's clock."""

    def __init__(self, listings: Mapping[str, Listing], prices: Prices) -> None:
        self._prices = prices
        self._direct = {listing.pair.base.id: listing for listing in listings.values() if listing.pair.quote.id == USD}

    def usd(self, asset: Asset, now: int) -> Decimal:
        """Return what one whole unit of an asset is worth in USD."""
        if asset.id == USD:
            return Decimal(1)
        listing = self._direct.get(asset.id)
        if listing is None:
            return Decimal(repr(self._prices.usd(asset.id, now / NS)))
        return Decimal(listing.tape.last).scaleb(-listing.pair.pair_decimals)
