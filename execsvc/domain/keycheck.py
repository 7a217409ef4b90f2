"""What an API key should and must not be able to do. Pure: facts in, problems out (promises.md sections 5 and 9).

A withdrawal right or a nonce window above zero is refused without an override: the first is never needed here, the second
takes away the barrier that proves an order was not placed. What may be done better (an address list, a successor in time,
fewer rights) is said and not insisted on. When the key is looked at, and who hears of it, is app/keywatch.py's business.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from execsvc.domain.account import KeyFacts

# As GetApiKeyInfo names them, and what Kraken's page for making keys calls them (kraken.md 1).
NEEDED = {
    "query-funds": "Query (Funds)",
    "query-open-trades": "Query open orders & trades",
    "query-closed-trades": "Query closed orders & trades",
    "modify-trades": "Create & modify orders",
    "close-trades": "Cancel & close orders",
    "create-ws-token": "WebSocket interface",
}
FORBIDDEN = ("withdraw-funds",)
HARMLESS = frozenset({*NEEDED, "query-ledger"})
SOON_DAYS = 14
_DAY_NS = 86_400 * 10**9


@dataclass(frozen=True)
class KeyProblem:
    """One finding; `fatal` means the key must not be used to trade."""

    fatal: bool
    what: str


def problems(facts: KeyFacts, now_ns: int, *, real_money: bool = False) -> tuple[KeyProblem, ...]:
    """Every finding, fatal ones first. real_money: also what only matters for a key that others would like to have."""
    found = [
        *(KeyProblem(fatal=True, what=f"it may {name}: make a key without that right")
          for name in FORBIDDEN if name in facts.permissions),
        *_window(facts),
        *_expiry(facts, now_ns),
        *(KeyProblem(fatal=True, what=f"it lacks the permission {name} (at Kraken: {label})")
          for name, label in NEEDED.items() if name not in facts.permissions),
        *(KeyProblem(fatal=False, what=f"it has the permission {name}, which is not needed here")
          for name in sorted(facts.permissions - HARMLESS - set(FORBIDDEN))),
        *_addresses(facts, real_money=real_money),
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda problem: not problem.fatal))


def days_left(valid_until_ns: int, now_ns: int) -> float:
    """Until the key expires; below zero afterwards."""
    return (valid_until_ns - now_ns) / _DAY_NS


def _window(facts: KeyFacts) -> tuple[KeyProblem, ...]:
    if facts.nonce_window is None:
        return (KeyProblem(fatal=False, what="Kraken did not tell its nonce window; it must be 0"),)
    if facts.nonce_window:
        return (KeyProblem(fatal=True, what=f"its nonce window is {facts.nonce_window}; set it to 0"),)
    return ()


def _expiry(facts: KeyFacts, now_ns: int) -> tuple[KeyProblem, ...]:
    """Counted in whole days, so that the words change once a day: who tells what is new repeats it daily."""
    if facts.valid_until_ns is None:
        return ()
    left = days_left(facts.valid_until_ns, now_ns)
    if left <= 0:
        return (KeyProblem(fatal=True, what="it has expired: make a new one"),)
    if left > SOON_DAYS:
        return ()
    day = datetime.fromtimestamp(facts.valid_until_ns // 10**9, UTC)
    when = {0: "in less than a day", 1: "in 1 day"}.get(int(left), f"in {int(left)} days")
    return (KeyProblem(fatal=False, what=f"it expires {when}, on {day:%Y-%m-%d at %H:%M} UTC: make its successor"),)


def _addresses(facts: KeyFacts, *, real_money: bool) -> tuple[KeyProblem, ...]:
    if facts.ip_allowlist or not real_money:
        return ()
    return (KeyProblem(fatal=False, what="it works from any address: give it an IP address list at Kraken"),)
