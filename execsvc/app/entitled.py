"""Whether whoever asked for an order may still have it: asked again after each wait, and last of all before its bytes leave.

A caller is recognised when its call comes in, and an order may wait for a minute after that. A token that was revoked, has
ended or was narrowed meanwhile places nothing more. What is at Kraken already stays, and cancels never ask here.
"""

from dataclasses import replace
from decimal import Decimal

from execsvc.domain import money
from execsvc.domain.caller import Caller, Permission
from execsvc.domain.errors import ExecsvcError, Fault, Reason
from execsvc.domain.order import Order
from execsvc.domain.spec import OrderSpec


def refusal(who: Caller, account: str, spec: OrderSpec) -> Fault | None:
    """Why such an order is not the caller's to place by now; None: it is.

    Its size was judged by the bound it came with, so one that became narrower has not judged it, and that refuses.
    """
    try:
        grant = who.now().grant(account)
    except ExecsvcError as nobody:
        return _unsent(nobody.fault)
    bound = grant.max_order_notional
    if bound is not None and _is_wider(who.grant(account).max_order_notional, bound):
        return _narrowed(bound)
    return grant.refusal(spec)


def amend_refusal(who: Caller, order: Order) -> Fault | None:
    """As `refusal`, of an amend of that order: another's needs `kill`."""
    fault = refusal(who, order.key.account, order.spec)
    if fault is not None or order.key.caller == who.name or who.now().may(Permission.KILL, order.key.account):
        return fault
    return kill_missing()


def kill_missing() -> Fault:
    """Another caller's order was meant."""
    word = Permission.KILL.value
    return Fault(
        Reason.PERMISSION_MISSING,
        "amending another caller's order needs the permission kill",
        {"permission": word, "id_used": "false"},
    )


def _is_wider(before: Decimal | None, bound: Decimal) -> bool:
    return before is None or before > bound


def _unsent(fault: Fault) -> Fault:
    return replace(fault, message=f"{fault.message}; nothing was sent").with_metadata(id_used="false")


def _narrowed(bound: Decimal) -> Fault:
    word = Permission.TRADE.value
    return Fault(
        Reason.PERMISSION_MISSING,
        f"this caller's orders were bounded to {money.text(bound)} USD each while this one waited; nothing was sent, "
        "send it again to have it judged by that",
        {"permission": word, "id_used": "false"},
    )
