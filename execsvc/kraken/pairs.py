"""The matching engine's counter of one pair of the account: its points, its open orders and how old they are. Pure.

Ages are lower bounds (an order counts as created when its answer came), so costs are upper bounds. Cancels are charged and
never held back. All figures are Kraken's (kraken.md 3.2); who waits for room is rates.py's.
"""

from collections import OrderedDict, deque
from dataclasses import dataclass
from decimal import Decimal

from execsvc.kraken.costs import AGES_S, Act, Tier, engine_cost
from execsvc.kraken.counters import Charge, Counter

ORDERS_MAX = 1000  # remembered of a pair; no tier allows so many open ones but the one without limits
MOMENT_S = 1e-6  # so that a step of age is not missed by a rounding
SEEN_BY_S = 30.0  # so long after it can have come in, an order in doubt has been seen open or is none


@dataclass(eq=False)
class Adding:
    """One placement under way: its points and the open order it may become."""

    charge: Charge
    open: bool = True


@dataclass(eq=False, frozen=True)
class Amending:
    """One amend under way: its points, its order, and when that was amended before; None: never, as far as is known."""

    charge: Charge
    order_id: str
    before: float | None


@dataclass(eq=False)
class _Cancelling:
    """Cancels of one order: one charge, counted by `latest` once none is under way."""

    charge: Charge
    under_way: int = 1
    latest: float = 0.0


class PairCounter:
    """One pair. `now` is monotonic seconds."""

    def __init__(self, symbol: str, tier: Tier) -> None:
        self.symbol = symbol
        self.counter = Counter(tier.engine_max, tier.engine_decay)
        self.open_orders_max = tier.open_orders_max
        self._born: dict[str, float] = {}  # seconds: by txid, the latest that each can have been created
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._adding = 0
        self._doubtful: deque[tuple[float, Adding]] = deque()
        self._cancels: dict[str, _Cancelling] = {}
        self._amended: dict[
            str, float
        ] = {}  # seconds: when each was amended last at the latest, inf while that is open
        self.told_by: object | None = None  # the link on which Kraken told its own count last

    def __repr__(self) -> str:
        return f"<PairCounter {self.symbol} {self.counter!r} {len(self._born)} open>"

    def open_orders(self, now: float) -> int:
        """Orders that may be open at Kraken, those under way and in doubt included."""
        while self._doubtful and self._doubtful[0][0] <= now:
            self._decided(self._doubtful.popleft()[1])
        return len(self._born) + self._adding

    def crowded(self, now: float, more: int = 1) -> bool:
        """Whether so many more might be too many."""
        return self.open_orders(now) + more > self.open_orders_max

    def resize(self, tier: Tier, now: float) -> None:
        """The account is of another tier than thought."""
        self.counter.resize(tier.engine_max, tier.engine_decay, now)
        self.open_orders_max = tier.open_orders_max

    # ---- placing ------------------------------------------------------------------------------------------------

    def add(self, now: float, points: Decimal | None = None) -> Adding:
        """One placement may leave; that there is room was asked before. `points`: its share, in a batch."""
        self._adding += 1
        return Adding(self.counter.hold(engine_cost(Act.ADD, 0.0) if points is None else points, now))

    def unsent(self, adding: Adding) -> None:
        """It never left."""
        self.counter.release(adding.charge)
        self._decided(adding)

    def accepted(self, adding: Adding, order_id: str, now: float) -> None:
        """Kraken took it."""
        self.counter.land(adding.charge, now, now)
        self._decided(adding)
        self.seen_open(order_id, now)

    def refused(self, adding: Adding, now: float) -> None:
        """Kraken refused it; what was received is counted all the same."""
        self.counter.land(adding.charge, now, now)
        self._decided(adding)

    def in_doubt(self, adding: Adding, counted_by: float, now: float) -> None:
        """No answer: Kraken may count it until then, and it may stand open until it must have been seen."""
        self.counter.land(adding.charge, counted_by, now)
        self._doubtful.append((counted_by + SEEN_BY_S, adding))

    def _decided(self, adding: Adding) -> None:
        if adding.open:
            adding.open = False
            self._adding -= 1

    # ---- orders -------------------------------------------------------------------------------------------------

    def seen_open(self, order_id: str, now: float) -> None:
        """It is open, and no older than when it was first seen. News of its end may have come before."""
        if order_id not in self._born and order_id not in self._ended:
            self._born[order_id] = now
            if len(self._born) > ORDERS_MAX:
                del self._born[next(iter(self._born))]

    def seen_ended(self, order_id: str, now: float, *, capped: bool = False) -> None:
        """It is open no more; a cancel of it under way is counted by now."""
        self._born.pop(order_id, None)
        self._amended.pop(order_id, None)
        self._ended[order_id] = None
        if len(self._ended) > ORDERS_MAX:
            self._ended.popitem(last=False)
        cancelling = self._cancels.pop(order_id, None)
        if cancelling is not None:
            self.counter.land(cancelling.charge, now, now, capped=capped)

    def only_open(self, order_ids: frozenset[str], since: float, now: float) -> None:
        """A picture of all open orders of the pair, taken after `since`: what was there before and is not in it has ended."""
        for order_id in [each for each, born in self._born.items() if born < since and each not in order_ids]:
            self.seen_ended(order_id, now)
        for order_id in order_ids:
            self.seen_open(order_id, now)

    def age_s(self, order_id: str, now: float) -> float:
        """Seconds since its creation or last amend at the least; 0 where it is not known."""
        born = self._born.get(order_id, now)
        return max(0.0, now - max(born, self._amended.get(order_id, born)))

    # ---- amending -----------------------------------------------------------------------------------------------

    def amend(self, order_id: str, now: float) -> Amending:
        """An amend of it may leave; that there is room was asked before. From now on it may be as young as can be."""
        charge = self.counter.hold(engine_cost(Act.AMEND, self.age_s(order_id, now)), now)
        before = self._amended.get(order_id)
        self._amended[order_id] = float("inf")  # seconds: when is not known yet
        return Amending(charge, order_id, before)

    def amend_ended(self, amending: Amending, now: float, *, at: float, applied: bool) -> None:
        """Kraken counted it by `at`. Where it was applied, or may have been, the order is no older than that."""
        self.counter.land(amending.charge, at, now)
        self._amended_at(amending.order_id, at if applied else amending.before)

    def amend_unsent(self, amending: Amending) -> None:
        """It never left."""
        self.counter.release(amending.charge)
        self._amended_at(amending.order_id, amending.before)

    def amended(self, order_id: str, now: float) -> None:
        """Kraken showed an amend of it, ours or not."""
        if self._amended.get(order_id, now) <= now:
            self._amended_at(order_id, now)

    def amend_steps(self, order_id: str, now: float) -> tuple[tuple[float, Decimal], ...]:
        """What an amend of it costs: points, and after how many seconds from now each price holds; the dearest first."""
        age_s = self.age_s(order_id, now)
        later = [bound - age_s for bound in AGES_S if bound > age_s]
        return tuple((wait_s, engine_cost(Act.AMEND, age_s + wait_s + MOMENT_S)) for wait_s in (0.0, *later))

    def _amended_at(self, order_id: str, at: float | None) -> None:
        """Remembered of orders that are open; the one amended longest ago is forgotten when there are too many."""
        self._amended.pop(order_id, None)
        if at is not None and order_id not in self._ended:
            self._amended[order_id] = at
            if len(self._amended) > ORDERS_MAX:
                del self._amended[next(iter(self._amended))]

    # ---- cancelling ---------------------------------------------------------------------------------------------

    def cancel(self, order_id: str, now: float) -> None:
        """A cancel leaves. An order is cancelled once: while one may still be counted, another one costs nothing more."""
        known = self._cancels.get(order_id)
        if known is not None and self.counter.keep_flying(known.charge, now):
            known.under_way += 1
        else:
            charge = self.counter.hold(engine_cost(Act.CANCEL, self.age_s(order_id, now)), now)
            self._cancels[order_id] = _Cancelling(charge)

    def cancel_answered(self, order_id: str, now: float, *, by: float, capped: bool = False) -> None:
        """Its answer came (by = now), or none will count after `by`. `capped`: see Counter.land."""
        known = self._cancels.get(order_id)
        if known is None:
            return
        known.under_way -= 1
        known.latest = max(known.latest, by)
        if known.under_way:
            return
        self.counter.land(known.charge, known.latest, now, capped=capped)
        if not known.charge.flying:
            del self._cancels[order_id]

    def cancel_unsent(self, order_id: str, now: float) -> None:
        """It never left: unless another one did, it costs nothing."""
        known = self._cancels.get(order_id)
        if known is None:
            return
        known.under_way -= 1
        if known.under_way:
            return
        if known.latest:
            self.counter.land(known.charge, known.latest, now)
        else:
            self.counter.release(known.charge)
            del self._cancels[order_id]
