"""What several verbs take, and how they reach the gateway; importing this loads nothing heavy.

The gateway is found by --target, EXECSVC_TARGET, then 127.0.0.1:50051; how a verb comes before it is reach.py's.
"""

import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from execsvc.cli.exits import BAD_CONFIG, BAD_USAGE, Stopped
from execsvc.cli.output import Form, note
from execsvc.cli.reach import environment

if TYPE_CHECKING:
    from execsvc_client import Client, ServerInfo

T = TypeVar("T")

COMPLETION_TIMEOUT = 0.5  # seconds: a shell that waits for the Tab key longer than that feels broken


def complete_symbol(incomplete: str) -> list[str]:
    """The live symbols that begin so, for the shell; none where no gateway can be asked."""
    from execsvc_client import ExecsvcError, SyncClient

    try:
        with SyncClient.from_env(name="execsvc-cli", environ=environment("")) as client:
            known = client.instruments(timeout=COMPLETION_TIMEOUT)
    except (ExecsvcError, Stopped, ValueError, OSError):
        return []
    return [each.symbol for each in known if each.symbol.startswith(incomplete.upper())]


Symbol = Annotated[
    str,
    typer.Argument(
        metavar="SYMBOL", help="The pair, in any spelling Kraken uses: BTC/USD.", autocompletion=complete_symbol
    ),
]
Target = Annotated[
    str, typer.Option("--target", help="Gateway: host:port or unix:path. Else EXECSVC_TARGET, 127.0.0.1:50051.")
]
Account = Annotated[str, typer.Option("--account", help="Account; absent: your only or default one.")]
Output = Annotated[Form | None, typer.Option("--output", "-o", help="What stdout carries. Else EXECSVC_OUTPUT.")]
Timeout = Annotated[float | None, typer.Option("--timeout", min=0.1, max=600, help="Seconds to wait for an answer.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, even where live money is traded.")]


def help_without_verb(ctx: typer.Context) -> None:
    """Without a verb, say which there are."""
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


def now() -> datetime:
    """The time of this machine."""
    from execsvc.runtime.clock import RealClock

    return datetime.fromtimestamp(RealClock().wall_ns() / 1e9, UTC)


def talk(target: str, work: "Callable[[Client], Awaitable[T]]", *, account: str = "") -> T:
    """Run one conversation with the gateway. Raises Stopped for settings that cannot work."""
    import asyncio

    return asyncio.run(_talk(target, work, account))


async def _talk(target: str, work: "Callable[[Client], Awaitable[T]]", account: str) -> T:
    from execsvc_client import Client

    try:
        environ = environment(target)
        client = Client.from_env(target=target, account=account, name="execsvc-cli", allow_live=True, environ=environ)
    except (ValueError, OSError) as problem:
        raise Stopped(BAD_CONFIG, unfit(problem)) from None
    async with client:
        return await work(client)


def unfit(problem: Exception) -> str:
    """Why a file or a variable cannot be used; of a file its name first, without the system's number for it."""
    named = isinstance(problem, OSError) and problem.filename and problem.strerror
    return f"{problem.filename}: {problem.strerror}" if named else str(problem)  # type: ignore[attr-defined]  # see named


async def permit(client: "Client", *, yes: bool) -> "ServerInfo":
    """Ask before anything changes where live money is traded: a typed word on a terminal, --yes elsewhere.

    Raises Stopped without leave. The client itself is made with allow_live, since this is where leave is asked.
    """
    info = await client.server_info()
    if info.mode == "paper" or yes:
        return info
    if not sys.stdin.isatty():
        raise Stopped(BAD_USAGE, "this gateway trades live money: say --yes where nobody can be asked")
    note(f"{client.link.settings.target} trades LIVE money as {info.caller}.")
    if input_line("Type live to go on: ") != "live":
        raise Stopped(BAD_USAGE, "not confirmed: nothing was sent")
    return info


def input_line(prompt: str) -> str:
    """A line from the terminal; the prompt goes to stderr, since stdout is data. Ctrl-C ends the verb at once.

    While a conversation runs asyncio holds the signal back until the next await, and here none comes before the line does.
    """
    import signal

    print(prompt, end="", file=sys.stderr, flush=True)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return sys.stdin.readline().strip()
    finally:
        signal.signal(signal.SIGINT, before)
