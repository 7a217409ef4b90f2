"""Every type and option of an order as words: typed, sent, told in a line, typed again, and mistyped."""

import shlex
from datetime import UTC, datetime, timedelta

import grpc
import pytest
import typer
from execsvc_api.v1 import order_pb2, order_service_pb2
from execsvc_client._specs import spec_to_wire
from google.protobuf import text_format
from typer.testing import CliRunner

from execsvc.cli.wish import Typed, verb, wish_of
from execsvc.cli.wording import spec_words, typed_words

QTY, AT = ("--qty", "1"), ("--limit", "2")
LIMIT = 'base_quantity: "1" limit {limit_price: "2"}'
DATE, DATE_WIRE = "2030-01-31T12:00:00Z", "{seconds: 1896091200}"
# What is typed after `sell BTC/USD`, the spec that goes out, and the line a person reads.
TYPED = {
    "in quote": (
        ("--notional", "100.50"),
        'quote_quantity: "100.50" market {}',
        "sell 100.50 USD of BTC/USD market",
    ),
    "stop": (
        (*QTY, "--stop", "5"),
        'base_quantity: "1" trigger {kind: KIND_STOP_LOSS trigger_price: "5"}',
        "sell 1 BTC/USD stop 5",
    ),
    "stop limit": (
        (*QTY, "--stop", "5", "--limit", "4", "--tif", "fok"),
        (
            'base_quantity: "1" trigger {kind: KIND_STOP_LOSS trigger_price: "5" limit_price: "4"} '
            "time_in_force: TIME_IN_FORCE_FOK"
        ),
        "sell 1 BTC/USD stop 5 limit 4 FOK",
    ),
    "take profit by the index": (
        (*QTY, "--take-profit", "5", "--trigger", "index"),
        'base_quantity: "1" trigger {kind: KIND_TAKE_PROFIT trigger_price: "5" reference: TRIGGER_REFERENCE_INDEX}',
        "sell 1 BTC/USD take profit 5 by the index",
    ),
    "trail": (
        (*QTY, "--trail", "1.5%", "--trail-limit", "-10"),
        'base_quantity: "1" trailing_stop {offset {percent: "1.5"} limit_offset {absolute: "-10"}}',
        "sell 1 BTC/USD trail 1.5% limit -10",
    ),
    "settle": (
        ("--whole-position", "--settle", "--leverage", "3"),
        "full_position: true settle_position {} leverage: 3",
        "sell the whole position in BTC/USD settle leverage 3",
    ),
    "iceberg": (
        (*QTY, *AT, "--display", "0.1", "--post-only"),
        'base_quantity: "1" limit {limit_price: "2" post_only: true display_quantity: "0.1"}',
        "sell 1 BTC/USD at 2 showing 0.1 post-only",
    ),
    "good till": (
        (*QTY, *AT, "--expire", DATE, "--start", "2030-01-31T13:00:00+01:00"),
        f"{LIMIT} time_in_force: TIME_IN_FORCE_GTD expire_time {DATE_WIRE} start_time {DATE_WIRE}",
        f"sell 1 BTC/USD at 2 GTD until {DATE} from {DATE}",
    ),
    "on margin": (
        (*QTY, *AT, "--leverage", "2", "--reduce-only", "--self-trade", "cancel-both", "--fee-in", "base"),
        (
            f"{LIMIT} leverage: 2 reduce_only: true "
            "self_trade_prevention: SELF_TRADE_PREVENTION_CANCEL_BOTH fee_preference: FEE_PREFERENCE_BASE"
        ),
        "sell 1 BTC/USD at 2 leverage 2 reduce-only",
    ),
    "close at a limit": (
        (*QTY, *AT, "--close-limit", "3", "--label", "my tag"),
        f'{LIMIT} conditional_close {{limit {{limit_price: "3"}}}} label: "my tag"',
        "sell 1 BTC/USD at 2 then close at 3",
    ),
    "close by a stop": (
        (*QTY, *AT, "--close-stop", "1", "--close-limit", "0.9"),
        f'{LIMIT} conditional_close {{trigger {{kind: KIND_STOP_LOSS trigger_price: "1" limit_price: "0.9"}}}}',
        "sell 1 BTC/USD at 2 then close stop 1 limit 0.9",
    ),
    "close by a take profit": (
        (*QTY, *AT, "--close-take-profit", "3"),
        f'{LIMIT} conditional_close {{trigger {{kind: KIND_TAKE_PROFIT trigger_price: "3"}}}}',
        "sell 1 BTC/USD at 2 then close take profit 3",
    ),
    "close by a trail": (
        (*QTY, *AT, "--close-trail", "2%", "--close-trail-limit", "0.5%"),
        f'{LIMIT} conditional_close {{trailing_stop {{offset {{percent: "2"}} limit_offset {{percent: "0.5"}}}}}}',
        "sell 1 BTC/USD at 2 then close trail 2% limit 0.5%",
    ),
}


def spec_of(name):
    return text_format.Parse(f'symbol: "BTC/USD" side: SIDE_SELL {TYPED[name][1]}', order_pb2.OrderSpec())


@pytest.mark.parametrize("name", TYPED)
def test_every_type_and_option_can_be_typed(execsvc, gateway, placed, name):
    """The spec that goes out is the one that was typed, and nothing besides."""
    gateway.script("PlaceOrder", placed())
    assert execsvc("sell", "BTC/USD", *TYPED[name][0]).code == 0
    (request,) = gateway.requests["PlaceOrder"]
    assert spec_of(name) == request.spec


@pytest.mark.parametrize("name", TYPED)
def test_an_order_is_told_in_one_line(name):
    """A person reads what was wanted; what is as by default goes without saying."""
    assert TYPED[name][2] == spec_words(spec_of(name))


@pytest.mark.parametrize("name", TYPED)
def test_an_order_in_words_types_itself_again(name):
    """What `--plan` says to type instead is the same order."""
    heard = []
    echo = typer.Typer()
    echo.command()(verb(Typed, lambda typed: heard.append(wish_of(typed, "sell", datetime.now(UTC))), "Hear it."))
    words = shlex.split(typed_words(spec_of(name)))
    assert 0 == CliRunner().invoke(echo, ["BTC/USD", *words], catch_exceptions=False).exit_code
    (wish,) = heard
    assert spec_of(name) == spec_to_wire(
        wish.symbol,
        wish.side,
        size=wish.quantity,
        limit_price=wish.limit_price,
        market=wish.market,
        options=wish.options,
    )


def test_a_span_counts_from_now(execsvc, gateway, placed):
    """+90s, +15m, +2h, +1d; an end alone means good till then."""
    gateway.script("PlaceOrder", placed())
    before = datetime.now(UTC)
    assert execsvc("sell", "BTC/USD", *QTY, *AT, "--expire", "+1d", "--start", "+15m").code == 0
    (request,) = gateway.requests["PlaceOrder"]
    expires, starts = (stamp.ToDatetime(tzinfo=UTC) for stamp in (request.spec.expire_time, request.spec.start_time))
    assert order_pb2.TIME_IN_FORCE_GTD == request.spec.time_in_force
    assert timedelta(days=1, seconds=-1) < expires - before < timedelta(days=1, minutes=1)
    assert timedelta(hours=23, minutes=45) == expires - starts


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--qty, --notional or --whole-position"),
        ((*QTY, "--notional", "5"), "--qty, --notional or --whole-position"),
        ((*QTY, "--stop", "5", "--trail", "1"), "one of --stop, --take-profit, --trail and --settle"),
        ((*QTY, *AT, "--trail", "1"), "use --trail-limit"),
        ((*QTY, "--stop", "5", "--display", "1"), "--post-only and --display are of limit orders"),
        ((*QTY, *AT, "--trail-limit", "1"), "--trail-limit goes with --trail"),
        ((*QTY, *AT, "--tif", "DAY"), "--tif is 'DAY': GTC, IOC, FOK or GTD"),
        ((*QTY, *AT, "--ioc", "--tif", "FOK"), "--ioc and --tif FOK"),
        ((*QTY, *AT, "--expire", "soon"), "--expire soon: a span such as +90s"),
        ((*QTY, *AT, "--expire", "+99999999999d"), "beyond all time"),
        ((*QTY, "--stop", "5", "--trigger", "mid"), "--trigger is 'mid': last or index"),
        ((*QTY, *AT, "--fee-in", "usd"), "--fee-in is 'usd': base or quote"),
        ((*QTY, *AT, "--self-trade", "fight"), "cancel-newest, cancel-oldest or cancel-both"),
        (
            (*QTY, *AT, "--close-trail-limit", "1"),
            "a close is one of --close-limit, --close-stop, --close-take-profit and --close-trail",
        ),
        ((*QTY, *AT, "--close-stop", "5", "--close-trail-limit", "1"), "--close-trail-limit goes with --close-trail"),
        ((*QTY, *AT, "--close-limit", "5", "--close-trail", "1"), "--close-trail-limit, not with --close-limit"),
        ((*QTY, *AT, "--ask-kraken"), "--ask-kraken goes with --plan"),
        ((*QTY, "--stop", "1,5"), "--stop is '1,5'"),
        ((*QTY, *AT, "--close-stop", "1,5"), "--close-stop is '1,5'"),
    ],
)
def test_a_mistyped_order_is_told_in_the_words_that_were_typed(execsvc, gateway, placed, words, said):
    """Exit 2 with the options' own names; nothing is sent."""
    gateway.script("PlaceOrder", placed())
    found = execsvc("sell", "BTC/USD", *words, "-o", "json")
    assert (2, []) == (found.code, gateway.requests["PlaceOrder"])
    assert said in found.json["error"]["message"]


@pytest.mark.parametrize(
    ("path", "description", "said"),
    [
        ("spec.expire_time", "required with TIME_IN_FORCE_GTD", "--expire: required with --tif GTD"),
        ("spec.leverage", "required with settle_position", "--leverage: required with --settle"),
        ("spec.trailing_stop.offset.percent", "must be above 0", "--trail: must be above 0"),
        ("spec.trailing_stop.offset", "one of absolute, percent", "--trail: one of absolute, percent"),
        ("spec.conditional_close.limit.limit_price", "must be above 0", "--close-limit: must be above 0"),
        ("spec.limit.limit_price", "must be above 0", "--limit: must be above 0"),
        ("entries[0].spec", "required: what is wanted", "entries[0].spec: required: what is wanted"),
    ],
)
def test_what_the_gateway_refuses_is_told_in_the_words_that_were_typed(execsvc, gateway, fail, path, description, said):
    """A path of the request is told as the option that it came from; reason and exit code stay as they are."""
    refusal = fail(
        grpc.StatusCode.INVALID_ARGUMENT,
        reason="INVALID_REQUEST",
        message=f"the request is malformed: {path}: {description}",
        bad=((path, description),),
    )
    gateway.script("PlaceOrder", refusal)
    found = execsvc("sell", "BTC/USD", *QTY, *AT, "-o", "json")
    assert (2, "INVALID_REQUEST", f"the request is malformed: {said}") == (
        *(found.code, found.json["error"]["reason"], found.json["error"]["message"]),
    )


AT_ONCE = {
    "market": (),
    "ioc": ("--limit", "5", "--tif", "IOC"),
    "fok": ("--limit", "5", "--tif", "fok"),
    "settle": ("--settle", "--leverage", "2"),
}


@pytest.mark.parametrize("name", AT_ONCE)
def test_an_order_that_rests_nowhere_is_told_with_its_end(execsvc, gateway, placed, order, name):
    """It is open for a moment only: that moment is waited for."""
    gateway.script("PlaceOrder", placed("c-1", "OPEN"))
    gateway.script("GetOrder", order_service_pb2.GetOrderResponse(order=order("c-1", "FILLED")))
    found = execsvc("sell", "BTC/USD", *QTY, *AT_ONCE[name], "-o", "json")
    assert (0, "ORDER_STATUS_FILLED") == (found.code, found.json["order"]["status"])


WAITING = {
    "limit": ("--limit", "5"),
    "stop": ("--stop", "5"),
    "stop limit that takes": ("--stop", "5", "--limit", "4", "--tif", "IOC"),
    "scheduled": ("--start", "+1h"),
}


@pytest.mark.parametrize("name", WAITING)
def test_an_order_that_may_wait_for_long_is_told_at_once(execsvc, gateway, placed, name):
    """As it stood when the exchange took it; nobody is asked again."""
    gateway.script("PlaceOrder", placed("c-1", "OPEN"))
    found = execsvc("sell", "BTC/USD", *QTY, *WAITING[name], "-o", "json")
    assert (0, "ORDER_STATUS_OPEN", []) == (*(found.code, found.json["order"]["status"], gateway.requests["GetOrder"]),)


def test_an_order_whose_end_cannot_be_told_is_placed_all_the_same(execsvc, gateway, placed, fail):
    """What was placed never looks like a failure."""
    gateway.script("PlaceOrder", placed("c-1", "OPEN"))
    gateway.script("GetOrder", fail(grpc.StatusCode.PERMISSION_DENIED, reason="PERMISSION_DENIED"))
    found = execsvc("sell", "BTC/USD", *QTY, "-o", "json")
    assert (0, "ORDER_STATUS_OPEN") == (found.code, found.json["order"]["status"])


@pytest.mark.parametrize("name", ["stop limit", "trail", "in quote"])
def test_a_list_tells_the_type_with_its_prices(execsvc, gateway, order, name):
    """The trigger and the limit, not one of the two."""
    listed = order("c-1", "PENDING")
    listed.spec.CopyFrom(spec_of(name))
    gateway.script("ListOrders", order_service_pb2.ListOrdersResponse(orders=[listed]))
    words = {"stop limit": "stop 5 limit 4", "trail": "trail 1.5% limit -10", "in quote": "market"}[name]
    assert words in execsvc("order", "list").out.splitlines()[1]
