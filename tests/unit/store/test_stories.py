"""How far a story grows: everything up to a bound, then changes of status only, and it says so."""

from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain.order import Status
from execsvc.domain.story import Step, StepKind
from execsvc.store.stories import STEPS_MOST, STORY_MOST, kept_of

plain = st.builds(Step, st.integers(0, 9), st.just(StepKind.SWEPT), st.just("Looked."))
changes = st.builds(
    Step, st.integers(0, 9), st.just(StepKind.STATUS), st.just("Ended."), status=st.sampled_from(Status)
)
some = st.lists(plain | changes, max_size=8).map(tuple)


@given(some, st.integers(0, STEPS_MOST - 8))
def test_while_there_is_room_everything_is_kept(steps, told):
    """Nothing is left out of a story that is not long."""
    assert steps == kept_of(steps, told)


@given(st.lists(some, max_size=8), st.integers(STEPS_MOST - 12, STEPS_MOST))
def test_past_the_bound_only_changes_are_kept(parts, told):
    """However a long story comes in: the bound is filled, one note follows, then exactly the changes of status."""
    steps = tuple(step for part in parts for step in part)
    room = STEPS_MOST - told
    kept = ()
    for part in parts:
        kept += kept_of(part, told + len(kept))
    assert steps[:room] == kept[:room]
    assert [step for step in steps[room:] if step.status is not None] == list(kept[room + 1 :])
    assert (len(steps) > room) == any(step.text.startswith("The story is long") for step in kept)


@given(some, st.integers(STORY_MOST - 6, STORY_MOST))
def test_in_the_end_nothing_is_kept(steps, told):
    """An id that is tried again without end does not fill the disk with its story."""
    kept = kept_of(steps, told)
    assert [step for step in steps if step.status is not None][: STORY_MOST - told] == list(kept)
