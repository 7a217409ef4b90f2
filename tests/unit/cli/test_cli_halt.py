"""`execsvc halt` and `execsvc resume`: what is asked for, what is said of it, and when somebody is asked first."""

import io
import signal

import grpc
import pytest
from execsvc_api.v1 import admin_service_pb2 as admin
from execsvc_api.v1 import limits_pb2 as limits
from execsvc_api.v1 import market_data_pb2 as messages
from execsvc_api.v1 import market_data_service_pb2 as market

EVERYTHING = limits.TradingScope(everything=True)
WHY = ("--comment", "news")


def entry(mode, scope=EVERYTHING):
    return limits.TradingModeEntry(scope=scope, mode=f"TRADING_MODE_{mode}", comment="news", set_by="risk")


HALTED = admin.SetTradingModeResponse(current=entry("HALTED"), cancel_requested_count=3)
INSTRUMENTS = market.ListInstrumentsResponse(
    instruments=[
        messages.Instrument(
            symbol="BTC/USD",
            status=1,
            price_increment="0.1",
            quantity_increment="0.00000001",
            min_quantity="0.00005",
            min_cost="0.5",
        )
    ]
)
LIFTED = admin.SetTradingModeResponse(previous=entry("HALTED"), current=entry("NORMAL"))


@pytest.mark.parametrize(
    ("typed", "scope", "mode"),
    [
        (("--everything",), EVERYTHING, limits.TRADING_MODE_HALTED),
        (("--account", "main"), limits.TradingScope(account="main"), limits.TRADING_MODE_HALTED),
        (
            ("--caller", "bot", "--mode", "cancel-only"),
            limits.TradingScope(caller="bot"),
            limits.TRADING_MODE_CANCEL_ONLY,
        ),
        (
            ("--account", "main", "--caller", "bot", "--symbol", "BTC/USD", "--mode", "reduce-only"),
            limits.TradingScope(account="main", caller="bot", symbol="BTC/USD"),
            limits.TRADING_MODE_REDUCE_ONLY,
        ),
        (
            ("--symbol", "BTC/USD", "--mode", "halted"),
            limits.TradingScope(symbol="BTC/USD"),
            limits.TRADING_MODE_HALTED,
        ),
    ],
)
def test_halt_asks_for_what_was_typed(execsvc, gateway, typed, scope, mode):
    """Scope, mode and comment, word for word, and nobody is asked before, though live money is traded."""
    gateway.mode = "live"
    gateway.script("SetTradingMode", HALTED)
    said = execsvc("halt", *typed, *WHY)
    (asked,) = gateway.requests["SetTradingMode"]
    assert (0, scope, mode, "news") == (said.code, asked.scope, asked.mode, asked.comment)


def test_halt_says_what_is_in_force_and_how_many_go(execsvc, gateway):
    """In columns for people, under the contract's names for scripts."""
    gateway.script("SetTradingMode", HALTED)
    assert [
        "now          HALTED for everything, set by risk: news",
        "before       nothing",
        "asked to go  3",
    ] == execsvc("halt", "--everything", *WHY, "-o", "table").out.splitlines()
    told = execsvc("halt", "--everything", *WHY, "-o", "json").json
    assert (None, "TRADING_MODE_HALTED", True, 3) == (
        told["previous"],
        told["current"]["mode"],
        told["current"]["scope"]["everything"],
        told["cancelRequestedCount"],
    )


@pytest.mark.parametrize("verb", [("halt",), ("resume", "--yes")])
def test_a_caller_nobody_knows_is_said_aloud(execsvc, gateway, verb):
    """Who mistypes a name in an emergency reads it at once; it is done all the same, and scripts find it in the answer."""
    scope = limits.TradingScope(caller="bto")
    answer = admin.SetTradingModeResponse(current=entry("HALTED", scope), caller_unknown=True)
    gateway.script("SetTradingMode", answer)
    said = execsvc(*verb, "--caller", "bto", *WHY, "-o", "json")
    assert (0, True) == (said.code, said.json["callerUnknown"])
    assert "warning: nobody of the name 'bto' is known there" in said.err


def test_a_caller_who_is_known_is_no_warning(execsvc, gateway):
    """Nothing is said but what is in force."""
    gateway.script("SetTradingMode", HALTED)
    said = execsvc("halt", "--caller", "bot", *WHY, "-o", "json")
    assert (False, "") == (said.json["callerUnknown"], said.err)


@pytest.mark.parametrize("verb", ["halt", "resume"])
@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (WHY, "or say --everything"),
        (("--everything", "--caller", "bot", *WHY), "--everything stands alone"),
        (("--everything", "--comment", "two\nlines"), "--comment: at most 256 characters on one line"),
        (("--everything", "--comment", "x" * 257), "--comment: at most 256 characters on one line"),
    ],
)
def test_what_cannot_be_meant_is_the_commands_mistake(execsvc, gateway, verb, typed, words):
    """No scope, everything and something, a comment that no line takes: exit 2, and nothing is asked."""
    said = execsvc(verb, *typed)
    assert (2, []) == (said.code, gateway.requests["SetTradingMode"])
    assert words in said.err


@pytest.mark.parametrize("said_why", [(), ("-m", ""), ("-m", "  ")])
def test_a_halt_waits_for_no_reason(execsvc, gateway, said_why):
    """Who stops trading in a hurry is not asked why; that none was given is in force, and said."""
    gateway.script("SetTradingMode", HALTED)
    said = execsvc("halt", "--everything", *said_why)
    (asked,) = gateway.requests["SetTradingMode"]
    assert (0, "no reason given", True) == (said.code, asked.comment, "the same again with -m TEXT" in said.err)


@pytest.mark.parametrize("said_why", [(), ("-m", ""), ("-m", "  ")])
def test_a_resume_says_why(execsvc, gateway, said_why):
    """Letting orders go again is not done in a hurry."""
    said = execsvc("resume", "--everything", "--yes", *said_why)
    assert (2, []) == (said.code, gateway.requests["SetTradingMode"])
    assert "--comment" in said.err


def test_a_gateway_that_is_down_halts_nothing_and_says_so(execsvc, gateway):
    """What is open at Kraken stays open, and the next step is Kraken's own page: read at once, exit 4."""
    said = execsvc("halt", "--everything", "--target", "127.0.0.1:1")
    assert 4 == said.code
    assert "nobody answers at 127.0.0.1:1" in said.err
    assert "nothing was changed; orders that are open at Kraken stay open" in said.err
    assert "cancel them on Kraken's own page" in said.err


def test_what_still_keeps_orders_back_is_told_by_resume(execsvc, gateway):
    """Another scope that meets this one stays: in columns, and for scripts; what does not meet it is left out."""
    scopes = {
        "account": limits.TradingScope(account="main"),
        "caller": limits.TradingScope(account="main", caller="bot"),
        "elsewhere": limits.TradingScope(account="hedge"),
    }
    modes = [entry("HALTED", scope) for scope in scopes.values()]
    gateway.script("GetServerInfo", admin.GetServerInfoResponse(caller="local", trading_modes=modes))
    gateway.script("SetTradingMode", admin.SetTradingModeResponse(current=entry("NORMAL", scopes["account"])))
    words = ("resume", "--account", "main", "--symbol", "BTC/USD", *WHY, "--yes")
    said = execsvc(*words)
    assert [
        "still   HALTED for account main, set by risk: news",
        "still   HALTED for account main, caller bot, set by risk: news",
    ] == said.out.splitlines()[2:]
    assert "nothing was in force for exactly this scope" in said.err
    assert ["main", "main"] == [each["scope"]["account"] for each in execsvc(*words, "-o", "json").json["stillInForce"]]


def test_a_resume_that_went_through_is_no_failure_where_the_rest_cannot_be_asked(execsvc, gateway, fail):
    """It is lifted; what else is in force is said not to be known."""
    first = admin.GetServerInfoResponse(caller="local")  # the client's own look at whose money it is
    gateway.script("GetServerInfo", first, fail(grpc.StatusCode.INTERNAL, "INTERNAL", "broken"))
    gateway.script("SetTradingMode", LIFTED)
    said = execsvc("resume", "--everything", *WHY, "--yes")
    assert (0, True) == (said.code, "what else is in force could not be asked: broken" in said.err)


@pytest.mark.parametrize(
    ("typed", "scope"),
    [
        (("--everything",), EVERYTHING),
        (("--account", "main", "--symbol", "btc/usd"), limits.TradingScope(account="main", symbol="BTC/USD")),
        (("--symbol", "btcusd"), limits.TradingScope(account="main", symbol="BTC/USD")),
        (("--symbol", "XBT/USD"), limits.TradingScope(account="main", symbol="BTC/USD")),
        (("--caller", "bot"), limits.TradingScope(account="main", caller="bot")),
    ],
)
def test_a_halt_that_lets_more_through_is_asked_for(execsvc, gateway, monkeypatch, typed, scope):
    """A looser mode for a scope that is stricter is a resume by another name: a typed word, or --yes.

    However its pair is spelt: the gateway says which one is meant.
    """
    gateway.script("ListInstruments", INSTRUMENTS)
    gateway.script("GetServerInfo", admin.GetServerInfoResponse(caller="local", trading_modes=[entry("HALTED", scope)]))
    gateway.script("SetTradingMode", HALTED)
    words = ("halt", *typed, "--mode", "cancel-only", *WHY)
    monkeypatch.setattr("sys.stdin", io.StringIO("cancel-only\n"))
    assert (2, []) == (execsvc(*words).code, gateway.requests["SetTradingMode"])
    monkeypatch.setattr("sys.stdin", Terminal("yes\n"))
    assert (2, []) == (execsvc(*words).code, gateway.requests["SetTradingMode"])
    monkeypatch.setattr("sys.stdin", Terminal("cancel-only\n"))
    assert (0, 0, 2) == (execsvc(*words).code, execsvc(*words, "-y").code, len(gateway.requests["SetTradingMode"]))


@pytest.mark.parametrize(
    ("mode", "typed"),
    [
        ("REDUCE_ONLY", ("--everything", "--mode", "cancel-only")),
        ("CANCEL_ONLY", ("--everything", "--mode", "cancel-only")),
        ("HALTED", ("--account", "main", "--mode", "cancel-only")),
    ],
)
def test_a_halt_that_is_not_looser_asks_nothing(execsvc, gateway, monkeypatch, mode, typed):
    """Stricter, the same again, or another scope: at once, wherever it is typed."""
    gateway.script("GetServerInfo", admin.GetServerInfoResponse(caller="local", trading_modes=[entry(mode)]))
    gateway.script("SetTradingMode", HALTED)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert (0, 1) == (execsvc("halt", *typed, *WHY).code, len(gateway.requests["SetTradingMode"]))


def test_ctrl_c_at_the_question_ends_the_verb_at_once(execsvc, gateway, monkeypatch):
    """It does not wait for a line first; nothing is changed, and the signal means what it meant before."""
    gateway.script("SetTradingMode", LIFTED)
    keyboard = Terminal("resume\n")
    keyboard.ctrl_c = True
    monkeypatch.setattr("sys.stdin", keyboard)
    before = signal.getsignal(signal.SIGINT)
    said = execsvc("resume", "--everything", *WHY)
    assert (130, [], "resume\n") == (said.code, gateway.requests["SetTradingMode"], keyboard.read())
    assert before is signal.getsignal(signal.SIGINT)


def test_a_pair_that_cannot_be_asked_about_holds_up_no_halt(execsvc, gateway, fail):
    """A token of the bundle `risk` may be without `market`: what it typed is taken as it is."""
    gateway.script("ListInstruments", fail(grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING", "no"))
    gateway.script("SetTradingMode", HALTED)
    assert 0 == execsvc("halt", "--symbol", "eth/usd", "--mode", "reduce-only", *WHY).code
    assert 1 == len(gateway.requests["SetTradingMode"])


def test_what_still_holds_a_pair_is_told_however_it_was_spelt(execsvc, gateway):
    """The answer has the gateway's spelling, and what is in force is compared with that."""
    pair = limits.TradingScope(account="main", symbol="BTC/USD")
    info = admin.GetServerInfoResponse(caller="local", trading_modes=[entry("HALTED", pair)])
    gateway.script("GetServerInfo", info)
    lifted = entry("NORMAL", limits.TradingScope(caller="bot", symbol="BTC/USD"))
    gateway.script("SetTradingMode", admin.SetTradingModeResponse(current=lifted))
    said = execsvc("resume", "--caller", "bot", "--symbol", "btcusd", *WHY, "--yes", "-o", "table")
    assert "still   HALTED for account main, symbol BTC/USD, set by risk: news" == said.out.splitlines()[-1]


def test_resume_lifts_exactly_that_scope(execsvc, gateway):
    """NORMAL for the same scope; what was before is told."""
    gateway.script("SetTradingMode", LIFTED)
    said = execsvc("resume", "--caller", "bot", *WHY, "--yes", "-o", "table")
    (asked,) = gateway.requests["SetTradingMode"]
    assert (0, limits.TradingScope(caller="bot"), limits.TRADING_MODE_NORMAL) == (said.code, asked.scope, asked.mode)
    assert "before  HALTED for everything, set by risk: news" == said.out.splitlines()[1]


class Terminal(io.StringIO):
    """A person at the keyboard."""

    ctrl_c = False

    def readline(self):
        """What was typed; with ctrl_c that key first."""
        if self.ctrl_c:
            signal.raise_signal(signal.SIGINT)
        return super().readline()

    def isatty(self):
        return True


@pytest.mark.parametrize(("typed", "code", "asked"), [("resume\n", 0, 1), ("yes\n", 2, 0), ("", 2, 0)])
def test_resume_asks_on_a_terminal(execsvc, gateway, monkeypatch, typed, code, asked):
    """The modes in force are shown, and one word lets it go on."""
    gateway.script("GetServerInfo", admin.GetServerInfoResponse(caller="local", trading_modes=[entry("HALTED")]))
    gateway.script("SetTradingMode", LIFTED)
    monkeypatch.setattr("sys.stdin", Terminal(typed))
    said = execsvc("resume", "--everything", *WHY)
    assert (code, asked) == (said.code, len(gateway.requests["SetTradingMode"]))
    assert "in force: HALTED for everything, set by risk: news" in said.err


def test_resume_wants_yes_where_nobody_can_be_asked(execsvc, gateway, monkeypatch):
    """A script says it in words."""
    monkeypatch.setattr("sys.stdin", io.StringIO("resume\n"))
    said = execsvc("resume", "--everything", *WHY)
    assert (2, []) == (said.code, gateway.requests["SetTradingMode"])
    assert "--yes" in said.err


@pytest.mark.parametrize(
    ("code", "reason", "exit_"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING", 9),
        (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", 4),
        (grpc.StatusCode.NOT_FOUND, "UNKNOWN_SYMBOL", 2),
    ],
)
def test_a_refusal_is_its_exit_code(execsvc, gateway, fail, code, reason, exit_):
    """As for every verb."""
    gateway.script("SetTradingMode", fail(code, reason, "HALTED for everything is in force here"))
    said = execsvc("halt", "--everything", *WHY, "--timeout", "1")
    assert exit_ == said.code
    assert "HALTED for everything is in force here" in said.err


def test_status_shows_the_modes_in_force(execsvc, gateway):
    """What it is for is named, part by part."""
    scope = limits.TradingScope(account="main", caller="bot")
    gateway.script("GetServerInfo", admin.GetServerInfoResponse(caller="local", trading_modes=[entry("HALTED", scope)]))
    gateway.script("GetVenueStatus", admin.GetVenueStatusResponse())
    said = execsvc("status", "-o", "table")
    assert "trading mode  HALTED for account main, caller bot, set by risk: news" in said.out.splitlines()
