"""Every method against every permission, over a real server: with real tokens, and with certificates (contract.md section 3).

The table is written out here a second time and held against the descriptors, so a method added to the contract without a row
fails. Who may do what to others' orders, and what a grant narrows, is test_permission_scope.py's.
"""

from dataclasses import dataclass, field

import pytest

from execsvc.domain.caller import UNBOUND, Permission
from tests.security.permission_rig import METHODS, Holder

SPEC = {"symbol": "BTC/USD", "side": "SIDE_BUY", "baseQuantity": "0.001", "limit": {"limitPrice": "60000.0"}}
REF = {"clientOrderId": "nobody-has-it"}
PAIR = {"symbol": "BTC/USD"}
PAIRS = {"symbols": ["BTC/USD"]}
MINUTE = {"interval": "60s"}
ROWS_OF_TWO = {"entries": [{"clientOrderId": name, "spec": SPEC} for name in ("one", "two")]}


@dataclass(frozen=True)
class Row:
    """Any one of `permissions` opens the method, none: everybody's token does. `answer`: what who may is answered."""

    permissions: str
    request: dict = field(default_factory=dict)
    answer: str = "OK"

    @property
    def wanted(self):
        return frozenset(filter(None, self.permissions.split("|")))


ROWS = {
    "MarketDataService/ListInstruments": Row("market"),
    "MarketDataService/ListAssets": Row("market"),
    "MarketDataService/GetTickers": Row("market", PAIRS),
    "MarketDataService/GetBook": Row("market", PAIR),
    "MarketDataService/ListTrades": Row("market", PAIR),
    "MarketDataService/ListCandles": Row("market", PAIR | MINUTE),
    "MarketDataService/SubscribeTickers": Row("market", PAIRS),
    "MarketDataService/SubscribeBook": Row("market", PAIR),
    "MarketDataService/SubscribeTrades": Row("market", PAIRS),
    "MarketDataService/SubscribeCandles": Row("market", PAIRS | MINUTE),
    "OrderService/PlaceOrder": Row("trade", {"clientOrderId": "one", "spec": SPEC}),
    "OrderService/PlaceOrders": Row("trade", ROWS_OF_TWO),
    "OrderService/AmendOrder": Row("trade", {"order": REF, "requestId": "r", "limitPrice": "1.0"}, "ORDER_NOT_FOUND"),
    "OrderService/CancelOrder": Row("cancel", {"order": REF}, "ORDER_NOT_FOUND"),
    "OrderService/CancelOrders": Row("cancel", {"orders": [REF]}),
    "OrderService/CancelAllOrders": Row("cancel", {"allSymbols": True}),
    "OrderService/SetDeadMansSwitch": Row("cancel", {"timeout": "60s"}),
    "OrderService/PreviewOrder": Row("trade", {"spec": SPEC}),
    "OrderService/GetOrder": Row("account|trade", {"order": REF}, "ORDER_NOT_FOUND"),
    "OrderService/ListOrders": Row("account|trade"),
    "OrderService/ExplainOrder": Row("account|trade", {"order": REF}, "ORDER_NOT_FOUND"),
    "OrderService/SubscribeOrders": Row("account|trade"),
    "OrderService/OrderSession": Row("trade", {"requestNumber": 1, "open": {"account": "main"}}),
    "AccountService/ListBalances": Row("account"),
    "AccountService/GetMarginSummary": Row("account"),
    "AccountService/ListPositions": Row("account"),
    "AccountService/ListFills": Row("account"),
    "AccountService/ListLedgerEntries": Row("account"),
    "AccountService/GetFeeRates": Row("account", PAIRS),
    "AccountService/GetLimits": Row("account"),
    "AccountService/SubscribeBalances": Row("account"),
    "AdminService/GetServerInfo": Row(""),
    "AdminService/GetVenueStatus": Row("account"),
    "AdminService/SetTradingMode": Row(
        "kill", {"scope": {"account": "main"}, "mode": "TRADING_MODE_HALTED", "comment": "as the table wants it"}
    ),
    "AdminService/ListStreams": Row("admin"),
}
OF_NO_ACCOUNT = {"AdminService/GetVenueStatus"}  # it answers for whichever accounts the caller may read
WORDS = frozenset(each.value for each in Permission)
FREE = frozenset(each.value for each in UNBOUND)


def holder(name, on_main, on_spare=frozenset()):
    free = sorted((on_main | on_spare) & FREE)
    bound = [
        f"{word}:{account}"
        for account, words in (("main", on_main), ("spare", on_spare))
        for word in sorted(words - FREE)
    ]
    return Holder(name, (*free, *bound), default="" if on_main - FREE else "spare" if on_spare - FREE else "")


def without(permissions):
    """Everything but these; on the other account, where they do not count, these as well."""
    return "without-" + "-".join(sorted(permissions))


HOLDERS = {
    each.name: each
    for each in (
        holder("nobody", frozenset()),
        *(holder(f"only-{word}", frozenset({word})) for word in sorted(WORDS)),
        *(holder(f"spare-{word}", frozenset(), frozenset({word})) for word in sorted(WORDS - FREE)),
        *(
            holder(without(wanted), WORDS - wanted, WORDS - FREE)
            for wanted in sorted({row.wanted for row in ROWS.values() if row.wanted}, key=sorted)
        ),
    )
}


def expected(method, who):
    """What the contract says: OK or whatever else who may is answered, else how it is denied."""
    row = ROWS[method]
    free = {word for word in who.words if ":" not in word}
    bound = {tuple(word.split(":")) for word in who.words if ":" in word}
    here = free | {word for word, account in bound if account == "main"}
    anywhere = free | {word for word, _ in bound}
    if not row.wanted or row.wanted & here:
        return row.answer
    if not row.wanted & anywhere:
        return "PERMISSION_MISSING"
    if method in OF_NO_ACCOUNT:
        return row.answer
    return "PERMISSION_MISSING" if here - free else "ACCOUNT_NOT_GRANTED"


def request(method):
    """The row's request, naming the account where the message has one."""
    named = {"account": "main"} if "account" in METHODS[method].input_type.fields_by_name else {}
    return named | ROWS[method].request


@pytest.mark.parametrize("method", ROWS)
async def test_a_method_opens_to_its_permissions_alone(gateway, method):
    """Each permission alone, none, all but the right one, the right one on another account: all as the table says."""
    found = {name: (await gateway.guest(name).ask(method, request(method))).reason for name in HOLDERS}
    assert {name: expected(method, who) for name, who in HOLDERS.items()} == found


def test_every_method_of_the_contract_has_a_row():
    """A method added to the contract without a row here is open to nobody, and this test says so."""
    assert METHODS.keys() == ROWS.keys()


def test_the_table_tells_permissions_apart():
    """Every permission opens something that no other one opens, or the table would not see them mixed up."""
    alone = {word: {method for method, row in ROWS.items() if row.wanted == {word}} for word in WORDS}
    assert WORDS == {word for word, methods in alone.items() if methods}
