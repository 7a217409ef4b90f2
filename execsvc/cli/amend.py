"""`execsvc order amend`: change an open order in place.

A plain client of the contract. The id of the change is made and said before anything is sent, so that it can be repeated
without being made twice; whether it was made that is not known in time is exit code 8, as for placing (trade.py).
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from execsvc.cli.exits import BAD_USAGE, OUTCOME_UNKNOWN, Stopped
from execsvc.cli.options import Account, Output, Target, Yes, permit, talk
from execsvc.cli.output import Form, form_for, note, put_json
from execsvc.cli.trade import GivenId, VenueId, name_one, put_order
from execsvc.cli.translate import as_usage
from execsvc.cli.wish import option, verb

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from execsvc_client import Amended, AmendInDoubt, AmendOptions, Client


@dataclass(frozen=True)
class TypedAmend:
    """One change of one order as it was typed, and how to send it."""

    given: GivenId = ""
    qty: Annotated[
        str | None,
        typer.Option(
            "--qty",
            "--quantity",
            metavar="AMOUNT",
            help="The new total, in base units; below what is filled the rest is cancelled.",
        ),
    ] = None
    limit: Annotated[str | None, option("--limit", "PRICE", "The new limit price.")] = None
    trigger: Annotated[
        str | None, option("--trigger", "PRICE", "The new price at which a stop or take-profit fires.")
    ] = None
    display: Annotated[str | None, option("--display", "AMOUNT", "The new base units that an iceberg shows.")] = None
    post_only: Annotated[
        bool | None,
        typer.Option("--post-only/--may-take", help="Whether a limit that would take is refused; else as placed."),
    ] = None
    if_version: Annotated[
        int | None,
        typer.Option(
            "--if-version",
            min=1,
            metavar="N",
            help="Only if the order is at this version, as `order get -o json` tells it.",
        ),
    ] = None
    request_id: Annotated[
        str, option("--request-id", "ID", "Id of this change; made when absent. Same id, one change.")
    ] = ""
    order_id: VenueId = ""
    wait: Annotated[float, typer.Option("--wait", min=0.5, max=600, help="Seconds to wait for a definite state.")] = (
        10.0
    )
    yes: Yes = False
    account: Account = ""
    target: Target = ""
    output: Output = None


def _amend(typed: TypedAmend) -> None:
    form = form_for(typed.output)
    name_one(typed.given, typed.order_id)
    if all(each is None for each in (typed.qty, typed.limit, typed.trigger, typed.display)):
        raise Stopped(BAD_USAGE, "say what is to be changed: --qty, --limit, --trigger or --display")
    amended = talk(typed.target, partial(_amended, typed=typed), account=typed.account)
    _put_amended(amended, form)


amend = verb(
    TypedAmend,
    _amend,
    """Change an open order in place: it keeps its id and its fills.

    \b
    execsvc order amend my-id --limit 59900
    execsvc order amend my-id --qty 0.002 --limit 59900 --if-version 3
    execsvc order amend my-stop --trigger 54000
    """,
)


async def _amended(client: "Client", *, typed: TypedAmend) -> "Amended":
    """Ask leave where it is live, say the id, send, and wait for the truth as long as --wait says."""
    from execsvc_client import AmendInDoubt, new_client_order_id

    await permit(client, yes=typed.yes)
    change = typed.request_id or new_client_order_id()
    note(f"request id  {change}")
    options: AmendOptions = {
        "quantity": typed.qty,
        "limit_price": typed.limit,
        "trigger_price": typed.trigger,
        "display_quantity": typed.display,
        "post_only": typed.post_only,
        "if_version": typed.if_version,
        "request_id": change,
        "timeout": typed.wait,
    }
    by = time.monotonic() + typed.wait
    with as_usage():
        result = await client.amend(typed.given, order_id=typed.order_id, **options)
    return await _resolved(result, by - time.monotonic()) if isinstance(result, AmendInDoubt) else result


async def _resolved(doubt: "AmendInDoubt[Awaitable[Amended]]", left: float) -> "Amended":
    """Wait out what is left of --wait. Raises Stopped with exit code 8 if the truth is not known then."""
    if left > 0:
        from execsvc_client import OutcomeUnknown

        note("the exchange has not answered; the gateway is finding out")
        with suppress(OutcomeUnknown):
            return await doubt.resolve(left)
    raise Stopped(
        OUTCOME_UNKNOWN,
        "not known yet whether the order is changed; it will be: look at it, repeat only with this --request-id: "
        f"{doubt.request_id}",
        client_order_id=doubt.so_far.client_order_id,
        id_used=True,
    )


def _put_amended(amended: "Amended", form: Form) -> None:
    if form is Form.TABLE:
        put_order(amended.order)
        if amended.replayed:
            note("this change was asked for before: nothing was sent")
        return
    from execsvc_client.raw import to_json

    answer = {"order": to_json(amended.order), "state": "AMEND_STATE_APPLIED", "replayed": amended.replayed}
    put_json(answer, lines=form is Form.JSONL)
