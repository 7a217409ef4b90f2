"""The rows of the stream fault table, and how what a reader saw is put into words that a row can foretell.

A row strikes one mishap of the paper exchange and says for every stream what its reader must see. Words, in their sequence:
`stale` (the first message that is not LIVE says STALE) or `told` (any other sign), both in the row's time or else `late`; the
reasons of the gaps; `snapshot` after the last of them; `live`, when all this came before the first news of a LIVE stream. Who
reads is stream_watches.py, who strikes is test_stream_table.py.
"""

import re
from dataclasses import dataclass, field

from execsvc_api.v1 import common_pb2 as common

from tests.fault.stream_watches import BTC, ETH, kind

LIVE, STALE = common.FEED_STATE_LIVE, common.FEED_STATE_STALE
SILENCE_S = 6.0  # promises.md 6: no frame for 5 s, told within 1 s
PROMPT_S = 1.0  # contract.md 6
UNDER_WAY_S = 0.3
TURN_S = 2.0  # promises.md 6: between two looks
DEAD_S = 4.5 + TURN_S + 1.0 + PROMPT_S  # the same: silent so long, its turn, its look, told
PUBLIC, PRIVATE = ("tickers", "book", "trades", "candles", "beside"), ("orders", "balances")
SIGNS = {"accepted", "heartbeat", "gap", "snapshot"}


def without_snapshot(words):
    """Trades have no picture: their gap is never made good."""
    return words.replace("snapshot, ", "")


UNTOUCHED = dict.fromkeys((*PUBLIC, *PRIVATE), "live")
CUT = "told, reconnect gap, snapshot, live"
BROKEN = "told, integrity gap, snapshot, live"
DEAD = "stale, integrity gap, snapshot, live"
NO_PICTURES = {"trades": without_snapshot(CUT)}
PUBLIC_CUT = dict.fromkeys(PUBLIC, CUT) | NO_PICTURES
# Orders are read from the journal, which has no holes: neither gap nor snapshot.
PRIVATE_CUT = {"orders": "told, live", "balances": CUT}


@dataclass(frozen=True)
class Row:
    """One mishap. `occasion` brings it about; it stays armed until all that fall have said so, or for `lasts` seconds.

    `lively`: symbols that are traded fast before it, so that ten of their usual gaps are less than the least silence.
    """

    name: str
    faults: tuple[dict, ...]
    falls: dict[str, str] = field(default_factory=dict)
    occasion: str = ""
    within: float = PROMPT_S
    lasts: float = 1.0
    lively: tuple[str, ...] = ()

    @property
    def expected(self):
        return UNTOUCHED | self.falls


def fault(kind, **more):
    return {"kind": kind, **more}


DROP_PRIVATE = fault("drop_ws", line="private")
ROWS = (
    # Any gap: whether the line is found silent first or one of its topics dead is a race of half a second.
    Row(
        "feed_silent public",
        (fault("feed_silent", line="public"),),
        {name: words.replace("told, reconnect", "stale, any") for name, words in PUBLIC_CUT.items()},
        within=SILENCE_S,
    ),
    Row("skip_sequence executions", (fault("skip_sequence", channel="executions"),), PRIVATE_CUT, "fill"),
    Row("checksum_wrong", (fault("checksum_wrong", symbol=BTC),), {"book": BROKEN}, "trades"),
    Row("checksum_wrong beside", (fault("checksum_wrong", symbol=ETH),), {"beside": BROKEN}, within=2 * PROMPT_S),
    Row("update_lost", (fault("update_lost", symbol=BTC),), {"book": BROKEN}, "trades"),
    Row(
        "feed_frozen ticker",
        (fault("feed_frozen", symbol=BTC, channel="ticker"),),
        {"tickers": DEAD},
        within=DEAD_S,
        lively=(BTC,),
    ),
    Row("skip_sequence balances", (fault("skip_sequence", channel="balances"),), PRIVATE_CUT, "fill"),
    Row("cut_frame public", (fault("cut_frame", line="public", channel="trade"),), PUBLIC_CUT, "trades"),
    Row("unknown_channel public", (fault("unknown_channel", line="public"),)),
    Row("unknown_channel private", (fault("unknown_channel", line="private"),)),
    Row(
        "feed_frozen book beside, trades and candles",
        (
            fault("feed_frozen", symbol=ETH, channel="book"),
            *(fault("feed_frozen", symbol=BTC, channel=each) for each in ("trade", "ohlc")),
        ),
        {"beside": DEAD, "trades": without_snapshot(DEAD), "candles": DEAD},
        within=DEAD_S + TURN_S,
        lively=(BTC, ETH),
    ),
    Row("cut_frame private", (fault("cut_frame", line="private", channel="executions"),), PRIVATE_CUT, "fill"),
    Row("drop_ws public", (fault("drop_ws", line="public"),), PUBLIC_CUT),
    Row("drop_ws private", (DROP_PRIVATE,), PRIVATE_CUT),
    Row(
        "refuse_ws public",
        (fault("refuse_ws", line="public", times="always"), fault("drop_ws", line="public")),
        PUBLIC_CUT,
    ),
    Row("token_expired", (fault("token_expired", line="private"), DROP_PRIVATE), PRIVATE_CUT),
    Row(
        "refuse_ws private",
        (fault("refuse_ws", line="private", times="always"), DROP_PRIVATE),
        PRIVATE_CUT,
    ),
)


def sign(rows):
    """The place of the first message that is not plain LIVE: another state, or a gap. None while there is none."""
    found = (place for place, row in enumerate(rows) if row[1].meta.feed_state != LIVE or kind(row) == "gap")
    return next(found, None)


def words(name, rows, span, within):
    """What the reader of that stream saw. `span`: from the strike to its mending."""
    began, until = span
    first = sign(rows)
    if first is None:
        return _news(name, rows, began, until)
    at, message = rows[first]
    in_time = "stale" if message.meta.feed_state == STALE else "told"
    chain = [in_time if at - began <= within else f"late {at - began:.2f}"]
    for place, row in enumerate(rows[first:], first):
        what, live = kind(row), row[1].meta.feed_state == LIVE
        if what == "gap":
            chain = [word for word in chain if word not in {"snapshot", _reason(row)}] + [_reason(row)]
        elif what == "snapshot":
            chain += [] if chain[-1] == "snapshot" else ["snapshot"]
        elif live:
            chain.append("live" if sign(rows[place:]) is None else "live, again")
            break
    return ", ".join(chain)


def loosely(chain, expected):
    """The same words where any sign will do, or any reason."""
    chain = chain if "stale" in expected else chain.replace("stale", "told", 1)
    return re.sub(r"\w+ gap(, \w+ gap)*", "any gap", chain) if "any gap" in expected else chain


def has_news(rows, began, until):
    """Whether anything but signs of the stream itself came; what was under way when it was struck does not count."""
    return any(kind(row) not in SIGNS and began + UNDER_WAY_S < row[0] <= until for row in rows)


def _news(name, rows, began, until):
    """Private streams may have nothing to tell; a public one that is LIVE has news."""
    return "live" if name in PRIVATE or has_news(rows, began, until) else "live, no news"


def _reason(row):
    return f"{common.GapReason.Name(row[1].gap.reason).rpartition('_')[2].lower()} gap"
