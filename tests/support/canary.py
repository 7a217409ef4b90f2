"""Finds secrets in bytes: the keys, tokens and signatures that tests use are recognised by their form, whoever made them.

Looked for as they are, percent-encoded, in base64 and in hex. In a compiled program "Bearer " is no sign of a secret: its
words stand side by side without ends. Where texts come from, and what a find does to a run, is canary_watch.py's.
"""

import base64
import binascii
import re
from dataclasses import dataclass

# What each looks like: the paper exchange marks its own, Kraken's secrets and every API-Sign are 64 bytes in base64.
_KEY = re.compile(rb"PAPER[A-Za-z0-9]{38,51}")
_BASE64_64 = re.compile(rb"[A-Za-z0-9+/]{86}")
_TOKEN = re.compile(rb"xs_[0-9a-f]{8}_[A-Za-z0-9_-]{43}")
_BEARER = re.compile(rb"[ \t]+[A-Za-z0-9._~+/-]{16,}")
_AROUND = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")

_PERCENT = re.compile(rb"%(2[BbFf]|3[Dd])")
_HEX = re.compile(rb"[0-9A-Fa-f]{86,}")
_STANDARD = bytes.maketrans(b"-_", b"+/")
_MASK = bytes(1 if byte in _AROUND or byte in b"-_" else 0 for byte in range(256))
_RUN = b"\1" * 58  # the shortest secret, 43 letters, in base64

# How a compiled program or a part of one begins: ELF, an archive of objects, Mach-O of either order and size, and of several
# processors (Java's classes too), WebAssembly. Windows' say where their own mark stands; a core dump is ELF, but memory.
_PROGRAMS = (
    b"\x7fELF", b"!<arch>\n", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe", b"\0asm",
)  # fmt: skip
_CORE = {b"\4\0", b"\0\4"}

KEY, SECRET, TOKEN, BEARER = "API key or WebSocket token", "API secret or API-Sign", "caller token", "authorization"


@dataclass(frozen=True)
class Find:
    """One secret: of which kind, how it was written, and the text before it (never itself)."""

    kind: str
    form: str
    before: str


class Known:
    """The secrets that have no form of their own, decoded: found in hex only if they were registered."""

    def __init__(self):
        self._raw = set()

    def add(self, secret):
        """An API secret as Kraken shows it: base64."""
        self._raw.add(base64.b64decode(secret))

    def within(self, data):
        return any(data[at : at + 64] in self._raw for at in range(max(len(data) - 63, 0)))


KNOWN = Known()


def finds(text):
    """Every secret in a text or in bytes."""
    data = text.encode(errors="surrogatepass") if isinstance(text, str) else text
    found = list(_plain(data, "plain"))
    if _PERCENT.search(data):
        found += _plain(_PERCENT.sub(lambda match: binascii.a2b_hex(match[1]), data), "percent-encoded")
    for begin, end in _runs(data):
        found += _in_base64(data, begin, end)
        for digits in _HEX.finditer(data, begin, end):
            found += _in_hex(data, digits)
    return list(dict.fromkeys(found))


def finds_in_file(content):
    """Every secret in the content of a file; in a compiled program only those that have a form."""
    program = is_program(content)
    return [found for found in finds(content) if not (program and found.kind == BEARER)]


def is_program(content):
    """Whether these bytes are a compiled program, or a part of one, by the mark that it begins with."""
    if content.startswith(b"MZ"):
        at = int.from_bytes(content[60:64], "little")
        return content[at : at + 4] == b"PE\0\0"
    return content.startswith(_PROGRAMS) and not (content.startswith(b"\x7fELF") and content[16:18] in _CORE)


def is_one_secret(text):
    """Whether this is a secret and nothing else: what a file holds that is there to keep one."""
    data = text.strip()
    return bool(_KEY.fullmatch(data) or _TOKEN.fullmatch(data)) or (
        data.endswith(b"==") and bool(_BASE64_64.fullmatch(data[:-2]))
    )


def _plain(data, form):
    for at in _places(data, b"PAPER"):
        if _KEY.match(data, at):
            yield _find(KEY, form, data, at)
    for at in _places(data, b"=="):
        begin = at - 86
        if begin >= 0 and _BASE64_64.fullmatch(data, begin, at) and (begin == 0 or data[begin - 1] not in _AROUND):
            yield _find(SECRET, form, data, begin)
    for at in _places(data, b"xs_"):
        if _TOKEN.match(data, at):
            yield _find(TOKEN, form, data, at)
    for word in (b"Bearer", b"bearer"):
        for at in _places(data, word):
            if _BEARER.match(data, at + len(word)):
                yield _find(BEARER, form, data, at)


def _runs(data):
    """Where letters of base64 (and so of hex) stand in a row, long enough to be a secret."""
    mask = data.translate(_MASK)
    begin = mask.find(_RUN)
    while begin >= 0:
        end = mask.find(b"\0", begin)
        end = len(data) if end < 0 else end
        yield begin, end
        begin = mask.find(_RUN, end)


def _in_base64(data, begin, end):
    """Also where the run began with other letters: base64 falls apart in fours."""
    letters = data[begin:end].translate(_STANDARD)
    for skipped in range(4):
        whole = letters[skipped:-1] if (len(letters) - skipped) % 4 == 1 else letters[skipped:]
        for within in _plain(binascii.a2b_base64(whole + b"=" * (-len(whole) % 4)), "base64"):
            yield _find(within.kind, "base64", data, begin)


def _in_hex(data, digits):
    for skipped in range(2):
        inside = binascii.a2b_hex(digits[0][skipped : len(digits[0]) - (len(digits[0]) - skipped) % 2])
        for within in _plain(inside, "hex"):
            yield _find(within.kind, "hex", data, digits.start())
        if KNOWN.within(inside):
            yield _find(SECRET, "hex", data, digits.start())


def _places(data, mark):
    at = data.find(mark)
    while at >= 0:
        yield at
        at = data.find(mark, at + 1)


def _find(kind, form, data, at):
    return Find(kind, form, data[max(at - 40, 0) : at].decode(errors="replace").replace("\n", " "))
