"""The adapter when things go wrong: lost, late, doubled, torn and silent, against the paper exchange."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest
from venue_rig import BTC, of, opened, take_until

from execsvc.domain.errors import Declined, Reason
from execsvc.domain.market import (
    Beat,
    BookSeen,
    BookTopic,
    Desynced,
    LinkDown,
    LinkUp,
    ModeSeen,
)
from execsvc.kraken.private import KrakenPrivate
from execsvc.paper.options import PaperOptions
from execsvc.paper.server import PaperServer
from execsvc.ports import (
    Accepted,
    BalancesSnapshot,
    CancelTaken,
    ExecutionSeen,
    OrdersSnapshot,
    Unknown,
    Unsent,
)
from execsvc.runtime.secrets import Secret
from execsvc.store.disk import Disk
from execsvc.store.memory import MemoryStore
from execsvc.telemetry import silent
from tests.support.entropy import SeededEntropy


@pytest.fixture
async def paper():
    server = PaperServer(PaperOptions(control_port=0, pairs=("BTC/USD", "ETH/USD"), warm_up_s=10))
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def venue(paper):
    async with opened(paper, Disk.blank(SeededEntropy(3))) as built:
        yield built


async def test_wrong_checksum_is_healed(venue):
    """Desynced, then a snapshot, on the same connection."""
    feed = venue.public.feed()
    feed.want(frozenset({BookTopic(BTC, 10)}))
    async with aclosing(feed.events()) as events:
        await take_until(events, of(BookSeen, snapshot=True))
        await venue.fault("checksum_wrong", symbol=BTC)
        desynced = await take_until(events, of(Desynced))
        healed = await take_until(events, of(BookSeen))
    assert healed[-1].snapshot
    assert not any(isinstance(event, LinkDown) for event in desynced + healed)


async def test_lost_update_is_noticed(venue):
    """A message that never came shows in the checksum of the next."""

    def rows(near, far):
        return {"bids": [["90000.0", near], ["89999.0", "1"]], "asks": [["90001.0", "1"], ["90002.0", far]]}

    feed = venue.public.feed()
    feed.want(frozenset({BookTopic(BTC, 10)}))
    await venue.control("POST", "/market", symbol=BTC, frozen=True, **rows("1", "1"))
    async with aclosing(feed.events()) as events:
        await take_until(events, of(BookSeen, snapshot=True))
        await venue.fault("update_lost", symbol=BTC)
        await venue.control("POST", "/market", symbol=BTC, **rows("2", "1"))
        await venue.control("POST", "/market", symbol=BTC, **rows("2", "3"))
        await take_until(events, of(Desynced))
        (*_, healed) = await take_until(events, of(BookSeen))
    assert (healed.snapshot, healed.bids[0].quantity, healed.asks[1].quantity) == (True, 2, 3)


async def test_cut_line_comes_back(venue):
    """A cut is told at once, and ends in a new link with a snapshot."""
    feed = venue.public.feed()
    feed.want(frozenset({BookTopic(BTC, 10)}))
    async with aclosing(feed.events()) as events:
        await take_until(events, of(BookSeen, snapshot=True))
        await venue.fault("drop_ws", line="public", code=1006)
        again = await take_until(events, of(BookSeen, snapshot=True))
    assert [LinkDown, LinkUp] == [type(event) for event in again if isinstance(event, LinkDown | LinkUp)]


async def test_silent_line_is_dropped(venue):
    """Silence is told after its bound, whatever the socket says."""
    feed = venue.public.feed()
    feed.want(frozenset({BookTopic(BTC, 10)}))
    async with aclosing(feed.events()) as events:
        await take_until(events, of(BookSeen, snapshot=True))
        await venue.fault("feed_silent", line="public")
        (*_, last) = await take_until(events, of(LinkDown))
    assert "no frame" in last.why


async def test_lost_reply_is_a_doubt_that_a_sweep_settles(venue):
    """Applied, not answered: Unknown, one order at the exchange, found by our id."""
    await venue.fault("reply_lost_after_apply", call="AddOrder")
    order = venue.order("lost", "50000.0")
    outcome = await venue.place(order)
    sighting = await venue.private.sweep(frozenset({order.venue_client_id}), venue.by)
    ((client_id, txid),) = await venue.accepted()
    assert isinstance(outcome, Unknown)
    assert client_id == order.venue_client_id
    assert txid == sighting.found[order.venue_client_id].venue_order_id


async def test_lost_request_is_a_doubt_that_a_sweep_does_not_find(venue):
    """Never applied: Unknown too, for it looks the same from here; nothing is sent again."""
    await venue.fault("request_lost", call="AddOrder")
    order = venue.order("lost", "50000.0")
    outcome = await venue.place(order)
    sighting = await venue.private.sweep(frozenset({order.venue_client_id}), venue.by)
    assert isinstance(outcome, Unknown)
    assert (sighting.found, await venue.accepted()) == ({}, [])


@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("kind", ["bad_gateway", "error"])
async def test_gateway_pages_and_busy_engines_are_doubts(venue, kind, applied):
    """502 or EService:Unavailable: the order may be there or not, and a look tells."""
    await venue.fault(kind, call="AddOrder", applied=applied)
    order = venue.order("page", "50000.0")
    outcome = await venue.place(order)
    sighting = await venue.private.sweep(frozenset({order.venue_client_id}), venue.by)
    assert isinstance(outcome, Unknown)
    assert applied is (order.venue_client_id in sighting.found)


async def test_delivery_twice_makes_one_order(venue):
    """A proxy that repeats our bytes: the second copy's nonce is dead."""
    await venue.fault("duplicate", call="AddOrder")
    outcome = await venue.place(venue.order("twice", "50000.0"))
    assert isinstance(outcome, Accepted)
    assert len(await venue.accepted()) == 1


async def test_slow_answer_is_a_doubt_and_the_lane_moves_on(venue):
    """Patience over: the next call goes out over another connection, and its nonce fences the slow one off."""
    await venue.fault("delay", call="AddOrder", ms=1500, when="wire")
    order = venue.order("slow", "50000.0")
    outcome = await venue.place(order)
    await venue.private.balances(venue.by)
    await asyncio.sleep(1.3)
    assert isinstance(outcome, Unknown)
    assert await venue.accepted() == []


async def test_cancel_goes_through_mishaps(venue):
    """Lost, busy, a page: repeated until Kraken took it."""
    placed = await venue.place(venue.order("rests", "50000.0"))
    for fault in ({"kind": "request_lost"}, {"kind": "bad_gateway"}, {"kind": "error", "error": "EService:Busy"}):
        await venue.fault(call="CancelOrder", **fault)
    known = replace(venue.order("rests", "50000.0"), venue_order_id=placed.venue_order_id)
    assert CancelTaken(pending=False) == await venue.cancel(known)


async def test_skipped_sequence_reopens_the_private_stream(venue):
    """A jump means something was missed: LinkDown, LinkUp, and a snapshot that knows it."""
    async with aclosing(venue.private.events()) as events:
        await take_until(events, of(OrdersSnapshot))
        await venue.fault("skip_sequence")
        placed = await venue.place(venue.order("rests", "50000.0"))
        taken = await take_until(events, of(OrdersSnapshot))
    assert [LinkDown, ModeSeen, LinkUp, OrdersSnapshot] == [
        type(event) for event in taken if not isinstance(event, ExecutionSeen | Beat | BalancesSnapshot)
    ]
    assert [placed.venue_order_id] == [report.venue_order_id for report in taken[-1].reports]


async def test_fills_of_a_lost_link_come_with_the_next_one(venue):
    """What was filled while nobody listened is told with the snapshot."""
    placed = await venue.place(venue.order("takes", None, "0.01"))
    async with aclosing(venue.private.events()) as events:
        seen = await take_until(events, of(OrdersSnapshot))
    assert {placed.venue_order_id} == {missed.fill.venue_order_id for missed in seen[-1].trades}


async def test_next_life_goes_on_above_the_last_nonce(paper):
    """A process that dies and its successor on the same disk: no nonce is refused."""
    disk = Disk.blank(SeededEntropy(3))
    for _ in range(3):
        async with opened(paper, disk) as venue:
            await venue.private.balances(venue.by)
            calls = await venue.calls()
    assert [("BalanceEx", "")] * 3 == [(call["call"], call["error"]) for call in calls]


async def test_many_callers_never_spoil_a_nonce(venue):
    """A hundred reads and orders at once: every call is accepted."""
    orders = [venue.order(f"o{number}", "50000.0", "0.0002") for number in range(10)]
    outcomes = await asyncio.gather(
        *(venue.place(order) for order in orders), *(venue.private.query(("OX",), venue.by) for _ in range(5))
    )
    assert [Accepted] * 10 == [type(outcome) for outcome in outcomes[:10]]
    assert sorted(client_id for client_id, _ in await venue.accepted()) == sorted(
        order.venue_client_id for order in orders
    )


async def test_too_little_time_sends_nothing(venue):
    """The exchange has not even seen a call."""
    outcome = await venue.place(
        replace(venue.order("late", "50000.0"), entry_deadline_ns=venue.clock.wall_ns() + 10**9)
    )
    assert (Unsent, Reason.DEADLINE_TOO_SHORT) == (type(outcome), outcome.fault.reason)
    assert await venue.calls() == []


async def test_foreign_secret_stops_the_key(paper):
    """A wrong secret: refused once, then silence."""
    disk = Disk.blank(SeededEntropy(3))
    async with opened(paper, disk) as venue:
        private = KrakenPrivate(
            account="main",
            key=paper.api_key,
            secret=Secret("aGVsbG8="),
            key_label="key-1",
            rest_url=paper.rest_url,
            ws_auth_url=paper.ws_auth_url,
            http=venue.http,
            dialer=venue.dialer,
            clock=venue.clock,
            entropy=SeededEntropy(7),
            nonces=MemoryStore(disk),
            tasks=venue.tasks,
            telemetry=silent(),
            public=venue.public,
        )
        for _ in range(2):
            with pytest.raises(Declined) as refusal:
                await private.balances(venue.by)
            assert refusal.value.reason is Reason.VENUE_CREDENTIALS_REJECTED
        assert all(lane.stopped for lane in private.lanes())
        assert len(await venue.calls()) <= 1
