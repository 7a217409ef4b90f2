"""The last word before an order's bytes leave, and how long a placement may take or be held back."""

from dataclasses import replace

import pytest
from desk_parts import in_world, place, refused, released

from execsvc.app.timing import CLOCK_MOVED_MAX_S, Timing, clock_moved, clock_untrusted
from execsvc.domain.errors import Reason
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import Status
from execsvc.ports import ClockReading

KEY = OrderKey("main", "local", "c-1")
LEAST_S = 2.2


def while_written(here, act):
    """`act()` happens right after the intent became durable."""
    begin = here.store.begin

    async def spying(intent, now_ns, steps=()):
        begun = await begin(intent, now_ns, steps)
        act()
        return begun

    here.store.begin = spying


@pytest.mark.parametrize("step_s", [3.0, -3.0])
def test_a_clock_that_was_set_while_the_order_waited_sends_nothing(step_s):
    """It is looked for by when it was written down, so that moment must mean something; the id stays free."""

    async def scenario(here):
        def step():
            here.clock.skew_s += step_s

        while_written(here, step)
        fault = await refused(here)
        return fault, (await here.store.get(KEY)).status, released(here), here.venue.sends

    fault, status, rooms, sends = in_world(scenario)
    assert (Reason.CLOCK_UNTRUSTED, "false", Status.NEVER_SENT) == (fault.reason, fault.metadata["id_used"], status)
    assert (f"this machine's clock was set by {step_s:+.1f} s while the order waited; nothing was sent", 1.0) == (
        fault.message,
        fault.retry_after_s,
    )
    assert ([1], []) == (rooms, sends)


def test_a_clock_that_is_slewed_a_little_does_not_matter():
    """Looks allow for it."""

    async def scenario(here):
        def step():
            here.clock.skew_s += CLOCK_MOVED_MAX_S - 0.1

        while_written(here, step)
        return (await place(here)).order.status

    assert in_world(scenario) is Status.OPEN


def test_a_slow_store_is_no_clock_that_was_set():
    """Both clocks went on together."""

    async def scenario(here):
        begin = here.store.begin

        async def slow(intent, now_ns, steps=()):
            begun = await begin(intent, now_ns, steps)
            await here.clock.sleep(2.5)
            return begun

        here.store.begin = slow
        return (await place(here)).order.status

    assert in_world(scenario) is Status.OPEN


def test_a_clock_found_far_off_after_the_checks_sends_nothing():
    """Kraken's time was read meanwhile."""

    async def scenario(here):
        def learn():
            here.venue.reading = ClockReading(9.0, 0.5, 0.1)

        while_written(here, learn)
        fault = await refused(here)
        return fault.reason, fault.retry_after_s, released(here), here.venue.sends

    assert in_world(scenario) == (Reason.CLOCK_UNTRUSTED, 5.0, [1], [])


def test_a_process_that_stood_still_after_the_checks_sends_nothing():
    """Another one may be trading by now."""

    async def scenario(here):
        place_at_venue = here.venue.place

        async def spying(*args, **parts):
            here.house.owner._confirmed -= 60.0
            return await place_at_venue(*args, **parts)

        here.venue.place = spying
        return (await refused(here)).reason, here.venue.sends

    assert in_world(scenario) == (Reason.NOT_OWNER, [])


# ---- timing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timing", "by"),
    [
        (Timing(100.0, 110.0, 5.0), 100.0),
        (Timing(100.0, 110.0, 5.0, 2.0), 102.0),
        (Timing(100.0, 110.0, 5.0, 60.0), 102.8),
        (Timing(100.0, 104.0, 5.0, 60.0), 101.8),
        (Timing(100.0, 102.0, 5.0, 60.0), 99.8),
    ],
)
def test_how_long_a_placement_may_be_held_back(timing, by):
    """What the caller allows, and never into what the placement needs."""
    assert by == pytest.approx(timing.queue_by(LEAST_S))


@pytest.mark.parametrize(
    ("steady_s", "wall_s", "moved"), [(1.0, 3.0, False), (1.0, -1.0, False), (1.0, 3.1, True), (5.0, 2.9, True)]
)
def test_a_clock_counts_as_set_beyond_two_seconds(steady_s, wall_s, moved):
    """Both ways."""
    assert moved is (clock_moved(steady_s=steady_s, wall_s=wall_s) is not None)


def test_a_clock_is_untrusted_when_it_is_surely_too_far_off():
    """What is not known of it is in its favour; unknown altogether, it is read before the first send."""
    reading = ClockReading(5.4, 0.5, 0.1)
    assert (None, None) == (clock_untrusted(None), clock_untrusted(reading))
    assert Reason.CLOCK_UNTRUSTED is clock_untrusted(replace(reading, offset_s=-5.6)).reason
