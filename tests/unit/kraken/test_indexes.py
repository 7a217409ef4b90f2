"""kraken/indexes.py: one picture of the instrument channel, over a line that is closed again."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kraken_parts import vector

from execsvc.domain.errors import Busy, ProtocolBroken, Reason
from execsvc.kraken import indexes
from tests.support.net import MemoryDialer
from tests.support.simloop import SimClock, run_sim

PICTURE = vector("ws_instrument_snapshot")
BEFORE = (vector("ws_status"), {"channel": "heartbeat"}, vector("ws_instrument_subscribe_ack"))
REFUSED = {"method": "subscribe", "success": False, "error": "Subscription name invalid"}


def asked(*frames, cut=False, dialer=None):
    """The answer to one reading, and its line."""
    dialer = dialer or MemoryDialer()

    async def main():
        clock = SimClock()
        reading = asyncio.ensure_future(indexes.read(dialer, "wss://ws.example/v2", clock))
        await clock.sleep(0.01)
        for frame in frames if dialer.lines else ():
            dialer.lines[0].tell(frame)
        if cut:
            dialer.lines[0].cut()
        return await reading

    return run_sim(main())


def test_the_picture_tells_which_pairs_have_an_index():
    """Whatever comes before it; a pair that says nothing is not in it."""
    rows = [{"symbol": "A/USD", "has_index": False}, {"symbol": "B/USD"}, {"symbol": "C/USD", "has_index": True}]
    picture = {**PICTURE, "data": {"assets": [], "pairs": rows}}
    assert {"A/USD": False, "C/USD": True} == asked(*BEFORE, picture)


def test_one_request_is_made_and_the_line_is_closed():
    """The request as Kraken documents it."""
    dialer = MemoryDialer()
    asked(PICTURE, dialer=dialer)
    (line,) = dialer.lines
    wanted = {"method": "subscribe", "params": {"channel": "instrument", "snapshot": True}}
    assert ([wanted], True) == ([json.loads(text) for text in line.said], line.closed)


@pytest.mark.parametrize("case", ["refused", "cut", "silent"])
def test_a_channel_that_does_not_answer_is_unreachable(case):
    """No connection, one that breaks, one that says nothing for ten seconds: Busy, and the line is closed."""
    dialer = MemoryDialer(refusals=1 if case == "refused" else 0)
    with pytest.raises(Busy) as failed:
        asked(cut=case == "cut", dialer=dialer)
    assert (Reason.VENUE_UNREACHABLE, {True} if dialer.lines else set()) == (
        failed.value.reason,
        {line.closed for line in dialer.lines},
    )


@pytest.mark.parametrize(
    "frames",
    [
        [REFUSED],
        [{**PICTURE, "data": []}],
        [{**PICTURE, "data": {"pairs": [{"has_index": True}]}}],
        [{"channel": "heartbeat"}] * indexes.FRAMES_MAX,
    ],
    ids=["refused", "no object", "no symbol", "no picture"],
)
def test_a_channel_that_says_something_else_is_broken(frames):
    """A refusal, another shape, or no end of other frames."""
    with pytest.raises(ProtocolBroken):
        asked(*frames)


def told(text):
    """None for what is broken too."""
    try:
        return indexes.indexed(text)
    except ProtocolBroken:
        return None


@given(st.binary(max_size=60) | st.sampled_from([json.dumps(PICTURE).encode()[:cut] for cut in range(0, 600, 40)]))
def test_any_bytes_are_a_value_or_broken(text):
    """Also a picture cut short: never half of it."""
    assert told(text) is None
