"""The trading half of the REST face: AddOrder and CancelOrder.

Reading an order is entry.py's, carrying it out the engine's; here they are joined in the order Kraken checks.
"""

import re
from collections.abc import Mapping
from typing import Any

from .engine import REASONS
from .entry import Window, client_id, read_terms
from .orders import Order
from .restobjects import describe
from .restqueries import Handler
from .venue import Call, Venue
from .words import INVALID_ARGUMENTS, INVALID_ORDER, UNKNOWN_ORDER, Refused

_ORDER_ID = re.compile(r"[A-Z0-9]{6}-[A-Z0-9]{5}-[A-Z0-9]{6}")
_USERREF = re.compile(r"-?\d{1,10}")


def add_order(venue: Venue, call: Call) -> Any:
    """AddOrder: arguments first, then, unless `validate` is true, the engine.

    The engine's counter is charged on receipt: for an order that is then refused too, but not for a mere `validate`.
    """
    params = call.params
    listing = venue.listing(params.need("pair"))
    validate = params.flag("validate")
    if not validate:
        venue.quotas.add(listing.pair.id, venue.dial.owners(call.now))
    options = venue.options
    window = Window(options.deadline_floor_s, options.deadline_ceiling_s)
    terms = read_terms(params, listing, received=call.received, window=window)
    if validate:
        return {"descr": {"order": describe(Order("", terms, call.now))}}
    order = venue.engine.place(terms, call.now)
    if order.open:
        plan_expiry(venue, order, venue.dial.owners(call.now))
    venue.markets[listing.pair.id].mend(call.now)
    return {"descr": {"order": describe(order)}, "txid": [order.id]}


def cancel_order(venue: Venue, call: Call) -> Any:
    """CancelOrder by order id, client id or userref. An order that has ended is an error, not a success."""
    found = _targets(venue, call)
    if not found:
        raise Refused(UNKNOWN_ORDER)
    now = venue.dial.owners(call.now)
    for order in found:
        venue.quotas.cancel(order.terms.pair.id, now, age_ns=now - order.since)
        venue.engine.cancel(order, call.now, reason=REASONS.user)
    return {"count": len(found)}


TRADING: Mapping[str, tuple[tuple[str, ...], Handler]] = {
    "AddOrder": (("modify-trades",), add_order),
    "CancelOrder": (("modify-trades", "close-trades"), cancel_order),
}


def plan_expiry(venue: Venue, order: Order, now: int) -> None:
    """See to it that an order with an expiry ends when the exchange's clock says so, but not before `now`."""
    if order.terms.expires is not None:
        due = max(now, venue.dial.owners(order.terms.expires))
        venue.timers.at(due, lambda at: _expire(venue, order, at))


def _expire(venue: Venue, order: Order, now: int) -> None:
    """End an order whose time has come; when the exchange's clock was put back meanwhile, it has not come yet."""
    at, expires = venue.dial.reads(now), order.terms.expires
    if order.open and expires is not None and at >= expires:
        venue.engine.cancel(order, at, reason=REASONS.expired, status="expired")


def _targets(venue: Venue, call: Call) -> list[Order]:
    txid = call.params.text("txid")
    cl_ord_id = client_id(call.params)
    if cl_ord_id is not None and not txid:
        order = venue.orders.by_client_id(cl_ord_id)
        return [] if order is None else [order]
    if txid and not _USERREF.fullmatch(txid):
        known = venue.orders.get(txid) if _ORDER_ID.fullmatch(txid) else None
        if known is None:
            raise Refused(INVALID_ORDER)
        return [known] if known.open else []
    userref = call.params.userref("txid" if txid else "userref")
    if userref is None:
        raise Refused(INVALID_ARGUMENTS)
    return [order for order in venue.orders.open_ones() if order.terms.userref == userref]
