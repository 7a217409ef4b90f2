"""What the live check makes up for the exchange: the smallest order, far away."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from execsvc.compose.liveasking import FAR, smallest
from execsvc.domain.instrument import Instrument, InstrumentStatus
from execsvc.domain.pairrules import pair_faults

steps = st.integers(0, 8).map(lambda places: Decimal(1).scaleb(-places))
amounts = st.decimals(Decimal("0.00000001"), Decimal(100_000), places=8)


@given(bid=amounts, tick=steps, lot=steps, least=amounts, cost=amounts)
def test_the_order_on_trial_meets_the_rules_of_its_pair_and_stays_far_from_the_market(bid, tick, lot, least, cost):
    """On the grids, not below either minimum, at half the bid at most unless a tick is more than that."""
    pair = Instrument("BTC/USD", "BTC", "USD", InstrumentStatus.ONLINE, tick, 8, lot, 8, least, cost, 8)
    spec = smallest(pair, bid)
    assert () == pair_faults(pair, spec, 0)
    assert spec.limit_price <= max(bid * FAR, tick)
