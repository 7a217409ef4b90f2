"""The parts of one exchange, built and wired once, and what a handler is given to answer one call.

The only place that knows every part; it holds no rule of its own. `Floor` is what all accounts share, markets, clock, keys
and mishaps; a `Venue` is the exchange as one account sees it: the floor, and its own orders, money and counters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .auth import Key, Keyring
from .books import Books
from .chance import Mint, number, stream
from .deadman import DeadMan
from .dial import Dial
from .engine import Engine, Pit
from .faultplan import FaultPlan
from .fees import Turnover
from .figures import NS, whole
from .index import Index
from .ledger import Ledger
from .limits import TIERS
from .listing import Listing
from .margin import Margin
from .market import TRADES_PER_S, Market, taker_lots
from .options import PaperAccount, PaperOptions
from .pairs import Directory, Pair, load
from .params import Params
from .past import Past
from .prices import Prices
from .quotas import Quotas
from .roll import Orders, Serials
from .tape import Tape
from .timers import Timers
from .valuation import Valuation
from .words import UNKNOWN_PAIR, Refused

_FIRST_TRADE_ID = 20_000_000
_TRADE_ID_SPAN = 40_000_000


@dataclass(frozen=True, slots=True)
class Call:
    """One REST call: when it reached the exchange, when it is carried out (its clock), and the key that signed it."""

    method: str
    params: Params
    received: int
    now: int
    key: Key | None = None


class Floor:
    """What all accounts share. `start` is the instant the market begins, in ns."""

    def __init__(self, options: PaperOptions, start: int) -> None:
        self.options = options
        self.opened = start
        self.start = start if options.frozen else start - options.warm_up_s * NS
        self.timers = Timers()
        self.directory: Directory = load(options.pairs)
        self.prices = Prices(options.seed, self.start)
        self.mint = Mint(options.seed, options.life)
        self.listings = {pair.id: self._list(pair) for pair in self.directory.pairs.values()}
        self.dial = Dial()
        self.valuation = Valuation(self.listings, self.prices)
        self.pit = Pit()
        self.serials = Serials()
        self.keys = Keyring(stream(options.seed, "keys"))
        self.faults = FaultPlan(stream(options.seed, "mishaps"), accepted=lambda: self.serials.taken)
        self.markets: dict[str, Market] = {}
        self.accounts: dict[str, Venue] = {}

    def _list(self, pair: Pair) -> Listing:
        seed, start_s = self.options.seed, self.start // NS

        def mean() -> float:
            return taker_lots(pair, self.prices.usd(pair.base.id, self.start / NS))

        past = Past(pair, self.prices, seed=seed, start_s=start_s, trades_per_s=TRADES_PER_S, mean=mean)
        first_id = _FIRST_TRADE_ID + number(seed, "trade-id", pair.symbol) % _TRADE_ID_SPAN
        tape = Tape(past, start=self.start, first_id=first_id)
        return Listing(pair, tape, frozen=self.options.frozen, salt=number(seed, "index", pair.symbol))


class Venue:
    """Everything the exchange knows, as one account sees it: what is the floor's is every account's."""

    def __init__(self, floor: Floor, account: PaperAccount) -> None:
        options = floor.options
        self.floor, self.options, self.account = floor, options, account
        self.opened, self.start = floor.opened, floor.start
        self.timers, self.dial, self.mint, self.prices = floor.timers, floor.dial, floor.mint, floor.prices
        self.directory, self.listings, self.markets = floor.directory, floor.listings, floor.markets
        self.valuation, self.keys, self.faults, self.accounts = (
            floor.valuation,
            floor.keys,
            floor.faults,
            floor.accounts,
        )
        self.ledger = Ledger(keep=options.keep_orders)
        self.orders = Orders(keep=options.keep_orders, serials=floor.serials)
        self.turnover = Turnover()
        self.margin = Margin(
            self.listings,
            self.ledger,
            self.orders,
            self.mint,
            self.valuation,
            dial=self.dial,
            timers=self.timers,
            keep=options.keep_orders,
        )
        self.quotas = Quotas(
            TIERS[account.tier], call_step_s=options.rest_decay_step_s, engine_step_s=options.engine_decay_step_s
        )
        self.books = Books(
            account.name,
            self.ledger,
            self.orders,
            self.mint,
            self.prices,
            margin=self.margin,
            dial=self.dial,
            quotas=self.quotas,
            turnover=self.turnover,
        )
        self.engine = Engine(
            self.listings,
            self.books,
            pit=floor.pit,
            quotas=self.quotas,
            soft_post=options.post_only_style == "canceled",
        )
        self.margin.liquidate = self.engine.liquidate
        self.deadman = DeadMan()
        self.key = self.keys.make(
            account.name, options.permissions, now=floor.opened, nonce_window=options.nonce_window, account=account.name
        )
        self.index = Index(self.orders, self.faults)
        self._fund(floor.opened)
        self.accounts[account.name] = self

    def of(self, key: Key) -> "Venue":
        """Return the exchange as the account of that key sees it."""
        return self.accounts[key.account]

    def listing(self, name: str) -> Listing:
        """Find a market by any of its names; raises Refused when there is none."""
        pair = self.directory.pair(name)
        if pair is None:
            raise Refused(UNKNOWN_PAIR)
        return self.listings[pair.id]

    def _fund(self, now: int) -> None:
        for name, amount in self.account.funds.items():
            asset = self.directory.asset(name)
            if asset is None:
                raise ValueError(f"funds name an asset the paper exchange does not know: {name}")
            units = whole(amount, asset.decimals)
            if units:
                self.ledger.deposit(asset, units, entry=self.mint.entry(), at=now)


def open_venue(options: PaperOptions, start: int) -> Venue:
    """Build the exchange, all its accounts and its markets; returns it as the first account sees it."""
    floor = Floor(options, start)
    first, *_ = [Venue(floor, account) for account in options.accounts]
    for name, listing in floor.listings.items():
        floor.markets[name] = Market(
            listing, first.engine, floor.prices, seed=options.seed, start=floor.start, levels=options.levels
        )
    return first


Handler = Callable[[Venue, Call], Any]
