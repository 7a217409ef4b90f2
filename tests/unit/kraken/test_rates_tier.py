"""The tier that is counted with: the one that was set, or a lower one if Kraken's own figure says so."""

from decimal import Decimal

import pytest
from rate_parts import with_rates

from execsvc.kraken.costs import TIERS

D = Decimal
PAIR = "BTC/USD"


def after_told(*maxima, tier="pro"):
    def scenario(rig):
        rig.pair(PAIR)
        for maximum in maxima:
            rig.rates.told_maximum(maximum)
        figures = (rig.rest.maximum, rig.rest.decay, rig.pair().counter.maximum, rig.pair().open_orders_max)
        return rig.rates.tier, figures, rig.rates.problems, rig.pair("ETH/USD").counter.maximum

    return with_rates(scenario, tier)


def figures(name):
    tier = TIERS[name]
    return (D(tier.rest_max), tier.rest_decay, D(tier.engine_max), tier.open_orders_max)


def test_the_tier_that_was_set_is_no_problem():
    """Kraken counts as we do."""
    assert ("pro", figures("pro"), (), D(180)) == after_told(180)


@pytest.mark.parametrize(("maximum", "tier"), [(60, "starter"), (125, "intermediate")])
def test_a_lower_tier_than_set_counts_at_once_in_both_counters(maximum, tier):
    """The key's and every pair's, those not used yet included; and the operator is told what to set."""
    named, shrunk, problems, fresh = after_told(maximum)
    assert (tier, figures(tier), D(maximum)) == (named, shrunk, fresh)
    assert (f"Kraken counts this account as {tier}: set EXECSVC_TIER={tier}",) == problems


@pytest.mark.parametrize(("maximum", "named"), [(180, "180, as of pro"), (125, "125, as of intermediate")])
def test_a_higher_tier_than_set_is_told_only(maximum, named):
    """The lower figure is safe: who wants the higher one sets it."""
    expected = (f"Kraken's trading counter of this account goes to {named}; counted is starter (EXECSVC_TIER)",)
    assert ("starter", figures("starter"), expected, D(60)) == after_told(maximum, tier="starter")


@pytest.mark.parametrize("maximum", [40, 999])
def test_a_figure_of_no_known_tier_is_told_only(maximum):
    """Nothing is guessed of the other figures."""
    expected = (f"Kraken's trading counter of this account goes to {maximum}; counted is pro (EXECSVC_TIER)",)
    assert ("pro", figures("pro"), expected) == after_told(maximum)[:3]


def test_a_lower_tier_stays_a_problem_with_every_new_link():
    """The setting is still wrong, and each connection says so."""
    named, shrunk, problems, _ = after_told(60, 60)
    assert ("starter", figures("starter"), 1) == (named, shrunk, len(problems))


def test_a_tier_that_was_raised_at_kraken_counts_up_to_what_was_set():
    """The next word settles it, and nothing is a problem any more."""
    assert ("pro", figures("pro"), ()) == after_told(60, 180)[:3]


def test_a_tier_that_was_raised_beyond_what_was_set_does_not_count():
    """The lower figures are safe."""
    assert ("starter", figures("starter")) == after_told(180, 125, tier="starter")[:2]
