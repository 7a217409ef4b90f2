"""Room and what became of the send: every road of a placement through the adapter gives it back or counts it."""

import asyncio
from decimal import Decimal

import pytest
from kraken_parts import PLACED, TXID, an_order, failing, live, raising, sending

from execsvc.domain.errors import Broken, Busy, Fault, Reason
from execsvc.kraken.lane import LATE_COUNT_S
from execsvc.kraken.pairs import SEEN_BY_S
from execsvc.ports import Accepted, NotSentError, RefusedByVenue, Reply, Unknown, Unsent
from tests.support.net import answer
from tests.support.venue import BTC_USD, FreeRoom

D = Decimal
STALE = Fault(Reason.NOT_OWNER, "stood still")
LATE = Fault(Reason.CLOCK_UNTRUSTED, "the clock was set")


def state(side, clock):
    """The pair's points and open orders now."""
    pair = side.rates.pair("BTC/USD")
    now = clock.monotonic()
    return pair.counter.level(now), pair.open_orders(now)


def after_placing(script, *, after_s=0.5, entry_s=5.0, tier="starter", **parts):
    """What became of a placement, and the pair's points and open orders so long after that."""

    async def act(side, clock):
        outcome = await sending(side, an_order(clock, entry_s=entry_s), clock.monotonic() + entry_s, **parts)
        await clock.sleep(after_s)
        return outcome, state(side, clock)

    return live(script, act, tier=tier)[0]


def test_an_accepted_order_is_counted_and_open():
    """Its point sinks from the answer on."""
    assert (Accepted(TXID), (D("0.5"), 1)) == after_placing(lambda _: PLACED)


def test_a_refused_order_is_counted_and_not_open():
    """What Kraken received it has counted."""
    outcome, left = after_placing(failing("EOrder:Insufficient funds"))
    assert (RefusedByVenue, (D("0.5"), 0)) == (type(outcome), left)


def test_an_order_for_which_no_connection_came_about_costs_nothing():
    """No byte left."""
    outcome, left = after_placing(raising(NotSentError("refused")))
    assert (Unsent, (D(0), 0)) == (type(outcome), left)


@pytest.mark.parametrize("fault", [STALE, LATE])
def test_an_order_that_was_forbidden_costs_nothing(fault):
    """The last word before the bytes leave was no."""
    outcome, left = after_placing(lambda _: PLACED, forbidden=lambda: fault)
    assert (Unsent, fault.reason, (D(0), 0)) == (type(outcome), outcome.fault.reason, left)


def test_an_order_that_came_too_late_costs_nothing():
    """Less than Kraken's least was left."""
    outcome, left = after_placing(lambda _: PLACED, entry_s=1.9)
    assert (Reason.DEADLINE_TOO_SHORT, (D(0), 0)) == (outcome.fault.reason, left)


def test_an_order_whose_turn_came_too_late_costs_nothing():
    """It waited in the lane behind a slow one, and had not the time."""

    async def slow(_):
        await asyncio.sleep(1.5)
        return PLACED

    async def act(side, clock):
        first = asyncio.ensure_future(sending(side, an_order(clock, "a"), clock.monotonic() + 5))
        await asyncio.sleep(0)
        late = await sending(side, an_order(clock, "b", entry_s=3.0), clock.monotonic() + 3)
        left = state(side, clock)
        await first
        return late.fault.reason, left

    assert live(slow, act, tier="starter")[0] == (Reason.DEADLINE_TOO_SHORT, (D(1), 1))  # the first one's alone


def test_an_order_for_which_no_nonce_could_be_had_costs_nothing():
    """The store fails: nothing was signed."""

    async def act(side, clock):
        side._nonces._blocks.outage = Busy(Fault(Reason.STORE_UNAVAILABLE, "disk full"))
        outcome = await sending(side, an_order(clock), clock.monotonic() + 5)
        return outcome.fault.reason, state(side, clock)

    assert live(lambda _: PLACED, act, tier="starter")[0] == (Reason.STORE_UNAVAILABLE, (D(0), 0))


def test_an_order_while_krakens_clock_is_unknown_costs_nothing():
    """No deadline can be named, so nothing is sent."""

    def script(sent):
        return answer(None, "EService:Unavailable") if sent.path.endswith("Time") else PLACED

    async def act(side, clock):
        outcome = await sending(side, an_order(clock), clock.monotonic() + 5)
        return outcome.fault.reason, state(side, clock)

    assert live(script, act, tier="starter", known_time=False)[0] == (Reason.CLOCK_UNTRUSTED, (D(0), 0))


def test_room_is_given_back_when_a_rule_of_ours_breaks():
    """Whatever is raised on the way out."""

    async def act(side, clock):
        await side.balances(clock.monotonic() + 5)
        side._nonces._last = 2**64
        with pytest.raises(Broken):
            await sending(side, an_order(clock), clock.monotonic() + 5)
        return state(side, clock)

    assert live(lambda _: answer({}), act, tier="starter")[0] == (D(0), 0)


def test_an_order_with_room_of_another_house_is_not_sent():
    """Nothing leaves that is not counted here; the room is given back."""
    room = FreeRoom()

    async def act(side, clock):
        with pytest.raises(Broken):
            await side.place(
                an_order(clock), BTC_USD, clock.monotonic() + 5, room=room, forbidden=lambda: None, note=lambda _: None
            )

    _, http = live(lambda _: PLACED, act)
    assert ([], 1) == (http.sent, room.released)


# ---- doubts ---------------------------------------------------------------------------------------------------------


def test_an_ambiguous_answer_holds_the_point_while_the_request_may_be_counted():
    """Entry deadline and a late request both allowed for."""
    script = failing("EGeneral:Internal error")
    outcome, left = after_placing(script, after_s=LATE_COUNT_S - 0.5)
    assert (Unknown, (D(1), 1)) == (type(outcome), left)


def test_a_doubt_ends_when_nothing_of_it_can_come_any_more():
    """Its point has sunk, and the order has been seen open or is none."""
    _, left = after_placing(failing("EGeneral:Internal error"), after_s=5.0 + LATE_COUNT_S + SEEN_BY_S + 1.0)
    assert (D(0), 0) == left


def answered_after(seconds, reply):
    async def script(_):
        await asyncio.sleep(seconds)
        return reply

    return script


def after_late_answer(reply):
    """The pair at the end of the patience, and half a second after the answer that came at the fifth second."""

    async def act(side, clock):
        outcome = await sending(side, an_order(clock), clock.monotonic() + 5)
        doubted = state(side, clock)
        late = await outcome.late
        await clock.sleep(0.5)
        return doubted, type(late), state(side, clock)

    return live(answered_after(5.0, reply), act, tier="starter")[0]


def test_a_late_acceptance_lands_the_point_before_its_deadline():
    """Kraken has counted by then, and the order stands."""
    assert ((D(1), 1), Accepted, (D("0.5"), 1)) == after_late_answer(PLACED)


def test_a_late_refusal_lands_the_point_before_its_deadline():
    """And there is no order."""
    assert ((D(1), 1), RefusedByVenue, (D("0.5"), 0)) == after_late_answer(answer(None, "EOrder:Insufficient funds"))


def test_a_late_answer_that_says_nothing_leaves_the_doubt():
    """Held as before."""
    assert ((D(1), 1), Unknown, (D(1), 1)) == after_late_answer(Reply(502, {}, b"<html>"))


# ---- cancels that go before it --------------------------------------------------------------------------------------


def behind_a_cancel(*, used, entry_s=10.0, cancels=1):
    """A placement of which the room was used by cancels before its turn came: its outcome, the pair then, and the calls."""

    def script(sent):
        return PLACED if sent.path.endswith("AddOrder") else answer({"count": 1})

    async def act(side, clock):
        counter = side.rates.pair("BTC/USD").counter
        counter.land(counter.hold(D(used), 0.0), 0.0, 0.0)
        by = clock.monotonic() + entry_s
        room = await side.rates.room("BTC/USD", "me", 0.0)
        for number in range(cancels):
            await side.cancel(f"O{number}", "", by, symbol="BTC/USD")
        outcome = await side.place(
            an_order(clock, entry_s=entry_s), BTC_USD, by, room=room, forbidden=lambda: None, note=lambda _: None
        )
        return outcome, clock.monotonic(), state(side, clock)

    result, http = live(script, act, tier="starter")
    return *result, [round(sent.at, 3) for sent in http.calls("AddOrder")]


def test_an_order_whose_room_cancels_have_used_waits_for_room_again():
    """Nothing holds cancels back; the order leaves when its own point fits, and not before."""
    outcome, _, _, sent = behind_a_cancel(used=54)
    assert (Accepted(TXID), [6.0]) == (outcome, sent)


def test_an_order_that_has_not_the_time_to_wait_for_room_again_is_not_sent():
    """The exact wait is told at once, the id stays free, the room is given back."""
    outcome, at, (level, open_orders), sent = behind_a_cancel(used=54, entry_s=5.0)
    assert (Unsent, Reason.LOCAL_RATE_LIMITED, 6.0, "false") == (
        type(outcome),
        outcome.fault.reason,
        outcome.fault.retry_after_s,
        outcome.fault.metadata["id_used"],
    )
    assert (0.0, D(62), 0, []) == (at, level, open_orders, sent)


def test_an_order_that_cancels_leave_room_for_goes_at_once():
    """Eight points more still fit."""
    outcome, _, _, sent = behind_a_cancel(used=48)
    assert (Accepted(TXID), [0.0]) == (outcome, sent)


def test_an_order_that_cancels_overtake_again_and_again_is_not_put_off_for_ever():
    """After some turns it is told, with a wait; a steady stream of cancels is somebody's wish."""

    async def act(side, clock):
        counter = side.rates.pair("BTC/USD").counter
        counter.land(counter.hold(D(56), 0.0), 0.0, 0.0)
        room = await side.rates.room("BTC/USD", "me", 0.0)
        sleep = clock.sleep

        async def sleep_and_meet_a_cancel(seconds):
            await sleep(seconds)
            counter.land(counter.hold(D(1), clock.monotonic()), clock.monotonic(), clock.monotonic())

        counter.land(counter.hold(D(1), 0.0), 0.0, 0.0)
        clock.sleep = sleep_and_meet_a_cancel
        outcome = await side.place(
            an_order(clock, entry_s=60.0), BTC_USD, 60.0, room=room, forbidden=lambda: None, note=lambda _: None
        )
        return outcome, state(side, clock)[1], clock.monotonic()

    (outcome, open_orders, at), http = live(lambda _: PLACED, act, tier="starter")
    assert (Reason.LOCAL_RATE_LIMITED, 0, []) == (outcome.fault.reason, open_orders, http.sent)
    assert at < 20.0


# ---- the stream and the answer --------------------------------------------------------------------------------------


def test_an_order_that_ended_before_its_answer_was_read_is_not_open():
    """An IOC order: the stream tells its end while the answer is on its way."""

    async def act(side, clock):
        placing = asyncio.ensure_future(sending(side, an_order(clock), clock.monotonic() + 5))
        await clock.sleep(0.5)
        side.rates.seen("BTC/USD", TXID, is_open=True)
        side.rates.seen("BTC/USD", TXID, is_open=False)
        return await placing, state(side, clock)

    assert live(answered_after(1.0, PLACED), act, tier="starter")[0] == (Accepted(TXID), (D(1), 0))
