"""Amends by hand, of whosesoever orders: told as a new version, and never taken back by an older picture of Kraken's."""

from dataclasses import replace
from decimal import Decimal

import pytest
from stream_parts import BY_HAND, KEY, fill, lived, news, seen

from execsvc.domain.market import FeedState, LinkDown, LinkUp
from execsvc.domain.order import Status
from execsvc.domain.story import StepKind
from execsvc.ports import ExecutionSeen, OrdersSnapshot
from tests.support.world import limit


def test_an_amend_by_hand_of_one_is_a_new_version():
    """As of an order of ours; its story says what changed."""

    async def script(here, tell):
        await tell(LinkUp(1), OrdersSnapshot((BY_HAND,)), news(spec=limit("0.4", "59000.0")))
        order = await here.store.get(KEY)
        assert (limit("0.4", "59000.0"), 2) == (order.spec, order.version)
        await tell(news(spec=limit("0.3", "59000.0"), status=Status.CANCELLED))
        assert [
            (StepKind.AMENDED, "Kraken shows it amended: base quantity 0.5 → 0.4, limit price 60000.0 → 59000.0."),
            (StepKind.STATUS, "Kraken shows it CANCELLED, amended: base quantity 0.4 → 0.3."),
        ] == [(step.kind, step.text) for step in (await here.store.story(KEY))[1:]]

    lived(script)


@pytest.mark.parametrize(
    ("end", "wish", "word"),
    [
        (Status.FILLED, "0.3", Status.FILLED),
        (Status.CANCELLED, "0.9", Status.OPEN),
        (Status.CANCELLED, "0.3", Status.FILLED),
    ],
    ids=[
        "filled after less was wanted",
        "cancelled after more was wanted",
        "cancelled after less was wanted than had filled",
    ],
)
def test_past_trades_do_not_say_how_an_order_stands(end, wish, word):
    """It was amended by hand while nobody followed: its fills are told, and the order as Kraken's query has it."""

    async def script(here, tell):
        await tell(LinkUp(1), OrdersSnapshot((BY_HAND,)), LinkDown("cut"))
        filled = Decimal("0.5" if wish == "0.9" else "0.3")
        ended = replace(BY_HAND, status=end, filled_quantity=filled, spec=limit(wish))
        here.venue.orders["by hand"] = (ended, 0.0)
        past = replace(seen(replace(fill(1, txid="OMAN"), quantity=filled)).report, status=word, filled_quantity=filled)
        await tell(LinkUp(2), OrdersSnapshot((), (ExecutionSeen(past, fill(1, txid="OMAN")),), trades_whole=True))
        order = await here.store.get(KEY)
        assert (end, filled, limit(wish)) == (order.status, order.filled_quantity, order.spec)
        assert FeedState.LIVE is here.house.executions.state

    lived(script)


def test_an_answer_that_was_under_way_takes_no_amend_back():
    """The stream told of the amend while the orders were asked for: what was asked before is older, until the next turn."""

    async def script(here, tell):
        await tell(LinkUp(1), OrdersSnapshot((BY_HAND,)))

        async def slow(venue_order_ids, by, **who):
            await here.clock.sleep(5.0)
            return (BY_HAND,)

        here.venue.query = slow
        asking = here.tasks.start("asking", here.house.executions.reconcile(frozenset()))
        await tell(news(spec=limit("0.4", "59000.0")))
        await asking
        order = await here.store.get(KEY)
        assert (limit("0.4", "59000.0"), 2) == (order.spec, order.version)
        await here.house.executions.reconcile(frozenset())
        assert BY_HAND.spec == (await here.store.get(KEY)).spec

    lived(script)
