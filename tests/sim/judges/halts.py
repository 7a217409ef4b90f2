"""The judge of trading modes: once a mode was answered, nothing that it forbids leaves a gateway until it is lifted.

Plain values in, findings out. That a halt's cancels went, the judge of cancels says: a halt is one more cancel of many. Times
are seconds on one clock that nobody steps.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from tests.support.history import Finding

NORMAL, REDUCE_ONLY, CANCEL_ONLY, HALTED = range(4)  # by how strict they are
_NEVER = float("inf")  # seconds


@dataclass(frozen=True)
class Setting:
    """One setting of a mode: for a caller's orders, or everybody's ("").

    scope: a name for the scope, alike for settings that replace each other; done: it was answered as set. in_force: the
    answer told that it is in force, durable or not.
    """

    scope: str
    caller: str
    mode: int
    invoked: float
    ended: float
    done: bool = False
    in_force: bool = False
    owner: int = 0


@dataclass(frozen=True)
class Left:
    """One order, or change of one, that left a gateway, by the epoch of its process; whose the order is.

    reduces: it can but close what is held; None: not known, as of a change.
    """

    what: str
    caller: str
    at: float
    owner: int
    nonce: int
    reduces: bool | None = False


@dataclass(frozen=True)
class Halts:
    """Everything about the modes of one run.

    superseded: when an owner was followed by the next; admitted: nonces that the exchange let in. Who is superseded may still
    send what no exchange lets in.
    """

    settings: Sequence[Setting] = ()
    left: Sequence[Left] = ()
    superseded: Mapping[int, float] = field(default_factory=dict)
    admitted: Collection[int] = ()


def judge(it: Halts) -> list[Finding]:
    """Every broken rule."""
    found = []
    for setting in it.settings:
        if not (setting.done or setting.in_force) or setting.mode == NORMAL:
            continue
        lifted = _lifted(it, setting)
        for each in it.left:
            if setting.ended < each.at < lifted and _forbidden(it, setting, each):
                what = f"{each.what} left at {each.at:.3f}, though {setting.scope} was set to {setting.mode}"
                found.append(Finding("halt.sent", f"{what}, which was answered at {setting.ended:.3f}"))
    return found


def _lifted(it, setting):
    """From when on it need not be in force any more: when somebody first asked for less."""
    later = (each for each in it.settings if each.scope == setting.scope and each.invoked > setting.invoked)
    return min((each.invoked for each in later if each.mode < setting.mode), default=_NEVER)


def _forbidden(it, setting, left):
    if setting.caller not in {"", left.caller}:
        return False
    if setting.mode == REDUCE_ONLY and left.reduces is not False:
        return False
    if not setting.done and left.owner != setting.owner:
        return False  # in force and not durable: the next process does not know of it
    return left.at < it.superseded.get(left.owner, _NEVER) or left.nonce in it.admitted
