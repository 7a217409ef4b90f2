"""Planted bugs of the kill switch: modes that are not asked, not kept, not carried out, or that stand in a cancel's way.

The same rules as in bugs.py: each a small change of the engine's own classes, and what must see it.
"""

from execsvc.app.desk import Desk
from execsvc.app.modeskept import AccountModes
from execsvc.app.switch import Switch
from execsvc.domain.errors import error_of
from execsvc.store.memory import MemoryStore
from tests.sim.planted.bug import Bug


def mode_not_asked_again():
    """An order that was checked goes, whatever was set while it waited for its turn."""
    return [(Switch, "last_word", lambda *_: None)]


def mode_unwritten():
    """A mode lives in the process's memory only."""

    async def set_mode(self, account, entry, now_ns):
        """Nothing is written."""

    return [(MemoryStore, "set_mode", set_mode)]


def halt_blocks_cancels():
    """Who may not place may not cancel."""
    real = Desk.cancellable

    async def cancellable(self, who, ref):
        order = await real(self, who, ref)
        fault = self._switch.refusal(order.key.caller, order.spec)
        if fault is not None:
            raise error_of(fault)
        return order

    return [(Desk, "cancellable", cancellable)]


def halt_cancels_nothing():
    """A halt takes no more orders, and leaves those that are open."""

    async def cancelled(self, scope, caller):
        return 0

    return [(AccountModes, "_cancelled", cancelled)]


def lifted_all_at_once():
    """Whoever lifts one mode lifts every one."""
    real = AccountModes._lifted

    async def lifted(self, entry, before):
        fault = await real(self, entry, before)
        self._entries.clear()
        return fault

    return [(AccountModes, "_lifted", lifted)]


_SENT = frozenset({"halt.sent"})
HALTS = (
    Bug(31, "mode not asked again before sending", mode_not_asked_again, _SENT, shown_by=130),
    Bug(32, "mode not durable", mode_unwritten, _SENT, shown_by=3),
    Bug(33, "halt blocks cancels", halt_blocks_cancels, frozenset({"cancel.blocked"}), shown_by=64),
    Bug(34, "halt cancels nothing", halt_cancels_nothing, frozenset({"clear.left"}), shown_by=63),
    Bug(35, "one mode lifted lifts all", lifted_all_at_once, _SENT, shown_by=9),
)
