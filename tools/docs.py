"""Writes the reference pages that are made from the code's own tables, and checks that they are as the tables say.

`.venv/bin/python tools/docs.py` writes; with `--check` it writes nothing and fails on every page that differs. A page is one
row of PAGES. Pages that a person writes are not made here.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from execsvc.cli import exits
from execsvc.domain.errors import Reason
from execsvc.rpc.status import CODES, number_of

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tools"))  # imported as tools.docs it would not find its neighbour

from config_page import config_page  # noqa: E402 - only now it can be found

IMAGE = ROOT / "clients" / "descriptors.binpb"
ENUM = "ErrorReason"

ERRORS_HEAD = """\
# Errors

<!-- Made by tools/docs.py from the table of reasons: change that, not this page. -->

The gRPC code says what to do next, the reason says why. Every error of execsvc is a `google.rpc.Status` with exactly one
`ErrorInfo`: `reason` as below, `domain` `execsvc`, and `metadata` with `venue`, `request_id` and, where Kraken spoke,
`venue_error` with its own words. `BadRequest` names every bad field at once; `RetryInfo` is there where waiting heals.

Every error of a placement says in `metadata` whether the id is used: `id_used` `false`, the same id may be sent again;
`true`, a new try needs a new id. **An error without our `ErrorInfo`** was made by the caller's own library or a proxy and
says nothing about the order: send the same request again, or ask `GetOrder`; both are safe.

An order whose fate is not known is no error: it is answered OK with `ORDER_STATUS_IN_DOUBT`.
"""
# What a caller does next, by code. Total over the codes in use: a test holds it so.
NEXT: Mapping[grpc.StatusCode, str] = MappingProxyType(
    {
        grpc.StatusCode.INVALID_ARGUMENT: "Fix the request; as it stands it will never be taken.",
        grpc.StatusCode.NOT_FOUND: "Correct the name; there is no such thing here.",
        grpc.StatusCode.ALREADY_EXISTS: "Use a new id, or ask what the id already stands for.",
        grpc.StatusCode.ABORTED: "Read the state again; what was meant is no longer what it would do.",
        grpc.StatusCode.OUT_OF_RANGE: "Start over without the token.",
        grpc.StatusCode.FAILED_PRECONDITION: "Change the state first: the account, the market or a limit forbids it now.",
        grpc.StatusCode.RESOURCE_EXHAUSTED: (
            "Wait as long as `RetryInfo` says; without it make room. `grpc-retry-pushback-ms` says the same to libraries."
        ),
        grpc.StatusCode.DEADLINE_EXCEEDED: "Allow more time; nothing was sent.",
        grpc.StatusCode.UNAVAILABLE: "Ask again: nothing was sent.",
        grpc.StatusCode.UNAUTHENTICATED: "Mend the token; it is about the caller's own, never about Kraken's key.",
        grpc.StatusCode.PERMISSION_DENIED: "Ask the operator for the right; it is about the caller's own token.",
        grpc.StatusCode.UNKNOWN: "Report it with the request id; it was only a read.",
        grpc.StatusCode.INTERNAL: "Report it with the request id: the fault is the server's.",
        grpc.StatusCode.UNIMPLEMENTED: "Leave it out, or use a build that has it.",
    }
)

# What an exit code of the command line means, and what a script does then. Total over the codes in use.
EXITS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        exits.DONE: ("done", "nothing"),
        exits.BROKEN: ("a fault of execsvc, or not built", "report it, with the trace id"),
        exits.USAGE: ("mistyped, or refused by a rule as written", "fix the command"),
        exits.CONFIG: ("configuration or the exchange's key", "fix the configuration"),
        exits.NOTHING_SENT: ("not reachable or too late; nothing was sent", "try again later, or with more time"),
        exits.REFUSED: ("refused by the exchange", "look at the reason"),
        exits.LIMITED: ("refused by a limit of ours or a halt", "look at the reason"),
        exits.THROTTLED: ("throttled or full", "wait `retry_after_ms` and repeat; without it make room"),
        exits.UNKNOWN: ("**the outcome is not known yet**", "`execsvc order get ID`; repeat only with the *same* id"),
        exits.NOT_ALLOWED: ("not authenticated or not allowed", "fix the token"),
        exits.CONFLICT: ("the id, version or token means something else, or not placed", "a new id, or read again"),
        exits.MAINTENANCE: ("the exchange or the pair does not take this now", "wait, `execsvc status --wait 300`"),
        exits.INTERRUPTED: ("interrupted by Ctrl-C", "nothing"),
    }
)
# What a category of the JSON envelope says; anchors for failures that carry no reason of the contract.
CATEGORIES: Mapping[str, str] = MappingProxyType(
    {
        "api": "The exchange refused, in its own words.",
        "auth": "The caller's token is missing, unknown or not allowed to do this.",
        "config": "The configuration of execsvc, or the exchange's key, must be mended by its operator.",
        "internal": "A fault of execsvc.",
        "maintenance": "The exchange, or the pair, is closed for this for a while.",
        "network": "Somebody could not be reached, or not in time. Nothing was sent.",
        "rate_limit": "Too much at once; the wait is told where waiting heals.",
        "risk": "A limit of ours, or a halt.",
        "unknown_outcome": (
            "The answer was lost on the way, or the order is in doubt: it may be placed or not. Ask for it by its client"
            " order id (`execsvc order get ID`). Repeating is safe with the same id only; a new id may double the order."
        ),
        "validation": "The request as written can never be taken.",
    }
)


def errors_page() -> str:
    """docs/reference/errors.md: one section a code, one anchor a reason, in lower case; then what the commands add."""
    comments = reason_comments()
    parts = [ERRORS_HEAD]
    for code in dict.fromkeys(CODES[reason] for reason in Reason):
        parts.append(f"## {code.name} ({number_of(code)})\n\n{NEXT[code]}\n")
        parts += [_section(reason, comments[reason.name]) for reason in Reason if CODES[reason] is code]
    return "\n".join([*parts, _exits_section(), _categories_section()])


def _exits_section() -> str:
    rows = ["| exit | meaning | a script's move | reasons |", "|---|---|---|---|"]
    for code, (meaning, move) in EXITS.items():
        reasons = " ".join(f"[{name}](#{name.lower()})" for name, row in exits.BY_REASON.items() if row.exit == code)
        rows.append(f"| {code} | {meaning} | {move} | {reasons} |")
    return "## Exit codes of the command line\n\n" + "\n".join(rows) + "\n"


def _categories_section() -> str:
    own = {reason.name.lower() for reason in Reason}
    lines = ["## Categories of the JSON envelope", ""]
    for name, words in CATEGORIES.items():
        anchor = "" if name in own else f'<a id="{name}"></a>'
        lines += [f"- {anchor}`{name}`: {words}"]
    return "\n".join(lines) + "\n"


def _section(reason: Reason, comment: str) -> str:
    meaning, _, metadata = comment.partition(" Metadata: ")
    meaning = meaning.partition(": ")[2]
    lines = [
        f'<a id="{reason.name.lower()}"></a>',
        f"### {reason.name}",
        "",
        f"{meaning[0].upper()}{meaning[1:]}",
        "",
        f"Number {int(reason)}." + (f" Metadata besides: {metadata}" if metadata else ""),
        "",
    ]
    return "\n".join(lines)


def reason_comments() -> dict[str, str]:
    """Each reason's comment in the contract, on one line, by its name without the prefix."""
    image = FileDescriptorSet.FromString(IMAGE.read_bytes())
    found: dict[str, str] = {}
    for file in image.file:
        said = {tuple(at.path): " ".join(at.leading_comments.split()) for at in file.source_code_info.location}
        for index, enum in enumerate(file.enum_type):
            if enum.name == ENUM:
                for number, value in enumerate(enum.value):
                    found[value.name.removeprefix("ERROR_REASON_")] = said[5, index, 2, number]
    return found


PAGES: Mapping[Path, Callable[[], str]] = MappingProxyType(
    {
        Path("docs/reference/errors.md"): errors_page,
        Path("docs/reference/configuration.md"): config_page,
    }
)


def main(argv: list[str] | None = None) -> int:
    """Writes every page, or names those that differ; 0 when all is as it should be."""
    parser = argparse.ArgumentParser(description="The reference pages that are made from tables.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a page that differs")
    options = parser.parse_args(argv)
    stale = 0
    for path, make in PAGES.items():
        page, made = ROOT / path, make()
        if page.is_file() and page.read_text() == made:
            continue
        if options.check:
            print(f"{path}: not as the tables say; run tools/docs.py")
            stale += 1
            continue
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(made)
        print(f"{path}: written")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
