"""Prices as Kraken takes them: a figure, or a distance such as +5, -0.5% or #3 from what the market says.

Pure. What is read is whole ticks of the pair; a figure off the tick is refused, a distance is rounded to it.
"""

from dataclasses import dataclass
from decimal import Decimal

from .figures import units
from .pairs import Pair
from .params import decimal
from .words import INVALID_PRICE, TICK_SIZE, Refused, bad_argument

_PRICE_MAX = 1 << 62
_SIGNS = "+-#"
_PERCENT_PLACES = 4


@dataclass(frozen=True, slots=True)
class Offset:
    """A distance from some price: `sign` is 1 or -1, `amount` a figure of whole price or, with `percent`, of hundredths."""

    sign: int
    amount: Decimal
    percent: bool

    def ticks_of(self, base: int, pair: Pair) -> int:
        """Return the unsigned distance in price units, whole ticks, when it is measured from `base`."""
        away = self.amount * base / 100 if self.percent else self.amount * Decimal(10**pair.pair_decimals)
        return int((away / pair.tick).to_integral_value()) * pair.tick

    def measured(self, base: int, pair: Pair) -> int:
        """Return the price that lies so far from `base`; it may be none, zero or less."""
        return base + self.sign * self.ticks_of(base, pair)

    def text(self, pair: Pair) -> str:
        """Print it as Kraken does: +50.0000%, -5.0."""
        places = _PERCENT_PLACES if self.percent else pair.pair_decimals
        return f"{'+' if self.sign > 0 else '-'}{self.amount:.{places}f}{'%' if self.percent else ''}"


def is_relative(text: str) -> bool:
    """Tell whether a price is given as a distance."""
    return text[:1] in tuple(_SIGNS) or text.endswith("%")


def read_offset(text: str, name: str, *, natural: int) -> Offset:
    """Read a distance; `natural` is the sign that # stands for. Raises Refused naming the field."""
    sign = {"+": 1, "-": -1, "#": natural}.get(text[:1])
    amount = decimal(text[1:].removesuffix("%"), name) if sign is not None else Decimal(-1)
    if sign is None or amount < 0:
        raise bad_argument(name)
    return Offset(sign, amount, text.endswith("%"))


def read_price(text: str, name: str, pair: Pair, *, base: int, natural: int) -> int:
    """Read a price in price units, a distance measured from `base`; raises Refused."""
    if is_relative(text):
        return sound_price(read_offset(text, name, natural=natural).measured(base, pair))
    number = decimal(text, name)
    if number <= 0:
        raise Refused(INVALID_PRICE)
    price = units(number, pair.pair_decimals)
    if price is None or price % pair.tick:
        raise Refused(TICK_SIZE)
    return sound_price(price)


def sound_price(price: int) -> int:
    """Return a price that can be one; raises Refused otherwise."""
    if not 0 < price <= _PRICE_MAX:
        raise Refused(INVALID_PRICE)
    return price
