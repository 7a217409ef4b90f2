"""Several accounts on one exchange: one market, and everything else apart."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.paper.options import PaperAccount, PaperOptions
from tests.unit.paper.paperbench import Bench
from tests.unit.paper.test_paper_control import done

FUNDS = {"USD": "10000", "BTC": "10"}
OTHER = PaperAccount("other", "starter", {"USD": "5000", "BTC": "3"})


class Desk:
    """One account of the bench: it signs with the account's own key."""

    def __init__(self, bench, account):
        self.bench, self.account = bench, account
        self.venue = bench.venue.accounts[account]

    def ask(self, method, **params):
        return self.bench.private(method, key=self.venue.key, **params)

    def ok(self, method, **params):
        answer = self.ask(method, **params)
        assert [] == answer["error"], answer
        return answer["result"]

    def order(self, side="buy", price="100", volume="1", **more):
        fields = {"pair": "XBTUSD", "type": side, "ordertype": "limit", "price": price, "volume": volume} | more
        return self.ok("AddOrder", **fields)["txid"][0]

    def state(self, txid):
        return self.ok("QueryOrders", txid=txid)[txid]

    def follow(self, channel):
        socket = self.bench.open("private")
        socket.ask("subscribe", channel=channel, token=self.ok("GetWebSocketsToken")["token"], snapshot=False)
        socket.frames()
        return socket


@pytest.fixture
def two():
    """A still market around 100, and the two accounts that trade in it."""
    bench = Bench(pairs=("BTC/USD", "ETH/USD"), funds=FUNDS, others=(OTHER,), tier="pro")
    bench.book(bids=[("90", "2")], asks=[("110", "2")])
    return bench, Desk(bench, "paper"), Desk(bench, "other")


def told(socket, channel):
    return [row for frame in socket.frames(channel) for row in frame["data"]]


def test_each_account_has_its_own_money(two):
    """What one has says nothing of the other."""
    _, one, other = two
    balances = [{name: Decimal(text) for name, text in desk.ok("Balance").items()} for desk in (one, other)]
    assert [{"ZUSD": 10000, "XXBT": 10}, {"ZUSD": 5000, "XXBT": 3}] == balances


def test_an_order_is_seen_by_its_own_account_only(two):
    """Neither listed, nor queried, nor cancelled from another one."""
    bench, one, other = two
    txid = one.order(cl_ord_id="mine")
    assert [[txid], []] == [list(desk.ok("OpenOrders")["open"]) for desk in (one, other)]
    assert {} == other.ok("OpenOrders", cl_ord_id="mine")["open"]
    assert {} == other.ok("QueryOrders", txid=txid)
    assert ["EOrder:Invalid order"] == other.ask("CancelOrder", txid=txid)["error"]
    assert {"count": 0} == other.ok("CancelAll")
    assert "open" == one.state(txid)["status"]
    assert ["paper"] == [row["account"] for row in done(bench, "GET", "/orders")["orders"]]


def test_both_see_one_market(two):
    """What one of them rests is depth for everybody."""
    bench, one, other = two
    one.order(price="95", volume="1")
    other.order("sell", price="105", volume="2")
    depth = bench.public("Depth", pair="XBTUSD", count="2")["result"]["XXBTZUSD"]
    best = {side: [Decimal(each) for each in rows[0][:2]] for side, rows in depth.items()}
    assert {"bids": [95, 1], "asks": [105, 2]} == best


def test_two_accounts_trade_with_one_another(two):
    """At the price of the one who was there, each as maker or taker, with the money moved on both sides."""
    bench, one, other = two
    made, took = one.order("sell", price="105", volume="1"), other.order("buy", price="106", volume="0.4")
    assert [("open", "0.40000000"), ("closed", "0.40000000")] == [
        (desk.state(txid)["status"], desk.state(txid)["vol_exec"]) for desk, txid in ((one, made), (other, took))
    ]
    trades = [next(iter(desk.ok("TradesHistory")["trades"].values())) for desk in (one, other)]
    assert [("sell", True), ("buy", False)] == [(trade["type"], trade["maker"]) for trade in trades]
    assert 1 == len({trade["trade_id"] for trade in trades})
    assert [Decimal("9.6"), Decimal("3.4")] == [Decimal(desk.ok("Balance")["XXBT"]) for desk in (one, other)]
    ledger = done(bench, "GET", "/ledger")
    assert (True, True) == (ledger["balanced"], ledger["others"]["other"]["balanced"])


def test_an_account_does_not_trade_with_itself_though_it_does_with_others(two):
    """Its own order is passed by no one: the incoming one ends there."""
    _, one, other = two
    other.order("sell", price="104", volume="0.3")
    own = one.order("sell", price="105", volume="1")
    took = one.order("buy", price="106", volume="1")
    assert ("canceled", "0.30000000", "open") == (
        one.state(took)["status"],
        one.state(took)["vol_exec"],
        one.state(own)["status"],
    )


def test_fill_or_kill_counts_the_orders_of_other_accounts(two):
    """What an iceberg of theirs hides as well; one's own does not count."""
    _, one, other = two
    other.order("sell", price="105", volume="2", ordertype="iceberg", displayvol="0.2")
    one.order("sell", price="105", volume="1")
    enough, too_much = (
        one.order("buy", price="105", volume=lots, timeinforce="FOK", stptype="cancel-oldest") for lots in ("2", "0.5")
    )
    assert ["closed", "canceled"] == [one.state(txid)["status"] for txid in (enough, too_much)]


@pytest.mark.parametrize("payer", ["of its own", "of another account", "a stranger"])
def test_a_price_that_anybody_paid_sets_off_a_stop(two, payer):
    """The last price is the market's, whoever made it."""
    bench, one, other = two
    stop = other.ok("AddOrder", pair="XBTUSD", type="sell", ordertype="stop-loss", price="96", volume="0.5")["txid"][0]
    if payer == "a stranger":
        bench.take("sell", "0.1")
    else:
        (other if payer == "of its own" else one).order("sell", price="90", volume="0.1")
    assert ("closed", "0.50000000") == (other.state(stop)["status"], other.state(stop)["vol_exec"])


def test_a_conditional_close_is_brought_forth_for_the_account_that_was_filled(two):
    """By a taker of another account, in its own books."""
    _, one, other = two
    first = one.order("buy", price="95", volume="1", **{"close[ordertype]": "limit", "close[price]": "120"})
    other.order("sell", price="95", volume="1")
    (close,) = one.ok("OpenOrders")["open"].values()
    assert (first, {}) == (close["refid"], other.ok("OpenOrders")["open"])


def test_streams_tell_an_account_its_own_only(two):
    """Executions and balances, of the same trade to each its own side."""
    _, one, other = two
    lines = {desk: (desk.follow("executions"), desk.follow("balances")) for desk in (one, other)}
    one.order("sell", price="105", volume="1")
    other.order("buy", price="105", volume="1")
    sides = [{row["side"] for row in told(lines[desk][0], "executions") if "side" in row} for desk in (one, other)]
    moved = [sorted(row["amount"] for row in told(lines[desk][1], "balances")) for desk in (one, other)]
    assert ([{"sell"}, {"buy"}], [[-1.0, 105.0], [-105.0, 1.0]]) == (sides, moved)


def test_a_client_id_is_one_accounts(two):
    """Both may use the same one at a time."""
    _, one, other = two
    first, second = (desk.order(cl_ord_id="same", price="91") for desk in (one, other))
    assert [[first], [second]] == [list(desk.ok("OpenOrders", cl_ord_id="same")["open"]) for desk in (one, other)]


def test_nonces_and_both_counters_are_counted_apart(two):
    """A nonce that is spent by one key is good for the other; calls and orders fill each its own counter."""
    bench, one, other = two
    for key in (one.venue.key, other.venue.key):
        ticket = bench.ticket("Balance", nonce=5_000_000, key=key)
        assert b'"error":[]' in ticket.outcome.body
    bench.nonce = 6_000_000
    for _ in range(12):
        other.order(price="91", volume="0.01")
    limits = done(bench, "GET", "/limits")
    pairs = [each["pairs"]["BTC/USD"]["level"] for each in (limits, limits["others"]["other"])]
    assert ([0, 12], ["pro", "starter"]) == (pairs, [limits["tier"], limits["others"]["other"]["tier"]])
    calls = [[key["level"] for key in each["keys"].values()] for each in (limits, limits["others"]["other"])]
    assert [[1], [1]] == calls


def test_a_dead_mans_switch_strikes_one_account(two):
    """The orders of the others rest on."""
    bench, one, other = two
    mine, theirs = one.order(price="91"), other.order(price="91")
    one.ok("CancelAllOrdersAfter", timeout="2")
    bench.wait(3)
    assert ["canceled", "open"] == [one.state(mine)["status"], other.state(theirs)["status"]]


def test_a_key_is_made_for_an_account(two):
    """By its name at the control port; of an account that is not there it is refused."""
    bench, _, other = two
    made = done(bench, "POST", "/keys", {"name": "second", "account": "other"})
    assert made["api_key"] in done(bench, "GET", "/limits")["others"]["other"]["keys"]
    key = next(each for each in bench.venue.keys.all() if each.api_key == made["api_key"])
    assert other.ok("Balance") == bench.private("Balance", key=key)["result"]


def test_another_account_changes_nothing_for_the_first():
    """Its key, its ids and its market are those of the seed, whoever else is there."""
    alone, among = Bench(pairs=("BTC/USD",), frozen=False), Bench(pairs=("BTC/USD",), frozen=False, others=(OTHER,))
    for bench in (alone, among):
        bench.wait(30)
    assert alone.key.api_key == among.key.api_key
    assert alone.public("Depth", pair="XBTUSD") == among.public("Depth", pair="XBTUSD")


@pytest.mark.parametrize(
    "others", [(PaperAccount("paper"),), (OTHER, OTHER), (PaperAccount(""),), (PaperAccount("x", "gold"),)]
)
def test_accounts_have_names_of_their_own_and_a_tier_that_is_one(others):
    """Two of one name would be one."""
    with pytest.raises(ValueError, match=r"name of its own|tier must be one of"):
        PaperOptions(others=others)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["paper", "other"]),
        st.sampled_from(["buy", "sell"]),
        st.integers(95, 105).map(str),
        st.sampled_from(["0.1", "0.5", "2"]),
        st.sampled_from(
            [
                {},
                {"timeinforce": "IOC"},
                {"timeinforce": "FOK"},
                {"oflags": "post"},
                {"ordertype": "iceberg", "displayvol": "0.02"},
                {"ordertype": "stop-loss"},
                {"stptype": "cancel-oldest"},
                {"close[ordertype]": "limit", "close[price]": "100"},
                {"leverage": "2"},
                {"leverage": "2", "reduce_only": "true"},
            ]
        ),
    ),
    max_size=25,
)


@given(STEPS)
def test_whatever_two_accounts_do_all_books_agree(steps):
    """Money is conserved on both sides; what rests is an open order of whoever it says; goods only change hands."""
    bench = Bench(pairs=("BTC/USD",), funds=FUNDS, others=(OTHER,), tier="unlimited")
    bench.book(bids=[("94", "0.5")], asks=[("106", "0.5")])
    for account, side, price, volume, more in steps:
        params = {"pair": "XBTUSD", "type": side, "ordertype": "limit", "price": price, "volume": volume} | more
        Desk(bench, account).ask("AddOrder", **params)
    venues = bench.venue.accounts
    for venue in venues.values():
        venue.engine.prove()
    halves = bench.venue.listing("XBTUSD").book.halves.values()
    resting = [each for half in halves for level in half.levels.values() for each in level.queue.values() if each.owned]
    for each in resting:
        order = venues[each.owner].orders.get(each.ref)
        assert (True, each, order.left) == (order.open, order.resting, each.whole)
    assert len(resting) == sum(
        order.resting is not None for venue in venues.values() for order in venue.orders.open_ones()
    )
    assert _met(venues["paper"], venues["other"]) == _met(venues["other"], venues["paper"])


def _met(one, other):
    """What one of them sold and the other bought in the same trades, as the one has booked it."""
    theirs = {trade.trade_id for trade in other.orders.trades.values()}
    return sorted(
        (trade.trade_id, trade.lots, trade.price) for trade in one.orders.trades.values() if trade.trade_id in theirs
    )
