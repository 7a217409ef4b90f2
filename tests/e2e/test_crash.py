"""kill -9 of the real gateway around the sending of an order: one order at the exchange, never two, never a lie."""

import threading
import time
from decimal import Decimal

import grpc
import pytest
from execsvc_client import ExecsvcError, InDoubt, NotPlaced, SyncClient

from tests.support.processes import Process, clean_environ, free_port, paper_exchange, wait_serving

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


class Desk:
    """A gateway on its own store against one exchange; started again as often as it is killed."""

    def __init__(self, home, exchange):
        self.port = free_port()
        self.target = f"127.0.0.1:{self.port}"
        self.exchange = exchange
        venue = {name: value for name, value in exchange.environ.items() if "CONTROL" not in name}
        store = f"sqlite://{home}/execsvc.db"
        self.environ = clean_environ(home, EXECSVC_STORE=store, EXECSVC_LISTEN=self.target, **venue)
        self.start()

    def start(self):
        self.gateway = Process(["serve", "--http", "off"], self.environ)
        wait_serving(self.target)

    def place(self, client_order_id, timeout=10.0):
        # A pool of its own: else the dead connection of another client in this process, in its back-off, would be shared.
        own = grpc.insecure_channel(self.target, [("grpc.use_local_subchannel_pool", 1)])
        with own, SyncClient(self.target, channel=own) as client:
            return client.buy(
                "BTC/USD",
                quantity=Decimal("0.001"),
                limit_price="20000.0",
                client_order_id=client_order_id,
                timeout=timeout,
            )

    def verdict(self, client_order_id):
        try:
            placed = self.place(client_order_id)
        except NotPlaced:
            return "not placed"
        return "in doubt" if isinstance(placed, InDoubt) else placed.order.status.name

    def place_aside(self, client_order_id):
        """Places from a thread and forgets the answer: the gateway is about to die."""

        def work():
            try:
                self.place(client_order_id)
            except ExecsvcError:
                return

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread


@pytest.fixture
def desk(tmp_path):
    with paper_exchange(tmp_path) as exchange:
        here = Desk(tmp_path, exchange)
        try:
            yield here
        finally:
            died = here.gateway.process.poll()
            here.gateway.kill()
            assert died is None, f"the gateway ended by itself with {died}; it said:\n{here.gateway.said}"


def until(condition, seconds=10.0):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "never came true"
        time.sleep(0.01)


def test_killed_between_journal_and_reply_the_same_id_is_one_order(desk):
    """The exchange took the order, the answer never came, the process is gone: asked again, it is the same order."""
    desk.exchange.fault(kind="delay", call="AddOrder", times=1, ms=1500, when="after")
    desk.place_aside("c-1")
    until(lambda: len(desk.exchange.orders()) == 1)
    desk.gateway.kill()
    desk.start()
    placed = desk.place("c-1")
    assert not isinstance(placed, InDoubt)
    assert (placed.replayed, placed.order.status.name) == (True, "OPEN")
    assert [order["order_id"] for order in desk.exchange.orders()] == [placed.order.order_id]


def test_killed_before_the_exchange_saw_the_request_the_truth_comes_out(desk):
    """The request dies with the process: proved NOT_PLACED, and the same id never places it later."""
    desk.exchange.fault(kind="request_lost", call="AddOrder", times=1)
    desk.exchange.fault(kind="error", call="OpenOrders", times=20, error="EService:Unavailable")
    desk.place_aside("c-1")
    until(lambda: any(call["call"] == "OpenOrders" for call in desk.exchange.ask("GET", "/calls")["calls"]))
    desk.gateway.kill()
    desk.exchange.mend()
    desk.start()
    verdicts = [desk.verdict("c-1") for _ in range(4)]
    assert "not placed" in verdicts
    assert set(verdicts[: verdicts.index("not placed")]) <= {"in doubt"}
    assert desk.verdict("c-1") == "not placed"
    assert desk.exchange.orders() == []


def test_a_reply_lost_after_the_order_was_taken_is_one_order(desk):
    """No kill: the connection dies after the exchange took the order; the caller gets the order, once."""
    desk.exchange.fault(kind="reply_lost_after_apply", call="AddOrder", times=1)
    placed = desk.place("c-1")
    if isinstance(placed, InDoubt):
        placed = placed.resolve(20.0)
    assert placed.order.status.name == "OPEN"
    assert len(desk.exchange.orders()) == 1


def test_a_bad_gateway_page_in_front_of_a_taken_order_is_one_order(desk):
    """HTTP 502 with HTML although the order executed."""
    desk.exchange.fault(kind="bad_gateway", call="AddOrder", times=1, applied=True)
    placed = desk.place("c-1")
    if isinstance(placed, InDoubt):
        placed = placed.resolve(20.0)
    assert placed.order.status.name == "OPEN"
    assert len(desk.exchange.orders()) == 1


def test_killed_with_orders_open_the_next_life_knows_them_and_nonces_rise(desk):
    """A plain crash: open orders are still there, and the key's nonces go on above the old ones."""
    first = desk.place("c-1")
    desk.gateway.kill()
    desk.start()
    with SyncClient(desk.target) as client:
        assert client.get_order("c-1").order_id == first.order.order_id
        assert client.cancel("c-1").status.name == "CANCELLED"
    assert desk.place("c-2").order.status.name == "OPEN"
    nonces = [int(call["nonce"]) for call in desk.exchange.ask("GET", "/calls")["calls"] if call["nonce"]]
    assert nonces == sorted(set(nonces))
