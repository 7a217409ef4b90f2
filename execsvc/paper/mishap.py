"""Mishaps on demand: what may go wrong between a client and an exchange, as values; `faultplan` counts and draws them.

A fault stays armed for `times` occasions (1, a number, or "always") after letting `skip` pass, and strikes with chance
`rate`; `for_ms` ends it earlier. Where a kind has `ms`, each occasion draws evenly from `ms` to `ms + spread_ms`.
Nothing goes wrong unless it was asked for. Requests (`call`; empty: any private one, "*": any at all; `key`: an API key,
empty: whichever signed, or none):

    request_lost            nothing applied, nothing answered: the connection is cut
    reply_lost_after_apply  applied, not answered
    bad_gateway             an HTML page instead of the answer; `applied` says whether the call was carried out
    delay                   `ms` before the exchange reads the request ("wire": it may be overtaken, its nonce be too low
                            by then), before it carries it out ("before"), or before it answers ("after"); delays add up
    slow_matching           key and nonce pass in time, the engine gets to it `ms` later, looks at its deadline then, and
                            the answer comes after that; empty `call` means every call about orders
    error                   `error` instead of the answer; with `applied`, after carrying it out
    nonce_refused           a good nonce is refused, nothing applied; with `spent` it cannot be used again
    duplicate               the same bytes arrive twice, the copy `ms` after the first; `answer` is the one the client
                            sees. Other mishaps hit the first copy on its way in, and the seen answer on its way out

The exchange as a whole:

    index_lag               each order shows up in each index `ms` after it was accepted, moves from open to closed `ms`
                            after it did, and its fills show as late. One draw per order and index; `index` is "open"
                            (OpenOrders, QueryOrders), "closed", "trades" or all of them. Occasions are orders accepted
                            from now on; without `times` and `skip`, all orders are meant, older ones too
    clock_skew              the exchange's clock is `ms` off its owner's (behind, if negative), the last one armed counts
    status, maintenance     the system status becomes `status` until faults are cleared, or for `for_ms`

WebSocket lines (`line` public or private, `symbol`, `channel`; empty: any):

    feed_frozen             no news of `symbol` on `channel`; heartbeats go on
    feed_silent             nothing at all is sent on `line`, answers included
    checksum_wrong          the next book update of `symbol` carries a wrong checksum
    update_lost             the next book update of `symbol` is never sent
    skip_sequence           the next message of executions or balances skips a sequence number
    cut_frame               the next message breaks off in the middle of its text, and the connection with it
    unknown_channel         a message of a channel nobody knows goes out before the next message
    token_expired           the next subscription with a token is refused, and that token is dead; REST is unaffected
    drop_ws                 every connection of `line` is closed at once with `code`; 1006 cuts it
    refuse_ws               the next connection of `line` is hung up on before it is served
"""

from typing import Literal

import msgspec

Kind = Literal[
    "request_lost",
    "reply_lost_after_apply",
    "bad_gateway",
    "delay",
    "slow_matching",
    "error",
    "nonce_refused",
    "duplicate",
    "index_lag",
    "clock_skew",
    "feed_frozen",
    "feed_silent",
    "checksum_wrong",
    "update_lost",
    "skip_sequence",
    "cut_frame",
    "unknown_channel",
    "token_expired",
    "drop_ws",
    "refuse_ws",
    "status",
    "maintenance",
]
IndexName = Literal["open", "closed", "trades"]
LASTING = ("index_lag", "clock_skew", "feed_frozen", "feed_silent")
_ENGINE_CALLS = (
    "AddOrder",
    "AddOrderBatch",
    "AmendOrder",
    "EditOrder",
    "CancelOrder",
    "CancelOrderBatch",
    "CancelAll",
)


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One mishap to come; a field that means nothing to its kind is not looked at.

    `call` is a method (AddOrder), `key` the public half of an API key. `times` of None means once, or until cleared for
    the kinds that last (index_lag, clock_skew, feed_frozen, feed_silent); of those, only index_lag counts occasions.
    Figures that cannot be meant raise ValueError.
    """

    kind: Kind
    call: str = ""
    key: str = ""
    symbol: str = ""
    channel: str = ""
    line: Literal["", "public", "private"] = ""
    index: Literal["", "open", "closed", "trades"] = ""
    times: int | Literal["always"] | None = None
    skip: int = 0
    rate: float = 1.0
    ms: int = 0
    spread_ms: int = 0
    when: Literal["wire", "before", "after"] = "before"
    applied: bool = False
    answer: Literal["first", "second"] = "first"
    spent: bool = True
    http_status: int = 502
    code: int = 1012
    error: str = "EService:Unavailable"
    status: Literal["online", "maintenance", "cancel_only", "post_only", "limit_only"] = "maintenance"
    for_ms: int | None = None

    def __post_init__(self) -> None:
        for name in ("skip", "times", "spread_ms", "for_ms", *(() if self.kind == "clock_skew" else ("ms",))):
            value = getattr(self, name)
            if isinstance(value, int) and value < 0:
                raise ValueError(f"{name} must not be negative")
        if not 0.0 <= self.rate <= 1.0:
            raise ValueError("rate must be from 0 to 1")

    def concerns(self, call: str, *, private: bool, key: str) -> bool:
        """Tell whether a request of this method, sent with this API key (empty: none), is meant."""
        if self.key not in ("", key):
            return False
        if self.call:
            return self.call in (call, "*")
        return call in _ENGINE_CALLS if self.kind == "slow_matching" else private


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """What is to happen to one request; delays in ns.

    `nonce` refused although good: "spent" or "kept". `copy` is how long after the first the same bytes arrive again;
    None means they do not. `second` says that the copy's answer is the one the client sees.
    """

    lost: bool = False
    cut: bool = False
    page: int = 0
    error: str = ""
    applied: bool = False
    nonce: Literal["", "spent", "kept"] = ""
    copy: int | None = None
    second: bool = False
    wire: int = 0
    before: int = 0
    after: int = 0


UNHURT = Fate()
