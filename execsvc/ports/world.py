"""The seam to the world: time, chance, owned work, HTTP and WebSockets.

runtime meets it; simulations meet it with virtual time. No implementation and no default lives here.
"""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Time. The only reader of a real clock is runtime/clock.py."""

    def monotonic(self) -> float:
        """Seconds that never step back; the scale of every `by`."""
        ...

    def wall_ns(self) -> int:
        """Nanoseconds since the epoch, as the machine believes."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits; zero or less yields once."""
        ...

    def timeout_at(self, by: float | None) -> AbstractAsyncContextManager[Any]:
        """Cancels its block at monotonic `by` and raises TimeoutError; None never does."""
        ...


class Entropy(Protocol):
    """Chance. A branch is independent: a new draw in one never shifts another."""

    def token(self, size: int) -> bytes:
        """`size` unpredictable bytes."""
        ...

    def uniform(self) -> float:
        """From 0 to just below 1: for jitter, never for money."""
        ...

    def branch(self, name: str) -> "Entropy":
        """The source of that name."""
        ...


class Tasks(Protocol):
    """Work the server owns: it outlives the caller that asked for it."""

    def start(self, name: str, work: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """Runs `work` now, strongly referenced; awaiting the handle from a cancelled caller leaves it running."""
        ...

    def supervise(self, name: str, factory: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs a loop for ever: one that dies is made anew by rule, or takes the service down loudly."""
        ...

    async def close(self) -> None:
        """Ends all of it and waits for the end."""
        ...


@dataclass(frozen=True)
class Reply:
    """An HTTP answer, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)  # one of them is a token


class NotSentError(Exception):
    """No byte of the request left us: DNS, connect or TLS failure on a fresh connection."""


class ReplyLostError(Exception):
    """Bytes left, no whole answer came; also the choice when it cannot be known."""


class Http(Protocol):
    """One request, sent at most once: no redirects, no retries, whatever happens."""

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout_s: float
    ) -> Reply:
        """Raises NotSentError or ReplyLostError."""
        ...


class LineClosedError(Exception):
    """The WebSocket is gone; the message says why."""


class Line(Protocol):
    """One open WebSocket."""

    async def send(self, text: str) -> None:
        """Raises LineClosedError."""
        ...

    async def receive(self) -> bytes:
        """The next whole text frame, as bytes. Raises LineClosedError."""
        ...

    async def close(self) -> None:
        """Closes; never raises."""
        ...


class WsDialer(Protocol):
    """Opens WebSockets."""

    async def dial(self, url: str, timeout_s: float) -> Line:
        """Raises NotSentError when no connection came about."""
        ...
