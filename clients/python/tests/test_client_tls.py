"""TLS to the gateway on real sockets: whose certificates are believed, which one the client shows, what a token may do."""

import grpc
import pytest
from execsvc_client import Client, SyncClient, Tls, Unavailable
from execsvc_client._settings import Found, from_environment

from tests.support.certs import Authority

CA, CERT, KEY = "EXECSVC_TLS_CA_FILE", "EXECSVC_TLS_CLIENT_CERT_FILE", "EXECSVC_TLS_CLIENT_KEY_FILE"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """An authority that nobody here believes."""
    return Authority(tmp_path_factory.mktemp("other-pki"), "stranger")


def credentials(authority, *, asks=False):
    """What a gateway shows; `asks`: it takes nobody without a certificate of the same authority."""
    pair = authority.leaf("gateway")
    roots = authority.pem if asks else None
    return grpc.ssl_server_credentials([pair.pems()], roots, require_client_auth=asks)


@pytest.fixture
async def tls_gateway(gateway, authority):
    """The scripted gateway, behind TLS."""
    await gateway.stop()
    gateway.credentials = credentials(authority)
    await gateway.start()
    return gateway


@pytest.fixture
async def mtls_gateway(gateway, authority):
    """The scripted gateway, behind TLS, for those with a certificate."""
    await gateway.stop()
    gateway.credentials = credentials(authority, asks=True)
    await gateway.start()
    return gateway


async def test_a_gateway_of_the_authority_given_is_believed_and_gets_the_token(tls_gateway, authority):
    """With its authority's file the client speaks TLS to the gateway, and the token travels inside."""
    async with Client(tls_gateway.target, token="xs_1_a", tls=Tls(authority.certificate)) as client:
        assert "paper" == (await client.server_info()).mode
    assert "Bearer xs_1_a" == tls_gateway.calls[0].metadata["authorization"]


async def test_from_env_speaks_tls_where_a_file_is_named(tls_gateway, authority):
    """EXECSVC_TLS_CA_FILE alone makes from_env() speak TLS, also to this machine."""
    async with Client.from_env(
        environ={"EXECSVC_TARGET": tls_gateway.target, CA: str(authority.certificate)}
    ) as client:
        assert "paper" == (await client.server_info()).mode


async def test_a_gateway_of_another_authority_sees_neither_call_nor_token(tls_gateway, stranger):
    """A certificate that the authority given did not sign ends the handshake: nothing of the call is sent."""
    async with Client(tls_gateway.target, token="xs_1_a", tls=Tls(stranger.certificate)) as client:
        with pytest.raises(Unavailable):
            await client.server_info(timeout=3)
    assert [] == tls_gateway.calls


async def test_the_public_authorities_do_not_vouch_for_it_either(tls_gateway):
    """Tls() believes the public authorities, and those alone."""
    async with Client(tls_gateway.target, tls=Tls()) as client:
        with pytest.raises(Unavailable):
            await client.server_info(timeout=3)
    assert [] == tls_gateway.calls


async def test_the_clients_certificate_is_shown(mtls_gateway, authority):
    """With cert_file and key_file the gateway sees who calls; without them it hangs up before any call."""
    bot = authority.leaf("bot-7")
    async with Client(mtls_gateway.target, tls=Tls(authority.certificate, bot.certificate, bot.key)) as client:
        await client.server_info()
    assert [("bot-7",)] == mtls_gateway.peers
    async with Client(mtls_gateway.target, tls=Tls(authority.certificate)) as nobody:
        with pytest.raises(Unavailable):
            await nobody.server_info(timeout=3)
    assert 1 == len(mtls_gateway.calls)


async def test_the_synchronous_client_shows_it_too(mtls_gateway, authority, in_thread):
    """SyncClient takes the same three files, from the environment as well."""
    bot = authority.leaf("bot-8")
    environ = {CA: str(authority.certificate), CERT: str(bot.certificate), KEY: str(bot.key)}

    def ask(target):
        with SyncClient.from_env(target=target, environ=environ) as client:
            return client.server_info().mode

    assert "paper" == await in_thread(ask, mtls_gateway.target)
    assert [("bot-8",)] == mtls_gateway.peers


def test_a_token_may_travel_inside_tls():
    """Beyond this machine a token needs TLS: with it, nothing is refused."""
    for kind in (Client, SyncClient):
        assert "t" == kind("gateway:50051", token="t", tls=Tls()).link.settings.token


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({CA: "ca.pem"}, Tls("ca.pem")),
        ({CA: "public"}, Tls()),
        ({CERT: "c.pem", KEY: "k.pem"}, Tls("", "c.pem", "k.pem")),
        ({CA: "ca.pem", CERT: "c.pem", KEY: "k.pem"}, Tls("ca.pem", "c.pem", "k.pem")),
        ({CA: ""}, None),
    ],
)
def test_the_environment_names_the_files(environ, found):
    """Any of the three variables means TLS; `public` means the authorities that gRPC knows."""
    assert Found("gateway:1", "", found) == from_environment({"EXECSVC_TARGET": "gateway:1", **environ})


def test_a_unix_socket_needs_no_tls():
    """The files of the environment are for addresses; a socket on this machine is spoken to as ever."""
    assert from_environment({CA: "ca.pem"}, "unix:/run/x.sock").tls is None


@pytest.mark.parametrize("environ", [{CERT: "c.pem"}, {KEY: "k.pem"}])
def test_half_a_pair_in_the_environment_is_refused(environ):
    """A certificate without its key, or a key without its certificate, is named as what it is."""
    with pytest.raises(ValueError, match="set both or neither"):
        from_environment(environ)


def test_half_a_pair_is_refused():
    """The same of arguments."""
    with pytest.raises(ValueError, match="go together"):
        Tls(cert_file="c.pem")


def test_what_is_no_certificate_is_refused_at_once(tmp_path, authority):
    """A file with something else in it, or with the key where the certificate belongs, is named before any handshake."""
    pair = authority.leaf("bot-9")
    wrong = tmp_path / "notes.txt"
    wrong.write_text("hello")
    for tls, what in (
        (Tls(wrong), wrong),
        (Tls(pair.key), pair.key),
        (Tls("", pair.key, pair.certificate), pair.certificate),
    ):
        with pytest.raises(ValueError, match="in PEM form is in this file") as refused:
            Client(tls=tls)
        assert str(refused.value).startswith(str(what) + ":")
    with pytest.raises(FileNotFoundError):
        SyncClient(tls=Tls(tmp_path / "absent.pem"))


def test_two_answers_are_one_too_many(authority):
    """Both `tls` and `credentials` are refused."""
    for kind in (Client, SyncClient):
        with pytest.raises(ValueError, match="keep one"):
            kind(tls=Tls(authority.certificate), credentials=grpc.ssl_channel_credentials())
