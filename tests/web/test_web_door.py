"""The HTTP door on a real loopback socket: two pages, and guards around them."""

import asyncio

import aiohttp
import pytest
import pytest_asyncio

from execsvc.rpc.callers import LocalCaller
from execsvc.runtime.clock import RealClock
from execsvc.web import app
from execsvc.web.probes import Probes
from tests.support.simloop import SimTasks


class World:
    def __init__(self):
        self.phase = "serving"
        self.services = {"": True, "execsvc.v1.OrderService": False, "execsvc.v1.MarketDataService": True}

    def probes(self):
        return Probes(lambda: self.phase, lambda: self.services, lambda: "execsvc_orders_total 3\n")


@pytest.fixture
def world():
    return World()


@pytest_asyncio.fixture
async def tasks():
    owned = SimTasks()
    yield owned
    await owned.close()
    assert [] == owned.failures


async def opened_at(world, tasks, port=0):
    return await app.start(
        "127.0.0.1", port, world.probes(), callers=LocalCaller("main"), clock=RealClock(), tasks=tasks
    )


@pytest_asyncio.fixture
async def door(world, tasks):
    opened = await opened_at(world, tasks)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def http():
    async with aiohttp.ClientSession() as session:
        yield session


async def test_healthz_tells_phase_and_every_service(door, http):
    """/healthz answers 200 with the phase and each service's state while the process is alive."""
    async with http.get(f"{door.url}/healthz") as answer:
        said = await answer.json()
    expected = {
        "phase": "serving",
        "alive": True,
        "services": {"execsvc.v1.OrderService": "NOT_SERVING", "execsvc.v1.MarketDataService": "SERVING"},
    }
    assert (200, expected) == (answer.status, said)


@pytest.mark.parametrize(
    ("service", "status"),
    [("execsvc.v1.OrderService", 503), ("execsvc.v1.MarketDataService", 200), ("nobody", 404), ("", 200)],
)
async def test_healthz_of_one_service(door, http, service, status):
    """/healthz?service= answers for that service alone: 200 serving, 503 not, 404 unknown."""
    async with http.get(f"{door.url}/healthz", params={"service": service}) as answer:
        assert status == answer.status


async def test_healthz_is_503_once_draining(world, door, http):
    """A service that is not alive answers 503, so that a balancer looks elsewhere."""
    world.phase, world.services = "draining", dict.fromkeys(world.services, False)
    async with http.get(f"{door.url}/healthz") as answer:
        assert (503, "draining", False) == (answer.status, *[(await answer.json())[key] for key in ("phase", "alive")])


async def test_metrics_are_the_callables_text(door, http):
    """/metrics serves the text that was handed in, as Prometheus reads it."""
    async with http.get(f"{door.url}/metrics") as answer:
        assert ("execsvc_orders_total 3\n", "text/plain; version=0.0.4; charset=utf-8") == (
            await answer.text(),
            answer.headers["Content-Type"],
        )


@pytest.mark.parametrize("path", ["/", "/execsvc.v1.OrderService/PlaceOrder", "/healthz/", "/%2e%2e/etc/passwd"])
async def test_anything_else_is_404_with_help(door, http, path):
    """What is not served says in one line what is."""
    async with http.get(f"{door.url}{path}") as answer:
        assert (404, app.HELP) == (answer.status, await answer.text())


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/elsewhere"])
async def test_every_answer_carries_the_security_headers(door, http, path):
    """No answer may be framed, sniffed, cached or attributed to a library's version."""
    async with http.get(f"{door.url}{path}") as answer:
        assert app.HEADERS == {name: answer.headers.get(name) for name in app.HEADERS}


async def test_only_reading_is_allowed(door, http):
    """A method that could change something is 405."""
    async with http.post(f"{door.url}/healthz") as answer:
        assert (405, "GET, HEAD") == (answer.status, answer.headers["Allow"])


async def test_a_body_is_refused(door, http):
    """Nothing here reads a body, so one is refused unread."""
    async with http.get(f"{door.url}/healthz", data=b"x" * 4096) as answer:
        assert 413 == answer.status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:9", 200),
        ("[::1]:1", 200),
        ("rebind.example", 421),
        ("127.0.0.1.rebind.example", 421),
        ("10.0.0.1", 421),
        ("[", 421),
    ],
)
async def test_a_loopback_door_answers_to_its_own_name_only(door, http, host, status):
    """A browser that was led here by another name gets nothing: DNS rebinding fails."""
    async with http.get(f"{door.url}/healthz", headers={"Host": host}) as answer:
        assert status == answer.status


@pytest.mark.parametrize(("origin", "status"), [(None, 200), ("http://evil.example", 403), ("null", 403)])
async def test_another_origin_is_refused(door, http, origin, status):
    """A page of another origin may not read the figures."""
    headers = {} if origin is None else {"Origin": origin}
    async with http.get(f"{door.url}/metrics", headers=headers) as answer:
        assert status == answer.status


async def test_its_own_origin_is_served(door, http):
    """A page this door served itself may ask it."""
    async with http.get(f"{door.url}/metrics", headers={"Origin": door.url}) as answer:
        assert 200 == answer.status


async def test_a_taken_port_fails_by_name(world, door, tasks):
    """A second door on the same port does not start, and the error names the address."""
    with pytest.raises(OSError, match=rf"127\.0\.0\.1:{door.port}.*in use"):
        await opened_at(world, tasks, door.port)


async def test_a_closed_door_frees_its_port(world, tasks):
    """After close() the port can be opened again at once."""
    first = await opened_at(world, tasks)
    await first.close()
    second = await opened_at(world, tasks, first.port)
    await second.close()
    assert first.port == second.port


async def test_close_does_not_wait_for_idle_connections(world, tasks):
    """A kept-alive connection of a scraper does not hold the process up."""
    opened = await opened_at(world, tasks)
    reader, writer = await asyncio.open_connection("127.0.0.1", opened.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    async with asyncio.timeout(1):
        await opened.close()
    writer.close()
