"""How limits say their figures: so exact that none is rounded to nothing or onto the other side of its limit.

What is shown to a person is shown to a program too, as the `value` of a verdict. Whether a figure is too much is
domain/risk.py's to say.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

from execsvc.domain import money
from execsvc.domain.riskrules import Bound

CENTS = 2
FRACTION = 6
_PERCENT = 4  # of a fraction: two places of a percentage
_UNITS = 8
_PLACES_MAX = 18  # the contract's
_TELLING = 3  # digits that a small figure shows
_HUNDRED = Decimal(100)
_CENT = Decimal("0.01")
_WIDE = Context(prec=60)
_TODAY = "today's"
DAY_ENDS = "the day ends at 00:00 UTC"


def figure(value: Decimal, limit: Decimal, places: int) -> Decimal:
    """The value to so many places, or as many more as it takes to be told from nothing, and from the limit."""
    for digits in range(places, _PLACES_MAX):
        shown = value.quantize(Decimal(1).scaleb(-digits), context=_WIDE)
        tells = not value or digits + value.adjusted() + 1 >= _TELLING
        if tells and shown.compare(limit) == value.compare(limit):
            return shown
    rounding = ROUND_CEILING if value > limit else ROUND_FLOOR
    return value.quantize(Decimal(1).scaleb(-_PLACES_MAX), rounding=rounding, context=_WIDE)


def cents(value: Decimal) -> str:
    """To the cent, however large it is: of what is used, beside no verdict."""
    return money.text(value.quantize(_CENT, context=_WIDE))


def dollars(value: Decimal, limit: Decimal) -> str:
    """To the cent, or finer where that says too little."""
    return money.text(figure(value, limit, CENTS))


def units(value: Decimal, limit: Decimal) -> str:
    """As it is; where it was divided and does not end, as far as it says enough."""
    exponent = value.as_tuple().exponent
    ends = isinstance(exponent, int) and -exponent <= _PLACES_MAX
    return money.text(value if ends else figure(value, limit, _UNITS))


def fraction(value: Decimal, limit: Decimal) -> str:
    """For a program."""
    return money.numeral(figure(value, limit, FRACTION))


def percent(value: Decimal, limit: Decimal) -> str:
    """A fraction for people: "6.25 %". A limit itself is shown in full: it is its own limit."""
    return f"{money.numeral(money.product(figure(value, limit, _PERCENT), _HUNDRED))} %"


def orders(count: Decimal) -> str:
    """So many orders: "1 order"."""
    return f"{money.numeral(count)} order{'' if count == 1 else 's'}"


def open_orders(bound: Bound, count: Decimal, *, over: bool) -> str:
    """How many are open, the one that is asked for among them."""
    return (
        f"open orders of {bound.scope}: {orders(count)} with this one, "
        f"{relation(over=over)} the limit of {orders(bound.limit)}"
    )


def notional(bound: Bound, total: Decimal, this: Decimal | None, *, over: bool) -> str:
    """Of what is open, or of the day, in dollars. total: with this order; this: its own part, None where it is an amend."""
    of_day = bound.name == "max_daily_notional"
    what = f"{_TODAY if of_day else 'open'} notional of {bound.scope}"
    limit = f"{relation(over=over)} the limit of {money.text(bound.limit)} USD"
    shown = dollars(total, bound.limit)
    if this is None:
        return f"{what}: {shown} USD with the order as amended, {limit}{f'; {DAY_ENDS}' if of_day else ''}"
    used = max(money.ZERO, _WIDE.subtract(total, this))
    parts = f"{dollars(used, bound.limit)} USD used and {dollars(this, bound.limit)} USD of this order make {shown} USD"
    left = _left(bound.limit, used) if over else f"{_left(bound.limit, total)} after it"
    return f"{what}: {parts}, {limit}; {left}{f', and {DAY_ENDS}' if of_day else ''}"


def _left(limit: Decimal, used: Decimal) -> str:
    """Never more than there is."""
    left = _WIDE.subtract(limit, used).quantize(_CENT, rounding=ROUND_FLOOR, context=_WIDE)
    return f"{money.text(left)} USD is left" if left > 0 else "nothing is left"


def loss(bound: Bound, lost: Decimal, *, over: bool) -> str:
    """Of the day. One that has reached its limit is too much; what only reduces passes all the same."""
    what = f"{_TODAY} loss of {bound.scope}: {dollars(lost, bound.limit)} USD"
    limit = f"the limit of {money.text(bound.limit)} USD"
    if not over:
        return f"{what}, within {limit}; {DAY_ENDS}"
    return f"{what} has reached {limit}; reduce_only without a conditional close passes, and {DAY_ENDS}"


def relation(*, over: bool) -> str:
    """Of a figure to its limit."""
    return "above" if over else "within"
