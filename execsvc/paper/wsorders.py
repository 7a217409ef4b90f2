"""WebSocket v2's order fields, turned into REST's: the same order in the other face's words. Pure.

Numbers become text, instants Unix seconds, prices with a type relative prices, booleans flags. What makes an order
sound is entry.py's affair; only what cannot be put into REST's words at all is refused here.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from .figures import fixed, instant
from .pairs import Pair
from .triggers import LIMITED
from .words import INVALID_PRICE, Refused, bad_argument

Fields = dict[str, Any]

_EXPONENT_MAX = 30
_INSTANT_DECIMALS = 9
_LEVERAGE_MAX = 5  # a WebSocket order on margin takes the pair's highest leverage up to this
_PREFERENCES = {"base": "fcib", "quote": "fciq"}
_AMENDABLE = ("limit_price", "limit_price_type", "trigger_price", "trigger_price_type", "display_qty", "post_only")
_ORDER = (
    "order_type",
    "side",
    "order_qty",
    "cash_order_qty",
    "limit_price",
    "limit_price_type",
    "triggers",
    "conditional",
    "time_in_force",
    "expire_time",
    "effective_time",
    "post_only",
    "reduce_only",
    "margin",
    "no_mpp",
    "display_qty",
    "fee_preference",
    "stp_type",
    "cl_ord_id",
    "order_userref",
    "sender_sub_id",
)
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "add_order": (*_ORDER, "symbol", "deadline", "validate"),
    "amend_order": ("order_id", "cl_ord_id", "order_qty", *_AMENDABLE, "symbol", "deadline"),
    "edit_order": (
        "order_id",
        "symbol",
        "order_qty",
        "limit_price",
        "triggers",
        "display_qty",
        "post_only",
        "reduce_only",
        "order_userref",
        "deadline",
        "validate",
        "fee_preference",
        "no_mpp",
    ),
    "cancel_order": ("order_id", "cl_ord_id", "order_userref"),
    "cancel_all": (),
    "cancel_all_orders_after": ("timeout",),
    "batch_add": ("symbol", "orders", "deadline", "validate"),
    "batch_cancel": ("orders", "cl_ord_id"),
}


def check_fields(method: str, params: Mapping[str, Any], *, row: bool = False) -> None:
    """Raise Refused for the first field the method does not have, or a `row` of its batch, in Kraken's words."""
    known = _ORDER if row else (*_FIELDS[method], "token")
    for name in params:
        if name not in known:
            raise Refused(f"Unsupported field: '{name}' for the given msg type: {method.replace('_', ' ')}")


def order_fields(params: Mapping[str, Any], pair: Pair) -> Fields:
    """Return AddOrder's parameters of an order, without its pair."""
    kind, side = _word(params, "order_type"), _word(params, "side")
    fields: Fields = {"ordertype": kind, "type": side, "volume": _number(params, "order_qty")} | _prices(params, kind)
    flags = ["post"] if _flag(params, "post_only") else []
    if params.get("cash_order_qty") is not None:
        fields["volume"] = _number(params, "cash_order_qty")
        flags.append("viqc")
    if params.get("fee_preference") is not None:
        flags.append(_preference(params))
    fields["oflags"] = ",".join(flags)
    fields["displayvol"] = _number(params, "display_qty")
    fields["timeinforce"] = _word(params, "time_in_force").upper()
    fields["expiretm"] = _instant(params, "expire_time")
    fields["starttm"] = _instant(params, "effective_time")
    fields["stptype"] = _word(params, "stp_type").replace("_", "-")
    fields["reduce_only"] = _flag(params, "reduce_only")
    if _flag(params, "margin"):
        fields["leverage"] = str(max(x for x in pair.raw[f"leverage_{_side(side)}"] if x <= _LEVERAGE_MAX))
    return fields | _conditional(params) | _references(params)


def amend_fields(params: Mapping[str, Any]) -> Fields:
    """Return AmendOrder's parameters."""
    fields = {
        "txid": _word(params, "order_id"),
        "cl_ord_id": _word(params, "cl_ord_id"),
        "pair": _word(params, "symbol"),
        "deadline": _word(params, "deadline"),
        "order_qty": _number(params, "order_qty"),
        "display_qty": _number(params, "display_qty"),
        "limit_price": _price(params, "limit_price"),
        "trigger_price": _price(params, "trigger_price"),
    }
    return _given(fields) | ({"post_only": True} if _flag(params, "post_only") else {})


def edit_fields(params: Mapping[str, Any], kind: str) -> Fields:
    """Return EditOrder's parameters for an order of that type."""
    flags = ["post"] if _flag(params, "post_only") else []
    if params.get("fee_preference") is not None:
        flags.append(_preference(params))
    fields: Fields = {
        "txid": _word(params, "order_id"),
        "pair": _word(params, "symbol"),
        "volume": _number(params, "order_qty"),
        "displayvol": _number(params, "display_qty"),
        "oflags": ",".join(flags),
        "deadline": _word(params, "deadline"),
        "validate": _flag(params, "validate"),
        "reduce_only": _flag(params, "reduce_only"),
    }
    return _given(fields) | _prices(params, kind) | _references(params)


def texts(params: Mapping[str, Any], name: str) -> list[str]:
    """Return a list of texts; raises Refused when it is anything else."""
    value = params.get(name) or []
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise bad_argument(name)
    return value


def integers(params: Mapping[str, Any], name: str) -> list[int]:
    """Return a list of whole numbers; raises Refused when it is anything else."""
    value = params.get(name) or []
    if not isinstance(value, list) or not all(isinstance(part, int) and not isinstance(part, bool) for part in value):
        raise bad_argument(name)
    return value


def _prices(params: Mapping[str, Any], kind: str) -> Fields:
    """Return price and price2: the limit price comes second when there is a trigger price to come first."""
    limit, triggers = _price(params, "limit_price"), _object(params, "triggers")
    if not triggers:
        return _given({"price2" if kind in LIMITED else "price": limit})
    fields = {"price": _price(triggers, "price", kind="price_type"), "trigger": _word(triggers, "reference")}
    return _given(fields | {"price2": limit})


def _conditional(params: Mapping[str, Any]) -> Fields:
    close = _object(params, "conditional")
    if not close:
        return {}
    kind, limit, trigger = _word(close, "order_type"), _price(close, "limit_price"), _price(close, "trigger_price")
    prices = {"close[price]": trigger, "close[price2]": limit} if trigger else {"close[price]": limit}
    return _given({"close[ordertype]": kind} | prices)


def _references(params: Mapping[str, Any]) -> Fields:
    fields: Fields = {name: _word(params, name) for name in ("cl_ord_id", "sender_sub_id")}
    userref = params.get("order_userref")
    if userref is not None and (isinstance(userref, bool) or not isinstance(userref, int)):
        raise bad_argument("order_userref")
    return _given(fields | {"userref": userref})


def _price(params: Mapping[str, Any], name: str, *, kind: str = "") -> str:
    """Return a price in REST's way: as it is, or as a distance with a sign and perhaps a percent sign."""
    text, meant = _number(params, name), _word(params, kind or f"{name}_type") or "static"
    if not text:
        return ""
    if meant == "static":
        if text.startswith("-") or Decimal(text) == 0:
            raise Refused(INVALID_PRICE)
        return text
    signed = text if text.startswith("-") else f"+{text}"
    endings = {"pct": "%", "quote": ""}
    if meant not in endings:
        raise bad_argument(kind or f"{name}_type")
    return signed + endings[meant]


def _number(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise bad_argument(name)
    number = Decimal(value)
    if not number.is_finite() or abs(number.adjusted()) > _EXPONENT_MAX:
        raise bad_argument(name)
    return f"{number:f}"


def _instant(params: Mapping[str, Any], name: str) -> str:
    text = _word(params, name)
    if not text:
        return ""
    at = instant(text)
    if at is None:
        raise bad_argument(name)
    return fixed(at, _INSTANT_DECIMALS)


def _word(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name)
    if value is not None and not isinstance(value, str):
        raise bad_argument(name)
    return value or ""


def _flag(params: Mapping[str, Any], name: str) -> bool:
    value = params.get(name)
    if value is not None and not isinstance(value, bool):
        raise bad_argument(name)
    return value is True


def _object(params: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = params.get(name)
    if value is not None and not isinstance(value, Mapping):
        raise bad_argument(name)
    return value or {}


def _preference(params: Mapping[str, Any]) -> str:
    wanted = _PREFERENCES.get(_word(params, "fee_preference"))
    if wanted is None:
        raise bad_argument("fee_preference")
    return wanted


def _side(side: str) -> str:
    if side not in ("buy", "sell"):
        raise bad_argument("side")
    return side


def _given(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if value not in ("", None, False)}
