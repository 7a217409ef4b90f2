"""aiohttp behind ports.Http: one request, sent at most once.

No redirects, no retries, no cookies, no proxies from the environment. aiohttp repeats idempotent requests by itself when a
kept-alive connection turns out dead; the middleware here turns such failures into our own errors before it can.
"Not sent" is believed only where no connection came about; all else that fails is "reply lost".
"""

from collections.abc import Mapping

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, ClientTimeout
from yarl import URL

from execsvc.ports import NotSentError, Reply, ReplyLostError

_URLS_MAX = 64
# Of a call's patience: a connection that takes longer leaves no time for an answer, and a request that left late is dead.
_CONNECT_SHARE = 0.5
_CONNECT_MOST_S = 2.0


class AiohttpHttp:
    """A keep-alive pool. Create it inside a running loop; `close()` ends it."""

    def __init__(self, *, user_agent: str, body_bytes_max: int = 16 * 1024 * 1024, connections_max: int = 128) -> None:
        self._body_bytes_max = body_bytes_max
        self._urls: dict[str, URL] = {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections_max, keepalive_timeout=60.0),
            headers={"User-Agent": user_agent},
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(_once,),
            raise_for_status=False,
        )

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout_s: float
    ) -> Reply:
        """Raises NotSentError or ReplyLostError."""
        timeout = ClientTimeout(total=timeout_s, connect=min(timeout_s * _CONNECT_SHARE, _CONNECT_MOST_S))
        try:
            async with self._session.request(
                method, self._parsed(url), headers=headers, data=body, timeout=timeout, allow_redirects=False
            ) as response:
                return Reply(response.status, response.headers, await self._whole(response))
        except (aiohttp.ClientError, TimeoutError, OSError) as failure:
            raise _mapped(failure) from failure

    async def close(self) -> None:
        """Closes every connection."""
        await self._session.close()

    async def _whole(self, response: ClientResponse) -> bytes:
        chunks = bytearray()
        async for chunk in response.content.iter_any():
            chunks += chunk
            if len(chunks) > self._body_bytes_max:
                response.close()
                raise ReplyLostError(f"the answer is longer than {self._body_bytes_max} bytes")
        return bytes(chunks)

    def _parsed(self, url: str) -> URL:
        known = self._urls.get(url)
        if known is None:
            known = URL(url, encoded=True)
            if len(self._urls) < _URLS_MAX:
                self._urls[url] = known
        return known


async def _once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Turns a failed attempt into an error that aiohttp does not know and so cannot answer with a second attempt."""
    try:
        return await handler(request)
    except (aiohttp.ClientError, OSError) as failure:
        raise _mapped(failure) from failure


def _mapped(failure: Exception) -> NotSentError | ReplyLostError:
    what = f"{type(failure).__name__}: {failure}" if str(failure) else type(failure).__name__
    match failure:
        case aiohttp.ConnectionTimeoutError() | aiohttp.ClientConnectorError() | aiohttp.InvalidURL():
            return NotSentError(what)
        case _:
            return ReplyLostError(what)
