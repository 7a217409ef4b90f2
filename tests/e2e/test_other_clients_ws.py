"""python-kraken-sdk's socket client, unmodified but for the addresses, follows and trades on the paper exchange."""

import asyncio

import pytest
import pytest_asyncio
from kraken.base_api import SpotClient
from kraken.spot import SpotOrderBookClient

from tests.support.other_clients import BTC, MARKET, Sdk, Socket, booked, cleared, row, still_exchange

pytestmark = [pytest.mark.process, pytest.mark.asyncio(loop_scope="module")]

RESTING = {"order_type": "limit", "side": "buy", "order_qty": 0.01, "limit_price": 59000.0}
FILLING = {"order_type": "market", "side": "buy", "order_qty": 0.01}


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    with still_exchange(tmp_path_factory.mktemp("sockets")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(exchange):
    socket = Socket(exchange)
    async with socket.client:
        await socket.listen()
        yield socket


@pytest_asyncio.fixture(loop_scope="module")
async def socket(opened):
    opened.ear.heard.clear()
    yield opened
    assert (await opened.ask("cancel_all"))["success"]
    cleared(opened.exchange)


async def test_ticker(socket):
    """The ticker comes at once, and again when somebody trades."""
    await socket.follow(channel="ticker", symbol=[BTC])
    told = await socket.ear.event("ticker", symbol=BTC)
    assert told["bid"] < told["ask"]
    socket.take("buy", "0.25")
    assert told["ask"] == (await socket.ear.event("ticker", last=told["ask"]))["last"]
    await socket.leave(channel="ticker", symbol=[BTC])


async def test_trades(socket):
    """A trade is told with its side, price and size."""
    await socket.follow(channel="trade", symbol=[BTC], snapshot=False)
    socket.take("sell", "0.125")
    assert "sell" == (await socket.ear.event("trade", symbol=BTC, qty=0.125))["side"]
    await socket.leave(channel="trade", symbol=[BTC])


async def test_candles(socket):
    """The snapshot ends in the open candle, which a trade changes."""
    await socket.follow(channel="ohlc", symbol=[BTC], interval=1440)
    snapshot = await socket.ear.until(lambda each: (each.get("channel"), each.get("type")) == ("ohlc", "snapshot"))
    before = snapshot["data"][-1]
    socket.take("buy", "0.0625")
    update = await socket.ear.until(lambda each: (each.get("channel"), each.get("type")) == ("ohlc", "update"))
    after = update["data"][-1]
    assert (before["interval_begin"], before["trades"] + 1) == (after["interval_begin"], after["trades"])
    await socket.leave(channel="ohlc", symbol=[BTC], interval=1440)


async def test_instruments(socket):
    """The instrument channel tells assets and pairs by the names of sockets."""
    await socket.follow(channel="instrument")
    data = (await socket.ear.until(lambda each: each.get("channel") == "instrument"))["data"]
    assert BTC in {pair["symbol"] for pair in data["pairs"]}
    assert {"BTC", "DOGE"} <= {asset["id"] for asset in data["assets"]}
    await socket.leave(channel="instrument")


async def test_books_that_the_client_checks(exchange, monkeypatch):
    """The client's own book, checksum by checksum, stays valid while makers and takers move it, to the last update."""
    monkeypatch.setattr(SpotClient, "URL", exchange.environ["EXECSVC_KRAKEN_REST_URL"])
    seen, begun, moved = [], asyncio.Event(), asyncio.Event()

    class Books(SpotOrderBookClient):
        WS_URL = exchange.environ["EXECSVC_KRAKEN_WS_URL"].removesuffix("/v2")

        async def on_book_update(self, pair, message):
            book = self.get(pair)
            seen.append((message.get("error"), book["valid"], len(book["bid"]), len(book["ask"])))
            begun.set()
            if next(iter(book["bid"])) == "3040.00":
                moved.set()

    def move(**how):
        exchange.ask("POST", "/market", {"symbol": "ETH/USD", **how})

    move(price="3000.00", levels=40)
    async with Books(depth=25) as books:
        await books.add_book(pairs=["ETH/USD"])
        await asyncio.wait_for(begun.wait(), 10)
        for place in range(1, 41):
            move(price=f"{3000 + place}.00" if place % 3 else f"{3000 - place}.00", levels=40, qty=f"{place}.5")
            move(take={"side": "buy" if place % 2 else "sell", "qty": f"{place * 2}.25"})
        move(price="3040.00", levels=40)
        await asyncio.wait_for(moved.wait(), 10)
    assert {(None, True, 25, 25)} == set(seen)
    assert len(seen) > 40


async def test_an_order_by_the_order(socket):
    """level3 tells an order by its id as it comes and goes."""
    token = {"channel": "level3", "symbol": [BTC], "depth": 1000}
    await socket.follow(**token)
    order_id = await socket.place(RESTING, limit_price=59999.0)
    added = await socket.ear.until(lambda each: each.get("channel") == "level3" and order_id in str(each))
    ((event, price),) = [
        (each["event"], each["limit_price"]) for each in added["data"][0]["bids"] if each["order_id"] == order_id
    ]
    assert ("add", 59999.0) == (event, price)
    await socket.leave(**token)


async def test_the_life_of_an_order(socket):
    """An order is answered with its id, told as pending and new, and as canceled once it is cancelled."""
    order_id = await socket.place(RESTING, cl_ord_id="mine")
    pending = await socket.ear.event("executions", order_id=order_id, exec_type="pending_new")
    assert (BTC, "mine", 0.01, 59000.0) == tuple(
        pending[name] for name in ("symbol", "cl_ord_id", "order_qty", "limit_price")
    )
    await socket.ear.event("executions", order_id=order_id, exec_type="new")
    assert order_id == (await socket.ask("cancel_order", order_id=[order_id]))["result"]["order_id"]
    await socket.ear.event("executions", order_id=order_id, exec_type="canceled")
    assert "canceled" == row(socket.exchange, order_id)["status"]


async def test_a_fill_is_told_as_it_was_booked(socket):
    """A trade's execution, and a balance for each of its ledger entries, agree with the exchange's own ledger."""
    order_id = await socket.place(FILLING)
    await socket.ear.event("executions", order_id=order_id, exec_type="filled")
    trade = await socket.ear.event("executions", order_id=order_id, exec_type="trade")
    assert (0.01, "t") == (trade["last_qty"], trade["liquidity_ind"])
    usd, btc = [await socket.ear.event("balances", ref_id=trade["exec_id"], asset=asset) for asset in ("USD", "BTC")]
    booked_rows = booked(socket.exchange, trade["exec_id"])
    assert {
        ("ZUSD", f"{usd['amount']:.4f}", f"{usd['fee']:.4f}"),
        ("XXBT", "0.0100000000", "0.0000000000"),
    } == booked_rows
    assert (-trade["cost"], trade["fees"][0]["qty"], 0.01) == (usd["amount"], usd["fee"], btc["amount"])


async def test_a_fill_on_rest_is_told_on_the_socket(socket):
    """What another client of the account does comes over the socket all the same."""
    order_id = Sdk(socket.exchange).place(MARKET)
    assert 0.01 == (await socket.ear.event("executions", order_id=order_id, exec_type="filled"))["cum_qty"]


async def test_an_order_is_amended_in_place(socket):
    """amend_order changes volume and price of the same order, and that is told."""
    order_id = await socket.place(RESTING)
    answer = await socket.ask("amend_order", order_id=order_id, order_qty=0.02, limit_price=58000.0)
    assert order_id == answer["result"]["order_id"]
    await socket.ear.event("executions", order_id=order_id, exec_type="amended", order_qty=0.02)
    assert ("0.02000000", "58000.0") == (
        row(socket.exchange, order_id)["volume"],
        row(socket.exchange, order_id)["price"],
    )


async def test_an_order_is_edited_into_another(socket):
    """edit_order cancels the order and places another in its stead."""
    first = await socket.place(RESTING)
    result = (await socket.ask("edit_order", order_id=first, symbol=BTC, order_qty=0.02, limit_price=58000.0))["result"]
    assert first == result["original_order_id"]
    assert ["canceled", "open"] == [row(socket.exchange, each)["status"] for each in (first, result["order_id"])]


async def test_one_answer_for_each_cancel(socket):
    """cancel_order answers for every order by itself, and for one that is gone with an error."""
    gone, first, second = [await socket.place(RESTING) for _ in range(3)]
    await socket.ask("cancel_order", order_id=[gone])
    number = (await socket.ask("cancel_order", order_id=[first, gone, second]))["req_id"]
    await socket.ear.until(lambda each: each.get("req_id") == number and second in str(each))
    answers = [each for each in socket.ear.heard if each.get("req_id") == number]
    assert [True, False, True] == [answer["success"] for answer in answers]
    assert "EOrder:Unknown order" == answers[1]["error"]


async def test_a_batch(socket):
    """batch_add answers with the ids in order; batch_cancel counts what it cancels."""
    rows = [RESTING | {"order_userref": 1}, RESTING | {"limit_price": 58000.0, "order_userref": 2}]
    placed = (await socket.ask("batch_add", symbol=BTC, orders=rows))["result"]
    assert [1, 2] == [row(socket.exchange, each["order_id"])["userref"] for each in placed]
    answer = await socket.ask("batch_cancel", orders=[each["order_id"] for each in placed])
    assert {"count": 2} == answer["result"]


async def test_everything_is_cancelled(socket):
    """cancel_all counts what it cancels."""
    placed = [await socket.place(RESTING) for _ in range(3)]
    assert {"count": 3} == (await socket.ask("cancel_all"))["result"]
    assert {"canceled"} == {row(socket.exchange, order_id)["status"] for order_id in placed}


async def test_the_dead_mans_switch(socket):
    """The switch is set and disarmed."""
    assert "0" != (await socket.ask("cancel_all_orders_after", timeout=60))["result"]["triggerTime"]
    assert "0" == (await socket.ask("cancel_all_orders_after", timeout=0))["result"]["triggerTime"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"symbol": "FOO/BAR"}, "EQuery:Unknown asset pair"),
        ({"order_qty": 0.00001}, "EOrder:Order minimum not met"),
        ({"limit_price": 59000.05}, "EOrder:Tick size check failed"),
        ({"order_qty": 1000}, "EOrder:Insufficient funds"),
        ({"limit_price": 61000.0, "post_only": True}, "EOrder:Post only order"),
        ({"price": 59000.0}, "Unsupported field: 'price' for the given msg type: add order"),
    ],
)
async def test_refusals(socket, changes, error):
    """An order that cannot be is answered with Kraken's one text."""
    answer = await socket.ask("add_order", **(RESTING | {"symbol": BTC} | changes))
    assert (False, error) == (answer["success"], answer["error"])


async def test_a_stale_token(socket):
    """A request with a token that nobody was given is refused, and the line goes on."""
    message = {"method": "add_order", "req_id": 900, "params": RESTING | {"symbol": BTC, "token": "stale"}}
    await socket.client.send_message(message, raw=True)
    assert "ESession:Invalid session" == (await socket.ear.answer(900))["error"]
    assert (await socket.ask("cancel_all"))["success"]


async def test_a_pair_that_is_not_listed(socket):
    """A subscription to what is not listed is refused with Kraken's text and the symbol."""
    await socket.client.subscribe(params={"channel": "ticker", "symbol": ["FOO/BAR"]})
    refused = await socket.ear.until(lambda each: each.get("success") is False)
    assert ("Currency pair not supported FOO/BAR", "FOO/BAR") == (refused["error"], refused["symbol"])


async def test_cut_lines_are_taken_up_again(socket):
    """After a cut the client gets a fresh token and subscribes anew with what it was acknowledged; news goes on."""
    socket.exchange.fault(kind="drop_ws", code=1006)
    await socket.ear.until(lambda each: (each.get("channel"), each.get("type")) == ("executions", "snapshot"))
    order_id = Sdk(socket.exchange).place(MARKET)
    await socket.ear.event("executions", order_id=order_id, exec_type="filled")
