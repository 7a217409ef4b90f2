"""Who is calling: the gate asks here before anything else, with the metadata, the peer and the certificate a door saw.

Where tokens are off everybody on this machine is `local`; else a caller is known by its token, by its certificate, or by
both. What a refusal says helps a caller and no guesser: which part was wrong is told only to who holds the secret. Which
method needs what is permits.py's, the file of tokens runtime/tokenfile.py's.
"""

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import unquote

from execsvc.domain.caller import Caller, Permission, alike
from execsvc.domain.errors import ExecsvcError, Reason, refuse
from execsvc.domain.rights import Rights
from execsvc.domain.token import Token
from execsvc.ports import Clock
from execsvc.rpc.bearer import MalformedHeaderError, bearer_of
from execsvc.telemetry import Telemetry

TOLD_EVERY_S = 1.0
_PEERS_KEPT = 1024
_NO_HASH = "0" * 64
_BY_CERTIFICATE = "certificate"
_BY_BOTH = f" and {_BY_CERTIFICATE}"
_HOW = "send `authorization: Bearer xs_…` (EXECSVC_TOKEN_FILE), or come with a caller's certificate"


class Callers(Protocol):
    """Recognises callers."""

    @property
    def revision(self) -> int:
        """Moves whenever a caller may be recognised otherwise than before."""
        ...

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with recognising, in words; no secret."""
        ...

    def recognise(self, meta: Mapping[str, str], peer: str, names: tuple[str, ...]) -> Caller:
        """The caller behind a request; `names` are those of its verified certificate. Raises TOKEN_INVALID."""
        ...

    def knows(self, caller: str) -> bool:
        """Whether somebody may come by that name."""
        ...

    def describe(self) -> str:
        """How callers are recognised, for GetServerInfo; no secret."""
        ...


class Tokens(Protocol):
    """The tokens in force."""

    @property
    def revision(self) -> int:
        """Moves whenever they change."""
        ...

    @property
    def problem(self) -> str:
        """Why what is in force may not be what was last written; empty: it is."""
        ...

    def find(self, token_id: str) -> Token | None:
        """The one of that id."""
        ...

    def has(self, caller: str) -> bool:
        """Whether there is one of that caller's."""
        ...

    def used(self, token_id: str) -> None:
        """Somebody came with it."""
        ...

    def __len__(self) -> int:
        """How many there are."""
        ...


class LocalCaller:
    """Everybody on this machine is `local`; with `anywhere` everybody who can connect is (paper, asked for in words).

    The first account is its default.
    """

    revision = 0
    problems: tuple[str, ...] = ()

    def __init__(self, *accounts: str, anywhere: bool = False) -> None:
        self._caller = alike("local", Permission, accounts)
        self._anywhere = anywhere

    def recognise(
        self,
        meta: Mapping[str, str],  # noqa: ARG002 - the seam's signature
        peer: str,
        names: tuple[str, ...] = (),  # noqa: ARG002 - the seam's signature
    ) -> Caller:
        """The one caller; only `peer` is looked at. Raises TOKEN_INVALID for a peer that is not this machine."""
        if self._anywhere or is_this_machine(peer):
            return self._caller
        raise refuse(
            Reason.TOKEN_INVALID,
            "tokens are off here, and callers are served on this machine only; connect over loopback or a unix socket",
        )

    def knows(self, caller: str) -> bool:
        """Only the one."""
        return caller == self._caller.name

    def describe(self) -> str:
        """In words."""
        return f"one local caller, no tokens{', from anywhere' if self._anywhere else ''}"


@dataclass(frozen=True)
class Known:
    """A caller of the settings: what it may do at most, and the certificate names that are it."""

    name: str
    rights: Rights
    certificates: tuple[str, ...] = ()


class KnownCallers:
    """Callers by token and certificate. `warn` is told how many were refused since it was last told, and whence the last."""

    def __init__(
        self,
        *,
        accounts: tuple[str, ...],
        known: Sequence[Known],
        tokens: Tokens,
        clock: Clock,
        telemetry: Telemetry,
        warn: Callable[[int, str], None],
    ) -> None:
        self._accounts = accounts
        self._most = {each.name: each.rights.over(accounts) for each in known}
        self._by_certificate = {name: each.name for each in known for name in each.certificates}
        self._tokens = tokens
        self._clock = clock
        self._telemetry = telemetry
        self._warn = warn
        self._made: dict[tuple[str, str], Caller] = {}
        self._made_at = tokens.revision
        self._refused, self._told_at = 0, -TOLD_EVERY_S

    def __repr__(self) -> str:
        return f"<KnownCallers {self.describe()}>"

    @property
    def revision(self) -> int:
        """That of the tokens: certificates and settings do not change while the process lives."""
        return self._tokens.revision

    @property
    def problems(self) -> tuple[str, ...]:
        """What the tokens complain of."""
        return (self._tokens.problem,) if self._tokens.problem else ()

    def recognise(self, meta: Mapping[str, str], peer: str, names: tuple[str, ...] = ()) -> Caller:
        """By token, certificate, or both, which must then be one caller's. Raises TOKEN_INVALID."""
        try:
            return self._caller(self._token(meta), self._certified(names))
        except ExecsvcError:
            self._note_refused(peer)
            raise

    def knows(self, caller: str) -> bool:
        """Whoever is in the settings or has a token."""
        return caller in self._most or self._tokens.has(caller)

    def describe(self) -> str:
        """In words."""
        counts = (
            (len(self._tokens), "tokens"),
            (len(self._most), "callers"),
            (len(self._by_certificate), "certificates"),
        )
        return ", ".join(f"{count} {what}" for count, what in counts)

    def still(self, who: Caller) -> Caller:
        """Who comes by the credential of one that was recognised here: by its id, nothing is hashed or counted anew.

        Raises TOKEN_INVALID for a token that was revoked or whose time is over.
        """
        if who.credential == _BY_CERTIFICATE:
            return self._made_of(None, who.name)
        token_id = who.credential.removeprefix("token ").removesuffix(_BY_BOTH)
        token = self._tokens.find(token_id)
        if token is None or token.caller != who.name:
            raise refuse(Reason.TOKEN_INVALID, f"token {token_id} was revoked")
        self._demand_time(token)
        return self._made_of(token, who.name if who.credential.endswith(_BY_BOTH) else "")

    def _token(self, meta: Mapping[str, str]) -> Token | None:
        try:
            sent = bearer_of(meta)
        except MalformedHeaderError as bad:
            raise refuse(Reason.TOKEN_INVALID, f"{bad}; {_HOW}") from None
        if sent is None:
            return None
        token = self._tokens.find(sent.id)
        same = hmac.compare_digest(sent.sha256, _NO_HASH if token is None else token.sha256)
        if token is None or not same:
            raise refuse(
                Reason.TOKEN_INVALID,
                "this token is not known here: it was revoked, or is another gateway's; have one baked",
            )
        self._demand_time(token)
        return token

    def _demand_time(self, token: Token) -> None:
        if token.is_over(self._clock.wall_ns()):
            raise refuse(Reason.TOKEN_INVALID, f"the time of token {token.id} is over; have a new one baked")

    def _certified(self, names: tuple[str, ...]) -> str:
        """The caller that a certificate names; empty: none, as with a proxy's own certificate."""
        found = {self._by_certificate[name] for name in names if name in self._by_certificate}
        if len(found) > 1:
            raise refuse(Reason.TOKEN_INVALID, "the certificate names more than one caller; come with one of your own")
        return next(iter(found), "")

    def _caller(self, token: Token | None, certified: str) -> Caller:
        if token is None and not certified:
            raise refuse(Reason.TOKEN_INVALID, f"nobody is known by that: {_HOW}")
        if token is not None and certified and token.caller != certified:
            raise refuse(Reason.TOKEN_INVALID, "token and certificate are two callers'; come with those of one")
        caller = self._made_of(token, certified)
        if token is not None:
            self._tokens.used(token.id)
        return caller

    def _made_of(self, token: Token | None, certified: str) -> Caller:
        """The same object for as long as nothing changes."""
        if self._made_at != self._tokens.revision:
            self._made.clear()
            self._made_at = self._tokens.revision
        key = ("" if token is None else token.id, certified)
        caller = self._made.get(key)
        if caller is None:
            caller = self._made[key] = replace(self._make(token, certified), recogniser=self)
        return caller

    def _make(self, token: Token | None, certified: str) -> Caller:
        if token is None:
            return self._most[certified].caller(certified, _BY_CERTIFICATE, None)
        rights, most = token.rights.over(self._accounts), self._most.get(token.caller)
        if most is not None:
            rights = rights.narrowed(most)
        credential = f"token {token.id}{_BY_BOTH if certified else ''}"
        return rights.caller(token.caller, credential, token.expires_ns)

    def _note_refused(self, peer: str) -> None:
        self._telemetry.callers_refused.add(1)
        self._refused += 1
        now = self._clock.monotonic()
        if now - self._told_at >= TOLD_EVERY_S:
            self._warn(self._refused, peer)
            self._refused, self._told_at = 0, now


class NoTokens:
    """Where callers come with certificates alone."""

    revision = 0
    problem = ""

    def find(self, token_id: str) -> Token | None:  # noqa: ARG002 - the seam's signature
        """None."""
        return None

    def has(self, caller: str) -> bool:  # noqa: ARG002 - the seam's signature
        """Never."""
        return False

    def used(self, token_id: str) -> None:
        """Never: none is found."""
        raise AssertionError(f"token {token_id} was used where there are none")

    def __len__(self) -> int:
        return 0


def demand(
    callers: Callers, permissions: Iterable[Permission], meta: Mapping[str, str], peer: str, names: tuple[str, ...] = ()
) -> Caller:
    """The caller at a door beside the gate, with any one of the permissions on any account.

    Raises TOKEN_INVALID, or PERMISSION_MISSING.
    """
    who = callers.recognise(meta, peer, names)
    wanted = tuple(permissions)
    if not any(who.may_somewhere(each) for each in wanted):
        words = " or ".join(sorted(each.value for each in wanted))
        raise refuse(Reason.PERMISSION_MISSING, f"this needs the permission {words}", permission=words)
    return who


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
