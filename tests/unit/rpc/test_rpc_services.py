"""A call goes to the servicers of the account that it means, and to no other's."""

from dataclasses import replace

import pytest
from execsvc_api.v1 import account_service_pb2, order_service_pb2

from execsvc.domain.caller import Permission, alike
from execsvc.domain.errors import ExecsvcError, Reason
from execsvc.rpc.call import Call
from execsvc.rpc.permits import PERMITS, Effect
from execsvc.rpc.services import _of_account

PERMIT = PERMITS["execsvc.v1.OrderService/GetOrder"]
CALL = Call(PERMIT, alike("ann", Permission, ("main",)), "main", "r1", 0.0, None, 1.0, 1.0)


def test_the_calls_account_chooses():
    """Whichever was named or is the default: the gate has decided it already."""
    run = _of_account(
        {name: lambda call, request, name=name: (name, call.account, request) for name in ("main", "hedge")}
    )
    assert [("main", "main", 1), ("hedge", "hedge", 2)] == [run(CALL, 1), run(replace(CALL, account="hedge"), 2)]


@pytest.mark.parametrize("account", ["", "gone"])
def test_an_account_that_is_not_here_is_refused(account):
    """A grant may outlive the account it was made for; nothing else answers in its place."""
    run = _of_account({"main": lambda _, request: request})
    with pytest.raises(ExecsvcError) as refused:
        run(replace(CALL, account=account), 1)
    assert Reason.ACCOUNT_NOT_GRANTED is refused.value.reason


def test_every_method_of_an_account_names_it():
    """No request of these services can be without an account: there would be nobody to answer it."""
    without = [
        permit.short
        for permit in PERMITS.values()
        if permit.short.startswith(("OrderService/", "AccountService/")) and not _has_account(permit)
    ]
    assert [] == without


def _has_account(permit):
    service, _, method = permit.short.partition("/")
    module = order_service_pb2 if service == "OrderService" else account_service_pb2
    request = module.DESCRIPTOR.services_by_name[service].methods_by_name[method].input_type
    opening = request.fields_by_name.get("open") if permit.effect is Effect.STREAM else None
    return "account" in (opening.message_type if opening is not None else request).fields_by_name
