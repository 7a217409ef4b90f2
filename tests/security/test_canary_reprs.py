"""No object of a running gateway shows a secret in its repr: all of them are asked, and every class that could hold one."""

import dataclasses
import gc
import importlib
import logging
import pkgutil
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import get_origin

import msgspec
import pytest
import structlog
from execsvc_client import Client

import execsvc
from execsvc import settings
from execsvc.compose.outcome import Stop
from execsvc.compose.parts import real_parts
from execsvc.compose.service import service
from tests.support.canary import finds

NAMES = frozenset({
    "api_key", "api_secret", "authorization", "headers", "key", "meta", "secret", "signature", "token",
})  # fmt: skip
# No secrets behind such a name: what it is instead.
HARMLESS = {
    "execsvc.ports.world.Reply.headers": "what Kraken's servers answer with",
    "execsvc.settings.names.Name.key": "a setting's name in the file",
    "execsvc.settings.sources.Said.key": "a setting's name in the file",
}


def ours(kind):
    module = str(getattr(kind, "__module__", ""))
    return module.startswith("execsvc.") and not module.startswith(("execsvc.paper", "execsvc.cli"))


def classes():
    for found in pkgutil.walk_packages(execsvc.__path__, "execsvc."):
        if not found.name.startswith(("execsvc.paper", "execsvc.cli", "execsvc.__main__")):
            for kind in vars(importlib.import_module(found.name)).values():
                if isinstance(kind, type) and kind.__module__ == found.name:
                    yield kind


def showing():
    """Fields of such a name that a repr would show as text."""
    for kind in classes():
        if "__repr__" in vars(kind) and not dataclasses.is_dataclass(kind):
            continue
        fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
        structs = msgspec.structs.fields(kind) if issubclass(kind, msgspec.Struct) else ()
        for name, hint in [
            *((field.name, field.type) for field in fields if field.repr),
            *((field.name, field.type) for field in structs),
        ]:
            if name in NAMES and (hint in {str, bytes} or get_origin(hint) is Mapping):
                yield f"{kind.__module__}.{kind.__qualname__}.{name}"


def test_no_class_has_a_field_for_a_secret_that_its_repr_shows():
    """A text that is named like one is left out of the repr, a Secret in its place, or said to be something else."""
    assert set(HARMLESS) == set(showing())


@pytest.fixture
def own_logging():
    """The service sets up the process's logging; it is put back."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:], root.level = before[0], before[1]
    structlog.configure(**before[2])


@pytest.mark.usefixtures("own_logging")
async def test_no_object_of_a_running_gateway_shows_a_secret(tmp_path):
    """Signer, lanes, links, sessions, callers, calls: everything that lives while orders are placed and streams are open."""
    environ = {"EXECSVC_LISTEN": "127.0.0.1:0", "EXECSVC_HTTP_LISTEN": "off", "HOME": str(tmp_path)}
    loaded = settings.load(environ, overrides={"EXECSVC_DEMO": "off"}, dev=True)
    asked = 0
    async with AsyncExitStack() as stack:
        parts = await real_parts(loaded, Stop(), stack)
        here = await stack.enter_async_context(service(loaded, parts, Stop()))
        async with Client(here.grpc_address) as client:
            await client.balances()
            for each in gc.get_objects():
                if ours(type(each)):
                    asked += 1
                    assert [] == finds(repr(each)), type(each)
    assert asked > 300
