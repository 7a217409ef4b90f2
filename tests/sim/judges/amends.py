"""The judge of amends: what callers were told of a change, against the states the order really had at the exchange.

Plain values in, findings out, no code shared with the house. A change is recognised by its figures: no two changes of a run
have one in common, and no order was placed with it. Times are seconds on one clock that nobody steps.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from tests.support.history import Finding

Figures = Mapping[str, Decimal]
_NEVER = float("inf")  # seconds


@dataclass(frozen=True)
class AmendTold:
    """One answer: applied or not known yet (`applied`), or a refusal, and whether it used the request id."""

    applied: bool = False
    reason: str = ""
    id_used: bool | None = None


@dataclass(frozen=True)
class AmendCall:
    """One call of a caller, as history.Call is; the change may take effect until `limit`."""

    order: str
    request: str
    wish: Figures
    invoked: float
    ended: float
    limit: float
    told: AmendTold | None = None
    excused: bool = False


@dataclass(frozen=True)
class Stood:
    """One state that a change brought an order into. by_hand: a person's own doing. left: what was not filled then.

    changed: the names of those figures that were others before.
    """

    order: str
    at: float
    figures: Figures
    changed: frozenset[str]
    left: Decimal
    by_hand: bool = False

    def fulfils(self, wish):
        """Whether the order was changed so, to the figure."""
        exact = all(self.figures.get(name) == value for name, value in wish.items())
        return exact and not self.changed.isdisjoint(wish)

    def ends(self, wish):
        """Whether the order stood so that the wish would end it: a total below what is filled is taken as what is filled."""
        others = {name for name, value in wish.items() if self.figures.get(name) != value}
        return others == {"base_quantity"} and not self.left and wish["base_quantity"] < self.figures["base_quantity"]


@dataclass(frozen=True)
class Journaled:
    """A change as the journal has it at the end: applied, certainly not (False), or not known yet (None)."""

    order: str
    request: str
    wish: Figures
    applied: bool | None


@dataclass(frozen=True)
class Sent:
    """One request that left a gateway, by the epoch of its process."""

    wish: Figures
    nonce: str
    at: float
    owner: int = 0


@dataclass(frozen=True)
class Amends:
    """Everything about the changes of one run."""

    calls: tuple[AmendCall, ...] = ()
    stood: tuple[Stood, ...] = ()
    sent: tuple[Sent, ...] = ()
    journal: tuple[Journaled, ...] = ()

    def states(self, order, wish):
        """The states that this wish brought the order into. What ended it was the doing of a wish that had left by then."""
        mine = [each for each in self.stood if each.order == order]
        left = min((each.at for each in self.sent if each.wish == wish), default=_NEVER)
        return [each for each in mine if each.fulfils(wish) or (each.ends(wish) and left <= each.at)]

    def stands(self, order, wish):
        """These, and any in which the order stood so already, whoever brought it there."""
        ended = [each for each in self.stood if each.order == order and each.ends(wish)]
        return [*self.states(order, wish), *ended]


def judge(it: Amends) -> list[Finding]:
    """Every broken rule."""
    calls = defaultdict(list)
    for call in it.calls:
        calls[call.order, call.request].append(call)
    found = list(_sent_once(it.sent))
    for key in sorted(calls):
        mine, there = calls[key], it.states(key[0], calls[key][0].wish)
        name = f"amend {key[1]} of {key[0]}"
        found += _once(name, mine, there)
        stands = it.stands(key[0], calls[key][0].wish)
        for call in mine:
            found += _truth(name, call, mine, there, stands)
        found += _in_time(name, mine, there)
    return [*found, *_asked(it), *ends(it)]


def ends(it: Amends) -> list[Finding]:
    """What the journal has wrong at the end: a little later it may be right."""
    found = []
    for each in it.journal:
        there = bool(it.states(each.order, each.wish)) or (
            bool(each.applied) and bool(it.stands(each.order, each.wish))
        )
        name = f"amend {each.request} of {each.order}"
        if each.applied is None:
            found.append(Finding("amend.stuck", f"{name} is still not settled, and is {'' if there else 'not '}there"))
        elif each.applied is not there:
            told, true = ("applied", "it never was") if each.applied else ("not applied", "it is there")
            found.append(Finding("amend.end", f"{name} ends as {told}, and {true}"))
    return found


def _sent_once(sent):
    """A change is signed and sent once, whatever became of it."""
    nonces = defaultdict(set)
    for each in sent:
        nonces[tuple(sorted(each.wish.items()))].add(each.nonce)
    for wish in sorted(nonces):
        if len(nonces[wish]) > 1:
            figures = ", ".join(f"{name} {value}" for name, value in wish)
            yield Finding("amend.once", f"the amend to {figures} was sent {len(nonces[wish])} times")


def _once(name, calls, there):
    if len(there) > 1:
        yield Finding("amend.once", f"{name} was applied {len(there)} times")
    verdicts = Counter(_verdict(call.told) for call in calls if call.told is not None)
    told = sorted(verdict for verdict in verdicts if verdict)
    if len(told) > 1:
        yield Finding("amend.changed", f"{name} was told as {' and as '.join(told)}")


def _verdict(told):
    if told.applied:
        return "applied"
    return f"refused ({told.reason})" if told.id_used else ""


def _truth(name, call, calls, there, stands):
    told = call.told
    if told is None:
        if not call.excused:
            yield Finding("amend.silent", f"{name} at {call.invoked:.3f} was never answered")
        return
    if told.applied and not any(each.at <= call.ended for each in stands):
        yield Finding("amend.positive", f"{name} was told as applied at {call.ended:.3f}, and is not there")
    if told.id_used and there:
        yield Finding("amend.negative", f"{name} was told {told.reason}, and was applied at {there[0].at:.3f}")
    if told.id_used is False and there and not any(_may_have(other, there[0]) for other in calls if other is not call):
        yield Finding("amend.unsent", f"{name} was told {told.reason} (not sent), and was applied at {there[0].at:.3f}")


def _may_have(other, there):
    return other.invoked <= there.at and (other.told is None or other.told.id_used is not False)


def _in_time(name, calls, there):
    for each in there:
        limits = [call.limit for call in calls if call.invoked <= each.at]
        if not limits:
            yield Finding("amend.late", f"{name} was applied at {each.at:.3f}, before anybody asked")
        elif each.at > max(limits):
            yield Finding("amend.late", f"{name} was applied {each.at - max(limits):.3f} s after the caller's time")


def _asked(it):
    """Every change was somebody's wish."""
    wished = [state for call in it.calls for state in it.states(call.order, call.wish)]
    for each in it.stood:
        if not each.by_hand and each not in wished:
            yield Finding("amend.asked", f"{each.order} was changed at {each.at:.3f}, and nobody asked for that")
