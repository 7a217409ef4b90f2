"""Orders changed in place through the gateway to the paper exchange and back: what is told, and the exchange's own books.

One exchange for all. The market stands still but where a case moves it. A gateway that is killed in the middle of an amend
comes back on the same store, finds out what became of it, and never sends it again.
"""

import threading
import time
from contextlib import contextmanager
from decimal import Decimal

import pytest
from execsvc_client import (
    Amended,
    AmendInDoubt,
    Conflict,
    ExecsvcError,
    InvalidRequest,
    NotPlaced,
    OrderStatus,
    Refused,
    SyncClient,
)

from tests.support.processes import LIFTED, Process, clean_environ, free_port, paper_exchange, wait_serving

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

D = Decimal
BTC = "BTC/USD"
BID = "60000.0"
PATIENCE_S = 15.0
PENDING, OPEN, FILLED, CANCELLED = (
    OrderStatus.PENDING,
    OrderStatus.OPEN,
    OrderStatus.FILLED,
    OrderStatus.CANCELLED,
)
RESTING = {"quantity": "0.01", "limit_price": "59000.0"}


class Scene:
    """The exchange with its control port, a gateway that can be killed, and a client."""

    def __init__(self, home, exchange):
        self.exchange = exchange
        self.listen = f"127.0.0.1:{free_port()}"
        venue = {name: value for name, value in exchange.environ.items() if "CONTROL" not in name}
        store = f"sqlite://{home}/execsvc.db"
        self._environ = clean_environ(
            home, EXECSVC_LISTEN=self.listen, EXECSVC_HTTP_LISTEN="off", EXECSVC_STORE=store, **venue, **LIFTED
        )
        self.start()

    def start(self):
        self.gateway = Process(["serve"], self._environ)
        wait_serving(self.listen)
        self.client = SyncClient(self.listen)

    def kill(self):
        self.gateway.kill()
        self.client.close()

    def close(self):
        self.client.close()
        self.gateway.stop()

    def market(self, **move):
        self.exchange.ask("POST", "/market", {"symbol": BTC, **move})

    def still(self):
        """A deep, narrow market that nobody moves."""
        self.exchange.mend()
        self.market(frozen=True, price=BID, qty="0.5", levels=40)
        self.market(take={"side": "buy", "qty": "0.001"})
        self.market(price=BID, qty="0.5", levels=40)

    def until(self, order, reached):
        """The order once `reached` says so; fails with its last state."""
        by = time.monotonic() + PATIENCE_S
        while time.monotonic() < by:
            found = self.client.get_order(order)
            if reached(found):
                return found
            time.sleep(0.05)
        raise AssertionError(f"never got there: {found}")

    def theirs(self, order):
        """How the order stands at the exchange: volume, price, status."""
        (found,) = [each for each in self.exchange.orders() if each["order_id"] == order.order_id]
        return D(found["volume"]), None if found["price"] is None else D(found["price"]), found["status"]

    def amends(self):
        """Every AmendOrder that arrived there: whether it was carried out."""
        return [each["applied"] for each in self.exchange.ask("GET", "/calls")["calls"] if each["call"] == "AmendOrder"]

    def shown_at(self, price):
        """What the public book shows at a price."""
        book = self.client.book(BTC, depth=100)
        return next((level.quantity for level in book.bids if level.price == D(price)), None)


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with paper_exchange(home, "--tier", "unlimited") as exchange:
        scene = Scene(home, exchange)
        try:
            yield scene
        finally:
            scene.close()


@pytest.fixture
def scene(staged):
    staged.still()
    yield staged
    staged.exchange.mend()
    for each in staged.client.orders(statuses=(PENDING, OPEN)):
        staged.client.cancel(each)
        staged.until(each, lambda found: found.is_terminal)
    ledger = staged.exchange.ask("GET", "/ledger")
    assert (True, "") == (ledger["balanced"], ledger["error"])


# ---- applied ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "volume", "price"),
    [
        ({"quantity": "0.02"}, "0.02", "59000.0"),
        ({"quantity": "0.005"}, "0.005", "59000.0"),
        ({"limit_price": "59100.5"}, "0.01", "59100.5"),
        ({"quantity": "0.03", "limit_price": "58000"}, "0.03", "58000.0"),
    ],
    ids=["more", "less", "price", "both"],
)
def test_quantity_and_price_are_changed_in_place(scene, asked, volume, price):
    """The same order at the exchange, as asked for; one version more here, and the story tells it."""
    order = scene.client.buy(BTC, **RESTING).order
    amended = scene.client.amend(order, **asked)
    assert isinstance(amended, Amended)
    assert (order.order_id, D(volume), D(price), OPEN) == (
        amended.order.order_id,
        amended.order.quantity,
        amended.order.limit_price,
        amended.order.status,
    )
    assert amended.order.version > order.version
    assert (D(volume), D(price), "open") == scene.theirs(order)
    told = [each.text for each in scene.client.explain(order).events]
    assert any(amended.request_id in text for text in told)


def test_a_total_below_what_is_filled_cancels_the_rest(scene):
    """The order ends, with what it did."""
    scene.market(price="59990.0", spread="40", qty="0.5", levels=40)
    order = scene.client.buy(BTC, quantity="0.03", limit_price="60000.0").order
    scene.market(take={"side": "sell", "qty": "0.01"})
    scene.until(order, lambda found: found.filled_quantity == D("0.01"))
    scene.client.amend(order, quantity="0.005")
    ended = scene.until(order, lambda found: found.is_terminal)
    assert (CANCELLED, D("0.01"), "canceled") == (ended.status, ended.filled_quantity, scene.theirs(order)[2])


def test_an_iceberg_shows_more_when_asked_to(scene):
    """In the public book."""
    order = scene.client.buy(BTC, quantity="0.1", limit_price="59000.0", display_quantity="0.01").order
    assert D("0.01") == scene.shown_at("59000.0")
    amended = scene.client.amend(order, display_quantity="0.04")
    assert "0.04" == amended.order.wire.spec.limit.display_quantity.rstrip("0")
    assert D("0.04") == scene.shown_at("59000.0")


def test_a_stop_fires_at_its_new_trigger(scene):
    """And not at its old one."""
    order = scene.client.sell(BTC, quantity="0.01", stop="59000.0").order
    amended = scene.client.amend(order, trigger_price="58000.0")
    assert (D(58000), PENDING) == (amended.order.trigger_price, amended.order.status)
    scene.market(price="58900.0", qty="0.5", levels=40)
    scene.market(take={"side": "sell", "qty": "0.001"})
    assert PENDING is scene.client.get_order(order).status
    scene.market(price="57990.0", qty="0.5", levels=40)
    scene.market(take={"side": "sell", "qty": "0.001"})
    assert FILLED is scene.until(order, lambda found: found.is_terminal).status


def test_what_it_asks_for_already_stands(scene):
    """Kraken finds nothing to amend, and the order is as wished: applied."""
    order = scene.client.buy(BTC, **RESTING).order
    amended = scene.client.amend(order, limit_price="59000.0")
    assert isinstance(amended, Amended)
    assert (D("0.01"), D(59000), "open") == scene.theirs(order)


# ---- refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "kind", "reason"),
    [
        ({"limit_price": "59000.05"}, InvalidRequest, "TICK_SIZE_VIOLATED"),
        ({"quantity": "0.00000001"}, InvalidRequest, "ORDER_MINIMUM_NOT_MET"),
        ({"trigger_price": "59000"}, InvalidRequest, "INVALID_REQUEST"),
        ({"limit_price": "58000", "if_version": 999}, Conflict, "VERSION_MISMATCH"),
        ({"limit_price": "60000.1", "post_only": True}, Refused, "POST_ONLY_WOULD_TAKE"),
        ({"quantity": "9000"}, Refused, "INSUFFICIENT_FUNDS"),
    ],
    ids=["tick", "minimum", "trigger", "version", "post only", "funds"],
)
def test_a_refusal_changes_nothing(scene, asked, kind, reason):
    """By our rules before anything is sent, or by Kraken's; the order stands as it did."""
    order = scene.client.buy(BTC, **RESTING).order
    with pytest.raises(kind) as caught:
        scene.client.amend(order, **asked)
    assert reason == caught.value.reason
    assert (D("0.01"), D(59000), "open") == scene.theirs(order)
    assert (D("0.01"), D(59000)) == (
        (stands := scene.client.get_order(order)).quantity,
        stands.limit_price,
    )


def test_an_order_that_has_ended_is_not_amended(scene):
    """ORDER_TERMINAL, with its status."""
    order = scene.client.buy(BTC, **RESTING).order
    scene.client.cancel(order)
    scene.until(order, lambda found: found.is_terminal)
    with pytest.raises(Refused) as caught:
        scene.client.amend(order, limit_price="58000")
    assert ("ORDER_TERMINAL", "CANCELLED") == (caught.value.reason, caught.value.metadata["status"])


# ---- lost ------------------------------------------------------------------------------------------------------------


def test_a_lost_reply_is_found_out(scene):
    """The exchange applied it and its answer never came: told as applied all the same, and sent once."""
    order = scene.client.buy(BTC, **RESTING).order
    before = len(scene.amends())
    scene.exchange.fault(kind="reply_lost_after_apply", call="AmendOrder")
    result = scene.client.amend(order, limit_price="58000")
    amended = result.resolve() if isinstance(result, AmendInDoubt) else result
    assert (D(58000), [True]) == (amended.order.limit_price, scene.amends()[before:])


def test_a_lost_request_is_proved_lost(scene):
    """Doubt at the caller's deadline, then NotPlaced; the order stands as it did, and nothing was sent again."""
    order = scene.client.buy(BTC, **RESTING).order
    scene.exchange.fault(kind="request_lost", call="AmendOrder", times="always")
    doubt = scene.client.amend(order, limit_price="58000", timeout=2.5)
    assert isinstance(doubt, AmendInDoubt)
    with pytest.raises(NotPlaced) as caught:
        doubt.resolve(30)
    assert (True, D(59000)) == (caught.value.id_used, scene.theirs(order)[1])
    scene.exchange.mend()
    assert D(58000) == scene.client.amend(order, limit_price="58000").order.limit_price


@contextmanager
def _killed_in_the_middle(scene, order, got_so_far, **fault):
    """An amend that goes wrong, and the gateway killed while its caller waits; then the next life serves."""
    scene.exchange.fault(call="AmendOrder", **fault)
    ended = []

    def ask(client):
        try:
            ended.append(client.amend(order, limit_price="58000", request_id="r-kill", timeout=2.5))
        except ExecsvcError as error:
            ended.append(error)

    asker = threading.Thread(target=ask, args=(scene.client,))
    asker.start()
    by = time.monotonic() + PATIENCE_S
    while not got_so_far():
        assert time.monotonic() < by, "the amend never got so far"
        time.sleep(0.01)
    scene.kill()
    asker.join()
    scene.exchange.mend()
    scene.start()
    yield
    assert all(isinstance(each, ExecsvcError) for each in ended)


def test_a_gateway_killed_before_the_answer_finds_that_it_was_applied(scene):
    """Applied at the exchange, the answer under way: the next life says so, to a repeat as well, and sends nothing."""
    order = scene.client.buy(BTC, **RESTING).order
    before = len(scene.amends())

    def applied():
        return len(scene.amends()) > before

    with _killed_in_the_middle(scene, order, applied, kind="delay", when="after", ms=5000):
        again = scene.client.amend(order.client_order_id, limit_price="58000", request_id="r-kill")
        found = again.resolve() if isinstance(again, AmendInDoubt) else again
        assert (D(58000), True) == (found.order.limit_price, found.replayed)
        assert (D("0.01"), D(58000), "open") == scene.theirs(order)
        assert [True] == scene.amends()[before:]


def test_a_gateway_killed_before_the_exchange_had_it_proves_that_it_was_not(scene):
    """It never took effect: NotPlaced to the repeat, the order as it was, and nothing sent again."""
    order = scene.client.buy(BTC, **RESTING).order
    before = scene.amends()

    def left():
        return any("AmendOrder" in each.text for each in scene.client.explain(order).events)

    with _killed_in_the_middle(scene, order, left, kind="request_lost", times="always"):
        with pytest.raises(NotPlaced) as caught:
            scene.client.amend(order.client_order_id, limit_price="58000", request_id="r-kill", timeout=20)
        assert (True, "true") == (caught.value.id_used, caught.value.metadata["replayed"])
        assert (D(59000), before) == (scene.theirs(order)[1], scene.amends())
