"""The aiohttp application of the HTTP address: routes, guards around them, and the socket.

Read only: GET and HEAD, no body. On a loopback address only requests that name it are answered, so that a page in a browser
cannot reach in through a name of its own (DNS rebinding), and no page of another origin either.
"""

import errno
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from execsvc.web.probes import Probes

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BODY_BYTES = 1024
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "execsvc",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
HELP = "nothing here: /healthz and /metrics are what this address serves; orders go to the gRPC address\n"


@dataclass(frozen=True)
class WebDoor:
    """An open HTTP door."""

    host: str
    port: int
    runner: web.AppRunner

    @property
    def url(self) -> str:
        """Where it answers."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def close(self) -> None:
        """Closes at once: no answer here takes long."""
        await self.runner.cleanup()


async def start(host: str, port: int, probes: Probes) -> WebDoor:
    """Opens the door; port 0 picks one. Raises OSError naming an address that is taken."""
    runner = web.AppRunner(
        application(probes, loopback=is_loopback(host)),
        access_log=None,
        handle_signals=False,
        keepalive_timeout=15.0,
        shutdown_timeout=1.0,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        code = error.errno or errno.EADDRINUSE
        raise OSError(code, f"cannot serve HTTP on {host}:{port}: {error.strerror or error}") from error
    bound: int = runner.addresses[0][1]
    return WebDoor(host, bound, runner)


def application(probes: Probes, *, loopback: bool) -> web.Application:
    """The routes and what stands before them."""
    app = web.Application(middlewares=[_guard(loopback=loopback)], client_max_size=BODY_BYTES)
    app.router.add_get("/healthz", probes.healthz)
    app.router.add_get("/metrics", probes.metrics_text)
    return app


def _guard(*, loopback: bool) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            answer = _refusal(request, loopback=loopback) or await handler(request)
        except web.HTTPMethodNotAllowed as error:
            answer = _text(405, "read only: GET or HEAD\n")
            answer.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
        except web.HTTPNotFound:
            answer = _text(404, HELP)
        answer.headers.update(HEADERS)
        return answer

    return guard


def _refusal(request: web.Request, *, loopback: bool) -> web.Response | None:
    if request.body_exists:
        return _text(413, "no body is wanted here\n")
    host = _host(request.host)
    if loopback and not is_loopback(host):
        return _text(421, "this address answers to its own name only, such as 127.0.0.1 or localhost\n")
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2].lower() != request.host.lower():
        return _text(403, "no page of another origin may ask here\n")
    return None


def _text(status: int, words: str) -> web.Response:
    return web.Response(status=status, text=words)


def _host(authority: str) -> str:
    """The host of a Host header, without its port; empty when it is none."""
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine's own: localhost or a loopback address."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
