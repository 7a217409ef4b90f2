"""Rules of identifiers."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain.ids import OrderKey, OrderRef, client_order_id_problem, wire_id

SECRET = b"s" * 32
KEYS = st.builds(OrderKey, st.text(max_size=8), st.text(max_size=8), st.text(max_size=20))


@pytest.mark.parametrize("text", ["a", "A1", "dca-2026-11-25", "a.b_c:d-e", "x" * 64, "9"])
def test_an_id_of_the_grammar_is_accepted(text):
    """Letters, digits and . _ : - up to 64 characters."""
    assert client_order_id_problem(text) is None


@pytest.mark.parametrize("text", ["", "-a", ".a", "x" * 65, "a b", "a/b", "ä", "ext-1", "a\n"])
def test_other_ids_are_refused_with_a_sentence(text):
    """The caller is told what to change."""
    assert client_order_id_problem(text)


@given(KEYS, st.integers(0, 9))
def test_the_wire_id_is_a_uuid4_and_never_the_callers_text(key, attempt):
    """Kraken sees a UUID derived from the key; names do not leak."""
    wired = wire_id(SECRET, key, attempt)
    assert str(UUID(wired)) == wired
    assert UUID(wired).version == 4


@given(KEYS, KEYS, st.integers(0, 3), st.integers(0, 3))
def test_different_orders_or_attempts_have_different_wire_ids(left, right, first, second):
    """Two callers, ids or attempts never share an id at Kraken (but for what the separator itself could fake)."""
    if "|" in "".join((*vars(left).values(), *vars(right).values())):
        return
    same = (left, first) == (right, second)
    assert (wire_id(SECRET, left, first) == wire_id(SECRET, right, second)) is same


def test_all_wire_ids_of_an_installation_begin_with_its_tag():
    """The first 32 bits name the installation, whatever the order."""
    heads = {wire_id(SECRET, OrderKey("main", "local", name), 0)[:8] for name in "abc"}
    assert len(heads) == 1
    assert wire_id(b"t" * 32, OrderKey("main", "local", "a"), 0)[:8] not in heads


@pytest.mark.parametrize(
    ("ref", "key"),
    [
        (OrderRef(client_order_id="a"), OrderKey("main", "me", "a")),
        (OrderRef(client_order_id="a", caller="bot"), OrderKey("main", "bot", "a")),
        (OrderRef(client_order_id="ext-O1"), OrderKey("main", "", "ext-O1")),
        (OrderRef(client_order_id="ext-O1", caller="bot"), OrderKey("main", "", "ext-O1")),
        (OrderRef(venue_order_id="O1"), None),
    ],
    ids=["one's own", "another's", "placed elsewhere", "nobody's, whatever is said", "Kraken's id"],
)
def test_a_reference_means_one_order(ref, key):
    """A caller's id is one's own unless another is named; what was placed elsewhere is nobody's."""
    assert key == ref.key_for("main", "me")
