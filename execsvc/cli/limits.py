"""The verb `limits`: what the caller is held to, how full Kraken's counters are, and what may go now.

Asks the gateway, never Kraken. The counters and the answers are the gateway's; how far apart calls come once a counter is
full is worked out here, from its decay.
"""

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from execsvc.cli.options import Account, Output, Target, Timeout, complete_symbol, talk
from execsvc.cli.output import Form, form_for, put_json, put_pairs, put_rows

if TYPE_CHECKING:
    from execsvc_client import CallerLimit, Capacity, Client, Counter, Limits

QUESTIONS_MAX = 50  # of one request
POINTS = Decimal(1)  # docs/kraken.md 3: what a placement and a plain read cost
_CENT = Decimal("0.01")
_BY_DAY = frozenset({"max_daily_notional", "max_daily_loss"})
_LIMIT_HEADS = ("limit", "used", "of", "for the orders of", "")
_HEADS = ("counter", "level", "max", "decay/s", "headroom", "open", "of", "room")


def limits(
    symbols: Annotated[
        list[str] | None,
        typer.Argument(metavar="SYMBOL", help="Pairs; absent: every pair used so far.", autocompletion=complete_symbol),
    ] = None,
    account: Account = "",
    target: Target = "",
    timeout: Timeout = None,
    output: Output = None,
) -> None:
    """Show the limits that you are held to, Kraken's counters as they are counted here, and what may go now."""
    form = form_for(output)

    async def work(client: "Client") -> "Limits":
        from execsvc_client import CallClass, CapacityQuery, CounterKind

        pairs = list(symbols or ())
        if not pairs:
            used = await client.limits(timeout=timeout)
            pairs = [each.name for each in used.counters if each.kind == CounterKind.ENGINE_PAIR]
        reads = CapacityQuery(CallClass.READ)
        places = [CapacityQuery(CallClass.PLACE, each) for each in pairs[: QUESTIONS_MAX - 1]]
        return await client.limits(pairs, queries=[reads, *places], timeout=timeout)

    found = talk(target, work, account=account)
    if form is Form.TABLE:
        _put_limits(found)
        return
    from execsvc_client.raw import to_json

    put_json(to_json(found), lines=form is Form.JSONL)


def _put_limits(found: "Limits") -> None:
    put_pairs((("tier", found.tier),))
    if found.caller_limits:
        put_rows(_LIMIT_HEADS, map(_limit_row, found.caller_limits))
    answers = {each.query.symbol: each for each in found.answers}
    put_rows(_HEADS, (_row(each, answers) for each in found.counters))


def _row(counter: "Counter", answers: "dict[str, Capacity]") -> Sequence[object]:
    of_a_pair = counter.kind.name == "ENGINE_PAIR"
    answer = answers.get(counter.name if of_a_pair else "")
    return (
        counter.name if of_a_pair else f"key {counter.name}",
        counter.level.quantize(_CENT, ROUND_CEILING),
        counter.maximum,
        counter.decay_per_second,
        counter.headroom.quantize(_CENT, ROUND_FLOOR),
        counter.open_orders if of_a_pair else None,
        counter.max_open_orders if of_a_pair else None,
        "" if answer is None else room(counter, answer, "order" if of_a_pair else "read"),
    )


def _limit_row(limit: "CallerLimit") -> Sequence[object]:
    """The same limit may hold twice, for whom is what tells the two apart: in the words of a refusal's `scope`."""
    whose = f"caller {limit.caller}" if limit.caller else "every caller"
    scope = f"{whose}, {limit.symbol or 'every pair'}"
    until = "until 00:00 UTC" if limit.name in _BY_DAY else ""
    said = ", ".join(filter(None, (until, "only observed" if limit.shadow else "")))
    return (limit.name, limit.used, limit.limit, scope, said)


def room(counter: "Counter", answer: "Capacity", what: str) -> str:
    """What may go, in words: "8 orders now, or one every 0.43 s"."""
    if counter.blocked_until is not None:
        return f"none: blocked until {counter.blocked_until:%H:%M:%S} UTC"
    if answer.wait is None:
        full = counter.max_open_orders and counter.open_orders >= counter.max_open_orders
        return "none: too many open orders" if full else "none: not before a person has looked"
    pace = f"one every {POINTS / counter.decay_per_second:.2f} s" if counter.decay_per_second else ""
    if not answer.allowed_now:
        return ", then ".join(filter(None, (f"none now, one in {answer.wait:.2f} s", pace)))
    now = f"{answer.allowed_now} {what}{'' if answer.allowed_now == 1 else 's'} now"
    return ", or ".join(filter(None, (now, pace)))
