"""Everything that touches the world, made once: clock, chance, sockets, tasks, logs, telemetry, the store.

Nothing here trades or listens: the rooms that do are put together in service.py.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import structlog

from execsvc import __version__
from execsvc.compose.outcome import StartRefused, Stop
from execsvc.ports import Clock, Entropy, Http, Store, Tasks, WsDialer
from execsvc.runtime import logs, otel
from execsvc.runtime.clock import RealClock
from execsvc.runtime.entropy import RealEntropy
from execsvc.runtime.http import AiohttpHttp
from execsvc.runtime.tasks import Supervisor
from execsvc.runtime.ws import AiohttpDialer
from execsvc.settings import Settings
from execsvc.store.disk import Disk
from execsvc.store.memory import MemoryStore
from execsvc.store.place import StoreRefused
from execsvc.store.sqlite import open_sqlite
from execsvc.telemetry import Telemetry

USER_AGENT = f"execsvc/{__version__}"


@dataclass(frozen=True)
class Parts:
    """The world as ports, replaceable as a set: what a simulation hands in instead of real_parts()."""

    clock: Clock
    entropy: Entropy
    tasks: Tasks
    http: Http
    dialer: WsDialer
    telemetry: Telemetry
    metrics_text: Callable[[], str]
    environ: Mapping[str, str]


async def real_parts(settings: Settings, stop: Stop, stack: AsyncExitStack) -> Parts:
    """Builds them; `stack` closes them in reverse."""
    logs.configure(
        form="text" if settings.dev else "json",
        level=settings.log_level.upper(),
        stream=sys.stderr if settings.dev else sys.stdout,
        mode=settings.mode.value,
    )
    log = structlog.get_logger()
    telemetry, metrics_text, flush = otel.build("execsvc", settings.mode.value, os.environ)
    stack.push_async_callback(flush)

    def failed(name: str, failure: BaseException) -> None:
        log.warning("task.failed", name=name, exc_info=failure)

    def fatal(name: str, failure: BaseException) -> None:
        log.error("task.fatal", name=name, exc_info=failure)
        stop.now(f"{name} cannot go on: {logs.words_of(failure)}", 1)

    clock, entropy = RealClock(), RealEntropy()
    http = AiohttpHttp(user_agent=USER_AGENT)
    stack.push_async_callback(http.close)
    dialer = AiohttpDialer(user_agent=USER_AGENT)
    stack.push_async_callback(dialer.close)
    tasks = Supervisor(clock, entropy, on_failure=failed, on_fatal=fatal)
    return Parts(clock, entropy, tasks, http, dialer, telemetry, metrics_text, os.environ)


async def open_store(settings: Settings, parts: Parts, stack: AsyncExitStack) -> tuple[Store, str]:
    """The store and what to call it. Raises StartRefused with the store's own sentence."""
    path = settings.store
    if path is None and not settings.store_is_temporary:
        memory = MemoryStore(Disk.blank(parts.entropy))
        stack.push_async_callback(memory.close)
        return memory, "in memory: forgotten at the end"
    if path is None:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="execsvc-"))
        path = Path(folder) / "execsvc.db"
    try:
        store = await open_sqlite(path, entropy=parts.entropy, clock=parts.clock)
    except StoreRefused as refused:
        raise StartRefused(f"the store cannot be used: {refused}") from None
    stack.push_async_callback(store.close)
    return store, "temporary (--store sqlite:///PATH keeps it)" if settings.store_is_temporary else f"sqlite:///{path}"
