"""What one answer of Kraken's forbids every later call with the key: lockout, throttle, a refused key (promises.md 5).

The repeats of the call that met it are test_every_error.py's.
"""

import asyncio

import pytest
from every_error_cases import KEY_REFUSALS, LOCKOUT, THROTTLE, THROTTLED_FOR_S
from every_error_rig import ENTRY_S, asked, run
from kraken_parts import PLACED

from execsvc.domain.errors import Reason
from execsvc.kraken.endpoints import Effect
from tests.support.net import answer

LOCKED_S = 900.0
JUST_BEFORE_S = 0.001
HOURS_S = 4 * 3600.0
EFFECTS = tuple(Effect)


async def told(side, clock, effect, name="order-1"):
    """Reason and wait of a call that must not go out; an order is not even begun."""
    outcome, fault = await asked(side, clock, effect, ENTRY_S, name)
    assert outcome is None
    return fault


async def until(clock, at_s):
    await clock.sleep(at_s - clock.monotonic())


def good(sent):
    """What a healthy Kraken answers to each of the four calls."""
    if sent.path.endswith("AddOrder"):
        return PLACED
    if sent.path.endswith("AmendOrder"):
        return answer({"amend_id": "T1"})
    return answer({"count": 1}) if sent.path.endswith("CancelOrder") else answer({})


# ---- lockout ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("met_by", EFFECTS)
@pytest.mark.parametrize("effect", EFFECTS)
def test_nothing_leaves_for_exactly_fifteen_minutes(met_by, effect):
    """Whoever met the lockout, a call of any kind is told the seconds left, or waits them out where it has the time."""

    async def act(side, clock, http):
        await asked(side, clock, met_by, ENTRY_S)
        waits = []
        for at_s in (0.0, 1.0, 450.0, LOCKED_S - ENTRY_S - JUST_BEFORE_S):
            await until(clock, at_s)
            fault = await told(side, clock, effect)
            waits.append((fault.reason, round(at_s + fault.retry_after_s, 3)))
        silent = len(http.sent)
        await until(clock, LOCKED_S - JUST_BEFORE_S)
        await asked(side, clock, effect, ENTRY_S)
        return waits, silent

    (waits, silent), http = run(LOCKOUT.happens, act)
    assert [(Reason.VENUE_LOCKED_OUT, LOCKED_S)] * 4 == waits
    assert 1 == silent
    assert [0.0, LOCKED_S] == [sent.at for sent in http.sent]


async def crowd(side, clock):
    """Nine calls at once, three of each kind; what each came to."""
    calls = [(effect, f"{effect.value}-{number}") for number in range(3) for effect in EFFECTS]
    return await asyncio.gather(*(asked(side, clock, effect, ENTRY_S, name) for effect, name in calls))


def reasons(outcomes):
    return [(fault if answered is None else answered.fault).reason for answered, fault in outcomes]


def test_a_crowd_that_meets_a_lockout_sends_one_request():
    """Those who wait for their turn when it is told do not go out any more."""

    async def act(side, clock, http):
        return await crowd(side, clock)

    outcomes, http = run(LOCKOUT.happens, act)
    assert 1 == len(http.sent)
    assert {Reason.VENUE_LOCKED_OUT} == set(reasons(outcomes)) - {Reason.NOT_PLACED}


def test_after_a_lockout_exactly_one_call_probes():
    """Many ask when it ends: one goes out, and while Kraken says the same the key is silent for as long again."""

    async def act(side, clock, http):
        await asked(side, clock, Effect.READ, ENTRY_S)
        for end_s in (LOCKED_S, 2 * LOCKED_S):
            await until(clock, end_s - JUST_BEFORE_S)
            await crowd(side, clock)
            await until(clock, end_s)
            await crowd(side, clock)

    _, http = run(LOCKOUT.happens, act)
    assert [0.0, LOCKED_S, 2 * LOCKED_S] == [sent.at for sent in http.sent]


def test_nobody_overtakes_the_probe():
    """A probe that is answered late is waited for: a second call beside it would prolong the lockout."""

    async def act(side, clock, http):
        await asked(side, clock, Effect.READ, ENTRY_S)
        await until(clock, LOCKED_S)
        probe = asyncio.ensure_future(asked(side, clock, Effect.READ, ENTRY_S * 2))
        await clock.sleep(0.1)
        await crowd(side, clock)
        await probe

    async def slowly(sent):
        await asyncio.sleep(4.0 if sent.at >= LOCKED_S else 0.0)
        return LOCKOUT.happens(sent)

    _, http = run(slowly, act)
    assert [0.0, LOCKED_S] == [sent.at for sent in http.sent]


def test_a_probe_that_is_answered_opens_the_key_to_all():
    """The lockout is over: everybody's calls go out again, each order once."""

    async def act(side, clock, http):
        await asked(side, clock, Effect.READ, ENTRY_S)
        await until(clock, LOCKED_S)
        await asked(side, clock, Effect.READ, ENTRY_S)
        return await crowd(side, clock)

    outcomes, http = run(lambda sent: LOCKOUT.happens(sent) if sent.at < LOCKED_S else good(sent), act)
    assert [None] * 3 * len(EFFECTS) == [fault for _, fault in outcomes]
    assert 3 == len(http.calls("AddOrder"))


# ---- throttle --------------------------------------------------------------------------------------------------------


def throttling(sent):
    return THROTTLE.happens(sent) if sent.at < THROTTLED_FOR_S and sent.path.endswith("BalanceEx") else good(sent)


def test_no_read_leaves_before_the_stamp_of_a_throttle_and_then_it_goes():
    """One reader is throttled: nobody else reads before the stamp either; at the stamp its repeat goes, and others may."""

    async def act(side, clock, http):
        readers = []
        for at_s in (0.0, 1.0, 20.0, THROTTLED_FOR_S - JUST_BEFORE_S, THROTTLED_FOR_S):
            await until(clock, at_s)
            readers.append(asyncio.ensure_future(asked(side, clock, Effect.READ, 100.0)))
        outcomes = await asyncio.gather(*readers)
        return outcomes[0], outcomes[-1]

    outcomes, http = run(throttling, act)
    assert (((), None), ((), None)) == outcomes
    assert [0.0, THROTTLED_FOR_S] == [sent.at for sent in http.sent][:2]


def test_a_read_without_the_time_for_a_throttle_is_told_the_exact_wait():
    """It does not leave, and hears when reads go again."""

    async def act(side, clock, http):
        await asked(side, clock, Effect.READ, ENTRY_S)
        await until(clock, 10.0)
        return await asked(side, clock, Effect.READ, ENTRY_S)

    (_, fault), http = run(throttling, act)
    assert (1, THROTTLED_FOR_S - 10.0) == (len(http.sent), fault.retry_after_s)
    assert fault.reason in {Reason.VENUE_RATE_LIMITED, Reason.LOCAL_RATE_LIMITED}


def test_a_throttled_key_still_cancels():
    """A throttle of reads takes no cancel's place."""

    async def act(side, clock, http):
        reader = asyncio.ensure_future(asked(side, clock, Effect.READ, 100.0))
        await until(clock, 1.0)
        cancelled = await asked(side, clock, Effect.CANCEL, ENTRY_S)
        await reader
        return cancelled

    (_, fault), http = run(throttling, act)
    assert (None, [1.0]) == (fault, [sent.at for sent in http.calls("CancelOrder")])


# ---- a key that is refused -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refusal", KEY_REFUSALS, ids=lambda case: case.name)
@pytest.mark.parametrize("met_by", EFFECTS)
def test_after_a_refused_key_nothing_ever_leaves_again(refusal, met_by):
    """Whoever met it, calls of every kind are told Kraken's words, now and hours later, even though Kraken would answer."""

    async def act(side, clock, http):
        await asked(side, clock, met_by, ENTRY_S)
        faults = []
        for at_s in (0.0, LOCKED_S, HOURS_S):
            await until(clock, at_s)
            faults += [await told(side, clock, effect) for effect in EFFECTS]
        return faults

    faults, http = run(lambda sent: good(sent) if sent.at else refusal.happens(sent), act)
    assert [(Reason.VENUE_CREDENTIALS_REJECTED, refusal.text, None)] * 3 * len(EFFECTS) == [
        (fault.reason, fault.metadata["venue_error"], fault.retry_after_s) for fault in faults
    ]
    assert [0.0] == [sent.at for sent in http.sent]
