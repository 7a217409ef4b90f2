"""The wish behind Kraken's pictures of an order: published ones, the stream's row by row, and what cannot be said here."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from executions_parts import frame, gets, sample, session
from kraken_parts import known_names, result_of, vector

from execsvc.domain.market import Side
from execsvc.domain.order import Status
from execsvc.domain.spec import (
    ConditionalClose,
    FeePreference,
    Offset,
    OrderSpec,
    OrderType,
    TimeInForce,
    TriggerReference,
)
from execsvc.kraken import decode
from execsvc.ports import ExecutionSeen

NAMES = known_names()
D = Decimal
OPEN_ID = "OQCLML-BW3P3-BUCMWZ"


def rest(change=None, **parts):
    """What is read of the published open order, with parts of it changed."""
    row = vector("rest_OpenOrders")["result"]["open"][OPEN_ID] | parts
    row["descr"] = row["descr"] | (change or {})
    return decode.open_orders(json.dumps({"open": {OPEN_ID: row}}).encode(), NAMES)[OPEN_ID]


# ---- REST ------------------------------------------------------------------------------------------------------------


def test_the_published_open_orders_are_read():
    """A limit order, and one on margin."""
    orders = decode.open_orders(result_of("rest_OpenOrders"), NAMES)
    limit = OrderSpec("BTC/USD", Side.BUY, D("1.25000000"), OrderType.LIMIT, D("30010.0"))
    margin = replace(limit, base_quantity=D("0.27500000"), limit_price=D("14500.0"), leverage=5)
    assert [limit, margin] == [order.spec for order in orders.values()]


def test_a_market_order_that_pays_in_its_base_is_read():
    """Of the published closed orders."""
    found = decode.queried_orders(result_of("rest_QueryOrders"), NAMES)["OMMDB2-FSB6Z-7W3HPO"].spec
    assert (
        OrderSpec(
            *("BTC/USD", Side.SELL, D("0.25000000"), OrderType.MARKET),
            fee_preference=FeePreference.BASE,
        )
        == found
    )


def test_a_picture_that_lacks_a_price_is_none():
    """The published stop-loss-limit order shows one price only: which of its two it is cannot be said."""
    assert decode.queried_orders(result_of("rest_QueryOrders"), NAMES)["OBCMZD-JIEE7-77TH3F"].spec is None


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"ordertype": "what-else"}, {}),
        ({"pair": "FOOBAR"}, {}),
        ({"type": "swap"}, {}),
        ({"price": "about 5"}, {}),
        ({"price": "+1%"}, {}),
        ({"leverage": "much"}, {}),
        ({"close": "close position @ once"}, {}),
        ({"ordertype": "trailing-stop", "price": "100"}, {}),
        ({}, {"vol": None}),
        ({}, {"vol": "0", "oflags": "viqc"}),
    ],
)
def test_what_cannot_be_said_is_none_and_the_order_is_told(change, parts):
    """Kraken has more kinds of orders than this house: its state is read all the same."""
    found = rest(change, **parts)
    assert (Status.OPEN, None) == (found.status, found.spec)


@pytest.mark.parametrize(
    ("change", "parts", "wanted"),
    [
        ({"ordertype": "iceberg"}, {"displayvol": "0.1"}, {"display_quantity": D("0.1")}),
        ({}, {"oflags": "fcib,post"}, {"post_only": True, "fee_preference": FeePreference.BASE}),
        (
            {},
            {"expiretm": 1800000000.5},
            {"time_in_force": TimeInForce.GTD, "expire_time_ns": 1_800_000_000_500_000_000},
        ),
        ({}, {"starttm": 1800000000}, {"start_time_ns": 1_800_000_000_000_000_000}),
        ({}, {"vol": "0"}, {"base_quantity": None, "full_position": True}),
        (
            {"close": "close position @ stop loss 22000.0 -> limit 21000.0"},
            {},
            {"conditional_close": ConditionalClose(OrderType.STOP_LOSS, D("21000.0"), D("22000.0"))},
        ),
        (
            {"close": "close position @ trailing stop +50.0000%"},
            {},
            {"conditional_close": ConditionalClose(OrderType.TRAILING_STOP, offset=Offset(D("50.0000"), percent=True))},
        ),
    ],
)
def test_options_of_an_order_are_read(change, parts, wanted):
    """As REST shows them."""
    plain = OrderSpec("BTC/USD", Side.BUY, D("1.25000000"), OrderType.LIMIT, D("30010.0"))
    assert replace(plain, **wanted) == rest(change, **parts).spec


@pytest.mark.parametrize(
    ("change", "parts", "wanted"),
    [
        ({"ordertype": "market", "price": "0"}, {"oflags": "viqc"}, {"quote_quantity": D("1.25000000")}),
        (
            {"ordertype": "take-profit-limit", "price": "5", "price2": "4"},
            {"trigger": "index"},
            {
                "order_type": OrderType.TAKE_PROFIT,
                "trigger_price": D(5),
                "limit_price": D(4),
                "trigger_reference": TriggerReference.INDEX,
            },
        ),
        (
            {"ordertype": "trailing-stop-limit", "price": "+50.0000%", "price2": "-1.5"},
            {},
            {
                "order_type": OrderType.TRAILING_STOP,
                "offset": Offset(D("50.0000"), percent=True),
                "limit_offset": Offset(D("-1.5")),
            },
        ),
        (
            {"ordertype": "settle-position", "leverage": "3:1"},
            {},
            {"order_type": OrderType.SETTLE_POSITION, "leverage": 3},
        ),
    ],
)
def test_other_types_are_read(change, parts, wanted):
    """Each with its own prices."""
    size = None if "quote_quantity" in wanted else D("1.25000000")
    plain = {"order_type": OrderType.MARKET} | wanted
    assert OrderSpec("BTC/USD", Side.BUY, size, **plain) == rest(change, **parts).spec


@pytest.mark.parametrize(
    ("misc", "fired"), [("", False), ("stopped", True), ("touched,partial", True), ("amended", False)]
)
def test_a_trigger_that_fired_is_told_in_misc(misc, fired):
    """Stopped or touched."""
    assert fired is rest(misc=misc).triggered


def test_a_childs_parent_and_a_trails_stand_are_told():
    """Of no such order they are empty, and not known."""
    child, plain = rest(refid="OPARENT", stopprice="29000.5"), rest()
    assert [("OPARENT", D("29000.5")), ("", None)] == [
        (each.parent_order_id, each.current_trigger_price) for each in (child, plain)
    ]


# ---- the stream ------------------------------------------------------------------------------------------------------

ROW = {
    "order_id": "O1",
    "exec_type": "pending_new",
    "order_status": "pending_new",
    "symbol": "BTC/USD",
    "side": "sell",
    "order_type": "limit",
    "order_qty": 1.2,
    "limit_price": 60000.0,
    "limit_price_type": "static",
    "time_in_force": "GTC",
    "fee_ccy_pref": "fciq",
}
PLAIN = OrderSpec("BTC/USD", Side.SELL, D("1.2"), OrderType.LIMIT, D("60000.0"))


def reports(*rows):
    """What is told of these rows, one frame each."""
    private = session()
    events = [event for number, row in enumerate(rows, start=1) for event in gets(private, frame([row], number))]
    return [event.report for event in events if isinstance(event, ExecutionSeen)]


def test_the_published_first_row_is_read():
    """pending_new describes the order whole."""
    private = session()
    (seen,) = [each for each in gets(private, sample("ws_executions_pending_new")) if isinstance(each, ExecutionSeen)]
    assert OrderSpec("BTC/USD", Side.SELL, D("0.005"), OrderType.LIMIT, D("26500.0")) == seen.report.spec


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        ({}, {}),
        ({"order_type": "iceberg", "display_qty": 0.1}, {"display_quantity": D("0.1")}),
        ({"post_only": True, "reduce_only": True}, {"post_only": True, "reduce_only": True}),
        ({"time_in_force": "IOC"}, {"time_in_force": TimeInForce.IOC}),
        (
            {"time_in_force": "GTD", "expire_time": "2027-01-15T08:00:00Z"},
            {"time_in_force": TimeInForce.GTD, "expire_time_ns": 1_800_000_000_000_000_000},
        ),
        ({"effective_time": "2027-01-15T08:00:00Z"}, {"start_time_ns": 1_800_000_000_000_000_000}),
        ({"fee_ccy_pref": "fcib"}, {"fee_preference": FeePreference.BASE}),
        (
            {"contingent": {"order_type": "stop-loss-limit", "trigger_price": 5, "limit_price": 4}},
            {"conditional_close": ConditionalClose(OrderType.STOP_LOSS, D(4), D(5))},
        ),
        (
            {"contingent": {"order_type": "trailing-stop", "trigger_price": 5, "trigger_price_type": "pct"}},
            {"conditional_close": ConditionalClose(OrderType.TRAILING_STOP, offset=Offset(D(5), percent=True))},
        ),
    ],
)
def test_options_of_a_row_are_read(parts, wanted):
    """As the stream shows them."""
    (report,) = reports(ROW | parts)
    assert replace(PLAIN, **wanted) == report.spec


TRIGGERED = {"limit_price": None, "limit_price_type": None}


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        (
            {"order_type": "stop-loss", "triggers": {"price": 5, "price_type": "static", "reference": "index"}},
            {
                "order_type": OrderType.STOP_LOSS,
                "trigger_price": D(5),
                "trigger_reference": TriggerReference.INDEX,
            },
        ),
        (
            {"order_type": "take-profit-limit", "triggers": {"price": 5}, "limit_price": 4},
            {"order_type": OrderType.TAKE_PROFIT, "trigger_price": D(5), "limit_price": D(4)},
        ),
        (
            {"order_type": "trailing-stop", "triggers": {"price": 1.5, "price_type": "pct", "actual_price": 59000}},
            {"order_type": OrderType.TRAILING_STOP, "offset": Offset(D("1.5"), percent=True)},
        ),
        (
            {
                "order_type": "trailing-stop-limit",
                "triggers": {"price": 25, "price_type": "quote"},
                "limit_price": -1.5,
                "limit_price_type": "quote",
            },
            {
                "order_type": OrderType.TRAILING_STOP,
                "offset": Offset(D(25)),
                "limit_offset": Offset(D("-1.5")),
            },
        ),
        (
            {"order_type": "market", "side": "buy", "order_qty": 0, "cash_order_qty": 100.5},
            {"order_type": OrderType.MARKET, "side": Side.BUY, "base_quantity": None, "quote_quantity": D("100.5")},
        ),
    ],
)
def test_other_types_of_a_row_are_read(parts, wanted):
    """Each with its own prices."""
    row = {name: value for name, value in (ROW | TRIGGERED | parts).items() if value is not None}
    (report,) = reports(row)
    assert OrderSpec(**{"symbol": "BTC/USD", "side": Side.SELL, "base_quantity": D("1.2")} | wanted) == report.spec


@pytest.mark.parametrize("parts", [{"order_type": "what-else"}, {"side": "x"}, {"limit_price": -1}])
def test_a_row_that_cannot_be_said_is_told_without_a_wish(parts):
    """That there is such an order, and how it stands."""
    (report,) = reports(ROW | parts)
    assert (Status.PENDING, None) == (report.status, report.spec)


def test_figures_of_an_order_on_margin_are_told_without_its_leverage():
    """The stream does not tell it, REST does; that it is on margin its first row alone says."""
    amended = {"order_id": "O1", "exec_type": "amended", "order_qty": 0.7}
    told = reports(ROW | {"margin": True}, amended)
    assert [(PLAIN, False), (replace(PLAIN, base_quantity=D("0.7")), False)] == [
        (report.spec, report.leverage_told) for report in told
    ]
    assert [True] == [report.leverage_told for report in reports(ROW)]


def test_rows_are_put_together():
    """What a delta leaves out did not change: every later report has the wish as it is."""
    new = {"order_id": "O1", "exec_type": "new", "order_status": "new"}
    amended = {"order_id": "O1", "exec_type": "amended", "order_qty": 0.7, "limit_price": 60001.0}
    filled = {"order_id": "O1", "exec_type": "filled", "order_status": "filled", "cum_qty": 0.7}
    after = replace(PLAIN, base_quantity=D("0.7"), limit_price=D("60001.0"))
    told = reports(ROW, new, amended, filled)
    assert [
        (Status.PENDING, PLAIN),
        (Status.OPEN, PLAIN),
        (Status.OPEN, after),
        (Status.FILLED, after),
    ] == [(report.status, report.spec) for report in told]


def test_an_amended_order_that_waits_goes_on_waiting():
    """A delta without a status leaves it where it was."""
    _, amended = reports(ROW, {"order_id": "O1", "exec_type": "amended", "order_qty": 0.7})
    assert Status.PENDING is amended.status


def test_a_trigger_is_told_as_it_moves_and_when_it_fires():
    """`status` rows: where a trailing stop stands, and that it has fired; a row without them tells neither."""
    trail = {"price": 1.5, "price_type": "pct"}
    row = ROW | {"order_type": "trailing-stop", "triggers": trail | {"status": "untriggered", "actual_price": 59000}}
    moved = {"order_id": "O1", "exec_type": "status", "triggers": trail | {"actual_price": 59100}}
    fired = {"order_id": "O1", "exec_type": "status", "triggers": trail | {"status": "triggered"}}
    new = {"order_id": "O1", "exec_type": "new", "order_status": "new"}
    assert [(False, D(59000)), (None, D(59100)), (True, None), (None, None)] == [
        (report.triggered, report.current_trigger_price) for report in reports(row, moved, fired, new)
    ]


def test_a_childs_parent_is_told():
    """ord_ref_id names the order that spawned it."""
    (report,) = reports(ROW | {"ord_ref_id": "OPARENT"})
    assert "OPARENT" == report.parent_order_id


def test_the_reason_of_a_restatement_is_not_that_of_an_end():
    """An order that goes on has not ended for a reason."""
    _, restated = reports(ROW, {"order_id": "O1", "exec_type": "restated", "reason": "Engine change"})
    assert "" == restated.reason
