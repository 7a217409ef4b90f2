"""The Go client: vetted and formatted, its own tests, exact pins, and a journey through the real gateway."""

import json

import journey
import pytest
from toolchains import call, code_block, demand, gen_clients, run

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]


@pytest.fixture
def module():
    """Folder of the Go module; nothing in it is written by a build."""
    demand("go")
    return gen_clients.GO


async def test_the_quickstart_places_and_cancels_an_order_through_the_real_gateway(go_quickstart, dev_gateway):
    """Tickers, one order far from the market, its cancel: every step is said and nothing is left open."""
    journey.check(await run(go_quickstart, dev_gateway, "3"))


def test_its_own_tests_pass(module):
    """The module's tests run, and all of them pass."""
    said = call("go", "test", "-count=1", "-v", ".", cwd=module)
    assert said.count("--- PASS:") >= 11
    assert "--- SKIP" not in said


def test_it_is_vetted_and_formatted(module):
    """`go vet` has nothing to say, and gofmt would change no file, the generated ones included."""
    call("go", "vet", "./...", cwd=module)
    assert "" == call("gofmt", "-l", ".", cwd=module)


def test_the_code_of_its_readme_compiles(module, tmp_path):
    """The program in the README is a program: it compiles against the module, without a file being written there."""
    program, overlay = tmp_path / "main.go", tmp_path / "overlay.json"
    program.write_text(code_block(module / "README.md", "go"), "utf-8")
    place = module / "examples" / "readme" / "main.go"
    overlay.write_text(json.dumps({"Replace": {str(place): str(program)}}), "utf-8")
    call("go", "build", "-overlay", overlay, "-o", tmp_path / "readme", "./examples/readme", cwd=module)
    assert "" == call("gofmt", "-l", program, cwd=module)


def test_the_generator_is_as_old_as_the_runtime_it_writes_for(module):
    """protoc-gen-go, pinned in tools.mod, has the version of google.golang.org/protobuf, pinned in go.mod."""
    runtime, generator = (
        call("go", "list", *flags, "-m", "-f", "{{.Version}}", "google.golang.org/protobuf", cwd=module)
        for flags in ([], ["-modfile=tools.mod"])
    )
    assert runtime == generator
