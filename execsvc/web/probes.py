"""What a machine asks over HTTP: is it alive, does a service serve, what are the figures.

Answers are made from callables that the composition root hands in; nothing is kept here. `/healthz` follows the empty name of
grpc.health.v1, `/healthz?service=NAME` one service of it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

_WORDS = {200: "serving", 404: "no such service", 503: "not serving"}
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Probes:
    """phase: one word; services: name → whether it serves now, "" among them; metrics: the whole text."""

    phase: Callable[[], str]
    services: Callable[[], Mapping[str, bool]]
    metrics: Callable[[], str]

    async def healthz(self, request: web.Request) -> web.Response:
        """200 while it serves, 503 while it does not, 404 for a service that is not here."""
        name = request.query.get("service", "")
        states = self.services()
        if name not in states:
            return _json(404, {"error": f"no service {name[:64]!r}", "services": sorted(filter(None, states))})
        words = {service: "SERVING" if serving else "NOT_SERVING" for service, serving in states.items() if service}
        status = 200 if states[name] else 503
        return _json(status, {"phase": self.phase(), "alive": states.get("", False), "services": words})

    async def healthz_short(self, request: web.Request) -> web.Response:
        """The same answer in its status alone: what strangers may know of a gateway that is reached from elsewhere."""
        serving = self.services().get(request.query.get("service", ""))
        status = {None: 404, True: 200, False: 503}[serving]
        return web.Response(status=status, text=f"{_WORDS[status]}\n")

    async def metrics_text(self, _: web.Request) -> web.Response:
        """Prometheus' text format."""
        return web.Response(body=self.metrics().encode(), headers={"Content-Type": METRICS_TYPE})


def _json(status: int, value: Mapping[str, object]) -> web.Response:
    return web.Response(
        status=status, body=json.dumps(value).encode() + b"\n", headers={"Content-Type": "application/json"}
    )
