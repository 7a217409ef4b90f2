"""The planted bugs of promises.md section 12.1: each a small change of the engine's own classes, and what must see it.

A fence that is removed alone may stay harmless, because another covers for it; such a bug is planted together with the loss
of the other, named in `without`. A simulation that misses one of these proves nothing.
"""

from dataclasses import replace
from decimal import Decimal
from functools import partial

from execsvc.app import resolver as resolver_room
from execsvc.app.owner import Owner
from execsvc.app.resolver import Resolver
from execsvc.app.sender import Sender
from execsvc.domain import keycheck
from execsvc.domain.order import Acknowledged, NeverSent, Refused, submitted
from execsvc.domain.verdict import Evidence, NotPlaced, judge
from execsvc.kraken import encode, faults
from execsvc.kraken.endpoints import Rank
from execsvc.kraken.faults import Move
from execsvc.kraken.lanequeue import LaneQueue
from execsvc.kraken.nonce import Nonces
from execsvc.kraken.placing import Placing
from execsvc.kraken.rates import KrakenRates
from execsvc.kraken.sweep import _Look
from execsvc.ports import Accepted, Fresh, JournalEntry, Known, RefusedByVenue, Unknown, Unsent
from execsvc.store.memory import MemoryStore
from tests.sim.planted.bug import Bug
from tests.sim.planted.halts import HALTS
from tests.sim.planted.hands import HANDS
from tests.sim.planted.many import MANY
from tests.sim.world import World

WINDOW_NS = 10 * 10**9


def _nothing(*_):
    """In place of a check: nothing is objected to."""


async def _nothing_asked(*_):
    """The same, awaited."""


# ---- the journal -------------------------------------------------------------------------------------------------


def journal_skipped():
    """The intent and all that follows live in the process's memory only."""
    real_begin, real_record, real_get = MemoryStore.begin, MemoryStore.record, MemoryStore.get

    async def begin(self, intent, now_ns, steps=()):
        unwritten = self.__dict__.setdefault("unwritten", {})
        if await real_get(self, intent.key) is not None:
            return await real_begin(self, intent, now_ns, steps)
        if intent.key in unwritten:
            return Known(unwritten[intent.key])
        order = unwritten[intent.key] = submitted(intent, now_ns)
        return Fresh(order)

    async def record(self, key, event, now_ns, steps=()):
        unwritten = self.__dict__.get("unwritten", {})
        if key not in unwritten:
            return await real_record(self, key, event, now_ns, steps)
        order = unwritten[key] = unwritten[key].apply(event, now_ns)
        self._listeners.publish([JournalEntry(0, order=order)])
        return order

    async def get(self, key):
        return self.__dict__.get("unwritten", {}).get(key) or await real_get(self, key)

    return [(MemoryStore, "begin", begin), (MemoryStore, "record", record), (MemoryStore, "get", get)]


def journal_after_send():
    """The intent is written with the first outcome, when the bytes have long left."""
    real_begin, real_record, real_get = MemoryStore.begin, MemoryStore.record, MemoryStore.get

    async def begin(self, intent, now_ns, steps=()):
        pending = self.__dict__.setdefault("pending", {})
        if intent.key in pending:
            return Known(submitted(*pending[intent.key][:2]))
        if await real_get(self, intent.key) is not None:
            return await real_begin(self, intent, now_ns, steps)
        pending[intent.key] = (intent, now_ns, steps)
        return Fresh(submitted(intent, now_ns))

    async def record(self, key, event, now_ns, steps=()):
        late = self.__dict__.get("pending", {}).pop(key, None)
        if late is not None:
            await real_begin(self, *late)
        return await real_record(self, key, event, now_ns, steps)

    async def get(self, key):
        late = self.__dict__.get("pending", {}).get(key)
        return await real_get(self, key) if late is None else submitted(*late[:2])

    return [(MemoryStore, "begin", begin), (MemoryStore, "record", record), (MemoryStore, "get", get)]


def outcome_told_before_commit():
    """Who waits hears of the outcome first; then it is written, if nothing comes between."""
    real_record = Sender._record
    events = {
        Accepted: lambda it: Acknowledged(it.venue_order_id),
        RefusedByVenue: lambda it: Refused(it.fault.with_metadata(id_used="true")),
        Unsent: lambda it: NeverSent(it.fault.with_metadata(id_used="false")),
    }

    async def record(self, order, placement, entry_by):
        if type(placement) in events:
            told = order.apply(events[type(placement)](placement), order.update_time_ns)
            self._store._listeners.publish([JournalEntry(0, order=told)])
        await real_record(self, order, placement, entry_by)

    return [(Sender, "_record", record)]


def owner_check_gone():
    """The store writes for whoever asks, also after another process has opened it."""
    return [(MemoryStore, "_check_owner", _nothing), (MemoryStore, "confirm", _nothing_asked)]


# ---- sending -----------------------------------------------------------------------------------------------------


def signed_again_on_timeout():
    """No answer: the same order again, under a new nonce."""
    real_place = Placing.place

    async def place(self, order, instrument, by, **how):
        placement = await real_place(self, order, instrument, by, **how)
        for _ in range(2):
            if not isinstance(placement, Unknown):
                break
            placement = await real_place(self, order, instrument, by, **how)
        return placement

    return [(Placing, "place", place)]


def nonce_refusal_believed():
    """Invalid nonce counts as a refusal of the order."""
    rows = [replace(row, order=Move.TELL) if row.prefix == "EAPI:Invalid nonce" else row for row in faults._BY_LENGTH]
    return [(faults, "_BY_LENGTH", rows)]


def no_deadline():
    """The order carries no deadline."""
    real = encode.add_order

    def add_order(order, instrument, deadline_ns):
        params = real(order, instrument, deadline_ns)
        del params["deadline"]
        return params

    return [(encode, "add_order", add_order)]


def nonce_window():
    """The key lets in nonces below the highest, and nobody objects; no deadline either."""
    return [(World, "nonce_window", WINDOW_NS), (keycheck, "_window", lambda _: ()), *no_deadline()]


def clock_nonces():
    """The clock is the source of nonces: no block, no fence."""

    async def take(self):
        self._last = max(self._last + 1, self._clock.wall_ns())
        return self._last

    return [(Nonces, "next", take)]


def sent_in_the_call():
    """The send belongs to the RPC and is cancelled with it; nobody looks for what was left behind."""

    async def begin(self, key, spec, timing, instrument, room, *, who):
        entry_by = timing.arrived + timing.entry_delay_s
        written = self._clock.monotonic()
        begun = await self._begin(key, spec, timing, entry_by)
        if isinstance(begun, Fresh):
            self._flying.add(key)
            forbidden = partial(self._forbidden, [begun.order], written, who)
            await self._send(begun.order, instrument, entry_by, room, forbidden)
        return begun

    return [(Sender, "begin", begin), (Resolver, "_adopt_overdue", _nothing_asked)]


def sent_past_the_tenure():
    """Nobody asks whether this process still owns the account."""
    return [(Owner, "forbids", _nothing), (MemoryStore, "confirm", _nothing_asked)]


# ---- resolving ---------------------------------------------------------------------------------------------------


def one_sweep():
    """One look without a find is enough."""

    def hasty(evidence, now):
        since = evidence.counts_from
        if evidence.found is None and since is not None and any(it.began >= since for it in evidence.empty_sweeps):
            return NotPlaced()
        return judge(evidence, now)

    return [(resolver_room, "judge", hasty)]


def closed_before_open():
    """Closed orders first: one that moves between the two looks is in neither."""

    async def one(self, wire_id):
        if wire_id not in self.found:
            await self._closed({"cl_ord_id": wire_id})
        if wire_id not in self.found:
            await self._open({"cl_ord_id": wire_id})

    async def through_all(self, wire_ids, since_ns):
        await self._closed_pages(wire_ids, {"start": str(since_ns // 1_000_000_000), "closetime": "open"})
        await self._open({})

    return [(_Look, "_one", one), (_Look, "through_all", through_all), *one_sweep()]


def negative_before_the_barrier():
    """Looks count from the deadline on, whether or not a later nonce was let in.

    A look that succeeds is a barrier itself, and the second one waits V after it: that wait has to go too.
    """
    since = property(lambda self: self.deadline + self.visibility_s)

    def in_a_row(evidence, now):
        counting = [sweep for sweep in evidence.empty_sweeps if sweep.began >= evidence.counts_from]
        return NotPlaced() if len(counting) > 1 and evidence.found is None else judge(evidence, now)

    return [(Evidence, "counts_from", since), (resolver_room, "judge", in_a_row), *no_deadline()]


def visibility_ignored():
    """Looks count as soon as there is a barrier: what got in late is not waited for."""
    return [(Evidence, "counts_from", property(lambda self: self.barrier)), *no_deadline()]


def resolver_starved():
    """Looks wait behind orders for ever."""

    def pick(self, now, may_go):
        heads = {ticket.rank: ticket for ticket in self.heads() if may_go(ticket.rank)}
        return next((heads[rank] for rank in Rank if rank in heads and self.wait_s(heads[rank], now) == 0), None)

    return [(LaneQueue, "pick", pick)]


# ---- counting ----------------------------------------------------------------------------------------------------


def calls_cost_nothing():
    """The key's call counter is not kept."""

    def rest_cost(self, name):
        return Decimal(0)

    return [(KrakenRates, "rest_cost", rest_cost)]


_TWICE = frozenset({"P1.once"})
_WRONG = frozenset({"P2.negative"})
_LOST = frozenset({"P1.once", "P1.content", "P2.forgotten", "P2.negative", "P2.unsent"})
BUGS = (
    Bug(1, "journal skipped", journal_skipped, _LOST, shown_by=1),
    Bug(2, "journal after send", journal_after_send, _LOST, shown_by=2),
    Bug(3, "signed again on time-out", signed_again_on_timeout, _TWICE, shown_by=13),
    Bug(4, "Invalid nonce read as a refusal", nonce_refusal_believed, _WRONG, shown_by=67),
    Bug(5, "owner check of the store's writes gone", owner_check_gone, frozenset({"P3.stale"}), shown_by=4),
    Bug(6, "one sweep", one_sweep, _WRONG, shown_by=40),
    Bug(7, "closed before open", closed_before_open, _WRONG, without="the second sweep", shown_by=40),
    Bug(8, "nonce window", nonce_window, _WRONG | {"P3.rise"}, without="the deadline", shown_by=0),
    Bug(9, "no deadline", no_deadline, frozenset({"P6"}), shown_by=5),
    Bug(
        10,
        "negative before the barrier",
        negative_before_the_barrier,
        _WRONG,
        without="the deadline and the second wait",
        shown_by=100,
    ),
    Bug(11, "clock nonces, two owners", clock_nonces, frozenset({"P3.stale"}), shown_by=4),
    Bug(12, "V ignored", visibility_ignored, _WRONG, without="the deadline", shown_by=40),
    Bug(
        13,
        "send cancelled with the RPC",
        sent_in_the_call,
        frozenset({"P2.T", "stuck"}),
        without="the overdue net",
        shown_by=2,
    ),
    Bug(14, "outcome told before commit", outcome_told_before_commit, frozenset({"P2.changed"}), shown_by=349),
    Bug(15, "sent past the tenure", sent_past_the_tenure, frozenset({"P3.tenure"}), shown_by=66),
    Bug(16, "resolver starved by orders", resolver_starved, frozenset({"P2.T"}), shown_by=65),
    Bug(17, "calls cost nothing", calls_cost_nothing, frozenset({"P4"}), shown_by=5),
    *MANY,
    *HALTS,
    *HANDS,
)
