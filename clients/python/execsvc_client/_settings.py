"""Where the gateway is and who the caller is: from arguments, or from the environment.

    EXECSVC_TARGET                host:port, or unix:path; 127.0.0.1:50051 when absent
    EXECSVC_TOKEN                 the caller's token, or
    EXECSVC_TOKEN_FILE            a file that holds it, its owner's alone (0400 or 0600)
    EXECSVC_TLS_CA_FILE           TLS, and these authorities only; `public`: those that gRPC knows
    EXECSVC_TLS_CLIENT_CERT_FILE  TLS, and this client's certificate
    EXECSVC_TLS_CLIENT_KEY_FILE   its key

A token never shows in a repr, and never travels in plaintext beyond this machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from ipaddress import ip_address
from pathlib import Path

from execsvc_client._tls import Tls
from execsvc_client._token_file import read_token

__version__ = "0.1.0"
DEFAULT_TARGET = "127.0.0.1:50051"


@dataclass(frozen=True)
class Settings:
    """Everything a channel and its metadata are made from. Raises ValueError for what cannot work."""

    target: str = DEFAULT_TARGET
    token: str = field(default="", repr=False)
    name: str = "execsvc-python"
    account: str = ""
    allow_live: bool = False

    def __post_init__(self) -> None:
        if not self.target or self.target != self.target.strip():
            raise ValueError(f"target {self.target!r}: give host:port or unix:path")
        for what, value in (("name", self.name), ("token", self.token)):
            if not (value.isascii() and value.isprintable()) or value != value.strip():
                raise ValueError(f"{what}: printable ASCII without blanks around it, since it travels as a header")

    def headers(self, request_id: str, traceparent: str) -> tuple[tuple[str, str], ...]:
        """The metadata of one request."""
        plain = (
            ("x-client-name", self.name),
            ("x-client-version", __version__),
            ("x-request-id", request_id),
            ("traceparent", traceparent),
        )
        return (*plain, ("authorization", f"Bearer {self.token}")) if self.token else plain

    @property
    def is_local(self) -> bool:
        """Whether the target is this machine, where plaintext leaves nothing to listen to."""
        scheme, _, rest = self.target.partition(":")
        if _is_socket(self.target):
            return True
        address = self.target.rpartition("/")[2] if scheme in {"dns", "ipv4", "ipv6"} else self.target
        if scheme in {"ipv4", "ipv6"}:
            address = rest
        host = address.rpartition(":")[0].strip("[]") or address
        try:
            return host == "localhost" or ip_address(host).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True)
class Found:
    """What the environment says. tls None: plaintext."""

    target: str
    token: str = field(default="", repr=False)
    tls: Tls | None = None


def from_environment(environ: Mapping[str, str], target: str = "") -> Found:
    """Where the gateway is (`target`, where it is given) and how to come before it.

    Raises ValueError for variables that contradict each other and for a token file that others may read, OSError when it
    cannot be read.
    """
    target = target or environ.get("EXECSVC_TARGET", "") or DEFAULT_TARGET
    token, file = environ.get("EXECSVC_TOKEN", ""), environ.get("EXECSVC_TOKEN_FILE", "")
    if token and file:
        raise ValueError("EXECSVC_TOKEN and EXECSVC_TOKEN_FILE are both set: keep one")
    if file:
        token = read_token(Path(file))
    return Found(target, token, None if _is_socket(target) else Tls.from_env(environ))


def _is_socket(target: str) -> bool:
    """A unix socket: its file's mode guards it, and TLS has no name to check there."""
    return target.partition(":")[0] in {"unix", "unix-abstract"}


def refuse_plaintext(settings: Settings) -> None:
    """Raise ValueError if a token would travel in plaintext to another machine."""
    if settings.token and not settings.is_local:
        raise ValueError(
            f"a token would travel in plaintext to {settings.target}: set EXECSVC_TLS_CA_FILE (a file, or public), give "
            "tls=Tls(…), or a channel of your own if something else protects the way"
        )


def retry_config() -> str:
    """The gRPC service config that every execsvc client embeds, as JSON text."""
    return resources.files("execsvc_client").joinpath("retry.json").read_text("utf-8")


def channel_options() -> list[tuple[str, str | int]]:
    """Options of every channel.

    bdp_probe off: with it a client that stops reading is sent tens of thousands of stale ticks before back pressure
    bites. Keepalive finds a dead link in about a minute and stays within what a server takes for politeness. A gateway
    that restarts is found again within five seconds, where gRPC itself would wait up to two minutes.
    """
    return [
        ("grpc.service_config", retry_config()),
        ("grpc.enable_retries", 1),
        ("grpc.http2.bdp_probe", 0),
        ("grpc.keepalive_time_ms", 45_000),
        ("grpc.keepalive_timeout_ms", 15_000),
        ("grpc.keepalive_permit_without_calls", 0),
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.min_reconnect_backoff_ms", 5_000),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        ("grpc.max_receive_message_length", 16 * 1024 * 1024),
        ("grpc.primary_user_agent", f"execsvc-python/{__version__}"),
    ]
