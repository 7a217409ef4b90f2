"""The pump in virtual time: numbers, the fixed clock, states, and the last word."""

import asyncio
import itertools
from collections import deque

import pytest
from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import market_data_service_pb2 as market

from execsvc.domain.caller import alike
from execsvc.domain.errors import Busy, Fault, Reason
from execsvc.domain.market import FeedState
from execsvc.rpc.call import Call
from execsvc.rpc.drain import Drain
from execsvc.rpc.permits import PERMITS
from execsvc.rpc.streams import LOOK_S, Part, Pumps, Terms
from execsvc.telemetry import silent
from tests.support.simloop import SimClock, run_sim

PERMIT = PERMITS["execsvc.v1.MarketDataService/SubscribeTickers"]
CALL = Call(PERMIT, alike("ann", frozenset(), ()), "", "r1", 0.0, None, 0.0, 0.0, stream_id="s1")

GONE = Fault(Reason.VENUE_UNREACHABLE, "gone")


class Script:
    """A source that gives what a test put in, at the times the test says."""

    def __init__(self, clock, *, announced=True):
        self._clock = clock
        self.announced = announced
        self.state = FeedState.LIVE
        self.due = deque()
        self.refusal = None
        self.looks = []

    def demand(self):
        if self.refusal is not None:
            raise self.refusal

    def opening(self):
        return (Part({"snapshot": market.TickerBatch()}, self.state),)

    async def take(self, by):
        self.looks.append(self._clock.monotonic())
        if self.due and self.due[0][0] <= by:
            at, event = self.due.popleft()
            await self._clock.sleep(at - self._clock.monotonic())
            if isinstance(event, FeedState):
                self.state = event
                return ()
            return event
        await self._clock.sleep(by - self._clock.monotonic())
        return ()

    def heartbeat(self):
        return common.Heartbeat()

    def stamp(self):
        return {}


def read(message):
    """What a reader makes of what was sent."""
    return market.SubscribeTickersResponse.FromString(message.SerializeToString())


def update(folded=0):
    return (Part({"update": market.TickerBatch()}, FeedState.LIVE, folded),)


class Folded:
    """Telemetry that adds up what was folded."""

    def __init__(self):
        self.conflated = self
        self.total = 0

    def add(self, folded, attributes):
        assert {"rpc.method": PERMIT.short} == attributes
        self.total += folded


class Scene:
    def __init__(self, *, beat=1.0, announced=True, telemetry=None):
        self.clock = SimClock()
        self.drain = Drain()
        self.source = Script(self.clock, announced=announced)
        self.pumps = Pumps(self.clock, self.drain, telemetry or silent(), "epoch")
        terms = Terms(beat, common.DeliveryPolicy())
        self.messages = self.pumps.pump(CALL, market.SubscribeTickersResponse, self.source, terms)

    async def read(self, until, *, pause=0.0):
        """(time, kind, state) of what comes before virtual second `until`; a reader as slow as `pause`."""
        held = []
        async for message in self.messages:
            now = round(self.clock.monotonic(), 3)
            if now > until:
                break
            told = read(message)
            held.append((now, told.WhichOneof("event"), told.meta))
            await self.clock.sleep(pause)
        return held


def test_heartbeats_keep_a_fixed_clock_between_updates():
    """One a second from the opening on, however busy the stream is."""

    async def main():
        scene = Scene()
        scene.source.due.extend((0.3 * n, update()) for n in range(1, 12))
        return [at for at, kind, _ in await scene.read(3.5) if kind == "heartbeat"]

    assert [1.0, 2.0, 3.0] == run_sim(main())


def test_missed_heartbeats_are_not_made_up_for():
    """A reader that was away for five beats gets one, and the next one on the old clock."""

    async def main():
        scene = Scene()
        return [at for at, kind, _ in await scene.read(9.0, pause=2.3) if kind == "heartbeat"]

    beats = run_sim(main())
    assert len(beats) == len(set(beats))
    assert all(later - earlier >= 2.3 for earlier, later in itertools.pairwise(beats))


def test_numbers_rise_by_one_over_everything():
    """accepted, snapshot, updates and heartbeats share one sequence."""

    async def main():
        scene = Scene()
        scene.source.due.extend((0.4 * n, update()) for n in range(1, 6))
        return await scene.read(3.0)

    held = run_sim(main())
    assert (["accepted", "snapshot"], list(range(1, len(held) + 1))) == (
        [kind for _, kind, _ in held[:2]],
        [meta.seq for _, _, meta in held],
    )


def test_a_change_of_state_is_told_when_it_happens():
    """An announced change sends a heartbeat at its own time and does not move the clock."""

    async def main():
        scene = Scene(beat=10.0)
        scene.source.due.extend([(2.5, FeedState.STALE), (4.25, FeedState.LIVE)])
        return [(at, meta.feed_state) for at, kind, meta in await scene.read(11.0) if kind == "heartbeat"]

    stale, live = common.FEED_STATE_STALE, common.FEED_STATE_LIVE
    assert [(2.5, stale), (4.25, live), (10.0, live)] == run_sim(main())


def test_a_state_that_nobody_announces_is_looked_at():
    """Without an announcement the change is told within a second of it."""

    async def main():
        scene = Scene(beat=60.0, announced=False)

        async def turn():
            await scene.clock.sleep(3.1)
            scene.source.state = FeedState.STALE

        turning = asyncio.ensure_future(turn())
        held = [at for at, kind, _ in await scene.read(61.0) if kind == "heartbeat"]
        await turning
        return held

    told = run_sim(main())
    assert 3.1 <= told[0] <= 3.1 + LOOK_S
    assert [60.0] == told[1:]


def test_what_was_folded_is_told():
    """conflated_count is the source's figure."""

    async def main():
        scene = Scene()
        scene.source.due.append((0.5, update(folded=7)))
        return [meta.conflated_count for _, kind, meta in await scene.read(0.9) if kind == "update"]

    assert [7] == run_sim(main())


def test_the_drain_brings_a_last_heartbeat_and_then_the_end():
    """At the drain: one heartbeat at that moment, then SHUTTING_DOWN."""

    async def main():
        scene = Scene(beat=60.0)
        held = []

        async def follow():
            while True:
                message = await anext(scene.messages)
                held.append((scene.clock.monotonic(), read(message).WhichOneof("event")))

        reading = asyncio.ensure_future(follow())
        await scene.clock.sleep(5)
        scene.drain.end()
        with pytest.raises(Busy) as caught:
            await reading
        return held[2:], caught.value.reason

    assert ([(5.0, "heartbeat")], Reason.SHUTTING_DOWN) == run_sim(main())


def test_a_refusal_is_seen_at_the_next_heartbeat():
    """What ends the stream is asked for with every heartbeat."""

    async def main():
        scene = Scene()

        async def refuse():
            await scene.clock.sleep(1.5)
            scene.source.refusal = Busy(GONE)

        turning = asyncio.ensure_future(refuse())
        with pytest.raises(Busy):
            await scene.read(60.0)
        await turning
        return scene.clock.monotonic()

    assert 2.0 == run_sim(main())


def test_a_refusal_at_the_opening_sends_nothing():
    """A source that cannot be followed fails before `accepted`."""

    async def main():
        scene = Scene()
        scene.source.refusal = Busy(GONE)
        with pytest.raises(Busy):
            await anext(scene.messages)

    run_sim(main())


@pytest.mark.parametrize("end_s", [0.9, 2.5])
def test_what_was_folded_is_measured_whenever_the_stream_ends(end_s):
    """The figure of all streams has every folded update, with a heartbeat or at the end."""
    watched = Folded()

    async def main():
        scene = Scene(telemetry=watched)
        scene.source.due.extend((0.2 * n, update(folded=n)) for n in range(1, 4))
        await scene.read(end_s)
        before = watched.total
        await scene.messages.aclose()
        return before, watched.total

    before, after = run_sim(main())
    assert (6 if end_s > 1 else 0, 6) == (before, after)


def test_two_streams_are_told_the_same_event_under_their_own_numbers():
    """What is shared among readers holds nothing of any of them."""

    async def main():
        scene = Scene()
        other = scene.pumps.pump(
            CALL, market.SubscribeTickersResponse, scene.source, Terms(1.0, common.DeliveryPolicy())
        )
        held = scene.source.opening()
        scene.source.opening = lambda: held
        told = [read(await anext(messages)) for messages in (scene.messages, scene.messages, other, other)]
        return [(each.WhichOneof("event"), each.meta.seq) for each in told], len(scene.pumps.bodies)

    told, kept = run_sim(main())
    assert [("accepted", 1), ("snapshot", 2)] * 2 == told
    assert 3 == kept  # two words of acceptance, one snapshot
