"""Two accounts behind one gateway, four callers with tokens: each sees and trades its own, and nothing else."""

import time
from contextlib import contextmanager

import pytest
from execsvc_client import FeedState, InvalidRequest, NotFound, NotPermitted, OrderStatus, SyncClient

from tests.support.processes import Process, clean_environ, free_port, paper_exchange, wait_serving
from tests.support.tokens import baked, token_file

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

RESTING = {"quantity": "0.001", "limit_price": "30000.0"}
PATIENCE_S = 15.0
CONFIG = """
[accounts.main]
key_file = "main.key"
secret_file = "main.secret"
[accounts.hedge]
key_file = "hedge.key"
secret_file = "hedge.secret"

[callers.ann]
permissions = ["market", "account:main", "trade:main", "cancel:main"]
[callers.ben]
permissions = ["account:hedge", "trade:hedge", "cancel:hedge"]
[callers.cleo]
permissions = ["account:*", "trade:*", "cancel:*"]
[callers.dan]
permissions = ["account:*"]
default_account = "hedge"

[risk]
max_order_notional = 1000
max_limit_distance = "off"
max_orders_per_s = "off"
"""
RIGHTS = {
    "ann": ("market", "account:*", "trade:*", "cancel:*"),  # wider than her section: that narrows it
    "ben": ("account:hedge", "trade:hedge", "cancel:hedge"),
    "cleo": ("account:*", "trade:*", "cancel:*"),
    "dan": ("account:*",),
}


class Gateway:
    """Its lives on one store, one address and one set of tokens."""

    def __init__(self, home, exchange):
        self.home, self.exchange = home, exchange
        self.listen = f"127.0.0.1:{free_port()}"
        for account, number in (("main", ""), ("hedge", "_2")):
            for kind in ("key", "secret"):
                file = home / f"{account}.{kind}"
                file.write_text(exchange.environ[f"KRAKEN_API_{kind.upper()}{number}"])
                file.chmod(0o600)
        (home / "execsvc.toml").write_text(CONFIG)
        made = {name: baked(name, *words, default="hedge" if name == "dan" else "") for name, words in RIGHTS.items()}
        token_file(home / "tokens.toml", *(token for token, _ in made.values()))
        self.tokens = {name: text for name, (_, text) in made.items()}
        venue = {name: value for name, value in exchange.environ.items() if name.startswith("EXECSVC_KRAKEN")}
        self.environ = clean_environ(
            home,
            EXECSVC_LISTEN=self.listen,
            EXECSVC_HTTP_LISTEN="off",
            EXECSVC_STORE=f"sqlite://{home}/execsvc.db",
            EXECSVC_TOKENS=str(home / "tokens.toml"),
            EXECSVC_TIER="unlimited",
            **venue,
        )

    def begin(self):
        self.process = Process(["serve", "--config", str(self.home / "execsvc.toml")], self.environ)
        wait_serving(self.listen)

    @contextmanager
    def client(self, name, account=""):
        with SyncClient(self.listen, token=self.tokens[name], account=account) as client:
            yield client


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with paper_exchange(home, "--tier", "unlimited", "--accounts", "2") as exchange:
        built = Gateway(home, exchange)
        built.begin()
        try:
            yield built
        finally:
            built.process.stop()


def until(holds, what):
    by = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < by, what
        time.sleep(0.05)


def recorded(gateway, placed):
    """The exchange's own record of an order: which of its accounts holds it."""
    (row,) = [row for row in gateway.exchange.orders() if row["order_id"] == placed.order.order_id]
    return row["account"]


def test_each_caller_trades_on_its_own_account(gateway):
    """Named by nobody, for it is the only one; the exchange has each order in the account of its key."""
    with gateway.client("ann") as ann, gateway.client("ben") as ben:
        mine, theirs = (client.place("BTC/USD", "buy", **RESTING) for client in (ann, ben))
        assert ["paper", "paper-2"] == [recorded(gateway, each) for each in (mine, theirs)]
        assert [{mine.order.order_id}, {theirs.order.order_id}] == [
            {order.order_id for order in client.orders()} for client in (ann, ben)
        ]


def test_an_order_of_another_account_is_not_there(gateway):
    """Not by its id, nor to be cancelled; the one who may see it does."""
    with gateway.client("ann") as ann, gateway.client("ben") as ben, gateway.client("cleo", "main") as cleo:
        placed = ann.place("BTC/USD", "buy", client_order_id="hidden", **RESTING)
        for act in (ben.get_order, ben.cancel):
            with pytest.raises(NotFound):
                act(order_id=placed.order.order_id)
        assert OrderStatus.OPEN == cleo.get_order(order_id=placed.order.order_id).status


def test_one_id_may_be_used_on_each_account(gateway):
    """An id belongs to caller and account: neither order is the other's repeat."""
    with gateway.client("cleo", "main") as main, gateway.client("cleo", "hedge") as hedge:
        placed = [client.place("BTC/USD", "buy", client_order_id="same", **RESTING) for client in (main, hedge)]
    assert [False, False] == [each.replayed for each in placed]
    assert ["paper", "paper-2"] == [recorded(gateway, each) for each in placed]


def test_with_several_accounts_and_no_default_one_must_be_named(gateway):
    """ACCOUNT_REQUIRED, with the names; a default account is one that need not be."""
    with gateway.client("cleo") as cleo, pytest.raises(InvalidRequest) as refused:
        cleo.place("BTC/USD", "buy", **RESTING)
    assert ("ACCOUNT_REQUIRED", True) == (refused.value.reason, "hedge, main" in str(refused.value))
    with gateway.client("dan") as dan, gateway.client("ben") as ben:
        assert {each.asset: each.total for each in ben.balances()} == {
            each.asset: each.total for each in dan.balances()
        }


@pytest.mark.parametrize("account", ["hedge", "nowhere"])
def test_an_account_that_is_not_granted_reads_like_one_that_is_not_there(gateway, account):
    """Whoever is not granted one cannot learn whether it exists."""
    with gateway.client("ann", account) as ann, pytest.raises(NotPermitted) as refused:
        ann.place("BTC/USD", "buy", **RESTING)
    assert "ACCOUNT_NOT_GRANTED" == refused.value.reason
    assert str(refused.value).replace(account, "X").count("X") == 1


def test_a_caller_hears_of_its_own_accounts_only(gateway):
    """Venue status and server info: by name, and none that is not granted."""
    seen = {}
    for name in ("ann", "ben", "cleo", "dan"):
        with gateway.client(name) as client:
            figures = {each for each in client.server_info().settings if "visibility_bound_s" in each}
            seen[name] = ([each.account for each in client.venue_status().accounts], figures)
    assert {
        "ann": (["main"], {"visibility_bound_s"}),
        "ben": (["hedge"], {"visibility_bound_s"}),
        "cleo": (["hedge", "main"], {"hedge.visibility_bound_s", "main.visibility_bound_s"}),
        "dan": (["hedge", "main"], {"hedge.visibility_bound_s", "main.visibility_bound_s"}),
    } == seen


def test_what_one_account_uses_is_not_the_others(gateway):
    """Neither of the calls its key may make, nor of the pair's counter."""
    gateway.exchange.ask("POST", "/limits")
    with gateway.client("ben") as ben:
        for _ in range(3):
            ben.place("ETH/USD", "buy", quantity="0.1", limit_price="1000.00")
    limits = gateway.exchange.ask("GET", "/limits")
    charged = [each["pairs"]["ETH/USD"]["charged"] for each in (limits, limits["others"]["paper-2"])]
    assert [0, 3] == charged


def test_a_feed_that_is_lost_leaves_the_other_account_live(gateway):
    """One key gets no session any more: its account says so and alone is not well, the other goes on trading."""
    key = gateway.exchange.environ["KRAKEN_API_KEY_2"]
    with gateway.client("dan") as dan, gateway.client("ann") as ann:

        def feeds():
            return {each.account: each.private_feed for each in dan.venue_status().accounts}

        gateway.exchange.fault(
            kind="error", call="GetWebSocketsToken", key=key, error="EService:Unavailable", times=1000
        )
        gateway.exchange.fault(kind="token_expired", line="private", times=2)
        gateway.exchange.fault(kind="drop_ws", line="private", code=1001)
        try:
            until(
                lambda: feeds() == {"main": FeedState.LIVE, "hedge": FeedState.STALE}, "one feed alone was to stay away"
            )
            assert OrderStatus.OPEN == ann.place("BTC/USD", "buy", **RESTING).order.status
        finally:
            gateway.exchange.mend()
        until(lambda: set(feeds().values()) == {FeedState.LIVE}, "both feeds were to come back")


def test_a_restart_keeps_both(gateway):
    """Killed and started anew: the orders of each account are where they were, under their ids, and can be cancelled."""
    with gateway.client("ann") as ann, gateway.client("ben") as ben:
        placed = {client: client.place("BTC/USD", "buy", client_order_id="kept", **RESTING) for client in (ann, ben)}
        gateway.process.kill()
        gateway.begin()
        for client, each in placed.items():
            again = client.place("BTC/USD", "buy", client_order_id="kept", **RESTING)
            assert (True, each.order.order_id) == (again.replayed, again.order.order_id)
            assert OrderStatus.CANCELLED == client.wait_for_terminal(client.cancel("kept")).status
