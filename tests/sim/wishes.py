"""What callers of a run want: orders of every type with every option, and changes of them. Drawn, never acted on.

No two wishes of a run have the same size, and no two changes the same figure: by that the judges know them again at the
exchange, which tells nothing of who asked. Prices lie where the strangers trade, so that triggers fire and limits fill.
"""

from decimal import Decimal

from execsvc.domain.amendwish import AmendWish
from execsvc.domain.market import Side
from execsvc.domain.spec import ConditionalClose, Offset, OrderSpec, OrderType, TimeInForce
from tests.sim.market import ASK, BID, SYMBOL, TICK
from tests.support.simloop import SimClock

NEAR, FAR = 35, 6000  # ticks
LEVERAGE = 2
_S = 10**9
_CLOSES = ("limit", "stop", "stop limit", "profit", "trail")
_ICEBERG_PARTS = (2, 14)


def plain(world, chance):
    """Market and limit orders only."""
    side = chance.choice((Side.BUY, Side.SELL))
    kind = chance.choices(("rest", "near", "cross", "ioc", "market", "post", "wrong"), (3, 3, 2, 2, 2, 2, 1))[0]
    quantity = world.unlike.quantity(chance)
    away = 1 if side is Side.BUY else -1
    touch = ASK if side is Side.BUY else BID
    price = {
        "rest": touch - away * 5000 - chance.randrange(1000),
        "near": touch - away * (2 + chance.randrange(30)),
        "cross": touch + away * chance.randrange(40),
        "ioc": touch + away * chance.randrange(40),
        "post": touch - away * (1 + chance.randrange(30)) if chance.random() < 0.8 else touch + away * 10,
        "wrong": touch,
    }.get(kind)
    if kind == "wrong":
        quantity += 5_000_000
    return OrderSpec(
        symbol=SYMBOL,
        side=side,
        base_quantity=quantity,
        order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
        limit_price=None if price is None else price * TICK,
        post_only=kind == "post",
        time_in_force=TimeInForce.IOC if kind == "ioc" else TimeInForce.GTC,
    )


class Wishes:
    """Draws orders of all kinds for one caller; `now` is asked for the time, in seconds, when an order has one."""

    def __init__(self, world, chance):
        self._world = world
        self._chance = chance

    def one(self, which):
        """One order, of those kinds."""
        kinds = KINDS[which]
        (kind,) = self._chance.choices(list(kinds), [share for share, _ in kinds.values()])
        side = self._chance.choice((Side.BUY, Side.SELL))
        parts = {"side": side, **kinds[kind][1](self, side)}
        if "base_quantity" not in parts and "quote_quantity" not in parts:
            parts["base_quantity"] = self._world.unlike.quantity(self._chance)
        return OrderSpec(symbol=SYMBOL, **{"base_quantity": None, **parts})

    # ---- parts --------------------------------------------------------------------------------------------------

    def _price(self, side, low, high):
        """So many ticks behind the touch, where an order of that side rests; below 0 it takes."""
        touch, away = (ASK, -1) if side is Side.BUY else (BID, 1)
        return (touch + away * self._chance.randrange(low, high)) * TICK

    def _limit(self, side, low=2, high=NEAR):
        return {"order_type": OrderType.LIMIT, "limit_price": self._price(side, low, high)}

    def _stop(self, side, low=-2, high=NEAR):
        """So many ticks beyond the touch, where the price would move against the order."""
        return {"order_type": OrderType.STOP_LOSS, "trigger_price": self._price(side, -high, -low)}

    def _profit(self, side):
        return {"order_type": OrderType.TAKE_PROFIT, "trigger_price": self._price(side, 0, NEAR)}

    def _limited(self, parts):
        """A limit on either side of its trigger: it fills at once or rests."""
        return {**parts, "limit_price": parts["trigger_price"] + self._chance.randrange(-30, 30) * TICK}

    def _trail(self):
        if self._chance.random() < 0.5:
            offset = Offset(Decimal(self._chance.randrange(1, 40)) * TICK)
        else:
            offset = Offset(Decimal(self._chance.randrange(1, 60)).scaleb(-4), percent=True)
        return {"order_type": OrderType.TRAILING_STOP, "offset": offset}

    def _trail_limit(self):
        return {**self._trail(), "limit_offset": Offset(Decimal(self._chance.randrange(-30, 30)) * TICK)}

    def _at_once(self, side):
        in_force = self._chance.choice((TimeInForce.IOC, TimeInForce.FOK))
        return {**self._limit(side, -40, 5), "time_in_force": in_force}

    def _till(self, parts, after_s=0.0):
        expires_s = self._world.loop.now + after_s + 5.5 + 12 * self._chance.random()
        return {**parts, "time_in_force": TimeInForce.GTD, "expire_time_ns": SimClock.EPOCH_NS + int(expires_s * _S)}

    def _later(self, parts):
        after_s = 1.5 + 6 * self._chance.random()
        if parts["order_type"] is not OrderType.MARKET and self._chance.random() < 0.4:
            parts = self._till(parts, after_s)
        return {**parts, "start_time_ns": SimClock.EPOCH_NS + int((self._world.loop.now + after_s) * _S)}

    def _iceberg(self, side, low=2, high=NEAR):
        quantity = self._world.unlike.quantity(self._chance)
        part = self._chance.randrange(*_ICEBERG_PARTS)
        return {
            **self._limit(side, low, high),
            "base_quantity": quantity,
            "display_quantity": round(quantity / part, 8),
        }

    def _quote(self, _):
        return {
            "side": Side.BUY,
            "order_type": OrderType.MARKET,
            "quote_quantity": self._world.unlike.budget(self._chance),
        }

    def _closed(self, side):
        """With a conditional close, whose children rest, fire or fill in their turn."""
        parts = {"order_type": OrderType.MARKET} if self._chance.random() < 0.4 else self._limit(side, -20, NEAR)
        other = Side.SELL if side is Side.BUY else Side.BUY
        close = {
            "limit": lambda: self._limit(other),
            "stop": lambda: self._stop(other),
            "stop limit": lambda: self._limited(self._stop(other)),
            "profit": lambda: self._profit(other),
            "trail": self._trail,
        }[self._chance.choice(_CLOSES)]()
        return {**parts, "conditional_close": ConditionalClose(**close)}

    def _margin(self, side):
        parts = {"order_type": OrderType.MARKET} if self._chance.random() < 0.6 else self._limit(side, -30, 10)
        return {
            **parts,
            "leverage": LEVERAGE,
            "base_quantity": self._world.unlike.quantity(self._chance, most=3_000_000),
        }

    def _reduce(self, side):
        return {**self._margin(side), "reduce_only": True}

    def _settle(self, side):
        return {**self._margin(side), "order_type": OrderType.SETTLE_POSITION, "limit_price": None}


# How often of all, and how it is drawn.
_KINDS = {
    "market": (2, lambda _, __: {"order_type": OrderType.MARKET}),
    "limit": (3, lambda it, side: it._limit(side)),
    "far": (2, lambda it, side: it._limit(side, 4000, FAR)),
    "post": (1, lambda it, side: {**it._limit(side, -3, NEAR), "post_only": True}),
    "at once": (2, lambda it, side: it._at_once(side)),
    "good till": (2, lambda it, side: it._till(it._limit(side))),
    "iceberg": (3, lambda it, side: it._iceberg(side)),
    "stop": (2, lambda it, side: it._stop(side)),
    "stop limit": (2, lambda it, side: it._limited(it._stop(side))),
    "profit": (2, lambda it, side: it._profit(side)),
    "profit limit": (2, lambda it, side: it._limited(it._profit(side))),
    "trail": (2, lambda it, _: it._trail()),
    "trail limit": (1, lambda it, _: it._trail_limit()),
    "stop till": (1, lambda it, side: it._till(it._stop(side))),
    "later": (2, lambda it, side: it._later(it._limit(side, -20, NEAR))),
    "later market": (1, lambda it, _: it._later({"order_type": OrderType.MARKET})),
    "later stop": (1, lambda it, side: it._later(it._stop(side))),
    "quote": (2, lambda it, side: it._quote(side)),
    "close": (3, lambda it, side: it._closed(side)),
    "margin": (2, lambda it, side: it._margin(side)),
    "reduce": (1, lambda it, side: it._reduce(side)),
    "settle": (1, lambda it, side: it._settle(side)),
}
_PATIENT = {
    "limit": (3, lambda it, side: it._limit(side, 4000, FAR)),
    "iceberg": (1, lambda it, side: it._iceberg(side, 4000, FAR)),
    "stop": (1, lambda it, side: it._stop(side, 4000, FAR)),
    "stop limit": (1, lambda it, side: it._limited(it._stop(side, 4000, FAR))),
}
# Positions are opened on one side, so that the others find some.
_MARGIN = {
    "open": (4, lambda it, _: {"side": Side.BUY, **it._margin(Side.BUY)}),
    "reduce": (3, lambda it, _: {"side": Side.SELL, **it._reduce(Side.SELL)}),
    "close": (1, lambda it, _: {"side": Side.SELL, **it._margin(Side.SELL)}),
    "settle": (3, lambda it, _: {"side": Side.SELL, **it._settle(Side.SELL)}),
}
KINDS = {"any": _KINDS, "patient": _PATIENT, "margin": _MARGIN}


# ---- changes -----------------------------------------------------------------------------------------------------


def change_of(world, chance, spec):
    """What an amend is to change of such an order; None: there is nothing that could be."""
    wish = {}
    priced = [name for name in ("limit_price", "trigger_price") if getattr(spec, name) is not None]
    if spec.base_quantity is not None and (not priced or chance.random() < 0.7):
        wish["base_quantity"] = world.unlike.quantity(chance)
        if spec.display_quantity is not None:
            wish["display_quantity"] = round(wish["base_quantity"] / chance.randrange(*_ICEBERG_PARTS), 8)
    if priced and (not wish or chance.random() < 0.4):
        name = chance.choice(priced)
        wish[name] = world.unlike.price(chance, getattr(spec, name))
    return AmendWish(**wish) if wish else None
