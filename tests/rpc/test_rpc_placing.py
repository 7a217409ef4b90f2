"""PlaceOrder over the wire: the replay rules, doubts, and what every refusal says of the id."""

import asyncio

import grpc
import pytest
from execsvc_api.v1 import order_pb2 as order
from execsvc_api.v1 import order_service_pb2 as orders
from google.protobuf.duration_pb2 import Duration

from execsvc.domain.errors import Fault, Reason
from execsvc.domain.order import Status
from tests.rpc.stage import busy, limit_spec, order_key, placement, refused
from tests.support.venue import Fate

NEVER = 99.0


def silent_fate(**more):
    """The order arrives, the answer never does."""
    return Fate(answers_s=NEVER, **more)


async def test_a_placed_order_is_answered_as_it_stands(stage):
    """OK with the order, Kraken's id in it, not replayed."""
    answer = await stage.place("one")
    told = answer.order
    assert (order.ORDER_STATUS_OPEN, "O00000", "one", "local", "main", False) == (
        told.status,
        told.order_id,
        told.client_order_id,
        told.caller,
        told.account,
        answer.replayed,
    )


async def test_the_wish_comes_back_canonical_and_exact(stage):
    """The spec is echoed with the canonical symbol, decimals at the caller's scale, label and post_only kept."""
    limit = order.LimitOrder(limit_price="60000.10", post_only=True)
    answer = await stage.place(
        "one", spec=limit_spec(symbol="XXBTZUSD", base_quantity="0.00100", limit=limit, label="x")
    )
    expected = limit_spec(base_quantity="0.00100", limit=limit, label="x", time_in_force=order.TIME_IN_FORCE_GTC)
    assert expected == answer.order.spec


async def test_a_market_order_has_no_time_in_force(stage):
    """A market order is placed and echoed without one."""
    spec = limit_spec(market=order.MarketOrder())
    answer = await stage.place("one", spec=spec)
    assert spec == answer.order.spec


@pytest.mark.parametrize("tif", [order.TIME_IN_FORCE_GTC, order.TIME_IN_FORCE_IOC])
async def test_a_limit_order_keeps_its_time_in_force(stage, tif):
    """GTC and IOC are placed as asked."""
    answer = await stage.place("one", spec=limit_spec(time_in_force=tif))
    assert tif == answer.order.spec.time_in_force


async def test_the_same_request_again_is_answered_from_the_journal(stage):
    """Same id, same content by value: one send, and the second answer says replayed."""
    await stage.place("one")
    again = await stage.place("one", spec=limit_spec(symbol="XBT/USD", base_quantity="0.0010"))
    assert (True, "O00000", 1) == (again.replayed, again.order.order_id, len(stage.venue.sends))


async def test_other_content_under_a_used_id_is_refused(stage):
    """Same id, other content: ALREADY_EXISTS, nothing sent, the id is used."""
    await stage.place("one")
    refusal = await refused(stage.place("one", spec=limit_spec(base_quantity="0.002")))
    assert (grpc.StatusCode.ALREADY_EXISTS, "CLIENT_ORDER_ID_REUSED", "true", "O00000", 1) == (
        refusal.code,
        refusal.reason,
        refusal.metadata["id_used"],
        refusal.metadata["order_id"],
        len(stage.venue.sends),
    )


async def test_a_refusal_of_kraken_is_repeated_word_for_word(stage):
    """REJECTED: the first answer's error again, with `replayed` in its metadata, and nothing is sent again."""
    fault = Fault(Reason.INSUFFICIENT_FUNDS, "too little", {"asset": "USD", "venue_error": "EOrder:Insufficient funds"})
    stage.venue.plan.append(Fate(refusal=fault))
    first = await refused(stage.place("one"))
    again = await refused(stage.place("one"))
    expected = {"asset": "USD", "venue_error": "EOrder:Insufficient funds", "id_used": "true", "venue": "paper"}
    assert (
        grpc.StatusCode.FAILED_PRECONDITION,
        "INSUFFICIENT_FUNDS",
        expected | {"request_id": first.metadata["request_id"]},
    ) == (
        first.code,
        first.reason,
        first.metadata,
    )
    assert (first.code, first.reason, "true", "true") == (
        again.code,
        again.reason,
        again.metadata["id_used"],
        again.metadata["replayed"],
    )
    assert 1 == len(stage.venue.sends)


async def test_what_never_left_may_be_sent_again_under_its_id(stage):
    """NEVER_SENT is UNAVAILABLE with id_used=false; the same request then is the next attempt, not a replay."""
    stage.venue.plan.append(Fate(unsent=Fault(Reason.VENUE_UNREACHABLE, "no connection")))
    first = await refused(stage.place("one"))
    again = await stage.place("one")
    assert (grpc.StatusCode.UNAVAILABLE, "VENUE_UNREACHABLE", "false") == (
        first.code,
        first.reason,
        first.metadata["id_used"],
    )
    assert (False, order.ORDER_STATUS_OPEN, 2) == (again.replayed, again.order.status, len(stage.venue.sends))


async def test_a_silent_venue_is_answered_ok_and_in_doubt_in_time(stage):
    """With the fate open when the caller's time is nearly up the answer is OK with IN_DOUBT, before the deadline."""
    stage.venue.plan.append(silent_fate())
    began = stage.clock.monotonic()
    answer = await stage.place("one", timeout=0.6)
    took_s = stage.clock.monotonic() - began
    assert (order.ORDER_STATUS_IN_DOUBT, False) == (answer.order.status, answer.replayed)
    assert 0.4 < took_s < 0.6
    assert Status.IN_DOUBT is (await stage.store.get(order_key("one"))).status


async def test_a_repeat_of_a_doubt_waits_and_then_tells_the_doubt_again(stage):
    """IN_DOUBT, asked again: waits as the first call would, then OK with IN_DOUBT, replayed."""
    stage.venue.plan.append(silent_fate(arrives_s=None))
    await stage.place("one", timeout=0.5)
    again = await stage.place("one", timeout=0.5)
    assert (order.ORDER_STATUS_IN_DOUBT, True, 1) == (again.order.status, again.replayed, len(stage.venue.sends))


async def test_a_repeat_of_a_doubt_is_answered_as_soon_as_it_is_settled(stage):
    """A repeat waits for the fate and tells it when it comes."""
    stage.venue.plan.append(Fate(arrives_s=0.01, answers_s=0.7))
    doubted = await stage.place("one", timeout=0.5)
    settled = await stage.place("one", timeout=3.0)
    assert (order.ORDER_STATUS_IN_DOUBT, order.ORDER_STATUS_OPEN, True) == (
        doubted.order.status,
        settled.order.status,
        settled.replayed,
    )


async def test_the_send_survives_a_caller_that_hangs_up(stage):
    """Cancelling the call changes nothing for the order: it is sent, settled and durable."""
    stage.venue.plan.append(Fate(answers_s=0.2))
    call = stage.orders.PlaceOrder(placement("one"), timeout=5.0)
    await stage.eventually(lambda: stage.venue.sends)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await stage.eventually(lambda: not stage.desk.in_flight)
    assert Status.OPEN is (await stage.store.get(order_key("one"))).status


async def test_a_deadline_too_short_sends_nothing(stage):
    """Less time than a placement needs: DEADLINE_TOO_SHORT naming the least, id_used=false, nothing sent."""
    refusal = await refused(stage.place("one", timeout=0.3))
    assert (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_TOO_SHORT", "0.4s", "false", []) == (
        refusal.code,
        refusal.reason,
        refusal.metadata["least"],
        refusal.metadata["id_used"],
        stage.venue.sends,
    )


async def test_an_entry_delay_too_short_sends_nothing(stage):
    """max_entry_delay below the least is refused like a short deadline."""
    refusal = await refused(stage.place("one", max_entry_delay=Duration(nanos=300_000_000)))
    assert ("DEADLINE_TOO_SHORT", "false") == (refusal.reason, refusal.metadata["id_used"])


async def test_without_a_deadline_ten_seconds_are_assumed(stage):
    """A call without a deadline is placed, and Kraken's time is the default entry delay of 5 s."""
    await stage.orders.PlaceOrder(placement("one"))
    stored = await stage.store.get(order_key("one"))
    assert 4.9 < (stored.entry_deadline_ns - stored.create_time_ns) / 1e9 <= 5.0


async def test_the_entry_delay_becomes_krakens_deadline(stage):
    """max_entry_delay, counted from arrival, is the latest entry."""
    await stage.place("one", max_entry_delay=Duration(seconds=2))
    stored = await stage.store.get(order_key("one"))
    assert 1.9 < (stored.entry_deadline_ns - stored.create_time_ns) / 1e9 <= 2.0


@pytest.mark.parametrize(
    ("spec", "code", "reason", "field"),
    [
        (limit_spec(symbol="FOO/USD"), grpc.StatusCode.NOT_FOUND, "UNKNOWN_SYMBOL", "spec.symbol"),
        (
            limit_spec(limit=order.LimitOrder(limit_price="60000.05")),
            grpc.StatusCode.INVALID_ARGUMENT,
            "TICK_SIZE_VIOLATED",
            "spec.limit.limit_price",
        ),
        (
            limit_spec(base_quantity="0.00001"),
            grpc.StatusCode.INVALID_ARGUMENT,
            "ORDER_MINIMUM_NOT_MET",
            "spec.base_quantity",
        ),
        (limit_spec(base_quantity="0"), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", "spec.base_quantity"),
    ],
)
async def test_a_refusal_before_the_intent_leaves_the_id_free(stage, spec, code, reason, field):
    """Shape, symbol and pair rules refuse with the field's path and id_used=false, and nothing is durable."""
    refusal = await refused(stage.place("one", spec=spec))
    assert (code, reason, "false") == (refusal.code, refusal.reason, refusal.metadata["id_used"])
    assert field in refusal.bad
    assert await stage.store.get(order_key("one")) is None


async def test_a_dead_store_refuses_before_anything_is_sent(stage):
    """Without a durable intent nothing is sent: UNAVAILABLE / STORE_UNAVAILABLE, id_used=false."""
    stage.store.outage = True
    refusal = await refused(stage.place("one"))
    assert (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", "false", []) == (
        refusal.code,
        refusal.reason,
        refusal.metadata["id_used"],
        stage.venue.sends,
    )


async def test_a_closed_desk_says_why(stage):
    """While placements are closed the reason given is the answer, and the id stays free."""
    stage.house.switch.close("test", Fault(Reason.NOT_OWNER, "not yet", retry_after_s=2.0))
    refusal = await refused(stage.place("one"))
    assert (grpc.StatusCode.UNAVAILABLE, "NOT_OWNER", "false", 2.0, "2000") == (
        refusal.code,
        refusal.reason,
        refusal.metadata["id_used"],
        refusal.retry_s,
        refusal.trailers["grpc-retry-pushback-ms"],
    )


async def test_a_bug_after_the_intent_reads_as_a_doubt(stage):
    """What breaks while a durable order is waited for is answered OK with IN_DOUBT, never as "nothing was sent"."""

    async def broken(*_, **__):
        raise ZeroDivisionError("a bug")

    stage.venue.plan.append(silent_fate())
    stage.desk._answer = broken
    answer = await stage.place("one", timeout=0.6)
    assert order.ORDER_STATUS_IN_DOUBT == answer.order.status
    assert ["rpc.broken"] == [event for event, _, _ in stage.reports]


async def test_a_bug_before_the_intent_leaves_the_id_free(stage):
    """What breaks before anything is durable is INTERNAL with id_used=false."""

    async def broken(*_, **__):
        raise ZeroDivisionError("a bug")

    stage.store.begin = broken
    refusal = await refused(stage.place("one"))
    assert ("INTERNAL", "false", []) == (refusal.reason, refusal.metadata["id_used"], stage.venue.sends)


async def test_an_unreadable_journal_is_not_told_as_nothing_sent(stage):
    """When a bug meets a journal that cannot be read, the answer says to ask again: ABORTED, and the same id is safe."""

    async def broken(*_, **__):
        stage.store.outage = True
        raise ZeroDivisionError("a bug")

    stage.desk._answer = broken
    refusal = await refused(stage.place("one", timeout=0.6))
    stage.store.outage = False
    assert (grpc.StatusCode.ABORTED, "ORDER_IN_DOUBT", "false") == (
        refusal.code,
        refusal.reason,
        refusal.metadata["id_used"],
    )


async def test_a_bug_does_not_answer_with_another_order(stage):
    """The order that is told after a bug is the one asked for, never another one under the same id."""
    await stage.place("one")

    async def broken(*_, **__):
        raise ZeroDivisionError("a bug")

    stage.desk._admit = broken
    refusal = await refused(stage.place("one", spec=limit_spec(base_quantity="0.002")))
    assert "INTERNAL" == refusal.reason


# ---- cancelling and reading ------------------------------------------------------------------------------------------


def ref(**fields):
    return orders.OrderRef(**fields)


@pytest.mark.parametrize("named", [{"client_order_id": "one"}, {"order_id": "O00000"}])
async def test_an_order_is_cancelled_by_either_id(stage, named):
    """CancelOrder answers the order after Kraken took it."""
    await stage.place("one")
    answer = await stage.orders.CancelOrder(orders.CancelOrderRequest(order=ref(**named)), timeout=2)
    assert (order.ORDER_STATUS_CANCELLED, True) == (answer.order.status, answer.order.cancel_requested)


async def test_a_cancel_is_answered_in_the_callers_time(stage):
    """With a venue that does not answer, OK comes before the deadline with the wish recorded."""

    async def hangs(_, __, by, **___):
        await stage.clock.sleep(by - stage.clock.monotonic())

    await stage.place("one")
    stage.venue.cancel = hangs
    answer = await stage.orders.CancelOrder(orders.CancelOrderRequest(order=ref(client_order_id="one")), timeout=0.3)
    assert (order.ORDER_STATUS_OPEN, True) == (answer.order.status, answer.order.cancel_requested)


async def test_cancelling_what_is_terminal_is_ok(stage):
    """A second cancel of a cancelled order is OK and asks nobody."""
    await stage.place("one")
    request = orders.CancelOrderRequest(order=ref(client_order_id="one"))
    await stage.orders.CancelOrder(request, timeout=2)
    answer = await stage.orders.CancelOrder(request, timeout=2)
    assert (order.ORDER_STATUS_CANCELLED, 1) == (answer.order.status, len(stage.venue.cancels))


async def test_an_unknown_order_is_not_found(stage):
    """GetOrder and CancelOrder of an id nobody used: NOT_FOUND / ORDER_NOT_FOUND."""
    got = await refused(stage.orders.GetOrder(orders.GetOrderRequest(order=ref(client_order_id="none")), timeout=2))
    cancelled = await refused(
        stage.orders.CancelOrder(orders.CancelOrderRequest(order=ref(order_id="ONONE")), timeout=2)
    )
    assert [(grpc.StatusCode.NOT_FOUND, "ORDER_NOT_FOUND")] * 2 == [
        (each.code, each.reason) for each in (got, cancelled)
    ]


async def test_an_order_that_ended_badly_says_why(stage):
    """GetOrder of a rejected order carries the refusal as end_error, in google.rpc's words."""
    fault = Fault(
        Reason.VENUE_RATE_LIMITED, "slow down", {"venue_error": "EAPI:Rate limit exceeded"}, retry_after_s=1.5
    )
    stage.venue.plan.append(Fate(refusal=fault))
    refusal = await refused(stage.place("one"))
    got = await stage.orders.GetOrder(orders.GetOrderRequest(order=ref(client_order_id="one")), timeout=2)
    told = got.order.end_error
    assert (order.ORDER_STATUS_REJECTED, 8, "VENUE_RATE_LIMITED", "slow down", "true", 1.5) == (
        got.order.status,
        told.code,
        told.reason,
        told.message,
        told.metadata["id_used"],
        told.retry_after.ToTimedelta().total_seconds(),
    )
    assert (1.5, "-1") == (refusal.retry_s, refusal.trailers["grpc-retry-pushback-ms"])


async def test_orders_are_listed_in_pages_newest_first(stage):
    """Every order once, newest first, over pages of two."""
    for name in "abcde":
        await stage.place(name)
    seen, token = [], ""
    for _ in range(3):
        page = await stage.orders.ListOrders(orders.ListOrdersRequest(page_size=2, page_token=token), timeout=2)
        seen += [each.client_order_id for each in page.orders]
        token = page.next_page_token
    assert (list("edcba"), "") == (seen, token)


async def test_orders_are_listed_by_status_and_symbol(stage):
    """Filters narrow the list; a symbol may be spelt as Kraken does."""
    await stage.place("btc")
    await stage.place("eth", spec=limit_spec(symbol="ETH/USD"))
    await stage.orders.CancelOrder(orders.CancelOrderRequest(order=ref(client_order_id="btc")), timeout=2)
    cancelled = await stage.orders.ListOrders(
        orders.ListOrdersRequest(statuses=[order.ORDER_STATUS_CANCELLED]), timeout=2
    )
    ether = await stage.orders.ListOrders(orders.ListOrdersRequest(symbol="ETHUSD"), timeout=2)
    assert (["btc"], ["eth"]) == (
        [each.client_order_id for each in cancelled.orders],
        [each.client_order_id for each in ether.orders],
    )


async def test_a_page_token_of_another_request_is_refused(stage):
    """A token is bound to the other fields of its request; the page size may change."""
    for name in "abc":
        await stage.place(name)
    page = await stage.orders.ListOrders(orders.ListOrdersRequest(page_size=1), timeout=2)
    other = orders.ListOrdersRequest(page_token=page.next_page_token, symbol="BTC/USD")
    refusal = await refused(stage.orders.ListOrders(other, timeout=2))
    wider = await stage.orders.ListOrders(
        orders.ListOrdersRequest(page_size=5, page_token=page.next_page_token), timeout=2
    )
    assert (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID", ["b", "a"]) == (
        refusal.code,
        refusal.reason,
        [each.client_order_id for each in wider.orders],
    )


async def test_a_read_of_a_dead_store_is_unavailable(stage):
    """A read that meets a dead store is UNAVAILABLE, without a word about ids."""
    stage.store.outage = True
    refusal = await refused(stage.orders.GetOrder(orders.GetOrderRequest(order=ref(client_order_id="x")), timeout=2))
    assert (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", False) == (
        refusal.code,
        refusal.reason,
        "id_used" in refusal.metadata,
    )


async def test_a_cancel_that_fails_says_so(stage):
    """What Kraken refuses of a cancel is told with its reason."""

    async def refuses(*_, **__):
        raise busy(Reason.VENUE_CREDENTIALS_REJECTED)

    await stage.place("one")
    stage.venue.cancel = refuses
    refusal = await refused(
        stage.orders.CancelOrder(orders.CancelOrderRequest(order=ref(client_order_id="one")), timeout=2)
    )
    stage.tasks.failures.clear()  # the pursuit failed, as this test wants it
    assert (grpc.StatusCode.FAILED_PRECONDITION, "VENUE_CREDENTIALS_REJECTED") == (refusal.code, refusal.reason)
