"""What Kraken shows of an order becomes durable, also when it denies what we told.

A verdict never changes. Should Kraken show an order that was told as not placed, refused or never sent, the journal tells
the truth all the same (CORRECTED), nothing new is placed until a person has looked, and cancels go on.
"""

from execsvc.app.chronicle import Chronicle
from execsvc.app.switch import Switch
from execsvc.domain.account import Fill
from execsvc.domain.errors import Broken
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import Corrected, Order, Seen, VenueOrder
from execsvc.ports import Clock, Journal


class Sightings:
    """Records what was seen at Kraken, of one account."""

    def __init__(self, journal: Journal, chronicle: Chronicle, switch: Switch, clock: Clock) -> None:
        self._journal = journal
        self._chronicle = chronicle
        self._switch = switch
        self._clock = clock

    async def order(self, key: OrderKey, report: VenueOrder) -> Order:
        """Commits a picture of the order. Raises Busy when the store cannot."""
        try:
            return await self._chronicle.record(key, Seen(report))
        except Broken as refused:
            await self._demand_contradiction(key, report, refused)
            corrected = await self._chronicle.record(key, Corrected(report))
            self._halt(corrected)
            return corrected

    async def fill(self, fill: Fill, key: OrderKey, report: VenueOrder) -> Order | None:
        """Commits a fill and the picture that came with it; the order then. Raises Busy when the store cannot."""
        try:
            return await self._journal.record_fill(fill, key, Seen(report), self._clock.wall_ns())
        except Broken as refused:
            await self._demand_contradiction(key, report, refused)
            corrected = await self._journal.record_fill(fill, key, Corrected(report), self._clock.wall_ns())
            if corrected is not None:
                self._halt(corrected)
            return corrected

    async def _demand_contradiction(self, key: OrderKey, report: VenueOrder, refused: Broken) -> None:
        """Only a verdict that Kraken denies may be corrected; any other refused move is a bug and stays one."""
        order = await self._journal.get(key)
        if order is None or not order.contradicted_by(report):
            raise refused

    def _halt(self, order: Order) -> None:
        told = "" if order.corrected_from is None else order.corrected_from.name
        self._switch.halt(
            f"order {order.key} was told as {told}, yet Kraken shows it as {order.venue_order_id} {order.status.name}"
        )
