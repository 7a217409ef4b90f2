"""Identifiers: who places, what the caller calls it, and what Kraken is told instead.

The id that goes to Kraken is derived, never the caller's text: two callers cannot collide, names do not leak, and a lost
journal can recompute it (promises.md section 3). Generating random ids is not done here: nothing in the domain draws.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from uuid import UUID

_CLIENT_ORDER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)
EXTERNAL_PREFIX = "ext-"


def client_order_id_problem(text: str) -> str | None:
    """What is wrong with a caller's order id, or None. The rule is contract.md section 2."""
    if not text:
        return "required: choose one id per intent and use it again on every repeat"
    if not _CLIENT_ORDER_ID.fullmatch(text):
        return "1 to 64 characters of A-Z a-z 0-9 . _ : - and a letter or digit first"
    if text.startswith(EXTERNAL_PREFIX):
        return f'must not start with "{EXTERNAL_PREFIX}": that marks orders placed outside execsvc'
    return None


@dataclass(frozen=True, order=True)
class OrderKey:
    """The idempotency key: unique for ever per (account, caller, client order id)."""

    account: str
    caller: str
    client_order_id: str

    def __str__(self) -> str:
        return f"{self.account}/{self.caller}/{self.client_order_id}"


@dataclass(frozen=True)
class OrderRef:
    """How a request names an order: exactly one of the two ids is set; `caller` empty means oneself."""

    client_order_id: str = ""
    venue_order_id: str = ""
    caller: str = ""

    def __str__(self) -> str:
        return self.client_order_id or self.venue_order_id

    def key_for(self, account: str, caller: str) -> OrderKey | None:
        """What that caller means by it; None where Kraken's id is given. An order placed elsewhere is nobody's."""
        if not self.client_order_id:
            return None
        elsewhere = self.client_order_id.startswith(EXTERNAL_PREFIX)
        return OrderKey(account, "" if elsewhere else self.caller or caller, self.client_order_id)


def wire_id(installation_secret: bytes, key: OrderKey, attempt: int) -> str:
    """The `cl_ord_id` sent to Kraken: a UUIDv4-shaped HMAC of key and attempt, first 32 bits the installation's tag."""
    tag = hmac.digest(installation_secret, b"installation", hashlib.sha256)[:4]
    named = "|".join((key.account, key.caller, key.client_order_id, str(attempt))).encode()
    digest = hmac.digest(installation_secret, named, hashlib.sha256)
    return str(UUID(bytes=tag + digest[:12], version=4))
