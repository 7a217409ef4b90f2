"""What `buy --plan` and `sell --plan` print: the order as it would be sent, and everything that stands against it.

Nothing is placed. The exit code is the one that the same line would end with if it were sent now, so that a script can ask
first.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from execsvc.cli.exits import DONE, row_of
from execsvc.cli.output import Form, note, put_json, put_pairs
from execsvc.cli.translate import in_options
from execsvc.cli.wording import spec_words, typed_words

if TYPE_CHECKING:
    from execsvc_client import Preview, RiskCheck

_AT_ONCE = frozenset({2, 3})  # IOC, FOK
_LOT = Decimal("1e-8")


@dataclass(frozen=True)
class Plan:
    """What the gateway says of an order, and where it has no price: the one that the order would meet now, if known."""

    found: "Preview"
    touch: Decimal | None = None


def put_plan(plan: Plan, side: str, form: Form) -> int:
    """Print it; gives the exit code."""
    found = plan.found
    if form is Form.TABLE:
        put_pairs(_pairs(plan))
    else:
        from execsvc_client.raw import to_json

        put_json(to_json(found), lines=form is Form.JSONL)
    note("nothing was placed")
    if found.placeable and found.breaches:
        words = typed_words(found.rounded)
        note(f"as typed it would be refused; so it would go: execsvc {side} {found.symbol} {words}")
    reason = _reason(found)
    return row_of(reason, "").exit if reason else DONE


def _reason(found: "Preview") -> str:
    """What the order as typed would be refused with now; empty: it would be sent."""
    if found.breaches:
        return found.breaches[0].reason
    if not found.risk_allowed:
        against = {each.name for each in found.risk_checks if not each.passed and not each.shadow}
        return "CALLER_QUOTA" if against == {"max_orders_per_s"} else "RISK_REFUSED"
    if found.venue_error is not None:
        return found.venue_error.reason
    return "" if found.wait == 0 else "LOCAL_RATE_LIMITED"


def _of_kraken(found: "Preview") -> list[tuple[str, object]]:
    error = found.venue_error
    return [("Kraken says", "nothing against it" if error is None else f"{error.reason}: {error.message}")]


def _check_words(check: "RiskCheck") -> str:
    verdict = "passed" if check.passed else "only observed" if check.shadow else "refused"
    return f"{verdict}: {check.message}"


def _fee_words(found: "Preview") -> str:
    """What the order costs if it rests and if it takes, filled whole; a way that it cannot go is left out."""
    fees = found.fees
    if fees is None:
        return "not known: the account's rates cannot be read now"
    spec = found.rounded
    rests = (
        spec.limit.limit_price or spec.trigger.HasField("limit_price") or spec.trailing_stop.HasField("limit_offset")
    )
    ways = (
        ("resting", rests and spec.time_in_force not in _AT_ONCE, fees.maker_fee, fees.maker_rate),
        ("taking", not spec.limit.post_only, fees.taker_fee, fees.taker_rate),
    )
    return ", ".join(
        f"{_percent(rate)} {way}" if fee is None else f"{_figure(fee)} {fees.asset} ({_percent(rate)}) {way}"
        for way, possible, fee, rate in ways
        if possible
    )


def _worth_words(plan: Plan) -> str:
    """What the limits count, or at least what the order would come to as the market stands."""
    found = plan.found
    base, _, quote = found.symbol.partition("/")
    spec, touch = found.rounded, plan.touch
    now = "" if not touch else f"at the {_figure(touch)} of just now"
    if found.notional is None:
        if not touch or not spec.base_quantity:
            return "no price to reckon with"
        return f"about {_figure(Decimal(spec.base_quantity) * touch)} {quote}, {now}"
    worth = f"{_figure(found.notional)} {quote}"
    if found.reference_price is not None:
        return f"{worth}, at {_figure(found.reference_price)}"
    return f"{worth}, about {_figure((found.notional / touch).quantize(_LOT))} {base} {now}" if touch else worth


def _figure(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _percent(rate: Decimal) -> str:
    return f"{_figure(rate * 100)} %"


def _pairs(plan: Plan) -> list[tuple[str, object]]:
    found = plan.found
    counter = found.engine_counter
    return [
        ("order", spec_words(found.rounded)),
        ("would go now", found.placeable),
        *(
            (each.reason, f"{in_options(each.message)}{' (mended by rounding)' if each.fixed_by_rounding else ''}")
            for each in found.breaches
        ),
        *((each.name, _check_words(each)) for each in found.risk_checks),
        *(_of_kraken(found) if found.venue_asked else ()),
        ("worth", _worth_words(plan)),
        ("fee", _fee_words(found)),
        ("costs", f"{found.engine_cost:f} of Kraken's points"),
        (
            "counter",
            f"{counter.level:.2f} of {counter.maximum:f}, {counter.open_orders} of {counter.max_open_orders} orders open",
        ),
        ("wait", "never" if found.wait is None else "none" if found.wait == 0 else f"{found.wait:.3f} s"),
    ]
