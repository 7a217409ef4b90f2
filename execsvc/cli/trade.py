"""Verbs that move money or look at what was moved: buy, sell, order get, list and cancel.

A plain client of the contract. The id of an order is made and said before anything is sent, so that a crash can be
looked up; a fate that is not known in time is exit code 8 and never looks like success.
"""

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from execsvc.cli.exits import BAD_USAGE, OUTCOME_UNKNOWN, Stopped
from execsvc.cli.options import Account, Output, Symbol, Target, Timeout, Yes, help_without_verb, permit, talk
from execsvc.cli.output import Form, form_for, note, put_json, put_pairs, put_rows
from execsvc.cli.plan import put_plan

if TYPE_CHECKING:
    from execsvc_client import Client, InDoubt, Order, OrderOptions, Placed, Preview

Quantity = Annotated[str, typer.Option("--qty", help="How much, in base units: 0.001.")]
Limit = Annotated[str | None, typer.Option("--limit", metavar="PRICE", help="Limit price; without it a market order.")]
PostOnly = Annotated[bool, typer.Option("--post-only", help="Refused rather than taking.")]
Ioc = Annotated[bool, typer.Option("--ioc", help="What does not fill at once is cancelled.")]
ClientOrderId = Annotated[
    str,
    typer.Option("--client-order-id", metavar="ID", help="Id of this intent; made when absent. Same id, one order."),
]
Label = Annotated[str, typer.Option("--label", help="Your tag, up to 64 characters.")]
Plan = Annotated[bool, typer.Option("--plan", help="Say what it would do, and place nothing.")]
Wait = Annotated[float, typer.Option("--wait", min=0.5, max=600, help="Seconds to wait for a definite state.")]

order = typer.Typer(
    help="Look at orders, cancel them.",
    rich_markup_mode=None,
    invoke_without_command=True,
    callback=help_without_verb,
)


@dataclass(frozen=True)
class _Wish:
    """One order as it was typed. `options` are those of Client.place()."""

    symbol: str
    side: Literal["buy", "sell"]
    quantity: str
    limit_price: str | None
    wait: float
    options: "OrderOptions"


def _placing(side: Literal["buy", "sell"], help_text: str) -> Callable[..., None]:
    """The verb of one side; both take the same."""

    def place(  # noqa: PLR0913 - each is a word of the command line
        symbol: Symbol,
        *,
        qty: Quantity,
        limit: Limit = None,
        post_only: PostOnly = False,
        ioc: Ioc = False,
        client_order_id: ClientOrderId = "",
        label: Label = "",
        wait: Wait = 10.0,
        plan: Plan = False,
        yes: Yes = False,
        account: Account = "",
        target: Target = "",
        output: Output = None,
    ) -> None:
        form = form_for(output)
        options: OrderOptions = {
            "post_only": post_only,
            "time_in_force": "IOC" if ioc else None,
            "client_order_id": client_order_id or None,
            "label": label,
        }
        wish = _Wish(symbol, side, qty, limit, wait, options)
        if plan:
            raise typer.Exit(put_plan(talk(target, lambda client: _planned(client, wish), account=account), side, form))
        _put_placed(talk(target, lambda client: _place(client, wish, yes=yes), account=account), form)

    place.__doc__ = help_text
    return place


async def _planned(client: "Client", wish: _Wish) -> "Preview":
    """What placing it would say; nobody is asked for leave, since nothing changes."""
    with _as_usage():
        return await client.preview(
            wish.symbol,
            wish.side,
            quantity=wish.quantity,
            limit_price=wish.limit_price,
            market=wish.limit_price is None,
            **wish.options,
        )


@contextmanager
def _as_usage() -> Iterator[None]:
    """What the client refuses before anything is sent was mistyped."""
    try:
        yield
    except (TypeError, ValueError) as mistake:
        raise Stopped(BAD_USAGE, str(mistake)) from None


async def _place(client: "Client", wish: _Wish, *, yes: bool) -> "Placed":
    """Ask leave where it is live, say the id, send, and wait for the truth as long as --wait says."""
    from execsvc_client import InDoubt, new_client_order_id

    await permit(client, yes=yes)
    intent = wish.options["client_order_id"] or new_client_order_id()
    note(f"client order id  {intent}")
    options: OrderOptions = {**wish.options, "client_order_id": intent, "timeout": wish.wait}
    by = time.monotonic() + wish.wait
    with _as_usage():
        result = await client.place(
            wish.symbol,
            wish.side,
            quantity=wish.quantity,
            limit_price=wish.limit_price,
            market=wish.limit_price is None,
            **options,
        )
    return await _resolved(result, by - time.monotonic()) if isinstance(result, InDoubt) else result


buy = _placing("buy", "Buy: at a limit, or what the market gives.")
sell = _placing("sell", "Sell: at a limit, or what the market gives.")


async def _resolved(doubt: "InDoubt[Awaitable[Placed]]", left: float) -> "Placed":
    """Wait out what is left of --wait. Raises Stopped with exit code 8 if the truth is not known then."""
    if left > 0:
        from execsvc_client import OutcomeUnknown

        note("the exchange has not answered; the gateway is finding out")
        with suppress(OutcomeUnknown):
            return await doubt.resolve(left)
    raise Stopped(
        OUTCOME_UNKNOWN,
        "not known yet whether the order is placed; it will be: ask by this id, repeat only with this id",
        client_order_id=doubt.client_order_id,
        id_used=True,
    )


def _put_placed(placed: "Placed", form: Form) -> None:
    if form is Form.TABLE:
        put_order(placed.order)
        for warning in placed.warnings:
            note(f"warning: {warning}")
        return
    from execsvc_client.raw import to_json

    answer = {"order": to_json(placed.order), "replayed": placed.replayed, "warnings": list(placed.warnings)}
    put_json(answer, lines=form is Form.JSONL)


# --- order get, list, cancel -------------------------------------------------------------------------------------

GivenId = Annotated[str, typer.Argument(metavar="[ID]", help="The client order id.")]
VenueId = Annotated[str, typer.Option("--order-id", metavar="TXID", help="Kraken's id instead.")]


@order.command("get")
def get_order(
    given: GivenId = "",
    order_id: VenueId = "",
    account: Account = "",
    target: Target = "",
    timeout: Timeout = None,
    output: Output = None,
) -> None:
    """Show one order as it is now."""
    form = form_for(output)
    name_one(given, order_id)
    found = talk(target, lambda client: client.get_order(given, order_id=order_id, timeout=timeout), account=account)
    _put_answer(found, form)


@order.command("cancel")
def cancel_order(
    given: GivenId = "",
    *,
    order_id: VenueId = "",
    yes: Yes = False,
    account: Account = "",
    target: Target = "",
    timeout: Timeout = None,
    output: Output = None,
) -> None:
    """Record the wish to cancel an order; it is then pursued until the order has ended."""
    form = form_for(output)
    name_one(given, order_id)

    async def work(client: "Client") -> "Order":
        await permit(client, yes=yes)
        return await client.cancel(given, order_id=order_id, timeout=timeout)

    _put_answer(talk(target, work, account=account), form)


@order.command("list")
def list_orders(
    symbol: Annotated[str, typer.Option("--symbol", help="Only this pair.")] = "",
    only_open: Annotated[bool, typer.Option("--open", help="Only those that have not ended.")] = False,
    count: Annotated[int, typer.Option("--count", min=1, max=10_000, help="At most so many, newest first.")] = 50,
    account: Account = "",
    target: Target = "",
    output: Output = None,
) -> None:
    """List your orders, newest first."""
    form = form_for(output)

    async def work(client: "Client") -> "list[Order]":
        from execsvc_client import OrderStatus

        live = (OrderStatus.SUBMITTED, OrderStatus.IN_DOUBT, OrderStatus.PENDING, OrderStatus.OPEN)
        found: list[Order] = []
        orders = client.orders(symbol, statuses=live if only_open else (), page_size=min(count, 1000))
        async for each in orders:
            found.append(each)
            if len(found) == count:
                break
        return found

    found = talk(target, work, account=account)
    if form is Form.TABLE:
        put_rows(_HEADS, map(_row, found))
        return
    from execsvc_client.raw import to_json

    if form is Form.JSON:
        put_json({"orders": to_json(found)})
    for each in found if form is Form.JSONL else ():
        put_json(to_json(each), lines=True)


def name_one(given: str, order_id: str) -> None:
    """Stops unless exactly one of the two names was given."""
    if bool(given) is bool(order_id):
        raise Stopped(BAD_USAGE, "name one order: a client order id, or --order-id with Kraken's")


_HEADS = ("client order id", "order id", "symbol", "side", "quantity", "price", "filled", "status", "created")


def _row(each: "Order") -> tuple[object, ...]:
    created = "" if each.create_time is None else each.create_time.strftime("%Y-%m-%d %H:%M:%S")
    price = each.limit_price if each.limit_price is not None else each.type
    status = f"{each.status.name}{' (cancelling)' if each.cancel_requested and not each.is_terminal else ''}"
    return (
        *(each.client_order_id, each.order_id, each.symbol, each.side.name.lower()),
        *(each.quantity, price, each.filled_quantity, status, created),
    )


def _put_answer(found: "Order", form: Form) -> None:
    if form is Form.TABLE:
        put_order(found)
        return
    from execsvc_client.raw import to_json

    put_json({"order": to_json(found)}, lines=form is Form.JSONL)


def put_order(found: "Order") -> None:
    """Print one order as names and values."""
    end = found.end_error
    put_pairs(
        (
            ("client order id", found.client_order_id),
            ("order id", found.order_id),
            ("order", " ".join(part for part in _wish(found) if part)),
            (
                "status",
                found.status.name + (" (cancelling)" if found.cancel_requested and not found.is_terminal else ""),
            ),
            ("filled", found.filled_quantity),
            ("average price", found.average_price),
            ("cost", found.filled_cost if found.filled_quantity else None),
            ("fees", ", ".join(f"{fee.amount:f} {fee.asset}" for fee in found.fees)),
            ("ended because", "" if end is None else f"{end.reason}: {end.message}"),
            ("label", found.label),
            ("account", found.account),
        )
    )


def _wish(found: "Order") -> tuple[str, ...]:
    quantity = "" if found.quantity is None else f"{found.quantity:f}"
    price = found.type if found.limit_price is None else f"at {found.limit_price:f}"
    rests = found.time_in_force.name if found.time_in_force else ""
    return (found.side.name.lower(), quantity, found.symbol, price, rests, "post-only" if found.post_only else "")
