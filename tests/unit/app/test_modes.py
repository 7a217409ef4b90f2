"""The kill switch over accounts: who may set what, which accounts a scope means, what is told."""

import pytest

from execsvc.app.modes import TradingModes
from execsvc.app.modeskept import AccountModes
from execsvc.domain.caller import UNBOUND, Caller, Grant, Permission
from execsvc.domain.errors import Busy, Declined, Fault, Reason, refuse
from execsvc.domain.modes import Scope, TradingMode
from execsvc.store.memory import MemoryStore
from tests.support.simloop import SimClock, SimTasks, run_sim
from tests.support.world import new_disk

ALL = Scope(everything=True)
KILL, ADMIN = Permission.KILL, Permission.ADMIN
NORMAL, REDUCE_ONLY, CANCEL_ONLY, HALTED = TradingMode


def who(name, unbound=(), **kills):
    """A caller granted these accounts, with `kill` where it says so."""
    grants = {account: Grant(frozenset({KILL} if kill else {Permission.TRADE})) for account, kill in kills.items()}
    return Caller(name, frozenset(unbound) & UNBOUND, grants)


RISK = who("risk", main=True, second=True)
ROOT = who("root", [ADMIN], main=True, second=True)
HALF = who("half", main=True, second=False)


class Rig:
    """Two accounts on one store; what a halt would cancel is counted by scope."""

    def __init__(self):
        self.clock, self.tasks = SimClock(), SimTasks()
        self.store = MemoryStore(new_disk())
        self.swept, self.open = [], {"main": 2, "second": 3}
        self.accounts = {name: self.account(name) for name in ("main", "second")}
        self.known, self.asked = {"bot": True}, []
        self.modes = TradingModes(self.accounts, _symbol, self._known, self.clock)

    def account(self, name):
        """The modes of one, as after a start."""

        async def sweep(scope, caller):
            self.swept.append((name, scope, caller))
            return self.open[name]

        return AccountModes(
            account=name,
            book=self.store,
            clock=self.clock,
            tasks=self.tasks,
            sweep=sweep,
            on_the_wire=lambda _: False,
        )

    async def _known(self, caller, accounts):
        """A name's answer; a number instead is how many seconds it takes to find out, an error what comes of it."""
        self.asked.append((caller, accounts))
        answer = self.known.get(caller, False)
        if isinstance(answer, Exception):
            raise answer
        if not isinstance(answer, bool):
            await self.clock.sleep(answer)
            return False
        return answer

    async def set(self, caller, scope, mode, comment="news"):
        return await self.modes.set(caller, scope, mode, comment, self.clock.monotonic() + 5)

    async def kept(self, name):
        return {str(each.scope): each.mode for each in await self.store.modes(name)}


def _symbol(text):
    if text == "NOPE":
        raise refuse(Reason.UNKNOWN_SYMBOL, "no such pair")
    return text.replace("XBT", "BTC")


def rigged(scenario):
    async def main():
        rig = Rig()
        await scenario(rig)
        await rig.tasks.close()
        assert [] == rig.tasks.failures

    run_sim(main())


async def refused(call):
    with pytest.raises(Declined) as error:
        await call
    return error.value


# ---- accounts in scope ---------------------------------------------------------------------------------------------


def test_everything_is_kept_with_every_account():
    """One entry each, and one answer; a halt sweeps each, and the counts add up."""

    async def scenario(rig):
        done = await rig.set(RISK, ALL, HALTED)
        assert (None, ALL, HALTED, 5) == (done.previous, done.current.scope, done.current.mode, done.cancel_requested)
        assert {"everything": HALTED} == await rig.kept("main") == await rig.kept("second")
        assert [("main", ALL, "risk"), ("second", ALL, "risk")] == sorted(rig.swept)

    rigged(scenario)


@pytest.mark.parametrize(("caller", "accounts"), [(RISK, ["main", "second"]), (HALF, ["main"])])
def test_a_scope_without_an_account_is_for_those_its_setter_has_kill_on(caller, accounts):
    """Kept as an entry of each, which one who names the account finds again."""

    async def scenario(rig):
        done = await rig.set(caller, Scope(caller="bot"), CANCEL_ONLY)
        assert Scope(caller="bot") == done.current.scope
        for name in ("main", "second"):
            expected = {f"account {name}, caller bot": CANCEL_ONLY} if name in accounts else {}
            assert expected == await rig.kept(name)

    rigged(scenario)


def test_a_pair_is_kept_in_its_canonical_spelling():
    """Whatever spelling was typed; an unknown one is refused, and nothing is set."""

    async def scenario(rig):
        await rig.set(RISK, Scope("main", symbol="XBT/USD"), HALTED)
        assert {"account main, symbol BTC/USD": HALTED} == await rig.kept("main")
        unknown = await refused(rig.set(RISK, Scope("main", symbol="NOPE"), HALTED))
        assert (Reason.UNKNOWN_SYMBOL, 1) == (unknown.reason, len(rig.accounts["main"].entries))

    rigged(scenario)


# ---- a name that nobody has ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [HALTED, NORMAL])
def test_a_caller_nobody_knows_is_told_and_the_mode_is_set_all_the_same(mode):
    """It may have been mistyped, when it is halted as when that is lifted; only the accounts in scope are asked."""

    async def scenario(rig):
        if mode is NORMAL:
            await rig.set(RISK, Scope(caller="bto"), HALTED)
        done = await rig.set(ROOT, Scope(caller="bto"), mode)
        known = await rig.set(ROOT, Scope("main", caller="bot"), mode)
        assert (True, False) == (done.caller_unknown, known.caller_unknown)
        assert [("bto", ["main", "second"]), ("bot", ["main"])] == rig.asked[-2:]
        expected = {"account main, caller bto": HALTED, "account main, caller bot": HALTED}
        assert ({} if mode is NORMAL else expected) == await rig.kept("main")

    rigged(scenario)


@pytest.mark.parametrize("found", [5.0, Busy(Fault(Reason.STORE_UNAVAILABLE, "no store"))])
def test_a_name_that_cannot_be_looked_up_is_not_called_unknown(found):
    """A halt waits half a second for it at most, and is told as ever."""

    async def scenario(rig):
        rig.known["bto"] = found
        began = rig.clock.monotonic()
        done = await rig.set(RISK, Scope("main", caller="bto"), HALTED)
        assert (False, HALTED) == (done.caller_unknown, done.current.mode)
        assert 0.5 >= round(rig.clock.monotonic() - began, 6)

    rigged(scenario)


def test_a_scope_without_a_caller_asks_for_no_name():
    """There is none to be mistyped."""

    async def scenario(rig):
        assert not (await rig.set(RISK, ALL, HALTED)).caller_unknown
        assert [] == rig.asked

    rigged(scenario)


# ---- rights --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caller", "scope", "reason"),
    [
        (HALF, Scope("second"), Reason.PERMISSION_MISSING),
        (HALF, ALL, Reason.PERMISSION_MISSING),
        (HALF, Scope("third"), Reason.ACCOUNT_NOT_GRANTED),
        (who("t", main=False, second=False), Scope(caller="bot"), Reason.PERMISSION_MISSING),
        (who("a", [ADMIN], main=False), Scope("main"), Reason.PERMISSION_MISSING),
    ],
)
def test_stricter_needs_kill_on_each_account_in_scope(caller, scope, reason):
    """Else nothing is set anywhere."""

    async def scenario(rig):
        error = await refused(rig.set(caller, scope, HALTED))
        assert (reason, [], {}, {}) == (error.reason, rig.swept, await rig.kept("main"), await rig.kept("second"))

    rigged(scenario)


def test_who_is_admin_may_halt_everything():
    """Also without kill on every account."""

    async def scenario(rig):
        await rig.set(who("a", [ADMIN], main=True), ALL, HALTED)
        assert {"everything": HALTED} == await rig.kept("second")

    rigged(scenario)


@pytest.mark.parametrize("mode", [NORMAL, REDUCE_ONLY, CANCEL_ONLY])
def test_looser_needs_admin_besides(mode):
    """With kill alone it stays as strict as it was; with both it is as asked."""

    async def scenario(rig):
        await rig.set(RISK, ALL, HALTED)
        error = await refused(rig.set(RISK, ALL, mode))
        assert (Reason.PERMISSION_MISSING, "admin") == (error.reason, error.fault.metadata["permission"])
        assert {"everything": HALTED} == await rig.kept("main")
        done = await rig.set(ROOT, ALL, mode)
        assert (HALTED, mode) == (done.previous.mode, done.current.mode)
        assert ({} if mode is NORMAL else {"everything": mode}) == await rig.kept("main") == await rig.kept("second")

    rigged(scenario)


def test_what_is_looser_on_one_account_is_looser():
    """A scope over two accounts, one of them stricter already: that takes admin, and is then alike on both."""

    async def scenario(rig):
        await rig.set(RISK, Scope("main", "bot"), HALTED)
        error = await refused(rig.set(RISK, Scope(caller="bot"), CANCEL_ONLY))
        assert (Reason.PERMISSION_MISSING, {}) == (error.reason, await rig.kept("second"))
        await rig.set(ROOT, Scope(caller="bot"), CANCEL_ONLY)
        assert [CANCEL_ONLY, CANCEL_ONLY] == [
            *(await rig.kept("main")).values(),
            *(await rig.kept("second")).values(),
        ]

    rigged(scenario)


# ---- repeats -------------------------------------------------------------------------------------------------------


def test_the_same_again_keeps_the_first_entry_and_cancels_again():
    """Who set it first, and when, stays; nothing is written; what is open now is asked to go."""

    async def scenario(rig):
        await rig.set(RISK, ALL, HALTED)
        written = await rig.store.last_sequence("main")
        rig.open = {"main": 1, "second": 0}
        done = await rig.set(ROOT, ALL, HALTED)
        assert ("risk", "risk", 1) == (done.previous.set_by, done.current.set_by, done.cancel_requested)
        assert written == await rig.store.last_sequence("main")

    rigged(scenario)


def test_another_reason_is_written_down():
    """The same mode with another comment is an entry of its own in the journal."""

    async def scenario(rig):
        await rig.set(RISK, ALL, HALTED)
        done = await rig.set(ROOT, ALL, HALTED, "worse news")
        assert ("root", "worse news") == (done.current.set_by, done.current.comment)
        assert 2 == await rig.store.last_sequence("main")

    rigged(scenario)


def test_lifting_what_was_never_set_changes_nothing():
    """No entry, no write, no right beyond kill."""

    async def scenario(rig):
        done = await rig.set(RISK, ALL, NORMAL)
        assert (None, NORMAL, 0) == (done.previous, done.current.mode, await rig.store.last_sequence("main"))

    rigged(scenario)


@pytest.mark.parametrize("mode", [REDUCE_ONLY, CANCEL_ONLY])
def test_only_a_halt_cancels(mode):
    """The others leave what is open."""

    async def scenario(rig):
        done = await rig.set(RISK, ALL, mode)
        assert ([], 0) == (rig.swept, done.cancel_requested)

    rigged(scenario)


# ---- who is shown what ---------------------------------------------------------------------------------------------


def test_a_caller_is_shown_what_touches_it_and_with_kill_all_of_the_account():
    """Strictest first; everything that is kept with several accounts once."""

    async def scenario(rig):
        await rig.set(RISK, Scope("main", "bot"), CANCEL_ONLY)
        await rig.set(RISK, Scope("second", "ann"), HALTED)
        await rig.set(RISK, ALL, REDUCE_ONLY)
        shown = {
            name: [str(each.scope) for each in rig.modes.touching(caller)]
            for name, caller in {
                "bot": who("bot", main=False),
                "ann": who("ann", main=False),
                "half": HALF,
                "risk": RISK,
                "none": who("none"),
            }.items()
        }
        bot, ann, everything = "account main, caller bot", "account second, caller ann", "everything"
        assert {
            "bot": [bot, everything],
            "ann": [everything],
            "half": [bot, everything],
            "risk": [ann, bot, everything],
            "none": [],
        } == shown

    rigged(scenario)
