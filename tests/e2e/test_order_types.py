"""Every order type under every time in force, in every way it can end: through the gateway to the paper exchange and back.

A cell of the grid is a type and a time in force; a row is a cell and an outcome. The market stands still but where a row
moves it; what is told in the end is what the exchange recorded, and after every row the exchange proves its ledger. What
does not go together is refused before anything is sent. Options besides are in test_order_options.py.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from execsvc_client import WHOLE_POSITION, InvalidRequest, OrderStatus, Refused

from tests.support.orderdesk import ASK, BID, BTC

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

D = Decimal
PENDING, OPEN, FILLED = OrderStatus.PENDING, OrderStatus.OPEN, OrderStatus.FILLED
CANCELLED, EXPIRED = OrderStatus.CANCELLED, OrderStatus.EXPIRED
AT_ONCE, RESTING = ("IOC", "FOK"), ("GTC", "GTD")
TIMES = (*RESTING, *AT_ONCE)
EXPIRES_IN = timedelta(seconds=7)  # Kraken counts whole seconds, and wants five


@dataclass(frozen=True)
class Way:
    """One way an order can go: what is typed besides the kind's own words, how the market moves, and what it comes to.

    stands: the status before the market moves; shallow: there is one level only.
    """

    outcome: str
    ends: OrderStatus
    filled: str = "0"
    wish: dict = field(default_factory=dict)
    moves: tuple = ()
    stands: OrderStatus | None = None
    shallow: bool = False
    cancels: bool = False
    fired: bool = False


@dataclass(frozen=True)
class Kind:
    """One type of order: what it is called at Kraken, which side it is tried on, and how it is typed."""

    at_kraken: str
    side: str
    wish: dict
    ways: dict


def at_the_limit():
    """A limit order's ways, by time in force. The book has 0.05 at the ask."""
    filled = Way("filled", FILLED, "0.01", {"limit_price": ASK})
    rested = Way("rested", OPEN)
    met = Way("filled later", FILLED, "0.01", moves=("58900.0",), stands=OPEN)
    cancelled = Way("cancelled", CANCELLED, stands=OPEN, cancels=True)
    part = Way("filled in part", CANCELLED, "0.05", {"limit_price": ASK, "quantity": "0.07"})
    vain = Way("filled in vain", CANCELLED)
    resting = (filled, rested, met, cancelled)
    return {"GTC": resting, "GTD": resting, "IOC": (filled, part, vain), "FOK": (filled, vain, _too_much(part))}


def _too_much(part):
    return Way("more than there is", CANCELLED, "0", part.wish)


def once_fired(*, fires, beyond, back=()):
    """A triggered order's ways: it waits, it is cancelled, it fires into what there is.

    beyond: where the market goes so that what was fired does not reach its limit; "" for a market order.
    """
    waits = Way("rested", PENDING, stands=PENDING)
    unmoved = Way("not fired", PENDING, moves=("60100.0",), stands=PENDING)
    cancelled = Way("cancelled", CANCELLED, stands=PENDING, cancels=True)
    filled = Way("filled", FILLED, "0.01", moves=fires, stands=PENDING, fired=True)
    resting = (waits, unmoved, cancelled, filled)
    if not beyond:
        dry = Way("filled in part", CANCELLED, "0.049", {"quantity": "0.07"}, fires, PENDING, shallow=True, fired=True)
        return dict.fromkeys(RESTING, (*resting, dry))
    rests = Way("fired and rested", OPEN, wish=beyond, moves=fires, stands=PENDING, fired=True)
    vain = Way("fired in vain", CANCELLED, wish=beyond, moves=fires, stands=PENDING, fired=True)
    part = Way("filled in part", CANCELLED, "0.049", {"quantity": "0.07"}, fires, PENDING, shallow=True, fired=True)
    return {
        **dict.fromkeys(RESTING, (*resting, rests)),
        "IOC": (filled, vain, part),
        "FOK": (filled, vain),
    }


SOME = {"quantity": "0.01"}
STOP, PROFIT = ("58990.0",), ("61010.0",)
TRAILED = ("61000.0", "60490.0")
KINDS = {
    "market": Kind(
        "market",
        "buy",
        {**SOME, "market": True},
        {
            None: (
                Way("filled", FILLED, "0.01"),
                Way("filled in part", CANCELLED, "0.05", {"quantity": "0.07"}, shallow=True),
            )
        },
    ),
    "limit": Kind("limit", "buy", {**SOME, "limit_price": "59000.0"}, at_the_limit()),
    "iceberg": Kind(
        "iceberg",
        "buy",
        {**SOME, "limit_price": "59000.0", "display_quantity": "0.001"},
        {each: ways for each, ways in at_the_limit().items() if each in RESTING},
    ),
    "stop": Kind("stop-loss", "sell", {**SOME, "stop": "59000.0"}, once_fired(fires=STOP, beyond={})),
    "stop limit": Kind(
        "stop-loss-limit",
        "sell",
        {**SOME, "stop": "59000.0", "limit_price": "58985.0"},
        once_fired(fires=STOP, beyond={"limit_price": "58995.0"}),
    ),
    "take profit": Kind("take-profit", "sell", {**SOME, "take_profit": "61000.0"}, once_fired(fires=PROFIT, beyond={})),
    "take profit limit": Kind(
        "take-profit-limit",
        "sell",
        {**SOME, "take_profit": "61000.0", "limit_price": "60900.0"},
        once_fired(fires=PROFIT, beyond={"limit_price": "61050.0"}),
    ),
    "trailing stop": Kind("trailing-stop", "sell", {**SOME, "trail": "500"}, once_fired(fires=TRAILED, beyond={})),
    "trailing stop in percent": Kind(
        "trailing-stop", "sell", {**SOME, "trail": "0.8%"}, once_fired(fires=TRAILED, beyond={})
    ),
    "trailing stop limit": Kind(
        "trailing-stop-limit",
        "sell",
        {**SOME, "trail": "500", "trail_limit": "-100"},
        once_fired(fires=TRAILED, beyond={"trail_limit": "-5"}),
    ),
    "settle position": Kind("settle-position", "sell", {"quantity": WHOLE_POSITION, "settle": True, "leverage": 2}, {}),
}
ROWS = [
    pytest.param(kind, time_in_force, way, id=f"{kind}, {time_in_force or 'no time in force'}: {way.outcome}")
    for kind, found in KINDS.items()
    for time_in_force, ways in found.ways.items()
    for way in ways
]


def timed(time_in_force):
    """The words of a time in force; GTD is for a day."""
    if time_in_force is None:
        return {}
    until = {"expire_time": datetime.now(UTC) + timedelta(days=1)} if time_in_force == "GTD" else {}
    return {"time_in_force": time_in_force, **until}


@pytest.mark.parametrize(("name", "time_in_force", "way"), ROWS)
def test_an_order_of_each_kind_goes_each_way(desk, name, time_in_force, way):
    """It comes to what it should, the exchange recorded the same, and the wish is told as it was typed."""
    kind = KINDS[name]
    if way.shallow:
        desk.stands_at(BID, levels=1)
    placed = desk.client.place(BTC, kind.side, **{**kind.wish, **way.wish, **timed(time_in_force)})
    order, wished = placed.order, placed.order.wire.spec
    if way.stands is not None:
        assert way.stands is order.status
    for price in way.moves:
        desk.moves_to(price, levels=1 if way.shallow else 40)
    if way.cancels:
        desk.client.cancel(order)
    ended = desk.became(order, way.ends)
    record = desk.record(order)
    assert (D(way.filled), way.fired, way.cancels) == (
        *(ended.filled_quantity, ended.triggered, ended.cancel_requested),
    )
    assert (kind.at_kraken, time_in_force or "GTC") == (record["ordertype"], record["timeinforce"])
    assert wished == ended.wire.spec


GOOD_TILL_A_DATE = [name for name, kind in KINDS.items() if "GTD" in kind.ways]


@pytest.fixture(scope="module")
def dated(served):
    """One order of each kind that may be dated, all placed at once: waiting for the date takes long."""
    served.still()
    until = datetime.now(UTC) + EXPIRES_IN
    placed = {}
    for name in GOOD_TILL_A_DATE:
        kind = KINDS[name]
        placed[name] = served.client.place(BTC, kind.side, **kind.wish, expire_time=until).order
    return until, placed


@pytest.mark.parametrize("name", GOOD_TILL_A_DATE)
def test_an_order_good_till_a_date_expires_on_it(served, dated, name):
    """Kraken ends it, not before its date less a second, and no cancel was asked for."""
    until, placed = dated
    ended = served.became(placed[name], EXPIRED)
    closed = datetime.fromisoformat(served.record(ended)["closed"])
    assert (False, True, "") == (ended.cancel_requested, abs(closed - until) < timedelta(seconds=2), served.proved())


FORBIDDEN = [
    pytest.param(name, each, id=f"{name}, {each}")
    for name, kind in KINDS.items()
    for each in TIMES
    if each not in kind.ways and name not in {"market", "settle position", "iceberg"}
]


@pytest.mark.parametrize(("name", "time_in_force"), FORBIDDEN)
def test_a_time_in_force_that_a_kind_cannot_have_is_refused_here(desk, name, time_in_force):
    """What fires a market order takes what there is: IOC and FOK mean nothing. Nothing is sent."""
    kind, before = KINDS[name], desk.traces()
    with pytest.raises(InvalidRequest) as caught:
        desk.client.place(BTC, kind.side, **kind.wish, time_in_force=time_in_force)
    assert ["spec.time_in_force"] == [each.path for each in caught.value.violations]
    assert before == desk.traces()


@pytest.mark.parametrize("time_in_force", AT_ONCE)
def test_kraken_refuses_an_iceberg_that_cannot_rest(desk, time_in_force):
    """The contract allows it; the exchange has a word against it, which is told, and final."""
    kind, before = KINDS["iceberg"], desk.traces()
    with pytest.raises(InvalidRequest) as caught:
        desk.client.place(BTC, kind.side, **kind.wish, time_in_force=time_in_force)
    assert ("VENUE_REFUSED_ARGUMENTS", True) == (caught.value.reason, caught.value.id_used)
    assert "timeinforce" in str(caught.value)
    assert before == desk.traces()


BEYOND_MEANS = [
    pytest.param(name, each, id=f"{name}, {each or 'no time in force'}")
    for name, kind in KINDS.items()
    for each in kind.ways
]


@pytest.mark.parametrize(("name", "time_in_force"), BEYOND_MEANS)
def test_an_order_beyond_the_accounts_means_is_refused_by_kraken(desk, name, time_in_force):
    """Of every kind: nothing is taken, nothing held, and the order is told as refused."""
    desk.stands_at(BID, levels=400)
    kind, before = KINDS[name], desk.traces()
    wish = {**kind.wish, "quantity": "40", **({"display_quantity": "4"} if name == "iceberg" else {})}
    with pytest.raises(Refused) as caught:
        desk.client.place(BTC, kind.side, **wish, **timed(time_in_force))
    found = desk.client.get_order(caught.value.client_order_id)
    assert ("INSUFFICIENT_FUNDS", OrderStatus.REJECTED, "INSUFFICIENT_FUNDS") == (
        *(caught.value.reason, found.status, found.end_error.reason),
    )
    assert before == desk.traces()
