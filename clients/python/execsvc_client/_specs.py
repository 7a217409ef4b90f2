"""What is wanted of an order, from arguments to the wire: its size, its type, and every option of the contract.

What cannot be meant is refused here, before anything is sent: two sizes, two types, a price that no type has. Whether an
option goes with a type, a pair or a position is the server's to say, with the words that help.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias, TypedDict

from execsvc_api.v1 import common_pb2, order_pb2

from execsvc_client._amounts import Number, moment, to_wire
from execsvc_client._enums import FeePreference, SelfTradePrevention, Side, TimeInForce, TriggerReference

SideLike: TypeAlias = Side | Literal["buy", "sell"]
TimeInForceLike: TypeAlias = TimeInForce | Literal["GTC", "IOC", "FOK", "GTD"]
TriggerReferenceLike: TypeAlias = TriggerReference | Literal["last", "index"]
SelfTradePreventionLike: TypeAlias = SelfTradePrevention | Literal["cancel_newest", "cancel_oldest", "cancel_both"]
FeePreferenceLike: TypeAlias = FeePreference | Literal["base", "quote"]


@dataclass(frozen=True)
class Quote:
    """A size in the quote asset: spend so much. Market buys without leverage only."""

    amount: Number


class WholePosition:
    """The size of the margin position that the order closes or settles; needs leverage."""

    def __repr__(self) -> str:
        return "WHOLE_POSITION"


WHOLE_POSITION: Final = WholePosition()
Size: TypeAlias = Number | Quote | WholePosition


@dataclass(frozen=True)
class Close:
    """A conditional close: every fill of the order spawns one such order on the other side, of the fill's size.

    One of limit_price, stop, take_profit and trail; limit_price goes with stop and take_profit too, trail_limit with trail.
    A trail is a distance in quote units, or in percent as a text: "1.5%".
    """

    limit_price: Number | None = None
    stop: Number | None = None
    take_profit: Number | None = None
    trail: Number | None = None
    trail_limit: Number | None = None


class SpecOptions(TypedDict, total=False):
    """What an order may be besides symbol, side, size, limit price and market.

    stop              a stop-loss: fires on a move against, at this price; a market order then, with limit_price a limit order
    take_profit       the same on a move in favour
    trail             a trailing stop: the distance kept from the best price, in quote units, or as a text in percent: "1.5%"
    trail_limit       makes it a trailing-stop-limit: signed distance of the limit from the trigger, written likewise
    settle            settles a margin position in kind; needs leverage
    trigger_reference which price is watched: last (default) or index
    post_only         refused rather than taking (limit orders)
    display_quantity  an iceberg: the base units shown, at least 1/15 of the quantity (limit orders)
    time_in_force     GTC (default), IOC, FOK, GTD; expire_time alone means GTD
    expire_time       5 s to 30 days ahead
    start_time        when it is to begin, up to 30 days ahead
    leverage          0 is spot; else one that the pair lists for the side
    reduce_only       only ever reduces a position; needs leverage
    self_trade_prevention  what gives way to a trade with oneself: cancel_newest (default), cancel_oldest, cancel_both
    fee_preference    asset of the fee: quote (default) or base
    close             a Close that every fill spawns
    label             your tag, up to 64 characters, echoed on the order
    """

    stop: Number | None
    take_profit: Number | None
    trail: Number | None
    trail_limit: Number | None
    settle: bool
    trigger_reference: TriggerReferenceLike | None
    post_only: bool
    display_quantity: Number | None
    time_in_force: TimeInForceLike | None
    expire_time: datetime | None
    start_time: datetime | None
    leverage: int
    reduce_only: bool
    self_trade_prevention: SelfTradePreventionLike | None
    fee_preference: FeePreferenceLike | None
    close: Close | None
    label: str


def spec_to_wire(
    symbol: str, side: SideLike, *, size: Size, limit_price: Number | None, market: bool, options: SpecOptions
) -> order_pb2.OrderSpec:
    """The whole wish. Raises TypeError or ValueError for what cannot be meant."""
    spec = order_pb2.OrderSpec(
        symbol=symbol,
        side=common_pb2.Side.ValueType(_side(side)),
        leverage=options.get("leverage", 0),
        reduce_only=options.get("reduce_only", False),
        label=options.get("label", ""),
    )
    _set_size(spec, size)
    _set_type(spec, limit_price, market=market, options=options)
    _set_times(spec, options)
    prevention, fee = options.get("self_trade_prevention"), options.get("fee_preference")
    if prevention is not None:
        found = SelfTradePrevention(_member(SelfTradePrevention, prevention, "self_trade_prevention"))
        spec.self_trade_prevention = order_pb2.SelfTradePrevention.ValueType(found)
    if fee is not None:
        spec.fee_preference = order_pb2.FeePreference.ValueType(_member(FeePreference, fee, "fee_preference"))
    if (close := options.get("close")) is not None:
        spec.conditional_close.CopyFrom(_close(close))
    return spec


def _set_size(spec: order_pb2.OrderSpec, size: Size) -> None:
    if isinstance(size, Quote):
        spec.quote_quantity = to_wire(size.amount, "quantity")
    elif isinstance(size, WholePosition):
        spec.full_position = True
    else:
        spec.base_quantity = to_wire(size, "quantity")


def _set_type(spec: order_pb2.OrderSpec, limit_price: Number | None, *, market: bool, options: SpecOptions) -> None:
    """One type, by the argument that only it has; limit_price alone is a limit order."""
    named = {
        "market": market,
        "stop": options.get("stop") is not None,
        "take_profit": options.get("take_profit") is not None,
        "trail": options.get("trail") is not None,
        "settle": options.get("settle", False),
    }
    chosen = [name for name, given in named.items() if given]
    if len(chosen) > 1 or (not chosen and limit_price is None):
        words = (
            "give limit_price=… or market=True, one of the two, or one of stop=…, take_profit=…, trail=…, settle=True"
        )
        raise ValueError(words)
    kind = chosen[0] if chosen else "limit"
    _refuse_misplaced(kind, limit_price, options)
    if kind == "market":
        spec.market.SetInParent()
    elif kind == "settle":
        spec.settle_position.SetInParent()
    elif kind == "limit":
        spec.limit.limit_price = to_wire(limit_price or 0, "limit_price")
        spec.limit.post_only = options.get("post_only", False)
        if (shown := options.get("display_quantity")) is not None:
            spec.limit.display_quantity = to_wire(shown, "display_quantity")
    else:
        _set_trigger(spec, kind, limit_price, options)


def _refuse_misplaced(kind: str, limit_price: Number | None, options: SpecOptions) -> None:
    if kind in {"market", "settle"}:
        rests = options.get("time_in_force") is not None or options.get("expire_time") is not None
        if options.get("post_only") or rests:
            raise ValueError(f"a {kind} order takes what there is: no post_only, no time_in_force")
    if limit_price is not None and kind not in {"limit", "stop", "take_profit"}:
        hint = ": use trail_limit=…" if kind == "trail" else ": give limit_price=… or market=True, one of the two"
        raise ValueError(f"a {kind} order has no limit_price{hint}")
    if kind != "limit" and (options.get("post_only") or options.get("display_quantity") is not None):
        raise ValueError("post_only and display_quantity are of limit orders")
    if kind != "trail" and options.get("trail_limit") is not None:
        raise ValueError("trail_limit=… goes with trail=…")
    if kind not in {"stop", "take_profit", "trail"} and options.get("trigger_reference") is not None:
        raise ValueError("trigger_reference goes with stop, take_profit and trail")


def _set_trigger(spec: order_pb2.OrderSpec, kind: str, limit_price: Number | None, options: SpecOptions) -> None:
    given = options.get("trigger_reference")
    found = TriggerReference.UNSPECIFIED if given is None else _member(TriggerReference, given, "trigger_reference")
    reference = order_pb2.TriggerReference.ValueType(found)
    if kind == "trail":
        spec.trailing_stop.CopyFrom(_trailing(options.get("trail"), options.get("trail_limit")))
        spec.trailing_stop.reference = reference
        return
    price = options.get("stop") if kind == "stop" else options.get("take_profit")
    spec.trigger.CopyFrom(_trigger(kind, price, limit_price))
    spec.trigger.reference = reference


def _trigger(kind: str, price: Number | None, limit_price: Number | None, within: str = "") -> order_pb2.TriggerOrder:
    stop = kind == "stop"
    trigger = order_pb2.TriggerOrder(
        kind=order_pb2.TriggerOrder.KIND_STOP_LOSS if stop else order_pb2.TriggerOrder.KIND_TAKE_PROFIT,
        trigger_price=to_wire(price or 0, f"{within}{kind}"),
    )
    if limit_price is not None:
        trigger.limit_price = to_wire(limit_price, f"{within}limit_price")
    return trigger


def _trailing(trail: Number | None, trail_limit: Number | None, within: str = "") -> order_pb2.TrailingStopOrder:
    stop = order_pb2.TrailingStopOrder(offset=_offset(trail or 0, f"{within}trail"))
    if trail_limit is not None:
        stop.limit_offset.CopyFrom(_offset(trail_limit, f"{within}trail_limit"))
    return stop


def _offset(value: Number, name: str) -> order_pb2.Offset:
    """A distance: "1.5%" is one in percent, everything else is in quote units."""
    if isinstance(value, str) and value.endswith("%"):
        return order_pb2.Offset(percent=to_wire(value.removesuffix("%"), name))
    return order_pb2.Offset(absolute=to_wire(value, name))


def _close(close: Close) -> order_pb2.ConditionalClose:
    wire = order_pb2.ConditionalClose()
    named = {"stop": close.stop, "take_profit": close.take_profit, "trail": close.trail}
    chosen = [name for name, price in named.items() if price is not None]
    if len(chosen) > 1 or (not chosen and close.limit_price is None):
        raise ValueError("a close has one of limit_price=…, stop=…, take_profit=… and trail=…")
    if chosen != ["trail"] and close.trail_limit is not None:
        raise ValueError("close: trail_limit=… goes with trail=…")
    if not chosen:
        wire.limit.limit_price = to_wire(close.limit_price or 0, "close.limit_price")
    elif chosen == ["trail"]:
        if close.limit_price is not None:
            raise ValueError("a close that trails has no limit_price: use trail_limit=…")
        wire.trailing_stop.CopyFrom(_trailing(close.trail, close.trail_limit, "close."))
    else:
        wire.trigger.CopyFrom(_trigger(chosen[0], named[chosen[0]], close.limit_price, "close."))
    return wire


def _set_times(spec: order_pb2.OrderSpec, options: SpecOptions) -> None:
    rests, expires, starts = options.get("time_in_force"), options.get("expire_time"), options.get("start_time")
    if rests is None and expires is not None:
        rests = TimeInForce.GTD
    if rests is not None:
        spec.time_in_force = order_pb2.TimeInForce.ValueType(_member(TimeInForce, rests, "time_in_force"))
    if expires is not None:
        spec.expire_time.CopyFrom(moment(expires, "expire_time"))
    if starts is not None:
        spec.start_time.CopyFrom(moment(starts, "start_time"))


def _member(
    kind: type[TimeInForce | TriggerReference | SelfTradePrevention | FeePreference], value: object, name: str
) -> TimeInForce | TriggerReference | SelfTradePrevention | FeePreference:
    """A member by itself or by its name, in any case. Raises ValueError, naming those there are."""
    known = [each for each in kind if each]
    if isinstance(value, kind) and value in known:
        return value
    found = next((each for each in known if isinstance(value, str) and value.upper() == each.name), None)
    if found is None:
        names = [each.name if name == "time_in_force" else each.name.lower() for each in known]
        raise ValueError(f"{name} is {value!r}: {', '.join(names[:-1])} or {names[-1]}")
    return found


def _side(side: SideLike) -> Side:
    if isinstance(side, Side) and side in {Side.BUY, Side.SELL}:
        return side
    if isinstance(side, str) and side.upper() in {"BUY", "SELL"}:
        return Side[side.upper()]
    raise ValueError(f"side is {side!r}: buy or sell")
