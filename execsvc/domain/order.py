"""An order's life: where it stands, what may be heard of it, and which moves are possible. What is wanted is spec.py's.

`TRANSITIONS` is the contract's table of allowed status changes; `Order.apply` folds one event through it and an unlisted
move is Broken. Doubt is a state here, never an error: SUBMITTED means durable and perhaps sent, IN_DOUBT that the answer
was lost. Numbers only grow: a stale report after a newer one changes nothing.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from typing import assert_never

from execsvc.domain import money
from execsvc.domain.account import AssetAmount
from execsvc.domain.ending import end_fault as end_fault_of
from execsvc.domain.errors import Broken, Fault, Reason
from execsvc.domain.feesum import NO_FEES, FeeSum
from execsvc.domain.ids import OrderKey
from execsvc.domain.intent import Intent
from execsvc.domain.spec import OrderSpec, OrderType


class Status(Enum):
    """As OrderStatus of the contract, without its prefix."""

    SUBMITTED = "submitted"
    IN_DOUBT = "in_doubt"
    PENDING = "pending"
    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    NOT_PLACED = "not_placed"
    NEVER_SENT = "never_sent"


_ENDED_AT_VENUE = frozenset({Status.FILLED, Status.CANCELLED, Status.EXPIRED})
TERMINAL = _ENDED_AT_VENUE | {Status.REJECTED, Status.NOT_PLACED}
UNRESOLVED = frozenset({Status.SUBMITTED, Status.IN_DOUBT})
LIVE = frozenset({Status.PENDING, Status.OPEN})
LOOKS_LAG_NS = 3_000_000_000  # promises.md 2: V, how late what was done may show in a look

# contract.md section 4, "Allowed changes of status"; staying where one is, is always allowed.
TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.SUBMITTED: frozenset(Status) - {Status.SUBMITTED},
    Status.IN_DOUBT: frozenset(Status) - {Status.SUBMITTED, Status.NEVER_SENT, Status.IN_DOUBT},
    Status.NEVER_SENT: frozenset({Status.SUBMITTED}),
    Status.PENDING: frozenset({Status.OPEN}) | _ENDED_AT_VENUE | {Status.REJECTED},
    Status.OPEN: _ENDED_AT_VENUE | {Status.REJECTED},
    Status.FILLED: frozenset(),
    Status.CANCELLED: frozenset(),
    Status.EXPIRED: frozenset(),
    Status.REJECTED: frozenset(),
    Status.NOT_PLACED: frozenset(),
}


@dataclass(frozen=True)
class VenueOrder:
    """What Kraken showed of one order, by any road; None means "not told", never zero.

    total_fees is cumulative (REST); added_fees and added_quantity are those of one fill that was never told before (stream).
    spec is the order as Kraken has it now, amends applied; None too where it cannot be read as one of ours. OPEN is Kraken's
    word: for an order whose trigger has not fired it means that it waits.
    """

    venue_order_id: str
    venue_client_id: str | None
    status: Status
    filled_quantity: Decimal | None = None
    filled_cost: Decimal | None = None
    total_fees: tuple[AssetAmount, ...] | None = None
    added_fees: tuple[AssetAmount, ...] = ()
    added_quantity: Decimal | None = None
    open_time_ns: int | None = None
    reason: str = ""
    spec: OrderSpec | None = None
    parent_order_id: str = ""
    current_trigger_price: Decimal | None = None
    triggered: bool | None = None
    asked_ns: int | None = None  # when a look at it began; None: the stream's word, which is never late
    leverage_told: bool = True  # False: on margin, and nobody said with what leverage; the other figures of spec hold

    def told_before(self) -> "VenueOrder":
        """The same picture when its fill is a repeat: it adds nothing."""
        return replace(self, added_fees=(), added_quantity=None)


@dataclass(frozen=True)
class Acknowledged:
    """Kraken's answer named the order."""

    venue_order_id: str


@dataclass(frozen=True)
class Seen:
    """The order was seen at Kraken: stream, sweep or query."""

    report: VenueOrder


@dataclass(frozen=True)
class Refused:
    """Kraken refused the order; final."""

    fault: Fault


@dataclass(frozen=True)
class Doubted:
    """The answer was lost or overdue; `why` is for the order's story."""

    why: str


@dataclass(frozen=True)
class ProvedAbsent:
    """The resolver proved that the order never reached the engine; final."""

    fault: Fault


@dataclass(frozen=True)
class NeverSent:
    """No byte left us; the same id may be sent again, if nobody was told of a doubt meanwhile."""

    fault: Fault


@dataclass(frozen=True)
class CancelWished:
    """It is to go; pursued until the order is terminal. why: None where its own caller asked for that, there and then."""

    why: Fault | None = None


@dataclass(frozen=True)
class Amended:
    """Kraken took an amend: this is wanted now. Below what is filled, the rest is cancelled (kraken.md 2.4).

    written_ns: when the amend was written down; what was told of the wish since may be a later amend, and stands.
    """

    spec: OrderSpec
    written_ns: int | None = None


@dataclass(frozen=True)
class Corrected:
    """Kraken shows an order that was told as never having been there: the one event that undoes a verdict, loudly."""

    report: VenueOrder


OrderEvent = Acknowledged | Seen | Refused | Doubted | ProvedAbsent | NeverSent | CancelWished | Amended | Corrected
# What Corrected may undo; every other move out of a verdict is a bug of ours.
CORRECTABLE = frozenset({Status.NOT_PLACED, Status.NEVER_SENT, Status.REJECTED})


@dataclass(frozen=True)
class Order:
    """One order as the journal knows it. version grows by one with every change; times are ns since the epoch."""

    key: OrderKey
    spec: OrderSpec
    status: Status
    content_hash: bytes
    attempt: int
    venue_client_id: str
    key_label: str
    entry_deadline_ns: int
    trace_id: str
    create_time_ns: int
    update_time_ns: int
    version: int = 1
    venue_order_id: str = ""
    cancel_requested: bool = False
    filled_quantity: Decimal = money.ZERO
    filled_cost: Decimal = money.ZERO
    fees: tuple[AssetAmount, ...] = ()
    fees_of_fills: FeeSum = NO_FEES  # every fill that was told, each once
    fees_in_total: FeeSum = NO_FEES  # the last sum that Kraken told, and how much of the order it is for
    open_time_ns: int | None = None
    end_fault: Fault | None = None
    corrected_from: Status | None = None
    attempt_time_ns: int = 0  # when this attempt was written down; 0 in rows older than the field
    current_trigger_price: Decimal | None = None  # of a trailing stop, in quote units; None: no such, or not known
    triggered: bool = False
    parent_order_id: str = ""  # of a child of a conditional close: the order that spawned it, by Kraken's id
    spec_time_ns: int = 0  # when an amend of it was last recorded; 0: never
    cancel_why: Fault | None = None  # why it is to go, where that is not a cancel of its own caller's

    @property
    def average_price(self) -> Decimal | None:
        """Cost per unit of what is filled; None before the first fill."""
        return money.average(self.filled_cost, self.filled_quantity) if self.filled_quantity else None

    @property
    def is_settled(self) -> bool:
        """Whether an answer need not wait any more.

        Of an order that goes into the book at once PENDING is a passing state, which the next report ends.
        """
        return self.status not in UNRESOLVED and (self.status is not Status.PENDING or self.spec.waits)

    @property
    def status_once_taken(self) -> Status:
        """Where it stands when all that is known is that Kraken took it."""
        return Status.PENDING if self.spec.waits and not self.triggered else Status.OPEN

    def apply(self, event: OrderEvent, now_ns: int) -> "Order":
        """The order after `event`; the same object when the event says nothing new. Raises Broken on an unlisted move."""
        moved = self._moved(event)
        if moved == self:
            return self
        undone = isinstance(event, Corrected) and self.status in CORRECTABLE
        if moved.status is not self.status and moved.status not in TRANSITIONS[self.status] and not undone:
            raise _broken(f"order {self.key} cannot go from {self.status.name} to {moved.status.name} on {event!r}")
        spec_time_ns = self.spec_time_ns if moved.spec == self.spec else now_ns
        return replace(moved, version=self.version + 1, update_time_ns=now_ns, spec_time_ns=spec_time_ns)

    def _moved(self, event: OrderEvent) -> "Order":
        match event:
            case Acknowledged(venue_order_id):
                status = self.status_once_taken if self.status in UNRESOLVED | {Status.PENDING} else self.status
                return replace(self, venue_order_id=venue_order_id, status=status)
            case Seen(report):
                self._demand_no_contradiction(report)
                return self.merged(report)
            case Refused(fault):
                return replace(self, status=Status.REJECTED, end_fault=fault)
            case Doubted(_):
                return replace(self, status=Status.IN_DOUBT) if self.status is Status.SUBMITTED else self
            case ProvedAbsent(fault):
                return replace(self, status=Status.NOT_PLACED, end_fault=fault)
            case NeverSent(fault):
                return self._unsent(fault)
            case CancelWished(why):
                if self.status in TERMINAL or self.cancel_requested:
                    return self  # whoever wished it first is why it goes
                return replace(self, cancel_requested=True, cancel_why=why)
            case Amended(spec, written_ns):
                if written_ns is not None and self.spec_time_ns > written_ns and spec != self.spec:
                    return self  # another amend was told first; should it be the earlier one, the stream tells this one too
                wanted = spec.base_quantity
                below = wanted is not None and wanted < self.filled_quantity and self.status in LIVE
                return replace(self, spec=spec, status=Status.CANCELLED if below else self.status)
            case Corrected(report):
                return self._corrected(report)
            case _:
                assert_never(event)

    def _corrected(self, report: VenueOrder) -> "Order":
        """What Kraken shows, in place of the verdict that denied it; only ever from such a verdict."""
        if not self.contradicted_by(report):
            return self
        denied = replace(self, status=Status.IN_DOUBT, end_fault=None, corrected_from=self.status)
        return denied.merged(report)

    def contradicted_by(self, report: VenueOrder) -> bool:
        """An order told as never having been at the exchange is seen there. A refused one may show as cancelled, unfilled."""
        return self.status in {Status.NOT_PLACED, Status.NEVER_SENT} or (
            self.status is Status.REJECTED
            and (bool(report.filled_quantity) or report.status in LIVE or report.status is Status.FILLED)
        )

    def _demand_no_contradiction(self, report: VenueOrder) -> None:
        if self.contradicted_by(report):
            raise _broken(f"order {self.key} was told as {self.status.name}, yet Kraken shows it {report.status.name}")

    def _unsent(self, fault: Fault) -> "Order":
        """Free to be sent again, unless it was already told as in doubt: then "not placed" is the truth that is left."""
        if self.status is not Status.IN_DOUBT:
            return replace(self, status=Status.NEVER_SENT, end_fault=fault)
        told = Fault(Reason.NOT_PLACED, f"no byte of it ever left: {fault.message}; place anew under a new id")
        return replace(self, status=Status.NOT_PLACED, end_fault=told.with_metadata(id_used="true"))

    def merged(self, report: VenueOrder) -> "Order":
        """The order with what Kraken shows folded in; quantities only grow. Whether it may be folded, apply() knows.

        An older wish is left out, since nothing might mend it: that of a picture as it was open, of what has ended, and of a
        look that shows it open so soon after an amend that it may not show that yet. A picture of its end is never older:
        nothing amends an order after that.
        """
        told = self.filled_quantity if report.filled_quantity is None else report.filled_quantity
        quantity = max(told, self.filled_quantity)
        of_fills, in_total = self.fees_of_fills, self.fees_in_total
        if report.added_quantity is not None:
            of_fills = of_fills.plus(report.added_quantity, report.added_fees)
        if report.total_fees is not None and told >= in_total.quantity:
            in_total = FeeSum(told, report.total_fees)
        told_of_most = of_fills if of_fills.quantity >= in_total.quantity else in_total
        cost = self.filled_cost if report.filled_cost is None else max(report.filled_cost, self.filled_cost)
        triggered = self._triggered_after(report, quantity)
        status = self._status_after(report, quantity, triggered=triggered)
        end_fault = self.end_fault
        if end_fault is None and status in {Status.CANCELLED, Status.EXPIRED, Status.REJECTED}:
            why = self.cancel_why if status is Status.CANCELLED else None
            end_fault = end_fault_of(status.value, report.reason) or why
        too_soon = report.asked_ns is not None and report.asked_ns < self.spec_time_ns + LOOKS_LAG_NS
        older = report.status in LIVE and (too_soon or self.status in TERMINAL)
        return replace(
            self,
            spec=self.spec if report.spec is None or older else self.spec.amended(report.spec),
            status=status,
            venue_order_id=report.venue_order_id or self.venue_order_id,
            filled_quantity=quantity,
            filled_cost=cost,
            fees=told_of_most.fees if told_of_most.quantity else self.fees,
            fees_of_fills=of_fills,
            fees_in_total=in_total,
            open_time_ns=self.open_time_ns if report.open_time_ns is None else report.open_time_ns,
            end_fault=end_fault,
            current_trigger_price=self._trigger_price_after(report),
            triggered=triggered,
            parent_order_id=report.parent_order_id or self.parent_order_id,
        )

    def _status_after(self, report: VenueOrder, filled: Decimal, *, triggered: bool) -> Status:
        """Quantities over words: what is filled whole is FILLED; an older picture never takes a newer one back.

        "Filled" without a figure, or with less than is wanted and no wish (an amend was missed), stays OPEN: it is asked for
        and told whole. Without a base quantity only Kraken's word tells that it is filled. Kraken calls a stop open before it
        fires (kraken.md 6); the contract calls that PENDING.
        """
        told = report.status
        if self.status in TERMINAL:
            return self.status
        wanted = self._wanted(report)
        short = report.spec is None and wanted is not None and filled < wanted
        if told is Status.FILLED and (short or report.filled_quantity is None):
            told = Status.OPEN
        # More than is wanted fills where an amend went below the fills, or was undone unseen: Kraken says which.
        whole = wanted is not None and (filled == wanted or (filled > wanted and told is Status.FILLED))
        if whole and told not in {Status.CANCELLED, Status.EXPIRED}:
            return Status.FILLED
        if told is Status.OPEN and self.spec.is_triggered_type and not triggered:
            told = Status.PENDING
        if self.status is Status.OPEN and told is Status.PENDING:
            return Status.OPEN
        return told

    def _wanted(self, report: VenueOrder) -> Decimal | None:
        """The larger of the quantities that are known: an amend may have been heard of, or the picture be older."""
        ours = self.spec.base_quantity
        theirs = None if report.spec is None else report.spec.base_quantity
        return ours if ours is None or theirs is None else max(ours, theirs)

    def _triggered_after(self, report: VenueOrder, filled: Decimal) -> bool:
        """A trigger fires once, and what has filled has fired, whether or not anyone said so."""
        return self.triggered or (self.spec.is_triggered_type and (bool(report.triggered) or filled > money.ZERO))

    def _trigger_price_after(self, report: VenueOrder) -> Decimal | None:
        told = report.current_trigger_price if self.spec.order_type is OrderType.TRAILING_STOP else None
        return self.current_trigger_price if told is None else told

    def resubmitted(self, intent: Intent, now_ns: int) -> "Order":
        """The next attempt of an order whose last one was NEVER_SENT."""
        if Status.SUBMITTED not in TRANSITIONS[self.status]:
            raise _broken(f"order {self.key} is {self.status.name}: it is not sent again")
        attempt = self.attempt + 1
        return replace(
            self,
            status=Status.SUBMITTED,
            attempt=attempt,
            venue_client_id=intent.wire_id_of(attempt),
            key_label=intent.key_label,
            entry_deadline_ns=intent.entry_deadline_ns,
            trace_id=intent.trace_id,
            cancel_requested=False,  # an order placed anew is wanted anew
            cancel_why=None,
            end_fault=None,
            attempt_time_ns=now_ns,
            version=self.version + 1,
            update_time_ns=now_ns,
        )


def submitted(intent: Intent, now_ns: int) -> Order:
    """The order as it is when its intent becomes durable."""
    return Order(
        key=intent.key,
        spec=intent.spec,
        status=Status.SUBMITTED,
        content_hash=intent.content_hash,
        attempt=0,
        venue_client_id=intent.wire_id_of(0),
        key_label=intent.key_label,
        entry_deadline_ns=intent.entry_deadline_ns,
        trace_id=intent.trace_id,
        create_time_ns=now_ns,
        update_time_ns=now_ns,
        attempt_time_ns=now_ns,
    )


def _broken(message: str) -> Broken:
    return Broken(Fault(Reason.INTERNAL, message))
