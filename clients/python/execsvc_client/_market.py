"""Market data as values: what it costs, who offers what, and the rules an order must meet.

Prices are in quote units, quantities in base units; None means "not known", never zero. `wire` is the message each
value was read from, for fields that this version does not know.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from execsvc_api.v1 import market_data_pb2

from execsvc_client._amounts import known, when
from execsvc_client._enums import AssetStatus, FeedState, InstrumentStatus, Side
from execsvc_client._orders import Times, read_times


@dataclass(frozen=True)
class Ticker:
    """Best prices and the last 24 hours of one pair, always absolute. None: that side of the book is empty.

    `polled`: read over REST, not told by the stream; on a stream that is because it is away.
    """

    symbol: str
    bid_price: Decimal | None
    bid_quantity: Decimal | None
    ask_price: Decimal | None
    ask_quantity: Decimal | None
    last_price: Decimal | None
    volume_24h: Decimal | None
    vwap_24h: Decimal | None
    low_24h: Decimal | None
    high_24h: Decimal | None
    change_24h: Decimal | None
    times: Times
    polled: bool
    wire: market_data_pb2.Ticker = field(repr=False, compare=False)


class Level(NamedTuple):
    """One price of a book and what is offered there."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True)
class Book:
    """A book to a depth, best first. `version` is its place in the chain of this symbol.

    `state` is that of its feed: on anything but LIVE the book ages from the moment it was asked for.
    """

    symbol: str
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    version: int
    depth: int
    state: FeedState
    times: Times
    wire: market_data_pb2.BookSnapshot | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Trade:
    """One public trade; `taker_side` is the side of the order that took, UNSPECIFIED where not told."""

    symbol: str
    trade_id: str
    price: Decimal
    quantity: Decimal
    taker_side: Side
    times: Times
    wire: market_data_pb2.Trade = field(repr=False, compare=False)


@dataclass(frozen=True)
class Candle:
    """One candle; `closed`: it will not change any more."""

    symbol: str
    interval: timedelta
    open_time: datetime | None
    open_price: Decimal
    high_price: Decimal
    low_price: Decimal
    close_price: Decimal
    volume: Decimal
    vwap: Decimal | None
    trade_count: int
    closed: bool
    wire: market_data_pb2.Candle = field(repr=False, compare=False)


@dataclass(frozen=True)
class Instrument:
    """A pair and every rule an order must meet. `spellings` are all names that requests may use for it.

    `has_index`: whether triggers may follow the index price. No leverage: no margin orders on that side.
    """

    symbol: str
    base: str
    quote: str
    status: InstrumentStatus
    price_increment: Decimal
    quantity_increment: Decimal
    min_quantity: Decimal
    min_cost: Decimal | None
    leverage_buy: tuple[int, ...]
    leverage_sell: tuple[int, ...]
    has_index: bool
    spellings: tuple[str, ...]
    wire: market_data_pb2.Instrument = field(repr=False, compare=False)


@dataclass(frozen=True)
class Asset:
    """An asset. `venue_asset` is Kraken's own code, `decimals` the digits of its books."""

    asset: str
    status: AssetStatus
    decimals: int
    display_decimals: int
    collateral_value: Decimal | None
    venue_asset: str
    wire: market_data_pb2.Asset = field(repr=False, compare=False)


def read_ticker(wire: market_data_pb2.Ticker) -> Ticker:
    """A ticker from the wire."""
    return Ticker(
        wire.symbol,
        known(wire.bid_price),
        known(wire.bid_quantity),
        known(wire.ask_price),
        known(wire.ask_quantity),
        known(wire.last_price),
        known(wire.volume_24h),
        known(wire.vwap_24h),
        known(wire.low_24h),
        known(wire.high_24h),
        known(wire.change_24h),
        read_times(wire.times),
        wire.polled,
        wire,
    )


def read_level(wire: market_data_pb2.PriceLevel) -> Level:
    """A level from the wire."""
    return Level(Decimal(wire.price), Decimal(wire.quantity))


def read_book(wire: market_data_pb2.BookSnapshot, state: FeedState) -> Book:
    """A whole book from the wire."""
    return Book(
        symbol=wire.symbol,
        bids=tuple(map(read_level, wire.bids)),
        asks=tuple(map(read_level, wire.asks)),
        version=wire.version,
        depth=wire.depth,
        state=state,
        times=read_times(wire.times),
        wire=wire,
    )


def read_trade(wire: market_data_pb2.Trade) -> Trade:
    """A public trade from the wire."""
    return Trade(
        symbol=wire.symbol,
        trade_id=wire.trade_id,
        price=Decimal(wire.price),
        quantity=Decimal(wire.quantity),
        taker_side=Side(wire.taker_side),
        times=read_times(wire.times),
        wire=wire,
    )


def read_candle(wire: market_data_pb2.Candle) -> Candle:
    """A candle from the wire."""
    return Candle(
        symbol=wire.symbol,
        interval=wire.interval.ToTimedelta(),
        open_time=when(wire.open_time, present=wire.HasField("open_time")),
        open_price=Decimal(wire.open_price),
        high_price=Decimal(wire.high_price),
        low_price=Decimal(wire.low_price),
        close_price=Decimal(wire.close_price),
        volume=Decimal(wire.volume),
        vwap=known(wire.vwap),
        trade_count=wire.trade_count,
        closed=wire.closed,
        wire=wire,
    )


def read_instrument(wire: market_data_pb2.Instrument) -> Instrument:
    """A pair from the wire."""
    return Instrument(
        symbol=wire.symbol,
        base=wire.base,
        quote=wire.quote,
        status=InstrumentStatus(wire.status),
        price_increment=Decimal(wire.price_increment),
        quantity_increment=Decimal(wire.quantity_increment),
        min_quantity=Decimal(wire.min_quantity),
        min_cost=known(wire.min_cost),
        leverage_buy=tuple(wire.leverage_buy),
        leverage_sell=tuple(wire.leverage_sell),
        has_index=wire.has_index,
        spellings=tuple(wire.venue_symbols),
        wire=wire,
    )


def read_asset(wire: market_data_pb2.Asset) -> Asset:
    """An asset from the wire."""
    return Asset(
        asset=wire.asset,
        status=AssetStatus(wire.status),
        decimals=wire.decimals,
        display_decimals=wire.display_decimals,
        collateral_value=known(wire.collateral_value),
        venue_asset=wire.venue_asset,
        wire=wire,
    )
