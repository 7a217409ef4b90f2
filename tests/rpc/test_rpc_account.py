"""Margin, positions, the ledger and fee rates over the wire: what is told, what is absent, pages, and refusals."""

from decimal import Decimal

import grpc
import pytest
from execsvc_api.v1 import account_service_pb2 as account
from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import order_service_pb2 as orders
from google.protobuf.timestamp_pb2 import Timestamp

from execsvc.domain.account import LedgerEntry, LedgerQuery, Margin, Position
from execsvc.domain.errors import Reason
from execsvc.domain.market import Side
from tests.rpc.stage import busy, limit_spec, refused
from tests.rpc.stage import stage as open_stage
from tests.support.setrates import SetRates

NS = 10**9
D = Decimal


def entry(entry_id, asset="USD", kind="trade", *, balance="10.0000", seconds=5):
    left = None if balance is None else D(balance)
    return LedgerEntry(entry_id, "TX", kind, "", asset, D("-1.5"), D("0.01"), left, seconds * NS)


def position(position_id, symbol="BTC/USD", **more):
    given = {
        "order_id": "OX", "side": Side.SELL, "quantity": D("2"), "closed_quantity": D("0.5"), "cost": D("100"),
        "fee": D("0.4"), "margin": D("50"), "value": D("110"), "unrealized_pnl": D("-10"), "terms": "0.02% per 4 hours",
        "open_ns": 7 * NS, "rollover_ns": 9 * NS,
    } | more  # fmt: skip
    return Position(position_id, given.pop("order_id"), symbol, **given)


def margin(asset, **more):
    figures = dict.fromkeys(
        ["equivalent_balance", "trade_balance", "margin_used", "unrealized_pnl", "cost_basis", "valuation", "equity",
         "free_margin", "unexecuted_value", "level"]
    )  # fmt: skip
    return Margin(asset, **(figures | more))


# ---- margin ------------------------------------------------------------------------------------------------------


async def test_margin_is_valued_in_dollars_unless_asked_otherwise(stage):
    """An asset in any of Kraken's spellings; the answer names the plain one."""
    stage.venue.statements.margins = {"USD": margin("USD", equity=D("12.5")), "BTC": margin("BTC", equity=D("0.5"))}
    told = [
        await stage.account.GetMarginSummary(account.GetMarginSummaryRequest(asset=asset), timeout=2)
        for asset in ("", "usd", "XBTC", "btc")
    ]
    assert [("USD", "12.5"), ("USD", "12.5"), ("BTC", "0.5"), ("BTC", "0.5")] == [
        (each.asset, each.equity) for each in told
    ]


async def test_margin_that_kraken_did_not_tell_is_empty_and_its_level_absent(stage):
    """Never zero: without positions there is no level."""
    stage.venue.statements.margins = {"USD": margin("USD", equity=D("0.0000"))}
    answer = await stage.account.GetMarginSummary(account.GetMarginSummaryRequest(), timeout=2)
    assert ("main", "0.0000", "", "", False) == (
        answer.account,
        answer.equity,
        answer.margin_used,
        answer.unexecuted_value,
        answer.HasField("margin_level"),
    )


async def test_margin_level_is_a_fraction(stage):
    """1.5 is 150 %."""
    stage.venue.statements.margins = {"USD": margin("USD", margin_used=D(2), level=D("1.50"))}
    answer = await stage.account.GetMarginSummary(account.GetMarginSummaryRequest(), timeout=2)
    assert (True, "1.50") == (answer.HasField("margin_level"), answer.margin_level)


@pytest.mark.parametrize("method", ["GetMarginSummary", "ListLedgerEntries"])
async def test_an_unknown_asset_comes_with_suggestions(stage, method):
    """NOT_FOUND at the field, and nothing is asked of Kraken."""
    kind = {"GetMarginSummary": account.GetMarginSummaryRequest, "ListLedgerEntries": account.ListLedgerEntriesRequest}
    refusal = await refused(getattr(stage.account, method)(kind[method](asset="USDD"), timeout=2))
    assert (grpc.StatusCode.NOT_FOUND, "UNKNOWN_SYMBOL", "USDD", "USD", ["asset"], []) == (
        refusal.code,
        refusal.reason,
        refusal.metadata["symbol"],
        refusal.metadata["suggestions"],
        list(refusal.bad),
        stage.venue.statements.asked,
    )


# ---- positions ---------------------------------------------------------------------------------------------------


async def test_a_position_is_told_whole(stage):
    """Side, sizes, money, terms and times."""
    stage.venue.statements.positions_open = [position("T1")]
    answer = await stage.account.ListPositions(account.ListPositionsRequest(), timeout=2)
    assert (
        account.ListPositionsResponse(
            account="main",
            positions=[
                account.Position(
                    position_id="T1",
                    order_id="OX",
                    symbol="BTC/USD",
                    side=common.SIDE_SELL,
                    quantity="2",
                    closed_quantity="0.5",
                    cost="100",
                    fee="0.4",
                    margin="50",
                    value="110",
                    unrealized_pnl="-10",
                    terms="0.02% per 4 hours",
                    open_time=Timestamp(seconds=7),
                    rollover_time=Timestamp(seconds=9),
                )
            ],
        )
        == answer
    )


async def test_positions_of_one_pair(stage):
    """The pair in any spelling; an account without positions has an empty list."""
    ask = stage.account.ListPositions
    none = await ask(account.ListPositionsRequest(), timeout=2)
    stage.venue.statements.positions_open = [position("T1"), position("T2", "ETH/USD", value=None, rollover_ns=None)]
    ether = await ask(account.ListPositionsRequest(symbol="XETHZUSD"), timeout=2)
    assert (0, ["T2"], "", False) == (
        len(none.positions),
        [each.position_id for each in ether.positions],
        ether.positions[0].value,
        ether.positions[0].HasField("rollover_time"),
    )


# ---- the ledger --------------------------------------------------------------------------------------------------


async def test_a_ledger_entry_is_told_whole(stage):
    """Signed amount, fee, balance after it; a balance Kraken did not tell is empty."""
    stage.venue.statements.entries = [entry("L1", kind="rollover"), entry("L2", balance=None)]
    answer = await stage.account.ListLedgerEntries(account.ListLedgerEntriesRequest(), timeout=2)
    assert (
        account.LedgerEntry(
            entry_id="L1",
            ref_id="TX",
            kind="rollover",
            asset="USD",
            amount="-1.5",
            fee="0.01",
            balance="10.0000",
            time=Timestamp(seconds=5),
        )
        == answer.entries[0]
    )
    assert "" == answer.entries[1].balance


async def test_the_ledger_is_paged_and_new_entries_do_not_shift_it(stage):
    """Newest first, each once; what is booked between two pages is in neither."""
    book = stage.venue.statements
    book.entries = [entry(f"L{number}") for number in range(9, 0, -1)]
    found, token = [], None
    while token is None or token:
        request = account.ListLedgerEntriesRequest(page_size=4, page_token=token or "")
        page = await stage.account.ListLedgerEntries(request, timeout=2)
        found += [each.entry_id for each in page.entries]
        token = page.next_page_token
        book.entries.insert(0, entry(f"new{len(found)}"))
    assert [f"L{number}" for number in range(9, 0, -1)] == found


async def test_the_ledger_s_filters_and_span_reach_the_exchange(stage):
    """Asset in plain words, kind as written, start inclusive and end exclusive in nanoseconds, fifty a page."""
    request = account.ListLedgerEntriesRequest(
        asset="XUSD", kind="trade", start_time=Timestamp(seconds=1, nanos=2), end_time=Timestamp(seconds=3)
    )
    await stage.account.ListLedgerEntries(request, timeout=2)
    wanted = LedgerQuery(asset="USD", kind="trade", start_ns=NS + 2, end_ns=3 * NS, size=50)
    assert [("ledger", wanted)] == stage.venue.statements.asked


async def test_a_ledger_token_is_bound_to_its_question(stage):
    """With another filter it is no token."""
    stage.venue.statements.entries = [entry(f"L{number}") for number in range(9)]
    page = await stage.account.ListLedgerEntries(account.ListLedgerEntriesRequest(page_size=4), timeout=2)
    other = account.ListLedgerEntriesRequest(page_size=4, kind="trade", page_token=page.next_page_token)
    assert "PAGE_TOKEN_INVALID" == (await refused(stage.account.ListLedgerEntries(other, timeout=2))).reason


# ---- fees --------------------------------------------------------------------------------------------------------


async def test_fee_rates_come_in_the_order_of_the_request(stage):
    """Fractions, the next tier, and the volume they follow from."""
    answer = await stage.account.GetFeeRates(account.GetFeeRatesRequest(symbols=["XETHZUSD", "BTC/USD"]), timeout=2)
    assert (
        account.GetFeeRatesResponse(
            account="main",
            rates=[
                account.FeeRate(symbol=symbol, maker_rate="0.0025", taker_rate="0.0040", next_tier_volume="10000")
                for symbol in ("ETH/USD", "BTC/USD")
            ],
            volume="1234.5",
            volume_asset="USD",
        )
        == answer
    )


async def test_fee_rates_are_not_asked_for_again_within_a_minute(stage):
    """Only a pair that was not read yet is asked for."""
    for symbols in (["BTC/USD"], ["BTC/USD", "ETH/USD"], ["ETH/USD"]):
        await stage.account.GetFeeRates(account.GetFeeRatesRequest(symbols=symbols), timeout=2)
    assert [("fees", ("BTC/USD",)), ("fees", ("ETH/USD",))] == stage.venue.statements.asked


@pytest.mark.parametrize("symbols", [[], [f"A{number}/USD" for number in range(51)], ["BTC/USD", "BTC/USD"]])
async def test_fee_rates_are_of_one_to_fifty_distinct_pairs(stage, symbols):
    """None, 51 or one twice is a malformed request."""
    refusal = await refused(stage.account.GetFeeRates(account.GetFeeRatesRequest(symbols=symbols), timeout=2))
    assert ("INVALID_REQUEST", ["symbols"]) == (refusal.reason, list(refusal.bad))


async def test_a_preview_tells_what_the_order_would_cost():
    """At the account's own rates, in the quote; the rates are asked for once in a minute."""
    request = orders.PreviewOrderRequest(spec=limit_spec(base_quantity="0.5"))
    async with open_stage(rates=SetRates()) as stage:
        for _ in range(2):
            answer = await stage.orders.PreviewOrder(request, timeout=2)
    expected = orders.FeeEstimate(
        asset="USD", maker_rate="0.0025", taker_rate="0.0040", maker_fee="75.00000", taker_fee="120.00000"
    )
    assert (expected, [("fees", ("BTC/USD",))]) == (answer.fees, stage.venue.statements.asked)


async def test_a_preview_goes_without_fees_where_they_cannot_be_had():
    """Absent, not zero; all the rest is told."""
    async with open_stage(rates=SetRates()) as stage:
        stage.venue.statements.failure = busy(Reason.LOCAL_RATE_LIMITED, retry_after_s=1.5)
        answer = await stage.orders.PreviewOrder(orders.PreviewOrderRequest(spec=limit_spec()), timeout=2)
    assert (False, True) == (answer.HasField("fees"), answer.placeable)


# ---- what may go wrong -------------------------------------------------------------------------------------------

REQUESTS = {
    "GetMarginSummary": account.GetMarginSummaryRequest(),
    "ListPositions": account.ListPositionsRequest(),
    "ListLedgerEntries": account.ListLedgerEntriesRequest(),
    "GetFeeRates": account.GetFeeRatesRequest(symbols=["BTC/USD"]),
    "ListFills": account.ListFillsRequest(),
}


@pytest.mark.parametrize("method", REQUESTS)
async def test_a_full_counter_is_told_with_the_wait(stage, method):
    """RESOURCE_EXHAUSTED with the time after which the question may go."""
    stage.venue.statements.failure = busy(Reason.LOCAL_RATE_LIMITED, retry_after_s=1.5)
    refusal = await refused(getattr(stage.account, method)(REQUESTS[method], timeout=2))
    assert (grpc.StatusCode.RESOURCE_EXHAUSTED, 1.5) == (refusal.code, refusal.retry_s)
