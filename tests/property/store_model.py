"""What a store must hold and answer, as plain dicts: the store machine's own idea of ports.Store.

One write after the other, each a commit of its own; `commit` says what changes when several share one. What an event makes
of an order is domain/order.py's (and the order machine's to judge). No audit chain, no files, no threads, no SQL.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import takewhile

from execsvc.domain.account import Fill
from execsvc.domain.errors import Broken, Conflict, ExecsvcError, Reason
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import UNRESOLVED, Corrected, Order, Seen, Status, submitted
from execsvc.domain.story import Step, StepKind, step_of
from execsvc.ports import Fresh, JournalEntry, Known

FILL_IDS_KEPT = 2  # the machine makes the engines forget the ids of all but so many fills
OPEN = frozenset({Status.SUBMITTED, Status.IN_DOUBT, Status.PENDING, Status.OPEN})
BROKEN = (Broken, Reason.INTERNAL)
ROW_REFUSED = "row refused"


@dataclass(frozen=True)
class Line:
    """An entry of the journal and when it was written."""

    entry: JournalEntry
    at_ns: int


@dataclass(frozen=True)
class StoryRow:
    """What one commit added to an order's story; `sequence` is the order's newest entry after that commit."""

    key: OrderKey
    sequence: int
    steps: tuple[Step, ...]


class Refusal(Exception):
    """A write that is refused: what the caller hears, and whether a row was at fault rather than a rule."""

    def __init__(self, heard, why=""):
        super().__init__(why)
        self.heard = heard
        self.why = why


class Model:
    """The dicts, and what each call makes of them. Refusals are told as (class, reason)."""

    def __init__(self):
        self.orders: dict[OrderKey, Order] = {}
        self.newest: dict[OrderKey, int] = {}
        self.wires: dict[str, OrderKey] = {}
        self.journal: dict[str, list[Line]] = defaultdict(list)
        self.told: dict[str, list[JournalEntry]] = defaultdict(list)  # as the journal, nothing ever dropped
        self.fills: dict[tuple[str, str], tuple[int, int]] = {}
        self.stories: list[StoryRow] = []
        self.facts: dict[tuple[str, str], str] = {}
        self.nonces: dict[str, int] = {}

    # ---- writes ------------------------------------------------------------------------------------------------------

    def commit(self, writes):
        """The answers to writes that are asked at once. A refused row makes each of them a commit of its own."""
        before = len(self.stories)
        answers, alone = [], False
        for name, arguments in writes:
            try:
                answers.append(getattr(self, name)(*arguments))
            except Refusal as refusal:
                answers.append(refusal.heard)
                alone = alone or refusal.why == ROW_REFUSED
            except ExecsvcError as error:
                answers.append((type(error), error.reason))
        if not alone:
            self._join_rows(before)
        return answers

    def begin(self, intent, now_ns, steps):
        known = self.orders.get(intent.key)
        if known is None:
            order = submitted(intent, now_ns)
        elif known.content_hash != intent.content_hash:
            raise Refusal((Conflict, Reason.CLIENT_ORDER_ID_REUSED))
        elif known.status is Status.NEVER_SENT:
            order = known.resubmitted(intent, now_ns)
        else:
            return Known(known)
        if order.venue_client_id in self.wires:
            raise Refusal(BROKEN, ROW_REFUSED)
        self._put(order, now_ns)
        self.wires[order.venue_client_id] = order.key
        journaled = Step(
            now_ns,
            StepKind.JOURNALED,
            "",
            attempt=order.attempt,
            status=Status.SUBMITTED,
            trace_id=order.trace_id,
        )
        self._tell(order.key, (*steps, journaled))
        return Fresh(order)

    def adopt(self, order, now_ns, steps):
        if order.key in self.orders:
            return self.orders[order.key]
        if order.status in UNRESOLVED:
            raise Refusal(BROKEN)
        self._put(order, now_ns)
        self._tell(order.key, steps)
        return order

    def record(self, key, event, now_ns, steps):
        before = self._get(key)
        order = before.apply(event, now_ns)
        if order is not before:
            self._put(order, now_ns)
            steps = (*steps, step_of(event, before, order, now_ns))
        self._tell(key, steps)
        return order

    def record_fill(self, fill: Fill, key, event, now_ns):
        if (key is None and event is not None) or (key is not None and key.account != fill.account):
            raise Refusal(BROKEN)
        before = None if key is None else self._get(key)
        if (fill.account, fill.fill_id) in self.fills and isinstance(event, Seen | Corrected):
            event = replace(event, report=event.report.told_before())
        order = before if event is None else before.apply(event, now_ns)
        if order is not before:
            self._check_row(order)
        if (fill.account, fill.fill_id) not in self.fills:
            sequence = self._append(fill.account, JournalEntry(0, fill=fill), now_ns)
            self.fills[fill.account, fill.fill_id] = (sequence, now_ns)
            if key is not None:
                self.newest[key] = sequence
        if order is not before:
            self._put(order, now_ns)
            step = step_of(event, before, order, now_ns)
            self._tell(key, (replace(step, venue_ns=fill.times.venue_ns),))
        return order

    def reserve(self, key_fingerprint, floor, size):
        first = max(self.nonces.get(key_fingerprint, 0), floor) + 1
        if size < 1 or first + size - 1 >= 2**64:
            raise Refusal(BROKEN)
        self.nonces[key_fingerprint] = first + size - 1
        return range(first, first + size)

    def remember(self, account, name, value):
        if not value.isprintable():
            raise Refusal(BROKEN)  # no Unicode text: it could not be read again
        self.facts[account, name] = value

    def forget(self, account, events_before_ns, orders_before_ns, limit):
        """Entries from the old end, and the stories that far of the orders they told of; then fills and ended orders.

        Of each kind what stands before the first that must stay, `limit` at most; returns how many rows went.
        """
        if limit < 1:
            raise Refusal(BROKEN)
        lines = self.journal[account]
        going = list(takewhile(lambda line: self._may_go(line, events_before_ns), lines[:limit]))
        del lines[: len(going)]
        gone = self.last_sequence(account) - len(lines)
        told = {line.entry.order.key for line in going if line.entry.order is not None}
        fills = [(name, at) for name, at in self.fills.items() if name[0] == account][:-FILL_IDS_KEPT]
        old = takewhile(lambda fill: fill[1][0] <= gone and fill[1][1] < orders_before_ns, fills[:limit])
        fills = [name for name, _ in old]
        orders = self._old_orders(account, gone, orders_before_ns, limit)
        for name in fills:
            del self.fills[name]
        for key in orders:
            del self.orders[key], self.newest[key]
        self.wires = {wire: key for wire, key in self.wires.items() if key in self.orders}
        self.stories = [
            row for row in self.stories if row.key in self.orders and not (row.key in told and row.sequence <= gone)
        ]
        return len(going) + len(fills) + len(orders)

    # ---- reads -------------------------------------------------------------------------------------------------------

    def story(self, key):
        return tuple(step for row in self.stories if row.key == key for step in row.steps)

    def find(self, account, venue_order_id, venue_client_id):
        mine = [order for order in self.orders.values() if order.key.account == account]
        by_id = [order for order in mine if venue_order_id and order.venue_order_id == venue_order_id]
        by_wire = [order for order in mine if self.wires.get(venue_client_id) == order.key]
        return next(iter(by_id + by_wire), None)

    def in_status(self, account, statuses):
        return tuple(order for order in self._by_age(account) if order.status in statuses)

    def page(self, query):
        rows = [
            order
            for order in reversed(self._by_age(query.account))
            if query.caller in {"", order.key.caller}
            and query.symbol in {"", order.spec.symbol}
            and (not query.statuses or order.status in query.statuses)
            and (query.start_ns is None or order.create_time_ns >= query.start_ns)
            and (query.end_ns is None or order.create_time_ns < query.end_ns)
            and (query.before is None or (order.create_time_ns, order.key) < query.before)
        ]
        return tuple(rows[: query.size])

    def after(self, account, sequence, limit):
        lines = self.journal[account]
        if not self.last_sequence(account) - len(lines) <= sequence <= self.last_sequence(account):
            return (Conflict, Reason.RESUME_TOKEN_EXPIRED)
        return tuple(line.entry for line in lines if line.entry.sequence > sequence)[:limit]

    def last_sequence(self, account):
        return len(self.told[account])

    # ---- parts -------------------------------------------------------------------------------------------------------

    def _get(self, key):
        if key not in self.orders:
            raise Refusal(BROKEN)
        return self.orders[key]

    def _check_row(self, order):
        """One order of an account has an id of Kraken's."""
        name = (order.key.account, order.venue_order_id)
        owners = {(other.key.account, other.venue_order_id): other.key for other in self.orders.values()}
        if order.venue_order_id and owners.get(name, order.key) != order.key:
            raise Refusal(BROKEN, ROW_REFUSED)

    def _put(self, order, now_ns):
        self._check_row(order)
        self.orders[order.key] = order
        self.newest[order.key] = self._append(order.key.account, JournalEntry(0, order=order), now_ns)

    def _append(self, account, entry, now_ns):
        entry = replace(entry, sequence=self.last_sequence(account) + 1)
        self.told[account].append(entry)
        self.journal[account].append(Line(entry, now_ns))
        return entry.sequence

    def _tell(self, key, steps):
        if steps:
            self.stories.append(StoryRow(key, self.newest[key], steps))

    def _join_rows(self, first):
        """One commit writes one row of an order's story, under the order's newest entry after it."""
        joined: dict[OrderKey, StoryRow] = {}
        for row in self.stories[first:]:
            steps = joined[row.key].steps + row.steps if row.key in joined else row.steps
            joined[row.key] = StoryRow(row.key, self.newest[row.key], steps)
        self.stories[first:] = joined.values()

    def _may_go(self, line, before_ns):
        order = line.entry.order
        is_open = order is not None and order.key in self.orders and self.orders[order.key].status in OPEN
        return line.at_ns < before_ns and not is_open

    def _old_orders(self, account, gone, before_ns, limit):
        ended = [
            order for order in self._by_age(account) if order.status not in OPEN and self.newest[order.key] <= gone
        ]
        ended.sort(key=lambda order: self.newest[order.key])
        return [order.key for order in takewhile(lambda order: order.update_time_ns < before_ns, ended[:limit])]

    def _by_age(self, account):
        mine = [order for order in self.orders.values() if order.key.account == account]
        return sorted(mine, key=lambda order: (order.create_time_ns, order.key))
