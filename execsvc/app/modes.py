"""Setting trading modes: the kill switch, over all accounts; who may, which accounts a scope means, what is told.

Stricter needs `kill` on each account in scope, looser `admin` besides. Everything needs `kill` on every account, or `admin`.
A scope that names no account is for those accounts on which its setter has `kill`, and is kept as one entry an account.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from execsvc.app.modeskept import AccountModes
from execsvc.domain.caller import Caller, Permission
from execsvc.domain.errors import Busy, ExecsvcError, Fault, Reason, refuse
from execsvc.domain.modes import ModeEntry, Scope, TradingMode, strictest
from execsvc.ports import Clock

SETTLE_S = 0.5  # so long the answer waits for what is on its way to Kraken, and at start for what was in force

T = TypeVar("T")
Known = Callable[[str, Sequence[str]], Awaitable[bool]]


@dataclass(frozen=True)
class ModeSet:
    """What was and what is, the scope as it was asked for; how many orders were asked to go.

    caller_unknown: the scope names a caller, and surely nobody of that name is known here.
    """

    previous: ModeEntry | None
    current: ModeEntry
    cancel_requested: int = 0
    caller_unknown: bool = False


class TradingModes:
    """The kill switch. `symbol_of` gives a pair's canonical spelling, or raises UNKNOWN_SYMBOL.

    known: whether anybody of that name may come, or has an order on one of these accounts; it may raise Busy.
    """

    def __init__(
        self, accounts: Mapping[str, AccountModes], symbol_of: Callable[[str], str], known: Known, clock: Clock
    ) -> None:
        self._accounts = accounts
        self._symbol_of = symbol_of
        self._known = known
        self._clock = clock

    def __repr__(self) -> str:
        return f"<TradingModes {list(self._accounts.values())}>"

    def touching(self, who: Caller) -> tuple[ModeEntry, ...]:
        """The entries in force that touch the caller, strictest first; with `kill` on an account, all of that account's."""
        found = (
            entry
            for name, modes in self._accounts.items()
            if name in who.accounts
            for entry in modes.entries
            if entry.scope.touches(name, who.name) or who.may(Permission.KILL, name)
        )
        return tuple(sorted(dict.fromkeys(found), key=lambda entry: (-entry.mode.rank, str(entry.scope))))

    async def set(self, who: Caller, asked: Scope, mode: TradingMode, comment: str, by: float) -> ModeSet:
        """In force, durable and told by monotonic `by`. The same again is harmless; HALTED then cancels what is open again.

        Raises PERMISSION_MISSING, ACCOUNT_NOT_GRANTED, UNKNOWN_SYMBOL; STORE_UNAVAILABLE or NOT_OWNER where it could not be
        written down: a looser mode is then not in force, a stricter one is, and is written as soon as that can be done.
        """
        if asked.symbol:
            asked = replace(asked, symbol=self._symbol_of(asked.symbol))
        accounts = self._meant(who, asked)
        unread = await self._unread(accounts, by)
        before = {each.account: entry for each in accounts if (entry := each.of(asked)) is not None}
        looser = [each for each in accounts if each.account in before and before[each.account].mode.rank > mode.rank]
        if looser and not who.may(Permission.ADMIN, ""):
            raise _missing(Permission.ADMIN, f"a looser mode for {asked}")
        entry = ModeEntry(asked, mode, comment, who.name, self._clock.wall_ns())
        if unread is not None and mode is TradingMode.NORMAL:
            raise _not_durable(unread, entry, in_force=False)
        stricter = [each for each in accounts if each not in looser and mode is not TradingMode.NORMAL]
        # From here on it is the server's own work: whoever hangs up changes nothing.
        writes = [each.impose(replace(entry, scope=asked.on(each.account))) for each in stricter]
        writes += [each.lift(replace(entry, scope=asked.on(each.account))) for each in looser]
        sweeps = [each.cancel_open(asked, who.name) for each in stricter if mode is TradingMode.HALTED]
        faults = await self._until(by, writes)
        counts = await self._until(by, sweeps)
        settled_by = min(by, self._clock.monotonic() + SETTLE_S)
        await asyncio.gather(*(each.until_answered(asked, settled_by) for each in stricter))
        fault = _LATE if faults is None else next((each for each in faults if each is not None), None)
        if fault is not None:
            for each in looser:  # all or nothing, and nothing later: told as refused, it stays refused
                each.keep(before[each.account])
            raise _not_durable(fault, entry, in_force=bool(stricter), cancelled=sum(counts or ()))
        now = strictest(found for each in accounts if (found := each.of(asked)) is not None) or entry
        unknown = await self._is_unknown(asked.caller, [each.account for each in accounts], by)
        return ModeSet(
            _as_asked(strictest(before.values()), asked), replace(now, scope=asked), sum(counts or ()), unknown
        )

    async def _unread(self, accounts: Sequence[AccountModes], by: float) -> Fault | None:
        """Why it is not known what was in force before this start; that keeps nobody from being stricter."""
        try:
            async with self._clock.timeout_at(min(by, self._clock.monotonic() + SETTLE_S)):
                for each in accounts:
                    await each.load()
        except Busy as failure:
            return failure.fault
        except TimeoutError:
            return _LATE
        return None

    async def _is_unknown(self, caller: str, accounts: Sequence[str], by: float) -> bool:
        """Whether a name was mistyped, perhaps. Where that cannot be told soon, nothing is said: the mode is in force."""
        try:
            async with self._clock.timeout_at(min(by, self._clock.monotonic() + SETTLE_S)):
                return bool(caller) and not await self._known(caller, accounts)
        except (Busy, TimeoutError):
            return False

    async def _until(self, by: float, works: Sequence[Awaitable[T]]) -> Sequence[T] | None:
        """Their results; None where they are not all through by then. Writes that are queued at once share a commit."""
        try:
            async with self._clock.timeout_at(by):
                return await asyncio.gather(*works)
        except TimeoutError:
            return None

    def _meant(self, who: Caller, asked: Scope) -> Sequence[AccountModes]:
        """The accounts that the scope is for."""
        if asked.everything:
            if not who.may(Permission.ADMIN, "") and not all(who.may(Permission.KILL, name) for name in self._accounts):
                raise _missing(Permission.KILL, "a mode for everything", " on every account, or admin")
            return tuple(self._accounts.values())
        if asked.account and (asked.account not in who.accounts or asked.account not in self._accounts):
            raise refuse(Reason.ACCOUNT_NOT_GRANTED, f"account {asked.account[:64]!r} is not granted to {who.name!r}")
        mine = [name for name in self._accounts if asked.account in {"", name} and who.may(Permission.KILL, name)]
        if not mine:
            raise _missing(Permission.KILL, f"a mode for {asked}")
        return tuple(self._accounts[name] for name in mine)


_LATE = Fault(Reason.STORE_UNAVAILABLE, "the store has not answered in time", retry_after_s=1.0)


def _as_asked(entry: ModeEntry | None, asked: Scope) -> ModeEntry | None:
    return None if entry is None else replace(entry, scope=asked)


def _missing(permission: Permission, what: str, where: str = "") -> ExecsvcError:
    return refuse(
        Reason.PERMISSION_MISSING,
        f"{what} needs the permission {permission.value}{where}",
        permission=permission.value,
    )


def _not_durable(fault: Fault, entry: ModeEntry, *, in_force: bool, cancelled: int = 0) -> ExecsvcError:
    """What could not be written down, and what that means."""
    what = f"{entry.mode.name} for {entry.scope}"
    told = (
        f"{what} is in force here and is not durable yet, it is written as soon as that can be done"
        if in_force
        else f"{what} is not in force, the stricter mode stays"
    )
    return refuse(
        fault.reason,
        f"{told}: {fault.message}",
        retry_after_s=fault.retry_after_s,
        in_force="true" if in_force else "false",
        mode=entry.mode.name,
        cancel_requested_count=str(cancelled),
    )
