"""Trading requests of private lines on their way: carried out and answered at once, unless a mishap is armed for them.

The mishaps are those of REST requests, under the WebSocket's own method names. A connection that is cut is the line's;
an edge's page cannot be sent on a line, so that is a cut as well. There is no nonce to refuse, and a frame does not
arrive twice. What a method does is wstrade.py's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .line import CUT, Line
from .mishap import Fate
from .timers import Act
from .venue import Venue
from .wstrade import Answer, Trading, failure


@dataclass(frozen=True, slots=True)
class _Journey:
    """One request: the line it came on, when, and what fate has in store for it."""

    line: Line
    method: str
    params: Mapping[str, Any]
    req_id: int | None
    heard: int
    fate: Fate


Reply = Callable[[Line, Answer, int | None, int, int], None]


class WsTraffic:
    """All trading requests of one exchange's lines; `reply` is told line, answer, req_id, when it was asked and when told."""

    def __init__(self, venue: Venue, reply: Reply) -> None:
        self._venue = venue
        self._trading = Trading(venue)
        self._reply = reply

    def take(self, line: Line, method: str, params: Mapping[str, Any], req_id: int | None, now: int) -> None:
        """Start a request on its way; instants are the owner's."""
        key = self._venue.keys.holder(params.get("token"))
        fate = self._venue.faults.fate(method, now, private=True, key=key)
        journey = _Journey(line, method, params, req_id, now, fate)
        if fate.lost or (fate.page and not fate.applied):
            line.close(CUT)
            return
        self._then(now, fate.wire, lambda at: self._arrive(journey, at))

    def _then(self, now: int, delay: int, act: Act) -> None:
        if delay:
            self._venue.timers.at(now + delay, act)
        else:
            act(now)

    def _arrive(self, journey: _Journey, now: int) -> None:
        self._then(now, journey.fate.before, lambda at: self._carry_out(journey, received=now, now=at))

    def _carry_out(self, journey: _Journey, *, received: int, now: int) -> None:
        dial, fate, method = self._venue.dial, journey.fate, journey.method
        answers = [failure(method, fate.error)]
        if fate.applied or not fate.error:
            done = self._trading.answer(method, journey.params, received=dial.reads(received), now=dial.reads(now))
            answers = done if not fate.error else answers
        if fate.cut or fate.page:
            journey.line.close(CUT)
            return
        self._then(now, fate.after, lambda at: self._answer(journey, answers, at))

    def _answer(self, journey: _Journey, answers: list[Answer], now: int) -> None:
        for answer in answers:
            self._reply(journey.line, answer, journey.req_id, journey.heard, now)
