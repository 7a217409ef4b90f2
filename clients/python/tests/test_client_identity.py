"""What a client is told about its own token or certificate: a type, what to do, and no second try."""

import pytest
from execsvc_client import Client, NotAllowed, NotAuthenticated, NotPermitted, OutcomeUnknown
from grpc import StatusCode

DENIED = StatusCode.PERMISSION_DENIED


async def test_an_unknown_token_is_its_own_error(gateway, fail):
    """UNAUTHENTICATED is NotAuthenticated: it says how to come by a token, and the call goes out once."""
    gateway.script("AccountService/ListBalances", fail(StatusCode.UNAUTHENTICATED, "TOKEN_INVALID"))
    async with Client(gateway.target) as client:
        with pytest.raises(NotAuthenticated) as refused:
            await client.balances()
    assert isinstance(refused.value, NotAllowed)
    assert "EXECSVC_TOKEN_FILE" in refused.value.remedy
    assert refused.value.remedy in str(refused.value)
    assert 1 == len(gateway.seen("AccountService/ListBalances"))


@pytest.mark.parametrize(
    ("reason", "metadata", "said"),
    [
        ("PERMISSION_MISSING", {"permission": "kill", "method": "x"}, "the permission kill"),
        ("ACCOUNT_NOT_GRANTED", {}, "an account that is yours"),
        ("SYMBOL_NOT_GRANTED", {}, "a pair that is yours"),
        ("SYMBOL_NOT_GRANTED", {"granted": "BTC/USD, ETH/USD"}, "(BTC/USD, ETH/USD)"),
        ("PERMISSION_MISSING", {"permission": "trade", "granted": "buy"}, "(buy)"),
        ("A_REASON_OF_TOMORROW", {}, "not execsvc"),
    ],
)
async def test_a_missing_right_says_which(gateway, fail, reason, metadata, said):
    """PERMISSION_DENIED is NotPermitted: which right is missing, or what is granted instead."""
    gateway.script("OrderService/PlaceOrder", fail(DENIED, reason, metadata={"id_used": "false", **metadata}))
    async with Client(gateway.target) as client:
        with pytest.raises(NotPermitted) as refused:
            await client.buy("BTC/USD", quantity="1", market=True)
    assert said in refused.value.remedy
    assert (metadata.get("permission", ""), False) == (refused.value.permission, refused.value.id_used)
    assert 1 == len(gateway.seen("OrderService/PlaceOrder"))


@pytest.mark.parametrize("code", [StatusCode.UNAUTHENTICATED, DENIED])
async def test_a_proxys_no_proves_nothing_and_is_not_tried_again(gateway, fail, code):
    """Without execsvc's own reason the outcome stays unknown, and the same no is not asked for three times more."""
    gateway.script("OrderService/PlaceOrder", fail(code))
    async with Client(gateway.target) as client:
        with pytest.raises(OutcomeUnknown):
            await client.buy("BTC/USD", quantity="1", market=True)
    assert 1 == len(gateway.seen("OrderService/PlaceOrder"))


@pytest.mark.parametrize(("code", "kind"), [(StatusCode.UNAUTHENTICATED, NotAuthenticated), (DENIED, NotPermitted)])
async def test_a_stream_is_not_reopened(gateway, fail, code, kind):
    """A stream that ends for want of a right ends for its reader too, at once."""
    reason = "TOKEN_INVALID" if kind is NotAuthenticated else "PERMISSION_MISSING"
    gateway.script("OrderService/SubscribeOrders", [fail(code, reason)])
    async with Client(gateway.target) as client:
        with pytest.raises(kind):
            async for _ in client.orders_stream():
                pass
    assert 1 == len(gateway.seen("OrderService/SubscribeOrders"))


async def test_a_session_is_not_reopened(gateway, fail):
    """The same of an order session."""
    gateway.script("OrderService/OrderSession", [fail(StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")])
    async with Client(gateway.target) as client:
        with pytest.raises(NotAuthenticated):
            async with client.session():
                pass
    assert 1 == len(gateway.seen("OrderService/OrderSession"))
