"""What the client and the gateway say of their arguments, in the words that were typed: options of buy, sell and amend.

The client names its parameters, the gateway the paths of a request. A message that names neither stays as it is; what a
failure means is not touched.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from execsvc.cli.exits import BAD_USAGE, Stopped

# The client's arguments, as the command line calls them; whole phrases and longer names first.
_WORDS = {
    "a close that trails has no limit_price: use trail_limit": "--close-trail goes with --close-trail-limit, not with"
    " --close-limit",
    "close: trail_limit=… goes with trail": "--close-trail-limit goes with --close-trail",
    "a close has one of limit_price=…, stop=…, take_profit=… and trail": "a close is one of --close-limit, --close-stop,"
    " --close-take-profit and --close-trail",
    "give limit_price=… or market=True, one of the two, or one of stop=…, take_profit=…, trail=…, settle=True": "one type"
    " at a time: --limit, or one of --stop, --take-profit, --trail and --settle; without any a market order",
    "close.limit_price": "--close-limit",
    "close.trail_limit": "--close-trail-limit",
    "close.take_profit": "--close-take-profit",
    "close.stop": "--close-stop",
    "close.trail": "--close-trail",
    "self_trade_prevention": "--self-trade",
    "trigger_reference": "--trigger",
    "trigger_price": "--trigger",
    "display_quantity": "--display",
    "fee_preference": "--fee-in",
    "time_in_force": "--tif",
    "expire_time": "--expire",
    "take_profit": "--take-profit",
    "limit_price": "--limit",
    "trail_limit": "--trail-limit",
    "start_time": "--start",
    "post_only": "--post-only",
    "quantity": "--qty",
    "cancel_newest": "cancel-newest",
    "cancel_oldest": "cancel-oldest",
    "cancel_both": "cancel-both",
    "settle=True": "--settle",
    "market=True": "no price",
    "stop=…": "--stop",
    "trail=…": "--trail",
    "stop is": "--stop is",
    "trail is": "--trail is",
}
# Paths of an OrderSpec, as the command line calls them; a distance may be given in two ways.
_PATHS = {
    "spec.symbol": "SYMBOL",
    "spec.base_quantity": "--qty",
    "spec.quote_quantity": "--notional",
    "spec.full_position": "--whole-position",
    "spec.limit.limit_price": "--limit",
    "spec.limit.post_only": "--post-only",
    "spec.limit.display_quantity": "--display",
    "spec.trigger.trigger_price": "the trigger price",
    "spec.trigger.limit_price": "--limit",
    "spec.trigger.reference": "--trigger",
    "spec.trailing_stop.offset": "--trail",
    "spec.trailing_stop.limit_offset": "--trail-limit",
    "spec.trailing_stop.reference": "--trigger",
    "spec.time_in_force": "--tif",
    "spec.expire_time": "--expire",
    "spec.start_time": "--start",
    "spec.leverage": "--leverage",
    "spec.reduce_only": "--reduce-only",
    "spec.self_trade_prevention": "--self-trade",
    "spec.fee_preference": "--fee-in",
    "spec.label": "--label",
    "spec.conditional_close.limit.limit_price": "--close-limit",
    "spec.conditional_close.trigger.trigger_price": "the close's trigger price",
    "spec.conditional_close.trigger.limit_price": "--close-limit",
    "spec.conditional_close.trailing_stop.offset": "--close-trail",
    "spec.conditional_close.trailing_stop.limit_offset": "--close-trail-limit",
    "spec.conditional_close": "the close",
}
# What else the gateway calls otherwise in its sentences about them.
_TERMS = {"TIME_IN_FORCE_": "--tif ", "settle_position": "--settle", "quote_quantity": "--notional"}

_NAMED = re.compile("|".join(rf"\b{re.escape(name)}(?:=…)?" for name in _WORDS))
_PATH = re.compile(
    "|".join(rf"{re.escape(path)}(?:\.absolute|\.percent)?\b" for path in sorted(_PATHS, key=len, reverse=True))
)
_TERM = re.compile("|".join(rf"\b{re.escape(name)}" for name in _TERMS))


def in_words(message: str) -> str:
    """What the client said of its arguments, said of the options that were typed."""
    return _NAMED.sub(lambda found: _WORDS.get(found[0]) or _WORDS[found[0].removesuffix("=…")], message)


def in_options(message: str) -> str:
    """What the gateway said of an OrderSpec's fields, said of the options that were typed."""
    named = _PATH.sub(lambda found: _PATHS[found[0].removesuffix(".absolute").removesuffix(".percent")], message)
    return _TERM.sub(lambda found: _TERMS[found[0]], named)


@contextmanager
def as_usage() -> Iterator[None]:
    """What the client refuses before anything is sent was mistyped; what the gateway refuses is said of the options."""
    from execsvc_client import InvalidRequest, Violation

    try:
        yield
    except (TypeError, ValueError) as mistake:
        raise Stopped(BAD_USAGE, in_words(str(mistake))) from None
    except InvalidRequest as refused:
        bad = tuple(Violation(in_options(each.path), in_options(each.description)) for each in refused.violations)
        refused.facts = replace(refused.facts, message=in_options(refused.message), violations=bad)
        raise
