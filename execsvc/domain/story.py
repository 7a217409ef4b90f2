"""An order's story: what was decided, sent, answered and found, step by step, for a person who asks why.

Steps are values; they become durable with the commit that follows them (store) and are told by app/explain.py. They decide
nothing: the order's state is domain/order.py's.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Protocol, assert_never

from execsvc.domain import money
from execsvc.domain.errors import Fault
from execsvc.domain.order import (
    Acknowledged,
    Amended,
    CancelWished,
    Corrected,
    Doubted,
    NeverSent,
    Order,
    OrderEvent,
    ProvedAbsent,
    Refused,
    Seen,
    Status,
)
from execsvc.domain.spec import size_text


class StepKind(Enum):
    """As TimelineKind of the contract, without its prefix."""

    RECEIVED = "received"
    CHECKED = "checked"
    WAITED = "waited"
    JOURNALED = "journaled"
    SENT = "sent"
    ANSWERED = "answered"
    DOUBTED = "doubted"
    BARRIER = "barrier"
    SWEPT = "swept"
    RESOLVED = "resolved"
    STATUS = "status"
    FILLED = "filled"
    AMENDED = "amended"
    CANCEL = "cancel"
    REPLAYED = "replayed"
    CORRECTED = "corrected"


@dataclass(frozen=True)
class Step:
    """One step. `text` is a sentence for people; took_ns is the length of a wait or round trip, ended at `at_ns`.

    waited_for names the lane of a wait; verdict is one word, where something was decided; venue_ns is Kraken's stamp.
    """

    at_ns: int
    kind: StepKind
    text: str
    attempt: int = 0
    took_ns: int | None = None
    waited_for: str = ""
    verdict: str = ""
    status: Status | None = None
    fault: Fault | None = None
    trace_id: str = ""
    venue_ns: int | None = None


def step_of(event: OrderEvent, before: Order, after: Order, now_ns: int) -> Step:
    """The step that a recorded event is: told once, by whoever commits it."""
    status = after.status if after.status is not before.status else None

    def step(kind: StepKind, text: str, verdict: str = "", fault: Fault | None = None) -> Step:
        return Step(
            now_ns,
            kind,
            text,
            attempt=after.attempt,
            verdict=verdict,
            status=status,
            fault=fault,
            trace_id=after.trace_id,
        )

    doubted = before.status is Status.IN_DOUBT
    match event:
        case Acknowledged(venue_order_id):
            return step(
                StepKind.RESOLVED if doubted else StepKind.STATUS,
                f"Kraken took the order as {venue_order_id}.",
                "placed",
            )
        case Seen(report):
            return _seen(step, before, after, report.venue_order_id, doubted=doubted)
        case Refused(fault):
            kind = StepKind.RESOLVED if doubted else StepKind.STATUS
            return step(kind, f"Kraken refused the order: {fault.message}.", "rejected", fault)
        case Doubted(why):
            return step(StepKind.DOUBTED, f"Its fate is not known: {why}. It is looked for, and not sent again.")
        case ProvedAbsent(fault):
            return step(StepKind.RESOLVED, f"{_sentence(fault.message)}.", "not_placed", fault)
        case NeverSent(fault):
            return step(
                StepKind.RESOLVED if doubted else StepKind.STATUS,
                f"No byte of it left: {fault.message}.",
                "never_sent",
                fault,
            )
        case CancelWished(why):
            because = "" if why is None else f": {why.message}"
            text = f"A cancel was asked for{because}; it is pursued until the order has ended."
            return step(StepKind.CANCEL, text, fault=why)
        case Amended(_):
            return step(StepKind.AMENDED, f"It is wanted otherwise now: {_changes(before, after)}.", "applied")
        case Corrected(report):
            return step(
                StepKind.CORRECTED,
                f"Kraken shows it as {report.venue_order_id} although it was told as {before.status.name}: an alarm.",
                "placed",
            )
        case _:
            assert_never(event)


def _changes(before: Order, after: Order) -> str:
    """What an amend changed, figure by figure: "limit price 60000 → 60100"."""
    figures = ("base_quantity", "limit_price", "trigger_price", "display_quantity")
    pairs = [(name.replace("_", " "), getattr(before.spec, name), getattr(after.spec, name)) for name in figures]
    told = [f"{name} {_figure(old)} → {_figure(new)}" for name, old, new in pairs if old != new]
    if before.spec.post_only is not after.spec.post_only:
        told.append("post-only" if after.spec.post_only else "no longer post-only")
    return ", ".join(told)


def _figure(value: Decimal | None) -> str:
    return "none" if value is None else money.text(value)


def _sentence(message: str) -> str:
    return message[:1].upper() + message[1:]


class _Made(Protocol):
    def __call__(self, kind: StepKind, text: str, verdict: str = "", fault: Fault | None = None) -> Step: ...


def _seen(step: _Made, before: Order, after: Order, venue_order_id: str, *, doubted: bool) -> Step:
    if doubted:
        return step(StepKind.RESOLVED, f"Found at Kraken as {venue_order_id}: it is there.", "placed")
    if after.filled_quantity > before.filled_quantity:
        filled = money.text(after.filled_quantity)
        return step(StepKind.FILLED, f"Filled up to {filled} of {size_text(after.spec)}.")
    changes = _changes(before, after)
    if changes and after.status is before.status:
        return step(StepKind.AMENDED, f"Kraken shows it amended: {changes}.")
    return step(StepKind.STATUS, f"Kraken shows it {after.status.name}{changes and ', amended: '}{changes}.")
