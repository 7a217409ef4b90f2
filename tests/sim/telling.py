"""An answer of the house in the checker's plain values: the only place where its types are opened for the history."""

from decimal import Decimal

from execsvc.app.cancels import Unremembered
from execsvc.app.desk import Placed
from execsvc.domain.errors import ExecsvcError
from tests.support.history import Told

_ZERO = Decimal(0)


def told_by(heard):
    """An answer in plain values. An error that is none of the contract's ends the run: it is a defect."""
    if isinstance(heard, ExecsvcError):
        used = heard.fault.metadata.get("id_used")
        return Told(reason=heard.fault.reason.name, id_used=None if used is None else used == "true")
    if isinstance(heard, BaseException):
        raise heard
    if isinstance(heard, Unremembered):
        return Told(reason="UNREMEMBERED")
    order = heard.order if isinstance(heard, Placed) else heard
    fee = sum((each.amount for each in order.fees), _ZERO)
    return Told(
        status=order.status.value,
        venue_id=order.venue_order_id,
        filled=order.filled_quantity,
        cost=order.filled_cost,
        fee=fee,
        cancel_wished=order.cancel_requested,
    )
