import aiohttp
import pytest

from execsvc.paper.server import PaperServer
from tests.unit.paper.paperbench import Bench
from tests.unit.paper.wirebench import QUICK, Trader


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


@pytest.fixture
async def server():
    """An exchange on loopback, with a control port."""
    server = PaperServer(QUICK)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def http():
    """A client's connections."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def trader(server, http):
    """Who calls the exchange with its key, and its control port."""
    return Trader(server, http)
