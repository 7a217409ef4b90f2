"""Orders on margin: positions opened, reduced, closed, settled and taken away, through the gateway to the paper exchange.

What is open on margin is read back through the gateway too (ListPositions); after every test the exchange proves its ledger.
"""

from decimal import Decimal

import pytest
from execsvc_client import WHOLE_POSITION, OrderStatus, Refused

from tests.support.orderdesk import ASK, BID, BTC, order_desk

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

D = Decimal
PENDING, FILLED, CANCELLED = OrderStatus.PENDING, OrderStatus.FILLED, OrderStatus.CANCELLED


def held(desk):
    """What is open on margin: side and quantity of each position, by Kraken's word."""
    return [(each.side.name.lower(), each.quantity - each.closed_quantity) for each in desk.client.positions(BTC)]


def on_margin(desk, side, **wish):
    """An order with leverage that is filled."""
    return desk.became(getattr(desk.client, side)(BTC, leverage=2, **wish).order, FILLED)


def test_a_position_is_opened_reduced_and_closed(desk):
    """A part by reduce_only, the rest by its whole size; spot balances have nothing to do with it."""
    on_margin(desk, "buy", quantity="0.02", market=True)
    assert [("buy", D("0.02"))] == held(desk)
    reduced = on_margin(desk, "sell", quantity="0.005", market=True, reduce_only=True)
    assert ([("buy", D("0.015"))], True) == (held(desk), reduced.reduce_only)
    closed = on_margin(desk, "sell", quantity=WHOLE_POSITION, market=True)
    assert ([], D("0.015"), 2, None) == (held(desk), closed.filled_quantity, closed.leverage, closed.quantity)


def test_a_short_position_is_closed_by_a_stop_of_its_whole_size(desk):
    """A stop whose size nobody had to know: it is that of the position when Kraken took it."""
    on_margin(desk, "sell", quantity="0.02", market=True)
    assert [("sell", D("0.02"))] == held(desk)
    stop = desk.client.buy(BTC, quantity=WHOLE_POSITION, stop="61000.0", leverage=2).order
    assert PENDING is stop.status
    desk.moves_to("61000.0")
    assert (D("0.02"), []) == (desk.became(stop, FILLED).filled_quantity, held(desk))


def test_an_order_that_may_only_reduce_ends_with_its_position(desk):
    """What would be left of it has nothing to reduce: it is cancelled, and said why."""
    on_margin(desk, "buy", quantity="0.02", market=True)
    resting = desk.client.sell(BTC, quantity="0.02", limit_price="61000.0", leverage=2, reduce_only=True).order
    on_margin(desk, "sell", quantity=WHOLE_POSITION, market=True)
    ended = desk.became(resting, CANCELLED)
    assert (D(0), False, []) == (ended.filled_quantity, ended.cancel_requested, held(desk))


def test_a_position_is_settled_in_kind(desk):
    """Nothing is bought or sold: the position goes, the assets change hands."""
    before = {each.asset: each.total for each in desk.client.balances()}
    on_margin(desk, "buy", quantity="0.01", market=True)
    settled = on_margin(desk, "sell", quantity=WHOLE_POSITION, settle=True)
    assert ([], D("0.01"), "settle_position") == (held(desk), settled.filled_quantity, settled.type)
    bought = next(each.total for each in desk.client.balances() if each.asset == "BTC") - before["BTC"]
    assert D("0.01") == bought


def test_a_position_is_extended_and_closed_first_opened_first(desk):
    """Each fill on its side opens one more; what comes from the other side closes the oldest."""
    on_margin(desk, "buy", quantity="0.02", market=True)
    on_margin(desk, "buy", quantity="0.01", limit_price=ASK)
    assert [("buy", D("0.02")), ("buy", D("0.01"))] == held(desk)
    on_margin(desk, "sell", quantity="0.025", market=True)
    assert [("buy", D("0.005"))] == held(desk)
    on_margin(desk, "sell", quantity=WHOLE_POSITION, market=True)


def test_the_margin_summary_counts_the_position(desk):
    """Half of its cost is used at a leverage of 2, and it is free again when the position is closed."""
    before = desk.client.margin()
    on_margin(desk, "buy", quantity="0.02", limit_price=ASK)
    during = desk.client.margin()
    on_margin(desk, "sell", quantity=WHOLE_POSITION, market=True)
    after = desk.client.margin()
    assert (D(0), D("600.001"), D(0)) == (before.margin_used, during.margin_used, after.margin_used)
    assert during.free_margin < after.free_margin


def test_more_than_the_collateral_secures_is_refused(desk):
    """Kraken refuses it, and no position is opened."""
    desk.stands_at(BID, levels=400)
    before = desk.traces()
    with pytest.raises(Refused) as caught:
        desk.client.buy(BTC, quantity="15", market=True, leverage=2)
    assert ("MARGIN_REFUSED", before, []) == (caught.value.reason, desk.traces(), held(desk))


def test_an_order_larger_than_the_position_it_closes_is_refused(desk):
    """Nobody is turned from long to short by one order."""
    on_margin(desk, "buy", quantity="0.01", market=True)
    with pytest.raises(Refused):
        desk.client.sell(BTC, quantity="0.02", market=True, leverage=2)
    assert [("buy", D("0.01"))] == held(desk)
    on_margin(desk, "sell", quantity=WHOLE_POSITION, market=True)


def test_a_position_that_nothing_secures_any_more_is_taken_away(tmp_path):
    """The exchange closes it at the market by itself; the gateway's orders stay as they were."""
    with order_desk(tmp_path) as desk:
        desk.still()
        desk.market(bids=[(BID, "9")], asks=[(ASK, "9")])
        opened = desk.became(desk.client.sell(BTC, quantity="8", market=True, leverage=10).order, FILLED)
        desk.stands_at("200000.0", levels=400)
        desk.market(take={"side": "sell", "qty": "0.001"})
        desk.until(opened, lambda _: held(desk) == [])
        taken = [each for each in desk.exchange.orders() if each["cl_ord_id"] is None]
        assert {("buy", "closed")} == {(each["side"], each["status"]) for each in taken}
        assert D(8) == sum(D(each["vol_exec"]) for each in taken)
        assert (FILLED, "") == (desk.client.get_order(opened).status, desk.proved())
