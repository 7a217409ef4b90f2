"""Secrets of every kind as tests draw them, and every form that the watch for secrets knows them in."""

import base64
from urllib.parse import quote

from hypothesis import strategies as st

from tests.support.canary import KEY, SECRET, TOKEN

LETTERS = st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
KEYS = st.text(LETTERS, min_size=51, max_size=51).map("PAPER".__add__)
SOCKET_TOKENS = st.text(LETTERS, min_size=38, max_size=38).map("PAPER".__add__)
SECRETS = st.binary(min_size=64, max_size=64).map(lambda raw: base64.b64encode(raw).decode())
TOKENS = st.binary(min_size=32, max_size=32).map(
    lambda raw: f"xs_{raw[:4].hex()}_" + base64.urlsafe_b64encode(raw).decode().rstrip("=")
)
KINDS = st.one_of(
    KEYS.map(lambda text: (KEY, text)),
    SOCKET_TOKENS.map(lambda text: (KEY, text)),
    SECRETS.map(lambda text: (SECRET, text)),
    TOKENS.map(lambda text: (TOKEN, text)),
)
FORMS = {
    "plain": lambda text: text,
    "quoted": repr,
    "percent-encoded": lambda text: quote(text, safe=""),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "hex": lambda text: text.encode().hex(),
    "HEX": lambda text: text.encode().hex().upper(),
}
