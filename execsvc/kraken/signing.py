"""Signing of private calls: path, nonce and body in, headers out (kraken.md 1, "Signature").

Which nonce and when it is sent is the lane's business; nothing here remembers a call.
"""

import binascii
import hashlib
import hmac
from typing import Protocol


class Hidden(Protocol):
    """A secret that shows itself only on request (runtime.secrets.Secret)."""

    def reveal(self) -> str:
        """The text."""
        ...


class BadSecretError(ValueError):
    """The API secret is not the base64 text Kraken hands out; the message does not show it."""


class Signer:
    """Holds one key. Neither repr nor error shows any part of the secret."""

    __slots__ = ("_key", "_keyed")

    def __init__(self, key: str, secret: Hidden) -> None:
        try:
            raw = binascii.a2b_base64(secret.reveal().encode(), strict_mode=True)
        except (binascii.Error, UnicodeEncodeError):
            raise BadSecretError("the API secret is not base64") from None
        self._key = key
        self._keyed = hmac.new(raw, digestmod="sha512")  # what depends on the secret alone is reckoned once

    def __repr__(self) -> str:
        return f"<Signer of key {self.fingerprint[:8]}>"

    @property
    def fingerprint(self) -> str:
        """A name for the key that is not the key: 32 hex digits of its SHA-256."""
        return hashlib.sha256(self._key.encode()).hexdigest()[:32]

    def sign(self, path: str, nonce: int, body: bytes) -> dict[str, str]:
        """The headers of one POST; `body` are the exact bytes sent, and contain the same nonce."""
        digest = hashlib.sha256(b"%d" % nonce + body).digest()
        signature = self._keyed.copy()
        signature.update(path.encode() + digest)
        return {
            "API-Key": self._key,
            "API-Sign": binascii.b2a_base64(signature.digest(), newline=False).decode(),
            "Content-Type": "application/x-www-form-urlencoded",
        }
