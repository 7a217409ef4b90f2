"""`execsvc order amend`: what is asked for, what is said first, and the exit code of each outcome."""

import re

import grpc
import pytest
from execsvc_api.v1 import order_service_pb2 as orders

from execsvc.cli.main import app

APPLIED, IN_DOUBT = orders.AMEND_STATE_APPLIED, orders.AMEND_STATE_IN_DOUBT


@pytest.fixture
def amended(order):
    """An answer: the order as it then stands, and how far the amend got."""

    def answer(state=APPLIED, *, replayed=False):
        return orders.AmendOrderResponse(order=order("mine"), state=state, replayed=replayed)

    return answer


def test_what_was_typed_is_asked_for(execsvc, gateway, amended):
    """Digits kept; what was not typed is not set."""
    gateway.script("AmendOrder", amended())
    said = execsvc(
        "order", "amend", "mine", "--qty", "0.0020", "--limit", "59900.0", "--if-version", "3",
        "--request-id", "r-1", "--account", "main", "-o", "json",
    )  # fmt: skip
    (asked,) = gateway.requests["AmendOrder"]
    assert ("mine", "r-1", "main", "0.0020", "59900.0", 3) == (
        asked.order.client_order_id,
        asked.request_id,
        asked.account,
        asked.base_quantity,
        asked.limit_price,
        asked.if_version,
    )
    assert [False] * 3 == [asked.HasField(name) for name in ("trigger_price", "display_quantity", "post_only")]
    assert (0, "mine", "AMEND_STATE_APPLIED", False) == (
        said.code,
        said.json["order"]["clientOrderId"],
        said.json["state"],
        said.json["replayed"],
    )


@pytest.mark.parametrize(
    ("typed", "field", "value"),
    [
        (("--quantity", "2"), "base_quantity", "2"),
        (("--trigger", "54000"), "trigger_price", "54000"),
        (("--display", "0.01"), "display_quantity", "0.01"),
        (("--limit", "1", "--post-only"), "post_only", True),
        (("--limit", "1", "--may-take"), "post_only", False),
    ],
)
def test_each_figure_has_its_option(execsvc, gateway, amended, typed, field, value):
    """By Kraken's id as well as by ours."""
    gateway.script("AmendOrder", amended())
    assert 0 == execsvc("order", "amend", "--order-id", "OAAAAA-BBBBB-CCCCCC", *typed).code
    (asked,) = gateway.requests["AmendOrder"]
    assert ("OAAAAA-BBBBB-CCCCCC", value) == (asked.order.order_id, getattr(asked, field))


def test_the_id_of_the_change_is_made_and_said_first(execsvc, gateway, fail):
    """It is known even when nothing came back."""
    gateway.script("AmendOrder", fail(grpc.StatusCode.FAILED_PRECONDITION, "ORDER_TERMINAL", "it has ended"))
    said = execsvc("order", "amend", "mine", "--limit", "59900")
    (asked,) = gateway.requests["AmendOrder"]
    assert re.match(rf"request id  {re.escape(asked.request_id)}\n", said.err)
    assert 5 == said.code
    assert "ORDER_TERMINAL: it has ended" in said.err


def test_the_order_is_shown_as_it_then_stands(execsvc, gateway, amended):
    """As `order get` shows it; a repeat says that nothing was sent."""
    gateway.script("AmendOrder", amended(), amended(replayed=True))
    plain = execsvc("order", "amend", "mine", "--limit", "60000", "-o", "table")
    again = execsvc("order", "amend", "mine", "--limit", "60000", "-o", "table")
    assert "buy 0.00100000 BTC/USD at 60000.0" in plain.out
    assert plain.out == again.out
    assert [False, True] == ["asked for before: nothing was sent" in said.err for said in (plain, again)]


@pytest.mark.parametrize(
    ("reason", "status", "code"),
    [
        ("VERSION_MISMATCH", grpc.StatusCode.ABORTED, 10),
        ("CLIENT_ORDER_ID_REUSED", grpc.StatusCode.ALREADY_EXISTS, 10),
        ("NOT_PLACED", grpc.StatusCode.ABORTED, 10),
        ("ORDER_IN_DOUBT", grpc.StatusCode.ABORTED, 10),
        ("TICK_SIZE_VIOLATED", grpc.StatusCode.INVALID_ARGUMENT, 2),
        ("RISK_REFUSED", grpc.StatusCode.FAILED_PRECONDITION, 6),
        ("LOCAL_RATE_LIMITED", grpc.StatusCode.RESOURCE_EXHAUSTED, 7),
        ("VENUE_UNREACHABLE", grpc.StatusCode.UNAVAILABLE, 4),
        ("PERMISSION_MISSING", grpc.StatusCode.PERMISSION_DENIED, 9),
    ],
)
def test_a_refusal_has_its_exit_code(execsvc, gateway, fail, reason, status, code):
    """Those of placing."""
    gateway.script("AmendOrder", fail(status, reason, "no", (("id_used", "false"),)))
    said = execsvc("order", "amend", "mine", "--limit", "59900", "-o", "json")
    assert (code, reason, False) == (said.code, said.json["error"]["reason"], said.json["error"]["id_used"])


def test_doubt_is_waited_out(execsvc, gateway, amended):
    """What the gateway then knows is the answer, asked for under the same id."""
    gateway.script("AmendOrder", amended(IN_DOUBT), amended(replayed=True))
    said = execsvc("order", "amend", "mine", "--limit", "59900", "--request-id", "r-1", "-o", "json")
    first, asked = gateway.requests["AmendOrder"]
    assert (0, "AMEND_STATE_APPLIED") == (said.code, said.json["state"])
    assert ("r-1", "59900", False, 2**64 - 1) == (
        asked.request_id,
        asked.limit_price,
        first.HasField("if_version"),
        asked.if_version,
    )
    assert "the gateway is finding out" in said.err


def test_doubt_that_lasts_is_exit_8(execsvc, gateway, amended):
    """With the id to repeat it by; it never looks like success."""
    gateway.script("AmendOrder", amended(IN_DOUBT))
    said = execsvc("order", "amend", "mine", "--limit", "59900", "--wait", "0.6", "--request-id", "r-1", "-o", "json")
    error = said.json["error"]
    assert (8, "unknown_outcome", "mine", True) == (
        said.code,
        error["category"],
        error["client_order_id"],
        error["id_used"],
    )
    assert error["message"].endswith("--request-id: r-1")
    assert "execsvc order get mine" == error["try"]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("mine",), "say what is to be changed: --qty, --limit, --trigger or --display"),
        (("mine", "--post-only"), "say what is to be changed"),
        (("--limit", "1"), "name one order"),
        (("mine", "--order-id", "OAAAAA-BBBBB-CCCCCC", "--limit", "1"), "name one order"),
        (("mine", "--limit", "1e3"), "--limit is '1e3'"),
        (("mine", "--trigger", "01"), "--trigger is '01'"),
        (("mine", "--qty", "+1"), "--qty is '+1'"),
        (("mine", "--display", "x"), "--display is 'x'"),
    ],
)
def test_what_cannot_be_meant_is_exit_2_and_nothing_is_sent(execsvc, gateway, typed, words):
    """In the words that were typed."""
    said = execsvc("order", "amend", *typed)
    assert (2, []) == (said.code, gateway.requests["AmendOrder"])
    assert words in said.err


def test_live_money_needs_leave(execsvc, gateway, amended):
    """--yes where nobody can be asked."""
    gateway.mode = "live"
    gateway.script("AmendOrder", amended())
    refused = execsvc("order", "amend", "mine", "--limit", "1")
    assert (2, []) == (refused.code, gateway.requests["AmendOrder"])
    assert 0 == execsvc("order", "amend", "mine", "--limit", "1", "--yes").code


def test_the_help_says_what_it_does(capsys):
    """With examples."""
    app(["order", "amend", "--help"], prog_name="execsvc", standalone_mode=False)
    told = capsys.readouterr().out
    assert "execsvc order amend my-id --qty 0.002 --limit 59900 --if-version 3" in told
