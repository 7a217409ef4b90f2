"""The TypeScript client: strict to compile, its own tests, exact pins, and a journey through the real gateway."""

import json
import re

import journey
import pytest
from toolchains import call, gen_clients, run

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]


async def test_the_quickstart_places_and_cancels_an_order_through_the_real_gateway(typescript_quickstart, dev_gateway):
    """Tickers, one order far from the market, its cancel: every step is said and nothing is left open."""
    journey.check(await run(typescript_quickstart, dev_gateway, "3"))


def test_its_own_tests_pass(typescript):
    """Node's test runner finds the client's tests, and all of them pass."""
    said = call("node", "--test", "--test-reporter=tap", "dist/test/", cwd=typescript)
    counts = dict(re.findall(r"^# (tests|pass|fail|skipped) (\d+)$", said, re.MULTILINE))
    assert int(counts["tests"]) >= 13
    assert (counts["tests"], "0", "0") == (counts["pass"], counts["fail"], counts["skipped"])


def test_every_package_is_pinned_and_connect_is_of_one_version():
    """Each version is exact, all of @connectrpc/* agree, and the generator is as old as the runtime it writes for."""
    package = json.loads((gen_clients.TYPESCRIPT / "package.json").read_text("utf-8"))
    versions = package["dependencies"] | package["devDependencies"]
    assert [] == [name for name, version in versions.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)]
    assert 1 == len({version for name, version in versions.items() if name.startswith("@connectrpc/")})
    assert versions["@bufbuild/protobuf"] == versions["@bufbuild/protoc-gen-es"]
