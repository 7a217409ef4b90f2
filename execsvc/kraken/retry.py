"""Asking again: which failed call may be repeated, when, and for how long.

Placements are never repeated, whatever happened. Reads and cancels are, with full jitter, inside the caller's time and a
bound of attempts (promises.md section 3). Deciding is pure; `persist` is the loop that carries it out.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from execsvc.domain.errors import Fault, Reason, error_of
from execsvc.kraken.endpoints import Effect
from execsvc.kraken.faults import Move, Verdict
from execsvc.ports import Clock, Entropy

T = TypeVar("T")

ATTEMPTS_MAX = {Effect.READ: 6, Effect.CANCEL: 12, Effect.ORDER: 1, Effect.AMEND: 1}
PAUSE_FIRST_S = 0.2
PAUSE_MOST_S = 3.0


@dataclass(frozen=True)
class Stop:
    """Give up and tell this."""

    fault: Fault


@dataclass(frozen=True)
class Again:
    """Ask again after so many seconds."""

    after_s: float


def next_step(
    effect: Effect, verdict: Verdict, *, attempt: int, nonces_refused: int, now: float, by: float, chance: float
) -> Stop | Again:
    """What follows the `attempt`-th failure (from 1), of which so many were refused nonces; `chance` is below 1."""
    if verdict.move not in {Move.AGAIN, Move.RENONCE} or attempt >= ATTEMPTS_MAX[effect]:
        return Stop(verdict.fault)
    if verdict.move is Move.RENONCE and effect is Effect.READ and nonces_refused > 1:
        return Stop(verdict.fault)
    after_s = verdict.wait_s
    if after_s is None:
        after_s = chance * min(PAUSE_MOST_S, PAUSE_FIRST_S * 2 ** (attempt - 1))
    if now + after_s >= by:
        return Stop(verdict.fault)
    return Again(after_s)


async def persist(
    attempt_once: Callable[[], Awaitable[T | Verdict]], effect: Effect, by: float, clock: Clock, chance: Entropy
) -> T:
    """Repeats `attempt_once` until it answers; raises the last verdict's error when it may not be repeated any more."""
    attempt = nonces_refused = 0
    while True:
        if attempt and clock.monotonic() >= by:
            raise error_of(timed_out(effect))
        answer = await attempt_once()
        if not isinstance(answer, Verdict):
            return answer
        attempt += 1
        nonces_refused += answer.move is Move.RENONCE
        step = next_step(
            effect,
            answer,
            attempt=attempt,
            nonces_refused=nonces_refused,
            now=clock.monotonic(),
            by=by,
            chance=chance.uniform(),
        )
        if isinstance(step, Stop):
            raise error_of(step.fault)
        await clock.sleep(step.after_s)


def timed_out(effect: Effect) -> Fault:
    """Time ran out. READ_TIMEOUT is for reads only; an order whose turn did not come in time was never sent."""
    if effect is Effect.READ:
        return Fault(Reason.READ_TIMEOUT, "Kraken did not answer in the time given")
    if effect in {Effect.ORDER, Effect.AMEND}:
        return Fault(Reason.DEADLINE_TOO_SHORT, f"the {effect.value}'s turn did not come in time: nothing was sent")
    return Fault(Reason.VENUE_UNREACHABLE, "Kraken did not answer in the time given")
