"""The text of a caller's token, and the header it comes in (RFC 6750): `Bearer xs_<id>_<secret>`.

The id is public and finds the token, the secret is 256 random bits. Only the hash of the whole text is ever kept, so nothing
here remembers one, and no error repeats a word of what was sent. Whose token it is, is callers.py's.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from execsvc.ports import Entropy

HEADER = "authorization"
HEADER_MAX = 256
ID_BYTES, SECRET_BYTES = 4, 32
_TOKEN = re.compile(r"xs_([0-9a-f]{8})_[A-Za-z0-9_-]{43}", re.ASCII)
_HEADER = re.compile(r"bearer +(\S+) *", re.ASCII | re.IGNORECASE)


class MalformedHeaderError(ValueError):
    """The header is not Bearer and one token of ours; says nothing of its content."""


@dataclass(frozen=True)
class Bearer:
    """A token as it was sent, good or not."""

    id: str
    sha256: str = field(repr=False)


@dataclass(frozen=True)
class Baked:
    """A new token: `text` is shown once and kept nowhere."""

    id: str
    text: str = field(repr=False)
    sha256: str = field(repr=False)


def bearer_of(meta: Mapping[str, str]) -> Bearer | None:
    """The token a request came with; None: it came without. Raises MalformedHeaderError."""
    header = meta.get(HEADER)
    if header is None:
        return None
    found = _HEADER.fullmatch(header) if len(header) <= HEADER_MAX else None
    token = None if found is None else _TOKEN.fullmatch(found[1])
    if token is None:
        raise MalformedHeaderError("the authorization header is not `Bearer` and one token")
    return Bearer(token[1], digest(token[0]))


def bake(entropy: Entropy) -> Baked:
    """A new one."""
    token_id = entropy.token(ID_BYTES).hex()
    secret = base64.urlsafe_b64encode(entropy.token(SECRET_BYTES)).rstrip(b"=").decode()
    text = f"xs_{token_id}_{secret}"
    return Baked(token_id, text, digest(text))


def digest(text: str) -> str:
    """SHA-256 in hex: enough for a secret of 256 bits, which nobody can guess one by one."""
    return hashlib.sha256(text.encode()).hexdigest()
