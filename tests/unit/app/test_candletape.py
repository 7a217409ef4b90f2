"""The tape of candles: what is closed, what readers have to know, and never a hole inside."""

from feeds_parts import candle, shown
from hypothesis import given
from hypothesis import strategies as st

from execsvc.app.candletape import CLOSED_MAX, CandleTape


def tape_of(*minutes):
    tape = CandleTape()
    tape.restart(candle(each) for each in minutes)
    return tape


def test_all_but_the_newest_of_a_snapshot_are_closed():
    """Kraken does not say it; a later candle proves it."""
    assert shown(tape_of(1, 2, 3).last(9)) == [(1, True), (2, True), (3, False)]


def test_a_change_of_the_open_candle_is_told_alone():
    """It replaces the one that is held."""
    tape = tape_of(1, 2)
    told = tape.add(candle(2, price="5"))
    assert (shown(told), tape.last(0)) == ([(2, False)], told)


def test_the_first_trade_of_a_new_candle_closes_the_last():
    """Both are told, the closing one first and with its last figures."""
    tape = tape_of(1)
    tape.add(candle(1, price="5"))
    closing, opened = tape.add(candle(2))
    assert ([(1, True), (2, False)], 5) == (shown((closing, opened)), closing.close_price)


def test_a_correction_of_an_older_candle_is_closed():
    """Late news about the past do not open it again, and stand in their place."""
    tape = tape_of(1, 3)
    assert shown(tape.add(candle(2))) == [(2, True)]
    assert shown(tape.last(9)) == [(1, True), (2, True), (3, False)]


def test_what_the_venue_called_closed_stays_closed():
    """REST may know before the stream does."""
    tape = CandleTape()
    tape.extend_back([candle(1, closed=True), candle(2, closed=True)])
    assert shown(tape.add(candle(2))) == [(2, True)]


def test_a_restart_that_reaches_back_keeps_what_is_older():
    """The hole is closed: the new rows begin where the old ones end, or before."""
    tape = tape_of(1, 2, 3)
    tape.restart([candle(3), candle(4), candle(5)])
    assert shown(tape.last(9)) == [(1, True), (2, True), (3, True), (4, True), (5, False)]


def test_a_restart_with_a_hole_forgets_what_is_older():
    """Candles with one missing between them are never shown together."""
    tape = tape_of(1, 2)
    tape.extend_back([candle(1, closed=True), candle(2)])
    assert tape.covers(700)
    tape.restart([candle(4), candle(5)])
    assert shown(tape.last(9)) == [(4, True), (5, False)]
    assert not tape.covers(2)


def test_the_past_is_put_before_the_tape():
    """The stream's own rows are newer than REST's; after it there is nothing older to be had."""
    tape = tape_of(3, 4)
    tape.add(candle(4, price="9"))
    assert tape.extend_back([candle(each, closed=each < 2) for each in (1, 2, 3, 4)])
    assert shown(tape.last(9)) == [(1, True), (2, True), (3, True), (4, False)]
    assert (tape.last(0)[0].close_price, tape.covers(700)) == (9, True)


def test_a_past_that_ends_before_the_tape_is_refused():
    """It is of another time: there may be a hole between the two."""
    tape = tape_of(5, 6)
    assert not tape.extend_back([candle(1, closed=True), candle(2)])
    assert (shown(tape.last(9)), tape.covers(2)) == ([(5, True), (6, False)], False)


def test_a_past_alone_is_taken_as_it_is():
    """Of a market that does not trade the stream says nothing; REST knows its last candle, open as it is."""
    tape = CandleTape()
    tape.restart(())
    assert tape.extend_back([candle(1, closed=True), candle(2)])
    assert shown(tape.last(9)) == [(1, True), (2, False)]
    assert shown(tape.add(candle(3))) == [(2, True), (3, False)]


def test_as_many_closed_ones_as_asked_for():
    """The newest of them, and the open one."""
    assert [shown(tape_of(1, 2, 3).last(count)) for count in (0, 1)] == [[(3, False)], [(2, True), (3, False)]]


@given(st.lists(st.tuples(st.sampled_from(["add", "restart", "past"]), st.lists(st.integers(1, 9), max_size=5))))
def test_only_the_newest_may_be_open_and_order_is_time(acts):
    """After any run of snapshots, changes and pasts: rising times, and nothing but the last is open."""
    tape = CandleTape()
    for act, minutes in acts:
        rows = [candle(each) for each in minutes]
        if act == "restart":
            tape.restart(rows)
        elif act == "past":
            tape.extend_back([candle(each, closed=each < max(minutes)) for each in sorted(set(minutes))])
        else:
            for row in rows:
                tape.add(row)
        held = shown(tape.last(CLOSED_MAX))
        assert [number for number, _ in held] == sorted({number for number, _ in held})
        assert all(closed for _, closed in held[:-1])


def test_the_tape_is_bounded():
    """At most as many closed candles as Kraken keeps, the newest of them."""
    tape = CandleTape()
    for minute in range(CLOSED_MAX + 50):
        tape.add(candle(minute))
    assert (CLOSED_MAX + 1, 49) == (len(tape.last(10**6)), shown(tape.last(10**6))[0][0])
