"""Kraken's many spellings of pairs and assets, and the one the house uses.

Symbols are BASE/QUOTE in plain codes (BTC/USD), assets plain codes with Kraken's suffix kept (DOT.S). Names are looked up in
Kraken's own tables, never derived by cutting strings; the two codes WebSocket v2 renamed (XBT, XDG) are the only ones
known by heart (kraken.md 2.1).
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from execsvc.domain.instrument import Asset, Instrument

RENAMED: Mapping[str, str] = MappingProxyType({"XBT": "BTC", "XDG": "DOGE"})
SUGGESTIONS = 3


class Names:
    """What the tables say now; `learn` replaces it whole, so readers never see half of it."""

    def __init__(self) -> None:
        self._assets: dict[str, str] = {}
        self._instruments: dict[str, Instrument] = {}
        self._symbols: dict[str, str] = {}
        self._folded: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<Names of {len(self._instruments)} pairs, {len(self._assets)} assets>"

    def learn_assets(self, assets: Iterable[Asset]) -> None:
        """Takes in the table of assets."""
        self._assets = {asset.venue_asset: asset.asset for asset in assets}

    def learn_instruments(self, instruments: Iterable[Instrument]) -> None:
        """Takes in the table of pairs."""
        self._instruments = {each.symbol: each for each in instruments}
        spelled = [(name, each.symbol) for each in self._instruments.values() for name in each.venue_symbols]
        canonical = [(symbol, symbol) for symbol in self._instruments]
        self._symbols = dict(spelled) | dict(canonical)
        self._folded = _unambiguous((name.casefold(), symbol) for name, symbol in (*spelled, *canonical))

    @property
    def known(self) -> bool:
        """Whether the pairs were read."""
        return bool(self._instruments)

    def instrument(self, symbol: str) -> Instrument | None:
        """The pair of a canonical symbol."""
        return self._instruments.get(symbol)

    def symbol(self, spelling: str) -> str | None:
        """The canonical symbol of any unambiguous spelling; None when there is none."""
        return self._symbols.get(spelling) or self._folded.get(spelling.strip().casefold())

    def suggest(self, text: str) -> tuple[str, ...]:
        """The nearest three symbols, nearest first."""
        near = get_close_matches(text.strip().casefold(), self._folded, n=4 * SUGGESTIONS, cutoff=0.4)
        return tuple(dict.fromkeys(self._folded[name] for name in near))[:SUGGESTIONS]

    def asset(self, code: str) -> str:
        """The plain code of an asset id (XXBT → BTC, ZUSD → USD, XBT.M → BTC.M); unknown ones stay as they are."""
        return plain_asset(code, self._assets)


def plain_asset(code: str, assets: Mapping[str, str]) -> str:
    """The plain code, given the table asset id → plain code."""
    known = assets.get(code)
    if known is not None:
        return known
    bare, dot, suffix = code.partition(".")
    bare = assets.get(bare, RENAMED.get(bare, bare))
    return f"{bare}{dot}{suffix}"


def spellings(names: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Symbol → its other spellings, those left out that could mean two pairs. Input: symbol → all its spellings.

    The first spelling of each must be Kraken's own key of the pair: it is unique and stays first.
    """
    owners: dict[str, set[str]] = {}
    for symbol, spelled in names.items():
        for name in spelled:
            owners.setdefault(name, set()).add(symbol)
    return {
        symbol: tuple(
            dict.fromkeys(
                name for name in spelled if name not in names and (owners[name] == {symbol} or name == spelled[0])
            )
        )
        for symbol, spelled in names.items()
    }


def _unambiguous(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    meanings: dict[str, set[str]] = {}
    for name, symbol in pairs:
        meanings.setdefault(name, set()).add(symbol)
    return {name: next(iter(symbols)) for name, symbols in meanings.items() if len(symbols) == 1}
