"""The doors' certificate, its key and the authority of callers' certificates: read, judged, and read again when they change.

A pair that cannot be used refuses the start; later it leaves the last good one in force and is told. What is judged is judged
by OpenSSL and by the file rule of all secrets. How a door speaks TLS with it is the door's business (rpc/tls.py); web takes
the context made here.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from execsvc.ports import Clock
from execsvc.runtime.secrets import Secret, SecretFileError, read_secret
from execsvc.runtime.x509 import Unreadable, validities

LOOK_EVERY_S = 1.0
WARN_DAYS = 14
TELL_AGAIN_S = 24 * 3600.0
CHAIN_BYTES_MAX = 256 * 1024
_ATTEMPTS = 3
_NS = 10**9
_DAY_NS = 24 * 3600 * _NS

Told = Callable[[str, str], None]
"""Event name (`tls.loaded`, `tls.expires`, `tls.unusable`) and what there is to say; no secret."""

_Marks = tuple[tuple[int, int, int, int] | None, ...]


class TlsRefused(ValueError):
    """The files cannot serve; the message is one line that names the file and the remedy, never its content."""


@dataclass(frozen=True)
class Pair:
    """What the doors present, in PEM; client_ca None asks callers for no certificate. until_ns: the chain's earliest end."""

    chain: bytes = field(repr=False)
    key: Secret
    client_ca: bytes | None = field(repr=False)
    until_ns: int
    context: ssl.SSLContext = field(repr=False)


class Keeper:
    """The pair in force. `revision` rises with each change; `problem` is empty while that is what the files hold."""

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None, *, clock: Clock, told: Told) -> None:
        self._files = (certificate, key, client_ca)
        self._clock = clock
        self._told = told
        self._marks = self._look()
        self.pair = read(certificate, key, client_ca, now_ns=clock.wall_ns())
        self.revision = 1
        self.problem = ""
        self._seen_broken: _Marks | None = None
        self._warned_at: float | None = None
        self._front = _front(self)
        told("tls.loaded", self._until())

    def __repr__(self) -> str:
        return f"<Keeper {self._files[0]}, revision {self.revision}{', ' + self.problem if self.problem else ''}>"

    @property
    def context(self) -> ssl.SSLContext:
        """For a door of Python's own: each handshake is done with the pair then in force."""
        return self._front

    @property
    def problems(self) -> tuple[str, ...]:
        """What callers may know of it: no path, no reason."""
        told = ["the doors' new certificate cannot be used, the one before it stays in force: the log says why"]
        days = (self.pair.until_ns - self._clock.wall_ns()) // _DAY_NS
        ending = [f"the doors' certificate {'expires in ' + str(days) + ' days' if days >= 0 else 'has expired'}"]
        return (*(told if self.problem else ()), *(ending if days < WARN_DAYS else ()))

    async def watch(self) -> None:
        """Looks at the files for ever."""
        while True:
            self.look()
            await self._clock.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """New files come into force; broken ones are told at the second look, for a change takes a moment."""
        marks = self._look()
        if marks != self._marks:
            self._renew(marks)
        self._warn()

    def _renew(self, marks: _Marks) -> None:
        try:
            self.pair = read(*self._files, now_ns=self._clock.wall_ns())
        except TlsRefused as refused:
            if marks == self._seen_broken and self.problem != str(refused):
                self.problem = str(refused)
                self._told("tls.unusable", f"{refused}; the certificate before it stays in force")
            self._seen_broken = marks
            return
        self._marks, self._seen_broken, self.problem, self._warned_at = marks, None, "", None
        self.revision += 1
        self._told("tls.loaded", self._until())

    def _warn(self) -> None:
        """A day apart, from two weeks before the end on."""
        now = self._clock.monotonic()
        soon = self.pair.until_ns - self._clock.wall_ns() < WARN_DAYS * _DAY_NS
        if soon and (self._warned_at is None or now - self._warned_at >= TELL_AGAIN_S):
            self._warned_at = now
            self._told("tls.expires", f"{self._until()}: put a new certificate in its place, no restart is needed")

    def _until(self) -> str:
        days = (self.pair.until_ns - self._clock.wall_ns()) // _DAY_NS
        return f"{self._files[0]}: valid for {days} more days" if days >= 0 else f"{self._files[0]}: expired"

    def _look(self) -> _Marks:
        return tuple(_mark(path) for path in self._files)


def read(certificate: Path, key: Path, client_ca: Path | None, *, now_ns: int) -> Pair:
    """The pair the files hold, whole and from one moment. Raises TlsRefused."""
    paths = tuple(path for path in (certificate, key, client_ca) if path is not None)
    for _ in range(_ATTEMPTS):
        before = [_mark(path) for path in paths]
        chain, ca = _text(certificate), None if client_ca is None else _text(client_ca)
        try:
            secret = read_secret(key)
        except SecretFileError as refused:
            raise TlsRefused(str(refused)) from None
        context = _context(certificate, key, client_ca, ca)
        if before == [_mark(path) for path in paths]:
            until_ns = _valid_until(certificate, chain, now_ns)
            return Pair(chain.encode(), secret, None if ca is None else ca.encode(), until_ns, context)
    raise TlsRefused(f"{certificate}, {key}: they change while they are read")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(CHAIN_BYTES_MAX + 1)
    except OSError as failure:
        raise TlsRefused(f"{path}: {failure.strerror}") from None
    if len(raw) > CHAIN_BYTES_MAX:
        raise TlsRefused(f"{path}: longer than {CHAIN_BYTES_MAX} bytes")
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError:
        raise TlsRefused(f"{path}: not PEM text") from None


def _valid_until(path: Path, chain: str, now_ns: int) -> int:
    try:
        spans = validities(chain)
    except Unreadable as failure:
        raise TlsRefused(f"{path}: {failure}") from None
    if any(span.until_ns <= now_ns for span in spans):
        raise TlsRefused(f"{path}: expired; a new certificate is needed")
    if any(span.from_ns > now_ns for span in spans):
        raise TlsRefused(f"{path}: not valid yet; is this machine's clock right?")
    return min(span.until_ns for span in spans)


def _context(certificate: Path, key: Path, client_ca: Path | None, ca: str | None) -> ssl.SSLContext:
    """A server's context with the pair: OpenSSL's word that certificate and key belong together."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=_locked)
    except (ssl.SSLError, OSError, _Locked) as failure:
        why = "it is locked with a passphrase" if isinstance(failure, _Locked) else _reason(failure)
        raise TlsRefused(f"{certificate}, {key}: not a certificate and its key ({why})") from None
    if ca is not None:
        try:
            context.load_verify_locations(cadata=ca)
        except ssl.SSLError as failure:
            raise TlsRefused(f"{client_ca}: no certificate authority in it ({_reason(failure)})") from None
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


class _Locked(Exception):
    """OpenSSL asked for a passphrase."""


def _locked() -> str:
    raise _Locked


def _reason(failure: OSError) -> str:
    """OpenSSL's own word for it, such as KEY_VALUES_MISMATCH."""
    return getattr(failure, "reason", None) or failure.strerror or type(failure).__name__


def _front(keeper: Keeper) -> ssl.SSLContext:
    """A context that hands every handshake on to the one in force: a listening socket keeps its first context for ever."""

    def hand_on(connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = keeper.pair.context

    front = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    front.minimum_version = ssl.TLSVersion.TLSv1_2
    front.set_alpn_protocols(["http/1.1"])
    front.verify_mode = keeper.pair.context.verify_mode
    front.sni_callback = hand_on
    return front


def _mark(path: Path | None) -> tuple[int, int, int, int] | None:
    """What changes when a file does; None for none that can be seen."""
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
