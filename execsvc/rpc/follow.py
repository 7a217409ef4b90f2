"""The order journal as a stream's source: a snapshot in parts, then every change and fill, each with its resume token.

The reader's place in the journal is the token, so nothing is queued here. What the journal holds and who may read it is
app/orders.py's affair.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import order_service_pb2 as wire

from execsvc.app.orders import OrderReader
from execsvc.domain.market import FeedState
from execsvc.domain.order import Order
from execsvc.ports import JournalEntry
from execsvc.rpc.convert import account as convert_account
from execsvc.rpc.convert import orders as convert
from execsvc.rpc.streams import Part
from execsvc.rpc.tokens import resume_token

SNAPSHOT_PART = 200


@dataclass
class OrderSource:
    """One follower. `fresh`: its snapshot is not out yet, so a token given meanwhile asks for the snapshot again."""

    reader: OrderReader
    shown: tuple[Order, ...]
    fresh: bool
    symbols: tuple[str, ...]
    journal_id: str
    account: str
    private_state: Callable[[], FeedState]
    announced: bool = field(default=False, init=False)

    @property
    def state(self) -> FeedState:
        """That of the private feed."""
        return self.private_state()

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
        """The next entry of the journal."""
        entry = await self.reader.take(by)
        return () if entry is None else (Part(_event(entry), self.state),)

    def heartbeat(self) -> common.Heartbeat:
        """With the followed pairs while the private feed is not LIVE."""
        return common.Heartbeat(not_live_symbols=() if self.state is FeedState.LIVE else self.symbols)

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
    raise AssertionError(f"journal entry {entry.sequence} holds neither an order nor a fill")
