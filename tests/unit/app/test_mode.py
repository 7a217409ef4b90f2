"""The venue's own mode: what it keeps out of the desk, and that cancels pass whatever it says."""

import pytest

from execsvc.app.switch import mode_fault
from execsvc.domain.errors import ExecsvcError, Reason
from execsvc.domain.ids import OrderRef
from execsvc.domain.market import LinkDown, ModeSeen, VenueMode
from execsvc.domain.order import Status
from execsvc.ports import OrdersSnapshot
from tests.support.simloop import run_sim
from tests.support.world import ME, limit, world

SHUT = {VenueMode.MAINTENANCE, VenueMode.CANCEL_ONLY}


@pytest.mark.parametrize("mode", [None, *VenueMode])
@pytest.mark.parametrize("post_only", [True, False])
def test_a_mode_keeps_out_what_it_does_not_take(mode, post_only):
    """Maintenance and cancel-only take nothing new, post-only what rests; an unknown mode keeps nothing out."""
    fault = mode_fault(mode, post_only=post_only)
    kept_out = mode in SHUT or (mode is VenueMode.POST_ONLY and not post_only)
    assert kept_out is (fault is not None)
    if fault is not None:
        assert (Reason.INSTRUMENT_STATUS, mode.value.upper()) == (fault.reason, fault.metadata["status"])


def test_in_maintenance_no_order_is_begun_and_cancels_pass():
    """The refusal leaves the id free; once the stream says online, the same id is placed."""

    async def live():
        async with world() as here:
            executions = here.house.executions
            first = await here.place("c-1")
            await executions._take(OrdersSnapshot(()))
            executions._synced = True
            await executions._take(ModeSeen(VenueMode.MAINTENANCE))
            with pytest.raises(ExecsvcError) as refused:
                await here.place("c-2", limit("0.002"))
            cancelled = await here.desk.cancel(ME, OrderRef("c-1"), here.clock.monotonic() + 5)
            await executions._take(ModeSeen(VenueMode.ONLINE))
            again = await here.place("c-2", limit("0.002"))
            return first.order.status, refused.value.fault, cancelled.status, again.order.status

    first, fault, cancelled, again = run_sim(live())
    assert (Status.OPEN, Reason.INSTRUMENT_STATUS, "false") == (first, fault.reason, fault.metadata["id_used"])
    assert (Status.CANCELLED, Status.OPEN) == (cancelled, again)


def test_a_mode_that_nobody_would_correct_keeps_nothing_out():
    """When the stream is gone, the maintenance it told of may be over: Kraken itself is asked, by sending."""

    async def live():
        async with world() as here:
            executions = here.house.executions
            await executions._take(OrdersSnapshot(()))
            await executions._take(ModeSeen(VenueMode.MAINTENANCE))
            await executions._take(LinkDown("gone"))
            return executions.mode, (await here.place("c-1")).order.status

    assert (None, Status.OPEN) == run_sim(live())
