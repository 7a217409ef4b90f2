"""`execsvc live check`: the eleven lines before real money, printed with what to do about each that refuses or warns.

It places nothing, and ends with the one command that starts live. Which lines there are is app/livecheck.py's.
"""

import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from execsvc.cli.exits import CONFIG
from execsvc.cli.options import Output, help_without_verb
from execsvc.cli.output import Form, coloured, form_for, put_json

if TYPE_CHECKING:
    from execsvc.app.findings import Line, Report

COLOURS = {"ok": "32", "warn": "33", "FAIL": "31", "not looked at": "33"}
WIDTH = max(map(len, COLOURS))

live = typer.Typer(
    name="live", help="Before real money: live check.", invoke_without_command=True, callback=help_without_verb
)


@live.command("check")
def check(
    pairs: Annotated[
        list[str],
        typer.Option("--pair", metavar="SYMBOL", help="Pairs to try; else those that the settings name, BTC/USD."),
    ] = [],  # noqa: B006 - Typer reads the default and hands out a list of its own
    config: Annotated[str, typer.Option("--config", metavar="FILE", help="The TOML file; else EXECSVC_CONFIG.")] = "",
    store: Annotated[str, typer.Option("--store", metavar="URL", help="The store; else EXECSVC_STORE.")] = "",
    output: Output = None,
) -> None:
    """Look at everything that live trading needs and place nothing. Exit 0 when it may start, 3 when something refuses."""
    form = form_for(output)
    report = looked(config, store, pairs)
    command = start_command(config, store)
    if form is Form.TABLE:
        for line in shown(report, command):
            print(line)
        sys.stdout.flush()
    else:
        put_json(as_json(report, command), lines=form is Form.JSONL)
    if not report.passed:
        raise typer.Exit(CONFIG)


def looked(config: str, store: str = "", pairs: Sequence[str] = ()) -> "Report":
    """The eleven lines. The keys are read here as serve reads them, so nobody is to look into this process either."""
    from execsvc.app.livecheck import judge
    from execsvc.compose.livefacts import LiveQuestion, look
    from execsvc.runtime.harden import harden

    harden()
    said = {"EXECSVC_CONFIG": config, "EXECSVC_STORE": store}
    overrides = {name: value for name, value in said.items() if value}
    return judge(look(LiveQuestion(os.environ, overrides, tuple(pairs))))


def start_command(config: str, store: str) -> str:
    """What starts live with what was looked at; what the environment says is said there already."""
    words = ["EXECSVC_MODE=live execsvc serve"]
    words += [f"--config {shlex.quote(config)}"] if config else []
    words += [f"--store {shlex.quote(store)}"] if store else []
    return " ".join(words)


def shown(report: "Report", command: str) -> Iterator[str]:
    """The report for people."""
    for line in report.lines:
        yield f"{line.number:2}  {_verdict(line)}  {line.title}"
        for finding in line.findings:
            mark = "" if finding.verdict is line.verdict else f"{finding.verdict.value}: "
            yield f"      {mark}{finding.about + ': ' if finding.about else ''}{finding.what}"
            if finding.remedy:
                yield f"        do: {finding.remedy}"
    refusing = [str(line.number) for line in report.lines if line.verdict.value == "FAIL"]
    yield ""
    yield "nothing was placed"
    if report.passed:
        yield f"start it:  {command}"
    else:
        lines = f"lines {', '.join(refusing[:-1])} and {refusing[-1]}" if refusing[1:] else f"line {refusing[0]}"
        yield f"do not start live yet: {lines} first, then execsvc live check again"


def _verdict(line: "Line") -> str:
    word = line.verdict.value
    return coloured(word, COLOURS[word]) + " " * (WIDTH - len(word))


def as_json(report: "Report", command: str) -> dict[str, Any]:
    """The report for programs; `start` only when it may start."""
    return {
        "passed": report.passed,
        "lines": [
            {
                "number": line.number,
                "title": line.title,
                "verdict": _word(line.verdict.value),
                "findings": [
                    {
                        "verdict": _word(finding.verdict.value),
                        "about": finding.about,
                        "what": finding.what,
                        "remedy": finding.remedy,
                    }
                    for finding in line.findings
                ],
            }
            for line in report.lines
        ],
        "start": command if report.passed else None,
    }


def _word(verdict: str) -> str:
    return verdict.lower().replace(" ", "_")
