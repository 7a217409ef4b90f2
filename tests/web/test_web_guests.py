"""The HTTP door where it is reached from elsewhere, and against those who keep it waiting: tokens, TLS, bounds."""

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest

from execsvc.domain.caller import Permission, alike
from execsvc.domain.errors import Reason, refuse
from execsvc.runtime.clock import RealClock
from execsvc.runtime.tls import Keeper
from execsvc.web import app, listen
from execsvc.web.probes import Probes
from tests.support.certs import Authority, put
from tests.support.simloop import SimTasks

GOOD = "Bearer good"
SERVICES = {"": True, "execsvc.v1.OrderService": False}


class Guests:
    """Knows one token and one certificate name, and notes what it was asked."""

    revision, problems = 0, ()

    def __init__(self, *permissions):
        self._caller = alike("guest", permissions, ("main",))
        self.asked = []

    def recognise(self, meta, peer, names=()):
        self.asked.append((dict(meta), peer, names))
        if meta.get("authorization") == GOOD or "prometheus" in names:
            return self._caller
        raise refuse(Reason.TOKEN_INVALID, "nobody is known by that")

    def describe(self):
        return "guests"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def certified(tmp_path, authority):
    """A server's certificate in files of its own, with the authority of its callers, and whoever keeps it."""
    files = tmp_path / "server.crt", tmp_path / "server.key"
    put(authority.leaf("server"), *files)
    return files, Keeper(*files, authority.certificate, clock=RealClock(), told=lambda *_: None)


@asynccontextmanager
async def elsewhere(callers, tls=None, host="0.0.0.0"):  # noqa: S104 - what is not loopback is the subject
    """A door on every address of this machine: one that is not loopback's."""
    tasks = SimTasks()
    probes = Probes(lambda: "serving", lambda: SERVICES, lambda: "execsvc_orders_total 3\n")
    door = await app.start(host, 0, probes, callers=callers, clock=RealClock(), tasks=tasks, tls=tls)
    try:
        yield door
    finally:
        await door.close()
        await tasks.close()
        assert [] == tasks.failures


async def get(door, path, *, tls=None, headers=()):
    url = f"{'https' if tls else 'http'}://localhost:{door.port}{path}"
    async with aiohttp.ClientSession() as http, http.get(url, ssl=tls or True, headers=headers) as answer:
        return answer.status, await answer.text(), answer.headers


# ---- who may read the figures ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("permission", [Permission.ACCOUNT, Permission.ADMIN])
async def test_a_reader_of_accounts_or_an_admin_gets_the_figures(permission):
    """Outside loopback /metrics is for callers with `account` or `admin`, by the same token as on the gRPC address."""
    callers = Guests(permission)
    async with elsewhere(callers) as door:
        status, text, _ = await get(door, "/metrics", headers={"Authorization": GOOD})
    assert (200, "execsvc_orders_total 3\n") == (status, text)
    assert [({"authorization": GOOD}, "ipv4:[127.0.0.1]:0", ())] == callers.asked


async def test_without_such_a_permission_the_figures_are_refused():
    """Every other permission together is not enough: 403."""
    others = set(Permission) - {Permission.ACCOUNT, Permission.ADMIN}
    async with elsewhere(Guests(*others)) as door:
        status, text, _ = await get(door, "/metrics", headers={"Authorization": GOOD})
    assert (403, "this needs the permission account or admin\n") == (status, text)


@pytest.mark.parametrize(
    "headers",
    [[], [("Authorization", "Bearer bad")], [("Authorization", GOOD), ("Authorization", GOOD)]],
    ids=["none", "unknown", "two"],
)
async def test_an_unknown_reader_is_401(headers):
    """No token, an unknown one, or two of them: 401 and how to come in, and not a word of the figures."""
    async with elsewhere(Guests(Permission.ADMIN)) as door:
        status, text, answered = await get(door, "/metrics", headers=headers)
    assert (401, 'Bearer realm="execsvc"') == (status, answered["WWW-Authenticate"])
    assert "orders" not in text


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/healthz", (200, "serving\n")),
        ("/healthz?service=execsvc.v1.OrderService", (503, "not serving\n")),
        ("/healthz?service=nobody", (404, "no such service\n")),
    ],
)
async def test_health_says_little_to_strangers(path, expected):
    """A balancer needs no token, and is told nothing but the state that it asked for."""
    async with elsewhere(Guests()) as door:
        status, text, _ = await get(door, path)
    assert expected == (status, text)


async def test_any_name_is_answered_outside_loopback():
    """In a container the name is not known here, so it is not judged; another origin still is."""
    async with elsewhere(Guests()) as door:
        named, _, _ = await get(door, "/healthz", headers={"Host": "gateway.internal"})
        foreign, _, _ = await get(door, "/healthz", headers={"Origin": "https://evil.example"})
    assert (200, 403) == (named, foreign)


# ---- TLS -------------------------------------------------------------------------------------------------------------


def trusting(authority, leaf=None):
    trusted = ssl.create_default_context(cadata=authority.pem.decode())
    if leaf is not None:
        trusted.load_cert_chain(leaf.certificate, leaf.key)
    return trusted


async def test_with_tls_the_figures_are_served_over_it(authority, certified):
    """The same certificate as the gRPC address has; a token as everywhere."""
    async with elsewhere(Guests(Permission.ADMIN), certified[1].context) as door:
        status, _, _ = await get(door, "/metrics", tls=trusting(authority), headers={"Authorization": GOOD})
        assert (200, f"https://0.0.0.0:{door.port}") == (status, door.url)


async def test_a_callers_certificate_is_an_identity(authority, certified):
    """A scraper may come with a certificate instead of a token: its verified name is the caller."""
    leaf = authority.leaf("scraper", common="someone", sans=("DNS:prometheus",))
    async with elsewhere(Guests(Permission.ADMIN), certified[1].context) as door:
        status, _, _ = await get(door, "/metrics", tls=trusting(authority, leaf))
    assert 200 == status


async def test_a_certificate_that_another_signed_is_no_identity(authority, certified, tmp_path):
    """The right name, signed by somebody else: the handshake fails."""
    leaf = Authority(tmp_path / "other", "other-ca").leaf("scraper", sans=("DNS:prometheus",))
    async with elsewhere(Guests(Permission.ADMIN), certified[1].context) as door:
        with pytest.raises(aiohttp.ClientError):
            await get(door, "/metrics", tls=trusting(authority, leaf))


async def test_plaintext_is_not_answered_where_tls_is_on(certified):
    """Nobody is served in plaintext there."""
    async with elsewhere(Guests(Permission.ADMIN), certified[1].context) as door:
        with pytest.raises(aiohttp.ClientError):
            await get(door, "/healthz")


async def test_a_new_certificate_is_presented_without_a_restart(authority, certified):
    """The next handshake after a change of the files is done with the new one."""
    files, keeper = certified
    second = authority.leaf("second")
    async with elsewhere(Guests(), keeper.context) as door:
        first_seen = await presented(door, authority)
        put(second, *files)
        keeper.look()
        second_seen = await presented(door, authority)
    assert first_seen != second_seen == ssl.PEM_cert_to_DER_cert(second.certificate.read_text())


async def presented(door, authority):
    _, writer = await asyncio.open_connection(
        "127.0.0.1", door.port, ssl=trusting(authority), server_hostname="localhost"
    )
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return shown


# ---- those who keep it waiting ---------------------------------------------------------------------------------------


@pytest.fixture
def hurried(monkeypatch):
    monkeypatch.setattr(listen, "PATIENCE_S", 0.3)
    monkeypatch.setattr(listen, "LOOK_EVERY_S", 0.02)


async def ended_after(reader, began):
    with suppress(ConnectionResetError):
        async with asyncio.timeout(5):
            while await reader.read(1000):
                pass
    return asyncio.get_running_loop().time() - began


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /heal", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: "],
    ids=["nothing", "half-a-line", "half-a-header"],
)
async def test_a_request_that_does_not_come_is_not_waited_for(hurried, sent):
    """However little was sent, the connection is closed when its time is over."""
    async with elsewhere(Guests()) as door:
        began = asyncio.get_running_loop().time()
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(sent)
        assert 0.3 <= await ended_after(reader, began) < 2
        writer.close()


async def test_dribbling_wins_no_time(hurried):
    """A byte now and then does not put the end off."""
    async with elsewhere(Guests()) as door:
        began = asyncio.get_running_loop().time()
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)

        async def dribble():
            for byte in b"GET /healthz HTTP/1.1\r\nX-Slow: " + b"a" * 1000:
                writer.write(bytes((byte,)))
                await asyncio.sleep(0.02)

        dribbling = asyncio.ensure_future(dribble())
        assert 0.3 <= await ended_after(reader, began) < 2
        dribbling.cancel()
        writer.close()


async def test_a_connection_that_keeps_asking_stays(hurried):
    """A scraper that asks again in time keeps its connection."""
    async with elsewhere(Guests()) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        for _ in range(8):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await reader.readuntil(b"serving\n")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.1)
        writer.close()


async def test_a_handshake_that_stalls_is_not_waited_for(certified, monkeypatch):
    """A connection that never says hello in TLS is closed."""
    monkeypatch.setattr(listen, "HANDSHAKE_S", 0.2)
    async with elsewhere(Guests(), certified[1].context) as door:
        began = asyncio.get_running_loop().time()
        reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
        assert 0.2 <= await ended_after(reader, began) < 2
        writer.close()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "stalled-handshakes"])
async def test_whoever_was_waited_for_longest_makes_room(certified, monkeypatch, secure):
    """Beyond the bound, handshakes counted, each newcomer takes the place of the connection that is silent for longest."""
    monkeypatch.setattr(listen, "CONNECTIONS_MOST", 5)
    async with elsewhere(Guests(), certified[1].context if secure else None) as door:
        held = []
        for _ in range(7):
            held.append(await asyncio.open_connection("127.0.0.1", door.port))
            await asyncio.sleep(0.02)
        for reader, _ in held[:2]:
            assert await ended_after(reader, asyncio.get_running_loop().time()) < 1
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(held[2][0].read(1), 0.1)
        assert [True] * 2 + [False] * 5 == [reader.at_eof() or reader.exception() is not None for reader, _ in held]
        for _, writer in held:
            writer.close()


async def test_a_handshake_is_done_in_a_crowd_of_those_that_stall(authority, certified):
    """Who comes with TLS is served while every place is held by connections that never say hello."""
    async with elsewhere(Guests(), certified[1].context) as door:
        held = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(listen.CONNECTIONS_MOST)]
        status, _, _ = await get(door, "/healthz", tls=trusting(authority))
        assert 200 == status
        for _, writer in held:
            writer.close()


async def test_headers_are_bounded(caplog):
    """Headers that are too long or too many are a 400 and the end of the connection, and no log repeats them."""
    async with elsewhere(Guests()) as door:
        for huge in (b"X: " + b"a" * 9000 + b"\r\n", b"".join(b"X%d: a\r\n" % number for number in range(1000))):
            reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + huge + b"\r\n")
            answer = await asyncio.wait_for(reader.read(), 5)
            assert b" 400 Bad Request" in answer.partition(b"\r\n")[0]
            writer.close()
    assert [] == caplog.records
