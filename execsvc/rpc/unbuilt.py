"""What the contract has and this build has not, field by field: each is refused by its path, never ignored.

A row goes when its feature comes. Whole methods that are not built are marked in permits.py.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from execsvc_api.v1 import order_pb2 as order
from execsvc_api.v1 import order_service_pb2 as service
from google.protobuf.message import Message

Asked = Callable[[Any], bool]


def _set(field: str) -> Asked:
    return lambda message: bool(message.HasField(field))


def _given(field: str) -> Asked:
    return lambda message: bool(getattr(message, field))


def _beyond(field: str, built: frozenset[int]) -> Asked:
    return lambda message: getattr(message, field) not in built


def _within_spec(asked: Asked) -> Asked:
    return lambda request: asked(request.spec)


_SPEC: dict[str, Asked] = {
    "quote_quantity": _set("quote_quantity"),
    "full_position": _set("full_position"),
    "trigger": _set("trigger"),
    "trailing_stop": _set("trailing_stop"),
    "settle_position": _set("settle_position"),
    "limit.display_quantity": lambda spec: spec.limit.HasField("display_quantity"),
    "time_in_force": _beyond(
        "time_in_force",
        frozenset({order.TIME_IN_FORCE_UNSPECIFIED, order.TIME_IN_FORCE_GTC, order.TIME_IN_FORCE_IOC}),
    ),
    "expire_time": _set("expire_time"),
    "start_time": _set("start_time"),
    "leverage": _given("leverage"),
    "reduce_only": _given("reduce_only"),
    "self_trade_prevention": _beyond(
        "self_trade_prevention",
        frozenset({order.SELF_TRADE_PREVENTION_UNSPECIFIED, order.SELF_TRADE_PREVENTION_CANCEL_NEWEST}),
    ),
    "fee_preference": _beyond(
        "fee_preference", frozenset({order.FEE_PREFERENCE_UNSPECIFIED, order.FEE_PREFERENCE_QUOTE})
    ),
    "conditional_close": _set("conditional_close"),
}
_SPEC_OF_REQUEST = {f"spec.{path}": _within_spec(asked) for path, asked in _SPEC.items()}
_SCOPE = _beyond(
    "scope",
    frozenset(
        {
            service.ORDER_SCOPE_UNSPECIFIED,
            service.ORDER_SCOPE_OWN,
            service.ORDER_SCOPE_ALL_CALLERS,
        }
    ),
)
FEATURES: Mapping[str, Mapping[str, Asked]] = {
    "PlaceOrderRequest": _SPEC_OF_REQUEST,
    "PreviewOrderRequest": {**_SPEC_OF_REQUEST, "ask_venue": _given("ask_venue")},
    "ListOrdersRequest": {"scope": _SCOPE},
    "SubscribeOrdersRequest": {"scope": _SCOPE, "cancel_on_disconnect": _given("cancel_on_disconnect")},
}


def unbuilt(request: Message) -> Iterator[str]:
    """Paths of what the request asks for and this build does not have."""
    for path, asked in FEATURES.get(request.DESCRIPTOR.name, {}).items():
        if asked(request):
            yield path
