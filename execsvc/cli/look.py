"""Verbs that look and change nothing: status, health, watch, book, balances, version.

Each prints the answer of one method, in its names (JSON) or in columns. `watch` is a stream: a table in place on a
terminal, JSON lines otherwise.
"""

import platform
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from execsvc import __version__
from execsvc.cli.exits import BAD_CONFIG, BAD_USAGE, NOT_SERVING, STILL_CLOSED, Stopped
from execsvc.cli.options import Account, Output, Symbol, Target, Timeout, complete_symbol, talk
from execsvc.cli.output import Form, coloured, form_for, note, put_json, put_pairs, put_rows
from execsvc.cli.reach import address_of, open_channel

if TYPE_CHECKING:
    from execsvc_client import Client, LaneHealth, ModeEntry, ServerInfo, VenueStatus

HEALTH_TIMEOUT = 3.0
ORDERS = "execsvc.v1.OrderService"


def version(output: Output = None) -> None:
    """Print the version of this program."""
    form = form_for(output)
    if form is Form.TABLE:
        print(f"execsvc {__version__} (contract execsvc.v1, Python {platform.python_version()})")
        return
    facts = {"version": __version__, "contract": "execsvc.v1", "python": platform.python_version()}
    put_json(facts, lines=form is Form.JSONL)


def health(
    service: Annotated[
        str, typer.Option("--service", help="execsvc.v1.OrderService: may trade. Absent: is it alive?")
    ] = "",
    target: Target = "",
    timeout: Timeout = HEALTH_TIMEOUT,
    output: Output = None,
) -> None:
    """Exit 0 if the gateway serves, 4 if not: for probes."""
    import asyncio

    import grpc

    form = form_for(output)
    address = address_of(target)
    try:
        status = asyncio.run(_health(address, service, HEALTH_TIMEOUT if timeout is None else timeout))
    except grpc.RpcError as failed:
        raise Stopped(NOT_SERVING, f"{address}: {failed.details()}") from None
    except (ValueError, OSError) as problem:
        raise Stopped(BAD_CONFIG, str(problem)) from None
    if status != "SERVING":
        raise Stopped(NOT_SERVING, f"{address} {service}: {status}")
    if form is Form.TABLE:
        print(status)
    else:
        put_json({"status": status}, lines=form is Form.JSONL)


async def _health(address: str, service: str, timeout: float) -> str:
    """The serving status of a service, by its name in the health protocol. Raises grpc.RpcError."""
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    async with open_channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


# --- status ------------------------------------------------------------------------------------------------------


def status(
    wait: Annotated[
        float, typer.Option("--wait", min=0, max=3600, help="Wait so many seconds until orders are taken.")
    ] = 0.0,
    target: Target = "",
    timeout: Timeout = None,
    output: Output = None,
) -> None:
    """Show the gateway, the exchange and the link between them."""
    import asyncio

    form = form_for(output)

    async def work(client: "Client") -> "tuple[ServerInfo, VenueStatus | None]":
        by = time.monotonic() + wait
        while True:
            info = await client.server_info(timeout=timeout)
            venue = await _venue(client, timeout, needed=wait > 0)
            closed = await _closed_because(client, venue) if wait and venue is not None else ""
            if not closed:
                return info, venue
            if time.monotonic() >= by:
                raise Stopped(STILL_CLOSED, f"not open for trading after {wait:g} s: {closed}")
            await asyncio.sleep(min(1.0, max(0.05, by - time.monotonic())))

    info, venue = talk(target, work)
    if form is Form.TABLE:
        _put_status(info, venue)
        return
    from execsvc_client.raw import to_json

    told = None if venue is None else to_json(venue)
    put_json({"mode": info.mode, "server": to_json(info), "venue": told}, lines=form is Form.JSONL)


async def _venue(client: "Client", timeout: float | None, *, needed: bool) -> "VenueStatus | None":
    """None for a token that may not see it: what else there is to see is shown all the same. Raises it if needed."""
    from execsvc_client import NotPermitted

    try:
        return await client.venue_status(timeout=timeout)
    except NotPermitted:
        if needed:
            raise
        return None


async def _closed_because(client: "Client", venue: "VenueStatus") -> str:
    """Why an order would not be taken now; empty when it would.

    Health decides, and the exchange's mode, which health does not know. A problem in words may be a mere hint.
    """
    import grpc

    if venue.mode.name != "ONLINE":
        return f"the exchange is {venue.mode.name}"
    try:
        health = await _health(client.link.settings.target, ORDERS, HEALTH_TIMEOUT)
    except grpc.RpcError as failed:
        health = f"silent: {failed.details()}"
    if health == "SERVING":
        return ""
    feeds = [
        f"the private feed is {account.private_feed.name}"
        for account in venue.accounts
        if account.private_feed.name != "LIVE"
    ]
    problems = [problem for account in venue.accounts for problem in account.problems]
    return "; ".join([f"{ORDERS} is {health}", *problems, *feeds])


def _put_status(info: "ServerInfo", venue: "VenueStatus | None") -> None:
    skew = "" if info.version == __version__ else f" (this program: {__version__})"
    money = coloured("live", "31") if info.mode != "paper" else "paper"
    pairs: list[tuple[str, object]] = [
        ("gateway", f"{info.version}{skew}, {money} money, epoch {info.server_epoch}"),
        ("caller", info.caller),
        *(("trading mode", coloured(_mode_in_force(entry), "31")) for entry in info.trading_modes),
    ]
    if venue is None:
        put_pairs([*pairs, ("exchange", f"{info.venue}: its state and the accounts need the permission account")])
        return
    pairs.append(("exchange", f"{info.venue}: {venue.mode.name}, public feed {venue.public_feed.name}"))
    if venue.round_trip is not None:
        pairs.append(("round trip", f"{venue.round_trip.total_seconds() * 1000:.0f} ms"))
    if venue.clock_offset is not None:
        pairs.append(("clock offset", f"{venue.clock_offset.total_seconds() * 1000:+.0f} ms"))
    for account in venue.accounts:
        doubt = f", {account.in_doubt_count} in doubt" if account.in_doubt_count else ""
        pairs.append((f"account {account.account}", f"private feed {account.private_feed.name}{doubt}"))
        if account.locked_out_until is not None:
            pairs.append(("  locked out", f"by Kraken until {account.locked_out_until:%H:%M:%S} UTC"))
        pairs += [(f"  lane {lane.lane}", _lane(lane)) for lane in account.lanes if lane.breaker.name != "CLOSED"]
        pairs += [("  problem", problem) for problem in account.problems]
    put_pairs(pairs)


def mode_words(entry: "ModeEntry") -> str:
    """A trading mode, what it is for and who set it."""
    named = (("account", entry.account), ("caller", entry.caller), ("symbol", entry.symbol))
    scope = "everything" if entry.everything else ", ".join(f"{name} {value}" for name, value in named if value)
    return f"{entry.mode.name} for {scope}, set by {entry.set_by}: {entry.comment}"


def _mode_in_force(entry: "ModeEntry") -> str:
    since = "" if entry.set_time is None else f" (since {entry.set_time:%Y-%m-%d %H:%M:%S} UTC)"
    return f"{mode_words(entry)}{since}"


def _lane(lane: "LaneHealth") -> str:
    """A lane that is not simply open to calls."""
    until = "" if lane.blocked_until is None else f" until {lane.blocked_until:%H:%M:%S} UTC"
    waiting = f", {lane.queue_depth} waiting" if lane.queue_depth else ""
    return f"breaker {lane.breaker.name}{until}{waiting}"


# --- market and money --------------------------------------------------------------------------------------------


def book(
    symbol: Symbol,
    depth: Annotated[int, typer.Option("--depth", help="Levels a side: 10, 25, 100, 500, 1000.")] = 10,
    target: Target = "",
    timeout: Timeout = None,
    output: Output = None,
) -> None:
    """Show the order book of a pair."""
    form = form_for(output)
    found = talk(target, lambda client: client.book(symbol, depth=depth, timeout=timeout))
    if form is not Form.TABLE:
        from execsvc_client.raw import to_json

        answer = {"book": to_json(found), "feedState": f"FEED_STATE_{found.state.name}"}
        put_json(answer, lines=form is Form.JSONL)
        return
    rows = [
        (
            *((found.bids[at].quantity, found.bids[at].price) if at < len(found.bids) else (None, None)),
            *((found.asks[at].price, found.asks[at].quantity) if at < len(found.asks) else (None, None)),
        )
        for at in range(max(len(found.bids), len(found.asks)))
    ]
    put_rows(("bid quantity", "bid", "ask", "ask quantity"), rows)
    if found.state.name != "LIVE":
        old = "it was asked of the exchange just now and ages from here on"
        note(f"the feed is {found.state.name}: do not quote on this, {old}")


def balances(account: Account = "", target: Target = "", timeout: Timeout = None, output: Output = None) -> None:
    """Show all balances that are not zero."""
    form = form_for(output)
    found = talk(target, lambda client: client.balances(timeout=timeout), account=account)
    if form is Form.TABLE:
        put_rows(("asset", "total", "held", "available"), [(b.asset, b.total, b.held, b.available) for b in found])
        return
    from execsvc_client.raw import to_json

    if form is Form.JSON:
        put_json({"balances": to_json(found)})
    for each in found if form is Form.JSONL else ():
        put_json(to_json(each), lines=True)


def watch(
    symbols: Annotated[
        list[str],
        typer.Argument(
            metavar="SYMBOL", help="The pairs, in any spelling Kraken uses.", autocompletion=complete_symbol
        ),
    ],
    count: Annotated[int, typer.Option("--count", min=0, help="Stop after so many updates; 0: never.")] = 0,
    interval: Annotated[
        float, typer.Option("--interval", min=0, max=60, help="At most one update per pair and so many seconds.")
    ] = 0.0,
    target: Target = "",
    output: Output = None,
) -> None:
    """Watch prices until interrupted: a table in place on a terminal, JSON lines otherwise.

    Each price says whether it is LIVE. While the exchange's stream is away, prices are read over REST and stay STALE.
    """
    from execsvc.cli.watching import Lines, Screen, watch_on_screen, watch_until

    form = form_for(output, stream=True)
    if form is Form.JSON and not count:
        raise Stopped(BAD_USAGE, "one JSON value needs an end: give --count, or -o jsonl")
    if form is Form.TABLE:
        screen = Screen(sys.stdout)
        talk(target, lambda client: watch_on_screen(client, symbols, screen, count=count, interval=interval))
        return
    lines = Lines()
    collected: list[Any] = []
    lines.put = collected.append if form is Form.JSON else lambda event: put_json(event, lines=True)
    talk(target, lambda client: watch_until(client, symbols, lines, count=count, interval=interval))
    if form is Form.JSON:
        put_json(collected)
