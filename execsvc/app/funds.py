"""An account's funds: one whole picture of BalanceEx, asked for again only when the private stream tells of news.

What open orders hold is told by no channel, and a total of one moment beside a hold of another is a figure that never was.
So a picture is always one whole answer, never a mixture; the channel `balances` says when it is out of date, and proves an
answer by its totals, for Kraken's queries may lag. Where that channel is refused, orders alone tell: then the funds are
STALE, and `problems` says why. How a picture becomes a stream is app/fundsreader.py, and then rpc's business.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from decimal import Decimal

from execsvc.app.feeds import STALENESS_BOUND_S
from execsvc.app.fundscheck import ToldTotals
from execsvc.domain.account import Balance
from execsvc.domain.errors import Busy, Declined, Fault, ProtocolBroken, Reason, error_of, refuse
from execsvc.domain.market import FeedState, LinkDown, LinkUp
from execsvc.ports import (
    BalanceSeen,
    BalancesRefused,
    BalancesSnapshot,
    Clock,
    ExecutionSeen,
    OrdersSnapshot,
    PrivateEvent,
    PrivateVenue,
    Tasks,
)

SPACING_S = 2.0  # between two reads while the stream is LIVE, however much it tells
BURST_S = 0.1  # news come in bursts: one order is half a dozen messages
LINGER_S = 30.0  # a picture is kept current for so long after somebody asked
READ_S, READ_MOST_S = 5.0, 10.0
LOOK_S = 0.5
RETRY_MOST_S = 8.0
TOLD_MOST_S = 300.0  # what no channel tells (a credit line, a hold for a withdrawal) shows within this
UNTOLD_MOST_S = 30.0  # the same while the channel `balances` is refused: a deposit too, then
SETTLED_S = 5.0  # holds cannot be proved: an answer read this soon after news is looked at again after UNTOLD_MOST_S


@dataclass(frozen=True)
class Picture:
    """One whole answer: what is not zero, by asset, and how often each asset has changed on this link.

    moves: the news that it holds for certain; at: monotonic, when it was asked for; read_ns: when the answer was read.
    """

    balances: Mapping[str, Balance]
    changes: Mapping[str, int]
    moves: int
    at: float
    read_ns: int


class Funds:
    """One account's. `heard` must be given every event of the private stream, in order; `feed` is that stream's state."""

    def __init__(self, *, venue: PrivateVenue, clock: Clock, tasks: Tasks, feed: Callable[[], FeedState]) -> None:
        self._venue = venue
        self._clock = clock
        self._tasks = tasks
        self._feed = feed
        self._told = ToldTotals(clock)
        self._moved_at = 0.0
        self._overtaken_at: float | None = None
        self._overtaken_since_read: float | None = None
        self._slot = 0.0  # monotonic; no read before it
        self._reading = False
        self._failure: Fault | None = None
        self._failures = self._failed_in_a_row = 0
        self._refused = ""  # why the stream does not tell of balances
        self._caller = ""
        self._until = 0.0  # monotonic: how long the most patient of those who ask can wait
        self._asked_until = 0.0  # monotonic; the picture is kept current till then
        self._readers = 0
        self._working = False
        self._news = asyncio.Event()
        self.picture: Picture | None = None
        self.moves = 0  # news of this account so far: while none comes, funds are what they were
        self.heard_ns: int | None = None  # when the stream last said anything
        self.link = 0  # connections of the stream so far: a picture is one connection's

    def __repr__(self) -> str:
        return f"<Funds of link {self.link}, {self.moves} moves, {self._readers} readers>"

    @property
    def state(self) -> FeedState:
        """LIVE: the stream is and tells of balances, and what it told more than the staleness bound ago is in the picture."""
        if self._feed() is not FeedState.LIVE or self.picture is None:
            return self.unread_state
        if self._refused:
            return FeedState.STALE
        late = self._overtaken_at is not None and self._clock.monotonic() - self._overtaken_at > STALENESS_BOUND_S
        return FeedState.STALE if late else FeedState.LIVE

    @property
    def unread_state(self) -> FeedState:
        """As long as no picture was read: that of the stream, and RESYNCING where that is LIVE."""
        feed = self._feed()
        return FeedState.RESYNCING if feed is FeedState.LIVE else feed

    @property
    def problems(self) -> tuple[str, ...]:
        """What a person has to know, in words."""
        if not self._refused:
            return ()
        told = (
            f"Kraken does not tell of balances ({self._refused}): they are read over REST when an order moves and each "
            f"{UNTOLD_MOST_S:g} s, and count as STALE; if that lasts, see that the API key has the permission query-funds"
        )
        return (told,)

    def heard(self, event: PrivateEvent) -> None:
        """Takes in what the stream told."""
        if isinstance(event, LinkDown):
            return
        self.heard_ns = self._clock.wall_ns()
        match event:
            case LinkUp(_):
                self.link += 1
                self._refused = ""
                self.picture = None
                self._told.forget()
                self._overtaken()
            case OrdersSnapshot(_) | ExecutionSeen():
                self._overtaken()
            case BalancesRefused(why):
                self._refused = why
                self._announce()
            case BalancesSnapshot(rows):
                self._refused = ""
                self._told.begin(rows)
                if self.picture is not None and not self._told.agrees(self.picture.balances):
                    self._overtaken()
            case BalanceSeen():
                self._told.add(event)
                if event.total is None or self.picture is None or _total(self.picture, event.asset) != event.total:
                    self._overtaken()
            case _:
                return  # a sign of life: `feed` tells the rest

    @contextmanager
    def read_by(self, caller: str) -> Iterator[None]:
        """While the block runs, the picture is kept current for somebody who reads along."""
        self._readers += 1
        self._caller = caller
        self._work_on()
        try:
            yield
        finally:
            self._readers -= 1

    async def balances(self, by: float, *, caller: str = "") -> tuple[Balance, ...]:
        """What is not zero; it holds all that the stream told before the question. Each says when it was read.

        Where our own bounds forbid to ask Kraken by then (LOCAL_RATE_LIMITED, SPACING_S), the last picture as it is: its
        times say how old. While the stream is not LIVE each question is Kraken's to answer. Raises what the read raises.
        """
        if self._feed() is not FeedState.LIVE:
            return await self._venue.balances(by, caller=caller)
        self._asked_until = self._clock.monotonic() + LINGER_S
        self._caller, self._until = caller, max(by, self._until)
        since, link, failures = self.moves, self.link, self._failures
        self._work_on()
        while not self._holds(since):
            if self._feed() is not FeedState.LIVE or self.link != link:
                return await self._venue.balances(by, caller=caller)
            too_late = self._slot > by and not self._reading
            failure = self._failure if self._failures != failures or (too_late and self._failed_in_a_row) else None
            ours = failure is None or failure.reason is Reason.LOCAL_RATE_LIMITED
            if self.picture is not None and ours and (failure is not None or too_late):
                break
            if failure is not None:
                raise error_of(self._as_of_now(failure))
            if self._clock.monotonic() >= by:
                raise refuse(Reason.READ_TIMEOUT, "Kraken did not answer in the time given")
            await self.changed(by)
        picture = self.picture
        return () if picture is None else tuple(picture.balances.values())

    async def changed(self, by: float) -> None:
        """Waits for news of picture or link, until monotonic `by` at the most."""
        with suppress(TimeoutError):
            async with self._clock.timeout_at(by):
                await self._news.wait()

    # ---- keeping it current ---------------------------------------------------------------------------------------

    def _as_of_now(self, failure: Fault) -> Fault:
        """A wait that was exact when it was told is by now shorter."""
        left_s = max(0.0, self._slot - self._clock.monotonic())
        return failure if failure.retry_after_s is None else replace(failure, retry_after_s=left_s)

    def _overtaken(self) -> None:
        now = self._clock.monotonic()
        self.moves += 1
        self._moved_at = now
        self._overtaken_at = now if self._overtaken_at is None else self._overtaken_at
        self._overtaken_since_read = now if self._overtaken_since_read is None else self._overtaken_since_read
        self._slot = max(self._slot, self._overtaken_since_read + BURST_S)
        self._announce()
        self._work_on()

    def _announce(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    def _holds(self, since: int) -> bool:
        return (
            self.picture is not None
            and self.picture.moves >= since
            and self._renewed_at(self.picture) > self._clock.monotonic()
        )

    def _renewed_at(self, picture: Picture) -> float:
        settled = self._told.begun and picture.at >= self._moved_at + SETTLED_S
        return picture.at + (TOLD_MOST_S if settled else UNTOLD_MOST_S)

    def _wanted_until(self) -> float:
        return float("inf") if self._readers else self._asked_until  # seconds

    def _work_on(self) -> None:
        if not self._working and self._wanted_until() > self._clock.monotonic():
            self._working = True
            self._tasks.start("funds", self._work())

    async def _work(self) -> None:
        """Lives as long as somebody wants to know; the only one who reads, so there is one read at a time."""
        try:
            while (end := self._wanted_until()) > (now := self._clock.monotonic()):
                due = self._due(now)
                if due <= now:
                    await self._read(now)
                else:
                    await self.changed(min(due, end))
        finally:
            self._working = False

    def _due(self, now: float) -> float:
        if self._feed() is not FeedState.LIVE:
            return now + LOOK_S
        if self.picture is not None and self._holds(self.moves):
            return max(self._slot, self._renewed_at(self.picture))
        return self._slot

    async def _read(self, now: float) -> None:
        moves, link = self.moves, self.link
        until = min(max(now + READ_S, self._until), now + READ_MOST_S)
        self._slot, self._reading, self._overtaken_since_read = now + SPACING_S, True, None
        self._told.read_begins()
        try:
            answer = {each.asset: each for each in await self._venue.balances(until, caller=self._caller)}
            proved = await self._told.proves(answer)
        except (Busy, Declined, ProtocolBroken) as failure:
            self._failed(failure.fault)
            return
        finally:
            self._reading = False
        self._failed_in_a_row = 0
        if link == self.link and proved:
            self._overtaken_at = self._overtaken_since_read
            self.picture = Picture(answer, self._changes(answer), moves, now, self._clock.wall_ns())
        self._announce()

    def _failed(self, fault: Fault) -> None:
        self._failure = fault
        self._failures += 1
        self._failed_in_a_row += 1
        pause_s = min(RETRY_MOST_S, SPACING_S * 2 ** min(self._failed_in_a_row - 1, 10))
        self._slot = max(self._slot, self._clock.monotonic() + max(pause_s, fault.retry_after_s or 0.0))
        self._announce()

    def _changes(self, answer: Mapping[str, Balance]) -> Mapping[str, int]:
        if self.picture is None:
            return {}
        changes = dict(self.picture.changes)
        for asset in changed(self.picture.balances, answer):
            changes[asset] = changes.get(asset, 0) + 1
        return changes


def changed(before: Mapping[str, Balance], after: Mapping[str, Balance]) -> tuple[str, ...]:
    """The assets whose figures differ, ordered; one that is missing is zero."""
    assets = sorted(before.keys() | after.keys())
    return tuple(asset for asset in assets if _figures(before.get(asset)) != _figures(after.get(asset)))


def _figures(balance: Balance | None) -> tuple[Decimal, ...] | None:
    return None if balance is None else (balance.total, balance.held, balance.credit, balance.credit_used)


def _total(picture: Picture, asset: str) -> Decimal:
    return picture.balances[asset].total if asset in picture.balances else Decimal(0)
