"""What a caller wants changed of an order, and what Kraken shows of an order's changes: figures, and when they agree.

Values are absolute, so a wish that was fulfilled shows in the order itself. What becomes of a wish is amend.py's.
"""

import hashlib
from dataclasses import dataclass, replace
from decimal import Decimal

from execsvc.domain import money
from execsvc.domain.errors import FieldViolation
from execsvc.domain.spec import OrderSpec, OrderType

_FIGURES = ("base_quantity", "limit_price", "trigger_price", "display_quantity")


@dataclass(frozen=True)
class AmendWish:
    """What is to be changed; None: stays as it is. Figures are above zero; base_quantity is the new total."""

    base_quantity: Decimal | None = None
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    display_quantity: Decimal | None = None
    post_only: bool | None = None

    def faults(self, spec: OrderSpec) -> tuple[FieldViolation, ...]:
        """What cannot be changed of such an order: it has no such figure."""
        wished = [name for name in _FIGURES if getattr(self, name) is not None]
        missing = tuple(
            FieldViolation(name, f"this {spec.order_type.value} order has none: it cannot be changed")
            for name in wished
            if getattr(spec, name) is None and not (name == "display_quantity" and spec.order_type is OrderType.LIMIT)
        )
        if self.post_only is not None and spec.order_type is not OrderType.LIMIT:
            missing = (*missing, FieldViolation("post_only", "only a limit order can be post-only"))
        return missing

    def applied_to(self, spec: OrderSpec) -> OrderSpec:
        """The order's spec once it is amended so; `faults` is empty. post_only guards this change and stays nowhere."""
        return replace(spec, **{name: value for name in _FIGURES if (value := getattr(self, name)) is not None})

    def guards_post_only(self, spec: OrderSpec) -> bool:
        """Whether a new price that would take is refused: as asked, else as the order itself was placed."""
        return spec.post_only if self.post_only is None else self.post_only

    def stands_in(self, shown: "OrderSpec | ShownAmend") -> bool:
        """Whether an order that shows these figures stands as wished."""
        return all(getattr(shown, name) == value for name in _FIGURES if (value := getattr(self, name)) is not None)

    def text(self) -> str:
        """The wish in words: "base_quantity 2, limit_price 60100"."""
        told = [(name, getattr(self, name)) for name in _FIGURES]
        words = [f"{name.replace('_', ' ')} {money.text(value)}" for name, value in told if value is not None]
        if self.post_only is not None:
            words.append("post-only" if self.post_only else "not post-only")
        return ", ".join(words)


@dataclass(frozen=True)
class ShownAmend:
    """One state the order has had at Kraken. by_user: an amend made it, else its placing or the engine. None: not told.

    left: what was not filled then.
    """

    amend_id: str
    by_user: bool
    at_ns: int
    base_quantity: Decimal
    left: Decimal | None = None
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    display_quantity: Decimal | None = None

    def fulfils(self, wish: AmendWish) -> bool:
        """Whether the order stood as wished. Kraken may show what is filled for a total that was to be below it."""
        if wish.base_quantity is not None and self.left == money.ZERO and self.base_quantity > wish.base_quantity:
            wish = replace(wish, base_quantity=None)
        return wish.stands_in(self)


def content_hash(wish: AmendWish) -> bytes:
    """SHA-256 of what makes two amends of an order the same: what is set, figures by value."""
    parts = {name: money.numeral(value) for name in _FIGURES if (value := getattr(wish, name)) is not None}
    if wish.post_only is not None:
        parts["post_only"] = str(wish.post_only).lower()
    canonical = "\n".join(f"{name}={value}" for name, value in sorted(parts.items()))
    return hashlib.sha256(canonical.encode()).digest()
