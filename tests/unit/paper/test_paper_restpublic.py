"""Public REST calls: shapes of the samples, names, decimals, and figures that agree with each other."""

from decimal import Decimal
from itertools import pairwise

import pytest

from execsvc.paper.restface import Request
from tests.unit.paper.paperbench import NS, START, Bench, kinds, read, vector


@pytest.fixture(scope="module")
def live():
    """All pairs, moving, a little more than a minute after the start."""
    bench = Bench(frozen=False)
    bench.wait(63)
    return bench


SHAPES = [
    ("Time", {}, "rest_Time_recorded.json"),
    ("SystemStatus", {}, "rest_SystemStatus.json"),
    ("Assets", {"asset": "XBT,EUR,USD"}, "rest_Assets.json"),
    ("AssetPairs", {"pair": "XBTUSD,ETHXBT"}, "rest_AssetPairs.json"),
    ("Ticker", {"pair": "XBTUSD"}, "rest_Ticker.json"),
    ("Depth", {"pair": "XBTUSD", "count": 3}, "rest_Depth.json"),
    ("Trades", {"pair": "XBTUSD", "count": 3}, "rest_Trades.json"),
    ("Spread", {"pair": "XBTUSD"}, "rest_Spread.json"),
    ("OHLC", {"pair": "XBTUSD"}, "rest_OHLC.json"),
]


def within(sample, answer):
    """Every name the sample has is there, with the same JSON type."""
    if isinstance(sample, dict):
        return all(name in answer and within(part, answer[name]) for name, part in sample.items())
    if isinstance(sample, list):
        return isinstance(answer, list) and all(
            within(part, other) for part, other in zip(sample, answer, strict=False)
        )
    return sample == answer


@pytest.mark.parametrize(("method", "params", "sample"), SHAPES, ids=str)
def test_shapes_of_the_samples(live, method, params, sample):
    """Each answer has the names and JSON types of the published sample."""
    answer = live.public(method, **params)
    assert within(kinds(vector(sample)), kinds(answer)), (kinds(vector(sample)), kinds(answer))


def test_time_is_said_twice(bench):
    """Time says one instant as a number and in words."""
    assert {"unixtime": 1_767_225_600, "rfc1123": "Thu, 01 Jan 26 00:00:00 +0000"} == bench.public("Time")["result"]


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        ("XXBTZUSD", "XXBTZUSD"),
        ("XBTUSD", "XXBTZUSD"),
        ("xbtusd", "XXBTZUSD"),
        ("BTCUSD", "XXBTZUSD"),
        ("XBT/USD", "XBT/USD"),
        ("BTC/USD", "BTC/USD"),
    ],
)
@pytest.mark.parametrize("method", ["AssetPairs", "Ticker", "Depth", "OHLC", "Trades", "Spread"])
def test_names_of_pairs(live, method, asked, key):
    """Answers are keyed by the id whatever was asked, but a slash name comes back as asked."""
    assert [key] == [name for name in live.public(method, pair=asked)["result"] if name != "last"]


@pytest.mark.parametrize("method", ["AssetPairs", "Ticker", "Depth", "OHLC", "Trades", "Spread"])
def test_unknown_pair(bench, method):
    """A pair that is not listed is named unknown by every call; surgery on names finds nothing."""
    for name in ("FOOBAR", "XXBTUSD", "XBT-USD"):
        assert ["EQuery:Unknown asset pair"] == bench.public(method, pair=name)["error"]


@pytest.mark.parametrize("method", ["Depth", "OHLC", "Trades", "Spread"])
def test_pair_is_required(bench, method):
    """Calls about one pair need exactly one."""
    for params in ({}, {"pair": "XBTUSD,ETHUSD"}):
        assert ["EGeneral:Invalid arguments:pair"] == bench.public(method, **params)["error"]


@pytest.mark.parametrize(
    ("method", "params", "error"),
    [
        ("Assets", {"asset": "GOLD"}, "EQuery:Unknown asset"),
        ("Depth", {"pair": "XBTUSD", "count": "0"}, "EGeneral:Invalid arguments:count"),
        ("Depth", {"pair": "XBTUSD", "count": "501"}, "EGeneral:Invalid arguments:count"),
        ("Trades", {"pair": "XBTUSD", "count": "many"}, "EGeneral:Invalid arguments:count"),
        ("OHLC", {"pair": "XBTUSD", "interval": "2"}, "EGeneral:Invalid arguments:interval"),
        ("OHLC", {"pair": "XBTUSD", "since": "yesterday"}, "EGeneral:Invalid arguments:since"),
        ("AssetPairs", {"info": "gossip"}, "EGeneral:Invalid arguments:info"),
        ("Nonsense", {}, "EGeneral:Unknown method"),
        ("Assets", {"aclass": "gold"}, "EGeneral:Invalid arguments:aclass"),
        ("AssetPairs", {"aclass_base": "gold"}, "EGeneral:Invalid arguments:aclass_base"),
        ("AssetPairs", {"execution_venue": "moon"}, "EGeneral:Invalid arguments:execution_venue"),
        ("AssetPairs", {"country_code": "Germany"}, "EGeneral:Invalid arguments:country_code"),
        ("Ticker", {"asset_class": "gold"}, "EGeneral:Invalid arguments:asset_class"),
        ("Ticker", {"asset_class": "tokenized_asset", "pair": "XBTUSD"}, "EQuery:Unknown asset pair"),
        ("GroupedBook", {"pair": "XBTUSD", "grouping": "7"}, "EGeneral:Invalid arguments:grouping"),
        ("GroupedBook", {"pair": "XBTUSD", "depth": "7"}, "EGeneral:Invalid arguments:depth"),
    ],
)
def test_refusals(bench, method, params, error):
    """Each wrong argument has its text."""
    assert [error] == bench.public(method, **params)["error"]


@pytest.mark.parametrize(
    ("verb", "path"),
    [("GET", "/0/private/Balance"), ("POST", "/0/private/Withdraw"), ("GET", "/"), ("GET", "/1/public/Time")],
)
def test_unknown_methods(bench, verb, path):
    """What the exchange does not offer is an unknown method, with HTTP 200."""
    answer = read(bench.exchange.http(Request(verb, path, "", {"user-agent": "b"}), bench.now))
    assert ["EGeneral:Unknown method"] == answer["error"]


def test_client_without_user_agent_is_turned_away(bench):
    """A request without a User-Agent meets the edge server: 403 and HTML."""
    outcome = bench.exchange.http(Request("GET", "/0/public/Time"), bench.now).outcome
    assert (403, True) == (outcome.status, outcome.body.startswith(b"<html>"))


def test_every_pair_is_complete(bench):
    """Each pair has one of the three fee schedules, ids, altnames and wsnames differ as Kraken's do, nothing is missing."""
    live = Bench().public("AssetPairs")["result"]
    assert 13 == len(live)
    assert ("XBTUSD", "XBT/USD", "XXBT", "ZUSD") == tuple(
        live["XXBTZUSD"][name] for name in ("altname", "wsname", "base", "quote")
    )
    for pair in live.values():
        assert (pair["fees"][0][1], pair["fees_maker"][0][1]) in ((0.4, 0.25), (0.4, 0.23), (0.2, 0.2))
        assert Decimal(pair["tick_size"]) == Decimal(1).scaleb(-pair["pair_decimals"])


@pytest.mark.parametrize(
    ("info", "names"),
    [
        ("leverage", {"leverage_buy", "leverage_sell"}),
        ("fees", {"fees", "fees_maker", "fee_volume_currency"}),
        ("margin", {"margin_call", "margin_stop"}),
    ],
)
def test_part_of_a_pair(bench, info, names):
    """With info only that part of the entry is answered."""
    assert names == set(bench.public("AssetPairs", pair="XBTUSD", info=info)["result"]["XXBTZUSD"])


def test_public_prices_have_five_decimals_or_more(live):
    """Ticker, Depth, Trades and Spread print five decimals, or the pair's own if it has more."""
    for pair, places in (("XBTUSD", 5), ("XDGUSD", 7)):
        depth = next(iter(live.public("Depth", pair=pair)["result"].values()))
        ticker = next(iter(live.public("Ticker", pair=pair)["result"].values()))
        trades = next(iter(live.public("Trades", pair=pair)["result"].values()))
        for text in (depth["asks"][0][0], ticker["o"], ticker["p"][0], trades[0][0]):
            assert places == len(text.split(".")[1])


def test_ohlc_prices_have_the_pairs_own_decimals(live):
    """OHLC prints the pair's own decimals and volumes with eight."""
    rows = live.public("OHLC", pair="XBTUSD")["result"]["XXBTZUSD"]
    assert (1, 1, 8) == tuple(len(rows[0][place].split(".")[1]) for place in (1, 5, 6))


def test_depth_is_sorted_and_never_shows_nothing(live):
    """Depth is best first, and a volume below a thousandth is printed in full instead of as 0.000."""
    live.book(bids=[("90000.0", "0.0001"), ("89999.0", "2")], asks=[("90001.0", "1")], symbol="BTC/USD")
    depth = live.public("Depth", pair="XBTUSD")["result"]["XXBTZUSD"]
    assert [["90000.00000", "0.00010000"], ["89999.00000", "2.000"]] == [row[:2] for row in depth["bids"]]
    for title, best in (("asks", min), ("bids", max)):
        prices = [
            Decimal(row[0]) for row in live.public("Depth", pair="ETHUSD", count=500)["result"]["XETHZUSD"][title]
        ]
        assert sorted(prices, reverse=best is max) == prices
        assert 80 < len(prices)


def test_depth_says_when_a_level_changed(ladder):
    """The third column of Depth is the second a level last changed."""
    ladder.wait(7)
    ladder.take("buy", "0.5")
    asks = ladder.public("Depth", pair="XBTUSD")["result"]["XXBTZUSD"]["asks"]
    assert [START // NS + 7, START // NS, START // NS] == [row[2] for row in asks]


@pytest.mark.parametrize("interval", [1, 5, 15, 30, 60, 240, 1440, 10080, 21600])
def test_ohlc_is_whole(live, interval):
    """Every interval has 720 committed candles and the open one, in step, prices within low and high."""
    answer = live.public("OHLC", pair="SOLUSD", interval=interval)["result"]
    rows = answer["SOLUSD"]
    assert 721 == len(rows)
    assert {interval * 60} == {later[0] - row[0] for row, later in pairwise(rows)}
    assert rows[-2][0] == answer["last"]
    assert rows[-1][0] <= live.now // NS < rows[-1][0] + interval * 60
    for row in rows:
        opened, high, low, close, vwap = map(Decimal, row[1:6])
        assert low <= min(opened, close) <= max(opened, close) <= high
        assert low <= vwap <= high
        assert row[7] > 0


def test_ohlc_joins_up(live):
    """Each candle of the past opens where the one before closed, and candles of all lengths end at the same price."""
    ends = set()
    for interval in (1, 5, 60, 1440):
        rows = live.public("OHLC", pair="ETHUSD", interval=interval)["result"]["XETHZUSD"]
        assert all(row[4] == later[1] for row, later in pairwise(rows[:-2]))
        ends.add(rows[-1][4])
    assert 1 == len(ends)


def test_volumes_of_different_intervals_add_up(live):
    """Sixty minutes of the past hold as much as their hour."""
    hours = live.public("OHLC", pair="ETHUSD", interval=60)["result"]["XETHZUSD"]
    minutes = live.public("OHLC", pair="ETHUSD", interval=1)["result"]["XETHZUSD"]
    hour = hours[-3]
    inside = [row for row in minutes if hour[0] <= row[0] < hour[0] + 3600]
    assert 60 == len(inside)
    assert Decimal(hour[6]) == sum(Decimal(row[6]) for row in inside)
    assert hour[7] == sum(row[7] for row in inside)


def test_ohlc_since(live):
    """With since only later candles come, so that polling with `last` brings what is new."""
    last = live.public("OHLC", pair="XBTUSD")["result"]["last"]
    rows = live.public("OHLC", pair="XBTUSD", since=last)["result"]["XXBTZUSD"]
    assert [last + 60] == [row[0] for row in rows]


def test_minute_without_trades(bench):
    """A minute without trades repeats the close, with no volume, no count and a vwap of 0.0."""
    bench.take("buy", "0.01")
    bench.wait(180)
    rows = bench.public("OHLC", pair="XBTUSD")["result"]["XXBTZUSD"]
    assert [row[0] for row in rows[-3:]] == [START // NS + 60 * minute for minute in (1, 2, 3)]
    assert [[rows[-4][4]] * 4 + ["0.0", "0.00000000", 0]] * 3 == [row[1:] for row in rows[-3:]]


def test_views_agree(live):
    """Trades, candles, ticker and spread tell one story."""
    live.wait(600)
    trades = live.public("Trades", pair="DOTUSD")["result"]["DOTUSD"]
    candles = live.public("OHLC", pair="DOTUSD")["result"]["DOTUSD"]
    ticker = live.public("Ticker", pair="DOTUSD")["result"]["DOTUSD"]
    spread = live.public("Spread", pair="DOTUSD")["result"]["DOTUSD"]
    depth = live.public("Depth", pair="DOTUSD", count=1)["result"]["DOTUSD"]
    minute = candles[-2]
    inside = [row for row in trades if minute[0] <= row[2] < minute[0] + 60]
    prices = [Decimal(row[0]) for row in inside]
    assert [prices[0], max(prices), min(prices), prices[-1]] == [Decimal(text) for text in minute[1:5]]
    assert Decimal(minute[6]) == sum(Decimal(row[1]) for row in inside)
    assert minute[7] == len(inside)
    assert Decimal(trades[-1][0]) == Decimal(candles[-1][4]) == Decimal(ticker["c"][0])
    assert trades[-1][1] == ticker["c"][1]
    assert [depth["bids"][0][0], depth["asks"][0][0]] == spread[-1][1:] == [ticker["b"][0], ticker["a"][0]]


def test_ticker_of_today_is_the_daily_candle(live):
    """Today in the ticker is the daily candle that is open."""
    today = live.public("OHLC", pair="ADAUSD", interval=1440)["result"]["ADAUSD"][-1]
    ticker = live.public("Ticker", pair="ADAUSD")["result"]["ADAUSD"]
    assert [Decimal(text) for text in today[1:4]] == [Decimal(ticker[name]) for name in "o"] + [
        Decimal(ticker[name][0]) for name in "hl"
    ]
    assert (today[6], today[7]) == (ticker["v"][0], ticker["t"][0])


def test_last_24_hours_hold_today(live):
    """Low, high, volume and count of 24 hours are never narrower than today's."""
    for row in live.public("Ticker")["result"].values():
        assert Decimal(row["v"][1]) >= Decimal(row["v"][0])
        assert row["t"][1] >= row["t"][0]
        assert Decimal(row["l"][1]) <= Decimal(row["p"][1]) <= Decimal(row["h"][1])


def test_open_candle_holds_past_and_present():
    """A candle that began before the exchange did holds both its made-up beginning and its real trades."""
    bench = Bench(pairs=("BTC/USD",))
    before = bench.public("OHLC", pair="XBTUSD", interval=21600)["result"]["XXBTZUSD"][-1]
    bench.take("buy", "0.001")
    after = bench.public("OHLC", pair="XBTUSD", interval=21600)["result"]["XXBTZUSD"][-1]
    assert before[0] < START // NS
    assert Decimal(before[6]) > 100
    assert Decimal(before[6]) + Decimal("0.001") == Decimal(after[6])
    assert (before[7] + 1, before[1]) == (after[7], after[1])


def test_last_24_hours_hold_the_past(bench):
    """The ticker's 24 hours hold what the candles of these 24 hours hold, and move on with time."""
    rows = bench.public("OHLC", pair="XBTUSD", interval=15)["result"]["XXBTZUSD"]
    day = [row for row in rows if START // NS - 86_400 <= row[0] < START // NS]
    ticker = bench.public("Ticker", pair="XBTUSD")["result"]["XXBTZUSD"]
    assert sum(Decimal(row[6]) for row in day) == pytest.approx(Decimal(ticker["v"][1]), rel=Decimal("0.005"))
    assert (max(Decimal(row[2]) for row in day), min(Decimal(row[3]) for row in day)) == (
        Decimal(ticker["h"][1]),
        Decimal(ticker["l"][1]),
    )
    bench.wait(12 * 3600)
    later = bench.public("Ticker", pair="XBTUSD")["result"]["XXBTZUSD"]
    assert 0.3 < float(later["v"][1]) / float(ticker["v"][1]) < 0.7
    bench.wait(12 * 3600)
    assert "0.00000000" == bench.public("Ticker", pair="XBTUSD")["result"]["XXBTZUSD"]["v"][1]


def test_last_24_hours_of_live_trading(bench):
    """Once a day has passed the 24 hours are exactly the live trades of the last 1440 minutes."""
    for hour in range(50):
        bench.book(bids=[("100.0", "9")], asks=[(f"{101 + hour}.0", "9")])
        bench.take("buy", "0.5")
        bench.wait(3600)
        ticker = bench.public("Ticker", pair="XBTUSD")["result"]["XXBTZUSD"]
    assert ("11.50000000", 23) == (ticker["v"][1], ticker["t"][1])
    assert ("128.00000", "150.00000", "139.00000") == (ticker["l"][1], ticker["h"][1], ticker["p"][1])


def test_trades_since(live):
    """`last` continues where the rows ended, by ns or by second, and the newest rows come without it."""
    page = live.public("Trades", pair="XBTUSD", since=0, count=5)["result"]
    following = live.public("Trades", pair="XBTUSD", since=page["last"], count=5)["result"]
    assert 5 == len(page["XXBTZUSD"])
    assert page["XXBTZUSD"][-1][6] + 1 == following["XXBTZUSD"][0][6]
    newest = live.public("Trades", pair="XBTUSD", count=1)["result"]
    assert [] == live.public("Trades", pair="XBTUSD", since=newest["last"])["result"]["XXBTZUSD"]
    second = int(page["XXBTZUSD"][0][2])
    assert all(row[2] > second for row in live.public("Trades", pair="XBTUSD", since=second)["result"]["XXBTZUSD"])


def test_spread_since(live):
    """Spread answers from the second asked for on."""
    rows = live.public("Spread", pair="XBTUSD")["result"]["XXBTZUSD"]
    middle = rows[len(rows) // 2][0]
    assert [row for row in rows if row[0] >= middle] == live.public("Spread", pair="XBTUSD", since=middle)["result"][
        "XXBTZUSD"
    ]


def test_market_status_is_shown(bench):
    """A market's status stands in its pair, the system's in SystemStatus."""
    bench.exchange.set_market_status(bench.venue.listing("XBTUSD"), "post_only", bench.now)
    bench.exchange.set_system("maintenance", bench.now)
    assert "post_only" == bench.public("AssetPairs", pair="XBTUSD")["result"]["XXBTZUSD"]["status"]
    assert "maintenance" == bench.public("SystemStatus")["result"]["status"]
    assert ["EService:Unavailable"] == bench.private("Balance")["error"]


@pytest.mark.parametrize(
    ("method", "params", "found"),
    [
        ("Assets", {"asset": "all"}, 11),
        ("Assets", {"aclass": "currency"}, 11),
        ("Assets", {"aclass": "tokenized_asset"}, 0),
        ("AssetPairs", {"aclass_base": "currency"}, 3),
        ("AssetPairs", {"aclass_base": "tokenized_asset"}, 0),
        ("AssetPairs", {"execution_venue": "international,bitnomial_exchange"}, 3),
        ("AssetPairs", {"execution_venue": "bitnomial_exchange"}, 0),
        ("AssetPairs", {"country_code": "DE"}, 3),
        ("Ticker", {}, 3),
        ("Ticker", {"asset_class": "currency"}, 3),
        ("Ticker", {"asset_class": "tokenized_asset"}, 0),
    ],
    ids=str,
)
def test_filters_by_class_and_venue(bench, method, params, found):
    """There are currencies on one venue only: filters for those find all, for others nothing."""
    assert found == len(bench.public(method, **params)["result"])


def test_grouped_book_rounds_to_the_worse_price(bench):
    """Levels are put together by so many ticks: bids at the price below, asks at the one above."""
    bench.book(
        bids=[("100.4", "1"), ("100.1", "2"), ("100.0", "4"), ("99.9", "8")],
        asks=[("100.5", "1"), ("101.0", "2"), ("101.1", "4")],
    )
    expected = {
        "pair": "XXBTZUSD",
        "grouping": 10,
        "bids": [
            {"price": "100.00000", "qty": "7.00000000"},
            {"price": "99.00000", "qty": "8.00000000"},
        ],
        "asks": [
            {"price": "101.00000", "qty": "3.00000000"},
            {"price": "102.00000", "qty": "4.00000000"},
        ],
    }
    assert expected == bench.public("GroupedBook", pair="XBTUSD", grouping=10, depth=10)["result"]


@pytest.mark.parametrize(("grouping", "depth"), [(1, 10), (5, 25), (1000, 10)])
def test_grouped_book_loses_nothing(live, grouping, depth):
    """The groups are distinct, best first, no more than asked for, and each holds what the book has in it."""
    answer = live.public("GroupedBook", pair="XBTUSD", grouping=grouping, depth=depth)["result"]
    book = live.public("Depth", pair="XBTUSD", count=500)["result"]["XXBTZUSD"]
    for side, sign in (("asks", 1), ("bids", -1)):
        rows = [(Decimal(row["price"]), Decimal(row["qty"])) for row in answer[side]]
        assert 1 <= len(rows) <= depth
        assert all((later[0] - earlier[0]) * sign > 0 for earlier, later in pairwise(rows))
        there = sum(Decimal(qty) for price, qty, _ in book[side] if (Decimal(price) - rows[-1][0]) * sign <= 0)
        assert abs(there - sum(qty for _, qty in rows)) < Decimal("0.1")  # Depth tells three decimals
