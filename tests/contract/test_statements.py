"""Statements as Kraken's adapter reads them: margin, positions, fees, fills and the ledger of a paper account that trades."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from venue_rig import BTC, opened

from execsvc.domain.account import FillQuery, LedgerQuery
from execsvc.domain.errors import Declined, Reason
from execsvc.domain.market import Side
from execsvc.paper.options import PERMISSIONS, PaperOptions
from execsvc.paper.server import PaperServer
from execsvc.ports import Accepted
from execsvc.store.disk import Disk
from tests.support.entropy import SeededEntropy

D = Decimal
ORDERS = 30
OPTIONS = PaperOptions(control_port=0, pairs=("BTC/USD", "ETH/USD"), warm_up_s=10, tier="unlimited")


@pytest.fixture
async def paper():
    server = PaperServer(OPTIONS)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def venue(paper):
    async with opened(paper, Disk.blank(SeededEntropy(3))) as built:
        await built.public.assets()
        yield built


async def trade(venue, *names):
    """A market order each, that fills at once."""
    for name in names:
        side = Side.BUY if name.endswith("b") else Side.SELL
        assert isinstance(await venue.place(venue.order(name, None, "0.001", side)), Accepted)


async def assets(venue):
    return {each.asset: each for each in await venue.public.assets()}


async def all_pages(read, query, between=None):
    """Every row of a listing, and how many pages there were."""
    rows, pages, page = [], 0, None
    while page is None or page.next is not None:
        page = await read(query if page is None else replace(query, mark=page.next))
        rows += page.rows
        pages += 1
        if between is not None:
            await between(pages)
    return rows, pages


async def test_an_account_without_positions_has_no_margin_level(venue):
    """All of its equity is free, in any asset; the list of positions is empty."""
    known = await assets(venue)
    dollars = await venue.private.statements.margin(known["USD"], venue.by)
    coins = await venue.private.statements.margin(known["BTC"], venue.by)
    assert (None, D(0), dollars.equity, ()) == (
        dollars.level,
        dollars.margin_used,
        dollars.free_margin,
        await venue.private.statements.positions(venue.by),
    )
    assert ("USD", "BTC", True) == (dollars.asset, coins.asset, D(0) < coins.equity < dollars.equity)


async def test_open_positions_are_told_with_their_value_and_use_margin(venue):
    """Bought with leverage: long, one for each fill, half the cost as margin; the level is equity by margin used."""
    placed = await venue.place(venue.order("long", None, "0.5", leverage=2))
    found = await venue.private.statements.positions(venue.by)
    margin = await venue.private.statements.margin((await assets(venue))["USD"], venue.by)
    assert ({(placed.venue_order_id, BTC, Side.BUY, D(0))}, D("0.5")) == (
        {(each.order_id, each.symbol, each.side, each.closed_quantity) for each in found},
        sum(each.quantity for each in found),
    )
    for each in found:
        assert abs(each.margin * 2 - each.cost) <= D("0.01")
        assert abs(each.value - each.cost - each.unrealized_pnl) <= each.fee + D("0.01")
        assert each.rollover_ns > each.open_ns
    assert abs(margin.level - margin.equity / margin.margin_used) <= D("0.01")


async def test_a_fill_names_the_position_it_opened(venue):
    """One that closed a part of it, and one without leverage, name none."""
    placed = await venue.place(venue.order("long", None, "0.2", leverage=2))
    opened = await venue.private.statements.positions(venue.by)
    await venue.place(venue.order("less", None, "0.1", Side.SELL, leverage=2))
    await trade(venue, "spot-b")
    fills, _ = await venue.private.fills("main", FillQuery(), venue.by)
    assert {(each.position_id, placed.venue_order_id) for each in opened} == {
        (each.position_id, each.venue_order_id) for each in fills if each.position_id
    }
    assert {placed.venue_order_id} < {each.venue_order_id for each in fills}


async def test_fee_rates_of_many_pairs_follow_from_the_volume(venue):
    """Each pair's, in the order asked; the volume grows by what is traded, and a fill pays that rate."""
    instruments = tuple(venue.public.names.instrument(symbol) for symbol in ("ETH/USD", BTC))
    before = await venue.private.statements.fees(instruments, venue.by)
    await trade(venue, "one-b")
    after = await venue.private.statements.fees(instruments, venue.by)
    (fill, *_), _ = await venue.private.fills("main", FillQuery(), venue.by)
    assert (["ETH/USD", BTC], "USD") == ([rate.symbol for rate in before.rates], before.volume_asset)
    assert (True, True) == (before.rates[1].maker_rate < before.rates[1].taker_rate, after.volume > before.volume)
    assert abs(fill.cost * before.rates[1].taker_rate - sum(fee.amount for fee in fill.fees)) <= D("0.0001")


async def test_the_ledger_in_pages_adds_up_while_it_grows(venue):
    """Every entry once over pages of 20, though orders fill between them; amounts less fees lead from balance to balance."""
    await trade(venue, *(f"{number}-{'bs'[number % 2]}" for number in range(ORDERS)))
    _, fills = await venue.private.fills("main", FillQuery(), venue.by)

    async def between(page):
        await trade(venue, f"later-{page}-b")

    read = venue.private.statements.ledger_page
    rows, pages = await all_pages(lambda query: read(query, None, venue.by), LedgerQuery(size=20), between)
    assert (len(rows), True) == (len({each.entry_id for each in rows}), pages >= 3)
    assert sorted((each.time_ns for each in rows), reverse=True) == [each.time_ns for each in rows]
    assert (True, 2 * fills) == (fills >= ORDERS, len([each for each in rows if each.kind == "trade"]))
    for asset in ("USD", "BTC"):
        mine = [each for each in reversed(rows) if each.asset == asset]
        for earlier, later in pairwise(mine):
            assert earlier.balance + later.amount - later.fee == later.balance


async def test_the_ledger_is_filtered_by_asset_kind_and_time(venue):
    """Only dollars, only trades, only from the first trade on and before the last."""
    await trade(venue, "one-b", "two-b", "three-b")
    usd = (await assets(venue))["USD"]
    read = venue.private.statements.ledger_page
    whole, _ = await all_pages(lambda query: read(query, usd, venue.by), LedgerQuery(asset="USD", kind="trade"))
    query = LedgerQuery(asset="USD", kind="trade", start_ns=whole[-1].time_ns, end_ns=whole[0].time_ns)
    span, _ = await all_pages(lambda query: read(query, usd, venue.by), query)
    assert ({"USD"}, {"trade"}, whole[1:]) == (
        {each.asset for each in whole},
        {each.kind for each in whole},
        span,
    )


async def test_fills_in_pages_are_those_of_the_history(venue):
    """Each fill once over more than one of Kraken's pages, while others happen."""
    await trade(venue, *(f"{number}-{'bs'[number % 2]}" for number in range(ORDERS)))
    expected, total = await venue.private.fills("main", FillQuery(size=1000), venue.by)

    async def between(page):
        await trade(venue, f"later-{page}-b")

    read = venue.private.statements.fill_page
    rows, pages = await all_pages(lambda query: read("main", query, venue.by), FillQuery(symbol=BTC, size=7), between)
    assert ([each.fill_id for each in expected], total, True) == ([each.fill_id for each in rows], len(rows), pages > 3)


async def test_a_key_without_the_right_is_told_so():
    """The ledger needs query-ledger: the operator's affair, in Kraken's words."""
    rights = tuple(each for each in PERMISSIONS if each != "query-ledger")
    server = PaperServer(replace(OPTIONS, permissions=rights))
    await server.start()
    try:
        async with opened(server, Disk.blank(SeededEntropy(3))) as venue:
            with pytest.raises(Declined) as refused:
                await venue.private.statements.ledger_page(LedgerQuery(), None, venue.by)
    finally:
        await server.close()
    assert (Reason.VENUE_PERMISSION_MISSING, "EGeneral:Permission denied") == (
        refused.value.reason,
        refused.value.fault.metadata["venue_error"],
    )
