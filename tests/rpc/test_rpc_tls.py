"""TLS of the gRPC door on real sockets: who is let in, who a certificate is, and a new certificate without a restart."""

import socket
import ssl
from contextlib import asynccontextmanager

import grpc
import pytest
from execsvc_api.v1 import admin_service_pb2 as admin
from execsvc_api.v1 import admin_service_pb2_grpc as admin_stub
from execsvc_api.v1 import market_data_service_pb2 as market
from execsvc_api.v1 import market_data_service_pb2_grpc as market_stub

from execsvc.rpc import server
from execsvc.rpc.callers import LocalCaller
from execsvc.rpc.tls import names
from execsvc.runtime.clock import RealClock
from execsvc.runtime.tls import Keeper
from tests.rpc.stage import stage as open_stage
from tests.support.certs import Authority, put

# What a client reads when it is the server that ends the handshake: a version its own library refuses reads otherwise.
TURNED_AWAY = dict.fromkeys(("UNEXPECTED_EOF_WHILE_READING", "TLSV1_ALERT_PROTOCOL_VERSION", ""), "turned away")


class Noting(LocalCaller):
    """Everybody is let in, and what the door said of each is kept."""

    def __init__(self):
        super().__init__("main", anywhere=True)
        self.seen = []

    def recognise(self, meta, peer, names=()):
        self.seen.append(names)
        return self._caller


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("stranger"), "other-ca").leaf("stranger", sans=("DNS:trader.internal",))


@pytest.fixture
def files(tmp_path, authority):
    certificate, key = tmp_path / "server.crt", tmp_path / "server.key"
    put(authority.leaf("server"), certificate, key)
    return certificate, key


@asynccontextmanager
async def tls_door(files, client_ca=None, callers=None):
    """A door with TLS, and the keeper of its certificate."""
    keeper = Keeper(*files, client_ca, clock=RealClock(), told=lambda *_: None)
    async with open_stage(callers=callers or LocalCaller("main")) as stage:
        door = await server.start("127.0.0.1:0", stage.services, pairs=keeper)
        try:
            yield door, keeper
        finally:
            await door.stop(0.2)


@asynccontextmanager
async def dialled(door, root, leaf=None):
    key, certificate = leaf.pems() if leaf else (None, None)
    trusted = grpc.ssl_channel_credentials(root, key, certificate)
    async with grpc.aio.secure_channel(f"localhost:{door.port}", trusted, (("grpc.enable_retries", 0),)) as channel:
        yield channel


async def info(channel):
    return await admin_stub.AdminServiceStub(channel).GetServerInfo(admin.GetServerInfoRequest(), timeout=5)


async def refused(channel):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await info(channel)
    return caught.value.code()


async def presented(door, root):
    """The certificate of a fresh handshake, in PEM."""
    trusted = ssl.create_default_context(cadata=root.decode())
    trusted.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(("127.0.0.1", door.port)) as plain,
        trusted.wrap_socket(plain, server_hostname="localhost") as spoken,
    ):
        return ssl.DER_cert_to_PEM_cert(spoken.getpeercert(binary_form=True))


def body(pem):
    return "".join(pem.split())


# ---- who is let in ---------------------------------------------------------------------------------------------------


async def test_a_client_that_trusts_the_authority_is_answered(files, authority):
    """With TLS the whole contract is served as without."""
    async with tls_door(files) as (door, _), dialled(door, authority.pem) as channel:
        assert "0.1.0" == (await info(channel)).version


async def test_a_unix_socket_stays_in_plaintext(files, tmp_path):
    """Nobody listens in on a socket that its owner alone can open, so it has no TLS, whatever the files."""
    keeper = Keeper(*files, None, clock=RealClock(), told=lambda *_: None)
    async with open_stage() as stage:
        door = await server.start(f"unix:{tmp_path / 'door'}", stage.services, pairs=keeper)
        async with grpc.aio.insecure_channel(door.address) as channel:
            assert "0.1.0" == (await info(channel)).version
        await door.stop(0.2)


async def test_plaintext_is_not_answered(files):
    """Nobody is served in plaintext where TLS is on."""
    async with tls_door(files) as (door, _), grpc.aio.insecure_channel(door.address) as channel:
        assert grpc.StatusCode.UNAVAILABLE is await refused(channel)


async def test_a_client_of_another_authority_turns_away(files, stranger):
    """A client that does not trust the certificate sends nothing."""
    async with tls_door(files) as (door, _), dialled(door, stranger.certificate.read_bytes()) as channel:
        assert grpc.StatusCode.UNAVAILABLE is await refused(channel)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize(
    ("version", "spoken"),
    [("TLSv1_1", "turned away"), ("TLSv1_2", "TLSv1.2 h2"), ("TLSv1_3", "TLSv1.3 h2")],
)
async def test_tls_before_1_2_is_refused(files, authority, version, spoken):
    """TLS 1.2 and 1.3 are spoken, with HTTP/2 above; the server itself turns away what is older."""
    trusted = ssl.create_default_context(cadata=authority.pem.decode())
    trusted.set_ciphers("ALL:@SECLEVEL=0")
    trusted.set_alpn_protocols(["h2"])
    trusted.minimum_version = ssl.TLSVersion.TLSv1
    trusted.maximum_version = ssl.TLSVersion[version]
    async with tls_door(files) as (door, _):
        try:
            with (
                socket.create_connection(("127.0.0.1", door.port)) as plain,
                trusted.wrap_socket(plain, server_hostname="localhost") as secured,
            ):
                told = f"{secured.version()} {secured.selected_alpn_protocol()}"
        except (ssl.SSLError, ConnectionResetError) as failure:
            told = TURNED_AWAY.get(getattr(failure, "reason", ""), repr(failure))
    assert spoken == told


# ---- certificates of callers -----------------------------------------------------------------------------------------


async def test_a_caller_without_a_certificate_is_refused_where_an_authority_is_named(files, authority):
    """With an authority of callers a certificate is demanded before the first byte of a call."""
    async with tls_door(files, authority.certificate) as (door, _), dialled(door, authority.pem) as channel:
        assert grpc.StatusCode.UNAVAILABLE is await refused(channel)


async def test_a_certificate_of_another_authority_is_refused(files, authority, stranger):
    """The right name in a certificate that somebody else signed is worth nothing."""
    callers = Noting()
    async with (
        tls_door(files, authority.certificate, callers) as (door, _),
        dialled(door, authority.pem, stranger) as channel,
    ):
        assert grpc.StatusCode.UNAVAILABLE is await refused(channel)
    assert [] == callers.seen


@pytest.mark.parametrize(
    ("sans", "expected"),
    [
        (("DNS:trader.internal",), ("trader.internal",)),
        (("URI:spiffe://house/trader", "DNS:trader.internal"), ("spiffe://house/trader", "trader.internal")),
        (("IP:127.0.0.1", "email:trader@house"), ("trader",)),
        ((), ("trader",)),
    ],
    ids=["dns", "uri-first", "only-addresses", "none"],
)
async def test_a_callers_names_reach_the_gate(files, authority, sans, expected):
    """URIs and DNS names of the verified certificate; its common name only where it has neither."""
    callers = Noting()
    leaf = authority.leaf("caller", common="trader", sans=sans)
    async with (
        tls_door(files, authority.certificate, callers) as (door, _),
        dialled(door, authority.pem, leaf) as channel,
    ):
        await info(channel)
        await anext(aiter(market_stub.MarketDataServiceStub(channel).SubscribeTickers(
            market.SubscribeTickersRequest(symbols=["BTC/USD"])
        )))  # fmt: skip
    assert {expected} == set(callers.seen)


async def test_without_an_authority_nobody_has_a_name(files, authority):
    """A certificate that nobody verified is no identity, although the client offers one."""
    callers = Noting()
    leaf = authority.leaf("caller", common="trader", sans=())
    async with tls_door(files, None, callers) as (door, _), dialled(door, authority.pem, leaf) as channel:
        await info(channel)
    assert [()] == callers.seen


def test_names_are_bounded_and_never_raise():
    """A certificate with a thousand names, or with bytes that are no text, costs nothing."""
    assert 32 == len(names({"peer_dns": [b"x"] * 1000}))
    assert ("\ufffd",) == names({"peer_uri": [b"\xff"]})
    assert () == names({"transport_security_type": [b"ssl"]})


# ---- rotation --------------------------------------------------------------------------------------------------------


async def test_a_new_certificate_is_in_force_without_a_restart(files, authority):
    """New handshakes get the new one at once; the connection and the stream that are open go on."""
    second = authority.leaf("second")
    async with tls_door(files) as (door, keeper), dialled(door, authority.pem) as channel:
        first = await presented(door, authority.pem)
        stream = market_stub.MarketDataServiceStub(channel).SubscribeTickers(
            market.SubscribeTickersRequest(symbols=["BTC/USD"])
        )
        await stream.read()
        put(second, *files)
        keeper.look()
        after = await presented(door, authority.pem)
        assert body(second.certificate.read_text()) == body(after) != body(first)
        assert "0.1.0" == (await info(channel)).version
        assert not stream.done()
        stream.cancel()


async def test_a_broken_new_certificate_does_not_close_the_door(files, authority):
    """The old one goes on serving new callers while the files are wrong."""
    async with tls_door(files) as (door, keeper):
        first = await presented(door, authority.pem)
        files[0].write_text("half a certificate")
        keeper.look()
        keeper.look()
        assert "" != keeper.problem
        assert body(first) == body(await presented(door, authority.pem))


async def test_a_new_authority_of_callers_is_in_force_without_a_restart(files, authority, tmp_path):
    """Whoever the new authority signed is let in, whoever only the old one signed no longer."""
    other = Authority(tmp_path / "other", "other-ca")
    named = tmp_path / "callers.crt"
    named.write_bytes(authority.pem)
    old, new = authority.leaf("old", sans=("DNS:old",)), other.leaf("new", sans=("DNS:new",))
    callers = Noting()
    async with tls_door(files, named, callers) as (door, keeper):
        async with dialled(door, authority.pem, old) as channel:
            await info(channel)
        named.write_bytes(other.pem)
        keeper.look()
        async with dialled(door, authority.pem, new) as channel:
            await info(channel)
        async with dialled(door, authority.pem, old) as channel:
            assert grpc.StatusCode.UNAVAILABLE is await refused(channel)
    assert [("old",), ("new",)] == callers.seen
