"""An amend's life: where a wish to change an order stands, and which moves are possible. The wish is amendwish.py's.

Values are absolute, so an amend that took effect shows in the order itself; doubt is a state here as it is in order.py. An
amend changes no order: when Kraken took it the journal records `Amended` on the order beside it (store/amends.py).
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import assert_never

from execsvc.domain.amendwish import AmendWish, content_hash
from execsvc.domain.errors import Broken, Fault, Reason
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import Order
from execsvc.domain.story import Step, StepKind


@dataclass(frozen=True, order=True)
class AmendKey:
    """The idempotency key of an amend: unique per order, as long as the order is remembered."""

    order: OrderKey
    request_id: str

    def __str__(self) -> str:
        return f"{self.order}#{self.request_id}"


class AmendStatus(Enum):
    """SUBMITTED: durable and perhaps sent; IN_DOUBT: its answer was lost; the others are ends as an order's are."""

    SUBMITTED = "submitted"
    IN_DOUBT = "in_doubt"
    APPLIED = "applied"
    REFUSED = "refused"
    NOT_APPLIED = "not_applied"
    NEVER_SENT = "never_sent"


UNSETTLED = frozenset({AmendStatus.SUBMITTED, AmendStatus.IN_DOUBT})
_ENDS = frozenset({AmendStatus.APPLIED, AmendStatus.REFUSED, AmendStatus.NOT_APPLIED})
# Staying where one is, is always allowed; a verdict never changes.
TRANSITIONS: dict[AmendStatus, frozenset[AmendStatus]] = {
    AmendStatus.SUBMITTED: _ENDS | {AmendStatus.IN_DOUBT, AmendStatus.NEVER_SENT},
    AmendStatus.IN_DOUBT: _ENDS,
    AmendStatus.NEVER_SENT: frozenset({AmendStatus.SUBMITTED}),
    AmendStatus.APPLIED: frozenset(),
    AmendStatus.REFUSED: frozenset(),
    AmendStatus.NOT_APPLIED: frozenset(),
}


@dataclass(frozen=True)
class AmendIntent:
    """An amend that passed every check and is about to become durable; entry_deadline_ns is on our wall clock.

    if_version: the order's version that the caller has seen; None: whichever it is.
    """

    key: AmendKey
    wish: AmendWish
    entry_deadline_ns: int
    trace_id: str
    if_version: int | None = None

    @property
    def content_hash(self) -> bytes:
        """What makes two amends of an order the same: see the function of that name."""
        return content_hash(self.wish)


@dataclass(frozen=True)
class Applied:
    """The order stands as wished. amend_id is Kraken's; empty where its answer was lost and the order itself shows it.

    superseded: it stood so, and was changed again since by somebody else: the order is as Kraken shows it.
    """

    amend_id: str = ""
    superseded: bool = False


@dataclass(frozen=True)
class AmendRefused:
    """Kraken refused it; final."""

    fault: Fault


@dataclass(frozen=True)
class AmendDoubted:
    """The answer was lost or overdue; `why` is for the order's story."""

    why: str


@dataclass(frozen=True)
class ProvedNotApplied:
    """It never reached the engine, and no longer can; final."""

    fault: Fault


@dataclass(frozen=True)
class AmendNeverSent:
    """No byte left us; the same request_id may be sent again, if nobody was told of a doubt meanwhile."""

    fault: Fault


AmendEvent = Applied | AmendRefused | AmendDoubted | ProvedNotApplied | AmendNeverSent


@dataclass(frozen=True)
class Amend:
    """One amend as the journal knows it; times are ns since the epoch. symbol and caller's order are for the counters."""

    key: AmendKey
    wish: AmendWish
    status: AmendStatus
    content_hash: bytes
    symbol: str
    attempt: int
    entry_deadline_ns: int
    trace_id: str
    create_time_ns: int
    update_time_ns: int
    attempt_time_ns: int
    amend_id: str = ""
    end_fault: Fault | None = None

    @property
    def is_settled(self) -> bool:
        """Whether its fate is known."""
        return self.status not in UNSETTLED

    def apply(self, event: AmendEvent, now_ns: int) -> "Amend":
        """The amend after `event`; the same object when the event says nothing new. Raises Broken on an unlisted move."""
        moved = self._moved(event)
        if moved.status is self.status:
            return self  # the first word of an end stays
        if moved.status not in TRANSITIONS[self.status]:
            raise _broken(f"amend {self.key} cannot go from {self.status.name} to {moved.status.name} on {event!r}")
        return replace(moved, update_time_ns=now_ns)

    def _moved(self, event: AmendEvent) -> "Amend":
        match event:
            case Applied(amend_id, _):
                return replace(self, status=AmendStatus.APPLIED, amend_id=self.amend_id or amend_id, end_fault=None)
            case AmendRefused(fault):
                return replace(self, status=AmendStatus.REFUSED, end_fault=fault)
            case AmendDoubted(_):
                doubted = self.status is AmendStatus.SUBMITTED
                return replace(self, status=AmendStatus.IN_DOUBT) if doubted else self
            case ProvedNotApplied(fault):
                return replace(self, status=AmendStatus.NOT_APPLIED, end_fault=fault)
            case AmendNeverSent(fault):
                return self._unsent(fault)
            case _:
                assert_never(event)

    def _unsent(self, fault: Fault) -> "Amend":
        """Free to be sent again, unless it was already told as in doubt: then "not applied" is the truth that is left."""
        if self.status is not AmendStatus.IN_DOUBT:
            return replace(self, status=AmendStatus.NEVER_SENT, end_fault=fault)
        told = Fault(Reason.NOT_PLACED, f"no byte of it ever left: {fault.message}; amend anew under a new request_id")
        return replace(self, status=AmendStatus.NOT_APPLIED, end_fault=told.with_metadata(id_used="true"))

    def resubmitted(self, intent: AmendIntent, now_ns: int) -> "Amend":
        """The next attempt of an amend of which nothing left."""
        if AmendStatus.SUBMITTED not in TRANSITIONS[self.status]:
            raise _broken(f"amend {self.key} is {self.status.name}: it is not sent again")
        return replace(
            self,
            status=AmendStatus.SUBMITTED,
            attempt=self.attempt + 1,
            entry_deadline_ns=intent.entry_deadline_ns,
            trace_id=intent.trace_id,
            update_time_ns=now_ns,
            attempt_time_ns=now_ns,
            end_fault=None,
        )


def submitted(intent: AmendIntent, order: Order, now_ns: int) -> Amend:
    """The amend as it is when its intent becomes durable."""
    return Amend(
        key=intent.key,
        wish=intent.wish,
        status=AmendStatus.SUBMITTED,
        content_hash=intent.content_hash,
        symbol=order.spec.symbol,
        attempt=0,
        entry_deadline_ns=intent.entry_deadline_ns,
        trace_id=intent.trace_id,
        create_time_ns=now_ns,
        update_time_ns=now_ns,
        attempt_time_ns=now_ns,
    )


def journaled(amend: Amend, now_ns: int) -> Step:
    """The step of the order's story that an amend is which has become durable."""
    again = "" if amend.attempt == 0 else f" once more (attempt {amend.attempt}), for nothing of the last one was sent"
    text = f"Amend {amend.key.request_id} was asked for{again}: {amend.wish.text()}. It is written down and synced."
    return Step(now_ns, StepKind.AMENDED, text, attempt=amend.attempt, trace_id=amend.trace_id)


def step_of(event: AmendEvent, amend: Amend, now_ns: int) -> Step:
    """The step of the order's story that a recorded event is."""
    named = f"Amend {amend.key.request_id}"

    def step(text: str, verdict: str, fault: Fault | None = None, kind: StepKind = StepKind.AMENDED) -> Step:
        return Step(
            now_ns,
            kind,
            f"{named} {text}.",
            attempt=amend.attempt,
            verdict=verdict,
            fault=fault,
            trace_id=amend.trace_id,
        )

    match event:
        case Applied(amend_id, superseded):
            if superseded:
                return step(f"was applied as {amend_id}, and the order was changed by others since", "applied")
            return step(f"is applied{f' as {amend_id}' if amend_id else ': the order stands so'}", "applied")
        case AmendRefused(fault):
            return step(f"was refused: {fault.message}", "rejected", fault)
        case AmendDoubted(why):
            return step(f"may have been applied or not: {why}. It is not sent again", "", kind=StepKind.DOUBTED)
        case ProvedNotApplied(fault):
            return step(f"was never applied: {fault.message}", "not_placed", fault)
        case AmendNeverSent(fault):
            return step(f"was never sent: {fault.message}", "never_sent", fault)
        case _:
            assert_never(event)


def _broken(message: str) -> Broken:
    return Broken(Fault(Reason.INTERNAL, message))
