"""What reads which published sample: one row an endpoint, one a frame, and why the rest is read by nobody.

The rows are total: a sample that comes into tests/vectors, or an endpoint that comes into use, has to be put here.
"""

import json

from executions_parts import TOKEN, Told
from feed_parts import Link
from kraken_parts import ASSETS, VECTORS, known_names

from execsvc.domain.market import BookTopic, CandleTopic, TickerTopic, TradeTopic
from execsvc.kraken import amending, decode, pictures, statements, tables, wire
from execsvc.kraken.private_session import PrivateSession
from execsvc.kraken.pulse import Pulse
from execsvc.kraken.venuetime import VenueTime
from tests.support.venue import BTC_USD

NAMES = known_names()


def fills(raw):
    return [decode.fill(*row, "main", NAMES, 1) for row in decode.fills_page(raw)[0]]


def tickers(raw):
    return [pictures.ticker("X/Y", row, 1) for row in pictures.tickers(raw).values()]


# Kraken's name of an endpoint → what reads its `result`.
READERS = {
    "Time": wire.decoder(wire.ServerTime),
    "SystemStatus": pictures.mode,
    "Assets": tables.assets,
    "AssetPairs": lambda raw: tables.instruments(raw, ASSETS),
    "Ticker": tickers,
    "Depth": lambda raw: pictures.book(raw, BTC_USD, 10, 1),
    "OHLC": lambda raw: pictures.candles(raw, BTC_USD, 60, 1),
    "Trades": lambda raw: pictures.trades(raw, BTC_USD, 1),
    "AddOrder": decode.placed,
    "AddOrderBatch": wire.decoder(wire.PlacedBatch),
    "AmendOrder": wire.decoder(amending.Taken),
    "OrderAmends": amending.shown_amends,
    "CancelOrder": decode.cancelled,
    "CancelOrderBatch": decode.cancelled,
    "CancelAll": decode.cancelled,
    "CancelAllOrdersAfter": wire.decoder(wire.Timer),
    "OpenOrders": lambda raw: decode.open_orders(raw, NAMES),
    "ClosedOrders": lambda raw: decode.closed_orders(raw, NAMES),
    "QueryOrders": lambda raw: decode.queried_orders(raw, NAMES),
    "BalanceEx": lambda raw: decode.balances(raw, NAMES, 1),
    "TradesHistory": fills,
    "TradeBalance": lambda raw: statements.margin(raw, "USD"),
    "OpenPositions": lambda raw: statements.positions(raw, NAMES),
    "Ledgers": lambda raw: statements.ledger_page(raw, NAMES),
    "TradeVolume": lambda raw: statements.fees(raw, (BTC_USD,), NAMES),
    "GetApiKeyInfo": decode.key_facts,
    "GetWebSocketsToken": decode.socket_token,
}

# Samples of answers that the gateway never gets, and why.
NOT_READ = {
    "auth_signature_vectors": "signatures, not an answer: test_kraken_signing.py",
    "rest_AddOrder_validate_response": "a dry run's answer is looked at for its errors only: kraken/asking.py",
    "rest_Balance": "BalanceEx tells the same and what is held",
    "rest_EditOrder": "AmendOrder keeps id and place: EditOrder is not offered",
    "rest_QueryLedgers": "the ledger is read in pages",
    "rest_QueryTrades": "fills are read in pages and come by the stream",
    "rest_Spread": "the book tells it",
    "ws_level3_snapshot": "single orders of others are not offered",
    "ws_level3_update": "as above",
    **dict.fromkeys(
        (
            "ws_add_order_error", "ws_add_order_error_unsupported_field", "ws_add_order_response",
            "ws_amend_order_response", "ws_batch_add_response", "ws_batch_cancel_response", "ws_cancel_all_response",
            "ws_cancel_all_orders_after_response", "ws_cancel_order_responses", "ws_edit_order_response",
        ),
        "orders go over REST, where nonces fence them",
    ),
}  # fmt: skip

ALGO, MATIC, BTC = "ALGO/USD", "MATIC/USD", "BTC/USD"
BEAT = ["Beat"]
# Frames of the public line: what is wished for, the frames before, the events that come of it.
PUBLIC = {
    "ws_ticker_snapshot": (TickerTopic(ALGO), (), ["TickerSeen"]),
    "ws_ticker_update": (TickerTopic(ALGO), ("ws_ticker_snapshot",), ["TickerSeen"]),
    "ws_book_snapshot": (BookTopic(BTC, 10), (), ["BookSeen"]),
    "ws_trade_snapshot": (TradeTopic(MATIC), (), ["TradesSeen"]),
    "ws_trade_update": (TradeTopic(MATIC), (), ["TradesSeen"]),
    "ws_ohlc_update": (CandleTopic(MATIC, 300), (), []),  # no snapshot came before it
    "ws_subscribe_ticker_ack": (TickerTopic(ALGO), (), []),
    "ws_unsubscribe_ticker_ack": (TickerTopic(ALGO), (), []),
    "ws_subscribe_book_ack": (BookTopic(BTC, 10), (), []),
    "ws_subscribe_error_not_found": (TickerTopic(BTC), (), []),  # of no request of ours
    "ws_subscribe_error_unsupported_pair": (TickerTopic("FOO/BAR"), (), []),
    "ws_status": (TickerTopic(ALGO), (), ["ModeSeen"]),
    "ws_heartbeat": (TickerTopic(ALGO), (), []),
    "ws_pong": (TickerTopic(ALGO), (), []),
    "ws_book_sequence_recorded": (BookTopic(BTC, 10), (), ["BookSeen"]),
}
# Frames of the instruments' line: who has an index, None for another frame.
INDEXES = {
    "ws_instrument_snapshot": {BTC: True},
    "ws_instrument_update": None,
    "ws_instrument_subscribe_ack": None,
}
# Frames of the private line, each on a line of its own, and the events that come of it.
PRIVATE = {
    "ws_executions_subscribe_ack": ["LinkUp"],
    "ws_executions_unsubscribe_ack": BEAT,
    "ws_executions_pending_new": ["ExecutionSeen"],
    "ws_executions_new": ["ExecutionSeen"],
    "ws_executions_trade": ["ExecutionSeen"],
    "ws_balances_subscribe_ack": BEAT,
    "ws_balances_snapshot": ["LinkUp", "BalancesSnapshot"],
    "ws_balances_update_deposit": ["BalanceSeen"],
    "ws_balances_update_trade": ["BalanceSeen", "BalanceSeen"],
}


def samples():
    """The names of all, requests left out: what goes from us is the encoders' (test_kraken_private.py, test_encode.py)."""
    return sorted(path.stem for path in VECTORS.glob("*.json") if not path.stem.endswith("_request"))


def endpoint_of(name):
    """rest_OHLC_recorded is of OHLC."""
    return name.removeprefix("rest_").partition("_")[0]


def frames(name):
    """The frames of a sample, as bytes exactly as printed where it is one frame."""
    text = (VECTORS / f"{name}.json").read_bytes()
    parsed = json.loads(text)
    if isinstance(parsed, list):
        return [json.dumps(each).encode() for each in parsed]
    if "messages" in parsed:
        return [json.dumps(each).encode() for each in parsed["messages"]]
    return [text]


def public_line(topic):
    """An open public line on which `topic` was asked for."""
    link = Link(topic)
    link.requests()
    return link


def private_line():
    """An open private line on which both channels were asked for."""
    opened = PrivateSession(
        token=TOKEN,
        account="main",
        names=known_names(),
        pulse=Pulse(VenueTime()),
        counts=Told(),
        used=lambda: None,
    )
    opened.opened(100.0, 100)
    opened.due(100.0, 100)
    return opened
