"""Starting wrong says one clear line and exits 3; stopping is clean and loses no order."""

import signal
import socket

import pytest
from execsvc_client import SyncClient

from tests.support.processes import LIFTED, clean_environ, free_port, paper_exchange, running, wait_serving

pytestmark = [pytest.mark.process, pytest.mark.timeout(90)]


@pytest.fixture
def taken():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield f"127.0.0.1:{holder.getsockname()[1]}"


def refused(arguments, home, **environ):
    """The lines a start that must fail says on stderr."""
    with running(arguments, clean_environ(home, **environ)) as process:
        assert process.ended() == 3, process.said
        assert "Traceback" not in process.said
        return [line for line in process.stderr if line.strip()]


def test_a_taken_grpc_port_is_named_with_the_flag_to_use(tmp_path, taken):
    """The operator reads which address and how to choose another."""
    lines = refused(["dev", "--listen", taken, "--http", "off", "--no-demo"], tmp_path)
    assert taken in lines[-1]
    assert "--listen" in lines[-1]


def test_a_taken_http_port_is_named_with_the_flag_to_use(tmp_path, taken):
    """The same for the other door."""
    lines = refused(["dev", "--listen", "127.0.0.1:0", "--http", taken, "--no-demo"], tmp_path)
    assert taken in lines[-1]
    assert "--http" in lines[-1]


def test_every_bad_variable_is_told_at_once(tmp_path):
    """A bad value and an unknown name are two lines of one start."""
    lines = refused(["serve"], tmp_path, EXECSVC_TIER="gold", EXECSVC_LISTN="127.0.0.1:1")
    assert any("EXECSVC_TIER" in line for line in lines)
    assert any("EXECSVC_LISTN" in line and "EXECSVC_LISTEN" in line for line in lines)


def test_live_without_a_key_names_what_is_missing(tmp_path):
    """The mode decides: live without keys does not start."""
    lines = refused(["serve"], tmp_path, EXECSVC_MODE="live")
    assert any("KRAKEN_API_KEY" in line for line in lines)
    assert any("EXECSVC_MAX_ORDER_NOTIONAL" in line for line in lines)


def test_a_store_that_is_no_store_is_named(tmp_path):
    """A file of something else is not overwritten."""
    (tmp_path / "notes.db").write_text("not a database" * 100)
    lines = refused(
        ["serve", "--listen", "127.0.0.1:0", "--http", "off"], tmp_path, EXECSVC_STORE=f"sqlite://{tmp_path}/notes.db"
    )
    assert "notes.db" in lines[-1]
    assert (tmp_path / "notes.db").read_text().startswith("not a database")


def test_a_store_whose_folder_cannot_be_made_is_named(tmp_path):
    """A path below a plain file."""
    (tmp_path / "file").write_text("x")
    lines = refused(
        ["serve", "--listen", "127.0.0.1:0", "--http", "off"],
        tmp_path,
        EXECSVC_STORE=f"sqlite://{tmp_path}/file/execsvc.db",
    )
    assert "file" in lines[-1]


def test_a_second_gateway_on_one_store_does_not_start(tmp_path):
    """Two owners of one journal would be the nonce bug again."""
    store = f"sqlite://{tmp_path}/execsvc.db"
    listen = f"127.0.0.1:{free_port()}"
    with running(["serve", "--listen", listen, "--http", "off", "--store", store], clean_environ(tmp_path)):
        wait_serving(listen)
        lines = refused(["serve", "--listen", "127.0.0.1:0", "--http", "off", "--store", store], tmp_path)
    assert "execsvc.db" in lines[-1]


def test_a_key_file_that_others_can_read_is_refused(tmp_path):
    """Secrets live in files only we can read; the message does not repeat the secret."""
    for name in ("key", "secret"):
        (tmp_path / name).write_text("c2VjcmV0Cg==")
        (tmp_path / name).chmod(0o644)
    venue = {
        "EXECSVC_KRAKEN_REST_URL": "http://127.0.0.1:9",
        "EXECSVC_KRAKEN_WS_URL": "ws://127.0.0.1:9/v2",
        "EXECSVC_KRAKEN_WS_AUTH_URL": "ws://127.0.0.1:9/v2",
        "KRAKEN_API_KEY_FILE": str(tmp_path / "key"),
        "KRAKEN_API_SECRET_FILE": str(tmp_path / "secret"),
    }
    lines = refused(["serve", "--listen", "127.0.0.1:0", "--http", "off"], tmp_path, **venue)
    assert "0600" in lines[-1]
    assert "c2VjcmV0" not in "".join(lines)


@pytest.mark.parametrize(
    ("permissions", "named"), [("withdraw-funds", "withdraw-funds"), ("query-funds", "modify-trades")]
)
def test_a_key_with_wrong_rights_is_refused(tmp_path, permissions, named):
    """A key that may withdraw is never used, and one that cannot trade is said so."""
    with paper_exchange(tmp_path) as exchange:
        rights = ["query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "create-ws-token"]
        chosen = [*rights, permissions] if permissions == "withdraw-funds" else [permissions]
        made = exchange.ask("POST", "/keys", {"permissions": chosen})
        venue = {name: value for name, value in exchange.environ.items() if "CONTROL" not in name}
        venue |= {"KRAKEN_API_KEY": made["api_key"], "KRAKEN_API_SECRET": made["api_secret"]}
        lines = refused(["serve", "--listen", "127.0.0.1:0", "--http", "off"], tmp_path, **venue)
    assert named in lines[-1]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_the_service_cleanly_and_its_orders_stay(tmp_path, number, code):
    """Stopped and started again, the order is still known and still open at the exchange."""
    with paper_exchange(tmp_path) as exchange:
        listen = f"127.0.0.1:{free_port()}"
        venue = {name: value for name, value in exchange.environ.items() if "CONTROL" not in name}
        environ = clean_environ(tmp_path, EXECSVC_LISTEN=listen, EXECSVC_HTTP_LISTEN="off", **venue, **LIFTED)
        with running(["serve"], environ) as first:
            wait_serving(listen)
            with SyncClient(listen) as client:
                placed = client.buy("BTC/USD", quantity="0.001", limit_price="20000.0", client_order_id="c-1")
            assert first.stop(number) == code
            assert "Traceback" not in first.said
        with running(["serve"], environ) as second:
            wait_serving(listen)
            with SyncClient(listen) as client:
                again = client.get_order("c-1")
            assert (again.order_id, again.status.name) == (placed.order.order_id, "OPEN")
            assert second.stop() == 0
        assert [order["status"] for order in exchange.orders()] == ["open"]


def test_an_order_in_flight_is_finished_before_the_end(tmp_path):
    """SIGTERM while the exchange still thinks: the caller gets its answer, the journal the outcome."""
    import threading

    with paper_exchange(tmp_path) as exchange:
        listen = f"127.0.0.1:{free_port()}"
        venue = {name: value for name, value in exchange.environ.items() if "CONTROL" not in name}
        environ = clean_environ(tmp_path, EXECSVC_LISTEN=listen, EXECSVC_HTTP_LISTEN="off", **venue, **LIFTED)
        with running(["serve"], environ) as gateway:
            wait_serving(listen)
            exchange.fault(kind="delay", call="AddOrder", times=1, ms=1000, when="after")
            answers = []

            def place():
                with SyncClient(listen) as client:
                    answers.append(
                        client.buy("BTC/USD", quantity="0.001", limit_price="20000.0", client_order_id="c-1")
                    )

            caller = threading.Thread(target=place)
            caller.start()
            while not exchange.orders():
                pass
            assert gateway.stop() == 0
            caller.join(10)
        assert [answer.order.status.name for answer in answers] == ["OPEN"]


def test_the_documents_named_in_the_banner_exist_and_the_banner_names_what_runs(tmp_path):
    """Dev prints where everything is; what it prints answers."""
    from pathlib import Path
    from urllib.request import urlopen

    with running(["dev", "--listen", f"127.0.0.1:{free_port()}", "--seed", "7"], clean_environ(tmp_path)) as dev:
        dev.wait_for(r"ready in [0-9.]+ s")
        http = dev.wait_for(r"http://(127\.0\.0\.1:\d+)")[1]
        grpc_address = dev.wait_for(r"gRPC\s+(\S+)")[1]
        wait_serving(grpc_address)
        assert b'"phase": "serving"' in urlopen(f"http://{http}/healthz", timeout=5).read()
        assert b"execsvc" in urlopen(f"http://{http}/metrics", timeout=5).read()
        for page in {word for word in dev.said.split() if word.startswith("docs/")}:
            assert Path(page).exists(), page
        assert "seed 7" in dev.said
        assert dev.stop() == 0


def test_live_refuses_a_paper_exchanges_key(tmp_path):
    """A paper key in live mode is a mix-up, caught before anything is asked."""
    with paper_exchange(tmp_path) as exchange:
        venue = {name: value for name, value in exchange.environ.items() if "CONTROL" not in name}
        environ = {"EXECSVC_MODE": "live", "EXECSVC_MAX_ORDER_NOTIONAL": "100", "EXECSVC_TOKENS": "", **venue}
        lines = refused(["serve", "--listen", "127.0.0.1:0", "--http", "off"], tmp_path, **environ)
        assert "paper exchange's key" in lines[-1]
        assert exchange.ask("GET", "/calls")["calls"] == []
