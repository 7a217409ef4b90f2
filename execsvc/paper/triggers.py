"""Triggered orders: what each waits for, and what it has seen so far.

Stop-loss orders wait for a move against the order, take-profit orders for one in its favour, trailing stops for a turn
of a given size. They look at the last trade or at the index. Pure: reading and judging here, acting in the engine.
"""

from dataclasses import dataclass

from .matching import Side
from .offsets import Offset, is_relative, read_offset, read_price, sound_price
from .pairs import Pair
from .words import bad_argument

TRAILING = ("trailing-stop", "trailing-stop-limit")
LIMITED = ("stop-loss-limit", "take-profit-limit", "trailing-stop-limit")
TRIGGERED = ("stop-loss", "take-profit", *LIMITED, "trailing-stop")
REFERENCES = ("last", "index")


@dataclass(frozen=True, slots=True)
class Trigger:
    """What an order waits for: its reference price at `stop` or beyond, above if `rising`, else below.

    `trail` is how far a trailing stop keeps from the best price seen, `limit` how far a trailing stop's limit price lies
    from the stop; both None for the rest. For a trailing stop `stop` is where it stood when the order was accepted.
    """

    reference: str
    rising: bool
    stop: int
    trail: Offset | None = None
    limit: Offset | None = None

    def touched(self, stop: int, price: int) -> bool:
        """Tell whether this reference price sets the order off."""
        return price >= stop if self.rising else price <= stop

    def trailed(self, peak: int, pair: Pair) -> int:
        """Return where a trailing stop stands after this best price."""
        if self.trail is None:
            return self.stop
        away = self.trail.ticks_of(peak, pair)
        return peak + away if self.rising else peak - away


@dataclass(slots=True)
class Watch:
    """What a trigger has seen: the stop now, the best price, the last one; and when it was set off.

    `at` is that instant on the exchange's clock, `fired` on its owner's.
    """

    stop: int
    peak: int
    seen: int
    at: int | None = None
    fired: int | None = None

    def look(self, trigger: Trigger, price: int, pair: Pair) -> bool:
        """Take in a reference price; returns whether the stop moved with it."""
        self.seen = price
        better = price < self.peak if trigger.rising else price > self.peak
        if trigger.trail is None or not better:
            return False
        before, self.peak = self.stop, price
        self.stop = trigger.trailed(price, pair)
        return self.stop != before


def watch_from(trigger: Trigger, price: int, pair: Pair) -> Watch:
    """Begin to watch, at this reference price."""
    return Watch(trigger.trailed(price, pair), price, price)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says of prices: `names` are its field names for price and price2, for refusals."""

    kind: str
    side: Side
    price: str
    price2: str
    reference: str = "last"
    names: tuple[str, str] = ("price", "price2")


@dataclass(frozen=True, slots=True)
class Seen:
    """What the market says when a request is read: the last trade's price and the reference's."""

    last: int
    reference: int


def hash_signs(kind: str, side: Side) -> tuple[int, int]:
    """Return the signs that # stands for in price and price2.

    A limit order rests, a trigger waits, and the limit behind a trigger lies beyond it, where it will be met.
    """
    worse = 1 if side == "buy" else -1
    if kind not in TRIGGERED:
        return -worse, worse
    rising = (side == "buy") == kind.startswith("stop-loss")
    return (1 if rising else -1), worse


def read_prices(asked: Asked, pair: Pair, seen: Seen) -> tuple[int | None, Trigger | None]:
    """Read the limit price and the trigger of any kind of order; raises Refused for what does not belong."""
    name, name2 = asked.names
    natural, natural2 = hash_signs(asked.kind, asked.side)
    if asked.kind not in LIMITED and asked.price2 not in ("", "0"):
        raise bad_argument(name2)
    if asked.kind not in TRIGGERED:
        if asked.kind not in ("limit", "iceberg"):
            return None, None
        if not asked.price:
            raise bad_argument(name)
        return read_price(asked.price, name, pair, base=seen.last, natural=natural), None
    if not asked.price:
        raise bad_argument(name)
    if asked.kind in LIMITED and not asked.price2:
        raise bad_argument(name2)
    if asked.kind in TRAILING:
        return None, _trailing(asked, pair, seen)
    rising = (asked.side == "buy") == asked.kind.startswith("stop-loss")
    stop = read_price(asked.price, name, pair, base=seen.last, natural=natural)
    limit = read_price(asked.price2, name2, pair, base=seen.last, natural=natural2) if asked.kind in LIMITED else None
    return limit, Trigger(asked.reference, rising, stop)


def _trailing(asked: Asked, pair: Pair, seen: Seen) -> Trigger:
    name, name2 = asked.names
    trail = read_offset(asked.price, name, natural=0)
    if asked.price[0] != "+" or not trail.amount:
        raise bad_argument(name)
    limit = None
    if asked.kind in LIMITED:
        if not is_relative(asked.price2) or asked.price2[0] not in "+-":
            raise bad_argument(name2)
        limit = read_offset(asked.price2, name2, natural=0)
    rising = asked.side == "buy"
    away = trail.ticks_of(seen.reference, pair)
    stop = sound_price(seen.reference + away if rising else seen.reference - away)
    if limit is not None:
        sound_price(limit.measured(stop, pair))
    return Trigger(asked.reference, rising, stop, trail, limit)
