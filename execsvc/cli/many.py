"""Verbs about many orders at once: cancel all there are, and the dead man's switch.

A plain client of the contract; a single order is trade.py's.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from execsvc.cli.options import Account, Output, Target, Timeout, Yes, complete_symbol, now, permit, talk
from execsvc.cli.output import Form, form_for, put_json, put_pairs
from execsvc.cli.whose import ToEnd, Whose

if TYPE_CHECKING:
    from execsvc_client import Cleared, Client, Switch


def cancel_all(
    symbol: Annotated[
        str,
        typer.Argument(metavar="SYMBOL", help="Only this pair; absent: say --all.", autocompletion=complete_symbol),
    ] = "",
    *,
    everything: Annotated[bool, typer.Option("--all", help="Of every pair.")] = False,
    whose: ToEnd = Whose.OWN,
    yes: Yes = False,
    account: Account = "",
    target: Target = "",
    timeout: Timeout = None,
    output: Output = None,
) -> None:
    """Cancel all open orders, of one pair or with --all of every one; what is left is pursued."""
    form = form_for(output)
    if bool(symbol) is everything:
        raise typer.BadParameter("name a pair, or say --all")

    async def work(client: "Client") -> "Cleared":
        await permit(client, yes=yes)
        return await client.cancel_all(symbol, scope=whose.scope, timeout=timeout)

    cleared = talk(target, work, account=account)
    if form is Form.TABLE:
        put_pairs((("asked to go", cleared.requested), ("gone", cleared.cancelled)))
    else:
        told = {"requestedCount": cleared.requested, "cancelledCount": cleared.cancelled}
        put_json(told, lines=form is Form.JSONL)


def dead_man(
    seconds: Annotated[int, typer.Argument(metavar="SECONDS", help="5 to 86399; 0 takes it off.")],
    *,
    whose: ToEnd = Whose.OWN,
    yes: Yes = False,
    account: Account = "",
    target: Target = "",
    timeout: Timeout = None,
    output: Output = None,
) -> None:
    """Cancel your orders in SECONDS, unless this is said again before; --whose account: Kraken's own timer, everybody's."""
    form = form_for(output)

    async def work(client: "Client") -> "Switch":
        await permit(client, yes=yes)
        return await client.dead_mans_switch(seconds, scope=whose.scope, timeout=timeout)

    switch = talk(target, work, account=account)
    if form is Form.TABLE:
        put_pairs((("goes off", _when(switch.trigger_time)), ("Kraken's timer", _when(switch.venue_trigger_time))))
    else:
        put_json(
            {"triggerTime": _stamp(switch.trigger_time), "venueTriggerTime": _stamp(switch.venue_trigger_time)},
            lines=form is Form.JSONL,
        )


def _when(at: datetime | None) -> str:
    if at is None:
        return "off"
    left = (at - now()).total_seconds()
    return f"{at:%H:%M:%S} UTC, in {left:.0f} s"


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat().replace("+00:00", "Z")
