"""The shapes of Kraken's replies over REST, as typed structs; decimals keep the digits as printed. Frames are frames.py's.

Only fields in use are named; unknown ones are ignored, as Kraken adds some now and then. A shape that does not fit raises
ProtocolBroken. Where samples and reference disagree (numbers or strings, `[]` for an empty map), both are read
(kraken.md 2, 5). What the fields mean is decode.py's business.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from execsvc.domain.errors import Fault, ProtocolBroken, Reason

T = TypeVar("T")


class Envelope(Struct, frozen=True):
    """Every REST answer: `error` may hold warnings (W…) beside a valid result."""

    error: list[str]
    result: Raw = Raw()


class ServerTime(Struct, frozen=True):
    """Time."""

    unixtime: int


class SystemStatus(Struct, frozen=True):
    """SystemStatus."""

    status: str


class AssetRow(Struct, frozen=True):
    """One of Assets."""

    altname: str
    decimals: int
    display_decimals: int
    status: str = "enabled"
    collateral_value: Decimal | None = None


class PairRow(Struct, frozen=True):
    """One of AssetPairs; old captures lack costmin, tick_size and status."""

    altname: str
    base: str
    quote: str
    pair_decimals: int
    lot_decimals: int
    cost_decimals: int
    wsname: str = ""
    aclass_base: str = "currency"
    leverage_buy: list[int] = []
    leverage_sell: list[int] = []
    ordermin: Decimal = Decimal(0)
    costmin: Decimal = Decimal(0)
    tick_size: Decimal | None = None
    status: str = "online"
    long_position_limit: Decimal | None = None
    short_position_limit: Decimal | None = None


class TickerRow(Struct, frozen=True):
    """One of Ticker: a and b are price, whole lot volume, lot volume; v, p, l, h are today and 24 h."""

    a: list[Decimal]
    b: list[Decimal]
    c: list[Decimal]
    v: list[Decimal]
    p: list[Decimal]
    low: list[Decimal] = msgspec.field(name="l")
    high: list[Decimal] = msgspec.field(name="h")


class DepthLevel(Struct, frozen=True, array_like=True):
    """One level of Depth; a time follows."""

    price: Decimal
    volume: Decimal


class DepthRow(Struct, frozen=True):
    """One of Depth."""

    asks: list[DepthLevel]
    bids: list[DepthLevel]


class CandleRow(Struct, frozen=True, array_like=True):
    """One row of OHLC."""

    time: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    vwap: Decimal
    volume: Decimal
    count: int


class TradeTape(Struct, frozen=True, array_like=True):
    """One row of Trades: side b or s, kind m or l."""

    price: Decimal
    volume: Decimal
    time: Decimal
    side: str
    kind: str
    misc: str
    trade_id: int


class Placed(Struct, frozen=True):
    """AddOrder: one txid; none with validate=true."""

    txid: list[str] = []


class Cancelled(Struct, frozen=True):
    """CancelOrder."""

    count: int
    pending: bool = False


class Timer(Struct, frozen=True):
    """CancelAllOrdersAfter; its time is "0" when the timer is off."""

    trigger_time: str = msgspec.field(name="triggerTime")


class BatchRow(Struct, frozen=True):
    """One row of AddOrderBatch: an order taken, or why it was not."""

    txid: str = ""
    error: str = ""


class PlacedBatch(Struct, frozen=True):
    """AddOrderBatch, rows in the sequence of the request."""

    orders: tuple[BatchRow, ...]


class OrderDescription(Struct, frozen=True):
    """`descr` of an order; pair is the altname, prices may be relative ("+1.5%"), close is a sentence."""

    pair: str
    type: str = ""
    ordertype: str = ""
    price: str = ""
    price2: str = ""
    leverage: str = ""
    close: str = ""


class OrderRow(Struct, frozen=True):
    """An order in OpenOrders, ClosedOrders, QueryOrders."""

    status: str
    descr: OrderDescription
    vol_exec: Decimal
    cost: Decimal
    fee: Decimal
    opentm: Decimal
    cl_ord_id: str | None = None
    reason: str | None = None
    oflags: str = ""
    refid: str | None = None
    vol: Decimal | None = None
    displayvol: Decimal | None = None
    starttm: Decimal | None = None
    expiretm: Decimal | None = None
    stopprice: Decimal | None = None
    trigger: str | None = None
    misc: str = ""
    reduce_only: bool = False


class OpenOrders(Struct, frozen=True):
    """OpenOrders; an empty map may come as an empty list."""

    open: dict[str, OrderRow] | list[Any]


class ClosedOrders(Struct, frozen=True):
    """ClosedOrders; count may be absent."""

    closed: dict[str, OrderRow] | list[Any]
    count: int | None = None


class HistoryRow(Struct, frozen=True):
    """One of TradesHistory; pair is the id. postxid is always there, posstatus where the fill opened a margin position."""

    ordertxid: str
    pair: str
    time: Decimal
    type: str
    price: Decimal
    cost: Decimal
    fee: Decimal
    vol: Decimal
    maker: bool = False
    postxid: str = ""
    posstatus: str = ""


class TradesHistory(Struct, frozen=True):
    """TradesHistory."""

    trades: dict[str, HistoryRow] | list[Any]
    count: int | None = None


class BalanceRow(Struct, frozen=True):
    """One of BalanceEx; strings by schema, numbers in the official example."""

    balance: Decimal
    hold_trade: Decimal = Decimal(0)
    credit: Decimal = Decimal(0)
    credit_used: Decimal = Decimal(0)


class SocketToken(Struct, frozen=True):
    """GetWebSocketsToken."""

    token: str

    def __repr__(self) -> str:
        return "SocketToken(…)"


def decoder(shape: type[T]) -> Callable[[bytes | Raw], T]:
    """A decoder of JSON into `shape`, raising ProtocolBroken for all that does not fit."""
    decode = msgspec.json.Decoder(shape).decode
    what = getattr(shape, "__name__", str(shape))

    def read(text: bytes | Raw) -> T:
        try:
            return decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as failure:
            raise broken(f"{what}: {failure}") from None

    return read


def broken(what: str) -> ProtocolBroken:
    """The error for an answer that cannot be read."""
    return ProtocolBroken(Fault(Reason.VENUE_ERROR, f"Kraken's answer cannot be read: {what}"))
