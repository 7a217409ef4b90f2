"""The level3 channel: a reader that applies what it is told has the book, order by order, in the order of its queues."""

import json
import re
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.paper.paperbench import Bench, kinds, vector


class Reader:
    """A client that keeps each level's queue: adds at the end, modifies in place, cuts what is out of depth."""

    def __init__(self, bench, depth=10, symbol="BTC/USD"):
        self.bench, self.depth = bench, depth
        self.socket = bench.open("private")
        token = bench.ok("GetWebSocketsToken")["token"]
        self.socket.texts()
        self.socket.ask("subscribe", channel="level3", symbol=[symbol], depth=depth, token=token)
        self.sides = {"bids": {}, "asks": {}}
        self.events = []
        self.frames = []
        self.read()

    def read(self):
        for text in self.socket.texts():
            frame = json.loads(text, parse_float=str, parse_int=str)
            self.frames.append(frame)
            if frame.get("channel") == "level3":
                self.apply(frame["data"][0])

    def apply(self, data):
        for side, levels in self.sides.items():
            for row in data[side]:
                event = row.get("event", "add")
                self.events.append(event)
                queue = levels.setdefault(row["limit_price"], {})
                if event == "delete":
                    queue.pop(row["order_id"], None)
                elif event == "modify":
                    assert row["order_id"] in queue
                    queue[row["order_id"]] = row["order_qty"]
                else:
                    assert row["order_id"] not in queue
                    queue[row["order_id"]] = row["order_qty"]
            best = sorted((p for p, q in levels.items() if q), key=float, reverse=side == "bids")[: self.depth]
            self.sides[side] = {price: levels[price] for price in best}
        assert data["checksum"] == str(self.checksum())

    def checksum(self):
        text = ""
        for side in ("asks", "bids"):
            for price, queue in list(self.sides[side].items())[:10]:
                for qty in queue.values():
                    text += (price.replace(".", "").lstrip("0") or "0") + (qty.replace(".", "").lstrip("0") or "0")
        return crc32(text.encode())

    def queue(self, side, price):
        return list(self.sides[side].get(price, {}))


def test_snapshot_in_the_samples_shape(ladder):
    """Subscribing is acknowledged with the depth, and answered with every order in sight."""
    reader = Reader(ladder)
    ack, snapshot = reader.frames
    assert ("subscribe", "10", "BTC/USD") == (ack["method"], ack["result"]["depth"], ack["result"]["symbol"])
    sample = vector("ws_level3_snapshot.json")["data"][0]["bids"][0]
    assert set(sample) == set(snapshot["data"][0]["bids"][0])
    assert {"text"} == set(kinds(snapshot["data"][0]["bids"][0]).values())
    ids = [row["order_id"] for side in ("bids", "asks") for row in snapshot["data"][0][side]]
    assert 6 == len(set(ids))
    assert all(re.fullmatch(r"O[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{6}", name) for name in ids)


def test_life_of_an_order(ladder):
    """The trader's order is added under its own id, modified as it fills, and deleted at its end."""
    reader = Reader(ladder)
    txid = ladder.order(price="100.5", volume="1")
    reader.read()
    assert [txid] == reader.queue("bids", "100.5")
    ladder.take("sell", "0.4")
    reader.read()
    assert {txid: "0.60000000"} == reader.sides["bids"]["100.5"]
    ladder.ok("CancelOrder", txid=txid)
    reader.read()
    assert ["add", "modify", "delete"] == reader.events[6:]
    assert [] == reader.queue("bids", "100.5")


def test_place_in_the_queue(ladder):
    """Less of an order keeps its place; more of it, or a price moved away and back, goes to the end."""
    reader = Reader(ladder)
    first, second = (ladder.order(price="99.5", volume="1") for _ in range(2))
    ladder.ok("AmendOrder", txid=first, order_qty="0.5")
    reader.read()
    assert [first, second] == reader.queue("bids", "99.5")
    ladder.ok("AmendOrder", txid=first, order_qty="2")
    reader.read()
    assert [second, first] == reader.queue("bids", "99.5")
    ladder.ok("AmendOrder", txid=second, limit_price="99.6")
    ladder.ok("AmendOrder", txid=second, limit_price="99.5")
    reader.read()
    assert [first, second] == reader.queue("bids", "99.5")


def test_who_goes_takes_nobody_along(ladder):
    """When the first of a queue is gone, nothing is told of those behind it."""
    reader = Reader(ladder)
    ids = [ladder.order(price="99.5", volume="1") for _ in range(3)]
    reader.read()
    told = len(reader.events)
    ladder.ok("CancelOrder", txid=ids[0])
    reader.read()
    assert (["delete"], ids[1:]) == (reader.events[told:], reader.queue("bids", "99.5"))


def test_an_iceberg_shows_its_part_only(ladder):
    """Of an iceberg only what shows is told; a refill joins the end of the queue."""
    reader = Reader(ladder)
    ice = ladder.order(ordertype="iceberg", price="99.5", volume="1.5", displayvol="0.1")
    other = ladder.order(price="99.5", volume="1")
    reader.read()
    assert "0.10000000" == reader.sides["bids"]["99.5"][ice]
    ladder.book(bids=[("99.0", "2")], asks=[("101.0", "1")])
    ladder.take("sell", "0.1")
    reader.read()
    assert [other, ice] == reader.queue("bids", "99.5")


@pytest.mark.parametrize(
    ("kind", "params", "error"),
    [
        ("private", {"depth": 25}, "Subscription depth not supported"),
        ("private", {"token": "stale"}, "ESession:Invalid session"),
        ("private", {"symbol": ["FOO/BAR"]}, "Currency pair not supported FOO/BAR"),
        ("public", {}, "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com"),
    ],
)
def test_refusals(ladder, kind, params, error):
    """Level3 has depths of its own, needs a token, and is on the private line."""
    socket = ladder.open(kind)
    socket.texts()
    common = {"channel": "level3", "symbol": ["BTC/USD"], "token": ladder.ok("GetWebSocketsToken")["token"]}
    socket.ask("subscribe", **(common | params))
    (frame,) = socket.frames()
    assert (False, error) == (frame["success"], frame["error"])


def test_unsubscribe(ladder):
    """Who left hears nothing more."""
    reader = Reader(ladder)
    reader.socket.ask("unsubscribe", channel="level3", symbol=["BTC/USD"])
    (done,) = reader.socket.frames()
    assert {"channel": "level3", "depth": 10, "symbol": "BTC/USD"} == done["result"]
    ladder.order(price="99.5", volume="1")
    assert [] == reader.socket.texts()


@pytest.mark.parametrize("depth", [10, 100])
def test_a_moving_market_is_followed(depth):
    """Through a minute of a live market every checksum fits what the reader has, and what the book channel says."""
    bench = Bench(pairs=("BTC/USD",), frozen=False)
    reader = Reader(bench, depth)
    for _ in range(60):
        bench.wait(1)
        reader.read()
    public = bench.open()
    public.ask("subscribe", channel="book", symbol=["BTC/USD"], depth=depth)
    (book,) = [json.loads(t, parse_float=str, parse_int=str) for t in public.texts() if '"bids"' in t]
    for side in ("bids", "asks"):
        sums = [(p, sum(int(q.replace(".", "")) for q in queue.values())) for p, queue in reader.sides[side].items()]
        assert [(row["price"], int(row["qty"].replace(".", ""))) for row in book["data"][0][side]] == sums
    assert {"add", "modify", "delete"} == set(reader.events)


def test_a_name_stays_with_its_order():
    """An order that goes out of sight and comes back has the name it had, to every depth the same."""
    bench = Bench(pairs=("BTC/USD",))
    bench.book(bids=[(f"{price}.0", "1") for price in range(99, 79, -1)], asks=[("101.0", "1")])
    near, far = Reader(bench, 10), Reader(bench, 100)
    names = {price: list(queue) for price, queue in far.sides["bids"].items()}
    assert {price: names[price] for price in near.sides["bids"]} == {p: list(q) for p, q in near.sides["bids"].items()}
    ids = [bench.order(price=f"{price}.5", volume="0.1") for price in (95, 96, 97)]
    near.read()
    assert ["add"] * 3 == near.events[11:]  # what was pushed out of sight is not announced
    for txid in ids:
        bench.ok("CancelOrder", txid=txid)
    near.read()
    assert {price: names[price] for price in near.sides["bids"]} == {p: list(q) for p, q in near.sides["bids"].items()}


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["order", "iceberg", "amend", "cancel", "take"]),
        st.sampled_from(["buy", "sell"]),
        st.integers(0, 5),
        st.sampled_from(["0.1", "0.3", "1", "2"]),
    ),
    max_size=20,
)


@settings(max_examples=60)
@given(STEPS)
def test_any_orders_are_followed(steps):
    """Whatever the trader and strangers do, a reader that applies what it is told has every checksum right."""
    bench = Bench(pairs=("BTC/USD",), tier="unlimited")
    bench.book(bids=[("98.0", "5"), ("97.0", "5")], asks=[("102.0", "5"), ("103.0", "5")])
    reader, ids = Reader(bench), []
    for name, side, place, volume in steps:
        price = f"{(97 if side == 'buy' else 100) + place / 2:.1f}"
        if name == "take":
            bench.take(side, volume)
        elif name in ("amend", "cancel") and ids:
            txid = ids[place % len(ids)]
            more = {"order_qty": volume, "limit_price": price} if place % 2 else {"order_qty": volume}
            bench.private("AmendOrder" if name == "amend" else "CancelOrder", txid=txid, **more)
        else:
            kind = {"ordertype": "iceberg", "displayvol": "0.1"} if name == "iceberg" else {"ordertype": "limit"}
            placed = bench.private("AddOrder", pair="XBTUSD", type=side, price=price, volume=volume, **kind)
            ids += placed.get("result", {}).get("txid", [])
        reader.read()
