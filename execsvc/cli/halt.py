"""The kill switch: `halt` and `resume`, for everything, or for an account, a caller or a pair and what they have in common.

A halt asks nothing, whatever is traded; lifting one is asked for on a terminal, and wants --yes where nobody can be asked. A
plain client of the contract: SetTradingMode.
"""

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from execsvc.cli.exits import BAD_USAGE, Stopped
from execsvc.cli.look import mode_words
from execsvc.cli.options import Output, Target, Timeout, complete_symbol, input_line, talk
from execsvc.cli.output import Form, form_for, note, put_json, put_pairs

if TYPE_CHECKING:
    from execsvc_client import Client, ModeChange, ModeEntry, ModeLike


class Strictness(StrEnum):
    """What a halt leaves."""

    HALTED = "halted"
    CANCEL_ONLY = "cancel-only"
    REDUCE_ONLY = "reduce-only"

    @property
    def mode(self) -> "ModeLike":
        """The client's word."""
        modes: dict[Strictness, ModeLike] = {
            Strictness.HALTED: "halted",
            Strictness.CANCEL_ONLY: "cancel_only",
            Strictness.REDUCE_ONLY: "reduce_only",
        }
        return modes[self]


OfAccount = Annotated[str, typer.Option("--account", help="Orders of this account.")]
OfCaller = Annotated[str, typer.Option("--caller", help="Orders of this caller.")]
OfSymbol = Annotated[str, typer.Option("--symbol", help="Orders of this pair.", autocompletion=complete_symbol)]
Everything = Annotated[bool, typer.Option("--everything", help="All orders of the gateway; stands alone.")]
Comment = Annotated[str, typer.Option("--comment", "-m", help="Why: whoever finds it so reads this.")]


def halt(
    *,
    account: OfAccount = "",
    caller: OfCaller = "",
    symbol: OfSymbol = "",
    everything: Everything = False,
    mode: Annotated[
        Strictness,
        typer.Option(
            "--mode",
            help="halted: no orders, open ones are cancelled; cancel-only: no orders; reduce-only: closing ones.",
        ),
    ] = Strictness.HALTED,
    comment: Comment,
    target: Target = "",
    timeout: Timeout = None,
    output: Output = None,
) -> None:
    """Take no more orders of what is named, and cancel what is open; asks nothing. Cancels always pass."""
    form = form_for(output)
    _demand_scope(account, caller, symbol, everything=everything)

    async def work(client: "Client") -> "ModeChange":
        return await client.set_trading_mode(
            mode.mode,
            comment=comment,
            account=account,
            caller=caller,
            symbol=symbol,
            everything=everything,
            timeout=timeout,
        )

    _put(talk(target, work), form)


def resume(
    *,
    account: OfAccount = "",
    caller: OfCaller = "",
    symbol: OfSymbol = "",
    everything: Everything = False,
    comment: Comment,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    target: Target = "",
    timeout: Timeout = None,
    output: Output = None,
) -> None:
    """Lift what `halt` set for exactly this scope; other scopes stay as they are."""
    form = form_for(output)
    _demand_scope(account, caller, symbol, everything=everything)

    async def work(client: "Client") -> "ModeChange":
        if not yes:
            _ask((await client.server_info()).trading_modes)
        return await client.set_trading_mode(
            "normal",
            comment=comment,
            account=account,
            caller=caller,
            symbol=symbol,
            everything=everything,
            timeout=timeout,
        )

    _put(talk(target, work), form)


def _demand_scope(*named: str, everything: bool) -> None:
    if everything and any(named):
        raise typer.BadParameter("--everything stands alone")
    if not everything and not any(named):
        raise typer.BadParameter("name an --account, a --caller or a --symbol, or say --everything")


def _ask(modes: "tuple[ModeEntry, ...]") -> None:
    """Raises Stopped without leave."""
    if not sys.stdin.isatty():
        raise Stopped(BAD_USAGE, "resume lets orders go again: say --yes where nobody can be asked")
    for entry in modes:
        note(f"in force: {mode_words(entry)}")
    if input_line("Type resume to go on: ") != "resume":
        raise Stopped(BAD_USAGE, "not confirmed: nothing was changed")


def _put(change: "ModeChange", form: Form) -> None:
    if change.caller_unknown:
        name = change.current.caller
        note(f"warning: nobody of the name {name!r} is known there: no token, no setting, no order; is it spelt right?")
    if form is Form.TABLE:
        before = "nothing" if change.previous is None else mode_words(change.previous)
        pairs: list[tuple[str, object]] = [("now", mode_words(change.current)), ("before", before)]
        if change.current.mode.name == "HALTED":
            pairs.append(("asked to go", change.cancel_requested_count))
        put_pairs(pairs)
        return
    from execsvc_client.raw import to_json

    told = {
        "previous": to_json(change.previous),
        "current": to_json(change.current),
        "cancelRequestedCount": change.cancel_requested_count,
        "callerUnknown": change.caller_unknown,
    }
    put_json(told, lines=form is Form.JSONL)
