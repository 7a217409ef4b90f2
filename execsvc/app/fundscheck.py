"""The totals that the private stream told: the proof that an answer of BalanceEx holds what was told before.

Kraken's queries may lag behind its streams. An answer is proved when each told asset's total in it is one that the stream
told just before the question or since: the answer may be ahead of the stream by a moment, so it is given one. What keeps
differing is no lag (an account may have wallets that the two list differently) and is compared no more on that link.
"""

from collections.abc import Mapping
from decimal import Decimal

from execsvc.domain.account import Balance
from execsvc.ports import BalanceSeen, Clock

CATCH_UP_S = 0.25
DOUBTED_MOST = 3  # answers in a row that may fail the proof


class ToldTotals:
    """One connection's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest: dict[str, Decimal] = {}
        self._meanwhile: dict[str, set[Decimal]] = {}  # what was told when the read began, and since
        self._spared: set[str] = set()
        self._doubted = 0
        self.begun = False  # whether the channel tells of this link at all

    def forget(self) -> None:
        """Another connection: nothing is told yet."""
        self._latest.clear()
        self._meanwhile.clear()
        self._spared.clear()
        self._doubted = 0
        self.begun = False

    def begin(self, rows: tuple[BalanceSeen, ...]) -> None:
        """The channel's snapshot."""
        self.begun = True
        for row in rows:
            self.add(row)

    def add(self, seen: BalanceSeen) -> None:
        """A balance after a change."""
        if seen.total is not None:
            self._latest[seen.asset] = seen.total
            self._meanwhile.setdefault(seen.asset, set()).add(seen.total)

    def read_begins(self) -> None:
        """From here on, what is told may or may not be in the answer."""
        self._meanwhile = {asset: {total} for asset, total in self._latest.items()}

    async def proves(self, answer: Mapping[str, Balance]) -> bool:
        """Whether to believe the answer of the read that began last; after DOUBTED_MOST of them it is believed anyhow."""
        if self._differing(answer):
            await self._clock.sleep(CATCH_UP_S)
        differing = self._differing(answer)
        self._doubted = self._doubted + 1 if differing else 0
        if self._doubted >= DOUBTED_MOST:
            self._spared |= differing
            self._doubted = 0
            return True
        return not differing

    def agrees(self, answer: Mapping[str, Balance]) -> bool:
        """Whether an answer has the totals told last."""
        return all(_total(answer, asset) == total for asset, total in self._latest.items() if asset not in self._spared)

    def _differing(self, answer: Mapping[str, Balance]) -> set[str]:
        return {
            asset
            for asset, totals in self._meanwhile.items()
            if asset not in self._spared and _total(answer, asset) not in totals
        }


def _total(answer: Mapping[str, Balance], asset: str) -> Decimal:
    return answer[asset].total if asset in answer else Decimal(0)
