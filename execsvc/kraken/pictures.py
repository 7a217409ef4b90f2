"""Public market data → domain values: tickers, books over REST, candles, trades.

REST and stream are decoded here alike. A price of zero means that side of the book is empty. REST's ticker has no change over
24 h (its `o` is today's open), so that stays unknown; the stream's has.
"""

from collections.abc import Mapping
from decimal import Decimal

from msgspec import Raw

from execsvc.domain.instrument import Instrument
from execsvc.domain.market import BookView, Candle, EventTimes, Level, Side, Ticker, Trade, TradePage, VenueMode
from execsvc.kraken import frames, wire
from execsvc.kraken.figures import count, figure, positive, stamp_ns, unix_ns

_SIDES: Mapping[str, Side] = {"b": Side.BUY, "s": Side.SELL}
_STREAM_SIDES: Mapping[str, Side] = {"buy": Side.BUY, "sell": Side.SELL}
_24H = 1  # of [today, 24 h]
_VOLUME = 2  # of [price, whole lot volume, lot volume]

_keyed = wire.decoder(dict[str, Raw])
_tickers = wire.decoder(dict[str, wire.TickerRow])
_depths = wire.decoder(dict[str, wire.DepthRow])
_candles = wire.decoder(list[wire.CandleRow])
_tape = wire.decoder(list[wire.TradeTape])
_whole = wire.decoder(int)
_text = wire.decoder(str)
_status = wire.decoder(wire.SystemStatus)


def ticker_of_stream(row: frames.TickerData, receive_ns: int) -> Ticker:
    """One row of the ticker channel."""
    return Ticker(
        symbol=row.symbol,
        bid_price=_price(row.bid),
        bid_quantity=positive(row.bid_qty) if row.bid else None,
        ask_price=_price(row.ask),
        ask_quantity=positive(row.ask_qty) if row.ask else None,
        last_price=_price(row.last),
        volume_24h=positive(row.volume),
        vwap_24h=positive(row.vwap),
        low_24h=positive(row.low),
        high_24h=positive(row.high),
        change_24h=figure(row.change),
        times=EventTimes(stamp_ns(row.timestamp), receive_ns),
    )


def trade_of_stream(row: frames.TradeData, receive_ns: int) -> Trade:
    """One row of the trade channel."""
    return Trade(
        symbol=row.symbol,
        trade_id=str(row.trade_id),
        price=positive(row.price),
        quantity=positive(row.qty),
        taker_side=_side(_STREAM_SIDES, row.side),
        times=EventTimes(stamp_ns(row.timestamp), receive_ns),
    )


def candle_of_stream(row: frames.CandleData, receive_ns: int) -> Candle:
    """One row of the ohlc channel. Whether it is closed is not said there: it counts as open."""
    open_time_ns = stamp_ns(row.interval_begin)
    if open_time_ns is None:
        raise wire.broken(f"a candle of {row.symbol} has no beginning")
    return Candle(
        symbol=row.symbol,
        interval_s=row.interval * 60,
        open_time_ns=open_time_ns,
        open_price=positive(row.open),
        high_price=positive(row.high),
        low_price=positive(row.low),
        close_price=positive(row.close),
        volume=positive(row.volume),
        vwap=positive(row.vwap),
        trade_count=count(row.trades),
        closed=False,
        receive_ns=receive_ns,
    )


def tickers(result: Raw) -> dict[str, wire.TickerRow]:
    """Ticker, by the pair name Kraken answers with."""
    return _tickers(result)


def ticker(symbol: str, row: wire.TickerRow, receive_ns: int) -> Ticker:
    """One row of Ticker."""
    if min(len(row.a), len(row.b)) <= _VOLUME or min(map(len, (row.v, row.p, row.low, row.high))) <= _24H or not row.c:
        raise wire.broken(f"the ticker of {symbol} lacks figures")
    return Ticker(
        symbol=symbol,
        bid_price=_price(row.b[0]),
        bid_quantity=positive(row.b[_VOLUME]) if row.b[0] else None,
        ask_price=_price(row.a[0]),
        ask_quantity=positive(row.a[_VOLUME]) if row.a[0] else None,
        last_price=_price(row.c[0]),
        volume_24h=positive(row.v[_24H]),
        vwap_24h=positive(row.p[_24H]),
        low_24h=positive(row.low[_24H]),
        high_24h=positive(row.high[_24H]),
        change_24h=None,
        times=EventTimes(None, receive_ns),
        polled=True,
    )


def book(result: Raw, instrument: Instrument, depth: int, receive_ns: int) -> BookView:
    """Depth: best first."""
    rows = list(_depths(result).values())
    if len(rows) != 1:
        raise wire.broken(f"Depth answered for {len(rows)} pairs")
    return BookView(
        symbol=instrument.symbol,
        depth=depth,
        bids=_levels(rows[0].bids[:depth]),
        asks=_levels(rows[0].asks[:depth]),
        times=EventTimes(None, receive_ns),
    )


def candles(result: Raw, instrument: Instrument, interval_s: int, receive_ns: int) -> tuple[Candle, ...]:
    """OHLC, oldest first; what opened after `last`, the last committed row, is still open."""
    raw, last = _sole_and_last(result)
    committed_s = _whole(last)
    return tuple(
        Candle(
            symbol=instrument.symbol,
            interval_s=interval_s,
            open_time_ns=unix_ns(row.time),
            open_price=positive(row.open),
            high_price=positive(row.high),
            low_price=positive(row.low),
            close_price=positive(row.close),
            volume=positive(row.volume),
            vwap=positive(row.vwap),
            trade_count=count(row.count),
            closed=row.time <= committed_s,
            receive_ns=receive_ns,
        )
        for row in _candles(raw)
    )


def trades(result: Raw, instrument: Instrument, receive_ns: int) -> TradePage:
    """Trades, oldest first, and where the next page begins."""
    raw, last = _sole_and_last(result)
    cursor = _text(last)
    if not cursor.isascii() or not cursor.isdecimal() or len(cursor) > 20:  # noqa: PLR2004  the digits of a u64
        raise wire.broken("Trades names no cursor")
    return TradePage(tuple(_trade(row, instrument.symbol, receive_ns) for row in _tape(raw)), int(cursor))


def mode(result: Raw) -> VenueMode:
    """SystemStatus."""
    status = _status(result).status
    try:
        return VenueMode(status)
    except ValueError:
        raise wire.broken(f"system status {status!r}") from None


def _trade(row: wire.TradeTape, symbol: str, receive_ns: int) -> Trade:
    return Trade(
        symbol=symbol,
        trade_id=str(row.trade_id),
        price=positive(row.price),
        quantity=positive(row.volume),
        taker_side=_side(_SIDES, row.side),
        times=EventTimes(unix_ns(row.time), receive_ns),
    )


def _side(sides: Mapping[str, Side], text: str) -> Side:
    side = sides.get(text)
    if side is None:
        raise wire.broken(f"trade side {text!r}")
    return side


def _sole_and_last(result: Raw) -> tuple[Raw, Raw]:
    """The one pair's rows, under whatever name it comes back, and `last`."""
    keyed = dict(_keyed(result))
    last = keyed.pop("last", None)
    if last is None or len(keyed) != 1:
        raise wire.broken("one pair and `last` were due")
    return next(iter(keyed.values())), last


def _levels(rows: list[wire.DepthLevel]) -> tuple[Level, ...]:
    return tuple(Level(positive(row.price), positive(row.volume)) for row in rows)


def _price(value: Decimal) -> Decimal | None:
    return positive(value) if value else None
