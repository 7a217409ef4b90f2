"""Everything a call can raise, by what the caller may do next.

    ExecsvcError            catch this one for all of them
    ├── InvalidRequest      nothing happened: mend the request
    │   └── NotFound        … it names an order, pair or position that does not exist
    ├── Conflict            nothing happened: the id, version or token already means something else
    │   └── NotPlaced       … proved never to have reached the exchange: place anew, under a new id
    ├── Refused             the exchange, a limit or a halt says no: read `reason`
    ├── Throttled           too much: wait `retry_after` where it is given, else make room
    ├── Unavailable         nothing was sent by this call: try again later, with the same id
    ├── NotAllowed          about the caller's own token or certificate: `remedy` says what to do
    │   ├── NotAuthenticated … the gateway does not know who calls
    │   └── NotPermitted    … it knows, and this caller may not do that
    ├── NotOffered          this server does not have the method
    ├── ServerFault         the server's own fault, nothing was placed
    ├── LiveRefused         this client was not made for live money, and the gateway trades it
    └── OutcomeUnknown      the answer is lost: repeat with the same id or ask; a new id may place a second order

`reason` says why, in the contract's words (Reason); a word newer than this client is possible, then act on the class.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import grpc


@dataclass(frozen=True)
class Violation:
    """One bad field of a request (its path, such as `spec.limit.limit_price`) or one failed check (its name)."""

    path: str
    description: str


@dataclass(frozen=True)
class Facts:
    """What is known of one failure. `retry_after` is in seconds and present only where waiting heals.

    `reason` is empty when the error was made by the network, a proxy or this library, not by execsvc.
    """

    code: grpc.StatusCode
    message: str
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    retry_after: float | None = None
    violations: tuple[Violation, ...] = ()
    request_id: str = ""
    trace_id: str = ""
    client_order_id: str = ""


class ExecsvcError(Exception):
    """The base of all; its text names code, reason, what to wait for, and the ids to look it up by."""

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts.message)
        self.facts = facts

    @property
    def reason(self) -> str:
        """Why, as a word of Reason or a newer one; empty when the error is not execsvc's own."""
        return self.facts.reason

    @property
    def code(self) -> grpc.StatusCode:
        """The gRPC status code."""
        return self.facts.code

    @property
    def message(self) -> str:
        """One sentence for people; never to be parsed."""
        return self.facts.message

    @property
    def metadata(self) -> Mapping[str, str]:
        """The figures that come with the reason, such as `increment` or `suggestions`."""
        return self.facts.metadata

    @property
    def id_used(self) -> bool | None:
        """Of a placement: False, the same id may be sent again; True, a new try needs a new id; None, not told."""
        return {"true": True, "false": False}.get(self.facts.metadata.get("id_used", ""))

    @property
    def retry_after(self) -> float | None:
        """Seconds until trying again can help; None where waiting does not help or nobody knows."""
        return self.facts.retry_after

    @property
    def violations(self) -> tuple[Violation, ...]:
        """Every bad field or failed check, all at once; empty where the reason has none."""
        return self.facts.violations

    @property
    def request_id(self) -> str:
        """Id of the request in the server's log."""
        return self.facts.request_id

    @property
    def trace_id(self) -> str:
        """Id of the trace the call belongs to, 32 hex digits."""
        return self.facts.trace_id

    @property
    def client_order_id(self) -> str:
        """The id that was sent, where the call was about one order by its client's id; else empty."""
        return self.facts.client_order_id

    def __str__(self) -> str:
        facts = self.facts
        head = f"{facts.code.name} / {facts.reason}" if facts.reason else facts.code.name
        tail = [f"{bad.path}: {bad.description}" for bad in facts.violations if bad.description not in facts.message]
        if isinstance(self, NotAllowed):
            tail.append(self.remedy)
        if facts.retry_after is not None:
            tail.append(f"retry after {facts.retry_after:g} s")
        tail += [
            f"{label} {value}"
            for label, value in (
                ("client order id", facts.client_order_id),
                ("request", facts.request_id),
                ("trace", facts.trace_id),
            )
            if value
        ]
        return f"{head}: {facts.message}" + (f" ({'; '.join(tail)})" if tail else "")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


class InvalidRequest(ExecsvcError):
    """Nothing happened: mend the request; `violations` names each bad field."""


class NotFound(InvalidRequest):
    """Nothing happened: the order, pair or position does not exist; `metadata["suggestions"]` may help."""


class Conflict(ExecsvcError):
    """Nothing happened: the id, version or token already means something else."""


class NotPlaced(Conflict):
    """Proved never to have reached the exchange: placing anew under a new id cannot double it."""


class Refused(ExecsvcError):
    """The exchange, a risk limit or a halt said no; `reason` and `metadata` say which."""


class Throttled(ExecsvcError):
    """A counter or a quota is full; `retry_after` says when there is room, if waiting makes any."""


class Unavailable(ExecsvcError):
    """This call sent nothing to the exchange, or was only a read: try again later; a placement with the same id."""


class NotAllowed(ExecsvcError):
    """About the caller's token or certificate. Repeating it changes nothing; `remedy` does."""

    @property
    def remedy(self) -> str:
        """What to do about it, in one sentence."""
        if granted := self.facts.metadata.get("granted", ""):
            return f"keep to what is granted to this caller ({granted}), or have more granted"
        return _REMEDIES.get(self.reason, _NOT_OURS).format_map({"permission": self.permission or "for it"})

    @property
    def permission(self) -> str:
        """The permission that is missing, as the contract names it; empty where it is something else."""
        return self.facts.metadata.get("permission", "")


class NotAuthenticated(NotAllowed):
    """The token or certificate is missing, unknown or expired."""


class NotPermitted(NotAllowed):
    """The caller is known, and lacks a permission, an account or a pair."""


_REMEDIES = {
    "TOKEN_INVALID": "give a valid token, in EXECSVC_TOKEN or in the file that EXECSVC_TOKEN_FILE names, or a client "
    "certificate; whoever runs the gateway makes tokens with `execsvc token bake`",
    "PERMISSION_MISSING": "use a token with the permission {permission}, or have it granted to this caller",
    "ACCOUNT_NOT_GRANTED": "name an account that is yours: GetServerInfo lists them under grants",
    "SYMBOL_NOT_GRANTED": "name a pair that is yours: GetServerInfo lists them under grants",
}
_NOT_OURS = "something between here and the gateway said no, not execsvc: its own log knows why"


class NotOffered(ExecsvcError):
    """The server does not have the method; server_info().unimplemented_methods lists them."""


class ServerFault(ExecsvcError):
    """The server met a fault of its own, or an answer of the exchange it does not know; nothing was placed."""


class LiveRefused(ExecsvcError):
    """The gateway trades live money and this client was made without allow_live=True; nothing was sent."""


class OutcomeUnknown(ExecsvcError):
    """Nobody answered for the order: it may be placed, or not.

    Always safe: the same request with the same `client_order_id` (it is placed once), `resolve()` or `get_order()`.
    Never safe: a new id before the truth is known.
    """


_BY_CODE: Mapping[grpc.StatusCode, type[ExecsvcError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: Conflict,
    grpc.StatusCode.ABORTED: Conflict,
    grpc.StatusCode.OUT_OF_RANGE: Conflict,
    grpc.StatusCode.FAILED_PRECONDITION: Refused,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Throttled,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unavailable,
    grpc.StatusCode.CANCELLED: Unavailable,
    grpc.StatusCode.UNAUTHENTICATED: NotAuthenticated,
    grpc.StatusCode.PERMISSION_DENIED: NotPermitted,
    grpc.StatusCode.UNIMPLEMENTED: NotOffered,
}
_PROVED_ABSENT = frozenset({"NOT_PLACED", "VENUE_DEADLINE_ELAPSED"})


def error_of(facts: Facts, *, changes: bool) -> ExecsvcError:
    """The class a failure is raised as. `changes`: the call could have changed something at the exchange.

    An error that is not execsvc's own says nothing about such a call, whatever its code: a later attempt's "connection
    refused" does not prove that an earlier attempt did not arrive.
    """
    if changes and not facts.reason:
        return OutcomeUnknown(facts)
    if facts.reason in _PROVED_ABSENT:
        return NotPlaced(facts)
    return _BY_CODE.get(facts.code, ServerFault)(facts)
