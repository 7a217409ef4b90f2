"""What has left for Kraken and is not answered yet: orders and amends, by whose they are and of which pair.

Both senders tell it; a halt asks it before it is answered, so that nothing in its scope is on its way by then.
"""

from collections.abc import Hashable, Iterable

from execsvc.domain.ids import OrderKey
from execsvc.domain.modes import Scope


class OnTheWire:
    """Of one account."""

    def __init__(self) -> None:
        self._sent: dict[Hashable, tuple[str, frozenset[str], str]] = {}

    def __repr__(self) -> str:
        return f"<OnTheWire {len(self._sent)}>"

    def leaves(self, what: Hashable, order: OrderKey, symbol: str, *, by: str = "") -> None:
        """`what`, an order or an amend of one, is being sent; by: the caller that amends, the order's own or another."""
        self._sent[what] = (order.account, frozenset({order.caller, by or order.caller}), symbol)

    def answered(self, whats: Iterable[Hashable]) -> None:
        """They are answered, or were never sent, or nobody waits for the answer any more."""
        for what in whats:
            self._sent.pop(what, None)

    def holds(self, scope: Scope) -> bool:
        """Whether anything in scope is on its way."""
        return any(
            scope.covers(account, caller, symbol)
            for account, callers, symbol in self._sent.values()
            for caller in callers
        )
