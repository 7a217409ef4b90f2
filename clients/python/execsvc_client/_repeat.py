"""When to repeat, decided without waiting: after how long, or not at all.

Two policies. `Attempts`: a call that changes something got an error that is not execsvc's own; the same
request with the same id is then the remedy, and it is always safe. `Backoff`: a stream ended and is opened again. The
retries of retry.json (UNAVAILABLE, RESOURCE_EXHAUSTED with the server's pushback) lie below both, in gRPC itself.
"""

import grpc

from execsvc_client._chance import jitter
from execsvc_client._errors import (
    ExecsvcError,
    Facts,
    LiveRefused,
    NotAllowed,
    NotOffered,
    OutcomeUnknown,
    ServerFault,
    Throttled,
    Unavailable,
)

REPEATS = 3
FIRST_WAIT = 0.1
LEAST_ATTEMPT = 0.25  # seconds; with less left an attempt could not come back anyway

_TIME_IS_UP = frozenset({grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED})
_SAME_NO_AGAIN = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})  # of a proxy


def after_lost_answer(error: ExecsvcError, repeats: int, left: float) -> float | None:
    """Seconds to wait before the same request goes again; None when it must not or need not.

    `repeats` counts those already made, `left` is what remains of the caller's time, in seconds.
    """
    if not isinstance(error, OutcomeUnknown) or error.code in _TIME_IS_UP | _SAME_NO_AGAIN or repeats >= REPEATS:
        return None
    wait = jitter(FIRST_WAIT * 2**repeats)
    return wait if wait + LEAST_ATTEMPT <= left else None


class Attempts:
    """One call's attempts within one time limit, and what may be said after one of them was lost.

    A lost attempt may still have arrived. So when a later one fails for a reason that says nothing about the order
    (nobody there, no permission), the outcome stays unknown: only an answer from the gateway's journal ends the doubt.
    """

    def __init__(self, timeout: float, now: float) -> None:
        if timeout <= 0:
            raise ValueError(f"timeout is {timeout}: give the call some seconds")
        self._by = now + timeout
        self._repeats = 0
        self._lost: OutcomeUnknown | None = None

    def left(self, now: float) -> float:
        """Seconds left for the next attempt. Raises when there are none."""
        left = self._by - now
        if left <= 0:
            raise self._lost or Unavailable(
                Facts(grpc.StatusCode.DEADLINE_EXCEEDED, "no time was left to send it: nothing was sent")
            )
        return left

    def next(self, error: ExecsvcError, now: float) -> float:
        """Seconds to wait before the next attempt. Raises the error, or the earlier loss, when there is none."""
        wait = after_lost_answer(error, self._repeats, self._by - now)
        if wait is None:
            speaks_of_the_order = error.id_used is True or not isinstance(error, SILENT_ON_THE_ORDER)
            raise error if self._lost is None or speaks_of_the_order else self._lost
        if isinstance(error, OutcomeUnknown):
            self._lost = error
        self._repeats += 1
        return wait


SILENT_ON_THE_ORDER = (Unavailable, NotAllowed, NotOffered, ServerFault, LiveRefused)


class Backoff:
    """How long to wait before a stream is opened again: doubling, jittered, from 0.1 s to 5 s."""

    LONGEST = 5.0

    def __init__(self) -> None:
        self.attempts = 0

    def succeeded(self) -> None:
        """The stream is open: the next loss starts from the shortest wait."""
        self.attempts = 0

    def after(self, error: ExecsvcError) -> float | None:
        """Seconds to wait; None when opening it again cannot help and the error is the caller's to see."""
        if error.reason == "SLOW_CONSUMER":
            return 0.0
        if not _passes(error):
            return None
        wait = jitter(min(self.LONGEST, FIRST_WAIT * 2 ** min(self.attempts, 10)))
        self.attempts += 1
        return max(wait, error.retry_after or 0.0)


def _passes(error: ExecsvcError) -> bool:
    """Whether what ended the stream passes by itself."""
    if isinstance(error, Unavailable):
        return True
    if isinstance(error, Throttled):
        return error.retry_after is not None or not error.reason
    return not error.reason and error.code in {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL}
