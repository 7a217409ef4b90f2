"""The table of exit codes: complete, closed, as the contract's codes say, and every hint can be typed."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from execsvc_api.v1 import error_reason_pb2

from execsvc.cli import exits
from execsvc.cli.failures import Failure, Invocation
from execsvc.cli.main import VERBS, app

PREFIX = "ERROR_REASON_"
REASONS = sorted(name.removeprefix(PREFIX) for name in error_reason_pb2.ErrorReason.keys())  # noqa: SIM118 - an enum wrapper, no dict
REASONS.remove("UNSPECIFIED")
PROTO = Path(__file__).parents[3] / "proto" / "execsvc" / "v1" / "error_reason.proto"

# What the contract's codes mean to a script, and the reasons that have an exit code of their own.
BY_CODE = {
    "INVALID_ARGUMENT": 2,
    "NOT_FOUND": 2,
    "UNAVAILABLE": 4,
    "DEADLINE_EXCEEDED": 4,
    "FAILED_PRECONDITION": 5,
    "RESOURCE_EXHAUSTED": 7,
    "UNAUTHENTICATED": 9,
    "PERMISSION_DENIED": 9,
    "ALREADY_EXISTS": 10,
    "ABORTED": 10,
    "OUT_OF_RANGE": 10,
    "INTERNAL": 1,
    "UNKNOWN": 1,
    "UNIMPLEMENTED": 1,
}
OWN = {
    "VENUE_CREDENTIALS_REJECTED": 3,
    "VENUE_PERMISSION_MISSING": 3,
    "RISK_REFUSED": 6,
    "TRADING_HALTED": 6,
    "INSTRUMENT_STATUS": 11,
}
EVERY_ROW = {
    **exits.BY_REASON,
    **exits.BY_CODE,
    **{name: value for name, value in vars(exits).items() if isinstance(value, exits.Row)},
}


def codes():
    """The gRPC code of each reason, from the comments of the contract."""
    text = PROTO.read_text("utf-8")
    return {
        reason: code
        for comment, reason in re.findall(r"((?:  //[^\n]*\n)+)  ERROR_REASON_([A-Z_]+) = ", text)
        for code in re.findall(r"// ([A-Z_]+): ", comment.splitlines()[0])
    }


def test_every_reason_has_a_row():
    """Every reason of the contract has its row, and no row is for a reason that does not exist."""
    assert set(REASONS) == exits.BY_REASON.keys()


@pytest.mark.parametrize("reason", REASONS)
def test_exit_codes_follow_the_contract(reason):
    """A reason's exit code is that of its gRPC code, unless it is named otherwise."""
    assert OWN.get(reason, BY_CODE[codes()[reason]]) == exits.BY_REASON[reason].exit


@pytest.mark.parametrize("name", EVERY_ROW)
def test_categories_are_a_closed_list(name):
    """No row invents a category."""
    assert EVERY_ROW[name].category in exits.CATEGORIES


def test_reasons_of_tomorrow_go_by_their_code():
    """A reason newer than this build has the exit code of its gRPC code; an unknown code is our fault."""
    assert {code: row.exit for code, row in exits.BY_CODE.items()} == {
        code: number for code, number in BY_CODE.items() if code in exits.BY_CODE
    }
    assert exits.row_of("A_REASON_OF_TOMORROW", "ABORTED").exit == 10
    assert exits.row_of("A_REASON_OF_TOMORROW", "DATA_LOSS") is exits.OUR_FAULT


def test_unknown_outcome_is_never_retryable():
    """Whoever does not know what became of an order is not told to place it again."""
    assert all(not row.retryable for row in EVERY_ROW.values() if row.category == "unknown_outcome")


@pytest.mark.parametrize("name", EVERY_ROW)
def test_hints_can_be_typed(name):
    """Every `try:` line names a verb that exists, with options and arguments that it takes."""
    hint = Failure(EVERY_ROW[name], None, "").hint(Invocation("buy", "", None))
    program, *words = shlex.split(hint)
    assert program == "execsvc"
    assert words[0] in VERBS
    command = typer.main.get_command(app)
    for word in list(words):
        if word not in getattr(command, "commands", {}):
            break
        command = command.commands[word]
        words.pop(0)
    if "--help" not in words:
        command.make_context("execsvc", words, resilient_parsing=False)


def test_hints_speak_of_the_failed_command():
    """Verb, symbol and id of the failed command stand in the hint."""
    invocation = Invocation("sell", "ETH/USD", None)
    assert Failure(exits.BAD_USAGE, None, "").hint(invocation) == "execsvc sell --help"
    rules = Failure(exits.BY_REASON["TICK_SIZE_VIOLATED"], None, "").hint(invocation)
    assert rules == "execsvc instruments ETH/USD"
    known = Failure(exits.OUTCOME_UNKNOWN, None, "", client_order_id="c-1")
    assert known.hint(invocation) == "execsvc order get c-1"
    assert Failure(exits.BAD_USAGE, None, "").hint(Invocation("", "", None)) == "execsvc --help"
