"""Watching: what is printed of each event, and the table that is drawn over itself, which is never wrong about LIVE."""

import asyncio
import io
import itertools
import re

import grpc
import pytest
from execsvc_client import (
    Client,
    Connected,
    Disconnected,
    ExecsvcError,
    Facts,
    FeedState,
    NotFound,
    StateChanged,
    TickerUpdate,
)
from execsvc_client._market import read_ticker

from execsvc.cli.watching import REDRAW, Screen, watch_on_screen
from tests.unit.cli.conftest import ticks

LOST = ExecsvcError(Facts(grpc.StatusCode.UNAVAILABLE, "Socket closed"))


def test_watch_prints_one_object_an_event(execsvc, gateway):
    """Piped, every event is a line with one key that says what it is."""
    gateway.script("SubscribeTickers", ticks("9", "9.5"))
    said = execsvc("watch", "BTC/USD", "--count", "2", "--interval", "0.5")
    connected, first, second = said.lines
    assert connected == {"connected": {"streamId": "s-1", "serverEpoch": ""}}
    assert ("9", "9.5") == (first["ticker"]["bidPrice"], second["ticker"]["bidPrice"])
    assert first["feedState"] == "FEED_STATE_LIVE"
    assert gateway.requests["SubscribeTickers"][0].delivery.min_interval.ToMilliseconds() == 500


def test_watch_as_one_json_value_needs_an_end(execsvc, gateway):
    """-o json is one value: an array when --count ends it, a mistake when nothing does."""
    gateway.script("SubscribeTickers", ticks("9"))
    assert execsvc("watch", "BTC/USD", "-o", "json").code == 2
    assert ["connected", "ticker"] == [
        next(iter(each)) for each in execsvc("watch", "BTC/USD", "--count", "1", "-o", "json").json
    ]


def test_watch_of_an_unknown_pair_is_exit_2(execsvc, gateway, fail):
    """What the stream cannot mend is told as any other failure, as a line."""
    gateway.script("SubscribeTickers", fail(grpc.StatusCode.NOT_FOUND, "UNKNOWN_SYMBOL"))
    said = execsvc("watch", "NOPE/USD")
    assert (2, "UNKNOWN_SYMBOL") == (said.code, said.lines[0]["error"]["reason"])


def test_watch_without_a_gateway_is_exit_4(execsvc):
    """A gateway that never was there is a failure, not something to wait for."""
    assert execsvc("watch", "BTC/USD", "--target", "127.0.0.1:1").code == 4


def test_watch_says_what_was_read_over_rest(execsvc, gateway):
    """Each line has it, beside the state of the feed."""
    script = ticks("9", "9.5")
    script[2].meta.feed_state = 2
    script[2].update.tickers[0].polled = True
    gateway.script("SubscribeTickers", script)
    _, told, read = execsvc("watch", "BTC/USD", "--count", "2").lines
    assert [(False, "FEED_STATE_LIVE"), (True, "FEED_STATE_STALE")] == [
        (line["ticker"]["polled"], line["feedState"]) for line in (told, read)
    ]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def update(bid):
    wire = ticks(bid)[1].update.tickers[0]
    return TickerUpdate(read_ticker(wire), FeedState.LIVE, False, 0, None)


def test_screen_draws_over_itself(monkeypatch):
    """The table is redrawn in place, not more often than an eye can follow, and shows age, change and state."""
    monkeypatch.setenv("NO_COLOR", "1")
    now = [100.0]
    screen = Screen(Terminal(), lambda: now[0])
    screen.show(Connected("s", "e"))
    assert "no price yet" in screen._out.getvalue()
    screen._out.truncate(0)
    now[0] += 1
    screen.show(update("9"))
    drawn = screen._out.getvalue()
    assert drawn.lstrip("\0").startswith("\x1b[2F")
    assert "no price yet" not in drawn
    assert "BTC/USD    9   11    10  +11.11 %  0.0 s  LIVE\x1b[K\n" in drawn
    length = len(screen._out.getvalue())
    now[0] += REDRAW / 2
    screen.show(update("8"))
    assert length == len(screen._out.getvalue())
    now[0] += REDRAW
    screen.show(update("7"))
    assert len(screen._out.getvalue()) > length


def test_screen_says_when_prices_are_old(monkeypatch):
    """A stale symbol and a lost stream show in the row and below it."""
    monkeypatch.setenv("NO_COLOR", "1")
    screen = Screen(Terminal(), lambda: 0.0)
    screen.show(Connected("s", "e"))
    screen.show(update("9"))
    screen.show(StateChanged(FeedState.STALE, ("BTC/USD",)))
    assert "STALE" in screen._out.getvalue()
    screen.show(Disconnected(LOST, 0.25))
    assert "DISCONNECTED" in screen._out.getvalue()
    assert "again in 0.2 s: Socket closed" in screen._out.getvalue()


def test_screen_says_what_was_read_over_rest(monkeypatch):
    """Behind the state, until a price of the stream takes its place."""
    monkeypatch.setenv("NO_COLOR", "1")
    wire = ticks("9")[1].update.tickers[0]
    wire.polled = True
    screen = Screen(Terminal(), itertools.count().__next__)
    screen.show(Connected("s", "e"))
    screen.show(TickerUpdate(read_ticker(wire), FeedState.STALE, False, 0, None))
    screen.show(update("9"))
    states = [
        line.split(" s  ")[1].removesuffix("\x1b[K") for line in screen._out.getvalue().splitlines() if " s  " in line
    ]
    assert ["STALE, over REST", "LIVE"] == states


def shown(screen):
    """The lines of the last drawing, without what only a terminal reads."""
    return re.split(r"\x1b\[\d+F", screen._out.getvalue())[-1].replace("\x1b[K", "").splitlines()


def test_screen_takes_no_price_of_a_lost_connection_for_live(monkeypatch):
    """Until the new one tells it: a gateway that comes back may have no feed."""
    monkeypatch.setenv("NO_COLOR", "1")
    screen = Screen(Terminal(), itertools.count().__next__)
    states = []
    for event in (Connected("s", "e"), update("9"), Disconnected(LOST, 0.2), Connected("s", "f"), update("8")):
        screen.show(event)
        states += [line.split()[-1] for line in shown(screen) if line.startswith("BTC/USD")]
    assert ["LIVE", "DISCONNECTED", "STALE", "LIVE"] == states


def test_screen_shows_a_pair_that_has_no_price(monkeypatch):
    """With the state of the feed and nothing else, from the first heartbeat on that says it is not LIVE."""
    monkeypatch.setenv("NO_COLOR", "1")
    screen = Screen(Terminal(), itertools.count().__next__)
    screen.show(Connected("s", "e"))
    screen.show(StateChanged(FeedState.RESYNCING, ("BTC/USD", "ETH/USD")))
    screen.show(update("9"))
    priced, bare = map(str.split, shown(screen)[1:])
    assert (["BTC/USD", "9"], ["ETH/USD", "RESYNCING"]) == (priced[:2], bare)


async def test_screen_that_ends_by_a_failure_says_which(gateway, fail):
    """As lines do: what the gateway refused is raised as it is, and nothing goes on drawing."""
    gateway.script("SubscribeTickers", fail(grpc.StatusCode.NOT_FOUND, "UNKNOWN_SYMBOL"))
    async with Client(gateway.target) as client:
        with pytest.raises(NotFound, match="UNKNOWN_SYMBOL"):
            await watch_on_screen(client, ["NOPE/USD"], Screen(Terminal()), count=0, interval=0.0)
    assert {asyncio.current_task()} == asyncio.all_tasks()


async def test_screen_counts_the_age_on_while_nothing_comes(monkeypatch):
    """Each second, without an event."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("execsvc.cli.watching.AGEING", 0.01)
    now = [0.0]
    screen = Screen(Terminal(), lambda: now[0])
    for event in (Connected("s", "e"), update("9"), Disconnected(LOST, 5.0)):
        screen.show(event)
    ageing = asyncio.create_task(screen.grow_old())
    ages = []
    for now[0] in (3.0, 4.0):
        await asyncio.sleep(0.05)
        ages += [line.split()[-3] for line in shown(screen) if line.startswith("BTC/USD")]
    ageing.cancel()
    assert ["3.0", "4.0"] == ages


def test_screen_stays_inside_of_the_window(monkeypatch):
    """A line that wraps, or one above the upper edge, would not be drawn over."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("LINES", "6")
    screen = Screen(Terminal(), itertools.count().__next__)
    screen.show(Connected("s", "e"))
    screen.show(StateChanged(FeedState.STALE, tuple(f"A{number}/USD" for number in range(9))))
    screen.show(Disconnected(LOST, 0.2))
    assert [
        *("symbol  bid  ask  last  24 h", "A0/USD", "A1/USD"),
        *("and 7 more, for which the wind", "again in 0.2 s: Socket closed"),
    ] == [line.rstrip() for line in shown(screen)]
