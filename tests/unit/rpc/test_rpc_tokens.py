"""Opaque tokens: what goes in comes out, and nothing else is believed."""

import base64
import json

import pytest
from execsvc_api.v1 import account_service_pb2 as account
from execsvc_api.v1 import order_service_pb2 as orders
from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain.errors import Conflict, Declined, Reason
from execsvc.rpc.tokens import cursor_of, page_size, page_token, position_of, resume_token

REQUEST = orders.ListOrdersRequest(symbol="BTC/USD", page_size=3)
KINDS = (int, str, str)


def packed(*parts):
    return base64.urlsafe_b64encode(json.dumps(list(parts)).encode()).decode().rstrip("=")


@given(st.integers(0, 2**63 - 1), st.text(max_size=40), st.text(max_size=40))
def test_a_cursor_comes_back(number, caller, name):
    """A page token of a request gives its cursor, whatever the texts."""
    assert [number, caller, name] == cursor_of(REQUEST, page_token(REQUEST, number, caller, name), KINDS)


def test_the_first_page_has_no_cursor():
    """An empty token is the first page."""
    assert cursor_of(REQUEST, "", KINDS) is None


@given(st.text(max_size=60) | st.binary(max_size=40).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_other_text_is_refused(text):
    """What is not a token of this request is PAGE_TOKEN_INVALID, never another error."""
    if text:
        with pytest.raises(Declined) as caught:
            cursor_of(REQUEST, text, KINDS)
        assert Reason.PAGE_TOKEN_INVALID is caught.value.reason


@pytest.mark.parametrize(
    "other",
    [
        orders.ListOrdersRequest(symbol="ETH/USD", page_size=3),
        orders.ListOrdersRequest(page_size=3),
        orders.ListOrdersRequest(symbol="BTC/USD", caller="x"),
        account.ListFillsRequest(symbol="BTC/USD", page_size=3),
    ],
)
def test_a_token_is_bound_to_its_request(other):
    """Another symbol, caller or method: refused."""
    with pytest.raises(Declined):
        cursor_of(other, page_token(REQUEST, 1, "a", "b"), KINDS)


def test_the_size_of_a_page_may_change():
    """page_size and the token itself are not part of what a token is bound to."""
    token = page_token(REQUEST, 1, "a", "b")
    larger = orders.ListOrdersRequest(symbol="BTC/USD", page_size=50, page_token=token)
    assert [1, "a", "b"] == cursor_of(larger, token, KINDS)


@pytest.mark.parametrize(
    "parts",
    [(2**63, "a", "b"), (-1, "a", "b"), (True, "a", "b"), (1.5, "a", "b"), ("1", "a", "b"), (1, "a"), (1, "a", ["b"])],
)
def test_a_cursor_of_another_shape_is_refused(parts):
    """A forged cursor cannot bring a number the store does not take, or a kind nobody expects."""
    bound = json.loads(base64.urlsafe_b64decode(page_token(REQUEST, 1, "a", "b") + "=="))[0]
    with pytest.raises(Declined):
        cursor_of(REQUEST, packed(bound, *parts), KINDS)


@given(st.integers(0, 2**63 - 1) | st.none())
def test_a_position_comes_back(sequence):
    """A resume token gives its place in the same journal and account; None asks for the snapshot again."""
    assert sequence == position_of(resume_token("j", "main", sequence), "j", "main")


@pytest.mark.parametrize(
    "token",
    [
        resume_token("other", "main", 1),
        resume_token("j", "other", 1),
        packed("j", "main"),
        packed("j", "main", "1"),
        packed("j", "main", -1),
        packed("j", "main", 1, 2),
        packed("j", "main", 1.0),
        packed("j", "main", False),
        base64.urlsafe_b64encode(b'{"j": 1}').decode(),
        base64.urlsafe_b64encode(b"[" * 5000).decode(),
        "\x00",
        "é",
    ],
)
def test_a_foreign_position_is_expired(token):
    """Anything but a place of this journal and account is RESUME_TOKEN_EXPIRED."""
    with pytest.raises(Conflict) as caught:
        position_of(token, "j", "main")
    assert Reason.RESUME_TOKEN_EXPIRED is caught.value.reason


@pytest.mark.parametrize(("given_", "expected"), [(0, 100), (1, 1), (1000, 1000), (1001, 1000), (2**31 - 1, 1000)])
def test_a_page_has_a_size_within_bounds(given_, expected):
    """0 means 100, above 1000 is cut."""
    assert expected == page_size(given_)
