"""Which pairs have an index price: told by the instrument channel alone, so it is subscribed now and then for one picture.

Statuses and rules come with the tables of REST (tables.py). A line of its own, closed at once: nothing here lives on.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from msgspec import Struct

from execsvc.domain.errors import Reason, refuse
from execsvc.kraken import frames, wire
from execsvc.ports import Clock, Line, LineClosedError, NotSentError, WsDialer

CHANNEL = "instrument"
TIMEOUT_S = 10.0  # for the whole of it
FRAMES_MAX = 20  # status, answer and beats come before the picture
REQUEST = msgspec.json.encode({"method": "subscribe", "params": {"channel": CHANNEL, "snapshot": True}}).decode()


class PairRow(Struct, frozen=True):
    """One pair of the channel; what else it says is in AssetPairs too."""

    symbol: str
    has_index: bool | None = None


class Picture(Struct, frozen=True):
    """The channel's data: an object, not a list."""

    pairs: list[PairRow] = []


_frame = wire.decoder(frames.Frame)
_picture = wire.decoder(Picture)


async def read(dialer: WsDialer, url: str, clock: Clock) -> Mapping[str, bool]:
    """Whether a pair has an index, by symbol; a pair that is not in it is not known. Raises Busy or ProtocolBroken."""
    try:
        async with clock.timeout_at(clock.monotonic() + TIMEOUT_S):
            line = await dialer.dial(url, TIMEOUT_S)
            try:
                await line.send(REQUEST)
                return await _first_picture(line)
            finally:
                await line.close()
    except (NotSentError, LineClosedError, TimeoutError) as failure:
        raise refuse(Reason.VENUE_UNREACHABLE, f"the instrument channel does not answer: {failure}") from None


async def _first_picture(line: Line) -> Mapping[str, bool]:
    for _ in range(FRAMES_MAX):
        found = indexed(await line.receive())
        if found is not None:
            return found
    raise wire.broken(f"no picture of the instruments among {FRAMES_MAX} frames")


def indexed(text: bytes) -> Mapping[str, bool] | None:
    """What one frame says; None when it is another one. Raises ProtocolBroken, also for a subscription that is refused."""
    frame = _frame(text)
    if frame.method == "subscribe" and not frame.success:
        raise wire.broken(f"the instrument channel is refused: {frame.error}")
    if frame.channel != CHANNEL or frame.type != "snapshot":
        return None
    pairs = _picture(frame.data).pairs
    return MappingProxyType({row.symbol: row.has_index for row in pairs if row.has_index is not None})
