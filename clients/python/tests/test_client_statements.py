"""Margin, positions, the ledger and fee rates through both clients: what is told, what is None, what is asked."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from execsvc_api.v1 import account_service_pb2, order_service_pb2
from execsvc_client import Client, FeeEstimate, Side, SyncClient

THEN = datetime(2026, 9, 21, 14, 0, tzinfo=UTC)
D = Decimal


def margin():
    return account_service_pb2.GetMarginSummaryResponse(asset="USD", equity="12.5", margin_level="1.50")


def positions():
    answer = account_service_pb2.ListPositionsResponse()
    found = answer.positions.add(
        position_id="T1", order_id="O1", symbol="BTC/USD", side=2, quantity="2", closed_quantity="0.5", cost="100",
        fee="0.4", margin="50", terms="0.02%",
    )  # fmt: skip
    found.open_time.FromDatetime(THEN)
    return answer


def ledger(*ids, token=""):
    answer = account_service_pb2.ListLedgerEntriesResponse(next_page_token=token)
    for entry_id in ids:
        entry = answer.entries.add(entry_id=entry_id, ref_id="TX", kind="trade", asset="USD", amount="-1.5", fee="0.01")
        entry.time.FromDatetime(THEN)
    return answer


def fee_rates():
    answer = account_service_pb2.GetFeeRatesResponse(volume="1234.5", volume_asset="USD")
    answer.rates.add(symbol="BTC/USD", maker_rate="-0.0002", taker_rate="0.004")
    return answer


@pytest.fixture
async def told(gateway):
    """The gateway, with one answer each and a ledger of two pages."""
    gateway.script("AccountService/GetMarginSummary", margin())
    gateway.script("AccountService/ListPositions", positions())
    gateway.script("AccountService/ListLedgerEntries", ledger("L3", "L2", token="more"), ledger("L1"))
    gateway.script("AccountService/GetFeeRates", fee_rates())
    return gateway


async def both(told, ask_async, ask_sync):
    """What each client gives: the same."""
    async with Client(told.target, account="main") as client:
        first = await ask_async(client)

    def run():
        with SyncClient(told.target, account="main") as client:
            return ask_sync(client)

    return first, await asyncio.to_thread(run)


async def test_margin(told):
    """A figure that was not told is None, and so is a level without positions."""
    first, second = await both(told, lambda c: c.margin("btc"), lambda c: c.margin("btc"))
    assert (first, D("12.5"), D("1.50"), None) == (second, first.equity, first.margin_level, first.margin_used)
    assert ("main", "btc") == (
        told.seen("AccountService/GetMarginSummary")[0].request.account,
        told.seen("AccountService/GetMarginSummary")[1].request.asset,
    )


async def test_positions(told):
    """Sides are enums, times are UTC, what is not known is None."""
    first, second = await both(told, lambda c: c.positions("BTC/USD"), lambda c: c.positions("BTC/USD"))
    assert (first, Side.SELL, THEN, None, None) == (
        second,
        first[0].side,
        first[0].open_time,
        first[0].value,
        first[0].rollover_time,
    )


async def test_the_ledger_goes_from_page_to_page(told):
    """With the filters and the span of the first page on each."""
    later = THEN + timedelta(hours=1)
    async with Client(told.target) as client:
        found = [each async for each in client.ledger("USD", kind="trade", since=THEN, until=later, page_size=2)]
    asked = [each.request for each in told.seen("AccountService/ListLedgerEntries")]
    assert (["L3", "L2", "L1"], ["", "more"]) == (
        [each.entry_id for each in found],
        [each.page_token for each in asked],
    )
    assert [("USD", "trade", THEN, later, 2)] * 2 == [
        (
            each.asset,
            each.kind,
            each.start_time.ToDatetime(tzinfo=UTC),
            each.end_time.ToDatetime(tzinfo=UTC),
            each.page_size,
        )
        for each in asked
    ]
    assert (D("-1.5"), None, THEN) == (found[0].amount, found[0].balance, found[0].time)


async def test_the_ledger_of_the_waiting_client(told):
    """The same entries."""

    def run():
        with SyncClient(told.target) as client:
            return [each.entry_id for each in client.ledger()]

    assert ["L3", "L2", "L1"] == await asyncio.to_thread(run)


async def test_fee_rates(told):
    """A rebate is below zero; the lowest rate has no next tier; one symbol is a list of one."""
    first, second = await both(told, lambda c: c.fee_rates("BTC/USD"), lambda c: c.fee_rates(["BTC/USD"]))
    assert (first, D("-0.0002"), None, D("1234.5"), "USD") == (
        second,
        first.rates[0].maker_rate,
        first.rates[0].next_tier_volume,
        first.volume,
        first.volume_asset,
    )
    assert [["BTC/USD"], ["BTC/USD"]] == [
        list(each.request.symbols) for each in told.seen("AccountService/GetFeeRates")
    ]


async def test_a_preview_has_fees_or_none(told):
    """Rates and amounts where the gateway knows them; None where it does not, or has no price."""
    known = order_service_pb2.PreviewOrderResponse(engine_cost="1")
    counter = known.engine_counter
    counter.level = counter.max = counter.decay_per_second = counter.headroom = "1"
    bare = order_service_pb2.PreviewOrderResponse()
    bare.CopyFrom(known)
    known.fees.asset, known.fees.maker_rate, known.fees.taker_rate, known.fees.taker_fee = "USD", "-0.01", "0.04", "1.5"
    told.script("OrderService/PreviewOrder", known, bare)
    async with Client(told.target) as client:
        first, second = [await client.preview("BTC/USD", "buy", quantity="1", limit_price="1") for _ in range(2)]
    assert (FeeEstimate("USD", D("-0.01"), D("0.04"), None, D("1.5")), None) == (first.fees, second.fees)
