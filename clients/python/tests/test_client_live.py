"""Live money needs a client that was made for it, whenever the gateway turns out to trade it."""

import pytest
from execsvc_client import Client, LiveRefused, Placed, Unavailable

PLACE = "OrderService/PlaceOrder"


async def test_live_gateway_is_refused(gateway, placed):
    """A gateway that trades live takes nothing from a client that was not made for it: not even a cancel."""
    gateway.mode = "live"
    gateway.script(PLACE, placed())
    async with Client(gateway.target) as client:
        with pytest.raises(LiveRefused, match="allow_live=True"):
            await client.buy("BTC/USD", quantity=1, limit_price=1)
        with pytest.raises(LiveRefused):
            await client.cancel("c-1")
        assert (await client.server_info()).mode == "live"
    assert gateway.seen(PLACE) == []
    async with Client(gateway.target, allow_live=True) as client:
        assert isinstance(await client.buy("BTC/USD", quantity=1, limit_price=1), Placed)


async def test_gateway_that_turns_live_is_refused(gateway, placed):
    """The mode is read off every answer: another gateway at the same address is noticed."""
    gateway.script(PLACE, placed())
    async with Client(gateway.target) as client:
        await client.buy("BTC/USD", quantity=1, limit_price=1)
        gateway.mode = "live"
        await client.server_info()
        with pytest.raises(LiveRefused):
            await client.buy("BTC/USD", quantity=1, limit_price=1)
    assert len(gateway.seen(PLACE)) == 1


async def test_mode_is_asked_again_after_a_lost_connection(gateway, placed):
    """After a break the client asks what is there now before it changes anything."""
    gateway.script(PLACE, placed())
    async with Client(gateway.target) as client:
        await client.buy("BTC/USD", quantity=1, limit_price=1)
        await gateway.stop()
        with pytest.raises(Unavailable):
            await client.server_info()
        gateway.mode = "live"
        await gateway.start()
        with pytest.raises(LiveRefused):
            await client.buy("BTC/USD", quantity=1, limit_price=1)
    assert len(gateway.seen(PLACE)) == 1
