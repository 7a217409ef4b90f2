"""The proxy between real sockets: without a toxic it is not there, and each toxic of bytes does what its name says."""

import asyncio
import os
import socket

import pytest

from tests.support import faultproxy
from tests.support.faultproxy import FaultProxy
from tests.support.toxics import (
    Bandwidth,
    Dose,
    Down,
    DropReply,
    Latency,
    LimitData,
    ResetPeer,
    Slicer,
    SlowClose,
    Timeout,
)
from tests.unit.support.proxybench import dialled, echo_server, now, until

SOON_S = 2.0  # what takes longer than this on loopback was held back


@pytest.fixture
async def echo():
    async with echo_server() as server:
        yield server


@pytest.fixture
async def proxy(echo):
    async with FaultProxy(echo.port) as between:
        yield between


async def test_without_a_toxic_bytes_pass_unchanged(proxy, echo):
    """A megabyte goes there and back."""
    data = os.urandom(1 << 20)
    async with dialled(proxy.port) as line:
        sending = asyncio.create_task(line.say(data))
        assert await line.hear(len(data)) == data
        await sending
    assert echo.received == data


async def test_a_half_closed_connection_stays_half_open(proxy, echo):
    """The client says no more; the server hears of it and may still answer."""
    async with dialled(proxy.port) as line:
        await line.say(b"last word")
        line.writer.write_eof()
        assert await line.rest() == (b"last word", "eof")
    assert echo.ends == ["eof"]


async def test_a_hang_up_is_passed_on_both_ways(proxy, echo):
    """Whoever closes, the other end sees it."""
    async with dialled(proxy.port) as line:
        await line.ask(b"x")
    await until(lambda: echo.ends == ["eof"])
    echo.parting = b"bye"
    async with dialled(proxy.port) as line:
        await line.say(b"x")
        assert await line.rest() == (b"bye", "eof")


async def test_a_reset_is_passed_on(proxy, echo):
    """A client that resets its connection resets the server's."""
    async with dialled(proxy.port) as line:
        await line.ask(b"x")
        raw = line.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        line.writer.transport.abort()
        await until(lambda: echo.ends == ["reset"])
    await until(lambda: not proxy.open_connections)


async def test_a_server_that_is_not_there_is_a_reset():
    """What cannot be passed on is not swallowed."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        async with FaultProxy(nobody.getsockname()[1]) as proxy, dialled(proxy.port) as line:
            assert await line.rest() == (b"", "reset")


async def test_latency_delays_and_does_not_slow_down(proxy):
    """Five chunks that come together arrive together, one delay later."""
    async with dialled(proxy.port) as line:
        proxy.add(Dose(Latency(0.4)))
        began = now()
        for each in range(5):
            await line.say(b"%d" % each)
            await asyncio.sleep(0.01)
        assert await line.hear(5) == b"01234"
        assert 0.4 <= now() - began < 5 * 0.4


async def test_latency_of_one_direction_leaves_the_other_alone(proxy, echo):
    """Upstream late: the server does not have it yet. Downstream late: the server has it, the client has not."""
    async with dialled(proxy.port) as line:
        proxy.add(Dose(Latency(30.0), "upstream"))
        await line.say(b"x")
        assert await line.hears_nothing(0.1)
        assert echo.received == b""
        proxy.clear()
        await line.hear(1)
        proxy.add(Dose(Latency(30.0), "downstream"))
        await line.say(b"y")
        await until(lambda: echo.received == b"xy")
        assert await line.hears_nothing(0.1)
        proxy.clear()
        await line.hear(1)


async def test_bandwidth_takes_its_time(proxy):
    """Twenty thousand bytes at 50,000 a second take 0.4 s, all of them."""
    async with dialled(proxy.port) as line:
        proxy.add(Dose(Bandwidth(50_000)))
        assert 0.39 <= await line.ask(b"x" * 20_000) < 0.4 + SOON_S


async def test_slicer_cuts_into_single_bytes(proxy, echo):
    """What one write sent comes in many reads."""
    async with dialled(proxy.port) as line:
        await line.ask(b"x" * 40)
        assert len(echo.reads) == 1
        proxy.add(Dose(Slicer(1, delay_s=0.002), "upstream"))
        await line.ask(b"y" * 40)
    assert len(echo.reads) > 20


async def test_limit_data_closes_after_so_many_bytes(proxy, echo):
    """Downstream the client, upstream the server gets that many bytes and the end, over several chunks."""
    proxy.add(Dose(LimitData(5)))
    async with dialled(proxy.port) as line:
        await line.ask(b"abc")
        await line.say(b"defg")
        assert await line.rest() == (b"de", "eof")
    await until(lambda: echo.ends == ["eof"])
    proxy.clear()
    echo.reads.clear()
    proxy.add(Dose(LimitData(5), "upstream"))
    async with dialled(proxy.port) as line:
        await line.say(b"abcdefg")
        await until(lambda: len(echo.ends) == 2)
    assert echo.received == b"abcde"


async def test_timeout_lets_nothing_through_and_then_closes(proxy, echo):
    """Silence for its time, then the end at both ends, and not one byte."""
    proxy.add(Dose(Timeout(0.3), "upstream"))
    async with dialled(proxy.port) as line:
        began = now()
        await line.say(b"x")
        assert await line.rest() == (b"", "eof")
        assert 0.3 <= now() - began < 0.3 + SOON_S
    await until(lambda: echo.ends == ["eof"])
    assert echo.received == b""


async def test_timeout_removed_in_time_is_a_network_that_healed(proxy, echo):
    """What stood still goes on, in order, and the connection lives."""
    armed = proxy.add(Dose(Timeout(), "upstream"))
    async with dialled(proxy.port) as line:
        await line.say(b"one ")
        await line.say(b"two")
        assert await line.hears_nothing(0.1)
        assert echo.received == b""
        proxy.remove(armed)
        assert await line.hear(7) == b"one two"


async def test_reset_peer_downstream_resets_the_client_after_the_server_had_it(proxy, echo):
    """The request is carried out, its answer is a reset."""
    proxy.add(Dose(ResetPeer()))
    async with dialled(proxy.port) as line:
        await line.say(b"x")
        assert await line.rest() == (b"", "reset")
    assert echo.received == b"x"
    await until(lambda: len(echo.ends) == 1)


async def test_reset_peer_upstream_resets_the_server_before_it_had_anything(proxy, echo):
    """The request never arrives; the client is cut off."""
    proxy.add(Dose(ResetPeer(0.1), "upstream"))
    async with dialled(proxy.port) as line:
        await line.say(b"x")
        assert (await line.rest())[0] == b""
    await until(lambda: echo.ends == ["reset"])
    assert echo.received == b""


async def test_slow_close_delays_the_hang_up_and_not_the_bytes(proxy, echo):
    """The last words come at once, the end of the connection late."""
    echo.parting = b"bye"
    proxy.add(Dose(SlowClose(0.8)))
    async with dialled(proxy.port) as line:
        began = now()
        await line.say(b"x")
        await line.hear(3)
        heard = now() - began
        assert await line.rest() == (b"", "eof")
        assert heard < 0.7
        assert 0.8 <= now() - began < 0.8 + SOON_S


async def test_down_refuses_connections_and_cuts_off_the_living(proxy, echo):
    """Nobody is listening; once it is removed the same port serves again."""
    async with dialled(proxy.port) as line:
        await line.ask(b"x")
        armed = proxy.add(Dose(Down()))
        assert (await line.rest())[0] == b""
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", proxy.port)
    assert armed.strikes == 1
    proxy.remove(armed)
    async with dialled(proxy.port) as line:
        await line.ask(b"y")
    assert echo.received == b"xy"


async def test_of_two_downs_the_last_one_counts(proxy):
    """It listens again only when the last of them was removed."""
    first, second = proxy.add(Dose(Down())), proxy.add(Dose(Down()))
    proxy.remove(first)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", proxy.port)
    proxy.remove(second)
    async with dialled(proxy.port) as line:
        await line.ask(b"x")


@pytest.mark.parametrize(
    "toxic",
    [Latency(30.0), Bandwidth(1), Slicer(1, delay_s=10.0), LimitData(0), Timeout(20.0), ResetPeer(20.0), SlowClose(9)],
    ids=lambda toxic: type(toxic).__name__,
)
@pytest.mark.parametrize("direction", ["upstream", "downstream"])
async def test_once_removed_a_toxic_does_nothing(proxy, toxic, direction):
    """The next connection, and the one that stood meanwhile, are as quick and whole as ever; the end comes at once."""
    async with dialled(proxy.port) as standing:
        await standing.ask(b"before")
        proxy.remove(proxy.add(Dose(toxic, direction)))
        assert await standing.ask(b"after") < SOON_S
        async with dialled(proxy.port) as fresh:
            assert await fresh.ask(b"z" * 3000) < SOON_S
            began = now()
            fresh.writer.write_eof()
            assert await fresh.rest() == (b"", "eof")
            assert now() - began < SOON_S


@pytest.mark.parametrize(
    "toxic",
    [Latency(30.0), Bandwidth(1), Slicer(1, delay_s=10.0), Timeout(20.0), ResetPeer(20.0)],
    ids=lambda toxic: type(toxic).__name__,
)
async def test_removed_while_it_holds_bytes_it_lets_them_go(proxy, toxic):
    """Nothing waits out the rest of a delay that is not there any more."""
    armed = proxy.add(Dose(toxic))
    async with dialled(proxy.port) as line:
        began = now()
        await line.say(b"held back")
        await asyncio.sleep(0.1)
        assert armed.strikes == 1
        proxy.remove(armed)
        assert await line.hear(9) == b"held back"
        assert now() - began < SOON_S


async def test_skip_and_times_count_connections(proxy):
    """The first gets by, the second is struck, the third gets by."""
    armed = proxy.add(Dose(ResetPeer(), skip=1, times=1))
    ended = []
    for _ in range(3):
        async with dialled(proxy.port) as line:
            await line.say(b"x")
            line.writer.write_eof()
            ended.append(await line.rest())
    assert ended == [(b"x", "eof"), (b"", "reset"), (b"x", "eof")]
    assert armed.strikes == 1


async def test_several_toxics_add_up(proxy, echo):
    """Two delays are one after the other, and a limit counts what the slicer let through."""
    proxy.add(Dose(Latency(0.15)))
    proxy.add(Dose(Latency(0.15)))
    proxy.add(Dose(Slicer(2)))
    proxy.add(Dose(LimitData(7)))
    async with dialled(proxy.port) as line:
        began = now()
        await line.say(b"0123456789")
        assert await line.rest() == (b"0123456", "eof")
        assert 0.3 <= now() - began < 0.3 + SOON_S
    assert echo.received == b"0123456789"


async def test_a_toxic_added_while_bytes_wait_strikes_them(proxy, echo):
    """A reply on its way through a delay meets what was put behind the delay meanwhile."""
    proxy.add(Dose(Latency(0.2)))
    async with dialled(proxy.port) as line:
        await line.say(b"x")
        await until(lambda: echo.received == b"x")
        proxy.add(Dose(ResetPeer()))
        assert await line.rest() == (b"", "reset")


async def test_more_connections_than_the_bound_are_hung_up_on(proxy, monkeypatch):
    """The proxy itself cannot be flooded."""
    monkeypatch.setattr(faultproxy, "CONNECTIONS_MAX", 1)
    async with dialled(proxy.port) as first, dialled(proxy.port) as second:
        await first.ask(b"x")
        assert (await second.rest())[0] == b""
    assert proxy.connections == 2


async def test_closing_ends_every_connection_and_frees_the_port(echo):
    """Nothing is left behind, even with bytes held for a minute."""
    async with FaultProxy(echo.port) as proxy:
        proxy.add(Dose(Latency(60.0)))
        line = await asyncio.open_connection("127.0.0.1", proxy.port)
        line[1].write(b"x")
        await until(lambda: echo.received == b"x")
        began = now()
    assert now() - began < SOON_S
    line[1].close()
    assert proxy.open_connections == 0
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", proxy.port)


async def test_a_proxy_that_reads_no_http_refuses_http_toxics(proxy):
    """A toxic that could never strike is a mistake of the test."""
    with pytest.raises(ValueError, match="does not read HTTP"):
        proxy.add(Dose(DropReply()))
