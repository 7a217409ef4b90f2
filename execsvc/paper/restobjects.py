"""Orders, amends and trades as REST prints them: the shape that OpenOrders, ClosedOrders and QueryOrders share.

`as_of` is the instant the index has reached, on the owner's clock. What happened later is not shown yet. The texts that
describe an order in one line are here too.
"""

from decimal import Decimal
from typing import Any

from .figures import fixed, rescale, seconds
from .offsets import is_relative, read_offset
from .orders import Amend, Order, Terms, Trade, average_price, price_decimals, price_texts, shown_cost
from .pairs import Pair

_WORDS = {
    "stop-loss": "stop loss",
    "stop-loss-limit": "stop loss",
    "take-profit": "take profit",
    "take-profit-limit": "take profit",
    "trailing-stop": "trailing stop",
    "trailing-stop-limit": "trailing stop",
    "settle-position": "settle position",
    "iceberg": "limit",
}


def order_object(order: Order, as_of: int, *, trades: bool) -> dict[str, Any]:
    """Return an order as the index knows it at that instant."""
    terms, pair = order.terms_at(as_of), order.terms.pair
    decimals = price_decimals(pair)
    fills = [trade for trade in order.trades if trade.booked <= as_of]
    cost, filled = sum(trade.cost for trade in fills), sum(trade.lots for trade in fills)
    ended = order.until is not None and order.until <= as_of
    if terms.kind == "settle-position" and ended:
        cost, filled = order.cost, order.filled
    row: dict[str, Any] = {
        "refid": order.parent,
        "userref": terms.userref or 0,
        "status": _status(order, as_of, ended=ended),
        "opentm": seconds(order.opened),
        "starttm": seconds(terms.starts) if terms.starts else 0,
        "expiretm": seconds(terms.expires) if terms.expires else 0,
        "descr": _descr(terms),
        "vol": _volume(terms),
        "vol_exec": fixed(filled, pair.lot_decimals),
        "cost": fixed(shown_cost(pair, cost), pair.cost_decimals),
        "fee": fixed(shown_cost(pair, sum(trade.fee for trade in fills)), pair.cost_decimals),
        "price": fixed(average_price(pair, cost, filled), decimals),
        "stopprice": _padded(_stop_price(order, as_of), pair),
        "limitprice": _padded((terms.price or 0) if _fired(order, as_of) else 0, pair),
        "misc": _misc(order, as_of, partial=bool(filled) and not ended),
        "oflags": ",".join(terms.flags),
    }
    row |= _asked_for(terms)
    if trades and fills:
        row["trades"] = [trade.id for trade in fills]
    if ended and order.closed is not None:
        row |= {"reason": order.reason, "closetm": seconds(order.closed)}
    return row


def amend_rows(order: Order, as_of: int) -> list[dict[str, Any]]:
    """Return an order's history of amends up to that instant, the order as it was placed first."""
    done = [amend for amend in order.amends if amend.booked <= as_of]
    first = order.amends[0].before if order.amends else order.terms
    rows = [_amend_row(f"T{order.id[1:]}", "original", first, left=first.lots, at=order.opened, post=first.post)]
    return rows + [_change_row(amend) for amend in done]


def trade_object(trade: Trade, *, ledgers: bool) -> dict[str, Any]:
    """Return a trade in the shape of TradesHistory."""
    terms, pair = trade.order.terms, trade.order.terms.pair
    row: dict[str, Any] = {
        "ordertxid": trade.order.id,
        "postxid": trade.position,
        "pair": pair.id,
        "time": seconds(trade.at),
        "type": terms.side,
        "ordertype": terms.kind,
        "price": _padded(trade.price, pair),
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


def describe(terms: Terms) -> str:
    """Return Kraken's one-line text of an order: "buy 1.25000000 XBTUSD @ limit 27500.0"."""
    where = _where(terms.kind, *price_texts(terms))
    leverage = "" if terms.leverage is None else f" with {terms.leverage}:1 leverage"
    return f"{terms.side} {_volume(terms)} {terms.pair.altname} @ {where}{leverage}"


def describe_close(terms: Terms) -> str:
    """Return the text of a conditional close: "close position @ stop loss 22000.0 -> limit 21000.0"; empty for none."""
    close = terms.close
    if close is None:
        return ""
    price, price2 = (_figure(text, terms.pair) for text in (close.price, close.price2))
    return f"close position @ {_where(close.kind, price, price2)}"


def _asked_for(terms: Terms) -> dict[str, Any]:
    """Return the fields that an order has only if they were asked for."""
    row: dict[str, Any] = {}
    if terms.cl_ord_id is not None:
        row["cl_ord_id"] = terms.cl_ord_id
    if terms.trigger is not None:
        row["trigger"] = terms.trigger.reference
    if terms.leverage is not None:
        row["margin"] = True
    if terms.reduce_only:
        row["reduce_only"] = True
    if terms.display is not None:
        row["displayvol"] = fixed(terms.display, terms.pair.lot_decimals)
    return row


def _where(kind: str, price: str, price2: str) -> str:
    word = _WORDS.get(kind, kind)
    if kind in ("market", "settle-position"):
        return word
    return f"{word} {price}" if price2 in ("", "0") else f"{word} {price} -> limit {price2}"


def _figure(text: str, pair: Pair) -> str:
    """Return a template's price as it is described: a figure with the pair's places, a distance with its sign."""
    if not text:
        return text
    if is_relative(text):
        return read_offset(text, "close", natural=0).text(pair)
    return f"{Decimal(text):.{pair.pair_decimals}f}"


def _descr(terms: Terms) -> dict[str, str]:
    price, price2 = price_texts(terms)
    return {
        "pair": terms.pair.altname,
        "type": terms.side,
        "ordertype": terms.kind,
        "price": price,
        "price2": price2,
        "leverage": "none" if terms.leverage is None else f"{terms.leverage}:1",
        "order": describe(terms),
        "close": describe_close(terms),
    }


def _volume(terms: Terms) -> str:
    pair = terms.pair
    if terms.budget is not None:
        return fixed(rescale(terms.budget, pair.quote.decimals, pair.lot_decimals), pair.lot_decimals)
    return fixed(terms.lots, pair.lot_decimals)


def _status(order: Order, as_of: int, *, ended: bool) -> str:
    if ended:
        return order.status
    return "pending" if order.live is None or order.live > as_of else "open"


def _fired(order: Order, as_of: int) -> bool:
    return order.watch is not None and order.watch.fired is not None and order.watch.fired <= as_of


def _stop_price(order: Order, as_of: int) -> int:
    """Return the stop as Kraken fills it in: a trailing one's at any time, another's once it was set off."""
    if order.watch is None:
        return 0
    return order.watch.stop if order.terms.trailing or _fired(order, as_of) else 0


def _misc(order: Order, as_of: int, *, partial: bool) -> str:
    fired = _fired(order, as_of)
    touched = fired and order.terms.kind.startswith("take-profit")
    words = {
        "stopped": fired and not touched,
        "touched": touched,
        "liquidated": order.terms.liquidates,
        "partial": partial,
        "amended": bool(order.amends) and order.amends[0].booked <= as_of,
    }
    return ",".join(word for word, holds in words.items() if holds)


def _change_row(amend: Amend) -> dict[str, Any]:
    row = _amend_row(amend.id, amend.kind, amend.after, left=amend.left, at=amend.at, post=amend.post)
    return row if amend.reason is None else row | {"reason": amend.reason}


def _amend_row(amend_id: str, kind: str, terms: Terms, *, left: int, at: int, post: bool) -> dict[str, Any]:
    pair, trigger = terms.pair, terms.trigger
    row: dict[str, Any] = {
        "amend_id": amend_id,
        "amend_type": kind,
        "order_qty": fixed(terms.lots, pair.lot_decimals),
        "remaining_qty": fixed(left, pair.lot_decimals),
    }
    if terms.price is not None:
        row["limit_price"] = fixed(terms.price, pair.pair_decimals)
    if terms.display is not None:
        row["display_qty"] = fixed(terms.display, pair.lot_decimals)
    if trigger is not None and trigger.trail is None:
        row["trigger_price"] = fixed(trigger.stop, pair.pair_decimals)
    if post:
        row["post_only"] = True
    return row | {"timestamp": at}


def _padded(price: int, pair: Pair) -> str:
    decimals = price_decimals(pair)
    return fixed(rescale(price, pair.pair_decimals, decimals), decimals)
