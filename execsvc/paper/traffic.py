"""REST requests on their way: arrival, execution, answer, and what a mishap does to each of the three.

A request without mishap is let in, carried out and answered in one instant. A mishap delays a stage, cuts the
connection before or after, puts a page or an error in place of the answer, or lets the bytes arrive twice. Every
private call that arrives, copies too, is noted in `calls`, for whoever must know afterwards what the exchange really did.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any

from .figures import stamp
from .mishap import Fate
from .params import Params
from .restface import Admitted, Reply, Request, admit, page, perform, read, refusal
from .timers import Act
from .venue import Venue
from .words import Refused

_FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection is cut: the client never gets an answer."""


@dataclass(slots=True)
class Ticket:
    """A request under way. Nothing is heard before `due`; then there is an outcome, or a later `due`."""

    due: int
    outcome: Reply | Cut | None = None

    def ready(self, now: int) -> bool:
        """Tell whether the outcome may be delivered."""
        return self.outcome is not None and self.due <= now


@dataclass(slots=True)
class CallRecord:
    """One private call that reached the exchange: carried out or not, refused with what, heard of by the client or not."""

    at: int
    call: str
    nonce: str
    cl_ord_id: str
    applied: bool = False
    error: str = ""
    answered: bool = True

    def shown(self) -> dict[str, Any]:
        """Return the record for the control port."""
        return {
            "at": stamp(self.at),
            "call": self.call,
            "nonce": self.nonce,
            "cl_ord_id": self.cl_ord_id,
            "applied": self.applied,
            "error": self.error,
            "answered": self.answered,
        }


@dataclass(slots=True)
class _Journey:
    """One request, its ticket, what fate has in store for it, and whether its answer is the one the client hears."""

    request: Request
    ticket: Ticket
    fate: Fate
    heard: bool = True
    record: CallRecord | None = None


class Traffic:
    """All requests of one exchange. `noted` is how many private calls ever arrived, whether still in `calls` or not."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.calls: deque[CallRecord] = deque(maxlen=venue.options.keep_calls)
        self.noted = 0

    def take(self, request: Request, now: int) -> Ticket:
        """Start a request on its way, and its copy, if fate has one."""
        key = request.headers.get("api-key", "")
        fate = self._venue.faults.fate(request.call, now, private=request.private, key=key)
        first = _Journey(request, Ticket(now), fate, heard=not fate.second)
        self._then(first, now, fate.wire, lambda at: self._arrive(first, at))
        if fate.copy is None:
            return first.ticket
        copy = _Journey(request, Ticket(now), _fate_of_copy(fate), heard=fate.second)
        self._then(copy, now, fate.wire + fate.copy, lambda at: self._arrive(copy, at))
        return copy.ticket if fate.second else first.ticket

    def _then(self, journey: _Journey, now: int, delay: int, act: Act) -> None:
        if not delay:
            act(now)
            return
        journey.ticket.due = now + delay
        self._venue.timers.at(journey.ticket.due, act)

    def _arrive(self, journey: _Journey, now: int) -> None:
        fate, request = journey.fate, journey.request
        if fate.lost:
            journey.ticket.outcome = Cut()
            return
        if "user-agent" not in request.headers:
            journey.ticket.outcome = page(_FORBIDDEN)
            return
        if fate.page and not fate.applied:
            journey.ticket.outcome = page(fate.page)
            return
        admitted = self._admit(journey, now)
        if isinstance(admitted, Reply):
            self._answer(journey, admitted, now)
        else:
            self._then(journey, now, fate.before, lambda at: self._carry_out(journey, admitted, at))

    def _admit(self, journey: _Journey, now: int) -> Admitted | Reply:
        """Let a request in and note it; a refusal is an answer."""
        params = Params({})
        try:
            params = read(journey.request)
            at = self._venue.dial.reads(now)
            admitted = admit(self._venue, journey.request, params, at, nonce=journey.fate.nonce)
        except Refused as refused:
            self._note(journey, params, now).error = refused.code
            return refusal(refused.code)
        record = self._note(journey, params, now)
        if journey.fate.error and not journey.fate.applied:
            record.error = journey.fate.error
            return refusal(journey.fate.error)
        return admitted

    def _note(self, journey: _Journey, params: Params, now: int) -> CallRecord:
        record = CallRecord(now, journey.request.call, _plain(params, "nonce"), _plain(params, "cl_ord_id"))
        if journey.request.private:
            journey.record = record
            self.calls.append(record)
            self.noted += 1
        return record

    def _carry_out(self, journey: _Journey, admitted: Admitted, now: int) -> None:
        try:
            reply = perform(self._venue, admitted, self._venue.dial.reads(now))
            if journey.record is not None:
                journey.record.applied = True
        except Refused as refused:
            reply = refusal(refused.code)
            if journey.record is not None:
                journey.record.error = refused.code
        self._answer(journey, reply, now)

    def _answer(self, journey: _Journey, reply: Reply, now: int) -> None:
        fate, ticket = journey.fate, journey.ticket
        ticket.due = now + fate.after
        if fate.cut:
            ticket.outcome = Cut()
        elif fate.page and fate.applied:
            ticket.outcome = page(fate.page)
        elif fate.error and fate.applied:
            ticket.outcome = refusal(fate.error)
        else:
            ticket.outcome = reply
        if journey.record is not None:
            journey.record.answered = journey.heard and ticket.outcome is reply


def _fate_of_copy(fate: Fate) -> Fate:
    """Return what happens to the second copy: nothing on its way in, and on its way out what the client is to see."""
    if not fate.second:
        return Fate(before=fate.before)
    page, error = (fate.page, fate.error) if fate.applied else (0, "")
    return Fate(before=fate.before, after=fate.after, cut=fate.cut, page=page, error=error, applied=fate.applied)


def _plain(params: Params, name: str) -> str:
    try:
        return params.text(name)
    except Refused:
        return ""
