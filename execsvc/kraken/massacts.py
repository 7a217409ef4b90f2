"""Many cancels in one call, every order of the account in one call, and Kraken's own dead man's switch (kraken.md 2.4).

All of them may be repeated: what is gone is not cancelled again, and a timer that is set again is set. Each order of a batch
is charged as its own cancel. Whose orders they are is app/masscancels.py's business.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from execsvc.domain.errors import Declined, Fault, Reason, error_of
from execsvc.kraken import wire
from execsvc.kraken.counters import LATE_COUNT_S
from execsvc.kraken.endpoints import CANCEL_ALL, CANCEL_ALL_AFTER, CANCEL_BATCH
from execsvc.kraken.figures import stamp_ns
from execsvc.kraken.rates import KrakenRates
from execsvc.kraken.rest import SignedRest
from execsvc.ports import CancelTarget

BATCH_MAX = 50
NO_ROOM = "Kraken's call counter has no room for cancelling everything at once: not sent, cancel by ids"

_counted = wire.decoder(wire.Cancelled)
_timer = wire.decoder(wire.Timer)


class MassActs:
    """What one key does to many orders at once."""

    def __init__(self, rest: SignedRest, rates: KrakenRates) -> None:
        self._rest = rest
        self._rates = rates

    async def cancel_many(self, targets: Sequence[CancelTarget], by: float, caller: str) -> int:
        """See ports.PrivateVenue."""
        done = 0
        for first in range(0, len(targets), BATCH_MAX):
            done += await self._cancel_batch(targets[first : first + BATCH_MAX], by, caller)
        return done

    async def _cancel_batch(self, targets: Sequence[CancelTarget], by: float, caller: str) -> int:
        for each in targets:
            self._rates.cancelling(each.symbol, each.counted_as)
        late_s = LATE_COUNT_S
        left: list[int] = []
        try:
            result = await self._rest.call(
                CANCEL_BATCH, _batch(targets), by, caller=caller, leaving=lambda: left.append(1)
            )
            late_s = 0.0
            return _counted(result).count
        except Declined as failure:
            late_s = 0.0
            if failure.reason is Reason.ORDER_NOT_FOUND:
                return 0
            raise
        finally:
            for each in targets:
                if left:
                    self._rates.cancelled(each.symbol, each.counted_as, late_s=late_s)
                else:
                    self._rates.cancel_unsent(each.symbol, each.counted_as)

    async def cancel_all(self, by: float, caller: str) -> int:
        """See ports.PrivateVenue. What each order costs is learnt from the stream, as its end is."""
        wait_s = self._rates.call_wait_s(CANCEL_ALL.name)
        if wait_s:
            raise error_of(Fault(Reason.LOCAL_RATE_LIMITED, NO_ROOM, retry_after_s=wait_s))
        return _counted(await self._rest.call(CANCEL_ALL, {}, by, caller=caller)).count

    async def cancel_all_after(self, timeout_s: int, by: float, caller: str) -> int | None:
        """See ports.PrivateVenue."""
        told = _timer(await self._rest.call(CANCEL_ALL_AFTER, {"timeout": str(timeout_s)}, by, caller=caller))
        if not timeout_s or told.trigger_time == "0":
            return None
        return stamp_ns(told.trigger_time)


def _batch(targets: Sequence[CancelTarget]) -> dict[str, str]:
    """Orders by txid where it is known, else by our own id; values are JSON."""
    txids = [each.venue_order_id for each in targets if each.venue_order_id]
    wire_ids = [{"cl_ord_id": each.venue_client_id} for each in targets if not each.venue_order_id]
    named: dict[str, Any] = {"orders": txids, "cl_ord_ids": wire_ids}
    return {name: msgspec.json.encode(ids).decode() for name, ids in named.items() if ids}
