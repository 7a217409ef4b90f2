"""The verbs of tokens: bake, list, revoke. They work on the gateway's own file, which it follows while it runs.

A token is shown once, when it is baked, on stdout or in a file of its own; neither it nor its hash is ever listed. What a
token may do is tokenwish.py's. Nothing here asks a gateway.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from execsvc.cli.atrest import settings_at_rest
from execsvc.cli.exits import BAD_CONFIG, BAD_USAGE, Stopped
from execsvc.cli.options import Output, help_without_verb
from execsvc.cli.output import Form, form_for, note, put_json, put_rows
from execsvc.cli.storefile import rfc3339
from execsvc.cli.tokenwish import NS, Config, File, Typed, life_ns, refuse_twin, rights_for
from execsvc.cli.wish import verb

if TYPE_CHECKING:
    from execsvc.domain.rights import Rights
    from execsvc.domain.token import Token
    from execsvc.rpc.bearer import Baked
    from execsvc.settings import Settings

NOTE_MOST = 200
GONE_AFTER_DAYS = 30  # a token that has been over for so long leaves the file with the next change
_HEADS = ("id", "caller", "rights", "bounds", "baked", "ends", "last used", "note")

token = typer.Typer(
    name="token",
    help="Tokens of callers: bake, list, revoke. Works on the gateway's own file.",
    invoke_without_command=True,
    callback=help_without_verb,
)

Names = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Tokens, by the ids that `list` shows.")]


def _bake(typed: Typed) -> None:
    form = form_for(typed.output)
    loaded = _settings(typed.file, typed.config)
    path, rights = _there(loaded.tokens), rights_for(typed, loaded)
    made, baked = _made(typed, rights)
    _register(path, made, baked, typed.out)
    note(f"baked {made.id} for {made.caller} into {path}: {_rights(made)}; {_ends(made)}; in force within a second")
    if form is Form.TABLE:
        print(typed.out or baked.text)
        return
    shown = {"token_file": typed.out} if typed.out else {"token": baked.text}
    put_json({**_entry(made, None), **shown}, lines=form is Form.JSONL)


bake = verb(
    Typed,
    _bake,
    "Make a token for a caller.\n\nFor example: execsvc token bake bot --like trader --pairs BTC/USD --max-notional 500\n",
)
token.command("bake")(bake)


@token.command("list")
def list_tokens(file: File = "", config: Config = "", output: Output = None) -> None:
    """Show the tokens: whose, what they may do, until when, when last used."""
    from execsvc.runtime.tokenregistry import last_used

    form = form_for(output)
    path = _named(file, config)
    tokens, used = _read(path), last_used(path)
    if form is Form.TABLE:
        put_rows(_HEADS, [_row(each, used.get(each.id)) for each in tokens])
        return
    entries = [_entry(each, used.get(each.id)) for each in tokens]
    if form is Form.JSON:
        put_json(entries)
        return
    for entry in entries:
        put_json(entry, lines=True)


@token.command("revoke")
def revoke(ids: Names = None, file: File = "", config: Config = "", output: Output = None) -> None:
    """Take tokens back: within a second nothing is served to them, and their open streams end."""
    from execsvc.runtime.tokenfile import TokenFileError, change

    form = form_for(output)
    wanted = frozenset(ids or ())
    if not wanted:
        raise Stopped(BAD_USAGE, "say which: execsvc token list shows their ids")
    path = _named(file, config)

    def without(tokens: "tuple[Token, ...]") -> "list[Token]":
        unknown = wanted - {each.id for each in tokens}
        if unknown:
            raise Stopped(BAD_USAGE, f"no token {', '.join(sorted(unknown))} in {path}: nothing was revoked")
        return [each for each in tokens if each.id not in wanted]

    try:
        change(path, without)
    except TokenFileError as unfit:
        raise Stopped(BAD_CONFIG, str(unfit)) from None
    note(f"revoked {', '.join(sorted(wanted))}: within a second nothing is served to them")
    if form is not Form.TABLE:
        put_json({"revoked": sorted(wanted)}, lines=form is Form.JSONL)


# ---- the file --------------------------------------------------------------------------------------------------------


def _settings(file: str, config: str) -> "Settings":
    """The gateway's own settings. Raises Stopped with all that is wrong with them."""
    from execsvc.settings import SettingsRefused

    try:
        return settings_at_rest(os.environ, {"EXECSVC_TOKENS": file, "EXECSVC_CONFIG": config})
    except SettingsRefused as refused:
        raise Stopped(BAD_CONFIG, f"{'; '.join(refused.problems)}; or name the file of tokens with --file") from None


def _named(file: str, config: str) -> Path:
    """The file of tokens that was named, else that of the settings, which then must be such as can be used."""
    return _there(Path(file) if file else _settings(file, config).tokens)


def _there(path: Path | None) -> Path:
    """Raises Stopped where there is none."""
    if path is None:
        raise Stopped(BAD_CONFIG, "tokens are off (EXECSVC_TOKENS=off): name their file with --file")
    if not path.exists():
        raise Stopped(
            BAD_CONFIG, f"{path} is not there: execsvc serve writes it at its first start; or name it with --file"
        )
    return path


def _read(path: Path) -> "tuple[Token, ...]":
    from execsvc.runtime.tokenfile import TokenFileError, read

    try:
        return read(path)
    except TokenFileError as unfit:
        raise Stopped(BAD_CONFIG, str(unfit)) from None


def _made(typed: Typed, rights: "Rights") -> "tuple[Token, Baked]":
    """A new token, and its text."""
    from execsvc.domain.token import LIFE_DAYS, Token
    from execsvc.rpc.bearer import bake as bake_text
    from execsvc.runtime.clock import RealClock
    from execsvc.runtime.entropy import RealEntropy

    if not typed.note.isprintable() or len(typed.note) > NOTE_MOST:
        raise Stopped(BAD_USAGE, f"--note: one line of at most {NOTE_MOST} characters")
    now_ns, life = RealClock().wall_ns() // NS * NS, life_ns(typed.expires, LIFE_DAYS)  # the file tells seconds
    baked = bake_text(RealEntropy())
    ends_ns = None if life is None else now_ns + life
    return Token(baked.id, typed.name, baked.sha256, now_ns, ends_ns, rights, typed.note), baked


def _register(path: Path, made: "Token", baked: "Baked", out: str) -> None:
    """Into the file of tokens, the text into its own first: one that cannot be kept is never in force."""
    from execsvc.domain.token import DAY_NS
    from execsvc.runtime.secrets import Secret
    from execsvc.runtime.tokenfile import TokenFileError, change, write_secret

    def with_it(tokens: "tuple[Token, ...]") -> "list[Token]":
        refuse_twin(made.caller, (each.caller for each in tokens))
        if made.id in {each.id for each in tokens}:
            raise Stopped(BAD_USAGE, f"token {made.id} is there already: bake again")  # once in four billion
        kept_from = made.created_ns - GONE_AFTER_DAYS * DAY_NS
        return [*(each for each in tokens if not each.is_over(kept_from)), made]

    written = False
    try:
        if out:
            write_secret(Path(out), Secret(baked.text))
            written = True
        change(path, with_it)
    except (TokenFileError, Stopped) as unfit:
        if written:
            with suppress(OSError):
                Path(out).unlink()
        if isinstance(unfit, Stopped):
            raise
        raise Stopped(BAD_CONFIG, str(unfit)) from None


# ---- told ------------------------------------------------------------------------------------------------------------


def _rights(made: "Token") -> str:
    bounds = _bounds(made)
    return " ".join(made.rights.words()) + (f", {bounds}" if bounds else "")


def _bounds(made: "Token") -> str:
    bounds = made.rights.bounds()
    parts = [
        *sorted(bounds.symbols),
        *sorted(each.value for each in bounds.sides),
        *sorted(each.value for each in bounds.order_types),
        "" if bounds.max_order_notional is None else f"{bounds.max_order_notional:f} USD an order",
        "" if bounds.orders_per_s is None else f"{bounds.orders_per_s} orders/s",
    ]
    return " ".join(filter(None, parts))


def _ends(made: "Token") -> str:
    return "never ends" if made.expires_ns is None else f"ends {_day(made.expires_ns)}"


def _day(at_ns: int) -> str:
    return rfc3339(at_ns)[:16].replace("T", " ")


def _row(made: "Token", used_ns: int | None) -> tuple[str, ...]:
    from execsvc.runtime.clock import RealClock

    ends = "never" if made.expires_ns is None else _day(made.expires_ns)
    return (
        made.id,
        made.caller,
        " ".join(made.rights.words()),
        _bounds(made),
        _day(made.created_ns),
        f"over since {ends}" if made.is_over(RealClock().wall_ns()) else ends,
        "" if used_ns is None else _day(used_ns),
        made.note,
    )


def _entry(made: "Token", used_ns: int | None) -> dict[str, Any]:
    """As JSON, in the words of the file; never a hash."""
    bounds = made.rights.bounds()
    return {
        "id": made.id,
        "caller": made.caller,
        "permissions": list(made.rights.words()),
        "symbols": sorted(bounds.symbols),
        "sides": sorted(each.value for each in bounds.sides),
        "order_types": sorted(each.value for each in bounds.order_types),
        "max_order_notional": None if bounds.max_order_notional is None else f"{bounds.max_order_notional:f}",
        "orders_per_s": bounds.orders_per_s,
        "default_account": made.rights.default,
        "created_time": rfc3339(made.created_ns),
        "expire_time": None if made.expires_ns is None else rfc3339(made.expires_ns),
        "last_used_time": None if used_ns is None else rfc3339(used_ns),
        "note": made.note,
    }
