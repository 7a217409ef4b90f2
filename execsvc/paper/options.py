"""How a paper exchange is set up. Everything has a default; two exchanges with equal options are equal.

Addresses are only read by the server; the exchange itself takes the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from .auth import PERMISSIONS

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
RATE_COUNTS = MappingProxyType({"starter": 60, "intermediate": 125, "pro": 180})


@dataclass(frozen=True, slots=True)
class PaperOptions:
    """Options of the exchange and of its server.

    `pairs` restricts the listed symbols (BTC/USD, …; empty: all). `frozen` starts with a still market: same books,
    no makers' or takers' moves. `warm_up_s` is how long the market has been running when the exchange opens.
    `life` is mixed into the ids of orders and trades: a server makes one for each start, as Kraken never uses an id twice.
    `key_info_style` is "camel" or "snake", `post_only_style` "error" or "canceled": Kraken has been seen with both.
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
    key_info_style: str = "camel"
    post_only_style: str = "error"
    deadline_floor_s: float = 2.0
    deadline_ceiling_s: float = 60.0
    keep_orders: int = 100_000

    def __post_init__(self) -> None:
        allowed = {
            "tier": tuple(RATE_COUNTS),
            "key_info_style": ("camel", "snake"),
            "post_only_style": ("error", "canceled"),
        }
        for name, words in allowed.items():
            if getattr(self, name) not in words:
                raise ValueError(f"{name} must be one of {', '.join(words)}, not {getattr(self, name)!r}")
