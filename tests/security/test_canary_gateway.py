"""A whole life of a gateway with real secrets in all its sources: none of them is found anywhere it speaks or writes.

The paper exchange's keys, its WebSocket token, the signatures of every call, and a caller's token that is sent rightly and
wrongly. Each place is looked at for itself, and shown to have been spoken to.
"""

import urllib.request

import grpc
import pytest
from execsvc_api.v1 import account_service_pb2, account_service_pb2_grpc, admin_service_pb2, admin_service_pb2_grpc
from execsvc_api.v1 import order_service_pb2 as orders
from execsvc_api.v1 import order_service_pb2_grpc as order_stubs

from tests.support.canary import finds, is_one_secret
from tests.support.otlp import collecting
from tests.support.processes import clean_environ, free_port, paper_exchange, running, wait_serving

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

VERBS = (
    ("doctor",),
    ("live", "check"),
    ("audit", "verify"),
    ("config", "show"),
    ("config", "check"),
    ("token", "list"),
    ("status",),
    ("limits", "BTC/USD"),
    ("order", "list"),
)
BAKE = ("token", "bake", "bot", "--like", "trader", "--account", "main", "--max-notional", "500")
WRONG = "xs_0a1b2c3d_" + "A" * 43


class Life:
    """One gateway, all of whose words are kept by place."""

    def __init__(self, home, exchange, collector):
        self.home, self.exchange, self.collector = home, exchange, collector
        self.said = {}
        self.listen, self.http = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        venue = {name: value for name, value in exchange.environ.items() if "CONTROL" not in name}
        self.environ = clean_environ(
            home,
            EXECSVC_LISTEN=self.listen,
            EXECSVC_HTTP_LISTEN=self.http,
            EXECSVC_STORE=f"sqlite://{home}/execsvc.db",
            EXECSVC_LOG_LEVEL="debug",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
            OTEL_TRACES_SAMPLER="always_on",
            **venue,
        ) | {"EXECSVC_TOKENS": f"{home}/tokens.toml"}

    def live(self):
        with running(["serve"], self.environ) as gateway:
            wait_serving(self.listen)
            self.token = (self.home / "admin.token").read_text().strip()
            self.said["errors"] = "\n".join([*self.calls(self.token), *self.calls(WRONG), *self.calls("")])
            self.said["metrics"] = urllib.request.urlopen(f"http://{self.http}/metrics", timeout=5).read().decode()
            self.exchange.fault(kind="error", call="Balance", error="EAPI:Invalid signature", times=1)
            for verb in VERBS:
                self.said[f"execsvc {' '.join(verb)}"] = self.verb(verb)
            self.said["execsvc token bake --out"] = self.verb((*BAKE, "--out", f"{self.home}/bot.token"))
            assert 0 == gateway.stop(), gateway.said
        self.said["stdout"], self.said["stderr"] = "".join(gateway.stdout), "".join(gateway.stderr)
        self.said["spans"] = b"\n".join(span.SerializeToString() for span in self.collector.spans)
        return self

    def calls(self, token):
        """What a caller reads of some calls, answers and errors."""
        bearer = (("authorization", f"Bearer {token}"),) if token else ()
        with grpc.insecure_channel(self.listen) as channel:
            info = admin_service_pb2_grpc.AdminServiceStub(channel).GetServerInfo
            balances = account_service_pb2_grpc.AccountServiceStub(channel).ListBalances
            place = order_stubs.OrderServiceStub(channel).PlaceOrder
            for call, request in (
                (info, admin_service_pb2.GetServerInfoRequest()),
                (balances, account_service_pb2.ListBalancesRequest()),
                (balances, account_service_pb2.ListBalancesRequest(account="nobody's")),
                (place, orders.PlaceOrderRequest(client_order_id="bad")),
            ):
                try:
                    yield f"{call(request, timeout=10, metadata=bearer)}"
                except grpc.RpcError as failure:
                    yield f"{failure.code().name} {failure.details()} {failure.trailing_metadata()}"

    def verb(self, words):
        with running(list(words), self.environ | {"EXECSVC_TARGET": self.listen, "EXECSVC_TOKEN": self.token}) as verb:
            verb.ended()
        return verb.said


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with paper_exchange(home) as exchange, collecting() as collector:
        yield Life(home, exchange, collector).live()


PLACES = {
    "stdout": '"event":"key.exposed"',
    "stderr": "paper money",
    "errors": "UNAUTHENTICATED",
    "metrics": "rpc_server_call_duration_seconds",
    "spans": "kraken POST /0/private/GetApiKeyInfo",
    "execsvc token bake --out": "bot.token",
    **{f"execsvc {' '.join(verb)}": "" for verb in VERBS},
}


@pytest.mark.parametrize("place", PLACES)
def test_no_secret_is_said(life, place):
    """Log at its most talkative level, errors of every kind of token, metrics, spans, and what the verbs show."""
    said = life.said[place]
    marker = PLACES[place]
    assert (marker.encode() if isinstance(said, bytes) else marker) in said
    assert len(said) > 50
    assert [] == finds(said)


def test_no_secret_is_written(life):
    """Store, journal, lock and token files: only the files that are there for a token have one."""
    written = {path.name: path.read_bytes() for path in life.home.rglob("*") if path.is_file()}
    kept = {"admin.token", "viewer.token", "bot.token"}
    assert {"execsvc.db", "tokens.toml", *kept} <= written.keys()
    assert [True] * len(kept) == [is_one_secret(written.pop(name)) for name in kept]
    assert {} == {name: finds(content) for name, content in written.items() if finds(content)}


def test_what_was_looked_for_was_there_to_be_found(life):
    """The same search over what went to the exchange and to its reader finds every kind: the exchange saw them all."""
    sent = [life.exchange.environ["KRAKEN_API_KEY"], life.exchange.environ["KRAKEN_API_SECRET"], f"Bearer {life.token}"]
    assert [1, 1, 2] == [len(finds(each)) for each in sent]
