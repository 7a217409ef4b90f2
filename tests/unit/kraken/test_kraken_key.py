"""One key over scripted HTTP: nonces in order, and what stops, blocks or heals it."""

import asyncio

import pytest
from kraken_parts import Blocks, an_order, failing, live, sending

from execsvc.domain.errors import Busy, Declined, Reason
from tests.support.net import answer


def test_refused_key_stops_all_private_calls():
    """After Invalid key nothing goes out any more: there is no room for orders, reads are refused."""

    async def act(side, clock):
        by = clock.monotonic() + 5
        await sending(side, an_order(clock, "a"), by)
        with pytest.raises(Declined) as refusal:
            await side.balances(by)
        with pytest.raises(Declined) as second:
            await side.rates.room("BTC/USD", "local", by)
        return second.value.reason, refusal.value.reason, side.lanes()[0].stopped

    (second, reason, stopped), http = live(failing("EAPI:Invalid key"), act)
    assert Reason.VENUE_CREDENTIALS_REJECTED is second
    assert (reason, stopped, len(http.sent)) == (Reason.VENUE_CREDENTIALS_REJECTED, True, 1)


def test_lockout_silences_the_key_for_fifteen_minutes():
    """No traffic until it is over, then one call goes out again."""

    async def act(side, clock):
        by = clock.monotonic() + 5
        with pytest.raises(Busy):
            await side.balances(by)
        with pytest.raises(Busy) as locked:
            await side.cancel("X", "", by)
        await clock.sleep(901)
        with pytest.raises(Busy):
            await side.balances(clock.monotonic() + 5)
        return locked.value.fault

    fault, http = live(failing("EGeneral:Temporary lockout"), act)
    assert (fault.reason, fault.retry_after_s) == (Reason.VENUE_LOCKED_OUT, 900.0)
    assert len(http.sent) == 2


def test_refused_placements_alone_do_not_stop_the_key():
    """A proxy doubles requests and shows the copies' answers: the orders were taken, and looks must go on."""

    async def act(side, clock):
        for name in range(8):
            await sending(side, an_order(clock, str(name)), clock.monotonic() + 5)
        return await side.balances(clock.monotonic() + 5)

    def script(sent):
        return answer(None, "EAPI:Invalid nonce") if sent.path.endswith("AddOrder") else answer({})

    balances, http = live(script, act)
    assert () == balances
    assert 8 == len(http.calls("AddOrder"))


def test_a_key_whose_fresh_nonces_are_refused_is_rested():
    """Refused in the look itself: nothing goes out for half a minute, then it is asked again."""

    async def act(side, clock):
        reasons = []
        for pause_s in (0.0, 29.0, 2.0):
            await clock.sleep(pause_s)
            with pytest.raises((Busy, Declined)) as refusal:
                await side.check_key(clock.monotonic() + 5)
            reasons.append(refusal.value.reason)
        return reasons

    reasons, http = live(failing("EAPI:Invalid nonce"), act)
    assert [Reason.VENUE_CREDENTIALS_REJECTED] * 3 == reasons
    assert 4 == len(http.sent)


def test_refused_nonce_is_followed_by_one_of_a_fresh_block():
    """A new nonce comes from above the clock as it is now, not from the block that was refused."""
    blocks = Blocks()

    def script(sent):
        return answer(None, "EAPI:Invalid nonce") if len(blocks.reservations) == 1 else answer({})

    async def act(side, clock):
        return await side.balances(clock.monotonic() + 5)

    balances, http = live(script, act, blocks=blocks)
    assert balances == ()
    assert [int(sent.params["nonce"]) for sent in http.sent] == blocks.reservations


def test_nonce_order_is_send_order_with_one_call_in_flight():
    """64 callers at once: each nonce leaves after the one below it was answered."""

    async def script(sent):
        await asyncio.sleep(0.01)
        return answer({})

    async def act(side, clock):
        by = clock.monotonic() + 60
        await asyncio.gather(
            *(side.query(("A",), by) for _ in range(64)),
        )

    _, http = live(script, act)
    nonces = [int(sent.params["nonce"]) for sent in http.sent]
    assert sorted(nonces) == nonces
    assert (len(nonces), http.most_in_flight) == (64, 1)


def test_krakens_clock_is_read_before_the_first_signed_call():
    """Time comes first, unsigned, and once."""

    def script(sent):
        if sent.path.endswith("Time"):
            return answer({"unixtime": 1_790_000_000})
        return answer({})

    async def act(side, clock):
        for _ in range(2):
            await side.balances(clock.monotonic() + 5)

    _, http = live(script, act, known_time=False)
    assert ["Time", "BalanceEx", "BalanceEx"] == [sent.path.rsplit("/", 1)[1] for sent in http.sent]
