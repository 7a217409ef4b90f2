"""What is told of a trading mode is so, and stays so: a lifting that fails or comes late, and what is read at a start."""

import pytest

from execsvc.domain.errors import Busy, Fault, Reason
from execsvc.domain.modes import ModeEntry, TradingMode
from tests.unit.app.test_modes import ALL, RISK, ROOT, rigged

NORMAL, REDUCE_ONLY, _, HALTED = TradingMode


async def not_lifted(rig):
    with pytest.raises(Busy) as error:
        await rig.set(ROOT, ALL, NORMAL)
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


@pytest.mark.parametrize("fails", ["main", "second"])
def test_a_lifting_that_fails_on_one_account_lifts_nothing_on_another(fails):
    """It is refused as a whole, and what was written of it is written anew."""

    async def scenario(rig):
        await rig.set(RISK, ALL, HALTED)
        writing = rig.store.set_mode

        async def failing(account, *given):
            if account == fails and given[0].mode is NORMAL:
                raise Busy(Fault(Reason.STORE_UNAVAILABLE, "disk full"))
            await writing(account, *given)

        rig.store.set_mode = failing
        assert "false" == (await not_lifted(rig)).fault.metadata["in_force"]
        assert [HALTED] * 2 == [entry.mode for each in rig.accounts.values() for entry in each.entries]
        await rig.clock.sleep(3)
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
