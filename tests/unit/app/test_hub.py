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


def test_a_snapshot_does_not_wait_for_its_interval():
    """What a reader has to begin anew with is told at once, however lately the symbol was told."""

    async def scenario(box, clock):
        box.offer("BTC/USD", 1, snapshot=False)
        await box.take(9.0)
        box.offer("BTC/USD", 2, snapshot=True)
        assert await box.take(9.0) == Batch((2,), snapshot=True, folded=0)
        assert clock.monotonic() == 0.0

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


def test_a_full_buffer_names_the_symbol_that_did_not_fit():
    """What was dropped on top of a full buffer is in the gap too, so that its picture comes anew."""
    asked = []

    async def scenario(box, _):
        for symbol in ("A", "A", "B"):
            box.offer(symbol, 1, snapshot=False)
        assert await box.take(1.0) == Gap(GapReason.SLOW_CONSUMER, ("A", "B"), 3)
        assert asked == [("A", "B")]

    in_box(scenario, Delivery(conflate=False, max_buffered=2), asked.append)


def test_snapshots_always_fit():
    """A stream of many symbols may begin with more pictures than its buffer holds changes."""

    async def scenario(box, _):
        for symbol in "ABC":
            box.offer(symbol, symbol, snapshot=True)
        assert await box.take(1.0) == Batch(("A", "B", "C"), snapshot=True, folded=0)

    in_box(scenario, Delivery(conflate=False, max_buffered=2))


def test_snapshots_are_not_counted_as_lost():
    """Only changes are: a fresh snapshot has all that an older one had."""

    async def scenario(box, _):
        for symbol in "ABC":
            box.offer(symbol, symbol, snapshot=True)
        box.offer("A", "a", snapshot=False)
        assert await box.take(1.0) == Gap(GapReason.SLOW_CONSUMER, ("A", "B", "C"), 1)

    in_box(scenario, Delivery(conflate=False, max_buffered=3))


def test_gaps_of_one_reason_are_told_as_one():
    """A reader that stands still for hours costs one notice, not one a gap."""

    async def scenario(box, _):
        for _ in range(9):
            box.offer("A", 1, snapshot=False)
        assert await box.take(1.0) == Gap(GapReason.SLOW_CONSUMER, ("A",), 9)
        assert await box.take(1.0) is None

    in_box(scenario, Delivery(conflate=False, max_buffered=2))


def test_a_hole_in_a_log_stands_where_it_is():
    """What came before an interruption is told before it, what came after, after."""

    async def scenario(box, _):
        hole = Gap(GapReason.UPSTREAM_RECONNECT, ("A",))
        box.offer("A", 1, snapshot=False)
        box.interrupt(hole)
        box.interrupt(Gap(GapReason.UPSTREAM_RECONNECT, ("B",)))
        box.offer("A", 2, snapshot=False)
        assert [await box.take(1.0) for _ in range(3)] == [
            Batch((1,), snapshot=False, folded=0),
            Gap(GapReason.UPSTREAM_RECONNECT, ("A", "B")),
            Batch((2,), snapshot=False, folded=0),
        ]

    in_box(scenario, Delivery(conflate=False), None)


def test_a_log_counts_exactly_what_it_lost():
    """Offered is what was taken plus what the gaps say, whatever the order of puts and takes."""

    async def scenario(box, _):
        taken = lost = 0
        for number in range(100):
            box.offer("A", number, snapshot=False)
            mail = await box.take(0.0) if number % 7 == 0 else None
            taken += len(mail.items) if isinstance(mail, Batch) else 0
            lost += mail.lost if isinstance(mail, Gap) else 0
        while (mail := await box.take(0.0)) is not None:
            taken += len(mail.items) if isinstance(mail, Batch) else 0
            lost += mail.lost if isinstance(mail, Gap) else 0
        assert (100, True) == (taken + lost, lost > 0)

    in_box(scenario, Delivery(conflate=False, max_buffered=4, max_batch=1), None)


def test_a_count_with_an_uncounted_hole_inside_is_no_count():
    """Nobody knows how many trades a broken link swallowed, so the sum is not known either."""

    async def scenario(box, _):
        box.offer("A", 1, snapshot=False)
        box.interrupt(Gap(GapReason.UPSTREAM_RECONNECT, ("B",)))
        box.offer("A", 2, snapshot=False)
        assert await box.take(1.0) == Gap(GapReason.SLOW_CONSUMER, ("A", "B"), None)

    in_box(scenario, Delivery(conflate=False, max_buffered=2), None)


def test_parts_of_a_symbol_are_folded_each_for_itself():
    """A newer value of one part never displaces another part."""

    async def scenario(box, _):
        for part, item in ((1, "a"), (1, "b"), (2, "c"), (2, "d")):
            box.offer("A", item, snapshot=False, part=part)
        assert await box.take(1.0) == Batch(("b", "d"), snapshot=False, folded=2)

    in_box(scenario, CONFLATE)


def test_a_snapshot_replaces_all_parts_of_its_symbol():
    """They are in it; other symbols keep theirs."""

    async def scenario(box, _):
        for symbol, part in (("A", 1), ("A", 2), ("B", 1)):
            box.offer(symbol, f"{symbol}{part}", snapshot=False, part=part)
        box.offer("A", "whole", snapshot=True)
        mails = [await box.take(1.0) for _ in range(2)]
        assert [("B1",), ("whole",)] == [mail.items for mail in mails]
        assert [0, 2] == [mail.folded for mail in mails]

    in_box(scenario, CONFLATE)


def test_parts_are_bounded():
    """Parts that nobody takes end in a gap and fresh pictures, not in memory without end."""
    asked = []

    async def scenario(box, _):
        for part in range(1, 5):
            box.offer("A", part, snapshot=False, part=part)
        assert await box.take(1.0) == Gap(GapReason.SLOW_CONSUMER, ("A",), 4)
        assert asked == [("A",)]

    in_box(scenario, Delivery(conflate=True, max_buffered=3), asked.append)
