"""Who is calling: the gate asks here before anything else, with the metadata and the peer the door saw.

This build knows one caller, `local`, with every permission on one account, and only from the machine itself. Tokens are not
configured: an `authorization` header is neither needed nor looked at, and GetServerInfo says so. Tokens come as another
`Callers`; the gate does not change.
"""

from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import unquote

from execsvc.domain.caller import Caller, Permission, alike
from execsvc.domain.errors import Reason, refuse

_PEERS_KEPT = 1024


class Callers(Protocol):
    """Recognises callers."""

    def recognise(self, meta: Mapping[str, str], peer: str) -> Caller:
        """The caller behind a request. Raises TOKEN_INVALID."""
        ...

    def describe(self) -> str:
        """How callers are recognised, for GetServerInfo; no secret."""
        ...


class LocalCaller:
    """Everybody on this machine is `local`; with `anywhere` everybody who can connect is (paper, asked for in words)."""

    def __init__(self, account: str, *, anywhere: bool = False) -> None:
        self._caller = alike("local", Permission, (account,))
        self._anywhere = anywhere

    def recognise(self, meta: Mapping[str, str], peer: str) -> Caller:  # noqa: ARG002 - the seam's signature
        """The one caller; `meta` is not read. Raises TOKEN_INVALID for a peer that is not this machine."""
        if self._anywhere or is_this_machine(peer):
            return self._caller
        raise refuse(
            Reason.TOKEN_INVALID,
            "this build has no tokens and serves callers on its own machine only; connect over loopback or a unix socket",
        )

    def describe(self) -> str:
        """In words."""
        return f"one local caller, no tokens{', from anywhere' if self._anywhere else ''}"


@lru_cache(_PEERS_KEPT)
def is_this_machine(peer: str) -> bool:
    """Whether gRPC's name of a peer (`ipv4:127.0.0.1:5000`, `ipv6:%5B::1%5D:5000`, `unix:…`) is loopback."""
    kind, _, rest = unquote(peer).partition(":")
    if kind == "unix":
        return True
    host = rest.rpartition(":")[0].strip("[]")
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
