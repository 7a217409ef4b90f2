"""The audit log from outside: is the chain whole, what is in it, where does it end. Reads the store's file, asks no gateway.

The file is read while a gateway runs as well as without one, and never written. What the check covers, and what only heads
that were copied elsewhere can show, stands in docs/reference/audit.md.
"""

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from execsvc.cli.exits import BAD_USAGE, BROKEN, Stopped
from execsvc.cli.listing import Since, Until, moment
from execsvc.cli.options import Output, help_without_verb
from execsvc.cli.output import Form, form_for, put_json, put_rows
from execsvc.cli.storefile import StoreFile, reading, rfc3339

if TYPE_CHECKING:
    from execsvc.store.inspect import AccountAudit, AccountHead, Inspection, KeptEntry

HEADS_MOST = 1_000_000  # of one file: a century of hours
_NS_MAX = 2**63 - 1

audit = typer.Typer(
    name="audit",
    help="The audit log: verify its chain, export it, show where it ends. Reads the store's file.",
    invoke_without_command=True,
    callback=help_without_verb,
)

OfAccount = Annotated[str, typer.Option("--account", help="Only this account; absent: every one in the store.")]


class Written(StrEnum):
    """How exported entries are written."""

    JSONL = "jsonl"
    CSV = "csv"


# ---- verify -----------------------------------------------------------------------------------------------------


@audit.command("verify")
def verify(
    store: StoreFile = "",
    account: OfAccount = "",
    heads: Annotated[
        str, typer.Option("--heads", metavar="FILE", help="Log lines, or kept `audit head` output: each must be in it.")
    ] = "",
    since_head: Annotated[
        str, typer.Option("--since-head", metavar="FILE", help="Check only what follows the newest head in FILE.")
    ] = "",
    output: Output = None,
) -> None:
    """Check every entry of the audit log and what the tables say of it. Exit 0 when whole, 1 with each flaw named."""
    form = form_for(output)
    told, begun = _heads_in(heads), _newest(_heads_in(since_head))
    with reading(store) as opened:
        wanted = [account] if account else sorted({*opened.accounts(), *(head.account for head in (*told, *begun))})
        if not any(head.account == account for head in told):
            _known(opened, account)
        since = {head.account: head for head in begun}
        found = [opened.verify(name, told=told, since=since.get(name)) for name in wanted]
        if form is Form.TABLE:
            _put_found(opened, found)
        else:
            put_json(_as_json(opened, found, len(told)), lines=form is Form.JSONL)
    if not all(each.whole for each in found):
        raise typer.Exit(BROKEN)


def _known(opened: "Inspection", account: str) -> None:
    """Raises Stopped for an account that the store does not have; an empty name means all of them."""
    if account and account not in opened.accounts():
        raise Stopped(BAD_USAGE, f"{opened.path} has no account {account}: {', '.join(opened.accounts()) or 'none'}")


def _put_found(opened: "Inspection", found: "list[AccountAudit]") -> None:
    print(f"journal {opened.journal} in {opened.path}, opened {opened.epoch} times")
    if not found:
        print("nothing is written in it yet")
    for each in found:
        count = len(each.flaws) + each.more
        state = "whole" if each.whole else f"{count} flaw{'s' if count > 1 else ''}"
        print(f"{each.account}: {each.entries} entries, {state}, head {each.head.sequence} {each.head.hash.hex()}")
        for flaw in each.flaws:
            print(f"  FLAW  {flaw}")
        if each.more:
            print(f"  and {each.more} more")
        if each.before.sequence:
            print(
                f"  from entry {each.before.sequence + 1} on, {_when(each.first_ns)}; what came before was not looked at"
            )
        if each.outside:
            print(f"  {each.outside} rows are older than the kept journal: nothing can be said of them")
    sys.stdout.flush()


def _as_json(opened: "Inspection", found: "list[AccountAudit]", compared: int) -> Mapping[str, Any]:
    return {
        "store": str(opened.path),
        "journal": opened.journal,
        "epoch": opened.epoch,
        "whole": all(each.whole for each in found),
        "heads_compared": compared,
        "accounts": [
            {
                "account": each.account,
                "whole": each.whole,
                "entries": each.entries,
                "kinds": each.kinds,
                "after": {"sequence": each.before.sequence, "hash": each.before.hash.hex()},
                "head": {"sequence": each.head.sequence, "hash": each.head.hash.hex()},
                "first_time": _when(each.first_ns),
                "last_time": _when(each.last_ns),
                "outside": each.outside,
                "flaws": list(each.flaws),
                "flaws_untold": each.more,
            }
            for each in found
        ],
    }


def _when(at_ns: int | None) -> str:
    return "" if at_ns is None else rfc3339(at_ns)


# ---- heads that were copied elsewhere ---------------------------------------------------------------------------


def _heads_in(file: str) -> "tuple[AccountHead, ...]":
    """The heads in a file, each once. Raises Stopped for a file that cannot be read, or has none."""
    if not file:
        return ()
    try:
        with Path(file).open(encoding="utf-8", errors="replace") as lines:
            found = tuple(dict.fromkeys(_heads(lines, file)))
    except OSError as failed:
        raise Stopped(BAD_USAGE, f"{file}: {failed.strerror}") from None
    if not found:
        raise Stopped(BAD_USAGE, f"{file}: no head of an audit log in it")
    return found


def _heads(lines: Iterable[str], file: str) -> "Iterator[AccountHead]":
    """From log lines (`audit.head`, whatever stands before the JSON) and from what `audit head` printed."""
    from execsvc.store.inspect import AccountHead

    for count, row in enumerate(_rows(lines)):
        if count >= HEADS_MOST:
            raise Stopped(BAD_USAGE, f"{file}: more than {HEADS_MOST} heads; cut the file by time")
        try:
            mark = bytes.fromhex(row.get("hash") or row["state"])
            yield AccountHead(row["account"], int(row["sequence"]), mark, row.get("journal") or row["name"])
        except (KeyError, TypeError, ValueError):
            raise Stopped(BAD_USAGE, f"{file}: not a head: {json.dumps(row)[:200]}") from None


def _rows(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        start = line.find("{")
        if start < 0 or ("audit.head" not in line and '"journal"' not in line):
            continue
        try:
            row = json.loads(line[start:])
        except ValueError:
            continue  # a line of something else, or cut off
        if isinstance(row, dict) and (row.get("event") == "audit.head" or ("event" not in row and "journal" in row)):
            yield row


def _newest(heads: "tuple[AccountHead, ...]") -> "tuple[AccountHead, ...]":
    """Of each account the one furthest on."""
    return tuple({head.account: head for head in sorted(heads, key=lambda head: head.sequence)}.values())


@audit.command("head")
def head(store: StoreFile = "", account: OfAccount = "", output: Output = None) -> None:
    """Show where the audit log ends: keep a copy elsewhere, `audit verify --heads` compares it later."""
    form = form_for(output)
    with reading(store) as opened:
        _known(opened, account)
        heads = [each for each in opened.heads() if account in {"", each.account}]
    if form is Form.TABLE:
        put_rows(("account", "entries", "hash"), [(each.account, each.sequence, each.hash.hex()) for each in heads])
        return
    rows = [
        {"account": each.account, "sequence": each.sequence, "hash": each.hash.hex(), "journal": each.journal}
        for each in heads
    ]
    if form is Form.JSON:
        put_json({"heads": rows})
    for row in rows if form is Form.JSONL else ():
        put_json(row, lines=True)


# ---- export -----------------------------------------------------------------------------------------------------

COLUMNS = ("account", "sequence", "time", "epoch", "kind", "who", "order", "hash")


@audit.command("export")
def export(
    store: StoreFile = "",
    account: OfAccount = "",
    since: Since = "",
    until: Until = "",
    form: Annotated[Written, typer.Option("--format", help="jsonl or csv.")] = Written.JSONL,
    bodies: Annotated[
        bool, typer.Option("--bodies", help="With what each entry says: enough to compute the hashes again.")
    ] = False,
) -> None:
    """Write the audit log to stdout, one entry a line, oldest first, account by account."""
    start, end = moment(since, "--since"), moment(until, "--until")
    since_ns = 0 if start is None else int(start.timestamp()) * 10**9 + start.microsecond * 1000
    until_ns = _NS_MAX if end is None else int(end.timestamp()) * 10**9 + end.microsecond * 1000
    names = (*COLUMNS, "body") if bodies else COLUMNS
    with reading(store) as opened:
        _known(opened, account)
        wanted = [account] if account else opened.accounts()
        entries = (
            _row(entry, bodies=bodies)
            for name in wanted
            for entry in opened.export(name, since_ns=since_ns, until_ns=until_ns)
        )
        if form is Written.JSONL:
            for row in entries:
                print(json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False))
        else:
            table = csv.writer(sys.stdout, lineterminator="\n")
            table.writerow(names)
            table.writerows(entries)
        sys.stdout.flush()


def _row(entry: "KeptEntry", *, bodies: bool) -> tuple[object, ...]:
    from execsvc.store.audit import printable

    kept = entry.record
    row = (
        entry.account,
        kept.sequence,
        rfc3339(kept.at_ns),
        kept.epoch,
        printable(kept.kind),
        printable(entry.who),
        printable(entry.order),
        kept.hash.hex(),
    )
    return (*row, printable(kept.body)) if bodies else row
