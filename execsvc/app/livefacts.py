"""What the live check was able to gather: values only, of settings, keys, exchange, store, doors and callers.

None or empty is what could not be had, with the reason beside it. Gathered by compose/livefacts.py, judged by livecheck.py.
No secret is among them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from execsvc.domain.errors import Fault
from execsvc.ports import ClockReading, KeyCheck


@dataclass(frozen=True)
class Trial:
    """AddOrder with validate=true: the order in words, and what Kraken has against it; unasked: why it was not asked."""

    symbol: str
    order: str
    objection: Fault | None = None
    unasked: str = ""


@dataclass(frozen=True)
class StreamLook:
    """What came on the private stream: a snapshot of the orders, a heartbeat; why: what ended it."""

    pictured: bool
    beat: bool
    why: str = ""


@dataclass(frozen=True)
class AccountFacts:
    """One account. check None: `unanswered` says why the key was not looked at; tier_problems: as Kraken counts it.

    nonces_refused: that is because Kraken refuses nonces that are fresh here. dead_man_s 0: no dead man's switch,
    dead_man_said: on purpose.
    """

    account: str
    check: KeyCheck | None = None
    unanswered: str = ""
    nonces_refused: bool = False
    tier_problems: tuple[str, ...] = ()
    trials: tuple[Trial, ...] = ()
    stream: StreamLook | None = None
    dead_man_s: int = 0
    dead_man_said: bool = False


@dataclass(frozen=True)
class StoreFacts:
    """The store. refused: why it was not opened, in_use: because a gateway has it; disk: the kind of its file system.

    backup_age_s: of the newest backup beside it, None: there is none; entries: in its journal; switch_tried_ns: when a
    trading mode was last set.
    """

    path: str
    refused: str = ""
    in_use: bool = False
    disk: str = ""
    free_bytes: int | None = None
    entries: int = 0
    backup_age_s: float | None = None
    switch_tried_ns: int | None = None


@dataclass(frozen=True)
class Door:
    """A listener. local: loopback or a unix socket; folder_mode: of the folder a socket lies in, None where it is none.

    tls_until_ns: the end of its certificate, None where that is not known.
    """

    name: str
    address: str
    local: bool
    tls: bool
    tls_until_ns: int | None = None
    folder_mode: int | None = None


@dataclass(frozen=True)
class TokenFacts:
    """A caller's token, by its public id. expires_ns None: never; bounded: pairs named, limited: an order's size or rate."""

    token_id: str
    caller: str
    expires_ns: int | None
    bounded: bool
    limited: bool
    trades: bool


@dataclass(frozen=True)
class CallerFacts:
    """Who may call. tokens_at: the file of tokens, empty: the doors ask nobody; problem: why it was not read."""

    tokens_at: str
    problem: str = ""
    tokens: tuple[TokenFacts, ...] = ()
    metrics_at: str = ""
    exporter: str = ""
    exporter_problem: str = ""


@dataclass(frozen=True)
class Facts:
    """All of it. problems: of settings that cannot be used; unsigned: why, then, no signed call was made, where that is so.

    pairs: those that are to be traded, with Kraken's status, empty for one it does not know.
    """

    now_ns: int
    mode: str
    problems: tuple[str, ...] = ()
    unsigned: str = ""
    account_names: tuple[str, ...] = ()
    max_order_notional: Decimal | None = None
    key_problem: str = ""
    accounts: tuple[AccountFacts, ...] = ()
    exchange_silent: str = ""
    exchange_mode: str = ""
    pairs: Mapping[str, str] = field(default_factory=dict)
    clock: ClockReading | None = None
    store: StoreFacts | None = None
    doors: tuple[Door, ...] = ()
    callers: CallerFacts | None = None
