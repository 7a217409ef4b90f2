"""The kill switch and the list of streams, through both clients: what goes out, and what comes back as values."""

from datetime import UTC, datetime

import pytest
from execsvc_api.v1 import admin_service_pb2, limits_pb2
from execsvc_client import Client, LiveRefused, SyncClient, TradingMode

SET, LIST = "AdminService/SetTradingMode", "AdminService/ListStreams"


def entry(mode, **scope):
    made = limits_pb2.TradingModeEntry(mode=mode, comment="why", set_by="risk")
    made.scope.CopyFrom(limits_pb2.TradingScope(**scope))
    made.set_time.seconds = 1_700_000_000
    return made


@pytest.fixture
def halted(gateway):
    """The gateway takes a halt of BTC/USD and asks seven orders to go."""
    current = entry(limits_pb2.TRADING_MODE_HALTED, symbol="BTC/USD")
    answer = admin_service_pb2.SetTradingModeResponse(current=current, cancel_requested_count=7)
    gateway.script(SET, answer)
    return gateway


async def test_a_halt_goes_out_as_it_was_said(halted):
    """Scope, mode and comment travel as given; the answer says what was before and how many orders were asked to go."""
    async with Client(halted.target, account="main") as client:
        change = await client.set_trading_mode("halted", comment="fat finger", symbol="BTC/USD", caller="bot")
    sent = halted.seen(SET)[0].request
    assert (limits_pb2.TradingScope(caller="bot", symbol="BTC/USD"), 4, "fat finger") == (
        sent.scope,
        sent.mode,
        sent.comment,
    )
    assert (None, TradingMode.HALTED, "BTC/USD", 7) == (
        change.previous,
        change.current.mode,
        change.current.symbol,
        change.cancel_requested_count,
    )
    assert datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC) == change.current.set_time


@pytest.mark.parametrize("unknown", [True, False])
async def test_a_caller_nobody_knows_is_told(halted, unknown):
    """Halted all the same; the program may ask whoever typed the name."""
    current = entry(limits_pb2.TRADING_MODE_HALTED, caller="bto")
    halted.script(SET, admin_service_pb2.SetTradingModeResponse(current=current, caller_unknown=unknown))
    async with Client(halted.target) as client:
        change = await client.set_trading_mode("halted", comment="fat finger", caller="bto")
    assert (unknown, TradingMode.HALTED) == (change.caller_unknown, change.current.mode)


async def test_the_synchronous_client_says_the_same(halted, in_thread):
    """SyncClient sends the same request and reads the same answer; a mode may be given as its enum."""
    halted.script(
        SET,
        admin_service_pb2.SetTradingModeResponse(
            previous=entry(limits_pb2.TRADING_MODE_HALTED, everything=True),
            current=entry(limits_pb2.TRADING_MODE_NORMAL, everything=True),
        ),
    )

    def resume(target):
        with SyncClient(target) as client:
            return client.set_trading_mode(TradingMode.NORMAL, comment="looked into", everything=True)

    change = await in_thread(resume, halted.target)
    assert limits_pb2.TradingScope(everything=True) == halted.seen(SET)[0].request.scope
    assert (TradingMode.HALTED, TradingMode.NORMAL, True) == (
        change.previous.mode,
        change.current.mode,
        change.current.everything,
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"mode": "halted", "comment": "why"}, "whose orders"),
        ({"mode": "halted", "comment": "why", "everything": True, "symbol": "BTC/USD"}, "stands alone"),
        ({"mode": "halted", "comment": " ", "everything": True}, "say why"),
        ({"mode": "stop", "comment": "why", "everything": True}, "one of normal, reduce_only, cancel_only, halted"),
        ({"mode": TradingMode.UNSPECIFIED, "comment": "why", "everything": True}, "one of normal"),
    ],
)
async def test_what_cannot_be_meant_is_refused_before_it_is_sent(halted, arguments, said):
    """A scope of nothing, everything beside something, no comment and no such mode never leave the program."""
    async with Client(halted.target) as client:
        with pytest.raises(ValueError, match=said):
            await client.set_trading_mode(**arguments)
    assert [] == halted.calls


async def test_a_client_for_paper_does_not_touch_the_switch_of_a_live_gateway(halted):
    """As every changing call, it needs allow_live where live money is traded."""
    halted.mode = "live"
    async with Client(halted.target) as client:
        with pytest.raises(LiveRefused):
            await client.set_trading_mode("halted", comment="why", everything=True)
    assert [] == halted.seen(SET)


def streams():
    answer = admin_service_pb2.ListStreamsResponse()
    lagging = answer.streams.add(
        stream_id="a1",
        method="OrderService/SubscribeOrders",
        caller="bot",
        queue_depth=3,
        sent_count=9,
        conflated_count=2,
    )
    lagging.open_time.seconds = 1_700_000_000
    answer.streams.add(stream_id="b2", method="MarketDataService/SubscribeTickers", caller="watch")
    return answer


async def test_streams_are_read_as_values(gateway, in_thread):
    """Both clients give every open stream, oldest first, with what waits for its reader."""
    gateway.script(LIST, streams())

    def ask(target):
        with SyncClient(target) as client:
            return client.list_streams()

    async with Client(gateway.target) as client:
        found = await client.list_streams()
    assert found == await in_thread(ask, gateway.target)
    assert [("a1", "bot", 3, 9, 2), ("b2", "watch", 0, 0, 0)] == [
        (each.stream_id, each.caller, each.queue_depth, each.sent_count, each.conflated_count) for each in found
    ]
    assert [datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), None] == [each.open_time for each in found]
