"""Domain values as text and back: one canonical JSON form for every engine, exact both ways.

Decimals are strings with their scale, enums their values, bytes base64. Growth is by fields with a default: a row that
was written before a field existed decodes to that default, and a field this build does not know is passed over. A field
is therefore never renamed or given another meaning; that takes a migration that rewrites the rows.
"""

from typing import TypeVar

import msgspec

from execsvc.domain.account import Fill
from execsvc.domain.errors import Broken, Fault, Reason
from execsvc.domain.order import Order

T = TypeVar("T")


_ENCODER = msgspec.json.Encoder(order="deterministic", decimal_format="string")
_ORDER = msgspec.json.Decoder(Order)
_FILL = msgspec.json.Decoder(Fill)


def text_of(value: Order | Fill) -> str:
    """The canonical JSON of a value. Raises Broken for text that is no Unicode (a lone surrogate)."""
    try:
        return _ENCODER.encode(value).decode()
    except UnicodeEncodeError as error:
        raise _broken(f"a {type(value).__name__} cannot be written: {error}") from error


def order_of(text: str) -> Order:
    """The order that was written as `text`. Raises Broken when it is not one."""
    return _read(_ORDER, text)


def fill_of(text: str) -> Fill:
    """The fill that was written as `text`. Raises Broken when it is not one."""
    return _read(_FILL, text)


def _read(decoder: "msgspec.json.Decoder[T]", text: str) -> T:
    try:
        return decoder.decode(text)
    except msgspec.MsgspecError as error:
        raise _broken(f"a stored record cannot be read: {error}") from error


def _broken(message: str) -> Broken:
    return Broken(Fault(Reason.INTERNAL, message))
