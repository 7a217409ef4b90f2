"""TLS to the gateway: whose certificates are believed, and which certificate this client shows.

Files are read when a client is made and looked at before gRPC gets them: gRPC itself would say nothing of a file that is no
certificate, and only fail each handshake. Which targets need TLS is `_settings.py`'s.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc

PUBLIC = "public"


@dataclass(frozen=True)
class Tls:
    """How to speak TLS; `Tls()` believes the public authorities that gRPC knows, and shows no certificate.

    ca_file    PEM file with the authorities to believe instead, and no others
    cert_file  PEM file with this client's certificate and those between it and its authority, for a gateway that asks (mTLS)
    key_file   PEM file with its private key; both or neither
    """

    ca_file: str | os.PathLike[str] = ""
    cert_file: str | os.PathLike[str] = ""
    key_file: str | os.PathLike[str] = ""

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> "Tls | None":
        """The files that EXECSVC_TLS_CA_FILE, EXECSVC_TLS_CLIENT_CERT_FILE and EXECSVC_TLS_CLIENT_KEY_FILE name.

        None where none of them is set: plaintext. Raises ValueError for half a pair.
        """
        authorities, certificate, key = (
            environ.get(f"EXECSVC_TLS_{name}_FILE", "") for name in ("CA", "CLIENT_CERT", "CLIENT_KEY")
        )
        if not authorities and not certificate and not key:
            return None
        if bool(certificate) is not bool(key):
            raise ValueError(
                "EXECSVC_TLS_CLIENT_CERT_FILE and EXECSVC_TLS_CLIENT_KEY_FILE go together: set both or neither"
            )
        return cls("" if authorities == PUBLIC else authorities, certificate, key)

    def __post_init__(self) -> None:
        if bool(os.fspath(self.cert_file)) is not bool(os.fspath(self.key_file)):
            raise ValueError("a client certificate and its key go together: give cert_file and key_file, or neither")

    def credentials(self) -> grpc.ChannelCredentials:
        """For a channel. Raises OSError for a file that cannot be read, ValueError for one that holds something else."""
        return grpc.ssl_channel_credentials(
            root_certificates=_pem(self.ca_file, "CERTIFICATE-----"),
            private_key=_pem(self.key_file, "PRIVATE KEY-----"),
            certificate_chain=_pem(self.cert_file, "CERTIFICATE-----"),
        )


def chosen(tls: Tls | None, credentials: grpc.ChannelCredentials | None) -> grpc.ChannelCredentials | None:
    """The credentials of a channel, None for plaintext. Raises ValueError for two answers, and as `Tls.credentials`."""
    if tls is None:
        return credentials
    if credentials is not None:
        raise ValueError("tls and credentials are both given: keep one")
    return tls.credentials()


def _pem(file: str | os.PathLike[str], what: str) -> bytes | None:
    if not os.fspath(file):
        return None
    content = Path(file).read_bytes()
    if b"-----BEGIN " not in content or what.encode() not in content:
        kind = what.removesuffix("-----").lower()
        raise ValueError(f"{os.fspath(file)}: no {kind} in PEM form is in this file")
    return content
