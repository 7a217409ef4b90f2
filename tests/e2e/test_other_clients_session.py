"""A long session by other people's clients: what every door of the exchange tells of it is the same account of events.

One seeded session over REST and over a line, on a market that only the test moves; the tests look at what was told of it.
"""

import asyncio
import random
from collections import defaultdict
from decimal import Decimal

import pytest
import pytest_asyncio

from tests.support.other_clients import BTC, Sdk, Socket, still_exchange

pytestmark = [pytest.mark.process, pytest.mark.asyncio(loop_scope="module")]

STEPS = 150
MIDDLE = 60_000
ASSETS = {"BTC": "XXBT", "USD": "ZUSD"}
ENDS = {"filled": "closed", "canceled": "canceled", "expired": "expired"}


class Session:
    """Who trades: `told` is how often each kind of step was taken."""

    def __init__(self, exchange, socket, seed):
        self.exchange, self.socket, self.sdk = exchange, socket, Sdk(exchange)
        self.chance = random.Random(seed)
        self.told = defaultdict(int)

    async def step(self):
        kinds = [
            self.place,
            self.place,
            self.place_on_the_line,
            self.batch,
            self.stop,
            self.amend,
            self.cancel,
            self.move,
        ]
        act = self.chance.choice(kinds)
        self.told[act.__name__] += await act()

    async def place(self):
        kind = self.chance.choice(["limit", "limit", "limit", "market"])
        fields = {"ordertype": kind, "type": self.side(), "pair": "XBTUSD", "volume": self.volume()}
        self.sdk.place(fields | ({"price": self.price()} if kind == "limit" else {}))
        return 1

    async def place_on_the_line(self):
        fields = {"order_type": "limit", "side": self.side(), "order_qty": float(self.volume())}
        await self.socket.place(fields, limit_price=float(self.price()))
        return 1

    async def batch(self):
        rows = [
            {"ordertype": "limit", "type": self.side(), "volume": self.volume(), "price": self.price()}
            for _ in range(3)
        ]
        answers = self.sdk.trade.create_order_batch(orders=rows, pair="XBTUSD")["orders"]
        assert not any("error" in answer for answer in answers)
        return len(answers)

    async def stop(self):
        side = self.side()
        away = 8 if side == "buy" else -8
        fields = {"ordertype": "stop-loss", "type": side, "pair": "XBTUSD", "volume": self.volume()}
        self.sdk.place(fields | {"price": f"{MIDDLE + away}.0"})
        return 1

    async def amend(self):
        resting = [order_id for order_id, order in self.open().items() if order["descr"]["ordertype"] == "limit"]
        if not resting:
            return 0
        chosen = self.chance.choice(resting)
        await self.socket.ask("amend_order", order_id=chosen, order_qty=0.05, limit_price=float(self.price()))
        return 1

    async def cancel(self):
        if not (resting := list(self.open())):
            return 0
        self.sdk.trade.cancel_order(txid=self.chance.choice(resting))
        return 1

    async def move(self):
        price = f"{MIDDLE + self.chance.randint(-12, 12)}.0"
        self.exchange.ask("POST", "/market", {"symbol": BTC, "price": price, "qty": "0.04", "levels": 60})
        self.socket.take(self.side(), "0.1")
        return 1

    def open(self):
        return self.sdk.user.get_open_orders()["open"]

    def side(self):
        return self.chance.choice(["buy", "sell"])

    def volume(self):
        return f"0.{self.chance.randint(100, 900):04}"

    def price(self):
        return f"{MIDDLE + self.chance.randint(-10, 10)}.{self.chance.randint(0, 9)}"


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    with still_exchange(tmp_path_factory.mktemp("session")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session(exchange):
    socket = Socket(exchange)
    async with socket.client:
        await socket.listen()
        session = Session(exchange, socket, seed=11)
        for _ in range(STEPS):
            await session.step()
        session.sdk.trade.cancel_all_orders()
        await settled(socket)
        yield session


async def settled(socket):
    """All of the session has been told once an order after it has."""
    last = await socket.place({"order_type": "limit", "side": "buy", "order_qty": 0.01}, limit_price=50_000.0)
    await socket.ask("cancel_order", order_id=[last])
    await socket.ear.event("executions", order_id=last, exec_type="canceled")
    await asyncio.sleep(0)


def rows(session, channel):
    """What was told on a channel since its snapshot, in order."""
    frames = [frame for frame in session.socket.ear.heard if frame.get("channel") == channel]
    return [each for frame in frames if frame["type"] == "update" for each in frame["data"]]


async def test_it_was_a_session_worth_the_name(session):
    """Everything was done several times, and orders were filled, in part and wholly, and cancelled."""
    assert min(session.told.values()) >= 4, dict(session.told)
    orders = session.exchange.orders()
    assert {"closed", "canceled"} == {order["status"] for order in orders}
    assert any("0.00000000" < order["vol_exec"] < order["volume"] for order in orders)
    assert any(len(order["trades"]) > 1 for order in orders)


async def test_numbers_of_messages_have_no_gap(session):
    """On each private channel every message has the next number."""
    for channel in ("executions", "balances"):
        numbers = [frame["sequence"] for frame in session.socket.ear.heard if frame.get("channel") == channel]
        assert list(range(1, len(numbers) + 1)) == numbers


async def test_every_order_ends_on_the_line_as_it_did(session):
    """The last word on each order is its end, and the filled volume told is the exchange's."""
    ends, filled = {}, defaultdict(float)
    for each in rows(session, "executions"):
        ends[each["order_id"]] = each["exec_type"]
        filled[each["order_id"]] = each.get("cum_qty", filled[each["order_id"]])
    told = {order_id: (ENDS[end], f"{filled[order_id]:.8f}") for order_id, end in ends.items()}
    assert {order["order_id"]: (order["status"], order["vol_exec"]) for order in session.exchange.orders()} == told


async def test_every_trade_is_told_alike(session):
    """TradesHistory, page by page, and the line tell the same trades at the same figures."""
    history = {}
    while len(page := session.sdk.user.get_trades_history(ofs=len(history))["trades"]) > 0:
        history |= page
    told = {each["exec_id"]: each for each in rows(session, "executions") if each["exec_type"] == "trade"}
    assert len(told) > 50
    assert {name for order in session.exchange.orders() for name in order["trades"]} == set(told)
    assert {name: figures(each, "price", "vol", "fee") for name, each in history.items()} == {
        name: figures(each | {"fee": each["fees"][0]["qty"]}, "last_price", "last_qty", "fee")
        for name, each in told.items()
    }


async def test_money_is_told_alike(session):
    """What was there and what the line told of each movement is what Balance says, to the last digit."""
    ledger = session.exchange.ask("GET", "/ledger")
    assert ledger["balanced"], ledger["error"]
    money = {"BTC": Decimal(2), "USD": Decimal(100_000)}
    for each in rows(session, "balances"):
        money[each["asset"]] += Decimal(str(each["amount"])) - Decimal(str(each["fee"]))
        assert money[each["asset"]] == Decimal(str(each["balance"]))
    balance = session.sdk.user.get_account_balance()
    assert {asset: Decimal(balance[name]) for asset, name in ASSETS.items()} == money


async def test_the_ledger_is_told_alike(session):
    """Ledgers, page by page, has an entry for each movement of the line, and no other of a trade."""
    entries = {}
    while len(page := session.sdk.user.get_ledgers_info(type_="trade", ofs=len(entries))["ledger"]) > 0:
        entries |= page
    assert {each["ledger_id"]: (ASSETS[each["asset"]], each["ref_id"]) for each in rows(session, "balances")} == {
        name: (entry["asset"], entry["refid"]) for name, entry in entries.items()
    }


def figures(row, *names):
    return tuple(Decimal(str(row[name])).normalize() for name in names)
