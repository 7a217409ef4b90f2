"""Double entry: every posting moves an amount from one account to another, so each asset sums to zero for ever.

Accounts are the trader, the market (everybody else), the exchange's fees and the source of deposits. The trader's
holds are kept beside the balance: funds of open orders are promised, not gone. Amounts are integers of the asset's
own decimals. After every step the rules are checked; a breach raises `LedgerBroken` and stops the exchange.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from .figures import fixed
from .pairs import Asset
from .words import INSUFFICIENT_FUNDS, Refused

TRADER, MARKET, FEES, SOURCE = "trader", "market", "fees", "source"


class LedgerBroken(Exception):
    """Debits and credits differ, or more is promised than there is: a defect of the exchange itself."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the trader's account: `amount` before `fee`, `balance` after both. `kind` is Kraken's type."""

    id: str
    refid: str
    at: int
    kind: str
    asset: Asset
    amount: int
    fee: int
    balance: int


@dataclass(frozen=True, slots=True)
class Leg:
    """A change of the trader's balance in one asset: `amount` against the market, `fee` to the exchange."""

    asset: Asset
    amount: int
    fee: int


class Ledger:
    """Balances, holds and entries of one account, and the other side of every booking.

    `news` are the entries that were not told yet, for the balances stream; telling empties it, whether somebody
    listens or not.
    """

    def __init__(self, *, keep: int | None) -> None:
        self._balances: dict[str, dict[str, int]] = {TRADER: {}, MARKET: {}, FEES: {}, SOURCE: {}}
        self._held: dict[str, int] = {}
        self._holds: dict[str, dict[str, int]] = {}
        self._assets: dict[str, Asset] = {}
        self._lent: set[str] = set()
        self._keep = keep
        self.entries: deque[Entry] = deque()
        self._by_id: dict[str, Entry] = {}
        self.news: list[Entry] = []

    def balance(self, asset: Asset) -> int:
        """Return what the trader owns, promised or not."""
        return self._balances[TRADER].get(asset.id, 0)

    def held(self, asset: Asset) -> int:
        """Return what the trader's open orders have promised."""
        return self._held.get(asset.id, 0)

    def available(self, asset: Asset) -> int:
        """Return what a new order may promise; negative when a loss on margin has eaten into what was promised."""
        return self.balance(asset) - self.held(asset)

    def entry(self, entry_id: str) -> Entry | None:
        """Find an entry by its id."""
        return self._by_id.get(entry_id)

    def assets(self) -> list[Asset]:
        """Return every asset ever booked, in order of first use."""
        return list(self._assets.values())

    def deposit(self, asset: Asset, amount: int, *, entry: str, at: int) -> None:
        """Credit the trader from outside."""
        self._move(SOURCE, TRADER, asset, amount)
        self._enter(Entry(entry, entry, at, "deposit", asset, amount, 0, self.balance(asset)))
        self._check(asset)

    def hold(self, ref: str, asset: Asset, amount: int) -> None:
        """Promise exactly `amount` for order `ref`, replacing what it promised before; 0 releases it.

        Raises Refused when there is not enough.
        """
        promises = self._holds.setdefault(asset.id, {})
        more = amount - promises.get(ref, 0)
        if more > 0 and more > self.available(asset):
            raise Refused(INSUFFICIENT_FUNDS)
        self._assets.setdefault(asset.id, asset)
        self._held[asset.id] = self._held.get(asset.id, 0) + more
        if amount:
            promises[ref] = amount
        else:
            promises.pop(ref, None)
        self._check(asset)

    def trade(self, refid: str, legs: tuple[Leg, Leg], *, entries: tuple[str, str], at: int) -> None:
        """Book both legs of one fill against the market, and their fees."""
        for leg, entry in zip(legs, entries, strict=True):
            self._move(MARKET, TRADER, leg.asset, leg.amount)
            self._move(TRADER, FEES, leg.asset, leg.fee)
            self._enter(Entry(entry, refid, at, "trade", leg.asset, leg.amount, leg.fee, self.balance(leg.asset)))
        for leg in legs:
            self._check(leg.asset)

    def margin(self, refid: str, leg: Leg, *, kind: str, entry: str, at: int) -> None:
        """Book what a position brought or cost: `kind` is margin, rollover or settled.

        From then on the asset may be overdrawn, and holds may exceed its balance: a loss asks nobody.
        """
        self._lent.add(leg.asset.id)
        self._move(MARKET, TRADER, leg.asset, leg.amount)
        self._move(TRADER, FEES, leg.asset, leg.fee)
        self._enter(Entry(entry, refid, at, kind, leg.asset, leg.amount, leg.fee, self.balance(leg.asset)))
        self._check(leg.asset)

    def prove(self, expected: Mapping[str, Mapping[str, int]]) -> None:
        """Check the whole ledger: each asset sums to zero, and the holds (asset → order → amount) are `expected`."""
        for asset in self._assets.values():
            self._check(asset)
        holds = {asset: promises for asset, promises in self._holds.items() if promises}
        if holds != expected:
            raise LedgerBroken(f"holds {holds} are not those of the open orders {expected}")

    def proof(self) -> dict[str, dict[str, str]]:
        """Return, per asset, what each account holds and the sum, which is zero, as text."""
        rows = {}
        for name, asset in self._assets.items():
            amounts = {account: book.get(name, 0) for account, book in self._balances.items()}
            amounts["sum"] = sum(amounts.values())
            amounts["held"] = self._held.get(name, 0)
            rows[name] = {key: fixed(amount, asset.decimals) for key, amount in amounts.items()}
        return rows

    def _enter(self, entry: Entry) -> None:
        self.entries.append(entry)
        self._by_id[entry.id] = entry
        if self._keep is not None and len(self.entries) > self._keep:
            del self._by_id[self.entries.popleft().id]
        self.news.append(entry)

    def _move(self, source: str, target: str, asset: Asset, amount: int) -> None:
        self._assets.setdefault(asset.id, asset)
        for account, change in ((source, -amount), (target, amount)):
            book = self._balances[account]
            book[asset.id] = book.get(asset.id, 0) + change

    def _check(self, asset: Asset) -> None:
        total = sum(book.get(asset.id, 0) for book in self._balances.values())
        if total:
            raise LedgerBroken(f"{asset.id} does not balance: off by {fixed(total, asset.decimals)}")
        promised = sum(self._holds.get(asset.id, {}).values())
        if promised != self.held(asset):
            raise LedgerBroken(f"{asset.id}: holds add up to {promised}, the account says {self.held(asset)}")
        if promised < 0 or (promised > self.balance(asset) and asset.id not in self._lent):
            raise LedgerBroken(f"{asset.id}: {promised} promised of {self.balance(asset)}")
