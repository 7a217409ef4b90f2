"""The eleven lines before real money: facts in, findings with a remedy out. Pure; nothing here asks, opens or places.

Here are settings, key and exchange (lines 1 to 8); what execsvc itself stands on (9 to 11) is liveground.py's. Who gathers
the facts is compose/livefacts.py, who prints the lines cli/live.py. A line whose facts could not be had is no pass.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from execsvc.app import liveground
from execsvc.app.findings import Finding, Line, Report, Verdict, fail, ok, warn
from execsvc.app.livefacts import AccountFacts, Facts, Trial
from execsvc.domain import keycheck, money
from execsvc.domain.account import KeyFacts
from execsvc.domain.errors import Reason

CLOCK_WARN_S, CLOCK_REFUSE_S = 1.0, 5.0
# Where a problem of the settings is told: at the line whose words are in it, as the environment or the file has them.
_WORDS_OF_LINE = {
    5: ("EXECSVC_TIER", "tier"),
    9: ("EXECSVC_STORE", "store"),
    10: (
        "EXECSVC_LISTEN",
        "EXECSVC_HTTP_LISTEN",
        "EXECSVC_INSECURE_BIND",
        "EXECSVC_TLS",
        "EXECSVC_TOKENS",
        "listen",
        "tls",
        "tokens",
    ),
    11: ("EXECSVC_DEAD_MANS_SWITCH", "dead_mans_switch", "callers"),
}


def judge(facts: Facts) -> Report:
    """The eleven lines over what was gathered."""
    lines = []
    for number, (title, rule) in enumerate(_LINES, 1):
        wrong = [problem for problem in facts.problems if _line_of(problem) == number]
        told = [fail(problem, "docs/reference/configuration.md") for problem in wrong]
        # What was looked at instead of a setting that cannot be used may be well, and is not what was asked about.
        told += [finding for finding in rule(facts) if not wrong or finding.verdict is not Verdict.OK]
        lines.append(Line(number, title, tuple(told) or (_unknown(facts, number),)))
    return Report(tuple(lines))


def _line_of(problem: str) -> int:
    """By the name that the problem begins with, after FILE:LINE where it is of the file."""
    named = re.match(r"(?:[^=]+?:\d+: )?([A-Za-z0-9_.]+)", problem)
    parts = named[1].split(".") if named else []
    return next(
        (
            line
            for line, words in _WORDS_OF_LINE.items()
            if any(part == word or (word.isupper() and part.startswith(word)) for part in parts for word in words)
        ),
        1,
    )


_SIGNED = {2, 3, 4, 7, 8}


def _unknown(facts: Facts, number: int) -> Finding:
    if facts.unsigned and number in _SIGNED:
        why = facts.unsigned
    elif facts.problems and not facts.account_names:
        why = "settings that cannot be used come first"
    else:
        why = "what it needs was not to be had: the lines that refuse come first"
    return Finding(Verdict.SKIPPED, why)


# ---- settings and key -------------------------------------------------------------------------------------------


def _asked_for(facts: Facts) -> Iterator[Finding]:
    if facts.mode != "live":
        yield fail(
            f"EXECSVC_MODE is {facts.mode or 'not set'}; all else is looked at as if it were live",
            "EXECSVC_MODE=live, when every other line is well",
        )
    if facts.account_names:
        limit = (
            "told per account" if facts.max_order_notional is None else f"{money.text(facts.max_order_notional)} USD"
        )
        yield ok(f"keys are named for {', '.join(facts.account_names)}; largest order {limit}")


def _key_answers(facts: Facts) -> Iterator[Finding]:
    if facts.key_problem:
        yield fail(facts.key_problem, "docs/guides/going-live.md says where a key belongs")
    for account in facts.accounts:
        if account.check is not None:
            named = f": at Kraken it is called {account.check.facts.name}" if account.check.facts.name else ""
            yield ok(f"the signature is accepted, GetApiKeyInfo answers{named}", account.account)
        elif account.unanswered and not account.nonces_refused:
            yield fail(
                account.unanswered,
                "see that key and secret belong together, and that Kraken can be reached from here",
                account.account,
            )


def _permissions(facts: Facts) -> Iterator[Finding]:
    for account, key in _keys(facts):
        found = list(_rights(key, account))
        yield from found
        if not found:
            yield ok("every right it needs, and no other", account)


def _rights(key: KeyFacts, account: str) -> Iterator[Finding]:
    for name in sorted(key.permissions & {*keycheck.FORBIDDEN}):
        yield fail(f"it may {name}: execsvc never uses such a key", "make a key without that right", account)
    for name, label in keycheck.NEEDED.items():
        if name not in key.permissions:
            yield fail(f"it lacks {name}", f"at Kraken, tick: {label}", account)
    needless = sorted(key.permissions - keycheck.HARMLESS - {*keycheck.FORBIDDEN})
    if needless:
        yield warn(f"it also has {', '.join(needless)}, which execsvc does not need", "take it away at Kraken", account)


def _nonces(facts: Facts) -> Iterator[Finding]:
    for each in facts.accounts:
        if each.nonces_refused:
            yield fail(each.unanswered, "give execsvc a key of its own, made anew", each.account)
        if each.check is None:
            continue
        window, foreign = each.check.facts.nonce_window, each.check.foreign_nonce
        if window is None:
            yield warn("Kraken did not tell its nonce window", "see at Kraken that it is 0", each.account)
        elif window:
            yield fail(f"its nonce window is {window}", "set it to 0 at Kraken", each.account)
        if foreign is not None:
            what = f"Kraken has seen nonce {foreign} of it, which was never used here"
            remedy = "another program uses the key, or the store is an older copy: give execsvc a key of its own"
            yield fail(what, remedy, each.account)
        elif window == 0:
            yield ok("its window is 0, and nobody else uses it", each.account)


def _keys(facts: Facts) -> Iterator[tuple[str, KeyFacts]]:
    return ((each.account, each.check.facts) for each in facts.accounts if each.check is not None)


# ---- the exchange -----------------------------------------------------------------------------------------------


def _surroundings(facts: Facts) -> Iterator[Finding]:
    for account, key in _keys(facts):
        yield from _lasting(key, account, facts.now_ns)
    for each in facts.accounts:
        for problem in each.tier_problems:
            yield warn(problem, "set the tier that Kraken counts with", each.account)
    if facts.exchange_silent:
        yield fail(facts.exchange_silent, "see that Kraken can be reached from here")
    elif facts.exchange_mode not in {"", "online"}:
        yield warn(f"the exchange is in the mode {facts.exchange_mode}", "wait until it is online")
    for pair, status in facts.pairs.items():
        if not status:
            yield warn("Kraken lists no such pair", "execsvc instruments names those there are", pair)
        elif status != "online":
            yield warn(f"Kraken lists it as {status}", "wait, or trade another", pair)
    online = [pair for pair, status in facts.pairs.items() if status == "online"]
    if online:
        yield ok(f"online: {', '.join(online)}")


def _lasting(key: KeyFacts, account: str, now_ns: int) -> Iterator[Finding]:
    if not key.ip_allowlist:
        yield warn("the key works from any address", "give it an IP address list at Kraken", account)
    left = None if key.valid_until_ns is None else keycheck.days_left(key.valid_until_ns, now_ns)
    if left is not None and left <= 0:
        yield fail("the key has expired", "make a new one", account)
    elif left is not None and left <= keycheck.SOON_DAYS:
        yield warn(f"the key expires in {left:.1f} days", "make its successor", account)


def _clock(facts: Facts) -> Iterator[Finding]:
    if facts.clock is None:
        return
    read = facts.clock
    off_s = max(0.0, abs(read.offset_s) - read.uncertainty_s)
    shown_s = round(read.offset_s, 1) + 0.0  # a minus before nothing says nothing
    what = f"Kraken's clock is {shown_s:+.1f} s from ours, give or take {read.uncertainty_s:.1f} s"
    remedy = "set this machine's clock right, and let a time service keep it"
    if off_s > CLOCK_REFUSE_S:
        yield fail(what, remedy)
    elif off_s > CLOCK_WARN_S:
        yield warn(what, remedy)
    else:
        yield ok(what)


def _trials(facts: Facts) -> Iterator[Finding]:
    return (_trial(account, trial) for account in facts.accounts for trial in account.trials)


def _trial(account: AccountFacts, trial: Trial) -> Finding:
    about = f"{account.account} {trial.symbol}"
    if trial.unasked:
        return fail(trial.unasked, "name another pair with --pair, or try again", about)
    if trial.objection is None:
        return ok(f"{trial.order}: Kraken would take it", about)
    what = f"{trial.order}: {trial.objection.message}"
    if trial.objection.reason is Reason.INSUFFICIENT_FUNDS:
        return warn(what, "the key may place, the account cannot pay: fund it", about)
    return fail(what, f"docs/reference/errors.md#{trial.objection.reason.name.lower()}", about)


def _streams(facts: Facts) -> Iterator[Finding]:
    for each in facts.accounts:
        if each.stream is None:
            continue
        if each.stream.pictured and each.stream.beat:
            yield ok("a token, the snapshot of executions, a heartbeat", each.account)
        else:
            missing = "a heartbeat" if each.stream.pictured else "the snapshot of executions"
            why = each.stream.why or "nothing more came in time"
            remedy = "the key needs the WebSocket right, and the private address must be reachable"
            yield fail(f"{missing} did not come: {why}", remedy, each.account)


_LINES: tuple[tuple[str, Callable[[Facts], Iterable[Finding]]], ...] = (
    ("live mode, keys, largest order", _asked_for),
    ("key and signature", _key_answers),
    ("rights of the key", _permissions),
    ("nonces", _nonces),
    ("addresses, expiry, pairs, tier", _surroundings),
    ("clock", _clock),
    ("an order on trial (validate)", _trials),
    ("private stream", _streams),
    ("store", liveground.store),
    ("listeners", liveground.doors),
    ("callers, switches, telemetry", liveground.callers),
)
