"""How a verb prints: table, json or jsonl on stdout, everything else on stderr.

Tables are plain columns, without colour when NO_COLOR is set or the stream is no terminal. Knows no verb, no wire type and
no failure: those are told by failures.py.
"""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, TextIO

from execsvc.cli.exits import BAD_USAGE, Stopped


class Form(StrEnum):
    """What stdout carries."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


def form_named(name: str) -> Form | None:
    """The form of that name, if there is one."""
    return Form(name) if name in set(Form) else None


def form_for(asked: Form | None, *, stream: bool = False, environ: Mapping[str, str] = os.environ) -> Form:
    """The form in force: asked for, else EXECSVC_OUTPUT, else table; streams that are piped are jsonl.

    Raises Stopped for an EXECSVC_OUTPUT that is none of the three.
    """
    if asked is not None:
        return asked
    named = environ.get("EXECSVC_OUTPUT", "")
    if named:
        form = form_named(named)
        if form is None:
            raise Stopped(BAD_USAGE, f"EXECSVC_OUTPUT={named}: table, json or jsonl")
        return form
    return Form.JSONL if stream and not sys.stdout.isatty() else Form.TABLE


def note(text: str) -> None:
    """Say something that is not data."""
    print(text, file=sys.stderr, flush=True)


def put_json(value: Any, *, lines: bool = False) -> None:
    """Print one JSON value: spread out for people, or on one line."""
    print(json.dumps(value, indent=None if lines else 2, ensure_ascii=False), flush=True)


def put_rows(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print plain columns, numbers to the right; only the heads when there are no rows."""
    for line in columns(heads, rows):
        print(line)
    sys.stdout.flush()


def columns(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of plain columns: text to the left, numbers to the right, two blanks between."""
    given = [list(row) for row in rows]
    cells = [list(heads), *([text_of(cell) for cell in row] for row in given)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(heads))]
    right = [_is_number_column([row[at] for row in given]) for at in range(len(heads))]

    def line(row: Sequence[str]) -> str:
        placed = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        )
        return "  ".join(placed).rstrip()

    return [line(row) for row in cells]


def _is_number_column(cells: Sequence[object]) -> bool:
    known = [cell for cell in cells if cell is not None]
    return bool(known) and all(isinstance(cell, Decimal | int) and not isinstance(cell, bool) for cell in known)


def put_pairs(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names and values, one pair a line; pairs without a value are left out."""
    shown = [(name, text_of(value)) for name, value in pairs]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        if value:
            print(f"{name.ljust(width)}  {value}")
    sys.stdout.flush()


def text_of(value: object) -> str:
    """A cell: decimals in plain digits, nothing for None, yes and no."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)


def coloured(text: str, code: str, stream: TextIO | None = None) -> str:
    """The text in a colour (an SGR code), where the stream is a terminal and NO_COLOR is not set."""
    out = sys.stdout if stream is None else stream
    if not out.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{code}m{text}\x1b[0m"
