"""A reader of orders that is killed and comes back with its token holds, in the end, exactly what the exchange's books say.

Callers trade through the gateway, and a person beside it with a key of its own, who amends theirs too (history_hand.py).

HISTORY_SECONDS says how long the storm rages (25), HISTORY_SEED which sequence comes (1). The readers are processes
(history_reader.py): one on the bare stub, one on our own client. What they hold is judged by history_judge.py, which is put
to the test itself with notebooks that were spoilt on purpose.
"""

import os
import time
from copy import deepcopy
from dataclasses import dataclass
from functools import partial

import pytest

from tests.fault.callers import client_of, place
from tests.fault.history_hand import Person
from tests.fault.history_judge import Account, findings
from tests.fault.history_reader import KINDS, Reader
from tests.fault.history_storm import SMALLEST, STILL, Storm, Traders, take
from tests.fault.lives import exchange_in, gateway_on, wait

SECONDS = float(os.environ.get("HISTORY_SECONDS", "25"))
SEED = int(os.environ.get("HISTORY_SEED", "1"))
SETTLE_S = 20.0
BEFORE = ("before-1", "before-2", "before-3")

pytestmark = [pytest.mark.process, pytest.mark.timeout(SECONDS + 240)]


@dataclass
class Books:
    """The exchange's: its orders but those that were over before anybody read, and its ledger."""

    orders: list
    entries: list
    trades_before: frozenset = frozenset()
    by_hand: frozenset = frozenset()
    amended: frozenset = frozenset()

    def findings(self, rows):
        return findings(rows, self.orders, self.entries, before=self.trades_before, by_hand=self.by_hand)


@dataclass
class Run:
    """What is left of a storm."""

    notebooks: dict
    books: Books
    answers: list
    undecided: list
    blows: dict
    story: str


def some_before(gateway, exchange):
    """Three orders that are there before any reader: one filled, one half filled, one untouched. The ids of their trades."""
    with client_of(gateway.target) as client:
        assert [place(client, name, SMALLEST).word for name in BEFORE] == ["placed"] * 3
        take(exchange, SMALLEST * 3 / 2)
        wait(lambda: client.get_order(BEFORE[1]).filled_quantity == SMALLEST / 2, 10.0, "the fills in the journal")
    return frozenset(trade for order in exchange.orders() for trade in order["trades"])


def books_of(exchange, over, trades_before, hand):
    orders = [order for order in exchange.orders() if order["order_id"] not in over]
    entries = exchange.ask("GET", "/ledger")["entries"]
    return Books(orders, entries, trades_before, frozenset(hand.placed), frozenset(hand.amended))


def heard_all(reader, books):
    """Until a notebook and the books agree, or it has had time enough to hear of everything."""
    until = time.monotonic() + SETTLE_S
    while books().findings(reader.rows) and time.monotonic() < until:
        time.sleep(0.2)


@pytest.fixture(scope="module")
def run(tmp_path_factory, nursery):
    home = tmp_path_factory.mktemp("history")
    with exchange_in(home, nursery) as exchange, gateway_on(home, nursery, exchange) as gateway:
        exchange.ask("POST", "/market", STILL)
        gateway.start()
        gateway.serving()
        trades_before = some_before(gateway, exchange)
        over = {order["order_id"] for order in exchange.orders() if order["status"] != "open"}
        readers = [Reader(gateway, kind) for kind in KINDS]
        for reader in readers:
            reader.start()
            wait(reader.has_snapshot, 20.0, f"the picture of the {reader.kind} reader")
        traders, person = Traders(gateway, exchange, SEED), Person(gateway, exchange, SEED)
        storm = Storm(gateway, exchange, readers, SEED)
        storm.rage(SECONDS)
        person.stop()
        traders.stop(*BEFORE)
        books = partial(books_of, exchange, over, trades_before, person.hand)
        for reader in readers:
            heard_all(reader, books)
            reader.kill()
        notebooks = {reader.kind: reader.rows for reader in readers}
        return Run(notebooks, books(), traders.answers, traders.undecided, storm.blows, gateway.story)


@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_that_resumes_holds_what_the_exchange_holds(run, kind):
    """Every order with its end, figures and fees, every fill once, versions without holes, nothing before its picture."""
    assert run.books.findings(run.notebooks[kind]) == [], run.story


def test_both_readers_were_told_the_same(run):
    """Two readers, killed at different times, were told the same versions and fills of every order."""
    raw, client = (Account(run.notebooks[kind]) for kind in KINDS)
    assert raw.orders == client.orders
    assert raw.fills == client.fills


def test_whoever_was_told_a_definite_answer_finds_it_in_the_stream(run):
    """No order that a caller knows of is missing among those that the readers were told of, and nobody is left in doubt."""
    known = {answer.call.order for answer in run.answers if answer.word == "placed"}
    assert run.undecided == []
    assert sorted(known - Account(run.notebooks["raw"]).orders.keys() - {BEFORE[0]}) == []


def test_the_storm_was_one(run, tell):
    """Every kind of blow struck, orders ended in every way, orders were filled in parts, and readers heard things twice."""
    accounts = {kind: Account(rows) for kind, rows in run.notebooks.items()}
    told = accounts["raw"]
    ends = {held.last["status"].removeprefix("ORDER_STATUS_") for held in told.orders.values()}
    lives = {kind: sum(row["event"] == "life" for row in rows) for kind, rows in run.notebooks.items()}
    repeats = {kind: account.repeats for kind, account in accounts.items()}
    tell(f"order history of seed {SEED}, {SECONDS:g} s: {dict(run.blows)}, lives of readers {lives}")
    tell(f"  {len(told.orders)} orders, {len(told.fills)} fills, {repeats} told again, ends {sorted(ends)}")
    tell(f"  {told.ahead} pictures of orders held fills that were told only after them")
    assert all(run.blows[kind] > 0 for kind in ("gateway", "line", "reader", "gateway and readers"))
    assert {"FILLED", "CANCELLED"} <= ends
    by_hand = [each.last for each in told.orders.values() if each.last.get("order_id") in run.books.by_hand]
    amended = [each.last for each in told.orders.values() if each.last.get("order_id") in run.books.amended]
    tell(
        f"  {len(by_hand)} of {len(run.books.by_hand)} orders placed by hand were told of; {len(amended)} were amended so"
    )
    assert {"FILLED", "CANCELLED"} <= {each["status"].removeprefix("ORDER_STATUS_") for each in by_hand}
    assert any(not fill.get("caller") for fill in told.fills.values())
    assert {True, False} == {"caller" in each for each in amended}
    assert any(len(held.fills) > 1 for held in told.orders.values())
    assert min(repeats.values()) > 0


# ---- the judge, judged -----------------------------------------------------------------------------------------------


def order_row(version, status, filled="0", cost="0", fee="0", name="a"):
    order = {
        "client_order_id": name,
        "caller": "local",
        "order_id": "O-1" if version > 1 else "",
        "venue_client_id": "v-1",
        "status": f"ORDER_STATUS_{status}",
        "spec": {"base_quantity": "0.5", "limit": {"limit_price": "200"}},
        "filled_quantity": filled,
        "filled_cost": cost,
        "fees": [{"asset": "USD", "amount": fee}],
        "version": str(version),
    }
    return {"event": "order", "token": f"t{version}", "order": order}


def good():
    """A notebook of one order that was filled at once, its fill told twice, and the books that it agrees with."""
    fill = {
        "fill_id": "T-1",
        "client_order_id": "a",
        "symbol": "BTC/USD",
        "side": "SIDE_BUY",
        "quantity": "0.5",
        "cost": "100",
        "fees": [{"asset": "USD", "amount": "0.4"}],
    }
    rows = [
        {"event": "life", "resumed": False},
        {"event": "snapshot", "token": "t0", "orders": [], "complete": True},
        order_row(1, "SUBMITTED"),
        order_row(2, "OPEN"),
        {"event": "fill", "token": "tf", "fill": fill},
        {"event": "life", "resumed": True},
        {"event": "fill", "token": "tf", "fill": deepcopy(fill)},
        order_row(3, "FILLED", "0.5", "100", "0.4"),
    ]
    order = {"order_id": "O-1", "cl_ord_id": "v-1", "status": "closed", "vol_exec": "0.50000000", "trades": ["T-1"]}
    order |= {"volume": "0.50000000", "price": "200.0"}
    entry = {"refid": "T-1", "type": "trade"}
    entries = [
        entry | {"asset": "XXBT", "amount": "0.5000000000", "fee": "0"},
        entry | {"asset": "ZUSD", "amount": "-100.0000", "fee": "0.4000"},
    ]
    return rows, Books([order | {"cost": "100.0", "fee": "0.4"}], entries)


SPOILT = {
    "an order is missing": lambda _rows, books: books.orders.append(books.orders[0] | {"order_id": "O-2"}),
    "an order is too many": lambda _rows, books: (books.orders.clear(), books.entries.clear()),
    "a fill is missing": lambda rows, _books: rows.__delitem__(slice(4, 7)),
    "a fill changed": lambda rows, _books: rows[6]["fill"].update(cost="101"),
    "a version is missing": lambda rows, _books: rows.pop(3),
    "a version changed": lambda rows, _books: rows.append(order_row(2, "PENDING")),
    "versions are swapped": lambda rows, _books: rows.insert(2, rows.pop(3)),
    "a fill comes before its order": lambda rows, _books: rows.insert(2, rows[4]),
    "an event comes before the picture": lambda rows, _books: rows.insert(1, rows.pop(2)),
    "no order follows its fill": lambda rows, _books: rows.insert(4, rows.pop()),
    "the picture comes again": lambda rows, _books: rows.append(rows[1]),
    "the token was lost": lambda rows, _books: rows[5].update(resumed=False),
    "the end differs": lambda _rows, books: books.orders[0].update(status="canceled"),
    "an amend of the quantity was missed": lambda _rows, books: books.orders[0].update(volume="0.6"),
    "an amend of the price was missed": lambda _rows, books: books.orders[0].update(price="200.1"),
    "the filled quantity differs": lambda _rows, books: books.orders[0].update(vol_exec="0.4"),
    "the cost differs": lambda _rows, books: books.orders[0].update(cost="99.9"),
    "the fees differ": lambda _rows, books: books.orders[0].update(fee="0.41"),
    "the ledger has another cost": lambda _rows, books: books.entries[1].update(amount="-100.1"),
    "the ledger has another fee": lambda _rows, books: books.entries[1].update(fee="0.39"),
    "the ledger lacks it": lambda _rows, books: books.entries.clear(),
    "its id is another's": lambda _rows, books: books.orders[0].update(cl_ord_id="v-2"),
    "its caller is left out": lambda rows, _books: [row["order"].pop("caller") for row in rows if "order" in row],
    "it was placed by hand": lambda _rows, books: setattr(books, "by_hand", frozenset({"O-1"})),
    "one by hand that was filled is missing": lambda _rows, books: (
        books.orders.append(books.orders[0] | {"order_id": "O-2"}),
        setattr(books, "by_hand", frozenset({"O-2"})),
    ),
    "one is left in doubt": lambda rows, _books: rows.append(order_row(1, "IN_DOUBT", name="b")),
}


def test_the_judge_has_nothing_against_a_true_notebook():
    """What agrees with the books has no finding, though a fill was told twice."""
    rows, books = good()
    assert books.findings(rows) == []
    assert Account(rows).repeats == 1


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_the_judge_finds_what_is_wrong(spoil):
    """A notebook or a book that was spoilt in one place is found out."""
    rows, books = good()
    spoil(rows, books)
    assert len(books.findings(rows)) > 0
