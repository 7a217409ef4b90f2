"""The nonce machine: whatever becomes of process, disk and clock, one key's nonces rise at the exchange.

The real allocator over the memory store and its surviving disk, against an exchange of three lines that takes a nonce only
above all before it. Steps are crashes, restarts, second owners, backups, other programs, and clocks that step by years; how
calls are signed and sent is not looked at here (tests/sim/test_strict_nonces.py).
"""

import asyncio
from contextlib import suppress
from copy import deepcopy

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from execsvc.domain.errors import Broken, Busy
from execsvc.kraken import nonce as nonce_room
from execsvc.kraken.nonce import Nonces
from execsvc.kraken.venuetime import VenueTime
from execsvc.store.memory import MemoryStore, StoreCrashed
from tests.support.simloop import SimClock, SimLoop, SimTasks
from tests.support.world import new_disk

KEY = "fp"
BLOCK = 16  # small, so that every example meets the ends of many blocks
TOP = 2**64 - 1
SECOND_NS = 10**9
HOUR_NS = 3600 * SECOND_NS
UNSURE_NS = 3 * SECOND_NS  # how far Kraken's clock may be misread here, with room to spare
YEARS_S = 60 * 365 * 86_400

steps_s = st.sampled_from([3, -3, 600, -600, 3_590, 3_610, -4_000, 10**6, -(10**6), YEARS_S, -YEARS_S]) | st.integers(
    -9, 9
)
counts = st.sampled_from([1, 5, BLOCK, 2 * BLOCK + 3])
above = st.sampled_from([1, BLOCK, 3 * BLOCK, SECOND_NS, HOUR_NS, 2 * HOUR_NS])


class StrictKey:
    """A key at an exchange with nonce window 0."""

    def __init__(self):
        self.highest = 0

    def takes(self, nonce):
        taken = nonce > self.highest
        self.highest = max(nonce, self.highest)
        return taken


class Owner:
    """One process that owns the key, from its start to its end."""

    def __init__(self, disk, clock, crash_at):
        self.disk = disk
        self.knew_the_key = disk.high_water(KEY) is not None
        self.opened_above = disk.high_water(KEY) or 0
        self.fence = None  # set when another owner opened the disk: this one's numbers end there
        self.beyond = 0  # what the next nonce must be above
        self.last = 0
        self.fresh = False  # the next nonce is of a block that is yet to be reserved
        self.refused_at = -nonce_room.TROUBLE_WINDOW_S
        self.alarms = 0
        self.tasks = SimTasks()
        self.venue_time = VenueTime()
        self.store = MemoryStore(disk, crash_at=crash_at, commit_s=lambda: 0.5)
        self.nonces = Nonces(
            fingerprint=KEY, blocks=self.store, clock=clock, tasks=self.tasks, venue_time=self.venue_time
        )
        self.nonces.on_trouble = self.alarm

    def alarm(self):
        self.alarms += 1


class NonceMachine(RuleBasedStateMachine):
    """What the living owner gives out rises at the exchange; nobody else's number gets between or above."""

    def __init__(self):
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(nonce_room, "BLOCK_SIZE", BLOCK)
        self.loop = SimLoop()
        self.clock = SimClock()
        self.exchange = StrictKey()
        self.disk = new_disk()
        self.backups = []
        self.owner = None
        self.old = []
        self.on_their_way = []  # signed, perhaps sent, not arrived: (owner, nonce)
        self.unknown = 0  # highest nonce at the exchange that the disk cannot know of
        self.highest_floor = 0  # what may lift a block: Kraken's clock + 1 h, a number reported or written before
        self.blocks = 0
        self.crash_at = ""

    def teardown(self):
        for owner in (*self.old, self.owner):
            if owner is not None:
                self.run(self.gone(owner))
        self.loop.close()
        self.patch.undo()

    def run(self, main):
        return self.loop.run_until_complete(main)

    # ---- what is true of the world -----------------------------------------------------------------------------------

    @property
    def kraken_ns(self):
        return SimClock.EPOCH_NS + round(self.loop.time() * SECOND_NS)

    @property
    def ours_ns(self):
        return self.kraken_ns + round(self.clock.skew_s * SECOND_NS)

    def lift_floor(self, value):
        self.highest_floor = max(self.highest_floor, value)

    def reach(self, point):
        self.blocks += point == "reserve.before"
        if point == self.crash_at:
            raise StoreCrashed(point)

    def tell_time(self, owner):
        ours, kraken = self.ours_ns, self.kraken_ns
        owner.venue_time.observe(sent_ns=ours, received_ns=ours, earliest_ns=kraken - SECOND_NS, latest_ns=kraken)

    def least_of_a_fresh_block(self, owner):
        """Our clock while it may be believed, else Kraken's; nothing where Kraken's is not known."""
        if not owner.venue_time.known:
            return 0
        believed = self.ours_ns - self.kraken_ns <= HOUR_NS - UNSURE_NS
        return (self.ours_ns if believed else self.kraken_ns) - UNSURE_NS

    # ---- what must hold of every nonce given out ----------------------------------------------------------------------

    async def given(self, owner):
        """One nonce, judged."""
        least = self.least_of_a_fresh_block(owner) if owner.fresh else 0
        nonce = await owner.nonces.next()
        owner.fresh = False
        assert least < nonce
        assert owner.last < nonce
        assert owner.beyond < nonce
        assert owner.opened_above < nonce <= TOP
        assert owner.last or owner.knew_the_key or owner.venue_time.known
        assert (owner.disk.high_water(KEY) or 0) >= nonce, "used before its block was durable"
        assert owner.fence is None or nonce <= owner.fence
        self.lift_floor(self.kraken_ns + HOUR_NS + UNSURE_NS)
        assert nonce <= self.highest_floor + self.blocks * BLOCK, "the key is burned"
        owner.last = nonce
        return nonce

    def arrives(self, owner, nonce):
        """At the exchange. A refusal of the living owner has a reason outside its disk, and renews as the adapter does."""
        taken = self.exchange.takes(nonce)
        if owner.disk is not self.disk:
            self.unknown = max(self.unknown, nonce)
        if not taken:
            assert owner is not self.owner or nonce <= self.unknown
            self.refused(owner)
        return taken

    def refused(self, owner):
        """A second refusal within a minute is told to whoever looks after the key."""
        now = self.clock.monotonic()
        due = owner.alarms + (now - owner.refused_at < nonce_room.TROUBLE_WINDOW_S)
        owner.nonces.refused()
        assert due == owner.alarms
        owner.refused_at, owner.fresh = now, True

    def renew_block_of(self, owner):
        owner.nonces.renew()
        owner.fresh = True

    async def send(self, owner):
        return self.arrives(owner, await self.given(owner))

    async def first_call(self, owner, between):
        """GetApiKeyInfo: two tries, then give up; what Kraken reports lifts the next nonce above it."""
        if not await self.send(owner) and not await self.send(owner):
            assert self.unknown > self.least_of_a_fresh_block(owner), "a fresh block heals what our clock is above"
            return False
        self.use_elsewhere(between)
        reported = self.exchange.highest
        foreign = owner.nonces.foreign(reported)
        assert foreign or not (owner.knew_the_key and reported > owner.disk.high_water(KEY)), (
            "a stranger is not noticed"
        )
        assert not (foreign and (reported == owner.last or reported <= owner.opened_above)), (
            "our own is taken for a stranger's"
        )
        owner.nonces.rebase(reported)
        owner.beyond = reported if between else owner.beyond
        self.lift_floor(reported)
        return True

    def use_elsewhere(self, further):
        """Another program uses the key, `further` above all before it."""
        if further and self.exchange.highest + further <= TOP:
            self.unknown = self.exchange.highest + further
            assert self.exchange.takes(self.unknown)

    async def gone(self, owner):
        owner.store.crash()
        await owner.tasks.close()

    async def start_owner(self, tell_time, between):
        self.owner = owner = Owner(self.disk, self.clock, self.reach)
        if tell_time:
            self.tell_time(owner)
        try:
            lives = await self.first_call(owner, between)
        except Busy:
            assert not owner.opened_above
            assert not tell_time
            lives = False
        except Broken:
            self.must_be_used_up(owner)
            lives = False
        if not lives:
            await self.gone(owner)
            self.owner = None

    def must_be_used_up(self, owner):
        """Only a key whose u64 has no room for another block may end so."""
        assert max(owner.disk.high_water(KEY), self.unknown) > TOP - BLOCK

    # ---- rules ---------------------------------------------------------------------------------------------------------

    @initialize(
        left=st.sampled_from([None] * 6 + [3 * BLOCK, BLOCK - 1]), tell_time=st.sampled_from([True, True, False])
    )
    def disk_is_blank_or_the_key_is_nearly_used_up(self, left, tell_time):
        if left is not None:
            self.disk.nonces[KEY] = TOP - left
            self.lift_floor(TOP - left)
        self.start(tell_time, 0)

    @rule(tell_time=st.sampled_from([True, True, True, False]), between=st.just(0) | above, then=counts)
    def start(self, tell_time, between, then=0):
        """The first owner, the next one, or a second one beside a living one that does not know of it yet."""
        if self.owner is not None:
            self.owner.fence = self.disk.high_water(KEY)
            self.old.append(self.owner)
        self.run(self.start_owner(tell_time, between))
        self.take(then, "arrives")

    @precondition(lambda self: self.owner is not None)
    @rule(count=counts, way=st.sampled_from(["arrives", "at once", "on its way"]), step_s=st.sampled_from([0, 600]))
    def take(self, count, way, step_s=0):
        """Then, perhaps, a refusal of something else renews the block, while the next one is on its way."""
        owner = self.owner
        if owner is None:
            return

        async def one():
            nonce = await self.given(owner)
            if way == "on its way":
                self.on_their_way.append((owner, nonce))
            else:
                self.arrives(owner, nonce)

        async def taken():
            if way == "at once":
                await asyncio.gather(*(one() for _ in range(count)))
            else:
                for _ in range(count):
                    await one()
            await self.clock.sleep(0.001)  # a block that was asked for ahead is on its way now
            if step_s:
                self.our_clock_steps(step_s, told=True, renewed=True)
                await one()

        try:
            self.run(taken())
        except Broken:
            self.must_be_used_up(owner)

    @precondition(lambda self: self.old)
    @rule(data=st.data(), count=st.sampled_from([1, BLOCK, 3 * BLOCK]))
    def superseded_owner_wakes_up(self, data, count):
        owner = data.draw(st.sampled_from(self.old))
        fenced = self.exchange.highest > owner.fence

        async def taken():
            for _ in range(count):
                assert not (await self.send(owner) and fenced), "a stale owner got in behind the new one's back"

        with suppress(Busy):  # it has what is left of its blocks, and gets no other
            self.run(taken())

    @precondition(lambda self: self.on_their_way)
    @rule(data=st.data())
    def late_message_arrives(self, data):
        place = data.draw(st.integers(0, len(self.on_their_way) - 1))
        owner, nonce = self.on_their_way.pop(place)
        taken = self.exchange.takes(nonce)
        if owner.disk is not self.disk:
            self.unknown = max(self.unknown, nonce)
        elif self.owner is not None and owner is not self.owner:
            assert not taken, "the first accepted call of an owner fences all that others have on its way"

    @precondition(lambda self: self.owner is not None)
    @rule(point=st.sampled_from(["", "reserve.before", "reserve.after"]))
    def crash(self, point=""):
        """At any time, or while a block is written."""
        if point:
            self.crash_at = point
            self.renew_block_of(self.owner)
            with pytest.raises(StoreCrashed):
                self.run(self.given(self.owner))
            self.crash_at = ""
        self.run(self.gone(self.owner))
        self.owner = None

    @rule(seconds=steps_s, told=st.booleans(), renewed=st.booleans())
    def our_clock_steps(self, seconds, told, renewed):
        """What was known of Kraken's clock is void then (kraken/private.py); it is read anew, or cannot be read."""
        self.clock.skew_s = max(-YEARS_S, min(self.clock.skew_s + seconds, 2 * YEARS_S))
        if self.owner is None:
            return
        self.owner.venue_time.forget()
        if told:
            self.tell_time(self.owner)
        if renewed:
            self.renew_block_of(self.owner)

    @rule(seconds=st.sampled_from([0.001, 1, 4, 3_600, 4 * 3_600]))
    def time_passes(self, seconds):
        self.run(self.clock.sleep(seconds))

    @rule(further=above, then=counts)
    def another_program_uses_the_key(self, further, then):
        self.use_elsewhere(further)
        self.take(then, "arrives")

    @precondition(lambda self: self.owner is not None)
    @rule()
    def disk_fails_for_a_while(self):
        self.owner.store.outage = True
        self.renew_block_of(self.owner)
        with pytest.raises(Busy):
            self.run(self.given(self.owner))
        self.owner.store.outage = False

    @rule(data=st.data(), restored=st.booleans())
    def disk_is_backed_up_or_restored(self, data, restored):
        if not restored or not self.backups:
            self.backups.append(deepcopy(self.disk))
            return
        if self.owner is not None:
            self.crash()
        self.disk = deepcopy(data.draw(st.sampled_from(self.backups)))
        self.unknown = max(self.unknown, self.exchange.highest)
        self.start(True, 0)

    @invariant()
    def nothing_got_in_that_neither_the_disk_nor_another_program_knows(self):
        assert self.exchange.highest <= max(self.disk.high_water(KEY) or 0, self.unknown)


TestNonceMachine = NonceMachine.TestCase
TestNonceMachine.settings = settings(stateful_step_count=50)
