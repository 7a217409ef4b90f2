"""Amends through random answers, losses, restarts, other people's changes and slow lists: never twice, never told wrong.

The exchange is the scripted one with its own log of what took effect; the house is the real one, in virtual time, over a disk
that outlives its lives. What may be told of a request is judged from that log alone. Beside it the table of an amend's moves.
"""

import asyncio
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from execsvc.domain.amend import (
    AmendDoubted,
    AmendIntent,
    AmendKey,
    AmendNeverSent,
    AmendRefused,
    AmendStatus,
    Applied,
    ProvedNotApplied,
    submitted,
)
from execsvc.domain.errors import Broken, ExecsvcError, Fault, Reason, refuse
from execsvc.domain.ids import OrderRef
from execsvc.domain.order import submitted as order_of
from tests.support.amends import AmendFate, AmendWorld, ScriptedAmends, wish_of
from tests.support.simloop import SimClock, SimLoop, SimTasks
from tests.support.venue import ScriptedVenue
from tests.support.world import ME, new_disk
from tests.unit.store.samples import intent_of

REQUESTS = [f"r-{number}" for number in range(6)]
PRICES = ["59000", "58000", "57000"]
FUNDS = Fault(Reason.INSUFFICIENT_FUNDS, "too little", {"asset": "USD"})
UNSENT = Fault(Reason.VENUE_UNREACHABLE, "no connection")
arrivals = st.sampled_from([None, 0.01, 1.0, 3.0, 4.9])
fates = st.one_of(
    st.builds(AmendFate, arrives_s=arrivals, answers_s=st.sampled_from([None, 3.5, 12.0, 25.0])),
    st.just(AmendFate()),
    st.just(AmendFate(refusal=FUNDS)),
    st.just(AmendFate(refusal=FUNDS, answers_s=4.0)),
    st.just(AmendFate(unsent=UNSENT)),
)


@dataclass
class Told:
    """What one caller was told of one request."""

    request_id: str
    wish: object
    applied: bool | None = None
    fault: Fault | None = None
    took_effect: bool = False  # by the exchange's log, at that moment


class AmendMachine(RuleBasedStateMachine):
    """At most one effect per request; what is told is so; in the end nothing is in doubt and the order is as it stands."""

    @initialize(lag_s=st.sampled_from([0.0, 2.9]))
    def begin(self, lag_s):
        self.runner = asyncio.Runner(loop_factory=SimLoop)
        self.disk, self.clock = new_disk(), SimClock()
        self.venue = ScriptedVenue(self.clock, SimTasks())
        self.exchange = self.venue.amends = ScriptedAmends(self.venue, self.clock, self.venue._tasks, lag_s=lag_s)
        self.told = []
        self.run(self.live())
        self.order = self.run(self.here.place("c-1")).order

    def run(self, work):
        return self.runner.run(work)

    async def live(self):
        self.here = await AmendWorld(self.disk, venue=self.venue, clock=self.clock).start()

    # ---- what happens ---------------------------------------------------------------------------------------------

    @rule(
        request_id=st.sampled_from(REQUESTS),
        price=st.sampled_from(PRICES),
        fate=fates,
        timeout_s=st.sampled_from([2.5, 4.0, 10.0, 20.0]),
        wait_s=st.sampled_from([0.0, 0.05, 1.5, 25.0]),
    )
    def somebody_amends(self, request_id, price, fate, timeout_s, wait_s):
        """A caller asks, perhaps while another still waits; the fate is that of the next amend which leaves."""

        async def ask():
            self.here.tasks.start("a caller", self.asked(request_id, wish_of(limit_price=price), timeout_s))
            await self.clock.sleep(wait_s)

        self.exchange.plan.clear()
        self.exchange.plan.append(fate)
        self.run(ask())

    async def asked(self, request_id, wish, timeout_s):
        told = Told(request_id, wish)
        try:
            price = format(wish.limit_price, "f")
            answer = await self.here.amend(request_id, limit_price=price, timeout_s=timeout_s)
            told.applied = answer.applied
        except ExecsvcError as refusal:
            told.fault = refusal.fault
        told.took_effect = request_id in self.exchange.applied
        self.told.append(told)

    def states(self):
        return [state for _, state in self.exchange.shown.get(self.order.venue_order_id, [])]

    @rule(seconds=st.sampled_from([0.1, 1.0, 4.0, 15.0]))
    def time_passes(self, seconds):
        self.run(self.clock.sleep(seconds))

    @rule()
    def the_process_dies(self):
        self.run(self.here.kill())
        self.run(self.live())

    @rule(price=st.sampled_from(PRICES))
    def a_person_amends(self, price):
        self.run(self.later(lambda: self.exchange.change(self.order, wish_of(limit_price=price))))

    @rule()
    def the_stream_tells(self):
        self.run(self.here.stream_tells(self.run(self.now_known())))

    @rule(count=st.integers(1, 4))
    def looks_fail(self, count):
        self.exchange.look_refusals.extend([refuse(Reason.VENUE_UNREACHABLE, "the look failed")] * count)

    async def later(self, act):
        act()

    async def now_known(self):
        return await self.here.store.get(self.order.key)

    # ---- what must hold -------------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_sent_or_takes_effect_twice(self):
        for log in (self.exchange.sends, self.exchange.applied):
            assert len(log) == len(set(log)), log

    @invariant()
    def what_was_told_is_so(self):
        while self.told:
            told = self.told.pop()
            if told.fault is None:
                assert not told.applied or self.may_be_called_applied(told)
                continue
            if told.fault.reason in {Reason.CLIENT_ORDER_ID_REUSED, Reason.ORDER_IN_DOUBT, Reason.DEADLINE_TOO_SHORT}:
                continue
            assert "id_used" in told.fault.metadata
            assert not told.took_effect, told

    def may_be_called_applied(self, told):
        """It took effect, or the order stood so in the meantime, whoever made it so."""
        stood = any(state.fulfils(told.wish) for state in self.states())
        return told.request_id in self.exchange.applied or stood

    @invariant()
    def no_failure_goes_unheard(self):
        assert [] == self.here.tasks.failures

    def teardown(self):
        if not hasattr(self, "here"):
            return
        try:
            self.run(self.end())
        finally:
            self.run(self.here.kill())
            self.run(self.venue._tasks.close())
            self.runner.close()

    async def end(self):
        """Left alone, everything is settled, and the journal knows the order as it stands."""
        await self.clock.sleep(60)
        self.exchange.plan.clear()
        self.what_was_told_is_so()
        self.nothing_is_sent_or_takes_effect_twice()
        assert 0 == self.here.amends.doubts.in_doubt
        known = await self.here.store.amends.of(self.order.key)
        for amend in known:
            took_effect = amend.key.request_id in self.exchange.applied
            assert amend.is_settled
            if amend.status is not AmendStatus.APPLIED:
                assert not took_effect, amend
        order = await self.here.stream_tells(await self.now_known())
        assert self.exchange.specs.get(order.venue_order_id, order.spec) == order.spec
        answer = await self.here.amend("at the end", limit_price="56000")
        assert (True, Decimal(56000)) == (answer.applied, answer.order.spec.limit_price)
        found = await self.here.desk.get(ME, OrderRef(client_order_id="c-1"))
        assert answer.order == found


TestAmendMachine = AmendMachine.TestCase
TestAmendMachine.settings = settings(stateful_step_count=14, max_examples=40, deadline=None)


# ---- the table of moves -------------------------------------------------------------------------------------------

# "." stays as it is, "!" is refused as a defect of ours.
MOVES = """
               SUBMITTED    IN_DOUBT     APPLIED  REFUSED  NOT_APPLIED  NEVER_SENT
applied        APPLIED      APPLIED      .        !        !            !
refused        REFUSED      REFUSED      !        .        !            !
doubted        IN_DOUBT     .            .        .        .            .
proved_absent  NOT_APPLIED  NOT_APPLIED  !        !        .            !
never_sent     NEVER_SENT   NOT_APPLIED  !        !        !            .
"""
FAULT = Fault(Reason.VENUE_ERROR, "why ever")
EVENTS = {
    "applied": Applied("T1"),
    "refused": AmendRefused(FAULT),
    "doubted": AmendDoubted("late"),
    "proved_absent": ProvedNotApplied(FAULT),
    "never_sent": AmendNeverSent(FAULT),
}


def moves():
    head, *rows = [line.split() for line in MOVES.strip().splitlines()]
    return {name: dict(zip(head, row, strict=True)) for name, *row in rows}


def fresh_amend():
    intent = AmendIntent(AmendKey(intent_of().key, "r-1"), wish_of(limit_price="1"), 9, "")
    return submitted(intent, order_of(intent_of(), 1), 2), intent


@given(events=st.lists(st.sampled_from([*EVENTS, "again"]), max_size=8))
def test_an_amend_moves_as_the_table_says(events):
    """Every sequence of events: the listed moves are made, all others refused, and a repeat is no news."""
    amend, intent = fresh_amend()
    table = moves()
    for now, name in enumerate(events, 3):
        state = amend.status.name
        if name == "again":
            if state == "NEVER_SENT":
                amend = amend.resubmitted(intent, now)
                assert (AmendStatus.SUBMITTED, None) == (amend.status, amend.end_fault)
            else:
                with pytest.raises(Broken):
                    amend.resubmitted(intent, now)
            continue
        expected = table[name][state]
        if expected == "!":
            with pytest.raises(Broken):
                amend.apply(EVENTS[name], now)
            continue
        after = amend.apply(EVENTS[name], now)
        assert (state if expected == "." else expected) == after.status.name
        assert (after is amend) is (expected == ".")
        amend = after
