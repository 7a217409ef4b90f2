"""What becomes of each call of Kraken's spot API here: the RPCs it serves, or why it is not made. One table, one page.

`.venv/bin/python tools/kraken_coverage.py` writes the page. A test holds the table to the adapter's endpoints and channels
and to the methods that are built, so a call that comes into use, or an RPC that goes, shows here.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "kraken-coverage.md"

HEAD = """\
# Kraken's API and execsvc

<!-- Made by tools/kraken_coverage.py: change that, not this page. -->

Every call and channel of Kraken's spot API, and what becomes of it here. Who looks for something that Kraken can do finds
the RPC that does it, or why there is none. What is known of each call is in [kraken.md](../kraken.md); the RPCs are in
`proto/`. Futures, OTC and NFT have APIs of their own and are no part of this.

Absent on purpose, each with its reason below: deposits, withdrawals, transfers, subaccounts, Earn, exports, and `EditOrder`.
"""
NO_MONEY_LEAVES = "no money moves in or out through execsvc: a key that may withdraw is refused at start"
NO_FUNDING = "deposits and withdrawals are a person's business, in Kraken's own pages"
NO_SUBACCOUNTS = "for institutions only; an account here is one key's"
NO_EARN = "staking is no execution; what it pays shows in ListBalances and ListLedgerEntries"
NO_EXPORT = "files for a tax adviser; ListFills and ListLedgerEntries give the same rows in pages"
OVER_REST = "orders go over REST, where the nonce fences a late one; over a socket only the deadline would"


@dataclass(frozen=True)
class Row:
    """One call, method or channel, by Kraken's name. serves: methods as Service/Method; none: not used, note says why."""

    call: str
    serves: tuple[str, ...]
    note: str


def _market(*names: str) -> tuple[str, ...]:
    return tuple(f"MarketDataService/{name}" for name in names)


def _orders(*names: str) -> tuple[str, ...]:
    return tuple(f"OrderService/{name}" for name in names)


def _account(*names: str) -> tuple[str, ...]:
    return tuple(f"AccountService/{name}" for name in names)


def _admin(*names: str) -> tuple[str, ...]:
    return tuple(f"AdminService/{name}" for name in names)


def _unused(why: str, *calls: str) -> tuple[Row, ...]:
    return tuple(Row(call, (), why) for call in calls)


PUBLIC = (
    Row("Time", _admin("GetVenueStatus"), "Kraken's clock against ours, by which deadlines are sent"),
    Row("SystemStatus", _admin("GetVenueStatus"), "the mode of the exchange, while no socket tells it"),
    Row("Assets", _market("ListAssets", "ListInstruments"), "with every spelling an asset goes by"),
    Row("AssetPairs", _market("ListInstruments"), "the rules an order must meet"),
    Row("Ticker", _market("GetTickers", "SubscribeTickers"), "where no feed is live"),
    Row("Depth", _market("GetBook"), "where no feed is live; also to find out a book that stands still"),
    Row("OHLC", _market("ListCandles", "SubscribeCandles"), "and the closed candles a stream begins with"),
    Row("Trades", _market("ListTrades", "SubscribeTrades"), "and to find out a stream that fell silent"),
    *_unused("the best bid and ask are in the ticker and the book", "Spread"),
    *_unused("a book by price steps can be made from GetBook", "GroupedBook"),
    *_unused("undocumented, or for regulators", "PreTrade", "PostTrade", "MaintenanceSchedule"),
)
ACCOUNT = (
    Row("BalanceEx", _account("ListBalances", "SubscribeBalances"), "read when the private line tells of a change"),
    Row("TradeBalance", _account("GetMarginSummary"), "valued in any asset"),
    Row("OpenPositions", _account("ListPositions"), "with their value now"),
    Row("TradesHistory", (*_account("ListFills"), *_orders("SubscribeOrders")), "also for fills missed in an outage"),
    Row("Ledgers", _account("ListLedgerEntries"), "pinned to its first row, so that pages do not shift"),
    Row("TradeVolume", (*_account("GetFeeRates"), *_orders("PreviewOrder")), "kept for a minute"),
    Row("OpenOrders", _orders("PlaceOrder", "PlaceOrders"), "half of a look for an order in doubt"),
    Row("ClosedOrders", _orders("PlaceOrder", "PlaceOrders"), "the other half"),
    Row(
        "QueryOrders",
        _orders("SubscribeOrders", "CancelOrder", "AmendOrder"),
        "what became of an order whose news are missing",
    ),
    Row("OrderAmends", _orders("AmendOrder"), "what became of an amend without an answer"),
    Row("GetApiKeyInfo", _admin("GetVenueStatus"), "at start and hourly: rights, nonce, expiry of the key"),
    Row(
        "GetWebSocketsToken",
        (*_orders("SubscribeOrders"), *_account("SubscribeBalances")),
        "opens the private line; the token stays inside",
    ),
    *_unused("BalanceEx tells the same, and what is held", "Balance"),
    *_unused("credit shows in BalanceEx; its limits are between Kraken and the account", "CreditLines"),
    *_unused("fills come by stream and in pages", "QueryTrades"),
    *_unused("the ledger is read in pages", "QueryLedgers"),
    *_unused("orders of others, one by one: a book of levels is what execution needs", "Level3"),
    *_unused(NO_EXPORT, "AddExport", "ExportStatus", "RetrieveExport", "RemoveExport"),
)
TRADING = (
    Row(
        "AddOrder", _orders("PlaceOrder", "OrderSession", "PreviewOrder"), "one POST, never repeated; dry for a preview"
    ),
    Row("AddOrderBatch", _orders("PlaceOrders"), "2 to 15 orders of one pair"),
    Row("AmendOrder", _orders("AmendOrder", "OrderSession"), "keeps id, fills and place"),
    Row("CancelOrder", _orders("CancelOrder", "OrderSession"), "repeated until Kraken answers"),
    Row("CancelOrderBatch", _orders("CancelOrders", "CancelAllOrders"), "by ids, 50 at a time"),
    Row("CancelAll", _orders("CancelAllOrders"), "for the whole account only: it hits orders placed by hand too"),
    Row("CancelAllOrdersAfter", _orders("SetDeadMansSwitch"), "for the whole account only"),
    *_unused(
        "cancels and places anew: loses the place in the queue, splits the fills over two ids, and a lost answer cannot be "
        "repeated safely. AmendOrder is better at all of it",
        "EditOrder",
    ),
)
MONEY = (
    *_unused(NO_FUNDING, "DepositMethods", "DepositAddresses", "DepositStatus"),
    *_unused(
        NO_MONEY_LEAVES, "WithdrawMethods", "WithdrawAddresses", "WithdrawInfo", "Withdraw", "WithdrawStatus",
        "WithdrawCancel", "WalletTransfer",
    ),
    *_unused(NO_SUBACCOUNTS, "CreateSubaccount", "AccountTransfer"),
    *_unused(
        NO_EARN, "Earn/Allocate", "Earn/Deallocate", "Earn/AllocateStatus", "Earn/DeallocateStatus", "Earn/Strategies",
        "Earn/Allocations",
    ),
)  # fmt: skip
CHANNELS = (
    Row("ticker", _market("SubscribeTickers", "GetTickers"), "by best bid and offer"),
    Row("book", _market("SubscribeBook", "GetBook"), "every update checked against Kraken's checksum"),
    Row("trade", _market("SubscribeTrades"), "every trade, none folded"),
    Row("ohlc", _market("SubscribeCandles"), "Kraken has no word for closed: it is worked out here"),
    Row("executions", _orders("SubscribeOrders", "OrderSession"), "every order and fill of the account"),
    Row("balances", _account("SubscribeBalances"), "tells when and what moved; what is held is asked of BalanceEx"),
    Row(
        "instrument",
        (*_market("ListInstruments"), *_orders("PlaceOrder")),
        "hourly, which pairs have an index price; the rest of it is in AssetPairs",
    ),
    Row("status", _admin("GetVenueStatus"), "the mode of the exchange, as it changes"),
    Row("heartbeat", _admin("GetVenueStatus"), "a line without one for 5 s is stale"),
    *_unused("as the call Level3", "level3"),
)
_STREAMS = _market("SubscribeTickers", "SubscribeBook", "SubscribeTrades", "SubscribeCandles")
METHODS = (
    Row("subscribe", _STREAMS, "once for all readers"),
    Row("unsubscribe", _STREAMS, "when the last reader has gone"),
    Row("ping", _admin("GetVenueStatus"), "round trip and clock, to the microsecond"),
    *_unused(
        OVER_REST, "add_order", "amend_order", "cancel_order", "cancel_all", "cancel_all_orders_after", "batch_add",
        "batch_cancel",
    ),
    *_unused("as the call EditOrder", "edit_order"),
)  # fmt: skip
REST = (*PUBLIC, *ACCOUNT, *TRADING, *MONEY)
SECTIONS: Mapping[str, tuple[Row, ...]] = MappingProxyType({
    "REST, public": PUBLIC,
    "REST, the account": ACCOUNT,
    "REST, trading": TRADING,
    "REST, money": MONEY,
    "WebSocket v2, channels": CHANNELS,
    "WebSocket v2, methods": METHODS,
})  # fmt: skip

# RPCs that no call of Kraken's serves: they tell or change what execsvc itself keeps.
OWN: Mapping[str, str] = MappingProxyType({
    "OrderService/GetOrder": "from the journal, which the private line keeps up to date",
    "OrderService/ListOrders": "from the journal",
    "OrderService/ExplainOrder": "from the journal",
    "AccountService/GetLimits": "Kraken's counters as they are counted here",
    "AdminService/GetServerInfo": "the gateway itself",
    "AdminService/SetTradingMode": "a kill switch of the gateway's own",
    "AdminService/ListStreams": "the gateway's own readers",
})  # fmt: skip


def page() -> str:
    """docs/reference/kraken-coverage.md."""
    parts = [HEAD, *(_section(title, rows) for title, rows in SECTIONS.items()), _own()]
    return "\n".join(parts)


def _section(title: str, rows: Iterable[Row]) -> str:
    """What is used, with the RPCs it serves, then what is not, each reason once."""
    used = [row for row in rows if row.serves]
    lines = [f"## {title}", ""]
    if used:
        lines += ["| Kraken | serves | how |", "|---|---|---|"]
        lines += [f"| {row.call} | {_named(row.serves)} | {row.note} |" for row in used]
        lines.append("")
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if not row.serves:
            reasons.setdefault(row.note, []).append(row.call)
    if reasons:
        lines += ["Not used:", ""]
        lines += [f"- {', '.join(calls)}: {why}." for why, calls in reasons.items()]
        lines.append("")
    return "\n".join(lines)


def _named(methods: Iterable[str]) -> str:
    return ", ".join(f"`{method.partition('/')[2]}`" for method in methods)


def _own() -> str:
    lines = ["## RPCs that ask nothing of Kraken", ""]
    lines += [f"- `{method.partition('/')[2]}`: {what}." for method, what in OWN.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"{PAGE.name}: written\n")
