"""Numbers as the file writes them, held to the digits of the contract: at most 18 on either side of the point.

A float that is longer stays the text that it was, which no reader takes for a number: written out, `1e999999999` would fill
the memory of whoever prints it. What a number may be besides is said where it is used.
"""

from decimal import Decimal, InvalidOperation

DIGITS = 18
TOO_LONG = f"at most {DIGITS} digits before the point and {DIGITS} behind it"
_LEAST: int = 10**DIGITS


def number(text: str) -> Decimal | str:
    """A float of the file, for the TOML parser; as text where it is too long."""
    try:
        value = Decimal(text)
    except InvalidOperation:  # an exponent beyond what a Decimal can have
        return text
    return text if is_too_long(value) else value


def is_too_long(value: object) -> bool:
    """Whether it is a number with more digits than the contract's; infinity is none."""
    match value:
        case bool():
            return False
        case int():
            return value >= _LEAST or value <= -_LEAST
        case Decimal() as amount if amount.is_finite():
            exponent = amount.as_tuple().exponent
            return amount.adjusted() >= DIGITS or (isinstance(exponent, int) and exponent < -DIGITS)
        case _:
            return False
