"""AddOrder's arguments, read and checked into `Terms`. Pure: same request, market and instant, same verdict.

What the exchange does not offer in this version is refused by the name of the field, as Kraken refuses what it does
not know: triggered orders, icebergs, margin, scheduled starts, conditional closes.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from .figures import NS, instant, units
from .listing import Listing
from .orders import Terms
from .pairs import Pair
from .params import Params, decimal
from .words import COST_MINIMUM, INVALID_PRICE, NOT_REDUCIBLE, ORDER_MINIMUM, TICK_SIZE, Refused, bad_argument

_KINDS = ("market", "limit")
_TIFS = ("GTC", "IOC", "GTD", "FOK")
_FLAGS = {"post", "fcib", "fciq", "viqc", "nompp"}
_STPS = ("cancel-newest", "cancel-oldest", "cancel-both")
_CLOSES = ("close", "close[ordertype]", "close[price]", "close[price2]")
_NOT_OFFERED = ("displayvol", "price2", "trigger", *_CLOSES)
_ID_FORMS = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}|[!-~]{1,18}"
)
_EXPIRY_MIN_S, _EXPIRY_MAX_S = 5, 31 * 86_400
_LIMIT_PRICE_MAX = 1 << 62


@dataclass(frozen=True, slots=True)
class Window:
    """How far ahead a deadline may lie, in seconds."""

    floor_s: float = 2.0
    ceiling_s: float = 60.0


def read_terms(params: Params, listing: Listing, *, received: int, window: Window) -> Terms:
    """Read an order for this market; raises Refused with Kraken's text for the first rule it breaks."""
    pair = listing.pair
    side = params.choice("type", ("buy", "sell"), "")
    kind = params.choice("ordertype", _KINDS, "")
    _refuse_what_is_not_offered(params)
    flags = _flags(params, side=side, kind=kind)
    tif = _time_in_force(params, kind)
    price = _price(params, listing, side) if kind == "limit" else None
    in_quote = "viqc" in flags
    volume = params.number("volume")
    if volume is None or volume <= 0:
        raise bad_argument("volume")
    amount = units(volume, pair.quote.decimals if in_quote else pair.lot_decimals)
    if amount is None:
        raise bad_argument("volume")
    _check_size(listing, amount, price, in_quote=in_quote)
    cl_ord_id, userref = _references(params)
    return Terms(
        pair=pair,
        side="buy" if side == "buy" else "sell",
        kind=kind,
        lots=0 if in_quote else amount,
        price=price,
        tif=tif,
        flags=flags,
        budget=amount if in_quote else None,
        expires=_expiry(params, tif, received),
        stp=params.choice("stptype", _STPS, _STPS[0]),
        userref=userref,
        cl_ord_id=cl_ord_id,
        deadline=_deadline(params, received, window),
    )


def client_id(params: Params) -> str | None:
    """Return cl_ord_id in one of its three forms: UUID, 32 hex digits, or up to 18 visible ASCII characters."""
    if not params.given("cl_ord_id"):
        return None
    text = params.text("cl_ord_id")
    if not _ID_FORMS.fullmatch(text):
        raise bad_argument("cl_ord_id")
    return text


def _refuse_what_is_not_offered(params: Params) -> None:
    for name in _NOT_OFFERED:
        if params.text(name) not in ("", "0"):
            raise bad_argument(name)
    if params.text("leverage", "none") not in ("none", "0", "1", "1:1"):
        raise bad_argument("leverage")
    if params.flag("reduce_only"):
        raise Refused(NOT_REDUCIBLE)
    if params.text("starttm", "0") not in ("0", "+0"):
        raise bad_argument("starttm")


def _flags(params: Params, *, side: str, kind: str) -> tuple[str, ...]:
    flags = set(params.words("oflags"))
    wrong = (
        flags - _FLAGS
        or {"fcib", "fciq"} <= flags
        or ("post" in flags and kind != "limit")
        or ("viqc" in flags and (kind, side) != ("market", "buy"))
    )
    if wrong:
        raise bad_argument("oflags")
    flags -= {"nompp"}
    if "fcib" not in flags:
        flags |= {"fciq"}
    return tuple(sorted(flags))


def _time_in_force(params: Params, kind: str) -> str:
    tif = params.text("timeinforce", "GTC").upper()
    if tif not in _TIFS or (kind == "market" and tif in ("GTD", "FOK")):
        raise bad_argument("timeinforce")
    if tif in ("IOC", "FOK") and "post" in params.words("oflags"):
        raise bad_argument("timeinforce")
    return tif


def _expiry(params: Params, tif: str, received: int) -> int | None:
    text = params.text("expiretm", "0")
    if tif != "GTD":
        if text not in ("0", "+0"):
            raise bad_argument("expiretm")
        return None
    value = decimal(text.removeprefix("+"), "expiretm")
    expires = received + int(value * NS) if text.startswith("+") else int(value * NS)
    if not _EXPIRY_MIN_S * NS <= expires - received <= _EXPIRY_MAX_S * NS:
        raise bad_argument("expiretm")
    return expires


def _deadline(params: Params, received: int, window: Window) -> int | None:
    if not params.given("deadline"):
        return None
    deadline = instant(params.text("deadline"))
    if deadline is None or not window.floor_s * NS <= deadline - received <= window.ceiling_s * NS:
        raise bad_argument("deadline")
    return deadline


def _references(params: Params) -> tuple[str | None, int | None]:
    cl_ord_id, userref = client_id(params), params.userref()
    if cl_ord_id is not None and userref is not None:
        raise bad_argument("cl_ord_id")
    return cl_ord_id, userref


def _price(params: Params, listing: Listing, side: str) -> int:
    text = params.need("price")
    pair = listing.pair
    if text[0] in "+-#" or text.endswith("%"):
        return _relative(text, listing, side)
    number = decimal(text, "price")
    if number <= 0:
        raise Refused(INVALID_PRICE)
    price = units(number, pair.pair_decimals)
    if price is None or price % pair.tick:
        raise Refused(TICK_SIZE)
    if price > _LIMIT_PRICE_MAX:
        raise Refused(INVALID_PRICE)
    return price


def _relative(text: str, listing: Listing, side: str) -> int:
    """Read +5, -0.5%, #3: an offset to the last trade; # is below it for a buy and above it for a sell."""
    pair, last = listing.pair, listing.tape.last
    offset = decimal(text.lstrip("+-#").removesuffix("%"), "price")
    away = offset * last / 100 if text.endswith("%") else offset * Decimal(10**pair.pair_decimals)
    sign = {"+": 1, "-": -1, "#": -1 if side == "buy" else 1}.get(text[0])
    if sign is None or offset < 0:
        raise bad_argument("price")
    price = last + sign * int((away / pair.tick).to_integral_value()) * pair.tick
    if price <= 0:
        raise Refused(INVALID_PRICE)
    return price


def _check_size(listing: Listing, amount: int, price: int | None, *, in_quote: bool) -> None:
    pair: Pair = listing.pair
    if in_quote:
        if amount < pair.costmin:
            raise Refused(COST_MINIMUM)
        return
    if amount < pair.ordermin:
        raise Refused(ORDER_MINIMUM)
    if pair.cost(listing.tape.last if price is None else price, amount) < pair.costmin:
        raise Refused(COST_MINIMUM)
