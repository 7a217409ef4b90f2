"""How a caller of a run reaches a gateway, in the manner of gRPC: a call is a task of the gateway, cancelled when given up.

What becomes of a request that waits in the socket of a stopped process is here too: it is dropped there when its caller gives
up first, and then the call never began. What is asked for, and what the answer means, is the caller's.
"""

import asyncio

from execsvc.domain.caller import Permission, alike
from tests.sim.telling import told_by
from tests.support.wire import settle

HOP_S = 0.001
_CALLERS = tuple(alike(f"c-{number}", frozenset(Permission), ("main",)) for number in range(3))


class Give(Exception):
    """The caller has no answer: it gave up, or its connection broke."""


def caller(number):
    """Who places the order of that number."""
    return _CALLERS[number % len(_CALLERS)]


class Client:
    """One caller's line to the gateways. `name` is for stories, `chance` its own."""

    def __init__(self, world, name, who, chance):
        self.world = world
        self.name = name
        self.who = who
        self.chance = chance

    async def pause(self, low, high):
        await asyncio.sleep(low + (high - low) * self.chance.random())

    async def ask(self, verb, work, *, timeout_s, note, patience_s=None, tell=told_by, what=""):
        """One call, told to `note` however it ended: when it began and ended, what was heard, whether silence is excused.

        What was heard, by `tell`; None where nobody was reached, or nothing heard.
        """
        world = self.world
        patience_s = timeout_s if patience_s is None else patience_s
        gateway = world.door(self.chance)
        if gateway is None:
            return None
        began = world.loop.now
        world.trace.note(self.name, verb, f"{what} at {gateway.process.name}, {timeout_s:g} s")
        told, excused = None, True
        try:
            told = tell(await self._exchange(gateway, work, patience_s))
        except Give as why:
            excused = patience_s < timeout_s or str(why) != "late" or gateway.process.disturbed_since(began)
            world.trace.note(self.name, "hears nothing", why)
        except asyncio.CancelledError:
            world.trace.note(self.name, "goes home")
            raise
        else:
            world.trace.note(self.name, "hears", told)
        finally:
            note(Spoken(gateway, began, world.loop.now, told, excused))
        return told

    async def _exchange(self, gateway, work, patience_s):
        world, process = self.world, gateway.process
        loop = world.loop
        answer = loop.create_future()
        running = []

        def begin():
            if not answer.done():
                task = process.run(work(gateway))
                running.append(task)
                task.add_done_callback(end)

        def end(task):
            error = None if task.cancelled() else task.exception()  # asked for even where nobody is left to hear it
            if not task.cancelled() and process.alive:
                loop.call_later(HOP_S, settle, answer, task.result() if error is None else error)

        loop.call_later(HOP_S, process.deliver, begin)
        forget = process.at_death(lambda: loop.call_later(HOP_S, settle, answer, Give("connection lost")))
        late = loop.call_later(patience_s, settle, answer, Give("late"))
        try:
            return await answer
        finally:
            forget()
            late.cancel()
            answer.cancel()
            for task in running:
                loop.call_later(HOP_S, process.deliver, task.cancel)


class Spoken:
    """How one call went, from the caller's side."""

    def __init__(self, gateway, began, ended, told, excused):
        self.gateway = gateway
        self.began = began
        self.ended = ended
        self.told = told
        self.excused = excused

    @property
    def steady(self):
        """Whether the gateway owned the account, ran on and could write all the while."""
        gateway = self.gateway
        return not gateway.process.disturbed_since(self.began) and gateway.was_sound_since(self.began)
