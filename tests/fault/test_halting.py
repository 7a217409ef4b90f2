"""The kill switch of the real service: thrown in the midst of placing, and just before a kill -9.

The exchange is a process of its own and outlives every gateway; its ledger is the witness. The other crashes are
test_crash_matrix.py's and test_random_crashes.py's.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from execsvc_client import ExecsvcError, SyncClient

from tests.fault.lives import wait
from tests.support.processes import Process, clean_environ, free_port, paper_exchange, wait_serving

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

BTC = "BTC/USD"
MANY = 64
HALT_S = 1.0  # from the call to the last order that got in
GONE_S = 5.0
CONFIG = """
[risk]
max_orders_per_s = 1000
max_limit_distance = "0.9"
"""


class Scene:
    """An exchange, a gateway that can be killed, and a client of it."""

    def __init__(self, home, exchange):
        self.exchange = exchange
        self.listen = f"127.0.0.1:{free_port()}"
        venue = {name: value for name, value in exchange.environ.items() if "CONTROL" not in name}
        config = home / "execsvc.toml"
        config.write_text(CONFIG)
        self.environ = clean_environ(
            home,
            EXECSVC_LISTEN=self.listen,
            EXECSVC_HTTP_LISTEN="off",
            EXECSVC_STORE=f"sqlite://{home}/execsvc.db",
            EXECSVC_CONFIG=str(config),
            **venue,
        )
        self.start()

    def start(self):
        self.gateway = Process(["serve"], self.environ)
        wait_serving(self.listen)
        self.client = SyncClient(self.listen)

    def kill(self):
        self.gateway.kill()
        self.client.close()

    def place(self, name, price=59_000):
        """What became of it: "placed", or the reason."""
        try:
            self.client.buy(BTC, quantity="0.001", limit_price=f"{price}.0", client_order_id=name, timeout=8.0)
        except ExecsvcError as refusal:
            return refusal.reason
        return "placed"

    def open_orders(self):
        return [each["id"] for each in self.exchange.orders() if each["status"] == "open"]


@pytest.fixture
def scene(tmp_path):
    with paper_exchange(tmp_path, "--tier", "unlimited") as exchange:
        built = Scene(tmp_path, exchange)
        yield built
        built.client.close()
        built.gateway.stop()


def test_a_halt_in_the_midst_of_placing_is_the_last_word(scene, tell):
    """Of 64 placements at once none is accepted once the halt is answered, and all that were are cancelled."""
    scene.exchange.fault(kind="slow_matching", call="AddOrder", ms=20, times="always")
    with ThreadPoolExecutor(MANY) as pool:
        placing = [pool.submit(scene.place, f"p-{number}", 50_000 + number) for number in range(MANY)]
        wait(lambda: len(scene.exchange.orders()) >= 5, 10, "some are accepted")
        began = time.monotonic()
        change = scene.client.set_trading_mode("halted", comment="a test", everything=True)
        took_s = time.monotonic() - began
        accepted = len(scene.exchange.orders())
        outcomes = [each.result() for each in placing]
    assert accepted == len(scene.exchange.orders())
    assert {"placed", "TRADING_HALTED"} == set(outcomes)
    assert outcomes.count("placed") == accepted
    assert change.cancel_requested_count >= accepted
    wait(lambda: not scene.open_orders(), GONE_S, "what was accepted is cancelled")
    gone_s = time.monotonic() - began
    tell(
        f"halt among {MANY} placements: answered after {1000 * took_s:.0f} ms, {accepted} had been accepted, none later"
    )
    tell(f"  all of them cancelled after {1000 * gone_s:.0f} ms")
    assert took_s < HALT_S


def test_a_halt_that_was_answered_outlives_kill_9(scene):
    """Killed right after the answer: the next life is as strict, cancels what is open, and is lifted by a person only."""
    scene.exchange.fault(kind="slow_matching", call="CancelOrderBatch", ms=3000, times="always")
    assert "placed" == scene.place("one")
    scene.client.set_trading_mode("halted", comment="a test", everything=True)
    scene.client.set_trading_mode("cancel_only", comment="one caller", caller="local")
    scene.kill()
    scene.exchange.mend()
    scene.start()
    assert "TRADING_HALTED" == scene.place("two")
    wait(lambda: not scene.open_orders(), GONE_S, "the order of the last life is cancelled")
    shown = [(each.everything, each.mode.name, each.comment) for each in scene.client.server_info().trading_modes]
    assert [(True, "HALTED", "a test"), (False, "CANCEL_ONLY", "one caller")] == shown
    scene.client.set_trading_mode("normal", comment="seen", everything=True)
    assert "TRADING_HALTED" == scene.place("two")
    scene.client.set_trading_mode("normal", comment="seen", caller="local")
    assert "placed" == scene.place("two")


def test_what_was_lifted_stays_lifted(scene):
    """Killed right after the answer of a resume: the next life takes orders."""
    scene.client.set_trading_mode("halted", comment="a test", symbol=BTC)
    scene.client.set_trading_mode("normal", comment="seen", symbol=BTC)
    scene.kill()
    scene.start()
    assert ("placed", ()) == (scene.place("one"), scene.client.server_info().trading_modes)
