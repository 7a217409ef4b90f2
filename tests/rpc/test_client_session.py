"""The Python client's order-entry session against the real door, and what it does when the line between them is cut."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from decimal import Decimal

import pytest
from execsvc_client import (
    AmendInDoubt,
    Cleared,
    Client,
    Connected,
    Disconnected,
    ExecsvcError,
    InDoubt,
    InvalidRequest,
    LiveRefused,
    NotAllowed,
    NotFound,
    OrderStatus,
    OrderUpdate,
    OutcomeUnknown,
    Placed,
    SyncClient,
    Unavailable,
)

from execsvc.domain.caller import Permission, alike
from execsvc.domain.order import Status
from execsvc.rpc.callers import LocalCaller
from tests.rpc.stage import order_key
from tests.rpc.stage import stage as open_stage
from tests.support.amends import AmendFate, ScriptedAmends
from tests.support.faultproxy import FaultProxy
from tests.support.toxics import Dose, Down
from tests.support.venue import Fate

LIMIT = {"quantity": "0.001", "limit_price": "60000.0"}


@pytest.fixture
async def wire(stage):
    """The line between the client and the gateway; `down()` cuts it and nobody can connect until `up()`."""
    stage.venue.amends = ScriptedAmends(stage.venue, stage.clock, stage.tasks)
    async with FaultProxy(int(stage.door.address.rpartition(":")[2])) as proxy:
        yield proxy


@pytest.fixture
async def client(wire):
    async with Client(f"127.0.0.1:{wire.port}") as made:
        yield made


@asynccontextmanager
async def cut(wire):
    """Nobody gets through while it lasts."""
    down = wire.add(Dose(Down()))
    try:
        yield
    finally:
        wire.remove(down)


async def until(stream, kind, holds=lambda _: True):
    """The next event of that kind; what came before it is passed over."""
    async with asyncio.timeout(10):
        async for event in stream:
            if isinstance(event, kind) and holds(event):
                return event
    raise AssertionError(f"the session ended without {kind.__name__}")


async def status_of(stage, name):
    return (await stage.store.get(order_key(name))).status


async def test_an_order_is_placed_amended_and_cancelled_on_one_stream(client, stage):
    """Each as the call of its name answers."""
    async with client.session() as session:
        placed = await session.place("BTC/USD", "buy", client_order_id="a", **LIMIT)
        assert isinstance(placed, Placed)
        amended = await session.amend(placed, limit_price=Decimal("59000.5"))
        cancelled = await session.cancel("a")
        await session.place("XBTUSD", "sell", **LIMIT)
        cleared = await session.cancel_all("BTC/USD")
    assert (OrderStatus.OPEN, Decimal("59000.5"), OrderStatus.CANCELLED, Cleared(1, 1)) == (
        placed.order.status,
        amended.order.limit_price,
        cancelled.status,
        cleared,
    )
    assert (2, 1) == (len(stage.venue.sends), len(stage.venue.amends.sends))


async def test_answers_come_as_they_are_ready(client, stage):
    """A slow placement holds up no other."""
    stage.venue.plan += [Fate(answers_s=0.5), Fate()]
    async with client.session() as session:
        slow = asyncio.ensure_future(session.place("BTC/USD", "buy", **LIMIT))
        await asyncio.sleep(0.05)
        fast = await session.place("BTC/USD", "buy", **LIMIT)
        assert not slow.done()
        assert {placed.order.status for placed in (fast, await slow)} == {OrderStatus.OPEN}


async def test_a_refusal_is_raised_and_the_session_goes_on(client):
    """Typed, with its figures, as the call raises it."""
    async with client.session() as session:
        with pytest.raises(InvalidRequest) as off_tick:
            await session.place("BTC/USD", "buy", quantity="0.001", limit_price="60000.01", client_order_id="a")
        with pytest.raises(NotFound) as unknown:
            await session.cancel("never")
        placed = await session.place("BTC/USD", "buy", client_order_id="a", **LIMIT)
    assert ("TICK_SIZE_VIOLATED", "0.1", False, "a") == (
        off_tick.value.reason,
        off_tick.value.metadata["increment"],
        off_tick.value.id_used,
        off_tick.value.client_order_id,
    )
    assert ("ORDER_NOT_FOUND", OrderStatus.OPEN) == (unknown.value.reason, placed.order.status)


async def test_doubt_is_a_type_here_too(client, stage):
    """Of placements and of amends; resolve() asks by calls of its own, the session may be over."""
    stage.venue.patience_s, stage.venue.lag_s, stage.venue.amends.lag_s = 0.1, 1.0, 1.0
    stage.tasks.start("resolver", stage.resolver.run())
    stage.tasks.start("amend doubts", stage.house.amends.doubts.run())
    stage.venue.plan += [Fate(), Fate(answers_s=None)]
    stage.venue.amends.plan.append(AmendFate(answers_s=None))
    async with client.session() as session:
        placed = await session.place("BTC/USD", "buy", **LIMIT)
        lost = await session.place("BTC/USD", "buy", client_order_id="b", timeout=0.6, **LIMIT)
        changed = await session.amend(placed, limit_price="59000", timeout=0.6)
    assert (InDoubt, AmendInDoubt) == (type(lost), type(changed))
    assert OrderStatus.OPEN is (await lost.resolve(timeout=10)).order.status
    assert Decimal(59000) == (await changed.resolve(timeout=10)).order.limit_price
    assert (2, 1) == (len(stage.venue.sends), len(stage.venue.amends.sends))


async def test_changes_are_told_when_asked_for(client):
    """Of the session's orders alone; first that it is connected, and nothing after its end."""
    await client.buy("BTC/USD", client_order_id="elsewhere", **LIMIT)
    async with client.session(follow=True) as session:
        changes = session.changes()
        opened = await until(changes, Connected)
        await session.place("BTC/USD", "buy", client_order_id="a", **LIMIT)
        await client.cancel("elsewhere")
        await client.cancel("a")
        ended = await until(changes, OrderUpdate, lambda event: event.order.status is OrderStatus.CANCELLED)
    assert (session.stream_id, False, "a") == (opened.stream_id, opened.resumed, ended.order.client_order_id)
    assert [] == [event async for event in changes]


async def test_what_is_asked_is_answered_before_the_end(client, stage):
    """Leaving waits for it; nothing is asked after."""
    stage.venue.plan.append(Fate(answers_s=0.5))
    async with client.session() as session:
        asked = asyncio.ensure_future(session.place("BTC/USD", "buy", **LIMIT))
        await asyncio.sleep(0.05)
    assert asked.done()
    assert OrderStatus.OPEN is (await asked).order.status
    with pytest.raises(Unavailable, match="nothing was sent"):
        await session.place("BTC/USD", "buy", **LIMIT)
    assert 1 == len(stage.venue.sends)


async def test_leaving_by_an_error_waits_for_nothing(client, stage):
    """Who still waits is told that the outcome is not known."""
    stage.venue.plan.append(Fate(answers_s=0.5))
    with suppress(ZeroDivisionError):
        async with client.session() as session:
            asked = asyncio.ensure_future(session.place("BTC/USD", "buy", client_order_id="a", **LIMIT))
            await asyncio.sleep(0.1)
            raise ZeroDivisionError
    with pytest.raises(OutcomeUnknown) as unknown:
        await asked
    assert "a" == unknown.value.client_order_id
    assert OrderStatus.OPEN is (await client.resolve("a", timeout=5)).order.status


@pytest.mark.parametrize(("asked", "status"), [(True, Status.CANCELLED), (False, Status.OPEN)])
async def test_its_orders_go_with_it_if_that_was_asked_for(client, stage, asked, status):
    """After the grace, however it ended; orders placed elsewhere stay."""
    await client.buy("BTC/USD", client_order_id="elsewhere", **LIMIT)
    async with client.session(cancel_on_disconnect=asked) as session:
        await session.place("BTC/USD", "buy", client_order_id="a", **LIMIT)
    await asyncio.sleep(2.6)
    assert (status, Status.OPEN) == (await status_of(stage, "a"), await status_of(stage, "elsewhere"))


# ---- refused ---------------------------------------------------------------------------------------------------------


async def test_a_session_that_is_refused_is_not_opened():
    """With the error the gateway gave."""

    class Trader(LocalCaller):
        def recognise(self, meta, peer, names=()):
            return alike("local", frozenset({Permission.TRADE}), ("main",))

    async with open_stage(callers=Trader("main")) as stage, Client(stage.door.address) as client:
        with pytest.raises(NotAllowed) as refused:
            async with client.session(cancel_on_disconnect=True):
                raise AssertionError("it was opened")
    assert "PERMISSION_MISSING" == refused.value.reason


async def test_a_gateway_that_is_not_there_is_said_at_once(wire, client):
    """Opening is not tried again by itself."""
    async with cut(wire):
        with pytest.raises(Unavailable):
            async with client.session():
                raise AssertionError("it was opened")


async def test_live_money_needs_leave(client, stage):
    """The guard stands before a session as before a call."""
    client.link.guard.mode = "live"
    with pytest.raises(LiveRefused):
        async with client.session():
            raise AssertionError("it was opened")
    assert [] == stage.venue.sends


# ---- lost ------------------------------------------------------------------------------------------------------------


async def test_a_lost_session_comes_back_and_keeps_its_orders(client, wire, stage):
    """Within the grace: taken over by its stream_id, and told so."""
    async with client.session(cancel_on_disconnect=True, follow=True) as session:
        changes = session.changes()
        first = await until(changes, Connected)
        await session.place("BTC/USD", "buy", client_order_id="a", **LIMIT)
        async with cut(wire):
            lost = await until(changes, Disconnected)
        back = await until(changes, Connected)
        await asyncio.sleep(2.6)
        assert Status.OPEN is await status_of(stage, "a")
        await session.cancel("a")
        ended = await until(changes, OrderUpdate, lambda event: event.order.is_terminal)
    assert (True, True) == (isinstance(lost.error, Unavailable), back.resumed)
    assert (back.stream_id != first.stream_id, "a") == (True, ended.order.client_order_id)


async def test_what_was_under_way_is_asked_again_under_its_id(client, wire, stage):
    """A placement and an amend whose answers were lost with the line: one of each is sent, and both are answered."""
    stage.venue.plan += [Fate(), Fate(answers_s=0.6)]
    stage.venue.amends.plan.append(AmendFate(answers_s=0.6))
    async with client.session() as session:
        resting = await session.place("BTC/USD", "buy", client_order_id="a", **LIMIT)
        placing = asyncio.ensure_future(session.place("BTC/USD", "buy", client_order_id="b", **LIMIT))
        amending = asyncio.ensure_future(session.amend(resting, limit_price="59000", request_id="r-1"))
        await stage.eventually(lambda: len(stage.venue.sends) == 2 and stage.venue.amends.sends)
        async with cut(wire):
            await asyncio.sleep(0.3)
        placed, amended = await placing, await amending
    assert (OrderStatus.OPEN, True, Decimal(59000), True) == (
        placed.order.status,
        placed.replayed,
        amended.order.limit_price,
        amended.replayed,
    )
    assert (2, ["r-1"], 2) == (len(stage.venue.sends), stage.venue.amends.sends, len(stage.venue.accepted))


async def test_a_line_that_stays_cut_leaves_what_had_left_unknown(client, wire, stage):
    """At its own time; what had not left was not sent, and is not sent later either."""
    stage.venue.plan.append(Fate(answers_s=0.4))
    async with client.session() as session:
        left = asyncio.ensure_future(session.place("BTC/USD", "buy", client_order_id="a", timeout=1.0, **LIMIT))
        await stage.eventually(lambda: stage.venue.sends)
        async with cut(wire):
            await until(session.changes(), Disconnected)
            with pytest.raises(Unavailable, match="nothing was sent"):
                await session.place("BTC/USD", "buy", client_order_id="b", timeout=0.5, **LIMIT)
            with pytest.raises(OutcomeUnknown) as unknown:
                await left
        await until(session.changes(), Connected)
        third = await session.place("BTC/USD", "buy", client_order_id="c", **LIMIT)
    assert ("a", OrderStatus.OPEN) == (unknown.value.client_order_id, third.order.status)
    assert 2 == len(stage.venue.sends)
    assert OrderStatus.OPEN is (await client.resolve(unknown.value)).order.status


async def test_a_gateway_that_forgot_the_session_opens_a_new_one(client, wire, stage):
    """As after its restart: resumed is false, and the old orders are the new session's no more."""
    async with client.session(follow=True) as session:
        changes = session.changes()
        await until(changes, Connected)
        await session.place("BTC/USD", "buy", client_order_id="a", **LIMIT)
        stage.house.sessions._lines.clear()
        async with cut(wire):
            await until(changes, Disconnected)
        back = await until(changes, Connected)
        placed = await session.place("BTC/USD", "buy", client_order_id="b", **LIMIT)
    assert (False, OrderStatus.OPEN) == (back.resumed, placed.order.status)


async def test_closing_the_client_ends_the_session(client):
    """Who asks is told that nothing was sent, who reads changes why they ended."""
    async with client.session() as session:
        changes = session.changes()
        await until(changes, Connected)
        await client.close()
        with pytest.raises(Unavailable, match="this client was closed"):
            await until(changes, Disconnected)
        with pytest.raises(Unavailable, match="nothing was sent"):
            await session.place("BTC/USD", "buy", **LIMIT)


# ---- the synchronous client ----------------------------------------------------------------------------------------


async def test_the_synchronous_client_has_sessions_too(wire, stage):
    """Placed, amended, refused, cancelled, all cancelled; from several threads; changes are iterated."""

    def work():
        with SyncClient(f"127.0.0.1:{wire.port}") as client, client.session(follow=True) as session:
            with ThreadPoolExecutor(4) as threads:
                placed = list(threads.map(lambda _: session.place("BTC/USD", "buy", **LIMIT), range(8)))
            amended = session.amend(placed[0], limit_price="59000.5")
            with pytest.raises(InvalidRequest):
                session.place("BTC/USD", "buy", quantity="0.001", limit_price="60000.01")
            cancelled = session.cancel(placed[0])
            cleared = session.cancel_all()
            seen = [event for event, _ in zip(session.changes(), range(8), strict=False)]
        with pytest.raises(Unavailable, match="nothing was sent"):
            session.place("BTC/USD", "buy", **LIMIT)
        return placed, amended, cancelled, cleared, seen

    placed, amended, cancelled, cleared, seen = await asyncio.to_thread(work)
    assert {OrderStatus.OPEN} == {each.order.status for each in placed}
    assert (Decimal("59000.5"), OrderStatus.CANCELLED, Cleared(7, 7)) == (
        amended.order.limit_price,
        cancelled.status,
        cleared,
    )
    assert (Connected, OrderUpdate, 8) == (type(seen[0]), type(seen[-1]), len(stage.venue.sends))


async def test_a_synchronous_session_comes_back_too(wire, stage):
    """What was under way is asked again under its id and sent once; the loss and the return are told."""
    stage.venue.plan.append(Fate(answers_s=0.6))
    opened = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work():
        with SyncClient(f"127.0.0.1:{wire.port}") as client, client.session(cancel_on_disconnect=True) as session:
            loop.call_soon_threadsafe(opened.set)
            placed = session.place("BTC/USD", "buy", client_order_id="a", **LIMIT)
            told = []
            for event in session.changes():
                told.append(event)
                if isinstance(event, Connected) and event.resumed:
                    return placed, [type(each) for each in told if isinstance(each, Connected | Disconnected)]
            raise AssertionError("the session never came back")

    working = asyncio.ensure_future(asyncio.to_thread(work))
    await opened.wait()
    await stage.eventually(lambda: stage.venue.sends)
    async with cut(wire):
        await asyncio.sleep(0.3)
    placed, told = await working
    assert (OrderStatus.OPEN, True, 1) == (placed.order.status, placed.replayed, len(stage.venue.sends))
    assert ([Connected, Disconnected], Connected) == (told[:2], told[-1])


async def test_a_synchronous_session_knows_unknown_from_unsent(wire, stage):
    """What had left is OutcomeUnknown at its own time, what had not is Unavailable and never sent."""
    stage.venue.plan.append(Fate(answers_s=0.4))
    opened, lost = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def outcome(session, name, timeout):
        try:
            return session.place("BTC/USD", "buy", client_order_id=name, timeout=timeout, **LIMIT)
        except ExecsvcError as error:
            return error

    def work():
        with (
            SyncClient(f"127.0.0.1:{wire.port}") as client,
            client.session() as session,
            ThreadPoolExecutor(1) as aside,
        ):
            loop.call_soon_threadsafe(opened.set)
            left = aside.submit(outcome, session, "a", 1.0)
            next(event for event in session.changes() if isinstance(event, Disconnected))
            unsent = outcome(session, "b", 0.4)
            unknown = left.result()
            loop.call_soon_threadsafe(lost.set)
            next(event for event in session.changes() if isinstance(event, Connected))
            return unknown, unsent, outcome(session, "c", 5.0)

    working = asyncio.ensure_future(asyncio.to_thread(work))
    await opened.wait()
    await stage.eventually(lambda: stage.venue.sends)
    async with cut(wire):
        await lost.wait()
    unknown, unsent, placed = await working
    assert (OutcomeUnknown, Unavailable, OrderStatus.OPEN) == (type(unknown), type(unsent), placed.order.status)
    assert 2 == len(stage.venue.sends)


async def test_leaving_a_synchronous_session_waits_for_what_was_asked(stage):
    """And no longer."""
    stage.venue.plan.append(Fate(answers_s=0.6))

    def work():
        with SyncClient(stage.door.address) as client, ThreadPoolExecutor(1) as aside:
            with client.session() as session:
                asked = aside.submit(session.place, "BTC/USD", "buy", **LIMIT)
                time.sleep(0.2)
            return asked.done(), asked.result()

    done, placed = await asyncio.to_thread(work)
    assert (True, OrderStatus.OPEN) == (done, placed.order.status)


async def test_a_synchronous_session_that_is_refused_is_not_opened(stage):
    """Nor one at a gateway that is not there; and no thread stays behind."""

    def work():
        with (
            SyncClient(stage.door.address) as client,
            pytest.raises(InvalidRequest),
            client.session(max_in_flight=9999),
        ):
            raise AssertionError("it was opened")
        with SyncClient("127.0.0.1:1") as client, pytest.raises(Unavailable), client.session():
            raise AssertionError("it was opened")
        return [each.name for each in threading.enumerate() if each.name.startswith("execsvc-session")]

    assert [] == await asyncio.to_thread(work)
