"""The text form of orders and fills: exact both ways, and able to grow."""

import dataclasses
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain.account import Fill
from execsvc.domain.errors import Broken, Fault, Reason
from execsvc.domain.market import Side
from execsvc.domain.order import Order, Status, submitted
from execsvc.domain.spec import OrderSpec, OrderType, TimeInForce
from execsvc.domain.story import Step, StepKind
from execsvc.store.records import fill_of, order_of, steps_of, text_of, text_of_steps
from execsvc.store.records import key_of as key_of_text
from tests.unit.store.samples import fill_of as a_fill
from tests.unit.store.samples import fills, intent_of, key_of, orders, steps

# Written by the first build. It never changes: every later build must read it.
FIRST_ORDER = (
    '{"key":{"account":"main","caller":"bot","client_order_id":"a"},"spec":{"symbol":"BTC/USD","side":"buy",'
    '"base_quantity":"0.50","order_type":"limit","limit_price":"50000.0","post_only":true,"time_in_force":"gtc",'
    '"label":"grid"},"status":"rejected","content_hash":"aWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWk=","attempt":1,'
    '"venue_client_id":"w-1","key_label":"trade-key","entry_deadline_ns":5000,"trace_id":"t","create_time_ns":1,'
    '"update_time_ns":2,"version":3,"venue_order_id":"OTX-1","cancel_requested":true,"filled_quantity":"0.10",'
    '"filled_cost":"5000.00","fees":[{"asset":"USD","amount":"13.0000"}],"open_time_ns":null,"end_fault":{"reason":19,'
    '"message":"too little","metadata":{"asset":"USD"},"fields":[],"retry_after_s":null}}'
)


def exact(value):
    """A value as nested data in which decimals differ when their scale differs."""
    if isinstance(value, Decimal):
        return ("decimal", value.as_tuple())
    if dataclasses.is_dataclass(value):
        parts = {field.name: exact(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return (type(value).__name__, parts)
    if isinstance(value, tuple):
        return tuple(exact(item) for item in value)
    return (type(value).__name__, value)


@given(orders)
def test_an_order_comes_back_as_it_was(order):
    """Every order survives writing and reading, decimals with their scale."""
    assert exact(order) == exact(order_of(text_of(order)))


@given(fills)
def test_a_fill_comes_back_as_it_was(fill):
    """Every fill survives writing and reading, decimals with their scale."""
    assert exact(fill) == exact(fill_of(text_of(fill)))


@given(st.lists(steps, max_size=4).map(tuple))
def test_steps_come_back_as_they_were(some):
    """Every part of a story survives writing and reading, in its order."""
    assert exact(some) == exact(steps_of(text_of_steps(some)))


def test_a_step_from_before_a_field_existed_gets_its_default():
    """The least that a step was ever written with is still read."""
    assert (Step(1, StepKind.SENT, "Sent."),) == steps_of('[{"at_ns":1,"kind":"sent","text":"Sent.","later":1}]')


@given(orders)
def test_the_key_of_an_orders_text_is_the_orders(order):
    """Whose a text is can be told without reading all of it."""
    assert order.key == key_of_text(text_of(order))


@given(orders)
def test_one_order_has_one_text(order):
    """The text is canonical: what was read is written the same again."""
    assert text_of(order) == text_of(order_of(text_of(order)))


def test_the_order_of_a_faults_figures_does_not_matter():
    """Equal orders have one text, in whatever order their metadata was put together."""
    order = submitted(intent_of(), 1)
    figures = {"value": "1", "limit": "2"}
    texts = {
        text_of(dataclasses.replace(order, end_fault=Fault(Reason.RISK_REFUSED, "no", dict(pairs))))
        for pairs in (figures.items(), reversed(figures.items()))
    }
    assert 1 == len(texts)


def test_the_text_of_the_first_build_is_still_read():
    """Rows of the first release mean today what they meant then."""
    spec = OrderSpec(
        "BTC/USD", Side.BUY, Decimal("0.50"), OrderType.LIMIT, Decimal("50000.0"), True, TimeInForce.GTC, "grid"
    )
    order = order_of(FIRST_ORDER)
    assert spec == order.spec
    assert (Status.REJECTED, b"i" * 32, 3) == (order.status, order.content_hash, order.version)
    assert Fault(Reason.INSUFFICIENT_FUNDS, "too little", {"asset": "USD"}) == order.end_fault


@pytest.mark.parametrize(("owner", "path"), [(Order, ()), (OrderSpec, ("spec",))])
def test_a_row_from_before_a_field_existed_gets_its_default(owner, path):
    """Every field with a default may be missing from a row; that is how a value grows."""
    written = msgspec.json.decode(text_of(submitted(intent_of(spec=_market()), 1)))
    part = written[path[0]] if path else written
    for field in dataclasses.fields(owner):
        if field.default is not dataclasses.MISSING:
            del part[field.name]
    read = order_of(msgspec.json.encode(written).decode())
    value = read.spec if path else read
    defaults = {f.name: f.default for f in dataclasses.fields(owner) if f.default is not dataclasses.MISSING}
    assert defaults == {name: getattr(value, name) for name in defaults}


def _market():
    return OrderSpec("BTC/USD", Side.SELL, Decimal(1), OrderType.MARKET)


@pytest.mark.parametrize(
    ("owner", "required"),
    [
        (
            Order,
            """key spec status content_hash attempt venue_client_id key_label entry_deadline_ns trace_id
            create_time_ns update_time_ns""",
        ),
        (OrderSpec, "symbol side base_quantity order_type"),
        (
            Fill,
            "fill_id account caller venue_order_id client_order_id symbol side price quantity cost fees maker times",
        ),
        (Fault, "reason message"),
        (Step, "at_ns kind text"),
    ],
)
def test_what_the_first_build_wrote_is_all_that_is_required(owner, required):
    """A field without a default that the first build did not write would make its rows unreadable."""
    without_default = [
        field.name
        for field in dataclasses.fields(owner)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    assert required.split() == without_default


def test_a_field_this_build_does_not_know_is_passed_over():
    """A row of a later build with one field more is still read."""
    assert order_of(FIRST_ORDER) == order_of(FIRST_ORDER.replace('{"key"', '{"strategy":"x","key"', 1))


@pytest.mark.parametrize("text", ["", "{}", "[]", FIRST_ORDER[:-1], FIRST_ORDER.replace("rejected", "gone")])
def test_a_row_that_is_no_order_is_broken(text):
    """What cannot be read is a violated rule, never a guess."""
    with pytest.raises(Broken, match="cannot be read"):
        order_of(text)


def test_a_stored_spec_that_contradicts_itself_is_broken():
    """The rules of a spec hold for rows as well: a market order has no price."""
    with pytest.raises(Broken):
        order_of(FIRST_ORDER.replace('"limit","limit_price"', '"market","limit_price"'))


def test_text_that_is_no_unicode_is_broken():
    """A lone surrogate cannot be written, and is said to be the value's fault."""
    order = submitted(intent_of(key_of("a")), 1)
    with pytest.raises(Broken, match="cannot be written"):
        text_of(dataclasses.replace(order, key_label="\ud800"))


def test_a_fill_is_no_order():
    """Reading one kind as the other is refused."""
    with pytest.raises(Broken):
        order_of(text_of(a_fill()))
