"""Rules between the fields of one message: what an order type allows, what belongs together.

Contract.md section 4, the option table, and what a kind of call is counted by. A field that is bad by itself is not
complained of twice: validate.py drops the second word.
"""

from collections.abc import Callable, Iterator
from typing import Any

from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import limits_pb2 as limits
from execsvc_api.v1 import order_pb2 as order
from google.protobuf.message import Message

from execsvc.domain.errors import FieldViolation

_RESTING = frozenset({order.TIME_IN_FORCE_UNSPECIFIED, order.TIME_IN_FORCE_GTC, order.TIME_IN_FORCE_GTD})
_ALL = frozenset(order.TimeInForce.values())
_UNSET = frozenset({order.TIME_IN_FORCE_UNSPECIFIED})
_AGED = frozenset({limits.CALL_CLASS_AMEND, limits.CALL_CLASS_CANCEL})
_OF_A_PAIR = _AGED | {limits.CALL_CLASS_PLACE}
_OF_THE_KEY = frozenset({limits.CALL_CLASS_READ, limits.CALL_CLASS_HISTORY})


def between(message: Message, path: str) -> Iterator[FieldViolation]:
    """Violations of the rules between fields of this message."""
    for field, words in _RULES.get(message.DESCRIPTOR.name, _none)(message):
        yield FieldViolation(f"{path}{field}", words)


Found = Iterator[tuple[str, str]]


def _none(_: Any) -> Found:
    return iter(())


def _order_ref(ref: Any) -> Found:
    if ref.caller and ref.WhichOneof("id") == "order_id":
        yield "caller", "only beside client_order_id: an order_id needs no owner"


def _folding(request: Any) -> Found:
    yield from _delivery(request.delivery, common.DeliveryPolicy.MODE_CONFLATE)


def _book(request: Any) -> Found:
    yield from _delivery(request.delivery, common.DeliveryPolicy.MODE_BUFFER)


def _trades(request: Any) -> Found:
    if request.delivery.mode == common.DeliveryPolicy.MODE_CONFLATE:
        yield "delivery.mode", "only MODE_BUFFER: trades are never folded"
    else:
        yield from _delivery(request.delivery, common.DeliveryPolicy.MODE_BUFFER)


def _delivery(policy: common.DeliveryPolicy, default: int) -> Found:
    mode = policy.mode or default
    if policy.HasField("min_interval") and mode != common.DeliveryPolicy.MODE_CONFLATE:
        yield "delivery.min_interval", "only with MODE_CONFLATE"
    if policy.max_buffered and mode != common.DeliveryPolicy.MODE_BUFFER:
        yield "delivery.max_buffered", "only with MODE_BUFFER"


def _spec(spec: Any) -> Found:
    kind = spec.WhichOneof("order_type")
    allowed = _ALL if kind is None else _times_in_force(spec, kind)
    if spec.time_in_force not in allowed:
        names = [
            name.removeprefix("TIME_IN_FORCE_") for name, each in order.TimeInForce.items() if each and each in allowed
        ]
        yield "time_in_force", f"with {kind} leave it unset" if not names else f"with {kind} one of {', '.join(names)}"
    gtd = spec.time_in_force == order.TIME_IN_FORCE_GTD
    if gtd is not spec.HasField("expire_time"):
        yield "expire_time", "required with TIME_IN_FORCE_GTD" if gtd else "only with TIME_IN_FORCE_GTD"
    if spec.reduce_only and not spec.leverage:
        yield "reduce_only", "needs leverage"
    if spec.WhichOneof("size") == "full_position" and not spec.leverage:
        yield "full_position", "needs leverage"
    if spec.WhichOneof("size") == "quote_quantity" and not (
        kind == "market" and spec.side == common.SIDE_BUY and not spec.leverage
    ):
        yield "quote_quantity", "market buys without leverage only"
    if kind == "settle_position":
        if not spec.leverage:
            yield "leverage", "required with settle_position"
        if spec.HasField("start_time"):
            yield "start_time", "not with settle_position"
        if spec.HasField("conditional_close"):
            yield "conditional_close", "not with settle_position"


def _times_in_force(spec: Any, kind: str) -> frozenset[int]:
    if kind in {"market", "settle_position"}:
        return _UNSET
    limited = kind == "limit" or (
        spec.trigger.HasField("limit_price") if kind == "trigger" else spec.trailing_stop.HasField("limit_offset")
    )
    return _ALL if limited else _RESTING


def _close(close: Any) -> Found:
    if close.limit.post_only:
        yield "limit.post_only", "not in a conditional close"
    if close.limit.HasField("display_quantity"):
        yield "limit.display_quantity", "not in a conditional close"
    for kind in ("trigger", "trailing_stop"):
        if getattr(close, kind).reference:
            yield f"{kind}.reference", "not in a conditional close"


def _trailing(stop: Any) -> Found:
    which = stop.offset.WhichOneof("value")
    text = "" if which is None else getattr(stop.offset, which)
    if text.startswith("-") or (text and not text.strip("0.")):
        yield f"offset.{which}", "must be above 0"


def _capacity(query: Any) -> Found:
    if query.call_class in _OF_A_PAIR and not query.symbol:
        yield "symbol", f"required with {limits.CallClass.Name(query.call_class)}: a pair such as BTC/USD"
    if query.call_class in _OF_THE_KEY and query.symbol:
        yield "symbol", "leave it empty: reads count for the key, whatever pair they are about"
    if query.HasField("order_age") and query.call_class not in _AGED:
        yield "order_age", "only with CALL_CLASS_AMEND or CALL_CLASS_CANCEL: other calls cost the same at any age"


_RULES: dict[str, Callable[[Any], Found]] = {
    "OrderRef": _order_ref,
    "SubscribeTickersRequest": _folding,
    "SubscribeBookRequest": _book,
    "SubscribeTradesRequest": _trades,
    "SubscribeCandlesRequest": _folding,
    "OrderSpec": _spec,
    "ConditionalClose": _close,
    "TrailingStopOrder": _trailing,
    "CapacityQuery": _capacity,
}
