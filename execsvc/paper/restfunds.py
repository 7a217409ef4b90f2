"""The money half of the account's REST queries: balances, ledger entries, equity, fee tiers, positions, credit lines.

Orders and trades are restqueries.py's. Figures of the account are computed where they belong (ledger, positions, fees);
here they get Kraken's names and places.
"""

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any

from .fees import USD_DECIMALS, fee_row
from .figures import fixed, seconds
from .ledger import Entry
from .paging import page, read_span
from .pairs import Asset
from .valuation import USD
from .venue import Call, Handler, Venue
from .words import UNKNOWN_ASSET, Refused, bad_argument

_IDS_MAX = 20
_ASSET_CLASSES = ("currency", "tokenized_asset", "all")
_ENTRY_TYPES = (
    "all",
    "trade",
    "deposit",
    "withdrawal",
    "transfer",
    "margin",
    "adjustment",
    "rollover",
    "credit",
    "settled",
    "staking",
    "dividend",
    "sale",
    "nft_rebate",
    "spend",
    "receive",
    "reward",
    "conversion",
)
_CENT_OF_CENT = Decimal(1).scaleb(-USD_DECIMALS)


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


def ledgers(venue: Venue, call: Call) -> Any:
    """Ledgers, one page."""
    params = call.params
    wanted = {_asset(venue, name).id for name in params.names("asset") if name != "all"}
    kind = params.choice("type", _ENTRY_TYPES, "all")
    listed = params.choice("aclass", _ASSET_CLASSES, "all") != "tokenized_asset"
    span = read_span(params, lambda ref: _entered(venue, ref))
    chosen = [
        entry
        for entry in (reversed(venue.ledger.entries) if listed else ())
        if kind in ("all", entry.kind) and (not wanted or entry.asset.id in wanted) and span.holds((entry.at,))
    ]
    answer: dict[str, Any] = {"ledger": {entry.id: _entry(entry) for entry in page(params, chosen)}}
    if not params.flag("without_count"):
        answer["count"] = len(chosen)
    return answer


def query_ledgers(venue: Venue, call: Call) -> Any:
    """QueryLedgers: up to 20 ids; those it does not know are left out."""
    ids = call.params.words("id")
    call.params.flag("trades")  # names the trades of an entry's position, which an entry does not show
    if not 1 <= len(ids) <= _IDS_MAX:
        raise bad_argument("id")
    found = [venue.ledger.entry(name) for name in ids]
    return {entry.id: _entry(entry) for entry in found if entry is not None}


def trade_volume(venue: Venue, call: Call) -> Any:
    """TradeVolume: the last 30 days in USD, and the tier of each pair asked for."""
    volume = venue.turnover.volume(venue.dial.owners(call.now))
    pairs = [venue.listing(name).pair for name in call.params.names("pair")]
    taker = {pair.id: fee_row(pair.taker_fees, volume) for pair in pairs}
    maker = {pair.id: fee_row(pair.maker_fees, volume) for pair in pairs}
    return {
        "currency": USD,
        "volume": fixed(volume, USD_DECIMALS),
        "fees": taker or None,
        "fees_maker": maker or None,
    }


def trade_balance(venue: Venue, call: Call) -> Any:
    """TradeBalance, in the asset asked for; `ml` only while a position is open."""
    into = _asset(venue, call.params.text("asset", USD))
    figures = venue.margin.standing(call.now)
    rate = venue.valuation.usd(into, call.now)
    answer = {name: _money(amount / rate) for name, amount in figures.amounts().items()}
    if figures.level is not None:
        answer["ml"] = str(figures.level.quantize(Decimal("0.01"), rounding=ROUND_DOWN))
    return answer


def credit_lines(venue: Venue, call: Call) -> Any:
    """CreditLines of an account that has none: its balances, its equity, and no credit."""
    ledger = venue.ledger
    details = {
        asset.altname: {
            "balance": fixed(ledger.balance(asset), asset.decimals),
            "credit_limit": fixed(0, asset.decimals),
            "credit_used": fixed(0, asset.decimals),
            "available_credit": fixed(0, asset.decimals),
        }
        for asset in ledger.assets()
    }
    figures = venue.margin.standing(call.now)
    limits = {
        "total_credit_usd": _money(Decimal(0)),
        "total_credit_used_usd": _money(Decimal(0)),
        "total_collateral_value_usd": _money(figures.collateral),
        "equity_usd": _money(figures.equity),
        "ongoing_balance": _money(Decimal(0)),
        "debt_to_equity": _money(Decimal(0)),
    }
    return {"asset_details": details, "limits_monitor": limits}


FUNDS: Mapping[str, tuple[tuple[str, ...], Handler]] = {
    "Balance": (("query-funds",), balance),
    "BalanceEx": (("query-funds",), balance_ex),
    "TradeBalance": (("query-open-trades",), trade_balance),
    "TradeVolume": (("query-funds",), trade_volume),
    "CreditLines": (("query-funds",), credit_lines),
    "Ledgers": (("query-ledger",), ledgers),
    "QueryLedgers": (("query-ledger",), query_ledgers),
}


def _entry(entry: Entry) -> dict[str, Any]:
    places = entry.asset.decimals
    return {
        "refid": entry.refid,
        "time": seconds(entry.at),
        "type": entry.kind,
        "subtype": "",
        "aclass": "currency",
        "asset": entry.asset.id,
        "amount": fixed(entry.amount, places),
        "fee": fixed(entry.fee, places),
        "balance": fixed(entry.balance, places),
    }


def _entered(venue: Venue, entry_id: str) -> int | None:
    entry = venue.ledger.entry(entry_id)
    return None if entry is None else entry.at


def _asset(venue: Venue, name: str) -> Asset:
    asset = venue.directory.asset(name)
    if asset is None:
        raise Refused(UNKNOWN_ASSET)
    return asset


def _money(amount: Decimal) -> str:
    return str(amount.quantize(_CENT_OF_CENT, rounding=ROUND_DOWN))
