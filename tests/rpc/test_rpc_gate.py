"""What the gate does to every call: recognise, permit, bound the time, check the shape, tell the outcome."""

import asyncio
from dataclasses import replace

import grpc
import pytest
from execsvc_api.v1 import account_service_pb2 as account
from execsvc_api.v1 import admin_service_pb2 as admin
from execsvc_api.v1 import market_data_service_pb2 as market
from execsvc_api.v1 import order_pb2 as order
from execsvc_api.v1 import order_service_pb2 as orders

from execsvc.domain.caller import Permission, alike
from execsvc.domain.errors import Reason
from execsvc.rpc import admit, services
from execsvc.rpc.permits import PERMITS, Effect
from tests.rpc.stage import EPOCH, busy, ended, limit_spec, placement, refused
from tests.rpc.stage import stage as open_stage

INFO = admin.GetServerInfoRequest()


class OneCaller:
    """Recognises everybody as the caller a test wants."""

    def __init__(self, *permissions, accounts=("main",)):
        self.caller = alike("ann", frozenset(permissions), accounts)

    revision, problems = 0, ()

    def recognise(self, meta, peer, names=()):
        return self.caller

    def describe(self):
        return "a test"


class Raw:
    """Calls of any method by its name, with bytes."""

    def __init__(self, channel):
        self._channel = channel

    def unary(self, method, request=b"", **options):
        return self._channel.unary_unary(f"/{method}")(request, timeout=2, **options)

    def stream(self, method, request=b""):
        return self._channel.unary_stream(f"/{method}")(request)

    def session(self, method):
        async def nothing():
            yield b""

        return self._channel.stream_stream(f"/{method}")(nothing())


@pytest.fixture
def raw(stage):
    return Raw(stage.channel)


# ---- trailers and details --------------------------------------------------------------------------------------------


async def test_a_good_answer_carries_the_trailers(stage):
    """x-request-id, x-server-epoch and x-execsvc-mode come in the trailers of success, and nothing before them."""
    call = stage.admin.GetServerInfo(INFO, metadata=(("x-request-id", "mine-1"),))
    await call
    assert ({"x-request-id": "mine-1", "x-server-epoch": EPOCH, "x-execsvc-mode": "paper"}, {}) == (
        dict(await call.trailing_metadata()),
        dict(await call.initial_metadata()),
    )


async def test_a_refusal_carries_the_same_trailers_and_one_error_info(stage):
    """A failure has the trailers of success, and a google.rpc.Status with exactly one ErrorInfo."""
    call = stage.orders.PlaceOrder(orders.PlaceOrderRequest(), metadata=(("x-request-id", "mine-2"),))
    refusal = await refused(call)
    assert ("mine-2", EPOCH, "paper") == tuple(
        refusal.trailers[name] for name in ("x-request-id", "x-server-epoch", "x-execsvc-mode")
    )
    assert (["BadRequest", "ErrorInfo"], "INVALID_REQUEST", "mine-2", "paper") == (
        refusal.kinds,
        refusal.reason,
        refusal.metadata["request_id"],
        refusal.metadata["venue"],
    )
    assert {} == dict(await call.initial_metadata())


@pytest.mark.parametrize("given", ["", "x" * 65, "with space", 'a"b', "a%0d"])
async def test_an_unsafe_request_id_is_made_anew(stage, given):
    """A request id that is too long or not plain is replaced, never echoed."""
    call = stage.admin.GetServerInfo(INFO, metadata=(("x-request-id", given),))
    await call
    made = dict(await call.trailing_metadata())["x-request-id"]
    assert (32, True) == (len(made), made != given)


async def test_the_first_of_two_request_ids_counts(stage):
    """A header sent twice is not joined and not guessed at: the first one counts."""
    call = stage.admin.GetServerInfo(INFO, metadata=(("x-request-id", "first"), ("x-request-id", "second")))
    await call
    assert "first" == dict(await call.trailing_metadata())["x-request-id"]


@pytest.mark.parametrize(
    ("error", "pushback", "retry_s"),
    [
        (busy(Reason.LOCAL_RATE_LIMITED, retry_after_s=0.4321), "433", 0.4321),
        (busy(Reason.VENUE_ORDER_LIMIT), "-1", None),
        (busy(Reason.VENUE_LOCKED_OUT, retry_after_s=900.0), "-1", 900.0),
        (busy(Reason.NOT_OWNER, retry_after_s=1.0), "1000", 1.0),
        (busy(Reason.VENUE_UNREACHABLE), "200", None),
        (busy(Reason.VENUE_RATE_LIMITED, retry_after_s=2.0, id_used="true"), "-1", 2.0),
    ],
)
async def test_pushback_is_the_exact_wait_or_forbids_a_retry(stage, error, pushback, retry_s):
    """RESOURCE_EXHAUSTED tells its wait as RetryInfo and pushback alike; where waiting cannot heal it is -1."""
    stage.public.failure = error
    refusal = await refused(stage.market.GetTickers(market.GetTickersRequest(), timeout=2))
    assert (pushback, retry_s) == (refusal.trailers.get("grpc-retry-pushback-ms"), refusal.retry_s)


@pytest.mark.parametrize(
    ("error", "timeout", "pushback"),
    [
        (busy(Reason.VENUE_UNREACHABLE), 0.6, "-1"),
        (busy(Reason.NOT_OWNER, retry_after_s=1.0), 1.4, "-1"),
        (busy(Reason.LOCAL_RATE_LIMITED, retry_after_s=1.0), 1.4, "-1"),
        (busy(Reason.NOT_OWNER, retry_after_s=1.0), 1.9, "1000"),
    ],
)
async def test_a_repeat_that_cannot_be_answered_in_time_is_forbidden(stage, error, timeout, pushback):
    """The caller gets our reason, not its library's bare deadline."""
    stage.public.failure = error
    refusal = await refused(stage.market.GetTickers(market.GetTickersRequest(), timeout=timeout))
    assert pushback == refusal.trailers.get("grpc-retry-pushback-ms")


async def test_a_client_library_obeys_the_pushback(stage):
    """GRPC's own retry waits as long as the trailer says, because nothing was sent before the outcome."""
    retry = (
        '{"methodConfig":[{"name":[{}],"retryPolicy":{"maxAttempts":2,"initialBackoff":"0.01s","maxBackoff":"0.01s",'
        '"backoffMultiplier":1,"retryableStatusCodes":["RESOURCE_EXHAUSTED"]}}]}'
    )
    stage.public.failure = busy(Reason.LOCAL_RATE_LIMITED, retry_after_s=0.25)
    async with grpc.aio.insecure_channel(stage.door.address, options=(("grpc.service_config", retry),)) as channel:
        call = channel.unary_unary("/execsvc.v1.MarketDataService/GetTickers")(b"", timeout=3)
        began = stage.clock.monotonic()
        await refused(call)
    assert (2, True) == (len(stage.public.asked), 0.24 < stage.clock.monotonic() - began < 1.5)


async def test_trailers_stay_below_8_kib(stage):
    """A thousand bad fields are cut to what fits, and the rest is counted."""
    refusal = await refused(
        stage.market.ListInstruments(market.ListInstrumentsRequest(symbols=[f"{'Ü' * 20}{n}" for n in range(200)]))
    )
    sizes = sum(len(name) + len(value) for name, value in refusal.trailers.items())
    assert sizes * 4 / 3 + 3 * len(refusal.message.encode()) < 8192
    assert "more bad fields" in refusal.bad[""]


async def test_an_unexpected_error_is_internal_and_tells_nothing(stage):
    """INTERNAL names the request id and not a word of the error; the operator gets the error itself."""
    secret = ZeroDivisionError("password=hunter2")
    stage.public.failure = secret
    refusal = await refused(stage.market.GetTickers(market.GetTickersRequest(), timeout=2))
    assert (grpc.StatusCode.INTERNAL, "INTERNAL") == (refusal.code, refusal.reason)
    assert "hunter2" not in repr(refusal)
    assert refusal.metadata["request_id"] in refusal.message
    facts = {
        "method": "execsvc.v1.MarketDataService/GetTickers",
        "caller": "local",
        "request_id": refusal.metadata["request_id"],
    }
    assert [("rpc.broken", secret, facts)] == stage.reports


async def test_a_broken_rule_of_ours_is_internal_too(stage):
    """An error of class Broken is reported and told without its words."""
    stage.public.failure = busy(Reason.INTERNAL)
    refusal = await refused(stage.market.GetTickers(market.GetTickersRequest(), timeout=2))
    assert ("INTERNAL", False, 1) == (refusal.reason, "as the test wants" in refusal.message, len(stage.reports))


# ---- shape -----------------------------------------------------------------------------------------------------------


async def test_every_bad_field_is_named_at_once(stage):
    """One answer names all violations by their proto paths."""
    spec = limit_spec(
        symbol="",
        side=0,
        base_quantity="1e5",
        limit=order.LimitOrder(limit_price="-1"),
        time_in_force=9,
        label="x" * 65,
    )
    refusal = await refused(stage.place("-bad", spec=spec, max_entry_delay={"seconds": 61}))
    expected = {
        "client_order_id",
        "spec.symbol",
        "spec.side",
        "spec.base_quantity",
        "spec.limit.limit_price",
        "spec.time_in_force",
        "spec.label",
        "max_entry_delay",
    }
    assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", expected, "false") == (
        refusal.code,
        refusal.reason,
        set(refusal.bad),
        refusal.metadata["id_used"],
    )


async def test_no_known_order_type_is_its_own_reason(stage):
    """An unset order type is ORDER_TYPE_UNKNOWN with the field named, never a market order."""
    spec = order.OrderSpec(symbol="BTC/USD", side=1, base_quantity="1")
    refusal = await refused(stage.place("one", spec=spec))
    assert (grpc.StatusCode.INVALID_ARGUMENT, "ORDER_TYPE_UNKNOWN", ["spec.order_type"], "false") == (
        refusal.code,
        refusal.reason,
        list(refusal.bad),
        refusal.metadata["id_used"],
    )


async def test_an_order_type_newer_than_the_server_is_unknown(stage):
    """A member of the oneof that only a newer stub knows arrives as unset."""
    spec = order.OrderSpec(symbol="BTC/USD", side=1, base_quantity="1").SerializeToString() + b"\x92\x01\x00"
    assert order.OrderSpec.FromString(spec).WhichOneof("order_type") is None
    request = placement("one")
    request.spec.CopyFrom(order.OrderSpec.FromString(spec))
    refusal = await refused(stage.orders.PlaceOrder(request, timeout=2))
    assert "ORDER_TYPE_UNKNOWN" == refusal.reason


async def test_bytes_that_are_no_message_are_refused_in_our_words(raw):
    """What cannot be read is INVALID_REQUEST with our ErrorInfo, not a library's INTERNAL."""
    refusal = await refused(raw.unary("execsvc.v1.OrderService/PlaceOrder", b"\xff\xff\xff"))
    assert (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", "false") == (
        refusal.code,
        refusal.reason,
        refusal.metadata["id_used"],
    )


async def test_a_request_above_64_kib_never_reaches_us(raw, stage):
    """The transport refuses it, without our ErrorInfo: the contract says what that means."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await raw.unary("execsvc.v1.OrderService/PlaceOrder", b"\x0a" * 70_000)
    assert (grpc.StatusCode.RESOURCE_EXHAUSTED, []) == (caught.value.code(), stage.venue.sends)


async def test_named_defaults_are_accepted(stage):
    """The values that the contract names as defaults may be said aloud."""
    spec = limit_spec(
        self_trade_prevention=order.SELF_TRADE_PREVENTION_CANCEL_NEWEST, fee_preference=order.FEE_PREFERENCE_QUOTE
    )
    assert order.ORDER_STATUS_OPEN == (await stage.place("one", spec=spec)).order.status


# ---- methods and rights ----------------------------------------------------------------------------------------------


def open_call(raw, permit, request=b""):
    if permit.method.endswith("OrderSession"):
        return raw.session(permit.method)
    return raw.stream(permit.method, request) if permit.effect is Effect.STREAM else raw.unary(permit.method, request)


@pytest.fixture
def unbuilt(monkeypatch):
    """A build that lacks three methods, one of each kind."""
    names = ("AdminService/ListStreams", "OrderService/PlaceOrders", "MarketDataService/SubscribeBook")
    table = {name: replace(each, built=each.short not in names) for name, each in PERMITS.items()}
    monkeypatch.setattr(services, "PERMITS", table)
    monkeypatch.setattr(admit, "PERMITS", table)
    return [each for each in table.values() if not each.built]


async def test_a_method_that_is_not_built_says_so(unbuilt):
    """Every method of the contract is there; what is not built is UNIMPLEMENTED / NOT_IMPLEMENTED with its name."""
    async with open_stage() as built:
        for permit in unbuilt:
            await _says_so(Raw(built.channel), permit)


async def _says_so(raw, permit):
    call = open_call(raw, permit)
    refusal = (await ended(call))[1] if permit.effect is Effect.STREAM else await refused(call)
    assert (grpc.StatusCode.UNIMPLEMENTED, "NOT_IMPLEMENTED", permit.short) == (
        refusal.code,
        refusal.reason,
        refusal.metadata["method"],
    )
    assert permit.places is ("id_used" in refusal.metadata)


async def test_without_permissions_only_the_open_method_answers():
    """A caller without any permission gets GetServerInfo and, from every other method, PERMISSION_MISSING."""
    async with open_stage(callers=OneCaller()) as built:
        raw = Raw(built.channel)
        found = {}
        for permit in PERMITS.values():
            call = open_call(raw, permit)
            if not permit.permissions:
                await call
                found[permit.short] = None
                continue
            refusal = (await ended(call))[1] if permit.effect is Effect.STREAM else await refused(call)
            found[permit.short] = (refusal.code, refusal.reason, refusal.metadata["method"])
    expected = {
        permit.short: (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING", permit.short)
        if permit.permissions
        else None
        for permit in PERMITS.values()
    }
    assert expected == found


async def test_one_of_several_permissions_is_enough():
    """GetOrder opens to trade as to account."""
    for permission in (Permission.TRADE, Permission.ACCOUNT):
        async with open_stage(callers=OneCaller(permission)) as built:
            request = orders.GetOrderRequest(order=orders.OrderRef(client_order_id="x"))
            assert "ORDER_NOT_FOUND" == (await refused(built.orders.GetOrder(request, timeout=2))).reason


async def test_an_account_that_is_not_granted_is_refused(stage):
    """Another account is PERMISSION_DENIED whether it exists or not; the empty one means the default."""
    refusal = await refused(stage.account.ListBalances(account.ListBalancesRequest(account="other"), timeout=2))
    answer = await stage.account.ListBalances(account.ListBalancesRequest(), timeout=2)
    assert (grpc.StatusCode.PERMISSION_DENIED, "ACCOUNT_NOT_GRANTED", "main") == (
        refusal.code,
        refusal.reason,
        answer.account,
    )


@pytest.mark.parametrize("scope", [orders.ORDER_SCOPE_ALL_CALLERS, orders.ORDER_SCOPE_ACCOUNT])
async def test_others_orders_need_the_permission_account(scope):
    """With trade alone a caller lists and follows its own orders, and no others."""
    async with open_stage(callers=OneCaller(Permission.TRADE)) as built:
        request = orders.ListOrdersRequest(scope=scope)
        listed = await refused(built.orders.ListOrders(request, timeout=2))
        follow = orders.SubscribeOrdersRequest(scope=scope)
        _, followed = await ended(built.orders.SubscribeOrders(follow))
        named = await refused(built.orders.ListOrders(orders.ListOrdersRequest(caller="bob"), timeout=2))
    assert [("PERMISSION_MISSING", "account")] * 2 == [
        (each.reason, each.metadata["permission"]) for each in (listed, followed)
    ]
    assert ("INVALID_REQUEST", ["caller"]) == (named.reason, list(named.bad))


async def test_an_authorization_header_is_not_read(stage):
    """There are no tokens in this build: a header changes nothing, and the server says so."""
    info = await stage.admin.GetServerInfo(INFO, metadata=(("authorization", "Bearer whatever"),))
    settings = {each.name: each.value for each in info.settings}
    assert ("local", "one local caller, no tokens") == (info.caller, settings["callers"])


# ---- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["CancelOrder", "GetOrder"])
async def test_less_than_the_least_time_does_nothing(stage, method):
    """Below a method's least deadline the answer is DEADLINE_TOO_SHORT naming the least, before anything is done."""
    await stage.place("one")
    kind = {"CancelOrder": orders.CancelOrderRequest, "GetOrder": orders.GetOrderRequest}[method]
    request = kind(order=orders.OrderRef(client_order_id="one"))
    refusal = await refused(getattr(stage.orders, method)(request, timeout=0.08))
    assert (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_TOO_SHORT", "0.1s", []) == (
        refusal.code,
        refusal.reason,
        refusal.metadata["least"],
        stage.venue.cancels,
    )


async def test_a_read_that_runs_out_of_time_is_answered_before_the_deadline(stage):
    """READ_TIMEOUT with our ErrorInfo arrives in time, instead of the library's own."""
    stage.public.silent = True
    refusal = await refused(stage.market.GetTickers(market.GetTickersRequest(), timeout=0.3))
    assert (grpc.StatusCode.DEADLINE_EXCEEDED, "READ_TIMEOUT", []) == (refusal.code, refusal.reason, stage.reports)


async def test_a_timeout_inside_is_not_taken_for_the_callers(stage):
    """A TimeoutError that escapes long before the deadline is a bug, and is told as one."""
    stage.public.failure = TimeoutError()
    refusal = await refused(stage.market.GetTickers(market.GetTickersRequest(), timeout=2))
    assert ("INTERNAL", 1) == (refusal.reason, len(stage.reports))


async def test_a_caller_that_hangs_up_ends_its_read(stage):
    """Cancelling a read cancels its work; nothing is reported as a failure."""
    stage.public.silent = True
    call = stage.market.GetTickers(market.GetTickersRequest(), timeout=5)
    await stage.eventually(lambda: stage.public.asked)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert [] == stage.reports
