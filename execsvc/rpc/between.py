"""Rules between the fields of one message: what belongs together, and what a kind of call is counted by.

What an order type may be combined with is the table of matrix.py. A field that is bad by itself is not complained of twice:
validate.py drops the second word.
"""

from collections.abc import Callable, Iterator
from typing import Any

from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import limits_pb2 as limits
from google.protobuf.message import Message

from execsvc.app.deadman import LEAST_S, MOST_S
from execsvc.domain.errors import FieldViolation
from execsvc.rpc.matrix import mismatches

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


def _batch(request: Any) -> Found:
    """One symbol in one spelling, each id once: Kraken takes a batch of one pair only."""
    ids = [each.client_order_id for each in request.entries]
    symbols = [each.spec.symbol for each in request.entries]
    for index, (name, symbol) in enumerate(zip(ids, symbols, strict=True)):
        if name in ids[:index]:
            yield f"entries[{index}].client_order_id", "each id once in a batch"
        if symbol and symbol != symbols[0]:
            yield f"entries[{index}].spec.symbol", f"all orders of a batch are of one symbol, here {symbols[0]}"


def _switch(request: Any) -> Found:
    seconds = request.timeout.seconds + request.timeout.nanos / 1e9
    if seconds and (seconds < LEAST_S or request.timeout.nanos):
        yield "timeout", f"0 takes it off; else {LEAST_S} to {MOST_S} whole seconds"


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


def _amend(request: Any) -> Found:
    figures = ("base_quantity", "limit_price", "trigger_price", "display_quantity")
    if not any(request.HasField(name) for name in figures):
        yield "base_quantity", f"required: one of {', '.join(figures)}, or nothing is amended"
    if request.HasField("post_only") and not request.HasField("limit_price"):
        yield "post_only", "only beside limit_price: it guards the new price"


def _scope(scope: Any) -> Found:
    named = [name for name in ("account", "caller", "symbol") if getattr(scope, name)]
    if scope.everything and named:
        yield "everything", f"stands alone: leave {' and '.join(named)} out, or name only them"
    if not scope.everything and not named:
        yield "account", "required: an account, a caller, a symbol, or everything"


_RULES: dict[str, Callable[[Any], Found]] = {
    "PlaceOrdersRequest": _batch,
    "SetDeadMansSwitchRequest": _switch,
    "OrderRef": _order_ref,
    "AmendOrderRequest": _amend,
    "SubscribeTickersRequest": _folding,
    "SubscribeBookRequest": _book,
    "SubscribeTradesRequest": _trades,
    "SubscribeCandlesRequest": _folding,
    "OrderSpec": mismatches,
    "ConditionalClose": _close,
    "TrailingStopOrder": _trailing,
    "CapacityQuery": _capacity,
    "TradingScope": _scope,
}
