"""The order machine: any sequence of events, true, stale, repeated or false, against a table and a ledger of the test's own.

What each event does to an order in each state is written out below; which moves are allowed at all is read from the
contract's page; what was filled is the ledger of an exchange made up here. Neither is taken from domain/order.py. Fills as
the journal keeps them are the store machine's.
"""

import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from execsvc.domain.account import AssetAmount
from execsvc.domain.errors import Broken, Fault, Reason
from execsvc.domain.ids import OrderKey
from execsvc.domain.intent import Intent
from execsvc.domain.market import Side
from execsvc.domain.order import (
    Acknowledged,
    CancelWished,
    Corrected,
    Doubted,
    NeverSent,
    Order,
    ProvedAbsent,
    Refused,
    Seen,
    Status,
    VenueOrder,
    submitted,
)
from execsvc.domain.spec import OrderSpec, OrderType

CONTRACT = Path(__file__).parents[2] / "docs" / "contract.md"
WANTED = Decimal(10)
SPEC = OrderSpec("BTC/USD", Side.BUY, WANTED, OrderType.LIMIT, Decimal("100.0"))
STOP = OrderSpec("BTC/USD", Side.BUY, WANTED, OrderType.STOP_LOSS, trigger_price=Decimal("100.0"))
FAULTS = st.sampled_from([Fault(Reason.INSUFFICIENT_FUNDS, "no funds"), Fault(Reason.VENUE_ERROR, "why ever")])
ZERO = Decimal(0)

# "." stays as it is, "!" is refused as a defect of ours; an order told as absent is never acknowledged, only seen ("-").
MOVES = """
               SUBMITTED   IN_DOUBT    PENDING   OPEN      FILLED  CANCELLED  EXPIRED  REJECTED  NOT_PLACED  NEVER_SENT
acknowledged   OPEN        OPEN        OPEN      .         .       .          .        -         -           -
refused        REJECTED    REJECTED    REJECTED  REJECTED  !       !          !        .         !           !
doubted        IN_DOUBT    .           .         .         .       .          .        .         .           .
proved_absent  NOT_PLACED  NOT_PLACED  !         !         !       !          !        !         .           !
never_sent     NEVER_SENT  NOT_PLACED  !         !         !       !          !        !         !           .
no_news        .           .           .         .         .       .          .        .         .           .
cancel_wished  .           .           .         .         .       .          .        .         .           .
seen_pending   PENDING     PENDING     .         .         .       .          .        !         !           !
seen_open      OPEN        OPEN        OPEN      .         .       .          .        !         !           !
seen_filled    FILLED      FILLED      FILLED    FILLED    .       .          .        !         !           !
seen_cancelled CANCELLED   CANCELLED   CANCELLED CANCELLED .       .          .        .         !           !
seen_expired   EXPIRED     EXPIRED     EXPIRED   EXPIRED   .       .          .        .         !           !
"""


def moves_written_here():
    """{event: {state: what becomes of it}}."""
    head, *rows = [line.split() for line in MOVES.strip().splitlines()]
    return {name: dict(zip(head, row, strict=True)) for name, *row in rows}


def moves_of_the_contract():
    """{state: states it may go to}, from the table under "Allowed changes of status"."""
    page = CONTRACT.read_text()
    table = page[page.index("**Allowed changes of status**") :].split("\n\n")[1]
    every = {status.name for status in Status}
    allowed = {}
    for line in table.splitlines()[2:]:
        states, text = (cell.strip() for cell in line.strip("| ").split("|"))
        named = set(re.findall(r"[A-Z][A-Z_]+", text))
        for state in states.split(", "):
            beyond = every - {state}
            allowed[state] = beyond - named if text.startswith("any but") else beyond if "any" in text else named
    assert every == allowed.keys()
    return allowed


EXPECTED = moves_written_here()
ALLOWED = moves_of_the_contract()
ENDED = frozenset(state for state, beyond in ALLOWED.items() if not beyond)


@dataclass(frozen=True)
class Picture:
    """What the exchange showed at one time: the word, and how many fills it knew of; `added` names the one it tells."""

    word: str
    fills: int
    report: VenueOrder
    added: int | None = None
    total: bool = False


@dataclass
class Told:
    """One order: the value under test, the exchange's ledger of it, and what the caller may have been told so far."""

    order: Order
    state: str = "SUBMITTED"
    word: str = "PENDING"
    ledger: list[tuple[Decimal, Decimal, Decimal]] = field(default_factory=list)  # quantity, cost, fee
    pictures: list[Picture] = field(default_factory=list)
    known: int = 0  # fills whose quantity was told
    fired: bool = False  # its trigger, at the exchange
    told_fired: bool = False  # and as far as the house was told
    counted: set[int] = field(default_factory=set)  # fills that were told one by one
    summed: int = 0  # fills whose fees were told as a sum
    wished: bool = False

    def sums(self, fills):
        """Quantity, cost and fee of the first so many fills."""
        return [sum(column, ZERO) for column in zip(*self.ledger[:fills], strict=True)] or [ZERO, ZERO, ZERO]

    def word_of(self, shown, known):
        """Quantities over words: what is filled whole is filled, and what is called so without a figure is not yet."""
        if shown.word in {"CANCELLED", "EXPIRED"}:
            return shown.word
        if known and self.sums(known)[0] == WANTED:
            return "FILLED"
        word = "OPEN" if shown.word == "FILLED" and shown.report.filled_quantity is None else shown.word
        waits = self.order.spec.is_triggered_type and not (self.told_fired or shown.report.triggered or known)
        return "PENDING" if word == "OPEN" and waits else word

    def picture(self, *, figures, fees, of_a_fill=False):
        """As the exchange stands now: a stream's report (its fee is the last fill's), a snapshot, or REST's sums."""
        fills = len(self.ledger)
        quantity, cost, fee = self.sums(fills)
        report = VenueOrder(
            "OTX",
            None,
            Status[self.word],
            quantity if figures else None,
            cost if figures else None,
            total_fees=_amount(fee) if fees else None,
            added_fees=_amount(self.ledger[-1][2]) if of_a_fill else (),
            added_quantity=self.ledger[-1][0] if of_a_fill else None,
            triggered=None if of_a_fill else self.fired,
        )
        shown = Picture(self.word, fills if figures else 0, report, fills - 1 if of_a_fill else None, total=fees)
        self.pictures.append(shown)


def _amount(fee):
    return (AssetAmount("USD", fee),) if fee else ()


class OrderMachine(RuleBasedStateMachine):
    """No illegal move, versions count changes, figures only grow and are the ledger's."""

    wish = SPEC

    @initialize(count=st.integers(1, 3))
    def place(self, count):
        self.now = 1
        self.all = []
        for number in range(count):
            key = OrderKey("main", "me", str(number))
            intent = Intent(
                key, self.wish, 10**18, "key", "", lambda attempt, number=number: f"wire-{number}-{attempt}"
            )
            self.all.append((Told(submitted(intent, self.now)), intent))

    def some(self, data):
        return self.all[_one_of(data, self.all)][0]

    # ---- telling, and what must come of it -----------------------------------------------------------------------------

    def tell(self, told, event, name, *, denied=False):
        """Applies the event; True when it was taken."""
        self.now += 1
        expected = EXPECTED[name][told.state]
        before = told.order
        if expected == "!" or denied:
            with pytest.raises(Broken):
                before.apply(event, self.now)
            return False
        after = before.apply(event, self.now)
        state = told.state if expected == "." else expected
        assert state == after.status.name
        assert state == told.state or state in ALLOWED[told.state]
        self.changed_by_one(before, after)
        told.order, told.state = after, state
        return True

    def changed_by_one(self, before, after):
        """A change is one version and has its time; no change is the same object."""
        stamped = replace(before, version=before.version + 1, update_time_ns=self.now)
        if after is not before:
            assert (before.version + 1, self.now) == (after.version, after.update_time_ns)
            assert stamped != after, "nothing changed, yet it is told as news"
        assert after.filled_quantity >= before.filled_quantity
        assert after.filled_cost >= before.filled_cost

    def judge(self, told):
        """The figures are the ledger's, as far as it was told; of fills and sums, those tell the fees that know of more."""
        quantity, cost, _ = told.sums(told.known)
        assert (quantity, cost) == (told.order.filled_quantity, told.order.filled_cost)
        one_by_one = [sum((told.ledger[place][column] for place in told.counted), ZERO) for column in (0, 2)]
        in_sum = told.sums(told.summed)
        fee = one_by_one[1] if one_by_one[0] >= in_sum[0] else in_sum[2]
        assert _amount(fee) == told.order.fees
        assert told.wished == told.order.cancel_requested
        assert told.told_fired == told.order.triggered

    def show(self, told, shown, event=Seen):
        """One picture, in whatever order it comes. "Filled" without a figure says nothing yet of a refused order."""
        if told.state == "REJECTED" and shown.word == "FILLED" and shown.report.filled_quantity is None:
            return
        known = max(told.known, shown.fills)
        report = shown.report.told_before() if shown.added in told.counted else shown.report  # as the journal does it
        name = f"seen_{told.word_of(shown, known).lower()}"
        # A refused order may show as ended without a fill; with one it is a contradiction, whatever the word.
        denied = EXPECTED[name][told.state] == "!" or (told.state == "REJECTED" and shown.fills > 0)
        if event is Corrected and not denied:
            before = told.order
            self.tell(told, Corrected(report), "no_news")
            assert told.order is before
            return
        if event is Corrected:
            self.correct(told, report, name)
        elif not self.tell(told, Seen(report), name, denied=denied):
            return
        told.counted |= set() if shown.added is None else {shown.added}
        told.summed = max(told.summed, shown.fills) if shown.total else told.summed
        told.known = known
        told.told_fired = told.order.spec.is_triggered_type and (
            told.told_fired or bool(shown.report.triggered) or known > 0
        )
        self.judge(told)

    def correct(self, told, report, name):
        """The one event that undoes a verdict: what Kraken shows takes its place, and which it was stays on record."""
        before = told.order
        self.now += 1
        told.order = before.apply(Corrected(report), self.now)
        self.changed_by_one(before, told.order)
        assert (before.status, None) == (told.order.corrected_from, told.order.end_fault)
        told.state = EXPECTED[name]["IN_DOUBT"]
        assert told.state == told.order.status.name

    # ---- the exchange lives --------------------------------------------------------------------------------------------

    @rule(data=st.data())
    def book_takes_it(self, data):
        told = self.some(data)
        if told.word == "PENDING":
            told.word = "OPEN"
        told.picture(figures=data.draw(st.booleans()), fees=False)

    @rule(
        data=st.data(),
        quantity=st.sampled_from([1, 3, 10]),
        price=st.sampled_from(["99.5", "100"]),
        fee=st.sampled_from(["0", "0.26", "0.1"]),
        word=st.sampled_from(["OPEN", "FILLED"]),
    )
    def trade_happens(self, data, quantity, price, fee, word):
        """Kraken's stream calls the trade that completes an order partially filled or filled, as it likes."""
        told = self.some(data)
        left = WANTED - told.sums(len(told.ledger))[0]
        told.fired = told.fired or told.word in {"PENDING", "OPEN"}
        if told.word in {"PENDING", "OPEN"} and left:
            quantity = min(Decimal(quantity), left)
            told.ledger.append((quantity, quantity * Decimal(price), Decimal(fee)))
            told.word = word if quantity == left else "OPEN"
            told.picture(figures=True, fees=False, of_a_fill=True)
            told.word = "FILLED" if quantity == left else "OPEN"

    @rule(data=st.data())
    def it_fires(self, data):
        """A trigger that is none says nothing of an order without one."""
        told = self.some(data)
        if told.word == "OPEN":
            told.fired = True
            told.picture(figures=data.draw(st.booleans()), fees=False)

    @rule(data=st.data(), word=st.sampled_from(["CANCELLED", "EXPIRED"]))
    def exchange_ends_it(self, data, word):
        told = self.some(data)
        if told.word in {"PENDING", "OPEN"}:
            told.word = word
            told.picture(figures=data.draw(st.booleans()), fees=False)

    @rule(data=st.data(), fees=st.booleans())
    def it_is_asked_for(self, data, fees):
        """A picture over REST with the sum of its fees, or as the stream's snapshot, without."""
        self.some(data).picture(figures=True, fees=fees)

    # ---- the house hears of it -------------------------------------------------------------------------------------------

    @rule(data=st.data())
    def newest_picture_comes(self, data):
        told = self.some(data)
        if told.pictures:
            self.show(told, told.pictures[-1])

    @rule(data=st.data())
    def any_picture_comes(self, data):
        told = self.some(data)
        if told.pictures:
            self.show(told, told.pictures[_one_of(data, told.pictures)])

    @rule(data=st.data())
    def correction_is_recorded(self, data):
        told = self.some(data)
        if told.pictures:
            self.show(told, told.pictures[_one_of(data, told.pictures)], Corrected)

    @rule(data=st.data())
    def answer_comes(self, data):
        told = self.some(data)
        if EXPECTED["acknowledged"][told.state] != "-":
            waits = told.order.spec.is_triggered_type and not told.told_fired
            self.tell(told, Acknowledged("OTX"), "seen_pending" if waits else "acknowledged")
            assert told.order.venue_order_id == "OTX"

    @rule(data=st.data(), fault=FAULTS, kind=st.sampled_from([Refused, ProvedAbsent, NeverSent]))
    def verdict_is_passed(self, data, fault, kind):
        """True or not: the order knows which verdicts it can still be given."""
        names = {Refused: "refused", ProvedAbsent: "proved_absent", NeverSent: "never_sent"}
        self.tell(self.some(data), kind(fault), names[kind])

    @rule(data=st.data(), why=st.sampled_from(["lost", "late"]))
    def answer_is_overdue(self, data, why):
        self.tell(self.some(data), Doubted(why), "doubted")

    @rule(data=st.data())
    def cancel_is_wished(self, data):
        told = self.some(data)
        self.tell(told, CancelWished(), "cancel_wished")
        told.wished = told.wished or told.state not in ENDED
        self.judge(told)

    @rule(data=st.data())
    def it_is_sent_again(self, data):
        """Only what never left; the next attempt has another wire id and nothing of the last one's end."""
        told, intent = self.all[_one_of(data, self.all)]
        before = told.order
        self.now += 1
        if "SUBMITTED" not in ALLOWED[told.state]:
            with pytest.raises(Broken):
                before.resubmitted(intent, self.now)
            return
        told.order = before.resubmitted(intent, self.now)
        self.changed_by_one(before, told.order)
        told.state, told.wished = "SUBMITTED", False
        assert ("SUBMITTED", before.attempt + 1, None) == (
            told.order.status.name,
            told.order.attempt,
            told.order.end_fault,
        )
        assert intent.wire_id_of(told.order.attempt) == told.order.venue_client_id != before.venue_client_id

    @precondition(lambda self: any(told.ledger for told, _ in self.all))
    @rule(data=st.data())
    def all_is_told_in_some_order(self, data):
        """Every picture there ever was, shuffled; then one look over REST, and everything is the ledger's."""
        told = self.some(data)
        told.picture(figures=True, fees=False)
        for place in data.draw(st.permutations(range(len(told.pictures))), label="sequence"):
            self.show(told, told.pictures[place])
        told.picture(figures=True, fees=True)
        self.show(told, told.pictures[-1], Corrected)
        self.show(told, told.pictures[-1])
        quantity, cost, fee = told.sums(len(told.ledger))
        assert (quantity, cost, _amount(fee)) == (told.order.filled_quantity, told.order.filled_cost, told.order.fees)
        refused = told.state == "REJECTED" and not told.ledger and told.word in {"CANCELLED", "EXPIRED"}
        waits = told.order.spec.is_triggered_type and not told.fired and told.word == "OPEN"
        word = "PENDING" if waits else told.word
        assert refused or told.state == word or (told.state, word) == ("OPEN", "PENDING")


def _one_of(data, many):
    return data.draw(st.integers(0, len(many) - 1))


class StopMachine(OrderMachine):
    """The same of orders with a trigger, which are PENDING until it has fired."""

    wish = STOP


TestOrderMachine = OrderMachine.TestCase
TestOrderMachine.settings = settings(stateful_step_count=40)
TestStopMachine = StopMachine.TestCase
TestStopMachine.settings = settings(stateful_step_count=40)


def test_the_table_of_this_test_makes_no_move_that_the_contract_forbids():
    """Every move written above is one the contract lists."""
    made = {
        (state, end)
        for row in EXPECTED.values()
        for state, end in row.items()
        if end not in {".", "!", "-"} and state != end
    }
    assert set() == {(state, end) for state, end in made if end not in ALLOWED[state]}
