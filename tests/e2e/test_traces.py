"""One trace per order, from the caller's own span to the call at Kraken, over OTLP to a real collector's door."""

import grpc
import pytest
from execsvc_api.v1 import common_pb2, order_pb2, order_service_pb2, order_service_pb2_grpc

from tests.support.otlp import collecting
from tests.support.processes import LIFTED, clean_environ, free_port, paper_exchange, running, wait_serving

pytestmark = [pytest.mark.process, pytest.mark.timeout(90)]

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def collector():
    with collecting() as here:
        yield here


def place(target):
    request = order_service_pb2.PlaceOrderRequest(
        client_order_id="c-1",
        spec=order_pb2.OrderSpec(
            symbol="BTC/USD",
            side=common_pb2.SIDE_BUY,
            base_quantity="0.001",
            limit=order_pb2.LimitOrder(limit_price="20000.0"),
        ),
    )
    with grpc.insecure_channel(target) as channel:
        stub = order_service_pb2_grpc.OrderServiceStub(channel)
        return stub.PlaceOrder(request, timeout=10, metadata=(("traceparent", f"00-{TRACE}-{SPAN}-01"),))


def test_an_orders_trace_goes_from_the_callers_span_to_krakens_door(tmp_path, collector):
    """Rpc → checks → journal → lane → the POST, every one in the caller's trace, and no secret in any attribute."""
    listen = f"127.0.0.1:{free_port()}"
    with paper_exchange(tmp_path) as exchange:
        venue = {name: value for name, value in exchange.environ.items() if "CONTROL" not in name}
        environ = clean_environ(
            tmp_path,
            EXECSVC_LISTEN=listen,
            EXECSVC_HTTP_LISTEN="off",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
            **venue,
            **LIFTED,
        )
        with running(["serve"], environ) as gateway:
            wait_serving(listen)
            place(listen)
            assert gateway.stop() == 0
        secrets = [exchange.environ["KRAKEN_API_KEY"], exchange.environ["KRAKEN_API_SECRET"]]
    mine = {span.name: span for span in collector.spans if span.trace_id.hex() == TRACE}
    assert {
        "execsvc.v1.OrderService/PlaceOrder",
        "order.check",
        "journal.commit",
        "ratelimit.wait",
        "kraken POST /0/private/AddOrder",
    } <= set(mine)
    root = mine["execsvc.v1.OrderService/PlaceOrder"]
    assert root.parent_span_id.hex() == SPAN
    assert mine["journal.commit"].start_time_unix_nano < mine["kraken POST /0/private/AddOrder"].start_time_unix_nano
    told = b"".join(span.SerializeToString() for span in collector.spans)
    for secret in secrets:
        assert secret.encode() not in told
        assert secret not in gateway.said
