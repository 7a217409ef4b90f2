"""Public trades in pages, each trade once, though many of them share one moment.

Kraken pages by time alone: `since` is exclusive, and a sweep through the book is a dozen trades of one moment. A page that
ended among them would lose the rest. So the next page begins at that moment again, and what was given already is left out by
its number, which only rises.
"""

from dataclasses import dataclass

from execsvc.app.market import MarketData
from execsvc.domain.market import Trade

TRADES_MAX = 1000  # Kraken's own bound of one answer (kraken.md 2.2)


@dataclass(frozen=True)
class TapeMark:
    """Where a page ended: a cursor of Kraken's, the last trade's number, and how many from the cursor on were given."""

    cursor_ns: int
    last_id: int
    given: int


@dataclass(frozen=True)
class TapePage:
    """Oldest first; next: None when these are the latest for now. It may be short, even empty, with more to come."""

    trades: tuple[Trade, ...]
    next: TapeMark | None


async def trade_page(
    market: MarketData, spelling: str, start_ns: int | None, mark: TapeMark | None, size: int, by: float
) -> TapePage:
    """From `start_ns` on, inclusive, or after the mark; without either the latest, after which there is no page for now."""
    if mark is None:
        since_ns, count, last_id = None if start_ns is None else start_ns - 1, size, -1
    elif mark.given < TRADES_MAX:
        since_ns, count, last_id = mark.cursor_ns - 1, min(size + mark.given, TRADES_MAX), mark.last_id
    else:  # a moment that fills an answer by itself: the way on is behind it
        since_ns, count, last_id = mark.cursor_ns, size, mark.last_id
    found = await market.trades(spelling, since_ns, count, by)
    fresh = tuple(each for each in found.trades if int(each.trade_id) > last_id)
    page = fresh[:size]
    if since_ns is None or (len(found.trades) < count and len(page) == len(fresh)):
        return TapePage(page, None)
    if len(page) < len(fresh):  # fewer were given at that moment than the times told, which Kraken rounds
        return TapePage(page, TapeMark(since_ns + 1, int(page[-1].trade_id), found.trades.index(page[-1]) + 1))
    last = found.trades[-1]
    given = sum(1 for each in found.trades if each.times.venue_ns == last.times.venue_ns)
    return TapePage(page, TapeMark(found.cursor_ns, max(last_id, int(last.trade_id)), given))
