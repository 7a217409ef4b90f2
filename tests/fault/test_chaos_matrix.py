"""Every toxic on every link in three phases: a caller who insists ends with one order or the proof of none, and no lie.

Real processes: one exchange, some gateways, a fault proxy on each of their links. The cells run once for the whole file, each
on a gateway that is free, and each test then looks at its own. An order is known by its quantity, which no other has; what
counts is what the exchange accepted by the end of all cells, long after the caller had its answer.
"""

import asyncio
from dataclasses import dataclass

import pytest
from execsvc_client import ExecsvcError, OrderStatus

from tests.support.faultproxy_cells import CELLS
from tests.support.faultproxy_rig import AGREES, hall, opened, until
from tests.support.toxics import Dose, Down

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]

DESKS = 8
NEGATIVE_S = 12.0  # promises.md section 2, P2: T with an entry deadline of 5 s, and V as it is at first
VISIBILITY_S = 3.0
QUERIES_LAG_MS = 700  # an order is not found at once, and that it was not found proves nothing
GIVE_UP_S = 30.0  # a caller insists longer than it may have to; whether it was in time is judged
MET_WITHIN_S = 10.0  # a quiet link says something every second, a busy machine much later: the toxic waits for it


@dataclass(frozen=True)
class Played:
    """One cell as it went: what each caller was told in the end, whether the toxic struck, on which gateway.

    `left` is how often a placement of its order left the gateway. `problem` says why a cell could not be played; the others
    go on without it.
    """

    desk: str
    told: tuple = ()
    struck: bool = False
    left: int = 0
    visibility_s: float = VISIBILITY_S
    problem: str = ""


@dataclass(frozen=True)
class Campaign:
    """All cells, and what the exchange and the gateways hold after the last one."""

    played: dict
    accepted: dict
    journals: dict
    calls: dict
    nonces: dict
    dead: dict


async def play(desk, cell):
    """A caller insists while the toxic comes and goes; of a spoilt caller's link a second one joins in the middle."""
    assert await until(lambda: desk.links["ws"].open_connections, 15.0), "there was no private stream to begin with"
    callers = [place(desk, cell)] if cell.phase == "during" else []
    try:
        for link, dose in cell.companions:
            desk.links[link].add(dose)
        if callers:
            await seen(desk, cell)
        armed = [desk.links[link].add(dose) for link, dose in cell.doses]
        if cell.is_hung_up_on:
            # Where the connection is the last cell's, about to end, the next one would never come to be struck.
            await until(lambda: any(each.strikes for each in armed), MET_WITHIN_S)
            desk.links["ws_line"].add(Dose(Down()))  # the exchange hangs up, and the gateway hears of it late
        if not callers or cell.link == "caller":
            callers.append(place(desk, cell))
        if cell.hangs_up:
            await seen(desk, cell)
            callers.pop(0).cancel()  # its connection ends, and the gateway hears of it late
            callers = callers or [place(desk, cell)]
        await asyncio.wait(callers, timeout=cell.on_s)
        await until(lambda: any(each.strikes for each in armed), MET_WITHIN_S)
        desk.clear()
        return Played(
            desk.name,
            tuple(await asyncio.gather(*callers)),
            any(each.strikes for each in armed),
            len(desk.placements(cell.wish)),
            await desk.visibility_s(),
        )
    finally:
        desk.clear()
        for caller in callers:
            caller.cancel()


def place(desk, cell):
    return asyncio.create_task(desk.insist(cell.wish, GIVE_UP_S))


async def seen(desk, cell):
    """Until the exchange has the order, whose answer takes its time."""
    assert await until(lambda: desk.has_reached(cell.wish), 10.0), "the exchange never saw the order"


async def run(home, cells):
    played = {}
    waiting = sorted(cells, key=lambda cell: (cell.is_long, -cell.number))

    async def work(name):
        desk = await here.open_desk(name)
        while waiting:
            cell = waiting.pop()
            try:
                played[cell] = await play(desk, cell)
            except (AssertionError, ExecsvcError) as problem:
                played[cell] = Played(desk.name, problem=str(problem))

    async with hall(home) as here:
        here.exchange.fault(kind="index_lag", ms=QUERIES_LAG_MS)
        await asyncio.gather(*(work(f"desk-{number}") for number in range(1, min(DESKS, len(cells)) + 1)))
        journals = await asyncio.gather(*(desk.journal(here.exchange) for desk in here.desks))
        return Campaign(
            played,
            here.accepted(),
            {desk.name: journal for desk, journal in zip(here.desks, journals, strict=True)},
            {call["nonce"]: call for call in here.exchange.ask("GET", "/calls")["calls"]},
            {desk.name: desk.nonces() for desk in here.desks},
            here.dead(),
        )


@pytest.fixture(scope="module")
def campaign(request, tmp_path_factory):
    chosen = [
        item.callspec.params["cell"] for item in request.session.items if item.path == request.path and "[" in item.name
    ]
    return asyncio.run(
        run(tmp_path_factory.mktemp("chaos"), sorted(set(chosen), key=lambda cell: cell.number) or CELLS)
    )


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_one_order_or_the_proof_of_none(campaign, cell):
    """At most one order was accepted for the id, the caller's last word agrees with it, and it came within the bound."""
    played = campaign.played[cell]
    accepted = campaign.accepted.get(cell.wish.quantity, [])
    assert played.problem == ""
    assert played.struck, f"{cell}: nobody met the toxic"
    for told in played.told:
        expected = [(told.order_id, told.wire_id)] if told.what == "placed" else []
        assert told.what in {"placed", "not placed", "refused"}, told
        assert expected == [(order["order_id"], order["cl_ord_id"]) for order in accepted], told
        assert told.took_s <= NEGATIVE_S + cell.on_s + played.visibility_s - VISIBILITY_S, told


def test_a_placement_leaves_the_gateway_once(campaign):
    """What may have been sent is not sent again: the proxy never reads a second request for the same order."""
    assert [] == [str(cell) for cell, played in campaign.played.items() if played.left > 1]


def test_nothing_enters_after_its_caller_gave_up(campaign):
    """What was accepted was accepted within the entry delay of the last attempt, however late a link let it through."""
    for cell, played in campaign.played.items():
        for order in campaign.accepted.get(cell.wish.quantity, []):
            assert opened(order) <= max((told.until for told in played.told), default=0.0), f"{cell}: {played}"


def test_every_journal_agrees_with_the_exchange(campaign):
    """When the links are healthy again each gateway's journal says of each order what the exchange says."""
    for cell, played in campaign.played.items():
        order = campaign.journals[played.desk].get(cell.wish.client_order_id)
        accepted = campaign.accepted.get(cell.wish.quantity)
        expected = AGREES[accepted[0]["status"] if accepted else None] - {OrderStatus.NEVER_SENT}
        assert order is not None, f"{cell}: {played}"
        assert order.status in expected, f"{cell}: {played}"


def test_nonces_rise_and_none_is_used_twice(campaign):
    """Of each key: no nonce left the gateway twice, and those the exchange carried out rose strictly."""
    for name, sent in campaign.nonces.items():
        assert len(set(sent)) == len(sent), name
    owner = {nonce: name for name, sent in campaign.nonces.items() for nonce in sent}
    applied = {name: [] for name in campaign.nonces}
    for nonce, call in campaign.calls.items():
        if call["applied"]:
            applied[owner[int(nonce)]].append(int(nonce))
    for nonces in applied.values():
        assert nonces == sorted(set(nonces))
        assert nonces


def test_no_gateway_ended_by_itself(campaign):
    """Nothing that a link does is a reason to stop."""
    assert campaign.dead == {}


def test_the_matrix_has_both_ends(campaign):
    """Some orders were placed in spite of everything, and some were proved absent: the toxics did reach the order path."""
    whats = [told.what for played in campaign.played.values() for told in played.told]
    assert {"placed", "not placed"} <= set(whats)
