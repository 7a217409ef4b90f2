"""Tokens for tests: baked ones with their text, and the port's double that holds them."""

from execsvc.domain.rights import NO_BOUNDS, rights_of
from execsvc.domain.token import Token
from execsvc.rpc.bearer import bake
from execsvc.runtime.entropy import RealEntropy
from execsvc.runtime.secrets import Secret
from execsvc.runtime.tokenfile import create

BORN_NS = 1_790_000_000 * 10**9


def baked(caller, *words, bounds=NO_BOUNDS, expires_ns=None, default="", note=""):
    """A token and its text."""
    made = bake(RealEntropy())
    token = Token(made.id, caller, made.sha256, BORN_NS, expires_ns, rights_of(words, bounds, default), note)
    return token, made.text


def bearer(text):
    """The header a caller sends it in."""
    return {"authorization": f"Bearer {text}"}


def sent(text):
    """The same as a gRPC client's metadata."""
    return tuple(bearer(text).items())


class TokensDouble:
    """The port's double: a test puts tokens in and takes them away."""

    def __init__(self, *tokens):
        self.revision = 0
        self.problem = ""
        self.uses = []
        self.put(*tokens)

    def put(self, *tokens):
        """These and no other."""
        self._tokens = {each.id: each for each in tokens}
        self.revision += 1

    def find(self, token_id):
        return self._tokens.get(token_id)

    def has(self, caller):
        return any(each.caller == caller for each in self._tokens.values())

    def used(self, token_id):
        self.uses.append(token_id)

    def __len__(self):
        return len(self._tokens)


def token_file(path, *tokens):
    """A file of tokens as the first start writes it."""
    assert create(path, tokens, {"admin.token": Secret("xs_test")})
    return path
