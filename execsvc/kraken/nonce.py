"""Nonces that only rise: blocks reserved durably before the first of them is used (promises.md section 5, "Blocks").

The scale is nanoseconds. Our clock is a floor for new blocks, never the source: a step back changes nothing, and a clock
that runs more than an hour ahead of Kraken's is not believed, for one nonce of the year 2100 would burn the key.
"""

from collections import deque
from collections.abc import Awaitable, Callable

from execsvc.domain.errors import Broken, Fault, Reason, refuse
from execsvc.kraken.venuetime import VenueTime
from execsvc.ports import Clock, NonceBlocks, Tasks

BLOCK_SIZE = 10_000
FETCH_BELOW = 0.2  # of a block
AHEAD_MAX_NS = 3600 * 1_000_000_000
TROUBLE_WINDOW_S = 60.0  # a second refusal within it: the key itself is looked at
RANGES_MAX = 256  # of this life, remembered to tell our own nonces from another program's


class Exhausted(Exception):
    """The block has no nonce left."""


class NonceBlock:
    """A reserved range, given out from below, each nonce once."""

    def __init__(self, reserved: range) -> None:
        self._next = reserved.start
        self._end = reserved.stop
        self._size = len(reserved)

    def __repr__(self) -> str:
        return f"<NonceBlock {self.left}/{self._size} left>"

    @property
    def left(self) -> int:
        """How many are left."""
        return self._end - self._next

    @property
    def low(self) -> bool:
        """Whether the next block should be fetched."""
        return self.left <= self._size * FETCH_BELOW

    def next(self) -> int:
        """The next nonce. Raises Exhausted."""
        if self._next >= self._end:
            raise Exhausted
        nonce = self._next
        self._next += 1
        return nonce


class Nonces:
    """The nonces of one key. Ask under the key's lane, so that the order of nonces is the order of sending."""

    def __init__(
        self, *, fingerprint: str, blocks: NonceBlocks, clock: Clock, tasks: Tasks, venue_time: VenueTime
    ) -> None:
        self._fingerprint = fingerprint
        self._blocks = blocks
        self._clock = clock
        self._tasks = tasks
        self._venue_time = venue_time
        self._block = NonceBlock(range(0))
        self._ahead: NonceBlock | None = None
        self._fetch: Awaitable[None] | None = None
        self._floor = 0
        self._last = 0
        self._drop_fetched = False
        self._refused_at: float | None = None
        self._before_us: int | None = None  # the high-water mark when this life began
        self._ours: deque[range] = deque(maxlen=RANGES_MAX)
        self.on_trouble: Callable[[], None] = _nobody

    def __repr__(self) -> str:
        return f"<Nonces {self._block!r}>"

    @property
    def last(self) -> int:
        """The last nonce given out; 0 before the first."""
        return self._last

    async def next(self) -> int:
        """The next nonce, above all before it. Raises Busy when no block can be reserved."""
        while True:
            if self._block.left:
                break
            if self._ahead is not None:
                self._block, self._ahead = self._ahead, None
                continue
            await self._fetched()
        nonce = self._block.next()
        if self._block.low and self._ahead is None and self._fetch is None:
            self._fetched()
        if nonce <= self._last:
            raise Broken(Fault(Reason.INTERNAL, "a reserved nonce is not above the last one given out"))
        self._last = nonce
        return nonce

    def renew(self) -> None:
        """Throws the rest away: the next nonce is of a block above the clock as it is now."""
        self._block = NonceBlock(range(0))
        self._ahead = None
        self._drop_fetched = self._fetch is not None

    def rebase(self, reported: int) -> None:
        """Kraken reported a nonce of this key: what follows is above it."""
        if reported > self._last:
            self._floor = max(self._floor, reported)
            self.renew()

    def refused(self) -> None:
        """Kraken refused one of ours: go on with a fresh block, and say so when it is the second within a minute.

        It stops nothing by itself: a proxy that doubles requests shows such refusals of calls that were taken.
        """
        self.renew()
        now = self._clock.monotonic()
        again = self._refused_at is not None and now - self._refused_at < TROUBLE_WINDOW_S
        self._refused_at = now
        if again:
            self.on_trouble()

    def foreign(self, reported: int) -> bool:
        """Whether a nonce that Kraken has seen of this key can only be another program's.

        Of a key never used here before, nothing is known: whatever was seen of it belongs to its past.
        """
        if self._before_us is None or reported <= self._before_us:
            return False
        if len(self._ours) == RANGES_MAX and reported < self._ours[0].start:
            return False
        return not any(reported in block for block in self._ours)

    def _fetched(self) -> Awaitable[None]:
        if self._fetch is None:
            self._fetch = self._tasks.start("kraken nonce block", self._reserve())
        return self._fetch

    async def _reserve(self) -> None:
        try:
            above = await self._reserve_above()
            if not self._ours:
                self._before_us = await self._blocks.high_water(self._fingerprint)
            reserved = await self._blocks.reserve(self._fingerprint, above, BLOCK_SIZE)
            self._ours.append(reserved)
            if not self._drop_fetched:
                self._ahead = NonceBlock(reserved)
        finally:
            self._fetch = None
            self._drop_fetched = False

    async def _reserve_above(self) -> int:
        now_ns = self._clock.wall_ns()
        if self._venue_time.known:
            venue_ns = self._venue_time.venue_ns(now_ns)
            return max(self._floor, venue_ns if now_ns - venue_ns > AHEAD_MAX_NS else now_ns)
        if await self._blocks.high_water(self._fingerprint) is None:
            raise refuse(Reason.CLOCK_UNTRUSTED, "Kraken's clock is not known yet and this key was never used here")
        return self._floor


def _nobody() -> None:
    """Until somebody wants to hear of it."""
