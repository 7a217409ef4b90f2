"""Settings: the environment and the command line become one frozen tree, or every problem at once.

A name that begins with EXECSVC_ and is unknown is a problem: in a daemon that moves money a typo is not a warning. Secrets
are not read here: only where they are to be read from. No room below compose imports this one; each gets its few values.
"""

import difflib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from execsvc.domain import money
from execsvc.domain.caller import Grant, Permission
from execsvc.domain.riskrules import RiskRules

LIVE_REST_URL = "https://api.kraken.com"
LIVE_WS_URL = "wss://ws.kraken.com/v2"
LIVE_WS_AUTH_URL = "wss://ws-auth.kraken.com/v2"
HTTP_PORT_OFFSET = 1000
PORT_MAX = 65535
INTEGER_DIGITS = 18

# What each name is for; the reference page and `config` verbs read this table.
SERVER_NAMES: dict[str, str] = {
    "EXECSVC_MODE": "paper (default) or live",
    "EXECSVC_LISTEN": "gRPC address, host:port or unix:path; default 127.0.0.1:50051",
    "EXECSVC_HTTP_LISTEN": "address of /metrics and /healthz, host:port or off; default the gRPC port + 1000",
    "EXECSVC_STORE": "sqlite:///path or memory:; default under the user's state directory, dev: temporary",
    "EXECSVC_TIER": "verification tier of the account: starter (default), intermediate, pro; unlimited for load tests",
    "EXECSVC_CALLER_WEIGHTS": "shares of callers that wait for the same thing: risk=3,signal=1; default 1 each",
    "EXECSVC_REST_COSTS": "points of Kraken's call counter, where you know better: ClosedOrders=1,OpenOrders=2",
    "EXECSVC_KRAKEN_REST_URL": "another venue address; plain http to loopback only",
    "EXECSVC_KRAKEN_WS_URL": "another public WebSocket address; plain ws to loopback only",
    "EXECSVC_KRAKEN_WS_AUTH_URL": "another private WebSocket address; plain ws to loopback only",
    "EXECSVC_MAX_ORDER_NOTIONAL": "largest order in USD; required in live mode",
    "EXECSVC_INSECURE_BIND": "on: allow a plaintext bind that is not loopback, in paper mode only",
    "EXECSVC_SEED": "seed of the built-in paper exchange; default 42",
    "EXECSVC_DEMO": "on or off: dev's little trader; default on in dev",
    "EXECSVC_DEADLINE_FLOOR": "least seconds Kraken wants for an order's deadline; default 2",
    "EXECSVC_VISIBILITY_BOUND": "seconds an accepted order may stay invisible to Kraken's queries; default 3, grows",
    "EXECSVC_DEAD_MANS_SWITCH": "seconds: Kraken cancels everything if execsvc is not well for so long; default 0, off",
    "EXECSVC_RETENTION_DAYS": "days that events, fills and stories are kept; default 90",
    "EXECSVC_ID_RETENTION_DAYS": "days that an order's id keeps it from being placed again; default 400",
    "EXECSVC_ALLOW_SHARED_KEY": "on: trade although another program uses the API key too",
    "EXECSVC_CLEAR_HALT": "id of a halt that a person has looked into: trading is taken up again",
    "EXECSVC_LOG_LEVEL": "debug, info (default), warning or error",
}
CLIENT_NAMES = frozenset({
    "EXECSVC_TOKEN", "EXECSVC_TOKEN_FILE", "EXECSVC_TARGET", "EXECSVC_OUTPUT", "EXECSVC_PAPER_CONTROL_URL",
    "EXECSVC_ALLOW_LIVE",
})  # fmt: skip
LATER_NAMES = {
    "EXECSVC_CONFIG": "several accounts and callers by file are not in this build",
    "EXECSVC_HEALTH_LISTEN": "a health-only port is not in this build: /healthz is on the HTTP address",
}
TIERS = ("starter", "intermediate", "pro", "unlimited")
DEAD_MAN_LEAST_S, DEAD_MAN_MOST_S = 15, 3600  # it is refreshed three times within its time
LEVELS = ("debug", "info", "warning", "error")


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
        return bool(self.path) or _is_loopback(self.host)


@dataclass(frozen=True)
class VenueUrls:
    """Where the venue is."""

    rest: str
    ws: str
    ws_auth: str


@dataclass(frozen=True)
class KeySource:
    """Where the key and its secret are read from: files win over the environment."""

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
    """One caller: what it may do at most, and the certificate names (SAN or subject CN) that are it. Tokens narrow this."""

    name: str
    unbound: frozenset[Permission]
    grants: Mapping[str, Grant]
    default: str = ""
    certificates: tuple[str, ...] = ()
    weight: int = 1


@dataclass(frozen=True)
class Settings:
    """Everything the composition root needs. venue None: the built-in paper exchange; store None: in memory.

    tokens: the file of caller tokens; None: the doors are open to this machine (dev, paper), everybody is `local`.
    """

    mode: Mode
    dev: bool
    listen: Address
    http: Address | None
    venue: VenueUrls | None
    keys: KeySource | None
    store: Path | None
    store_is_temporary: bool
    tier: str
    caller_weights: Mapping[str, int]
    rest_costs: Mapping[str, int]
    seed: int
    demo: bool
    max_order_notional: Decimal | None
    log_level: str
    deadline_floor_s: float
    visibility_s: float
    dead_man_s: int
    retention_days: int
    id_retention_days: int
    allow_shared_key: bool
    clear_halt: str
    accounts: tuple[AccountSettings, ...] = (AccountSettings("main"),)
    callers: tuple[CallerSettings, ...] = ()
    risk: RiskRules = field(default_factory=RiskRules)
    tls: TlsFiles | None = None
    tokens: Path | None = None


def load(environ: Mapping[str, str], *, overrides: Mapping[str, str], dev: bool) -> Settings:
    """The settings; overrides (command line) win over the environment. Raises SettingsRefused with every problem."""
    return _Reader({**environ, **overrides}, dev=dev).settings()


class _Reader:
    def __init__(self, values: Mapping[str, str], *, dev: bool) -> None:
        self._values = values
        self._dev = dev
        self._problems: list[str] = []

    def settings(self) -> Settings:
        self._names()
        mode = Mode(self._choice("EXECSVC_MODE", tuple(mode.value for mode in Mode), Mode.PAPER.value))
        if self._dev and mode is Mode.LIVE:
            self._problem("EXECSVC_MODE=live: dev is paper only; use execsvc serve")
        listen = self._address("EXECSVC_LISTEN", "127.0.0.1:50051")
        http = self._http(listen)
        for name, address in (("EXECSVC_LISTEN", listen), ("EXECSVC_HTTP_LISTEN", http)):
            self._bind(name, address, mode)
        venue = self._venue(mode)
        settings = Settings(
            mode=mode,
            dev=self._dev,
            listen=listen,
            http=http,
            venue=venue,
            keys=self._keys(mode, venue),
            store=self._store(),
            store_is_temporary=self._dev and not self._get("EXECSVC_STORE"),
            tier=self._tier(mode),
            caller_weights=self._figures("EXECSVC_CALLER_WEIGHTS", least=1, most=100),
            rest_costs=self._figures("EXECSVC_REST_COSTS", least=0, most=10),
            seed=self._integer("EXECSVC_SEED", 42),
            demo=self._switch("EXECSVC_DEMO", default=self._dev),
            max_order_notional=self._notional(mode),
            log_level=self._choice("EXECSVC_LOG_LEVEL", LEVELS, "info"),
            deadline_floor_s=self._seconds("EXECSVC_DEADLINE_FLOOR", 2.0, least=0.5, most=10.0),
            visibility_s=self._seconds("EXECSVC_VISIBILITY_BOUND", 3.0, least=1.0, most=60.0),
            dead_man_s=self._integer("EXECSVC_DEAD_MANS_SWITCH", 0),
            retention_days=self._integer("EXECSVC_RETENTION_DAYS", 90, least=1),
            id_retention_days=self._integer("EXECSVC_ID_RETENTION_DAYS", 400, least=1),
            allow_shared_key=self._switch("EXECSVC_ALLOW_SHARED_KEY", default=False),
            clear_halt=self._get("EXECSVC_CLEAR_HALT"),
        )
        if settings.dead_man_s and not DEAD_MAN_LEAST_S <= settings.dead_man_s <= DEAD_MAN_MOST_S:
            self._problem(
                f"EXECSVC_DEAD_MANS_SWITCH={settings.dead_man_s}: 0 or {DEAD_MAN_LEAST_S} to {DEAD_MAN_MOST_S} seconds"
            )
        if settings.id_retention_days < settings.retention_days:
            self._problem("EXECSVC_ID_RETENTION_DAYS: must not be below EXECSVC_RETENTION_DAYS")
        if self._problems:
            raise SettingsRefused(tuple(self._problems))
        return settings

    def _problem(self, text: str) -> None:
        self._problems.append(text)

    def _get(self, name: str) -> str:
        return self._values.get(name, "").strip()

    def _names(self) -> None:
        known = [*SERVER_NAMES, *CLIENT_NAMES]
        for name in sorted(self._values):
            if name in LATER_NAMES:
                self._problem(f"{name}: {LATER_NAMES[name]}; unset it")
            elif name.startswith("EXECSVC_") and name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                self._problem(f"{name}: no such setting{hint}")

    def _tier(self, mode: Mode) -> str:
        tier = self._choice("EXECSVC_TIER", TIERS, "intermediate" if self._dev else "starter")
        if tier == "unlimited" and mode is Mode.LIVE:
            self._problem(
                "EXECSVC_TIER=unlimited: no account at Kraken is without limits; say starter, intermediate or pro"
            )
        return tier

    def _figures(self, name: str, *, least: int, most: int) -> dict[str, int]:
        """`name=figure,name=figure`."""
        figures: dict[str, int] = {}
        for part in filter(None, (part.strip() for part in self._get(name).split(","))):
            what, equals, text = (each.strip() for each in part.partition("="))
            if not what or not equals or not text.isdecimal() or not least <= int(text) <= most or what in figures:
                self._problem(
                    f"{name}: {part!r} is not name=figure with a figure from {least} to {most}, each name once"
                )
                continue
            figures[what] = int(text)
        return figures

    def _choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        value = self._get(name).lower() or default
        if value not in allowed:
            self._problem(f"{name}={value}: must be one of {', '.join(allowed)}")
            return default
        return value

    def _switch(self, name: str, *, default: bool) -> bool:
        return self._choice(name, ("on", "off"), "on" if default else "off") == "on"

    def _integer(self, name: str, default: int, *, least: int = 0) -> int:
        value = self._get(name)
        if not value:
            return default
        if not (value.isascii() and value.isdigit() and len(value) <= INTEGER_DIGITS) or int(value) < least:
            self._problem(f"{name}={value}: must be a whole number, {least} or more")
            return default
        return int(value)

    def _seconds(self, name: str, default: float, *, least: float, most: float) -> float:
        value = self._get(name)
        if not value:
            return default
        try:
            seconds = float(money.parse(value))  # seconds
        except money.Malformed:
            seconds = -1.0
        if not least <= seconds <= most:
            self._problem(f"{name}={value}: must be seconds, from {least:g} to {most:g}")
            return default
        return seconds

    def _address(self, name: str, default: str) -> Address:
        value = self._get(name) or default
        if value.startswith("unix:"):
            return Address("", 0, value.removeprefix("unix:"))
        host, _, port = value.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not host or not port.isdigit() or int(port) > PORT_MAX:
            self._problem(f"{name}={value}: write host:port, such as {default}")
            return self._address("", default)
        return Address(host, int(port))

    def _http(self, listen: Address) -> Address | None:
        value = self._get("EXECSVC_HTTP_LISTEN")
        if value.lower() == "off":
            return None
        port = 0 if listen.port == 0 else listen.port + HTTP_PORT_OFFSET
        if not value and port > PORT_MAX:
            self._problem(f"EXECSVC_LISTEN={listen}: the HTTP port would be {port}; set EXECSVC_HTTP_LISTEN")
        host = listen.host or "127.0.0.1"
        return self._address("EXECSVC_HTTP_LISTEN", f"{host}:{51051 if listen.path else min(port, PORT_MAX)}")

    def _bind(self, name: str, address: Address | None, mode: Mode) -> None:
        if address is None or address.is_local:
            return
        if self._get("EXECSVC_INSECURE_BIND").lower() != "on":
            self._problem(
                f"{name}={address}: not loopback, and this build has neither TLS nor caller tokens; "
                "bind 127.0.0.1, or in paper mode say EXECSVC_INSECURE_BIND=on (--insecure-bind)"
            )
        elif mode is Mode.LIVE:
            self._problem(f"{name}={address}: EXECSVC_INSECURE_BIND is for paper mode only")

    def _venue(self, mode: Mode) -> VenueUrls | None:
        names = ("EXECSVC_KRAKEN_REST_URL", "EXECSVC_KRAKEN_WS_URL", "EXECSVC_KRAKEN_WS_AUTH_URL")
        given = [self._get(name) for name in names]
        if not any(given):
            return VenueUrls(LIVE_REST_URL, LIVE_WS_URL, LIVE_WS_AUTH_URL) if mode is Mode.LIVE else None
        if not all(given):
            missing = ", ".join(name for name, value in zip(names, given, strict=True) if not value)
            self._problem(f"{missing}: not set; give all three venue addresses or none")
            return None
        for name, value, schemes in zip(names, given, (("https", "http"), ("wss", "ws"), ("wss", "ws")), strict=True):
            self._url(name, value, schemes, mode)
        rest, ws, ws_auth = (value.rstrip("/") for value in given)
        return VenueUrls(rest, ws, ws_auth)

    def _url(self, name: str, value: str, schemes: tuple[str, str], mode: Mode) -> None:
        try:
            parts = urlsplit(value)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port, parts = "", None, urlsplit("")
        if parts.scheme not in schemes or not host or port == 0 or parts.username is not None:
            self._problem(f"{name}: must be an address {schemes[0]}://host[:port] without a user")
        elif not _is_loopback(host) and (parts.scheme == schemes[1] or mode is Mode.PAPER):
            why = "paper mode trades on loopback only" if mode is Mode.PAPER else "plain text is for loopback only"
            self._problem(f"{name}={value}: {why}")

    def _keys(self, mode: Mode, venue: VenueUrls | None) -> KeySource | None:
        if venue is None:
            return None
        key_file, secret_file = self._get("KRAKEN_API_KEY_FILE"), self._get("KRAKEN_API_SECRET_FILE")
        for name, file in (("KRAKEN_API_KEY", key_file), ("KRAKEN_API_SECRET", secret_file)):
            if not file and not self._get(name):
                where = "live mode" if mode is Mode.LIVE else "a venue address of your own"
                self._problem(f"{name}: missing; {where} needs {name}_FILE (better) or {name}")
        return KeySource(Path(key_file) if key_file else None, Path(secret_file) if secret_file else None)

    def _store(self) -> Path | None:
        value = self._get("EXECSVC_STORE")
        if value.startswith("postgresql:"):
            self._problem("EXECSVC_STORE: PostgreSQL is not in this build; use sqlite:///path")
        elif value == "memory:":
            if self._get("EXECSVC_MODE").lower() == Mode.LIVE.value:
                self._problem("EXECSVC_STORE=memory: forgets orders at every stop; live mode needs sqlite:///path")
        elif value.startswith("sqlite:///") and len(value) > len("sqlite:///"):
            return Path("/" + value.removeprefix("sqlite:///").lstrip("/"))
        elif value:
            self._problem(f"EXECSVC_STORE={value}: write sqlite:///absolute/path")
        elif not self._dev:
            state = self._get("XDG_STATE_HOME") or str(Path(self._get("HOME") or "/var/lib") / ".local" / "state")
            return Path(state) / "execsvc" / "execsvc.db"
        return None

    def _notional(self, mode: Mode) -> Decimal | None:
        value = self._get("EXECSVC_MAX_ORDER_NOTIONAL")
        if not value:
            if mode is Mode.LIVE:
                self._problem("EXECSVC_MAX_ORDER_NOTIONAL: missing; live mode needs the largest order in USD")
            return None
        try:
            limit = money.parse(value)
        except money.Malformed as failure:
            self._problem(f"EXECSVC_MAX_ORDER_NOTIONAL={value}: {failure}")
            return None
        if limit == money.ZERO:
            self._problem("EXECSVC_MAX_ORDER_NOTIONAL=0: would refuse every order; set a figure above 0")
        return limit


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
