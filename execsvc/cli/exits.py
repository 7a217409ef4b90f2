"""One table: for each reason of the contract the exit code, the category, whether to repeat, and what to try next.

A script acts on the exit code, a person on the `try:` line. What has no reason of the contract (a lost answer, nobody
there, a mistyped command) has a row of its own below the table. No heavy import: `--help` passes here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

DONE, BROKEN, USAGE, CONFIG, NOTHING_SENT, REFUSED, LIMITED = 0, 1, 2, 3, 4, 5, 6
THROTTLED, UNKNOWN, NOT_ALLOWED, CONFLICT, MAINTENANCE, INTERRUPTED = 7, 8, 9, 10, 11, 130

CATEGORIES = frozenset(
    [
        "auth",
        "rate_limit",
        "network",
        "validation",
        "api",
        "config",
        "risk",
        "unknown_outcome",
        "maintenance",
        "internal",
    ]
)


@dataclass(frozen=True)
class Row:
    """What a failure means to a script. `then` "retry": the same may be tried again later (after retry_after, if told).

    `hint` is a command line; {verb}, {symbol} and {id} stand for those of the failed command.
    """

    exit: int
    category: str
    then: Literal["retry", "stop"]
    hint: str

    @property
    def retryable(self) -> bool:
        """Whether trying again can help."""
        return self.then == "retry"


_RULES = "execsvc instruments {symbol}"
_ORDER = "execsvc order get {id}"
_STATUS = "execsvc status"
_GRANTS = "execsvc call GetServerInfo"  # any token may
_TOKENS = "execsvc token list"
_HELP = "execsvc {verb} --help"
_OPEN = "execsvc order list --open"
_LIMITS = "execsvc limits {symbol}"

BY_REASON: Mapping[str, Row] = {
    "INVALID_REQUEST": Row(USAGE, "validation", "stop", _HELP),
    "ORDER_TYPE_UNKNOWN": Row(USAGE, "validation", "stop", _STATUS),
    "ACCOUNT_REQUIRED": Row(USAGE, "validation", "stop", _HELP),
    "ORDER_MINIMUM_NOT_MET": Row(USAGE, "validation", "stop", _RULES),
    "TICK_SIZE_VIOLATED": Row(USAGE, "validation", "stop", _RULES),
    "VENUE_REFUSED_ARGUMENTS": Row(USAGE, "api", "stop", _RULES),
    "PAGE_TOKEN_INVALID": Row(USAGE, "validation", "stop", _HELP),
    "UNKNOWN_SYMBOL": Row(USAGE, "validation", "stop", "execsvc instruments"),
    "ORDER_NOT_FOUND": Row(USAGE, "validation", "stop", "execsvc order list"),
    "POSITION_NOT_FOUND": Row(USAGE, "validation", "stop", "execsvc positions"),
    "CLIENT_ORDER_ID_REUSED": Row(CONFLICT, "validation", "stop", _ORDER),
    "VERSION_MISMATCH": Row(CONFLICT, "validation", "retry", _ORDER),
    "NOT_PLACED": Row(CONFLICT, "api", "retry", _ORDER),
    "VENUE_DEADLINE_ELAPSED": Row(CONFLICT, "api", "retry", _STATUS),
    "ORDER_IN_DOUBT": Row(CONFLICT, "unknown_outcome", "stop", _ORDER),
    "RESUME_TOKEN_EXPIRED": Row(CONFLICT, "validation", "stop", "execsvc tail"),
    "RISK_REFUSED": Row(LIMITED, "risk", "stop", _LIMITS),
    "TRADING_HALTED": Row(LIMITED, "risk", "stop", _STATUS),
    "INSUFFICIENT_FUNDS": Row(REFUSED, "api", "stop", "execsvc balances"),
    "MARGIN_REFUSED": Row(REFUSED, "api", "stop", "execsvc margin"),
    "POST_ONLY_WOULD_TAKE": Row(REFUSED, "api", "stop", "execsvc book {symbol}"),
    "REDUCE_ONLY_REFUSED": Row(REFUSED, "api", "stop", "execsvc positions"),
    "INSTRUMENT_STATUS": Row(MAINTENANCE, "maintenance", "retry", "execsvc status --wait 300"),
    "TRIGGER_INDEX_UNAVAILABLE": Row(REFUSED, "api", "stop", _RULES),
    "ORDER_TERMINAL": Row(REFUSED, "api", "stop", _ORDER),
    "VENUE_CREDENTIALS_REJECTED": Row(CONFIG, "config", "stop", _STATUS),
    "VENUE_PERMISSION_MISSING": Row(CONFIG, "config", "stop", _STATUS),
    "VENUE_ACCOUNT_RESTRICTED": Row(REFUSED, "api", "stop", _STATUS),
    "LOCAL_RATE_LIMITED": Row(THROTTLED, "rate_limit", "retry", _LIMITS),
    "VENUE_RATE_LIMITED": Row(THROTTLED, "rate_limit", "retry", _LIMITS),
    "VENUE_ORDER_LIMIT": Row(THROTTLED, "rate_limit", "stop", _OPEN),
    "CALLER_QUOTA": Row(THROTTLED, "rate_limit", "retry", _STATUS),
    "TOO_MANY_STREAMS": Row(THROTTLED, "rate_limit", "stop", _STATUS),
    "SLOW_CONSUMER": Row(THROTTLED, "rate_limit", "retry", _HELP),
    "DEADLINE_TOO_SHORT": Row(NOTHING_SENT, "network", "retry", _HELP),
    "READ_TIMEOUT": Row(NOTHING_SENT, "network", "retry", _STATUS),
    "VENUE_UNREACHABLE": Row(NOTHING_SENT, "network", "retry", "execsvc status --wait 60"),
    "VENUE_LOCKED_OUT": Row(NOTHING_SENT, "network", "retry", _STATUS),
    "STORE_UNAVAILABLE": Row(NOTHING_SENT, "internal", "retry", _STATUS),
    "NOT_OWNER": Row(NOTHING_SENT, "network", "retry", "execsvc status --wait 60"),
    "CLOCK_UNTRUSTED": Row(NOTHING_SENT, "config", "retry", _STATUS),
    "SHUTTING_DOWN": Row(NOTHING_SENT, "network", "retry", "execsvc health"),
    "TOKEN_INVALID": Row(NOT_ALLOWED, "auth", "stop", _TOKENS),
    "PERMISSION_MISSING": Row(NOT_ALLOWED, "auth", "stop", _GRANTS),
    "ACCOUNT_NOT_GRANTED": Row(NOT_ALLOWED, "auth", "stop", _GRANTS),
    "SYMBOL_NOT_GRANTED": Row(NOT_ALLOWED, "auth", "stop", _GRANTS),
    "VENUE_ERROR": Row(BROKEN, "api", "stop", _STATUS),
    "INTERNAL": Row(BROKEN, "internal", "stop", _STATUS),
    "NOT_IMPLEMENTED": Row(BROKEN, "internal", "stop", "execsvc call --list"),
    "CANCELLED_BY_OTHER": Row(CONFLICT, "api", "stop", _ORDER),
}

# For a reason newer than this build: the code says what to do next.
BY_CODE: Mapping[str, Row] = {
    "INVALID_ARGUMENT": Row(USAGE, "validation", "stop", _HELP),
    "NOT_FOUND": Row(USAGE, "validation", "stop", _HELP),
    "ALREADY_EXISTS": Row(CONFLICT, "validation", "stop", _ORDER),
    "ABORTED": Row(CONFLICT, "api", "stop", _ORDER),
    "OUT_OF_RANGE": Row(CONFLICT, "validation", "stop", _HELP),
    "FAILED_PRECONDITION": Row(REFUSED, "api", "stop", _STATUS),
    "RESOURCE_EXHAUSTED": Row(THROTTLED, "rate_limit", "stop", _STATUS),
    "UNAVAILABLE": Row(NOTHING_SENT, "network", "retry", "execsvc health"),
    "DEADLINE_EXCEEDED": Row(NOTHING_SENT, "network", "retry", "execsvc health"),
    "UNAUTHENTICATED": Row(NOT_ALLOWED, "auth", "stop", _TOKENS),
    "PERMISSION_DENIED": Row(NOT_ALLOWED, "auth", "stop", _GRANTS),
    "UNIMPLEMENTED": Row(BROKEN, "internal", "stop", "execsvc call --list"),
}

UNKNOWN_ASSET = Row(
    USAGE, "validation", "stop", "execsvc call ListAssets"
)  # UNKNOWN_SYMBOL, of a field that is no pair
OUTCOME_UNKNOWN = Row(UNKNOWN, "unknown_outcome", "stop", _ORDER)
BAD_USAGE = Row(USAGE, "validation", "stop", _HELP)
BAD_CONFIG = Row(CONFIG, "config", "stop", _HELP)
NOT_SERVING = Row(NOTHING_SENT, "network", "retry", "execsvc dev")
NO_GATEWAY = Row(NOTHING_SENT, "network", "retry", "execsvc health")
STILL_CLOSED = Row(MAINTENANCE, "maintenance", "retry", _STATUS)
OUR_FAULT = Row(BROKEN, "internal", "stop", "execsvc version")


def row_of(reason: str, code: str) -> Row:
    """The row of a failed call by its reason, else by its gRPC code, else our fault."""
    return BY_REASON.get(reason) or BY_CODE.get(code) or OUR_FAULT


class Stopped(Exception):
    """Ends a verb with a row's exit code and a sentence; raised by verbs for what no call said."""

    def __init__(self, row: Row, message: str, *, client_order_id: str = "", id_used: bool | None = None) -> None:
        super().__init__(message)
        self.row = row
        self.message = message
        self.client_order_id = client_order_id
        self.id_used = id_used
