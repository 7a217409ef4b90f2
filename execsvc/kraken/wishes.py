"""Topics in Kraken's words: the key a topic is subscribed by, and the text of a request.

Which requests are made, and when, is subscriptions.py's business; what comes back is feed.py's.
"""

from typing import assert_never

import msgspec

from execsvc.domain.market import BookTopic, CandleTopic, TickerTopic, Topic, TradeTopic
from execsvc.kraken.subscriptions import Key, Request

MINUTE_S = 60


def key_of(topic: Topic) -> Key:
    """What the topic is subscribed as; a symbol's books share one key, whatever their depth."""
    match topic:
        case TickerTopic(symbol):
            return Key("ticker", symbol)
        case BookTopic(symbol, _):
            return Key("book", symbol)
        case TradeTopic(symbol):
            return Key("trade", symbol)
        case CandleTopic(symbol, interval_s):
            return Key("ohlc", symbol, interval_s // MINUTE_S)
        case _:
            assert_never(topic)


def depth_of(topic: Topic) -> int:
    """Levels a side; 0 for what has none."""
    return topic.depth if isinstance(topic, BookTopic) else 0


def text_of(request: Request) -> str:
    """The message to send."""
    params: dict[str, object] = {"channel": request.channel, "symbol": list(request.symbols)}
    if request.channel == "book":
        params["depth"] = request.depth
    elif request.channel == "ohlc":
        params["interval"] = request.interval
    elif request.channel == "ticker" and request.method == "subscribe":
        params["event_trigger"] = "bbo"
    if request.method == "subscribe":
        params["snapshot"] = True
    message = {"method": request.method, "params": params, "req_id": request.req_id}
    return msgspec.json.encode(message).decode()
