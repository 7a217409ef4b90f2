"""dev, serve and paper: which settings they pass on, what they say, how they leave; and what `--help` may cost."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

import execsvc.compose
import execsvc.settings
from execsvc.cli import run
from execsvc.compose import PaperFacts, Ready, StartRefused
from execsvc.settings import SettingsRefused

READY = Ready(
    version="0.1.0",
    mode="paper",
    dev=True,
    grpc_address="127.0.0.1:50051",
    http_url="http://127.0.0.1:51051",
    paper=PaperFacts("127.0.0.1:40117", 42, ("BTC/USD", "ETH/USD"), "intermediate", "100,000 USD"),
    demo=True,
    store="temporary (--store sqlite:///PATH keeps it)",
    trading=True,
)


class Service:
    """Stands for settings.load and compose.run."""

    def __init__(self, monkeypatch):
        self.code = 0
        self.refuses = None
        self.loaded, self.companion = None, None
        monkeypatch.setattr(execsvc.settings, "load", self.load)
        monkeypatch.setattr(execsvc.compose, "run", self.run)

    def load(self, environ, *, overrides, dev):
        if isinstance(self.refuses, SettingsRefused):
            raise self.refuses
        self.loaded = (dict(overrides), dev)
        return "settings"

    def run(self, settings, announce, companion=None):
        if isinstance(self.refuses, StartRefused):
            raise self.refuses
        self.companion = companion
        announce(replace(READY, dev=self.loaded[1]))
        return self.code


@pytest.fixture
def service(monkeypatch):
    return Service(monkeypatch)


def test_dev_passes_its_options_on(execsvc, service):
    """Options become settings by the names of the environment; what is not said is not passed."""
    said = execsvc(
        *["dev", "--listen", "127.0.0.1:6000", "--http", "off", "--seed", "7", "--store", "memory:", "--no-demo"],
        *["--config", "execsvc.toml"],
    )
    assert service.loaded == (
        {
            "EXECSVC_LISTEN": "127.0.0.1:6000",
            "EXECSVC_HTTP_LISTEN": "off",
            "EXECSVC_STORE": "memory:",
            "EXECSVC_CONFIG": "execsvc.toml",
            "EXECSVC_SEED": "7",
            "EXECSVC_DEMO": "off",
        },
        True,
    )
    assert (0, "") == (said.code, said.out)
    execsvc("dev")
    assert service.loaded == ({}, True)
    assert service.companion is not None


def test_serve_passes_its_options_on(execsvc, service):
    """Serve has no trader, and binds in plaintext beyond loopback only when that is said."""
    execsvc("serve", "--listen", "0.0.0.0:50051", "--insecure-bind")
    assert service.loaded == ({"EXECSVC_LISTEN": "0.0.0.0:50051", "EXECSVC_INSECURE_BIND": "on"}, False)
    assert service.companion is None


@pytest.mark.parametrize("code", [0, 130, 1])
def test_the_services_exit_code_is_the_commands(execsvc, service, code):
    """What the service ends with is what the shell sees."""
    service.code = code
    assert execsvc("serve").code == code


def test_every_problem_of_the_settings_is_a_line(execsvc, service):
    """Broken settings: each on a line of its own, exit 3."""
    service.refuses = SettingsRefused(("EXECSVC_TIER=gold: no", "EXECSVC_LISTN: no such setting"))
    said = execsvc("serve")
    assert (3, "") == (said.code, said.out)
    assert said.err.splitlines() == ["EXECSVC_TIER=gold: no", "EXECSVC_LISTN: no such setting"]


def test_a_start_that_is_refused_is_one_line(execsvc, service):
    """One clear line, exit 3."""
    service.refuses = StartRefused("127.0.0.1:50051 is taken: choose another with --listen")
    said = execsvc("dev")
    assert (3, "127.0.0.1:50051 is taken: choose another with --listen\n") == (said.code, said.err)


def test_banner_names_what_stands():
    """Addresses, exchange, trader, state and the next step; nothing that is not there."""
    text = run.banner(READY, 5.0, 0.94)
    assert text.splitlines() == [
        "execsvc 0.1.0   DEV: paper money, no tokens, loopback only. Not for production: docs/guides/going-live.md",
        "  gRPC       127.0.0.1:50051    reflection on      try: grpcurl -plaintext 127.0.0.1:50051 list",
        "  HTTP       http://127.0.0.1:51051/metrics    (also /healthz)",
        "  exchange   paper on 127.0.0.1:40117, seed 42, BTC/USD ETH/USD, tier intermediate, 100,000 USD",
        "  demo       1 small order every 5 s (--no-demo)",
        "  state      temporary (--store sqlite:///PATH keeps it)",
        "  next       execsvc watch BTC/USD  |  execsvc buy BTC/USD --qty 0.001  |  execsvc status",
        "ready in 0.9 s",
    ]


def test_banner_says_whether_callers_need_a_token():
    """`dev` has none unless a file of them was named."""
    told = [run.banner(replace(READY, tokens=tokens), 5.0, 0.94) for tokens in (False, True)]
    assert [True, False] == ["DEV: paper money, no tokens, loopback only." in text for text in told]
    assert [False, True] == ["DEV: paper money, tokens, loopback only." in text for text in told]


def test_banner_of_another_address_can_be_copied():
    """Commands name the target when it is not the default one; absent doors are not named."""
    text = run.banner(replace(READY, grpc_address="127.0.0.1:6000", http_url="", demo=False, paper=None), 5.0, 0.94)
    assert "execsvc watch BTC/USD --target 127.0.0.1:6000  |" in text
    assert "metrics" not in text
    assert "demo" not in text
    assert "exchange" not in text


def test_banner_of_the_service_says_which_money():
    """Serve says paper or LIVE, and when trading is not open yet, where to look."""
    assert run.banner(replace(READY, dev=False), 0.0, 0.94).splitlines()[0] == "execsvc 0.1.0   paper money"
    text = run.banner(replace(READY, dev=False, mode="live", trading=False), 0.0, 0.94)
    assert text.splitlines()[0] == "execsvc 0.1.0   LIVE money"
    assert "trading    not open yet: execsvc status says why" in text
    assert "next" not in text


def test_paper_prints_its_variables_first(execsvc, monkeypatch):
    """--print-env: one block of KEY=value on stdout, ended by an empty line."""
    asked = []

    async def serve(options, *, announce, stop):
        asked.append(options)
        announce({"EXECSVC_KRAKEN_REST_URL": "http://127.0.0.1:9", "KRAKEN_API_KEY": "k"})

    monkeypatch.setattr("execsvc.paper.server.serve", serve)
    said = execsvc("paper", "--port", "9", "--seed", "5", "--control-port", "0", "--print-env")
    assert said.out == "EXECSVC_KRAKEN_REST_URL=http://127.0.0.1:9\nKRAKEN_API_KEY=k\n\n"
    assert (9, 5, 0, "intermediate") == (asked[0].port, asked[0].seed, asked[0].control_port, asked[0].tier)
    assert execsvc("paper").out == ""


def test_paper_takes_a_tier(execsvc, monkeypatch):
    """--tier: whose rate limits it keeps; another word is exit 2 with the words there are."""
    asked = []

    async def serve(options, *, announce, stop):
        asked.append(options.tier)

    monkeypatch.setattr("execsvc.paper.server.serve", serve)
    execsvc("paper", "--tier", "pro")
    refused = execsvc("paper", "--tier", "gold")
    assert (["pro"], 2) == (asked, refused.code)
    assert "unlimited" in refused.err


def test_paper_on_a_taken_port_is_exit_3(execsvc, monkeypatch):
    """A port that is taken names the option to use."""

    async def serve(options, *, announce, stop):
        raise OSError(98, "Address already in use")

    monkeypatch.setattr("execsvc.paper.server.serve", serve)
    said = execsvc("paper", "--port", "9")
    assert said.code == 3
    assert "choose another --port" in said.err


# --- whole processes -----------------------------------------------------------------------------------------------

PROBE = """
import json, sys
from execsvc.cli.main import run
code = run(sys.argv[1:])
print(json.dumps({"code": code, "loaded": sorted({name.partition(".")[0] for name in sys.modules})}), file=sys.stderr)
"""


def loaded_by(*arguments):
    done = subprocess.run([sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=False)
    found = json.loads(done.stderr.splitlines()[-1])
    return found["code"], set(found["loaded"])


def test_help_imports_nothing_heavy():
    """--help loads typer and none of the libraries that a verb may need."""
    code, loaded = loaded_by("--help")
    assert code == 0
    assert {"typer"} <= loaded
    assert not loaded & {"grpc", "google", "aiohttp", "structlog", "opentelemetry", "msgspec", "rich", "asyncio"}


@pytest.mark.parametrize("arguments", [("status",), ("health",), ("call", "--list"), ("watch", "BTC/USD"), ("tail",)])
def test_the_client_half_imports_typer_and_grpc_only(arguments):
    """A verb that only calls a gateway loads nothing of the service's own libraries."""
    _, loaded = loaded_by(*arguments, *(() if arguments[0] == "call" else ("--target", "127.0.0.1:1")))
    assert {"typer", "grpc"} <= loaded or arguments[0] == "call"
    assert not loaded & {"aiohttp", "structlog", "opentelemetry", "msgspec", "rich", "uvloop"}


@pytest.mark.process
def test_help_is_quick():
    """--help costs at most 0.3 s of processor time, the best of three."""
    spent = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "execsvc", "--help"], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) <= 0.3


@pytest.mark.process
def test_ctrl_c_is_exit_130(gateway):
    """SIGINT while watching leaves with 130 and without a traceback."""
    from execsvc_api.v1 import market_data_service_pb2

    first = market_data_service_pb2.SubscribeTickersResponse()
    first.accepted.stream_id = "s-1"
    gateway.script("SubscribeTickers", [first, 30])
    process = subprocess.Popen(
        [sys.executable, "-m", "execsvc", "watch", "BTC/USD"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "EXECSVC_TARGET": gateway.target},
    )
    assert "connected" in process.stdout.readline()
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (130, "", "") == (process.returncode, out, err)


@pytest.mark.process
def test_a_reader_that_leaves_is_no_failure():
    """`execsvc call --list | head -1` is quiet."""
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m execsvc call --list | head -1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("", 0) == (done.stderr, done.returncode)
