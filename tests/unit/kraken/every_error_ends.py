"""What may come of a call that fails: the ends of a read or a cancel, the ends of an order, and the case that names them.

Which failure has which end is every_error_cases.py's.
"""

from dataclasses import dataclass

from execsvc.domain.errors import Reason

# ---- what must come of a read or a cancel ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """Asked once, and the caller is told; the wait only where waiting heals."""

    reason: Reason
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Again:
    """Asked again while attempts last: after `wait_s` if the failure names a wait (the first one may differ), else jitter."""

    reason: Reason
    wait_s: float | None = None
    first_wait_s: float | None = None

    @property
    def retry_after_s(self):
        """Told in the end: the wait that was named last."""
        return self.wait_s


@dataclass(frozen=True)
class NewNonce:
    """Asked again with a higher nonce: a read once, a cancel while attempts last."""

    reason: Reason
    retry_after_s = None


@dataclass(frozen=True)
class NothingOpen:
    """A cancel's quiet end: there is no such open order."""

    reason: Reason = Reason.ORDER_NOT_FOUND


# ---- what must come of an order --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refused:
    """Certainly not placed, by Kraken's word."""

    reason: Reason
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Doubt:
    """It may exist."""

    reason: Reason | None = None


@dataclass(frozen=True)
class OneLook:
    """Kraken says that the deadline passed: refused, once a look by id has found nothing."""

    reason: Reason


@dataclass(frozen=True)
class NeverSent:
    """No byte of it left us."""

    reason: Reason


@dataclass(frozen=True)
class Case:
    """One failure. `happens(sent)` answers or raises; `text` is Kraken's own where it spoke.

    `row` is the first cell of contract.md's row where that is no text of Kraken's, `page` those of kraken.md 4.2.
    """

    name: str
    happens: object
    read: object
    cancel: object
    order: object
    text: str = ""
    row: str = ""
    page: tuple = ()
    status: int = 200
