"""Changing an open order: amended in place, or replaced by another as the older EditOrder does.

An amend keeps the order's id, fills and, when it only makes it smaller, its place in the queue; a new price or a larger
volume puts it at the end. `Change` is what was asked for, already in the pair's units; what the new terms are is decided
before anything is touched, and refused in Kraken's words.
"""

from dataclasses import dataclass, replace

from .engine import Engine
from .entry import may_show
from .figures import units
from .listing import Listing
from .offsets import read_price
from .orders import Amend, Order, Terms
from .pairs import Pair
from .params import Params
from .reasons import REASONS
from .words import COST_MINIMUM, INVALID_ARGUMENTS, ORDER_MINIMUM, UNKNOWN_ORDER, WOULD_TAKE, Refused, bad_argument

NO_CHANGE = f"{INVALID_ARGUMENTS}:No amendable parameters"
_FIELDS = ("order_qty", "limit_price", "display_qty", "trigger_price")


@dataclass(frozen=True, slots=True)
class Change:
    """What an amend asks for; None is left as it is. `post` refuses a price that would take."""

    lots: int | None = None
    price: int | None = None
    display: int | None = None
    stop: int | None = None
    post: bool = False


def read_change(params: Params, order: Order, listing: Listing) -> Change:
    """Read AmendOrder's arguments for this order; raises Refused."""
    pair, terms = listing.pair, order.terms
    if not any(params.given(name) for name in _FIELDS):
        raise Refused(NO_CHANGE)
    if params.given("limit_price") and terms.price is None:
        raise bad_argument("limit_price")
    if params.given("trigger_price") and (order.phase == "active" or terms.trailing or terms.trigger is None):
        raise bad_argument("trigger_price")
    if params.given("display_qty") and terms.kind != "iceberg":
        raise bad_argument("display_qty")
    rising = terms.trigger.rising if terms.trigger is not None else terms.side == "sell"
    natural, last = 1 if rising else -1, listing.tape.last

    def price(name: str) -> int | None:
        if not params.given(name):
            return None
        return read_price(params.text(name), name, pair, base=last, natural=natural)

    return Change(
        lots=_lots(params, "order_qty", pair),
        price=price("limit_price"),
        display=_lots(params, "display_qty", pair),
        stop=price("trigger_price"),
        post=params.flag("post_only"),
    )


def changed(order: Order, change: Change, listing: Listing) -> Terms:
    """Return the terms an amend leads to; raises Refused for terms that no order could have, or for none changed."""
    terms = order.terms
    lots = terms.lots if change.lots is None else max(change.lots, order.filled)
    price = terms.price if change.price is None else change.price
    display = terms.display if change.display is None else change.display
    trigger = terms.trigger
    if trigger is not None and change.stop is not None:
        trigger = replace(trigger, stop=change.stop)
    amended = replace(terms, lots=lots, price=price, display=display, trigger=trigger)
    if amended == terms:
        raise Refused(NO_CHANGE)
    if lots > order.filled:
        _check_size(amended, price if price is not None else listing.tape.last)
    moved = order.phase == "active" and price is not None and price != terms.price
    if moved and (change.post or terms.post) and listing.book.crosses(terms.side, amended.price or 0):
        raise Refused(WOULD_TAKE)
    return amended


def amend(engine: Engine, listing: Listing, order: Order, change: Change, now: int) -> Amend:
    """Amend an open order; raises Refused, and changes nothing, when that cannot be."""
    if not order.open:
        raise Refused(UNKNOWN_ORDER)
    before, terms = order.terms, changed(order, change, listing)
    engine.books.margin.readmit(order, terms, now)
    done = engine.books.amend(listing, order, terms, now, post=change.post or terms.post)
    if not order.left:
        engine.cancel(order, now, reason=REASONS.user)
    elif order.resting is not None:
        _move(engine, listing, order, before, now)
    elif order.watch is not None and order.phase == "watching" and terms.trigger is not None:
        if not terms.trailing:
            order.watch.stop = terms.trigger.stop
        engine.watch(listing, order, now)
    listing.settle(now)
    engine.look(listing, now)
    return done


def replace_order(engine: Engine, order: Order, terms: Terms, now: int) -> Order:
    """Cancel an order and place another in its stead; raises Refused, and does neither, when the other cannot be."""
    listing = engine.listings[terms.pair.id]
    terms = engine.admitted(terms, now, instead=order)
    engine.books.swap_hold(listing, order, terms, now)
    engine.cancel(order, now, reason=REASONS.replaced)
    return engine.take_in(listing, terms, now, parent=order.id)


def _lots(params: Params, name: str, pair: Pair) -> int | None:
    number = params.number(name)
    if number is None:
        return None
    lots = units(number, pair.lot_decimals)
    if lots is None or lots <= 0:
        raise bad_argument(name)
    return lots


def _check_size(terms: Terms, price: int) -> None:
    pair = terms.pair
    if terms.lots < pair.ordermin:
        raise Refused(ORDER_MINIMUM)
    if pair.cost(price, terms.lots) < pair.costmin:
        raise Refused(COST_MINIMUM)
    if terms.display is not None and not may_show(terms.display, terms.lots):
        raise bad_argument("display_qty")


def _move(engine: Engine, listing: Listing, order: Order, before: Terms, now: int) -> None:
    """Put a resting order where its new terms belong: it keeps its place only if nothing but its volume shrank."""
    terms, resting = order.terms, order.resting
    if resting is None:
        return
    if terms.price == before.price and terms.display == before.display and terms.lots < before.lots:
        listing.book.shrink(resting, before.lots - terms.lots, now)
        return
    engine.withdraw(listing, order, now)
    engine.enter(listing, order, now)
