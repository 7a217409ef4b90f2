"""Rights in words, as tokens and settings write them: `market`, `account:main`, `trade:*` (promises.md section 9).

What they come to depends on which accounts there are: `over` spells `*` out. Rights are only ever narrowed, by one another; a
caller that was recognised has what is left. Who has which rights is not kept here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from types import MappingProxyType

from execsvc.domain import money
from execsvc.domain.caller import UNBOUND, Caller, Grant, Permission

EVERY = "*"
RESERVED = frozenset({"local", "execsvc"})
NO_BOUNDS = Grant(frozenset())
BOUND = frozenset(Permission) - UNBOUND
BUNDLES: Mapping[str, frozenset[Permission]] = MappingProxyType({
    "viewer": frozenset({Permission.MARKET, Permission.ACCOUNT}),
    "signal": frozenset({Permission.MARKET}),
    "trader": frozenset({Permission.MARKET, Permission.ACCOUNT, Permission.TRADE, Permission.CANCEL}),
    "risk": frozenset({Permission.MARKET, Permission.ACCOUNT, Permission.CANCEL, Permission.KILL}),
    "admin": frozenset(Permission),
})  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_BY_WORD = {each.value: each for each in Permission}


@dataclass(frozen=True)
class Rights:
    """What its holder may do. An account named * means every one; `default` is the account that an empty name means."""

    unbound: frozenset[Permission]
    grants: Mapping[str, Grant]
    default: str = ""

    def over(self, accounts: Iterable[str]) -> "Rights":
        """The same with * spelt out. Accounts that are not there fall away; of one account left, it is the default."""
        grants = {name: grant for name in accounts if (grant := self._on(name)) is not None}
        return Rights(self.unbound, MappingProxyType(grants), _default(grants, self.default))

    def narrowed(self, other: "Rights") -> "Rights":
        """What both allow; both are spelt out."""
        shared = {
            name: grant.narrowed(other.grants[name]) for name, grant in self.grants.items() if name in other.grants
        }
        left = {name: grant for name, grant in shared.items() if grant.permissions}
        return Rights(self.unbound & other.unbound, MappingProxyType(left), _default(left, self.default, other.default))

    def words(self) -> tuple[str, ...]:
        """As they are written, those of no account first."""
        free = [each.value for each in Permission if each in self.unbound]
        bound = (
            f"{each.value}:{name}"
            for name in sorted(self.grants)
            for each in Permission
            if each in self.grants[name].permissions
        )
        return (*free, *bound)

    def bounds(self) -> Grant:
        """The bounds that its grants share, without any permission."""
        first = next(iter(self.grants.values()), NO_BOUNDS)
        return replace(first, permissions=frozenset())

    def caller(self, name: str, credential: str, expires_ns: int | None) -> Caller:
        """Whoever holds them, spelt out."""
        return Caller(name, self.unbound, self.grants, self.default, credential, expires_ns)

    def _on(self, account: str) -> Grant | None:
        """Its own grant, with what * adds to it."""
        own, every = self.grants.get(account), self.grants.get(EVERY)
        if own is None or every is None:
            return own or every
        return replace(own, permissions=own.permissions | every.permissions)


def rights_of(words: Iterable[str], bounds: Grant = NO_BOUNDS, default: str = "") -> Rights:
    """The rights that words name; `bounds` are set on each account. Raises ValueError for a word that is none."""
    unbound: set[Permission] = set()
    bound: dict[str, set[Permission]] = {}
    for word in words:
        permission, account = _read(word)
        if account:
            bound.setdefault(account, set()).add(permission)
        else:
            unbound.add(permission)
    if default and default not in bound and EVERY not in bound:
        raise ValueError(f"the default account {default!r} is not among those that are granted")
    grants = {name: replace(bounds, permissions=frozenset(each)) for name, each in bound.items()}
    return Rights(frozenset(unbound), MappingProxyType(grants), default)


def bundle(name: str, accounts: Iterable[str]) -> tuple[str, ...]:
    """The words of a ready-made bundle over these accounts. Raises ValueError for a name that is none."""
    if name not in BUNDLES:
        raise ValueError(f"{name!r} is no bundle: {', '.join(BUNDLES)}")
    return rights_with(BUNDLES[name], accounts).words()


def rights_with(permissions: frozenset[Permission], accounts: Iterable[str]) -> Rights:
    """The same permissions on each account."""
    grants = {account: Grant(permissions - UNBOUND) for account in accounts if permissions - UNBOUND}
    return Rights(permissions & UNBOUND, MappingProxyType(grants))


def name_fault(name: str) -> str:
    """What is wrong with a caller's name; empty: nothing."""
    if not _NAME.fullmatch(name):
        return "a caller's name is 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or digit"
    if name.lower() in RESERVED:
        return f"{name} is the house's own name: choose another"
    return ""


def excess(asked: Rights, most: Rights) -> tuple[str, ...]:
    """In words, everything by which the rights asked for are wider than what may be had; both are spelt out."""
    found = [each.value for each in Permission if each in asked.unbound - most.unbound]
    for account in sorted(asked.grants):
        grant, limit = asked.grants[account], most.grants.get(account, NO_BOUNDS)
        beyond = grant.permissions - limit.permissions
        found += [f"{each.value}:{account}" for each in Permission if each in beyond]
        if Permission.TRADE in grant.permissions & limit.permissions:
            found += [f"{what} on {account}" for what in _wider(grant, limit)]
    return tuple(found)


def _wider(grant: Grant, limit: Grant) -> list[str]:
    found = [
        *_more("pairs", grant.symbols, limit.symbols),
        *_more("sides", {each.value for each in grant.sides}, {each.value for each in limit.sides}),
        *_more("order types", {each.value for each in grant.order_types}, {each.value for each in limit.order_types}),
    ]
    for what, given, most in (
        ("order notional", grant.max_order_notional, limit.max_order_notional),
        ("orders a second", grant.orders_per_s, limit.orders_per_s),
    ):
        if most is not None and (given is None or given > most):
            found.append(f"{what} {'without bound' if given is None else _figure(given)}, at most {_figure(most)}")
    return found


def _more(what: str, given: frozenset[str] | set[str], most: frozenset[str] | set[str]) -> list[str]:
    if not most or (given and given <= most):
        return []
    beyond = ", ".join(sorted(given - most)) if given else "all"
    return [f"{what} {beyond}, at most {', '.join(sorted(most))}"]


def _figure(value: Decimal | int) -> str:
    return money.text(value) if isinstance(value, Decimal) else str(value)


def _default(grants: Mapping[str, Grant], *wanted: str) -> str:
    """The first account wanted that is there, else the only one."""
    return next((name for name in wanted if name in grants), next(iter(grants)) if len(grants) == 1 else "")


def _read(word: str) -> tuple[Permission, str]:
    name, colon, account = word.partition(":")
    permission = _BY_WORD.get(name)
    if permission is None:
        raise ValueError(f"{word!r}: no such permission; there are {', '.join(_BY_WORD)}")
    if permission in UNBOUND and colon:
        raise ValueError(f"{word!r}: {name} belongs to no account; write {name}")
    if permission not in UNBOUND and not (account == EVERY or _NAME.fullmatch(account)):
        raise ValueError(f"{word!r}: {name} is granted on an account; write {name}:NAME, or {name}:* for every one")
    return permission, account
