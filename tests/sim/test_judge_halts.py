"""The judge of trading modes, on small stories whose right verdict is plain."""

from dataclasses import replace

from tests.sim.judges.halts import CANCEL_ONLY, HALTED, NORMAL, REDUCE_ONLY, Halts, Left, Setting, judge

HALT = Setting("everything", "", HALTED, 1.0, 1.1, done=True, owner=1)
ORDER = Left("an order", "c-1", 2.0, 1, 7)


def rules(*settings, left=(ORDER,), **more):
    return [finding.rule for finding in judge(Halts(settings, left, **more))]


def test_an_order_that_leaves_after_the_answer_is_found():
    """By whichever process, of whichever mode."""
    assert ["halt.sent"] == rules(HALT)
    assert ["halt.sent"] == rules(replace(HALT, mode=CANCEL_ONLY))
    assert ["halt.sent"] == rules(HALT, left=[replace(ORDER, owner=2)])


def test_an_order_that_left_before_the_answer_is_not():
    """What is on its way when it is answered cannot be called back."""
    assert [] == rules(HALT, left=[replace(ORDER, at=1.05)])


def test_a_setting_that_was_never_answered_promises_nothing():
    """Nobody was told."""
    assert [] == rules(replace(HALT, done=False))


def test_a_mode_ends_with_the_first_wish_for_less_in_its_scope():
    """Asked for is enough, for it may have been done; another scope's lifting is none."""
    lifting = Setting("everything", "", NORMAL, 1.5, 1.6, owner=1)
    assert [] == rules(HALT, lifting)
    assert ["halt.sent"] == rules(HALT, replace(lifting, scope="account main"))
    assert ["halt.sent"] == rules(HALT, replace(lifting, invoked=2.5, ended=2.6))


def test_only_orders_in_scope_are_meant():
    """Those of the caller that was named."""
    assert ["halt.sent"] == rules(replace(HALT, caller="c-1"))
    assert [] == rules(replace(HALT, caller="c-2"))


def test_what_reduces_may_leave_in_reduce_only():
    """And nothing may in a stricter mode; of a change it is not known."""
    mild = replace(HALT, mode=REDUCE_ONLY)
    assert [[], [], ["halt.sent"]] == [rules(mild, left=[replace(ORDER, reduces=it)]) for it in (True, None, False)]
    assert ["halt.sent"] == rules(HALT, left=[replace(ORDER, reduces=True)])


def test_a_superseded_process_may_send_what_no_exchange_lets_in():
    """Its nonces are fenced; one that got in all the same is found."""
    assert [] == rules(HALT, superseded={1: 1.9})
    assert ["halt.sent"] == rules(HALT, superseded={1: 1.9}, admitted={7})
    assert ["halt.sent"] == rules(HALT, superseded={1: 2.1})


def test_in_force_and_not_durable_binds_the_process_that_said_so():
    """The next one does not know of it."""
    told = replace(HALT, done=False, in_force=True)
    assert ["halt.sent"] == rules(told)
    assert [] == rules(told, left=[replace(ORDER, owner=2)])
