"""One seed's world: processes of the gateway on one disk, one paper exchange, the weather between them, the callers.

It runs in three acts: mishaps and orders; then everything is mended and the doubts get the time that P2 promises; then the
last look, which the checker judges together with all that was told and all that the exchange did.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass

from execsvc.compose.rooms import ACCOUNT
from execsvc.domain.ids import OrderRef
from execsvc.domain.market import FeedState
from execsvc.domain.order import UNRESOLVED
from execsvc.store.disk import Disk
from tests.sim import market
from tests.sim.callers import Trader
from tests.sim.crowd import come
from tests.sim.day import day_of
from tests.sim.evidence import Evidence
from tests.sim.gateway import Gateway
from tests.sim.halting import Halter, episodes
from tests.sim.hands import Hands
from tests.sim.judges.cancels import TIMER
from tests.sim.mishaps import Mishaps
from tests.sim.sends import WatchedWire
from tests.sim.telling import told_by
from tests.sim.trace import Trace
from tests.sim.unlike import Unlike
from tests.sim.weather import CALM, forecast
from tests.support.entropy import SeededEntropy, stream
from tests.support.history import Finding
from tests.support.process import own_tasks
from tests.support.simloop import SimLoop

T_S, DELAY_S = 12.0, 5.0  # promises.md P2: so long with entry deadlines of at most 5 s and V as it is at the start
# Looks cost points that a storm has used up: then they wait for Kraken's counter of the tier (promises.md section 5).
T_COUNTED_S = {"starter": 40.0, "intermediate": 24.0, "pro": 16.0, "unlimited": 12.0}
T_FLOOD_S = 45.0  # the same while orders come faster than the key can send: late is allowed, never is not
V_S = 3.0
OPEN_S = 60.0
AGREE_S = 45.0  # the private stream stands again, whatever budget of dials was spent, and has told everything
GAP_S = 1.2
AFTER_LAST_S = 6.0
SWITCHED_S = 3.0  # a switch that is due has had its orders cancelled


@dataclass
class Machine:
    """Where processes run: their wall clock is off by so much."""

    skew_s: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """What came of one seed."""

    seed: int
    findings: tuple[Finding, ...]
    hash: str
    counts: Counter
    lines: tuple[str, ...] = ()


class World(Evidence):
    """Everything of one seed."""

    nonce_window = 0

    def __init__(self, seed, *, orders=4, tell=False):
        super().__init__()
        self.seed = seed
        self.orders = orders
        self.loop = SimLoop()
        self.loop.set_exception_handler(self._defect)
        own_tasks(self.loop)
        self.trace = Trace(self.loop, keep=tell)
        self.forecast = forecast(seed, orders * GAP_S + AFTER_LAST_S)
        family = self.forecast.family
        plain = bool(family.script) or not orders
        self.day = day_of(seed, self.forecast.lasts_s, orders=orders, plain=plain)
        self.episodes = episodes(seed, self.forecast.lasts_s, plain=plain)
        self.weather = CALM
        self.machine = Machine()
        self.exchange = market.open_exchange(seed, nonce_window=self.nonce_window)
        self.wire = WatchedWire(self.loop, self.exchange, self.trace.note)
        self.disk = Disk.blank(SeededEntropy(seed, "disk"))
        self.gateway = None
        self.old = []
        self.traders = {}
        self.followed = 0
        self.latest_due = 0.0
        self.findings = []
        self.unlike = Unlike()
        self.counts = Counter()
        self._tasks = {}

    def __repr__(self):
        return f"<World {self.seed} {self.forecast.name} at {self.loop.now:.3f} s>"

    # ---- what others ask of it ----------------------------------------------------------------------------------

    def door(self, chance):
        """The process that a caller reaches: the newest, now and then an older one that still stands.

        Who does not take orders is mostly left alone, as a load balancer does that looks at health.
        """
        old = [each for each in self.old if each.process.alive]
        gateway = chance.choice(old) if old and chance.random() < 0.25 else self.gateway
        if not gateway.process.alive or (not gateway.serves and chance.random() < 0.8):
            return None
        return gateway

    def start(self, work):
        """A task of nobody's process; it ends with the first act."""
        task = self.loop.create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)

    def open(self):
        """A process starts; whoever owned the account until now does so no more."""
        if self.gateway is not None:
            self.superseded[self.gateway.epoch] = self.loop.now
            self.old.append(self.gateway)
        self.gateway = Gateway(self)
        self.counts["lives"] += 1
        self.trace.note(self.gateway.process.name, "starts")

    def defect(self, what):
        """Something that must not happen whatever the weather."""
        self.findings.append(Finding("defect", what))

    # ---- the acts -----------------------------------------------------------------------------------------------

    def run(self):
        """Plays it and judges."""
        try:
            self.loop.run_until_complete(self._play())
        finally:
            self._close()
        self.findings += self.judged()
        for counter, times in market.told_off(self.exchange, self.wire.now_ns).items():
            self.counts[f"told off {counter}"] += times
            if counter in self._uncounted():
                continue
            self.findings.append(Finding("P4", f"the exchange's counter of {counter} refused {times} times"))
        self._count()
        return Outcome(self.seed, tuple(self.findings), self.trace.hash, self.counts, tuple(self.trace.lines))

    def _uncounted(self):
        """Nobody can count what a person placed a moment ago, nor what Kraken's timer has just cancelled."""
        timed = any(reason == TIMER for _, _, reason, _ in market.ends(self.exchange).values())
        return {name for name, seen in {"open orders": self.by_hand, "engine": timed}.items() if seen}

    async def _play(self):
        family = self.forecast.family
        self.trace.note("world", "is", self.forecast.name)
        self._arm(*self.forecast.lags)
        self.open()
        if self.forecast.waits:
            await self._until_open()
        self.weather = family.weather
        self._arm(*self.forecast.faults)
        mishaps = Mishaps(self)
        self.start(mishaps.run())
        self.start(mishaps.keep_one_alive())
        others = [self.loop.create_task(market.strangers(self, family.strangers))]
        if family.person:
            others.append(self.loop.create_task(market.person(self, family.person)))
        if self.day.hands:
            hands = Hands(self, self.day.hands)
            others += [self.loop.create_task(hands.work()), self.loop.create_task(hands.insist())]
        together, _ = self.day.batch
        for number in range(together, self.orders):
            self.start(self._trade(number, family.gap_s * (number + stream(self.seed, "start", number).random())))
        for when, work in come(self):
            self.start(self._at(when, work))
        for number, episode in enumerate(self.episodes):
            self.start(Halter(self, number, episode).halt())
        flood = self.loop.create_task(self._flood(family.flood)) if family.flood else None
        await asyncio.sleep(self.forecast.lasts_s)
        await self._mend()
        tier = market.tier_of(self.seed)
        if flood is not None:
            await self._settle(T_FLOOD_S + T_COUNTED_S[tier] - T_S, self.unresolved())
            flood.cancel()
        # After a flood there are pages of closed orders to look through, each of which costs its points; and each amend in
        # doubt, and what a person placed, is asked for from the same counter.
        shares = 1 + bool(self.day.hands) + len(self.disk.open_amends(ACCOUNT)) + 2 * (flood is not None)
        counted_s = (T_COUNTED_S[tier] - T_S) * shares
        await self._settle(T_S + counted_s + max(family.delays_s) - DELAY_S, ())
        self.weather = CALM
        for task in others:
            task.cancel()
        await asyncio.sleep(max(0.0, self.latest_due + SWITCHED_S - self.loop.now))
        await self._agree()

    async def _trade(self, number, after_s):
        await asyncio.sleep(after_s)
        trader = self.traders[number] = Trader(self, number)
        await trader.trade()

    async def _at(self, when, work):
        await asyncio.sleep(when)
        await work()

    async def _flood(self, a_second):
        chance, number = stream(self.seed, "flood"), self.orders
        await asyncio.sleep(3.0)
        while True:
            await asyncio.sleep(chance.expovariate(a_second))
            trader = self.traders[number] = Trader(self, number)
            task = self.loop.create_task(trader.place(trader.spec))
            task.add_done_callback(lambda _: None)
            number += 1

    async def _mend(self):
        """From here on everything can be reached and is owned."""
        for task in tuple(self._tasks):
            task.cancel()
        self.trace.note("world", "is mended")
        self.weather = self.forecast.family.cured
        self.machine.skew_s = 0.0
        for each in self.old:
            each.kill()
        gateway = self.gateway
        gateway.crash_point = gateway.stall_point = ""
        gateway.store.outage = False
        gateway.process.resume()
        await self._until_open()

    async def _until_open(self):
        """Until orders are taken. An operator restarts, once, what waits for one."""
        by, helped = self.loop.now + OPEN_S, False
        while not self.gateway.serves:
            if self.loop.now >= by:
                self.defect(f"{self.gateway.process.name} does not serve: {self.gateway.desk.closed_because}")
                return
            if self.gateway.wants_operator and not helped:
                helped = True
                self.counts["operator"] += 1
                self.gateway.kill()
            if not self.gateway.process.alive:
                self.open()
            await asyncio.sleep(0.1)

    async def _settle(self, allowed_s, owed):
        """P2: what is owed (or everything) is settled in the time allowed, which grows with the V in force."""
        began, visibility = self.loop.now, self.gateway.house.visibility
        while left := [order for order in self.unresolved() if not owed or order in owed]:
            if self.loop.now > began + allowed_s + 2 * (visibility.bound_s - V_S):
                took = f"{self.loop.now - began:.1f} s of good weather, V being {visibility.bound_s:g} s"
                self.findings += [Finding("P2.T", f"{order} is not settled after {took}") for order in left]
                break
            await asyncio.sleep(0.1)
        self.counts["settling ms"] += round((self.loop.now - began) * 1000)
        self.counts["V grown"] += visibility.bound_s > V_S

    async def _agree(self):
        """Until the journal says what the exchange says, which a lost stream may delay."""
        began = self.loop.now
        while self.loop.now < began + AGREE_S:
            await asyncio.sleep(0.5)
            await self._look()
            if self.gateway.house.executions.state is FeedState.LIVE and not self.ends():
                break
        self.counts["agreeing ms"] += round((self.loop.now - began) * 1000)

    def unresolved(self):
        return sorted(order.key.client_order_id for order in self.disk.in_status(ACCOUNT, UNRESOLVED))

    async def _look(self):
        """The last look of every caller at its order."""
        await self._until_open()
        for trader in self.traders.values():
            task = self.gateway.process.run(self.gateway.desk.get(trader.who, OrderRef(trader.order)))
            await asyncio.wait([task])
            told = told_by(task.exception() or task.result())
            self.finals[trader.order] = told if told.status else None

    # ---- the end ------------------------------------------------------------------------------------------------

    def _arm(self, *faults):
        for fault in faults:
            self.wire.do(lambda now, fault=fault: self.exchange.fault(fault, now))

    def _defect(self, loop, context):
        self.defect(f"{context['message']}: {context.get('exception')!r}")

    def _close(self):
        for each in [*self.old, self.gateway]:
            if each is not None:
                each.kill()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.call_soon(self.loop.call_soon, self.loop.call_soon, self.loop.stop)
        self.loop.run_forever()
        self.loop.close()

    def _count(self):
        """What there was to judge, and how the orders ended."""
        history = self.history()
        self.counts["orders"] += len(self.traders)
        self.counts["entered"] += len(history.entered)
        self.counts["requests"] += len(history.heard)
        self.counts["calls"] += len(history.calls) + len(self.amend_calls)
        self.counts["amends"] += len({(call.order, call.request) for call in self.amend_calls})
        self.counts["applied"] += sum(not each.by_hand for each in self._amends().stood)
        for order in self.exchange.venue.orders.accepted():
            self.counts[f"type {order.terms.kind}"] += 1
        self.counts["virtual s"] += round(self.loop.now)
        for final in self.finals.values():
            self.counts[f"ends {'unknown' if final is None else final.status}"] += 1
