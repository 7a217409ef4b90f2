"""Looking for orders by our own ids: open before closed, echoed ids only, a failed look proves nothing."""

import asyncio

import pytest
from kraken_parts import failing, live, vector

from execsvc.domain.errors import Declined, ProtocolBroken
from execsvc.domain.order import Status
from tests.support.net import answer

ROW = vector("rest_OpenOrders")["result"]["open"]["OQCLML-BW3P3-BUCMWZ"]


def row(wire_id, status="closed", **more):
    return ROW | {"status": status, "cl_ord_id": wire_id} | more


class Ledger:
    """Kraken's OpenOrders and ClosedOrders, paged by 50, newest first; `honours_filter` or not."""

    def __init__(self, open_rows=(), closed_rows=(), *, honours_filter=True, counts=True):
        self.open_rows = dict(open_rows)
        self.closed_rows = dict(closed_rows)
        self.honours_filter = honours_filter
        self.counts = counts

    def __call__(self, sent):
        name = sent.path.rsplit("/", 1)[1]
        rows = self.open_rows if name == "OpenOrders" else self.closed_rows
        wanted = sent.params.get("cl_ord_id")
        if wanted is not None and self.honours_filter:
            rows = {txid: each for txid, each in rows.items() if each.get("cl_ord_id") == wanted}
        if name == "OpenOrders":
            return answer({"open": rows})
        offset = int(sent.params.get("ofs", "0"))
        page = dict(list(rows.items())[offset : offset + 50])
        return answer({"closed": page} | ({"count": len(rows)} if self.counts else {}))


def sweeping(ledger, wire_ids, *, place_first=False):
    async def act(side, clock):
        if place_first:
            for each in wire_ids:
                side._sweeper.remember(each)
        return await side.sweep(frozenset(wire_ids), clock.monotonic() + 30)

    return live(ledger, act)


def wire(number):
    return f"00000000-0000-4000-8000-{number:012d}"


OTHERS = {f"C{number}": row(wire(900 + number)) for number in range(120)}


def test_open_orders_are_asked_before_closed_ones():
    """Never the other way round: an order that closes in between is seen."""
    sighting, http = sweeping(Ledger(), [wire(1)])
    assert sighting.found == {}
    assert [(sent.path.rsplit("/", 1)[1], sent.params["cl_ord_id"]) for sent in http.sent] == [
        ("OpenOrders", wire(1)),
        ("ClosedOrders", wire(1)),
    ]


def test_order_found_open_needs_no_second_look():
    """A hit ends the look for that order."""
    sighting, http = sweeping(Ledger({"O1": row(wire(1), "open")}), [wire(1)])
    assert ("O1", Status.OPEN) == (sighting.found[wire(1)].venue_order_id, sighting.found[wire(1)].status)
    assert len(http.sent) == 1


def test_order_found_closed():
    """What filled at once is among the closed."""
    sighting, _ = sweeping(Ledger({}, {"O1": row(wire(1))}), [wire(1)])
    assert sighting.found[wire(1)].status is Status.FILLED


def test_id_counts_in_whatever_form_kraken_prints_it():
    """128 bits without dashes or in capitals are the same id."""
    printed = wire(1).replace("-", "").upper()
    sighting, _ = sweeping(Ledger({"O1": row(printed, "open")}, honours_filter=False), [wire(1)])
    assert sighting.found.keys() == {wire(1)}


def test_row_without_our_id_proves_nothing():
    """A filter that is ignored is noticed: everything is looked through, page by page."""
    closed = OTHERS | {"O1": row(wire(1))}
    sighting, http = sweeping(Ledger({}, closed, honours_filter=False), [wire(1)])
    assert sighting.found[wire(1)].venue_order_id == "O1"
    assert ["", "0", "50", "100"] == [sent.params.get("ofs", "") for sent in http.calls("ClosedOrders")]


@pytest.mark.parametrize("counts", [True, False])
def test_absence_behind_an_ignored_filter_is_proved_by_the_last_page(counts):
    """All pages, with or without a count, then: not there."""
    sighting, http = sweeping(Ledger({}, OTHERS, honours_filter=False, counts=counts), [wire(1)])
    assert sighting.found == {}
    assert len(http.calls("ClosedOrders")) == 4


def test_endless_history_without_a_filter_is_no_proof():
    """More pages than the bound: the look failed, it raises."""
    endless = {f"C{number}": row(wire(900 + number)) for number in range(1100)}
    with pytest.raises(ProtocolBroken):
        sweeping(Ledger({}, endless, honours_filter=False), [wire(1)])


def test_many_doubts_of_this_process_share_one_sweep():
    """More than three ids whose sending is remembered: one unfiltered look, back to the first of them."""
    ids = [wire(number) for number in range(1, 6)]
    sighting, http = sweeping(Ledger({"O1": row(ids[0], "open")}, {"O2": row(ids[1])}), ids, place_first=True)
    assert sighting.found.keys() == set(ids[:2])
    assert [sent.path.rsplit("/", 1)[1] for sent in http.sent] == ["OpenOrders", "ClosedOrders"]
    assert "cl_ord_id" not in http.sent[0].params
    assert ("open", "1789999940") == (http.sent[1].params["closetime"], http.sent[1].params["start"])


def test_many_doubts_of_unknown_age_are_asked_one_by_one():
    """After a restart nobody knows how far back to look: filtered calls, however many."""
    ids = [wire(number) for number in range(1, 6)]
    _, http = sweeping(Ledger(), ids)
    assert [sent.params["cl_ord_id"] for sent in http.calls("OpenOrders")] == ids


def test_failed_look_raises():
    """An error proves nothing."""
    with pytest.raises(Declined):
        sweeping(failing("EGeneral:Permission denied"), [wire(1)])


def test_barrier_is_the_first_accepted_answer():
    """Began, first answer, ended: in this order on our clock."""

    async def slow(sent):
        await asyncio.sleep(1.0)
        return Ledger()(sent)

    sighting, _ = sweeping(slow, [wire(1)])
    assert [sighting.began, sighting.barrier, sighting.ended] == [0.0, 1.0, 2.0]
