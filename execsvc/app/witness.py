"""Proof, without a call, that somebody traded: a ticker's last price moved, its volume grew, or a trade itself was told.

Every trade is told by the trades of its symbol and changes the candles. Where neither said anything from before the proof
until long after it, the subscription is dead. Pure: `now` and what was heard when are handed in. Silence without a proof is
quiet.py's business.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from execsvc.app.quiet import LEAST_S
from execsvc.domain.market import Ticker, Topic

SKEW_S = 2.0  # by so much one channel may run ahead of another
APART_S = 1.0  # a symbol's proofs; what fell silent since one too near to convict it is seen by the next
WAITING_MOST = 8  # more than ripen while one does


@dataclass(frozen=True)
class _Shown:
    last_price: Decimal | None
    volume: Decimal
    at: float


@dataclass(frozen=True)
class _Proof:
    """Somebody traded between these two moments, monotonic."""

    since: float
    at: float


class Witnesses:
    """A symbol's proofs that are not judged yet, one a second at most."""

    def __init__(self) -> None:
        self._shown: dict[str, _Shown] = {}
        self._proofs: dict[str, deque[_Proof]] = {}

    def __repr__(self) -> str:
        return f"<Witnesses {len(self._shown)} tickers, {sum(map(len, self._proofs.values()))} proofs>"

    def ticker(self, ticker: Ticker, now: float, *, snapshot: bool) -> None:
        """A ticker's picture. A snapshot proves nothing: what was before it may be of another connection."""
        before = self._shown.get(ticker.symbol)
        self._shown[ticker.symbol] = _Shown(ticker.last_price, ticker.volume_24h, now)
        if snapshot or before is None:
            return
        # A volume of 24 hours also shrinks by itself, as trades of yesterday fall out of it; it never grows so.
        if ticker.last_price != before.last_price or ticker.volume_24h > before.volume:
            self._prove(ticker.symbol, _Proof(before.at, now))

    def traded(self, symbol: str, now: float) -> None:
        """A trade was told just now."""
        self._prove(symbol, _Proof(now, now))

    def _prove(self, symbol: str, proof: _Proof) -> None:
        waiting = self._proofs.setdefault(symbol, deque(maxlen=WAITING_MOST))
        if not waiting or proof.at >= waiting[-1].at + APART_S:
            waiting.append(proof)

    def missed(self, topics: Iterable[Topic], heard_at: Callable[[Topic], float | None], now: float) -> list[Topic]:
        """Those of the topics (trades and candles) that should have told of a trade and did not. Judged proofs are gone."""
        ripe: dict[str, float] = {}  # until when who was silent is dead
        for symbol, waiting in self._proofs.items():
            while waiting and now >= waiting[0].at + LEAST_S:
                ripe[symbol] = waiting.popleft().since - SKEW_S
        return [
            topic
            for topic in topics
            if topic.symbol in ripe and (at := heard_at(topic)) is not None and at < ripe[topic.symbol]
        ]

    def keep(self, symbols: Iterable[str]) -> None:
        """Forgets all others."""
        kept = set(symbols)
        self._shown = {symbol: shown for symbol, shown in self._shown.items() if symbol in kept}
        self._proofs = {symbol: proof for symbol, proof in self._proofs.items() if symbol in kept}
