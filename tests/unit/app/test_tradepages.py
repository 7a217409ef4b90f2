"""Public trades in pages: each once and in order, however many share a moment and however Kraken prints it."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.app.tradepages import TRADES_MAX, trade_page
from execsvc.domain.market import EventTimes, Side, Trade, TradePage


class Tape:
    """Trades as Kraken gives them: `since` exclusive, at most `count`, times printed in units of `printed_ns`."""

    def __init__(self, *times_ns, printed_ns=1):
        self.rows = [(at, number) for number, at in enumerate(sorted(times_ns), 1)]
        self.printed_ns = printed_ns
        self.asked = []

    def add(self, count):
        last = self.rows[-1][0]
        self.rows += [(last + 1000, len(self.rows) + 1 + number) for number in range(count)]

    async def trades(self, spelling, since_ns, count, by):
        self.asked.append((since_ns, count))
        assert count <= TRADES_MAX
        rows = self.rows[-count:] if since_ns is None else [row for row in self.rows if row[0] > since_ns][:count]
        told = tuple(
            Trade(spelling, str(number), 1, 1, Side.BUY, EventTimes(at // self.printed_ns * self.printed_ns, 1))
            for at, number in rows
        )
        return TradePage(told, rows[-1][0] if rows else since_ns or 0)


def page_of(tape, *, size, start_ns=None, mark=None):
    return asyncio.run(trade_page(tape, "BTC/USD", start_ns, mark, size, 1.0))


def all_pages(tape, size, start_ns=1):
    found, sizes, mark = [], [], None
    while not sizes or mark is not None:
        page = page_of(tape, size=size, start_ns=start_ns, mark=mark)
        found += [int(each.trade_id) for each in page.trades]
        sizes.append(len(page.trades))
        mark = page.next
        assert len(sizes) < 500
    return found, sizes


def test_a_sweep_over_a_page_s_end_is_not_cut():
    """Seventeen trades of one moment, ten a page: none is lost, none comes twice."""
    found, _ = all_pages(Tape(*([5] * 3), *([7] * 17), 9), 10)
    assert list(range(1, 22)) == found


def test_a_moment_larger_than_a_page_goes_on():
    """Page after page of the same moment, one row each."""
    found, sizes = all_pages(Tape(*([7] * 20), 8), 1)
    assert (list(range(1, 22)), 1) == (found, max(sizes))


def test_start_is_inclusive():
    """A trade of that very moment is the first."""
    found, _ = all_pages(Tape(3, 4, 5), 10, start_ns=4)
    assert [2, 3] == found


def test_without_a_start_the_latest_come_and_no_page_follows():
    """They end now."""
    page = page_of(Tape(1, 2, 3, 4), size=2)
    assert (["3", "4"], None) == ([each.trade_id for each in page.trades], page.next)


def test_an_empty_tape_is_one_empty_page():
    """Nothing since."""
    assert ((), None) == (page_of(Tape(), size=5, start_ns=1).trades, page_of(Tape(), size=5, start_ns=1).next)


def test_a_moment_that_fills_whole_answers_is_got_past():
    """More trades of one moment than an answer holds cannot be told apart by time: what follows is still reached."""
    found, _ = all_pages(Tape(*([7] * (TRADES_MAX + 5)), 9, 10), TRADES_MAX)
    assert [*range(1, TRADES_MAX + 1), TRADES_MAX + 6, TRADES_MAX + 7] == found


def test_trades_that_come_meanwhile_are_on_the_next_page():
    """A full page promises a next one, which shows what came since."""
    tape = Tape(1, 2, 3, 4)
    first = page_of(tape, size=4, start_ns=1)
    tape.add(2)
    second = page_of(tape, size=4, start_ns=1, mark=first.next)
    assert (["5", "6"], None) == ([each.trade_id for each in second.trades], second.next)


@given(
    st.lists(st.integers(1, 60), max_size=120),
    st.integers(1, 40),
    st.sampled_from([1, 7, 100]),
)
def test_every_trade_comes_once_whatever_the_times(times, size, printed_ns):
    """For any moments, any page size and any rounding of the printed time; no page is larger than asked for."""
    found, sizes = all_pages(Tape(*times, printed_ns=printed_ns), size)
    assert (list(range(1, len(times) + 1)), True) == (found, max(sizes) <= size)


@pytest.mark.parametrize("size", [1, 3])
def test_a_page_asks_for_no_more_than_it_needs(size):
    """The page's size, and what of the last moment it has to skip."""
    tape = Tape(1, 2, 3, 4, 5, 6, 7)
    first = page_of(tape, size=size, start_ns=1)
    page_of(tape, size=size, start_ns=1, mark=first.next)
    assert [(0, size), (size - 1, size + 1)] == tape.asked
