"""The arithmetic of positions: first opened, first closed, and nothing lost to rounding."""

from hypothesis import given
from hypothesis import strategies as st

from execsvc.paper.orders import Order, Terms, Trade
from execsvc.paper.pairs import load
from execsvc.paper.positions import Position, Positions

PAIR = load().pairs["XXBTZUSD"]
LOTS = st.integers(1, 10**9)
COSTS = st.integers(0, 10**12)
FILLS = st.lists(st.tuples(LOTS, COSTS, st.integers(0, 10**8)), min_size=1, max_size=5)


def fill(number, side, lots, cost, fee=0):
    terms = Terms(pair=PAIR, side=side, kind="market", lots=lots, price=None, leverage=5)
    return Trade(
        id=f"T{number}",
        position=f"P{number}",
        order=Order("O", terms, 0),
        at=number,
        booked=number,
        price=1,
        lots=lots,
        cost=cost,
        fee=fee,
        fee_asset=PAIR.quote,
        charged=fee,
        maker=False,
        trade_id=number,
        entries=("L1", "L2"),
    )


def opened(fills, side, keep=None):
    positions = Positions(keep=keep)
    for number, (lots, cost, fee) in enumerate(fills):
        trade = fill(number, side, lots, cost, fee)
        positions.add(Position(trade.position, trade, lots, cost, fee, leverage=5, rolls=0))
    return positions


@given(FILLS, st.sampled_from(["buy", "sell"]), COSTS, st.data())
def test_closing_everything_brings_the_difference(fills, side, cost, data):
    """However closing is cut up, what it brings in all is the closing cost less the opening cost, or the other way."""
    positions = opened(fills, side)
    total, paid = sum(lots for lots, _, _ in fills), sum(opening for _, opening, _ in fills)
    other, left, gained, closing = ("sell" if side == "buy" else "buy"), total, 0, 0
    while left:
        part = data.draw(st.integers(1, left) if left > total // 4 else st.just(left))
        trade = fill(100 + left, other, part, cost * part // total, 7)
        gained += positions.close(trade, part)
        closing += trade.cost
        left -= part
    assert (closing - paid if side == "buy" else paid - closing) == gained
    assert 0 == len(positions)


@given(FILLS, st.data())
def test_first_opened_first_closed(fills, data):
    """A position is touched only when all that were opened before it are closed."""
    positions = opened(fills, "buy")
    rows = positions.open_ones()
    part = data.draw(st.integers(1, sum(row.lots for row in rows)))
    positions.close(fill(100, "sell", part, 10**9), part)
    seen = [row.left for row in rows]
    first = next((place for place, left in enumerate(seen) if left), len(seen))
    assert [0] * first == seen[:first]
    assert [row.lots for row in rows[first + 1 :]] == seen[first + 1 :]
    assert part == sum(row.closed for row in rows)


@given(FILLS, COSTS, st.integers(0, 10**8), st.data())
def test_fill_is_given_out_to_the_last_unit(fills, cost, fee, data):
    """A fill that closes several positions leaves its whole cost and fee with them."""
    positions = opened(fills, "sell")
    rows, total = positions.open_ones(), sum(lots for lots, _, _ in fills)
    part = data.draw(st.integers(1, total))
    positions.close(fill(100, "buy", part, cost, fee), part)
    assert (cost, fee) == (sum(row.ccost for row in rows), sum(row.cfee for row in rows))


@given(FILLS, st.data())
def test_settling_brings_nothing(fills, data):
    """Positions are settled at what they cost to open, so that nothing is gained or lost."""
    positions = opened(fills, "buy")
    rows, total = positions.open_ones(), sum(lots for lots, _, _ in fills)
    part = data.draw(st.integers(1, total))
    settled = positions.settle(PAIR, "buy", part, ref="O")
    assert part == sum(lots for _, lots, _ in settled)
    assert 0 == sum(row.net for row in rows)
    assert sum(row.cost - row.cost_left for row in rows) == sum(cost for _, _, cost in settled)


@given(LOTS, COSTS, st.integers(1, 10))
def test_margin_is_the_cost_over_the_leverage(lots, cost, leverage):
    """Margin is cost over leverage, rounded up, and goes to nothing as the position closes."""
    position = Position("P", fill(1, "buy", lots, cost), lots, cost, 0, leverage=leverage, rolls=0)
    assert -(-cost // leverage) == position.margin == position.margin_left
    position.close(lots, cost=0, fee=0, trade_id="T")
    assert (0, 0) == (position.margin_left, position.cost_left)


def test_positions_of_one_pair_and_side_are_found():
    """Lots are counted by side; a position of the other side is none of them."""
    positions = opened([(5, 10, 0), (7, 10, 0)], "buy")
    assert (12, 0) == (positions.lots(PAIR, "buy"), positions.lots(PAIR, "sell"))
    assert ["P0", "P1"] == [position.id for position in positions]
    assert "P1" == positions.get("P1").id


def test_fills_lead_to_their_positions():
    """The fill that opened a position and those that closed it lead to it, also when it is closed."""
    positions = opened([(5, 10, 0), (7, 10, 0)], "buy")
    first, second = positions.open_ones()
    closer = fill(9, "sell", 6, 12)
    positions.close(closer, 6)
    assert first is positions.opened_by(first.opener)
    assert (first, second) == positions.closed_by(closer)
    assert () == positions.closed_by(first.opener)
    assert ["T9"] == first.closers


def test_oldest_closed_positions_are_forgotten():
    """Of the closed positions only the newest are kept."""
    positions = opened([(1, 1, 0)] * 5, "buy", keep=2)
    rows = positions.open_ones()
    for number in range(5):
        positions.close(fill(50 + number, "sell", 1, 1), 1)
    assert [False, False, False, True, True] == [positions.opened_by(row.opener) is not None for row in rows]
