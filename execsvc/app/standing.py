"""How one account stands: its phase, its feed, its lanes, its doubts, and what is wrong with it in words.

Facts only, gathered when asked; nothing here acts. What is common to all accounts, and what the exchange says of itself, is
app/overview.py's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from execsvc.app.executions import Executions
from execsvc.app.funds import Funds
from execsvc.app.keywatch import KeyStanding
from execsvc.app.resolver import Resolver
from execsvc.app.switch import Switch
from execsvc.app.visibility import Visibility
from execsvc.domain.market import FeedState, VenueMode
from execsvc.ports import LaneState, PrivateVenue

TRADE = "trade"


class Phase(Enum):
    """Where an account, or the service, is in its life."""

    STARTING = "starting"
    RECONCILING = "reconciling"
    SERVING = "serving"
    DRAINING = "draining"


@dataclass(frozen=True)
class AccountReport:
    """One account in GetVenueStatus. locked_out_until_ns: end of a lockout, key_valid_until_ns: of its key; None: no end."""

    account: str
    private_feed: FeedState
    in_doubt: int
    lanes: tuple[LaneState, ...]
    problems: tuple[str, ...]
    locked_out_until_ns: int | None = None
    key_valid_until_ns: int | None = None


@dataclass
class Standing:
    """Of one account. `phase` is moved by its opening alone, `problems` by whoever finds one that stays.

    settings: its figures in force, for GetServerInfo; no secret. key: asked for what was last heard of the API key.
    """

    account: str
    private: PrivateVenue
    executions: Executions
    funds: Funds
    resolver: Resolver
    visibility: Visibility
    switch: Switch
    settings: tuple[tuple[str, str], ...] = ()
    phase: Phase = Phase.STARTING
    problems: list[str] = field(default_factory=list)
    key: Callable[[], KeyStanding] = KeyStanding

    def report(self, first: Sequence[str] = (), last: Sequence[str] = ()) -> AccountReport:
        """As it stands now; the problems of its surroundings are told with its own: what halts it stands before them."""
        lanes = tuple(_shut_by_mode(lane, self.executions.mode) for lane in self.private.lanes())
        own, key = [*self.switch.problems, *self.problems], self.key()
        return AccountReport(
            account=self.account,
            private_feed=self.executions.state,
            in_doubt=self.resolver.in_doubt,
            lanes=lanes,
            problems=(*own, *first, *key.problems, *self.private.rates.problems, *self.funds.problems, *last),
            locked_out_until_ns=lockout_end_ns(lanes),
            key_valid_until_ns=key.valid_until_ns,
        )

    def figures(self) -> tuple[tuple[str, str], ...]:
        """Its settings in force, and what has grown since: names and values."""
        return (*self.settings, ("visibility_bound_s", f"{self.visibility.bound_s:g}"))

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
