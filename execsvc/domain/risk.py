"""Judges one order by the bounds that count for it: a pure decision over the order, the market and what is used already.

Fail closed: a bound whose figure cannot be worked out is not passed, and says which price is missing. An amend is held to
what it makes worse: what it leaves as it is, or betters, no bound of the order as it stands refuses. What a rule is, is
riskrules.py's; how much is used, and how fast a caller goes, is kept in app.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Context, Decimal

from execsvc.domain import collar, money, riskwords
from execsvc.domain.collar import Market, Reach
from execsvc.domain.errors import Fault, Reason
from execsvc.domain.modes import only_reduces
from execsvc.domain.riskrules import ADDING_UP, UNITS, Bound, RiskScope
from execsvc.domain.spec import OrderSpec

_WIDE = Context(prec=60)  # 18 digits times 18 digits, twice over, do not fit into the usual 28
CLOSES = "it closes a position that is there: no limit holds that back"
EASES = "it can only make a position smaller: no limit of what is at stake holds that back"
ANEW = "it closes a position and opens one anew, of a size that nobody knows"
NO_WORSE = "the amend makes it no worse than the order that is there"


@dataclass(frozen=True)
class Wish:
    """What is to be judged. `before`: the order as it stands, where this is an amend of it."""

    spec: OrderSpec
    before: OrderSpec | None = None

    @property
    def is_no_larger(self) -> bool:
        """Whether it is an amend that asks for no more units."""
        old, new = (None if self.before is None else self.before.base_quantity), self.spec.base_quantity
        return self.before is not None and (old is None or new is None or new <= old)

    @property
    def keeps_prices(self) -> bool:
        """Whether it is an amend that leaves every measured price as it is."""
        return self.before is not None and collar.prices_of(self.before) == collar.prices_of(self.spec)

    @property
    def only_eases(self) -> bool:
        """Whether it is an amend after which nothing is larger and no price other: no amount in force holds it back."""
        return self.is_no_larger and self.keeps_prices

    @property
    def shrinks(self) -> bool:
        """Whether it is an amend after which the order is smaller and no price other: every limit lets it through."""
        old, new = (None if self.before is None else self.before.base_quantity), self.spec.base_quantity
        return self.keeps_prices and old is not None and new is not None and new < old

    @property
    def closes(self) -> bool:
        """Whether it is for a whole position, and leaves none."""
        return self.spec.full_position and only_reduces(self.spec)


@dataclass(frozen=True)
class Seen:
    """What is known of the order now: its worth in dollars and its size in base units. missing: pairs without a price.

    grows: its worth is more than that of the order as it stands; true of every placement.
    """

    symbol: str
    market: Market | None
    notional: Decimal | None
    quantity: Decimal | None
    missing: tuple[str, ...] = ()
    grows: bool = True


@dataclass(frozen=True)
class Used:
    """What is used of a bound that adds up, this order included; grew: by this order."""

    value: Decimal | None
    missing: tuple[str, ...] = ()
    grew: bool = True


@dataclass(frozen=True)
class Verdict:
    """One bound and what it says. value is in the limit's unit, empty where there is none; missing: pairs without a price."""

    name: str
    scope: RiskScope
    value: str
    limit: str
    passed: bool
    shadow: bool
    message: str
    missing: tuple[str, ...] = ()
    retry_after_s: float | None = None

    @property
    def refuses(self) -> bool:
        """Whether the order may not go for it."""
        return not self.passed and not self.shadow


def judge(bounds: Iterable[Bound], wish: Wish, seen: Seen, used: Callable[[Bound], Used]) -> tuple[Verdict, ...]:
    """One verdict for each bound on the order itself and on what it adds up to; the caller's pace is not judged here."""
    return tuple(
        _judged(bound, wish, seen, used) for bound in bounds if bound.name in _JUDGES or bound.name in ADDING_UP
    )


def refusal(verdicts: Iterable[Verdict]) -> Fault | None:
    """Why the order may not go: the first verdict against it, with the names of the others; None: it may."""
    against = [each for each in verdicts if each.refuses]
    if not against:
        return None
    first = against[0]
    metadata = {
        "check": first.name,
        "value": first.value,
        "limit": "" if first.missing else first.limit,
        "unit": UNITS[first.name],
        "scope": str(first.scope),
        "id_used": "false",
    }
    if len(against) > 1:
        metadata["also"] = ", ".join(dict.fromkeys(each.name for each in against[1:] if each.name != first.name))
    if first.missing:
        metadata["missing"] = ", ".join(first.missing)
    if first.retry_after_s is not None:
        return Fault(Reason.CALLER_QUOTA, f"{first.message}; nothing was sent", metadata, (), first.retry_after_s)
    return Fault(Reason.RISK_REFUSED, f"{first.message}; nothing was sent", metadata)


def lacking(fault: Fault) -> tuple[str, ...]:
    """The pairs for whose price the order was refused."""
    return tuple(filter(None, fault.metadata.get("missing", "").split(", ")))


def verdict(bound: Bound, value: str, message: str, *, passed: bool, retry_after_s: float | None = None) -> Verdict:
    """A bound's verdict in full."""
    return Verdict(
        bound.name,
        bound.scope,
        value,
        money.text(bound.limit),
        passed,
        bound.shadow,
        message,
        retry_after_s=retry_after_s,
    )


# ---- one bound --------------------------------------------------------------------------------------------------


def _judged(bound: Bound, wish: Wish, seen: Seen, used: Callable[[Bound], Used]) -> Verdict:
    if bound.name in ADDING_UP:
        return _added_up(bound, wish, seen, used(bound))
    return _JUDGES[bound.name](bound, wish, seen)


def _passed(bound: Bound, message: str, value: str = "") -> Verdict:
    return verdict(bound, value, message, passed=True)


def _unknown(bound: Bound, missing: tuple[str, ...]) -> Verdict:
    pairs = " and ".join(missing)
    message = f"no live price of {pairs} to hold the order against {bound.name}"
    return Verdict(
        bound.name,
        bound.scope,
        "",
        money.text(bound.limit),
        passed=False,
        shadow=bound.shadow,
        message=message,
        missing=missing,
    )


def _held(bound: Bound, value: Decimal, figure: str, words: str) -> Verdict:
    """In dollars or base units; `figure`: the value as it is shown."""
    unit, over = UNITS[bound.name], value > bound.limit
    is_it = f"is {riskwords.relation(over=over)} the limit of {money.text(bound.limit)} {unit}"
    return verdict(bound, figure, f"{words} {figure} {unit} {is_it}", passed=not over)


def _anew(bound: Bound) -> Verdict:
    return verdict(bound, "", ANEW, passed=False)


def _notional(bound: Bound, wish: Wish, seen: Seen) -> Verdict:
    if wish.closes:
        return _passed(bound, CLOSES)
    if not seen.grows:
        return _passed(bound, NO_WORSE)
    if wish.spec.full_position:
        return _anew(bound)
    if seen.notional is None:
        return _unknown(bound, seen.missing)
    return _held(bound, seen.notional, riskwords.dollars(seen.notional, bound.limit), "order notional")


def _quantity(bound: Bound, wish: Wish, seen: Seen) -> Verdict:
    if wish.closes:
        return _passed(bound, CLOSES)
    if wish.is_no_larger:
        return _passed(bound, NO_WORSE)
    if wish.spec.full_position:
        return _anew(bound)
    if seen.quantity is None:
        return _unknown(bound, (seen.symbol,))
    return _held(bound, seen.quantity, riskwords.units(seen.quantity, bound.limit), "order quantity")


def _share(bound: Bound, wish: Wish, seen: Seen) -> Verdict:
    """Of what was traded of the pair in 24 h; a pair that nobody trades has no share to take."""
    if wish.closes:
        return _passed(bound, CLOSES)
    if wish.is_no_larger:
        return _passed(bound, NO_WORSE)
    if wish.spec.full_position:
        return _anew(bound)
    if seen.quantity is None or seen.market is None:
        return _unknown(bound, (seen.symbol,))
    most = money.product(seen.market.volume, bound.limit)
    over = seen.quantity > most
    value = _WIDE.divide(seen.quantity, seen.market.volume) if seen.market.volume else None
    share = "more than was traded" if value is None else riskwords.percent(value, bound.limit)
    message = (
        f"order quantity {riskwords.units(seen.quantity, most)} is {share} of the 24 h volume of {seen.symbol}, "
        f"{riskwords.relation(over=over)} the limit of {riskwords.percent(bound.limit, bound.limit)}"
    )
    return verdict(bound, "" if value is None else riskwords.fraction(value, bound.limit), message, passed=not over)


def _distance(bound: Bound, wish: Wish, seen: Seen, *, takes: bool) -> Verdict:
    if not collar.has_price(wish.spec):
        return _passed(bound, "the order has no price of its own to hold against the market")
    if wish.keeps_prices:
        return _passed(bound, NO_WORSE)
    if seen.market is None:
        return _unknown(bound, (seen.symbol,))
    worst = _worst(wish.spec, seen.market, takes=takes)
    if worst is None:
        return _passed(bound, f"no price of the order {'takes' if takes else 'rests'}")
    over = worst.distance > bound.limit
    message = (
        f"{worst.what} {money.text(worst.price)} is {riskwords.percent(worst.distance, bound.limit)} away from "
        f"{money.numeral(worst.against)}, {riskwords.relation(over=over)} the limit of "
        f"{riskwords.percent(bound.limit, bound.limit)}"
    )
    value = riskwords.fraction(worst.distance, bound.limit)
    standing = None if wish.before is None else _worst(wish.before, seen.market, takes=takes)
    if over and standing is not None and worst.distance <= standing.distance:
        return _passed(bound, NO_WORSE, value)
    return verdict(bound, value, message, passed=not over)


def _worst(spec: OrderSpec, market: Market, *, takes: bool) -> Reach | None:
    measured = (each for each in collar.reaches(spec, market) if each.takes is takes)
    return max(measured, key=lambda each: each.distance, default=None)


def _resting(bound: Bound, wish: Wish, seen: Seen) -> Verdict:
    return _distance(bound, wish, seen, takes=False)


def _taking(bound: Bound, wish: Wish, seen: Seen) -> Verdict:
    return _distance(bound, wish, seen, takes=True)


_JUDGES: dict[str, Callable[[Bound, Wish, Seen], Verdict]] = {
    "max_order_notional": _notional,
    "max_order_quantity": _quantity,
    "max_limit_distance": _resting,
    "max_marketable_distance": _taking,
    "max_volume_share": _share,
}


def _added_up(bound: Bound, wish: Wish, seen: Seen, used: Used) -> Verdict:
    """A loss stops what comes after it, as soon as the limit is reached; the others count the order itself."""
    counts_orders = bound.name == "max_open_orders"
    if not used.grew or (bound.name == "max_daily_loss" and not seen.grows):
        return _passed(bound, NO_WORSE if wish.before is not None else "it adds nothing to what is there")
    if not counts_orders and only_reduces(wish.spec):
        return _passed(bound, CLOSES if wish.spec.full_position else EASES)
    if not counts_orders and wish.spec.full_position:
        return _anew(bound)
    if used.value is None or (seen.notional is None and not counts_orders):
        return _unknown(bound, used.missing or seen.missing)
    if counts_orders:
        return _counted(bound, used.value)
    return _summed(bound, used.value, None if wish.before is not None else seen.notional)


def _counted(bound: Bound, count: Decimal) -> Verdict:
    over = count > bound.limit
    return verdict(bound, money.text(count), riskwords.open_orders(bound, count, over=over), passed=not over)


def _summed(bound: Bound, value: Decimal, this: Decimal | None) -> Verdict:
    """this: what the order adds; None: that is not known apart, as of an amend."""
    if bound.name == "max_daily_loss":
        over = value >= bound.limit
        words = riskwords.loss(bound, value, over=over)
    else:
        over = value > bound.limit
        words = riskwords.notional(bound, value, this, over=over)
    return verdict(bound, riskwords.dollars(value, bound.limit), words, passed=not over)
