"""Which options of an order go with which type: the matrix of contract.md section 4, as a table.

A row is an option, a column a type; a cell says under which condition the two go together, and no cell means never. What is
wrong with one field by itself is in validate.py, what a pair allows in domain/pairrules.py.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import order_pb2 as order

MARKET, LIMIT, SETTLE = "market", "limit", "settle_position"
TRIGGER, TRIGGER_LIMIT = "trigger", "trigger with limit_price"
TRAILING, TRAILING_LIMIT = "trailing_stop", "trailing_stop with limit_offset"
TYPES = (MARKET, LIMIT, TRIGGER, TRIGGER_LIMIT, TRAILING, TRAILING_LIMIT, SETTLE)
_NOT_SETTLE = TYPES[:-1]
_UNSET = frozenset({order.TIME_IN_FORCE_UNSPECIFIED})
_RESTING = _UNSET | {order.TIME_IN_FORCE_GTC, order.TIME_IN_FORCE_GTD}
_ALL = frozenset(order.TimeInForce.values())
_AT_ONCE = frozenset({order.TIME_IN_FORCE_IOC, order.TIME_IN_FORCE_FOK})


@dataclass(frozen=True)
class Cell:
    """Under which condition an option goes with a type, and what to say where it does not hold."""

    holds: Callable[[Any], bool]
    words: str


YES = Cell(lambda _: True, "")
LEVERED = Cell(lambda spec: bool(spec.leverage), "needs leverage")
SPOT_BUY = Cell(lambda spec: spec.side == common.SIDE_BUY and not spec.leverage, "market buys without leverage only")
RESTS = Cell(lambda spec: spec.time_in_force not in _AT_ONCE, "not with IOC or FOK: it could never fill")


def _size(name: str) -> Callable[[Any], bool]:
    return lambda spec: bool(spec.WhichOneof("size") == name)


def _set(name: str) -> Callable[[Any], bool]:
    return lambda spec: bool(spec.HasField(name))


# Option → whether a spec asks for it.
ASKED: Mapping[str, Callable[[Any], bool]] = {
    "quote_quantity": _size("quote_quantity"),
    "full_position": _size("full_position"),
    "limit.post_only": lambda spec: bool(spec.limit.post_only),
    "start_time": _set("start_time"),
    "reduce_only": lambda spec: bool(spec.reduce_only),
    "conditional_close": _set("conditional_close"),
}
# Option → type → cell. Base quantities, leverage, fees and self-trade prevention go with every type.
MATRIX: Mapping[str, Mapping[str, Cell]] = {
    "quote_quantity": {MARKET: SPOT_BUY},
    "full_position": {**dict.fromkeys(_NOT_SETTLE, LEVERED), SETTLE: YES},
    "limit.post_only": {LIMIT: RESTS},
    "start_time": dict.fromkeys(_NOT_SETTLE, YES),
    "reduce_only": dict.fromkeys(TYPES, LEVERED),
    "conditional_close": dict.fromkeys(_NOT_SETTLE, YES),
}
TIMES_IN_FORCE: Mapping[str, frozenset[int]] = {
    MARKET: _UNSET,
    LIMIT: _ALL,
    TRIGGER: _RESTING,
    TRIGGER_LIMIT: _ALL,
    TRAILING: _RESTING,
    TRAILING_LIMIT: _ALL,
    SETTLE: _UNSET,
}
NEVER = {"quote_quantity": SPOT_BUY.words}
Found = Iterator[tuple[str, str]]


def type_of(spec: Any) -> str | None:
    """The column of a spec; None where no type is set."""
    kind: str | None = spec.WhichOneof("order_type")
    if kind == TRIGGER and spec.trigger.HasField("limit_price"):
        return TRIGGER_LIMIT
    if kind == TRAILING and spec.trailing_stop.HasField("limit_offset"):
        return TRAILING_LIMIT
    return kind


def mismatches(spec: Any) -> Found:
    """What does not go together in an OrderSpec: field and words, every one of them."""
    kind = type_of(spec)
    yield from _in_force(spec, kind)
    if kind == SETTLE and not spec.leverage:
        yield "leverage", "required with settle_position"
    for option, cells in MATRIX.items():
        if not ASKED[option](spec):
            continue
        cell = cells.get(kind) if kind is not None else next(iter(cells.values()))
        if cell is None:
            yield option, NEVER.get(option, f"not with {kind}")
        elif not cell.holds(spec):
            yield option, cell.words


def _in_force(spec: Any, kind: str | None) -> Found:
    allowed = _ALL if kind is None else TIMES_IN_FORCE[kind]
    if spec.time_in_force not in allowed:
        names = [
            name.removeprefix("TIME_IN_FORCE_") for name, each in order.TimeInForce.items() if each and each in allowed
        ]
        yield "time_in_force", f"with {kind} leave it unset" if not names else f"with {kind} one of {', '.join(names)}"
    gtd = spec.time_in_force == order.TIME_IN_FORCE_GTD
    if gtd is not spec.HasField("expire_time"):
        yield "expire_time", "required with TIME_IN_FORCE_GTD" if gtd else "only with TIME_IN_FORCE_GTD"
