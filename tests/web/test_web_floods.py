"""The HTTP door against those who send too much at once, and beside them clients that behave: these notice nothing."""

import asyncio
import http.client
import re
import resource
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web

from execsvc.rpc.callers import LocalCaller
from execsvc.runtime.clock import RealClock
from execsvc.web import app, listen, turns, visitor
from execsvc.web.probes import Probes
from execsvc.web.visitor import AT_ONCE_MOST, BYTES_MOST, HEADERS, PIECES_MOST, Visitor
from tests.support.simloop import SimTasks

FIGURES = "execsvc_orders_total 3\n"
ASKED = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
# What a kubelet sends: one request, one connection.
PROBE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nUser-Agent: kube-probe/1.33\r\nAccept: */*\r\nConnection: close\r\n\r\n"


@asynccontextmanager
async def opened(metrics=lambda: FIGURES):
    tasks = SimTasks()
    probes = Probes(lambda: "serving", lambda: {"": True}, metrics)
    door = await app.start("127.0.0.1", 0, probes, callers=LocalCaller("main"), clock=RealClock(), tasks=tasks)
    try:
        yield door
    finally:
        await door.close()
        await tasks.close()
        assert [] == tasks.failures


async def dialled(door, *sent):
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    for each in sent:
        writer.write(each)
    return reader, writer


async def answered(reader):
    """The head of the next answer, its body read too."""
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
    return head


async def ended(reader):
    """Everything that came until the other side hung up."""
    got = b""
    with suppress(ConnectionResetError):
        async with asyncio.timeout(10):
            while data := await reader.read(65_536):
                got += data
    return got


async def until(true):
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - the subject knows no event
            await asyncio.sleep(0.01)


# ---- what comes in, before it is parsed ------------------------------------------------------------------------------


class Transport(asyncio.Transport):
    """Takes everything, and notes that it was cut."""

    def __init__(self):
        super().__init__()
        self.cut = False

    def write(self, data):
        """Nobody reads it."""

    def abort(self):
        self.cut = True

    def close(self):
        """Nothing is left to be written."""


async def never(_):
    await asyncio.Event().wait()


@pytest.fixture
async def visit():
    made = Visitor(web.Server(never), RealClock())
    transport = Transport()
    made.connection_made(transport)
    yield made, transport
    made.connection_lost(None)


@pytest.mark.parametrize(
    ("allowed", "more"),
    [
        ([b"G", b"E", b"T", b" ", *[b"/"] * (PIECES_MOST - 4)], b"/"),
        ([b"GET /", b"a" * 5000, b" HTTP/1.1\r\n", *[b"X: " + b"a" * 5000 + b"\r\n"] * 2], b"X: " + b"a" * 2000),
        ([ASKED * AT_ONCE_MOST], ASKED * (AT_ONCE_MOST + 1)),
    ],
    ids=["pieces", "bytes", "at-once"],
)
async def test_a_connection_is_cut_at_each_bound_and_not_before(visit, allowed, more):
    """A request in too many pieces, of too many bytes, or too many of them at once end the connection, unparsed."""
    made, transport = visit
    for piece in allowed:
        made.data_received(piece)
    assert not transport.cut
    made.data_received(more)
    assert (True, True) == (transport.cut, made.ended)


async def test_a_request_taken_up_begins_anew(visit):
    """The bounds are for one request: after each that is taken up the next may be as long."""
    made, transport = visit
    piece = b"\r\n" * 2 * AT_ONCE_MOST
    for _ in range(2 * BYTES_MOST // (PIECES_MOST * len(piece))):
        for _ in range(PIECES_MOST):
            made.data_received(piece)
        with made.asks():
            assert made.asking
    assert (False, False) == (transport.cut, made.asking)


async def test_its_time_begins_with_its_answer(visit):
    """Who was in line for long is not late: patience counts from the answer on."""
    made, _ = visit
    before = made.since
    with made.asks():
        await asyncio.sleep(0.01)
        assert before == made.since
    assert made.since > before


async def test_twenty_thousand_requests_in_one_go_are_hung_up_on():
    """Whoever writes requests without waiting for an answer gets few of them, and the end."""
    async with opened() as door:
        reader, writer = await dialled(door, ASKED * 20_000)
        assert (await ended(reader)).count(b"HTTP/1.1 200") <= AT_ONCE_MOST
        writer.close()


async def test_a_few_requests_in_one_go_are_answered_in_order():
    """A client that pipelines a little, as HTTP allows, is served."""
    async with opened() as door:
        paths = ["/healthz", "/nothing", "/metrics", "/healthz?service=nobody"] * (AT_ONCE_MOST // 4)
        reader, writer = await dialled(
            door, b"".join(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for path in paths)
        )
        heads = [await answered(reader) for _ in paths]
        assert [b"200", b"404", b"200", b"404"] * (AT_ONCE_MOST // 4) == [head.split()[1] for head in heads]
        writer.close()


async def test_dribbling_is_ended_long_before_its_time():
    """A byte at a time is cut off after a few, not after seconds."""
    async with opened() as door:
        reader, writer = await dialled(door)
        ending = asyncio.ensure_future(ended(reader))
        sent = 0
        for byte in ASKED[:-2] + b"X: " + b"a" * 2000:
            if ending.done():
                break
            writer.write(bytes((byte,)))
            sent += 1
            await asyncio.sleep(0.001)
        assert b"" == await ending
        assert PIECES_MOST < sent < 1000
        writer.close()


async def test_an_answer_to_nonsense_says_little():
    """Bytes that are no HTTP get a 400 that repeats none of them, with the headers of every answer."""
    async with opened() as door:
        reader, writer = await dialled(door, b"<script>alert(1)</script>\r\n\r\n")
        head, _, said = (await ended(reader)).decode().partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        told = dict(line.split(": ", 1) for line in lines)
        assert ("400", "this cannot be read as an HTTP request\n") == (first.split()[1], said)
        assert HEADERS == {name: told.get(name) for name in HEADERS}
        writer.close()


async def test_an_answer_that_fails_is_a_500_like_every_answer(caplog):
    """A mistake of ours is logged and not told, and the next request is answered."""

    def fails():
        raise LookupError("the figures are gone")

    async with opened(fails) as door:
        reader, writer = await dialled(door, ASKED.replace(b"/healthz", b"/metrics"))
        told = (await ended(reader)).decode()
        assert (" 500 ", False) == (told[8:13], "gone" in told)
        assert all(f"\r\n{name}: {value}\r\n" in told for name, value in HEADERS.items())
        assert ["the figures are gone"] == [str(each.exc_info[1]) for each in caplog.records]
        writer.close()
        reader, writer = await dialled(door, PROBE)
        assert (await ended(reader)).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()


# ---- how many at once ------------------------------------------------------------------------------------------------


async def test_a_full_door_lets_those_who_are_in_line_be_answered(monkeypatch):
    """Nobody who waits for an answer is ended for a newcomer; the newcomer waits until one of them has it."""
    monkeypatch.setattr(listen, "CONNECTIONS_MOST", 3)
    monkeypatch.setattr(turns, "REST_LEAST_S", 0.1)
    async with opened() as door:
        asking = [await dialled(door, ASKED) for _ in range(6)]
        heads = await asyncio.gather(*(answered(reader) for reader, _ in asking))
        assert [b"200"] * 6 == [head.split()[1] for head in heads]
        for _, writer in asking:
            writer.close()


async def test_whoever_leaves_the_line_leaves_its_place(monkeypatch):
    """A request whose client hung up is not answered and holds no connection."""
    monkeypatch.setattr(turns, "REST_LEAST_S", 30.0)
    monkeypatch.setattr(turns, "REST_MOST_S", 30.0)
    async with opened() as door:
        asking = [await dialled(door, ASKED) for _ in range(4)]
        await answered(asking[0][0])
        await until(lambda: "4 connections" in repr(door.listener))
        for _, writer in asking:
            writer.close()
        await until(lambda: "0 connections" in repr(door.listener))


@pytest.mark.parametrize(("others", "kept"), [(0, True), (listen.CROWD - 1, True), (listen.CROWD, False)])
async def test_in_a_crowd_an_answer_is_the_last_of_its_connection(others, kept):
    """While few are connected they stay; when it fills, each gets its answer and goes, so that others come in."""
    async with opened() as door:
        held = [await dialled(door) for _ in range(others)]
        reader, writer = await dialled(door)
        await until(lambda: f"{others + 1} connections" in repr(door.listener))
        writer.write(ASKED)
        head = await answered(reader)
        assert kept == (b"\r\nconnection: close\r\n" not in head.lower())
        for _, each in [*held, (reader, writer)]:
            each.close()


async def test_without_descriptors_it_waits_and_goes_on(monkeypatch):
    """Where no file descriptor is left, whoever knocks is let in once there is one again."""
    monkeypatch.setattr(listen, "LOOK_EVERY_S", 0.05)
    async with opened() as door:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        _, writer = await dialled(door)
        await until(lambda: "1 connections" in repr(door.listener))
        second = await asyncio.open_connection("127.0.0.1", door.port)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            second[1].write(ASKED)
            await asyncio.sleep(0.15)
            assert "1 connections" in repr(door.listener)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert (await answered(second[0])).startswith(b"HTTP/1.1 200")
        for each in (writer, second[1]):
            each.close()


async def test_closing_waits_for_nobody_in_line(monkeypatch):
    """A door that closes does not make the answers that it has not begun."""
    monkeypatch.setattr(turns, "REST_LEAST_S", 30.0)
    monkeypatch.setattr(turns, "REST_MOST_S", 30.0)
    async with opened() as door:
        asking = [await dialled(door, ASKED) for _ in range(4)]
        await answered(asking[0][0])
        await until(lambda: sum(each.asking for each in door.listener._visitors) == 3)
        async with asyncio.timeout(2):
            await door.close()
        assert [b""] * 4 == [await ended(reader) for reader, _ in asking]
        for _, writer in asking:
            writer.close()


async def test_a_door_that_closes_while_somebody_knocks_is_closed():
    """Nothing listens again after the end, whoever was just being let in."""
    async with opened() as door:
        _, writer = await dialled(door)
        await door.close()
        await asyncio.sleep(3 * listen.ACCEPT_EVERY_S)
        with pytest.raises(ConnectionRefusedError):
            await dialled(door)
        writer.close()


# ---- clients that behave ---------------------------------------------------------------------------------------------


async def test_a_scraper_keeps_its_connection():
    """Two hundred scrapes, one connection, every one of them whole: what Prometheus does in an hour."""

    def scraping():
        scraper = http.client.HTTPConnection("127.0.0.1", door.port, timeout=10)
        scraper.connect()
        mine, told = scraper.sock.getsockname(), set()
        for _ in range(200):
            scraper.request("GET", "/metrics", headers={"Accept-Encoding": "gzip", "User-Agent": "Prometheus/3.5.0"})
            with scraper.getresponse() as answer:
                told.add((answer.status, answer.read().decode(), answer.will_close))
            assert scraper.sock is not None
            assert mine == scraper.sock.getsockname()
        scraper.close()
        return told

    async with opened() as door:
        assert {(200, FIGURES, False)} == await asyncio.to_thread(scraping)


async def test_a_request_by_hand_is_served():
    """Typed line by line, each of them a piece of its own."""
    async with opened() as door:
        reader, writer = await dialled(door)
        for line in (b"GET /healthz HTTP/1.1\r\n", b"Host: localhost\r\n", b"Accept: */*\r\n", b"\r\n"):
            writer.write(line)
            await asyncio.sleep(0.01)
        assert (await answered(reader)).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()


async def test_a_probe_is_served_and_let_go():
    """One request with `Connection: close`: the answer, and the end of the connection."""
    async with opened() as door:
        reader, writer = await dialled(door, PROBE)
        assert (await ended(reader)).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()


async def test_a_probe_does_not_stand_behind_those_who_want_figures(monkeypatch):
    """However long the line for the figures, health has a line of its own."""
    monkeypatch.setattr(turns, "REST_LEAST_S", 0.2)
    made = []
    async with opened(lambda: made.append(1) or FIGURES) as door:
        flood = [await dialled(door, ASKED.replace(b"/healthz", b"/metrics")) for _ in range(listen.CONNECTIONS_MOST)]
        reader, writer = await dialled(door, PROBE)
        assert (await ended(reader)).startswith(b"HTTP/1.1 200 OK\r\n")
        assert len(made) < listen.CONNECTIONS_MOST // 2
        for _, each in [*flood, (reader, writer)]:
            each.close()


async def test_a_probe_gets_in_through_a_flood_of_requests():
    """While sixty connections ask again at once after each answer, a newcomer has its answer too."""
    async with opened() as door:

        async def floods():
            while True:
                with suppress(OSError, asyncio.IncompleteReadError):
                    reader, writer = await dialled(door, ASKED)
                    while b"onnection: close" not in await answered(reader):
                        writer.write(ASKED)
                    writer.close()

        flood = [asyncio.ensure_future(floods()) for _ in range(60)]
        await until(lambda: door.listener.is_crowded)
        for _ in range(3):
            reader, writer = await dialled(door, PROBE)
            assert (await ended(reader)).startswith(b"HTTP/1.1 200 OK\r\n")
            writer.close()
        for each in flood:
            each.cancel()
        await asyncio.gather(*flood, return_exceptions=True)


# ---- the bounds themselves -------------------------------------------------------------------------------------------


def test_the_bounds_of_a_request_leave_room_for_a_proper_one():
    """A line and a header of the greatest length that are read are fewer bytes than the bound; patience is one for both."""
    assert 2 * 8190 <= BYTES_MOST
    assert listen.PATIENCE_S == visitor.KEPT_S


def test_the_page_tells_the_bounds_in_force():
    """docs/reference/doors.md has the figures of the code."""
    page = Path("docs/reference/doors.md").read_text()
    rows = dict(re.findall(r"^\| ((?:one )?HTTP [^|]*?) \| (.*?) \|", page, re.MULTILINE))
    figures = {
        "HTTP connections, handshakes counted": f"{listen.CONNECTIONS_MOST}",
        "one HTTP request": f"{PIECES_MOST} pieces, {BYTES_MOST // 1024} KiB",
        "HTTP requests in one piece": f"{AT_ONCE_MOST}",
        "HTTP connections let in": f"{1 / listen.ACCEPT_EVERY_S:.0f} a second",
        "HTTP answers": f"{1 / turns.REST_LEAST_S:.0f} a second",
    }
    assert figures == rows
    assert f"beyond {listen.CROWD} each gets one answer" in page
    assert (50, "a fiftieth of the time" in page) == (turns.REST_TIMES + 1, True)
