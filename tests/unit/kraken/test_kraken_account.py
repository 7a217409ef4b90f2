"""Cancels and reads of the account over scripted HTTP."""

from dataclasses import replace
from decimal import Decimal

import pytest
from kraken_parts import TXID, Blocks, an_order, failing, live, private_side, raising, vector

from execsvc.domain.account import FillQuery
from execsvc.domain.errors import Busy, Declined, Reason
from execsvc.ports import (
    CancelFoundNothing,
    CancelTaken,
    NotSentError,
    Reply,
    ReplyLostError,
)
from tests.support.net import ScriptedHttp, answer
from tests.support.simloop import SimClock, SimTasks, run_sim

ORDER = vector("rest_OpenOrders")["result"]["open"]["OQCLML-BW3P3-BUCMWZ"]


def cancelling(script, *, venue_order_id="", by=30.0):
    async def act(side, clock):
        order = replace(an_order(clock), venue_order_id=venue_order_id)
        return await side.cancel(order.venue_order_id, order.venue_client_id, clock.monotonic() + by)

    return live(script, act)


def test_cancel_goes_by_txid_where_it_is_known():
    """Else by our own id."""
    outcome, by_txid = cancelling(lambda _: answer({"count": 1}), venue_order_id=TXID)
    _, by_id = cancelling(lambda _: answer({"count": 1}))
    assert CancelTaken(pending=False) == outcome
    assert by_txid.sent[0].params["txid"] == TXID
    assert len(by_id.sent[0].params["cl_ord_id"]) == 36


def test_pending_cancel_is_taken():
    """Accepted, not yet done."""
    assert CancelTaken(pending=True) == cancelling(lambda _: answer({"count": 1, "pending": True}))[0]


@pytest.mark.parametrize("text", ["EOrder:Unknown order", "EOrder:Invalid order"])
def test_cancel_of_what_is_gone_finds_nothing(text):
    """Both of Kraken's ways to say so."""
    outcome, http = cancelling(failing(text))
    assert (CancelFoundNothing(), 1) == (outcome, len(http.sent))


def test_cancel_of_none_finds_nothing():
    """A count of zero."""
    assert CancelFoundNothing() == cancelling(lambda _: answer({"count": 0}))[0]


def test_cancel_is_repeated_through_doubt():
    """Lost replies, busy engines, refused nonces, unknown texts: again, each time with a higher nonce."""
    left = [
        ReplyLostError("reset"),
        NotSentError("refused"),
        answer(None, "EService:Busy"),
        answer(None, "EAPI:Invalid nonce"),
        answer(None, "ENew:What"),
        Reply(502, {}, b"<html>"),
    ]

    def script(sent):
        if not left:
            return answer({"count": 1})
        reply = left.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    outcome, http = cancelling(script)
    nonces = [int(sent.params["nonce"]) for sent in http.sent]
    assert CancelTaken(pending=False) == outcome
    assert len(nonces) == len(set(nonces)) == 7
    assert sorted(nonces) == nonces


def test_cancel_gives_up_at_its_time():
    """Unreachable until `by`: Busy, inside the time."""
    with pytest.raises(Busy) as failure:
        cancelling(raising(ReplyLostError("reset")), by=2.0)
    assert failure.value.reason is Reason.VENUE_UNREACHABLE


def test_orders_are_asked_fifty_at_a_time():
    """Any number of txids, fifty a call."""

    async def act(side, clock):
        return await side.query(tuple(f"O{number}" for number in range(120)), clock.monotonic() + 5)

    _, http = live(lambda _: answer({}), act)
    assert [len(sent.params["txid"].split(",")) for sent in http.sent] == [50, 50, 20]


def test_unknown_id_does_not_hide_the_known_ones():
    """Where one unknown id spoils the answer for all, the others are still found."""
    known = {"O1", "O3"}

    def script(sent):
        asked = set(sent.params["txid"].split(","))
        if asked - known:
            return answer(None, "EOrder:Invalid order")
        return answer(dict.fromkeys(asked, ORDER))

    async def act(side, clock):
        return await side.query(("O1", "O2", "O3"), clock.monotonic() + 5)

    orders, _ = live(script, act)
    assert ["O1", "O3"] == [order.venue_order_id for order in orders]


def test_an_order_that_was_asked_for_says_since_when():
    """What was done later it may not show yet, however long the answer took."""

    async def act(side, clock):
        began_ns = clock.wall_ns()
        (found,) = await side.query(("O1",), clock.monotonic() + 5)
        return began_ns, found.asked_ns

    (began_ns, asked_ns), _ = live(lambda _: answer({"O1": ORDER}), act)
    assert began_ns == asked_ns


def trade(second):
    sample = next(iter(vector("rest_TradesHistory")["result"]["trades"].values()))
    return sample | {"time": second}


def reading_fills(count, query, *, counts=True, **more):
    trades = {f"T{second:04d}": trade(second) for second in range(count, 0, -1)}

    def script(sent):
        offset = int(sent.params["ofs"])
        page = {"trades": dict(list(trades.items())[offset : offset + 50])}
        return answer(page | {"count": count} if counts else page)

    async def act(side, clock):
        return await side.fills("main", query, clock.monotonic() + 5, **more)

    return live(script, act)


def test_fills_come_newest_first_over_pages():
    """As many as asked, from the offset, and how many there are in all."""
    (fills, total), http = reading_fills(200, FillQuery(size=70, offset=10))
    assert (70, 200) == (len(fills), total)
    assert ("T0190", "T0121") == (fills[0].fill_id, fills[-1].fill_id)
    assert ["10", "60"] == [sent.params["ofs"] for sent in http.sent]


@pytest.mark.parametrize(("size", "total"), [(50, 51), (100, 101), (200, 130)])
def test_fills_without_a_count_may_go_on_after_a_full_page(size, total):
    """Where Kraken does not say how many there are: one more than were read, until a page is not full."""
    (fills, told), _ = reading_fills(130, FillQuery(size=size), counts=False)
    assert (min(size, 130), total) == (len(fills), told)


def test_history_that_resolves_leaves_room_for_a_look():
    """It goes before other reads and uses what they leave, but for the points that a look for an order in doubt needs."""

    async def act(side, clock):
        read, counter = 0, side.rates.counters
        while True:
            query = FillQuery(size=1, offset=read)
            try:
                await side.fills("main", query, clock.monotonic() + 60, resolving=True)
            except Busy as refused:
                spare = counter(())[0].maximum - counter(())[0].level
                return read, refused.reason, refused.fault.retry_after_s, spare, clock.monotonic()
            read += 1

    def script(_):
        return answer({"trades": {"T1": trade(5)}, "count": 1000})

    (read, reason, wait_s, spare, at), _ = live(script, act, tier="pro")
    assert (Reason.LOCAL_RATE_LIMITED, True, True, 0.0) == (reason, read > 3, wait_s > 0, at)
    assert 3 <= spare < 3 + 2 + 3  # the look, less than one more history call, the counter's own margin


def test_fills_outside_the_span_are_cut_off():
    """Start inclusive, end exclusive, to the nanosecond; Kraken is asked for whole seconds around it."""
    query = FillQuery(start_ns=2 * 10**9, end_ns=4 * 10**9, size=50)
    (fills, _), http = reading_fills(5, query)
    assert ["T0003", "T0002"] == [fill.fill_id for fill in fills]
    assert ("1", "4") == (http.sent[0].params["start"], http.sent[0].params["end"])


def test_fills_of_another_symbol_are_left_out():
    """Kraken has no such filter: it is applied here."""
    (fills, total), _ = reading_fills(5, FillQuery(symbol="ETH/USD"))
    assert (fills, total) == ((), 5)


def test_reported_nonce_lifts_ours():
    """GetApiKeyInfo showing a higher nonce than ours: the next call is above it."""
    reported = 2 * 10**18

    def script(sent):
        info = vector("rest_GetApiKeyInfo")["result"] | {"nonce": str(reported)}
        return answer(info if sent.path.endswith("GetApiKeyInfo") else {})

    async def act(side, clock):
        facts = (await side.check_key(clock.monotonic() + 5)).facts
        await side.balances(clock.monotonic() + 5)
        return facts.nonce

    nonce, http = live(script, act)
    assert nonce == reported
    assert int(http.sent[1].params["nonce"]) == reported + 1


def test_a_key_whose_first_nonces_are_refused_saw_a_finer_scale():
    """Asked twice, in blocks of its own, refused twice: said in words, and not asked a third time."""

    async def act(side, clock):
        with pytest.raises(Declined) as refused:
            await side.check_key(clock.monotonic() + 10)
        return refused.value.fault

    fault, http = live(failing("EAPI:Invalid nonce"), act)
    assert Reason.VENUE_CREDENTIALS_REJECTED is fault.reason
    assert "finer scale; make a new key" in fault.message
    assert 2 == len(http.calls("GetApiKeyInfo"))


def test_a_stranger_on_the_key_is_told():
    """Kraken reports a nonce that was never reserved here, of a key that has a past here."""
    reported = 2 * 10**18

    def script(sent):
        info = vector("rest_GetApiKeyInfo")["result"] | {"nonce": str(reported)}
        return answer(info)

    async def act(side, clock):
        return await side.check_key(clock.monotonic() + 5)

    blocks = Blocks()
    blocks.hwm = 7
    check, _ = live(script, act, blocks=blocks)
    assert reported == check.foreign_nonce
    check, _ = live(script, act)
    assert check.foreign_nonce is None


def test_a_wall_clock_that_was_set_is_compared_with_krakens_anew():
    """A step of two seconds: Kraken's Time is read again before the next signed call; slow corrections are no step."""

    async def act(side, clock):
        by = clock.monotonic() + 60
        await side.balances(by)
        for _ in range(10):
            clock.skew_s += 0.1
            await side.balances(by)
        read_before = len(http_of.calls("Time"))
        clock.skew_s += 2.0
        await side.balances(by)
        return read_before

    def script(sent):
        at = int((SimClock.EPOCH_NS / 1e9) + sent.at)
        return answer({"unixtime": at, "rfc1123": ""} if sent.path.endswith("Time") else {})

    http_of = ScriptedHttp(script)

    async def run():
        clock, tasks = SimClock(), SimTasks()
        return await act(private_side(http_of, clock, tasks), clock)

    assert 0 == run_sim(run())
    assert 1 == len(http_of.calls("Time"))


def test_read_that_stays_unanswered_is_busy():
    """Backoff inside, then VENUE_UNREACHABLE."""

    async def act(side, clock):
        with pytest.raises(Busy) as failure:
            await side.balances(clock.monotonic() + 3)
        return failure.value.reason

    reason, http = live(lambda _: Reply(520, {}, b"<html>"), act)
    assert reason is Reason.VENUE_UNREACHABLE
    assert len(http.sent) > 1


def test_balances_are_plain_and_never_zero():
    """XXBT is BTC; what is zero throughout is left out."""

    async def act(side, clock):
        return await side.balances(clock.monotonic() + 5)

    result = {
        "XXBT": {"balance": "1.2435", "hold_trade": "0.8423"},
        "ZUSD": {"balance": "0.0000", "hold_trade": "0.0000"},
        "XBT.M": {"balance": 7.5},
    }
    balances, _ = live(lambda _: answer(result), act)
    assert [("BTC", Decimal("0.4012")), ("BTC.M", Decimal("7.5"))] == [
        (each.asset, each.available) for each in balances
    ]
