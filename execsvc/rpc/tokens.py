"""Opaque texts handed to callers and taken back: page tokens and resume tokens.

They hold positions, no secrets and no rights: whoever changes one gets a refusal or another page of what it may read
anyway, so a digest is enough and no key is needed. A page token is bound to the method and to the other fields of its
request (page_size may change); a resume token to the journal and the account.
"""

import base64
import binascii
import hashlib
import json

from google.protobuf.message import Message

from execsvc.domain.errors import ExecsvcError, Reason, refuse

PAGE_DEFAULT = 100
PAGE_MAX = 1000
BOUND = 2**63
Cursor = list[str | int | None]


def page_size(given: int, default: int = PAGE_DEFAULT) -> int:
    """How many entries a page has: 0 means the method's default, above 1000 is cut."""
    return min(given, PAGE_MAX) or default


def page_token(request: Message, *cursor: str | int | None) -> str:
    """The token of the page that begins after `cursor`."""
    return _pack([_bound_to(request), *cursor])


def cursor_of(request: Message, token: str, kinds: tuple[type | tuple[type, ...], ...]) -> Cursor | None:
    """The cursor in a request's page_token, each part of its kind; None on the first page. Raises PAGE_TOKEN_INVALID."""
    if not token:
        return None
    parts = _unpack(token)
    if parts is None or len(parts) != len(kinds) + 1 or parts[0] != _bound_to(request):
        raise _invalid_page()
    cursor = parts[1:]
    if not all(isinstance(part, kind) for part, kind in zip(cursor, kinds, strict=True)):
        raise _invalid_page()
    return cursor


def _bound_to(request: Message) -> str:
    bare = type(request)()
    bare.CopyFrom(request)
    bare.ClearField("page_token")
    bare.ClearField("page_size")
    named = request.DESCRIPTOR.full_name.encode() + b"\0" + bare.SerializeToString(deterministic=True)
    return hashlib.sha256(named).hexdigest()[:16]


def _invalid_page() -> ExecsvcError:
    return refuse(
        Reason.PAGE_TOKEN_INVALID, "the page token is not of this request; leave it out to start with the first page"
    )


def resume_token(journal_id: str, account: str, sequence: int | None) -> str:
    """A place in one account's part of one journal. None: before the snapshot was complete, so it is sent again."""
    return _pack([journal_id, account, sequence])


def position_of(token: str, journal_id: str, account: str) -> int | None:
    """The sequence in a resume token of this journal and account. Raises RESUME_TOKEN_EXPIRED for any other text."""
    parts = _unpack(token)
    if (
        parts is not None
        and len(parts) == len(("journal", "account", "sequence"))
        and parts[:2] == [journal_id, account]
    ):
        sequence = parts[2]
        if not isinstance(sequence, str):
            return sequence
    raise refuse(
        Reason.RESUME_TOKEN_EXPIRED,
        "the resume token is not of this server's journal; open the stream without it for a fresh snapshot",
    )


def _pack(parts: Cursor) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


def _unpack(token: str) -> Cursor | None:
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        parts = json.loads(raw)
    except (binascii.Error, ValueError, RecursionError):
        return None
    return parts if isinstance(parts, list) and all(_is_plain(part) for part in parts) else None


def _is_plain(part: object) -> bool:
    """What a cursor is made of; a number outside 64 bits would reach the store and fail there."""
    return part is None or isinstance(part, str) or (type(part) is int and 0 <= part < BOUND)
