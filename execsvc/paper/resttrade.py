"""The trading half of the REST face: the desk's work under Kraken's method names and in REST's shapes.

The WebSocket's trading methods go through the same rows. What an order may say is entry.py's, what is carried out and
what it costs desk.py's; here are only arguments that no other part reads, and answers.
"""

from collections.abc import Mapping
from typing import Any

from .desk import (
    TIMEOUT_MAX_S,
    add,
    add_batch,
    amend_order,
    cancel,
    cancel_all,
    cancel_batch,
    edit_order,
    read,
    read_batch,
    read_edit,
    set_deadman,
    targets,
)
from .figures import fixed, stamp_seconds
from .orders import Order, Terms, price_texts
from .params import Params
from .restobjects import amend_rows, describe, describe_close
from .venue import Call, Handler, Venue
from .words import INVALID_ORDER, UNKNOWN_ORDER, Refused, bad_argument

_OFF = "0"


def add_order(venue: Venue, call: Call) -> Any:
    """AddOrder. With `validate` arguments and pair rules are checked, and nothing is placed or charged."""
    if call.params.flag("validate"):
        return {"descr": _descr(read(venue, call.params, call.received))}
    order = add(venue, call.params, received=call.received, now=call.now)
    return {"descr": _descr(order.terms), "txid": [order.id]}


def add_order_batch(venue: Venue, call: Call) -> Any:
    """AddOrderBatch: a row for each order, in their order; one the engine refused has its error in its row."""
    _may_cancel_too(call)
    if call.params.flag("validate"):
        return {"orders": [_batch_row(terms) for terms in read_batch(venue, call.params, call.received)]}
    placed = add_batch(venue, call.params, received=call.received, now=call.now)
    return {
        "orders": [
            {"error": one.code} if isinstance(one, Refused) else {"txid": one.id} | _batch_row(one.terms)
            for one in placed
        ]
    }


def amend(venue: Venue, call: Call) -> Any:
    """AmendOrder."""
    _, done = amend_order(venue, call.params, received=call.received, now=call.now)
    return {"amend_id": done.id}


def edit(venue: Venue, call: Call) -> Any:
    """EditOrder: the answer names both orders."""
    _may_cancel_too(call)
    params = call.params
    if params.flag("validate"):
        old, terms = read_edit(venue, params, received=call.received)
        return _edited(old, terms, "")
    old, new = edit_order(venue, params, received=call.received, now=call.now)
    return _edited(old, new.terms, new.id)


def cancel_order(venue: Venue, call: Call) -> Any:
    """CancelOrder by order id, client id or userref. An order that has ended is an error, not a success."""
    found = targets(venue, call.params)
    if not found:
        raise Refused(UNKNOWN_ORDER)
    return {"count": cancel(venue, found, call.now)}


def cancel_order_batch(venue: Venue, call: Call) -> Any:
    """CancelOrderBatch: up to 50 orders by id, userref or client id; only the count is told."""
    return {"count": cancel_batch(venue, call.params.words("orders"), _client_ids(call.params), call.now)}


def cancel_everything(venue: Venue, call: Call) -> Any:
    """CancelAll."""
    return {"count": cancel_all(venue, call.now)}


def cancel_all_after(venue: Venue, call: Call) -> Any:
    """CancelAllOrdersAfter: sets the dead man's switch, or turns it off with a timeout of 0."""
    call.params.need("timeout")
    timeout = call.params.integer("timeout", 0, low=0, high=TIMEOUT_MAX_S - 1)
    armed = set_deadman(venue, timeout, call.now)
    return {
        "currentTime": stamp_seconds(armed.now),
        "triggerTime": _OFF if armed.strikes is None else stamp_seconds(armed.strikes),
    }


def order_amends(venue: Venue, call: Call) -> Any:
    """OrderAmends: the order as it was placed and every amend since, in their order."""
    order = venue.orders.get(call.params.need("order_id"))
    if order is None:
        raise Refused(INVALID_ORDER)
    if call.key is not None:
        call.key.may("query-open-trades" if order.open else "query-closed-trades")
    rows = amend_rows(order, venue.dial.owners(call.now))
    return {"amends": rows, "count": len(rows)}


_MODIFY, _CANCEL = ("modify-trades",), ("modify-trades", "close-trades")
TRADING: Mapping[str, tuple[tuple[str, ...], Handler]] = {
    "AddOrder": (_MODIFY, add_order),
    "AddOrderBatch": (_MODIFY, add_order_batch),
    "AmendOrder": (_CANCEL, amend),
    "EditOrder": (_MODIFY, edit),
    "CancelOrder": (_CANCEL, cancel_order),
    "CancelOrderBatch": (_CANCEL, cancel_order_batch),
    "CancelAll": (_CANCEL, cancel_everything),
    "CancelAllOrdersAfter": (_CANCEL, cancel_all_after),
    "OrderAmends": (("query-open-trades", "query-closed-trades"), order_amends),
}


def _may_cancel_too(call: Call) -> None:
    if call.key is not None:
        call.key.may("close-trades")


def _descr(terms: Terms) -> dict[str, str]:
    return {"order": describe(terms)} | ({"close": describe_close(terms)} if terms.close is not None else {})


def _batch_row(terms: Terms) -> dict[str, Any]:
    """Return a batch's row; Kraken puts `close` beside `descr` there, and not into it."""
    row: dict[str, Any] = {"descr": {"order": describe(terms)}}
    return row | ({"close": describe_close(terms)} if terms.close is not None else {})


def _edited(old: Order, terms: Terms, txid: str) -> dict[str, Any]:
    price, price2 = price_texts(terms)
    answer: dict[str, Any] = {
        "status": "ok",
        "originaltxid": old.id,
        "volume": fixed(terms.lots, terms.pair.lot_decimals),
        "price": price,
        "price2": price2,
        "orders_cancelled": 1 if txid else 0,
        "descr": {"order": describe(terms)},
    }
    if txid:
        answer["txid"] = txid
    for name, userref in (("newuserref", terms.userref), ("olduserref", old.terms.userref)):
        if userref is not None:
            answer[name] = str(userref)
    return answer


def _client_ids(params: Params) -> list[str]:
    """Return CancelOrderBatch's client ids: objects with a cl_ord_id each."""
    if not params.given("cl_ord_ids"):
        return []
    names = [row.get("cl_ord_id") for row in params.rows("cl_ord_ids")]
    if not all(isinstance(name, str) and name for name in names):
        raise bad_argument("cl_ord_ids")
    return [str(name) for name in names]
