"""The settings as values: one frozen tree for the composition root. Where they come from is the rest of this room's affair.

No secret is among them: only where one is to be read from. No room below compose imports this one; each gets its few values.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import MappingProxyType

from execsvc.domain.caller import Grant, Permission
from execsvc.domain.riskrules import RiskRules


class SettingsRefused(Exception):
    """The settings cannot be used; `problems` names every one, each a sentence with its remedy."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Mode(Enum):
    """Which money moves."""

    PAPER = "paper"
    LIVE = "live"


@dataclass(frozen=True)
class Address:
    """host and port, or a unix socket's path (host empty)."""

    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Loopback or a unix socket."""
        return bool(self.path) or is_loopback(self.host)


@dataclass(frozen=True)
class VenueUrls:
    """Where the venue is."""

    rest: str
    ws: str
    ws_auth: str


@dataclass(frozen=True)
class KeySource:
    """The files that a key and its secret are read from, where they are named; compose looks at other sources besides."""

    key_file: Path | None
    secret_file: Path | None


@dataclass(frozen=True)
class TlsFiles:
    """Certificate chain and private key of the doors, PEM; client_ca: who signs callers' certificates, None: no mTLS."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True)
class AccountSettings:
    """One account: its name, where its key is read from (None: the built-in exchange's), and its own figures."""

    name: str
    keys: KeySource | None = None
    tier: str = "starter"
    dead_man_s: int = 0


@dataclass(frozen=True)
class CallerSettings:
    """One caller: what it may do at most, and the certificate names (SAN or subject CN) that are it. Tokens narrow this.

    grants are by account, every one spelt out; weight: its share of what callers wait for together.
    """

    name: str
    unbound: frozenset[Permission]
    grants: Mapping[str, Grant]
    default: str = ""
    certificates: tuple[str, ...] = ()
    weight: int = 1


@dataclass(frozen=True)
class Settings:
    """Everything the composition root needs. venue None: the built-in paper exchange; store None: in memory.

    accounts: one at least. tokens: the file of caller tokens; None: the doors are open to this machine (dev, paper),
    everybody is `local`. origins: what was set, by the name it goes by, and where; what is not there is a default.
    """

    mode: Mode
    dev: bool
    listen: Address
    http: Address | None
    venue: VenueUrls | None
    store: Path | None
    store_is_temporary: bool
    accounts: tuple[AccountSettings, ...]
    callers: tuple[CallerSettings, ...]
    caller_weights: Mapping[str, int]
    risk: RiskRules
    rest_costs: Mapping[str, int]
    tls: TlsFiles | None
    tokens: Path | None
    insecure_bind: bool
    seed: int
    demo: bool
    log_level: str
    deadline_floor_s: float
    visibility_s: float
    retention_days: int
    id_retention_days: int
    allow_shared_key: bool
    clear_halt: str
    config: Path | None = None
    origins: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def max_order_notional(self) -> Decimal | None:
        """The largest order in USD that every account and caller is held to; None: there is no such rule."""
        binding = (rule for rule in self.risk.rules if "max_order_notional" not in rule.shadow)
        whole = (rule.max_order_notional for rule in binding if not (rule.account or rule.caller or rule.symbol))
        return min((most for most in whole if most is not None and most.is_finite()), default=None)


def is_loopback(host: str) -> bool:
    """Whether a host, by address or as localhost, is this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
