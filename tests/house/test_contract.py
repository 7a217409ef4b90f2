"""The contract as `.proto`: shape, names, comments and tables, read from what buf builds of the files as they stand.

The tables are written out here a second time on purpose: a change of the contract has to be made in two places, and so
cannot happen by a slip of the hand.
"""

import keyword
import re
from pathlib import Path

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, MethodOptions

from tests.house.contract_source import elements, enums, fields, files, messages

IMPORTS = {
    "common": set(),
    "market_data": {"common"},
    "market_data_service": {"common", "market_data"},
    "order": {"common"},
    "order_service": {"common", "order", "limits"},
    "limits": set(),
    "account_service": {"common", "order", "limits"},
    "admin_service": {"common", "limits"},
    "error_reason": set(),
}

# Kind: U unary, S server stream, B bidirectional. Level: N no side effects, I idempotent. Default and least deadline.
RPCS = """
MarketDataService ListInstruments   U N 5s 0.1s market
MarketDataService ListAssets        U N 5s 0.1s market
MarketDataService GetTickers        U N 5s 0.1s market
MarketDataService GetBook           U N 5s 0.1s market
MarketDataService ListTrades        U N 5s 0.1s market
MarketDataService ListCandles       U N 5s 0.1s market
MarketDataService SubscribeTickers  S - -  -    market
MarketDataService SubscribeBook     S - -  -    market
MarketDataService SubscribeTrades   S - -  -    market
MarketDataService SubscribeCandles  S - -  -    market
OrderService PlaceOrder             U I 10s place trade
OrderService PlaceOrders            U I 10s place trade
OrderService AmendOrder             U I 10s place trade
OrderService CancelOrder            U I 10s 0.1s cancel
OrderService CancelOrders           U I 10s 0.1s cancel
OrderService CancelAllOrders        U I 10s 0.1s cancel
OrderService SetDeadMansSwitch      U I 10s 0.1s cancel
OrderService PreviewOrder           U N 5s 0.1s trade
OrderService GetOrder               U N 5s 0.1s account or trade
OrderService ListOrders             U N 5s 0.1s account or trade
OrderService ExplainOrder           U N 5s 0.1s account or trade
OrderService SubscribeOrders        S - -  -    account or trade
OrderService OrderSession           B - -  -    trade
AccountService ListBalances         U N 10s 0.1s account
AccountService GetMarginSummary     U N 10s 0.1s account
AccountService ListPositions        U N 10s 0.1s account
AccountService ListFills            U N 10s 0.1s account
AccountService ListLedgerEntries    U N 10s 0.1s account
AccountService GetFeeRates          U N 10s 0.1s account
AccountService GetLimits            U N 5s 0.1s account
AccountService SubscribeBalances    S - -  -    account
AdminService GetServerInfo          U N 5s 0.1s any
AdminService GetVenueStatus         U N 5s 0.1s account
AdminService SetTradingMode         U I 10s 0.1s kill
AdminService ListStreams            U N 5s 0.1s admin
"""

REQUIRED = """
AmendOrderRequest: order request_id
CancelAllOrdersRequest: symbols
CancelOrderRequest: order
CancelOrdersRequest: orders
CapacityQuery: call_class
ConditionalClose: order_type
ExplainOrderRequest: order
GetBookRequest: symbol
GetFeeRatesRequest: symbols
GetOrderRequest: order
LimitOrder: limit_price
ListCandlesRequest: symbol interval
ListTradesRequest: symbol
Offset: value
OrderRef: id
OrderSessionRequest: request_number request
OrderSpec: symbol side size order_type
PlaceOrderRequest: client_order_id spec
PlaceOrdersEntry: client_order_id spec
PlaceOrdersRequest: entries
PreviewOrderRequest: spec
SetDeadMansSwitchRequest: timeout
SetTradingModeRequest: scope mode comment
SubscribeBookRequest: symbol
SubscribeCandlesRequest: symbols interval
SubscribeTickersRequest: symbols
SubscribeTradesRequest: symbols
TrailingStopOrder: offset
TriggerOrder: kind trigger_price
"""

REASONS = """
INVALID_ARGUMENT: INVALID_REQUEST ORDER_TYPE_UNKNOWN ACCOUNT_REQUIRED ORDER_MINIMUM_NOT_MET TICK_SIZE_VIOLATED
INVALID_ARGUMENT: VENUE_REFUSED_ARGUMENTS PAGE_TOKEN_INVALID
NOT_FOUND: UNKNOWN_SYMBOL ORDER_NOT_FOUND POSITION_NOT_FOUND
ALREADY_EXISTS: CLIENT_ORDER_ID_REUSED
ABORTED: VERSION_MISMATCH NOT_PLACED VENUE_DEADLINE_ELAPSED ORDER_IN_DOUBT
OUT_OF_RANGE: RESUME_TOKEN_EXPIRED
FAILED_PRECONDITION: RISK_REFUSED TRADING_HALTED INSUFFICIENT_FUNDS MARGIN_REFUSED POST_ONLY_WOULD_TAKE
FAILED_PRECONDITION: REDUCE_ONLY_REFUSED INSTRUMENT_STATUS TRIGGER_INDEX_UNAVAILABLE ORDER_TERMINAL
FAILED_PRECONDITION: VENUE_CREDENTIALS_REJECTED VENUE_PERMISSION_MISSING VENUE_ACCOUNT_RESTRICTED
RESOURCE_EXHAUSTED: LOCAL_RATE_LIMITED VENUE_RATE_LIMITED VENUE_ORDER_LIMIT CALLER_QUOTA TOO_MANY_STREAMS SLOW_CONSUMER
DEADLINE_EXCEEDED: DEADLINE_TOO_SHORT READ_TIMEOUT
UNAVAILABLE: VENUE_UNREACHABLE VENUE_LOCKED_OUT STORE_UNAVAILABLE NOT_OWNER CLOCK_UNTRUSTED SHUTTING_DOWN
UNAUTHENTICATED: TOKEN_INVALID
PERMISSION_DENIED: PERMISSION_MISSING ACCOUNT_NOT_GRANTED SYMBOL_NOT_GRANTED
UNKNOWN: VENUE_ERROR
INTERNAL: INTERNAL
UNIMPLEMENTED: NOT_IMPLEMENTED
ABORTED: CANCELLED_BY_OTHER
"""

# Words that a stub of some language could not take as they are, besides Python's own.
OTHER_KEYWORDS = """
auto case catch char const default delete do double enum explicit export extern final float friend func function goto
implements inline int interface long namespace native new null operator package private protected public register
select short signed sizeof static struct super switch synchronized template this throw transient type typedef typename
union unsigned using var virtual void volatile
"""


def test_files_and_imports_are_those_of_the_plan() -> None:
    """There are nine files, and each imports what its row names and well-known times, nothing else."""
    found = {}
    for file in files():
        names = {path.removeprefix("execsvc/v1/").removesuffix(".proto") for path in file.dependency}
        found[Path(file.name).stem] = names - {"google/protobuf/timestamp", "google/protobuf/duration"}
    assert found == IMPORTS


def test_every_file_is_plain_proto3_of_one_package() -> None:
    """A file is proto3, lies where its package says, and holds no option that only one language needs."""
    for file in files():
        assert (file.syntax, Path(file.name).parent.as_posix()) == ("proto3", "execsvc/v1")
        assert not file.options.ListFields(), file.name


def test_no_binary_fractions() -> None:
    """No field is a float or a double: money is text, spans are Duration."""
    bad = {FieldDescriptorProto.TYPE_DOUBLE, FieldDescriptorProto.TYPE_FLOAT}
    assert [f"{name}.{field.name}" for name, field in fields() if field.type in bad] == []


def test_only_error_metadata_is_a_map() -> None:
    """The one map is CallError.metadata, which mirrors google.rpc.ErrorInfo; nothing is an Any."""
    maps = [
        f"{message.name}.{field.name}"
        for message in messages().values()
        for field in message.field
        if any(
            n.options.map_entry and field.type_name.endswith(f".{message.name}.{n.name}") for n in message.nested_type
        )
    ]
    assert maps == ["CallError.metadata"]
    assert {f.type_name for _, f in fields() if f.type_name.startswith(".google.")} == {
        ".google.protobuf.Timestamp", ".google.protobuf.Duration",
    }  # fmt: skip


def test_every_rpc_has_its_own_request_and_response() -> None:
    """The RPC Xxx takes XxxRequest and gives XxxResponse."""
    for file in files():
        for service in file.service:
            for method in service.method:
                wanted = (f".execsvc.v1.{method.name}Request", f".execsvc.v1.{method.name}Response")
                assert (method.input_type, method.output_type) == wanted


def test_rpcs_are_those_of_the_table() -> None:
    """Services, RPCs, their order, kind, idempotency level, deadlines and permissions are as the table says."""
    comments = {(e.owner, e.name): e.comment for e in elements() if e.kind == "rpc"}
    found = []
    kinds = {(False, False): "U", (False, True): "S", (True, True): "B"}
    levels = {MethodOptions.NO_SIDE_EFFECTS: "N", MethodOptions.IDEMPOTENT: "I", MethodOptions.IDEMPOTENCY_UNKNOWN: "-"}
    order = ["MarketDataService", "OrderService", "AccountService", "AdminService"]
    for service in sorted((s for file in files() for s in file.service), key=lambda s: order.index(s.name)):
        for method in service.method:
            kind = kinds[method.client_streaming, method.server_streaming]
            last = comments[service.name, method.name].splitlines()[-1].strip()
            found.append((service.name, method.name, kind, levels[method.options.idempotency_level], last))
    assert found == [wanted_rpc(row) for row in RPCS.strip().splitlines()]


def wanted_rpc(row: str) -> tuple[str, str, str, str, str]:
    service, rpc, kind, level, default, least, permission = row.split(maxsplit=6)
    kind_words = {"U": "Unary", "S": "Server stream", "B": "Bidirectional stream"}[kind]
    seconds = {"place": "GetServerInfoResponse.least_place_timeout"}.get(least, least.removesuffix("s") + " s")
    deadline = "none" if default == "-" else f"default {default.removesuffix('s')} s, least {seconds}"
    return service, rpc, kind, level, f"{kind_words}. Permission: {permission}. Deadline: {deadline}."


def test_every_element_has_a_comment() -> None:
    """Every service, RPC, message, field, oneof, enum and value has a leading comment of whole sentences."""
    bare = [(e.kind, e.owner, e.name) for e in elements() if not e.comment.endswith((".", "?"))]
    assert bare == []


def test_required_fields_say_so() -> None:
    """The comments that start with "Required." are those of the fields and oneofs that a request cannot do without."""
    found: dict[str, list[str]] = {}
    for e in sorted(elements(), key=lambda e: e.owner):
        if e.comment.startswith("Required"):
            assert e.comment.startswith("Required. "), e
            found.setdefault(e.owner, []).append(e.name)
    wanted = dict(row.split(": ") for row in REQUIRED.strip().splitlines())
    assert {owner: sorted(names) for owner, names in found.items()} == {
        owner: sorted(names.split()) for owner, names in wanted.items()
    }


def test_enums_count_from_an_unspecified_zero() -> None:
    """Enum values carry the enum's name, count up from 0 without holes, and zero is _UNSPECIFIED."""
    for name, enum in enums().items():
        prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", name.rpartition(".")[2]).upper() + "_"
        assert enum.value[0].name == prefix + "UNSPECIFIED"
        assert [value.number for value in enum.value] == list(range(len(enum.value))), name
        assert all(value.name.startswith(prefix) for value in enum.value), name


def test_error_reasons_are_those_of_the_table() -> None:
    """ErrorReason is numbered 1 to 50 in the order of the table, and each comment starts with its gRPC code."""
    comments = {e.name: e.comment for e in elements() if e.owner == "ErrorReason"}
    found = [
        (value.number, comments[value.name].partition(":")[0], value.name.removeprefix("ERROR_REASON_"))
        for value in enums()["ErrorReason"].value[1:]
    ]
    pairs = [
        (code, name) for code, _, names in (r.partition(": ") for r in REASONS.split("\n")) for name in names.split()
    ]
    assert found == [(number, code, name) for number, (code, name) in enumerate(pairs, start=1)]
    assert len(found) == 50


def test_field_numbers_count_from_one() -> None:
    """Fields count from 1 in the order they are written, without holes, for nothing has been deleted yet."""
    for name in messages().keys() - {"OrderSpec"}:
        numbers = [field.number for field in messages()[name].field]
        assert numbers == list(range(1, len(numbers) + 1)), name


def test_order_spec_keeps_room_for_venue_options() -> None:
    """OrderSpec's numbers go by group, and 100 to 199 are kept for typed venue options."""
    spec = messages()["OrderSpec"]
    assert [field.number for field in spec.field] == [*range(1, 6), *range(10, 15), *range(20, 29)]
    assert [(span.start, span.end) for span in spec.reserved_range] == [(100, 200)]


def test_times_and_spans_are_told_apart_by_name() -> None:
    """A field that is a moment ends in _time (or is the time itself), a span never does."""
    for name, field in fields():
        if field.type_name == ".google.protobuf.Timestamp":
            assert field.name.endswith("_time") or (name, field.name) in {
                ("TimelineEvent", "time"),
                ("LedgerEntry", "time"),
            }
        elif field.type_name == ".google.protobuf.Duration":
            assert not field.name.endswith("time"), f"{name}.{field.name}"


def test_no_field_is_a_keyword() -> None:
    """No field or oneof is called like a keyword of a language that stubs are made for."""
    taken = {word.lower() for word in keyword.kwlist} | set(OTHER_KEYWORDS.split())
    assert [f"{e.owner}.{e.name}" for e in elements() if e.kind in {"field", "oneof"} and e.name in taken] == []


def test_stream_messages_share_one_envelope() -> None:
    """Every streamed answer starts with StreamMeta and has one event, of which StreamAccepted comes first."""
    streamed = [m for file in files() for service in file.service for m in service.method if m.server_streaming]
    assert len(streamed) == 7
    for method in streamed:
        answer = messages()[f"{method.name}Response"]
        members = {f.type_name.rpartition(".")[2] for f in answer.field if f.HasField("oneof_index")}
        first = next(f for f in answer.field if f.HasField("oneof_index"))
        assert (answer.field[0].name, answer.field[0].number) == ("meta", 1)
        assert answer.field[0].type_name == ".execsvc.v1.StreamMeta"
        assert [oneof.name for oneof in answer.oneof_decl] == ["event"]
        assert first.type_name == ".execsvc.v1.StreamAccepted"
        assert "Heartbeat" in members
        assert ("Gap" in members) == (method.name != "OrderSession")


def test_account_bound_requests_name_the_account_first() -> None:
    """Every request of OrderService and AccountService has `string account = 1`; a session has it in its first message."""
    services = {s.name: s for file in files() for s in file.service}
    names = [m.name for key in ("OrderService", "AccountService") for m in services[key].method]
    requests = ["OpenOrderSession" if name == "OrderSession" else f"{name}Request" for name in names]
    for request in requests:
        first = messages()[request].field[0]
        assert (first.name, first.number, first.type) == ("account", 1, FieldDescriptorProto.TYPE_STRING), request


def test_pages_ask_and_answer_alike() -> None:
    """A request with a page_token has a signed page_size before it, and its answer ends with next_page_token."""
    paged = [name for name, field in fields() if field.name == "page_token"]
    assert len(paged) == 7
    for name in paged:
        size, token = messages()[name].field[-2:]
        assert (size.name, size.type, token.name) == ("page_size", FieldDescriptorProto.TYPE_INT32, "page_token")
        assert messages()[name.replace("Request", "Response")].field[-1].name == "next_page_token"
