"""Following orders: what is printed of each event, where a run ends and the next goes on, and that a hole is never hidden."""

import io
import os
import signal
import subprocess
import sys

import grpc
import pytest
from execsvc_api.v1 import order_service_pb2
from execsvc_client import Connected, Disconnected, ExecsvcError, Facts, FeedState, Gap, GapReason, StateChanged
from execsvc_client._account import read_mode
from execsvc_client._events import FillUpdate, ModeUpdate, OpenOrders, OrderUpdate
from execsvc_client._orders import read_fill, read_order

from execsvc.cli.tail import Log, Place, Wanted
from tests.unit.cli.conftest import make_order

LOST = ExecsvcError(Facts(grpc.StatusCode.UNAVAILABLE, "Socket closed"))
EXPIRED = ExecsvcError(Facts(grpc.StatusCode.OUT_OF_RANGE, "too old", "RESUME_TOKEN_EXPIRED"))


def message(token="", feed=1, **event):
    made = order_service_pb2.SubscribeOrdersResponse(resume_token=token, **event)
    made.meta.feed_state = feed
    return made


def accepted(token="", feed=1):
    made = message(token, feed)
    made.accepted.stream_id = "s-1"
    return made


def snapshot(token, *orders):
    made = message(token)
    made.snapshot.orders.extend(orders)
    made.snapshot.complete = True
    return made


def beat(token, feed):
    made = message(token, feed)
    made.heartbeat.SetInParent()
    return made


def changed(token, client_order_id="c-1", status="OPEN", feed=1):
    return message(token, feed, order=make_order(client_order_id, status))


def filled(token, fill_id="T-1"):
    made = message(token)
    fill = made.fill
    fill.fill_id, fill.client_order_id, fill.caller = fill_id, "c-1", "local"
    fill.symbol, fill.side, fill.price, fill.quantity, fill.cost = "BTC/USD", 1, "60000.0", "0.00100000", "60.0"
    fill.fees.add(asset="USD", amount="0.15")
    fill.times.venue_time.seconds = 1_700_000_000
    return made


def kinds(said):
    return [next(iter(line)) for line in said.lines]


def test_each_event_is_a_line(execsvc, gateway):
    """Piped, every event is one JSON object whose first key says what it is; heartbeats stay out."""
    gateway.script(
        "SubscribeOrders",
        [accepted(), snapshot("t-1", make_order("old")), beat("t-1", 1), filled("t-2"), changed("t-3"), 30],
    )
    said = execsvc("tail", "--count", "2")
    assert ["connected", "stateChanged", "snapshot", "fill", "order"] == kinds(said)
    connected, _, held, fill, order = said.lines
    assert {"streamId": "s-1", "serverEpoch": "", "resumed": False} == connected["connected"]
    assert ("old", True) == (held["snapshot"]["orders"][0]["clientOrderId"], held["snapshot"]["complete"])
    assert ("T-1", "t-2") == (fill["fill"]["fillId"], fill["resumeToken"])
    assert ("c-1", "ORDER_STATUS_OPEN", "t-3") == (
        order["order"]["clientOrderId"],
        order["order"]["status"],
        order["resumeToken"],
    )


def test_a_line_has_the_state_of_the_feed_that_its_message_tells(execsvc, gateway):
    """Whatever the last heartbeat said; and each change is a line of its own, before what came in it."""
    gateway.script(
        "SubscribeOrders",
        [accepted(), changed("t-1"), beat("t-1", 2), changed("t-2", feed=2), changed("t-3", feed=3), 30],
    )
    said = execsvc("tail", "--count", "3")
    assert [
        *("connected", "stateChanged LIVE", "order LIVE", "stateChanged STALE", "order STALE"),
        *("stateChanged RESYNCING", "order RESYNCING"),
    ] == [
        f"{kind} {line.get('feedState', line[kind].get('feedState', '')).removeprefix('FEED_STATE_')}".strip()
        for line in said.lines
        for kind in [next(iter(line))]
    ]


def test_a_new_connection_tells_the_state_anew(execsvc, gateway, fail):
    """What the lost one said of the feed is not said of lines that come after it."""
    gateway.script(
        "SubscribeOrders",
        [accepted(), snapshot("t-0"), changed("t-1"), fail(grpc.StatusCode.UNAVAILABLE)],
        [accepted(feed=2), changed("t-2", feed=2), 30],
    )
    said = execsvc("tail", "--count", "2")
    assert ["FEED_STATE_LIVE", "FEED_STATE_STALE"] == [line["feedState"] for line in said.lines if "order" in line]
    assert ["FEED_STATE_LIVE", "FEED_STATE_STALE"] == [
        line["stateChanged"]["feedState"] for line in said.lines if "stateChanged" in line
    ]


def test_what_is_followed_is_as_it_was_typed(execsvc, gateway):
    """Pairs in any spelling, everybody's orders, the account and the token reach the gateway unchanged."""
    gateway.script("SubscribeOrders", [accepted(), changed("t-9"), 30])
    execsvc("tail", "xbtusd", "ETH/USD", "--whose", "account", "--since", "t-8", "--account", "main", "--count", "1")
    (request,) = gateway.requests["SubscribeOrders"]
    assert (["xbtusd", "ETH/USD"], order_service_pb2.ORDER_SCOPE_ACCOUNT, "t-8", "main") == (
        list(request.symbols),
        request.scope,
        request.resume_token,
        request.account,
    )


def test_without_options_everything_of_ones_own_is_followed_from_a_snapshot(execsvc, gateway):
    """No pairs, no token, scope OWN."""
    gateway.script("SubscribeOrders", [accepted(), changed("t-1"), 30])
    execsvc("tail", "--count", "1")
    (request,) = gateway.requests["SubscribeOrders"]
    assert ([], order_service_pb2.ORDER_SCOPE_OWN, False) == (
        list(request.symbols),
        request.scope,
        request.HasField("resume_token"),
    )


def test_a_lost_gateway_is_waited_for_and_nothing_is_missed(execsvc, gateway, fail):
    """The stream is opened again behind the last event, and both the loss and the return are told."""
    gateway.script(
        "SubscribeOrders",
        [accepted(), snapshot("t-1"), changed("t-2"), fail(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN", "drain")],
        [accepted("t-2"), changed("t-3", status="FILLED"), 30],
    )
    said = execsvc("tail", "--count", "2")
    assert [
        *("connected", "stateChanged", "snapshot", "order", "disconnected"),
        *("connected", "stateChanged", "order"),
    ] == kinds(said)
    assert "t-2" == gateway.requests["SubscribeOrders"][1].resume_token
    assert ("SHUTTING_DOWN", True) == (
        said.lines[4]["disconnected"]["reason"],
        said.lines[5]["connected"]["resumed"],
    )


def test_the_end_says_how_to_go_on(execsvc, gateway):
    """The command behind the last event shown is on stderr, with what was followed."""
    gateway.script("SubscribeOrders", [accepted(), snapshot("t-0"), changed("t-1"), changed("t 2"), 30])
    said = execsvc("tail", "BTC/USD", "--whose", "all-callers", "--account", "main", "--count", "2")
    assert "resume with: execsvc tail --since 't 2' BTC/USD --whose all-callers --account main\n" == said.err


def test_a_failure_on_the_way_says_how_to_go_on(execsvc, gateway, fail):
    """A token of the caller's that runs out ends it with its exit code; the place is not lost."""
    gateway.script(
        "SubscribeOrders",
        [
            *(accepted(), snapshot("t-0"), changed("t-1")),
            fail(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID", "expired"),
        ],
    )
    said = execsvc("tail")
    assert (9, "TOKEN_INVALID") == (said.code, said.lines[-1]["error"]["reason"])
    assert "resume with: execsvc tail --since t-1\n" == said.err


def test_a_given_token_that_is_too_old_is_exit_10_and_says_what_to_do(execsvc, gateway, fail):
    """Nothing is shown as if it followed: the next step starts anew, and where the missed lies is named."""
    gateway.script(
        "SubscribeOrders",
        fail(grpc.StatusCode.OUT_OF_RANGE, "RESUME_TOKEN_EXPIRED", "too old"),
        fail(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID", "asked once more"),
    )
    said = execsvc("tail", "--since", "t-0", "-o", "jsonl")
    (line,) = said.lines
    assert (10, "RESUME_TOKEN_EXPIRED", "execsvc tail") == (
        said.code,
        line["error"]["reason"],
        line["error"]["try"],
    )
    assert "execsvc order list" in line["error"]["message"]
    assert "" == said.err


def test_a_token_that_expires_on_the_way_is_told_and_a_snapshot_follows(execsvc, gateway, fail):
    """It goes on, but never as if nothing had been missed."""
    gateway.script(
        "SubscribeOrders",
        [accepted(), changed("t-1"), fail(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")],
        fail(grpc.StatusCode.OUT_OF_RANGE, "RESUME_TOKEN_EXPIRED", "too old"),
        [accepted(), snapshot("n-1"), changed("n-2"), 30],
    )
    said = execsvc("tail", "--since", "t-0", "--count", "2")
    assert [
        *("connected", "stateChanged", "order", "disconnected", "disconnected"),
        *("connected", "stateChanged", "snapshot", "order"),
    ] == kinds(said)
    assert ("RESUME_TOKEN_EXPIRED", False) == (
        said.lines[4]["disconnected"]["reason"],
        said.lines[5]["connected"]["resumed"],
    )
    assert "--since n-2\n" in said.err


def test_as_one_json_value_it_needs_an_end(execsvc, gateway):
    """-o json is one value: an array when --count ends it, a mistake when nothing does."""
    gateway.script("SubscribeOrders", [accepted(), snapshot("t-0"), changed("t-1"), 30])
    assert 2 == execsvc("tail", "-o", "json").code
    said = execsvc("tail", "--count", "1", "-o", "json")
    assert ["connected", "stateChanged", "snapshot", "order"] == [next(iter(each)) for each in said.json]
    assert "resume with: execsvc tail --since t-1\n" == said.err


def test_one_json_value_that_never_came_out_is_not_passed(execsvc, gateway, fail):
    """What was collected and not printed is not behind anybody: no place is said."""
    gateway.script(
        "SubscribeOrders",
        [accepted(), snapshot("t-0"), changed("t-1"), fail(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")],
    )
    said = execsvc("tail", "--count", "5", "-o", "json")
    assert (9, "") == (said.code, said.err)


def test_an_unknown_pair_is_exit_2(execsvc, gateway, fail):
    """What the stream cannot mend is told as any other failure, and no place with it."""
    gateway.script("SubscribeOrders", fail(grpc.StatusCode.NOT_FOUND, "UNKNOWN_SYMBOL"))
    said = execsvc("tail", "NOPE/USD", "--since", "t-1")
    assert (2, "UNKNOWN_SYMBOL", "") == (said.code, said.lines[0]["error"]["reason"], said.err)


def test_without_a_gateway_it_is_exit_4(execsvc):
    """A gateway that never was there is a failure, not something to wait for, and no table."""
    assert 4 == execsvc("tail", "--target", "127.0.0.1:1").code
    said = execsvc("tail", "--target", "127.0.0.1:1", "-o", "table")
    assert (4, "") == (said.code, said.out)


@pytest.mark.process
def test_ctrl_c_says_how_to_go_on(gateway):
    """SIGINT leaves with 130, without a traceback, and with the place on stderr."""
    gateway.script("SubscribeOrders", [accepted(), snapshot("t-0"), changed("t-1"), 30])
    process = subprocess.Popen(
        [sys.executable, "-m", "execsvc", "tail"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "EXECSVC_TARGET": gateway.target},
    )
    assert ["connected", "stateChanged", "snapshot", "order"] == [
        process.stdout.readline().split('"')[1] for _ in range(4)
    ]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (130, "", "resume with: execsvc tail --since t-1\n") == (process.returncode, out, err)


@pytest.mark.process
def test_a_reader_that_leaves_is_told_no_place(gateway):
    """What lay unread in the pipe was not seen, so `| head` ends in silence."""
    gateway.script("SubscribeOrders", [accepted(), snapshot("t"), *[changed(f"t-{at}") for at in range(2000)], 30])
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m execsvc tail | head -2"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "EXECSVC_TARGET": gateway.target},
        timeout=20,
    )
    assert ("", 2) == (done.stderr, len(done.stdout.splitlines()))


# --- where a run ends --------------------------------------------------------------------------------------------


def test_the_place_is_that_of_the_last_event_shown():
    """It is the given one once that is taken, moves with every event, and stays through a gap and a loss."""
    place = Place("t-0")
    seen = [place.token]
    for event in (
        Connected("s", "e", resumed=True),
        OrderUpdate(read_order(make_order()), "t-1"),
        Gap(GapReason.UPSTREAM_RECONNECT, (), None, None),
        Disconnected(LOST, 0.1),
        Connected("s", "e", resumed=True),
        FillUpdate(read_fill(filled("").fill), "t-2"),
        Connected("s", "e", resumed=False),
        OpenOrders((), "t-3"),
    ):
        place.passed(event)
        seen.append(place.token)
    assert ["", "t-0", "t-1", "t-1", "t-1", "t-1", "t-2", "", "t-3"] == seen


def test_the_command_that_goes_on_names_the_gateway_that_was_named():
    """--target is repeated, and what a shell would take apart is quoted."""
    assert "execsvc tail --since 'a b' --target unix:/run/x" == Wanted((), target="unix:/run/x").command("a b")


# --- the table ---------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Shown:
    """A table on a terminal, its clock, and the lines it got since the last look."""

    def __init__(self, **options):
        self.now = 100.0
        self._out = Terminal()
        self._log = Log(self._out, clock=lambda: self.now, **options)
        self.head, _ = self.after(Connected("s", "e"))

    def after(self, *events):
        start = len(self._out.getvalue())
        for event in events:
            self._log.show(event)
        return self._out.getvalue()[start:].splitlines()


@pytest.fixture
def shown(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    return Shown()


def order_update(status="OPEN", **more):
    made = make_order("c-1", status, **more)
    made.update_time.seconds, made.update_time.nanos = 1_700_000_000, 123_456_789
    return OrderUpdate(read_order(made), "t")


def test_an_order_and_a_fill_stand_in_the_columns_of_the_head(shown):
    """Time, what, pair, side, figures, status, the feed's state, id: one line an event, numbers to the right."""
    shown.after(Connected("s", "e"), StateChanged(FeedState.LIVE, ()))
    (order,) = shown.after(order_update())
    (fill,) = shown.after(FillUpdate(read_fill(filled("").fill), "t"))
    heads = "symbol    side      quantity       price"
    figures = "BTC/USD   buy     0.00100000     60000.0"
    assert [
        f"time UTC            event  {heads}        filled  {'status':21}  feed  client order id",
        f"11-14 22:13:20.123  order  {figures}             0  {'OPEN':21}  LIVE  c-1",
        f"11-14 22:13:20.000  fill   {figures}                {'taker, fee 0.15 USD':21}  LIVE  c-1",
    ] == [shown.head, order, fill]


def test_columns_grow_and_never_shrink(shown):
    """A long status moves the columns behind it from then on, so that lines stay below each other."""
    (short,) = shown.after(order_update())
    refused = make_order("c-1", "REJECTED")
    refused.end_error.reason = "POST_ONLY_WOULD_TAKE"
    (long,) = shown.after(OrderUpdate(read_order(refused), "t"))
    (after,) = shown.after(order_update())
    assert (True, True) == (short.index("c-1") < long.index("c-1"), long.index("c-1") == after.index("c-1"))


def test_an_order_that_ended_says_why(shown):
    """The reason stands behind the status; a cancel that is under way too."""
    refused = make_order("c-1", "REJECTED")
    refused.end_error.reason = "POST_ONLY_WOULD_TAKE"
    (line,) = shown.after(OrderUpdate(read_order(refused), "t"))
    assert "REJECTED POST_ONLY_WOULD_TAKE" in line
    (line,) = shown.after(order_update(cancel_requested=True))
    assert "OPEN (cancelling)" in line


def test_an_order_without_an_id_of_ours_goes_by_krakens(shown):
    """Placed by hand, it has no client order id."""
    made = make_order("")
    (line,) = shown.after(OrderUpdate(read_order(made), "t"))
    assert line.endswith("OAAAAA-BBBBB-CCCCCC")


def test_everybodys_orders_say_whose(monkeypatch):
    """With --whose the last column is the caller."""
    monkeypatch.setenv("NO_COLOR", "1")
    shown = Shown(with_callers=True)
    (line,) = shown.after(order_update())
    assert ("caller", "local") == (shown.head.split()[-1], line.split()[-1])


def test_the_open_orders_are_counted_and_listed(shown):
    """One line each, below a sentence with their number, also when there are none."""
    assert ["no open orders"] == shown.after(OpenOrders((), "t"))
    said, line = shown.after(OpenOrders((read_order(make_order()),), "t"))
    assert ("1 open order", "open") == (said, line.split()[0])


def test_the_feeds_state_is_said_and_stands_in_every_row(shown):
    """A change is a sentence; rows that follow have it; a new connection knows nothing yet."""
    (said,) = shown.after(StateChanged(FeedState.STALE, ("BTC/USD",)))
    assert "private feed STALE: what happens at the exchange may show late" == said
    assert "STALE" in shown.after(order_update())[0]
    assert ["private feed LIVE"] == shown.after(StateChanged(FeedState.LIVE, ()))
    shown.after(StateChanged(FeedState.STALE, ()), Connected("s", "e"))
    assert "STALE" not in shown.after(order_update())[0]


def test_a_loss_is_said_and_how_long_it_was(shown):
    """From the first loss to the return, however often it was tried, and whether anything was missed."""
    assert ["connected: the open orders follow"] == shown.after(Connected("s", "e"))
    assert ["disconnected: Socket closed; again in 0.2 s"] == shown.after(Disconnected(LOST, 0.2))
    shown.now += 3.0
    shown.after(Disconnected(LOST, 0.4))
    shown.now += 1.5
    assert ["connected again after 4.5 s: nothing was missed"] == shown.after(Connected("s", "e", resumed=True))
    assert ["connected: nothing was missed"] == shown.after(Connected("s", "e", resumed=True))


def test_a_token_that_expired_names_where_the_missed_lies(shown):
    """The sentence says that something may be missing, and the verbs that have it."""
    (said,) = shown.after(Disconnected(EXPIRED, 0.0))
    assert said.startswith("disconnected: too old; what happened in between is not told here: execsvc order list")


def test_a_gap_is_said_with_what_is_known_of_it(shown):
    """Pairs, reason and number lost, where they are told."""
    assert ["gap: UPSTREAM_RECONNECT; the open orders that follow are the truth"] == shown.after(
        Gap(GapReason.UPSTREAM_RECONNECT, (), None, None)
    )
    (said,) = shown.after(Gap(GapReason.UPSTREAM_INTEGRITY, ("BTC/USD",), 3, None))
    assert "gap of BTC/USD: UPSTREAM_INTEGRITY, 3 lost; the open orders that follow are the truth" == said


def test_a_trading_mode_is_said_with_who_set_it(shown):
    """In the words of status."""
    made = order_service_pb2.SubscribeOrdersResponse()
    made.trading_mode.mode, made.trading_mode.scope.everything = 4, True
    made.trading_mode.set_by, made.trading_mode.comment = "ops", "news"
    (said,) = shown.after(ModeUpdate(read_mode(made.trading_mode), "t"))
    assert "trading mode HALTED for everything, set by ops: news" == said


def test_what_must_be_seen_is_yellow(monkeypatch):
    """Doubt, loss and a feed that is not LIVE have the colour; what is well has none."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    shown = Shown()
    yellow = [
        line.startswith("\x1b[33m")
        for event in (
            order_update("IN_DOUBT"),
            Disconnected(LOST, 0.1),
            StateChanged(FeedState.RESYNCING, ()),
            order_update(),
            StateChanged(FeedState.LIVE, ()),
        )
        for line in shown.after(event)
    ]
    assert [True, True, True, False, False] == yellow
