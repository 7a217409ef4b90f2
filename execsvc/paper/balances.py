"""The balances channel: the trader's funds as rows, one message per ledger entry with the next sequence number.

All of it lies in one wallet, spot/main: the paper exchange has no Earn. Holds of open orders are not told here, as
Kraken does not tell them either: they are in BalanceEx only. Which line follows the channel is `audience`'s affair.
"""

from typing import Any

import msgspec

from .executions import raw
from .figures import stamp
from .ledger import Entry, Ledger

_CLASS = "currency"
_WALLET_TYPE, _WALLET_ID = "spot", "main"


class Balances:
    """One account's subscription: how far its sequence has come."""

    def __init__(self, account: str) -> None:
        self.account = account
        self.sequence = 0

    def snapshot(self, ledger: Ledger) -> bytes:
        """Return the snapshot: every asset the account has held, with its wallets."""
        rows = []
        for asset in ledger.assets():
            balance = raw(ledger.balance(asset), asset.decimals)
            wallet = {"type": _WALLET_TYPE, "id": _WALLET_ID, "balance": balance}
            rows.append({"asset": asset.name, "asset_class": _CLASS, "balance": balance, "wallets": [wallet]})
        return self._frame("snapshot", rows)

    def update(self, entry: Entry, *, skip: bool) -> bytes:
        """Return the frame of one ledger entry; `skip` loses a sequence number."""
        if skip:
            self.sequence += 1
        return self._frame("update", [row(entry)])

    def _frame(self, kind: str, rows: list[dict[str, Any]]) -> bytes:
        self.sequence += 1
        return msgspec.json.encode({"channel": "balances", "type": kind, "data": rows, "sequence": self.sequence})


def row(entry: Entry) -> dict[str, Any]:
    """Return the row of one ledger entry."""
    asset = entry.asset
    return {
        "ledger_id": entry.id,
        "ref_id": entry.refid,
        "timestamp": stamp(entry.at),
        "type": entry.kind,
        "asset": asset.name,
        "asset_class": _CLASS,
        "category": entry.kind,
        "wallet_type": _WALLET_TYPE,
        "wallet_id": _WALLET_ID,
        "amount": raw(entry.amount, asset.decimals),
        "fee": raw(entry.fee, asset.decimals),
        "balance": raw(entry.balance, asset.decimals),
    }
