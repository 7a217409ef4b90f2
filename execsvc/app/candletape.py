"""The last candles of one symbol and interval, and which of them are closed; pure.

Kraken's stream tells a candle whenever somebody trades and never says that one is finished: a candle is closed once a later
one exists. Who reads them, and how far back somebody wants to see, is app/candles.py's business.
"""

from collections.abc import Iterable
from dataclasses import replace

from execsvc.domain.market import Candle

CLOSED_MAX = 720  # as many as Kraken keeps, and as the contract lets a reader ask for


class CandleTape:
    """Candles by the time they open, oldest first; only the newest may be open."""

    def __init__(self) -> None:
        self._rows: dict[int, Candle] = {}
        self._whole = False

    def __repr__(self) -> str:
        return f"<CandleTape of {len(self._rows)}{' and no more at the venue' if self._whole else ''}>"

    @property
    def newest(self) -> Candle | None:
        """The last one, open or not."""
        return self._rows[next(reversed(self._rows))] if self._rows else None

    def covers(self, count: int) -> bool:
        """Whether so many closed candles are here, or as many as the venue has."""
        return self._whole or sum(row.closed for row in self._rows.values()) >= count

    def last(self, count: int) -> tuple[Candle, ...]:
        """At most `count` closed candles and the open one, oldest first."""
        rows = tuple(self._rows.values())
        closed = [row for row in rows if row.closed]
        return (*closed[len(closed) - min(count, len(closed)) :], *(row for row in rows if not row.closed))

    def restart(self, rows: Iterable[Candle]) -> None:
        """The stream begins (anew) with these. What is held stays only if they reach back to it: no hole is ever inside."""
        fresh = sorted(rows, key=lambda row: row.open_time_ns)
        newest = self.newest
        if newest is None or not fresh or fresh[0].open_time_ns > newest.open_time_ns:
            self._rows.clear()
            self._whole = False
        for row in fresh:
            self.add(row)

    def add(self, row: Candle) -> tuple[Candle, ...]:
        """A candle changed: what readers have to know, oldest first; with the first of a new one the closing of the last."""
        newest = self.newest
        if newest is None or row.open_time_ns > newest.open_time_ns:
            closing = () if newest is None or newest.closed else (replace(newest, closed=True),)
            told = (*closing, row)
        elif row.open_time_ns == newest.open_time_ns:
            told = (replace(row, closed=row.closed or newest.closed),)
        else:
            told = (replace(row, closed=True),)
        out_of_order = (
            row.open_time_ns not in self._rows and newest is not None and row.open_time_ns < newest.open_time_ns
        )
        for each in told:
            self._rows[each.open_time_ns] = each
        if out_of_order:
            self._rows = dict(sorted(self._rows.items()))
        while len(self._rows) > CLOSED_MAX + 1:
            del self._rows[next(iter(self._rows))]
        return told

    def extend_back(self, rows: Iterable[Candle]) -> bool:
        """All that the venue keeps: what is older than the tape is put before it, the tape itself knows better.

        False, and nothing is done, when these end before the tape begins: the answer is of another time than the tape.
        """
        known = {row.open_time_ns: row for row in rows}
        oldest = next(iter(self._rows), None)
        if oldest is not None and oldest not in known:
            return False
        if oldest is not None:  # a later one exists: what is older is closed, whatever the answer says
            known = {at: replace(row, closed=True) for at, row in known.items() if at < oldest}
        self._rows = dict(sorted({**known, **self._rows}.items())[-CLOSED_MAX - 1 :])
        self._whole = True
        return True
