"""The embedded store and its twin in memory say the same of any sequence of calls."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from execsvc.domain.errors import ExecsvcError, Fault, Reason
from execsvc.domain.modes import ModeEntry, Scope, TradingMode
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
from execsvc.store.batch import UNSETTLED
from execsvc.store.database import Birth, open_database
from execsvc.store.disk import Disk
from execsvc.store.memory import MemoryStore
from execsvc.store.sqlite import SqliteStore
from tests.support.chains import flaws_of
from tests.unit.store.samples import SECRET, fill_of, intent_of, key_of, report_of, spec_of

FAULT = Fault(Reason.VENUE_ERROR, "as told", {"venue_error": "E"})
BIRTH = Birth("journal", SECRET, 1)
keys = st.builds(key_of, st.sampled_from("ab"), account=st.sampled_from(["main", "second"]))
venue_ids = st.sampled_from(["OTX-1", "OTX-2"])
reports = st.builds(
    report_of, venue_ids, status=st.sampled_from([Status.OPEN, Status.CANCELLED]), filled=st.sampled_from([None, "0.2"])
)
events = st.one_of(
    st.builds(Acknowledged, venue_ids),
    st.builds(Seen, reports),
    st.builds(Corrected, reports),
    st.sampled_from(
        [Refused(FAULT), Doubted("late"), ProvedAbsent(FAULT), NeverSent(FAULT), CancelWished(), CancelWished(FAULT)]
    ),
)
fills = st.builds(fill_of, st.sampled_from(["T1", "T2"]), account=st.sampled_from(["main", "second"]))
intents = st.builds(intent_of, keys, st.builds(spec_of, st.sampled_from(["0.5", "0.50", "0.6"])))
steps = st.lists(st.builds(Step, st.integers(0, 9), st.sampled_from(StepKind), st.just("Done.")), max_size=2).map(tuple)
accounts = st.sampled_from(["main", "second"])
scopes = st.one_of(
    st.just(Scope(everything=True)),
    st.builds(Scope, accounts, st.sampled_from(["", "ann"]), st.sampled_from(["", "BTC/USD"])),
)
modes = st.builds(
    ModeEntry, scopes, st.sampled_from(TradingMode), st.sampled_from("xy"), st.just("ops"), st.integers(1, 9)
)
writes = st.one_of(
    st.tuples(st.just("begin"), intents, steps),
    st.tuples(st.just("record"), keys, events, steps),
    st.tuples(st.just("record_fill"), fills, st.none() | keys, st.none() | events),
    st.tuples(st.just("reserve"), st.sampled_from(["k", "l"]), st.integers(0, 50), st.integers(0, 9)),
    st.tuples(st.just("remember"), accounts, st.sampled_from(["halt", "bound"]), st.sampled_from(["", "1", "2"])),
    st.tuples(st.just("set_mode"), accounts, modes),
    st.just(("reopen",)),
)
# The clock of a script starts at 1,000 and ticks with every call.
moments = st.integers(1_000, 1_020)
losses = st.tuples(st.just("forget"), accounts, moments, moments, st.integers(1, 3))


async def tell(store, name, arguments, now_ns):
    """What one call answers, an error as its words."""
    match name, arguments:
        case "begin" | "record", (*what, steps):
            call = getattr(store, name)(*what, now_ns, steps)
        case "record_fill" | "set_mode", _:
            call = getattr(store, name)(*arguments, now_ns)
        case "forget", (account, events, orders, limit):
            call = store.forget(account, events_before_ns=events, orders_before_ns=orders, limit=limit)
        case _:
            call = getattr(store, name)(*arguments)
    try:
        return await call
    except ExecsvcError as error:
        return (type(error), error.reason)


async def entries_of(store, account):
    """What is kept of the journal."""
    last = await store.last_sequence(account)
    found = [await tell(store, "after", (account, start, 1_000), 0) for start in range(last + 1)]
    return next(each for each in found if Reason.RESUME_TOKEN_EXPIRED not in each)


async def told(reopened, script):
    """All that a store answers to a script of calls, and all that can be read of it at the end."""
    store = await reopened(None)
    heard = []
    store.subscribe(heard.append)
    answers = []
    for now_ns, (name, *arguments) in enumerate(script, 1_000):
        if name == "reopen":
            store = await reopened(store)
            store.subscribe(heard.append)
            answers.append(store.epoch)
        else:
            answers.append(await tell(store, name, arguments, now_ns))
    seen = [
        (
            await entries_of(store, account),
            await store.page(OrderQuery(account)),
            await store.in_status(account, frozenset(Status)),
            await store.in_status(account, UNSETTLED),
            [await store.find(account, venue_order_id=venue_id) for venue_id in ("OTX-1", "OTX-2")],
            [await store.story(key_of(name, account=account)) for name in "ab"],
            [await store.recall(account, name) for name in ("halt", "bound")],
            await store.modes(account),
        )
        for account in ("main", "second")
    ]
    await store.close()
    return answers, heard, seen


async def both(script):
    disk = Disk(BIRTH.journal_id, SECRET)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.db"

        async def in_memory(before):
            return MemoryStore(disk)

        async def on_disk(before):
            if before is not None:
                await before.close()
            return SqliteStore(open_database(path, BIRTH))

        answers = (await told(in_memory, script), await told(on_disk, script))
        flaws = [*flaws_of(path).values(), *(disk.audit_flaws(account) for account in disk.heads)]
    return *answers, flaws


@settings(max_examples=40, deadline=None)
@given(st.lists(writes | losses, max_size=20))
def test_the_twins_agree(script):
    """Whatever is asked in whatever order: same answers, same errors, same journal, chains whole."""
    memory, sqlite, flaws = asyncio.run(both(script))
    assert memory == sqlite
    assert set() == {*flaws} - {()}


@settings(max_examples=20, deadline=None)
@given(st.lists(writes, max_size=14))
def test_the_journal_alone_tells_every_order(script):
    """The last entry of an order is its present state, and sequences have no holes."""
    (_, heard, seen), _, _ = asyncio.run(both(script))
    assert [(i, entry) for entries, *_ in seen for i, entry in enumerate(entries, 1)] == [
        (entry.sequence, entry) for entries, *_ in seen for entry in entries
    ]
    told_last = {entry.order.key: entry.order for entry in heard if entry.order is not None}
    assert told_last == {order.key: order for _, page, *_ in seen for order in page}


@settings(max_examples=40, deadline=None)
@given(st.lists(writes | losses, max_size=20))
def test_forgetting_keeps_what_is_wanted(script):
    """Whatever is forgotten when: of an order that may still change nothing is gone since it last had ended."""
    (_, heard, seen), _, _ = asyncio.run(both(script))
    for entries, page, _, unsettled, *_ in seen:
        kept = {entry.sequence for entry in entries}
        for order in unsettled:
            lives = [entry for entry in heard if entry.order is not None and entry.order.key == order.key]
            ended = [place for place, entry in enumerate(lives, 1) if entry.order.status not in UNSETTLED]
            assert {entry.sequence for entry in lives[max(ended, default=0) :]} <= kept
        assert {entry.order.key for entry in entries if entry.order is not None} <= {order.key for order in page}
