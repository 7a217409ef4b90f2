"""The floor: a bare grpc.aio server that reads a PlaceOrderRequest and answers a constant, on uvloop, with nothing else on.

Run alone it prints its address and serves until it is ended; place.py measures the gateway against it.
"""

from typing import Any

import grpc
import uvloop
from execsvc_api.v1 import common_pb2, order_pb2, order_service_pb2

MARK = "id-of-this-call-00000000"


def request() -> Any:
    """The order that every call places; the load puts an id of its own in the mark's place."""
    spec = order_pb2.OrderSpec(
        symbol="BTC/USD",
        side=common_pb2.SIDE_BUY,
        base_quantity="0.00100000",
        limit=order_pb2.LimitOrder(limit_price="27500.0"),
        time_in_force=order_pb2.TIME_IN_FORCE_GTC,
    )
    return order_service_pb2.PlaceOrderRequest(client_order_id=MARK, spec=spec)


def main() -> None:
    """A grpc.aio server that reads the request and answers a constant: the floor of any unary call in Python."""
    order = order_pb2.Order(
        account="main",
        caller="local",
        client_order_id=MARK,
        order_id="OBENCH-00000-000001",
        venue_client_id="6d1b345e-2821-40e2-ad83-4ecb18a06876",
        spec=request().spec,
        status=order_pb2.ORDER_STATUS_OPEN,
        filled_quantity="0",
        filled_cost="0",
        version=2,
    )
    order.create_time.GetCurrentTime()
    order.update_time.GetCurrentTime()
    constant = order_service_pb2.PlaceOrderResponse(order=order)

    async def place(_request: Any, _context: Any) -> Any:
        return constant

    async def serve() -> None:
        server = grpc.aio.server()
        read, write = order_service_pb2.PlaceOrderRequest.FromString, type(constant).SerializeToString
        handlers = {"PlaceOrder": grpc.unary_unary_rpc_method_handler(place, read, write)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("execsvc.v1.OrderService", handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        print(f"echo on 127.0.0.1:{port} ready", flush=True)
        await server.wait_for_termination()

    uvloop.run(serve())


if __name__ == "__main__":
    main()
