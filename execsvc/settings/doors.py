"""Where the doors are, what guards them, and which places are not to be opened unguarded.

Beyond this machine a door wants TLS and callers that prove who they are, by a token or a certificate; plain text there is for
paper money, and only where somebody asked for it in words.
"""

from dataclasses import dataclass
from pathlib import Path

from execsvc.settings.scalars import PORT_MAX, Scalars
from execsvc.settings.values import Address, Mode, TlsFiles

HTTP_PORT_OFFSET = 1000
TOKENS = "tokens.toml"
OFF = "off"
_PARTS = ("EXECSVC_TLS_CERT_FILE", "EXECSVC_TLS_KEY_FILE", "EXECSVC_TLS_CLIENT_CA_FILE")


@dataclass(frozen=True)
class Doors:
    """Both of them, and their guards."""

    listen: Address
    http: Address | None
    tls: TlsFiles | None
    tokens: Path | None
    insecure: bool


def doors_of(scalars: Scalars, mode: Mode, beside: Path | None) -> Doors:
    """`beside`: the folder of the file of tokens where nobody named one; None: then there are no tokens."""
    listen = scalars.address("EXECSVC_LISTEN", "127.0.0.1:50051")
    doors = Doors(
        listen, _http(scalars, listen), _tls(scalars), _tokens(scalars, beside), scalars.switch("EXECSVC_INSECURE_BIND")
    )
    if mode is Mode.LIVE and doors.tokens is None:
        scalars.wrong("EXECSVC_TOKENS", "live mode has caller tokens; name a file, or leave it unset")
    for name, address in (("EXECSVC_LISTEN", listen), ("EXECSVC_HTTP_LISTEN", doors.http)):
        _guarded(scalars, name, address, doors, mode)
    return doors


def _http(scalars: Scalars, listen: Address) -> Address | None:
    value = scalars.text("EXECSVC_HTTP_LISTEN")
    if value.lower() == OFF:
        return None
    port = 0 if listen.port == 0 else listen.port + HTTP_PORT_OFFSET
    if not value and port > PORT_MAX:
        said = scalars.said("EXECSVC_LISTEN", str(listen))
        scalars.problem(f"{said}: the HTTP port would be {port}; set {scalars.key('EXECSVC_HTTP_LISTEN')}")
    host = f"[{listen.host}]" if ":" in listen.host else listen.host or "127.0.0.1"
    return scalars.address("EXECSVC_HTTP_LISTEN", f"{host}:{51051 if listen.path else min(port, PORT_MAX)}")


def _tls(scalars: Scalars) -> TlsFiles | None:
    certificate, key, client_ca = (scalars.path(name) for name in _PARTS)
    if certificate is None and key is None and client_ca is None:
        return None
    if certificate is None or key is None:
        missing = [name for name, file in zip(_PARTS, (certificate, key), strict=False) if file is None]
        there = next(name for name in _PARTS if scalars.has(name))
        lacking = " and ".join(map(scalars.key, missing))
        scalars.problem(f"{scalars.head(there)}: TLS needs a certificate and its key; {lacking} not set")
        return None
    return TlsFiles(certificate, key, client_ca)


def _tokens(scalars: Scalars, beside: Path | None) -> Path | None:
    value = scalars.text("EXECSVC_TOKENS")
    if not value:
        return None if beside is None else beside / TOKENS
    return None if value.lower() == OFF else Path(value)


def _guarded(scalars: Scalars, name: str, address: Address | None, doors: Doors, mode: Mode) -> None:
    if address is None or address.is_local:
        return
    callers_known = doors.tokens is not None or (doors.tls is not None and doors.tls.client_ca is not None)
    if doors.tls is not None and callers_known:
        return
    lacking = [
        *(["TLS (EXECSVC_TLS_CERT_FILE, EXECSVC_TLS_KEY_FILE)"] if doors.tls is None else []),
        *(
            []
            if callers_known
            else ["caller tokens (EXECSVC_TOKENS) or client certificates (EXECSVC_TLS_CLIENT_CA_FILE)"]
        ),
    ]
    said = scalars.said(name, str(address))
    if doors.insecure and mode is Mode.LIVE:
        scalars.problem(
            f"{said}: EXECSVC_INSECURE_BIND is for paper mode only; this address needs {' and '.join(lacking)}"
        )
    elif not doors.insecure:
        paper = ", or in paper mode say EXECSVC_INSECURE_BIND=on (--insecure-bind)" if mode is Mode.PAPER else ""
        scalars.problem(f"{said}: beyond this machine it needs {' and '.join(lacking)}; else bind 127.0.0.1{paper}")
