"""AddOrder's arguments, read and checked into `Terms`. Pure: same request, market and instant, same verdict.

What does not belong together is refused by the name of the field, as Kraken refuses it. Whether an order can be paid
for, crosses, or may be borrowed for is the engine's and the margin desk's to say.
"""

import re
from dataclasses import dataclass

from .closes import read_close
from .figures import NS, instant, units
from .listing import Listing
from .matching import Side
from .orders import Terms
from .pairs import Pair
from .params import Params, decimal
from .triggers import LIMITED, REFERENCES, TRIGGERED, Asked, Seen, Trigger, read_prices
from .words import COST_MINIMUM, NOT_REDUCIBLE, ORDER_MINIMUM, Refused, bad_argument

DISPLAY_SHARE = 15  # an iceberg shows at least a fifteenth of its volume
_KINDS = ("market", "limit", "iceberg", *TRIGGERED, "settle-position")
_PRICED = ("limit", "iceberg", *LIMITED)
_TIFS = ("GTC", "IOC", "GTD", "FOK")
_FLAGS = {"post", "fcib", "fciq", "viqc", "nompp"}
_STPS = ("cancel-newest", "cancel-oldest", "cancel-both")
_ID_FORMS = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|[0-9a-fA-F]{32}|[!-~]{1,18}"
)
_EXPIRY_MIN_S, _EXPIRY_MAX_S = 5, 31 * 86_400
_NOW = ("0", "+0")


@dataclass(frozen=True, slots=True)
class Window:
    """How far ahead a deadline may lie, in seconds."""

    floor_s: float = 2.0
    ceiling_s: float = 60.0


def read_terms(params: Params, listing: Listing, *, received: int, window: Window) -> Terms:
    """Read an order for this market; raises Refused with Kraken's text for the first rule it breaks."""
    pair = listing.pair
    side: Side = "buy" if params.choice("type", ("buy", "sell"), "") == "buy" else "sell"
    kind = params.choice("ordertype", _KINDS, "")
    leverage = _leverage(params, kind)
    flags = _flags(params, side=side, kind=kind)
    tif = _time_in_force(params, kind)
    starts = _start(params, received)
    price, trigger, seen = _prices(params, listing, kind, side, received)
    budget, lots = _volume(params, pair, in_quote="viqc" in flags, on_margin=leverage is not None)
    if budget is not None and (leverage is not None or starts is not None):
        raise bad_argument("oflags")
    _check_size(listing, lots, budget, price if trigger is None or price is not None else trigger.stop)
    cl_ord_id, userref = _references(params)
    return Terms(
        pair=pair,
        side=side,
        kind=kind,
        lots=lots,
        price=price,
        tif=tif,
        flags=flags,
        budget=budget,
        expires=_expiry(params, tif, received, starts),
        stp=params.choice("stptype", _STPS, _STPS[0]),
        userref=userref,
        cl_ord_id=cl_ord_id,
        deadline=read_deadline(params, received, window),
        trigger=trigger,
        display=_display(params, kind, lots, pair),
        starts=starts,
        close=read_close(params, pair, side, seen),
        leverage=leverage,
        reduce_only=params.flag("reduce_only"),
    )


def client_id(params: Params) -> str | None:
    """Return cl_ord_id in one of its three forms: UUID, 32 hex digits, or up to 18 visible ASCII characters."""
    if not params.given("cl_ord_id"):
        return None
    text = params.text("cl_ord_id")
    if not _ID_FORMS.fullmatch(text):
        raise bad_argument("cl_ord_id")
    return text


def read_deadline(params: Params, received: int, window: Window) -> int | None:
    """Return the instant after which the engine must not act, or None; raises Refused outside the window."""
    if not params.given("deadline"):
        return None
    deadline = instant(params.text("deadline"))
    if deadline is None or not window.floor_s * NS <= deadline - received <= window.ceiling_s * NS:
        raise bad_argument("deadline")
    return deadline


def may_show(display: int, lots: int) -> bool:
    """Tell whether an iceberg of so many lots may show so few."""
    return 0 < display <= lots <= display * DISPLAY_SHARE


def _leverage(params: Params, kind: str) -> int | None:
    """Return leverage as a whole number, 5 for "5" or "5:1"; None for none."""
    text = params.text("leverage", "none").removesuffix(":1")
    if text in ("none", "0", "1"):
        if params.flag("reduce_only"):
            raise Refused(NOT_REDUCIBLE)
        if kind == "settle-position":
            raise bad_argument("leverage")
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 2):  # noqa: PLR2004 - two digits are any leverage there is
        raise bad_argument("leverage")
    return int(text)


def _flags(params: Params, *, side: str, kind: str) -> tuple[str, ...]:
    flags = set(params.words("oflags"))
    wrong = (
        flags - _FLAGS
        or {"fcib", "fciq"} <= flags
        or ("post" in flags and kind not in _PRICED)
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
    wrong = (
        tif not in _TIFS
        or (tif == "FOK" and kind not in _PRICED)
        or (tif == "GTD" and kind in ("market", "settle-position"))
        or (tif in ("IOC", "FOK") and (kind == "iceberg" or "post" in params.words("oflags")))
    )
    if wrong:
        raise bad_argument("timeinforce")
    return tif


def _moment(params: Params, name: str, received: int) -> int | None:
    """Return an instant in ns, given as a Unix time or as +seconds; None for 0."""
    text = params.text(name, "0")
    if text in _NOW:
        return None
    value = int(decimal(text.removeprefix("+"), name) * NS)
    return received + value if text.startswith("+") else value


def _start(params: Params, received: int) -> int | None:
    starts = _moment(params, "starttm", received)
    if starts is not None and not 0 < starts - received <= _EXPIRY_MAX_S * NS:
        raise bad_argument("starttm")
    return starts


def _expiry(params: Params, tif: str, received: int, starts: int | None) -> int | None:
    expires = _moment(params, "expiretm", received)
    if (expires is None) == (tif == "GTD"):
        raise bad_argument("expiretm")
    if expires is not None:
        early = expires - (received if starts is None else starts) < _EXPIRY_MIN_S * NS
        if early or expires - received > _EXPIRY_MAX_S * NS:
            raise bad_argument("expiretm")
    return expires


def _references(params: Params) -> tuple[str | None, int | None]:
    cl_ord_id, userref = client_id(params), params.userref()
    if cl_ord_id is not None and userref is not None:
        raise bad_argument("cl_ord_id")
    return cl_ord_id, userref


def _prices(
    params: Params, listing: Listing, kind: str, side: Side, received: int
) -> tuple[int | None, Trigger | None, Seen]:
    reference = params.choice("trigger", REFERENCES, "last")
    if params.given("trigger") and kind not in TRIGGERED:
        raise bad_argument("trigger")
    texts = params.text("price"), params.text("price2")
    seen = Seen(listing.tape.last, listing.reference(reference, received))
    price, trigger = read_prices(Asked(kind, side, *texts, reference), listing.pair, seen)
    return price, trigger, seen


def _volume(params: Params, pair: Pair, *, in_quote: bool, on_margin: bool) -> tuple[int | None, int]:
    """Return the budget in the quote asset's units, if the volume is one, and the lots; 0 lots only on margin."""
    volume = params.number("volume")
    if volume is None or volume < 0 or (volume == 0 and not on_margin):
        raise bad_argument("volume")
    amount = units(volume, pair.quote.decimals if in_quote else pair.lot_decimals)
    if amount is None:
        raise bad_argument("volume")
    return (amount, 0) if in_quote else (None, amount)


def _display(params: Params, kind: str, lots: int, pair: Pair) -> int | None:
    number = params.number("displayvol")
    if kind != "iceberg":
        if number:
            raise bad_argument("displayvol")
        return None
    display = None if number is None else units(number, pair.lot_decimals)
    if display is None or not may_show(display, lots):
        raise bad_argument("displayvol")
    return display


def _check_size(listing: Listing, lots: int, budget: int | None, price: int | None) -> None:
    pair = listing.pair
    if budget is not None:
        if budget < pair.costmin:
            raise Refused(COST_MINIMUM)
        return
    if not lots:
        return
    if lots < pair.ordermin:
        raise Refused(ORDER_MINIMUM)
    if pair.cost(listing.tape.last if price is None else price, lots) < pair.costmin:
        raise Refused(COST_MINIMUM)
