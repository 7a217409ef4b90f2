"""Streams of book frames to measure with: the session that Kraken's channel really had, and made ones of any depth.

Frames are printed as Kraken prints them, with all places and a right checksum. A made stream moves as the recorded one does:
half of its rows change a quantity, the others bring a level or take one away, mostly near the top.
"""

import json
import random
from bisect import insort
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from zlib import crc32

RECORDED = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "ws_book_sequence_recorded.json"
SYMBOL, PRICE_DECIMALS, QUANTITY_DECIMALS = "BTC/USD", 1, 8
SUMMED = 10
BESIDE = 40  # levels that the market has beyond what is in sight
PER_SECOND = 400
NEAR_THE_TOP = 0.2  # the rate of an exponential distribution over places
CHANGED, BROUGHT = (
    0.6,
    0.8,
)  # a message below changes a quantity, brings a level; above, one leaves and one comes into sight
LOTS_MOST = 3 * 10**QUANTITY_DECIMALS


@dataclass(frozen=True)
class Stream:
    """A snapshot and the updates after it; `sessions` times over where there are few."""

    name: str
    depth: int
    frames: tuple[bytes, ...]
    sessions: int = 1


def recorded(sessions: int) -> Stream:
    """What Kraken sent, to depth 10."""
    kept = json.loads(RECORDED.read_text(), parse_float=Decimal)
    frames = [_recorded_frame(message) for message in kept["messages"]]
    return Stream("recorded, depth 10", kept["depth"], tuple(frames), sessions)


def made(depth: int, updates: int, seed: int = 1) -> Stream:
    """As many updates of a book that deep."""
    market = _Market(depth, random.Random(seed))
    frames = [market.snapshot(), *(market.update(number) for number in range(updates))]
    return Stream(f"made, depth {depth}", depth, tuple(frames))


def _recorded_frame(message: dict) -> bytes:
    """The recording has lost the places that are zero; Kraken prints them."""
    (row,) = message["data"]
    bids, asks = (
        [
            f'{{"price":{each["price"]:.{PRICE_DECIMALS}f},"qty":{each["qty"]:.{QUANTITY_DECIMALS}f}}}'
            for each in row[side]
        ]
        for side in ("bids", "asks")
    )
    return _frame(message["type"], bids, asks, row["checksum"], row.get("timestamp", ""))


def _frame(kind: str, bids: list[str], asks: list[str], checksum: int, stamp: str) -> bytes:
    tail = f',"timestamp":"{stamp}"' if stamp else ""
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{SYMBOL}","bids":[{",".join(bids)}],'
        f'"asks":[{",".join(asks)}],"checksum":{checksum}{tail}}}]}}'
    ).encode()


class _Market:
    """Both sides by key (the bids' prices negated), deeper than what is in sight."""

    def __init__(self, depth: int, chance: random.Random) -> None:
        self._depth = depth
        self._chance = chance
        self._sides: dict[int, tuple[list[int], dict[int, int]]] = {}
        for sign, best in ((1, 300_000), (-1, 299_999)):
            price, lots = best, dict[int, int]()
            while len(lots) < depth + BESIDE:
                lots[sign * price] = self._lots()
                price += sign * chance.randrange(1, 9)
            self._sides[sign] = (sorted(lots), lots)

    def snapshot(self) -> bytes:
        bids, asks = ([self._row(sign, key) for key in self._sides[sign][0][: self._depth]] for sign in (-1, 1))
        return _frame("snapshot", bids, asks, self._checksum(), self._stamp(0))

    def update(self, number: int) -> bytes:
        sign = self._chance.choice((1, -1))
        rows = self._move(sign)
        bids, asks = (rows, []) if sign < 0 else ([], rows)
        return _frame("update", bids, asks, self._checksum(), self._stamp(number))

    def _move(self, sign: int) -> list[str]:
        keys, lots = self._sides[sign]
        place = min(int(self._chance.expovariate(NEAR_THE_TOP)), self._depth - 1)
        fate = self._chance.random()
        if fate < BROUGHT or len(keys) <= self._depth:
            key = keys[place] if fate < CHANGED else keys[place] + self._chance.randrange(1, 5)
            if key not in lots:
                insort(keys, key)
            lots[key] = self._lots()
            return [self._row(sign, key)]
        gone = keys.pop(place)
        del lots[gone]
        return [self._row(sign, gone), self._row(sign, keys[self._depth - 1])]

    def _lots(self) -> int:
        return self._chance.randrange(1, LOTS_MOST)

    def _row(self, sign: int, key: int) -> str:
        price, lots = Decimal(abs(key)), Decimal(self._sides[sign][1].get(key, 0))
        return f'{{"price":{price.scaleb(-PRICE_DECIMALS):f},"qty":{lots.scaleb(-QUANTITY_DECIMALS):f}}}'

    def _checksum(self) -> int:
        tokens = (f"{abs(key)}{lots[key]}" for keys, lots in (self._sides[1], self._sides[-1]) for key in keys[:SUMMED])
        return crc32("".join(tokens).encode())

    @staticmethod
    def _stamp(number: int) -> str:
        second, part = divmod(number, PER_SECOND)
        return f"2023-10-06T17:{second // 60 % 60:02d}:{second % 60:02d}.{part * 1_000_000 // PER_SECOND:06d}Z"
