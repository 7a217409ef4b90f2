"""The readers of the stream fault table: all six kinds of streams of one gateway, read aside from their first message on.

Each keeps every message with the instant it came. A second book stands beside them, so that one symbol's trouble can be told
from another's. What a mishap should look like to them is stream_rows.py's business.
"""

import threading
import time
from contextlib import closing, contextmanager

import grpc
from execsvc_api.v1 import account_service_pb2 as account
from execsvc_api.v1 import account_service_pb2_grpc as account_grpc
from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import market_data_service_pb2 as market
from execsvc_api.v1 import market_data_service_pb2_grpc as market_grpc
from execsvc_api.v1 import order_pb2, order_service_pb2_grpc
from execsvc_api.v1 import order_service_pb2 as orders
from google.protobuf.duration_pb2 import Duration

from tests.fault.lives import wait
from tests.support.processes import LIFTED, clean_environ, free_port, paper_exchange, running, wait_serving

LIVE = common.FEED_STATE_LIVE
BTC, ETH = "BTC/USD", "ETH/USD"
RESTING_AT, FILLING_AT = "20000.0", "150000.0"


def kind(row):
    """Which message it is."""
    return row[1].WhichOneof("event")


class Watch:
    """One stream. `rows` grows: (monotonic seconds, message)."""

    def __init__(self, call):
        self.call = call
        self.rows = []
        self.ended = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        try:
            for message in self.call:
                self.rows.append((time.monotonic(), message))
        except grpc.RpcError as end:
            self.ended = end.code()

    @property
    def live(self):
        """Whether the last heartbeat, and all that came after it, says LIVE, with no picture owed or just come."""
        rows = list(self.rows)
        pictures = [each for each in map(kind, rows) if each in {"gap", "snapshot"}]
        if "snapshot" in pictures and pictures[-1] == "gap":
            return False
        for row in reversed(rows):
            if row[1].meta.feed_state != LIVE or kind(row) == "snapshot":
                return False
            if kind(row) == "heartbeat":
                return True
        return False

    @property
    def state(self):
        """As the last message says."""
        return common.FeedState.Name(self.rows[-1][1].meta.feed_state).removeprefix("FEED_STATE_")

    @property
    def numbers(self):
        return [message.meta.seq for _, message in self.rows]

    def beat_since(self, at):
        """Whether a heartbeat has come after that instant."""
        return any(row[0] > at and kind(row) == "heartbeat" for row in self.rows[-50:])

    def close(self):
        self.call.cancel()
        self._thread.join(5)


class Stand:
    """One exchange, one gateway before it, and the readers by name."""

    def __init__(self, exchange, channel):
        self.exchange = exchange
        self._desk = order_service_pb2_grpc.OrderServiceStub(channel)
        self._placed = 0
        feeds = market_grpc.MarketDataServiceStub(channel)
        funds = account_grpc.AccountServiceStub(channel)
        book, minute = market.SubscribeBookRequest, Duration(seconds=60)
        self.watches = {
            "tickers": Watch(feeds.SubscribeTickers(market.SubscribeTickersRequest(symbols=[BTC]))),
            "book": Watch(feeds.SubscribeBook(book(symbol=BTC, depth=10))),
            "trades": Watch(feeds.SubscribeTrades(market.SubscribeTradesRequest(symbols=[BTC]))),
            "candles": Watch(feeds.SubscribeCandles(market.SubscribeCandlesRequest(symbols=[BTC], interval=minute))),
            "orders": Watch(self._desk.SubscribeOrders(orders.SubscribeOrdersRequest())),
            "balances": Watch(funds.SubscribeBalances(account.SubscribeBalancesRequest())),
            "beside": Watch(feeds.SubscribeBook(book(symbol=ETH, depth=10))),
        }

    def settled(self, seconds=20.0):
        """Until every reader is LIVE, by a heartbeat of after this call."""
        began = time.monotonic()
        for name, watch in self.watches.items():
            wait(lambda watch=watch: watch.live and watch.beat_since(began), seconds, f"{name} is LIVE: {watch.ended}")

    def trade(self, side, symbol=BTC, quantity="0.01"):
        """A stranger trades: every public channel of the pair has news; the ticker only where the best price moves."""
        self.exchange.ask("POST", "/market", {"symbol": symbol, "take": {"side": side, "qty": quantity}})

    def tokens(self):
        """How many tokens were asked for: one for every private line that is dialled after one was used."""
        return sum(each["call"] == "GetWebSocketsToken" for each in self.exchange.ask("GET", "/calls")["calls"])

    def place(self, limit_price=RESTING_AT):
        """An order of ours, which must be taken; its id."""
        self._placed += 1
        name = f"table-{self._placed}"
        spec = order_pb2.OrderSpec(
            symbol=BTC,
            side=common.SIDE_BUY,
            base_quantity="0.001",
            limit=order_pb2.LimitOrder(limit_price=limit_price),
        )
        self._desk.PlaceOrder(orders.PlaceOrderRequest(client_order_id=name, spec=spec), timeout=10)
        return name

    def told_of(self, name):
        """Whether the stream of orders has told of that order."""
        return any(message.order.client_order_id == name for _, message in self.watches["orders"].rows[-100:])

    def close(self):
        for watch in self.watches.values():
            watch.close()


@contextmanager
def stand_in(home):
    """The whole stand, every stream LIVE."""
    listen = f"127.0.0.1:{free_port()}"
    with paper_exchange(home, "--tier", "unlimited") as exchange:
        venue = {name: value for name, value in exchange.environ.items() if "CONTROL" not in name}
        serving = clean_environ(home, EXECSVC_LISTEN=listen, EXECSVC_HTTP_LISTEN="off", **venue, **LIFTED)
        with running(["serve"], serving):
            wait_serving(listen)
            with grpc.insecure_channel(listen) as channel, closing(Stand(exchange, channel)) as stand:
                stand.settled()
                yield stand
