"""The trading modes of one account: in force at once, durable as soon as may be, carried out, back after a restart.

Stricter is in force before anything is written; the store being down, it is written when it is back. Looser is written first:
what cannot be written down stays as strict as it was. Who may set it is app/modes.py's, what it means domain/modes.py's.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from execsvc.domain.errors import Busy, Fault
from execsvc.domain.modes import ModeEntry, Scope, TradingMode, refusal_of
from execsvc.domain.spec import OrderSpec
from execsvc.ports import Clock, ModeBook, Tasks

AGAIN_S = 1.0
LOOK_S = 0.01


class AccountModes:
    """One account's. `sweep` cancels what is open in a scope, for a caller, and says how many orders that is.

    on_the_wire: whether something in a scope has left for Kraken and is not answered yet.
    """

    def __init__(
        self,
        *,
        account: str,
        book: ModeBook,
        clock: Clock,
        tasks: Tasks,
        sweep: Callable[[Scope, str], Awaitable[int]],
        on_the_wire: Callable[[Scope], bool],
    ) -> None:
        self.account = account
        self._book = book
        self._clock = clock
        self._tasks = tasks
        self._sweep = sweep
        self._on_the_wire = on_the_wire
        self._entries: dict[Scope, ModeEntry] = {}
        self._unwritten: dict[Scope, ModeEntry] = {}
        self._unswept: dict[Scope, str] = {}
        self._turn = asyncio.Lock()
        self._loaded = False
        self._pursuing = False

    def __repr__(self) -> str:
        return f"<AccountModes {self.account} {[f'{each.scope}: {each.mode.name}' for each in self.entries]}>"

    @property
    def entries(self) -> tuple[ModeEntry, ...]:
        """Those in force."""
        return tuple(self._entries.values())

    def of(self, scope: Scope) -> ModeEntry | None:
        """The entry of exactly that scope, as it is kept for this account."""
        return self._entries.get(scope.on(self.account))

    def refusal(self, caller: str, spec: OrderSpec) -> Fault | None:
        """Why an order of that caller's may not be sent; None: it may."""
        return refusal_of(self._entries.values(), self.account, caller, spec) if self._entries else None

    # ---- after a restart --------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Once: what was in force is again. What was set here before the store could be read stands unless it is looser."""
        if self._loaded:
            return
        kept = await self._book.modes(self.account)
        if self._loaded:
            return  # read by somebody else meanwhile, and perhaps set anew since
        for entry in kept:
            ours = self._unwritten.get(entry.scope)
            if ours is None or ours.mode.rank < entry.mode.rank:
                self._unwritten.pop(entry.scope, None)
                self._entries[entry.scope] = entry
        self._loaded = True

    async def restore(self) -> None:
        """At start: what was in force is again, and a halt cancels what its last life did not get round to."""
        await self.load()
        self._unswept |= {each.scope: each.set_by for each in self.entries if each.mode is TradingMode.HALTED}
        self._pursue()

    # ---- stricter ---------------------------------------------------------------------------------------------------

    def impose(self, entry: ModeEntry) -> Awaitable[Fault | None]:
        """In force when it returns; the result tells why it is not durable yet, None once it is. It is tried until it is.

        The same mode for the same reason stays as it was set first.
        """
        before = self._entries.get(entry.scope)
        if before is None or (before.mode, before.comment) != (entry.mode, entry.comment):
            self._entries[entry.scope] = self._unwritten[entry.scope] = entry
        return self._tasks.start(f"trading mode for {entry.scope}", self._kept(entry.scope))

    async def _kept(self, scope: Scope) -> Fault | None:
        try:
            await self._write(scope)
        except Busy as failure:
            self._pursue()
            return failure.fault
        return None

    async def _write(self, scope: Scope) -> None:
        """One write at a time, so that the store ends with what is in force here."""
        async with self._turn:
            await self.load()
            entry = self._unwritten.get(scope)
            if entry is None:
                return
            await self._book.set_mode(self.account, entry, self._clock.wall_ns())
            if self._unwritten.get(scope) is entry:
                del self._unwritten[scope]

    # ---- looser -----------------------------------------------------------------------------------------------------

    def lift(self, entry: ModeEntry) -> Awaitable[Fault | None]:
        """Written down, then in force; else the result tells why, and all stays as it was. NORMAL removes the entry."""
        return self._tasks.start(f"trading mode for {entry.scope}", self._lifted(entry, self._entries.get(entry.scope)))

    async def _lifted(self, entry: ModeEntry, before: ModeEntry | None) -> Fault | None:
        async with self._turn:
            if self._entries.get(entry.scope) is not before:
                return None  # set anew meanwhile, which is not what was to be lifted
            try:
                await self._book.set_mode(self.account, entry, self._clock.wall_ns())
            except Busy as failure:
                return failure.fault
            if self._entries.get(entry.scope) is not before:
                return None  # the same, and it is written next
            self._unwritten.pop(entry.scope, None)
            self._unswept.pop(entry.scope, None)
            self._entries[entry.scope] = entry
            if entry.mode is TradingMode.NORMAL:
                del self._entries[entry.scope]
        return None

    def keep(self, entry: ModeEntry) -> None:
        """Of a lifting that was refused: the entry is in force as before and written anew, whatever became of it already."""
        now = self._entries.get(entry.scope)
        if now is not None and now is not entry and now.mode.rank >= entry.mode.rank:
            return  # set anew meanwhile, and no looser
        # Another object than the one that was to be lifted: should that be under way still, it changes nothing any more.
        self._entries[entry.scope] = self._unwritten[entry.scope] = replace(entry)
        if entry.mode is TradingMode.HALTED and now is not entry:
            self._unswept[entry.scope] = entry.set_by
        self._pursue()

    # ---- carrying out -----------------------------------------------------------------------------------------------

    def cancel_open(self, scope: Scope, caller: str) -> Awaitable[int]:
        """Of a halt: each open order in scope is asked to go, also one in doubt; how many. With the store down, later."""
        scope = scope.on(self.account)
        return self._tasks.start(f"cancels of the halt for {scope}", self._cancelled(scope, caller))

    async def _cancelled(self, scope: Scope, caller: str) -> int:
        try:
            return await self._sweep(scope, caller)
        except Busy:
            self._unswept[scope] = caller
            self._pursue()
            return 0

    async def until_answered(self, scope: Scope, by: float) -> None:
        """Until nothing in scope is on its way to Kraken any more, or monotonic `by`."""
        while self._on_the_wire(scope.on(self.account)) and self._clock.monotonic() < by:
            await self._clock.sleep(LOOK_S)

    def _pursue(self) -> None:
        if not self._pursuing and (self._unwritten or self._unswept):
            self._pursuing = True
            self._tasks.start(f"trading modes of {self.account}", self._again_and_again())

    async def _again_and_again(self) -> None:
        """What is in force is written down, and what a halt is to cancel is cancelled, as soon as the store lets it."""
        try:
            while self._unwritten or self._unswept:
                try:
                    for scope in tuple(self._unwritten):
                        await self._write(scope)
                    for scope, caller in tuple(self._unswept.items()):
                        await self._sweep(scope, caller)
                        self._unswept.pop(scope, None)
                except Busy:
                    await self._clock.sleep(AGAIN_S)
        finally:
            self._pursuing = False
