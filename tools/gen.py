"""Generates the committed code of the contract, and checks that it is what the `.proto` files say.

Runs in an environment of its own, made from requirements/codegen.txt: its generators must be older than what the
service runs on. `.codegen/bin/python tools/gen.py` writes; with `--check` it writes nothing and fails on every file
that differs, is missing or is extra. A target is one row of TARGETS. The image of the last release, which says what
may not change, is no target: only a release replaces it.
"""

import argparse
import importlib.metadata
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTO = Path("proto")
PACKAGE = PROTO / "execsvc" / "v1"
PINS = Path("requirements") / "codegen.in"

# The wire package is execsvc.v1; as a Python import that would hit the service's own package. protoc names it in two
# places: the imports between stubs, and the module that a message class says it lives in.
IMPORT = re.compile(r"^from execsvc\.", re.MULTILINE)
HOME = re.compile(r"(?<=\(DESCRIPTOR, ')execsvc\.v1\.(?=\w+_pb2')")
LEFT_OVER = re.compile(r"^\s*(?:from|import)\s+execsvc(?:\.|\s|$)|'execsvc\.v1\.\w+_pb2'", re.MULTILINE)

API_DOC = '"""Generated from the execsvc contract; the hand-written client is execsvc_client."""\n'
V1_DOC = '"""Messages (`*_pb2`) and services (`*_service_pb2_grpc`) of the wire package execsvc.v1."""\n'


class GenerationError(Exception):
    """A generator failed, or its output is not what the project relies on."""


@dataclass(frozen=True)
class Target:
    """One kind of committed output: where it lives, and how it is made in an empty folder.

    `home` is a folder or a file, relative to the repository; everything in it belongs to the target. `make` gets the
    path that stands for `home` and writes there.
    """

    name: str
    home: Path
    make: Callable[[Path], None]


def protoc(*arguments: str) -> None:
    """Run the pinned protoc, never one of the system; its words go to stderr. Raises GenerationError."""
    plugin = Path(sys.executable).with_name("protoc-gen-mypy")
    grpc_plugin = Path(sys.executable).with_name("protoc-gen-mypy_grpc")
    command = [
        *(sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}"),
        f"--plugin=protoc-gen-mypy={plugin}",
        f"--plugin=protoc-gen-mypy_grpc={grpc_plugin}",
        *arguments,
    ]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        raise GenerationError(f"protoc failed: {' '.join(arguments)}")


def protos(pattern: str = "*.proto") -> list[str]:
    """Name the contract's files, sorted, relative to the repository."""
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / PACKAGE).glob(pattern))


def rewrite(text: str, name: str) -> str:
    """Move a stub from the package `execsvc` to `execsvc_api`. Raises GenerationError if a mention is left."""
    moved = HOME.sub("execsvc_api.v1.", IMPORT.sub("from execsvc_api.", text))
    if left := LEFT_OVER.search(moved):
        raise GenerationError(f"{name}: still names the service package: {left.group().strip()}")
    return moved


def make_python(home: Path) -> None:
    """Write the package execsvc_api: messages, services, and type stubs for both."""
    with tempfile.TemporaryDirectory() as scratch:
        protoc(f"--python_out={scratch}", f"--mypy_out=quiet:{scratch}", *protos())
        protoc(f"--grpc_python_out={scratch}", f"--mypy_grpc_out=quiet:{scratch}", *protos("*_service.proto"))
        version = home / "v1"
        version.mkdir(parents=True)
        for stub in sorted(Path(scratch, "execsvc", "v1").iterdir()):
            (version / stub.name).write_text(rewrite(stub.read_text("utf-8"), stub.name), "utf-8")
    (home / "__init__.py").write_text(API_DOC, "utf-8")
    (home / "py.typed").write_text("", "utf-8")
    (version / "__init__.py").write_text(V1_DOC, "utf-8")


def make_descriptors(home: Path) -> None:
    """Write the contract as one FileDescriptorSet, imports and comments included: all another language needs."""
    protoc("--include_imports", "--include_source_info", f"--descriptor_set_out={home}", *protos())


TARGETS = (
    Target("python", Path("clients/python/execsvc_api"), make_python),
    Target("descriptors", Path("clients/descriptors.binpb"), make_descriptors),
)


def contents(home: Path) -> dict[str, bytes]:
    """Read a file or a folder as {path relative to it: bytes}; a missing one is empty. Bytecode does not count."""
    if home.is_file():
        return {"": home.read_bytes()}
    files = (path for path in home.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in files}


def drift(target: Target, fresh: dict[str, bytes]) -> Iterator[tuple[str, str]]:
    """Compare what was made with what stands: (differs, missing or extra; name relative to the target's home)."""
    standing = contents(ROOT / target.home)
    for name in sorted(fresh.keys() | standing.keys()):
        if name not in fresh:
            yield "extra", name
        elif name not in standing:
            yield "missing", name
        elif fresh[name] != standing[name]:
            yield "differs", name


def write(path: Path, content: bytes | None) -> None:
    """Bring one file to its new content; None removes it."""
    if content is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def run(target: Target, *, check: bool) -> int:
    """Make one target in an empty folder, then compare or bring it up to date; returns the number of drifted files."""
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch, target.home.name)
        target.make(made)
        fresh = contents(made)
    if not fresh:
        raise GenerationError(f"{target.name}: nothing was generated")
    found = list(drift(target, fresh))
    for word, name in found:
        path = target.home / name
        print(f"{word}: {path}" if check else f"brought up to date ({word}): {path}")
        if not check:
            write(ROOT / path, fresh.get(name))
    return len(found)


def demand_pins() -> None:
    """Refuse to run on other generators than the pinned ones: their output would differ, or not load at all."""
    for line in (ROOT / PINS).read_text("utf-8").split():
        name, _, wanted = line.partition("==")
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = "absent"
        if found != wanted:
            raise GenerationError(f"{name} is {found} here, not {wanted}: run `make gen`, which uses .codegen")


def main() -> int:
    """Exit 0: all is as generated; 1: drift; 2: generation failed."""
    parser = argparse.ArgumentParser(description="Generate the committed code of the contract.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail on any drift")
    parser.add_argument(
        "targets", nargs="*", metavar="target", help="only these: " + ", ".join(t.name for t in TARGETS)
    )
    options = parser.parse_args()
    unknown = set(options.targets) - {target.name for target in TARGETS}
    if unknown:
        parser.error(f"unknown target: {', '.join(sorted(unknown))}")
    try:
        demand_pins()
        chosen = [target for target in TARGETS if not options.targets or target.name in options.targets]
        drifted = sum(run(target, check=options.check) for target in chosen)
    except GenerationError as error:
        print(error, file=sys.stderr)
        return 2
    if options.check and drifted:
        print(f"{drifted} generated files are not what the contract says: run `make gen`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
