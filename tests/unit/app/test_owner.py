"""Tenure: who stood still, or was replaced, sends nothing."""

import pytest

from execsvc.app.owner import Owner
from execsvc.domain.errors import Broken, Busy, Fault, Reason
from execsvc.domain.order import Status
from tests.support.simloop import SimClock, SimTasks, run_sim
from tests.support.world import world


class Confirming:
    """The store's answer to "am I still the owner?": None is yes, a fault is raised."""

    def __init__(self):
        self.fault = None
        self.asked = 0

    async def confirm(self):
        self.asked += 1
        if self.fault is not None:
            raise Busy(self.fault)


def kept(scenario):
    async def main():
        clock, tasks, store = SimClock(), SimTasks(), Confirming()
        owner = Owner(store, clock)
        handle = tasks.start("owner", owner.keep())
        await scenario(owner, store, clock, handle)
        await tasks.close()

    run_sim(main())


def test_a_confirmed_tenure_forbids_nothing():
    """The loop confirms twice a second, so it never runs out by itself."""

    async def scenario(owner, store, clock, _):
        for _ in range(40):
            await clock.sleep(0.25)
            assert owner.forbids() is None

    kept(scenario)


def test_a_process_that_stood_still_must_confirm_first():
    """Nothing was confirmed for more than two seconds: nothing is sent, and the answer says so."""

    async def main():
        clock = SimClock()
        owner = Owner(Confirming(), clock)
        await clock.sleep(2.0)
        assert owner.forbids() is None
        await clock.sleep(0.1)
        assert Reason.NOT_OWNER is owner.forbids().reason
        owner.confirmed(clock.monotonic())
        assert owner.forbids() is None

    run_sim(main())


def test_time_counts_from_before_the_question():
    """An answer that took long confirms the moment it was asked for, not the moment it came."""

    async def main():
        clock = SimClock()
        owner = Owner(Confirming(), clock)
        asked = clock.monotonic()
        await clock.sleep(3.0)
        owner.confirmed(asked)
        assert owner.forbids() is not None

    run_sim(main())


def test_a_store_that_cannot_be_asked_is_told_as_such():
    """Cut off from the store: its own reason, and orders go on once it answers again."""

    async def scenario(owner, store, clock, _):
        store.fault = Fault(Reason.STORE_UNAVAILABLE, "disk gone")
        await clock.sleep(3.0)
        assert Reason.STORE_UNAVAILABLE is owner.forbids().reason
        store.fault = None
        await clock.sleep(0.6)
        assert owner.forbids() is None

    kept(scenario)


def test_a_process_that_was_replaced_ends():
    """The store belongs to another opening now: this process is broken, not busy."""

    async def scenario(owner, store, clock, handle):
        store.fault = Fault(Reason.NOT_OWNER, "another process has opened it since")
        with pytest.raises(Broken):
            await handle

    kept(scenario)


def test_an_order_caught_by_a_standstill_is_never_sent():
    """Durable, but the process stood still before its turn came: no byte leaves, and the same id may try again."""

    async def main():
        async with world() as here:
            sent = here.venue.place

            async def after_a_standstill(order, instrument, by, **rest):
                here.house.owner._confirmed -= 5.0
                return await sent(order, instrument, by, **rest)

            here.venue.place = after_a_standstill
            with pytest.raises(Busy) as refused:
                await here.place("c-1")
            assert (Reason.NOT_OWNER, "false") == (refused.value.reason, refused.value.fault.metadata["id_used"])
            assert [] == here.venue.sends
            here.venue.place = sent
            await here.clock.sleep(1.0)
            again = await here.place("c-1")
            assert (Status.OPEN, 1) == (again.order.status, again.order.attempt)

    run_sim(main())
