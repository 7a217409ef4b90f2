"""Rows of the private channel `executions`, sans I/O: orders and fills out, and what Kraken counts of them.

Rows are deltas keyed by order_id, so symbol, side and our id are remembered per open order. Fills go by Kraken's exec_id,
the same id as in TradesHistory. Subscriptions and sequence numbers are the session's affair (private_session.py).
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from msgspec import Raw, structs

from execsvc.domain.account import AssetAmount, Fill
from execsvc.domain.market import EventTimes
from execsvc.domain.order import Status, VenueOrder
from execsvc.domain.spec import OrderSpec
from execsvc.kraken import frames, specs, wire
from execsvc.kraken.decode import client_id
from execsvc.kraken.figures import figure, positive, stamp_ns
from execsvc.kraken.names import Names
from execsvc.kraken.specs import SIDES
from execsvc.ports import ExecutionSeen, OrdersSnapshot, PrivateEvent

REMEMBERED_MAX = 10_000
SNAPSHOT_TRADES = 50  # kraken.md 5.4
_STATUS = {
    "pending_new": Status.PENDING,
    "new": Status.OPEN,
    "partially_filled": Status.OPEN,
    "filled": Status.FILLED,
    "canceled": Status.CANCELLED,
    "expired": Status.EXPIRED,
}
_ENDED = frozenset({"filled", "canceled", "expired"})
_OPENING = frozenset({"pending_new", "new"})
_CHANGES = frozenset({"amended", "restated", "status", "iceberg_refill"})  # of an order that goes on
_FIRED = {"triggered": True, "untriggered": False}
# What of a row says how the order is: a delta leaves out what did not change.
_DESCRIBING = tuple(
    name
    for name in frames.ExecutionData.__struct_fields__
    if name in {
        *("symbol", "side", "order_type", "order_qty", "cash_order_qty", "limit_price", "limit_price_type", "display_qty"),
        *("time_in_force", "expire_time", "effective_time", "post_only", "reduce_only", "margin", "fee_ccy_pref"),
        *("triggers", "contingent"),
    }
)  # fmt: skip
_TRADE, _AMENDED = "trade", "amended"

_rows = wire.decoder(list[frames.ExecutionData])


class Counts(Protocol):
    """Who keeps count of what Kraken counts: every open order of the account, and its own figures."""

    def seen(self, symbol: str, order_id: str, *, is_open: bool) -> None:
        """An order is open, or is open no more."""
        ...

    def amended(self, symbol: str, order_id: str) -> None:
        """An order was amended, by whomever: its age begins anew."""
        ...

    def all_open(self, orders: Iterable[tuple[str, str]], since: float) -> None:
        """All open orders that there were at some moment after monotonic `since`: symbol and order id."""
        ...

    def link(self, which: object | None) -> None:
        """The connection that tells from now on; None: none does."""
        ...

    def told(self, symbol: str, level: Decimal) -> None:
        """The trading counter of a pair, as Kraken counts it."""
        ...

    def told_maximum(self, maximum: int) -> None:
        """How far that counter may go."""
        ...


@dataclass
class _Known:
    symbol: str = ""
    side: str = ""
    client_id: str | None = None
    status: Status = Status.OPEN
    picture: frames.ExecutionData | None = None  # what its rows describe, put together
    spec: OrderSpec | None = None


class ExecutionRows:
    """The executions of one connection: what each open order is, remembered across its deltas."""

    def __init__(self, account: str, names: Names, counts: Counts) -> None:
        self._account = account
        self._names = names
        self._counts = counts
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._asked_at = 0.0
        self._snapshot_seen = False

    def asked(self, now: float) -> None:
        """The subscription goes out now: what its snapshot shows is not older than that."""
        self._asked_at = now

    def update(self, data: Raw, wall_ns: int) -> list[ExecutionSeen]:
        """The reports of one message, oldest first. Raises ProtocolBroken."""
        return [event for row in _rows(data) for event in self._row(row, wall_ns)]

    def snapshot(self, data: Raw, wall_ns: int) -> list[PrivateEvent]:
        """Open orders, with the last 50 fills, oldest first: what happened while the link was down (repeats included)."""
        self._snapshot_seen = True
        rows = _rows(data)
        orders = [event for row in rows if row.exec_type != _TRADE for event in self._row(row, wall_ns)]
        trades = sorted((row for row in rows if row.exec_type == _TRADE and row.side and row.symbol), key=_at)
        fills = tuple(event for row in trades for event in self._row(row, wall_ns))
        whole = len(fills) == sum(row.exec_type == _TRADE for row in rows) < SNAPSHOT_TRADES
        open_now = (row.order_id for row in rows if row.exec_type != _TRADE)
        named = [(self._symbol(order_id), order_id) for order_id in open_now if self._symbol(order_id)]
        self._counts.all_open(named, self._asked_at)
        return [OrdersSnapshot(tuple(event.report for event in orders), fills, whole)]

    def _row(self, row: frames.ExecutionData, wall_ns: int) -> list[ExecutionSeen]:
        known = self._remember(row)
        self._count(row)
        status = _STATUS.get(row.order_status) or _STATUS.get(row.exec_type)
        if status is None and row.exec_type in _CHANGES and known.picture is not None:
            status = known.status  # a delta may leave it out
        if status is None and row.exec_type != _TRADE:
            return []
        known.status = status or known.status
        fill = self._fill(row, known, wall_ns) if row.exec_type == _TRADE else None
        report = VenueOrder(
            venue_order_id=row.order_id,
            venue_client_id=known.client_id,
            status=status or Status.OPEN,
            filled_quantity=_optional(row.cum_qty),
            filled_cost=_optional(row.cum_cost),
            added_fees=() if fill is None else fill.fees,
            added_quantity=None if fill is None else fill.quantity,
            open_time_ns=stamp_ns(row.timestamp) if row.exec_type in _OPENING else None,
            reason=_reason(row),
            spec=known.spec,
            leverage_told=known.picture is None or not known.picture.margin,
            parent_order_id=row.ord_ref_id or "",
            current_trigger_price=_optional(None if row.triggers is None else row.triggers.actual_price) or None,
            triggered=_FIRED.get(row.triggers.status) if row.triggers is not None else None,
        )
        if status in {Status.FILLED, Status.CANCELLED, Status.EXPIRED} and fill is None:
            self._known.pop(row.order_id, None)
        return [ExecutionSeen(report, fill)]

    def _symbol(self, order_id: str) -> str:
        known = self._known.get(order_id)
        return "" if known is None else self._names.symbol(known.symbol) or known.symbol

    def _count(self, row: frames.ExecutionData) -> None:
        """A trade that fills an order whole is followed by the row that ends it."""
        symbol = self._symbol(row.order_id)
        ended = row.order_status in _ENDED or row.exec_type in _ENDED
        if self._snapshot_seen and row.exec_type != _TRADE:
            self._counts.seen(symbol, row.order_id, is_open=not ended)
        if row.exec_type == _AMENDED:
            self._counts.amended(symbol, row.order_id)
        if row.ratecounter is not None and symbol:
            self._counts.told(symbol, positive(row.ratecounter))

    def _remember(self, row: frames.ExecutionData) -> _Known:
        known = self._known.setdefault(row.order_id, _Known())
        known.symbol = row.symbol or known.symbol
        known.side = row.side or known.side
        known.client_id = client_id(row.cl_ord_id) or known.client_id
        self._describe(known, row)
        while len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)
        return known

    def _describe(self, known: _Known, row: frames.ExecutionData) -> None:
        """An order is described whole by its first row; what changes of it later comes alone."""
        if row.exec_type == _TRADE or (known.picture is None and not row.order_type):
            return
        held = known.picture or frames.ExecutionData(row.order_id, row.exec_type)
        told = {name: value for name in _DESCRIBING if (value := getattr(row, name)) is not None and value != ""}
        if told:
            known.picture = structs.replace(held, **told)
            known.spec = specs.of_execution(known.picture, self._names)

    def _fill(self, row: frames.ExecutionData, known: _Known, wall_ns: int) -> Fill:
        side = SIDES.get(known.side)
        if side is None or not known.symbol or not row.exec_id or row.last_qty is None or row.last_price is None:
            raise wire.broken(f"execution {row.exec_id!r} of {row.order_id} lacks symbol, side, price or quantity")
        quantity, price = positive(row.last_qty), positive(row.last_price)
        return Fill(
            fill_id=row.exec_id,
            account=self._account,
            caller="",
            venue_order_id=row.order_id,
            client_order_id="",
            symbol=self._names.symbol(known.symbol) or known.symbol,
            side=side,
            price=price,
            quantity=quantity,
            cost=quantity * price if row.cost is None else positive(row.cost),
            fees=tuple(AssetAmount(self._names.asset(fee.asset), figure(fee.qty)) for fee in row.fees or ()),
            maker=row.liquidity_ind == "m",
            times=EventTimes(stamp_ns(row.timestamp), wall_ns),
        )


def _at(row: frames.ExecutionData) -> tuple[int, Decimal]:
    """Fills of one moment are told by how far they filled their order."""
    return stamp_ns(row.timestamp) or 0, row.cum_qty or Decimal(0)


def _reason(row: frames.ExecutionData) -> str:
    """Why an order ended; an amended or restated one has a reason too, which is not the end's."""
    return "" if row.exec_type in _CHANGES else row.reason or row.cancel_reason or ""


def _optional(value: Decimal | None) -> Decimal | None:
    return None if value is None else positive(value)
