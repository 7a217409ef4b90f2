"""The exchange of a run and those who trade there besides us; and what it did in the end, in the checker's plain values."""

import asyncio
from decimal import Decimal

from execsvc.paper.control import MarketMove, Take, move_market
from execsvc.paper.exchange import PaperExchange
from execsvc.paper.options import PaperOptions
from tests.sim.judges.amends import Stood
from tests.sim.judges.ledger import OrderRow
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
                world.cancelled_by_hand.add(order.id)
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


def outside(exchange, by_hand):
    """Ids of the orders that came by no gateway: placed by hand, or spawned by another order's fills."""
    return {order.id for order in exchange.venue.orders.accepted() if order.parent is not None or order.id in by_hand}


def entered(exchange, elsewhere=frozenset()):
    """Every order the exchange accepted, but for those placed elsewhere."""
    return [_entered(order) for order in exchange.venue.orders.accepted() if order.id not in elsewhere]


def contents(exchange, elsewhere):
    """What each order that came by a gateway was of when it was placed, by its id."""
    orders = exchange.venue.orders.accepted()
    return {order.id: _content(order) for order in orders if order.id not in elsewhere}


def stood(exchange, names, by_hand):
    """Every state that a change brought an order into; `names` are the callers' ids, by the exchange's."""
    return tuple(
        Stood(
            order=names[order.id],
            at=_seconds(change.booked),
            figures=_figures(change.after),
            changed=_changed(_figures(change.before), _figures(change.after)),
            left=_amount(change.left, change.after.pair),
            by_hand=change.id in by_hand,
        )
        for order in exchange.venue.orders.accepted()
        for change in order.amends
        if order.id in names and change.kind == "user"
    )


def rows(exchange):
    """Every order as the exchange has it now."""
    return [
        OrderRow(
            venue_id=order.id,
            status=order.status,
            filled=_amount(order.filled, order.terms.pair),
            cost=Decimal(order.cost).scaleb(-order.terms.pair.quote.decimals),
            fee=Decimal(order.fee).scaleb(-order.terms.pair.quote.decimals),
            figures=_figures(order.terms),
        )
        for order in exchange.venue.orders.accepted()
    ]


def ends(exchange):
    """Of each order: when it came and when it ended, with what reason; and whether a change left nothing of it to fill."""
    return {
        order.id: (
            _seconds(order.since),
            None if order.until is None else _seconds(order.until),
            order.reason or "",
            any(change.kind == "user" and not change.left for change in order.amends),
        )
        for order in exchange.venue.orders.accepted()
    }


def heard(wire):
    """Every private call that reached it, in order."""
    return [_heard(each) for each in wire.heard]


def _entered(order):
    """An order that a change left nothing of was cancelled, and all that is wanted of it is filled."""
    pair = order.terms.pair
    return Entered(
        venue_id=order.id,
        quantity=_content(order),
        at=_seconds(order.opened),
        status=order.status,
        filled=_amount(order.filled, pair),
        cost=Decimal(order.cost).scaleb(-pair.quote.decimals),
        fee=Decimal(order.fee).scaleb(-pair.quote.decimals),
    )


def _content(order):
    """What it was of when it was placed: so much of the base asset, or so much money."""
    terms = order.amends[0].before if order.amends else order.terms
    if terms.budget is not None:
        return Decimal(terms.budget).scaleb(-terms.pair.quote.decimals)
    return _amount(terms.lots, terms.pair)


def _figures(terms):
    """By the names that the judges have for them; a stop that trails is no figure of anybody's."""
    pair, stop = terms.pair, None if terms.trigger is None or terms.trailing else terms.trigger.stop
    figures = {
        "base_quantity": _amount(terms.lots, pair),
        "limit_price": None
        if terms.price is None or terms.trailing
        else Decimal(terms.price).scaleb(-pair.pair_decimals),
        "trigger_price": None if stop is None else Decimal(stop).scaleb(-pair.pair_decimals),
        "display_quantity": None if terms.display is None else _amount(terms.display, pair),
    }
    return {name: value for name, value in figures.items() if value is not None}


def _changed(before, after):
    return frozenset(name for name in {*before, *after} if before.get(name) != after.get(name))


def _amount(lots, pair):
    return Decimal(lots).scaleb(-pair.lot_decimals)


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
