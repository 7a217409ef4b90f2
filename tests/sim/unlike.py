"""Figures of which no two in a run are alike: by them the judges know orders and changes again at the exchange."""

from decimal import Decimal

from tests.sim.market import TICK

_AWAY = 60  # ticks


class Unlike:
    """All that were drawn so far."""

    def __init__(self):
        self._quantities = set()
        self._prices = set()

    def quantity(self, chance, most=150_000_000):
        """Of the base asset, 0.001 at least; `most` in its smallest units, which few come near to."""
        while True:
            lots = chance.randrange(100_000, most if chance.random() < 0.3 else 3_000_000)
            if lots not in self._quantities:
                self._quantities.add(lots)
                return Decimal(lots).scaleb(-8)

    def budget(self, chance):
        """So many dollars, to the cent; more than any quantity is."""
        while True:
            cents = chance.randrange(10_000, 900_000)
            if cents not in self._quantities:
                self._quantities.add(cents)
                return Decimal(cents).scaleb(-2)

    def price(self, chance, near):
        """Of a change, not far from `near` and not that."""
        self._prices.add(near)
        while (price := near + chance.randrange(-_AWAY, _AWAY) * TICK) in self._prices:
            pass
        self._prices.add(price)
        return price
