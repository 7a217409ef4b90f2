"""What the service knows of itself and of the venue, for GetServerInfo, GetVenueStatus and health.

Facts only, gathered when asked; nothing here acts. What the venue itself answers is kept for a few seconds: public calls are
about one a second for each address (kraken.md 3), and whoever looks often must not use them up for the books. What one
account knows of itself is app/standing.py's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from execsvc.app.feeds import Feeds
from execsvc.app.standing import AccountReport, Phase, Standing
from execsvc.domain.errors import ExecsvcError, Fault, Reason, refuse
from execsvc.domain.market import FeedState, VenueMode
from execsvc.ports import Clock, ClockReading, PublicVenue

CLOCK_OFF_S = 1.0
KEEP_S = 5.0
_LIFE = tuple(Phase)

T = TypeVar("T")


@dataclass(frozen=True)
class About:
    """What does not change while the process lives; `settings` are those that belong to no account."""

    version: str
    venue: str
    mode: str
    server_epoch: str
    start_ns: int
    least_place_timeout_s: float
    settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class VenueReport:
    """GetVenueStatus without its wire words; accounts by name."""

    mode: VenueMode | None
    public_feed: FeedState
    clock: ClockReading | None
    accounts: tuple[AccountReport, ...]


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
    """Gathers. Of the accounts it knows all, by name; whoever asks says which ones are to be told."""

    about: About
    public: PublicVenue
    feeds: Feeds
    accounts: Mapping[str, Standing]
    clock: Clock
    draining: bool = False
    _mode: Kept[VenueMode] = field(init=False, repr=False)
    _reading: Kept[ClockReading] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._mode = Kept(self.public.mode, self.clock)
        self._reading = Kept(self.public.clock, self.clock)

    async def venue(self, by: float, accounts: Iterable[str]) -> VenueReport:
        """Mode and clock as the venue told them of late; what it does not answer is unknown, with a problem in words.

        What is wrong with the venue or the clock is told with each account, for whoever looks at one only.
        """
        told = [self.accounts[name] for name in sorted({*accounts} & {*self.accounts})]
        mode, reading, silent = self._followed_mode(), None, []
        try:
            if not self._mode_is_followed():
                mode = await self._mode.answer(by)
            reading = await self._reading.answer(by)
        except ExecsvcError as failure:
            silent.append(f"the exchange did not answer: {failure.fault.message}")
        off = []
        if reading is not None and abs(reading.offset_s) - reading.uncertainty_s > CLOCK_OFF_S:
            off.append(f"this machine's clock is {reading.offset_s:+.1f} s off the exchange's: set it right")
        reports = tuple(each.report(silent, off) for each in told)
        return VenueReport(mode, self.feeds.public_state, reading, reports)

    def _followed_mode(self) -> VenueMode | None:
        """As the private streams tell it, else as the market's feed last did."""
        told = (each.executions.mode for each in self.accounts.values())
        return next((mode for mode in told if mode is not None), self.feeds.mode)

    def _mode_is_followed(self) -> bool:
        """Whether a stream told the mode and would tell a change: a link is up, and frames come."""
        if any(each.executions.mode is not None for each in self.accounts.values()):
            return True
        followed = self.feeds.last_frame_ns is not None and self.feeds.public_state is FeedState.LIVE
        return followed and self.feeds.mode is not None

    def drain(self, fault: Fault) -> None:
        """The end has begun: no account takes an order any more."""
        self.draining = True
        for each in self.accounts.values():
            each.switch.close("drain", fault)

    @property
    def phase(self) -> Phase:
        """Draining, else that of the account which is furthest behind."""
        if self.draining:
            return Phase.DRAINING
        return min((each.phase for each in self.accounts.values()), key=_LIFE.index, default=Phase.SERVING)

    @property
    def trading_ready(self) -> bool:
        """Whether every account would take a placement now, with nothing of an earlier life undecided any more."""
        return not self.draining and all(each.trading_ready for each in self.accounts.values())
