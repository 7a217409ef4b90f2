"""What may be wanted: the shape of each type, what makes two wishes the same, and what an amend changes of one."""

from dataclasses import fields, replace
from decimal import Decimal

import pytest
from hypothesis import given

from execsvc.domain.errors import Broken
from execsvc.domain.market import Side
from execsvc.domain.spec import (
    ConditionalClose,
    FeePreference,
    Offset,
    OrderSpec,
    OrderType,
    SelfTradePrevention,
    TimeInForce,
    TriggerReference,
    content_hash,
    size_text,
)
from tests.support.specs import CLOSES, EXPIRE_NS, KINDS, START_NS, spec, specs

D = Decimal
# Made by the first build, whose rows are still in stores: account, wish, hash.
FIRST_BUILD = [
    (
        "main",
        OrderSpec("BTC/USD", Side.BUY, D("1.00"), OrderType.LIMIT, D("100.0")),
        "f432cfbc60b1b586445b55616aedf0a38b9e396a4af2215416ab9752399fcb1b",
    ),
    (
        "main",
        OrderSpec("BTC/USD", Side.SELL, D("0.00100000"), OrderType.MARKET),
        "432f8542164e6ee8f3418defb7bdc0a8a72785ebc516460698ceb9050fc887cd",
    ),
    (
        "desk-2",
        OrderSpec("ETH/EUR", Side.SELL, D("12.5"), OrderType.LIMIT, D("2500.10"), post_only=True),
        "1f6e0e8451fe97fedb1f53827e7de8ac06c82e7749cf796f12dc63a9b2b0b24b",
    ),
    (
        "main",
        OrderSpec(
            *("BTC/USD", Side.BUY, D(3), OrderType.LIMIT, D("99999.9")),
            time_in_force=TimeInForce.IOC,
            label="grid 7",
        ),
        "0a9d4770cbc7a48ce3c942780b35bf9b7fce94ea0ec32d2d24941da01d5385d9",
    ),
    (
        "main",
        OrderSpec(*("DOGE/USD", Side.BUY, D(1000), OrderType.LIMIT, D("0.10")), post_only=True, label="a\nleverage=3"),
        "32f7db52c5e24fae43235ee47840ad691efe30484bc6da4e04b061bcf5b53d33",
    ),
]
STOP = KINDS["stop limit"]
TRAIL = KINDS["trailing stop limit"]
CLOSED = spec(conditional_close=CLOSES["stop limit"])


# ---- shape -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order_type", "parts"),
    [
        (OrderType.LIMIT, {"limit_price": None}),
        (OrderType.MARKET, {"limit_price": D(1)}),
        (OrderType.MARKET, {"trigger_price": D(1)}),
        (OrderType.MARKET, {"display_quantity": D("0.1")}),
        (OrderType.STOP_LOSS, {}),
        (OrderType.STOP_LOSS, {"trigger_price": D(1), "offset": Offset(D(1))}),
        (OrderType.TAKE_PROFIT, {"limit_price": D(1)}),
        (OrderType.TRAILING_STOP, {}),
        (OrderType.TRAILING_STOP, {"offset": Offset(D(1)), "limit_price": D(1)}),
        (OrderType.SETTLE_POSITION, {"trigger_price": D(1)}),
    ],
)
def test_a_type_has_its_own_parts_and_no_other(order_type, parts):
    """A price too many or too few is no order of that type."""
    with pytest.raises(Broken):
        spec(order_type, **parts)


@pytest.mark.parametrize(
    "parts",
    [
        {"base_quantity": None},
        {"base_quantity": D(1), "quote_quantity": D(1)},
        {"base_quantity": D(1), "full_position": True},
        {"base_quantity": None, "quote_quantity": D(1), "full_position": True},
    ],
)
def test_an_order_has_one_size(parts):
    """Never none, never two."""
    with pytest.raises(Broken, match="exactly one size"):
        OrderSpec("BTC/USD", Side.BUY, order_type=OrderType.MARKET, **parts)


@pytest.mark.parametrize(
    "parts",
    [
        {"base_quantity": D(0)},
        {"base_quantity": D(-1)},
        {"display_quantity": D(0)},
        {"limit_price": D(0)},
        {"limit_price": D(-1)},
    ],
)
def test_an_amount_is_above_zero(parts):
    """There is no order of nothing, nor for nothing."""
    with pytest.raises(Broken, match="above zero"):
        spec(**parts)


@pytest.mark.parametrize("value", ["0", "-1"])
def test_a_trailing_stop_keeps_a_distance(value):
    """Its limit may lie on either side of the trigger, the trigger itself may not."""
    with pytest.raises(Broken, match="distance"):
        spec(OrderType.TRAILING_STOP, offset=Offset(D(value)))
    assert D("-0.5") == TRAIL.limit_offset.value


@pytest.mark.parametrize(
    "parts",
    [
        {"time_in_force": TimeInForce.GTD},
        {"expire_time_ns": 5},
        {"time_in_force": TimeInForce.IOC, "expire_time_ns": 5},
    ],
)
def test_a_date_belongs_to_an_order_that_is_good_till_one(parts):
    """One without the other says nothing."""
    with pytest.raises(Broken, match="date"):
        spec(**parts)


def test_only_a_trigger_watches_the_index():
    """A limit order has no reference."""
    with pytest.raises(Broken, match="index"):
        spec(trigger_reference=TriggerReference.INDEX)


@pytest.mark.parametrize("order_type", [OrderType.MARKET, OrderType.SETTLE_POSITION])
def test_a_close_is_an_order_that_waits(order_type):
    """Every fill leaves one behind: it is at a limit, or has a trigger."""
    with pytest.raises(Broken, match="conditional close"):
        ConditionalClose(order_type)


def test_a_close_has_the_parts_of_its_type():
    """As the order itself."""
    with pytest.raises(Broken, match="trigger_price"):
        ConditionalClose(OrderType.STOP_LOSS, limit_price=D(1))


@given(specs())
def test_what_the_contract_allows_is_a_wish(wish):
    """Nothing that a caller may combine contradicts itself here."""
    assert wish == replace(wish)


@pytest.mark.parametrize(
    ("name", "waits"),
    [("market", False), ("limit", False), ("stop", True), ("take profit limit", True), ("trailing stop", True)],
)
def test_an_order_with_a_trigger_waits(name, waits):
    """Kraken may hold it for long before it goes into the book."""
    assert waits is KINDS[name].waits


def test_an_order_with_a_start_waits():
    """Whatever its type."""
    assert spec(start_time_ns=START_NS).waits


@pytest.mark.parametrize(
    ("name", "words"),
    [("limit", "0.5"), ("market in quote", "100.50 of the quote asset"), ("close position", "the whole position")],
)
def test_a_size_is_told_in_words(name, words):
    """A person reads which of the three it is."""
    assert words == size_text(KINDS[name])


# ---- content ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("account", "wish", "stored"), FIRST_BUILD)
def test_stored_hashes_are_made_again(account, wish, stored):
    """A repeat of an order that an older build wrote down is the same order."""
    assert stored == content_hash(account, wish).hex()


CHANGES = [
    (KINDS["market in quote"], {"quote_quantity": D(101)}),
    (KINDS["iceberg"], {"display_quantity": D("0.06")}),
    (STOP, {"trigger_price": D(55001)}),
    (STOP, {"limit_price": D(54901)}),
    (STOP, {"limit_price": None}),
    (STOP, {"order_type": OrderType.TAKE_PROFIT}),
    (STOP, {"trigger_reference": TriggerReference.INDEX}),
    (TRAIL, {"offset": Offset(D("1.5"))}),
    (TRAIL, {"offset": Offset(D("1.6"), percent=True)}),
    (TRAIL, {"limit_offset": Offset(D("0.5"), percent=True)}),
    (TRAIL, {"limit_offset": None}),
    (spec(), {"time_in_force": TimeInForce.FOK}),
    (spec(), {"time_in_force": TimeInForce.GTD, "expire_time_ns": EXPIRE_NS}),
    (spec(time_in_force=TimeInForce.GTD, expire_time_ns=EXPIRE_NS), {"expire_time_ns": EXPIRE_NS + 1}),
    (spec(), {"start_time_ns": START_NS}),
    (spec(), {"leverage": 2}),
    (spec(leverage=2), {"reduce_only": True}),
    (spec(), {"self_trade_prevention": SelfTradePrevention.CANCEL_OLDEST}),
    (spec(), {"fee_preference": FeePreference.BASE}),
    (spec(), {"conditional_close": CLOSES["limit"]}),
    (CLOSED, {"conditional_close": CLOSES["stop"]}),
    (CLOSED, {"conditional_close": replace(CLOSES["stop limit"], trigger_price=D(55001))}),
    (CLOSED, {"conditional_close": replace(CLOSES["stop limit"], limit_price=D(54901))}),
    (spec(conditional_close=CLOSES["trailing stop limit"]), {"conditional_close": CLOSES["trailing stop"]}),
    (spec(leverage=2), {"base_quantity": None, "full_position": True}),
]


@pytest.mark.parametrize(("wish", "change"), CHANGES)
def test_every_part_is_content(wish, change):
    """Another value of any part is another order under the same id."""
    assert content_hash("main", wish) != content_hash("main", replace(wish, **change))


def test_no_part_is_left_out_of_the_content():
    """A part that comes later must be hashed: each is changed above, or was hashed by the first build."""
    first = {"symbol", "side", "base_quantity", "order_type", "limit_price", "post_only", "time_in_force", "label"}
    changed = {name for _, change in CHANGES for name in change}
    assert {each.name for each in fields(OrderSpec)} == first | changed


@pytest.mark.parametrize(
    ("wish", "same"),
    [
        (STOP, {"trigger_price": D(55000)}),
        (KINDS["iceberg"], {"display_quantity": D("0.0500")}),
        (TRAIL, {"offset": Offset(D("1.50"), percent=True)}),
    ],
)
def test_later_parts_are_compared_by_value_too(wish, same):
    """55000 and 55000.0 are one trigger."""
    assert content_hash("main", wish) == content_hash("main", replace(wish, **same))


def test_a_label_cannot_pass_for_another_part():
    """Free text stands in the first part only, whose digest the others are hashed over."""
    assert content_hash("main", spec(label="a\nleverage=3")) != content_hash("main", spec(label="a", leverage=3))


# ---- amends ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("limit", {"base_quantity": D("0.7")}),
        ("limit", {"limit_price": D("60001.0")}),
        ("limit", {"display_quantity": D("0.1")}),
        ("iceberg", {"display_quantity": D("0.1")}),
        ("stop limit", {"trigger_price": D("56000.0"), "limit_price": D("55900.0")}),
    ],
)
def test_an_amend_seen_at_kraken_changes_the_wish(name, change):
    """Quantities and prices as Kraken has them now."""
    wish = KINDS[name]
    assert replace(wish, **change) == wish.amended(replace(wish, **change))


def test_a_picture_tells_only_what_an_amend_can_change():
    """A label, a leverage, who gives way: of these Kraken's picture may know nothing."""
    wish = spec(label="mine", leverage=2, self_trade_prevention=SelfTradePrevention.CANCEL_BOTH)
    assert wish == wish.amended(spec())


def test_a_figure_that_is_the_same_keeps_its_digits():
    """Kraken prints 0.50000000 of what was asked as 0.5."""
    shown = replace(spec(), base_quantity=D("0.50000000"), limit_price=D("60000.00000"))
    found = spec().amended(shown)
    assert ("0.5", "60000.0") == (str(found.base_quantity), str(found.limit_price))


@pytest.mark.parametrize("name", ["market in quote", "close position"])
def test_a_size_that_only_kraken_knows_stays_the_callers(name):
    """What the position or the money came to is no amend of the wish."""
    wish = KINDS[name]
    shown = replace(wish, base_quantity=D("0.0016"), quote_quantity=None, full_position=False)
    assert wish == wish.amended(shown)


def test_another_type_is_no_picture_of_this_order():
    """Nothing is taken over from it."""
    assert spec() == spec().amended(replace(STOP, base_quantity=D(9)))
