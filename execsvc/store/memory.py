"""The store without a disk: for tests, simulation and throw-away runs. Same meaning as the embedded one, same suite.

It has no threads and no clock of its own, so it runs on a virtual-time loop: writes queue, one commit takes what is
there, a cancelled caller cancels nothing. Its Disk outlives the process that is being simulated: a hook may crash the
store at a named point, and a new MemoryStore on the same Disk is what the next process finds.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from execsvc.domain.account import Fill
from execsvc.domain.errors import ExecsvcError
from execsvc.domain.ids import OrderKey
from execsvc.domain.intent import Intent
from execsvc.domain.modes import ModeEntry
from execsvc.domain.order import Order, OrderEvent, Status
from execsvc.domain.story import Step
from execsvc.ports import Fresh, JournalEntry, Known, OrderQuery
from execsvc.store.amends import AmendBook, AmendRows
from execsvc.store.batch import COMMIT_MOST, QUEUE_MOST, Batch, Identity
from execsvc.store.bridge import Outcome, Ticket
from execsvc.store.disk import Disk
from execsvc.store.listeners import Listeners
from execsvc.store.refusals import superseded, unavailable
from execsvc.store.retention import Bounds


class StoreCrashed(Exception):
    """A crash hook raises it to end the simulated process there; everything asked of the store afterwards raises it."""


class _Write(NamedTuple):
    name: str
    run: Callable[[Batch], Any]


class MemoryStore:
    """A store on a Disk; see ports.Store. Opening another on the same disk supersedes this one.

    `crash_at` is called with `begin.before` and `begin.after` (likewise `adopt`, `record`, `record_fill`, `reserve`,
    `remember`, `set_mode`, `forget`) for each write of a commit, before and after it. `commit_s` says how long the next
    commit takes; without it, one turn of the loop. While `outage` is true every call is refused as when the disk fails.
    """

    def __init__(
        self,
        disk: Disk,
        *,
        crash_at: Callable[[str], None] | None = None,
        commit_s: Callable[[], float] | None = None,
        writes_most: int = QUEUE_MOST,
    ) -> None:
        disk.epoch += 1
        self.disk = disk
        self.outage = False
        self.last_batch_size = 0
        self._identity = Identity(disk.journal_id, disk.installation_secret, disk.epoch)
        self._crash_at = crash_at
        self._commit_s = commit_s
        self._writes_most = writes_most
        self._queue: list[Ticket[_Write]] = []
        self._closers: list[Ticket[None]] = []
        self._due = False
        self._closed = False
        self._crash: StoreCrashed | None = None
        self._listeners = Listeners()
        self.amends = AmendBook(self._ask, self._amends_read)

    def __repr__(self) -> str:
        return f"<MemoryStore epoch {self.epoch}, {len(self.disk.orders)} orders>"

    @property
    def installation_secret(self) -> bytes:
        """See ports.Store."""
        return self._identity.installation_secret

    @property
    def epoch(self) -> int:
        """See ports.Store."""
        return self._identity.epoch

    @property
    def journal_id(self) -> str:
        """See ports.Store."""
        return self._identity.journal_id

    @property
    def failing(self) -> str:
        """As SqliteStore.failing."""
        return self._why_unusable() or ("" if self._is_latest else superseded().fault.message)

    async def begin(self, intent: Intent, now_ns: int, steps: tuple[Step, ...] = ()) -> Fresh | Known:
        """See ports.Journal."""
        begun: Fresh | Known = await self._ask("begin", lambda batch: batch.begin(intent, now_ns, steps))
        return begun

    async def adopt(self, order: Order, now_ns: int, steps: tuple[Step, ...] = ()) -> Order:
        """See ports.Journal."""
        adopted: Order = await self._ask("adopt", lambda batch: batch.adopt(order, now_ns, steps))
        return adopted

    async def record(self, key: OrderKey, event: OrderEvent, now_ns: int, steps: tuple[Step, ...] = ()) -> Order:
        """See ports.Journal."""
        order: Order = await self._ask("record", lambda batch: batch.record(key, event, now_ns, steps))
        return order

    async def record_fill(
        self, fill: Fill, key: OrderKey | None, event: OrderEvent | None, now_ns: int
    ) -> Order | None:
        """See ports.Journal."""
        order: Order | None = await self._ask("record_fill", lambda batch: batch.record_fill(fill, key, event, now_ns))
        return order

    async def reserve(self, key_fingerprint: str, floor: int, size: int) -> range:
        """See ports.NonceBlocks."""
        block: range = await self._ask("reserve", lambda batch: batch.reserve(key_fingerprint, floor, size))
        return block

    async def remember(self, account: str, name: str, value: str) -> None:
        """See ports.Facts."""
        await self._ask("remember", lambda batch: batch.remember(account, name, value))

    async def set_mode(self, account: str, entry: ModeEntry, now_ns: int) -> None:
        """See ports.ModeBook."""
        await self._ask("set_mode", lambda batch: batch.set_mode(account, entry, now_ns))

    async def forget(self, account: str, *, events_before_ns: int, orders_before_ns: int, limit: int) -> int:
        """See ports.Housekeeping; how long the ids of fills stay, says retention.py."""
        bounds = Bounds(events_before_ns, orders_before_ns, limit)
        gone: int = await self._ask("forget", lambda batch: batch.forget(account, bounds))
        return gone

    async def get(self, key: OrderKey) -> Order | None:
        """See ports.Journal."""
        await self._turn()
        return self.disk.order(key)

    async def story(self, key: OrderKey) -> tuple[Step, ...]:
        """See ports.Journal."""
        await self._turn()
        return self.disk.story(key)

    async def find(self, account: str, *, venue_order_id: str = "", venue_client_id: str = "") -> Order | None:
        """See ports.Journal. With both ids, the wire id is asked when the venue's own finds nothing."""
        await self._turn()
        return self.disk.find(account, venue_order_id, venue_client_id)

    async def in_status(self, account: str, statuses: frozenset[Status]) -> tuple[Order, ...]:
        """See ports.Journal."""
        await self._turn()
        return self.disk.in_status(account, statuses)

    async def page(self, query: OrderQuery) -> tuple[Order, ...]:
        """See ports.Journal."""
        await self._turn()
        return self.disk.page(query)

    async def after(self, account: str, sequence: int, limit: int) -> tuple[JournalEntry, ...]:
        """See ports.Journal. A sequence this journal has not reached is refused like one it has dropped."""
        await self._turn()
        return self.disk.after(account, sequence, limit)

    async def last_sequence(self, account: str) -> int:
        """See ports.Journal."""
        await self._turn()
        return self.disk.last_sequence(account)

    async def high_water(self, key_fingerprint: str) -> int | None:
        """See ports.NonceBlocks."""
        await self._turn()
        return self.disk.high_water(key_fingerprint)

    async def modes(self, account: str) -> tuple[ModeEntry, ...]:
        """See ports.ModeBook."""
        await self._turn()
        return self.disk.modes.of(account)

    async def recall(self, account: str, name: str) -> str:
        """See ports.Facts."""
        await self._turn()
        return self.disk.facts.get((account, name), "")

    async def confirm(self) -> None:
        """See ports.Housekeeping."""
        await self._turn()
        self._check_owner()

    def subscribe(self, listener: Callable[[JournalEntry], None]) -> Callable[[], None]:
        """See ports.Journal."""
        return self._listeners.add(listener)

    async def close(self) -> None:
        """See ports.Store."""
        self._closed = True
        if self._queue:
            drained = Ticket(None, asyncio.get_running_loop().create_future())
            self._closers.append(drained)
            await drained.answer

    def crash(self) -> None:
        """Ends the simulated process now: what is queued was never written, and whoever waits gets StoreCrashed."""
        self._crash = self._crash or StoreCrashed("the process of this store is dead")
        queue, self._queue = self._queue, []
        self._fail([*queue, *self._closers])

    async def _amends_read(self, ask: Callable[[AmendRows], Any]) -> Any:
        await self._turn()
        return ask(self.disk)

    def _ask(self, name: str, run: Callable[[Batch], Any]) -> "asyncio.Future[Any]":
        self._check_usable()
        if len(self._queue) >= self._writes_most:
            raise unavailable("the queue of its writer is full", retry_after_s=0.1)
        ticket = Ticket(_Write(name, run), asyncio.get_running_loop().create_future())
        self._queue.append(ticket)
        self._schedule()
        return ticket.answer

    async def _turn(self) -> None:
        """A read takes a turn of the loop, as it does where a thread answers it."""
        self._check_usable()
        loop = asyncio.get_running_loop()
        ticket = Ticket(None, loop.create_future())
        loop.call_soon(ticket.settle, Outcome())
        await ticket.answer
        self._check_usable()

    def _check_usable(self) -> None:
        if self._crash is not None:
            raise self._crash
        why = self._why_unusable()
        if why:
            raise unavailable(why)

    def _why_unusable(self) -> str:
        if self._closed:
            return "it is closed"
        return "the disk fails" if self.outage else ""

    @property
    def _is_latest(self) -> bool:
        return self.epoch == self.disk.epoch

    def _check_owner(self) -> None:
        if not self._is_latest:
            raise superseded()

    def _schedule(self) -> None:
        if self._due or not self._queue:
            return
        self._due = True
        loop = asyncio.get_running_loop()
        if self._commit_s is None:
            loop.call_soon(self._flush)
        else:
            loop.call_later(self._commit_s(), self._flush)

    def _flush(self) -> None:
        self._due = False
        if self._crash is not None:
            return
        tickets, self._queue = self._queue[:COMMIT_MOST], self._queue[COMMIT_MOST:]
        self.last_batch_size = len(tickets)
        try:
            self._reach(tickets, "before")
            outcomes, entries = self._commit(tickets)
            self._reach(tickets, "after")
        except StoreCrashed as crash:
            self._crash = crash
            self._fail(tickets)
            self.crash()
            return
        self._listeners.publish(entries)
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            ticket.settle(outcome)
        if not self._queue:
            for closer in self._closers:
                closer.settle(Outcome())
        self._schedule()

    def _commit(self, tickets: list[Ticket[_Write]]) -> tuple[list[Outcome], list[JournalEntry]]:
        try:
            if self.outage:
                raise unavailable("the disk fails")
            self._check_owner()
            batch = Batch(self.disk, self._identity)
            outcomes = [Outcome.of(partial(ticket.work.run, batch)) for ticket in tickets]
            self.disk.keep(batch)
            return outcomes, [entry.published for entry in batch.entries]
        except ExecsvcError as error:
            if len(tickets) == 1:
                return [Outcome(error=error)], []
            alone = [self._commit([ticket]) for ticket in tickets]
            return [outcome for outcomes, _ in alone for outcome in outcomes], [
                e for _, entries in alone for e in entries
            ]

    def _reach(self, tickets: list[Ticket[_Write]], where: str) -> None:
        if self._crash_at is not None:
            for ticket in tickets:
                self._crash_at(f"{ticket.work.name}.{where}")

    def _fail(self, tickets: Sequence[Ticket[Any]]) -> None:
        for ticket in tickets:
            if self._crash is not None and not ticket.answer.done():
                ticket.answer.set_exception(self._crash)
