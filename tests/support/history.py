"""The history checker: what callers were told, against what the exchange did. It decides P1, P2, P3 and P6 of promises.md.

It shares no code with the house and knows none of its types: plain values in, findings out. An order is recognised at the
exchange by its quantity, which no other order of the history has. Times are seconds on one clock that nobody steps.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

PLACED = frozenset({"open", "filled", "cancelled", "expired"})
NEGATIVE = frozenset({"rejected", "not_placed"})
UNSENT = "never_sent"
REUSED = "CLIENT_ORDER_ID_REUSED"
ENDED = {"filled": {"closed"}, "cancelled": {"canceled", "expired"}, "expired": {"canceled", "expired"}}
TENURE_S = 2.0  # how long an owner may go on sending orders after it last knew that it is the owner
_ZERO = Decimal(0)


@dataclass(frozen=True)
class Told:
    """One answer: an order as it stands (`status`, in lower case), or a refusal (`reason`, and whether it used the id)."""

    status: str = ""
    venue_id: str = ""
    filled: Decimal = _ZERO
    cost: Decimal = _ZERO
    fee: Decimal = _ZERO
    cancel_wished: bool = False
    reason: str = ""
    id_used: bool | None = None


@dataclass(frozen=True)
class Call:
    """One call of a caller. told is None when it never heard; `excused` says that this was not the service's doing.

    `limit` is a placement's own: the order may enter the exchange until then.
    """

    verb: str
    order: str
    invoked: float
    ended: float
    content: Decimal | None = None
    limit: float = 0.0
    told: Told | None = None
    excused: bool = False


@dataclass(frozen=True)
class Entered:
    """One order the exchange accepted, as it stood at the end; status is Kraken's word."""

    venue_id: str
    quantity: Decimal
    at: float
    status: str
    filled: Decimal = _ZERO
    cost: Decimal = _ZERO
    fee: Decimal = _ZERO


@dataclass(frozen=True)
class Heard:
    """One private call that reached the exchange. admitted: key, signature and nonce held; applied: it was carried out."""

    at: float
    sent: float
    owner: int
    nonce: int
    method: str
    admitted: bool
    applied: bool


@dataclass(frozen=True)
class History:
    """Everything about one run. `finals` is the last look at every order id (None: not known there).

    `superseded` says when an owner (by its epoch) was followed by the next one.
    """

    calls: Sequence[Call]
    entered: Sequence[Entered]
    heard: Sequence[Heard] = ()
    finals: Mapping[str, Told | None] | None = None
    superseded: Mapping[int, float] | None = None


@dataclass(frozen=True)
class Finding:
    """One broken rule."""

    rule: str
    what: str

    def __str__(self):
        return f"{self.rule}: {self.what}"


def judge(history: History) -> list[Finding]:
    """Every broken rule, by rule and order."""
    calls, there, found = _sorted_out(history)
    for order in sorted(calls):
        places = _places(calls[order])
        found += _once(order, places, there[order])
        found += _truth(order, calls[order], places, there[order])
        found += _steady(order, places, (history.finals or {}).get(order))
        found += _in_time(order, places, there[order])
    return [*found, *ends(history), *_nonces(history.heard), *_owners(history.heard, history.superseded or {})]


def ends(history: History) -> list[Finding]:
    """What is wrong with the last look alone: a little later it may be right."""
    calls, there, _ = _sorted_out(history)
    found: list[Finding] = []
    for order, final in sorted((history.finals or {}).items()):
        found += _end(order, final, _places(calls[order]), there[order])
    return found


def _sorted_out(history):
    """Calls by order id, what entered by order id, and a finding for whatever entered uncalled for."""
    calls, there, found = defaultdict(list), defaultdict(list), []
    owners = {call.content: call.order for call in history.calls if call.verb == "place"}
    for call in history.calls:
        calls[call.order].append(call)
    for entered in history.entered:
        if entered.quantity in owners:
            there[owners[entered.quantity]].append(entered)
        else:
            what = f"{entered.venue_id} of {entered.quantity} entered, and nobody asked for it"
            found.append(Finding("P1.asked", what))
    return calls, there, found


def _places(calls):
    return [call for call in calls if call.verb == "place"]


def _once(order, places, there):
    """P1: one id, one order, one content."""
    if len(there) > 1:
        yield Finding(
            "P1.once", f"{order} is at the exchange {len(there)} times: {', '.join(e.venue_id for e in there)}"
        )
    taken = {call.content for call in places if call.told is not None and call.told.status}
    if len(taken) > 1:
        yield Finding("P1.content", f"{order} was taken for {len(taken)} contents: {sorted(taken)}")


def _truth(order, looks, places, there):
    """P2: no answer is contradicted by the exchange, earlier or later."""
    for call in looks:
        told = call.told
        if told is None:
            if not call.excused:
                yield Finding("P2.silent", f"{call.verb} of {order} at {call.invoked:.3f} was never answered")
            continue
        mine = [each for each in there if call.content in (None, each.quantity)]
        if told.status:
            yield from _status(order, told, call, mine)
        elif call.verb == "place" and mine:
            if told.id_used:
                yield Finding("P2.negative", f"{order} was told {told.reason}, and is there as {mine[0].venue_id}")
            elif not _another(call, places, mine[0]):
                yield Finding(
                    "P2.unsent", f"{order} was told {told.reason} (not sent), and is there as {mine[0].venue_id}"
                )


def _status(order, told, call, mine):
    seen = mine[0] if mine else None
    where = f"{call.verb} of {order} at {call.ended:.3f}"
    if told.status in NEGATIVE and seen is not None:
        yield Finding("P2.negative", f"{where} told {told.status}, and it is there as {seen.venue_id}")
    elif told.status == UNSENT and seen is not None and seen.at < call.invoked:
        yield Finding("P2.unsent", f"{where} told never_sent, and it is there as {seen.venue_id}")
    elif told.status in PLACED:
        match = next((each for each in mine if each.venue_id == told.venue_id and each.at <= call.ended), None)
        if match is None:
            yield Finding(
                "P2.positive", f"{where} told {told.status} as {told.venue_id!r}, and the exchange has no such order"
            )
        elif told.filled > match.filled or match.status not in ENDED.get(told.status, {match.status}):
            yield Finding(
                "P2.positive", f"{where} told {told.status} {told.filled}, yet it is {match.status} {match.filled}"
            )


def _steady(order, places, final):
    """P2: a verdict that was told stays what it was."""
    verdicts = {_verdict(call.told) for call in places if call.told is not None and not _conflict(call)}
    last = "" if final is None else _verdict(final)
    told = sorted({*verdicts, last} - {"", UNSENT})
    if len(told) > 1:
        yield Finding("P2.changed", f"{order} was told as {' and as '.join(told)}")
    if verdicts == {UNSENT} and last in NEGATIVE and all(call.told is not None for call in places):
        yield Finding("P2.changed", f"{order} was told as never sent, and ends as {last}")


def _verdict(told):
    """The word for what an answer settles; empty where it settles nothing."""
    if told.status:
        return "placed" if told.status in PLACED else told.status if told.status in NEGATIVE | {UNSENT} else ""
    if told.id_used is None:
        return ""
    if not told.id_used:
        return UNSENT
    return "not_placed" if told.reason == "NOT_PLACED" else "rejected"


def _another(call, places, entered):
    """Whether another call may have placed it: one that was not told as unsent itself, and had begun by then."""
    return any(
        other is not call
        and other.content == entered.quantity
        and other.invoked <= entered.at
        and (other.told is None or other.told.id_used is not False)
        for other in places
    )


def _in_time(order, places, there):
    """P6: nothing enters after the caller's time was over."""
    for entered in there:
        limits = [call.limit for call in places if call.content == entered.quantity and call.invoked <= entered.at]
        if not limits:
            yield Finding("P6", f"{order} entered at {entered.at:.3f}, before anybody asked")
        elif entered.at > max(limits):
            late_s = entered.at - max(limits)
            yield Finding("P6", f"{order} entered at {entered.at:.3f}, {late_s:.3f} s after the caller's time was over")


def _end(order, final, places, there):
    """P2: at the end everything is definite, and the journal says what the exchange says."""
    seen = there[0] if there else None
    if final is None:
        if seen is not None:
            yield Finding("P2.forgotten", f"{order} is at the exchange as {seen.venue_id}, and nobody here knows it")
        elif any(
            call.told is not None and (call.told.status or call.told.id_used) for call in places if not _conflict(call)
        ):
            yield Finding("P2.forgotten", f"{order} was told as known, and is not known any more")
        return
    if final.status not in PLACED | NEGATIVE | {UNSENT}:
        yield Finding("stuck", f"{order} is still {final.status}" + (f", and there as {seen.venue_id}" if seen else ""))
        return
    if seen is None:
        if final.status in PLACED:
            yield Finding("P2.positive", f"{order} ends as {final.status}, and the exchange never had it")
        return
    if final.status not in PLACED:
        yield Finding("P2.negative", f"{order} ends as {final.status}, and is there as {seen.venue_id}")
        return
    told, true = (final.filled, final.cost, final.fee), (seen.filled, seen.cost, seen.fee)
    if told != true:
        yield Finding("P2.fills", f"{order} ends with {_figures(told)}, at the exchange {_figures(true)}")
    if (final.status == "open") is not (seen.status == "open"):
        yield Finding("P2.fills", f"{order} ends as {final.status}, at the exchange it is {seen.status}")
    if final.cancel_wished and seen.status == "open":
        yield Finding("P2.wish", f"{order} was to be cancelled, and is still open at the exchange")


def _conflict(call):
    return call.told is not None and call.told.reason == REUSED


def _figures(figures):
    return "filled {}, cost {}, fee {}".format(*(each.normalize() for each in figures))


def _nonces(heard):
    """P3: the nonces that are let in only rise."""
    let_in = [call for call in heard if call.admitted]
    for before, after in pairwise(let_in):
        if after.nonce <= before.nonce:
            yield Finding("P3.rise", f"{after.method} came in with nonce {after.nonce} after {before.nonce}")


def _owners(heard, superseded):
    """P3: after the next owner's first accepted call nothing of the last one gets in, and its time to send ends before."""
    newest, since = 0, 0.0
    for call in heard:
        if call.admitted and call.owner < newest:
            yield Finding(
                "P3.stale",
                f"{call.method} of owner {call.owner} came in at {call.at:.3f}, after owner {newest} did at {since:.3f}",
            )
        elif call.applied and call.owner > newest:
            newest, since = call.owner, call.at
        over = superseded.get(call.owner)
        if call.method == "AddOrder" and over is not None and call.sent > over + TENURE_S:
            yield Finding(
                "P3.tenure", f"owner {call.owner} sent an order at {call.sent:.3f}, superseded since {over:.3f}"
            )
