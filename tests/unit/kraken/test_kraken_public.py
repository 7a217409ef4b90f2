"""The public side over scripted HTTP: requests as Kraken wants them, a bound on what is in flight, retries inside `by`."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from kraken_parts import vector

from execsvc.domain.errors import Busy, Declined, ProtocolBroken, Reason
from execsvc.domain.market import BookSeen, BookTopic, LinkUp, TickerTopic, VenueMode
from execsvc.kraken.public import KrakenPublic
from execsvc.ports import ClockReading, NotSentError, Reply, ReplyLostError
from execsvc.telemetry import silent
from tests.support.entropy import FixedEntropy
from tests.support.net import MemoryDialer, ScriptedHttp, answer
from tests.support.simloop import SimClock, SimTasks, run_sim
from tests.support.venue import BTC_USD

TABLES = {"Assets": answer(vector("rest_Assets")["result"]), "AssetPairs": answer(vector("rest_AssetPairs")["result"])}


def name_of(sent):
    return sent.path.rsplit("/", 1)[1]


def scripted(**answers):
    """Answers by method, the tables included."""
    return lambda sent: (TABLES | answers)[name_of(sent)]


def live(script, act, *, dialer=None):
    http = script if isinstance(script, ScriptedHttp) else ScriptedHttp(script)

    async def run():
        clock, tasks = SimClock(), SimTasks()
        side = KrakenPublic(
            rest_url="https://api.example/",
            ws_url="wss://ws.example/v2",
            http=http,
            dialer=dialer or MemoryDialer(),
            clock=clock,
            entropy=FixedEntropy(),
            tasks=tasks,
            telemetry=silent(),
        )
        try:
            return await act(side, clock)
        finally:
            await tasks.close()

    return run_sim(run()), http


def test_instruments_come_by_symbol_and_are_learned():
    """Assets first, then pairs; names know them afterwards."""

    async def act(side, clock):
        return [each.symbol for each in await side.instruments()], side.names.symbol("XBTUSD")

    (symbols, known), http = live(scripted(), act)
    assert (symbols, known) == (["BTC/USD", "XETH/BTC"], "BTC/USD")
    assert ["Assets", "AssetPairs"] == [name_of(sent) for sent in http.sent]
    assert {sent.method for sent in http.sent} == {"GET"}


def test_tickers_come_in_the_order_asked():
    """Whatever order and names Kraken answers with."""
    row = vector("rest_Ticker")["result"]["XXBTZUSD"]

    async def act(side, clock):
        btc, eth = await side.instruments()
        return [each.symbol for each in await side.tickers((eth, btc), clock.monotonic() + 5)]

    symbols, http = live(scripted(Ticker=answer({"XXBTZUSD": row, "XETHXXBT": row})), act)
    assert symbols == ["XETH/BTC", "BTC/USD"]
    assert http.sent[-1].params == {"pair": "XETHXXBT,XXBTZUSD"}


def test_lone_ticker_counts_under_any_name():
    """A slash name asked for may come back as such."""
    row = vector("rest_Ticker")["result"]["XXBTZUSD"]

    async def act(side, clock):
        return await side.tickers((BTC_USD,), clock.monotonic() + 5)

    tickers, _ = live(scripted(Ticker=answer({"BTC/USD": row})), act)
    assert ["BTC/USD"] == [each.symbol for each in tickers]


def test_a_ticker_over_rest_says_that_it_is_one():
    """It is a look, not what a stream told."""
    row = vector("rest_Ticker")["result"]["XXBTZUSD"]

    async def act(side, clock):
        return await side.tickers((BTC_USD,), clock.monotonic() + 5)

    (ticker,), _ = live(scripted(Ticker=answer({"XXBTZUSD": row})), act)
    assert ticker.polled is True


def test_all_tickers_are_those_known_by_symbol():
    """Pairs that the tables do not name are left out."""
    row = vector("rest_Ticker")["result"]["XXBTZUSD"]

    async def act(side, clock):
        return [each.symbol for each in await side.tickers((), clock.monotonic() + 5)]

    symbols, http = live(scripted(Ticker=answer({"XXBTZUSD": row, "NEWPAIR": row, "XETHXXBT": row})), act)
    assert symbols == ["BTC/USD", "XETH/BTC"]
    assert http.sent[-1].params == {}


def test_missing_ticker_is_broken():
    """Two asked, one answered: no half picture."""
    row = vector("rest_Ticker")["result"]["XXBTZUSD"]

    async def act(side, clock):
        btc, eth = await side.instruments()
        await side.tickers((eth, btc), clock.monotonic() + 5)

    with pytest.raises(ProtocolBroken):
        live(scripted(Ticker=answer({"XXBTZUSD": row})), act)


def test_book_is_asked_to_its_depth_at_most_500():
    """REST has no more."""

    async def act(side, clock):
        return await side.book(BTC_USD, 1000, clock.monotonic() + 5)

    book, http = live(scripted(Depth=answer(vector("rest_Depth")["result"])), act)
    assert (500, "500", 3) == (book.depth, http.sent[0].params["count"], len(book.bids))


def test_candles_since_an_instant_include_that_one():
    """Kraken is asked from one candle before, what is older is cut off."""
    first_ns = 1_688_671_260 * 10**9

    async def act(side, clock):
        return await side.candles(BTC_USD, 60, first_ns, clock.monotonic() + 5)

    candles, http = live(scripted(OHLC=answer(vector("rest_OHLC")["result"])), act)
    assert (3, first_ns) == (len(candles), candles[0].open_time_ns)
    assert ("1", "1688671200") == (http.sent[0].params["interval"], http.sent[0].params["since"])


def test_trades_go_by_the_cursor():
    """Since is the nanosecond cursor as it was given out."""

    async def act(side, clock):
        return await side.trades(BTC_USD, 1_688_671_969_993_150_842, 5000, clock.monotonic() + 5)

    page, http = live(scripted(Trades=answer(vector("rest_Trades")["result"])), act)
    assert (3, 1_688_671_969_993_150_842) == (len(page.trades), page.cursor_ns)
    assert ("1000", "1688671969993150842") == (http.sent[0].params["count"], http.sent[0].params["since"])


def test_mode_and_clock():
    """SystemStatus; the clock as bounds around ours."""

    async def act(side, clock):
        by = clock.monotonic() + 5
        return await side.mode(by), await side.clock(by)

    script = scripted(SystemStatus=answer({"status": "post_only"}), Time=answer({"unixtime": 1_790_000_060}))
    (mode, reading), _ = live(script, act)
    assert (mode, reading) == (VenueMode.POST_ONLY, ClockReading(60.5, 0.5, 0.0))


def test_read_is_repeated_until_it_answers():
    """Refused, lost, gateway page, then the answer."""
    failures = [NotSentError("refused"), ReplyLostError("reset"), Reply(502, {}, b"<html>")]

    def script(sent):
        if not failures:
            return answer({"status": "online"})
        failure = failures.pop(0)
        if isinstance(failure, Reply):
            return failure
        raise failure

    async def act(side, clock):
        return await side.mode(clock.monotonic() + 5)

    mode, http = live(script, act)
    assert (mode, len(http.sent)) == (VenueMode.ONLINE, 4)


def test_few_reads_at_a_time():
    """Kraken counts public calls per address: two in flight, the rest waits its turn."""

    async def slow(sent):
        await asyncio.sleep(1)
        return answer({"XXBTZUSD": {"asks": [], "bids": []}})

    async def act(side, clock):
        by = clock.monotonic() + 60
        await asyncio.gather(*(side.book(BTC_USD, 10 + number, by) for number in range(10)))
        return clock.monotonic()

    took, http = live(slow, act)
    assert (took, http.most_in_flight) == (5.0, 2)


def test_read_waiting_for_a_slot_gives_up_in_time():
    """READ_TIMEOUT at `by`."""

    async def slow(sent):
        await asyncio.sleep(5)
        return answer({"status": "online"})

    async def act(side, clock):
        busy = [asyncio.ensure_future(side.mode(60)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Busy) as failure:
            await side.mode(1.0)
        await asyncio.gather(*busy)
        return failure.value.reason

    assert live(slow, act)[0] is Reason.READ_TIMEOUT


def test_unknown_pair_comes_with_suggestions():
    """The symbol and what it is near to."""

    async def act(side, clock):
        await side.instruments()
        with pytest.raises(Declined) as failure:
            await side.book(replace(BTC_USD, symbol="BTC/UDS"), 10, clock.monotonic() + 5)
        return failure.value.fault

    fault, _ = live(scripted(Depth=answer(None, "EQuery:Unknown asset pair")), act)
    assert (Reason.UNKNOWN_SYMBOL, "BTC/UDS") == (fault.reason, fault.metadata["symbol"])
    assert fault.metadata["suggestions"].split(",")[0] == "BTC/USD"


def test_feed_reads_the_tables_before_its_first_book():
    """The pairs' decimals are needed for the checksum."""
    dialer = MemoryDialer()

    async def act(side, clock):
        feed = side.feed()
        feed.want(frozenset({BookTopic("BTC/USD", 10)}))
        seen = []
        async for event in feed.events():
            seen.append(event)
            if isinstance(event, LinkUp):
                dialer.lines[0].tell(vector("ws_book_snapshot"))
                await asyncio.sleep(0)
            if isinstance(event, BookSeen):
                break
        return seen

    seen, http = live(scripted(), act, dialer=dialer)
    assert [LinkUp, BookSeen] == [type(event) for event in seen]
    assert ["Assets", "AssetPairs"] == [name_of(sent) for sent in http.sent]
    assert seen[1].view().asks[0].price == Decimal("45285.2")


def test_doubted_decimals_are_read_anew_once_a_minute():
    """A book that keeps failing its checksum makes the feed read the tables again, at most every minute."""

    async def act(side, clock):
        feed, reads = side.feed(), []
        for _ in range(3):
            feed._session.doubts_decimals = True
            feed._relearn_if_doubted()
            await clock.sleep(40)
            reads.append(len(http.calls("AssetPairs")))
        return reads, feed._session.doubts_decimals

    http = ScriptedHttp(scripted())
    (reads, doubts), _ = live(http, act)
    assert (reads, doubts) == ([0, 0, 1], False)


def test_wish_changed_on_an_open_feed_is_said_at_once():
    """Subscribe what is new, unsubscribe what is missing."""
    dialer = MemoryDialer()

    async def act(side, clock):
        feed = side.feed()
        feed.want(frozenset({TickerTopic("BTC/USD")}))
        events = feed.events()
        await anext(events)
        await asyncio.sleep(0.01)
        feed.want(frozenset({TickerTopic("ETH/USD")}))
        await asyncio.sleep(0.01)
        await events.aclose()

    live(scripted(), act, dialer=dialer)
    said = [(each["method"], each["params"]["symbol"]) for each in dialer.lines[0].asked("subscribe")]
    left = [each["params"]["symbol"] for each in dialer.lines[0].asked("unsubscribe")]
    assert said == [("subscribe", ["BTC/USD"]), ("subscribe", ["ETH/USD"])]
    assert left == [["BTC/USD"]]
