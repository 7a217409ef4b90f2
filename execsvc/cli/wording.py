"""An order's spec in words: a line for a person, and the options that would type it again.

Reads the contract's message through the client's values; the words are those of buy and sell (wish.py).
"""

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from execsvc_client import Order

_TIMES = {1: "GTC", 2: "IOC", 3: "FOK", 4: "GTD"}
_STOP_LOSS, _INDEX, _SELL = 1, 2, 2
_SELF_TRADE = {1: "cancel-newest", 2: "cancel-oldest", 3: "cancel-both"}
_FEE_IN = {1: "base", 2: "quote"}


def order_words(found: "Order") -> str:
    """The order in one line: "sell 0.5 BTC/USD stop 55000.0 limit 54900.0 GTC"."""
    return spec_words(found.wire.spec)


def spec_words(spec: Any) -> str:
    """The spec in one line; what is as by default goes without saying."""
    side = "sell" if spec.side == _SELL else "buy"
    parts = [side, _size(spec), spec.symbol, *_type(spec)]
    if spec.time_in_force:
        parts.append(_TIMES.get(spec.time_in_force, ""))
    if spec.HasField("expire_time"):
        parts.append(f"until {spec.expire_time.ToJsonString()}")
    if spec.HasField("start_time"):
        parts.append(f"from {spec.start_time.ToJsonString()}")
    if spec.leverage:
        parts.append(f"leverage {spec.leverage}")
    if spec.reduce_only:
        parts.append("reduce-only")
    if spec.limit.post_only:
        parts.append("post-only")
    if spec.HasField("conditional_close"):
        parts += ["then close", *_type(spec.conditional_close)]
    return " ".join(part for part in parts if part)


def type_words(spec: Any) -> str:
    """The type and its prices: "at 60000.0", "stop 55000.0 limit 54900.0", "trail 1.5%", "market"."""
    return " ".join(part for part in _type(spec) if part)


def _size(spec: Any) -> str:
    if spec.HasField("quote_quantity"):
        return f"{spec.quote_quantity} {spec.symbol.partition('/')[2]} of"
    return "the whole position in" if spec.full_position else spec.base_quantity


def _type(whole: Any) -> list[str]:
    """The type of a spec, or of its conditional close."""
    match whole.WhichOneof("order_type"):
        case "limit":
            shown = f"showing {whole.limit.display_quantity}" if whole.limit.HasField("display_quantity") else ""
            return ["at", whole.limit.limit_price, shown]
        case "trigger":
            trigger = whole.trigger
            kind = "stop" if trigger.kind == _STOP_LOSS else "take profit"
            limited = f"limit {trigger.limit_price}" if trigger.HasField("limit_price") else ""
            return [kind, trigger.trigger_price, limited, _watched(trigger.reference)]
        case "trailing_stop":
            stop = whole.trailing_stop
            limited = f"limit {_distance(stop.limit_offset)}" if stop.HasField("limit_offset") else ""
            return ["trail", _distance(stop.offset), limited, _watched(stop.reference)]
        case "settle_position":
            return ["settle"]
        case kind:
            return [kind or ""]


def _watched(reference: int) -> str:
    return "by the index" if reference == _INDEX else ""


def _distance(offset: Any) -> str:
    return f"{offset.percent}%" if offset.WhichOneof("value") == "percent" else str(offset.absolute)


def typed_words(spec: Any) -> str:
    """The options of buy and sell that type this spec again."""
    return " ".join(f"{name} {shlex.quote(value)}" if value else name for name, value in _options(spec))


def _options(spec: Any) -> Iterator[tuple[str, str]]:
    """Name and value of each option, in the order in which the help names them; a flag has no value."""
    settles = spec.WhichOneof("order_type") == "settle_position"
    by_index = _INDEX in {spec.trigger.reference, spec.trailing_stop.reference}
    yield from _size_options(spec)
    yield from _type_options(spec, "--")
    named = (
        ("--display", spec.limit.display_quantity),
        ("--trigger", "index" if by_index else ""),
        ("--tif", _TIMES.get(spec.time_in_force, "") if spec.time_in_force > 1 else ""),
        ("--expire", spec.expire_time.ToJsonString() if spec.HasField("expire_time") else ""),
        ("--start", spec.start_time.ToJsonString() if spec.HasField("start_time") else ""),
        ("--leverage", str(spec.leverage) if spec.leverage else ""),
        ("--self-trade", _SELF_TRADE.get(spec.self_trade_prevention, "") if spec.self_trade_prevention > 1 else ""),
        ("--fee-in", _FEE_IN.get(spec.fee_preference, "")),
        ("--label", spec.label),
    )
    flags = (("--settle", settles), ("--post-only", spec.limit.post_only), ("--reduce-only", spec.reduce_only))
    yield from ((name, value) for name, value in named if value)
    yield from ((name, "") for name, given in flags if given)
    if spec.HasField("conditional_close"):
        yield from _type_options(spec.conditional_close, "--close-")


def _size_options(spec: Any) -> Iterator[tuple[str, str]]:
    match spec.WhichOneof("size"):
        case "quote_quantity":
            yield "--notional", spec.quote_quantity
        case "full_position":
            yield "--whole-position", ""
        case _:
            yield "--qty", spec.base_quantity


def _type_options(whole: Any, dashes: str) -> Iterator[tuple[str, str]]:
    match whole.WhichOneof("order_type"):
        case "limit":
            yield f"{dashes}limit", whole.limit.limit_price
        case "trigger":
            kind = "stop" if whole.trigger.kind == _STOP_LOSS else "take-profit"
            yield f"{dashes}{kind}", whole.trigger.trigger_price
            if whole.trigger.HasField("limit_price"):
                yield f"{dashes}limit", whole.trigger.limit_price
        case "trailing_stop":
            yield f"{dashes}trail", _distance(whole.trailing_stop.offset)
            if whole.trailing_stop.HasField("limit_offset"):
                yield f"{dashes}trail-limit", _distance(whole.trailing_stop.limit_offset)
