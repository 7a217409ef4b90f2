"""The WebSocket v2 face: what a client may ask on a line, and how it is answered.

One endpoint per role, as Kraken has one host per role: a public line carries market data, a private line the account's
executions, balances and trading methods (wstrade.py). Every symbol is acknowledged on its own, then sends its snapshot.
A line beats once a second when it has said nothing else since its first subscription.
"""

from decimal import Decimal
from typing import Any

import msgspec

from . import level3
from .audience import INSTRUMENT, Audience
from .auth import Key
from .balances import Balances
from .executions import Executions
from .figures import stamp
from .limits import TIERS
from .line import Line, LineKind, Topic
from .tape import INTERVALS_MIN
from .venue import Venue
from .words import Refused
from .wstrade import METHODS, Answer, failure
from .wstraffic import WsTraffic

DEPTHS = (10, 25, 100, 500, 1000)
_PRIVATE = ("executions", "balances")
_CHANNELS = ("ticker", "book", "trade", "ohlc", "instrument", "level3")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_TRY_LATER = 1013
_HEARTBEAT = '{"channel":"heartbeat"}'
_WRONG_HOST = {
    "public": "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com",
    "private": "Public market data subscriptions are unavailable on this endpoint. Try ws.kraken.com",
}


class Wrong(Exception):
    """A request that cannot be met; the text is what the client is told."""


class WsFace:
    """The requests of all lines of one exchange; `audience` is who follows what."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._traffic = WsTraffic(venue, self._tell)
        self.audience = Audience(venue)

    def open(self, kind: LineKind, now: int) -> Line:
        """Take a new connection; its first frame is the status."""
        line = Line(kind, self._venue.mint.connection(), now)
        self.audience.lines[line.id] = line
        if self._venue.faults.strikes("refuse_ws", now, line=kind):
            line.close(_TRY_LATER)
            return line
        self.audience.tell(line, self.audience.status(line), now, channel="status")
        self._venue.timers.at(line.next_beat(now), lambda due: self._beat(line, due))
        return line

    def close(self, line: Line) -> None:
        """Forget a connection, whoever hung up."""
        line.close()
        self.audience.remove(line)

    def hear(self, line: Line, text: str, now: int) -> None:
        """Answer one frame of a client."""
        if line.closed is not None:
            return
        line.last_heard = now
        try:
            request = _DECODER.decode(text)
            method, params = request["method"], request.get("params") or {}
            number = request.get("req_id")
            req_id = number if isinstance(number, int) and not isinstance(number, bool) else None
            params = params if isinstance(params, dict) else {}
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError, RecursionError):
            self._answer(line, now, None, {"error": "Malformed request", "method": "", "success": False})
            return
        if method == "ping":
            self._answer(line, now, req_id, {"method": "pong"})
        elif method == "subscribe":
            self._subscribe(line, params, req_id, now)
        elif method == "unsubscribe":
            self._unsubscribe(line, params, req_id, now)
        elif isinstance(method, str) and method in METHODS:
            if line.kind == "private":
                self._traffic.take(line, method, params, req_id, now)
            else:
                self._answer(line, now, req_id, failure(method, _WRONG_HOST["public"]))
        else:
            error = f"Unsupported method: {method}"
            self._answer(line, now, req_id, {"error": error, "method": str(method), "success": False})

    def _subscribe(self, line: Line, params: dict[str, Any], req_id: int | None, now: int) -> None:
        try:
            channel = self._channel(line, params)
            if channel == "executions":
                self._follow_executions(line, params, req_id, now)
                return
            if channel == "balances":
                self._follow_balances(line, params, req_id, now)
                return
            if channel == "level3":
                self._redeem(line, channel, params, now)
            topics = self._topics(channel, params)
        except (Wrong, Refused) as wrong:
            self._answer(line, now, req_id, {"error": str(wrong), "method": "subscribe", "success": False})
            return
        snapshot = params.get("snapshot", channel != "trade") is not False
        followed = [topic for topic in topics if self._acknowledge(line, topic, req_id, now, snapshot=snapshot)]
        for topic in followed if snapshot else ():
            frame = self.audience.snapshot(topic, now)
            self.audience.tell(line, frame, now, channel=topic.channel, symbol=topic.symbol)

    def _channel(self, line: Line, params: dict[str, Any]) -> str:
        channel = params.get("channel")
        if channel not in _PRIVATE and channel not in _CHANNELS:
            raise Wrong("Subscription name invalid")
        if (channel in (*_PRIVATE, "level3")) != (line.kind == "private"):
            raise Wrong(_WRONG_HOST[line.kind])
        return str(channel)

    def _topics(self, channel: str, params: dict[str, Any]) -> list[Topic]:
        if channel == "instrument":
            if params.get("execution_venue", "international") != "international":
                raise Wrong("Execution venue not supported")
            return [INSTRUMENT]
        detail = _detail(channel, params)
        symbols = params.get("symbol")
        if not isinstance(symbols, list) or not symbols:
            raise Wrong("Symbol(s) not provided")
        return [Topic(channel, str(symbol), detail) for symbol in symbols]

    def _acknowledge(self, line: Line, topic: Topic, req_id: int | None, now: int, *, snapshot: bool) -> bool:
        """Follow one topic and say so; returns False, and says that, when it cannot be followed."""
        error = ""
        if topic is not INSTRUMENT and topic.symbol not in self._venue.directory.symbols:
            error = f"Currency pair not supported {topic.symbol}"
        elif topic.slot in line.topics:
            error = "Already subscribed"
        if error:
            self._fail(line, topic.symbol, error, req_id, now)
            return False
        self.audience.follow(line, topic, now)
        result = {"channel": topic.channel, **_echo(topic), "snapshot": snapshot}
        if topic is INSTRUMENT:
            result["warnings"] = ["tick_size is deprecated, use price_increment"]
        self._answer(line, now, req_id, {"method": "subscribe", "result": result, "success": True})
        return True

    def _follow_executions(self, line: Line, params: dict[str, Any], req_id: int | None, now: int) -> None:
        key = self._redeem(line, "executions", params, now)
        key.may("query-open-trades", "query-closed-trades")
        venue = self._venue.of(key)
        if line.executions is not None:
            raise Wrong("Already subscribed")
        snap_orders = params.get("snap_orders", True) is not False
        snap_trades = params.get("snap_trades", False) is True
        line.executions = Executions(
            key.account,
            snap_orders,
            snap_trades,
            order_status=params.get("order_status", True) is not False,
            counted=params.get("ratecounter", False) is True,
        )
        line.beating = True
        result = {
            "channel": "executions",
            "maxratecount": TIERS[venue.account.tier].engine_max,
            "snap_orders": snap_orders,
            "snap_trades": snap_trades,
        }
        self._answer(line, now, req_id, {"method": "subscribe", "result": result, "success": True})
        if snap_orders or snap_trades:
            frame = line.executions.snapshot(venue, now).decode()
            self.audience.tell(line, frame, now, channel="executions")

    def _follow_balances(self, line: Line, params: dict[str, Any], req_id: int | None, now: int) -> None:
        key = self._redeem(line, "balances", params, now)
        if line.balances is not None:
            raise Wrong("Already subscribed")
        snapshot = params.get("snapshot", True) is not False
        line.balances = Balances(key.account)
        line.beating = True
        result = {"channel": "balances", "snapshot": snapshot}
        self._answer(line, now, req_id, {"method": "subscribe", "result": result, "success": True})
        if snapshot:
            frame = line.balances.snapshot(self._venue.of(key).ledger).decode()
            self.audience.tell(line, frame, now, channel="balances")

    def _redeem(self, line: Line, channel: str, params: dict[str, Any], now: int) -> Key:
        """Return the key of the request's token; raises Refused. One token serves both private channels."""
        keys = self._venue.keys
        if self._venue.faults.strikes("token_expired", now, line=line.kind, channel=channel):
            keys.revoke(params.get("token"))
        return keys.redeem(params.get("token"), self._venue.dial.reads(now))

    def _unsubscribe(self, line: Line, params: dict[str, Any], req_id: int | None, now: int) -> None:
        try:
            channel = self._channel(line, params)
            topics = [] if channel in _PRIVATE else self._topics(channel, params)
        except Wrong as wrong:
            self._answer(line, now, req_id, {"error": str(wrong), "method": "unsubscribe", "success": False})
            return
        if channel in _PRIVATE:
            if (line.executions if channel == "executions" else line.balances) is None:
                self._fail(line, "", "Subscription Not Found", req_id, now)
                return
            if channel == "executions":
                line.executions = None
            else:
                line.balances = None
            done = {"method": "unsubscribe", "result": {"channel": channel}, "success": True}
            self._answer(line, now, req_id, done)
        for asked in topics:
            topic = self.audience.leave(line, asked.slot)
            if topic is None:
                self._fail(line, asked.symbol, "Subscription Not Found", req_id, now)
                continue
            result = {"channel": topic.channel, **_echo(topic)}
            self._answer(line, now, req_id, {"method": "unsubscribe", "result": result, "success": True})

    def _fail(self, line: Line, symbol: str, error: str, req_id: int | None, now: int) -> None:
        """Refuse one symbol. Kraken names the method subscribe even when an unsubscribe failed."""
        refused = {"error": error, "method": "subscribe", "success": False}
        self._answer(line, now, req_id, refused | ({"symbol": symbol} if symbol else {}))

    def _answer(self, line: Line, now: int, req_id: int | None, answer: dict[str, Any]) -> None:
        self._tell(line, answer, req_id, line.last_heard, now)

    def _tell(self, line: Line, answer: Answer, req_id: int | None, heard: int, now: int) -> None:
        dial = self._venue.dial
        times = {"time_in": stamp(dial.reads(heard)), "time_out": stamp(dial.reads(now))}
        echo = {} if req_id is None else {"req_id": req_id}
        self.audience.tell(line, msgspec.json.encode(answer | echo | times).decode(), now)

    def _beat(self, line: Line, now: int) -> None:
        if line.idle(now):
            line.close()
        if line.closed is not None:
            return
        if line.beat_due(now):
            self.audience.tell(line, _HEARTBEAT, now, channel="heartbeat")
        self._venue.timers.at(line.next_beat(now), lambda due: self._beat(line, due))


def _echo(topic: Topic) -> dict[str, Any]:
    names = {"book": "depth", "level3": "depth", "ticker": "event_trigger", "ohlc": "interval"}
    detail = {names[topic.channel]: topic.detail} if topic.channel in names else {}
    return detail | ({"symbol": topic.symbol} if topic.symbol else {})


def _detail(channel: str, params: dict[str, Any]) -> int | str:
    match channel:
        case "book" | "level3":
            allowed = DEPTHS if channel == "book" else level3.DEPTHS
            depth = params.get("depth", allowed[0])
            if depth not in allowed:
                raise Wrong("Subscription depth not supported")
            return int(depth)
        case "ticker":
            trigger = params.get("event_trigger", "trades")
            if trigger not in ("trades", "bbo"):
                raise Wrong("Event trigger not supported")
            return str(trigger)
        case "ohlc":
            interval = params.get("interval", 1)
            if interval not in INTERVALS_MIN:
                raise Wrong("Subscription ohlc interval not supported")
            return int(interval)
        case _:
            return ""
