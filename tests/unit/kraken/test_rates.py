"""The counters of one account and key: what is told of them, when calls may go, and what is learnt from Kraken."""

from decimal import Decimal

import pytest
from rate_parts import spend, with_rates

from execsvc.domain.errors import Busy, Declined, Fault, Reason
from execsvc.kraken.breaker import LANES, READ
from execsvc.kraken.lanequeue import RESERVE
from execsvc.ports import CounterKind

D = Decimal
PAIR = "BTC/USD"
LOCKED = Fault(Reason.VENUE_LOCKED_OUT, "locked out")


# ---- room -----------------------------------------------------------------------------------------------------------


def test_a_closed_lane_refuses_room_with_its_reason_and_wait():
    """What could not be sent is not begun."""

    async def scenario(rig):
        rig.breaker.open(LANES, 900.0, 900, LOCKED)
        with pytest.raises(Busy) as refusal:
            await rig.rates.room(PAIR, "me", 10.0)
        return refusal.value.fault

    fault = with_rates(scenario)
    assert (Reason.VENUE_LOCKED_OUT, 900.0) == (fault.reason, fault.retry_after_s)
    assert "locked out: nothing was sent" == fault.message


def test_a_block_that_ends_in_time_does_not_refuse_room():
    """Whoever has the time waits for it in the lane."""

    async def scenario(rig):
        rig.breaker.open(LANES, 5.0, 5, LOCKED)
        await rig.rates.room(PAIR, "me", 6.0)
        return rig.level()

    assert with_rates(scenario) == D(1)


def test_a_stopped_key_has_no_room_ever():
    """No time heals it."""

    async def scenario(rig):
        rig.breaker.stop(Fault(Reason.VENUE_CREDENTIALS_REJECTED, "bad key"))
        with pytest.raises(Declined) as refusal:
            await rig.rates.room(PAIR, "me", 1e9)
        return refusal.value.reason, rig.level()

    assert with_rates(scenario) == (Reason.VENUE_CREDENTIALS_REJECTED, D(0))


def test_pairs_do_not_share_a_counter():
    """Kraken counts by pair: one that is full leaves the others alone."""

    async def scenario(rig):
        rig.use(D(57))
        await rig.rates.room("ETH/USD", "me", 0.0)
        with pytest.raises(Busy):
            await rig.rates.room(PAIR, "me", 0.0)
        return rig.level("ETH/USD"), rig.level()

    assert with_rates(scenario) == (D(1), D(57))


# ---- what is told ---------------------------------------------------------------------------------------------------


def test_the_keys_counter_is_told_first_with_its_reserve():
    """Level, maximum, decay, and what reads may use of it."""

    def scenario(rig):
        spend(rig.rest, D(2), 0.0)
        return rig.rates.counters(())

    (state,) = with_rates(scenario)
    assert (CounterKind.REST_KEY, "key-1", D(2), D(15), D("0.33")) == (
        state.kind,
        state.name,
        state.level,
        state.maximum,
        state.decay_per_s,
    )
    assert (D("5.34"), RESERVE, None) == (state.headroom, state.reserve, state.venue_level)


def test_pairs_are_told_as_asked_or_all_that_were_used():
    """By name; a pair that is asked for and was never used is empty."""

    def scenario(rig):
        rig.pair("ETH/USD"), rig.pair(PAIR)
        return rig.rates.counters(()), rig.rates.counters(("SOL/USD",))

    used, asked = with_rates(scenario)
    assert ["key-1", PAIR, "ETH/USD"] == [state.name for state in used]
    assert [("key-1", D(0)), ("SOL/USD", D(0))] == [(state.name, state.level) for state in asked]


def test_a_pair_tells_its_orders_and_krakens_own_word():
    """Open ones and how many may be, and what Kraken last said of the level."""

    def scenario(rig):
        rig.rates.seen(PAIR, "O1", is_open=True)
        rig.rates.told(PAIR, D("3.5"))
        return rig.rates.counters((PAIR,))[1]

    state = with_rates(scenario)
    assert (1, 60, D("3.5"), D("3.5"), D("53.5")) == (
        state.open_orders,
        state.max_open_orders,
        state.venue_level,
        state.level,
        state.headroom,
    )


def test_a_blocked_lane_is_told_with_its_end():
    """Reads and trades each by their own."""

    def scenario(rig):
        rig.pair()
        rig.breaker.open({READ}, 10.0, 77, LOCKED)
        return [state.blocked_until_ns for state in rig.rates.counters(())]

    assert with_rates(scenario) == [77, None]


def test_the_price_of_a_placement_is_one_point():
    """As of the table of costs."""
    assert with_rates(lambda rig: rig.rates.place_cost()) == D(1)


def test_the_price_of_a_call_may_be_known_better():
    """An operator's figure goes before the table's."""

    def scenario(rig):
        return [rig.rates.rest_cost(name) for name in ("ClosedOrders", "Balance", "TradesHistory")]

    assert with_rates(scenario, rest_costs={"ClosedOrders": 1}) == [D(1), D(1), D(2)]


# ---- cancels --------------------------------------------------------------------------------------------------------


def test_a_cancel_is_charged_to_its_pair():
    """And to no other."""

    def scenario(rig):
        rig.pair("ETH/USD")
        rig.rates.cancelling(PAIR, "O1")
        return rig.level(), rig.level("ETH/USD")

    assert with_rates(scenario) == (D(8), D(0))


def test_a_cancel_of_an_order_of_unknown_pair_charges_every_used_pair():
    """One of them is the right one."""

    def scenario(rig):
        rig.pair(), rig.pair("ETH/USD")
        rig.rates.cancelling("", "O1")
        return rig.level(), rig.level("ETH/USD"), rig.level("SOL/USD")

    assert with_rates(scenario) == (D(8), D(8), D(0))


def test_a_cancel_that_was_answered_sinks():
    """In every pair that it was charged to."""

    async def scenario(rig):
        rig.pair(), rig.pair("ETH/USD")
        rig.rates.cancelling("", "O1")
        rig.rates.cancelled("", "O1")
        await rig.clock.sleep(2.0)
        return rig.level(), rig.level("ETH/USD")

    assert with_rates(scenario) == (D(6), D(6))


def test_a_cancel_without_an_answer_counts_while_it_may_arrive():
    """And sinks from then on."""

    async def scenario(rig):
        rig.rates.cancelling(PAIR, "O1")
        rig.rates.cancelled(PAIR, "O1", late_s=30.0)
        await rig.clock.sleep(31.0)
        return rig.level()

    assert with_rates(scenario) == D(7)


def test_a_cancel_by_the_orders_age_is_cheaper():
    """The stream showed it open 90 s ago."""

    async def scenario(rig):
        rig.rates.seen(PAIR, "O1", is_open=True)
        await rig.clock.sleep(90.0)
        rig.rates.cancelling(PAIR, "O1")
        return rig.level()

    assert with_rates(scenario) == D(1)


# ---- what the stream tells ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("symbol", "order_id"), [("", "O1"), (PAIR, "")])
def test_news_without_pair_or_order_is_no_news(symbol, order_id):
    """Nothing can be counted by it."""

    def scenario(rig):
        rig.rates.seen(symbol, order_id, is_open=True)
        return rig.rates.counters(())[1:]

    assert with_rates(scenario) == ()


def test_an_order_that_ended_is_open_no_more():
    """Ours or anybody's: the cap is the account's."""

    def scenario(rig):
        rig.rates.seen(PAIR, "O1", is_open=True)
        rig.rates.seen(PAIR, "O2", is_open=True)
        rig.rates.seen(PAIR, "O1", is_open=False)
        return rig.pair().open_orders(0.0)

    assert with_rates(scenario) == 1


def test_a_picture_of_all_open_orders_ends_the_others():
    """In pairs that it does not name, too; and it knows pairs that were not used here."""

    async def scenario(rig):
        for symbol, order in ((PAIR, "O1"), (PAIR, "O2"), ("ETH/USD", "O3")):
            rig.rates.seen(symbol, order, is_open=True)
        await rig.clock.sleep(1.0)
        rig.rates.all_open([(PAIR, "O2"), ("SOL/USD", "O4"), ("SOL/USD", "O5")], since=0.5)
        return {state.name: state.open_orders for state in rig.rates.counters(())[1:]}

    assert with_rates(scenario) == {PAIR: 1, "ETH/USD": 0, "SOL/USD": 2}


def test_a_picture_ends_no_order_that_is_younger_than_it():
    """It was taken before the order came in."""

    async def scenario(rig):
        await rig.clock.sleep(1.0)
        rig.rates.seen(PAIR, "O1", is_open=True)
        rig.rates.all_open([], since=0.9)
        return rig.pair().open_orders(1.0)

    assert with_rates(scenario) == 1


@pytest.mark.parametrize(("told", "level"), [("9.5", "9.5"), ("2", "5")])
def test_krakens_own_count_lifts_ours_and_never_lowers_it(told, level):
    """Ours is an upper bound."""

    def scenario(rig):
        rig.use(D(5))
        rig.rates.told(PAIR, D(told))
        return rig.level()

    assert with_rates(scenario) == D(level)


@pytest.mark.parametrize(("told", "bugs"), [("9", 1), ("5", 0), ("2", 0)])
def test_a_count_of_krakens_above_ours_is_a_bug_of_ours(told, bugs):
    """Ours must never be below: it is told in the figure that pages people."""

    def scenario(rig):
        rig.use(D(5))
        rig.rates.told(PAIR, D(told))
        return [dict(point.attributes) for point in rig.watched.points("execsvc.own_bugs")]

    assert with_rates(scenario) == [{"reason": "RATE_DRIFT"}] * bugs


@pytest.mark.parametrize(("told", "drift", "ours"), [("2", 3.0, "above"), ("5", 0.0, "above"), ("9", 4.0, "below")])
def test_how_far_ours_is_from_krakens_count_is_told(told, drift, ours):
    """Points, and on which side: a histogram takes no figure below nothing."""

    def scenario(rig):
        rig.use(D(5))
        rig.rates.told(PAIR, D(told))
        return [(point.count, point.sum, dict(point.attributes)) for point in rig.watched.points("execsvc.rate.drift")]

    assert with_rates(scenario) == [(1, drift, {"ours": ours})]


def cancels_at_a_full_pair(*, link=None, told_by=None, ended=False):
    """The level after ten cancels of young orders, of a pair that is full; who told of it, and who tells now."""

    def scenario(rig):
        rig.use(D(57))
        if told_by is not None:
            rig.rates.link(told_by)
            rig.rates.told(PAIR, D(57))
        rig.rates.link(link)
        for number in range(10):
            rig.rates.cancelling(PAIR, f"O{number}")
            if ended:
                rig.rates.seen(PAIR, f"O{number}", is_open=False)
            rig.rates.cancelled(PAIR, f"O{number}")
        return rig.level()

    return with_rates(scenario)


@pytest.mark.parametrize("ended", [False, True])
def test_cancels_stop_at_the_maximum_while_kraken_tells_its_count(ended):
    """Should it count beyond, its word on that very cancel says so; by the answer or by the order's end."""
    assert D(60) == cancels_at_a_full_pair(link="now", told_by="now", ended=ended)


@pytest.mark.parametrize(("link", "told_by"), [(None, None), (None, "before"), ("now", "before"), ("now", None)])
def test_cancels_count_in_full_while_kraken_does_not_tell(link, told_by):
    """No connection, another one, or one that has said nothing of this pair yet."""
    assert D(137) == cancels_at_a_full_pair(link=link, told_by=told_by)


def test_kraken_saying_that_the_key_is_full_fills_its_counter():
    """Whatever was counted here."""

    def scenario(rig):
        rig.rates.rest_full()
        return rig.rest.headroom(0.0)

    assert with_rates(scenario) == D(0)


def test_it_shows_tier_and_counters():
    """For a log line."""

    def scenario(rig):
        rig.pair()
        return repr(rig.rates)

    assert with_rates(scenario) == "<KrakenRates starter <Counter 0/15> 1 pairs>"
