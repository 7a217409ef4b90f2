"""What Kraken says of the account, as columns and as JSON: margin, positions, ledger, fills, fees."""

import pytest
from execsvc_api.v1 import account_service_pb2 as account
from grpc import StatusCode


def entry(number, **more):
    given = {
        "entry_id": f"L{number}",
        "ref_id": "TX",
        "kind": "trade",
        "asset": "USD",
        "amount": "-1.50",
        "fee": "0.01",
    }
    made = account.LedgerEntry(**(given | more))
    made.time.seconds = 1_700_000_000
    return made


def position(**more):
    given = {
        "position_id": "T1", "symbol": "BTC/USD", "side": 2, "quantity": "2", "closed_quantity": "0.5", "cost": "100",
        "fee": "0.4", "margin": "50",
    }  # fmt: skip
    return account.Position(**(given | more))


def test_margin_says_when_there_is_no_level(execsvc, gateway):
    """Figures that the exchange did not tell are left out; no position has no level."""
    gateway.script("GetMarginSummary", account.GetMarginSummaryResponse(asset="USD", equity="12.50"))
    said = execsvc("margin")
    assert ["valued in USD", "equity 12.50", "margin level none: no open position"] == [
        " ".join(line.split()) for line in said.out.splitlines()
    ]
    assert "" == gateway.requests["GetMarginSummary"][0].asset


def test_margin_level_is_shown_in_percent(execsvc, gateway):
    """The fraction 1.5 is 150 %; JSON keeps the fraction."""
    gateway.script("GetMarginSummary", account.GetMarginSummaryResponse(asset="BTC", margin_level="1.5"))
    assert "margin level 150.0 %" in " ".join(execsvc("margin", "--asset", "btc").out.split())
    assert "1.5" == execsvc("margin", "-o", "json").json["marginLevel"]
    assert "btc" == gateway.requests["GetMarginSummary"][0].asset


def test_an_unknown_asset_sends_to_the_list_of_assets(execsvc, gateway, fail):
    """Not to that of the pairs, where it is no more to be found."""
    gateway.script(
        "GetMarginSummary",
        fail(StatusCode.NOT_FOUND, "UNKNOWN_SYMBOL", "unknown asset 'NOPE'", bad=(("asset", "unknown asset 'NOPE'"),)),
    )
    said = execsvc("margin", "--asset", "NOPE")
    assert (2, True, 1) == (said.code, "execsvc call ListAssets" in said.err, said.err.count("NOPE"))


def test_positions_in_columns(execsvc, gateway):
    """Only the heads where there are none, and a word beside; what is not told is blank."""
    gateway.script("ListPositions", account.ListPositionsResponse())
    said = execsvc("positions")
    assert (1, "no open position\n") == (len(said.out.splitlines()), said.err)
    gateway.script("ListPositions", account.ListPositionsResponse(positions=[position(value="110")]))
    said = execsvc("positions", "BTC/USD").out.splitlines()
    assert ["BTC/USD", "SELL", "2", "0.5", "100", "50", "110", "T1"] == said[1].split()
    assert "BTC/USD" == gateway.requests["ListPositions"][1].symbol


def test_the_ledger_is_read_page_by_page_until_there_are_enough(execsvc, gateway):
    """--count is a bound on rows, not on a page."""
    pages = [
        account.ListLedgerEntriesResponse(entries=[entry(1), entry(2)], next_page_token="a"),
        account.ListLedgerEntriesResponse(entries=[entry(3), entry(4)], next_page_token="b"),
    ]
    gateway.script("ListLedgerEntries", *pages)
    said = execsvc("ledger", "usd", "--kind", "Trade", "--count", "3", "-o", "json").json
    asked = gateway.requests["ListLedgerEntries"]
    assert ["L1", "L2", "L3"] == [each["entryId"] for each in said["entries"]]
    assert [("usd", "trade", 3, ""), ("usd", "trade", 3, "a")] == [
        (each.asset, each.kind, each.page_size, each.page_token) for each in asked
    ]


def test_the_ledger_in_columns_and_lines(execsvc, gateway):
    """Kind with what is below it; one JSON value a line."""
    answer = account.ListLedgerEntriesResponse(entries=[entry(1, subkind="tradespot", balance="7.0"), entry(2)])
    gateway.script("ListLedgerEntries", answer)
    rows = execsvc("ledger").out.splitlines()
    assert "2023-11-14 22:13:20  trade tradespot  USD     -1.50  0.01      7.0  TX" == rows[1]
    assert ["L1", "L2"] == [each["entryId"] for each in execsvc("ledger", "-o", "jsonl").lines]


@pytest.mark.parametrize(
    ("count", "said"), [(1, "the newest 1: there may be more, --count says how many\n"), (2, ""), (None, "")]
)
def test_a_list_that_was_cut_says_so(execsvc, gateway, count, said):
    """Beside the table only; a shorter one is whole."""
    gateway.script("ListLedgerEntries", account.ListLedgerEntriesResponse(entries=[entry(1)]))
    arguments = () if count is None else ("--count", str(count))
    assert (said, "") == (execsvc("ledger", *arguments).err, execsvc("ledger", *arguments, "-o", "json").err)


@pytest.mark.parametrize(("verb", "said"), [("ledger", "no entry\n"), ("fills", "no fill\n")])
def test_an_empty_list_says_so(execsvc, gateway, verb, said):
    """Heads alone look like a fault."""
    gateway.script("ListLedgerEntries", account.ListLedgerEntriesResponse())
    gateway.script("ListFills", account.ListFillsResponse())
    assert said == execsvc(verb).err


def test_a_span_is_in_utc_unless_it_says_otherwise(execsvc, gateway):
    """A date, a time, a time with a zone."""
    gateway.script("ListFills", account.ListFillsResponse())
    execsvc("fills", "--since", "2023-11-14", "--until", "2023-11-14T23:13:20+01:00")
    asked = gateway.requests["ListFills"][0]
    assert (1_699_920_000, 1_700_000_000) == (asked.start_time.seconds, asked.end_time.seconds)


@pytest.mark.parametrize("verb", ["fills", "ledger"])
def test_a_time_nobody_can_read_is_exit_2(execsvc, gateway, verb):
    """And nothing is asked."""
    said = execsvc(verb, "--since", "yesterday")
    assert (2, []) == (said.code, gateway.requests["ListFills"] + gateway.requests["ListLedgerEntries"])
    assert "--since yesterday: a time such as 2026-09-21" in said.err


def test_fills_show_fees_and_whose_order_it_was(execsvc, gateway):
    """Newest first, as they come."""
    answer = account.ListFillsResponse()
    fill = answer.fills.add(
        fill_id="T1", symbol="BTC/USD", side=1, price="60000.0", quantity="0.5", cost="30000", maker=True,
        client_order_id="one",
    )  # fmt: skip
    fill.fees.add(asset="USD", amount="75.0")
    gateway.script("ListFills", answer)
    assert ["BTC/USD", "BUY", "0.5", "60000.0", "30000", "75.0", "USD", "yes", "one"] == execsvc(
        "fills", "BTC/USD"
    ).out.splitlines()[1].split()


def test_fees_are_shown_in_basis_points(execsvc, gateway):
    """25 for 0.0025, a rebate below zero; JSON keeps the fractions; the volume is told beside."""
    answer = account.GetFeeRatesResponse(volume="60000.5", volume_asset="USD")
    answer.rates.add(symbol="BTC/USD", maker_rate="0.002500", taker_rate="0.004", next_tier_volume="100000")
    answer.rates.add(symbol="ETH/USD", maker_rate="-0.00015", taker_rate="0.0100")
    gateway.script("GetFeeRates", answer)
    said = execsvc("fees", "BTC/USD", "ETH/USD")
    assert [["BTC/USD", "25", "40", "100000"], ["ETH/USD", "-1.5", "100"]] == [
        row.split() for row in said.out.splitlines()[1:]
    ]
    assert "30-day volume: 60000.5 USD" in said.err
    assert "0.002500" == execsvc("fees", "BTC/USD", "-o", "json").json["rates"][0]["makerRate"]


def test_fees_need_a_pair(execsvc, gateway):
    """None is a mistyped command."""
    assert (2, []) == (execsvc("fees").code, gateway.requests["GetFeeRates"])
