"""The shapes of Kraken's WebSocket v2 frames, as typed structs; decimals keep the digits as printed.

What is read and what is ignored is as in wire.py, which has the shapes of REST and reads both. What the fields mean is
tables.py's, feed.py's and executions.py's business.
"""

from decimal import Decimal

from msgspec import Raw, Struct


class Frame(Struct, frozen=True, gc=False):
    """Any frame: `channel` marks data, `method` an answer."""

    channel: str = ""
    method: str = ""
    type: str = ""
    data: Raw = Raw()
    sequence: int | None = None
    success: bool = False
    error: str = ""
    req_id: int | None = None
    result: Raw = Raw()
    symbol: str = ""
    time_in: str = ""
    time_out: str = ""


class AckResult(Struct, frozen=True):
    """`result` of a subscription's answer; maxratecount comes with executions only."""

    channel: str = ""
    symbol: str = ""
    maxratecount: Decimal | None = None


class StatusData(Struct, frozen=True):
    """One row of the status channel."""

    system: str


class TickerData(Struct, frozen=True):
    """One row of the ticker channel."""

    symbol: str
    bid: Decimal
    bid_qty: Decimal
    ask: Decimal
    ask_qty: Decimal
    last: Decimal
    volume: Decimal
    vwap: Decimal
    low: Decimal
    high: Decimal
    change: Decimal
    timestamp: str = ""


class LevelData(Struct, frozen=True, gc=False):
    """One level of the book channel; qty 0 removes it."""

    price: Decimal
    qty: Decimal


class BookData(Struct, frozen=True, gc=False):
    """One row of the book channel."""

    symbol: str
    bids: list[LevelData]
    asks: list[LevelData]
    checksum: int
    timestamp: str = ""


class BookUpdate(Struct, frozen=True, gc=False):
    """A whole frame of the book channel, for a reader that knows already that it is one."""

    data: list[BookData]


class TradeData(Struct, frozen=True):
    """One row of the trade channel; side is the taker's."""

    symbol: str
    side: str
    price: Decimal
    qty: Decimal
    trade_id: int
    timestamp: str


class CandleData(Struct, frozen=True):
    """One row of the ohlc channel; interval in minutes."""

    symbol: str
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    trades: int
    volume: Decimal
    vwap: Decimal
    interval_begin: str
    interval: int


class FeeData(Struct, frozen=True):
    """One fee of an execution."""

    asset: str
    qty: Decimal


class TriggersData(Struct, frozen=True):
    """`triggers` of an order: what fires it. Of a trailing stop, price is the distance and actual_price where it stands."""

    reference: str = ""
    price: Decimal | None = None
    price_type: str = ""
    actual_price: Decimal | None = None
    status: str = ""


class ContingentData(Struct, frozen=True):
    """`contingent` of an order: the template of its conditional close."""

    order_type: str = ""
    trigger_price: Decimal | None = None
    trigger_price_type: str = ""
    limit_price: Decimal | None = None
    limit_price_type: str = ""


class ExecutionData(Struct, frozen=True):
    """One row of the executions channel: a delta keyed by order_id, so nearly all is optional."""

    order_id: str
    exec_type: str
    order_status: str = ""
    cl_ord_id: str | None = None
    symbol: str = ""
    side: str = ""
    cum_qty: Decimal | None = None
    cum_cost: Decimal | None = None
    exec_id: str = ""
    last_qty: Decimal | None = None
    last_price: Decimal | None = None
    cost: Decimal | None = None
    liquidity_ind: str = ""
    fees: list[FeeData] | None = None
    reason: str | None = None
    cancel_reason: str | None = None
    timestamp: str = ""
    ratecounter: Decimal | None = None  # the field's name is uncertain (kraken.md 3.2)
    order_type: str = ""
    order_qty: Decimal | None = None
    cash_order_qty: Decimal | None = None
    limit_price: Decimal | None = None
    limit_price_type: str = ""
    display_qty: Decimal | None = None
    time_in_force: str = ""
    expire_time: str = ""
    effective_time: str = ""
    post_only: bool | None = None
    reduce_only: bool | None = None
    margin: bool | None = None
    fee_ccy_pref: str = ""
    triggers: TriggersData | None = None
    contingent: ContingentData | None = None
    ord_ref_id: str | None = None


class WalletData(Struct, frozen=True):
    """What one wallet holds of an asset: spot/main, or one of Earn's."""

    type: str
    id: str
    balance: Decimal


class BalanceData(Struct, frozen=True):
    """One row of the balances channel's snapshot."""

    asset: str
    balance: Decimal
    wallets: list[WalletData] = []


class LedgerData(Struct, frozen=True):
    """One row of the balances channel's updates: a ledger entry, and the balance after it."""

    asset: str
    balance: Decimal
    wallet_type: str = "spot"
    wallet_id: str = "main"
    timestamp: str = ""
