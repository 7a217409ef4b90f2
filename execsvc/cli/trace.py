"""trace: an order's story as a table whose first line says its fate; with json the answer of ExplainOrder.

Asks once and changes nothing. The sentences are the gateway's own; only the first line is made here, of the order and the
times of its steps. What a kind of step means is told in docs/reference/timeline.md.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from execsvc.cli.options import Account, Output, Target, Timeout, talk
from execsvc.cli.output import Form, form_for, note, put_json, put_rows
from execsvc.cli.trade import GivenId, VenueId, name_one

if TYPE_CHECKING:
    from execsvc_client import Order, Story, TimelineEvent

CORRECTED = "a verdict told before was wrong: see CORRECTED"


def trace(
    given: GivenId = "",
    order_id: VenueId = "",
    account: Account = "",
    target: Target = "",
    timeout: Timeout = None,
    output: Output = None,
) -> None:
    """Tell an order's story: every wait, send, reply, doubt and verdict, with times."""
    form = form_for(output)
    name_one(given, order_id)
    story = talk(target, lambda client: client.explain(given, order_id=order_id, timeout=timeout), account=account)
    if form is Form.TABLE:
        _put_story(story)
        return
    from execsvc_client.raw import to_json

    if form is Form.JSON:
        put_json(to_json(story))
        return
    put_json({"order": to_json(story.order)}, lines=True)
    for event in story.events:
        put_json({"event": to_json(event)}, lines=True)


def _put_story(story: "Story") -> None:
    print(fate(story), flush=True)
    if not story.events:
        note("no step of it is kept any more: this is where it stands")
        return
    first = story.events[0].time
    offsets = [f"{(event.time - first).total_seconds():+.3f} s" for event in story.events]
    width = max(map(len, offsets))
    several = any(event.attempt for event in story.events)
    put_rows(
        (f"{first:%Y-%m-%d} UTC", "offset", *(("attempt",) if several else ()), "kind", "took", "what"),
        (
            (
                *(_time(event.time, first), offset.rjust(width), *((event.attempt,) if several else ())),
                *(event.kind.name, "" if event.took is None else _span(event.took), _what(event)),
            )
            for event, offset in zip(story.events, offsets, strict=True)
        ),
    )


def _time(at: datetime, first: datetime) -> str:
    """To the millisecond; with the date where it is another day than that of the first step."""
    return f"{'' if at.date() == first.date() else f'{at:%Y-%m-%d} '}{at:%H:%M:%S}.{at.microsecond // 1000:03d}"


def _span(span: timedelta) -> str:
    """A length, with about as many digits as one reads."""
    seconds = span.total_seconds()
    if abs(span) < timedelta(milliseconds=10):
        return f"{seconds * 1000:.1f} ms"
    if abs(span) < timedelta(seconds=1):
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if span < timedelta(minutes=1) else str(timedelta(seconds=round(seconds)))


def _what(event: "TimelineEvent") -> str:
    """The sentence, and what a reader would look up with it: the lane of a wait, the reason of a refusal."""
    reason = "" if event.error is None else event.error.reason
    named = [word for word in (event.waited_for, reason) if word and word not in event.text]
    return f"{event.text} [{', '.join(named)}]" if named else event.text


# --- the first line ----------------------------------------------------------------------------------------------


def fate(story: "Story") -> str:
    """The order's fate in a line, with how long it took where the story tells, and what may be done next."""
    order = story.order
    cancelling = " (cancelling)" if order.cancel_requested and not order.is_terminal else ""
    corrected = CORRECTED if any(event.kind.name == "CORRECTED" for event in story.events) else ""
    said = "; ".join(part for part in (_words(story), corrected) if part)
    return f"{order.client_order_id}: {order.status.name}{cancelling}{', ' if said else ''}{said}"


def _words(story: "Story") -> str:
    order = story.order
    reason = "" if order.end_error is None else f": {order.end_error.reason}"
    match order.status.name:
        case "SUBMITTED":
            return f"on its way{_spent(story)}; Kraken's answer is awaited"
        case "IN_DOUBT":
            return f"looked for and not sent again{_spent(story)}; repeat only with this id"
        case "PENDING" | "OPEN":
            return f"{_taken(story)}{_filled(order) if order.filled_quantity else ''}"
        case "FILLED":
            price = "" if order.average_price is None else f" at {order.average_price:f}"
            return f"{_taken(story, 'done')}{price}"
        case "CANCELLED" | "EXPIRED":
            return f"ended{_after(story)}{reason}{_filled(order)}"
        case "REJECTED":
            return f"refused{_after(story)}{reason}; a new try needs a new id"
        case "NOT_PLACED":
            return f"proved{_after(story)}; place anew under a new id"
        case "NEVER_SENT":
            return f"no byte of it left{reason}; the same id may be sent again"
        case _:
            return ""


def _settled(story: "Story") -> "TimelineEvent | None":
    """The newest step that brought the status which the order has now."""
    return next((event for event in reversed(story.events) if event.status == story.order.status), None)


def _began(story: "Story") -> datetime:
    """When the newest attempt was asked for."""
    asked = [event.time for event in story.events if event.kind.name == "RECEIVED"]
    return asked[-1] if asked else story.events[0].time


def _after(story: "Story") -> str:
    settled = _settled(story)
    return "" if settled is None else f" after {_span(settled.time - _began(story))}"


def _taken(story: "Story", word: str = "taken") -> str:
    settled = _settled(story)
    return f"{word if settled is None or settled.kind.name != 'RESOLVED' else 'found'}{_after(story)}"


def _spent(story: "Story") -> str:
    """How long it has been so: until the last step, which is made when it is told."""
    settled = _settled(story)
    return "" if settled is None else f", {_span(story.events[-1].time - settled.time)} so far"


def _filled(order: "Order") -> str:
    whole = "" if order.quantity is None else f" of {order.quantity:f}"
    return f", {order.filled_quantity:f}{whole} filled" if order.filled_quantity else ", nothing filled"
