"""ExplainOrder over the wire: a story in its sequence, what is not durable yet, what is awaited, and who may hear it."""

import asyncio
from itertools import pairwise

import grpc
import pytest
from execsvc_api.v1 import order_pb2 as order
from execsvc_api.v1 import order_service_pb2 as orders
from execsvc_client import Client, NotFound, OrderStatus, SyncClient, TimelineKind

from execsvc.domain.caller import Permission, alike
from execsvc.domain.errors import Fault, Reason
from execsvc.domain.ids import OrderKey
from execsvc.domain.intent import Intent
from execsvc.domain.order import Acknowledged, Doubted, ProvedAbsent
from execsvc.domain.story import Step, StepKind
from execsvc.rpc.permits import PERMITS
from execsvc.rpc.scalars import ns_of
from tests.rpc.stage import order_key, refused
from tests.rpc.stage import stage as open_stage
from tests.support.venue import Fate
from tests.support.world import limit

TRACE = "ab" * 16
UNREACHABLE = Fault(Reason.VENUE_UNREACHABLE, "no connection")


def asked(**ref):
    return orders.ExplainOrderRequest(order=orders.OrderRef(**(ref or {"client_order_id": "one"})))


async def told(stage, **ref):
    return await stage.orders.ExplainOrder(asked(**ref), timeout=2)


def kinds(answer):
    return [orders.TimelineKind.Name(each.kind).removeprefix("TIMELINE_KIND_") for each in answer.events]


def within(wanted, found):
    """Whether the wanted come in this sequence among the found."""
    rest = iter(found)
    return all(each in rest for each in wanted)


async def journaled(stage, key, *steps):
    """An order of anybody's, durable as the journal has it after `begin`."""
    now_ns = stage.clock.wall_ns()
    intent = Intent(key, limit(), now_ns + 5 * 10**9, "key-1", TRACE, lambda attempt: f"{key}-{attempt}")
    return (await stage.store.begin(intent, now_ns, steps)).order


# ---- the story -------------------------------------------------------------------------------------------------------


async def test_a_placed_orders_story_leads_from_the_request_to_the_answer(stage):
    """Received, checked, durable, taken, in that sequence, with the order as it is now."""
    placed = (await stage.place("one")).order
    answer = await told(stage)
    assert placed == answer.order
    assert within(["RECEIVED", "CHECKED", "JOURNALED", "STATUS"], kinds(answer))
    last = answer.events[-1]
    assert ("placed", order.ORDER_STATUS_OPEN, f"Kraken took the order as {placed.order_id}.") == (
        last.verdict,
        last.status,
        last.text,
    )


async def test_a_story_is_told_oldest_first_and_begins_with_the_request(stage):
    """Times never go back, and every step has a sentence."""
    await stage.place("one")
    answer = await told(stage)
    assert all(ns_of(one.time) <= ns_of(next_one.time) for one, next_one in pairwise(answer.events))
    assert ("RECEIVED", []) == (kinds(answer)[0], [each for each in answer.events if not each.text.endswith(".")])


async def test_a_doubts_story_is_told_in_order_to_its_end(stage):
    """While in doubt the last step says what is awaited; once it is found, the story ends with the verdict."""
    stage.venue.patience_s, stage.venue.lag_s = 0.1, 1.0  # queries see it too late for the caller's half second
    stage.venue.plan.append(Fate(answers_s=None))
    stage.tasks.start("resolver", stage.resolver.run())
    assert order.ORDER_STATUS_IN_DOUBT == (await stage.place("one", timeout=0.5)).order.status
    doubted = await told(stage)
    await stage.eventually(lambda: not stage.resolver.in_doubt, within_s=10.0)
    found = await told(stage)
    assert within(["RECEIVED", "JOURNALED", "DOUBTED", "SWEPT", "WAITED"], kinds(doubted))
    assert within(["RECEIVED", "JOURNALED", "DOUBTED", "BARRIER", "SWEPT", "RESOLVED"], kinds(found))
    assert [("WAITED", order.ORDER_STATUS_IN_DOUBT, ""), ("RESOLVED", order.ORDER_STATUS_OPEN, "placed")] == [
        (kinds(each)[-1], each.order.status, each.events[-1].verdict) for each in (doubted, found)
    ]


async def test_what_is_awaited_is_said_as_of_now(stage):
    """The last step of an order without a fate is made when it is told: a wait without a length, the status unchanged."""
    await journaled(stage, order_key("one"))
    before_ns = stage.clock.wall_ns()
    last = (await told(stage)).events[-1]
    assert (orders.TIMELINE_KIND_WAITED, True, False, order.ORDER_STATUS_UNSPECIFIED, TRACE) == (
        last.kind,
        before_ns <= ns_of(last.time) <= stage.clock.wall_ns(),
        last.HasField("took"),
        last.status,
        last.trace_id,
    )
    assert last.text.startswith("Kraken's answer is awaited.")


async def test_a_proof_of_absence_is_told_with_its_reason(stage):
    """NOT_PLACED: verdict, status and error on the step, and nothing is awaited any more."""
    doubt = await journaled(stage, order_key("one"))
    await stage.store.record(doubt.key, Doubted("lost"), stage.clock.wall_ns())
    proof = ProvedAbsent(Fault(Reason.NOT_PLACED, "it never got there", {"id_used": "true"}))
    await stage.store.record(doubt.key, proof, stage.clock.wall_ns())
    answer = await told(stage)
    last = answer.events[-1]
    assert (["JOURNALED", "DOUBTED", "RESOLVED"], "not_placed", order.ORDER_STATUS_NOT_PLACED) == (
        kinds(answer),
        last.verdict,
        last.status,
    )
    assert ("NOT_PLACED", "it never got there", {"id_used": "true"}, grpc.StatusCode.ABORTED.value[0]) == (
        last.error.reason,
        last.error.message,
        dict(last.error.metadata),
        last.error.code,
    )


async def test_what_is_noted_and_not_yet_durable_is_told_too(stage):
    """A look that no commit has taken along stands behind what is durable, with its length, lane and Kraken's time."""
    placed = await journaled(stage, order_key("one"))
    await stage.store.record(placed.key, Acknowledged("O1"), stage.clock.wall_ns())
    now_ns = stage.clock.wall_ns()
    note = Step(
        now_ns, StepKind.SWEPT, "Looked.", attempt=2, took_ns=1_500_000_001, waited_for="read", venue_ns=now_ns - 5
    )
    stage.house.chronicle.note(placed.key, note)
    answer = await told(stage)
    last = answer.events[-1]
    assert ["JOURNALED", "STATUS", "SWEPT"] == kinds(answer)
    assert ("Looked.", 2, 1_500_000_001, "read", now_ns, now_ns - 5) == (
        last.text,
        last.attempt,
        last.took.seconds * 10**9 + last.took.nanos,
        last.waited_for,
        ns_of(last.time),
        ns_of(last.venue_times.venue_time),
    )


async def test_a_story_is_told_by_either_id(stage):
    """By the caller's id or by Kraken's the story is the same."""
    placed = (await stage.place("one")).order
    assert await told(stage) == await told(stage, order_id=placed.order_id)


async def test_an_attempt_that_never_left_is_part_of_the_story(stage):
    """NEVER_SENT, then placed: both attempts are told, told apart by their number."""
    stage.venue.plan.append(Fate(unsent=UNREACHABLE))
    await refused(stage.place("one"))
    await stage.place("one")
    answer = await told(stage)
    assert within(["JOURNALED", "STATUS", "JOURNALED", "STATUS"], kinds(answer))
    status_of = {
        each.attempt: each.status for each in answer.events if each.kind == orders.TIMELINE_KIND_STATUS and each.status
    }
    assert {0: order.ORDER_STATUS_NEVER_SENT, 1: order.ORDER_STATUS_OPEN} == status_of


# ---- who may hear it -------------------------------------------------------------------------------------------------


class Ann:
    """Recognises everybody as ann, with the permissions a test gives her."""

    def __init__(self, *permissions):
        self.caller = alike("ann", frozenset(permissions), ("main",))

    revision, problems = 0, ()

    def recognise(self, meta, peer, names=()):
        return self.caller

    def describe(self):
        return "a test"


BOBS = OrderKey("main", "bob", "one")


@pytest.mark.parametrize(
    "ref", [{"client_order_id": "one", "caller": "bob"}, {"order_id": "OBOB"}], ids=["by its owner", "by txid"]
)
async def test_another_callers_order_is_not_told(ref):
    """With trade alone others' orders do not exist; with account they are told."""
    answers = []
    for permission in (Permission.TRADE, Permission.ACCOUNT):
        async with open_stage(callers=Ann(permission)) as built:
            await journaled(built, BOBS)
            await built.store.record(BOBS, Acknowledged("OBOB"), built.clock.wall_ns())
            call = built.orders.ExplainOrder(asked(**ref), timeout=2)
            answers.append(
                (await refused(call)).reason if permission is Permission.TRADE else (await call).order.caller
            )
    assert ["ORDER_NOT_FOUND", "bob"] == answers


async def test_a_callers_own_story_needs_no_more_than_trade():
    """Trade opens one's own, whatever others call theirs."""
    async with open_stage(callers=Ann(Permission.TRADE)) as built:
        await journaled(built, BOBS)
        await journaled(built, OrderKey("main", "ann", "one"), Step(1, StepKind.RECEIVED, "Ann asked."))
        answer = await told(built)
    assert ("ann", "Ann asked.") == (answer.order.caller, answer.events[0].text)


async def test_neither_permission_opens_nothing():
    """With market alone the method is closed, and the refusal names what would open it."""
    async with open_stage(callers=Ann(Permission.MARKET)) as built:
        refusal = await refused(built.orders.ExplainOrder(asked(), timeout=2))
    assert (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING") == (refusal.code, refusal.reason)


@pytest.mark.parametrize("ref", [{"client_order_id": "none"}, {"order_id": "ONONE"}], ids=["by id", "by txid"])
async def test_an_unknown_order_has_no_story(stage, ref):
    """NOT_FOUND / ORDER_NOT_FOUND, by either id."""
    refusal = await refused(stage.orders.ExplainOrder(asked(**ref), timeout=2))
    assert (grpc.StatusCode.NOT_FOUND, "ORDER_NOT_FOUND") == (refusal.code, refusal.reason)


async def test_an_account_that_is_not_granted_is_refused(stage):
    """Whether it exists or not."""
    request = asked()
    request.account = "other"
    assert "ACCOUNT_NOT_GRANTED" == (await refused(stage.orders.ExplainOrder(request, timeout=2))).reason


# ---- shape, time, store ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "bad"),
    [
        (orders.ExplainOrderRequest(), ["order"]),
        (orders.ExplainOrderRequest(order=orders.OrderRef()), ["order.id"]),
        (asked(client_order_id="a b"), ["order.client_order_id"]),
        (asked(order_id="O_1"), ["order.order_id"]),
        (asked(order_id="O1", caller="bob"), ["order.caller"]),
    ],
    ids=lambda each: ",".join(each) if isinstance(each, list) else "",
)
async def test_a_malformed_question_names_every_bad_field(stage, request_, bad):
    """INVALID_REQUEST with the paths."""
    refusal = await refused(stage.orders.ExplainOrder(request_, timeout=2))
    assert ("INVALID_REQUEST", bad) == (refusal.reason, list(refusal.bad))


async def test_its_deadlines_are_the_contracts(stage):
    """5 s when the caller sets none, and below 0.1 s nothing is looked up."""
    await stage.place("one")
    refusal = await refused(stage.orders.ExplainOrder(asked(), timeout=0.08))
    permit = PERMITS["execsvc.v1.OrderService/ExplainOrder"]
    assert ("DEADLINE_TOO_SHORT", "0.1s", 5.0) == (refusal.reason, refusal.metadata["least"], permit.default_s)


async def test_a_store_that_is_down_tells_no_story(stage):
    """UNAVAILABLE, as of any read, without a word about ids."""
    await stage.place("one")
    stage.store.outage = True
    refusal = await refused(stage.orders.ExplainOrder(asked(), timeout=2))
    assert (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", False) == (
        refusal.code,
        refusal.reason,
        "id_used" in refusal.metadata,
    )


# ---- the client ------------------------------------------------------------------------------------------------------


async def test_both_clients_tell_the_same_story(stage):
    """explain() by id or by the order itself, asynchronous or not; an unknown id is NotFound."""

    def wait():
        with SyncClient(stage.door.address) as waiting:
            return waiting.explain("one")

    await stage.place("one")
    async with Client(stage.door.address) as client:
        story = await client.explain("one")
        assert story == await client.explain(story.order) == await asyncio.to_thread(wait)
        with pytest.raises(NotFound):
            await client.explain("none")
    assert (OrderStatus.OPEN, TimelineKind.RECEIVED, OrderStatus.OPEN) == (
        story.order.status,
        story.events[0].kind,
        story.events[-1].status,
    )
