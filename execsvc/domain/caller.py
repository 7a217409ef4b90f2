"""Who calls and what they may do.

A caller owns the orders placed under its name. Permissions are the contract's words (contract.md section 3). How a caller is
recognised (rpc/callers.py), and which method needs what (rpc/permits.py), is the gate's business.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from types import MappingProxyType

from execsvc.domain.errors import Fault, Reason
from execsvc.domain.market import Side
from execsvc.domain.spec import OrderSpec, OrderType


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
        if self.symbols and spec.symbol not in self.symbols:
            return _not_granted("symbol", spec.symbol, self.symbols, Reason.SYMBOL_NOT_GRANTED)
        if self.sides and spec.side not in self.sides:
            return _not_granted("side", spec.side.value, (each.value for each in self.sides))
        if self.order_types and spec.order_type not in self.order_types:
            return _not_granted("order type", spec.order_type.value, (each.value for each in self.order_types))
        return None


_NOTHING = Grant(frozenset())


@dataclass(frozen=True)
class Caller:
    """A recognised caller. `unbound` are its permissions beyond any account, `default` the account an empty name means.

    credential: which token or certificate it came with, by a name that is no secret; orders belong to `name` alone.
    expires_ns: when what it came with ends, on the wall clock; None: never.
    """

    name: str
    unbound: frozenset[Permission]
    grants: Mapping[str, Grant] = field(default_factory=lambda: MappingProxyType({}))
    default: str = ""
    credential: str = ""
    expires_ns: int | None = None

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

    def may_somewhere(self, permission: Permission) -> bool:
        """Whether the permission is granted on any account."""
        return permission in self.unbound or any(permission in each.permissions for each in self.grants.values())


def alike(name: str, permissions: Iterable[Permission], accounts: tuple[str, ...]) -> Caller:
    """A caller with the same permissions on each account, the first of them its default."""
    all_of_them = frozenset(permissions)
    grants = {account: Grant(all_of_them - UNBOUND) for account in accounts}
    return Caller(name, all_of_them & UNBOUND, MappingProxyType(grants), accounts[0] if accounts else "")


def _not_granted(what: str, given: str, granted: Iterable[str], reason: Reason = Reason.PERMISSION_MISSING) -> Fault:
    words = ", ".join(sorted(granted))
    return Fault(
        reason,
        f"the {what} {given} is not granted to this caller, who may trade {words}; nothing was sent",
        {"permission": Permission.TRADE.value, "granted": words, "id_used": "false"},
    )
