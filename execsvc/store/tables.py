"""The writer's SQL, one statement per need: what a batch looks up, and how it is written down.

Tables works on the writer's connection inside a transaction; it blocks and belongs to the writer's thread. Nothing is
decided here: batch.py decides. What readers ask stands in queries.py.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from execsvc.domain.amend import Amend, AmendKey
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import Order
from execsvc.store import audit, records
from execsvc.store.amends import AmendTable
from execsvc.store.batch import Batch, Head
from execsvc.store.database import Database
from execsvc.store.modes import write_modes
from execsvc.store.queries import STORY_OF, head_in, high_water_in, order_in
from execsvc.store.refusals import broken
from execsvc.store.retention import FILL_IDS_LEAST, Drop, OldEntry, OldFill


class Tables:
    """The writer's side: a Shelf for batches, and where they end up."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = database.writer
        self._amends = AmendTable(self._sql, self.order)

    @contextmanager
    def transaction(self) -> Iterator[Batch]:
        """A batch that is written and committed when the block ends, and leaves no trace when anything raises."""
        try:
            self._sql.execute("BEGIN IMMEDIATE")
            self._database.check_owner(self._sql)
            batch = Batch(self, self._database.identity)
            yield batch
            self._write(batch)
            self._sql.execute("COMMIT")
        finally:
            if self._sql.in_transaction:
                self._sql.execute("ROLLBACK")

    def order(self, key: OrderKey) -> Order | None:
        """See Shelf."""
        return order_in(self._sql, key)

    def head(self, account: str) -> Head | None:
        """See Shelf."""
        return head_in(self._sql, account)

    def has_fill(self, account: str, fill_id: str) -> bool:
        """See Shelf."""
        row = self._sql.execute("SELECT 1 FROM fill WHERE account = ? AND fill_id = ?", (account, fill_id)).fetchone()
        return row is not None

    def high_water(self, key_fingerprint: str) -> int | None:
        """See Shelf."""
        return high_water_in(self._sql, key_fingerprint)

    def told(self, key: OrderKey) -> int:
        """See Shelf."""
        row = self._sql.execute(
            f"SELECT upto {STORY_OF} ORDER BY step_no DESC LIMIT 1",
            (key.account, key.caller, key.client_order_id),
        ).fetchone()
        return 0 if row is None else int(row[0])

    def amend(self, key: AmendKey) -> Amend | None:
        """See AmendShelf."""
        return self._amends.amend(key)

    def open_amend(self, key: OrderKey) -> Amend | None:
        """See AmendShelf."""
        return self._amends.open_amend(key)

    def oldest_entries(self, account: str, after: int, limit: int) -> Sequence[OldEntry]:
        """See Attic."""
        rows = self._sql.execute(
            "SELECT seq, hash, at_ns, kind, body FROM order_event WHERE account = ? AND seq > ? ORDER BY seq LIMIT ?",
            (account, after, limit),
        )
        return [
            OldEntry(audit.Mark(seq, mark), at_ns, records.key_of(body) if kind == "order" else None)
            for seq, mark, at_ns, kind, body in rows
        ]

    def oldest_fill_ids(self, account: str, upto: int, limit: int) -> Sequence[OldFill]:
        """See Attic."""
        rows = self._sql.execute(
            "SELECT fill_id, at_ns FROM fill WHERE account = ?1 AND seq <= ?2 AND seq <="
            " (SELECT seq FROM fill WHERE account = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?3) ORDER BY seq LIMIT ?4",
            (account, upto, FILL_IDS_LEAST, limit),
        )
        return [OldFill(*row) for row in rows]

    def oldest_ended(self, account: str, upto: int, limit: int) -> Sequence[Order]:
        """See Attic. The index of the ended is used only where the question repeats its condition."""
        rows = self._sql.execute(
            "SELECT body FROM orders INDEXED BY orders_ended"
            " WHERE status NOT IN ('submitted', 'in_doubt', 'pending', 'open')"
            " AND account = ? AND last_seq <= ? ORDER BY last_seq LIMIT ?",
            (account, upto, limit),
        )
        return [records.order_of(body) for (body,) in rows]

    def _write(self, batch: Batch) -> None:
        for drop in batch.drops.values():
            self._drop(drop)
        self._write_orders(batch)
        self._sql.executemany(
            "INSERT INTO wire_id (venue_client_id, account, caller, client_order_id, earlier) VALUES (?, ?, ?, ?, ?)",
            [
                (each.wire_id, each.key.account, each.key.caller, each.key.client_order_id, each.earlier)
                for each in batch.wire_ids
            ],
        )
        self._sql.executemany(
            "INSERT INTO order_event (account, seq, epoch, at_ns, kind, body, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (entry.account, kept.sequence, kept.epoch, kept.at_ns, kept.kind, kept.body, kept.hash)
                for entry in batch.entries
                for kept in (entry.record,)
            ],
        )
        self._sql.executemany(
            "INSERT INTO fill (account, fill_id, seq, at_ns) VALUES (?, ?, ?, ?)",
            [(*identity, entry.record.sequence, entry.record.at_ns) for identity, entry in batch.fills.items()],
        )
        self._sql.executemany(
            "INSERT INTO account (account, before_seq, before_hash, last_seq, last_hash) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (account) DO UPDATE SET before_seq = excluded.before_seq, before_hash = excluded.before_hash,"
            " last_seq = excluded.last_seq, last_hash = excluded.last_hash",
            [
                (account, head.before.sequence, head.before.hash, head.last.sequence, head.last.hash)
                for account, head in batch.heads.items()
            ],
        )
        self._sql.executemany(
            "INSERT INTO nonce (key_fingerprint, high_water) VALUES (?, ?)"
            " ON CONFLICT (key_fingerprint) DO UPDATE SET high_water = excluded.high_water",
            [(fingerprint, f"{highest:020}") for fingerprint, highest in batch.nonces.items()],
        )
        self._sql.executemany(
            "INSERT INTO order_step (order_no, seq, upto, body) SELECT order_no, last_seq, ?, ?"
            " FROM orders WHERE account = ? AND caller = ? AND client_order_id = ?",
            [(row.upto, row.body, key.account, key.caller, key.client_order_id) for key, row in batch.stories.items()],
        )
        if batch.amends:
            self._amends.write(batch.amends)
        write_modes(self._sql, batch.modes)
        if batch.facts:
            self._write_facts(batch)

    def _write_facts(self, batch: Batch) -> None:
        """An empty value is no fact: its row goes."""
        self._sql.executemany(
            "INSERT INTO fact (account, name, value) VALUES (?, ?, ?)"
            " ON CONFLICT (account, name) DO UPDATE SET value = excluded.value",
            [(*named, value) for named, value in batch.facts.items() if value],
        )
        self._sql.executemany(
            "DELETE FROM fact WHERE account = ? AND name = ?", [n for n, value in batch.facts.items() if not value]
        )

    def _write_orders(self, batch: Batch) -> None:
        """New orders are inserted, never upserted: should the key exist after all, the commit must fail."""
        changes = [
            (*_state(order, body), sequence, key.account, key.caller, key.client_order_id)
            for key, (order, body) in batch.orders.items()
            if key not in batch.new_keys
            for sequence in (batch.newest[key],)
        ]
        changed = self._sql.executemany(
            "UPDATE orders SET status = ?, venue_order_id = ?, body = ?, last_seq = ?"
            " WHERE account = ? AND caller = ? AND client_order_id = ?",
            changes,
        ).rowcount
        if changes and changed != len(changes):
            raise broken(f"{changed} orders were changed in the store instead of {len(changes)}")
        self._sql.executemany(
            "INSERT INTO orders (status, venue_order_id, body, last_seq, account, caller, client_order_id, symbol,"
            " create_time_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *_state(order, body),
                    batch.newest[key],
                    *(key.account, key.caller, key.client_order_id, order.spec.symbol, order.create_time_ns),
                )
                for key, (order, body) in batch.orders.items()
                if key in batch.new_keys
            ],
        )
        if len(batch.newest) > len(batch.orders):
            self._touch_orders(batch)

    def _touch_orders(self, batch: Batch) -> None:
        """Orders whose fill was written although it said nothing new about them."""
        self._sql.executemany(
            "UPDATE orders SET last_seq = ? WHERE account = ? AND caller = ? AND client_order_id = ?",
            [
                (sequence, key.account, key.caller, key.client_order_id)
                for key, sequence in batch.newest.items()
                if key not in batch.orders
            ],
        )

    def _drop(self, drop: Drop) -> None:
        """What hangs on an order's row goes with it. The pages that get free are used for new rows."""
        account, upto = drop.account, drop.before.sequence
        self._sql.execute("DELETE FROM order_event WHERE account = ? AND seq <= ?", (account, upto))
        self._sql.executemany(
            "DELETE FROM fill WHERE account = ? AND fill_id = ?", [(account, fill_id) for fill_id in drop.fill_ids]
        )
        told = [(upto, key.account, key.caller, key.client_order_id) for key in drop.told]
        self._sql.executemany(_DELETE_STORY, told)
        keys = [(key.account, key.caller, key.client_order_id) for key in drop.orders]
        self._sql.executemany(_DELETE_STORY, [(upto, *key) for key in keys])
        self._sql.executemany(_DELETE_ATTEMPTS, [(wire_id,) for wire_id in drop.wire_ids])
        self._amends.drop(drop.orders)
        self._sql.executemany("DELETE FROM orders WHERE account = ? AND caller = ? AND client_order_id = ?", keys)


_DELETE_STORY = """\
DELETE FROM order_step WHERE seq <= ? AND order_no =
  (SELECT order_no FROM orders WHERE account = ? AND caller = ? AND client_order_id = ?)
"""
_DELETE_ATTEMPTS = """\
DELETE FROM wire_id WHERE venue_client_id IN (
  WITH RECURSIVE attempt (id) AS (
    VALUES (?) UNION SELECT earlier FROM attempt JOIN wire_id ON venue_client_id = id WHERE earlier IS NOT NULL
  ) SELECT id FROM attempt)
"""


def _state(order: Order, body: str) -> tuple[str, str | None, str]:
    """What changes of an order's row. An order without Kraken's id must not clash with another one without."""
    return order.status.value, order.venue_order_id or None, body
