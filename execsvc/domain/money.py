"""Decimal money: parsing, printing and stepping. No float gets in, nothing is rounded in silence.

Prices, quantities and amounts are all `Decimal`; which one a value is, its field name says. The text form is the
grammar of the contract (contract.md section 2): at most 18 digits on either side, no exponent, no plus, no grouping.
This room knows no pairs and no tick sizes: those are handed in as a step.
"""

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal

ZERO = Decimal(0)
_CONTEXT = Context(prec=60)
_GRAMMAR = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?", re.ASCII)


class Malformed(ValueError):
    """The text is no decimal of the contract's grammar; the message says what is wrong with it."""


def parse(text: str, *, signed: bool = False) -> Decimal:
    """The value of `text`, its scale kept (`"0.10"` stays `0.10`). Raises Malformed."""
    if not _GRAMMAR.fullmatch(text):
        raise Malformed("not a decimal: write digits with at most one point, no exponent, no sign, no grouping")
    value = Decimal(text)
    if text.startswith("-"):
        if value == ZERO:
            raise Malformed("-0 is not a number here")
        if not signed:
            raise Malformed("must not be negative")
    return value


def text(value: Decimal) -> str:
    """Plain digits, never an exponent; the scale of the value is kept."""
    return format(value, "f")


def numeral(value: Decimal) -> str:
    """One text per numeric value (`1.50` and `1.5` give `1.5`): for hashes and comparisons, not for people."""
    if value == ZERO:
        return "0"
    plain = format(value, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Whether `value` is a whole number of steps; `step` is above zero."""
    return _CONTEXT.remainder(value, step) == ZERO


def nearest(value: Decimal, step: Decimal) -> Decimal:
    """The multiple of `step` closest to `value`, at the step's scale: an offer to a caller, never applied unasked."""
    steps = _CONTEXT.divide(value, step).quantize(Decimal(1), rounding=ROUND_HALF_EVEN, context=_CONTEXT)
    return _CONTEXT.multiply(steps, step)


def product(left: Decimal, right: Decimal) -> Decimal:
    """`left * right` without the default context's 28-digit rounding."""
    return _CONTEXT.multiply(left, right)


def average(cost: Decimal, quantity: Decimal) -> Decimal:
    """Cost per unit to 18 significant digits; zero quantity is the caller's mistake (ZeroDivisionError)."""
    return Context(prec=18).divide(cost, quantity)
