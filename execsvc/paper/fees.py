"""What trading costs: the account's volume of the last 30 days, and the row of a pair's schedule it leads to.

The schedules themselves are the pair's (pairs.json); charging a fee is the engine's. Volumes are integers of 10^-4 USD,
instants are the owner's.
"""

from collections import deque
from decimal import Decimal

from .figures import NS, fixed

USD_DECIMALS = 4
_USD = int(10**USD_DECIMALS)
_SPAN_NS = 30 * 86_400 * NS
_HOUR_NS = 3_600 * NS

Schedule = tuple[tuple[int, int], ...]


class Turnover:
    """USD traded in the last 30 days, rolled off by the hour: at most 721 sums, however much is traded."""

    def __init__(self) -> None:
        self._hours: deque[tuple[int, int]] = deque()
        self._sum = 0

    def add(self, usd: Decimal, now: int) -> None:
        """Take in a fill worth `usd`."""
        hour, amount = now // _HOUR_NS, round(usd * _USD)
        if self._hours and self._hours[-1][0] >= hour:
            self._hours[-1] = (self._hours[-1][0], self._hours[-1][1] + amount)
        else:
            self._hours.append((hour, amount))
        self._sum += amount
        self._roll(now)

    def volume(self, now: int) -> int:
        """Return the volume in 10^-4 USD."""
        self._roll(now)
        return self._sum

    def usd(self, now: int) -> int:
        """Return the volume in whole USD, as the tiers are written."""
        return self.volume(now) // _USD

    def _roll(self, now: int) -> None:
        while self._hours and (self._hours[0][0] + 1) * _HOUR_NS <= now - _SPAN_NS:
            self._sum -= self._hours.popleft()[1]


def fee_row(schedule: Schedule, volume: int) -> dict[str, str | None]:
    """Return a schedule as TradeVolume tells it, at that volume (10^-4 USD): percentages and volumes with four places."""
    place = max(tier for tier, (threshold, _) in enumerate(schedule) if tier == 0 or volume >= threshold * _USD)
    threshold, ppm = schedule[place]
    later = schedule[place + 1] if place + 1 < len(schedule) else None
    return {
        "fee": _percent(ppm),
        "minfee": _percent(min(rate for _, rate in schedule)),
        "maxfee": _percent(max(rate for _, rate in schedule)),
        "nextfee": None if later is None else _percent(later[1]),
        "nextvolume": None if later is None else fixed(later[0] * _USD, USD_DECIMALS),
        "tiervolume": fixed(threshold * _USD, USD_DECIMALS),
    }


def _percent(ppm: int) -> str:
    return fixed(ppm, 4)  # 1 ppm is 0.0001 %
