"""Who waits for a key's lane, and who goes next: by rank, then fairly by caller, as the key's counter allows. Pure.

Cancels first, then trades, resolving, reads. A resolve step that waited a second goes before trades, or a flood of orders
would keep doubts open, and the steps of one look wait that second once; a read that waited three does so once a second, which
is all that Kraken's counter allows in the long run. Reads leave the counter's last points to resolving.
Within a rank the next in line is waited for: a dear call is never starved by cheap ones behind it.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from types import MappingProxyType

from execsvc.kraken.counters import Charge, Counter
from execsvc.kraken.endpoints import Rank
from execsvc.kraken.turns import Place, Turns

CALLER_DEPTH_MAX = 256  # of a rank and caller: nobody's flood takes another's place
DEPTH_MAX = 4096  # of a rank
AGEING_S = 1.0
READ_AGEING_S = 3.0
READ_EVERY_S = 1.0
CLAIMS_MAX = 8  # of a caller: promised places, see LaneQueue.claim
GRACE_S = 0.5  # a place that was promised is kept so long after its time
RESERVE = Decimal(6)  # points that reads leave: two looks for one order always fit
BARRIER_LEAVES = RESERVE - 1  # that the one call leaves which brings the barrier those two need
_RESERVED = {Rank.CANCEL: Decimal(0), Rank.TRADE: Decimal(0), Rank.RESOLVE: Decimal(0), Rank.READ: RESERVE}


class Fate(Enum):
    """What became of a call: answered by Kraken, never sent, or neither is known."""

    ANSWERED = "answered"
    UNSENT = "unsent"
    LOST = "lost"


@dataclass(eq=False)
class Ticket:
    """One call's place: waiting, then holding. `cost` is in points of the key's counter."""

    rank: Rank
    since: float
    caller: str = ""
    cost: Decimal = Decimal(0)
    granted: bool = False
    number: int = 0  # of its turn in the lane, in the order of nonces
    overtaken: bool = False  # its patience ran out: a later nonce may have arrived before its own
    fate: Fate = Fate.LOST
    charge: Charge | None = None
    place: "Place[Ticket] | None" = None
    turn: "asyncio.Future[None] | None" = None


@dataclass
class _Claim:
    """A read that was turned away until `ready`, and its place."""

    place: "Place[Ticket]"
    ready: float


class LaneQueue:
    """The places of one key. No clock; futures are only carried along."""

    def __init__(
        self,
        counter: Counter,
        *,
        weights: Mapping[str, int] = MappingProxyType({}),
        depth_max: int = DEPTH_MAX,
        caller_depth_max: int = CALLER_DEPTH_MAX,
        ageing_s: float = AGEING_S,
    ) -> None:
        self._lines: dict[Rank, Turns[Ticket]] = {rank: Turns(weights) for rank in Rank}
        self._claims: list[_Claim] = []
        self._read_at = float("-inf")  # seconds: when a read went last
        self._counter = counter
        self._depth_max = depth_max
        self._caller_depth_max = caller_depth_max
        self._ageing_s = ageing_s

    def __repr__(self) -> str:
        return f"<LaneQueue {' '.join(f'{rank.name.lower()}={len(self._lines[rank])}' for rank in Rank)}>"

    def __len__(self) -> int:
        return sum(len(line) for line in self._lines.values())

    def __iter__(self) -> Iterator[Ticket]:
        return (place.value for rank in Rank for place in self._lines[rank])

    def depth(self, rank: Rank, caller: str | None = None) -> int:
        """How many wait in the rank, of one caller or of all."""
        line = self._lines[rank]
        return len(line) if caller is None else line.depth(caller)

    def full(self, rank: Rank, caller: str) -> bool:
        """Whether the rank takes no more of this caller."""
        line = self._lines[rank]
        return len(line) >= self._depth_max or line.depth(caller) >= self._caller_depth_max

    def push(self, ticket: Ticket) -> None:
        """Its caller's last place in its rank, or the one it was promised."""
        if ticket.place is None:
            ticket.place = self._lines[ticket.rank].push(ticket.caller, ticket.cost, ticket)
        else:
            self._lines[ticket.rank].take(ticket.place)

    def remove(self, ticket: Ticket) -> None:
        """Forgets one that waits; no error when it does not."""
        if ticket.place is not None:
            self._lines[ticket.rank].leave(ticket.place)

    def serve(self, ticket: Ticket, now: float) -> None:
        """Its turn has come."""
        if ticket.rank is Rank.READ:
            self._read_at = now
        if ticket.place is not None:
            self._lines[ticket.rank].serve(ticket.place)

    def heads(self) -> tuple[Ticket, ...]:
        """The next of each rank."""
        firsts = (line.first() for line in self._lines.values() if len(line))
        return tuple(place.value for place in firsts if place is not None)

    def head(self, rank: Rank) -> Ticket | None:
        """The next of the rank."""
        first = self._lines[rank].first()
        return None if first is None else first.value

    def is_head(self, ticket: Ticket) -> bool:
        """Whether it is the next of its rank."""
        return self.head(ticket.rank) is ticket

    def wait_s(self, ticket: Ticket, now: float) -> float | None:
        """Seconds until the counter lets this one go, were it the next of its rank; None: never."""
        ahead = self._claimed_before(ticket.place, now) if ticket.rank is Rank.READ else Decimal(0)
        return self._counter.wait_s(ticket.cost, now, reserve=_RESERVED[ticket.rank], ahead=ahead)

    def forecast_s(self, ticket: Ticket, now: float) -> float | None:
        """Seconds until the counter lets a new one go behind those of its rank that go before it; None: never.

        A read whose caller was promised a place that is ripe by now takes it: it is `ticket.place` from then on.
        """
        if not ticket.cost:
            return 0.0
        turns, reserve = self._lines[ticket.rank], _RESERVED[ticket.rank]
        ripe = self._ripe(ticket, now)
        if ripe is not None:
            self._claims.remove(ripe)
            ticket.place = replace(ripe.place, value=ticket)
            ahead = turns.ahead(ticket.place) + self._claimed_before(ticket.place, now)
        else:
            new = turns.promise(ticket.caller, ticket.cost, ticket, self._last_claimed(ticket.caller))
            ahead = turns.ahead(new) + (self._claimed_before(new, now) if ticket.rank is Rank.READ else 0)
        return self._counter.wait_s(ticket.cost, now, reserve=reserve, ahead=ahead)

    def claim(self, ticket: Ticket, ready: float) -> None:
        """Turned away until then: a read keeps its place, so that the time it was told is worth something."""
        mine = [each for each in self._claims if each.place.caller == ticket.caller]
        if ticket.rank is Rank.READ and len(mine) < CLAIMS_MAX:
            behind = self._last_claimed(ticket.caller)
            place = ticket.place or self._lines[ticket.rank].promise(ticket.caller, ticket.cost, ticket, behind)
            self._claims.append(_Claim(place, ready))

    def next_claim_ends(self, now: float) -> float | None:
        """When the first promised place is lost; None: there is none."""
        self._forget(now)
        return min((each.ready + GRACE_S for each in self._claims), default=None)

    def _ripe(self, ticket: Ticket, now: float) -> _Claim | None:
        self._forget(now)
        if ticket.rank is not Rank.READ:
            return None
        mine = (each for each in self._claims if each.place.caller == ticket.caller and each.place.cost >= ticket.cost)
        return next((each for each in mine if now >= each.ready - 1e-6), None)

    def _claimed_before(self, place: "Place[Ticket] | None", now: float) -> Decimal:
        self._forget(now)
        before = (each.place for each in self._claims if place is None or each.place.order < place.order)
        return sum((each.cost for each in before), Decimal(0))

    def _last_claimed(self, caller: str) -> int:
        return max((each.place.tag for each in self._claims if each.place.caller == caller), default=0)

    def _forget(self, now: float) -> None:
        if self._claims:
            self._claims = [each for each in self._claims if now <= each.ready + GRACE_S]

    def pick(self, now: float, may_go: Callable[[Rank], bool]) -> Ticket | None:
        """Who goes next, of the ranks that may and as the counter allows; it stays in the queue until served."""
        heads = {ticket.rank: ticket for ticket in self.heads() if may_go(ticket.rank)}
        if len(heads) <= 1:  # nobody to choose among, as nearly always
            return next((ticket for ticket in heads.values() if self.wait_s(ticket, now) == 0), None)
        aged = Rank.RESOLVE in heads and any(
            now - place.value.since >= self._ageing_s for place in self._lines[Rank.RESOLVE]
        )
        read = heads.get(Rank.READ)
        starved = read is not None and now - read.since >= READ_AGEING_S and now - self._read_at >= READ_EVERY_S
        first = [rank for rank, early in ((Rank.CANCEL, True), (Rank.RESOLVE, aged), (Rank.READ, starved)) if early]
        order = dict.fromkeys([*first, *Rank])
        return next((heads[rank] for rank in order if rank in heads and self.wait_s(heads[rank], now) == 0), None)
