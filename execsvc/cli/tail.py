"""The verb `tail`: every order change and fill as it happens, lossless across reconnects and, by its token, across runs.

The client library follows and resumes; here is what is shown of it, and where the next run goes on. A table that grows
line by line on a terminal, one JSON object for each event otherwise. What `watch` shows alike is in watching.py.
"""

import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TextIO

import typer

from execsvc.cli.exits import BAD_USAGE, Stopped
from execsvc.cli.look import mode_words
from execsvc.cli.options import Account, Output, Target, complete_symbol, talk
from execsvc.cli.output import Form, coloured, form_for, note, put_json, text_of
from execsvc.cli.watching import event_json
from execsvc.cli.whose import ToSee, Whose

if TYPE_CHECKING:
    from execsvc_client import Client, FillUpdate, Order, OrderEvent

EXPIRED = "RESUME_TOKEN_EXPIRED"
MISSED = "what happened in between is not told here: execsvc order list, execsvc call ListFills"
YELLOW = "33"


def tail(
    symbols: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SYMBOL",
            help="Only these pairs, in any spelling Kraken uses; absent: all.",
            autocompletion=complete_symbol,
        ),
    ] = None,
    *,
    whose: ToSee = Whose.OWN,
    since: Annotated[
        str,
        typer.Option("--since", metavar="RESUME_TOKEN", help="Go on behind this place, without the open orders first."),
    ] = "",
    count: Annotated[int, typer.Option("--count", min=0, help="Stop after so many changes and fills; 0: never.")] = 0,
    account: Account = "",
    target: Target = "",
    output: Output = None,
) -> None:
    """Follow orders and fills until interrupted: lines of a table on a terminal, JSON lines otherwise.

    The open orders come first. A gateway that goes away is waited for, and nothing is missed. At the end the command that
    goes on from there is said on stderr; as JSON every line has its resumeToken.
    """
    form = form_for(output, stream=True)
    if form is Form.JSON and not count:
        raise Stopped(BAD_USAGE, "one JSON value needs an end: give --count, or -o jsonl")
    wanted = Wanted(tuple(symbols or ()), whose=whose, account=account, target=target)
    place = Place(since)
    collected: list[Any] = []
    view: View
    if form is Form.TABLE:
        view = Log(sys.stdout, with_callers=whose is not Whose.OWN)
    else:
        view = Lines(collected.append if form is Form.JSON else lambda event: put_json(event, lines=True))
    with _going_on(place, wanted, at_once=form is not Form.JSON):
        talk(target, lambda client: tail_until(client, wanted, place, view, count=count), account=account)
        if form is Form.JSON:
            put_json(collected)


@dataclass(frozen=True)
class Wanted:
    """What is followed, as it was typed."""

    symbols: tuple[str, ...]
    whose: Whose = Whose.OWN
    account: str = ""
    target: str = ""

    def command(self, token: str) -> str:
        """The command line that goes on behind the token's place."""
        words = ["execsvc", "tail", "--since", token, *self.symbols]
        whose = "" if self.whose is Whose.OWN else self.whose.value
        for option, value in (("--whose", whose), ("--account", self.account), ("--target", self.target)):
            words += [option, value] if value else []
        return shlex.join(words)


@dataclass
class Place:
    """How far it was shown. `since` was given, `token` is empty while there is no place to go on from."""

    since: str = ""
    token: str = ""

    def passed(self, event: "OrderEvent") -> None:
        """This event has been shown."""
        from execsvc_client import Connected, FillUpdate, ModeUpdate, OpenOrders, OrderUpdate

        match event:
            case Connected():
                self.token = (self.token or self.since) if event.resumed else ""
            case OrderUpdate() | FillUpdate() | OpenOrders() | ModeUpdate():
                self.token = event.resume_token
            case _:
                return


@contextmanager
def _going_on(place: Place, wanted: Wanted, *, at_once: bool) -> Iterator[None]:
    """Says at the end how to go on. Not where what was read last may never have been seen: a broken pipe, one JSON value."""
    seen = at_once
    try:
        yield
        seen = True
    except BrokenPipeError:
        seen = False
        raise
    finally:
        if seen and place.token:
            note(f"resume with: {wanted.command(place.token)}")


class View(Protocol):
    """Where events go."""

    def show(self, event: "OrderEvent") -> None:
        """One event."""
        ...


async def tail_until(client: "Client", wanted: Wanted, place: Place, view: View, *, count: int) -> None:
    """Show events until `count` changes and fills were seen; for ever when 0.

    Raises RESUME_TOKEN_EXPIRED for the token that was given. One that expires on the way is shown, and a snapshot follows.
    """
    from execsvc_client import Connected, Disconnected, FillUpdate, OrderUpdate

    await client.server_info()  # nobody there is a failure; a gateway that goes away later is waited for
    given, seen = bool(place.since), 0
    stream = client.orders_stream(resume_token=place.since or None, symbols=wanted.symbols, scope=wanted.whose.scope)
    async with aclosing(stream) as events:
        async for event in events:
            if given and isinstance(event, Disconnected) and event.error.reason == EXPIRED:
                facts = event.error.facts
                raise type(event.error)(replace(facts, message=f"{facts.message}; {MISSED}"))
            given = given and not isinstance(event, Connected)
            view.show(event)
            place.passed(event)
            seen += isinstance(event, OrderUpdate | FillUpdate)
            if count and seen >= count:
                return


class Lines:
    """Each event as one JSON object: a key that says what it is, the feed's state, and the place behind it."""

    def __init__(self, put: Callable[[Any], None]) -> None:
        self._put = put

    def show(self, event: "OrderEvent") -> None:
        """Hand the event on as JSON data."""
        from execsvc_client import Connected, FillUpdate, ModeUpdate, OpenOrders, OrderUpdate
        from execsvc_client.raw import to_json

        match event:
            case OrderUpdate():
                plain = {"order": to_json(event.order)}
            case FillUpdate():
                plain = {"fill": to_json(event.fill)}
            case OpenOrders():
                plain = {"snapshot": {"orders": to_json(event.orders), "complete": True}}
            case ModeUpdate():
                plain = {"tradingMode": to_json(event.entry)}
            case Connected():
                said = {"streamId": event.stream_id, "serverEpoch": event.server_epoch, "resumed": event.resumed}
                self._put({"connected": said})
                return
            case _:
                if (other := event_json(event)) is not None:
                    self._put(other)
                return
        self._put({**plain, "feedState": f"FEED_STATE_{event.state.name}", "resumeToken": event.resume_token})


_HEADS = ("time UTC", "event", "symbol", "side", "quantity", "price", "filled", "status", "feed", "client order id")
_LEAST = (18, 5, 8, 4, 12, 10, 12, 21, 4, 0)  # a line is printed before the next one is known
_RIGHT = frozenset({4, 5, 6})


class Log:
    """A table that grows by a line an event; what is no order or fill is said in words between."""

    def __init__(self, out: TextIO, *, with_callers: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._callers = with_callers
        self._widths = [max(least, len(head)) for head, least in zip(_HEADS, _LEAST, strict=True)]
        self._feed = ""
        self._lost_at: float | None = None
        self._headed = False

    def show(self, event: "OrderEvent") -> None:
        """A line for an order or a fill, a sentence for everything else but heartbeats; the heads before the first."""
        from execsvc_client import FillUpdate, OpenOrders, OrderUpdate, StateChanged

        if not self._headed:
            self._headed = True
            self._put_line(_HEADS, "caller")
        match event:
            case OrderUpdate():
                self._put_order("order", event.order)
            case FillUpdate():
                self._put_fill(event)
            case OpenOrders():
                self._say(f"{len(event.orders) or 'no'} open order{'' if len(event.orders) == 1 else 's'}")
                for each in event.orders:
                    self._put_order("open", each)
            case StateChanged():
                self._feed = event.state.name
                doubt = "" if self._feed == "LIVE" else ": what happens at the exchange may show late"
                self._say(f"private feed {self._feed}{doubt}", "" if self._feed == "LIVE" else YELLOW)
            case _:
                self._told(event)

    def _told(self, event: "OrderEvent") -> None:
        """What happened to the stream itself."""
        from execsvc_client import Connected, Disconnected, Gap, ModeUpdate

        match event:
            case Connected():
                self._say(self._connected(resumed=event.resumed))
                self._feed, self._lost_at = "", None
            case Disconnected(error=error):
                self._lost_at = self._clock() if self._lost_at is None else self._lost_at
                why = f"{error.message}; {MISSED}" if error.reason == EXPIRED else error.message
                self._say(f"disconnected: {why}; again in {event.retry_in:.1f} s", YELLOW)
            case Gap():
                pairs = f" of {', '.join(event.symbols)}" if event.symbols else ""
                lost = "" if event.lost is None else f", {event.lost} lost"
                self._say(f"gap{pairs}: {event.reason.name}{lost}; the open orders that follow are the truth", YELLOW)
            case ModeUpdate():
                self._say(f"trading mode {mode_words(event.entry)}", YELLOW)
            case _:
                return

    def _connected(self, *, resumed: bool) -> str:
        again = "" if self._lost_at is None else f" again after {self._clock() - self._lost_at:.1f} s"
        return f"connected{again}: {'nothing was missed' if resumed else 'the open orders follow'}"

    def _put_order(self, event: str, order: "Order") -> None:
        price = order.type if order.limit_price is None else order.limit_price
        ended = "" if order.end_error is None else f" {order.end_error.reason}"
        wish = " (cancelling)" if order.cancel_requested and not order.is_terminal else ""
        cells = (
            *(_stamp(order.update_time), event, order.symbol, order.side.name.lower(), order.quantity, price),
            *(order.filled_quantity, f"{order.status.name}{ended}{wish}", self._feed),
            order.client_order_id or order.order_id,
        )
        self._put_line(cells, order.caller, YELLOW if order.status.name == "IN_DOUBT" else "")

    def _put_fill(self, update: "FillUpdate") -> None:
        fill = update.fill
        fees = ", ".join(f"{fee.amount:f} {fee.asset}" for fee in fill.fees)
        cells = (
            *(_stamp(fill.times.venue or fill.times.received), "fill", fill.symbol, fill.side.name.lower()),
            *(fill.quantity, fill.price, None, f"{'maker' if fill.maker else 'taker'}, fee {fees or 'none'}"),
            *(self._feed, fill.client_order_id or fill.order_id),
        )
        self._put_line(cells, fill.caller)

    def _put_line(self, cells: Sequence[object], caller: str, colour: str = "") -> None:
        texts = [text_of(cell) for cell in cells]
        self._widths = [max(width, len(text)) for width, text in zip(self._widths, texts, strict=True)]
        placed = [
            text.rjust(width) if at in _RIGHT else text.ljust(width)
            for at, (text, width) in enumerate(zip(texts, self._widths, strict=True))
        ]
        self._say("  ".join([*placed, *([caller] if self._callers else [])]).rstrip(), colour)

    def _say(self, line: str, colour: str = "") -> None:
        self._out.write(f"{coloured(line, colour, self._out) if colour else line}\n")
        self._out.flush()


def _stamp(at: datetime | None) -> str:
    """Day and time, to the millisecond."""
    return "" if at is None else f"{at:%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"
