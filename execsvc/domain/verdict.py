"""The fate of an order in doubt, decided from evidence: the proof of a negative (promises.md section 4).

Finding the order settles it at once. "Not placed" needs three facts that cover for one another: a barrier (a later nonce
of the same key was accepted), the entry deadline passed, and two full sweeps that both began after deadline, barrier and
the visibility bound V, the second after the first ended. Collecting the evidence is app/resolver.py's work.
"""

from dataclasses import dataclass

from execsvc.domain.order import VenueOrder


@dataclass(frozen=True)
class EmptySweep:
    """One complete look (open, then closed orders) that did not show the order; ns on our wall clock."""

    began_ns: int
    ended_ns: int


@dataclass(frozen=True)
class Evidence:
    """What is known of one doubt. deadline_ns already includes the uncertainty of Kraken's clock."""

    deadline_ns: int
    visibility_ns: int
    found: VenueOrder | None = None
    barrier_ns: int | None = None
    empty_sweeps: tuple[EmptySweep, ...] = ()


@dataclass(frozen=True)
class Placed:
    """It is (or was) at Kraken."""

    report: VenueOrder


@dataclass(frozen=True)
class NotPlaced:
    """It never reached the engine, and no longer can."""


@dataclass(frozen=True)
class AskAgain:
    """Nothing is proved yet; a sweep that begins at `at_ns` or later can count towards a negative."""

    at_ns: int


Verdict = Placed | NotPlaced | AskAgain


def judge(evidence: Evidence, now_ns: int) -> Verdict:
    """The verdict the evidence allows at `now_ns`. A positive outranks everything."""
    if evidence.found is not None:
        return Placed(evidence.found)
    if evidence.barrier_ns is None:
        return AskAgain(now_ns)
    settled_ns = max(evidence.deadline_ns, evidence.barrier_ns) + evidence.visibility_ns
    counting = sorted((s for s in evidence.empty_sweeps if s.began_ns >= settled_ns), key=lambda s: s.began_ns)
    if counting and any(later.began_ns >= counting[0].ended_ns for later in counting[1:]):
        return NotPlaced()
    return AskAgain(max(settled_ns, now_ns))
