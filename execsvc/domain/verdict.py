"""The fate of an order in doubt, decided from evidence: the proof of a negative (promises.md section 4).

Finding the order settles it at once. "Not placed" needs three facts that cover for one another: a barrier (a later nonce
of the same key was accepted), the entry deadline passed, and two full sweeps, the first begun V (the visibility bound) after
both, the second V after the first ended. The first V is for an order that got in at the last moment and does not show yet,
the second for one that was just leaving the open orders for the closed ones and showed in neither. Collecting the evidence
is app/resolver.py's work. Instants are monotonic seconds of this process: a wall clock that is set hastens no verdict.
"""

from dataclasses import dataclass, replace

from execsvc.domain.order import VenueOrder


@dataclass(frozen=True)
class EmptySweep:
    """One complete look (open, then closed orders) that did not show the order."""

    began: float
    ended: float


@dataclass(frozen=True)
class Evidence:
    """What is known of one doubt. `deadline` already includes the uncertainty of Kraken's clock."""

    deadline: float
    visibility_s: float
    found: VenueOrder | None = None
    barrier: float | None = None
    empty_sweeps: tuple[EmptySweep, ...] = ()

    @property
    def counts_from(self) -> float | None:
        """When a sweep must begin at the earliest to count towards a negative; None before there is a barrier."""
        return None if self.barrier is None else max(self.deadline, self.barrier) + self.visibility_s

    def with_barrier(self, at: float) -> "Evidence":
        """A later nonce of the key was accepted by `at`; the first such moment stays."""
        return self if self.barrier is not None else replace(self, barrier=at)

    def with_sweep(self, sweep: EmptySweep) -> "Evidence":
        """One more look without a find. Looks that began too early can never count: forgetting them bounds the evidence."""
        since = self.counts_from
        kept = tuple(each for each in (*self.empty_sweeps, sweep) if since is None or each.began >= since)
        return replace(self, empty_sweeps=(*kept[:1], *kept[1:][-1:]))


@dataclass(frozen=True)
class Placed:
    """It is (or was) at Kraken."""

    report: VenueOrder


@dataclass(frozen=True)
class NotPlaced:
    """It never reached the engine, and no longer can."""


@dataclass(frozen=True)
class AskAgain:
    """Nothing is proved yet; a sweep that begins at `at` or later can count towards a negative."""

    at: float


Verdict = Placed | NotPlaced | AskAgain


def judge(evidence: Evidence, now: float) -> Verdict:
    """The verdict the evidence allows at `now`. A positive outranks everything."""
    if evidence.found is not None:
        return Placed(evidence.found)
    since = evidence.counts_from
    if since is None:
        return AskAgain(now)
    counting = sorted((sweep for sweep in evidence.empty_sweeps if sweep.began >= since), key=lambda each: each.ended)
    if counting:
        since = counting[0].ended + evidence.visibility_s
        if any(later.began >= since for later in counting[1:]):
            return NotPlaced()
    return AskAgain(max(since, now))
