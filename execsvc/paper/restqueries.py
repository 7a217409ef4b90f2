"""The account's half of the REST face: orders, trades, tokens and the key itself.

Balances, ledger entries and fees are restfunds.py's, positions restpositions.py's. Long lists are asked for as
paging.py says. `consolidate_taker` is read and changes nothing: there is one stranger to a price level, so no taker's
fill has a second one of the same price to be put together with.
"""

from collections.abc import Mapping
from typing import Any

from .auth import Key
from .entry import client_id
from .figures import NS
from .orders import Order, Trade
from .paging import page, read_span
from .restobjects import order_object, trade_object
from .restpositions import of_type, with_position
from .roll import id_form
from .venue import Call, Handler, Venue
from .words import INVALID_ORDER, PERMISSION_DENIED, Refused, bad_argument

_ORDERS_MAX = 50
_TRADES_MAX = 20
_ID_PARTS = [6, 5, 6]


def open_orders(venue: Venue, call: Call) -> Any:
    """OpenOrders, newest first."""
    trades = call.params.flag("trades")
    wanted, userref = client_id(call.params), call.params.userref()
    listed = venue.index.open(_owners_now(venue, call), wanted)
    chosen = [seen for seen in listed if userref is None or seen.order.terms.userref == userref]
    return {"open": {seen.order.id: order_object(seen.order, seen.as_of, trades=trades) for seen in chosen}}


def closed_orders(venue: Venue, call: Call) -> Any:
    """ClosedOrders, one page."""
    params = call.params
    which = params.choice("closetime", ("open", "close", "both"), "both")
    trades = params.flag("trades")
    params.flag("consolidate_taker", default=True)
    span = read_span(params, lambda ref: _opened(venue, ref))
    now, wanted, userref = _owners_now(venue, call), client_id(params), params.userref()
    chosen = venue.index.ended(now, wanted)
    if userref is not None:
        chosen = [order for order in chosen if order.terms.userref == userref]
    if not span.whole:
        chosen = [order for order in chosen if span.holds(_times(order, which))]
    rows = {order.id: order_object(order, now, trades=trades) for order in page(params, chosen)}
    answer: dict[str, Any] = {"closed": rows}
    if not params.flag("without_count"):
        answer["count"] = len(chosen)
    return answer


def query_orders(venue: Venue, call: Call) -> Any:
    """QueryOrders: up to 50 ids; those it does not know are left out."""
    ids = _ids(call, _ORDERS_MAX)
    call.params.flag("consolidate_taker", default=True)
    trades, now = call.params.flag("trades"), _owners_now(venue, call)
    known = [seen for txid in ids if (seen := venue.index.one(txid, now)) is not None]
    for seen in known:
        _may_see(call.key, seen.order)
    return {
        seen.order.id: order_object(seen.order, seen.as_of, trades=trades)
        for seen in known
        if _matches(call, seen.order)
    }


def trades_history(venue: Venue, call: Call) -> Any:
    """TradesHistory, one page; `type` asks for fills that opened or closed positions, or for those that did not."""
    params = call.params
    wanted = of_type(venue, params)
    params.flag("consolidate_taker", default=True)
    span = read_span(params, lambda ref: _traded(venue, ref))
    chosen = [t for t in venue.index.trades(_owners_now(venue, call)) if wanted(t) and span.holds((t.at,))]
    rows = {trade.id: _trade(venue, call, trade) for trade in page(params, chosen)}
    answer: dict[str, Any] = {"trades": rows}
    if not params.flag("without_count"):
        answer["count"] = len(chosen)
    return answer


def query_trades(venue: Venue, call: Call) -> Any:
    """QueryTrades: up to 20 ids; those it does not know are left out."""
    ids, now = _ids(call, _TRADES_MAX), _owners_now(venue, call)
    known = [trade for txid in ids if (trade := venue.index.trade(txid, now)) is not None]
    return {trade.id: _trade(venue, call, trade) for trade in known}


def websockets_token(venue: Venue, call: Call) -> Any:
    """GetWebSocketsToken."""
    token = venue.mint.token()
    return {"token": token, "expires": venue.keys.issue(token, _signer(call), call.now)}


def api_key_info(venue: Venue, call: Call) -> Any:
    """GetApiKeyInfo, in camelCase as the reference prints it or in snake_case as one client recorded it."""
    key = _signer(call)
    info = {
        "api_key_name": key.name,
        "api_key": key.api_key,
        "nonce": str(key.nonce),
        "nonce_window": str(key.nonce_window),
        "permissions": list(key.permissions),
        "iban": "",
        "valid_until": "0",
        "query_from": "0",
        "query_to": "0",
        "created_time": str(key.created // NS),
        "modified_time": str(key.created // NS),
        "ip_allowlist": [],
        "last_used": str(key.last_used // NS),
    }
    if venue.options.key_info_style == "snake":
        return info
    return {_camel(name): value for name, value in info.items()}


QUERIES: Mapping[str, tuple[tuple[str, ...], Handler]] = {
    "OpenOrders": (("query-open-trades",), open_orders),
    "ClosedOrders": (("query-closed-trades",), closed_orders),
    "QueryOrders": (("query-open-trades", "query-closed-trades"), query_orders),
    "TradesHistory": (("query-closed-trades",), trades_history),
    "QueryTrades": (("query-closed-trades",), query_trades),
    "GetWebSocketsToken": (("create-ws-token",), websockets_token),
    "GetApiKeyInfo": ((), api_key_info),
}


def _signer(call: Call) -> Key:
    if call.key is None:
        raise Refused(PERMISSION_DENIED)
    return call.key


def _ids(call: Call, most: int) -> list[str]:
    """Read the order or trade ids asked for; raises Refused when there is none, too many, or a malformed one."""
    ids = call.params.words("txid")
    if not 1 <= len(ids) <= most:
        raise bad_argument("txid")
    if any([len(part) for part in txid.split("-")] != _ID_PARTS for txid in ids):
        raise Refused(INVALID_ORDER)
    return ids


def _trade(venue: Venue, call: Call, trade: Trade) -> dict[str, Any]:
    row = trade_object(trade, ledgers=call.params.flag("ledgers"))
    return with_position(venue, trade, row, trades=call.params.flag("trades"))


def _may_see(key: Key | None, order: Order) -> None:
    if key is not None:
        key.may("query-open-trades" if order.open else "query-closed-trades")


def _owners_now(venue: Venue, call: Call) -> int:
    return venue.dial.owners(call.now)


def _matches(call: Call, order: Order) -> bool:
    """Tell whether an order carries the client id and the user reference that were asked for, if any were."""
    wanted, userref = client_id(call.params), call.params.userref()
    carried = order.terms.cl_ord_id
    same = wanted is None or (carried is not None and id_form(carried) == id_form(wanted))
    return same and (userref is None or order.terms.userref == userref)


def _times(order: Order, which: str) -> tuple[int, ...]:
    closed = order.opened if order.closed is None else order.closed
    return {"open": (order.opened,), "close": (closed,)}.get(which, (order.opened, closed))


def _opened(venue: Venue, order_id: str) -> int | None:
    order = venue.orders.get(order_id)
    return None if order is None else order.opened


def _traded(venue: Venue, trade_id: str) -> int | None:
    trade = venue.orders.trades.get(trade_id)
    return None if trade is None else trade.at


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)
