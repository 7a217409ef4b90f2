"""One setting's text into its value, with every problem kept instead of raised.

The bounds come from the table of names; a problem begins with the place and the value as they were said.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from execsvc.domain import money
from execsvc.settings.names import SERVER, Name
from execsvc.settings.sources import Sources
from execsvc.settings.values import Address, Mode, is_loopback

INTEGER_DIGITS = 18
PORT_MAX = 65535


class Scalars:
    """Reads; `problems` grows, and `unfit` by the parts of the settings that have one."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self.problems: list[str] = list(sources.problems)
        self.unfit: set[str] = set()

    @contextmanager
    def part(self, part: str, *names: str) -> Iterator[None]:
        """What is read within is that part; it is unfit if there is a problem of it, or one of the names was said garbled."""
        before = len(self.problems)
        yield
        if len(self.problems) > before or self._sources.garbled & {*names}:
            self.unfit.add(part)

    def has(self, name: str) -> bool:
        """Whether anybody said it."""
        return name in self._sources.said

    def text(self, name: str) -> str:
        """As it was said; empty when nobody did."""
        return self._sources.said[name].text if self.has(name) else ""

    def outranks_the_file(self, name: str) -> bool:
        """Whether environment or command line said it."""
        return self.has(name) and not self._sources.said[name].in_file

    def problem(self, text: str) -> None:
        """One more."""
        self.problems.append(text)

    def wrong(self, name: str, why: str) -> None:
        """One more, about a value that was given."""
        self.problem(f"{self.said(name)}: {why}")

    def said(self, name: str, otherwise: str = "") -> str:
        """The setting as it was said, with its place; where nobody said it, what it comes to."""
        said = self._sources.said.get(name)
        return str(said) if said is not None else f"{name}={otherwise}" if otherwise else name

    def head(self, name: str) -> str:
        """The setting with its place and without what was said, which is long, or may hold what nobody should see."""
        said = self._sources.said.get(name)
        return f"{said.place}: {said.key}" if said is not None and said.in_file else name

    def key(self, name: str) -> str:
        """The setting as its reader knows it: by the file's key where there is a file and nobody else said it."""
        in_file = self._sources.file is not None and bool(SERVER[name].file_key) and not self.outranks_the_file(name)
        return SERVER[name].file_key if in_file else name

    def choice(self, name: str, default: str) -> str:
        """One of the table's words."""
        allowed, value = SERVER[name].choices, self.text(name).lower() or default
        if value not in allowed:
            self.wrong(name, f"must be one of {', '.join(allowed)}")
            return default
        return value

    def switch(self, name: str, *, default: bool = False) -> bool:
        """On or off."""
        value = self.text(name).lower()
        if value not in {"", "on", "off"}:
            self.wrong(name, "must be one of on, off")
        return value == "on" if value in {"on", "off"} else default

    def integer(self, name: str, default: int) -> int:
        """A whole number within the table's bounds."""
        value, row = self.text(name), SERVER[name]
        if not value:
            return default
        good = value.isascii() and value.isdigit() and len(value) <= INTEGER_DIGITS
        if not good or not _within(int(value), row):
            bound = f"{row.least:g} or more" if row.most is None else f"from {row.least:g} to {row.most:g}"
            self.wrong(name, f"must be a whole number, {bound}")
            return default
        return int(value)

    def seconds(self, name: str, default: float) -> float:
        """Seconds within the table's bounds."""
        value, row = self.text(name), SERVER[name]
        if not value:
            return default
        try:
            seconds = float(money.parse(value))  # seconds
        except money.Malformed:
            seconds = -1.0
        if not _within(seconds, row):
            self.wrong(name, f"must be seconds, from {row.least:g} to {row.most:g}")
            return default
        return seconds

    def amount(self, name: str) -> Decimal | None:
        """An amount above 0; None when nobody said one."""
        value = self.text(name)
        if not value:
            return None
        try:
            found = money.parse(value)
        except money.Malformed as failure:
            self.wrong(name, str(failure))
            return None
        if found == money.ZERO:
            self.wrong(name, "would refuse every order; set a figure above 0")
        return found

    def figures(self, name: str) -> dict[str, int]:
        """`name=figure,name=figure`."""
        row, figures = SERVER[name], dict[str, int]()
        for part in filter(None, (part.strip() for part in self.text(name).split(","))):
            what, equals, text = (each.strip() for each in part.partition("="))
            if not what or not equals or not text.isdecimal() or not _within(int(text), row) or what in figures:
                why = f"{part!r} is not name=figure with a figure from {row.least:g} to {row.most:g}, each name once"
                self.problem(f"{self.head(name)}: {why}")
                continue
            figures[what] = int(text)
        return figures

    def path(self, name: str) -> Path | None:
        """A path; None when nobody said one."""
        return Path(self.text(name)) if self.has(name) else None

    def address(self, name: str, default: str) -> Address:
        """host:port or unix:path."""
        value = self.text(name) or default
        found = address_of(value)
        if found is None:
            self.wrong(name, f"write host:port, such as {default}")
            return address_of(default) or Address("127.0.0.1", 0)
        return found

    def url(self, name: str, schemes: tuple[str, str], mode: Mode) -> str:
        """A venue address; the second scheme is plain text."""
        value = self.text(name)
        try:
            parts = urlsplit(value)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port, parts = "", None, urlsplit("")
        if parts.scheme not in schemes or not host or port == 0 or parts.username is not None:
            self.problem(f"{self.head(name)}: must be an address {schemes[0]}://host[:port] without a user")
        elif not is_loopback(host) and (parts.scheme == schemes[1] or mode is Mode.PAPER):
            why = "paper mode trades on loopback only" if mode is Mode.PAPER else "plain text is for loopback only"
            self.wrong(name, why)
        return value.rstrip("/")


def address_of(value: str) -> Address | None:
    """The address a text names, None when it names none."""
    if value.startswith("unix:"):
        return Address("", 0, value.removeprefix("unix:"))
    host, _, port = value.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > PORT_MAX:
        return None
    return Address(host, int(port))


def _within(value: float, row: Name) -> bool:
    return row.least <= value and (row.most is None or value <= row.most)
