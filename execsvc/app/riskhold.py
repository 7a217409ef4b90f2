"""A reservation: what an order or amend takes of the limits from its first check on, until it is durable or will never be.

Made before anything is awaited, so that what comes in at once cannot pass a limit together; given back on every way out.
Once the intent is durable the journal has told the order book of the limits (app/riskbook.py) of it, and the reservation is
no longer needed: whatever became of the intent, its end is the same.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from execsvc.app.riskbook import Grown
from execsvc.domain.ids import OrderKey
from execsvc.domain.instrument import Instrument
from execsvc.domain.risk import Verdict, Wish
from execsvc.domain.riskrules import RiskScope
from execsvc.ports import Tasks

T = TypeVar("T")


@dataclass(eq=False)
class Hold:
    """`undo`: what gives it back if nothing was placed; `settle`: at any end. observed: what only watches has against it.

    grown: what it adds to each scope. tell: hears of what was observed once something was placed.
    """

    key: OrderKey
    wish: Wish
    instrument: Instrument
    observed: tuple[Verdict, ...] = ()
    grown: Mapping[RiskScope, Grown] = field(default_factory=dict)
    undo: list[Callable[[], None]] = field(default_factory=list)
    settle: Callable[[], None] | None = None
    tell: "Callable[[Hold], None] | None" = None

    def release(self) -> None:
        """Nothing was placed: all of it is free again. Does nothing once it has ended."""
        undo, self.undo = self.undo, []
        for each in undo:
            each()
        self._end()

    def placed(self) -> None:
        """The intent is durable, and counts by itself."""
        self.undo = []
        if self.observed and self.tell is not None and self.settle is not None:
            self.tell(self)
        self._end()

    def _end(self) -> None:
        settle, self.settle = self.settle, None
        if settle is not None:
            settle()


async def carried(begun: Awaitable[T], holds: Sequence[Hold], placed: Callable[[T], Sequence[bool]], tasks: Tasks) -> T:
    """Waits for intents to be durable; each hold ends as its own did, whether or not the caller waits for that.

    placed: of each hold, whether its intent is new in the journal.
    """
    try:
        result = await begun
    except asyncio.CancelledError:
        # Whoever asked is gone, and the intent is on its way all the same: the hold ends with it.
        tasks.start(f"hold {holds[0].key}", _outlive(begun, holds, placed))
        raise
    except BaseException:
        _end(holds, [False] * len(holds))
        raise
    _end(holds, placed(result))
    return result


async def _outlive(begun: Awaitable[T], holds: Sequence[Hold], placed: Callable[[T], Sequence[bool]]) -> None:
    ends: Sequence[bool] = [False] * len(holds)
    try:
        ends = placed(await begun)
    finally:
        _end(holds, ends)


def _end(holds: Sequence[Hold], placed: Sequence[bool]) -> None:
    for hold, each in zip(holds, placed, strict=True):
        if each:
            hold.placed()
        else:
            hold.release()
