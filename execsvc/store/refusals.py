"""What a store answers when it cannot do what was asked: the same words from every engine.

Which error an engine's own failure becomes, its file knows; a rule of the order's states is domain/order.py's to refuse.
"""

from execsvc.domain.errors import Broken, Busy, ExecsvcError, Fault, Reason, refuse
from execsvc.domain.intent import Intent
from execsvc.domain.order import Order


def unavailable(why: str, *, retry_after_s: float = 1.0) -> Busy:
    """The error of a store that cannot do its work now."""
    return Busy(Fault(Reason.STORE_UNAVAILABLE, f"the store is unavailable: {why}", retry_after_s=retry_after_s))


def not_owner(why: str) -> Busy:
    """The error of an opening that is not the store's latest any more."""
    return Busy(Fault(Reason.NOT_OWNER, f"the store is not ours any more: {why}", retry_after_s=1.0))


def superseded() -> Busy:
    """The error of an opening after which there was another."""
    return not_owner("another process has opened it since; this one must stop")


def broken(message: str) -> Broken:
    """The error of a violated rule of ours."""
    return Broken(Fault(Reason.INTERNAL, message))


def reused(stored: Order, intent: Intent) -> ExecsvcError:
    """The error of an id that already stands for other content."""
    return refuse(
        Reason.CLIENT_ORDER_ID_REUSED,
        f"client order id {intent.key.client_order_id} already stands for another order: nothing was sent",
        content_hash=intent.content_hash.hex(),
        stored_content_hash=stored.content_hash.hex(),
        order_id=stored.venue_order_id,
        id_used="true",
    )
