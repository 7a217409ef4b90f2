"""docs/reference/orders.md: its three languages say the same, its table is the server's own, and every example is placed."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import grpc
import pytest
from execsvc_api.v1 import order_service_pb2, order_service_pb2_grpc
from execsvc_client import OrderStatus, new_client_order_id

from execsvc.domain.instrument import Instrument, InstrumentStatus
from execsvc.kraken import encode
from execsvc.rpc import matrix
from execsvc.rpc.convert.orders import spec_of
from execsvc.rpc.validate import violations
from tests.docs.orderpage import DATE, PAGE, evaluated, examples, spec_of_json, spec_of_python, spec_of_sh
from tests.support.orderdesk import BTC, order_desk
from tests.support.processes import clean_environ

TEXT = PAGE.read_text()
EXAMPLES = examples(TEXT)
PAIR = Instrument(
    symbol="BTC/USD",
    base="BTC",
    quote="USD",
    status=InstrumentStatus.ONLINE,
    price_increment=Decimal("0.1"),
    price_decimals=1,
    quantity_increment=Decimal("0.00000001"),
    quantity_decimals=8,
    min_quantity=Decimal("0.0001"),
    min_cost=Decimal("0.5"),
    cost_decimals=5,
    venue_symbols=("XXBTZUSD",),
)
every_example = pytest.mark.parametrize("name", EXAMPLES)


# ---- the page by itself -----------------------------------------------------------------------------------------


@every_example
def test_the_three_languages_say_the_same(name):
    """What is typed, what the client is asked for and the JSON are one spec, well formed."""
    example = EXAMPLES[name]
    said = spec_of_json(example)
    assert (said, said, []) == (spec_of_sh(example), spec_of_python(example), list(violations(said, "spec.")))


@every_example
def test_what_kraken_is_sent_is_what_the_page_says(name):
    """The parameters of AddOrder, but for id and deadline, which are new each time."""
    example = EXAMPLES[name]
    asked = encode.add_order_dry(spec_of(spec_of_json(example)), PAIR)
    assert example.sent == " ".join(f"{key}={value}" for key, value in asked.items() if key != "validate")


def test_every_type_and_option_of_the_contract_has_an_example():
    """Each field of an order's spec is set by one of them, and each kind of a trigger."""
    specs = [spec_of_json(each) for each in EXAMPLES.values()]
    told = {field.name for each in specs for field, _ in each.ListFields()}
    assert {field.name for field in specs[0].DESCRIPTOR.fields} == told
    assert set(matrix.TYPES) == {matrix.type_of(each) for each in specs}
    closes = {each.conditional_close.WhichOneof("order_type") for each in specs}
    assert {"limit", "trigger", "trailing_stop", None} == closes


# The cells of the page's table, in the words of the page.
WORDS = {
    matrix.YES: "yes",
    matrix.LEVERED: "with leverage",
    matrix.SPOT_BUY: "buys without leverage",
    matrix.RESTS: "not with IOC, FOK",
    None: "",
}
TIMES = {0: "", 1: "GTC", 2: "IOC", 3: "FOK", 4: "GTD"}


def test_the_table_is_the_servers_own():
    """Option by type, as the server's validation has it."""
    rows = [
        [cell.strip(" `") for cell in row.strip("|").split("|")] for row in re.findall(r"^\|.*\|$", TEXT, re.MULTILINE)
    ]
    heads = next(row for row in rows if row[0] == "option")
    assert ["option", *matrix.TYPES] == heads
    told = {row[0]: row[1:] for row in rows if row[0] in {*matrix.MATRIX, "time_in_force"}}
    in_force = [", ".join(TIMES[each] for each in sorted(matrix.TIMES_IN_FORCE[kind]) if each) for kind in matrix.TYPES]
    assert {
        **{option: [WORDS[cells.get(kind)] for kind in matrix.TYPES] for option, cells in matrix.MATRIX.items()},
        "time_in_force": [each or "leave it unset" for each in in_force],
    } == told


def plans():
    """The lines of the page that look and do not place."""
    return [line for line in TEXT.splitlines() if line.startswith("execsvc ") and "--plan" in line]


# ---- placed -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with order_desk(home) as desk:
        yield desk, clean_environ(home, EXECSVC_TARGET=desk.target, EXECSVC_OUTPUT="json")


def in_a_shell(line, environ):
    shell = {**environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"}
    return subprocess.run(["bash", "-c", line], env=shell, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.process
@pytest.mark.parametrize("line", plans())
def test_a_plan_places_nothing(line, served):
    """It says what would be, and the exchange has no order of it."""
    desk, environ = served
    desk.still()
    before = desk.traces()
    done = in_a_shell(line, environ)
    assert (0, "nothing was placed", before) == (done.returncode, done.stderr.splitlines()[0], desk.traces())


def by_sh(example, desk, environ):
    """Typed as it stands, in a shell."""
    done = in_a_shell(example.sh, environ)
    assert 0 == done.returncode, done.stderr
    return desk.client.get_order(json.loads(done.stdout)["order"]["clientOrderId"])


def by_python(example, desk, _):
    return evaluated(example, desk.client).order


def by_json(example, desk, _):
    """The spec in a PlaceOrder request of any gRPC client."""
    request = order_service_pb2.PlaceOrderRequest(client_order_id=new_client_order_id(), spec=spec_of_json(example))
    with grpc.insecure_channel(desk.target) as channel:
        order_service_pb2_grpc.OrderServiceStub(channel).PlaceOrder(request, timeout=10)
    return desk.client.get_order(request.client_order_id)


@pytest.mark.process
@pytest.mark.parametrize("language", [by_sh, by_python, by_json], ids=["sh", "python", "json"])
@every_example
def test_every_example_is_placed_as_the_page_says(name, language, served):
    """Kraken calls it what the page says, and it stands as the page says; a position is there where one is needed."""
    desk, environ = served
    ahead = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    example = EXAMPLES[name].at(ahead.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert DATE not in example.sh
    desk.still()
    if spec_of_json(example).leverage and spec_of_json(example).side == 2:
        desk.became(desk.client.buy(BTC, quantity="0.01", market=True, leverage=2).order, OrderStatus.FILLED)
    order = desk.became(language(example, desk, environ), OrderStatus[example.stands])
    record = desk.record(order)
    assert example.words == ", ".join(filter(None, (record["descr"], record["close"])))
    desk.flat()
    assert "" == desk.proved()
