"""The private session, frame by frame: published executions in, orders and fills out; a lost message ends the link."""

import json
from decimal import Decimal

import pytest
from executions_parts import ACK, TOKEN, frame, gets, sample, session
from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain.account import AssetAmount
from execsvc.domain.errors import ProtocolBroken
from execsvc.domain.market import Beat, LinkUp, Side
from execsvc.domain.order import Status
from execsvc.ports import ExecutionSeen, OrdersSnapshot

D = Decimal


def test_subscriptions_are_asked_once_with_the_token():
    """Open orders and the last fills come with the snapshot of executions, the funds with that of balances."""
    private = session()
    said = [json.loads(text) for text in [*private.due(100.0, 100), *private.due(100.1, 100)]]
    orders, funds = [message for message in said if message["method"] == "subscribe"]
    assert orders["params"] == {
        "channel": "executions",
        "token": TOKEN,
        "snap_orders": True,
        "snap_trades": True,
        "ratecounter": True,
    }
    assert funds["params"] == {"channel": "balances", "token": TOKEN, "snapshot": True}
    assert orders["req_id"] != funds["req_id"]


def test_token_is_not_shown():
    """Nor by accident."""
    assert TOKEN not in repr(session())


def test_accepted_subscription_is_the_link():
    """LinkUp once, whether the answer or the data comes first."""
    private = session()
    assert [LinkUp(100)] == gets(private, ACK)
    early = session()
    assert [LinkUp(100), OrdersSnapshot(())] == gets(early, frame([], 1, "snapshot"))
    assert [Beat(100)] == gets(early, ACK)


def test_refused_subscription_ends_the_link():
    """With Kraken's reason, and without the token."""
    private = session()
    assert gets(private, {"method": "subscribe", "success": False, "error": "ESession:Invalid session"}) == []
    assert "ESession:Invalid session" in private.ended


def test_published_flow_of_an_order():
    """pending_new, new with ids only, the trade: status, quantities, fee and fill."""
    private = session()
    (pending,) = gets(private, sample("ws_executions_pending_new"))
    (new,) = gets(private, sample("ws_executions_new"))
    (trade,) = gets(private, sample("ws_executions_trade"))
    assert [Status.PENDING, Status.OPEN, Status.OPEN] == [each.report.status for each in (pending, new, trade)]
    assert pending.report.open_time_ns == 1_695_378_785_709_950_000
    assert (D("0.005"), D("132.9995")) == (trade.report.filled_quantity, trade.report.filled_cost)
    assert (AssetAmount("USD", D("0.3458")),) == trade.report.added_fees == trade.fill.fees
    fill = trade.fill
    assert ("TGBB7L-HT5LX-J3BZ4A", "main", "BTC/USD", Side.SELL, False) == (
        fill.fill_id,
        fill.account,
        fill.symbol,
        fill.side,
        fill.maker,
    )
    assert (D("26599.9"), D("0.005"), D("132.9995")) == (fill.price, fill.quantity, fill.cost)


def test_deltas_are_completed_from_what_came_before():
    """A trade without symbol, side and our id takes them from the order's first message."""
    private = session()
    client_id = "6d1b345e-2821-40e2-ad83-4ecb18a06876"
    first = {"order_id": "O1", "exec_type": "pending_new", "symbol": "BTC/USD", "side": "buy", "cl_ord_id": client_id}
    gets(private, frame([first], 1))
    trade = {
        "order_id": "O1",
        "exec_type": "trade",
        "exec_id": "T1",
        "last_qty": 1.5,
        "last_price": 2,
        "liquidity_ind": "m",
    }
    (seen,) = gets(private, frame([trade], 2))
    assert client_id == seen.report.venue_client_id
    assert ("BTC/USD", Side.BUY, D("3.0"), True) == (
        seen.fill.symbol,
        seen.fill.side,
        seen.fill.cost,
        seen.fill.maker,
    )


def test_cancel_tells_its_reason():
    """By either of Kraken's fields."""
    private = session()
    rows = [
        {"order_id": "O1", "exec_type": "canceled", "order_status": "canceled", "reason": "Post only order"},
        {"order_id": "O2", "exec_type": "expired", "cancel_reason": "GTD"},
    ]
    events = gets(private, frame(rows, 1))
    assert [(Status.CANCELLED, "Post only order"), (Status.EXPIRED, "GTD")] == [
        (each.report.status, each.report.reason) for each in events
    ]


def test_snapshot_is_open_orders_then_fills_oldest_first():
    """Fills of the time the link was down come again; rows that lack a side are repeats left to the history."""
    trade = {"exec_type": "trade", "symbol": "BTC/USD", "side": "buy", "last_qty": 1, "last_price": 2, "order_id": "O9"}
    rows = [
        {"order_id": "O1", "exec_type": "new", "order_status": "new", "symbol": "BTC/USD", "side": "buy"},
        trade | {"exec_id": "T2", "timestamp": "2023-09-22T10:33:06Z"},
        trade | {"exec_id": "T1", "timestamp": "2023-09-22T10:33:05Z"},
        {"order_id": "O8", "exec_type": "trade", "exec_id": "T0"},
    ]
    _, snapshot = gets(session(), frame(rows, 1, "snapshot"))
    assert isinstance(snapshot, OrdersSnapshot)
    assert ["O1"] == [report.venue_order_id for report in snapshot.reports]
    assert ["T1", "T2"] == [each.fill.fill_id for each in snapshot.trades]
    assert not snapshot.trades_whole


@pytest.mark.parametrize(("count", "whole"), [(0, True), (49, True), (50, False)])
def test_fifty_trades_are_perhaps_not_all(count, whole):
    """Kraken shows the last 50: fewer are all that there ever were."""
    trade = {"exec_type": "trade", "symbol": "BTC/USD", "side": "buy", "last_qty": 1, "last_price": 2, "order_id": "O9"}
    rows = [trade | {"exec_id": f"T{number}"} for number in range(count)]
    _, snapshot = gets(session(), frame(rows, 1, "snapshot"))
    assert (count, whole) == (len(snapshot.trades), snapshot.trades_whole)


def test_second_snapshot_frame_is_no_second_verdict():
    """Only the first says what is open; the rest are single reports."""
    private = session()
    gets(private, frame([], 1, "snapshot"))
    row = {"order_id": "O1", "exec_type": "new", "order_status": "new"}
    assert [ExecutionSeen] == [type(event) for event in gets(private, frame([row], 2, "snapshot"))]


@pytest.mark.parametrize("following", [9, 11, 12, None])
def test_jump_of_the_sequence_ends_the_link(following):
    """After 9 comes 10: anything else means something was missed."""
    private = session()
    gets(private, frame([], 9))
    message = frame([{"order_id": "O1", "exec_type": "new"}], following)
    assert gets(private, message) == []
    assert "sequence" in private.ended


def test_sequence_by_one_goes_on():
    """The first number is wherever Kraken begins."""
    private = session()
    for sequence in (8, 9, 10):
        assert gets(private, frame([], sequence))
    assert private.ended == ""


def test_changes_of_an_order_that_nobody_described_are_beats():
    """A restated or amended order without a status, of which nothing else is known, is no report."""
    private = session()
    assert [Beat(100)] == gets(private, frame([{"order_id": "O1", "exec_type": "restated"}], 1))
    assert [Beat(100)] == gets(private, sample("ws_heartbeat"))


def test_trade_that_cannot_be_read_is_broken():
    """No fill is guessed."""
    with pytest.raises(ProtocolBroken):
        gets(session(), frame([{"order_id": "O1", "exec_type": "trade", "exec_id": "T1", "last_qty": 1}], 1))


ROWS = st.fixed_dictionaries(
    {"order_id": st.sampled_from(["O1", "O2"]), "exec_type": st.sampled_from(["new", "trade", "filled", "what"])},
    optional={
        "order_status": st.sampled_from(["new", "filled", "canceled", "odd", ""]),
        "symbol": st.sampled_from(["BTC/USD", "FOO/BAR", ""]),
        "side": st.sampled_from(["buy", "sell", "x"]),
        "exec_id": st.sampled_from(["T1", ""]),
        "last_qty": st.one_of(st.integers(-1, 3), st.just("NaN"), st.none(), st.just(1e300)),
        "last_price": st.one_of(st.integers(-1, 3), st.text(max_size=3)),
        "cum_qty": st.one_of(st.integers(-1, 3), st.none()),
        "fees": st.one_of(
            st.none(), st.lists(st.fixed_dictionaries({"asset": st.just("USD"), "qty": st.floats(0, 9)}))
        ),
        "timestamp": st.sampled_from(["2023-09-22T10:33:05.70Z", "", "soon"]),
        "cl_ord_id": st.one_of(st.none(), st.text(max_size=4)),
    },
)


@given(st.lists(ROWS, max_size=4), st.sampled_from(["snapshot", "update"]))
def test_any_rows_are_events_or_broken(rows, kind):
    """Whatever fields come, missing or odd."""
    try:
        events = gets(session(), frame(rows, 1, kind))
    except ProtocolBroken:
        return
    assert events
