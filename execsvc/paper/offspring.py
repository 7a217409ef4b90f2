"""What a conditional close becomes when its order is filled: the terms of an order of its own.

Pure; the engine accepts it like any other, with the filled order's id as `refid`.
"""

from .closes import Close
from .matching import opposite
from .orders import Terms
from .triggers import Seen, read_prices


def closing_terms(terms: Terms, close: Close, *, lots: int, price: int) -> Terms:
    """Return the terms of the order that a fill of `lots` at `price` brings forth; raises Refused when it can be none.

    It keeps the flags that say where fees are charged, stptype, userref and leverage; nothing else of the filled order.
    """
    limit, trigger = read_prices(close.asked(opposite(terms.side)), terms.pair, Seen(price, price))
    return Terms(
        pair=terms.pair,
        side=opposite(terms.side),
        kind=close.kind,
        lots=lots,
        price=limit,
        flags=tuple(flag for flag in terms.flags if flag in ("fcib", "fciq")),
        stp=terms.stp,
        userref=terms.userref,
        trigger=trigger,
        leverage=terms.leverage,
    )
