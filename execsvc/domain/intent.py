"""A placement on the threshold: it passed every check, and nothing of it is durable yet.

What becomes of it, attempt by attempt, is order.py's.
"""

from collections.abc import Callable
from dataclasses import dataclass

from execsvc.domain.ids import OrderKey
from execsvc.domain.spec import OrderSpec, content_hash


@dataclass(frozen=True)
class Intent:
    """A placement that passed every check and is about to become durable.

    entry_deadline_ns is absolute, on our wall clock; `wire_id_of(attempt)` gives the derived cl_ord_id of an attempt.
    """

    key: OrderKey
    spec: OrderSpec
    entry_deadline_ns: int
    key_label: str
    trace_id: str
    wire_id_of: Callable[[int], str]

    @property
    def content_hash(self) -> bytes:
        """What makes two placements the same: see the function of that name."""
        return content_hash(self.key.account, self.spec)
