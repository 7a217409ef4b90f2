"""Dead man's switches: unless it is set again in time, orders are cancelled, once.

A caller's own is kept here, durably, and cancels that caller's orders. One for the whole account is Kraken's timer
(CancelAllOrdersAfter), which goes off without us too: it is armed to the earliest of what callers and the operator's policy
ask for. The policy's is set again while this process is well, and taken off by a planned stop and in maintenance, after
which an armed timer would cancel everything (kraken.md 2.4).
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from execsvc.app.masscancels import MassCancels, Reach
from execsvc.domain.ending import by_dead_man
from execsvc.domain.errors import Busy, ExecsvcError
from execsvc.domain.market import VenueMode
from execsvc.ports import Clock, Facts, PrivateVenue

FACT = "dead man's switches"
LEAST_S, MOST_S = 5, 86_399
SWEEP_S = 30.0
AGAIN_S = 1.0
LOOK_S = 30.0
CALL_S = 5.0
NEVER = float("-inf")  # seconds
REFRESHES = 3  # of the policy's timer within its time


@dataclass(frozen=True)
class Armed:
    """When it goes off, wall clock, and when Kraken's own timer does; None: it is off."""

    trigger_ns: int | None
    venue_trigger_ns: int | None


class DeadMan:
    """The switches of one account. `policy_s`: the operator's account-wide one; 0: none."""

    def __init__(
        self,
        *,
        account: str,
        venue: PrivateVenue,
        facts: Facts,
        mass: MassCancels,
        clock: Clock,
        mode: Callable[[], VenueMode | None],
        alarm: Callable[[str], None],
        policy_s: int = 0,
    ) -> None:
        self._account = account
        self._venue = venue
        self._facts = facts
        self._mass = mass
        self._clock = clock
        self._mode = mode
        self._alarm = alarm
        self._policy_s = policy_s
        self._own: dict[str, float] = {}  # seconds: caller → monotonic instant
        self._whole: dict[str, float] = {}
        self._venue_trigger_ns: int | None = None
        self._refreshed = NEVER
        self._leaving = False
        self._failing = False
        self._news = asyncio.Event()
        self._arming = asyncio.Lock()  # the call that goes last knows of all others

    def __repr__(self) -> str:
        return f"<DeadMan {len(self._own)} own, {len(self._whole)} of the account, policy {self._policy_s} s>"

    async def load(self) -> None:
        """What earlier lives kept. One whose time has passed meanwhile goes off as soon as run() runs."""
        text = await self._facts.recall(self._account, FACT)
        kept: dict[str, dict[str, int]] = json.loads(text) if text else {"own": {}, "whole": {}}
        now, now_ns = self._clock.monotonic(), self._clock.wall_ns()
        self._own, self._whole = (
            {caller: now + (at_ns - now_ns) / 1e9 for caller, at_ns in kept[whose].items()}
            for whose in ("own", "whole")
        )

    async def set_own(self, caller: str, timeout_s: int) -> Armed:
        """Cancels the caller's orders unless called again in time; 0 takes it off. Durable when it returns."""
        await self._keep(self._own, caller, timeout_s)
        return Armed(self._wall_ns(self._own.get(caller)), self._venue_trigger_ns)

    async def set_account(self, caller: str, timeout_s: int, by: float) -> Armed:
        """Kraken's own timer, to the earliest of all callers' times and the policy's. Raises Busy when Kraken did not answer.

        What a caller asked for that was not armed is forgotten again, but for taking it off.
        """
        async with self._arming:
            before = self._whole.get(caller)
            await self._keep(self._whole, caller, timeout_s)
            try:
                await self._arm(by)
            except ExecsvcError:
                if timeout_s:
                    await self._restore(caller, before)
                raise
        return Armed(self._wall_ns(self._whole.get(caller)), self._venue_trigger_ns)

    async def run(self) -> None:
        """Lets off what is due, and keeps Kraken's timer wound, for ever."""
        while True:
            self._news.clear()
            try:
                await self._let_off()
                async with self._arming:
                    await self._wind()
            except ExecsvcError as failure:
                if not self._failing:
                    self._alarm(f"a dead man's switch could not be carried out yet: {failure.fault.message}")
                self._failing = True
                await self._clock.sleep(AGAIN_S)
                continue
            self._failing = False
            with suppress(TimeoutError):
                async with self._clock.timeout_at(self._next_at()):
                    await self._news.wait()

    async def leave(self, by: float) -> None:
        """A planned stop: the policy's timer is taken off, unless a caller's time still counts."""
        self._leaving = True
        if self._policy_s and not self._whole:
            with suppress(ExecsvcError):
                self._venue_trigger_ns = await self._venue.cancel_all_after(0, by)

    # ---- parts --------------------------------------------------------------------------------------------------

    async def _keep(self, switches: dict[str, float], caller: str, timeout_s: int) -> None:
        before = switches.get(caller)
        if timeout_s:
            switches[caller] = self._clock.monotonic() + timeout_s
        else:
            switches.pop(caller, None)
        try:
            await self._write()
        except BaseException:
            _put(switches, caller, before)
            raise
        self._news.set()

    async def _restore(self, caller: str, before: float | None) -> None:
        _put(self._whole, caller, before)
        with suppress(Busy):
            await self._write()

    async def _write(self) -> None:
        kept = {
            whose: {caller: self._wall_ns(at) for caller, at in switches.items()}
            for whose, switches in (("own", self._own), ("whole", self._whole))
        }
        await self._facts.remember(self._account, FACT, json.dumps(kept, sort_keys=True))

    async def _let_off(self) -> None:
        """A caller's own orders go; then its switch is off. Kraken's timer has gone off by itself."""
        now = self._clock.monotonic()
        for caller in [each for each, at in self._own.items() if at <= now]:
            due = self._own[caller]
            by = self._clock.monotonic() + SWEEP_S
            await self._mass.sweep(Reach(caller), by, caller=caller, why=by_dead_man(caller))
            if self._own.get(caller) == due:  # not set anew meanwhile
                del self._own[caller]
                await self._write()
        past = [each for each, at in self._whole.items() if at <= now]
        if past:
            for caller in past:
                del self._whole[caller]
            await self._write()
            self._refreshed = NEVER  # the next one's time, if there is one, is not with Kraken yet

    async def _wind(self) -> None:
        """The policy's timer anew when a part of its time is over; none while the venue is in maintenance."""
        if self._leaving or (not self._policy_s and (not self._whole or self._refreshed > NEVER)):
            return
        if self._mode() is VenueMode.MAINTENANCE:
            if self._venue_trigger_ns is not None and not self._whole:
                self._venue_trigger_ns = await self._venue.cancel_all_after(0, self._clock.monotonic() + CALL_S)
            return
        if self._clock.monotonic() >= self._refreshed + self._policy_s / REFRESHES:
            await self._arm(self._clock.monotonic() + CALL_S)

    async def _arm(self, by: float) -> None:
        """Rounded down: Kraken takes whole seconds, and early is the safe side."""
        now = self._clock.monotonic()
        left = [max(1, int(at - now)) for at in self._whole.values()]
        if self._policy_s and not self._leaving:
            left.append(self._policy_s)
        self._venue_trigger_ns = await self._venue.cancel_all_after(min(left, default=0), by)
        self._refreshed = self._clock.monotonic()

    def _next_at(self) -> float:
        """When something is to be done by itself; monotonic."""
        now = self._clock.monotonic()
        due = [now + LOOK_S, *self._own.values(), *self._whole.values()]
        if self._policy_s and not self._leaving:
            maintained = self._mode() is VenueMode.MAINTENANCE
            due.append(now + AGAIN_S if maintained else self._refreshed + self._policy_s / REFRESHES)
        return min(due)

    def _wall_ns(self, at: float | None) -> int | None:
        return None if at is None else self._clock.wall_ns() + int((at - self._clock.monotonic()) * 1e9)


def _put(switches: dict[str, float], caller: str, at: float | None) -> None:
    if at is None:
        switches.pop(caller, None)
    else:
        switches[caller] = at
