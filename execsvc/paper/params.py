"""The parameters of one request, whatever encoding they came in, read by name and refused by name.

Clients send booleans in any case and as words, filters that are empty or zero, numbers as text or as JSON numbers, and
form bodies with no content type at all. Kraken takes them all, so this does too; what it cannot read is refused as
`EGeneral:Invalid arguments:<field>`.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from .figures import NS
from .words import INVALID_ARGUMENTS, Refused, bad_argument

_TRUE = {"true", "1", "yes"}
_FALSE = {"false", "0", "no", ""}
_INT32 = 1 << 31
_EXPONENT_MAX = 30
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


class Params:
    """Named values of one request; absent, null and empty are the same."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def given(self, name: str) -> bool:
        """Tell whether a value was sent."""
        return self._values.get(name) not in (None, "")

    def text(self, name: str, default: str = "") -> str:
        """Return a value as text; a list in JSON counts as comma-separated."""
        value = self._values.get(name)
        if value is None:
            return default
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, list):
            return ",".join(str(part) for part in value)
        if isinstance(value, Mapping):
            raise bad_argument(name)
        return str(value) or default

    def need(self, name: str) -> str:
        """Return a value that must be there."""
        value = self.text(name)
        if not value:
            raise bad_argument(name)
        return value

    def choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        """Return one of the allowed words."""
        value = self.text(name, default)
        if value not in allowed:
            raise bad_argument(name)
        return value

    def words(self, name: str) -> list[str]:
        """Return a comma-separated list, blanks trimmed."""
        return [part.strip() for part in self.text(name).split(",") if part.strip()]

    def names(self, name: str) -> list[str]:
        """Return a list of assets or pairs: comma-separated, a JSON list of texts, or of objects with an `asset` each."""
        value = self._values.get(name)
        if not isinstance(value, list):
            return self.words(name)
        found = [part.get("asset") if isinstance(part, Mapping) else part for part in value]
        if not all(isinstance(part, str) and part for part in found):
            raise bad_argument(name)
        return [str(part) for part in found]

    def nested(self, name: str) -> Mapping[str, Any] | None:
        """Return the JSON object of that name, or None when there is none."""
        value = self._values.get(name)
        return value if isinstance(value, Mapping) else None

    def rows(self, name: str) -> list[Mapping[str, Any]]:
        """Return a JSON list of objects; raises Refused when it is anything else."""
        value = self._values.get(name)
        if not isinstance(value, list) or not all(isinstance(row, Mapping) for row in value):
            raise bad_argument(name)
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean, written in any case: True, true, 1."""
        if not self.given(name):
            return default
        word = self.text(name).lower()
        if word not in _TRUE | _FALSE:
            raise bad_argument(name)
        return word in _TRUE

    def number(self, name: str) -> Decimal | None:
        """Return a decimal, or None when absent."""
        text = self.text(name)
        return decimal(text, name) if text else None

    def integer(self, name: str, default: int, *, low: int, high: int) -> int:
        """Return an integer within bounds."""
        text = self.text(name)
        if not text:
            return default
        try:
            value = int(text)
        except ValueError as wrong:
            raise bad_argument(name) from wrong
        if not low <= value <= high:
            raise bad_argument(name)
        return value

    def userref(self, name: str = "userref") -> int | None:
        """Return a 32-bit user reference; 0 counts as none."""
        return self.integer(name, 0, low=-_INT32, high=_INT32 - 1) or None

    def moment(self, name: str) -> int | None:
        """Return a Unix time in seconds as ns, or None when absent or 0."""
        value = self.number(name)
        return int(value * NS) if value else None


def decimal(text: str, name: str) -> Decimal:
    """Read a plain or exponent decimal; raises Refused naming the field."""
    try:
        value = Decimal(text)
    except InvalidOperation as wrong:
        raise bad_argument(name) from wrong
    if not value.is_finite() or abs(value.adjusted()) > _EXPONENT_MAX or "_" in text or text != text.strip():
        raise bad_argument(name)
    return value


def from_query(query: str) -> Params:
    """Read a query string or a form body; the first of repeated names counts."""
    values: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        values.setdefault(name, value)
    return Params(values)


def from_body(body: bytes, content_type: str) -> Params:
    """Read a private call's body: JSON when it says so or looks so, else form text, typed or not."""
    if "json" in content_type.lower() or body.lstrip()[:1] == b"{":
        try:
            values = _DECODER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
            raise Refused(INVALID_ARGUMENTS) from wrong
        if not isinstance(values, dict):
            raise Refused(INVALID_ARGUMENTS)
        return Params(values)
    try:
        return from_query(body.decode())
    except (UnicodeDecodeError, ValueError) as wrong:
        raise Refused(INVALID_ARGUMENTS) from wrong
