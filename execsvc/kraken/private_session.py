"""One private connection, sans I/O: the channels `executions` and `balances` on one token, frames in and events out.

Each channel has a `sequence` of its own that grows by one with every message; a jump in either means that something was
missed: the link is dropped and opened anew, and the snapshots tell how things stand (promises.md section 6). Executions are
what the link is for: refused, it ends. Balances refused alone cost only news of the funds: that is told, and they are asked
for again, seldom. Rows are read in executions.py and balances.py.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from execsvc.domain.market import Beat, LinkUp, ModeSeen
from execsvc.kraken import balances, frames, wire
from execsvc.kraken.executions import Counts, ExecutionRows
from execsvc.kraken.feed import MODES
from execsvc.kraken.figures import positive
from execsvc.kraken.names import Names
from execsvc.kraken.pulse import Pulse
from execsvc.ports import BalancesRefused, PrivateEvent

EXECUTIONS, BALANCES = "executions", "balances"
ANSWER_S = 5.0
FUNDS_AGAIN_S = 10.0  # refused balances are asked for again after this, then each time after twice as long
FUNDS_AGAIN_MOST_S = 600.0
_ASKED = {EXECUTIONS: 1, BALANCES: 2}  # req_id of each subscription: a refusal may name no channel
_SNAPSHOT = "snapshot"
_OF_THE_TOKEN = ("ESession:", "EAPI:Invalid token")  # kraken.md 4: a new token helps, and no other question of this one

_frame = wire.decoder(frames.Frame)
_ack = wire.decoder(frames.AckResult)
_statuses = wire.decoder(list[frames.StatusData])


class PrivateSession:
    """One connection's worth of private stream. The token is never shown; `used` hears when Kraken has spoken of it."""

    def __init__(
        self, *, token: str, account: str, names: Names, pulse: Pulse, counts: Counts, used: Callable[[], None]
    ) -> None:
        self._token = token
        self._account = account
        self._names = names
        self._pulse = pulse
        self._counts = counts
        self._used = used
        self._executions = ExecutionRows(account, names, counts)
        self._sequences: dict[str, int] = {}
        self._pictured = False
        self._asked = False
        self._asked_at = float("inf")  # seconds
        self._told_up = False
        self._funds_refused = ""
        self._funds_pause_s = FUNDS_AGAIN_S
        self._funds_at = float("inf")  # seconds; when refused balances are asked for again
        self.ended = ""

    def __repr__(self) -> str:
        return f"<PrivateSession of {self._account} sequences={self._sequences} ended={self.ended!r}>"

    def opened(self, now: float, wall_ns: int) -> list[PrivateEvent]:  # noqa: ARG002  the port of sessions hands both clocks
        """The connection stands; the link counts as up once Kraken accepts a subscription."""
        self._pulse.opened(now)
        self._counts.link(self)
        return []

    def due(self, now: float, wall_ns: int) -> list[str]:
        """Texts to send now."""
        texts = self._pulse.due(now, wall_ns)
        if not self._asked:
            self._asked = True
            self._asked_at = now
            self._executions.asked(now)
            texts.append(self._subscription(EXECUTIONS, snap_orders=True, snap_trades=True, ratecounter=True))
            texts.append(self._subscription(BALANCES, snapshot=True))
        texts += self._funds_again(now)
        self.ended = self.ended or self._pulse.silent(now) or self._unanswered(now)
        if self.ended:
            self._counts.link(None)
        return texts

    def next_timer(self, now: float) -> float:
        """When `due` should be asked again."""
        at = self._pulse.next_timer(now)
        return at if self._pictured else min(at, self._asked_at + ANSWER_S + 0.01)

    def _unanswered(self, now: float) -> str:
        """A line that beats, and a subscription of which nothing comes: its answer was lost, or it was."""
        late = not self._pictured and now - self._asked_at > ANSWER_S
        return f"no picture of the orders came within {ANSWER_S:g} s" if late else ""

    def receive(self, text: bytes, now: float, wall_ns: int) -> list[PrivateEvent]:
        """The events of one frame. Raises ProtocolBroken; `ended` is set when the link must be dropped."""
        frame = _frame(text)
        self._pulse.heard(frame, now, wall_ns)
        if frame.method == "subscribe":
            return self._answered(frame, now, wall_ns)
        if frame.channel == "status":
            modes = (MODES.get(row.system) for row in _statuses(frame.data))
            return [*(ModeSeen(mode) for mode in modes if mode is not None), Beat(wall_ns)]
        if frame.channel not in _ASKED:
            return [Beat(wall_ns)]
        if not self._in_sequence(frame):
            return []
        events = self._orders(frame, wall_ns) if frame.channel == EXECUTIONS else self._funds(frame, wall_ns)
        return events or [Beat(wall_ns)]

    def _orders(self, frame: frames.Frame, wall_ns: int) -> list[PrivateEvent]:
        if frame.type == _SNAPSHOT and not self._pictured:
            self._pictured = True
            return [*self._up(wall_ns), *self._executions.snapshot(frame.data, wall_ns)]
        return [*self._executions.update(frame.data, wall_ns)]

    def _funds(self, frame: frames.Frame, wall_ns: int) -> list[PrivateEvent]:
        if frame.type == _SNAPSHOT:
            return [*self._up(wall_ns), balances.snapshot(frame.data, self._names, wall_ns)]
        return [*balances.update(frame.data, self._names, wall_ns)]

    def _in_sequence(self, frame: frames.Frame) -> bool:
        last = self._sequences.get(frame.channel)
        if last is not None and frame.sequence != last + 1:
            self.ended = f"{frame.channel} jumped from sequence {last} to {frame.sequence}"
            return False
        if frame.sequence is not None:
            self._sequences[frame.channel] = frame.sequence
        return True

    def _subscription(self, channel: str, **wishes: bool) -> str:
        params: dict[str, Any] = {"channel": channel, "token": self._token, **wishes}
        return msgspec.json.encode({"method": "subscribe", "params": params, "req_id": _ASKED[channel]}).decode()

    def _answered(self, frame: frames.Frame, now: float, wall_ns: int) -> list[PrivateEvent]:
        self._used()
        result = _ack(frame.result) if bytes(frame.result) else frames.AckResult()
        if frame.req_id == _ASKED[BALANCES] or result.channel == BALANCES:
            return [Beat(wall_ns)] if frame.success else [Beat(wall_ns), self._refused(frame.error, now)]
        if not frame.success:
            self.ended = f"Kraken refuses the private stream: {frame.error}"
            return []
        if result.maxratecount is not None:
            self._counts.told_maximum(int(positive(result.maxratecount)))
        return self._up(wall_ns) or [Beat(wall_ns)]

    def _refused(self, why: str, now: float) -> BalancesRefused:
        self._funds_refused = why or "refused without a reason"
        self._funds_at = now + self._funds_pause_s
        self._funds_pause_s = min(FUNDS_AGAIN_MOST_S, 2 * self._funds_pause_s)
        return BalancesRefused(self._funds_refused)

    def _funds_again(self, now: float) -> list[str]:
        """Asks for refused balances again; a token that is no good for them is given up with the link."""
        if now < self._funds_at:
            return []
        self._funds_at = float("inf")  # seconds
        if self._funds_refused.startswith(_OF_THE_TOKEN):
            self.ended = f"another token is needed for balances: {self._funds_refused}"
            return []
        return [self._subscription(BALANCES, snapshot=True)]

    def _up(self, wall_ns: int) -> list[PrivateEvent]:
        """Told once, and before anything else, should data overtake the answer to the subscription."""
        told, self._told_up = self._told_up, True
        return [] if told else [LinkUp(wall_ns)]
