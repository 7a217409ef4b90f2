"""The heads of the audit chains, from the store's file into the log and a gauge. What that is for is app/audithead.py's.

The file is read as an auditor reads it, on a connection of its own and in a thread: what is told is what lies on the disk.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path

import structlog

from execsvc.app.audithead import ChainHead, HeadCopies
from execsvc.compose.parts import Parts
from execsvc.domain.errors import Busy, Fault, Reason
from execsvc.store.inspect import heads_of
from execsvc.store.place import StoreRefused


def keep_copies(path: Path | None, parts: Parts, stack: AsyncExitStack) -> None:
    """Those of the store at `path`, now and hourly, and when the stack ends; a store without a file has nothing to copy."""
    if path is None:
        return
    copies = HeadCopies(_reader(path), _tell, _unread, parts.clock)
    parts.telemetry.watch(
        "execsvc.audit.head",
        "Sequence of the newest entry whose hash was copied to the log.",
        lambda: [(float(head.sequence), {"account": head.account}) for head in copies.told.values()],
    )
    parts.tasks.supervise("audit heads", copies.run)
    stack.push_async_callback(copies.copy)


def _reader(path: Path) -> Callable[[], Awaitable[Iterable[ChainHead]]]:
    async def read() -> Iterable[ChainHead]:
        try:
            heads = await asyncio.to_thread(heads_of, path)
        except StoreRefused as refused:
            raise Busy(Fault(Reason.STORE_UNAVAILABLE, str(refused))) from None
        return [ChainHead(head.account, head.sequence, head.hash.hex(), head.journal) for head in heads]

    return read


def _tell(head: ChainHead) -> None:
    """`state` is the hash, which stands for the state of the whole journal; `name` the journal's."""
    structlog.get_logger().info(
        "audit.head", account=head.account, sequence=head.sequence, state=head.hash, name=head.journal
    )


def _unread(why: str) -> None:
    structlog.get_logger().error("audit.head_unread", why=why)
