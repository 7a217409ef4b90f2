"""An order's life: what a caller wants, where it stands, and which moves are possible.

`TRANSITIONS` is the contract's table of allowed status changes; `Order.apply` folds one event through it and an unlisted
move is Broken. Doubt is a state here, never an error: SUBMITTED means durable and perhaps sent, IN_DOUBT that the answer
was lost. Numbers only grow: a stale report after a newer one changes nothing.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from typing import assert_never

from execsvc.domain import money
from execsvc.domain.account import AssetAmount
from execsvc.domain.errors import Broken, Fault, Reason
from execsvc.domain.ids import OrderKey
from execsvc.domain.market import Side


class OrderType(Enum):
    """Kinds of order this build places."""

    MARKET = "market"
    LIMIT = "limit"


class TimeInForce(Enum):
    """GTC rests until cancelled; IOC fills at once what it can and cancels the rest."""

    GTC = "gtc"
    IOC = "ioc"


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
class OrderSpec:
    """What the caller wants. limit_price is set exactly when order_type is LIMIT; quantity is in base units, above 0."""

    symbol: str
    side: Side
    base_quantity: Decimal
    order_type: OrderType
    limit_price: Decimal | None = None
    post_only: bool = False
    time_in_force: TimeInForce = TimeInForce.GTC
    label: str = ""

    def __post_init__(self) -> None:
        if (self.limit_price is None) is (self.order_type is OrderType.LIMIT):
            raise _broken("a limit order has a price, a market order has none")
        if self.base_quantity <= money.ZERO:
            raise _broken("a quantity is above zero")


def content_hash(account: str, spec: OrderSpec) -> bytes:
    """SHA-256 of what makes two placements the same: account and canonical spec, decimals by value, only what is set."""
    parts = {
        "account": account,
        "symbol": spec.symbol,
        "side": spec.side.value,
        "base_quantity": money.numeral(spec.base_quantity),
        "order_type": spec.order_type.value,
        "limit_price": "" if spec.limit_price is None else money.numeral(spec.limit_price),
        "post_only": "true" if spec.post_only else "",
        "time_in_force": spec.time_in_force.value,
        "label": spec.label,
    }
    canonical = "\n".join(f"{name}={value}" for name, value in sorted(parts.items()) if value)
    return hashlib.sha256(canonical.encode()).digest()


@dataclass(frozen=True)
class Intent:
    """A placement that passed every check and is about to become durable.

    entry_deadline_ns is absolute, on our wall clock; `wire_id_of(attempt)` gives the derived cl_ord_id of an attempt.
    """

    key: OrderKey
    spec: OrderSpec
    entry_deadline_ns: int
    key_label: str
    trace_id: str
    wire_id_of: Callable[[int], str]

    @property
    def content_hash(self) -> bytes:
        """What makes two placements the same: see the function of that name."""
        return content_hash(self.key.account, self.spec)


@dataclass(frozen=True)
class VenueOrder:
    """What Kraken showed of one order, by any road; None means "not told", never zero.

    total_fees is cumulative (REST); added_fees and added_quantity are those of one fill that was never told before (stream).
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
    """The caller wants it gone; pursued until the order is terminal."""


@dataclass(frozen=True)
class Corrected:
    """Kraken shows an order that was told as never having been there: the one event that undoes a verdict, loudly."""

    report: VenueOrder


OrderEvent = Acknowledged | Seen | Refused | Doubted | ProvedAbsent | NeverSent | CancelWished | Corrected
# What Corrected may undo; every other move out of a verdict is a bug of ours.
CORRECTABLE = frozenset({Status.NOT_PLACED, Status.NEVER_SENT, Status.REJECTED})


@dataclass(frozen=True)
class FeeSum:
    """Fees, and the quantity they were charged for."""

    quantity: Decimal = money.ZERO
    fees: tuple[AssetAmount, ...] = ()


NO_FEES = FeeSum()


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

    @property
    def average_price(self) -> Decimal | None:
        """Cost per unit of what is filled; None before the first fill."""
        return money.average(self.filled_cost, self.filled_quantity) if self.filled_quantity else None

    @property
    def is_settled(self) -> bool:
        """Whether an answer need not wait any more.

        Orders of this build go into the book at once, so PENDING is a passing state that the next report ends.
        """
        return self.status not in UNRESOLVED and self.status is not Status.PENDING

    def apply(self, event: OrderEvent, now_ns: int) -> "Order":
        """The order after `event`; the same object when the event says nothing new. Raises Broken on an unlisted move."""
        moved = self._moved(event)
        if moved == self:
            return self
        undone = isinstance(event, Corrected) and self.status in CORRECTABLE
        if moved.status is not self.status and moved.status not in TRANSITIONS[self.status] and not undone:
            raise _broken(f"order {self.key} cannot go from {self.status.name} to {moved.status.name} on {event!r}")
        return replace(moved, version=self.version + 1, update_time_ns=now_ns)

    def _moved(self, event: OrderEvent) -> "Order":
        match event:
            case Acknowledged(venue_order_id):
                status = Status.OPEN if self.status in UNRESOLVED | {Status.PENDING} else self.status
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
            case CancelWished():
                return self if self.status in TERMINAL else replace(self, cancel_requested=True)
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
        """The order with what Kraken shows folded in; quantities only grow. Whether it may be folded, apply() knows."""
        told = self.filled_quantity if report.filled_quantity is None else report.filled_quantity
        quantity = max(told, self.filled_quantity)
        of_fills, in_total = self.fees_of_fills, self.fees_in_total
        if report.added_quantity is not None:
            of_fills = FeeSum(of_fills.quantity + report.added_quantity, _summed(of_fills.fees, report.added_fees))
        if report.total_fees is not None and told >= in_total.quantity:
            in_total = FeeSum(told, report.total_fees)
        if of_fills.quantity or in_total.quantity:
            # Fills come one by one and may be missed, sums come seldom: whichever knows more of the order is right.
            fees = of_fills.fees if of_fills.quantity >= in_total.quantity else in_total.fees
        else:
            fees = self.fees
        cost = self.filled_cost if report.filled_cost is None else max(report.filled_cost, self.filled_cost)
        status = self._status_after(report, quantity)
        end_fault = self.end_fault
        if end_fault is None and status in {Status.CANCELLED, Status.EXPIRED, Status.REJECTED}:
            end_fault = _end_fault(status, report.reason)
        return replace(
            self,
            status=status,
            venue_order_id=report.venue_order_id or self.venue_order_id,
            filled_quantity=quantity,
            filled_cost=cost,
            fees=fees,
            fees_of_fills=of_fills,
            fees_in_total=in_total,
            open_time_ns=self.open_time_ns if report.open_time_ns is None else report.open_time_ns,
            end_fault=end_fault,
        )

    def _status_after(self, report: VenueOrder, filled: Decimal) -> Status:
        """Quantities over words: what is filled whole is FILLED; an older picture never takes a newer one back.

        "Filled" without a figure (a fill of the stream's snapshot) stays OPEN: it is asked for and told whole.
        """
        told = report.status
        if self.status in TERMINAL:
            return self.status
        if told is Status.FILLED and report.filled_quantity is None:
            told = Status.OPEN
        if filled >= self.spec.base_quantity and told not in {Status.CANCELLED, Status.EXPIRED}:
            return Status.FILLED
        if self.status is Status.OPEN and told is Status.PENDING:
            return Status.OPEN
        return told

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


def _summed(left: tuple[AssetAmount, ...], right: tuple[AssetAmount, ...]) -> tuple[AssetAmount, ...]:
    totals: dict[str, Decimal] = {}
    for fee in (*left, *right):
        totals[fee.asset] = totals.get(fee.asset, money.ZERO) + fee.amount
    return tuple(AssetAmount(asset, amount) for asset, amount in sorted(totals.items()))


def _end_fault(status: Status, reason: str) -> Fault | None:
    """Why an accepted order ended unfilled, where Kraken said so; a cancel someone asked for needs no fault."""
    if reason.lower().removeprefix("eorder:").startswith("post only"):
        return Fault(Reason.POST_ONLY_WOULD_TAKE, "cancelled by Kraken: it would have taken", {"venue_error": reason})
    if not reason or reason == "User requested":
        return None
    return Fault(Reason.VENUE_ERROR, f"{status.value} by Kraken: {reason}", {"venue_error": reason})


def _broken(message: str) -> Broken:
    return Broken(Fault(Reason.INTERNAL, message))
