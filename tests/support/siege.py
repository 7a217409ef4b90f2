"""A gateway under attack: its process, an attacker in another process, and a caller beside them whose waits are measured.

The attacker comes with the viewer's token of a first start or with none, the other caller with the admin's. What an attack
does is attacks.py's.
"""

import asyncio
import json
import os
import re
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from execsvc_api.v1 import admin_service_pb2 as admin
from execsvc_api.v1 import admin_service_pb2_grpc as admin_stub

from tests.support.processes import clean_environ, running

INFO = admin.GetServerInfoRequest()
PAUSE_S = 0.002
PATIENCE_S = 20.0  # of the caller that is measured: whatever happens, it is served
CALM_S, CALM_MS = 30.0, 50.0


@dataclass(frozen=True)
class Waits:
    """How long calls took, in milliseconds, sorted."""

    took: tuple[float, ...]

    def share(self, part):
        """The time that so large a part of them stayed below."""
        return self.took[min(len(self.took) - 1, int(len(self.took) * part))]

    @property
    def p50(self):
        return self.share(0.5)

    @property
    def p99(self):
        return self.share(0.99)

    @property
    def longest(self):
        return self.took[-1]


@dataclass(frozen=True)
class Outcome:
    """One attack: its figures, the other caller's waits at rest and during it, resident memory before and after, in MB."""

    figures: dict
    rest: Waits
    attacked: Waits
    memory_mb: tuple[float, float]

    @property
    def growth_mb(self):
        return self.memory_mb[1] - self.memory_mb[0]


class Siege:
    """One gateway. The attacker gives way to the other caller: on the machines they come from they would not meet."""

    def __init__(self, process, port, http_port, tokens, stub):
        self.process, self.port, self.http_port = process, port, http_port
        self._tokens, self._stub = tokens, stub

    async def ask(self):
        """One call of the other caller; it fails only when the gateway does."""
        headers = (("authorization", f"Bearer {self._tokens['admin']}"),)
        return await self._stub.GetServerInfo(INFO, metadata=headers, timeout=PATIENCE_S)

    async def streams(self):
        """Which streams are open: what an attacker left behind would be among them."""
        headers = (("authorization", f"Bearer {self._tokens['admin']}"),)
        return await self._stub.ListStreams(admin.ListStreamsRequest(), metadata=headers, timeout=PATIENCE_S)

    async def measured(self, enough):
        """Calls one after the other until `enough(so many)`."""
        took, clock = [], asyncio.get_running_loop().time
        while not enough(len(took)):
            began = clock()
            await self.ask()
            took.append(1000 * (clock() - began))
            await asyncio.sleep(PAUSE_S)
        return Waits(tuple(sorted(took)))

    async def attacked(self, name, *, rest=300, as_caller="viewer", **parameters):
        """The attack of that name, with the other caller measured before and during it."""
        calm = await self.measured(lambda count: count >= rest)
        before = self.memory_mb()
        said = [f"{key}={value}" for key, value in parameters.items()]
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        environ["EXECSVC_TOKEN"] = self._tokens[as_caller] if as_caller else ""
        attacker = await asyncio.create_subprocess_exec(
            *("nice", "-n", "15", sys.executable, "-m", "tests.support.attacks", name),
            *(str(self.http_port if name.startswith("http_") else self.port), *said),
            env=environ,
            stdout=asyncio.subprocess.PIPE,
        )
        during = await self.measured(lambda _: attacker.returncode is not None)
        said = await attacker.stdout.read()
        assert 0 == attacker.returncode, said
        await self.calm()
        return Outcome(json.loads(said), calm, during, (before, self.memory_mb()))

    async def calm(self):
        """Until ten calls in a row are quick again: what the attacker left has been cleared away."""
        by = asyncio.get_running_loop().time() + CALM_S
        while (await self.measured(lambda count: count >= 10)).longest > CALM_MS:
            assert asyncio.get_running_loop().time() < by, "it does not come to rest"

    def memory_mb(self):
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.process.pid}/status").read_text())
        return int(found[1]) / 1024


@asynccontextmanager
async def besieged(home, exchange):
    """A gateway as a first start makes it, tokens on, ended with the block; as in earnest, the exchange is elsewhere."""
    environ = {**clean_environ(home), **exchange.environ}
    del environ["EXECSVC_TOKENS"]
    with running(["serve", "--listen", "127.0.0.1:0"], environ) as process:
        port = int(process.wait_for(r"gRPC +127\.0\.0\.1:(\d+)")[1])
        http_port = int(process.wait_for(r"HTTP +http://127\.0\.0\.1:(\d+)")[1])
        process.wait_for(r"ready in")
        beside = home / ".local" / "state" / "execsvc"
        tokens = {name: (beside / f"{name}.token").read_text().strip() for name in ("admin", "viewer")}
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", (("grpc.enable_retries", 0),)) as channel:
            siege = Siege(process, port, http_port, tokens, admin_stub.AdminServiceStub(channel))
            await siege.measured(lambda count: count >= 300)  # everything that is made once, is made
            yield siege
