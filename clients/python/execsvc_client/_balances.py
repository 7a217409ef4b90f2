"""Following balances: SubscribeBalances through all its reconnects; no I/O.

A snapshot replaces what is held, an update the balance of its asset. After a Gap or a new connection a snapshot comes first.
"""

from collections.abc import Iterator

from execsvc_api.v1 import account_service_pb2 as account_pb

from execsvc_client._account import read_balance
from execsvc_client._amounts import seconds, when
from execsvc_client._enums import FeedState
from execsvc_client._events import BalanceSnapshot, BalanceUpdate
from execsvc_client._follow import FeedFollower


class BalanceFollower(FeedFollower[BalanceSnapshot | BalanceUpdate]):
    """SubscribeBalances."""

    def __init__(self, account: str, *, heartbeat: float, heartbeats: bool) -> None:
        super().__init__([], heartbeat=heartbeat, heartbeats=heartbeats)
        self._account = account

    def request(self) -> account_pb.SubscribeBalancesRequest:
        """The same each time."""
        request = account_pb.SubscribeBalancesRequest(account=self._account)
        request.heartbeat_interval.CopyFrom(seconds(self._heartbeat, "heartbeat"))
        return request

    def news(
        self, event: str | None, message: account_pb.SubscribeBalancesResponse
    ) -> Iterator[BalanceSnapshot | BalanceUpdate]:
        """All balances, or the one that changed."""
        sent = when(message.meta.send_time, present=message.meta.HasField("send_time"))
        state = FeedState(message.meta.feed_state)
        if event == "snapshot":
            yield BalanceSnapshot(tuple(map(read_balance, message.snapshot.balances)), state, sent)
        elif event == "update":
            yield BalanceUpdate(read_balance(message.update), state, message.meta.conflated_count, sent)
