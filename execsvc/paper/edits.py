"""EditOrder's arguments: the terms of the order that takes another's place. Pure.

What is not restated stays as it was, `post` excepted. The volume is that of both: what the old order has filled is taken
off it. The older of Kraken's two ways to change an order; AmendOrder's is in changes.py.
"""

from dataclasses import replace

from .entry import Window, read_terms
from .figures import fixed
from .listing import Listing
from .orders import Order, Terms, price_texts
from .params import Params
from .words import INVALID_ORDER, Refused, bad_argument

_ASKED = ("volume", "price", "price2", "displayvol", "userref", "deadline")


def edited_terms(order: Order, params: Params, listing: Listing, *, received: int, window: Window) -> Terms:
    """Return the new order's terms; raises Refused.

    Not for an order on another pair, with a client id or a conditional close, nor for one whose trigger was set off.
    """
    terms = order.terms
    if terms.pair is not listing.pair or terms.cl_ord_id is not None or terms.close is not None or order.fired:
        raise Refused(INVALID_ORDER)
    asked = {name: params.text(name) for name in _ASKED if params.given(name)}
    flags = [flag for flag in terms.flags if flag != "post"] + [
        flag for flag in params.words("oflags") if flag == "post"
    ]
    whole = Params({**_as_asked(terms), "oflags": ",".join(flags), **asked})
    edited = read_terms(whole, listing, received=received, window=window)
    if edited.lots <= order.filled:
        raise bad_argument("volume")
    return replace(edited, lots=edited.lots - order.filled, tif=terms.tif, expires=terms.expires)


def _as_asked(terms: Terms) -> dict[str, str]:
    """Return terms as AddOrder would ask for them, without what ends them and when they start."""
    decimals = terms.pair.lot_decimals
    price, price2 = price_texts(terms)
    return {
        "type": terms.side,
        "ordertype": terms.kind,
        "volume": fixed(terms.lots, decimals),
        "price": price,
        "price2": price2,
        "trigger": terms.trigger.reference if terms.trigger is not None else "",
        "displayvol": fixed(terms.display, decimals) if terms.display is not None else "",
        "leverage": str(terms.leverage or "none"),
        "reduce_only": str(terms.reduce_only),
        "stptype": terms.stp,
        "userref": str(terms.userref or 0),
    }
