"""One connection to the HTTP address: aiohttp's own protocol, with bounds on what comes in before it is parsed.

aiohttp parses whatever arrives, a byte or ten thousand requests at a time, in the one event loop that orders wait for too. A
proper client sends one short request in a few pieces and waits for its answer; who sends otherwise is cut off. How many
connections there are is listen.py's, how many answers turns.py's.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from execsvc.ports import Clock

# Since the request before was taken up, or since connecting. Of headers alone that are too long, aiohttp makes a 400.
PIECES_MOST = 32
BYTES_MOST = 16 * 1024
AT_ONCE_MOST = 8  # requests in one piece
KEPT_S = 15.0  # aiohttp's own patience with whoever asked once and does not ask again
_END = b"\r\n\r\n"
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "execsvc",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Visitor(web.RequestHandler):
    """since: when it connected, asked, or was answered last; asking: it waits for us, not we for it; ended: by us."""

    def __init__(self, server: web.Server, clock: Clock) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=KEPT_S,
            access_log=None,  # type: ignore[arg-type]  # None is no log, as aiohttp documents it
            logger=_logger(),
        )
        self._clock = clock
        self._pieces = 0
        self._bytes = 0
        self.since = clock.monotonic()
        self.asking = False
        self.ended = False

    @contextmanager
    def asks(self) -> Iterator[None]:
        """Its request is taken up, and answered when the block ends; then its time begins anew."""
        self._pieces = self._bytes = 0
        self.asking = True
        try:
            yield
        finally:
            self.asking = False
            self.since = self._clock.monotonic()

    def data_received(self, data: bytes) -> None:
        """To aiohttp, when it is no more than a request may be; it calls this itself, with nothing, to go on parsing."""
        if self.ended:
            return
        self._pieces += bool(data)
        self._bytes += len(data)
        if self._pieces > PIECES_MOST or self._bytes > BYTES_MOST or data.count(_END) > AT_ONCE_MOST:
            self.end()
            return
        super().data_received(data)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answers what no guard sees, as every answer looks; aiohttp's own repeats what was sent and names its version."""
        told = message if message is None else "this cannot be read as an HTTP request\n"
        answer = super().handle_error(request, status, exc, told)
        answer.headers.update(HEADERS)
        return answer

    def end(self) -> None:
        """At once: what it has not read of its answers is lost."""
        self.ended = True
        if self.transport is not None:
            self.transport.abort()


def _logger() -> logging.Logger:
    """What aiohttp says of our own mistakes, but not of requests it cannot read: that would repeat what was sent."""
    logger = logging.getLogger("execsvc.web")
    if _ours not in logger.filters:
        logger.addFilter(_ours)
    return logger


def _ours(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
