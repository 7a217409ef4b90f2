"""Who calls and what they may do.

A caller owns the orders placed under its name. Permissions are the contract's words (contract.md section 3). How a caller is
recognised, and which method needs what, is the gate's business (rpc/permits.py).
"""

from dataclasses import dataclass
from enum import Enum


class Permission(Enum):
    """market, account, trade, cancel, kill, admin; all but market and admin are granted per account."""

    MARKET = "market"
    ACCOUNT = "account"
    TRADE = "trade"
    CANCEL = "cancel"
    KILL = "kill"
    ADMIN = "admin"


@dataclass(frozen=True)
class Caller:
    """A recognised caller. `accounts` are those it is granted, the first one its default."""

    name: str
    permissions: frozenset[Permission]
    accounts: tuple[str, ...]

    def may(self, permission: Permission) -> bool:
        """Whether the permission is granted."""
        return permission in self.permissions
