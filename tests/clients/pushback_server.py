"""A real server behind a real gate that refuses first and answers then, and notes when calls came and when it refused.

What a client was told is the client's to say (pushback_clients.py).
"""

from contextlib import asynccontextmanager
from dataclasses import dataclass

from execsvc.domain.errors import error_of
from execsvc.ports import RefusedByVenue, Unsent
from execsvc.rpc.callers import LocalCaller
from tests.rpc.stage import stage

ATTEMPTS_HEADER = "grpc-previous-rpc-attempts"


@dataclass(frozen=True)
class Arrival:
    """One attempt as the gate met it: when, and how many the library had made before."""

    at: float
    attempts_before: str


class Watched:
    """The gate's Callers: recognises everybody here, and notes every attempt that knocks."""

    def __init__(self):
        self.arrivals = []
        self.clock = None
        self._callers = LocalCaller("main")

    revision, problems = 0, ()

    def recognise(self, meta, peer, names=()):
        self.arrivals.append(Arrival(self.clock.monotonic(), meta.get(ATTEMPTS_HEADER, "0")))
        return self._callers.recognise(meta, peer)

    def describe(self):
        return self._callers.describe()


@dataclass
class Refusing:
    """The server as a test sees it."""

    target: str
    arrivals: list
    refused_at: list
    venue: object


@asynccontextmanager
async def refusing(*faults, id_used=False):
    """Serves; the first calls are refused with these faults, one each, a placement's id used up or left free."""
    watched = Watched()
    async with stage(callers=watched) as built:
        watched.clock = built.clock
        left, refused_at = list(faults), []
        balances, place = built.venue.balances, built.venue.place

        def refusal():
            refused_at.append(built.clock.monotonic())
            return left.pop(0)

        async def read(by, **who):
            if left:
                raise error_of(refusal())
            return await balances(by, **who)

        async def placed(*order, **asked):
            if left:
                return (RefusedByVenue if id_used else Unsent)(
                    refusal().with_metadata(id_used="true" if id_used else "false")
                )
            return await place(*order, **asked)

        built.venue.balances, built.venue.place = read, placed
        yield Refusing(built.door.address, watched.arrivals, refused_at, built.venue)
