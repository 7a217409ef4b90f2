"""The writer thread: group commit. It takes whatever is queued, decides each piece, commits once, wakes the waiters.

An idle writer commits a lone piece at once; while it commits, others queue and share the next commit. Pieces that fail by
rule fail alone. A commit that fails tells everybody in it so, and the next one is tried afresh.
"""

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from execsvc.domain.errors import Broken, Busy
from execsvc.ports import JournalEntry
from execsvc.store.batch import COMMIT_MOST, QUEUE_MOST, Batch
from execsvc.store.bridge import Bridge, Outcome, Ticket
from execsvc.store.refusals import broken, unavailable
from execsvc.store.tables import Tables

Operation = Callable[[Batch], Any]
Tickets = Sequence[Ticket[Operation]]


class Writer:
    """Runs operations on batches, durably and in the order asked. `publish` hears of each commit in the loop."""

    def __init__(
        self, tables: Tables, publish: Callable[[Sequence[JournalEntry]], None], *, queue_most: int = QUEUE_MOST
    ) -> None:
        self._tables = tables
        self._publish = publish
        self.last_batch_size = 0
        self.failing = ""
        self.bridge: Bridge[Operation] = Bridge("writer", queue_most, COMMIT_MOST, self._serve)

    def _serve(self, tickets: Tickets) -> None:
        self.last_batch_size = len(tickets)
        try:
            outcomes, entries = self._commit(tickets)
        except (sqlite3.IntegrityError, Broken) as error:
            self._isolate(tickets, error)
            return
        except Busy as error:
            # Nothing in the commit is at fault: the store is not ours any more, or its place cannot be looked at.
            self.failing = error.fault.message
            outcomes, entries = [Outcome(error=Busy(error.fault)) for _ in tickets], ()
        except sqlite3.Error as error:
            # Whether a failed fsync kept the rows is unknown: a repeat is harmless, so the caller may try again.
            self.failing = str(error)
            outcomes, entries = [Outcome(error=unavailable(self.failing)) for _ in tickets], ()
        else:
            self.failing = ""
        self.bridge.tell(partial(self._tell, tickets, outcomes, entries))

    def _commit(self, tickets: Tickets) -> tuple[list[Outcome], Sequence[JournalEntry]]:
        with self._tables.transaction() as batch:
            outcomes = [Outcome.of(partial(ticket.work, batch)) for ticket in tickets]
        return outcomes, tuple(entry.published for entry in batch.entries)

    def _isolate(self, tickets: Tickets, error: sqlite3.IntegrityError | Broken) -> None:
        """A row was refused that no decision foresaw: each piece gets a commit of its own, so that only one fails."""
        if len(tickets) > 1:
            for ticket in tickets:
                self._serve([ticket])
            return
        fault = error if isinstance(error, Broken) else broken(f"the store refused a row: {error}")
        self.bridge.tell(partial(self._tell, tickets, [Outcome(error=fault)], ()))

    def _tell(self, tickets: Tickets, outcomes: Sequence[Outcome], entries: Sequence[JournalEntry]) -> None:
        self._publish(entries)
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            ticket.settle(outcome)
