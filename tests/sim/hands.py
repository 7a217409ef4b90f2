"""A person at the exchange's own screen, beside the gateways: places, changes and cancels orders, also those of others.

It costs no counter, for the exchange's screen is not behind the key. What it did is for the judges: orders that nobody placed
through a gateway, and changes that no caller asked for.
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
            self._begun = self._begun or self.world.gateway.house.executions.state is FeedState.LIVE
            if self._begun:
                self.world.wire.do(self._carried_out(self.chance.choice(acts)))

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
        if order is None:
            return
        params = {"order_qty": money.text(self.world.unlike.quantity(self.chance, most=3_000_000))}
        if order.terms.display is not None:
            return  # an iceberg's parts must fit its whole
        if order.terms.price is not None and self.chance.random() < 0.5:
            near = TICK * order.terms.price
            params = {"limit_price": money.text(self.world.unlike.price(self.chance, near))}
        listing = self.venue.listing(SYMBOL)
        done = amend(self.venue.engine, listing, order, read_change(Params(params), order, listing), now)
        self.world.amended_by_hand.add(done.id)
        self.world.trace.note("hands", "change", f"{order.id} {params}")

    def _cancel(self, now):
        order = self._some_open()
        if order is not None:
            self.world.cancelled_by_hand.add(order.id)
            self.world.trace.note("hands", "cancel", order.id)
            self.venue.engine.cancel(order, now, reason="User requested")

    def _some_open(self):
        found = self.venue.orders.open_ones()
        return self.chance.choice(found) if found else None
