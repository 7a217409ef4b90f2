"""The table of settings: every name, its key in the file, what it is for, its shape. Reader, schema and page use it.

A key with a point lies in a section of the file: tls.cert_file in [tls]. What has no key only the environment can say.
"""

from dataclasses import dataclass
from enum import Enum

TIERS = ("starter", "intermediate", "pro", "unlimited")
LEVELS = ("debug", "info", "warning", "error")
MODES = ("paper", "live")


class Kind(Enum):
    """What a value looks like in the file; the environment says each as text, a switch as on or off."""

    TEXT = "text"
    ADDRESS = "address"
    PATH = "path"
    SWITCH = "switch"
    INTEGER = "integer"
    SECONDS = "seconds"
    AMOUNT = "amount"
    FIGURES = "figures"


@dataclass(frozen=True)
class Name:
    """One setting. least and most bound an integer or seconds; `default` is what the reference page says of it."""

    name: str
    what: str
    default: str
    kind: Kind = Kind.TEXT
    choices: tuple[str, ...] = ()
    least: float = 0
    most: float | None = None
    in_file: bool = True
    key: str = ""

    @property
    def file_key(self) -> str:
        """Its key in the file, empty when it has none."""
        return (self.key or self.name.removeprefix("EXECSVC_").lower()) if self.in_file else ""


NAMES = (
    Name("EXECSVC_CONFIG", "the file with accounts, callers and limits (`--config`)", "none", Kind.PATH, in_file=False),
    Name("EXECSVC_MODE", "which money moves", "paper", choices=MODES),
    Name("EXECSVC_LISTEN", "gRPC address, host:port or unix:path", "127.0.0.1:50051", Kind.ADDRESS),
    Name(
        "EXECSVC_HTTP_LISTEN",
        "address of /metrics and /healthz, host:port or off",
        "the gRPC port + 1000",
        Kind.ADDRESS,
    ),
    Name("EXECSVC_STORE", "sqlite:///path or memory:", "under the user's state directory; dev: temporary"),
    Name("EXECSVC_TOKENS", "the file of caller tokens, or off", "tokens.toml beside the store; dev: off", Kind.PATH),
    Name("EXECSVC_TLS_CERT_FILE", "certificate chain of both doors, PEM", "none", Kind.PATH, key="tls.cert_file"),
    Name("EXECSVC_TLS_KEY_FILE", "its private key, PEM", "none", Kind.PATH, key="tls.key_file"),
    Name(
        "EXECSVC_TLS_CLIENT_CA_FILE",
        "who signs callers' certificates, PEM",
        "none: callers have tokens only",
        Kind.PATH,
        key="tls.client_ca_file",
    ),
    Name(
        "EXECSVC_INSECURE_BIND",
        "allow an address beyond this machine without TLS and tokens, in paper mode only",
        "off",
        Kind.SWITCH,
    ),
    Name(
        "EXECSVC_TIER",
        "verification tier of the accounts; unlimited for load tests",
        "starter; dev: intermediate",
        choices=TIERS,
    ),
    Name(
        "EXECSVC_DEAD_MANS_SWITCH",
        "seconds: Kraken cancels everything if execsvc is not well for so long; 0 is off, else 15 to 3600",
        "0",
        Kind.INTEGER,
        most=3600,
    ),
    Name(
        "EXECSVC_MAX_ORDER_NOTIONAL",
        "largest order in USD, of every account and caller; live mode needs one",
        "none",
        Kind.AMOUNT,
    ),
    Name(
        "EXECSVC_CALLER_WEIGHTS",
        "shares of callers that wait for the same thing: risk=3,signal=1",
        "1 each",
        Kind.FIGURES,
        least=1,
        most=100,
    ),
    Name(
        "EXECSVC_REST_COSTS",
        "points of Kraken's call counter, where you know better: ClosedOrders=1,OpenOrders=2",
        "as Kraken's pages say",
        Kind.FIGURES,
        most=10,
    ),
    Name("EXECSVC_KRAKEN_REST_URL", "another venue address; plain http to loopback only", "Kraken's own"),
    Name("EXECSVC_KRAKEN_WS_URL", "another public WebSocket address; plain ws to loopback only", "Kraken's own"),
    Name("EXECSVC_KRAKEN_WS_AUTH_URL", "another private WebSocket address; plain ws to loopback only", "Kraken's own"),
    Name("EXECSVC_ALLOW_SHARED_KEY", "trade although another program uses the API key too", "off", Kind.SWITCH),
    Name(
        "EXECSVC_CLEAR_HALT",
        "id of a halt that a person has looked into: trading is taken up again",
        "none",
        in_file=False,
    ),
    Name(
        "EXECSVC_DEADLINE_FLOOR",
        "least seconds Kraken wants for an order's deadline",
        "2",
        Kind.SECONDS,
        least=0.5,
        most=10,
    ),
    Name(
        "EXECSVC_VISIBILITY_BOUND",
        "seconds an accepted order may stay invisible to Kraken's queries; grows by itself",
        "3",
        Kind.SECONDS,
        least=1,
        most=60,
    ),
    Name("EXECSVC_RETENTION_DAYS", "days that events, fills and stories are kept", "90", Kind.INTEGER, least=1),
    Name(
        "EXECSVC_ID_RETENTION_DAYS",
        "days that an order's id keeps it from being placed again",
        "400",
        Kind.INTEGER,
        least=1,
    ),
    Name("EXECSVC_LOG_LEVEL", "the least that is logged", "info", choices=LEVELS),
    Name("EXECSVC_SEED", "seed of the built-in paper exchange", "42", Kind.INTEGER),
    Name("EXECSVC_DEMO", "dev's little trader", "off; dev: on", Kind.SWITCH),
)
SERVER = {each.name: each for each in NAMES}
BY_KEY = {each.file_key: each for each in NAMES if each.in_file}

# What the keys of an account are read from where the file names none, and one account stands alone.
KEY_NAMES = {
    "KRAKEN_API_KEY_FILE": "file with the API key",
    "KRAKEN_API_SECRET_FILE": "file with its secret",
    "KRAKEN_API_KEY": "the API key itself; a file is better",
    "KRAKEN_API_SECRET": "its secret itself; a file is better",
}
CLIENT_NAMES = {
    "EXECSVC_TARGET": "gateway that the client verbs call",
    "EXECSVC_TOKEN": "caller token; a file is better",
    "EXECSVC_TOKEN_FILE": "file with a caller token",
    "EXECSVC_TLS_CA_FILE": "who signed the gateway's certificate, PEM",
    "EXECSVC_TLS_CLIENT_CERT_FILE": "the caller's own certificate, PEM",
    "EXECSVC_TLS_CLIENT_KEY_FILE": "its private key, PEM",
    "EXECSVC_OUTPUT": "table, json or jsonl",
    "EXECSVC_ALLOW_LIVE": "1: the example programs go on where money is real",
    "EXECSVC_PAPER_CONTROL_URL": "control port of a paper exchange",
}
LATER_NAMES = {
    "EXECSVC_HEALTH_LISTEN": "a health-only port is not in this build: /healthz is on the HTTP address",
}
