"""From the loop to a thread and back: bounded, in order, and nobody waits for ever."""

import asyncio
import threading

import pytest

from execsvc.domain.errors import Broken, Busy
from execsvc.store.bridge import Bridge, Inbox, Outcome
from execsvc.store.refusals import broken


def answering(serve=None, *, size=8, most=4):
    """A bridge whose thread runs each piece of work; the batches it took are noted."""
    batches = []

    def run(tickets):
        batches.append(len(tickets))
        for ticket in tickets:
            outcome = Outcome.of(ticket.work)
            bridge.tell(lambda ticket=ticket, outcome=outcome: ticket.settle(outcome))

    bridge = Bridge("worker", size, most, serve or run)
    return bridge, batches


def end(bridge):
    bridge.shut()
    bridge.join()


def test_an_inbox_holds_so_much_and_no_more():
    """Putting never waits: what does not fit is refused."""
    inbox = Inbox(2)
    assert [True, True, False] == [inbox.put(number) for number in range(3)]


def test_an_inbox_gives_what_is_there_up_to_a_limit():
    """First in, first out, at most so many at once."""
    inbox = Inbox(8)
    for number in range(5):
        inbox.put(number)
    assert [[0, 1, 2], [3, 4]] == [inbox.take(3), inbox.take(3)]


def test_a_shut_inbox_takes_nothing_and_gives_the_rest():
    """What was put before can still be taken; then there is nothing, at once."""
    inbox = Inbox(8)
    inbox.put(1)
    inbox.shut()
    assert (False, [1], []) == (inbox.put(2), inbox.take(3), inbox.take(3))


async def test_work_is_answered_with_its_value_or_its_error():
    """The future carries what the work returned, or the error of ours that it raised."""

    def fail():
        raise broken("as asked")

    bridge, _ = answering()
    assert 7 == await bridge.ask(lambda: 7)
    with pytest.raises(Broken, match="as asked"):
        await bridge.ask(fail)
    end(bridge)


async def test_what_queues_meanwhile_is_taken_together():
    """A lone piece goes at once; what comes while it runs is taken in one piece, up to the limit."""
    started, go = threading.Event(), threading.Event()
    bridge, batches = answering()
    first = bridge.ask(lambda: started.set() or go.wait(10))
    assert started.wait(10)
    others = [bridge.ask(lambda: None) for _ in range(6)]
    go.set()
    await asyncio.gather(first, *others)
    assert [1, 4, 2] == batches
    end(bridge)


async def test_more_than_the_queue_holds_is_refused():
    """The refusal is immediate and says which queue."""
    started, go = threading.Event(), threading.Event()
    bridge, _ = answering(size=2)
    asked = [bridge.ask(lambda: started.set() or go.wait(10))]
    assert started.wait(10)
    asked += [bridge.ask(lambda: None) for _ in range(2)]
    with pytest.raises(Busy, match="queue of its worker is full"):
        bridge.ask(lambda: None)
    go.set()
    await asyncio.gather(*asked)
    end(bridge)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_when_a_defect_ends_the_thread_nobody_waits_for_ever():
    """What it held and what was queued is Busy, and so is everything asked later; it says why."""

    def defect(tickets):
        assert go.wait(10)
        raise ZeroDivisionError

    go = threading.Event()
    bridge, _ = answering(defect, most=1)
    asked = [bridge.ask(lambda: None) for _ in range(3)]
    go.set()
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [Busy] * 3 == [type(answer) for answer in answers]
    with pytest.raises(Busy, match="ended by a defect"):
        bridge.ask(lambda: None)
    end(bridge)
    assert "its worker has ended by a defect: restart the service" == bridge.stopped


async def test_an_answer_nobody_waits_for_is_dropped():
    """A cancelled future is left alone; the thread works on."""
    bridge, _ = answering()
    bridge.ask(lambda: 1).cancel()
    assert 2 == await bridge.ask(lambda: 2)
    end(bridge)


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_loop_that_is_gone_does_not_hurt_the_thread():
    """Work that ends after its loop was closed is done all the same."""
    done, go = [], threading.Event()

    async def leave():
        bridge, _ = answering()
        bridge.ask(lambda: go.wait(10) and done.append(1))
        return bridge

    bridge = asyncio.run(leave())
    go.set()
    end(bridge)
    assert [1] == done
