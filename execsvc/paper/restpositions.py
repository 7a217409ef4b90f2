"""Positions as REST tells them: OpenPositions, and what TradesHistory adds for a fill that opened or closed one.

What a position is worth and costs is positions.py's and margin.py's; here it gets Kraken's names and places.
"""

from collections.abc import Callable, Mapping
from typing import Any

from .figures import NS, fixed, seconds
from .orders import Trade, average_price, price_decimals, shown_cost
from .params import Params
from .positions import Position
from .venue import Call, Handler, Venue

_TYPES = ("all", "any position", "closed position", "closing position", "no position")


def open_positions(venue: Venue, call: Call) -> Any:
    """OpenPositions: by id, or with consolidation=market one row a pair and side; nothing open is an empty list."""
    wanted, docalcs = call.params.words("txid"), call.params.flag("docalcs")
    whole = call.params.choice("consolidation", ("", "market"), "")
    chosen = [position for position in venue.margin.positions if not wanted or position.id in wanted]
    if whole:
        return _by_market(venue, chosen)
    rows = {position.id: _row(venue, position) | _calcs(venue, position, docalcs=docalcs) for position in chosen}
    return rows or []


def of_type(venue: Venue, params: Params) -> Callable[[Trade], bool]:
    """Read TradesHistory's `type` and return which fills it means; raises Refused for a word Kraken does not have."""
    positions = venue.margin.positions

    def closed(trade: Trade) -> bool:
        opened = positions.opened_by(trade)
        return opened is not None and not opened.left

    def any_of_them(trade: Trade) -> bool:
        return positions.opened_by(trade) is not None or bool(positions.closed_by(trade))

    return {
        "any position": any_of_them,
        "closed position": closed,
        "closing position": lambda trade: bool(positions.closed_by(trade)),
        "no position": lambda trade: not any_of_them(trade),
    }.get(params.choice("type", _TYPES, "all"), lambda _: True)


def with_position(venue: Venue, trade: Trade, row: dict[str, Any], *, trades: bool) -> dict[str, Any]:
    """Return a fill's row, completed when it was on margin; `trades` lists the fills that closed its position."""
    terms, pair = trade.order.terms, trade.order.terms.pair
    if not terms.leverage:
        return row
    row = row | {"leverage": str(terms.leverage)}
    if "ledgers" in row:
        row["ledgers"] = [trade.entries[0]]  # a fill on margin is one entry: fee, and what a close brought
    if venue.margin.positions.closed_by(trade):
        row["misc"] = "closing"
    position = venue.margin.positions.opened_by(trade)
    if position is None:
        return row
    places = price_decimals(pair)
    row |= {
        "margin": _money(position.margin, position),
        "posstatus": "open" if position.left else "closed",
        "cprice": fixed(average_price(pair, position.ccost, position.closed), places),
        "ccost": _money(position.ccost, position),
        "cfee": _money(position.cfee, position),
        "cvol": fixed(position.closed, pair.lot_decimals),
        "cmargin": _money(position.margin - position.margin_left, position),
        "net": _signed(position.net, position),
    }
    return row | ({"trades": list(position.closers)} if trades else {})


POSITIONS: Mapping[str, tuple[tuple[str, ...], Handler]] = {
    "OpenPositions": (("query-open-trades",), open_positions),
}


def _row(venue: Venue, position: Position) -> dict[str, Any]:
    order, pair = position.opener.order, position.pair
    return {
        "ordertxid": order.id,
        "posstatus": "open",
        "pair": pair.id,
        "time": seconds(position.opener.at),
        "type": position.side,
        "ordertype": order.terms.kind,
        "cost": _money(position.cost, position),
        "fee": _money(position.fee, position),
        "vol": fixed(position.lots, pair.lot_decimals),
        "vol_closed": fixed(position.closed, pair.lot_decimals),
        "margin": _money(position.margin, position),
        "terms": f"{fixed(venue.margin.borrowing_ppm(position), 4)}% per 4 hours",
        "rollovertm": str(venue.dial.reads(position.rolls) // NS),
        "misc": "",
        "oflags": "",
    }


def _calcs(venue: Venue, position: Position, *, docalcs: bool) -> dict[str, str]:
    if not docalcs:
        return {}
    value = venue.margin.value(position)
    return {"value": fixed(value, position.pair.quote.decimals), "net": _signed(position.gain(value), position)}


def _by_market(venue: Venue, positions: list[Position]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str], list[Position]] = {}
    for position in positions:
        groups.setdefault((position.pair.id, position.side), []).append(position)
    return [_group(venue, group) for group in groups.values()]


def _group(venue: Venue, group: list[Position]) -> dict[str, Any]:
    first, pair = group[0], group[0].pair
    cost, margin = sum(p.cost_left for p in group), sum(p.margin_left for p in group)
    value = sum(venue.margin.value(p) for p in group)
    return {
        "pair": pair.id,
        "positions": str(len(group)),
        "type": first.side,
        "leverage": f"{cost / margin:.5f}" if margin else "0",
        "cost": _money(cost, first),
        "fee": _money(sum(p.fee for p in group), first),
        "vol": fixed(sum(p.lots for p in group), pair.lot_decimals),
        "vol_closed": fixed(sum(p.closed for p in group), pair.lot_decimals),
        "margin": _money(margin, first),
        "value": fixed(value, pair.quote.decimals),
        "net": _signed(sum(p.gain(venue.margin.value(p)) for p in group), first),
    }


def _money(amount: int, position: Position) -> str:
    return fixed(shown_cost(position.pair, amount), position.pair.cost_decimals)


def _signed(amount: int, position: Position) -> str:
    text = fixed(amount, position.pair.quote.decimals)
    return text if amount < 0 else f"+{text}"
