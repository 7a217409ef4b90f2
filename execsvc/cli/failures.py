"""Every failure in one form: the envelope for scripts, a few lines with a next step for people.

What a failure means is a row of exits.py; here it is read off an error and told. With json exactly one JSON value reaches
stdout, also when nothing worked.
"""

import re
import sys
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from execsvc.cli.exits import OUTCOME_UNKNOWN, UNKNOWN_ASSET, Row, Stopped, row_of
from execsvc.cli.output import Form, coloured, form_named, note, put_json, text_of

DOCS = "docs/reference/errors.md"
_SYMBOL = re.compile(r"[A-Za-z0-9.]{2,12}[/-][A-Za-z0-9.]{2,12}")
_OUTPUT_FLAGS = ("-o", "--output")
_STREAMS = frozenset({"watch", "tail"})
_OWN_FORM = {"call": Form.JSON}  # it never prints anything else


@dataclass(frozen=True)
class Invocation:
    """One command line: which verb it names, what it is about, and how its answer is to be printed."""

    verb: str
    symbol: str
    form: Form | None

    @classmethod
    def of(cls, arguments: Sequence[str], environ: Mapping[str, str], verbs: Container[str]) -> "Invocation":
        """Read off the words, without understanding them: failures must be told before any verb has run."""
        words = [word for word in arguments if not word.startswith("-")]
        symbol = next((word for word in words if _SYMBOL.fullmatch(word)), "")
        named = (" ".join(words[:count]) for count in (2, 1))  # a verb of a group comes before the group
        verb = next((name for name in named if name in verbs), "")
        form = form_named(_flag(arguments) or environ.get("EXECSVC_OUTPUT", "")) or _OWN_FORM.get(verb)
        if verb in _STREAMS and form is None and not sys.stdout.isatty():
            form = Form.JSONL
        return cls(verb, symbol, form)


def _flag(arguments: Sequence[str]) -> str:
    for word, following in pairwise([*arguments, ""]):
        if word in _OUTPUT_FLAGS:
            return following
        for flag in _OUTPUT_FLAGS:
            if word.startswith(f"{flag}=") or (flag == "-o" and word.startswith("-o") and word != "-o"):
                return word.removeprefix(flag).removeprefix("=")
    return ""


@dataclass(frozen=True)
class Failure:
    """A failed command as it is told: its row, and what is known of it."""

    row: Row
    reason: str | None
    message: str
    retry_after_ms: int | None = None
    client_order_id: str | None = None
    id_used: bool | None = None
    order_id: str | None = None
    symbol: str | None = None
    trace_id: str | None = None
    check: str | None = None

    def hint(self, invocation: Invocation) -> str:
        """The command to try next."""
        return self.row.hint.format(
            verb=invocation.verb or "",
            symbol=self.symbol or invocation.symbol or "BTC/USD",
            id=self.client_order_id or "CLIENT_ORDER_ID",
        ).replace("execsvc  --help", "execsvc --help")

    @property
    def docs(self) -> str:
        """The anchor that explains it."""
        return f"{DOCS}#{(self.reason or self.row.category).lower()}"

    def envelope(self, invocation: Invocation) -> dict[str, Any]:
        """The JSON that a script reads."""
        return {
            "error": {
                "category": self.row.category,
                "reason": self.reason,
                "message": self.message,
                "retryable": self.row.retryable,
                "retry_after_ms": self.retry_after_ms,
                "client_order_id": self.client_order_id,
                "id_used": self.id_used,
                "order_id": self.order_id,
                "trace_id": self.trace_id,
                "try": self.hint(invocation),
                "docs": self.docs,
            }
        }


def failure_of(error: BaseException) -> Failure | None:
    """What an error means to the caller of a verb; None for one that is nobody's fault but ours."""
    if isinstance(error, Stopped):
        return Failure(
            error.row, None, error.message, client_order_id=error.client_order_id or None, id_used=error.id_used
        )
    if "execsvc_client" not in sys.modules:
        return None
    from execsvc_client import ExecsvcError, NotAllowed, OutcomeUnknown

    if not isinstance(error, ExecsvcError):
        return None
    row = OUTCOME_UNKNOWN if isinstance(error, OutcomeUnknown) else row_of(error.reason, error.code.name)
    if error.reason == "UNKNOWN_SYMBOL" and [bad.path for bad in error.violations] == ["asset"]:
        row = UNKNOWN_ASSET
    lead = "" if error.reason else "no answer of the gateway's own: "
    more = [f"{bad.path}: {bad.description}" for bad in error.violations if bad.description not in error.message]
    if isinstance(error, NotAllowed):
        more.append(error.remedy)
    said = lead + "; ".join([error.message, *more])
    return Failure(
        row,
        error.reason or None,
        said,
        retry_after_ms=None if error.retry_after is None else round(error.retry_after * 1000),
        client_order_id=error.client_order_id or None,
        id_used=error.id_used,
        order_id=error.metadata.get("order_id"),
        symbol=error.metadata.get("symbol"),
        trace_id=error.trace_id or None,
        check=_check(error.metadata),
    )


def _check(metadata: Mapping[str, str]) -> str | None:
    """The limit that refused, as the settings call it, and over whose orders it counts; None: no limit did."""
    parts = (metadata.get("check", ""), metadata.get("scope", ""))
    return ", of ".join(filter(None, parts)) if parts[0] else None


def put_failure(failure: Failure, invocation: Invocation) -> None:
    """Tell a failure in the form that was asked for."""
    if invocation.form in {Form.JSON, Form.JSONL}:
        put_json(failure.envelope(invocation), lines=invocation.form is Form.JSONL)
        return
    head = coloured(failure.reason or failure.row.category.replace("_", " "), "31", sys.stderr)
    note(f"{head}: {failure.message}")
    details = (
        ("limit", failure.check or ""),
        ("wait", "" if failure.retry_after_ms is None else f"{failure.retry_after_ms / 1000:g} s"),
        ("client order id", failure.client_order_id or ""),
        ("id used", "" if failure.id_used is None else text_of(failure.id_used)),
        ("trace", failure.trace_id or ""),
        ("try:", failure.hint(invocation)),
        ("docs:", failure.docs),
    )
    for name, value in details:
        if value:
            note(f"  {name.ljust(15)} {value}")
