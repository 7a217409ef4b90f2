"""A storm over readers: gateway, private line and readers are struck in a seeded order while orders live and die.

Traders place and cancel, strangers take from what rests. The seed decides what comes; when it comes, the machine decides.
What the readers hold in the end is history_judge.py's to judge.
"""

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from tests.fault.callers import AGAIN_S, FILLING_AT, INSIST_S, RESTING_AT, SYMBOL, cancel, client_of, place

TRADERS = 3
SMALLEST, STEP = Decimal("0.001"), Decimal("0.00000001")
PAUSE_S = (0.3, 1.2)
BACK_MOST = 12
# Nobody but us between these: what rests at RESTING_AT is the best bid, and what pays FILLING_AT meets an ask.
STILL = {"symbol": SYMBOL, "frozen": True, "bids": [("10000.0", "50")], "asks": [("30000.0", "50")]}
ENDED = frozenset({"filled", "cancelled", "expired"})


def take(exchange, quantity):
    """A stranger sells into what rests, no lower than at RESTING_AT."""
    stranger = {"side": "sell", "qty": str(quantity), "price": RESTING_AT}
    exchange.ask("POST", "/market", {"symbol": SYMBOL, "take": stranger})


class Traders:
    """Threads that place one order after the other and end some of them, each until its answer is definite."""

    def __init__(self, gateway, exchange, seed):
        self.answers = []
        self.undecided = []
        self._gateway, self._exchange = gateway, exchange
        self._numbers = iter(range(1, 10**6))
        self._lock = threading.Lock()
        self._over, self._left = threading.Event(), threading.Event()
        gateway.at_close(self._leave)
        pool = ThreadPoolExecutor(TRADERS + 1)
        self._work = [pool.submit(self._trade, random.Random(f"{seed} trader {number}")) for number in range(TRADERS)]
        self._work.append(pool.submit(self._take, random.Random(f"{seed} stranger")))
        pool.shutdown(wait=False)

    def stop(self, *others):
        """Nothing new; waits until everybody knows, and ends what still rests, these others too."""
        self._over.set()
        for each in self._work:
            each.result(2 * INSIST_S)
        placed = {each.call.order for each in self.answers if each.word == "placed"}
        with client_of(self._gateway.target) as client:
            for name in sorted(placed.union(others)):
                self._settle(lambda name=name: cancel(client, name), _has_ended)

    def _leave(self):
        self._over.set()
        self._left.set()

    def _trade(self, chance):
        with client_of(self._gateway.target) as client:
            while not self._over.is_set():
                with self._lock:
                    number = next(self._numbers)
                name, quantity = f"told-{number}", SMALLEST + number * STEP
                price = chance.choice((RESTING_AT, RESTING_AT, FILLING_AT))
                force = "GTC" if price == RESTING_AT and chance.random() < 0.8 else "IOC"
                terms = {"limit_price": price, "time_in_force": force}
                self._settle(lambda n=name, q=quantity, t=terms: place(client, n, q, **t), lambda told: told.definite)
                time.sleep(chance.uniform(0.05, 0.4))
                if force == "GTC" and chance.random() < 0.4:
                    self._settle(lambda n=name: cancel(client, n), _has_ended)

    def _take(self, chance):
        """Some takes leave an order half filled, some go through several."""
        while not self._over.is_set():
            take(self._exchange, Decimal(chance.randint(2, 25)) / 10_000)
            time.sleep(chance.uniform(0.1, 0.6))

    def _settle(self, ask, enough):
        until = None
        while not self._left.is_set() and (until is None or time.monotonic() < until):
            answer = ask()
            self.answers.append(answer)
            if enough(answer):
                return
            # The time to insist begins when the storm is over.
            until = until or (time.monotonic() + INSIST_S if self._over.is_set() else None)
            time.sleep(AGAIN_S)
        self.undecided.append(str(answer))


def _has_ended(answer):
    """Its end is told, or that it never was."""
    told = answer.call.told
    return answer.word == "absent" or (told is not None and (told.status in ENDED or told.reason == "ORDER_NOT_FOUND"))


class Storm:
    """What strikes, in the order the seed says; `blows` counts them by kind."""

    def __init__(self, gateway, exchange, readers, seed):
        self.blows = Counter()
        self._gateway, self._exchange, self._readers = gateway, exchange, readers
        self._chance = random.Random(f"{seed} told")

    def rage(self, seconds):
        """Every kind once, shuffled, then again, for so long; then the gateway can be reached and all readers read."""
        until = time.monotonic() + seconds
        kinds = (self._gateway_killed, self._line_dropped, self._reader_killed, self._both_killed)
        while time.monotonic() < until:
            for blow in self._chance.sample(kinds, len(kinds)):
                time.sleep(self._chance.uniform(*PAUSE_S))
                blow()
        self._gateway.reachable()

    def _gateway_killed(self):
        self.blows["gateway"] += 1
        self._kill_gateway()
        self._gateway.start()
        self._gateway.reachable()

    def _line_dropped(self):
        self.blows["line"] += 1
        self._exchange.fault(kind="drop_ws", line="private")

    def _reader_killed(self):
        self.blows["reader"] += 1
        reader = self._chance.choice(self._readers)
        reader.kill()
        time.sleep(self._chance.uniform(0.0, 0.8))
        reader.start(self._chance.randint(0, BACK_MOST))

    def _both_killed(self):
        """The readers begin again while there is no gateway."""
        self.blows["gateway and readers"] += 1
        self._kill_gateway()
        for reader in self._readers:
            reader.kill()
            reader.start(self._chance.randint(0, BACK_MOST))
        time.sleep(self._chance.uniform(0.0, 1.0))
        self._gateway.start()
        self._gateway.reachable()

    def _kill_gateway(self):
        self._gateway.alive()
        self._gateway.life.kill()
