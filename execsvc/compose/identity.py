"""How callers are recognised: by tokens and certificates where they are on, else everybody on this machine is `local`.

The first start with tokens writes their file and, beside it, an admin's and a viewer's token, which are never printed. What a
caller is allowed is decided in rpc/callers.py.
"""

from contextlib import AsyncExitStack
from pathlib import Path

import structlog

from execsvc.compose.outcome import StartRefused
from execsvc.compose.parts import Parts
from execsvc.domain.rights import BUNDLES, EVERY, Rights, rights_with
from execsvc.domain.token import DAY_NS, LIFE_DAYS, Token
from execsvc.ports import Clock, Entropy
from execsvc.rpc.bearer import bake
from execsvc.rpc.callers import Callers, Known, KnownCallers, LocalCaller, NoTokens, Tokens
from execsvc.runtime.secrets import Secret
from execsvc.runtime.tokenfile import TokenFileError, create
from execsvc.runtime.tokenregistry import TokenRegistry
from execsvc.settings import Settings

FIRST = ("admin", "viewer")  # callers of the first start, named like their bundles


def callers_of(settings: Settings, parts: Parts, stack: AsyncExitStack) -> Callers:
    """Whoever recognises callers; `stack` leaves word of when tokens were used. Raises StartRefused."""
    accounts = tuple(each.name for each in settings.accounts)
    certificates = settings.tls is not None and settings.tls.client_ca is not None
    if settings.tokens is None and not certificates:
        return LocalCaller(*accounts, anywhere=not settings.listen.is_local)
    return KnownCallers(
        accounts=accounts,
        known=[
            Known(each.name, Rights(each.unbound, each.grants, each.default), each.certificates)
            for each in settings.callers
        ],
        tokens=NoTokens() if settings.tokens is None else _tokens(settings.tokens, parts, stack),
        clock=parts.clock,
        telemetry=parts.telemetry,
        warn=_warn,
    )


def _tokens(path: Path, parts: Parts, stack: AsyncExitStack) -> Tokens:
    try:
        _write_first(path, parts.clock, parts.entropy)
        registry = TokenRegistry.of(path, clock=parts.clock, alarm=_alarm, tell=_tell)
    except TokenFileError as unfit:
        raise StartRefused(f"the tokens of callers cannot be used: {unfit}") from None
    parts.tasks.supervise("tokens", registry.follow)
    stack.callback(registry.write_used)
    return registry


def _write_first(path: Path, clock: Clock, entropy: Entropy) -> None:
    now_ns = clock.wall_ns()
    tokens, texts = [], {}
    for name in FIRST:
        baked = bake(entropy)
        rights = rights_with(BUNDLES[name], [EVERY])
        ends_ns = now_ns + LIFE_DAYS * DAY_NS
        tokens.append(Token(baked.id, name, baked.sha256, now_ns, ends_ns, rights, "written at the first start"))
        texts[f"{name}.token"] = Secret(baked.text)
    if create(path, tokens, texts):
        log = structlog.get_logger()
        log.info("tokens.created", path=str(path), count=len(tokens))
        for name in texts:
            log.info("token.written", path=str(path.with_name(name)))


def _warn(count: int, peer: str) -> None:
    structlog.get_logger().warning("caller.refused", count=count, peer=peer)


def _tell(event: str, token: Token) -> None:
    structlog.get_logger().info(event, name=token.id, caller=token.caller)


def _alarm(problem: str) -> None:
    structlog.get_logger().error("tokens.unusable", problem=problem)
