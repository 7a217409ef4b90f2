"""What the rules of the house hold an order to: pre-trade limits as values (promises.md section 11); domain/risk.py judges.

Every rule that matches an order counts, each over its own scope, and the strictest one decides: a rule narrows and never
widens. A limit that no matching rule names has the default of DEFAULTS, or none; what a rule names, `OFF` too, takes the
default's place. A caller's grant counts besides.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum

from execsvc.domain.caller import Grant

OFF = Decimal("Infinity")  # a limit that is switched off, in so many words
RATE_OFF = 1_000_000  # orders a second from which on nobody is held back


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

    @property
    def names_duplicates(self) -> bool:
        """Whether it says anything of twins."""
        return self.duplicate_window_ms is not None or self.duplicates is not None


DEFAULTS = RiskRule(
    max_limit_distance=Decimal("0.05"),
    max_marketable_distance=Decimal("0.01"),
    max_volume_share=Decimal("0.1"),
    max_orders_per_s=10,
    duplicate_window_ms=500,
    duplicates=DuplicateAction.WARN,
)
PLAYGROUND_DISTANCE = Decimal("0.5")  # where orders are copied from a page, whatever the market does meanwhile
# Every default switched off: for a rig that is about something else, and for whoever wants nothing of all this.
LIFTED = RiskRule(
    max_limit_distance=OFF,
    max_marketable_distance=OFF,
    max_volume_share=OFF,
    max_orders_per_s=RATE_OFF,
    duplicates=DuplicateAction.OFF,
)


@dataclass(frozen=True)
class RiskRules:
    """All rules, in the order they were written; defaults: what is in force where none of them says otherwise."""

    rules: tuple[RiskRule, ...] = ()
    defaults: RiskRule = DEFAULTS


def eased(rules: RiskRules, *, playground: bool, load_test: bool) -> RiskRules:
    """The same rules over milder defaults: of a place where no money moves."""
    defaults = rules.defaults
    if playground:
        defaults = replace(defaults, max_limit_distance=PLAYGROUND_DISTANCE)
    if load_test:
        defaults = replace(defaults, max_orders_per_s=RATE_OFF)
    return replace(rules, defaults=defaults)


# ---- one bound on one order -------------------------------------------------------------------------------------

# In the order they are told: what is wrong with the order itself, then what it adds up to, then the caller's pace.
AMOUNTS = (
    "max_order_notional",
    "max_order_quantity",
    "max_limit_distance",
    "max_marketable_distance",
    "max_volume_share",
    "max_open_orders",
    "max_open_notional",
    "max_daily_notional",
    "max_daily_loss",
    "max_orders_per_s",
)
DUPLICATES = "duplicates"
LIMITS = (*AMOUNTS, DUPLICATES)  # every name of a limit: of a check, in `shadow`, as a label of a metric
ADDING_UP = frozenset({"max_open_orders", "max_open_notional", "max_daily_notional", "max_daily_loss"})
UNITS = {
    "max_order_notional": "USD",
    "max_order_quantity": "base units",
    "max_limit_distance": "fraction of the price",
    "max_marketable_distance": "fraction of the price",
    "max_volume_share": "fraction of the 24 h volume",
    "max_open_orders": "orders",
    "max_open_notional": "USD",
    "max_daily_notional": "USD",
    "max_daily_loss": "USD",
    "max_orders_per_s": "orders a second",
    DUPLICATES: "ms",
}


@dataclass(frozen=True)
class RiskScope:
    """Over which orders of one account a bound counts: of this caller, of this pair; empty means any."""

    caller: str = ""
    symbol: str = ""

    def holds(self, caller: str, symbol: str) -> bool:
        """Whether an order of that caller and pair counts."""
        return self.caller in {"", caller} and self.symbol in {"", symbol}

    def __str__(self) -> str:
        whose = f"caller {self.caller}" if self.caller else "every caller"
        return f"{whose}, {self.symbol or 'every pair'}"


@dataclass(frozen=True)
class Bound:
    """One limit as it stands for one order. action: of duplicates alone, whose `limit` is a window in ms."""

    name: str
    limit: Decimal
    scope: RiskScope
    shadow: bool = False
    action: DuplicateAction = DuplicateAction.OFF


def bounds_for(rules: RiskRules, account: str, caller: str, symbol: str, grant: Grant) -> tuple[Bound, ...]:
    """Every bound that counts for an order, in the order of LIMITS; what is off is left out.

    An empty symbol means an order of whatever pair: then the rules of all pairs are told.
    """
    matching = [rule for rule in rules.rules if _matches(rule, account, caller, symbol)]
    found = [each for name in AMOUNTS for each in _of(name, matching, rules.defaults, grant, caller, symbol)]
    found += _twins(matching, rules.defaults, symbol)
    return tuple(dict.fromkeys(each for each in found if each.limit.is_finite() and not _is_no_rate(each)))


def adding_up(rules: RiskRules, account: str) -> tuple[RiskScope, ...]:
    """The scopes that something is added up over, in this account."""
    ours = (rule for rule in rules.rules if rule.account in {"", account})
    named = (rule for rule in ours if any(getattr(rule, name) is not None for name in ADDING_UP))
    return tuple(dict.fromkeys(RiskScope(rule.caller, rule.symbol) for rule in named))


def counts_days(rules: RiskRules, account: str) -> bool:
    """Whether anything is counted by the day in this account."""
    return any(
        rule.max_daily_notional is not None or rule.max_daily_loss is not None
        for rule in rules.rules
        if rule.account in {"", account}
    )


def _matches(rule: RiskRule, account: str, caller: str, symbol: str) -> bool:
    return rule.account in {"", account} and rule.caller in {"", caller} and (not symbol or rule.symbol in {"", symbol})


def _of(
    name: str, matching: list[RiskRule], defaults: RiskRule, grant: Grant, caller: str, symbol: str
) -> Iterator[Bound]:
    named = [rule for rule in matching if getattr(rule, name) is not None]
    default = getattr(defaults, name)
    enforced = [rule for rule in named if name not in rule.shadow]
    if default is not None and not _takes_its_place(enforced, symbol):
        yield Bound(name, Decimal(default), RiskScope())
    for rule in named:
        scope = RiskScope(rule.caller, rule.symbol)
        yield Bound(name, Decimal(getattr(rule, name)), scope, name in rule.shadow)
    granted = {"max_order_notional": grant.max_order_notional, "max_orders_per_s": grant.orders_per_s}.get(name)
    if granted is not None:
        yield Bound(name, Decimal(granted), RiskScope(caller))


def _takes_its_place(named: list[RiskRule], symbol: str) -> bool:
    """The default's: a rule of one pair does so for that pair alone."""
    return any(symbol or not rule.symbol for rule in named)


def _twins(matching: list[RiskRule], defaults: RiskRule, symbol: str) -> Iterator[Bound]:
    named = [rule for rule in matching if rule.names_duplicates]
    for rule in named if _takes_its_place(named, symbol) else [defaults, *named]:
        action = rule.duplicates or defaults.duplicates or DuplicateAction.WARN
        window = rule.duplicate_window_ms if rule.duplicate_window_ms is not None else defaults.duplicate_window_ms
        shadow = DUPLICATES in rule.shadow or action is DuplicateAction.WARN
        if action is not DuplicateAction.OFF and window:
            yield Bound(DUPLICATES, Decimal(window), RiskScope(rule.caller, rule.symbol), shadow, action)


def _is_no_rate(bound: Bound) -> bool:
    return bound.name == "max_orders_per_s" and bound.limit >= RATE_OFF
