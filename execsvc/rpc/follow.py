"""The order journal as a stream's source: a snapshot in parts, then every change, fill and mode, with its resume token.

The reader's place in the journal is the token, so nothing is queued here; who falls too far behind is told to come back with
it. What the journal holds and who may read it is app/orders.py's affair.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import order_service_pb2 as wire

from execsvc.app.orders import OrderReader
from execsvc.domain.errors import Reason, refuse
from execsvc.domain.market import FeedState
from execsvc.domain.order import Order
from execsvc.ports import JournalEntry
from execsvc.rpc.convert import account as convert_account
from execsvc.rpc.convert import modes as convert_modes
from execsvc.rpc.convert import orders as convert
from execsvc.rpc.streams import Part
from execsvc.rpc.tokens import resume_token

SNAPSHOT_PART = 200
MOVES = 16  # states of the private feed that a reader is still to be told
BUFFERED = 65536  # what waits is in the journal and costs nothing: this bounds how old it may get


@dataclass
class OrderSource:
    """One follower. `fresh`: its snapshot is not out yet, so a token given meanwhile asks for the snapshot again."""

    reader: OrderReader
    shown: tuple[Order, ...]
    fresh: bool
    symbols: tuple[str, ...]
    journal_id: str
    account: str
    max_buffered: int
    private_state: Callable[[], FeedState]
    announced: bool = field(default=False, init=False)
    _moves: deque[FeedState] = field(default_factory=lambda: deque(maxlen=MOVES), init=False)
    _move: FeedState | None = field(default=None, init=False)

    @property
    def state(self) -> FeedState:
        """That of the private feed; one that passed quickly is told all the same, before the next."""
        return self.private_state() if self._move is None else self._move

    def moved(self) -> None:
        """The state of the private feed may be another now."""
        self._moves.append(self.private_state())
        self.reader.wake()

    def demand(self) -> None:
        """Nothing ends this stream from within."""

    def opening(self) -> Sequence[Part]:
        """The open orders, in parts; none on a resumed stream."""
        if not self.fresh:
            return ()
        self.fresh = False
        shown, again = self.shown, self._token(None)
        self.shown = ()
        starts = range(0, max(1, len(shown)), SNAPSHOT_PART)
        parts = []
        for start in starts:
            held = wire.OrderSnapshot(orders=map(convert.order, shown[start : start + SNAPSHOT_PART]))
            parts.append(Part({"snapshot": held, "resume_token": again}, self.state))
        held.complete = True
        parts[-1] = Part({"snapshot": held}, self.state)
        return parts

    async def take(self, by: float) -> Sequence[Part]:
        """The next entry of the journal. Raises SLOW_CONSUMER for a reader that is too far behind; its token goes on."""
        if self.reader.behind > self.max_buffered:
            raise refuse(
                Reason.SLOW_CONSUMER,
                f"{self.reader.behind} changes wait to be read, more than the {self.max_buffered} that were agreed: open "
                "the stream again with the last resume token, nothing is lost",
            )
        if self._next_move():
            return ()
        entry = await self.reader.take(by)
        self._next_move()
        return () if entry is None else (Part(_event(entry), self.state),)

    def _next_move(self) -> bool:
        self._move = self._moves.popleft() if self._moves else None
        return self._move is not None

    def heartbeat(self) -> common.Heartbeat:
        """With what waits in the journal, and the followed pairs while the private feed is not LIVE."""
        silent = () if self.state is FeedState.LIVE else self.symbols
        return common.Heartbeat(queue_depth=self.reader.behind, not_live_symbols=silent)

    def stamp(self) -> Mapping[str, Any]:
        """The place after the message."""
        return {"resume_token": self._token(None if self.fresh else self.reader.position)}

    def _token(self, position: int | None) -> str:
        return resume_token(self.journal_id, self.account, position)


def _event(entry: JournalEntry) -> Mapping[str, Any]:
    if entry.fill is not None:
        return {"fill": convert_account.fill(entry.fill)}
    if entry.order is not None:
        return {"order": convert.order(entry.order)}
    if entry.mode is not None:
        return {"trading_mode": convert_modes.entry(entry.mode)}
    raise AssertionError(f"journal entry {entry.sequence} holds nothing that is shown")
