"""Kraken's counters as a test sets them: the ports' double of Rates for whoever only looks at them."""

from dataclasses import replace
from decimal import Decimal

from execsvc.ports import CapacityAnswer, CounterKind, CounterState

KEY = CounterState(
    kind=CounterKind.REST_KEY,
    name="key-1",
    level=Decimal("2.5"),
    maximum=Decimal(20),
    decay_per_s=Decimal("0.5"),
    headroom=Decimal("9.5"),
    reserve=Decimal(6),
)
PAIR = CounterState(
    kind=CounterKind.ENGINE_PAIR,
    name="BTC/USD",
    level=Decimal("12.345"),
    maximum=Decimal(125),
    decay_per_s=Decimal("2.34"),
    headroom=Decimal("106.975"),
    open_orders=3,
    max_open_orders=80,
)


class SetRates:
    """`answer` is given to every question, every pair looks like `pair`; `asked` and `looked_at` keep what was asked."""

    def __init__(self):
        self.tier = "intermediate"
        self.problems = ()
        self.used = ()
        self.key = KEY
        self.pair = PAIR
        self.answer = CapacityAnswer(106, 0.0, 0.42735)
        self.asked = []
        self.looked_at = []

    def counters(self, symbols):
        self.looked_at.append(symbols)
        return (self.key, *(replace(self.pair, name=symbol) for symbol in symbols or self.used))

    def capacity(self, question):
        self.asked.append(question)
        return self.answer

    def place_cost(self):
        return Decimal(1)

    async def room(self, symbol, caller, by):
        raise AssertionError("looking takes no room")
