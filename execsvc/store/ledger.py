"""The memory store's indexes over one account: what is asked for often is found without looking at everything.

The twin of the SQL schema's indexes. It holds keys and numbers; the values lie on the Disk, which alone changes this.
"""

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from execsvc.domain.ids import OrderKey
from execsvc.domain.order import Order, Status
from execsvc.ports import OrderQuery
from execsvc.store.batch import UNSETTLED
from execsvc.store.retention import FILL_IDS_LEAST, OldFill

# create_time_ns, caller and client_order_id decide; the key is only carried along.
Row = tuple[int, str, str, OrderKey]


@dataclass
class Ledger:
    """Orders by age, all and those not settled; each one's newest entry; those that ended, and fills, by that entry.

    What goes by the journal is kept in OrderedDicts: taking the oldest away costs the same however many follow.
    """

    by_age: list[Row] = field(default_factory=list)
    unsettled: list[Row] = field(default_factory=list)
    newest: dict[OrderKey, int] = field(default_factory=dict)
    ended: "OrderedDict[OrderKey, None]" = field(default_factory=OrderedDict)
    fills: "OrderedDict[str, tuple[int, int]]" = field(default_factory=OrderedDict)

    def enter(self, before: Order | None, after: Order, sequence: int) -> None:
        """An order's new state, told by that entry."""
        key = after.key
        row = (after.create_time_ns, key.caller, key.client_order_id, key)
        was_unsettled = before is not None and before.status in UNSETTLED
        is_unsettled = after.status in UNSETTLED
        if before is None:
            insort(self.by_age, row)
        if is_unsettled and not was_unsettled:
            insort(self.unsettled, row)
        elif was_unsettled and not is_unsettled:
            del self.unsettled[bisect_left(self.unsettled, row)]
        self.newest[key] = sequence
        self.ended.pop(key, None)
        if not is_unsettled:
            self.ended[key] = None

    def touch(self, key: OrderKey, sequence: int) -> None:
        """A fill of the order was entered that said nothing new about it."""
        self.newest[key] = sequence
        if key in self.ended:
            self.ended.move_to_end(key)

    def oldest_first(self, statuses: frozenset[Status]) -> Iterator[OrderKey]:
        """The orders among which all of these states are."""
        return (row[3] for row in self._rows(statuses))

    def newest_first(self, query: OrderQuery) -> Iterator[OrderKey]:
        """The orders of the query's time and states, without its other filters."""
        rows = self._rows(query.statuses or frozenset(Status))
        start = 0 if query.start_ns is None else _place(rows, query.start_ns)
        end = len(rows) if query.end_ns is None else _place(rows, query.end_ns)
        if query.before is not None:
            at, key = query.before
            end = min(end, bisect_left(rows, (at, key.caller, key.client_order_id), key=lambda row: row[:3]))
        return (rows[place][3] for place in range(end - 1, start - 1, -1))

    def oldest_ended(self, upto: int, limit: int) -> list[OrderKey]:
        """See Attic."""
        return [key for key in islice(self.ended, limit) if self.newest[key] <= upto]

    def oldest_fill_ids(self, upto: int, limit: int) -> list[OldFill]:
        """See Attic."""
        spare = max(len(self.fills) - FILL_IDS_LEAST, 0)
        oldest = islice(self.fills.items(), min(limit, spare))
        return [OldFill(fill_id, at_ns) for fill_id, (sequence, at_ns) in oldest if sequence <= upto]

    def strike(self, keys: Collection[OrderKey]) -> None:
        """Takes ended orders out; looks through all of them."""
        self.by_age = [row for row in self.by_age if row[3] not in keys]
        for key in keys:
            del self.ended[key], self.newest[key]

    def _rows(self, statuses: frozenset[Status]) -> Sequence[Row]:
        return self.unsettled if statuses <= UNSETTLED else self.by_age


def _place(rows: Sequence[Row], at_ns: int) -> int:
    """How many of the rows are older."""
    return bisect_left(rows, at_ns, key=lambda row: row[0])
