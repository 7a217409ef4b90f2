"""How much one caller may have going on at once, so that it starves no other: calls, streams, and apart from both cancels.

What takes risk away has room of its own: no flood of reads or placements keeps a cancel out. How many orders a second a
caller may place is the risk desk's (app/risk.py), and what a connection may do is the door's.
"""

from collections import Counter
from enum import Enum

from execsvc.domain.errors import Reason, refuse
from execsvc.rpc.permits import Effect, Permit

MAX_STREAMS = 1024
MAX_CALLS = 512
MAX_CANCELS = 512
AGAIN_S = 0.2  # a call lasts about as long


class Room(Enum):
    """What is counted by itself."""

    STREAMS = "streams"
    CALLS = "calls"
    CANCELS = "cancels"


class Quotas:
    """What each caller has going on; a caller without anything is forgotten."""

    def __init__(self) -> None:
        self._held: Counter[tuple[Room, str]] = Counter()

    def __repr__(self) -> str:
        return f"<Quotas {', '.join(f'{self.held(room)} {room.value}' for room in Room)}>"

    def held(self, room: Room) -> int:
        """Of all callers."""
        return sum(count for (kind, _), count in self._held.items() if kind is room)

    def enter(self, permit: Permit, caller: str) -> Room:
        """Takes a place, which `leave` gives back. Raises CALLER_QUOTA or TOO_MANY_STREAMS where all are taken."""
        room = room_of(permit)
        held = self._held[room, caller]
        if held >= _most(room):
            if room is Room.STREAMS:
                raise refuse(Reason.TOO_MANY_STREAMS, f"{caller!r} has {held} streams open already; close one first")
            raise refuse(
                Reason.CALLER_QUOTA,
                f"{caller!r} has {held} {room.value} in flight already; nothing was done, ask again when one is answered",
                retry_after_s=AGAIN_S,
            )
        self._held[room, caller] = held + 1
        return room

    def leave(self, room: Room, caller: str) -> None:
        """Gives a place back."""
        self._held[room, caller] -= 1
        if not self._held[room, caller]:
            del self._held[room, caller]


def room_of(permit: Permit) -> Room:
    """Where a call of that method counts."""
    if permit.effect is Effect.STREAM:
        return Room.STREAMS
    return Room.CANCELS if permit.eases else Room.CALLS


def _most(room: Room) -> int:
    return {Room.STREAMS: MAX_STREAMS, Room.CALLS: MAX_CALLS, Room.CANCELS: MAX_CANCELS}[room]
