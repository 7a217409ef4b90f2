"""Callers who insist: the same id again and again until the answer is definite; and what all of them heard, as a history.

The history goes to tests/support/history.py, which judges it against the exchange's own books and knows nothing of the
gateway. An order is recognised there by its quantity. What strikes the gateway meanwhile is lives.py.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import grpc
from execsvc_api.v1 import order_service_pb2 as orders_pb
from execsvc_api.v1 import order_service_pb2_grpc as orders_grpc
from execsvc_client import ExecsvcError, InDoubt, NotFound, SyncClient

from tests.fault.lives import CHANNEL
from tests.support.chains import flaws_of
from tests.support.history import NEGATIVE, PLACED, REUSED, Call, Entered, Heard, History, Told, judge

SYMBOL, RESTING_AT, FILLING_AT = "BTC/USD", "20000.0", "150000.0"
PLACE_S = 10.0
INSIST_S = 60.0
AGAIN_S = 0.1
LAG_S = 5.0  # between the exchange's books and the journal


@dataclass(frozen=True)
class Answer:
    """One call and what it brought. `why` is the error's text; replayed: nothing was sent by this call."""

    call: Call
    replayed: bool = False
    why: str = ""

    def __str__(self):
        call = self.call
        told = "nothing" if call.told is None else call.told.status or call.told.reason
        return f"{call.ended:.3f} {call.verb} {call.order}: {told}{' again' if self.replayed else ''} {self.why}"

    @property
    def word(self):
        """Placed and absent are definite; doubt, unsent (the id is still free) and unknown are not."""
        told = self.call.told
        if told is None:
            return "unknown"
        if told.status in PLACED:
            return "placed"
        if told.status in NEGATIVE or (told.id_used and told.reason != REUSED):
            return "absent"
        return "unsent" if told.id_used is False else "doubt"

    @property
    def definite(self):
        return self.word in {"placed", "absent"}


@contextmanager
def client_of(target):
    with SyncClient(target, channel=grpc.insecure_channel(target, CHANNEL)) as client:
        yield client


def place(client, name, quantity, *, limit_price=RESTING_AT, time_in_force="GTC"):
    """Asks once for one order. The exchange may let it in until the caller gives up."""

    def ask():
        answer = client.buy(
            SYMBOL,
            quantity=quantity,
            limit_price=limit_price,
            time_in_force=time_in_force,
            client_order_id=name,
            timeout=PLACE_S,
        )
        return (answer.so_far, True) if isinstance(answer, InDoubt) else (answer.order, answer.replayed)

    return _asked("place", name, ask, content=quantity)


def cancel(client, name):
    """Asks for the end of an order; the client repeats by itself what was lost."""
    return _asked("cancel", name, lambda: (client.cancel(name, timeout=PLACE_S), False))


def wish_once(target, name):
    """Asks for the end of an order in one call that nobody repeats, and does not look at what comes back."""
    invoked, request = time.time(), orders_pb.CancelOrderRequest(order=orders_pb.OrderRef(client_order_id=name))
    with closing(grpc.insecure_channel(target, CHANNEL)) as channel, suppress(grpc.RpcError):
        orders_grpc.OrderServiceStub(channel).CancelOrder(request, timeout=PLACE_S)
    return Answer(Call("cancel", name, invoked, time.time(), excused=True))


def _asked(verb, name, ask, content=None):
    invoked, replayed, told, why = time.time(), False, None, ""
    try:
        order, replayed = ask()
        told = told_of(order)
    except ExecsvcError as error:
        why = str(error)
        if error.reason:
            told = Told(reason=error.reason, id_used=error.id_used)
    # What was never answered is the storm's doing: gateways die here.
    call = Call(verb, name, invoked, time.time(), content, invoked + PLACE_S, told, excused=True)
    return Answer(call, replayed, why)


def told_of(order):
    """The order as a caller was shown it."""
    fee = sum((each.amount for each in order.fees), Decimal(0))
    figures = (order.filled_quantity, order.filled_cost, fee)
    return Told(order.status.name.lower(), order.order_id, *figures, cancel_wished=order.cancel_requested)


class Caller:
    """One thread that asks the same until `enough(answer)`. `ask(client)` gives an Answer; `earlier` ones are kept."""

    def __init__(self, gateway, ask, enough=lambda answer: answer.definite, *, earlier=()):
        self.earlier = earlier
        self.heard = []
        self.began = time.monotonic()
        self.ended = None
        self._target, self._ask, self._enough = gateway.target, ask, enough
        self._left = threading.Event()
        gateway.at_close(self._left.set)
        pool = ThreadPoolExecutor(1)
        self._work = pool.submit(self._run)
        pool.shutdown(wait=False)

    def answer(self, alive=lambda: None):
        """The last answer: enough, or the last one within the time to insist; `alive` raises when waiting is vain."""
        while not self._work.done():
            alive()
            time.sleep(AGAIN_S)
        self._work.result()
        return self.heard[-1]

    @property
    def story(self):
        """What was heard, without what was only heard again."""
        pairs = zip(self.heard, [None, *self.heard], strict=False)
        return "".join(f"{each}\n" for each, last in pairs if last is None or each.word != last.word)

    def _run(self):
        with client_of(self._target) as client:
            while not self._left.is_set() and time.monotonic() < self.began + INSIST_S:
                self.heard.append(self._ask(client))
                if self._enough(self.heard[-1]):
                    self.ended = time.monotonic()
                    return
                self._left.wait(AGAIN_S)


# ---- what is judged ------------------------------------------------------------------------------------------------


def entered(exchange):
    """Every order the exchange ever accepted."""
    return [
        Entered(
            row["order_id"],
            Decimal(row["volume"]),
            _instant(row["opened"]),
            row["status"],
            *(Decimal(row[name]) for name in ("vol_exec", "cost", "fee")),
        )
        for row in exchange.orders()
    ]


def heard(exchange):
    """Every private call it still remembers, in the order it came. Lives cannot be told apart by what they send."""
    return [
        Heard(
            _instant(row["at"]),
            _instant(row["at"]),
            owner=0,
            nonce=int(row["nonce"]),
            method=row["call"],
            admitted=not row["error"].startswith("EAPI:"),
            applied=row["applied"],
        )
        for row in exchange.ask("GET", "/calls")["calls"]
        if row["nonce"]
    ]


def finals(target, names):
    """The last look at every id; None where the gateway does not know it."""
    with client_of(target) as client:
        return {name: _final(client, name) for name in names}


def _final(client, name):
    try:
        return told_of(client.get_order(name))
    except NotFound:
        return None


def findings(exchange, gateway, answers):
    """Every broken rule of P1, P2, P3, P6 and P8, in words, of a gateway that serves. Its journal may lag a little."""
    calls = [answer.call for answer in answers]
    names = sorted({call.order for call in calls})
    until = time.monotonic() + LAG_S
    while found := judge(History(calls, entered(exchange), heard(exchange), finals(gateway.target, names))):
        if time.monotonic() > until:
            break
        time.sleep(AGAIN_S)
    flaws = flaws_of(gateway.store)
    broken = [] if flaws and not any(flaws.values()) else [f"P8: the journal's chain is broken: {flaws}"]
    return [*map(str, found), *broken]


def nonce_findings(exchange):
    """Every broken rule of P3 among the calls that the exchange remembers, in words."""
    return [str(found) for found in judge(History((), (), heard(exchange)))]


def _instant(text):
    return datetime.fromisoformat(text).timestamp()
