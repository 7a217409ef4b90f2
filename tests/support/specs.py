"""Wishes for tests: one of each kind by name, and a Hypothesis strategy of all that can be said.

The kinds are those of the contract's page; what is combined here is what a caller may combine.
"""

from decimal import Decimal

from hypothesis import strategies as st

from execsvc.domain.market import Side
from execsvc.domain.spec import (
    ConditionalClose,
    FeePreference,
    Offset,
    OrderSpec,
    OrderType,
    SelfTradePrevention,
    TimeInForce,
    TriggerReference,
)

D = Decimal
START_NS, EXPIRE_NS = 1_800_000_000_000_000_000, 1_800_086_400_000_000_000
OF_A_LIMIT = (OrderType.LIMIT, OrderType.STOP_LOSS, OrderType.TAKE_PROFIT)


def spec(order_type=OrderType.LIMIT, **parts):
    """Of half a bitcoin to buy; a limit order at 60000 unless said otherwise."""
    if order_type is OrderType.LIMIT:
        parts.setdefault("limit_price", D("60000.0"))
    sized = parts.get("quote_quantity") or parts.get("full_position")
    parts.setdefault("base_quantity", None if sized else D("0.5"))
    return OrderSpec(parts.pop("symbol", "BTC/USD"), parts.pop("side", Side.BUY), order_type=order_type, **parts)


KINDS = {
    "market": spec(OrderType.MARKET),
    "market in quote": spec(OrderType.MARKET, quote_quantity=D("100.50")),
    "limit": spec(),
    "iceberg": spec(display_quantity=D("0.05")),
    "stop": spec(OrderType.STOP_LOSS, side=Side.SELL, trigger_price=D("55000.0")),
    "stop limit": spec(OrderType.STOP_LOSS, side=Side.SELL, trigger_price=D("55000.0"), limit_price=D("54900.0")),
    "take profit": spec(OrderType.TAKE_PROFIT, side=Side.SELL, trigger_price=D("70000.0")),
    "take profit limit": spec(
        OrderType.TAKE_PROFIT,
        side=Side.SELL,
        trigger_price=D("70000.0"),
        limit_price=D("69900.0"),
        trigger_reference=TriggerReference.INDEX,
    ),
    "trailing stop": spec(OrderType.TRAILING_STOP, side=Side.SELL, offset=Offset(D("250.5"))),
    "trailing stop limit": spec(
        OrderType.TRAILING_STOP,
        side=Side.SELL,
        offset=Offset(D("1.5"), percent=True),
        limit_offset=Offset(D("-0.5"), percent=True),
    ),
    "settle position": spec(OrderType.SETTLE_POSITION, full_position=True, leverage=3),
    "close position": spec(OrderType.MARKET, full_position=True, leverage=3),
}
CLOSES = {
    "limit": ConditionalClose(OrderType.LIMIT, limit_price=D("61000.0")),
    "stop": ConditionalClose(OrderType.STOP_LOSS, trigger_price=D("55000.0")),
    "stop limit": ConditionalClose(OrderType.STOP_LOSS, limit_price=D("54900.0"), trigger_price=D("55000.0")),
    "take profit": ConditionalClose(OrderType.TAKE_PROFIT, trigger_price=D("70000.0")),
    "trailing stop": ConditionalClose(OrderType.TRAILING_STOP, offset=Offset(D("2"), percent=True)),
    "trailing stop limit": ConditionalClose(
        OrderType.TRAILING_STOP, offset=Offset(D("25.5")), limit_offset=Offset(D("-10"))
    ),
}

# ---- all that can be said ---------------------------------------------------------------------------------------

above_zero = st.decimals("0.00000001", "999999999", places=8)
offsets = st.builds(Offset, st.decimals("0.01", "99", places=4), percent=st.booleans())
signed_offsets = st.builds(Offset, st.decimals("-99", "99", places=4), percent=st.booleans())


def _prices(order_type):
    """The parts of a type, each as it may be."""
    match order_type:
        case OrderType.LIMIT:
            return st.fixed_dictionaries({"limit_price": above_zero})
        case OrderType.STOP_LOSS | OrderType.TAKE_PROFIT:
            return st.fixed_dictionaries({"trigger_price": above_zero, "limit_price": st.none() | above_zero})
        case OrderType.TRAILING_STOP:
            return st.fixed_dictionaries({"offset": offsets, "limit_offset": st.none() | signed_offsets})
    return st.just({})


closes = st.sampled_from([*OF_A_LIMIT, OrderType.TRAILING_STOP]).flatmap(
    lambda order_type: _prices(order_type).map(lambda parts: ConditionalClose(order_type, **parts))
)


BTC = st.just("BTC/USD")
SHORT_TEXTS = st.text(max_size=8)


@st.composite
def specs(draw, *, symbols=BTC, labels=SHORT_TEXTS, whole_seconds=False):
    """Any wish that the contract's matrix allows."""
    order_type = draw(st.sampled_from(OrderType))
    side = draw(st.sampled_from(Side))
    settles = order_type is OrderType.SETTLE_POSITION
    leverage = draw(st.integers(2, 5)) if settles else draw(st.sampled_from([0, 0, 2, 5]))
    sizes = ["base_quantity", *(["full_position"] if leverage else [])]
    if order_type is OrderType.MARKET and side is Side.BUY and not leverage:
        sizes.append("quote_quantity")
    size = draw(st.sampled_from(sizes))
    parts = {"base_quantity": None, size: True if size == "full_position" else draw(above_zero)}
    parts |= draw(_prices(order_type))
    limited = parts.get("limit_price") is not None or parts.get("limit_offset") is not None
    parts |= _resting(draw, order_type, limited=limited, whole_seconds=whole_seconds)
    if order_type is OrderType.LIMIT:
        rests = parts["time_in_force"] not in {TimeInForce.IOC, TimeInForce.FOK}
        parts["post_only"] = rests and draw(st.booleans())
        parts["display_quantity"] = draw(st.none() | above_zero)
    if not settles:
        parts["start_time_ns"] = draw(st.none() | _instants(whole_seconds=whole_seconds))
        parts["conditional_close"] = draw(st.none() | closes)
    if order_type in {OrderType.STOP_LOSS, OrderType.TAKE_PROFIT, OrderType.TRAILING_STOP}:
        parts["trigger_reference"] = draw(st.sampled_from(TriggerReference))
    return OrderSpec(
        symbol=draw(symbols),
        side=side,
        order_type=order_type,
        leverage=leverage,
        reduce_only=bool(leverage) and draw(st.booleans()),
        self_trade_prevention=draw(st.sampled_from(SelfTradePrevention)),
        fee_preference=draw(st.sampled_from(FeePreference)),
        label=draw(labels),
        **parts,
    )


def _instants(*, whole_seconds):
    return st.integers(1, 4_000_000_000).map(lambda seconds: seconds * 10**9 + (0 if whole_seconds else seconds % 7))


def _resting(draw, order_type, *, limited, whole_seconds):
    """A time in force of the type, and its date."""
    if order_type in {OrderType.MARKET, OrderType.SETTLE_POSITION}:
        return {}
    among = list(TimeInForce) if limited else [TimeInForce.GTC, TimeInForce.GTD]
    chosen = draw(st.sampled_from(among))
    expire_ns = draw(_instants(whole_seconds=whole_seconds)) if chosen is TimeInForce.GTD else None
    return {"time_in_force": chosen, "expire_time_ns": expire_ns}
