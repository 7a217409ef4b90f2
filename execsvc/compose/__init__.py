"""The composition root: the only room that knows every concrete class.

`run` is what the command line calls. What is built and in which order stands in service.py, how an account comes up in
account.py, what touches the world in parts.py. No container, no globals, no default that builds a thing.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any

import structlog

from execsvc.compose.outcome import PaperFacts, Ready, StartRefused, Stop
from execsvc.compose.parts import real_parts
from execsvc.compose.service import service
from execsvc.runtime import loop
from execsvc.runtime.harden import harden
from execsvc.settings import Settings

Companion = Callable[[str], Coroutine[Any, Any, None]]


def run(settings: Settings, announce: Callable[[Ready], None], companion: Companion | None = None) -> int:
    """Runs until SIGTERM or SIGINT (a second one exits at once) and returns the exit code. Raises StartRefused.

    `companion` is dev's little trader: it is given the gateway's own address.
    """
    exposed = () if settings.dev else harden()
    return loop.run(_main(settings, announce, companion, exposed))


async def _main(
    settings: Settings, announce: Callable[[Ready], None], companion: Companion | None, exposed: Sequence[str]
) -> int:
    stop = Stop()
    _on_signals(stop)
    async with AsyncExitStack() as stack:
        parts = await real_parts(settings, stop, stack)
        for what in exposed:
            structlog.get_logger().warning("process.exposed", why=what)
        running = await stack.enter_async_context(service(settings, parts, stop))
        if settings.demo and companion is not None:
            trade = companion
            parts.tasks.supervise("demo", lambda: trade(running.grpc_address))
        loop.settle()
        announce(running.ready(demo=settings.demo and companion is not None))
        await stop.event.wait()
        structlog.get_logger().info("service.stopping", why=stop.why)
    return stop.code


def _on_signals(stop: Stop) -> None:
    def heard(number: int) -> None:
        if stop.event.is_set():
            os._exit(128 + number)  # the second one means now; the journal makes that safe
        stop.now(signal.Signals(number).name, 130 if number == signal.SIGINT else 0)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, heard, number)


__all__ = ["Companion", "PaperFacts", "Ready", "StartRefused", "run"]
