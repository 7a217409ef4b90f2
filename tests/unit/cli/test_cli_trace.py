"""trace: the fate in the first line, the steps below it, the contract's own names as JSON."""

from datetime import UTC, datetime, timedelta

import grpc
import pytest
from execsvc_api.v1 import order_service_pb2

BEGAN = datetime(2026, 11, 22, 23, 59, 50, tzinfo=UTC)
DOUBTED = (
    ("RECEIVED", 0, {"text": "Asked for with 10.0 s to answer."}),
    ("JOURNALED", 1, {"text": "Written down.", "status": "SUBMITTED", "took": 0.4}),
    ("WAITED", 60, {"text": "Another call was in its lane.", "waited_for": "trade", "took": 58}),
    ("SENT", 61, {"text": "AddOrder left for Kraken."}),
    ("DOUBTED", 2061, {"text": "Its fate is not known.", "status": "IN_DOUBT"}),
    ("SWEPT", 8400, {"text": "It is not there.", "took": 1250}),
    ("RESOLVED", 8412, {"text": "Proved.", "status": "NOT_PLACED", "verdict": "not_placed", "error": "NOT_PLACED"}),
)


def event(kind, at_ms, **more):
    """A step `at_ms` milliseconds after the story began."""
    made = order_service_pb2.TimelineEvent(kind=order_service_pb2.TimelineKind.Value(f"TIMELINE_KIND_{kind}"))
    made.time.FromDatetime(BEGAN + timedelta(milliseconds=at_ms))
    if "took" in more:
        made.took.FromMicroseconds(round(more.pop("took") * 1000))
    if "status" in more:
        made.status = f"ORDER_STATUS_{more.pop('status')}"
    if "error" in more:
        made.error.reason = more.pop("error")
    for name, value in more.items():
        setattr(made, name, value)
    return made


@pytest.fixture
def tell(gateway, order):
    """Makes the gateway tell this story of an order."""

    def script(status, *events, **more):
        told = order("c-17", status, **more)
        steps = [event(kind, at, **facts) for kind, at, facts in events]
        gateway.script("ExplainOrder", order_service_pb2.ExplainOrderResponse(order=told, events=steps))

    return script


def test_a_story_in_columns(execsvc, tell):
    """First line the fate; then time, offset from the first step, kind, length and sentence, in the gateway's order."""
    tell("NOT_PLACED", *DOUBTED)
    said = execsvc("trace", "c-17")
    assert (0, "") == (said.code, said.err)
    assert said.out.splitlines() == [
        "c-17: NOT_PLACED, proved after 8.4 s; place anew under a new id",
        "2026-11-22 UTC  offset    kind       took    what",
        "23:59:50.000    +0.000 s  RECEIVED           Asked for with 10.0 s to answer.",
        "23:59:50.001    +0.001 s  JOURNALED  0.4 ms  Written down.",
        "23:59:50.060    +0.060 s  WAITED     58 ms   Another call was in its lane. [trade]",
        "23:59:50.061    +0.061 s  SENT               AddOrder left for Kraken.",
        "23:59:52.061    +2.061 s  DOUBTED            Its fate is not known.",
        "23:59:58.400    +8.400 s  SWEPT      1.2 s   It is not there.",
        "23:59:58.412    +8.412 s  RESOLVED           Proved. [NOT_PLACED]",
    ]


def test_another_day_is_named(execsvc, tell):
    """A step of another day than the first shows its date, and offsets stay in one column."""
    tell("OPEN", ("SENT", 0, {}), ("STATUS", 10_005, {"status": "OPEN"}))
    assert ["23:59:50.000              +0.000 s", "2026-11-23 00:00:00.005  +10.005 s"] == [
        line.partition("  S")[0] for line in execsvc("trace", "c-17").out.splitlines()[2:]
    ]


def test_attempts_are_told_apart_where_there_are_several(execsvc, tell):
    """An id that was sent again after NEVER_SENT has a column for the attempt."""
    tell("OPEN", ("SENT", 0, {}), ("SENT", 5, {"attempt": 1}))
    heads, first, second = execsvc("trace", "c-17").out.splitlines()[1:]
    assert ("attempt", ["0", "1"]) == (heads.split()[3], [first.split()[3], second.split()[3]])


FATES = [
    (
        "SUBMITTED",
        [("JOURNALED", 1, "SUBMITTED"), ("WAITED", 251, "")],
        "on its way, 250 ms so far; Kraken's answer is awaited",
    ),
    (
        "IN_DOUBT",
        [("DOUBTED", 2000, "IN_DOUBT"), ("WAITED", 5200, "")],
        "looked for and not sent again, 3.2 s so far; repeat only with this id",
    ),
    ("PENDING", [("STATUS", 118, "PENDING")], "taken after 118 ms"),
    ("OPEN", [("STATUS", 118, "OPEN"), ("FILLED", 900, "")], "taken after 118 ms"),
    ("OPEN", [("STATUS", 3, "OPEN")], "taken after 3.0 ms"),
    ("OPEN", [("RESOLVED", 1234, "OPEN")], "found after 1.2 s"),
    ("FILLED", [("STATUS", 118, "OPEN"), ("FILLED", 2000, "FILLED")], "done after 2.0 s"),
    ("FILLED", [("RESOLVED", 1500, "FILLED")], "found after 1.5 s"),
    ("CANCELLED", [("STATUS", 61_000, "CANCELLED")], "ended after 0:01:01, nothing filled"),
    ("EXPIRED", [("STATUS", 59_000, "EXPIRED")], "ended after 59.0 s, nothing filled"),
    ("REJECTED", [("STATUS", 96, "REJECTED")], "refused after 96 ms; a new try needs a new id"),
    ("NOT_PLACED", [("RESOLVED", 8400, "NOT_PLACED")], "proved after 8.4 s; place anew under a new id"),
    ("NEVER_SENT", [("STATUS", 5, "NEVER_SENT")], "no byte of it left; the same id may be sent again"),
]


@pytest.mark.parametrize(("status", "steps", "words"), FATES, ids=lambda each: each if isinstance(each, str) else "")
def test_the_first_line_says_the_fate(execsvc, tell, status, steps, words):
    """Each status in words, with its time from the request and what may be done next."""
    tell(
        status,
        ("RECEIVED", 0, {}),
        *((kind, at, {"status": told} if told else {}) for kind, at, told in steps),
    )
    assert f"c-17: {status}, {words}" == execsvc("trace", "c-17").out.splitlines()[0]


def test_the_fate_names_quantities_and_reasons(execsvc, gateway, order):
    """What was filled and at which price, why it ended, and that a cancel is pursued."""

    def first_line(told):
        gateway.script("ExplainOrder", order_service_pb2.ExplainOrderResponse(order=told))
        return execsvc("trace", "c-17").out.splitlines()[0]

    cancelling, filled, ended = (order("c-17", status) for status in ("OPEN", "FILLED", "CANCELLED"))
    cancelling.cancel_requested, cancelling.filled_quantity = True, "0.00040000"
    filled.average_price = "60000.5"
    ended.end_error.reason = "POST_ONLY_WOULD_TAKE"
    assert [
        "c-17: OPEN (cancelling), taken, 0.00040000 of 0.00100000 filled",
        "c-17: FILLED, done at 60000.5",
        "c-17: CANCELLED, ended: POST_ONLY_WOULD_TAKE, nothing filled",
    ] == [first_line(each) for each in (cancelling, filled, ended)]


def test_a_later_attempt_counts_from_its_own_beginning(execsvc, tell):
    """Sent anew an hour later, an order is on its way, or took, as long as its last attempt did."""
    hour = 3_600_000
    story = (
        ("RECEIVED", 0, {}),
        ("JOURNALED", 1, {"status": "SUBMITTED"}),
        ("STATUS", 5, {"status": "NEVER_SENT"}),
        ("RECEIVED", hour, {}),
        ("JOURNALED", hour + 1, {"status": "SUBMITTED", "attempt": 1}),
        ("WAITED", hour + 101, {"attempt": 1}),
    )
    tell("SUBMITTED", *story)
    on_its_way = execsvc("trace", "c-17").out.splitlines()[0]
    tell("OPEN", *story, ("STATUS", hour + 120, {"status": "OPEN", "attempt": 1}))
    assert [
        "c-17: SUBMITTED, on its way, 100 ms so far; Kraken's answer is awaited",
        "c-17: OPEN, taken after 120 ms",
    ] == [
        on_its_way,
        execsvc("trace", "c-17").out.splitlines()[0],
    ]


def test_a_verdict_that_was_wrong_is_said_first(execsvc, tell):
    """CORRECTED is an alarm: the first line points at it."""
    tell("OPEN", *DOUBTED, ("CORRECTED", 9000, {"status": "OPEN", "text": "Kraken shows it."}))
    first, *_ = execsvc("trace", "c-17").out.splitlines()
    assert "c-17: OPEN, taken after 9.0 s; a verdict told before was wrong: see CORRECTED" == first


def test_a_status_of_tomorrow_is_its_number(execsvc, gateway, order):
    """What this program does not know it names, and says no more."""
    newer = order("c-17")
    newer.status = 77
    gateway.script("ExplainOrder", order_service_pb2.ExplainOrderResponse(order=newer))
    assert "c-17: UNKNOWN_77\n" == execsvc("trace", "c-17").out


def test_an_order_without_a_story_is_told_as_it_stands(execsvc, tell):
    """A story that is kept no longer: the fate alone, and a word about it on stderr."""
    tell("FILLED")
    said = execsvc("trace", "c-17")
    assert (0, "c-17: FILLED, done\n", "no step of it is kept any more: this is where it stands\n") == (
        said.code,
        said.out,
        said.err,
    )


def test_json_is_the_contracts_answer(execsvc, tell):
    """One value with the contract's names; piped as lines, each has one key that says what it is."""
    tell("NOT_PLACED", *DOUBTED)
    whole = execsvc("trace", "c-17", "-o", "json").json
    assert ("c-17", 7, "TIMELINE_KIND_RECEIVED", "2026-11-22T23:59:50.000000000Z") == (
        whole["order"]["clientOrderId"],
        len(whole["events"]),
        whole["events"][0]["kind"],
        whole["events"][0]["time"],
    )
    order, *events = execsvc("trace", "c-17", "--output", "jsonl").lines
    assert ({"order": whole["order"]}, [{"event": each} for each in whole["events"]]) == (order, events)


def test_an_order_is_traced_by_either_id(execsvc, gateway, tell):
    """By the client order id or by Kraken's, on the account that was named; by none or both is a mistake."""
    tell("OPEN")
    assert [0, 0, 2, 2] == [
        execsvc(*words).code
        for words in (
            ("trace", "c-17", "--account", "main"),
            ("trace", "--order-id", "OZZ"),
            ("trace",),
            ("trace", "c-17", "--order-id", "OZZ"),
        )
    ]
    first, second = gateway.requests["ExplainOrder"]
    assert ("c-17", "main", "OZZ") == (first.order.client_order_id, first.account, second.order.order_id)


@pytest.mark.parametrize(
    ("code", "reason", "exit_code"),
    [
        (grpc.StatusCode.NOT_FOUND, "ORDER_NOT_FOUND", 2),
        (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING", 9),
        (grpc.StatusCode.UNIMPLEMENTED, "NOT_IMPLEMENTED", 1),
    ],
)
def test_a_story_that_is_not_told_is_the_reasons_exit_code(execsvc, gateway, fail, code, reason, exit_code):
    """An unknown order, a caller that may not look, an older gateway: each as every other verb tells it."""
    gateway.script("ExplainOrder", fail(code, reason, "no"))
    said = execsvc("trace", "c-9", "-o", "json")
    assert (exit_code, reason) == (said.code, said.json["error"]["reason"])
