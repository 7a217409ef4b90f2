"""How a paper exchange is set up. Everything has a default; two exchanges with equal options are equal.

Addresses are only read by the server; the exchange itself takes the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from .auth import FIRST, PERMISSIONS
from .limits import TIERS

DEFAULT_FUNDS: Mapping[str, str] = MappingProxyType(
    {
        "USD": "100000",
        "EUR": "100000",
        "BTC": "2",
        "ETH": "20",
        "SOL": "200",
        "XRP": "20000",
        "ADA": "50000",
        "DOGE": "100000",
        "LTC": "400",
        "DOT": "6000",
    }
)
_LEVELS_MAX = 200


@dataclass(frozen=True, slots=True)
class PaperAccount:
    """One account of the exchange: its name, which is its key's too, its tier, and what it has at the beginning."""

    name: str
    tier: str = "intermediate"
    funds: Mapping[str, str] = field(default_factory=lambda: DEFAULT_FUNDS)


@dataclass(frozen=True, slots=True)
class PaperOptions:
    """Options of the exchange and of its server.

    `pairs` restricts the listed symbols (BTC/USD, …; empty: all). `frozen` starts with a still market: same books,
    no makers' or takers' moves. `warm_up_s` is how long the market has been running when the exchange opens.
    `life` is mixed into the ids of orders and trades: a server makes one for each start, as Kraken never uses an id twice.
    `tier` sets both rate counters and the cap on open orders: starter, intermediate, pro, or unlimited, which counts and
    never refuses. `rest_decay_step_s` and `engine_decay_step_s` are how often what has decayed is taken off; 0: always.
    `key_info_style` is "camel" or "snake", `post_only_style` "error" or "canceled": Kraken has been seen with both.
    `levels` is how many prices the makers keep on either side, up to 5 % away; fewer are cheaper.
    `keep_orders` ended orders (and as many ledger entries) and `keep_calls` private calls are remembered, the newest;
    None keeps all, for whoever must account for everything afterwards.
    `others` are accounts besides the first, whose figures are `tier` and `funds`; each has its own key, money and counters.
    `insecure_bind` must be set to listen anywhere but on loopback: the keys are known to whoever knows the seed.
    """

    host: str = "127.0.0.1"
    port: int = 0
    control_port: int | None = None
    insecure_bind: bool = False
    seed: int = 42
    life: str = ""
    funds: Mapping[str, str] = field(default_factory=lambda: DEFAULT_FUNDS)
    pairs: tuple[str, ...] = ()
    frozen: bool = False
    warm_up_s: int = 20
    permissions: tuple[str, ...] = PERMISSIONS
    nonce_window: int = 0
    tier: str = "intermediate"
    rest_decay_step_s: float = 2.0
    engine_decay_step_s: float = 1.0
    key_info_style: str = "camel"
    post_only_style: str = "error"
    deadline_floor_s: float = 2.0
    deadline_ceiling_s: float = 60.0
    levels: int = 110
    keep_orders: int | None = 100_000
    keep_calls: int | None = 5000
    others: tuple[PaperAccount, ...] = ()

    @property
    def accounts(self) -> tuple[PaperAccount, ...]:
        """Return all of them, the first one first."""
        return (PaperAccount(FIRST, self.tier, self.funds), *self.others)

    def __post_init__(self) -> None:
        allowed = {
            "tier": tuple(TIERS),
            "key_info_style": ("camel", "snake"),
            "post_only_style": ("error", "canceled"),
        }
        for name, words in allowed.items():
            if getattr(self, name) not in words:
                raise ValueError(f"{name} must be one of {', '.join(words)}, not {getattr(self, name)!r}")
        names = [account.name for account in self.accounts]
        if len(set(names)) != len(names) or not all(names):
            raise ValueError(f"each account has a name of its own, not {', '.join(map(repr, names))}")
        for account in self.others:
            if account.tier not in TIERS:
                raise ValueError(f"tier must be one of {', '.join(TIERS)}, not {account.tier!r}")
        for name in ("keep_orders", "keep_calls", "rest_decay_step_s", "engine_decay_step_s"):
            if (getattr(self, name) or 0) < 0:
                raise ValueError(f"{name} must not be negative")
        if not 1 <= self.levels <= _LEVELS_MAX:
            raise ValueError(f"levels must be 1 to {_LEVELS_MAX}, not {self.levels}")
