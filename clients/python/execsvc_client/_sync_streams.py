"""The streams of the synchronous client: each comes back by itself and says what happened meanwhile.

What a stream's messages mean is the followers' business (`_tickers.py` and its like), reading and waiting `_sync_watch.py`'s.
"""

from collections.abc import Generator, Iterable
from datetime import timedelta

from execsvc_client import _methods as methods
from execsvc_client import _requests as requests
from execsvc_client._balances import BalanceFollower
from execsvc_client._books import BookFollower
from execsvc_client._candles import CandleFollower
from execsvc_client._enums import ScopeLike
from execsvc_client._events import BalanceEvent, BookView, CandleEvent, OrderEvent, TickerEvent, TradeEvent
from execsvc_client._follow import HEARTBEAT
from execsvc_client._order_events import OrderFollower
from execsvc_client._sync_link import SyncLink
from execsvc_client._sync_watch import sync_follow
from execsvc_client._tickers import TickerFollower
from execsvc_client._trades import TradeFollower


class SyncStreams:
    """The stream methods of SyncClient."""

    link: SyncLink

    def orders_stream(
        self,
        *,
        resume_token: str | None = None,
        symbols: Iterable[str] = (),
        scope: ScopeLike = "own",
        heartbeat: float = HEARTBEAT,
        heartbeats: bool = False,
    ) -> Generator[OrderEvent]:
        """Every order change and fill, lossless across reconnects. Without a token a snapshot (OpenOrders) comes first.

        Keep the `resume_token` of the last event you have dealt with to go on after a restart of your own.
        """
        follower = OrderFollower(
            self.link.settings.account,
            resume_token=resume_token,
            symbols=list(symbols),
            scope=scope,
            heartbeat=heartbeat,
            heartbeats=heartbeats,
        )
        return sync_follow(self.link, methods.SUBSCRIBE_ORDERS, follower)

    def watch(
        self,
        symbols: str | Iterable[str],
        *,
        min_interval: float = 0.0,
        heartbeat: float = HEARTBEAT,
        heartbeats: bool = False,
    ) -> Generator[TickerEvent]:
        """Tickers as they change, at most one per symbol and `min_interval` seconds, and all that casts doubt on them."""
        follower = TickerFollower(
            requests.symbols_of(symbols), min_interval=min_interval, heartbeat=heartbeat, heartbeats=heartbeats
        )
        return sync_follow(self.link, methods.SUBSCRIBE_TICKERS, follower)

    def book_stream(self, symbol: str, *, depth: int = 10, heartbeat: float = HEARTBEAT) -> Generator[BookView]:
        """The book after every change; `stale` says when not to quote on it."""
        return sync_follow(self.link, methods.SUBSCRIBE_BOOK, BookFollower(symbol, depth=depth, heartbeat=heartbeat))

    def trades_stream(
        self,
        symbols: str | Iterable[str],
        *,
        max_buffered: int = 0,
        heartbeat: float = HEARTBEAT,
        heartbeats: bool = False,
    ) -> Generator[TradeEvent]:
        """Public trades from now on, each once; a reader that falls `max_buffered` behind (0: 1024) gets a Gap.

        What is lost in a Gap, or between Disconnected and Connected, is not told again: trades(since=…) has it.
        """
        follower = TradeFollower(
            requests.symbols_of(symbols), max_buffered=max_buffered, heartbeat=heartbeat, heartbeats=heartbeats
        )
        return sync_follow(self.link, methods.SUBSCRIBE_TRADES, follower)

    def candles_stream(
        self,
        symbols: str | Iterable[str],
        interval: timedelta,
        *,
        history: int = 0,
        min_interval: float = 0.0,
        heartbeat: float = HEARTBEAT,
        heartbeats: bool = False,
    ) -> Generator[CandleEvent]:
        """Candles as they change: a CandleSnapshot of each symbol (`history` closed ones, up to 720), then CandleUpdates.

        Updates come at most once per symbol and `min_interval` seconds; a candle that closes is told in any case.
        """
        follower = CandleFollower(
            requests.symbols_of(symbols),
            interval,
            history=history,
            min_interval=min_interval,
            heartbeat=heartbeat,
            heartbeats=heartbeats,
        )
        return sync_follow(self.link, methods.SUBSCRIBE_CANDLES, follower)

    def balances_stream(self, *, heartbeat: float = HEARTBEAT, heartbeats: bool = False) -> Generator[BalanceEvent]:
        """The account's balances: a BalanceSnapshot, then a BalanceUpdate for each that changed, and all that casts doubt."""
        follower = BalanceFollower(self.link.settings.account, heartbeat=heartbeat, heartbeats=heartbeats)
        return sync_follow(self.link, methods.SUBSCRIBE_BALANCES, follower)
