"""An account's balances as a stream's source: all of them, then each that changed, and a gap when the link began anew.

What is told when, and that nothing is queued, is app/fundsreader.py's affair.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from execsvc_api.v1 import account_service_pb2 as wire
from execsvc_api.v1 import common_pb2 as common

from execsvc.app.fundsreader import FundsMoved, FundsNews, FundsReader, FundsShown
from execsvc.app.hub import Gap
from execsvc.domain.market import FeedState
from execsvc.rpc.convert import account as convert
from execsvc.rpc.convert.streams import gap
from execsvc.rpc.scalars import timestamp_or_none
from execsvc.rpc.streams import Part


@dataclass(frozen=True)
class BalanceSource:
    """One follower of the balances; `heard_ns` is when a frame of the private stream was last read."""

    reader: FundsReader
    heard_ns: Callable[[], int | None]
    announced: bool = field(default=False, init=False)

    @property
    def state(self) -> FeedState:
        """That of the funds: LIVE not before the snapshot."""
        return self.reader.state

    def demand(self) -> None:
        """Nothing ends this stream from within."""

    def opening(self) -> Sequence[Part]:
        """Nothing: the snapshot comes with the first picture that holds all that was told by now."""
        return ()

    async def take(self, by: float) -> Sequence[Part]:
        """The next news as messages, one a balance."""
        return [self._part(news) for news in await self.reader.take(by)]

    def heartbeat(self) -> common.Heartbeat:
        """Balances have no symbols: the state of the message says it all."""
        return common.Heartbeat(last_upstream_time=timestamp_or_none(self.heard_ns()), queue_depth=self.reader.pending)

    def stamp(self) -> Mapping[str, Any]:
        """Nothing besides meta."""
        return {}

    def _part(self, news: FundsNews) -> Part:
        match news:
            case FundsShown(balances):
                return Part({"snapshot": wire.BalanceSnapshot(balances=map(convert.balance, balances))}, self.state)
            case FundsMoved(balance, folded):
                return Part({"update": convert.balance(balance)}, self.state, folded)
            case Gap():
                return Part({"gap": gap(news)}, self.state)
            case _:
                assert_never(news)
