"""The table of shapes: whole against the descriptors, and each rule below, at and above its bound."""

import pytest
from execsvc_api.v1 import account_service_pb2 as account
from execsvc_api.v1 import admin_service_pb2 as admin
from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import limits_pb2 as limits
from execsvc_api.v1 import market_data_service_pb2 as market
from execsvc_api.v1 import order_pb2 as order
from execsvc_api.v1 import order_service_pb2 as orders
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from execsvc.domain.errors import Declined, Reason
from execsvc.rpc.permits import PERMITS
from execsvc.rpc.validate import ONEOFS, TABLE, check, violations
from tests.house.contract_source import elements, files
from tests.rpc.stage import limit_spec, placement

MODULES = (market, orders, account, admin)
BUILT = {
    method.input_type
    for module in MODULES
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
    if PERMITS[f"{service.full_name}/{method.name}"].built
}
FOREIGN = {"Timestamp", "Duration"}


def reachable(descriptor, known=None):
    """All messages of ours that a request may hold."""
    known = {} if known is None else known
    if descriptor.name in known or descriptor.name in FOREIGN:
        return known
    known[descriptor.name] = descriptor
    for field in descriptor.fields:
        if field.message_type is not None:
            reachable(field.message_type, known)
    return known


MESSAGES = {name: each for request in BUILT for name, each in reachable(request).items()}


def test_every_message_of_a_built_request_has_a_row_and_no_other():
    """A message without a row would pass unread; a row without a message would hide a rename."""
    assert set(MESSAGES) == set(TABLE)


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_every_field_has_a_rule_or_says_any(name):
    """The row names exactly the message's fields."""
    assert {field.name for field in MESSAGES[name].fields} == set(TABLE[name])


@pytest.mark.parametrize(
    "element",
    [each for each in elements() if each.owner in MESSAGES and each.kind in {"field", "oneof"}],
    ids=lambda each: f"{each.owner}.{each.name}",
)
def test_required_in_the_contract_is_required_here(element):
    """A comment that starts with "Required." has a rule that says so, and no other field has one."""
    wanted = element.comment.startswith("Required.")
    if element.kind == "field":
        assert wanted is bool(TABLE[element.owner][element.name].required)
    elif (element.owner, element.name) == ("OrderSpec", "order_type"):
        assert wanted  # its reason is ORDER_TYPE_UNKNOWN, tested below
    else:
        assert wanted is (element.name in ONEOFS.get(element.owner, {}))


def span(seconds, nanos=0):
    return Duration(seconds=seconds, nanos=nanos)


def spec(**fields):
    return placement(spec=limit_spec(**fields))


def limit(**fields):
    return spec(limit=order.LimitOrder(**{"limit_price": "1"} | fields))


def limit_in_force(tif):
    return spec(limit=order.LimitOrder(limit_price="1", post_only=True), time_in_force=tif)


def trigger(**fields):
    return spec(trigger=order.TriggerOrder(**{"kind": 1, "trigger_price": "1"} | fields))


def trailing(offset=None, **fields):
    return spec(trailing_stop=order.TrailingStopOrder(offset=offset or order.Offset(absolute="1"), **fields))


def ticks(**policy):
    return market.SubscribeTickersRequest(symbols=["BTC/USD"], delivery=common.DeliveryPolicy(**policy))


def book(**policy):
    return market.SubscribeBookRequest(symbol="BTC/USD", delivery=common.DeliveryPolicy(**policy))


def ref(**fields):
    return orders.GetOrderRequest(order=orders.OrderRef(**fields))


def many(count, kind=market.GetTickersRequest):
    return kind(symbols=[f"A{n}/USD" for n in range(count)])


def asked(*queries):
    return account.GetLimitsRequest(queries=[limits.CapacityQuery(**each) for each in queries])


PLACE, AMEND, CANCEL, READ, HISTORY = range(1, 6)
CLOSES = (
    order.ConditionalClose(limit=order.LimitOrder(limit_price="1")),
    order.ConditionalClose(trigger=order.TriggerOrder(kind=1, trigger_price="1", limit_price="1")),
    order.ConditionalClose(trailing_stop=order.TrailingStopOrder(offset=order.Offset(percent="1"))),
)
LONGEST_S = 315_576_000_000
CONFLATE, BUFFER = common.DeliveryPolicy.MODE_CONFLATE, common.DeliveryPolicy.MODE_BUFFER
DIGITS = "9" * 18
HALF = 500_000_000
# Requests that are well formed, at their bounds.
GOOD = [
    market.ListInstrumentsRequest(),
    many(1000, market.ListInstrumentsRequest),
    market.ListInstrumentsRequest(quote="U" * 64, page_size=2**31 - 1, page_token="t" * 1024),
    market.ListAssetsRequest(),
    many(0),
    many(200),
    many(200, market.SubscribeTickersRequest),
    *(market.GetBookRequest(symbol="A" * 32, depth=depth) for depth in (0, 10, 25, 100, 500, 1000)),
    market.ListTradesRequest(symbol="BTC/USD", start_time=Timestamp(seconds=-62_135_596_800)),
    market.ListTradesRequest(symbol="BTC/USD", start_time=Timestamp(seconds=253_402_300_799, nanos=999_999_999)),
    *(
        market.ListCandlesRequest(symbol="BTC/USD", interval=span(minutes * 60))
        for minutes in (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
    ),
    market.SubscribeTickersRequest(symbols=["BTC/USD"], heartbeat_interval=span(1)),
    market.SubscribeTickersRequest(symbols=["BTC/USD"], heartbeat_interval=span(60)),
    ticks(min_interval=span(0)),
    ticks(min_interval=span(60), max_batch=65536),
    ticks(mode=BUFFER, max_buffered=16),
    book(max_buffered=65536),
    book(mode=CONFLATE, min_interval=span(1)),
    placement("a"),
    placement("A" * 64),
    placement("a._:-9"),
    placement(max_entry_delay=span(60)),
    spec(base_quantity=f"{DIGITS}.{DIGITS}"),
    spec(base_quantity="0." + "0" * 17 + "1"),
    spec(label="ü" * 64),
    limit(post_only=True),
    *(spec(time_in_force=tif) for tif in (0, 1, 2, 3)),
    spec(time_in_force=4, expire_time=Timestamp(seconds=1)),
    spec(market=order.MarketOrder()),
    spec(base_quantity=None, quote_quantity="1", market=order.MarketOrder()),
    spec(base_quantity=None, full_position=True, leverage=2, market=order.MarketOrder()),
    limit(display_quantity="0.1"),
    trigger(),
    trigger(kind=2, limit_price="1", reference=2),
    trailing(order.Offset(percent="99.9"), limit_offset=order.Offset(absolute="-1")),
    spec(settle_position=order.SettlePositionOrder(), leverage=2),
    spec(leverage=1000, reduce_only=True, start_time=Timestamp(seconds=1)),
    spec(self_trade_prevention=3, fee_preference=2),
    *(spec(conditional_close=close) for close in CLOSES),
    ref(client_order_id="x" * 128),
    ref(client_order_id="ext-O1", caller="c" * 64),
    ref(order_id="O" * 64),
    orders.CancelOrderRequest(account="a" * 64, order=orders.OrderRef(order_id="OABCDE-12345-FGHIJK")),
    orders.ListOrdersRequest(statuses=range(1, 11), scope=2, end_time=Timestamp()),
    orders.SubscribeOrdersRequest(max_buffered=16, resume_token="whatever" * 200),
    orders.SubscribeOrdersRequest(max_buffered=65536, heartbeat_interval=span(60)),
    placement(max_queue_wait=span(0)),
    placement(max_queue_wait=span(60)),
    orders.PreviewOrderRequest(account="a" * 64, spec=limit_spec(), ask_venue=True),
    account.GetLimitsRequest(),
    many(200, account.GetLimitsRequest),
    asked(*[{"call_class": READ}] * 50),
    asked(*({"call_class": each, "symbol": "A" * 32, "count": 1000} for each in (PLACE, AMEND, CANCEL))),
    asked(*({"call_class": each, "count": 0} for each in (READ, HISTORY))),
    asked(*({"call_class": each, "symbol": "A", "order_age": span(0)} for each in (AMEND, CANCEL))),
    asked({"call_class": AMEND, "symbol": "A", "order_age": span(LONGEST_S)}),
    account.ListBalancesRequest(),
    account.SubscribeBalancesRequest(account="a" * 64, heartbeat_interval=span(60)),
    account.ListFillsRequest(symbol="BTC/USD", start_time=Timestamp(), page_size=1000),
    admin.GetServerInfoRequest(),
    admin.GetVenueStatusRequest(),
]
# Requests beyond a bound, each with the paths that are told.
BAD = [
    (many(1001, market.ListInstrumentsRequest), ["symbols"]),
    (market.ListInstrumentsRequest(symbols=["A/B", ""]), ["symbols[1]"]),
    (market.ListInstrumentsRequest(symbols=["A/B", "A/B"]), ["symbols"]),
    (market.ListInstrumentsRequest(symbols=["A" * 33, "B" * 33]), ["symbols[0]", "symbols[1]"]),
    (market.ListInstrumentsRequest(quote="U" * 65), ["quote"]),
    (market.ListInstrumentsRequest(page_size=-1), ["page_size"]),
    (market.ListInstrumentsRequest(page_token="t" * 1025), ["page_token"]),
    (many(201), ["symbols"]),
    (many(0, market.SubscribeTickersRequest), ["symbols"]),
    (many(201, market.SubscribeTickersRequest), ["symbols"]),
    (market.GetBookRequest(), ["symbol"]),
    (market.GetBookRequest(symbol="A" * 33, depth=9), ["symbol", "depth"]),
    (market.GetBookRequest(symbol="A", depth=11), ["depth"]),
    (market.ListTradesRequest(symbol="A", start_time=Timestamp(seconds=-62_135_596_801)), ["start_time"]),
    (market.ListTradesRequest(symbol="A", start_time=Timestamp(seconds=253_402_300_800)), ["start_time"]),
    (market.ListTradesRequest(symbol="A", start_time=Timestamp(nanos=-1)), ["start_time"]),
    (market.ListTradesRequest(symbol="A", start_time=Timestamp(nanos=10**9)), ["start_time"]),
    (market.ListCandlesRequest(symbol="A"), ["interval"]),
    (market.ListCandlesRequest(symbol="A", interval=span(59)), ["interval"]),
    (market.ListCandlesRequest(symbol="A", interval=span(60, 1)), ["interval"]),
    (market.ListCandlesRequest(symbol="A", interval=span(120)), ["interval"]),
    (market.SubscribeTickersRequest(symbols=["A"], heartbeat_interval=span(0, 999_999_999)), ["heartbeat_interval"]),
    (market.SubscribeTickersRequest(symbols=["A"], heartbeat_interval=span(60, 1)), ["heartbeat_interval"]),
    (market.SubscribeTickersRequest(symbols=["A"], heartbeat_interval=span(2, -1)), ["heartbeat_interval"]),
    (ticks(mode=9), ["delivery.mode"]),
    (ticks(min_interval=span(60, 1)), ["delivery.min_interval"]),
    (ticks(min_interval=span(0, -1)), ["delivery.min_interval"]),
    (ticks(mode=BUFFER, min_interval=span(1)), ["delivery.min_interval"]),
    (ticks(max_buffered=16), ["delivery.max_buffered"]),
    (ticks(mode=BUFFER, max_buffered=15), ["delivery.max_buffered"]),
    (book(max_buffered=65537), ["delivery.max_buffered"]),
    (book(max_batch=65537), ["delivery.max_batch"]),
    (book(min_interval=span(1)), ["delivery.min_interval"]),
    (orders.PlaceOrderRequest(), ["client_order_id", "spec"]),
    (placement("a" * 65), ["client_order_id"]),
    (placement("-a"), ["client_order_id"]),
    (placement("a b"), ["client_order_id"]),
    (placement("ext-a"), ["client_order_id"]),
    (placement("ä"), ["client_order_id"]),
    (placement(account="a" * 65), ["account"]),
    (placement(max_entry_delay=span(60, 1)), ["max_entry_delay"]),
    (placement(max_entry_delay=span(-1)), ["max_entry_delay"]),
    (placement(max_queue_wait=span(60, 1)), ["max_queue_wait"]),
    (placement(max_queue_wait=span(0, -1)), ["max_queue_wait"]),
    (orders.PreviewOrderRequest(), ["spec"]),
    (orders.PreviewOrderRequest(account="a" * 65, spec=limit_spec(symbol="")), ["account", "spec.symbol"]),
    (account.GetLimitsRequest(account="a" * 65), ["account"]),
    (many(201, account.GetLimitsRequest), ["symbols"]),
    (account.GetLimitsRequest(symbols=["A/B", ""]), ["symbols[1]"]),
    (asked(*[{"call_class": READ}] * 51), ["queries"]),
    (asked({}, {"call_class": READ}, {"call_class": 6}), ["queries[0].call_class", "queries[2].call_class"]),
    *((asked({"call_class": each}), ["queries[0].symbol"]) for each in (PLACE, AMEND, CANCEL)),
    *((asked({"call_class": each, "symbol": "A"}), ["queries[0].symbol"]) for each in (READ, HISTORY)),
    (asked({"call_class": PLACE, "symbol": "A" * 33}), ["queries[0].symbol"]),
    (asked({"call_class": READ, "count": 1001}), ["queries[0].count"]),
    *(
        (
            asked({"call_class": each, "symbol": "A" if each == PLACE else "", "order_age": span(0)}),
            ["queries[0].order_age"],
        )
        for each in (PLACE, READ, HISTORY)
    ),
    (asked({"call_class": CANCEL, "symbol": "A", "order_age": span(0, -1)}), ["queries[0].order_age"]),
    (asked({"call_class": AMEND, "symbol": "A", "order_age": span(LONGEST_S + 1)}), ["queries[0].order_age"]),
    (spec(symbol=""), ["spec.symbol"]),
    (spec(side=0), ["spec.side"]),
    (spec(side=3), ["spec.side"]),
    (placement(spec=order.OrderSpec(symbol="A", side=1, market=order.MarketOrder())), ["spec.size"]),
    *(
        (spec(base_quantity=text), ["spec.base_quantity"])
        for text in ("", "0", "0.0", "-1", "1e3", "+1", "01", ".5", "1.")
    ),
    (spec(base_quantity=f"1{DIGITS}"), ["spec.base_quantity"]),
    (spec(base_quantity=f"1.{DIGITS}0"), ["spec.base_quantity"]),
    (spec(base_quantity="-0"), ["spec.base_quantity"]),
    (spec(base_quantity="NaN"), ["spec.base_quantity"]),
    (spec(base_quantity=None, full_position=False), ["spec.full_position"]),
    (spec(base_quantity=None, full_position=True), ["spec.full_position"]),
    (spec(base_quantity=None, quote_quantity="0", market=order.MarketOrder()), ["spec.quote_quantity"]),
    (spec(base_quantity=None, quote_quantity="1"), ["spec.quote_quantity"]),
    (spec(base_quantity=None, quote_quantity="1", side=2, market=order.MarketOrder()), ["spec.quote_quantity"]),
    (limit(limit_price=""), ["spec.limit.limit_price"]),
    (limit(limit_price="0"), ["spec.limit.limit_price"]),
    (limit(display_quantity="0"), ["spec.limit.display_quantity"]),
    (spec(time_in_force=5), ["spec.time_in_force"]),
    *((spec(market=order.MarketOrder(), time_in_force=tif), ["spec.time_in_force"]) for tif in (1, 2, 3)),
    (spec(market=order.MarketOrder(), time_in_force=4), ["spec.time_in_force", "spec.expire_time"]),
    (spec(time_in_force=4), ["spec.expire_time"]),
    (spec(expire_time=Timestamp()), ["spec.expire_time"]),
    (spec(time_in_force=4, expire_time=Timestamp(nanos=-1)), ["spec.expire_time"]),
    (spec(start_time=Timestamp(nanos=-1)), ["spec.start_time"]),
    (spec(reduce_only=True), ["spec.reduce_only"]),
    (spec(leverage=1001), ["spec.leverage"]),
    *((limit_in_force(tif), ["spec.limit.post_only"]) for tif in (2, 3)),
    (spec(self_trade_prevention=4), ["spec.self_trade_prevention"]),
    (spec(fee_preference=3), ["spec.fee_preference"]),
    (spec(label="x" * 65), ["spec.label"]),
    (trigger(kind=0), ["spec.trigger.kind"]),
    (trigger(kind=3), ["spec.trigger.kind"]),
    (trigger(trigger_price=""), ["spec.trigger.trigger_price"]),
    (trigger(limit_price="0"), ["spec.trigger.limit_price"]),
    (trigger(reference=3), ["spec.trigger.reference"]),
    (spec(trigger=order.TriggerOrder(kind=1, trigger_price="1"), time_in_force=2), ["spec.time_in_force"]),
    (spec(trailing_stop=order.TrailingStopOrder()), ["spec.trailing_stop.offset"]),
    (trailing(order.Offset()), ["spec.trailing_stop.offset.value"]),
    (trailing(order.Offset(absolute="0.0")), ["spec.trailing_stop.offset.absolute"]),
    (trailing(order.Offset(percent="-1")), ["spec.trailing_stop.offset.percent"]),
    (trailing(order.Offset(percent="100")), ["spec.trailing_stop.offset.percent"]),
    (trailing(limit_offset=order.Offset(percent="-100")), ["spec.trailing_stop.limit_offset.percent"]),
    (trailing(reference=9), ["spec.trailing_stop.reference"]),
    (spec(settle_position=order.SettlePositionOrder()), ["spec.leverage"]),
    (
        spec(
            settle_position=order.SettlePositionOrder(),
            leverage=2,
            start_time=Timestamp(),
            conditional_close=order.ConditionalClose(limit=order.LimitOrder(limit_price="1")),
        ),
        ["spec.start_time", "spec.conditional_close"],
    ),
    (spec(conditional_close=order.ConditionalClose()), ["spec.conditional_close.order_type"]),
    (
        spec(
            conditional_close=order.ConditionalClose(
                limit=order.LimitOrder(limit_price="1", post_only=True, display_quantity="1")
            )
        ),
        ["spec.conditional_close.limit.post_only", "spec.conditional_close.limit.display_quantity"],
    ),
    (
        spec(
            conditional_close=order.ConditionalClose(trigger=order.TriggerOrder(kind=1, trigger_price="1", reference=1))
        ),
        ["spec.conditional_close.trigger.reference"],
    ),
    (ref(), ["order.id"]),
    (orders.GetOrderRequest(), ["order"]),
    (orders.CancelOrderRequest(), ["order"]),
    (ref(client_order_id=""), ["order.client_order_id"]),
    (ref(client_order_id="x" * 129), ["order.client_order_id"]),
    (ref(client_order_id="a b"), ["order.client_order_id"]),
    (ref(order_id="O" * 65), ["order.order_id"]),
    (ref(order_id="O_1"), ["order.order_id"]),
    (ref(order_id="O1", caller="me"), ["order.caller"]),
    (ref(client_order_id="a", caller="c" * 65), ["order.caller"]),
    (orders.ListOrdersRequest(statuses=[1, 0, 11]), ["statuses[1]", "statuses[2]"]),
    (orders.ListOrdersRequest(scope=4), ["scope"]),
    (orders.ListOrdersRequest(symbol="A" * 33), ["symbol"]),
    (orders.ListOrdersRequest(caller="c" * 65, page_size=-5), ["caller", "page_size"]),
    (orders.ListOrdersRequest(end_time=Timestamp(nanos=-1)), ["end_time"]),
    (orders.SubscribeOrdersRequest(max_buffered=15), ["max_buffered"]),
    (orders.SubscribeOrdersRequest(max_buffered=65537), ["max_buffered"]),
    (orders.SubscribeOrdersRequest(scope=9, heartbeat_interval=span(0, HALF)), ["scope", "heartbeat_interval"]),
    (many(201, orders.SubscribeOrdersRequest), ["symbols"]),
    (account.ListBalancesRequest(account="a" * 65), ["account"]),
    (
        account.SubscribeBalancesRequest(account="a" * 65, heartbeat_interval=span(61)),
        ["account", "heartbeat_interval"],
    ),
    (account.ListFillsRequest(symbol="A" * 33, start_time=Timestamp(nanos=-1)), ["symbol", "start_time"]),
]


def shown(request):
    return f"{type(request).__name__}-{str(request)[:40]!r}"


@pytest.mark.parametrize("request_", GOOD, ids=shown)
def test_a_request_within_its_bounds_passes(request_):
    """At its bounds and inside them a request has no violation."""
    assert [] == list(violations(request_))


@pytest.mark.parametrize(("request_", "paths"), BAD, ids=[shown(request) for request, _ in BAD])
def test_a_request_beyond_a_bound_names_the_field(request_, paths):
    """Each violation is told once, by its proto path, with words."""
    found = list(violations(request_))
    assert paths == [each.path for each in found]
    assert all(each.description for each in found)


def test_every_rule_is_seen_to_refuse():
    """No row of the table is there for show: each field that has a rule is refused in some case above."""
    told = {_field_of(type(request).DESCRIPTOR, path) for request, paths in BAD for path in paths}
    shared = {"DeliveryPolicy", "OrderRef", "OrderSpec", "LimitOrder", "TriggerOrder", "TrailingStopOrder", "Offset"}
    ruled = {
        (name, field)
        for name in shared
        for field, rule in TABLE[name].items()
        if rule.check is not None or rule.required
    }
    assert set() == ruled - told


def _field_of(descriptor, path):
    for step in path.split("."):
        owner, name = descriptor.name, step.partition("[")[0]
        field = descriptor.fields_by_name.get(name)
        descriptor = None if field is None else field.message_type
    return owner, name


def test_no_order_type_outranks_other_violations():
    """ORDER_TYPE_UNKNOWN carries whatever else is wrong."""
    request = placement(spec=order.OrderSpec(symbol="", side=1, base_quantity="1"))
    with pytest.raises(Declined) as caught:
        check(request)
    assert (Reason.ORDER_TYPE_UNKNOWN, ["spec.symbol", "spec.order_type"]) == (
        caught.value.reason,
        [each.path for each in caught.value.fault.fields],
    )


def test_every_file_of_the_contract_is_looked_at():
    """The requests judged here come from every service file there is."""
    assert len(MODULES) == sum(bool(file.service) for file in files())


# ---- the matrix ------------------------------------------------------------------------------------------------------

# Written out from the contract's page: type → what goes with it. "b" base, "q" quote, "f" full position, "p" post-only,
# "d" display, "s" start, "r" reduce-only, "c" close; then the times in force; everything on margin but the quote size.
KINDS = {
    "market": (order.OrderSpec(market=order.MarketOrder()), "bqfsrc", "-"),
    "limit": (order.OrderSpec(limit=order.LimitOrder(limit_price="1")), "bfpdsrc", "-GIFD"),
    "trigger": (order.OrderSpec(trigger=order.TriggerOrder(kind=1, trigger_price="1")), "bfsrc", "-GD"),
    "trigger limit": (
        order.OrderSpec(trigger=order.TriggerOrder(kind=2, trigger_price="1", limit_price="1")),
        *("bfsrc", "-GIFD"),
    ),
    "trail": (
        order.OrderSpec(trailing_stop=order.TrailingStopOrder(offset=order.Offset(percent="1"))),
        *("bfsrc", "-GD"),
    ),
    "trail limit": (
        order.OrderSpec(
            trailing_stop=order.TrailingStopOrder(
                offset=order.Offset(percent="1"), limit_offset=order.Offset(percent="1")
            )
        ),
        *("bfsrc", "-GIFD"),
    ),
    "settle": (order.OrderSpec(settle_position=order.SettlePositionOrder()), "bfr", "-"),
}
TIMES = {"-": 0, "G": 1, "I": 2, "F": 3, "D": 4}


def wished(kind, letter="b", tif="-"):
    """A buy of that type with one option more."""
    wish = order.OrderSpec(symbol="BTC/USD", side=common.SIDE_BUY, leverage=0 if letter == "q" else 2)
    wish.MergeFrom(KINDS[kind][0])
    wish.time_in_force = order.TimeInForce.ValueType(TIMES[tif])
    if tif == "D":
        wish.expire_time.seconds = 1
    match letter:
        case "q":
            wish.quote_quantity = "1"
        case "f":
            wish.full_position = True
        case "p":
            wish.limit.post_only = True
        case "d":
            wish.limit.display_quantity = "1"
        case "s":
            wish.start_time.seconds = 1
        case "r":
            wish.reduce_only = True
        case "c":
            wish.conditional_close.CopyFrom(CLOSES[0])
    if wish.WhichOneof("size") is None:
        wish.base_quantity = "1"
    return placement(spec=wish)


@pytest.mark.parametrize("letter", "bqfsrc")
@pytest.mark.parametrize("kind", KINDS)
def test_an_option_goes_with_the_types_of_the_matrix(kind, letter):
    """And with no other. Post-only and display are fields of a limit order: no other type can say them."""
    assert (letter in KINDS[kind][1]) is (not list(violations(wished(kind, letter))))


@pytest.mark.parametrize("tif", TIMES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_time_in_force_goes_with_the_types_of_the_matrix(kind, tif):
    """Only what has a limit price may be immediate; what takes at once has none."""
    assert (tif in KINDS[kind][2]) is (not list(violations(wished(kind, tif=tif))))


@pytest.mark.parametrize("option", ["full_position", "reduce_only"])
@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"settle"}))
def test_what_is_about_a_position_needs_leverage(kind, option):
    """A spot order has no position."""
    request = wished(kind, "f" if option == "full_position" else "r")
    request.spec.leverage = 0
    assert [f"spec.{option}"] == [found.path for found in violations(request)]


def test_all_that_does_not_go_together_is_told_at_once():
    """A caller mends it in one go."""
    request = placement(
        spec=order.OrderSpec(
            symbol="BTC/USD",
            side=common.SIDE_SELL,
            quote_quantity="1",
            settle_position=order.SettlePositionOrder(),
            time_in_force=order.TIME_IN_FORCE_GTD,
            start_time=Timestamp(seconds=1),
            reduce_only=True,
            conditional_close=CLOSES[0],
        )
    )
    assert {
        *("spec.quote_quantity", "spec.time_in_force", "spec.expire_time", "spec.start_time", "spec.reduce_only"),
        *("spec.conditional_close", "spec.leverage"),
    } == {found.path for found in violations(request)}
