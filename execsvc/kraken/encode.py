"""Domain words into Kraken's request parameters, and parameters into the bytes that are signed and sent.

Only what this build places is said: market and limit, GTC and IOC, post-only. A market order carries no time in force (a
venue may refuse it, kraken.md 2.4), and GTC is Kraken's default.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import quote_plus

from execsvc.domain import money
from execsvc.domain.instrument import Instrument
from execsvc.domain.order import Order, OrderType, TimeInForce

_PLAIN = re.compile(r"[A-Za-z0-9._-]*", re.ASCII)
_MILLISECOND_NS = 1_000_000
_THOUSAND = 1_000


def add_order(order: Order, instrument: Instrument, deadline_ns: int) -> dict[str, str]:
    """AddOrder. `deadline_ns` is Kraken's own clock; the engine drops the order if it comes later."""
    spec = order.spec
    params = {
        "ordertype": spec.order_type.value,
        "type": spec.side.value,
        "volume": money.text(spec.base_quantity),
        "pair": pair(instrument),
        "cl_ord_id": order.venue_client_id,
        "deadline": instant(deadline_ns),
    }
    if spec.limit_price is not None:
        params["price"] = money.text(spec.limit_price)
    if spec.post_only:
        params["oflags"] = "post"
    if spec.order_type is OrderType.LIMIT and spec.time_in_force is not TimeInForce.GTC:
        params["timeinforce"] = spec.time_in_force.value.upper()
    return params


def cancel_order(venue_order_id: str, venue_client_id: str) -> dict[str, str]:
    """CancelOrder: by txid where it is known, else by our own id."""
    return {"txid": venue_order_id} if venue_order_id else {"cl_ord_id": venue_client_id}


def pair(instrument: Instrument) -> str:
    """How REST names the pair: its id, the first of the other spellings (names.py)."""
    return instrument.venue_symbols[0] if instrument.venue_symbols else instrument.symbol


def instant(at_ns: int) -> str:
    """RFC 3339 in milliseconds, cut off so that it is never later than `at_ns`."""
    at_ms = at_ns // _MILLISECOND_NS
    seconds = datetime.fromtimestamp(at_ms // _THOUSAND, UTC)
    return f"{seconds:%Y-%m-%dT%H:%M:%S}.{at_ms % _THOUSAND:03d}Z"


def seconds(at_ns: int) -> str:
    """Unix time for `start`, `end`, `since`; the scale is kept, whole seconds print as such."""
    return money.numeral(Decimal(at_ns).scaleb(-9))


def form(params: Mapping[str, str], nonce: int | None = None) -> bytes:
    """application/x-www-form-urlencoded, the nonce first."""
    pairs = [f"{name}={value if _PLAIN.fullmatch(value) else quote_plus(value)}" for name, value in params.items()]
    if nonce is not None:
        pairs.insert(0, f"nonce={nonce}")
    return "&".join(pairs).encode()
