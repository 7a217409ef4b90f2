"""One follower of an account's funds: a snapshot, then each balance that changed, and a gap when the stream began anew.

Nothing is queued: the follower remembers what it was shown and is told the difference to the picture as it stands, so a slow
one costs one picture and gets the newest of each asset, with the number that was folded. Whole pictures are app/funds.py's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from execsvc.app.funds import Funds, Picture, changed
from execsvc.app.hub import Gap
from execsvc.domain.account import Balance
from execsvc.domain.market import FeedState, GapReason
from execsvc.ports import Clock


@dataclass(frozen=True)
class FundsShown:
    """All balances that are not zero, by asset: an asset in none is zero."""

    balances: tuple[Balance, ...]


@dataclass(frozen=True)
class FundsMoved:
    """One balance as it is now; `folded` earlier changes of it were not told."""

    balance: Balance
    folded: int


FundsNews = FundsShown | FundsMoved | Gap


class FundsReader:
    """What one follower has seen. It is kept up to date inside Funds.read_by only."""

    def __init__(self, funds: Funds, clock: Clock) -> None:
        self._funds = funds
        self._clock = clock
        self._link = funds.link
        self._since = funds.moves
        self._shown: Picture | None = None

    @property
    def state(self) -> FeedState:
        """That of the funds; LIVE not before their snapshot was shown."""
        unseen = self._shown is None or self._link != self._funds.link
        return self._funds.unread_state if unseen else self._funds.state

    @property
    def pending(self) -> int:
        """How many balances would be told now."""
        picture = self._funds.picture
        if picture is None or picture is self._shown:
            return 0
        return len(picture.balances if self._shown is None else changed(self._shown.balances, picture.balances))

    async def take(self, by: float) -> tuple[FundsNews, ...]:
        """What is new, at once or when it comes; nothing at monotonic `by`."""
        while not (news := self._news()) and self._clock.monotonic() < by:
            await self._funds.changed(by)
        return news

    def _news(self) -> tuple[FundsNews, ...]:
        picture = self._funds.picture
        if self._link != self._funds.link:
            self._link, self._since = self._funds.link, self._funds.moves
            void, self._shown = self._shown is not None, None
            if void:
                return (Gap(GapReason.UPSTREAM_RECONNECT, ()),)
        if picture is None or picture is self._shown:
            return ()
        if self._shown is not None:
            before, self._shown = self._shown, picture
            return tuple(_moved(before, picture, asset) for asset in changed(before.balances, picture.balances))
        if picture.moves < self._since or self._funds.unread_state is FeedState.STALE:
            return ()
        self._shown = picture
        return (FundsShown(tuple(each for _, each in sorted(picture.balances.items()))),)


def _moved(before: Picture, after: Picture, asset: str) -> FundsMoved:
    folded = _count(after.changes, asset) - _count(before.changes, asset) - 1
    zero = Decimal(0)
    gone = Balance(asset, zero, zero, zero, zero, after.read_ns)
    return FundsMoved(after.balances.get(asset, gone), max(folded, 0))


def _count(changes: Mapping[str, int], asset: str) -> int:
    return changes.get(asset, 0)
