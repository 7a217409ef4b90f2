"""The instrument channel: assets and pairs as WebSocket v2 describes them.

The same table as AssetPairs and Assets, in the other face's words and as JSON numbers; it knows no subscriptions.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from .executions import raw
from .listing import Listing
from .pairs import Asset, Directory

_MARGIN_INITIAL = {10: "0.1", 5: "0.2", 3: "0.34", 2: "0.5"}


def instrument_frame(directory: Directory, listings: Iterable[Listing], *, kind: str) -> bytes:
    """Return a frame: a snapshot lists everything, an update the pairs that changed."""
    assets = [_asset(asset) for asset in directory.assets.values()] if kind == "snapshot" else []
    data = {"assets": assets, "pairs": [_pair(listing) for listing in listings]}
    return msgspec.json.encode({"channel": "instrument", "type": kind, "data": data})


def _asset(asset: Asset) -> dict[str, Any]:
    return {
        "id": asset.name,
        "status": asset.raw["status"],
        "precision": asset.decimals,
        "precision_display": asset.raw["display_decimals"],
        "borrowable": True,
        "collateral_value": asset.raw["collateral_value"],
        "margin_rate": asset.raw["margin_rate"],
    }


def _pair(listing: Listing) -> dict[str, Any]:
    pair = listing.pair
    step = raw(pair.tick, pair.pair_decimals)
    return {
        "symbol": pair.symbol,
        "base": pair.base.name,
        "quote": pair.quote.name,
        "status": listing.status,
        "qty_precision": pair.lot_decimals,
        "qty_increment": raw(1, pair.lot_decimals),
        "price_precision": pair.pair_decimals,
        "cost_precision": pair.cost_decimals,
        "marginable": True,
        "has_index": True,
        "cost_min": pair.raw["costmin"],
        "margin_initial": msgspec.Raw(_MARGIN_INITIAL[max(pair.raw["leverage_buy"])].encode()),
        "position_limit_long": pair.raw["long_position_limit"],
        "position_limit_short": pair.raw["short_position_limit"],
        "tick_size": step,
        "price_increment": step,
        "qty_min": raw(pair.ordermin, pair.lot_decimals),
    }
