"""Verbs that list what the market shows at a moment: pairs and their rules, tickers, public trades, candles.

Each asks the gateway, page by page where there are pages, and prints columns or JSON in the contract's names. What goes on
living (watch) and the book are in look.py.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from execsvc.cli.exits import BAD_USAGE, Stopped
from execsvc.cli.listing import PAGE_MAX, Since, clock, how_many, moment, put_many, remark
from execsvc.cli.options import Output, Symbol, Target, Timeout, complete_symbol, talk
from execsvc.cli.output import form_for

if TYPE_CHECKING:
    from execsvc_client import Candle, Client, Instrument, Ticker, Trade

# As people call them; Kraken has these and no others.
INTERVALS = {
    "1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1440, "1w": 10080, "15d": 21600,
}  # fmt: skip

Pairs = Annotated[
    list[str] | None,
    typer.Argument(metavar="SYMBOL", help="These pairs; absent: all.", autocompletion=complete_symbol),
]
Count = Annotated[int, typer.Option("--count", min=1, help="At most so many.")]


def instruments(
    symbols: Pairs = None,
    *,
    quote: Annotated[str, typer.Option("--quote", metavar="ASSET", help="Only pairs against this asset.")] = "",
    target: Target = "",
    timeout: Timeout = None,
    output: Output = None,
) -> None:
    """List the pairs and the rules that an order must meet."""
    form = form_for(output)
    found = talk(target, lambda client: client.instruments(symbols or (), quote=quote, timeout=timeout))
    heads = ("symbol", "status", "price step", "quantity step", "least quantity", "least cost", "leverage", "index")
    put_many("instruments", form, found, heads, _instrument_row)
    remark(form, how_many(found, 0, "pair"))


def _instrument_row(each: "Instrument") -> Sequence[object]:
    buy, sell = _leverages(each.leverage_buy), _leverages(each.leverage_sell)
    leverage = buy if buy == sell else f"buy {buy or 'none'}, sell {sell or 'none'}"
    return (
        each.symbol, each.status.name, each.price_increment, each.quantity_increment, each.min_quantity, each.min_cost,
        leverage, each.has_index,
    )  # fmt: skip


def _leverages(offered: tuple[int, ...]) -> str:
    """2-5 where none between is missing."""
    if len(offered) > 1 and offered == tuple(range(offered[0], offered[-1] + 1)):
        return f"{offered[0]}-{offered[-1]}"
    return " ".join(map(str, offered))


def tickers(
    symbols: Pairs = None,
    *,
    target: Target = "",
    timeout: Timeout = None,
    output: Output = None,
) -> None:
    """Show the latest prices once; watch follows them."""
    form = form_for(output)
    found = talk(target, lambda client: client.tickers(symbols or (), timeout=timeout))
    heads = ("symbol", "bid", "ask", "last", "low 24h", "high 24h", "volume 24h", "from", "read UTC")
    put_many("tickers", form, found, heads, _ticker_row)


def _ticker_row(each: "Ticker") -> Sequence[object]:
    return (
        each.symbol, each.bid_price, each.ask_price, each.last_price, each.low_24h, each.high_24h, each.volume_24h,
        "REST" if each.polled else "stream", clock(each.times.received),
    )  # fmt: skip


def trades(
    symbol: Symbol,
    *,
    count: Count = 50,
    since: Since = "",
    target: Target = "",
    output: Output = None,
) -> None:
    """Show public trades, oldest first: the latest ones, or those from --since on."""
    form, start = form_for(output), moment(since, "--since")

    async def work(client: "Client") -> "list[Trade]":
        found: list[Trade] = []
        async for trade in client.trades(symbol, since=start, page_size=min(count, PAGE_MAX)):
            found.append(trade)
            if len(found) == count:
                break
        return found

    found = talk(target, work)
    put_many("trades", form, found, ("time UTC", "taker", "quantity", "price", "trade id"), _trade_row)
    remark(form, how_many(found, count, "trade", which="latest" if start is None else "first"))


def _trade_row(each: "Trade") -> Sequence[object]:
    at = each.times.venue
    return (
        "" if at is None else f"{at:%Y-%m-%d %H:%M:%S.%f}"[:-3],
        each.taker_side.name,
        each.quantity,
        each.price,
        each.trade_id,
    )


def candles(
    symbol: Symbol,
    *,
    interval: Annotated[str, typer.Option("--interval", metavar="|".join(INTERVALS), help="How long each is.")] = "1m",
    count: Annotated[int, typer.Option("--count", min=1, help="The last so many; Kraken keeps about 720.")] = 30,
    since: Since = "",
    target: Target = "",
    output: Output = None,
) -> None:
    """Show candles, oldest first; the last one may still be open."""
    form, start = form_for(output), moment(since, "--since")
    minutes = INTERVALS.get(interval.lower())
    if minutes is None:
        raise Stopped(BAD_USAGE, f"--interval {interval}: one of {', '.join(INTERVALS)}")
    length = timedelta(minutes=minutes)

    async def work(client: "Client") -> "list[Candle]":
        return [each async for each in client.candles(symbol, length, since=start)][-count:]

    found = talk(target, work)
    heads = ("opened UTC", "open", "high", "low", "close", "vwap", "volume", "trades", "closed")
    put_many("candles", form, found, heads, _candle_row)
    remark(form, how_many(found, 0, "candle"))


def _candle_row(each: "Candle") -> Sequence[object]:
    return (
        clock(each.open_time), each.open_price, each.high_price, each.low_price, each.close_price, each.vwap, each.volume,
        each.trade_count, each.closed,
    )  # fmt: skip
