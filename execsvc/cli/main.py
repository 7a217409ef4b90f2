"""The tree of verbs, and the one place where any error becomes an exit code.

Importing this file, and so `--help`, loads typer and nothing heavy: what a verb needs it imports itself. The verbs are
in run.py, look.py, market.py, account.py, tail.py, limits.py, trace.py, trade.py, amend.py, many.py, halt.py and explore.py.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence

import typer

from execsvc.cli import account, explore, look, many, market, trade
from execsvc.cli import run as running
from execsvc.cli.amend import amend
from execsvc.cli.audit import audit
from execsvc.cli.config import config
from execsvc.cli.doctor import doctor
from execsvc.cli.exits import BAD_USAGE, BROKEN, DONE, INTERRUPTED, OUR_FAULT
from execsvc.cli.failures import Failure, Invocation, failure_of, put_failure
from execsvc.cli.halt import halt, resume
from execsvc.cli.limits import limits
from execsvc.cli.live import live
from execsvc.cli.options import help_without_verb
from execsvc.cli.output import note
from execsvc.cli.reach import Verbs
from execsvc.cli.tail import tail
from execsvc.cli.token import token
from execsvc.cli.trace import trace

HELP = """Trade and watch Kraken through one gateway that owns the keys.

\b
Run      dev, serve, paper
Look     status, limits, health, watch, book, tail, trace, version
Market   instruments, tickers, trades, candles
Account  balances, margin, positions, fills, ledger, fees
Trade    buy, sell, order, dead-man
Stop     halt, resume
Explore  call
Operate  config, token, audit, live check, doctor

Start with `execsvc dev`: a gateway, a paper exchange and a little trader, on this machine, without any key.
"""

HELP_WIDTH = 120  # of a terminal that has it; a narrower one counts

# Plain help: the styled one takes four times as long to import as everything else here.
app = Verbs(
    name="execsvc",
    help=HELP,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
    callback=help_without_verb,
    context_settings={"max_content_width": HELP_WIDTH},
)
app.command("dev")(running.dev)
app.command("serve")(running.serve)
app.command("paper")(running.paper)
app.command("status")(look.status)
app.command("limits")(limits)
app.command("health")(look.health)
app.command("watch")(look.watch)
app.command("book")(look.book)
app.command("tail")(tail)
app.command("instruments")(market.instruments)
app.command("tickers")(market.tickers)
app.command("trades")(market.trades)
app.command("candles")(market.candles)
app.command("balances")(look.balances)
app.command("margin")(account.margin)
app.command("positions")(account.positions)
app.command("ledger")(account.ledger)
app.command("fills")(account.fills)
app.command("fees")(account.fees)
app.command("trace")(trace)
app.command("buy")(trade.buy)
app.command("sell")(trade.sell)
trade.order.command("amend")(amend)
trade.order.command("cancel-all")(many.cancel_all)
app.add_typer(trade.order, name="order")
app.command("dead-man")(many.dead_man)
app.command("halt")(halt)
app.command("resume")(resume)
app.add_typer(audit, name="audit")
app.add_typer(live, name="live")
app.command("doctor")(doctor)
app.add_typer(token, name="token")
app.add_typer(config, name="config")
app.command("call")(explore.call)
app.command("version")(look.version)


def _names(tree: typer.Typer) -> Iterator[str]:
    """Every verb as it is typed: status, order, order cancel."""
    yield from (str(command.name) for command in tree.registered_commands)
    for group in tree.registered_groups:
        name = str(group.name or (group.typer_instance and group.typer_instance.info.name))
        yield name
        if group.typer_instance is not None:
            yield from (f"{name} {verb}" for verb in _names(group.typer_instance))


VERBS = frozenset(_names(app))


def run(arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    """Run one command line; gives the exit code and never raises."""
    invocation = Invocation.of(arguments, environ, VERBS)
    try:
        code = app(list(arguments), prog_name="execsvc", standalone_mode=False)
    except typer.TyperException as mistake:
        return _mistyped(mistake, invocation)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return _reader_left()
    except Exception as error:  # noqa: BLE001 - whatever it is, the shell gets a code and the person a sentence
        return _failed(error, invocation)
    return code if isinstance(code, int) else DONE


def _mistyped(mistake: typer.TyperException, invocation: Invocation) -> int:
    """A command line that cannot be understood: no verb has run."""
    put_failure(Failure(BAD_USAGE, None, mistake.format_message()), invocation)
    return BAD_USAGE.exit


def _failed(error: Exception, invocation: Invocation) -> int:
    failure = failure_of(error)
    if failure is None:
        if os.environ.get("EXECSVC_LOG_LEVEL", "").lower() == "debug":
            raise error
        failure = Failure(OUR_FAULT, None, f"{type(error).__name__}: {error}")
        put_failure(failure, invocation)
        note("  this is a fault of execsvc: EXECSVC_LOG_LEVEL=debug shows where")
        return BROKEN
    put_failure(failure, invocation)
    return failure.row.exit


def _reader_left() -> int:
    """Whoever read stdout has gone (`| head`): nothing is wrong, and nothing more can be said there."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return DONE
