"""Margin, positions, the ledger and fee rates: Kraken's answers read field by field, and how they are asked for."""

import asyncio
import json
from dataclasses import replace
from decimal import Decimal

import pytest
from kraken_parts import ASSETS, known_names, live, result_of, vector

from execsvc.domain.account import FeeRate, FillQuery, LedgerEntry, LedgerQuery, Margin, Mark, Position
from execsvc.domain.errors import ProtocolBroken
from execsvc.domain.market import Side
from execsvc.kraken import decode, statements
from execsvc.kraken.costs import rest_cost
from execsvc.kraken.endpoints import LEDGERS, OPEN_POSITIONS, TRADE_BALANCE, TRADE_VOLUME
from tests.support.net import answer
from tests.support.venue import BTC_USD

NAMES = known_names()
BTC, USD = ASSETS
ETH_USD = replace(BTC_USD, symbol="ETH/USD", base="ETH", venue_symbols=("XETHZUSD",))
D = Decimal


def packed(value):
    return json.dumps(value).encode()


# ---- what is read ------------------------------------------------------------------------------------------------


def test_margin_figures_are_kraken_s_letters():
    """eb, tb, m, n, c, v, e, mf in their places; the level is a fraction; what is not told is None."""
    assert Margin(
        asset="USD",
        equivalent_balance=D("1101.3425"),
        trade_balance=D("392.2264"),
        margin_used=D("7.0354"),
        unrealized_pnl=D("-10.0232"),
        cost_basis=D("21.1063"),
        valuation=D("31.1297"),
        equity=D("382.2032"),
        free_margin=D("375.1678"),
        unexecuted_value=None,
        level=D("54.3257"),
    ) == statements.margin(result_of("rest_TradeBalance"), "USD")


@pytest.mark.parametrize("level", [{}, {"ml": None}, {"ml": "0.0"}])
def test_margin_level_is_absent_without_positions(level):
    """Whether Kraken leaves it out or says zero: without margin in use there is no level."""
    told = {"eb": "1.0", "m": "0.0000", "uv": "0.5", **level}
    read = statements.margin(packed(told), "USD")
    assert (None, D("0.0000"), D("0.5")) == (read.level, read.margin_used, read.unexecuted_value)


def test_positions_come_oldest_first():
    """By opening time, ids where that is the same; each with the figures of docalcs."""
    found = statements.positions(result_of("rest_OpenPositions"), NAMES)
    assert [
        "TF5GVO-T7ZZ2-6NBKBI", "T24DOR-TAFLM-ID3NYP", "TYMRFG-URRG5-2ZTQSD", "TAFGBN-TZNFC-7CCYIM", "T4O5L3-4VGS4-IRU2UL",
    ] == [each.position_id for each in found]  # fmt: skip
    assert (
        Position(
            position_id="TF5GVO-T7ZZ2-6NBKBI",
            order_id="OLWNFG-LLH4R-D6SFFP",
            symbol="BTC/USD",
            side=Side.BUY,
            quantity=D("8.82412861"),
            closed_quantity=D("0.20200000"),
            cost=D("104610.52842"),
            fee=D("289.06565"),
            margin=D("20922.10568"),
            value=D("258797.5"),
            unrealized_pnl=D("154186.9728"),
            terms="0.0100% per 4 hours",
            open_ns=1_605_280_097_829_400_000,
            rollover_ns=1_616_672_637_000_000_000,
        )
        == found[0]
    )


def test_no_positions_come_as_an_empty_list():
    """`[]` where a map would be."""
    assert () == statements.positions(result_of("rest_OpenPositions_empty"), NAMES)


def test_a_position_without_figures_of_now_has_none():
    """Without docalcs there is neither value nor net; no rollover time is none, not 1970."""
    row = next(iter(vector("rest_OpenPositions")["result"].values()))
    bare = {name: value for name, value in row.items() if name not in {"value", "net", "rollovertm"}}
    (found,) = statements.positions(packed({"T1": bare | {"type": "sell", "pair": "GONE"}}), NAMES)
    assert (Side.SELL, "GONE", None, None, None) == (
        found.side,
        found.symbol,
        found.value,
        found.unrealized_pnl,
        found.rollover_ns,
    )


def test_ledger_entries_are_plain_and_signed():
    """ZUSD is USD; the amount keeps its sign; subtype empty is none."""
    rows, total = statements.ledger_page(result_of("rest_Ledgers"), NAMES)
    assert (2, ["L4UESK-KG3EQ-UFO4T5", "LMKZCZ-Z3GVL-CXKK4H"]) == (total, [row.row_id for row in rows])
    assert (
        LedgerEntry(
            entry_id="LMKZCZ-Z3GVL-CXKK4H",
            ref_id="TBZIP2-F6QOU-TMB6FY",
            kind="trade",
            subkind="",
            asset="USD",
            amount=D("0.9852"),
            fee=D("0.0010"),
            balance=D("52732.1132"),
            time_ns=1_688_444_262_888_800_000,
        )
        == rows[1].value
    )
    assert D("-24.5000") == rows[0].value.amount


def test_fee_rates_are_fractions_of_what_kraken_prints_in_percent():
    """0.1000 % is 0.001; a null nextvolume is none; the volume is in plain dollars."""
    found = statements.fees(result_of("rest_TradeVolume"), (BTC_USD,), NAMES)
    assert (FeeRate("BTC/USD", D(0), D("0.001"), None),) == found.rates
    assert (D("200709587.4223"), "USD") == (found.volume, found.volume_asset)


def test_a_pair_without_a_maker_schedule_has_one_rate():
    """Where fees_maker does not name it, the one fee holds for both; a rebate stays below zero."""
    row = {"fee": "0.2400", "nextfee": "0.2200", "nextvolume": "100000.0000"}
    told = {"currency": "ZUSD", "volume": "60000", "fees": {"XETHZUSD": row, "XXBTZUSD": row}}
    told["fees_maker"] = {"XXBTZUSD": {"fee": "-0.0200"}}
    names = known_names()
    names.learn_instruments((BTC_USD, ETH_USD))
    found = statements.fees(packed(told), (ETH_USD, BTC_USD), names)
    assert (
        FeeRate("ETH/USD", D("0.002400"), D("0.002400"), D("100000.0000")),
        FeeRate("BTC/USD", D("-0.000200"), D("0.002400"), D("100000.0000")),
    ) == found.rates


@pytest.mark.parametrize(
    ("read", "result"),
    [
        (lambda raw: statements.positions(raw, NAMES), ["T1"]),
        (
            lambda raw: statements.positions(raw, NAMES),
            {"T1": next(iter(vector("rest_OpenPositions")["result"].values())) | {"type": "swap"}},
        ),
        (lambda raw: statements.ledger_page(raw, NAMES), {"ledger": ["L1"]}),
        (lambda raw: statements.ledger_page(raw, NAMES), {"ledger": {}, "count": -1}),
        (lambda raw: statements.fees(raw, (BTC_USD,), NAMES), {"currency": "ZUSD", "volume": "1", "fees": None}),
        (lambda raw: statements.fees(raw, (BTC_USD,), NAMES), {"currency": "ZUSD", "volume": "-1", "fees": {}}),
        (lambda raw: statements.margin(raw, "USD"), {"eb": "NaN"}),
    ],
)
def test_a_statement_that_says_nonsense_is_broken(read, result):
    """Each of these would be read as something it is not."""
    with pytest.raises(ProtocolBroken):
        read(packed(result))


@pytest.mark.parametrize(
    ("posstatus", "expected"), [("open", "TKH2SE-M7IF5-CFI7LT"), ("closed", "TKH2SE-M7IF5-CFI7LT"), (None, "")]
)
def test_only_a_fill_that_opened_a_position_names_it(posstatus, expected):
    """Kraken names something for every trade; what has no status of a position opened none."""
    row = next(iter(vector("rest_TradesHistory")["result"]["trades"].values()))
    told = row if posstatus is None else row | {"posstatus": posstatus}
    rows, _ = decode.fills_page(packed({"trades": {"T1": told}}))
    assert expected == decode.fill(*rows[0], "main", NAMES, 1).position_id


def test_a_fill_of_a_pair_that_is_listed_no_more_is_told():
    """An old trade must not make the history unreadable: Kraken's name of the pair, and a fee of no known asset."""
    row = next(iter(vector("rest_TradesHistory")["result"]["trades"].values()))
    rows, total = decode.fills_page(packed({"trades": {"T1": row | {"pair": "GONEUSD", "fee": "0.5"}}}))
    found = decode.fill(*rows[0], "main", NAMES, 1)
    assert ("GONEUSD", [("", D("0.5"))], None) == (
        found.symbol,
        [(each.asset, each.amount) for each in found.fees],
        total,
    )


# ---- how it is asked for -----------------------------------------------------------------------------------------


def asked(act, results, **parts):
    """What `act(statements, by)` gave, and the calls as they left."""

    async def run(side, clock):
        return await act(side.statements, clock.monotonic() + 5)

    return live(lambda sent: answer(results[sent.path.rsplit("/", 1)[1]]), run, **parts)


def result(name):
    return vector(name)["result"]


def told(http, name):
    return [{key: value for key, value in sent.params.items() if key != "nonce"} for sent in http.calls(name)]


def test_margin_is_asked_for_in_kraken_s_own_name_of_the_asset():
    """ZUSD for dollars, and the answer names the plain one."""
    found, http = asked(lambda reads, by: reads.margin(USD, by), {"TradeBalance": result("rest_TradeBalance")})
    assert ("USD", [{"asset": "ZUSD"}]) == (found.asset, told(http, "TradeBalance"))


def test_positions_are_asked_for_with_their_value():
    """With docalcs."""
    found, http = asked(lambda reads, by: reads.positions(by), {"OpenPositions": []})
    assert ((), [{"docalcs": "true"}]) == (found, told(http, "OpenPositions"))


def test_fees_of_many_pairs_are_one_call():
    """All ids in one question; each answered."""
    row = {"fee": "0.40"}
    results = {"TradeVolume": {"currency": "ZUSD", "volume": "0", "fees": {"XBTUSD": row, "XETHZUSD": row}}}

    async def act(reads, by):
        reads._names.learn_instruments((BTC_USD, ETH_USD))
        return await reads.fees((ETH_USD, BTC_USD), by)

    found, http = asked(act, results)
    assert ["ETH/USD", "BTC/USD"] == [rate.symbol for rate in found.rates]
    assert [{"pair": "XETHZUSD,XBTUSD"}] == told(http, "TradeVolume")


def test_a_lone_pair_may_come_back_under_any_name():
    """One was asked for, one came."""
    results = {"TradeVolume": {"currency": "ZUSD", "volume": "0", "fees": {"XBT/USD.ODD": {"fee": "0.40"}}}}
    found, _ = asked(lambda reads, by: reads.fees((BTC_USD,), by), results)
    assert [("BTC/USD", D("0.0040"))] == [(rate.symbol, rate.taker_rate) for rate in found.rates]


def test_the_ledger_is_filtered_by_kraken_where_it_can():
    """Asset and kind go along; a kind that Kraken does not filter by is picked out here."""
    results = {"Ledgers": result("rest_Ledgers")}
    trades, http = asked(lambda reads, by: reads.ledger_page(LedgerQuery(asset="USD", kind="trade"), USD, by), results)
    rewards, beside = asked(lambda reads, by: reads.ledger_page(LedgerQuery(kind="reward"), None, by), results)
    assert (2, [{"asset": "ZUSD", "type": "trade", "ofs": "0"}]) == (len(trades.rows), told(http, "Ledgers"))
    assert (0, [{"ofs": "0"}]) == (len(rewards.rows), told(beside, "Ledgers"))


def test_the_next_page_is_pinned_to_the_first_row_by_its_id():
    """`end` is the id the listing began with; the offset goes back a little, to find where it ended."""
    entry = next(iter(result("rest_Ledgers")["ledger"].values()))
    rows = {f"L{second}": entry | {"time": second} for second in range(130, 80, -1)}
    results = {"Ledgers": {"ledger": rows, "count": 50}}
    mark = Mark("L130", 10, "L121")
    page, http = asked(lambda reads, by: reads.ledger_page(LedgerQuery(size=5, mark=mark), None, by), results)
    assert [{"end": "L130", "ofs": "8"}] == told(http, "Ledgers")
    assert ["L120", "L119", "L118", "L117", "L116"] == [each.entry_id for each in page.rows]


def test_fills_in_pages_are_individual_trades():
    """Their ids are those of the private stream."""
    page, http = asked(
        lambda reads, by: reads.fill_page("main", FillQuery(symbol="BTC/USD", size=1), by),
        {"TradesHistory": result("rest_TradesHistory")},
    )
    assert [{"type": "all", "consolidate_taker": "false", "ofs": "0"}] == told(http, "TradesHistory")
    assert (["THVRQM-33VKH-UCI7BS"], True) == ([each.fill_id for each in page.rows], page.next is not None)


@pytest.mark.parametrize(
    ("endpoint", "points"), [(TRADE_BALANCE, 1), (OPEN_POSITIONS, 1), (TRADE_VOLUME, 1), (LEDGERS, 2)]
)
def test_each_statement_costs_what_kraken_counts(endpoint, points):
    """History two, everything else one."""
    assert points == rest_cost(endpoint.name)


def test_a_page_counts_each_of_its_calls():
    """A page of 100 from pages of 50 is two questions of two points each."""
    entry = next(iter(result("rest_Ledgers")["ledger"].values()))
    rows = [(f"L{second}", entry | {"time": second}) for second in range(200, 0, -1)]

    async def run(side, clock):
        before = side.rates.counters(())[0].level
        await side.statements.ledger_page(LedgerQuery(size=100), None, clock.monotonic() + 5)
        return side.rates.counters(())[0].level - before

    def script(sent):
        first = int(sent.params["ofs"])
        return answer({"ledger": dict(rows[first : first + 50]), "count": 200})

    used, http = live(script, run, tier="pro")
    assert (D(4), 2) == (used.quantize(D(1)), len(http.sent))


def test_a_large_page_takes_what_the_counter_has_and_does_not_wait():
    """A thousand rows would cost more than the counter holds: the page is as long as the room, at once, and goes on."""
    entry = next(iter(result("rest_Ledgers")["ledger"].values()))
    rows = [(f"L{second}", entry | {"time": second}) for second in range(2000, 0, -1)]

    async def run(side, clock):
        began = clock.monotonic()
        page = await side.statements.ledger_page(LedgerQuery(size=1000), None, clock.monotonic() + 60)
        took_s = clock.monotonic() - began
        return page, took_s, side.rates.counters(())[0].headroom

    def script(sent):
        first = int(sent.params["ofs"])
        return answer({"ledger": dict(rows[first : first + 50]), "count": 2000})

    (page, took_s, headroom), http = live(script, run, tier="pro")
    assert (True, 50 * len(http.sent), 0.0) == (len(http.sent) > 1, len(page.rows), took_s)
    assert (True, True) == (page.next is not None, headroom < rest_cost("Ledgers"))


def test_different_questions_at_one_time_get_their_own_answers():
    """Other pairs, another asset, another page, another filter."""
    row = {"fee": "0.40"}
    entry = next(iter(result("rest_Ledgers")["ledger"].values()))
    trade = next(iter(result("rest_TradesHistory")["trades"].values()))
    results = {
        "TradeBalance": result("rest_TradeBalance"),
        "TradeVolume": {"currency": "ZUSD", "volume": "0", "fees": {"XBTUSD": row, "XETHZUSD": row}},
        "Ledgers": {"ledger": {"L1": entry, "L2": entry | {"type": "rollover"}}, "count": 2},
        "TradesHistory": {"trades": {"T1": trade, "T2": trade}, "count": 2},
    }

    async def act(reads, by):
        reads._names.learn_instruments((BTC_USD, ETH_USD))
        return await asyncio.gather(
            reads.margin(USD, by),
            reads.margin(BTC, by),
            reads.fees((BTC_USD,), by),
            reads.fees((BTC_USD, ETH_USD), by),
            reads.ledger_page(LedgerQuery(), None, by),
            reads.ledger_page(LedgerQuery(kind="reward"), None, by),
            reads.fill_page("main", FillQuery(size=1), by),
            reads.fill_page("main", FillQuery(size=2), by),
        )

    dollars, coins, one, two, every, rewards, first, both = asked(act, results)[0]
    assert ("USD", "BTC", 1, 2) == (dollars.asset, coins.asset, len(one.rates), len(two.rates))
    assert (2, 0, 1, 2) == (len(every.rows), len(rewards.rows), len(first.rows), len(both.rows))


def test_equal_questions_at_one_time_are_one_call():
    """Ten who ask for the same page, positions, margin or fees share an answer."""
    results = {
        "Ledgers": result("rest_Ledgers"),
        "OpenPositions": [],
        "TradeBalance": result("rest_TradeBalance"),
        "TradeVolume": {"currency": "ZUSD", "volume": "0", "fees": {"XBTUSD": {"fee": "0.40"}}},
        "TradesHistory": result("rest_TradesHistory"),
    }

    async def act(reads, by):
        await asyncio.gather(
            *(reads.ledger_page(LedgerQuery(), None, by) for _ in range(10)),
            *(reads.positions(by) for _ in range(10)),
            *(reads.margin(USD, by) for _ in range(10)),
            *(reads.fees((BTC_USD,), by) for _ in range(10)),
            *(reads.fill_page("main", FillQuery(), by) for _ in range(10)),
        )

    _, http = asked(act, results)
    assert dict.fromkeys(results, 1) == {name: len(http.calls(name)) for name in results}
