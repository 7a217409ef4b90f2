"""Batches of tickers are converted once for all who are told the same, and never told to anybody else."""

from dataclasses import replace
from decimal import Decimal

from execsvc.domain.market import EventTimes, Ticker
from execsvc.rpc.convert import market as convert

ONE = Decimal(1)


def ticker(symbol="BTC/USD", bid=1):
    figure = Decimal(bid)
    return Ticker(symbol, figure, ONE, ONE, ONE, ONE, ONE, ONE, ONE, ONE, None, EventTimes(1, 2))


def test_the_same_tickers_are_converted_once():
    """The second reader gets the message that the first one got."""
    batches, told = convert.TickerBatches(), (ticker(), ticker("ETH/USD"))
    assert batches.of(told) is batches.of((*told,))


def test_other_tickers_are_other_messages():
    """Another picture of a symbol, another sequence and a smaller set each have their own figures."""
    batches = convert.TickerBatches()
    first, second = ticker(bid=1), ticker("ETH/USD", bid=2)
    newer = replace(first, bid_price=Decimal(3))
    sets = [(first, second), (second, first), (first,), (newer, second)]
    prices = [[each.bid_price for each in batches.of(told).tickers] for told in sets]
    assert [["1", "2"], ["2", "1"], ["1"], ["3", "2"]] == prices


def test_figures_stay_right_when_many_come_and_go():
    """Ids of tickers that are gone may be used again: none of them brings back an old message."""
    batches = convert.TickerBatches()
    told = [batches.of((ticker(bid=bid),)).tickers[0].bid_price for bid in range(1, 10 * convert.BATCHES_MAX)]
    assert [str(bid) for bid in range(1, 10 * convert.BATCHES_MAX)] == told


def test_no_more_than_a_bound_is_kept():
    """However many sets are asked for."""
    batches = convert.TickerBatches()
    for bid in range(1, 3 * convert.BATCHES_MAX):
        batches.of((ticker(bid=bid),))
    assert 0 < len(batches._made) <= convert.BATCHES_MAX
