"""aiohttp WebSockets behind ports.WsDialer: dial, whole text frames, close. Frames are bounded in size.

When to dial again, what to say and whether a silent line is dead is decided elsewhere (kraken/stream.py).
"""

import asyncio
from typing import Literal

import aiohttp
from aiohttp import ClientTimeout, ClientWebSocketResponse, ClientWSTimeout, WSMsgType

from execsvc.ports import Line, LineClosedError, NotSentError

_CLOSE_S = 0.5  # how long a peer may take to answer our goodbye


class AiohttpLine:
    """One open WebSocket."""

    def __init__(self, socket: ClientWebSocketResponse[Literal[False]]) -> None:
        self._socket = socket

    async def send(self, text: str) -> None:
        """Raises LineClosedError."""
        try:
            await self._socket.send_str(text)
        except (aiohttp.ClientError, OSError) as failure:
            raise LineClosedError(f"{type(failure).__name__}: {failure}") from failure

    async def receive(self) -> bytes:
        """The next whole text frame. Raises LineClosedError; a binary frame is a protocol breach and closes too."""
        message = await self._socket.receive()
        if message.type is WSMsgType.TEXT:
            frame: bytes = message.data
            return frame
        raise LineClosedError(self._why(message.type))

    async def close(self) -> None:
        """Closes; never raises."""
        await self._socket.close()

    def _why(self, kind: WSMsgType) -> str:
        failure = self._socket.exception()
        if failure is not None:
            return f"{type(failure).__name__}: {failure}"
        if kind is WSMsgType.BINARY:
            return "a binary frame came"
        code = self._socket.close_code
        return "closed" if code is None else f"closed with code {code}"


class AiohttpDialer:
    """Opens WebSockets. Create it inside a running loop; `close()` ends what is left."""

    def __init__(self, *, user_agent: str, frame_bytes_max: int = 4 * 1024 * 1024) -> None:
        self._frame_bytes_max = frame_bytes_max
        self._session = aiohttp.ClientSession(
            headers={"User-Agent": user_agent}, cookie_jar=aiohttp.DummyCookieJar(), timeout=ClientTimeout(total=None)
        )

    async def dial(self, url: str, timeout_s: float) -> Line:
        """Raises NotSentError when no connection came about in time."""
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._session.ws_connect(
                    url,
                    timeout=ClientWSTimeout(ws_receive=None, ws_close=_CLOSE_S),
                    max_msg_size=self._frame_bytes_max,
                    decode_text=False,
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as failure:
            raise NotSentError(f"{type(failure).__name__}: {failure}") from failure
        return AiohttpLine(response)

    async def close(self) -> None:
        """Closes every connection."""
        await self._session.close()
