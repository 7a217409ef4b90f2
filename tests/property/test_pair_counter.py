"""One pair's counter with its orders: what the house sends, against what Kraken counts and holds open.

News of orders (the private stream, pictures of all that is open) comes late and in any order. What the counter itself does
with calls of every kind is test_counters.py's.
"""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from execsvc.kraken.costs import TIERS, Act, engine_cost
from execsvc.kraken.pairs import PairCounter
from tests.support.ratedrive import SECOND, Drive, engine_drive
from tests.support.ratereference import LIMITS

look_longer = settings(max_examples=3 * settings().max_examples)


class PairDrive(Drive):
    """The pair's counter and the engine. Only seen orders can be cancelled; `too_few`: when ours held too few open."""

    def __init__(self, tier):
        self.engine = engine_drive(tier).engine
        self.pair = PairCounter("BTC/USD", TIERS[tier])
        super().__init__(self.pair.counter, self.engine.tally)
        self.seen = []
        self.too_few = []
        self._orders = 0

    def look(self):
        """At every event: no fewer open than at Kraken."""
        if self.pair.open_orders(self.now) < len(self.engine.since):
            self.too_few.append((self.now, self.pair.open_orders(self.now), len(self.engine.since)))

    def may_add(self):
        return not self.pair.crowded(self.now) and self.pair.counter.wait_s(engine_cost(Act.ADD, 0.0), self.now) == 0

    def add(self, plan):
        order, adding = f"O{self._orders}", self.pair.add(self.now)
        self._orders += 1
        entry_by = (self.us + plan["deadline"]) / SECOND
        if plan["fate"] == "never left":
            self._later(plan["answered"], lambda: self.pair.unsent(adding))
            return
        valid = plan["fate"] != "refused"
        number = self._number()
        if plan["fate"] != "never arrived":
            self._later(
                plan["counted"], lambda: self._counted(lambda: self._added(order, plan, number=number, valid=valid))
            )
        if plan["fate"] in {"lost", "never arrived"}:
            self._later(plan["answered"], lambda: self.pair.in_doubt(adding, entry_by, self.now))
            if plan["fate"] == "lost":
                self._later(plan["deadline"] + plan["found"], lambda: self._accepted(adding, order))
        elif valid:
            self._later(plan["answered"], lambda: self._accepted(adding, order))
        else:
            self._later(plan["answered"], lambda: self.pair.refused(adding, self.now))

    def cancel(self, order, plan):
        self.pair.cancel(order, self.now)
        by = (self.us + plan["deadline"]) / SECOND
        number = self._number()
        if plan["fate"] != "never arrived":
            self._later(plan["counted"], lambda: self._counted(lambda: self._cancelled(order, plan, number=number)))
        if plan["fate"] in {"lost", "never arrived"}:
            self._later(plan["answered"], lambda: self.pair.cancel_answered(order, self.now, by=by))
        else:
            self._later(plan["answered"], lambda: self.pair.cancel_answered(order, self.now, by=self.now))

    def fill(self, order, plan):
        if self.engine.since.pop(order, None) is not None:
            self._later(plan["news"], lambda: self.pair.seen_ended(order, self.now))

    def picture(self, plan):
        """Asked for now, taken and told later."""
        since, taken = self.now, min(plan["counted"], plan["answered"])
        self._later(taken, lambda: self._picture_taken(frozenset(self.engine.since), since, plan["answered"] - taken))

    def _picture_taken(self, order_ids, since, delay):
        self._later(delay, lambda: self.pair.only_open(order_ids, since, self.now))

    def _number(self):
        self._numbers += 1
        return self._numbers

    def _added(self, order, plan, *, number, valid):
        self.engine.add([order], self.at, number=number, valid=valid)
        self.look()
        if valid:
            self._later(plan["news"], lambda: self._seen_open(order))

    def _cancelled(self, order, plan, *, number):
        was_open = order in self.engine.since
        self.engine.cancel([order], self.at, number=number)
        self.look()
        if was_open:
            self._later(plan["news"], lambda: self.pair.seen_ended(order, self.now))

    def _seen_open(self, order):
        self.pair.seen_open(order, self.now)
        self._known(order)

    def _accepted(self, adding, order):
        self.pair.accepted(adding, order, self.now)
        self._known(order)

    def _known(self, order):
        if order not in self.seen:
            self.seen.append(order)
        self.look()


@st.composite
def plans(draw):
    """How a call fares: as in test_counters.py, and when the stream tells of it or a look finds it."""
    answered = draw(st.sampled_from((0, 5_000, 400_000)) | st.integers(0, 2 * SECOND))
    fate = draw(st.sampled_from(("answered", "answered", "answered", "refused", "lost", "never arrived", "never left")))
    deadline = answered + draw(st.sampled_from((0, 5 * SECOND)) | st.integers(0, 5 * SECOND))
    within = deadline if fate == "lost" else answered
    return {
        "what": draw(st.sampled_from(("add", "add", "cancel", "cancel", "fill", "picture"))),
        "pause": draw(st.sampled_from((0, 0, 1, SECOND)) | st.integers(0, 60 * SECOND)),
        "times": draw(st.sampled_from((1, 1, 2, 3, 4, 70))),
        "pick": draw(st.integers(0, 3) | st.integers(0, 400)),
        "fate": fate,
        "answered": answered,
        "deadline": deadline,
        "counted": draw(st.sampled_from((0, within)) | st.integers(0, within)),
        "news": draw(st.sampled_from((0, 10_000)) | st.integers(0, 3 * SECOND)),
        "found": draw(st.integers(0, 25 * SECOND)),
    }


def carry_out(drive, plan):
    drive.run_to(drive.us + plan["pause"])
    for each in range(plan["times"]):
        if plan["what"] == "add" and drive.may_add():
            drive.add(plan)
        elif plan["what"] in {"cancel", "fill"} and drive.seen:
            getattr(drive, plan["what"])(drive.seen[(plan["pick"] + each) % len(drive.seen)], plan)
    if plan["what"] == "picture":
        drive.picture(plan)
    drive.look()


@look_longer
@given(st.sampled_from(sorted(LIMITS)), st.lists(plans(), min_size=8, max_size=30))
def test_a_pair_is_never_below_kraken_s(tier, todo):
    """Ours always holds as many points and open orders as Kraken, so no placement that found room is ever refused."""
    drive = PairDrive(tier)
    for plan in todo:
        carry_out(drive, plan)
    drive.settle()
    refused = list(drive.tally.overruns()), drive.engine.crowded_out
    assert ([], [], ([], 0)) == (drive.below(), drive.too_few, refused)


# ---- examples of what the properties once found ---------------------------------------------------------------------


def pair_with_an_order(tier="starter"):
    pair = PairCounter("BTC/USD", TIERS[tier])
    pair.accepted(pair.add(0.0), "O", 0.0)
    return pair


def test_a_cancel_asked_again_after_the_first_was_lost_is_charged():
    """The first may never have arrived: the second is what Kraken counts."""
    pair = pair_with_an_order()
    pair.cancel("O", 20.0)
    pair.cancel_answered("O", 22.0, by=24.0)
    pair.cancel("O", 60.0)
    assert Decimal(2) == pair.counter.level(60.0)


def test_a_cancel_asked_again_is_held_until_the_last_of_them_must_have_been_counted():
    """Which of the two Kraken counts is not known."""
    pair = pair_with_an_order()
    pair.cancel("O", 20.0)
    pair.cancel("O", 21.0)
    pair.cancel_answered("O", 22.0, by=24.0)
    pair.cancel_answered("O", 23.0, by=30.0)
    assert Decimal(4) == pair.counter.level(30.0)


def test_an_order_that_ended_before_its_answer_came_is_not_open():
    """Its end was told by the stream, its beginning by the late answer."""
    pair = PairCounter("BTC/USD", TIERS["starter"])
    adding = pair.add(0.0)
    pair.seen_ended("O", 0.1)
    pair.accepted(adding, "O", 0.2)
    assert 0 == pair.open_orders(0.2)
