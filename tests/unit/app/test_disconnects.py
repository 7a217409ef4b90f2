"""Cancel on disconnect: what counts as lost, the grace, and that a cancel which fails is tried again."""

from contextlib import suppress

from execsvc.app.disconnects import Disconnects
from execsvc.domain.errors import Fault, Reason, error_of
from tests.support.simloop import SimClock, SimTasks, run_sim


class Desk:
    """Counts what is carried out; refuses the first `refusals` times."""

    def __init__(self, refusals=0):
        self.carried_out = 0
        self.refusals = refusals

    async def clear(self):
        if self.refusals:
            self.refusals -= 1
            raise error_of(Fault(Reason.STORE_UNAVAILABLE, "the store is down"))
        self.carried_out += 1


def with_streams(scenario, **parts):
    async def main():
        clock, tasks, alarms, desk = SimClock(), SimTasks(), [], Desk(**parts)
        await scenario(Disconnects(clock, tasks, alarms.append), clock, desk, alarms)
        await tasks.close()
        assert [] == tasks.failures

    run_sim(main())


def test_a_lost_stream_is_carried_out_after_the_grace():
    """Not before two seconds, and once."""

    async def scenario(streams, clock, desk, _):
        with streams.attached("a", desk.clear):
            await clock.sleep(1.0)
        await clock.sleep(1.9)
        assert 0 == desk.carried_out
        await clock.sleep(10.0)
        assert 1 == desk.carried_out

    with_streams(scenario)


def test_one_that_is_back_in_time_loses_nothing():
    """However long it then stays."""

    async def scenario(streams, clock, desk, _):
        with streams.attached("a", desk.clear):
            await clock.sleep(1.0)
        await clock.sleep(1.0)
        with streams.attached("a", desk.clear):
            await clock.sleep(20.0)
            assert 0 == desk.carried_out

    with_streams(scenario)


def test_a_loss_while_the_last_one_is_still_being_carried_out_counts_too():
    """What was placed between the two is the second one's to cancel."""

    async def scenario(streams, clock, desk, _):
        async def slowly():
            await clock.sleep(20.0)
            await desk.clear()

        for _ in range(2):
            with streams.attached("a", slowly):
                await clock.sleep(1.0)
            await clock.sleep(4.0)
        await clock.sleep(30.0)
        assert 2 == desk.carried_out

    with_streams(scenario)


def test_two_losses_within_the_grace_are_carried_out_once_after_the_last():
    """The grace counts from the last one."""

    async def scenario(streams, clock, desk, _):
        for _ in range(2):
            with streams.attached("a", desk.clear):
                await clock.sleep(0.5)
            await clock.sleep(1.0)
        await clock.sleep(0.8)
        assert 0 == desk.carried_out
        await clock.sleep(5.0)
        assert 1 == desk.carried_out

    with_streams(scenario)


def test_another_stream_of_the_name_holds_it():
    """Only the last one that goes counts."""

    async def scenario(streams, clock, desk, _):
        with streams.attached("a", desk.clear):
            with streams.attached("a", desk.clear):
                await clock.sleep(1.0)
            await clock.sleep(10.0)
            assert 0 == desk.carried_out

    with_streams(scenario)


def test_another_name_does_not_hold_it():
    """Each caller and session for itself."""

    async def scenario(streams, clock, desk, _):
        with streams.attached("b", Desk().clear):
            with streams.attached("a", desk.clear):
                await clock.sleep(1.0)
            await clock.sleep(10.0)
            assert 1 == desk.carried_out

    with_streams(scenario)


def test_a_planned_stop_is_no_loss():
    """This server ends its streams by itself: the caller is there."""

    async def scenario(streams, clock, desk, _):
        with suppress(Exception), streams.attached("a", desk.clear):
            raise error_of(Fault(Reason.SHUTTING_DOWN, "draining"))
        await clock.sleep(10.0)
        assert 0 == desk.carried_out

    with_streams(scenario)


def test_a_cancel_that_fails_is_tried_again():
    """Each second, while the store is down."""

    async def scenario(streams, clock, desk, alarms):
        with streams.attached("a", desk.clear):
            await clock.sleep(1.0)
        await clock.sleep(10.0)
        assert (1, []) == (desk.carried_out, alarms)

    with_streams(scenario, refusals=3)


def test_one_that_never_succeeds_is_told_to_a_person():
    """After half a minute, with why."""

    async def scenario(streams, clock, desk, alarms):
        with streams.attached("a", desk.clear):
            await clock.sleep(1.0)
        await clock.sleep(60.0)
        assert 0 == desk.carried_out
        assert ["orders of a, whose stream was lost, could not be cancelled: the store is down"] == alarms

    with_streams(scenario, refusals=1000)
