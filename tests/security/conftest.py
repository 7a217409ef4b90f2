"""The gateway of the suites about permissions: the module's HOLDERS are the people it knows, at either of two doors."""

import pytest
import pytest_asyncio

from tests.security.permission_rig import by_certificate, by_token, leaves_of
from tests.support.certs import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def leaves(request, authority):
    """A certificate for each of the module's holders."""
    return leaves_of(authority, request.module.HOLDERS.values())


@pytest_asyncio.fixture(params=["token", "certificate"])
async def gateway(request, tmp_path, authority, leaves):
    """The gateway, with everybody known to it by what this door knows people by."""
    holders = tuple(request.module.HOLDERS.values())
    door = by_token(tmp_path, holders) if request.param == "token" else by_certificate(authority, leaves, holders)
    async with door as opened:
        yield opened
