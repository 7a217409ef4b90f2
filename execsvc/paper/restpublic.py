"""The public half of the REST face: what anyone may ask, in Kraken's shapes and with Kraken's decimals.

Answers are keyed by the pair's id whatever name was asked for, except that a name with a slash comes back as it was
asked. Ticker, Depth, Trades and Spread print prices with five decimals (or the pair's own, if more), OHLC with the
pair's own. There are no tokenized assets and only one venue, so filters for others find nothing.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from .figures import NS, fixed, rescale, seconds, stamp_seconds
from .listing import Listing
from .matching import Half
from .orders import price_decimals
from .pairs import Pair
from .past import Candle
from .tape import INTERVALS_MIN, TRADES_MAX, Print
from .venue import Call, Venue
from .words import UNKNOWN_ASSET, UNKNOWN_PAIR, Refused, bad_argument

_DEPTH_MAX = 500
_DEPTH_DEFAULT = 100
_THOUSANDTH = 3
_SECONDS_MAX = 100_000_000_000
_GROUPINGS = ("1", "5", "10", "25", "50", "100", "250", "500", "1000")
_GROUP_DEPTHS = ("10", "25", "100", "250", "1000")
_CLASSES = ("currency", "tokenized_asset")
_VENUES = ("international", "bitnomial_exchange")
_COUNTRY_LETTERS = 2
_INFO = {
    "leverage": ("leverage_buy", "leverage_sell"),
    "fees": ("fees", "fees_maker", "fee_volume_currency"),
    "margin": ("margin_call", "margin_stop"),
}


def server_time(_venue: Venue, call: Call) -> Any:
    """Time."""
    moment = datetime.fromtimestamp(call.now // NS, UTC)
    return {"unixtime": call.now // NS, "rfc1123": moment.strftime("%a, %d %b %y %H:%M:%S +0000")}


def system_status(venue: Venue, call: Call) -> Any:
    """SystemStatus."""
    return {"status": venue.engine.system, "timestamp": stamp_seconds(call.now)}


def assets(venue: Venue, call: Call) -> Any:
    """Assets: those named, or all of the class asked for."""
    names = [name for name in call.params.words("asset") if name != "all"]
    if call.params.choice("aclass", _CLASSES, "currency") != "currency":
        return {}
    if not names:
        return {asset.id: asset.raw for asset in venue.directory.assets.values()}
    found = [venue.directory.asset(name) for name in names]
    if None in found:
        raise Refused(UNKNOWN_ASSET)
    return {asset.id: asset.raw for asset in found if asset is not None}


def asset_pairs(venue: Venue, call: Call) -> Any:
    """AssetPairs: whole entries, or the part `info` names; of the base class and the venues asked for."""
    params = call.params
    info = params.choice("info", ("info", *_INFO), "info")
    asked = _asked(venue, call, every=True)
    if params.choice("aclass_base", _CLASSES, "currency") != "currency" or not _venues(call):
        asked = []
    country = params.text("country_code")
    if country and not (country.isalpha() and len(country) == _COUNTRY_LETTERS):
        raise bad_argument("country_code")
    rows = {}
    for name, listing in asked:
        entry = dict(listing.pair.raw) | {"status": listing.status}
        rows[name] = entry if info == "info" else {part: entry[part] for part in _INFO[info]}
    return rows


def ticker(venue: Venue, call: Call) -> Any:
    """Ticker of the pairs asked for, or of all."""
    return {name: _ticker_row(listing, call.now) for name, listing in _asked(venue, call, every=True)}


def depth(venue: Venue, call: Call) -> Any:
    """Depth."""
    name, listing = _one(venue, call)
    count = call.params.integer("count", _DEPTH_DEFAULT, low=1, high=_DEPTH_MAX)
    sides = {}
    for title, half in (("asks", listing.book.asks), ("bids", listing.book.bids)):
        levels = [level for level, _ in zip(half.walk(), range(count), strict=False)]
        sides[title] = [
            [_price(listing.pair, level.price), _short(listing.pair, level.qty), level.changed // NS]
            for level in levels
        ]
    return {name: sides}


def grouped_book(venue: Venue, call: Call) -> Any:
    """GroupedBook: the levels put together by so many ticks, each to the next price that is worse for the taker."""
    name, listing = _one(venue, call)
    grouping = int(call.params.choice("grouping", _GROUPINGS, _GROUPINGS[0]))
    count = int(call.params.choice("depth", _GROUP_DEPTHS, _GROUP_DEPTHS[0]))
    return {
        "pair": name,
        "grouping": grouping,
        "bids": _groups(listing, listing.book.bids, grouping=grouping, count=count),
        "asks": _groups(listing, listing.book.asks, grouping=grouping, count=count),
    }


def ohlc(venue: Venue, call: Call) -> Any:
    """OHLC: up to 720 committed candles and the open one; `last` is the newest committed one's time."""
    name, listing = _one(venue, call)
    interval = call.params.integer("interval", 1, low=1, high=INTERVALS_MIN[-1])
    if interval not in INTERVALS_MIN:
        raise bad_argument("interval")
    since = call.params.number("since") or 0
    candles = listing.tape.candles(interval, call.now)
    rows = [_candle(listing.pair, candle) for candle in candles if candle.start > since]
    return {name: rows, "last": candles[-2].start}


def trades(venue: Venue, call: Call) -> Any:
    """Trades after `since` (seconds, or ns as this call's own `last`), oldest first."""
    name, listing = _one(venue, call)
    count = call.params.integer("count", TRADES_MAX, low=1, high=TRADES_MAX)
    since = call.params.number("since")
    after = 0 if since is None else int(since if since > _SECONDS_MAX else since * NS)
    rows = [row for row in listing.tape.prints if row.at > after]
    rows = rows[-count:] if since is None else rows[:count]
    last = rows[-1].at if rows else max(after, venue.start)
    return {name: [_print(listing.pair, row) for row in rows], "last": str(last)}


def spread(venue: Venue, call: Call) -> Any:
    """Spread: the last changes of the best prices, from second `since` on."""
    name, listing = _one(venue, call)
    since = call.params.number("since") or 0
    rows = [
        [row.at // NS, _price(listing.pair, row.bid or 0), _price(listing.pair, row.ask or 0)]
        for row in listing.tape.spreads
        if row.at // NS >= since
    ]
    return {name: rows, "last": call.now // NS}


PUBLIC: Mapping[str, Callable[[Venue, Call], Any]] = {
    "Time": server_time,
    "SystemStatus": system_status,
    "Assets": assets,
    "AssetPairs": asset_pairs,
    "Ticker": ticker,
    "Depth": depth,
    "GroupedBook": grouped_book,
    "OHLC": ohlc,
    "Trades": trades,
    "Spread": spread,
}


def _asked(venue: Venue, call: Call, *, every: bool) -> list[tuple[str, Listing]]:
    names = call.params.words("pair")
    tokenized = call.params.choice("asset_class", ("", "forex", *_CLASSES), "") == "tokenized_asset"
    if names and tokenized:
        raise Refused(UNKNOWN_PAIR)
    if not names:
        if not every:
            raise bad_argument("pair")
        return [] if tokenized else list(venue.listings.items())
    found = ((name, venue.listing(name)) for name in names)
    return [(name if "/" in name else listing.pair.id, listing) for name, listing in found]


def _one(venue: Venue, call: Call) -> tuple[str, Listing]:
    asked = _asked(venue, call, every=False)
    if len(asked) != 1:
        raise bad_argument("pair")
    return asked[0]


def _venues(call: Call) -> bool:
    """Tell whether the venues asked for include the one there is."""
    asked = call.params.words("execution_venue")
    if not set(asked) <= set(_VENUES):
        raise bad_argument("execution_venue")
    return not asked or _VENUES[0] in asked


def _groups(listing: Listing, half: Half, *, grouping: int, count: int) -> list[dict[str, str]]:
    pair, step = listing.pair, grouping * listing.pair.tick
    sums: dict[int, int] = {}
    for level in half.walk():
        price = -(-level.price // step) * step if half.sign > 0 else level.price // step * step
        if price not in sums and len(sums) == count:
            break
        sums[price] = sums.get(price, 0) + level.qty
    return [{"price": _price(pair, price), "qty": fixed(lots, pair.lot_decimals)} for price, lots in sums.items()]


def _price(pair: Pair, price: int) -> str:
    decimals = price_decimals(pair)
    return fixed(rescale(price, pair.pair_decimals, decimals), decimals)


def _short(pair: Pair, lots: int) -> str:
    """Print a book volume with three decimals, as Kraken does, unless nothing would be left of it."""
    short = rescale(lots, pair.lot_decimals, _THOUSANDTH)
    return fixed(short, _THOUSANDTH) if short else fixed(lots, pair.lot_decimals)


def _ticker_row(listing: Listing, now: int) -> dict[str, Any]:
    pair, tape = listing.pair, listing.tape
    today, day = tape.today(now), tape.day(now)
    last = tape.prints[-1] if tape.prints else None

    def best(rows: list[tuple[int, int]]) -> list[str]:
        price, lots = rows[0] if rows else (0, 0)
        return [_price(pair, price), str(max(1, lots // 10**pair.lot_decimals)), _short(pair, lots)]

    return {
        "a": best(listing.book.asks.top(1)),
        "b": best(listing.book.bids.top(1)),
        "c": [_price(pair, tape.last), fixed(last.lots if last else 0, pair.lot_decimals)],
        "v": [fixed(today.lots, pair.lot_decimals), fixed(day.lots, pair.lot_decimals)],
        "p": [_price(pair, today.vwap), _price(pair, day.vwap)],
        "t": [today.count, day.count],
        "l": [_price(pair, today.low), _price(pair, day.low)],
        "h": [_price(pair, today.high), _price(pair, day.high)],
        "o": _price(pair, today.open),
    }


def _candle(pair: Pair, candle: Candle) -> list[Any]:
    prices = [fixed(price, pair.pair_decimals) for price in (candle.open, candle.high, candle.low, candle.close)]
    vwap = fixed(candle.vwap, pair.pair_decimals) if candle.lots else "0.0"
    return [candle.start, *prices, vwap, fixed(candle.lots, pair.lot_decimals), candle.count]


def _print(pair: Pair, row: Print) -> list[Any]:
    lots = fixed(row.lots, pair.lot_decimals)
    return [_price(pair, row.price), lots, seconds(row.at), row.side[0], row.kind[0], "", row.id]
