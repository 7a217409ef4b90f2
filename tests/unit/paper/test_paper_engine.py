"""What becomes of an order: fills, holds, fees, time in force, self-trades, deadlines, modes."""

import pytest

from execsvc.paper.chance import Mint
from tests.unit.paper.paperbench import Bench

USD, BTC = "ZUSD", "XXBT"


def balances(bench, asset):
    row = bench.ok("BalanceEx")[asset]
    return row["balance"], row["hold_trade"]


def test_limit_order_rests_and_holds_cost_and_fee(ladder):
    """A resting buy holds volume × price and the taker fee of 0.40 %, and spends nothing."""
    ladder.order(price="95", volume="2")
    assert ("100000.0000", "190.7600") == balances(ladder, USD)


def test_post_only_holds_the_maker_fee(ladder):
    """An order that can only make holds the maker fee of 0.25 %."""
    ladder.order(price="95", volume="2", oflags="post")
    assert ("100000.0000", "190.4750") == balances(ladder, USD)


def test_resting_sell_holds_the_base(ladder):
    """A resting sell holds its volume."""
    ladder.order(type="sell", price="120", volume="0.5")
    assert ("2.0000000000", "0.5000000000") == balances(ladder, BTC)


def test_cancel_releases_the_hold(ladder):
    """Cancelling gives back all that was held."""
    txid = ladder.order(price="95", volume="2")
    assert {"count": 1} == ladder.ok("CancelOrder", txid=txid)
    assert ("100000.0000", "0.0000") == balances(ladder, USD)
    assert ("canceled", "User requested") == (ladder.state(txid)["status"], ladder.state(txid)["reason"])


def test_market_order_walks_the_book(ladder):
    """A market buy fills level by level: average price, cost and fee follow the depth."""
    row = ladder.state(ladder.order(ordertype="market", volume="2.5"))
    assert ("closed", "2.50000000", "254.00000", "101.60000") == (
        row["status"],
        row["vol_exec"],
        row["cost"],
        row["price"],
    )
    assert "1.01600" == row["fee"]
    assert 2 == len(row["trades"])
    assert ("99744.9840", "0.0000") == balances(ladder, USD)
    assert ("4.5000000000", "0.0000000000") == balances(ladder, BTC)


def test_taker_gets_the_better_price(ladder):
    """A marketable limit fills at the resting price, not at its own."""
    row = ladder.state(ladder.order(price="110", volume="1"))
    assert ("closed", "101.00000") == (row["status"], row["price"])
    assert ("99898.5960", "0.0000") == balances(ladder, USD)


def test_partial_fill_rests_and_keeps_its_hold(ladder):
    """What a limit order cannot get at once rests, holds its remainder, and is marked partial."""
    txid = ladder.order(price="101", volume="1.5")
    row = ladder.state(txid)
    assert ("open", "1.00000000", "partial") == (row["status"], row["vol_exec"], row["misc"])
    assert ("99898.5960", "50.7020") == balances(ladder, USD)
    assert ("101.00000", "0.500") == tuple(ladder.public("Depth", pair="XBTUSD")["result"]["XXBTZUSD"]["bids"][0][:2])


def test_resting_order_is_filled_as_maker(ladder):
    """A stranger who takes a resting order pays its price; the trader pays the maker fee, each fill rounded down."""
    txid = ladder.order(price="100.5", volume="2")
    ladder.take("sell", "0.5")
    ladder.take("sell", "1.5")
    row = ladder.state(txid)
    assert ("closed", "201.00000", "0.50240") == (row["status"], row["cost"], row["fee"])
    trades = ladder.ok("TradesHistory")["trades"]
    assert {True} == {trades[tid]["maker"] for tid in row["trades"]}


def test_queue_position_counts(ladder):
    """At one price whoever came first is filled first."""
    txid = ladder.order(price="100", volume="1")
    ladder.take("sell", "1")
    assert "0.00000000" == ladder.state(txid)["vol_exec"]
    ladder.take("sell", "0.4")
    assert "0.40000000" == ladder.state(txid)["vol_exec"]


def test_ioc_remainder_is_canceled(ladder):
    """IOC fills what it can and cancels the rest; both are told."""
    row = ladder.state(ladder.order(price="101", volume="1.5", timeinforce="IOC"))
    assert ("canceled", "1.00000000") == (row["status"], row["vol_exec"])
    assert ("99898.5960", "0.0000") == balances(ladder, USD)


def test_ioc_that_reaches_nothing(ladder):
    """An IOC order without a counterpart is accepted and canceled unfilled."""
    row = ladder.state(ladder.order(price="99", volume="1", timeinforce="IOC"))
    assert ("canceled", "0.00000000", "0.00000") == (row["status"], row["vol_exec"], row["price"])


@pytest.mark.parametrize(("volume", "status", "filled"), [("3", "closed", "3"), ("3.00000001", "canceled", "0")])
def test_fok_is_all_or_nothing(ladder, volume, status, filled):
    """FOK fills completely or not at all, to the last lot."""
    row = ladder.state(ladder.order(price="102", volume=volume, timeinforce="FOK"))
    assert (status, f"{filled}.00000000") == (row["status"], row["vol_exec"])


def test_fok_does_not_count_own_orders(ladder):
    """Own resting volume cannot fill a FOK order."""
    ladder.order(type="sell", price="101", volume="1")
    row = ladder.state(ladder.order(price="101", volume="2", timeinforce="FOK"))
    assert ("canceled", "0.00000000") == (row["status"], row["vol_exec"])


def test_market_order_larger_than_the_book(ladder):
    """A market order takes what there is; its remainder is canceled, not left."""
    row = ladder.state(ladder.order(ordertype="market", volume="7", oflags="fciq"))
    assert ("canceled", "6.00000000") == (row["status"], row["vol_exec"])


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_post_only_never_takes(ladder, side):
    """A crossing post-only order is refused and nothing is placed."""
    price = {"buy": "101", "sell": "100"}[side]
    assert "EOrder:Post only order" == ladder.refuse(type=side, price=price, oflags="post")
    assert [] == list(ladder.venue.orders.accepted())


def test_post_only_in_the_other_style():
    """In the other style Kraken was seen with, it is accepted and at once canceled."""
    bench = Bench(pairs=("BTC/USD",), post_only_style="canceled")
    bench.book(bids=[("100.0", "1")], asks=[("101.0", "1")])
    row = bench.state(bench.order(price="101", oflags="post"))
    assert ("canceled", "Post only order", "0.00000000") == (row["status"], row["reason"], row["vol_exec"])
    assert "0.0000" == bench.ok("BalanceEx")[USD]["hold_trade"]


def test_gtd_expires(ladder):
    """A GTD order ends as expired at its instant, not before, and releases its hold."""
    txid = ladder.order(price="95", timeinforce="GTD", expiretm="+10")
    ladder.wait(9.999)
    assert "open" == ladder.state(txid)["status"]
    ladder.wait(0.001)
    row = ladder.state(txid)
    assert ("expired", row["expiretm"]) == (row["status"], row["closetm"])
    assert ("100000.0000", "0.0000") == balances(ladder, USD)


def test_filled_gtd_does_not_expire(ladder):
    """An order that is filled stays filled when its time comes."""
    txid = ladder.order(price="101", volume="1", timeinforce="GTD", expiretm="+10")
    ladder.wait(11)
    assert "closed" == ladder.state(txid)["status"]


@pytest.mark.parametrize(
    ("stp", "older", "newer", "filled"),
    [
        ("cancel-newest", "open", "canceled", "1.00000000"),
        ("cancel-oldest", "canceled", "closed", "2.00000000"),
        ("cancel-both", "canceled", "canceled", "1.00000000"),
    ],
)
def test_self_trade_prevention(ladder, stp, older, newer, filled):
    """Own orders never trade with each other; which of them ends is stptype's to say."""
    first = ladder.order(type="sell", price="101.5", volume="1")
    second = ladder.order(price="102", volume="2", stptype=stp)
    assert (older, newer) == (ladder.state(first)["status"], ladder.state(second)["status"])
    assert filled == ladder.state(second)["vol_exec"]
    ladder.venue.engine.prove()


def test_insufficient_funds(ladder):
    """An order that costs a cent more than there is, fee included, is refused; one that fits is not."""
    assert "EOrder:Insufficient funds" == ladder.refuse(price="95", volume="1048.4379")
    assert "EOrder:Insufficient funds" == ladder.refuse(type="sell", price="120", volume="2.00000001")
    ladder.order(price="95", volume="1048.4378")
    assert "EOrder:Insufficient funds" == ladder.refuse(price="95", volume="0.01")


def test_market_buy_without_the_means(bench):
    """A market buy is checked against what the book would cost, fee included."""
    bench.book(bids=[("99999.0", "1")], asks=[("100000.0", "5")])
    assert "EOrder:Insufficient funds" == bench.refuse(ordertype="market", volume="1")
    bench.order(ordertype="market", volume="0.99601")


def test_fee_in_base(ladder):
    """With fcib the fee is taken from the base bought, and the quote pays the bare cost."""
    ladder.order(ordertype="market", volume="1", oflags="fcib")
    assert ("99899.0000", "0.0000") == balances(ladder, USD)
    assert ("2.9960000000", "0.0000000000") == balances(ladder, BTC)


def test_fee_in_base_of_a_sell(ladder):
    """Selling with fcib holds and pays volume and fee in the base."""
    ladder.order(type="sell", price="120", volume="1", oflags="fcib")
    assert ("2.0000000000", "1.0040000000") == balances(ladder, BTC)
    ladder.take("buy", "7")
    assert ("0.9975000000", "0.0000000000") == balances(ladder, BTC)
    assert ("100120.0000", "0.0000") == balances(ladder, USD)


def test_volume_in_quote(ladder):
    """With viqc the volume is money: it buys as many lots as it pays for, and no more."""
    txid = ladder.order(ordertype="market", volume="203", oflags="viqc")
    row = ladder.state(txid)
    assert ("203.00000000", "2.00000000", "203.00000") == (row["vol"], row["vol_exec"], row["cost"])
    assert "EOrder:Order minimum not met" == ladder.refuse(
        ordertype="market", volume="0.9", oflags="viqc", pair="ETHUSD"
    )
    assert "EOrder:Cost minimum not met" == ladder.refuse(ordertype="market", volume="0.49", oflags="viqc")


def test_fees_fall_with_volume(bench):
    """Past 10,000 USD traded the taker pays the next tier."""
    bench.book(bids=[("9999.9", "9")], asks=[("10000.0", "9")])
    first = bench.state(bench.order(ordertype="market", volume="1"))
    second = bench.state(bench.order(ordertype="market", volume="1"))
    assert ("40.00000", "35.00000") == (first["fee"], second["fee"])


def test_fee_never_exceeds_what_was_held(bench):
    """An order is not charged a higher tier than the one it was held for, should the volume have rolled off meanwhile."""
    bench.book(bids=[("9000.0", "9")], asks=[("10000.0", "9")])
    bench.order(ordertype="market", volume="2")
    txid = bench.order(price="9500", volume="1", oflags="post")
    bench.wait(31 * 86_400)
    bench.take("sell", "1")
    assert "19.00000" == bench.state(txid)["fee"]
    bench.venue.engine.prove()


def test_fee_volume_is_in_dollars(bench):
    """Volume in another quote is counted in dollars: one ETH for bitcoin is worth thousands."""
    bench.book(bids=[("0.034000", "90")], asks=[("0.035000", "90")], symbol="ETH/BTC")
    bench.order(pair="ETHXBT", ordertype="market", volume="4")
    assert 13_000 < bench.venue.turnover.usd(bench.now) < 14_000


def test_client_id_is_unique_among_open_orders_only(ladder):
    """A client id is taken while its order is open, and free once it has ended."""
    first = ladder.order(price="95", cl_ord_id="mine")
    assert "EGeneral:Invalid arguments:cl_ord_id not unique" == ladder.refuse(price="94", cl_ord_id="mine")
    ladder.ok("CancelOrder", txid=first)
    second = ladder.order(price="94", cl_ord_id="mine")
    assert first != second
    assert [second] == list(ladder.ok("OpenOrders", cl_ord_id="mine")["open"])
    assert [first] == list(ladder.ok("ClosedOrders", cl_ord_id="mine")["closed"])


def test_refused_client_id_holds_nothing(ladder):
    """An order refused for its client id leaves no hold behind."""
    ladder.order(price="95", volume="1", cl_ord_id="mine")
    before = balances(ladder, USD)
    ladder.refuse(price="94", cl_ord_id="mine")
    assert before == balances(ladder, USD)
    ladder.venue.engine.prove()


def test_filled_order_frees_its_client_id(ladder):
    """A market order that filled can be placed again under its id: the id is no idempotency key."""
    for _ in range(2):
        ladder.order(ordertype="market", volume="0.1", cl_ord_id="again")
    assert 2 == len(ladder.ok("ClosedOrders", cl_ord_id="again")["closed"])


def test_uuid_is_one_number_in_any_spelling(ladder):
    """A UUID with and without dashes, in either case, is the same id."""
    uuid = "6d1b345e-2821-40e2-ad83-4ecb18a06876"
    ladder.order(price="95", cl_ord_id=uuid)
    again = uuid.replace("-", "").upper()
    assert "EGeneral:Invalid arguments:cl_ord_id not unique" == ladder.refuse(price="94", cl_ord_id=again)
    assert 1 == len(ladder.ok("OpenOrders", cl_ord_id=again)["open"])


def test_userref_is_not_unique(ladder):
    """Any number of orders may share a userref, and one cancel ends them all."""
    for price in ("95", "94", "93"):
        ladder.order(price=price, userref="7")
    ladder.order(price="92", userref="8")
    assert {"count": 3} == ladder.ok("CancelOrder", txid="7")
    assert 1 == len(ladder.ok("OpenOrders")["open"])


@pytest.mark.parametrize(
    ("status", "ordertype", "oflags", "error"),
    [
        ("cancel_only", "limit", "", "EService:Market in cancel_only mode"),
        ("cancel_only", "limit", "post", "EService:Market in cancel_only mode"),
        ("post_only", "limit", "", "EService:Market in post_only mode"),
        ("limit_only", "market", "", "EService:Market in limit_only mode"),
        ("reduce_only", "limit", "", "EOrder:Reduce only:Non-PC"),
    ],
)
@pytest.mark.parametrize("everywhere", [True, False])
def test_market_modes(ladder, status, ordertype, oflags, error, everywhere):
    """A market, or the whole system, in a mode refuses what the mode forbids; cancels always pass."""
    txid = ladder.order(price="90")
    if everywhere:
        ladder.venue.engine.system = status
    else:
        ladder.exchange.set_market_status(ladder.venue.listing("XBTUSD"), status, ladder.now)
    assert error == ladder.refuse(ordertype=ordertype, price="95" if ordertype == "limit" else "", oflags=oflags)
    assert {"count": 1} == ladder.ok("CancelOrder", txid=txid)


def test_post_only_mode_lets_makers_in(ladder):
    """In post_only mode a post-only order is accepted."""
    ladder.exchange.set_system("post_only", ladder.now)
    assert ladder.order(price="95", oflags="post")


def test_ids_never_repeat_even_if_chance_does():
    """An id that was given out is not given out again, should the dice fall the same way."""

    class Stuck:
        def __init__(self):
            self.draws = iter(["A", "A", "B"])

        def choices(self, symbols, k):
            return next(self.draws) * k

    mint = Mint(1)
    mint._orders = Stuck()
    assert ("OPAPER-AAAAA-AAAAAA", "OPAPER-BBBBB-BBBBBB") == (mint.order(), mint.order())


def test_order_ids(ladder):
    """Order ids are 6-5-6, begin OPAPER, and never repeat; trade ids begin with T."""
    ids = [ladder.order(price="95", volume="0.01") for _ in range(50)]
    assert 50 == len(set(ids))
    assert {(6, 5, 6)} == {tuple(map(len, txid.split("-"))) for txid in ids}
    assert all(txid.startswith("OPAPER-") for txid in ids)
    trade = ladder.state(ladder.order(ordertype="market", volume="0.1"))["trades"][0]
    assert trade[0] == "T"
