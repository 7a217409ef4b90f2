"""Order-entry sessions: which orders were placed in one, so that they can be followed, taken over, and cancelled with it.

A session that is lost may be taken over by the next one within this process's life; the two are then one line. Orders that
have ended are forgotten, and of a caller with too many sessions its own oldest, never another's. How a session speaks is
rpc/session.py's.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from execsvc.app.disconnects import Disconnects
from execsvc.app.masscancels import MassCancels
from execsvc.domain.ending import by_lost_session
from execsvc.domain.errors import Reason, refuse
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import TERMINAL, Order, Status
from execsvc.ports import Journal, JournalEntry

LINES_OF_ONE = 1024  # sessions of a caller that can be taken over: as many as it may have open
LINES_MAX = 8192  # of all callers
GONE = TERMINAL | {Status.NEVER_SENT}


@dataclass(eq=False)
class Line:
    """A session and those it took over. `name`: stream_id of the first; `newest`: of the last, `open` while it is.

    `keys`: its orders that may be open.
    """

    caller: str
    name: str
    newest: str
    keys: set[OrderKey] = field(default_factory=set)
    open: int = 0
    hearers: list[Callable[[Order], None]] = field(default_factory=list)

    @property
    def is_idle(self) -> bool:
        """Nobody is in it and no order is: whoever takes it over gets nothing."""
        return not self.open and not self.keys


class Sessions:
    """The sessions of one account."""

    def __init__(self, *, account: str, journal: Journal, mass: MassCancels, disconnects: Disconnects) -> None:
        self.account = account
        self._journal = journal
        self._mass = mass
        self._disconnects = disconnects
        # Of each caller, by the stream_id of each session, the oldest first.
        self._lines: dict[str, dict[str, Line]] = {}
        self._count = 0
        self._of_order: dict[OrderKey, list[Line]] = {}
        journal.subscribe(self._heard)

    def __repr__(self) -> str:
        return f"<Sessions {len(self)}>"

    def __len__(self) -> int:
        return self._count

    def open(self, caller: str, stream_id: str, resume_stream_id: str = "") -> Line:
        """A new session, or one that goes on with a lost one's orders.

        Raises RESUME_TOKEN_EXPIRED for one not known here, and TOO_MANY_STREAMS where there is no place for one more.
        """
        line = self._lines.get(caller, {}).get(resume_stream_id) if resume_stream_id else None
        if resume_stream_id and line is None:
            raise refuse(
                Reason.RESUME_TOKEN_EXPIRED,
                f"no session {resume_stream_id!r} of yours is known to this server; open without resume_stream_id, "
                "and look at your open orders",
            )
        line = line or Line(caller, stream_id, stream_id)
        line.newest = stream_id
        self._lines.setdefault(caller, {})[stream_id] = line
        self._count += 1
        self._make_room(line)
        return line

    def take(self, line: Line, key: OrderKey) -> bool:
        """An order is being placed in the line. Whether it was none of its orders before."""
        if key in line.keys:
            return False
        line.keys.add(key)
        self._of_order.setdefault(key, []).append(line)
        return True

    def let_go(self, line: Line, key: OrderKey) -> None:
        """It was not placed after all, or has ended."""
        line.keys.discard(key)
        self._hears_no_more(line, key)

    @contextmanager
    def followed(self, line: Line, heard: Callable[[Order], None]) -> Iterator[None]:
        """Every change of the line's orders while it lasts, after it is durable."""
        line.hearers.append(heard)
        try:
            yield
        finally:
            line.hearers.remove(heard)

    @contextmanager
    def attached(self, line: Line, *, cancel_when_lost: bool) -> Iterator[None]:
        """For the length of a session: when it is lost for good, its open orders go, if it asked for that."""
        line.open += 1
        try:
            if not cancel_when_lost:
                yield
                return
            with self._disconnects.attached(f"session {line.name}", lambda: self._clear(line)):
                yield
        finally:
            line.open -= 1

    # ---- parts --------------------------------------------------------------------------------------------------

    def _heard(self, entry: JournalEntry) -> None:
        order = entry.order
        if order is None or order.key not in self._of_order:
            return
        for line in tuple(self._of_order[order.key]):
            if order.status in GONE:
                self.let_go(line, order.key)
            for heard in tuple(line.hearers):
                heard(order)

    def _make_room(self, newest: Line) -> None:
        """For one more than there may be, the caller's own oldest goes that can be spared; of others' only what is idle.

        Raises TOO_MANY_STREAMS, and the newest is not there, where none can be.
        """
        if len(self) > LINES_MAX:
            for line, stream_id in [(line, each) for own in self._lines.values() for each, line in own.items()]:
                if line.is_idle and line is not newest:
                    self._forget(line, stream_id)
        own = self._lines[newest.caller]
        if len(own) <= LINES_OF_ONE and len(self) <= LINES_MAX:
            return
        spared = _spared(own, newest)
        if spared is None:
            self._forget(newest, newest.newest)
            raise refuse(
                Reason.TOO_MANY_STREAMS,
                f"there is no place for one more session on account {self.account!r}: {newest.caller!r} has {len(own)} "
                f"open, all callers together have {len(self)} that are open or have orders; close one first",
            )
        self._forget(own[spared], spared)

    def _forget(self, line: Line, stream_id: str) -> None:
        """It cannot be taken over by that any more. What was begun for its orders goes on."""
        own = self._lines[line.caller]
        del own[stream_id]
        self._count -= 1
        if not own:
            del self._lines[line.caller]
        if not line.open and line not in own.values():
            for key in line.keys:
                self._hears_no_more(line, key)

    def _hears_no_more(self, line: Line, key: OrderKey) -> None:
        lines = self._of_order.get(key, [])
        if line in lines:
            lines.remove(line)
            if not lines:
                del self._of_order[key]

    async def _clear(self, line: Line) -> None:
        found = [await self._journal.get(key) for key in sorted(line.keys, key=str)]
        orders = [order for order in found if order is not None and order.status not in GONE]
        why = by_lost_session(line.caller, line.name)
        await self._mass.cancel(orders, self._mass.soon(), caller=line.caller, why=why)


def _spared(own: Mapping[str, Line], newest: Line) -> str | None:
    """The oldest of these that can be spared: one that is of no use, else one that is not open under that name."""
    idle = (each for each, line in own.items() if line.is_idle and line is not newest)
    lost = (each for each, line in own.items() if line.newest != each or not (line.open or line is newest))
    return next(idle, None) or next(lost, None)
