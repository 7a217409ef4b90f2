"""Whoever throws the kill switch in a run: sets a mode for some scope, in a bad moment or a worse one, and lifts it later.

What was set and heard goes to the judge of trading modes, and a halt to the judge of cancels besides. The process may be
killed in the very moment of the answer, or while the mode is being written down.
"""

import asyncio
from dataclasses import dataclass

from execsvc.app.modes import ModeSet, TradingModes
from execsvc.compose.rooms import ACCOUNT
from execsvc.domain.caller import Permission, alike
from execsvc.domain.errors import ExecsvcError
from execsvc.domain.modes import Scope, TradingMode
from tests.sim.calling import Client, caller
from tests.sim.judges import halts
from tests.sim.judges.cancels import EVERYBODY, Clear, ClearTold
from tests.sim.market import SYMBOL
from tests.support.entropy import stream

OPERATOR = alike("ops", frozenset(Permission), (ACCOUNT,))
TIMEOUT_S = 4.0
TRIES_MAX = 20
LOOK_S, LURKS_MAX = 0.01, 400
SHARE = 0.25
SCOPES = ("everything", "account", "caller", "symbol", "caller of symbol", "caller of account")
_MODES = {TradingMode.HALTED: 6, TradingMode.CANCEL_ONLY: 2, TradingMode.REDUCE_ONLY: 2}
_WORDS = {mode: rank for rank, mode in enumerate(TradingMode)}


@dataclass(frozen=True)
class Episode:
    """One mode that is set and lifted: when, for what, how long; and what befalls the process that is asked."""

    at: float
    scope: str
    mode: TradingMode
    lasts_s: float
    lurks: bool
    again: bool
    kill: bool
    point: str


def episodes(seed, lasts_s, *, plain):
    """Those of a run; a plain day has none. They are drawn for themselves, so that a run without any is as it ever was."""
    chance = stream(seed, "halts")
    if plain or chance.random() >= SHARE:
        return ()
    return tuple(_episode(chance, lasts_s) for _ in range(chance.choices((1, 2, 3), (4, 2, 1))[0]))


def _episode(chance, lasts_s):
    return Episode(
        at=0.8 * lasts_s * chance.random(),
        scope=chance.choice(SCOPES),
        mode=chance.choices(list(_MODES), list(_MODES.values()))[0],
        lasts_s=0.3 + 5 * chance.random() ** 2,
        lurks=chance.random() < 0.6,
        again=chance.random() < 0.3,
        kill=chance.random() < 0.3,
        point=chance.choice(("", "", "", "set_mode.before", "set_mode.after")),
    )


class Halter(Client):
    """The operator of one episode. A second one may lift what it set: then that is lifted."""

    def __init__(self, world, number, episode):
        super().__init__(world, f"h-{number}", OPERATOR, stream(world.seed, "halter", number))
        self.episode = episode
        whose = caller(self.chance.randrange(3)).name
        self.scope = {
            "everything": Scope(everything=True),
            "account": Scope(account=ACCOUNT),
            "caller": Scope(caller=whose),
            "symbol": Scope(symbol=SYMBOL),
            "caller of symbol": Scope(caller=whose, symbol=SYMBOL),
            "caller of account": Scope(account=ACCOUNT, caller=whose),
        }[episode.scope]

    async def halt(self):
        episode, world = self.episode, self.world
        await asyncio.sleep(episode.at)
        if episode.lurks:
            await self._worst_moment()
        if episode.point and world.gateway is not None:
            world.gateway.crash_point, world.gateway.crash_skip = episode.point, 0
        await self._until_done(episode.mode, kill=episode.kill)
        if episode.again:
            await self.pause(0.0, episode.lasts_s)
            await self._until_done(episode.mode)
        await self.pause(0.5 * episode.lasts_s, 1.5 * episode.lasts_s)
        await self._until_done(TradingMode.NORMAL)

    async def _worst_moment(self):
        """Just when something is being placed, should that be soon."""
        for _ in range(LURKS_MAX):
            if self.world.unresolved():
                return
            await asyncio.sleep(LOOK_S)

    async def _until_done(self, mode, *, kill=False):
        for _ in range(TRIES_MAX):
            told = await self._set(mode, kill=kill)
            if isinstance(told, ModeSet):
                return
            await self.pause(0.05, 1.0)

    async def _set(self, mode, *, kill):
        world = self.world
        by = world.loop.now + TIMEOUT_S - 0.5

        def work(gateway):
            modes = TradingModes({ACCOUNT: gateway.house.modes}, lambda symbol: symbol, _known, gateway.parts.clock)
            return modes.set(self.who, self.scope, mode, f"as the day has it: {mode.value}", by)

        def note(how):
            self._noted(how, mode)
            if kill and isinstance(how.told, ModeSet):
                world.trace.note(self.name, "sees the process die", how.gateway.process.name)
                how.gateway.kill()

        return await self.ask(
            "modes", work, timeout_s=TIMEOUT_S, note=note, tell=_told, what=f"{mode.name} {self.scope}"
        )

    def _noted(self, how, mode):
        self.world.counts["resumes" if mode is TradingMode.NORMAL else "halts"] += 1
        scope, done = self.scope, isinstance(how.told, ModeSet)
        in_force = isinstance(how.told, ExecsvcError) and how.told.fault.metadata.get("in_force") == "true"
        kept = str(scope.on(ACCOUNT))  # one entry an account: with and without its name it is the same one
        self.world.halts.append(
            halts.Setting(
                kept,
                scope.caller,
                _WORDS[mode],
                how.began,
                how.ended,
                done=done,
                in_force=in_force and mode is not TradingMode.NORMAL,
                owner=how.gateway.epoch,
            )
        )
        if mode is TradingMode.HALTED:
            told = ClearTold() if done else ClearTold(reason=how.told.fault.reason.name) if how.told else None
            whose = scope.caller or EVERYBODY
            self.world.clears.append(Clear(whose, how.began, how.ended, told=told, steady=how.steady))


async def _known(name, accounts):
    """Whether a name was mistyped is nothing for the judges."""
    return True


def _told(heard):
    """What was set, or a refusal; anything else is a defect."""
    if isinstance(heard, ModeSet | ExecsvcError):
        return heard
    raise heard
