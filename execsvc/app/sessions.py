"""Order-entry sessions: which orders were placed in one, so that they can be followed, taken over, and cancelled with it.

A session that is lost may be taken over by the next one within this process's life; the two are then one line. Orders that
have ended are forgotten. How a session speaks is rpc/session.py's.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from execsvc.app.disconnects import Disconnects
from execsvc.app.masscancels import MassCancels
from execsvc.domain.errors import Reason, refuse
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import TERMINAL, Order, Status
from execsvc.ports import Journal, JournalEntry

LINES_MAX = 1024
_GONE = TERMINAL | {Status.NEVER_SENT}


@dataclass
class Line:
    """A session and those it took over. `keys`: its orders that may be open; `name`: stream_id of the first."""

    caller: str
    name: str
    keys: set[OrderKey] = field(default_factory=set)


class Sessions:
    """The sessions of one account."""

    def __init__(self, *, account: str, journal: Journal, mass: MassCancels, disconnects: Disconnects) -> None:
        self.account = account
        self._journal = journal
        self._mass = mass
        self._disconnects = disconnects
        self._lines: OrderedDict[str, Line] = OrderedDict()  # by the stream_id of each session

    def __repr__(self) -> str:
        return f"<Sessions {len(self._lines)}>"

    def open(self, caller: str, stream_id: str, resume_stream_id: str = "") -> Line:
        """A new session, or one that goes on with a lost one's orders. Raises RESUME_TOKEN_EXPIRED for one not known here."""
        line = self._lines.get(resume_stream_id) if resume_stream_id else Line(caller, stream_id)
        if line is None or line.caller != caller:
            raise refuse(
                Reason.RESUME_TOKEN_EXPIRED,
                f"no session {resume_stream_id!r} of yours is known to this server; open without resume_stream_id, "
                "and look at your open orders",
            )
        self._lines[stream_id] = line
        while len(self._lines) > LINES_MAX:
            self._lines.popitem(last=False)
        return line

    @contextmanager
    def followed(self, line: Line, heard: Callable[[Order], None]) -> Iterator[None]:
        """Every change of the line's orders while it lasts, after it is durable."""

        def listen(entry: JournalEntry) -> None:
            order = entry.order
            if order is None or order.key not in line.keys:
                return
            if order.status in _GONE:
                line.keys.discard(order.key)
            heard(order)

        stop = self._journal.subscribe(listen)
        try:
            yield
        finally:
            stop()

    @contextmanager
    def attached(self, line: Line, *, cancel_when_lost: bool) -> Iterator[None]:
        """For the length of a session: when it is lost for good, its open orders go, if it asked for that."""
        if not cancel_when_lost:
            yield
            return
        with self._disconnects.attached(f"session {line.name}", lambda: self._clear(line)):
            yield

    async def _clear(self, line: Line) -> None:
        found = [await self._journal.get(key) for key in sorted(line.keys, key=str)]
        orders = [order for order in found if order is not None and order.status not in _GONE]
        await self._mass.cancel(orders, self._mass.soon(), caller=line.caller)
