"""A person at the exchange's own screen, beside the gateways: places, changes and cancels orders, also those of others.

It costs no counter, for the exchange's screen is not behind the key. What it did is for the judges: orders that nobody placed
through a gateway, and changes that no caller asked for. It insists, too: what has just been changed, by whomever, is changed
once more and ended, above all while no gateway hears of it.
"""

import asyncio

from execsvc.domain import money
from execsvc.domain.market import FeedState
from execsvc.paper.changes import amend, read_change
from execsvc.paper.entry import Window, read_terms
from execsvc.paper.params import Params
from execsvc.paper.words import Refused
from tests.sim.market import ASK, BID, SYMBOL, TICK
from tests.support.entropy import stream

_KINDS = ("limit", "limit", "stop-loss", "iceberg", "trailing-stop")
_INSISTS_S, _JUST_NS = 0.25, 3 * 10**9
_UNHEARD, _HEARD = 0.5, 0.1  # how likely it is, at each look, that what was just changed is changed again


class Hands:
    """One person. `a_second`: how often it does something."""

    def __init__(self, world, a_second):
        self.world = world
        self.a_second = a_second
        self.chance = stream(world.seed, "hands")
        self.venue = world.exchange.venue
        self._begun = False

    async def work(self):
        acts = (self._place, self._place, self._change, self._change, self._cancel)
        while True:
            await asyncio.sleep(self.chance.expovariate(self.a_second))
            # What was done before the first stream stood is nobody's business.
            self._begun = self._begun or self._is_heard
            if self._begun:
                self.world.wire.do(self._carried_out(self.chance.choice(acts)))

    async def insist(self):
        """Draws of its own, so that the day is otherwise as it would be without."""
        chance = stream(self.world.seed, "hands", "insist")
        while True:
            await asyncio.sleep(_INSISTS_S)
            if self._begun and chance.random() < (_HEARD if self._is_heard else _UNHEARD):
                self.world.wire.do(self._carried_out(lambda now: self._change_again(now, chance)))

    @property
    def _is_heard(self):
        """Whether a gateway is told of what happens."""
        gateway = self.world.gateway
        return gateway.process.alive and gateway.house.executions.state is FeedState.LIVE

    def _carried_out(self, act):
        def done(now):
            self.world.exchange.advance(now)
            try:
                act(now)
            except Refused as refused:
                self.world.trace.note("hands", "are refused:", refused.code)
            self.world.exchange.publish()

        return done

    def _place(self, now):
        terms = read_terms(Params(self._wish()), self.venue.listing(SYMBOL), received=now, window=Window())
        order = self.venue.engine.place(terms, now)
        self.world.by_hand.add(order.id)
        self.world.counts["by hand"] += 1
        self.world.trace.note("hands", "place", f"{order.id} {terms.kind} {terms.side} {terms.lots}")

    def _wish(self):
        kind, side = self.chance.choice(_KINDS), self.chance.choice(("buy", "sell"))
        touch, away = (ASK, -1) if side == "buy" else (BID, 1)
        ticks = touch + (-away if kind == "stop-loss" else away) * self.chance.randrange(2, 400)
        quantity = self.world.unlike.quantity(self.chance, most=3_000_000)
        wish = {
            "pair": SYMBOL,
            "type": side,
            "ordertype": kind,
            "volume": money.text(quantity),
            "price": "+2.5" if kind == "trailing-stop" else money.text(ticks * TICK),
        }
        if kind == "iceberg":
            wish["displayvol"] = money.text(round(quantity / 4, 8))
        return wish

    def _change(self, now):
        order = self._some_open()
        if order is not None:
            self._change_one(order, now, self.chance)

    def _change_again(self, now, chance):
        """What was changed within V; mostly it ends with that."""
        found = self.venue.orders.open_ones()
        found = [order for order in found if order.amends and order.amends[-1].booked > now - _JUST_NS]
        if not found:
            return
        order = chance.choice(found)
        self._change_one(order, now, chance)
        self.world.counts["changed again"] += 1
        if order.open and chance.random() < 0.7:
            self._cancel_one(order, now)

    def _change_one(self, order, now, chance):
        params = {"order_qty": money.text(self.world.unlike.quantity(chance, most=3_000_000))}
        if order.terms.display is not None:
            return  # an iceberg's parts must fit its whole
        if order.terms.price is not None and chance.random() < 0.5:
            near = TICK * order.terms.price
            params = {"limit_price": money.text(self.world.unlike.price(chance, near))}
        listing = self.venue.listing(SYMBOL)
        done = amend(self.venue.engine, listing, order, read_change(Params(params), order, listing), now)
        self.world.amended_by_hand.add(done.id)
        self.world.trace.note("hands", "change", f"{order.id} {params}")

    def _cancel(self, now):
        order = self._some_open()
        if order is not None:
            self._cancel_one(order, now)

    def _cancel_one(self, order, now):
        self.world.cancelled_by_hand.add(order.id)
        self.world.trace.note("hands", "cancel", order.id)
        self.venue.engine.cancel(order, now, reason="User requested")

    def _some_open(self):
        found = self.venue.orders.open_ones()
        return self.chance.choice(found) if found else None
