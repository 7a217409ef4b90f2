"""The market that moves by itself: never still, never empty, never absurd, and cheap to compute."""

from itertools import pairwise
from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.paper.matching import Resting
from execsvc.paper.pairs import load
from execsvc.paper.past import Past
from execsvc.paper.prices import WORTHS, Prices
from tests.unit.paper.paperbench import NS, START, Bench

DAY = 86_400
START_S = START // NS


@pytest.fixture(scope="module")
def run():
    """All pairs for two minutes, every book looked at each half second."""
    bench = Bench(frozen=False)
    looks = []
    for _ in range(240):
        bench.wait(0.5)
        looks.append([(m.book.bids.best(), m.book.asks.best()) for m in bench.venue.listings.values()])
    return bench, looks


def test_every_pair_trades_every_second(run):
    """No pair lets more than a second go by without a trade, from before the opening on."""
    bench, _ = run
    for listing in bench.venue.listings.values():
        times = [row.at for row in listing.tape.prints]
        assert times[0] < START
        assert max(later - at for at, later in pairwise(times)) <= NS + NS // 100
        assert bench.now - times[-1] <= NS + NS // 100


def test_book_is_never_empty_or_crossed(run):
    """At every look both sides are there, bid below ask, the spread below half a percent."""
    _, looks = run
    for look in looks:
        for bid, ask in look:
            assert bid is not None
            assert ask is not None
            assert 0 < bid < ask < bid * 1.005


def test_books_keep_their_length(run):
    """Both sides stay near a hundred levels, whole ticks, no order below the pair's minimum."""
    bench, _ = run
    for listing in bench.venue.listings.values():
        for half in listing.book.halves.values():
            assert 60 <= len(half.makers) <= 140
            for price, resting in half.makers.items():
                assert 0 == price % listing.pair.tick
                assert resting.qty > 0


def test_books_stay_near_their_price():
    """No maker stands further than a twentieth from the touch: one that was left behind goes."""
    bench = Bench(frozen=False, pairs=("SOL/EUR",))
    book = bench.venue.listing("SOLEUR").book
    for half, price in ((book.bids, 9_000), (book.asks, 36_000)):
        half.add(Resting(half.side, price, 5), bench.now)
    for _ in range(30):
        bench.wait(60)
    for half in book.halves.values():
        worst = half.keys[-1] * half.sign
        assert abs(worst / half.best() - 1) < 0.055
        assert 60 <= len(half.makers) <= 140


def test_trades_are_worth_making(run):
    """Each taker's order is at least the pair's minimum, and last prices stay close to the table's worth."""
    bench, _ = run
    for listing in bench.venue.listings.values():
        pair = listing.pair
        worth = WORTHS[pair.base.id].usd / WORTHS[pair.quote.id].usd * 10**pair.pair_decimals
        assert abs(log(listing.tape.last / worth)) < 0.01
        assert all(row.lots > 0 for row in listing.tape.prints)


def test_swept_side_comes_back(run):
    """A trader who buys everything there is finds a full book again at once."""
    bench = Bench(frozen=False, pairs=("BTC/USD",), funds={"USD": "100000000", "BTC": "1"})
    bench.wait(1)
    asks = bench.venue.listing("XBTUSD").book.asks
    everything = sum(level.qty for level in asks.walk()) / 10**8
    bench.order(ordertype="market", volume=f"{everything + 10:.8f}")
    assert 80 <= len(asks.makers)
    bench.wait(5)
    assert 80 <= len(asks.makers)


def test_frozen_market_does_not_move(bench):
    """A frozen market keeps its book and prints nothing, for as long as it is frozen."""
    book = bench.venue.listing("XBTUSD").book
    before = book.bids.top(200), book.asks.top(200)
    bench.wait(3600)
    assert before == (book.bids.top(200), book.asks.top(200))
    assert 0 == len(bench.venue.listing("XBTUSD").tape.prints)


def test_first_book_does_not_depend_on_who_looks_when():
    """A still book is made when it is first looked at, and is the same whenever that is."""
    early, late = Bench(pairs=("BTC/USD", "ETH/USD")), Bench(pairs=("BTC/USD", "ETH/USD"))
    for bench, pairs in ((early, ("XBTUSD", "ETHUSD")), (late, ("ETHUSD", "XBTUSD"))):
        for pair in pairs:
            bench.wait(0 if bench is early else 900)
            assert bench.public("Depth", pair=pair)["error"] == []
    rows = [bench.public("Depth", pair="XBTUSD", count=200) for bench in (early, late)]
    assert rows[0] == rows[1]


def test_market_can_be_frozen_and_thawed():
    """Freezing stops a running market, thawing lets it go on."""
    bench = Bench(frozen=False, pairs=("BTC/USD",))
    listing = bench.venue.listing("XBTUSD")
    bench.wait(5)
    listing.frozen = True
    count = len(listing.tape.prints)
    bench.wait(5)
    assert count == len(listing.tape.prints)
    listing.frozen = False
    bench.wait(5)
    assert count + 4 <= len(listing.tape.prints)


def test_resting_order_is_hit_by_the_market():
    """An order at the touch of a moving market is filled by its takers, in parts."""
    bench = Bench(frozen=False, pairs=("BTC/USD",))
    bench.wait(1)
    bid = bench.venue.listing("XBTUSD").book.bids.best()
    txid = bench.order(price=f"{bid / 10:.1f}", volume="0.5")
    for _ in range(600):
        bench.wait(1)
        if bench.state(txid)["status"] == "closed":
            break
    row = bench.state(txid)
    assert ("closed", "0.50000000") == (row["status"], row["vol_exec"])
    assert 1 < len(row["trades"])
    bench.venue.engine.prove()


def test_leap_in_time_is_not_replayed():
    """After a night's sleep the market goes on from now instead of replaying the night."""
    bench = Bench(frozen=False)
    bench.wait(5)
    first = bench.venue.listing("XBTUSD").tape.prints[-1].id
    bench.wait(8 * 3600)
    tape = bench.venue.listing("XBTUSD").tape
    assert tape.prints[-1].id - first < 200
    assert bench.now - tape.prints[-1].at < 2 * NS


def test_steps_do_not_depend_on_the_clocks_grain():
    """One big step of time and many small ones give the same trades."""
    coarse, fine = Bench(frozen=False, pairs=("BTC/USD",)), Bench(frozen=False, pairs=("BTC/USD",))
    coarse.wait(20)
    for _ in range(200):
        fine.wait(0.1)
    tapes = [list(bench.venue.listing("XBTUSD").tape.prints) for bench in (coarse, fine)]
    assert tapes[0] == tapes[1]


@given(st.integers(-10 * 365 * DAY, 10 * 365 * DAY), st.sampled_from(sorted(load().pairs)), st.integers(0, 5))
def test_prices_stay_plausible_for_ever(offset, pair, seed):
    """At any instant of twenty years every pair is worth between a fifth and five times its table price."""
    directory = load()
    prices = Prices(seed, START)
    listed = directory.pairs[pair]
    worth = WORTHS[listed.base.id].usd / WORTHS[listed.quote.id].usd * 10**listed.pair_decimals
    assert abs(log(prices.fair(listed, START_S + offset) / worth)) < log(5)


def test_prices_move():
    """Within a day BTC moves by some tenths of a percent at least, and not by a third."""
    pair = load().symbols["BTC/USD"]
    prices = Prices(42, START)
    day = [prices.fair(pair, START_S + minute * 60) for minute in range(1440)]
    assert 0.003 < max(day) / min(day) - 1 < 0.33


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"tier": "gold"}, "tier must be one of starter, intermediate, pro"),
        ({"key_info_style": "kebab"}, "key_info_style"),
        ({"post_only_style": "shrug"}, "post_only_style"),
        ({"pairs": ("GOLD/USD",)}, "does not list GOLD/USD"),
        ({"funds": {"GOLD": "1"}}, "funds name an asset"),
        ({"funds": {"USD": "0.00001"}}, "does not fit 4 decimals"),
    ],
)
def test_wrong_options(options, reason):
    """An exchange that cannot be set up as asked says why, at once."""
    with pytest.raises(ValueError, match=reason):
        Bench(**options)


def test_triangles_close():
    """ETH in dollars is ETH in bitcoin times bitcoin in dollars."""
    directory = load()
    prices = Prices(1, START)
    eth_usd, btc_usd, eth_btc = (
        prices.fair(pair, START_S + 12_345) / 10**pair.pair_decimals
        for pair in (directory.symbols[name] for name in ("ETH/USD", "BTC/USD", "ETH/BTC"))
    )
    assert eth_usd == pytest.approx(eth_btc * btc_usd, rel=1e-9)


def test_rebase_moves_one_pair_only():
    """A pair put at a price is worth it at that instant; others are as before."""
    directory = load()
    btc, eth = directory.symbols["BTC/USD"], directory.symbols["ETH/USD"]
    prices, untouched = Prices(1, START), Prices(1, START)
    prices.rebase(btc, 500_000, START_S + 10)
    assert 500_000 == pytest.approx(prices.fair(btc, START_S + 10))
    assert untouched.fair(eth, START_S + 10) == prices.fair(eth, START_S + 10)


def past():
    pair = load().symbols["BTC/USD"]
    return Past(pair, Prices(3, START), seed=3, start_s=START_S, trades_per_s=4 / 3, mean=lambda: 1_500_000.0)


SPANS = st.tuples(st.integers(-(10**8), 0), st.integers(0, 10**6), st.integers(0, 10**6))


@given(SPANS)
def test_past_volume_adds_up(span):
    """The volume and the trades of two adjoining spans are those of both together, and never negative."""
    made_up = past()
    first = START_S + span[0]
    middle, last = first + span[1], first + span[1] + span[2]
    assert made_up.lots(first, last) == made_up.lots(first, middle) + made_up.lots(middle, last)
    assert made_up.count(first, last) == made_up.count(first, middle) + made_up.count(middle, last)
    assert 0 <= made_up.lots(first, middle)


@given(st.integers(-(10**8), 0), st.sampled_from([60, 300, 3600, 86_400]))
def test_past_candles_are_sound(offset, length):
    """A candle of the past has its prices within low and high, and opens where the one before closed."""
    made_up = past()
    start = (START_S + offset) // length * length
    candle, following = made_up.candle(start, start + length), made_up.candle(start + length, start + 2 * length)
    assert 0 < candle.low <= min(candle.open, candle.close, candle.vwap)
    assert max(candle.open, candle.close, candle.vwap) <= candle.high
    assert candle.close == following.open
    assert candle.count > 0
