"""Parts that the adapter's tests share: one pair, orders of it, vectors, and a whole private side over scripted HTTP."""

import json
from decimal import Decimal
from pathlib import Path

from execsvc.domain.ids import OrderKey, wire_id
from execsvc.domain.instrument import Asset, AssetStatus
from execsvc.domain.intent import Intent
from execsvc.domain.market import Side
from execsvc.domain.order import submitted
from execsvc.domain.spec import OrderSpec, OrderType
from execsvc.kraken.names import Names
from execsvc.kraken.private import KrakenPrivate
from execsvc.kraken.public import KrakenPublic
from execsvc.kraken.rates import Counting
from execsvc.runtime.secrets import Secret
from execsvc.telemetry import silent
from tests.support.entropy import FixedEntropy
from tests.support.net import MemoryDialer, ScriptedHttp, answer
from tests.support.simloop import SimClock, SimTasks, run_sim
from tests.support.venue import BTC_USD

VECTORS = Path(__file__).parents[2] / "vectors"
SECRET = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="
ASSETS = (
    Asset("BTC", AssetStatus.ENABLED, 10, 5, None, "XXBT"),
    Asset("USD", AssetStatus.ENABLED, 4, 2, None, "ZUSD"),
)


def vector(name):
    """A published or recorded sample, parsed."""
    return json.loads((VECTORS / f"{name}.json").read_text())


def result_of(name):
    """The bytes of a sample's `result`."""
    return json.dumps(vector(name)["result"]).encode()


def known_names():
    names = Names()
    names.learn_assets(ASSETS)
    names.learn_instruments((BTC_USD,))
    return names


def an_order(clock, name="order-1", *, price="37500", quantity="1.25", entry_s=5.0, **spec):
    kind = OrderType.MARKET if price is None else OrderType.LIMIT
    limit_price = None if price is None else Decimal(price)
    wanted = OrderSpec("BTC/USD", spec.pop("side", Side.BUY), Decimal(quantity), kind, limit_price, **spec)
    key = OrderKey("main", "me", name)
    deadline_ns = clock.wall_ns() + int(entry_s * 1e9)
    intent = Intent(key, wanted, deadline_ns, "key-1", "", lambda attempt: wire_id(b"i" * 32, key, attempt))
    return submitted(intent, clock.wall_ns())


class Blocks:
    """A store's nonce ranges, kept across the lives of its users; `outage` makes it fail."""

    def __init__(self):
        self.hwm = None
        self.reservations = []
        self.outage = None

    async def reserve(self, key_fingerprint, floor, size):
        if self.outage is not None:
            raise self.outage
        start = max(self.hwm or 0, floor) + 1
        self.hwm = start + size - 1
        self.reservations.append(start)
        return range(start, start + size)

    async def high_water(self, key_fingerprint):
        return self.hwm


def private_side(http, clock, tasks, *, blocks=None, dialer=None, known_time=True, telemetry=None, tier="unlimited"):
    """KrakenPrivate over `http`, its clock already known (unless told otherwise) to be Kraken's own."""
    public = KrakenPublic(
        rest_url="https://api.example",
        ws_url="wss://ws.example/v2",
        http=http,
        dialer=dialer or MemoryDialer(),
        clock=clock,
        entropy=FixedEntropy(),
        tasks=tasks,
        telemetry=telemetry or silent(),
    )
    public.names = known_names()
    if known_time:
        now = clock.wall_ns()
        public.venue_time.observe(sent_ns=now, received_ns=now, earliest_ns=now, latest_ns=now)
    return KrakenPrivate(
        account="main",
        key="a-public-key",
        secret=Secret(SECRET),
        key_label="key-1",
        rest_url="https://api.example",
        ws_auth_url="wss://ws-auth.example/v2",
        http=http,
        dialer=dialer or MemoryDialer(),
        clock=clock,
        entropy=FixedEntropy(),
        nonces=blocks or Blocks(),
        tasks=tasks,
        telemetry=telemetry or silent(),
        public=public,
        counting=Counting(tier),
    )


async def sending(side, order, by, *, forbidden=lambda: None, steps=None):
    """A placement whose entry deadline is monotonic `by`; what it notes ends up in `steps`."""
    note = (lambda _: None) if steps is None else steps.append
    room = await side.rates.room(order.spec.symbol, order.key.caller, by)
    return await side.place(order, BTC_USD, by, room=room, forbidden=forbidden, note=note)


TXID = "OUF4EM-FRGI2-MQMWZD"
PLACED = answer({"txid": [TXID], "descr": {"order": "buy"}})


def live(script, act, **parts):
    """Runs `act(side, clock)` against a scripted Kraken; returns its result and the HTTP double."""
    http = ScriptedHttp(script)

    async def run():
        clock, tasks = SimClock(), SimTasks()
        side = private_side(http, clock, tasks, **parts)
        try:
            return await act(side, clock)
        finally:
            await tasks.close()

    return run_sim(run()), http


def placing(script, *, entry_s=5.0, **order):
    async def act(side, clock):
        return await sending(side, an_order(clock, entry_s=entry_s, **order), clock.monotonic() + entry_s)

    return live(script, act)


def failing(*texts):
    return lambda _: answer(None, *texts)


def raising(failure):
    def script(sent):
        raise failure

    return script
