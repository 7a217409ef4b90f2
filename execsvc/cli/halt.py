"""The kill switch: `halt` and `resume`, for everything, or for an account, a caller or a pair and what they have in common.

What is stricter asks nothing, whatever is traded, not even why. What lets more through is asked for on a terminal and wants
--yes where nobody can be asked: every resume, and a halt whose mode is looser than the one in force. A plain client of the
contract: SetTradingMode.
"""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypedDict, TypeVar

import typer

from execsvc.cli.exits import BAD_USAGE, NO_GATEWAY, Stopped
from execsvc.cli.look import mode_words
from execsvc.cli.options import Output, Target, Timeout, complete_symbol, input_line, talk
from execsvc.cli.output import Form, form_for, note, put_json, put_pairs
from execsvc.cli.reach import address_of

if TYPE_CHECKING:
    from execsvc_client import Client, ModeChange, ModeEntry, ModeLike

T = TypeVar("T")

COMMENT_MOST = 256
NO_REASON = "no reason given"


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


class ScopeWords(TypedDict):
    """A scope as the client takes it."""

    account: str
    caller: str
    symbol: str
    everything: bool


@dataclass(frozen=True)
class Scope:
    """Which orders are meant: a pair as it was typed, or as the gateway spells it."""

    account: str
    caller: str
    symbol: str
    everything: bool

    def __post_init__(self) -> None:
        """Raises typer.BadParameter for one that cannot be meant."""
        named = (self.account, self.caller, self.symbol)
        if self.everything and any(named):
            raise typer.BadParameter("--everything stands alone")
        if not self.everything and not any(named):
            raise typer.BadParameter("name an --account, a --caller or a --symbol, or say --everything")

    @property
    def words(self) -> ScopeWords:
        """For the client."""
        return {"account": self.account, "caller": self.caller, "symbol": self.symbol, "everything": self.everything}

    def is_of(self, entry: "ModeEntry") -> bool:
        """Whether the entry is this scope's, which may be kept as one an account; the pair in the gateway's spelling."""
        kept = (entry.caller, entry.symbol, entry.everything)
        return kept == (self.caller, self.symbol, self.everything) and self.account in {"", entry.account}

    def meets(self, entry: "ModeEntry") -> bool:
        """Whether an order can be in both; the pair in the gateway's spelling."""
        sides = ((self.account, entry.account), (self.caller, entry.caller), (self.symbol, entry.symbol))
        return all(mine in {"", other} or not other for mine, other in sides)


OfAccount = Annotated[str, typer.Option("--account", help="Orders of this account.")]
OfCaller = Annotated[str, typer.Option("--caller", help="Orders of this caller.")]
OfSymbol = Annotated[str, typer.Option("--symbol", help="Orders of this pair.", autocompletion=complete_symbol)]
Everything = Annotated[bool, typer.Option("--everything", help="All orders of the gateway; stands alone.")]


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
    comment: Annotated[
        str, typer.Option("--comment", "-m", help="Why: whoever finds it so reads this. May be said later.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask where it is looser than what is in force.")] = (
        False
    ),
    target: Target = "",
    timeout: Timeout = None,
    output: Output = None,
) -> None:
    """Take no more orders of what is named, cancel what is open.

    Asks nothing; cancels always pass. For example: execsvc halt --everything
    """
    form, scope = form_for(output), Scope(account, caller, symbol, everything)
    why = _one_line(comment) or NO_REASON

    async def work(client: "Client") -> "ModeChange":
        if mode is not Strictness.HALTED and not yes:
            _ask_if_looser((await client.server_info()).trading_modes, await _canonical(client, scope), mode)
        return await client.set_trading_mode(mode.mode, comment=why, **scope.words, timeout=timeout)

    change = _set(target, work)
    _put(change, form)
    if not comment.strip():
        note("no reason was given: the same again with -m TEXT tells whoever finds it so")


def resume(
    *,
    account: OfAccount = "",
    caller: OfCaller = "",
    symbol: OfSymbol = "",
    everything: Everything = False,
    comment: Annotated[str, typer.Option("--comment", "-m", help="Why orders may go again.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    target: Target = "",
    timeout: Timeout = None,
    output: Output = None,
) -> None:
    """Lift what `halt` set, for exactly this scope.

    Other scopes stay as they are; those that still keep such orders from being placed are told.
    """
    form, scope = form_for(output), Scope(account, caller, symbol, everything)
    why = _one_line(comment)
    if not why:
        raise typer.BadParameter("--comment: say why, for whoever reads it later")

    async def work(client: "Client") -> "tuple[ModeChange, tuple[ModeEntry, ...]]":
        if not yes:
            _ask((await client.server_info()).trading_modes)
        change = await client.set_trading_mode("normal", comment=why, **scope.words, timeout=timeout)
        return change, await _left(client, replace(scope, symbol=change.current.symbol))

    change, left = _set(target, work)
    _put(change, form, left)
    if change.previous is None:
        note("nothing was in force for exactly this scope: execsvc status shows what is")


def _one_line(comment: str) -> str:
    """The comment, trimmed. Raises typer.BadParameter for one that the journal does not take."""
    trimmed = comment.strip()
    if len(trimmed) > COMMENT_MOST or not trimmed.isprintable():
        raise typer.BadParameter(f"--comment: at most {COMMENT_MOST} characters on one line")
    return trimmed


def _set(target: str, work: "Callable[[Client], Awaitable[T]]") -> T:
    """Run it; a gateway that is not there keeps nobody from anything, which must be read at once. Raises Stopped then."""
    from execsvc_client import Unavailable

    try:
        return talk(target, work)
    except Unavailable as failure:
        if failure.reason:
            raise
        what = f"nobody answers at {address_of(target)} ({failure.message}): nothing was changed"
        advice = "orders that are open at Kraken stay open: start the gateway, or cancel them on Kraken's own page"
        raise Stopped(NO_GATEWAY, f"{what}; {advice}") from None


async def _left(client: "Client", scope: Scope) -> "tuple[ModeEntry, ...]":
    """What still keeps such orders from being placed. The change is made: that this cannot be told is no failure of it."""
    from execsvc_client import ExecsvcError

    try:
        modes = (await client.server_info()).trading_modes
    except ExecsvcError as failure:
        note(f"what else is in force could not be asked: {failure.message}")
        return ()
    return tuple(entry for entry in modes if scope.meets(entry))


async def _canonical(client: "Client", scope: Scope) -> Scope:
    """The scope with its pair as the gateway spells it; as it was typed where that cannot be asked: no halt fails by it."""
    from execsvc_client import ExecsvcError

    if not scope.symbol:
        return scope
    try:
        (instrument,) = await client.instruments(scope.symbol)
    except ExecsvcError:
        return replace(scope, symbol=scope.symbol.upper())
    return replace(scope, symbol=instrument.symbol)


def _ask(modes: "tuple[ModeEntry, ...]") -> None:
    """Raises Stopped without leave."""
    _wants_terminal("resume lets orders go again")
    for entry in modes:
        note(f"in force: {mode_words(entry)}")
    if input_line("Type resume to go on: ") != "resume":
        raise Stopped(BAD_USAGE, "not confirmed: nothing was changed")


def _ask_if_looser(modes: "tuple[ModeEntry, ...]", scope: Scope, mode: Strictness) -> None:
    """Raises Stopped without leave to let more through than is let through now."""
    wanted = mode.name
    looser = [entry for entry in modes if scope.is_of(entry) and _RANKS[entry.mode.name] > _RANKS[wanted]]
    if not looser:
        return
    for entry in looser:
        note(f"in force: {mode_words(entry)}")
    _wants_terminal(f"{wanted} lets more through than what is in force")
    if input_line(f"Type {mode.value} to go on: ") != mode.value:
        raise Stopped(BAD_USAGE, "not confirmed: nothing was changed")


_RANKS = {"UNSPECIFIED": 0, "NORMAL": 0, "REDUCE_ONLY": 1, "CANCEL_ONLY": 2, "HALTED": 3}


def _wants_terminal(what: str) -> None:
    if not sys.stdin.isatty():
        raise Stopped(BAD_USAGE, f"{what}: say --yes where nobody can be asked")


def _put(change: "ModeChange", form: Form, left: "tuple[ModeEntry, ...]" = ()) -> None:
    if change.caller_unknown:
        name = change.current.caller
        note(f"warning: nobody of the name {name!r} is known there: no token, no setting, no order; is it spelt right?")
    if form is Form.TABLE:
        before = "nothing" if change.previous is None else mode_words(change.previous)
        pairs: list[tuple[str, object]] = [("now", mode_words(change.current)), ("before", before)]
        if change.current.mode.name == "HALTED":
            pairs.append(("asked to go", change.cancel_requested_count))
        put_pairs([*pairs, *(("still", mode_words(entry)) for entry in left)])
        return
    from execsvc_client.raw import to_json

    told = {
        "previous": to_json(change.previous),
        "current": to_json(change.current),
        "cancelRequestedCount": change.cancel_requested_count,
        "callerUnknown": change.caller_unknown,
        **({"stillInForce": to_json(left)} if left else {}),
    }
    put_json(told, lines=form is Form.JSONL)
