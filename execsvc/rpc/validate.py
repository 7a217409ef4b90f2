"""The shape of every built request: one table path → rule, one pass that collects every violation.

Contract.md section 9: each field has a rule or says ANY, and a test walks the descriptors to hold the table to it. Rules of
the market (tick, lot, minimum, status) come later, from the instrument cache, in app/desk.py.
"""

from collections.abc import Iterator
from typing import Any

from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import limits_pb2 as limits
from execsvc_api.v1 import order_pb2 as order
from execsvc_api.v1 import order_service_pb2 as service
from google.protobuf.message import Message

from execsvc.app.batchdesk import BATCH_MOST
from execsvc.app.candletape import CLOSED_MAX
from execsvc.app.deadman import MOST_S as SWITCH_MOST_S
from execsvc.app.market import DEPTHS, INTERVALS_S
from execsvc.domain.errors import Fault, FieldViolation, Reason, error_of, invalid
from execsvc.rpc import rules
from execsvc.rpc.between import between
from execsvc.rpc.rules import ANY, Rule

CANCELS_MOST = 50
_PAGE = {"page_size": rules.PAGE_SIZE, "page_token": rules.TOKEN}
_PERIOD = {"start_time": rules.INSTANT, "end_time": rules.INSTANT}
_FOLLOWED = {"delivery": ANY, "heartbeat_interval": rules.HEARTBEAT}
_PAIR = rules.SYMBOL.needed("a pair such as BTC/USD")
_POSITIVE = rules.decimal()

# Message name → field → rule. A field that is itself a message is entered: its own fields have their rows below.
TABLE: dict[str, dict[str, Rule]] = {
    "ListInstrumentsRequest": {"quote": rules.NAME, "symbols": rules.symbols(1000), **_PAGE},
    "ListAssetsRequest": _PAGE,
    "GetTickersRequest": {"symbols": rules.symbols(200)},
    "GetBookRequest": {"symbol": _PAIR, "depth": rules.one_of(*DEPTHS)},
    "ListTradesRequest": {"symbol": _PAIR, "start_time": rules.INSTANT, **_PAGE},
    "ListCandlesRequest": {
        "symbol": _PAIR,
        "interval": rules.span_of(INTERVALS_S).needed("the length of a candle"),
        "start_time": rules.INSTANT,
        **_PAGE,
    },
    "SubscribeTickersRequest": {"symbols": rules.symbols(200).needed("1 to 200 pairs"), **_FOLLOWED},
    "SubscribeBookRequest": {"symbol": _PAIR, "depth": rules.one_of(*DEPTHS), **_FOLLOWED},
    "SubscribeTradesRequest": {"symbols": rules.symbols(200).needed("1 to 200 pairs"), **_FOLLOWED},
    "SubscribeCandlesRequest": {
        "symbols": rules.symbols(200).needed("1 to 200 pairs"),
        "interval": rules.span_of(INTERVALS_S).needed("the length of a candle"),
        "history_count": rules.number(most=CLOSED_MAX),
        **_FOLLOWED,
    },
    "DeliveryPolicy": {
        "mode": rules.choice(common.DeliveryPolicy.Mode),
        "min_interval": rules.span(0, 60),
        "max_buffered": rules.number(least=16, most=65536),
        "max_batch": rules.number(most=65536),
    },
    "PlaceOrderRequest": {
        "account": rules.NAME,
        "client_order_id": rules.NEW_ID.needed("choose one id per intent and use it again on every repeat"),
        "spec": ANY.needed("what is wanted"),
        "max_entry_delay": rules.span(0, 60),  # its least is the desk's to say: DEADLINE_TOO_SHORT
        "max_queue_wait": rules.span(0, 60),
    },
    "PreviewOrderRequest": {"account": rules.NAME, "spec": ANY.needed("what would be wanted"), "ask_venue": ANY},
    "OrderSpec": {
        "symbol": _PAIR,
        "side": rules.choice(common.Side).needed("SIDE_BUY or SIDE_SELL"),
        "base_quantity": _POSITIVE,
        "quote_quantity": _POSITIVE,
        "full_position": rules.TRUE_ONLY,
        "market": ANY,
        "limit": ANY,
        "trigger": ANY,
        "trailing_stop": ANY,
        "settle_position": ANY,
        "time_in_force": rules.choice(order.TimeInForce),
        "expire_time": rules.INSTANT,
        "start_time": rules.INSTANT,
        "leverage": rules.number(most=1000),
        "reduce_only": ANY,
        "self_trade_prevention": rules.choice(order.SelfTradePrevention),
        "fee_preference": rules.choice(order.FeePreference),
        "conditional_close": ANY,
        "label": rules.short_text(64),
    },
    "MarketOrder": {},
    "LimitOrder": {
        "limit_price": _POSITIVE.needed("a price in quote units"),
        "post_only": ANY,
        "display_quantity": _POSITIVE,
    },
    "TriggerOrder": {
        "kind": rules.choice(order.TriggerOrder.Kind).needed("KIND_STOP_LOSS or KIND_TAKE_PROFIT"),
        "trigger_price": _POSITIVE.needed("a price in quote units"),
        "reference": rules.choice(order.TriggerReference),
        "limit_price": _POSITIVE,
    },
    "TrailingStopOrder": {
        "offset": ANY.needed("the distance kept from the best price"),
        "reference": rules.choice(order.TriggerReference),
        "limit_offset": ANY,
    },
    "Offset": {
        "absolute": rules.decimal(above_zero=False, signed=True),
        "percent": rules.decimal(above_zero=False, signed=True, below=100),
    },
    "SettlePositionOrder": {},
    "ConditionalClose": {"limit": ANY, "trigger": ANY, "trailing_stop": ANY},
    "OrderRef": {"client_order_id": rules.KNOWN_ID, "order_id": rules.TXID, "caller": rules.NAME},
    "CancelOrderRequest": {"account": rules.NAME, "order": ANY.needed("the order")},
    "AmendOrderRequest": {
        "account": rules.NAME,
        "order": ANY.needed("the order"),
        "request_id": rules.REQUEST_ID.needed("choose one id per amend and use it again on every repeat"),
        "base_quantity": _POSITIVE,
        "limit_price": _POSITIVE,
        "trigger_price": _POSITIVE,
        "display_quantity": _POSITIVE,
        "post_only": ANY,
        "if_version": ANY,
        "max_entry_delay": rules.span(0, 60),  # its least is the desk's to say: DEADLINE_TOO_SHORT
        "max_queue_wait": rules.span(0, 60),
    },
    "PlaceOrdersRequest": {
        "account": rules.NAME,
        "entries": rules.between(2, BATCH_MOST, "orders").needed(f"2 to {BATCH_MOST} orders of one symbol"),
        "max_entry_delay": rules.span(0, 60),
        "max_queue_wait": rules.span(0, 60),
    },
    "PlaceOrdersEntry": {
        "client_order_id": rules.NEW_ID.needed("choose one id per intent and use it again on every repeat"),
        "spec": ANY.needed("what is wanted"),
    },
    "CancelOrdersRequest": {
        "account": rules.NAME,
        "orders": rules.at_most(CANCELS_MOST, "orders").needed(f"1 to {CANCELS_MOST} orders"),
    },
    "CancelAllOrdersRequest": {
        "account": rules.NAME,
        "symbol": rules.SYMBOL,
        "all_symbols": rules.TRUE_ONLY,
        "scope": rules.choice(service.OrderScope),
    },
    "SetDeadMansSwitchRequest": {
        "account": rules.NAME,
        "timeout": rules.span(0, SWITCH_MOST_S).needed("0 takes it off, else 5 s to 86399 s"),
        "scope": rules.choice(service.OrderScope, (service.ORDER_SCOPE_ALL_CALLERS,)),
    },
    "OrderSessionRequest": {
        "request_number": rules.number(most=(1 << 64) - 1).needed("rising by one from 1"),
        "open": ANY,
        "place": rules.LATER,
        "amend": rules.LATER,
        "cancel": rules.LATER,
        "cancel_all": rules.LATER,
    },
    "OpenOrderSession": {
        "account": rules.NAME,
        "cancel_on_disconnect": ANY,
        "follow_orders": ANY,
        "heartbeat_interval": rules.HEARTBEAT,
        "max_in_flight": rules.number(most=1024),
        "resume_stream_id": rules.NAME,
    },
    "GetOrderRequest": {"account": rules.NAME, "order": ANY.needed("the order")},
    "ExplainOrderRequest": {"account": rules.NAME, "order": ANY.needed("the order")},
    "ListOrdersRequest": {
        "account": rules.NAME,
        "statuses": rules.each_choice(order.OrderStatus),
        "symbol": rules.SYMBOL,
        "scope": rules.choice(service.OrderScope),
        "caller": rules.NAME,
        **_PERIOD,
        **_PAGE,
    },
    "SubscribeOrdersRequest": {
        "account": rules.NAME,
        "resume_token": ANY,  # whatever cannot be read there is RESUME_TOKEN_EXPIRED
        "symbols": rules.symbols(200),
        "scope": rules.choice(service.OrderScope),
        "heartbeat_interval": rules.HEARTBEAT,
        "max_buffered": rules.number(least=16, most=65536),
        "cancel_on_disconnect": ANY,
    },
    "ListBalancesRequest": {"account": rules.NAME},
    "SubscribeBalancesRequest": {"account": rules.NAME, "heartbeat_interval": rules.HEARTBEAT},
    "ListFillsRequest": {"account": rules.NAME, "symbol": rules.SYMBOL, **_PERIOD, **_PAGE},
    "GetMarginSummaryRequest": {"account": rules.NAME, "asset": rules.ASSET},
    "ListPositionsRequest": {"account": rules.NAME, "symbol": rules.SYMBOL},
    "ListLedgerEntriesRequest": {
        "account": rules.NAME,
        "asset": rules.ASSET,
        "kind": rules.NAME,
        **_PERIOD,
        **_PAGE,
    },
    "GetFeeRatesRequest": {"account": rules.NAME, "symbols": rules.symbols(50).needed("1 to 50 pairs")},
    "GetLimitsRequest": {
        "account": rules.NAME,
        "symbols": rules.symbols(200),
        "queries": rules.at_most(50, "questions"),
    },
    "CapacityQuery": {
        "call_class": rules.choice(limits.CallClass).needed("which kind of call, such as CALL_CLASS_PLACE"),
        "symbol": rules.SYMBOL,
        "count": rules.number(most=1000),
        "order_age": rules.AGE,
    },
    "GetServerInfoRequest": {},
    "GetVenueStatusRequest": {},
    "ListStreamsRequest": {},
    "SetTradingModeRequest": {
        "scope": ANY.needed("which orders: an account, a caller, a pair, or everything"),
        "mode": rules.choice(limits.TradingMode).needed("such as TRADING_MODE_HALTED; TRADING_MODE_NORMAL lifts it"),
        "comment": rules.remark(256).needed("why, for whoever finds it so"),
    },
    "TradingScope": {"account": rules.NAME, "caller": rules.NAME, "symbol": rules.SYMBOL, "everything": ANY},
}
# Oneofs of which one member must be set. OrderSpec.order_type has a reason of its own.
ONEOFS: dict[str, dict[str, str]] = {
    "OrderSpec": {"size": "one of base_quantity, quote_quantity, full_position"},
    "ConditionalClose": {"order_type": "one of limit, trigger, trailing_stop"},
    "Offset": {"value": "one of absolute, percent"},
    "OrderRef": {"id": "one of client_order_id, order_id"},
    "OrderSessionRequest": {"request": "a session begins with open"},
    "CancelAllOrdersRequest": {"symbols": "symbol, or all_symbols: an empty request cancels nothing"},
}
NO_ORDER_TYPE = (
    "required: one of market, limit, trigger, trailing_stop, settle_position, or a type newer than this server"
)


def check(request: Message) -> None:
    """Raises INVALID_REQUEST or ORDER_TYPE_UNKNOWN with every violation."""
    found = tuple(violations(request))
    if not found:
        return
    if any(each.description == NO_ORDER_TYPE for each in found):
        raise error_of(
            Fault(
                Reason.ORDER_TYPE_UNKNOWN,
                "no order type that this server knows is set; nothing was sent, set one such as spec.market or spec.limit",
                fields=found,
            )
        )
    raise invalid(found)


def violations(message: Message, path: str = "") -> list[FieldViolation]:
    """Every rule that the message breaks: its fields' own, then those between fields that are not bad already."""
    found = _in_fields(message, path)
    bad = {violation.path for violation in found}
    found += (violation for violation in between(message, path) if violation.path not in bad)
    return found


def _in_fields(message: Message, path: str) -> list[FieldViolation]:
    name = message.DESCRIPTOR.name
    given = {field.name: (field, value) for field, value in message.ListFields()}
    found: list[FieldViolation] = []
    for field_name, rule in TABLE[name].items():
        if field_name in given:
            field, value = given[field_name]
            problem = None if rule.check is None else rule.check(value)
            if problem is not None:
                found.append(FieldViolation(f"{path}{field_name}", problem))
            elif rule.each is not None or field.message_type is not None:
                found += _inside(field, value, rule, f"{path}{field_name}")
        elif rule.required:
            found.append(FieldViolation(f"{path}{field_name}", f"required: {rule.required}"))
    for oneof, words in ONEOFS.get(name, {}).items():
        if message.WhichOneof(oneof) is None:
            found.append(FieldViolation(f"{path}{oneof}", f"required: {words}"))
    if name == "OrderSpec" and message.WhichOneof("order_type") is None:
        found.append(FieldViolation(f"{path}order_type", NO_ORDER_TYPE))
    return found


def _inside(field: Any, value: Any, rule: Rule, path: str) -> Iterator[FieldViolation]:
    """Of a list's entries, and of a message's own fields."""
    if rule.each is not None:
        problems = ((index, rule.each(entry)) for index, entry in enumerate(value))
        yield from (FieldViolation(f"{path}[{index}]", words) for index, words in problems if words is not None)
    elif field.message_type.name in TABLE:
        entries = (
            [(f"{path}[{index}]", each) for index, each in enumerate(value)] if field.is_repeated else [(path, value)]
        )
        for where, each in entries:
            yield from violations(each, f"{where}.")
