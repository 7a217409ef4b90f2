"""docs/reference/kraken-coverage.md: every call of Kraken's is there, with the RPCs it serves or why it is not made."""

import pytest

from execsvc.domain.market import BookTopic, CandleTopic, TickerTopic, TradeTopic
from execsvc.kraken import indexes
from execsvc.kraken.endpoints import ALL
from execsvc.kraken.private_session import BALANCES, EXECUTIONS
from execsvc.kraken.wishes import key_of
from execsvc.rpc.permits import PERMITS
from tools import kraken_coverage as coverage

# What Kraken has, as its reference lists it (docs/kraken.md, sources R and C).
REST = [
    "Time", "SystemStatus", "Assets", "AssetPairs", "Ticker", "OHLC", "Depth", "Trades", "Spread", "GroupedBook",
    "PreTrade", "PostTrade", "MaintenanceSchedule", "Balance", "BalanceEx", "CreditLines", "TradeBalance",
    "OpenOrders", "ClosedOrders", "QueryOrders", "OrderAmends", "TradesHistory", "QueryTrades", "OpenPositions",
    "Ledgers", "QueryLedgers", "TradeVolume", "GetApiKeyInfo", "Level3", "AddExport", "ExportStatus",
    "RetrieveExport", "RemoveExport", "GetWebSocketsToken", "AddOrder", "AddOrderBatch", "AmendOrder", "EditOrder",
    "CancelOrder", "CancelOrderBatch", "CancelAll", "CancelAllOrdersAfter", "DepositMethods", "DepositAddresses",
    "DepositStatus", "WithdrawMethods", "WithdrawAddresses", "WithdrawInfo", "Withdraw", "WithdrawStatus",
    "WithdrawCancel", "WalletTransfer", "CreateSubaccount", "AccountTransfer", "Earn/Allocate", "Earn/Deallocate",
    "Earn/AllocateStatus", "Earn/DeallocateStatus", "Earn/Strategies", "Earn/Allocations",
]  # fmt: skip
CHANNELS = [
    "ticker", "book", "level3", "ohlc", "trade", "instrument", "executions", "balances", "status", "heartbeat",
]  # fmt: skip
METHODS = [
    "subscribe", "unsubscribe", "ping", "add_order", "amend_order", "edit_order", "cancel_order", "cancel_all",
    "cancel_all_orders_after", "batch_add", "batch_cancel",
]  # fmt: skip
ROWS = [row for rows in coverage.SECTIONS.values() for row in rows]
SERVED = sorted({method for row in ROWS for method in row.serves})


def test_the_page_is_as_the_table_says():
    """The committed page is the generator's output, to the letter."""
    assert coverage.page() == coverage.PAGE.read_text()


@pytest.mark.parametrize(
    ("rows", "known"),
    [(coverage.REST, REST), (coverage.CHANNELS, CHANNELS), (coverage.METHODS, METHODS)],
    ids=["rest", "channels", "methods"],
)
def test_every_call_of_kraken_s_has_one_row(rows, known):
    """None is missing, none is there twice, none is made up."""
    assert sorted(known) == sorted(row.call for row in rows)


def test_calls_that_serve_are_those_the_adapter_makes():
    """An endpoint that comes into use has a row that says for what; one that goes has a reason."""
    assert {endpoint.name for endpoint in ALL} == {row.call for row in coverage.REST if row.serves}


def test_channels_that_serve_are_those_the_adapter_subscribes():
    """Topics of the public line, the instruments', the two of the private one, and the two that come unasked."""
    topics = (TickerTopic("A/B"), BookTopic("A/B", 10), TradeTopic("A/B"), CandleTopic("A/B", 60))
    used = {key_of(topic).channel for topic in topics} | {indexes.CHANNEL, EXECUTIONS, BALANCES}
    assert used | {"status", "heartbeat"} == {row.call for row in coverage.CHANNELS if row.serves}


@pytest.mark.parametrize("method", SERVED)
def test_an_rpc_that_is_named_is_built(method):
    """The page promises nothing that answers NOT_IMPLEMENTED."""
    assert PERMITS[f"execsvc.v1.{method}"].built


def test_every_built_rpc_is_on_the_page():
    """Served by a call of Kraken's, or said to ask nothing of it; not both."""
    built = {permit.short for permit in PERMITS.values() if permit.built}
    own = set(coverage.OWN) & built
    assert (built, set()) == (set(SERVED) | own, set(SERVED) & own)


def test_what_is_said_to_be_our_own_is_a_method_of_the_contract():
    """A row of OWN for a method that is gone would stand there for ever."""
    assert set() == set(coverage.OWN) - {permit.short for permit in PERMITS.values()}


def test_every_row_that_is_not_used_says_why():
    """A reason of more than a word."""
    assert [] == [row.call for row in ROWS if not row.serves and len(row.note.split()) < 3]
