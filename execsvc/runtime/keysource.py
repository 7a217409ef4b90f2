"""Where an API key and its secret come from: a systemd credential, else a file, else the environment (promises.md 9).

What the environment holds is taken out of it at once, so that no child inherits it; the kernel goes on showing it to the
same user in /proc/<pid>/environ, which is why that source is warned about. Nothing here knows what a good key is.
"""

import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from execsvc.runtime.secrets import Secret, SecretFileError, read_secret

FOLDER = "CREDENTIALS_DIRECTORY"  # systemd: LoadCredential=, LoadCredentialEncrypted=
_WORD = re.compile(r"[!-~]+")


class Part(Enum):
    """Which half; its value is the environment's name for it, and with _FILE that of its file."""

    KEY = "KRAKEN_API_KEY"
    SECRET = "KRAKEN_API_SECRET"  # noqa: S105  a name, not a secret

    @property
    def credential(self) -> str:
        """The credential's name; `-ACCOUNT` follows where there are several accounts."""
        return self.value.lower().replace("_", "-")


class KeyMissing(Exception):
    """No source has it, or the one that comes first cannot be used; the message says which and what to do."""


@dataclass(frozen=True)
class Found:
    """One half, and where it was found, in words."""

    secret: Secret
    source: str
    exposed: bool = False


def take_from(environ: Mapping[str, str]) -> dict[Part, Secret]:
    """What the environment holds, taken out of it whether it will be used or not."""
    taken = {}
    for part in Part:
        text = environ.get(part.value, "").strip()
        if text:
            taken[part] = Secret(text)
        if isinstance(environ, MutableMapping):
            environ.pop(part.value, None)
    return taken


def find(
    part: Part,
    *,
    account: str,
    alone: bool,
    file: Path | None,
    environ: Mapping[str, str],
    taken: Mapping[Part, Secret],
) -> Found:
    """One half of an account's key. Raises KeyMissing.

    alone: the account may have what names no account, a plain credential or the environment's. A credential outranks a
    file, a file the environment. One that is there and cannot be used is told, never passed over.
    """
    names = (f"{part.credential}-{account}", part.credential) if alone else (f"{part.credential}-{account}",)
    folder = environ.get(FOLDER, "")
    for name in names if folder else ():
        if _may_be_there(Path(folder) / name):
            return Found(_read(f"credential {name}", Path(folder) / name), f"credential {name}")
    if file is not None:
        return Found(_read(f"{part.value}_FILE", file), f"file {file}")
    if alone and part in taken:
        return Found(_word(part.value, taken[part]), "environment", exposed=True)
    ways = [f"a systemd credential {names[0]}", f"{part.value}_FILE" if alone else "a file of its own"]
    raise KeyMissing(f"{part.value} is missing: give it as {' or '.join(ways)}")


def _may_be_there(path: Path) -> bool:
    """A folder that cannot be looked into may hold it: then reading says why it cannot be read."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _read(name: str, path: Path) -> Secret:
    try:
        secret = read_secret(path)
    except SecretFileError as failure:
        raise KeyMissing(f"{name}: {failure}") from None
    return _word(f"{name}: {path}", secret)


def _word(name: str, secret: Secret) -> Secret:
    """A key is one word of visible ASCII; a line break in it would end up between the headers of a request."""
    if _WORD.fullmatch(secret.reveal()):
        return secret
    raise KeyMissing(f"{name}: not one word of letters, digits and signs, as Kraken shows it")
