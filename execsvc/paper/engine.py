"""The matching engine's order desk: place, fill, cancel, expire, and book every consequence in the ledger.

Everything takes `now`, on the exchange's clock. What happens to the trader's orders is left in `events`, in the order it
happened, for the executions stream; what happens to a market is left on its listing. Makers and takers of the seeded
market trade through `house_take` and `house_quote`, against the same book and the same rules of price and time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from .chance import Mint
from .dial import Dial
from .figures import NS, ceil_div
from .ledger import Ledger, Leg
from .listing import Listing
from .matching import Fill, Resting, Side
from .orders import Event, Order, Orders, Terms, Trade, event
from .pairs import Asset, rate
from .prices import Prices
from .quotas import Quotas
from .tape import Print
from .words import (
    CANCEL_ONLY,
    DEADLINE_ELAPSED,
    LIMIT_ONLY,
    NOT_REDUCIBLE,
    ORDER_MINIMUM,
    POST_ONLY_MODE,
    WOULD_TAKE,
    Refused,
)

_PPM = 1_000_000
_MODES = {"cancel_only": CANCEL_ONLY, "reduce_only": NOT_REDUCIBLE}


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why an order ended, in `reason`. Kraken documents "User requested" and "Post only order"; the rest are ours."""

    user: str = "User requested"
    post: str = "Post only order"
    ioc: str = "IOC remainder"
    fok: str = "FOK not fillable"
    market: str = "Insufficient liquidity"
    self_trade: str = "Self trade prevention"
    expired: str = "Order expired"


REASONS = Reasons()


class Engine:
    """One account's orders against all listings."""

    def __init__(
        self,
        listings: Mapping[str, Listing],
        ledger: Ledger,
        orders: Orders,
        mint: Mint,
        prices: Prices,
        *,
        dial: Dial,
        quotas: Quotas,
        soft_post: bool,
    ) -> None:
        self._listings = listings
        self._ledger = ledger
        self._orders = orders
        self._mint = mint
        self._prices = prices
        self._dial = dial
        self._quotas = quotas
        self._soft_post = soft_post
        self.system = "online"
        self.events: list[Event] = []
        self.volume_usd = 0.0

    def place(self, terms: Terms, now: int) -> Order:
        """Accept an order and let it trade; raises Refused when nothing was done."""
        listing = self._listings[terms.pair.id]
        if terms.deadline is not None and terms.deadline <= now:
            raise Refused(DEADLINE_ELAPSED)
        self._check_mode(listing, terms)
        self._orders.claim(terms.cl_ord_id)
        self._quotas.check_room(terms.pair.id, self._orders.open_on(terms.pair.id))
        crossing = terms.post and terms.price is not None and listing.book.crosses(terms.side, terms.price)
        if crossing and not self._soft_post:
            raise Refused(WOULD_TAKE)
        if terms.budget is not None:
            terms = self._sized(listing, terms, terms.budget)
        order = Order(self._mint.order(), terms, now, since=self._dial.owners(now), fee_cap=self._fee_cap(terms))
        order.reserve = self._first_hold(listing, order)
        self._ledger.hold(order.id, self._held_asset(order), order.reserve)
        self._orders.add(order)
        self._quotas.note_open(terms.pair.id, self._orders.open_on(terms.pair.id))
        self._tell("pending_new", order, now, "pending_new")
        self._tell("new", order, now, "new")
        if crossing:
            self.cancel(order, now, reason=REASONS.post)
        elif terms.tif == "FOK" and not self._fillable(listing, terms):
            self.cancel(order, now, reason=REASONS.fok)
        else:
            self._trade(listing, order, now)
        listing.settle(now)
        return order

    def cancel(self, order: Order, now: int, *, reason: str, status: str = "canceled") -> None:
        """End an open order and release what it still holds."""
        listing = self._listings[order.terms.pair.id]
        if order.resting is not None:
            listing.book.remove(order.resting, now)
        order.reason = reason
        self._end(order, now, status)
        self._tell(status, order, now, status)
        listing.settle(now)

    def house_take(
        self, listing: Listing, side: Side, limit: int | None, lots: int, now: int, *, kind: str = "market"
    ) -> int:
        """Let a stranger take up to `lots`; returns what it got."""
        match = listing.book.match(side, limit, lots, now=now, owned=False)
        for fill in match.fills:
            self._fill(listing, fill, None, side, kind, now)
        listing.settle(now)
        return lots - match.left

    def house_quote(self, listing: Listing, side: Side, price: int, lots: int, now: int) -> None:
        """Let a maker quote; what crosses the trader's orders trades with them first."""
        if listing.book.crosses(side, price):
            lots -= self.house_take(listing, side, price, lots, now, kind="limit")
        if lots and price not in listing.book.halves[side].makers:
            listing.book.rest(Resting(side, price, lots), now)

    def prove(self) -> None:
        """Check the ledger and that every open order holds exactly what it should."""
        expected: dict[str, dict[str, int]] = {}
        for order in self._orders.open_ones():
            if held := self._hold_needed(order):
                expected.setdefault(self._held_asset(order).id, {})[order.id] = held
        self._ledger.prove(expected)

    def _check_mode(self, listing: Listing, terms: Terms) -> None:
        mode = listing.status if self.system == "online" else self.system
        if mode in _MODES:
            raise Refused(_MODES[mode])
        if mode == "post_only" and not terms.post:
            raise Refused(POST_ONLY_MODE)
        if mode == "limit_only" and terms.price is None:
            raise Refused(LIMIT_ONLY)

    def _sized(self, listing: Listing, terms: Terms, budget: int) -> Terms:
        pair, lots = terms.pair, 0
        scale = 10 ** (pair.pair_decimals + pair.lot_decimals)
        for price, qty in listing.book.reachable(terms.side, None):
            part = min(qty, budget * scale // (price * 10**pair.quote.decimals))
            lots += part
            budget -= pair.cost_up(price, part)
            if part < qty:
                break
        if lots < pair.ordermin:
            raise Refused(ORDER_MINIMUM)
        return replace(terms, lots=lots)

    def _fillable(self, listing: Listing, terms: Terms) -> bool:
        there = sum(qty for _, qty in listing.book.reachable(terms.side, terms.price))
        return there >= terms.lots

    def _trade(self, listing: Listing, order: Order, now: int) -> None:
        terms = order.terms
        while order.left:
            match = listing.book.match(terms.side, terms.price, order.left, now=now, owned=True)
            for fill in match.fills:
                self._fill(listing, fill, order, terms.side, terms.kind, now)
            if match.stopped_at is None or not self._prevent_self_trade(order, match.stopped_at, now):
                break
        if not order.open:
            return
        if terms.kind == "market":
            self.cancel(order, now, reason=REASONS.market)
        elif terms.tif == "IOC" or terms.price is None:
            self.cancel(order, now, reason=REASONS.ioc)
        else:
            order.resting = Resting(terms.side, terms.price, order.left, order.id)
            listing.book.rest(order.resting, now)

    def _prevent_self_trade(self, order: Order, resting: Resting, now: int) -> bool:
        """Apply the incoming order's stptype; returns whether it may go on."""
        older = self._orders.get(resting.ref)
        if older is not None and order.terms.stp in ("cancel-oldest", "cancel-both"):
            self.cancel(older, now, reason=REASONS.self_trade)
        if order.terms.stp == "cancel-oldest":
            return True
        self.cancel(order, now, reason=REASONS.self_trade)
        return False

    def _fill(self, listing: Listing, fill: Fill, taker: Order | None, side: Side, kind: str, now: int) -> None:
        row = listing.tape.record(fill.price, fill.qty, now, side=side, kind=kind)
        listing.prints.append(row)
        if taker is not None:
            self._book(taker, row, maker=False)
        if fill.resting.owned:
            maker = self._orders.get(fill.resting.ref)
            if maker is not None:
                self._book(maker, row, maker=True)

    def _book(self, order: Order, row: Print, *, maker: bool) -> None:
        terms, pair = order.terms, order.terms.pair
        ppm = rate(pair.maker_fees if maker else pair.taker_fees, int(self.volume_usd))
        cost = pair.cost(row.price, row.lots)
        fee = cost * ppm // _PPM
        fee -= fee % pair.grain
        base = pair.base_units(row.lots)
        charged = base * ppm // _PPM if terms.fee_in_base else fee
        trade = Trade(
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
            charged=charged,
            maker=maker,
            trade_id=row.id,
            entries=(self._mint.entry(), self._mint.entry()),
        )
        usd = self._prices.usd(pair.quote.id, row.at / NS) / 10**pair.quote.decimals
        self.volume_usd += cost * usd
        order.fee_usd += fee * usd
        order.filled += row.lots
        order.cost += cost
        order.fee += fee
        order.trades.append(trade)
        self._orders.trades[trade.id] = trade
        self._ledger.hold(order.id, self._held_asset(order), self._hold_needed(order))
        self._ledger.trade(trade.id, self._legs(trade, base), entries=trade.entries, at=row.at)
        self._tell("trade", order, row.at, "partially_filled", trade)
        if not order.left:
            self._end(order, row.at, "closed")
            self._tell("filled", order, row.at, "filled")

    def _legs(self, trade: Trade, base: int) -> tuple[Leg, Leg]:
        terms = trade.order.terms
        sign = 1 if terms.side == "buy" else -1
        in_base = terms.fee_in_base
        return (
            Leg(terms.pair.base, sign * base, trade.charged if in_base else 0),
            Leg(terms.pair.quote, -sign * trade.cost, 0 if in_base else trade.charged),
        )

    def _end(self, order: Order, now: int, status: str) -> None:
        self._ledger.hold(order.id, self._held_asset(order), 0)
        order.status = status
        order.closed = now
        order.until = self._dial.owners(now)
        order.resting = None
        self._orders.close(order)

    def _held_asset(self, order: Order) -> Asset:
        return order.terms.pair.quote if order.terms.side == "buy" else order.terms.pair.base

    def _fee_cap(self, terms: Terms) -> int:
        schedule = terms.pair.maker_fees if terms.post else terms.pair.taker_fees
        return rate(schedule, int(self.volume_usd))

    def _first_hold(self, listing: Listing, order: Order) -> int:
        terms = order.terms
        if terms.side == "sell" or terms.price is not None:
            return self._hold_needed(order)
        left, amount = terms.lots, 0
        for price, qty in listing.book.reachable("buy", None):
            amount += terms.pair.cost_up(price, min(left, qty))
            left -= min(left, qty)
            if not left:
                break
        return amount if terms.fee_in_base else amount + ceil_div(amount * order.fee_cap, _PPM)

    def _hold_needed(self, order: Order) -> int:
        """Return what an order must hold now; never more than before the last fill, whatever the rounding."""
        terms, pair, left = order.terms, order.terms.pair, order.left
        if not left:
            return 0
        if terms.side == "sell":
            amount = pair.base_units(left)
            return amount + ceil_div(amount * order.fee_cap, _PPM) if terms.fee_in_base else amount
        if terms.price is None:
            spent = order.cost if terms.fee_in_base else order.cost + order.fee
            return max(0, order.reserve - spent)
        amount = pair.cost_up(terms.price, left)
        return amount if terms.fee_in_base else amount + ceil_div(amount * order.fee_cap, _PPM)

    def _tell(self, kind: str, order: Order, now: int, status: str, trade: Trade | None = None) -> None:
        counter = self._quotas.level(order.terms.pair.id, self._dial.owners(now))
        self.events.append(event(kind, order, now, status=status, trade=trade, counter=counter))
