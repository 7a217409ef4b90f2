"""One WebSocket connection as the exchange sees it: frames due, what it follows, and whether it is still up.

No socket is in here: the owner of the exchange carries texts to and fro and honours the close code.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from .balances import Balances
from .executions import Executions
from .figures import NS

LineKind = Literal["public", "private"]
OUTBOX_MAX = 20_000
_IDLE_NS = 60 * NS
_BEAT_NS = NS
_TOO_SLOW = 1008
_GOING_AWAY = 1001
CUT = 1006  # never sent: the connection is cut without a close frame


@dataclass(frozen=True, slots=True)
class Topic:
    """What can be subscribed to: a channel, a symbol, and how (depth, trigger or interval)."""

    channel: str
    symbol: str
    detail: int | str = ""

    @property
    def slot(self) -> tuple[str, str, int | str]:
        """Return what a line may follow only once: a symbol on a channel; candles once per interval."""
        return self.channel, self.symbol, self.detail if self.channel == "ohlc" else ""


@dataclass(frozen=True, slots=True)
class Torn:
    """A message that breaks off: the whole of it, and what is sent."""

    text: str

    @property
    def size(self) -> int:
        """Return the bytes that were promised."""
        return len(self.text.encode())

    @property
    def part(self) -> bytes:
        """Return the bytes that are sent: the first half."""
        return self.text.encode()[: self.size // 2]


@dataclass(slots=True, eq=False)
class Line:
    """A connection. `closed` is the close code once the exchange has hung up; the client may hang up any time.

    A code of 1006 means the connection is to be cut without a word; `torn` is then, if not None, a message of which only
    the first part is to be sent, as one broken frame, after what `drain` returns and before the cut.
    """

    kind: LineKind
    id: int
    opened: int
    topics: dict[tuple[str, str, int | str], Topic] = field(default_factory=dict)
    executions: Executions | None = None
    balances: Balances | None = None
    closed: int | None = None
    torn: Torn | None = None
    last_sent: int = 0
    last_heard: int = 0
    beating: bool = False
    _outbox: deque[str] = field(default_factory=deque, repr=False)

    def say(self, text: str, now: int) -> None:
        """Queue a frame; a client that reads too slowly is cut off at 20,000 frames."""
        if self.closed is not None:
            return
        self.last_sent = now
        self._outbox.append(text)
        if len(self._outbox) > OUTBOX_MAX:
            self.close(_TOO_SLOW)

    def tear(self, text: str) -> None:
        """Break off in the middle of a message: what was queued is still sent, then its first half, then nothing."""
        if self.closed is None:
            self.torn = Torn(text)
            self.closed = CUT

    def drain(self) -> list[str]:
        """Take the frames to send now."""
        texts = list(self._outbox)
        self._outbox.clear()
        return texts

    def close(self, code: int = _GOING_AWAY) -> None:
        """Hang up; what was queued is not sent any more."""
        if self.closed is None:
            self.closed = code
            self._outbox.clear()

    @property
    def waiting(self) -> bool:
        """Tell whether there is something to send, or to close."""
        return bool(self._outbox) or self.closed is not None

    @property
    def subscribed(self) -> bool:
        """Tell whether it follows anything."""
        return bool(self.topics) or self.executions is not None or self.balances is not None

    def beat_due(self, now: int) -> bool:
        """Tell whether it has said nothing for a second since its first subscription."""
        return self.beating and now - self.last_sent >= _BEAT_NS

    def next_beat(self, now: int) -> int:
        """Return when to look again."""
        return (self.last_sent if self.beating and self.last_sent + _BEAT_NS > now else now) + _BEAT_NS

    def idle(self, now: int) -> bool:
        """Tell whether nothing has been subscribed to or said for a minute."""
        return not self.subscribed and now - max(self.last_heard, self.opened) >= _IDLE_NS
