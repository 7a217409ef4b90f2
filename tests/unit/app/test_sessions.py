"""Sessions of several callers: one that opens and leaves very many takes nobody else's, and the whole stays bounded."""

from contextlib import ExitStack

import pytest

from execsvc.app import sessions as room
from execsvc.app.sessions import LINES_MAX, LINES_OF_ONE
from execsvc.domain.errors import Busy, Conflict, Reason
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import Status
from tests.support.simloop import run_sim
from tests.support.world import ME, world

FEW = 3


def in_world(scenario):
    async def main():
        async with world() as here:
            return await scenario(here, here.house.sessions)

    return run_sim(main())


@pytest.fixture
def few(monkeypatch):
    """Three sessions of a caller are kept, five of all."""
    monkeypatch.setattr(room, "LINES_OF_ONE", FEW)
    monkeypatch.setattr(room, "LINES_MAX", FEW + 2)


def key(name, caller="local"):
    return OrderKey("main", caller, name)


def lost(sessions, caller, stream_id):
    """A session that was lost with an order in it."""
    line = sessions.open(caller, stream_id)
    sessions.take(line, key(stream_id, caller))
    return line


def can_be_resumed(sessions, caller, stream_id):
    """Whether a lost one can be taken over."""
    return stream_id in sessions._lines.get(caller, {})


def test_anothers_sessions_stay_however_many_one_opens():
    """A session that was lost with its orders is taken over after a crowd of another caller's went by."""

    async def scenario(here, sessions):
        mine = lost(sessions, "local", "mine")
        for index in range(2 * LINES_OF_ONE):
            lost(sessions, "crowd", f"c-{index}")
        assert mine is sessions.open("local", "next", "mine")
        assert LINES_OF_ONE + 2 == len(sessions)

    in_world(scenario)


def test_of_ones_own_the_oldest_goes(few):
    """What is lost and old cannot be taken over any more, and the caller is told to look at its orders."""

    async def scenario(here, sessions):
        for index in range(FEW + 1):
            lost(sessions, "local", f"s-{index}")
        with pytest.raises(Conflict) as expired:
            sessions.open("local", "next", "s-0")
        assert Reason.RESUME_TOKEN_EXPIRED is expired.value.reason
        assert sessions.open("local", "next", "s-1").name == "s-1"

    in_world(scenario)


def test_one_without_orders_goes_before_one_with(few):
    """Whoever takes it over would get nothing."""

    async def scenario(here, sessions):
        lost(sessions, "local", "kept")
        sessions.open("local", "empty")
        for index in range(FEW - 1):
            lost(sessions, "local", f"s-{index}")
        assert (True, False) == (
            can_be_resumed(sessions, "local", "kept"),
            can_be_resumed(sessions, "local", "empty"),
        )

    in_world(scenario)


def test_one_that_is_open_does_not_go(few):
    """However old: it could be lost at any moment."""

    async def scenario(here, sessions):
        line = sessions.open("local", "open")
        with sessions.attached(line, cancel_when_lost=False):
            for index in range(2 * FEW):
                lost(sessions, "local", f"s-{index}")
            assert can_be_resumed(sessions, "local", "open")

    in_world(scenario)


def test_with_all_of_ones_own_open_the_next_is_refused(few):
    """TOO_MANY_STREAMS, and nothing is changed; closing one makes a place."""

    async def scenario(here, sessions):
        with ExitStack() as held:
            for index in range(FEW):
                held.enter_context(sessions.attached(sessions.open("local", f"s-{index}"), cancel_when_lost=False))
            with pytest.raises(Busy) as refused:
                sessions.open("local", "one more")
            assert (Reason.TOO_MANY_STREAMS, None) == (refused.value.reason, refused.value.fault.retry_after_s)
            assert "'local' has 3 open, all callers together have 3 that" in refused.value.fault.message
            assert (FEW, False) == (len(sessions), can_be_resumed(sessions, "local", "one more"))
            assert "other" == sessions.open("other", "theirs").caller
        assert "one more" == sessions.open("local", "one more").name

    in_world(scenario)


def test_a_session_is_taken_over_where_there_is_no_place_for_a_new_one(few):
    """It takes none: the oldest name of the line goes."""

    async def scenario(here, sessions):
        with ExitStack() as held:
            lost(sessions, "local", "s-0")
            for index in range(1, FEW):
                held.enter_context(sessions.attached(sessions.open("local", f"s-{index}"), cancel_when_lost=False))
            line = sessions.open("local", "next", "s-0")
        assert ("s-0", "next", {key("s-0")}, FEW) == (line.name, line.newest, line.keys, len(sessions))

    in_world(scenario)


def test_where_the_whole_is_full_only_what_is_of_no_use_makes_room(few):
    """An idle session of anybody's; then one's own; whoever has none to spare is refused, and nobody loses an order."""

    async def scenario(here, sessions):
        for caller, names in (("a", ("a-0", "a-1", "a-2")), ("b", ("b-0",))):
            for name in names:
                lost(sessions, caller, name)
        sessions.open("b", "idle")
        lost(sessions, "c", "c-0")
        assert (FEW + 2, False) == (len(sessions), can_be_resumed(sessions, "b", "idle"))
        with pytest.raises(Busy) as refused:
            sessions.open("d", "d-0")
        assert Reason.TOO_MANY_STREAMS is refused.value.reason
        lost(sessions, "c", "c-1")
        kept = [(each[0], each) for each in ("a-0", "a-1", "a-2", "b-0", "c-1")]
        assert [True] * len(kept) == [can_be_resumed(sessions, *each) for each in kept]

    in_world(scenario)


def test_the_whole_is_bounded():
    """However many callers there are."""

    async def scenario(here, sessions):
        for index in range(LINES_MAX + 10):
            sessions.open(f"caller {index}", f"s-{index}")
        assert LINES_MAX >= len(sessions)

    in_world(scenario)


def test_a_line_knows_its_open_orders_and_no_others():
    """What ends is forgotten, in whichever sessions it was placed and whether or not they are open still."""

    async def scenario(here, sessions):
        first, second = sessions.open("local", "s-0"), sessions.open("local", "s-1")
        for line, name in ((first, "both"), (second, "both"), (first, "stays")):
            sessions.take(line, key(name))
        for name in ("both", "stays"):
            await here.place(name)
        order = await here.store.get(key("both"))
        await here.house.cancels.cancel(order, here.clock.monotonic() + 5.0, caller="local")
        assert ({key("stays")}, set()) == (first.keys, second.keys)
        assert [key("stays")] == list(sessions._of_order)

    in_world(scenario)


def test_a_forgotten_session_that_asked_for_it_still_cancels_its_orders(few):
    """The crowd of its own caller's that pushed it out does not take that away."""

    async def scenario(here, sessions):
        line = sessions.open("local", "s-0")
        with sessions.attached(line, cancel_when_lost=True):
            sessions.take(line, key("a"))
            await here.place("a", who=ME)
        for index in range(FEW + 1):
            lost(sessions, "local", f"c-{index}")
        assert not can_be_resumed(sessions, "local", "s-0")
        await here.clock.sleep(5.0)
        assert Status.CANCELLED is (await here.store.get(key("a"))).status

    in_world(scenario)
