"""The embedded store: SQLite in WAL mode, one writer thread with group commit, one reader thread, one owner.

The rest of the house sees ports.Store. This file only joins the parts: database.py opens, writer.py commits, tables.py
holds the SQL, batch.py the meaning of a write.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from execsvc.domain.account import Fill
from execsvc.domain.ids import OrderKey
from execsvc.domain.intent import Intent
from execsvc.domain.modes import ModeEntry
from execsvc.domain.order import Order, OrderEvent, Status
from execsvc.domain.story import Step
from execsvc.ports import Clock, Entropy, Fresh, JournalEntry, Known, OrderQuery
from execsvc.store.amends import AmendBook, AmendTable
from execsvc.store.batch import QUEUE_MOST
from execsvc.store.bridge import Bridge, Outcome, Ticket
from execsvc.store.database import Birth, Database, open_database
from execsvc.store.listeners import Listeners
from execsvc.store.queries import Queries
from execsvc.store.refusals import unavailable
from execsvc.store.retention import Bounds
from execsvc.store.tables import Tables
from execsvc.store.writer import Writer

READS_MOST = 1024


async def open_sqlite(path: Path, *, entropy: Entropy, clock: Clock) -> "SqliteStore":
    """Opens the store at `path`, or makes it. Raises place.StoreRefused with one sentence for the operator."""
    birth = Birth(entropy.token(16).hex(), entropy.token(32), clock.wall_ns())
    return SqliteStore(await asyncio.to_thread(open_database, path, birth))


class SqliteStore:
    """An opened store; see ports.Store. Belongs to the event loop it was made in."""

    def __init__(self, database: Database, *, writes_most: int = QUEUE_MOST, reads_most: int = READS_MOST) -> None:
        self._database = database
        self._queries = Queries(database.reader)
        self._listeners = Listeners()
        self._writer = Writer(Tables(database), self._listeners.publish, queue_most=writes_most)
        # A read is answered before the next is taken: one ticket at a time.
        self._reads: Bridge[Callable[[], Any]] = Bridge("reader", reads_most, 1, self._read)
        rows = AmendTable(database.reader, self._queries.get)
        self.amends = AmendBook(
            lambda _, run: self._writer.bridge.ask(run), lambda ask: self._reads.ask(partial(ask, rows))
        )

    def __repr__(self) -> str:
        return f"<SqliteStore {self._database.claim.path} epoch {self.epoch}>"

    @property
    def installation_secret(self) -> bytes:
        """See ports.Store."""
        return self._database.identity.installation_secret

    @property
    def epoch(self) -> int:
        """See ports.Store."""
        return self._database.identity.epoch

    @property
    def journal_id(self) -> str:
        """See ports.Store."""
        return self._database.identity.journal_id

    @property
    def last_batch_size(self) -> int:
        """How many writes shared the last commit."""
        return self._writer.last_batch_size

    @property
    def failing(self) -> str:
        """Why the last commit failed, or why none is possible any more; empty while all is well. For health."""
        return self._writer.bridge.stopped or self._writer.failing

    async def begin(self, intent: Intent, now_ns: int, steps: tuple[Step, ...] = ()) -> Fresh | Known:
        """See ports.Journal."""
        begun: Fresh | Known = await self._writer.bridge.ask(lambda batch: batch.begin(intent, now_ns, steps))
        return begun

    async def adopt(self, order: Order, now_ns: int, steps: tuple[Step, ...] = ()) -> Order:
        """See ports.Journal."""
        adopted: Order = await self._writer.bridge.ask(lambda batch: batch.adopt(order, now_ns, steps))
        return adopted

    async def record(self, key: OrderKey, event: OrderEvent, now_ns: int, steps: tuple[Step, ...] = ()) -> Order:
        """See ports.Journal."""
        order: Order = await self._writer.bridge.ask(lambda batch: batch.record(key, event, now_ns, steps))
        return order

    async def record_fill(
        self, fill: Fill, key: OrderKey | None, event: OrderEvent | None, now_ns: int
    ) -> Order | None:
        """See ports.Journal."""
        order: Order | None = await self._writer.bridge.ask(lambda batch: batch.record_fill(fill, key, event, now_ns))
        return order

    async def reserve(self, key_fingerprint: str, floor: int, size: int) -> range:
        """See ports.NonceBlocks."""
        block: range = await self._writer.bridge.ask(lambda batch: batch.reserve(key_fingerprint, floor, size))
        return block

    async def remember(self, account: str, name: str, value: str) -> None:
        """See ports.Facts."""
        await self._writer.bridge.ask(lambda batch: batch.remember(account, name, value))

    async def set_mode(self, account: str, entry: ModeEntry, now_ns: int) -> None:
        """See ports.ModeBook."""
        await self._writer.bridge.ask(lambda batch: batch.set_mode(account, entry, now_ns))

    async def forget(self, account: str, *, events_before_ns: int, orders_before_ns: int, limit: int) -> int:
        """See ports.Housekeeping; how long the ids of fills stay, says retention.py."""
        bounds = Bounds(events_before_ns, orders_before_ns, limit)
        gone: int = await self._writer.bridge.ask(lambda batch: batch.forget(account, bounds))
        return gone

    async def get(self, key: OrderKey) -> Order | None:
        """See ports.Journal."""
        order: Order | None = await self._reads.ask(partial(self._queries.get, key))
        return order

    async def story(self, key: OrderKey) -> tuple[Step, ...]:
        """See ports.Journal."""
        steps: tuple[Step, ...] = await self._reads.ask(partial(self._queries.story, key))
        return steps

    async def find(self, account: str, *, venue_order_id: str = "", venue_client_id: str = "") -> Order | None:
        """See ports.Journal. With both ids, the wire id is asked when the venue's own finds nothing."""
        find = partial(self._queries.find, account, venue_order_id, venue_client_id)
        order: Order | None = await self._reads.ask(find)
        return order

    async def in_status(self, account: str, statuses: frozenset[Status]) -> tuple[Order, ...]:
        """See ports.Journal."""
        orders: tuple[Order, ...] = await self._reads.ask(partial(self._queries.in_status, account, statuses))
        return orders

    async def page(self, query: OrderQuery) -> tuple[Order, ...]:
        """See ports.Journal."""
        orders: tuple[Order, ...] = await self._reads.ask(partial(self._queries.page, query))
        return orders

    async def after(self, account: str, sequence: int, limit: int) -> tuple[JournalEntry, ...]:
        """See ports.Journal. A sequence this journal has not reached is refused like one it has dropped."""
        entries: tuple[JournalEntry, ...] = await self._reads.ask(
            partial(self._queries.after, account, sequence, limit)
        )
        return entries

    async def last_sequence(self, account: str) -> int:
        """See ports.Journal."""
        sequence: int = await self._reads.ask(partial(self._queries.last_sequence, account))
        return sequence

    async def high_water(self, key_fingerprint: str) -> int | None:
        """See ports.NonceBlocks."""
        highest: int | None = await self._reads.ask(partial(self._queries.high_water, key_fingerprint))
        return highest

    async def recall(self, account: str, name: str) -> str:
        """See ports.Facts."""
        value: str = await self._reads.ask(partial(self._queries.recall, account, name))
        return value

    async def modes(self, account: str) -> tuple[ModeEntry, ...]:
        """See ports.ModeBook."""
        kept: tuple[ModeEntry, ...] = await self._reads.ask(partial(self._queries.modes, account))
        return kept

    async def confirm(self) -> None:
        """See ports.Housekeeping. Also NOT_OWNER when the file was moved, deleted or replaced."""
        await self._reads.ask(partial(self._database.check_owner, self._database.reader))

    def subscribe(self, listener: Callable[[JournalEntry], None]) -> Callable[[], None]:
        """See ports.Journal."""
        return self._listeners.add(listener)

    async def close(self) -> None:
        """See ports.Store. Harmless when repeated; a caller that gives up waiting does not stop it."""
        self._writer.bridge.shut()
        self._reads.shut()
        await asyncio.to_thread(self._finish)

    def _finish(self) -> None:
        self._writer.bridge.join()
        self._reads.join()
        self._database.close()

    def _read(self, tickets: Sequence[Ticket[Callable[[], Any]]]) -> None:
        for ticket in tickets:
            try:
                outcome = Outcome.of(ticket.work)
            except sqlite3.Error as error:
                outcome = Outcome(error=unavailable(str(error)))
            self._reads.tell(partial(ticket.settle, outcome))
