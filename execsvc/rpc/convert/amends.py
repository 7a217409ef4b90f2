"""Amends between the contract and the domain: the wish in, the order and how far it got out.

A request reaches this room only after validate.py let it through, so every figure here can be read.
"""

from execsvc_api.v1 import order_service_pb2 as wire

from execsvc.app.amends import AmendAnswer, Asked
from execsvc.domain import money
from execsvc.domain.amendwish import AmendWish
from execsvc.rpc.convert import orders


def asked_of(given: wire.AmendOrderRequest) -> Asked:
    """What is to be changed, under which id."""
    figures = {
        name: money.parse(getattr(given, name))
        for name in ("base_quantity", "limit_price", "trigger_price", "display_quantity")
        if given.HasField(name)
    }
    wish = AmendWish(**figures, post_only=given.post_only if given.HasField("post_only") else None)
    return Asked(given.request_id, wish, given.if_version if given.HasField("if_version") else None)


def response(answer: AmendAnswer) -> wire.AmendOrderResponse:
    """The order as it is now, and whether the amend is applied."""
    state = wire.AMEND_STATE_APPLIED if answer.applied else wire.AMEND_STATE_IN_DOUBT
    return wire.AmendOrderResponse(order=orders.order(answer.order), state=state, replayed=answer.replayed)
