"""Conversions between the contract and the domain: total, exact, and the same thing there and back."""

import re
from decimal import Decimal

from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import order_service_pb2 as orders
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from execsvc.app.hub import Delivery, Gap
from execsvc.app.topics import BookChange
from execsvc.domain import money
from execsvc.domain.account import AssetAmount, Balance, Fill
from execsvc.domain.errors import Fault, Reason
from execsvc.domain.ids import OrderKey, OrderRef
from execsvc.domain.instrument import Asset, AssetStatus, Instrument, InstrumentStatus
from execsvc.domain.market import (
    BookView,
    Candle,
    EventTimes,
    FeedState,
    GapReason,
    Level,
    Side,
    Ticker,
    Trade,
    VenueMode,
)
from execsvc.domain.order import TERMINAL, Order, Status
from execsvc.domain.spec import FeePreference, OrderType, SelfTradePrevention, TimeInForce, TriggerReference
from execsvc.domain.story import Step, StepKind
from execsvc.rpc import scalars
from execsvc.rpc.convert import account, admin, market, story
from execsvc.rpc.convert import orders as convert
from execsvc.rpc.convert.streams import delivery, delivery_of, gap
from execsvc.rpc.validate import violations
from tests.support.specs import specs as every_spec

GRAMMAR = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?")

instants = st.integers(0, 4_000_000_000 * 10**9)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", fullmatch=True).filter(lambda text: text[:4] != "ext-")
figures = st.integers(0, 10**15).flatmap(
    lambda digits: st.integers(0, 12).map(lambda places: Decimal(digits).scaleb(-places))
)
amounts = figures.filter(bool)
maybe = st.none() | figures
times = st.builds(EventTimes, st.none() | instants, instants)
fees = st.lists(st.builds(AssetAmount, texts, figures), max_size=3).map(tuple)
specs = every_spec(symbols=st.sampled_from(["BTC/USD", "ETH/EUR"]), labels=texts)
faults = st.builds(
    Fault,
    st.sampled_from(Reason),
    texts,
    st.dictionaries(texts, texts, max_size=3),
    st.just(()),
    st.none() | st.floats(0, 900),
)


orders_ = st.builds(
    Order,
    key=st.builds(OrderKey, names, names, names),
    spec=specs,
    status=st.sampled_from(Status),
    content_hash=st.just(b"h"),
    attempt=st.integers(0, 9),
    venue_client_id=texts,
    key_label=texts,
    entry_deadline_ns=instants,
    trace_id=texts,
    create_time_ns=instants,
    update_time_ns=instants,
    version=st.integers(1, 2**40),
    venue_order_id=texts,
    cancel_requested=st.booleans(),
    filled_quantity=figures,
    filled_cost=figures,
    fees=fees,
    open_time_ns=st.none() | instants,
    end_fault=st.none() | faults,
    current_trigger_price=maybe,
    triggered=st.booleans(),
    parent_order_id=texts,
)


steps = st.builds(
    Step,
    at_ns=instants,
    kind=st.sampled_from(StepKind),
    text=texts,
    attempt=st.integers(0, 9),
    took_ns=st.none() | st.integers(-(10**9), 10**15),
    waited_for=texts,
    verdict=texts,
    status=st.none() | st.sampled_from(Status),
    fault=st.none() | faults,
    trace_id=texts,
    venue_ns=st.none() | instants,
)


def same(text, value):
    """The text is of the contract's grammar and stands for the value at its scale."""
    assert GRAMMAR.fullmatch(text), text
    assert Decimal(text) == value
    return True


def told(text, value):
    return text == "" if value is None else same(text, value)


# ---- there and back --------------------------------------------------------------------------------------------------


@given(specs)
def test_a_wish_comes_back_as_it_went(spec):
    """Domain → contract → domain is the identity, scale of decimals included, and what goes out passes our own rules."""
    wire = convert.spec(spec)
    back = convert.spec_of(wire)
    assert spec == back
    assert str(spec.base_quantity) == str(back.base_quantity)
    request = orders.PlaceOrderRequest(client_order_id="a", spec=wire)
    assert [] == list(violations(request))


@given(specs)
def test_a_wish_of_the_contract_comes_back_too(spec):
    """Contract → domain → contract is the identity on what the contract calls canonical."""
    wire = convert.spec(spec)
    assert wire == convert.spec(convert.spec_of(wire))


@given(names, st.sampled_from(["client", "venue"]), st.text("abc", max_size=5))
def test_a_reference_comes_back(name, kind, caller):
    """By the caller's id with its owner, or by Kraken's."""
    ref = OrderRef(client_order_id=name, caller=caller) if kind == "client" else OrderRef(venue_order_id=name)
    assert ref == convert.ref_of(convert.ref(ref))


@given(st.integers(-62_135_596_800 * 10**9, 253_402_300_799 * 10**9 + 999_999_999))
def test_an_instant_is_exact(ns):
    """Nanoseconds survive, over all years a Timestamp has."""
    stamp = scalars.timestamp(ns)
    assert ns == scalars.ns_of(stamp) == scalars.ns_of(Timestamp.FromString(stamp.SerializeToString()))
    assert 0 <= stamp.nanos < 10**9


@given(st.integers(-(10**18), 10**18))
def test_a_span_is_exact(ns):
    """Nanoseconds survive, and both parts carry the sign."""
    span = scalars.duration_of_ns(ns)
    assert ns == scalars.span_ns(Duration.FromString(span.SerializeToString()))
    assert span.seconds * span.nanos >= 0


@given(st.integers(0, 60 * 10**9))
def test_seconds_are_exact_to_the_nanosecond_where_we_use_them(ns):
    """A span of up to a minute loses nothing on its way through seconds."""
    assert ns == scalars.span_ns(scalars.duration(scalars.seconds_of(scalars.duration_of_ns(ns))))


@given(st.booleans(), st.integers(0, 60 * 10**9), st.integers(16, 65536), st.integers(1, 65536), st.booleans())
def test_a_policy_comes_back(conflate, interval_ns, buffered, batch, default):
    """A delivery in force, sent back as a request, is the same delivery, whatever the method's own default."""
    held = Delivery(conflate, interval_ns / 1e9 if conflate else 0.0, 1024 if conflate else buffered, batch)
    assert held == delivery_of(delivery(held), conflates=default)


def test_an_absent_policy_is_the_methods_own():
    """Unset means the default of the method, every figure filled in."""
    absent = common.DeliveryPolicy()
    assert (Delivery(conflate=True), Delivery(conflate=False)) == (
        delivery_of(absent, conflates=True),
        delivery_of(absent, conflates=False),
    )


# ---- outward, read back here -----------------------------------------------------------------------------------------


def test_enums_have_the_same_names_on_both_sides():
    """Every value of the domain has exactly one in the contract, of the same name, and none is left over."""
    for ours, table, wire, prefix in (
        (Side, scalars.SIDES, common.Side, "SIDE_"),
        (FeedState, scalars.FEED_STATES, common.FeedState, "FEED_STATE_"),
        (GapReason, scalars.GAP_REASONS, common.GapReason, "GAP_REASON_"),
        (Status, convert.STATUSES, convert.wire.OrderStatus, "ORDER_STATUS_"),
        (InstrumentStatus, market.STATUSES, market.market.InstrumentStatus, "INSTRUMENT_STATUS_"),
        (AssetStatus, market.ASSET_STATUSES, market.market.AssetStatus, "ASSET_STATUS_"),
        (VenueMode, admin.MODES, admin.admin.VenueMode, "VENUE_MODE_"),
        (TimeInForce, convert.TIMES_IN_FORCE, convert.wire.TimeInForce, "TIME_IN_FORCE_"),
        (TriggerReference, convert.REFERENCES, convert.wire.TriggerReference, "TRIGGER_REFERENCE_"),
        (SelfTradePrevention, convert.PREVENTIONS, convert.wire.SelfTradePrevention, "SELF_TRADE_PREVENTION_"),
        (FeePreference, convert.FEE_PREFERENCES, convert.wire.FeePreference, "FEE_PREFERENCE_"),
        ((OrderType.STOP_LOSS, OrderType.TAKE_PROFIT), convert.KINDS, convert.wire.TriggerOrder.Kind, "KIND_"),
    ):
        expected = {name.removeprefix(prefix): number for name, number in wire.items() if number}
        assert expected == {member.name: table[member] for member in ours}


def test_every_kind_of_step_is_the_contracts_of_the_same_name():
    """One to one, both ways; UNSPECIFIED is no step of ours."""
    kinds = {name.removeprefix("TIMELINE_KIND_"): number for name, number in orders.TimelineKind.items()}
    ours = {kind.name: number for kind, number in story.KINDS.items()}
    assert {"UNSPECIFIED"} == kinds.keys() - {kind.name for kind in StepKind}
    assert {name: number for name, number in kinds.items() if name != "UNSPECIFIED"} == ours


@given(st.decimals(min_value=-(10**17), max_value=10**17, allow_nan=False, allow_infinity=False))
def test_a_figure_is_written_in_the_contracts_grammar(value):
    """Whatever its scale or exponent, a figure of up to 17 digits is plain text; finer than 18 places it is rounded."""
    text = scalars.decimal(value)
    assert GRAMMAR.fullmatch(text)
    assert not (text.startswith("-") and Decimal(text) == 0)
    assert abs(Decimal(text) - value) <= Decimal("0.5e-18")


@given(amounts, amounts)
def test_an_average_is_written_in_the_contracts_grammar(cost, quantity):
    """The one figure that is divided fits too, as long as it has at most 18 digits before the point."""
    average = money.average(cost, quantity)
    if average < Decimal(10) ** 18:
        assert GRAMMAR.fullmatch(scalars.decimal(average))


@given(
    st.builds(
        Ticker,
        texts,
        maybe,
        maybe,
        maybe,
        maybe,
        maybe,
        figures,
        figures,
        figures,
        figures,
        maybe,
        times,
    )
)
def test_a_ticker_is_told_whole(value):
    """Each figure stands for itself, and an absent one is empty."""
    wire = market.ticker(value)
    for name in ("bid_price", "bid_quantity", "ask_price", "ask_quantity", "last_price", "change_24h"):
        assert told(getattr(wire, name), getattr(value, name))
    for name in ("volume_24h", "vwap_24h", "low_24h", "high_24h"):
        assert same(getattr(wire, name), getattr(value, name))
    assert value.symbol == wire.symbol
    assert_times(wire.times, value.times)


def assert_times(wire, value):
    assert value.receive_ns == scalars.ns_of(wire.receive_time)
    assert (value.venue_ns is not None) is wire.HasField("venue_time")
    assert value.venue_ns in {None, scalars.ns_of(wire.venue_time)}


levels = st.lists(st.builds(Level, figures, figures), max_size=4).map(tuple)


def assert_levels(wire, values):
    assert len(wire) == len(values)
    for level, value in zip(wire, values, strict=True):
        assert same(level.price, value.price)
        assert same(level.quantity, value.quantity)
        assert (value.quantity == 0) is (level.quantity == "0")


@given(st.builds(BookView, texts, st.sampled_from([10, 1000]), levels, levels, times), st.integers(0, 2**60))
def test_a_book_is_told_whole(value, version):
    """Levels in their order, version and depth; a picture and a stream's snapshot say the same."""
    wire = market.book(value, version)
    assert (value.symbol, version, value.depth) == (wire.symbol, wire.version, wire.depth)
    assert_levels(wire.bids, value.bids)
    assert_levels(wire.asks, value.asks)
    assert_times(wire.times, value.times)
    change = BookChange(value.symbol, value.depth, True, value.bids, value.asks, version, None, value.times)
    assert wire == market.snapshot(change)


@given(levels, st.integers(1, 2**60), st.none() | st.integers(0, 2**32 - 1), times)
def test_a_delta_is_told_whole(bids, version, checksum, when):
    """A removed level is "0", a checksum that is not known is absent."""
    change = BookChange(
        symbol="A/B", depth=10, snapshot=False, bids=bids, asks=(), version=version, checksum=checksum, times=when
    )
    wire = market.delta(change)
    assert_levels(wire.bids, bids)
    assert (version, checksum is not None) == (wire.version, wire.HasField("checksum"))
    assert checksum in {None, wire.checksum}


@given(st.builds(Trade, texts, texts, figures, figures, st.sampled_from(Side), times))
def test_a_trade_is_told_whole(value):
    """Id, price, quantity, side and both clocks."""
    wire = market.trade(value)
    assert (value.symbol, value.trade_id, scalars.SIDES[value.taker_side]) == (
        wire.symbol,
        wire.trade_id,
        wire.taker_side,
    )
    assert same(wire.price, value.price)
    assert same(wire.quantity, value.quantity)
    assert_times(wire.times, value.times)


@given(
    st.builds(
        Candle,
        texts,
        st.integers(60, 10**6),
        instants,
        *[figures] * 6,
        st.integers(0, 2**32 - 1),
        st.booleans(),
        instants,
    )
)
def test_a_candle_is_told_whole(value):
    """Every figure, the interval, the opening and whether it is closed."""
    wire = market.candle(value)
    assert (value.symbol, value.interval_s * 10**9, value.open_time_ns, value.trade_count, value.closed) == (
        wire.symbol,
        scalars.span_ns(wire.interval),
        scalars.ns_of(wire.open_time),
        wire.trade_count,
        wire.closed,
    )
    for name in ("open_price", "high_price", "low_price", "close_price", "volume", "vwap"):
        assert same(getattr(wire, name), getattr(value, name))


@given(
    st.builds(
        Instrument,
        symbol=texts,
        base=texts,
        quote=texts,
        status=st.sampled_from(InstrumentStatus),
        price_increment=figures,
        price_decimals=st.integers(0, 18),
        quantity_increment=figures,
        quantity_decimals=st.integers(0, 18),
        min_quantity=figures,
        min_cost=figures,
        cost_decimals=st.integers(0, 18),
        leverage_buy=st.lists(st.integers(2, 10)).map(tuple),
        leverage_sell=st.lists(st.integers(2, 10)).map(tuple),
        long_position_limit=maybe,
        short_position_limit=maybe,
        has_index=st.booleans(),
        tokenized=st.booleans(),
        venue_symbols=st.lists(texts, max_size=3).map(tuple),
    )
)
def test_an_instrument_is_told_whole(value):
    """Every rule of a pair; limits that Kraken names none of are absent."""
    wire = market.instrument(value)
    for name in (
        "symbol",
        "base",
        "quote",
        "price_decimals",
        "quantity_decimals",
        "cost_decimals",
        "has_index",
        "tokenized",
    ):
        assert getattr(value, name) == getattr(wire, name)
    for name in ("leverage_buy", "leverage_sell", "venue_symbols"):
        assert getattr(value, name) == tuple(getattr(wire, name))
    for name in ("price_increment", "quantity_increment", "min_quantity"):
        assert same(getattr(wire, name), getattr(value, name))
    assert told(wire.min_cost, value.min_cost or None)
    for name in ("long_position_limit", "short_position_limit"):
        assert wire.HasField(name) is (getattr(value, name) is not None)
        assert told(getattr(wire, name), getattr(value, name))


@given(st.builds(Asset, texts, st.sampled_from(AssetStatus), st.integers(0, 18), st.integers(0, 18), maybe, texts))
def test_an_asset_is_told_whole(value):
    """Codes, precision, collateral."""
    wire = market.asset(value)
    assert (value.asset, value.decimals, value.display_decimals, value.venue_asset) == (
        wire.asset,
        wire.decimals,
        wire.display_decimals,
        wire.venue_asset,
    )
    assert told(wire.collateral_value, value.collateral_value)


@given(st.builds(Balance, texts, *[figures] * 4, instants))
def test_a_balance_is_told_whole(value):
    """Available is total + credit - credit_used - held, signed."""
    wire = account.balance(value)
    for name in ("total", "held", "credit", "credit_used", "available"):
        assert same(getattr(wire, name), getattr(value, name))
    assert (False, value.receive_ns) == (wire.times.HasField("venue_time"), scalars.ns_of(wire.times.receive_time))


@given(
    st.builds(
        Fill,
        texts,
        texts,
        texts,
        texts,
        texts,
        texts,
        st.sampled_from(Side),
        *[figures] * 3,
        fees,
        st.booleans(),
        times,
        texts,
    )
)
def test_a_fill_is_told_whole(value):
    """Ids, figures, fees; an order placed elsewhere has a made-up client order id."""
    wire = account.fill(value)
    assert value.position_id == wire.position_id
    assert (value.fill_id, value.account, value.caller, value.venue_order_id, value.symbol, value.maker) == (
        wire.fill_id,
        wire.account,
        wire.caller,
        wire.order_id,
        wire.symbol,
        wire.maker,
    )
    assert (value.client_order_id or f"ext-{value.venue_order_id}") == wire.client_order_id
    for name in ("price", "quantity", "cost"):
        assert same(getattr(wire, name), getattr(value, name))
    assert [each.asset for each in value.fees] == [each.asset for each in wire.fees]
    assert all(same(each.amount, fee.amount) for each, fee in zip(wire.fees, value.fees, strict=True))


@given(orders_)
def test_an_order_is_told_whole(value):
    """Keys, wish, state, figures and times; end_error exactly where it ended otherwise than filled and a reason is known."""
    wire = convert.order(value)
    assert (value.key.account, value.key.caller, value.key.client_order_id) == (
        wire.account,
        wire.caller,
        wire.client_order_id,
    )
    assert (value.venue_order_id, value.venue_client_id, value.cancel_requested, value.version) == (
        wire.order_id,
        wire.venue_client_id,
        wire.cancel_requested,
        wire.version,
    )
    assert (value.spec, value.status) == (convert.spec_of(wire.spec), convert.STATUS_OF[wire.status])
    assert same(wire.filled_quantity, value.filled_quantity)
    assert same(wire.filled_cost, value.filled_cost)
    assert (value.average_price is None) is (wire.average_price == "")
    assert told(wire.current_trigger_price, value.current_trigger_price)
    assert (value.triggered, value.parent_order_id) == (wire.triggered, wire.parent_order_id)
    assert (value.create_time_ns, value.update_time_ns) == (
        scalars.ns_of(wire.create_time),
        scalars.ns_of(wire.update_time),
    )
    assert (value.open_time_ns is not None) is wire.HasField("open_time")
    badly = value.status in TERMINAL - {Status.FILLED} and value.end_fault is not None
    assert badly is wire.HasField("end_error")
    if badly:
        assert (value.end_fault.reason.name, dict(value.end_fault.metadata)) == (
            wire.end_error.reason,
            dict(wire.end_error.metadata),
        )


@given(st.sampled_from(GapReason), st.lists(texts).map(tuple), st.none() | st.integers(0, 2**60))
def test_a_gap_is_told_whole(reason, symbols, lost):
    """Reason, symbols, and the number lost where it was counted."""
    wire = gap(Gap(reason, symbols, lost))
    assert (scalars.GAP_REASONS[reason], symbols, lost is not None) == (
        wire.reason,
        tuple(wire.symbols),
        wire.HasField("lost_count"),
    )
    assert lost in {None, wire.lost_count}


@given(steps)
def test_a_step_is_told_whole(value):
    """Time, kind, sentence and figures exactly; what a step has nothing to say of is absent, empty or unspecified."""
    wire = story.event(value)
    assert (value.at_ns, story.KINDS[value.kind], value.attempt, value.text, value.trace_id) == (
        scalars.ns_of(wire.time),
        wire.kind,
        wire.attempt,
        wire.text,
        wire.trace_id,
    )
    assert (value.waited_for, value.verdict) == (wire.waited_for, wire.verdict)
    assert value.took_ns == (scalars.span_ns(wire.took) if wire.HasField("took") else None)
    assert value.status == convert.STATUS_OF.get(wire.status)
    assert (value.fault is not None) is wire.HasField("error")
    if value.fault is not None:
        assert (value.fault.reason.name, value.fault.message, dict(value.fault.metadata)) == (
            wire.error.reason,
            wire.error.message,
            dict(wire.error.metadata),
        )
    assert (value.venue_ns is not None) is wire.HasField("venue_times")
    if value.venue_ns is not None:
        assert_times(wire.venue_times, EventTimes(value.venue_ns, value.at_ns))
