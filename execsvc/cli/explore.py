"""`call`: any method of the contract by name, JSON in, JSON out; a stream as one line a message.

For trying things out and for scripts that need what no verb has. It repeats nothing and resolves nothing.
"""

import json
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from execsvc.cli.exits import BAD_USAGE, Stopped
from execsvc.cli.options import Target, Timeout, Yes, permit, talk
from execsvc.cli.output import Form, put_json, put_rows

if TYPE_CHECKING:
    from execsvc_client import Client
    from execsvc_client.raw import Method


def call(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="PlaceOrder, or OrderService/PlaceOrder.")] = "",
    request: Annotated[
        str, typer.Argument(metavar="JSON", help="The request; - reads it from stdin; a session takes a list.")
    ] = "",
    *,
    listing: Annotated[bool, typer.Option("--list", help="List the methods.")] = False,
    count: Annotated[int, typer.Option("--count", min=0, help="Of a stream: stop after so many messages.")] = 0,
    yes: Yes = False,
    target: Target = "",
    timeout: Timeout = None,
    output: Annotated[
        Form, typer.Option("--output", "-o", help="json, or jsonl for one line; streams are always jsonl.")
    ] = Form.JSON,
) -> None:
    """Call any method by name with JSON."""
    from execsvc_client import raw

    if listing or not method:
        if not listing:
            raise Stopped(BAD_USAGE, "name a method, or --list them")
        put_rows(("method", "kind", "changes"), [(each.name, each.kind, each.changes) for each in raw.methods()])
        return
    try:
        row = raw.find(method)
        wanted = json.loads((sys.stdin.read() if request == "-" else request) or "{}")
        _check(row, wanted)
    except LookupError as unknown:
        raise Stopped(BAD_USAGE, str(unknown.args[0])) from None
    except ValueError as mistake:
        raise Stopped(BAD_USAGE, f"the request: {mistake}") from None

    talk(target, lambda client: _call(client, row, wanted, yes=yes, timeout=timeout, count=count, form=output))


async def _call(
    client: "Client", row: "Method", wanted: Any, *, yes: bool, timeout: float | None, count: int, form: Form
) -> None:
    """Ask leave where it is live, send, print."""
    from execsvc_client import raw

    if row.changes:
        await permit(client, yes=yes)
    if row.kind == "unary":
        put_json(await raw.call(client, row.name, wanted, timeout=timeout), lines=form is Form.JSONL)
        return
    seen = 0
    async with aclosing(raw.stream(client, row.name, wanted)) as messages:
        async for message in messages:
            put_json(message, lines=True)
            seen += 1
            if count and seen >= count:
                return


def _check(row: "Method", wanted: Any) -> None:
    """Refuse before connecting what the method cannot take. Raises ValueError."""
    from execsvc_client import raw

    for each in wanted if row.kind == "session" and isinstance(wanted, list) else [wanted]:
        if not isinstance(each, dict):
            raise ValueError("give a JSON object" + (", or a list of them" if row.kind == "session" else ""))  # noqa: TRY004 - a wrong value of the person, not a wrong type of ours
        raw.parse(row, each)
