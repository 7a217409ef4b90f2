"""The stubborn callers are as stubborn as they claim: every code is tried again, and a service's own words are read."""

from concurrent import futures
from decimal import Decimal

import grpc
import pytest
from execsvc_api.v1 import order_pb2, order_service_pb2, order_service_pb2_grpc
from google.protobuf.any_pb2 import Any
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from tests.support.faultproxy_callers import ATTEMPTS_LEAST, ATTEMPTS_MOST, PlainCaller, definite, insist
from tests.support.faultproxy_rig import Wish
from tests.support.history import Told

WISH = Wish("c-1", Decimal("0.0001"), Decimal(20_000))
ATTEMPTS_OF_GRPC = 5  # the most that gRPC makes of one call


class Scripted(order_service_pb2_grpc.OrderServiceServicer):
    """Answers with what `says` holds next; the last one for ever."""

    def __init__(self, *says):
        self.says = list(says)
        self.requests = []

    def PlaceOrder(self, request, context):  # noqa: N802  the generated servicer's name
        self.requests.append(request)
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(said, grpc.StatusCode):
            context.abort(said, "scripted")
        if isinstance(said, status_pb2.Status):
            context.abort_with_status(rpc_status.to_status(said))
        return order_service_pb2.PlaceOrderResponse(order=said)


@pytest.fixture
def calling():
    """A caller on a gateway that answers so."""
    running = []

    def start(*says):
        service = Scripted(*says)
        server = grpc.server(futures.ThreadPoolExecutor(2))
        order_service_pb2_grpc.add_OrderServiceServicer_to_server(service, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        caller = PlainCaller(f"127.0.0.1:{port}").__enter__()
        running.extend((caller, server))
        return caller, service

    yield start
    for caller, server in zip(running[::2], running[1::2], strict=True):
        caller.__exit__()
        server.stop(None).wait()


def order(status, **fields):
    return order_pb2.Order(status=status, **fields)


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_code_is_tried_five_times(calling, code):
    """Whatever a server says but OK, one call makes as many attempts as gRPC allows, of the same request."""
    caller, service = calling(code)
    assert caller.place(WISH) is None
    assert len(service.requests) == ATTEMPTS_OF_GRPC
    assert {request.client_order_id for request in service.requests} == {"c-1"}


def test_an_order_is_told_in_the_checkers_words(calling):
    """Status in lower case, figures as decimals."""
    fees = [order_pb2.AssetAmount(asset="USD", amount="0.04")]
    caller, _ = calling(
        order(order_pb2.ORDER_STATUS_FILLED, order_id="O-1", filled_quantity="0.0001", filled_cost="9.7", fees=fees)
    )
    assert caller.place(WISH) == Told("filled", "O-1", Decimal("0.0001"), Decimal("9.7"), Decimal("0.04"))


@pytest.mark.parametrize(("said", "used"), [("true", True), ("false", False), ("", None)])
def test_a_refusal_is_told_with_its_reason(calling, said, used):
    """The reason and whether the id is used are read from the error's details."""
    info = error_details_pb2.ErrorInfo(reason="NOT_PLACED", domain="x", metadata={"id_used": said} if said else {})
    packed = Any()
    packed.Pack(info)
    caller, _ = calling(status_pb2.Status(code=code_pb2.ABORTED, message="no", details=[packed]))
    assert caller.place(WISH) == Told(reason="NOT_PLACED", id_used=used)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (None, False),
        (Told("in_doubt"), False),
        (Told("submitted"), False),
        (Told(reason="VENUE_UNREACHABLE", id_used=False), False),
        (Told(reason="NOT_PLACED", id_used=True), True),
        (Told("open", "O-1"), True),
        (Told("filled", "O-1"), True),
    ],
)
def test_definite_is_what_will_not_be_taken_back(told, expected):
    """Silence, doubt and "not sent" are no last words."""
    assert definite(told) is expected


class Script:
    """A caller that is told these things in turn."""

    def __init__(self, *says):
        self.says = list(says)

    def place(self, wanted):
        return self.says.pop(0) if len(self.says) > 1 else self.says[0]


def test_success_does_not_end_the_insisting(monkeypatch):
    """Ten attempts although the first was answered well."""
    monkeypatch.setattr("tests.support.faultproxy_callers.PAUSE_S", 0.0)
    assert len(insist(Script(Told("open", "O-1")), WISH, 0.0)) == ATTEMPTS_LEAST


def test_insisting_ends_with_a_definite_answer_or_the_bound(monkeypatch):
    """It goes on past ten until it knows, and not for ever."""
    monkeypatch.setattr("tests.support.faultproxy_callers.PAUSE_S", 0.0)
    calls = insist(Script(*[None] * 13, Told("open", "O-1")), WISH, 0.0)
    assert [call.excused for call in calls] == [True] * 13 + [False]
    assert len(insist(Script(None), WISH, 0.0)) == ATTEMPTS_MOST
