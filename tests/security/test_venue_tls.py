"""The way to Kraken on real sockets: an exchange whose certificate is not to be believed gets no request and no token."""

import asyncio
import ssl
from contextlib import asynccontextmanager

import pytest

from execsvc.ports import NotSentError
from execsvc.runtime.http import AiohttpHttp
from execsvc.runtime.ws import AiohttpDialer
from tests.support.certs import Authority


@pytest.fixture(scope="module")
def leaf(tmp_path_factory):
    """A certificate for this machine, of an authority that no system knows."""
    return Authority(tmp_path_factory.mktemp("pki"), "somebody").leaf("exchange")


@asynccontextmanager
async def false_exchange(leaf):
    """Its port, and what it was told once a handshake was through."""
    heard = bytearray()

    async def hear(reader, writer):
        heard.extend(await reader.read())
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.certificate, leaf.key)
    server = await asyncio.start_server(hear, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], heard
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_rest_address_with_a_false_certificate_is_told_nothing(leaf, host):
    """The handshake ends before any byte of the request: nothing was sent, so the call may be repeated or given up."""
    async with false_exchange(leaf) as (port, heard):
        http = AiohttpHttp(user_agent="execsvc/test")
        try:
            with pytest.raises(NotSentError, match="certificate"):
                await http.send("POST", f"https://{host}:{port}/0/private/AddOrder", {"API-Sign": "x"}, b"nonce=1", 5.0)
        finally:
            await http.close()
    assert b"" == bytes(heard)


async def test_a_websocket_with_a_false_certificate_is_told_nothing(leaf):
    """The same of the streams: no upgrade, and so no token, is sent."""
    async with false_exchange(leaf) as (port, heard):
        dialer = AiohttpDialer(user_agent="execsvc/test")
        try:
            with pytest.raises(NotSentError, match="certificate"):
                await dialer.dial(f"wss://127.0.0.1:{port}/v2", 5.0)
        finally:
            await dialer.close()
    assert b"" == bytes(heard)
