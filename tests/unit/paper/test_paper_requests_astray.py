"""Requests astray: doubled, overtaken, matched late, their good nonce refused; each exactly as asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.paper.chance import stream
from execsvc.paper.faultplan import FaultPlan
from execsvc.paper.mishap import Fault
from execsvc.paper.restface import Reply
from execsvc.paper.traffic import Cut
from tests.unit.paper.paperbench import NS, Bench, read

ORDER = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "90000", "volume": "0.1"}
MS = NS // 1000


def arm(bench, **fault):
    bench.exchange.fault(Fault(**fault), bench.now)


def accepted(bench):
    return len(list(bench.venue.orders.accepted()))


def errors(bench):
    return [record.error for record in bench.exchange.traffic.calls]


def heard(bench):
    return [record.answered for record in bench.exchange.traffic.calls]


@pytest.fixture
def bench():
    return Bench(pairs=("BTC/USD",), warm_up_s=0, tier="unlimited")


def test_first_copy_is_answered_unless_asked(bench):
    """Of two copies the client hears of the first: the order is placed and it knows."""
    arm(bench, kind="duplicate", call="AddOrder")
    assert [] == bench.private("AddOrder", **ORDER)["error"]
    assert ([True, False], ["", "EAPI:Invalid nonce"]) == (heard(bench), errors(bench))


def test_second_copy_is_answered(bench):
    """A proxy that repeats shows the second answer: the nonce is spent, and yet there is an order."""
    arm(bench, kind="duplicate", call="AddOrder", answer="second")
    assert ["EAPI:Invalid nonce"] == bench.private("AddOrder", **ORDER)["error"]
    assert 1 == accepted(bench)
    assert ([False, True], ["", "EAPI:Invalid nonce"]) == (heard(bench), errors(bench))


@pytest.mark.parametrize(("answer", "first_due"), [("first", 0), ("second", 3)])
def test_late_copy(bench, answer, first_due):
    """The copy arrives `ms` after the first; whoever waits for its answer waits as long."""
    arm(bench, kind="duplicate", call="AddOrder", answer=answer, ms=3000)
    ticket = bench.ticket("AddOrder", ORDER)
    assert (1, 1) == (accepted(bench), len(errors(bench)))
    assert (first_due == 0) == ticket.ready(bench.now)
    bench.wait(2.999)
    assert 1 == len(errors(bench))
    bench.wait(0.001)
    assert ["", "EAPI:Invalid nonce"] == errors(bench)
    assert ticket.ready(bench.now)


def test_second_answer_comes_while_the_first_copy_is_still_matched(bench):
    """Invalid nonce is heard at once, and the order enters seconds later: that answer proves nothing."""
    arm(bench, kind="slow_matching", ms=4000)
    arm(bench, kind="duplicate", call="AddOrder", answer="second")
    assert ["EAPI:Invalid nonce"] == read(bench.ticket("AddOrder", ORDER))["error"]
    assert 0 == accepted(bench)
    bench.wait(4)
    assert 1 == accepted(bench)


def test_copy_of_a_lost_request_still_arrives(bench):
    """A first copy lost on its way, repeated by the proxy: the second places the order and is answered."""
    arm(bench, kind="request_lost", call="AddOrder")
    arm(bench, kind="duplicate", call="AddOrder", answer="second", ms=100)
    ticket = bench.ticket("AddOrder", ORDER)
    bench.wait(0.1)
    assert ([], 1) == (read(ticket)["error"], accepted(bench))


def test_client_of_a_lost_first_copy_sees_the_cut(bench):
    """When the first copy's fate is what the client sees, the connection is cut and the order comes in later."""
    arm(bench, kind="request_lost", call="AddOrder")
    arm(bench, kind="duplicate", call="AddOrder", ms=100)
    assert Cut() == bench.ticket("AddOrder", ORDER).outcome
    bench.wait(0.1)
    assert 1 == accepted(bench)


@pytest.mark.parametrize(
    ("kind", "applied", "orders", "seen"),
    [
        ("bad_gateway", False, 1, b"txid"),
        ("bad_gateway", True, 1, b"502 Bad Gateway"),
        ("error", False, 0, b"EAPI:Invalid nonce"),
        ("error", True, 1, b"EService:Unavailable"),
    ],
)
def test_harm_of_two_copies(bench, kind, applied, orders, seen):
    """What is not applied is the first copy's lot; what is applied befalls the answer the client sees."""
    arm(bench, kind=kind, call="AddOrder", applied=applied)
    arm(bench, kind="duplicate", call="AddOrder", answer="second")
    assert seen in bench.ticket("AddOrder", ORDER).outcome.body
    assert orders == accepted(bench)


def test_lost_reply_of_the_second_copy(bench):
    """A reply lost after applying is the seen one's: with the second copy seen, that is cut."""
    arm(bench, kind="reply_lost_after_apply", call="AddOrder")
    arm(bench, kind="duplicate", call="AddOrder", answer="second", ms=50)
    ticket = bench.ticket("AddOrder", ORDER)
    assert (None, 1) == (ticket.outcome, accepted(bench))
    bench.wait(0.05)
    assert Cut() == ticket.outcome
    assert [False, False] == heard(bench)


def test_slow_matching_looks_at_the_deadline_late(bench):
    """Key and nonce pass at once, the engine looks at the deadline when it gets to the order, the answer comes then."""
    for ms, error in ((10_000, ["EService:Deadline elapsed"]), (9_999, [])):
        bench = Bench(pairs=("BTC/USD",), warm_up_s=0)
        arm(bench, kind="slow_matching", ms=ms)
        ticket = bench.ticket("AddOrder", ORDER | {"deadline": "2026-01-01T00:00:10Z"}, nonce=5000)
        assert (5000, None) == (bench.key.nonce, ticket.outcome)
        bench.wait(ms / 1000)
        assert error == read(ticket)["error"]


def test_slow_matching_is_about_the_engine(bench):
    """Queries do not wait for a slow engine; cancels do."""
    arm(bench, kind="slow_matching", ms=1000, skip=1)
    txid = bench.order(price="90000")
    assert [txid] == list(bench.ok("OpenOrders")["open"])
    ticket = bench.ticket("CancelOrder", {"txid": txid})
    assert ticket.outcome is None
    bench.wait(1)
    assert {"count": 1} == read(ticket)["result"]


@given(
    seed=st.integers(0, 2**32),
    ms=st.integers(0, 500),
    spread=st.integers(0, 500),
    kind=st.sampled_from([("delay", "wire"), ("delay", "before"), ("delay", "after"), ("slow_matching", "before")]),
)
def test_delays_are_drawn_from_their_span(seed, ms, spread, kind):
    """Each occasion draws from ms to ms + spread_ms, and the same seed draws the same."""
    name, stage = kind
    drawn = []
    for _ in range(2):
        plan = FaultPlan(stream(seed, "mishaps"))
        plan.add(Fault(kind=name, when=stage, ms=ms, spread_ms=spread, times="always"), 0)
        drawn.append([getattr(plan.fate("AddOrder", 0, private=True), stage) for _ in range(5)])
    assert drawn[0] == drawn[1]
    assert all(ms * MS <= delay <= (ms + spread) * MS for delay in drawn[0])
    assert (spread > 0) == (len(set(drawn[0])) > 1)


def test_draws_fill_their_span():
    """Over a thousand draws both ends of the span are nearly reached, and the middle is the mean."""
    plan = FaultPlan(stream(3, "mishaps"))
    plan.add(Fault(kind="delay", when="after", ms=100, spread_ms=200, times="always"), 0)
    drawn = [plan.fate("Balance", 0, private=True).after / MS for _ in range(1000)]
    assert (min(drawn) < 102, max(drawn) > 298, 190 < sum(drawn) / 1000 < 210) == (True, True, True)


def test_delays_of_one_stage_add_up(bench):
    """A usual latency and a rare long one on the same stage are both waited for."""
    arm(bench, kind="delay", when="after", ms=20, times="always")
    arm(bench, kind="delay", when="after", ms=500)
    ticket = bench.ticket("Balance")
    assert [False, True] == [ticket.ready(bench.now + ms * MS) for ms in (519, 520)]
    assert 20 * MS == bench.ticket("Balance").due - bench.now


def test_requests_overtake_one_another(bench):
    """With the way drawn per request some arrive out of turn, and those have nonces too low."""
    arm(bench, kind="delay", when="wire", ms=1, spread_ms=200, times="always")
    tickets = []
    for _ in range(20):
        tickets.append(bench.ticket("AddOrder", ORDER))
        bench.wait(0.02)
    bench.wait(1)
    refused = [read(ticket)["error"] == ["EAPI:Invalid nonce"] for ticket in tickets]
    nonces = [int(record.nonce) for record in bench.exchange.traffic.calls]
    assert nonces != sorted(nonces)
    assert accepted(bench) == refused.count(False)
    assert 3 < refused.count(True) < 17


def test_faults_draw_from_streams_of_their_own():
    """Arming another fault afterwards shifts no draw of the first."""
    alone, joined = (FaultPlan(stream(5, "mishaps")) for _ in range(2))
    for plan in (alone, joined):
        plan.add(Fault(kind="delay", when="wire", ms=0, spread_ms=100, times="always"), 0)
    joined.add(Fault(kind="error", rate=0.5, times="always"), 0)
    drawn = [[plan.fate("AddOrder", 0, private=True).wire for _ in range(50)] for plan in (alone, joined)]
    assert drawn[0] == drawn[1]


def test_always_means_until_cleared(bench):
    """A counted kind armed for always strikes every time and says so."""
    arm(bench, kind="error", call="Balance", times="always")
    assert {True} == {bool(bench.private("Balance")["error"]) for _ in range(20)}
    assert [None] == [row["left"] for row in bench.venue.faults.listed(bench.now)]
    bench.exchange.clear_faults(bench.now)
    assert [] == bench.private("Balance")["error"]


@pytest.mark.parametrize(("spent", "again"), [(True, ["EAPI:Invalid nonce"]), (False, [])])
def test_good_nonce_refused(bench, spent, again):
    """A good nonce is refused with nothing applied; whether it may be used again is choosable, it may not by default."""
    arm(bench, kind="nonce_refused", call="AddOrder", **({} if spent else {"spent": False}))
    assert ["EAPI:Invalid nonce"] == read(bench.ticket("AddOrder", ORDER, nonce=7000))["error"]
    assert (0, 7000 if spent else 0) == (accepted(bench), bench.key.nonce)
    assert again == read(bench.ticket("AddOrder", ORDER, nonce=7000))["error"]


def test_refused_nonce_hides_no_worse_mistake(bench):
    """A wrong signature is still a wrong signature."""
    arm(bench, kind="nonce_refused", call="AddOrder")
    ticket = bench.ticket("AddOrder", ORDER, headers={"api-sign": "AAAA"})
    assert ["EAPI:Invalid signature"] == read(ticket)["error"]


def test_nonce_refused_to_the_first_copy_only(bench):
    """Refused unspent and repeated by a proxy, the second copy's nonce is good and its order placed."""
    arm(bench, kind="nonce_refused", call="AddOrder", spent=False)
    arm(bench, kind="duplicate", call="AddOrder", ms=500)
    assert ["EAPI:Invalid nonce"] == read(bench.ticket("AddOrder", ORDER))["error"]
    bench.wait(0.5)
    assert 1 == accepted(bench)


def test_copy_waits_for_a_slow_engine_too(bench):
    """A copy that is let in gets to the engine as late as the first would have."""
    arm(bench, kind="nonce_refused", call="AddOrder", spent=False)
    arm(bench, kind="slow_matching", ms=2000)
    arm(bench, kind="duplicate", call="AddOrder")
    bench.ticket("AddOrder", ORDER)
    bench.wait(1.999)
    assert 0 == accepted(bench)
    bench.wait(0.001)
    assert 1 == accepted(bench)


@pytest.mark.parametrize(
    "wrong",
    [{"ms": -1}, {"spread_ms": -1}, {"skip": -1}, {"times": -1}, {"for_ms": -1}, {"rate": -0.1}, {"rate": 1.1}],
)
def test_figures_that_cannot_be_meant(wrong):
    """A fault with a figure that cannot be meant is refused where it is made."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Fault(kind="delay", **wrong)


def test_for_ms_ends_a_counted_fault(bench):
    """A fault that was to strike always ends with its time."""
    arm(bench, kind="error", call="Balance", times="always", for_ms=1000)
    bench.wait(0.999)
    assert bench.private("Balance")["error"]
    bench.wait(0.001)
    assert [] == bench.private("Balance")["error"]


def test_public_calls_may_be_doubled(bench):
    """A doubled public call is answered once, and is no private call to be noted."""
    arm(bench, kind="duplicate", call="Time", answer="second")
    assert [] == bench.public("Time")["error"]
    assert [] == list(bench.exchange.traffic.calls)


def test_copy_is_not_copied_again(bench):
    """A copy is one copy."""
    arm(bench, kind="duplicate", call="AddOrder", times="always")
    assert isinstance(bench.ticket("AddOrder", ORDER).outcome, Reply)
    assert 2 == len(errors(bench))
