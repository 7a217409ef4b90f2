"""Looks after topics that say nothing though their line beats: a quiet one is left alone, a dead one is told.

Other topics may prove a trade that was not told (witness.py); else the venue is asked over REST, one topic at a time
(quiet.py). A dead one is void, STALE, and subscribed anew, until it speaks or agrees with the venue. Deep books are compared
even if they speak (audit.py), and a wrong one is dead alike. What a picture is and how it is compared is the room's business
(followed.py).
"""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from execsvc.app.audit import Audits
from execsvc.app.books import Books
from execsvc.app.followed import Followed
from execsvc.app.links import Links
from execsvc.app.quiet import QuietTopics
from execsvc.app.topics import link_of
from execsvc.app.witness import Witnesses
from execsvc.domain.errors import ExecsvcError
from execsvc.domain.instrument import Instrument
from execsvc.domain.market import BookTopic, CandleTopic, Ticker, TickerTopic, Topic, TradesSeen, TradeTopic
from execsvc.ports import Clock, PublicVenue, Tasks

Place = tuple[Followed[Any, Any, Any], Any]
"""The room of a topic, and its key there."""


class Lookout:
    """All topics of the feeds. `instrument_of` raises for a pair that is not known."""

    def __init__(
        self,
        venue: PublicVenue,
        clock: Clock,
        tasks: Tasks,
        links: Links,
        place: Callable[[Topic], Place],
        instrument_of: Callable[[str], Instrument],
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._tasks = tasks
        self._links = links
        self._place = place
        self._instrument_of = instrument_of
        self._quiet = QuietTopics(clock)
        self._witnesses = Witnesses()
        self._looking = False
        self._audits = Audits(clock)
        self._auditing = False

    def __repr__(self) -> str:
        return f"<Lookout {self._quiet!r} looking={self._looking} {self._audits!r} auditing={self._auditing}>"

    def heard(self, topic: Topic, *, snapshot: bool) -> None:
        """The topic spoke."""
        self._quiet.heard(topic, snapshot=snapshot)
        if snapshot:
            self._audits.renewed(topic)

    def ticker(self, ticker: Ticker, *, snapshot: bool) -> None:
        """A ticker spoke."""
        self._quiet.heard(TickerTopic(ticker.symbol), snapshot=snapshot)
        self._witnesses.ticker(ticker, self._clock.monotonic(), snapshot=snapshot)

    def trades(self, seen: TradesSeen) -> None:
        """Trades spoke."""
        self._quiet.heard(seen.topic, snapshot=seen.snapshot)
        if seen.trades and not seen.snapshot:
            self._witnesses.traded(seen.topic.symbol, self._clock.monotonic())

    def keep(self, topics: Collection[Topic]) -> None:
        """Forgets all others."""
        self._quiet.keep(topics)
        self._audits.keep(topics)
        self._witnesses.keep(topic.symbol for topic in topics)

    def look(self, rooms: Iterable[Followed[Any, Any, Any]]) -> None:
        """Called at short intervals: judges the proofs, and begins the next comparisons when they are due."""
        live = self._beating(topic for room in rooms for topic in room.read(dead=False))
        tapes = [topic for topic in live if isinstance(topic, TradeTopic | CandleTopic)]
        for topic in self._witnesses.missed(tapes, self._quiet.heard_at, self._clock.monotonic()):
            self._quiet.convicted(topic)
            self._found(topic, dead=True)
        deep = None if self._auditing else self._audits.next(live)
        if deep is not None:
            self._auditing = True
            self._tasks.start(f"audit {deep}", self._audit(deep))
        if self._looking:
            return
        dead = self._beating(topic for room in rooms for topic in room.read(dead=True))
        silent = self._quiet.next(live, dead)
        if silent is not None:
            self._looking = True
            self._tasks.start(f"look at {silent}", self._compare(silent))

    def _beating(self, topics: Iterable[Topic]) -> list[Topic]:
        return [topic for topic in topics if self._links.beats(link_of(topic))]

    async def _compare(self, topic: Topic) -> None:
        room, key = self._place(topic)

        async def agrees(by: float) -> bool:
            return await room.agrees(key, self._venue, self._instrument_of(topic.symbol), by)

        try:
            self._found(topic, dead=await self._quiet.is_dead(topic, agrees))
        finally:
            self._looking = False

    async def _audit(self, topic: BookTopic) -> None:
        room, key = self._place(topic)
        try:
            instrument = self._instrument_of(topic.symbol)
            unlike = await room.unlike(key, self._venue, instrument) if isinstance(room, Books) else None
        except ExecsvcError:
            unlike = None
        finally:
            self._auditing = False
        if self._audits.is_wrong(topic, unlike):
            self._quiet.convicted(topic)
            self._found(topic, dead=True)

    def _found(self, topic: Topic, *, dead: bool | None) -> None:
        room, key = self._place(topic)
        if dead and self._links.beats(link_of(topic)):
            room.died(key)
            self._links.renew(link_of(topic), topic)
        elif dead is False:
            room.lives(key)
