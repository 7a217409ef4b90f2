"""Rights in words, what they come to over the accounts there are, and that they are only ever narrowed."""

from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain.caller import UNBOUND, Caller, Grant, Permission, alike
from execsvc.domain.errors import Reason
from execsvc.domain.market import Side
from execsvc.domain.rights import BUNDLES, Rights, excess, name_fault, rights_of, rights_with
from execsvc.domain.spec import OrderType
from tests.support.specs import spec

ACCOUNTS = ("hedge", "main", "spare")
PAIRS = ("BTC/USD", "ETH/USD", "SOL/USD")
M, A, T, C, K, ADMIN = Permission
BOUND = sorted(set(Permission) - UNBOUND, key=lambda each: each.value)

permissions = st.frozensets(st.sampled_from(BOUND))
grants = st.builds(
    Grant,
    permissions,
    st.frozensets(st.sampled_from(PAIRS)),
    st.frozensets(st.sampled_from(Side)),
    st.frozensets(st.sampled_from(OrderType)),
    st.none() | st.integers(1, 5).map(Decimal),
    st.none() | st.integers(1, 5),
)
rights = st.builds(
    Rights,
    st.frozensets(st.sampled_from(sorted(UNBOUND, key=lambda each: each.value))),
    st.dictionaries(st.sampled_from((*ACCOUNTS, "*", "gone")), grants),
    st.sampled_from(("", *ACCOUNTS)),
)


def holder(held):
    return held.caller("ann", "a test", None)


def may(held, account):
    return frozenset(each for each in Permission if holder(held).may(each, account))


def trades(held, account):
    """Every kind of order that it may place there."""
    grant = holder(held).grant(account)
    wishes = product(PAIRS, Side, (OrderType.LIMIT, OrderType.MARKET))
    return frozenset(wish for wish in wishes if not grant.refusal(spec(wish[2], symbol=wish[0], side=wish[1])))


def bound(grant, name):
    """A bound as a number; none is beyond all of them."""
    value = getattr(grant, name)
    return float("inf") if value is None else value


# ---- narrowing -------------------------------------------------------------------------------------------------------


@given(rights, rights)
def test_what_is_left_is_what_both_allow_and_never_more(one, other):
    """For every permission and every kind of order on every account: allowed afterwards means allowed by both."""
    one, other = one.over(ACCOUNTS), other.over(ACCOUNTS)
    left = one.narrowed(other)
    for account in ACCOUNTS:
        assert may(left, account) <= may(one, account) & may(other, account)
        assert trades(left, account) == trades(one, account) & trades(other, account)
    assert set(left.grants) <= set(one.grants) & set(other.grants)


@given(rights, rights)
def test_of_two_bounds_the_smaller_is_left(one, other):
    """Notional and rate: the least that either names."""
    one, other = one.over(ACCOUNTS), other.over(ACCOUNTS)
    left = one.narrowed(other)
    names = ("max_order_notional", "orders_per_s")
    assert [
        min(bound(one.grants[each], name), bound(other.grants[each], name)) for each in left.grants for name in names
    ] == [bound(left.grants[each], name) for each in left.grants for name in names]


@given(rights, rights)
def test_only_trading_is_lost_where_nothing_can_be_traded(one, other):
    """Pairs, sides and types bound trading alone: what else both grant on an account stays."""
    one, other = one.over(ACCOUNTS), other.over(ACCOUNTS)
    left = one.narrowed(other)
    for account in ACCOUNTS:
        assert (may(one, account) & may(other, account)) - {T} == may(left, account) - {T}


@given(rights, rights)
def test_what_is_not_wider_needs_no_narrowing(one, other):
    """Rights that exceed nothing come out as they went in, as far as anybody can tell."""
    one, other = one.over(ACCOUNTS), other.over(ACCOUNTS)
    left = one.narrowed(other)
    if not excess(one, other):
        for account in ACCOUNTS:
            assert (may(one, account), trades(one, account)) == (may(left, account), trades(left, account))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Grant(frozenset({T, C}), frozenset({"BTC/USD"})), Grant(frozenset({T, C}), frozenset({"ETH/USD"}))),
        (Grant(frozenset({T, C}), sides=frozenset({Side.BUY})), Grant(frozenset({T, C}), sides=frozenset({Side.SELL}))),
        (
            Grant(frozenset({T, C}), order_types=frozenset({OrderType.LIMIT})),
            Grant(frozenset({T, C}), order_types=frozenset({OrderType.MARKET})),
        ),
    ],
)
def test_nothing_in_common_is_nothing_and_not_everything(one, other):
    """Two lists without a common entry leave no trade at all: an empty list would mean every one."""
    left = one.narrowed(other)
    assert (frozenset({C}), Reason.PERMISSION_MISSING) == (left.permissions, left.refusal(spec()).reason)


def test_a_grant_without_trade_refuses_every_order():
    """The desk asks the grant again, so that a door that forgot to would not matter."""
    fault = Grant(frozenset({A, C})).refusal(spec())
    assert (Reason.PERMISSION_MISSING, "trade", "false") == (
        fault.reason,
        fault.metadata["permission"],
        fault.metadata["id_used"],
    )


# ---- accounts --------------------------------------------------------------------------------------------------------


def test_a_star_is_every_account_there_is():
    """`*` is spelt out, and added to what an account is granted by name."""
    held = rights_of(["market", "account:*", "trade:main"]).over(ACCOUNTS)
    assert {"hedge": {A}, "main": {A, T}, "spare": {A}} == {
        name: set(each.permissions) for name, each in held.grants.items()
    }


def test_an_account_that_is_not_there_is_nobodys():
    """A grant on it gives nothing."""
    assert {} == rights_of(["trade:gone"]).over(ACCOUNTS).grants


@pytest.mark.parametrize(
    ("words", "default", "expected"),
    [
        (["trade:main"], "", "main"),
        (["trade:*"], "", ""),
        (["trade:*"], "hedge", "hedge"),
        (["trade:main", "trade:hedge"], "", ""),
        (["trade:main", "trade:hedge"], "hedge", "hedge"),
    ],
)
def test_the_default_account_is_named_or_the_only_one(words, default, expected):
    """With several accounts and none named there is no default: money is not sent to a guess."""
    assert expected == rights_of(words, default=default).over(ACCOUNTS).default


# ---- words -----------------------------------------------------------------------------------------------------------


@given(rights)
def test_words_come_back_as_they_were(held):
    """What is written down is read as the same rights."""
    whole = Rights(
        held.unbound, {name: Grant(each.permissions) for name, each in held.grants.items() if each.permissions}
    )
    assert whole == rights_of(whole.words())


@pytest.mark.parametrize(
    "word", ["", "trad", "trade", "trade:", "trade:a b", "market:main", "admin:*", "TRADE:main", "trade:main:x", "*"]
)
def test_a_word_that_is_none_is_refused(word):
    """Permission, and an account where it is bound to one: nothing is guessed."""
    with pytest.raises(ValueError, match=r"permission|belongs|granted on"):
        rights_of([word])


@pytest.mark.parametrize("name", ["local", "Execsvc", "", "-bot", "a b", "x" * 65, "bot\n", "böt"])
def test_a_callers_name_is_plain_and_not_the_houses(name):
    """Names go into logs, orders and files."""
    assert name_fault(name)


@pytest.mark.parametrize("name", ["bot", "risk-1", "a.b_c", "7", "x" * 64])
def test_a_plain_name_is_fine(name):
    """Letters, digits, and a few signs within."""
    assert name_fault(name) == ""


def test_bundles_hold_what_the_guide_says():
    """Written out a second time: viewer, signal, trader, risk, admin."""
    assert {
        "viewer": {M, A},
        "signal": {M},
        "trader": {M, A, T, C},
        "risk": {M, A, C, K},
        "admin": {M, A, T, C, K, ADMIN},
    } == {name: set(each) for name, each in BUNDLES.items()}


# ---- what is wider ---------------------------------------------------------------------------------------------------

MOST = rights_of(
    ["market", "trade:main", "account:main"],
    Grant(
        frozenset(),
        frozenset({"BTC/USD"}),
        frozenset({Side.BUY}),
        frozenset({OrderType.LIMIT}),
        Decimal(500),
        5,
    ),
).over(ACCOUNTS)


@pytest.mark.parametrize(
    ("words", "bounds", "told"),
    [
        (["admin"], {}, ("admin",)),
        (["cancel:main"], {}, ("cancel:main",)),
        (["account:hedge"], {}, ("account:hedge",)),
        (["trade:main"], {"symbols": frozenset({"BTC/USD", "ETH/USD"})}, ("pairs ETH/USD, at most BTC/USD on main",)),
        (["trade:main"], {"symbols": frozenset()}, ("pairs all, at most BTC/USD on main",)),
        (["trade:main"], {"sides": frozenset({Side.SELL})}, ("sides sell, at most buy on main",)),
        (["trade:main"], {"order_types": frozenset()}, ("order types all, at most limit on main",)),
        (["trade:main"], {"max_order_notional": None}, ("order notional without bound, at most 500 on main",)),
        (["trade:main"], {"orders_per_s": 6}, ("orders a second 6, at most 5 on main",)),
        (["account:main"], {"max_order_notional": None}, ()),
        (["trade:main", "market"], {"max_order_notional": Decimal(499)}, ()),
    ],
)
def test_every_difference_is_named(words, bounds, told):
    """In words, with what would be allowed."""
    own = MOST.bounds()
    given_bounds = Grant(**{name: bounds.get(name, getattr(own, name)) for name in Grant.__dataclass_fields__})
    assert told == excess(rights_of(words, given_bounds).over(ACCOUNTS), MOST)


# ---- callers ---------------------------------------------------------------------------------------------------------


def test_what_a_caller_lost_is_told_by_account():
    """Of the account in question, and of what belongs to none."""
    before = alike("ann", {M, A, T}, ("main", "hedge"))
    after = Caller("ann", frozenset(), {"main": Grant(frozenset({A})), "hedge": Grant(frozenset({T}))})
    assert (frozenset({M, T}), frozenset({M, A})) == (before.lost_to(after, "main"), before.lost_to(after, "hedge"))


def test_the_same_rights_everywhere():
    """A bundle on accounts; those of no account stand alone."""
    held = rights_with(BUNDLES["trader"], ["main"])
    assert ("market", "account:main", "trade:main", "cancel:main") == held.words()
