"""The house rules that no linter knows: what imports, types and formats cannot say.

Each finding names the line and what belongs there instead. Standard library only, so that it runs
before anything is installed: `python3 tools/tidy.py`. Sizes are counted and reported, never refused;
`--sizes` lists every place to look at. The rules are the tables PYTHON_RULES
and TEXT_RULES near the end of this file.
"""

import argparse
import ast
import io
import re
import statistics
import subprocess
import sys
import tokenize
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import NamedTuple, TypeVar

Found = Iterator[tuple[int, str]]
Node = TypeVar("Node", bound=ast.AST)

HAND_WRITTEN = ("execsvc/", "clients/python/execsvc_client/")
TESTS = ("tests/", "clients/python/tests/")
MONEY = ("execsvc/domain/", "execsvc/app/", "execsvc/rpc/", "execsvc/store/", "execsvc/kraken/")
FOREIGN = ("tests/vectors/",)  # the exchange's own words

# --- the world: who may look at a clock, throw dice or wait -------------------------------------------
WORLD = (
    (r"time\.\w+", "ask the Clock that was handed in: monotonic(), wall_ns(), sleep()"),
    (r"datetime\.(datetime\.(now|utcnow|today)|date\.today)", "ask Clock.wall_ns() and convert where it is shown"),
    (
        r"(random|secrets)\.\w+|os\.(urandom|getrandom)|uuid\.uuid[1467]",
        "draw from the Entropy that was handed in; compare secrets with hmac.compare_digest",
    ),
    (r"asyncio\.(sleep|timeout|timeout_at|wait_for)", "wait through the Clock: sleep(), timeout_at()"),
    (r"asyncio\.(create_task|ensure_future)", "start it through the supervisor (execsvc/runtime/tasks.py)"),
    (
        r"asyncio\.(get_running_loop|get_event_loop|new_event_loop)\(\)\.(time|call_later|call_at|create_task)",
        "ask the Clock for time and waits, the supervisor for tasks",
    ),
)
# Where a part of that is the honest thing to do, and why.
WORLD_ALLOWED = {
    "execsvc/runtime/": r".*",  # this is the room that meets the world
    "execsvc/paper/server.py": r".*",  # the exchange's own edge: it may use nothing of the house, so no Clock either
    "execsvc/paper/": r"random\.Random",  # every draw of the exchange comes from a seed
    "execsvc/store/memory.py": r"asyncio\.get_running_loop\(\)\.call_later",  # a made-up commit time, on any loop
    "execsvc/cli/": r"asyncio\.\w+|time\.monotonic",  # a person's program: it waits and measures, and is not simulated
}

BROAD_ALLOWED = (
    "execsvc/rpc/gate.py",  # the one place where any error becomes a status
    "execsvc/rpc/session.py",  # its reader hands what it met to the stream, which the gate ends with it
    "execsvc/runtime/tasks.py",  # the supervisor: a loop that dies is reported, whatever killed it
    "execsvc/paper/server.py",  # the exchange's own gate
    "execsvc/cli/main.py",  # the one place where any error becomes an exit code
)
SERVICERS = tuple(f"execsvc/rpc/{name}.py" for name in ("orders", "market", "account", "admin"))
# Packages that have one home: package, where the rule holds, the home, what to do elsewhere.
HOMES = (
    (
        r"opentelemetry\.(?:sdk|exporter)",
        "execsvc/",
        "execsvc/runtime/otel.py",
        "take execsvc.telemetry, the API's side",
    ),
    ("asyncio", "execsvc/domain/", "\0", "the domain decides and returns: wait in execsvc/app and hand `now` in"),
    ("unittest.mock", "", "tests/unit/runtime/", "write a small class in tests/support, named like the port"),
    ("grpc_testing", "", "clients/python/tests/", "it passes async handlers unrun: start a grpc.aio server on port 0"),
)
DRAWERS = {"utils", "util", "helpers", "helper", "common", "base", "manager", "core", "misc"}
# Spelt so that this file does not find itself: `·` stands for a dot, and a class for a letter.
REGISTRIES = """
    pypi·org pythonhosted·org registry·npmjs·org registry·yarnpkg·com proxy·golang·org sum·golang·org crates·io
    repo·maven·apache·org repo1·maven·org ghcr·io gcr·io docker·io quay·io deb·debian·org rubygems·org
"""
# What no line may say, where all the same (a test may invent somebody's home), and what to do instead.
WORDS = (
    (r"\b(?:[T]ODO|[F]IXME|[X]XX|[H]ACK)\b", (), "finish it, or open an issue and leave no note"),
    (
        r"(?<![\w.~})-])/(?:root|work|tmp)/",
        (),
        "the path of one machine: take it from the caller, from tmp_path or from the project",
    ),
    (r"(?<![\w.~})-])/(?:home|Users)/\w[\w.-]*/", TESTS, "a person's home: take it from the caller or from $HOME"),
    (
        rf"(?<![\w-])(?:{'|'.join(REGISTRIES.split())})\b".replace("·", r"\."),
        (),
        "the address of a registry: name the package, pinned and hashed; the reader's tools know where it comes from",
    ),
)

FILE_LINES, FUNCTION_LINES = 400, 40  # the most that the house aims for; past it is a place to look at


class File:
    """One file as text, and as Python where it is: parsed once, with what each imported name stands for."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.lines = text.splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed module; raises SyntaxError as Python would."""
        return ast.parse(self.text, filename=self.path)

    @cached_property
    def names(self) -> dict[str, str]:
        """Local name → dotted origin: `{"sleep": "asyncio.sleep"}`."""
        return dict(_imported(self.tree))

    def dotted(self, node: ast.AST) -> str:
        """`monotonic` as `time.monotonic`, `loop.time` as `asyncio.get_running_loop().time`; else empty."""
        match node:
            case ast.Name(id=name):
                return self.names.get(name, "")
            case ast.Attribute(value=value, attr=attr):
                owner = self.dotted(value)
                return f"{owner}.{attr}" if owner else ""
            case ast.Call(func=func):
                called = self.dotted(func)
                return f"{called}()" if called else ""
            case _:
                return ""

    def each(self, *kinds: type[Node]) -> Iterator[Node]:
        """All nodes of these kinds, outer ones first."""
        return (node for node in ast.walk(self.tree) if isinstance(node, kinds))


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Names bound by imports, and names bound to the running loop."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                for alias in aliases:
                    bound = alias.asname or alias.name.partition(".")[0]
                    yield bound, alias.name if alias.asname else bound
            case ast.ImportFrom(module=str(module), names=aliases, level=0):
                for alias in aliases:
                    yield alias.asname or alias.name, f"{module}.{alias.name}"
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Attribute(attr=called))) if (
                called.endswith("_loop") and called.startswith(("get_", "new_"))
            ):
                yield name, f"asyncio.{called}()"
            case _:
                pass


def _modules_of(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=aliases):
            return [alias.name for alias in aliases]
        case ast.ImportFrom(module=str(module), names=aliases, level=0):
            return [module, *(f"{module}.{alias.name}" for alias in aliases)]
        case _:
            return []


# --- rules about Python -------------------------------------------------------------------------------
def world(file: File) -> Found:
    """Time, chance and waiting enter through runtime/ only."""
    allowed = [pattern for place, pattern in WORLD_ALLOWED.items() if file.path.startswith(place)]
    for node in file.each(ast.Name, ast.Attribute):
        name = file.dotted(node)
        if not name or any(re.fullmatch(pattern, name) for pattern in allowed):
            continue
        for pattern, instead in WORLD:
            if re.fullmatch(pattern, name):
                yield node.lineno, f"{name}: {instead}"
    for node in file.each(ast.Call):
        if file.dotted(node.func) == "random.Random" and not node.args:
            yield node.lineno, "random.Random() without a seed: hand the seed in"


def broad_except(file: File) -> Found:
    """An error that is not understood is not caught; cleaning up and raising it again is no catching."""
    caught: list[tuple[int, ast.expr | None]] = [
        (node.lineno, node.type) for node in file.each(ast.ExceptHandler) if ast.unparse(node.body[-1]) != "raise"
    ]
    for call in file.each(ast.Call):
        if file.dotted(call.func) == "contextlib.suppress":
            caught += [(call.lineno, name) for name in call.args]
    for line, what in caught:
        names = ["everything"] if what is None else re.findall(r"\b(?:Base)?Exception\b", ast.unparse(what))
        for name in names:
            yield line, f"catches {name}: name the errors; the unknown goes up to rpc/gate.py or runtime/tasks.py"


def servicers(file: File) -> Found:
    """A servicer converts, calls, converts; the gate translates errors."""
    for node in file.each(ast.Try, ast.TryStar):
        yield node.lineno, "no try in a servicer: raise a domain error and let rpc/gate.py translate it"


def money(file: File) -> Found:
    """Money is Decimal. A float that is seconds says so in a comment on its line."""
    for node in file.each(ast.Call):
        if not (isinstance(node.func, ast.Name) and node.func.id == "float"):
            continue
        if "seconds" not in file.lines[node.lineno - 1].partition("#")[2]:
            yield node.lineno, "float(): money is Decimal (execsvc/domain/money.py); for time, comment '# seconds'"


def still_domain(file: File) -> Found:
    """The domain awaits nothing."""
    waiting: list[ast.stmt | ast.expr] = [
        *file.each(ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith),
        *file.each(ast.Await),
    ]
    for node in waiting:
        yield node.lineno, "async: the domain decides and returns; wait in execsvc/app and hand `now` in"


def purpose(file: File) -> Found:
    """Every module says what it is for and what it is not; a package may say it in one line."""
    wanted = 1 if PurePosixPath(file.path).name == "__init__.py" else 2
    said = (ast.get_docstring(file.tree) or "").splitlines()
    if len([line for line in said if line.strip()]) < wanted:
        yield 1, f"the docstring needs {wanted} lines or more: what this file is for, and what it is not"


def placeholders(file: File) -> Found:
    """Nothing is promised by an empty body; a Protocol's methods and an overload may have one."""
    for name in file.each(ast.Name):
        if name.id == "NotImplementedError":
            yield name.lineno, "NotImplementedError: build it, or leave it out and list the RPC as unimplemented"
    protocols = [
        node for node in file.each(ast.ClassDef) if any("Protocol" in ast.unparse(base) for base in node.bases)
    ]
    free = {id(method) for protocol in protocols for method in protocol.body}
    named: list[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef] = [
        *file.each(ast.ClassDef),
        *file.each(ast.FunctionDef),
        *file.each(ast.AsyncFunctionDef),
    ]
    for node in named:
        statements = node.body[1:] if ast.get_docstring(node) else node.body
        overload = any("overload" in ast.unparse(mark) for mark in node.decorator_list)
        if [ast.unparse(line) for line in statements] in (["pass"], ["..."]) and not (overload or id(node) in free):
            yield node.lineno, f"{node.name} is empty: build it; where nothing is right, a docstring is body enough"


def skips(file: File) -> Found:
    """A test that does not run says why."""
    marks = r"pytest\.(mark\.)?(skip|skipif|xfail|importorskip)|unittest\.(skip|skipIf|skipUnless|expectedFailure)"
    reasoned = {id(node.func) for node in file.each(ast.Call) if _says_why(node)}
    for node in file.each(ast.Name, ast.Attribute):
        name = file.dotted(node)
        if re.fullmatch(marks, name) and id(node) not in reasoned:
            yield node.lineno, f"{name} without a reason: say what is missing and what to do about it"


def _says_why(call: ast.Call) -> bool:
    def is_text(node: ast.expr) -> bool:
        plain = isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(node.value.strip())
        return plain or isinstance(node, ast.JoinedStr | ast.Name | ast.Attribute)

    called = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    named = any(word.arg in {"reason", "msg"} and is_text(word.value) for word in call.keywords)
    return named or (called in {"skip", "xfail"} and bool(call.args) and is_text(call.args[0]))


def imports(file: File) -> Found:
    """Some packages have one place in the house."""
    for node in file.each(ast.Import, ast.ImportFrom):
        for package, inside, home, instead in HOMES:
            away = file.path.startswith(inside) and not file.path.startswith(home)
            if away and any(re.match(rf"(?:{package})(?:\.|$)", name) for name in _modules_of(node)):
                yield node.lineno, f"{package}: {instead}"


def suppressions(file: File) -> Found:
    """A silenced checker is told which rule, and the reader why."""
    for token in tokenize.generate_tokens(io.StringIO(file.text).readline):
        if token.type != tokenize.COMMENT:
            continue
        said = token.string
        if re.search(r"#\s*(ruff|flake8):\s*noqa|#\s*mypy:\s*ignore-errors", said):
            yield token.start[0], "a whole file is silenced: list it in pyproject.toml with the reason"
            continue
        parts = re.findall(r"#\s*(type:\s*ignore|noqa)(\[[\w, -]+\]|:\s*[A-Z]+\d+(?:[, ]+[A-Z]+\d+)*)?([^#]*)", said)
        why = " ".join(text for _, _, text in parts) + "".join(re.findall(r"#(?!\s*(?:type:|noqa))([^#]*)", said))
        for kind, rule, _ in parts:
            if not rule:
                yield token.start[0], f"{kind} without a rule: name it, and the reason after it"
            elif not re.search(r"[^\W\d_]{2,}\W+[^\W\d_]{2,}", why):
                yield token.start[0], f"{kind}{rule} without a reason: write it on the same line"


# --- rules about any text -----------------------------------------------------------------------------
def words(file: File) -> Found:
    """No notes about missing work, no paths of one machine, no addresses of registries."""
    for number, line in enumerate(file.lines, start=1):
        for pattern, outside, instead in WORDS:
            if (found := re.search(pattern, line)) and not file.path.startswith(outside or "\0"):
                yield number, f"{found.group()}: {instead}"


def drawers(file: File) -> Found:
    """A file is named for what it holds."""
    path = PurePosixPath(file.path)
    for part in (*path.parts[:-1], path.stem):
        if part.lstrip("_") in DRAWERS:
            yield 1, f"'{part}' is a drawer, not a room: name it for the one thing it does"


# --- the table ----------------------------------------------------------------------------------------
class Rule(NamedTuple):
    """A rule and the files that must keep it: those under `inside`, but for `outside`."""

    check: Callable[[File], Found]
    inside: tuple[str, ...]
    outside: tuple[str, ...] = ()

    def holds_for(self, path: str) -> bool:
        """Whether this file must keep the rule."""
        return path.startswith(self.inside) and not (self.outside and path.startswith(self.outside))


CODE = (*HAND_WRITTEN, *TESTS, "tools/", "benchmarks/", "examples/")
PYTHON_RULES = (
    Rule(world, ("execsvc/",)),
    Rule(broad_except, (*HAND_WRITTEN, "tools/"), BROAD_ALLOWED),
    Rule(servicers, SERVICERS),
    Rule(money, MONEY),
    Rule(still_domain, ("execsvc/domain/",)),
    Rule(purpose, ("execsvc/",)),
    Rule(placeholders, (*HAND_WRITTEN, "tools/")),
    Rule(skips, TESTS),
    Rule(imports, CODE),
    Rule(suppressions, CODE),
)
TEXT_RULES = (
    Rule(words, ("",), FOREIGN),
    Rule(drawers, CODE),
)


class Finding(NamedTuple):
    """One line that breaks one rule, and what belongs there."""

    path: str
    line: int
    rule: str
    said: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.said}"


def judge(path: str, text: str) -> list[Finding]:
    """All findings in one file, whose path is written as the project writes it."""
    file = File(path, text)
    rules = (*TEXT_RULES, *(PYTHON_RULES if path.endswith(".py") else ()))
    found = [
        Finding(path, line, rule.check.__name__, said)
        for rule in rules
        if rule.holds_for(path)
        for line, said in rule.check(file)
    ]
    return sorted(found)


def large(file: File) -> Found:
    """Files and functions past what the house aims for."""
    if len(file.lines) > FILE_LINES:
        yield 1, f"{len(file.lines)} lines: is there a second reason to change in it?"
    for node in file.each(ast.FunctionDef, ast.AsyncFunctionDef):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > FUNCTION_LINES:
            yield node.lineno, f"a function of {length} lines"


def report_sizes(files: list[File], *, every: bool) -> None:
    """The house's figures in one line; with `every`, each place to look at."""
    ours = [file for file in files if file.path.endswith(".py") and file.path.startswith(HAND_WRITTEN)]
    places = [f"{file.path}:{line}: look: {said}" for file in ours for line, said in sorted(large(file))]
    if every:
        print(*places, sep="\n")
    lengths = sorted(len(file.lines) for file in ours) or [0]
    print(
        f"tidy: {len(lengths)} files of the service and its client, lines median {statistics.median(lengths):.0f}"
        f" p90 {lengths[int(len(lengths) * 0.9)]} max {lengths[-1]}; {len(places)} places to look at (--sizes)"
    )


# --- the program --------------------------------------------------------------------------------------
def project_files(root: Path) -> Iterator[File]:
    """Every text file that is in the repository or would be, by its path in the project."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        paths = [root / name for name in listed.stdout.decode().split("\0") if name]
    else:  # an unpacked archive: everything but hidden folders and what tools leave behind
        paths = [
            path for path in root.rglob("*") if not any(part[0] in "._" for part in path.relative_to(root).parts[:-1])
        ]
    for path in sorted(set(paths)):
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b"\0"
        if b"\0" not in content:
            yield File(path.relative_to(root).as_posix(), content.decode(errors="replace"))


def main(argv: list[str] | None = None) -> int:
    """Judge the whole project; 0 when every rule is kept."""
    parser = argparse.ArgumentParser(description="The house rules that no other tool knows.")
    parser.add_argument("--sizes", action="store_true", help="list every file and function to look at")
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    options = parser.parse_args(argv)
    files = list(project_files(options.root))
    findings = [finding for file in files for finding in judge(file.path, file.text)]
    print(*findings, sep="\n", end="\n" if findings else "")
    report_sizes(files, every=options.sizes)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
