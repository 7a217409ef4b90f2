"""Rows of the private channel `balances`, sans I/O: what the spot wallet holds of each asset, as the stream tells it.

A total here is what BalanceEx calls the balance of the plain asset. Kraken lists Earn wallets in the same rows, where
BalanceEx has assets of their own with a suffix: such a row says that something moved, and no total. Sequence numbers are
the session's affair (private_session.py).
"""

from msgspec import Raw

from execsvc.domain.market import EventTimes
from execsvc.kraken import frames, wire
from execsvc.kraken.figures import figure, stamp_ns
from execsvc.kraken.names import Names
from execsvc.ports import BalanceSeen, BalancesSnapshot

_SPOT = ("spot", "main")
_whole = wire.decoder(list[frames.BalanceData])
_entries = wire.decoder(list[frames.LedgerData])


def snapshot(data: Raw, names: Names, wall_ns: int) -> BalancesSnapshot:
    """All balances, by asset. Raises ProtocolBroken."""
    return BalancesSnapshot(tuple(_held(row, names, wall_ns) for row in _whole(data)))


def update(data: Raw, names: Names, wall_ns: int) -> list[BalanceSeen]:
    """The balances after each ledger entry, oldest first. Raises ProtocolBroken."""
    return [_moved(row, names, wall_ns) for row in _entries(data)]


def _held(row: frames.BalanceData, names: Names, wall_ns: int) -> BalanceSeen:
    spot = [wallet.balance for wallet in row.wallets if (wallet.type, wallet.id) == _SPOT]
    total = spot[0] if spot else None if row.wallets else row.balance
    return BalanceSeen(names.asset(row.asset), None if total is None else figure(total), EventTimes(None, wall_ns))


def _moved(row: frames.LedgerData, names: Names, wall_ns: int) -> BalanceSeen:
    total = figure(row.balance) if (row.wallet_type, row.wallet_id) == _SPOT else None
    return BalanceSeen(names.asset(row.asset), total, EventTimes(stamp_ns(row.timestamp), wall_ns))
