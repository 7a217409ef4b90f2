"""The exchange of a run and those who trade there besides us; and what it did in the end, in the checker's plain values."""

import asyncio
from decimal import Decimal

from execsvc.paper.control import MarketMove, Take, move_market
from execsvc.paper.exchange import PaperExchange
from execsvc.paper.options import PaperOptions
from tests.support.entropy import stream
from tests.support.history import Entered, Heard
from tests.support.simloop import SimClock

SYMBOL = "BTC/USD"
TICK = Decimal("0.1")
BID, ASK = 600_000, 600_010  # in ticks
_LADDER, _STEP, _LEVEL = 12, 3, "0.5"
_FUNDS = {"USD": "100000000000", "BTC": "1000000"}
_KEEP = 1_000_000
_LOTS = 10**8
_A_WHILE_NS = 4 * 10**9


def tier_of(seed):
    """Every second account is without limits, so that floods try the proof; the others have the three tiers."""
    return ("unlimited", "starter", "unlimited", "intermediate", "unlimited", "pro")[seed % 6]


def open_exchange(seed, *, nonce_window=0):
    """A still market with our ladder in it; only strangers move it."""
    options = PaperOptions(
        seed=seed,
        pairs=(SYMBOL,),
        frozen=True,
        funds=_FUNDS,
        keep_orders=_KEEP,
        nonce_window=nonce_window,
        tier=tier_of(seed),
    )
    exchange = PaperExchange(options, SimClock.EPOCH_NS)
    quote(exchange, SimClock.EPOCH_NS)
    return exchange


def quote(exchange, now):
    """Makers put their ladder up anew."""
    bids = [(_price(BID - _STEP * place), _LEVEL) for place in range(_LADDER)]
    asks = [(_price(ASK + _STEP * place), _LEVEL) for place in range(_LADDER)]
    move_market(exchange, MarketMove(symbol=SYMBOL, bids=bids, asks=asks), now)


def _price(ticks):
    return f"{ticks // 10}.{ticks % 10}"


async def strangers(world, a_second):
    """Others trade too: what rests near the touch is filled now and then, and makers come back."""
    chance, exchange = stream(world.seed, "strangers"), world.exchange
    while True:
        await asyncio.sleep(chance.expovariate(a_second))
        side, lots = chance.choice(("buy", "sell")), chance.randrange(10_000, 60_000_000)
        take = Take(side=side, qty=f"{lots // _LOTS}.{lots % _LOTS:08d}")
        world.trace.note("stranger", side, take.qty)
        world.wire.do(lambda now, take=take: move_market(exchange, MarketMove(symbol=SYMBOL, take=take), now))
        if chance.random() < 0.3:
            world.wire.do(lambda now: quote(exchange, now))


async def person(world, a_second):
    """Somebody cancels by hand, now and then, an order that has been open for a while."""
    chance, exchange = stream(world.seed, "person"), world.exchange
    while True:
        await asyncio.sleep(0.25)
        for order in exchange.venue.orders.open_ones():
            old = world.wire.now_ns - order.opened > _A_WHILE_NS
            if old and chance.random() < a_second / 4:
                world.trace.note("person", "cancels", order.id)
                world.wire.do(
                    lambda now, order=order: exchange.venue.engine.cancel(order, now, reason="User requested")
                )


def told_off(exchange, now):
    """How often the exchange refused something for a counter of its own, by which."""
    quotas, (pair_id,) = exchange.venue.quotas, exchange.venue.listings
    calls = quotas.call_figures(exchange.venue.key.api_key, now)
    pair = quotas.pair_figures(pair_id, now, open_orders=len(exchange.venue.orders.open_ones()))
    figures = {"calls": calls["refused"], "engine": pair["refused"], "open orders": pair["open_refused"]}
    return {name: count for name, count in figures.items() if count}


# ---- what it did -------------------------------------------------------------------------------------------------


def entered(exchange):
    """Every order the exchange accepted."""
    return [_entered(order) for order in exchange.venue.orders.accepted()]


def heard(wire):
    """Every private call that reached it, in order."""
    return [_heard(each) for each in wire.heard]


def _entered(order):
    pair = order.terms.pair
    return Entered(
        venue_id=order.id,
        quantity=Decimal(order.terms.lots).scaleb(-pair.lot_decimals),
        at=_seconds(order.opened),
        status=order.status,
        filled=Decimal(order.filled).scaleb(-pair.lot_decimals),
        cost=Decimal(order.cost).scaleb(-pair.quote.decimals),
        fee=Decimal(order.fee).scaleb(-pair.quote.decimals),
    )


def _heard(heard):
    record = heard.record
    return Heard(
        at=_seconds(record.at),
        sent=heard.sent,
        owner=int(heard.sender.rsplit("-", 1)[1]),
        nonce=int(record.nonce),
        method=record.call,
        admitted=not record.error.startswith("EAPI:Invalid"),
        applied=record.applied,
    )


def _seconds(ns):
    return (ns - SimClock.EPOCH_NS) / 1e9
