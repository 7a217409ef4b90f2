"""What keeps an order from being amended: its state, its version, another amend under way, an id that is taken.

Asked twice: at the desk, so that nothing is set aside in vain, and in the commit, which alone knows what holds then.
Rules of the pair and limits of the house are checked elsewhere.
"""

from execsvc.domain.amend import Amend, AmendIntent, AmendKey
from execsvc.domain.errors import ExecsvcError, Reason, refuse
from execsvc.domain.order import LIVE, UNRESOLVED, Order


def demand_amendable(order: Order, intent: AmendIntent, under_way: Amend | None) -> None:
    """Raises what keeps this order from being amended now; nothing of the amend is durable yet."""
    fault = refusal(order, if_version=intent.if_version)
    if fault is None and under_way is not None:
        fault = busy(under_way.key)
    if fault is not None:
        raise fault


def refusal(order: Order, *, if_version: int | None) -> ExecsvcError | None:
    """Why the order as it stands cannot be amended; None: it can."""
    name = order.key.client_order_id
    if order.status in UNRESOLVED:
        return refuse(
            Reason.ORDER_IN_DOUBT,
            f"whether order {name!r} is at Kraken is not known yet; nothing was sent, watch it and amend it then",
            status=order.status.name,
            id_used="false",
        )
    if order.status not in LIVE:
        return refuse(
            Reason.ORDER_TERMINAL,
            f"order {name!r} is {order.status.name}: it cannot be amended; nothing was sent",
            status=order.status.name,
            id_used="false",
        )
    if if_version is not None and if_version != order.version:
        return refuse(
            Reason.VERSION_MISMATCH,
            f"order {name!r} is at version {order.version}, not {if_version}; nothing was sent, look at it again",
            version=str(order.version),
            id_used="false",
        )
    return None


def busy(under_way: AmendKey) -> ExecsvcError:
    """One amend of an order is under way at a time."""
    return refuse(
        Reason.ORDER_IN_DOUBT,
        f"amend {under_way.request_id!r} of order {under_way.order.client_order_id!r} is not settled yet; "
        "nothing was sent, try again once it is",
        amend_request_id=under_way.request_id,
        id_used="false",
    )


def reused(stored: Amend, intent: AmendIntent) -> ExecsvcError:
    """The error of a request_id that already stands for other content."""
    return refuse(
        Reason.CLIENT_ORDER_ID_REUSED,
        f"request_id {intent.key.request_id!r} already stands for another amend of this order; nothing was sent",
        content_hash=intent.content_hash.hex(),
        stored_content_hash=stored.content_hash.hex(),
        amend_request_id=intent.key.request_id,
        id_used="true",
    )
