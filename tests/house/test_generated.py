"""What is made from the contract and committed is what the contract says: stubs, descriptors, and the tool itself.

The generators live in another environment, so these tests compare descriptors, which need none; `make gen-check`
compares bytes.
"""

import ast
import importlib
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from tests.house.contract_source import ROOT, files

CLIENT = ROOT / "clients" / "python"
STUBS = CLIENT / "execsvc_api" / "v1"
STEMS = [Path(file.name).stem for file in files()]
SERVICES = [stem for stem in STEMS if stem.endswith("_service")]


def bare(file: FileDescriptorProto) -> FileDescriptorProto:
    """Leave out what generators keep or drop as they like: comments and the derived JSON names."""
    kept = FileDescriptorProto()
    kept.CopyFrom(file)
    kept.ClearField("source_code_info")
    waiting = list(kept.message_type)
    while waiting:
        message = waiting.pop()
        waiting += message.nested_type
        for field in message.field:
            field.ClearField("json_name")
    return kept


def comments(file: FileDescriptorProto) -> dict[tuple[int, ...], str]:
    return {tuple(at.path): at.leading_comments for at in file.source_code_info.location if at.leading_comments}


@pytest.fixture(scope="module")
def gen() -> ModuleType:
    """Load tools/gen.py, which is a script and no package."""
    spec = importlib.util.spec_from_file_location("gen", ROOT / "tools" / "gen.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gen"] = module  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("file", files(), ids=STEMS)
def test_stubs_are_of_the_present_contract(file: FileDescriptorProto) -> None:
    """The descriptor inside each Python stub equals the `.proto` as it stands."""
    stub = importlib.import_module(f"execsvc_api.v1.{Path(file.name).stem}_pb2")
    inside = FileDescriptorProto.FromString(stub.DESCRIPTOR.serialized_pb)
    assert bare(inside) == bare(file)


def test_descriptors_are_of_the_present_contract() -> None:
    """The committed descriptor set holds every file and comment as it stands, and the well-known types it imports."""
    committed = FileDescriptorSet.FromString((ROOT / "clients" / "descriptors.binpb").read_bytes())
    found = {file.name: file for file in committed.file}
    assert set(found) == {file.name for file in files()} | {
        "google/protobuf/timestamp.proto", "google/protobuf/duration.proto",
    }  # fmt: skip
    for file in files():
        assert bare(found[file.name]) == bare(file)
        assert comments(found[file.name]) == comments(file)


def test_there_are_stubs_for_every_file_and_no_others() -> None:
    """Every file has messages and their types, only files with services have the gRPC half, nothing is left over."""
    wanted = {"__init__.py", *(f"{stem}_pb2{end}" for stem in STEMS for end in (".py", ".pyi"))}
    wanted |= {f"{stem}_pb2_grpc{end}" for stem in SERVICES for end in (".py", ".pyi")}
    assert {path.name for path in STUBS.iterdir() if path.name != "__pycache__"} == wanted
    assert {path.name for path in STUBS.parent.iterdir() if path.name != "__pycache__"} == {
        "__init__.py",
        "py.typed",
        "v1",
    }


def test_stubs_import_alone_and_quietly(tmp_path: Path) -> None:
    """All stubs import in a fresh process without a warning, and never load the service package."""
    names = [path.stem for path in STUBS.glob("*_pb2*.py")]
    code = f"import importlib, sys; [importlib.import_module('execsvc_api.v1.' + n) for n in {names}]; "
    code += "print([m for m in sys.modules if m.split('.')[0] == 'execsvc'])"
    environment = {**os.environ, "PYTHONPATH": str(CLIENT), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


@pytest.mark.parametrize("path", sorted(STUBS.glob("*.py*")), ids=lambda path: path.name)
def test_no_stub_names_the_service_package(path: Path) -> None:
    """No import in a stub, nested ones included, leads to `execsvc`."""
    roots = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            roots.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in node.names}
    assert "execsvc" not in roots


def test_messages_know_where_they_live() -> None:
    """The module that a message class names can be imported: pickle and documentation tools look it up."""
    for file in files():
        stub = importlib.import_module(f"execsvc_api.v1.{Path(file.name).stem}_pb2")
        for message in file.message_type:
            assert getattr(stub, message.name).__module__ == stub.__name__


def test_every_rpc_has_a_stub_and_a_servicer() -> None:
    """Each service can be called and served through the generated code, method by method."""
    for file in files():
        for service in file.service:
            module = importlib.import_module(f"execsvc_api.v1.{Path(file.name).stem}_pb2_grpc")
            servicer = getattr(module, f"{service.name}Servicer")
            assert [m.name for m in service.method if not callable(getattr(servicer, m.name, None))] == []
            assert callable(getattr(module, f"{service.name}Stub"))
            assert callable(getattr(module, f"add_{service.name}Servicer_to_server"))


def test_the_client_asks_for_what_its_stubs_need() -> None:
    """The floors of the distribution are the versions that its generated code refuses to go below."""
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text("utf-8"))["project"]
    grpc_floor = re.findall(
        r"GRPC_GENERATED_VERSION = '(.+)'", (STUBS / "order_service_pb2_grpc.py").read_text("utf-8")
    )
    gencode = re.findall(r"^    (\d+),$", (STUBS / "order_pb2.py").read_text("utf-8"), re.MULTILINE)
    assert project["dependencies"] == [
        f"grpcio>={grpc_floor[0]}",
        f"protobuf>={'.'.join(gencode)},<8",
        "googleapis-common-protos>=1.70",
    ]


def test_generators_are_pinned_with_hashes_and_no_address() -> None:
    """Every package of the generators' environment has an exact version and hashes; no line names an index or URL."""
    text = (ROOT / "requirements" / "codegen.txt").read_text("utf-8")
    packages = re.findall(r"^\S+==\S+", text, re.MULTILINE)
    hashed = re.findall(r"^\S+==\S+(?: ;[^\n]*?)? \\\n    --hash=sha256:", text, re.MULTILINE)
    assert len(packages) == len(hashed) > 0
    assert set((ROOT / "requirements" / "codegen.in").read_text("utf-8").split()) <= set(packages)
    assert not re.search(r"://|--index|--find-links|--extra", text)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda home: (home / "a.py").write_text("other"), "differs: out/a.py"),
        (lambda home: (home / "sub" / "b.pyi").unlink(), "missing: out/sub/b.pyi"),
        (lambda home: (home / "sub" / "old_pb2.py").write_text("stale"), "extra: out/sub/old_pb2.py"),
    ],
    ids=["differs", "missing", "extra"],
)
def test_gen_finds_every_kind_of_drift(gen, tmp_path, monkeypatch, capsys, change, said) -> None:
    """A differing, missing or extra file is named by a check, which writes nothing, and mended by a run."""

    def make(home: Path) -> None:
        (home / "sub").mkdir(parents=True)
        (home / "a.py").write_text("a")
        (home / "sub" / "b.pyi").write_text("b")

    monkeypatch.setattr(gen, "ROOT", tmp_path)
    target = gen.Target("out", Path("out"), make)
    make(tmp_path / "out")
    assert gen.run(target, check=True) == 0
    change(tmp_path / "out")
    assert [gen.run(target, check=True), gen.run(target, check=True)] == [1, 1]
    assert capsys.readouterr().out.splitlines() == [said, said]
    assert gen.run(target, check=False) == 1
    assert gen.run(target, check=True) == 0


def test_gen_checks_single_files_too(gen, tmp_path, monkeypatch) -> None:
    """A target whose home is one file drifts and is mended like a folder."""
    monkeypatch.setattr(gen, "ROOT", tmp_path)
    target = gen.Target("one", Path("x/one.bin"), lambda home: home.write_bytes(b"\x00new"))
    assert gen.run(target, check=True) == 1
    assert gen.run(target, check=False) == 1
    assert ((tmp_path / "x" / "one.bin").read_bytes(), gen.run(target, check=True)) == (b"\x00new", 0)


def test_gen_refuses_a_target_that_makes_nothing(gen, tmp_path, monkeypatch) -> None:
    """A generator that silently writes nothing must not delete what stands."""
    monkeypatch.setattr(gen, "ROOT", tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "kept.py").write_text("kept")
    with pytest.raises(gen.GenerationError, match="nothing was generated"):
        gen.run(gen.Target("out", Path("out"), lambda home: home.mkdir()), check=False)
    assert (tmp_path / "out" / "kept.py").exists()


def test_gen_moves_imports_and_module_names(gen) -> None:
    """The one rewrite touches the import root and the module of message classes, never the wire names."""
    before = r"""
from execsvc.v1 import common_pb2 as execsvc_dot_v1_dot_common__pb2
from google.protobuf import duration_pb2
DESCRIPTOR = pool.AddSerializedFile(b'\n\x17\x65xecsvc/v1/common.proto\x12\nexecsvc.v1')
_builder.BuildTopDescriptorsAndMessages(DESCRIPTOR, 'execsvc.v1.common_pb2', _globals)
'/execsvc.v1.OrderService/PlaceOrder'
"""
    after = before.replace("from execsvc.", "from execsvc_api.").replace("'execsvc.v1.common", "'execsvc_api.v1.common")
    assert gen.rewrite(before, "x.py") == after


@pytest.mark.parametrize(
    "line",
    [
        "import execsvc.v1.common_pb2",
        "    from execsvc.v1 import order_pb2",
        "import execsvc",
        "x = 'execsvc.v1.order_pb2'",
    ],
)
def test_gen_refuses_a_mention_it_cannot_move(gen, line: str) -> None:
    """Should a generator name the service package in another form, generation fails instead of shipping it."""
    with pytest.raises(gen.GenerationError, match=r"x\.pyi: still names the service package"):
        gen.rewrite(f"import sys\n{line}\n", "x.pyi")


def test_gen_runs_on_the_pinned_generators_only(gen, tmp_path, monkeypatch) -> None:
    """With another version of a generator, or without it, nothing is generated."""
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "codegen.in").write_text("pytest==0.0.1\n")
    monkeypatch.setattr(gen, "ROOT", tmp_path)
    with pytest.raises(gen.GenerationError, match=r"pytest is .+ here, not 0\.0\.1"):
        gen.demand_pins()
    (tmp_path / "requirements" / "codegen.in").write_text("no-such-generator==1.0\n")
    with pytest.raises(gen.GenerationError, match="no-such-generator is absent here"):
        gen.demand_pins()
