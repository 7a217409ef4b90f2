"""Kraken's answers about an account's money → domain values: margin, positions, the ledger, fee rates.

What Kraken leaves out is None, never zero; an empty map may come as `[]` (kraken.md 2.3). Balances, fills and keys are
decode.py's.
"""

from decimal import Decimal
from typing import Any

from msgspec import Raw, Struct

from execsvc.domain.account import FeeRate, FeeSchedule, LedgerEntry, Margin, Position
from execsvc.domain.instrument import Instrument
from execsvc.domain.market import Side
from execsvc.kraken import wire
from execsvc.kraken.figures import count, figure, positive, unix_ns
from execsvc.kraken.history import Row
from execsvc.kraken.names import Names

_SIDES = {"buy": Side.BUY, "sell": Side.SELL}
_PERCENT = -2  # a rate in percent is a fraction times 100


class BalanceRow(Struct, frozen=True):
    """TradeBalance, Kraken's letters."""

    eb: Decimal | None = None
    tb: Decimal | None = None
    m: Decimal | None = None
    n: Decimal | None = None
    c: Decimal | None = None
    v: Decimal | None = None
    e: Decimal | None = None
    mf: Decimal | None = None
    ml: Decimal | None = None  # in percent; absent without positions
    uv: Decimal | None = None


class PositionRow(Struct, frozen=True):
    """One of OpenPositions; value and net come with docalcs only, rollovertm is text."""

    ordertxid: str
    pair: str
    time: Decimal
    type: str
    cost: Decimal
    fee: Decimal
    vol: Decimal
    vol_closed: Decimal
    margin: Decimal
    value: Decimal | None = None
    net: Decimal | None = None
    terms: str = ""
    rollovertm: Decimal | None = None


class LedgerRow(Struct, frozen=True):
    """One of Ledgers and QueryLedgers."""

    refid: str
    time: Decimal
    type: str
    asset: str
    amount: Decimal
    fee: Decimal
    subtype: str = ""
    balance: Decimal | None = None


class LedgerAnswer(Struct, frozen=True):
    """Ledgers; count may be absent."""

    ledger: dict[str, LedgerRow] | list[Any]
    count: int | None = None


class FeeRow(Struct, frozen=True):
    """One of TradeVolume's fees, in percent; nextvolume is null at the lowest rate."""

    fee: Decimal
    nextvolume: Decimal | None = None


class VolumeAnswer(Struct, frozen=True):
    """TradeVolume; fees_maker lacks pairs without a maker's schedule of their own."""

    currency: str
    volume: Decimal
    fees: dict[str, FeeRow] | None = None
    fees_maker: dict[str, FeeRow] | None = None


_margin = wire.decoder(BalanceRow)
_positions = wire.decoder(dict[str, PositionRow] | list[Any])  # type: ignore[arg-type]  # a union is a shape to msgspec
_ledger = wire.decoder(LedgerAnswer)
_volume = wire.decoder(VolumeAnswer)


def margin(result: Raw, asset: str) -> Margin:
    """TradeBalance valued in `asset`. A level is told only where margin is used: without positions it has no meaning."""
    row = _margin(result)
    used = _figure(row.m)
    level = None if row.ml is None or not used else figure(row.ml).scaleb(_PERCENT)
    return Margin(
        asset=asset,
        equivalent_balance=_figure(row.eb),
        trade_balance=_figure(row.tb),
        margin_used=used,
        unrealized_pnl=_figure(row.n),
        cost_basis=_figure(row.c),
        valuation=_figure(row.v),
        equity=_figure(row.e),
        free_margin=_figure(row.mf),
        unexecuted_value=_figure(row.uv),
        level=level,
    )


def positions(result: Raw, names: Names) -> tuple[Position, ...]:
    """OpenPositions, oldest first."""
    rows: dict[str, PositionRow] | list[Any] = _positions(result)
    if isinstance(rows, list):
        if rows:
            raise wire.broken("a list came where a map of positions was due")
        return ()
    found = (_position(position_id, row, names) for position_id, row in rows.items())
    return tuple(sorted(found, key=lambda each: (each.open_ns, each.position_id)))


def _position(position_id: str, row: PositionRow, names: Names) -> Position:
    side = _SIDES.get(row.type)
    if side is None:
        raise wire.broken(f"position {position_id} is of type {row.type!r}")
    return Position(
        position_id=position_id,
        order_id=row.ordertxid,
        symbol=names.symbol(row.pair) or row.pair,  # a pair that is listed no more keeps the name Kraken gives it
        side=side,
        quantity=positive(row.vol),
        closed_quantity=positive(row.vol_closed),
        cost=positive(row.cost),
        fee=figure(row.fee),
        margin=positive(row.margin),
        value=_figure(row.value),
        unrealized_pnl=_figure(row.net),
        terms=row.terms,
        open_ns=unix_ns(row.time),
        rollover_ns=unix_ns(row.rollovertm) if row.rollovertm else None,
    )


def ledger_page(result: Raw, names: Names) -> tuple[list[Row[LedgerEntry]], int | None]:
    """One page of Ledgers, newest first, and how many entries there are in all where it says so."""
    answer = _ledger(result)
    total = None if answer.count is None else count(answer.count)
    if isinstance(answer.ledger, list):
        if answer.ledger:
            raise wire.broken("a list came where a map of ledger entries was due")
        return [], total
    entries = [_entry(entry_id, row, names) for entry_id, row in answer.ledger.items()]
    entries.sort(key=lambda each: each.time_ns, reverse=True)
    return [Row(each.entry_id, each.time_ns, each) for each in entries], total


def _entry(entry_id: str, row: LedgerRow, names: Names) -> LedgerEntry:
    return LedgerEntry(
        entry_id=entry_id,
        ref_id=row.refid,
        kind=row.type,
        subkind=row.subtype,
        asset=names.asset(row.asset),
        amount=figure(row.amount),
        fee=figure(row.fee),
        balance=_figure(row.balance),
        time_ns=unix_ns(row.time),
    )


def fees(result: Raw, instruments: tuple[Instrument, ...], names: Names) -> FeeSchedule:
    """TradeVolume's rates of these pairs, in their order. Where no maker's rate is told, one rate holds for both."""
    answer = _volume(result)
    taking, making = _by_symbol(answer.fees, names), _by_symbol(answer.fees_maker, names)
    if len(instruments) == 1 and len(answer.fees or {}) == 1:  # whatever name a lone pair comes back under
        lone = instruments[0].symbol
        taking, making = _lone(lone, answer.fees), _lone(lone, answer.fees_maker)
    missing = [each.symbol for each in instruments if each.symbol not in taking]
    if missing:
        raise wire.broken(f"no fee rates of {', '.join(missing[:5])} came")
    return FeeSchedule(
        tuple(_rate(each.symbol, taking[each.symbol], making.get(each.symbol)) for each in instruments),
        positive(answer.volume),
        names.asset(answer.currency),
    )


def _by_symbol(rows: dict[str, FeeRow] | None, names: Names) -> dict[str, FeeRow]:
    named = ((names.symbol(pair), row) for pair, row in (rows or {}).items())
    return {symbol: row for symbol, row in named if symbol is not None}


def _lone(symbol: str, rows: dict[str, FeeRow] | None) -> dict[str, FeeRow]:
    row = next(iter((rows or {}).values()), None)
    return {} if row is None else {symbol: row}


def _rate(symbol: str, taking: FeeRow, making: FeeRow | None) -> FeeRate:
    taker = figure(taking.fee).scaleb(_PERCENT)
    return FeeRate(
        symbol=symbol,
        maker_rate=taker if making is None else figure(making.fee).scaleb(_PERCENT),
        taker_rate=taker,
        next_tier_volume=None if taking.nextvolume is None else positive(taking.nextvolume),
    )


def _figure(value: Decimal | None) -> Decimal | None:
    return None if value is None else figure(value)
