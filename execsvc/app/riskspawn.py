"""Whose limits an order counts in that Kraken placed for a conditional close: those of the caller whose order spawned it.

Such a child comes without a caller (app/outside.py), and is nobody's to see or cancel by that. What it may fill, and what was
lost with it, its parent's caller brought about. While we live the parent is remembered; after a start it is looked up.
"""

from collections import OrderedDict
from dataclasses import replace

from execsvc.domain.account import Fill
from execsvc.domain.order import Order
from execsvc.ports import Journal

REMEMBERED_MAX = 20_000  # orders, by Kraken's id


class Spawned:
    """Of one account."""

    def __init__(self, account: str, journal: Journal) -> None:
        self._account = account
        self._journal = journal
        self._callers: OrderedDict[str, str] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Spawned {len(self._callers)} orders>"

    def caller_of(self, order: Order) -> str:
        """Whose it counts as, its own caller's as a rule; empty: nobody's."""
        caller = order.key.caller
        if caller and order.spec.conditional_close is not None:
            self._remember(order.venue_order_id, caller)
        elif not caller:
            caller = self._callers.get(order.parent_order_id, "")
            if caller:
                self._remember(order.venue_order_id, caller)
        return caller

    def named(self, fill: Fill) -> Fill:
        """The fill as that caller's."""
        caller = fill.caller or self._callers.get(fill.venue_order_id, "")
        return fill if caller == fill.caller else replace(fill, caller=caller)

    async def read(self, order: Order) -> str:
        """As `caller_of`, the parent being looked up where it is not remembered. Raises Busy when the store fails."""
        parent_id = order.parent_order_id
        if not order.key.caller and parent_id and parent_id not in self._callers:
            parent = await self._journal.find(self._account, venue_order_id=parent_id)
            self._remember(parent_id, "" if parent is None else parent.key.caller)
        return self.caller_of(order)

    async def read_fill(self, fill: Fill) -> Fill:
        """As `named`, its order and that one's parent being looked up, each once. Raises Busy when the store fails."""
        order_id = fill.venue_order_id
        if not fill.caller and order_id not in self._callers:
            order = await self._journal.find(self._account, venue_order_id=order_id)
            self._remember(order_id, "" if order is None else await self.read(order))
        return self.named(fill)

    def _remember(self, venue_order_id: str, caller: str) -> None:
        if not venue_order_id:
            return
        self._callers[venue_order_id] = caller
        self._callers.move_to_end(venue_order_id)
        while len(self._callers) > REMEMBERED_MAX:
            self._callers.popitem(last=False)
