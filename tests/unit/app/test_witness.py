"""What proves that somebody traded, and who should have told of it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.app.quiet import LEAST_S
from execsvc.app.witness import SKEW_S, WAITING_MOST, Witnesses
from execsvc.domain.market import CandleTopic, EventTimes, Ticker, TradeTopic

TRADES, CANDLES = TradeTopic("BTC/USD"), CandleTopic("BTC/USD", 60)
BEFORE, THEN = 100.0, 110.0
JUDGED = THEN + LEAST_S


def tick(*, last="100", volume="7", symbol="BTC/USD"):
    zero = Decimal(0)
    price = None if last is None else Decimal(last)
    return Ticker(symbol, zero, zero, zero, zero, price, Decimal(volume), zero, zero, zero, zero, EventTimes(None, 0))


def seen(*after, snapshot=False):
    """A ticker at BEFORE, and what came of it at THEN."""
    witnesses = Witnesses()
    witnesses.ticker(tick(), BEFORE, snapshot=True)
    for each in after:
        witnesses.ticker(each, THEN, snapshot=snapshot)
    return witnesses


def missed(witnesses, heard_at, now=JUDGED, topics=(TRADES,)):
    return witnesses.missed(topics, lambda _: heard_at, now)


@pytest.mark.parametrize(
    ("after", "proves"),
    [
        (tick(last="101"), True),
        (tick(volume="7.1"), True),
        (tick(volume="6.9"), False),
        (tick(volume="6.9", last="99"), True),
        (tick(), False),
        (tick(symbol="ETH/USD", last="1"), False),
    ],
    ids=str,
)
def test_a_price_that_moved_and_a_volume_that_grew_are_proofs(after, proves):
    """A volume that shrinks is a day that passes."""
    assert ([TRADES] if proves else []) == missed(seen(after), BEFORE - SKEW_S - 1)


def test_a_snapshot_proves_nothing():
    """Another connection may have had the last word before it."""
    assert [] == missed(seen(tick(last="101"), snapshot=True), BEFORE - SKEW_S - 1)


@given(heard_at=st.floats(0.0, 200.0), now=st.floats(THEN, 200.0))
def test_only_silence_from_before_the_proof_until_long_after_it_is_a_death(heard_at, now):
    """From so much before the ticker that showed no trade yet, to so long after the one that did."""
    silent = heard_at < BEFORE - SKEW_S and now >= JUDGED
    assert ([TRADES] if silent else []) == missed(seen(tick(last="101")), heard_at, now)


def test_a_proof_is_judged_once():
    """Whoever was dead then is known by now."""
    witnesses = seen(tick(last="101"))
    assert [[TRADES], []] == [missed(witnesses, 0.0) for _ in range(2)]


def test_the_oldest_proof_stands_until_it_is_judged():
    """A market that trades all the time does not put the judgement off."""
    witnesses = seen(tick(last="101"))
    witnesses.ticker(tick(last="102"), JUDGED - 0.1, snapshot=False)
    assert [TRADES] == missed(witnesses, BEFORE - SKEW_S - 1)


def test_a_proof_too_near_to_convict_does_not_hide_a_later_one():
    """Who fell silent right before the first is dead by one that came two seconds later."""
    witnesses = Witnesses()
    witnesses.ticker(tick(), BEFORE, snapshot=True)
    for second in range(4):
        witnesses.ticker(tick(last=f"10{second + 1}"), THEN + second, snapshot=False)
    silent_since = THEN - 0.5
    judged = [missed(witnesses, silent_since, JUDGED + second) for second in range(4)]
    assert [[], [], [], [TRADES]] == judged


def test_proofs_are_bounded():
    """A market that trades all the time, and nobody who judges."""
    witnesses = Witnesses()
    for at in range(1000):
        witnesses.traded("BTC/USD", THEN + at / 10)
    assert f"<Witnesses 0 tickers, {WAITING_MOST} proofs>" == repr(witnesses)


def test_a_trade_that_was_told_is_a_proof_for_the_candles():
    """Of that moment."""
    witnesses = Witnesses()
    witnesses.traded("BTC/USD", THEN)
    heard = {TRADES: THEN, CANDLES: THEN - SKEW_S - 1}
    assert [CANDLES] == witnesses.missed((TRADES, CANDLES), heard.get, JUDGED)


def test_what_never_spoke_is_not_judged():
    """Its snapshot is still on its way."""
    assert [] == missed(seen(tick(last="101")), None)


def test_what_is_followed_no_more_is_forgotten():
    """Pictures and proofs."""
    witnesses = seen(tick(last="101"))
    witnesses.keep(["ETH/USD"])
    assert ([], "<Witnesses 0 tickers, 0 proofs>") == (missed(witnesses, 0.0), repr(witnesses))
