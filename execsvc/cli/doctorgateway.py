"""What the gateway that runs says of itself, as findings: asked over its own RPCs, with the caller's own rights.

What a caller may not ask is left out, and said. The words come from the gateway; what is judged here is how bad they are.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from execsvc import __version__
from execsvc.app.findings import Finding, fail, ok, warn
from execsvc.cli.exits import Stopped
from execsvc.cli.look import mode_words
from execsvc.cli.options import now, talk

if TYPE_CHECKING:
    from execsvc_client import AccountHealth, Client, ExecsvcError, Limits, ServerInfo, StreamInfo, VenueStatus

ANSWER_S = 5.0
CLOCK_WARN_S, CLOCK_BAD_S = 0.25, 5.0
COUNTER_WARN = Decimal("0.85")  # of what Kraken allows
QUEUE_WARN = 100
NOT_FOR_US = frozenset({"PERMISSION_MISSING", "NOT_IMPLEMENTED"})


def findings(target: str) -> list[Finding]:
    """Those of the gateway at `target`; one that is not there is one."""
    from execsvc_client import ExecsvcError

    try:
        info, venue = talk(target, _asked)
    except Stopped as unfit:
        return [fail(unfit.message, "set token and TLS files right: docs/guides/tokens.md")]
    except ExecsvcError as failure:
        return [refusal(failure)]
    found = [*of_server(info, __version__), *of_venue(venue, now())]
    for account in venue.accounts:
        try:
            limits = talk(target, lambda client: client.limits(timeout=ANSWER_S), account=account.account)
        except ExecsvcError as failure:
            found.append(refusal(failure))
        else:
            found += of_limits(limits, account.account)
    return [*found, *_streams(target)]


async def _asked(client: "Client") -> "tuple[ServerInfo, VenueStatus]":
    return await client.server_info(timeout=ANSWER_S), await client.venue_status(timeout=ANSWER_S)


def _streams(target: str) -> list[Finding]:
    """Of every caller's streams; only an admin may ask."""
    from execsvc_client import ExecsvcError

    try:
        streams = talk(target, lambda client: client.list_streams(timeout=ANSWER_S))
    except ExecsvcError as failure:
        if failure.reason in NOT_FOR_US:
            return [ok("streams of other callers are for an admin token to see")]
        return [refusal(failure)]
    return list(of_streams(streams))


def refusal(failure: "ExecsvcError") -> Finding:
    """A call that failed, by what the person can do."""
    if failure.reason == "TOKEN_INVALID":
        return fail(
            failure.message, "name the file of a token that is in force: EXECSVC_TOKEN_FILE, execsvc token list"
        )
    if failure.reason:
        return fail(f"{failure.reason}: {failure.message}", f"docs/reference/errors.md#{failure.reason.lower()}")
    return fail(f"nobody answers: {failure.message}", "execsvc serve (or dev), or name another with --target")


def of_server(info: "ServerInfo", version: str) -> Iterator[Finding]:
    """Version, methods, trading modes."""
    about = f"{info.venue}, {info.mode} money, as {info.caller}"
    if info.version != version:
        yield warn(f"the gateway is {info.version}, this program {version}", "install the same on both sides", about)
    else:
        yield ok(f"answers, version {info.version}", about)
    for entry in info.trading_modes:
        if entry.mode.name != "NORMAL":
            yield warn(mode_words(entry), "execsvc resume lifts it, when its cause is gone")


def of_venue(venue: "VenueStatus", at: datetime) -> Iterator[Finding]:
    """The exchange, the clock, the feeds, and each account with its problems."""
    if venue.mode.name != "ONLINE":
        yield warn(f"the exchange is {venue.mode.name}", "wait: execsvc status --wait 300")
    if venue.public_feed.name != "LIVE":
        yield warn(f"the public feed is {venue.public_feed.name}", "it dials again by itself; look at the network")
    if venue.clock_offset is not None:
        offset_s = round(venue.clock_offset.total_seconds(), 2) + 0.0  # a minus before nothing says nothing
        off_s = abs(offset_s)
        what = f"the exchange's clock is {offset_s:+.2f} s from ours"
        remedy = "set this machine's clock right, and let a time service keep it"
        yield fail(what, remedy) if off_s > CLOCK_BAD_S else warn(what, remedy) if off_s > CLOCK_WARN_S else ok(what)
    for account in venue.accounts:
        yield from _account(account, at)


def _account(account: "AccountHealth", at: datetime) -> Iterator[Finding]:
    name, before = account.account, 0
    if account.private_feed.name != "LIVE":
        before += 1
        yield fail(f"its private feed is {account.private_feed.name}", "look at the network, and at the key", name)
    if account.locked_out_until is not None and account.locked_out_until > at:
        before += 1
        yield fail(
            f"Kraken locks it out until {account.locked_out_until:%H:%M:%S} UTC", "wait; retrying prolongs it", name
        )
    if account.in_doubt_count:
        before += 1
        yield warn(f"{account.in_doubt_count} orders are in doubt", "they resolve by themselves within seconds", name)
    for lane in account.lanes:
        if lane.breaker.name not in {"CLOSED", "UNSPECIFIED"}:
            before += 1
            yield warn(f"lane {lane.lane} is {lane.breaker.name}", "execsvc status says until when", name)
    for problem in account.problems:
        before += 1
        yield fail(problem, "execsvc status, docs/guides/going-live.md", name)
    if not before:
        yield ok("its private feed is live, nothing is in doubt", name)


def of_limits(limits: "Limits", account: str) -> Iterator[Finding]:
    """Counters near their end."""
    full = [each for each in limits.counters if each.maximum and each.level > each.maximum * COUNTER_WARN]
    for each in full:
        what = f"counter {each.name} is at {each.level:.1f} of {each.maximum}"
        yield warn(what, f"fewer calls, or a higher tier: execsvc limits {each.name}", account)
    if not full:
        yield ok("no counter is near its end", account)


def of_streams(streams: "Sequence[StreamInfo]") -> Iterator[Finding]:
    """Readers that do not keep up."""
    slow = [each for each in streams if each.queue_depth > QUEUE_WARN]
    for each in slow:
        what = f"{each.method} of {each.caller} waits with {each.queue_depth} messages"
        yield warn(what, "its reader is too slow; what waits too long is cut off", each.stream_id)
    if not slow:
        yield ok(f"open streams: {len(streams)}, all read in time")
