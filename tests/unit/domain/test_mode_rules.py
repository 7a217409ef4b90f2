"""Which trading mode counts for an order, and what each lets pass."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain.errors import Reason
from execsvc.domain.market import Side
from execsvc.domain.modes import ModeEntry, Scope, TradingMode, only_reduces, refusal_of, strictest
from execsvc.domain.spec import ConditionalClose, OrderSpec, OrderType
from execsvc.store import records

SPEC = OrderSpec("BTC/USD", Side.BUY, Decimal(1), OrderType.LIMIT, Decimal(60_000))
REDUCING = replace(SPEC, leverage=2, reduce_only=True)
WHOLE = replace(SPEC, order_type=OrderType.MARKET, limit_price=None, base_quantity=None, full_position=True)
SPAWNING = replace(REDUCING, conditional_close=ConditionalClose(OrderType.LIMIT, limit_price=Decimal(61_000)))

names = st.sampled_from(["", "a", "b"])
scopes = st.builds(Scope, names, names, names) | st.just(Scope(everything=True))
entries = st.builds(
    ModeEntry, scopes, st.sampled_from(TradingMode), st.text(max_size=5), st.sampled_from(["x", "y"]), st.integers(0, 9)
)


def entry(mode, scope=None, at_ns=1):
    return ModeEntry(scope or Scope(everything=True), mode, "news", "ops", at_ns)


# ---- scopes --------------------------------------------------------------------------------------------------------


@given(scopes, names, names, names)
def test_an_order_is_in_scope_if_every_set_field_matches(scope, account, caller, symbol):
    """An empty field means any, and everything is everything."""
    wanted = [(scope.account, account), (scope.caller, caller), (scope.symbol, symbol)]
    expected = scope.everything or all(not given or given == own for given, own in wanted)
    assert expected is scope.covers(account, caller, symbol)


@given(scopes, names, names)
def test_a_scope_touches_a_caller_if_an_order_of_its_own_may_be_in_it(scope, account, caller):
    """Whichever pair it is of."""
    assert scope.covers(account, caller, scope.symbol) is scope.touches(account, caller)


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        (Scope(everything=True), "everything"),
        (Scope("main"), "account main"),
        (Scope("main", "bot", "BTC/USD"), "account main, caller bot, symbol BTC/USD"),
    ],
)
def test_a_scope_in_words_names_what_is_set(scope, words):
    """As a person is told."""
    assert words == str(scope)


def test_a_scope_is_kept_under_the_account_it_is_kept_for():
    """With the account's name, but for everything, which stays what it is."""
    assert (Scope("main", "bot"), Scope(everything=True)) == (
        Scope(caller="bot").on("main"),
        Scope(everything=True).on("main"),
    )


# ---- what counts ---------------------------------------------------------------------------------------------------


@given(st.lists(entries))
def test_the_strictest_counts(found):
    """Whatever the sequence; of equals the one that was set first."""
    counting = strictest(found)
    if counting is None:
        assert [] == found
    else:
        assert max(each.mode.rank for each in found) == counting.mode.rank
        equals = [each.set_time_ns for each in found if each.mode is counting.mode]
        assert min(equals) == counting.set_time_ns


@given(st.lists(entries), names, names)
def test_a_further_entry_never_lets_more_pass(found, account, caller):
    """Modes narrow: what one of them refuses, no other brings back."""
    for more in range(len(found)):
        refused = refusal_of(found[:more], account, caller, REDUCING) is not None
        assert not refused or refusal_of(found, account, caller, REDUCING) is not None


@given(st.lists(entries), names, names)
def test_entries_that_do_not_cover_an_order_do_not_count(found, account, caller):
    """Left out, they change nothing."""
    covering = [each for each in found if each.scope.covers(account, caller, SPEC.symbol)]
    assert refusal_of(covering, account, caller, SPEC) == refusal_of(found, account, caller, SPEC)


@pytest.mark.parametrize(
    ("mode", "passing"),
    [
        (TradingMode.NORMAL, [SPEC, REDUCING, WHOLE, SPAWNING]),
        (TradingMode.REDUCE_ONLY, [REDUCING, WHOLE]),
        (TradingMode.CANCEL_ONLY, []),
        (TradingMode.HALTED, []),
    ],
)
def test_what_a_mode_lets_pass(mode, passing):
    """REDUCE_ONLY takes what can but close; a conditional close may open anew, so it does not."""
    assert passing == [
        spec for spec in (SPEC, REDUCING, WHOLE, SPAWNING) if refusal_of([entry(mode)], "a", "b", spec) is None
    ]
    assert [False, True, True, False] == [only_reduces(spec) for spec in (SPEC, REDUCING, WHOLE, SPAWNING)]


def test_a_refusal_says_what_is_in_force_and_why():
    """Mode, scope and comment, in words and as metadata; the id is free."""
    fault = refusal_of([entry(TradingMode.HALTED, Scope("main", "bot"))], "main", "bot", SPEC)
    assert (
        Reason.TRADING_HALTED,
        {"mode": "HALTED", "scope": "account main, caller bot", "comment": "news", "id_used": "false"},
    ) == (fault.reason, fault.metadata)
    assert (
        "trading is HALTED for account main, caller bot (no orders, no amends, open ones are cancelled), set by ops: news; "
        "nothing was sent, cancels pass, and the same id will do once it is lifted"
    ) == fault.message


# ---- as text -------------------------------------------------------------------------------------------------------


@given(entries)
def test_an_entry_reads_back_as_it_was_written(written):
    """Every scope, mode and comment, to the letter."""
    assert written == records.mode_of(records.text_of(written))
