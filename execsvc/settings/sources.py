"""What was said and where: command line over environment over file, every setting as text with the place it stands in.

The file's sections of accounts, callers and rules stay as they are; sections.py makes values of them. Nothing is judged here
but names: one that is unknown is a problem, for in a daemon that moves money a typo is not a warning.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from execsvc.settings.figures import DIGITS, is_too_long, number
from execsvc.settings.names import BY_KEY, CLIENT_NAMES, LATER_NAMES, SERVER, Kind, Name

SECTIONS = ("accounts", "callers", "risk", "tls")
_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"""\s*(["']?)([A-Za-z0-9_.-]+)\1\s*=""")
_TOML_AT = re.compile(r" \(at line (\d+), column (\d+)\)$")
_SECRET = re.compile(r"(?:api[_-]?)?(?:secret|key)|private[_-]?key|password|passphrase|token")


@dataclass(frozen=True)
class ConfigText:
    """The file as it was read."""

    path: Path
    text: str = field(repr=False)


@dataclass(frozen=True)
class Said:
    """One setting's text and where it stands: `place` is environment, command line, or FILE:LINE; key: as written there."""

    text: str
    place: str
    key: str
    in_file: bool = False

    def __str__(self) -> str:
        """For the head of a problem."""
        return f"{self.place}: {self.key} = {self.text}" if self.in_file else f"{self.key}={self.text}"


@dataclass(frozen=True)
class Sources:
    """Everything that was said. `sections` are the file's tables, `lines` the line that each dotted path stands in.

    unread: there is a file, and nothing of it is known. garbled: settings that somebody said, as far as can be seen, in a way
    that says nothing: by a name that is nearly theirs, or as a value of another shape.
    """

    said: Mapping[str, Said]
    sections: Mapping[str, Any]
    lines: Mapping[str, int]
    environ: Mapping[str, str] = field(repr=False)
    file: Path | None = None
    problems: tuple[str, ...] = ()
    unread: bool = False
    garbled: frozenset[str] = frozenset()

    def place(self, path: str) -> str:
        """FILE:LINE of a dotted path, or of the nearest that is above it."""
        name = "" if self.file is None else self.file.name
        while path and path not in self.lines:
            path = path.rpartition("." if "[" not in path.rpartition(".")[2] else "[")[0]
        return f"{name}:{self.lines[path]}" if path else name


def gather(environ: Mapping[str, str], overrides: Mapping[str, str], config: ConfigText | None) -> Sources:
    """All sources as one; never raises: what is wrong is among the problems."""
    problems, garbled = list[str](), set[str]()
    _unknown_names({**environ, **overrides}, problems, garbled)
    said: dict[str, Said] = {}
    unread = False
    sections: dict[str, Any] = {}
    lines: dict[str, int] = {}
    if config is not None:
        lines = lines_of(config.text)
        tables = _parsed(config, problems)
        unread = tables is None
        tables = tables or {}
        sections = {name: tables.pop(name) for name in SECTIONS if name in tables}
        tls = sections.pop("tls", {})
        if isinstance(tls, dict):
            tables |= {f"tls.{name}": value for name, value in tls.items()}
        else:
            problems.append(f"{config.path.name}: tls: a section, [tls]")
        said |= _file_said(tables, config.path, lines, problems, garbled)
    for given, place in ((environ, "environment"), (overrides, "command line")):
        said |= {
            name: Said(value.strip(), place, name) for name, value in given.items() if name in SERVER and value.strip()
        }
    path = None if config is None else config.path
    return Sources(said, sections, lines, environ, path, tuple(problems), unread, frozenset(garbled))


def _parsed(config: ConfigText, problems: list[str]) -> dict[str, Any] | None:
    try:
        return tomllib.loads(config.text, parse_float=number)
    except ValueError as failure:  # of a whole number with thousands of digits as well
        problems.append(_not_toml(config, str(failure)))
    except RecursionError:
        problems.append(f"{config.path.name}: not TOML: lists within lists, deeper than anybody writes them")
    return None


def _not_toml(config: ConfigText, failure: str) -> str:
    """With the line in front, as of every problem; of one at the end that is the last."""
    at = _TOML_AT.search(failure)
    line = at[1] if at else str(len(config.text.splitlines()) or 1) if "end of document" in failure else ""
    what = failure[: at.start()] + f", in column {at[2]}" if at else failure
    if "digits" in failure and not at:
        what = f"a whole number has at most {DIGITS} digits"
    return f"{config.path.name}{':' if line else ''}{line}: not TOML: {what}"


def _unknown_names(values: Mapping[str, str], problems: list[str], garbled: set[str]) -> None:
    known = [*SERVER, *CLIENT_NAMES]
    for name in sorted(values):
        if name in LATER_NAMES:
            problems.append(f"{name}: {LATER_NAMES[name]}; unset it")
        elif name.startswith("EXECSVC_") and name not in known:
            problems.append(f"{name}: no such setting{did_you_mean(name, known)}")
            garbled.add(_nearest(name, known))


def _nearest(name: str, known: Iterable[str]) -> str:
    """The known word that is near; empty when none is."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), "")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The nearest known word, as the end of a problem; empty when none is near."""
    near = _nearest(name, known)
    return f"; did you mean {near}?" if near else ""


def unknown_key(place: str, path: str, known: Iterable[str]) -> str:
    """What to say of a key of the file that means nothing; of one that looks like a secret what to do with it."""
    key = path.rpartition(".")[2]
    if _SECRET.fullmatch(key.lower()):
        return (
            f"{place}: {path}: a secret has no place in this file; put it into a file that only you can read (chmod 0600) "
            "and name that one (key_file, secret_file)"
        )
    return f"{place}: {path}: no such key{did_you_mean(key, known)}"


def _file_said(
    tables: Mapping[str, Any], file: Path, lines: Mapping[str, int], problems: list[str], garbled: set[str]
) -> dict[str, Said]:
    said = {}
    for key, value in tables.items():
        line = next((lines[path] for path in lines if re.split(r"[.\[]", path)[0] == key), 0)
        line = lines.get(key, line)
        place = f"{file.name}:{line}" if line else file.name
        name = BY_KEY.get(key)
        if name is None:
            known = [each.rpartition(".")[2] for each in BY_KEY] if "." in key else [*BY_KEY, *SECTIONS]
            problems.append(unknown_key(place, key, known))
            meant = BY_KEY.get(_nearest(key, known))
            garbled |= {meant.name} if meant is not None else set()
            continue
        text = _text_of(name, value, file)
        if text is None:
            problems.append(f"{place}: {key}: {_shape(name)}")
            garbled.add(name.name)
        else:
            said[name.name] = Said(text, place, key, in_file=True)
    return said


def _text_of(name: Name, value: object, file: Path) -> str | None:
    """A value of the file as the environment would say it; None for one of another shape. Paths go from the file's folder."""
    match name.kind, value:
        case Kind.SWITCH, bool(on):
            return "on" if on else "off"
        case Kind.INTEGER | Kind.SECONDS | Kind.AMOUNT, int(whole) if not isinstance(whole, bool):
            return None if is_too_long(whole) else str(whole)
        case Kind.SECONDS | Kind.AMOUNT, Decimal() as amount:
            return format(amount, "f")
        case Kind.FIGURES, dict(figures) if all(
            type(each) is int and not is_too_long(each) for each in figures.values()
        ):
            return ",".join(f"{what}={figure}" for what, figure in figures.items())
        case Kind.PATH, str(text) if text.strip() and text != "off":
            return str(file.parent / text.strip())
        case ((Kind.TEXT | Kind.ADDRESS | Kind.PATH | Kind.AMOUNT), str(text)):
            return text.strip()
        case _:
            return None


def _shape(name: Name) -> str:
    return {
        Kind.SWITCH: "true or false",
        Kind.INTEGER: f"a whole number, of at most {DIGITS} digits",
        Kind.SECONDS: "a number of seconds",
        Kind.AMOUNT: "a number, or the same as text",
        Kind.FIGURES: "a table of whole numbers, { name = 1 }",
    }.get(name.kind, "text")


def lines_of(text: str) -> dict[str, int]:
    """The line of each key by its dotted path, and of each section; `[[x]]` counts from x[0].

    For messages only: it reads lines, not TOML, and what it does not understand has no line of its own.
    """
    lines: dict[str, int] = {}
    counts: dict[str, int] = {}
    section = ""
    for here, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            section = re.sub(r"[\"'\s]", "", header[2])
            if header[1] == "[[":
                place = counts[section] = counts.get(section, -1) + 1
                section = f"{section}[{place}]"
            lines.setdefault(section, here)
        elif key := _KEY.match(line):
            lines.setdefault(f"{section}.{key[2]}" if section else key[2], here)
    return lines
