"""One key under load: 64 callers, one lane, and an exchange that takes a nonce only above all before it.

The real calls of an account (kraken/private.py) over a made-up network in virtual time, where each message takes its own way
and may overtake another. The exchange is a few lines of this file; the paper exchange knows nothing of it. The same crowd,
100,000 calls strong, walks through benchmarks/nonces.py.
"""

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from urllib.parse import parse_qsl

import pytest

from execsvc.domain.errors import Busy, Declined, ProtocolBroken
from execsvc.kraken import nonce as nonce_room
from execsvc.ports import Accepted, RefusedByVenue, Reply, ReplyLostError, Unknown, Unsent
from execsvc.store.memory import MemoryStore
from tests.support.simloop import SimClock, SimTasks, run_sim
from tests.support.world import new_disk
from tests.unit.kraken.kraken_parts import an_order, private_side, sending

CALLERS = 64
WAY_S = 0.01
JITTER_S = 0.003
PATIENCE_S = 2.0
PATIENCE_BEFORE_CANCEL_S = 0.5
LATE_S = 30.0
READ_S = 20.0


@dataclass(frozen=True)
class Weather:
    """What a message may meet on its way: chances, and how long a slow one takes, seconds."""

    lost: float = 0.0
    slow: float = 0.0
    slow_s: tuple[float, float] = (0.4, 12.0)
    reply_lost: float = 0.0


CALM = Weather()
ROUGH = Weather(lost=0.01, slow=0.02, reply_lost=0.01)
FOUL = Weather(lost=0.03, slow=0.1, slow_s=(0.4, 4.0), reply_lost=0.03)


@dataclass
class StrictExchange:
    """The ports' Http, and behind it one account with nonce window 0 and a log of what it was sent and took."""

    clock: SimClock
    chance: random.Random
    weather: Weather = CALM
    highest: int = 0
    sent: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    stale: list[float] = field(default_factory=list)  # how long it had been on its way, and still was waited for
    dead: int = 0  # refused when its sender had given it up
    orders: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    trips_s: float = 0.0  # of calls that were answered
    under_way: int = 0
    most_under_way: int = 0

    async def send(self, method, url, headers, body, timeout_s):
        params = dict(parse_qsl(body.decode()))
        loop = asyncio.get_running_loop()
        began, reply = loop.time(), loop.create_future()
        self.sent.append(int(params["nonce"]))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        if self.chance.random() >= self.weather.lost:
            loop.call_later(self.way_s(), self.arrive, url.rpartition("/")[2], params, began, reply)
        try:
            async with asyncio.timeout(timeout_s):
                answer = await reply
        except TimeoutError:
            raise ReplyLostError("no answer in time") from None
        finally:
            self.under_way -= 1
        self.trips_s += loop.time() - began
        return answer

    def way_s(self):
        way_s = WAY_S + self.chance.uniform(0, JITTER_S)
        return way_s + (self.chance.uniform(*self.weather.slow_s) if self.chance.random() < self.weather.slow else 0)

    def arrive(self, name, params, began, reply):
        nonce = int(params["nonce"])
        loop = asyncio.get_running_loop()
        if nonce > self.highest:
            self.highest = nonce
            self.taken.append(nonce)
            answer = {"error": [], "result": self.result(name, params)}
        else:
            self.dead += reply.done()
            self.stale += [] if reply.done() else [loop.time() - began]
            answer = {"error": ["EAPI:Invalid nonce"]}
        if self.chance.random() >= self.weather.reply_lost:
            loop.call_later(self.way_s(), _answer, reply, answer)

    def result(self, name, params):
        self.asked[name] += 1
        match name:
            case "AddOrder":
                self.orders[params["cl_ord_id"]] += 1
                return {"txid": [f"O{len(self.orders):05}"], "descr": {"order": ""}}
            case "CancelOrder":
                return {"count": 1}
            case "OpenOrders":
                return {"open": {}}
            case "ClosedOrders":
                return {"closed": {}, "count": 0}
            case "GetApiKeyInfo":
                return {"api_key_name": "k", "permissions": [], "nonce": str(self.highest), "nonce_window": "0"}
            case _:
                return {}  # BalanceEx, QueryOrders


def _answer(reply, answer):
    if not reply.done():
        reply.set_result(Reply(200, {}, json.dumps(answer).encode()))


class Crowd:
    """Callers of one account, each with its next call as soon as it has its answer; what they were told is kept."""

    def __init__(self, seed, calls, *, clock, tasks, exchange, blocks, read_s=READ_S):
        self.clock = clock
        self.calls = calls
        self.read_s = read_s
        self.exchange = exchange
        self.side = private_side(exchange, clock, tasks, blocks=blocks)
        self.chance = random.Random(f"{seed} callers")
        self.told = {}  # wire id: what its placement came to
        self.failed = Counter()
        self.longest_s = Counter()

    async def walk(self):
        """Until the exchange has been sent so many calls, and the late answers; which share of the time was round trips."""
        began = self.clock.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(CALLERS):
                group.create_task(self.live(number))
        used = self.exchange.trips_s / (self.clock.monotonic() - began)
        for wire_id, told in self.told.items():
            if isinstance(told, Unknown) and told.late is not None:
                self.told[wire_id] = await told.late
        return used

    async def live(self, number):
        turn = 0
        while len(self.exchange.sent) < self.calls:
            turn += 1
            began = self.clock.monotonic()
            kind = self.chance.choices(("place", "cancel", "sweep", "query", "balances"), (50, 20, 10, 10, 10))[0]
            try:
                await getattr(self, kind)(f"{number}-{turn}")
            except (Busy, Declined, ProtocolBroken) as refusal:
                self.failed[kind, refusal.reason.name] += 1
            self.longest_s[kind] = max(self.longest_s[kind], self.clock.monotonic() - began)

    async def place(self, name):
        order = an_order(self.clock, name, entry_s=10.0)
        by = self.clock.monotonic() + 10.0
        told = await sending(self.side, order, by)
        self.told[order.venue_client_id] = told

    async def cancel(self, name):
        await self.side.cancel("OQCLML-BW3P3-BUCMWZ", "", self.clock.monotonic() + self.read_s)

    async def sweep(self, name):
        await self.side.sweep(frozenset({name}), self.clock.monotonic() + self.read_s)

    async def query(self, name):
        await self.side.query(("OQCLML-BW3P3-BUCMWZ",), self.clock.monotonic() + self.read_s)

    async def balances(self, name):
        await self.side.balances(self.clock.monotonic() + self.read_s)


def walked(seed, weather, calls, *, commit_s=0.001):
    """A crowd that has walked, and how much of its time was round trips."""

    async def run():
        clock, tasks = SimClock(), SimTasks()
        exchange = StrictExchange(clock, random.Random(f"{seed} network"), weather)
        store = MemoryStore(new_disk(), commit_s=lambda: commit_s)
        crowd = Crowd(seed, calls, clock=clock, tasks=tasks, exchange=exchange, blocks=store)
        used = await crowd.walk()
        exchange.weather = CALM
        await crowd.side.balances(clock.monotonic() + READ_S)  # the lane is as good as new
        await tasks.close()
        assert tasks.failures == []
        assert {False} == {state.stopped for state in crowd.side.lanes()}
        return crowd, used

    return run_sim(run())


def check_log(crowd):
    """Nonces leave in order; each order enters once at most; what callers were told is what the exchange did."""
    exchange = crowd.exchange
    assert all(earlier < later for earlier, later in pairwise(exchange.sent)), "sent out of order"
    assert {1} >= set(exchange.orders.values()), "an order entered twice"
    for wire_id, told in crowd.told.items():
        match told:
            case Accepted():
                assert wire_id in exchange.orders, "told as accepted, and not there"
            case Unsent() | RefusedByVenue():
                assert wire_id not in exchange.orders, "told as never sent or refused, and there"
            case Unknown():
                continue


def test_no_nonce_is_stale_and_no_time_is_lost_where_messages_only_jitter():
    """10,000 mixed calls of 64 callers: 0 stale nonces, one call at a time, at 0.95 of 1 per round trip or better."""
    crowd, used = walked("calm", CALM, 10_000)
    exchange = crowd.exchange
    check_log(crowd)
    assert ([], 1) == (exchange.stale, exchange.most_under_way)
    assert 0.95 <= used <= 1
    assert {
        "AddOrder",
        "CancelOrder",
        "OpenOrders",
        "ClosedOrders",
        "QueryOrders",
        "BalanceEx",
    } == exchange.asked.keys()
    assert Counter() == crowd.failed
    assert {Accepted} == {type(told) for told in crowd.told.values()}


@pytest.mark.parametrize("weather", [ROUGH, FOUL], ids=["rough", "foul"])
@pytest.mark.parametrize("seed", range(3))
def test_only_what_the_lane_gave_up_on_is_refused(seed, weather, monkeypatch):
    """Lost replies, patience that runs out, messages that overtake: every stale nonce was given up before, and no alarm."""
    monkeypatch.setattr(nonce_room, "BLOCK_SIZE", 40)  # so that blocks end in the middle of it all
    crowd, _ = walked(f"rough {seed}", weather, 1_000)
    exchange = crowd.exchange
    check_log(crowd)
    assert exchange.dead
    assert min(exchange.stale, default=PATIENCE_BEFORE_CANCEL_S) >= PATIENCE_BEFORE_CANCEL_S
    assert exchange.most_under_way > 1
    assert {Accepted, Unknown} <= {type(told) for told in crowd.told.values()}
    assert crowd.longest_s["place"] <= 10.0 + PATIENCE_S


def test_one_seed_twice_is_one_walk():
    """The same seed gives the same log, so a failure can be looked at again."""
    first, again = (walked("twice", FOUL, 500)[0].exchange for _ in range(2))
    assert (first.sent, first.taken, first.orders) == (again.sent, again.taken, again.orders)
