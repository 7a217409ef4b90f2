"""The pace of the HTTP door, in virtual time: who is answered when, and how much of the time answers take."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.web.turns import REST_LEAST_S, REST_MOST_S, Turns, rest_s
from tests.support.simloop import SimClock, run_sim


@given(st.floats(min_value=0, max_value=60), st.floats(min_value=0, max_value=60))
def test_a_rest_grows_with_what_an_answer_took_between_its_bounds(shorter, longer):
    """The longer an answer took the longer the rest, never below the least nor above the most."""
    shorter, longer = sorted((shorter, longer))
    assert REST_LEAST_S <= rest_s(shorter) <= rest_s(longer) <= REST_MOST_S


@pytest.mark.parametrize(("took_s", "expected"), [(0.0, 0.005), (0.0001, 0.005), (0.002, 0.098), (1.0, 0.25)])
def test_an_answer_takes_a_fiftieth_of_the_time(took_s, expected):
    """Forty-nine times as long as it took, once that is more than the least."""
    assert expected == pytest.approx(rest_s(took_s))


def working(clock, seconds=0.0, said="answer"):
    async def make():
        if seconds:
            await clock.sleep(seconds)
        return said

    return make


def test_the_first_answer_does_not_wait():
    """Where nobody asked before, an answer is made at once."""

    async def main():
        clock = SimClock()
        answer = await Turns(clock).taken(working(clock))
        return answer, clock.monotonic()

    assert ("answer", 0.0) == run_sim(main())


def test_who_asks_after_the_rest_does_not_wait_either():
    """A scraper that comes now and then meets nobody's rest, its own included."""

    async def main():
        clock = SimClock()
        turns = Turns(clock)
        await turns.taken(working(clock, 0.001))
        await clock.sleep(1.0)
        before = clock.monotonic()
        await turns.taken(working(clock))
        return clock.monotonic() - before

    assert 0.0 == run_sim(main())


@pytest.mark.parametrize(("took_s", "most"), [(0.0, 2001), (0.002, 101)], ids=["short", "long"])
def test_however_many_ask_the_pace_is_the_same(took_s, most):
    """A hundred who ask without a pause get in ten seconds what one of them would."""

    async def main():
        clock = SimClock()
        turns, answered = Turns(clock), 0

        async def asking():
            nonlocal answered
            while clock.monotonic() < 10:
                await turns.taken(working(clock, took_s))
                answered += clock.monotonic() <= 10

        await asyncio.gather(*(asking() for _ in range(100)))
        return answered

    assert 0.99 * most <= run_sim(main()) <= most


def test_first_come_first_served():
    """Those in line are answered as they came."""

    async def main():
        clock = SimClock()
        turns, served = Turns(clock), []

        async def asking(name):
            served.append(await turns.taken(working(clock, said=name)))

        await asyncio.gather(*(asking(number) for number in range(20)))
        return served

    assert list(range(20)) == run_sim(main())


def test_whoever_leaves_loses_its_place():
    """A turn is not spent on somebody who waits no more."""

    async def main():
        clock = SimClock()
        turns = Turns(clock)
        waiting = [asyncio.ensure_future(turns.taken(working(clock, said=number))) for number in range(10)]
        await asyncio.sleep(0)
        for each in waiting[1:9]:
            each.cancel()
        return await waiting[9], clock.monotonic()

    assert (9, pytest.approx(REST_LEAST_S)) == run_sim(main())


def test_an_answer_that_fails_rests_like_any_other():
    """Its error reaches whoever asked, and the next one is answered after the rest."""

    async def main():
        clock = SimClock()
        turns = Turns(clock)

        async def fails():
            raise LookupError("no figures")

        with pytest.raises(LookupError):
            await turns.taken(fails)
        await turns.taken(working(clock))
        return clock.monotonic()

    assert pytest.approx(REST_LEAST_S) == run_sim(main())
