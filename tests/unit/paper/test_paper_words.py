"""Each of Kraken's error texts that a request can bring about comes out exactly so, at the first rule it breaks."""

from datetime import UTC, datetime, timedelta

import pytest

from execsvc.paper import words
from execsvc.paper.mishap import Fault
from tests.unit.paper.paperbench import NS, START, Bench

AT = datetime.fromtimestamp(START // NS, UTC)
SOUND = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "95", "volume": "0.1"}
MARGIN = {"ordertype": "market", "leverage": "5"}


def ask(bench, method, **params):
    """Return the errors of a private call."""
    return bench.private(method, **params)["error"]


def order(**changes):
    """A request for an order that is sound but for these fields."""
    return lambda bench: ask(bench, "AddOrder", **(SOUND | changes))


def call(method, **params):
    return lambda bench: ask(bench, method, **params)


def public(method, **params):
    return lambda bench: bench.public(method, **params)["error"]


def signed(**headers):
    """A call whose headers were changed after it was signed."""
    return lambda bench: errors(
        bench.ticket("Balance", headers={name.replace("_", "-"): v for name, v in headers.items()})
    )


def errors(ticket):
    import json

    return json.loads(ticket.outcome.body)["error"]


def stale_nonce(bench):
    bench.ok("Balance")
    return errors(bench.ticket("Balance", nonce=bench.nonce))


def without_permission(bench):
    key = bench.venue.keys.make("watch", ("query-funds",), now=bench.now)
    return ask(bench, "AddOrder", key=key, **SOUND)


def too_many_calls(bench):
    return [ask(bench, "Balance") for _ in range(21)][-1]


def too_many_orders(bench):
    return [ask(bench, "AddOrder", **(SOUND | {"timeinforce": "IOC"})) for _ in range(126)][-1]


def too_many_open(bench):
    return [ask(bench, "AddOrder", **(SOUND | {"volume": "0.01"})) for _ in range(81)][-1]


def client_id_twice(bench):
    bench.order(price="95", cl_ord_id="twice")
    return ask(bench, "AddOrder", **SOUND, cl_ord_id="twice")


def late(bench):
    bench.exchange.fault(Fault(kind="slow_matching", ms=5_000), bench.now)
    soon = (AT + timedelta(seconds=3)).isoformat()
    ticket = bench.ticket("AddOrder", SOUND | {"deadline": soon})
    bench.wait(6)
    return errors(ticket)


def market(status, **changes):
    """An order on a market in that mode."""

    def answer(bench):
        bench.exchange.set_market_status(bench.venue.listing("XBTUSD"), status, bench.now)
        return ask(bench, "AddOrder", **(SOUND | changes))

    return answer


def maintenance(bench):
    bench.exchange.set_system("maintenance", bench.now)
    return ask(bench, "Balance")


def gone(method):
    """An order that was canceled, canceled or amended again."""

    def answer(bench):
        txid = bench.order(price="95")
        bench.ok("CancelOrder", txid=txid)
        return ask(bench, method, txid=txid, order_qty="0.2")

    return answer


def opposing(bench):
    bench.order(**MARGIN, volume="0.1")
    return ask(bench, "AddOrder", **(SOUND | MARGIN | {"type": "sell", "volume": "0.2"}))


def unsecured(_bench):
    poor = Bench(pairs=("BTC/USD",), funds={"USD": "100"})
    return ask(poor, "AddOrder", **(SOUND | {"price": "9000", "leverage": "5"}))


def bad_session(bench):
    socket = bench.open("private")
    socket.texts()
    socket.ask("add_order", token="stale")
    (frame,) = socket.frames()
    return [frame["error"]]


def reduced_past_nothing(bench):
    bench.order(**MARGIN, volume="0.1")
    txid = bench.order(**MARGIN, type="sell", volume="0.2", reduce_only="true")
    return [bench.state(txid)["reason"]]


TABLE = [
    ("EAPI:Invalid key", signed(api_key="PAPERnobody")),
    ("EAPI:Invalid signature", signed(api_sign="c2lnbmVk")),
    ("EAPI:Invalid nonce", stale_nonce),
    ("EAPI:Rate limit exceeded", too_many_calls),
    ("EGeneral:Permission denied", without_permission),
    ("EGeneral:Unknown method", call("Withdraw")),
    ("EGeneral:Unknown method", public("Nonsense")),
    ("EGeneral:Invalid arguments", call("CancelOrder")),
    ("EGeneral:Invalid arguments:pair", order(pair="")),
    ("EGeneral:Invalid arguments:type", order(type="hold")),
    ("EGeneral:Invalid arguments:ordertype", order(ordertype="wish")),
    ("EGeneral:Invalid arguments:volume", order(volume="much")),
    ("EGeneral:Invalid arguments:price", order(price="high")),
    ("EGeneral:Invalid arguments:oflags", order(oflags="gold")),
    ("EGeneral:Invalid arguments:oflags", order(oflags="fcib,fciq")),
    ("EGeneral:Invalid arguments:timeinforce", order(timeinforce="FOREVER")),
    ("EGeneral:Invalid arguments:expiretm", order(timeinforce="GTD", expiretm="+1")),
    ("EGeneral:Invalid arguments:deadline", order(deadline=AT.isoformat())),
    ("EGeneral:Invalid arguments:leverage", order(leverage="99")),
    ("EGeneral:Invalid arguments:userref", order(userref="x")),
    ("EGeneral:Invalid arguments:stptype", order(stptype="cancel-me")),
    ("EGeneral:Invalid arguments:cl_ord_id", order(cl_ord_id="x" * 40)),
    ("EGeneral:Invalid arguments:cl_ord_id not unique", client_id_twice),
    ("EService:Unavailable", maintenance),
    ("EService:Deadline elapsed", late),
    ("EService:Market in cancel_only mode", market("cancel_only")),
    ("EService:Market in post_only mode", market("post_only")),
    ("EService:Market in limit_only mode", market("limit_only", ordertype="market")),
    ("EQuery:Unknown asset pair", order(pair="FOOBAR")),
    ("EQuery:Unknown asset pair", public("Ticker", pair="FOOBAR")),
    ("EQuery:Unknown asset", public("Assets", asset="GOLD")),
    ("EQuery:Unknown asset", call("Ledgers", asset="GOLD")),
    ("EOrder:Insufficient funds", order(volume="5000")),
    ("EOrder:Insufficient funds", order(type="sell", volume="3", price="105")),
    ("EOrder:Order minimum not met", order(volume="0.00001")),
    ("EOrder:Cost minimum not met", order(volume="0.0001", price="1")),
    ("EOrder:Tick size check failed", order(price="95.05")),
    ("EOrder:Invalid price", order(price="0")),
    ("EOrder:Post only order", order(price="101", oflags="post")),
    ("EOrder:Rate limit exceeded", too_many_orders),
    ("EOrder:Orders limit exceeded", too_many_open),
    ("EOrder:Unknown order", gone("CancelOrder")),
    ("EOrder:Unknown order", gone("AmendOrder")),
    ("EOrder:Invalid order", call("CancelOrder", txid="OPAPER-AAAAA-AAAAAA")),
    ("EOrder:Invalid order", call("QueryOrders", txid="nonsense")),
    ("EOrder:Insufficient initial margin", unsecured),
    ("EOrder:Margin allowance exceeded", order(price="9000", volume="60", leverage="5")),
    ("EOrder:Margin position size exceeded", order(volume="351", leverage="5")),
    ("EOrder:Cannot open opposing position", opposing),
    ("EOrder:Unknown position", order(**MARGIN, volume="0")),
    ("EOrder:Reduce only:Non-PC", order(reduce_only="true")),
    ("EOrder:Reduce only:No position exists", order(**MARGIN, reduce_only="true")),
    ("EOrder:Reduce only:Position is closed", reduced_past_nothing),
    ("ESession:Invalid session", bad_session),
]


@pytest.mark.parametrize(("text", "request_"), TABLE, ids=[f"{n}-{text}" for n, (text, _) in enumerate(TABLE)])
def test_text(ladder, text, request_):
    """The request is refused with this text, alone."""
    assert [text] == request_(ladder)


def test_every_text_is_in_the_table():
    """No text that the exchange knows is left untried."""
    known = {value for name, value in vars(words).items() if name.isupper() and isinstance(value, str)}
    assert known <= {text for text, _ in TABLE}


@pytest.mark.parametrize(
    "text",
    [
        "EAPI:Invalid nonce",
        "EGeneral:Internal error",
        "EGeneral:Temporary lockout",
        "EGeneral:Too many requests",
        "EService:Busy",
        "EService:Timeout",
        "EService: Throttled: 1741500000",
        "EOrder:Domain rate limit exceeded",
        "ETrade:User Locked",
    ],
)
def test_text_on_demand(bench, text):
    """What no request brings about can be armed, and comes out as it was written."""
    bench.exchange.fault(Fault(kind="error", call="Balance", error=text), bench.now)
    assert [text] == ask(bench, "Balance")


def test_first_rule_broken_is_the_one_told():
    """Key, signature, nonce, permission, counter, arguments, funds: the earlier one is told when two are broken."""
    bench = Bench(pairs=("BTC/USD",))
    weak = bench.venue.keys.make("weak", (), now=bench.now)
    assert ["EAPI:Invalid signature"] == errors(bench.ticket("Balance", nonce=0, headers={"api-sign": "x"}))
    assert ["EAPI:Invalid nonce"] == errors(bench.ticket("AddOrder", SOUND, nonce=0, key=weak))
    assert ["EGeneral:Permission denied"] == ask(bench, "AddOrder", key=weak, volume="x")
    assert ["EGeneral:Invalid arguments:volume"] == ask(bench, "AddOrder", **(SOUND | {"volume": "x", "price": "1"}))
    assert ["EOrder:Tick size check failed"] == ask(bench, "AddOrder", **(SOUND | {"volume": "5000", "price": "95.05"}))
