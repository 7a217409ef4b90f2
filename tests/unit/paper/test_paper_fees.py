"""What trading costs: the volume of thirty days, the tiers, and TradeVolume's account of both."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.paper.fees import Turnover, fee_row
from execsvc.paper.pairs import load
from tests.unit.paper.paperbench import NS, START, Bench, vector

HOUR, DAY = 3_600, 86_400
SPAN_H = 30 * 24
FILLS = st.lists(st.tuples(st.integers(0, 900), st.decimals("0.01", "99999", places=2)), max_size=40)


@given(FILLS, st.integers(0, 1_000))
def test_volume_is_that_of_the_last_thirty_days(fills, later):
    """The volume is the sum of all fills of the last 30 days, rolled off by whole hours."""
    turnover = Turnover()
    fills = sorted(fills, key=lambda fill: fill[0])
    for hour, usd in fills:
        turnover.add(usd, hour * HOUR * NS)
    now = max([later, *(hour for hour, _ in fills)])
    counted = sum((usd for hour, usd in fills if hour + 1 > now - SPAN_H), Decimal(0))
    assert int(counted * 10_000) == turnover.volume(now * HOUR * NS)


@pytest.mark.parametrize(("later_h", "left"), [(SPAN_H, 5), (SPAN_H + 1, 0)])
def test_an_hour_counts_until_all_of_it_is_thirty_days_old(later_h, left):
    """What was traded at the end of an hour is not dropped while it is younger than thirty days."""
    turnover = Turnover()
    turnover.add(Decimal(5), HOUR * NS - 1)
    assert left == turnover.usd(later_h * HOUR * NS)


def test_turnover_stays_small():
    """However often somebody trades, no more is kept than one sum an hour of the thirty days."""
    turnover = Turnover()
    for minute in range(40 * 24 * 60):
        turnover.add(Decimal(1), minute * 60 * NS)
    assert SPAN_H + 1 >= len(turnover._hours)


def test_a_clock_set_back_loses_no_volume():
    """A fill that comes with an earlier hour counts with the newest one, and is not lost."""
    turnover = Turnover()
    turnover.add(Decimal(5), 10 * HOUR * NS)
    turnover.add(Decimal(7), 9 * HOUR * NS)
    assert 12 == turnover.usd(10 * HOUR * NS)


STANDARD = load().pairs["XXBTZUSD"]


@pytest.mark.parametrize(
    ("usd", "fee", "tier", "next_fee", "next_volume"),
    [
        (0, "0.4000", "0.0000", "0.3500", "10000.0000"),
        (9_999, "0.4000", "0.0000", "0.3500", "10000.0000"),
        (10_000, "0.3500", "10000.0000", "0.2400", "50000.0000"),
        (2_500_000, "0.1400", "2500000.0000", "0.1200", "5000000.0000"),
        (100_000_000, "0.0800", "100000000.0000", None, None),
        (900_000_000, "0.0800", "100000000.0000", None, None),
    ],
)
def test_tier_of_a_volume(usd, fee, tier, next_fee, next_volume):
    """A tier begins at its own volume, names the one after it, and the last one has none."""
    row = fee_row(STANDARD.taker_fees, usd * 10_000)
    expected = {
        "fee": fee,
        "minfee": "0.0800",
        "maxfee": "0.4000",
        "nextfee": next_fee,
        "nextvolume": next_volume,
        "tiervolume": tier,
    }
    assert expected == row


def test_trade_volume_in_the_samples_shape(bench):
    """With pairs there is a row for each, keyed by id and with Kraken's own names, for takers and for makers."""
    answer = bench.ok("TradeVolume", pair="XBTUSD,ETH/USD")
    sample = vector("rest_TradeVolume.json")["result"]
    assert set(sample) == set(answer)
    assert ["XXBTZUSD", "XETHZUSD"] == list(answer["fees"]) == list(answer["fees_maker"])
    assert set(sample["fees"]["XXBTZUSD"]) == set(answer["fees"]["XXBTZUSD"])
    assert ("0.4000", "0.2500") == tuple(answer[side]["XXBTZUSD"]["fee"] for side in ("fees", "fees_maker"))


def test_trade_volume_without_a_pair(bench):
    """Without a pair there are no fees to tell, only the volume."""
    assert {"currency": "ZUSD", "volume": "0.0000", "fees": None, "fees_maker": None} == bench.ok("TradeVolume")


def test_trade_volume_of_listed_assets(bench):
    """The pairs may come as a JSON list, of names or of objects."""
    for pair in (["XBTUSD"], [{"asset": "XBT/USD", "aclass": "forex"}]):
        assert ["XXBTZUSD"] == list(bench.private("TradeVolume", "json", pair=pair)["result"]["fees"])
    assert ["EGeneral:Invalid arguments:pair"] == bench.private("TradeVolume", "json", pair=[{"aclass": "x"}])["error"]
    assert "EQuery:Unknown asset pair" == bench.error("TradeVolume", pair="FOOBAR")


def test_fee_falls_with_the_volume_and_comes_back():
    """Who has traded for 10,000 USD pays the second tier's fee, and after thirty quiet days the first one's again."""
    bench = Bench(pairs=("BTC/USD",))
    bench.book(bids=[("99000.0", "50")], asks=[("100000.0", "50")])

    def fee_rate():
        row = bench.state(bench.order(ordertype="market", volume="0.11"))
        return Decimal(row["fee"]) / Decimal(row["cost"]) * 100

    assert [Decimal("0.4"), Decimal("0.35")] == [fee_rate(), fee_rate()]
    bench.wait(30 * DAY + 2 * HOUR)
    assert Decimal("0.4") == fee_rate()


def test_maker_rebate():
    """On a pair with rebates a maker of the last tier is paid, and the ledger still adds up."""
    bench = Bench(pairs=("DOT/USD",))
    bench.venue.turnover.add(Decimal(20_000_000), START)
    bench.book(bids=[("7.0000", "1000")], asks=[("7.1000", "1000")], symbol="DOT/USD")
    txid = bench.order(pair="DOTUSD", price="7.05", volume="100", oflags="post")
    bench.take("sell", "100", symbol="DOT/USD")
    row = bench.state(txid)
    assert ("closed", "705.00000000", "-0.14100000") == (row["status"], row["cost"], row["fee"])
    bench.venue.engine.prove()


def test_stablecoins_cost_less_and_count_for_nothing():
    """A stablecoin pair has one low schedule for both sides, and trading it adds nothing to the volume."""
    bench = Bench(pairs=("USDT/USD",))
    bench.book(bids=[("0.99990", "90000")], asks=[("1.00010", "90000")], symbol="USDT/USD")
    row = bench.state(bench.order(pair="USDTUSD", ordertype="market", volume="1000"))
    assert Decimal("0.2") == Decimal(row["fee"]) / Decimal(row["cost"]) * 100
    assert 0 == bench.venue.turnover.volume(bench.now)
