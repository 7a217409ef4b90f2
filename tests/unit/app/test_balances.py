"""Balances cost a call that Kraken counts: one whole answer is kept, and asked for again only when the stream has news."""

from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from funds_parts import AN_ORDER, OPENED_S, account, seen

from execsvc.app.funds import (
    BURST_S,
    LINGER_S,
    READ_MOST_S,
    READ_S,
    RETRY_MOST_S,
    SETTLED_S,
    SPACING_S,
    TOLD_MOST_S,
    UNTOLD_MOST_S,
)
from execsvc.app.fundscheck import DOUBTED_MOST
from execsvc.domain.errors import Busy, Declined, Reason, refuse
from execsvc.domain.market import FeedState, LinkUp
from execsvc.ports import BalanceSeen, BalancesRefused, BalancesSnapshot, OrdersSnapshot


@contextmanager
def expecting(kind, reason):
    with pytest.raises(kind) as caught:
        yield
    assert reason is caught.value.reason


def test_without_news_the_last_answer_is_given_again():
    """One call for any number of readers, however long it is quiet within the bound."""

    async def scenario(here):
        for _ in range(100):
            await here.read()
            await here.clock.sleep(TOLD_MOST_S / 101)
        return here.venue.asked

    assert [(OPENED_S, "risk")] == account(scenario)


@pytest.mark.parametrize("news", [AN_ORDER, seen("USD", 90), seen("USD", None), seen("BTC", 1), OrdersSnapshot(())])
def test_news_of_an_order_or_a_balance_is_asked_about(news):
    """An answer holds all that the stream told before the question, so the next one is new."""

    async def scenario(here):
        await here.read()
        await here.clock.sleep(SPACING_S)
        if isinstance(news, BalanceSeen) and news.total is not None:
            here.venue.held[news.asset] = news.total
        here.funds.heard(news)
        return await here.read() == here.venue.held, here.reads

    assert (True, 2) == account(scenario)


def test_a_balance_that_the_picture_has_already_is_no_news():
    """The answer overtook the stream: what it tells now is known."""

    async def scenario(here):
        await here.read()
        here.told("USD", 100)
        await here.clock.sleep(SPACING_S + 1)
        await here.read()
        return here.reads

    assert 1 == account(scenario)


@pytest.mark.parametrize(("told", "most_s"), [(True, TOLD_MOST_S), (False, UNTOLD_MOST_S)])
def test_what_nobody_tells_shows_within_a_bound(told, most_s):
    """Five minutes where the channel tells of every entry, half a minute where it was refused."""

    async def scenario(here):
        await here.read()
        await here.clock.sleep(most_s - LINGER_S + 0.01)
        await here.read()
        before = here.reads
        await here.clock.sleep(LINGER_S)
        await here.read()
        return before, here.reads

    assert (1, 2) == account(scenario, told=told)


@pytest.mark.parametrize(("after_s", "most_s"), [(SETTLED_S + 1, TOLD_MOST_S), (SETTLED_S - 1, UNTOLD_MOST_S)])
def test_an_answer_soon_after_news_is_looked_at_again(after_s, most_s):
    """No channel proves what is held: Kraken may show it late, and half a minute is soon enough to see."""

    async def scenario(here):
        here.funds.heard(AN_ORDER)
        await here.clock.sleep(after_s)
        with here.funds.read_by("ops"):
            await here.clock.sleep(most_s - 0.1)
            before = here.reads
            await here.clock.sleep(0.2)
            return before, here.reads

    assert (1, 2) == account(scenario)


def test_a_burst_of_news_is_one_read():
    """An order is half a dozen messages within milliseconds."""

    async def scenario(here):
        await here.read()
        await here.clock.sleep(SPACING_S)
        for _ in range(6):
            here.funds.heard(AN_ORDER)
            await here.clock.sleep(BURST_S / 10)
        await here.clock.sleep(SPACING_S * 3)
        return here.reads

    assert 2 == account(scenario)


def test_reads_are_spaced_however_much_is_told():
    """A stream that never rests costs one read every two seconds, and never two at a time."""

    async def scenario(here):
        with here.funds.read_by("ops"):
            for _ in range(400):
                here.funds.heard(AN_ORDER)
                await here.clock.sleep(0.05)
        return [at for at, _ in here.venue.asked]

    at = account(scenario)
    assert 10 <= len(at) <= 11
    assert all(later - earlier >= SPACING_S for earlier, later in pairwise(at))


def test_nobody_asks_nothing_is_read():
    """News half a minute after the last question are not looked into until the next one."""

    async def scenario(here):
        await here.read()
        await here.clock.sleep(LINGER_S + 0.1)
        here.funds.heard(AN_ORDER)
        await here.clock.sleep(LINGER_S)
        quiet = here.reads
        await here.read()
        return quiet, here.reads

    assert (1, 2) == account(scenario)


def test_within_half_a_minute_news_are_read_ahead():
    """Whoever asked a moment ago finds the new answer ready."""

    async def scenario(here):
        await here.read()
        await here.clock.sleep(LINGER_S - SPACING_S)
        here.funds.heard(AN_ORDER)
        await here.clock.sleep(1)
        return here.reads

    assert 2 == account(scenario)


def test_who_cannot_wait_for_the_next_turn_gets_the_last_answer():
    """Reads are spaced; the times of the answer say how old it is."""

    async def scenario(here):
        await here.read()
        here.venue.held = {"USD": Decimal(90)}
        here.told("USD", 90)
        began = here.clock.monotonic()
        hurried = await here.read(patience_s=0.5)
        took = here.clock.monotonic() - began
        return hurried, took, await here.read()

    assert ({"USD": Decimal(100)}, 0.0, {"USD": Decimal(90)}) == account(scenario)


def test_a_full_counter_leaves_the_last_answer():
    """LOCAL_RATE_LIMITED: the last picture with its own times; it turns STALE, and is renewed once there is room."""

    async def scenario(here):
        await here.read()
        await here.clock.sleep(SPACING_S)
        here.venue.held = {"USD": Decimal(90)}
        here.venue.failure = refuse(Reason.LOCAL_RATE_LIMITED, "full", retry_after_s=7.0)
        here.told("USD", 90)
        old = await here.read()
        tried, state = here.reads, here.funds.state
        await here.clock.sleep(6)
        still = here.reads, here.funds.state
        here.venue.failure = None
        await here.clock.sleep(2)
        return old, (tried, state), still, await here.read(), here.funds.state

    expected = (
        {"USD": Decimal(100)},
        (2, FeedState.LIVE),
        (2, FeedState.STALE),
        {"USD": Decimal(90)},
        FeedState.LIVE,
    )
    assert expected == account(scenario)


def test_a_full_counter_without_any_answer_is_told():
    """There is nothing to fall back on: the exact wait is."""

    async def scenario(here):
        here.venue.failure = refuse(Reason.LOCAL_RATE_LIMITED, "full", retry_after_s=7.0)
        with expecting(Busy, Reason.LOCAL_RATE_LIMITED):
            await here.read()
        await here.clock.sleep(3)
        with pytest.raises(Busy) as later:
            await here.read(patience_s=0.5)
        return later.value.fault.retry_after_s

    assert 4.0 == account(scenario)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize(
    ("kind", "reason"),
    [(Busy, Reason.VENUE_UNREACHABLE), (Declined, Reason.PERMISSION_MISSING)],
    ids=["busy", "declined"],
)
def test_a_failed_read_is_told_and_tried_again(kind, reason, kept):
    """An old answer does not hide that Kraken does not answer; the pause between tries grows to a bound."""

    async def scenario(here):
        if kept:
            await here.read()
            await here.clock.sleep(SPACING_S)
        here.venue.failure = refuse(reason, "no")
        here.funds.heard(AN_ORDER)
        with expecting(kind, reason):
            await here.read()
        first = here.reads
        await here.clock.sleep(LINGER_S - 1)
        tries = here.reads - first
        with expecting(kind, reason):
            await here.read(patience_s=0.01)
        here.venue.failure = None
        await here.clock.sleep(RETRY_MOST_S)
        return tries, await here.read(patience_s=0.01)

    assert (4, {"USD": Decimal(100)}) == account(scenario)


@pytest.mark.parametrize(("patience_s", "given_s"), [(0.5, READ_S), (7.0, 7.0), (3600.0, READ_MOST_S)])
def test_a_read_has_the_time_of_who_waits_within_bounds(patience_s, given_s):
    """Nobody's patience keeps the others waiting for ever, and nobody's haste spoils the read for them."""

    async def scenario(here):
        given = []

        async def balances(by, *, caller=""):
            given.append(by - here.clock.monotonic())
            return ()

        here.venue.balances = balances
        here.venue.held.clear()
        here.told("USD", 0)
        await here.clock.sleep(1)
        await here.read(patience_s=patience_s)
        return given

    assert [given_s] == account(scenario)


def test_who_runs_out_of_time_is_told_so():
    """The read goes on for the others."""

    async def scenario(here):
        here.venue.takes_s = READ_S - 1
        with expecting(Busy, Reason.READ_TIMEOUT):
            await here.read(patience_s=0.5)
        await here.clock.sleep(READ_S)
        return await here.read(patience_s=0.01), here.reads

    assert ({"USD": Decimal(100)}, 1) == account(scenario)


@pytest.mark.parametrize("state", [FeedState.STALE, FeedState.RESYNCING])
def test_nothing_is_kept_while_the_stream_does_not_stand(state):
    """Each question is Kraken's, however soon it follows; afterwards the room answers again."""

    async def scenario(here):
        await here.read()
        here.feed = state
        here.venue.held = {"USD": Decimal(90)}
        apart = [await here.read(), await here.read()]
        return apart, here.reads, here.funds.state

    assert ([{"USD": Decimal(90)}] * 2, 3, state) == account(scenario)


def test_a_stream_that_breaks_while_somebody_waits():
    """The question is then asked apart."""

    async def scenario(here):
        await here.read()
        here.funds.heard(AN_ORDER)
        here.venue.meanwhile = lambda: None

        async def breaks():
            await here.clock.sleep(0.5)
            here.feed = FeedState.STALE
            here.funds.heard(LinkUp(2))

        here.tasks.start("breaks", breaks())
        return await here.read(), [at for at, _ in here.venue.asked]

    assert ({"USD": Decimal(100)}, [OPENED_S, OPENED_S + 0.6]) == account(scenario)


def test_a_new_link_voids_the_picture():
    """What one connection showed is worth nothing on the next."""

    async def scenario(here):
        await here.read()
        here.funds.heard(LinkUp(2))
        here.funds.heard(OrdersSnapshot(()))
        here.venue.held = {"USD": Decimal(90)}
        return here.funds.picture, here.funds.state, await here.read()

    assert (None, FeedState.RESYNCING, {"USD": Decimal(90)}) == account(scenario)


def test_an_answer_of_the_old_link_is_dropped():
    """It was asked for before the link broke, and came after."""

    async def scenario(here):
        def breaks():
            here.funds.heard(LinkUp(2))
            here.venue.held = {"USD": Decimal(90)}
            here.venue.meanwhile = lambda: None

        here.venue.meanwhile = breaks
        with here.funds.read_by("ops"):
            await here.clock.sleep(0.5)
            dropped = here.funds.picture
            await here.clock.sleep(SPACING_S)
            return dropped, here.funds.picture.balances["USD"].total

    assert (None, Decimal(90)) == account(scenario)


def test_an_answer_that_lags_behind_the_stream_is_not_believed():
    """The stream told 90 before the question: BalanceEx still says 100, so it is asked again."""

    async def scenario(here):
        await here.read()
        await here.clock.sleep(SPACING_S)
        here.told("USD", 90)

        async def catches_up():
            await here.clock.sleep(1)
            here.venue.held = {"USD": Decimal(90)}

        here.tasks.start("catches up", catches_up())
        return await here.read(), here.reads

    assert ({"USD": Decimal(90)}, 3) == account(scenario)


def test_an_answer_that_is_ahead_of_the_stream_is_believed():
    """The entry is told a moment after the answer came."""

    async def scenario(here):
        await here.read()
        await here.clock.sleep(SPACING_S)
        here.venue.held = {"USD": Decimal(90)}
        here.funds.heard(AN_ORDER)

        async def told_later():
            await here.clock.sleep(BURST_S + here.venue.takes_s + 0.2)
            here.told("USD", 90)

        here.tasks.start("told later", told_later())
        return await here.read(), here.reads

    assert ({"USD": Decimal(90)}, 2) == account(scenario)


def test_what_keeps_differing_is_no_lag():
    """An account whose wallets the two list differently costs a few reads, once a link."""

    async def scenario(here):
        here.told("DOT", 7)
        first = await here.read(), here.reads
        here.funds.heard(AN_ORDER)
        await here.read()
        return first, here.reads

    assert (({"USD": Decimal(100)}, DOUBTED_MOST), DOUBTED_MOST + 1) == account(scenario)


def test_a_snapshot_that_agrees_is_no_news():
    """The channel may open after the first answer; only a difference is looked into."""

    async def scenario(here):
        await here.read()
        here.funds.heard(BalancesSnapshot((seen("USD", 100), seen("ETH", 0))))
        await here.clock.sleep(SPACING_S * 2)
        same = here.reads
        here.venue.held["ETH"] = Decimal(1)
        here.funds.heard(BalancesSnapshot((seen("USD", 100), seen("ETH", 1))))
        await here.clock.sleep(SPACING_S * 2)
        return same, here.reads

    assert (1, 2) == account(scenario, told=False)


def test_while_the_stream_does_not_tell_of_balances_funds_are_stale_and_a_problem_says_why():
    """The picture is read and told all the same; with the channel's snapshot all is well."""

    async def scenario(here):
        here.funds.heard(BalancesRefused("EGeneral:Permission denied"))
        with here.funds.read_by("ops"):
            await here.clock.sleep(SPACING_S)
            untold = here.funds.state, len(here.funds.problems), here.funds.problems[0]
            here.funds.heard(BalancesSnapshot((seen("USD", 100),)))
            return untold, here.funds.state, here.funds.problems

    (state, number, problem), after, problems = account(scenario, told=False)
    assert (FeedState.STALE, 1, FeedState.LIVE, ()) == (state, number, after, problems)
    assert "Kraken does not tell of balances (EGeneral:Permission denied)" in problem
    assert "permission query-funds" in problem


def test_another_link_may_tell_of_balances():
    """What one connection refused says nothing of the next."""

    async def scenario(here):
        here.funds.heard(BalancesRefused("EGeneral:Permission denied"))
        here.funds.heard(LinkUp(2))
        return here.funds.problems

    assert () == account(scenario)


def test_a_picture_that_is_on_its_way_is_resyncing_though_balances_are_refused():
    """STALE is what can be seen."""

    async def scenario(here):
        here.funds.heard(BalancesRefused("EGeneral:Permission denied"))
        return here.funds.state

    assert FeedState.RESYNCING is account(scenario, told=False)


def test_funds_overtaken_for_long_are_stale():
    """News that no answer holds yet are tolerated for the staleness bound."""

    async def scenario(here):
        with here.funds.read_by("ops"):
            await here.clock.sleep(SPACING_S)
            here.venue.takes_s = 20
            here.funds.heard(AN_ORDER)
            states = [here.funds.state]
            await here.clock.sleep(5.1)
            states.append(here.funds.state)
            await here.clock.sleep(16)
            return [*states, here.funds.state]

    assert [FeedState.LIVE, FeedState.STALE, FeedState.LIVE] == account(scenario)


def test_news_that_came_during_a_read_count_from_when_they_came():
    """The answer may lack them: the next one must hold them within the bound, or the state says so."""

    async def scenario(here):
        with here.funds.read_by("ops"):
            await here.clock.sleep(SPACING_S)
            here.venue.takes_s = 4
            here.funds.heard(AN_ORDER)
            await here.clock.sleep(0.5)
            here.funds.heard(AN_ORDER)
            await here.clock.sleep(4)
            between = here.funds.state
            await here.clock.sleep(1.2)
            late = here.funds.state
            await here.clock.sleep(3)
            return [between, late, here.funds.state]

    assert [FeedState.LIVE, FeedState.STALE, FeedState.LIVE] == account(scenario)


def test_a_picture_is_one_whole_answer():
    """A told total is not mixed into it: total and hold are of one moment."""

    async def scenario(here):
        await here.read()
        before = here.funds.picture
        here.told("USD", 90)
        return before == here.funds.picture, replace(before).balances["USD"].total

    assert (True, Decimal(100)) == account(scenario)
