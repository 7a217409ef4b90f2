"""One seed is one exchange: same calls at the same instants, same bytes, in any process."""

import hashlib
import os
import subprocess
import sys

from tests.unit.paper.paperbench import Bench


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
        said.update(bench.ticket("ClosedOrders", {"trades": "1"}).outcome.body)
        for socket in (public, private):
            said.update("\n".join(socket.texts()).encode())
    for method in ("OpenOrders", "TradesHistory", "GetApiKeyInfo", "GetWebSocketsToken", "BalanceEx"):
        said.update(bench.ticket(method).outcome.body)
    return said.hexdigest()


def test_one_seed_twice():
    """The same seed and calls give the same bytes, another seed gives others."""
    first = digest()
    assert first == digest()
    assert first != digest(seed=8)


def test_other_hash_seeds():
    """The order of no set or dict reaches the wire: other PYTHONHASHSEEDs give the same bytes."""
    program = "from tests.unit.paper.test_paper_determinism import digest; print(digest())"
    seen = {digest()}
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
