"""How a verb comes before the gateway: whose token, which TLS files. `Verbs` gives these options to all that take --target.

The command line wins over the environment. A token itself is never a flag, which others on the machine could read. Where none
is named, the one beside the store of this machine's own gateway is used (credentials.py), and only here.
"""

import functools
import inspect
import os
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from grpc import aio

DEFAULT_TARGET = "127.0.0.1:50051"
_TOKENS = ("EXECSVC_TOKEN", "EXECSVC_TOKEN_FILE")

TokenFile = Annotated[
    str, typer.Option("--token-file", help="File of your token. Else EXECSVC_TOKEN_FILE, EXECSVC_TOKEN.")
]
TlsCa = Annotated[
    str,
    typer.Option("--tls-ca", help="TLS: PEM file of the authorities to believe, or public. Else EXECSVC_TLS_CA_FILE."),
]
TlsCert = Annotated[
    str, typer.Option("--tls-cert", help="Your certificate, for mTLS. Else EXECSVC_TLS_CLIENT_CERT_FILE.")
]
TlsKey = Annotated[str, typer.Option("--tls-key", help="Its private key. Else EXECSVC_TLS_CLIENT_KEY_FILE.")]
OPTIONS = {"token_file": TokenFile, "tls_ca": TlsCa, "tls_cert": TlsCert, "tls_key": TlsKey}


@dataclass(frozen=True)
class Reach:
    """What the command line said of it; empty: the environment counts."""

    token_file: str = ""
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""

    def over(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The variables a client reads, the command line's in their places."""
        given = {
            "EXECSVC_TOKEN_FILE": self.token_file,
            "EXECSVC_TLS_CA_FILE": self.tls_ca,
            "EXECSVC_TLS_CLIENT_CERT_FILE": self.tls_cert,
            "EXECSVC_TLS_CLIENT_KEY_FILE": self.tls_key,
        }
        variables = {**environ, **{name: value for name, value in given.items() if value}}
        if self.token_file:
            variables.pop("EXECSVC_TOKEN", None)
        return variables


_NOTHING = Reach()
_REACH: ContextVar[Reach] = ContextVar("reach", default=_NOTHING)


class Verbs(typer.Typer):
    """A tree of verbs in which every verb with a --target also takes the options of this file."""

    def command(self, name: str | None = None, **more: Any) -> Callable[[Any], Any]:
        """Register a verb, as typer does."""
        register = super().command(name, **more)

        def registered(verb: Callable[..., Any]) -> Callable[..., Any]:
            register(reaching(verb))
            return verb

        return registered


def reaching(verb: Callable[..., Any]) -> Callable[..., Any]:
    """The verb with the options of this file behind its own; as it is where it has no --target."""
    signature = inspect.signature(verb)
    if "target" not in signature.parameters:
        return verb

    @functools.wraps(verb)
    def run(*args: Any, token_file: str, tls_ca: str, tls_cert: str, tls_key: str, **options: Any) -> Any:
        token = _REACH.set(Reach(token_file, tls_ca, tls_cert, tls_key))
        try:
            return verb(*args, **options)
        finally:
            _REACH.reset(token)

    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default="", annotation=kind)
        for name, kind in OPTIONS.items()
    ]
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *more])  # type: ignore[attr-defined]  # what inspect reads, and typer with it
    run.__annotations__ = {**verb.__annotations__, **OPTIONS}
    return run


def environment(target: str) -> dict[str, str]:
    """The variables that a client of `target` is made from. Without any token or certificate named, this machine's own token.

    Raises ValueError or OSError where that cannot be trusted or read.
    """
    variables = _REACH.get().over(os.environ)
    named = (*_TOKENS, "EXECSVC_TLS_CLIENT_CERT_FILE")
    if not any(variables.get(name) for name in named):
        from execsvc.cli.credentials import default_token

        variables["EXECSVC_TOKEN"] = default_token(address_of(target))
    return variables


def address_of(target: str) -> str:
    """The address that is meant: --target, else EXECSVC_TARGET, else this machine's usual one."""
    return target or os.environ.get("EXECSVC_TARGET", "") or DEFAULT_TARGET


def open_channel(target: str) -> "aio.Channel":
    """A channel for what is no method of the contract, such as health: with TLS as asked for, without a token.

    Raises ValueError and OSError for TLS files that cannot be used.
    """
    from execsvc_client import Tls
    from grpc import aio

    address = address_of(target)
    tls = None if address.startswith("unix") else Tls.from_env(_REACH.get().over(os.environ))
    return aio.insecure_channel(address) if tls is None else aio.secure_channel(address, tls.credentials())
