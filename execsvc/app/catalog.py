"""The dictionary of instruments and assets: any unambiguous spelling goes in, one canonical symbol comes out.

Filled from the venue and kept fresh in the background; the spellings come from the venue's own tables, never from cutting
strings. While it has never been filled every look-up is VENUE_UNREACHABLE: nothing is guessed.
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import replace

from execsvc.domain.errors import Busy, FieldViolation, ProtocolBroken, Reason, invalid, refuse
from execsvc.domain.instrument import Asset, Instrument
from execsvc.ports import Clock, PublicVenue

REFRESH_S = 300.0
RETRY_S = 1.0
INDEXES_REFRESH_S = 3600.0  # a connection each, and Kraken counts those
INDEXES_RETRY_S = 60.0
STALE_AFTER_S = 1800.0
SUGGESTIONS = 3
NAMED_MAX = 5


class Catalog:
    """Instruments and assets of the venue."""

    def __init__(self, venue: PublicVenue, clock: Clock) -> None:
        self._venue = venue
        self._clock = clock
        self._instruments: dict[str, Instrument] = {}
        self._assets: tuple[Asset, ...] = ()
        self._spellings: dict[str, Instrument] = {}
        self._indexed: Mapping[str, bool] = {}
        self._loaded_at: float | None = None

    def __repr__(self) -> str:
        return f"<Catalog {len(self._instruments)} instruments, {len(self._assets)} assets>"

    @property
    def ready(self) -> bool:
        """Whether it was ever filled."""
        return self._loaded_at is not None

    async def refresh(self) -> None:
        """Reads both tables anew; on failure what is held stays. Raises what the venue raises."""
        instruments = await self._venue.instruments()
        assets = await self._venue.assets()
        self._take(instruments)
        self._assets = tuple(sorted(assets, key=lambda each: each.asset))
        self._loaded_at = self._clock.monotonic()

    async def keep_fresh(self) -> None:
        """Refreshes for ever; a failure is tried again soon. What was just read is not read again at once."""
        if self.ready:
            await self._clock.sleep(REFRESH_S)
        while True:
            try:
                await self.refresh()
            except (Busy, ProtocolBroken):
                await self._clock.sleep(RETRY_S)
            else:
                await self._clock.sleep(REFRESH_S)

    async def keep_indexes(self) -> None:
        """Learns for ever which pairs have an index; until then that is not known, and no order is refused for it."""
        while True:
            try:
                self._indexed = await self._venue.indexed()
            except (Busy, ProtocolBroken):
                await self._clock.sleep(INDEXES_RETRY_S)
            else:
                self._take(self._instruments.values())
                await self._clock.sleep(INDEXES_REFRESH_S)

    def instruments(self) -> tuple[Instrument, ...]:
        """All, by symbol."""
        self._demand()
        return tuple(self._instruments.values())

    def assets(self) -> tuple[Asset, ...]:
        """All, by code."""
        self._demand()
        return self._assets

    def instrument(self, spelling: str, path: str = "symbol") -> Instrument:
        """The instrument a spelling means. Raises UNKNOWN_SYMBOL with the nearest three."""
        self._demand()
        found = self._spellings.get(_folded(spelling))
        if found is None:
            raise self._unknown((spelling,), (path,))
        return found

    def all_of(self, spellings: Iterable[str], path: str = "symbols") -> tuple[Instrument, ...]:
        """The instruments of several spellings, each once, in order. Raises UNKNOWN_SYMBOL naming every offender."""
        self._demand()
        found: dict[str, Instrument] = {}
        missing: list[str] = []
        paths: list[str] = []
        for index, spelling in enumerate(spellings):
            instrument = self._spellings.get(_folded(spelling))
            if instrument is None:
                missing.append(spelling)
                paths.append(f"{path}[{index}]")
            else:
                found[instrument.symbol] = instrument
        if missing:
            raise self._unknown(tuple(missing), tuple(paths))
        return tuple(found.values())

    def demand_fresh(self) -> None:
        """Raises VENUE_UNREACHABLE when the rules are too old to place on."""
        age_s = self._clock.monotonic() - (self._loaded_at or 0.0)
        if age_s > STALE_AFTER_S:
            raise refuse(
                Reason.VENUE_UNREACHABLE,
                f"pair rules are {age_s:.0f} s old and cannot be refreshed; nothing was sent, try again",
                id_used="false",
            )

    def _take(self, instruments: Iterable[Instrument]) -> None:
        told = (replace(each, has_index=self._indexed.get(each.symbol, each.has_index)) for each in instruments)
        self._instruments = {each.symbol: each for each in sorted(told, key=lambda each: each.symbol)}
        self._spellings = _spellings(self._instruments.values())

    def _demand(self) -> None:
        if self._loaded_at is None:
            raise refuse(
                Reason.VENUE_UNREACHABLE,
                "the list of instruments has not been read yet: the exchange does not answer; try again",
            )

    def _unknown(self, spellings: tuple[str, ...], paths: tuple[str, ...]) -> Exception:
        if any(not spelling for spelling in spellings):
            return invalid(
                tuple(
                    FieldViolation(path, "required: a pair such as BTC/USD")
                    for path, spelling in zip(paths, spellings, strict=True)
                    if not spelling
                )
            )
        # Looking for near spellings is slow on a long list: the first offender gets them, in the sentence for all.
        near = self._near(spellings[0])
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        named = ", ".join(map(repr, spellings[:NAMED_MAX])) + (" …" if len(spellings) > NAMED_MAX else "")
        fields = tuple(
            FieldViolation(path, f"unknown pair {spelling!r}") for path, spelling in zip(paths, spellings, strict=True)
        )
        return refuse(
            Reason.UNKNOWN_SYMBOL,
            f"unknown pair {named}{hint}",
            fields=fields,
            symbol=spellings[0],
            suggestions=",".join(near),
        )

    def _near(self, spelling: str) -> list[str]:
        folded = _folded(spelling)
        scored = difflib.get_close_matches(folded, list(self._spellings), n=4 * SUGGESTIONS, cutoff=0.4)
        nearest = dict.fromkeys(self._spellings[each].symbol for each in scored)
        based = (symbol for symbol, each in self._instruments.items() if each.base == folded)
        return list(dict.fromkeys([*based, *nearest]))[:SUGGESTIONS]


def _folded(spelling: str) -> str:
    return spelling.strip().upper().replace("-", "/")


def _spellings(instruments: Iterable[Instrument]) -> dict[str, Instrument]:
    """Every spelling that means exactly one instrument; canonical symbols win over any other use of their text."""
    table: dict[str, Instrument] = {}
    ambiguous: set[str] = set()
    canonical: dict[str, Instrument] = {}
    for instrument in instruments:
        canonical[_folded(instrument.symbol)] = instrument
        for spelling in {_folded(each) for each in (*instrument.venue_symbols, f"{instrument.base}{instrument.quote}")}:
            if spelling in table and table[spelling] is not instrument:
                ambiguous.add(spelling)
            table[spelling] = instrument
    return {text: found for text, found in table.items() if text not in ambiguous} | canonical
