"""What Kraken refuses comes out of other people's clients as it does with Kraken: a list of texts, or an exception.

krakenex returns the list, python-kraken-sdk raises: what it raises goes by the first of its texts that the error contains,
so an unknown pair is an unknown asset to it.
"""

import pytest
from kraken import exceptions
from kraken.base_api import SpotClient

from tests.support.other_clients import LIMIT, Krakenex, Sdk, Socket, another_key, cleared, row, still_exchange

pytestmark = pytest.mark.process

REFUSED_ORDERS = [
    ({"pair": "FOOBAR"}, "EQuery:Unknown asset pair", exceptions.KrakenUnknownAssetError),
    ({"volume": "0.00001"}, "EOrder:Order minimum not met", exceptions.KrakenOrderMinimumNotMetError),
    ({"volume": "0.00005", "price": "9000.0"}, "EOrder:Cost minimum not met", exceptions.KrakenCostMinimumNotMetError),
    ({"price": "59000.05"}, "EOrder:Tick size check failed", exceptions.KrakenTickSizeInvalidCheckError),
    ({"price": "0"}, "EOrder:Invalid price", exceptions.KrakenInvalidPriceError),
    ({"volume": "1000"}, "EOrder:Insufficient funds", exceptions.KrakenInsufficientFundsError),
    ({"volume": "much"}, "EGeneral:Invalid arguments:volume", exceptions.KrakenInvalidArgumentsError),
    ({"ordertype": "wish"}, "EGeneral:Invalid arguments:ordertype", exceptions.KrakenInvalidArgumentsError),
    (
        {"leverage": "5", "volume": "400"},
        "EOrder:Margin position size exceeded",
        exceptions.KrakenMarginPositionSizeExceededError,
    ),
    (
        {"leverage": "5", "volume": "100"},
        "EOrder:Margin allowance exceeded",
        exceptions.KrakenMarginAllowedExceededError,
    ),
    (
        {"deadline": "2020-01-01T00:00:00Z"},
        "EGeneral:Invalid arguments:deadline",
        exceptions.KrakenInvalidArgumentsError,
    ),
]
CALLS_OF_A_STARTER = 15
ORDERS_OF_A_STARTER = 60


class Still(SpotClient):
    """The SDK's client with a nonce that stands still, by the method it has for that."""

    def get_nonce(self):
        return "1"


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    with still_exchange(tmp_path_factory.mktemp("refused"), tier="starter") as running:
        yield running


@pytest.fixture(scope="module")
def api(exchange):
    return Krakenex(exchange)


@pytest.fixture(scope="module")
def sdk(exchange):
    return Sdk(exchange)


@pytest.mark.parametrize(("changes", "text", "_"), REFUSED_ORDERS, ids=[text for _, text, _ in REFUSED_ORDERS])
def test_krakenex_gets_the_text(api, changes, text, _):
    """An order that cannot be is answered with the one text, and with no result."""
    assert {"error": [text]} == api.ask("AddOrder", **(LIMIT | changes))


@pytest.mark.parametrize(("changes", "text", "kind"), REFUSED_ORDERS, ids=[text for _, text, _ in REFUSED_ORDERS])
def test_the_sdk_raises_its_exception(sdk, changes, text, kind):
    """The same order raises the SDK's exception for that text."""
    with pytest.raises(kind, match=text):
        sdk.place(LIMIT, **changes)


def test_nothing_came_of_it(exchange):
    """No refused order is among those accepted, and the ledger balances."""
    assert [] == exchange.orders()
    cleared(exchange)


def test_a_wrong_secret(exchange):
    """A wrong secret is a wrong signature, to both clients."""
    key, _ = another_key(exchange)
    assert {"error": ["EAPI:Invalid signature"]} == Krakenex(exchange, (key, "AAAA" * 22)).ask("Balance")
    with pytest.raises(exceptions.KrakenInvalidSignatureError):
        Sdk(exchange, (key, "AAAA" * 22)).user.get_account_balance()


def test_an_unknown_key(exchange):
    """A key nobody made is invalid, to both clients."""
    _, secret = another_key(exchange)
    assert {"error": ["EAPI:Invalid key"]} == Krakenex(exchange, ("PAPERnobody", secret)).ask("Balance")
    with pytest.raises(exceptions.KrakenInvalidAPIKeyError):
        Sdk(exchange, ("PAPERnobody", secret)).user.get_account_balance()


def test_a_nonce_that_stands_still(exchange):
    """The second call with the same nonce is refused."""
    key, secret = another_key(exchange)
    client = Still(key=key, secret=secret, url=exchange.environ["EXECSVC_KRAKEN_REST_URL"])
    assert "ZUSD" in client.request("POST", "/0/private/Balance")
    with pytest.raises(exceptions.KrakenInvalidNonceError):
        client.request("POST", "/0/private/Balance")


def test_a_key_that_may_not(exchange):
    """A key that may look may not trade, and the other way about."""
    looking, trading = (another_key(exchange, permissions=[right]) for right in ("query-funds", "modify-trades"))
    assert {"error": ["EGeneral:Permission denied"]} == Krakenex(exchange, looking).ask("AddOrder", **LIMIT)
    with pytest.raises(exceptions.KrakenPermissionDeniedError):
        Sdk(exchange, trading).user.get_account_balance()


def test_calls_that_are_not_there(api, sdk):
    """What the exchange does not have is an unknown method, private and public."""
    assert {"error": ["EGeneral:Unknown method"]} == api.api.query_public("PreTrade", {"symbol": "BTC/USD"})
    with pytest.raises(exceptions.KrakenUnknownMethodError):
        sdk.user.get_export_report_status(report="trades")


def test_a_client_id_in_use(exchange):
    """A client id is refused while an open order has it; what is gone is unknown, what never was is invalid."""
    api, sdk = Krakenex(exchange), Sdk(exchange)
    order_id = api.place(LIMIT, cl_ord_id="mine")
    with pytest.raises(exceptions.KrakenInvalidArgumentsError, match="cl_ord_id not unique"):
        sdk.place(LIMIT, cl_ord_id="mine")
    sdk.trade.cancel_order(txid=order_id)
    assert {"error": ["EOrder:Unknown order"]} == api.ask("CancelOrder", txid=order_id)
    with pytest.raises(exceptions.KrakenInvalidOrderError):
        sdk.trade.cancel_order(txid="OPAPER-AAAAA-AAAAAA")
    assert "canceled" == row(exchange, order_id)["status"]


def test_maintenance(exchange, sdk):
    """In maintenance private calls are unavailable; afterwards they are not."""
    exchange.fault(kind="maintenance")
    with pytest.raises(exceptions.KrakenServiceUnavailableError):
        sdk.user.get_account_balance()
    exchange.mend()
    assert "ZUSD" in sdk.user.get_account_balance()


def test_too_many_calls(exchange):
    """The starter's fifteen calls are answered; then the counter is full, to both clients on that key."""
    keys = another_key(exchange)
    api = Krakenex(exchange, keys)
    answers = [api.ask("Balance")["error"] for _ in range(CALLS_OF_A_STARTER + 5)]
    assert [] == answers[CALLS_OF_A_STARTER - 1]
    assert ["EAPI:Rate limit exceeded"] == answers[-1]
    with pytest.raises(exceptions.KrakenApiLimitExceededError):
        Sdk(exchange, keys).user.get_account_balance()


def test_too_many_orders(exchange):
    """A pair's counter is full after the starter's sixty orders, whoever sends the next."""
    vain = LIMIT | {"pair": "ETHUSD", "price": "1000", "timeinforce": "IOC"}
    api, sdk = Krakenex(exchange), Sdk(exchange)
    answers = [api.ask("AddOrder", **vain)["error"] for _ in range(ORDERS_OF_A_STARTER + 20)]
    assert [] == answers[ORDERS_OF_A_STARTER - 1]
    assert ["EOrder:Rate limit exceeded"] == answers[-1]
    with pytest.raises(exceptions.KrakenRateLimitExceededError):
        sdk.place(vain)
    cleared(exchange)


async def test_too_many_orders_on_a_socket(exchange):
    """A pair's counter is full after the starter's sixty orders on a line as well."""
    vain = {"symbol": "ETH/EUR", "order_type": "limit", "side": "buy", "order_qty": 0.01, "limit_price": 1000.0}
    vain["time_in_force"] = "ioc"
    socket = Socket(exchange)
    async with socket.client:
        await socket.listen()
        answers = [await socket.ask("add_order", **vain) for _ in range(ORDERS_OF_A_STARTER + 20)]
    assert answers[ORDERS_OF_A_STARTER - 1]["success"]
    assert (False, "EOrder:Rate limit exceeded") == (answers[-1]["success"], answers[-1]["error"])
