"""TLS of the gRPC door: credentials that follow the files, and the names of a caller's certificate.

The pair comes from outside (runtime/tls.py reads and judges it); here it is only put into gRPC's words. gRPC takes TLS 1.2
and newer and nothing but HTTP/2 by itself. It can demand a certificate or not ask for one: where an authority of callers is
named, every caller needs a certificate that it signed, and a token narrows what the certificate may do.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Protocol

import grpc

_NAMES_MAX = 32


class Hidden(Protocol):
    """A text that does not show itself."""

    def reveal(self) -> str:
        """The text."""
        ...


class Pair(Protocol):
    """Certificate chain, its key, and who signs callers' certificates (None: callers are asked for none), in PEM."""

    @property
    def chain(self) -> bytes:
        """The leaf first."""
        ...

    @property
    def key(self) -> Hidden:
        """The private key."""
        ...

    @property
    def client_ca(self) -> bytes | None:
        """The authority, or several."""
        ...


class Pairs(Protocol):
    """The pair in force; the revision rises with each new one."""

    @property
    def pair(self) -> Pair:
        """What the next handshake is done with."""
        ...

    @property
    def revision(self) -> int:
        """Counts the changes."""
        ...


def credentials(pairs: Pairs) -> grpc.ServerCredentials:
    """Of a server that looks at `pairs` before every handshake; open connections keep what they began with."""
    given = pairs.revision

    def changed() -> grpc.ServerCertificateConfiguration | None:
        nonlocal given
        if pairs.revision == given:
            return None
        given = pairs.revision
        return _configuration(pairs.pair)

    first = pairs.pair
    return grpc.dynamic_ssl_server_credentials(
        _configuration(first),
        changed,  # type: ignore[arg-type]  # None is the library's own word for "no change"; the stubs forgot it
        first.client_ca is not None,
    )


def names(facts: Mapping[str, Iterable[bytes]]) -> tuple[str, ...]:
    """Who a verified certificate is, from gRPC's facts of a connection: its URIs and DNS names, else its common name.

    Addresses of machines and of mail are nobody's name. An unverified certificate never gets here: gRPC ends its handshake.
    """
    told = [*facts.get("peer_uri", ()), *facts.get("peer_dns", ())] or list(facts.get("x509_common_name", ()))
    return tuple(name.decode(errors="replace") for name in islice(told, _NAMES_MAX))


def _configuration(pair: Pair) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pair.key.reveal().encode(), pair.chain)], pair.client_ca)
