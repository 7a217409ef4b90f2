"""The shapes a field may have, as small values: what validate.py's table is written with.

A rule says in words what is wrong with one value, or None. It knows nothing of other fields, of the market, or of which
request it stands in; rules between fields are in validate.py.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from execsvc.domain import money
from execsvc.domain.ids import client_order_id_problem
from execsvc.rpc.scalars import NS, span_ns

Check = Callable[[Any], str | None]


class WireEnum(Protocol):
    """A generated enum."""

    def values(self) -> Any:
        """Its numbers."""
        ...

    def items(self) -> Any:
        """Its names and numbers."""
        ...


SPELLING_MAX = 32
NAME_MAX = 64
TOKEN_MAX = 1024
PAGE_MAX = 1000
NANOS = range(NS)
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799  # the years 1 to 9999, all a Timestamp may hold
LONGEST_S = 315_576_000_000  # ten thousand years, all a Duration may hold

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}", re.ASCII)
_TXID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", re.ASCII)


@dataclass(frozen=True)
class Rule:
    """One field's rule. `check` judges a value that is there (of a repeated field: the list), `each` one entry."""

    check: Check | None = None
    required: str = ""
    each: Check | None = None

    def needed(self, words: str) -> "Rule":
        """The same rule for a field that may not be left out; the words say what belongs there."""
        return replace(self, required=words)


ANY = Rule()
"""Every value has a meaning here."""


def symbol_problem(text: str) -> str | None:
    """A pair's spelling: its length only; whether it exists is the catalog's to say."""
    if not text:
        return "required: a pair such as BTC/USD"
    return f"a pair has at most {SPELLING_MAX} characters" if len(text) > SPELLING_MAX else None


def short_text(most: int) -> Rule:
    """At most so many characters."""
    return Rule(lambda text: f"at most {most} characters" if len(text) > most else None)


def remark(most: int) -> Rule:
    """Words for a person, on one line that does nothing to a terminal."""

    def check(text: str) -> str | None:
        if len(text) > most or not text.strip() or not text.isprintable():
            return f"1 to {most} characters on one line, with something to read"
        return None

    return Rule(check)


def decimal(*, above_zero: bool = True, signed: bool = False, below: int | None = None) -> Rule:
    """A decimal of the contract's grammar, in bounds."""

    def check(text: str) -> str | None:
        try:
            value = money.parse(text, signed=signed)
        except money.Malformed as problem:
            return str(problem)
        if above_zero and value <= money.ZERO:
            return "must be above 0"
        return None if below is None or abs(value) < below else f"its size must be below {below}"

    return Rule(check)


def choice(kind: WireEnum, refused: tuple[int, ...] = ()) -> Rule:
    """A value the enum has; zero passes unless refused or needed()."""
    allowed = frozenset(kind.values()).difference(refused)

    def check(number: int) -> str | None:
        if number in allowed:
            return None
        known = ", ".join(name for name, value in kind.items() if value and value not in refused)
        return f"unknown value {number}; one of {known}"

    return Rule(check)


def each_choice(kind: WireEnum) -> Rule:
    """A list of values the enum has, none of them unspecified."""
    return Rule(each=choice(kind, (0,)).check)


def symbols(most: int) -> Rule:
    """A list of pairs, each spelling once."""

    def check(texts: Any) -> str | None:
        if len(texts) > most:
            return f"at most {most} symbols"
        return "each symbol once" if len(set(texts)) < len(texts) else None

    return Rule(check, each=symbol_problem)


def at_most(most: int, what: str) -> Rule:
    """A list of at most so many; its entries have rules of their own."""
    return Rule(lambda entries: f"at most {most} {what}" if len(entries) > most else None)


def between(least: int, most: int, what: str) -> Rule:
    """A list of so many; its entries have rules of their own."""
    return Rule(lambda entries: None if least <= len(entries) <= most else f"{least} to {most} {what}")


def number(*, least: int = 0, most: int, zero: bool = True) -> Rule:
    """A whole number from least to most; zero too where it has a meaning of its own."""

    def check(value: int) -> str | None:
        fits = least <= value <= most or (zero and value == 0)
        return None if fits else f"from {least} to {most}{', or 0' if zero and least else ''}"

    return Rule(check)


def one_of(*values: int) -> Rule:
    """One of these numbers; zero is the default."""
    return Rule(
        lambda value: None if value in {0, *values} else f"one of {', '.join(map(str, values))}; 0 means default"
    )


def span(least_s: float, most_s: float) -> Rule:
    """A duration within bounds, well formed."""

    def check(value: Duration) -> str | None:
        if not _well_formed(value):
            return "not a duration: seconds and nanos disagree or are out of range"
        return None if least_s * NS <= span_ns(value) <= most_s * NS else f"from {least_s:g} s to {most_s:g} s"

    return Rule(check)


def span_of(seconds: tuple[int, ...]) -> Rule:
    """One of these durations."""
    minutes = ", ".join(str(each // 60) for each in seconds)

    def check(value: Duration) -> str | None:
        fits = _well_formed(value) and any(span_ns(value) == each * NS for each in seconds)
        return None if fits else f"one of {minutes} minutes"

    return Rule(check)


def _well_formed(value: Duration) -> bool:
    one_sign = value.seconds * value.nanos >= 0
    return one_sign and abs(value.seconds) <= LONGEST_S and abs(value.nanos) in NANOS


def _instant_problem(value: Timestamp) -> str | None:
    fits = FIRST_SECOND <= value.seconds <= LAST_SECOND and value.nanos in NANOS
    return None if fits else "not a time: from year 1 to 9999, nanos from 0 to 999999999"


def _true_only(value: bool) -> str | None:  # noqa: FBT001 - a checked value is handed over by position, whatever its type
    return None if value else "false means nothing here: leave it out"


def _matches(pattern: re.Pattern[str], words: str) -> Rule:
    return Rule(lambda text: None if pattern.fullmatch(text) else words)


SYMBOL = Rule(symbol_problem)
LATER = Rule(lambda _: "a session begins with `open`; this comes after it")
INSTANT = Rule(_instant_problem)
TRUE_ONLY = Rule(_true_only)
NEW_ID = Rule(client_order_id_problem)
REQUEST_ID = _matches(_REQUEST_ID, "1 to 64 characters of A-Z a-z 0-9 . _ : - and a letter or digit first")
KNOWN_ID = _matches(_ID, "1 to 128 characters of A-Z a-z 0-9 . _ : - and a letter or digit first")
TXID = _matches(_TXID, "a Kraken order id, such as OABCDE-12345-FGHIJK")
NAME = short_text(NAME_MAX)
ASSET = short_text(SPELLING_MAX)
TOKEN = short_text(TOKEN_MAX)
PAGE_SIZE = Rule(lambda size: "must not be negative" if size < 0 else None)
HEARTBEAT = span(1, 60)
AGE = span(0, LONGEST_S)
