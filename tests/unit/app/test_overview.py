"""What the venue says of itself is asked for seldom, and told honestly."""

import asyncio

import pytest

from execsvc.app.overview import KEEP_S, Kept, Overview
from execsvc.app.standing import Phase, Standing, lockout_end_ns
from execsvc.domain.errors import Busy, Fault, Reason
from execsvc.domain.market import FeedState, VenueMode
from execsvc.ports import ClockReading, LaneState
from tests.support.setrates import SetRates
from tests.support.simloop import SimClock, run_sim

DOWN = Busy(Fault(Reason.VENUE_UNREACHABLE, "refused"))


class Oracle:
    """One question: each answer is its number, takes a while, and may be a failure."""

    def __init__(self, clock, takes_s=0.0, failures=0):
        self.clock = clock
        self.takes_s = takes_s
        self.failures = failures
        self.asked = 0

    async def ask(self, by):
        self.asked += 1
        number = self.asked
        await self.clock.sleep(self.takes_s)
        if number <= self.failures:
            raise DOWN
        return number


def with_oracle(scenario, **parts):
    async def main():
        clock = SimClock()
        oracle = Oracle(clock, **parts)
        return await scenario(clock, oracle, Kept(oracle.ask, clock))

    return run_sim(main())


def test_an_answer_is_good_for_a_few_seconds():
    """Within them it is the answer, after them the question is asked anew."""

    async def scenario(clock, oracle, kept):
        answers = [await kept.answer(100)]
        await clock.sleep(KEEP_S)
        answers.append(await kept.answer(100))
        await clock.sleep(0.001)
        answers.append(await kept.answer(100))
        return answers

    assert [1, 1, 2] == with_oracle(scenario)


def test_askers_at_one_time_share_one_answer():
    """Twenty who look at once cost one call."""

    async def scenario(clock, oracle, kept):
        answers = await asyncio.gather(*(kept.answer(100) for _ in range(20)))
        return set(answers), oracle.asked

    assert ({1}, 1) == with_oracle(scenario, takes_s=1.0)


def test_a_failure_is_not_kept():
    """The next one asks again."""

    async def scenario(clock, oracle, kept):
        with pytest.raises(Busy):
            await kept.answer(100)
        return await kept.answer(100)

    assert 2 == with_oracle(scenario, failures=1)


def test_an_old_answer_does_not_stand_in_for_a_failure():
    """After its time it is not told any more, whatever the exchange does."""

    async def scenario(clock, oracle, kept):
        await kept.answer(100)
        await clock.sleep(KEEP_S + 1)
        oracle.failures = 2
        with pytest.raises(Busy) as caught:
            await kept.answer(100)
        return caught.value.reason

    assert Reason.VENUE_UNREACHABLE is with_oracle(scenario)


def test_who_waits_for_anothers_answer_waits_no_longer_than_its_own_time():
    """READ_TIMEOUT at `by`, and the one who asked gets its answer all the same."""

    async def scenario(clock, oracle, kept):
        first = asyncio.create_task(kept.answer(100))
        await clock.sleep(0)
        began = clock.monotonic()
        with pytest.raises(Busy) as caught:
            await kept.answer(began + 1)
        return caught.value.reason, round(clock.monotonic() - began, 3), await first

    assert (Reason.READ_TIMEOUT, 1.0, 1) == with_oracle(scenario, takes_s=3.0)


def test_an_asker_that_hangs_up_leaves_the_question_to_the_next():
    """Cancelled while it asked: the one that waited behind it asks itself."""

    async def scenario(clock, oracle, kept):
        first = asyncio.create_task(kept.answer(100))
        second = asyncio.create_task(kept.answer(100))
        await clock.sleep(0.1)
        first.cancel()
        return await second

    assert 2 == with_oracle(scenario, takes_s=1.0)


# ---- the report ------------------------------------------------------------------------------------------------------


def lane(name, breaker="closed", until_ns=None, *, stopped=False):
    return LaneState("key-1", name, breaker, 0, until_ns, stopped)


@pytest.mark.parametrize(
    ("lanes", "end_ns"),
    [
        ((lane("cancel"), lane("trade"), lane("read")), None),
        ((lane("cancel", "open", 9), lane("trade", "open", 9), lane("read", "open", 9)), 9),
        ((lane("cancel"), lane("trade", "open", 9), lane("read", "open", 9)), None),
        ((lane("cancel", "open", stopped=True),), None),
        ((lane("cancel", "probing"),), None),
    ],
    ids=["all closed", "a lockout", "a throttle", "a stop", "after a lockout"],
)
def test_only_a_lockout_closes_the_lane_of_the_cancels_for_a_time(lanes, end_ns):
    """A throttle leaves cancels alone, a stop has no end."""
    assert end_ns == lockout_end_ns(lanes)


class Public:
    """Answers mode and clock, and counts how often."""

    def __init__(self):
        self.asked = []
        self.failure = None

    async def mode(self, by):
        self.asked.append("mode")
        if self.failure:
            raise self.failure
        return VenueMode.MAINTENANCE

    async def clock(self, by):
        self.asked.append("clock")
        return ClockReading(0.1, 0.5, 0.02)


class Bag:
    """Something that has what it is given."""

    def __init__(self, **facts):
        self.__dict__.update(facts)


class Shut:
    """A switch that notes what closed it."""

    def __init__(self):
        self.problems = ("halted",)
        self.closed_because = None

    def close(self, cause, fault):
        self.closed_because = (cause, fault)


def standing(name="main", lanes=(), rates=None, *, followed=None, untold=(), **more):
    return Standing(
        account=name,
        private=Bag(lanes=lambda: lanes, rates=rates or SetRates()),
        executions=Bag(state=FeedState.LIVE, mode=followed),
        funds=Bag(problems=untold),
        resolver=Bag(in_doubt=0),
        visibility=Bag(bound_s=3.0),
        switch=Shut(),
        **more,
    )


def of_accounts(*accounts, feeds):
    return Overview(
        about=Bag(), public=Public(), feeds=feeds, accounts={each.account: each for each in accounts}, clock=SimClock()
    )


def overview(feeds, *parts, **more):
    return of_accounts(standing("main", *parts, **more), feeds=feeds)


def feeds(mode=None, state=FeedState.LIVE, last_frame_ns=None):
    return Bag(mode=mode, public_state=state, last_frame_ns=last_frame_ns)


def reported(built, times=1, accounts=("main",)):
    async def main():
        for _ in range(times):
            report = await built.venue(100, accounts)
        return report

    return run_sim(main())


def of_main(built):
    return reported(built).accounts[0]


def test_looking_often_costs_two_public_calls():
    """Mode and clock are asked for once in a few seconds, however often GetVenueStatus is called."""
    built = overview(feeds())
    report = reported(built, times=50)
    assert (["mode", "clock"], VenueMode.MAINTENANCE, 0.02) == (
        built.public.asked,
        report.mode,
        report.clock.round_trip_s,
    )


def test_the_feeds_own_word_counts_while_it_is_live():
    """What the feed said of the exchange is newer than any answer, and costs nothing."""
    built = overview(feeds(VenueMode.POST_ONLY, FeedState.LIVE, last_frame_ns=5))
    assert (VenueMode.POST_ONLY, ["clock"]) == (reported(built).mode, built.public.asked)


@pytest.mark.parametrize(
    "silent",
    [
        feeds(VenueMode.POST_ONLY, FeedState.STALE, last_frame_ns=5),
        feeds(VenueMode.POST_ONLY, FeedState.LIVE, last_frame_ns=None),
        feeds(None, FeedState.LIVE, last_frame_ns=5),
    ],
    ids=["stale", "never heard of", "no mode yet"],
)
def test_a_feed_that_is_not_live_is_not_believed(silent):
    """The exchange itself is asked then."""
    built = overview(silent)
    assert (VenueMode.MAINTENANCE, ["mode", "clock"]) == (reported(built).mode, built.public.asked)


async def modes(followed):
    looked = overview(
        feeds(), (LaneState("key-1", "cancel", "closed", 0, None, stopped=False), TRADES), followed=followed
    )
    report = await looked.venue(10.0, ["main"])
    return report.mode, [lane.breaker for lane in report.accounts[0].lanes], looked.public.asked


TRADES = LaneState("key-1", "trade", "closed", 0, None, stopped=False)


@pytest.mark.parametrize(
    ("followed", "trade"),
    [
        (VenueMode.ONLINE, "closed"),
        (VenueMode.POST_ONLY, "closed"),
        (VenueMode.CANCEL_ONLY, "open"),
        (VenueMode.MAINTENANCE, "open"),
    ],
)
def test_the_private_streams_mode_counts_first_and_shuts_the_trade_lane(followed, trade):
    """It stands at all times, so nothing is asked; where no order is taken, the lane of orders reads open."""
    assert (followed, ["closed", trade], ["clock"]) == run_sim(modes(followed))


def test_what_is_wrong_with_the_counters_is_told_after_what_halts_trading():
    """An operator reads the worst first."""
    rates = SetRates()
    rates.problems = ("the tier is wrong",)
    assert ("halted", "the tier is wrong") == of_main(overview(feeds(), rates=rates)).problems


def test_what_the_stream_does_not_tell_of_the_funds_is_told_last():
    """It closes no lane and halts nothing."""
    built = overview(feeds(), untold=("balances are refused",))
    assert ("halted", "balances are refused") == of_main(built).problems


def test_a_lockouts_end_is_told_beside_its_lanes():
    """As of the lanes of the same report."""
    lanes = (lane("cancel", "open", 9), lane("trade", "open", 9))
    report = of_main(overview(feeds(), lanes))
    assert (9, lanes) == (report.locked_out_until_ns, report.lanes)


def test_silence_is_told_in_words_and_leaves_the_feeds_last_word():
    """What the exchange did not answer is the feed's last mode, with a problem."""
    built = overview(feeds(VenueMode.ONLINE, FeedState.STALE, last_frame_ns=5))
    built.public.failure = DOWN
    report = reported(built)
    assert (VenueMode.ONLINE, None, "the exchange did not answer: refused") == (
        report.mode,
        report.clock,
        report.accounts[0].problems[1],
    )


# ---- several accounts ------------------------------------------------------------------------------------------------

SERVING = {"phase": Phase.SERVING}


def test_accounts_are_told_by_name_and_only_those_that_were_asked_for():
    """Whoever may see some of them learns nothing of the others, nor of a name that is none."""
    built = of_accounts(standing("c"), standing("a"), standing("b"), feeds=feeds())
    assert ["a", "c"] == [each.account for each in reported(built, accounts=("c", "a", "z")).accounts]


def test_what_is_wrong_with_the_exchange_is_told_with_each_account():
    """A reader of one account's row sees it too, after what halts that account."""
    built = of_accounts(standing("a"), standing("b"), feeds=feeds())
    built.public.failure = DOWN
    problems = [each.problems for each in reported(built, accounts=("a", "b")).accounts]
    assert [("halted", "the exchange did not answer: refused")] * 2 == problems


def test_the_mode_that_any_private_stream_tells_is_the_exchanges():
    """An account whose own stream is silent does not make the mode unknown."""
    built = of_accounts(standing("a"), standing("b", followed=VenueMode.POST_ONLY), feeds=feeds())
    assert (VenueMode.POST_ONLY, ["clock"]) == (reported(built).mode, built.public.asked)


def test_the_service_is_as_far_as_its_slowest_account():
    """It serves orders only when every account does."""
    one, other = standing("a", **SERVING), standing("b")
    built = of_accounts(one, other, feeds=feeds())
    found = []
    for phase in (Phase.STARTING, Phase.RECONCILING, Phase.SERVING):
        other.phase = phase
        found.append((built.phase, built.trading_ready))
    assert [(Phase.STARTING, False), (Phase.RECONCILING, False), (Phase.SERVING, True)] == found


def test_a_problem_of_one_account_keeps_orders_from_being_called_served():
    """The probe is one for all: it must not call well what is not."""
    one, other = standing("a", **SERVING), standing("b", **SERVING)
    built = of_accounts(one, other, feeds=feeds())
    before = built.trading_ready
    other.problems.append("the key is refused")
    assert (True, False) == (before, built.trading_ready)


def test_the_drain_closes_every_account():
    """And is never left again, whatever an account's opening still does."""
    one, other = standing("a", **SERVING), standing("b")
    built = of_accounts(one, other, feeds=feeds())
    built.drain(DOWN.fault)
    other.phase = Phase.SERVING
    shut = [each.switch.closed_because for each in (one, other)]
    assert ([("drain", DOWN.fault)] * 2, Phase.DRAINING, False) == (shut, built.phase, built.trading_ready)
