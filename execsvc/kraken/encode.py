"""Domain words into Kraken's request parameters, and parameters into the bytes that are signed and sent.

What stands at Kraken's default is left out, so a market order has no time in force (a venue may refuse it, kraken.md 2.4).
Kraken counts starts and ends in whole seconds: a start is never sooner than asked, an end never later. A question to Kraken
is made by a function of its own, and nothing that it makes can place.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import quote_plus

from execsvc.domain import money
from execsvc.domain.instrument import Instrument
from execsvc.domain.market import Side
from execsvc.domain.order import Order
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

_PLAIN = re.compile(r"[A-Za-z0-9._:-]*", re.ASCII)
_TAKES = frozenset({OrderType.MARKET, OrderType.SETTLE_POSITION})  # and never waits in the book
_NEWEST = SelfTradePrevention.CANCEL_NEWEST  # Kraken's default
_SECOND_NS = 1_000_000_000
_MILLISECOND_NS = 1_000_000
_THOUSAND = 1_000


def add_order(order: Order, instrument: Instrument, deadline_ns: int) -> dict[str, str]:
    """AddOrder. `deadline_ns` is Kraken's own clock; the engine drops the order if it comes later."""
    return {
        **_wanted(order.spec, instrument),
        "cl_ord_id": order.venue_client_id,
        "deadline": instant(deadline_ns),
    }


def add_order_dry(spec: OrderSpec, instrument: Instrument) -> dict[str, str]:
    """AddOrder as a question: Kraken looks at the arguments and places nothing. It has no id that an order could have."""
    return {**_wanted(spec, instrument), "validate": "true"}


def _wanted(spec: OrderSpec, instrument: Instrument) -> dict[str, str]:
    """What AddOrder says of the wish itself; what is as Kraken has it by default is left out (kraken.md 2.4)."""
    params = {
        "ordertype": _ordertype(spec),
        "type": spec.side.value,
        "volume": money.text(spec.base_quantity or spec.quote_quantity or money.ZERO),
        "pair": pair(instrument),
    }
    price, price2 = _prices(spec)
    optional = {
        "price": price,
        "price2": price2,
        "displayvol": "" if spec.display_quantity is None else money.text(spec.display_quantity),
        "trigger": "index" if spec.trigger_reference is TriggerReference.INDEX else "",
        "leverage": str(spec.leverage) if spec.leverage else "",
        "reduce_only": "true" if spec.reduce_only else "",
        "stptype": "" if spec.self_trade_prevention is _NEWEST else spec.self_trade_prevention.value,
        "oflags": ",".join(_flags(spec)),
        "timeinforce": _time_in_force(spec),
        "starttm": "" if spec.start_time_ns is None else str(-(-spec.start_time_ns // _SECOND_NS)),
        "expiretm": "" if spec.expire_time_ns is None else str(spec.expire_time_ns // _SECOND_NS),
        **_close(spec.conditional_close),
    }
    return params | {name: value for name, value in optional.items() if value}


def _ordertype(whole: OrderSpec | ConditionalClose) -> str:
    if whole.order_type is OrderType.LIMIT:
        return "iceberg" if isinstance(whole, OrderSpec) and whole.display_quantity is not None else "limit"
    fires_limit = whole.limit_price is not None or whole.limit_offset is not None
    return f"{whole.order_type.value}-limit" if fires_limit else whole.order_type.value


def _prices(whole: OrderSpec | ConditionalClose) -> tuple[str, str]:
    """`price` and `price2`: the trigger, if there is one, comes first. A distance is relative: "+1.5%", "-25"."""
    limit = "" if whole.limit_price is None else money.text(whole.limit_price)
    if whole.trigger_price is not None:
        return money.text(whole.trigger_price), limit
    if whole.offset is not None:
        return _relative(whole.offset), "" if whole.limit_offset is None else _relative(whole.limit_offset)
    return limit, ""


def _relative(offset: Offset) -> str:
    return f"{offset.value:+f}{'%' if offset.percent else ''}"


def _time_in_force(spec: OrderSpec) -> str:
    takes = spec.order_type in _TAKES
    return "" if takes or spec.time_in_force is TimeInForce.GTC else spec.time_in_force.value.upper()


def _flags(spec: OrderSpec) -> Iterator[str]:
    """The fee's asset is said where Kraken's pages disagree about the default, which is a sell's."""
    if spec.post_only:
        yield "post"
    if spec.fee_preference is FeePreference.BASE:
        yield "fcib"
    elif spec.side is Side.SELL:
        yield "fciq"
    if spec.quote_quantity is not None:
        yield "viqc"


def _close(close: ConditionalClose | None) -> dict[str, str]:
    if close is None:
        return {}
    price, price2 = _prices(close)
    return {"close[ordertype]": _ordertype(close), "close[price]": price, "close[price2]": price2}


def cancel_order(venue_order_id: str, venue_client_id: str) -> dict[str, str]:
    """CancelOrder: by txid where it is known, else by our own id."""
    return {"txid": venue_order_id} if venue_order_id else {"cl_ord_id": venue_client_id}


def pair(instrument: Instrument) -> str:
    """How REST names the pair: its id, the first of the other spellings (names.py)."""
    return instrument.venue_symbols[0] if instrument.venue_symbols else instrument.symbol


def instant(at_ns: int) -> str:
    """RFC 3339 in milliseconds, cut off so that it is never later than `at_ns`."""
    at_ms = at_ns // _MILLISECOND_NS
    seconds = datetime.fromtimestamp(at_ms // _THOUSAND, UTC).replace(tzinfo=None)
    return f"{seconds.isoformat()}.{at_ms % _THOUSAND:03d}Z"


def seconds(at_ns: int) -> str:
    """Unix time for `start`, `end`, `since`; the scale is kept, whole seconds print as such."""
    return money.numeral(Decimal(at_ns).scaleb(-9))


def json_body(params: Mapping[str, str], nonce: int) -> bytes:
    """application/json, the nonce first and as text (2^53, kraken.md 1); each value is a piece of JSON already."""
    parts = [f'"nonce":"{nonce}"', *(f'"{name}":{value}' for name, value in params.items())]
    return f"{{{','.join(parts)}}}".encode()


def form(params: Mapping[str, str], nonce: int | None = None) -> bytes:
    """application/x-www-form-urlencoded, the nonce first."""
    pairs = [f"{name}={_quoted(value)}" for name, value in params.items()]
    if nonce is not None:
        pairs.insert(0, f"nonce={nonce}")
    return "&".join(pairs).encode()


def _quoted(value: str) -> str:
    """As quote_plus has it; but most values are plain, and every order has an instant."""
    return value.replace(":", "%3A") if _PLAIN.fullmatch(value) else quote_plus(value)
