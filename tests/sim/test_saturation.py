"""Both counters under demand that fills them, for each tier: never told off, and nearly all used; and that this is seen.

Each mutation makes the house count wrongly in one way; the same run must show it, or its being green means nothing.
"""

from decimal import Decimal
from functools import cache

import pytest

from execsvc.kraken import pairs, room
from execsvc.kraken.costs import engine_cost, rest_cost
from execsvc.kraken.counters import Counter
from execsvc.kraken.pairs import Adding, PairCounter
from execsvc.kraken.rates import KrakenRates
from tests.sim.saturation import LEAST_USED, TIERS, saturate
from tests.sim.weather import MILD, ROUGH

BRIEF_MINUTES = 2.0
PLACERS = ("returning-1", "returning-2", "queued-1", "queued-2", "greedy")
LEAST_SHARE = 0.9
calm = cache(saturate)


@pytest.mark.parametrize("tier", TIERS)
def test_full_counters_are_used_and_never_overrun(tier):
    """Ten minutes: no refusal for any limit of the exchange's, both counters used to 95 %, neither above its maximum."""
    it = calm(tier)
    assert (it.findings, it.told_off) == ((), {})
    assert (it.calls.peak <= it.calls.maximum, it.engine.peak <= it.engine.maximum) == (True, True)
    assert min(it.calls.used, it.engine.used) >= LEAST_USED, it


@pytest.mark.parametrize("tier", TIERS)
def test_whoever_lets_itself_be_held_back_gets_its_share(tier):
    """Of five who place as fast as they may, those who wait in line get no less than those who come back when told."""
    placed = {name: calm(tier).counts[f"placed {name}"] for name in PLACERS}
    equal = sum(placed.values()) / len(placed)
    careful = {name: count for name, count in placed.items() if name != "greedy"}
    assert min(careful.values()) >= LEAST_SHARE * equal, placed


@pytest.mark.parametrize("weather", [MILD, ROUGH], ids=["mild", "rough"])
@pytest.mark.parametrize("tier", TIERS)
def test_what_gets_lost_on_the_way_leads_to_no_refusal(tier, weather):
    """Calls and answers are lost, late or doubled, and full counters are not overrun."""
    it = saturate(tier, minutes=BRIEF_MINUTES, weather=weather)
    assert (it.findings, it.told_off) == ((), {})
    lost = it.counts.get("order IN_DOUBT", 0)
    assert (lost > 0) or weather is MILD, "the weather was not rough enough to try anything"


def test_the_demand_is_all_that_it_should_be():
    """Orders rest, fill and are refused; old and young ones are cancelled; reads of both costs; some are held back."""
    it = calm("pro")
    wanted = ("order OPEN", "order INSUFFICIENT_FUNDS", "cancel CANCELLED", "held back", "read LOCAL_RATE_LIMITED")
    wanted += ("read balances", "read fills", "read query")
    assert [name for name in wanted if not it.counts.get(name)] == []


def test_one_seed_twice_is_one_run():
    """The same seed counts the same."""
    first, again = (saturate("pro", minutes=0.2, seed=3) for _ in range(2))
    assert first == again


# ---- counted wrongly ---------------------------------------------------------------------------------------------


@pytest.fixture
def deaf(monkeypatch):
    """Kraken's own count is not heard: it would mend on the way what is counted too low."""
    monkeypatch.setattr(KrakenRates, "told", lambda *_: None)


@pytest.mark.usefixtures("deaf")
def test_cancels_that_cost_nothing_are_seen(monkeypatch):
    """Where cancels are not counted the engine refuses orders."""
    monkeypatch.setattr(PairCounter, "cancel", lambda *_: None)
    assert saturate("pro", minutes=BRIEF_MINUTES).engine.refused > 0


@pytest.mark.usefixtures("deaf")
def test_orders_counted_half_are_seen(monkeypatch):
    """Where an order costs half a point the engine refuses some."""

    def add(self, now, points=Decimal(1)):
        self._adding += 1
        return Adding(self.counter.hold(points / 2, now))

    monkeypatch.setattr(PairCounter, "add", add)
    assert saturate("pro", minutes=BRIEF_MINUTES).engine.refused > 0


def test_reads_that_cost_nothing_are_seen(monkeypatch):
    """Where reads are not counted the key is refused."""
    monkeypatch.setattr(KrakenRates, "rest_cost", lambda *_: Decimal(0))
    assert saturate("pro", minutes=BRIEF_MINUTES).calls.refused > 0


def test_a_margin_of_nothing_is_seen(monkeypatch):
    """Where the last point is used the exchange, whose counters sink in steps, refuses."""
    measure = Counter._measure

    def to_the_last(self, maximum, decay):
        measure(self, maximum, decay)
        self._usable = self._most

    monkeypatch.setattr(Counter, "_measure", to_the_last)
    assert saturate("pro", minutes=BRIEF_MINUTES).engine.refused > 0


def test_counting_double_is_seen(monkeypatch):
    """Where everything costs twice as much as at Kraken neither counter is used to 95 %."""
    monkeypatch.setattr(pairs, "engine_cost", lambda act, age_s: 2 * engine_cost(act, age_s))
    monkeypatch.setattr(room, "PLACE", 2 * room.PLACE)
    monkeypatch.setattr(KrakenRates, "rest_cost", lambda _, name: Decimal(2 * rest_cost(name)))
    it = saturate("pro")
    assert (it.told_off, it.calls.used < LEAST_USED, it.engine.used < LEAST_USED) == ({}, True, True)
