"""Callers by token and certificate: who is recognised, with which rights, and what a refusal gives away."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.trace import NoOpTracerProvider

from execsvc.domain.caller import Grant, Permission
from execsvc.domain.errors import Declined, Reason
from execsvc.domain.rights import rights_of
from execsvc.rpc.callers import Known, KnownCallers, NoTokens, demand
from execsvc.telemetry import Telemetry, silent
from tests.support.tokens import BORN_NS, TokensDouble, baked, bearer

PEER = "ipv4:192.0.2.7:5000"
M, A, T, C, K, ADMIN = Permission


class HandClock:
    """The port's double: a test moves it by hand."""

    def __init__(self):
        self.now_s = 0.0

    def monotonic(self):
        return self.now_s

    def wall_ns(self):
        return BORN_NS + round(self.now_s * 1e9)


class Here:
    """One set of callers, and what it said."""

    def __init__(self, *tokens, known=(), accounts=("hedge", "main"), telemetry=None):
        self.clock = HandClock()
        self.tokens = TokensDouble(*tokens)
        self.warned = []
        self.callers = KnownCallers(
            accounts=accounts,
            known=known,
            tokens=self.tokens,
            clock=self.clock,
            telemetry=telemetry or silent(),
            warn=lambda count, peer: self.warned.append((count, peer)),
        )

    def who(self, text=None, names=()):
        return self.callers.recognise({} if text is None else bearer(text), PEER, names)

    def refused(self, text=None, names=()):
        with pytest.raises(Declined) as caught:
            self.who(text, names)
        assert Reason.TOKEN_INVALID is caught.value.reason
        return caught.value.fault.message


def known(name, *words, bounds=None, certificates=()):
    return Known(name, rights_of(words, bounds or Grant(frozenset())), certificates)


def rights_on(caller, account):
    return {each for each in Permission if caller.may(each, account)}


# ---- tokens ----------------------------------------------------------------------------------------------------------


def test_a_token_is_its_caller_with_its_rights():
    """Name, permissions on each account, and by which token: all as it was baked."""
    token, text = baked("bot", "market", "trade:main")
    caller = Here(token).who(text)
    assert ("bot", {M, T}, {M}, ("main",), f"token {token.id}") == (
        caller.name,
        rights_on(caller, "main"),
        rights_on(caller, "hedge"),
        caller.accounts,
        caller.credential,
    )


def test_a_star_means_every_configured_account():
    """Those that the settings name, no other."""
    token, text = baked("bot", "account:*")
    assert ("hedge", "main") == Here(token).who(text).accounts


def test_several_tokens_of_one_caller_are_good_at_once():
    """So that one can be replaced without a gap."""
    (one, first), (two, second) = baked("bot", "market"), baked("bot", "market")
    here = Here(one, two)
    assert ("bot", "bot") == (here.who(first).name, here.who(second).name)


def test_a_wrong_secret_reads_like_an_unknown_token():
    """The answer does not tell whether the id exists."""
    (token, text), (_, other) = baked("bot", "market"), baked("bot", "market")
    here = Here(token)
    forged = text[:-43] + other[-43:]
    assert here.refused(other) == here.refused(forged)
    assert text != forged


def test_every_token_sent_is_compared_with_some_hash(monkeypatch):
    """Also one whose id is not there, so that time tells nothing either."""
    compared = []
    monkeypatch.setattr("execsvc.rpc.callers.hmac.compare_digest", lambda one, other: compared.append((one, other)))
    here = Here()
    here.refused(baked("bot", "market")[1])
    assert [(64, 64)] == [(len(one), len(other)) for one, other in compared]


def test_a_token_ends_to_the_nanosecond():
    """By the wall clock; who holds the secret is told that its time is over."""
    token, text = baked("bot", "market", expires_ns=BORN_NS + 10**9)
    here = Here(token)
    here.clock.now_s = 1 - 1e-9
    assert "bot" == here.who(text).name
    here.clock.now_s = 1.0
    assert f"the time of token {token.id} is over; have a new one baked" == here.refused(text)


def test_a_revoked_token_is_unknown_at_once():
    """Nothing that was made of it before is remembered."""
    token, text = baked("bot", "market")
    here = Here(token)
    here.who(text)
    here.tokens.put()
    assert "revoked" in here.refused(text)


def test_a_token_that_was_narrowed_is_narrower_at_once():
    """The same id with other rights is made anew."""
    token, text = baked("bot", "market", "trade:main")
    here = Here(token)
    assert {M, T} == rights_on(here.who(text), "main")
    here.tokens.put(replace(token, rights=rights_of(["market"])))
    assert {M} == rights_on(here.who(text), "main")


def test_use_is_noted_by_id():
    """For the list of tokens; refused ones leave no word."""
    token, text = baked("bot", "market")
    here = Here(token)
    here.who(text)
    here.refused(baked("bot", "market")[1])
    assert [token.id] == here.tokens.uses


@given(st.dictionaries(st.sampled_from(["authorization", "x"]), st.text(max_size=80)), st.lists(st.text(max_size=9)))
def test_whatever_is_sent_is_recognised_or_refused(meta, names):
    """Nothing else is ever raised."""
    with pytest.raises(Declined) as caught:
        Here(baked("bot", "market")[0]).callers.recognise(meta, PEER, tuple(names))
    assert Reason.TOKEN_INVALID is caught.value.reason


# ---- configured callers ----------------------------------------------------------------------------------------------


def test_a_configured_caller_is_held_to_its_configuration():
    """A token narrows and never widens: permissions, pairs, notional, rate."""
    bounds = Grant(frozenset(), frozenset({"BTC/USD", "ETH/USD"}), max_order_notional=Decimal(100), orders_per_s=3)
    token, text = baked(
        "bot",
        "market",
        "admin",
        "trade:*",
        "kill:main",
        bounds=Grant(frozenset(), frozenset({"BTC/USD"}), max_order_notional=Decimal(500), orders_per_s=1),
    )
    caller = Here(token, known=[known("bot", "market", "trade:main", "cancel:main", bounds=bounds)]).who(text)
    grant = caller.grant("main")
    assert ({M, T}, ("main",), {"BTC/USD"}, 100, 1) == (
        rights_on(caller, "main"),
        caller.accounts,
        set(grant.symbols),
        grant.max_order_notional,
        grant.orders_per_s,
    )


def test_a_caller_that_is_not_configured_has_its_tokens_rights():
    """The settings name callers to bound them, not to let them in."""
    token, text = baked("bot", "trade:main")
    assert {T} == rights_on(Here(token, known=[known("other", "market")]).who(text), "main")


# ---- certificates ----------------------------------------------------------------------------------------------------


def test_a_certificate_is_the_caller_that_names_it():
    """With the configured rights, and no end of its own: the handshake looks after that."""
    here = Here(known=[known("risk", "kill:main", certificates=("spiffe://desk/risk",))])
    caller = here.who(names=("spiffe://desk/risk", "risk.desk"))
    assert ("risk", {K}, "certificate", None) == (
        caller.name,
        rights_on(caller, "main"),
        caller.credential,
        caller.expires_ns,
    )


def test_certificate_and_token_narrow_one_another():
    """Both must be one caller's."""
    token, text = baked("risk", "kill:main", "trade:main")
    here = Here(token, known=[known("risk", "kill:main", "account:main", certificates=("risk",))])
    assert {K} == rights_on(here.who(text, ("risk",)), "main")


def test_certificate_and_token_of_two_callers_are_nobody():
    """A stolen token is of no use behind another's certificate."""
    token, text = baked("bot", "trade:main")
    here = Here(token, known=[known("risk", "kill:main", certificates=("risk",))])
    assert "two callers'" in here.refused(text, ("risk",))


def test_a_certificate_that_names_nobody_leaves_it_to_the_token():
    """A proxy comes with its own certificate and passes on its callers' tokens."""
    token, text = baked("bot", "trade:main")
    here = Here(token, known=[known("risk", "kill:main", certificates=("risk",))])
    assert "bot" == here.who(text, ("proxy",)).name
    assert "nobody is known by that" in here.refused(names=("proxy",))


def test_a_certificate_of_two_callers_is_nobody():
    """Which of them it is, is not guessed."""
    here = Here(known=[known("a", "market", certificates=("one",)), known("b", "market", certificates=("two",))])
    assert "more than one caller" in here.refused(names=("one", "two"))


def test_a_bad_token_is_not_made_good_by_a_certificate():
    """What is sent must hold."""
    here = Here(known=[known("risk", "kill:main", certificates=("risk",))])
    assert "not known here" in here.refused(baked("risk", "kill:main")[1], ("risk",))


def test_without_tokens_certificates_do():
    """Where the file of tokens is off."""
    callers = KnownCallers(
        accounts=("main",),
        known=[known("risk", "kill:main", certificates=("risk",))],
        tokens=NoTokens(),
        clock=HandClock(),
        telemetry=silent(),
        warn=lambda *_: None,
    )
    assert ("risk", "0 tokens, 1 callers, 1 certificates") == (
        callers.recognise({}, PEER, ("risk",)).name,
        callers.describe(),
    )
    assert [True, False] == [callers.knows(name) for name in ("risk", "bot")]


def test_whoever_has_a_token_or_a_section_is_known_by_name():
    """As long as it has: a token that was taken back makes nobody known."""
    here = Here(baked("bot", "market")[0], known=[known("risk", "kill:main")])
    assert [True, True, False] == [here.callers.knows(name) for name in ("bot", "risk", "bto")]
    here.tokens.put()
    assert not here.callers.knows("bot")


# ---- refusals --------------------------------------------------------------------------------------------------------


def test_refusals_are_counted_each_and_told_once_a_second():
    """A flood of guesses fills no log; the metric has every one. What was sent is in neither."""
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader]).get_meter("t")
    here = Here(telemetry=Telemetry(NoOpTracerProvider().get_tracer("t"), meter))
    for second in (0.0, 0.2, 0.9, 1.0, 1.5):
        here.clock.now_s = second
        here.refused("xs_guess")
    points = [
        point.value
        for metric in reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
        if metric.name == "execsvc.callers.refused"
        for point in metric.data.data_points
    ]
    assert ([(1, PEER), (3, PEER)], [5]) == (here.warned, points)


@pytest.mark.parametrize("header", ["xs_secret", "Bearer xs_secret", "Basic secret"])
def test_a_refusal_repeats_nothing_of_what_was_sent(header):
    """It says what to send instead."""
    with pytest.raises(Declined) as caught:
        Here().callers.recognise({"authorization": header}, PEER)
    assert ("secret" in str(caught.value), "EXECSVC_TOKEN_FILE" in str(caught.value)) == (False, True)


def test_what_the_tokens_complain_of_is_told():
    """A file that cannot be used is a problem that GetVenueStatus tells."""
    here = Here()
    assert () == here.callers.problems
    here.tokens.problem = "the tokens of callers stay as they were: no"
    assert ("the tokens of callers stay as they were: no",) == here.callers.problems


# ---- doors beside the gate -------------------------------------------------------------------------------------------


def test_a_door_beside_the_gate_asks_for_one_of_several_permissions():
    """Any one of them, on any account."""
    token, text = baked("bot", "account:main")
    callers = Here(token).callers
    assert "bot" == demand(callers, (A, ADMIN), bearer(text), PEER).name
    with pytest.raises(Declined) as caught:
        demand(callers, (ADMIN,), bearer(text), PEER)
    assert (Reason.PERMISSION_MISSING, "admin") == (caught.value.reason, caught.value.fault.metadata["permission"])


# ---- who a caller is by now ------------------------------------------------------------------------------------------


def test_one_whose_token_is_as_it_was_is_who_it_was():
    """The same object: asking costs nothing, counts as no use of the token, and hashes nothing."""
    token, text = baked("bot", "market", "trade:main")
    here = Here(token)
    who = here.who(text)
    assert (True, [token.id]) == (who.now() is who, here.tokens.uses)


def test_one_whose_token_was_revoked_is_nobody():
    """It is told by the id; a refusal of this kind is no stranger at the door."""
    token, text = baked("bot", "trade:main")
    here = Here(token)
    who = here.who(text)
    here.tokens.put()
    with pytest.raises(Declined) as caught:
        who.now()
    assert (Reason.TOKEN_INVALID, f"token {token.id} was revoked") == (caught.value.reason, caught.value.fault.message)
    assert [] == here.warned


def test_one_whose_token_is_over_is_nobody():
    """To the nanosecond, without any change of the tokens."""
    token, text = baked("bot", "trade:main", expires_ns=BORN_NS + 10**9)
    here = Here(token)
    who = here.who(text)
    here.clock.now_s = 1.0
    with pytest.raises(Declined) as caught:
        who.now()
    assert f"the time of token {token.id} is over; have a new one baked" == caught.value.fault.message


def test_one_whose_token_became_anothers_is_nobody():
    """A file changed by hand gives nobody another's name."""
    token, text = baked("bot", "trade:main")
    here = Here(token)
    who = here.who(text)
    here.tokens.put(replace(token, caller="cat"))
    with pytest.raises(Declined) as caught:
        who.now()
    assert Reason.TOKEN_INVALID is caught.value.reason


def test_one_whose_token_was_narrowed_has_what_is_left():
    """On each account, and within what the settings allow at most."""
    token, text = baked("bot", "market", "trade:main", "trade:hedge")
    here = Here(token, known=[known("bot", "market", "trade:*", "cancel:*")])
    who = here.who(text)
    here.tokens.put(replace(token, rights=rights_of(["trade:main", "cancel:main", "kill:main"])))
    now = who.now()
    assert ({M, T}, {T, C}, ("main",)) == (rights_on(who, "main"), rights_on(now, "main"), now.accounts)


def test_one_that_came_by_certificate_stays_who_it_is():
    """Whatever becomes of tokens: settings do not change while the process lives."""
    token, _ = baked("bot", "trade:main")
    here = Here(token, known=[known("desk", "trade:main", certificates=("desk.internal",))])
    who = here.who(names=("desk.internal",))
    here.tokens.put()
    assert ("desk", {T}) == (who.now().name, rights_on(who.now(), "main"))


def test_one_that_came_by_both_needs_its_token_still():
    """The certificate alone was not what it came with."""
    token, text = baked("bot", "trade:main")
    here = Here(token, known=[known("bot", "trade:main", certificates=("bot.internal",))])
    who = here.who(text, ("bot.internal",))
    assert who.now() is who
    here.tokens.put()
    with pytest.raises(Declined) as caught:
        who.now()
    assert f"token {token.id} was revoked" == caught.value.fault.message
