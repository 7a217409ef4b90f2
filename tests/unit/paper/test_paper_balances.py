"""The balances channel without sockets: its snapshot, a message per ledger entry, its own sequence, its mishaps."""

import json
from decimal import Decimal

import pytest

from execsvc.paper.mishap import Fault
from tests.unit.paper.paperbench import kinds, vector


def follow(bench, socket=None, **params):
    """A private line that follows balances."""
    socket = socket or bench.open("private")
    socket.ask("subscribe", 2, channel="balances", token=bench.ok("GetWebSocketsToken")["token"], **params)
    return socket


def arm(bench, **fault):
    bench.exchange.fault(Fault(**fault), bench.now)


def shown(bench):
    """BalanceEx, by the names that WebSockets use."""
    names = {asset.id: asset.name for asset in bench.venue.ledger.assets()}
    return {names[code]: Decimal(row["balance"]) for code, row in bench.ok("BalanceEx").items()}


def test_ack_and_snapshot_in_the_samples_shape(bench):
    """The subscription is acknowledged, then every asset is told with its one wallet, as in the samples."""
    _, answer, frame = follow(bench).frames()
    assert (vector("ws_balances_subscribe_ack.json")["result"], 2) == (answer["result"], answer["req_id"])
    assert kinds(vector("ws_balances_snapshot.json")) == kinds(frame)
    assert ("snapshot", 1) == (frame["type"], frame["sequence"])
    row = next(row for row in frame["data"] if row["asset"] == "BTC")
    assert [{"type": "spot", "id": "main", "balance": row["balance"]}] == row["wallets"]


def test_no_snapshot_where_none_is_wanted(bench):
    """The first message is then the first entry's."""
    assert ["status"] == [frame.get("channel", "status") for frame in follow(bench, snapshot=False).frames()[:1]]
    assert [] == follow(bench, snapshot=False).frames("balances")


def test_both_legs_of_a_trade_are_messages_of_their_own(ladder):
    """One ref_id, two messages in sequence, in the sample's shape."""
    socket = follow(ladder)
    socket.frames()
    ladder.order(price="101", volume="0.5")
    frames = socket.frames("balances")
    assert [2, 3] == [frame["sequence"] for frame in frames]
    assert [kinds(each) for each in vector("ws_balances_update_trade.json")] == [kinds(frame) for frame in frames]
    base, quote = (frame["data"][0] for frame in frames)
    assert ("BTC", "USD", base["ref_id"]) == (base["asset"], quote["asset"], quote["ref_id"])
    assert (0.5, -50.5) == (base["amount"], quote["amount"])


def test_balances_told_end_where_balance_ex_stands(ladder):
    """After trades on both sides the last figure told of each asset is BalanceEx's, to the last digit."""
    socket = follow(ladder)
    ladder.order(price="103", volume="2.5")
    ladder.order(type="sell", price="98", volume="1.25")
    frames = [json.loads(text, parse_float=Decimal) for text in socket.texts()]
    rows = [row for frame in frames if frame.get("channel") == "balances" for row in frame["data"]]
    told = {row["asset"]: row["balance"] for row in rows}
    assert shown(ladder) == told


def test_a_resting_order_tells_nothing(ladder):
    """What an order holds is no ledger entry."""
    socket = follow(ladder)
    socket.frames()
    ladder.order(price="99", volume="0.5")
    assert [] == socket.frames("balances")


def test_each_channel_counts_for_itself(ladder):
    """Executions and balances on one line and one token: two sequences, both from one."""
    socket = ladder.executions()
    follow(ladder, socket)
    ladder.order(price="101", volume="0.5")
    frames = socket.frames()
    for channel, count in (("executions", 5), ("balances", 3)):
        assert list(range(1, count + 1)) == [each["sequence"] for each in frames if each.get("channel") == channel]


def test_one_token_serves_both_channels(bench):
    """Used for one, it is good for the other; a token of nobody's is refused."""
    socket, token = bench.open("private"), bench.ok("GetWebSocketsToken")["token"]
    socket.frames()
    socket.ask("subscribe", 1, channel="executions", token=token)
    socket.ask("subscribe", 2, channel="balances", token=token)
    socket.ask("subscribe", 3, channel="balances", token="nobody's")
    answers = {frame["req_id"]: frame["success"] for frame in socket.frames() if "req_id" in frame}
    assert {1: True, 2: True, 3: False} == answers


def test_followed_once_and_until_unsubscribed(ladder):
    """A second subscription is refused; after an unsubscribe nothing comes, and another one is refused."""
    socket = follow(ladder)
    socket.frames()
    follow(ladder, socket)
    socket.ask("unsubscribe", 3, channel="balances")
    ladder.order(price="101", volume="0.5")
    socket.ask("unsubscribe", 4, channel="balances")
    told = [frame.get("error") or frame["result"]["channel"] for frame in socket.frames()]
    assert ["Already subscribed", "balances", "Subscription Not Found"] == told


def test_not_on_the_public_endpoint(bench):
    """The public host sends the asker to the private one."""
    socket = bench.open()
    socket.frames()
    socket.ask("subscribe", channel="balances", token="x")
    assert (
        "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com"
        == socket.frames()[0]["error"]
    )


@pytest.mark.parametrize(
    ("channel", "skipped"), [("balances", "balances"), ("executions", "executions"), ("", "executions")]
)
def test_skip_sequence_narrowed_to_a_channel(ladder, channel, skipped):
    """A number is lost on the channel the mishap names, else on the message that comes first."""
    socket = ladder.executions()
    follow(ladder, socket)
    arm(ladder, kind="skip_sequence", channel=channel)
    ladder.order(price="101", volume="0.5")
    frames = socket.frames()
    holed = set()
    for name in ("executions", "balances"):
        numbers = [each["sequence"] for each in frames if each.get("channel") == name]
        if numbers != list(range(1, len(numbers) + 1)):
            holed.add(name)
    assert {skipped} == holed


def test_cut_frame_in_the_middle_of_a_balance(ladder):
    """What came before it is still sent."""
    socket = follow(ladder)
    socket.frames()
    arm(ladder, kind="cut_frame", channel="balances", skip=1)
    ladder.order(price="101", volume="0.5")
    assert ([2], 3) == (
        [frame["sequence"] for frame in socket.frames("balances")],
        json.loads(socket.line.torn.text)["sequence"],
    )


def test_token_expired_for_balances_alone(ladder):
    """The subscription is refused and the token dead; the executions that stand already go on."""
    socket = ladder.executions()
    arm(ladder, kind="token_expired", channel="balances")
    socket.frames()
    follow(ladder, socket)
    assert ["ESession:Invalid session"] == [frame["error"] for frame in socket.frames()]
    ladder.order(price="101", volume="0.5")
    assert ["executions"] * 4 == [frame["channel"] for frame in socket.frames()]


def test_silent_feed_swallows_balances(ladder):
    """What would have been sent is lost, and the sequence shows it afterwards."""
    socket = follow(ladder)
    socket.frames()
    arm(ladder, kind="feed_silent", line="private", for_ms=500)
    ladder.order(price="101", volume="0.5")
    assert [] == socket.frames()
    ladder.wait(0.6)
    ladder.order(price="102", volume="0.5")
    assert 4 == socket.frames("balances")[0]["sequence"]


def test_a_line_that_follows_balances_is_not_idle(bench):
    """It stays open past the minute after which a line without subscriptions is closed."""
    socket = follow(bench)
    bench.wait(70)
    assert socket.line.closed is None
