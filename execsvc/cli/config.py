"""The verbs under `config`: is it right, what is in force, and what may be written. Nothing is started and nobody is asked.

`check` reads the files that the settings name as far as serve would: a key file that others can read is a problem there too.
What serve itself does with settings is run.py's.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated

import typer

from execsvc.cli.exits import CONFIG
from execsvc.cli.options import Output, help_without_verb, unfit
from execsvc.cli.output import Form, form_for, note, put_json, put_rows

if TYPE_CHECKING:
    from execsvc.settings import Settings, TlsFiles

HELP = "Check and show the configuration: settings, accounts, callers, limits."
config = typer.Typer(help=HELP, rich_markup_mode=None, invoke_without_command=True, callback=help_without_verb)

File = Annotated[str, typer.Argument(metavar="FILE", help="The TOML file; else EXECSVC_CONFIG, else none.")]
Dev = Annotated[bool, typer.Option("--dev", help="As `execsvc dev` would read it, not `serve`.")]


@config.command("check")
def check(file: File = "", dev: Dev = False) -> None:
    """Tell everything that is wrong with the configuration, as serve would; exit 3 if anything is."""
    settings = _loaded(file, dev=dev)
    problems = [*_unreadable(settings)]
    for problem in problems:
        note(problem)
    if problems:
        raise typer.Exit(CONFIG)
    for warning in _worth_a_look(settings):
        note(f"warning: {warning}")
    counts = (
        f"{len(settings.accounts)} account(s), {len(settings.callers)} caller(s), {len(settings.risk.rules)} rule(s)"
    )
    print(f"{settings.config or 'the environment'}: {settings.mode.value} mode, {counts}; nothing wrong")


@config.command("show")
def show(file: File = "", dev: Dev = False, output: Output = None) -> None:
    """Print the settings in force and where each was said: default, environment, or the file's line."""
    from dataclasses import asdict

    from execsvc.settings.shown import shown

    form = form_for(output)
    rows = shown(_loaded(file, dev=dev))
    if form is Form.TABLE:
        put_rows(("setting", "value", "from"), [(row.name, row.value, row.origin) for row in rows])
    elif form is Form.JSON:
        put_json([asdict(row) for row in rows])
    else:
        for row in rows:
            put_json(asdict(row), lines=True)


@config.command("schema")
def schema() -> None:
    """Print the JSON schema of the file, for editors."""
    from execsvc.settings.schema import schema as made

    put_json(made())


def _loaded(file: str, *, dev: bool) -> "Settings":
    """The settings, or exit 3 and a line for each thing that is wrong."""
    from execsvc import settings

    try:
        return settings.load(os.environ, overrides={"EXECSVC_CONFIG": file} if file else {}, dev=dev)
    except settings.SettingsRefused as refused:
        for problem in refused.problems:
            note(problem)
        raise typer.Exit(CONFIG) from None


def _unreadable(settings: "Settings") -> Iterator[str]:
    """Files that serve would have to read and could not, or must not."""
    from execsvc.runtime.secrets import SecretFileError, read_secret

    for account in settings.accounts:
        keys = account.keys
        for what, path in () if keys is None else (("key_file", keys.key_file), ("secret_file", keys.secret_file)):
            try:
                if path is not None:
                    read_secret(path)
            except (SecretFileError, OSError) as failure:
                name = f"accounts.{account.name}.{what}"
                yield f"{_place(settings, name)}{name}: {unfit(failure)}"
    if settings.tls is not None:
        yield from _tls_unfit(settings, settings.tls)


def _tls_unfit(settings: "Settings", tls: "TlsFiles") -> Iterator[str]:
    """What serve would say of certificate, key and authority, which it reads together."""
    from execsvc.runtime.clock import RealClock
    from execsvc.runtime.tls import TlsRefused, read

    try:
        read(tls.certificate, tls.key, tls.client_ca, now_ns=RealClock().wall_ns())
    except TlsRefused as refused:
        yield f"{_place(settings, 'EXECSVC_TLS_CERT_FILE')}tls: {refused}"


def _place(settings: "Settings", name: str) -> str:
    """FILE:LINE where a setting was said, as the head of a problem; empty where no file said it."""
    place = settings.origins.get(name, "")
    return f"{place}: " if ":" in place else ""


def _worth_a_look(settings: "Settings") -> Iterator[str]:
    """Facts that are allowed and seldom meant."""
    from execsvc.domain.caller import Permission

    if settings.venue is None and any(name.endswith((".key_file", ".secret_file")) for name in settings.origins):
        yield "the built-in exchange needs no key: the key files were not looked at; EXECSVC_MODE=live does"
    yield from _rules_of_nobody(settings)
    if settings.tls is not None and settings.tls.client_ca is not None:
        if not any(caller.certificates for caller in settings.callers):
            yield "tls.client_ca_file: no caller has certificates, so none of them is anybody"
    elif any(caller.certificates for caller in settings.callers):
        yield "callers have certificates, but tls.client_ca_file is not set: they prove nothing"
    for caller in settings.callers:
        trading = [grant for grant in caller.grants.values() if Permission.TRADE in grant.permissions]
        if any(grant.max_order_notional is None for grant in trading) and settings.max_order_notional is None:
            yield f"callers.{caller.name}: may trade without a largest order, of its own or of every order"
        if any(not grant.symbols for grant in trading):
            yield f"callers.{caller.name}: may trade every pair"


def _rules_of_nobody(settings: "Settings") -> Iterator[str]:
    """Rules for a caller that has neither a section nor a token: a name that was mistyped bounds nobody."""
    from execsvc.runtime.tokenfile import TokenFileError, read

    known = {"local"} if settings.tokens is None else set()
    known |= {caller.name for caller in settings.callers}
    with suppress(TokenFileError):
        known |= {token.caller for token in (read(settings.tokens) if settings.tokens else ())}
    for name in sorted({rule.caller for rule in settings.risk.rules if rule.caller} - known):
        near = get_close_matches(name, known, n=1)
        meant = f"; did you mean {near[0]}?" if near else ""
        yield f"risk.rules: no caller {name!r} has a section or a token: the rule bounds nobody yet{meant}"
