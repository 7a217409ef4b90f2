"""The Python clients and orders placed by hand: listed and followed with the scope "account", named as any other."""

import asyncio
from contextlib import aclosing

import pytest
from execsvc_client import Client, OpenOrders, OrderScope, OrderStatus, OrderUpdate, SyncClient

from execsvc.domain.order import Status
from tests.rpc.test_rpc_outside import placed_by_hand

SCOPES = {
    "own": ["one"],
    "all_callers": ["one"],
    "account": ["ext-OMAN", "one"],
    OrderScope.ACCOUNT: ["ext-OMAN", "one"],
}


@pytest.fixture
async def client(stage):
    await placed_by_hand(stage)
    async with Client(stage.door.address) as made:
        yield made


@pytest.mark.parametrize("scope", SCOPES, ids=str)
async def test_the_scope_says_whose_orders_are_listed(client, stage, scope):
    """By its word or its number; only "account" has what was placed by hand."""
    await stage.place("one")
    assert SCOPES[scope] == sorted([each.client_order_id async for each in client.orders(scope=scope)])


async def test_one_that_was_listed_is_ended_as_any_other(client, stage):
    """As it came, or by the id it is shown under, which nobody has as a caller."""
    (listed,) = [each async for each in client.orders(scope="account")]
    assert "" == listed.caller
    assert listed == await client.get_order("ext-OMAN")
    ended = await client.cancel(listed)
    assert (OrderStatus.CANCELLED, Status.CANCELLED) == (ended.status, stage.venue.orders["by hand"][0].status)


async def test_a_stream_of_the_account_has_it(client):
    """In its snapshot, and whatever becomes of it."""
    async with aclosing(client.orders_stream(scope="account")) as events:
        shown = []
        async for event in events:
            match event:
                case OpenOrders():
                    shown += [each.client_order_id for each in event.orders]
                    await client.cancel("ext-OMAN")
                case OrderUpdate() if event.order.is_terminal:
                    break
    assert (["ext-OMAN"], OrderStatus.CANCELLED) == (shown, event.order.status)


async def test_another_word_is_refused_before_anything_is_asked(client):
    """With the words there are."""
    with pytest.raises(ValueError, match="own, all_callers, account"):
        await anext(client.orders(scope="mine"))
    with pytest.raises(ValueError, match="own, all_callers, account"):
        client.orders_stream(scope="mine")


async def test_the_synchronous_client_does_the_same(stage):
    """Listing and following."""
    await placed_by_hand(stage)

    def work():
        with SyncClient(stage.door.address) as client:
            followed = next(event for event in client.orders_stream(scope="account") if isinstance(event, OpenOrders))
            return [each.client_order_id for each in (*client.orders(scope="account"), *followed.orders)]

    assert ["ext-OMAN", "ext-OMAN"] == await asyncio.to_thread(work)
