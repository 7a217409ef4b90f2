"""Every way in which a call to Kraken fails, and what must come of a read, a cancel and an order that it befalls.

Written by hand from kraken.md section 4 and contract.md section 8, and from nothing in the code: test_every_error.py drives
each case through the whole adapter and compares the list itself with both pages.
"""

import json

from every_error_ends import Again, Case, Doubt, NeverSent, NewNonce, NothingOpen, OneLook, Refused, Told

from execsvc.domain.errors import Reason
from execsvc.ports import NotSentError, Reply, ReplyLostError
from tests.support.net import answer
from tests.support.simloop import SimClock

RATE_WAIT_S = 5.0  # kraken.md 4.1: 5 to 15 s
ENGINE_WAIT_S = 2.0
THROTTLED_FOR_S = 40.0
THROTTLED_UNTIL = SimClock.EPOCH_NS // 10**9 + int(THROTTLED_FOR_S)
STALE_STAMP_WAIT_S = 0.1  # a stamp that has passed
EDGE_WAIT_S = 7.0
PAGE = b"<!DOCTYPE html><title>api.kraken.com | 502: Bad gateway</title>"
R = Reason
IN_VAIN = R.VENUE_UNREACHABLE


def _says(text):
    return lambda _: answer(None, text)


def _case(text, read, order, cancel=None):
    return Case(text, _says(text), read, read if cancel is None else cancel, order, text=text)


def _told(reason, *texts, order=None):
    return [_case(text, Told(reason), Refused(reason) if order is None else order) for text in texts]


def _limited(wait_s, *texts):
    reason = R.VENUE_RATE_LIMITED
    return [_case(text, Again(reason, wait_s), Refused(reason, wait_s)) for text in texts]


def _throttled(text):
    read = Again(R.VENUE_RATE_LIMITED, STALE_STAMP_WAIT_S, first_wait_s=THROTTLED_FOR_S)
    return _case(text, read, Refused(R.VENUE_RATE_LIMITED, THROTTLED_FOR_S))


def _down(*texts, order=None):
    return [_case(text, Again(IN_VAIN), Doubt() if order is None else order) for text in texts]


def _strange(*texts):
    return [_case(text, Told(R.VENUE_ERROR), Doubt(), cancel=Again(R.VENUE_ERROR)) for text in texts]


# ---- Kraken's texts: kraken.md 4.1, contract.md section 8 ------------------------------------------------------------

NONCE = _case("EAPI:Invalid nonce", NewNonce(IN_VAIN), Doubt())
LOCKOUT = _case("EGeneral:Temporary lockout", Told(R.VENUE_LOCKED_OUT, retry_after_s=900.0), Refused(R.NOT_PLACED))
KEY_REFUSALS = _told(R.VENUE_CREDENTIALS_REJECTED, "EAPI:Invalid key", "EAPI:Invalid signature")
THROTTLE = _throttled(f"EService: Throttled: {THROTTLED_UNTIL}")
DEADLINE_PASSED = (
    *_down("EService:Deadline elapsed", order=OneLook(R.VENUE_DEADLINE_ELAPSED)),
    *_told(R.VENUE_REFUSED_ARGUMENTS, "EGeneral:Invalid arguments:deadline", order=OneLook(R.VENUE_DEADLINE_ELAPSED)),
)

SPOKEN = (
    *KEY_REFUSALS,
    NONCE,
    *_limited(
        RATE_WAIT_S,
        "EAPI:Rate limit exceeded",
        "EGeneral:Too many requests",
        "EAuth:Rate limit exceeded",
        "EAuth:Too many requests",
        "Exceeded msg rate",
        "EService:Throttled",
    ),
    THROTTLE,
    _throttled(f"EService:Throttled:{THROTTLED_UNTIL}"),
    *_limited(ENGINE_WAIT_S, "EOrder:Rate limit exceeded", "EOrder:Domain rate limit exceeded"),
    LOCKOUT,
    *_told(
        R.VENUE_PERMISSION_MISSING,
        "EGeneral:Permission denied",
        "EAPI:Permission denied",
        "EAccount:Invalid permissions",
        "EAccount:Invalid permissions:XBT/USD trading restricted for US:WA",
    ),
    *_told(
        R.VENUE_ACCOUNT_RESTRICTED,
        "EAuth:Account temporary disabled",
        "EAuth:Account unconfirmed",
        "EAuth:Failed",
        "ETrade:User Locked",
        "ETrade:Locked",
        "EBM:limit exceeded:CAL",
    ),
    *_told(R.TRIGGER_INDEX_UNAVAILABLE, "EGeneral:Invalid arguments:Index unavailable"),
    *_told(R.VENUE_REFUSED_ARGUMENTS, "EGeneral:Invalid arguments:cl_ord_id not unique", order=Doubt()),
    *_told(
        R.VENUE_REFUSED_ARGUMENTS,
        "EGeneral:Invalid arguments",
        "EGeneral:Invalid arguments:ordertype",
        "EGeneral:Invalid arguments:cl_ord_id",
        "EAPI:Bad request",
        "EGeneral:Unknown method",
        "ETrade:Invalid request",
        "EAPI:Feature disabled",
        "Unsupported field: 'price' for the given msg type: add order",
        "EOrder:Invalid price",
        "EOrder:Invalid price:Invalid price argument",
    ),
    *_told(
        R.UNKNOWN_SYMBOL,
        "EQuery:Unknown asset pair",
        "EQuery:Invalid asset pair",
        "EQuery:Unknown asset",
        "Currency pair not supported FOO/BAR",
    ),
    *_told(R.INSUFFICIENT_FUNDS, "EOrder:Insufficient funds"),
    *_told(
        R.MARGIN_REFUSED,
        "EOrder:Insufficient initial margin",
        "EOrder:Insufficient margin",
        "EOrder:Insufficient margin (pool)",
        "EOrder:Margin allowance exceeded",
        "EOrder:Margin level too low",
        "EOrder:Margin position size exceeded",
        "EOrder:Cannot open position",
        "EOrder:Cannot open opposing position",
    ),
    *_told(R.ORDER_MINIMUM_NOT_MET, "EOrder:Order minimum not met", "EOrder:Cost minimum not met"),
    *_told(R.TICK_SIZE_VIOLATED, "EOrder:Tick size check failed"),
    *_told(R.POST_ONLY_WOULD_TAKE, "EOrder:Post only order"),
    *_told(
        R.VENUE_ORDER_LIMIT,
        "EOrder:Orders limit exceeded",
        "EOrder:Scheduled orders limit exceeded",
        "EOrder:Positions limit exceeded",
    ),
    *_told(R.REDUCE_ONLY_REFUSED, "EOrder:Reduce only:Non-PC", "EOrder:Reduce only:No position exists"),
    *_told(R.REDUCE_ONLY_REFUSED, "EOrder:Reduce only:Position is closed", order=Doubt()),
    *_told(R.POSITION_NOT_FOUND, "EOrder:Unknown position"),
    *(
        _case(text, Told(R.ORDER_NOT_FOUND), Doubt(), cancel=NothingOpen())
        for text in ("EOrder:Unknown order", "EOrder:Invalid order")
    ),
    *_told(
        R.INSTRUMENT_STATUS,
        "EService:Market in cancel_only mode",
        "EService:Market in post_only mode",
        "EService:Market in limit_only mode",
    ),
    *DEADLINE_PASSED,
    *_down(
        "EService:Unavailable",
        "EService:Busy",
        "EService:Timeout",
        "EGeneral:Internal error",
        "EGeneral:Internal error:42",
        "EDatabase:Internal error",
    ),
    *_down("ESession:Invalid session", "EAPI:Invalid token", order=Refused(R.NOT_PLACED)),
    # Funding and Earn are not used here: should such a text come all the same, it is one nobody can judge.
    *_strange(
        "EFunding:Unknown asset",
        "EFunding:No funding method",
        "EFunding:Unknown withdraw key",
        "EFunding:Invalid amount",
        "EFunding:Too many addresses",
        "EFunding:Max fee exceeded",
        "EFunding:Unknown reference id",
        "EFunding:Invalid reference id",
        "EEarnings:Busy",
        "EEarnings:Below min",
        "EEarnings:Above max",
        "EEarnings:Insufficient funds",
        "EEarnings:Permission denied",
        "EOrder:A code of tomorrow",
        "ENew:Never heard of",
        "neither error nor warning",
    ),
)

# ---- HTTP and network: kraken.md 4.2 ---------------------------------------------------------------------------------

GATEWAY_ROW = "502, 503, 504, 520 to 525, a page of the edge"
EDGE_ROW = "429, 403 with a challenge"
BODY_ROW = "200 with a body that is no JSON, or is cut"
UNSENT_ROW = "no address, no connection, no handshake"
LOST_ROW = "time-out or reset once a byte has left; a kept-alive connection found dead"


def _raises(failure):
    def happens(sent):
        raise failure

    return happens


def _replies(status, body, **headers):
    return lambda _: Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def _no_answer(name, happens, page, status=200):
    read = Again(IN_VAIN)
    return Case(name, happens, read, read, Doubt(), row="no readable answer", page=(page,), status=status)


def _edge(status, name, wait_s, **headers):
    read, order = Again(R.VENUE_RATE_LIMITED, wait_s), Refused(R.VENUE_RATE_LIMITED, wait_s)
    happens = _replies(status, b"<html>Just a moment...", **headers)
    return Case(f"HTTP {status} {name}", happens, read, read, order, "", "HTTP 403 or 429", (EDGE_ROW,), status)


def _unsent(name, failure):
    read = Again(IN_VAIN)
    return Case(
        name, _raises(NotSentError(failure)), read, read, NeverSent(IN_VAIN), "", "no connection", (UNSENT_ROW,)
    )


UNSPOKEN = (
    *(
        _no_answer(f"HTTP {status}", _replies(status, PAGE), GATEWAY_ROW, status)
        for status in (502, 503, 504, 520, 521, 522, 523, 524, 525)
    ),
    _edge(429, "without a wait", RATE_WAIT_S),
    _edge(429, "with a wait", EDGE_WAIT_S, Retry_After="7"),
    _edge(403, "challenge", RATE_WAIT_S),
    _no_answer("200 with a page", _replies(200, PAGE), BODY_ROW),
    _no_answer("200 with nothing", _replies(200, b""), BODY_ROW),
    _no_answer("200 cut", _replies(200, b'{"error":[],"result":{"tx'), BODY_ROW),
    _no_answer("200 with neither error nor result", _replies(200, json.dumps({"error": []}).encode()), BODY_ROW),
    _unsent("no address", "name not known"),
    _unsent("no connection", "connection refused"),
    _unsent("no handshake", "certificate expired"),
    _no_answer("reset", _raises(ReplyLostError("reset")), LOST_ROW),
    _no_answer("kept-alive connection dead", _raises(ReplyLostError("closed before an answer")), LOST_ROW),
    _no_answer("time-out", None, LOST_ROW),
)
CASES = {case.name: case for case in (*SPOKEN, *UNSPOKEN)}
