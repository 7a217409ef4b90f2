"""What an API key should and must not be able to do. Pure: facts in, problems out (promises.md sections 5 and 9).

A withdrawal right or a nonce window above zero is refused without an override: the first is never needed here, the second
takes away the barrier that proves an order was not placed.
"""

from dataclasses import dataclass

from execsvc.domain.account import KeyFacts

NEEDED = ("query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "create-ws-token")
CANCELS = frozenset({"modify-trades", "close-trades"})
FORBIDDEN = ("withdraw-funds",)
HARMLESS = frozenset({*NEEDED, *CANCELS, "query-ledger"})


@dataclass(frozen=True)
class KeyProblem:
    """One finding; `fatal` means the key must not be used to trade."""

    fatal: bool
    what: str


def problems(facts: KeyFacts, now_ns: int) -> tuple[KeyProblem, ...]:
    """Every finding, fatal ones first."""
    found = [
        *(KeyProblem(fatal=True, what=f"it may {name}: make a key without that right")
          for name in FORBIDDEN if name in facts.permissions),
        *_window(facts),
        *_expiry(facts, now_ns),
        *(KeyProblem(fatal=True, what=f"it lacks the permission {name}")
          for name in NEEDED if name not in facts.permissions),
        *(KeyProblem(fatal=False, what=f"it has the permission {name}, which is not needed here")
          for name in sorted(facts.permissions - HARMLESS - set(FORBIDDEN))),
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda problem: not problem.fatal))


def _window(facts: KeyFacts) -> tuple[KeyProblem, ...]:
    if facts.nonce_window is None:
        return (KeyProblem(fatal=False, what="Kraken did not tell its nonce window; it must be 0"),)
    if facts.nonce_window:
        return (KeyProblem(fatal=True, what=f"its nonce window is {facts.nonce_window}; set it to 0"),)
    return ()


def _expiry(facts: KeyFacts, now_ns: int) -> tuple[KeyProblem, ...]:
    if facts.valid_until_ns is not None and facts.valid_until_ns <= now_ns:
        return (KeyProblem(fatal=True, what="it has expired"),)
    return ()
