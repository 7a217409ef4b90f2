"""Asking Kraken what it thinks of an order, placing nothing (AddOrder with validate=true, kraken.md 2.4).

The question is a read: it is made by an encoder that cannot leave `validate` out, has no id and no deadline, takes no room in
the counters' books, and may be repeated like any read.
"""

from execsvc.domain.errors import Broken, Busy, Declined, Fault, Reason
from execsvc.domain.instrument import Instrument
from execsvc.domain.spec import OrderSpec
from execsvc.kraken import encode
from execsvc.kraken.endpoints import ADD_ORDER_DRY
from execsvc.kraken.rest import SignedRest

# What Kraken says of the order itself; all else is about the call or the key.
OBJECTIONS = frozenset(
    {
        Reason.VENUE_REFUSED_ARGUMENTS,
        Reason.ORDER_MINIMUM_NOT_MET,
        Reason.TICK_SIZE_VIOLATED,
        Reason.UNKNOWN_SYMBOL,
        Reason.POSITION_NOT_FOUND,
        Reason.INSUFFICIENT_FUNDS,
        Reason.MARGIN_REFUSED,
        Reason.POST_ONLY_WOULD_TAKE,
        Reason.REDUCE_ONLY_REFUSED,
        Reason.INSTRUMENT_STATUS,
        Reason.TRIGGER_INDEX_UNAVAILABLE,
        Reason.VENUE_ACCOUNT_RESTRICTED,
        Reason.VENUE_ORDER_LIMIT,
    }
)


class Asking:
    """Questions with one key."""

    def __init__(self, rest: SignedRest) -> None:
        self._rest = rest

    async def objection(self, spec: OrderSpec, instrument: Instrument, by: float, caller: str) -> Fault | None:
        """What Kraken has against the order; None: nothing. Raises Busy, Declined or ProtocolBroken as reads do."""
        params = encode.add_order_dry(spec, instrument)
        if params.get("validate") != "true":
            raise Broken(Fault(Reason.INTERNAL, "a question that would place an order is not asked"))
        try:
            await self._rest.call(ADD_ORDER_DRY, params, by, caller=caller)
        except (Declined, Busy) as refusal:
            if refusal.reason not in OBJECTIONS:
                raise
            return refusal.fault
        return None
