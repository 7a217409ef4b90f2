"""Domain values as text and back: one canonical JSON form for every engine, exact both ways.

Decimals are strings with their scale, enums their values, bytes base64. Growth is by fields with a default: a row that
was written before a field existed decodes to that default, and a field this build does not know is passed over. A field
is therefore never renamed or given another meaning; that takes a migration that rewrites the rows.
"""

from dataclasses import MISSING, dataclass, fields
from operator import attrgetter
from typing import TypeVar

import msgspec

from execsvc.domain.account import Fill
from execsvc.domain.amend import Amend
from execsvc.domain.errors import Broken, Fault, Reason
from execsvc.domain.ids import OrderKey
from execsvc.domain.modes import ModeEntry
from execsvc.domain.order import Order
from execsvc.domain.story import Step

T = TypeVar("T")


_ENCODER = msgspec.json.Encoder(order="deterministic", decimal_format="string")
_ORDER = msgspec.json.Decoder(Order)
_FILL = msgspec.json.Decoder(Fill)
_AMEND = msgspec.json.Decoder(Amend)
_MODE = msgspec.json.Decoder(ModeEntry)
_STEPS = msgspec.json.Decoder(tuple[Step, ...])


@dataclass(frozen=True)
class _Keyed:
    """Of an order's text only whose it is; the rest is passed over."""

    key: OrderKey


_KEY = msgspec.json.Decoder(_Keyed)

# A story is long and its steps say little each: what is as by default is not written.
_SHORT_STEP = msgspec.defstruct(
    "Step",
    [
        (part.name, part.type) if part.default is MISSING else (part.name, part.type, part.default)
        for part in fields(Step)
    ],
    omit_defaults=True,
)
_parts_of_step = attrgetter(*[part.name for part in fields(Step)])


def text_of_steps(steps: tuple[Step, ...]) -> str:
    """The JSON of a piece of a story. Raises Broken as text_of()."""
    return text_of(tuple([_SHORT_STEP(*_parts_of_step(step)) for step in steps]))


def text_of(value: Order | Fill | Amend | ModeEntry | tuple[msgspec.Struct, ...] | str) -> str:
    """The canonical JSON of a value. Raises Broken for text that is no Unicode (a lone surrogate)."""
    try:
        return _ENCODER.encode(value).decode()
    except UnicodeEncodeError as error:
        raise _broken(f"a {type(value).__name__} cannot be written: {error}") from error


def order_of(text: str) -> Order:
    """The order that was written as `text`. Raises Broken when it is not one."""
    return _read(_ORDER, text)


def key_of(text: str) -> OrderKey:
    """The key of the order that was written as `text`. Raises Broken when it is not one."""
    return _read(_KEY, text).key


def fill_of(text: str) -> Fill:
    """The fill that was written as `text`. Raises Broken when it is not one."""
    return _read(_FILL, text)


def amend_of(text: str) -> Amend:
    """The amend that was written as `text`. Raises Broken when it is not one."""
    return _read(_AMEND, text)


def mode_of(text: str) -> ModeEntry:
    """The trading mode that was written as `text`. Raises Broken when it is not one."""
    return _read(_MODE, text)


def steps_of(text: str) -> tuple[Step, ...]:
    """The steps that were written as `text`. Raises Broken when they are none."""
    return _read(_STEPS, text)


def _read(decoder: "msgspec.json.Decoder[T]", text: str) -> T:
    try:
        return decoder.decode(text)
    except msgspec.MsgspecError as error:
        raise _broken(f"a stored record cannot be read: {error}") from error


def _broken(message: str) -> Broken:
    return Broken(Fault(Reason.INTERNAL, message))
