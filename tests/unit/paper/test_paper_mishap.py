"""Mishaps: each does exactly what it says, as often as it says, and nothing goes wrong unasked."""

from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.paper import mishap
from execsvc.paper.chance import stream
from execsvc.paper.faultplan import FaultPlan
from execsvc.paper.mishap import Fate, Fault, Kind
from execsvc.paper.traffic import Cut
from tests.unit.paper.paperbench import NS, Bench, read


def arm(bench, **fault):
    bench.exchange.fault(Fault(**fault), bench.now)


def accepted(bench):
    return len(list(bench.venue.orders.accepted()))


ORDER = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "90000", "volume": "0.1"}


def test_lost_request(bench):
    """A lost request is never applied nor answered, and its nonce is still unused."""
    arm(bench, kind="request_lost", call="AddOrder")
    assert Cut() == bench.ticket("AddOrder", ORDER, nonce=5000).outcome
    assert 0 == accepted(bench)
    assert [] == read(bench.ticket("AddOrder", ORDER, nonce=5000))["error"]


def test_lost_reply(bench):
    """A lost reply leaves the order placed, and the nonce spent."""
    arm(bench, kind="reply_lost_after_apply", call="AddOrder")
    assert Cut() == bench.ticket("AddOrder", ORDER, nonce=5000).outcome
    assert 1 == accepted(bench)
    assert ["EAPI:Invalid nonce"] == read(bench.ticket("AddOrder", ORDER, nonce=5000))["error"]
    assert [True, False] == [record.applied for record in bench.exchange.traffic.calls]
    assert [False, True] == [record.answered for record in bench.exchange.traffic.calls]


@pytest.mark.parametrize(("applied", "orders"), [(False, 0), (True, 1)])
@pytest.mark.parametrize("status", [502, 520])
def test_html_page(bench, applied, orders, status):
    """A page of the edge server comes with its HTTP status, whether the order was placed or not."""
    arm(bench, kind="bad_gateway", call="AddOrder", applied=applied, http_status=status)
    outcome = bench.ticket("AddOrder", ORDER).outcome
    assert (status, "text/html", True) == (
        outcome.status,
        outcome.headers["content-type"],
        outcome.body.startswith(b"<html>"),
    )
    assert orders == accepted(bench)


@pytest.mark.parametrize(("applied", "orders"), [(False, 0), (True, 1)])
def test_error_instead_of_the_answer(bench, applied, orders):
    """An error can stand for the answer, the order placed or not."""
    arm(bench, kind="error", call="AddOrder", error="EService:Busy", applied=applied)
    assert "EService:Busy" == bench.error("AddOrder", **ORDER)
    assert orders == accepted(bench)


def test_delay_before_the_exchange_reads(bench):
    """Delayed on the wire, the request is checked when it arrives: a deadline now too near is refused there."""
    arm(bench, kind="delay", call="AddOrder", when="wire", ms=9000)
    ticket = bench.ticket("AddOrder", ORDER | {"deadline": "2026-01-01T00:00:10Z"})
    bench.wait(8.999)
    assert ticket.outcome is None
    bench.wait(0.001)
    assert ["EGeneral:Invalid arguments:deadline"] == read(ticket)["error"]


def test_delay_before_the_engine(bench):
    """Delayed before matching, an order whose deadline has passed by then is refused as elapsed."""
    for ms, error in ((10_000, ["EService:Deadline elapsed"]), (9_999, [])):
        bench = Bench(pairs=("BTC/USD",))
        arm(bench, kind="delay", call="AddOrder", when="before", ms=ms)
        ticket = bench.ticket("AddOrder", ORDER | {"deadline": "2026-01-01T00:00:10Z"})
        assert 0 == accepted(bench)
        bench.wait(10)
        assert error == read(ticket)["error"]


def test_delayed_request_is_overtaken(bench):
    """A request delayed on the wire arrives after a later one, and its nonce is too low by then."""
    arm(bench, kind="delay", call="AddOrder", when="wire", ms=500)
    late = bench.ticket("AddOrder", ORDER)
    bench.ok("Balance")
    bench.wait(0.5)
    assert ["EAPI:Invalid nonce"] == read(late)["error"]
    assert 0 == accepted(bench)


def test_delayed_answer(bench):
    """Delayed after, the order is placed at once and heard of later."""
    arm(bench, kind="delay", call="AddOrder", when="after", ms=700)
    ticket = bench.ticket("AddOrder", ORDER)
    assert 1 == accepted(bench)
    assert [False, True] == [ticket.ready(bench.now + int(second * NS)) for second in (0.699, 0.7)]


def test_duplicate_delivery_places_once(bench):
    """The same bytes twice place one order: the second has a spent nonce."""
    arm(bench, kind="duplicate", call="AddOrder")
    bench.ok("AddOrder", **ORDER)
    assert 1 == accepted(bench)
    assert ["", "EAPI:Invalid nonce"] == [record.error for record in bench.exchange.traffic.calls]


def test_duplicate_delivery_within_a_nonce_window():
    """Even with a nonce window the same nonce does not pass twice."""
    bench = Bench(pairs=("BTC/USD",), nonce_window=10)
    arm(bench, kind="duplicate", call="AddOrder")
    bench.ok("AddOrder", **ORDER)
    assert 1 == accepted(bench)


def test_faults_combine(bench):
    """A slow engine and a lost reply together: nothing is heard, and the order is placed late."""
    arm(bench, kind="delay", call="AddOrder", ms=3000)
    arm(bench, kind="reply_lost_after_apply", call="AddOrder")
    ticket = bench.ticket("AddOrder", ORDER)
    assert (None, 0) == (ticket.outcome, accepted(bench))
    bench.wait(3)
    assert (Cut(), 1) == (ticket.outcome, accepted(bench))


def test_times_and_skip(bench):
    """A fault lets `skip` calls pass, strikes `times`, and is gone; other calls never notice."""
    arm(bench, kind="error", call="Balance", skip=2, times=2)
    errors = []
    for _ in range(6):
        assert [] == bench.private("BalanceEx")["error"]
        errors.append(bool(bench.private("Balance")["error"]))
    assert [False, False, True, True, False, False] == errors
    assert [] == bench.venue.faults.listed(bench.now)


@pytest.mark.parametrize(("call", "private", "public"), [("", True, False), ("*", True, True), ("Time", False, True)])
def test_scope(bench, call, private, public):
    """Without a call a fault is about private calls, with a star about all."""
    arm(bench, kind="error", call=call, times=9)
    assert private == bool(bench.private("Balance")["error"])
    assert public == bool(bench.public("Time")["error"])


@given(st.integers(0, 2**32), st.floats(0.05, 0.95))
def test_rate_is_seeded(seed, rate):
    """A fault with a rate strikes at random, but the same calls each time."""
    struck = []
    for _ in range(2):
        plan = FaultPlan(stream(seed, "mishaps"))
        plan.add(Fault(kind="error", rate=rate, times=1000), 0)
        struck.append([plan.fate("Balance", 0, private=True) != Fate() for _ in range(30)])
    assert struck[0] == struck[1]


def test_mishaps_of_an_exchange_are_seeded():
    """Two exchanges of one seed have the same bad luck."""
    luck = []
    for _ in range(2):
        bench = Bench(pairs=("BTC/USD",), tier="unlimited")
        arm(bench, kind="error", rate=0.5, times=1000)
        luck.append([bool(bench.private("Balance")["error"]) for _ in range(40)])
    assert luck[0] == luck[1]


def test_rate_is_a_rate():
    """Over a thousand calls a rate of a quarter strikes about a quarter."""
    plan = FaultPlan(stream(1, "mishaps"))
    plan.add(Fault(kind="error", rate=0.25, times=1000), 0)
    hits = sum(plan.fate("Balance", 0, private=True) != Fate() for _ in range(1000))
    assert 200 < hits < 300


def test_plan_is_bounded():
    """A thousand armed faults are enough."""
    plan = FaultPlan(stream(1, "mishaps"))
    for _ in range(1000):
        plan.add(Fault(kind="error"), 0)
    with pytest.raises(ValueError, match="1000 faults"):
        plan.add(Fault(kind="error"), 0)


def following(bench, *channels, symbols=("BTC/USD", "ETH/USD")):
    socket = bench.open()
    for channel in channels:
        socket.ask("subscribe", channel=channel, symbol=list(symbols))
    socket.frames()
    return socket


def stir(bench, symbol="BTC/USD"):
    half = bench.venue.listing(symbol).book.asks
    bench.take("buy", f"{half.levels[half.best()].qty / 10**8:.8f}", symbol=symbol)


def test_frozen_feed(bench):
    """A frozen symbol sends no news while others and heartbeats go on; thawed, its book is whole again."""
    from tests.unit.paper.test_paper_checksum import Reader

    socket = bench.open()
    socket.ask("subscribe", channel="book", symbol=["BTC/USD", "ETH/USD"])
    reader = Reader(10)
    for text in socket.texts():
        if '"BTC/USD"' in text and "checksum" in text:
            reader.read(text)
    arm(bench, kind="feed_frozen", symbol="BTC/USD")
    stir(bench)
    stir(bench, "ETH/USD")
    assert ["ETH/USD"] == [frame["data"][0]["symbol"] for frame in socket.frames("book")]
    bench.wait(2)
    assert 2 == len(socket.frames("heartbeat"))
    bench.exchange.clear_faults(bench.now)
    reader.read(socket.texts()[0])
    assert list(reader.sides["asks"].items()) == bench.venue.listing("BTC/USD").book.asks.top(10)


def test_frozen_channel(bench):
    """A single channel can freeze."""
    socket = following(bench, "book", "ticker")
    arm(bench, kind="feed_frozen", channel="book")
    stir(bench)
    assert ["ticker"] == [frame["channel"] for frame in socket.frames()]


def test_freeze_ends_by_itself(bench):
    """With for_ms a lasting fault ends on its own."""
    socket = following(bench, "ticker")
    arm(bench, kind="feed_frozen", for_ms=3000)
    stir(bench)
    assert [] == socket.frames("ticker")
    bench.wait(3)
    stir(bench)
    assert 1 == len(socket.frames("ticker"))


def test_silent_feed(bench):
    """On a silent line nothing comes at all, no heartbeat, no pong; the other kind of line is untouched."""
    public, private = following(bench, "ticker"), bench.executions()
    private.frames()
    arm(bench, kind="feed_silent", line="public")
    stir(bench)
    public.ask("ping", 1)
    bench.wait(3)
    assert [] == public.frames()
    assert 3 == len(private.frames("heartbeat"))
    bench.exchange.clear_faults(bench.now)
    bench.wait(1)
    assert 1 == len(public.frames("heartbeat"))


def test_wrong_checksum_once(bench):
    """The next update of the symbol has a wrong checksum, the one after a right one again."""
    from tests.unit.paper.test_paper_checksum import Reader

    socket = bench.open()
    socket.ask("subscribe", channel="book", symbol=["BTC/USD"])
    reader = Reader(10)
    reader.read(socket.texts()[-1])
    arm(bench, kind="checksum_wrong", symbol="BTC/USD")
    stir(bench)
    with pytest.raises(AssertionError):
        reader.read(socket.texts()[-1])
    stir(bench)
    reader.read(socket.texts()[-1])


def test_lost_update_is_seen_at_the_next_checksum(bench):
    """An update that never comes makes the reader's next checksum wrong."""
    from tests.unit.paper.test_paper_checksum import Reader

    socket = bench.open()
    socket.ask("subscribe", channel="book", symbol=["BTC/USD"])
    reader = Reader(10)
    reader.read(socket.texts()[-1])
    arm(bench, kind="update_lost", symbol="BTC/USD")
    stir(bench)
    assert [] == socket.texts()
    stir(bench)
    with pytest.raises(AssertionError):
        reader.read(socket.texts()[-1])


def test_skipped_sequence_number(bench):
    """An executions message skips one number, once."""
    socket = bench.executions()
    socket.frames()
    arm(bench, kind="skip_sequence")
    bench.order(price="90000")
    assert [3, 4] == [frame["sequence"] for frame in socket.frames("executions")]


@pytest.mark.parametrize(("line", "closed"), [("public", [1012, None]), ("private", [None, 1012]), ("", [1012, 1012])])
def test_dropped_lines(bench, line, closed):
    """Connections of one kind, or all, are closed at once."""
    lines = [bench.open("public").line, bench.open("private").line]
    arm(bench, kind="drop_ws", line=line)
    assert closed == [one.closed for one in lines]


def test_refused_line(bench):
    """The next connection is hung up on without a word, the one after is served."""
    arm(bench, kind="refuse_ws", line="private")
    public, first, second = bench.open("public"), bench.open("private"), bench.open("private")
    assert [None, 1013, None] == [socket.line.closed for socket in (public, first, second)]
    assert [] == first.texts()


def test_maintenance_until_cleared(bench):
    """In maintenance private calls are unavailable, their nonces spent; clearing faults ends it, and both are told."""
    socket = bench.open()
    socket.frames()
    arm(bench, kind="maintenance")
    assert "EService:Unavailable" == bench.error("AddOrder", **ORDER)
    bench.exchange.clear_faults(bench.now)
    assert [] == bench.private("AddOrder", **ORDER)["error"]
    assert ["maintenance", "online"] == [frame["data"][0]["system"] for frame in socket.frames("status")]


def test_nothing_goes_wrong_unasked():
    """Without a fault every call is answered, and in the same instant."""
    bench = Bench(pairs=("BTC/USD",), tier="unlimited")
    for _ in range(200):
        ticket = bench.ticket("Balance")
        assert (True, []) == (ticket.ready(bench.now), read(ticket)["error"])


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_mishap_is_described(kind):
    """Whatever can be armed is in the table of the module and in that of the page."""
    page = (Path(__file__).parents[3] / "docs" / "paper.md").read_text()
    assert f" {kind}" in mishap.__doc__
    assert f"`{kind}`" in page[page.index("## Mishaps") : page.index("## Inside another program")]
