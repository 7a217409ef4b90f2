"""Who calls and what they may do.

A caller owns the orders placed under its name. Permissions are the contract's words (contract.md section 3). How a caller is
recognised (rpc/callers.py), and which method needs what (rpc/permits.py), is the gate's business.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Protocol, TypeVar

from execsvc.domain.errors import Fault, Reason
from execsvc.domain.market import Side
from execsvc.domain.spec import ConditionalClose, OrderSpec, OrderType

T = TypeVar("T")
N = TypeVar("N", Decimal, int)


class Permission(Enum):
    """market, account, trade, cancel, kill, admin; all but market and admin are granted per account."""

    MARKET = "market"
    ACCOUNT = "account"
    TRADE = "trade"
    CANCEL = "cancel"
    KILL = "kill"
    ADMIN = "admin"


UNBOUND = frozenset({Permission.MARKET, Permission.ADMIN})


@dataclass(frozen=True)
class Grant:
    """What a caller may do on one account. Empty sets of symbols, sides and types mean all.

    max_order_notional is in US dollars, orders_per_s is a rate; None: the grant itself sets no bound. The rules of the
    house count besides: a grant narrows, it never widens.
    """

    permissions: frozenset[Permission]
    symbols: frozenset[str] = frozenset()
    sides: frozenset[Side] = frozenset()
    order_types: frozenset[OrderType] = frozenset()
    max_order_notional: Decimal | None = None
    orders_per_s: int | None = None

    def refusal(self, spec: OrderSpec) -> Fault | None:
        """Why such an order is not the caller's to place; its symbol is canonical. None: it may be."""
        if Permission.TRADE not in self.permissions:
            return _may_not_trade()
        if self.symbols and spec.symbol not in self.symbols:
            return _not_granted("symbol", spec.symbol, self.symbols, Reason.SYMBOL_NOT_GRANTED)
        close = spec.conditional_close
        own = self._refused(spec.side, spec.order_type)
        return own if own is not None or close is None else self._refused_close(spec.side, close)

    def _refused_close(self, side: Side, close: ConditionalClose) -> Fault | None:
        """What each fill would place is an order as well, and no more the caller's to place than one of its own."""
        other = Side.SELL if side is Side.BUY else Side.BUY
        return self._refused(other, close.order_type, " of its conditional close")

    def _refused(self, side: Side, order_type: OrderType, of_what: str = "") -> Fault | None:
        if self.sides and side not in self.sides:
            return _not_granted("side", f"{side.value}{of_what}", (each.value for each in self.sides))
        if self.order_types and order_type not in self.order_types:
            return _not_granted("order type", f"{order_type.value}{of_what}", (each.value for each in self.order_types))
        return None

    def narrowed(self, other: "Grant") -> "Grant":
        """What both allow. Where they have nothing in common to trade, `trade` itself goes: an empty set would mean all."""
        symbols, sides, types = (
            _common(self.symbols, other.symbols),
            _common(self.sides, other.sides),
            _common(self.order_types, other.order_types),
        )
        disjoint = symbols is None or sides is None or types is None
        return Grant(
            (self.permissions & other.permissions) - (_TRADE if disjoint else frozenset()),
            self.symbols if symbols is None else symbols,
            self.sides if sides is None else sides,
            self.order_types if types is None else types,
            _least(self.max_order_notional, other.max_order_notional),
            _least(self.orders_per_s, other.orders_per_s),
        )


_NOTHING = Grant(frozenset())
_TRADE = frozenset({Permission.TRADE})


class Recogniser(Protocol):
    """Who recognised a caller, and can tell what became of it since."""

    def still(self, who: "Caller") -> "Caller":
        """Who comes by that now, with the rights it has now. Raises TOKEN_INVALID where nobody does any more."""
        ...


@dataclass(frozen=True)
class Caller:
    """A recognised caller. `unbound` are its permissions beyond any account, `default` the account an empty name means.

    credential: which token or certificate it came with, by a name that is no secret; orders belong to `name` alone.
    expires_ns: when what it came with ends, on the wall clock; None: never. recogniser: None: it stays who it is.
    """

    name: str
    unbound: frozenset[Permission]
    grants: Mapping[str, Grant] = field(default_factory=lambda: MappingProxyType({}))
    default: str = ""
    credential: str = ""
    expires_ns: int | None = None
    recogniser: Recogniser | None = field(default=None, repr=False, compare=False)

    def now(self) -> "Caller":
        """Who it is by now. Raises TOKEN_INVALID where what it came with is of no use any more."""
        return self if self.recogniser is None else self.recogniser.still(self)

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts it is granted, the default one first."""
        return tuple(sorted(self.grants, key=lambda name: (name != self.default, name)))

    def grant(self, account: str) -> Grant:
        """What it may do there: nothing on an account it was not granted."""
        return self.grants.get(account, _NOTHING)

    def may(self, permission: Permission, account: str) -> bool:
        """Whether the permission is granted, on that account where it is bound to one."""
        return permission in (self.unbound if permission in UNBOUND else self.grant(account).permissions)

    def lost_to(self, other: "Caller", account: str) -> frozenset[Permission]:
        """Which of its permissions on the account, and beyond any account, the other one lacks."""
        return (self.unbound - other.unbound) | (self.grant(account).permissions - other.grant(account).permissions)

    def may_somewhere(self, permission: Permission) -> bool:
        """Whether the permission is granted on any account."""
        return permission in self.unbound or any(permission in each.permissions for each in self.grants.values())


def alike(name: str, permissions: Iterable[Permission], accounts: tuple[str, ...]) -> Caller:
    """A caller with the same permissions on each account, the first of them its default."""
    all_of_them = frozenset(permissions)
    grants = {account: Grant(all_of_them - UNBOUND) for account in accounts}
    return Caller(name, all_of_them & UNBOUND, MappingProxyType(grants), accounts[0] if accounts else "")


def _common(one: frozenset[T], other: frozenset[T]) -> frozenset[T] | None:
    """What both sets name, an empty one naming everything; None: nothing."""
    if not one or not other:
        return one or other
    return one & other or None


def _least(one: N | None, other: N | None) -> N | None:
    given = [each for each in (one, other) if each is not None]
    return min(given, default=None)


def _may_not_trade() -> Fault:
    word = Permission.TRADE.value
    return Fault(
        Reason.PERMISSION_MISSING,
        f"this caller may not {word} on this account; nothing was sent",
        {"permission": word, "id_used": "false"},
    )


def _not_granted(what: str, given: str, granted: Iterable[str], reason: Reason = Reason.PERMISSION_MISSING) -> Fault:
    words = ", ".join(sorted(granted))
    return Fault(
        reason,
        f"the {what} {given} is not granted to this caller, who may trade {words}; nothing was sent",
        {"permission": Permission.TRADE.value, "granted": words, "id_used": "false"},
    )
