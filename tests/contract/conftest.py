"""What every suite for stores stands on: an engine of each kind, and a store of it that is open."""

import pytest
from store_rig import ENGINES


@pytest.fixture(params=ENGINES.values(), ids=ENGINES)
def engine(request, tmp_path):
    return request.param(tmp_path)


@pytest.fixture
async def store(engine):
    opened = await engine.open()
    yield opened
    await opened.close()
