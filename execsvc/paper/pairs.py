"""Pairs and assets, read from `pairs.json`, which is in the shape Kraken's AssetPairs and Assets answer in.

A name is looked up, never taken apart: REST says XXBTZUSD or XBTUSD, the WebSocket BTC/USD, old clients XBT/USD.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from .figures import whole

# Kraken leaves trades on pairs whose base is a cash currency or a stablecoin out of the 30-day volume.
_CASH = {"ZUSD", "ZEUR", "USDT"}
_V2_NAMES = {"XBT": "BTC", "XDG": "DOGE"}
_PPM_PER_PERCENT = 10_000


@dataclass(frozen=True, slots=True)
class Asset:
    """One asset: REST id (XXBT), REST altname (XBT), WebSocket name (BTC), ledger decimals."""

    id: str
    altname: str
    name: str
    decimals: int
    raw: Mapping[str, Any] = field(repr=False, compare=False, hash=False)


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair. `ordermin` is in lots, `costmin` in the quote asset's units, `tick` in price units.

    `grain` is the step of every cost and fee in the quote asset's units: money is exact to whichever is
    coarser, the pair's cost_decimals or the asset's own decimals, so that trades and ledger always agree.
    """

    id: str
    altname: str
    wsname: str
    symbol: str
    base: Asset
    quote: Asset
    pair_decimals: int
    lot_decimals: int
    cost_decimals: int
    ordermin: int
    costmin: int
    tick: int
    grain: int
    taker_fees: tuple[tuple[int, int], ...] = field(repr=False)
    maker_fees: tuple[tuple[int, int], ...] = field(repr=False)
    raw: Mapping[str, Any] = field(repr=False, compare=False, hash=False)

    @property
    def counted(self) -> bool:
        """Tell whether trades on it count for the 30-day volume that fees go by."""
        return self.base.id not in _CASH

    def cost(self, price: int, lots: int) -> int:
        """Return price × lots in the quote asset's units, rounded down to the grain."""
        exact = int(price * lots * 10**self.quote.decimals // 10 ** (self.pair_decimals + self.lot_decimals))
        return exact - exact % self.grain

    def cost_up(self, price: int, lots: int) -> int:
        """Return price × lots rounded up: what must be held so that no sequence of fills can cost more."""
        return int(-(-price * lots * 10**self.quote.decimals // 10 ** (self.pair_decimals + self.lot_decimals)))

    def base_units(self, lots: int) -> int:
        """Return lots in the base asset's ledger units."""
        return int(lots * 10 ** (self.base.decimals - self.lot_decimals))


def rate(schedule: tuple[tuple[int, int], ...], volume_usd: int) -> int:
    """Return the fee in parts per million for a 30-day volume in whole USD."""
    current = schedule[0][1]
    for threshold, ppm in schedule:
        if volume_usd >= threshold:
            current = ppm
    return current


class Directory:
    """Every pair and asset by every name a client may use."""

    def __init__(self, pairs: Iterable[Pair], assets: Mapping[str, Asset]) -> None:
        self.pairs = {pair.id: pair for pair in pairs}
        self.symbols = {pair.symbol: pair for pair in self.pairs.values()}
        self.assets = dict(assets)
        self._pair_names = {
            name: pair
            for pair in self.pairs.values()
            for name in (pair.id, pair.altname, pair.wsname, pair.symbol, pair.symbol.replace("/", ""))
        }
        self._asset_names = {name: a for a in self.assets.values() for name in (a.id, a.altname, a.name)}

    def pair(self, name: str) -> Pair | None:
        """Find a pair by id, altname, wsname, or WebSocket symbol, which may go without its slash: BTCUSD."""
        return self._pair_names.get(name) or self._pair_names.get(name.upper())

    def asset(self, name: str) -> Asset | None:
        """Find an asset by id, altname or WebSocket name."""
        return self._asset_names.get(name) or self._asset_names.get(name.upper())


@cache
def _document() -> Mapping[str, Any]:
    document: Mapping[str, Any] = msgspec.json.decode((Path(__file__).parent / "pairs.json").read_bytes())
    return document


@cache
def load(symbols: tuple[str, ...] = ()) -> Directory:
    """Read the built-in tables; `symbols` (BTC/USD, …) restricts the pairs. An unknown symbol raises ValueError."""
    document = _document()
    assets = {name: _asset(name, raw) for name, raw in document["assets"].items()}
    pairs = [_pair(name, raw, assets) for name, raw in document["pairs"].items()]
    known = {pair.symbol for pair in pairs}
    if missing := [symbol for symbol in symbols if symbol not in known]:
        raise ValueError(f"the paper exchange does not list {', '.join(missing)}; it lists {', '.join(sorted(known))}")
    return Directory([pair for pair in pairs if not symbols or pair.symbol in symbols], assets)


def _asset(name: str, raw: Mapping[str, Any]) -> Asset:
    altname = str(raw["altname"])
    return Asset(name, altname, _V2_NAMES.get(altname, altname), int(raw["decimals"]), raw)


def _pair(name: str, raw: Mapping[str, Any], assets: Mapping[str, Asset]) -> Pair:
    base, quote = assets[raw["base"]], assets[raw["quote"]]
    cost_decimals = int(raw["cost_decimals"])
    return Pair(
        id=name,
        altname=raw["altname"],
        wsname=raw["wsname"],
        symbol=f"{base.name}/{quote.name}",
        base=base,
        quote=quote,
        pair_decimals=int(raw["pair_decimals"]),
        lot_decimals=int(raw["lot_decimals"]),
        cost_decimals=cost_decimals,
        ordermin=whole(raw["ordermin"], int(raw["lot_decimals"])),
        costmin=whole(raw["costmin"], quote.decimals),
        tick=whole(raw["tick_size"], int(raw["pair_decimals"])),
        grain=10 ** max(0, quote.decimals - cost_decimals),
        taker_fees=_schedule(raw["fees"]),
        maker_fees=_schedule(raw["fees_maker"]),
        raw=raw,
    )


def _schedule(rows: list[list[float]]) -> tuple[tuple[int, int], ...]:
    return tuple((int(volume), int(Decimal(str(percent)) * _PPM_PER_PERCENT)) for volume, percent in rows)
