"""`execsvc doctor`: what is wrong with the gateway that runs and with this machine, each with what to do about it.

The gateway is asked as any caller asks it (doctorgateway.py), the machine is looked at as it is (doctormachine.py). No secret
is read into a finding: of a file of secrets only whether it may be trusted. Exit 0, or 1 when something must be mended.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from execsvc.cli.exits import BROKEN
from execsvc.cli.options import Output, Target
from execsvc.cli.output import Form, coloured, form_for, put_json

if TYPE_CHECKING:
    from execsvc.app.findings import Finding

COLOURS = {"ok": "32", "warn": "33", "not looked at": "33", "FAIL": "31"}
GATEWAY, MACHINE, LIVE = "gateway", "machine", "live check"


def doctor(
    live: Annotated[
        bool, typer.Option("--live", help="Also all of `live check`, which needs the gateway stopped; places nothing.")
    ] = False,
    config: Annotated[str, typer.Option("--config", metavar="FILE", help="The TOML file; else EXECSVC_CONFIG.")] = "",
    target: Target = "",
    output: Output = None,
) -> None:
    """Look at the running gateway and at this machine, and say what to mend. Exit 0, or 1 when something must be mended."""
    from execsvc.app.findings import Verdict
    from execsvc.cli import doctorgateway, doctormachine
    from execsvc.cli.live import looked

    form = form_for(output)
    gateway = doctorgateway.findings(target)
    served = any(each.verdict is Verdict.OK for each in gateway)
    found = {GATEWAY: gateway, MACHINE: doctormachine.findings(config, served=served)}
    lines = looked(config).lines if live else ()
    if live:
        found[LIVE] = [finding for line in lines for finding in line.findings]
    if form is Form.TABLE:
        for place in (GATEWAY, MACHINE):
            _put(place, found[place])
        for line in lines:
            _put(f"{LIVE}, line {line.number}: {line.title}", line.findings)
        sys.stdout.flush()
    else:
        put_json({"findings": _as_json(found)}, lines=form is Form.JSONL)
    if any(each.verdict in {Verdict.FAIL, Verdict.SKIPPED} for place in found.values() for each in place):
        raise typer.Exit(BROKEN)


def _put(place: str, findings: "Sequence[Finding]") -> None:
    print(place)
    for each in findings:
        word = each.verdict.value
        about = f"{each.about}: " if each.about else ""
        print(f"  {coloured(word, COLOURS[word])}{' ' * max(1, 5 - len(word))}{about}{each.what}")
        if each.remedy:
            print(f"       do: {each.remedy}")


def _as_json(found: "dict[str, list[Finding]]") -> list[dict[str, Any]]:
    return [
        {
            "place": place,
            "verdict": each.verdict.value.lower().replace(" ", "_"),
            "about": each.about,
            "what": each.what,
            "remedy": each.remedy,
        }
        for place, findings in found.items()
        for each in findings
    ]
