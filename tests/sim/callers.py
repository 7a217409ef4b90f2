"""The callers of a run, in the manner of gRPC: a call is a task of the gateway, cancelled when its caller gives up.

A caller is not patient and not always careful: it hangs up, asks twice, uses an id again for something else, cancels. What
it did and heard goes into the history, in plain values. A request that waits in the socket of a stopped process is dropped
there when its caller gives up first: then the call never began.
"""

import asyncio

from execsvc.app.timing import Timing
from execsvc.domain.caller import Caller, Permission
from execsvc.domain.ids import OrderRef
from execsvc.domain.market import Side
from execsvc.domain.order import OrderSpec, OrderType, TimeInForce
from tests.sim.market import ASK, BID, SYMBOL, TICK
from tests.sim.telling import told_by
from tests.support.entropy import stream
from tests.support.history import PLACED, Call
from tests.support.wire import settle

HOP_S = 0.001
TRIES_MAX = 12
_CALLERS = tuple(Caller(f"c-{number}", frozenset(Permission), ("main",)) for number in range(3))


class Give(Exception):
    """The caller has no answer: it gave up, or its connection broke."""


def caller(number):
    """Who places the order of that number."""
    return _CALLERS[number % len(_CALLERS)]


class Trader:
    """One order id and the caller behind it."""

    def __init__(self, world, number):
        self.world = world
        self.number = number
        self.order = f"o-{number}"
        self.who = caller(number)
        self.chance = stream(world.seed, "caller", number)
        self.temper = self.chance.choices(("stubborn", "careful", "twin", "reuser"), (5, 3, 1, 1))[0]
        self.spec = self._spec()

    def _spec(self):
        chance = self.chance
        side = chance.choice((Side.BUY, Side.SELL))
        kind = chance.choices(("rest", "near", "cross", "ioc", "market", "post", "wrong"), (3, 3, 2, 2, 2, 2, 1))[0]
        quantity = self.world.quantity(chance)
        away = 1 if side is Side.BUY else -1
        touch = ASK if side is Side.BUY else BID
        price = {
            "rest": touch - away * 5000 - chance.randrange(1000),
            "near": touch - away * (2 + chance.randrange(30)),
            "cross": touch + away * chance.randrange(40),
            "ioc": touch + away * chance.randrange(40),
            "post": touch - away * (1 + chance.randrange(30)) if chance.random() < 0.8 else touch + away * 10,
            "wrong": touch,
        }.get(kind)
        if kind == "wrong":
            quantity += 5_000_000
        return OrderSpec(
            symbol=SYMBOL,
            side=side,
            base_quantity=quantity,
            order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
            limit_price=None if price is None else price * TICK,
            post_only=kind == "post",
            time_in_force=TimeInForce.IOC if kind == "ioc" else TimeInForce.GTC,
        )

    async def trade(self):
        """Places until it knows, then perhaps cancels."""
        told = await self._until_known()
        if told is not None and told.status == "open" and self.chance.random() < 0.4:
            await self._pause(0.0, 4.0)
            await self.cancel()

    async def _until_known(self):
        chance = self.chance
        if self.temper == "twin":
            self.world.start(self.place(self.spec))
        for _ in range(TRIES_MAX):
            told = await self.place(self.spec)
            if told is not None and (
                told.status in PLACED or told.id_used or told.status in {"rejected", "not_placed"}
            ):
                break
            await self._pause(0.05, 2.0)
            if told is not None and told.status and chance.random() < 0.2:
                await self.cancel()
            if self.temper == "careful":
                told = await self.get()
                if told is not None and told.status:
                    await self._pause(0.2, 3.0)
        if self.temper == "reuser":
            await self.place(self._spec())
        return told

    async def _pause(self, low, high):
        await asyncio.sleep(low + (high - low) * self.chance.random())

    # ---- calls --------------------------------------------------------------------------------------------------

    async def place(self, spec):
        chance = self.chance
        timeout_s = chance.choice(self.world.forecast.family.timeouts_s)
        delay_s = chance.choice(self.world.forecast.family.delays_s)
        patience_s = timeout_s * chance.random() if chance.random() < 0.15 else timeout_s
        until = self.world.loop.now + timeout_s
        limit = [until]

        def work(gateway):
            now = self.world.loop.now
            limit[0] = min(until, now + delay_s)
            return gateway.desk.place(self.who, self.order, spec, Timing(now, until, delay_s))

        return await self._call("place", work, timeout_s, patience_s, content=spec.base_quantity, limit=limit)

    async def get(self):
        return await self._call("get", lambda it: it.desk.get(self.who, OrderRef(self.order)), 3.0, 3.0)

    async def cancel(self):
        by = self.world.loop.now + 4.0
        return await self._call("cancel", lambda it: it.desk.cancel(self.who, OrderRef(self.order), by), 5.0, 5.0)

    async def _call(self, verb, work, timeout_s, patience_s, *, content=None, limit=(0.0,)):
        world = self.world
        gateway = world.door(self.chance)
        if gateway is None:
            return None
        began = world.loop.now
        world.trace.note(self.order, verb, f"{content or ''} at {gateway.process.name}, {timeout_s:g} s")
        told, excused = None, True
        try:
            told = await self._exchange(gateway, work, patience_s)
        except Give as why:
            excused = patience_s < timeout_s or str(why) != "late" or gateway.process.disturbed_since(began)
            world.trace.note(self.order, "hears nothing", why)
        except asyncio.CancelledError:
            world.trace.note(self.order, "goes home")
            raise
        else:
            world.trace.note(self.order, "hears", told)
        finally:
            world.calls.append(
                Call(verb, self.order, began, world.loop.now, content, limit[0], told=told, excused=excused)
            )
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
            if not task.cancelled() and process.alive:
                error = task.exception()
                loop.call_later(HOP_S, settle, answer, task.result() if error is None else error)

        loop.call_later(HOP_S, process.deliver, begin)
        forget = process.at_death(lambda: loop.call_later(HOP_S, settle, answer, Give("connection lost")))
        late = loop.call_later(patience_s, settle, answer, Give("late"))
        try:
            heard = await answer
        finally:
            forget()
            late.cancel()
            answer.cancel()
            for task in running:
                loop.call_later(HOP_S, process.deliver, task.cancel)
        return told_by(heard)
