"""Streams whose caller may not have them any more: who is shown out, when, and who is left alone. In virtual time."""

import asyncio
from dataclasses import replace

from execsvc.domain.caller import Permission, alike
from execsvc.domain.errors import ExecsvcError, Reason, refuse
from execsvc.rpc.admit import Knock, Visit
from execsvc.rpc.call import Call
from execsvc.rpc.openstreams import AT_ONCE, WATCH_S, OpenStreams
from execsvc.rpc.permits import PERMITS
from execsvc.telemetry import silent
from tests.support.simloop import SimClock, run_sim

WATCH = PERMITS["execsvc.v1.MarketDataService/SubscribeTickers"]
ORDERS = PERMITS["execsvc.v1.OrderService/SubscribeOrders"]
ANN = alike("ann", Permission, ("main",))
EDGE_S = 1e-6  # of seconds that were added up


class Callers:
    """The port's double: who calls is what a test says, by the header `who`."""

    problems = ()

    def __init__(self):
        self.revision = 1
        self.known = {"ann": ANN}
        self.asked = 0
        self.crowded = False

    def recognise(self, meta, peer, names):
        self.asked += 1
        if self.crowded:
            raise refuse(Reason.CALLER_QUOTA, "too much at once")
        if meta["who"] not in self.known:
            raise refuse(Reason.TOKEN_INVALID, "unknown")
        return self.known[meta["who"]]

    def change(self, **known):
        self.known = known
        self.revision += 1


class Here:
    def __init__(self):
        self.clock = SimClock()
        self.callers = Callers()
        self.streams = OpenStreams(self.callers, self.clock, silent())
        self.ends = {}
        self._watch = asyncio.ensure_future(self.streams.watch())

    def open(self, name="s", *, permit=WATCH, who=ANN, account="main"):
        """A stream that waits for news that never come."""
        knock = Knock(permit.method, lambda: None, {"who": who.name}, "peer")
        call = Call(permit, who, account, "r", 0.0, None, 0.0, 0.0, stream_id=name)
        return asyncio.ensure_future(self._wait(Visit(permit.method, "r", 0.0, knock), call))

    async def _wait(self, visit, call):
        opened = self.streams.enter(visit, call)
        before = opened.task.cancelling()
        opened.waiting = True
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if not opened.was_struck(before):
                raise
            self.ends[call.stream_id] = (opened.end.reason, self.clock.monotonic())
        finally:
            opened.waiting = False
            self.streams.leave(opened)

    async def close(self):
        self._watch.cancel()
        await asyncio.gather(self._watch, return_exceptions=True)


def played(script):
    async def main():
        here = Here()
        try:
            return await script(here)
        finally:
            await here.close()

    return run_sim(main())


def ends_after(change, **options):
    """How a stream ends when callers change at second 10, and when; empty: it goes on."""

    async def script(here):
        stream = here.open(**options)
        await here.clock.sleep(10)
        change(here.callers)
        await here.clock.sleep(5)
        stream.cancel()
        await asyncio.gather(stream, return_exceptions=True)
        return here.ends

    return played(script)


def test_a_revoked_callers_idle_stream_ends_within_the_second():
    """UNAUTHENTICATED, by the next look, though nothing was sent on it."""
    reason, at = ends_after(lambda callers: callers.change())["s"]
    assert (Reason.TOKEN_INVALID, True) == (reason, 10 - EDGE_S <= at <= 10 + WATCH_S + EDGE_S)


def test_a_lost_permission_ends_the_stream():
    """PERMISSION_MISSING: that of the method, or any other that the stream may have been opened on the strength of."""
    without_market = alike("ann", set(Permission) - {Permission.MARKET}, ("main",))
    without_account = alike("ann", set(Permission) - {Permission.ACCOUNT}, ("main",))
    assert [Reason.PERMISSION_MISSING] * 2 == [
        ends_after(lambda callers: callers.change(ann=without_market))["s"][0],
        ends_after(lambda callers: callers.change(ann=without_account), permit=ORDERS)["s"][0],
    ]


def test_a_lost_account_ends_its_streams():
    """ACCOUNT_NOT_GRANTED, as at an opening."""
    elsewhere = alike("ann", Permission, ("hedge",))
    assert (
        Reason.ACCOUNT_NOT_GRANTED is ends_after(lambda callers: callers.change(ann=elsewhere), permit=ORDERS)["s"][0]
    )


def test_another_caller_does_not_go_on_with_the_stream():
    """A certificate or token that means somebody else by now."""
    bob = alike("bob", Permission, ("main",))
    assert Reason.TOKEN_INVALID is ends_after(lambda callers: callers.change(ann=bob))["s"][0]


def test_changes_that_take_nothing_away_leave_the_stream_alone():
    """Others' tokens, a new one of one's own, or wider rights."""
    wider = alike("ann", Permission, ("main", "hedge"))
    assert {} == ends_after(lambda callers: callers.change(ann=wider, bob=ANN))


def test_a_token_that_ends_ends_its_stream():
    """By the wall clock, though the callers did not change."""

    async def script(here):
        ann = replace(ANN, expires_ns=here.clock.wall_ns() + 10 * 10**9)
        here.open(who=ann)
        await here.clock.sleep(9)
        here.callers.known = {}
        asked = here.callers.asked
        await here.clock.sleep(2)
        return asked, here.ends

    asked, ends = played(script)
    reason, at = ends["s"]
    assert (0, Reason.TOKEN_INVALID, True) == (asked, reason, 10 - EDGE_S <= at <= 10 + WATCH_S + EDGE_S)


def test_a_token_whose_end_was_put_off_goes_on():
    """What counts is the token as it is when its first end comes."""

    async def script(here):
        end_ns = here.clock.wall_ns() + 10 * 10**9
        stream = here.open(who=replace(ANN, expires_ns=end_ns))
        here.callers.known = {"ann": replace(ANN, expires_ns=end_ns + 10**10)}
        await here.clock.sleep(15)
        early = dict(here.ends)
        here.callers.known = {}
        await here.clock.sleep(10)
        return early, here.ends, stream.done()

    early, ends, done = played(script)
    assert ({}, {"s"}, True) == (early, set(ends), done)


def test_who_cannot_be_judged_now_is_judged_later():
    """A caller that is refused for the moment has lost no right by it; what it lost meanwhile is found at the next look."""

    async def script(here):
        here.open()
        here.callers.crowded = True
        here.callers.change()
        await here.clock.sleep(5)
        early = dict(here.ends)
        here.callers.crowded = False
        await here.clock.sleep(1)
        return early, here.ends["s"][0]

    assert ({}, Reason.TOKEN_INVALID) == played(script)


def test_while_nothing_changes_nobody_is_asked():
    """A stream costs nothing to look after."""

    async def script(here):
        for number in range(100):
            here.open(f"s-{number}")
        await here.clock.sleep(60)
        return here.callers.asked

    assert 0 == played(script)


def test_many_streams_are_judged_with_pauses():
    """The loop has others to serve between two lots."""

    async def script(here):
        for number in range(3 * AT_ONCE):
            here.open(f"s-{number}")
        await here.clock.sleep(0.5)  # between two looks of the watch
        turns = []
        here.callers.change()
        looking = asyncio.ensure_future(here.streams.look())
        while not looking.done():
            turns.append(here.callers.asked)
            await asyncio.sleep(0)
        await here.clock.sleep(1)
        return turns, len(here.ends), len(here.streams)

    turns, ended, left = played(script)
    assert ({0, AT_ONCE, 2 * AT_ONCE}, 3 * AT_ONCE, 0) == (set(turns) - {3 * AT_ONCE}, ended, left)


def test_a_stream_that_is_writing_ends_with_its_next_message():
    """It is not cut in the middle of one."""

    async def script(here):
        here.open("waits")
        knock = Knock(WATCH.method, lambda: None, {"who": "ann"}, "peer")
        call = Call(WATCH, ANN, "", "r", 0.0, None, 0.0, 0.0, stream_id="writes")
        busy = here.streams.enter(Visit(WATCH.method, "r", 0.0, knock), call)
        here.callers.change()
        await here.clock.sleep(1)
        return busy.end.reason, busy.task.cancelling(), set(here.ends)

    assert (Reason.TOKEN_INVALID, 0, {"waits"}) == played(script)


def test_who_hangs_up_at_the_same_moment_wins():
    """A cancellation from outside is not swallowed."""

    async def script(here):
        stream = here.open()
        await here.clock.sleep(1)
        (opened,) = here.streams.all()
        stream.cancel()
        opened.strike(ExecsvcError(refuse(Reason.TOKEN_INVALID, "x").fault))
        (end,) = await asyncio.gather(stream, return_exceptions=True)
        return type(end), here.ends

    assert (asyncio.CancelledError, {}) == played(script)


def test_all_are_listed_the_longest_open_first():
    """With when each was opened."""

    async def script(here):
        for name in ("b", "a", "c"):
            here.open(name)
            await here.clock.sleep(1)
        return [(each.call.stream_id, each.open_ns - SimClock.EPOCH_NS) for each in here.streams.all()]

    assert [("b", 0), ("a", 10**9), ("c", 2 * 10**9)] == played(script)
