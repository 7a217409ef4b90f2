"""The loop around a session, in virtual time: dialling again, silence, budgets, and nothing left behind."""

import asyncio
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain.errors import Fault, ProtocolBroken, Reason, refuse
from execsvc.domain.market import LinkDown
from execsvc.kraken.stream import BACKOFF_MOST_S, DIALS_FREE, DIALS_SPACED_S, DIALS_WINDOW_S, DialPlan, Stream
from tests.support.entropy import FixedEntropy
from tests.support.net import MemoryDialer
from tests.support.simloop import SimClock, SimTasks, run_sim


class Echo:
    """A session that repeats frames as events and says what it is told to."""

    def __init__(self, silent_after_s=5.0):
        self.ended = ""
        self.to_say = ["hello"]
        self.heard_at = 0.0
        self.silent_after_s = silent_after_s

    def opened(self, now, wall_ns):
        self.heard_at = now
        return ["up"]

    def receive(self, text, now, wall_ns):
        self.heard_at = now
        if text == b"broken":
            raise ProtocolBroken(Fault(Reason.VENUE_ERROR, "cannot be read"))
        if text == b"end":
            self.ended = "jumped"
        return [text.decode()]

    def due(self, now, wall_ns):
        texts, self.to_say = self.to_say, []
        if now - self.heard_at >= self.silent_after_s:
            self.ended = "silent"
        return texts

    def next_timer(self, now):
        return self.heard_at + self.silent_after_s


class Rig:
    def __init__(self, *, refusals=0, sessions=None):
        self.clock = SimClock()
        self.tasks = SimTasks()
        self.dialer = MemoryDialer(refusals=refusals)
        self.sessions = []
        self.failures = sessions or []
        self.stream = Stream(
            name="test",
            url="wss://x",
            dialer=self.dialer,
            clock=self.clock,
            entropy=FixedEntropy(0.5),
            tasks=self.tasks,
            open_session=self.open_session,
        )

    async def open_session(self):
        if self.failures:
            raise self.failures.pop(0)
        self.sessions.append(Echo())
        return self.sessions[-1]

    async def take(self, count):
        """The first so many events, each with its time; then the iterator is closed."""
        taken = []
        async with aclosing(self.stream.events()) as events:
            async for event in events:
                taken.append((round(self.clock.monotonic(), 3), event))
                if len(taken) == count:
                    break
        return taken

    def soon(self, at_s, act):
        async def later():
            await asyncio.sleep(at_s)
            act()

        self.tasks.start("soon", later())


def rigged(count, prepare=lambda _: None, **parts):
    async def live():
        rig = Rig(**parts)
        prepare(rig)
        taken = await rig.take(count)
        await asyncio.sleep(0)
        return taken, rig

    return run_sim(live())


def test_frames_become_events_in_order():
    """The link's own event first, then what the frames give."""

    def prepare(rig):
        rig.soon(1, lambda: [rig.dialer.lines[0].tell(b"a"), rig.dialer.lines[0].tell(b"b")])

    taken, rig = rigged(3, prepare)
    assert [(0.0, "up"), (1.0, "a"), (1.0, "b")] == taken
    assert rig.dialer.lines[0].said == ["hello"]


def test_closed_iterator_leaves_nothing():
    """The line is closed and the tender has ended."""
    _, rig = rigged(1)
    assert rig.dialer.lines[0].closed
    assert not rig.tasks.running


def test_lost_line_is_told_and_dialled_again():
    """LinkDown with the reason, then a new link."""
    taken, _ = rigged(3, lambda rig: rig.soon(2, lambda: rig.dialer.lines[0].cut("reset by peer")))
    assert [(0.0, "up"), (2.0, LinkDown("reset by peer"))] == taken[:2]
    assert taken[2] == (2.25, "up")


def test_silent_line_is_dropped():
    """The session's own reason is told, not the closing it causes."""
    taken, _ = rigged(2)
    assert [(0.0, "up"), (5.0, LinkDown("silent"))] == taken


@pytest.mark.parametrize(("frame", "why"), [(b"broken", "cannot be read"), (b"end", "jumped")])
def test_session_may_end_the_link(frame, why):
    """An unreadable frame, or a session that says so; events of that frame are told first."""
    taken, _ = rigged(3, lambda rig: rig.soon(1, lambda: rig.dialer.lines[0].tell(frame)))
    assert LinkDown(why) in [event for _, event in taken]


def test_failing_dials_are_told_once():
    """However many fail, one LinkDown; then the link."""
    taken, rig = rigged(2, refusals=5)
    assert [LinkDown("cannot connect: refused"), "up"] == [event for _, event in taken]
    assert len(rig.dialer.dials) == 6


def test_session_that_cannot_be_opened_is_a_failed_dial():
    """No token, no dial: tried again."""
    failure = refuse(Reason.VENUE_PERMISSION_MISSING, "no create-ws-token")
    taken, rig = rigged(2, sessions=[failure])
    assert [LinkDown("cannot connect: no create-ws-token"), "up"] == [event for _, event in taken]
    assert len(rig.dialer.dials) == 1


def test_nudge_sends_what_the_session_has_to_say():
    """At once, not at the next timer."""

    def prepare(rig):
        def act():
            rig.sessions[0].to_say = ["more"]
            rig.stream.nudge()

        rig.soon(1, act)
        rig.soon(1.5, lambda: rig.dialer.lines[0].tell(b"end"))

    _, rig = rigged(2, prepare)
    assert rig.dialer.lines[0].said == ["hello", "more"]


def test_backoff_doubles_and_is_bounded():
    """Half of 0.5, 1, 2, 4, 8 with a fair coin, then half of ten."""
    _, rig = rigged(2, refusals=8)
    pauses = [round(later - earlier, 3) for earlier, later in zip(rig.dialer.dials, rig.dialer.dials[1:], strict=False)]
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0]


def test_steady_link_forgets_old_failures():
    """After a link that lived, the first pause is short again."""
    plan = DialPlan()
    for _ in range(10):
        plan.ended(1.0)
    assert plan.wait_s(0.0, 1.0) == BACKOFF_MOST_S
    plan.ended(11.0)
    assert plan.wait_s(0.0, 1.0) == 0.5


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 0.999)), min_size=100, max_size=200))
def test_dials_stay_under_the_budget(links):
    """However short links live, ten minutes hold at most twice the free dials."""
    plan, now, dials = DialPlan(), 0.0, []
    for lived_s, chance in links:
        now += plan.wait_s(now, chance)
        plan.dialled(now)
        dials.append(now)
        now += lived_s
        plan.ended(lived_s)
    for first, last in zip(dials, dials[2 * DIALS_FREE :], strict=False):
        assert last - first >= DIALS_WINDOW_S - DIALS_SPACED_S


def test_a_long_outage_ends_within_the_spacing():
    """Spent or not, the next dial is never further away than the spacing: the service recovers by itself."""
    plan, now = DialPlan(), 0.0
    for _ in range(100):
        wait_s = plan.wait_s(now, 0.999)
        assert wait_s <= DIALS_SPACED_S + 1e-6
        now += wait_s
        plan.dialled(now)
        plan.ended(0.0)
