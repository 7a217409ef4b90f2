"""The exchange's clock off its owner's: what it prints and compares follows it, what happens when does not."""

import json

import pytest

from execsvc.paper.dial import Dial
from execsvc.paper.mishap import Fault
from tests.unit.paper.paperbench import NS, START, Bench, read

ORDER = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "80000", "volume": "0.1"}
START_S = START // NS


def skewed(ms, **options):
    bench = Bench(**({"pairs": ("BTC/USD",), "warm_up_s": 0} | options))
    bench.book(bids=[("90000.0", "1000")], asks=[("90001.0", "1000")])
    arm(bench, ms=ms)
    return bench


def arm(bench, **fault):
    bench.exchange.fault(Fault(kind="clock_skew", **fault), bench.now)


def clock(bench):
    return bench.public("Time")["result"]["unixtime"] - START_S


@pytest.mark.parametrize("ms", [7000, -7000])
def test_time_is_off(ms):
    """Time and SystemStatus say what the exchange's clock says, ahead or behind."""
    bench = skewed(ms)
    assert ms // 1000 == clock(bench)
    wanted = "2026-01-01T00:00:07Z" if ms > 0 else "2025-12-31T23:59:53Z"
    assert wanted == bench.public("SystemStatus")["result"]["timestamp"]


@pytest.mark.parametrize(
    ("ms", "ahead_s", "error"),
    [
        (3000, 4, "EGeneral:Invalid arguments:deadline"),
        (3000, 5, None),
        (-3000, 57, None),
        (-3000, 58, "EGeneral:Invalid arguments:deadline"),
    ],
)
def test_deadline_is_checked_by_the_exchanges_clock(ms, ahead_s, error):
    """A deadline is too near or too far as the exchange's clock has it, not the client's."""
    bench = skewed(ms)
    answer = bench.private("AddOrder", **ORDER, deadline=f"2026-01-01T00:00:{ahead_s:02d}Z")
    assert ([] if error is None else [error]) == answer["error"]


@pytest.mark.parametrize(("ms", "elapsed"), [(0, []), (4000, ["EService:Deadline elapsed"])])
def test_deadline_elapses_by_the_exchanges_clock(ms, elapsed):
    """Put forward while an order waits for the engine, the clock makes its deadline pass."""
    bench = skewed(0)
    bench.exchange.fault(Fault(kind="slow_matching", ms=2000), bench.now)
    ticket = bench.ticket("AddOrder", ORDER | {"deadline": "2026-01-01T00:00:05Z"})
    bench.wait(1)
    arm(bench, ms=ms)
    bench.wait(1)
    assert elapsed == read(ticket)["error"]


def test_websocket_times_are_off():
    """time_in and time_out of answers, and the timestamps of public and private news, are on the exchange's clock."""
    bench = skewed(-5000)
    public, private = bench.open(), bench.executions()
    public.ask("ping", 1)
    pong = public.frames()[-1]
    assert ("2025-12-31T23:59:55.000000Z",) * 2 == (pong["time_in"], pong["time_out"])
    for channel in ("book", "ticker", "trade"):
        public.ask("subscribe", channel=channel, symbol=["BTC/USD"])
    public.frames()
    private.frames()
    bench.wait(1)
    bench.order(ordertype="market", volume="0.1")
    said = [*public.frames(), *private.frames()]
    assert {"2025-12-31T23:59:56.000000Z"} == {
        frame["data"][0]["timestamp"] for frame in said if frame["channel"] != "heartbeat"
    }
    assert {"book", "ticker", "trade", "executions"} <= {frame["channel"] for frame in said}


def test_records_keep_the_time_they_were_made_at():
    """Orders and trades carry the exchange's time of when they happened; setting the clock does not change them."""
    bench = skewed(30_000)
    bench.order(ordertype="market", volume="0.1")
    bench.exchange.clear_faults(bench.now)
    bench.wait(1)
    (row,) = bench.ok("ClosedOrders")["closed"].values()
    (trade,) = bench.ok("TradesHistory")["trades"].values()
    assert (START_S + 30,) * 3 == (row["opentm"], row["closetm"], trade["time"])


def test_control_port_speaks_the_owners_time():
    """What was accepted is told on the owner's clock, by which a caller's story can be judged."""
    from execsvc.paper.control import answer_control

    bench = skewed(30_000)
    bench.order(ordertype="market", volume="0.1")
    (order,) = json.loads(answer_control(bench.exchange, "GET", "/orders", b"", bench.now)[1])["orders"]
    state = json.loads(answer_control(bench.exchange, "GET", "/state", b"", bench.now)[1])
    assert ("2026-01-01T00:00:00.000000Z",) * 2 == (order["opened"], order["closed"])
    assert ("2026-01-01T00:00:00.000000Z", "2026-01-01T00:00:30.000000Z") == (state["time"], state["clock"])


@pytest.mark.parametrize(("ms", "ends_s"), [(0, 10), (-4000, 14), (4000, 6), (60_000, 2)])
def test_expiry_is_by_the_exchanges_clock(ms, ends_s):
    """An order expires when the exchange's clock says so, wherever it was put meanwhile."""
    bench = skewed(0)
    txid = bench.order(**ORDER | {"timeinforce": "GTD", "expiretm": str(START_S + 10)})
    bench.wait(1)
    arm(bench, ms=ms)
    statuses = []
    for _ in range(16):
        bench.wait(1)
        statuses.append(bench.state(txid)["status"])
    assert ends_s == 2 + statuses.index("expired")


def test_lag_keeps_its_bound_across_a_step_of_the_clock():
    """An index that is behind by two seconds is behind by two of the owner's seconds, whatever the clock does."""
    bench = skewed(0)
    bench.exchange.fault(Fault(kind="index_lag", ms=2000), bench.now)
    txid = bench.order(**ORDER)
    bench.wait(1)
    arm(bench, ms=-60_000)
    bench.wait(0.999)
    assert {} == bench.ok("OpenOrders")["open"]
    bench.wait(0.001)
    assert [txid] == list(bench.ok("OpenOrders")["open"])


def test_heartbeats_and_delays_ignore_the_clock():
    """A step of the clock neither hastens nor holds up a heartbeat or an answer on its way."""
    bench = skewed(0)
    socket = bench.open()
    socket.ask("subscribe", channel="ticker", symbol=["BTC/USD"])
    socket.frames()
    bench.exchange.fault(Fault(kind="delay", when="after", ms=1500), bench.now)
    ticket = bench.ticket("Balance")
    arm(bench, ms=-3_600_000)
    bench.wait(1.499)
    assert (False, 1) == (ticket.ready(bench.now), len(socket.frames("heartbeat")))
    bench.wait(0.001)
    assert ticket.ready(bench.now)


@pytest.mark.parametrize("ms", [-3_600_000, 0, 3_600_000])
def test_tokens_live_by_the_exchanges_clock(ms):
    """A token made and used under one reading of the clock is good, however far that is off."""
    socket = skewed(ms).executions()
    assert [True] == [frame["success"] for frame in socket.frames() if frame.get("method") == "subscribe"]


def test_unused_token_dies_when_the_clock_leaps():
    """Put forward past a token's quarter of an hour, the clock ends it."""
    bench = skewed(0)
    token = bench.ok("GetWebSocketsToken")["token"]
    arm(bench, ms=900_000)
    socket = bench.open("private")
    socket.ask("subscribe", channel="executions", token=token)
    assert "ESession:Invalid session" == socket.frames()[-1]["error"]


def test_skew_ends_by_itself_or_when_cleared():
    """With for_ms the clock is right again afterwards; clearing sets it right at once; the last skew counts."""
    bench = skewed(5000)
    arm(bench, ms=9000, for_ms=3000)
    assert 9 == clock(bench)
    bench.wait(3)
    assert 3 + 5 == clock(bench)
    bench.exchange.clear_faults(bench.now)
    assert 3 == clock(bench)


def test_skew_is_drawn_once():
    """With a spread the clock is off by one drawn amount, the same all the time, another for another seed."""
    seen = []
    for seed in (1, 1, 2):
        bench = Bench(pairs=("BTC/USD",), warm_up_s=0, seed=seed)
        arm(bench, ms=-5000, spread_ms=10_000)
        off = bench.venue.dial.skew
        bench.wait(1)
        assert off == bench.venue.dial.skew
        assert -5 * NS <= off <= 5 * NS
        seen.append(off)
    assert (seen[0], True) == (seen[1], seen[0] != seen[2])


@pytest.mark.parametrize("ms", [-86_400_000, 86_400_000])
def test_a_running_market_survives_a_leap_of_a_day(ms):
    """A clock put a day off in the middle of trading breaks no view of the market and no rule of the ledger."""
    bench = Bench(frozen=False, pairs=("BTC/USD",), warm_up_s=2)
    bench.wait(5)
    arm(bench, ms=ms)
    bench.wait(5)
    bench.order(ordertype="market", volume="0.1")
    for call, more in (("Ticker", {}), ("OHLC", {"interval": 1}), ("OHLC", {"interval": 1440}), ("Trades", {})):
        assert [] == bench.public(call, pair="XBTUSD", **more)["error"]
    socket = bench.open()
    socket.ask("subscribe", channel="ohlc", symbol=["BTC/USD"])
    bench.wait(3)
    assert socket.frames("ohlc")
    bench.venue.engine.prove()


def test_dial_reads_and_owns():
    """The two clocks are turned into one another without loss."""
    dial = Dial()
    dial.skew = -7
    assert (93, 100) == (dial.reads(100), dial.owners(dial.reads(100)))
