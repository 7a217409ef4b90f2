"""The synchronous client: the names of Client, for programs without an event loop; calls wait, streams iterate.

As there: every call has a deadline, every error a type, every amount is exact, and a placement is one intent with one
id. Calls may come from several threads; one stream is read by one thread.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Self, Unpack

import grpc
from execsvc_api.v1 import account_service_pb2 as account_pb
from execsvc_api.v1 import admin_service_pb2 as admin_pb
from execsvc_api.v1 import market_data_service_pb2 as market_pb
from execsvc_api.v1 import order_service_pb2 as orders_pb

from execsvc_client import _methods as methods
from execsvc_client import _requests as requests
from execsvc_client import _sync_waiting
from execsvc_client._account import (
    Balance,
    ServerInfo,
    VenueStatus,
    read_balance,
    read_server_info,
    read_venue_status,
)
from execsvc_client._admin_calls import SyncAdministration
from execsvc_client._amend_calls import SyncAmendsOrders
from execsvc_client._amounts import Number
from execsvc_client._doubt import RESOLVE_TIMEOUT, InDoubt, told
from execsvc_client._enums import FeedState, OrderStatus, ScopeLike
from execsvc_client._limits import CapacityQuery, Limits, Preview, read_limits, read_preview
from execsvc_client._many_calls import SyncManyOrders
from execsvc_client._market import (
    Asset,
    Book,
    Candle,
    Instrument,
    Ticker,
    Trade,
    read_asset,
    read_book,
    read_candle,
    read_instrument,
    read_ticker,
    read_trade,
)
from execsvc_client._orders import Fill, Order, Placed, read_fill, read_order
from execsvc_client._paging import LARGEST_PAGE, PAGE, sync_pages
from execsvc_client._requests import OrderLike, OrderOptions
from execsvc_client._settings import DEFAULT_TARGET, Settings, from_environment
from execsvc_client._settling import still_open
from execsvc_client._specs import SideLike, Size
from execsvc_client._statement_calls import SyncStatements
from execsvc_client._story import Story, read_story
from execsvc_client._sync_link import SyncLink
from execsvc_client._sync_session import SyncSessions
from execsvc_client._sync_streams import SyncStreams
from execsvc_client._tls import Tls, chosen


class SyncClient(SyncStreams, SyncStatements, SyncManyOrders, SyncAmendsOrders, SyncSessions, SyncAdministration):
    """A caller of one gateway; use it as `with SyncClient() as client:`.

    target       host:port or unix:path
    token        the caller's token; it travels in plaintext to this machine only
    allow_live   without it every changing call to a gateway that trades live money raises LiveRefused
    account      the account of every call; empty: the caller's only or default one
    name         what the gateway's log calls this program
    tls          TLS with these files, see Tls; plaintext without
    credentials  TLS as grpc.ssl_channel_credentials(…) gives it, instead
    channel      a channel of your own instead; close() closes it too

    Methods raise ExecsvcError (see `_errors`), TypeError and ValueError for what cannot be meant. `timeout` is in
    seconds; absent, the contract's default. `symbol` takes any spelling that Kraken uses.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        token: str = "",
        allow_live: bool = False,
        account: str = "",
        name: str = "execsvc-python",
        tls: Tls | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        channel: grpc.Channel | None = None,
    ) -> None:
        settings = Settings(target, token, name, account, allow_live)
        self.link = SyncLink(settings, credentials=chosen(tls, credentials), channel=channel)

    @classmethod
    def from_env(
        cls,
        *,
        target: str = "",
        allow_live: bool = False,
        account: str = "",
        name: str = "execsvc-python",
        environ: Mapping[str, str] | None = None,
    ) -> Self:
        """A client for `target`, else EXECSVC_TARGET, with the token, the TLS files and the certificate of the environment.

        The variables: EXECSVC_TOKEN or EXECSVC_TOKEN_FILE; EXECSVC_TLS_CA_FILE, EXECSVC_TLS_CLIENT_CERT_FILE and
        EXECSVC_TLS_CLIENT_KEY_FILE. Raises ValueError for settings that cannot work, OSError for a file that cannot be read.
        """
        found = from_environment(os.environ if environ is None else environ, target)
        return cls(found.target, token=found.token, allow_live=allow_live, account=account, name=name, tls=found.tls)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the channel."""
        self.link.close()

    # --- orders ------------------------------------------------------------------------------------------------

    def place(
        self,
        symbol: str,
        side: SideLike,
        *,
        quantity: Size,
        limit_price: Number | None = None,
        market: bool = False,
        **options: Unpack[OrderOptions],
    ) -> Placed | InDoubt[Placed]:
        """Place one order, at most once. `quantity` in base units, `limit_price` in quote units, or market=True.

        For the other types and options see OrderOptions; for other sizes Quote and WHOLE_POSITION.

        Gives Placed, or InDoubt when the time ran out before the exchange's answer came: call its resolve(). Raises
        OutcomeUnknown when not even the gateway answered; the other errors all mean that nothing was placed.
        """
        account = self.link.settings.account
        request = requests.place_order(
            account, symbol, side, quantity=quantity, limit_price=limit_price, market=market, options=options
        )
        answer = self.link.call(
            methods.PLACE_ORDER, request, timeout=options.get("timeout"), client_order_id=request.client_order_id
        )
        return told(answer, self.resolve)

    def buy(
        self,
        symbol: str,
        *,
        quantity: Size,
        limit_price: Number | None = None,
        market: bool = False,
        **options: Unpack[OrderOptions],
    ) -> Placed | InDoubt[Placed]:
        """place() with the side buy."""
        return self.place(symbol, "buy", quantity=quantity, limit_price=limit_price, market=market, **options)

    def sell(
        self,
        symbol: str,
        *,
        quantity: Size,
        limit_price: Number | None = None,
        market: bool = False,
        **options: Unpack[OrderOptions],
    ) -> Placed | InDoubt[Placed]:
        """place() with the side sell."""
        return self.place(symbol, "sell", quantity=quantity, limit_price=limit_price, market=market, **options)

    def preview(
        self,
        symbol: str,
        side: SideLike,
        *,
        quantity: Size,
        limit_price: Number | None = None,
        market: bool = False,
        ask_venue: bool = False,
        **options: Unpack[OrderOptions],
    ) -> Preview:
        """What place() would say to the same arguments: the rounded order, rules, limits, counter. Places nothing.

        ask_venue: Kraken is asked to judge the rounded order too; it places nothing either.
        """
        request = requests.preview_order(
            self.link.settings.account,
            symbol,
            side,
            quantity=quantity,
            limit_price=limit_price,
            market=market,
            ask_venue=ask_venue,
            options=options,
        )
        return read_preview(self.link.call(methods.PREVIEW_ORDER, request, timeout=options.get("timeout")))

    def resolve(self, order: OrderLike, timeout: float = RESOLVE_TIMEOUT) -> Placed:
        """Wait for the truth about a placement: a Placed as it is now, an InDoubt, an OutcomeUnknown or an id.

        Raises NotPlaced or Refused when that is the truth, NotFound when the gateway never got it (repeat it with the
        same id), OutcomeUnknown when the truth is not known within `timeout` seconds.
        """
        return _sync_waiting.resolve(self.link, requests.order_ref(order, ""), timeout)

    def wait_for_terminal(self, order: OrderLike, timeout: float = RESOLVE_TIMEOUT) -> Order:
        """Wait until nothing about the order will change any more. Raises TimeoutError after `timeout` seconds."""
        ended = _sync_waiting.until(self.link, requests.order_ref(order, ""), lambda seen: seen.is_terminal, timeout)
        if ended is None or not ended.is_terminal:
            raise still_open(ended, timeout)
        return ended

    def cancel(self, order: OrderLike = "", *, order_id: str = "", timeout: float | None = None) -> Order:
        """Record the wish to cancel, which is then pursued: the order is terminal, or has cancel_requested.

        `order` is a client order id or a value that has one; `order_id=` is Kraken's.
        """
        ref = requests.order_ref(order, order_id)
        request = orders_pb.CancelOrderRequest(account=self.link.settings.account, order=ref)
        answer = self.link.call(methods.CANCEL_ORDER, request, timeout=timeout, client_order_id=ref.client_order_id)
        return read_order(answer.order)

    def get_order(self, order: OrderLike = "", *, order_id: str = "", timeout: float | None = None) -> Order:
        """The order as it is now, by the caller's id or by Kraken's. Raises NotFound."""
        ref = requests.order_ref(order, order_id)
        request = orders_pb.GetOrderRequest(account=self.link.settings.account, order=ref)
        answer = self.link.call(methods.GET_ORDER, request, timeout=timeout, client_order_id=ref.client_order_id)
        return read_order(answer.order)

    def explain(self, order: OrderLike = "", *, order_id: str = "", timeout: float | None = None) -> Story:
        """The order and its story: every wait, send, reply, doubt and verdict, oldest first. Raises NotFound."""
        ref = requests.order_ref(order, order_id)
        request = orders_pb.ExplainOrderRequest(account=self.link.settings.account, order=ref)
        answer = self.link.call(methods.EXPLAIN_ORDER, request, timeout=timeout, client_order_id=ref.client_order_id)
        return read_story(answer)

    def orders(
        self,
        symbol: str = "",
        *,
        statuses: Iterable[OrderStatus] = (),
        scope: ScopeLike = "own",
        since: datetime | None = None,
        until: datetime | None = None,
        page_size: int = PAGE,
    ) -> Iterator[Order]:
        """Orders from the journal, newest first, asked for page by page; `since` inclusive, `until` exclusive.

        Scope "all_callers" has everybody's who uses the gateway, "account" those too that were placed by hand or elsewhere
        (both need the permission account).
        """
        request = requests.list_orders(
            self.link.settings.account,
            symbol=symbol,
            statuses=statuses,
            scope=scope,
            since=since,
            until=until,
            page_size=page_size,
        )
        for page in sync_pages(self.link, methods.LIST_ORDERS, request):
            for order in page.orders:
                yield read_order(order)

    def fills(
        self, symbol: str = "", *, since: datetime | None = None, until: datetime | None = None, page_size: int = PAGE
    ) -> Iterator[Fill]:
        """Executions of the account, newest first, asked for page by page; `since` inclusive, `until` exclusive."""
        request = requests.list_fills(
            self.link.settings.account, symbol=symbol, since=since, until=until, page_size=page_size
        )
        for page in sync_pages(self.link, methods.LIST_FILLS, request):
            for fill in page.fills:
                yield read_fill(fill)

    # --- account and server ------------------------------------------------------------------------------------

    def balances(self, *, timeout: float | None = None) -> tuple[Balance, ...]:
        """All balances that are not zero, ordered by asset."""
        request = account_pb.ListBalancesRequest(account=self.link.settings.account)
        answer = self.link.call(methods.LIST_BALANCES, request, timeout=timeout)
        return tuple(map(read_balance, answer.balances))

    def limits(
        self, symbols: str | Iterable[str] = (), *, queries: Iterable[CapacityQuery] = (), timeout: float | None = None
    ) -> Limits:
        """Kraken's counters of these pairs (of every pair used so far when none is named), and when calls may go."""
        request = requests.get_limits(self.link.settings.account, symbols, queries)
        return read_limits(self.link.call(methods.GET_LIMITS, request, timeout=timeout))

    def server_info(self, *, timeout: float | None = None) -> ServerInfo:
        """Who the gateway is, whether it trades live, who the caller is to it, and what it does not offer."""
        answer = self.link.call(methods.GET_SERVER_INFO, admin_pb.GetServerInfoRequest(), timeout=timeout)
        self.link.guard.conclude(answer.venue)
        return read_server_info(answer, self.link.guard.mode)

    def venue_status(self, *, timeout: float | None = None) -> VenueStatus:
        """How the exchange and the gateway's link to it fare."""
        request = admin_pb.GetVenueStatusRequest()
        return read_venue_status(self.link.call(methods.GET_VENUE_STATUS, request, timeout=timeout))

    # --- market data -------------------------------------------------------------------------------------------

    def instruments(
        self, symbols: str | Iterable[str] = (), *, quote: str = "", timeout: float | None = None
    ) -> tuple[Instrument, ...]:
        """Pairs and their rules, ordered by symbol: these, those of one quote asset, or all."""
        request = market_pb.ListInstrumentsRequest(
            quote=quote, symbols=requests.symbols_of(symbols), page_size=LARGEST_PAGE
        )
        answers = sync_pages(self.link, methods.LIST_INSTRUMENTS, request, timeout)
        return tuple([read_instrument(each) for page in answers for each in page.instruments])

    def assets(self, *, timeout: float | None = None) -> tuple[Asset, ...]:
        """All assets, ordered by code."""
        answers = sync_pages(
            self.link, methods.LIST_ASSETS, market_pb.ListAssetsRequest(page_size=LARGEST_PAGE), timeout
        )
        return tuple([read_asset(each) for page in answers for each in page.assets])

    def tickers(self, symbols: str | Iterable[str] = (), *, timeout: float | None = None) -> tuple[Ticker, ...]:
        """The latest tickers, in the order of `symbols`; of all pairs when empty."""
        request = market_pb.GetTickersRequest(symbols=requests.symbols_of(symbols))
        answer = self.link.call(methods.GET_TICKERS, request, timeout=timeout)
        return tuple(map(read_ticker, answer.tickers))

    def book(self, symbol: str, *, depth: int = 10, timeout: float | None = None) -> Book:
        """The latest book; `depth` 10, 25, 100, 500 or 1000 levels a side."""
        request = market_pb.GetBookRequest(symbol=symbol, depth=depth)
        answer = self.link.call(methods.GET_BOOK, request, timeout=timeout)
        return read_book(answer.book, FeedState(answer.feed_state))

    def trades(self, symbol: str, *, since: datetime | None = None, page_size: int = PAGE) -> Iterator[Trade]:
        """Public trades, oldest first, asked for page by page; without `since` the latest."""
        request = requests.list_trades(symbol, since=since, page_size=page_size)
        for page in sync_pages(self.link, methods.LIST_TRADES, request):
            for trade in page.trades:
                yield read_trade(trade)

    def candles(
        self, symbol: str, interval: timedelta, *, since: datetime | None = None, page_size: int = LARGEST_PAGE
    ) -> Iterator[Candle]:
        """Candles, oldest first, the last one maybe open; Kraken keeps about 720 of each interval."""
        request = requests.list_candles(symbol, interval=interval, since=since, page_size=page_size)
        for page in sync_pages(self.link, methods.LIST_CANDLES, request):
            for candle in page.candles:
                yield read_candle(candle)
