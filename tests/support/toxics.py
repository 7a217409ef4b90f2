"""What goes wrong on a link, as values: toxiproxy's toxics by their names, and some that know HTTP/1.1.

A toxic says what happens to bytes (`steps`) or to one request; a `Dose` adds whom it strikes. Everything here is pure: the
waiting, writing and hanging up is faultproxy.py, what HTTP is stands in faultproxy_http.py.

    Latency      every chunk comes `delay_s` (± `jitter_s`) later              Down        nobody can connect, all are cut off
    Bandwidth    so many bytes a second                                        SlowClose   a hang-up arrives `delay_s` late
    Timeout      nothing gets through; after `after_s` both ends are closed    LimitData   closed after so many bytes
    ResetPeer    the first bytes are swallowed, their receiver gets a reset    Slicer      small slices, a pause between
    DropReply    carried out, never answered       Duplicate   arrives twice, one of the two answers is told
    ReplacePage  carried out, answered by HTML     Overtake    held back until a later request has been answered
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Literal, Protocol

LONGEST_S = 60.0  # no toxic holds anything longer
Direction = Literal["upstream", "downstream"]
Ending = Literal["close", "reset"]


@dataclass(frozen=True)
class Pass:
    """These bytes go on."""

    data: bytes


@dataclass(frozen=True)
class Wait:
    """Nothing moves for so long; cut short when the toxic is removed."""

    seconds: float


@dataclass(frozen=True)
class End:
    """The connection ends here, unless the toxic was removed meanwhile: then the steps behind it are taken."""

    how: Ending


Step = Pass | Wait | End


@dataclass(frozen=True)
class Chunk:
    """Bytes on their way: how long ago they came, and how many went before them on this connection."""

    data: bytes
    age_s: float = 0.0
    passed: int = 0


class LinkToxic(Protocol):
    """A toxic of bytes. Its steps pass on the whole chunk, in order, if no End is carried out."""

    def steps(self, chunk: Chunk, chance: Random) -> Iterator[Step]: ...


@dataclass(frozen=True)
class Latency:
    """Chunks are late but not slowed down: those that come together stay together."""

    delay_s: float
    jitter_s: float = 0.0

    def __post_init__(self) -> None:
        _bounded(delay_s=self.delay_s, jitter_s=self.jitter_s)

    def steps(self, chunk: Chunk, chance: Random) -> Iterator[Step]:
        late_s = self.delay_s + chance.uniform(-self.jitter_s, self.jitter_s) if self.jitter_s else self.delay_s
        if late_s > chunk.age_s:
            yield Wait(late_s - chunk.age_s)
        yield Pass(chunk.data)


@dataclass(frozen=True)
class Bandwidth:
    """A piece arrives when its last byte would have."""

    bytes_per_s: int

    def __post_init__(self) -> None:
        _positive(bytes_per_s=self.bytes_per_s)

    def steps(self, chunk: Chunk, chance: Random) -> Iterator[Step]:
        piece = max(1, self.bytes_per_s // 20)
        for start in range(0, len(chunk.data), piece):
            data = chunk.data[start : start + piece]
            yield Wait(len(data) / self.bytes_per_s)
            yield Pass(data)


@dataclass(frozen=True)
class Slicer:
    """Slices of `size` ± `variation` bytes, `delay_s` between two of them."""

    size: int
    variation: int = 0
    delay_s: float = 0.0

    def __post_init__(self) -> None:
        _positive(size=self.size - self.variation)
        _bounded(delay_s=self.delay_s)

    def steps(self, chunk: Chunk, chance: Random) -> Iterator[Step]:
        start = 0
        while start < len(chunk.data):
            if start:
                yield Wait(self.delay_s)
            end = start + self.size + chance.randint(-self.variation, self.variation)
            yield Pass(chunk.data[start:end])
            start = end


@dataclass(frozen=True)
class LimitData:
    """So many bytes arrive, then the connection is closed."""

    limit: int

    def __post_init__(self) -> None:
        if self.limit < 0:
            raise ValueError("limit: 0 or more")

    def steps(self, chunk: Chunk, chance: Random) -> Iterator[Step]:
        room = max(0, self.limit - chunk.passed)
        if chunk.data[:room]:
            yield Pass(chunk.data[:room])
        if len(chunk.data) >= room:
            yield End("close")
        if chunk.data[room:]:
            yield Pass(chunk.data[room:])


@dataclass(frozen=True)
class Timeout:
    """A stalled link. Closed `after_s` after the first bytes stood still; 0: only removing the toxic ends it.

    Unlike toxiproxy's, what was held goes on when the toxic is removed in time, as after a network that healed.
    """

    after_s: float = 0.0

    def __post_init__(self) -> None:
        _bounded(after_s=self.after_s)

    def steps(self, chunk: Chunk, chance: Random) -> Iterator[Step]:
        yield Wait(self.after_s or LONGEST_S)
        yield End("close")
        yield Pass(chunk.data)


@dataclass(frozen=True)
class ResetPeer:
    """The first bytes are swallowed, and `after_s` later their receiver gets a TCP reset; the other end is closed."""

    after_s: float = 0.0

    def __post_init__(self) -> None:
        _bounded(after_s=self.after_s)

    def steps(self, chunk: Chunk, chance: Random) -> Iterator[Step]:
        yield Wait(self.after_s)
        yield End("reset")
        yield Pass(chunk.data)


@dataclass(frozen=True)
class SlowClose:
    """Bytes pass; that the other side has hung up is told `delay_s` late."""

    delay_s: float

    def __post_init__(self) -> None:
        _bounded(delay_s=self.delay_s)

    def steps(self, chunk: Chunk, chance: Random) -> Iterator[Step]:
        yield Pass(chunk.data)


@dataclass(frozen=True)
class Down:
    """The proxy does not listen, and cuts off whoever was connected: connecting is refused."""


@dataclass(frozen=True)
class DropReply:
    """The request is carried out; of the answer nothing arrives. `silent`: the client is left waiting, else cut off."""

    path: str = ""
    silent: bool = False


@dataclass(frozen=True)
class ReplacePage:
    """The request is carried out; an edge server answers with an HTML page of this status in place of the answer."""

    status: int = 502
    path: str = ""

    def __post_init__(self) -> None:
        if not 400 <= self.status <= 599:
            raise ValueError("status: 400 to 599")


@dataclass(frozen=True)
class Duplicate:
    """The same bytes arrive again, on a connection of their own, `after_s` after the first answer."""

    path: str = ""
    told: Literal["first", "second"] = "first"
    after_s: float = 0.0

    def __post_init__(self) -> None:
        _bounded(after_s=self.after_s)


@dataclass(frozen=True)
class Overtake:
    """The request is held back until one that came later has been answered, `hold_s` at most; then it arrives."""

    path: str = ""
    hold_s: float = 5.0

    def __post_init__(self) -> None:
        _bounded(hold_s=self.hold_s)


HttpToxic = DropReply | ReplacePage | Duplicate | Overtake
Toxic = LinkToxic | HttpToxic | Down


@dataclass(frozen=True)
class Dose:
    """A toxic, and whom it strikes: connections, or for toxics that know HTTP requests whose path ends in `path`.

    The first `skip` of them get by, the next `times` (None: all) are struck, each with `chance`. `direction` is that of
    the bytes; HTTP toxics and Down have none. The same `seed` repeats every draw.
    """

    toxic: Toxic
    direction: Direction = "downstream"
    times: int | None = None
    skip: int = 0
    chance: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.skip < 0 or (self.times is not None and self.times < 1) or not 0 < self.chance <= 1:
            raise ValueError("skip: 0 or more; times: 1 or more, or None; chance: above 0, at most 1")
        if isinstance(self.toxic, Down) and (self.skip, self.times, self.chance) != (0, None, 1.0):
            raise ValueError("Down strikes everybody: it has no skip, times or chance")


def _bounded(**seconds: float) -> None:
    for name, value in seconds.items():
        if not 0 <= value <= LONGEST_S:
            raise ValueError(f"{name}: 0 to {LONGEST_S:g} s")


def _positive(**counts: int) -> None:
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name}: 1 or more")
