"""The eleven lines, each judged from facts alone: what refuses, what warns, what is no pass."""

from dataclasses import replace
from decimal import Decimal

import pytest

from execsvc.app.findings import Verdict
from execsvc.app.livecheck import judge
from execsvc.app.livefacts import AccountFacts, CallerFacts, Door, Facts, StoreFacts, StreamLook, TokenFacts, Trial
from execsvc.domain.account import KeyFacts
from execsvc.domain.errors import Fault, Reason
from execsvc.domain.keycheck import NEEDED
from execsvc.ports import ClockReading, KeyCheck

NOW = 1_800_000_000 * 10**9
DAY = 86_400 * 10**9
OK, WARN, SKIPPED, FAIL = Verdict.OK, Verdict.WARN, Verdict.SKIPPED, Verdict.FAIL

KEY = KeyFacts("bot", frozenset(NEEDED), 7, 0, NOW + 100 * DAY, ("192.0.2.1",))
ACCOUNT = AccountFacts(
    "main",
    check=KeyCheck(KEY, 0.0, None),
    trials=(Trial("BTC/USD", "buy 0.0001 at 30000"),),
    stream=StreamLook(pictured=True, beat=True),
    dead_man_s=60,
)
STORE = StoreFacts(
    "/state/execsvc.db", disk="ext4", free_bytes=1 << 40, entries=9, backup_age_s=10.0, switch_tried_ns=1
)
TOKEN = TokenFacts("0123abcd", "bot", NOW + 30 * DAY, bounded=True, limited=True, trades=True)
CALLERS = CallerFacts("/state/tokens.toml", tokens=(TOKEN,), metrics_at="127.0.0.1:51051")
SOUND = Facts(
    now_ns=NOW,
    mode="live",
    account_names=("main",),
    max_order_notional=Decimal(500),
    accounts=(ACCOUNT,),
    exchange_mode="online",
    pairs={"BTC/USD": "online"},
    clock=ClockReading(0.02, 0.1, 0.05),
    store=STORE,
    doors=(Door("gRPC", "127.0.0.1:50051", local=True, tls=False),),
    callers=CALLERS,
)


def with_account(**changed):
    return replace(SOUND, accounts=(replace(ACCOUNT, **changed),))


def with_key(*, foreign=None, **changed):
    return with_account(check=KeyCheck(replace(KEY, **changed), 0.0, foreign))


def with_store(**changed):
    return replace(SOUND, store=replace(STORE, **changed))


def with_callers(**changed):
    return replace(SOUND, callers=replace(CALLERS, **changed))


def with_token(**changed):
    return with_callers(tokens=(replace(TOKEN, **changed),))


def with_door(**changed):
    return replace(SOUND, doors=(replace(Door("gRPC", "10.0.0.1:50051", local=False, tls=True), **changed),))


def test_facts_in_which_nothing_is_wrong_pass_all_eleven_lines():
    """Every line says ok, and no remedy is asked for."""
    report = judge(SOUND)
    assert (True, [*range(1, 12)], {OK}) == (
        report.passed,
        [line.number for line in report.lines],
        {line.verdict for line in report.lines},
    )
    assert {""} == {finding.remedy for line in report.lines for finding in line.findings}


CASES = {
    "mode is paper": (1, FAIL, replace(SOUND, mode="paper")),
    "a limit is missing": (1, FAIL, replace(SOUND, problems=("EXECSVC_MAX_ORDER_NOTIONAL: missing",))),
    "key cannot be read": (2, FAIL, replace(SOUND, key_problem="the key's file lets others in")),
    "key is not accepted": (2, FAIL, with_account(check=None, unanswered="EAPI:Invalid key")),
    "may withdraw": (3, FAIL, with_key(permissions=frozenset({*NEEDED, "withdraw-funds"}))),
    "lacks a right": (3, FAIL, with_key(permissions=frozenset(NEEDED) - {"create-ws-token"})),
    "needless right": (3, WARN, with_key(permissions=frozenset({*NEEDED, "deposit-funds"}))),
    "window above 0": (4, FAIL, with_key(nonce_window=5)),
    "window not told": (4, WARN, with_key(nonce_window=None)),
    "somebody else's nonce": (4, FAIL, with_key(foreign=99)),
    "nonces refused": (4, FAIL, with_account(check=None, unanswered="refused", nonces_refused=True)),
    "no address list": (5, WARN, with_key(ip_allowlist=())),
    "ends in 13 days": (5, WARN, with_key(valid_until_ns=NOW + 13 * DAY)),
    "has ended": (5, FAIL, with_key(valid_until_ns=NOW - 1)),
    "tier": (5, WARN, with_account(tier_problems=("Kraken counts this account as starter",))),
    "pair unknown": (5, WARN, replace(SOUND, pairs={"BTC/USDX": ""})),
    "pair not online": (5, WARN, replace(SOUND, pairs={"BTC/USD": "cancel_only"})),
    "exchange silent": (5, FAIL, replace(SOUND, exchange_silent="no answer")),
    "exchange in maintenance": (5, WARN, replace(SOUND, exchange_mode="maintenance")),
    "clock 2 s off": (6, WARN, replace(SOUND, clock=ClockReading(-2.0, 0.1, 0.05))),
    "clock 6 s off": (6, FAIL, replace(SOUND, clock=ClockReading(6.0, 0.1, 0.05))),
    "clock within what is not known": (6, OK, replace(SOUND, clock=ClockReading(1.2, 0.5, 0.05))),
    "clock not read": (6, SKIPPED, replace(SOUND, clock=None)),
    "order refused": (
        7,
        FAIL,
        with_account(trials=(Trial("BTC/USD", "o", Fault(Reason.ORDER_MINIMUM_NOT_MET, "too little")),)),
    ),
    "order not asked": (7, FAIL, with_account(trials=(Trial("BTC/USD", "o", unasked="no price"),))),
    "too poor": (7, WARN, with_account(trials=(Trial("BTC/USD", "o", Fault(Reason.INSUFFICIENT_FUNDS, "poor")),))),
    "nothing tried": (7, SKIPPED, with_account(trials=())),
    "no snapshot": (8, FAIL, with_account(stream=StreamLook(pictured=False, beat=False, why="closed"))),
    "no heartbeat": (8, FAIL, with_account(stream=StreamLook(pictured=True, beat=False))),
    "store in use": (9, FAIL, with_store(refused="in use", in_use=True)),
    "store refused": (9, FAIL, with_store(refused="damaged")),
    "store in memory": (9, FAIL, with_store(disk="tmpfs")),
    "disk nearly full": (9, WARN, with_store(free_bytes=1000)),
    "no backup": (9, WARN, with_store(backup_age_s=None)),
    "no backup of nothing": (9, OK, with_store(backup_age_s=None, entries=0)),
    "old backup": (9, WARN, with_store(backup_age_s=8 * 86_400.0)),
    "public without TLS": (10, FAIL, with_door(tls=False)),
    "public without tokens": (10, FAIL, replace(with_door(), callers=replace(CALLERS, tokens_at=""))),
    "public with both": (10, OK, with_door()),
    "certificate ends": (10, WARN, with_door(tls_until_ns=NOW + DAY)),
    "socket in an open folder": (10, WARN, with_door(local=True, folder_mode=0o777)),
    "tokens off": (11, FAIL, with_callers(tokens_at="")),
    "tokens not to be read": (11, FAIL, with_callers(problem="mode 0644 lets others in")),
    "token without end": (11, WARN, with_token(expires_ns=None)),
    "token that has ended": (11, WARN, with_token(expires_ns=NOW)),
    "token without pairs": (11, WARN, with_token(bounded=False)),
    "token without limit": (11, WARN, with_token(limited=False)),
    "token that only reads": (11, OK, with_token(bounded=False, limited=False, trades=False)),
    "switch not tried": (11, WARN, with_store(switch_tried_ns=None)),
    "no dead man's switch": (11, WARN, with_account(dead_man_s=0)),
    "none by choice": (11, OK, with_account(dead_man_s=0, dead_man_said=True)),
    "collector silent": (11, WARN, with_callers(exporter="http://c:4317", exporter_problem="refused")),
    "nobody looks": (11, WARN, with_callers(metrics_at="")),
}


@pytest.mark.parametrize(("number", "verdict", "facts"), CASES.values(), ids=CASES)
def test_each_fact_is_told_at_its_line_and_judged_as_the_guide_says(number, verdict, facts):
    """Refuse, warn or pass; whatever is not well names what to do."""
    line = judge(facts).lines[number - 1]
    assert (verdict, True) == (
        line.verdict,
        all(finding.remedy for finding in line.findings if finding.verdict in {WARN, FAIL}),
    )


def test_a_single_line_that_was_not_looked_at_is_no_pass():
    """Though nothing refuses."""
    report = judge(replace(SOUND, clock=None))
    assert (False, {OK, SKIPPED}) == (report.passed, {line.verdict for line in report.lines})


def test_what_could_not_be_looked_at_is_no_pass():
    """Facts of nothing: every line says so, and it does not pass."""
    report = judge(Facts(now_ns=NOW, mode="live", problems=("EXECSVC_LISTEN=0.0.0.0: needs TLS",)))
    assert (False, FAIL, {SKIPPED}) == (
        report.passed,
        report.lines[9].verdict,
        {line.verdict for line in report.lines if line.number not in {1, 10}},
    )


@pytest.mark.parametrize(
    ("problem", "number"),
    [
        ("EXECSVC_STORE=memory: forgets", 9),
        ("execsvc.toml:3: store = memory: forgets", 9),
        ("EXECSVC_TOKENS=off: refused in live mode", 10),
        ("EXECSVC_LISTEN=0.0.0.0:50051: beyond this machine it needs TLS", 10),
        ("execsvc.toml:9: tls.cert_file: not there", 10),
        ("EXECSVC_TIER=gold: must be one of", 5),
        ("execsvc.toml:2: accounts.main.dead_mans_switch: 15 to 3600", 11),
        ("execsvc.toml:7: callers.bot.symbols: write a pair", 11),
        ("my file.toml:3: tier = gold: must be one of", 5),
        ("EXECSVC_LISTN: no such setting", 1),
    ],
)
def test_a_problem_of_the_settings_is_told_at_the_line_it_is_about(problem, number):
    """Whether it was said in the environment or in the file."""
    report = judge(Facts(now_ns=NOW, mode="live", problems=(problem,)))
    assert [number] == [line.number for line in report.lines if any(problem == each.what for each in line.findings)]


def test_of_the_token_that_the_verbs_come_with_it_is_said_what_comes_before_revoking_it():
    """Whoever revokes it first has verbs that are refused."""
    remedies = [
        judge(with_token(caller=caller, expires_ns=None)).lines[10].findings[0].remedy for caller in ("admin", "bot")
    ]
    assert [True, False] == ["EXECSVC_TOKEN_FILE=FILE" in remedy for remedy in remedies]


def test_no_finding_tells_a_nonce_window_as_harmless_when_the_key_was_not_seen():
    """Without the key's facts line 3, 4, 7 and 8 are not looked at."""
    report = judge(with_account(check=None, unanswered="no answer", trials=(), stream=None))
    assert {SKIPPED} == {report.lines[number - 1].verdict for number in (3, 4, 7, 8)}
