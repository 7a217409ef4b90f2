"""What both clients do to many orders at once: batches, lists of cancels, cancel-all, dead man's switches.

All of it may be repeated: a batch is placed once per id, and what is gone is not cancelled again.
"""

from collections.abc import Iterable, Sequence

from execsvc_client import _methods as methods
from execsvc_client._enums import ScopeLike
from execsvc_client._link import Link
from execsvc_client._many import (
    BatchRow,
    CancelRow,
    Cleared,
    NewOrder,
    Switch,
    cancel_all,
    cancel_orders,
    place_orders,
    read_batch_row,
    read_cancel_row,
    read_cleared,
    read_switch,
    set_switch,
)
from execsvc_client._requests import OrderLike
from execsvc_client._sync_link import SyncLink


class ManyOrders:
    """These methods of Client."""

    link: Link

    async def place_many(
        self,
        symbol: str,
        orders: Sequence[NewOrder],
        *,
        max_entry_delay: float | None = None,
        max_queue_wait: float | None = None,
        timeout: float | None = None,
    ) -> tuple[BatchRow, ...]:
        """Place 2 to 15 orders of one symbol in one call, each at most once; an outcome for each, in sequence.

        Raises when nothing was written down of any row, and OutcomeUnknown when nobody answered: then give every row its
        client_order_id and call again. A row whose order is in doubt resolves by itself; `resolve()` waits for it.
        """
        account = self.link.settings.account
        request = place_orders(account, symbol, orders, max_entry_delay=max_entry_delay, max_queue_wait=max_queue_wait)
        answer = await self.link.call(methods.PLACE_ORDERS, request, timeout=timeout)
        return tuple(map(read_batch_row, answer.results))

    async def cancel_many(
        self, orders: Iterable[OrderLike] = (), *, order_ids: Iterable[str] = (), timeout: float | None = None
    ) -> tuple[CancelRow, ...]:
        """Cancel 1 to 50 orders in one call; an outcome for each, those by `order_ids` last."""
        request = cancel_orders(self.link.settings.account, orders, order_ids)
        answer = await self.link.call(methods.CANCEL_ORDERS, request, timeout=timeout)
        return tuple(map(read_cancel_row, answer.results))

    async def cancel_all(self, symbol: str = "", *, scope: ScopeLike = "own", timeout: float | None = None) -> Cleared:
        """Cancel your open orders, of one symbol or all; with scope "all_callers" or "account" everybody's (needs kill)."""
        request = cancel_all(self.link.settings.account, symbol, scope)
        return read_cleared(await self.link.call(methods.CANCEL_ALL_ORDERS, request, timeout=timeout))

    async def dead_mans_switch(
        self, seconds: float, *, scope: ScopeLike = "own", timeout: float | None = None
    ) -> Switch:
        """Your orders are cancelled unless this is called again within `seconds` (5 to 86399; 0 takes it off).

        Scope "account" arms Kraken's own timer, which cancels everybody's and works without the gateway (needs kill).
        """
        request = set_switch(self.link.settings.account, seconds, scope)
        return read_switch(await self.link.call(methods.SET_DEAD_MANS_SWITCH, request, timeout=timeout))


class SyncManyOrders:
    """These methods of SyncClient."""

    link: SyncLink

    def place_many(
        self,
        symbol: str,
        orders: Sequence[NewOrder],
        *,
        max_entry_delay: float | None = None,
        max_queue_wait: float | None = None,
        timeout: float | None = None,
    ) -> tuple[BatchRow, ...]:
        """Place 2 to 15 orders of one symbol in one call, each at most once; an outcome for each, in sequence.

        Raises when nothing was written down of any row, and OutcomeUnknown when nobody answered: then give every row its
        client_order_id and call again. A row whose order is in doubt resolves by itself; `resolve()` waits for it.
        """
        account = self.link.settings.account
        request = place_orders(account, symbol, orders, max_entry_delay=max_entry_delay, max_queue_wait=max_queue_wait)
        answer = self.link.call(methods.PLACE_ORDERS, request, timeout=timeout)
        return tuple(map(read_batch_row, answer.results))

    def cancel_many(
        self, orders: Iterable[OrderLike] = (), *, order_ids: Iterable[str] = (), timeout: float | None = None
    ) -> tuple[CancelRow, ...]:
        """Cancel 1 to 50 orders in one call; an outcome for each, those by `order_ids` last."""
        request = cancel_orders(self.link.settings.account, orders, order_ids)
        answer = self.link.call(methods.CANCEL_ORDERS, request, timeout=timeout)
        return tuple(map(read_cancel_row, answer.results))

    def cancel_all(self, symbol: str = "", *, scope: ScopeLike = "own", timeout: float | None = None) -> Cleared:
        """Cancel your open orders, of one symbol or all; with scope "all_callers" or "account" everybody's (needs kill)."""
        request = cancel_all(self.link.settings.account, symbol, scope)
        return read_cleared(self.link.call(methods.CANCEL_ALL_ORDERS, request, timeout=timeout))

    def dead_mans_switch(self, seconds: float, *, scope: ScopeLike = "own", timeout: float | None = None) -> Switch:
        """Your orders are cancelled unless this is called again within `seconds` (5 to 86399; 0 takes it off).

        Scope "account" arms Kraken's own timer, which cancels everybody's and works without the gateway (needs kill).
        """
        request = set_switch(self.link.settings.account, seconds, scope)
        return read_switch(self.link.call(methods.SET_DEAD_MANS_SWITCH, request, timeout=timeout))
