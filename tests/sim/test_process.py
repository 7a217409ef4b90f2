"""Simulated processes and their wire: a stopped one hears nothing until it wakes, a killed one never acts again."""

import asyncio

import pytest

from execsvc.ports import LineClosedError, NotSentError, ReplyLostError
from execsvc.store.disk import Disk
from execsvc.store.memory import MemoryStore
from tests.sim.market import open_exchange
from tests.support.process import HeldStore, Process, ProcessClock, own_tasks
from tests.support.simloop import SimLoop
from tests.support.wire import REST_URL, WS_AUTH_URL, Passage, Smooth, Wire, WireDialer, WireHttp


class Machine:
    skew_s = 0.0


class Fates(Smooth):
    """The passages of a script, then all is smooth."""

    def __init__(self, *passages):
        self.passages = list(passages)

    def request(self, call):
        return self.passages.pop(0) if self.passages else Passage()


class Scene:
    """One process on the wire; `heard` is what it wrote down, with its times."""

    def __init__(self, *passages):
        self.loop = SimLoop()
        own_tasks(self.loop)
        self.process = Process("p-1", self.loop)
        self.clock = ProcessClock(self.process, Machine())
        self.wire = Wire(self.loop, open_exchange(1))
        fates = Fates(*passages)
        self.http = WireHttp(self.wire, self.process, fates)
        self.dialer = WireDialer(self.wire, self.process, fates)
        self.heard = []

    def note(self, what):
        self.heard.append((round(self.loop.now, 3), what))

    async def ask(self, timeout_s=1.0):
        try:
            reply = await self.http.send("GET", REST_URL + "/0/public/Time", {}, None, timeout_s)
        except (NotSentError, ReplyLostError) as failure:
            self.note(type(failure).__name__)
        else:
            self.note(reply.status)

    def play(self, work, *, then=(), until=10.0):
        """Runs `work` in the process; `then` is (at, act) of somebody outside."""
        self.process.run(work)
        for at, act in then:
            self.loop.call_at(at, act)
        self.loop.run_until_complete(asyncio.sleep(until))
        self.process.kill()
        self.loop.run_until_complete(asyncio.sleep(0.1))
        self.loop.close()
        return self.heard


def stopped(scene, since, until):
    return [(since, scene.process.stop), (until, scene.process.resume)]


def test_a_sleep_that_ends_while_stopped_ends_on_waking():
    """Timers that ring in a stopped process are heard when it runs again."""
    scene = Scene()

    async def work():
        await scene.clock.sleep(1.0)
        scene.note("slept")

    assert scene.play(work(), then=stopped(scene, 0.5, 4.0)) == [(4.0, "slept")]


def test_a_timeout_counts_while_stopped():
    """The steady clock goes on while a process is stopped: its timeouts are over when it wakes."""
    scene = Scene()

    async def work():
        try:
            async with scene.clock.timeout_at(1.0):
                await asyncio.Event().wait()
        except TimeoutError:
            scene.note("timed out")

    assert scene.play(work(), then=stopped(scene, 0.5, 4.0)) == [(4.0, "timed out")]


def test_a_timeout_that_is_met_in_time_changes_nothing():
    """As asyncio's: a block that ends in time raises nothing, and the timer is gone."""
    scene = Scene()

    async def work():
        async with scene.clock.timeout_at(2.0):
            await scene.clock.sleep(0.5)
        await scene.clock.sleep(3.0)
        scene.note("done")

    assert scene.play(work()) == [(3.5, "done")]


def test_a_reply_waits_for_a_stopped_process():
    """What arrives meanwhile is in the socket and read on waking, before its own timers if the loop looks there first."""
    scene = Scene()
    assert scene.play(scene.ask(), then=stopped(scene, 0.01, 5.0)) == [(5.0, 200)]


def test_timers_may_come_first_on_waking():
    """Where the loop looks at its timers first, the answer that waited is too late."""
    scene = Scene()
    then = [(0.01, scene.process.stop), (5.0, lambda: scene.process.resume(timers_first=True))]
    assert scene.play(scene.ask(), then=then) == [(5.0, "ReplyLostError")]


def test_a_killed_process_does_nothing_more():
    """Its tasks end where they are, and what they try on the way out has no effect."""
    scene = Scene()

    async def work():
        try:
            await scene.clock.sleep(2.0)
        finally:
            await scene.http.send("GET", REST_URL + "/0/public/Time", {}, None, 1.0)
            scene.note("sent after death")

    assert scene.play(work(), then=[(1.0, scene.process.kill)]) == []
    assert scene.process.tasks == {}


def test_bytes_that_left_arrive_although_the_sender_is_dead():
    """A request on its way is not called back by a kill."""
    seen = []
    scene = Scene(Passage(out=2.0))
    scene.wire.note = lambda *told: seen.append(told[:2])
    scene.play(scene.ask(5.0), then=[(1.0, scene.process.kill)])
    assert seen == [("p-1", "sends"), ("exchange", "answers")]


@pytest.mark.parametrize(
    ("passage", "heard"),
    [
        (Passage(), (0.04, 200)),
        (Passage(out=None), (1.0, "ReplyLostError")),
        (Passage(out=None, reset=0.2), (0.2, "ReplyLostError")),
        (Passage(back=None), (1.0, "ReplyLostError")),
        (Passage(back=None, reset=0.2), (0.22, "ReplyLostError")),
        (Passage(page=True), (0.04, 502)),
        (Passage(again=0.3), (0.34, 200)),
        (Passage(out=0.01, refused=True), (0.01, "NotSentError")),
    ],
    ids=str,
)
def test_what_becomes_of_a_request_is_what_its_passage_says(passage, heard):
    """Each fate of a message is carried out as it reads."""
    scene = Scene(passage)
    assert [heard] == scene.play(scene.ask())


def test_a_line_tells_what_the_exchange_says_and_ends_with_it():
    """Frames come in order; a cut line raises at its reader."""
    scene = Scene()

    async def work():
        line = await scene.dialer.dial(WS_AUTH_URL, 5.0)
        scene.note((await line.receive())[:19])
        with pytest.raises(LineClosedError):
            await line.receive()
        scene.note("closed")

    heard = scene.play(work(), then=[(3.0, scene.wire.cut)])
    assert [(0.06, b'{"channel":"status"'), (3.02, "closed")] == heard
    assert scene.wire.exchange.audience.lines == {}


def test_the_lines_of_a_dead_process_are_hung_up():
    """The exchange hears of a death through the connection."""
    scene = Scene()
    heard = scene.play(scene.dialer.dial(WS_AUTH_URL, 5.0), then=[(1.0, scene.process.kill)])
    assert ([], {}) == (heard, scene.wire.exchange.audience.lines)


def test_a_commit_that_was_asked_for_is_done_and_heard_of_on_waking():
    """The store works on; its answer waits for the process."""
    scene = Scene()
    disk = Disk("journal", b"i" * 32)
    store = HeldStore(MemoryStore(disk, commit_s=lambda: 1.0), scene.process)

    async def work():
        scene.note(await store.reserve("key", 0, 5))

    scene.loop.call_at(1.5, lambda: scene.note(disk.high_water("key")))
    assert scene.play(work(), then=stopped(scene, 0.5, 4.0)) == [(1.5, 5), (4.0, range(1, 6))]
