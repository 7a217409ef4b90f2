"""One seed is one exchange: same calls at the same instants, same bytes, in any process."""

import hashlib
import os
import subprocess
import sys

import pytest

from execsvc.paper.control import answer_control
from execsvc.paper.mishap import Fault
from tests.unit.paper.paperbench import Bench

MISHAPS = (
    {"kind": "delay", "when": "wire", "ms": 5, "spread_ms": 400},
    {"kind": "delay", "when": "wire", "ms": 3000, "spread_ms": 9000, "rate": 0.05},
    {"kind": "delay", "when": "after", "spread_ms": 200},
    {"kind": "slow_matching", "rate": 0.3, "spread_ms": 4000},
    {"kind": "request_lost", "rate": 0.05},
    {"kind": "reply_lost_after_apply", "rate": 0.05},
    {"kind": "bad_gateway", "rate": 0.04, "applied": True},
    {"kind": "error", "rate": 0.03},
    {"kind": "nonce_refused", "rate": 0.03},
    {"kind": "duplicate", "rate": 0.1, "answer": "second", "spread_ms": 500},
    {"kind": "index_lag", "rate": 0.5, "spread_ms": 2000},
    {"kind": "clock_skew", "ms": -2000, "spread_ms": 4000},
    {"kind": "cut_frame", "rate": 0.01},
    {"kind": "unknown_channel", "rate": 0.05},
    {"kind": "skip_sequence", "rate": 0.1},
    {"kind": "checksum_wrong", "rate": 0.1},
)

ORDERS = (
    {"ordertype": "trailing-stop", "price": "+0.01%"},
    {"ordertype": "stop-loss", "price": "#0.02%", "trigger": "index"},
    {"ordertype": "take-profit-limit", "price": "#0.02%", "price2": "#0.01%"},
    {"ordertype": "iceberg", "price": "#0.01%", "displayvol": "0.002"},
    {"ordertype": "limit", "price": "#1%", "starttm": "+3"},
    {"ordertype": "market", "close[ordertype]": "trailing-stop-limit", "close[price]": "+0.02%", "close[price2]": "+0"},
)


def digest(seed=7):
    """Trade and watch for a quarter of a minute; returns a hash over every byte the exchange said."""
    bench = Bench(seed=seed, frozen=False, pairs=("BTC/USD", "ETH/USD", "ETH/BTC"))
    said = hashlib.sha256()
    public, private = bench.open(), bench.executions(snap_trades=True)
    for channel in ("book", "ticker", "trade", "ohlc"):
        public.ask("subscribe", channel=channel, symbol=["BTC/USD", "ETH/BTC"], snapshot=True)
    for second in range(15):
        bench.wait(1)
        side = "buy" if second % 2 else "sell"
        order = {"type": side, "pair": "XBTUSD", "ordertype": "market", "volume": "0.05", "oflags": "fcib,nompp"}
        said.update(bench.ticket("AddOrder", order).outcome.body)
        change = ORDERS[second % len(ORDERS)]
        placed = bench.private("AddOrder", **({"type": side, "pair": "XBTUSD", "volume": "0.01"} | change))
        said.update(repr(placed).encode())
        amended = {"txid": placed["result"]["txid"][0], "order_qty": "0.008"}
        said.update(bench.ticket("AmendOrder", amended).outcome.body)
        said.update(bench.ticket("ClosedOrders", {"trades": "1"}).outcome.body)
        for socket in (public, private):
            said.update("\n".join(socket.texts()).encode())
    for method in ("OpenOrders", "CancelAll", "TradesHistory", "GetApiKeyInfo", "GetWebSocketsToken", "BalanceEx"):
        said.update(bench.ticket(method).outcome.body)
    return said.hexdigest()


def digest_astray(seed=7, tier="unlimited"):
    """Trade while everything goes wrong; returns a hash over all that was said and all that was really done."""
    bench = Bench(seed=seed, pairs=("BTC/USD",), warm_up_s=0, levels=5, tier=tier)
    tokens = [bench.ok("GetWebSocketsToken")["token"] for _ in range(6)]
    for fault in MISHAPS:
        bench.exchange.fault(Fault(**{"times": "always"} | fault), bench.now)
    said, tickets = hashlib.sha256(), []
    for number in range(120):
        if number % 20 == 0:
            sockets = bench.open("public"), bench.open("private")
            sockets[0].ask("subscribe", channel="book", symbol=["BTC/USD"])
            sockets[1].ask("subscribe", channel="executions", token=tokens.pop(), ratecounter=True)
        order = {"type": "buy", "pair": "XBTUSD", "ordertype": "limit", "price": "99000", "volume": "0.001"}
        tickets.append(bench.ticket("AddOrder", order | {"cl_ord_id": f"n{number}"}))
        tickets += [bench.ticket(call, {"cl_ord_id": f"n{number - 3}"}) for call in ("OpenOrders", "ClosedOrders")]
        bench.wait(0.3)
        for socket in sockets:
            said.update("\n".join(socket.texts()).encode() + repr(socket.line.torn).encode())
    bench.wait(60)
    for ticket in tickets:
        said.update(getattr(ticket.outcome, "body", b"cut") + str(ticket.due).encode())
    for path in ("/orders", "/calls", "/ledger", "/limits", "/state"):
        said.update(answer_control(bench.exchange, "GET", path, b"", bench.now)[1])
    return said.hexdigest()


@pytest.mark.parametrize("tier", ["unlimited", "starter"])
def test_mishaps_of_one_seed_twice(tier):
    """With everything going wrong at once, full counters too, one seed gives the same bytes, and another seed others."""
    first = digest_astray(tier=tier)
    assert first == digest_astray(tier=tier)
    assert first != digest_astray(seed=8, tier=tier)


def test_one_seed_twice():
    """The same seed and calls give the same bytes, another seed gives others."""
    first = digest()
    assert first == digest()
    assert first != digest(seed=8)


def test_other_hash_seeds():
    """The order of no set or dict reaches the wire: other PYTHONHASHSEEDs give the same bytes."""
    module = "tests.unit.paper.test_paper_determinism"
    program = f"from {module} import digest, digest_astray; print(digest(), digest_astray())"
    seen = {f"{digest()} {digest_astray()}"}
    for hash_seed in ("1", "2718"):
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        seen.add(done.stdout.strip())
    assert 1 == len(seen)


def test_streams_are_split_by_name():
    """What the trader does draws nothing from the market's chance: another pair trades on as if alone."""
    quiet, busy = (Bench(frozen=False, pairs=("BTC/USD", "ETH/USD")) for _ in range(2))
    for _ in range(20):
        quiet.wait(1)
        busy.wait(1)
        busy.order(pair="XBTUSD", ordertype="market", volume="0.05")
        busy.ok("GetWebSocketsToken")
        busy.open()
    tapes = [list(bench.venue.listing("ETHUSD").tape.prints) for bench in (quiet, busy)]
    assert tapes[0] == tapes[1]
