"""How long certificates are valid, read from their PEM text: the one thing the standard library will not tell of our own.

A reader of five fields of X.509's DER form (RFC 5280, section 4.1), no more: whether a certificate is trusted, whose it is
and whether its key fits is OpenSSL's judgement (tls.py).
"""

import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime

_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _VERSION, _UTC_TIME, _GENERAL_TIME = 0x30, 0xA0, 0x17, 0x18
_LONG_FORM, _LENGTH_BYTES_MAX = 0x80, 4
_CENTURY_TURN = 50  # RFC 5280: two-digit years from 50 on are of the twentieth century
_BEFORE_VALIDITY = 3  # serial number, signature algorithm, issuer
_NS = 10**9


class Unreadable(ValueError):
    """Not certificates in PEM."""


@dataclass(frozen=True)
class Validity:
    """From when to when, in nanoseconds of the wall clock."""

    from_ns: int
    until_ns: int


def validities(pem: str) -> tuple[Validity, ...]:
    """Of every certificate of a chain, the leaf first. Raises Unreadable, also where there is none."""
    blocks: list[str] = _BLOCK.findall(pem)
    if not blocks:
        raise Unreadable("no certificate in it: wanted PEM, -----BEGIN CERTIFICATE-----")
    return tuple(_validity(block) for block in blocks)


def _validity(block: str) -> Validity:
    try:
        signed = _inside(ssl.PEM_cert_to_DER_cert(block), 0, _SEQUENCE)
        body = _inside(signed, 0, _SEQUENCE)
        at = _after(body, 0) if body[0] == _VERSION else 0
        for _ in range(_BEFORE_VALIDITY):
            at = _after(body, at)
        times = _inside(body, at, _SEQUENCE)
        return Validity(_time(times, 0), _time(times, _after(times, 0)))
    except (ValueError, IndexError) as failure:
        raise Unreadable("a certificate in it cannot be read") from failure


def _span(der: bytes, at: int) -> tuple[int, int]:
    """Where the content of the element at `at` begins and ends."""
    length, begins = der[at + 1], at + 2
    if length & _LONG_FORM:
        count = length & ~_LONG_FORM
        if not 0 < count <= _LENGTH_BYTES_MAX:
            raise ValueError("a length that no certificate has")
        length, begins = int.from_bytes(der[begins : begins + count]), begins + count
    if begins + length > len(der):
        raise ValueError("cut off")
    return begins, begins + length


def _inside(der: bytes, at: int, tag: int) -> bytes:
    if der[at] != tag:
        raise ValueError("another element than wanted")
    begins, ends = _span(der, at)
    return der[begins:ends]


def _after(der: bytes, at: int) -> int:
    return _span(der, at)[1]


def _time(der: bytes, at: int) -> int:
    tag = der[at]
    text = _inside(der, at, tag).decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if int(text[:2]) >= _CENTURY_TURN else "20") + text
    elif tag != _GENERAL_TIME:
        raise ValueError("not a time")
    return int(datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()) * _NS
