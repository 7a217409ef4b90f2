"""An order's story: what is asked, what each step becomes, and what absence means."""

from datetime import UTC, datetime, timedelta

import pytest
from execsvc_api.v1 import order_service_pb2
from execsvc_client import Client, NotFound, OrderStatus, TimelineEvent, TimelineKind, Times, raw
from grpc import StatusCode

EXPLAIN = "OrderService/ExplainOrder"
AT = 1_700_000_000


def moment(milliseconds):
    return datetime.fromtimestamp(AT, tz=UTC) + timedelta(milliseconds=milliseconds)


def event(kind, milliseconds, **more):
    made = order_service_pb2.TimelineEvent(kind=order_service_pb2.TimelineKind.Value(f"TIMELINE_KIND_{kind}"), **more)
    made.time.FromDatetime(moment(milliseconds))
    return made


async def told(gateway, order, *events):
    """The story that a client reads of these events."""
    gateway.script(EXPLAIN, order_service_pb2.ExplainOrderResponse(order=order("c-1"), events=events))
    async with Client(gateway.target) as client:
        return await client.explain("c-1")


async def test_a_story_comes_with_its_order_oldest_first(gateway, order):
    """The order as it is now, and its events in the server's sequence."""
    story = await told(
        gateway, order, event("SENT", 1, text="It left."), event("STATUS", 9, status=4, verdict="placed")
    )
    assert ("c-1", OrderStatus.OPEN) == (story.order.client_order_id, story.order.status)
    assert [(TimelineKind.SENT, moment(1), "It left."), (TimelineKind.STATUS, moment(9), "")] == [
        (each.kind, each.time, each.text) for each in story.events
    ]


async def test_what_a_step_has_nothing_to_say_of_is_none(gateway, order):
    """No length, no new status, no error, no word of the exchange: None, never zero."""
    (plain,) = (await told(gateway, order, event("SENT", 1))).events
    expected = TimelineEvent(
        time=moment(1),
        kind=TimelineKind.SENT,
        attempt=0,
        took=None,
        waited_for="",
        verdict="",
        text="",
        status=None,
        error=None,
        trace_id="",
        times=None,
        wire=plain.wire,
    )
    assert expected == plain


async def test_a_step_is_read_whole(gateway, order):
    """Length, lane, verdict, status, error, trace and the exchange's time, each as the server told it."""
    full = event(
        "RESOLVED",
        5,
        attempt=1,
        waited_for="trade",
        verdict="not_placed",
        status=9,
        trace_id="ab" * 16,
        error={"code": 10, "reason": "NOT_PLACED", "message": "proved", "metadata": {"id_used": "true"}},
    )
    full.took.FromMilliseconds(1500)
    full.venue_times.venue_time.FromDatetime(moment(2))
    full.venue_times.receive_time.FromDatetime(moment(5))
    (read,) = (await told(gateway, order, full)).events
    assert (1, timedelta(seconds=1.5), "trade", "not_placed", OrderStatus.NOT_PLACED, "ab" * 16) == (
        read.attempt,
        read.took,
        read.waited_for,
        read.verdict,
        read.status,
        read.trace_id,
    )
    assert Times(moment(2), moment(5)) == read.times
    assert ("NOT_PLACED", "proved", StatusCode.ABORTED, "c-1", "true") == (
        read.error.reason,
        read.error.message,
        read.error.code,
        read.error.client_order_id,
        read.error.metadata["id_used"],
    )


async def test_a_kind_of_tomorrow_keeps_its_number(gateway, order):
    """A step newer than this client is told, not dropped."""
    newer = event("SENT", 1, text="Something new.")
    newer.kind = 77
    (read,) = (await told(gateway, order, newer)).events
    assert ("UNKNOWN_77", 77, "Something new.") == (read.kind.name, read.kind, read.text)


async def test_a_story_is_asked_for_by_either_id(gateway, order):
    """By the caller's id, by Kraken's, or by a value that knows one; never by none or two."""
    gateway.script(EXPLAIN, order_service_pb2.ExplainOrderResponse(order=order("c-1")))
    async with Client(gateway.target) as client:
        story = await client.explain("c-1")
        await client.explain(order_id="OZZ")
        await client.explain(story.order)
        for wrong in ({}, {"order": "c-1", "order_id": "OZZ"}):
            with pytest.raises(TypeError, match="name one order"):
                await client.explain(**wrong)
    first, second, third = (call.request.order for call in gateway.seen(EXPLAIN))
    assert ("c-1", "OZZ", "OAAAAA-BBBBB-CCCCCC") == (first.client_order_id, second.order_id, third.order_id)


async def test_an_order_that_nobody_knows_has_no_story(gateway, fail):
    """ORDER_NOT_FOUND is NotFound, with the id that was asked for."""
    gateway.script(EXPLAIN, fail(StatusCode.NOT_FOUND, "ORDER_NOT_FOUND"))
    async with Client(gateway.target) as client:
        with pytest.raises(NotFound) as missing:
            await client.explain("c-9")
    assert "c-9" == missing.value.client_order_id


async def test_a_story_is_json_as_the_contract_names_it(gateway, order):
    """The whole answer, times to the nanosecond."""
    plain = raw.to_json(await told(gateway, order, event("SENT", 1, text="It left.")))
    assert ("c-1", "TIMELINE_KIND_SENT", "2023-11-14T22:13:20.001000000Z") == (
        plain["order"]["clientOrderId"],
        plain["events"][0]["kind"],
        plain["events"][0]["time"],
    )
