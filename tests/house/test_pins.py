"""What is installed is what was asked for: pinned, hashed, and named by nothing but its name; and what CI runs."""

import re
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "requirements"
NAMES = ("uv", "build", "run", "dev", "codegen", "peers")
PROJECTS = ("pyproject.toml", "clients/python/pyproject.toml")
TOOLS = {"uv", "hatchling", "editables"}  # in run.in beside what the service imports: they install it


@dataclass(frozen=True)
class Pin:
    """One block of a compiled file: `name==version ; marker` and its hashes."""

    requirement: Requirement
    hashes: frozenset[str]

    @property
    def version(self) -> str:
        """The one version that is installed."""
        [only] = self.requirement.specifier
        return only.version


def asked(name: str) -> dict[str, Requirement]:
    """What NAME.in asks for, without its comments and references."""
    lines = [line.partition("#")[0].strip() for line in (FOLDER / f"{name}.in").read_text().splitlines()]
    wanted = [Requirement(line) for line in lines if line and not line.startswith("-")]
    return {canonicalize_name(requirement.name): requirement for requirement in wanted}


def pins(text: str) -> dict[str, Pin]:
    """The blocks of a compiled file; a line of any other form is an error."""
    found = {}
    for block in text.replace("\\\n", " ").strip().splitlines():
        shape = re.fullmatch(r"(\S+==\S+)((?: ; [^#]+?)?)((?:\s+--hash=sha256:[0-9a-f]{64})*)\s*", block)
        assert shape, f"not a pin: {block[:120]}"
        requirement = Requirement(shape[1] + shape[2])
        name = canonicalize_name(requirement.name)
        assert name not in found, f"pinned twice: {name}"
        found[name] = Pin(requirement, frozenset(shape[3].split()))
    return found


def compiled(name: str) -> dict[str, Pin]:
    return pins((FOLDER / f"{name}.txt").read_text())


def dependencies(project: str) -> dict[str, Requirement]:
    listed = tomllib.loads((ROOT / project).read_text())["project"].get("dependencies", [])
    return {canonicalize_name(each.name): each for each in map(Requirement, listed)}


def test_every_list_is_known():
    """No list of requirements stands in the folder that these tests do not read."""
    assert {f"{name}.{kind}" for name in NAMES for kind in ("in", "txt")} == {path.name for path in FOLDER.iterdir()}


@pytest.mark.parametrize("name", NAMES)
def test_every_pin_has_a_hash(name: str):
    """Every line is name==version with at least one SHA-256: no address, no index, no option."""
    unhashed = [pinned for pinned, pin in compiled(name).items() if not pin.hashes]
    assert [] == unhashed


@pytest.mark.parametrize(
    "line",
    [
        "aiohttp>=3.14.5",
        "aiohttp @ https://files.example.org/aiohttp.whl",
        "--index-url https://index.example.org/simple",
        "-e ./clients/python",
        "aiohttp==3.14.5 --hash=md5:00",
    ],
)
def test_a_line_that_is_no_pin_is_refused(line: str):
    """The reader of compiled files lets nothing through but pins."""
    with pytest.raises(AssertionError, match="not a pin"):
        pins(line)


@pytest.mark.parametrize("name", NAMES)
def test_compiled_lists_hold_what_was_asked_for(name: str):
    """Each name in NAME.in is pinned in NAME.txt, at a version that NAME.in allows."""
    got = compiled(name)
    wrong = {
        wanted: str(got[wanted].requirement) if wanted in got else "missing"
        for wanted, requirement in asked(name).items()
        if wanted not in got or not requirement.specifier.contains(got[wanted].version, prereleases=True)
    }
    assert {} == wrong


def test_run_asks_for_what_the_distributions_declare():
    """run.in is the dependencies of both distributions, word for word, and the tools that install them."""
    declared = {**dependencies(PROJECTS[1]), **dependencies(PROJECTS[0])}
    declared.pop("execsvc-client")
    listed = {name: requirement for name, requirement in asked("run").items() if name not in TOOLS}
    assert {name: str(requirement) for name, requirement in declared.items()} == {
        name: str(requirement) for name, requirement in listed.items()
    }


def test_the_client_is_satisfied_by_what_runs():
    """The client declares wider ranges than the service; what is pinned lies inside them."""
    got = compiled("run")
    for name, requirement in dependencies(PROJECTS[1]).items():
        assert requirement.specifier.contains(got[name].version), f"{requirement} against {got[name].version}"


def test_the_service_pins_its_client():
    """Both distributions carry one version, and the service asks for exactly that client."""
    service, client = (tomllib.loads((ROOT / project).read_text())["project"] for project in PROJECTS)
    assert service["version"] == client["version"]
    assert f"execsvc-client=={service['version']}" in service["dependencies"]


def test_build_backends_are_pinned():
    """What builds the two distributions is in run.txt, so that nothing unpinned is fetched to install them."""
    needed = {
        canonicalize_name(Requirement(each).name)
        for project in PROJECTS
        for each in tomllib.loads((ROOT / project).read_text())["build-system"]["requires"]
    }
    assert needed <= set(compiled("run"))


@pytest.mark.parametrize(("small", "large"), [("uv", "run"), ("run", "dev")])
def test_a_larger_list_holds_the_smaller(small: str, large: str):
    """dev.txt repeats run.txt pin for pin, run.txt repeats uv.txt: a fuller environment serves the lesser need."""
    inner, outer = compiled(small), compiled(large)
    assert inner == {name: outer.get(name) for name in inner}


def test_peers_are_measured_beside_what_runs():
    """Where other clients need the same package, they are measured with the version that the service has."""
    ours, theirs = compiled("dev"), compiled("peers")
    shared = ours.keys() & theirs.keys()
    assert {name: ours[name].version for name in shared} == {name: theirs[name].version for name in shared}


# --- CI ------------------------------------------------------------------------------------------------
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(workflow: Path):
    """An action is named by its commit, which nobody can move, and by its version for the reader."""
    used = re.findall(r"uses: (.*)", workflow.read_text())
    assert used
    assert [] == [each for each in used if not re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)]


def test_ci_calls_only_what_a_person_can_type():
    """Every step of every workflow, and all that .ci/run does, is a verb of the Makefile."""
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    verbs = set(re.findall(r"^  (make [\w-]+) ", listed, re.MULTILINE))
    steps = [step for workflow in WORKFLOWS for step in re.findall(r"run: (.*)", workflow.read_text())]
    loop = re.search(r"for verb in ([\w -]+); do", (ROOT / ".ci" / "run").read_text())
    assert loop is not None
    assert set(steps) | {f"make {verb}" for verb in loop[1].split()} <= verbs
    assert {"make setup", "make check", "make test"} <= set(steps)
