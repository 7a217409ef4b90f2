"""What a run leaves behind for its judges: what callers did and heard, what people did, how the journal and the exchange end.

It is written down while the run goes on (world.py is one of these), and put into each judge's plain values here.
"""

from collections import defaultdict

from execsvc.app.disconnects import GRACE_S
from execsvc.compose.rooms import ACCOUNT
from tests.sim import market
from tests.sim.judges import amends, cancels, halts, ledger
from tests.sim.telling import journaled, row_of
from tests.support import history

UNSURE_S = 0.05  # a stream opened just as the grace ends
SOUND_S = 1.5  # after the grace: then the wishes are written down


class Evidence:
    """The records of one run. `calls`, `amend_calls`, `clears`, `settings`, `halts`, `refusals` are the callers' own stories.

    seen: what the journal told of each order, and when; by_hand: orders that a person placed; cancelled_by_hand: orders, and
    amended_by_hand: changes, that were a person's doing; streams: (caller, opened, lost, kept).
    """

    def __init__(self):
        self.calls = []
        self.amend_calls = []
        self.clears = []
        self.settings = []
        self.halts = []
        self.refusals = []
        self.streams = []
        self.seen = defaultdict(list)
        self.by_hand = set()
        self.cancelled_by_hand = set()
        self.amended_by_hand = set()
        self.superseded = {}
        self.finals = {}

    def note_stream(self, whose, gateway):
        """A stream of that caller's is open; returns what is to be called when it ends."""
        row = {"whose": whose, "opened": self.loop.now, "lost": None, "kept": False}
        self.streams.append(row)
        process, loop = gateway.process, self.loop

        def ended():
            if not process.alive:
                return
            lost = row["lost"] = loop.now
            loop.call_at(lost + GRACE_S + SOUND_S, look, lost)

        def look(lost):
            row["kept"] = not process.disturbed_since(lost) and gateway.was_sound_since(lost)

        return ended

    # ---- for the judges -----------------------------------------------------------------------------------------

    def judged(self):
        """Every broken rule of the whole run."""
        return [
            *history.judge(self.history()),
            *amends.judge(self._amends()),
            *cancels.judge(self._cancels()),
            *halts.judge(self._halts()),
            *ledger.ends(self._ledgers()),
        ]

    def ends(self):
        """What is wrong with the last look alone: a little later it may be right."""
        return [
            *history.ends(self.history()),
            *amends.ends(self._amends()),
            *cancels.ends(self._cancels()),
            *ledger.ends(self._ledgers()),
        ]

    def history(self):
        return history.History(
            calls=self.calls,
            entered=market.entered(self.exchange, self._outside()),
            heard=market.heard(self.wire),
            finals=self.finals,
            superseded=self.superseded,
        )

    def _outside(self):
        return market.outside(self.exchange, self.by_hand)

    def _names(self):
        """The callers' ids of orders, by the exchange's; an order that nobody asked for has none."""
        owners = {call.content: call.order for call in self.calls if call.verb == "place"}
        contents = market.contents(self.exchange, self._outside())
        return {venue_id: owners[content] for venue_id, content in contents.items() if content in owners}

    def _amends(self):
        journal = self.disk.amends_since(ACCOUNT, 0, 10**6)
        return amends.Amends(
            calls=tuple(self.amend_calls),
            stood=market.stood(self.exchange, self._names(), self.amended_by_hand),
            sent=tuple(self.wire.amends),
            journal=tuple(map(journaled, journal)),
        )

    def _halts(self):
        return halts.Halts(
            settings=tuple(self.halts),
            left=tuple(self._left()),
            superseded=self.superseded,
            admitted={each.nonce for each in market.heard(self.wire) if each.admitted},
        )

    def _left(self):
        """Every order and every change that left a gateway; whose, their figures tell."""
        callers = {trader.order: trader.who.name for trader in self.traders.values()}
        owners = {call.content: callers[call.order] for call in self.calls if call.verb == "place"}
        wishers = {tuple(sorted(call.wish.items())): callers[call.order] for call in self.amend_calls}
        for each in self.wire.orders:
            whose = owners.get(each.content, "")
            yield halts.Left(f"an order of {each.content}", whose, each.at, each.owner, each.nonce, each.reduces)
        for each in self.wire.amends:
            whose = wishers.get(tuple(sorted(each.wish.items())), "")
            yield halts.Left(f"an amend to {each.wish}", whose, each.at, each.owner, int(each.nonce), None)

    def _ledgers(self):
        return ledger.Ledgers(
            there=market.rows(self.exchange),
            here=[row_of(order) for order in self.disk.orders.values()],
            fills_there=frozenset(self.exchange.venue.orders.trades),
            fills_here=frozenset(self.disk.ledgers[ACCOUNT].fills),
            outside=self._outside(),
        )

    def _cancels(self):
        return cancels.Cancels(
            lives=tuple(self._lives()),
            clears=tuple(self.clears),
            settings=tuple(self.settings),
            losses=tuple(self._losses()),
            refusals=(*self.refusals, *self._refused_cancels()),
            stepped=any(mishap.kind == "step" for mishap in self.forecast.mishaps),
        )

    def _refused_cancels(self):
        cancelled = [call for call in self.calls if call.verb == "cancel" and call.told is not None]
        return [(call.order, call.told.reason) for call in cancelled if call.told.reason]

    def _lives(self):
        names = self._names()
        callers = {trader.order: trader.who.name for trader in self.traders.values()}
        asked, cancelled = {}, defaultdict(list)
        for call in self.calls:
            if call.verb == "place":
                asked[call.order] = min(call.invoked, asked.get(call.order, call.invoked))
            elif call.verb == "cancel":
                cancelled[call.order].append(call.invoked)
        for venue_id, (opened, closed, reason, emptied) in market.ends(self.exchange).items():
            name = names.get(venue_id, venue_id)
            yield cancels.Life(
                order=name,
                caller=callers.get(name, ""),
                asked=asked.get(name, opened),
                opened=opened,
                closed=closed,
                reason=reason,
                cancels=tuple(cancelled[name]),
                by_hand=emptied or venue_id in self.cancelled_by_hand,
                seen=tuple(self.seen.get(name, ())),
            )

    def _losses(self):
        for row in self.streams:
            if row["lost"] is None:
                continue
            end = row["lost"] + GRACE_S
            opened = [each["opened"] for each in self.streams if each["whose"] == row["whose"] and each is not row]
            after = [at for at in opened if at > row["lost"]]
            yield cancels.Loss(
                whose=row["whose"],
                at=row["lost"],
                grace_s=GRACE_S,
                kept=row["kept"] and not any(at <= end + UNSURE_S for at in after),
                back=any(at <= end - UNSURE_S for at in after),
            )
