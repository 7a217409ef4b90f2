"""What each call costs at Kraken's two counters, and how large the counters are, as tables (kraken.md 3).

REST costs are by endpoint; where Kraken's own pages and its clients disagree the higher figure stands here, and a setting can
change it. Engine costs are by what is done and the age of the order, counted from its creation or last amend.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from types import MappingProxyType


@dataclass(frozen=True)
class Tier:
    """The counters of one verification tier. Decays are points a second, open orders are per pair."""

    name: str
    rest_max: int
    rest_decay: Decimal
    engine_max: int
    engine_decay: Decimal
    open_orders_max: int


STARTER, INTERMEDIATE, PRO, UNLIMITED = "starter", "intermediate", "pro", "unlimited"
TIERS: Mapping[str, Tier] = MappingProxyType(
    {
        tier.name: tier
        for tier in (
            Tier(STARTER, 15, Decimal("0.33"), 60, Decimal(1), 60),
            Tier(INTERMEDIATE, 20, Decimal("0.5"), 125, Decimal("2.34"), 80),
            Tier(PRO, 20, Decimal(1), 180, Decimal("3.75"), 225),
            # A paper exchange under a load test; no account at Kraken is like this.
            Tier(UNLIMITED, 10**9, Decimal(10**9), 10**9, Decimal(10**9), 10**9),
        )
    }
)

REST_COST = 1
REST_COSTS: Mapping[str, int] = MappingProxyType(
    {
        "AddOrder": 0, "AddOrderBatch": 0, "AmendOrder": 0, "EditOrder": 0, "CancelOrder": 0, "CancelOrderBatch": 0,
        "CancelAll": 1, "CancelAllOrdersAfter": 1,
        "Ledgers": 2, "QueryLedgers": 2, "TradesHistory": 2, "QueryTrades": 2, "ClosedOrders": 2,
    }
)  # fmt: skip


class Act(Enum):
    """What is done to an order at the engine."""

    ADD = "add"
    AMEND = "amend"
    EDIT = "edit"
    CANCEL = "cancel"


AGES_S = (5, 10, 15, 45, 90, 300)  # a step holds below its age, the last one from there on
FIXED: Mapping[Act, int] = MappingProxyType({Act.ADD: 1, Act.AMEND: 1, Act.EDIT: 1, Act.CANCEL: 0})
BY_AGE: Mapping[Act, tuple[int, ...]] = MappingProxyType(
    {
        Act.ADD: (0, 0, 0, 0, 0, 0, 0),
        Act.AMEND: (3, 2, 1, 0, 0, 0, 0),
        Act.EDIT: (6, 5, 4, 2, 1, 0, 0),
        Act.CANCEL: (8, 6, 5, 4, 2, 1, 0),
    }
)


def rest_cost(name: str, changed: Mapping[str, int] = MappingProxyType({})) -> int:
    """Points of one call of this endpoint (`ClosedOrders`); `changed` are figures that an operator knows better."""
    return changed.get(name, REST_COSTS.get(name, REST_COST))


def engine_cost(act: Act, age_s: float) -> Decimal:
    """Points of one act on an order of this age; an age below 0 counts as 0, `inf` as older than all steps."""
    step = sum(1 for bound in AGES_S if age_s >= bound)
    return Decimal(FIXED[act] + BY_AGE[act][step])


def batch_add_cost(count: int) -> Decimal:
    """Points of a batch of so many new orders: half of each."""
    return Decimal(count) / 2
