"""What reaches stdout and stderr: columns, forms, one JSON value also on failure, envelopes."""

import io
from decimal import Decimal

import grpc
import pytest

from execsvc.cli import exits
from execsvc.cli.failures import Invocation
from execsvc.cli.output import Form, coloured, columns, form_for

ENVELOPE = {
    "category", "reason", "message", "retryable", "retry_after_ms", "client_order_id", "id_used", "order_id",
    "trace_id", "try", "docs",
}  # fmt: skip
BUY = ("buy", "BTC/USD", "--qty", "0.001", "--limit", "60000.0")
VERBS = {"buy", "watch", "tail", "call", "order", "order get"}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_columns_line_up():
    """Text stands to the left, numbers to the right, in plain digits; nothing stands where nothing is known."""
    rows = [("BTC", Decimal("1E-8"), True), ("DOGE", Decimal(120), False), ("X", None, None)]
    assert columns(("asset", "total", "open"), rows) == [
        "asset       total  open",
        "BTC    0.00000001  yes",
        "DOGE          120  no",
        "X",
    ]


def test_columns_without_rows_are_their_heads():
    """An empty table still says what it would show."""
    assert columns(("a", "bb"), []) == ["a  bb"]


def test_colour_is_for_terminals(monkeypatch):
    """No colour in a pipe, none with NO_COLOR, none on a dumb terminal."""
    assert coloured("x", "31", Terminal()) == "\x1b[31mx\x1b[0m"
    assert coloured("x", "31", io.StringIO()) == "x"
    monkeypatch.setenv("TERM", "dumb")
    assert coloured("x", "31", Terminal()) == "x"
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert coloured("x", "31", Terminal()) == "x"


def test_form_in_force(monkeypatch):
    """The option wins over EXECSVC_OUTPUT, that over the default: a table, and lines for a stream that is piped."""
    assert form_for(Form.JSON, environ={"EXECSVC_OUTPUT": "jsonl"}) is Form.JSON
    assert form_for(None, environ={"EXECSVC_OUTPUT": "jsonl"}) is Form.JSONL
    assert form_for(None, environ={}) is Form.TABLE
    assert form_for(None, stream=True, environ={}) is Form.JSONL
    monkeypatch.setattr("sys.stdout", Terminal())
    assert form_for(None, stream=True, environ={}) is Form.TABLE
    with pytest.raises(exits.Stopped, match="EXECSVC_OUTPUT=xml"):
        form_for(None, environ={"EXECSVC_OUTPUT": "xml"})


@pytest.mark.parametrize("flags", [("-o", "json"), ("-ojson",), ("-o=json",), ("--output", "json"), ("--output=json",)])
def test_form_is_known_before_the_verb_runs(flags):
    """A failure of parsing is told in the form that was asked for, however it was asked for."""
    assert Invocation.of(["buy", "BTC/USD", *flags], {}, VERBS).form is Form.JSON


def test_invocation_reads_verb_and_symbol():
    """The verb, its second word and the symbol are read off the words."""
    assert Invocation.of(["order", "get", "c-1"], {}, VERBS).verb == "order get"
    assert Invocation.of(["order", "gte", "c-1"], {}, VERBS).verb == "order"
    found = Invocation.of(["buy", "ETH/USD", "--qty", "1"], {"EXECSVC_OUTPUT": "json"}, VERBS)
    assert ("buy", "ETH/USD", Form.JSON) == (found.verb, found.symbol, found.form)
    assert Invocation.of(["byu", "ETH/USD"], {}, VERBS).verb == ""
    assert Invocation.of([], {}, VERBS) == Invocation("", "", None)
    assert Invocation.of(["watch", "BTC/USD"], {}, VERBS).form is Form.JSONL
    assert Invocation.of(["tail"], {}, VERBS).form is Form.JSONL
    assert Invocation.of(["call", "GetBook"], {}, VERBS).form is Form.JSON


def test_usage_is_exit_2_and_one_json_value(execsvc):
    """A mistyped command prints the envelope and nothing else on stdout."""
    said = execsvc("buy", "BTC/USD", "-o", "json")
    assert said.code == 2
    assert said.json["error"].keys() == ENVELOPE
    assert said.json["error"]["try"] == "execsvc buy --help"
    assert "--qty" in said.json["error"]["message"]


def test_usage_on_a_terminal_is_told_on_stderr(execsvc):
    """Without json stdout stays empty, and the next step stands below the sentence."""
    said = execsvc("wathc", "BTC/USD")
    assert (said.code, said.out) == (2, "")
    assert "Did you mean 'watch'" in said.err
    assert "try:            execsvc --help" in said.err
    assert "docs:           docs/reference/errors.md#validation" in said.err


def test_no_gateway_is_exit_4(execsvc):
    """Where nobody listens nothing was sent."""
    said = execsvc(*BUY, "--target", "127.0.0.1:1", "-o", "json")
    assert said.code == 4
    error = said.json["error"]
    assert ("network", None, True) == (error["category"], error["reason"], error["retryable"])


def test_refusals_carry_everything(execsvc, gateway, fail):
    """Reason, wait, ids and trace of a refusal are in the envelope."""
    gateway.script(
        "PlaceOrder",
        fail(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "LOCAL_RATE_LIMITED",
            "BTC/USD engine counter is 119.4 of 125",
            (("id_used", "false"), ("order_id", "OZZ")),
            retry_after=0.43,
        ),
    )
    said = execsvc(*BUY, "--client-order-id", "dca-1", "-o", "json")
    error = said.json["error"]
    assert said.code == 7
    assert error.keys() == ENVELOPE
    assert len(error.pop("trace_id")) == 32
    assert error == {
        "category": "rate_limit",
        "reason": "LOCAL_RATE_LIMITED",
        "message": "BTC/USD engine counter is 119.4 of 125",
        "retryable": True,
        "retry_after_ms": 430,
        "client_order_id": "dca-1",
        "id_used": False,
        "order_id": "OZZ",
        "try": "execsvc limits BTC/USD",
        "docs": "docs/reference/errors.md#local_rate_limited",
    }


@pytest.mark.parametrize("reason", ["INSUFFICIENT_FUNDS", "TRADING_HALTED", "INSTRUMENT_STATUS", "A_NEW_ONE"])
def test_each_refusal_has_its_exit_code(execsvc, gateway, fail, reason):
    """The exit code is the row's."""
    gateway.script("PlaceOrder", fail(grpc.StatusCode.FAILED_PRECONDITION, reason))
    assert execsvc(*BUY).code == exits.row_of(reason, "FAILED_PRECONDITION").exit


def test_broken_settings_are_exit_3(execsvc, monkeypatch, tmp_path):
    """A token that cannot be had, or that would travel in plaintext, is configuration."""
    monkeypatch.setenv("EXECSVC_TOKEN_FILE", str(tmp_path / "absent"))
    assert execsvc("balances").code == 3
    monkeypatch.delenv("EXECSVC_TOKEN_FILE")
    monkeypatch.setenv("EXECSVC_TOKEN", "s3cret")
    said = execsvc("balances", "--target", "gateway:50051", "-o", "json")
    assert said.code == 3
    assert "plaintext" in said.json["error"]["message"]
    assert "s3cret" not in said.out + said.err


def test_our_own_faults_are_exit_1(execsvc, monkeypatch):
    """What nobody expected is told in one sentence, without a traceback, and is no exit code of something else."""

    def breaks(*args, **options):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("execsvc.cli.look.talk", breaks)
    said = execsvc("balances", "-o", "json")
    assert (said.code, said.json["error"]["category"]) == (1, "internal")
    assert "ZeroDivisionError: a bug" in said.json["error"]["message"]
    assert "Traceback" not in said.err


def test_interrupt_is_exit_130(execsvc, monkeypatch):
    """Ctrl-C says nothing and leaves with 130."""

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("execsvc.cli.look.talk", interrupted)
    said = execsvc("balances")
    assert (said.code, said.out) == (130, "")
