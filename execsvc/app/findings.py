"""What a check tells a person: findings, each with what to do about it.

Values only; what is checked before going live is livecheck.py's.
"""

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """Of a finding; of several, the worst counts. SKIPPED: what it needs could not be had, which is no pass."""

    OK = "ok"
    WARN = "warn"
    SKIPPED = "not looked at"
    FAIL = "FAIL"


_WORSE = tuple(Verdict)


@dataclass(frozen=True)
class Finding:
    """One thing that was found. `about`: the account, pair or file that it is of; empty where it is of all."""

    verdict: Verdict
    what: str
    remedy: str = ""
    about: str = ""


@dataclass(frozen=True)
class Line:
    """Findings under one title."""

    number: int
    title: str
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """That of its worst finding."""
        return max((finding.verdict for finding in self.findings), key=_WORSE.index, default=Verdict.OK)


@dataclass(frozen=True)
class Report:
    """All lines, in order."""

    lines: tuple[Line, ...]

    @property
    def passed(self) -> bool:
        """Nothing refuses, and everything was looked at; a warning is no refusal."""
        return all(line.verdict in {Verdict.OK, Verdict.WARN} for line in self.lines)


def ok(what: str, about: str = "") -> Finding:
    """Nothing is wrong with it."""
    return Finding(Verdict.OK, what, about=about)


def warn(what: str, remedy: str, about: str = "") -> Finding:
    """It works, and should be mended."""
    return Finding(Verdict.WARN, what, remedy, about)


def fail(what: str, remedy: str, about: str = "") -> Finding:
    """It must be mended first."""
    return Finding(Verdict.FAIL, what, remedy, about)
