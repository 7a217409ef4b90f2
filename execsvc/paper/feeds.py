"""Public feeds: one market's news turned into WebSocket frames, once for all who asked for the same.

Book updates are the difference between what was last sent and what is now, to the depth subscribed: levels that fall
out of sight are not announced, levels that come into sight are, exactly as Kraken does, and every update carries the
checksum of the book a faithful reader now has. Numbers are printed with all their places.
"""

from dataclasses import dataclass, field

from .checksum import checksum
from .figures import NS, fixed, stamp
from .listing import Listing
from .matching import Half
from .past import Candle
from .tape import Print

Rows = list[tuple[int, int]]


@dataclass(slots=True)
class BookFeed:
    """One market's book to one depth, as its subscribers know it."""

    listing: Listing
    depth: int
    bids: Rows = field(default_factory=list)
    asks: Rows = field(default_factory=list)

    def snapshot(self, now: int) -> str:
        """Return the book as it was last sent."""
        return self._frame("snapshot", self.bids, self.asks, now, spoil=False)

    def refresh(self) -> tuple[Rows, Rows]:
        """Catch up with the market; returns the changed levels of both sides, quantity 0 for those gone."""
        book = self.listing.book
        bids, asks = book.bids.top(self.depth), book.asks.top(self.depth)
        changes = _changes(self.bids, bids, book.bids), _changes(self.asks, asks, book.asks)
        self.bids, self.asks = bids, asks
        return changes

    def update(self, bids: Rows, asks: Rows, now: int, *, spoil: bool) -> str:
        """Return the frame that announces these changes; `spoil` makes its checksum wrong."""
        return self._frame("update", bids, asks, now, spoil=spoil)

    def _frame(self, kind: str, bids: Rows, asks: Rows, now: int, *, spoil: bool) -> str:
        pair = self.listing.pair
        check = checksum(self.asks, self.bids) ^ (1 if spoil else 0)
        return (
            f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{pair.symbol}","bids":[{self._rows(bids)}],'
            f'"asks":[{self._rows(asks)}],"checksum":{check},"timestamp":"{stamp(now)}"}}]}}'
        )

    def _rows(self, rows: Rows) -> str:
        prices, lots = self.listing.pair.pair_decimals, self.listing.pair.lot_decimals
        return ",".join(f'{{"price":{fixed(price, prices)},"qty":{fixed(qty, lots)}}}' for price, qty in rows)


def _changes(old: Rows, new: Rows, half: Half) -> Rows:
    before = dict(old)
    rows = [(price, 0) for price, _ in old if price not in half.levels]
    rows += [(price, qty) for price, qty in new if before.get(price) != qty]
    return rows


def ticker_frame(listing: Listing, now: int, *, kind: str) -> str:
    """Return a ticker frame: best prices and the last 24 hours."""
    pair, tape = listing.pair, listing.tape
    day = tape.day(now)
    bid, bid_qty = next(iter(listing.book.bids.top(1)), (0, 0))
    ask, ask_qty = next(iter(listing.book.asks.top(1)), (0, 0))
    change = tape.last - day.open
    percent = round(change * 10_000 / day.open)

    def price(value: int) -> str:
        return fixed(value, pair.pair_decimals)

    def qty(value: int) -> str:
        return fixed(value, pair.lot_decimals)

    return (
        f'{{"channel":"ticker","type":"{kind}","data":[{{"symbol":"{pair.symbol}","bid":{price(bid)},'
        f'"bid_qty":{qty(bid_qty)},"ask":{price(ask)},"ask_qty":{qty(ask_qty)},"last":{price(tape.last)},'
        f'"volume":{qty(day.lots)},"vwap":{price(day.vwap)},"low":{price(day.low)},"high":{price(day.high)},'
        f'"change":{price(change)},"change_pct":{fixed(percent, 2)},"timestamp":"{stamp(now)}"}}]}}'
    )


def trade_frame(listing: Listing, prints: list[Print], *, kind: str) -> str:
    """Return a frame of trades, oldest first."""
    pair = listing.pair
    rows = ",".join(
        f'{{"symbol":"{pair.symbol}","side":"{row.side}","price":{fixed(row.price, pair.pair_decimals)},'
        f'"qty":{fixed(row.lots, pair.lot_decimals)},"ord_type":"{row.kind}","trade_id":{row.id},'
        f'"timestamp":"{stamp(row.at)}"}}'
        for row in prints
    )
    return f'{{"channel":"trade","type":"{kind}","data":[{rows}]}}'


def ohlc_frame(listing: Listing, interval: int, candles: list[Candle], now: int, *, kind: str) -> str:
    """Return a frame of candles, oldest first."""
    rows = ",".join(_candle(listing, interval, candle) for candle in candles)
    return f'{{"channel":"ohlc","type":"{kind}","timestamp":"{stamp(now)}","data":[{rows}]}}'


def _candle(listing: Listing, interval: int, candle: Candle) -> str:
    pair = listing.pair
    begin, end = (stamp(second * NS) for second in (candle.start, candle.start + interval * 60))
    prices = zip(("open", "high", "low", "close"), (candle.open, candle.high, candle.low, candle.close), strict=True)
    figures = ",".join(f'"{name}":{fixed(value, pair.pair_decimals)}' for name, value in prices)
    return (
        f'{{"symbol":"{pair.symbol}",{figures},"trades":{candle.count},'
        f'"volume":{fixed(candle.lots, pair.lot_decimals)},"vwap":{fixed(candle.vwap, pair.pair_decimals)},'
        f'"interval_begin":"{begin}","interval":{interval},"timestamp":"{end}"}}'
    )
