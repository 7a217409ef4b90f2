"""What the exchange tells of its counters: on the executions channel to a client, on the control port to anyone."""

import json

import pytest

from execsvc.paper.control import answer_control
from tests.unit.paper.paperbench import Bench

RESTING = {"price": "80000", "volume": "0.001"}


def limits(bench, method="GET"):
    status, answer = answer_control(bench.exchange, method, "/limits", b"", bench.now)
    assert 200 == status, answer
    return json.loads(answer)


def told(socket):
    """Kind and counter of every row heard since."""
    return [
        (row["exec_type"], row.get("ratecounter")) for frame in socket.frames("executions") for row in frame["data"]
    ]


@pytest.mark.parametrize(
    ("tier", "figure"), [("starter", 60), ("intermediate", 125), ("pro", 180), ("unlimited", 10**9)]
)
def test_acknowledged_maximum(tier, figure):
    """The acknowledgement carries the threshold of the tier."""
    socket = Bench(pairs=("BTC/USD",), warm_up_s=0, tier=tier).executions()
    assert figure == socket.frames()[1]["result"]["maxratecount"]


def test_rows_carry_the_counter_when_asked(ladder):
    """Each row carries the pair's counter as it was after the event."""
    socket = ladder.executions(ratecounter=True)
    socket.frames()
    txid = ladder.order(price="95", volume="1")
    assert [("pending_new", 1), ("new", 1)] == told(socket)
    ladder.wait(5)
    ladder.ok("CancelOrder", txid=txid)
    assert [("canceled", 6)] == told(socket)
    ladder.order(ordertype="market", volume="1")
    assert [("pending_new", 7), ("new", 7), ("trade", 7), ("filled", 7)] == told(socket)


def test_row_of_a_stranger(ladder):
    """A fill long after is told with what has decayed by then, exactly."""
    socket = ladder.executions(ratecounter=True)
    for _ in range(5):
        ladder.order(price="100.5", volume="0.1")
    socket.frames()
    ladder.wait(1)
    ladder.take("sell", "0.1", "100.5")
    (frame,) = [text for text in socket.texts() if '"executions"' in text and '"trade"' in text]
    assert '"ratecounter":2.66}' in frame


def test_rows_of_one_call_differ(ladder):
    """Where one cancel ends several orders, each row has the counter after that order's share."""
    for _ in range(3):
        ladder.order(price="95", volume="0.1", userref="7")
    socket = ladder.executions(ratecounter=True)
    socket.frames()
    ladder.ok("CancelOrder", txid="7")
    assert [("canceled", 11), ("canceled", 19), ("canceled", 27)] == told(socket)


def test_snapshot_carries_the_counter_of_now(ladder):
    """Rows of a snapshot, orders and fills, carry the counter as it is now."""
    ladder.order(price="95", volume="1")
    ladder.order(ordertype="market", volume="1")
    ladder.wait(0.5)
    assert [("new", 2), ("trade", 2)] == told(ladder.executions(ratecounter=True, snap_trades=True))


@pytest.mark.parametrize("params", [{}, {"ratecounter": False}, {"ratecounter": "true"}])
def test_rows_carry_no_counter_unasked(ladder, params):
    """Who did not ask is told nothing."""
    socket = ladder.executions(**params)
    ladder.order(price="95", volume="1")
    assert [("pending_new", None), ("new", None)] == told(socket)


def test_figures_of_a_key(bench):
    """The control port tells level, peak, charges and refusals of every key's calls."""
    other = bench.venue.keys.make("other", bench.key.permissions, now=bench.now)
    bench.ok("TradesHistory")
    bench.ok("Balance")
    bench.wait(4)
    assert {
        "name": "paper",
        "level": 1,
        "max": 20,
        "decay_per_second": 0.5,
        "peak": 3,
        "charged": 3,
        "refused": 0,
        "utilisation": round(3 / 22, 6),
        "since": "2026-01-01T00:00:00.000000Z",
    } == limits(bench)["keys"][bench.key.api_key]
    assert ("other", 0, 0.0, None) == tuple(
        limits(bench)["keys"][other.api_key][name] for name in ("name", "charged", "utilisation", "since")
    )


def test_figures_of_a_pair(bench):
    """And of every pair's orders, open ones too."""
    bench.wait(2)
    first = bench.order(**RESTING)
    for _ in range(3):
        bench.order(**RESTING)
    bench.wait(1)
    bench.ok("CancelOrder", txid=first)
    assert {
        "level": 9.66,
        "max": 125,
        "decay_per_second": 2.34,
        "peak": 9.66,
        "charged": 12,
        "refused": 0,
        "utilisation": round(12 / 127.34, 6),
        "since": "2026-01-01T00:00:02.000000Z",
        "open_orders": 3,
        "open_peak": 4,
        "open_refused": 0,
        "max_open_orders": 80,
    } == limits(bench)["pairs"]["BTC/USD"]
    assert {"BTC/USD", "ETH/USD", "ETH/BTC"} == set(limits(bench)["pairs"])


def test_refusals_are_counted():
    """Calls, orders and open orders that found no room are counted each in its place."""
    bench = Bench(pairs=("BTC/USD",), warm_up_s=0, levels=3)
    for _ in range(23):
        bench.private("Balance")
    for _ in range(130):
        bench.private("AddOrder", pair="XBTUSD", type="buy", ordertype="limit", **RESTING)
    row, key = limits(bench)["pairs"]["BTC/USD"], limits(bench)["keys"][bench.key.api_key]
    assert (3, 20, 20) == (key["refused"], key["charged"], key["level"])
    assert (5, 125, 45, 80) == tuple(row[name] for name in ("refused", "charged", "open_refused", "open_peak"))


def test_penalty_is_no_charge(bench):
    """What a refused call raises the counter by was not used by anyone."""
    for _ in range(19):
        bench.ok("Balance")
    bench.error("TradesHistory")
    key = limits(bench)["keys"][bench.key.api_key]
    assert (20, 20, 19, 0.95) == tuple(key[name] for name in ("level", "peak", "charged", "utilisation"))


def test_measuring_anew(bench):
    """A new window begins with the levels as they are and every other figure at zero."""
    for _ in range(5):
        bench.order(**RESTING)
        bench.ok("Balance")
    bench.wait(2)
    anew = limits(bench, "POST")
    for row in (anew["keys"][bench.key.api_key], anew["pairs"]["BTC/USD"]):
        assert (0, 0, 0.0, "2026-01-01T00:00:02.000000Z") == tuple(
            row[name] for name in ("charged", "refused", "utilisation", "since")
        )
    assert (0.32, 0.32, 5, 5) == tuple(
        anew["pairs"]["BTC/USD"][name] for name in ("level", "peak", "open_orders", "open_peak")
    )
    assert (4, 4) == tuple(anew["keys"][bench.key.api_key][name] for name in ("level", "peak"))
    bench.order(**RESTING)
    assert (1.32, 1, 6) == tuple(limits(bench)["pairs"]["BTC/USD"][name] for name in ("level", "charged", "open_peak"))


def test_tier_and_time_are_told(bench):
    """The figures say of which tier they are, and when."""
    bench.wait(1)
    assert ("intermediate", "2026-01-01T00:00:01.000000Z") == tuple(limits(bench)[name] for name in ("tier", "time"))


def test_most_open_orders_of_a_window(bench):
    """The peak of open orders starts anew from those that are open."""
    ids = [bench.order(**RESTING) for _ in range(4)]
    for txid in ids[:3]:
        bench.ok("CancelOrder", txid=txid)
    peaks = [limits(bench, method)["pairs"]["BTC/USD"]["open_peak"] for method in ("GET", "POST")]
    bench.order(**RESTING)
    assert [4, 1, 2] == [*peaks, limits(bench)["pairs"]["BTC/USD"]["open_peak"]]


async def test_limits_on_loopback(trader):
    """On real sockets the figures are asked for and set back like any other control."""
    await trader.call("Balance")
    assert 1 == (await trader.control("GET", "/limits"))["keys"][trader.server.api_key]["charged"]
    assert 0 == (await trader.control("POST", "/limits"))["keys"][trader.server.api_key]["charged"]
