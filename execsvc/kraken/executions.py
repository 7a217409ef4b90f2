"""The private stream, sans I/O: frames of the channel `executions` in, orders and fills out.

Rows are deltas keyed by order_id, so symbol, side and our id are remembered per open order. `sequence` grows by one with
every message; a jump means that something was missed: the link is dropped and opened anew, and the snapshot tells how
things stand (promises.md section 6). Fills go by Kraken's exec_id, the same id as in TradesHistory.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

import msgspec

from execsvc.domain.account import AssetAmount, Fill
from execsvc.domain.market import Beat, EventTimes, LinkUp, ModeSeen
from execsvc.domain.order import Status, VenueOrder
from execsvc.kraken import wire
from execsvc.kraken.decode import SIDES, client_id
from execsvc.kraken.feed import MODES
from execsvc.kraken.figures import figure, positive, stamp_ns
from execsvc.kraken.names import Names
from execsvc.kraken.pulse import Pulse
from execsvc.ports import ExecutionSeen, OrdersSnapshot, PrivateEvent

REMEMBERED_MAX = 10_000
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
_TRADE = "trade"
_CHANNEL = "executions"

_frame = wire.decoder(wire.Frame)
_rows = wire.decoder(list[wire.ExecutionData])
_ack = wire.decoder(wire.AckResult)
_statuses = wire.decoder(list[wire.StatusData])


class Counts(Protocol):
    """Who keeps count of what Kraken counts: every open order of the account, and its own figures."""

    def seen(self, symbol: str, order_id: str, *, is_open: bool) -> None:
        """An order is open, or is open no more."""
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


class ExecutionsSession:
    """One connection's worth of private stream. The token is never shown; `used` hears when Kraken has spoken of it."""

    def __init__(
        self, *, token: str, account: str, names: Names, pulse: Pulse, counts: Counts, used: Callable[[], None]
    ) -> None:
        self._token = token
        self._account = account
        self._names = names
        self._pulse = pulse
        self._counts = counts
        self._used = used
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._sequence: int | None = None
        self._asked = False
        self._asked_at = 0.0
        self._told_up = False
        self._snapshot_seen = False
        self.ended = ""

    def __repr__(self) -> str:
        return f"<ExecutionsSession of {self._account} sequence={self._sequence} ended={self.ended!r}>"

    def opened(self, now: float, wall_ns: int) -> list[PrivateEvent]:  # noqa: ARG002  the port of sessions hands both clocks
        """The connection stands; the link counts as up once Kraken accepts the subscription."""
        self._pulse.opened(now)
        self._counts.link(self)
        return []

    def due(self, now: float, wall_ns: int) -> list[str]:
        """Texts to send now."""
        texts = self._pulse.due(now, wall_ns)
        if not self._asked:
            self._asked = True
            self._asked_at = now
            params = {"channel": _CHANNEL, "token": self._token, "snap_orders": True, "snap_trades": True}
            params["ratecounter"] = True
            texts.append(msgspec.json.encode({"method": "subscribe", "params": params, "req_id": 1}).decode())
        self.ended = self.ended or self._pulse.silent(now)
        if self.ended:
            self._counts.link(None)
        return texts

    def next_timer(self, now: float) -> float:
        """When `due` should be asked again."""
        return self._pulse.next_timer(now)

    def receive(self, text: bytes, now: float, wall_ns: int) -> list[PrivateEvent]:
        """The events of one frame. Raises ProtocolBroken; `ended` is set when the link must be dropped."""
        frame = _frame(text)
        self._pulse.heard(frame, now, wall_ns)
        if frame.method == "subscribe":
            return self._answered(frame, wall_ns)
        if frame.channel == "status":
            modes = (MODES.get(row.system) for row in _statuses(frame.data))
            return [*(ModeSeen(mode) for mode in modes if mode is not None), Beat(wall_ns)]
        if frame.channel != _CHANNEL:
            return [Beat(wall_ns)]
        if self._sequence is not None and frame.sequence != self._sequence + 1:
            self.ended = f"executions jumped from sequence {self._sequence} to {frame.sequence}"
            return []
        self._sequence = frame.sequence
        rows = _rows(frame.data)
        if frame.type == "snapshot" and not self._snapshot_seen:
            self._snapshot_seen = True
            return [*self._up(wall_ns), *self._snapshot(rows, wall_ns)]
        events: list[PrivateEvent] = [event for row in rows for event in self._row(row, wall_ns)]
        return events or [Beat(wall_ns)]

    def _answered(self, frame: wire.Frame, wall_ns: int) -> list[PrivateEvent]:
        self._used()
        if not frame.success:
            self.ended = f"Kraken refuses the private stream: {frame.error}"
            return []
        told = _ack(frame.result).maxratecount if bytes(frame.result) else None
        if told is not None:
            self._counts.told_maximum(int(told))
        return self._up(wall_ns) or [Beat(wall_ns)]

    def _up(self, wall_ns: int) -> list[PrivateEvent]:
        """Told once, and before anything else, should data overtake the answer to the subscription."""
        told, self._told_up = self._told_up, True
        return [] if told else [LinkUp(wall_ns)]

    def _snapshot(self, rows: list[wire.ExecutionData], wall_ns: int) -> list[PrivateEvent]:
        """Open orders, and the last 50 fills, oldest first: what happened while the link was down (repeats included)."""
        orders = [event for row in rows if row.exec_type != _TRADE for event in self._row(row, wall_ns)]
        trades = sorted((row for row in rows if row.exec_type == _TRADE and row.side and row.symbol), key=_at)
        fills = [event for row in trades for event in self._row(row, wall_ns)]
        open_now = (row.order_id for row in rows if row.exec_type != _TRADE)
        named = [(self._symbol(order_id), order_id) for order_id in open_now if self._symbol(order_id)]
        self._counts.all_open(named, self._asked_at)
        return [OrdersSnapshot(tuple(event.report for event in orders)), *fills]

    def _row(self, row: wire.ExecutionData, wall_ns: int) -> list[ExecutionSeen]:
        known = self._remember(row)
        self._count(row)
        status = _STATUS.get(row.order_status) or _STATUS.get(row.exec_type)
        if status is None and row.exec_type != _TRADE:
            return []  # amended, restated, a trigger moved: nothing that this build's orders have
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
            reason=row.reason or row.cancel_reason or "",
        )
        if status in {Status.FILLED, Status.CANCELLED, Status.EXPIRED} and fill is None:
            self._known.pop(row.order_id, None)
        return [ExecutionSeen(report, fill)]

    def _symbol(self, order_id: str) -> str:
        known = self._known.get(order_id)
        return "" if known is None else self._names.symbol(known.symbol) or known.symbol

    def _count(self, row: wire.ExecutionData) -> None:
        """A trade that fills an order whole is followed by the row that ends it."""
        symbol = self._symbol(row.order_id)
        ended = row.order_status in _ENDED or row.exec_type in _ENDED
        if self._snapshot_seen and row.exec_type != _TRADE:
            self._counts.seen(symbol, row.order_id, is_open=not ended)
        if row.ratecounter is not None and symbol:
            self._counts.told(symbol, row.ratecounter)

    def _remember(self, row: wire.ExecutionData) -> _Known:
        known = self._known.setdefault(row.order_id, _Known())
        known.symbol = row.symbol or known.symbol
        known.side = row.side or known.side
        known.client_id = client_id(row.cl_ord_id) or known.client_id
        while len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)
        return known

    def _fill(self, row: wire.ExecutionData, known: _Known, wall_ns: int) -> Fill:
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


def _at(row: wire.ExecutionData) -> tuple[int, Decimal]:
    """Fills of one moment are told by how far they filled their order."""
    return stamp_ns(row.timestamp) or 0, row.cum_qty or Decimal(0)


def _optional(value: Decimal | None) -> Decimal | None:
    return None if value is None else positive(value)
