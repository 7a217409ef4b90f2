"""OrderSession over the wire: many requests on one stream, each as its unary twin, and what the end of it means."""

import asyncio

import grpc
import pytest
from execsvc_api.v1 import order_pb2 as order
from execsvc_api.v1 import order_service_pb2 as orders
from google.protobuf.duration_pb2 import Duration

from execsvc.app import sessions
from execsvc.domain.caller import Permission, alike
from execsvc.domain.order import Status
from execsvc.rpc import quotas
from execsvc.rpc.callers import LocalCaller
from tests.rpc.stage import placement, taken_apart
from tests.rpc.stage import stage as open_stage
from tests.support.venue import Fate

OPEN, CANCELLED = order.ORDER_STATUS_OPEN, order.ORDER_STATUS_CANCELLED
SLOW_BEAT = Duration(seconds=60)


class Talk:
    """The caller's side: numbers its requests and keeps what it was told, by kind."""

    def __init__(self, stage, **opened):
        self.call = stage.orders.OrderSession()
        self.told = []
        self._opened = {"heartbeat_interval": SLOW_BEAT} | opened
        self._number = 0

    async def __aenter__(self):
        await self.say(open=orders.OpenOrderSession(**self._opened))
        self.accepted = (await self.next()).accepted
        return self

    async def __aexit__(self, *_):
        self.call.cancel()

    async def say(self, **request):
        self._number += 1
        await self.call.write(orders.OrderSessionRequest(request_number=self._number, **request))
        return self._number

    async def place(self, name, **fields):
        return await self.say(place=placement(name, **fields))

    async def next(self):
        message = await asyncio.wait_for(self.call.read(), 5)
        if message is grpc.aio.EOF:
            return None
        self.told.append(message)
        return message

    async def answer_to(self, number):
        while (message := await self.next()) is not None:
            if message.request_number == number:
                return message
        raise AssertionError(f"the session ended without an answer to {number}")

    async def until(self, kind):
        while (message := await self.next()) is not None:
            if message.WhichOneof("event") == kind:
                return message
        raise AssertionError(f"the session ended without {kind}")

    async def end(self):
        """What the stream ends with."""
        try:
            while await self.next() is not None:
                continue
        except grpc.aio.AioRpcError as error:
            return taken_apart(error)
        return await self.call.code()


def ref(name):
    return orders.CancelOrderRequest(order=orders.OrderRef(client_order_id=name))


async def status_of(stage, name):
    found = await stage.store.in_status("main", frozenset(Status))
    return next(each.status for each in found if each.key.client_order_id == name)


async def test_each_request_is_answered_by_its_number(stage):
    """Place, cancel and cancel-all, as the unary calls would answer; `accepted` answers the first request."""
    async with Talk(stage) as talk:
        placed = await talk.answer_to(await talk.place("a"))
        await talk.answer_to(await talk.place("b"))
        cancelled = await talk.answer_to(await talk.say(cancel=ref("a")))
        everything = orders.CancelAllOrdersRequest(all_symbols=True)
        cleared = await talk.answer_to(await talk.say(cancel_all=everything))
    assert ("main", 16) == (talk.accepted.account, len(talk.accepted.stream_id))
    assert (OPEN, CANCELLED, 1) == (
        placed.place.order.status,
        cancelled.cancel.order.status,
        cleared.cancel_all.cancelled_count,
    )
    assert list(range(1, len(talk.told) + 1)) == [message.meta.seq for message in talk.told]


async def test_answers_come_as_they_are_ready(stage):
    """A slow placement holds up no other."""
    stage.venue.plan += [Fate(answers_s=0.5), Fate()]
    async with Talk(stage) as talk:
        slow, fast = await talk.place("slow"), await talk.place("fast")
        first = await talk.until("place")
        await talk.answer_to(slow)
    assert fast == first.request_number


async def test_a_refusal_is_an_error_in_its_place_and_the_session_goes_on(stage):
    """In the words of the unary call: code, reason, metadata, request id of its own."""
    async with Talk(stage) as talk:
        wrong = await talk.answer_to(await talk.place("a", spec=order.OrderSpec(symbol="BTC/USD")))
        unknown = await talk.answer_to(await talk.say(cancel=ref("never")))
        placed = await talk.answer_to(await talk.place("a"))
    assert ["ORDER_TYPE_UNKNOWN", "ORDER_NOT_FOUND"] == [wrong.error.reason, unknown.error.reason]
    assert ("false", grpc.StatusCode.INVALID_ARGUMENT.value[0]) == (wrong.error.metadata["id_used"], wrong.error.code)
    assert wrong.error.metadata["request_id"] != unknown.error.metadata["request_id"]
    assert OPEN == placed.place.order.status


async def test_an_id_is_replayed_over_either_door(stage):
    """What was placed by the unary call is known in the session."""
    await stage.place("a")
    async with Talk(stage) as talk:
        again = await talk.answer_to(await talk.place("a"))
    assert (True, 1) == (again.place.replayed, len(stage.venue.sends))


async def test_a_lost_answer_is_in_doubt_within_the_requests_own_time(stage):
    """max_entry_delay is the deadline of a placement in a session."""
    stage.venue.plan += [Fate(arrives_s=None, answers_s=99.0)]
    async with Talk(stage) as talk:
        told = await talk.answer_to(await talk.place("a", max_entry_delay=Duration(seconds=1)))
    assert order.ORDER_STATUS_IN_DOUBT == told.place.order.status


async def test_another_account_than_the_sessions_is_refused(stage):
    """One session, one account."""
    async with Talk(stage) as talk:
        told = await talk.answer_to(await talk.say(place=placement("a", account="other")))
    assert ("INVALID_REQUEST", []) == (told.error.reason, stage.venue.sends)


async def test_changes_are_told_when_asked_for(stage):
    """Of orders of this session only, with number 0; the answer's version is among them."""
    async with Talk(stage, follow_orders=True) as talk:
        await stage.place("elsewhere")
        placed = await talk.answer_to(await talk.place("a"))
        await stage.orders.CancelOrder(ref("a"), timeout=5)
        while (change := await talk.until("order")).order.status != CANCELLED:
            continue
    assert {"a"} == {each.order.client_order_id for each in talk.told if each.HasField("order")}
    assert (0, True) == (change.request_number, change.order.version > placed.place.order.version)


async def test_no_change_is_told_unasked(stage):
    """Answers alone."""
    async with Talk(stage) as talk:
        await talk.answer_to(await talk.place("a"))
        await talk.answer_to(await talk.say(cancel=ref("a")))
    assert ["accepted", "place", "cancel"] == [each.WhichOneof("event") for each in talk.told]


async def test_heartbeats_come_on_the_clock_that_was_asked_for(stage):
    """As on every stream."""
    async with Talk(stage, heartbeat_interval=Duration(seconds=1)) as talk:
        beat = await talk.until("heartbeat")
    assert 0 == beat.request_number


async def test_a_caller_that_is_done_is_answered_first_and_then_ends_well(stage):
    """Half-closing is how a session ends: what was asked is answered, and the status is OK."""
    stage.venue.plan.append(Fate(answers_s=0.3))
    async with Talk(stage) as talk:
        await talk.place("a")
        await talk.call.done_writing()
        assert grpc.StatusCode.OK == await talk.end()
    assert ["accepted", "place"] == [each.WhichOneof("event") for each in talk.told]


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (orders.OrderSessionRequest(request_number=3, cancel=ref("a")), "request_number"),
        (orders.OrderSessionRequest(request_number=2), "request"),
        (orders.OrderSessionRequest(request_number=2, open=orders.OpenOrderSession()), "request"),
    ],
    ids=["number", "empty", "opened twice"],
)
async def test_a_request_out_of_place_ends_the_session(stage, request_, path):
    """Nobody knows what was meant by what follows."""
    async with Talk(stage) as talk:
        await talk.call.write(request_)
        end = await talk.end()
    assert ("INVALID_REQUEST", [path]) == (end.reason, list(end.bad))


@pytest.mark.parametrize(
    "first",
    [
        orders.OrderSessionRequest(request_number=1, place=placement("a")),
        orders.OrderSessionRequest(request_number=2, open=orders.OpenOrderSession()),
        orders.OrderSessionRequest(request_number=1),
    ],
    ids=["place", "number", "nothing"],
)
async def test_a_session_begins_with_open(stage, first):
    """Nothing is done before it."""
    call = stage.orders.OrderSession()
    await call.write(first)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call.read()
    assert ("INVALID_REQUEST", []) == (taken_apart(refused.value).reason, stage.venue.sends)


async def test_a_session_of_which_nothing_is_said_is_refused(stage):
    """Half-closed before the first request."""
    call = stage.orders.OrderSession()
    await call.done_writing()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call.read()
    assert "INVALID_REQUEST" == taken_apart(refused.value).reason


async def test_so_many_are_in_flight_and_no_more(stage):
    """The next is read when an answer was taken; all of them are answered."""
    stage.venue.plan += [Fate(answers_s=0.3) for _ in range(4)]
    async with Talk(stage, max_in_flight=2) as talk:
        for name in "abcd":
            await talk.place(name)
        await stage.clock.sleep(0.15)
        under_way = len(stage.venue.sends)
        numbers = [(await talk.until("place")).request_number for _ in range(4)]
    assert (2, [2, 3, 4, 5]) == (under_way, sorted(numbers))


# ---- being lost ------------------------------------------------------------------------------------------------------


async def test_a_lost_session_cancels_its_orders_if_it_asked_for_that(stage):
    """After the grace; orders placed elsewhere stay."""
    await stage.place("elsewhere")
    async with Talk(stage, cancel_on_disconnect=True) as talk:
        await talk.answer_to(await talk.place("a"))
    await stage.clock.sleep(1.0)
    assert Status.OPEN is await status_of(stage, "a")
    await stage.clock.sleep(2.0)
    assert (Status.CANCELLED, Status.OPEN) == (await status_of(stage, "a"), await status_of(stage, "elsewhere"))


async def test_a_session_that_did_not_ask_leaves_its_orders(stage):
    """They stand until cancelled."""
    async with Talk(stage) as talk:
        await talk.answer_to(await talk.place("a"))
    await stage.clock.sleep(3.0)
    assert Status.OPEN is await status_of(stage, "a")


async def test_a_session_taken_over_keeps_its_orders_and_passes_them_on(stage):
    """By its stream_id, within the grace: the next loss cancels those of both."""
    async with Talk(stage, cancel_on_disconnect=True) as first:
        await first.answer_to(await first.place("a"))
    taken_over = {"cancel_on_disconnect": True, "resume_stream_id": first.accepted.stream_id}
    async with Talk(stage, **taken_over) as second:
        await second.answer_to(await second.place("b"))
        await stage.clock.sleep(3.0)
        assert Status.OPEN is await status_of(stage, "a")
    await stage.clock.sleep(3.0)
    assert [Status.CANCELLED] * 2 == [await status_of(stage, name) for name in "ab"]


async def test_a_session_nobody_knows_cannot_be_taken_over(stage):
    """After a restart, say: the caller must look at its orders."""
    talk = Talk(stage, resume_stream_id="0123456789abcdef")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await talk.__aenter__()
    assert "RESUME_TOKEN_EXPIRED" == taken_apart(refused.value).reason


async def test_the_servers_own_end_cancels_nothing():
    """A planned stop is no loss of the caller's."""
    async with open_stage() as stage:
        async with Talk(stage, cancel_on_disconnect=True) as talk:
            await talk.answer_to(await talk.place("a"))
            stage.services.drain.end()
            end = await talk.end()
        await stage.clock.sleep(2.5)
        assert ("SHUTTING_DOWN", Status.OPEN) == (end.reason, await status_of(stage, "a"))


async def test_cancel_on_disconnect_needs_the_right_to_cancel():
    """It cancels on the caller's behalf."""

    class Trader(LocalCaller):
        def recognise(self, meta, peer, names=()):
            return alike("local", frozenset({Permission.TRADE}), ("main",))

    async with open_stage(callers=Trader("main")) as stage:
        talk = Talk(stage, cancel_on_disconnect=True)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await talk.__aenter__()
        assert "PERMISSION_MISSING" == taken_apart(refused.value).reason


async def test_each_request_needs_its_own_right():
    """A caller that may trade and not cancel is told so, request by request."""

    class Trader(LocalCaller):
        def recognise(self, meta, peer, names=()):
            return alike("local", frozenset({Permission.TRADE}), ("main",))

    async with open_stage(callers=Trader("main")) as stage, Talk(stage) as talk:
        told = await talk.answer_to(await talk.say(cancel=ref("a")))
        placed = await talk.answer_to(await talk.place("a"))
        assert ("PERMISSION_MISSING", OPEN) == (told.error.reason, placed.place.order.status)


# ---- which orders are the session's ----------------------------------------------------------------------------------


async def test_a_repeat_that_is_refused_takes_no_order_out_of_the_session(stage, monkeypatch):
    """An open order whose id comes in again, and is refused at the gate, still goes with the session."""
    async with Talk(stage, cancel_on_disconnect=True) as talk:
        await talk.answer_to(await talk.place("a"))
        monkeypatch.setattr(quotas, "MAX_CALLS", 0)
        again = await talk.answer_to(await talk.place("a"))
        assert ("CALLER_QUOTA", "false") == (again.error.reason, again.error.metadata["id_used"])
    await stage.clock.sleep(3.0)
    assert Status.CANCELLED is await status_of(stage, "a")


async def test_an_order_that_was_over_before_is_none_of_the_sessions(stage):
    """Nor is one that was not placed: what a session holds are orders that may be open."""
    await stage.place("over")
    await stage.orders.CancelOrder(ref("over"), timeout=5)
    async with Talk(stage) as talk:
        replayed = await talk.answer_to(await talk.place("over"))
        await talk.answer_to(await talk.place("wrong", spec=order.OrderSpec(symbol="BTC/USD")))
        await talk.answer_to(await talk.place("stands"))
        (line,) = stage.house.sessions._lines["local"].values()
        assert (True, {"stands"}) == (replayed.place.replayed, {key.client_order_id for key in line.keys})


async def test_one_session_too_many_is_told_so(stage, monkeypatch):
    """TOO_MANY_STREAMS, without a wait: another has to be closed first."""
    monkeypatch.setattr(sessions, "LINES_OF_ONE", 1)
    async with Talk(stage):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await Talk(stage).__aenter__()
    refusal = taken_apart(refused.value)
    assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS", None) == (
        refusal.code,
        refusal.reason,
        refusal.retry_s,
    )
