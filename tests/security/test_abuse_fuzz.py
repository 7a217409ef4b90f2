"""Messages that nobody means, for every method: each has an end in the contract's words, and none is our error.

benchmarks/abuse.py sends a million of them, and a part over the wire.
"""

import asyncio

import pytest
import pytest_asyncio
from execsvc_api.v1 import admin_service_pb2 as admin

from tests.rpc.stage import stage as open_stage
from tests.support import fuzz

COUNT = 3500


@pytest_asyncio.fixture
async def stage_open():
    async with open_stage() as built:
        yield built


@pytest.mark.parametrize("seed", [1, 2])
async def test_no_message_breaks_the_gateway(seed):
    """Random bytes, nonsense in valid form, valid messages bent: refused or answered, never INTERNAL, never an exception."""
    async with open_stage(rates=fuzz.Roomy()) as stage:
        ends = await fuzz.assault(fuzz.ready(stage).door.gate, seed=seed, count=COUNT, reports=stage.reports)
    assert COUNT == ends.total()
    assert {"OK", "INVALID_REQUEST"} <= set(ends)


async def test_the_fuzz_would_find_an_error():
    """An error planted in a servicer is found, and told with the seed and the message that repeat it."""
    async with open_stage(rates=fuzz.Roomy()) as stage:
        stage.overview.venue = None
        with pytest.raises(fuzz.Finding, match=r"seed 1, message \d+, execsvc.v1.AdminService/GetVenueStatus"):
            await fuzz.assault(fuzz.ready(stage).door.gate, seed=1, count=COUNT, reports=stage.reports)


@pytest.mark.parametrize(("method", "kind", "streams"), fuzz.METHODS, ids=[each[0] for each in fuzz.METHODS])
async def test_unreadable_bytes_are_refused_by_every_method(method, kind, streams):
    """Bytes that are no message of the method are INVALID_ARGUMENT over the wire, whatever the method."""
    async with open_stage() as stage:
        call = stage.channel.unary_stream(f"/{method}")(b"\xff\xff\xff")
        assert 3 == (await asyncio.wait_for(call.code(), 5)).value[0]


async def test_one_byte_too_much_is_refused_and_the_largest_is_read(stage_open):
    """64 KiB are read, one byte more is RESOURCE_EXHAUSTED, and the connection goes on."""
    whole = 64 * 1024
    padding = whole - 4  # one field nobody knows: a tag of a byte, its length of three
    fits = b"\x7a" + bytes(((padding & 0x7F) | 0x80, ((padding >> 7) & 0x7F) | 0x80, padding >> 14)) + bytes(padding)
    ask = stage_open.channel.unary_unary("/execsvc.v1.AdminService/GetServerInfo")
    assert whole == len(fits)
    assert "0.1.0" == admin.GetServerInfoResponse.FromString(await ask(fits, timeout=5)).version
    for _ in range(3):
        call = ask(fits + b"\x00", timeout=5)
        assert 8 == (await call.code()).value[0]
    assert await ask(b"", timeout=5)


async def test_headers_beyond_the_bound_are_refused(stage_open):
    """16 KiB of headers and more are RESOURCE_EXHAUSTED, and the connection goes on."""
    ask = stage_open.channel.unary_unary("/execsvc.v1.AdminService/GetServerInfo")
    call = ask(b"", metadata=tuple((f"x-{number}", "a" * 1000) for number in range(20)), timeout=5)
    assert 8 == (await call.code()).value[0]
    assert await ask(b"", timeout=5)
