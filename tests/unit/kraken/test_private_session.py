"""Two channels on one private connection: published balances in, totals out, and each sequence watched on its own."""

import json
from decimal import Decimal

import pytest
from executions_parts import ACK, Told, frame, gets, sample, session
from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain.errors import ProtocolBroken
from execsvc.domain.market import Beat, EventTimes, LinkUp
from execsvc.kraken.private_session import FUNDS_AGAIN_S
from execsvc.ports import BalanceSeen, BalancesRefused, BalancesSnapshot, OrdersSnapshot

D = Decimal
BALANCES_ACK = {"method": "subscribe", "success": True, "result": {"channel": "balances"}, "req_id": 2}
ENTRY = {"asset": "USD", "balance": 5, "wallet_type": "spot", "wallet_id": "main"}


def balances(rows, sequence, kind="update"):
    return frame(rows, sequence, kind) | {"channel": "balances"}


def linked():
    """A session whose two subscriptions were accepted and whose snapshots came."""
    private = session()
    for message in (ACK, BALANCES_ACK, frame([], 1, "snapshot"), balances([], 1, "snapshot")):
        gets(private, message)
    return private


def told(asset, total, venue_ns=None):
    return BalanceSeen(asset, total if total is None else D(total), EventTimes(venue_ns, 100))


def test_published_snapshot():
    """Totals are those of the spot wallet: what lies in Earn is an asset of its own in BalanceEx."""
    private = session()
    gets(private, ACK)
    assert [BalancesSnapshot((told("BTC", "1.2"), told("MATIC", "300")))] == gets(
        private, sample("ws_balances_snapshot")
    )


def test_published_deposit_and_trade():
    """One entry a message: asset, total after it, and when; both legs of a trade come apart."""
    private = linked()
    (deposit,) = gets(private, sample("ws_balances_update_deposit"))
    assert told("BTC", "0.02", 1_695_378_222_925_034_000) == deposit
    legs = [leg | {"sequence": number} for number, leg in enumerate(json.loads(sample("ws_balances_update_trade")), 3)]
    at_ns = 1_695_378_785_710_082_000
    assert [told("BTC", "0.005", at_ns), told("USD", "500", at_ns)] == [
        event for leg in legs for event in gets(private, leg)
    ]


def test_published_answer_is_a_sign_of_life():
    """Accepted: the snapshot is what counts."""
    private = session()
    gets(private, ACK)
    answer = json.loads(sample("ws_balances_subscribe_ack")) | {"req_id": 2}
    assert [Beat(100)] == gets(private, answer)


@pytest.mark.parametrize(
    "row",
    [
        {**ENTRY, "wallet_type": "earn", "wallet_id": "flex"},
        {**ENTRY, "wallet_type": "spot", "wallet_id": "locked"},
    ],
    ids=["earn", "another"],
)
def test_an_entry_of_another_wallet_has_no_total(row):
    """Something moved, and BalanceEx says what."""
    assert [told("USD", None)] == gets(linked(), balances([row], 2))


@pytest.mark.parametrize(
    ("wallets", "total"),
    [
        ([], "9"),
        ([{"type": "earn", "id": "flex", "balance": 9}], None),
        ([{"type": "earn", "id": "flex", "balance": 4}, {"type": "spot", "id": "main", "balance": 5}], "5"),
    ],
    ids=["not told", "earn alone", "both"],
)
def test_a_snapshot_row_is_the_spot_wallets(wallets, total):
    """Where no wallets are told, the whole is."""
    private = session()
    gets(private, ACK)
    row = {"asset": "USD", "balance": 9, "wallets": wallets}
    assert [BalancesSnapshot((told("USD", total),))] == gets(private, balances([row], 1, "snapshot"))


def test_assets_are_told_by_their_plain_names():
    """XXBT and XBT.M are BTC and BTC.M, as in every other answer."""
    rows = [{**ENTRY, "asset": "XXBT"}, {**ENTRY, "asset": "XBT.M"}]
    assert [told("BTC", 5), told("BTC.M", 5)] == gets(linked(), balances(rows, 2))


def refused(error):
    """Executions stand, balances were just refused; and what was told of that."""
    private = session()
    private.due(100.0, 100)
    gets(private, ACK)
    gets(private, frame([], 1, "snapshot"))
    return private, gets(private, {"method": "subscribe", "success": False, "error": error, "req_id": 2})


def asked(private, seconds):
    """Channels that are subscribed so long after the line, which beats, was opened."""
    private.receive(b'{"channel":"heartbeat"}', 100.0 + seconds, 100)
    texts = [json.loads(text) for text in private.due(100.0 + seconds, 100)]
    return [each["params"]["channel"] for each in texts if each["method"] == "subscribe"]


def test_balances_refused_alone_do_not_end_the_link():
    """Executions go on; that nothing of the funds will be told is told, in Kraken's words."""
    private, said = refused("EGeneral:Permission denied")
    assert [Beat(100), BalancesRefused("EGeneral:Permission denied")] == said
    assert ([Beat(100)], "") == (gets(private, frame([], 2)), private.ended)


def test_refused_balances_are_asked_for_again_and_each_time_later():
    """A permission may be given meanwhile; the wait doubles, up to ten minutes."""
    private, _ = refused("EGeneral:Permission denied")
    again = {"method": "subscribe", "success": False, "error": "EGeneral:Permission denied", "req_id": 2}
    times, at = [], 0.1
    for _ in range(9):
        pause = next(pause for pause in range(1, 2000) if asked(private, at + pause) == ["balances"])
        at += pause
        times.append(pause)
        private.receive(json.dumps(again).encode(), 100.0 + at, 100)
    assert [10, 20, 40, 80, 160, 320, 600, 600, 600] == times


def test_balances_that_are_granted_at_last_are_told():
    """Their snapshot says so, and they are not asked for any more."""
    private, _ = refused("EGeneral:Permission denied")
    assert ["balances"] == asked(private, FUNDS_AGAIN_S + 1)
    gets(private, BALANCES_ACK)
    assert [BalancesSnapshot(())] == gets(private, balances([], 1, "snapshot"))
    assert [] == asked(private, 2000)


@pytest.mark.parametrize("error", ["ESession:Invalid session", "EAPI:Invalid token"])
def test_a_token_that_is_no_good_for_balances_is_given_up_after_a_while(error):
    """Not at once, for the orders' sake; with another link comes another token."""
    private, _ = refused(error)
    before = asked(private, FUNDS_AGAIN_S - 1), private.ended
    assert (([], ""), []) == (before, asked(private, FUNDS_AGAIN_S + 1))
    assert f"another token is needed for balances: {error}" == private.ended


def test_executions_refused_end_the_link_although_balances_were_accepted():
    """They are what the link is for."""
    private = session()
    gets(private, BALANCES_ACK)
    refusal = {"method": "subscribe", "success": False, "error": "ESession:Invalid session", "req_id": 1}
    assert [] == gets(private, refusal)
    assert "ESession:Invalid session" in private.ended


def test_the_link_is_told_before_the_funds():
    """Balances may overtake the answer to the executions; a link is told once, and first."""
    private = session()
    assert [LinkUp(100), BalancesSnapshot(())] == gets(private, balances([], 1, "snapshot"))
    assert [Beat(100)] == gets(private, ACK)
    assert [OrdersSnapshot(())] == gets(private, frame([], 1, "snapshot"))


@pytest.mark.parametrize(("channel", "words"), [("balances", "balances jumped"), ("executions", "executions jumped")])
@pytest.mark.parametrize("number", [3, 1, 0, None])
def test_a_jump_in_either_sequence_ends_the_link(channel, words, number):
    """Lost, repeated or unnumbered: what came is not used, and the link starts anew."""
    private = linked()
    message = (balances([ENTRY], number) if channel == "balances" else frame([], number)) | {"sequence": number}
    assert [] == gets(private, message)
    assert words in private.ended


@given(order=st.lists(st.booleans(), max_size=30))
def test_each_sequence_is_its_own(order):
    """However the two interleave, each counts by one and nothing ends."""
    private = linked()
    numbers = {True: 1, False: 1}
    for funds in order:
        numbers[funds] += 1
        message = balances([ENTRY], numbers[funds]) if funds else frame([], numbers[funds])
        assert [told("USD", 5) if funds else Beat(100)] == gets(private, message)
    assert "" == private.ended


def test_a_second_snapshot_is_a_picture_again():
    """Kraken may send one after a subscription of its own making; it is read as what it is."""
    row = {"asset": "USD", "balance": 9}
    assert [BalancesSnapshot((told("USD", 9),))] == gets(linked(), balances([row], 2, "snapshot"))


def test_the_token_counts_as_used_after_either_answer():
    """Kraken has spoken of it."""
    used = []
    gets(session(used=lambda: used.append(1)), BALANCES_ACK)
    assert [1] == used


def test_the_maximum_of_the_counter_comes_with_executions_only():
    """An answer about balances says nothing of it."""
    counts = Told()
    private = session(counts)
    gets(private, BALANCES_ACK)
    gets(private, ACK | {"result": {"channel": "executions", "maxratecount": 180}})
    assert [("maximum", 180)] == counts


@pytest.mark.parametrize(
    "row", [{}, {"asset": "USD"}, {**ENTRY, "balance": "1e999"}, {**ENTRY, "timestamp": "yesterday"}, 5]
)
def test_what_cannot_be_read_is_said(row):
    """A row that is no balance ends the link rather than being guessed at."""
    with pytest.raises(ProtocolBroken):
        gets(linked(), balances([row], 2))


def test_a_line_that_beats_and_brings_no_picture_is_dropped():
    """Asked for, and nothing of it within five seconds: the link ends with its reason, though heartbeats went on."""
    private = session()
    private.due(100.0, 100)
    gets(private, {"channel": "heartbeat"})
    assert "" == private.ended
    private.due(105.01, 105)
    assert "no picture of the orders came within 5 s" == private.ended


def test_a_picture_ends_the_waiting():
    """Once the orders are known only silence ends the link."""
    private = linked()
    private.due(100.0, 100)
    gets(private, {"channel": "heartbeat"})
    private.due(105.01, 105)
    assert "" == private.ended
