"""Why an order that Kraken took has ended otherwise than filled: from Kraken's words for it, or who had it cancelled here.

A cancel of its own caller's needs no reason. What a refused or never placed order is told is elsewhere: those have a fault of
their own; what a halt tells is domain/modes.py's.
"""

from execsvc.domain.errors import Fault, Reason

_WISHED = "User requested"


def end_fault(word: str, reason: str) -> Fault | None:
    """The fault of an order that ended as `word`; None for a cancel that someone asked for, and where nothing was said."""
    if reason.lower().removeprefix("eorder:").startswith("post only"):
        return Fault(Reason.POST_ONLY_WOULD_TAKE, "cancelled by Kraken: it would have taken", {"venue_error": reason})
    if not reason or reason == _WISHED:
        return None
    return Fault(Reason.VENUE_ERROR, f"{word} by Kraken: {reason}", {"venue_error": reason})


def by_caller(name: str) -> Fault:
    """Another caller than its own asked for it to go."""
    return _by_other(f"caller {name}, who may cancel orders of others, asked for it", cause="caller", by=name)


def by_dead_man(caller: str) -> Fault:
    """The caller's dead man's switch went off."""
    message = f"the dead man's switch of {caller} went off: it was not set again in time"
    return _by_other(message, cause="dead_mans_switch", by=caller)


def by_lost_stream(caller: str) -> Fault:
    """A stream of orders that asked for cancel on disconnect."""
    message = f"a stream of the orders of {caller} was lost and none like it was back in time"
    return _by_other(message, cause="disconnect", by=caller)


def by_lost_session(caller: str, name: str) -> Fault:
    """A session that asked for cancel on disconnect; `name`: the id of its first stream."""
    message = f"session {name} was lost and was not taken over in time"
    return _by_other(message, cause="disconnect", by=caller)


def _by_other(message: str, *, cause: str, by: str) -> Fault:
    return Fault(Reason.CANCELLED_BY_OTHER, message, {"cause": cause, "by": by})
