"""The last word before an amend's bytes leave: a mode that came meanwhile, of the order's caller or of whoever amends."""

import asyncio

import pytest

from execsvc.domain.caller import Permission, alike
from execsvc.domain.errors import ExecsvcError, Reason
from execsvc.domain.ids import OrderRef
from execsvc.domain.modes import ModeEntry, Scope, TradingMode
from tests.support.amends import AmendFate, amending

REF = OrderRef(client_order_id="c-1", caller="local")
HELPER = alike("helper", frozenset(Permission) - {Permission.ADMIN}, ("main",))


def set_while_written(here, caller):
    """The caller is set to CANCEL_ONLY right after the amend became durable."""
    amends, begin = here.store.amends, here.store.amends.begin

    async def spying(intent, now_ns):
        begun = await begin(intent, now_ns)
        scope = Scope(account="main", caller=caller)
        here.house.modes.impose(ModeEntry(scope, TradingMode.CANCEL_ONLY, "news", "ops", now_ns))
        return begun

    amends.begin = spying


@pytest.mark.parametrize("halted", ["local", "helper"])
def test_a_mode_that_comes_while_an_amend_is_written_down_keeps_it_from_leaving(halted):
    """Whether it is for the order's own caller or for the one who amends that order; the request id stays free."""

    async def scenario(here, order):
        set_while_written(here, halted)
        with pytest.raises(ExecsvcError) as caught:
            await here.amend("r-1", order=REF, who=HELPER, limit_price="59000")
        fault = caught.value.fault
        assert (Reason.TRADING_HALTED, "false") == (fault.reason, fault.metadata["id_used"])
        assert f"account main, caller {halted}" == fault.metadata["scope"]
        assert ([], [1]) == (here.exchange.sends, [room.released for room in here.exchange.rooms])

    amending(scenario)


def test_a_mode_of_somebody_else_stops_no_amend():
    """Only who has a part in it counts."""

    async def scenario(here, order):
        set_while_written(here, "third")
        assert (await here.amend("r-1", order=REF, who=HELPER, limit_price="59000")).applied

    amending(scenario)


def test_an_amend_on_its_way_is_in_the_scope_of_both():
    """A halt of the order's caller waits for its answer, and so does one of whoever amends; nobody else's does."""

    async def scenario(here, order):
        here.exchange.plan.append(AmendFate(answers_s=0.5))
        amend = asyncio.ensure_future(here.amend("r-1", order=REF, who=HELPER, limit_price="59000"))
        await here.clock.sleep(0.1)
        names = ("local", "helper", "third")
        held = [here.house.switch.wire.holds(Scope(caller=name)) for name in names]
        await amend
        assert [True, True, False] == held
        assert [False] * 3 == [here.house.switch.wire.holds(Scope(caller=name)) for name in names]

    amending(scenario)
