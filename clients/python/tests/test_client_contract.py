"""The client against the contract it is written for: methods, enums, reasons, the shared retry file, the version."""

import inspect
import json
import tomllib
from pathlib import Path

import execsvc_client
import pytest
from execsvc_api.v1 import (
    account_service_pb2,
    admin_service_pb2,
    common_pb2,
    error_reason_pb2,
    limits_pb2,
    market_data_pb2,
    market_data_service_pb2,
    order_pb2,
    order_service_pb2,
)
from execsvc_client import Client, SyncClient, _enums, _methods, raw
from execsvc_client._methods import Stream, Unary
from execsvc_client._settings import channel_options, retry_config
from google.protobuf.descriptor_pb2 import MethodOptions

FILES = (market_data_service_pb2, order_service_pb2, account_service_pb2, admin_service_pb2)
CONTRACT = {
    f"{service.name}/{method.name}": method
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
ROWS = [row for row in vars(_methods).values() if isinstance(row, Unary | Stream)]
PYTHON = Path(__file__).parent.parent


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_rows_are_as_the_contract_says(row):
    """Kind, types and side effects of each method the client calls are those of the descriptors."""
    method = CONTRACT[row.name]
    assert isinstance(row, Stream) == method.server_streaming
    assert not method.client_streaming
    assert (method.input_type, method.output_type) == (row.request.DESCRIPTOR, row.answer.DESCRIPTOR)
    if isinstance(row, Unary):
        assert row.changes == (method.GetOptions().idempotency_level == MethodOptions.IDEMPOTENT)
        assert row.path == f"/{method.containing_service.full_name}/{method.name}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_default_deadlines_are_the_contracts(row):
    """The default deadline of each method is the one its comment in the contract names."""
    if isinstance(row, Stream):
        return
    proto = PYTHON.parent.parent / "proto" / CONTRACT[row.name].containing_service.file.name
    before = proto.read_text("utf-8").partition(f"rpc {CONTRACT[row.name].name}(")[0]
    said = before.rpartition("Deadline: default ")[2]
    assert said.startswith(f"{row.timeout:g} s")


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (_enums.Side, common_pb2.Side),
        (_enums.FeedState, common_pb2.FeedState),
        (_enums.GapReason, common_pb2.GapReason),
        (_enums.TimeInForce, order_pb2.TimeInForce),
        (_enums.OrderStatus, order_pb2.OrderStatus),
        (_enums.OrderScope, order_service_pb2.OrderScope),
        (_enums.TimelineKind, order_service_pb2.TimelineKind),
        (_enums.InstrumentStatus, market_data_pb2.InstrumentStatus),
        (_enums.AssetStatus, market_data_pb2.AssetStatus),
        (_enums.VenueMode, admin_service_pb2.VenueMode),
        (_enums.BreakerState, admin_service_pb2.BreakerState),
        (_enums.TradingMode, limits_pb2.TradingMode),
        (_enums.CounterKind, limits_pb2.CounterKind),
        (_enums.CallClass, limits_pb2.CallClass),
    ],
    ids=lambda enum: getattr(enum, "__name__", ""),
)
def test_enums_are_the_contracts(mine, theirs):
    """Every value of the contract's enum is there, under its name without the prefix."""
    values = theirs.DESCRIPTOR.values
    prefix = values[0].name.removesuffix("UNSPECIFIED")
    assert {value.name.removeprefix(prefix): value.number for value in values} == {
        name: member.value for name, member in mine.__members__.items()
    }


def test_reasons_are_the_contracts():
    """Reason has a word for every reason of the contract."""
    prefix = "ERROR_REASON_"
    told = {name.removeprefix(prefix) for name in error_reason_pb2.ErrorReason.keys()} - {"UNSPECIFIED"}  # noqa: SIM118 - an enum wrapper, no dict
    assert told == {reason.value for reason in _enums.Reason}


def test_unknown_enum_values_survive():
    """A value newer than the client has a name that says so, and stays equal to its number."""
    status = _enums.OrderStatus(77)
    assert ("UNKNOWN_77", 77) == (status.name, status)
    assert _enums.OrderStatus(4) is _enums.OrderStatus.OPEN
    with pytest.raises(ValueError, match="not a valid"):
        _enums.OrderStatus("OPEN")


def test_retry_file_is_the_shared_one():
    """The embedded service config is byte for byte the one all clients share, and gRPC is given it."""
    shared = (PYTHON.parent / "retry.json").read_bytes()
    assert shared == (PYTHON / "execsvc_client" / "retry.json").read_bytes()
    options = dict(channel_options())
    assert json.loads(shared) == json.loads(str(options["grpc.service_config"])) == json.loads(retry_config())
    assert options["grpc.http2.bdp_probe"] == 0


def test_version_is_the_distributions():
    """The version that is sent is the one that is packaged."""
    project = tomllib.loads((PYTHON / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["version"] == execsvc_client.__version__


def test_both_clients_have_the_same_face():
    """Every public name of Client is one of SyncClient, with the same parameters."""

    def face(kind):
        return {
            name: [(each.name, each.kind, each.default) for each in inspect.signature(member).parameters.values()]
            for name, member in inspect.getmembers(kind, callable)
            if not name.startswith("_")
        }

    assert face(Client) == face(SyncClient)
    assert len(face(Client)) > 20


def test_everything_public_is_there():
    """Every name of __all__ exists, and no name of ours is public by accident."""
    public = {name for name, value in vars(execsvc_client).items() if not name.startswith("_")}
    modules = {name for name in public if inspect.ismodule(getattr(execsvc_client, name))} - {"raw"}
    assert public - modules == set(execsvc_client.__all__) - {"__version__"}


def test_methods_are_found_by_name():
    """A method is found by its name, with service or package or neither, in any case; else the nearest are named."""
    for name in (
        "PlaceOrder",
        "OrderService/PlaceOrder",
        "execsvc.v1.OrderService/PlaceOrder",
        "orderservice.placeorder",
    ):
        assert raw.find(name).name == "OrderService/PlaceOrder"
    assert {method.name for method in raw.methods()} == CONTRACT.keys()
    assert ("session", "stream", "unary") == tuple(
        raw.find(name).kind for name in ("OrderSession", "SubscribeBook", "GetBook")
    )
    assert (True, False) == (raw.find("PlaceOrder").changes, raw.find("GetOrder").changes)
    with pytest.raises(LookupError, match="did you mean OrderService/PlaceOrder"):
        raw.find("PlaceOrdre")


def test_json_is_the_contracts_mapping():
    """Names in lowerCamelCase, decimals as text, every field printed, times to the nanosecond."""
    order = order_pb2.Order(client_order_id="c-1", status=4, filled_quantity="0.10", version=3)
    order.create_time.seconds, order.create_time.nanos = 1_700_000_000, 5_000_000
    order.spec.market.SetInParent()
    order.fees.add(asset="USD", amount="1.5")
    order.end_error.metadata["a"] = "b"
    plain = raw.to_json(order)
    assert ("c-1", "ORDER_STATUS_OPEN", "0.10", "3") == (
        plain["clientOrderId"],
        plain["status"],
        plain["filledQuantity"],
        plain["version"],
    )
    assert plain["createTime"] == "2023-11-14T22:13:20.005000000Z"
    assert plain["cancelRequested"] is False
    assert plain["fees"] == [{"asset": "USD", "amount": "1.5"}]
    assert plain["endError"]["metadata"] == {"a": "b"}
    assert "openTime" not in plain
