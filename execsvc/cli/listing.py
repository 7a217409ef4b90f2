"""What verbs that print lists have in common: spans of time, bounds on rows, and the three forms of a list.

How one table or one JSON value looks is output.py's; which columns there are is the verb's.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from execsvc.cli.exits import BAD_USAGE, Stopped
from execsvc.cli.output import Form, note, put_json, put_rows

PAGE_MAX = 1000

Since = Annotated[
    str, typer.Option("--since", metavar="TIME", help="First moment wanted: 2026-09-21 or 2026-09-21T14:00; UTC.")
]
Until = Annotated[str, typer.Option("--until", metavar="TIME", help="End, not itself wanted; as --since.")]


def moment(text: str, name: str) -> datetime | None:
    """A date or a time in ISO 8601, UTC where it names no zone; None for none. Raises Stopped for anything else."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Stopped(BAD_USAGE, f"{name} {text}: a time such as 2026-09-21 or 2026-09-21T14:00") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def clock(at: datetime | None) -> str:
    """A time in UTC, to the second; nothing for none."""
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def put_one(found: object, form: Form) -> None:
    """One value as JSON, in the contract's names."""
    from execsvc_client.raw import to_json

    put_json(to_json(found), lines=form is Form.JSONL)


def put_many(
    name: str, form: Form, found: Sequence[Any], heads: Sequence[str], row: Callable[[Any], Sequence[object]]
) -> None:
    """As columns, as one JSON value under the answer's own name, or one line each."""
    if form is Form.TABLE:
        put_rows(heads, map(row, found))
        return
    from execsvc_client.raw import to_json

    if form is Form.JSON:
        put_json({name: to_json(list(found))})
    for each in found if form is Form.JSONL else ():
        put_json(to_json(each), lines=True)


def remark(form: Form, text: str) -> None:
    """Beside a table, for whoever reads it; nothing where there is nothing to say."""
    if text and form is Form.TABLE:
        note(text)


def how_many(found: Sequence[object], count: int, name: str, *, which: str = "newest") -> str:
    """What a list leaves open; empty when it is whole."""
    if not found:
        return f"no {name}"
    return f"the {which} {count}: there may be more, --count says how many" if len(found) == count else ""
