"""Mailboxes: bounded, conflating or buffering, honest about both."""

from execsvc.app.hub import Batch, Delivery, Gap, Mailbox, StateChanged
from execsvc.domain.market import FeedState, GapReason
from tests.support.simloop import SimClock, run_sim

CONFLATE = Delivery(conflate=True)


def in_box(scenario, delivery, refresh=lambda _: None):
    async def main():
        clock = SimClock()
        await scenario(Mailbox(delivery, clock, refresh), clock)

    run_sim(main())


def test_a_conflating_box_keeps_the_newest_and_counts_what_it_folded():
    """A slow reader sees the newest picture per symbol and how many updates are in it."""

    async def scenario(box, _):
        for price in (1, 2, 3):
            box.offer("BTC/USD", price, snapshot=False)
        box.offer("ETH/USD", 9, snapshot=False)
        assert await box.take(1.0) == Batch((3, 9), snapshot=False, folded=2)

    in_box(scenario, CONFLATE)


def test_a_snapshot_that_is_folded_stays_a_snapshot():
    """A reader never sees an update of something it has no snapshot of."""

    async def scenario(box, _):
        box.offer("BTC/USD", 1, snapshot=True)
        box.offer("BTC/USD", 2, snapshot=False)
        assert await box.take(1.0) == Batch((2,), snapshot=True, folded=1)

    in_box(scenario, CONFLATE)


def test_nothing_to_read_comes_back_at_the_instant_asked():
    """take() is bounded: the heartbeat clock of the pump depends on it."""

    async def scenario(box, clock):
        assert await box.take(2.5) is None
        assert clock.monotonic() == 2.5

    in_box(scenario, CONFLATE)


def test_min_interval_spaces_the_pictures_of_one_symbol():
    """The next picture of a symbol waits; the newest one wins meanwhile."""

    async def scenario(box, clock):
        box.offer("BTC/USD", 1, snapshot=False)
        await box.take(9.0)
        box.offer("BTC/USD", 2, snapshot=False)
        box.offer("BTC/USD", 3, snapshot=False)
        assert await box.take(9.0) == Batch((3,), snapshot=False, folded=1)
        assert clock.monotonic() == 2.0

    in_box(scenario, Delivery(conflate=True, min_interval_s=2.0))


def test_batches_are_bounded():
    """At most max_batch items in one message, the rest in the next."""

    async def scenario(box, _):
        for number in range(5):
            box.offer(f"S{number}", number, snapshot=False)
        assert [len((await box.take(1.0)).items) for _ in range(3)] == [2, 2, 1]

    in_box(scenario, Delivery(conflate=True, max_batch=2))


def test_a_buffering_box_keeps_every_item_in_order():
    """BUFFER folds nothing within its bound."""

    async def scenario(box, _):
        for number in range(5):
            box.offer("BTC/USD", number, snapshot=False)
        assert await box.take(1.0) == Batch((0, 1, 2, 3, 4), snapshot=False, folded=0)

    in_box(scenario, Delivery(conflate=False))


def test_a_full_buffer_leaves_a_gap_and_asks_for_a_fresh_picture():
    """Past the bound the reader is told what it lost and starts from a snapshot."""
    asked = []

    async def scenario(box, _):
        for number in range(4):
            box.offer("BTC/USD", number, snapshot=False)
        assert await box.take(1.0) == Gap(GapReason.SLOW_CONSUMER, ("BTC/USD",), 4)
        assert await box.take(1.0) is None
        assert asked == [("BTC/USD",)]

    in_box(scenario, Delivery(conflate=False, max_buffered=3), asked.append)


def test_a_gap_voids_what_is_pending_of_its_symbols_only():
    """Stale updates never follow the gap; other symbols are untouched."""

    async def scenario(box, _):
        box.offer("BTC/USD", 1, snapshot=False)
        box.offer("ETH/USD", 2, snapshot=False)
        box.void(Gap(GapReason.UPSTREAM_INTEGRITY, ("BTC/USD",)))
        assert await box.take(1.0) == Gap(GapReason.UPSTREAM_INTEGRITY, ("BTC/USD",))
        assert await box.take(1.0) == Batch((2,), snapshot=False, folded=0)

    in_box(scenario, CONFLATE)


def test_a_change_of_state_is_told_before_any_data_and_once():
    """A strategy stops quoting at once."""

    async def scenario(box, _):
        box.offer("BTC/USD", 1, snapshot=False)
        box.move(FeedState.STALE)
        box.move(FeedState.STALE)
        assert await box.take(1.0) == StateChanged()
        assert box.state is FeedState.STALE
        assert await box.take(1.0) == Batch((1,), snapshot=False, folded=0)

    in_box(scenario, CONFLATE)
