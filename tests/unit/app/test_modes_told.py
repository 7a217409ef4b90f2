"""What is told of a trading mode is so, and stays so: a lifting that fails or comes late, and what is read at a start."""

import pytest

from execsvc.domain.errors import Busy, Fault, Reason
from execsvc.domain.modes import ModeEntry, TradingMode
from tests.unit.app.test_modes import ALL, RISK, ROOT, rigged

NORMAL, REDUCE_ONLY, _, HALTED = TradingMode


async def not_lifted(rig, looser=NORMAL):
    with pytest.raises(Busy) as error:
        await rig.set(ROOT, ALL, looser)
    return error.value


def test_a_lifting_that_was_told_as_refused_does_not_come_true_later():
    """The store answers after the caller's time: what was strict stays so, here and after a restart."""

    async def scenario(rig):
        await rig.set(RISK, ALL, HALTED)
        writing = rig.store.set_mode

        async def slowly(*given):
            await rig.clock.sleep(7)
            await writing(*given)

        rig.store.set_mode = slowly
        error = await not_lifted(rig)
        assert ("false", "NORMAL") == (error.fault.metadata["in_force"], error.fault.metadata["mode"])
        rig.store.set_mode = writing
        for after_s in (0, 5, 5):
            await rig.clock.sleep(after_s)
            assert [HALTED] * 2 == [entry.mode for each in rig.accounts.values() for entry in each.entries]
        assert [{"everything": HALTED}] * 2 == [await rig.kept(name) for name in rig.accounts]

    rigged(scenario)


@pytest.mark.parametrize("looser", [NORMAL, REDUCE_ONLY])
@pytest.mark.parametrize(("fails", "other"), [("main", "second"), ("second", "main")])
def test_a_lifting_that_fails_on_one_account_lifts_nothing_on_another(fails, other, looser):
    """It is refused as a whole: what was written of it is written anew, and what may have come in meanwhile is cancelled."""

    async def scenario(rig):
        await rig.set(RISK, ALL, HALTED)
        rig.swept.clear()
        writing = rig.store.set_mode

        async def failing(account, *given):
            if account == fails and given[0].mode is looser:
                raise Busy(Fault(Reason.STORE_UNAVAILABLE, "disk full"))
            await writing(account, *given)

        rig.store.set_mode = failing
        assert "false" == (await not_lifted(rig, looser)).fault.metadata["in_force"]
        assert [HALTED] * 2 == [entry.mode for each in rig.accounts.values() for entry in each.entries]
        await rig.clock.sleep(3)
        assert [{"everything": HALTED}] * 2 == [await rig.kept(name) for name in rig.accounts]
        assert [(other, ALL, "risk")] == rig.swept

    rigged(scenario)


def test_a_lifting_that_comes_too_late_undoes_nothing_stricter_that_was_set_meanwhile():
    """What was in force before it is kept only where nothing stricter is."""

    async def scenario(rig):
        await rig.set(RISK, ALL, REDUCE_ONLY)
        writing = rig.store.set_mode

        async def slowly(*given):
            await rig.clock.sleep(7)
            await writing(*given)

        rig.store.set_mode = slowly
        lifting = rig.tasks.start("lifting", not_lifted(rig, NORMAL))
        await rig.clock.sleep(1)
        for each in rig.accounts.values():
            each.impose(ModeEntry(ALL, HALTED, "worse news", "risk", 0))
        await lifting
        for after_s in (0, 30):
            await rig.clock.sleep(after_s)
            assert [HALTED] * 2 == [entry.mode for each in rig.accounts.values() for entry in each.entries]
        assert [{"everything": HALTED}] * 2 == [await rig.kept(name) for name in rig.accounts]

    rigged(scenario)


def test_what_is_read_late_undoes_nothing_that_was_set_meanwhile():
    """Two readings at a start, the second with an answer of before the halt: the halt stands."""

    async def scenario(rig):
        await rig.set(RISK, ALL, REDUCE_ONLY)
        rig.accounts = {"main": rig.account("main")}
        reading, late = rig.store.modes, []

        async def slowly(account):
            found = await reading(account)
            await rig.clock.sleep(9 if late else 0)
            late.append(account)
            return found

        rig.store.modes = slowly
        main = rig.accounts["main"]
        late.append("restart")
        restoring = rig.tasks.start("restart", main.load())
        await rig.clock.sleep(1)
        late.clear()
        await main.impose(ModeEntry(ALL, HALTED, "news", "risk", 0))
        await restoring
        assert [HALTED] == [each.mode for each in main.entries]

    rigged(scenario)
