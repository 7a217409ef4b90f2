"""What only the twin in memory has: crash points, a made-up commit time, an outage, successors on one disk."""

import asyncio

import pytest

from execsvc.domain.errors import Busy, Fault, Reason
from execsvc.domain.order import Acknowledged, Refused
from execsvc.domain.story import Step, StepKind
from execsvc.ports import Fresh, Known
from execsvc.store.disk import Disk
from execsvc.store.memory import MemoryStore, StoreCrashed
from tests.unit.store.samples import Chance, fill_of, intent_of, key_of


@pytest.fixture
def disk():
    return Disk.blank(Chance())


def crash_at(point):
    def hook(reached):
        if reached == point:
            raise StoreCrashed(point)

    return hook


async def test_a_crash_before_the_commit_leaves_nothing(disk):
    """The next process does not know the order."""
    store = MemoryStore(disk, crash_at=crash_at("begin.before"))
    with pytest.raises(StoreCrashed):
        await store.begin(intent_of(), 1_000)
    assert isinstance(await MemoryStore(disk).begin(intent_of(), 2_000), Fresh)


async def test_a_crash_after_the_commit_leaves_the_order_untold(disk):
    """The order is durable, but neither the caller nor a listener ever heard of it."""
    store, heard = MemoryStore(disk, crash_at=crash_at("begin.after")), []
    store.subscribe(heard.append)
    with pytest.raises(StoreCrashed):
        await store.begin(intent_of(), 1_000)
    assert [] == heard
    assert isinstance(await MemoryStore(disk).begin(intent_of(), 2_000), Known)


async def test_every_kind_of_write_can_be_crashed_at(disk):
    """The hook sees each write's name before and after its commit."""
    reached = []
    store = MemoryStore(disk, crash_at=reached.append)
    order = (await store.begin(intent_of(), 1_000)).order
    await store.record(order.key, Acknowledged("OTX-1"), 1_001)
    await store.record_fill(fill_of(), order.key, None, 1_002)
    await store.reserve("key", 0, 1)
    await store.remember("main", "halt", "by hand")
    await store.forget("main", events_before_ns=0, orders_before_ns=0, limit=1)
    names = ["begin", "record", "record_fill", "reserve", "remember", "forget"]
    assert [f"{name}.{where}" for name in names for where in ("before", "after")] == reached


@pytest.mark.parametrize(("point", "found"), [("remember.before", ""), ("remember.after", "by hand")])
async def test_a_crash_around_a_fact_leaves_it_whole_or_not_there(disk, point, found):
    """Before the commit the next process knows nothing of it, after it everything."""
    store = MemoryStore(disk, crash_at=crash_at(point))
    with pytest.raises(StoreCrashed):
        await store.remember("main", "halt", "by hand")
    assert found == await MemoryStore(disk).recall("main", "halt")


@pytest.mark.parametrize(("point", "left"), [("forget.before", 2), ("forget.after", 0)])
async def test_a_crash_around_forgetting_leaves_a_whole_journal(disk, point, left):
    """Either all of the piece went or nothing, and the chain holds."""
    store = MemoryStore(disk)
    await store.begin(intent_of(), 1_000)
    await store.record(key_of(), Refused(Fault(Reason.INSUFFICIENT_FUNDS, "too little")), 1_001)
    dying = MemoryStore(disk, crash_at=crash_at(point))
    with pytest.raises(StoreCrashed):
        await dying.forget("main", events_before_ns=10**18, orders_before_ns=0, limit=9)
    assert left == len(await MemoryStore(disk).after("main", 2 - left, 9))
    assert () == disk.audit_flaws("main")


async def test_a_story_and_its_event_share_a_crash(disk):
    """The steps of an event that was not committed are not there either."""
    await MemoryStore(disk).begin(intent_of(), 1_000)
    dying = MemoryStore(disk, crash_at=crash_at("record.before"))
    step = Step(1_001, StepKind.SWEPT, "Looked for it.")
    with pytest.raises(StoreCrashed):
        await dying.record(key_of(), Acknowledged("OTX-1"), 1_001, (step,))
    assert [StepKind.JOURNALED] == [step.kind for step in await MemoryStore(disk).story(key_of())]


@pytest.mark.parametrize("call", ["confirm", "recall", "story"])
async def test_looking_takes_a_turn_and_fails_with_the_disk(disk, call):
    """Every read is refused while the disk fails, also the new ones."""
    arguments = {"confirm": (), "recall": ("main", "halt"), "story": (key_of(),)}[call]
    store = MemoryStore(disk)
    store.outage = True
    with pytest.raises(Busy) as refused:
        await getattr(store, call)(*arguments)
    assert Reason.STORE_UNAVAILABLE is refused.value.reason


async def test_everything_in_a_crashed_commit_shares_its_fate(disk):
    """A crash before the commit takes the neighbours along, and what is queued behind it."""
    store = MemoryStore(disk, crash_at=crash_at("reserve.before"))
    calls = [store.begin(intent_of(key_of(f"id{number}")), 1_000) for number in range(300)]
    answers = await asyncio.gather(*calls[:5], store.reserve("key", 0, 1), *calls[5:], return_exceptions=True)
    assert [StoreCrashed] * 301 == [type(answer) for answer in answers]
    assert {} == disk.orders


async def test_a_dead_process_does_nothing_more(disk):
    """After a crash every call of the handle raises; what was queued was never written."""
    store = MemoryStore(disk)
    waiting = asyncio.ensure_future(store.begin(intent_of(), 1_000))
    await asyncio.sleep(0)
    store.crash()
    with pytest.raises(StoreCrashed):
        await waiting
    with pytest.raises(StoreCrashed):
        await store.get(key_of())
    with pytest.raises(StoreCrashed):
        await store.begin(intent_of(), 1_000)
    assert {} == disk.orders


async def test_closing_a_store_that_crashes_meanwhile_does_not_hang(disk):
    """Whoever waits for the queue to drain learns of the crash."""
    store = MemoryStore(disk, crash_at=crash_at("begin.before"))
    waiting = asyncio.ensure_future(store.begin(intent_of(), 1_000))
    await asyncio.sleep(0)
    with pytest.raises(StoreCrashed):
        await store.close()
    assert isinstance((await asyncio.gather(waiting, return_exceptions=True))[0], StoreCrashed)


async def test_a_superseded_process_writes_no_more(disk):
    """Once another store is open on the disk, the first one's writes are refused: two owners cannot both write."""
    first = MemoryStore(disk)
    second = MemoryStore(disk)
    with pytest.raises(Busy, match="another process"):
        await first.begin(intent_of(), 1_000)
    assert isinstance(await second.begin(intent_of(), 1_000), Fresh)


async def test_an_outage_refuses_everything_and_passes(disk):
    """While the disk fails, reads and writes are STORE_UNAVAILABLE, also those on their way; afterwards all is as before."""
    store = MemoryStore(disk)
    waiting = asyncio.ensure_future(store.begin(intent_of(), 1_000))
    await asyncio.sleep(0)
    store.outage = True
    for call in (waiting, store.get(key_of()), store.reserve("key", 0, 1)):
        with pytest.raises(Busy) as refused:
            await call
        assert Reason.STORE_UNAVAILABLE is refused.value.reason
    assert "the disk fails" == store.failing
    store.outage = False
    assert "" == store.failing
    assert isinstance(await store.begin(intent_of(), 1_000), Fresh)


async def test_a_commit_takes_the_time_it_is_told_to(disk):
    """With a commit time, writes that come meanwhile share the commit, at most 256 of them."""
    asked = []
    store = MemoryStore(disk, commit_s=lambda: asked.append(1) or 0.001)
    await asyncio.gather(*[store.begin(intent_of(key_of(f"id{number}")), 1_000) for number in range(300)])
    assert (2, 44) == (len(asked), store.last_batch_size)
