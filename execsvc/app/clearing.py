"""Who may cancel many orders at once, and what each of them is answered.

How it is done is app/masscancels.py's. No mode, no limit and no full counter stands in the way of it.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager
from enum import Enum

from execsvc.app.cancels import Unremembered
from execsvc.app.catalog import Catalog
from execsvc.app.desk import Desk
from execsvc.app.disconnects import Disconnects
from execsvc.app.masscancels import MassCancels, Reach, Swept
from execsvc.domain.caller import Caller, Permission
from execsvc.domain.ending import by_lost_stream
from execsvc.domain.errors import Busy, ExecsvcError, Fault, Reason, refuse
from execsvc.domain.ids import OrderRef
from execsvc.domain.order import Order

CancelResult = Order | Unremembered | Fault


class Whose(Enum):
    """OrderScope of the contract."""

    OWN = "own"
    ALL_CALLERS = "all_callers"
    ACCOUNT = "account"


class Clearing:
    """Many cancels of one account, by right."""

    def __init__(self, *, desk: Desk, mass: MassCancels, catalog: Catalog, disconnects: Disconnects) -> None:
        self._desk = desk
        self._mass = mass
        self._catalog = catalog
        self._disconnects = disconnects

    async def cancel(self, who: Caller, refs: Sequence[OrderRef], by: float) -> tuple[CancelResult, ...]:
        """An answer for each, in sequence: the order as it stands, or why it could not be cancelled."""
        found = await asyncio.gather(*(self._found(who, ref, by) for ref in refs))
        orders = {each.key: each for each in found if isinstance(each, Order)}
        ended = await self._mass.cancel(tuple(orders.values()), by, caller=who.name)
        now = dict(zip(orders, ended, strict=True))
        return tuple(now[each.key] if isinstance(each, Order) else each for each in found)

    async def clear(self, who: Caller, whose: Whose, symbol: str, by: float) -> Swept:
        """All of them in scope; an empty symbol means every one. Others' need `kill`."""
        if whose is not Whose.OWN:
            demand_kill(who, self._desk.account, "cancelling orders of others")
        symbol = self._catalog.instrument(symbol).symbol if symbol else ""
        if whose is Whose.ACCOUNT and not symbol:
            return await self._mass.clear_account(by, caller=who.name)
        caller = who.name if whose is Whose.OWN else None
        return await self._mass.sweep(Reach(caller, symbol, account=whose is Whose.ACCOUNT), by, caller=who.name)

    def when_lost(self, who: Caller) -> AbstractContextManager[None]:
        """For the length of a stream: the caller's open orders go when it is lost and none like it is back in time."""

        async def lost() -> None:
            why = by_lost_stream(who.name)
            await self._mass.sweep(Reach(who.name), self._mass.soon(), caller=who.name, why=why)

        return self._disconnects.attached(f"orders of {who.name}", lost)

    async def _found(self, who: Caller, ref: OrderRef, by: float) -> CancelResult:
        try:
            return await self._desk.cancellable(who, ref)
        except Busy:
            return await self._blind(who, ref, by)
        except ExecsvcError as refusal:
            return refusal.fault

    async def _blind(self, who: Caller, ref: OrderRef, by: float) -> CancelResult:
        """The store cannot be read: as a single cancel then goes."""
        try:
            return await self._desk.cancel(who, ref, by)
        except ExecsvcError as refusal:
            return refusal.fault


def demand_kill(who: Caller, account: str, what: str) -> None:
    """Raises PERMISSION_MISSING."""
    if not who.may(Permission.KILL, account):
        raise refuse(Reason.PERMISSION_MISSING, f"{what} needs the permission kill", permission=Permission.KILL.value)
