"""A running server for each test that asks for one."""

import pytest_asyncio

from tests.rpc.stage import stage as open_stage


@pytest_asyncio.fixture
async def stage():
    async with open_stage() as built:
        yield built
