"""AddOrderBatch over scripted HTTP: one POST, a row for each order, and what a row or the whole of it means."""

import asyncio
import json

import pytest
from kraken_parts import an_order, answer, failing, live, raising, result_of

from execsvc.domain.errors import Busy, Reason
from execsvc.kraken import wire
from execsvc.kraken.batching import batch
from execsvc.ports import Accepted, NotSentError, RefusedByVenue, Reply, ReplyLostError, Unknown, Unsent
from tests.support.venue import BTC_USD

TXIDS = ("OAAAAA-BBBBB-CCCCC1", "OAAAAA-BBBBB-CCCCC2")
BOTH = answer({"orders": [{"txid": txid, "descr": {"order": "buy"}} for txid in TXIDS]})
COUNTER = "BTC/USD"


def placing_two(script, *, tier="unlimited", entry_s=5.0, forbidden=lambda: None):
    async def act(side, clock):
        orders = [an_order(clock, name, entry_s=entry_s) for name in ("one", "two")]
        by = clock.monotonic() + entry_s
        rooms = await side.rates.rooms(COUNTER, "me", by, 2)
        steps = []
        outcome = await side.place_many(orders, BTC_USD, by, rooms=rooms, forbidden=forbidden, note=steps.append)
        late = [await each.late if isinstance(each, Unknown) and each.late else None for each in outcome]
        return outcome, late, steps, side.rates.pair(COUNTER), clock.monotonic()

    return live(script, act, tier=tier)


def test_the_published_answer_is_read():
    """Rows in the sequence of the request; what else stands in them is passed over."""
    rows = wire.decoder(wire.PlacedBatch)(result_of("rest_AddOrderBatch")).orders
    assert ["O5OR23-ADFAD-Y2G61C", "9K6KFS-5H3PL-XBRC7A"] == [row.txid for row in rows]


def test_the_body_is_json_with_pair_and_deadline_said_once():
    """Each row is an AddOrder without them; the nonce is text."""
    (outcome, *_), http = placing_two(lambda _: BOTH)
    (sent,) = http.calls("AddOrderBatch")
    body = json.loads(sent.body)
    assert (Accepted(TXIDS[0]), Accepted(TXIDS[1])) == outcome
    assert ("application/json", {"nonce", "pair", "deadline", "orders"}) == (sent.headers["Content-Type"], set(body))
    assert [str, "XBTUSD"] == [type(body["nonce"]), body["pair"]]
    first, second = body["orders"]
    assert ("limit", "buy", "37500", "1.25") == tuple(first[name] for name in ("ordertype", "type", "price", "volume"))
    assert first["cl_ord_id"] != second["cl_ord_id"]
    assert not {"pair", "deadline"} & set(first)


def test_a_close_is_nested(monkeypatch):
    """`close[price]` of a form is an object in JSON."""
    flat = {"pair": "XBTUSD", "deadline": "then", "volume": "1", "close[ordertype]": "limit", "close[price]": "9"}
    monkeypatch.setattr("execsvc.kraken.encode.add_order", lambda *_: flat)
    params = batch([None], BTC_USD, 0)
    assert [{"volume": "1", "close": {"ordertype": "limit", "price": "9"}}] == json.loads(params["orders"])


def test_a_row_with_an_error_is_refused_alone():
    """Each row has its own outcome."""
    mixed = answer({"orders": [{"txid": TXIDS[0]}, {"error": "EOrder:Insufficient funds"}]})
    ((first, second), *_), _ = placing_two(lambda _: mixed)
    assert (Accepted(TXIDS[0]), Reason.INSUFFICIENT_FUNDS) == (first, second.fault.reason)
    assert {"USD", "true"} <= set(second.fault.metadata.values())


@pytest.mark.parametrize(
    "rows",
    [
        [{"txid": TXIDS[0]}],
        [{"txid": TXIDS[0]}, {}],
        [{"txid": TXIDS[0]}, {"error": "EService:Busy"}],
        [{"txid": TXIDS[0]}, {"error": "EWhat:Something new"}],
        "no rows",
    ],
    ids=["too few", "empty", "busy", "new", "unreadable"],
)
def test_what_a_row_does_not_settle_is_a_doubt(rows):
    """A row that is missing, says nothing or something nobody knows: the order may stand."""
    ((*_, second), *_), _ = placing_two(lambda _: answer({"orders": rows}))
    assert isinstance(second, Unknown)


def test_a_refusal_of_the_whole_is_one_of_every_row():
    """Kraken rejects a batch for one row's arguments: nothing of it exists."""
    (outcome, *_), _ = placing_two(failing("EGeneral:Invalid arguments:volume"))
    assert [Reason.VENUE_REFUSED_ARGUMENTS] * 2 == [each.fault.reason for each in outcome]
    assert all(isinstance(each, RefusedByVenue) for each in outcome)


def test_a_lost_answer_is_a_doubt_about_every_row_and_never_repeated():
    """One POST."""
    (outcome, *_), http = placing_two(raising(ReplyLostError("reset")))
    assert [Unknown, Unknown] == [type(each) for each in outcome]
    assert 1 == len(http.calls("AddOrderBatch"))


def test_no_connection_is_nothing_sent():
    """Every row may be sent again."""
    (outcome, *_), _ = placing_two(raising(NotSentError("refused")))
    assert [(Unsent, "false")] * 2 == [(type(each), each.fault.metadata["id_used"]) for each in outcome]


def test_a_late_answer_settles_every_row():
    """Told as a doubt after the patience; what comes later still counts, each for its own row."""

    async def slow(_):
        await asyncio.sleep(6.0)
        return BOTH

    (outcome, late, *_), _ = placing_two(slow)
    assert [Unknown, Unknown] == [type(each) for each in outcome]
    assert [Accepted(TXIDS[0]), Accepted(TXIDS[1])] == late


def test_it_costs_half_a_point_an_order():
    """Kraken counts a batch of n as n / 2."""
    (*_, pair, now), _ = placing_two(lambda _: BOTH, tier="pro")
    assert 0.9 <= float(pair.counter.level(now)) <= 1.0
    assert 2 == pair.open_orders(now)


def test_more_open_orders_than_the_tier_allows_are_refused_before():
    """Room for three where two are left is no room."""

    async def act(side, clock):
        pair = side.rates.pair(COUNTER)
        for index in range(58):
            pair.seen_open(f"O{index}", 0.0)
        with pytest.raises(Busy) as refused:
            await side.rates.rooms(COUNTER, "me", clock.monotonic(), 3)
        fits = await side.rates.rooms(COUNTER, "me", clock.monotonic(), 2)
        return refused.value.reason, len(fits)

    assert (Reason.VENUE_ORDER_LIMIT, 2) == live(lambda _: Reply(200, {}, b""), act, tier="starter")[0]
