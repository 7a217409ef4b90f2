"""The judge of cancels: none is held back, what was to go is gone, and nothing goes that nobody wanted gone.

An end that the exchange calls asked for must have a cause: a cancel of one or of many, a person, a switch that was not set
again in time, a stream that was lost. And every such cause that was promised must have had its effect. Plain values in,
findings out; times are seconds on one clock that nobody steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.support.history import Finding

USER, TIMER = "User requested", "Cancel all orders after"  # Kraken's words for why an order ended
# What may not keep a cancel from being made: limits, counters, modes, clocks.
BLOCKS = frozenset(
    {
        "CLOCK_UNTRUSTED",
        "DEADLINE_TOO_SHORT",
        "INSTRUMENT_STATUS",
        "LOCAL_RATE_LIMITED",
        "RISK_REFUSED",
        "TRADING_HALTED",
        "VENUE_MODE",
        "VENUE_ORDER_LIMIT",
    }
)
GONE = frozenset({"filled", "cancelled", "expired", "rejected", "not_placed", "never_sent"})
EVERYBODY, ACCOUNT = "everybody", "account"
_SWITCH_EARLY_S = 2.5  # whole seconds, rounded down, and what setting it took
_SWITCH_LATE_S = 8.0  # Kraken's timer waits for the end of a maintenance
_PURSUIT_S = 30.0
_NEVER = float("inf")  # seconds


@dataclass(frozen=True)
class ClearTold:
    """One answer: how many were to go and how many are gone (a switch's has neither), or a refusal."""

    requested: int | None = None
    gone: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Clear:
    """One cancel of many. whose: a caller's name, EVERYBODY, ACCOUNT (those placed elsewhere too); or a list of orders.

    steady: the process owned the account, ran and could write until it was answered.
    """

    whose: str
    invoked: float
    ended: float
    told: ClearTold | None = None
    orders: frozenset[str] = frozenset()
    steady: bool = True


@dataclass(frozen=True)
class Setting:
    """One setting of a dead man's switch: a caller's own, or with ACCOUNT Kraken's. timeout_s 0 takes it off."""

    whose: str
    timeout_s: float
    invoked: float
    ended: float
    told: ClearTold | None = None

    @property
    def done(self):
        """Whether it is known to have been set."""
        return self.told is not None and not self.told.reason


@dataclass(frozen=True)
class Loss:
    """A stream of the caller's that asked for it ended at `at`. kept: its process was sound until the grace was over.

    back: the caller had another such stream within the grace.
    """

    whose: str
    at: float
    grace_s: float
    kept: bool = False
    back: bool = False


@dataclass(frozen=True)
class Life:
    """One order: whose ("": placed elsewhere), how the exchange has it, and what the journal said of it when.

    asked: when it was first asked for; cancels: when its own cancels were; by_hand: a person ended it.
    """

    order: str
    caller: str
    asked: float
    opened: float
    closed: float | None = None
    reason: str = ""
    cancels: tuple[float, ...] = ()
    by_hand: bool = False
    seen: tuple[tuple[float, str], ...] = ()

    def known_open(self, at):
        """Whether the journal had it as one that may be open."""
        last = next((status for when, status in reversed(self.seen) if when <= at), None)
        return last is not None and last not in GONE

    def placed_anew(self, after):
        """Whether nothing of it was sent at first, and it was asked for again since: then it is wanted again."""
        return any(status == "never_sent" and when >= after for when, status in self.seen)


@dataclass(frozen=True)
class Cancels:
    """Everything about the cancels of one run. stepped: a clock was set, so that switches may go off early or late."""

    lives: Sequence[Life] = ()
    clears: Sequence[Clear] = ()
    settings: Sequence[Setting] = ()
    losses: Sequence[Loss] = ()
    refusals: Sequence[tuple[str, str]] = field(default_factory=tuple)
    stepped: bool = False


def judge(it: Cancels) -> list[Finding]:
    """Every broken rule."""
    return [*_blocked(it), *_told(it), *_uncalled(it), *ends(it)]


def ends(it: Cancels) -> list[Finding]:
    """Whoever should be gone and is not: a little later it may be."""
    left = [life for life in it.lives if life.closed is None]
    return [*_left_by_clears(it, left), *_left_by_switches(it), *_left_by_losses(it, left)]


def reaches(clear, life):
    """Whether the order is among those that the cancel is for."""
    if clear.orders:
        return life.order in clear.orders
    return clear.whose == ACCOUNT or (bool(life.caller) and clear.whose in {EVERYBODY, life.caller})


# ---- what was to go ----------------------------------------------------------------------------------------------


def _blocked(it):
    refused = [*it.refusals, *((clear.whose, clear.told.reason) for clear in it.clears if clear.told is not None)]
    for whose, reason in refused:
        if reason in BLOCKS:
            yield Finding("cancel.blocked", f"a cancel of {whose} was refused: {reason}")


def _told(it):
    """Told that all of them are gone, they are."""
    for clear in it.clears:
        told = clear.told
        if told is None or told.requested is None or told.requested != told.gone or not clear.steady:
            continue
        for life in it.lives:
            open_then = life.opened <= clear.invoked and (life.closed is None or life.closed > clear.ended)
            if open_then and reaches(clear, life) and life.known_open(clear.invoked):
                yield Finding("clear.told", f"all of {clear.whose} were told gone, and {life.order} was still open")


def _left_by_clears(it, left):
    """What was there when it was answered is gone, and what was on its way."""
    for clear in it.clears:
        if clear.told is None or clear.told.reason or not clear.steady:
            continue
        for life in left:
            if reaches(clear, life) and life.known_open(clear.invoked) and not life.placed_anew(clear.invoked):
                when = f"{clear.invoked:.3f}"
                yield Finding(
                    "clear.left", f"{life.order} is open, though all of {clear.whose} were cancelled at {when}"
                )


def _left_by_losses(it, left):
    for loss in it.losses:
        if loss.back or not loss.kept:
            continue
        for life in left:
            mine = life.caller == loss.whose and life.known_open(loss.at + loss.grace_s)
            if mine and not life.placed_anew(loss.at):
                yield Finding(
                    "lost.left", f"{life.order} is open, though the stream of {loss.whose} was lost at {loss.at:.3f}"
                )


def _left_by_switches(it):
    for whose in sorted({each.whose for each in it.settings}):
        mine = [each for each in it.settings if each.whose == whose]
        last = max((each for each in mine if each.done), key=lambda each: each.ended, default=None)
        if last is None or not last.timeout_s or it.stepped or any(each.invoked > last.invoked for each in mine):
            continue
        for life in it.lives:
            if _stays(life, last):
                due = f"{last.invoked + last.timeout_s:.3f}"
                yield Finding("switch.left", f"{life.order} stayed open, though the switch of {whose} was due at {due}")


def _stays(life, last):
    """Whether an order that was there when the switch was due outlived it. Kraken's own timer needs nobody's journal."""
    due, latest = last.invoked + last.timeout_s, last.ended + last.timeout_s
    if last.whose == ACCOUNT:
        return life.opened < due - _SWITCH_EARLY_S and (life.closed is None or life.closed > latest + _SWITCH_LATE_S)
    mine = life.caller == last.whose and life.known_open(due) and not life.placed_anew(due)
    return mine and life.closed is None


# ---- what was not to go ------------------------------------------------------------------------------------------


def _uncalled(it):
    for life in it.lives:
        if life.closed is None or life.reason not in {USER, TIMER}:
            continue
        if not any(at <= life.closed for at in _causes(it, life)):
            yield Finding(
                "cancel.uncalled", f"{life.order} ended at {life.closed:.3f} ({life.reason}), and nobody asked"
            )


def _causes(it, life):
    """From when on each cause may have ended it."""
    if life.reason == TIMER:
        yield from _switched(it, ACCOUNT, life)
        return
    yield from life.cancels
    if life.by_hand:
        yield life.opened
    yield from (clear.invoked for clear in it.clears if reaches(clear, life) and life.asked <= _until(clear))
    yield from (loss.at + loss.grace_s for loss in it.losses if loss.whose == life.caller and not loss.back)
    if life.caller:
        yield from _switched(it, life.caller, life)


def _until(clear):
    """Kraken's own cancel-all names no orders: while it is not through, it may end what has come meanwhile."""
    return clear.ended + (_PURSUIT_S if clear.whose == ACCOUNT else 0.0)


def _switched(it, whose, life):
    """When each setting may have gone off: not if it is known to have been set anew before."""
    mine = [each for each in it.settings if each.whose == whose and each.timeout_s]
    for each in mine:
        due = each.invoked if it.stepped else each.invoked + each.timeout_s
        early_s = _SWITCH_EARLY_S if whose == ACCOUNT else 0.0
        undone = min(
            (
                other.ended
                for other in it.settings
                if other.whose == whose and other.done and other.invoked >= each.ended
            ),
            default=_NEVER,
        )
        if due - early_s <= undone and life.asked <= max(due, life.closed or due):
            yield due - early_s
