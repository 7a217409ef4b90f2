"""The methods this client calls: where each lives, what goes in and out, how long it may take, what it may change.

A row is a fact of the contract, and a test holds each against the descriptors: kind, types, and whether the method has
side effects. Timeouts are the contract's default deadlines, in seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from execsvc_api.v1 import account_service_pb2 as account
from execsvc_api.v1 import admin_service_pb2 as admin
from execsvc_api.v1 import market_data_service_pb2 as market
from execsvc_api.v1 import order_service_pb2 as orders
from google.protobuf.message import Message

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)


@dataclass(frozen=True)
class Unary(Generic[Q, A]):
    """One request, one answer. `changes`: it may change something at the exchange, and repeating it is harmless."""

    name: str
    request: type[Q]
    answer: type[A]
    timeout: float
    changes: bool = False

    @property
    def path(self) -> str:
        """The HTTP/2 path."""
        return f"/execsvc.v1.{self.name}"

    @property
    def encode(self) -> Callable[[Q], bytes]:
        """From the request to bytes."""
        return self.request.SerializeToString

    @property
    def decode(self) -> Callable[[bytes], A]:
        """From bytes to the answer."""
        return self.answer.FromString


@dataclass(frozen=True)
class Stream(Generic[Q, A]):
    """One request, many answers, no deadline of its own."""

    name: str
    request: type[Q]
    answer: type[A]

    @property
    def path(self) -> str:
        """The HTTP/2 path."""
        return f"/execsvc.v1.{self.name}"

    @property
    def encode(self) -> Callable[[Q], bytes]:
        """From the request to bytes."""
        return self.request.SerializeToString

    @property
    def decode(self) -> Callable[[bytes], A]:
        """From bytes to one answer."""
        return self.answer.FromString


@dataclass(frozen=True)
class TwoWay(Generic[Q, A]):
    """Many requests, many answers, no deadline of its own."""

    name: str
    request: type[Q]
    answer: type[A]

    @property
    def path(self) -> str:
        """The HTTP/2 path."""
        return f"/execsvc.v1.{self.name}"

    @property
    def encode(self) -> Callable[[Q], bytes]:
        """From one request to bytes."""
        return self.request.SerializeToString

    @property
    def decode(self) -> Callable[[bytes], A]:
        """From bytes to one answer."""
        return self.answer.FromString


LIST_INSTRUMENTS = Unary(
    "MarketDataService/ListInstruments", market.ListInstrumentsRequest, market.ListInstrumentsResponse, 5
)
LIST_ASSETS = Unary("MarketDataService/ListAssets", market.ListAssetsRequest, market.ListAssetsResponse, 5)
GET_TICKERS = Unary("MarketDataService/GetTickers", market.GetTickersRequest, market.GetTickersResponse, 5)
GET_BOOK = Unary("MarketDataService/GetBook", market.GetBookRequest, market.GetBookResponse, 5)
LIST_TRADES = Unary("MarketDataService/ListTrades", market.ListTradesRequest, market.ListTradesResponse, 5)
LIST_CANDLES = Unary("MarketDataService/ListCandles", market.ListCandlesRequest, market.ListCandlesResponse, 5)
SUBSCRIBE_TICKERS = Stream(
    "MarketDataService/SubscribeTickers", market.SubscribeTickersRequest, market.SubscribeTickersResponse
)
SUBSCRIBE_TRADES = Stream(
    "MarketDataService/SubscribeTrades", market.SubscribeTradesRequest, market.SubscribeTradesResponse
)
SUBSCRIBE_CANDLES = Stream(
    "MarketDataService/SubscribeCandles", market.SubscribeCandlesRequest, market.SubscribeCandlesResponse
)
SUBSCRIBE_BOOK = Stream("MarketDataService/SubscribeBook", market.SubscribeBookRequest, market.SubscribeBookResponse)

PLACE_ORDER = Unary("OrderService/PlaceOrder", orders.PlaceOrderRequest, orders.PlaceOrderResponse, 10, changes=True)
PREVIEW_ORDER = Unary("OrderService/PreviewOrder", orders.PreviewOrderRequest, orders.PreviewOrderResponse, 5)
AMEND_ORDER = Unary("OrderService/AmendOrder", orders.AmendOrderRequest, orders.AmendOrderResponse, 10, changes=True)
CANCEL_ORDER = Unary(
    "OrderService/CancelOrder", orders.CancelOrderRequest, orders.CancelOrderResponse, 10, changes=True
)
PLACE_ORDERS = Unary(
    "OrderService/PlaceOrders", orders.PlaceOrdersRequest, orders.PlaceOrdersResponse, 10, changes=True
)
CANCEL_ORDERS = Unary(
    "OrderService/CancelOrders", orders.CancelOrdersRequest, orders.CancelOrdersResponse, 10, changes=True
)
CANCEL_ALL_ORDERS = Unary(
    "OrderService/CancelAllOrders", orders.CancelAllOrdersRequest, orders.CancelAllOrdersResponse, 10, changes=True
)
SET_DEAD_MANS_SWITCH = Unary(
    "OrderService/SetDeadMansSwitch",
    orders.SetDeadMansSwitchRequest,
    orders.SetDeadMansSwitchResponse,
    10,
    changes=True,
)
GET_ORDER = Unary("OrderService/GetOrder", orders.GetOrderRequest, orders.GetOrderResponse, 5)
LIST_ORDERS = Unary("OrderService/ListOrders", orders.ListOrdersRequest, orders.ListOrdersResponse, 5)
EXPLAIN_ORDER = Unary("OrderService/ExplainOrder", orders.ExplainOrderRequest, orders.ExplainOrderResponse, 5)
SUBSCRIBE_ORDERS = Stream("OrderService/SubscribeOrders", orders.SubscribeOrdersRequest, orders.SubscribeOrdersResponse)
ORDER_SESSION = TwoWay("OrderService/OrderSession", orders.OrderSessionRequest, orders.OrderSessionResponse)

LIST_BALANCES = Unary("AccountService/ListBalances", account.ListBalancesRequest, account.ListBalancesResponse, 10)
SUBSCRIBE_BALANCES = Stream(
    "AccountService/SubscribeBalances", account.SubscribeBalancesRequest, account.SubscribeBalancesResponse
)
GET_LIMITS = Unary("AccountService/GetLimits", account.GetLimitsRequest, account.GetLimitsResponse, 5)
GET_MARGIN_SUMMARY = Unary(
    "AccountService/GetMarginSummary", account.GetMarginSummaryRequest, account.GetMarginSummaryResponse, 10
)
LIST_POSITIONS = Unary("AccountService/ListPositions", account.ListPositionsRequest, account.ListPositionsResponse, 10)
LIST_LEDGER_ENTRIES = Unary(
    "AccountService/ListLedgerEntries", account.ListLedgerEntriesRequest, account.ListLedgerEntriesResponse, 10
)
GET_FEE_RATES = Unary("AccountService/GetFeeRates", account.GetFeeRatesRequest, account.GetFeeRatesResponse, 10)
LIST_FILLS = Unary("AccountService/ListFills", account.ListFillsRequest, account.ListFillsResponse, 10)

GET_SERVER_INFO = Unary("AdminService/GetServerInfo", admin.GetServerInfoRequest, admin.GetServerInfoResponse, 5)
GET_VENUE_STATUS = Unary("AdminService/GetVenueStatus", admin.GetVenueStatusRequest, admin.GetVenueStatusResponse, 5)
SET_TRADING_MODE = Unary(
    "AdminService/SetTradingMode", admin.SetTradingModeRequest, admin.SetTradingModeResponse, 10, changes=True
)
LIST_STREAMS = Unary("AdminService/ListStreams", admin.ListStreamsRequest, admin.ListStreamsResponse, 5)
