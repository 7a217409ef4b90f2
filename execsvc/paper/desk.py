"""The trading desk: what REST and the WebSocket ask of orders, apart from how each of them says it.

Arguments are taken under REST's names; answers are the exchange's own values. Each request is charged to the engine's
counter on receipt, then read, then carried out. `received` is when it arrived and `now` when it is carried out, both on
the exchange's clock. Raises Refused throughout, with Kraken's text.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from .changes import amend, read_change, replace_order
from .edits import edited_terms
from .entry import Window, client_id, read_deadline, read_terms
from .figures import NS
from .limits import Action
from .orders import Amend, Order, Terms
from .params import Params
from .reasons import REASONS
from .venue import Venue
from .words import DEADLINE_ELAPSED, INVALID_ARGUMENTS, INVALID_ORDER, UNKNOWN_ORDER, Refused, bad_argument

BATCH_MIN, BATCH_MAX = 2, 15
CANCELS_MAX = 50
TIMEOUT_MAX_S = 86_400
_ORDER_ID = re.compile(r"[A-Z0-9]{6}-[A-Z0-9]{5}-[A-Z0-9]{6}")
_USERREF = re.compile(r"-?\d{1,10}")
_SHARED = ("pair", "deadline", "validate")  # what a batch says once for all its orders
_RETRY_NS = NS


@dataclass(frozen=True, slots=True)
class Armed:
    """The dead man's switch as it was set: both on the exchange's clock, `strikes` None when it is off."""

    now: int
    strikes: int | None


def read(venue: Venue, params: Params, received: int) -> Terms:
    """Read an order as AddOrder takes it."""
    return read_terms(params, venue.listing(params.need("pair")), received=received, window=_window(venue))


def add(venue: Venue, params: Params, *, received: int, now: int) -> Order:
    """Place one order. It is charged even when it is then refused."""
    venue.quotas.receive("add", venue.listing(params.need("pair")).pair.id, venue.dial.owners(now))
    return _place(venue, read(venue, params, received), now)


def read_batch(venue: Venue, params: Params, received: int) -> list[Terms]:
    """Read 2 to 15 orders of one pair; one that cannot be read refuses them all."""
    shared = {name: params.text(name) for name in _SHARED if params.given(name)}
    rows = params.rows("orders")
    if not BATCH_MIN <= len(rows) <= BATCH_MAX:
        raise bad_argument("orders")
    return [read(venue, Params({**row, **shared}), received) for row in rows]


def add_batch(venue: Venue, params: Params, *, received: int, now: int) -> list[Order | Refused]:
    """Place a batch; what the engine refuses is refused by itself. Returned in the order asked for."""
    listing = venue.listing(params.need("pair"))
    count = len(params.rows("orders"))
    if not BATCH_MIN <= count <= BATCH_MAX:
        raise bad_argument("orders")
    venue.quotas.receive("batch_add", listing.pair.id, venue.dial.owners(now), orders=count)
    placed: list[Order | Refused] = []
    for terms in read_batch(venue, params, received):
        try:
            placed.append(_place(venue, terms, now))
        except Refused as refused:
            placed.append(refused)
    return placed


def amend_order(venue: Venue, params: Params, *, received: int, now: int) -> tuple[Order, Amend]:
    """Amend one open order, named by txid or by cl_ord_id."""
    if params.given("txid") == params.given("cl_ord_id"):
        raise bad_argument("txid")
    order = _one_open(venue, params)
    listing, at = venue.listing(order.terms.pair.id), venue.dial.owners(now)
    venue.quotas.receive("amend", listing.pair.id, at)
    _check_deadline(venue, params, received, now)
    change = read_change(params, order, listing)
    venue.quotas.change("amend", listing.pair.id, at, age_ns=at - order.touched)
    done = amend(venue.engine, listing, order, change, now)
    venue.markets[listing.pair.id].mend(now)
    return order, done


def read_edit(venue: Venue, params: Params, *, received: int) -> tuple[Order, Terms]:
    """Read EditOrder: the order it means and the terms of the one to take its place."""
    listing = venue.listing(params.need("pair"))
    order = _one_open(venue, params)
    return order, edited_terms(order, params, listing, received=received, window=_window(venue))


def edit_order(venue: Venue, params: Params, *, received: int, now: int) -> tuple[Order, Order]:
    """Replace one open order; returns the old one and the new. What was filled stays with the old one."""
    listing, at = venue.listing(params.need("pair")), venue.dial.owners(now)
    venue.quotas.receive("edit", listing.pair.id, at)
    order, terms = read_edit(venue, params, received=received)
    venue.quotas.change("edit", listing.pair.id, at, age_ns=at - order.touched)
    new = replace_order(venue.engine, order, terms, now)
    _after(venue, new, now)
    return order, new


def cancel(venue: Venue, orders: Iterable[Order], now: int, *, action: Action = "cancel", reason: str = "") -> int:
    """Cancel open orders, each charged by its age; returns how many."""
    count, at = 0, venue.dial.owners(now)
    for order in orders:
        if order.open:
            venue.quotas.cancel(order.terms.pair.id, at, age_ns=at - order.touched, action=action)
            venue.engine.cancel(order, now, reason=reason or REASONS.user)
            count += 1
    return count


def cancel_all(venue: Venue, now: int) -> int:
    """Cancel every open order; returns how many there were."""
    return cancel(venue, venue.orders.open_ones(), now)


def cancel_batch(venue: Venue, ids: list[str], client_ids: list[str], now: int) -> int:
    """Cancel up to 50 orders by id, userref or client id; what is not open, or was never there, does not count."""
    if not 1 <= len(ids) + len(client_ids) <= CANCELS_MAX:
        raise bad_argument("orders")
    found: dict[str, Order] = {}
    for text in ids:
        for order in _named(venue, text, strict=False):
            found[order.id] = order
    for text in client_ids:
        carrying = venue.orders.by_client_id(text)
        if carrying is not None:
            found[carrying.id] = carrying
    return cancel(venue, found.values(), now, action="batch_cancel")


def set_deadman(venue: Venue, timeout_s: int, now: int) -> Armed:
    """Set the dead man's switch so many seconds ahead, or off with 0."""
    setting = venue.deadman.set()
    if not timeout_s:
        return Armed(now, None)
    venue.timers.at(venue.dial.owners(now) + timeout_s * NS, lambda at: _strike(venue, setting, at))
    return Armed(now, now + timeout_s * NS)


def targets(venue: Venue, params: Params) -> list[Order]:
    """Find the open orders that txid (an id or a userref), cl_ord_id or userref mean; none of them is an error."""
    txid, cl_ord_id = params.text("txid"), client_id(params)
    if cl_ord_id is not None and not txid:
        order = venue.orders.by_client_id(cl_ord_id)
        return [] if order is None else [order]
    if txid:
        return _named(venue, txid, strict=True)
    userref = params.userref("userref")
    if userref is None:
        raise Refused(INVALID_ARGUMENTS)
    return [order for order in venue.orders.open_ones() if order.terms.userref == userref]


def plan(venue: Venue, order: Order, now: int) -> None:
    """See to it that an order starts and expires when the exchange's clock says so, but not before `now`."""
    if order.terms.starts is not None and order.phase == "scheduled":
        venue.timers.at(max(now, venue.dial.owners(order.terms.starts)), lambda at: _start(venue, order, at))
    if order.terms.expires is not None:
        venue.timers.at(max(now, venue.dial.owners(order.terms.expires)), lambda at: _expire(venue, order, at))


def _window(venue: Venue) -> Window:
    return Window(venue.options.deadline_floor_s, venue.options.deadline_ceiling_s)


def _place(venue: Venue, terms: Terms, now: int) -> Order:
    order = venue.engine.place(terms, now)
    _after(venue, order, now)
    return order


def _after(venue: Venue, order: Order, now: int) -> None:
    if order.open:
        plan(venue, order, venue.dial.owners(now))
    venue.markets[order.terms.pair.id].mend(now)


def _check_deadline(venue: Venue, params: Params, received: int, now: int) -> None:
    deadline = read_deadline(params, received, _window(venue))
    if deadline is not None and deadline <= now:
        raise Refused(DEADLINE_ELAPSED)


def _one_open(venue: Venue, params: Params) -> Order:
    found = targets(venue, params)
    if not found:
        raise Refused(UNKNOWN_ORDER)
    if len(found) > 1:
        raise Refused(INVALID_ORDER)
    return found[0]


def _named(venue: Venue, text: str, *, strict: bool) -> list[Order]:
    """Find the open orders that an id or a userref means; strictly, an id never given out is refused."""
    if _USERREF.fullmatch(text):
        userref = Params({"txid": text}).userref("txid")
        return [order for order in venue.orders.open_ones() if userref is not None and order.terms.userref == userref]
    known = venue.orders.get(text) if _ORDER_ID.fullmatch(text) else None
    if known is None and strict:
        raise Refused(INVALID_ORDER)
    return [known] if known is not None and known.open else []


def _start(venue: Venue, order: Order, now: int) -> None:
    """Begin an order whose time has come; when the exchange's clock was put back meanwhile, it has not come yet."""
    at, starts = venue.dial.reads(now), order.terms.starts
    if order.open and order.phase == "scheduled" and starts is not None and at >= starts:
        venue.engine.start(order, at)
        venue.markets[order.terms.pair.id].mend(at)


def _expire(venue: Venue, order: Order, now: int) -> None:
    """End an order whose time has come; when the exchange's clock was put back meanwhile, it has not come yet."""
    at, expires = venue.dial.reads(now), order.terms.expires
    if order.open and expires is not None and at >= expires:
        venue.engine.cancel(order, at, reason=REASONS.expired, status="expired")


def _strike(venue: Venue, setting: int, now: int) -> None:
    """Let the dead man's switch strike; in maintenance it waits until the engine is back."""
    if not venue.deadman.strikes(setting):
        return
    if venue.engine.system == "maintenance":
        venue.timers.at(now + _RETRY_NS, lambda at: _strike(venue, setting, at))
    else:
        cancel(venue, venue.orders.open_ones(), venue.dial.reads(now), reason=REASONS.after)
