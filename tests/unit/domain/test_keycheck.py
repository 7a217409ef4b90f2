"""What a key must and must not be able to do."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain.account import KeyFacts
from execsvc.domain.keycheck import FORBIDDEN, NEEDED, SOON_DAYS, days_left, problems

GOOD = KeyFacts("bot", frozenset(NEEDED), 5, 0, None, ())
NOW_NS = 1_799_999_999 * 10**9  # 2027-01-15 07:59:59 UTC
DAY_NS = 86_400 * 10**9


def found(facts, **terms):
    return [(problem.fatal, problem.what) for problem in problems(facts, NOW_NS, **terms)]


def test_good_key_has_no_problem():
    """What is needed, nothing else."""
    assert found(GOOD) == []


def test_withdrawal_right_is_refused():
    """Never needed, never accepted."""
    ((fatal, what),) = found(replace(GOOD, permissions=GOOD.permissions | {"withdraw-funds"}))
    assert fatal
    assert "withdraw-funds" in what


def test_nonce_window_is_refused():
    """Above zero there is no barrier."""
    ((fatal, what),) = found(replace(GOOD, nonce_window=10))
    assert fatal
    assert "10" in what


def test_untold_nonce_window_is_mentioned():
    """Unknown is not zero, and not proof of the contrary."""
    ((fatal, _),) = found(replace(GOOD, nonce_window=None))
    assert not fatal


def test_each_missing_permission_is_listed():
    """All at once."""
    told = found(replace(GOOD, permissions=frozenset()))
    assert [(True, f"it lacks the permission {name} (at Kraken: {label})") for name, label in NEEDED.items()] == told


@pytest.mark.parametrize("name", ["add-funds", "earn-funds", "export-data", "add-withdraw-address"])
def test_every_right_that_is_not_used_here_is_mentioned(name):
    """Least privilege, right by right; the ledger is read here, so that right is no surplus."""
    told = found(replace(GOOD, permissions=GOOD.permissions | {name, "query-ledger"}))
    assert [(False, f"it has the permission {name}, which is not needed here")] == told


def test_needless_permission_is_mentioned():
    """Least privilege, as advice."""
    ((fatal, what),) = found(replace(GOOD, permissions=GOOD.permissions | {"earn-funds"}))
    assert not fatal
    assert "earn-funds" in what


def test_expired_key_is_refused():
    """At its instant it has expired."""
    assert found(replace(GOOD, valid_until_ns=NOW_NS)) == [(True, "it has expired: make a new one")]


@pytest.mark.parametrize(
    ("left_ns", "told"),
    [
        (1, "it expires in less than a day, on 2027-01-15 at 07:59 UTC: make its successor"),
        (DAY_NS, "it expires in 1 day, on 2027-01-16 at 07:59 UTC: make its successor"),
        (3 * DAY_NS - 1, "it expires in 2 days, on 2027-01-18 at 07:59 UTC: make its successor"),
        (SOON_DAYS * DAY_NS, "it expires in 14 days, on 2027-01-29 at 07:59 UTC: make its successor"),
        (SOON_DAYS * DAY_NS + 1, None),
    ],
)
def test_an_expiry_that_comes_near_is_mentioned_day_by_day(left_ns, told):
    """From 14 days before, in whole days, with the instant; further away nothing is said."""
    expected = [] if told is None else [(False, told)]
    assert expected == found(replace(GOOD, valid_until_ns=NOW_NS + left_ns))


def test_days_left_count_down_past_zero():
    """A figure for a gauge: half a day left, half a day late."""
    assert (0.5, -0.5) == (days_left(NOW_NS + DAY_NS // 2, NOW_NS), days_left(NOW_NS - DAY_NS // 2, NOW_NS))


@pytest.mark.parametrize(
    ("addresses", "real_money", "mentioned"), [((), True, True), (("192.0.2.7",), True, False), ((), False, False)]
)
def test_a_key_that_works_from_anywhere_is_mentioned_where_money_is_real(addresses, real_money, mentioned):
    """An address list makes a stolen key worth less; a paper exchange's key is worth nothing anyway."""
    told = found(replace(GOOD, ip_allowlist=addresses), real_money=real_money)
    assert mentioned is any("any address" in what for _, what in told)
    assert not any(fatal for fatal, _ in told)


RIGHTS = st.frozensets(st.sampled_from([*NEEDED, *FORBIDDEN, "query-ledger", "earn-funds", "a right of tomorrow"]))


@given(
    facts=st.builds(
        KeyFacts,
        name=st.text(max_size=5),
        permissions=RIGHTS,
        nonce=st.none() | st.integers(0, 2**64 - 1),
        nonce_window=st.none() | st.integers(0, 10**6),
        valid_until_ns=st.none() | st.integers(0, 4 * 10**18),
        ip_allowlist=st.just(()),
    ),
    real_money=st.booleans(),
)
def test_a_key_passes_exactly_when_it_can_trade_and_do_no_harm(facts, real_money):
    """No withdrawal, window 0 (or untold), not expired, nothing missing: else at least one fatal problem."""
    passes = (
        not facts.permissions & set(FORBIDDEN)
        and not facts.nonce_window
        and (facts.valid_until_ns is None or facts.valid_until_ns > NOW_NS)
        and facts.permissions >= set(NEEDED)
    )
    assert passes is not any(problem.fatal for problem in problems(facts, NOW_NS, real_money=real_money))


def test_fatal_problems_come_first():
    """A person reads the worst first."""
    facts = replace(GOOD, permissions=GOOD.permissions | {"earn-funds", "withdraw-funds"}, nonce_window=None)
    assert [True, False, False] == [problem.fatal for problem in problems(facts, NOW_NS)]
