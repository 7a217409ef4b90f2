"""Copies the head of each account's audit chain to where no thief of the store's file can reach it: the log, every hour.

A chain cannot show that its whole end was cut off together with its head, or that the file is an older copy: a head that was
told before can (store/inspect.py compares). Where the heads are read and how they are told is handed in.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from execsvc.domain.errors import Busy
from execsvc.ports import Clock

EVERY_S = 3600.0


@dataclass(frozen=True)
class ChainHead:
    """The newest entry of an account's chain: its sequence and hash (hex). journal: the store's id."""

    account: str
    sequence: int
    hash: str
    journal: str


class HeadCopies:
    """Tells the heads at the start, every hour, and once more at the end. `read` raises Busy when it cannot."""

    def __init__(
        self,
        read: Callable[[], Awaitable[Iterable[ChainHead]]],
        tell: Callable[[ChainHead], None],
        unread: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._read = read
        self._tell = tell
        self._unread = unread
        self._clock = clock
        self.told: dict[str, ChainHead] = {}

    def __repr__(self) -> str:
        return f"<HeadCopies {len(self.told)} told>"

    async def run(self) -> None:
        """For ever: now, then every hour."""
        while True:
            await self.copy()
            await self._clock.sleep(EVERY_S)

    async def copy(self) -> None:
        """Tells every head as it is now; one that was told already is told again, for logs are cut by time."""
        try:
            heads = await self._read()
        except Busy as failure:
            self._unread(failure.fault.message)
            return
        for head in heads:
            self.told[head.account] = head
            self._tell(head)
