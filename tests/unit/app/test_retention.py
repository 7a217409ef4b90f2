"""What is too old goes, a little at a time, at the ages that were set."""

from execsvc.app.retention import BATCH, DAY_NS, Keep, Retention
from execsvc.domain.errors import Busy, Fault, Reason
from tests.support.simloop import SimClock, SimTasks, run_sim


class Shelf:
    """ports.Housekeeping over a number of old rows."""

    def __init__(self, rows):
        self.rows = rows
        self.asked = []
        self.failures = 0

    async def forget(self, account, *, events_before_ns, orders_before_ns, limit):
        if self.failures:
            self.failures -= 1
            raise Busy(Fault(Reason.STORE_UNAVAILABLE, "disk gone"))
        self.asked.append((account, events_before_ns, orders_before_ns, limit))
        went = min(limit, self.rows)
        self.rows -= went
        return went


def run(shelf, seconds):
    async def main():
        clock, tasks = SimClock(), SimTasks()
        tasks.start("retention", Retention("main", shelf, clock, Keep(90, 400)).run())
        await clock.sleep(seconds)
        await tasks.close()
        return tasks.failures

    return run_sim(main())


def test_ages_are_counted_from_now():
    """90 and 400 days back, in batches."""
    shelf = Shelf(0)
    run(shelf, 1)
    now = SimClock.EPOCH_NS
    assert [("main", now - 90 * DAY_NS, now - 400 * DAY_NS, BATCH)] == shelf.asked


def test_it_goes_on_until_nothing_is_too_old():
    """Three batches, then a look that finds none."""
    shelf = Shelf(2 * BATCH + 1)
    run(shelf, 60)
    assert (0, 4) == (shelf.rows, len(shelf.asked))


def test_a_store_that_fails_is_asked_again_in_an_hour():
    """Housekeeping is never a reason to stop."""
    shelf = Shelf(1)
    shelf.failures = 1
    assert [] == run(shelf, 3700)
    assert 0 == shelf.rows
