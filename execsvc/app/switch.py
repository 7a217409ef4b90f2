"""Whether new orders are taken, and if not, why. Cancels never ask here.

Causes come and go by name (starting, a key that wants looking at); one kind stays: a halt, which is durable and ends only
when a person clears it by its id. Beside them stand the trading modes (app/modeskept.py) and the mode of the venue: one
question is asked of all of them.
"""

import hashlib
import json
from collections.abc import Callable

from execsvc.app.modeskept import AccountModes
from execsvc.app.onthewire import OnTheWire
from execsvc.domain.errors import Busy, Fault, Reason
from execsvc.domain.market import VenueMode
from execsvc.domain.spec import OrderSpec
from execsvc.ports import Clock, Facts, Tasks

HALT = "halt"
STORE_AGAIN_S = 1.0

Alarm = Callable[[str], None]


class Switch:
    """The causes that keep one account's desk closed; `venue_mode` is what the venue says of itself, set by the house.

    modes: the account's trading modes, restored with the halt; None: there are none. wire: what was let go last of all.
    """

    def __init__(
        self,
        account: str,
        facts: Facts,
        clock: Clock,
        tasks: Tasks,
        alarm: Alarm,
        *,
        modes: AccountModes | None = None,
        wire: OnTheWire | None = None,
    ) -> None:
        self._account = account
        self._facts = facts
        self._clock = clock
        self._tasks = tasks
        self._alarm = alarm
        self._modes = modes
        self._causes: dict[str, Fault] = {}
        self._halts = 0
        self.wire = OnTheWire() if wire is None else wire
        self.venue_mode: Callable[[], VenueMode | None] = _unknown

    def __repr__(self) -> str:
        return f"<Switch {self._account} {'closed by ' + ', '.join(self._causes) if self._causes else 'open'}>"

    @property
    def closed_because(self) -> Fault | None:
        """Why no order is taken; a halt outranks what passes by itself. None: orders are taken."""
        return self._causes.get(HALT) or next(iter(self._causes.values()), None)

    def refusal(self, caller: str, spec: OrderSpec) -> Fault | None:
        """Why such an order of that caller's is not taken: a cause of ours, a trading mode, else the mode of the whole venue.

        Cancels do not ask.
        """
        return (
            self.closed_because
            or self._mode_refusal(caller, spec)
            or mode_fault(self.venue_mode(), post_only=spec.post_only)
        )

    def last_word(self, caller: str, spec: OrderSpec) -> Fault | None:
        """Why one that was taken must not leave any more: a halt or a trading mode came since. What passes does not count."""
        halted = next((each for each in self._causes.values() if each.reason is Reason.TRADING_HALTED), None)
        return halted or self._mode_refusal(caller, spec)

    @property
    def problems(self) -> tuple[str, ...]:
        """What an operator should know, in words: everything that does not pass by itself."""
        return tuple(fault.message for fault in self._causes.values() if fault.reason is Reason.TRADING_HALTED)

    def close(self, cause: str, fault: Fault) -> None:
        """No new orders until `open` is called for the same cause."""
        self._causes[cause] = fault.with_metadata(id_used="false")

    def open(self, cause: str) -> None:
        """That cause is gone."""
        self._causes.pop(cause, None)

    def halt(self, what: str) -> None:
        """No new orders until a person has looked, also after a restart. Takes effect at once, durable as soon as may be."""
        self._halts += 1
        halt_id = hashlib.sha256(f"{self._clock.wall_ns()} {self._halts} {what}".encode()).hexdigest()[:8]
        self._alarm(what)
        if HALT not in self._causes:
            self._causes[HALT] = _halted(self._account, halt_id, what)
            self._tasks.start("durable halt", self._remember(json.dumps({"id": halt_id, "what": what})))

    async def restore(self, clear: str) -> str:
        """At start: what was halted stays so, unless `clear` is the halt's id. Returns the id that was cleared, if any.

        The trading modes that were in force are again, whatever `clear` says.
        """
        if self._modes is not None:
            await self._modes.restore()
        kept = await self._facts.recall(self._account, HALT)
        if not kept:
            return ""
        halt = json.loads(kept)
        if clear == halt["id"]:
            await self._facts.remember(self._account, HALT, "")
            return clear
        self._causes[HALT] = _halted(self._account, halt["id"], halt["what"])
        return ""

    def _mode_refusal(self, caller: str, spec: OrderSpec) -> Fault | None:
        return None if self._modes is None else self._modes.refusal(caller, spec)

    async def _remember(self, value: str) -> None:
        while True:
            try:
                await self._facts.remember(self._account, HALT, value)
            except Busy:
                await self._clock.sleep(STORE_AGAIN_S)
            else:
                return


def _halted(account: str, halt_id: str, what: str) -> Fault:
    return Fault(
        Reason.TRADING_HALTED,
        f"trading is halted, cancels pass; nothing was sent: {what} "
        f"(look at the account, then start once with EXECSVC_CLEAR_HALT={halt_id})",
        {"mode": "CANCEL_ONLY", "scope": account, "comment": what, "id_used": "false"},
    )


def mode_fault(mode: VenueMode | None, *, post_only: bool) -> Fault | None:
    """Why the whole venue takes no such order now; cancels are not asked. None where its mode is not known."""
    if mode in {None, VenueMode.ONLINE} or (mode is VenueMode.POST_ONLY and post_only):
        return None
    takes = "post-only orders" if mode is VenueMode.POST_ONLY else "no new orders"
    return Fault(
        Reason.INSTRUMENT_STATUS,
        f"Kraken is in {mode.value} mode and takes {takes}; nothing was sent",
        {"status": mode.value.upper()},
    )


def _unknown() -> VenueMode | None:
    return None
