"""What a failure means, as one table: Kraken's texts, HTTP statuses and broken connections → what may be done next.

Rows follow contract.md section 8 "Kraken → gRPC" (facts: kraken.md 4); the longest prefix wins. On an order one unknown or
ambiguous text makes the whole answer a doubt, and HTTP 200 proves nothing. What is done with a verdict is not decided
here: retry.py repeats reads and cancels, private.py turns an order's verdict into a Placement.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from execsvc.domain.errors import Fault, Reason
from execsvc.kraken.endpoints import Effect
from execsvc.ports import NotSentError, ReplyLostError

LOCKOUT_S = 900.0  # "about 15 minutes" (kraken.md 1, nonce rules)
RATE_WAIT_S = 5.0  # kraken.md 4: wait 5 to 15 s, keep calling and the block lasts longer
ENGINE_WAIT_S = 2.0  # the slowest tier's engine counter decays by 1 a second
THROTTLE_MOST_S = 900.0


class Move(Enum):
    """What may be done next."""

    TELL = "tell"  # final: the fault is the answer
    AGAIN = "again"  # ask again while time remains; the fault if none does
    RENONCE = "renonce"  # ask again with a nonce of a fresh block
    DOUBT = "doubt"  # an order that may or may not exist
    CONFIRM = "confirm"  # an order dropped by its deadline: believed after one look by id
    GONE = "gone"  # no such open order


class Alarm(Enum):
    """What the whole key must know."""

    KEY_REFUSED = "key_refused"
    LOCKED_OUT = "locked_out"
    NONCE = "nonce"
    RATE = "rate"  # the key's call counter is full
    THROTTLED = "throttled"  # too many calls at once: none but cancels before the stamp
    ENGINE = "engine"  # the pair's trading counter is full


@dataclass(frozen=True)
class Verdict:
    """One failed call, judged."""

    move: Move
    fault: Fault
    wait_s: float | None = None
    alarm: Alarm | None = None
    answered: bool = True  # Kraken itself, or its edge, has spoken: what the call costs is counted by now


@dataclass(frozen=True)
class Row:
    """One kind of failure. `cancel` is derived where it is not given; `order_reason` where an order's differs.

    An amend goes by the order's column, but where `amend` and `amend_reason` are given.
    """

    prefix: str
    reason: Reason
    words: str
    read: Move = Move.TELL
    order: Move = Move.TELL
    cancel: Move | None = None
    order_reason: Reason | None = None
    amend: Move | None = None
    amend_reason: Reason | None = None
    wait_s: float | None = None
    alarm: Alarm | None = None

    def move(self, effect: Effect) -> Move:
        """A cancel that meets doubt, wait or unreachability is sent again: repeating it is harmless."""
        if effect is Effect.READ:
            return self.read
        if effect is Effect.ORDER:
            return self.order
        if effect is Effect.AMEND:
            return self.amend or self.order
        if self.cancel is not None:
            return self.cancel
        return Move.AGAIN if self.read is Move.AGAIN or self.order in {Move.DOUBT, Move.CONFIRM} else self.read

    def reason_for(self, effect: Effect) -> Reason:
        """The reason told to the caller of such a call."""
        match effect:
            case Effect.ORDER:
                return self.order_reason or self.reason
            case Effect.AMEND:
                return self.amend_reason or self.order_reason or self.reason
            case _:
                return self.reason


def _rows(prefixes: str, reason: Reason, words: str, **rest: object) -> tuple[Row, ...]:
    return tuple(Row(prefix, reason, words, **rest) for prefix in prefixes.split("|"))  # type: ignore[arg-type]  # same fields as Row


_NONCE_TEXT = "EAPI:Invalid nonce"
_R = Reason
TABLE: tuple[Row, ...] = (
    *_rows("EAPI:Invalid key|EAPI:Invalid signature", _R.VENUE_CREDENTIALS_REJECTED,
           "Kraken refuses the server's API key", alarm=Alarm.KEY_REFUSED),
    Row(_NONCE_TEXT, _R.VENUE_UNREACHABLE, "Kraken refused the nonce",
        read=Move.RENONCE, order=Move.DOUBT, cancel=Move.RENONCE, alarm=Alarm.NONCE),
    *_rows("EAPI:Rate limit exceeded|EGeneral:Too many requests|EAuth:Rate limit exceeded|EAuth:Too many requests|"
           "Exceeded msg rate", _R.VENUE_RATE_LIMITED, "Kraken's rate limit was met", read=Move.AGAIN, wait_s=RATE_WAIT_S,
           alarm=Alarm.RATE),
    Row("EService:Throttled", _R.VENUE_RATE_LIMITED, "Kraken throttles the key", read=Move.AGAIN, wait_s=RATE_WAIT_S,
        alarm=Alarm.THROTTLED),
    *_rows("EOrder:Rate limit exceeded|EOrder:Domain rate limit exceeded", _R.VENUE_RATE_LIMITED,
           "Kraken's trading counter is full", read=Move.AGAIN, wait_s=ENGINE_WAIT_S, alarm=Alarm.ENGINE),
    Row("EGeneral:Temporary lockout", _R.VENUE_LOCKED_OUT, "Kraken has locked the key out for about 15 minutes",
        order_reason=_R.NOT_PLACED, wait_s=LOCKOUT_S, alarm=Alarm.LOCKED_OUT),
    *_rows("EGeneral:Permission denied|EAPI:Permission denied|EAccount:Invalid permissions",
           _R.VENUE_PERMISSION_MISSING, "the server's API key lacks a permission"),
    *_rows("EAuth:Account temporary disabled|EAuth:Account unconfirmed|EAuth:Failed|ETrade:User Locked|ETrade:Locked|"
           "EBM:limit exceeded:", _R.VENUE_ACCOUNT_RESTRICTED, "the Kraken account is restricted"),
    Row("EGeneral:Invalid arguments:Index unavailable", _R.TRIGGER_INDEX_UNAVAILABLE, "there is no index price"),
    # It came too late for the deadline it carries: as if the engine had dropped it, and believed as little.
    Row("EGeneral:Invalid arguments:deadline", _R.VENUE_REFUSED_ARGUMENTS, "less was left than Kraken wants for a deadline",
        order=Move.CONFIRM, cancel=Move.TELL, order_reason=_R.VENUE_DEADLINE_ELAPSED),
    Row("EGeneral:Invalid arguments:cl_ord_id not unique", _R.VENUE_REFUSED_ARGUMENTS,
        "an open order already has this id", order=Move.DOUBT, cancel=Move.TELL),
    *_rows("EGeneral:Invalid arguments|EAPI:Bad request|EGeneral:Unknown method|ETrade:Invalid request|"
           "EAPI:Feature disabled|Unsupported field", _R.VENUE_REFUSED_ARGUMENTS, "Kraken refused the arguments"),
    *_rows("EQuery:Unknown asset pair|EQuery:Invalid asset pair|EQuery:Unknown asset|Currency pair not supported",
           _R.UNKNOWN_SYMBOL, "Kraken does not know the symbol"),
    Row("EOrder:Insufficient funds", _R.INSUFFICIENT_FUNDS, "the account's funds do not suffice"),
    *_rows("EOrder:Insufficient initial margin|EOrder:Insufficient margin|EOrder:Margin allowance exceeded|"
           "EOrder:Margin level too low|EOrder:Margin position size exceeded|EOrder:Cannot open position|"
           "EOrder:Cannot open opposing position", _R.MARGIN_REFUSED, "Kraken refuses the margin"),
    *_rows("EOrder:Order minimum not met|EOrder:Cost minimum not met", _R.ORDER_MINIMUM_NOT_MET,
           "the order is below Kraken's minimum"),
    Row("EOrder:Tick size check failed", _R.TICK_SIZE_VIOLATED, "the price is off the tick"),
    Row("EOrder:Invalid price", _R.VENUE_REFUSED_ARGUMENTS, "Kraken refused the price"),
    Row("EOrder:Post only order", _R.POST_ONLY_WOULD_TAKE, "a post-only order would have taken"),
    *_rows("EOrder:Orders limit exceeded|EOrder:Scheduled orders limit exceeded|EOrder:Positions limit exceeded",
           _R.VENUE_ORDER_LIMIT, "too many orders or positions are open"),
    *_rows("EOrder:Reduce only:Non-PC|EOrder:Reduce only:No position exists", _R.REDUCE_ONLY_REFUSED,
           "there is nothing to reduce"),
    Row("EOrder:Reduce only:Position is closed", _R.REDUCE_ONLY_REFUSED,
        "the position closed under a reduce-only order", order=Move.DOUBT, cancel=Move.TELL),
    Row("EOrder:Unknown position", _R.POSITION_NOT_FOUND, "Kraken knows no such position"),
    Row("EOrder:Unknown order", _R.ORDER_NOT_FOUND, "Kraken knows no such open order",
        order=Move.DOUBT, cancel=Move.GONE, amend=Move.TELL, amend_reason=_R.ORDER_TERMINAL),
    Row("EOrder:Invalid order", _R.ORDER_NOT_FOUND, "Kraken knows no such open order",
        order=Move.DOUBT, cancel=Move.GONE, amend=Move.TELL),
    Row("EService:Market in ", _R.INSTRUMENT_STATUS, "the market does not take this order now"),
    Row("EService:Deadline elapsed", _R.VENUE_UNREACHABLE, "Kraken dropped the call: its deadline passed",
        read=Move.AGAIN, order=Move.CONFIRM, order_reason=_R.VENUE_DEADLINE_ELAPSED),
    *_rows("EService:Unavailable|EService:Busy|EService:Timeout|EGeneral:Internal error|EDatabase:Internal error",
           _R.VENUE_UNREACHABLE, "Kraken could not answer", read=Move.AGAIN, order=Move.DOUBT),
    *_rows("ESession:Invalid session|EAPI:Invalid token", _R.VENUE_UNREACHABLE, "the session token is stale",
           read=Move.AGAIN, order_reason=_R.NOT_PLACED),
)  # fmt: skip
UNKNOWN_TEXT = Row("", _R.VENUE_ERROR, "Kraken said something unknown", order=Move.DOUBT)
EDGE_LIMIT = Row("", _R.VENUE_RATE_LIMITED, "Kraken's edge turned the call away", read=Move.AGAIN, wait_s=RATE_WAIT_S,
                 alarm=Alarm.RATE)  # fmt: skip
NO_ANSWER = Row("", _R.VENUE_UNREACHABLE, "no readable answer came from Kraken", read=Move.AGAIN, order=Move.DOUBT)
NOT_SENT = Row("", _R.VENUE_UNREACHABLE, "Kraken cannot be reached", read=Move.AGAIN)

_BY_LENGTH = sorted(TABLE, key=lambda row: len(row.prefix), reverse=True)
_EDGE_STATUSES = frozenset({403, 429})
_OK = 200
_HEALED_BY_WAITING = frozenset({Reason.VENUE_RATE_LIMITED, Reason.VENUE_LOCKED_OUT})
_STAMP_DIGITS_MAX = 20
# Of several texts the one that allows least decides; on orders the most doubtful.
_WORST: dict[Effect, tuple[Move, ...]] = {
    Effect.ORDER: (Move.DOUBT, Move.CONFIRM, Move.TELL),
    Effect.AMEND: (Move.DOUBT, Move.CONFIRM, Move.TELL),
    Effect.READ: (Move.TELL, Move.RENONCE, Move.AGAIN),
    Effect.CANCEL: (Move.AGAIN, Move.RENONCE, Move.TELL, Move.GONE),
}


def of_texts(texts: Sequence[str], effect: Effect, venue_ns: int) -> Verdict | None:
    """The verdict on an `error` list; None when it holds nothing but warnings. `venue_ns` is Kraken's clock now."""
    told = [text for text in texts if not text.startswith("W")]
    verdicts = [_of_text(text, effect, venue_ns) for text in told]
    if not verdicts:
        return None
    worst = _WORST[effect]
    unknown = [verdict for verdict in verdicts if verdict.fault.reason is Reason.VENUE_ERROR]
    chosen = unknown[0] if unknown else min(verdicts, key=lambda verdict: worst.index(verdict.move))
    alarm = next((verdict.alarm for verdict in verdicts if verdict.alarm is not None), None)
    return replace(chosen, fault=chosen.fault.with_metadata(venue_error="; ".join(told)), alarm=alarm)


def of_status(status: int, effect: Effect, retry_after: str = "") -> Verdict | None:
    """The verdict on an HTTP status; None for 200, which proves nothing but must be read."""
    if status == _OK:
        return None
    row = EDGE_LIMIT if status in _EDGE_STATUSES else NO_ANSWER
    wait_s = min(float(retry_after), THROTTLE_MOST_S) if retry_after.isdecimal() else row.wait_s  # seconds
    return replace(_verdict(row, effect, f"HTTP {status}", wait_s), answered=row is EDGE_LIMIT)


def of_unreadable(effect: Effect, why: str) -> Verdict:
    """The verdict on a body that is no answer of Kraken's."""
    return replace(_verdict(NO_ANSWER, effect, why, None), answered=False)


def of_transport(failure: NotSentError | ReplyLostError, effect: Effect) -> Verdict:
    """The verdict on a connection that failed."""
    row = NOT_SENT if isinstance(failure, NotSentError) else NO_ANSWER
    return replace(_verdict(row, effect, str(failure), None), answered=False)


def says_nonce(fault: Fault) -> bool:
    """Whether what Kraken said is that a nonce was too low."""
    return fault.metadata.get("venue_error", "").startswith(_NONCE_TEXT)


def _of_text(text: str, effect: Effect, venue_ns: int) -> Verdict:
    plain = _normal(text)
    row = next((row for row in _BY_LENGTH if plain.startswith(row.prefix)), UNKNOWN_TEXT)
    return _verdict(row, effect, text, _throttled_s(plain, venue_ns) or row.wait_s)


def _normal(text: str) -> str:
    head, colon, rest = text.partition(":")
    return f"{head}:{rest.lstrip()}" if colon else text


def _throttled_s(plain: str, venue_ns: int) -> float | None:
    """Seconds until the stamp of `EService:Throttled:<unix>`; None where there is none."""
    stamp = plain.removeprefix("EService:Throttled").lstrip(": ")
    if stamp == plain or not stamp.isdecimal() or len(stamp) > _STAMP_DIGITS_MAX:
        return None
    return min(max(0.1, int(stamp) - venue_ns / 1e9), THROTTLE_MOST_S)


def _verdict(row: Row, effect: Effect, detail: str, wait_s: float | None) -> Verdict:
    reason = row.reason_for(effect)
    fault = Fault(reason, f"{row.words} ({detail})", retry_after_s=wait_s if reason in _HEALED_BY_WAITING else None)
    return Verdict(row.move(effect), fault, wait_s, row.alarm)
