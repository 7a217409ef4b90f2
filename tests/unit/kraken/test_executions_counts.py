"""What the private stream tells the keeper of the counts: open orders, Kraken's own figures, and the token's use."""

from decimal import Decimal

import pytest
from executions_parts import ACK, Told, frame, gets, sample, session

from execsvc.kraken.executions import REMEMBERED_MAX

D = Decimal

NEW = {"exec_type": "new", "order_status": "new", "symbol": "BTC/USD", "side": "buy"}
TRADE = {"exec_type": "trade", "order_status": "partially_filled", "exec_id": "T1", "last_qty": 1, "last_price": 2}


def told_by(*frames, asked_at=None):
    """What the keeper of the counts hears of these frames."""
    counts = Told()
    private = session(counts)
    if asked_at is not None:
        private.due(asked_at, 100)
    for message in frames:
        gets(private, message)
    return list(counts)


def counted(*rows):
    """What it hears of such rows after an empty snapshot."""
    return told_by(frame([], 1, "snapshot"), frame(list(rows), 2))[1:]


def test_snapshot_tells_every_open_order_and_when_it_was_asked_for():
    """Ours and others'; the trades in it are none, nor is what has ended or cannot be named."""
    rows = [
        NEW | {"order_id": "O1"},
        NEW | {"order_id": "O2", "symbol": "FOO/BAR"},
        NEW | {"order_id": "O3", "order_status": "canceled"},
        {"order_id": "O4", "exec_type": "new", "order_status": "new"},
        NEW | TRADE | {"order_id": "O5"},
    ]
    told = told_by(frame(rows, 1, "snapshot"), asked_at=99.5)
    assert ("all open", [("BTC/USD", "O1"), ("FOO/BAR", "O2")], 99.5) == told[-1]


def test_only_the_first_snapshot_is_a_picture_of_all():
    """Further frames of that kind are single rows."""
    told = told_by(frame([], 1, "snapshot"), frame([NEW | {"order_id": "O1"}], 2, "snapshot"))
    assert ["all open", "seen"] == [each[0] for each in told]


def test_rows_before_the_snapshot_count_no_orders():
    """They are repeats of what it tells."""
    assert [] == told_by(frame([NEW | {"order_id": "O1"}], 1))


@pytest.mark.parametrize(
    ("row", "is_open"),
    [
        ({"exec_type": "pending_new", "order_status": "pending_new"}, True),
        ({"exec_type": "new", "order_status": "new"}, True),
        ({"exec_type": "restated", "order_status": "partially_filled"}, True),
        ({"exec_type": "filled", "order_status": "filled"}, False),
        ({"exec_type": "canceled", "order_status": "canceled"}, False),
        ({"exec_type": "expired", "order_status": "expired"}, False),
        ({"exec_type": "canceled", "order_status": ""}, False),
        ({"exec_type": "status", "order_status": "filled"}, False),
    ],
)
def test_every_row_of_an_order_tells_whether_it_is_open(row, is_open):
    """By its state or by what happened."""
    assert [("seen", "BTC/USD", "O1", is_open)] == counted({"order_id": "O1", "symbol": "BTC/USD"} | row)


def test_a_fill_alone_tells_no_end():
    """The row that ends the order follows it."""
    assert [] == counted(NEW | TRADE | {"order_id": "O1"})


def test_an_orders_pair_is_remembered_to_its_end():
    """The ending row names ids only."""
    ended = {"order_id": "O1", "exec_type": "canceled", "order_status": "canceled"}
    assert [("seen", "BTC/USD", "O1", True), ("seen", "BTC/USD", "O1", False)] == counted(
        NEW | {"order_id": "O1"}, ended
    )


def test_krakens_own_count_is_told_by_pair():
    """From rows of orders and from fills, exactly as written."""
    rows = [NEW | {"order_id": "O1", "ratecounter": 1.25}, NEW | TRADE | {"order_id": "O1", "ratecounter": 7}]
    told = [each for each in counted(*rows) if each[0] == "told"]
    assert [("told", "BTC/USD", D("1.25")), ("told", "BTC/USD", D(7))] == told


def test_a_count_of_an_unknown_pair_is_not_told():
    """Nobody knows whose it is."""
    row = {"order_id": "O9", "exec_type": "canceled", "order_status": "canceled", "ratecounter": 9}
    assert [("seen", "", "O9", False)] == counted(row)


def test_snapshot_rows_tell_krakens_count_too():
    """The first word after a start."""
    told = told_by(frame([NEW | {"order_id": "O1", "ratecounter": 3}], 1, "snapshot"))
    assert ("told", "BTC/USD", D(3)) in told


def test_the_accounts_maximum_is_told_with_the_subscription():
    """As a whole number of points."""
    accepted = ACK | {"result": {"channel": "executions", "maxratecount": 125}}
    assert [("maximum", 125)] == told_by(accepted)


@pytest.mark.parametrize("result", [{"channel": "executions"}, {"channel": "executions", "maxratecount": None}])
def test_a_subscription_without_a_maximum_tells_none(result):
    """Nothing is guessed."""
    assert [] == told_by(ACK | {"result": result})


def test_an_answer_without_a_result_tells_no_maximum():
    """It is accepted all the same."""
    assert [] == told_by({"method": "subscribe", "success": True, "req_id": 1})


def test_a_refused_subscription_tells_nothing():
    """Whatever else it says."""
    refused = {"method": "subscribe", "success": False, "error": "no", "result": {"maxratecount": 125}}
    assert [] == told_by(refused)


@pytest.mark.parametrize("word", [ACK, {"method": "subscribe", "success": False, "error": "ESession:Invalid session"}])
def test_krakens_word_on_the_subscription_uses_the_token_up(word):
    """Accepted or refused."""
    used = []
    private = session(used=lambda: used.append(True))
    before = len(used)
    gets(private, word)
    assert (0, 1) == (before, len(used))


def test_what_kraken_says_of_itself_uses_no_token_up():
    """It has not spoken of the subscription."""
    used = []
    private = session(used=lambda: used.append(True))
    gets(private, sample("ws_heartbeat"))
    assert [] == used


def test_a_connection_tells_that_it_counts_and_that_it_does_no_more():
    """From when it stands until it has ended."""
    counts = Told()
    private = session(counts)
    private.due(100.0, 100)
    standing = list(counts.links)
    gets(private, {"method": "subscribe", "success": False, "error": "no"})
    private.due(100.2, 100)
    assert ([private], [private, None]) == (standing, counts.links)


def test_no_more_orders_are_remembered_than_the_bound():
    """Of the one that is forgotten nobody knows the pair any more."""
    counts = Told()
    private = session(counts)
    gets(private, frame([], 1, "snapshot"))
    rows = [NEW | {"order_id": f"O{number}"} for number in range(REMEMBERED_MAX + 1)]
    gets(private, frame(rows, 2))
    gets(private, frame([{"order_id": "O0", "exec_type": "canceled"}, {"order_id": "O9", "exec_type": "canceled"}], 3))
    assert [("seen", "", "O0", False), ("seen", "BTC/USD", "O9", False)] == counts[-2:]
