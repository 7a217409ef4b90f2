"""Conditional closes: the order that each fill of another one brings forth, on the other side and of the fill's size.

The template comes as `close[ordertype]`, `close[price]`, `close[price2]` or, in JSON, as an object `close`. Distances
in it are measured from the fill's price. The order it becomes is offspring.py's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .matching import Side, opposite
from .pairs import Pair
from .params import Params
from .triggers import LIMITED, TRIGGERED, Asked, Seen, hash_signs, read_prices
from .words import bad_argument

_KINDS = ("limit", *TRIGGERED)
_PARTS = ("ordertype", "price", "price2")


@dataclass(frozen=True, slots=True)
class Close:
    """The template as it was asked for, but with the signs that # stood for."""

    kind: str
    price: str
    price2: str

    def asked(self, side: Side) -> Asked:
        """Return it as a request for an order on this side."""
        return Asked(self.kind, side, self.price, self.price2, names=("close[price]", "close[price2]"))


def read_close(params: Params, pair: Pair, side: Side, seen: Seen) -> Close | None:
    """Read the template of an order on `side`, if there is one; raises Refused when it could never be an order."""
    parts = _parts(params)
    if not any(value not in ("", "0") for value in parts.values()):
        return None
    if parts["ordertype"] not in _KINDS:
        raise bad_argument("close[ordertype]")
    close = Close(parts["ordertype"], parts["price"], parts["price2"] if parts["ordertype"] in LIMITED else "")
    if parts["ordertype"] not in LIMITED and parts["price2"] not in ("", "0"):
        raise bad_argument("close[price2]")
    read_prices(close.asked(opposite(side)), pair, seen)
    natural, natural2 = hash_signs(close.kind, opposite(side))
    return Close(close.kind, _signed(close.price, natural), _signed(close.price2, natural2))


def _signed(text: str, natural: int) -> str:
    return f"{'+' if natural > 0 else '-'}{text[1:]}" if text.startswith("#") else text


def _parts(params: Params) -> dict[str, str]:
    nested = params.nested("close")
    if nested is not None:
        inner = Params(_known(nested))
        return {part: inner.text(part) for part in _PARTS}
    if params.given("close"):
        raise bad_argument("close")
    return {part: params.text(f"close[{part}]") for part in _PARTS}


def _known(nested: Mapping[str, Any]) -> Mapping[str, Any]:
    if strange := [name for name in nested if name not in _PARTS]:
        raise bad_argument(f"close[{strange[0]}]")
    return nested
