"""What keeps a key's calls from going out, by lane: cancel, trade, read. Pure.

A block has an end: a lockout is for all lanes, a throttle for all but cancels. After its end one call goes as a probe and the
others wait for its answer: any answer that is no new block closes the breaker. A stop has no end: a refused key needs a
person. Who waits and who goes is lane.py's.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from execsvc.domain.errors import Fault
from execsvc.kraken.endpoints import Rank

CANCEL, TRADE, READ = "cancel", "trade", "read"
LANES = (CANCEL, TRADE, READ)
LANE_OF = {Rank.CANCEL: CANCEL, Rank.TRADE: TRADE, Rank.RESOLVE: READ, Rank.READ: READ}


@dataclass(eq=False)
class Block:
    """Lanes closed until `until` (monotonic; `until_ns` on the wall) for a reason; then probed by one call."""

    lanes: Collection[str]
    until: float
    until_ns: int
    fault: Fault
    probe: object | None = None


class Breaker:
    """The blocks of one key. At most one a lane: a longer one takes the place of a shorter one."""

    def __init__(self) -> None:
        self.stopped: Fault | None = None
        self._blocks: dict[str, Block] = {}

    def __repr__(self) -> str:
        return f"<Breaker {'stopped' if self.stopped else ' '.join(self._blocks) or 'closed'}>"

    def stop(self, fault: Fault) -> None:
        """No call goes out any more, until an operator starts the service anew."""
        self.stopped = fault

    def open(self, lanes: Collection[str], until: float, until_ns: int, fault: Fault) -> None:
        """No call goes out in these lanes until then."""
        block = Block(lanes, until, until_ns, fault)
        for lane in lanes:
            known = self._blocks.get(lane)
            if known is None or known.until < until or known.probe is not None:
                self._blocks[lane] = block

    def refusal(self, rank: Rank, now: float) -> Fault | None:
        """Why a call of this rank is turned away now, with the exact wait; None: it may wait for a turn."""
        if self.stopped is not None:
            return self.stopped
        block = self._blocks.get(LANE_OF[rank])
        if block is None or now >= block.until:
            return None
        return replace(block.fault, retry_after_s=round(block.until - now, 3))

    def lets(self, rank: Rank) -> bool:
        """Whether another call of this rank may go while none is refused: not while a probe is out."""
        block = self._blocks.get(LANE_OF[rank])
        return block is None or block.probe is None

    def went(self, rank: Rank, call: object) -> None:
        """A call goes: the first one after a block's end is its probe."""
        block = self._blocks.get(LANE_OF[rank])
        if block is not None and block.probe is None:
            block.probe = call

    def came_back(self, call: object, *, answered: bool) -> None:
        """A probe that was answered closes the breaker; one without an answer leaves the next one to try."""
        for lane, block in tuple(self._blocks.items()):
            if block.probe is call:
                if answered:
                    del self._blocks[lane]
                else:
                    block.probe = None

    def state(self, lane: str, now: float) -> tuple[str, int | None]:
        """closed, open or probing, and when an open one ends on the wall clock; None: no end is known."""
        if self.stopped is not None:
            return "open", None
        block = self._blocks.get(lane)
        if block is None:
            return "closed", None
        return ("open", block.until_ns) if now < block.until else ("probing", None)

    def left_s(self, lane: str, now: float) -> float | None:
        """Seconds that the lane stays closed: 0 when it is not, None without an end."""
        if self.stopped is not None:
            return None
        block = self._blocks.get(lane)
        return 0.0 if block is None else max(0.0, block.until - now)
