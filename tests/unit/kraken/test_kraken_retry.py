"""Asking again: never for orders, never past `by`, never more often than allowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain.errors import Busy, Fault, Reason
from execsvc.kraken.endpoints import Effect
from execsvc.kraken.faults import Move, Verdict
from execsvc.kraken.retry import ATTEMPTS_MAX, PAUSE_MOST_S, Again, Stop, next_step, persist
from tests.support.entropy import FixedEntropy
from tests.support.simloop import SimClock, run_sim

FAULT = Fault(Reason.VENUE_UNREACHABLE, "down")
VERDICTS = st.builds(
    Verdict, st.sampled_from(Move), st.just(FAULT), st.one_of(st.none(), st.floats(0, 1000)), st.none()
)


@given(
    st.sampled_from(Effect),
    VERDICTS,
    st.integers(1, 20),
    st.integers(0, 20),
    st.floats(0, 100),
    st.floats(0, 0.999),
)
def test_repeat_is_allowed_only_where_it_is_harmless(effect, verdict, attempt, nonces_refused, left_s, chance):
    """No order is repeated; nothing past its time, its attempts or its one new nonce."""
    step = next_step(effect, verdict, attempt=attempt, nonces_refused=nonces_refused, now=0.0, by=left_s, chance=chance)
    if isinstance(step, Again):
        assert effect is not Effect.ORDER
        assert verdict.move in {Move.AGAIN, Move.RENONCE}
        assert step.after_s < left_s
        assert attempt < ATTEMPTS_MAX[effect]
        assert not (verdict.move is Move.RENONCE and effect is Effect.READ and nonces_refused > 1)
        assert verdict.wait_s is not None or step.after_s <= PAUSE_MOST_S
    else:
        assert step == Stop(FAULT)


def asked(verdicts, effect=Effect.READ, by=100.0):
    """How often `persist` asks, when, and what it raises."""

    async def live():
        clock, times, left = SimClock(), [], list(verdicts)

        async def attempt():
            times.append(round(clock.monotonic(), 3))
            return left.pop(0) if left else "answer"

        try:
            return await persist(attempt, effect, by, clock, FixedEntropy(0.5)), times
        except Busy as failure:
            return failure.reason, times

    return run_sim(live())


def test_read_is_asked_again_until_it_answers():
    """Two failures, then the answer."""
    answer, times = asked([Verdict(Move.AGAIN, FAULT)] * 2)
    assert (answer, len(times)) == ("answer", 3)


def test_pauses_double():
    """Exponential with full jitter: half of 0.2, 0.4, 0.8 with a fair coin."""
    assert asked([Verdict(Move.AGAIN, FAULT)] * 3)[1] == [0.0, 0.1, 0.3, 0.7]


def test_said_wait_is_kept():
    """A wait Kraken named replaces the jitter."""
    assert asked([Verdict(Move.AGAIN, FAULT, 5.0)])[1] == [0.0, 5.0]


def test_wait_beyond_the_callers_time_is_not_begun():
    """No use waiting for what comes too late: the fault is told at once."""
    assert asked([Verdict(Move.AGAIN, FAULT, 5.0)], by=4.0) == (Reason.VENUE_UNREACHABLE, [0.0])


def test_attempts_are_bounded():
    """A read is asked six times, a cancel twelve."""
    for effect in (Effect.READ, Effect.CANCEL):
        _, times = asked([Verdict(Move.AGAIN, FAULT, 0.1)] * 50, effect)
        assert len(times) == ATTEMPTS_MAX[effect]


def test_order_is_asked_once():
    """Whatever the verdict says."""
    assert asked([Verdict(Move.AGAIN, FAULT)], Effect.ORDER)[1] == [0.0]


def test_read_gets_one_new_nonce_and_a_cancel_as_many_as_it_needs():
    """After a second refused nonce a read gives up."""
    refused = [Verdict(Move.RENONCE, FAULT)] * 3
    assert len(asked(refused)[1]) == 2
    assert asked(refused, Effect.CANCEL)[0] == "answer"


def test_time_that_runs_out_while_waiting_is_told():
    """A wait that ends after `by` asks nobody any more."""

    async def live():
        clock = SimClock()

        async def attempt():
            await clock.sleep(3.0)
            return Verdict(Move.AGAIN, FAULT, 0.5)

        with pytest.raises(Busy) as failure:
            await persist(attempt, Effect.READ, 3.6, clock, FixedEntropy())
        return failure.value.reason, clock.monotonic()

    assert run_sim(live()) == (Reason.VENUE_UNREACHABLE, 6.5)
