"""A fair line: who goes next, what stands before whom, and what a flood costs the one who makes it."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from execsvc.kraken.turns import LEFT_MAX, Turns

ONE = Decimal(1)
ASKS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9).map(Decimal)), max_size=40)


def pushed(asks, weights=None):
    turns = Turns(weights or {})
    return turns, [turns.push(caller, cost, number) for number, (caller, cost) in enumerate(asks)]


def served(turns):
    """Everybody, in the order of service."""
    order = []
    while (place := turns.first()) is not None:
        turns.serve(place)
        order.append(place)
    return order


def callers(turns):
    return "".join(place.caller for place in served(turns))


def test_an_empty_line_has_no_first():
    """Nobody waits, nobody goes."""
    turns = Turns()
    assert (None, 0, ()) == (turns.first(), len(turns), tuple(turns))


def test_one_caller_is_served_in_the_order_of_arrival():
    """First come, first served, among one's own."""
    turns, places = pushed([("a", ONE)] * 5)
    assert places == served(turns)


def test_a_flood_stands_behind_everybody_who_asked_once():
    """Twenty of one caller, then one of another: the other is second."""
    turns, _ = pushed([("a", ONE)] * 20 + [("b", ONE)])
    assert callers(turns).startswith("ab")


def test_callers_take_turns():
    """Two floods at one time are served one by one."""
    turns, _ = pushed([("a", ONE)] * 3 + [("b", ONE)] * 3)
    assert "ababab" == callers(turns)


def test_who_pays_more_waits_longer():
    """Turns are counted in points: three calls of one point for one of three."""
    turns, _ = pushed([("a", Decimal(3))] * 2 + [("b", ONE)] * 6)
    assert "bb" + "abbb" + "ab" == callers(turns)


def test_a_weight_of_two_is_twice_the_share():
    """Shares are the operator's."""
    turns, _ = pushed([("a", ONE)] * 4 + [("b", ONE)] * 8, {"b": 2})
    assert "bab" * 4 == callers(turns)


def test_what_costs_nothing_takes_a_turn_all_the_same():
    """A flood of free calls is a flood."""
    turns, _ = pushed([("a", Decimal(0))] * 3 + [("b", Decimal(0))])
    assert "abaa" == callers(turns)


def test_an_idle_hour_is_no_credit():
    """A caller that comes late stands where the line is: it takes turns with those who wait, it does not go before them."""
    turns, places = pushed([("a", ONE)] * 8)
    for place in places[:5]:
        turns.serve(place)
    for _ in range(3):
        turns.push("b", ONE, None)
    assert "ababab" == callers(turns)


def test_one_that_gives_up_and_comes_again_loses_nothing():
    """Its next place is where the last one was, before those who came later."""
    turns, places = pushed([("a", ONE), ("b", ONE)])
    turns.leave(places[0])
    assert turns.push("a", ONE, None) is turns.first()


def test_a_place_that_was_given_up_is_kept_once():
    """The second one is a new one."""
    turns, places = pushed([("a", ONE), ("b", ONE)])
    turns.leave(places[0])
    turns.serve(turns.push("a", ONE, None))
    turns.push("a", ONE, None)
    assert "ba" == callers(turns)


def test_giving_up_one_of_several_keeps_nothing():
    """The caller waits on in its other places."""
    turns, places = pushed([("a", ONE), ("a", ONE), ("b", ONE)])
    turns.leave(places[0])
    turns.push("a", ONE, None)
    assert "baa" == callers(turns)


def test_no_more_given_up_places_are_kept_than_the_bound():
    """The one given up first is forgotten."""
    turns, places = pushed([(f"caller-{number}", ONE) for number in range(LEFT_MAX + 1)])
    for place in places:
        turns.leave(place)
    turns.push("b", ONE, None)
    turns.push("caller-0", ONE, None)
    turns.push("caller-1", ONE, None)
    assert ["caller-1", "b", "caller-0"] == [place.caller for place in served(turns)]


def test_a_promised_place_does_not_wait():
    """It is nobody's turn before the caller takes it; then it is where it was promised."""
    turns, _ = pushed([("b", ONE)])
    promised = turns.promise("a", ONE, None)
    turns.push("c", ONE, None)
    before = [place.caller for place in turns]
    turns.take(promised)
    assert (["b", "c"], "bac") == (before, callers(turns))


def test_a_promised_place_stands_before_the_callers_later_ones():
    """Taken after those were pushed, it is served first."""
    turns = Turns()
    promised = turns.promise("a", ONE, "promised")
    turns.push("a", ONE, "later")
    turns.take(promised)
    assert ["promised", "later"] == [place.value for place in served(turns)]


def test_promises_stand_behind_one_another():
    """A second one is behind the first that nobody waits in yet."""
    turns = Turns()
    first = turns.promise("a", ONE, None)
    second = turns.promise("a", ONE, None, behind=first.tag)
    assert 2 * first.tag == second.tag


def test_the_line_does_not_move_for_one_that_gives_up():
    """Only service moves it on."""
    turns, places = pushed([("a", Decimal(9))])
    turns.leave(places[0])
    assert Turns().push("b", ONE, None).tag == turns.push("b", ONE, None).tag


def test_a_place_is_left_once():
    """Leaving again, or after service, changes nothing for the others."""
    turns, places = pushed([("a", ONE), ("a", ONE), ("b", ONE)])
    turns.serve(places[0])
    for _ in range(2):
        turns.leave(places[0])
    turns.serve(places[2])
    turns.leave(places[2])
    assert ([places[1]], 1) == (list(turns), len(turns))


def test_a_callers_places_are_told_in_their_order():
    """First to last, and how many; of a stranger none."""
    turns, places = pushed([("a", ONE), ("b", ONE), ("a", ONE)])
    assert ((places[0], places[2]), 2) == (turns.of("a"), turns.depth("a"))
    assert ((), 0) == (turns.of("nobody"), turns.depth("nobody"))


def test_a_caller_without_places_leaves_nothing_behind():
    """A million names that asked once cost no memory."""
    turns, places = pushed([(f"caller-{number}", ONE) for number in range(50)])
    for place in places:
        turns.leave(place)
    assert ({}, "<Turns of 0 places, 0 callers>") == (turns._queues, repr(turns))


@given(ASKS)
def test_what_stands_ahead_is_what_is_served_before(asks):
    """`ahead` is the sum of what goes first."""
    turns, places = pushed(asks)
    ahead = {place.number: turns.ahead(place) for place in places}
    before, expected = Decimal(0), {}
    for place in served(turns):
        expected[place.number] = before
        before += place.cost
    assert expected == ahead


@given(ASKS, st.sampled_from("abcde"), st.integers(0, 9).map(Decimal))
def test_what_would_stand_before_a_new_one_is_what_does(asks, caller, cost):
    """The forecast is kept: asked before or after taking the place."""
    turns, _ = pushed(asks)
    forecast = turns.ahead_of_new(caller, cost)
    assert forecast == turns.ahead(turns.push(caller, cost, None))


@given(ASKS)
def test_everybody_is_served_once(asks):
    """Nobody is lost, nobody goes twice, each caller's own stay in order."""
    turns, places = pushed(asks)
    order = served(turns)
    for caller in "abcd":
        assert [place for place in places if place.caller == caller] == [
            place for place in order if place.caller == caller
        ]
    assert (len(places), 0) == (len(order), len(turns))
