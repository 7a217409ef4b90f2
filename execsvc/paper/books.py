"""What an order does to the account: what it holds while it is open, what each fill books, what the streams are told.

The matching engine says what happens and in which order; here every consequence is written down, and can be proved.
Orders with leverage hold nothing and are booked by the margin desk. Everything takes `now`, on the exchange's clock.
"""

from dataclasses import replace
from decimal import Decimal

from .chance import Mint
from .dial import Dial
from .fees import Turnover
from .figures import NS, ceil_div
from .ledger import Ledger, Leg
from .listing import Listing
from .margin import Margin
from .orders import Amend, Event, Order, Terms, Trade, event
from .pairs import Asset, rate
from .prices import Prices
from .quotas import Quotas
from .roll import Orders
from .tape import Print
from .triggers import watch_from
from .words import Refused

_PPM = 1_000_000


class Books:
    """One account's bookkeeping; `owner` is its name. `events` are the steps of its orders that were not told yet."""

    def __init__(
        self,
        owner: str,
        ledger: Ledger,
        orders: Orders,
        mint: Mint,
        prices: Prices,
        *,
        margin: Margin,
        dial: Dial,
        quotas: Quotas,
        turnover: Turnover,
    ) -> None:
        self.owner = owner
        self._ledger = ledger
        self._mint = mint
        self._prices = prices
        self._dial = dial
        self._quotas = quotas
        self._turnover = turnover
        self.orders = orders
        self.margin = margin
        self.events: list[Event] = []

    def accept(
        self, listing: Listing, terms: Terms, now: int, *, parent: str | None = None, pending: bool = False
    ) -> Order:
        """Take an order in and hold its funds; raises Refused, and does nothing, when they are not there.

        `pending` orders are not open to Kraken while they wait for their trigger.
        """
        since = self._dial.owners(now)
        order = Order(
            self._mint.order(), terms, now, since=since, live=since, fee_cap=self._fee_cap(terms, now), parent=parent
        )
        if terms.starts is not None:
            order.phase, order.live = "scheduled", None
        elif terms.trigger is not None:
            order.phase, order.live = "watching", None if pending else since
            if terms.trailing:  # its stop is nobody's wish: whoever placed it learns here where it stands
                order.watch = watch_from(terms.trigger, listing.reference(terms.trigger.reference, now), terms.pair)
        order.reserve = self._first_hold(listing, order)
        self._ledger.hold(order.id, held_asset(order), order.reserve)
        self.orders.add(order)
        self._quotas.note_open(terms.pair.id, self.orders.open_on(terms.pair.id))
        self.tell("pending_new", order, now, "pending_new")
        return order

    def rehold(self, listing: Listing, order: Order) -> None:
        """Hold what an order needs as it stands now; raises Refused, and changes nothing, without the funds."""
        before, order.reserve = order.reserve, order.reserve + self._first_hold(listing, order) - self._held(order)
        try:
            self._ledger.hold(order.id, held_asset(order), self._held(order))
        except Refused:
            order.reserve = before
            raise

    def amend(self, listing: Listing, order: Order, terms: Terms, now: int, *, post: bool) -> Amend:
        """Give an order other terms in place and hold what those need; raises Refused, and does nothing, otherwise."""
        before, order.terms = order.terms, terms
        try:
            self.rehold(listing, order)
        except Refused:
            order.terms = before
            raise
        amend = self._note_change(order, before, now, kind="user", post=post)
        self.tell_state("amended", order, now)
        return amend

    def restate(self, order: Order, lots: int, now: int, *, reason: str) -> None:
        """Make an order smaller because the exchange must, and say why."""
        before, order.terms = order.terms, replace(order.terms, lots=lots)
        self._ledger.hold(order.id, held_asset(order), self._held(order))
        self._note_change(order, before, now, kind="restated", reason=reason)
        order.reason = reason
        self.tell_state("restated", order, now)
        order.reason = None

    def swap_hold(self, listing: Listing, order: Order, terms: Terms, now: int) -> None:
        """Check that new terms could be paid for if this order made room for them; raises Refused otherwise."""
        trial = Order("", terms, now, fee_cap=self._fee_cap(terms, now))
        asset, held = held_asset(order), self._held(order)
        self._ledger.hold(order.id, asset, 0)
        try:
            self._ledger.hold("", held_asset(trial), self._first_hold(listing, trial))
            self._ledger.hold("", held_asset(trial), 0)
        finally:
            self._ledger.hold(order.id, asset, held)

    def fill(self, order: Order, row: Print, *, maker: bool) -> Trade:
        """Book one fill of an order, which ends when nothing is left."""
        trade = self._trade(order, row, maker=maker)
        usd = self._prices.usd(order.terms.pair.quote.id, row.at / NS) / 10**order.terms.pair.quote.decimals
        if order.terms.pair.counted:
            self._turnover.add(Decimal(repr(trade.cost * usd)), trade.booked)
        order.fee_usd += trade.fee * usd
        order.filled += row.lots
        order.cost += trade.cost
        order.fee += trade.fee
        order.trades.append(trade)
        self.orders.trades[trade.id] = trade
        self._ledger.hold(order.id, held_asset(order), self._held(order))
        if order.terms.leverage is None:
            self._ledger.trade(trade.id, _legs(trade), entries=trade.entries, at=row.at)
        else:
            self.margin.book(trade)
        self.tell("trade", order, row.at, "partially_filled", trade)
        if not order.left:
            self.end(order, row.at, "closed")
            self.tell("filled", order, row.at, "filled")
        return trade

    def settle(self, order: Order, now: int) -> None:
        """Carry out a settle-position order, whole; raises Refused without the funds."""
        order.cost = self.margin.settle(order, now)
        order.filled = order.terms.lots
        self.end(order, now, "closed")
        self.tell("filled", order, now, "filled")

    def end(self, order: Order, now: int, status: str) -> None:
        """End an order: it holds nothing any more."""
        self._ledger.hold(order.id, held_asset(order), 0)
        order.status = status
        order.closed = now
        order.until = self._dial.owners(now)
        order.resting = None
        self.orders.close(order)

    def owners(self, now: int) -> int:
        """Return an instant of the exchange's clock on its owner's."""
        return self._dial.owners(now)

    def tell(self, kind: str, order: Order, now: int, status: str, trade: Trade | None = None) -> None:
        """Note a step of an order's life for the streams."""
        counter = self._quotas.level(order.terms.pair.id, self._dial.owners(now))
        self.events.append(event(kind, order, now, status=status, trade=trade, counter=counter))

    def tell_state(self, kind: str, order: Order, now: int) -> None:
        """Note a step that leaves an order as open as it was."""
        self.tell(kind, order, now, self._open_status(order))

    def prove(self) -> None:
        """Check the ledger and that every open order holds exactly what it should."""
        expected: dict[str, dict[str, int]] = {}
        for order in self.orders.open_ones():
            if held := self._held(order):
                expected.setdefault(held_asset(order).id, {})[order.id] = held
        self._ledger.prove(expected)

    def _open_status(self, order: Order) -> str:
        if order.filled:
            return "partially_filled"
        return "pending_new" if order.live is None else "new"

    def _note_change(
        self, order: Order, before: Terms, now: int, *, kind: str, post: bool = False, reason: str | None = None
    ) -> Amend:
        amend = Amend(
            id=self._mint.amend(),
            kind=kind,
            at=now,
            booked=self._dial.owners(now),
            before=before,
            after=order.terms,
            left=order.left,
            post=post,
            reason=reason,
        )
        order.amends.append(amend)
        return amend

    def _trade(self, order: Order, row: Print, *, maker: bool) -> Trade:
        terms, pair = order.terms, order.terms.pair
        ppm = rate(pair.maker_fees if maker else pair.taker_fees, self._turnover.usd(self._dial.owners(row.at)))
        ppm = min(ppm, order.fee_cap)
        cost = pair.cost(row.price, row.lots)
        fee = cost * ppm // _PPM
        fee -= fee % pair.grain
        return Trade(
            id=self._mint.trade(),
            position=self._mint.trade(),
            order=order,
            at=row.at,
            booked=self._dial.owners(row.at),
            price=row.price,
            lots=row.lots,
            cost=cost,
            fee=fee,
            fee_asset=pair.base if terms.fee_in_base else pair.quote,
            charged=pair.base_units(row.lots) * ppm // _PPM if terms.fee_in_base else fee,
            maker=maker,
            trade_id=row.id,
            entries=(self._mint.entry(), self._mint.entry()),
        )

    def _fee_cap(self, terms: Terms, now: int) -> int:
        schedule = terms.pair.maker_fees if terms.post else terms.pair.taker_fees
        return max(0, rate(schedule, self._turnover.usd(self._dial.owners(now))))

    def _first_hold(self, listing: Listing, order: Order) -> int:
        """Return what must be held for what is left of an order, were it taken in as it stands."""
        terms = order.terms
        if terms.on_margin or terms.side == "sell" or terms.price is not None:
            return _needed(order, terms.price)
        if order.phase != "active" and terms.trigger is not None:
            return _needed(order, _dearest(order))
        left, amount = order.left, 0
        for price, qty in listing.book.reachable("buy", None, self.owner):
            amount += terms.pair.cost_up(price, min(left, qty))
            left -= min(left, qty)
            if not left:
                break
        return amount if terms.fee_in_base else amount + ceil_div(amount * order.fee_cap, _PPM)

    def _held(self, order: Order) -> int:
        """Return what an order must hold now; never more than before the last fill, whatever the rounding."""
        terms = order.terms
        if terms.on_margin or terms.side == "sell" or terms.price is not None or not order.left:
            return _needed(order, terms.price)
        return max(0, order.reserve - (order.cost if terms.fee_in_base else order.cost + order.fee))


def held_asset(order: Order) -> Asset:
    """Return what an order holds."""
    return order.terms.pair.quote if order.terms.side == "buy" else order.terms.pair.base


def _needed(order: Order, price: int | None) -> int:
    """Return what is left of an order at that price, and the fee, in the asset it holds."""
    terms, pair, left = order.terms, order.terms.pair, order.left
    if not left or terms.on_margin:
        return 0
    if terms.side == "sell":
        amount = pair.base_units(left)
        return amount + ceil_div(amount * order.fee_cap, _PPM) if terms.fee_in_base else amount
    amount = pair.cost_up(price or 0, left)
    return amount if terms.fee_in_base else amount + ceil_div(amount * order.fee_cap, _PPM)


def _dearest(order: Order) -> int:
    """Return the price a buy that waits for its trigger is held at: its stop's, or its limit price's if that is known."""
    trigger, terms = order.terms.trigger, order.terms
    if trigger is None:
        return 0
    stop = trigger.stop if order.watch is None or trigger.trail is None else order.watch.stop
    return stop if trigger.limit is None else trigger.limit.measured(stop, terms.pair)


def _legs(trade: Trade) -> tuple[Leg, Leg]:
    terms = trade.order.terms
    sign = 1 if terms.side == "buy" else -1
    in_base = terms.fee_in_base
    return (
        Leg(terms.pair.base, sign * terms.pair.base_units(trade.lots), trade.charged if in_base else 0),
        Leg(terms.pair.quote, -sign * trade.cost, 0 if in_base else trade.charged),
    )
