"""Why an order that Kraken took has ended otherwise than filled, from Kraken's words for it.

What a refused or never placed order is told is elsewhere: those have a fault of their own.
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
