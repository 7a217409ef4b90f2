"""The aiohttp application of the HTTP address: routes and the guards around them.

Read only: GET and HEAD, no body. On a loopback address only requests that name it are answered, so that a page in a browser
cannot reach in through a name of its own (DNS rebinding), and no page of another origin either. Elsewhere the figures are for
callers with `account` or `admin`, and health says no more than a balancer needs.
"""

import errno
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from execsvc.domain.caller import Permission
from execsvc.domain.errors import ExecsvcError, Reason
from execsvc.ports import Clock, Tasks
from execsvc.rpc.bearer import HEADER
from execsvc.rpc.callers import Callers, demand
from execsvc.web.listen import Listener
from execsvc.web.probes import Probes
from execsvc.web.turns import Turns
from execsvc.web.visitor import HEADERS, Visitor

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BODY_BYTES = 1024
HELP = "nothing here: /healthz and /metrics are what this address serves; orders go to the gRPC address\n"
_READERS = (Permission.ACCOUNT, Permission.ADMIN)
_NAMES_MAX = 32


@dataclass(frozen=True)
class WebDoor:
    """An open HTTP door."""

    host: str
    port: int
    runner: web.AppRunner
    listener: Listener
    secure: bool

    @property
    def address(self) -> str:
        """host:port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"{'https' if self.secure else 'http'}://{self.address}"

    async def close(self) -> None:
        """Closes at once: no answer here takes long."""
        self.listener.close()
        await self.runner.cleanup()


async def start(
    host: str,
    port: int,
    probes: Probes,
    *,
    callers: Callers,
    clock: Clock,
    tasks: Tasks,
    tls: ssl.SSLContext | None = None,
) -> WebDoor:
    """Opens the door; port 0 picks one. Raises OSError naming an address that is taken."""
    listener = Listener(tls, clock, tasks)
    runner = web.AppRunner(
        application(probes, loopback=is_loopback(host), callers=callers, clock=clock, listener=listener),
        handle_signals=False,
        handler_cancellation=True,  # who left while it waited for its turn waits no more
        shutdown_timeout=0.2,  # an answer takes less, and one that has not begun is not owed
    )
    await runner.setup()
    if runner.server is None:
        raise AssertionError("a runner that is set up has its server")
    try:
        bound = await listener.open(host, port, runner.server)
    except OSError as error:
        await runner.cleanup()
        code = error.errno or errno.EADDRINUSE
        raise OSError(code, f"cannot serve HTTP on {host}:{port}: {error.strerror or error}") from error
    return WebDoor(host, bound, runner, listener, secure=tls is not None)


def application(
    probes: Probes, *, loopback: bool, callers: Callers, clock: Clock, listener: Listener
) -> web.Application:
    """The routes and what stands before them."""
    guards = [_pace(clock, listener), _guard(loopback=loopback)]
    app = web.Application(middlewares=guards, client_max_size=BODY_BYTES)
    if loopback:
        app.router.add_get("/healthz", probes.healthz)
        app.router.add_get("/metrics", probes.metrics_text)
    else:
        app.router.add_get("/healthz", probes.healthz_short)
        app.router.add_get("/metrics", _for_readers(probes.metrics_text, callers))
    return app


def _pace(clock: Clock, listener: Listener) -> Middleware:
    """Two lines, so that a balancer's probe does not stand behind those who want the figures, which take longer."""
    figures, others = Turns(clock), Turns(clock)

    @web.middleware
    async def pace(request: web.Request, handler: Handler) -> web.StreamResponse:
        visitor = request.protocol
        if not isinstance(visitor, Visitor):
            raise TypeError("the listener lets nobody in but visitors")
        with visitor.asks():
            turns = figures if request.path == "/metrics" else others
            answer = await turns.taken(lambda: handler(request))
            if listener.is_crowded:
                answer.force_close()
        return answer

    return pace


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


def _for_readers(handler: Handler, callers: Callers) -> Handler:
    """For whoever may read an account somewhere, or everything."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            demand(callers, _READERS, _meta(request), _peer(request), _certified(request))
        except ExecsvcError as error:
            unknown = error.reason is Reason.TOKEN_INVALID
            answer = _text(401 if unknown else 403, f"{error.fault.message}\n")
            if unknown:
                answer.headers["WWW-Authenticate"] = 'Bearer realm="execsvc"'
            return answer
        return await handler(request)

    return guarded


def _meta(request: web.Request) -> Mapping[str, str]:
    """The credentials alone; two of them are none."""
    sent = request.headers.getall("Authorization", ())
    return {HEADER: ",".join(sent)} if sent else {}


def _peer(request: web.Request) -> str:
    """As gRPC names peers."""
    try:
        version = ip_address((request.remote or "").partition("%")[0]).version
    except ValueError:
        return ""
    return f"ipv{version}:[{request.remote}]:0"


def _certified(request: web.Request) -> tuple[str, ...]:
    """The names of the verified certificate it came with, chosen as for gRPC (rpc/tls.py)."""
    certificate: Mapping[str, Any] = (request.transport and request.transport.get_extra_info("peercert")) or {}
    others = certificate.get("subjectAltName", ())
    told = [value for wanted in ("URI", "DNS") for kind, value in others if kind == wanted]
    common = [value for part in certificate.get("subject", ()) for kind, value in part if kind == "commonName"]
    return tuple((told or common)[:_NAMES_MAX])


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
