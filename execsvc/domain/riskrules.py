"""What the rules of the house hold an order to: pre-trade limits as values (promises.md section 11); app/risk.py judges.

Every rule that matches an order counts, each over its own scope, and the strictest one decides: a rule narrows and never
widens. A limit that no matching rule names has the default of DEFAULTS, or none.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum


class DuplicateAction(Enum):
    """What an order that looks like another one's twin meets."""

    WARN = "warn"
    REFUSE = "refuse"
    OFF = "off"


@dataclass(frozen=True)
class RiskRule:
    """Limits over one scope: empty account, caller or symbol mean any. None: this rule does not set that limit.

    Notionals are in US dollars, quantities in base units, distances and shares are fractions (0.05 is 5 %), rates are orders
    a second. shadow: names of this rule's limits that are only observed.
    """

    account: str = ""
    caller: str = ""
    symbol: str = ""
    max_order_notional: Decimal | None = None
    max_order_quantity: Decimal | None = None
    max_limit_distance: Decimal | None = None
    max_marketable_distance: Decimal | None = None
    max_open_orders: int | None = None
    max_open_notional: Decimal | None = None
    max_daily_notional: Decimal | None = None
    max_daily_loss: Decimal | None = None
    max_volume_share: Decimal | None = None
    max_orders_per_s: int | None = None
    duplicate_window_ms: int | None = None
    duplicates: DuplicateAction | None = None
    shadow: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class RiskRules:
    """All rules, in the order they were written."""

    rules: tuple[RiskRule, ...] = ()


DEFAULTS = RiskRule(
    max_limit_distance=Decimal("0.05"),
    max_marketable_distance=Decimal("0.01"),
    max_volume_share=Decimal("0.1"),
    max_orders_per_s=10,
    duplicate_window_ms=500,
    duplicates=DuplicateAction.WARN,
)
