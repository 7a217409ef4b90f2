"""The account's half of the REST face: balances, orders, trades, tokens and the key itself.

Pages hold 50 rows, newest first. A bound is a Unix time or an id; `start` is exclusive, `end` inclusive.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from .auth import Key
from .entry import client_id
from .figures import NS, fixed
from .orders import Order, id_form
from .params import Params, decimal
from .restobjects import order_object, trade_object
from .venue import Call, Venue
from .words import INVALID_ORDER, PERMISSION_DENIED, Refused, bad_argument

PAGE = 50
_TXIDS_MAX = 50
_FAR = 1 << 62
_ORDER_ID_PARTS = [6, 5, 6]
Row = TypeVar("Row")
_TRADE_TYPES = ("all", "any position", "closed position", "closing position", "no position")


def balance(venue: Venue, _call: Call) -> Any:
    """Balance: every asset the account has held."""
    ledger = venue.ledger
    return {asset.id: fixed(ledger.balance(asset), asset.decimals) for asset in ledger.assets()}


def balance_ex(venue: Venue, _call: Call) -> Any:
    """BalanceEx: balances and what open orders hold of them."""
    ledger = venue.ledger
    return {
        asset.id: {
            "balance": fixed(ledger.balance(asset), asset.decimals),
            "hold_trade": fixed(ledger.held(asset), asset.decimals),
        }
        for asset in ledger.assets()
    }


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
    start, end = (_bound(params, name, lambda ref: _opened(venue, ref)) for name in ("start", "end"))
    now, wanted, userref = _owners_now(venue, call), client_id(params), params.userref()
    chosen = venue.index.ended(now, wanted)
    if userref is not None:
        chosen = [order for order in chosen if order.terms.userref == userref]
    if start is not None or end is not None:
        chosen = [order for order in chosen if _inside(_times(order, which), start, end)]
    page = _page(call, chosen)
    answer: dict[str, Any] = {"closed": {order.id: order_object(order, now, trades=trades) for order in page}}
    if not params.flag("without_count"):
        answer["count"] = len(chosen)
    return answer


def query_orders(venue: Venue, call: Call) -> Any:
    """QueryOrders: up to 50 ids; those it does not know are left out."""
    ids = call.params.words("txid")
    if not 1 <= len(ids) <= _TXIDS_MAX:
        raise bad_argument("txid")
    if any([len(part) for part in txid.split("-")] != _ORDER_ID_PARTS for txid in ids):
        raise Refused(INVALID_ORDER)
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
    """TradesHistory, one page. There are no positions, so only "all" and "no position" can find anything."""
    params = call.params
    kind = params.choice("type", _TRADE_TYPES, "all")
    start, end = (_bound(params, name, lambda ref: _traded(venue, ref)) for name in ("start", "end"))
    newest = venue.index.trades(_owners_now(venue, call)) if kind in ("all", "no position") else iter(())
    chosen = [trade for trade in newest if _inside((trade.at,), start, end)]
    page = _page(call, chosen)
    ledgers = params.flag("ledgers")
    answer: dict[str, Any] = {"trades": {trade.id: trade_object(trade, ledgers=ledgers) for trade in page}}
    if not params.flag("without_count"):
        answer["count"] = len(chosen)
    return answer


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


Handler = Callable[[Venue, Call], Any]
QUERIES: Mapping[str, tuple[tuple[str, ...], Handler]] = {
    "Balance": (("query-funds",), balance),
    "BalanceEx": (("query-funds",), balance_ex),
    "OpenOrders": (("query-open-trades",), open_orders),
    "ClosedOrders": (("query-closed-trades",), closed_orders),
    "QueryOrders": (("query-open-trades", "query-closed-trades"), query_orders),
    "TradesHistory": (("query-closed-trades",), trades_history),
    "GetWebSocketsToken": (("create-ws-token",), websockets_token),
    "GetApiKeyInfo": ((), api_key_info),
}


def _signer(call: Call) -> Key:
    if call.key is None:
        raise Refused(PERMISSION_DENIED)
    return call.key


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


def _page(call: Call, rows: list[Row]) -> list[Row]:
    offset = call.params.integer("ofs", 0, low=0, high=_FAR)
    return rows[offset : offset + PAGE]


def _bound(params: Params, name: str, lookup: Callable[[str], int | None]) -> int | None:
    """Return a bound in ns: of a Unix time, or of the order or trade it names; 0 and empty are none."""
    text = params.text(name)
    if "-" in text:
        at = lookup(text)
        if at is None:
            raise bad_argument(name)
        return at
    value = decimal(text, name) if text else Decimal(0)
    return int(value * NS) if value else None


def _inside(times: tuple[int, ...], start: int | None, end: int | None) -> bool:
    return any((start is None or at > start) and (end is None or at <= end) for at in times)


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
