"""The image without a container engine: the file is linted, its builder is replayed, the result is started.

The replay runs the builder's own RUN lines in a temporary folder that stands for the root of the image, with
the packages' cache of this machine in place of the cache mount. The result is then started as the image's
user, on a tree that nobody may write to.
"""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text()
USER = 65532
ROOTS = ("app", "src", "data")  # the folders of the image that the builder writes to
TOOLS = Path(sys.executable).parent

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]


@dataclass(frozen=True)
class Step:
    """One instruction: its word, and the rest on one line."""

    word: str
    rest: str


def stages(text: str) -> list[list[Step]]:
    """The steps of each stage, without comments and line breaks; what precedes the first stage is left out."""
    joined = re.sub(r"\\\n\s*", " ", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    found: list[list[Step]] = []
    for line in filter(None, map(str.strip, joined.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append(Step(word, rest.strip()))
    return found


BUILDER, FINAL = stages(TEXT)


def final(word: str) -> list[str]:
    return [step.rest for step in FINAL if step.word == word]


# --- what the file says --------------------------------------------------------------------------------
def hadolint(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TOOLS / "hadolint", "-"], input=text, capture_output=True, text=True, check=False)


def test_hadolint_finds_nothing():
    """The Dockerfile is clean under hadolint's own rules."""
    assert (0, "") == ((ran := hadolint(TEXT)).returncode, ran.stdout)


def test_hadolint_finds_a_fault():
    """The linter is really at work: an untagged base image is reported."""
    assert "DL3006" in hadolint("FROM python\n").stdout


def test_nobody_is_root():
    """The image runs as one numbered user without rights, and builds nothing in its last stage."""
    assert [f"{USER}:{USER}"] == final("USER")
    assert [] == final("RUN")


def test_both_stages_stand_on_one_base():
    """The interpreter that the environment was made with is the one that is shipped."""
    assert ["${PYTHON_IMAGE} AS builder", "${PYTHON_IMAGE}"] == [stage[0].rest for stage in (BUILDER, FINAL)]


def test_the_program_starts_without_a_shell():
    """Entry point, command and health check are argument lists; SIGTERM ends the service."""
    [health] = final("HEALTHCHECK")
    assert ["execsvc"] == json.loads(final("ENTRYPOINT")[0])
    assert ["serve"] == json.loads(final("CMD")[0])
    assert ["execsvc", "health"] == json.loads(health.partition("CMD ")[2])
    assert ["SIGTERM"] == final("STOPSIGNAL")


def test_one_volume_holds_the_store():
    """All that the service keeps lies in the one volume."""
    assert ["/data"] == json.loads(final("VOLUME")[0])
    assert "EXECSVC_STORE=sqlite:////data/execsvc.db" in shlex.split(final("ENV")[0])


def test_what_is_copied_is_not_ignored():
    """Each file that the builder copies is let through by .dockerignore, which keeps everything else out."""
    let_through = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [source for step in BUILDER if step.word == "COPY" for source in step.rest.split()[:-1]]
    assert sorted(let_through) == sorted(copied)


# --- what it builds ------------------------------------------------------------------------------------
def as_image_user() -> dict[str, object]:
    """How to start a process as the image's user; only root can, others stay who they are."""
    return {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}


def reachable_python(root: Path) -> Path:
    """This interpreter, or a copy inside the tree when the image's user cannot get at it (in a private home)."""
    prefix, name = Path(sys.base_prefix), f"python{sys.version_info.major}.{sys.version_info.minor}"
    here = prefix / "bin" / name
    try:
        subprocess.run([here, "-c", ""], check=True, capture_output=True, cwd=root, **as_image_user())
    except PermissionError:
        copy = root / "usr"
        left_out = shutil.ignore_patterns("__pycache__", "test", "idlelib", "tkinter", "*.a", "share", "include")

        def ignore(folder: str, names: list[str]) -> set[str]:
            others = {each for each in names if each != "pip"} if folder.endswith("site-packages") else set()
            return others | left_out(folder, names)

        shutil.copytree(prefix, copy, symlinks=True, ignore=ignore)
        return copy / "bin" / name
    return here


def replay(root: Path) -> None:
    """Run the builder's steps with ROOT as the root folder of the image."""
    # `python` is what the base image brings, so it is not the environment that runs these tests.
    shim = root / "shim" / "python"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {shlex.quote(str(reachable_python(root)))} "$@"\n')
    shim.chmod(0o755)
    foreign = ("PYTHON", "VIRTUAL_ENV", "COVERAGE")
    env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    env["PATH"] = f"{shim.parent}:{os.defpath}"
    folder = root
    for step in BUILDER[1:]:
        rest = re.sub(rf"(?<![\w./-])/(?=(?:{'|'.join(ROOTS)})\b)", f"{root}/", step.rest)
        match step.word:
            case "ENV":
                given = dict(pair.split("=", 1) for pair in shlex.split(rest))
                env |= {name: value for name, value in given.items() if not name.endswith("_CACHE_DIR")}
            case "WORKDIR":
                folder = Path(rest)
                folder.mkdir(parents=True)
            case "COPY":
                *sources, target = rest.split()
                for source in sources:
                    copy(ROOT / source, folder / target, into=len(sources) > 1 or target.endswith("/"))
            case "RUN":
                run(re.sub(r"--mount=\S+", "", rest), folder, env)
            case other:
                pytest.fail(f"the replay does not know {other}")


def copy(source: Path, target: Path, *, into: bool) -> None:
    target = target / source.name if into else target
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "tests"))
    else:
        shutil.copy(source, target)


def run(command: str, folder: Path, env: dict[str, str]) -> None:
    """Run one step, from what uv has at hand first: the packages were just installed for these tests."""
    for offline in ({"UV_OFFLINE": "1"}, {}):
        ran = subprocess.run(
            ["/bin/sh", "-e", "-c", command], cwd=folder, env=env | offline, capture_output=True, text=True, check=False
        )
        if ran.returncode == 0:
            return
    pytest.fail(f"RUN {command}\n{ran.stdout}{ran.stderr}")


def chmod_tree(root: Path, *, writable: bool) -> None:
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode | stat.S_IWUSR if writable else mode & ~0o222)


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """The root of a built image, all of it read-only but the volume."""
    root = Path(tempfile.mkdtemp(prefix="execsvc-image-"))
    root.chmod(0o755)
    try:
        replay(root)
        chmod_tree(root, writable=False)
        (root / "data").chmod(0o700)
        if os.geteuid() == 0:
            os.chown(root / "data", USER, USER)
        yield root
    finally:
        chmod_tree(root, writable=True)
        shutil.rmtree(root)


def as_started(image: Path, **extra: str) -> dict[str, object]:
    """How the image starts a process: its user, its environment (no HOME in it), its volume as working folder."""
    given = dict(pair.split("=", 1) for pair in shlex.split(final("ENV")[0]))
    here = {"PATH": f"{image}/app/bin", "EXECSVC_STORE": f"sqlite:///{image}/data/execsvc.db"}
    if (copied := image / "usr" / "lib").is_dir():
        here["LD_LIBRARY_PATH"] = str(copied)  # a copied interpreter finds its own library, not the system's
    return {"cwd": image / "data", "env": given | here | extra, "text": True, **as_image_user()}


def start(image: Path, *command: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run a command as the image would, to its end."""
    program = image / "app" / "bin" / command[0]
    how = as_started(image, **extra)
    return subprocess.run([program, *command[1:]], capture_output=True, check=False, timeout=60, **how)


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def test_the_result_answers(image: Path):
    """The built environment starts as the image's user on a read-only tree."""
    ran = start(image, "execsvc", "version")
    assert 0 == ran.returncode, ran.stderr
    assert re.search(r"\b0\.1\.0\b", ran.stdout)


def test_the_image_serves_and_stops(image: Path, tmp_path: Path):
    """The image's own command serves from a read-only tree, its health check turns good, SIGTERM ends it with 0."""
    address, log = free_address(), tmp_path / "log"
    [entry], [command], [check] = (final(word) for word in ("ENTRYPOINT", "CMD", "HEALTHCHECK"))
    program, *arguments = json.loads(entry) + json.loads(command)
    how = as_started(image, EXECSVC_LISTEN=address, EXECSVC_HTTP_LISTEN=free_address())
    with (
        log.open("w") as out,
        subprocess.Popen(
            [image / "app" / "bin" / program, *arguments], stdout=out, stderr=subprocess.STDOUT, **how
        ) as service,
    ):
        try:
            health = json.loads(check.partition("CMD ")[2])
            tries = (start(image, *health, EXECSVC_TARGET=address).returncode for _ in range(40))
            assert any(code == 0 for code in tries if service.poll() is None), log.read_text()
            service.send_signal(signal.SIGTERM)
            assert 0 == service.wait(40), log.read_text()
            assert (image / "data" / "execsvc.db").is_file()
        finally:
            service.kill()


def test_the_tree_is_read_only_but_for_the_volume(image: Path):
    """The user of the image can write to the volume and nowhere else."""
    attempt = "import sys; open(sys.argv[1] + '/probe', 'w').close()"
    refused = start(image, "python", "-c", attempt, str(image / "app"))
    assert "PermissionError" in refused.stderr
    assert 0 == start(image, "python", "-c", attempt, str(image / "data")).returncode


def test_what_installs_is_not_shipped(image: Path):
    """Neither the installer nor the build backend is left in the image, and nothing that runs needs them."""
    assert {"execsvc", "python"} <= {path.name for path in (image / "app" / "bin").iterdir()}
    assert not {"uv", "pip", "hatchling"} & {path.name for path in (image / "app" / "bin").iterdir()}
    ran = subprocess.run(
        [TOOLS / "uv", "pip", "check", "--python", image / "app" / "bin" / "python"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == ran.returncode, ran.stderr


def test_sources_are_not_needed(image: Path):
    """The service is installed, not linked: it is imported from the environment."""
    ran = start(image, "python", "-c", "import execsvc, execsvc_api; print(execsvc.__file__, execsvc_api.__file__)")
    assert {True} == {path.startswith(f"{image}/app/lib/") for path in ran.stdout.split()}
