"""Every known failure × read, cancel, order, through lane, nonce, retry and placing: what leaves, and what is told.

The cases are compared with contract.md and kraken.md, so neither page nor list can change alone.
"""

from itertools import pairwise

import pytest
from every_error_cases import CASES, DEADLINE_PASSED, EDGE_ROW, SPOKEN, UNSPOKEN
from every_error_ends import Again, Doubt, NeverSent, NewNonce, NothingOpen, OneLook, Refused, Told
from every_error_rig import drive, quoted, section, statuses, table, unquoted
from kraken_parts import TXID, vector

from execsvc.domain.errors import Reason
from execsvc.kraken.endpoints import Effect
from execsvc.kraken.faults import TABLE
from execsvc.kraken.retry import ATTEMPTS_MAX, PAUSE_FIRST_S, PAUSE_MOST_S
from execsvc.ports import Accepted, CancelFoundNothing, RefusedByVenue, Unknown, Unsent
from tests.support.entropy import FixedEntropy, SeededEntropy
from tests.support.net import answer

REPEATED = (Effect.READ, Effect.CANCEL)
ALMOST_ONE = 1 - 2**-53
ENDS = [(name, effect) for name in CASES for effect in REPEATED]
WAITING = [
    (name, effect)
    for name, effect in ENDS
    if isinstance(end := getattr(CASES[name], effect.value), Again) and end.wait_s is not None
]


def end_of(name, effect):
    return getattr(CASES[name], effect.value)


def bounds(count):
    """The most that each pause between so many requests may last: doubled, up to a ceiling."""
    return [min(PAUSE_MOST_S, PAUSE_FIRST_S * 2**failed) for failed in range(count - 1)]


# ---- reads and cancels: how often, when ------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "effect"), ENDS)
def test_a_call_is_repeated_as_often_as_its_failure_allows(name, effect):
    """Told: one request. Again: as many as attempts are allowed. A refused nonce: one more read, a cancel to its bound."""
    allowed = {
        Told: 1,
        NothingOpen: 1,
        Again: ATTEMPTS_MAX[effect],
        NewNonce: 2 if effect is Effect.READ else ATTEMPTS_MAX[effect],
    }
    driven = drive(CASES[name].happens, effect)
    assert allowed[type(end_of(name, effect))] == len(driven.sent)
    assert all(sooner < later for sooner, later in pairwise(driven.nonces))


@pytest.mark.parametrize(("name", "effect"), ENDS)
def test_a_repeat_comes_after_the_wait_told_or_within_the_jitter(name, effect):
    """A wait that Kraken named is kept to the microsecond; without one the pause is a draw below a doubling bound."""
    end, case = end_of(name, effect), CASES[name]
    driven = drive(case.happens, effect, chance=SeededEntropy(len(name)))
    if isinstance(end, Again) and end.wait_s is not None:
        first_s = end.wait_s if end.first_wait_s is None else end.first_wait_s
        assert [first_s, *[end.wait_s] * (ATTEMPTS_MAX[effect] - 2)] == driven.pauses
        return
    silence_s = 0.0 if case.happens is not None else (driven.took_s - sum(driven.pauses))  # the last answer's time-out
    drawn = [pause - silence_s for pause in driven.pauses]
    assert all(-1e-6 <= pause < most for pause, most in zip(drawn, bounds(len(driven.sent)), strict=True))


@pytest.mark.parametrize("effect", REPEATED)
def test_a_pause_may_be_anything_from_nothing_to_its_bound(effect):
    """Full jitter: the least draw asks at once, the greatest waits the whole bound, which stops at its ceiling."""
    happens = CASES["EService:Unavailable"].happens
    least, most = (drive(happens, effect, chance=FixedEntropy(draw)).pauses for draw in (0.0, ALMOST_ONE))
    assert [0.0] * (ATTEMPTS_MAX[effect] - 1) == least
    assert bounds(ATTEMPTS_MAX[effect]) == most
    assert PAUSE_MOST_S == most[-1]


def test_the_second_nonce_of_a_read_is_of_a_fresh_block():
    """The nonce after a refused one is not the next of the block that was refused."""
    first, second = drive(CASES["EAPI:Invalid nonce"].happens, Effect.READ).nonces
    assert second - first >= 10_000


# ---- reads and cancels: what is told ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "effect"), ENDS)
def test_the_caller_is_told_reason_raw_text_and_wait(name, effect):
    """The contract's reason, Kraken's words as `venue_error` where it spoke, and retry_after_s where waiting heals."""
    end, case = end_of(name, effect), CASES[name]
    driven = drive(case.happens, effect)
    if isinstance(end, NothingOpen):
        assert (CancelFoundNothing(), None) == (driven.answer, driven.fault)
        return
    venue_error = {"venue_error": case.text} if case.text else {}
    assert (end.reason, venue_error, end.retry_after_s) == (
        driven.fault.reason,
        driven.fault.metadata,
        driven.fault.retry_after_s,
    )


@pytest.mark.parametrize(("name", "effect"), WAITING)
def test_a_wait_beyond_the_callers_time_is_told_and_not_begun(name, effect):
    """Where the wait ends too late the caller hears at once why, and the exact wait; nothing more leaves."""
    end, case = end_of(name, effect), CASES[name]
    wait_s = end.wait_s if end.first_wait_s is None else end.first_wait_s
    driven = drive(case.happens, effect, within_s=wait_s)
    assert (1, 0.0, end.reason, wait_s) == (
        len(driven.sent),
        driven.took_s,
        driven.fault.reason,
        driven.fault.retry_after_s,
    )
    assert case.text == driven.fault.metadata.get("venue_error", "")


# ---- orders ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_an_order_leaves_once_whatever_happens(name):
    """One AddOrder, and never another."""
    assert 1 == len(drive(CASES[name].happens, Effect.ORDER).sent)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not isinstance(case.order, OneLook)])
def test_what_becomes_of_an_order(name):
    """Refused with reason, raw text, wait and a used id; a doubt that quotes Kraken; or never sent, its id still free."""
    case = CASES[name]
    placement = drive(case.happens, Effect.ORDER).answer
    match case.order:
        case Doubt():
            assert (Unknown, True) == (type(placement), case.text in placement.why)
            return
        case Refused(retry_after_s=wait_s):
            assert (RefusedByVenue, "true") == (type(placement), placement.fault.metadata["id_used"])
        case NeverSent():
            wait_s = None
            assert (Unsent, "false") == (type(placement), placement.fault.metadata["id_used"])
    assert (case.order.reason, case.text, wait_s) == (
        placement.fault.reason,
        placement.fault.metadata.get("venue_error", ""),
        placement.fault.retry_after_s,
    )


def looked(case, *, found):
    """The order is refused by its deadline, and the look by id works."""
    row = vector("rest_OpenOrders")["result"]["open"]["OQCLML-BW3P3-BUCMWZ"]
    wire_ids = []

    def script(sent):
        if sent.path.endswith("AddOrder"):
            wire_ids.append(sent.params["cl_ord_id"])
            return case.happens(sent)
        if sent.path.endswith("OpenOrders"):
            return answer({"open": {TXID: row | {"cl_ord_id": wire_ids[0]}} if found else {}})
        return answer({"closed": {}, "count": 0})

    return drive(script, Effect.ORDER)


@pytest.mark.parametrize("case", DEADLINE_PASSED, ids=lambda case: case.name)
def test_a_passed_deadline_is_believed_after_one_look(case):
    """Nothing found: refused with the contract's reason. Found: it stands. No look possible: a doubt."""
    absent, present = looked(case, found=False), looked(case, found=True)
    blind = drive(case.happens, Effect.ORDER)
    assert (RefusedByVenue, case.order.reason, {"venue_error": case.text, "id_used": "true"}) == (
        type(absent.answer),
        absent.answer.fault.reason,
        absent.answer.fault.metadata,
    )
    assert Accepted(TXID) == present.answer
    assert (Unknown, True) == (type(blind.answer), case.text in blind.answer.why)
    assert [1, 1] == [len(each.sent) for each in (absent, present)]


# ---- neither page nor list changes alone -----------------------------------------------------------------------------

CONTRACT = table("contract.md", "Kraken says")
PREFIXES = {prefix: cells for first, *cells in CONTRACT for prefix in quoted(first)}
KINDS = {words: cells for first, *cells in CONTRACT for words in unquoted(first)}
ROWS = PREFIXES | KINDS


def row_of(case):
    """The key of the contract's row that judges a case: the longest prefix of its text, blanks after the colon aside."""
    if not case.text:
        return case.row
    head, colon, rest = case.text.partition(":")
    plain = head + colon + rest.lstrip()
    return max((prefix for prefix in PREFIXES if plain.startswith(prefix)), key=len, default="any other text")


def shown(case):
    """What the contract's three cells must say for a case to be right."""
    words = {Told: "`{}`", Again: "again, else `{}`", NewNonce: "new nonce, else `{}`", NothingOpen: "nothing open"}
    order = {Refused: "`{}`", NeverSent: "`{}`", Doubt: "doubt", OneLook: "one look, then `{}`"}
    read, cancel = (words[type(end)].format(end.reason.name) for end in (case.read, case.cancel))
    told = order[type(case.order)].format(case.order.reason and case.order.reason.name)
    return [
        read,
        "same" if cancel == read else cancel,
        "same" if told == f"`{case.read.reason.name}`" == read else told,
    ]


@pytest.mark.parametrize("name", CASES)
def test_each_case_is_what_the_contract_says(name):
    """The contract's row for a failure promises what is demanded of the adapter here."""
    case = CASES[name]
    assert ROWS[row_of(case)] == shown(case)


def test_each_row_of_the_contract_is_walked():
    """No prefix and no kind of failure stands in contract.md section 8 that no case reaches."""
    assert set(ROWS) == {row_of(case) for case in CASES.values()}


def test_the_table_of_the_code_is_the_contracts():
    """The prefixes in faults.py are those of contract.md section 8: none more, none fewer."""
    assert sorted(PREFIXES) == sorted(row.prefix.strip() for row in TABLE)


def test_each_text_of_krakens_page_is_walked():
    """Every text that kraken.md 4.1 quotes is a case, word for word."""
    quoted_texts = {text for text in quoted(section("kraken.md", "4.1")) if not text.startswith("<")}
    assert set() == quoted_texts - {case.text for case in SPOKEN}
    assert len(quoted_texts) >= 3


def test_each_row_of_http_and_network_is_walked():
    """Every row of kraken.md 4.2 has its cases, and every HTTP status that a row names is one of them."""
    rows = [cells[0] for cells in table("kraken.md", "what comes")]
    walked = {page: {case.status for case in UNSPOKEN if page in case.page} for case in UNSPOKEN for page in case.page}
    assert set(rows) == set(walked)
    for row in rows:
        assert (statuses(row) or {200}) == walked[row]
    assert {403, 429} == walked[EDGE_ROW]


def test_reasons_of_the_cases_are_many():
    """The list walks the contract's whole breadth: every reason that Kraken's words can lead to."""
    reasons = {end.reason for case in CASES.values() for end in (case.read, case.cancel, case.order)}
    told_by_kraken = {name for cells in ROWS.values() for cell in cells for name in quoted(cell)}
    assert {Reason[name] for name in told_by_kraken} <= reasons
