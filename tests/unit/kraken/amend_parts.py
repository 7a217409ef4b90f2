"""Parts of the tests of amends at Kraken: an order that stands there, and an amend of it sent through the whole adapter."""

from dataclasses import replace

from kraken_parts import TXID, an_order, live

from execsvc.domain.amend import AmendIntent, AmendKey, submitted
from execsvc.domain.order import Acknowledged
from tests.support.amends import wish_of
from tests.support.net import answer
from tests.support.venue import BTC_USD

AMEND_ID = "TEZA4R-DSDGT-IJBOJK"
TAKEN = answer({"amend_id": AMEND_ID})


def standing(clock, name="order-1", **spec):
    """An order that Kraken took."""
    return an_order(clock, name, **spec).apply(Acknowledged(TXID), clock.wall_ns())


def amend_of(order, clock, entry_s=5.0, **figures):
    key = AmendKey(order.key, "r-1")
    deadline_ns = clock.wall_ns() + int(entry_s * 1e9)
    return submitted(AmendIntent(key, wish_of(**figures), deadline_ns, ""), order, clock.wall_ns())


async def amend_sent(side, clock, by, *, order=None, forbidden=lambda: None, steps=None, name="order-1", **figures):
    """An amend whose entry deadline is monotonic `by`, of an order at 37500 unless another is given."""
    order = order or standing(clock, name)
    amend = amend_of(order, clock, by - clock.monotonic(), **(figures or {"limit_price": "37400"}))
    room = await side.amends.room(order.spec.symbol, order.venue_order_id, order.key.caller, by)
    note = (lambda _: None) if steps is None else steps.append
    return await side.amends.send(amend, order, BTC_USD, by, room=room, forbidden=forbidden, note=note)


def amend(script, *, entry_s=5.0, spec=None, **figures):
    """One amend against a scripted Kraken: what came of it, and the HTTP double."""

    async def act(side, clock):
        order = standing(clock, **(spec or {}))
        return await amend_sent(side, clock, clock.monotonic() + entry_s, order=order, **figures)

    return live(script, act)


def listed(*rows):
    """OrderAmends' answer; each row is amend_id, quantity, price and what is to be changed of it."""
    plain = {"amend_type": "user", "remaining_qty": "1.25", "timestamp": 1_790_000_001_000_000_000}
    amends = [
        {**plain, "amend_id": amend_id, "order_qty": quantity, "limit_price": price, **more}
        for amend_id, quantity, price, more in rows
    ]
    return answer({"amends": amends, "count": len(amends)})


def with_post_only(order):
    return replace(order, spec=replace(order.spec, post_only=True))
