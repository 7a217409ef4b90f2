"""Trading modes: what may be done with which orders, and why an order may not go. The kill switch's rules, pure.

A mode is for a scope: everything, or orders of one account that match each of its set fields. Whatever entries match an
order, the strictest of them counts. Cancels are never judged here. Who may set one, and how it lasts, is app/modes.py's and
app/modeskept.py's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from execsvc.domain.errors import Fault, Reason
from execsvc.domain.spec import OrderSpec


class TradingMode(Enum):
    """From free to strict, in that sequence."""

    NORMAL = "normal"
    REDUCE_ONLY = "reduce_only"
    CANCEL_ONLY = "cancel_only"
    HALTED = "halted"

    @property
    def rank(self) -> int:
        """Strictness: 0 is NORMAL."""
        return _RANKS[self]


_RANKS = {mode: rank for rank, mode in enumerate(TradingMode)}
_TAKEN = {
    TradingMode.REDUCE_ONLY: "only reduce_only and full_position orders, without a conditional close",
    TradingMode.CANCEL_ONLY: "no orders, no amends",
    TradingMode.HALTED: "no orders, no amends, open ones are cancelled",
}


@dataclass(frozen=True)
class Scope:
    """Which orders. An empty field means any; `everything` stands alone. A kept entry names its account or is everything."""

    account: str = ""
    caller: str = ""
    symbol: str = ""
    everything: bool = False

    def __str__(self) -> str:
        if self.everything:
            return "everything"
        named = (("account", self.account), ("caller", self.caller), ("symbol", self.symbol))
        return ", ".join(f"{name} {value}" for name, value in named if value)

    def on(self, account: str) -> "Scope":
        """As it is kept for one account that it covers."""
        return self if self.everything else replace(self, account=account)

    def covers(self, account: str, caller: str, symbol: str) -> bool:
        """Whether such an order is in scope."""
        return (
            self.account in {"", account} and self.caller in {"", caller} and self.symbol in {"", symbol}
        ) or self.everything

    def touches(self, account: str, caller: str) -> bool:
        """Whether any order of that caller on that account may be in scope."""
        return self.everything or (self.account in {"", account} and self.caller in {"", caller})


@dataclass(frozen=True)
class ModeEntry:
    """A trading mode in force. set_by: the caller that set it; comment: why, in its words."""

    scope: Scope
    mode: TradingMode
    comment: str
    set_by: str
    set_time_ns: int

    def refusal(self, spec: OrderSpec) -> Fault | None:
        """Why it keeps such an order (or an amend that leads to it) from being sent; None: it may go."""
        if self.mode is TradingMode.NORMAL or (self.mode is TradingMode.REDUCE_ONLY and only_reduces(spec)):
            return None
        return Fault(
            Reason.TRADING_HALTED,
            f"trading is {self.mode.name} for {self.scope} ({_TAKEN[self.mode]}), set by {self.set_by}: {self.comment}; "
            "nothing was sent, cancels pass, and the same id will do once it is lifted",
            {"mode": self.mode.name, "scope": str(self.scope), "comment": self.comment, "id_used": "false"},
        )

    @property
    def cancels_because(self) -> Fault | None:
        """What an order is told that goes because of it; None: it cancels nothing."""
        if self.mode is not TradingMode.HALTED:
            return None
        return Fault(
            Reason.TRADING_HALTED,
            f"trading was {self.mode.name} for {self.scope} by {self.set_by}: {self.comment}",
            {"mode": self.mode.name, "scope": str(self.scope), "comment": self.comment, "by": self.set_by},
        )


def only_reduces(spec: OrderSpec) -> bool:
    """Whether it can but close what is held. A conditional close spawns orders of its own, which may open anew."""
    return (spec.reduce_only or spec.full_position) and spec.conditional_close is None


def strictest(entries: Iterable[ModeEntry]) -> ModeEntry | None:
    """The one that counts: the strictest, of equals the one set first."""
    return min(entries, key=lambda entry: (-entry.mode.rank, entry.set_time_ns), default=None)


def refusal_of(entries: Iterable[ModeEntry], account: str, caller: str, spec: OrderSpec) -> Fault | None:
    """Why the entries in force keep that caller's order from being sent; None: it may go."""
    counting = strictest(entry for entry in entries if entry.scope.covers(account, caller, spec.symbol))
    return None if counting is None else counting.refusal(spec)
