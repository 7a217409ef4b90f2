"""Placing, over scripted HTTP in virtual time: one POST, and what becomes of it is a value."""

import asyncio

import pytest
from kraken_parts import PLACED, TXID, an_order, failing, live, placing, private_side, raising, sending, vector
from opentelemetry import metrics, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from execsvc.domain.errors import Broken, Busy, Fault, Reason
from execsvc.domain.market import Side
from execsvc.domain.spec import TimeInForce
from execsvc.domain.story import StepKind
from execsvc.ports import (
    Accepted,
    NotSentError,
    RefusedByVenue,
    Reply,
    ReplyLostError,
    Unknown,
    Unsent,
)
from execsvc.telemetry import Telemetry
from tests.support.net import ScriptedHttp, answer
from tests.support.simloop import SimClock, SimTasks, run_sim


def test_limit_order_as_kraken_reads_it():
    """Type, side, volume, pair, price, our id and a deadline; nothing that was not wished."""
    outcome, http = placing(lambda _: PLACED)
    params = http.sent[0].params
    assert Accepted(TXID) == outcome
    assert params.pop("nonce").isdecimal()
    assert len(params.pop("cl_ord_id")) == 36
    assert params == {
        "ordertype": "limit",
        "type": "buy",
        "volume": "1.25",
        "price": "37500",
        "pair": "XBTUSD",
        "deadline": "2026-09-21T14:13:24.999Z",
    }


def test_market_order_has_no_price_and_no_time_in_force():
    """A market order is what it is."""
    _, http = placing(lambda _: PLACED, price=None, side=Side.SELL, time_in_force=TimeInForce.IOC)
    params = http.sent[0].params
    assert (params["ordertype"], params["type"]) == ("market", "sell")
    assert not {"price", "timeinforce"} & params.keys()


def test_post_only_and_ioc_are_said():
    """oflags=post, timeinforce=IOC."""
    _, posted = placing(lambda _: PLACED, post_only=True)
    _, taken = placing(lambda _: PLACED, time_in_force=TimeInForce.IOC)
    assert posted.sent[0].params["oflags"] == "post"
    assert taken.sent[0].params["timeinforce"] == "IOC"


def test_deadline_is_in_krakens_clock_minus_the_uncertainty():
    """Kraken an hour ahead, known to half a second: its deadline is ours plus an hour minus half a second."""

    async def act(side, clock):
        now = clock.wall_ns()
        side._venue_time.observe(
            sent_ns=now, received_ns=now, earliest_ns=now + 3600 * 10**9, latest_ns=now + 3601 * 10**9
        )
        return await sending(side, an_order(clock), clock.monotonic() + 5)

    outcome, http = live(lambda _: PLACED, act, known_time=False)
    assert Accepted(TXID) == outcome
    assert http.calls("AddOrder")[0].params["deadline"] == "2026-09-21T15:13:24.999Z"


@pytest.mark.parametrize(
    ("script", "kind", "reason"),
    [
        (failing("EOrder:Insufficient funds"), RefusedByVenue, Reason.INSUFFICIENT_FUNDS),
        (failing("EOrder:Rate limit exceeded"), RefusedByVenue, Reason.VENUE_RATE_LIMITED),
        (failing("EGeneral:Temporary lockout"), RefusedByVenue, Reason.NOT_PLACED),
        (failing("EAPI:Invalid key"), RefusedByVenue, Reason.VENUE_CREDENTIALS_REJECTED),
        (lambda _: Reply(429, {}, b"<html>"), RefusedByVenue, Reason.VENUE_RATE_LIMITED),
        (raising(NotSentError("refused")), Unsent, Reason.VENUE_UNREACHABLE),
    ],
)
def test_certain_ends_of_a_placement(script, kind, reason):
    """What Kraken refused or what never left us is said so, once, with whether the id is used."""
    outcome, http = placing(script)
    assert (kind, reason) == (type(outcome), outcome.fault.reason)
    assert outcome.fault.metadata["id_used"] == ("true" if kind is RefusedByVenue else "false")
    assert len(http.sent) == 1


@pytest.mark.parametrize(
    "script",
    [
        failing("EAPI:Invalid nonce"),
        failing("EService:Unavailable"),
        failing("EOrder:Insufficient funds", "EGeneral:Internal error"),
        failing("ENew:Never heard of"),
        failing("EGeneral:Invalid arguments:cl_ord_id not unique"),
        raising(ReplyLostError("reset")),
        lambda _: Reply(502, {}, b"<html>"),
        lambda _: Reply(200, {}, b"<html>"),
        lambda _: Reply(200, {}, b'{"error":[],"result":{"tx'),
        lambda _: Reply(200, {}, b'{"error":[]}'),
        lambda _: answer({"txid": []}),
        lambda _: answer({"txid": ["A", "B"]}),
        lambda _: answer({"txid": "A"}),
        lambda _: answer([]),
    ],
)
def test_every_ambiguous_end_is_unknown_and_never_sent_again(script):
    """A doubt is a value, and one POST is all there ever is."""
    outcome, http = placing(script)
    assert isinstance(outcome, Unknown)
    assert len(http.sent) == 1


def test_refusal_carries_the_figures_of_its_reason():
    """Asset, minimum, tick, status: what the contract promises for the reason."""
    figures = {
        "EOrder:Insufficient funds": {"asset": "USD"},
        "EOrder:Order minimum not met": {"min_quantity": "0.0001", "symbol": "BTC/USD"},
        "EOrder:Cost minimum not met": {"min_cost": "0.5", "symbol": "BTC/USD"},
        "EOrder:Tick size check failed": {"increment": "0.1", "nearest": "37500.0", "symbol": "BTC/USD"},
        "EService:Market in post_only mode": {"status": "POST_ONLY", "symbol": "BTC/USD"},
        "EQuery:Unknown asset pair": {"suggestions": "BTC/USD", "symbol": "BTC/USD"},
    }
    told = {text: dict(placing(failing(text))[0].fault.metadata) for text in figures}
    for text, metadata in told.items():
        assert figures[text] | {"venue_error": text, "id_used": "true"} == metadata


def test_too_little_time_left_sends_nothing():
    """Under Kraken's least the order is not sent, and the least is told."""
    outcome, http = placing(lambda _: PLACED, entry_s=1.9)
    assert isinstance(outcome, Unsent)
    assert outcome.fault.reason is Reason.DEADLINE_TOO_SHORT
    assert {"least": "2.1s", "id_used": "false"} == outcome.fault.metadata
    assert http.sent == []


def test_order_whose_turn_comes_too_late_is_not_sent():
    """Time that runs out in the queue: the same reason, as soon as it is certain."""

    async def slow(sent):
        await asyncio.sleep(1.5)
        return PLACED

    async def act(side, clock):
        first = asyncio.ensure_future(sending(side, an_order(clock, "a"), clock.monotonic() + 5))
        await asyncio.sleep(0)
        late = await sending(side, an_order(clock, "b", entry_s=3.0), clock.monotonic() + 3)
        at = clock.monotonic()
        return await first, late, at

    (first, late, at), http = live(slow, act)
    assert Accepted(TXID) == first
    assert (Unsent, Reason.DEADLINE_TOO_SHORT) == (type(late), late.fault.reason)
    assert at == pytest.approx(0.9, abs=0.01)
    assert len(http.sent) == 1


def test_elapsed_deadline_is_believed_after_one_look():
    """Not found by id: refused. Found: placed. The look failed: unknown."""

    def script(*, found, look_fails=False):
        row = vector("rest_OpenOrders")["result"]["open"]["OQCLML-BW3P3-BUCMWZ"]

        def answer_to(sent):
            if sent.path.endswith("AddOrder"):
                script.wire_id = sent.params["cl_ord_id"]
                return answer(None, "EService:Deadline elapsed")
            if look_fails:
                return answer(None, "EGeneral:Permission denied")
            if sent.path.endswith("OpenOrders"):
                return answer({"open": {"OID": row | {"cl_ord_id": script.wire_id}} if found else {}})
            return answer({"closed": {}, "count": 0})

        return answer_to

    absent, http = placing(script(found=False))
    assert (RefusedByVenue, Reason.VENUE_DEADLINE_ELAPSED) == (type(absent), absent.fault.reason)
    assert ["AddOrder", "OpenOrders", "ClosedOrders"] == [sent.path.rsplit("/", 1)[1] for sent in http.sent]
    assert Accepted("OID") == placing(script(found=True))[0]
    assert isinstance(placing(script(found=False, look_fails=True))[0], Unknown)


def test_store_that_gives_no_nonce_sends_nothing():
    """Without a durable nonce block the order is unsent, with the store's reason."""

    async def act(side, clock):
        side._nonces._blocks.outage = Busy(Fault(Reason.STORE_UNAVAILABLE, "disk full"))
        return await sending(side, an_order(clock), clock.monotonic() + 5)

    outcome, http = live(lambda _: PLACED, act)
    assert (Unsent, Reason.STORE_UNAVAILABLE) == (type(outcome), outcome.fault.reason)
    assert http.sent == []


def test_broken_rule_of_ours_is_raised():
    """A nonce that would repeat is no refusal of the venue: the order stays as it was journaled, and the service stops."""

    async def act(side, clock):
        await side.balances(clock.monotonic() + 5)
        side._nonces._last = 2**64
        with pytest.raises(Broken):
            await sending(side, an_order(clock), clock.monotonic() + 5)

    _, http = live(lambda _: answer({}), act)
    assert http.calls("AddOrder") == []


def slowly(seconds, reply=PLACED):
    """Orders are answered after so long, everything else at once."""

    async def script(sent):
        if sent.path.endswith("AddOrder"):
            await asyncio.sleep(seconds)
        return reply if sent.path.endswith("AddOrder") else answer({})

    return script


def test_patience_of_two_seconds_ends_in_a_doubt_whose_answer_still_counts():
    """After two seconds the order is a doubt; what Kraken says at the fifth second is told all the same."""

    async def act(side, clock):
        outcome = await sending(side, an_order(clock), clock.monotonic() + 5)
        doubted_at = clock.monotonic()
        return outcome, doubted_at, await outcome.late, clock.monotonic()

    (outcome, doubted_at, late, answered_at), http = live(slowly(5.0), act)
    assert isinstance(outcome, Unknown)
    assert (2.0, Accepted(TXID), 5.0) == (doubted_at, late, answered_at)
    assert len(http.calls("AddOrder")) == 1


def test_an_answer_that_never_comes_ends_after_thirty_seconds():
    """The connection of an order in doubt is not kept for ever."""

    async def act(side, clock):
        outcome = await sending(side, an_order(clock), clock.monotonic() + 5)
        return await outcome.late

    class Http(ScriptedHttp):
        async def send(self, method, url, headers, body, timeout_s):
            await asyncio.sleep(timeout_s)
            raise ReplyLostError("timeout")

    async def run():
        clock, tasks = SimClock(), SimTasks()
        ended = await act(private_side(Http(None), clock, tasks), clock)
        return ended, clock.monotonic()

    ended, at = run_sim(run())
    assert isinstance(ended, Unknown)
    assert at == 30.0


def test_while_an_answer_is_overdue_the_lane_goes_on():
    """The next order leaves when the first one's patience is over, not when its answer comes."""

    async def act(side, clock):
        first = asyncio.ensure_future(sending(side, an_order(clock, "a"), clock.monotonic() + 5))
        await asyncio.sleep(0)
        await sending(side, an_order(clock, "b"), clock.monotonic() + 5)
        return await first

    _, http = live(slowly(9.0), act)
    assert [0.0, 2.0] == [sent.at for sent in http.calls("AddOrder")]


def test_a_refused_nonce_of_an_overtaken_order_is_no_alarm():
    """Its nonce is dead by our own doing: the block is not thrown away and the key is not suspected."""

    async def act(side, clock):
        troubles = []
        side.on_nonce_trouble(lambda: troubles.append(clock.monotonic()))
        for name in ("a", "b", "c"):
            outcome = await sending(side, an_order(clock, name), clock.monotonic() + 5)
            await outcome.late
        return troubles, side._nonces._block.left

    (troubles, left), _ = live(slowly(4.0, answer(None, "EAPI:Invalid nonce")), act)
    assert ([], 10_000 - 3) == (troubles, left)


def test_nonces_refused_twice_in_a_minute_raise_the_alarm():
    """Not overtaken, and refused again: somebody should look at the key."""

    async def act(side, clock):
        troubles = []
        side.on_nonce_trouble(lambda: troubles.append(clock.monotonic()))
        for name in ("a", "b"):
            await sending(side, an_order(clock, name), clock.monotonic() + 5)
        return troubles

    troubles, _ = live(failing("EAPI:Invalid nonce"), act)
    assert len(troubles) == 1


def test_what_is_forbidden_when_the_turn_has_come_does_not_leave():
    """The last word before the bytes leave is the caller's of this method."""

    async def act(side, clock):
        no = Fault(Reason.NOT_OWNER, "stood still")
        return await sending(side, an_order(clock), clock.monotonic() + 5, forbidden=lambda: no)

    outcome, http = live(lambda _: PLACED, act)
    assert Reason.NOT_OWNER is outcome.fault.reason
    assert [] == http.calls("AddOrder")


def test_steps_of_a_placement_are_noted():
    """What left and what came back, for the order's story."""
    steps = []

    async def act(side, clock):
        return await sending(side, an_order(clock), clock.monotonic() + 5, steps=steps)

    live(lambda _: PLACED, act)
    assert [StepKind.SENT, StepKind.ANSWERED] == [step.kind for step in steps]


def test_spans_of_a_placement_tell_the_lane_and_the_call_and_no_secret():
    """ratelimit.wait, then the POST; no nonce, key, signature or secret; no traceparent to Kraken."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry = Telemetry(provider.get_tracer("t"), metrics.NoOpMeterProvider().get_meter("t"))

    async def act(side, clock):
        with telemetry.span("root"):
            return await sending(side, an_order(clock), clock.monotonic() + 5)

    _, http = live(failing("EOrder:Insufficient funds"), act, telemetry=telemetry)
    spans = exporter.get_finished_spans()
    sent = http.sent[0]
    shown = repr([(span.name, dict(span.attributes)) for span in spans])
    assert ["ratelimit.wait", "kraken POST /0/private/AddOrder", "root"] == [span.name for span in spans]
    assert spans[1].kind is trace.SpanKind.CLIENT
    assert "Insufficient funds" in spans[1].attributes["execsvc.venue_error"]
    assert sent.params["nonce"] not in shown
    assert sent.headers["API-Sign"] not in shown
    assert "a-public-key" not in shown
    assert "traceparent" not in {name.lower() for name in sent.headers}


def test_repr_shows_no_secret():
    """What a person prints by accident names account and lane only."""

    async def act(side, clock):
        return f"{side!r} {side._rest!r} {side._nonces!r}"

    shown, _ = live(lambda _: PLACED, act)
    assert "a-public-key" not in shown
    assert "kQH5HW" not in shown
