"""AmendOrder: what is said, what each answer means, and what a list of an order's amends tells."""

from decimal import Decimal

import pytest
from amend_parts import AMEND_ID, TAKEN, amend, amend_of, amend_sent, listed, standing
from kraken_parts import TXID, failing, live, raising, result_of
from msgspec import Raw

from execsvc.domain.errors import Busy, Declined, Fault, ProtocolBroken, Reason
from execsvc.domain.story import StepKind
from execsvc.kraken.amending import amend_order, shown_amends
from execsvc.kraken.endpoints import Effect
from execsvc.kraken.faults import TABLE, Move, of_texts
from execsvc.ports import AmendDeclined, AmendTaken, AmendUnknown, AmendUnsent, NotSentError, ReplyLostError
from tests.support.net import answer
from tests.unit.store.samples import StillClock

NOW_NS = 1_741_499_990 * 10**9

# ---- what is said -----------------------------------------------------------------------------------------------


def test_what_is_changed_is_said_and_nothing_else():
    """The order by its txid, absolute figures, the deadline in Kraken's time; once."""
    outcome, http = amend(lambda _: TAKEN, limit_price="37400.5", base_quantity="2")
    (sent,) = http.sent
    assert AmendTaken(AMEND_ID) == outcome
    assert "/0/private/AmendOrder" == sent.path
    assert {"txid": TXID, "limit_price": "37400.5", "order_qty": "2", "deadline": "2026-09-21T14:13:24.999Z"} == {
        name: value for name, value in sent.params.items() if name != "nonce"
    }


def test_a_trigger_and_a_shown_quantity_have_names_of_their_own():
    """As AmendOrder spells them."""
    clock = StillClock()
    order = standing(clock)
    params = amend_order(amend_of(order, clock, trigger_price="37000", display_quantity="0.2"), order, NOW_NS)
    assert {"txid", "deadline", "trigger_price", "display_qty"} == params.keys()
    assert ("37000", "0.2") == (params["trigger_price"], params["display_qty"])


POST = [
    ({"limit_price": "37400"}, True, "true"),
    ({"limit_price": "37400"}, False, None),
    ({"limit_price": "37400", "post_only": True}, False, "true"),
    ({"limit_price": "37400", "post_only": False}, True, None),
    ({"base_quantity": "1"}, True, None),
]


@pytest.mark.parametrize(("figures", "post_only", "said"), POST)
def test_a_post_only_order_stays_so_at_a_new_price(figures, post_only, said):
    """Without the flag a new price might take; who asks for another guard gets it."""
    _, http = amend(lambda _: TAKEN, spec={"post_only": post_only}, **figures)
    assert said == http.sent[0].params.get("post_only")


# ---- what an answer means -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("EOrder:Insufficient funds", Reason.INSUFFICIENT_FUNDS),
        ("EOrder:Unknown order", Reason.ORDER_TERMINAL),
        ("EOrder:Invalid order", Reason.ORDER_NOT_FOUND),
        ("EOrder:Post only order", Reason.POST_ONLY_WOULD_TAKE),
        ("EOrder:Rate limit exceeded", Reason.VENUE_RATE_LIMITED),
        ("EGeneral:Temporary lockout", Reason.NOT_PLACED),
    ],
)
def test_a_refusal_is_final_and_sent_once(text, reason):
    """The request_id is used, the figures of the reason are told."""
    outcome, http = amend(failing(text))
    assert isinstance(outcome, AmendDeclined)
    assert (reason, "true", 1) == (outcome.fault.reason, outcome.fault.metadata["id_used"], len(http.sent))


def test_a_refused_price_is_told_with_the_one_that_would_do():
    """Of the price that was wished, not of the one that stands."""
    outcome, _ = amend(failing("EOrder:Tick size check failed"), limit_price="37400.04")
    assert "37400.0" == outcome.fault.metadata["nearest"]


@pytest.mark.parametrize(
    "text",
    ["EService:Busy", "EAPI:Invalid nonce", "EGeneral:Internal error", "EOrder:A code of tomorrow"],
)
def test_what_does_not_settle_it_is_a_doubt_and_never_sent_again(text):
    """It may have been taken."""
    outcome, http = amend(failing(text))
    assert isinstance(outcome, AmendUnknown)
    assert 1 == len(http.calls("AmendOrder"))


def test_a_lost_answer_is_a_doubt_and_a_dead_connection_is_nothing_sent():
    """Whether a byte left decides."""
    lost, _ = amend(raising(ReplyLostError("reset")))
    unsent, _ = amend(raising(NotSentError("refused")))
    assert isinstance(lost, AmendUnknown)
    assert isinstance(unsent, AmendUnsent)
    assert (Reason.VENUE_UNREACHABLE, "false") == (unsent.fault.reason, unsent.fault.metadata["id_used"])


@pytest.mark.parametrize("result", [{}, {"amend_id": ""}, []])
def test_an_answer_without_an_id_is_a_doubt(result):
    """It was taken or not: the order tells."""
    outcome, _ = amend(lambda _: answer(result))
    assert isinstance(outcome, AmendUnknown)


def refused_then(text, *rows):
    def script(sent):
        return listed(*rows) if sent.path.endswith("OrderAmends") else answer(None, text)

    return script


NOTHING_TO_AMEND = "EGeneral:Invalid arguments:No amendable parameters"


@pytest.mark.parametrize("text", [NOTHING_TO_AMEND, "EService:Deadline elapsed"])
def test_a_refusal_of_what_already_stands_so_is_applied(text):
    """Kraken's "nothing to amend", in whatever words: the order is looked at, and it is as wished."""
    outcome, http = amend(refused_then(text, ("T1", "1.25", "37400", {})), limit_price="37400")
    assert AmendTaken("") == outcome
    assert ["AmendOrder", "OrderAmends"] == [sent.path.rsplit("/", 1)[-1] for sent in http.sent]


@pytest.mark.parametrize(
    ("text", "reason"),
    [(NOTHING_TO_AMEND, Reason.VENUE_REFUSED_ARGUMENTS), ("EService:Deadline elapsed", Reason.VENUE_DEADLINE_ELAPSED)],
)
def test_a_refusal_is_told_when_the_order_stands_otherwise(text, reason):
    """Looked at once, then believed."""
    outcome, _ = amend(refused_then(text, ("T1", "1.25", "37500", {})), limit_price="37400")
    assert (AmendDeclined, reason) == (type(outcome), outcome.fault.reason)


def test_a_refusal_that_cannot_be_looked_at_is_a_doubt():
    """Nothing is believed that could not be confirmed."""

    def script(sent):
        return answer(None, "EService:Busy" if sent.path.endswith("OrderAmends") else NOTHING_TO_AMEND)

    outcome, _ = amend(script)
    assert isinstance(outcome, AmendUnknown)


# ---- before it leaves -----------------------------------------------------------------------------------------------


def test_with_too_little_time_nothing_leaves():
    """Kraken would refuse the deadline: told with the least, the id free, the room given back."""

    async def act(side, clock):
        outcome = await amend_sent(side, clock, clock.monotonic() + 2.0)
        return outcome, side.rates.pair("BTC/USD").counter.level(clock.monotonic())

    (outcome, level), http = live(lambda _: TAKEN, act)
    assert (AmendUnsent, Reason.DEADLINE_TOO_SHORT, [], 0) == (type(outcome), outcome.fault.reason, http.sent, level)


def test_what_is_forbidden_at_the_last_moment_does_not_leave():
    """Asked once the turn has come."""

    async def act(side, clock):
        fault = Fault(Reason.NOT_OWNER, "another process has the store")
        return await amend_sent(side, clock, clock.monotonic() + 5.0, forbidden=lambda: fault)

    outcome, http = live(lambda _: TAKEN, act)
    assert (AmendUnsent, Reason.NOT_OWNER, []) == (type(outcome), outcome.fault.reason, http.sent)


def test_send_and_answer_are_steps_of_the_orders_story():
    """With the endpoint's name and the length of the round trip."""
    steps = []

    async def act(side, clock):
        return await amend_sent(side, clock, clock.monotonic() + 5.0, steps=steps)

    live(lambda _: TAKEN, act)
    assert [(StepKind.SENT, "AmendOrder left for Kraken."), (StepKind.ANSWERED, "Kraken answered.")] == [
        (step.kind, step.text) for step in steps
    ]


# ---- the counter ----------------------------------------------------------------------------------------------------


def levels(script, ages_s, tier="intermediate"):
    """Points on the pair's counter right after amends of one order, `ages_s` seconds apart."""

    async def act(side, clock):
        order = standing(clock)
        pair = side.rates.pair("BTC/USD")
        pair.seen_open(order.venue_order_id, clock.monotonic())
        told = []
        for age_s in ages_s:
            await clock.sleep(age_s)
            before = pair.counter.level(clock.monotonic())
            await amend_sent(side, clock, clock.monotonic() + 5.0, order=order)
            told.append(pair.counter.level(clock.monotonic()) - before)
        return told

    return live(script, act, tier=tier)[0]


def test_an_amend_costs_by_the_age_of_the_order_since_its_last_amend():
    """Young ones cost more (kraken.md 3.2); an amend makes the order young again."""
    assert [4, 4, 3, 1, 2] == [round(cost) for cost in levels(lambda _: TAKEN, (1.0, 1.0, 7.0, 60.0, 12.0))]


def test_a_refused_amend_costs_too_and_leaves_the_age_as_it_is():
    """What Kraken received it has counted; the order was not touched."""
    assert [1, 1] == [round(cost) for cost in levels(failing("EOrder:Insufficient funds"), (60.0, 1.0))]


# ---- lists ----------------------------------------------------------------------------------------------------------


def test_the_sample_of_order_amends_reads_as_three_states():
    """The published example: the placing and two amends, oldest first."""
    states = shown_amends(Raw(result_of("rest_OrderAmends")))
    assert [(False, "61032.8"), (True, "61032.7"), (True, "61032.6")] == [
        (state.by_user, str(state.limit_price)) for state in states
    ]
    assert ("TUMY4K-E4MPE-CSL2N3", Decimal("0.01000000"), 1724158214879659945) == (
        states[-1].amend_id,
        states[-1].base_quantity,
        states[-1].at_ns,
    )


def test_a_list_that_is_wrapped_once_more_reads_the_same():
    """As the official example has it (kraken.md 2.3)."""
    wrapped = Raw(b'{"response":' + result_of("rest_OrderAmends") + b"}")
    assert shown_amends(Raw(result_of("rest_OrderAmends"))) == shown_amends(wrapped)


NEGATIVE = b'{"amends":[{"amend_id":"T1","amend_type":"user","order_qty":"-1","timestamp":1}]}'


@pytest.mark.parametrize("result", [b"{}", b"[]", b'{"response":{}}', b'{"amends":[{"amend_id":"T1"}]}', NEGATIVE])
def test_a_list_that_cannot_be_read_proves_nothing(result):
    """It is broken, never empty."""
    with pytest.raises(ProtocolBroken):
        shown_amends(Raw(result))


@pytest.mark.parametrize(("text", "error"), [("EService:Busy", Busy), ("EOrder:Invalid order", Declined)])
def test_a_look_that_fails_is_raised(text, error):
    """Whoever looks decides what that means."""

    async def act(side, clock):
        return await side.amends.look(TXID, clock.monotonic() + 1.0)

    with pytest.raises(error):
        live(failing(text), act)


# ---- the table of faults --------------------------------------------------------------------------------------------

OWN = {
    "EOrder:Unknown order": (Move.TELL, Reason.ORDER_TERMINAL),
    "EOrder:Invalid order": (Move.TELL, Reason.ORDER_NOT_FOUND),
}


@pytest.mark.parametrize("text", [row.prefix for row in TABLE])
def test_an_amend_goes_by_the_orders_column_but_for_unknown_orders(text):
    """Contract.md section 8: an amend of an order that is not there is refused, which is no doubt."""
    told, order = of_texts([text], Effect.AMEND, NOW_NS), of_texts([text], Effect.ORDER, NOW_NS)
    expected = OWN.get(text, (order.move, order.fault.reason))
    assert expected == (told.move, told.fault.reason)
