"""The words of `buy` and `sell` that say what is wanted, and what they mean to the client.

One dataclass is the command line: each field is an option, typer reads the annotations. What cannot be meant is refused by
the client before anything is sent; what a pair or a position does not allow, by the gateway.
"""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast

import typer

from execsvc.cli.exits import BAD_USAGE, Stopped
from execsvc.cli.listing import moment
from execsvc.cli.options import Account, Output, Symbol, Target, Yes

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from execsvc_client import Close, OrderOptions, SelfTradePreventionLike, Size, TimeInForceLike

W = TypeVar("W", bound="DataclassInstance")

_SPAN = re.compile(r"\+([0-9]+)(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def option(name: str, metavar: str, help_text: str) -> Any:
    """An option with a value, whose name is not that of its field."""
    return typer.Option(name, metavar=metavar, help=help_text)


@dataclass(frozen=True)
class Typed:
    """One order as it was typed, and how to place it."""

    symbol: Symbol
    qty: Annotated[str | None, option("--qty", "AMOUNT", "How much, in base units: 0.001.")] = None
    notional: Annotated[
        str | None, option("--notional", "AMOUNT", "How much, in the quote asset: spend 100. Market buys only.")
    ] = None
    whole_position: Annotated[
        bool, typer.Option("--whole-position", help="The size of the margin position that it closes or settles.")
    ] = False
    limit: Annotated[
        str | None,
        option(
            "--limit", "PRICE", "Limit price; without it, or a trigger, a market order. Also of --stop, --take-profit."
        ),
    ] = None
    stop: Annotated[str | None, option("--stop", "PRICE", "Stop-loss: fires on a move against, at this price.")] = None
    take_profit: Annotated[
        str | None, option("--take-profit", "PRICE", "Take-profit: fires on a move in favour, at this price.")
    ] = None
    trail: Annotated[
        str | None,
        option("--trail", "DISTANCE", "Trailing stop: the distance kept from the best price, 250 or 1.5%."),
    ] = None
    trail_limit: Annotated[
        str | None, option("--trail-limit", "DISTANCE", "Its limit, this far from the trigger: -10 or -0.5%.")
    ] = None
    settle: Annotated[bool, typer.Option("--settle", help="Settle a margin position in kind.")] = False
    trigger: Annotated[
        str | None, option("--trigger", "last|index", "The price that --stop, --take-profit or --trail watches.")
    ] = None
    post_only: Annotated[bool, typer.Option("--post-only", help="Refused rather than taking.")] = False
    display: Annotated[
        str | None, option("--display", "AMOUNT", "Iceberg: the base units shown, at least 1/15 of --qty.")
    ] = None
    ioc: Annotated[bool, typer.Option("--ioc", help="What does not fill at once is cancelled: --tif IOC.")] = False
    tif: Annotated[str | None, option("--tif", "GTC|IOC|FOK|GTD", "How long it may rest. GTD needs --expire.")] = None
    expire: Annotated[
        str | None, option("--expire", "WHEN", "Good until then: +90s, +2h, +1d or 2030-01-31T12:00:00Z.")
    ] = None
    start: Annotated[str | None, option("--start", "WHEN", "Begins then, written as for --expire.")] = None
    leverage: Annotated[int, option("--leverage", "N", "On margin, at one of the pair's leverages.")] = 0
    reduce_only: Annotated[
        bool, typer.Option("--reduce-only", help="Only ever reduces a position; needs --leverage.")
    ] = False
    self_trade: Annotated[
        str | None,
        option("--self-trade", "cancel-newest|cancel-oldest|cancel-both", "What gives way to a trade with oneself."),
    ] = None
    fee_in: Annotated[str | None, option("--fee-in", "base|quote", "The asset the fee is taken in.")] = None
    close_limit: Annotated[
        str | None,
        option(
            "--close-limit",
            "PRICE",
            "Every fill places an order on the other side, at this limit. Also of the next two.",
        ),
    ] = None
    close_stop: Annotated[str | None, option("--close-stop", "PRICE", "The same with a stop-loss.")] = None
    close_take_profit: Annotated[str | None, option("--close-take-profit", "PRICE", "The same with a take-profit.")] = (
        None
    )
    close_trail: Annotated[str | None, option("--close-trail", "DISTANCE", "The same with a trailing stop.")] = None
    close_trail_limit: Annotated[
        str | None, option("--close-trail-limit", "DISTANCE", "Limit of --close-trail, from its trigger.")
    ] = None
    client_order_id: Annotated[
        str, option("--client-order-id", "ID", "Id of this intent; made when absent. Same id, one order.")
    ] = ""
    label: Annotated[str, typer.Option("--label", help="Your tag, up to 64 characters.")] = ""
    wait: Annotated[float, typer.Option("--wait", min=0.5, max=600, help="Seconds to wait for a definite state.")] = (
        10.0
    )
    plan: Annotated[bool, typer.Option("--plan", help="Say what it would do, and place nothing.")] = False
    ask_kraken: Annotated[
        bool, typer.Option("--ask-kraken", help="With --plan: let Kraken judge it too; it places nothing.")
    ] = False
    yes: Yes = False
    account: Account = ""
    target: Target = ""
    output: Output = None


@dataclass(frozen=True)
class Wish:
    """One order in the client's words: what place() and preview() take."""

    symbol: str
    side: Literal["buy", "sell"]
    quantity: "Size"
    limit_price: str | None
    market: bool
    options: "OrderOptions"

    @property
    def takes(self) -> bool:
        """Whether it ends as soon as the exchange has it: it rests nowhere and waits for nothing."""
        asked = self.options
        waits = any(asked[name] is not None for name in ("stop", "take_profit", "trail", "start_time"))
        at_once = str(asked["time_in_force"] or "").upper() in {"IOC", "FOK"}
        return not waits and (self.market or asked["settle"] or at_once)


def wish_of(typed: Typed, side: Literal["buy", "sell"], now: datetime) -> Wish:
    """What was typed, `now` being the moment that spans count from. Raises Stopped for what has no meaning."""
    triggers = (typed.stop, typed.take_profit, typed.trail)
    market = typed.limit is None and not typed.settle and all(each is None for each in triggers)
    options: OrderOptions = {
        "stop": typed.stop,
        "take_profit": typed.take_profit,
        "trail": typed.trail,
        "trail_limit": typed.trail_limit,
        "settle": typed.settle,
        "trigger_reference": cast("Literal['last', 'index'] | None", typed.trigger),
        "post_only": typed.post_only,
        "display_quantity": typed.display,
        "time_in_force": _time_in_force(typed),
        "expire_time": _moment(typed.expire, "--expire", now),
        "start_time": _moment(typed.start, "--start", now),
        "leverage": typed.leverage,
        "reduce_only": typed.reduce_only,
        "self_trade_prevention": _self_trade(typed.self_trade),
        "fee_preference": cast("Literal['base', 'quote'] | None", typed.fee_in),
        "close": _close(typed),
        "client_order_id": typed.client_order_id or None,
        "label": typed.label,
    }
    return Wish(typed.symbol, side, _size(typed), typed.limit, market, options)


def _size(typed: Typed) -> "Size":
    from execsvc_client import WHOLE_POSITION, Quote

    given = [word for word in (typed.qty, typed.notional, typed.whole_position or None) if word is not None]
    if len(given) != 1:
        raise Stopped(BAD_USAGE, "say how much, one way: --qty, --notional or --whole-position")
    if typed.whole_position:
        return WHOLE_POSITION
    return typed.qty if typed.qty is not None else Quote(typed.notional or "")


def _time_in_force(typed: Typed) -> "TimeInForceLike | None":
    if typed.ioc and typed.tif not in {None, "IOC", "ioc"}:
        raise Stopped(BAD_USAGE, f"--ioc and --tif {typed.tif} say two things")
    return cast("TimeInForceLike | None", "IOC" if typed.ioc else typed.tif)


def _self_trade(text: str | None) -> "SelfTradePreventionLike | None":
    return cast("SelfTradePreventionLike | None", None if text is None else text.replace("-", "_"))


def _close(typed: Typed) -> "Close | None":
    from execsvc_client import Close

    close = Close(
        typed.close_limit, typed.close_stop, typed.close_take_profit, typed.close_trail, typed.close_trail_limit
    )
    return None if close == Close() else close


def _moment(text: str | None, name: str, now: datetime) -> datetime | None:
    """A span from now (+90s, +15m, +2h, +1d), or a time."""
    if text is None:
        return None
    span = _SPAN.fullmatch(text)
    if span is None:
        try:
            return moment(text, name)
        except Stopped:
            words = f"{name} {text}: a span such as +90s, +15m, +2h, +1d, or a time such as 2030-01-31T12:00:00Z"
            raise Stopped(BAD_USAGE, words) from None
    try:
        return now + timedelta(**{_UNITS[span[2]]: int(span[1])})
    except OverflowError:
        raise Stopped(BAD_USAGE, f"{name} {text}: that is beyond all time") from None


def verb(kind: type[W], work: Callable[[W], None], help_text: str) -> Callable[..., None]:
    """A command that takes the words of `kind`; its signature is the dataclass's, as typer reads it."""

    def command(**words: Any) -> None:
        work(kind(**words))

    signature = inspect.signature(kind)
    keywords = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in signature.parameters.values()]
    described = cast("Any", command)
    described.__signature__ = signature.replace(parameters=keywords)
    described.__annotations__ = {each.name: each.type for each in fields(kind)}
    command.__doc__ = help_text
    return command
