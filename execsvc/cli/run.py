"""Verbs that run something: dev, serve, paper. A few lines each over `execsvc.compose` and `execsvc.paper`.

What a person sees while it runs is said on stderr; stdout carries the log of `serve`, and of `paper --print-env` the
variables that point a Kraken client at it.
"""

import os
import signal
import sys
import time
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from execsvc.cli.exits import BAD_CONFIG, CONFIG, Stopped
from execsvc.cli.output import coloured, note

if TYPE_CHECKING:
    from execsvc.compose import Companion, Ready
    from execsvc.paper.options import PaperOptions


class Tier(Enum):
    """Verification tiers of an account at Kraken, and one that no account has."""

    STARTER = "starter"
    INTERMEDIATE = "intermediate"
    PRO = "pro"
    UNLIMITED = "unlimited"


STARTED = time.monotonic()  # as early as this file can tell

Listen = Annotated[
    str, typer.Option("--listen", metavar="HOST:PORT", help="gRPC address; the HTTP port follows, + 1000.")
]
Http = Annotated[str, typer.Option("--http", metavar="HOST:PORT", help="Address of /metrics and /healthz, or off.")]
Store = Annotated[str, typer.Option("--store", metavar="URL", help="Where orders are remembered: sqlite:///path.")]
Config = Annotated[str, typer.Option("--config", metavar="FILE", help="TOML file with accounts, callers and limits.")]


def dev(
    *,
    listen: Listen = "",
    http: Http = "",
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Seed of the paper exchange.")] = None,
    store: Store = "",
    config: Config = "",
    no_demo: Annotated[bool, typer.Option("--no-demo", help="Without the little trader.")] = False,
    order_every: Annotated[
        float, typer.Option("--order-every", min=0.5, max=3600, help="Seconds between the little trader's orders.")
    ] = 5.0,
) -> None:
    """Run gateway, paper exchange and a little trader on this machine. No key, no network."""
    import asyncio

    from execsvc.cli import demo

    overrides = _overrides(listen, http, store, config)
    if seed is not None:
        overrides["EXECSVC_SEED"] = str(seed)
    if no_demo:
        overrides["EXECSVC_DEMO"] = "off"
    _serve(
        overrides,
        dev=True,
        companion=lambda target: demo.trade(target, every_s=order_every, sleep=asyncio.sleep),
        order_every=order_every,
    )


def serve(
    listen: Listen = "",
    http: Http = "",
    store: Store = "",
    config: Config = "",
    insecure_bind: Annotated[
        bool, typer.Option("--insecure-bind", help="Allow a plaintext address beyond loopback; paper mode only.")
    ] = False,
) -> None:
    """Run the gateway. EXECSVC_MODE decides which money moves: paper (default) or live."""
    overrides = _overrides(listen, http, store, config)
    if insecure_bind:
        overrides["EXECSVC_INSECURE_BIND"] = "on"
    _serve(overrides, dev=False, companion=None)


def _overrides(listen: str, http: str, store: str, config: str) -> dict[str, str]:
    """What the command line says, by the names of the environment, over which it wins."""
    given = {
        "EXECSVC_LISTEN": listen,
        "EXECSVC_HTTP_LISTEN": http,
        "EXECSVC_STORE": store,
        "EXECSVC_CONFIG": config,
    }
    return {name: value for name, value in given.items() if value}


def _serve(overrides: Mapping[str, str], *, dev: bool, companion: "Companion | None", order_every: float = 0.0) -> None:
    """Run until a signal; leaves with the service's exit code, or 3 and a line for each thing that is wrong."""
    # gRPC tells stderr of every failed handshake, as often as a stranger likes; it reads this once, when it is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    from execsvc import compose, settings

    try:
        loaded = settings.load(os.environ, overrides=overrides, dev=dev)
    except settings.SettingsRefused as refused:
        for problem in refused.problems:
            note(problem)
        raise typer.Exit(CONFIG) from None
    try:
        code = compose.run(
            loaded, lambda ready: note(banner(ready, order_every, time.monotonic() - STARTED)), companion
        )
    except compose.StartRefused as refused:
        note(str(refused))
        raise typer.Exit(CONFIG) from None
    raise typer.Exit(code)


# --- the banner --------------------------------------------------------------------------------------------------


def banner(ready: "Ready", order_every: float, seconds: float) -> str:
    """What stands and what to do next; names only what works."""
    elsewhere = "" if ready.grpc_address == "127.0.0.1:50051" else f" --target {ready.grpc_address}"
    lines = [_title(ready), f"  gRPC       {ready.grpc_address}{_try_grpcurl(ready)}"]
    if ready.http_url:
        lines.append(f"  HTTP       {ready.http_url}/metrics    (also /healthz)")
    if ready.paper is not None:
        facts = ready.paper
        symbols = " ".join(facts.symbols[:3]) + (f" and {more} more" if (more := len(facts.symbols) - 3) > 0 else "")
        lines.append(
            f"  exchange   paper on {facts.address}, seed {facts.seed}, {symbols}, tier {facts.tier}, {facts.funds}"
        )
    if ready.demo:
        lines.append(f"  demo       1 small order every {order_every:g} s (--no-demo)")
    if len(ready.accounts) > 1:
        lines.append(f"  accounts   {', '.join(ready.accounts)}")
    lines.append(f"  state      {ready.store}")
    if not ready.trading:
        lines.append(f"  trading    not open yet: execsvc status{elsewhere} says why")
    symbol = ready.paper.symbols[0] if ready.paper is not None and ready.paper.symbols else "BTC/USD"
    if ready.dev:
        lines.append(
            f"  next       execsvc watch {symbol}{elsewhere}  |  execsvc buy {symbol} --qty 0.001{elsewhere}"
            f"  |  execsvc status{elsewhere}"
        )
    lines.append(f"ready in {seconds:.1f} s")
    return "\n".join(lines)


def _title(ready: "Ready") -> str:
    name = f"execsvc {ready.version}"
    if ready.dev:
        tokens = "tokens" if ready.tokens else "no tokens"
        return f"{name}   DEV: paper money, {tokens}, loopback only. Not for production: docs/guides/going-live.md"
    return f"{name}   {'paper money' if ready.mode == 'paper' else coloured('LIVE money', '31', sys.stderr)}"


def _try_grpcurl(ready: "Ready") -> str:
    return f"    reflection on      try: grpcurl -plaintext {ready.grpc_address} list" if ready.dev else ""


# --- the exchange alone ------------------------------------------------------------------------------------------


def paper(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port of REST and WebSocket; 0: a free one.")
    ] = 0,
    control_port: Annotated[
        int | None, typer.Option("--control-port", min=0, max=65535, help="Port for faults, clock and ledger.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same market.")] = 42,
    tier: Annotated[
        Tier, typer.Option("--tier", help="Rate limits of this verification tier; unlimited for load tests.")
    ] = Tier.INTERMEDIATE,
    accounts: Annotated[
        int, typer.Option("--accounts", min=1, max=16, help="Accounts with a key, money and counters of their own.")
    ] = 1,
    print_env: Annotated[
        bool, typer.Option("--print-env", help="Print addresses and keys as KEY=value, then an empty line.")
    ] = False,
) -> None:
    """Run the paper exchange alone: Kraken's REST and WebSocket, for any Kraken client."""
    import asyncio

    from execsvc.paper.options import PaperAccount, PaperOptions

    others = tuple(PaperAccount(f"paper-{number}", tier.value) for number in range(2, accounts + 1))
    options = PaperOptions(port=port, control_port=control_port, seed=seed, tier=tier.value, others=others)
    try:
        asyncio.run(_exchange(options, print_env=print_env))
    except OSError as problem:
        raise Stopped(BAD_CONFIG, f"{problem.strerror or problem}: choose another --port or --control-port") from None


async def _exchange(options: "PaperOptions", *, print_env: bool) -> None:
    import asyncio

    from execsvc.paper.server import serve as serve_exchange

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def announce(environment: dict[str, str]) -> None:
        if print_env:
            print("".join(f"{name}={value}\n" for name, value in environment.items()), flush=True)
        note(f"paper exchange on {environment['EXECSVC_KRAKEN_REST_URL']}, seed {options.seed}; Ctrl-C ends it")

    await serve_exchange(options, announce=announce, stop=stop)
