"""Both stores as the conformance suite sees them: opened, opened again, held up for one commit, audited.

What must hold stands in test_store.py and test_store_keeping.py; how an engine is got into a state, here.
"""

import asyncio
import threading
from contextlib import contextmanager

from execsvc.ports import Store
from execsvc.store.database import Birth, open_database
from execsvc.store.disk import Disk
from execsvc.store.memory import MemoryStore
from execsvc.store.sqlite import SqliteStore, open_sqlite
from tests.support.chains import flaws_of
from tests.unit.store.samples import SECRET, Chance, StillClock, intent_of


class InMemory:
    """Stores on one simulated disk."""

    def __init__(self, folder):
        self.disk = Disk.blank(Chance("memory"))

    async def open(self, *, writes_most=4096) -> Store:
        return MemoryStore(self.disk, writes_most=writes_most)

    async def usurp(self) -> Store:
        """Another process that opens the store although it is in use."""
        return await self.open()

    def flaws(self, account):
        return self.disk.audit_flaws(account)

    @contextmanager
    def one_commit(self, store):
        yield


class OnDisk:
    """SQLite stores in one folder."""

    def __init__(self, folder):
        self.path = folder / "state" / "execsvc.db"

    async def open(self, *, writes_most=4096) -> Store:
        if writes_most == 4096:
            return await open_sqlite(self.path, entropy=Chance("disk"), clock=StillClock())
        return SqliteStore(open_database(self.path, Birth("journal", SECRET, 1)), writes_most=writes_most)

    async def usurp(self) -> Store:
        """Another process that opens the store although it is in use: somebody removed the lock."""
        self.path.with_name(f"{self.path.name}.lock").unlink()
        return await self.open()

    def flaws(self, account):
        return flaws_of(self.path).get(account, ())

    @contextmanager
    def one_commit(self, store):
        """Holds the writer thread up, so that what is asked for in the block shares the next commit."""
        held, let_go = threading.Event(), threading.Event()

        def hold(batch):
            held.set()
            assert let_go.wait(10)

        store._writer.bridge.ask(hold)
        assert held.wait(10)
        yield
        let_go.set()


ENGINES = {"memory": InMemory, "sqlite": OnDisk}


async def placed(store, key=None, *events, now_ns=1_000):
    """An order that was begun, with these events recorded."""
    order = (await store.begin(intent_of(key), now_ns)).order
    for later, event in enumerate(events, now_ns + 1):
        order = await store.record(order.key, event, later)
    return order


async def settled(*calls):
    """All answers, errors as values."""
    return await asyncio.gather(*calls, return_exceptions=True)


async def together(engine, store, *calls):
    """All answers, errors as values, of calls that share a commit."""
    with engine.one_commit(store):
        asked = [asyncio.ensure_future(call) for call in calls]
        await asyncio.sleep(0)
    return await settled(*asked)
