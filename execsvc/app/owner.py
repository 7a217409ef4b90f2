"""Tenure: whether this process may still send orders, asked at the last moment before the bytes leave.

A process that was stopped, swapped out or cut off from its store for longer than its tenure may have been replaced
meanwhile. It sends nothing more until the store confirms that it is still the latest opening (promises.md section 8). Time is
counted from before the question, on the monotonic clock. Cancels do not ask: they only take risk away.
"""

from execsvc.domain.errors import Broken, Busy, Fault, Reason
from execsvc.ports import Clock, Housekeeping

TENURE_S = 2.0  # the lease's time to live of 3 s less 1 s for what is under way
CONFIRM_EVERY_S = 0.5


class Owner:
    """The tenure of one process over its store."""

    def __init__(self, store: Housekeeping, clock: Clock, *, tenure_s: float = TENURE_S) -> None:
        self._store = store
        self._clock = clock
        self._tenure_s = tenure_s
        self._confirmed = clock.monotonic()
        self._doubt: Fault | None = None
        self._lapsed = -1.0

    def __repr__(self) -> str:
        return f"<Owner confirmed {self._clock.monotonic() - self._confirmed:.1f} s ago>"

    def confirmed(self, asked: float) -> None:
        """The store did our work, which it was asked for at monotonic `asked`: only its owner's work is done."""
        if asked - self._confirmed > self._tenure_s:
            self._lapsed = asked
        self._confirmed = max(self._confirmed, asked)
        self._doubt = None

    def held_since(self, then: float) -> bool:
        """Whether the tenure held all the time from monotonic `then` until now: what was timed meanwhile can be believed."""
        return self._lapsed < then and self.forbids() is None

    def forbids(self) -> Fault | None:
        """Why nothing may be sent now; None while the tenure holds."""
        silent_s = self._clock.monotonic() - self._confirmed
        if silent_s <= self._tenure_s:
            return None
        if self._doubt is not None:
            return self._doubt
        return Fault(
            Reason.NOT_OWNER,
            f"this process stood still for {silent_s:.1f} s and must see first that it still owns the account; not sent",
            retry_after_s=CONFIRM_EVERY_S,
        )

    async def keep(self) -> None:
        """Confirms the tenure for ever. Raises Broken when another process has taken over: this one must end."""
        while True:
            asked = self._clock.monotonic()
            try:
                await self._store.confirm()
            except Busy as refusal:
                if refusal.reason is Reason.NOT_OWNER:
                    raise Broken(Fault(Reason.INTERNAL, refusal.fault.message)) from None
                self._doubt = refusal.fault
            else:
                self.confirmed(asked)
            await self._clock.sleep(CONFIRM_EVERY_S)
