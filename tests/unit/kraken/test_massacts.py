"""Cancels of many, CancelAll and CancelAllOrdersAfter over scripted HTTP: what is sent, repeated, counted and told."""

import json
from contextlib import suppress

import pytest
from kraken_parts import TXID, answer, failing, live, raising, result_of

from execsvc.domain.errors import Busy, Declined, Reason
from execsvc.kraken import wire
from execsvc.ports import CancelTarget, ReplyLostError

BY_TXID = CancelTarget(TXID, "w-1", "BTC/USD")
BY_WIRE_ID = CancelTarget("", "w-2", "BTC/USD")


def acting(script, act, **parts):
    return live(script, lambda side, clock: act(side, clock.monotonic() + 10.0), **parts)


def cancel_many(*targets):
    return lambda side, by: side.cancel_many(targets, by)


def test_a_batch_names_orders_by_txid_and_by_our_id():
    """Whichever is known; in JSON, since it has arrays."""
    done, http = acting(lambda _: answer({"count": 2}), cancel_many(BY_TXID, BY_WIRE_ID))
    (sent,) = http.calls("CancelOrderBatch")
    body = json.loads(sent.body)
    assert (2, [TXID], [{"cl_ord_id": "w-2"}]) == (done, body["orders"], body["cl_ord_ids"])
    assert "application/json" == sent.headers["Content-Type"]


def test_what_is_not_named_is_left_out():
    """An empty list would be an argument too."""
    _, http = acting(lambda _: answer({"count": 1}), cancel_many(BY_TXID))
    assert {"nonce", "orders"} == set(json.loads(http.sent[0].body))


def test_more_than_fifty_go_in_several_calls():
    """Kraken takes fifty; the counts are added."""
    targets = [CancelTarget(f"O{index}", "", "BTC/USD") for index in range(120)]
    done, http = acting(lambda sent: answer({"count": len(json.loads(sent.body)["orders"])}), cancel_many(*targets))
    assert (120, [50, 50, 20]) == (done, [len(json.loads(sent.body)["orders"]) for sent in http.sent])


def test_a_lost_answer_is_asked_again():
    """Cancelling is harmless to repeat; each try has a nonce of its own."""
    replies = iter([raising(ReplyLostError("reset")), lambda _: answer({"count": 1})])
    done, http = acting(lambda sent: next(replies)(sent), cancel_many(BY_TXID))  # noqa: PLW0108 - the next one at each call
    assert 1 == done
    assert 2 == len({json.loads(sent.body)["nonce"] for sent in http.sent})


def test_unknown_orders_are_none_cancelled():
    """They are gone, or not there yet."""
    assert 0 == acting(failing("EOrder:Unknown order"), cancel_many(BY_TXID))[0]


def test_a_missing_right_is_told():
    """It is the operator's to mend."""
    with pytest.raises(Declined) as declined:
        acting(failing("EGeneral:Permission denied"), cancel_many(BY_TXID))
    assert Reason.VENUE_PERMISSION_MISSING is declined.value.reason


@pytest.mark.parametrize(
    ("script", "points"), [(lambda _: answer({"count": 2}), 16), (raising(ReplyLostError("x")), 16)]
)
def test_each_order_is_charged_as_its_own_cancel(script, points):
    """Two young orders cost 8 each, answered or lost."""

    async def act(side, by):
        young = [CancelTarget(f"O{index}", "", "BTC/USD") for index in range(2)]
        for each in young:
            side.rates.seen("BTC/USD", each.venue_order_id, is_open=True)
        with suppress(Busy):
            await side.cancel_many(young, by)
        return float(side.rates.pair("BTC/USD").counter.level(by - 10.0))

    level, _ = acting(script, act, tier="pro")
    assert points == level


def test_cancel_all_tells_how_many():
    """CancelAll has no arguments but the nonce."""
    done, http = acting(lambda _: answer({"count": 7}), lambda side, by: side.cancel_all(by))
    assert (7, {"nonce"}) == (done, set(http.calls("CancelAll")[0].params))


def test_cancel_all_does_not_wait_for_the_counter():
    """It costs a point: where there is none, cancels by id, which cost nothing, must go at once."""

    async def act(side, by):
        side.rates.rest_full()
        with pytest.raises(Busy) as full:
            await side.cancel_all(by)
        return full.value.reason

    reason, http = acting(lambda _: answer({"count": 7}), act, tier="pro")
    assert (Reason.LOCAL_RATE_LIMITED, []) == (reason, http.calls("CancelAll"))


def test_the_timer_is_armed_in_whole_seconds_and_told_in_krakens_time():
    """Its currentTime and triggerTime are Kraken's own."""
    armed = answer({"currentTime": "2023-03-24T17:41:56Z", "triggerTime": "2023-03-24T17:42:56Z"})
    at_ns, http = acting(lambda _: armed, lambda side, by: side.cancel_all_after(60, by))
    assert (1_679_679_776_000_000_000, "60") == (at_ns, http.sent[0].params["timeout"])


def test_zero_takes_the_timer_off():
    """Kraken says "0" then."""
    off = answer({"currentTime": "2023-03-24T17:41:56Z", "triggerTime": "0"})
    assert None is acting(lambda _: off, lambda side, by: side.cancel_all_after(0, by))[0]


@pytest.mark.parametrize("name", ["rest_CancelAll", "rest_CancelOrderBatch"])
def test_published_counts_are_read(name):
    """As CancelOrder's."""
    assert wire.decoder(wire.Cancelled)(result_of(name)).count > 0


@pytest.mark.parametrize("name", ["rest_CancelAllOrdersAfter", "rest_CancelAllOrdersAfter_disarmed"])
def test_published_timers_are_read(name):
    """Armed, and off."""
    assert wire.decoder(wire.Timer)(result_of(name)).trigger_time in {"2023-03-24T17:42:56Z", "0"}
