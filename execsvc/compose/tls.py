"""The certificate of both doors: read at the start, followed while the service runs, its end told and shown as a figure.

Whether there has to be one is the settings' affair.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from execsvc.compose.outcome import StartRefused
from execsvc.compose.parts import Parts
from execsvc.domain.caller import Caller
from execsvc.domain.keycheck import days_left
from execsvc.rpc.callers import Callers
from execsvc.runtime.tls import Keeper, TlsRefused
from execsvc.settings import TlsFiles

_GOOD = "tls.loaded"


def keeper_of(files: TlsFiles | None, parts: Parts) -> Keeper | None:
    """Whoever keeps the certificate in force; None where there is none. Raises StartRefused."""
    if files is None:
        return None
    try:
        keeper = Keeper(files.certificate, files.key, files.client_ca, clock=parts.clock, told=_told)
    except TlsRefused as refused:
        raise StartRefused(f"TLS: {refused} (EXECSVC_TLS_CERT_FILE, EXECSVC_TLS_KEY_FILE)") from None
    parts.tasks.supervise("tls", keeper.watch)
    parts.telemetry.watch(
        "execsvc.tls.days_left",
        "Days until the certificate of the doors expires.",
        lambda: [(days_left(keeper.pair.until_ns, parts.clock.wall_ns()), {})],
    )
    return keeper


def _told(event: str, why: str) -> None:
    log = structlog.get_logger()
    (log.info if event == _GOOD else log.warning)(event, why=why)


@dataclass(frozen=True)
class WithTls:
    """The callers of a server with TLS: what is wrong with its certificate is told with what is wrong with their tokens."""

    callers: Callers
    keeper: Keeper

    @property
    def revision(self) -> int:
        """Theirs."""
        return self.callers.revision

    @property
    def problems(self) -> tuple[str, ...]:
        """Theirs, and the certificate's."""
        return (*self.callers.problems, *self.keeper.problems)

    def recognise(self, meta: Mapping[str, str], peer: str, names: tuple[str, ...] = ()) -> Caller:
        """As they do. Raises TOKEN_INVALID."""
        return self.callers.recognise(meta, peer, names)

    def knows(self, caller: str) -> bool:
        """As they do."""
        return self.callers.knows(caller)

    def describe(self) -> str:
        """As they do."""
        return self.callers.describe()
