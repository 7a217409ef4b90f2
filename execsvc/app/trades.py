"""Public trades: each told once, in order, from the moment somebody listens; never folded, never replayed.

A trade has no picture that could mend a hole: a reader is told of the hole and fills it with ListTrades. That ids have no
holes at Kraken is said nowhere, so a reconnect always leaves a gap, even when the last fifty trades seem to cover it.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from execsvc.app.followed import Followed
from execsvc.app.hub import Delivery, Gap, Mailbox
from execsvc.app.topics import TradeState
from execsvc.domain.instrument import Instrument
from execsvc.domain.market import Trade, TradesSeen, TradeTopic
from execsvc.ports import PublicVenue

RECENT_MAX = 1000
LOOKED_AT = 1000  # trades after the newest: one sweep of a book may be hundreds of one instant


class Trades(Followed[str, TradeState, Trade]):
    """Trades by symbol."""

    @contextmanager
    def reading(self, symbols: tuple[str, ...], delivery: Delivery) -> Iterator[Mailbox[Trade]]:
        """A reader's mailbox; it holds trades from now on."""
        box: Mailbox[Trade] = Mailbox(delivery, self._clock, None)
        with self._reading(box, symbols):
            yield box

    def saw(self, seen: TradesSeen) -> None:
        """Trades came. Of a snapshot only those are new that are younger than what was seen before the link broke."""
        state = self._states.get(seen.topic.symbol)
        if state is None:
            return
        told = self._new_of_snapshot(state, seen.trades) if seen.snapshot else self._unheard(state, seen.trades)
        for trade in seen.trades:
            if int(trade.trade_id) > state.newest:
                state.newest, state.newest_ns = int(trade.trade_id), trade.times.venue_ns
            state.recent[trade.trade_id] = None
        while len(state.recent) > RECENT_MAX:
            del state.recent[next(iter(state.recent))]
        for trade in told:
            for box in state.boxes:
                box.offer(trade.symbol, trade, snapshot=False)
        self._came(state, news=not seen.snapshot)

    async def agrees(self, key: str, venue: PublicVenue, instrument: Instrument, by: float) -> bool:
        """Whether there is no trade after the newest one that was told.

        Where none ever was, the venue's newest is where telling begins: it may have happened before anybody listened.
        """
        state = self._states.get(key)
        if state is None:
            return True
        page = await venue.trades(instrument, state.newest_ns, 1 if state.newest_ns is None else LOOKED_AT, by)
        theirs = max(page.trades, key=lambda trade: int(trade.trade_id), default=None)
        if theirs is None:
            return True
        if state.newest < 0:
            state.newest, state.newest_ns = int(theirs.trade_id), theirs.times.venue_ns
        return int(theirs.trade_id) <= state.newest

    def _new_of_snapshot(self, state: TradeState, trades: tuple[Trade, ...]) -> list[Trade]:
        if state.newest < 0:
            return []  # the first of all: what happened before anybody listened
        return [each for each in self._unheard(state, trades) if int(each.trade_id) > state.newest]

    def _unheard(self, state: TradeState, trades: tuple[Trade, ...]) -> list[Trade]:
        return [each for each in trades if each.trade_id not in state.recent]

    def _new(self, key: str) -> TradeState:
        return TradeState(TradeTopic(key))

    def _forget(self, state: TradeState) -> None:
        """Nothing: what has been told once stays told, and is never told again."""

    def _break(self, box: Mailbox[Trade], gap: Gap) -> None:
        box.interrupt(gap)
