"""A cancel behind a thousand reads: nothing that waits goes before it, only the call in flight is waited for.

Once in virtual time, to the nanosecond, and once for real: the adapter, loopback HTTP and the paper exchange, whose answers
take their time. The real one is judged by the order of calls at the exchange; how long it took is told (`pytest -s`).
"""

import asyncio
import json
import statistics
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from execsvc.domain.account import FillQuery
from execsvc.paper.options import PaperOptions
from execsvc.paper.server import PaperServer
from execsvc.ports import Reply
from execsvc.store.disk import Disk
from tests.contract.venue_rig import opened
from tests.sim.runs import say
from tests.support.entropy import SeededEntropy
from tests.support.simloop import SimClock, SimTasks, run_sim
from tests.unit.kraken.kraken_parts import private_side

CALLERS, EACH = 8, 125  # a thousand reads
ROUND_TRIP_S = 0.05
FAR_S = 1e5
TXID = "OQCLML-BW3P3-BUCMWZ"
CANCELS = 5


@dataclass
class Distant:
    """The ports' Http: every answer takes one round trip. `sent` is when what left, by Kraken's names."""

    clock: SimClock
    sent: list[tuple[float, str]] = field(default_factory=list)

    async def send(self, method, url, headers, body, timeout_s):
        name = url.rpartition("/")[2]
        self.sent.append((self.clock.monotonic(), name))
        await self.clock.sleep(ROUND_TRIP_S)
        result = {"CancelOrder": {"count": 1}, "TradesHistory": {"trades": {}, "count": 0}}.get(name, {})
        return Reply(200, {}, json.dumps({"error": [], "result": result}).encode())


@asynccontextmanager
async def thousand_reads(side, by):
    """Under way within the block, of several callers, no two alike."""
    reads = [
        asyncio.ensure_future(_read(side, by, f"reader-{caller}", caller * EACH + number))
        for caller in range(CALLERS)
        for number in range(EACH)
    ]
    try:
        yield
    finally:
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)


async def _read(side, by, caller, number):
    if number % 2:
        await side.fills("main", FillQuery(offset=number, size=10), by, caller=caller)
    else:
        await side.query((TXID,), by, caller=caller)


def lag_behind_reads(after_s, tier="unlimited"):
    """How long a cancel waits in the lane that begins so long after a thousand reads; and how many reads had left."""

    async def live():
        clock, tasks = SimClock(), SimTasks()
        http = Distant(clock)
        side = private_side(http, clock, tasks, tier=tier)
        async with thousand_reads(side, clock.monotonic() + FAR_S):
            await clock.sleep(after_s)
            left = len(http.sent)
            await side.cancel(TXID, "", clock.monotonic() + FAR_S, symbol="BTC/USD", caller="urgent")
        await tasks.close()
        assert tasks.failures == []
        return http.sent[left:][0], left, after_s

    (sent_at, name), left, began = run_sim(live())
    assert name == "CancelOrder"
    return sent_at - began, left


@pytest.mark.parametrize("share", [0.0001, 0.25, 0.5, 0.9999])
def test_a_cancel_waits_for_the_call_in_flight_and_no_other(share):
    """However far the read in flight is, the cancel leaves with its answer: within one round trip, to the nanosecond."""
    lag_s, left = lag_behind_reads((3 + share) * ROUND_TRIP_S)
    assert (left, pytest.approx((1 - share) * ROUND_TRIP_S, abs=1e-9)) == (4, lag_s)


def test_a_cancel_leaves_at_once_while_reads_wait_for_the_counter():
    """Reads that wait for points hold nobody up: where no call is in flight the cancel leaves in the same instant."""
    lag_s, left = lag_behind_reads(20 * ROUND_TRIP_S + 0.001, tier="starter")
    assert (True, 0.0) == (0 < left < 20, lag_s)


@pytest.fixture
async def venue():
    options = PaperOptions(control_port=0, tier="unlimited", pairs=("BTC/USD",), warm_up_s=5, frozen=True)
    server = PaperServer(options)
    await server.start()
    async with opened(server, Disk.blank(SeededEntropy(5))) as built:
        yield built
    await server.close()


async def test_a_real_cancel_overtakes_a_thousand_real_reads(venue):
    """Over loopback, each answer delayed: at most one read reaches the exchange between the asking and the cancel."""
    orders = [venue.order(f"order-{number}", "20000") for number in range(CANCELS)]
    ids = [(await venue.place(order)).venue_order_id for order in orders]
    await venue.fault("delay", ms=round(ROUND_TRIP_S * 1000), when="after", times="always")
    asked, waiting = [], []
    async with thousand_reads(venue.private, venue.clock.monotonic() + FAR_S):
        for order_id in ids:
            await asyncio.sleep(0.17)
            waiting.append(sum(state.queue_depth for state in venue.private.lanes()))
            asked.append(venue.clock.wall_ns() / 1e9)
            await venue.private.cancel(order_id, "", venue.by, symbol="BTC/USD", caller="urgent")
    calls = [(datetime.fromisoformat(each["at"]).timestamp(), each["call"]) for each in await venue.calls()]
    between, lags_ms = _judged(calls, asked)
    say(
        f"cancels behind {min(waiting)} to {max(waiting)} reads reached the exchange after "
        f"{', '.join(f'{lag:.1f}' for lag in lags_ms)} ms (median {statistics.median(lags_ms):.1f}), "
        f"a round trip being {ROUND_TRIP_S * 1000:g} ms and what the machine adds"
    )
    assert min(waiting) > 900
    assert [count for count in between if count > 1] == []


def _judged(calls, asked):
    """Of each cancel: how many calls came between its asking and its first arrival, and how long that took, in ms."""
    arrived = [next(at for at, name in calls if name == "CancelOrder" and at > began) for began in asked]
    between = [sum(began < at < end for at, _ in calls) for began, end in zip(asked, arrived, strict=True)]
    return between, [1000 * (end - began) for began, end in zip(asked, arrived, strict=True)]
