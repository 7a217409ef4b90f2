"""Margin, positions, the ledger and fee rates as values, and the requests that ask for them.

None is what the exchange did not tell, never zero. `wire` is the message each value was read from, for fields that this
version does not know.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from execsvc_api.v1 import account_service_pb2

from execsvc_client._amounts import known, moment, when
from execsvc_client._enums import Side
from execsvc_client._requests import symbols_of


@dataclass(frozen=True)
class Margin:
    """Margin of the account, all in units of `asset`; `margin_level` is a fraction, None without positions."""

    asset: str
    equivalent_balance: Decimal | None
    trade_balance: Decimal | None
    margin_used: Decimal | None
    unrealized_pnl: Decimal | None
    cost_basis: Decimal | None
    valuation: Decimal | None
    equity: Decimal | None
    free_margin: Decimal | None
    unexecuted_value: Decimal | None
    margin_level: Decimal | None
    wire: account_service_pb2.GetMarginSummaryResponse = field(repr=False, compare=False)


@dataclass(frozen=True)
class Position:
    """An open margin position; BUY is long. Money in units of the quote, quantities of the base."""

    position_id: str
    order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    closed_quantity: Decimal
    cost: Decimal
    fee: Decimal
    margin: Decimal
    value: Decimal | None
    unrealized_pnl: Decimal | None
    terms: str
    open_time: datetime | None
    rollover_time: datetime | None
    wire: account_service_pb2.Position = field(repr=False, compare=False)


@dataclass(frozen=True)
class LedgerEntry:
    """One change of one balance; `amount` is signed and before the fee. `kind` and `subkind` are Kraken's words."""

    entry_id: str
    ref_id: str
    kind: str
    subkind: str
    asset: str
    amount: Decimal
    fee: Decimal
    balance: Decimal | None
    time: datetime | None
    wire: account_service_pb2.LedgerEntry = field(repr=False, compare=False)


@dataclass(frozen=True)
class FeeRate:
    """Rates of one pair as fractions; a maker rate below zero is a rebate. `next_tier_volume` is None at the lowest rate."""

    symbol: str
    maker_rate: Decimal
    taker_rate: Decimal
    next_tier_volume: Decimal | None


@dataclass(frozen=True)
class FeeRates:
    """Rates in the order asked, and the volume of the last 30 days they follow from, in units of `volume_asset`."""

    rates: tuple[FeeRate, ...]
    volume: Decimal | None
    volume_asset: str
    wire: account_service_pb2.GetFeeRatesResponse = field(repr=False, compare=False)


def read_margin(wire: account_service_pb2.GetMarginSummaryResponse) -> Margin:
    """Margin from the wire."""
    return Margin(
        asset=wire.asset,
        equivalent_balance=known(wire.equivalent_balance),
        trade_balance=known(wire.trade_balance),
        margin_used=known(wire.margin_used),
        unrealized_pnl=known(wire.unrealized_pnl),
        cost_basis=known(wire.cost_basis),
        valuation=known(wire.valuation),
        equity=known(wire.equity),
        free_margin=known(wire.free_margin),
        unexecuted_value=known(wire.unexecuted_value),
        margin_level=known(wire.margin_level),
        wire=wire,
    )


def read_position(wire: account_service_pb2.Position) -> Position:
    """A position from the wire."""
    return Position(
        position_id=wire.position_id,
        order_id=wire.order_id,
        symbol=wire.symbol,
        side=Side(wire.side),
        quantity=Decimal(wire.quantity),
        closed_quantity=Decimal(wire.closed_quantity),
        cost=Decimal(wire.cost),
        fee=Decimal(wire.fee),
        margin=Decimal(wire.margin),
        value=known(wire.value),
        unrealized_pnl=known(wire.unrealized_pnl),
        terms=wire.terms,
        open_time=when(wire.open_time, present=wire.HasField("open_time")),
        rollover_time=when(wire.rollover_time, present=wire.HasField("rollover_time")),
        wire=wire,
    )


def read_ledger_entry(wire: account_service_pb2.LedgerEntry) -> LedgerEntry:
    """A ledger entry from the wire."""
    return LedgerEntry(
        entry_id=wire.entry_id,
        ref_id=wire.ref_id,
        kind=wire.kind,
        subkind=wire.subkind,
        asset=wire.asset,
        amount=Decimal(wire.amount),
        fee=Decimal(wire.fee),
        balance=known(wire.balance),
        time=when(wire.time, present=wire.HasField("time")),
        wire=wire,
    )


def read_fee_rates(wire: account_service_pb2.GetFeeRatesResponse) -> FeeRates:
    """Fee rates from the wire."""
    return FeeRates(
        rates=tuple(
            FeeRate(each.symbol, Decimal(each.maker_rate), Decimal(each.taker_rate), known(each.next_tier_volume))
            for each in wire.rates
        ),
        volume=known(wire.volume),
        volume_asset=wire.volume_asset,
        wire=wire,
    )


def list_ledger_entries(
    account: str, *, asset: str, kind: str, since: datetime | None, until: datetime | None, page_size: int
) -> account_service_pb2.ListLedgerEntriesRequest:
    """The first page of the ledger; `since` inclusive, `until` exclusive."""
    request = account_service_pb2.ListLedgerEntriesRequest(account=account, asset=asset, kind=kind, page_size=page_size)
    if since is not None:
        request.start_time.CopyFrom(moment(since, "since"))
    if until is not None:
        request.end_time.CopyFrom(moment(until, "until"))
    return request


def get_fee_rates(account: str, symbols: str | Iterable[str]) -> account_service_pb2.GetFeeRatesRequest:
    """Rates of these pairs."""
    return account_service_pb2.GetFeeRatesRequest(account=account, symbols=symbols_of(symbols))
