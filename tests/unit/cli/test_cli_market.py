"""Pairs, tickers, public trades and candles: what is asked, and how it is shown."""

import pytest
from execsvc_api.v1 import market_data_service_pb2 as market

from execsvc.app.market import INTERVALS_S
from execsvc.cli.market import INTERVALS

START_S = 1_700_000_000


def instruments():
    answer = market.ListInstrumentsResponse()
    given = {"status": 1, "price_increment": "0.1", "quantity_increment": "0.00000001", "min_quantity": "0.00005"}
    answer.instruments.add(
        symbol="BTC/USD", min_cost="0.5", leverage_buy=[2, 3, 4], leverage_sell=[2, 3, 4], has_index=True, **given
    )
    answer.instruments.add(symbol="ETH/USD", leverage_buy=[2, 5], **given)
    answer.instruments.add(symbol="SOL/USD", **given)
    return answer


def trades(*ids, token=""):
    answer = market.ListTradesResponse(next_page_token=token)
    for trade_id in ids:
        trade = answer.trades.add(symbol="BTC/USD", trade_id=trade_id, price="60000.0", quantity="0.10", taker_side=2)
        trade.times.venue_time.seconds, trade.times.venue_time.nanos = START_S, 123_999_999
    return answer


def candles(count):
    answer = market.ListCandlesResponse()
    for number in range(count):
        candle = answer.candles.add(
            symbol="BTC/USD", open_price="1", high_price="3", low_price="0.5", close_price="2", volume="10", vwap="1.5",
            trade_count=number, closed=number < count - 1,
        )  # fmt: skip
        candle.open_time.seconds = START_S + 60 * number
    return answer


def rows(said):
    return [line.split() for line in said.out.splitlines()[1:]]


def test_pairs_are_shown_with_their_rules(execsvc, gateway):
    """A run of leverages is shortened, sides that differ are told apart, none is blank."""
    gateway.script("ListInstruments", instruments())
    given = ["ONLINE", "0.1", "0.00000001", "0.00005"]
    assert [
        ["BTC/USD", *given, "0.5", "2-4", "yes"],
        ["ETH/USD", *given, "buy", "2", "5,", "sell", "none", "no"],
        ["SOL/USD", *given, "no"],
    ] == rows(execsvc("instruments"))


def test_pairs_are_chosen_by_name_or_quote(execsvc, gateway):
    """Each as typed: the gateway knows the spellings. None is said beside the heads."""
    gateway.script("ListInstruments", market.ListInstrumentsResponse())
    said = execsvc("instruments", "btc-usd", "XETHZUSD", "--quote", "usd")
    (asked,) = gateway.requests["ListInstruments"]
    assert (["btc-usd", "XETHZUSD"], "usd", "no pair\n") == (list(asked.symbols), asked.quote, said.err)


def test_tickers_say_where_they_come_from(execsvc, gateway):
    """From the stream or over REST, and when they were read; a side that is empty is blank."""
    answer = market.GetTickersResponse()
    for symbol, polled in (("BTC/USD", False), ("ETH/USD", True)):
        ticker = answer.tickers.add(symbol=symbol, bid_price="1", last_price="2", volume_24h="3", polled=polled)
        ticker.times.receive_time.seconds = START_S
    gateway.script("GetTickers", answer)
    assert [
        [symbol, "1", "2", "3", source, "2023-11-14", "22:13:20"]
        for symbol, source in (("BTC/USD", "stream"), ("ETH/USD", "REST"))
    ] == rows(execsvc("tickers"))
    assert [] == list(gateway.requests["GetTickers"][0].symbols)


def test_trades_go_on_from_page_to_page_until_there_are_enough(execsvc, gateway):
    """From --since on; without it the latest ones."""
    gateway.script("ListTrades", trades("1", "2", token="a"), trades("3", "4"))
    said = execsvc("trades", "BTC/USD", "--count", "3", "--since", "2023-11-14T22:00", "-o", "json").json
    asked = gateway.requests["ListTrades"]
    assert ["1", "2", "3"] == [each["tradeId"] for each in said["trades"]]
    assert [(1_699_999_200, 3, ""), (1_699_999_200, 3, "a")] == [
        (each.start_time.seconds, each.page_size, each.page_token) for each in asked
    ]


@pytest.mark.parametrize(
    ("since", "which"), [((), "latest"), (("--since", "2023-11-14"), "first")], ids=["latest", "since"]
)
def test_trades_say_which_they_are_when_they_were_cut(execsvc, gateway, since, which):
    """To the millisecond; the note says which end was kept."""
    gateway.script("ListTrades", trades("7"))
    said = execsvc("trades", "BTC/USD", "--count", "1", *since)
    assert [["2023-11-14", "22:13:20.123", "SELL", "0.10", "60000.0", "7"]] == rows(said)
    assert f"the {which} 1: there may be more" in said.err


def test_candles_are_the_last_so_many(execsvc, gateway):
    """Oldest first, the open one told as such; the interval in its usual name."""
    gateway.script("ListCandles", candles(5))
    said = execsvc("candles", "BTC/USD", "--interval", "4h", "--count", "2")
    assert [("22:16:20", "3", "yes"), ("22:17:20", "4", "no")] == [(row[1], row[-2], row[-1]) for row in rows(said)]
    assert 4 * 3600 == gateway.requests["ListCandles"][0].interval.seconds


def test_every_interval_has_a_name():
    """What the gateway offers can be typed, and nothing else."""
    assert [60 * minutes for minutes in INTERVALS.values()] == list(INTERVALS_S)


def test_an_interval_that_kraken_does_not_have_is_exit_2(execsvc, gateway):
    """And nothing is asked; those there are are named."""
    said = execsvc("candles", "BTC/USD", "--interval", "7h")
    assert (2, []) == (said.code, gateway.requests["ListCandles"])
    assert "--interval 7h: one of 1m, 5m, 15m, 30m, 1h, 4h, 1d, 1w, 15d" in said.err
