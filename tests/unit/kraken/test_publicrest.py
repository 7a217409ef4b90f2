"""Unsigned reads: counted per address and per pair, shared when equal, waited for or told the exact wait."""

import asyncio

import pytest

from execsvc.domain.errors import Busy, Declined, Reason
from execsvc.kraken.endpoints import OHLC, TICKER, TIME, TRADES
from execsvc.kraken.publicrest import BURST, COUNTS_MAX, PublicCounts, PublicRest
from execsvc.kraken.venuetime import VenueTime
from execsvc.ports import NotSentError, ReplyLostError
from execsvc.telemetry import silent
from tests.support.entropy import FixedEntropy
from tests.support.net import ScriptedHttp, answer
from tests.support.simloop import SimClock, SimTasks, run_sim

AT_ONCE = BURST - 3  # the margin taken off: one, and two seconds of sinking
FAR = 1000.0
XBT, ETH = {"pair": "XBTUSD"}, {"pair": "ETHUSD"}


class Address:
    """One address that reads; the script answers."""

    def __init__(self, script=lambda _: answer({"a": 1}), **parts):
        self.clock = SimClock()
        self.tasks = SimTasks()
        self.http = ScriptedHttp(script)
        self.rest = PublicRest(
            base_url="https://api.example",
            http=self.http,
            clock=self.clock,
            entropy=FixedEntropy(),
            tasks=self.tasks,
            telemetry=silent(),
            venue_time=VenueTime(),
            **parts,
        )

    async def read(self, endpoint=TICKER, params=None, by=FAR):
        return bytes(await self.rest.read(endpoint, params or {}, by))

    async def many(self, count, endpoint=TICKER, by=FAR, **params):
        """So many different reads, one after the other."""
        for number in range(count):
            await self.read(endpoint, {**params, "since": str(number)}, by)

    async def refused(self, endpoint=TICKER, params=None, by=0.5):
        with pytest.raises(Busy) as refusal:
            await self.read(endpoint, params, self.clock.monotonic() + by)
        return refusal.value.fault


def at_address(scenario, *args, **parts):
    async def main():
        here = Address(*args, **parts)
        try:
            return await scenario(here)
        finally:
            await here.tasks.close()

    return run_sim(main())


def test_a_read_is_the_result_of_one_call():
    """With its parameters in the query."""

    async def scenario(here):
        return await here.read(TICKER, XBT), here.http.sent[0]

    result, sent = at_address(scenario)
    assert (b'{"a": 1}', "GET", "/0/public/Ticker", XBT) == (result, sent.method, sent.path, sent.params)


def test_a_burst_goes_at_once():
    """As many as the address may, margin taken off."""

    async def scenario(here):
        await here.many(AT_ONCE)
        return here.clock.monotonic()

    assert at_address(scenario) == 0.0


def test_one_more_waits_for_its_second():
    """One a second from there on."""

    async def scenario(here):
        await here.many(AT_ONCE + 2)
        return [sent.at for sent in here.http.sent[-3:]]

    assert at_address(scenario) == [0.0, 1.0, 2.0]


def test_one_without_the_time_is_told_the_exact_wait():
    """Nothing is sent, and after it there is room."""

    async def scenario(here):
        await here.many(AT_ONCE)
        await here.clock.sleep(0.25)
        fault = await here.refused(by=0.5)
        sent = len(here.http.sent)
        await here.clock.sleep(fault.retry_after_s)
        await here.read(by=here.clock.monotonic() + 0.1)
        return fault, sent

    fault, sent = at_address(scenario)
    assert (Reason.LOCAL_RATE_LIMITED, 0.75, AT_ONCE) == (fault.reason, fault.retry_after_s, sent)
    assert ({"subject": "kraken:public:Ticker"}, True) == (dict(fault.metadata), "in 0.750 s" in fault.message)


@pytest.mark.parametrize("endpoint", [TRADES, OHLC])
def test_trades_and_candles_are_counted_by_pair(endpoint):
    """A pair that is used up leaves the other pairs alone, and the address too."""

    async def scenario(here):
        await here.many(AT_ONCE, endpoint, **XBT)
        reason = (await here.refused(endpoint, XBT)).reason
        await here.many(AT_ONCE, endpoint, **ETH)
        await here.many(AT_ONCE, TICKER, **XBT)
        return reason, here.clock.monotonic()

    assert at_address(scenario) == (Reason.LOCAL_RATE_LIMITED, 0.0)


def test_trades_and_candles_of_a_pair_are_two_counts():
    """Kraken counts each endpoint by itself."""

    async def scenario(here):
        await here.many(AT_ONCE, TRADES, **XBT)
        await here.many(AT_ONCE, OHLC, **XBT)
        return here.clock.monotonic()

    assert at_address(scenario) == 0.0


def test_all_other_reads_share_the_addresss_count():
    """Whatever they ask, and of whichever pair."""

    async def scenario(here):
        await here.many(AT_ONCE - 1, TICKER, **XBT)
        await here.read(TIME)
        return (await here.refused(TICKER, ETH)).retry_after_s

    assert at_address(scenario) == 1.0


def test_two_readers_of_one_address_share_its_count():
    """An operator may run both over one set of counts."""
    counts = PublicCounts()

    async def scenario(here):
        await here.many(AT_ONCE)
        other = Address(counts=counts)
        return (await other.refused()).reason

    assert at_address(scenario, counts=counts) is Reason.LOCAL_RATE_LIMITED


def test_an_address_of_its_own_size_is_counted_so():
    """Burst and pace are settings of the counts."""
    counts = PublicCounts(burst=5)

    async def scenario(here):
        await here.many(2)
        return (await here.refused()).retry_after_s

    assert at_address(scenario, counts=counts) == 1.0


def test_no_more_counts_are_kept_than_the_bound():
    """The pair that was not asked for the longest is forgotten, the one just used is not."""
    counts = PublicCounts()
    used = counts.of(TRADES, XBT)
    for number in range(COUNTS_MAX - 1):
        counts.of(TRADES, {"pair": f"P{number}"})
    assert counts.of(TRADES, XBT) is used
    first = counts.of(TRADES, {"pair": "P1"})
    counts.of(TRADES, {"pair": "one more"})
    assert f"<PublicCounts {COUNTS_MAX} counters>" == repr(counts)
    assert (used, first) == (counts.of(TRADES, XBT), counts.of(TRADES, {"pair": "P1"}))


def test_equal_reads_at_one_time_are_one_call():
    """And cost one point."""

    async def scenario(here):
        await asyncio.gather(*(here.read(TICKER, XBT) for _ in range(30)))
        return len(here.http.sent), here.clock.monotonic()

    async def slow(sent):
        await asyncio.sleep(0)
        return answer({"a": 1})

    assert at_address(scenario, slow) == (1, 0.0)


def test_krakens_rate_error_fills_the_count():
    """Whatever was counted: the next ones wait as if all had been used."""
    replies = [answer(None, "EGeneral:Too many requests"), answer({"a": 1})]

    async def scenario(here):
        await here.read(by=60.0)
        return [sent.at for sent in here.http.sent], here.rest._counts.of(TIME, {}).level(5.0)

    assert at_address(scenario, lambda _: replies.pop(0)) == ([0.0, 5.0], BURST - 5 + 1)


def test_a_throttle_fills_the_count_too():
    """It is the same wish for fewer calls."""

    async def scenario(here):
        with pytest.raises(Busy):
            await here.read(by=1.0)
        return (await here.refused(TIME)).retry_after_s

    assert at_address(scenario, lambda _: answer(None, "EService:Throttled")) == 4.0


def test_another_failure_does_not_fill_it():
    """An outage is no reason to go slower than allowed."""

    async def scenario(here):
        with pytest.raises(Declined):
            await here.read()
        return here.rest._counts.of(TICKER, {}).level(0.0)

    assert at_address(scenario, lambda _: answer(None, "EQuery:Unknown asset pair")) == 1


@pytest.mark.parametrize("failure", [NotSentError("refused"), ReplyLostError("reset")])
def test_a_broken_connection_is_tried_again(failure):
    """Reads may be repeated; each try counts."""
    failures = [failure]

    def script(_):
        if failures:
            raise failures.pop()
        return answer({"a": 1})

    async def scenario(here):
        result = await here.read(by=10.0)
        now = here.clock.monotonic()
        return result, len(here.http.sent), float(here.rest._counts.of(TICKER, {}).level(now)) + now

    assert at_address(scenario, script) == (b'{"a": 1}', 2, 2.0)


def test_two_at_a_time_are_in_flight():
    """Kraken counts by address, and no figure says how many."""

    async def slow(_):
        await asyncio.sleep(1.0)
        return answer({"a": 1})

    async def scenario(here):
        await asyncio.gather(*(here.read(TICKER, {"pair": str(number)}) for number in range(6)))
        return here.http.most_in_flight, here.clock.monotonic()

    assert at_address(scenario, slow) == (2, 3.0)


def test_one_whose_time_is_over_when_its_turn_comes_is_not_sent():
    """READ_TIMEOUT, and no call that nobody waits for."""

    async def scenario(here):
        await here.many(AT_ONCE)
        with pytest.raises(Busy) as refusal:
            await here.read(TIME, by=1.0)
        await here.clock.sleep(5.0)
        return refusal.value.reason, len(here.http.calls("Time"))

    assert at_address(scenario) == (Reason.READ_TIMEOUT, 0)


def test_a_call_gets_no_more_time_than_its_caller_has():
    """Its connection is given up with it."""

    async def scenario(here):
        asked = []
        send = here.http.send

        async def spying(method, url, headers, body, timeout_s):
            asked.append(timeout_s)
            return await send(method, url, headers, body, timeout_s)

        here.http.send = spying
        await here.read(TICKER, XBT, by=3.0)
        await here.read(TICKER, ETH, by=60.0)
        return asked

    assert at_address(scenario) == [3.0, 10.0]
