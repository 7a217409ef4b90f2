"""Keeps the store from growing for ever: what is older than its time is dropped, a little at a time.

Events, fills and stories go first; an order's own row, which is what keeps its id from ever being placed again, much later
(promises.md section 7). Orders that are not terminal are never touched.
"""

from contextlib import suppress
from dataclasses import dataclass

from execsvc.domain.errors import Busy
from execsvc.ports import Clock, Housekeeping

EVERY_S = 3600.0
BATCH = 500
BETWEEN_S = 0.1  # so that orders get their commits in between
DAY_NS = 86_400 * 1_000_000_000


@dataclass(frozen=True)
class Keep:
    """How long, in days. An id is promised to be placed at most once for as long as its order's row is kept."""

    events_days: int = 90
    orders_days: int = 400


class Retention:
    """Drops what is too old, of one account."""

    def __init__(self, account: str, store: Housekeeping, clock: Clock, keep: Keep) -> None:
        self._account = account
        self._store = store
        self._clock = clock
        self._keep = keep

    async def run(self) -> None:
        """For ever, once an hour."""
        while True:
            with suppress(Busy):
                await self.sweep_out()
            await self._clock.sleep(EVERY_S)

    async def sweep_out(self) -> int:
        """Drops everything too old by now; returns how many rows went. Raises Busy when the store fails."""
        now_ns = self._clock.wall_ns()
        dropped = 0
        while True:
            went = await self._store.forget(
                self._account,
                events_before_ns=now_ns - self._keep.events_days * DAY_NS,
                orders_before_ns=now_ns - self._keep.orders_days * DAY_NS,
                limit=BATCH,
            )
            if not went:
                return dropped
            dropped += went
            await self._clock.sleep(BETWEEN_S)
