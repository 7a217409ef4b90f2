"""Who follows what: every line's subscriptions, and the news that goes out to them.

A frame is built once for all lines that asked for the same. What was not asked for is not built.
"""

import msgspec

from .chance import stream
from .feeds import BookFeed, ohlc_frame, ticker_frame, trade_frame
from .instruments import instrument_frame
from .level3 import DeepFeed, Names
from .line import Line, Topic
from .listing import Listing
from .tape import Print
from .venue import Venue

INSTRUMENT = Topic("instrument", "")
_SNAP_TRADES = 50
_VERSION = "2.0.10"
_UNKNOWN = '{"channel":"weather","type":"update","data":[{"symbol":"BTC/USD","outlook":"changeable"}],"sequence":1}'


class Audience:
    """All lines of one exchange."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self.lines: dict[int, Line] = {}
        self._followers: dict[Topic, dict[int, Line]] = {}
        self._by_symbol: dict[str, list[Topic]] = {}
        self._books: dict[Topic, BookFeed] = {}
        self._deep: dict[Topic, DeepFeed] = {}
        self._names: dict[str, Names] = {}

    def follow(self, line: Line, topic: Topic, now: int) -> None:
        """Let a line follow a topic."""
        line.topics[topic.slot] = topic
        line.beating = True
        if topic not in self._followers:
            self._followers[topic] = {}
            self._by_symbol.setdefault(topic.symbol, []).append(topic)
            if topic.channel == "book":
                self._books[topic] = BookFeed(self._listing(topic), int(topic.detail))
                self._books[topic].refresh()
            if topic.channel == "level3":
                self._deep[topic] = self._deep_feed(topic, self._venue.dial.reads(now))
        self._followers[topic][line.id] = line

    def leave(self, line: Line, slot: tuple[str, str, int | str]) -> Topic | None:
        """Let a line follow a topic no longer; returns the topic, or None when it did not follow one."""
        topic = line.topics.pop(slot, None)
        if topic is None:
            return None
        followers = self._followers[topic]
        del followers[line.id]
        if not followers:
            del self._followers[topic]
            self._by_symbol[topic.symbol].remove(topic)
            self._books.pop(topic, None)
            self._deep.pop(topic, None)
        return topic

    def remove(self, line: Line) -> None:
        """Forget a line and all it followed."""
        for slot in list(line.topics):
            self.leave(line, slot)
        line.executions = line.balances = None
        self.lines.pop(line.id, None)

    def snapshot(self, topic: Topic, now: int) -> str:
        """Return a topic's first frame."""
        if topic.channel == "instrument":
            return instrument_frame(self._venue.directory, self._venue.listings.values(), kind="snapshot").decode()
        listing, at = self._listing(topic), self._venue.dial.reads(now)
        match topic.channel:
            case "book":
                return self._books[topic].snapshot(at)
            case "level3":
                return self._deep[topic].snapshot(at)
            case "ticker":
                return ticker_frame(listing, at, kind="snapshot")
            case "trade":
                return trade_frame(listing, list(listing.tape.prints)[-_SNAP_TRADES:], kind="snapshot")
            case _:
                interval = int(topic.detail)
                candles = listing.tape.candles(interval, at)
                return ohlc_frame(listing, interval, candles, at, kind="snapshot")

    def publish(self, listing: Listing, now: int) -> None:
        """Send one market's news to its followers."""
        prints, moved = listing.news()
        for topic in self._by_symbol.get(listing.pair.symbol, ()):
            if self._venue.faults.frozen(topic.symbol, topic.channel, now):
                continue
            frame = self._news(topic, listing, prints, moved=moved, now=now)
            if frame is not None:
                self._tell_all(topic, frame, now)

    def publish_executions(self, now: int) -> None:
        """Send each account's order events to every private line of it that asked."""
        for name, venue in self._venue.accounts.items():
            events, venue.books.events = venue.books.events, []
            lines = [line for line in self.lines.values() if line.executions and line.executions.account == name]
            for happened in events if lines else ():
                about = {"channel": "executions", "symbol": happened.order.terms.pair.symbol}
                skip = self._venue.faults.strikes("skip_sequence", now, line="private", **about)
                for line in lines:
                    frame = line.executions.update(happened, skip=skip) if line.executions else None
                    if frame is not None:
                        self.tell(line, frame.decode(), now, **about)

    def publish_balances(self, now: int) -> None:
        """Send each account's ledger entries, one message each, to every private line of it that asked."""
        for name, venue in self._venue.accounts.items():
            entries, venue.ledger.news = venue.ledger.news, []
            lines = [line for line in self.lines.values() if line.balances and line.balances.account == name]
            for entry in entries if lines else ():
                skip = self._venue.faults.strikes("skip_sequence", now, line="private", channel="balances")
                for line in lines:
                    if line.balances is not None:
                        self.tell(line, line.balances.update(entry, skip=skip).decode(), now, channel="balances")

    def publish_status(self, now: int) -> None:
        """Tell every line the system status."""
        for line in self.lines.values():
            self.tell(line, self.status(line), now, channel="status")

    def publish_instrument(self, listing: Listing, now: int) -> None:
        """Tell the followers of the instrument channel that a pair changed."""
        frame = instrument_frame(self._venue.directory, [listing], kind="update").decode()
        self._tell_all(INSTRUMENT, frame, now)

    def _news(self, topic: Topic, listing: Listing, prints: list[Print], *, moved: bool, now: int) -> str | None:
        at = self._venue.dial.reads(now)
        match topic.channel:
            case "book":
                return self._book_news(topic, now)
            case "level3":
                bids, asks = self._deep[topic].refresh(at)
                return self._deep[topic].update(bids, asks, at) if bids or asks else None
            case "ticker" if prints if topic.detail == "trades" else moved:
                return ticker_frame(listing, at, kind="update")
            case "trade" if prints:
                return trade_frame(listing, prints, kind="update")
            case "ohlc" if prints:
                interval = int(topic.detail)
                return ohlc_frame(listing, interval, [listing.tape.current(interval, at)], at, kind="update")
            case _:
                return None

    def _book_news(self, topic: Topic, now: int) -> str | None:
        feed, faults = self._books[topic], self._venue.faults
        about = {"line": "public", "channel": "book", "symbol": topic.symbol}
        bids, asks = feed.refresh()
        if not (bids or asks) or faults.strikes("update_lost", now, **about):
            return None
        return feed.update(
            bids, asks, self._venue.dial.reads(now), spoil=faults.strikes("checksum_wrong", now, **about)
        )

    def _deep_feed(self, topic: Topic, now: int) -> DeepFeed:
        """Make a feed of one market's orders; whatever its depth, an order has one name."""
        names = self._names.get(topic.symbol)
        if names is None:
            names = self._names[topic.symbol] = Names(stream(self._venue.options.seed, "level3", topic.symbol))
        feed = DeepFeed(self._listing(topic), int(topic.detail), names)
        feed.refresh(now)
        return feed

    def status(self, line: Line) -> str:
        """Return the status frame of a line."""
        data = {
            "version": _VERSION,
            "system": self._venue.engine.system,
            "api_version": "v2",
            "connection_id": line.id,
        }
        return msgspec.json.encode({"channel": "status", "type": "update", "data": [data]}).decode()

    def tell(self, line: Line, text: str, now: int, *, channel: str = "", symbol: str = "") -> None:
        """Say something on a line; `channel` and `symbol` say what it is about, answers have none.

        A mishap may keep the line silent, put a stranger's message in front, or break the message off.
        """
        faults = self._venue.faults
        if faults.calm:
            line.say(text, now)
            return
        if line.closed is not None or faults.silent(line.kind, now):
            return
        if faults.strikes("unknown_channel", now, line=line.kind, channel=channel, symbol=symbol):
            line.say(_UNKNOWN, now)
        if faults.strikes("cut_frame", now, line=line.kind, channel=channel, symbol=symbol):
            line.tear(text)
        else:
            line.say(text, now)

    def _tell_all(self, topic: Topic, text: str, now: int) -> None:
        for line in self._followers.get(topic, {}).values():
            self.tell(line, text, now, channel=topic.channel, symbol=topic.symbol)

    def _listing(self, topic: Topic) -> Listing:
        return self._venue.listings[self._venue.directory.symbols[topic.symbol].id]
