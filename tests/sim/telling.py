"""Answers of the house in the judges' plain values: the only place where its types are opened for the history."""

from decimal import Decimal

from execsvc.app.amends import AmendAnswer
from execsvc.app.cancels import Unremembered
from execsvc.app.desk import Placed
from execsvc.app.masscancels import Swept
from execsvc.domain.amend import AmendStatus
from execsvc.domain.errors import ExecsvcError, Fault
from execsvc.domain.order import Status
from tests.sim.judges.amends import AmendTold, Journaled
from tests.sim.judges.cancels import ClearTold
from tests.sim.judges.ledger import OrderRow
from tests.support.history import Told

_ZERO = Decimal(0)
FIGURES = ("base_quantity", "limit_price", "trigger_price", "display_quantity")


def told_by(heard):
    """An answer in plain values. An error that is none of the contract's ends the run: it is a defect."""
    if isinstance(heard, ExecsvcError | Fault):
        reason, id_used = _refusal(heard)
        return Told(reason=reason, id_used=id_used)
    if isinstance(heard, BaseException):
        raise heard
    if isinstance(heard, Unremembered):
        return Told(reason="UNREMEMBERED")
    order = heard.order if isinstance(heard, Placed) else heard
    return Told(
        status=_status(order),
        venue_id=order.venue_order_id,
        filled=order.filled_quantity,
        cost=order.filled_cost,
        fee=_fee(order),
        cancel_wished=order.cancel_requested,
    )


def amend_told_by(heard):
    """What an amend was answered."""
    if isinstance(heard, AmendAnswer):
        return AmendTold(applied=heard.applied)
    if not isinstance(heard, ExecsvcError):
        raise heard
    reason, id_used = _refusal(heard)
    return AmendTold(reason=reason, id_used=id_used)


def rows_told_by(heard):
    """What a batch was answered, row by row; a refusal of the whole is every row's."""
    return told_by(heard) if isinstance(heard, BaseException) else tuple(told_by(row) for row in heard)


def clear_told_by(heard):
    """What was answered to a cancel of many, or to the setting of a switch."""
    if isinstance(heard, ExecsvcError):
        return ClearTold(reason=heard.fault.reason.name)
    if isinstance(heard, BaseException):
        raise heard
    if isinstance(heard, Swept):
        return ClearTold(requested=heard.requested, gone=heard.cancelled)
    return ClearTold()


def journaled(amend):
    """An amend as the journal has it at the end."""
    negative = amend.status in {AmendStatus.REFUSED, AmendStatus.NOT_APPLIED, AmendStatus.NEVER_SENT}
    applied = True if amend.status is AmendStatus.APPLIED else False if negative else None
    return Journaled(amend.key.order.client_order_id, amend.key.request_id, figures(amend.wish), applied)


def row_of(order):
    """An order as the journal has it at the end."""
    return OrderRow(
        venue_id=order.venue_order_id,
        status=_status(order),
        filled=order.filled_quantity,
        cost=order.filled_cost,
        fee=_fee(order),
        figures=figures(order.spec),
    )


def figures(whole):
    """The figures that a wish or an order has."""
    return {name: value for name in FIGURES if (value := getattr(whole, name)) is not None}


def _status(order):
    """An order that waits for its price or its time is open at Kraken."""
    return "open" if order.status is Status.PENDING and order.spec.waits else order.status.value


def _fee(order):
    return sum((each.amount for each in order.fees), _ZERO)


def _refusal(heard):
    fault = heard.fault if isinstance(heard, ExecsvcError) else heard
    used = fault.metadata.get("id_used")
    return fault.reason.name, None if used is None else used == "true"
