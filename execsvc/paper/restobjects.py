"""Orders and trades as REST prints them: the shape that OpenOrders, ClosedOrders, QueryOrders and TradesHistory share.

`as_of` is the instant the index has reached, on the owner's clock. What happened later is not shown yet.
"""

from typing import Any

from .figures import fixed, rescale, seconds
from .orders import Order, Trade, average_price, price_decimals, shown_cost


def order_object(order: Order, as_of: int, *, trades: bool) -> dict[str, Any]:
    """Return an order as the index knows it at that instant."""
    terms, pair = order.terms, order.terms.pair
    decimals = price_decimals(pair)
    fills = [trade for trade in order.trades if trade.booked <= as_of]
    cost, filled = sum(trade.cost for trade in fills), sum(trade.lots for trade in fills)
    ended = order.until is not None and order.until <= as_of
    row: dict[str, Any] = {
        "refid": None,
        "userref": terms.userref or 0,
        "status": order.status if ended else "open",
        "opentm": seconds(order.opened),
        "starttm": 0,
        "expiretm": seconds(terms.expires) if terms.expires else 0,
        "descr": _descr(order),
        "vol": _volume(order),
        "vol_exec": fixed(filled, pair.lot_decimals),
        "cost": fixed(shown_cost(pair, cost), pair.cost_decimals),
        "fee": fixed(shown_cost(pair, sum(trade.fee for trade in fills)), pair.cost_decimals),
        "price": fixed(average_price(pair, cost, filled), decimals),
        "stopprice": fixed(0, decimals),
        "limitprice": fixed(0, decimals),
        "misc": "" if ended or not filled else "partial",
        "oflags": ",".join(terms.flags),
    }
    if terms.cl_ord_id is not None:
        row["cl_ord_id"] = terms.cl_ord_id
    if trades and fills:
        row["trades"] = [trade.id for trade in fills]
    if ended and order.closed is not None:
        row |= {"reason": order.reason, "closetm": seconds(order.closed)}
    return row


def trade_object(trade: Trade, *, ledgers: bool) -> dict[str, Any]:
    """Return a trade in the shape of TradesHistory."""
    terms, pair = trade.order.terms, trade.order.terms.pair
    decimals = price_decimals(pair)
    row: dict[str, Any] = {
        "ordertxid": trade.order.id,
        "postxid": trade.position,
        "pair": pair.id,
        "time": seconds(trade.at),
        "type": terms.side,
        "ordertype": terms.kind,
        "price": fixed(rescale(trade.price, pair.pair_decimals, decimals), decimals),
        "cost": fixed(shown_cost(pair, trade.cost), pair.cost_decimals),
        "fee": fixed(shown_cost(pair, trade.fee), pair.cost_decimals),
        "vol": fixed(trade.lots, pair.lot_decimals),
        "margin": fixed(0, pair.cost_decimals),
        "leverage": "0",
        "misc": "",
        "trade_id": trade.trade_id,
        "maker": trade.maker,
    }
    if ledgers:
        row["ledgers"] = list(trade.entries)
    return row


def describe(order: Order) -> str:
    """Return Kraken's one-line text of an order: "buy 1.25000000 XBTUSD @ limit 27500.0"."""
    terms, pair = order.terms, order.terms.pair
    where = "market" if terms.price is None else f"limit {fixed(terms.price, pair.pair_decimals)}"
    return f"{terms.side} {_volume(order)} {pair.altname} @ {where}"


def _descr(order: Order) -> dict[str, str]:
    terms, pair = order.terms, order.terms.pair
    return {
        "pair": pair.altname,
        "type": terms.side,
        "ordertype": terms.kind,
        "price": "0" if terms.price is None else fixed(terms.price, pair.pair_decimals),
        "price2": "0",
        "leverage": "none",
        "order": describe(order),
        "close": "",
    }


def _volume(order: Order) -> str:
    terms, pair = order.terms, order.terms.pair
    if terms.budget is not None:
        return fixed(rescale(terms.budget, pair.quote.decimals, pair.lot_decimals), pair.lot_decimals)
    return fixed(terms.lots, pair.lot_decimals)
