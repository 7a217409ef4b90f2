"""Looking: status, health, book, balances, version; and what `call` makes of JSON."""

import io
import json
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from execsvc_api.v1 import account_service_pb2, admin_service_pb2, market_data_service_pb2, order_service_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from execsvc.cli.options import complete_symbol
from tests.unit.cli.conftest import ticks


def venue(mode=1, feed=1, problems=()):
    message = admin_service_pb2.GetVenueStatusResponse(mode=mode, public_feed=1)
    message.accounts.add(account="main", private_feed=feed, problems=problems)
    return message


def test_status_shows_money_exchange_and_problems(execsvc, gateway):
    """A person sees whose money moves, how the exchange fares and what is wrong, worst first."""
    gateway.script("GetVenueStatus", venue(feed=2, problems=("the private feed is silent",)))
    said = execsvc("status")
    assert said.code == 0
    assert "paper money" in said.out
    assert "account main  private feed STALE" in said.out
    assert "the private feed is silent" in said.out
    answer = execsvc("status", "-o", "json").json
    assert ("paper", "0.1.0", "VENUE_MODE_ONLINE") == (
        answer["mode"],
        answer["server"]["version"],
        answer["venue"]["mode"],
    )


def test_status_wait(execsvc, gateway):
    """--wait returns as soon as the exchange is open, and is exit 11 when it is not in time."""
    gateway.script("GetVenueStatus", venue(mode=2), venue())
    assert execsvc("status", "--wait", "5").code == 0
    gateway.script("GetVenueStatus", venue(mode=2))
    said = execsvc("status", "--wait", "0.2", "-o", "json")
    assert (11, "maintenance") == (said.code, said.json["error"]["category"])
    assert "the exchange is MAINTENANCE" in said.json["error"]["message"]


def test_status_wait_goes_by_health_and_not_by_a_hint(execsvc, gateway):
    """A problem in words holds nobody up while the gateway takes orders; it is shown."""
    gateway.script("GetVenueStatus", venue(feed=2, problems=("EXECSVC_TIER=pro does not fit what Kraken says",)))
    said = execsvc("status", "--wait", "0.2")
    assert 0 == said.code
    assert "EXECSVC_TIER=pro does not fit" in said.out


def test_status_wait_waits_for_health(execsvc, gateway):
    """It ends when health says that orders are taken, not before."""
    asked = []

    def status(_):
        asked.append(1)
        gateway.takes_orders(yes=len(asked) > 1)
        return venue()

    gateway.script("GetVenueStatus", status)
    assert (0, 2) == (execsvc("status", "--wait", "5").code, len(asked))


def test_status_wait_says_why_no_orders_are_taken(execsvc, gateway):
    """Not in time: what health says, with every problem and the feed's state, since either may be the cause."""
    gateway.takes_orders(yes=False)
    gateway.script("GetVenueStatus", venue(feed=3, problems=("halted: a verdict was wrong", "the tier is wrong")))
    said = execsvc("status", "--wait", "0.1", "-o", "json")
    assert (
        "not open for trading after 0.1 s: execsvc.v1.OrderService is NOT_SERVING; "
        "halted: a verdict was wrong; the tier is wrong; the private feed is RESYNCING"
    ) == said.json["error"]["message"]


def test_status_without_wait_asks_no_health(execsvc, gateway):
    """Without --wait a gateway that takes no orders is shown all the same."""
    gateway.takes_orders(yes=False)
    gateway.script("GetVenueStatus", venue())
    assert 0 == execsvc("status").code


def test_health(execsvc, monkeypatch):
    """Exit 0 while it serves, 4 when it does not, when the service is unknown, and when nobody is there."""
    server, servicer = grpc.server(ThreadPoolExecutor(2)), health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    monkeypatch.setenv("EXECSVC_TARGET", target)
    try:
        said = execsvc("health")
        assert (0, "SERVING\n") == (said.code, said.out)
        servicer.set("execsvc.v1.OrderService", health_pb2.HealthCheckResponse.NOT_SERVING)
        assert execsvc("health", "--service", "execsvc.v1.OrderService").code == 4
        assert execsvc("health", "--service", "nobody").code == 4
        assert execsvc("health", "-o", "json").json == {"status": "SERVING"}
    finally:
        server.stop(0).wait()
    said = execsvc("health", "--target", "127.0.0.1:1", "-o", "json")
    assert (4, "network") == (said.code, said.json["error"]["category"])


def test_book_in_columns_says_when_it_is_old(execsvc, gateway):
    """Both sides beside each other, best first; a feed that is not LIVE is said on stderr."""
    answer = market_data_service_pb2.GetBookResponse(feed_state=2)
    answer.book.symbol = "BTC/USD"
    answer.book.bids.add(price="10", quantity="1")
    answer.book.asks.add(price="11", quantity="2")
    answer.book.asks.add(price="12", quantity="3")
    gateway.script("GetBook", answer)
    said = execsvc("book", "BTC/USD")
    assert said.out.splitlines() == [
        "bid quantity  bid  ask  ask quantity",
        "           1   10   11             2",
        "                    12             3",
    ]
    assert "STALE: do not quote" in said.err
    assert execsvc("book", "BTC/USD", "--depth", "25", "-o", "json").json["feedState"] == "FEED_STATE_STALE"
    assert gateway.requests["GetBook"][-1].depth == 25


def test_balances(execsvc, gateway):
    """Columns of what is held, or the answer's own names."""
    answer = account_service_pb2.ListBalancesResponse(account="main")
    answer.balances.add(asset="USD", total="100.50", held="0.5", available="100.0", credit="0", credit_used="0")
    gateway.script("ListBalances", answer)
    assert execsvc("balances").out.splitlines()[1].split() == ["USD", "100.50", "0.5", "100.0"]
    assert execsvc("balances", "-o", "json").json["balances"][0]["available"] == "100.0"
    assert execsvc("balances", "-o", "jsonl").lines[0]["asset"] == "USD"


def test_version_asks_nobody(execsvc):
    """The version is that of this program."""
    assert execsvc("version").out.startswith("execsvc 0.1.0 (contract execsvc.v1")
    assert execsvc("version", "-o", "json").json["version"] == "0.1.0"


def test_symbols_complete_from_the_live_list(gateway, monkeypatch):
    """The shell is offered what the gateway trades; nothing, and no error, where there is no gateway."""
    answer = market_data_service_pb2.ListInstrumentsResponse()
    for symbol in ("BTC/EUR", "BTC/USD", "ETH/USD"):
        answer.instruments.add(symbol=symbol, price_increment="1", quantity_increment="1", min_quantity="1")
    gateway.script("ListInstruments", answer)
    assert complete_symbol("btc") == ["BTC/EUR", "BTC/USD"]
    monkeypatch.setenv("EXECSVC_TARGET", "127.0.0.1:1")
    assert complete_symbol("btc") == []


# --- call ------------------------------------------------------------------------------------------------------


def test_call_by_name_in_and_out_of_json(execsvc, gateway, order, monkeypatch):
    """Any method, either spelling of fields, from an argument or stdin; the answer in the contract's names."""
    gateway.script("GetOrder", order_service_pb2.GetOrderResponse(order=order("c-1")))
    said = execsvc("call", "GetOrder", '{"order": {"clientOrderId": "c-1"}}')
    assert said.json["order"]["status"] == "ORDER_STATUS_OPEN"
    monkeypatch.setattr("sys.stdin", io.StringIO('{"order": {"client_order_id": "c-2"}}'))
    assert len(execsvc("call", "OrderService/GetOrder", "-", "-o", "jsonl").out.splitlines()) == 1
    assert ["c-1", "c-2"] == [request.order.client_order_id for request in gateway.requests["GetOrder"]]


def test_call_of_a_stream_is_lines(execsvc, gateway):
    """Each message is a line, up to --count."""
    gateway.script("SubscribeTickers", ticks("9", "8"))
    said = execsvc("call", "SubscribeTickers", '{"symbols": ["BTC/USD"]}', "--count", "2")
    assert "accepted" in said.lines[0]
    assert said.lines[1]["update"]["tickers"][0]["bidPrice"] == "9"


def test_call_of_a_session_takes_a_list(execsvc, gateway):
    """A session's requests are a list, sent in order."""
    answer = order_service_pb2.OrderSessionResponse(request_number=1)
    gateway.script("OrderSession", [answer])
    said = execsvc("call", "OrderSession", '[{"requestNumber": 1, "open": {}}]', "--count", "1")
    assert said.lines[0]["requestNumber"] == "1"
    assert execsvc("call", "OrderSession", "[1]").code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("PlaceOrdr",), "did you mean OrderService/PlaceOrder"),
        ((), "name a method"),
        (("GetBook", "{"), "the request"),
        (("GetBook", "[]"), "give a JSON object"),
        (("GetBook", '{"symbl": 1}'), "symbl"),
    ],
)
def test_call_that_cannot_be_meant_is_exit_2(execsvc, gateway, words, said):
    """An unknown method, no method, broken JSON and unknown fields are refused before anything is sent."""
    done = execsvc("call", *words)
    assert done.code == 2
    assert said in done.json["error"]["message"]
    assert not any(gateway.requests.values())


def test_call_list_names_every_method(execsvc):
    """--list shows each method, its kind and whether it changes anything."""
    said = execsvc("call", "--list")
    assert "OrderService/PlaceOrder" in said.out
    assert len(said.out.splitlines()) == 36
    assert json.dumps(said.code) == "0"
