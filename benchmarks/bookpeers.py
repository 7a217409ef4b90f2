"""Other ways to keep Kraken's book: a first build as anybody writes it, and other people's clients.

`bookpeers.py NAME FRAMES DEPTH SESSIONS` follows the frames of that file and writes what an update took as one line of JSON.
Clients are run by a Python that has them (peers.py); at its top this imports the standard library and peers.py only.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from zlib import crc32

NAIVE, SDK, CCXT = "first build (json, dict, sorted, Decimal)", "python-kraken-sdk", "ccxt.pro, which checks no sum"
CLIENTS = (SDK, CCXT)
PRICE_DECIMALS, QUANTITY_DECIMALS = 1, 8
WARM = 500
CPU_S = 0.8  # of one measurement, as far as the stream goes
LOOK_EVERY = 50

Take = Callable[[bytes], object]


def measured(fresh: Callable[[], Take], frames: Sequence[bytes], sessions: int) -> dict[str, float]:
    """Updates taken and CPU seconds they took. `fresh` makes a follower; the snapshots that it begins with do not count."""
    follow(fresh(), frames[: WARM + 1], CPU_S)
    updates, spent = 0, 0.0
    for _ in range(sessions):
        if spent < CPU_S:
            took = follow(fresh(), frames, CPU_S - spent)
            updates, spent = updates + took[0], spent + took[1]
    return {"updates": updates, "cpu_s": spent}


def follow(take: Take, frames: Sequence[bytes], most_s: float) -> tuple[int, float]:
    """One session, until so much CPU time is spent: updates, and the time they took."""
    take(frames[0])
    began = now = time.process_time()
    done = 1
    while done < len(frames) and now - began < most_s:
        for frame in frames[done : done + LOOK_EVERY]:
            take(frame)
        done = min(done + LOOK_EVERY, len(frames))
        now = time.process_time()
    return done - 1, now - began


class FirstBuild:
    """What the guide says, word by word: a dict a side, sorted when needed, figures formatted for every sum."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._sides: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}

    def take(self, text: bytes) -> None:
        """One frame. Raises ValueError when the sum is not what it says."""
        message = json.loads(text, parse_float=Decimal)
        (row,) = message["data"]
        for name, side in self._sides.items():
            if message["type"] == "snapshot":
                side.clear()
            for level in row[name]:
                if level["qty"]:
                    side[level["price"]] = level["qty"]
                else:
                    side.pop(level["price"], None)
            if len(side) > self._depth:
                for price in sorted(side, reverse=name == "bids")[self._depth :]:
                    del side[price]
        if self._sum() != row["checksum"]:
            raise ValueError("the book is not the exchange's")

    def _sum(self) -> int:
        text = ""
        best = sorted(self._sides["asks"].items())[:10] + sorted(self._sides["bids"].items(), reverse=True)[:10]
        for price, quantity in best:
            for figure, decimals in ((price, PRICE_DECIMALS), (quantity, QUANTITY_DECIMALS)):
                text += f"{figure:.{decimals}f}".replace(".", "").lstrip("0")
        return crc32(text.encode())


def _sdk(depth: int) -> Take:
    """Its order book client, which is told the pair's decimals by us and not by the exchange; it sums every update."""
    from kraken.spot import SpotOrderBookClient  # type: ignore[import-not-found]  # only the peers’ own Python has it

    class Decimals:
        def get_asset_pairs(self, pair: str) -> dict[str, dict[str, int]]:
            return {pair: {"pair_decimals": PRICE_DECIMALS, "lot_decimals": QUANTITY_DECIMALS}}

    client = SpotOrderBookClient(depth=depth, callback=lambda **_: None)
    setattr(client, "_SpotOrderBookClient__market", Decimals())  # noqa: B010  as its docstring says one may

    def take(text: bytes) -> None:
        message = json.loads(text)
        try:
            client.on_message(message).send(None)  # it awaits nothing while the sums are right
        except StopIteration:
            return
        raise ValueError("the book is not the exchange's")

    return take


def _ccxt(_: int) -> Take:
    """What its client does with a text frame; the depth is the snapshot's. Its own check of the sum is off, as it comes."""
    import ccxt.pro as ccxt  # type: ignore[import-not-found]  # only the peers’ own Python has it
    from ccxt.async_support.base.ws.client import orjson  # type: ignore[import-not-found]  # as above

    class Waiter:
        """Nobody waits for the book, as between two reads."""

        def resolve(self, *_: object) -> None:
            """Nothing to wake."""

    exchange, waiter = ccxt.kraken(), Waiter()

    def take(text: bytes) -> None:
        exchange.handle_order_book(waiter, orjson.loads(text))

    return take


FOLLOWERS: dict[str, Callable[[int], Take]] = {NAIVE: lambda depth: FirstBuild(depth).take, SDK: _sdk, CCXT: _ccxt}


async def main(name: str, frames: Sequence[bytes], depth: int, sessions: int) -> None:
    """In an event loop, which some clients want to stand while they are made."""
    print(json.dumps(measured(lambda: FOLLOWERS[name](depth), frames, sessions)))


if __name__ == "__main__":
    which, file, levels, times = sys.argv[1:]
    asyncio.run(main(which, Path(file).read_bytes().splitlines(), int(levels), int(times)))
