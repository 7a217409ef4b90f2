"""What `buy --plan` and `sell --plan` print: the order as it would be sent, and everything that stands against it.

Nothing is placed. The exit code is the one that the same line would end with if it were sent now, so that a script can ask
first.
"""

from typing import TYPE_CHECKING

from execsvc.cli.exits import DONE, row_of
from execsvc.cli.output import Form, note, put_json, put_pairs

if TYPE_CHECKING:
    from execsvc_client import Preview


def put_plan(found: "Preview", side: str, form: Form) -> int:
    """Print it; gives the exit code."""
    if form is Form.TABLE:
        put_pairs(_pairs(found, side))
    else:
        from execsvc_client.raw import to_json

        put_json(to_json(found), lines=form is Form.JSONL)
    note("nothing was placed")
    if found.placeable and found.breaches:
        limit = "" if found.limit_price is None else f" --limit {found.limit_price:f}"
        note(
            f"as typed it would be refused; so it would go: execsvc {side} {found.symbol} --qty {found.quantity:f}{limit}"
        )
    reason = _reason(found)
    return row_of(reason, "").exit if reason else DONE


def _reason(found: "Preview") -> str:
    """What the order as typed would be refused with now; empty: it would be sent."""
    if found.breaches:
        return found.breaches[0].reason
    if not found.risk_allowed:
        return "RISK_REFUSED"
    return "" if found.wait == 0 else "LOCAL_RATE_LIMITED"


def _pairs(found: "Preview", side: str) -> list[tuple[str, object]]:
    counter = found.engine_counter
    price = "market" if found.limit_price is None else f"at {found.limit_price:f}"
    worth = "no price to reckon with"
    if found.notional is not None and found.reference_price is not None:
        quote = found.symbol.partition("/")[2]
        worth = f"{found.notional.normalize():f} {quote}, at {found.reference_price.normalize():f}"
    return [
        ("order", f"{side} {found.quantity:f} {found.symbol} {price}"),
        ("would go now", found.placeable),
        *(
            (each.reason, f"{each.message}{' (mended by rounding)' if each.fixed_by_rounding else ''}")
            for each in found.breaches
        ),
        *((each.name, f"{'passed' if each.passed else 'refused'}: {each.message}") for each in found.risk_checks),
        ("worth", worth),
        ("fee", "not known: this gateway does not read fee rates yet"),
        ("costs", f"{found.engine_cost:f} of Kraken's points"),
        (
            "counter",
            f"{counter.level:.2f} of {counter.maximum:f}, {counter.open_orders} of {counter.max_open_orders} orders open",
        ),
        ("wait", "never" if found.wait is None else "none" if found.wait == 0 else f"{found.wait:.3f} s"),
    ]
