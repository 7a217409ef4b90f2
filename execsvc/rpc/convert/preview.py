"""What a placement would say, into the contract's message. The wish itself comes in through orders.py.

Fees are absent where the account's rates are not known, never zero.
"""

from execsvc_api.v1 import order_service_pb2 as wire

from execsvc.app.fees import FeeEstimate
from execsvc.app.preview import Breach, Previewed
from execsvc.domain.risk import Verdict
from execsvc.rpc.convert.limits import counter, points
from execsvc.rpc.convert.orders import spec
from execsvc.rpc.scalars import decimal, decimal_or_empty, duration, timestamp_or_none
from execsvc.rpc.status import call_error


def response(account: str, value: Previewed) -> wire.PreviewOrderResponse:
    """The whole verdict."""
    reckoned = value.worth
    return wire.PreviewOrderResponse(
        account=account,
        placeable=value.placeable,
        rounded_spec=spec(value.rounded),
        breaches=map(breach, value.breaches),
        risk=wire.RiskVerdict(
            allowed=not any(each.refuses for each in value.checks), checks=map(risk_check, value.checks)
        ),
        fees=None if value.fees is None else fees(value.fees),
        notional="" if reckoned is None else decimal(reckoned.notional),
        reference_price="" if reckoned is None or reckoned.price is None else decimal(reckoned.price),
        reference_time=None if reckoned is None else timestamp_or_none(reckoned.read_ns),
        engine_cost=points(value.cost),
        engine_counter=counter(value.counter, value.as_of_ns),
        wait=None if value.wait_s is None else duration(value.wait_s),
        venue_asked=value.venue_asked,
        venue_error=None if value.objection is None else call_error(value.objection),
    )


def fees(value: FeeEstimate) -> wire.FeeEstimate:
    """Rates, and what they make of the order."""
    return wire.FeeEstimate(
        asset=value.asset,
        maker_rate=decimal(value.maker_rate),
        taker_rate=decimal(value.taker_rate),
        maker_fee=decimal_or_empty(value.maker_fee),
        taker_fee=decimal_or_empty(value.taker_fee),
    )


def breach(value: Breach) -> wire.RuleBreach:
    """One rule."""
    return wire.RuleBreach(
        field=value.field,
        reason=value.reason.name,
        value=value.value,
        bound=value.bound,
        message=value.message,
        fixed_by_rounding=value.fixed_by_rounding,
    )


def risk_check(value: Verdict) -> wire.RiskCheck:
    """One check, in force or only observed."""
    return wire.RiskCheck(
        name=value.name,
        passed=value.passed,
        value=value.value,
        limit=value.limit,
        shadow=value.shadow,
        message=value.message,
    )
