"""The order path of one account in virtual time: real desk, resolver and store twin, a scripted venue."""

from contextlib import asynccontextmanager
from decimal import Decimal

from execsvc.app.catalog import Catalog
from execsvc.app.house import Terms, house
from execsvc.app.timing import Timing
from execsvc.domain.caller import Permission, alike
from execsvc.domain.market import Side
from execsvc.domain.spec import OrderSpec, OrderType
from execsvc.store.disk import Disk
from execsvc.store.memory import MemoryStore
from execsvc.telemetry import silent
from tests.support.risks import lifted, risk_desk
from tests.support.simloop import SimClock, SimTasks
from tests.support.venue import BTC_USD, ScriptedCatalogVenue, ScriptedVenue

ME = alike("local", frozenset(Permission), ("main",))
OTHER = alike("other", frozenset({Permission.TRADE, Permission.CANCEL}), ("main",))


def limit(quantity="0.001", price="60000.0", side=Side.BUY, symbol="BTC/USD"):
    return OrderSpec(symbol, side, Decimal(quantity), OrderType.LIMIT, Decimal(price))


class World:
    """One process's life over a disk that survives it: `disk` may be handed to the next World."""

    def __init__(
        self,
        disk,
        *,
        venue=None,
        clock=None,
        feeds=None,
        max_order_notional=None,
        rules=None,
        telemetry=None,
        terms=None,
        listed=(BTC_USD,),
    ):
        self.clock = clock or SimClock()
        self.tasks = SimTasks()
        self.venue = venue or ScriptedVenue(self.clock, SimTasks())
        self.store = store = MemoryStore(disk)
        self.catalog = Catalog(ScriptedCatalogVenue(listed), self.clock)
        self.alarms = []
        self.risk = risk_desk(
            store,
            self.catalog,
            feeds,
            self.clock,
            rules=rules or lifted(max_order_notional=max_order_notional),
            tasks=self.tasks,
            telemetry=telemetry,
        )
        self.house = house(
            account="main",
            venue=self.venue,
            store=store,
            catalog=self.catalog,
            risk=self.risk,
            clock=self.clock,
            tasks=self.tasks,
            telemetry=silent(),
            alarm=self.alarms.append,
            terms=terms or Terms(),
        )
        self.desk, self.resolver, self.settlements = self.house.desk, self.house.resolver, self.house.settlements

    async def start(self):
        await self.catalog.refresh()
        await self.resolver.adopt_all(self.clock.monotonic())
        self.tasks.start("resolver", self.resolver.run())
        self.tasks.start("owner", self.house.owner.keep())
        return self

    async def place(self, client_order_id, spec=None, *, timeout_s=10.0, entry_s=5.0, who=ME):
        now = self.clock.monotonic()
        return await self.desk.place(who, client_order_id, spec or limit(), Timing(now, now + timeout_s, entry_s))

    async def kill(self):
        """The process is gone: nothing of it runs on; what the venue has on its way still arrives."""
        await self.tasks.close()
        self.settlements.close()


@asynccontextmanager
async def world(**parts):
    built = await World(parts.pop("disk", None) or new_disk(), **parts).start()
    try:
        yield built
    finally:
        await built.kill()
        assert built.tasks.failures == []


def new_disk():
    return Disk("journal-1", b"i" * 32)
