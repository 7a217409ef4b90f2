"""Planted bugs of what people do beside the gateways, while nobody hears of it.

The same rules as in bugs.py: each a small change of the engine's own classes, and what must see it.
"""

from dataclasses import replace

from execsvc.domain.order import LOOKS_LAG_NS, Order
from tests.sim.planted.bug import Bug


def last_word_unheard():
    """A look so soon after an amend counts for no figures, also where it shows the order's end, after which nobody looks."""
    real = Order.merged

    def merged(self, report):
        after = real(self, report)
        soon = report.asked_ns is not None and report.asked_ns < self.spec_time_ns + LOOKS_LAG_NS
        return replace(after, spec=self.spec) if soon else after

    return [(Order, "merged", merged)]


HANDS = (
    Bug(
        36,
        "an ended order's last figures not taken over soon after an amend",
        last_word_unheard,
        frozenset({"ledger.figures"}),
        shown_by=11,
    ),
)
