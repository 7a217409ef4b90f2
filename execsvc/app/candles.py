"""Candles: the last ones of each symbol and interval, then every change; a closing candle is never folded away.

The stream's own snapshot may be shorter than what a reader wants to see: then REST is asked once for all that the venue
keeps, and the reader's stream is not LIVE before it has its snapshot. What a tape of candles is, is candletape.py's business.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from execsvc.app.followed import Followed
from execsvc.app.hub import Delivery, Mailbox
from execsvc.app.links import Links
from execsvc.app.topics import CandleMark, CandlePicture, CandleState
from execsvc.domain.errors import Busy, Declined, ProtocolBroken
from execsvc.domain.instrument import Instrument
from execsvc.domain.market import CandlesSeen, CandleTopic, FeedState
from execsvc.ports import Clock, PublicVenue, Tasks
from execsvc.telemetry import Telemetry

PAST_TIMEOUT_S = 20.0
PAST_PAUSE_S = 5.0


class Candles(Followed[CandleTopic, CandleState, CandlePicture]):
    """Candles by topic."""

    def __init__(self, venue: PublicVenue, clock: Clock, tasks: Tasks, telemetry: Telemetry, links: Links) -> None:
        super().__init__(clock, telemetry, links.starting)
        self._venue = venue
        self._tasks = tasks

    @contextmanager
    def reading(
        self, instruments: tuple[Instrument, ...], interval_s: int, count: int, delivery: Delivery
    ) -> Iterator[Mailbox[CandlePicture]]:
        """A reader's mailbox; each symbol begins with `count` closed candles and the open one, as many as the venue has."""
        box: Mailbox[CandlePicture] = Mailbox(delivery, self._clock, lambda missed: self._refresh(box, missed))
        topics = tuple(CandleTopic(each.symbol, interval_s) for each in instruments)
        with self._reading(box, topics) as states:
            try:
                for state, instrument in zip(states, instruments, strict=True):
                    state.instrument = instrument
                    state.wanted[box] = count
                    state.waiting.add(box)
                    self._give(state, box)
                    self._ask(state)
                box.state = self._worst(box)
                yield box
            finally:
                for state in states:
                    state.wanted.pop(box, None)
                    state.waiting.discard(box)

    def saw(self, seen: CandlesSeen) -> None:
        """Candles came."""
        state = self._states.get(seen.topic)
        if state is None or not (seen.snapshot or state.seen):
            return  # nobody follows it, or a change of candles that are still on their way
        if seen.snapshot:
            state.tape.restart(seen.candles)
            state.seen = True
            state.waiting.update(state.boxes)
            self._serve(state)
        else:
            for row in seen.candles:
                for told in state.tape.add(row):
                    for box in state.boxes - state.waiting:
                        box.offer(
                            told.symbol, CandlePicture(told.symbol, (told,)), snapshot=False, part=told.open_time_ns
                        )
        self._came(state, news=not seen.snapshot)

    async def agrees(self, key: CandleTopic, venue: PublicVenue, instrument: Instrument, by: float) -> bool:
        """Whether no later candle has a trade, nor the newest one more trades. The stream tells of no candle without one.

        Where the stream had no candle at all, telling begins behind the venue's newest.
        """
        state = self._states.get(key)
        if state is None:
            return True
        since = _mark(state)
        rows = await venue.candles(instrument, key.interval_s, None if since is None else since[0], by)
        theirs = max(((row.open_time_ns, row.trade_count) for row in rows if row.trade_count), default=None)
        if theirs is None:
            return True
        if (ours := _mark(state)) is None:
            ours = state.before = theirs
        return theirs <= ours

    def _serve(self, state: CandleState) -> None:
        """Gives their snapshot to those who wait for it, as far as it can be made; else the past is asked for."""
        for box in tuple(state.waiting):
            if self._give(state, box):
                self._look(box)
        self._ask(state)

    def _give(self, state: CandleState, box: Mailbox[CandlePicture]) -> bool:
        """The reader's snapshot, if it can be made now."""
        count = state.wanted[box]
        if not state.seen or not state.tape.covers(count):
            return False
        state.waiting.discard(box)
        box.offer(state.topic.symbol, CandlePicture(state.topic.symbol, state.tape.last(count)), snapshot=True)
        return True

    def _ask(self, state: CandleState) -> None:
        if state.seen and state.waiting and not state.asking:
            state.asking = True
            self._tasks.start(f"candles of {state.topic.symbol}", self._ask_past(state))

    async def _ask_past(self, state: CandleState) -> None:
        """Asks for as long as somebody waits; a venue that does not answer leaves those readers RESYNCING, and only them."""
        try:
            while state.waiting and state.seen and state.instrument is not None:
                by = self._clock.monotonic() + PAST_TIMEOUT_S
                with suppress(Busy, Declined, ProtocolBroken):
                    rows = await self._venue.candles(state.instrument, state.topic.interval_s, None, by)
                    if state.tape.extend_back(rows):
                        break
                await self._clock.sleep(PAST_PAUSE_S)
        finally:
            state.asking = False
        self._serve(state)

    def _state_for(self, box: Mailbox[CandlePicture], state: CandleState) -> FeedState:
        waits = box in state.waiting and state.state is FeedState.LIVE
        return FeedState.RESYNCING if waits else state.state

    def _new(self, key: CandleTopic) -> CandleState:
        return CandleState(key)

    def _forget(self, state: CandleState) -> None:
        """Nothing: the candles stay, as far as the next snapshot reaches back to them."""

    def _refresh(self, box: Mailbox[CandlePicture], symbols: tuple[str, ...]) -> None:
        for state in self._read_by[box]:
            if state.topic.symbol in symbols:
                state.waiting.add(box)
                self._serve(state)


def _mark(state: CandleState) -> CandleMark | None:
    """How far the stream has come; None: nowhere yet."""
    newest = state.tape.newest
    return state.before if newest is None else (newest.open_time_ns, newest.trade_count)
