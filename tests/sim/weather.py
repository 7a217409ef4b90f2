"""What a run's network, exchange and machines do to it, drawn from its seed: families of weather, and the mishaps of a run.

Nothing here acts: `Sky` says what becomes of each message, `forecast` gives the plan that world.py carries out. A family is
a mixture that makes certain accidents likely; every family can have all of them.
"""

from dataclasses import dataclass, field, replace

from execsvc.paper.mishap import Fault
from tests.support.entropy import stream
from tests.support.wire import Passage

POINTS = ("begin", "record", "record_fill", "reserve")
_LAG_MS = 2000
_STUCK_S = (7.0, 11.0)
_LOOKS = frozenset({"OpenOrders", "ClosedOrders"})
_ENTRIES = frozenset({"AddOrder", "AddOrderBatch", "AmendOrder"})


@dataclass(frozen=True)
class Weather:
    """Chances per message; times in seconds. The defaults are the rates of promises.md section 12.1.

    blind: more looks are lost; unanswered: more orders get no reply; held: more orders are on their way for long; stuck:
    some are held up together with everything their process sends after them.
    """

    lost: float = 0.05
    delayed: float = 0.05
    delay_s: tuple[float, float] = (0.5, 12.0)
    reply_lost: float = 0.06
    page: float = 0.04
    again: float = 0.02
    refused: float = 0.01
    latency_s: tuple[float, float] = (0.005, 0.08)
    dial_fails: float = 0.05
    blind: float = 0.0
    unanswered: float = 0.0
    held: float = 0.0
    stuck: float = 0.0


ROUGH = Weather()
CALM = Weather(lost=0, delayed=0, reply_lost=0, page=0, again=0, refused=0, dial_fails=0)
MILD = Weather(lost=0.01, delayed=0.01, reply_lost=0.01, page=0.01, again=0.005, refused=0.005, dial_fails=0.01)
STORM = Weather(lost=0.1, delayed=0.15, reply_lost=0.12, page=0.08, again=0.05, refused=0.02, dial_fails=0.2)
DOWN = replace(CALM, refused=1, dial_fails=1)
DARK = replace(CALM, lost=1, dial_fails=1)
DISTANT = replace(CALM, latency_s=(0.15, 0.3))


class Sky:
    """wire.Fates of one process: the weather is asked for each time, for it changes."""

    def __init__(self, world, name):
        self._world = world
        self._requests = stream(world.seed, "network", name, "requests")
        self._frames = stream(world.seed, "network", name, "frames")
        self._stuck_until = 0.0

    def request(self, call):
        weather, draw = self._world.weather, self._requests.random
        fate, special, delay, out, back, taste = draw(), draw(), draw(), draw(), draw(), draw()
        low, high = weather.latency_s
        out_s, back_s = low + (high - low) * out, low + (high - low) * back
        reset = 0.3 * taste if taste < 0.5 else None
        late_s = weather.delay_s[0] + (weather.delay_s[1] - weather.delay_s[0]) * delay
        if weather.stuck and self._world.loop.now < self._stuck_until:
            return Passage(out=None)
        if call in _LOOKS and special < weather.blind:
            return Passage(out=None, reset=reset)
        if call in _ENTRIES:
            if special < weather.unanswered:
                return Passage(out=out_s, back=None, reset=0.3 * taste if taste < 0.8 else None)
            special -= weather.unanswered
            if special < weather.held:
                return Passage(out=late_s, back=back_s)
            if special < weather.held + weather.stuck:
                late_s = _STUCK_S[0] + (_STUCK_S[1] - _STUCK_S[0]) * delay
                self._stuck_until = self._world.loop.now + late_s
                return Passage(out=late_s, back=back_s)
        for chance, passage in (
            (weather.refused, Passage(out=out_s, refused=True)),
            (weather.lost, Passage(out=None, reset=reset)),
            (weather.delayed / 2, Passage(out=late_s, back=back_s)),
            (weather.delayed / 2, Passage(out=out_s, back=late_s)),
            (weather.reply_lost, Passage(out=out_s, back=None, reset=reset)),
            (weather.page, Passage(out=out_s, back=back_s, page=True)),
            (weather.again, Passage(out=out_s, back=back_s, again=late_s / 4)),
        ):
            if fate < chance:
                return passage
            fate -= chance
        return Passage(out=out_s, back=back_s)

    def dial(self):
        fate, takes = self._frames.random(), self._frames.random()
        return None if fate < self._world.weather.dial_fails else 0.01 + 0.1 * takes

    def frame(self):
        low, high = self._world.weather.latency_s
        return low + (high - low) * self._frames.random()


@dataclass(frozen=True)
class Mishap:
    """Something that happens to the run at a moment; `lasts`, `size` and `more`, below 1, mean what the kind says."""

    at: float
    kind: str
    lasts: float
    size: float
    more: float
    point: str


@dataclass(frozen=True)
class Family:
    """A mixture. `rates`: mishaps a minute, by kind. script: mishaps at fixed moments, where all is about one accident.

    split: closed orders lag behind open ones, so that an order on its way is in neither for a while. slow, slow_ms: which
    share of orders is matched late, at most, and how late. gap_s: from order to order. timeouts_s, delays_s: how long callers
    wait, and how long they let an order take to enter. strangers: takers a second; person: how often a second somebody
    cancels an order by hand. flood: more orders a second, in the second act too. cured: the weather of that act, in which P2
    is owed.
    """

    share: int
    weather: Weather
    rates: dict[str, float] = field(default_factory=dict)
    split: bool = False
    slow: float = 0.15
    slow_ms: tuple[int, int] = (0, 4000)
    gap_s: float = 1.2
    timeouts_s: tuple[float, ...] = (2.5, 3.0, 5.0, 5.0, 10.0)
    delays_s: tuple[float, ...] = (3.0, 5.0, 5.0)
    strangers: float = 0.7
    person: float = 0.0
    flood: float = 0.0
    script: tuple[tuple[float, str], ...] = ()
    lasts_s: float | None = None
    cured: Weather = CALM


_EVERY = {
    "kill": 2, "point": 2, "stop": 2, "stall": 2, "takeover": 2, "step": 2, "cut": 4, "mute": 1, "dark": 1,
    "unreachable": 1, "maintenance": 1, "outage": 1,
}  # fmt: skip
_DEAF = replace(MILD, dial_fails=0.95)  # no private stream: only looks can find an order
FAMILIES = {
    "rough": Family(5, ROUGH, _EVERY),
    "mild": Family(2, MILD, _EVERY),
    "storm": Family(1, STORM, _EVERY),
    "crashes": Family(4, ROUGH, {"kill": 4, "point": 10, "outage": 4, "cut": 2, "mute": 1}),
    "takeovers": Family(
        4, ROUGH, {"takeover": 4, "stall": 12, "step": 1, "cut": 2, "mute": 1}, gap_s=0.6, delays_s=(5.0, 8.0)
    ),
    "clocks": Family(2, ROUGH, {"step": 8, "kill": 2, "takeover": 1, "cut": 2}),
    "proxy": Family(2, replace(MILD, again=0.2, page=0.1), {"kill": 1, "cut": 2}),
    "dark": Family(2, replace(MILD, held=0.3, stuck=0.3), {"dark": 3, "kill": 1}, slow=0.5),
    "late": Family(2, replace(_DEAF, unanswered=0.3), {"kill": 1}, slow=0.9),
    "blind": Family(
        2,
        replace(_DEAF, unanswered=1.0),
        split=True,
        slow=1.0,
        slow_ms=(3000, 1500),
        gap_s=0.1,
        timeouts_s=(10.0,),
        strangers=0.05,
        person=1.0,
        script=((4.4, "blind"),),
        lasts_s=8.2,
        cured=replace(CALM, dial_fails=1),
    ),
    "flood": Family(1, replace(DISTANT, unanswered=0.6), {"cut": 1, "mute": 2}, slow=0.0, flood=4.0, cured=DISTANT),
}


@dataclass(frozen=True)
class Forecast:
    """One run's plan."""

    name: str
    family: Family
    lasts_s: float
    waits: bool
    lags: tuple[Fault, ...]
    faults: tuple[Fault, ...]
    mishaps: tuple[Mishap, ...]


def forecast(seed, lasts_s):
    """The plan of a run that is to last so long. `waits`: the weather lets the first process come up before it turns."""
    chance = stream(seed, "forecast")
    name = chance.choices(list(FAMILIES), [family.share for family in FAMILIES.values()])[0]
    family = FAMILIES[name]
    waits = chance.random() < 0.85
    lag = chance.random() ** 0.5 if chance.random() < 0.8 else 0.0
    lasts_s = family.lasts_s or lasts_s
    often = {"times": "always", "for_ms": int(1000 * lasts_s)}
    rates = [0.0 if family.flood else chance.random() for _ in range(5)]
    least, spread = family.slow_ms
    slow, lag = (family.slow, 1.0) if family.script else (family.slow * rates[0], lag)
    faults = (
        *(
            Fault(kind="slow_matching", call=call, rate=slow, ms=least, spread_ms=spread, **often)
            for call in sorted(_ENTRIES)
        ),
        Fault(kind="nonce_refused", rate=0.02 * rates[1], **often),
        Fault(kind="error", error="EService:Unavailable", rate=0.02 * rates[2], **often),
        Fault(kind="error", error="EService:Busy", applied=True, rate=0.02 * rates[3], **often),
        Fault(kind="error", error="EGeneral:Internal error", applied=True, rate=0.01 * rates[4], **often),
    )
    return Forecast(name, family, lasts_s, waits, _lags(family, lag), faults, _mishaps(seed, family, lasts_s))


def _lags(family, share):
    """How far behind the queries are, all run long: each order by a draw of its own for each index."""
    if not share:
        return ()
    if family.split:
        most = int(_LAG_MS * share)
        closed = Fault(kind="index_lag", index="closed", ms=most * 3 // 4, spread_ms=most // 4)
        return (Fault(kind="index_lag", index="open", spread_ms=most // 8), closed)
    return (Fault(kind="index_lag", spread_ms=int(_LAG_MS * share)),)


def _mishaps(seed, family, lasts_s):
    found = [Mishap(at, kind, 0.0, 0.0, 0.0, "") for at, kind in family.script]
    for kind, a_minute in family.rates.items():
        chance = stream(seed, "mishaps", kind)
        at = chance.expovariate(a_minute / 60)
        while at < lasts_s:
            lasts, size, more, point = chance.random(), chance.random(), chance.random(), chance.choice(POINTS)
            found.append(Mishap(at, kind, lasts, size, more, f"{point}.{'before' if size < 0.5 else 'after'}"))
            at += chance.expovariate(a_minute / 60)
    return tuple(sorted(found, key=lambda each: (each.at, each.kind)))
