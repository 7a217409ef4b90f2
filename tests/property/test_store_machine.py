"""The store machine: the embedded store, its twin in memory and a model of plain dicts, through calls and crashes.

After every step the two engines have answered alike and as the model says; after every crash what was answered is there.
The model is store_model.py; that a process killed from outside loses nothing is tests/fault's.
"""

import asyncio
import os
import shutil
import tempfile
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from store_model import FILL_IDS_KEPT, Model

from execsvc.domain.account import AssetAmount
from execsvc.domain.errors import Busy, ExecsvcError, Fault, Reason
from execsvc.domain.order import (
    Acknowledged,
    CancelWished,
    Corrected,
    Doubted,
    NeverSent,
    ProvedAbsent,
    Refused,
    Seen,
    Status,
)
from execsvc.domain.story import Step, StepKind
from execsvc.ports import OrderQuery
from execsvc.store import ledger, tables
from execsvc.store.memory import MemoryStore, StoreCrashed
from tests.contract.store_rig import InMemory, OnDisk
from tests.unit.store.samples import elsewhere, fill_of, intent_of, key_of, report_of, spec_of

ACCOUNTS = ("main", "second")
# That a commit is synced is shown elsewhere (tests/fault); here it would only take time.
MEMORY = Path("/dev/shm")  # noqa: S108  mkdtemp makes a folder of its own there
FAULT = Fault(Reason.VENUE_ERROR, "as told", {"venue_error": "E"})
# What Kraken calls the orders. Two of one account are told under one id: whoever comes second is refused.
VENUE_IDS = {
    key_of("a"): "OTX-1",
    key_of("b"): "OTX-2",
    key_of("c"): "OTX-1",
    key_of("a", caller="rest"): "OTX-3",
    key_of("a", account="second"): "OTX-1",
    key_of("b", account="second"): "OTX-4",
    key_of("ext-OTX-1", caller=""): "OTX-1",
    key_of("ext-OTX-5", caller=""): "OTX-5",
}
TRADE = {"added_quantity": Decimal("0.2"), "added_fees": (AssetAmount("USD", Decimal("0.1")),)}
EVENTS = {
    "acknowledged": lambda key: Acknowledged(VENUE_IDS[key]),
    "seen open": lambda key: Seen(report_of(VENUE_IDS[key])),
    "seen filled in part": lambda key: Seen(report_of(VENUE_IDS[key], filled="0.2")),
    "seen cancelled": lambda key: Seen(report_of(VENUE_IDS[key], status=Status.CANCELLED)),
    "corrected": lambda key: Corrected(report_of(VENUE_IDS[key])),
    "refused": lambda _: Refused(FAULT),
    "doubted": lambda _: Doubted("late"),
    "proved absent": lambda _: ProvedAbsent(FAULT),
    "never sent": lambda _: NeverSent(FAULT),
    "cancel wished": lambda _: CancelWished(),
}
# What a fill adds is told with the fill alone, which counts once.
OF_FILLS = {**EVENTS, "seen trading": lambda key: Seen(replace(report_of(VENUE_IDS[key], filled="0.2"), **TRADE))}

accounts = st.sampled_from(ACCOUNTS)
keys = st.sampled_from(list(VENUE_IDS))
quantities = st.sampled_from(["0.5", "0.5", "0.50", "0.6"])
notes = st.sampled_from([[], [], [StepKind.WAITED], [StepKind.SENT, StepKind.ANSWERED]])
begins = st.tuples(st.just("begin"), keys, quantities, st.sampled_from([False] * 9 + [True]), notes)
records = st.tuples(st.just("record"), keys, st.sampled_from(list(EVENTS)), notes)
fills = st.tuples(
    st.just("record_fill"),
    st.sampled_from(["T1", "T2", "T3"]),
    st.sampled_from(["main", "main", "main", "second"]),
    st.none() | keys | keys,
    st.sampled_from([None, "seen trading", "seen trading", *OF_FILLS]),
)
adopts = st.tuples(
    st.just("adopt"),
    st.sampled_from(["OTX-1", "OTX-5"]),
    st.sampled_from([Status.OPEN, Status.OPEN, Status.CANCELLED, Status.IN_DOUBT]),
    notes,
)
reserves = st.tuples(
    st.just("reserve"), st.sampled_from("kl"), st.sampled_from([0, 5, 40, 2**64 - 30]), st.integers(0, 9)
)
facts = st.tuples(
    st.just("remember"), accounts, st.sampled_from(["halt", "V"]), st.sampled_from(["", "3", "why not?", "\ud800"])
)
orderly = begins | begins | records | records | fills | adopts
writes = orderly | orderly | facts | reserves


async def heard(call):
    """What one call answers, an error as its class and reason."""
    try:
        return await call
    except ExecsvcError as error:
        return (type(error), error.reason)


class StoreMachine(RuleBasedStateMachine):
    """The engines answer alike and as the model says; what was answered outlives every crash."""

    def __init__(self):
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        for room in (ledger, tables):
            self.patch.setattr(room, "FILL_IDS_LEAST", FILL_IDS_KEPT)
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if os.access(MEMORY, os.W_OK) else None))
        self.engines = self.memory, self.disk = InMemory(self.folder), OnDisk(self.folder)
        self.model = Model()
        self.now_ns = 1_000
        self.crash_at = ""
        self.run(self.open_both())

    def teardown(self):
        self.run(self.close_both())
        self.loop.close()
        shutil.rmtree(self.folder)
        self.patch.undo()

    def run(self, main):
        return self.loop.run_until_complete(main)

    async def open_both(self):
        self.crash_at = ""
        self.stores = [MemoryStore(self.memory.disk, crash_at=self.reach), await self.disk.open()]
        self.listen()

    def listen(self):
        """From here on, what the model's journal grows by."""
        self.life_began = {account: self.model.last_sequence(account) for account in ACCOUNTS}
        self.told = [defaultdict(list) for _ in self.stores]
        for store, told in zip(self.stores, self.told, strict=True):
            store.subscribe(lambda entry, told=told: told[_account_of_entry(entry)].append(entry))

    async def close_both(self):
        for store in self.stores:
            await store.close()
        assert set() == {flaws for engine in self.engines for flaws in map(engine.flaws, ACCOUNTS)} - {()}

    def reach(self, point):
        if self.crash_at and point.endswith(self.crash_at):
            raise StoreCrashed(point)

    # ---- asking --------------------------------------------------------------------------------------------------------

    def write_of(self, drawn):
        """A drawn write as a method's name and arguments; time goes on, and now and then stands."""
        self.now_ns += len(str(drawn)) % 3
        now = self.now_ns
        match drawn:
            case ("begin", key, quantity, stolen, kinds):
                wires = defaultdict(lambda: "a wire id of another order") if stolen else None
                return "begin", (intent_of(key, spec_of(quantity), wires=wires), now, self.steps(kinds))
            case ("record", key, name, kinds):
                return "record", (key, EVENTS[name](key), now, self.steps(kinds))
            case ("adopt", venue_id, status, kinds):
                return "adopt", (elsewhere(venue_id, status=status, now_ns=now), now, self.steps(kinds))
            case ("record_fill", fill_id, account, key, name):
                event = None if name is None else OF_FILLS[name](key or key_of())
                return "record_fill", (fill_of(fill_id, account=account), key, event, now)
            case (name, *arguments):
                return name, tuple(arguments)

    def steps(self, kinds):
        return tuple(Step(self.now_ns, kind, f"step at {self.now_ns}") for kind in kinds)

    async def asked_of_both(self, name, *arguments, **named):
        answers = [await heard(getattr(store, name)(*arguments, **named)) for store in self.stores]
        assert answers[0] == answers[1]
        return answers[0]

    # ---- rules ---------------------------------------------------------------------------------------------------------

    @initialize(
        begun=st.dictionaries(
            keys, st.sampled_from([None, "never sent", "acknowledged", "refused", "refused"]), min_size=3
        )
    )
    def some_orders_are_there(self, begun):
        for key, name in sorted(begun.items()):
            self.write([("begin", key, "0.5", False, []), *([("record", key, name, [])] if name else [])])

    @rule(drawn=st.lists(writes, min_size=1, max_size=3), of=st.none() | keys)
    def write(self, drawn, of=None):
        for each in drawn:
            name, arguments = self.write_of(_of(each, of))
            assert self.model.commit([(name, arguments)]) == [self.run(self.asked_of_both(name, *arguments))]

    @rule(drawn=st.lists(writes, min_size=2, max_size=5), of=st.none() | keys)
    def write_together(self, drawn, of):
        """Writes that share a commit: as if one came after the other, and one that is refused is refused alone."""
        asked = [self.write_of(_of(each, of)) for each in drawn]

        async def together(engine, store):
            with engine.one_commit(store):
                calls = [asyncio.ensure_future(heard(getattr(store, name)(*rest))) for name, rest in asked]
                await asyncio.sleep(0)
            return await asyncio.gather(*calls)

        expected = self.model.commit(asked)
        assert [expected, expected] == [
            self.run(together(*twin)) for twin in zip(self.engines, self.stores, strict=True)
        ]

    @rule(
        account=st.sampled_from(["main", "main", "second"]),
        events_age=st.sampled_from([0, 0, 0, 3]),
        orders_age=st.sampled_from([0, 0, 3]),
        limit=st.sampled_from([0, 1, 1, 2, 9]),
        times=st.integers(1, 4),
    )
    def forget(self, account, events_age, orders_age, limit, times):
        """Piece by piece, as a housekeeper does."""
        bounds = {"events_before_ns": self.now_ns + 1 - events_age, "orders_before_ns": self.now_ns + 1 - orders_age}
        for _ in range(times):
            expected = self.model.commit([("forget", (account, *bounds.values(), limit))])
            assert expected == [self.run(self.asked_of_both("forget", account, **bounds, limit=limit))]

    @rule(
        drawn=st.lists(orderly, max_size=3),
        reserve=st.none() | st.tuples(st.just("reserve"), st.just("m"), st.sampled_from([0, 50]), st.integers(1, 9)),
        where=st.sampled_from(["at once", ".before", ".after"]),
    )
    def crash(self, drawn, reserve, where):
        """Both processes die with writes under way, of one account each; what was not answered is asked again."""
        asked = {}
        for each in drawn:
            name, arguments = self.write_of((*each[:-1], []) if each[0] != "record_fill" else each)
            asked.setdefault(_account_of(name, arguments), (name, arguments))
        self.run(self.die_and_ask_again(list(asked.values()), reserve, where))
        self.read_it_all()

    async def die_and_ask_again(self, asked, reserve, where):
        before = [self.model.last_sequence(_account_of(*write)) for write in asked]
        under_way = asked if reserve is None else [*asked, self.write_of(reserve)]
        await self.die(under_way, where)
        for write in asked:
            self.model.commit([write])
        due = [self.model.last_sequence(_account_of(*write)) for write in asked]
        for store in self.stores:
            found = [await store.last_sequence(_account_of(*write)) for write in asked]
            done = [end == now for now, then, end in zip(found, before, due, strict=True) if end > then]
            assert sorted(done, reverse=True) == done, "a later write is there and an earlier one is not"
            for name, arguments in asked:
                await heard(getattr(store, name)(*arguments))
        self.listen()
        if reserve:
            await self.level_nonces(reserve[1])

    async def die(self, under_way, where):
        """In memory at once, or when the commit is reached or done; on disk without finishing or closing anything.

        The dead store's thread and connections are cleared away only after the next process has opened the file.
        """
        memory, disk = self.stores
        calls = [
            asyncio.ensure_future(getattr(store, name)(*rest)) for name, rest in under_way for store in self.stores
        ]
        self.crash_at = where
        await asyncio.sleep(0)
        if where == "at once" or not under_way:
            memory.crash()
        await asyncio.gather(*calls[::2], return_exceptions=True)
        disk._database.claim.release()
        await self.open_both()
        await disk.close()
        await asyncio.gather(*calls, return_exceptions=True)

    async def level_nonces(self, fingerprint):
        """A block under way may be lost or kept, as long as the next one is above it."""
        highest = [await store.high_water(fingerprint) or 0 for store in self.stores]
        assert min(highest) >= self.model.nonces.get(fingerprint, 0)
        write = ("reserve", (fingerprint, max(highest), 1))
        assert self.model.commit([write]) == [await self.asked_of_both(*write[:1], *write[1])]

    @rule(usurped=st.booleans())
    def open_again(self, usurped):
        """After a proper end, or although another has it open: that one neither writes nor confirms any more."""
        self.run(self.usurp() if usurped else self.close_and_open())
        self.read_it_all()

    async def close_and_open(self):
        await self.close_both()
        await self.open_both()

    async def usurp(self):
        first = self.stores
        first[1]._database.claim.release()
        await self.open_both()
        for store in first:
            for call in (store.confirm(), store.remember("main", "halt", "stale"), store.reserve("k", 0, 1)):
                with pytest.raises(Busy) as refusal:
                    await call
                assert Reason.NOT_OWNER is refusal.value.reason
            await store.close()
        await self.asked_of_both("confirm")

    @rule(
        account=accounts,
        caller=st.sampled_from(["", "bot", "rest"]),
        statuses=st.frozensets(st.sampled_from(Status), max_size=4),
        start_age=st.none() | st.integers(0, 30),
        end_age=st.none() | st.integers(0, 30),
        size=st.integers(1, 4),
    )
    def page_through(self, account, caller, statuses, start_age, end_age, size):
        """Page after page, each from the last one's end."""
        ages = [None if age is None else self.now_ns - age for age in (start_age, end_age)]
        before = None
        while True:
            query = OrderQuery(account, caller, "", statuses, *ages, size=size, before=before)
            page = self.run(self.asked_of_both("page", query))
            assert self.model.page(query) == page
            if not page:
                return
            before = (page[-1].create_time_ns, page[-1].key)

    @rule(account=accounts, sequence=st.integers(-1, 20), limit=st.integers(1, 5))
    def resume(self, account, sequence, limit):
        expected = self.model.after(account, sequence, limit)
        assert expected == self.run(self.asked_of_both("after", account, sequence, limit))

    @rule(statuses=st.frozensets(st.sampled_from(Status)), account=accounts)
    def look_for_states(self, statuses, account):
        assert self.model.in_status(account, statuses) == self.run(self.asked_of_both("in_status", account, statuses))

    @precondition(lambda self: self.model.wires)
    @rule(data=st.data(), account=accounts, venue_id=st.sampled_from(["", "OTX-1", "OTX-2", "OTX-9"]))
    def look_for_ids(self, data, account, venue_id):
        wire = data.draw(st.sampled_from(["", "nobody's", *sorted(self.model.wires)]))
        found = self.run(self.asked_of_both("find", account, venue_order_id=venue_id, venue_client_id=wire))
        assert self.model.find(account, venue_id, wire) == found

    @rule()
    def read_it_all(self):
        self.run(self.everything())

    async def everything(self):
        model = self.model
        for account in ACCOUNTS:
            lines = model.journal[account]
            gone = model.last_sequence(account) - len(lines)
            entries = await self.asked_of_both("after", account, gone, 10_000)
            assert tuple(line.entry for line in lines) == entries
            assert list(range(gone + 1, model.last_sequence(account) + 1)) == [entry.sequence for entry in entries]
            orders = await self.asked_of_both("page", OrderQuery(account, size=10_000))
            assert model.page(OrderQuery(account, size=10_000)) == orders
            replayed = {entry.order.key: entry.order for entry in entries if entry.order is not None}
            assert replayed == {order.key: order for order in orders if gone == 0 or order.key in replayed}
            for order in orders:
                assert order == await self.asked_of_both("get", order.key)
                story = await self.asked_of_both("story", order.key)
                assert model.story(order.key) == tuple(map(_as_modelled, story))
            for name in ("halt", "V"):
                assert model.facts.get((account, name), "") == await self.asked_of_both("recall", account, name)
        for fingerprint in "klm":
            assert model.nonces.get(fingerprint) == await self.asked_of_both("high_water", fingerprint)

    @invariant()
    def listeners_heard_what_was_committed(self):
        for told in self.told:
            for account in ACCOUNTS:
                assert self.model.told[account][self.life_began[account] :] == told[account]


def _of(drawn, key):
    """The drawn write, on this order instead of its own."""
    match drawn:
        case ("begin" | "record" as name, _, *rest) if key is not None:
            return (name, key, *rest)
        case ("record_fill", fill_id, _, _, event) if key is not None:
            return ("record_fill", fill_id, key.account, key, event)
        case _:
            return drawn


def _account_of(name, arguments):
    """Of a write on an order or of a fill."""
    subject = arguments[0]
    return (
        subject.account if name == "record_fill" else (subject.key if name in {"begin", "adopt"} else subject).account
    )


def _account_of_entry(entry):
    return entry.fill.account if entry.order is None else entry.order.key.account


def _as_modelled(step):
    """How a store words the step of its own is its own affair."""
    return replace(step, text="") if step.kind is StepKind.JOURNALED and step.status is Status.SUBMITTED else step


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(stateful_step_count=20)
