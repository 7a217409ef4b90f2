"""Which public subscriptions stand, are asked for or are being given up: the wish, and the requests that lead there.

Pure: `now` is handed in, requests come out, answers go in. A key (channel, symbol, and of candles the interval) is asked for
once; it counts as live with its first data or, where data may be long in coming, when a confirmed one stays quiet. To change
or renew it, it is given up first and asked for again once Kraken has confirmed, so that late data of the old subscription is
never taken for the new one. Requests are bounded per second (kraken.md 5.1).
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

PER_SECOND = 20
SYMBOLS_MAX = 25
ANSWER_S = 5.0
QUIET_S = 1.0  # a snapshot follows its confirmation at once; one that has not come by then has no rows
SLOW_DOWN_S = 2.0
REQUESTS_MAX = 500  # remembered until answered
MAY_BE_QUIET = frozenset({"trade", "ohlc"})  # nothing there is sent before somebody trades


class Key(NamedTuple):
    """What is subscribed as one; interval in minutes, 0 for channels without."""

    channel: str
    symbol: str
    interval: int = 0


class Phase(Enum):
    """ASKED: no data yet. LIVE: data flows. LEAVING: given up, not yet confirmed."""

    ASKED = "asked"
    LIVE = "live"
    LEAVING = "leaving"


@dataclass(frozen=True)
class Request:
    """One message to send."""

    req_id: int
    method: str
    channel: str
    depth: int
    symbols: tuple[str, ...]
    interval: int = 0


@dataclass(frozen=True)
class Refusal:
    """Kraken does not serve this key."""

    key: Key
    why: str


@dataclass
class _Sub:
    depth: int
    phase: Phase
    since: float


class Subscriptions:
    """The state of one connection's subscriptions; the wish and the refusals outlive the connection."""

    def __init__(self) -> None:
        self._wished: dict[Key, int] = {}
        self._refused: set[Key] = set()
        self._subs: dict[Key, _Sub] = {}
        self._again: set[Key] = set()
        self._confirmed: dict[Key, float] = {}  # and nothing has come yet
        self._not_before: dict[Key, float] = {}
        self._requests: dict[int, Request] = {}
        self._sent_at: deque[float] = deque(maxlen=PER_SECOND)
        self._quiet_until = 0.0
        self._last_id = 0

    def __repr__(self) -> str:
        return f"<Subscriptions {len(self._subs)} of {len(self._wished)} wished, {len(self._refused)} refused>"

    def want(self, wished: Mapping[Key, int]) -> None:
        """Sets the whole wish, key → depth (0 for channels without). What was refused and is wished anew is asked anew."""
        self._refused &= wished.keys() & self._wished.keys()
        self._wished = dict(wished)

    def renew(self, key: Key, *, not_before: float = 0.0) -> None:
        """Gives the key up and asks for it again, no earlier than `not_before`."""
        self._again.add(key)
        self._not_before[key] = not_before

    def opened(self) -> None:
        """A new connection: nothing stands there yet."""
        self._subs.clear()
        self._again.clear()
        self._confirmed.clear()
        self._not_before.clear()
        self._requests.clear()

    def due(self, now: float) -> list[Request]:
        """The requests to send now."""
        if now < self._quiet_until:
            return []
        self._forget_unanswered(now)
        leaving = [key for key in sorted(self._subs) if self._must_leave(key)]
        asking = [key for key in sorted(self._wished) if self._may_ask(key, now)]
        requests = [
            *self._grouped("unsubscribe", leaving, Phase.LEAVING, now),
            *self._grouped("subscribe", asking, Phase.ASKED, now),
        ]
        for request in requests:
            self._requests[request.req_id] = request
        while len(self._requests) > REQUESTS_MAX:
            del self._requests[next(iter(self._requests))]
        return requests

    def next_timer(self, now: float) -> float:
        """When `due` may give something without anything new having happened."""
        times = [sub.since + ANSWER_S for sub in self._subs.values() if sub.phase is not Phase.LIVE]
        times += [at for key, at in self._not_before.items() if at > now and key in self._wished]
        if len(self._sent_at) == PER_SECOND:
            times.append(self._sent_at[0] + 1.0)
        if self._quiet_until > now:
            times.append(self._quiet_until)
        return min((at for at in times if at > now), default=now + ANSWER_S)

    def answered(self, req_id: int | None, symbol: str, *, error: str, now: float) -> list[Refusal]:
        """An answer to a request; without a symbol it speaks for all of them. Refusals come out once."""
        request = None if req_id is None else self._requests.get(req_id)
        if request is None:
            if error:
                self._quiet_until = now + SLOW_DOWN_S  # "Exceeded msg rate" names no request
            return []
        symbols = (symbol,) if symbol in request.symbols else request.symbols
        keys = [Key(request.channel, each, request.interval) for each in symbols]
        if request.method == "unsubscribe":  # also when Kraken knew of none: it is gone either way
            for key in keys:
                if self._phase(key) is Phase.LEAVING:
                    del self._subs[key]
            return []
        if not error:
            self._confirm(keys, now)
            return []
        refusals = [Refusal(key, error) for key in keys if self._phase(key) is Phase.ASKED]
        for refusal in refusals:
            del self._subs[refusal.key]
            self._refused.add(refusal.key)
        return refusals

    def data(self, key: Key, *, snapshot: bool) -> bool:
        """Whether data of this key counts now; a first snapshot makes it live."""
        sub = self._subs.get(key)
        if sub is None or sub.phase is Phase.LEAVING or key in self._again or self._wished.get(key) != sub.depth:
            return False
        if sub.phase is Phase.ASKED:
            if not snapshot:
                return False
            sub.phase = Phase.LIVE
            self._confirmed.pop(key, None)
        return True

    def quiet(self, now: float) -> list[Key]:
        """Keys that were confirmed a while ago and sent nothing yet: live from now on, told once."""
        if not self._confirmed:
            return []
        late = [key for key, at in self._confirmed.items() if now - at >= QUIET_S]
        return [key for key in late if self.data(key, snapshot=True)]

    def _confirm(self, keys: list[Key], now: float) -> None:
        for key in keys:
            if key.channel in MAY_BE_QUIET and self._phase(key) is Phase.ASKED:
                self._confirmed[key] = now

    def _phase(self, key: Key) -> Phase | None:
        sub = self._subs.get(key)
        return None if sub is None else sub.phase

    def _must_leave(self, key: Key) -> bool:
        sub = self._subs[key]
        if sub.phase is Phase.LEAVING:
            return False
        return key in self._again or self._wished.get(key) != sub.depth

    def _may_ask(self, key: Key, now: float) -> bool:
        if key in self._subs or key in self._refused:
            return False
        return self._not_before.get(key, 0.0) <= now

    def _forget_unanswered(self, now: float) -> None:
        for key, sub in list(self._subs.items()):
            if sub.phase is Phase.LIVE or now - sub.since < ANSWER_S:
                continue
            if sub.phase is Phase.LEAVING:
                del self._subs[key]
            else:
                self._again.add(key)

    def _grouped(self, method: str, keys: list[Key], phase: Phase, now: float) -> list[Request]:
        """Requests of up to SYMBOLS_MAX symbols each, as many as the second still allows; the rest waits."""
        groups: dict[tuple[str, int, int], list[Key]] = {}
        for key in keys:
            depth = self._wished[key] if phase is Phase.ASKED else self._subs[key].depth
            groups.setdefault((key.channel, key.interval, depth), []).append(key)
        requests: list[Request] = []
        for (channel, interval, depth), members in groups.items():
            for first in range(0, len(members), SYMBOLS_MAX):
                if not self._spend(now):
                    return requests
                some = members[first : first + SYMBOLS_MAX]
                self._last_id += 1
                symbols = tuple(key.symbol for key in some)
                requests.append(Request(self._last_id, method, channel, depth, symbols, interval))
                for key in some:
                    self._subs[key] = _Sub(depth, phase, now)
                    self._again.discard(key)
                    self._confirmed.pop(key, None)
        return requests

    def _spend(self, now: float) -> bool:
        if len(self._sent_at) == PER_SECOND and now - self._sent_at[0] < 1.0:
            return False
        self._sent_at.append(now)
        return True
