"""What the account says of itself, through a real gateway and exchange: pages that hold still while it trades, fees, margin.

The exchange's own ledger, read over its control port, is the other witness.
"""

from dataclasses import replace
from decimal import Decimal

import pytest
from execsvc_client import OrderStatus

from tests.support.orderdesk import ASK, BID, BTC, order_desk

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

D = Decimal
ORDERS = 60
CENT = D("0.0002")  # the exchange rounds each fill's fee by itself


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    with order_desk(tmp_path_factory.mktemp("statements")) as found:
        found.still()
        for number in range(ORDERS):
            trade(found, "buy" if number % 2 else "sell")
        yield found


def trade(desk, side="buy", quantity="0.001", **wish):
    """A market order, filled."""
    placed = desk.client.place(BTC, side, quantity=quantity, market=True, **wish)
    return desk.became(placed.order, OrderStatus.FILLED)


def read(desk, rows, ids, *, every):
    """All of a listing's ids, an order being filled whenever `every` rows were read."""
    found = []
    for row in rows:
        if len(found) % every == 0:
            trade(desk)
        found.append(ids(row))
    return found


def theirs(desk):
    """The exchange's own entries, newest first."""
    return list(reversed(desk.exchange.ask("GET", "/ledger")["entries"]))


@pytest.mark.parametrize("size", [7, 50, 120])
def test_the_ledger_in_pages_is_the_exchange_s_own_whatever_comes_in(desk, size):
    """What is booked while it is read is in no page and shifts none; every entry with its amount, fee and balance."""
    before = theirs(desk)
    first = next(iter(desk.client.ledger(page_size=1)))
    rows = read(
        desk,
        desk.client.ledger(page_size=size),
        lambda entry: (entry.entry_id, entry.kind, entry.amount, entry.fee, entry.balance),
        every=size + 1,  # the first order before any page is read, the others between two
    )
    assert before[0]["id"] == first.entry_id
    expected = [(row["id"], row["type"], *(D(row[name]) for name in ("amount", "fee", "balance"))) for row in before]
    started_with = next(at for at, row in enumerate(rows) if row[0] == before[0]["id"])
    assert (expected, True) == (rows[started_with:], started_with <= 2)


@pytest.mark.parametrize("size", [7, 50])
def test_fills_in_pages_are_each_there_once_whatever_comes_in(desk, size):
    """The same over a filter by pair, and with the caller's own ids."""
    whole = [each.fill_id for each in desk.client.fills(BTC, page_size=1000)]
    paged = read(desk, desk.client.fills(BTC, page_size=size), lambda fill: fill.fill_id, every=size + 1)
    assert whole == paged[paged.index(whole[0]) :]


def test_the_ledger_of_a_span_begins_in_it_and_ends_before_it(desk):
    """Since is inclusive, until exclusive, to the fraction of a second that Kraken tells."""
    whole = list(desk.client.ledger("USD", kind="trade", page_size=1000))
    since, until = whole[20].time, whole[5].time
    span = list(desk.client.ledger("USD", kind="trade", since=since, until=until))
    assert [each.entry_id for each in whole if since <= each.time < until] == [each.entry_id for each in span]
    assert 15 == len(span)


def test_a_preview_tells_the_fee_that_the_order_then_pays(desk):
    """By the account's own tier; the rates are those of GetFeeRates."""
    desk.stands_at(BID)
    rates = desk.client.fee_rates(BTC)
    preview = desk.client.preview(BTC, "buy", quantity="0.01", limit_price=ASK)
    placed = desk.client.place(BTC, "buy", quantity="0.01", limit_price=ASK)
    filled = desk.became(placed.order, OrderStatus.FILLED)
    (fee,) = filled.fees
    assert (rates.rates[0].taker_rate, "USD") == (preview.fees.taker_rate, preview.fees.asset)
    assert abs(fee.amount - filled.filled_cost * rates.rates[0].taker_rate) <= CENT
    assert abs(fee.amount - preview.fees.taker_fee) <= CENT


def test_a_margin_order_shows_in_positions_margin_and_its_fill(desk):
    """One position a fill, with its id there; the level is equity by margin used; closed, it is gone and so is the level."""
    opened = trade(desk, quantity="0.02", leverage=2)
    positions, margin = desk.client.positions(BTC), desk.client.margin()
    fills = [each for each in desk.client.fills(BTC) if each.order_id == opened.order_id]
    assert {(each.position_id, opened.order_id) for each in fills} == {
        (each.position_id, each.order_id) for each in positions
    }
    assert abs(margin.margin_level - margin.equity / margin.margin_used) <= D("0.01")
    assert sum(each.cost for each in positions) == opened.filled_cost
    trade(desk, "sell", quantity="0.02", leverage=2, reduce_only=True)
    after = replace(desk.client.margin(), wire=None)
    assert ((), None, D(0), "") == (desk.client.positions(), after.margin_level, after.margin_used, desk.proved())
