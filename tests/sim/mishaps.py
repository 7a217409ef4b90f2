"""What befalls the processes, the exchange and the way between them: each kind of mishap, carried out."""

import asyncio
from dataclasses import replace

from execsvc.paper.mishap import Fault
from tests.sim.weather import DARK, DOWN
from tests.support.entropy import stream

_FAR_S = 3 * 3600.0


class Mishaps:
    """Carries out a forecast's mishaps, one after the other."""

    def __init__(self, world):
        self._world = world
        self._kinds = {
            "kill": self._kill,
            "point": self._point,
            "stop": self._stop,
            "stall": self._stall,
            "takeover": self._take_over,
            "step": self._step,
            "cut": lambda _: world.wire.cut(),
            "mute": lambda _: world.wire.mute(),
            "dark": lambda it: self._turn(DARK, 2 + 9 * it.lasts),
            "blind": lambda _: self._turn(replace(world.weather, blind=1.0), 3600),
            "unreachable": self._unreachable,
            "maintenance": self._maintain,
            "outage": lambda it: world.start(self._store_out(world.gateway, 0.2 + 2 * it.lasts)),
        }

    async def run(self):
        world, began = self._world, self._world.loop.now
        for each in world.forecast.mishaps:
            await asyncio.sleep(max(0.0, began + each.at - world.loop.now))
            world.trace.note("world", "has a mishap:", each.kind)
            world.counts[each.kind] += 1
            self._kinds[each.kind](each)

    async def keep_one_alive(self):
        """Starts a new process a while after the last one died, as a machine's service manager does."""
        world, chance = self._world, stream(self._world.seed, "keeper")
        while True:
            await asyncio.sleep(0.1 + 1.5 * chance.random())
            if not world.gateway.process.alive:
                world.open()

    # ---- processes ----------------------------------------------------------------------------------------------

    def _kill(self, _):
        self._world.gateway.kill()

    def _point(self, it):
        self._world.gateway.crash_point = it.point
        self._world.gateway.crash_skip = int(3 * it.lasts)

    def _stop(self, it):
        self._world.start(self._stopped(self._world.gateway, 1 + 14 * it.lasts, timers_first=it.size < 0.5))

    def _stall(self, it):
        """The process stops in the very moment of a commit, is replaced, and wakes up a while after that."""
        world = self._world
        world.gateway.stall_point = "begin.after" if it.size < 0.6 else it.point
        world.gateway.stall = lambda: world.start(self._replaced(world.gateway, 0.4 * it.lasts, 1.5 + 2.5 * it.more))

    async def _replaced(self, old, after_s, then_s, *, timers_first=True):
        self._world.start(self._stopped(old, after_s + then_s, timers_first=timers_first))
        await asyncio.sleep(after_s)
        if self._world.gateway is old:
            self._world.open()

    def _take_over(self, it):
        """The owner stops, another takes the account, the old one wakes up: at once or a good while later."""
        timers_first = it.size < 0.5
        waits = self._replaced(self._world.gateway, 3 * it.lasts, 6 * it.size**2, timers_first=timers_first)
        self._world.start(waits)

    async def _stopped(self, gateway, seconds, *, timers_first):
        world, process = self._world, gateway.process
        if process.stopped:
            return
        process.stop()
        world.trace.note(process.name, "stops", f"for {seconds:.1f} s")
        try:
            await asyncio.sleep(seconds)
        finally:
            world.trace.note(process.name, "wakes")
            process.resume(timers_first=timers_first)

    # ---- clock, network, store, exchange ------------------------------------------------------------------------

    def _step(self, it):
        """Mostly a little, sometimes by hours; later it is set right again."""
        far_s = _FAR_S if it.lasts > 0.95 else 20.0
        self._world.machine.skew_s += far_s * (2 * it.size - 1) ** 3
        self._world.start(self._set_right(6 * it.lasts))

    async def _set_right(self, after_s):
        await asyncio.sleep(after_s)
        self._world.machine.skew_s = 0.0

    def _unreachable(self, it):
        self._world.wire.cut()
        self._turn(DOWN, 0.3 + 3 * it.lasts)

    def _turn(self, weather, seconds):
        self._world.start(self._turned(weather, seconds))

    async def _turned(self, weather, seconds):
        self._world.weather = weather
        await asyncio.sleep(seconds)
        self._world.weather = self._world.forecast.family.weather

    def _maintain(self, it):
        world = self._world
        fault = Fault(kind="maintenance", for_ms=int(500 + 4000 * it.lasts))
        world.wire.do(lambda now: world.exchange.fault(fault, now))

    async def _store_out(self, gateway, seconds):
        gateway.store.outage = True
        await asyncio.sleep(seconds)
        gateway.store.outage = False
        gateway.unsound_until = self._world.loop.now
