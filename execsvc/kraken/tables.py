"""Kraken's tables of pairs and assets → Instrument and Asset, with every spelling a pair goes by.

A pair or asset in a state we do not know becomes one that takes no orders, rather than making the whole table unreadable.
"""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Raw

from execsvc.domain.instrument import Asset, AssetStatus, Instrument, InstrumentStatus
from execsvc.kraken import wire
from execsvc.kraken.figures import count, figure, positive
from execsvc.kraken.names import RENAMED, plain_asset, spellings

_DECIMALS_MAX = 18
_ASSET_STATUS = {
    "enabled": AssetStatus.ENABLED,
    "deposit_only": AssetStatus.DEPOSIT_ONLY,
    "withdrawal_only": AssetStatus.WITHDRAWAL_ONLY,
    "funding_temporarily_disabled": AssetStatus.FUNDING_DISABLED,
}
_PAIR_STATUS = {status.value: status for status in InstrumentStatus}

_assets = wire.decoder(dict[str, wire.AssetRow])
_pairs = wire.decoder(dict[str, wire.PairRow])


def assets(result: Raw) -> tuple[Asset, ...]:
    """Assets, by plain code."""
    rows = _assets(result)
    table = (
        Asset(
            asset=_plain(row.altname),
            status=_ASSET_STATUS.get(row.status, AssetStatus.DISABLED),
            decimals=_decimals(row.decimals),
            display_decimals=_decimals(row.display_decimals),
            collateral_value=None if row.collateral_value is None else figure(row.collateral_value),
            venue_asset=venue_asset,
            venue_name=row.altname,
        )
        for venue_asset, row in rows.items()
    )
    return tuple(sorted(table, key=lambda asset: asset.asset))


def instruments(result: Raw, known_assets: tuple[Asset, ...]) -> tuple[Instrument, ...]:
    """AssetPairs, by symbol. Of two pairs with one symbol the one that has a WebSocket name counts (dark pools have none)."""
    plain = {asset.venue_asset: asset.asset for asset in known_assets}
    chosen: dict[str, tuple[str, wire.PairRow]] = {}
    for pair_id, row in sorted(_pairs(result).items()):
        symbol = f"{plain_asset(row.base, plain)}/{plain_asset(row.quote, plain)}"
        if symbol not in chosen or (row.wsname and not chosen[symbol][1].wsname):
            chosen[symbol] = (pair_id, row)
    spelled = spellings({symbol: _names(symbol, pair_id, row) for symbol, (pair_id, row) in chosen.items()})
    return tuple(_instrument(symbol, row, spelled[symbol], plain) for symbol, (_, row) in sorted(chosen.items()))


def _instrument(symbol: str, row: wire.PairRow, spelled: tuple[str, ...], plain: Mapping[str, str]) -> Instrument:
    price_decimals, lot_decimals = _decimals(row.pair_decimals), _decimals(row.lot_decimals)
    tick = Decimal(1).scaleb(-price_decimals) if row.tick_size is None else positive(row.tick_size)
    if not tick:
        raise wire.broken(f"{symbol} has a tick of zero")
    return Instrument(
        symbol=symbol,
        base=plain_asset(row.base, plain),
        quote=plain_asset(row.quote, plain),
        status=_PAIR_STATUS.get(row.status, InstrumentStatus.WORK_IN_PROGRESS),
        price_increment=tick,
        price_decimals=price_decimals,
        quantity_increment=Decimal(1).scaleb(-lot_decimals),
        quantity_decimals=lot_decimals,
        min_quantity=positive(row.ordermin),
        min_cost=positive(row.costmin),
        cost_decimals=_decimals(row.cost_decimals),
        leverage_buy=tuple(map(count, row.leverage_buy)),
        leverage_sell=tuple(map(count, row.leverage_sell)),
        long_position_limit=None if row.long_position_limit is None else positive(row.long_position_limit),
        short_position_limit=None if row.short_position_limit is None else positive(row.short_position_limit),
        tokenized=row.aclass_base == "tokenized_asset",
        venue_symbols=spelled,
    )


def _names(symbol: str, pair_id: str, row: wire.PairRow) -> tuple[str, ...]:
    base, _, quote = symbol.partition("/")
    listed = (pair_id, row.altname, row.wsname, base + quote, f"{row.base}/{row.quote}", row.base + row.quote)
    return tuple(dict.fromkeys(name for name in listed if name))


def _plain(altname: str) -> str:
    bare, dot, suffix = altname.partition(".")
    return f"{RENAMED.get(bare, bare)}{dot}{suffix}"


def _decimals(count: int) -> int:
    if not 0 <= count <= _DECIMALS_MAX:
        raise wire.broken(f"{count} decimals")
    return count
