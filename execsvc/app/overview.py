"""What the service knows of itself and of the venue, for GetServerInfo, GetVenueStatus and health.

Facts only, gathered when asked; nothing here acts. What the venue itself answers is kept for a few seconds: public calls are
about one a second for each address (kraken.md 3), and whoever looks often must not use them up for the books.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Generic, TypeVar

from execsvc.app.executions import Executions
from execsvc.app.feeds import Feeds
from execsvc.app.funds import Funds
from execsvc.app.resolver import Resolver
from execsvc.app.switch import Switch
from execsvc.app.visibility import Visibility
from execsvc.domain.errors import ExecsvcError, Reason, refuse
from execsvc.domain.market import FeedState, VenueMode
from execsvc.ports import Clock, ClockReading, LaneState, PrivateVenue, PublicVenue

CLOCK_OFF_S = 1.0
TRADE = "trade"
KEEP_S = 5.0

T = TypeVar("T")


class Phase(Enum):
    """Where the service is in its life."""

    STARTING = "starting"
    RECONCILING = "reconciling"
    SERVING = "serving"
    DRAINING = "draining"


@dataclass(frozen=True)
class About:
    """What does not change while the process lives."""

    version: str
    venue: str
    mode: str
    server_epoch: str
    start_ns: int
    accounts: tuple[str, ...]
    least_place_timeout_s: float
    settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class VenueReport:
    """GetVenueStatus without its wire words. locked_out_until_ns: end of a lockout, None when there is none."""

    mode: VenueMode | None
    public_feed: FeedState
    clock: ClockReading | None
    account: str
    private_feed: FeedState
    in_doubt: int
    lanes: tuple[LaneState, ...]
    problems: tuple[str, ...]
    locked_out_until_ns: int | None = None


class Kept(Generic[T]):
    """The last answer to one question, good for KEEP_S. Only answers are kept; askers at one time share one."""

    def __init__(self, ask: Callable[[float], Awaitable[T]], clock: Clock) -> None:
        self._ask = ask
        self._clock = clock
        self._turn = asyncio.Lock()
        self._last: tuple[T, float] | None = None

    def __repr__(self) -> str:
        return f"<Kept {'nothing' if self._last is None else self._last[0]!r}>"

    async def answer(self, by: float) -> T:
        """What was answered of late, else asks. Raises what the question raises, READ_TIMEOUT at `by`."""
        try:
            async with self._clock.timeout_at(by), self._turn:
                if self._last is None or self._clock.monotonic() - self._last[1] > KEEP_S:
                    self._last = (await self._ask(by), self._clock.monotonic())
                return self._last[0]
        except TimeoutError:
            raise refuse(Reason.READ_TIMEOUT, "no answer in time") from None


@dataclass
class Overview:
    """Gathers; `phase` is moved by the composition root alone, `problems` by whoever finds one that stays."""

    about: About
    public: PublicVenue
    private: PrivateVenue
    feeds: Feeds
    executions: Executions
    funds: Funds
    resolver: Resolver
    visibility: Visibility
    switch: Switch
    clock: Clock
    phase: Phase = Phase.STARTING
    problems: list[str] = field(default_factory=list)
    _mode: Kept[VenueMode] = field(init=False, repr=False)
    _reading: Kept[ClockReading] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._mode = Kept(self.public.mode, self.clock)
        self._reading = Kept(self.public.clock, self.clock)

    async def venue(self, by: float) -> VenueReport:
        """Mode and clock as the venue told them of late; what it does not answer is unknown, with a problem in words."""
        mode, reading, problems = self.executions.mode or self.feeds.mode, None, [*self.switch.problems, *self.problems]
        try:
            if not self._mode_is_followed():
                mode = await self._mode.answer(by)
            reading = await self._reading.answer(by)
        except ExecsvcError as failure:
            problems.append(f"the exchange did not answer: {failure.fault.message}")
        problems += [*self.private.rates.problems, *self.funds.problems]
        if reading is not None and abs(reading.offset_s) - reading.uncertainty_s > CLOCK_OFF_S:
            problems.append(f"this machine's clock is {reading.offset_s:+.1f} s off the exchange's: set it right")
        lanes = tuple(_shut_by_mode(lane, self.executions.mode) for lane in self.private.lanes())
        return VenueReport(
            mode=mode,
            public_feed=self.feeds.public_state,
            clock=reading,
            account=self.about.accounts[0],
            private_feed=self.executions.state,
            in_doubt=self.resolver.in_doubt,
            lanes=lanes,
            problems=tuple(problems),
            locked_out_until_ns=lockout_end_ns(lanes),
        )

    def _mode_is_followed(self) -> bool:
        """Whether a stream told the mode and would tell a change: a link is up, and frames come."""
        if self.executions.mode is not None:
            return True
        followed = self.feeds.last_frame_ns is not None and self.feeds.public_state is FeedState.LIVE
        return followed and self.feeds.mode is not None

    @property
    def trading_ready(self) -> bool:
        """Whether a placement would be taken now, and nothing of an earlier life is undecided any more."""
        return self.phase is Phase.SERVING and not self.problems and self.switch.closed_because is None


def lockout_end_ns(lanes: tuple[LaneState, ...]) -> int | None:
    """When a lockout ends: nothing else closes the lane of the cancels for a time."""
    ends = [
        lane.blocked_until_ns
        for lane in lanes
        if lane.lane == "cancel" and lane.breaker == "open" and lane.blocked_until_ns is not None
    ]
    return max(ends, default=None)


def _shut_by_mode(lane: LaneState, mode: VenueMode | None) -> LaneState:
    """In maintenance and cancel-only mode no order is sent, whatever the key's own breaker says."""
    shut = lane.lane == TRADE and mode in {VenueMode.MAINTENANCE, VenueMode.CANCEL_ONLY}
    return replace(lane, breaker="open") if shut else lane
