"""What one key and its pairs count of cancels, and what Kraken's own words on its counters lead to."""

import asyncio
from contextlib import suppress
from decimal import Decimal

import pytest
from kraken_parts import PLACED, TXID, an_order, failing, live, sending
from rate_parts import spend

from execsvc.domain.errors import Busy, Declined, Fault, Reason
from execsvc.kraken.counters import LATE_COUNT_S
from execsvc.kraken.lanequeue import RESERVE
from execsvc.ports import Reply
from tests.support.net import answer

D = Decimal


# ---- what Kraken says of its counters -------------------------------------------------------------------------------


def test_krakens_word_that_the_trading_counter_is_full_fills_it():
    """The next placement is told to wait, and nothing else of the key is blocked."""

    async def act(side, clock):
        outcome = await sending(side, an_order(clock), clock.monotonic() + 5)
        with pytest.raises(Busy) as refusal:
            await side.rates.room("BTC/USD", "me", clock.monotonic())
        return outcome.fault.reason, refusal.value.fault.retry_after_s, {each.breaker for each in side.lanes()}

    reason, wait_s, breakers = live(failing("EOrder:Rate limit exceeded"), act, tier="starter")[0]
    assert (Reason.VENUE_RATE_LIMITED, {"closed"}) == (reason, breakers)
    assert wait_s == 5.0  # from 61 to 56, so that one more makes 57


@pytest.mark.parametrize(
    ("text", "breakers"),
    [
        ("EAPI:Rate limit exceeded", {"cancel": "closed", "trade": "closed", "read": "open"}),
        ("EService:Throttled", {"cancel": "closed", "trade": "open", "read": "open"}),
    ],
)
def test_krakens_wish_for_fewer_calls_is_obeyed_by_all_but_cancels(text, breakers):
    """A full counter closes the lane of the call that met it and the reads, a throttle all but cancels."""

    async def act(side, clock):
        with pytest.raises(Busy):
            await side.balances(clock.monotonic() + 1)
        return {each.lane: each.breaker for each in side.lanes()}, side.rates.rest.headroom(clock.monotonic())

    (states, headroom), _ = live(failing(text), act, tier="starter")
    assert breakers == states
    assert (headroom == 0) == (text == "EAPI:Rate limit exceeded")


def test_a_full_counter_that_a_placement_meets_closes_the_trades_too():
    """For the wait that Kraken wants, to the second; cancels pass."""

    async def act(side, clock):
        await sending(side, an_order(clock), clock.monotonic() + 5)
        closed = {each.lane: each.breaker for each in side.lanes()}
        with pytest.raises(Busy) as refusal:
            await side.rates.room("BTC/USD", "me", clock.monotonic() + 4.9)
        await side.rates.room("BTC/USD", "me", clock.monotonic() + 5.1)
        return closed, refusal.value.fault.retry_after_s

    (closed, wait_s), _ = live(failing("EAPI:Rate limit exceeded"), act, tier="starter")
    assert ({"cancel": "closed", "trade": "open", "read": "open"}, 5.0) == (closed, wait_s)


def test_a_full_counter_that_a_cancel_meets_closes_no_cancels():
    """They are repeated by themselves, each after Kraken's wait."""

    async def act(side, clock):
        with pytest.raises(Busy):
            await side.cancel(TXID, "", clock.monotonic() + 12.0, symbol="BTC/USD")
        return {each.lane: each.breaker for each in side.lanes()}

    states, http = live(failing("EAPI:Rate limit exceeded"), act, tier="starter")
    assert {"cancel": "closed", "trade": "closed", "read": "open"} == states
    assert [0.0, 5.0, 10.0] == [sent.at for sent in http.sent]


# ---- cancels --------------------------------------------------------------------------------------------------------


def cancelled(script, *, age_s=0.0, symbol="BTC/USD", after_s=0.0):
    """Points of BTC/USD and ETH/USD so long after a cancel of an order of that age."""

    async def act(side, clock):
        side.rates.pair("ETH/USD")
        side.rates.seen("BTC/USD", TXID, is_open=True)
        await clock.sleep(age_s)
        with suppress(Busy, Declined):
            await side.cancel(TXID, "", clock.monotonic() + 1.0, symbol=symbol)
        await clock.sleep(after_s)
        now = clock.monotonic()
        return [side.rates.pair(each).counter.level(now) for each in ("BTC/USD", "ETH/USD")]

    return live(script, act, tier="starter")[0]


TAKEN = answer({"count": 1})


def test_a_cancel_is_charged_to_the_pair_by_the_orders_age():
    """Ninety seconds old: a point."""
    assert [D(1), D(0)] == cancelled(lambda _: TAKEN, age_s=90.0)


def test_a_cancel_of_unknown_pair_is_charged_to_every_used_pair():
    """In the one that knows the order by its age, in the others at the dearest."""
    assert [D(1), D(8)] == cancelled(lambda _: TAKEN, age_s=90.0, symbol="")


@pytest.mark.parametrize("reply", [TAKEN, answer(None, "EOrder:Unknown order"), answer(None, "EAPI:Invalid key")])
def test_a_cancel_that_was_answered_sinks(reply):
    """Whatever the answer is."""
    assert [D(6), D(0)] == cancelled(lambda _: reply, after_s=2.0)


def test_a_cancel_without_an_answer_is_held_while_it_may_arrive():
    """Repeated inside, charged once."""

    async def lost(_):
        await asyncio.sleep(0.4)
        return Reply(502, {}, b"")

    assert [D(8), D(0)] == cancelled(lost, after_s=LATE_COUNT_S - 2.0)


# ---- the account ----------------------------------------------------------------------------------------------------


def test_a_start_counts_on_from_what_earlier_lives_used():
    """As the port has it: past orders and whether looks ran."""

    async def act(side, clock):
        side.resume((), looks_ran=True)
        ran = side.rates.rest.level(clock.monotonic())
        side.resume(None, looks_ran=False)
        return ran, side.rates.rest.level(clock.monotonic())

    assert live(lambda _: PLACED, act, tier="starter")[0] == (D(15), D(0))


def test_the_same_read_asked_twice_at_one_time_is_one_call():
    """Balances, and fills of the same question."""

    async def slow(sent):
        await asyncio.sleep(0.1)
        return answer({})

    async def act(side, clock):
        return await asyncio.gather(*(side.balances(5.0, caller=caller) for caller in ("a", "b", "c")))

    balances, http = live(slow, act, tier="starter")
    assert ([(), (), ()], 1) == (balances, len(http.sent))


def test_a_query_that_resolves_may_use_what_reads_leave():
    """What a broken link hid is asked for while reads have used all that they may."""

    async def act(side, clock):
        rest = side.rates.rest
        spend(rest, rest.headroom(0.0, RESERVE), 0.0)
        with pytest.raises(Busy) as refusal:
            await side.query(("O1",), 0.5, caller="me")
        await side.query(("O1",), 0.5, resolving=True)
        return refusal.value.reason

    reason, http = live(lambda _: answer({}), act, tier="starter")
    assert (Reason.LOCAL_RATE_LIMITED, 1) == (reason, len(http.sent))


# ---- barriers -------------------------------------------------------------------------------------------------------


def accepted_after(script, since):
    """What the key knows after one call that left at 1 s: when a nonce taken after `since` was proved accepted."""

    async def scenario(side, clock):
        await clock.sleep(1.0)
        with suppress(Busy, Declined):
            await side.balances(clock.monotonic() + 0.9)
        return side.accepted_after(since)

    return live(script, scenario)[0]


async def in_half_a_second(_):
    await asyncio.sleep(0.5)
    return answer({})


@pytest.mark.parametrize(("since", "proved_at"), [(0.0, 1.5), (1.0, 1.5), (1.1, None)])
def test_an_answered_call_proves_that_its_nonce_was_accepted(since, proved_at):
    """From when it left on: what was signed before can no longer get in."""
    assert proved_at == accepted_after(in_half_a_second, since)


def test_before_any_answer_nothing_is_proved():
    """No call, no proof."""

    async def nothing(side, clock):
        return side.accepted_after(0.0)

    assert live(in_half_a_second, nothing)[0] is None


@pytest.mark.parametrize(
    "reply", [Reply(502, {}, b""), answer(None, "EAPI:Invalid nonce"), answer(None, "EGeneral:Permission denied")]
)
def test_only_a_result_proves_it(reply):
    """An error may have been said before the nonce was looked at."""
    assert accepted_after(lambda _: reply, 0.0) is None


def test_a_placements_answer_proves_it_too():
    """Any signed call does."""

    async def act(side, clock):
        await sending(side, an_order(clock), clock.monotonic() + 5)
        return side.accepted_after(0.0)

    assert live(lambda _: PLACED, act)[0] == 0.0


def test_an_older_calls_late_answer_does_not_take_the_proof_back():
    """Two are out, the first one overtaken: the second one's moment stays."""

    async def script(sent):
        await asyncio.sleep(6.0 if sent.path.endswith("BalanceEx") else 0.1)
        return answer({})

    async def act(side, clock):
        slow = asyncio.ensure_future(side.balances(clock.monotonic() + 9.0))
        await clock.sleep(0.1)
        await side.query(("O1",), clock.monotonic() + 5)
        before = side.accepted_after(0.0)
        await slow
        return round(before, 2), round(side.accepted_after(0.0), 2), side.accepted_after(2.1)

    assert live(script, act)[0] == (2.1, 2.1, None)


def test_a_cancel_that_never_left_costs_nothing():
    """The key is locked out: the lane refuses, no request goes, no point is held for one that may still be counted."""

    async def act(side, clock):
        side.rates.pair("BTC/USD").seen_open(TXID, clock.monotonic())
        side._lane.block(900.0, Fault(Reason.VENUE_LOCKED_OUT, "locked out"))
        with pytest.raises(Busy):
            await side.cancel(TXID, "", clock.monotonic() + 1.0, symbol="BTC/USD")
        return side.rates.pair("BTC/USD").counter.level(clock.monotonic())

    level, http = live(lambda _: TAKEN, act)
    assert (D(0), []) == (level, http.calls("CancelOrder"))
