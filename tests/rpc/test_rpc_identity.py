"""Tokens over the wire, with the registry that follows their file: who is let in, and how soon somebody is shown out."""

import asyncio
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

import grpc
import pytest
from execsvc_api.v1 import admin_service_pb2 as admin
from execsvc_api.v1 import market_data_service_pb2 as market
from execsvc_api.v1 import order_service_pb2 as orders
from google.protobuf.duration_pb2 import Duration

from execsvc.domain.errors import Reason, refuse
from execsvc.domain.order import Status
from execsvc.domain.rights import rights_of
from execsvc.rpc import quotas
from execsvc.rpc.admit import Knock
from execsvc.rpc.callers import KnownCallers
from execsvc.runtime.clock import RealClock
from execsvc.runtime.tokenfile import change
from execsvc.runtime.tokenregistry import LOOK_AGAIN_S, TokenRegistry
from execsvc.telemetry import silent
from tests.rpc.stage import ended, link_up, placement, refused, seen, taken_apart
from tests.rpc.stage import stage as open_stage
from tests.support.tokens import baked, sent, token_file

INFO = admin.GetServerInfoRequest()
IDLE = Duration(seconds=60)
SECOND_NS = 10**9
TRADER = ("market", "account:main", "trade:main", "cancel:main")
TOKEN_INVALID = (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")
PERMISSION_MISSING = (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING")


class Guarded:
    """A running server with a file of tokens: ann trades, root administrates."""

    def __init__(self, stage, path, **texts):
        self.stage = stage
        self.path = path
        self.ann, self.root = (sent(texts[name]) for name in ("ann", "root"))
        self.ann_id = texts["ann"].split("_")[1]

    def change(self, **changes):
        """Ann's token becomes another; without changes it is revoked."""

        def work(held):
            others = [each for each in held if each.id != self.ann_id]
            return others + [replace(each, **changes) for each in held if each.id == self.ann_id and changes]

        change(self.path, work)

    def bake(self, caller, *words, **more):
        token, text = baked(caller, *words, **more)
        change(self.path, lambda held: [*held, token])
        return sent(text)

    def watch(self, metadata=None, **fields):
        request = market.SubscribeTickersRequest(symbols=["BTC/USD"], heartbeat_interval=IDLE, **fields)
        return self.stage.market.SubscribeTickers(request, metadata=metadata or self.ann)

    async def ended_after(self, stream, act):
        """How an idle stream ends after `act`, and after how many seconds."""
        await stream.read()
        act()
        began = self.stage.clock.monotonic()
        _, refusal = await asyncio.wait_for(ended(stream), 5)
        return (refusal.code, refusal.reason), self.stage.clock.monotonic() - began


@asynccontextmanager
async def guarded(tmp_path):
    (ann, ann_text), (root, root_text) = baked("ann", *TRADER), baked("root", "admin", "market", "account:main")
    path = token_file(tmp_path / "tokens.toml", ann, root)
    clock = RealClock()
    registry = TokenRegistry.of(path, clock=clock, alarm=lambda _: None)
    callers = KnownCallers(
        accounts=("main",), known=(), tokens=registry, clock=clock, telemetry=silent(), warn=lambda *_: None
    )
    async with open_stage(callers=callers) as stage:
        stage.tasks.supervise("tokens", registry.follow)
        yield Guarded(stage, path, ann=ann_text, root=root_text)


@pytest.fixture
async def here(tmp_path):
    async with guarded(tmp_path) as built:
        yield built


# ---- at the door -----------------------------------------------------------------------------------------------------


async def test_a_token_lets_its_caller_in_with_its_rights(here):
    """GetServerInfo tells who one is and what one may."""
    info = await here.stage.admin.GetServerInfo(INFO, metadata=here.ann)
    assert ("ann", [("", ["market"], False), ("main", ["account", "trade", "cancel"], True)]) == (
        info.caller,
        [(each.account, list(each.permissions), each.is_default) for each in info.grants],
    )
    assert "2 tokens, 0 callers, 0 certificates" == {each.name: each.value for each in info.settings}["callers"]


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer xs_00000000_" + "A" * 43, "Basic YW5uOmFubg==", "x" * 7000]
)
async def test_without_a_good_token_nothing_is_answered(here, header):
    """UNAUTHENTICATED for every method, this machine or not; nothing of what was sent comes back."""
    metadata = () if header is None else (("authorization", header),)
    unary = await refused(here.stage.admin.GetServerInfo(INFO, metadata=metadata))
    held, stream = await ended(here.stage.market.SubscribeTickers(market.SubscribeTickersRequest(), metadata=metadata))
    assert [TOKEN_INVALID] * 2 == [(each.code, each.reason) for each in (unary, stream)]
    assert ([], []) == (held, [word for word in (header or "").split()[1:] if word in unary.message])


async def test_a_new_token_is_good_at_once(here):
    """Baked while the server runs."""
    await here.stage.clock.sleep(LOOK_AGAIN_S)
    info = await here.stage.admin.GetServerInfo(INFO, metadata=here.bake("bob", "market"))
    assert "bob" == info.caller


async def test_a_token_is_replaced_without_a_gap(here):
    """Bake, take the new one into use, revoke the old one: no call fails on the way, and the old one is of no use then."""
    token = here.ann
    failures, answered = [], 0

    async def calls():
        nonlocal answered
        while True:
            try:
                await here.stage.admin.GetServerInfo(INFO, metadata=token)
                answered += 1
            except grpc.aio.AioRpcError as error:
                failures.append(taken_apart(error).reason)
            await here.stage.clock.sleep(0.01)

    calling = asyncio.ensure_future(calls())
    await here.stage.clock.sleep(0.2)
    token = here.bake("ann", *TRADER)
    await here.stage.clock.sleep(0.1)
    here.change()
    await here.stage.clock.sleep(1.0)
    calling.cancel()
    old = await refused(here.stage.admin.GetServerInfo(INFO, metadata=here.ann))
    assert ([], True, TOKEN_INVALID) == (failures, answered > 20, (old.code, old.reason))


async def test_orders_belong_to_the_caller_and_not_to_its_token(here):
    """A second token of ann's finds the order that was placed with the first."""
    placed = await here.stage.orders.PlaceOrder(placement("one"), metadata=here.ann)
    second = here.bake("ann", *TRADER)
    await here.stage.clock.sleep(0.7)
    again = await here.stage.orders.PlaceOrder(placement("one"), metadata=second)
    assert ("ann", placed.order.order_id) == (again.order.caller, again.order.order_id)


# ---- streams ---------------------------------------------------------------------------------------------------------


async def test_a_revoked_token_ends_an_idle_stream_within_the_second(here):
    """UNAUTHENTICATED, though its heartbeats are a minute apart."""
    end, seconds = await here.ended_after(here.watch(), here.change)
    assert (TOKEN_INVALID, True) == (end, seconds < 1.0)


async def test_a_revoked_token_ends_a_busy_stream(here):
    """It gets nothing more once it is seen."""
    await here.stage.eventually(lambda: True)
    stream = here.watch()
    await stream.read()
    await here.stage.tell(link_up())
    done = False

    async def market_moves():
        price = 100
        while not done:
            await here.stage.tell(seen("BTC/USD", str(price), snapshot=price == 100))
            price += 1
            await here.stage.clock.sleep(0.005)

    moving = asyncio.ensure_future(market_moves())
    await here.stage.clock.sleep(0.1)
    end, seconds = await here.ended_after(stream, here.change)
    done = True
    await moving
    assert (TOKEN_INVALID, True) == (end, seconds < 1.0)


async def test_a_reader_that_was_slow_gets_nothing_more(here):
    """It was judged while its last message was still being taken: the end comes before the news that wait."""
    request = market.SubscribeTickersRequest(symbols=["BTC/USD"], heartbeat_interval=IDLE)
    method = "execsvc.v1.MarketDataService/SubscribeTickers"
    async with aclosing(here.stage.door.gate.stream(Knock(method, lambda: request, dict(here.ann), "unix:"))) as steps:
        await anext(steps)
        here.change()
        await here.stage.clock.sleep(1.0)
        await here.stage.tell(link_up(), seen("BTC/USD", snapshot=True))
        end = await anext(steps)
    assert "TOKEN_INVALID" == end.verdict.reason.name


async def test_a_narrowed_token_ends_what_it_may_not_have_any_more(here):
    """PERMISSION_DENIED, and the message names what was taken."""
    stream = here.watch()
    end, seconds = await here.ended_after(stream, lambda: here.change(rights=rights_of(["account:main", "trade:main"])))
    assert (PERMISSION_MISSING, True) == (end, seconds < 1.0)


async def test_a_token_that_is_over_ends_its_stream_within_the_second(here):
    """By the wall clock, without any change of the file."""
    ends_ns = (here.stage.clock.wall_ns() // SECOND_NS + 2) * SECOND_NS  # the file tells seconds
    short = here.bake("bob", "market", expires_ns=ends_ns)
    await here.stage.clock.sleep(0.7)
    stream = here.watch(metadata=short)
    await stream.read()
    _, refusal = await asyncio.wait_for(ended(stream), 5)
    late_s = (here.stage.clock.wall_ns() - ends_ns) / SECOND_NS
    assert (TOKEN_INVALID, True) == ((refusal.code, refusal.reason), 0 <= late_s < 1.0)


async def test_others_streams_go_on(here):
    """A change of one token is nobody else's affair."""
    stream = here.watch(metadata=here.root)
    await stream.read()
    await here.ended_after(here.watch(), here.change)
    await here.stage.clock.sleep(0.5)
    assert not stream.done()
    stream.cancel()


async def test_a_revoked_session_ends_and_its_switch_still_runs(here):
    """Cancel-on-disconnect was asked for while it was allowed: the open orders go, once the grace is over."""
    call = here.stage.orders.OrderSession(metadata=here.ann)
    opening = orders.OpenOrderSession(heartbeat_interval=IDLE, cancel_on_disconnect=True)
    await call.write(orders.OrderSessionRequest(request_number=1, open=opening))
    await call.read()
    await call.write(orders.OrderSessionRequest(request_number=2, place=placement("one")))
    await call.read()
    here.change()
    _, refusal = await asyncio.wait_for(ended(call), 5)
    await here.stage.clock.sleep(3.0)
    (order,) = await here.stage.store.in_status("main", frozenset(Status))
    assert (TOKEN_INVALID, Status.CANCELLED) == ((refusal.code, refusal.reason), order.status)


async def test_each_request_of_a_session_is_judged_anew(here):
    """Not only the stream: a request that comes before the stream has ended meets the new rights."""
    call = here.stage.orders.OrderSession(metadata=here.ann)
    await call.write(
        orders.OrderSessionRequest(request_number=1, open=orders.OpenOrderSession(heartbeat_interval=IDLE))
    )
    await call.read()
    registry = here.stage.services.callers._tokens
    registry._tokens = {}  # revoked, and no look of the watch in between
    registry.revision += 1
    await call.write(orders.OrderSessionRequest(request_number=2, place=placement("one")))
    answers, refusal = await asyncio.wait_for(ended(call), 5)
    assert {"TOKEN_INVALID"} == {*(each.error.reason for each in answers), refusal.reason}
    assert () == tuple(await here.stage.store.in_status("main", frozenset(Status)))


async def test_a_sessions_requests_come_with_its_certificate(here):
    """The names that the door verified for the stream are those of each request in it."""
    noted = []
    callers = here.stage.services.callers
    recognise = callers.recognise

    def noting(meta, peer, names=()):
        noted.append(names)
        return recognise(meta, peer, names)

    callers.recognise = noting
    opening = orders.OrderSessionRequest(request_number=1, open=orders.OpenOrderSession(heartbeat_interval=IDLE))

    async def requests():
        yield orders.OrderSessionRequest(request_number=2, place=placement("one")).SerializeToString()

    knock = Knock(
        "execsvc.v1.OrderService/OrderSession",
        lambda: opening,
        dict(here.ann),
        "unix:",
        requests=requests(),
        names=("ann.desk",),
    )
    async for _ in here.stage.door.gate.stream(knock):
        continue
    assert [("ann.desk",)] * 2 == noted


# ---- what an administrator sees --------------------------------------------------------------------------------------


async def test_the_streams_of_all_callers_are_listed(here):
    """Id, method, caller, messages sent and waiting, since when; the longest open first. Those that ended are gone."""
    first = here.watch()
    accepted = [(await first.read()).accepted.stream_id]
    second = here.watch(metadata=here.root)
    accepted.append((await second.read()).accepted.stream_id)
    gone = here.watch()
    await gone.read()
    gone.cancel()
    await here.stage.eventually(lambda: "2 streams open" in repr(here.stage.door.gate))
    told = (await here.stage.admin.ListStreams(admin.ListStreamsRequest(), metadata=here.root)).streams
    now_ns = here.stage.clock.wall_ns()
    method = "MarketDataService/SubscribeTickers"
    assert [(accepted[0], method, "ann", 0, 1, 0), (accepted[1], method, "root", 0, 1, 0)] == [
        (each.stream_id, each.method, each.caller, each.queue_depth, each.sent_count, each.conflated_count)
        for each in told
    ]
    assert all(now_ns - 5 * SECOND_NS < each.open_time.ToNanoseconds() <= now_ns for each in told)
    first.cancel()
    second.cancel()


async def test_what_was_folded_for_a_slow_reader_is_told(here):
    """Counted over the whole life of the stream."""
    stream = here.watch()
    await stream.read()
    await here.stage.tell(link_up(), *(seen("BTC/USD", str(price), snapshot=price == 1) for price in range(1, 6)))
    while not (message := await stream.read()).HasField("snapshot"):
        continue
    told = (await here.stage.admin.ListStreams(admin.ListStreamsRequest(), metadata=here.root)).streams[0]
    assert (message.meta.conflated_count, True) == (told.conflated_count, told.sent_count >= message.meta.seq)
    assert told.conflated_count > 0
    stream.cancel()


async def test_only_an_administrator_sees_them(here):
    """A trader does not learn who else is there."""
    refusal = await refused(here.stage.admin.ListStreams(admin.ListStreamsRequest(), metadata=here.ann))
    assert (*PERMISSION_MISSING, "admin") == (refusal.code, refusal.reason, refusal.metadata["permission"])


async def test_a_broken_file_is_a_problem_that_is_told(here):
    """In GetVenueStatus, with each account; the callers stay let in."""
    here.path.write_text("version =")
    await here.stage.clock.sleep(0.8)
    venue = await here.stage.admin.GetVenueStatus(admin.GetVenueStatusRequest(), metadata=here.ann)
    assert [True] == [
        any("tokens of callers stay as they were" in each for each in account.problems) for account in venue.accounts
    ]


# ---- one caller and another ------------------------------------------------------------------------------------------


async def test_one_callers_flood_keeps_nobody_else_out_and_no_cancel(here, monkeypatch):
    """Its calls over the bound are refused with a wait; its cancels and others' calls pass."""
    monkeypatch.setattr(quotas, "MAX_CALLS", 2)
    await here.stage.orders.PlaceOrder(placement("one"), metadata=here.ann)
    here.stage.public.silent = True
    tickers = market.GetTickersRequest(symbols=["BTC/USD"])
    flood = [here.stage.market.GetTickers(tickers, metadata=here.ann, timeout=3) for _ in range(2)]
    pending = [asyncio.ensure_future(refused(call)) for call in flood]
    await here.stage.eventually(lambda: len(here.stage.public.asked) >= 2)
    over = await refused(here.stage.market.GetTickers(tickers, metadata=here.ann, timeout=3))
    unsent = await refused(here.stage.orders.PlaceOrder(placement("two"), metadata=here.ann, timeout=3))
    cancel = orders.CancelOrderRequest(order=orders.OrderRef(client_order_id="one"))
    cancelled = await here.stage.orders.CancelOrder(cancel, metadata=here.ann, timeout=3)
    info = await here.stage.admin.GetServerInfo(INFO, metadata=here.root, timeout=3)
    assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "CALLER_QUOTA", quotas.AGAIN_S, "200", "false") == (
        over.code,
        over.reason,
        over.retry_s,
        over.trailers["grpc-retry-pushback-ms"],
        unsent.metadata["id_used"],
    )
    assert (True, "root") == (cancelled.HasField("order"), info.caller)
    await asyncio.gather(*pending)
    assert "0 calls" in repr(here.stage.door.gate._admission)


# ---- orders that wait ------------------------------------------------------------------------------------------------


class FullFor:
    """The exchange's counter is full for `seconds`, and whoever may wait for it does."""

    def __init__(self, here, seconds):
        self._clock, self._rates = here.stage.clock, here.stage.venue.rates
        self._room, self._free_at = self._rates.room, self._clock.monotonic() + seconds
        self._rates.room = self.room
        self.waiting = 0

    async def room(self, symbol, caller, by):
        left_s = self._free_at - self._clock.monotonic()
        if left_s > 0:
            if by < self._free_at:
                raise refuse(Reason.LOCAL_RATE_LIMITED, "the counter is full", retry_after_s=left_s)
            self.waiting += 1
            await self._clock.sleep(left_s)
        return await self._room(symbol, caller, by)


async def test_a_revoked_token_places_nothing_that_still_waits(here):
    """The order waits for room longer than it takes to show its caller out: nothing is sent, the id is free."""
    full = FullFor(here, 1.2)
    waiting = placement("one", max_queue_wait=Duration(seconds=2))
    call = asyncio.ensure_future(refused(here.stage.orders.PlaceOrder(waiting, metadata=here.ann, timeout=8)))
    await here.stage.eventually(lambda: full.waiting)
    here.change()
    refusal = await call
    assert (*TOKEN_INVALID, "false") == (refusal.code, refusal.reason, refusal.metadata["id_used"])
    assert f"token {here.ann_id} was revoked; nothing was sent" == refusal.message
    assert ([], ()) == (here.stage.venue.sends, await here.stage.store.in_status("main", frozenset(Status)))


async def test_a_narrowed_token_places_nothing_that_still_waits(here):
    """The same for one that may not trade any more: its streams go with the same words."""
    full = FullFor(here, 1.2)
    waiting = placement("one", max_queue_wait=Duration(seconds=2))
    call = asyncio.ensure_future(refused(here.stage.orders.PlaceOrder(waiting, metadata=here.ann, timeout=8)))
    await here.stage.eventually(lambda: full.waiting)
    here.change(rights=rights_of(["market", "account:main", "cancel:main"]))
    refusal = await call
    told = (refusal.code, refusal.reason, refusal.metadata["permission"], refusal.metadata["id_used"])
    assert (*PERMISSION_MISSING, "trade", "false") == told
    assert [] == here.stage.venue.sends
