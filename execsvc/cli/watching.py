"""What `watch` shows: a table redrawn in place, or one JSON object for each event; both say when prices are stale.

Time here is the reader's: the age of a price is counted on from when it came. Nothing is asked, only shown.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from decimal import Decimal
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from execsvc.cli.output import coloured, columns

if TYPE_CHECKING:
    from execsvc_client import Client, TickerEvent, TickerUpdate

REDRAW = 0.1  # seconds at least between two drawings
AGEING = 1.0  # seconds at most between two drawings
HEADS = ("symbol", "bid", "ask", "last", "24 h", "age", "state")


class View(Protocol):
    """Where events go."""

    def show(self, event: "TickerEvent") -> None:
        """One event."""
        ...


async def watch_until(client: "Client", symbols: Sequence[str], view: View, *, count: int, interval: float) -> None:
    """Show events until `count` updates were seen; for ever when 0."""
    from execsvc_client import TickerUpdate

    await client.server_info()  # nobody there is a failure; a gateway that goes away later is waited for
    seen = 0
    async with aclosing(client.watch(symbols, min_interval=interval, heartbeats=True)) as events:
        async for event in events:
            view.show(event)
            seen += isinstance(event, TickerUpdate)
            if count and seen >= count:
                return


async def watch_on_screen(
    client: "Client", symbols: Sequence[str], screen: "Screen", *, count: int, interval: float
) -> None:
    """The same, and prices grow old before the reader's eyes while nothing comes."""
    import asyncio  # as late as possible: tab completion loads this file

    try:
        async with asyncio.TaskGroup() as both:
            ageing = both.create_task(screen.grow_old())
            await watch_until(client, symbols, screen, count=count, interval=interval)
            ageing.cancel()
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None  # either ends the other: there is one


class Lines:
    """Each event as one JSON object with one key that says what it is; heartbeats stay out."""

    put: Callable[[Any], None]

    def show(self, event: "TickerEvent") -> None:
        """Hand the event on as JSON data."""
        plain = event_json(event)
        if plain is not None:
            self.put(plain)


def event_json(event: "TickerEvent") -> dict[str, Any] | None:
    """An event as JSON data; None for a heartbeat, which only keeps the stream alive."""
    from execsvc_client import Connected, Disconnected, Gap, StateChanged, TickerUpdate
    from execsvc_client.raw import to_json

    match event:
        case TickerUpdate():
            state = f"FEED_STATE_{event.state.name}"
            return {"ticker": to_json(event.ticker), "feedState": state, "snapshot": event.snapshot}
        case StateChanged():
            return {"stateChanged": {"feedState": f"FEED_STATE_{event.state.name}", "notLive": list(event.not_live)}}
        case Gap():
            gap = {"reason": f"GAP_REASON_{event.reason.name}", "symbols": list(event.symbols), "lostCount": event.lost}
            return {"gap": gap}
        case Connected():
            return {"connected": {"streamId": event.stream_id, "serverEpoch": event.server_epoch}}
        case Disconnected():
            wait = round(event.retry_in * 1000)
            return {"disconnected": {"reason": event.error.reason, "message": event.error.message, "retryInMs": wait}}
        case _:
            return None


class Screen:
    """A table that is drawn over itself; no larger than the window, for what is outside of it cannot be drawn over."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._rows: dict[str, tuple[TickerUpdate, float]] = {}
        self._old: set[str] = set()  # whose price is of a connection that was lost
        self._feed = ""
        self._not_live: frozenset[str] = frozenset()
        self._connected = False
        self._said = "connecting"
        self._drawn_lines = 0
        self._drawn_at = float("-inf")

    def show(self, event: "TickerEvent") -> None:
        """Take an event in, and draw if it is time to."""
        from execsvc_client import Connected, Disconnected, StateChanged, TickerUpdate

        now = self._clock()
        match event:
            case TickerUpdate():
                self._rows[event.ticker.symbol] = (event, now)
                self._old.discard(event.ticker.symbol)
            case StateChanged():
                self._feed, self._not_live = event.state.name, frozenset(event.not_live)
            case Connected():
                self._connected, self._said = True, ""
                self._feed, self._not_live, self._old = "", frozenset(), set(self._rows)
            case Disconnected():
                self._connected, self._said = False, f"again in {event.retry_in:.1f} s: {event.error.message}"
            case _:
                self._said = self._said if not self._connected else ""
        if now - self._drawn_at >= REDRAW or not isinstance(event, TickerUpdate):
            self._draw(now)

    async def grow_old(self) -> None:
        """Draw each second in which nothing came, for ever."""
        import asyncio

        while True:
            await asyncio.sleep(AGEING)
            if self._clock() - self._drawn_at >= AGEING:
                self._draw(self._clock())

    def _draw(self, now: float) -> None:
        self._drawn_at = now
        size = get_terminal_size()
        lines = self._lines(now, size.lines - 2)  # one for what is said, one for the cursor
        lines = [line[: size.columns] for line in lines]
        if said := self._said or ("" if len(lines) > 1 else "no price yet"):
            lines.append(coloured(said[: size.columns], "33", self._out))
        up = f"\x1b[{self._drawn_lines}F" if self._drawn_lines else ""
        spare = max(0, self._drawn_lines - len(lines))
        text = "".join(f"{line}\x1b[K\n" for line in [*lines, *[""] * spare])
        self._out.write(up + text)
        self._out.flush()
        self._drawn_lines = len(lines) + spare

    def _lines(self, now: float, most: int) -> list[str]:
        rows = {symbol: self._row(update, now - at) for symbol, (update, at) in self._rows.items()}
        for symbol in self._not_live - rows.keys():  # followed, and no price of it came yet
            rows[symbol] = (symbol, *[None] * (len(HEADS) - 2), self._feed if self._connected else "DISCONNECTED")
        lines = columns(HEADS, [rows[symbol] for symbol in sorted(rows)])
        if len(lines) > most:
            lines[most - 1 :] = [f"and {len(lines) - most + 1} more, for which the window is not tall enough"]
        return lines

    def _row(self, update: "TickerUpdate", age: float) -> tuple[object, ...]:
        ticker = update.ticker
        state = update.state.name
        if not self._connected:
            state = "DISCONNECTED"
        elif ticker.symbol in self._not_live | self._old:
            state = "STALE" if state == "LIVE" else state
        if ticker.polled and self._connected:
            state += ", over REST"  # the stream is away: a look every other second
        return (
            *(ticker.symbol, ticker.bid_price, ticker.ask_price, ticker.last_price),
            *(_percent(ticker.last_price, ticker.change_24h), f"{age:.1f} s", state),
        )


def _percent(last: Decimal | None, change: Decimal | None) -> str:
    """Change of the last price over 24 hours, in percent of what it was."""
    if last is None or change is None or last == change:
        return ""
    return f"{change / (last - change) * 100:+.2f} %"
