"""The executions channel: the trader's order events as rows, each update with the next sequence number.

Rows follow the documented order of a life: pending_new with the whole order, new with the ids, trade for each fill
(its order_status stays partially_filled), then filled, canceled or expired. In between: status when a trigger moved or
was set off, iceberg_refill, and amended or restated with the whole order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from .closes import Close
from .figures import fixed, rescale, stamp
from .limits import points
from .offsets import Offset, is_relative, read_offset
from .orders import Event, Order, Terms, Trade, event, price_decimals, shown_cost
from .quotas import figure
from .venue import Venue

_SNAP_TRADES = 50
_WHOLE_KINDS = ("pending_new", "amended", "restated")
_QUIET_KINDS = ("new", "filled", "canceled", "expired")
_USD_DECIMALS = 4
_COUNTER_FIELD = "ratecounter"  # Kraken documents that there is one, not its name


@dataclass(slots=True)
class Executions:
    """One account's subscription: what it asked for and how far its sequence has come.

    `counted` rows carry the engine counter.
    """

    account: str
    snap_orders: bool
    snap_trades: bool
    order_status: bool
    counted: bool = False
    sequence: int = 0

    def snapshot(self, venue: Venue, now: int) -> bytes:
        """Return the snapshot: open orders, then the last 50 fills, as far as they were asked for.

        The counter in its rows is that of `now` (the owner's clock), not of the row's event.
        """

        def counter(order: Order) -> int:
            return venue.quotas.level(order.terms.pair.id, now)

        rows: list[dict[str, Any]] = []
        if self.snap_orders:
            rows += [self._counted(_snap_row(order), counter(order)) for order in venue.orders.open_ones()]
        if self.snap_trades:
            newest = list(venue.orders.trades.values())[-_SNAP_TRADES:]
            rows += [self._counted(_trade_row(_as_event(trade), trade), counter(trade.order)) for trade in newest]
        return self._frame("snapshot", rows)

    def update(self, happened: Event, *, skip: bool) -> bytes | None:
        """Return the frame of one event, or None when it was not asked for; `skip` loses a sequence number."""
        if not self.order_status and happened.kind not in _QUIET_KINDS:
            return None
        if skip:
            self.sequence += 1
        return self._frame("update", [self._counted(row(happened), happened.counter)])

    def _counted(self, data: dict[str, Any], counter: int) -> dict[str, Any]:
        return data | {_COUNTER_FIELD: figure(points(counter))} if self.counted else data

    def _frame(self, kind: str, rows: Iterable[dict[str, Any]]) -> bytes:
        self.sequence += 1
        frame = {"channel": "executions", "type": kind, "data": list(rows), "sequence": self.sequence}
        return msgspec.json.encode(frame)


def raw(value: int, decimals: int) -> msgspec.Raw:
    """Return a figure as a JSON number with all its places."""
    return msgspec.Raw(fixed(value, decimals).encode())


def row(happened: Event) -> dict[str, Any]:
    """Return the row of one event."""
    if happened.kind in _WHOLE_KINDS:
        return _whole(happened)
    if happened.trade is not None:
        return _trade_row(happened, happened.trade)
    data = {"timestamp": stamp(happened.at), "order_status": happened.status, "exec_type": happened.kind}
    data |= _references(happened.order)
    if happened.kind == "status":
        return data | _triggers(happened)
    if happened.kind == "iceberg_refill":
        return data | _display(happened)
    return data if happened.kind == "new" else data | _totals(happened)


def _references(order: Order) -> dict[str, Any]:
    data: dict[str, Any] = {"order_id": order.id}
    if order.terms.cl_ord_id is not None:
        data["cl_ord_id"] = order.terms.cl_ord_id
    if order.terms.userref is not None:
        data["order_userref"] = order.terms.userref
    return data


def _whole(happened: Event) -> dict[str, Any]:
    order, terms, pair = happened.order, happened.terms, happened.terms.pair
    data: dict[str, Any] = _references(order) | {
        "symbol": pair.symbol,
        "order_qty": raw(terms.lots, pair.lot_decimals),
        "cum_qty": raw(happened.filled, pair.lot_decimals),
        "cum_cost": raw(shown_cost(pair, happened.cost), pair.cost_decimals),
        "time_in_force": terms.tif,
        "exec_type": happened.kind,
        "side": terms.side,
        "order_type": terms.kind,
        "order_status": happened.status,
        "fee_usd_equiv": _usd(happened.fee_usd),
        "fee_ccy_pref": "fcib" if terms.fee_in_base else "fciq",
        "timestamp": stamp(happened.at),
    }
    if happened.filled:
        data["avg_price"] = raw(happened.average, price_decimals(pair))
    return data | _limit_price(terms) | _wishes(terms) | _display(happened) | _triggers(happened) | _change(happened)


def _limit_price(terms: Terms) -> dict[str, Any]:
    """Return the limit price; of a trailing stop that was not set off, how far it will lie from the stop."""
    if terms.price is not None:
        return {"limit_price_type": "static", "limit_price": raw(terms.price, terms.pair.pair_decimals)}
    if terms.trigger is not None and terms.trigger.limit is not None:
        return _distance("limit_price", terms.trigger.limit)
    return {}


def _wishes(terms: Terms) -> dict[str, Any]:
    """Return what else was asked for, each only if it was."""
    data: dict[str, Any] = {}
    if terms.budget is not None:
        data["cash_order_qty"] = raw(shown_cost(terms.pair, terms.budget), terms.pair.cost_decimals)
    for name, wished in (
        ("post_only", terms.post),
        ("reduce_only", terms.reduce_only),
        ("margin", terms.leverage is not None),
        ("liquidated", terms.liquidates),
    ):
        if wished:
            data[name] = True
    if terms.starts is not None:
        data["effective_time"] = stamp(terms.starts)
    if terms.expires is not None:
        data["expire_time"] = stamp(terms.expires)
    if terms.close is not None:
        data["contingent"] = _contingent(terms.close, terms)
    return data


def _contingent(close: Close, terms: Terms) -> dict[str, Any]:
    """Return a conditional close: Kraken's REST prices under the WebSocket's names."""
    prices = {"trigger_price": close.price, "limit_price": close.price2}
    if close.kind == "limit":
        prices = {"limit_price": close.price}
    data: dict[str, Any] = {"order_type": close.kind}
    for name, text in prices.items():
        if text and is_relative(text):
            data |= _distance(name, read_offset(text, name, natural=1))
        elif text:
            data |= {
                name: msgspec.Raw(f"{Decimal(text):.{terms.pair.pair_decimals}f}".encode()),
                f"{name}_type": "static",
            }
    return data


def _distance(name: str, offset: Offset) -> dict[str, Any]:
    figure_text = f"{offset.sign * offset.amount:f}"
    return {name: msgspec.Raw(figure_text.encode()), f"{name}_type": "pct" if offset.percent else "quote"}


def _display(happened: Event) -> dict[str, Any]:
    display, decimals = happened.terms.display, happened.terms.pair.lot_decimals
    if display is None:
        return {}
    return {"display_qty": raw(display, decimals), "display_qty_remain": raw(happened.shown, decimals)}


def _triggers(happened: Event) -> dict[str, Any]:
    """Return the trigger as it stood at the event."""
    trigger, watch, pair = happened.terms.trigger, happened.watch, happened.terms.pair
    if trigger is None:
        return {}
    data: dict[str, Any] = {"reference": trigger.reference}
    if trigger.trail is None:
        data |= {"price": raw(trigger.stop, pair.pair_decimals), "price_type": "static"}
    else:
        data |= _distance("price", trigger.trail)
    if watch is not None:
        prices = {"actual_price": watch.stop, "last_price": watch.seen}
        prices |= {"peak_price": watch.peak} if trigger.trail is not None else {}
        data |= {name: raw(price, pair.pair_decimals) for name, price in prices.items()}
    at = None if watch is None else watch.at
    data |= {"status": "untriggered"} if at is None else {"status": "triggered", "timestamp": stamp(at)}
    return {"triggers": data}


def _change(happened: Event) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if happened.order.parent is not None:
        data["ord_ref_id"] = happened.order.parent
    if happened.amended:
        data["amended"] = True
    if happened.kind == "restated" and happened.reason is not None:
        data["reason"] = happened.reason
    return data


def _totals(happened: Event) -> dict[str, Any]:
    pair = happened.order.terms.pair
    data: dict[str, Any] = {
        "cum_qty": raw(happened.filled, pair.lot_decimals),
        "cum_cost": raw(shown_cost(pair, happened.cost), pair.cost_decimals),
        "avg_price": raw(happened.average, price_decimals(pair)),
        "fee_usd_equiv": _usd(happened.fee_usd),
    }
    if happened.reason is not None:
        data |= {"reason": happened.reason, "cancel_reason": happened.reason}
    return data


def _trade_row(happened: Event, trade: Trade) -> dict[str, Any]:
    order, terms, pair = happened.order, happened.order.terms, happened.order.terms.pair
    asset = trade.fee_asset
    return _references(order) | {
        "exec_id": trade.id,
        "exec_type": "trade",
        "trade_id": trade.trade_id,
        "symbol": pair.symbol,
        "side": terms.side,
        "last_qty": raw(trade.lots, pair.lot_decimals),
        "last_price": raw(trade.price, pair.pair_decimals),
        "liquidity_ind": "m" if trade.maker else "t",
        "cost": raw(shown_cost(pair, trade.cost), pair.cost_decimals),
        "order_type": terms.kind,
        "timestamp": stamp(trade.at),
        "order_status": happened.status,
        "cum_qty": raw(happened.filled, pair.lot_decimals),
        "cum_cost": raw(shown_cost(pair, happened.cost), pair.cost_decimals),
        "avg_price": raw(happened.average, price_decimals(pair)),
        "fee_usd_equiv": _usd(happened.fee_usd),
        "fees": [{"asset": asset.name, "qty": raw(trade.charged, asset.decimals)}],
    }


def _snap_row(order: Order) -> dict[str, Any]:
    waits = "pending_new" if order.live is None else "new"
    return _whole(event("new", order, order.opened, status="partially_filled" if order.filled else waits))


def _as_event(trade: Trade) -> Event:
    return event(
        "trade", trade.order, trade.at, status="filled" if trade.order.status == "closed" else "partially_filled"
    )


def _usd(amount: float) -> msgspec.Raw:
    return raw(rescale(round(amount * 1e6), 6, _USD_DECIMALS), _USD_DECIMALS)
