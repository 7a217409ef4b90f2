"""What an order may be besides its type: size, start, shown part, self-trades, fees, closes, and a question first.

Through the gateway to the paper exchange and back; the exchange's own record is the other witness, and after every test it
proves its ledger. Types and times in force are in test_order_types.py, leverage in test_order_margin.py.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from execsvc_client import (
    WHOLE_POSITION,
    Close,
    ExecsvcError,
    InvalidRequest,
    OrderStatus,
    Quote,
    Refused,
)

from tests.support.orderdesk import ASK, BID, BTC

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

D = Decimal
PENDING, OPEN, FILLED, CANCELLED = OrderStatus.PENDING, OrderStatus.OPEN, OrderStatus.FILLED, OrderStatus.CANCELLED
SOME = {"quantity": "0.01"}


def children_of(desk, order):
    """The exchange's records of what the order's fills brought forth."""
    return [each for each in desk.exchange.orders() if each["parent"] == order.order_id]


# ---- size and what is shown -------------------------------------------------------------------------------------


def best_bid(desk):
    """What anyone sees at the best bid."""
    return desk.client.book(BTC).bids[0].quantity


def test_a_market_buy_of_so_much_money_spends_no_more(desk):
    """The size is in the quote asset; how much was bought is Kraken's word."""
    order = desk.became(desk.client.buy(BTC, quantity=Quote("600"), market=True).order, FILLED)
    assert (None, D(600)) == (order.quantity, order.quote_quantity)
    assert D(599) < order.filled_cost <= D(600)


def test_an_iceberg_shows_its_part_and_no_more(desk):
    """The book has the displayed quantity at its price; what lies behind comes up as the part is eaten."""
    order = desk.client.buy(BTC, quantity="0.03", limit_price="60000.0", display_quantity="0.002").order
    desk.until(order, lambda _: D("0.052") == best_bid(desk))
    desk.market(take={"side": "sell", "qty": "0.053"})
    eaten = desk.until(order, lambda found: found.filled_quantity == D("0.003"))
    assert (OPEN, D("0.001")) == (eaten.status, best_bid(desk))


# ---- time -------------------------------------------------------------------------------------------------------


def test_an_order_with_a_start_waits_for_it(desk):
    """PENDING until then, in the book after."""
    starts = datetime.now(UTC) + timedelta(seconds=2)
    order = desk.client.buy(BTC, **SOME, limit_price="59000.0", start_time=starts).order
    assert PENDING is order.status
    assert desk.became(order, OPEN).start_time >= starts


def test_an_order_with_a_start_may_be_cancelled_before_it(desk):
    """It never began: nothing is filled, and nothing begins later."""
    starts = datetime.now(UTC) + timedelta(hours=1)
    order = desk.client.buy(BTC, **SOME, limit_price=ASK, start_time=starts).order
    desk.client.cancel(order)
    assert D(0) == desk.became(order, CANCELLED).filled_quantity


# ---- triggers ---------------------------------------------------------------------------------------------------


def test_a_trailing_stop_tells_where_it_stands(desk):
    """From the beginning; the trigger follows the best price, and does not go back."""
    order = desk.client.sell(BTC, **SOME, trail="500").order
    desk.until(order, lambda found: found.current_trigger_price == D("59500.1"))
    desk.moves_to("61000.0")
    desk.until(order, lambda found: found.current_trigger_price == D("60500.0"))
    desk.moves_to("60600.0")
    stands = desk.client.get_order(order)
    assert (PENDING, False, D("60500.0")) == (stands.status, stands.triggered, stands.current_trigger_price)


def test_a_stop_by_the_index_does_not_look_at_the_last_trade(desk):
    """The index keeps to the middle of the book: one odd trade does not set it off, a moved market does."""
    order = desk.client.sell(BTC, **SOME, stop="59850.0", trigger_reference="index").order
    desk.market(bids=[("60000.0", "0.05"), ("59800.0", "0.05")], asks=[("60000.1", "0.05")])
    desk.market(take={"side": "sell", "qty": "0.06"})
    assert "59800.0" == desk.exchange.ask("GET", "/state")["markets"][BTC]["last"]
    desk.stands_at(BID)
    assert ("open", "0.00000000") == (desk.record(order)["status"], desk.record(order)["vol_exec"])
    desk.moves_to("59700.0")
    assert desk.became(order, FILLED).triggered


# ---- self-trades and fees ---------------------------------------------------------------------------------------

GIVES_WAY = {
    "cancel_newest": (OPEN, CANCELLED),
    "cancel_oldest": (CANCELLED, OPEN),
    "cancel_both": (CANCELLED, CANCELLED),
}


@pytest.mark.parametrize("prevention", GIVES_WAY)
def test_of_two_own_orders_the_one_that_was_asked_for_gives_way(desk, prevention):
    """Whichever it is, they do not trade with each other."""
    resting = desk.client.sell(BTC, **SOME, limit_price=ASK).order
    desk.market(price="59990.0", spread="20", qty="0.05", levels=40)
    coming = desk.client.buy(BTC, **SOME, limit_price=ASK, self_trade_prevention=prevention).order
    old, new = GIVES_WAY[prevention]
    assert (D(0), D(0)) == (desk.became(resting, old).filled_quantity, desk.became(coming, new).filled_quantity)


def test_the_fee_is_taken_in_the_asset_that_was_asked_for(desk):
    """In the base, or as a rule in the quote."""
    plain = desk.became(desk.client.sell(BTC, **SOME, market=True).order, FILLED)
    based = desk.until(
        desk.client.buy(BTC, **SOME, market=True, fee_preference="base").order,
        lambda found: found.status is FILLED and found.fees,
    )
    assert (["USD"], ["BTC"]) == ([fee.asset for fee in plain.fees], [fee.asset for fee in based.fees])


# ---- conditional closes -----------------------------------------------------------------------------------------

CLOSES = {
    "limit": (Close(limit_price="61000.0"), "limit", "61000.0"),
    "stop": (Close(stop="59000.0"), "stop-loss", None),
    "stop limit": (Close(stop="59000.0", limit_price="58900.0"), "stop-loss-limit", "58900.0"),
    "take profit": (Close(take_profit="61000.0"), "take-profit", None),
    "take profit limit": (Close(take_profit="61000.0", limit_price="60900.0"), "take-profit-limit", "60900.0"),
    "trail": (Close(trail="500"), "trailing-stop", None),
    "trail limit": (Close(trail="1%", trail_limit="-10"), "trailing-stop-limit", None),
}


@pytest.mark.parametrize("name", CLOSES)
def test_every_fill_leaves_its_close_behind(desk, name):
    """An order of the other side, of the fill's size, at the exchange: the order's child."""
    close, kind, price = CLOSES[name]
    order = desk.became(desk.client.buy(BTC, **SOME, limit_price=ASK, close=close).order, FILLED)
    (child,) = children_of(desk, order)
    assert ("open", "sell", kind, price, D("0.01")) == (
        *(child["status"], child["side"], child["ordertype"], child["price"], D(child["volume"])),
    )


def test_an_order_that_fills_twice_leaves_two_closes(desk):
    """One for each fill, none for what did not fill."""
    order = desk.client.buy(BTC, quantity="0.07", limit_price=ASK, close=Close(stop="59000.0")).order
    desk.until(order, lambda found: found.filled_quantity == D("0.05"))
    desk.market(take={"side": "sell", "qty": "0.01"})
    desk.until(order, lambda found: found.filled_quantity == D("0.06"))
    assert [D("0.05"), D("0.01")] == [D(each["volume"]) for each in children_of(desk, order)]


# ---- refusals ---------------------------------------------------------------------------------------------------

PASSED = datetime(2020, 1, 1, tzinfo=UTC)
REFUSED = {
    "post only that would take": ({**SOME, "limit_price": ASK, "post_only": True}, Refused, "POST_ONLY_WOULD_TAKE"),
    "nothing to reduce": (
        {**SOME, "market": True, "leverage": 2, "reduce_only": True},
        *(Refused, "REDUCE_ONLY_REFUSED"),
    ),
    "no position to settle": (
        {"quantity": WHOLE_POSITION, "settle": True, "leverage": 2},
        *(ExecsvcError, "POSITION_NOT_FOUND"),
    ),
    "a trigger off the tick": ({**SOME, "stop": "61000.05"}, InvalidRequest, "TICK_SIZE_VIOLATED"),
    "a leverage that the pair does not list": (
        {**SOME, "market": True, "leverage": 77},
        *(InvalidRequest, "INVALID_REQUEST"),
    ),
    "too little shown": (
        {"quantity": "1", "limit_price": "59000.0", "display_quantity": "0.05"},
        *(InvalidRequest, "INVALID_REQUEST"),
    ),
    "a start that has passed": (
        {**SOME, "limit_price": "59000.0", "start_time": PASSED},
        *(InvalidRequest, "INVALID_REQUEST"),
    ),
    "money as the size of a limit order": (
        {"quantity": Quote("5"), "limit_price": "59000.0"},
        *(InvalidRequest, "INVALID_REQUEST"),
    ),
    "less money than the least": (
        {"quantity": Quote("0.1"), "market": True},
        *(InvalidRequest, "ORDER_MINIMUM_NOT_MET"),
    ),
    "reduce only without leverage": (
        {**SOME, "market": True, "reduce_only": True},
        *(InvalidRequest, "INVALID_REQUEST"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_says_why(desk, name):
    """By our rules before anything is sent, or by Kraken's; either way nothing is left of it."""
    wish, kind, reason = REFUSED[name]
    before = desk.traces()
    with pytest.raises(kind) as caught:
        desk.client.buy(BTC, **wish)
    assert (reason, before) == (caught.value.reason, desk.traces())


# ---- a question first -------------------------------------------------------------------------------------------

ASKED = {
    "market": {**SOME, "market": True},
    "stop limit": {**SOME, "stop": "59000.0", "limit_price": "58900.0"},
    "trailing stop": {**SOME, "trail": "1%"},
    "iceberg": {"quantity": "0.03", "limit_price": "61000.0", "display_quantity": "0.01"},
    "with a close": {**SOME, "limit_price": BID, "close": Close(stop="61000.0")},
    "on margin": {**SOME, "market": True, "leverage": 2},
}


@pytest.mark.parametrize("name", ASKED)
def test_a_question_to_kraken_places_nothing(desk, name):
    """PreviewOrder with ask_venue: Kraken has nothing against it, and has no order; what was asked can be placed."""
    before = desk.traces()
    found = desk.client.preview(BTC, "sell", **ASKED[name], ask_venue=True)
    assert (True, True, None, before) == (found.placeable, found.venue_asked, found.venue_error, desk.traces())
    assert desk.client.sell(BTC, **ASKED[name]).order.order_id


def test_kraken_objects_to_what_only_it_knows(desk):
    """A trailing stop that would keep more than the whole price away; the question is answered, not refused."""
    found = desk.client.preview(BTC, "sell", **SOME, trail="70000", ask_venue=True)
    assert (False, True, "VENUE_REFUSED_ARGUMENTS") == (found.placeable, found.venue_asked, found.venue_error.reason)


def test_a_preview_knows_what_the_order_costs(desk):
    """At the account's own rates: of a limit order both fees, of a market order by the price it would meet."""
    limit = desk.client.preview(BTC, "buy", **SOME, limit_price=BID)
    assert (D(600), "USD") == (limit.notional, limit.fees.asset)
    assert limit.fees.maker_fee == limit.fees.maker_rate * 600
    assert limit.fees.maker_fee < limit.fees.taker_fee
