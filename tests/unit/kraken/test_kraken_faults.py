"""The fault table, every string of kraken.md section 4 walked for reads, cancels and orders."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain.errors import Reason
from execsvc.kraken.endpoints import Effect
from execsvc.kraken.faults import (
    LOCKOUT_S,
    TABLE,
    Alarm,
    Move,
    of_status,
    of_texts,
    of_transport,
    of_unreadable,
)
from execsvc.ports import NotSentError, ReplyLostError

TELL, AGAIN, RENONCE, DOUBT, CONFIRM, GONE = Move.TELL, Move.AGAIN, Move.RENONCE, Move.DOUBT, Move.CONFIRM, Move.GONE
R = Reason
NOW_NS = 1_741_499_990 * 10**9

# text: (read, cancel, order), each a move and the reason told. Written from contract.md section 8, row by row.
SAME = object()


def row(move, reason, cancel=SAME, order=SAME):
    return (move, reason), (move, reason) if cancel is SAME else cancel, (move, reason) if order is SAME else order


def doubtful(reason, move=TELL):
    return row(move, reason, order=(DOUBT, reason))


RATE = row(AGAIN, R.VENUE_RATE_LIMITED, order=(TELL, R.VENUE_RATE_LIMITED))
OFFLINE = row(AGAIN, R.VENUE_UNREACHABLE, order=(DOUBT, R.VENUE_UNREACHABLE))
UNKNOWN = row(TELL, R.VENUE_ERROR, cancel=(AGAIN, R.VENUE_ERROR), order=(DOUBT, R.VENUE_ERROR))
TOKEN = row(AGAIN, R.VENUE_UNREACHABLE, order=(TELL, R.NOT_PLACED))
NO_ORDER = row(TELL, R.ORDER_NOT_FOUND, cancel=(GONE, R.ORDER_NOT_FOUND), order=(DOUBT, R.ORDER_NOT_FOUND))

CASES = {
    "EAPI:Invalid key": row(TELL, R.VENUE_CREDENTIALS_REJECTED),
    "EAPI:Invalid signature": row(TELL, R.VENUE_CREDENTIALS_REJECTED),
    "EAPI:Invalid nonce": row(RENONCE, R.VENUE_UNREACHABLE, order=(DOUBT, R.VENUE_UNREACHABLE)),
    "EAPI:Rate limit exceeded": RATE,
    "EGeneral:Too many requests": RATE,
    "EAuth:Rate limit exceeded": RATE,
    "EAuth:Too many requests": RATE,
    "Exceeded msg rate": RATE,
    "EService: Throttled: 1741500000": RATE,
    "EService:Throttled:1741500000": RATE,
    "EOrder:Rate limit exceeded": RATE,
    "EOrder:Domain rate limit exceeded": RATE,
    "EGeneral:Temporary lockout": row(TELL, R.VENUE_LOCKED_OUT, order=(TELL, R.NOT_PLACED)),
    "EGeneral:Permission denied": row(TELL, R.VENUE_PERMISSION_MISSING),
    "EAPI:Permission denied": row(TELL, R.VENUE_PERMISSION_MISSING),
    "EAccount:Invalid permissions:XBT/USD trading restricted": row(TELL, R.VENUE_PERMISSION_MISSING),
    "EAuth:Account temporary disabled": row(TELL, R.VENUE_ACCOUNT_RESTRICTED),
    "EAuth:Account unconfirmed": row(TELL, R.VENUE_ACCOUNT_RESTRICTED),
    "EAuth:Failed": row(TELL, R.VENUE_ACCOUNT_RESTRICTED),
    "ETrade:User Locked": row(TELL, R.VENUE_ACCOUNT_RESTRICTED),
    "ETrade:Locked": row(TELL, R.VENUE_ACCOUNT_RESTRICTED),
    "EBM:limit exceeded:CAL": row(TELL, R.VENUE_ACCOUNT_RESTRICTED),
    "EGeneral:Invalid arguments": row(TELL, R.VENUE_REFUSED_ARGUMENTS),
    "EGeneral:Invalid arguments:ordertype": row(TELL, R.VENUE_REFUSED_ARGUMENTS),
    "EGeneral:Invalid arguments:cl_ord_id": row(TELL, R.VENUE_REFUSED_ARGUMENTS),
    "EGeneral:Invalid arguments:deadline": row(
        TELL, R.VENUE_REFUSED_ARGUMENTS, order=(CONFIRM, R.VENUE_DEADLINE_ELAPSED)
    ),
    "EGeneral:Invalid arguments:cl_ord_id not unique": doubtful(R.VENUE_REFUSED_ARGUMENTS),
    "EGeneral:Invalid arguments:Index unavailable": row(TELL, R.TRIGGER_INDEX_UNAVAILABLE),
    "EAPI:Bad request": row(TELL, R.VENUE_REFUSED_ARGUMENTS),
    "EGeneral:Unknown method": row(TELL, R.VENUE_REFUSED_ARGUMENTS),
    "ETrade:Invalid request": row(TELL, R.VENUE_REFUSED_ARGUMENTS),
    "EAPI:Feature disabled": row(TELL, R.VENUE_REFUSED_ARGUMENTS),
    "Unsupported field: 'price' for the given msg type: add order": row(TELL, R.VENUE_REFUSED_ARGUMENTS),
    "EGeneral:Internal error": OFFLINE,
    "EGeneral:Internal error:42": OFFLINE,
    "EDatabase:Internal error": OFFLINE,
    "EService:Unavailable": OFFLINE,
    "EService:Busy": OFFLINE,
    "EService:Timeout": OFFLINE,
    "EService:Deadline elapsed": row(AGAIN, R.VENUE_UNREACHABLE, order=(CONFIRM, R.VENUE_DEADLINE_ELAPSED)),
    "EService:Market in cancel_only mode": row(TELL, R.INSTRUMENT_STATUS),
    "EService:Market in post_only mode": row(TELL, R.INSTRUMENT_STATUS),
    "EService:Market in limit_only mode": row(TELL, R.INSTRUMENT_STATUS),
    "EQuery:Unknown asset pair": row(TELL, R.UNKNOWN_SYMBOL),
    "EQuery:Invalid asset pair": row(TELL, R.UNKNOWN_SYMBOL),
    "EQuery:Unknown asset": row(TELL, R.UNKNOWN_SYMBOL),
    "Currency pair not supported FOO/BAR": row(TELL, R.UNKNOWN_SYMBOL),
    "EOrder:Insufficient funds": row(TELL, R.INSUFFICIENT_FUNDS),
    "EOrder:Insufficient initial margin": row(TELL, R.MARGIN_REFUSED),
    "EOrder:Insufficient margin (pool)": row(TELL, R.MARGIN_REFUSED),
    "EOrder:Margin allowance exceeded": row(TELL, R.MARGIN_REFUSED),
    "EOrder:Margin level too low": row(TELL, R.MARGIN_REFUSED),
    "EOrder:Margin position size exceeded": row(TELL, R.MARGIN_REFUSED),
    "EOrder:Cannot open position": row(TELL, R.MARGIN_REFUSED),
    "EOrder:Cannot open opposing position": row(TELL, R.MARGIN_REFUSED),
    "EOrder:Order minimum not met": row(TELL, R.ORDER_MINIMUM_NOT_MET),
    "EOrder:Cost minimum not met": row(TELL, R.ORDER_MINIMUM_NOT_MET),
    "EOrder:Tick size check failed": row(TELL, R.TICK_SIZE_VIOLATED),
    "EOrder:Invalid price:Invalid price argument": row(TELL, R.VENUE_REFUSED_ARGUMENTS),
    "EOrder:Post only order": row(TELL, R.POST_ONLY_WOULD_TAKE),
    "EOrder:Orders limit exceeded": row(TELL, R.VENUE_ORDER_LIMIT),
    "EOrder:Scheduled orders limit exceeded": row(TELL, R.VENUE_ORDER_LIMIT),
    "EOrder:Positions limit exceeded": row(TELL, R.VENUE_ORDER_LIMIT),
    "EOrder:Reduce only:Non-PC": row(TELL, R.REDUCE_ONLY_REFUSED),
    "EOrder:Reduce only:No position exists": row(TELL, R.REDUCE_ONLY_REFUSED),
    "EOrder:Reduce only:Position is closed": doubtful(R.REDUCE_ONLY_REFUSED),
    "EOrder:Unknown position": row(TELL, R.POSITION_NOT_FOUND),
    "EOrder:Unknown order": NO_ORDER,
    "EOrder:Invalid order": NO_ORDER,
    "ESession:Invalid session": TOKEN,
    "EAPI:Invalid token": TOKEN,
    "EFunding:Unknown asset": UNKNOWN,
    "EFunding:Invalid amount": UNKNOWN,
    "EEarnings:Busy": UNKNOWN,
    "EEarnings:Permission denied": UNKNOWN,
    "EOrder:A code of tomorrow": UNKNOWN,
    "neither error nor warning": UNKNOWN,
}
EFFECTS = (Effect.READ, Effect.CANCEL, Effect.ORDER)


@pytest.mark.parametrize("text", CASES)
def test_each_text_has_its_verdict(text):
    """Move and reason of every known text, for a read, a cancel and an order, are those of the contract."""
    verdicts = [of_texts([text], effect, NOW_NS) for effect in EFFECTS]
    assert list(CASES[text]) == [(verdict.move, verdict.fault.reason) for verdict in verdicts]


@pytest.mark.parametrize("text", CASES)
def test_verdict_carries_krakens_own_words(text):
    """`venue_error` is the raw text."""
    assert text == of_texts([text], Effect.READ, NOW_NS).fault.metadata["venue_error"]


def test_every_row_of_the_table_is_walked():
    """No row stands in the table that the cases above do not reach."""
    reached = set()
    for text in CASES:
        head, _, rest = text.partition(":")
        plain = f"{head}:{rest.lstrip()}" if rest else text
        matching = [row.prefix for row in TABLE if plain.startswith(row.prefix)]
        if matching:
            reached.add(max(matching, key=len))
    assert {row.prefix for row in TABLE} == reached


def test_warnings_are_no_errors():
    """W… strings beside a result mean success."""
    assert of_texts(["WGeneral:Danger"], Effect.ORDER, NOW_NS) is None
    assert of_texts([], Effect.ORDER, NOW_NS) is None


@given(st.lists(st.sampled_from(sorted(CASES)), min_size=1, max_size=4), st.permutations(range(4)))
def test_one_ambiguous_text_makes_an_order_a_doubt(texts, shuffle):
    """Several texts on an order: the most doubtful decides, in any order, and all are quoted."""
    verdict = of_texts(texts, Effect.ORDER, NOW_NS)
    moves = {CASES[text][2][0] for text in texts}
    expected = DOUBT if DOUBT in moves else CONFIRM if CONFIRM in moves else TELL
    assert expected is verdict.move
    again = of_texts([texts[at % len(texts)] for at in shuffle] + texts, Effect.ORDER, NOW_NS)
    assert again.move is verdict.move
    assert "; ".join(texts) == verdict.fault.metadata["venue_error"]


def test_ambiguous_text_beside_gone_keeps_a_cancel_trying():
    """Gone is believed only when nothing else was said."""
    verdict = of_texts(["EOrder:Unknown order", "EService:Busy"], Effect.CANCEL, NOW_NS)
    assert verdict.move is AGAIN


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("EService: Throttled: 1741500000", 10.0),
        ("EService:Throttled:1741500000", 10.0),
        ("EService:Throttled:1741000000", 0.1),
        ("EService:Throttled:9999999999", 900.0),
        ("EService:Throttled", 5.0),
        ("EService:Throttled:" + "9" * 5000, 5.0),
    ],
)
def test_throttle_waits_until_the_stamp(text, wait_s):
    """The wait is the stamp minus Kraken's clock, bounded; without a readable stamp a default."""
    verdict = of_texts([text], Effect.ORDER, NOW_NS)
    assert (wait_s, wait_s) == (verdict.wait_s, verdict.fault.retry_after_s)


@pytest.mark.parametrize(
    ("text", "alarm"),
    [
        ("EAPI:Invalid key", Alarm.KEY_REFUSED),
        ("EAPI:Invalid signature", Alarm.KEY_REFUSED),
        ("EGeneral:Temporary lockout", Alarm.LOCKED_OUT),
        ("EAPI:Invalid nonce", Alarm.NONCE),
        ("EOrder:Insufficient funds", None),
    ],
)
def test_some_texts_concern_the_whole_key(text, alarm):
    """An alarm is raised whatever stands beside the text."""
    assert alarm is of_texts(["EOrder:Post only order", text], Effect.ORDER, NOW_NS).alarm


def test_only_what_waiting_heals_says_when_to_come_back():
    """retry_after_s belongs to rate limits and lockouts; a placement refused by a lockout is just not placed."""
    assert LOCKOUT_S == of_texts(["EGeneral:Temporary lockout"], Effect.READ, NOW_NS).fault.retry_after_s
    assert of_texts(["EGeneral:Temporary lockout"], Effect.ORDER, NOW_NS).fault.retry_after_s is None
    assert of_texts(["EService:Unavailable"], Effect.READ, NOW_NS).fault.retry_after_s is None


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 301, 404])
def test_http_status_that_proves_nothing(status):
    """A gateway's page: reads and cancels ask again, an order is in doubt."""
    moves = [of_status(status, effect).move for effect in EFFECTS]
    assert moves == [AGAIN, AGAIN, DOUBT]


@pytest.mark.parametrize("status", [403, 429])
def test_edge_turned_the_call_away(status):
    """The edge's refusal never reached the API: an order is refused, the rest waits."""
    verdicts = [of_status(status, effect, "7") for effect in EFFECTS]
    assert [verdict.move for verdict in verdicts] == [AGAIN, AGAIN, TELL]
    assert {verdict.fault.reason for verdict in verdicts} == {R.VENUE_RATE_LIMITED}
    assert {verdict.wait_s for verdict in verdicts} == {7.0}


def test_http_200_must_be_read():
    """200 is no verdict."""
    assert of_status(200, Effect.ORDER) is None


def test_unreadable_and_lost_answers_are_doubts():
    """HTML, truncation, time-out, reset: an order may exist."""
    verdicts = [of_unreadable(Effect.ORDER, "HTML"), of_transport(ReplyLostError("reset"), Effect.ORDER)]
    assert [verdict.move for verdict in verdicts] == [DOUBT, DOUBT]
    assert of_transport(ReplyLostError("reset"), Effect.CANCEL).move is AGAIN


def test_nothing_sent_is_certain():
    """DNS, refused, TLS: nothing of an order exists; a read may be tried again."""
    moves = [of_transport(NotSentError("refused"), effect).move for effect in EFFECTS]
    assert moves == [AGAIN, AGAIN, TELL]
