"""The token that opens the private stream: asked for once, shared by links until one has used it, then asked for anew.

It is a secret of some minutes: nothing here shows it. What a link says with it is private_session.py's.
"""

from collections.abc import Awaitable, Callable

from execsvc.kraken import decode
from execsvc.kraken.endpoints import WEBSOCKETS_TOKEN
from execsvc.kraken.rest import SignedRest
from execsvc.ports import Clock

TOKEN_TIMEOUT_S = 10.0
TOKEN_LIFE_S = 600.0  # of 900 (kraken.md 5.1)


class SocketToken:
    """Of one key. `know_clock` is awaited before the signed call, until a monotonic instant."""

    def __init__(self, rest: SignedRest, clock: Clock, know_clock: Callable[[float], Awaitable[None]]) -> None:
        self._rest = rest
        self._clock = clock
        self._know_clock = know_clock
        self._held: tuple[str, float] | None = None  # seconds: until when it is used for new links

    def __repr__(self) -> str:
        return f"<SocketToken {'none' if self._held is None else 'held'}>"

    async def take(self) -> str:
        """Each costs a point; one that was never used stays good, so links that break before that share it."""
        now = self._clock.monotonic()
        if self._held is not None and now < self._held[1]:
            return self._held[0]
        by = now + TOKEN_TIMEOUT_S
        await self._know_clock(by)
        token = decode.socket_token(await self._rest.call(WEBSOCKETS_TOKEN, {}, by))
        self._held = (token, now + TOKEN_LIFE_S)
        return token

    def used(self) -> None:
        """Kraken has spoken of it: the next link asks for another."""
        self._held = None
