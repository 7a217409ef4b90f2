"""What a key must and must not be able to do."""

from dataclasses import replace

from execsvc.domain.account import KeyFacts
from execsvc.domain.keycheck import NEEDED, problems

GOOD = KeyFacts("bot", frozenset({*NEEDED, "close-trades"}), 5, 0, None, ())
NOW_NS = 10**18


def found(facts):
    return [(problem.fatal, problem.what) for problem in problems(facts, NOW_NS)]


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
    assert [(True, f"it lacks the permission {name}") for name in NEEDED] == told


def test_needless_permission_is_mentioned():
    """Least privilege, as advice."""
    ((fatal, what),) = found(replace(GOOD, permissions=GOOD.permissions | {"earn-funds"}))
    assert not fatal
    assert "earn-funds" in what


def test_expired_key_is_refused():
    """At its instant it has expired."""
    assert found(replace(GOOD, valid_until_ns=NOW_NS)) == [(True, "it has expired")]
    assert found(replace(GOOD, valid_until_ns=NOW_NS + 1)) == []


def test_fatal_problems_come_first():
    """A person reads the worst first."""
    facts = replace(GOOD, permissions=GOOD.permissions | {"earn-funds", "withdraw-funds"}, nonce_window=None)
    assert [True, False, False] == [problem.fatal for problem in problems(facts, NOW_NS)]
