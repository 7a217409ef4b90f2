"""What the composition root says to whoever started it: ready, refused, or why it ended.

Values only; what is printed of them is the command line's business.
"""

import asyncio
from dataclasses import dataclass, field


class StartRefused(Exception):
    """The service does not start; the message is one line that says why and what to do."""


@dataclass(frozen=True)
class PaperFacts:
    """The built-in exchange, for the banner."""

    address: str
    seed: int
    symbols: tuple[str, ...]
    tier: str
    funds: str


@dataclass(frozen=True)
class Ready:
    """What stands, once it stands. http_url is empty when that door is off; tokens: callers need one."""

    version: str
    mode: str
    dev: bool
    grpc_address: str
    http_url: str
    paper: PaperFacts | None
    demo: bool
    store: str
    trading: bool
    accounts: tuple[str, ...] = ()
    tokens: bool = False


@dataclass
class Stop:
    """Why and how the service ends; `code` becomes the process's exit code."""

    event: asyncio.Event = field(default_factory=asyncio.Event)
    code: int = 0
    why: str = ""

    def now(self, why: str, code: int) -> None:
        """Asks for the end; the first reason stays."""
        if not self.event.is_set():
            self.why, self.code = why, code
            self.event.set()
