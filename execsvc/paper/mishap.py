"""Mishaps on demand: what goes wrong between a client and an exchange, planned, counted and seeded.

A fault stays armed for `times` occasions (or until cleared) after letting `skip` pass, and strikes with chance `rate`.
The plan only says what is to happen: the exchange carries it out. Nothing goes wrong unless it was asked for.

    request_lost            nothing applied, nothing answered: the connection is cut
    reply_lost_after_apply  applied, not answered
    bad_gateway             an HTML page instead of the answer; `applied` says whether the call was carried out
    delay                   `ms` before the exchange reads the request ("wire"), before it carries it out ("before",
                            key and nonce already checked), or before it answers ("after")
    error                   `error` instead of the answer; with `applied`, after carrying it out
    duplicate               the same bytes arrive twice; the first answer is the one returned
    index_lag               queries of orders and trades run `ms` behind the engine
    feed_frozen             no news of `symbol` (or of any) on `channel` (or any); heartbeats go on
    feed_silent             nothing at all is sent on `line` public or private (or both), answers included
    checksum_wrong          the next book update of `symbol` carries a wrong checksum
    update_lost             the next book update of `symbol` is never sent
    skip_sequence           the next executions message skips a sequence number
    drop_ws                 every connection of `line` (or both) is closed at once with `code`; 1006 cuts it
    refuse_ws               the next connection of `line` (or any) is hung up on before it is served
    status, maintenance     the system status becomes `status` until faults are cleared
"""

from random import Random
from typing import Literal

import msgspec

from .figures import NS

Kind = Literal[
    "request_lost",
    "reply_lost_after_apply",
    "bad_gateway",
    "delay",
    "error",
    "duplicate",
    "index_lag",
    "feed_frozen",
    "feed_silent",
    "checksum_wrong",
    "update_lost",
    "skip_sequence",
    "drop_ws",
    "refuse_ws",
    "status",
    "maintenance",
]
_LASTING = ("index_lag", "feed_frozen", "feed_silent")
_MS = NS // 1000
_FAULTS_MAX = 1000


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One mishap to come. `call` is a method (AddOrder); empty means any private call, "*" any call at all.

    `times` of None means until cleared; lasting kinds take it so by default, `for_ms` ends them earlier.
    """

    kind: Kind
    call: str = ""
    symbol: str = ""
    channel: str = ""
    line: Literal["", "public", "private"] = ""
    times: int | None = None
    skip: int = 0
    rate: float = 1.0
    ms: int = 0
    when: Literal["wire", "before", "after"] = "before"
    applied: bool = False
    http_status: int = 502
    code: int = 1012
    error: str = "EService:Unavailable"
    status: Literal["online", "maintenance", "cancel_only", "post_only", "limit_only"] = "maintenance"
    for_ms: int | None = None


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """What is to happen to one request; delays in ns."""

    lost: bool = False
    cut: bool = False
    page: int = 0
    error: str = ""
    applied: bool = False
    twice: bool = False
    wire: int = 0
    before: int = 0
    after: int = 0


class _Armed:
    """A fault with what is left of it."""

    def __init__(self, fault: Fault, now: int) -> None:
        lasting = fault.kind in _LASTING
        self.fault = fault
        self.left = fault.times if fault.times is not None or lasting else 1
        self.skip = fault.skip
        self.until = None if fault.for_ms is None else now + fault.for_ms * _MS

    def over(self, now: int) -> bool:
        return self.left == 0 or (self.until is not None and now >= self.until)


class FaultPlan:
    """All armed faults of one exchange."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._armed: list[_Armed] = []

    def add(self, fault: Fault, now: int) -> None:
        """Arm a fault; a full plan (1000) raises ValueError."""
        self._armed = [armed for armed in self._armed if not armed.over(now)]
        if len(self._armed) >= _FAULTS_MAX:
            raise ValueError(f"{_FAULTS_MAX} faults are armed already; clear some first")
        self._armed.append(_Armed(fault, now))

    def clear(self) -> None:
        """Disarm everything."""
        self._armed.clear()

    def listed(self, now: int) -> list[dict[str, object]]:
        """Return the armed faults and how often each will still strike."""
        return [
            {"fault": msgspec.to_builtins(armed.fault), "left": armed.left}
            for armed in self._armed
            if not armed.over(now)
        ]

    def fate(self, call: str, now: int, *, private: bool) -> Fate:
        """Decide what happens to a request, and count it."""
        if not self._armed:
            return _UNHURT
        changes: dict[str, object] = {}
        for armed in self._armed:
            fault = armed.fault
            if fault.call in (call, "*") or (fault.call == "" and private):
                change = _change(fault)
                if change and self._strikes(armed, now):
                    changes |= change
        return msgspec.convert(changes, Fate) if changes else _UNHURT

    def frozen(self, symbol: str, channel: str, now: int) -> bool:
        """Tell whether this symbol's news is withheld on this channel."""
        return any(
            armed.fault.kind == "feed_frozen"
            and not armed.over(now)
            and armed.fault.symbol in ("", symbol)
            and armed.fault.channel in ("", channel)
            for armed in self._armed
        )

    def silent(self, line: str, now: int) -> bool:
        """Tell whether nothing at all is sent on lines of this kind."""
        return any(
            armed.fault.kind == "feed_silent" and not armed.over(now) and armed.fault.line in ("", line)
            for armed in self._armed
        )

    def lag(self, now: int) -> int:
        """Return how far queries run behind the engine, in ns."""
        lags = (a.fault.ms * _MS for a in self._armed if a.fault.kind == "index_lag" and not a.over(now))
        return max(lags, default=0)

    def strikes(self, kind: Kind, subject: str, now: int) -> bool:
        """Tell whether a counted fault strikes this message or line, and count it; `subject` is symbol or line."""
        return any(
            armed.fault.kind == kind
            and (armed.fault.symbol or armed.fault.line or subject) == subject
            and self._strikes(armed, now)
            for armed in self._armed
        )

    def _strikes(self, armed: _Armed, now: int) -> bool:
        if armed.over(now) or (armed.fault.rate < 1.0 and self._rng.random() >= armed.fault.rate):
            return False
        if armed.skip:
            armed.skip -= 1
            return False
        if armed.left is not None:
            armed.left -= 1
        return True


_UNHURT = Fate()


def _change(fault: Fault) -> dict[str, object]:
    """Return the fields of a request's fate this fault sets; none for faults of another scope."""
    match fault.kind:
        case "request_lost":
            return {"lost": True}
        case "reply_lost_after_apply":
            return {"cut": True}
        case "bad_gateway":
            return {"page": fault.http_status, "applied": fault.applied}
        case "error":
            return {"error": fault.error, "applied": fault.applied}
        case "duplicate":
            return {"twice": True}
        case "delay":
            return {fault.when: fault.ms * _MS}
        case _:
            return {}
