"""What the service knows of itself and of the venue, for GetServerInfo, GetVenueStatus and health.

Facts only, gathered when asked; nothing here acts.
"""

from dataclasses import dataclass, field
from enum import Enum

from execsvc.app.executions import Executions
from execsvc.app.feeds import Feeds
from execsvc.app.resolver import Resolver
from execsvc.app.switch import Switch
from execsvc.app.visibility import Visibility
from execsvc.domain.errors import ExecsvcError
from execsvc.domain.market import FeedState, VenueMode
from execsvc.ports import Clock, ClockReading, LaneState, PrivateVenue, PublicVenue

CLOCK_OFF_S = 1.0


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
    """GetVenueStatus without its wire words."""

    mode: VenueMode | None
    public_feed: FeedState
    clock: ClockReading | None
    account: str
    private_feed: FeedState
    in_doubt: int
    lanes: tuple[LaneState, ...]
    problems: tuple[str, ...]


@dataclass
class Overview:
    """Gathers; `phase` is moved by the composition root alone, `problems` by whoever finds one that stays."""

    about: About
    public: PublicVenue
    private: PrivateVenue
    feeds: Feeds
    executions: Executions
    resolver: Resolver
    visibility: Visibility
    switch: Switch
    clock: Clock
    phase: Phase = Phase.STARTING
    problems: list[str] = field(default_factory=list)

    async def venue(self, by: float) -> VenueReport:
        """Asks the venue for mode and clock; what it does not answer is told as unknown, with a problem in words."""
        mode, reading, problems = self.feeds.mode, None, [*self.switch.problems, *self.problems]
        try:
            mode = await self.public.mode(by)
            reading = await self.public.clock(by)
        except ExecsvcError as failure:
            problems.append(f"the exchange did not answer: {failure.fault.message}")
        if reading is not None and abs(reading.offset_s) - reading.uncertainty_s > CLOCK_OFF_S:
            problems.append(f"this machine's clock is {reading.offset_s:+.1f} s off the exchange's: set it right")
        return VenueReport(
            mode=mode,
            public_feed=self.feeds.public_state,
            clock=reading,
            account=self.about.accounts[0],
            private_feed=self.executions.state,
            in_doubt=self.resolver.in_doubt,
            lanes=self.private.lanes(),
            problems=tuple(problems),
        )

    @property
    def trading_ready(self) -> bool:
        """Whether a placement would be taken now, and nothing of an earlier life is undecided any more."""
        return self.phase is Phase.SERVING and not self.problems and self.switch.closed_because is None
