"""The book: the published checksum, the recorded session, and a naive model it must equal."""

import json
from decimal import Decimal
from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kraken_parts import VECTORS, vector

from execsvc.domain.market import BookTopic, EventTimes
from execsvc.kraken import frames, wire
from execsvc.kraken.checksum import digits
from execsvc.kraken.figures import whole
from execsvc.kraken.ladder import Desync, Ladder

TIMES = EventTimes(None, 1)
SNAPSHOT = msgspec.json.decode((VECTORS / "ws_book_snapshot.json").read_bytes(), type=frames.Frame)
READ_BOOKS = wire.decoder(list[frames.BookData])


def ladder(depth=10, price_decimals=1, quantity_decimals=8):
    return Ladder(BookTopic("BTC/USD", depth), price_decimals=price_decimals, quantity_decimals=quantity_decimals)


def level(price, quantity):
    return frames.LevelData(Decimal(price), Decimal(quantity))


class NaiveBook:
    """What the guide says, word by word: apply in order, cut, format, sum. A follower of deltas uses it too."""

    def __init__(self, depth, price_decimals, quantity_decimals):
        self.bids, self.asks = {}, {}
        self._depth, self._price_decimals, self._quantity_decimals = depth, price_decimals, quantity_decimals

    def apply(self, bids, asks, *, cut=True):
        for side, rows, best in ((self.bids, bids, max), (self.asks, asks, min)):
            for price, quantity in rows:
                side.pop(price, None) if not quantity else side.update({price: quantity})
            while cut and len(side) > self._depth:
                worst = (min if best is max else max)(side)
                del side[worst]

    def sorted(self):
        return sorted(self.bids.items(), reverse=True), sorted(self.asks.items())

    def checksum(self):
        bids, asks = self.sorted()
        text = ""
        for price, quantity in asks[:10] + bids[:10]:
            for number, decimals in ((price, self._price_decimals), (quantity, self._quantity_decimals)):
                text += f"{number:.{decimals}f}".replace(".", "").lstrip("0")
        return crc32(text.encode())


def pairs(levels):
    return [(level.price, level.quantity) for level in levels]


def test_published_checksum():
    """Kraken's own example: 3310070434."""
    (row,) = READ_BOOKS(SNAPSHOT.data)
    assert row.checksum == 3310070434
    ladder().load(row.bids, row.asks, row.checksum, TIMES)


def test_recorded_session_holds_at_every_update():
    """A snapshot and 200 updates recorded from Kraken: every checksum, and a delta follower stays equal."""
    recorded = vector("ws_book_sequence_recorded")
    book = ladder(recorded["depth"], recorded["price_precision"], recorded["qty_precision"])
    follower = NaiveBook(recorded["depth"], 1, 8)
    seen = 0
    for message in recorded["messages"]:
        (row,) = READ_BOOKS(json.dumps(message["data"]).encode())
        if message["type"] == "snapshot":
            book.load(row.bids, row.asks, row.checksum, TIMES)
            changes = book.levels()
        else:
            changes = book.apply(row.bids, row.asks, row.checksum, TIMES)
        follower.apply(pairs(changes[0]), pairs(changes[1]), cut=False)
        assert follower.sorted() == tuple(map(pairs, book.levels()))
        seen += 1
    assert seen == 201


def test_wrong_checksum_is_a_desync():
    """One digit off and the book is void."""
    (row,) = READ_BOOKS(SNAPSHOT.data)
    with pytest.raises(Desync):
        ladder().load(row.bids, row.asks, row.checksum + 1, TIMES)


@pytest.mark.parametrize(
    ("price", "quantity"),
    [("1.25", "1"), ("1", "0.000000001"), ("-1", "1"), ("NaN", "1"), ("sNaN", "1"), ("1e400", "1"), ("1", "sNaN")],
)
def test_level_that_does_not_fit_the_pair_is_a_desync(price, quantity):
    """Finer than the pair's decimals, negative, or no number."""
    with pytest.raises(Desync):
        ladder().load([], [level(price, quantity)], 0, TIMES)


def test_removal_of_what_is_no_number_is_a_desync():
    """It has no place to be taken from."""
    with pytest.raises(Desync, match="sNaN does not fit"):
        ladder().load([], [level("100.5", 1), level("sNaN", 0)], 0, TIMES)


@given(st.decimals(allow_nan=True, allow_infinity=True), st.integers(0, 10))
def test_digits_are_those_of_the_whole_number(value, decimals):
    """However the figure is printed, its part of the checksum is what arithmetic says."""
    units = whole(value, decimals)
    assert (None if units is None else str(units or "")) == digits(value, decimals)


@given(st.integers(0, 10**24), st.integers(0, 10), st.integers(0, 3))
def test_digits_of_printed_figures(units, decimals, finer):
    """Figures in the pair's decimals, longer and shorter ones."""
    value = Decimal(units).scaleb(-decimals)
    value = Decimal(f"{value:f}{'0' * finer}") if "." in f"{value:f}" else value
    expected = whole(value, decimals)
    assert (None if expected is None else str(expected or "")) == digits(value, decimals)


def test_exponents_and_lost_zeros_read_like_full_digits():
    """1e-08 and 1.5 give the checksum of 0.00000001 and 1.50000000."""
    plain = NaiveBook(10, 1, 8)
    plain.apply([], [(Decimal("100.5"), Decimal("0.00000001"))])
    book = ladder()
    book.load([], [level("100.5", "1e-08")], plain.checksum(), TIMES)
    assert "0.00000001" == format(book.view().asks[0].quantity, "f")


def test_level_that_falls_out_is_told_as_removed():
    """Kraken sends no message for it, our reader gets one."""
    model = NaiveBook(2, 1, 8)
    book = ladder(depth=2)
    first = [(Decimal("10.0"), Decimal(1)), (Decimal("11.0"), Decimal(1))]
    model.apply([], first)
    book.load([], [level(*each) for each in first], model.checksum(), TIMES)
    model.apply([], [(Decimal("9.0"), Decimal(1))])
    bids, asks = book.apply([], [level("9.0", 1)], model.checksum(), TIMES)
    assert bids == ()
    assert pairs(asks) == [(Decimal("9.0"), Decimal(1)), (Decimal("11.0"), Decimal(0))]


def test_level_that_comes_and_falls_out_at_once_is_not_told():
    """Beyond the depth nothing happens for our reader."""
    model = NaiveBook(1, 1, 8)
    book = ladder(depth=1)
    model.apply([], [(Decimal("10.0"), Decimal(1))])
    book.load([], [level("10.0", 1)], model.checksum(), TIMES)
    assert book.apply([], [level("11.0", 5)], model.checksum(), TIMES) == ((), ())


MESSAGES = st.lists(
    st.tuples(
        *[
            st.lists(
                st.tuples(
                    st.integers(1, 30).map(lambda units: Decimal(units).scaleb(-1)),
                    st.integers(0, 3).map(lambda units: Decimal(units).scaleb(-2)),
                ),
                max_size=14,
            )
        ]
        * 2
    ),
    min_size=1,
    max_size=15,
)


@given(MESSAGES, st.sampled_from([1, 2, 10, 12, 25]))
def test_ladder_equals_the_naive_model(messages, depth):
    """Any messages, at any depth: same book, same checksum, and whoever follows the changes has the same book."""
    model, follower = NaiveBook(depth, 1, 2), NaiveBook(depth, 1, 2)
    book = ladder(depth, 1, 2)
    for number, (bids, asks) in enumerate(messages):
        model.apply(bids, asks)
        rows = [[level(*each) for each in side] for side in (bids, asks)]
        if number == 0:
            book.load(*rows, model.checksum(), TIMES)
            changes = book.levels()
        else:
            changes = book.apply(*rows, model.checksum(), TIMES)
        follower.apply(pairs(changes[0]), pairs(changes[1]), cut=False)
        assert tuple(map(pairs, book.levels())) == model.sorted() == follower.sorted()


def test_view_is_the_book_when_called():
    """Not when it was handed out."""
    model = NaiveBook(10, 1, 8)
    book = ladder()
    model.apply([(Decimal("9.0"), Decimal(1))], [])
    book.load([level("9.0", 1)], [], model.checksum(), TIMES)
    view = book.view
    model.apply([(Decimal("9.0"), Decimal(2))], [])
    book.apply([level("9.0", 2)], [], model.checksum(), TIMES)
    assert view().bids[0].quantity == 2
