"""The heads of the audit chains are told at the start, every hour and at the end; a store that cannot be read is told too."""

from execsvc.app.audithead import EVERY_S, ChainHead, HeadCopies
from execsvc.domain.errors import Busy, Fault, Reason
from tests.support.simloop import SimClock, SimTasks, run_sim

ONE = ChainHead("main", 7, "ab" * 32, "journal")
TWO = ChainHead("second", 3, "cd" * 32, "journal")


def copies_of(*answers):
    """Copies that read one answer after the other; the last one is repeated."""
    left, told, unread = list(answers), [], []

    async def read():
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return HeadCopies(read, told.append, unread.append, SimClock()), told, unread


def test_every_head_is_told_at_once_and_then_every_hour():
    """Whether it grew or not: logs are cut by time, and each piece must hold one."""

    async def hours():
        copies, told, _ = copies_of([ONE, TWO])
        clock, tasks = SimClock(), SimTasks()
        tasks.start("audit heads", copies.run())
        await clock.sleep(2.5 * EVERY_S)
        await tasks.close()
        return told

    assert [ONE, TWO] * 3 == run_sim(hours())


def test_a_store_that_cannot_be_read_is_told_and_tried_again():
    """The gateway goes on; an hour later the head is told."""

    async def hours():
        busy = Busy(Fault(Reason.STORE_UNAVAILABLE, "locked"))
        copies, told, unread = copies_of(busy, [ONE])
        await copies.copy()
        await copies.copy()
        return told, unread, copies.told

    assert ([ONE], ["locked"], {"main": ONE}) == run_sim(hours())
