from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from execsvc.paper.checksum import checksum
from execsvc.paper.feeds import BookFeed
from execsvc.paper.figures import units
from execsvc.paper.matching import Resting
from tests.unit.paper.paperbench import VECTORS, vector

_EXACT = msgspec.json.Decoder(float_hook=Decimal)


def exact(name):
    return _EXACT.decode((VECTORS / name).read_bytes())


def rows(levels, price_decimals=1, lot_decimals=8):
    return [
        (units(Decimal(level["price"]), price_decimals), units(Decimal(level["qty"]), lot_decimals)) for level in levels
    ]


def test_published_snapshot():
    """The example of Kraken's guide has the checksum the guide prints."""
    book = exact("ws_book_snapshot.json")["data"][0]
    assert book["checksum"] == checksum(rows(book["asks"]), rows(book["bids"]))


def test_recorded_session():
    """Every one of the recorded updates has the checksum the exchange sent, the book kept by the documented rule."""
    session = exact("ws_book_sequence_recorded.json")
    sides = {"asks": {}, "bids": {}}
    seen = 0
    for message in session["messages"]:
        data = message["data"][0]
        for side, levels in sides.items():
            for price, qty in rows(data.get(side, [])):
                levels.pop(price, None)
                if qty:
                    levels[price] = qty
            best = sorted(levels, reverse=side == "bids")[: session["depth"]]
            sides[side] = {price: levels[price] for price in best}
        assert data["checksum"] == checksum(sides["asks"].items(), sides["bids"].items())
        seen += 1
    assert 201 == seen


def test_only_ten_levels_count():
    """Levels past the tenth do not change the checksum, the tenth does."""
    side = [(100 + place, 5) for place in range(12)]
    assert checksum(side[:10], []) == checksum(side, [])
    assert checksum(side[:9], []) != checksum(side, [])


class Reader:
    """A subscriber who knows only what the feed says."""

    def __init__(self, depth):
        self.depth = depth
        self.sides = {"bids": {}, "asks": {}}

    def read(self, text):
        data = _EXACT.decode(text)["data"][0]
        for side, levels in self.sides.items():
            for price, qty in rows(data[side]):
                levels.pop(price, None)
                if qty:
                    levels[price] = qty
            best = sorted(levels, reverse=side == "bids")[: self.depth]
            self.sides[side] = {price: levels[price] for price in best}
        assert data["checksum"] == checksum(self.sides["asks"].items(), self.sides["bids"].items())


MOVES = st.lists(
    st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 40), st.integers(1, 9), st.booleans()), max_size=40
)


@given(MOVES, st.sampled_from([10, 25]))
def test_feed_keeps_a_reader_exact(moves, depth):
    """Whatever happens to the book, a reader who applies each update and truncates has its top, checksum and all."""
    from tests.unit.paper.paperbench import Bench

    listing = Bench(pairs=("BTC/USD",)).venue.listing("XBTUSD")
    book = listing.book
    feed = BookFeed(listing, depth)
    feed.refresh()
    reader = Reader(depth)
    reader.read(feed.snapshot(0))
    for side, place, qty, remove in moves:
        half = book.halves[side]
        price = 970_000 - place if side == "buy" else 970_001 + place
        if remove and half.keys:
            level = half.levels[half.keys[place % len(half.keys)] * half.sign]
            book.remove(next(iter(level.queue.values())), 0)
        else:
            book.rest(Resting(side, price, qty), 0)
        bids, asks = feed.refresh()
        if bids or asks:
            reader.read(feed.update(bids, asks, 0, spoil=False))
        assert list(reader.sides["bids"].items()) == book.bids.top(depth)
        assert list(reader.sides["asks"].items()) == book.asks.top(depth)


def test_numbers_keep_their_zeros():
    """Prices and quantities are JSON numbers with every decimal place of the pair."""
    text = (VECTORS / "ws_book_snapshot.json").read_text()
    from tests.unit.paper.paperbench import Bench

    bench = Bench(pairs=("BTC/USD",))
    levels = vector("ws_book_snapshot.json")["data"][0]
    bench.book(
        bids=[(f"{row['price']:.1f}", f"{row['qty']:.8f}") for row in levels["bids"]],
        asks=[(f"{row['price']:.1f}", f"{row['qty']:.8f}") for row in levels["asks"]],
    )
    socket = bench.open()
    socket.ask("subscribe", channel="book", symbol=["BTC/USD"])
    sent = socket.texts()[-1]
    assert text.strip() == sent.replace(',"timestamp":"2026-01-01T00:00:00.000000Z"', "")
