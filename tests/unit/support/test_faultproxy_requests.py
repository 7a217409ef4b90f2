"""The toxics that know HTTP, in front of an aiohttp server: what is carried out, how often, and what the client is told."""

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest

from tests.support.faultproxy import FaultProxy
from tests.support.toxics import Dose, DropReply, Duplicate, LimitData, Overtake, ReplacePage, Slicer
from tests.unit.support.proxybench import browser, dialled, now, until, web_server

SOON_S = 2.0


@pytest.fixture
async def server():
    async with web_server() as running:
        yield running


@pytest.fixture
async def proxy(server):
    async with FaultProxy(server.port, http=True) as between:
        yield between


@pytest.fixture
async def client(proxy):
    async with browser(proxy.port) as session:
        yield session


def sliced(proxy):
    """Byte by byte, both ways."""
    proxy.add(Dose(Slicer(1), "upstream"))
    proxy.add(Dose(Slicer(1), "downstream"))


@pytest.mark.parametrize("in_slices", [False, True])
async def test_without_a_toxic_requests_and_answers_pass(proxy, server, client, in_slices):
    """Several on one connection that is kept alive, whole or byte by byte, with and without a length or a body."""
    if in_slices:
        sliced(proxy)
    assert [await client.post("Add", body) for body in ("a", "b", "c" * 300)] == [
        (200, "1: a"),
        (200, "2: b"),
        (200, "3: " + "c" * 300),
    ]
    async with client.session.get(f"{client.url}/chunks") as answer:
        assert await answer.text() == "one two three"
    async with client.session.get(f"{client.url}/nothing") as answer:
        assert (answer.status, await answer.read()) == (204, b"")
    async with client.session.head(f"{client.url}/private/Add") as answer:
        assert (answer.status, await answer.read()) == (200, b"")
    assert (await client.post("Add", "d"))[1] == "5: d"
    assert proxy.connections == 1
    assert [request.message.path for request in proxy.sent][:2] == ["/private/Add", "/private/Add"]


async def test_pipelined_requests_are_answered_in_their_order(proxy, server):
    """Two requests in one write are two requests."""
    both = b"".join(
        b"POST /private/Add HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n%b" % body for body in (b"a", b"b")
    )
    async with dialled(proxy.port) as line:
        await line.say(both)
        heard = b""
        while heard.count(b"HTTP/1.1 200") < 2 or not heard.endswith(b"2: b"):
            heard += await line.hear(1)
    assert heard.index(b"1: a") < heard.index(b"2: b")


async def test_a_websocket_passes_a_proxy_that_reads_http(proxy, client):
    """After the upgrade its frames are bytes."""
    async with client.session.ws_connect(f"{client.url}/socket") as line:
        for word in ("hello", "again"):
            await line.send_str(word)
            assert await line.receive_str(timeout=5) == word.upper()


@pytest.mark.parametrize("in_slices", [False, True])
async def test_a_dropped_reply_was_carried_out(proxy, server, client, in_slices):
    """The server did it, the client is cut off."""
    if in_slices:
        sliced(proxy)
    proxy.add(Dose(DropReply("/Add"), times=1))
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.post("Add", "a")
    assert server.done == ["a"]
    assert await client.post("Add", "b") == (200, "2: b")


async def test_a_silently_dropped_reply_leaves_the_client_waiting(proxy, server, client):
    """The server did it, the client hears nothing until its patience is over."""
    proxy.add(Dose(DropReply(silent=True), times=1))
    with pytest.raises(TimeoutError):
        await client.post("Add", "a", timeout_s=0.3)
    assert server.done == ["a"]
    assert await client.post("Add", "b") == (200, "2: b")


@pytest.mark.parametrize("status", [502, 520])
@pytest.mark.parametrize("in_slices", [False, True])
async def test_a_replaced_page_was_carried_out(proxy, server, client, status, in_slices):
    """The server did it, an HTML page of the edge is the answer, and the connection lives."""
    if in_slices:
        sliced(proxy)
    proxy.add(Dose(ReplacePage(status, "/Add"), times=1))
    told, text = await client.post("Add", "a")
    assert (told, text.startswith("<!DOCTYPE html>"), str(status) in text) == (status, True, True)
    assert server.done == ["a"]
    assert await client.post("Add", "b") == (200, "2: b")
    assert proxy.connections == 1


@pytest.mark.parametrize(("told", "expected"), [("first", "1: a"), ("second", "2: a")])
@pytest.mark.parametrize("in_slices", [False, True])
async def test_a_duplicate_arrives_twice_and_one_answer_is_told(proxy, server, client, told, expected, in_slices):
    """Both were carried out, on two connections; the client sees the first or the second answer."""
    if in_slices:
        sliced(proxy)
    proxy.add(Dose(Duplicate("/Add", told), times=1))
    assert await client.post("Add", "a") == (200, expected)
    await until(lambda: server.done == ["a", "a"])
    assert len(server.peers) == 2
    assert [request.number for request in proxy.sent] == [1, 1]
    assert await client.post("Add", "b") == (200, "3: b")


async def test_a_duplicate_may_come_later(proxy, server, client):
    """The copy of a request that was answered long ago."""
    proxy.add(Dose(Duplicate("/Add", after_s=0.2), times=1))
    assert await client.post("Add", "a") == (200, "1: a")
    assert await client.post("Add", "b") == (200, "2: b")
    await until(lambda: server.done == ["a", "b", "a"])


async def test_a_held_request_is_overtaken_by_the_next(proxy, server, client):
    """The later one is carried out and answered first; each client gets its own answer."""
    proxy.add(Dose(Overtake("/Add", hold_s=30.0), times=1))
    first = asyncio.create_task(client.post("Add", "a"))
    await until(lambda: len(proxy.asked) == 1)
    assert await client.post("Add", "b") == (200, "1: b")
    assert await asyncio.wait_for(first, SOON_S) == (200, "2: a")
    assert [request.message.body for request in proxy.asked] == [b"a", b"b"]
    assert [request.message.body for request in proxy.sent] == [b"b", b"a"]


async def test_a_held_request_arrives_although_its_client_gave_up(proxy, server, client):
    """It is on its way: hanging up does not call it back."""
    proxy.add(Dose(Overtake("/Add", hold_s=30.0), times=1))
    with pytest.raises(TimeoutError):
        await client.post("Add", "a", timeout_s=0.2)
    assert server.done == []
    assert await client.post("Other", "b") == (200, "1: b")
    await until(lambda: server.done == ["b", "a"], SOON_S)


async def test_a_held_request_is_not_held_for_ever(proxy, server, client):
    """When nobody comes after it, it goes on after its time."""
    proxy.add(Dose(Overtake(hold_s=0.3), times=1))
    began = now()
    assert await client.post("Add", "a") == (200, "1: a")
    assert 0.3 <= now() - began < 2.0


@pytest.mark.parametrize(
    "toxic",
    [DropReply(), ReplacePage(), Duplicate(), Overtake(hold_s=30.0)],
    ids=lambda toxic: type(toxic).__name__,
)
async def test_once_removed_a_toxic_of_requests_does_nothing(proxy, server, client, toxic):
    """Carried out once, answered at once, by the server itself."""
    armed = proxy.add(Dose(toxic))
    proxy.remove(armed)
    began = now()
    assert await client.post("Add", "a") == (200, "1: a")
    assert now() - began < 1.0
    await asyncio.sleep(0.05)
    assert (server.done, armed.strikes) == (["a"], 0)


async def test_removed_while_it_holds_a_request_it_lets_it_go(proxy, server, client):
    """Nothing waits for somebody to overtake it any more."""
    armed = proxy.add(Dose(Overtake(hold_s=30.0)))
    asking = asyncio.create_task(client.post("Add", "a"))
    await until(lambda: armed.strikes == 1)
    proxy.remove(armed)
    assert await asyncio.wait_for(asking, 2.0) == (200, "1: a")


async def test_a_toxic_added_while_a_request_is_under_way_strikes_its_answer(proxy, server, client):
    """What becomes of an answer is decided when the answer comes."""
    held = proxy.add(Dose(Overtake(hold_s=5.0)))
    asking = asyncio.create_task(client.post("Add", "a"))
    await until(lambda: held.strikes == 1)
    proxy.add(Dose(ReplacePage(520)))
    proxy.remove(held)
    assert (await asking)[0] == 520
    assert server.done == ["a"]


async def test_a_path_chooses_and_counts_requests(proxy, server, client):
    """Only requests whose path ends so are looked at; `skip` and `times` count those."""
    armed = proxy.add(Dose(ReplacePage(502, "/Add"), skip=1, times=1))
    statuses = [(await client.post(call, call))[0] for call in ("Other", "Add", "Other", "Add", "Add")]
    assert statuses == [200, 200, 200, 502, 200]
    assert armed.strikes == 1


async def test_a_request_that_never_went_on_whole_is_not_told_as_sent(proxy, server, client):
    """`asked` is what the client said, `sent` what the server was given."""
    armed = proxy.add(Dose(LimitData(20), "upstream"))
    with pytest.raises(aiohttp.ClientError):
        await client.post("Add", "a")
    proxy.remove(armed)
    await client.post("Add", "b")
    assert [request.message.body for request in proxy.asked] == [b"a", b"b"]
    assert [request.message.body for request in proxy.sent] == [b"b"]
    assert server.done == ["b"]


async def test_one_can_wait_for_a_request_to_be_sent(proxy, server, client):
    """True as soon as it went on, false when it did not in time."""
    waiting = asyncio.create_task(proxy.until_sent("/Add", 2))
    await client.post("Add", "a")
    assert not await proxy.until_sent("/Add", 2, within_s=0.05)
    await client.post("Add", "b")
    assert await waiting


@asynccontextmanager
async def raw_server(serve):
    """A server of this test's own making, behind a proxy."""
    async with (
        await asyncio.start_server(serve, "127.0.0.1", 0) as raw,
        FaultProxy(raw.sockets[0].getsockname()[1], http=True) as proxy,
    ):
        yield proxy


async def test_a_client_that_hangs_up_does_not_cut_off_its_request():
    """The server hears of the hang-up when it has answered, not while it works."""
    story = []

    async def slow(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        gone = asyncio.create_task(reader.read())
        await asyncio.wait({gone}, timeout=0.3)
        story.append("cut off" if gone.done() else "left alone")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        story.append(await gone)
        writer.close()

    async with raw_server(slow) as proxy:
        async with dialled(proxy.port) as line:
            await line.say(b"GET / HTTP/1.1\r\n\r\n")
            await proxy.until_sent("/")
        await until(lambda: story == ["left alone", b""])


async def test_a_server_that_hangs_up_ends_the_waiting_for_its_answer():
    """Nothing is kept for an answer that cannot come."""

    async def mute(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with raw_server(mute) as proxy:
        async with dialled(proxy.port) as line:
            await line.say(b"GET / HTTP/1.1\r\n\r\n")
            assert await line.rest() == (b"", "eof")
        await until(lambda: not proxy.open_connections, SOON_S)


async def test_a_server_that_hangs_up_in_the_middle_is_passed_on():
    """A torn answer reaches the client torn, and its connection ends."""

    async def torn(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        writer.close()

    async with raw_server(torn) as proxy, dialled(proxy.port) as line:
        await line.say(b"GET / HTTP/1.1\r\n\r\n")
        assert await line.rest() == (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "eof")
