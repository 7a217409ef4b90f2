"""Buying, selling, looking at orders: what is sent, what is said first, and that doubt never looks like success."""

import io

import grpc
import pytest
from execsvc_api.v1 import order_service_pb2

BUY = ("buy", "BTC/USD", "--qty", "0.001", "--limit", "60000.0")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_buy_sends_what_was_typed(execsvc, gateway, placed):
    """Quantity, price and flags arrive as typed, digits kept; the order is the answer."""
    gateway.script("PlaceOrder", placed("mine"))
    said = execsvc(
        "buy", "BTC/USD", "--qty", "0.00100000", "--limit", "60000.0", "--post-only",
        "--client-order-id", "mine", "--label", "dca", "--account", "main", "-o", "json",
    )  # fmt: skip
    (request,) = gateway.requests["PlaceOrder"]
    assert ("0.00100000", "60000.0", True) == (
        request.spec.base_quantity,
        request.spec.limit.limit_price,
        request.spec.limit.post_only,
    )
    assert (1, "mine", "dca", "main") == (
        request.spec.side,
        request.client_order_id,
        request.spec.label,
        request.account,
    )
    assert said.code == 0
    assert ("ORDER_STATUS_OPEN", "OAAAAA-BBBBB-CCCCCC", "0.00100000") == (
        said.json["order"]["status"],
        said.json["order"]["orderId"],
        said.json["order"]["spec"]["baseQuantity"],
    )
    assert (False, []) == (said.json["replayed"], said.json["warnings"])
    assert said.json["order"]["createTime"] == "2023-11-14T22:13:20.000000000Z"
    assert gateway.metadata["x-client-name"] == "execsvc-cli"


def test_sell_without_a_limit_is_a_market_order(execsvc, gateway, placed):
    """No --limit: a market order; --ioc goes with a limit."""
    gateway.script("PlaceOrder", placed())
    assert execsvc("sell", "BTC/USD", "--qty", "1").code == 0
    assert execsvc("sell", "BTC/USD", "--qty", "1", "--limit", "5", "--ioc").code == 0
    market, ioc = gateway.requests["PlaceOrder"]
    assert ("market", 2) == (market.spec.WhichOneof("order_type"), market.spec.side)
    assert ("limit", 2) == (ioc.spec.WhichOneof("order_type"), ioc.spec.time_in_force)


@pytest.mark.parametrize("words", [("--qty", "1e-3"), ("--qty", "0.1", "--post-only"), ("--qty", "1", "--limit", "01")])
def test_what_cannot_be_meant_is_exit_2_and_nothing_is_sent(execsvc, gateway, placed, words):
    """An exponent, leading zeros, a market order that must rest: refused here."""
    gateway.script("PlaceOrder", placed())
    assert execsvc("buy", "BTC/USD", *words).code == 2
    assert gateway.requests["PlaceOrder"] == []


def test_the_id_is_said_before_anything_is_sent(execsvc, gateway, placed, monkeypatch):
    """A crash after this line can be looked up: the id stands on stderr when the order arrives."""
    heard, stderr = [], io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)

    def answer(request):
        heard.append((request.client_order_id, stderr.getvalue()))
        return placed(request.client_order_id)

    gateway.script("PlaceOrder", answer)
    assert execsvc(*BUY).code == 0
    ((sent, said),) = heard
    assert said == f"client order id  {sent}\n"
    assert len(sent) == 36


def test_table_names_order_and_state(execsvc, gateway, placed):
    """A person reads ids, the order in words and its state; stdout carries nothing else."""
    gateway.script("PlaceOrder", placed("c-1"))
    said = execsvc(*BUY, "--client-order-id", "c-1")
    assert said.out.splitlines() == [
        "client order id  c-1",
        "order id         OAAAAA-BBBBB-CCCCCC",
        "order            buy 0.00100000 BTC/USD at 60000.0",
        "status           OPEN",
        "filled           0",
        "account          main",
    ]
    assert said.err == "client order id  c-1\n"


def test_in_doubt_is_exit_8(execsvc, gateway, placed, order):
    """A fate that is not known within --wait is exit 8, with the id and what to do, and no order on stdout."""
    gateway.script("PlaceOrder", placed("c-1", "IN_DOUBT"))
    gateway.script("GetOrder", order_service_pb2.GetOrderResponse(order=order("c-1", "IN_DOUBT")))
    said = execsvc(*BUY, "--client-order-id", "c-1", "--wait", "0.7", "-o", "json")
    error = said.json["error"]
    assert said.code == 8
    assert ("unknown_outcome", None, False, "c-1", True) == (
        error["category"],
        error["reason"],
        error["retryable"],
        error["client_order_id"],
        error["id_used"],
    )
    assert error["try"] == "execsvc order get c-1"


def test_doubt_that_resolves_in_time_is_done(execsvc, gateway, placed, order):
    """A doubt that ends within --wait is answered like any other order."""
    gateway.script("PlaceOrder", placed("c-1", "IN_DOUBT"))
    gateway.script("GetOrder", order_service_pb2.GetOrderResponse(order=order("c-1", "FILLED")))
    said = execsvc(*BUY, "--client-order-id", "c-1", "-o", "json")
    assert (0, "ORDER_STATUS_FILLED") == (said.code, said.json["order"]["status"])


def test_doubt_that_ends_in_a_refusal_is_that_refusal(execsvc, gateway, placed, order):
    """NOT_PLACED is the truth: exit 10, and a new id may be used."""
    gateway.script("PlaceOrder", placed("c-1", "IN_DOUBT"))
    gateway.script("GetOrder", order_service_pb2.GetOrderResponse(order=order("c-1", "NOT_PLACED")))
    said = execsvc(*BUY, "--client-order-id", "c-1", "-o", "json")
    assert (10, "NOT_PLACED") == (said.code, said.json["error"]["reason"])


def test_lost_answer_is_exit_8(execsvc, gateway, fail):
    """An error that is not execsvc's own, once the request was on its way, says nothing about the order."""
    gateway.script("PlaceOrder", fail(grpc.StatusCode.INTERNAL, message="RST_STREAM"))
    said = execsvc(*BUY, "--client-order-id", "c-1", "-o", "json")
    assert (8, "unknown_outcome", "c-1") == (
        said.code,
        said.json["error"]["category"],
        said.json["error"]["client_order_id"],
    )


@pytest.mark.parametrize("words", [BUY, ("order", "cancel", "c-1"), ("call", "CancelOrder", "{}")])
def test_live_money_is_asked_about(execsvc, gateway, placed, order, monkeypatch, words):
    """On a live gateway: --yes where nobody can be asked, a typed word on a terminal; else nothing is sent."""
    gateway.mode = "live"
    gateway.script("PlaceOrder", placed())
    gateway.script("CancelOrder", order_service_pb2.CancelOrderResponse(order=order()))

    def sent():
        return len(gateway.requests["PlaceOrder"]) + len(gateway.requests["CancelOrder"])

    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    said = execsvc(*words)
    assert (2, 0) == (said.code, sent())
    assert "--yes" in said.out + said.err
    monkeypatch.setattr("sys.stdin", Terminal("no\n"))
    assert (2, 0) == (execsvc(*words).code, sent())
    monkeypatch.setattr("sys.stdin", Terminal("live\n"))
    assert (0, 1) == (execsvc(*words).code, sent())
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert (0, 2) == (execsvc(*words, "--yes").code, sent())


def test_order_get_by_either_id(execsvc, gateway, order):
    """By the client order id, or by Kraken's; by none or both is a mistake."""
    gateway.script("GetOrder", order_service_pb2.GetOrderResponse(order=order("c-1")))
    assert execsvc("order", "get", "c-1", "-o", "json").json["order"]["clientOrderId"] == "c-1"
    assert execsvc("order", "get", "--order-id", "OZZ").code == 0
    assert execsvc("order", "get").code == 2
    assert execsvc("order", "get", "c-1", "--order-id", "OZZ").code == 2
    first, second = gateway.requests["GetOrder"]
    assert ("c-1", "OZZ") == (first.order.client_order_id, second.order.order_id)


def test_order_get_tells_why_it_ended(execsvc, gateway, order):
    """An order that ended badly says why."""
    ended = order("c-1", "CANCELLED")
    ended.end_error.reason, ended.end_error.message = "POST_ONLY_WOULD_TAKE", "it would have taken"
    gateway.script("GetOrder", order_service_pb2.GetOrderResponse(order=ended))
    assert "ended because    POST_ONLY_WOULD_TAKE: it would have taken" in execsvc("order", "get", "c-1").out


def test_order_list_in_three_forms(execsvc, gateway, order):
    """One JSON value, one line each, or columns; --open asks for what has not ended, --count stops."""
    page = order_service_pb2.ListOrdersResponse(orders=[order("c-2"), order("c-1", "FILLED")])
    gateway.script("ListOrders", page)
    assert ["c-2", "c-1"] == [each["clientOrderId"] for each in execsvc("order", "list", "-o", "json").json["orders"]]
    assert ["c-2", "c-1"] == [each["clientOrderId"] for each in execsvc("order", "list", "-o", "jsonl").lines]
    heads, first, second = execsvc("order", "list").out.splitlines()
    assert heads.startswith("client order id  order id")
    assert first.split()[0] == "c-2"
    assert "FILLED" in second
    said = execsvc("order", "list", "--open", "--symbol", "BTC/USD", "--count", "1", "-o", "json")
    assert len(said.json["orders"]) == 1
    assert ([1, 2, 3, 4], "BTC/USD") == (
        list(gateway.requests["ListOrders"][-1].statuses),
        gateway.requests["ListOrders"][-1].symbol,
    )


def test_order_list_names_the_reason_of_an_end(execsvc, gateway, order):
    """Beside the status; the words for it are those of `order get`."""
    halted, own = order("c-2", "CANCELLED"), order("c-1", "CANCELLED")
    halted.cancel_requested, halted.end_error.reason = True, "TRADING_HALTED"
    gateway.script("ListOrders", order_service_pb2.ListOrdersResponse(orders=[halted, own]))
    _, first, second = execsvc("order", "list").out.splitlines()
    assert (True, True) == ("  CANCELLED (TRADING_HALTED)  " in first, "  CANCELLED   " in second)


def test_order_cancel_says_that_it_is_pursued(execsvc, gateway, order):
    """A cancel that is recorded and not yet done shows as cancelling."""
    gateway.script("CancelOrder", order_service_pb2.CancelOrderResponse(order=order("c-1", cancel_requested=True)))
    assert "status           OPEN (cancelling)" in execsvc("order", "cancel", "c-1").out


def test_an_order_that_nobody_knows_is_exit_2(execsvc, gateway, fail):
    """NOT_FOUND is the command's mistake."""
    gateway.script("GetOrder", fail(grpc.StatusCode.NOT_FOUND, "ORDER_NOT_FOUND", "no such order"))
    said = execsvc("order", "get", "c-9")
    assert (2, "") == (said.code, said.out)
    assert "ORDER_NOT_FOUND: no such order" in said.err
