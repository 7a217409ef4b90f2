"""The control port: what a test or a person may do to the exchange that no client can. JSON over HTTP, no sockets here.

POST   /faults   arm a mishap, see mishap.py            GET /faults     DELETE /faults: disarm all, back online
GET    /orders   orders accepted, in order              GET /calls      private calls as they came, applied or not
GET    /ledger   balances, entries and the proof        GET /state      time, markets, connections, faults
                 (of the first account; those of others under `others`, by name)
GET    /limits   both rate counters and open orders     POST /limits    measure them anew from now on
POST   /market   freeze or move markets, see MarketMove POST /keys      another key, see KeyWish
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from .auth import FIRST, PERMISSIONS
from .exchange import PaperExchange
from .figures import fixed, stamp, whole
from .ledger import LedgerBroken
from .listing import Listing
from .market import build_ladder
from .mishap import Fault
from .orders import Order
from .pairs import Pair
from .restobjects import describe, describe_close
from .venue import Venue
from .words import Refused

_LADDER_MAX = 1000


class Take(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stranger's order: it takes up to `qty`, no worse than `price` if given."""

    side: Literal["buy", "sell"]
    qty: str
    price: str = ""


class MarketMove(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to do to a market; empty `symbol` means all, for `frozen` and `status`.

    `price` puts the best bid there, the best ask `spread` (a tick) above, and `levels` levels of `qty` (1) a tick
    apart on either side; the trader's orders in the way are filled first. `bids` and `asks` set the makers' book
    row by row instead. Prices stay only while the market is frozen.
    """

    symbol: str = ""
    frozen: bool | None = None
    price: str = ""
    spread: str = ""
    qty: str = "1"
    levels: int = 50
    bids: list[tuple[str, str]] | None = None
    asks: list[tuple[str, str]] | None = None
    take: Take | None = None
    status: Literal["", "online", "cancel_only", "post_only", "limit_only", "reduce_only"] = ""


class KeyWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another API key: its name, what it may do, its nonce window, and which account it is of."""

    name: str = "extra"
    account: str = FIRST
    permissions: list[str] = msgspec.field(default_factory=lambda: list(PERMISSIONS))
    nonce_window: int = 0


def answer_control(exchange: PaperExchange, method: str, path: str, body: bytes, now: int) -> tuple[int, bytes]:
    """Carry out one control request; returns HTTP status and JSON. A bad request is 400, an unknown one 404."""
    handler = _ROUTES.get((method, path))
    if handler is None:
        return 404, msgspec.json.encode({"error": f"no such control: {method} {path}"})
    exchange.advance(now)
    try:
        result = handler(exchange, body, now)
    except (msgspec.DecodeError, ValueError) as wrong:
        return 400, msgspec.json.encode({"error": str(wrong)})
    except Refused as refused:
        return 400, msgspec.json.encode({"error": refused.code})
    exchange.publish()
    return 200, msgspec.json.encode(result)


def move_market(exchange: PaperExchange, move: MarketMove, now: int) -> None:
    """Do to one market, or to all, what the move says."""
    listings = [exchange.venue.listing(move.symbol)] if move.symbol else list(exchange.venue.listings.values())
    if len(listings) > 1 and (move.price or move.bids is not None or move.asks is not None or move.take):
        raise ValueError("price, bids, asks and take need a symbol")
    for listing in listings:
        if move.frozen is not None:
            listing.frozen = move.frozen
            if not move.frozen:
                exchange.set_going(listing.pair.id, now)
        if move.status:
            exchange.set_market_status(listing, move.status, now)
    listing, at = listings[0], exchange.venue.dial.reads(now)
    if move.price:
        _set_price(exchange, listing, move, at)
    if move.bids is not None or move.asks is not None:
        rows = (_rows(listing.pair, move.bids or []), _rows(listing.pair, move.asks or []))
        build_ladder(listing, exchange.venue.engine, bids=rows[0], asks=rows[1], now=at)
    if move.take is not None:
        lots = whole(move.take.qty, listing.pair.lot_decimals)
        limit = whole(move.take.price, listing.pair.pair_decimals) if move.take.price else None
        exchange.venue.engine.house_take(listing, move.take.side, limit, lots, at)
        exchange.venue.engine.look(listing, at)
    exchange.publish()


def _set_price(exchange: PaperExchange, listing: Listing, move: MarketMove, now: int) -> None:
    pair = listing.pair
    bid, lots = whole(move.price, pair.pair_decimals), whole(move.qty, pair.lot_decimals)
    spread = whole(move.spread, pair.pair_decimals) if move.spread else pair.tick
    if bid <= 0 or lots <= 0 or spread <= 0 or bid % pair.tick or spread % pair.tick:
        raise ValueError("price, qty and spread must be positive, prices whole ticks")
    if not 1 <= move.levels <= _LADDER_MAX:
        raise ValueError(f"levels must be 1 to {_LADDER_MAX}")
    exchange.venue.prices.rebase(pair, bid, now / 1e9)
    places = range(move.levels)
    bids = [(bid - place * pair.tick, lots) for place in places if bid > place * pair.tick]
    asks = [(bid + spread + place * pair.tick, lots) for place in places]
    build_ladder(listing, exchange.venue.engine, bids=bids, asks=asks, now=now)


def _rows(pair: Pair, rows: list[tuple[str, str]]) -> list[tuple[int, int]]:
    return [(whole(price, pair.pair_decimals), whole(qty, pair.lot_decimals)) for price, qty in rows]


def _post_fault(exchange: PaperExchange, body: bytes, now: int) -> Any:
    exchange.fault(msgspec.json.decode(body, type=Fault), now)
    return {"faults": exchange.venue.faults.listed(now)}


def _get_faults(exchange: PaperExchange, _body: bytes, now: int) -> Any:
    return {"faults": exchange.venue.faults.listed(now)}


def _delete_faults(exchange: PaperExchange, _body: bytes, now: int) -> Any:
    exchange.clear_faults(now)
    return {"faults": []}


def _get_orders(exchange: PaperExchange, _body: bytes, _now: int) -> Any:
    accounts = exchange.venue.accounts
    rows = [(order, name) for name, venue in accounts.items() for order in venue.orders.accepted()]
    rows.sort(key=lambda row: row[0].serial)
    forgotten = sum(venue.orders.forgotten for venue in accounts.values())
    return {"orders": [_order(order) | {"account": name} for order, name in rows], "forgotten": forgotten}


def _get_ledger(exchange: PaperExchange, _body: bytes, _now: int) -> Any:
    first, *others = exchange.venue.accounts.values()
    return _ledger(first) | _by_name(others, _ledger)


def _by_name(venues: list[Venue], told: Callable[[Venue], Any]) -> dict[str, Any]:
    """Return what is told of the accounts besides the first; nothing at all when there are none."""
    return {"others": {venue.account.name: told(venue) for venue in venues}} if venues else {}


def _ledger(venue: Venue) -> dict[str, Any]:
    ledger, error = venue.ledger, ""
    try:
        venue.engine.prove()
    except LedgerBroken as broken:
        error = str(broken)
    entries = [
        {
            "id": entry.id,
            "refid": entry.refid,
            "at": stamp(entry.at),
            "type": entry.kind,
            "asset": entry.asset.id,
            "amount": fixed(entry.amount, entry.asset.decimals),
            "fee": fixed(entry.fee, entry.asset.decimals),
            "balance": fixed(entry.balance, entry.asset.decimals),
        }
        for entry in ledger.entries
    ]
    return {"balanced": not error, "error": error, "accounts": ledger.proof(), "entries": entries}


def _get_calls(exchange: PaperExchange, _body: bytes, _now: int) -> Any:
    traffic = exchange.traffic
    return {"calls": [record.shown() for record in traffic.calls], "forgotten": traffic.noted - len(traffic.calls)}


def _get_state(exchange: PaperExchange, _body: bytes, now: int) -> Any:
    venue = exchange.venue
    lines = [line.kind for line in exchange.audience.lines.values()]
    return {
        "time": stamp(exchange.now),
        "clock": stamp(venue.dial.reads(exchange.now)),
        "seed": venue.options.seed,
        "system": venue.engine.system,
        "tier": venue.options.tier,
        "connections": {kind: lines.count(kind) for kind in ("public", "private")},
        "open_orders": sum(len(each.orders.open_ones()) for each in venue.accounts.values()),
        "faults": venue.faults.listed(now),
        "markets": {listing.pair.symbol: _market(listing) for listing in venue.listings.values()},
    }


def _get_limits(exchange: PaperExchange, _body: bytes, _now: int) -> Any:
    now = exchange.now
    first, *others = exchange.venue.accounts.values()

    def told(venue: Venue) -> dict[str, Any]:
        return _limits(venue, now)

    return {"time": stamp(now)} | told(first) | _by_name(others, told)


def _limits(venue: Venue, now: int) -> dict[str, Any]:
    quotas, own = venue.quotas, [key for key in venue.keys.all() if key.account == venue.account.name]
    return {
        "tier": venue.account.tier,
        "keys": {key.api_key: {"name": key.name} | quotas.call_figures(key.api_key, now) for key in own},
        "pairs": {
            listing.pair.symbol: quotas.pair_figures(name, now, open_orders=venue.orders.open_on(name))
            for name, listing in venue.listings.items()
        },
    }


def _post_limits(exchange: PaperExchange, body: bytes, now: int) -> Any:
    for venue in exchange.venue.accounts.values():
        venue.quotas.restart(exchange.now, {name: venue.orders.open_on(name) for name in venue.listings})
    return _get_limits(exchange, body, now)


def _post_market(exchange: PaperExchange, body: bytes, now: int) -> Any:
    move = msgspec.json.decode(body, type=MarketMove)
    move_market(exchange, move, now)
    return _get_state(exchange, body, now)


def _post_key(exchange: PaperExchange, body: bytes, now: int) -> Any:
    wish = msgspec.json.decode(body or b"{}", type=KeyWish)
    permissions, keys = tuple(wish.permissions), exchange.venue.keys
    if wish.account not in exchange.venue.accounts:
        raise ValueError(f"no account {wish.account!r} on this exchange")
    key = keys.make(wish.name, permissions, now=now, nonce_window=wish.nonce_window, account=wish.account)
    return {"api_key": key.api_key, "api_secret": key.api_secret, "permissions": list(permissions)}


_ROUTES: Mapping[tuple[str, str], Callable[[PaperExchange, bytes, int], Any]] = {
    ("POST", "/faults"): _post_fault,
    ("GET", "/faults"): _get_faults,
    ("DELETE", "/faults"): _delete_faults,
    ("GET", "/orders"): _get_orders,
    ("GET", "/ledger"): _get_ledger,
    ("GET", "/calls"): _get_calls,
    ("GET", "/state"): _get_state,
    ("GET", "/limits"): _get_limits,
    ("POST", "/limits"): _post_limits,
    ("POST", "/market"): _post_market,
    ("POST", "/keys"): _post_key,
}


def _order(order: Order) -> dict[str, Any]:
    terms, pair = order.terms, order.terms.pair
    return {
        "order_id": order.id,
        "cl_ord_id": terms.cl_ord_id,
        "userref": terms.userref,
        "parent": order.parent,
        "symbol": pair.symbol,
        "side": terms.side,
        "ordertype": terms.kind,
        "timeinforce": terms.tif,
        "volume": fixed(terms.lots, pair.lot_decimals),
        "price": None if terms.price is None else fixed(terms.price, pair.pair_decimals),
        "descr": describe(terms),
        "close": describe_close(terms),
        "status": order.status,
        "reason": order.reason,
        "vol_exec": fixed(order.filled, pair.lot_decimals),
        "cost": fixed(order.cost, pair.quote.decimals),
        "fee": fixed(order.fee, pair.quote.decimals),
        "trades": [trade.id for trade in order.trades],
        "opened": stamp(order.since),
        "closed": None if order.until is None else stamp(order.until),
    }


def _market(listing: Listing) -> dict[str, Any]:
    bid, ask, decimals = listing.book.bids.best(), listing.book.asks.best(), listing.pair.pair_decimals
    return {
        "status": listing.status,
        "frozen": listing.frozen,
        "bid": None if bid is None else fixed(bid, decimals),
        "ask": None if ask is None else fixed(ask, decimals),
        "last": fixed(listing.tape.last, decimals),
    }
