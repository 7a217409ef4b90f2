"""What happens in a cell of the crash matrix, told by the kind of its point; and all cells run side by side.

Each story begins a gateway with a weak point, lets a caller insist, waits for the blow and mends what it broke. The table of
cells is crash_cells.py, the gateway's lives are lives.py, callers and judging callers.py.
"""

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal

from tests.fault.callers import Answer, Caller, cancel, client_of, findings, place, wish_once
from tests.fault.crash_cells import CANCELLING, DECIDING, ENDING, FATES, HOLDING, SENDING, SHORT_S, SLOW, STARTING, Cell
from tests.fault.lives import exchange_in, gateway_on, wait

CONNECTS_MAX = 10
AT_ONCE = 12
NAME, QUANTITY = "c-1", Decimal("0.001")
AFTER_S = 3.0  # so long is watched whether an order told as not placed appears after all
RESOLVED_S = {"placed": 8.0, "absent": 12.0}  # T of promises.md, P2; what was placed is to be found long before
WISH_S = 45.0  # live orders whose cancel is on record are gone through every 30 s


def recover(cell, gateway):
    """Waits for the blow and mends what it broke; the instant from which the gateway can be reached again."""
    if cell.blow == "none":
        return time.monotonic()
    struck = gateway.struck_at()
    match cell.blow:
        case "stop":
            return gateway.hold(struck + cell.seconds)
        case "cut" if cell.seconds:
            return struck + cell.seconds
        case "cut":
            time.sleep(max(0.0, struck + SHORT_S - time.monotonic()))
            gateway.life.kill()
        case _:
            code = gateway.life.ended()
            assert code == -signal.SIGKILL, f"it ended with {code}, not by kill -9"
    gateway.start()
    return gateway.reachable()


def ask(cell, client):
    return place(client, NAME, QUANTITY, limit_price=cell.limit_price)


def insist(cell, gateway, earlier=()):
    return Caller(gateway, lambda client: ask(cell, client), earlier=earlier)


def sending(cell, exchange, gateway):
    """The point lies on the way of one order, from its first byte to its verdict."""
    gateway.start_weak(f"{cell.point}=1", cell.action, armed=True)
    gateway.serving()
    for fault in FATES[cell.fate]:
        exchange.fault(**fault)
    gateway.arm()
    caller = insist(cell, gateway)
    return caller, recover(cell, gateway)


def holding(cell, exchange, gateway):
    """An order is at the exchange and its answer on the way when the point is passed."""
    gateway.start_weak(f"{cell.point}=1", cell.action, armed=True)
    gateway.serving()
    exchange.fault(**SLOW)
    caller = insist(cell, gateway)
    wait(exchange.orders, 10.0, "the order at the exchange")
    gateway.arm()
    return caller, recover(cell, gateway)


def cancelling(cell, exchange, gateway):
    """An open order whose end is wished for, until it has ended; then the placing is asked again.

    Killed with the wish on record, the next life pursues it: then the caller does not come back to repeat it.
    """
    gateway.start_weak(f"{cell.point}=1", cell.action, armed=True)
    gateway.serving()
    with client_of(gateway.target) as client:
        first = ask(cell, client)
    assert first.word == "placed"
    gateway.arm()
    if cell.waits_for_its_wish:
        canceller = Caller(gateway, lambda _: wish_once(gateway.target, NAME), lambda _: True)
    else:
        canceller = Caller(gateway, lambda client: cancel(client, NAME), is_cancelled)
    reachable = recover(cell, gateway)
    canceller.answer(gateway.alive)
    wait(lambda: [order["status"] for order in exchange.orders()] == ["canceled"], WISH_S, "the order's end")
    return insist(cell, gateway, (first, *canceller.heard)), reachable


def is_cancelled(answer):
    return answer.call.told is not None and answer.call.told.status == "cancelled"


def starting(cell, _, gateway):
    """A life that begins with a doubt, and is struck while it begins."""
    gateway.start_weak("wire.after=1", "kill", armed=True)
    gateway.serving()
    gateway.arm()
    caller = insist(cell, gateway)
    gateway.life.ended()
    gateway.start_weak(f"{cell.point}=1", cell.action)
    return caller, recover(cell, gateway)


def ending(cell, exchange, gateway):
    """SIGTERM with an order in flight, and a blow on top."""
    gateway.start_weak(f"{cell.point}=1", cell.action, armed=True)
    gateway.serving()
    exchange.fault(**SLOW)
    gateway.arm()
    caller = insist(cell, gateway)
    wait(exchange.orders, 10.0, "the order at the exchange")
    gateway.life.send_signal(signal.SIGTERM)
    reachable = recover(cell, gateway)
    if cell.blow != "kill":
        code = gateway.life.ended(40.0)
        assert code == 0, f"the drain ended with {code}; it said:\n{gateway.life.said}"
        gateway.start()
        reachable = gateway.reachable()
    return caller, reachable


STORIES = {
    **dict.fromkeys((*SENDING, *DECIDING), sending),
    **dict.fromkeys(HOLDING, holding),
    **dict.fromkeys(CANCELLING, cancelling),
    **dict.fromkeys(STARTING, starting),
    **dict.fromkeys(ENDING, ending),
}


# ---- running them --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What one cell came to. `seconds` from being reachable again to the definite answer."""

    cell: Cell
    wrong: tuple[str, ...]
    answer: Answer
    seconds: float
    story: str


def run(cell, home, nursery):
    """One cell from its first process to its last."""
    with exchange_in(home, nursery) as exchange, gateway_on(home, nursery, exchange) as gateway:
        try:
            caller, reachable = STORIES[cell.point.partition(".")[0]](cell, exchange, gateway)
            answer = caller.answer(gateway.alive)
            seconds = max(0.0, (caller.ended or time.monotonic()) - max(reachable, caller.began))
            time.sleep(max(0.0, reachable - time.monotonic()))  # the answer may come while the store is still away
            wrong = tuple(judged(cell, exchange, gateway, caller))
        except AssertionError as failure:
            raise AssertionError(f"{failure}\n{gateway.story}") from None
        if answer.definite and seconds > RESOLVED_S[answer.word]:
            wrong += (f"{answer.word} took {seconds:.1f} s to be known, {RESOLVED_S[answer.word]:g} s are allowed",)
        return Outcome(cell, wrong, answer, seconds, f"reachable at {reachable:.3f}\n{caller.story}{gateway.story}")


def asked_again(cell, gateway):
    """What a new caller hears. On a machine with much to do it may take a few tries to be connected at all."""
    for _ in range(CONNECTS_MAX):
        with client_of(gateway.target) as client:
            again = ask(cell, client)
        if again.word != "unknown":
            break
        time.sleep(0.5)
    return again


def judged(cell, exchange, gateway, caller):
    """Everything that is not as it must be, in words."""
    answer = caller.heard[-1]
    if answer.word == "absent":
        time.sleep(AFTER_S)
    again = asked_again(cell, gateway)
    told, told_again = answer.call.told, again.call.told
    if not answer.definite:
        yield f"no definite answer, the last was {answer}"
    if cell.truth not in {"", answer.word}:
        yield f"told {answer}, and only {cell.truth} can be true"
    if (
        again.word != answer.word
        or told.venue_id != told_again.venue_id
        or again.replayed is not (again.word == "placed")
    ):
        yield f"told {answer}, and asked once more {again}"
    yield from findings(exchange, gateway, [*caller.earlier, *caller.heard, again])
    if cell.blow == "cut" and not any(
        "refused" in row for number, _ in enumerate(gateway.lives, 1) for row in gateway.log(number)
    ):
        yield "the store was cut off and nobody noticed"
    code = gateway.life.stop()
    if code != 0:
        yield f"its last life ended with {code} on SIGTERM"


class Matrix:
    """The cells asked for, under way; `home()` makes a directory."""

    def __init__(self, cells, home: Callable, nursery):
        self._pool = ThreadPoolExecutor(AT_ONCE)
        # The long ones first, or the last of them would run alone.
        ordered = sorted(cells, key=lambda cell: (cell.waits_for_its_wish, cell.truth != "placed"), reverse=True)
        self._outcomes = {cell: self._pool.submit(run, cell, home(), nursery) for cell in ordered}

    def outcome(self, cell):
        return self._outcomes[cell].result()

    def outcomes(self, word):
        """Of all cells that were told so, the quickest first; waits for them."""
        ended = [future.result() for future in self._outcomes.values() if future.exception() is None]
        return sorted((each for each in ended if each.answer.word == word), key=lambda each: each.seconds)

    def close(self):
        self._pool.shutdown(cancel_futures=True)
