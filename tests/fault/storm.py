"""A storm over one gateway: a seeded sequence of kill -9, stops and mishaps of the exchange, while callers place and insist.

The seed decides what comes and how it is meant; when it strikes, the machine decides. The judging is callers.py.
"""

import random
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from tests.fault.callers import AGAIN_S, FILLING_AT, INSIST_S, RESTING_AT, client_of, nonce_findings, place

CALLERS = 4
RESTING_MOST = 40  # orders that rest; the others end at once, for the exchange counts what is open
SMALLEST, STEP = Decimal("0.0002"), Decimal("0.00000001")
LOOK_EVERY = 25
PAUSE_S = (0.1, 1.5)
STOP_S = (0.2, 4.0)
# What may befall one AddOrder. An order is matched within its time or not at all, and shows up within V.
ON_ORDERS = (
    {"kind": "request_lost"},
    {"kind": "reply_lost_after_apply"},
    {"kind": "bad_gateway", "applied": True},
    {"kind": "bad_gateway", "applied": False},
    {"kind": "error", "error": "EService:Unavailable", "applied": True},
    {"kind": "error", "error": "EGeneral:Internal error", "applied": False},
    {"kind": "duplicate"},
    {"kind": "delay", "when": "wire", "ms": 5000},
    {"kind": "delay", "when": "before", "ms": 3000},
    {"kind": "delay", "when": "after", "ms": 4000},
)
# What may befall the looking for it.
ON_ALL = (
    {"kind": "reply_lost_after_apply", "call": "OpenOrders", "times": 2},
    {"kind": "bad_gateway", "call": "ClosedOrders", "times": 2},
    {"kind": "error", "call": "", "error": "EService:Busy", "times": 3},
    {"kind": "index_lag", "ms": 2000, "for_ms": 4000},
    {"kind": "feed_silent", "line": "private", "for_ms": 3000},
    {"kind": "drop_ws", "line": "private"},
)


class Crowd:
    """Callers that place one order after the other, each with an id and a quantity of its own, until told to stop."""

    def __init__(self, gateway, seed):
        self.answers = []
        self.undecided = []
        self._target = gateway.target
        self._numbers = iter(range(1, 10**6))
        self._lock = threading.Lock()
        self._over, self._left = threading.Event(), threading.Event()
        gateway.at_close(self._leave)
        pool = ThreadPoolExecutor(CALLERS)
        self._work = [pool.submit(self._run, random.Random(f"{seed} caller {number}")) for number in range(CALLERS)]
        pool.shutdown(wait=False)

    def stop(self):
        """Nothing new is placed; waits until everybody knows."""
        self._over.set()
        for each in self._work:
            each.result(2 * INSIST_S)

    def _leave(self):
        """Whatever is not known now never will be."""
        self._over.set()
        self._left.set()

    def later_than(self, limit):
        """All that was heard of ids whose answer was definite after `limit` only."""
        late = {each.call.order for each in self.answers if each.definite and each.call.ended > limit}
        return [str(each) for each in self.answers if each.call.order in late]

    def _run(self, chance):
        with client_of(self._target) as client:
            while not self._over.is_set():
                with self._lock:
                    number = next(self._numbers)
                self._settle(client, f"storm-{number}", SMALLEST + number * STEP, self._terms(number))
                time.sleep(chance.uniform(0.05, 0.4))

    def _terms(self, number):
        """One rests, three end at once: a filled one, and two that nobody takes."""
        if number % 4 == 0 and number // 4 <= RESTING_MOST:
            return {"limit_price": RESTING_AT, "time_in_force": "GTC"}
        return {"limit_price": FILLING_AT if number % 4 == 1 else RESTING_AT, "time_in_force": "IOC"}

    def _settle(self, client, name, quantity, terms):
        until = None
        while not self._left.is_set() and (until is None or time.monotonic() < until):
            answer = place(client, name, quantity, **terms)
            self.answers.append(answer)
            if answer.definite:
                return
            # The time to insist begins when the storm is over.
            until = until or (time.monotonic() + INSIST_S if self._over.is_set() else None)
            time.sleep(AGAIN_S)
        self.undecided.append(name)


class Storm:
    """What strikes, in the order the seed says. `blows` counts them by kind, `wrong` is what was seen meanwhile."""

    def __init__(self, gateway, exchange, seed):
        self.blows = Counter()
        self.wrong = []
        self._gateway = gateway
        self._exchange = exchange
        self._chance = random.Random(f"{seed} storm")

    def rage(self, seconds):
        """One blow after the other for so long; then all is mended, and the gateway can be reached."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(self._chance.uniform(*PAUSE_S))
            blow = self._chance.choices((self._kill, self._stop, self._hurt_orders, self._hurt_all), (4, 3, 4, 2))[0]
            blow()
            if self.blows.total() % LOOK_EVERY == 0:  # the exchange forgets old calls
                self.wrong += nonce_findings(self._exchange)
        self._exchange.mend()
        self._gateway.reachable()

    def _kill(self):
        """Sometimes again while it starts."""
        self._strike("kill")
        self._gateway.alive()
        self._gateway.life.kill()
        again = self._chance.random() < 0.25
        pause_s = self._chance.uniform(0.1, 0.9)
        self._gateway.start()
        if again:
            time.sleep(pause_s)
            self._strike("kill while it starts")
            self._gateway.alive()
            self._gateway.life.kill()
            self._gateway.start()
        self._gateway.reachable()

    def _stop(self):
        self._strike("stop")
        seconds = self._chance.uniform(*STOP_S)
        self._gateway.alive()
        self._gateway.life.send_signal(signal.SIGSTOP)
        self._gateway.hold(time.monotonic() + seconds)

    def _hurt_orders(self):
        self._hurt({"call": "AddOrder", **self._chance.choice(ON_ORDERS)})

    def _hurt_all(self):
        self._hurt(self._chance.choice(ON_ALL))

    def _hurt(self, fault):
        self._strike(" ".join(str(fault[name]) for name in ("kind", "call", "when") if fault.get(name)))
        self._exchange.fault(**fault)

    def _strike(self, what):
        self.blows[what] += 1
