"""How fast each caller goes, and whether it says the same thing twice: what the throttle and the duplicate guard remember.

A bucket holds a whole batch, and one second's worth where that is more; whoever is turned away is told when the next order
may go, exactly. Both are each caller's own, whatever the scope of the rule that sets them. Nothing here is durable: a restart
begins with full buckets. Cancels are counted, and never held back.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeVar

from execsvc.domain.riskrules import Bound
from execsvc.domain.spec import OrderSpec

BURST_LEAST = 15  # the rows of the largest batch
CANCELS_PER_S = 5  # a caller that cancels faster is worth a figure, and nothing else
BUCKETS_MAX = 4096
TWINS_MAX = 4096
ALIKE_MAX = BURST_LEAST + 1  # wishes that say the same and may yet be given up: a batch, and what stood before
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
_ULP_S = 1e-9  # whoever comes back at the very moment it was told is not turned away by a rounding


@dataclass
class Bucket:
    """So many a second. Kept as the moment by which it is full again."""

    per_s: int
    full_at: float = 0.0
    was_full: float = float("-inf")  # seconds, monotonic: the last turn that found it full

    @property
    def _spacing_s(self) -> float:
        return 1.0 / self.per_s

    def wait_s(self, now: float) -> float:
        """Until the next one may go; 0: now."""
        depth_s = (max(self.per_s, BURST_LEAST) - 1) * self._spacing_s
        wait_s = self.full_at - depth_s - now
        return wait_s if wait_s > _ULP_S else 0.0

    def take(self, now: float) -> Callable[[], None]:
        """One goes; the result gives its turn back, for it did not go after all."""
        if self.full_at <= now:
            self.full_at = self.was_full = now
        self.full_at += self._spacing_s
        return lambda: self._give_back(now)

    def _give_back(self, taken: float) -> None:
        """A turn that was made good by time since is not given twice."""
        if self.was_full <= taken:
            self.full_at -= self._spacing_s


@dataclass(frozen=True, eq=False)
class Said:
    """One wish of a caller: when it came, on the monotonic clock in seconds, and under which id."""

    at: float
    client_order_id: str


_NOBODY = Said(float("-inf"), "")  # seconds


@dataclass
class Twins:
    """The wishes of one caller of late, by what they say. The last one counts; those before it stand in for it if it goes."""

    said: OrderedDict[Hashable, tuple[Said, ...]] = field(default_factory=OrderedDict)

    def twin_of(self, spec: OrderSpec, client_order_id: str, since: float) -> str:
        """The other id that said the same since then; empty: none did."""
        last = self.said.get(_words(spec), (_NOBODY,))[-1]
        return last.client_order_id if last.at >= since and last.client_order_id != client_order_id else ""

    def note(self, spec: OrderSpec, client_order_id: str, now: float) -> Callable[[], None]:
        """It says this now; the result forgets that, for nothing came of it."""
        words, mine = _words(spec), Said(now, client_order_id)
        self.said[words] = (*self.said.get(words, ()), mine)[-ALIKE_MAX:]
        self.said.move_to_end(words)
        while len(self.said) > TWINS_MAX:
            self.said.popitem(last=False)
        return lambda: self._forget(words, mine)

    def _forget(self, words: Hashable, mine: Said) -> None:
        """It alone: what was said before or since stands, in whatever order wishes are given up."""
        left = tuple(each for each in self.said.get(words, ()) if each is not mine)
        if left:
            self.said[words] = left
        else:
            self.said.pop(words, None)


class Pace:
    """Of one account's callers."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[Hashable, Bucket] = OrderedDict()
        self._cancels: OrderedDict[str, Bucket] = OrderedDict()
        self._twins: OrderedDict[str, Twins] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Pace of {len(self._twins)} callers, {len(self._buckets)} buckets>"

    def bucket(self, caller: str, bound: Bound) -> Bucket:
        """The caller's own for that bound."""
        per_s = int(bound.limit)
        return _kept(self._buckets, (caller, bound.scope, per_s), lambda: Bucket(per_s))

    def twin_of(self, caller: str, spec: OrderSpec, client_order_id: str, since: float) -> str:
        """As Twins.twin_of. A look: whoever never placed anything leaves no trace by it."""
        said = self._twins.get(caller)
        return "" if said is None else said.twin_of(spec, client_order_id, since)

    def twins(self, caller: str) -> Twins:
        """What the caller said of late."""
        return _kept(self._twins, caller, Twins)

    def cancelled(self, caller: str, now: float) -> bool:
        """A cancel of the caller: whether it goes faster than its pace. It goes all the same."""
        bucket = _kept(self._cancels, caller, lambda: Bucket(CANCELS_PER_S))
        if bucket.wait_s(now):
            return True
        bucket.take(now)
        return False


def _words(spec: OrderSpec) -> Hashable:
    """What makes two orders look alike: pair, side, size and every price."""
    return (
        *(spec.symbol, spec.side, spec.order_type, spec.base_quantity, spec.quote_quantity, spec.full_position),
        *(spec.limit_price, spec.trigger_price, spec.offset, spec.limit_offset),
    )


def _kept(held: OrderedDict[K, V], key: K, new: Callable[[], V]) -> V:
    """The one of that key, made where there is none; who has not been heard of for longest makes room."""
    if key not in held:
        held[key] = new()
    held.move_to_end(key)
    while len(held) > BUCKETS_MAX:
        held.popitem(last=False)
    return held[key]
