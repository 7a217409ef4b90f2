"""Starts the accounts, at once or as soon as the exchange answers, and says so in the log.

What an opening consists of is app/opening.py; here are only its attempts, and what a refused key means for the process.
"""

import asyncio
from collections.abc import Sequence

import structlog

from execsvc.app.keywatch import CHECK_AGAIN_S, CHECK_TIMEOUT_S
from execsvc.app.opening import Opening
from execsvc.compose.outcome import StartRefused, Stop
from execsvc.domain.errors import Busy, Declined, ProtocolBroken
from execsvc.ports import Clock, Tasks

FIRST_CHECK_S = 3.0


class AccountStart:
    """The attempts to open one account."""

    def __init__(self, account: str, opening: Opening, clock: Clock, tasks: Tasks) -> None:
        self._account = account
        self._opening = opening
        self._clock = clock
        self._tasks = tasks

    async def first_try(self, stop: Stop) -> None:
        """Up at once where the exchange answers; else goes on trying beside. Raises StartRefused for a bad key."""
        try:
            await self._open(FIRST_CHECK_S)
        except (Busy, ProtocolBroken) as failure:
            structlog.get_logger().warning("exchange.unreachable", account=self._account, why=failure.fault.message)
            self._tasks.start("account start", self._keep_trying(stop))
        except Declined as refused:
            raise StartRefused(self._refused(refused)) from None

    def _refused(self, refused: Declined) -> str:
        return f"account {self._account}: {refused.fault.message}"

    async def _open(self, timeout_s: float) -> None:
        doubts = await self._opening.open(timeout_s)
        log = structlog.get_logger()
        if doubts:
            log.info("account.reconciling", account=self._account, count=doubts)
            self._tasks.start("account reconciling", self._until_settled())
        else:
            await self._until_settled()

    async def _until_settled(self) -> None:
        settled = await self._opening.settled()
        structlog.get_logger().info("account.serving", account=self._account, settled=settled)

    async def _keep_trying(self, stop: Stop) -> None:
        while not stop.event.is_set():  # a drain that began meanwhile must not be opened again
            await self._clock.sleep(CHECK_AGAIN_S)
            try:
                await self._open(CHECK_TIMEOUT_S)
            except (Busy, ProtocolBroken):
                continue
            except Declined as refused:
                structlog.get_logger().error("key.refused", account=self._account, why=refused.fault.message)
                stop.now(self._refused(refused), 3)
            return


async def open_accounts(starts: Sequence[AccountStart], stop: Stop) -> None:
    """The first try of each, all at once. Raises StartRefused with a line for every account whose key is refused."""
    ends = await asyncio.gather(*(each.first_try(stop) for each in starts), return_exceptions=True)
    lines = [str(end) for end in ends if isinstance(end, StartRefused)]
    for end in ends:
        if isinstance(end, BaseException) and not isinstance(end, StartRefused):
            raise end
    if lines:
        raise StartRefused("\n".join(lines))
