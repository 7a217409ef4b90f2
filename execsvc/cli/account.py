"""Verbs that read what Kraken says of the account: margin, positions, ledger, fees, fills.

Each asks the gateway once, or page by page until `--count` rows are there, and prints columns or JSON in the contract's
names. Balances are in look.py, counters in limits.py.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from execsvc.cli.listing import PAGE_MAX, Since, Until, clock, how_many, moment, put_many, put_one, remark
from execsvc.cli.options import Account, Output, Target, Timeout, complete_symbol, talk
from execsvc.cli.output import Form, form_for, note, put_pairs, put_rows

if TYPE_CHECKING:
    from execsvc_client import Client, Fill, LedgerEntry, Margin, Position

BASIS_POINTS = Decimal(10_000)

Pair = Annotated[
    str,
    typer.Argument(metavar="SYMBOL", help="Only this pair; absent: all.", autocompletion=complete_symbol),
]
Count = Annotated[
    int, typer.Option("--count", min=1, help="At most so many, the newest ones. Kraken counts every 50 as two calls.")
]


def margin(
    asset: Annotated[
        str, typer.Option("--asset", metavar="ASSET", help="What all figures are valued in; absent: USD.")
    ] = "",
    account: Account = "",
    target: Target = "",
    timeout: Timeout = None,
    output: Output = None,
) -> None:
    """Show equity, used and free margin."""
    form = form_for(output)
    found = talk(target, lambda client: client.margin(asset, timeout=timeout), account=account)
    if form is Form.TABLE:
        _put_margin(found)
    else:
        put_one(found, form)


def _put_margin(found: "Margin") -> None:
    level = None if found.margin_level is None else f"{found.margin_level * 100:f} %"
    put_pairs(
        (
            ("valued in", found.asset),
            ("all balances", found.equivalent_balance),
            ("collateral", found.trade_balance),
            ("margin used", found.margin_used),
            ("free margin", found.free_margin),
            ("unrealized", found.unrealized_pnl),
            ("equity", found.equity),
            ("cost of positions", found.cost_basis),
            ("their value", found.valuation),
            ("not filled yet", found.unexecuted_value),
            ("margin level", level or "none: no open position"),
        )
    )


def positions(
    symbol: Pair = "",
    account: Account = "",
    target: Target = "",
    timeout: Timeout = None,
    output: Output = None,
) -> None:
    """Show open margin positions, oldest first."""
    form = form_for(output)
    found = talk(target, lambda client: client.positions(symbol, timeout=timeout), account=account)
    heads = (
        "opened UTC",
        "symbol",
        "side",
        "quantity",
        "closed",
        "cost",
        "margin",
        "value",
        "unrealized",
        "position id",
    )
    put_many("positions", form, found, heads, _position_row)
    remark(form, "" if found else "no open position")


def _position_row(each: "Position") -> Sequence[object]:
    return (
        clock(each.open_time), each.symbol, each.side.name, each.quantity, each.closed_quantity, each.cost, each.margin,
        each.value, each.unrealized_pnl, each.position_id,
    )  # fmt: skip


def ledger(
    asset: Annotated[str, typer.Argument(metavar="ASSET", help="Only this asset, such as USD; absent: all.")] = "",
    *,
    kind: Annotated[
        str, typer.Option("--kind", metavar="WORD", help="Only this kind, in Kraken's word: trade, rollover, deposit…")
    ] = "",
    count: Count = 50,
    since: Since = "",
    until: Until = "",
    account: Account = "",
    target: Target = "",
    output: Output = None,
) -> None:
    """Show what changed the balances, newest first."""
    form, start, end = form_for(output), moment(since, "--since"), moment(until, "--until")

    async def work(client: "Client") -> "list[LedgerEntry]":
        found: list[LedgerEntry] = []
        size = min(count, PAGE_MAX)
        async for entry in client.ledger(asset, kind=kind.lower(), since=start, until=end, page_size=size):
            found.append(entry)
            if len(found) == count:
                break
        return found

    found = talk(target, work, account=account)
    put_many("entries", form, found, ("time UTC", "kind", "asset", "amount", "fee", "balance", "cause"), _ledger_row)
    remark(form, how_many(found, count, "entry"))


def _ledger_row(each: "LedgerEntry") -> Sequence[object]:
    kind = f"{each.kind} {each.subkind}".strip()
    return clock(each.time), kind, each.asset, each.amount, each.fee, each.balance, each.ref_id


def fees(
    symbols: Annotated[
        list[str], typer.Argument(metavar="SYMBOL", help="1 to 50 pairs.", autocompletion=complete_symbol)
    ],
    account: Account = "",
    target: Target = "",
    timeout: Timeout = None,
    output: Output = None,
) -> None:
    """Show the maker and taker rates now in force, in basis points."""
    form = form_for(output)
    found = talk(target, lambda client: client.fee_rates(symbols, timeout=timeout), account=account)
    if form is not Form.TABLE:
        put_one(found, form)
        return
    put_rows(
        ("symbol", "maker bp", "taker bp", "lower from"),
        [
            (
                each.symbol,
                _points(each.maker_rate),
                _points(each.taker_rate),
                each.next_tier_volume,
            )
            for each in found.rates
        ],
    )
    if found.volume is not None:
        note(f"30-day volume: {found.volume:f} {found.volume_asset}")


def fills(
    symbol: Pair = "",
    *,
    count: Count = 50,
    since: Since = "",
    until: Until = "",
    account: Account = "",
    target: Target = "",
    output: Output = None,
) -> None:
    """Show executions of the account, newest first, whoever placed the orders."""
    form, start, end = form_for(output), moment(since, "--since"), moment(until, "--until")

    async def work(client: "Client") -> "list[Fill]":
        found: list[Fill] = []
        async for fill in client.fills(symbol, since=start, until=end, page_size=min(count, PAGE_MAX)):
            found.append(fill)
            if len(found) == count:
                break
        return found

    found = talk(target, work, account=account)
    heads = ("time UTC", "symbol", "side", "quantity", "price", "cost", "fee", "maker", "client order id")
    put_many("fills", form, found, heads, _fill_row)
    remark(form, how_many(found, count, "fill"))


def _fill_row(each: "Fill") -> Sequence[object]:
    fee = " + ".join(f"{part.amount:f} {part.asset}".strip() for part in each.fees)
    return (
        clock(each.times.venue), each.symbol, each.side.name, each.quantity, each.price, each.cost, fee, each.maker,
        each.client_order_id,
    )  # fmt: skip


def _points(rate: Decimal) -> Decimal:
    """A fraction in basis points, without the zeros that the change of unit leaves."""
    return (rate * BASIS_POINTS).normalize()
