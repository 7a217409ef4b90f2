"""Planted bugs of what is done to many orders, and to one again: amends, batches, cancels of many, switches, lost streams.

The same rules as in bugs.py: each a small change of the engine's own classes, and what must see it.
"""

from execsvc.app import amenddoubts as amends_room
from execsvc.app import masscancels as mass_room
from execsvc.app.deadman import DeadMan
from execsvc.app.desk import Desk
from execsvc.app.disconnects import Disconnects
from execsvc.app.masscancels import MassCancels
from execsvc.app.outside import Outside
from execsvc.domain.errors import Reason, refuse
from execsvc.domain.spec import OrderSpec
from execsvc.domain.verdict import NotPlaced
from execsvc.kraken.amending import Amending
from execsvc.kraken.batching import BatchPlacing
from execsvc.kraken.massacts import MassActs
from execsvc.ports import AmendUnknown
from tests.sim.planted.bug import Bug


def amend_sent_twice():
    """No answer to an amend: the same once more, under a new nonce."""
    real = Amending._once

    async def once(self, what, by, forbidden, note):
        outcome = await real(self, what, by, forbidden, note)
        return await real(self, what, by, forbidden, note) if isinstance(outcome, AmendUnknown) else outcome

    return [(Amending, "_once", once)]


def amend_believed_absent():
    """One look at the order's amends that does not show it is enough, whatever may still be on its way."""
    return [(amends_room, "judge", lambda _, __: NotPlaced())]


def answer_of_the_neighbour():
    """The rows of a batch's answer are taken in another sequence than they were asked in."""
    real = BatchPlacing._each

    async def each(self, answer, orders, instrument):
        return (await real(self, answer, orders, instrument))[::-1]

    return [(BatchPlacing, "_each", each)]


def clear_skips_what_is_placed():
    """A cancel of all looks at open orders only: one that is being placed meanwhile is not among them."""
    return [(mass_room, "UNRESOLVED", frozenset())]


def wishes_unwritten():
    """A cancel of many writes no wishes down: what the one call does not end stays."""

    async def wish(self, order):
        return order

    return [(MassCancels, "_wish", wish)]


def switch_forgotten():
    """A dead man's switch is not read back when the service starts anew."""

    async def load(self):
        """Nothing of the last life."""

    return [(DeadMan, "load", load)]


def switch_set_once():
    """A switch that is set again goes off at the time of its first setting."""
    real = DeadMan._keep

    async def keep(self, switches, caller, timeout_s):
        before = switches.get(caller)
        await real(self, switches, caller, timeout_s)
        if timeout_s and before is not None:
            switches[caller] = before

    return [(DeadMan, "_keep", keep)]


def timer_left_armed():
    """Kraken's timer is not taken off: a timeout of 0 is kept here and not sent."""
    real = MassActs.cancel_all_after

    async def cancel_all_after(self, timeout_s, by, caller):
        return await real(self, timeout_s, by, caller) if timeout_s else None

    return [(MassActs, "cancel_all_after", cancel_all_after)]


def lost_stream_forgiven():
    """A stream that was lost is taken as one that is back."""

    async def after_grace(self, name, lost):
        """Nobody's orders go."""

    return [(Disconnects, "_after_grace", after_grace)]


def cancelled_without_grace():
    """Orders go at once when a stream is lost, although the next one would be back in time."""

    async def after_grace(self, name, lost):
        await self._carried_out(name, lost)

    return [(Disconnects, "_after_grace", after_grace)]


def hands_unseen():
    """Orders that a person placed are not taken into the journal."""

    async def adopted(self, report):
        """None of ours."""

    return [(Outside, "_adopted", adopted)]


def change_unheard():
    """What Kraken shows of an order's figures is not taken over."""
    return [(OrderSpec, "amended", lambda self, _: self)]


def cancel_needs_an_open_desk():
    """While no orders are taken, no cancel is."""
    real = Desk.cancellable

    async def cancellable(self, who, ref):
        if self.closed_because is not None or self._sender.forbids() is not None:
            raise refuse(Reason.TRADING_HALTED, "no orders are taken")
        return await real(self, who, ref)

    return [(Desk, "cancellable", cancellable)]


_AMEND_WRONG = frozenset({"amend.negative", "amend.end"})
_SWITCH = frozenset({"switch.left"})
_UNCALLED = frozenset({"cancel.uncalled"})
MANY = (
    Bug(18, "amend signed again on time-out", amend_sent_twice, frozenset({"amend.once"}), shown_by=6),
    Bug(19, "amend told as not applied after one look", amend_believed_absent, _AMEND_WRONG, shown_by=44),
    Bug(
        20,
        "answer of a batch's row given to its neighbour",
        answer_of_the_neighbour,
        frozenset({"P2.positive"}),
        shown_by=6,
    ),
    Bug(
        21,
        "cancel of all skips what is being placed",
        clear_skips_what_is_placed,
        frozenset({"clear.left"}),
        shown_by=157,
    ),
    Bug(
        22,
        "cancel of many without wishes in the journal",
        wishes_unwritten,
        frozenset({"clear.left", "switch.left"}),
        shown_by=198,
    ),
    Bug(23, "dead man's switch forgotten on restart", switch_forgotten, _SWITCH, shown_by=69),
    Bug(24, "dead man's switch not put off when set again", switch_set_once, _UNCALLED, shown_by=19),
    Bug(25, "Kraken's timer not taken off", timer_left_armed, _UNCALLED, shown_by=34),
    Bug(26, "lost stream forgiven", lost_stream_forgiven, frozenset({"lost.left"}), shown_by=19),
    Bug(27, "lost stream not waited for", cancelled_without_grace, _UNCALLED, shown_by=19),
    Bug(28, "orders placed by hand not taken in", hands_unseen, frozenset({"ledger.outside"}), shown_by=1),
    Bug(29, "changes by hand not taken over", change_unheard, frozenset({"ledger.figures"}), shown_by=1),
    Bug(
        30,
        "cancels refused while no orders are taken",
        cancel_needs_an_open_desk,
        frozenset({"cancel.blocked"}),
        shown_by=37,
    ),
)
