"""The lives of one gateway on one store: begun plainly or with a weak point, killed, stopped, cut off, replaced.

Every life is a process of its own, and so is the exchange. How they are born is nursery.py, which point is struck points.py,
what callers hear meanwhile callers.py.
"""

import signal
import time
from contextlib import closing, contextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.processes import LIFTED, Exchange, clean_environ, wait_serving

CHANNEL = [
    # A pool of its own: else the dead connection of another client in this process, in its back-off, would be shared.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
]


def wait(condition, seconds, what):
    """Until it is true, and what it gave."""
    limit = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < limit, f"{what}: not within {seconds} s"
        time.sleep(0.01)
    return found


class Gateway:
    """One store and one address, and the lives that are led on them. A socket's path can be taken by nobody else."""

    def __init__(self, home, nursery, exchange):
        self.home = home
        self.target = f"unix:{home}/gateway.sock"
        self.store = home / "execsvc.db"
        self.armed = home / "armed"
        self.lives = []
        self._nursery = nursery
        self._last_words = []
        venue = {name: value for name, value in exchange.environ.items() if "CONTROL" not in name}
        self._environ = clean_environ(
            home, EXECSVC_STORE=f"sqlite://{self.store}", EXECSVC_LISTEN=self.target, **venue, **LIFTED
        )

    @property
    def life(self):
        return self.lives[-1]

    def log(self, number=0):
        """What a life passed, the present one without a number: rows of (monotonic seconds, what, point)."""
        path = self.home / f"passed-{number or len(self.lives)}"
        rows = path.read_text().splitlines() if path.exists() else []
        return [(float(at), what, point) for at, what, point in (row.split() for row in rows)]

    def start(self, *weakness):
        """The next life: a plain one, or one that points.py makes weak as `weakness` says."""
        words = [*weakness, "--", "serve", "--http", "off"]
        self.lives.append(self._nursery.bear(words, self._environ, self.home / f"said-{len(self.lives) + 1}"))

    def start_weak(self, point, action, *, armed=False):
        """A life with a weak point; if `armed`, passings count from arm() on."""
        log = self.home / f"passed-{len(self.lives) + 1}"
        self.start("--log", str(log), *(("--armed", str(self.armed)) if armed else ()), point, action)

    def arm(self):
        self.armed.touch()

    def struck_at(self, seconds=30.0):
        """When the weak point was struck, on the monotonic clock that all processes share."""

        def struck():
            ended = self.life.code
            rows = [at for at, what, _ in self.log() if what == "struck"]
            assert rows or ended is None, f"it ended with {ended} before it was struck; it said:\n{self.life.said}"
            return rows

        return wait(struck, seconds, "the point was struck")[0]

    def serving(self):
        wait_serving(self.target)

    def reachable(self, seconds=20.0):
        """Until it answers at all, whatever it says; the instant."""
        with closing(grpc.insecure_channel(self.target, CHANNEL)) as channel:
            stub = health_pb2_grpc.HealthStub(channel)

            def answers():
                assert self.life.code is None, f"it ended while it started; it said:\n{self.life.said}"
                try:
                    stub.Check(health_pb2.HealthCheckRequest(), timeout=1)
                except grpc.RpcError as failure:
                    return failure.code() is not grpc.StatusCode.UNAVAILABLE
                return True

            wait(answers, seconds, "an answer of the gateway")
        return time.monotonic()

    def hold(self, until):
        """It has stopped itself: lets it lie until then, and go on."""
        number = self.life.number
        time.sleep(max(0.0, until - time.monotonic()))
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
        self.life.send_signal(signal.SIGCONT)
        assert state == "T", f"it was {state}, not stopped"
        return time.monotonic()

    def alive(self):
        """The present life goes on; who waits for an answer need not wait for a dead one."""
        code = self.life.code
        assert code is None, f"the gateway ended by itself with {code}"

    @property
    def story(self):
        """All that its lives passed and said, for a person who reads a failure."""
        files = sorted(self.home.glob("passed-*"))
        passed = "".join(f"{file.name}:\n{file.read_text()}" for file in files)
        return passed + "".join(f"life {number}:\n{life.said}" for number, life in enumerate(self.lives, 1))

    def at_close(self, act):
        """Calls `act` when this is over, however it ends."""
        self._last_words.append(act)

    def close(self):
        for act in self._last_words:
            act()
        for life in self.lives:
            life.kill()


@contextmanager
def exchange_in(home, nursery):
    """A paper exchange of its own."""
    words = ["--", "paper", "--port", "0", "--control-port", "0", "--seed", "42", "--print-env", "--tier", "unlimited"]
    life = nursery.bear(words, clean_environ(home), home / "said-exchange")
    try:
        yield Exchange(life)
    finally:
        life.kill()
        (home / "said-exchange").unlink(missing_ok=True)  # it begins with the exchange's keys


@contextmanager
def gateway_on(home, nursery, exchange):
    gateway = Gateway(home, nursery, exchange)
    try:
        yield gateway
    finally:
        gateway.close()
