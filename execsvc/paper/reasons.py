"""Why an order ended or was changed without being asked, as its `reason` says. No rule is here, only words.

Kraken documents "User requested" and "Post only order", and its error page the one of reduce-only; the rest are ours.
"""

from dataclasses import dataclass

from .words import POSITION_CLOSED


@dataclass(frozen=True, slots=True)
class Reasons:
    """One text for each cause."""

    user: str = "User requested"
    post: str = "Post only order"
    ioc: str = "IOC remainder"
    fok: str = "FOK not fillable"
    market: str = "Insufficient liquidity"
    funds: str = "Insufficient funds"
    self_trade: str = "Self trade prevention"
    expired: str = "Order expired"
    replaced: str = "Order replaced"
    after: str = "Cancel all orders after"
    position: str = POSITION_CLOSED


REASONS = Reasons()
