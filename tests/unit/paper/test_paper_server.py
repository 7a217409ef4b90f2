"""The exchange on real sockets: REST, both WebSocket roles, the control port, and how it starts and ends."""

import asyncio
import json
import time

import aiohttp
import pytest
from yarl import URL

from execsvc.paper.ledger import LedgerBroken
from execsvc.paper.options import PaperOptions
from execsvc.paper.server import PaperServer, serve
from tests.unit.paper.paperbench import sign
from tests.unit.paper.wirebench import QUICK, receive


async def test_rest_round_trip(trader):
    """An order placed, found and cancelled over a real socket."""
    placed = await trader.call("AddOrder", pair="XBTUSD", type="buy", ordertype="limit", price="90000", volume="0.1")
    txid = placed["result"]["txid"][0]
    assert txid in (await trader.call("OpenOrders"))["result"]["open"]
    assert {"error": [], "result": {"count": 1}} == await trader.call("CancelOrder", txid=txid)


async def test_encoded_brackets_and_pluses_reach_the_exchange(trader):
    """What was percent-encoded arrives as it was signed: the plus of a relative price, the brackets of a close."""
    order = {"pair": "XBTUSD", "type": "sell", "ordertype": "limit", "volume": "0.1", "price": "+5%"}
    assert [] == (await trader.call("AddOrder", **order))["error"]
    refused = await trader.call("AddOrder", **order, **{"close[ordertype]": "sparkle"})
    assert ["EGeneral:Invalid arguments:close[ordertype]"] == refused["error"]


async def test_query_string_is_signed_as_it_was_sent(trader):
    """A private call with a query string may be signed over it, every byte as it stood in the request line."""
    target, body = "/0/private/Balance?note=%41%20b", b"nonce=9000000000000000000"
    signature = sign(trader.server.api_secret, target, "9000000000000000000", body)
    headers = {"API-Key": trader.server.api_key, "API-Sign": signature}
    url = URL(trader.server.rest_url + target, encoded=True)
    async with trader.http.post(url, data=body, headers=headers) as reply:
        assert [] == (await reply.json())["error"]


async def test_market_moves_on_the_wire(server, http):
    """A subscriber of a running exchange gets book, ticker and trade news within seconds, and heartbeats on silence."""
    async with http.ws_connect(server.ws_url) as socket:
        assert "status" == (await socket.receive_json(timeout=3))["channel"]
        for channel in ("book", "ticker", "trade"):
            await socket.send_json({"method": "subscribe", "params": {"channel": channel, "symbol": ["BTC/USD"]}})
        for channel in ("book", "ticker", "trade"):
            await receive(
                socket, lambda frame, name=channel: frame.get("channel") == name and frame["type"] == "update"
            )
        await socket.send_json({"method": "ping", "req_id": 9})
        assert 9 == (await receive(socket, lambda frame: frame.get("method") == "pong"))["req_id"]


async def test_heartbeat_on_the_wire(server, http, trader):
    """With the market frozen a subscribed line beats once a second."""
    await trader.control("POST", "/market", frozen=True)
    async with http.ws_connect(server.ws_url) as socket:
        await socket.send_json({"method": "subscribe", "params": {"channel": "ticker", "symbol": ["BTC/USD"]}})
        began = time.monotonic()
        await receive(socket, lambda frame: frame.get("channel") == "heartbeat")
        assert 0.8 < time.monotonic() - began < 2.0


@pytest.mark.parametrize("path", ["/v2/auth", "/auth/v2"])
async def test_executions_on_the_wire(server, http, trader, path):
    """A private line tells an order's life to whoever brings a token, under either of its paths."""
    token = (await trader.call("GetWebSocketsToken"))["result"]["token"]
    async with http.ws_connect(server.rest_url.replace("http", "ws") + path) as socket:
        await socket.send_json({"method": "subscribe", "params": {"channel": "executions", "token": token}})
        await receive(socket, lambda frame: frame.get("type") == "snapshot")
        await trader.call("AddOrder", pair="XBTUSD", type="buy", ordertype="market", volume="0.01", cl_ord_id="wire")
        frame = await receive(
            socket, lambda frame: frame.get("channel") == "executions" and frame["data"][0]["exec_type"] == "filled"
        )
        assert "wire" == frame["data"][0]["cl_ord_id"]


@pytest.mark.parametrize(("kind", "orders"), [("request_lost", 0), ("reply_lost_after_apply", 1)])
async def test_cut_connection(trader, kind, orders):
    """A lost request or reply is a cut connection, and the control port knows what was done."""
    await trader.control("POST", "/faults", kind=kind, call="AddOrder")
    with pytest.raises(aiohttp.ClientConnectionError):
        await trader.call("AddOrder", pair="XBTUSD", type="buy", ordertype="market", volume="0.01")
    assert orders == len((await trader.control("GET", "/orders"))["orders"])


async def test_html_page_on_the_wire(server, http, trader):
    """A gateway error is HTML with its status."""
    await trader.control("POST", "/faults", kind="bad_gateway", call="Time", http_status=503)
    async with http.get(f"{server.rest_url}/0/public/Time") as reply:
        assert (503, "text/html") == (reply.status, reply.content_type)


async def test_delay_on_the_wire(trader):
    """A delayed call takes that long while others pass."""
    await trader.control("POST", "/faults", kind="delay", call="Balance", ms=300, when="after")
    began = time.monotonic()
    slow = asyncio.create_task(trader.call("Balance"))
    await asyncio.sleep(0.05)
    assert [] == (await trader.call("BalanceEx"))["error"]
    assert time.monotonic() - began < 0.25
    assert [] == (await slow)["error"]
    assert 0.3 <= time.monotonic() - began < 1.0


async def test_client_that_leaves_during_a_delay(server, trader):
    """A client that gives up waiting disturbs nothing: its order is placed all the same."""
    await trader.control("POST", "/faults", kind="delay", call="AddOrder", ms=200)
    call = trader.call("AddOrder", pair="XBTUSD", type="buy", ordertype="market", volume="0.01")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call, 0.05)
    await asyncio.sleep(0.3)
    assert 1 == len((await trader.control("GET", "/orders"))["orders"])


@pytest.mark.parametrize(("code", "seen"), [(1012, aiohttp.WSMsgType.CLOSE), (1006, aiohttp.WSMsgType.CLOSED)])
async def test_dropped_line_on_the_wire(server, http, trader, code, seen):
    """A dropped line is closed with its code, or cut without a close frame."""
    async with http.ws_connect(server.ws_url, autoclose=False) as socket:
        await socket.receive(timeout=3)
        await trader.control("POST", "/faults", kind="drop_ws", code=code)
        message = await socket.receive(timeout=3)
        assert seen == message.type
        assert code == (message.data if seen is aiohttp.WSMsgType.CLOSE else socket.close_code)
    await asyncio.sleep(0.01)
    assert {} == server.exchange.audience.lines


async def test_refused_line_on_the_wire(server, http, trader):
    """A refused line is closed at once with "try again later"."""
    await trader.control("POST", "/faults", kind="refuse_ws")
    async with http.ws_connect(server.ws_url) as socket:
        message = await socket.receive(timeout=3)
        assert (aiohttp.WSMsgType.CLOSE, 1013) == (message.type, message.data)


async def test_line_that_goes_leaves_nothing(server, http):
    """A client that leaves is forgotten, task and all."""
    async with http.ws_connect(server.ws_url) as socket:
        await socket.receive(timeout=3)
        assert 1 == len(server.exchange.audience.lines)
    await asyncio.sleep(0.05)
    assert ({}, {}) == (server.exchange.audience.lines, server._wakes)


async def test_close_hangs_up_and_leaves_no_task():
    """Closing ends connections and tasks, promptly."""
    server = PaperServer(QUICK)
    await server.start()
    async with aiohttp.ClientSession() as http, http.ws_connect(server.ws_url) as socket:
        await socket.receive(timeout=3)
        began = time.monotonic()
        await server.close()
        assert (await socket.receive(timeout=3)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    assert time.monotonic() - began < 2
    assert {asyncio.current_task()} == asyncio.all_tasks()


async def test_listens_at_once():
    """All twelve pairs are listening in less than 150 ms."""
    began = time.monotonic()
    server = PaperServer(PaperOptions())
    await server.start()
    took = time.monotonic() - began
    await server.close()
    assert took < 0.15


async def test_taken_port_is_named(server):
    """A port in use is an OSError that names the port, for the exchange and for its control port."""
    port = int(server.rest_url.rsplit(":", 1)[1])
    for options in (PaperOptions(port=port), PaperOptions(control_port=port)):
        second = PaperServer(options)
        with pytest.raises(OSError, match=f"port {port}"):
            await second.start()
        assert [] == second._runners


EVERYWHERE = "0.0.0.0"  # noqa: S104  # the very thing that must be asked for in words


@pytest.mark.parametrize("host", [EVERYWHERE, "192.168.1.5", "example.org", "::"])
async def test_loopback_only(host):
    """It does not listen beyond loopback unless told so in words."""
    with pytest.raises(ValueError, match="insecure_bind"):
        await PaperServer(PaperOptions(host=host)).start()


async def test_beyond_loopback_in_words():
    """Told in words, it listens there."""
    server = PaperServer(PaperOptions(host=EVERYWHERE, insecure_bind=True, pairs=("BTC/USD",)))
    await server.start()
    assert server.rest_url.startswith(f"http://{EVERYWHERE}:")
    await server.close()


async def test_serve_announces_in_order_and_stops():
    """`serve` announces the environment once it listens, and returns when it is told to stop."""
    stop, announced = asyncio.Event(), []

    def announce(environment):
        announced.append(environment)
        stop.set()

    await asyncio.wait_for(serve(QUICK, announce=announce, stop=stop), 5)
    assert [
        "EXECSVC_KRAKEN_REST_URL",
        "EXECSVC_KRAKEN_WS_URL",
        "EXECSVC_KRAKEN_WS_AUTH_URL",
        "KRAKEN_API_KEY",
        "KRAKEN_API_SECRET",
        "EXECSVC_TIER",
        "EXECSVC_PAPER_CONTROL_URL",
    ] == list(announced[0])
    assert announced[0]["KRAKEN_API_KEY"].startswith("PAPER")


async def test_no_control_port_unless_asked():
    """Without a control port there is none, nor is one announced."""
    server = PaperServer(PaperOptions(pairs=("BTC/USD",)))
    await server.start()
    assert server.control_url is None
    assert "EXECSVC_PAPER_CONTROL_URL" not in server.environment()
    await server.close()


async def test_broken_ledger_stops_the_exchange():
    """When the exchange breaks its own rules, it stands still and whoever waits for that is told."""
    server = PaperServer(PaperOptions(pairs=("BTC/USD",), warm_up_s=0))
    await server.start()
    server.exchange.venue.timers.at(0, lambda _: server.exchange.venue.ledger.prove({"ZUSD": {"ghost": 1}}))
    with pytest.raises(LedgerBroken, match="ghost"):
        await asyncio.wait_for(server.failed(), 3)
    await server.close()


async def test_ledger_broken_by_a_request_stops_the_exchange(server, trader):
    """The same goes when a request is what brings the breach to light."""
    server.exchange.venue.ledger._balances["market"]["ZUSD"] = 1
    path = server.rest_url + "/0/private/AddOrder"
    body = b"nonce=9000000000000000000&pair=XBTUSD&type=buy&ordertype=market&volume=0.01"
    signature = sign(server.api_secret, "/0/private/AddOrder", "9000000000000000000", body)
    async with trader.http.post(path, data=body, headers={"API-Key": server.api_key, "API-Sign": signature}) as reply:
        assert 500 == reply.status
    with pytest.raises(LedgerBroken, match="does not balance"):
        await asyncio.wait_for(server.failed(), 3)


async def test_unknown_websocket_path_is_no_line(server, http):
    """Only the two documented paths take WebSockets."""
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await http.ws_connect(f"{server.ws_url}/other")


async def test_frames_are_text_of_one_object(server, http):
    """Each frame is one JSON object in one text message."""
    async with http.ws_connect(server.ws_url) as socket:
        await socket.send_json({"method": "subscribe", "params": {"channel": "instrument"}})
        for _ in range(3):
            message = await socket.receive(timeout=3)
            assert aiohttp.WSMsgType.TEXT == message.type
            assert isinstance(json.loads(message.data), dict)
