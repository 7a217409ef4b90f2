"""What a deep book laid beside the venue's own proves, and which book is next."""

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.app import audit
from execsvc.app.audit import DOUBLINGS_MOST, EVERY_S, SPACING_S, SUMMED, Audits, Stretch
from execsvc.domain.market import BookSeen, BookTopic, BookView, EventTimes, Level, TickerTopic

DEPTH, ASKED = 25, 20
BOOK, OTHER = BookTopic("BTC/USD", DEPTH), BookTopic("ETH/USD", 100)
TIMES = EventTimes(None, 0)
NOTHING = frozenset()
THOUSANDTH = Decimal("0.001")


def ladder(levels=40, **changed):
    """Asks 101, 102, …, one lot each; `changed` by price: a1=2 is the best ask, None takes the level away."""
    rows = {100 + number: "1" for number in range(1, levels + 1)}
    for name, quantity in changed.items():
        rows[100 + int(name.removeprefix("a"))] = quantity
    return {Decimal(price): Decimal(quantity) for price, quantity in rows.items() if quantity is not None}


def top(rows, depth, *, sign=1):
    return tuple(Level(price, rows[price]) for price in sorted(rows, key=lambda each: sign * each)[:depth])


def view(asks, depth=DEPTH):
    """Bids mirror the asks, so that either side is always tried."""
    mirrored = {200 - (price - 100): quantity for price, quantity in asks.items()}
    return BookView("BTC/USD", depth, top(mirrored, depth, sign=-1), top(asks, depth), TIMES)


def mirror(*numbers):
    """The same level of both sides."""
    return {Decimal(200 - number) for number in numbers} | {Decimal(100 + number) for number in numbers}


def changes(before, after):
    """What is told of a side: absolute, 0 for what is gone."""
    old, new = ({each.price: each.quantity for each in rows} for rows in (before, after))
    return tuple(
        Level(price, new.get(price, Decimal(0)))
        for price in old.keys() | new.keys()
        if old.get(price) != new.get(price)
    )


def step(before, after, *, snapshot=False):
    told = changes(before.bids, after.bids), changes(before.asks, after.asks)
    return BookSeen(BOOK, snapshot, *told, 7, TIMES, lambda: after)


def stretch(*books):
    """Ours: the first, then each next in one message."""
    views = [view(each) for each in books]
    ours = Stretch(views[0])
    for before, after in pairwise(views):
        ours.saw(step(before, after))
    return ours


def prices(unlike):
    return {price for price, _ in unlike}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [(ladder(a15="2"), ladder()), (ladder(a15=None), ladder()), (ladder(), ladder(a15=None))],
    ids=["a change", "a removal", "a new level"],
)
def test_a_change_below_the_checksum_that_was_lost_shows(theirs, ours):
    """On both sides, with what we hold there."""
    held = ours.get(Decimal(115), Decimal(0))
    assert {(price, held) for price in mirror(15)} == stretch(ours).unlike(view(theirs, ASKED))


def test_the_levels_of_the_checksum_are_left_out():
    """They are proved with every message; a flicker there is no lost change."""
    theirs = ladder(**{f"a{number}": "2" for number in range(1, SUMMED + 1)})
    assert NOTHING == stretch(ladder()).unlike(view(theirs, ASKED))


def test_what_was_in_the_checksum_once_meanwhile_is_left_out():
    """It was right then: ten levels of fewer better ones reach further down."""
    thin = ladder(**{f"a{number}": None for number in range(1, 6)})
    assert NOTHING == stretch(ladder(), thin, ladder()).unlike(view(ladder(a15="2"), ASKED))


def test_a_side_of_fewer_levels_than_the_checksum_has_is_left_out():
    """The checksum covers all of it, and that there is no more."""
    assert NOTHING == stretch(ladder(8)).unlike(view(ladder(9), ASKED))


def test_what_is_below_the_answer_is_left_out():
    """The venue was asked for so many levels and showed as many."""
    theirs = view(ladder(a15="2", a21="2"), ASKED)
    assert mirror(15) == prices(stretch(ladder()).unlike(theirs))


def test_an_answer_of_fewer_levels_than_asked_for_is_the_whole_side():
    """What we hold below it is not there."""
    assert mirror(19) == prices(stretch(ladder(19)).unlike(view(ladder(18), ASKED)))


def test_what_is_below_our_depth_is_left_out():
    """Nobody told us of it."""
    assert mirror(25) == prices(stretch(ladder()).unlike(view(ladder(a25="2", a26="2"), 40)))


def test_what_was_below_our_depth_meanwhile_is_left_out():
    """A level may have come and gone there while better ones had pushed the end of the book upwards."""
    gaps = ladder(40, a20=None, a22=None)
    pushed = gaps | {Decimal(f"105.{number}"): Decimal(1) for number in range(1, 8)}
    assert NOTHING == stretch(gaps, pushed, gaps).unlike(view(ladder(40, a20="3", a22="3"), 30))
    assert mirror(20, 22) == prices(stretch(gaps).unlike(view(ladder(40, a20="3", a22="3"), 30)))


def test_what_moved_meanwhile_is_left_out():
    """Updates are absolute: what was lost of that level before is mended."""
    ours = stretch(ladder(), ladder(a15="5"), ladder())
    assert NOTHING == ours.unlike(view(ladder(a15="7"), ASKED))


@pytest.mark.parametrize("rounding", [ROUND_HALF_UP, ROUND_DOWN])
def test_thousandths_are_compared_where_the_venue_shows_no_more(rounding):
    """REST prints three places of eight: cut or rounded, that is the same quantity."""
    ours = ladder(a15="1.23456789", a16="0.00049", a17=None)
    printed = {price: quantity.quantize(THOUSANDTH, rounding) for price, quantity in ours.items()}
    assert NOTHING == stretch(ours).unlike(view(printed, ASKED))
    wrong = printed | {Decimal(115): Decimal("1.236"), Decimal(117): Decimal("0.001")}
    assert mirror(15, 17) == prices(stretch(ours).unlike(view(wrong, ASKED)))


def test_a_snapshot_breaks_the_stretch():
    """What moved before it is not known."""
    ours = stretch(ladder())
    ours.saw(step(view(ladder()), view(ladder()), snapshot=True))
    assert ours.broken


def test_a_book_that_moves_too_much_breaks_the_stretch(monkeypatch):
    """What is kept of it is bounded."""
    monkeypatch.setattr(audit, "MOVED_MOST", 3)
    assert not stretch(ladder(), ladder(a1="2", a2="2", a3="2")).broken
    assert stretch(ladder(), ladder(a1="2", a2="2", a3="2", a4="2")).broken


STEPS = st.lists(
    st.lists(st.tuples(st.integers(1, 40), st.sampled_from(("", "0.5", "1.00049", "2"))), min_size=1, max_size=12),
    max_size=12,
)


@given(steps=STEPS, at=st.integers(0, 12), asked=st.sampled_from((15, 20, DEPTH, 40)))
def test_a_book_that_follows_is_never_unlike_one_that_it_was(steps, at, asked):
    """However fast it moves: the venue's answer is of any moment of the stretch, to any depth."""
    books = [ladder()]
    for moves in steps:
        changed = dict(books[-1])
        for number, quantity in moves:
            changed.pop(Decimal(100 + number), None)
            if quantity:
                changed[Decimal(100 + number)] = Decimal(quantity)
        books.append(changed)
    theirs = {price: quantity.quantize(THOUSANDTH) for price, quantity in books[min(at, len(steps))].items()}
    assert NOTHING == stretch(*books).unlike(view(theirs, asked))


@given(steps=STEPS, lost=st.integers(12, 25))
def test_a_lost_level_that_stands_still_shows_however_the_rest_moves(steps, lost):
    """As long as it stays below the checksum and within both books."""
    still = [[(number, quantity) for number, quantity in moves if number > lost and quantity] for moves in steps]
    books = [ladder()]
    for moves in still:
        books.append(books[-1] | {Decimal(100 + number): Decimal(quantity) for number, quantity in moves})
    theirs = books[-1] | {Decimal(100 + lost): Decimal(7)}
    assert mirror(lost) <= prices(stretch(*books).unlike(view(theirs, DEPTH)))


# ---- turns


class Clock:
    """The port's double: a test moves it."""

    def __init__(self):
        self._now = 1000.0

    def monotonic(self):
        return self._now

    def advance(self, seconds):
        self._now += seconds


class Turns:
    """Audits on such a clock."""

    def __init__(self):
        self.clock = Clock()
        self.audits = Audits(self.clock)

    def next(self, *topics, after=0.0):
        self.clock.advance(after)
        return self.audits.next(topics or (BOOK,))

    def looks(self, topics, seconds):
        """(seconds, topic) of each."""
        found = []
        for second in range(seconds):
            topic = self.next(*topics)
            if topic is not None:
                found.append((second, topic))
                self.audits.is_wrong(topic, NOTHING)
            self.clock.advance(1)
        return found


@pytest.fixture
def turns():
    return Turns()


WRONG = frozenset({(Decimal(115), Decimal(1))})
ELSEWHERE = frozenset({(Decimal(116), Decimal(1))})
CHANGED = frozenset({(Decimal(115), Decimal(2))})


def test_books_within_the_checksum_are_not_looked_at(turns):
    """Nor anything that is no book."""
    assert [] == turns.looks((BookTopic("BTC/USD", SUMMED), TickerTopic("BTC/USD")), 100)


def test_each_book_is_looked_at_every_half_minute(turns):
    """The first time, half a minute after it was first LIVE."""
    assert [30, 60, 90] == [second for second, _ in turns.looks((BOOK,), 100)]


def test_many_books_are_looked_at_in_turn_and_more_rarely(turns):
    """Five seconds apart, whatever their number: the public budget is small."""
    books = tuple(BookTopic(f"A{number}/USD", 25) for number in range(12))
    looks = turns.looks(books, 30 + 24 * 5)
    assert list(range(30, 150, 5)) == [second for second, _ in looks]
    assert [*books, *books] == [topic for _, topic in looks]


def convict(turns, first, second):
    """Two looks at a book, the second as soon as it is due."""
    turns.next()
    turns.next(after=EVERY_S)
    assert not turns.audits.is_wrong(BOOK, first)
    turns.clock.advance(SPACING_S)
    return turns.next(), turns.audits.is_wrong(BOOK, second)


@pytest.mark.parametrize(
    ("second", "wrong"),
    [(WRONG, True), (WRONG | ELSEWHERE, True), (ELSEWHERE, False), (CHANGED, False), (NOTHING, False), (None, False)],
    ids=["the same", "and more", "another level", "ours changed", "nothing", "no answer"],
)
def test_the_same_level_has_to_differ_twice(turns, second, wrong):
    """Ours unchanged: where it moved in between, it was mended."""
    assert (BOOK, wrong) == convict(turns, WRONG, second)


def test_an_answer_that_does_not_come_takes_no_suspicion_away(turns):
    """It is asked for again."""
    convict(turns, WRONG, None)
    assert (BOOK, True) == (turns.next(after=SPACING_S), turns.audits.is_wrong(BOOK, WRONG))


def test_a_suspect_goes_before_books_that_are_due(turns):
    """Readers quote on it."""
    turns.next(BOOK, OTHER)
    turns.clock.advance(EVERY_S)
    assert BOOK == turns.next(BOOK, OTHER)
    turns.audits.is_wrong(BOOK, WRONG)
    assert BOOK == turns.next(OTHER, BOOK, after=SPACING_S)


def test_a_new_picture_takes_suspicion_away(turns):
    """And is young: its half minute begins."""
    turns.next()
    turns.next(after=EVERY_S)
    turns.audits.is_wrong(BOOK, WRONG)
    turns.audits.renewed(BOOK)
    assert [None, BOOK] == [turns.next(after=EVERY_S - 1), turns.next(after=1)]
    assert not turns.audits.is_wrong(BOOK, WRONG)


def test_a_book_that_is_found_wrong_again_and_again_is_looked_at_ever_more_rarely(turns):
    """From half a minute to half an hour, until it agrees once."""
    turns.next()
    turns.clock.advance(EVERY_S)
    waits = []
    for _ in range(DOUBLINGS_MOST + 3):
        turns.next()
        turns.audits.is_wrong(BOOK, WRONG)
        turns.next(after=SPACING_S)
        assert turns.audits.is_wrong(BOOK, WRONG)
        waits.append(next(second for second in range(4000) if turns.next(after=float(second > 0))))
        turns.audits.is_wrong(BOOK, None)
        turns.clock.advance(EVERY_S * 2**DOUBLINGS_MOST)
    assert [30, 60, 120, 240, 480, 960, 1920, 1920, 1920] == waits
    turns.next()
    turns.audits.is_wrong(BOOK, NOTHING)
    assert [None, BOOK] == [turns.next(after=EVERY_S - 1), turns.next(after=1)]


def test_a_book_that_is_not_followed_any_more_is_forgotten(turns):
    """What it did before says nothing when it comes back."""
    turns.next()
    turns.next(after=EVERY_S)
    turns.audits.is_wrong(BOOK, WRONG)
    turns.audits.keep([OTHER])
    assert (None, False) == (turns.next(after=SPACING_S), turns.audits.is_wrong(BOOK, WRONG))
