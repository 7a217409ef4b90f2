"""Verbs that move money or look at what was moved: buy, sell, order get, list and cancel.

A plain client of the contract. The id of an order is made and said before anything is sent, so that a crash can be
looked up; a fate that is not known in time is exit code 8 and never looks like success.
"""

import time
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from execsvc.cli.exits import BAD_USAGE, OUTCOME_UNKNOWN, Stopped
from execsvc.cli.options import Account, Output, Target, Timeout, Yes, help_without_verb, now, permit, talk
from execsvc.cli.output import Form, form_for, note, put_json, put_pairs, put_rows
from execsvc.cli.plan import Plan, put_plan
from execsvc.cli.reach import Verbs
from execsvc.cli.translate import as_usage
from execsvc.cli.whose import ToSee, Whose
from execsvc.cli.wish import Typed, Wish, verb, wish_of
from execsvc.cli.wording import order_words, type_words

if TYPE_CHECKING:
    from decimal import Decimal

    from execsvc_client import Client, InDoubt, Order, OrderOptions, Placed

order = Verbs(
    help="Look at orders, change and cancel them.",
    rich_markup_mode=None,
    invoke_without_command=True,
    callback=help_without_verb,
)


def _trade(typed: Typed, side: Literal["buy", "sell"]) -> None:
    """Place what was typed, or with --plan say what placing would do."""
    form = form_for(typed.output)
    if typed.ask_kraken and not typed.plan:
        raise Stopped(BAD_USAGE, "--ask-kraken goes with --plan: nothing is placed then")
    wish = wish_of(typed, side, now())
    if typed.plan:
        work = partial(_planned, wish=wish, ask_venue=typed.ask_kraken, for_people=form is Form.TABLE)
        raise typer.Exit(put_plan(talk(typed.target, work, account=typed.account), side, form))
    work_of = partial(_place, wish=wish, wait=typed.wait, yes=typed.yes)
    _put_placed(talk(typed.target, work_of, account=typed.account), form)


async def _planned(client: "Client", wish: Wish, *, ask_venue: bool, for_people: bool) -> Plan:
    """What placing it would say; nobody is asked for leave, since nothing changes."""
    with as_usage():
        found = await client.preview(
            wish.symbol,
            wish.side,
            quantity=wish.quantity,
            limit_price=wish.limit_price,
            market=wish.market,
            ask_venue=ask_venue,
            **wish.options,
        )
    wanting = for_people and found.reference_price is None
    return Plan(found, await _touch(client, wish) if wanting else None)


async def _touch(client: "Client", wish: Wish) -> "Decimal | None":
    """The price that the order would meet now, for a person to reckon with; None: it cannot be had."""
    from execsvc_client import ExecsvcError

    try:
        tickers = await client.tickers(wish.symbol)
    except ExecsvcError:
        return None
    return next((each.ask_price if wish.side == "buy" else each.bid_price for each in tickers), None)


async def _place(client: "Client", wish: Wish, *, wait: float, yes: bool) -> "Placed":
    """Ask leave where it is live, say the id, send, and wait for the truth as long as --wait says."""
    from execsvc_client import InDoubt, new_client_order_id

    await permit(client, yes=yes)
    intent = wish.options["client_order_id"] or new_client_order_id()
    note(f"client order id  {intent}")
    options: OrderOptions = {**wish.options, "client_order_id": intent, "timeout": wait}
    by = time.monotonic() + wait
    with as_usage():
        result = await client.place(
            wish.symbol,
            wish.side,
            quantity=wish.quantity,
            limit_price=wish.limit_price,
            market=wish.market,
            **options,
        )
    placed = await _resolved(result, by - time.monotonic()) if isinstance(result, InDoubt) else result
    return await _taken(client, placed, by - time.monotonic()) if wish.takes else placed


async def _taken(client: "Client", placed: "Placed", left: float) -> "Placed":
    """An order that ends as soon as the exchange has it, with its end, as far as --wait lasts."""
    if placed.order.is_terminal or left <= 0:
        return placed
    from execsvc_client import ExecsvcError

    with suppress(TimeoutError, ExecsvcError):  # it is placed, whether or not its end can be told
        return replace(placed, order=await client.wait_for_terminal(placed.order, left))
    return placed


_TYPES = """: at a limit, at the market, or by a trigger.

    \b
    execsvc {0} BTC/USD --qty 0.001 --limit 60000 --post-only
    execsvc {0} BTC/USD --qty 0.001 --stop 55000 --limit 54900 --expire +1d
    execsvc {0} BTC/USD --qty 0.001 --trail 1.5%
    execsvc {0} BTC/USD --qty 0.001 --limit 60000 --close-stop 58000
"""
buy = verb(Typed, partial(_trade, side="buy"), f"Buy{_TYPES.format('buy')}    execsvc buy BTC/USD --notional 100\n")
sell = verb(Typed, partial(_trade, side="sell"), f"Sell{_TYPES.format('sell')}")


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

GivenId = Annotated[str, typer.Argument(metavar="ID", help="The client order id.")]
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
    *,
    whose: ToSee = Whose.OWN,
    account: Account = "",
    target: Target = "",
    output: Output = None,
) -> None:
    """List orders, newest first: yours, or with --whose those of others too."""
    form = form_for(output)

    async def work(client: "Client") -> "list[Order]":
        from execsvc_client import OrderStatus

        live = (OrderStatus.SUBMITTED, OrderStatus.IN_DOUBT, OrderStatus.PENDING, OrderStatus.OPEN)
        found: list[Order] = []
        statuses, page = live if only_open else (), min(count, 1000)
        orders = client.orders(symbol, statuses=statuses, scope=whose.scope, page_size=page)
        async for each in orders:
            found.append(each)
            if len(found) == count:
                break
        return found

    found = talk(target, work, account=account)
    if form is Form.TABLE:
        others = whose is not Whose.OWN
        heads = (*_HEADS, "caller") if others else _HEADS
        put_rows(heads, ((*_row(each), each.caller) if others else _row(each) for each in found))
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
    price = type_words(each.wire.spec).removeprefix("at ")
    ended = "" if each.end_error is None else f" ({each.end_error.reason})"
    status = f"{each.status.name}{' (cancelling)' if each.cancel_requested and not each.is_terminal else ended}"
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
            ("order", order_words(found)),
            (
                "status",
                found.status.name + (" (cancelling)" if found.cancel_requested and not found.is_terminal else ""),
            ),
            ("filled", found.filled_quantity),
            ("average price", found.average_price),
            ("cost", found.filled_cost if found.filled_quantity else None),
            ("fees", ", ".join(f"{fee.amount:f} {fee.asset}" for fee in found.fees)),
            ("trigger now", found.current_trigger_price),
            ("triggered", found.triggered or None),
            ("child of", found.parent_order_id),
            ("ended because", "" if end is None else f"{end.reason}: {end.message}"),
            ("label", found.label),
            ("account", found.account),
        )
    )
