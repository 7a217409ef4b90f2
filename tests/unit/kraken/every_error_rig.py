"""The whole adapter under a Kraken that always fails in one way: asking it, and the pages that say what must come of it.

What the failures are is every_error_cases.py's; what is demanded of them stands in the tests.
"""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

from amend_parts import amend_sent
from kraken_parts import TXID, an_order, private_side, sending

from execsvc.domain.errors import ExecsvcError
from execsvc.kraken.endpoints import Effect
from execsvc.ports import ReplyLostError
from tests.support.net import ScriptedHttp
from tests.support.simloop import SimClock, SimTasks, run_sim

DOCS = Path(__file__).parents[3] / "docs"
ENTRY_S = 5.0
AMPLE_S = 1000.0  # a caller with all the time in the world
CALLS = {Effect.READ: "BalanceEx", Effect.CANCEL: "CancelOrder", Effect.ORDER: "AddOrder", Effect.AMEND: "AmendOrder"}


class Failing(ScriptedHttp):
    """Answers every request with one failure; one that happens by silence lets the time-out run out."""

    def __init__(self, happens):
        super().__init__(happens)
        self._silent = happens is None

    async def send(self, method, url, headers, body, timeout_s):
        if not self._silent:
            return await super().send(method, url, headers, body, timeout_s)
        self._script = lambda _: _never(timeout_s)
        return await super().send(method, url, headers, body, timeout_s)


async def _never(timeout_s):
    await asyncio.sleep(timeout_s)
    raise ReplyLostError("timed out")


@dataclass(frozen=True)
class Driven:
    """One call and what came of it: its answer or the error's fault, and the requests that it made."""

    answer: object
    fault: object
    sent: list
    took_s: float

    @property
    def pauses(self):
        return [round(later.at - sooner.at, 6) for sooner, later in zip(self.sent, self.sent[1:], strict=False)]

    @property
    def nonces(self):
        return [int(sent.params["nonce"]) for sent in self.sent]


async def asked(side, clock, effect, within_s, name="order-1"):
    """One call of that effect: (its answer, None), or (None, the fault it was refused with)."""
    by = clock.monotonic() + within_s
    try:
        if effect is Effect.READ:
            return await side.balances(by), None
        if effect is Effect.CANCEL:
            return await side.cancel(TXID, "", by), None
        if effect is Effect.AMEND:
            return await amend_sent(side, clock, by, name=name), None
        return await sending(side, an_order(clock, name, entry_s=within_s), by), None
    except ExecsvcError as error:
        return None, error.fault


def run(happens, act):
    """Runs `act(side, clock, http)` against a Kraken that fails so; gives its result and the HTTP double."""
    http = Failing(happens)

    async def live():
        clock, tasks = SimClock(), SimTasks()
        side = private_side(http, clock, tasks)
        try:
            return await act(side, clock, http)
        finally:
            await tasks.close()

    return run_sim(live()), http


def drive(happens, effect, *, within_s=None, chance=None):
    """One call of that effect against a Kraken that always fails so, with ample time unless told otherwise."""
    if within_s is None:
        within_s = ENTRY_S if effect in {Effect.ORDER, Effect.AMEND} else AMPLE_S

    async def act(side, clock, http):
        if chance is not None:
            assert hasattr(side._rest, "_chance")  # else the draws below would be nobody's
            side._rest._chance = chance
        answer, fault = await asked(side, clock, effect, within_s)
        return answer, fault, clock.monotonic()

    (answer, fault, took_s), http = run(happens, act)
    return Driven(answer, fault, http.calls(CALLS[effect]), took_s)


# ---- the pages -------------------------------------------------------------------------------------------------------


def table(page, first_heading):
    """The rows under a table's heading, as lists of cells; fails when the page has not exactly one such table."""
    text = (DOCS / page).read_text("utf-8")
    (rows,) = re.findall(rf"^\| {first_heading} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|\n").split("|")] for line in rows.splitlines()]


def section(page, number):
    """The text of one section of a page, without its heading."""
    text = (DOCS / page).read_text("utf-8")
    (body,) = re.findall(rf"^#+ {re.escape(number)} .*\n((?:(?!#).*\n)+)", text, re.MULTILINE)
    return body


def quoted(text):
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", text)


def unquoted(text):
    """The parts of a list that do not stand in backticks."""
    return [part.strip() for part in text.split(",") if "`" not in part]


def statuses(text):
    """The HTTP statuses that a cell names, ranges written out."""
    text, found = text.replace(" to ", "-"), set()
    for low, high in re.findall(r"\b(\d{3})(?:-(\d{3}))?\b", text):
        found |= set(range(int(low), int(high or low) + 1))
    return found
