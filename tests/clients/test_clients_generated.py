"""The drift check of the clients' generated code: green here, and red for every kind of drift."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from toolchains import ROOT, demand, gen_clients

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]


def check(root: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the drift check in a repository."""
    command = [sys.executable, root / "tools" / "gen_clients.py", "--check", *arguments]
    return subprocess.run(command, env=os.environ | env, check=False, capture_output=True, text=True, timeout=200)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """What the check reads, in a folder where it may be spoilt; installed packages are those of the real one."""
    demand("node", "npm", "go")
    gen_clients.typescript_modules()
    for folder in ("proto", "clients/typescript", "clients/go"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (tmp_path / "tools").mkdir()
    for file in ("tools/gen.py", "tools/gen_clients.py", "clients/retry.json", "buf.yaml"):
        shutil.copyfile(ROOT / file, tmp_path / file)
    (tmp_path / ".codegen").mkdir()
    (tmp_path / ".codegen" / "typescript").symlink_to(gen_clients.MODULES, target_is_directory=True)
    return tmp_path


def test_what_is_committed_is_as_generated():
    """Both clients are what the contract and the retry policy say, to the byte."""
    demand("node", "npm", "go")
    done = check(ROOT)
    assert (0, ["as generated: typescript", "as generated: go"]) == (done.returncode, done.stdout.splitlines())


def test_every_kind_of_drift_is_found(repository):
    """A file that differs, one that is missing and one that is extra are each named, and the check fails."""
    stubs = repository / "clients" / "typescript" / "src" / "gen" / "execsvc" / "v1"
    (stubs / "order_pb.ts").write_text("export {};\n", "utf-8")
    (stubs / "left_over_pb.ts").write_text("export {};\n", "utf-8")
    (repository / "clients" / "go" / "execsvc" / "v1" / "limits.pb.go").unlink()
    done = check(repository)
    assert 1 == done.returncode
    assert [
        "extra: clients/typescript/src/gen/execsvc/v1/left_over_pb.ts",
        "differs: clients/typescript/src/gen/execsvc/v1/order_pb.ts",
        "missing: clients/go/execsvc/v1/limits.pb.go",
    ] == done.stdout.splitlines()


def test_a_changed_contract_is_drift(repository):
    """A new field and a new retry figure both reach every language: until then the check fails."""
    order = repository / "proto" / "execsvc" / "v1" / "order.proto"
    order.write_text(order.read_text("utf-8").replace("message MarketOrder {}", "message MarketOrder {bool x = 1;}"))
    retry = repository / "clients" / "retry.json"
    retry.write_text(retry.read_text("utf-8").replace('"maxAttempts": 4', '"maxAttempts": 3'))
    done = check(repository)
    assert 1 == done.returncode
    assert [
        "differs: clients/typescript/src/gen/execsvc/v1/order_pb.ts",
        "differs: clients/typescript/src/gen/retry.ts",
        "differs: clients/go/execsvc/v1/order.pb.go",
        "differs: clients/go/retry.json",
    ] == done.stdout.splitlines()


def test_a_missing_toolchain_is_skipped_by_name_or_fails_where_it_is_required():
    """Without Node and Go the check names what it skips; CI_REQUIRE_TOOLCHAINS=1 makes that a failure."""
    skipped = check(ROOT, PATH="", CI_REQUIRE_TOOLCHAINS="")
    assert (0, ["skipped: typescript (no node, npm here)", "skipped: go (no go here)"]) == (
        skipped.returncode,
        skipped.stdout.splitlines(),
    )
    assert 2 == check(ROOT, PATH="", CI_REQUIRE_TOOLCHAINS="1").returncode
