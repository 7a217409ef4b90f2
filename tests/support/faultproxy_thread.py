"""Fault proxies in a loop of their own thread: for tests that block, and for callers that are no coroutines.

Each call here is carried out in that loop and returns when it is done. What a proxy does is faultproxy.py's affair.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import TypeVar

from tests.support.faultproxy import FaultProxy
from tests.support.faultproxy_dialogue import Armed, Request
from tests.support.toxics import Dose

ANSWER_S = 30.0
T = TypeVar("T")


class ProxyThread:
    """Opens proxies; all of them are closed with the thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stack: AsyncExitStack) -> None:
        self._loop = loop
        self._stack = stack

    def open(self, port: int, *, http: bool = False) -> "HostedProxy":
        """A proxy in front of that port."""
        return HostedProxy(self, self.run(self._stack.enter_async_context(FaultProxy(port, http=http))))

    def run(self, work: Coroutine[object, object, T]) -> T:
        """Carries it out in the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_S)

    def do(self, work: Callable[[], T]) -> T:
        """Calls it in the loop."""

        async def called() -> T:
            return work()

        return self.run(called())


class HostedProxy:
    """A FaultProxy as seen from other threads."""

    def __init__(self, thread: ProxyThread, proxy: FaultProxy) -> None:
        self._thread = thread
        self._proxy = proxy
        self.port = proxy.port

    def add(self, dose: Dose) -> Armed:
        """At work when this returns."""
        return self._thread.do(lambda: self._proxy.add(dose))

    def remove(self, armed: Armed) -> None:
        """Gone when this returns."""
        self._thread.do(lambda: self._proxy.remove(armed))

    def clear(self) -> None:
        """Removes every toxic."""
        self._thread.do(self._proxy.clear)

    def asked(self) -> tuple[Request, ...]:
        """Requests as clients sent them."""
        return self._thread.do(lambda: self._proxy.asked)

    def sent(self) -> tuple[Request, ...]:
        """Requests that went on to the server."""
        return self._thread.do(lambda: self._proxy.sent)

    def until_sent(self, path: str, count: int = 1, within_s: float = 10.0) -> bool:
        """Whether so many such requests went on to the server in time."""
        return self._thread.run(self._proxy.until_sent(path, count, within_s))


@contextmanager
def proxy_thread() -> Iterator[ProxyThread]:
    """The thread, until the block ends; what failed in a proxy is raised then."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fault proxies", daemon=True)
    thread.start()
    stack = AsyncExitStack()
    here = ProxyThread(loop, stack)
    try:
        yield here
    finally:
        try:
            here.run(stack.aclose())
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(ANSWER_S)
            loop.close()
