"""The matching engine's order desk: accept, wait, trade, rest, cancel, in the order of price and time.

Everything takes `now`, on the exchange's clock. What an order does to the account is books.py's, what happens to a
market is left on its listing. Each account has an engine of its own over the same books of orders; the `Pit` is where they
meet: a fill of two accounts is booked by both, and a price that was paid is seen by all. Makers and takers of the seeded
market trade through `house_take` and `house_quote`, against the same book and the same rules. What a fill brings about
(triggers set off, conditional closes) is carried out before a call returns. Changing an open order is changes.py's.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .admission import check_mode, crosses, fillable, sized
from .books import Books
from .listing import Listing
from .matching import Fill, Resting, Side, opposite
from .offspring import closing_terms
from .orders import Order, Terms, Trade
from .positions import Position
from .quotas import Quotas
from .reasons import REASONS
from .tape import Print
from .triggers import watch_from
from .words import DEADLINE_ELAPSED, WOULD_TAKE, Refused


@dataclass(slots=True)
class Pit:
    """What the engines of all accounts share: the exchange's status, and one another, by the account's name."""

    system: str = "online"
    engines: "dict[str, Engine]" = field(default_factory=dict)


class Engine:
    """One account's orders against all listings."""

    def __init__(
        self, listings: Mapping[str, Listing], books: Books, *, pit: Pit, quotas: Quotas, soft_post: bool
    ) -> None:
        self.listings = listings
        self._pit = pit
        pit.engines[books.owner] = self
        self._quotas = quotas
        self._soft_post = soft_post
        self._watching: dict[str, dict[str, Order]] = {pair_id: {} for pair_id in listings}
        self._todo: deque[int | Trade] = deque()
        self.books = books

    @property
    def system(self) -> str:
        """Return the status of the whole exchange."""
        return self._pit.system

    @system.setter
    def system(self, status: str) -> None:
        self._pit.system = status

    def place(self, terms: Terms, now: int) -> Order:
        """Accept an order and let it trade, or wait; raises Refused when nothing was done."""
        listing = self.listings[terms.pair.id]
        terms = self.admitted(terms, now)
        self._quotas.check_room(terms.pair.id, self.books.orders.open_on(terms.pair.id))
        return self.take_in(listing, terms, now)

    def admitted(self, terms: Terms, now: int, *, instead: Order | None = None) -> Terms:
        """Check an order before it is taken in, perhaps `instead` of another; returns its terms with a volume filled in.

        Raises Refused.
        """
        listing = self.listings[terms.pair.id]
        if terms.deadline is not None and terms.deadline <= now:
            raise Refused(DEADLINE_ELAPSED)
        check_mode(listing.status if self.system == "online" else self.system, terms)
        self.books.orders.claim(terms.cl_ord_id)
        if crosses(listing, terms) and not self._soft_post:
            raise Refused(WOULD_TAKE)
        terms = self.books.margin.admit(terms, now, instead=instead)
        return terms if terms.budget is None else sized(listing, terms, terms.budget, self.books.owner)

    def take_in(self, listing: Listing, terms: Terms, now: int, *, parent: str | None = None) -> Order:
        """Take an order in whose terms were checked; raises Refused without the funds."""
        order = self.books.accept(listing, terms, now, parent=parent)
        if order.phase != "scheduled":
            self._begin(listing, order, now)
        listing.settle(now)
        self.look(listing, now)
        return order

    def start(self, order: Order, now: int) -> None:
        """Begin a scheduled order whose time has come."""
        listing = self.listings[order.terms.pair.id]
        order.phase = "active" if order.terms.trigger is None else "watching"
        order.live = self.books.owners(now)
        if self._afford(listing, order, now):
            self._begin(listing, order, now)
        listing.settle(now)
        self.look(listing, now)

    def cancel(self, order: Order, now: int, *, reason: str, status: str = "canceled") -> None:
        """End an open order and release what it still holds."""
        listing = self.listings[order.terms.pair.id]
        self.withdraw(listing, order, now)
        order.reason = reason
        self.books.end(order, now, status)
        self.books.tell(status, order, now, status)
        listing.settle(now)

    def house_take(
        self, listing: Listing, side: Side, limit: int | None, lots: int, now: int, *, kind: str = "market"
    ) -> int:
        """Let a stranger take up to `lots`; returns what it got. `look` carries out what follows from it."""
        left, going = lots, True
        while left and going:
            match = listing.book.match(side, limit, left, now=now)
            for fill in match.fills:
                self._fill(listing, fill, None, side, kind, now)
            left, going = match.left, match.paused
        listing.settle(now)
        return lots - left

    def house_quote(self, listing: Listing, side: Side, price: int, lots: int, now: int) -> None:
        """Let a maker quote; what crosses an account's orders trades with them first, and `look` does the rest."""
        if listing.book.crosses(side, price):
            lots -= self.house_take(listing, side, price, lots, now, kind="limit")
        if lots and price not in listing.book.halves[side].makers:
            listing.book.rest(Resting(side, price, lots), now)

    def look(self, listing: Listing, now: int) -> None:
        """Carry out, for every account, what the fills brought about; every order triggers once, so it ends."""
        engines = tuple(self._pit.engines.values())
        for engine in engines:
            engine.see(listing, now)
        while any(engine.owes for engine in engines):
            for engine in engines:
                engine.see(listing, now)

    @property
    def owes(self) -> bool:
        """Tell whether fills brought something about that is not carried out yet."""
        return bool(self._todo)

    def see(self, listing: Listing, now: int) -> None:
        """Carry out what the fills brought about here, then let the orders that wait for the index look at it."""
        if not self._todo and not self._watching[listing.pair.id]:
            return
        self._finish(listing, now)
        for order in list(self._watching[listing.pair.id].values()):
            if order.open and order.terms.trigger is not None and order.terms.trigger.reference == "index":
                self._observe(listing, order, listing.reference("index", now), now)
        self._finish(listing, now)
        listing.settle(now)

    def liquidate(self, position: Position, now: int) -> None:
        """Close what is open of a position at the market, because the margin level asks for it."""
        listing = self.listings[position.pair.id]
        terms = Terms(
            pair=position.pair,
            side=opposite(position.side),
            kind="market",
            lots=position.left,
            price=None,
            leverage=position.leverage,
            reduce_only=True,
            liquidates=True,
        )
        self.take_in(listing, terms, now)

    def prove(self) -> None:
        """Check the ledger and that every open order holds exactly what it should."""
        self.books.prove()

    def enter(self, listing: Listing, order: Order, now: int) -> None:
        """Let an order meet the book, and rest there if it may."""
        terms = order.terms
        if terms.kind == "settle-position":
            self._settle(order, now)
        elif terms.post and terms.price is not None and listing.book.crosses(terms.side, terms.price):
            self.cancel(order, now, reason=REASONS.post)
        elif terms.tif == "FOK" and not fillable(listing, order, self.books.owner):
            self.cancel(order, now, reason=REASONS.fok)
        else:
            self._trade(listing, order, now)

    def watch(self, listing: Listing, order: Order, now: int) -> None:
        """Let an order wait for its trigger; one that need not wait is set off at once."""
        trigger = order.terms.trigger
        if trigger is not None:
            price = listing.reference(trigger.reference, now)
            self._watching[listing.pair.id][order.id] = order
            if order.watch is None:
                order.watch = watch_from(trigger, price, order.terms.pair)
                if trigger.trail is not None:
                    self.books.tell_state("status", order, now)
            self._observe(listing, order, price, now)

    def withdraw(self, listing: Listing, order: Order, now: int) -> None:
        """Take an order out of the book and away from its trigger."""
        self._watching[listing.pair.id].pop(order.id, None)
        if order.resting is not None:
            listing.book.remove(order.resting, now)
            order.resting = None

    def _finish(self, listing: Listing, now: int) -> None:
        """Carry out what the fills so far brought about. Every order triggers once and closes have no closes: it ends."""
        while self._todo:
            cause = self._todo.popleft()
            if isinstance(cause, Trade):
                self._bring_forth(listing, cause, now)
                continue
            for order in list(self._watching[listing.pair.id].values()):
                if order.open and order.terms.trigger is not None and order.terms.trigger.reference == "last":
                    self._observe(listing, order, cause, now)

    def _begin(self, listing: Listing, order: Order, now: int) -> None:
        if order.live is not None:
            self.books.tell_state("new", order, now)
        if order.phase == "watching":
            self.watch(listing, order, now)
        else:
            self.enter(listing, order, now)

    def _observe(self, listing: Listing, order: Order, price: int, now: int) -> None:
        """Show a waiting order a reference price: its stop may move, or it is set off."""
        watch, trigger, pair = order.watch, order.terms.trigger, order.terms.pair
        if watch is None or trigger is None or watch.fired is not None:
            return
        if watch.look(trigger, price, pair):
            self.books.tell_state("status", order, now)
        if not trigger.touched(watch.stop, price):
            return
        del self._watching[listing.pair.id][order.id]
        watch.at, watch.fired = now, self.books.owners(now)
        order.phase = "active"
        if trigger.limit is not None:
            limit = max(pair.tick, trigger.limit.measured(watch.stop, pair))
            order.terms = replace(order.terms, price=limit)
        self.books.tell_state("status", order, now)
        if order.live is None:
            order.live = watch.fired
            self.books.tell_state("new", order, now)
        if self._afford(listing, order, now):
            self.enter(listing, order, now)

    def _afford(self, listing: Listing, order: Order, now: int) -> bool:
        """Hold what an order needs now that it goes on; without the funds it ends."""
        try:
            self.books.rehold(listing, order)
        except Refused:
            self.cancel(order, now, reason=REASONS.funds)
            return False
        return True

    def _bring_forth(self, listing: Listing, trade: Trade, now: int) -> None:
        """Take in the conditional close of a fill; one that cannot be is not there, as an order refused would not be."""
        terms = trade.order.terms
        if terms.close is None:
            return
        try:
            child = closing_terms(terms, terms.close, lots=trade.lots, price=trade.price)
            order = self.books.accept(listing, child, now, parent=trade.order.id, pending=True)
        except Refused:
            return
        self._begin(listing, order, now)

    def _settle(self, order: Order, now: int) -> None:
        try:
            self.books.settle(order, now)
        except Refused:
            self.cancel(order, now, reason=REASONS.funds)

    def _trade(self, listing: Listing, order: Order, now: int) -> None:
        terms = order.terms
        kind = "market" if terms.price is None else "limit"
        while room := self.books.margin.room(order):
            match = listing.book.match(terms.side, terms.price, room, now=now, owner=self.books.owner)
            for fill in match.fills:
                self._fill(listing, fill, order, terms.side, kind, now)
            if match.paused:
                continue
            if match.stopped_at is None or not self._prevent_self_trade(order, match.stopped_at, now):
                break
        if not order.open:
            return
        room = self.books.margin.room(order)
        if room < order.left:
            self._reduce(listing, order, room, now)
        if not order.open:
            return
        if terms.price is None:
            self.cancel(order, now, reason=REASONS.market)
        elif terms.tif == "IOC":
            self.cancel(order, now, reason=REASONS.ioc)
        else:
            self._rest(listing, order, terms.price, now)

    def _rest(self, listing: Listing, order: Order, price: int, now: int) -> None:
        shown = min(order.left, order.terms.display or order.left)
        hidden = order.left - shown
        display, owner = order.terms.display or 0, self.books.owner
        order.resting = Resting(order.terms.side, price, shown, order.id, hidden, display, owner)
        listing.book.rest(order.resting, now)

    def _prevent_self_trade(self, order: Order, resting: Resting, now: int) -> bool:
        """Apply the incoming order's stptype; returns whether it may go on."""
        older = self.books.orders.get(resting.ref)
        if older is not None and order.terms.stp in ("cancel-oldest", "cancel-both"):
            self.cancel(older, now, reason=REASONS.self_trade)
        if order.terms.stp == "cancel-oldest":
            return True
        self.cancel(order, now, reason=REASONS.self_trade)
        return False

    def _fill(self, listing: Listing, fill: Fill, taker: Order | None, side: Side, kind: str, now: int) -> None:
        row = listing.tape.record(fill.price, fill.qty, now, side=side, kind=kind)
        listing.prints.append(row)
        for engine in self._pit.engines.values():
            engine.printed(listing, row)
        if taker is not None:
            self.traded(listing, taker, row, now)
        if fill.resting.owned:
            self._pit.engines[fill.resting.owner].made(listing, fill, row, now)

    def printed(self, listing: Listing, row: Print) -> None:
        """Note a price that was paid, for the orders that wait for one."""
        if self._watching[listing.pair.id]:
            self._todo.append(row.price)

    def made(self, listing: Listing, fill: Fill, row: Print, now: int) -> None:
        """Book what a taker took of one of the account's resting orders."""
        order = self.books.orders.get(fill.resting.ref)
        if order is not None:
            self.traded(listing, order, row, now, maker=True, refilled=fill.refilled)

    def traded(
        self, listing: Listing, order: Order, row: Print, now: int, *, maker: bool = False, refilled: bool = False
    ) -> None:
        """Book one fill of an order, and note what it brings about."""
        trade = self.books.fill(order, row, maker=maker)
        if order.terms.close is not None:
            self._todo.append(trade)
        if refilled:
            self.books.tell_state("iceberg_refill", order, now)
        if order.terms.leverage is not None:
            self._reduce_all(listing, now)

    def _reduce_all(self, listing: Listing, now: int) -> None:
        """After a fill on margin: make the resting orders smaller that may only reduce what there is."""
        for other in self.books.orders.open_ones():
            if other.terms.reduce_only and other.terms.pair is listing.pair and other.resting is not None:
                room = self.books.margin.room(other)
                if room < other.left:
                    self._reduce(listing, other, room, now)

    def _reduce(self, listing: Listing, order: Order, room: int, now: int) -> None:
        """Leave an order only so much to trade; one with nothing to trade ends."""
        if not room:
            self.cancel(order, now, reason=REASONS.position)
            return
        if order.resting is not None:
            listing.book.shrink(order.resting, order.left - room, now)
        self.books.restate(order, order.filled + room, now, reason=REASONS.position)
