"""Callers of a run who ask for many orders at once: batches, cancels of many, dead man's switches, streams that are lost.

What they did and heard goes to the judges of batches (history.py, row by row) and of cancels (judges/cancels.py).
"""

import asyncio

from execsvc.app.clearing import Whose
from execsvc.app.disconnects import GRACE_S
from execsvc.app.timing import Timing
from execsvc.domain.ids import OrderRef
from tests.sim.callers import Trader
from tests.sim.calling import HOP_S, Client, caller
from tests.sim.judges.cancels import ACCOUNT, EVERYBODY, Clear, ClearTold, Setting
from tests.sim.market import SYMBOL
from tests.sim.telling import clear_told_by, rows_told_by
from tests.support.entropy import stream

TRIES_MAX = 8
TIMEOUT_S = 5.0
SWITCH_S = (5, 6, 7)
SETTINGS_MAX = 4
STREAM_S = (0.5, 4.0)
LOOK_S, LURKS_MAX = 0.01, 400
NOBODYS = "o-nobody"


def come(world):
    """Who comes when, as the day has it; each is begun at its time."""
    day, seed = world.day, world.seed
    together, at = day.batch
    if together:
        yield at, lambda: Batch(world, list(range(together))).trade()
    for number, (when, kind) in enumerate(day.clears):
        yield when, Clearer(world, seed + number, kind).clear
    for account, times in ((False, day.own), (True, day.account)):
        for when in times:
            yield when, Guardian(world, seed + account, account=account).guard
    for when in day.streams:
        yield when, Holder(world, seed // 2).hold


# ---- batches -----------------------------------------------------------------------------------------------------


class Batch(Client):
    """Several orders in one call, asked for until every row is known; then each goes its own way."""

    def __init__(self, world, numbers):
        super().__init__(world, f"b-{numbers[0]}", caller(numbers[0]), stream(world.seed, "batch", numbers[0]))
        self.traders = [Trader(world, number, self.who) for number in numbers]
        world.traders |= {trader.number: trader for trader in self.traders}

    async def trade(self):
        told = None
        for _ in range(TRIES_MAX):
            told = await self._place()
            if isinstance(told, tuple) and all(row.status or row.id_used for row in told):
                break
            await self.pause(0.1, 2.0)
        if isinstance(told, tuple):
            for trader, row in zip(self.traders, told, strict=True):
                self.world.start(trader.after_placing(row))

    async def _place(self):
        world = self.world
        timeout_s = self.chance.choice(world.forecast.family.timeouts_s)
        delay_s = self.chance.choice(world.forecast.family.delays_s)
        until, limit = world.loop.now + timeout_s, [world.loop.now + timeout_s]
        entries = [(trader.order, trader.spec) for trader in self.traders]

        def work(gateway):
            now = world.loop.now
            limit[0] = min(until, now + delay_s)
            return gateway.desk.place_many(self.who, entries, Timing(now, until, delay_s))

        def note(how):
            rows = how.told if isinstance(how.told, tuple) else (how.told,) * len(self.traders)
            for trader, row in zip(self.traders, rows, strict=True):
                trader.placed(how, trader.spec, limit[0], row)

        world.counts["batches"] += 1
        return await self.ask("places", work, timeout_s=timeout_s, note=note, tell=rows_told_by, what=len(entries))


# ---- cancels of many ---------------------------------------------------------------------------------------------


class Clearer(Client):
    """One cancel of many, asked for again where nothing was heard."""

    def __init__(self, world, number, kind):
        super().__init__(world, f"x-{number}", caller(number), stream(world.seed, "clear", number))
        self.kind = kind

    async def clear(self):
        if self.chance.random() < 0.6:
            await self._worst_moment()
        for _ in range(TRIES_MAX):
            told = await (self._list() if self.kind == "list" else self._all())
            if told is not None:
                return
            await self.pause(0.1, 2.0)

    async def _worst_moment(self):
        """Just when something is being placed, should that be soon."""
        for _ in range(LURKS_MAX):
            if self.world.unresolved():
                return
            await asyncio.sleep(LOOK_S)

    async def _all(self):
        whose = {"own": Whose.OWN, "everybody": Whose.ALL_CALLERS, "account": Whose.ACCOUNT}[self.kind]
        symbol = SYMBOL if self.chance.random() < 0.3 else ""
        by = self.world.loop.now + TIMEOUT_S - 1
        reach = {"own": self.who.name, "everybody": EVERYBODY, "account": ACCOUNT}[self.kind]
        self.world.counts["clears"] += 1
        return await self.ask(
            "clears",
            lambda it: it.house.clearing.clear(self.who, whose, symbol, by),
            timeout_s=TIMEOUT_S,
            note=lambda how: self._noted(how, reach),
            tell=clear_told_by,
            what=self.kind,
        )

    async def _list(self):
        """Some orders by name, one that nobody knows among them; each row is an answer of its own."""
        world = self.world
        mine = [trader.order for trader in world.traders.values() if trader.who is self.who]
        named = [name for name in mine if self.chance.random() < 0.7]
        asked = [*named, NOBODYS]
        by = world.loop.now + TIMEOUT_S - 1
        refs = [OrderRef(name) for name in asked]
        world.counts["lists"] += 1

        def note(how):
            rows = how.told if isinstance(how.told, tuple) else (how.told,) * len(refs)
            for name, row in zip(asked, rows, strict=True):
                if row is not None and not row.status:
                    world.refusals.append((name, row.reason))
            self._noted(how, "a list", orders=frozenset(asked), told=None)  # what was sent blindly may end one, too
            if isinstance(how.told, tuple):
                taken = [name for name, row in zip(asked, rows, strict=True) if row.status]
                self._noted(how, "a list", orders=frozenset(taken or [NOBODYS]), told=ClearTold())

        return await self.ask(
            "cancels",
            lambda it: it.house.clearing.cancel(self.who, refs, by),
            timeout_s=TIMEOUT_S,
            note=note,
            tell=rows_told_by,
            what=",".join(named),
        )

    def _noted(self, how, whose, **more):
        parts = {"told": how.told, **more}
        self.world.clears.append(Clear(whose, how.began, how.ended, steady=how.steady, **parts))


# ---- switches ----------------------------------------------------------------------------------------------------


class Guardian(Client):
    """Sets a dead man's switch, a few times anew, and in the end lets it go off or takes it off."""

    def __init__(self, world, number, *, account):
        who = caller(number)
        super().__init__(world, f"d-{who.name}", who, stream(world.seed, "switch", number, account))
        self.account = account

    async def guard(self):
        timeout_s = self.chance.choice(SWITCH_S)
        for _ in range(self.chance.randrange(1, SETTINGS_MAX)):
            await self._set(timeout_s)
            await self.pause(0.3, timeout_s - 2.0)
        if self.chance.random() < 0.5:
            await self._set(0)

    async def _set(self, timeout_s):
        world = self.world
        by = world.loop.now + TIMEOUT_S - 1
        whose = ACCOUNT if self.account else self.who.name

        def work(gateway):
            switch = gateway.house.dead_man
            if self.account:
                return switch.set_account(self.who.name, timeout_s, by)
            return switch.set_own(self.who.name, timeout_s)

        def note(how):
            world.settings.append(Setting(whose, timeout_s, how.began, how.ended, told=how.told))
            world.latest_due = max(world.latest_due, how.ended + timeout_s)

        world.counts["switches"] += 1
        await self.ask("sets", work, timeout_s=TIMEOUT_S, note=note, tell=clear_told_by, what=f"{whose} {timeout_s} s")


# ---- streams -----------------------------------------------------------------------------------------------------


class Holder(Client):
    """Opens a stream that cancels its caller's orders when it is lost, loses it, and perhaps opens another in time."""

    def __init__(self, world, number):
        super().__init__(world, f"s-{number}", caller(number), stream(world.seed, "stream", number))

    async def hold(self):
        for _ in range(self.chance.randrange(1, 4)):
            gateway = self.world.door(self.chance)
            if gateway is not None and gateway.serves:
                await self._stream(gateway)
            await self.pause(0.2, 2.5 * GRACE_S)

    async def _stream(self, gateway):
        world, process = self.world, gateway.process
        world.counts["streams"] += 1
        held = process.run(self._held(gateway))
        world.trace.note(self.name, "opens a stream", process.name)
        ended = world.note_stream(self.who.name, gateway)
        await self.pause(*STREAM_S)
        world.trace.note(self.name, "loses its stream", process.name)
        ended()
        world.loop.call_later(HOP_S, process.deliver, held.cancel)

    async def _held(self, gateway):
        with gateway.house.clearing.when_lost(self.who):
            await asyncio.get_running_loop().create_future()
