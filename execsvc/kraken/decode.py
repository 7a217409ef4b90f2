"""Kraken's private answers → domain values: orders, fills, balances, key facts. Every field is checked or refused.

"closed" means filled whole, "canceled" may have filled in part (kraken.md 6). `descr.pair` of an order is an altname,
`pair` of a trade an id: both go through names.py.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Raw

from execsvc.domain.account import AssetAmount, Balance, Fill, KeyFacts
from execsvc.domain.market import EventTimes
from execsvc.domain.order import Status, VenueOrder
from execsvc.kraken import specs, wire
from execsvc.kraken.figures import count, figure, positive, unix_ns
from execsvc.kraken.names import Names
from execsvc.kraken.specs import FIRED, SIDES

STATUS: Mapping[str, Status] = {
    "pending": Status.PENDING,
    "open": Status.OPEN,
    "closed": Status.FILLED,
    "canceled": Status.CANCELLED,
    "expired": Status.EXPIRED,
}
_U64_DIGITS = 20
_UUID_DIGITS = 32

_open = wire.decoder(wire.OpenOrders)
_closed = wire.decoder(wire.ClosedOrders)
_queried = wire.decoder(dict[str, wire.OrderRow])
_placed = wire.decoder(wire.Placed)
_cancelled = wire.decoder(wire.Cancelled)
_balances = wire.decoder(dict[str, wire.BalanceRow])
_history = wire.decoder(wire.TradesHistory)
_token = wire.decoder(wire.SocketToken)
_mapping = wire.decoder(dict[str, Any])


def placed(result: Raw) -> str:
    """The txid of AddOrder; exactly one."""
    txids = _placed(result).txid
    if len(txids) != 1 or not txids[0]:
        raise wire.broken("AddOrder named no single txid")
    return txids[0]


def cancelled(result: Raw) -> wire.Cancelled:
    """How many were cancelled, and whether it is done."""
    return _cancelled(result)


def open_orders(result: Raw, names: Names) -> dict[str, VenueOrder]:
    """OpenOrders by txid."""
    return _orders(_open(result).open, names)


def closed_orders(result: Raw, names: Names) -> tuple[dict[str, VenueOrder], int | None]:
    """One page of ClosedOrders by txid, and how many there are in all where it says so."""
    page = _closed(result)
    return _orders(page.closed, names), None if page.count is None else count(page.count)


def queried_orders(result: Raw, names: Names) -> dict[str, VenueOrder]:
    """QueryOrders by txid; ids Kraken does not know are missing."""
    return _orders(_queried(result), names)


def order(txid: str, row: wire.OrderRow, names: Names) -> VenueOrder:
    """One order as REST shows it: its figures are cumulative."""
    status = STATUS.get(row.status)
    if status is None:
        raise wire.broken(f"order status {row.status!r}")
    filled = positive(row.vol_exec)
    return VenueOrder(
        venue_order_id=txid,
        venue_client_id=client_id(row.cl_ord_id),
        status=status,
        filled_quantity=filled,
        filled_cost=positive(row.cost),
        total_fees=_fees(row, names) if filled else (),
        open_time_ns=unix_ns(row.opentm),
        reason=row.reason or "",
        spec=specs.of_row(row, names),
        parent_order_id=row.refid or "",
        current_trigger_price=positive(row.stopprice) if row.stopprice else None,
        triggered=not FIRED.isdisjoint(row.misc.split(",")),
    )


def client_id(told: str | None) -> str | None:
    """`cl_ord_id` in the form we send it: Kraken keeps it as 128 bits and may print them its own way (kraken.md 4.4)."""
    if not told:
        return None
    bare = told.replace("-", "").lower()
    if len(bare) != _UUID_DIGITS or set(bare) - set("0123456789abcdef"):
        return told
    return "-".join((bare[:8], bare[8:12], bare[12:16], bare[16:20], bare[20:]))


def fill(fill_id: str, row: wire.HistoryRow, account: str, names: Names, receive_ns: int) -> Fill:
    """One execution of TradesHistory. Its fee is taken to be in the quote: REST does not say (the stream does).

    A pair that is listed no more keeps the name Kraken gives it, and its fee's asset is unknown: empty.
    """
    symbol = names.symbol(row.pair)
    instrument = None if symbol is None else names.instrument(symbol)
    side = SIDES.get(row.type)
    if side is None or (instrument is None and not names.known):
        raise wire.broken(f"trade {fill_id} of pair {row.pair!r}, type {row.type!r}")
    fee = figure(row.fee)
    return Fill(
        fill_id=fill_id,
        account=account,
        caller="",
        venue_order_id=row.ordertxid,
        client_order_id="",
        symbol=row.pair if instrument is None else instrument.symbol,
        side=side,
        price=positive(row.price),
        quantity=positive(row.vol),
        cost=positive(row.cost),
        fees=(AssetAmount("" if instrument is None else instrument.quote, fee),) if fee else (),
        maker=row.maker,
        times=EventTimes(unix_ns(row.time), receive_ns),
        position_id=row.postxid if row.posstatus else "",
    )


def fills_page(result: Raw) -> tuple[list[tuple[str, wire.HistoryRow]], int | None]:
    """One page of TradesHistory, newest first, and how many there are in all where it says so."""
    page = _history(result)
    total = None if page.count is None else count(page.count)
    if isinstance(page.trades, list):
        _must_be_empty(page.trades)
        return [], total
    return sorted(page.trades.items(), key=lambda item: figure(item[1].time), reverse=True), total


def balances(result: Raw, names: Names, receive_ns: int) -> tuple[Balance, ...]:
    """BalanceEx, what is not zero, by plain asset; two ids of one plain code are added up."""
    sums: dict[str, list[Decimal]] = {}
    for code, row in _balances(result).items():
        figures = [figure(each) for each in (row.balance, row.hold_trade, row.credit, row.credit_used)]
        sums[names.asset(code)] = _added(sums.get(names.asset(code)), figures)
    return tuple(
        Balance(asset, total, held, credit, used, receive_ns)
        for asset, (total, held, credit, used) in sorted(sums.items())
        if any((total, held, credit, used))
    )


def socket_token(result: Raw) -> str:
    """GetWebSocketsToken. The token is a secret."""
    token = _token(result).token
    if not token:
        raise wire.broken("the WebSocket token is empty")
    return token


def key_facts(result: Raw) -> KeyFacts:
    """GetApiKeyInfo, in the reference's camelCase or the recorded snake_case (kraken.md 2.3: uncertain which)."""
    told = _mapping(result)
    permissions = told.get("permissions")
    allowed_from = _told(told, "ip_allowlist", "ipAllowlist")
    if not isinstance(permissions, list):
        raise wire.broken("GetApiKeyInfo tells no permissions")
    valid_until = _count(_told(told, "valid_until", "validUntil"))
    return KeyFacts(
        name=str(_told(told, "api_key_name", "apiKeyName") or ""),
        permissions=frozenset(str(each) for each in permissions),
        nonce=_count(told.get("nonce")),
        nonce_window=_count(_told(told, "nonce_window", "nonceWindow")),
        valid_until_ns=valid_until * 1_000_000_000 if valid_until else None,
        ip_allowlist=tuple(str(each) for each in allowed_from if each) if isinstance(allowed_from, list) else (),
    )


def _orders(rows: dict[str, wire.OrderRow] | list[Any], names: Names) -> dict[str, VenueOrder]:
    if isinstance(rows, list):
        _must_be_empty(rows)
        return {}
    return {txid: order(txid, row, names) for txid, row in rows.items()}


def _must_be_empty(rows: list[Any]) -> None:
    if rows:
        raise wire.broken("a list came where a map was due")


def _fees(row: wire.OrderRow, names: Names) -> tuple[AssetAmount, ...] | None:
    """In the quote unless the order asked for base (fcib); None (not told) when the pair is unknown here."""
    symbol = names.symbol(row.descr.pair)
    instrument = None if symbol is None else names.instrument(symbol)
    if instrument is None:
        return None
    asset = instrument.base if "fcib" in row.oflags.split(",") else instrument.quote
    fee = figure(row.fee)
    return (AssetAmount(asset, fee),) if fee else ()


def _added(held: list[Decimal] | None, figures: list[Decimal]) -> list[Decimal]:
    return figures if held is None else [one + other for one, other in zip(held, figures, strict=True)]


def _told(told: Mapping[str, Any], *names: str) -> Any:
    return next((told[name] for name in names if name in told), None)


def _count(value: Any) -> int | None:
    """A whole number, as number or text; None when it is not told."""
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _U64_DIGITS:
        return int(value)
    raise wire.broken(f"{str(value)[:40]!r} is no count")
