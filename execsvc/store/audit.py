"""The audit chain: every journal entry of an account carries a hash over itself and the one before it (promises.md P8).

The journal is the audit log: an intent and all that became of it are chained in the commit that writes them. A changed,
missing, added or swapped entry breaks the chain; a cut end is told by the head, which is kept apart from the entries.
Whoever can rewrite the whole file can rewrite the chain: only a head that was copied elsewhere proves more.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Mark:
    """A place in a chain: the sequence of an entry, and its hash."""

    sequence: int
    hash: bytes


@dataclass(frozen=True)
class Record:
    """An entry as it was written; `body` is the canonical JSON of records.py."""

    sequence: int
    epoch: int
    at_ns: int
    kind: str
    body: str
    hash: bytes


def origin(journal_id: str, account: str) -> Mark:
    """The mark before the first entry: no two accounts and no two journals begin alike."""
    return Mark(0, hashlib.sha256(f"execsvc journal\n{journal_id}\n{account}".encode()).digest())


def link(before: Mark, epoch: int, at_ns: int, kind: str, body: str) -> Record:
    """The record that follows `before`: hash = SHA-256(hash before ‖ everything else of it)."""
    sequence = before.sequence + 1
    return Record(sequence, epoch, at_ns, kind, body, _hash(before.hash, sequence, epoch, at_ns, kind, body))


def verify(before: Mark, records: Iterable[Record], head: Mark) -> tuple[str, ...]:
    """Every flaw from `before` to `head`, in words; empty when the chain is whole. Records come in order, read once."""
    return tuple(flaws(before, records, head))


def flaws(before: Mark, records: Iterable[Record], head: Mark) -> Iterator[str]:
    """The same one by one, while the records are read: a journal need not fit into memory, nor need its flaws."""
    at = before
    for record in records:
        if record.sequence != at.sequence + 1:
            yield f"entry {at.sequence} is followed by {record.sequence}: entries are missing or misplaced"
        expected = _hash(at.hash, record.sequence, record.epoch, record.at_ns, record.kind, record.body)
        if record.hash != expected:
            yield f"entry {record.sequence} was changed, or does not belong after the one before it"
        at = Mark(record.sequence, record.hash)
    if at != head:
        yield f"the journal ends at entry {at.sequence}, its head says {head.sequence}: its end was changed"


def text_in(raw: bytes) -> str:
    """A text as a file has it, for who checks it: bytes that are no Unicode stay what they are and are hashed as such."""
    return raw.decode(errors="surrogateescape")


def printable(text: str) -> str:
    """Such a text for people: every byte that is no Unicode as its number."""
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _hash(before: bytes, sequence: int, epoch: int, at_ns: int, kind: str, body: str) -> bytes:
    text = f"{sequence} {epoch} {at_ns} {kind}\n{body}"
    return hashlib.sha256(before + text.encode(errors="surrogateescape")).digest()
