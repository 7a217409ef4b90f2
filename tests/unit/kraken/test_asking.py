"""Kraken's own word on an order: asked without placing, told as what the order lacks, and nothing else."""

import pytest
from kraken_parts import private_side

from execsvc.domain.errors import Busy, Declined, ProtocolBroken, Reason
from tests.support.net import ScriptedHttp, answer
from tests.support.simloop import SimClock, SimTasks, run_sim
from tests.support.specs import KINDS, spec
from tests.support.venue import BTC_USD

FINE = answer({"descr": {"order": "buy 0.5 XBTUSD @ limit 60000.0"}})


def asked(reply, wish=None, seconds=2.0):
    """What Kraken has against it, and what was sent."""

    async def main():
        clock, http = SimClock(), ScriptedHttp(lambda _: reply)
        side = private_side(http, clock, SimTasks())
        found = await side.asking.objection(wish or spec(), BTC_USD, clock.monotonic() + seconds, "me")
        return found, http.sent

    return run_sim(main())


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_question_never_places(name):
    """Each kind of order is asked about with validate=true, under no id."""
    objection, sent = asked(FINE, KINDS[name])
    assert objection is None
    assert [("true", False)] == [(each.params["validate"], "cl_ord_id" in each.params) for each in sent]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("EOrder:Insufficient funds", Reason.INSUFFICIENT_FUNDS),
        ("EOrder:Order minimum not met", Reason.ORDER_MINIMUM_NOT_MET),
        ("EGeneral:Invalid arguments:price2", Reason.VENUE_REFUSED_ARGUMENTS),
        ("EGeneral:Invalid arguments:Index unavailable", Reason.TRIGGER_INDEX_UNAVAILABLE),
        ("EOrder:Orders limit exceeded", Reason.VENUE_ORDER_LIMIT),
        ("EOrder:Margin allowance exceeded", Reason.MARGIN_REFUSED),
    ],
)
def test_what_kraken_has_against_the_order_is_the_answer(text, reason):
    """With its words; once, since the question is answered."""
    objection, sent = asked(answer(None, text))
    assert (reason, text, 1) == (objection.reason, objection.metadata["venue_error"], len(sent))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("EGeneral:Permission denied", Declined),
        ("EAPI:Invalid key", Declined),
        ("EService:Unavailable", Busy),
        ("EAPI:Rate limit exceeded", Busy),
        ("EWhat:Never heard of", ProtocolBroken),
    ],
)
def test_what_is_about_the_call_is_an_error(text, error):
    """The order may be fine: nothing is said of it."""
    with pytest.raises(error):
        asked(answer(None, text))
