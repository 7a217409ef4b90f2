"""Whose orders are listed: the scope as it is typed and what is shown of others'."""

import pytest
from execsvc_api.v1 import order_service_pb2 as orders


@pytest.mark.parametrize(
    ("words", "scope"),
    [
        ((), orders.ORDER_SCOPE_OWN),
        (("--whose", "own"), orders.ORDER_SCOPE_OWN),
        (("--whose", "all-callers"), orders.ORDER_SCOPE_ALL_CALLERS),
        (("--whose", "account"), orders.ORDER_SCOPE_ACCOUNT),
    ],
)
def test_whose_orders_are_listed_is_said_once(execsvc, gateway, words, scope):
    """One's own unless one says otherwise."""
    gateway.script("ListOrders", orders.ListOrdersResponse())
    execsvc("order", "list", *words)
    assert [scope] == [request.scope for request in gateway.requests["ListOrders"]]


def test_a_list_of_everybodys_says_whose(execsvc, gateway, order):
    """The caller is the last column, empty where an order was placed by hand; of one's own it is left out."""
    by_hand = order("ext-OMAN")
    by_hand.caller = ""
    gateway.script("ListOrders", orders.ListOrdersResponse(orders=[by_hand, order("c-1")]))
    heads, first, second = execsvc("order", "list", "--whose", "account").out.splitlines()
    assert ("caller", "local") == (heads.split()[-1], second.split()[-1])
    assert first.startswith("ext-OMAN")
    assert len(first) < heads.index("caller")
    assert "caller" not in execsvc("order", "list").out.splitlines()[0]


def test_another_word_is_told_which_there_are(execsvc):
    """Nothing is asked."""
    said = execsvc("order", "list", "--whose", "everybody")
    assert 2 == said.code
    assert "own" in said.err
    assert "account" in said.err
