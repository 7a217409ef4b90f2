"""Whether new orders are taken, and if not, why. Cancels never ask here.

Causes come and go by name (starting, draining, a key that wants looking at); one kind stays: a halt, which is durable and
ends only when a person clears it by its id. The kill switch by caller and pair is a later slice and will live here too.
"""

import hashlib
import json
from collections.abc import Callable

from execsvc.domain.errors import Busy, Fault, Reason
from execsvc.domain.market import VenueMode
from execsvc.domain.spec import OrderSpec
from execsvc.ports import Clock, Facts, Tasks

HALT = "halt"
STORE_AGAIN_S = 1.0

Alarm = Callable[[str], None]


class Switch:
    """The causes that keep one account's desk closed; `venue_mode` is what the venue says of itself, set by the house."""

    def __init__(self, account: str, facts: Facts, clock: Clock, tasks: Tasks, alarm: Alarm) -> None:
        self._account = account
        self._facts = facts
        self._clock = clock
        self._tasks = tasks
        self._alarm = alarm
        self._causes: dict[str, Fault] = {}
        self._halts = 0
        self.venue_mode: Callable[[], VenueMode | None] = _unknown

    def __repr__(self) -> str:
        return f"<Switch {self._account} {'closed by ' + ', '.join(self._causes) if self._causes else 'open'}>"

    @property
    def closed_because(self) -> Fault | None:
        """Why no order is taken; a halt outranks what passes by itself. None: orders are taken."""
        return self._causes.get(HALT) or next(iter(self._causes.values()), None)

    def refusal(self, caller: str, spec: OrderSpec) -> Fault | None:  # noqa: ARG002 - modes by caller come here
        """Why such an order is not taken: a cause of ours, else the mode of the whole venue. Cancels do not ask."""
        return self.closed_because or mode_fault(self.venue_mode(), post_only=spec.post_only)

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
        """At start: what was halted stays so, unless `clear` is the halt's id. Returns the id that was cleared, if any."""
        kept = await self._facts.recall(self._account, HALT)
        if not kept:
            return ""
        halt = json.loads(kept)
        if clear == halt["id"]:
            await self._facts.remember(self._account, HALT, "")
            return clear
        self._causes[HALT] = _halted(self._account, halt["id"], halt["what"])
        return ""

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
