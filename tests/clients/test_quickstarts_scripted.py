"""What the clients do when the exchange or the network misbehaves, the same in every language."""

import itertools
import tomllib

import grpc
import pytest
from execsvc_api.v1 import order_pb2
from scripted import Failure, Script, gap, gateway, newer_event, snapshot, update
from toolchains import ROOT, run

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

IN_DOUBT = order_pb2.ORDER_STATUS_IN_DOUBT
OPEN = order_pb2.ORDER_STATUS_OPEN
NEWER = 77  # no stub has a name for it
VERSION = tomllib.loads((ROOT / "clients" / "python" / "pyproject.toml").read_text("utf-8"))["project"]["version"]
EVERY_STEP = ["connected", "tickers", "placing", "placed", "read", "cancelling", "cancelled"]
THROTTLED = Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "LOCAL_RATE_LIMITED", metadata={"id_used": "false"})


async def test_an_order_in_doubt_is_asked_for_by_its_id_and_never_placed_again(quickstart):
    """IN_DOUBT is said, then resolved by asking for the same client order id; one placement, however long it takes."""
    script = Script(placements=[IN_DOUBT], found=[IN_DOUBT, IN_DOUBT, OPEN])
    async with gateway(script) as target:
        done = await run(quickstart, target, "3")
    assert (0, "") == (done.exit_code, done.stderr)
    assert [*EVERY_STEP[:3], "in_doubt", *EVERY_STEP[3:]] == done.names()
    client_order_id = done.step("placing")["client_order_id"]
    assert [client_order_id] == [call.client_order_id for call in script.made("PlaceOrder")]
    assert {client_order_id} == {call.client_order_id for call in script.made("GetOrder")}
    assert ["OPEN", "CANCELLED"] == [done.step("placed")["status"], done.step("cancelled")["status"]]


@pytest.mark.parametrize("reason", ["", "MESH_GAVE_UP"])
async def test_an_error_that_is_not_ours_says_nothing_about_the_order(quickstart, reason):
    """A placement that fails without our ErrorInfo, or with a proxy's, is looked up by its id, not taken as refused."""
    script = Script(placements=[Failure(grpc.StatusCode.UNKNOWN, reason, "a proxy gave up", domain="mesh.example")])
    async with gateway(script) as target:
        done = await run(quickstart, target, "3")
    assert (0, "") == (done.exit_code, done.stderr)
    assert [*EVERY_STEP[:3], "no_answer", "in_doubt", *EVERY_STEP[3:]] == done.names()
    assert 1 == len(script.made("PlaceOrder"))


async def test_an_order_that_stays_in_doubt_ends_with_its_own_exit_code(quickstart):
    """When patience ends before the doubt does, the exit code is 8 and the sentence says not to place another."""
    script = Script(placements=[IN_DOUBT], found=[IN_DOUBT])
    async with gateway(script) as target:
        done = await run(quickstart, target, "3", "1")
    assert 8 == done.exit_code
    assert "ask for the same id again, place no other" in done.stderr
    assert [1, 0] == [len(script.made("PlaceOrder")), len(script.made("CancelOrder"))]


async def test_a_pushback_is_waited_out_and_the_call_repeated_under_the_same_id(quickstart):
    """grpc-retry-pushback-ms sets the spacing of attempts; the repeat has the same id and only the time that is left."""
    script = Script(placements=[Failure(THROTTLED.code, THROTTLED.reason, pushback_ms=600), OPEN])
    async with gateway(script) as target:
        done = await run(quickstart, target, "3")
    assert (0, EVERY_STEP) == (done.exit_code, done.names())
    first, second = script.made("PlaceOrder")
    assert first.client_order_id == second.client_order_id
    assert 0.6 <= second.at - first.at < 0.9
    assert 0.55 <= first.time_left - second.time_left


async def test_a_pushback_of_minus_one_is_not_repeated(quickstart):
    """Pushback -1 says that waiting cannot heal: one attempt, then the reason and what the id is still good for."""
    refusal = Failure(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "VENUE_RATE_LIMITED",
        metadata={"id_used": "true"},
        pushback_ms=-1,
        retry_after_ms=2500,
    )
    script = Script(placements=[refusal])
    async with gateway(script) as target:
        done = await run(quickstart, target, "3")
    assert (1, 1) == (done.exit_code, len(script.made("PlaceOrder")))
    assert "VENUE_RATE_LIMITED: as the script says" in done.stderr
    assert "A new try needs a new id." in done.stderr
    assert any(wait in done.stderr for wait in ("2500 ms", "2.5s"))


async def test_unavailable_is_tried_four_times_and_no_more(quickstart):
    """The policy of clients/retry.json holds: four attempts with a doubling wait, then our reason and not the library's."""
    down = Failure(grpc.StatusCode.UNAVAILABLE, "VENUE_UNREACHABLE", metadata={"id_used": "false"})
    script = Script(placements=[down])
    async with gateway(script) as target:
        done = await run(quickstart, target, "3")
    assert (1, 4) == (done.exit_code, len(script.made("PlaceOrder")))
    assert "execsvc, VENUE_UNREACHABLE: as the script says The same id may be sent again." in done.stderr
    times = [call.at for call in script.made("PlaceOrder")]
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(least * 0.8 <= wait for least, wait in zip((0.05, 0.1, 0.2), waits, strict=True))


async def test_a_stream_that_could_not_be_opened_is_opened_again(quickstart):
    """The policy is for all methods: a subscription refused before its first message is repeated as well."""
    busy = Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "CALLER_QUOTA", pushback_ms=50)
    script = Script(subscriptions=[busy, busy, None])
    async with gateway(script) as target:
        done = await run(quickstart, target, "3")
    assert (0, EVERY_STEP) == (done.exit_code, done.names())
    assert 3 == len(script.made("SubscribeTickers"))


async def test_a_status_newer_than_the_stub_is_no_end(quickstart):
    """An order status without a name here is shown by its number and treated as not terminal: it can be cancelled."""
    script = Script(placements=[NEWER], found=[NEWER])
    async with gateway(script) as target:
        done = await run(quickstart, target, "3")
    assert (0, EVERY_STEP) == (done.exit_code, done.names())
    assert [str(NEWER), "CANCELLED"] == [done.step("placed")["status"], done.step("cancelled")["status"]]


async def test_only_live_prices_are_acted_on(quickstart):
    """A price that is not LIVE, of a state newer than the stub, or from before a gap, never becomes an order's price."""
    eth = update("ETH/USD", "3000.01")
    tickers = (
        snapshot({"BTC/USD": "70000.0", "ETH/USD": "3000.01"}),
        newer_event(),
        gap("BTC/USD"),
        *(eth, eth, eth),
        update("BTC/USD", "1.0", state=2),
        update("BTC/USD", "2.0", state=NEWER),
        snapshot({"BTC/USD": "60000.1"}),
        eth,
    )
    script = Script(tickers=tickers)
    async with gateway(script) as target:
        done = await run(quickstart, target, "3")
    assert (0, EVERY_STEP) == (done.exit_code, done.names())
    assert "60000.1" == done.step("tickers")["bids"]["BTC/USD"]
    assert ["58200.0"] == [call.limit_price for call in script.made("PlaceOrder")]


async def test_a_live_venue_gets_no_order_from_an_example(quickstart):
    """Against real money the quickstart stops before it places anything, and says which setting means it."""
    script = Script(venue="kraken")
    async with gateway(script) as target:
        done = await run(quickstart, target)
    assert (1, ["connected"]) == (done.exit_code, done.names())
    assert "EXECSVC_ALLOW_LIVE=1" in done.stderr
    assert ["GetServerInfo"] == [call.method for call in script.calls]


async def test_every_call_says_which_client_it_is_and_has_a_deadline(quickstart):
    """Name and version of the client travel with each call, and no unary call is without a deadline."""
    script = Script()
    async with gateway(script) as target:
        done = await run(quickstart, target, "3")
    assert 0 == done.exit_code
    language = "typescript" if quickstart[0] == "node" else "go"
    assert {(f"execsvc-{language}", VERSION)} == {
        (call.metadata["x-client-name"], call.metadata["x-client-version"]) for call in script.calls
    }
    assert all(8 < call.time_left <= 10 for call in script.calls if call.method != "SubscribeTickers")


async def test_a_refusal_is_told_by_its_reason(quickstart):
    """Our ErrorInfo is read: the reason, the sentence, and that the id is still free."""
    refusal = Failure(
        grpc.StatusCode.FAILED_PRECONDITION, "INSUFFICIENT_FUNDS", "5 USD short.", metadata={"id_used": "true"}
    )
    script = Script(placements=[refusal])
    async with gateway(script) as target:
        done = await run(quickstart, target, "3")
    assert (1, EVERY_STEP[:3]) == (done.exit_code, done.names())
    assert "INSUFFICIENT_FUNDS: 5 USD short. A new try needs a new id." in done.stderr
    assert 0 == len(script.made("GetOrder"))


async def test_a_feed_that_is_never_live_ends_in_a_sentence(quickstart):
    """With no live price in time nothing is placed, and the sentence says how many updates there were."""
    script = Script(tickers=(update("BTC/USD", "60000.1", state=2),), tick_s=0.01)
    async with gateway(script) as target:
        done = await run(quickstart, target, "3", "1")
    assert (1, ["connected"]) == (done.exit_code, done.names())
    assert "nly 0 of 3 live updates came in time" in done.stderr
