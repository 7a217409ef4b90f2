"""The verb limits, and `--plan` of buy and sell: what may go, and what an order would do."""

import grpc
import pytest
from execsvc_api.v1 import (
    account_service_pb2,
    admin_service_pb2,
    limits_pb2,
    market_data_service_pb2,
    order_service_pb2,
)

KEY = limits_pb2.COUNTER_KIND_REST_KEY
PAIR = limits_pb2.COUNTER_KIND_ENGINE_PAIR
READ, PLACE = limits_pb2.CALL_CLASS_READ, limits_pb2.CALL_CLASS_PLACE


def counter(name="BTC/USD", **more):
    given = {
        "kind": PAIR,
        "name": name,
        "level": "117.001",
        "max": "125",
        "decay_per_second": "2.34",
        "headroom": "8.499",
        "open_orders": 3,
        "max_open_orders": 80,
    }
    return limits_pb2.Counter(**(given | more))


def key():
    return counter(
        "main", kind=KEY, level="0", max="20", decay_per_second="0.5", headroom="12", open_orders=0, max_open_orders=0
    )


def answer(call_class, symbol, allowed, wait_ms=0):
    found = limits_pb2.CapacityAnswer(allowed_now=allowed)
    found.query.call_class, found.query.symbol, found.query.count = call_class, symbol, 1
    if wait_ms is not None:
        found.wait.FromMilliseconds(wait_ms)
    return found


def told(*pairs, answers=(), limit="1000"):
    found = account_service_pb2.GetLimitsResponse(account="main", tier="intermediate", counters=[key(), *pairs])
    found.answers.extend([answer(READ, "", 12), *answers])
    if limit:
        found.caller_limits.add(name="max_order_notional", limit=limit)
    return found


# ---- limits ----------------------------------------------------------------------------------------------------------


def test_limits_shows_what_may_go_now(execsvc, gateway):
    """Tier and limits, then a row a counter with its figures on the safe side and what may go, in words."""
    gateway.script("GetLimits", told(counter(), answers=[answer(PLACE, "BTC/USD", 8)]))
    said = execsvc("limits", "btc-usd")
    assert said.code == 0
    assert said.out.splitlines() == [
        "tier  intermediate",
        "limit               used    of  for the orders of",
        "max_order_notional        1000  every caller, every pair",
        "counter    level  max  decay/s  headroom  open  of  room",
        "key main    0.00   20      0.5     12.00            12 reads now, or one every 2.00 s",
        "BTC/USD   117.01  125     2.34      8.49     3  80  8 orders now, or one every 0.43 s",
    ]


def test_limits_shows_what_is_used_of_a_limit_and_whose_it_is(execsvc, gateway):
    """One name may stand there twice: for whom tells them apart, and what refuses nothing says so."""
    answer = told()
    answer.caller_limits.add(name="max_order_notional", limit="400", caller="signal")
    answer.caller_limits.add(name="max_open_orders", symbol="BTC/USD", used="2", limit="5", shadow=True)
    gateway.script("GetLimits", answer)
    assert [
        "limit               used    of  for the orders of",
        "max_order_notional        1000  every caller, every pair",
        "max_order_notional         400  caller signal, every pair",
        "max_open_orders        2     5  every caller, BTC/USD      only observed",
    ] == execsvc("limits").out.splitlines()[1:5]


def test_limits_says_when_the_day_of_a_daily_limit_ends(execsvc, gateway):
    """Of these alone, whether they refuse or only watch."""
    answer = told(limit="")
    answer.caller_limits.add(name="max_open_notional", used="40.00", limit="900")
    answer.caller_limits.add(name="max_daily_notional", used="1555.04", limit="2000")
    answer.caller_limits.add(name="max_daily_loss", used="0.00", limit="100", shadow=True)
    gateway.script("GetLimits", answer)
    assert [
        "limit                  used    of  for the orders of",
        "max_open_notional     40.00   900  every caller, every pair",
        "max_daily_notional  1555.04  2000  every caller, every pair  until 00:00 UTC",
        "max_daily_loss         0.00   100  every caller, every pair  until 00:00 UTC, only observed",
    ] == execsvc("limits").out.splitlines()[1:5]


def test_limits_of_a_caller_that_is_held_to_none_shows_none(execsvc, gateway):
    """No heads stand there over nothing."""
    gateway.script("GetLimits", told(limit=""))
    assert ["tier  intermediate", "counter"] == [line[:18] for line in _begun(execsvc("limits").out)]


def _begun(out):
    first, second, *_ = out.splitlines()
    return first, second.split("  ")[0]


def test_limits_asks_about_the_pairs_that_were_named(execsvc, gateway):
    """One call: their counters, one read and one placement of each."""
    gateway.script("GetLimits", told())
    execsvc("limits", "BTC/USD", "ethusd", "--account", "main")
    (request,) = gateway.requests["GetLimits"]
    assert ("main", ["BTC/USD", "ethusd"]) == (request.account, list(request.symbols))
    assert [(READ, ""), (PLACE, "BTC/USD"), (PLACE, "ethusd")] == [
        (each.call_class, each.symbol) for each in request.queries
    ]


def test_limits_of_no_pair_is_of_those_used_so_far(execsvc, gateway):
    """First it learns which they are, then it asks what may go on them."""
    gateway.script("GetLimits", told(counter(), counter("ETH/USD")))
    execsvc("limits")
    first, second = gateway.requests["GetLimits"]
    assert ([], [], ["BTC/USD", "ETH/USD"], 3) == (
        *(list(first.symbols), list(first.queries)),
        *(list(second.symbols), len(second.queries)),
    )


def test_limits_of_many_pairs_asks_no_more_than_the_contract_allows(execsvc, gateway):
    """Fifty questions at most; a counter that was not asked about has no words beside it."""
    names = [f"A{number}/USD" for number in range(60)]
    gateway.script("GetLimits", told(*map(counter, names), answers=[answer(PLACE, names[0], 8)]))
    said = execsvc("limits", *names)
    assert 50 == len(gateway.requests["GetLimits"][0].queries)
    assert said.out.splitlines()[-1].endswith("80")


@pytest.mark.parametrize(
    ("found", "more", "words"),
    [
        (answer(PLACE, "BTC/USD", 1), {}, "1 order now, or one every 0.43 s"),
        (answer(PLACE, "BTC/USD", 0, 1250), {}, "none now, one in 1.25 s, then one every 0.43 s"),
        (answer(PLACE, "BTC/USD", 0, None), {"open_orders": 80}, "none: too many open orders"),
        (answer(PLACE, "BTC/USD", 0, None), {}, "none: not before a person has looked"),
        (answer(PLACE, "BTC/USD", 9), {"decay_per_second": "0"}, "9 orders now"),
        (
            answer(PLACE, "BTC/USD", 0, 900_000),
            {"blocked_until_time": {"seconds": 1_700_000_000}},
            "none: blocked until 22:13:20 UTC",
        ),
    ],
    ids=["one", "soon", "crowded", "stopped", "uncounted", "blocked"],
)
def test_limits_says_in_words_what_may_go(execsvc, gateway, found, more, words):
    """How many, or when the next, or why none."""
    gateway.script("GetLimits", told(counter(**more), answers=[found]))
    assert execsvc("limits", "BTC/USD").out.splitlines()[-1].endswith(f"80  {words}")


def test_limits_as_json_is_the_methods_own_answer(execsvc, gateway):
    """In its names, on one line with jsonl."""
    gateway.script("GetLimits", told(counter(), answers=[answer(PLACE, "BTC/USD", 8)]))
    found = execsvc("limits", "BTC/USD", "-o", "json").json
    assert ("intermediate", "117.001", "CALL_CLASS_PLACE", 8) == (
        found["tier"],
        found["counters"][1]["level"],
        found["answers"][1]["query"]["callClass"],
        found["answers"][1]["allowedNow"],
    )
    assert 1 == len(execsvc("limits", "BTC/USD", "-o", "jsonl").lines)


def test_limits_of_an_unknown_pair_is_exit_2(execsvc, gateway, fail):
    """As of any verb."""
    gateway.script("GetLimits", fail(grpc.StatusCode.NOT_FOUND, "UNKNOWN_SYMBOL"))
    said = execsvc("limits", "FOO/USD", "-o", "json")
    assert (2, "UNKNOWN_SYMBOL") == (said.code, said.json["error"]["reason"])


@pytest.mark.parametrize("reason", ["LOCAL_RATE_LIMITED", "VENUE_RATE_LIMITED"])
def test_whoever_is_throttled_is_sent_to_limits(execsvc, gateway, fail, reason):
    """The next step is the verb that shows the counters, of the pair in question."""
    gateway.script("PlaceOrder", fail(grpc.StatusCode.RESOURCE_EXHAUSTED, reason, retry_after=0.43))
    said = execsvc("buy", "ETH/USD", "--qty", "1", "--limit", "9", "-o", "json")
    assert (7, "execsvc limits ETH/USD", 430) == (
        said.code,
        said.json["error"]["try"],
        said.json["error"]["retry_after_ms"],
    )


# ---- plan ------------------------------------------------------------------------------------------------------------


def preview(*, placeable=True, breaches=(), wait_ms=0, allowed=True, value="60.00"):
    found = order_service_pb2.PreviewOrderResponse(
        account="main",
        placeable=placeable,
        notional="60.0",
        reference_price="60000.0",
        engine_cost="1",
        engine_counter=counter(),
    )
    spec = found.rounded_spec
    spec.symbol, spec.side, spec.base_quantity, spec.limit.limit_price = "BTC/USD", 1, "0.00100000", "60000.0"
    found.risk.allowed = allowed
    found.risk.checks.add(name="max_order_notional", passed=allowed, value=value, limit="1000", message="it is so")
    for field, reason, fixed in breaches:
        found.breaches.add(field=field, reason=reason, message="it is off", fixed_by_rounding=fixed)
    if wait_ms is not None:
        found.wait.FromMilliseconds(wait_ms)
    return found


def planned(execsvc, *more, side="buy"):
    return execsvc(side, "XBTUSD", "--qty", "0.0010000001", "--limit", "60000.01", "--plan", *more)


def test_plan_shows_the_order_as_it_would_go(execsvc, gateway):
    """Rounded, with limits, worth, points, counter and wait; and it says that nothing was placed."""
    gateway.script("PreviewOrder", preview())
    said = planned(execsvc)
    assert said.out.splitlines() == [
        "order               buy 0.00100000 BTC/USD at 60000.0",
        "would go now        yes",
        "max_order_notional  passed: it is so",
        "worth               60 USD, at 60000",
        "fee                 not known: the account's rates cannot be read now",
        "costs               1 of Kraken's points",
        "counter             117.00 of 125, 3 of 80 orders open",
        "wait                none",
    ]
    assert (0, "nothing was placed\n") == (said.code, said.err)


def test_plan_tells_what_the_order_costs(execsvc, gateway):
    """Resting and taking, in the fee's asset, with the rate; without a price the rate alone."""
    found = preview()
    found.fees.asset, found.fees.maker_rate, found.fees.taker_rate = "USD", "0.0025", "0.0040"
    found.fees.maker_fee, found.fees.taker_fee = "0.15000", "0.24000"
    gateway.script("PreviewOrder", found)
    assert "fee                 0.15 USD (0.25 %) resting, 0.24 USD (0.4 %) taking" in planned(execsvc).out.splitlines()
    found.fees.maker_fee = found.fees.taker_fee = ""
    assert "fee                 0.25 % resting, 0.4 % taking" in planned(execsvc).out.splitlines()


def test_plan_places_nothing_and_asks_nobody(execsvc, gateway):
    """One read with what was typed, on a live gateway too: no id is made, no leave is asked."""
    gateway.mode = "live"
    gateway.script("PreviewOrder", preview())
    assert 0 == planned(execsvc, "--post-only", "--ioc", "--label", "mine", side="sell").code
    assert ["PreviewOrder"] == [name for name, requests in gateway.requests.items() if requests]
    spec = gateway.requests["PreviewOrder"][0].spec
    assert ("XBTUSD", 2, "0.0010000001", "60000.01", True, 2, "mine") == (
        *(spec.symbol, spec.side, spec.base_quantity, spec.limit.limit_price),
        *(spec.limit.post_only, spec.time_in_force, spec.label),
    )


def test_plan_of_a_market_order_has_no_price(execsvc, gateway):
    """And where nothing can be reckoned it says so."""
    found = preview()
    found.rounded_spec.market.SetInParent()
    found.notional = found.reference_price = ""
    gateway.script("PreviewOrder", found)
    said = execsvc("buy", "BTC/USD", "--qty", "0.001", "--plan")
    assert "order               buy 0.00100000 BTC/USD market" in said.out
    assert "worth               no price to reckon with" in said.out
    assert "market" == gateway.requests["PreviewOrder"][0].spec.WhichOneof("order_type")


def touch():
    found = market_data_service_pb2.GetTickersResponse()
    found.tickers.add(symbol="BTC/USD", bid_price="50000.0", ask_price="50000.1")
    return found


@pytest.mark.parametrize(
    ("side", "size", "said"),
    [
        ("buy", ("--qty", "0.002"), "about 100.0002 USD, at the 50000.1 of just now"),
        ("sell", ("--qty", "0.002"), "about 100 USD, at the 50000 of just now"),
        ("buy", ("--notional", "100"), "100 USD, about 0.002 BTC at the 50000.1 of just now"),
    ],
)
def test_plan_reckons_with_the_price_of_just_now_where_the_gateway_has_none(execsvc, gateway, side, size, said):
    """For a person, and said to be no more than that: what the limits count is the gateway's figure."""
    found = preview()
    found.rounded_spec.market.SetInParent()
    found.notional = found.reference_price = ""
    if size[0] == "--qty":
        found.rounded_spec.base_quantity = size[1]
    else:
        found.rounded_spec.quote_quantity = found.notional = size[1]
    gateway.script("PreviewOrder", found)
    gateway.script("GetTickers", touch())
    assert f"worth               {said}" in execsvc(side, "BTC/USD", *size, "--plan").out.splitlines()


def test_plan_leaves_out_the_fee_of_a_way_that_the_order_cannot_go(execsvc, gateway):
    """A post-only order never takes, a market order never rests."""
    found = preview()
    found.fees.asset, found.fees.maker_rate, found.fees.taker_rate = "USD", "0.0025", "0.0040"
    found.rounded_spec.limit.post_only = True
    gateway.script("PreviewOrder", found)
    assert "fee                 0.25 % resting" in planned(execsvc).out.splitlines()
    found.rounded_spec.market.SetInParent()
    assert "fee                 0.4 % taking" in planned(execsvc).out.splitlines()


OFF = ("spec.limit.limit_price", "TICK_SIZE_VIOLATED", True)


def test_plan_of_an_order_that_is_off_says_what_to_type_instead(execsvc, gateway):
    """The rule, that rounding mends it, and the line that would go; the code is the refusal's."""
    gateway.script("PreviewOrder", preview(breaches=[OFF]))
    said = planned(execsvc)
    assert 2 == said.code
    assert "TICK_SIZE_VIOLATED  it is off (mended by rounding)" in said.out
    assert "execsvc buy BTC/USD --qty 0.00100000 --limit 60000.0\n" in said.err


@pytest.mark.parametrize(
    ("found", "code", "line"),
    [
        (preview(placeable=False, breaches=[("", "TRADING_HALTED", False)]), 6, "TRADING_HALTED      it is off"),
        (preview(placeable=False, breaches=[("spec.symbol", "INSTRUMENT_STATUS", False)]), 11, "INSTRUMENT_STATUS "),
        (preview(placeable=False, allowed=False), 6, "max_order_notional  refused: it is so"),
        (preview(placeable=False, wait_ms=430), 7, "wait                0.430 s"),
        (preview(placeable=False, wait_ms=None), 7, "wait                never"),
    ],
    ids=["halted", "maintenance", "too large", "no room", "never"],
)
def test_plan_ends_as_the_order_itself_would(execsvc, gateway, found, code, line):
    """The exit code is that of the reason, and the table says why."""
    gateway.script("PreviewOrder", found)
    said = planned(execsvc)
    assert (code, True) == (said.code, line in said.out)
    assert "would go now        no" in said.out


def checked(*checks):
    """A preview with these checks besides: name, passed, shadow."""
    found = preview(placeable=False, allowed=all(passed or shadow for _, passed, shadow in checks))
    del found.risk.checks[:]
    for name, passed, shadow in checks:
        found.risk.checks.add(name=name, passed=passed, shadow=shadow, limit="1", message="it is so")
    return found


@pytest.mark.parametrize(
    ("checks", "code"),
    [
        ((("max_orders_per_s", False, False),), 7),
        ((("max_orders_per_s", False, False), ("max_open_orders", False, False)), 6),
        ((("max_orders_per_s", False, False), ("max_open_orders", False, True)), 7),
    ],
    ids=["too fast", "and too many", "of which one is only observed"],
)
def test_a_plan_that_only_comes_too_soon_ends_as_such(execsvc, gateway, checks, code):
    """The caller's pace heals by waiting, any other limit does not."""
    gateway.script("PreviewOrder", checked(*checks))
    assert code == planned(execsvc).code


def test_plan_tells_what_is_only_observed(execsvc, gateway):
    """Such a check fails and refuses nothing."""
    gateway.script("PreviewOrder", checked(("max_open_orders", False, True)))
    assert "max_open_orders  only observed: it is so" in planned(execsvc).out.splitlines()


def test_plan_as_json_is_one_value_whatever_the_exit_code(execsvc, gateway):
    """The method's own answer, and nothing besides on stdout."""
    gateway.script("PreviewOrder", preview(placeable=False, breaches=[OFF], wait_ms=430))
    said = planned(execsvc, "-o", "json")
    assert (2, False, "TICK_SIZE_VIOLATED") == (said.code, said.json["placeable"], said.json["breaches"][0]["reason"])


def test_plan_of_what_cannot_be_meant_is_exit_2(execsvc, gateway):
    """Refused before anything is asked."""
    said = execsvc("buy", "BTC/USD", "--qty", "1e3", "--plan", "-o", "json")
    assert (2, "validation", []) == (said.code, said.json["error"]["category"], gateway.requests["PreviewOrder"])


# ---- status ----------------------------------------------------------------------------------------------------------


def test_status_shows_the_lanes_on_which_calls_do_not_simply_flow(execsvc, gateway):
    """A breaker that is not CLOSED, its end and its queue; the end of a lockout."""
    found = admin_service_pb2.GetVenueStatusResponse(mode=1, public_feed=1)
    health = found.accounts.add(account="main", private_feed=1)
    health.locked_out_until_time.seconds = 1_700_000_000
    health.lanes.add(lane="cancel", breaker=1)
    health.lanes.add(lane="trade", breaker=2, queue_depth=3).blocked_until_time.seconds = 1_700_000_000
    health.lanes.add(lane="read", breaker=3)
    gateway.script("GetVenueStatus", found)
    said = execsvc("status").out
    assert "  locked out" in said
    assert "by Kraken until 22:13:20 UTC" in said
    assert "breaker OPEN until 22:13:20 UTC, 3 waiting" in said
    assert "breaker PROBING\n" in said
    assert "lane cancel" not in said
