"""Exact figures as text: fixed-point money, RFC 3339 instants. Pure; no float touches an amount here.

Inside the exchange a price is an integer of 10^-pair_decimals, a volume of 10^-lot_decimals and a balance of
10^-asset decimals. They become text only on the way out, with every trailing zero, as Kraken prints them.
"""

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

NS = 1_000_000_000
_DIGITS_MAX = 40


def fixed(value: int, decimals: int) -> str:
    """Print `value` × 10^-decimals with exactly that many places: 12345 and 2 give "123.45"."""
    if decimals == 0:
        return str(value)
    sign = "-" if value < 0 else ""
    digits = str(abs(value)).rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def units(number: Decimal, decimals: int) -> int | None:
    """Return `number` in units of 10^-decimals, or None when it has more places than that (or is no number)."""
    sign, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int) or len(digits) > _DIGITS_MAX or abs(exponent) > _DIGITS_MAX:
        return None
    value = int("".join(map(str, digits)))
    shift = exponent + decimals
    if shift >= 0:
        value *= int(10**shift)
    else:
        value, rest = divmod(value, int(10**-shift))
        if rest:
            return None
    return -value if sign else value


def whole(text: str, decimals: int) -> int:
    """Read a figure of our own tables; one with too many places is a mistake in the table and raises ValueError."""
    value = units(Decimal(text), decimals)
    if value is None:
        raise ValueError(f"{text} does not fit {decimals} decimals")
    return value


def rescale(value: int, have: int, want: int) -> int:
    """Move a figure between scales, rounding half away from zero when places are lost."""
    if want >= have:
        return int(value * 10 ** (want - have))
    step = int(10 ** (have - want))
    size = (abs(value) + step // 2) // step
    return -size if value < 0 else size


def ceil_div(numerator: int, denominator: int) -> int:
    """Divide two positive integers, rounding up."""
    return -(-numerator // denominator)


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def stamp(at: int) -> str:
    """Print an instant (ns since the epoch) as RFC 3339 with microseconds, as the WebSocket does."""
    seconds, rest = divmod(at, NS)
    return f"{_second(seconds)}.{rest // 1000:06d}Z"


def stamp_seconds(at: int) -> str:
    """Print an instant as RFC 3339 with whole seconds, as SystemStatus does."""
    return f"{_second(at // NS)}Z"


def instant(text: str) -> int | None:
    """Read an RFC 3339 instant with a zone as ns since the epoch; None when it is not one."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * NS + since.microseconds * 1000


def seconds(at: int) -> float:
    """Return an instant as Kraken's REST objects carry it: a JSON number of seconds, to the microsecond."""
    return at // 1000 / 1e6
