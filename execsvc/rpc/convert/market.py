"""Market data into the contract's messages. The domain's values never come back in this form, so there is one direction.

Absent figures become empty texts where the contract says so; names of statuses are the same on both sides and a test holds
the tables total.
"""

from functools import lru_cache

from execsvc_api.v1 import market_data_pb2 as market
from execsvc_api.v1 import market_data_service_pb2 as service

from execsvc.app.topics import BookChange, CandlePicture
from execsvc.domain.instrument import Asset, AssetStatus, Instrument, InstrumentStatus
from execsvc.domain.market import BookView, Candle, Level, Ticker, Trade
from execsvc.rpc.scalars import (
    NS,
    SIDES,
    decimal,
    decimal_or_empty,
    duration_of_ns,
    event_times,
    timestamp,
)

BATCHES_MAX = 64  # of tickers that are kept converted
DELTAS_MAX = 64  # of books, likewise

STATUSES: dict[InstrumentStatus, market.InstrumentStatus.ValueType] = {
    status: market.InstrumentStatus.Value(f"INSTRUMENT_STATUS_{status.name}") for status in InstrumentStatus
}
ASSET_STATUSES: dict[AssetStatus, market.AssetStatus.ValueType] = {
    status: market.AssetStatus.Value(f"ASSET_STATUS_{status.name}") for status in AssetStatus
}


def ticker(value: Ticker) -> market.Ticker:
    """One ticker."""
    return market.Ticker(
        symbol=value.symbol,
        bid_price=decimal_or_empty(value.bid_price),
        bid_quantity=decimal_or_empty(value.bid_quantity),
        ask_price=decimal_or_empty(value.ask_price),
        ask_quantity=decimal_or_empty(value.ask_quantity),
        last_price=decimal_or_empty(value.last_price),
        volume_24h=decimal(value.volume_24h),
        vwap_24h=decimal(value.vwap_24h),
        low_24h=decimal(value.low_24h),
        high_24h=decimal(value.high_24h),
        change_24h=decimal_or_empty(value.change_24h),
        times=event_times(value.times),
        polled=value.polled,
    )


class TickerBatches:
    """Batches of tickers, the last ones kept: many readers are told the same at the same moment, and it is converted once."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, ...], tuple[tuple[Ticker, ...], service.TickerBatch]] = {}

    def of(self, tickers: tuple[Ticker, ...]) -> service.TickerBatch:
        """These very tickers as a message, which others hold too: it must not be changed."""
        key = tuple(map(id, tickers))
        made = self._made.get(key)
        if made is None:
            if len(self._made) >= BATCHES_MAX:
                self._made.clear()
            # The tickers are kept too: as long as they live, nothing else can have their ids.
            made = self._made[key] = tickers, service.TickerBatch(tickers=map(ticker, tickers))
        return made[1]


def levels(values: tuple[Level, ...]) -> list[market.PriceLevel]:
    """Price levels in their order; quantity zero is written "0"."""
    return [
        market.PriceLevel(price=decimal(each.price), quantity=decimal(each.quantity) if each.quantity else "0")
        for each in values
    ]


def book(value: BookView, version: int) -> market.BookSnapshot:
    """A whole book."""
    return market.BookSnapshot(
        symbol=value.symbol,
        bids=levels(value.bids),
        asks=levels(value.asks),
        version=version,
        depth=value.depth,
        times=event_times(value.times),
    )


def snapshot(value: BookChange) -> market.BookSnapshot:
    """A whole book as a stream brings it."""
    return market.BookSnapshot(
        symbol=value.symbol,
        bids=levels(value.bids),
        asks=levels(value.asks),
        version=value.version,
        depth=value.depth,
        times=event_times(value.times),
    )


@lru_cache(DELTAS_MAX)
def delta(value: BookChange) -> market.BookDelta:
    """Changes that apply to the book of the version before; all readers of the change are told it, so none may change it."""
    return market.BookDelta(
        symbol=value.symbol,
        bids=levels(value.bids),
        asks=levels(value.asks),
        version=value.version,
        checksum=value.checksum,
        times=event_times(value.times),
    )


def trade(value: Trade) -> market.Trade:
    """One public trade."""
    return market.Trade(
        symbol=value.symbol,
        trade_id=value.trade_id,
        price=decimal(value.price),
        quantity=decimal(value.quantity),
        taker_side=SIDES[value.taker_side],
        times=event_times(value.times),
    )


def candle(value: Candle) -> market.Candle:
    """One candle."""
    return market.Candle(
        symbol=value.symbol,
        interval=duration_of_ns(value.interval_s * NS),
        open_time=timestamp(value.open_time_ns),
        open_price=decimal(value.open_price),
        high_price=decimal(value.high_price),
        low_price=decimal(value.low_price),
        close_price=decimal(value.close_price),
        volume=decimal(value.volume),
        vwap=decimal(value.vwap),
        trade_count=value.trade_count,
        closed=value.closed,
    )


def candles(value: CandlePicture) -> service.CandleSnapshot:
    """The last candles of one symbol."""
    return service.CandleSnapshot(symbol=value.symbol, candles=map(candle, value.candles))


def instrument(value: Instrument) -> market.Instrument:
    """One pair with its rules; a cost minimum of zero is no rule."""
    return market.Instrument(
        symbol=value.symbol,
        base=value.base,
        quote=value.quote,
        status=STATUSES[value.status],
        price_increment=decimal(value.price_increment),
        price_decimals=value.price_decimals,
        quantity_increment=decimal(value.quantity_increment),
        quantity_decimals=value.quantity_decimals,
        min_quantity=decimal(value.min_quantity),
        min_cost=decimal(value.min_cost) if value.min_cost else "",
        cost_decimals=value.cost_decimals,
        leverage_buy=value.leverage_buy,
        leverage_sell=value.leverage_sell,
        long_position_limit=None if value.long_position_limit is None else decimal(value.long_position_limit),
        short_position_limit=None if value.short_position_limit is None else decimal(value.short_position_limit),
        has_index=bool(value.has_index),
        tokenized=value.tokenized,
        venue_symbols=value.venue_symbols,
    )


def asset(value: Asset) -> market.Asset:
    """One asset."""
    return market.Asset(
        asset=value.asset,
        status=ASSET_STATUSES[value.status],
        decimals=value.decimals,
        display_decimals=value.display_decimals,
        collateral_value=decimal_or_empty(value.collateral_value),
        venue_asset=value.venue_asset,
    )
