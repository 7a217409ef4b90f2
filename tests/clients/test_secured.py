"""Every client against a gateway as it is served to other machines: TLS, tokens baked by the command line, certificates.

The gateway is a process of its own with a paper exchange inside; nothing here is switched off.
"""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import journey
import pytest
import toolchains
from execsvc_client import Client, NotAuthenticated, NotPermitted, Placed, Tls
from serving import STOP_TIMEOUT_S, await_serving, free_port

from tests.support.certs import Authority

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]
CALLERS = """
[callers.bot]
permissions = ["market", "account:main", "trade:main", "cancel:main"]
certificates = ["bot.desk.example"]
"""


@dataclass(frozen=True)
class Secured:
    """A gateway's address, the file of its authority, the folder of its tokens, and a certificate for `bot`.

    asks: it lets nobody in who has no certificate.
    """

    target: str
    ca: Path
    tokens: Path
    certificate: Path
    key: Path
    asks: bool

    def by_token(self, file: str) -> dict[str, str]:
        """How a client comes with a token."""
        return {"EXECSVC_TLS_CA_FILE": str(self.ca), "EXECSVC_TOKEN_FILE": str(self.tokens / file)}

    def by_certificate(self) -> dict[str, str]:
        """How it comes with a certificate alone."""
        return {
            "EXECSVC_TLS_CA_FILE": str(self.ca),
            "EXECSVC_TLS_CLIENT_CERT_FILE": str(self.certificate),
            "EXECSVC_TLS_CLIENT_KEY_FILE": str(self.key),
        }


def bare(folder: Path, **more: str) -> dict[str, str]:
    """The environment without anything of ours, at home in the folder."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("EXECSVC_", "KRAKEN_", "XDG_"))}
    return kept | {"HOME": str(folder)} | more


def execsvc(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run one command line."""
    command = [sys.executable, "-m", "execsvc", *arguments]
    return subprocess.run(
        command, cwd=toolchains.ROOT, env=bare(folder, **env), check=False, capture_output=True, text=True, timeout=60
    )


@pytest.fixture(scope="module", params=["token", "certificate"])
def secured(request, tmp_path_factory):
    """The gateway; with certificates it takes nobody who has none."""
    folder, asks = tmp_path_factory.mktemp(request.param), request.param == "certificate"
    authority = Authority(folder / "pki")
    server, bot = authority.leaf("gateway"), authority.leaf("bot", sans=("DNS:bot.desk.example",))
    (folder / "execsvc.toml").write_text(CALLERS)
    settings = {
        "EXECSVC_CONFIG": str(folder / "execsvc.toml"),
        "EXECSVC_LISTEN": f"127.0.0.1:{free_port()}",
        "EXECSVC_HTTP_LISTEN": "off",
        "EXECSVC_STORE": f"sqlite://{folder}/execsvc.db",
        "EXECSVC_TLS_CERT_FILE": str(server.certificate),
        "EXECSVC_TLS_KEY_FILE": str(server.key),
    }
    if asks:
        settings["EXECSVC_TLS_CLIENT_CA_FILE"] = str(authority.certificate)
    log = folder / "gateway.log"
    with log.open("w") as sink:
        command = [sys.executable, "-m", "execsvc", "serve"]
        process = subprocess.Popen(
            command, cwd=toolchains.ROOT, env=bare(folder, **settings), stdout=sink, stderr=subprocess.STDOUT
        )
    try:
        trusted = Tls(authority.certificate, bot.certificate, bot.key).credentials()
        await_serving(process, settings["EXECSVC_LISTEN"], log, trusted)
        yield Secured(settings["EXECSVC_LISTEN"], authority.certificate, folder, bot.certificate, bot.key, asks)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_TIMEOUT_S) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def identity(secured):
    """How `bot` comes to this gateway: with a token that the command line bakes for it, or with its certificate."""
    if secured.asks:
        return secured.by_certificate()
    store = {"EXECSVC_STORE": f"sqlite://{secured.tokens}/execsvc.db"}
    file = secured.tokens / "bot.token"
    baked = execsvc(secured.tokens, "token", "bake", "bot", "--like", "trader", "--out", str(file), **store)
    assert (0, 0o600) == (baked.returncode, file.stat().st_mode & 0o777), baked
    return secured.by_token("bot.token")


async def test_the_quickstarts_pass_with_what_they_are(quickstart, secured, identity):
    """TypeScript and Go place and cancel over TLS as `bot`, by token or certificate, without a line for it."""
    journey.check(await toolchains.run(quickstart, secured.target, "3", **identity))


def other(secured: Secured, identity: dict[str, str]) -> dict[str, str]:
    """As somebody else: by the viewer's token, beside the certificate of `bot` where one is asked for."""
    mine = identity if secured.asks else {}
    return mine | secured.by_token("viewer.token")


async def test_they_say_who_they_are_not(quickstart, secured, identity):
    """With a viewer's token the example ends with the gateway's own reason, and without any identity it ends too."""
    done = await toolchains.run(quickstart, secured.target, "3", **other(secured, identity))
    reason = "TOKEN_INVALID" if secured.asks else "PERMISSION_MISSING"  # token and certificate of two callers
    assert (1, True) == (done.exit_code, reason in done.stderr), done
    nobody = await toolchains.run(quickstart, secured.target, "3", EXECSVC_TLS_CA_FILE=str(secured.ca))
    told = "TOKEN_INVALID" in nobody.stderr
    assert (1, not secured.asks, []) == (nobody.exit_code, told, nobody.steps), nobody


async def test_the_python_client_trades_as_who_it_is(secured, identity):
    """Client.from_env() is `bot`, places and cancels; its order is its own."""
    async with Client.from_env(target=secured.target, environ=identity) as client:
        assert "bot" == (await client.server_info()).caller
        placed = await client.buy("BTC/USD", quantity="0.001", limit_price=await far(client), post_only=True)
        assert isinstance(placed, Placed)
        assert "bot" == placed.order.caller
        ended = await client.cancel(placed)
        assert (await client.wait_for_terminal(ended)).is_terminal


async def test_the_python_client_says_what_is_missing(secured, identity):
    """A viewer's order is NotPermitted, which names the permission; two identities at once are nobody."""
    async with Client.from_env(target=secured.target, environ=other(secured, identity)) as client:
        with pytest.raises(NotAuthenticated if secured.asks else NotPermitted) as refused:
            await client.buy("BTC/USD", quantity="0.001", limit_price="60000.0")
    assert ("" if secured.asks else "trade") == refused.value.permission


def test_the_command_line_comes_as_who_it_is(secured, identity):
    """--token-file, --tls-ca, --tls-cert and --tls-key do what the variables do; a missing right is exit 9."""
    options = {
        "EXECSVC_TLS_CA_FILE": "--tls-ca",
        "EXECSVC_TOKEN_FILE": "--token-file",
        "EXECSVC_TLS_CLIENT_CERT_FILE": "--tls-cert",
        "EXECSVC_TLS_CLIENT_KEY_FILE": "--tls-key",
    }

    def run(env, *verb):
        words = [word for name, value in env.items() for word in (options[name], value)]
        return execsvc(secured.tokens, *verb, "--target", secured.target, *words)

    assert (0, True) == (
        (done := run(identity, "status", "-o", "json")).returncode,
        '"caller": "bot"' in done.stdout,
    ), done
    assert 0 == run({name: value for name, value in identity.items() if "TOKEN" not in name}, "health").returncode
    order = ("buy", "BTC/USD", "--qty", "0.001", "--limit", "60000.0", "--yes")
    refused = run(other(secured, identity), *order)
    assert (9, "") == (refused.returncode, refused.stdout), refused


async def far(client):
    """A price two percent below the market, on the tick."""
    (ticker,), (instrument,) = await client.tickers("BTC/USD"), await client.instruments("BTC/USD")
    return ticker.bid_price * 98 // 100 // instrument.price_increment * instrument.price_increment
