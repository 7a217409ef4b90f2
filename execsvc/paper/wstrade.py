"""Trading over the WebSocket: Kraken's v2 methods, read into the parameters REST knows and carried out by the same hands.

A request becomes one or more answers without `req_id` and times, which the face adds. A refusal is one text. The
engine's counter is charged as for REST; the call counter is REST's alone. The words of an order are wsorders.py's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .auth import Key
from .params import Params
from .resttrade import TRADING
from .venue import Call, Venue
from .words import INVALID_ARGUMENTS, UNAVAILABLE, UNKNOWN_ORDER, Refused, bad_argument
from .wsorders import Fields, amend_fields, check_fields, edit_fields, integers, order_fields, texts

Answer = dict[str, Any]
_BATCH_CANCEL_MIN, _BATCH_CANCEL_MAX = 2, 50
_REFERENCES = ("cl_ord_id", "order_userref")


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, the exchange as its account sees it, when that arrived, and when it is carried out."""

    key: Key
    venue: Venue
    received: int
    now: int


class Trading:
    """The trading methods of one exchange's private lines."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def answer(self, method: str, params: Mapping[str, Any], *, received: int, now: int) -> list[Answer]:
        """Carry out a request and return its answers.

        `received` is when it arrived, `now` when it is carried out, both on the exchange's clock.
        """
        try:
            key = self._venue.keys.redeem(params.get("token"), received)
            asked = Asked(key, self._venue.of(key), received, now)
            if self._venue.engine.system == "maintenance":
                raise Refused(UNAVAILABLE)
            check_fields(method, params)
            return METHODS[method](self, params, asked)
        except Refused as refused:
            return [failure(method, refused.code)]

    def add(self, params: Mapping[str, Any], asked: Asked) -> list[Answer]:
        """add_order; with `validate` nothing is placed and there is no order id."""
        fields = order_fields(params, self._venue.listing(_symbol(params)).pair)
        common = {"pair": params["symbol"], "deadline": params.get("deadline"), "validate": params.get("validate")}
        result = self._call("AddOrder", fields | common, asked)
        ids = {"order_id": result["txid"][0]} if "txid" in result else {}
        return [success("add_order", ids | _echo(params))]

    def amend(self, params: Mapping[str, Any], asked: Asked) -> list[Answer]:
        """amend_order: the order is named in the answer as it was in the request."""
        result = self._call("AmendOrder", amend_fields(params), asked)
        named = {name: params[name] for name in ("order_id", "cl_ord_id") if params.get(name)}
        return [success("amend_order", {"amend_id": result["amend_id"]} | named)]

    def edit(self, params: Mapping[str, Any], asked: Asked) -> list[Answer]:
        """edit_order: the order is replaced by another."""
        order = asked.venue.orders.get(str(params.get("order_id")))
        fields = edit_fields(params, "" if order is None else order.terms.kind)
        result = self._call("EditOrder", fields, asked)
        return [success("edit_order", {"order_id": result["txid"], "original_order_id": result["originaltxid"]})]

    def cancel(self, params: Mapping[str, Any], asked: Asked) -> list[Answer]:
        """cancel_order: one answer for each order, in the order they were named: ids, client ids, user references."""
        orders, ids = asked.venue.orders, texts(params, "order_id")
        answers = [self._cancel({"txid": order_id}, {"order_id": order_id}, asked) for order_id in ids]
        for cl_ord_id in texts(params, "cl_ord_id"):
            order = orders.by_client_id(cl_ord_id)
            named = {} if order is None else {"order_id": order.id}
            answers.append(self._cancel({"cl_ord_id": cl_ord_id}, named | {"cl_ord_id": cl_ord_id}, asked))
        for userref in integers(params, "order_userref"):
            carrying = [order for order in orders.open_ones() if order.terms.userref == userref]
            answers += [self._cancel({"txid": order.id}, {"order_id": order.id}, asked) for order in carrying]
            if not carrying:
                answers.append(failure("cancel_order", UNKNOWN_ORDER))
        if not answers:
            raise Refused(INVALID_ARGUMENTS)
        return answers

    def cancel_all(self, _params: Mapping[str, Any], asked: Asked) -> list[Answer]:
        """cancel_all."""
        return [success("cancel_all", {"count": self._call("CancelAll", {}, asked)["count"]})]

    def cancel_all_after(self, params: Mapping[str, Any], asked: Asked) -> list[Answer]:
        """cancel_all_orders_after: the dead man's switch, the same one that REST sets."""
        timeout = params.get("timeout")
        if isinstance(timeout, bool) or not isinstance(timeout, int):
            raise bad_argument("timeout")
        result = self._call("CancelAllOrdersAfter", {"timeout": timeout}, asked)
        return [success("cancel_all_orders_after", result)]

    def batch_add(self, params: Mapping[str, Any], asked: Asked) -> list[Answer]:
        """batch_add: a row for each order, in their order; one the engine refused says so in its row."""
        pair, rows = self._venue.listing(_symbol(params)).pair, params.get("orders")
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
            raise bad_argument("orders")
        for row in rows:
            check_fields("batch_add", row, row=True)
        common = {"pair": params["symbol"], "deadline": params.get("deadline"), "validate": params.get("validate")}
        fields = common | {"orders": [order_fields(row, pair) for row in rows]}
        done = self._call("AddOrderBatch", fields, asked)["orders"]
        return [success("batch_add", [_batch_row(row, sent) for row, sent in zip(done, rows, strict=True)])]

    def batch_cancel(self, params: Mapping[str, Any], asked: Asked) -> list[Answer]:
        """batch_cancel: only the count is told."""
        ids, clients = texts(params, "orders"), texts(params, "cl_ord_id")
        if not _BATCH_CANCEL_MIN <= len(ids) + len(clients) <= _BATCH_CANCEL_MAX:
            raise bad_argument("orders")
        fields = {"orders": ids, "cl_ord_ids": [{"cl_ord_id": name} for name in clients]}
        result = self._call("CancelOrderBatch", {name: value for name, value in fields.items() if value}, asked)
        return [success("batch_cancel", {"count": result["count"]})]

    def _cancel(self, fields: Fields, named: Answer, asked: Asked) -> Answer:
        """Cancel one order; that it is gone is this answer's failure and nobody else's."""
        try:
            self._call("CancelOrder", fields, asked)
        except Refused as refused:
            return failure("cancel_order", refused.code)
        return success("cancel_order", named)

    def _call(self, method: str, fields: Fields, asked: Asked) -> Any:
        permissions, handler = TRADING[method]
        asked.key.may(*permissions)
        return handler(asked.venue, Call(method, Params(fields), asked.received, asked.now, asked.key))


METHODS: Mapping[str, Callable[[Trading, Mapping[str, Any], Asked], list[Answer]]] = {
    "add_order": Trading.add,
    "amend_order": Trading.amend,
    "edit_order": Trading.edit,
    "cancel_order": Trading.cancel,
    "cancel_all": Trading.cancel_all,
    "cancel_all_orders_after": Trading.cancel_all_after,
    "batch_add": Trading.batch_add,
    "batch_cancel": Trading.batch_cancel,
}


def success(method: str, result: Any) -> Answer:
    """Return an answer to a request that was met."""
    return {"method": method, "result": result, "success": True}


def failure(method: str, error: str) -> Answer:
    """Return an answer to a request that was not met."""
    return {"error": error, "method": method, "success": False}


def _symbol(params: Mapping[str, Any]) -> str:
    symbol = params.get("symbol")
    if not isinstance(symbol, str) or not symbol:
        raise bad_argument("symbol")
    return symbol


def _echo(params: Mapping[str, Any]) -> Answer:
    return {name: params[name] for name in _REFERENCES if params.get(name) is not None}


def _batch_row(row: Mapping[str, Any], sent: Mapping[str, Any]) -> Answer:
    if "error" in row:
        return {"error": row["error"], "success": False} | _echo(sent)
    return ({"order_id": row["txid"]} if "txid" in row else {}) | _echo(sent)
