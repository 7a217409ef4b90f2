"""The callers of single orders: each places one until it knows, and may change or cancel it.

A caller is not patient and not always careful: it hangs up, asks twice, uses an id again for something else, cancels. What
it did and heard goes into the history, in plain values. How a call reaches a gateway is calling.py's, what is wished for
wishes.py's; callers of many orders at once are crowd.py's.
"""

from execsvc.app.amends import Asked
from execsvc.app.timing import Timing
from execsvc.domain.ids import OrderRef
from tests.sim.calling import Client, caller
from tests.sim.judges.amends import AmendCall
from tests.sim.telling import amend_told_by, figures
from tests.sim.wishes import Wishes, change_of, plain
from tests.support.entropy import stream
from tests.support.history import PLACED, Call

TRIES_MAX = 12
AMENDS_MAX = 3
AMEND_TRIES = 4
_HOPELESS = frozenset({"INVALID_REQUEST", "ORDER_MINIMUM_NOT_MET", "TICK_SIZE_VIOLATED"})


class Trader(Client):
    """One order id and the caller behind it."""

    def __init__(self, world, number, who=None):
        super().__init__(world, f"o-{number}", who or caller(number), stream(world.seed, "caller", number))
        self.number = number
        self.order = self.name
        self.temper = self.chance.choices(("stubborn", "careful", "twin", "reuser"), (5, 3, 1, 1))[0]
        self.spec = self._spec()

    def _spec(self):
        """Of every kind on a rich day; the draws of plain ones are spent all the same, so that days are alike."""
        spec, more = plain(self.world, self.chance), stream(self.world.seed, "wishes", self.number)
        rich = self.world.day.rich and more.random() < self.world.day.rich
        return Wishes(self.world, more).one(self.world.day.kinds) if rich else spec

    async def trade(self):
        """Places until it knows, then perhaps changes and cancels."""
        await self.after_placing(await self._until_known())

    async def after_placing(self, told):
        if told is None or told.status != "open":
            return
        more = stream(self.world.seed, "changes", self.number)
        if self.world.day.rich and more.random() < self.world.day.amends:
            await self._change(more)
        if self.chance.random() < 0.4:
            await self.pause(0.0, 4.0)
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
            if told is not None and told.reason in _HOPELESS:
                break
            await self.pause(0.05, 2.0)
            if told is not None and told.status and chance.random() < 0.2:
                await self.cancel()
            if self.temper == "careful":
                told = await self.get()
                if told is not None and told.status:
                    await self.pause(0.2, 3.0)
        if self.temper == "reuser":
            await self.place(self._spec())
        return told

    # ---- changing -----------------------------------------------------------------------------------------------

    async def _change(self, chance):
        """Some changes, one after the other, each until it knows; a twin asks for each twice at a time."""
        for number in range(chance.randrange(1, AMENDS_MAX + 1)):
            wish = change_of(self.world, chance, self.spec)
            if wish is None:
                return
            await self.pause(0.0, 2.0)
            request = f"a-{number}"
            if self.temper == "twin":
                self.world.start(self.amend(request, wish))
            for _ in range(AMEND_TRIES):
                told = await self.amend(request, wish)
                if told is not None and (told.applied or told.id_used or told.reason == "ORDER_TERMINAL"):
                    break
                await self.pause(0.05, 1.5)

    async def amend(self, request, wish):
        world, ref = self.world, OrderRef(self.order)
        timeout_s = self.chance.choice(world.forecast.family.timeouts_s)
        delay_s = self.chance.choice(world.forecast.family.delays_s)
        until, limit = world.loop.now + timeout_s, [world.loop.now + timeout_s]

        def work(gateway):
            now = world.loop.now
            limit[0] = min(until, now + delay_s)
            return gateway.house.amends.amend(self.who, ref, Asked(request, wish), Timing(now, until, delay_s))

        def note(how):
            world.amend_calls.append(
                AmendCall(
                    self.order,
                    request,
                    figures(wish),
                    how.began,
                    how.ended,
                    limit[0],
                    told=how.told,
                    excused=how.excused,
                )
            )

        what = f"{request} {wish.text()}"
        return await self.ask("amend", work, timeout_s=timeout_s, note=note, tell=amend_told_by, what=what)

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

        return await self.ask(
            "place",
            work,
            timeout_s=timeout_s,
            patience_s=patience_s,
            note=lambda how: self.placed(how, spec, limit[0]),
            what=content_of(spec),
        )

    def placed(self, how, spec, limit, told=None):
        """One placement's call goes into the history."""
        told = told or how.told
        self.world.calls.append(
            Call("place", self.order, how.began, how.ended, content_of(spec), limit, told=told, excused=how.excused)
        )

    async def get(self):
        return await self.ask(
            "get", lambda it: it.desk.get(self.who, OrderRef(self.order)), timeout_s=3.0, note=self._looked("get")
        )

    async def cancel(self):
        by = self.world.loop.now + 4.0
        return await self.ask(
            "cancel",
            lambda it: it.desk.cancel(self.who, OrderRef(self.order), by),
            timeout_s=5.0,
            note=self._looked("cancel"),
        )

    def _looked(self, verb):
        def note(how):
            self.world.calls.append(Call(verb, self.order, how.began, how.ended, told=how.told, excused=how.excused))

        return note


def content_of(spec):
    """What tells an order from all others of its run: how much it is of, in either asset."""
    return spec.quote_quantity if spec.base_quantity is None else spec.base_quantity
