"""Looking for orders by our own ids: open before closed, echoed ids only, a failed look proves nothing."""

import asyncio
from decimal import Decimal

import pytest
from kraken_parts import failing, live, vector
from rate_parts import spend

from execsvc.domain.errors import Busy, Declined, ProtocolBroken, Reason
from execsvc.domain.order import Status
from execsvc.kraken.sweep import REMEMBERED_MAX
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


@pytest.mark.parametrize("status", ["open", "closed"])
def test_what_a_look_finds_says_since_when(status):
    """What was done later it may not show yet, however long the answers took."""
    rows = {"O1": row(wire(1), status)}
    ledger = Ledger(rows) if status == "open" else Ledger(closed_rows=rows)

    async def act(side, clock):
        began_ns = clock.wall_ns()
        sighting = await side.sweep(frozenset({wire(1)}), clock.monotonic() + 30)
        return began_ns, sighting.found[wire(1)].asked_ns

    (began_ns, asked_ns), _ = live(ledger, act)
    assert began_ns == asked_ns


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


# ---- how far back, and how --------------------------------------------------------------------------------------------

EPOCH_NS = 1_790_000_000 * 10**9


def names(http):
    return [sent.path.rsplit("/", 1)[1] for sent in http.sent]


def looking(ledger, wire_ids, *, left=None, counts=True, since_ns=None, tier="starter"):
    """A look by a key of which so many points are `left` above the margin."""

    async def act(side, clock):
        if left is not None:
            rest = side.rates.rest
            spend(rest, rest.maximum - rest.margin - Decimal(left), 0.0)
        return await side.sweep(frozenset(wire_ids), clock.monotonic() + 30.0, counts=counts, since_ns=since_ns)

    return live(ledger, act, tier=tier)


def test_when_they_were_written_down_says_how_far_back_to_look():
    """After a restart too: one look for all, a minute earlier than the first of them."""
    _, http = looking(Ledger(), [wire(1), wire(2)], since_ns=EPOCH_NS - 100 * 10**9)
    assert ["OpenOrders", "ClosedOrders"] == names(http)
    assert "1789999840" == http.sent[1].params["start"]


def test_when_they_were_sent_is_known_better_than_when_they_were_written():
    """By this process's own memory, on Kraken's clock."""

    async def act(side, clock):
        for each in (wire(1), wire(2)):
            side._sweeper.remember(each)
        await side.sweep(frozenset({wire(1), wire(2)}), 30.0, since_ns=EPOCH_NS - 3600 * 10**9)

    _, http = live(Ledger(), act)
    assert "1789999940" == http.sent[1].params["start"]


def test_one_of_unknown_sending_leaves_it_to_when_it_was_written():
    """The memory of the others does not speak for it."""

    async def act(side, clock):
        side._sweeper.remember(wire(1))
        await side.sweep(frozenset({wire(1), wire(2)}), 30.0, since_ns=EPOCH_NS - 100 * 10**9)

    _, http = live(Ledger(), act)
    assert "1789999840" == http.sent[1].params["start"]


def test_no_more_sendings_are_remembered_than_the_bound():
    """The oldest is forgotten."""

    async def act(side, clock):
        for number in range(REMEMBERED_MAX + 1):
            side._sweeper.remember(wire(number))
        await side.sweep(frozenset({wire(0)}), 30.0)
        return len(side._sweeper._sent)

    remembered, http = live(Ledger(), act)
    assert (REMEMBERED_MAX, wire(0)) == (remembered, http.sent[0].params["cl_ord_id"])


def test_one_order_is_looked_for_by_its_id():
    """Two calls, however many orders there are."""
    _, http = looking(Ledger({}, OTHERS), [wire(1)], since_ns=EPOCH_NS, tier="pro")
    assert [wire(1)] * 2 == [sent.params.get("cl_ord_id") for sent in http.sent]


def test_many_pages_make_looks_by_id_the_cheaper_ones():
    """Three pages of closed orders cost seven points, two looks by id six: known from the last time on."""

    async def act(side, clock):
        wanted = frozenset({wire(1), wire(2)})
        for _ in range(2):
            await side.sweep(wanted, clock.monotonic() + 30, since_ns=EPOCH_NS)

    _, http = live(Ledger({}, OTHERS), act)
    by_id = [sent.params.get("cl_ord_id") for sent in http.sent]
    assert ["OpenOrders", *["ClosedOrders"] * 3] == names(http)[:4]
    assert [None] * 4 + [wire(1)] * 2 + [wire(2)] * 2 == by_id


def test_all_pages_are_looked_through_until_every_one_is_found():
    """No page more than needed."""
    closed = OTHERS | {"O1": row(wire(1)), "O2": row(wire(2))}
    closed = dict(sorted(closed.items(), reverse=True))  # ours are on the first page
    sighting, http = looking(Ledger({}, closed), [wire(1), wire(2)], since_ns=EPOCH_NS, tier="pro")
    assert {wire(1), wire(2)} == sighting.found.keys()
    assert ["OpenOrders", "ClosedOrders"] == names(http)


def test_others_that_are_seen_are_not_told():
    """An unfiltered look shows everybody's orders."""
    sighting, _ = looking(
        Ledger({"O1": row(wire(1), "open"), "O9": row(wire(9), "open")}), [wire(1), wire(2)], since_ns=EPOCH_NS
    )
    assert {wire(1)} == sighting.found.keys()


def test_an_order_without_an_id_of_ours_is_passed_over():
    """Placed by hand, or by another program."""
    stranger = {name: value for name, value in row(wire(1), "open").items() if name != "cl_ord_id"}
    sighting, _ = looking(Ledger({"O9": stranger}), [wire(1), wire(2)], since_ns=EPOCH_NS)
    assert {} == sighting.found


def test_a_finished_look_counts_for_every_id_it_was_for():
    """Found or not."""
    sighting, _ = looking(Ledger(), [wire(1), wire(2)], since_ns=EPOCH_NS)
    assert frozenset({wire(1), wire(2)}) == sighting.looked_for


def test_a_look_by_id_that_fails_half_way_counts_for_those_before():
    """Each id by itself: the second proved nothing, the first is done."""

    def script(sent):
        if sent.params["cl_ord_id"] == wire(2):
            return answer(None, "EGeneral:Permission denied")
        return Ledger()(sent)

    sighting, _ = looking(script, [wire(1), wire(2), wire(3)], tier="pro")
    assert frozenset({wire(1)}) == sighting.looked_for


def test_one_that_was_seen_on_the_way_needs_no_look_of_its_own():
    """A filter that is ignored shows the others too."""
    rows = {"O1": row(wire(1), "open"), "O2": row(wire(2), "open")}
    sighting, http = looking(Ledger(rows, honours_filter=False), [wire(1), wire(2)], tier="pro")
    assert ({wire(1), wire(2)}, 1) == (sighting.found.keys(), len(http.sent))


# ---- points -----------------------------------------------------------------------------------------------------------


def test_a_look_costs_three_points():
    """Open orders one, closed ones two."""

    async def act(side, clock):
        await side.sweep(frozenset({wire(1)}), 30.0)
        return side.rates.rest.level(clock.monotonic())

    assert live(Ledger(), act, tier="starter")[0] == 3


def test_a_look_that_counts_may_use_the_last_points():
    """They are kept for it."""
    sighting, _ = looking(Ledger(), [wire(1)], left=3)
    assert frozenset({wire(1)}) == sighting.looked_for


def test_a_look_without_points_for_a_whole_one_is_refused_before_it_begins():
    """Half a look proves nothing; the wait is exact, and after it the look is made."""

    async def act(side, clock):
        rest = side.rates.rest
        spend(rest, rest.maximum - rest.margin - Decimal(2), 0.0)
        with pytest.raises(Busy) as refusal:
            await side.sweep(frozenset({wire(1)}), 30.0)
        wait_s = refusal.value.fault.retry_after_s
        await clock.sleep(wait_s)
        await side.sweep(frozenset({wire(1)}), clock.monotonic() + 0.1)
        return refusal.value.reason, round(wait_s, 2)

    outcome, http = live(Ledger(), act, tier="starter")
    assert (Reason.LOCAL_RATE_LIMITED, 3.03) == outcome
    assert [3.03, 3.03] == [round(sent.at, 2) for sent in http.sent]


def test_a_look_through_many_pages_needs_the_points_of_all_of_them():
    """As many as the last one went through."""

    async def act(side, clock):
        wanted = frozenset(wire(number) for number in range(1, 5))
        await side.sweep(wanted, clock.monotonic() + 30, since_ns=EPOCH_NS)
        rest, now = side.rates.rest, clock.monotonic()
        spend(rest, rest.headroom(now) - Decimal(6), now)
        with pytest.raises(Busy) as refusal:
            await side.sweep(wanted, now + 30, since_ns=EPOCH_NS)
        return refusal.value.fault.retry_after_s

    wait_s, http = live(Ledger({}, OTHERS), act, tier="pro")
    assert (1.0, 4) == (wait_s, len(http.sent))


def test_a_look_that_does_not_count_leaves_the_reserve():
    """Where that allows a whole look it is one."""
    sighting, http = looking(Ledger(), [wire(1)], left=9, counts=False)
    assert (frozenset({wire(1)}), ["OpenOrders", "ClosedOrders"]) == (sighting.looked_for, names(http))


@pytest.mark.parametrize("left", [6, 7, 8])
def test_a_look_that_does_not_count_is_a_glance_at_open_orders_when_points_are_short(left):
    """One call: what is there is found, and no id counts as looked for."""
    sighting, http = looking(Ledger({"O1": row(wire(1), "open")}), [wire(1)], left=left, counts=False)
    assert ({wire(1)}, frozenset(), ["OpenOrders"]) == (sighting.found.keys(), sighting.looked_for, names(http))


def test_a_glance_for_several_is_not_filtered():
    """One call for all of them."""
    rows = {"O1": row(wire(1), "open"), "O2": row(wire(2), "open")}
    sighting, http = looking(Ledger(rows), [wire(1), wire(2)], left=6, counts=False)
    assert ({wire(1), wire(2)}, 1) == (sighting.found.keys(), len(http.sent))
    assert "cl_ord_id" not in http.sent[0].params


def test_a_glance_is_a_barrier():
    """Its answer proves that a later nonce was accepted."""

    async def slow(sent):
        await asyncio.sleep(1.0)
        return Ledger()(sent)

    sighting, _ = looking(slow, [wire(1)], left=6, counts=False)
    assert [0.0, 1.0, 1.0] == [sighting.began, sighting.barrier, sighting.ended]


def test_a_look_that_does_not_count_is_refused_when_a_glance_would_leave_too_little():
    """It takes one of the six points that are kept for two looks, for the barrier that they need, and no second one."""
    with pytest.raises(Busy) as refusal:
        looking(Ledger(), [wire(1)], left=5, counts=False)
    assert Reason.LOCAL_RATE_LIMITED is refusal.value.reason


def test_a_glance_that_fails_raises():
    """It proved nothing."""
    with pytest.raises(Declined):
        looking(failing("EGeneral:Permission denied"), [wire(1)], left=6, counts=False)
