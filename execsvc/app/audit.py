"""Deep books: the levels below those that Kraken's checksum covers, laid beside the venue's own now and then.

A change down there that got lost shows by nothing on the stream. So one book after the other is asked for over REST and
compared with all that ours was meanwhile, from before the question until after the answer: what moved counts for nothing,
and what differs twice running, ours unchanged, is wrong. Here is what may be said of such a comparison and which book is
next; who asks is books.py, what is done about a wrong one lookout.py's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from execsvc.domain.market import BookSeen, BookTopic, BookView, Level, Topic
from execsvc.ports import Clock

SUMMED = 10  # levels a side in Kraken's checksum (kraken.md 5.3)
EVERY_S = 30.0  # a book
SPACING_S = 5.0  # any two of them, and a book that looked wrong from its second look
DOUBLINGS_MOST = 6  # of that, for a book that is found wrong again and again: half an hour
MOVED_MOST = 20_000  # prices a side: a book that moves more in so short a time cannot be judged

_NOTHING = Decimal(0)
_ENDLESS = Decimal("Infinity")

Unlike = frozenset[tuple[Decimal, Decimal]]
"""Levels that differ from the venue's: price, and our quantity (0: we have no such level)."""


def coarsest(levels: Iterable[Level]) -> Decimal:
    """One of the last place that such quantities are printed to: REST shows thousandths where the stream shows all."""
    return max((Decimal(1).scaleb(_exponent(each.quantity)) for each in levels), default=_NOTHING)


class Stretch:
    """What one book was from now on, for a while."""

    def __init__(self, view: BookView) -> None:
        self._bids, self._asks = _Side(-1), _Side(1)
        self.broken = False
        self._hold(view)

    def __repr__(self) -> str:
        return f"<Stretch {len(self._bids.moved)}|{len(self._asks.moved)} moved, broken={self.broken}>"

    def saw(self, seen: BookSeen) -> None:
        """The book moved. A snapshot breaks the stretch: nobody knows what moved before it."""
        self._bids.moved.update(each.price for each in seen.bids)
        self._asks.moved.update(each.price for each in seen.asks)
        most = max(len(self._bids.moved), len(self._asks.moved))
        self.broken = self.broken or seen.snapshot or most > MOVED_MOST
        self._hold(seen.view())

    def unlike(self, theirs: BookView) -> Unlike:
        """What was wrong the whole time, if `theirs` is the venue's at any moment of it.

        Left out are the levels of the checksum, and what is further down than either book goes.
        """
        bids = self._bids.unlike(theirs.bids, theirs.depth)
        return bids | self._asks.unlike(theirs.asks, theirs.depth)

    def _hold(self, view: BookView) -> None:
        self._bids.hold(view.bids, view.depth)
        self._asks.hold(view.asks, view.depth)


class _Side:
    """One side; `sign` makes what is further down the greater."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._rows: tuple[Level, ...] = ()
        self._summed = -_ENDLESS  # as far down as the checksum ever went
        self._reach = _ENDLESS  # as far down as the book always went
        self.moved: set[Decimal] = set()

    def hold(self, rows: tuple[Level, ...], depth: int) -> None:
        """So it is now."""
        self._rows = rows
        self._summed = max(self._summed, self._sign * rows[SUMMED - 1].price if len(rows) >= SUMMED else _ENDLESS)
        if len(rows) >= depth:
            self._reach = min(self._reach, self._sign * rows[-1].price)

    def unlike(self, theirs: tuple[Level, ...], depth: int) -> Unlike:
        """Where theirs differs from what ours was all the time."""
        reach = min(self._reach, self._sign * theirs[-1].price) if len(theirs) >= depth else self._reach
        ours, shown = ({each.price: each.quantity for each in rows} for rows in (self._rows, theirs))
        step = coarsest(theirs)
        return frozenset(
            (price, ours.get(price, _NOTHING))
            for price in ours.keys() | shown.keys()
            if price not in self.moved
            and self._summed < self._sign * price <= reach
            and abs(ours.get(price, _NOTHING) - shown.get(price, _NOTHING)) >= step
        )


@dataclass
class _Audited:
    due_at: float
    wrong: int = 0  # times since it last agreed
    suspect: Unlike = frozenset()

    def wait(self, now: float) -> None:
        """Until its next turn."""
        self.due_at = now + EVERY_S * 2 ** min(max(self.wrong - 1, 0), DOUBLINGS_MOST)


class Audits:
    """Which book is next, and what is suspected of each."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[Topic, _Audited] = {}
        self._begun_at = float("-inf")  # seconds

    def __repr__(self) -> str:
        return (
            f"<Audits {len(self._known)} known, {sum(bool(each.suspect) for each in self._known.values())} suspected>"
        )

    def renewed(self, topic: Topic) -> None:
        """A whole new picture came: what was suspected is gone, and its time begins anew."""
        known = self._known.get(topic)
        if known is not None:
            known.suspect = frozenset()
            known.wait(self._clock.monotonic())

    def keep(self, topics: Iterable[Topic]) -> None:
        """Forgets all others."""
        kept = set(topics)
        self._known = {topic: known for topic, known in self._known.items() if topic in kept}

    def next(self, live: Iterable[Topic]) -> BookTopic | None:
        """Which to look at now: suspects first, then in turn; None: none, or the last look is too short ago."""
        now = self._clock.monotonic()
        deep = [topic for topic in live if isinstance(topic, BookTopic) and topic.depth > SUMMED]
        for topic in deep:
            self._known.setdefault(topic, _Audited(now + EVERY_S))
        if now - self._begun_at < SPACING_S:
            return None
        due = [topic for topic in deep if now >= self._known[topic].due_at]
        if not due:
            return None
        self._begun_at = now
        return min(due, key=lambda each: (not self._known[each].suspect, self._known[each].due_at))

    def is_wrong(self, topic: BookTopic, unlike: Unlike | None) -> bool:
        """Whether this look and the one before found the same level wrong; None: it proves nothing.

        One that is found wrong again is looked at ever more rarely, until it agrees: should the two doors of the venue differ
        for good, readers are not to pay for it each half minute.
        """
        known = self._known.get(topic)
        if known is None:
            return False
        wrong = unlike is not None and not known.suspect.isdisjoint(unlike)
        if unlike is not None:
            known.wrong = known.wrong + wrong if unlike else 0
            known.suspect = frozenset() if wrong else unlike
        known.wait(self._begun_at)
        if known.suspect:
            known.due_at = self._begun_at + SPACING_S
        return wrong


def _exponent(quantity: Decimal) -> int:
    exponent = quantity.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0
