"""The Python clients against the real door: batches, lists of cancels, cancel-all, switches."""

import asyncio

import pytest
from execsvc_client import Cleared, Client, NotFound, OrderStatus, Refused, SyncClient

from execsvc.domain.errors import Fault, Reason
from tests.support.venue import Fate

ROWS = [
    {"side": "buy", "quantity": "0.001", "limit_price": "60000.0", "client_order_id": "a"},
    {"side": "sell", "quantity": "0.001", "limit_price": "70000.0", "client_order_id": "b"},
]


@pytest.fixture
async def client(stage):
    async with Client(stage.door.address) as made:
        yield made


async def test_a_batch_has_a_row_for_each(client, stage):
    """Orders as they stand, and the error of a row that was refused, raised by nobody."""
    poor = Fault(Reason.INSUFFICIENT_FUNDS, "not enough", {"asset": "USD", "id_used": "true"})
    stage.venue.plan += [Fate(), Fate(refusal=poor)]
    first, second = await client.place_many("BTC/USD", ROWS)
    assert ("a", True, OrderStatus.OPEN) == (first.client_order_id, first.placed, first.order.status)
    assert (False, None, Refused, "INSUFFICIENT_FUNDS") == (
        second.placed,
        second.order,
        type(second.error),
        second.error.reason,
    )


async def test_a_list_of_cancels_has_a_row_for_each(client):
    """By our id or by Kraken's."""
    first, _ = await client.place_many("BTC/USD", ROWS)
    one, unknown, other = await client.cancel_many([first.order, "never"], order_ids=["O00001"])
    assert [OrderStatus.CANCELLED] * 2 == [one.order.status, other.order.status]
    assert isinstance(unknown.error, NotFound)


async def test_cancel_all_tells_the_counts(client):
    """Own orders unless told otherwise."""
    await client.place_many("BTC/USD", ROWS)
    assert Cleared(2, 2) == await client.cancel_all("XBTUSD")
    assert Cleared(0, 0) == await client.cancel_all()


async def test_a_switch_tells_its_times(client):
    """None: off."""
    armed = await client.dead_mans_switch(60, scope="account")
    off = await client.dead_mans_switch(0, scope="account")
    assert [(True, True), (False, False)] == [
        (each.trigger_time is not None, each.venue_trigger_time is not None) for each in (armed, off)
    ]


async def test_a_scope_nobody_knows_is_refused_before_anything_is_sent(client, stage):
    """By its name."""
    with pytest.raises(ValueError, match="own, all_callers, account"):
        await client.cancel_all(scope="mine")
    assert [] == stage.venue.cancels


async def test_the_synchronous_client_does_the_same(stage):
    """All four."""

    def work():
        with SyncClient(stage.door.address) as client:
            rows = client.place_many("BTC/USD", ROWS)
            (cancelled,) = client.cancel_many(["a"])
            return rows, cancelled, client.cancel_all(), client.dead_mans_switch(60)

    rows, cancelled, cleared, switch = await asyncio.to_thread(work)
    assert ([True, True], OrderStatus.CANCELLED, Cleared(1, 1), None) == (
        [row.placed for row in rows],
        cancelled.order.status,
        cleared,
        switch.venue_trigger_time,
    )
