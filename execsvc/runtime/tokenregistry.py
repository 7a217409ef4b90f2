"""The tokens in force while the service runs: their file is read anew when it changed.

It is looked at twice a second, and when somebody comes with a token that is not known yet.
A file that cannot be used keeps the last good tokens in force, and says so aloud until it is mended. When a token was last
used is written beside it, once a minute at most and at the end: for people, nothing depends on it.
"""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from execsvc.domain.token import Token
from execsvc.ports import Clock
from execsvc.runtime.tokenfile import BYTES_MAX, NS, TokenFileError, differences, read

LOOK_S = 0.5
LOOK_AGAIN_S = 0.05  # whoever guesses tokens makes nobody busy
USED_EVERY_S = 60.0

Mark = tuple[int, int, int, int, int]


class TokenRegistry:
    """Opened by `TokenRegistry.of`; `follow` keeps it fresh.

    `alarm` is told of each new problem once, `tell` of each token that was baked, taken back or changed meanwhile.
    """

    def __init__(
        self,
        path: Path,
        tokens: tuple[Token, ...],
        mark: Mark | None,
        *,
        clock: Clock,
        alarm: Callable[[str], None],
        tell: Callable[[str, Token], None] | None = None,
    ) -> None:
        self.path = path
        self.revision = 1
        self.problem = ""
        self._tokens = {each.id: each for each in tokens}
        self._mark = mark
        self._clock = clock
        self._alarm = alarm
        self._tell = tell
        self._used: dict[str, int] = dict(last_used(path))
        self._unwritten = False
        self._looked_at = self._written_at = clock.monotonic()

    @classmethod
    def of(
        cls,
        path: Path,
        *,
        clock: Clock,
        alarm: Callable[[str], None],
        tell: Callable[[str, Token], None] | None = None,
    ) -> "TokenRegistry":
        """The registry of a file. Raises TokenFileError."""
        mark = _mark(path)
        return cls(path, read(path), mark, clock=clock, alarm=alarm, tell=tell)

    def __repr__(self) -> str:
        return f"<TokenRegistry {self.path} {len(self)} tokens>"

    def __len__(self) -> int:
        return len(self._tokens)

    def find(self, token_id: str) -> Token | None:
        """The one of that id; one that was baked a moment ago is found too."""
        if token_id not in self._tokens and self._clock.monotonic() - self._looked_at >= LOOK_AGAIN_S:
            self.look()
        return self._tokens.get(token_id)

    def has(self, caller: str) -> bool:
        """Whether there is one of that caller's."""
        return any(each.caller == caller for each in self._tokens.values())

    def used(self, token_id: str) -> None:
        """Somebody came with it."""
        self._used[token_id] = self._clock.wall_ns()
        self._unwritten = True

    async def follow(self) -> None:
        """Looks for ever."""
        while True:
            await self._clock.sleep(LOOK_S)
            self.look()
            if self._unwritten and self._clock.monotonic() - self._written_at >= USED_EVERY_S:
                self.write_used()

    def look(self) -> None:
        """Reads the file anew if it is another one than before."""
        self._looked_at = self._clock.monotonic()
        mark = _mark(self.path)
        if mark == self._mark:
            return
        self._mark = mark
        try:
            tokens = read(self.path)
        except TokenFileError as unfit:
            problem = f"the tokens of callers stay as they were: {unfit}"
            if problem != self.problem:
                self.problem = problem
                self._alarm(problem)
            return
        before, self._tokens = self._tokens, {each.id: each for each in tokens}
        self.problem = ""
        self.revision += 1
        if self._tell is not None:
            for event, token in differences(before, self._tokens, self._clock.wall_ns()):
                self._tell(event, token)

    def write_used(self) -> None:
        """Leaves word of when each token was last used; that it cannot be written is worth no alarm."""
        self._written_at = self._clock.monotonic()
        self._unwritten = False
        self._used = {name: at for name, at in self._used.items() if name in self._tokens}
        with suppress(OSError):
            _write_used(_used_path(self.path), self._used)


def last_used(path: Path) -> Mapping[str, int]:
    """When each token of the file was last used, by id, in nanoseconds; what cannot be read is not known."""
    try:
        with _used_path(path).open(encoding="utf-8") as file:
            told = json.loads(file.read(BYTES_MAX))
        return {str(name): int(datetime.fromisoformat(at).timestamp()) * NS for name, at in told.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _used_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.used")


def _write_used(path: Path, used: Mapping[str, int]) -> None:
    """Not synced: a disk that is slow would hold up orders for a figure that nobody needs to the minute."""
    told = {name: f"{datetime.fromtimestamp(at // NS, UTC):%Y-%m-%dT%H:%M:%SZ}" for name, at in sorted(used.items())}
    fresh = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        fresh.unlink()
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
        json.dump(told, file, indent=1)
    fresh.replace(path)


def _mark(path: Path) -> Mark | None:
    """What tells one state of a file from the next; None: there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size
