"""Whether a market takes an order as things stand: its mode, what the book would give, what would cross. Pure looks.

Whether the account can pay is books.py's to say, whether the words make an order at all entry.py's.
"""

from dataclasses import replace

from .listing import Listing
from .orders import Order, Terms
from .words import CANCEL_ONLY, LIMIT_ONLY, NOT_REDUCIBLE, ORDER_MINIMUM, POST_ONLY_MODE, Refused

_MODES = {"cancel_only": CANCEL_ONLY, "reduce_only": NOT_REDUCIBLE}


def check_mode(mode: str, terms: Terms) -> None:
    """Raise Refused when a market in this mode takes no such order."""
    if mode in _MODES and not (mode == "reduce_only" and terms.reduce_only):
        raise Refused(_MODES[mode])
    if mode == "post_only" and not terms.post:
        raise Refused(POST_ONLY_MODE)
    if mode == "limit_only" and not terms.limited:
        raise Refused(LIMIT_ONLY)


def crosses(listing: Listing, terms: Terms) -> bool:
    """Tell whether a post-only order with these terms would take at once."""
    waits = terms.starts is not None or terms.trigger is not None
    return bool(terms.post and not waits and terms.price is not None and listing.book.crosses(terms.side, terms.price))


def sized(listing: Listing, terms: Terms, budget: int, owner: str) -> Terms:
    """Return the terms with as many lots as the budget buys from the book; raises Refused when that is too few."""
    pair, lots = terms.pair, 0
    scale = 10 ** (pair.pair_decimals + pair.lot_decimals)
    for price, qty in listing.book.reachable(terms.side, None, owner):
        part = min(qty, budget * scale // (price * 10**pair.quote.decimals))
        lots += part
        budget -= pair.cost_up(price, part)
        if part < qty:
            break
    if lots < pair.ordermin:
        raise Refused(ORDER_MINIMUM)
    return replace(terms, lots=lots)


def fillable(listing: Listing, order: Order, owner: str) -> bool:
    """Tell whether the book holds all that is left of an account's order, its own other orders not counted."""
    there = sum(qty for _, qty in listing.book.reachable(order.terms.side, order.terms.price, owner))
    return there >= order.left
