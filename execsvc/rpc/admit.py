"""The checks before a servicer runs, in the contract's order: caller, permission, built, time, shape, account.

Everything that can be known without touching journal or venue is decided here, so a refusal leaves no trace. Running the call
and translating what it raises is gate.py's work.
"""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from execsvc_api.v1.order_service_pb2 import OrderSessionRequest
from google.protobuf.message import DecodeError, Message
from opentelemetry.trace import INVALID_SPAN, Span

from execsvc.domain.caller import Caller
from execsvc.domain.errors import ExecsvcError, FieldViolation, Reason, error_of, invalid, refuse
from execsvc.ports import Clock, Entropy
from execsvc.rpc.call import Call, Incoming
from execsvc.rpc.callers import Callers
from execsvc.rpc.drain import SHUTTING_DOWN, Drain
from execsvc.rpc.permits import PERMITS, Effect, Permit
from execsvc.rpc.quotas import Quotas, Room
from execsvc.rpc.validate import check

Read = Callable[[], Message]

ANSWER_MARGIN_S = 0.05
ANSWER_MARGIN_SHARE = 0.1
NO_LIMIT = float("inf")  # seconds: a stream has no deadline
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Knock:
    """A call as a door heard it.

    `method` is package.Service/Method, `read` gives the request or raises DecodeError or ValueError; left_s: seconds
    until the caller gives up, None where it named no deadline; `requests`: what follows the first, on a bidirectional one;
    `names`: those of the caller's verified certificate.
    """

    method: str
    read: Read = field(repr=False)
    meta: Mapping[str, str] = field(repr=False)
    peer: str
    left_s: float | None = None
    requests: AsyncIterator[bytes] | None = field(default=None, repr=False)
    names: tuple[str, ...] = ()


@dataclass
class Visit:
    """What is known of a call so far; the gate measures and answers with it, however far the call got."""

    method: str
    request_id: str
    arrived: float
    knock: Knock = field(repr=False)
    span: Span = INVALID_SPAN
    permit: Permit | None = None
    caller: str = ""
    call: Call | None = None
    request: Message | None = None
    room: Room | None = None


class Admission:
    """Lets a call in, or refuses it."""

    def __init__(self, callers: Callers, drain: Drain, clock: Clock, entropy: Entropy) -> None:
        self._callers = callers
        self._drain = drain
        self._clock = clock
        self._entropy = entropy
        self._quotas = Quotas()

    def __repr__(self) -> str:
        return f"<Admission {self._quotas!r}>"

    def visit(self, knock: Knock) -> Visit:
        """The call's identity: the caller's own request id where it is safe to repeat, else a new one."""
        given = knock.meta.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else self._entropy.token(16).hex()
        return Visit(knock.method, request_id, self._clock.monotonic(), knock)

    def admit(self, visit: Visit, knock: Knock) -> tuple[Call, Message]:
        """The call and its request, both also noted in `visit`. Raises what the contract says of each check.

        However it ends, `leave` gives back what the visit took.
        """
        permit = visit.permit = _permit(knock.method)
        who = self._callers.recognise(knock.meta, knock.peer, knock.names)
        visit.caller = who.name
        _permitted(permit, who)
        if not permit.built:
            raise refuse(
                Reason.NOT_IMPLEMENTED, f"{permit.short} is not in this build; nothing was done", method=permit.short
            )
        visit.room = self._quotas.enter(permit, who.name)
        _enough_time(permit, knock.left_s)
        if permit.effect is Effect.STREAM and self._drain.refusing:
            raise error_of(SHUTTING_DOWN)
        request = _read(knock.read)
        account = _account(request, who)
        _permitted_there(permit, who, account)
        check(request)
        visit.request = request
        visit.call = self._call(visit, permit, who, account, knock)
        return visit.call, request

    def leave(self, visit: Visit) -> None:
        """The call has ended."""
        if visit.room is not None:
            self._quotas.leave(visit.room, visit.caller)
            visit.room = None

    def _call(self, visit: Visit, permit: Permit, who: Caller, account: str, knock: Knock) -> Call:
        left_s = knock.left_s
        streams = permit.effect is Effect.STREAM
        budget_s = left_s if left_s is not None else permit.default_s
        by = NO_LIMIT if streams or budget_s is None else visit.arrived + budget_s
        margin_s = 0.0 if budget_s is None else min(ANSWER_MARGIN_S, ANSWER_MARGIN_SHARE * budget_s)
        return Call(
            permit=permit,
            who=who,
            account=account,
            request_id=visit.request_id,
            arrived=visit.arrived,
            caller_by=None if left_s is None else visit.arrived + left_s,
            by=by,
            answer_by=by - margin_s,
            stream_id=self._entropy.token(8).hex() if streams else "",
            incoming=None if knock.requests is None else _incoming(knock, knock.requests),
            span=visit.span,
        )


def still_admitted(callers: Callers, visit: Visit, call: Call) -> Caller:
    """Who an open stream's caller is by now. Raises as at its opening, and PERMISSION_MISSING where it lost any right."""
    knock = visit.knock
    who = callers.recognise(knock.meta, knock.peer, knock.names)
    if who.name != call.who.name:
        raise refuse(Reason.TOKEN_INVALID, f"what this stream was opened with is not {call.who.name!r} any more")
    _permitted(call.permit, who)
    if call.account and call.account not in who.accounts:
        raise _not_granted(call.account, who)
    _permitted_there(call.permit, who, call.account)
    lost = call.who.lost_to(who, call.account)
    if lost:
        words = ", ".join(sorted(each.value for each in lost))
        raise refuse(
            Reason.PERMISSION_MISSING,
            f"the permission {words} was taken from {who.name!r}; open the stream again with what is left",
            permission=words,
            method=call.permit.short,
        )
    return who


def _incoming(knock: Knock, requests: AsyncIterator[bytes]) -> Incoming:
    return Incoming(requests, _unnamed(knock.meta), knock.peer, knock.names)


def _unnamed(meta: Mapping[str, str]) -> Mapping[str, str]:
    """Without the caller's id of the stream: each request in it has one of its own."""
    return {name: value for name, value in meta.items() if name != "x-request-id"}


def _permit(method: str) -> Permit:
    permit = PERMITS.get(method)
    if permit is None:
        raise refuse(Reason.PERMISSION_MISSING, f"{method} is granted to nobody", method=method, permission="")
    return permit


def _permitted(permit: Permit, who: Caller) -> None:
    if permit.permissions and not any(who.may_somewhere(each) for each in permit.permissions):
        raise _missing(permit, "")


def _permitted_there(permit: Permit, who: Caller, account: str) -> None:
    """The same on the account that is meant; a request that names none was judged already."""
    if account and permit.permissions and not any(who.may(each, account) for each in permit.permissions):
        raise _missing(permit, f" on account {account!r}")


def _not_granted(account: str, who: Caller) -> ExecsvcError:
    return refuse(Reason.ACCOUNT_NOT_GRANTED, f"account {account[:64]!r} is not granted to {who.name!r}")


def _missing(permit: Permit, where: str) -> ExecsvcError:
    words = " or ".join(sorted(each.value for each in permit.permissions))
    return refuse(
        Reason.PERMISSION_MISSING,
        f"{permit.short} needs the permission {words}{where}",
        permission=words,
        method=permit.short,
    )


def _enough_time(permit: Permit, left_s: float | None) -> None:
    if left_s is not None and permit.least_s is not None and left_s < permit.least_s:
        raise refuse(
            Reason.DEADLINE_TOO_SHORT,
            f"{max(left_s, 0.0):.3f} s are left and {permit.short} needs {permit.least_s:g} s; nothing was done",
            least=f"{permit.least_s:g}s",
        )


def _read(read: Read) -> Message:
    try:
        return read()
    except (DecodeError, ValueError) as error:
        raise invalid((FieldViolation("", "not a message of this method: it cannot be read"),)) from error


def _account(request: Message, who: Caller) -> str:
    """The account the request means; empty where its message has none."""
    if isinstance(request, OrderSessionRequest):
        request = request.open
    if "account" not in request.DESCRIPTOR.fields_by_name:
        return ""
    named: str = request.account  # type: ignore[attr-defined]  # the descriptor says it is there
    if named and named not in who.accounts:
        raise _not_granted(named, who)
    if not who.accounts:
        raise refuse(Reason.ACCOUNT_NOT_GRANTED, f"no account is granted to {who.name!r}")
    if not named and not who.default:
        names = ", ".join(who.accounts)
        raise refuse(
            Reason.ACCOUNT_REQUIRED, f"{who.name!r} has several accounts and none is its default: name one of {names}"
        )
    return named or who.default
