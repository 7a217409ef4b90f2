"""One call as the gate hands it to a servicer: who, on which account, with how much time.

Everything here is decided before the servicer runs, so that a servicer asks nothing of metadata or deadlines.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from opentelemetry.trace import INVALID_SPAN, Span

from execsvc.domain.caller import Caller, Permission
from execsvc.domain.errors import Reason, refuse
from execsvc.rpc.permits import Permit
from execsvc.telemetry import tell


@dataclass(frozen=True)
class Incoming:
    """What a bidirectional stream brings after its first message, and who brings it; `requests` are messages unread."""

    requests: AsyncIterator[bytes] = field(repr=False)
    meta: Mapping[str, str] = field(repr=False)
    peer: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Flow:
    """How a stream fares: messages that wait for its reader, messages sent, updates folded away."""

    queue_depth: int = 0
    sent: int = 0
    conflated: int = 0


@dataclass
class Tally:
    """Where whoever runs a stream leaves word of how it fares; read only when somebody asks."""

    look: Callable[[], Flow] = Flow


@dataclass(frozen=True)
class Call:
    """Instants are monotonic seconds of the house's clock.

    caller_by: the caller's own deadline, None when it set none. by: that or the method's default. answer_by: when the answer
    has to leave so that it arrives before the caller gives up. On a stream all three are None or without meaning.
    """

    permit: Permit
    who: Caller
    account: str
    request_id: str
    arrived: float
    caller_by: float | None
    by: float
    answer_by: float
    stream_id: str = ""
    incoming: Incoming | None = None
    span: Span = field(default=INVALID_SPAN, repr=False, compare=False)
    tally: Tally = field(default_factory=Tally, repr=False, compare=False)

    @property
    def guard_by(self) -> float:
        """When the gate itself gives up on a read: a little after everybody below was to have answered."""
        return (self.answer_by + self.by) / 2

    def tell(self, attributes: Mapping[str, str | int | float | bool]) -> None:
        """Facts about the call for its span."""
        tell(self.span, attributes)

    def demand(self, permission: Permission, why: str) -> None:
        """Raises PERMISSION_MISSING unless the caller has a permission beyond the method's own."""
        if not self.who.may(permission, self.account):
            raise refuse(
                Reason.PERMISSION_MISSING,
                f"{why} needs the permission {permission.value}",
                permission=permission.value,
                method=self.permit.short,
            )
