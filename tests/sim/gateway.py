"""One life of the gateway in a simulated process: the product's own rooms and start, over a made-up world."""

from dataclasses import replace
from types import MappingProxyType

from execsvc.app.standing import Phase
from execsvc.compose.account import AccountStart
from execsvc.compose.marketside import market_side
from execsvc.compose.outcome import StartRefused, Stop
from execsvc.compose.parts import Parts
from execsvc.compose.rooms import ACCOUNT, rooms
from execsvc.compose.service import FIRST_TABLES_S
from execsvc.compose.venue import AccountKey, VenueAccess
from execsvc.domain.errors import Busy, ExecsvcError, ProtocolBroken, Reason
from execsvc.domain.riskrules import LIFTED, RiskRules
from execsvc.runtime.secrets import Secret
from execsvc.runtime.tasks import Supervisor
from execsvc.settings import VenueUrls, load
from execsvc.store.memory import MemoryStore, StoreCrashed
from execsvc.telemetry import silent
from tests.sim.market import tier_of
from tests.sim.telling import told_by
from tests.sim.weather import Sky
from tests.support.entropy import SeededEntropy, stream
from tests.support.history import Call
from tests.support.process import HeldStore, Process, ProcessClock
from tests.support.wire import REST_URL, WS_AUTH_URL, WS_URL, WireDialer, WireHttp

TELEMETRY = silent()
# No limit keeps a caller from trying the proof; open orders are counted all the same, as far as nobody goes.
LIMITS = RiskRules((replace(LIFTED, max_open_orders=100_000),))
SETTINGS = {
    tier: replace(load({"EXECSVC_TIER": tier}, overrides={}, dev=False), risk=LIMITS)
    for tier in ("starter", "intermediate", "pro", "unlimited")
}
URLS = VenueUrls(REST_URL, WS_URL, WS_AUTH_URL)


class Gateway:
    """One process: opened store, rooms, loops. Its number is its store's epoch."""

    def __init__(self, world):
        self.world = world
        self.store = MemoryStore(world.disk, crash_at=self._reached, commit_s=self._commit_s)
        self.epoch = self.store.epoch
        self.process = Process(f"gateway-{self.epoch}", world.loop)
        self.crash_point = ""
        self.crash_skip = 0
        self.stall_point = ""
        self.stall = None
        self.unsound_until = 0.0
        self.stop = Stop()
        self._commits = stream(world.seed, "commits", self.epoch)
        self.parts = self._parts()
        store = HeldStore(self.store, self.process)
        store.subscribe(self._told)
        key = world.exchange.venue.key
        access = VenueAccess(URLS, {ACCOUNT: AccountKey(Secret(key.api_key), Secret(key.api_secret))}, None)
        settings = SETTINGS[tier_of(world.seed)]
        shared = market_side(self.parts, access.urls)
        self.rooms = rooms(settings, settings.accounts[0], self.parts, store, access, shared)
        self.house = self.rooms.house
        self.process.run(self._boot(), "boot")

    def __repr__(self):
        return f"<Gateway {self.process!r}>"

    @property
    def desk(self):
        return self.house.desk

    @property
    def serves(self):
        """Whether it takes orders."""
        if not self.process.alive or self.wants_operator:
            return False
        return self.rooms.standing.phase in {Phase.RECONCILING, Phase.SERVING} and self.desk.closed_because is None

    @property
    def wants_operator(self):
        """Whether only a restart by hand gets it going again: its key was refused too often, or looks shared."""
        closed = self.desk.closed_because
        halted = closed is not None and closed.reason is Reason.TRADING_HALTED
        return halted or any(lane.stopped for lane in self.house.venue.lanes())

    def was_sound_since(self, then):
        """Whether it owned the account and could write all the while."""
        return self.world.gateway is self and not self.store.outage and self.unsound_until <= then

    def kill(self):
        self.process.kill()
        self.store.crash()

    def _parts(self):
        world, process = self.world, self.process
        clock = ProcessClock(process, world.machine)
        entropy = SeededEntropy(world.seed, process.name)
        sky = Sky(world, process.name)
        return Parts(
            clock=clock,
            entropy=entropy,
            tasks=Supervisor(clock, entropy, on_failure=self._failed, on_fatal=self._fatal),
            http=WireHttp(world.wire, process, sky),
            dialer=WireDialer(world.wire, process, sky),
            telemetry=TELEMETRY,
            metrics_text=str,
            environ=MappingProxyType({}),
        )

    async def _boot(self):
        """As compose/service.py starts, without doors and market feeds."""
        clock, tasks, catalog = self.parts.clock, self.parts.tasks, self.house.catalog
        try:
            async with clock.timeout_at(clock.monotonic() + FIRST_TABLES_S):
                await catalog.refresh()
        except (TimeoutError, Busy, ProtocolBroken) as failure:
            self.world.trace.note(self.process.name, "has no tables", failure)
        tasks.supervise("catalog", catalog.keep_fresh)
        try:
            await AccountStart(ACCOUNT, self.rooms.opening, clock, tasks).first_try(self.stop)
            await self.stop.event.wait()
            why = self.stop.why
        except StartRefused as refused:
            why = str(refused)
        self.world.trace.note(self.process.name, "exits", why)
        self.world.counts["exits"] += 1
        self.world.loop.call_soon(self.kill)

    # ---- what it tells ------------------------------------------------------------------------------------------

    def _reached(self, point):
        self.world.trace.note(self.process.name, "commits", point)
        if point == self.stall_point:
            self.stall_point = ""
            self.stall()  # a task that stops the process before the commit's result reaches it
        if point == self.crash_point:
            self.crash_skip -= 1
            if self.crash_skip < 0:
                self.world.trace.note(self.process.name, "crashes at", point)
                self.kill()
                raise StoreCrashed

    def _commit_s(self):
        return 0.0003 + 0.003 * self._commits.random() ** 4

    def _told(self, entry):
        """What whoever follows the journal's events is told at once; a follower goes by sequence and hears each once.

        An owner that was stopped wakes up with commits to tell that its successor's followers have long read.
        """
        order = entry.order
        if order is not None and entry.sequence > self.world.followed:
            self.world.followed = entry.sequence
            what = f"{entry.sequence} {order.key.client_order_id} {order.status.value} v{order.version}"
            self._followed(order)
        elif order is not None:
            what = f"{entry.sequence} {order.key.client_order_id} late"
        elif entry.amend is not None:
            amend = entry.amend
            what = f"{entry.sequence} {amend.key.order.client_order_id} {amend.key.request_id} {amend.status.value}"
        elif entry.mode is not None:
            what = f"{entry.sequence} {entry.mode.mode.name} for {entry.mode.scope}"
        else:
            what = f"{entry.sequence} fill {entry.fill.fill_id} {entry.fill.quantity}"
        self.world.trace.note(self.process.name, "journal", what)

    def _followed(self, order):
        """Orders placed elsewhere are nobody's: no caller's history has them, only their own."""
        now, name, told = self.world.loop.now, order.key.client_order_id, told_by(order)
        self.world.seen[order.venue_order_id if not order.key.caller else name].append((now, told.status))
        if order.key.caller:
            self.world.calls.append(Call("follow", name, now, now, told=told))

    def _failed(self, name, failure):
        self.world.trace.note(self.process.name, "task failed", f"{name}: {failure!r}")
        if not isinstance(failure, ExecsvcError):
            self.world.defect(f"{self.process.name}: {name}: {failure!r}")

    def _fatal(self, name, failure):
        self.world.trace.note(self.process.name, "cannot go on", f"{name}: {failure!r}")
        if name != "owner" or self.world.gateway is self:
            self.world.defect(f"{self.process.name}: {name}: {failure!r}")
        self.world.loop.call_soon(self.kill)
