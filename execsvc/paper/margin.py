"""Trading on margin: what may be borrowed, what a fill opens and closes, what borrowing costs, and when it ends.

The engine asks `admit` before it takes an order with leverage and calls `book` for each of its fills in place of the
spot booking; `room` is how much a reduce-only order may still trade. A position moves no base and no quote: only fees,
the cost of borrowing and what a close brought are booked. The margin itself is not held in the ledger but counted in
`standing`. Not here: Kraken's lending pool (there is always enough) and the arithmetic of one position (positions.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from .chance import Mint
from .dial import Dial
from .figures import NS
from .ledger import Ledger, Leg
from .listing import Listing
from .matching import opposite
from .orders import Order, Terms, Trade
from .pairs import Asset
from .positions import Position, Positions
from .roll import Orders
from .timers import Timers
from .valuation import Valuation
from .words import (
    ALLOWANCE_EXCEEDED,
    INITIAL_MARGIN,
    INSUFFICIENT_FUNDS,
    NO_POSITION,
    NOT_REDUCIBLE,
    OPPOSING_POSITION,
    POSITION_SIZE,
    UNKNOWN_POSITION,
    Refused,
    bad_argument,
)

ROLLOVER_S = 4 * 3_600
ALLOWANCE_USD = 500_000  # what an account may borrow in all; Kraken sets it by tier and does not print it
_WATCH_NS = NS
_PPM = 1_000_000
_PPM_PER_PERCENT = 10_000
_SETTLE = "settle-position"


@dataclass(frozen=True, slots=True)
class Standing:
    """The account's equity in USD, as TradeBalance and the margin rules read it.

    `everything` counts all assets, `collateral` those that secure margin at their share; `unexecuted` is the value of
    what open orders still have to trade, `pledged` the initial margin of those that would open positions.
    """

    everything: Decimal
    collateral: Decimal
    margin: Decimal
    gain: Decimal
    cost: Decimal
    value: Decimal
    unexecuted: Decimal
    pledged: Decimal

    @property
    def equity(self) -> Decimal:
        """Return the collateral and what open positions stand to bring."""
        return self.collateral + self.gain

    @property
    def free(self) -> Decimal:
        """Return the equity that secures nothing yet."""
        return self.equity - self.margin

    @property
    def level(self) -> Decimal | None:
        """Return equity in percent of margin; None without a position."""
        return self.equity / self.margin * 100 if self.margin else None

    def amounts(self) -> dict[str, Decimal]:
        """Return the figures by the names TradeBalance has for them."""
        return {
            "eb": self.everything,
            "tb": self.collateral,
            "m": self.margin,
            "n": self.gain,
            "c": self.cost,
            "v": self.value,
            "e": self.equity,
            "mf": self.free,
            "uv": self.unexecuted,
        }


class Margin:
    """One account's positions; instants are on the exchange's clock unless said otherwise."""

    def __init__(
        self,
        listings: Mapping[str, Listing],
        ledger: Ledger,
        orders: Orders,
        mint: Mint,
        valuation: Valuation,
        *,
        dial: Dial,
        timers: Timers,
        keep: int | None,
    ) -> None:
        self._listings = listings
        self._ledger = ledger
        self._orders = orders
        self._mint = mint
        self._valuation = valuation
        self._dial = dial
        self._timers = timers
        self._watching = False
        self.positions = Positions(keep=keep)
        self.liquidate: Callable[[Position, int], None] | None = None

    def admit(self, terms: Terms, now: int, *, instead: Order | None = None) -> Terms:
        """Check an order before it is taken; returns its terms with a volume of 0 filled in. Raises Refused.

        An order against the open positions closes them; one larger than they are is refused, unless it may only reduce.
        What the order it comes `instead` of has pledged is free for it.
        """
        if not terms.on_margin:
            return terms
        self._check_form(terms)
        there = self.positions.lots(terms.pair, opposite(terms.side))
        if not there:
            if terms.reduce_only:
                raise Refused(NO_POSITION)
            if terms.kind == _SETTLE or not terms.lots:
                raise Refused(UNKNOWN_POSITION)
            self._check_opening(terms, now, instead)
            return terms
        terms = replace(terms, lots=terms.lots or there)
        if terms.kind == _SETTLE:
            self._check_settling(terms, there)
        elif terms.lots > there and not terms.reduce_only:
            raise Refused(OPPOSING_POSITION)
        return terms

    def room(self, order: Order) -> int:
        """Return the lots an order may trade now: what is left of it, or of the position it may only reduce."""
        if not order.terms.reduce_only:
            return order.left
        return min(order.left, self.positions.lots(order.terms.pair, opposite(order.terms.side)))

    def book(self, trade: Trade) -> None:
        """Book a fill of an order with leverage: it closes what lies on the other side and opens with the rest."""
        terms = trade.order.terms
        closing = min(trade.lots, self.positions.lots(terms.pair, opposite(terms.side)))
        gained = self.positions.close(trade, closing) if closing else 0
        leg = Leg(terms.pair.quote, gained, trade.fee)
        self._ledger.margin(trade.id, leg, kind="margin", entry=trade.entries[0], at=trade.at)
        if closing < trade.lots:
            self._open(trade, trade.lots - closing)

    def settle(self, order: Order, now: int) -> int:
        """Carry out a settle-position order: the goods are paid for and taken, or handed over against what they brought.

        Returns the cost in the quote asset's units. Raises Refused, and does nothing, without the funds to do it.
        """
        terms, pair = order.terms, order.terms.pair
        side = opposite(terms.side)
        self._check_settling(terms, self.positions.lots(pair, side))
        sign, total = (1 if side == "buy" else -1), 0
        for position, lots, cost in self.positions.settle(pair, side, terms.lots, ref=order.id):
            total += cost
            for asset, amount in ((pair.base, sign * pair.base_units(lots)), (pair.quote, -sign * cost)):
                entry = self._mint.entry()
                self._ledger.margin(position.id, Leg(asset, amount, 0), kind="settled", entry=entry, at=now)
        return total

    def standing(self, now: int, *, without: Order | None = None) -> Standing:
        """Return what the account is worth and what secures what, in USD; one open order may be left out of it."""
        zero = Decimal(0)
        everything = collateral = zero
        for asset in self._ledger.assets():
            owned = self._usd(self._ledger.balance(asset), asset, now)
            everything += owned
            collateral += owned * Decimal(str(asset.raw["collateral_value"]))
        margin = gain = cost = value = zero
        for position in self.positions:
            quote, worth = position.pair.quote, self.value(position)
            margin += self._usd(position.margin_left, quote, now)
            gain += self._usd(position.gain(worth), quote, now)
            cost += self._usd(position.cost_left, quote, now)
            value += self._usd(worth, quote, now)
        unexecuted = pledged = zero
        for order in self._orders.open_ones():
            if order is without:
                continue
            amount = self._usd(self._cost(order.terms, order.left), order.terms.pair.quote, now)
            unexecuted += amount
            if self._opens(order.terms):
                pledged += amount / (order.terms.leverage or 1)
        return Standing(everything, collateral, margin, gain, cost, value, unexecuted=unexecuted, pledged=pledged)

    def value(self, position: Position) -> int:
        """Return what the open part of a position is worth at the last price, in the quote asset's units."""
        return position.pair.cost(self._listings[position.pair.id].tape.last, position.left)

    def _check_form(self, terms: Terms) -> None:
        if terms.leverage is None and terms.reduce_only:
            raise Refused(NOT_REDUCIBLE)
        if terms.leverage not in terms.pair.raw[f"leverage_{terms.side}"]:
            raise bad_argument("leverage")
        if terms.fee_in_base or terms.budget is not None:
            raise bad_argument("oflags")

    def readmit(self, order: Order, terms: Terms, now: int) -> None:
        """Check what is left of an open order under the terms an amend gives it; raises Refused."""
        if terms.lots > order.filled:
            self.admit(replace(terms, lots=terms.lots - order.filled), now, instead=order)

    def _check_opening(self, terms: Terms, now: int, instead: Order | None) -> None:
        """Check size, allowance and margin of an order that opens or extends positions; raises Refused."""
        pair, figures = terms.pair, self.standing(now, without=instead)
        limit = pair.raw[f"{'long' if terms.side == 'buy' else 'short'}_position_limit"] * 10**pair.lot_decimals
        if self.positions.lots(pair, terms.side) + terms.lots > limit:
            raise Refused(POSITION_SIZE)
        amount = self._usd(self._cost(terms, terms.lots), pair.quote, now)
        if figures.cost + amount > ALLOWANCE_USD:
            raise Refused(ALLOWANCE_EXCEEDED)
        if figures.free - figures.pledged < amount / (terms.leverage or 1):
            raise Refused(INITIAL_MARGIN)

    def _opens(self, terms: Terms) -> bool:
        """Tell whether an open order would open a position as things are, and not close one."""
        if not terms.leverage or terms.reduce_only:
            return False
        return not self.positions.lots(terms.pair, opposite(terms.side))

    def _cost(self, terms: Terms, lots: int) -> int:
        price = self._listings[terms.pair.id].tape.last if terms.price is None else terms.price
        return terms.pair.cost_up(price, lots)

    def _check_settling(self, terms: Terms, there: int) -> None:
        """Raise Refused for more lots than there are, or when what must be handed over is not there."""
        if terms.lots > there:
            raise Refused(UNKNOWN_POSITION)
        owed, lots = 0, terms.lots
        for position in self.positions.open_ones(terms.pair, opposite(terms.side)):
            part = min(position.left, lots)
            owed += position.cost_of_next(part) if position.side == "buy" else terms.pair.base_units(part)
            lots -= part
        if owed > self._ledger.available(terms.pair.quote if terms.side == "sell" else terms.pair.base):
            raise Refused(INSUFFICIENT_FUNDS)

    def _usd(self, units: int, asset: Asset, now: int) -> Decimal:
        return Decimal(units).scaleb(-asset.decimals) * self._valuation.usd(asset, now)

    def _open(self, trade: Trade, lots: int) -> None:
        """Open a position with the last `lots` of a fill; borrowing is charged at once, then every four hours."""
        before = trade.lots - lots
        cost, fee = (whole - whole * before // trade.lots for whole in (trade.cost, trade.fee))
        rolls = trade.booked + ROLLOVER_S * NS
        position = Position(trade.position, trade, lots, cost, fee, trade.order.terms.leverage or 1, rolls)
        self.positions.add(position)
        self._charge(position, trade.at)
        self._timers.at(rolls, lambda due: self._roll(position, due))
        if not self._watching:
            self._watching = True
            self._timers.at(trade.booked + _WATCH_NS, self._watch)

    def _roll(self, position: Position, due: int) -> None:
        if not position.left:
            return
        self._charge(position, self._dial.reads(due))
        position.rolls = due + ROLLOVER_S * NS
        self._timers.at(position.rolls, lambda later: self._roll(position, later))

    def _charge(self, position: Position, at: int) -> None:
        quote = position.pair.quote
        fee = position.cost_left * self.borrowing_ppm(position) // _PPM
        position.rolled += fee
        entry = self._mint.entry()
        self._ledger.margin(position.id, Leg(quote, 0, fee), kind="rollover", entry=entry, at=at)

    def borrowing_ppm(self, position: Position) -> int:
        """Return what four hours of borrowing cost, in parts per million: a long borrows the quote, a short the base."""
        pair = position.pair
        lent = pair.quote if position.side == "buy" else pair.base
        return int(Decimal(str(lent.raw["margin_rate"])) * _PPM_PER_PERCENT)

    def _watch(self, due: int) -> None:
        """Look at the margin level once a second while there are positions; below the stop all of them are closed."""
        if not len(self.positions):
            self._watching = False
            return
        now, liquidate = self._dial.reads(due), self.liquidate
        for position in self.positions:
            level = self.standing(now).level
            if liquidate and position.left and level is not None and level < position.pair.raw["margin_stop"]:
                liquidate(position, now)
        self._timers.at(due + _WATCH_NS, self._watch)
