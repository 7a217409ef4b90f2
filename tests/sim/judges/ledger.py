"""The judge of the journal's ledger: at the end it says of every order and fill what the exchange says, whoever traded.

Plain values in, findings out. What callers were told on the way is history.py's; here are the figures of orders, the orders
that nobody placed through a gateway, and the fills, each once.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from tests.support.history import ENDED, Finding

_ZERO = Decimal(0)


@dataclass(frozen=True)
class OrderRow:
    """One order as one side has it at the end; `figures` are those that an amend can change."""

    venue_id: str
    status: str
    filled: Decimal = _ZERO
    cost: Decimal = _ZERO
    fee: Decimal = _ZERO
    figures: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True)
class Ledgers:
    """Both ledgers. Rows of the exchange carry Kraken's words for a status. outside: ids of orders placed elsewhere."""

    there: Sequence[OrderRow] = ()
    here: Sequence[OrderRow] = ()
    fills_there: Collection[str] = ()
    fills_here: Collection[str] = ()
    outside: Collection[str] = ()


def ends(it: Ledgers) -> list[Finding]:
    """What is not alike; a little later it may be."""
    here = {row.venue_id: row for row in it.here if row.venue_id}
    found = []
    for row in it.there:
        mine = here.get(row.venue_id)
        if mine is not None:
            found += _figures(row, mine)
        if row.venue_id in it.outside:
            found += _outside(row, mine)
    missing = sorted(set(it.fills_there) - set(it.fills_here))
    invented = sorted(set(it.fills_here) - set(it.fills_there))
    if missing:
        found.append(Finding("ledger.fills", f"{len(missing)} fills are not in the journal: {', '.join(missing[:3])}"))
    if invented:
        found.append(Finding("ledger.fills", f"the journal has fills that never were: {', '.join(invented[:3])}"))
    return found


def _figures(there, mine):
    """What is wanted of it is what Kraken has, every amend and what was done by hand included, seen or unseen.

    A total below what is filled is taken as what is filled.
    """
    for name, value in mine.figures.items():
        true = there.figures.get(name, value)
        emptied = name == "base_quantity" and value < true == there.filled
        if true != value and not emptied:
            yield Finding("ledger.figures", f"{there.venue_id} has {name} {value}, at the exchange it is {true}")


def _outside(there, mine):
    """An order placed by hand, or spawned by another one. One that came and went unfilled may have been missed."""
    if mine is None:
        if there.filled or there.status == "open":
            what = f"placed elsewhere, is {there.status} with {there.filled} filled, and not in the journal"
            yield Finding("ledger.outside", f"{there.venue_id}, {what}")
        return
    told = (mine.filled, mine.cost, mine.fee)
    if told != (there.filled, there.cost, there.fee):
        what = f"{there.venue_id}, placed elsewhere, ends with {told}, at the exchange "
        yield Finding("ledger.outside", f"{what}{(there.filled, there.cost, there.fee)}")
    if there.status not in ENDED.get(mine.status, {mine.status}):
        yield Finding(
            "ledger.outside", f"{there.venue_id}, placed elsewhere, ends as {mine.status}, it is {there.status}"
        )
