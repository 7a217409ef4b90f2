"""The toxics as values: what steps they take is decided without a clock or a socket, and repeats with the seed."""

import asyncio
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.faultproxy_dialogue import Armed, News
from tests.support.toxics import (
    LONGEST_S,
    Bandwidth,
    Chunk,
    Dose,
    Down,
    Duplicate,
    End,
    Latency,
    LimitData,
    Overtake,
    Pass,
    ReplacePage,
    ResetPeer,
    Slicer,
    SlowClose,
    Timeout,
    Wait,
)

LINK_TOXICS = (
    st.builds(Latency, st.floats(0, 5), st.floats(0, 5))
    | st.builds(Bandwidth, st.integers(1, 10_000))
    | st.builds(
        lambda least, spread, pause: Slicer(least + spread, spread, pause), *[st.integers(1, 50)] * 2, st.just(0.1)
    )
    | st.builds(LimitData, st.integers(0, 300))
    | st.sampled_from([Timeout(1.0), Timeout(), ResetPeer(0.5), SlowClose(1.0)])
)


def steps(toxic, data=b"x" * 100, *, age_s=0.0, passed=0, seed=1):
    return list(toxic.steps(Chunk(data, age_s, passed), Random(seed)))


def passed_on(taken):
    return b"".join(step.data for step in taken if isinstance(step, Pass))


def waited(taken):
    return sum(step.seconds for step in taken if isinstance(step, Wait))


@given(LINK_TOXICS, st.binary(min_size=1, max_size=500), st.integers(0, 400), st.integers())
def test_a_toxic_invents_and_loses_no_byte(toxic, data, passed, seed):
    """Whatever a toxic does, all bytes come out in order when nothing ends the connection."""
    assert passed_on(steps(toxic, data, passed=passed, seed=seed)) == data


@given(LINK_TOXICS, st.binary(min_size=1, max_size=500), st.integers())
def test_one_seed_draws_the_same_again(toxic, data, seed):
    """The same seed gives the same steps."""
    assert steps(toxic, data, seed=seed) == steps(toxic, data, seed=seed)


@given(LINK_TOXICS, st.binary(min_size=1, max_size=500), st.integers())
def test_no_single_wait_is_longer_than_the_bound(toxic, data, seed):
    """Nothing is held for ever."""
    longest = max((step.seconds for step in steps(toxic, data, seed=seed) if isinstance(step, Wait)), default=0.0)
    assert longest <= LONGEST_S


@pytest.mark.parametrize(("age_s", "expected"), [(0.0, 2.0), (0.5, 1.5), (2.0, 0.0), (9.0, 0.0)])
def test_latency_counts_from_when_the_bytes_came(age_s, expected):
    """What has waited already waits so much less: bytes that come together stay together."""
    assert waited(steps(Latency(2.0), age_s=age_s)) == expected


@given(st.integers())
def test_jitter_stays_around_the_latency(seed):
    """Delay plus or minus jitter, no more."""
    assert 1.5 <= waited(steps(Latency(2.0, 0.5), seed=seed)) <= 2.5


def test_jitter_is_not_always_the_same():
    """Different seeds give different delays."""
    assert len({waited(steps(Latency(2.0, 0.5), seed=seed)) for seed in range(20)}) > 10


@given(st.integers(1, 5000), st.integers(1, 2000))
def test_bandwidth_takes_as_long_as_the_bytes_need(rate, size):
    """Bytes divided by the rate, however they are cut."""
    assert waited(steps(Bandwidth(rate), b"x" * size)) == pytest.approx(size / rate)


@given(st.integers(1, 30), st.integers(0, 20), st.integers())
def test_slices_have_the_size_asked_for(least, variation, seed):
    """Every slice but the last is size ± variation, and a pause stands between two."""
    taken = steps(Slicer(least + variation, variation, 0.1), seed=seed)
    sizes = [len(step.data) for step in taken if isinstance(step, Pass)]
    assert all(least <= size <= least + 2 * variation for size in sizes[:-1])
    assert waited(taken) == pytest.approx(0.1 * (len(sizes) - 1))


@pytest.mark.parametrize(
    ("limit", "passed", "expected"),
    [
        (150, 0, [Pass(b"x" * 100)]),
        (150, 60, [Pass(b"x" * 90), End("close"), Pass(b"x" * 10)]),
        (100, 0, [Pass(b"x" * 100), End("close")]),
        (0, 0, [End("close"), Pass(b"x" * 100)]),
    ],
)
def test_limit_counts_over_the_whole_connection(limit, passed, expected):
    """So many bytes in all, then the end."""
    assert steps(LimitData(limit), passed=passed) == expected


def test_timeout_closes_and_reset_resets_after_their_time():
    """Both hold the first bytes; how they end is what tells them apart."""
    assert steps(Timeout(1.5))[:2] == [Wait(1.5), End("close")]
    assert steps(Timeout())[:2] == [Wait(LONGEST_S), End("close")]
    assert steps(ResetPeer(0.5))[:2] == [Wait(0.5), End("reset")]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Latency(-1),
        lambda: Latency(61),
        lambda: Latency(1, -1),
        lambda: Bandwidth(0),
        lambda: Slicer(0),
        lambda: Slicer(5, 5),
        lambda: Slicer(1, delay_s=61),
        lambda: LimitData(-1),
        lambda: Timeout(-1),
        lambda: ResetPeer(61),
        lambda: SlowClose(-1),
        lambda: ReplacePage(200),
        lambda: Duplicate(after_s=61),
        lambda: Overtake(hold_s=61),
        lambda: Dose(Latency(1), skip=-1),
        lambda: Dose(Latency(1), times=0),
        lambda: Dose(Latency(1), chance=0.0),
        lambda: Dose(Down(), times=1),
    ],
)
def test_what_cannot_be_meant_is_refused(make):
    """Unbounded waits, empty slices and doses that strike nobody are mistakes of the test that wrote them."""
    with pytest.raises(ValueError, match=r":|Down"):
        make()


def struck(dose, count=20):
    armed = Armed(dose, 1)
    return [armed.strikes_next() for _ in range(count)], armed.strikes


@pytest.mark.parametrize(
    ("skip", "times", "expected"),
    [
        (0, None, [True] * 5),
        (2, None, [False, False, True, True, True]),
        (0, 2, [True, True, False, False, False]),
        (1, 3, [False, True, True, True, False]),
    ],
)
def test_skip_lets_by_and_times_ends_it(skip, times, expected):
    """The first `skip` get by, the next `times` are struck, the rest get by."""
    assert struck(Dose(Latency(1), skip=skip, times=times), 5) == (expected, sum(expected))


def test_chance_repeats_with_its_seed():
    """A rate of one in three strikes the same ones again with the same seed, others with another."""
    first, count = struck(Dose(Latency(1), chance=1 / 3, seed=5), 300)
    assert first == struck(Dose(Latency(1), chance=1 / 3, seed=5), 300)[0]
    assert first != struck(Dose(Latency(1), chance=1 / 3, seed=6), 300)[0]
    assert 60 < count < 140


def test_chance_uses_up_only_what_it_strikes():
    """`times` counts those that were struck, not those that were looked at."""
    assert struck(Dose(Latency(1), chance=0.5, times=7, seed=1), 200)[1] == 7


def test_removed_it_strikes_nobody():
    """A dose that was taken away has no effect on whoever comes next."""
    armed = Armed(Dose(Latency(1)), 1)
    armed.gone.set()
    assert (armed.strikes_next(), armed.strikes) == (False, 0)


async def test_news_wakes_whoever_waits_and_gives_up_in_time():
    """A condition that comes true is told at once; one that does not is told as such when time is over."""
    news, box = News(), []
    waiting = asyncio.create_task(news.until(lambda: len(box) == 2, 5.0))
    for each in range(2):
        await asyncio.sleep(0)
        box.append(each)
        news.tell()
    assert await waiting
    assert not await news.until(lambda: len(box) == 3, 0.01)
