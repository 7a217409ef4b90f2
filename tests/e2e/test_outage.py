"""The exchange goes away and comes back: reads say UNAVAILABLE, streams say STALE, the service recovers by itself."""

import threading
import time

import pytest
from execsvc_client import StateChanged, SyncClient, TickerUpdate, Unavailable

from tests.support.processes import LIFTED, clean_environ, free_port, paper_exchange, running, wait_serving

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


class Watch:
    """A ticker stream read aside; `events` grows."""

    def __init__(self, target):
        self.client = SyncClient(target)
        self.events = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for event in self.client.watch(["BTC/USD"]):
            self.events.append(event)

    def until(self, wanted, seconds=15.0, since=None):
        start = len(self.events) if since is None else since
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            for event in self.events[start:]:
                if wanted(event):
                    return event
            time.sleep(0.02)
        raise AssertionError(f"never came; last events: {self.events[-5:]}")


def state(name):
    return lambda event: isinstance(event, StateChanged) and event.state.name == name


def environ_for(exchange, home, listen):
    venue = {name: value for name, value in exchange.environ.items() if "CONTROL" not in name}
    return clean_environ(home, EXECSVC_LISTEN=listen, EXECSVC_HTTP_LISTEN="off", **venue, **LIFTED)


def test_a_lost_exchange_is_told_and_its_return_is_found(tmp_path):
    """One stream lives through it all."""
    listen, port = f"127.0.0.1:{free_port()}", str(free_port())
    with paper_exchange(tmp_path, "--port", port, "--tier", "unlimited") as exchange:
        environ = environ_for(exchange, tmp_path, listen)
        with running(["serve"], environ) as gateway:
            wait_serving(listen)
            watch = Watch(listen)
            watch.until(lambda event: isinstance(event, TickerUpdate))
            before = len(watch.events)
            exchange.process.kill()
            watch.until(state("STALE"), 7.0, since=before)
            with SyncClient(listen) as client, pytest.raises(Unavailable) as caught:
                client.balances(timeout=1.5)
            assert caught.value.reason in {"VENUE_UNREACHABLE", "READ_TIMEOUT"}
            with SyncClient(listen) as client, pytest.raises(Unavailable) as refused:
                client.buy("BTC/USD", quantity="0.001", limit_price="20000.0", client_order_id="c-1", timeout=4.0)
            assert refused.value.id_used is False
            with paper_exchange(tmp_path, "--port", port, "--tier", "unlimited"):
                watch.until(lambda event: isinstance(event, TickerUpdate), 30.0)
                with SyncClient(listen) as client:
                    assert client.balances()
                    placed = client.buy("BTC/USD", quantity="0.001", limit_price="20000.0", client_order_id="c-1")
                assert placed.order.status.name == "OPEN"
            watch.client.close()
            assert gateway.stop() == 0


def test_a_gateway_that_starts_before_its_exchange_waits_for_it(tmp_path):
    """It answers health, refuses orders as not sent, and serves when the exchange appears."""
    listen, port = f"127.0.0.1:{free_port()}", str(free_port())
    with paper_exchange(tmp_path, "--port", port, "--tier", "unlimited") as exchange:
        environ = environ_for(exchange, tmp_path, listen)
    with running(["serve"], environ) as gateway:
        wait_serving(listen, service="")
        with SyncClient(listen) as client, pytest.raises(Unavailable):
            client.buy("BTC/USD", quantity="0.001", limit_price="20000.0", client_order_id="c-1", timeout=4.0)
        with paper_exchange(tmp_path, "--port", port, "--tier", "unlimited"):
            wait_serving(listen, seconds=30.0)
            with SyncClient(listen) as client:
                placed = client.buy("BTC/USD", quantity="0.001", limit_price="20000.0", client_order_id="c-1")
            assert placed.order.status.name == "OPEN"
        assert gateway.stop() == 0


def test_a_silent_feed_is_stale_within_six_seconds(tmp_path):
    """The socket stays open and says nothing: only the clock notices."""
    listen = f"127.0.0.1:{free_port()}"
    with paper_exchange(tmp_path) as exchange, running(["serve"], environ_for(exchange, tmp_path, listen)) as gateway:
        wait_serving(listen)
        watch = Watch(listen)
        watch.until(lambda event: isinstance(event, TickerUpdate))
        exchange.fault(kind="feed_silent", line="public")
        began, before = time.monotonic(), len(watch.events)
        watch.until(state("STALE"), 8.0, since=before)
        assert time.monotonic() - began < 6.0
        exchange.mend()
        watch.until(lambda event: isinstance(event, TickerUpdate), 30.0)
        watch.client.close()
        assert gateway.stop() == 0
