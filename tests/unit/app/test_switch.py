"""Whether orders are taken, and what keeps them out across a restart."""

from execsvc.app.switch import Switch
from execsvc.domain.errors import Busy, Fault, Reason
from tests.support.simloop import SimClock, SimTasks, run_sim

PASSING = Fault(Reason.VENUE_UNREACHABLE, "starting")


class Memory:
    """ports.Facts over a dict; `failures` many writes fail first."""

    def __init__(self):
        self.kept = {}
        self.failures = 0

    async def remember(self, account, name, value):
        if self.failures:
            self.failures -= 1
            raise Busy(Fault(Reason.STORE_UNAVAILABLE, "disk full"))
        self.kept[account, name] = value

    async def recall(self, account, name):
        return self.kept.get((account, name), "")


def switching(scenario, facts=None):
    async def main():
        clock, tasks, told = SimClock(), SimTasks(), []
        switch = Switch("main", facts or Memory(), clock, tasks, told.append)
        await scenario(switch, clock, told)
        await clock.sleep(5)
        await tasks.close()
        return switch

    return run_sim(main())


def test_causes_come_and_go_by_name():
    """Two causes: the desk opens only when both are gone, and no id is used meanwhile."""

    async def scenario(switch, *_):
        switch.close("start", PASSING)
        switch.close("key", Fault(Reason.VENUE_UNREACHABLE, "key"))
        switch.open("start")
        assert ("key", "false") == (switch.closed_because.message, switch.closed_because.metadata["id_used"])
        switch.open("key")
        assert switch.closed_because is None

    switching(scenario)


def test_a_halt_outranks_what_passes_and_says_how_to_end_it():
    """A halt is told first, with its own id in the way out."""

    async def scenario(switch, _, told):
        switch.close("start", PASSING)
        switch.halt("two orders where one should be")
        assert Reason.TRADING_HALTED is switch.closed_because.reason
        assert "EXECSVC_CLEAR_HALT=" in switch.closed_because.message
        assert ["two orders where one should be"] == told
        assert 1 == len(switch.problems)

    switching(scenario)


def test_a_halt_survives_a_restart_until_it_is_cleared_by_its_id():
    """The next life is halted too; the wrong id clears nothing, the right one clears it for good."""
    facts = Memory()

    async def first(switch, *_):
        switch.halt("look")

    async def wrong(switch, *_):
        assert "" == await switch.restore("beef")
        assert switch.closed_because is not None

    halted = switching(first, facts).closed_because.message
    halt_id = halted.rpartition("EXECSVC_CLEAR_HALT=")[2].rstrip(")")
    switching(wrong, facts)

    async def right(switch, *_):
        assert halt_id == await switch.restore(halt_id)
        assert switch.closed_because is None
        assert "" == await switch.restore(halt_id)

    switching(right, facts)


def test_a_halt_is_kept_once_the_store_takes_it():
    """The store fails twice: the halt holds at once and is durable as soon as may be."""
    facts = Memory()
    facts.failures = 2

    async def scenario(switch, *_):
        switch.halt("look")
        assert switch.closed_because is not None

    switching(scenario, facts)
    assert "look" in facts.kept["main", "halt"]


def test_a_second_alarm_does_not_replace_the_first_halt():
    """The first contradiction stays the reason; the second is heard all the same."""

    async def scenario(switch, _, told):
        switch.halt("first")
        switch.halt("second")
        assert "first" in switch.closed_because.message
        assert ["first", "second"] == told

    switching(scenario)
