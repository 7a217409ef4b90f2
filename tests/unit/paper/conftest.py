import pytest

from tests.unit.paper.paperbench import Bench


@pytest.fixture
def bench():
    """A still market: what is not asked for does not happen."""
    return Bench(pairs=("BTC/USD", "ETH/USD", "ETH/BTC"))


@pytest.fixture
def ladder(bench):
    """BTC/USD with three whole levels on either side and nothing else."""
    bench.book(
        bids=[("100.0", "1"), ("99.0", "2"), ("98.0", "3")],
        asks=[("101.0", "1"), ("102.0", "2"), ("103.0", "3")],
    )
    return bench
