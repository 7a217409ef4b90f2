"""The exchange's own reading of keys: signature, nonce, permissions, WebSocket tokens.

Written from Kraken's authentication page, in its words: API-Sign is the base64 of HMAC-SHA512, keyed with the decoded
secret, over the path and the SHA-256 of nonce and body. A nonce rises for ever; a key's window, 0 by default,
lets an unused one slightly below the highest pass. A nonce is spent once key and signature hold, whatever follows.
"""

import base64
import hashlib
import hmac
import random
import string
from collections.abc import Mapping
from dataclasses import dataclass, field

from .figures import NS
from .words import INVALID_KEY, INVALID_NONCE, INVALID_SESSION, INVALID_SIGNATURE, PERMISSION_DENIED, Refused

PERMISSIONS = (
    "query-funds",
    "query-open-trades",
    "query-closed-trades",
    "modify-trades",
    "close-trades",
    "query-ledger",
    "create-ws-token",
)
FIRST = "paper"  # the account that is always there, and that a key is of when nobody says
_NONCE_MAX = (1 << 64) - 1
_NONCE_DIGITS = 20
_TOKEN_LIFE_S = 900
_TOKENS_MAX = 1000
_SECRET_BYTES = 64
_KEY_LENGTH = 56
_KEY_MARK = "PAPER"


def signature(secret: bytes, path: str, nonce: str, body: bytes) -> str:
    """Return the API-Sign of a request; `secret` is the decoded one, `body` the exact bytes sent."""
    digest = hashlib.sha256(nonce.encode() + body).digest()
    return base64.b64encode(hmac.digest(secret, path.encode() + digest, "sha512")).decode()


@dataclass(slots=True)
class Key:
    """One API key of one account. `nonce` is the highest spent; `spent` are those inside the window."""

    name: str
    api_key: str
    api_secret: str = field(repr=False)
    permissions: tuple[str, ...]
    created: int
    nonce_window: int = 0
    account: str = FIRST
    nonce: int = 0
    last_used: int = 0
    spent: set[int] = field(default_factory=set, repr=False)

    def may(self, *permissions: str) -> None:
        """Raise Refused unless the key has one of these permissions; none asked means any key will do."""
        if permissions and not set(permissions) & set(self.permissions):
            raise Refused(PERMISSION_DENIED)

    def spend(self, text: str) -> int:
        """Check and spend a nonce; raises Refused when it is no unsigned 64-bit number, too low or used."""
        if not (text.isascii() and text.isdigit() and len(text) <= _NONCE_DIGITS) or int(text) > _NONCE_MAX:
            raise Refused(INVALID_NONCE)
        nonce = int(text)
        if nonce <= self.nonce and (nonce <= self.nonce - self.nonce_window or nonce in self.spent):
            raise Refused(INVALID_NONCE)
        self.nonce = max(self.nonce, nonce)
        if self.nonce_window:
            self.spent = {used for used in self.spent if used > self.nonce - self.nonce_window} | {nonce}
        return nonce


@dataclass(slots=True)
class Token:
    """A WebSocket token: of which key, and until when it may be used for the first time."""

    key: Key
    expires: int
    used: bool = False


class Keyring:
    """All keys, of whichever account, and the tokens made with them."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._keys: dict[str, Key] = {}
        self._tokens: dict[str, Token] = {}

    def make(
        self, name: str, permissions: tuple[str, ...], *, now: int, nonce_window: int = 0, account: str = FIRST
    ) -> Key:
        """Make a key. It starts with PAPER, so that nobody takes it for a real one."""
        tail = "".join(self._rng.choices(string.ascii_letters + string.digits, k=_KEY_LENGTH - len(_KEY_MARK)))
        secret = base64.b64encode(self._rng.randbytes(_SECRET_BYTES)).decode()
        key = Key(name, _KEY_MARK + tail, secret, permissions, now, nonce_window, account)
        self._keys[key.api_key] = key
        return key

    def all(self) -> list[Key]:
        """Return the keys, oldest first."""
        return list(self._keys.values())

    def verify(self, headers: Mapping[str, str], targets: tuple[str, ...], nonce: str, body: bytes) -> Key:
        """Return the key that signed this request for one of the `targets`; raises Refused otherwise."""
        key = self._keys.get(headers.get("api-key", ""))
        if key is None:
            raise Refused(INVALID_KEY)
        given = headers.get("api-sign", "").encode(errors="replace")
        secret = base64.b64decode(key.api_secret)
        if not any(hmac.compare_digest(signature(secret, target, nonce, body).encode(), given) for target in targets):
            raise Refused(INVALID_SIGNATURE)
        return key

    def issue(self, token: str, key: Key, now: int) -> int:
        """Remember a token of this key; returns the seconds it stays good if unused."""
        self._tokens = {text: kept for text, kept in self._tokens.items() if kept.used or kept.expires > now}
        if len(self._tokens) >= _TOKENS_MAX:
            del self._tokens[next(iter(self._tokens))]
        self._tokens[token] = Token(key, now + _TOKEN_LIFE_S * NS)
        return _TOKEN_LIFE_S

    def revoke(self, token: object) -> None:
        """Let a token be worth nothing from now on."""
        if isinstance(token, str):
            self._tokens.pop(token, None)

    def holder(self, token: object) -> str:
        """Return the API key a token was made with, or nothing; the token is not used by that."""
        kept = self._tokens.get(token) if isinstance(token, str) else None
        return "" if kept is None else kept.key.api_key

    def redeem(self, token: object, now: int) -> Key:
        """Return the key of a token. Once used it stays good; unused it is good for 15 minutes."""
        kept = self._tokens.get(token) if isinstance(token, str) else None
        if kept is None or not (kept.used or kept.expires > now):
            raise Refused(INVALID_SESSION)
        kept.used = True
        return kept.key
