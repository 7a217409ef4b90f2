"""`execsvc tail` as a person runs it: through a gateway that is killed and comes back, and on from where it was ended."""

import json
import re
import shlex
import signal

import pytest
from execsvc_client import SyncClient

from tests.support.processes import LIFTED, clean_environ, free_port, paper_exchange, running, wait_serving

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


def buy(target, client_order_id):
    with SyncClient(target) as client:
        client.buy("BTC/USD", quantity="0.001", limit_price="20000.0", client_order_id=client_order_id)


def opened(client_order_id):
    """The line of an order that the exchange has taken."""
    return rf'"order".*"{client_order_id}".*ORDER_STATUS_OPEN.*\n'


def ids(process):
    """The client order ids of the lines about one order, in their sequence."""
    lines = [json.loads(line) for line in process.stdout]
    return list(dict.fromkeys(line["order"]["clientOrderId"] for line in lines if "order" in line))


def test_it_lives_through_a_gateway_and_goes_on_after_its_own_end(tmp_path):
    """Nothing is missed while the gateway is killed and started, nor between one run and the one that resumes it."""
    listen = f"127.0.0.1:{free_port()}"
    here = clean_environ(tmp_path, EXECSVC_TARGET=listen)
    with paper_exchange(tmp_path) as exchange:
        venue = {name: value for name, value in exchange.environ.items() if "CONTROL" not in name}
        serving = clean_environ(tmp_path, EXECSVC_LISTEN=listen, EXECSVC_HTTP_LISTEN="off", **venue, **LIFTED)
        with running(["serve"], serving) as gateway:
            wait_serving(listen)
            with running(["tail"], here) as tail:
                tail.wait_for(r'"snapshot"')
                buy(listen, "first")
                tail.wait_for(opened("first"))
                gateway.kill()
                tail.wait_for(r'"disconnected"')
                with running(["serve"], serving):
                    wait_serving(listen, seconds=60.0)
                    buy(listen, "second")
                    tail.wait_for(opened("second"))
                    assert signal.SIGINT + 128 == tail.stop(signal.SIGINT)
                    assert ["first", "second"] == ids(tail)
                    assert [False, True] == [
                        json.loads(line)["connected"]["resumed"] for line in tail.stdout if '"connected"' in line
                    ]
                    buy(listen, "third")
                    command = re.search(r"resume with: execsvc (.*)", "".join(tail.stderr))[1]
                    with running(shlex.split(command), here) as resumed:
                        resumed.wait_for(opened("third"))
                        resumed.stop(signal.SIGINT)
                        assert ["third"] == ids(resumed)
                        assert '"snapshot"' not in "".join(resumed.stdout)
