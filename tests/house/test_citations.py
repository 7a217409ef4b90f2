"""What the files of the project cite exists: pages, their sections, links; and two pages repeat the tables of the code.

The numbered pages are docs/promises.md, docs/contract.md and docs/kraken.md. A citation names a page and a section
(`kraken.md 2.4`, `section 7 of it`), maybe with the quoted name of a part, or a promise (P1 to P10).
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pytest

from execsvc.kraken import faults
from execsvc.kraken.endpoints import Effect
from execsvc.kraken.faults import Move, Row
from execsvc.rpc.permits import PERMITS, Permit
from tools import tidy

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).relative_to(ROOT).as_posix()
PAGES = ("promises", "contract", "kraken")
INVENTED = ("tests/house/",)  # here tests make up files that nobody has
_NAMED = re.compile(r"\bFACTS\b|[\w./-]*\w\.md\b")

_NUMBER = r"P?\d+(?:\.\d+)?"
_LIST = rf"{_NUMBER}(?:,?[ ]+(?:and|to)[ ]+{_NUMBER}|,[ ]+{_NUMBER})*"
_PAGE = "|".join(PAGES)
_PART = r',?[ ]+"(?P<{}>[^"\n]+)"'
# Line ends within a paragraph are blanks by the time this is read.
_CITED = re.compile(
    rf"(?:\b(?P<before>{_PAGE})\.md[ ]*,?[ ]+)?\bsections?[ ]+(?P<list>{_LIST})(?:[ ]+of[ ]+(?P<after>{_PAGE})\.md)?"
    rf"(?:{_PART.format('part')})?|\b(?P<page>{_PAGE})\.md[ ]*,?[ ]+(?P<bare>{_LIST})(?:{_PART.format('named')})?",
    re.IGNORECASE,
)
_LINK = re.compile(r"\[([^\]\n]*)\]\(([^)\s]+)\)")
_BREAK = re.compile(r"(?<!\n)\n[ \t]*(?:#:?|//|--|\*)?[ \t]*(?!\n)")


class Citation(NamedTuple):
    """One section (or promise) that a file names; `part` is the quoted name of a part of it, or empty."""

    line: int
    page: str
    number: str
    part: str


class Section(NamedTuple):
    """A numbered heading and the text below it."""

    number: str
    text: str


def citations(path: str, text: str) -> Iterator[Citation]:
    """Yield every citation; a bare "section 3" counts on the numbered pages, where it means the page itself."""
    home = PurePosixPath(path)
    own = home.stem if home.parent.as_posix() == "docs" and home.stem in PAGES else ""
    plain = _LINK.sub(lambda link: link[1] + " " * (len(link[0]) - len(link[1])), text)
    plain = _BREAK.sub(lambda end: " " * len(end[0]), plain)
    for found in _CITED.finditer(plain):
        where = (found["before"] or found["after"] or found["page"] or own).lower()
        if where:
            line = text.count("\n", 0, found.start()) + 1
            part = " ".join((found["part"] or found["named"] or "").split())
            for number in re.findall(_NUMBER, found["list"] or found["bare"]):
                yield Citation(line, where, number, part)


def sections(text: str) -> list[Section]:
    """Split a page at its numbered headings; a section's text includes that of its subsections."""
    heads = list(re.finditer(r"^(#{2,3}) (\d+(?:\.\d+)?)\.? .*$", text, re.MULTILINE))
    ends = (
        next((later.start() for later in heads[place + 1 :] if len(later[1]) <= len(head[1])), len(text))
        for place, head in enumerate(heads)
    )
    return [Section(head[2], text[head.start() : end]) for head, end in zip(heads, ends, strict=True)]


@cache
def page(name: str) -> dict[str, str]:
    """The sections of a page by number; the promises count as sections of theirs."""
    text = (ROOT / "docs" / f"{name}.md").read_text()
    promised = dict.fromkeys(re.findall(r"^- \*\*(P\d+) ", text, re.MULTILINE), "")
    return promised | {section.number: section.text for section in sections(text)}


def stands(citation: Citation) -> bool:
    """Whether the section exists and has the part: as a heading, or as bold words that begin a paragraph."""
    text = page(citation.page).get(citation.number)
    part = re.escape(citation.part)
    return text is not None and (not part or bool(re.search(rf"^(?:- )?(?:\*\*|#+ ){part}", text, re.MULTILINE)))


@cache
def project() -> tuple[tidy.File, ...]:
    """Every text file of the project but this one, which is full of citations that must not stand."""
    return tuple(file for file in tidy.project_files(ROOT) if file.path != HERE)


def markdown() -> Iterator[tidy.File]:
    return (file for file in project() if file.path.endswith(".md"))


def links(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, target) of every relative link outside of code."""
    bare = re.sub(
        r"^```.*?^```|`[^`\n]*`", lambda code: re.sub(r"[^\n]", " ", code[0]), text, flags=re.DOTALL | re.MULTILINE
    )
    for found in _LINK.finditer(bare):
        if not re.match(r"[a-z]+:", found[2]):
            yield bare.count("\n", 0, found.start()) + 1, found[2]


def anchors(text: str) -> set[str]:
    """The names that a link into a page may end with: its headings as a reader of Markdown makes them, and `<a id>`."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))


def broken_link(file: Path, target: str) -> str:
    """What is wrong with a relative link in that file; empty when it can be followed."""
    path, _, anchor = target.partition("#")
    there = (file.parent / path) if path else file
    if not there.exists():
        return "no such file"
    return "no such heading" if anchor and anchor not in anchors(there.read_text()) else ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# kraken.md 2.4: a floor", [(1, "kraken", "2.4", "")]),
        ("\n(promises.md sections 3 and 12, not 99)", [(2, "promises", "3", ""), (2, "promises", "12", "")]),
        ('Contract.md section 8 "Kraken → gRPC".', [(1, "contract", "8", "Kraken → gRPC")]),
        ('(promises.md section 5,\n# "Blocks")', [(1, "promises", "5", "Blocks")]),
        ("the table in [contract.md](../contract.md), section 8", [(1, "contract", "8", "")]),
        ("more in section 7 of kraken.md", [(1, "kraken", "7", "")]),
        ("(kraken.md 2.2 to 2.4)", [(1, "kraken", "2.2", ""), (1, "kraken", "2.4", "")]),
        ("(promises.md P9)", [(1, "promises", "P9", "")]),
        ("section 3 of another book; contract.md\n\n7 lines", []),
    ],
)
def test_a_citation_is_found_however_it_is_written(text: str, expected: list[tuple[int, str, str, str]]) -> None:
    """Numbers alone, in words, several at once, as a link, broken over lines, with the name of a part."""
    assert expected == [tuple(found) for found in citations("execsvc/x.py", text)]


def test_a_numbered_page_cites_itself_by_section_alone() -> None:
    """On docs/promises.md "section 4" is its own; elsewhere it is nobody's."""
    assert [Citation(1, "promises", "4", "")] == list(citations("docs/promises.md", "V (section 4)"))
    assert [] == list(citations("docs/STYLE.md", "V (section 4)"))


@pytest.mark.parametrize(
    ("expected", "number", "part"),
    [
        (True, "5", ""),
        (True, "5", "Blocks"),
        (False, "5", "Offset"),
        (False, "99", ""),
        (True, "P9", ""),
        (False, "P11", ""),
    ],
)
def test_a_citation_stands_only_where_section_and_part_do(expected: bool, number: str, part: str) -> None:
    """A part of another section does not count."""
    assert expected is stands(Citation(1, "promises", number, part))


@pytest.mark.parametrize("name", PAGES)
def test_the_sections_of_a_page_are_numbered_upwards_from_one(name: str) -> None:
    """A number is given once, and none is left out: what is cited keeps its place."""
    numbers = [section.number for section in sections((ROOT / "docs" / f"{name}.md").read_text())]
    tops = [number for number in numbers if "." not in number]
    assert [str(count + 1) for count in range(len(tops))] == tops
    for top in tops:
        below = [number for number in numbers if number.startswith(f"{top}.")]
        assert [f"{top}.{count + 1}" for count in range(len(below))] == below


def test_every_cited_section_exists() -> None:
    """In code, comments, tests and pages alike."""
    cited = [(file.path, each) for file in project() for each in citations(file.path, file.text)]
    wrong = [
        f"{path}:{each.line}: {each.page}.md {each.number} {each.part}" for path, each in cited if not stands(each)
    ]
    assert [] == wrong
    assert {each.page for path, each in cited if path.startswith("execsvc/")} == set(PAGES)


def strangers(text: str, known: set[str]) -> Iterator[tuple[int, str]]:
    """Yield (line, name) of every page that is named and not among the known names, which are in lower case."""
    for found in _NAMED.finditer(text):
        if PurePosixPath(found[0]).name.lower() not in known:
            yield text.count("\n", 0, found.start()) + 1, found[0]


def test_only_pages_of_the_repository_are_named() -> None:
    """A reader has the repository and nothing else."""
    known = {PurePosixPath(file.path).name.lower() for file in project()}
    others = (file for file in project() if not file.path.startswith(INVENTED))
    wrong = [f"{file.path}:{line}: {name}" for file in others for line, name in strangers(file.text, known)]
    assert [] == wrong


def test_a_page_that_nobody_has_is_a_stranger() -> None:
    """Whatever its case and folder; and so are notes by the name they went by."""
    text = "(Kraken.md 2)\n# FACTS 2.4, facts\n# see ../old/house.md section 4\n"
    assert [(2, "FACTS"), (3, "../old/house.md")] == list(strangers(text, {"kraken.md"}))


def test_every_relative_link_of_a_page_can_be_followed() -> None:
    """Files, folders, and headings where the link names one."""
    wrong = [
        f"{file.path}:{line}: {target}: {problem}"
        for file in markdown()
        for line, target in links(file.text)
        if (problem := broken_link(ROOT / file.path, target))
    ]
    assert [] == wrong


@pytest.mark.parametrize(
    ("expected", "target"),
    [("", "adr/"), ("", "kraken.md#7-open-questions"), ("no such file", "FAQ.md"), ("no such heading", "kraken.md#8")],
)
def test_a_link_is_followed_to_its_heading(expected: str, target: str) -> None:
    """A page that is there does not excuse a heading that is not."""
    assert expected == broken_link(ROOT / "docs" / "STYLE.md", target)


def test_links_in_code_are_no_links() -> None:
    """What stands between backticks is an example."""
    assert [(3, "there.md")] == list(links("```\n[a](b.md)\n```[a](there.md) `[a](c.md)` [a](https://example.org)"))


def rows_of(number: str) -> list[list[str]]:
    """The cells of a section's table rows on docs/contract.md."""
    lines = [line.strip("| ") for line in page("contract")[number].splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"\s*\|\s*", line)] for line in lines]


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def permit_words(permit: Permit) -> tuple[str, str, str]:
    """Permission, default deadline and least, as the page says them."""
    least = (
        "section 5" if permit.places and permit.default_s else "" if permit.least_s is None else f"{permit.least_s:g} s"
    )
    default = "none" if permit.default_s is None else f"{permit.default_s:g} s"
    return " or ".join(sorted(each.value for each in permit.permissions)) or "any caller", default, least


def test_the_contract_page_has_the_permits_of_the_code() -> None:
    """Section 3, method by method: permission, deadlines, and nothing that the code does not have."""
    told = {method: tuple((*cells[1:], "", "")[:3]) for cells in rows_of("3") for method in named(cells[0])}
    assert {row.method.rpartition("/")[2]: permit_words(row) for row in PERMITS.values()} == told


WORDS: dict[Move, Callable[[str], str]] = {
    Move.TELL: lambda reason: reason,
    Move.AGAIN: lambda reason: f"again, else {reason}",
    Move.RENONCE: lambda reason: f"new nonce, else {reason}",
    Move.DOUBT: lambda _: "doubt",
    Move.CONFIRM: lambda reason: f"one look, then {reason}",
    Move.GONE: lambda _: "nothing open",
}
# How the page names what has no text of Kraken's.
WITHOUT_TEXT = {
    "HTTP 403 or 429": faults.EDGE_LIMIT,
    "no readable answer": faults.NO_ANSWER,
    "any other text": faults.UNKNOWN_TEXT,
    "no connection": faults.NOT_SENT,
}


def fault_words(row: Row) -> list[str]:
    """What the page says of a row: on a read, a cancel, an order."""
    return [
        WORDS[row.move(effect)](f"`{row.reason_for(effect).name}`")
        for effect in (Effect.READ, Effect.CANCEL, Effect.ORDER)
    ]


def test_the_contract_page_has_the_faults_of_the_code() -> None:
    """Section 8, text by text: what it becomes on a read, a cancel and an order, and no text that the code does not know."""
    told = {}
    for said, *cells in rows_of("8"):
        for place, cell in enumerate(cells):
            cells[place] = cells[place - 1] if cell == "same" else cell
        for what in (*named(said), *(words for words in WITHOUT_TEXT if words in said)):
            told[what] = cells
    known = {row.prefix.strip(): fault_words(row) for row in faults.TABLE}
    known |= {words: fault_words(row) for words, row in WITHOUT_TEXT.items()}
    assert known == told
