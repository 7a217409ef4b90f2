"""The REST face: a path becomes a call, a call an answer, an answer `{"error": [...], "result": ...}`.

Private calls pass in a fixed order: key, signature, nonce, permission, call counter, arguments, market, engine. A nonce
is spent once key and signature hold. `admit` is what happens when a request arrives, `perform` when it is carried out;
between the two lies whatever delay a mishap asks for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec

from .auth import Key
from .params import Params, from_body, from_query
from .restfunds import FUNDS
from .restpositions import POSITIONS
from .restpublic import PUBLIC
from .restqueries import QUERIES
from .resttrade import TRADING
from .venue import Call, Handler, Venue
from .words import INVALID_NONCE, UNAVAILABLE, UNKNOWN_METHOD, Refused

PRIVATE: Mapping[str, tuple[tuple[str, ...], Handler]] = {**QUERIES, **FUNDS, **POSITIONS, **TRADING}
_PUBLIC_ROOT, _PRIVATE_ROOT = "/0/public/", "/0/private/"
_JSON = {"content-type": "application/json"}
_HTML = {"content-type": "text/html"}
_PAGE_TITLES = {403: "Forbidden", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request: header names in lower case, path and query as they stood in the request line."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def call(self) -> str:
        """Return the method asked for, AddOrder or Time."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def private(self) -> bool:
        """Tell whether it is a private call."""
        return self.path.startswith(_PRIVATE_ROOT)


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may be carried out: its call and its handler."""

    call: Call
    handler: Handler


def answer(result: Any) -> Reply:
    """Return a success."""
    return Reply(200, _JSON, msgspec.json.encode({"error": [], "result": result}))


def refusal(code: str) -> Reply:
    """Return an API error; Kraken sends those with HTTP 200."""
    return Reply(200, _JSON, msgspec.json.encode({"error": [code]}))


def page(status: int) -> Reply:
    """Return what an edge server sends when the exchange behind it does not answer: HTML."""
    title = f"{status} {_PAGE_TITLES.get(status, 'Error')}"
    html = f"<html>\r\n<head><title>{title}</title></head>\r\n<body><center><h1>{title}</h1></center></body></html>"
    return Reply(status, _HTML, html.encode())


def read(request: Request) -> Params:
    """Read the parameters of a request; raises Refused when they cannot be read."""
    if request.method == "GET":
        return from_query(request.query)
    return from_body(request.body, request.headers.get("content-type", ""))


def admit(
    venue: Venue, request: Request, params: Params, now: int, *, nonce: Literal["", "spent", "kept"] = ""
) -> Admitted:
    """Let a request in; raises Refused when it is not let in. `nonce` refuses a good one, spending it or not."""
    if request.path.startswith(_PUBLIC_ROOT) and request.call in PUBLIC:
        return Admitted(Call(request.call, params, now, now), PUBLIC[request.call])
    row = PRIVATE.get(request.call) if request.private and request.method == "POST" else None
    if row is None:
        raise Refused(UNKNOWN_METHOD)
    key = _signed_by(venue, request, params, now, spend=nonce != "kept")
    if nonce:
        raise Refused(INVALID_NONCE)
    key.may(*row[0])
    venue.of(key).quotas.call(key.api_key, request.call, venue.dial.owners(now))
    if venue.engine.system == "maintenance":
        raise Refused(UNAVAILABLE)
    return Admitted(Call(request.call, params, now, now, key), row[1])


def perform(venue: Venue, admitted: Admitted, now: int) -> Reply:
    """Carry out an admitted call for the account of its key; raises Refused when a rule forbids it."""
    key = admitted.call.key
    return answer(admitted.handler(venue if key is None else venue.of(key), replace(admitted.call, now=now)))


def _signed_by(venue: Venue, request: Request, params: Params, now: int, *, spend: bool) -> Key:
    nonce = params.text("nonce")
    targets = (request.path, f"{request.path}?{request.query}") if request.query else (request.path,)
    key = venue.keys.verify(request.headers, targets, nonce, request.body)
    if spend:
        key.spend(nonce)
    key.last_used = now
    return key
